use super::{Checked, Prompt, Tally, check, in_units, least_common_multiple};
use crate::looks::Chances;
use crate::window::Pair;
use proptest::prelude::*;

fn prompt(answers: u32, version: u32, baseline: u32) -> Prompt {
    Prompt::new(answers, Pair { version, baseline })
}

fn checked(prompts: &[Prompt], round: u32) -> Checked {
    check(prompts, round, Chances::default())
}

#[test]
fn a_round_counts_where_both_sides_are_known() {
    let mut found = Prompt::default();
    for (version, baseline) in [
        (Some(true), Some(true)),
        (None, Some(false)),
        (Some(false), None),
        (None, None),
        (Some(false), Some(true)),
    ] {
        found.push(Pair { version, baseline });
    }
    assert_eq!(found, prompt(2, 1, 2));
    assert_eq!(found.difference(), Some(0.5));
    assert_eq!(Prompt::default().difference(), None);
}

/// The two answers of the baseline list a prompt and change nothing else.
#[test]
fn quarantine_lists_and_removes_nothing() {
    let mut unstable = prompt(1, 0, 1);
    let before = checked(&[unstable; 7], 1);
    for (passed, is_listed) in [
        ([Some(true), Some(true)], false),
        ([Some(true), None], false),
        ([Some(false), Some(true)], true),
        ([Some(true), Some(false)], true),
    ] {
        unstable.push_baseline_twice(passed);
        assert_eq!(unstable.is_quarantined(), is_listed, "{passed:?}");
    }
    let after = checked(&[unstable; 7], 1);
    assert_eq!((after.proof, after.pass_share), (before.proof, before.pass_share));
    assert_eq!((after.tally.quarantined, after.tally.worse), (7, 7));
}

#[test]
fn seven_worse_of_fifty() {
    let mut prompts = vec![prompt(1, 1, 1); 48];
    prompts.iter_mut().take(7).for_each(|broken| *broken = prompt(1, 0, 1));
    prompts.push(prompt(1, 0, 0));
    prompts.push(Prompt::default());
    let found = checked(&prompts, 1);
    assert_eq!(found.tally, Tally { total: 50, better: 0, worse: 7, same: 42, unknown: 1, quarantined: 0 });
    assert!((found.proof.ln_e - 128.0_f64.ln()).abs() < 1e-12);
    assert!(found.proof.is_worse() && !found.proof.is_fine());
    let share = found.pass_share.unwrap();
    assert!((share.version - 41.0 / 49.0).abs() < 1e-12 && (share.baseline - 48.0 / 49.0).abs() < 1e-12);
    assert!((found.proof.mean_drop - 7.0 / 49.0).abs() < 1e-12);
}

#[test]
fn nothing_is_known_without_answers() {
    for prompts in [vec![], vec![Prompt::default(); 50]] {
        let found = checked(&prompts, 1);
        assert_eq!(found.pass_share, None);
        assert!(!found.proof.is_worse() && !found.proof.is_fine());
        assert_eq!((found.proof.ln_e, found.proof.mean_drop), (0.0, 0.0));
        assert!(found.proof.ln_e.is_sign_positive(), "it is shown as 0");
    }
}

#[test]
fn denominators() {
    assert_eq!(least_common_multiple(1, 7), Some(7));
    assert_eq!(least_common_multiple(6, 4), Some(12));
    assert_eq!(least_common_multiple(1 << 19, 3), None);
    assert_eq!(in_units(&[prompt(2, 0, 1), prompt(3, 1, 0), prompt(4, 4, 4)]), [6, -4, 0]);
    // Many numbers of answers: rounded, in the same way on both sides of 0.
    let worse: Vec<Prompt> = (1..=60).map(|answers| prompt(answers, 0, 1)).collect();
    let better: Vec<Prompt> = (1..=60).map(|answers| prompt(answers, 1, 0)).collect();
    let units = in_units(&worse);
    assert_eq!(in_units(&better), units.iter().map(|unit| -unit).collect::<Vec<_>>());
    assert_eq!((units[0], units[15], units[16], units[59]), (5_040, 315, 296, 84));
    let extreme = [prompt(u32::MAX, 0, u32::MAX), prompt(u32::MAX - 1, 0, 5), prompt(7, 9, 0)];
    assert!(in_units(&extreme).iter().all(|unit| unit.abs() <= 1 << 20));
}

/// `p` by trying all signs of real differences.
fn by_enumeration(prompts: &[Prompt]) -> f64 {
    let differences: Vec<f64> = prompts.iter().filter_map(Prompt::difference).collect();
    let observed: f64 = differences.iter().sum();
    let n = differences.len();
    let reached = (0_u64..1 << n).filter(|signs| {
        let flipped = differences.iter().enumerate().map(|(i, d)| if signs >> i & 1 == 1 { -d } else { *d });
        flipped.sum::<f64>() >= observed - 1e-9
    });
    reached.count() as f64 / (1_u64 << n) as f64
}

proptest! {
    #[test]
    fn p_equals_enumeration(
        prompts in prop::collection::vec((0..12_u32, 0..12_u32, 0..12_u32), 0..12)
    ) {
        let prompts: Vec<Prompt> = prompts.iter().map(|(n, v, b)| prompt(*n, *v, *b)).collect();
        let found = checked(&prompts, 1).proof.ln_e;
        prop_assert!((found + by_enumeration(&prompts).ln()).abs() < 1e-9);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn tallies_add_up(prompts in prop::collection::vec((any::<u32>(), any::<u32>(), any::<u32>()), 0..40), round: u32) {
        let prompts: Vec<Prompt> = prompts.iter().map(|(n, v, b)| prompt(*n, *v, *b)).collect();
        let Checked { tally, pass_share, proof } = checked(&prompts, round);
        prop_assert_eq!(tally.total, tally.better + tally.worse + tally.same + tally.unknown);
        prop_assert_eq!(pass_share.is_some(), tally.total > tally.unknown);
        prop_assert!(proof.ln_e >= 0.0 && proof.ln_e.is_finite() && proof.ln_fine.is_finite());
    }
}
