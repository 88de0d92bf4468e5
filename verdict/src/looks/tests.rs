use super::{Chances, Look, Proof, can_be_fine, ln_fine};

fn near(found: f64, wanted: f64) {
    assert!((found - wanted).abs() < 1e-12, "{found} is not {wanted}");
}

#[test]
fn looks_double_and_halve() {
    for (round, at, number) in
        [(0, 1, 1), (1, 1, 1), (2, 2, 2), (3, 4, 3), (4, 4, 3), (5, 8, 4), (100, 128, 8)]
    {
        assert_eq!(Look::from(round), Look { round: at, number }, "{round}");
    }
    assert_eq!(Look::from(u32::MAX), Look { round: 1 << 31, number: 32 });
    near(Look::from(1).ln_threshold(0.05), 40.0_f64.ln());
    near(Look::from(8).ln_threshold(0.05), 320.0_f64.ln());
    let spent: f64 = (0..32).map(|j| (-Look::from(1 << j).ln_threshold(0.05)).exp()).sum();
    assert!(spent <= 0.05);
}

#[test]
fn fine_by_hand() {
    near(ln_fine(&[]), 0.0);
    near(ln_fine(&[0.1; 9]), 0.0);
    near(ln_fine(&[0.0, 0.0]), ((1.1_f64.powi(2) + 1.05_f64.powi(2) + 1.025_f64.powi(2)) / 3.0).ln());
    // Losing all of one prompt leaves a tenth of the largest bet.
    near(ln_fine(&[1.0]), ((0.1 + 0.55 + 0.775) / 3.0_f64).ln());
}

/// Without any difference 49 prompts are enough in round 1. They are not in round 2.
#[test]
fn fine_in_round_one_with_49_prompts() {
    let proof = |prompts, round| Proof::new(&[], &vec![0.0; prompts], round, Chances::default());
    assert!(!proof(48, 1).is_fine() && proof(49, 1).is_fine() && !proof(49, 2).is_fine());
    assert!(!can_be_fine(48, Chances::default()) && can_be_fine(49, Chances::default()));
    assert!(proof(60, 2).is_fine() && !proof(60, 3).is_fine() && !proof(60, 3).is_look);
}

/// 7 worse and none better: p = 1/128, an alarm at 5 % in round 1, where 1/40 is needed. 5 worse are not enough.
#[test]
fn an_alarm_in_round_one() {
    let proof = |worse: usize, round| Proof::new(&vec![1; worse], &vec![0.1; 50], round, Chances::default());
    near(proof(7, 1).ln_e, 128.0_f64.ln());
    assert!(proof(7, 1).is_worse() && proof(6, 1).is_worse() && !proof(5, 1).is_worse());
    assert!(proof(7, 2).is_worse() && !proof(7, 3).is_worse() && !proof(7, 4).is_worse());
    // Exactly at the level.
    let chances = Chances { alpha: 1.0 / 64.0, beta: 0.05 };
    assert!(Proof::new(&[1; 7], &[], 1, chances).is_worse());
}
