use super::{after, before_first, chances};
use crate::watchdog::results::{Changed, Prompts, Round, Sides};
use llm_canary_verdict::policy::{Policy, Rule};
use llm_canary_verdict::signal::Signal;
use llm_canary_verdict::verdict::Finding;

/// A round of so many prompts.
fn round(verdict: &str, total: u64, unknown: u64) -> Round {
    Round {
        verdict: verdict.to_owned(),
        round: 1,
        prompts: Prompts { total, unknown, ..Prompts::default() },
        pass_share: Sides {
            version: (total > unknown).then_some(0.6),
            baseline: (total > unknown).then_some(0.92),
        },
        log_e: 9.0,
        threshold: 6.5,
        judge: None,
        prompt_tokens: Default::default(),
        defects: Sides::default(),
        changed: vec![Changed {
            set: "a.yaml".to_owned(),
            case: "capitals".to_owned(),
            version: "0/3".to_owned(),
            baseline: "3/3".to_owned(),
            check: "contains: Paris".to_owned(),
        }],
        unknown_because: [("429".to_owned(), 7)].into(),
    }
}

#[test]
fn it_gets_its_guards_part_of_alpha() {
    let policy = Policy::default().with_watchdog();
    assert!((chances(&policy).alpha - 0.05 / 8.0).abs() < 1e-12);
    assert!((chances(&policy).beta - 0.05).abs() < 1e-12);
    let mut policy = Policy::default();
    policy.signals.insert(Signal::Watchdog, Rule { weight: Some(7.0), ..Rule::default() });
    assert!((chances(&policy).alpha - 0.025).abs() < 1e-12);
}

#[test]
fn each_verdict_becomes_a_finding() {
    let policy = Policy::default().with_watchdog();
    for (verdict, finding, alarm, words) in [
        (
            "regression",
            Finding::Worse,
            Some(5),
            "60 % of 50 prompts pass, and 92 % with the baseline; changed most: capitals (0/3, baseline 3/3) after round 1",
        ),
        (
            "fine",
            Finding::NoWorse,
            None,
            "60 % of 50 prompts pass, and 92 % with the baseline; a drop of the pass share by more than 10 points is excluded after round 1",
        ),
        (
            "not_enough_data",
            Finding::Unclear,
            None,
            "60 % of 50 prompts pass, and 92 % with the baseline after round 1",
        ),
    ] {
        let outside = after(&round(verdict, 50, 0), &policy, 5);
        assert_eq!((outside.finding, outside.alarmed_at_ms), (finding, alarm));
        assert_eq!(outside.words, words);
        assert_eq!((outside.ln_e, outside.ln_threshold, outside.prompts), (9.0, 6.5, 50));
    }
}

/// A small set can stop a version, and can never show that one is fine. It must not hold each release for ever.
#[test]
fn a_set_that_cannot_be_fine_holds_only_until_it_is_known() {
    let policy = Policy::default().with_watchdog();
    assert!(before_first(&policy).holds);
    assert_eq!(before_first(&policy).finding, Finding::Unclear);
    for (total, unknown, holds) in
        [(20, 0, false), (20, 19, false), (20, 20, true), (48, 0, false), (49, 0, true), (500, 0, true)]
    {
        assert_eq!(
            after(&round("not_enough_data", total, unknown), &policy, 0).holds,
            holds,
            "{total} {unknown}"
        );
    }
    let unknown = after(&round("not_enough_data", 20, 20), &policy, 0);
    assert_eq!(unknown.words, "no prompt of the reference set is known on both sides (429: 7)");
}
