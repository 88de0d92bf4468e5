use super::{Schedule, Shares, Step, StepsForm};
use llm_canary::config::json;
use proptest::prelude::*;

/// A rollout with the baseline v1 and these steps: times in seconds, shares in percent.
fn schedule(steps: &[(u64, &[(&str, u32)])]) -> Schedule {
    Schedule {
        baseline: "v1".to_owned(),
        versions: ["v1", "v2", "v3"].iter().map(|name| ((*name).to_owned(), false)).collect(),
        steps: steps.iter().map(|(at, shares)| Step { at: at * 1_000, shares: percent(shares) }).collect(),
        form: StepsForm::Steps,
    }
}

fn percent(shares: &[(&str, u32)]) -> Shares {
    shares.iter().map(|(name, percent)| ((*name).to_owned(), percent * 10_000)).collect()
}

/// The steps after v2 has these shares from these seconds on.
fn check(steps: &[(u64, &[(&str, u32)])], change: &[(u64, u32)], expect: &[(u64, &[(&str, u32)])]) {
    let change: Vec<(u64, u32)> = change.iter().map(|(at, share)| (at * 1_000, share * 10_000)).collect();
    assert_eq!(
        schedule(steps).with_share("v2", &change).steps,
        schedule(expect).steps,
        "{steps:?} {change:?}"
    );
}

#[test]
fn a_share_is_a_step() {
    check(&[], &[(9, 5)], &[(9, &[("v2", 5)])]);
    check(&[(1, &[("v2", 1)])], &[(9, 5)], &[(1, &[("v2", 1)]), (9, &[("v2", 5)])]);
    // Other versions keep what they have.
    check(&[(1, &[("v3", 7)])], &[(9, 5)], &[(1, &[("v3", 7)]), (9, &[("v2", 5), ("v3", 7)])]);
    // A version that loses its share is named once, with 0.
    check(
        &[(1, &[("v2", 5), ("v3", 7)]), (2, &[("v2", 5), ("v3", 0)])],
        &[(9, 0)],
        &[(1, &[("v2", 5), ("v3", 7)]), (2, &[("v2", 5), ("v3", 0)]), (9, &[("v2", 0)])],
    );
    // Several steps.
    check(&[], &[(1, 1), (2, 5), (3, 25)], &[(1, &[("v2", 1)]), (2, &[("v2", 5)]), (3, &[("v2", 25)])]);
}

#[test]
fn a_share_that_is_in_force_adds_no_step() {
    check(&[], &[(9, 0)], &[]);
    check(&[(1, &[("v2", 5)])], &[(9, 5)], &[(1, &[("v2", 5)])]);
    // A step that repeats another keeps its text.
    let twice: &[(u64, &[(&str, u32)])] = &[(1, &[("v2", 5)]), (2, &[("v2", 5)])];
    check(twice, &[(9, 5)], twice);
}

#[test]
fn a_share_replaces_the_plan_of_its_version_only() {
    check(
        &[(1, &[("v2", 1)]), (20, &[("v2", 5)]), (30, &[("v2", 25)])],
        &[(9, 0)],
        &[(1, &[("v2", 1)]), (9, &[("v2", 0)])],
    );
    check(
        &[(1, &[("v2", 1)]), (20, &[("v2", 5), ("v3", 3)]), (30, &[("v2", 25), ("v3", 3)])],
        &[(9, 0)],
        &[(1, &[("v2", 1)]), (9, &[("v2", 0)]), (20, &[("v2", 0), ("v3", 3)])],
    );
    // Before the planned step, at its time, and after it.
    check(&[(20, &[("v2", 5)])], &[(9, 1)], &[(9, &[("v2", 1)])]);
    check(&[(20, &[("v2", 5)])], &[(20, 1)], &[(20, &[("v2", 1)])]);
    check(&[(20, &[("v2", 5)])], &[(21, 1)], &[(20, &[("v2", 5)]), (21, &[("v2", 1)])]);
    // A later step that changes nothing any more is dropped.
    check(&[(1, &[("v2", 1)]), (20, &[("v2", 0)])], &[(9, 0)], &[(1, &[("v2", 1)]), (9, &[("v2", 0)])]);
    // Where every planned step is dropped before it began, one step records the time.
    check(&[(20, &[("v2", 5), ("v3", 1)])], &[(9, 0)], &[(20, &[("v2", 0), ("v3", 1)])]);
    check(&[(20, &[("v2", 5)]), (30, &[("v2", 9)])], &[(9, 0)], &[(9, &[("v2", 0)])]);
    let promoted = schedule(&[(20, &[("v2", 5), ("v3", 1)])]).promoted("v1", 9_000);
    assert_eq!(promoted.steps, schedule(&[(9, &[("v2", 0), ("v3", 0)])]).steps);
    let dropped = schedule(&[(1, &[("v2", 1)]), (20, &[("v2", 5)])]);
    let after = dropped.with_share("v2", &[(9_000, 0)]);
    assert_eq!(dropped.dropped_in(&after, 9_000), [dropped.steps[1].clone()]);
    // What was planned for another version in the same step is not dropped.
    let shared = schedule(&[(1, &[("v2", 1)]), (20, &[("v2", 5), ("v3", 3)]), (30, &[("v2", 0), ("v3", 4)])]);
    let after = shared.with_share("v2", &[(9_000, 0)]);
    let v2 = Step { at: 20_000, shares: percent(&[("v2", 5)]) };
    assert_eq!(shared.dropped_in(&after, 9_000), [v2]);
}

