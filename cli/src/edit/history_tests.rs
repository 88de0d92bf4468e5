use super::{Moved, within_limit};
use crate::edit::schedule::{Schedule, Step, StepsForm};
use llm_canary::bucket::PARTS;
use llm_canary::config::STEPS_MAX;
use proptest::prelude::*;

/// A rollout with the baseline v1: times in seconds, shares of v2 and v3 in percent.
fn schedule(steps: &[(u64, u32, u32)]) -> Schedule {
    let step = |(at, v2, v3): &(u64, u32, u32)| Step {
        at: at * 1_000,
        shares: vec![("v2".to_owned(), v2 * 10_000), ("v3".to_owned(), v3 * 10_000)],
    };
    Schedule {
        baseline: "v1".to_owned(),
        versions: ["v1", "v2", "v3"].iter().map(|name| ((*name).to_owned(), false)).collect(),
        steps: steps.iter().map(step).collect(),
        form: StepsForm::Steps,
    }
}

/// Steps that change something each, from the first second on.
fn needed(count: usize) -> Vec<(u64, u32, u32)> {
    (1..=count as u64).map(|at| (at, 1 + (at % 2) as u32, 0)).collect()
}

#[test]
fn only_steps_that_change_nothing_are_dropped() {
    let full = schedule(&needed(STEPS_MAX));
    assert_eq!(within_limit(&full, vec![full.clone()], 0), Ok(vec![full.clone()]));
    // The second and the third repeat the first; one must go, the older.
    let mut steps = needed(STEPS_MAX - 2);
    steps.insert(1, (1_000, steps[0].1, 0));
    steps.insert(2, (1_001, steps[0].1, 0));
    steps.push((2_000, 9, 9));
    for (index, step) in steps.iter_mut().enumerate() {
        step.0 = index as u64 + 1;
    }
    let over = schedule(&steps);
    assert_eq!(over.steps.len(), STEPS_MAX + 1);
    let kept = within_limit(&over, vec![over.clone()], u64::MAX).unwrap();
    steps.remove(1);
    assert_eq!(kept, [schedule(&steps)]);
}

#[test]
fn what_must_be_forgotten_is_offered_with_its_price() {
    let over = schedule(&needed(STEPS_MAX + 2));
    let words = within_limit(&schedule(&needed(STEPS_MAX)), vec![over.clone()], u64::MAX).unwrap_err();
    assert_eq!(
        words,
        "the change needs 258 steps, and the filter takes at most 256. None of them can be dropped without moving \
         conversations. Add --forget-before 1970-01-01T00:00:03Z, which drops the oldest 2 steps: of the conversations \
         that began before 1970-01-01T00:00:03Z, up to 2 % move to v1; no other moves. A later time drops more"
    );
    let words = within_limit(&schedule(&needed(STEPS_MAX)), vec![over], 0).unwrap_err();
    assert!(words.contains("most are planned"), "{words}");
}

#[test]
fn forgetting_has_a_price() {
    let steps = [(1, 10, 0), (2, 10, 10), (3, 20, 10), (4, 20, 5)];
    let old = schedule(&steps);
    let price = |time: u64| {
        let kept = old.forgotten_before(time * 1_000);
        (kept.steps.len(), old.moved_by(&kept))
    };
    let moved = |begun_before: u32, others: u32| Moved {
        begun_before: begun_before * 10_000,
        others: others * 10_000,
    };
    assert_eq!(price(0), (4, moved(0, 0)));
    assert_eq!(price(1), (4, moved(0, 0)), "the step in force at that time stays");
    // From the second step on, v2 has 0..10 and v3 has 10..20 in both.
    assert_eq!(price(2), (3, moved(10, 0)));
    // v2 had 0..10 and 20..30, and v3 10..20 between them. Now v2 has 0..20.
    assert_eq!(price(3), (2, moved(20, 20)));
    let stopped = old.with_stopped("v2", true);
    let kept = stopped.forgotten_before(1_000);
    assert_eq!(stopped.moved_by(&kept), moved(0, 0));
    let kept = stopped.forgotten_before(2_000);
    assert_eq!(stopped.moved_by(&kept), moved(0, 0), "the baseline serves a stopped version's already");
}

proptest! {
    /// Dropping the steps that change nothing keeps every bucket's owner at every time, and what forgetting moves is
    /// what a count bucket by bucket finds.
    #[test]
    fn owners_are_kept_or_counted(steps in prop::collection::vec((0..4_u32, 0..4_u32), 0..9), max in 0..9_usize, time in 0..10_u64) {
        let steps: Vec<_> = (1..).zip(&steps).map(|(at, (v2, v3))| (at, v2 * 10, v3 * 10)).collect();
        let old = schedule(&steps);
        let kept = old.without_idle_steps(max);
        prop_assert!(kept.steps.len() >= max.min(old.steps.len()));
        let buckets: Vec<u32> = (0..100).map(|cell| cell * (PARTS / 100)).collect();
        let (before, after) = (old.splits(), kept.splits());
        for at in (0..12_000).step_by(500) {
            prop_assert!(buckets.iter().all(|b| before.at(at).version(*b) == after.at(at).version(*b)));
        }
        let kept = old.forgotten_before(time * 1_000);
        let (before, after) = (old.splits(), kept.splits());
        let first = kept.steps.first().map_or(u64::MAX, |step| step.at);
        let mut expect = Moved::default();
        for at in (0..12_000).step_by(500) {
            let moved = buckets.iter().filter(|b| before.at(at).version(**b) != after.at(at).version(**b)).count();
            let most = if at < first { &mut expect.begun_before } else { &mut expect.others };
            *most = (moved as u32 * 10_000).max(*most);
        }
        prop_assert_eq!(old.moved_by(&kept), expect);
    }
}
