use super::{changed, fisher};
use crate::prompts::Prompt;
use crate::window::Pair;
use proptest::prelude::*;

fn prompt(answers: u32, version: u32, baseline: u32) -> Prompt {
    Prompt::new(answers, Pair { version, baseline })
}

fn indices(prompts: &[Prompt]) -> Vec<usize> {
    changed(prompts).iter().map(|changed| changed.index).collect()
}

/// 2 of 20 for 3 of 3 against none; Fisher's tea: 3 of 4 against 1 of 4 has 2 · (1 + 16) / 70.
#[test]
fn fisher_by_hand() {
    for (prompt, p) in [
        (prompt(3, 0, 3), 0.1),
        (prompt(3, 3, 0), 0.1),
        (prompt(4, 1, 3), 34.0 / 70.0),
        (prompt(4, 2, 2), 1.0),
        (prompt(6, 0, 6), 2.0 / 924.0),
        (prompt(8, 2, 8), 56.0 / 8008.0),
    ] {
        assert!((fisher(&prompt) - p).abs() < 1e-12, "{prompt:?}: {}", fisher(&prompt));
    }
    assert!(fisher(&prompt(u32::MAX, 0, u32::MAX)) < 1e-300);
}

/// A prompt that broke is listed, however many others there are and however noisy they are.
#[test]
fn one_broken_prompt_is_listed() {
    let mut prompts = vec![prompt(3, 3, 3); 50];
    prompts[17] = prompt(3, 0, 3);
    assert_eq!(indices(&prompts), [17]);
    let mut noisy: Vec<Prompt> = (0..1_000).map(|i| prompt(3, 1 + i % 2, 1 + i / 2 % 2)).collect();
    assert_eq!(indices(&noisy), [0_usize; 0]);
    noisy[400] = prompt(3, 0, 3);
    noisy[200] = prompt(3, 3, 0);
    assert_eq!(indices(&noisy), [400, 200]);
    assert!(changed(&noisy)[0].is_worse() && !changed(&noisy)[1].is_worse());
}

#[test]
fn two_rounds_are_not_enough() {
    assert_eq!(indices(&[prompt(2, 0, 2), prompt(1, 0, 1), prompt(0, 0, 0)]), [0_usize; 0]);
}

/// 8 of 8 against 2 of 8 has p = 0.7 %: beyond noise among few prompts that vary, and not among thirty.
#[test]
fn with_many_noisy_prompts_it_takes_more() {
    let mut prompts = vec![prompt(8, 8, 8); 500];
    prompts[3] = prompt(8, 2, 8);
    prompts.iter_mut().skip(10).take(9).for_each(|noisy| *noisy = prompt(8, 6, 7));
    assert_eq!(indices(&prompts), [3]);
    prompts.iter_mut().skip(30).take(20).for_each(|noisy| *noisy = prompt(8, 7, 5));
    assert_eq!(indices(&prompts), [0_usize; 0]);
}

/// The same by adding all terms.
fn by_sum(n: u64, few: u64, many: u64) -> f64 {
    let choose = |n: u64, k: u64| (0..k).fold(1.0, |c, j| c * (n - j) as f64 / (j + 1) as f64);
    let all = few + many;
    let terms = (all.saturating_sub(n)..=few).map(|j| choose(n, j) * choose(n, all - j));
    if few == many { 1.0 } else { (2.0 * terms.sum::<f64>() / choose(2 * n, all)).min(1.0) }
}

proptest! {
    #[test]
    fn fisher_is_a_sum(n in 1..40_u32, a in 0..40_u32, b in 0..40_u32) {
        let prompt = prompt(n, a, b);
        let Pair { version, baseline } = prompt.passes();
        let wanted = by_sum(n.into(), version.min(baseline).into(), version.max(baseline).into());
        prop_assert!((fisher(&prompt) - wanted).abs() < 1e-9 * wanted);
    }

    #[test]
    fn any_prompts(prompts in prop::collection::vec((any::<u32>(), any::<u32>(), any::<u32>()), 0..40)) {
        let prompts: Vec<Prompt> = prompts.iter().map(|(n, v, b)| prompt(*n, *v, *b)).collect();
        for changed in changed(&prompts) {
            prop_assert!(changed.p >= 0.0 && changed.p <= 1.0);
        }
    }
}