#[test]
fn a_promotion_gives_everything() {
    let before = schedule(&[(1, &[("v2", 25), ("v3", 5)]), (20, &[("v2", 50), ("v3", 5)])]);
    let v2 = before.promoted("v2", 9_000);
    assert_eq!(v2.steps, schedule(&[(1, &[("v2", 25), ("v3", 5)]), (9, &[("v2", 100), ("v3", 0)])]).steps);
    assert_eq!(v2.promoted("v2", 10_000), v2, "a second promotion changes nothing");
    let v1 = before.promoted("v1", 9_000);
    assert_eq!(v1.steps, schedule(&[(1, &[("v2", 25), ("v3", 5)]), (9, &[("v2", 0), ("v3", 0)])]).steps);
    assert_eq!((v2.full_since("v2", 8_999), v2.full_since("v2", 9_000)), (None, Some(9_000)));
    assert_eq!(
        (v1.parts_at("v1", 9_000), v1.parts_at("v1", 2_000), v1.parts_at("v1", 0)),
        (1_000_000, 700_000, 1_000_000)
    );
    let again = v2.with_share("v2", &[(12_000, 500_000), (15_000, 1_000_000)]);
    assert_eq!(again.full_since("v2", 20_000), Some(15_000), "a break starts the time again");
    let finished = v2.finished("v2", 30_000);
    assert_eq!((finished.baseline.as_str(), &finished.steps), ("v2", &schedule(&[(30, &[("v1", 0)])]).steps));
    assert_eq!(finished.parts_at("v2", 30_000), 1_000_000);
}

#[test]
fn a_rollout_is_read() {
    let read = |fields: &str| {
        let text = format!(
            r#"{{"baseline": "v1", "versions": [{{"name": "v1"}}, {{"name": "v2", "stopped": true}}], {fields}}}"#
        );
        Schedule::read(&json::parse(text.as_bytes()).unwrap())
    };
    let split = read(r#""split": {"v2": 12.5}"#);
    assert_eq!(
        (split.form, &split.steps),
        (StepsForm::Split, &vec![Step { at: 0, shares: vec![("v2".into(), 125_000)] }])
    );
    assert!(split.is_stopped("v2") && !split.is_stopped("v1"));
    assert_eq!(read(r#""split": {"v2": 0}"#).steps, [], "a split that gives nothing is no step");
    assert_eq!(read(r#""salt": """#).form, StepsForm::Absent);
    let steps = read(r#""steps": [{"at": "1970-01-01T00:00:05+00:00", "percent": {"v2": 0.0001}}]"#);
    assert_eq!(
        (steps.form, &steps.steps),
        (StepsForm::Steps, &vec![Step { at: 5_000, shares: vec![("v2".into(), 1)] }])
    );
}

proptest! {
    /// At any time each version has the share it should have, and steps before the change keep their text.
    #[test]
    fn nothing_else_changes(
        times in prop::collection::btree_map(1..50_u64, (0..=40_u32, 0..=40_u32), 0..6),
        shares in prop::collection::btree_map(1..50_u64, 0..=40_u32, 1..4),
    ) {
        let steps = times.iter().map(|(at, (v2, v3))| Step { at: *at, shares: percent(&[("v2", *v2), ("v3", *v3)]) });
        let before = Schedule { steps: steps.collect(), ..schedule(&[]) };
        let shares: Vec<(u64, u32)> = shares.into_iter().map(|(at, share)| (at, share * 10_000)).collect();
        let first = shares[0].0;
        let after = before.with_share("v2", &shares);
        for at in 0..60 {
            let wanted = shares.iter().rev().find(|(from, _)| *from <= at);
            let wanted = wanted.map_or(before.parts_at("v2", at), |(_, parts)| *parts);
            prop_assert_eq!(after.parts_at("v2", at), wanted);
            prop_assert_eq!(after.parts_at("v3", at), before.parts_at("v3", at));
            let promoted = before.promoted("v2", first);
            let wanted = if at < first { before.parts_at("v2", at) } else { 1_000_000 };
            prop_assert_eq!(promoted.parts_at("v2", at), wanted);
        }
        let past = |schedule: &Schedule| schedule.steps.iter().filter(|step| step.at < first).cloned().collect::<Vec<_>>();
        prop_assert_eq!(past(&after), past(&before));
        prop_assert_eq!(&after.with_share("v2", &shares), &after, "a second time changes nothing");
    }
}
