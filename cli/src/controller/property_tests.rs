//! What holds whatever happens, and in whatever order.

use super::tests::{evidence, rules, running};
use super::{Action, Advance, Event, Evidence, OnTimeout, REQUESTS_MIN, Rules, Signal, State};
use llm_canary_verdict::verdict::Verdict;
use proptest::prelude::*;

const START: i64 = 1_000_000;

fn look() -> impl Strategy<Value = Event> {
    let verdict = prop_oneof![
        6 => Just(Verdict::Fine),
        3 => Just(Verdict::NotEnoughData),
        1 => Just(Verdict::Regression),
    ];
    let trouble = || prop_oneof![4 => Just(None), 1 => Just(Some("trouble".to_owned()))];
    let envoys =
        prop_oneof![Just(None), Just(running(2, &[])), Just(running(2, &["a"])), Just(running(0, &[]))];
    (verdict, 0..60_u64, trouble(), trouble(), envoys).prop_map(
        |(verdict, requests, missing, hold, running)| {
            Event::Look(Evidence { missing, hold, running, ..evidence(verdict, requests) })
        },
    )
}

/// What happens to a release from outside; what becomes of a write is drawn apart.
fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        12 => look(),
        4 => Just(Event::Tick),
        2 => Just(Event::Approved),
        1 => Just(Event::OtherHand("50 %".to_owned())),
        1 => Just(Event::Interrupted(Signal::Terminate)),
    ]
}

fn any_rules() -> impl Strategy<Value = Rules> {
    let plan = prop_oneof![
        Just("1%,5%@3m,25%@30m,100%"),
        Just("5%,wait,50%,wait"),
        Just("wait,5%@1m,6%@0s,100%"),
        Just("100%")
    ];
    let advance = prop_oneof![Just(Advance::Fine), Just(Advance::Time)];
    let on_timeout = prop_oneof![Just(OnTimeout::Hold), Just(OnTimeout::Stop), Just(OnTimeout::Advance)];
    (plan, advance, on_timeout).prop_map(|(plan, advance, on_timeout)| Rules {
        advance,
        on_timeout,
        ..rules(plan)
    })
}

/// Seconds since the last event, the event, and whether a write that it asks for succeeds.
fn story() -> impl Strategy<Value = Vec<(i64, Event, bool)>> {
    prop::collection::vec((0_i64..900, event(), prop::bool::weighted(0.8)), 1..60)
}

/// A release in a world where writes take effect two seconds later.
struct Release<'a> {
    rules: &'a Rules,
    state: State,
    now_ms: i64,
    /// What has been written: the share, and since when.
    written: (u32, i64),
}

impl Release<'_> {
    /// Hands an event in and carries out what follows. Returns the actions that write.
    fn on(&mut self, event: &Event, is_written: bool) -> Vec<Action> {
        let outcome = self.rules.next(&self.state, event, self.now_ms);
        self.state = outcome.state;
        let mut writes: Vec<Action> = outcome.actions;
        writes.retain(|action| matches!(action, Action::Write(_) | Action::Stop));
        for action in &writes {
            let at_ms = self.now_ms + 2_000;
            if let (Action::Write(step), true) = (action, is_written) {
                self.written = (self.rules.plan.step(*step).unwrap().parts, at_ms);
            }
            let event =
                if is_written { Event::Written { at_ms } } else { Event::Unwritten("full".to_owned()) };
            self.state = self.rules.next(&self.state, &event, self.now_ms).state;
        }
        writes
    }
}

fn release(rules: &Rules) -> Release<'_> {
    Release { rules, state: rules.found(0, START).unwrap(), now_ms: START, written: (0, START) }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 2_000 } else { 200 }))]

    #[test]
    fn nothing_goes_on_without_evidence_and_no_stop_is_lost(rules in any_rules(), story in story()) {
        let mut release = release(&rules);
        let mut steps: Vec<usize> = Vec::new();
        for (seconds, event, is_written) in story {
            release.now_ms += seconds * 1_000;
            let before = release.state.clone();
            let writes = release.on(&event, is_written);
            let is_over = before.exit_code().is_some() || before.name() == "stopped";
            for write in &writes {
                let Action::Write(step) = write else { continue };
                let Event::Look(evidence) = &event else { return Err(TestCaseError::fail("a step without a look")) };
                prop_assert!(evidence.missing.is_none() && evidence.hold.is_none());
                prop_assert!(evidence.verdict != Verdict::Regression);
                let place = before.place().unwrap();
                prop_assert_eq!(*step, place.step.map_or(0, |step| step + 1), "the plan is followed step by step");
                prop_assert!(!rules.plan.step(*step).unwrap().waits || place.is_approved);
                let age = release.now_ms - place.since_ms;
                if let Some(on) = place.step {
                    prop_assert!(evidence.requests >= REQUESTS_MIN);
                    let least_ms = rules.plan.least_ms(on) as i64;
                    prop_assert!(age >= least_ms);
                    let is_late = rules.on_timeout == OnTimeout::Advance && age > rules.timeout_ms;
                    prop_assert!(evidence.verdict == Verdict::Fine || rules.advance == Advance::Time || is_late);
                }
                if is_written {
                    let is_higher = steps.last().is_none_or(|last| last < step);
                    prop_assert!(is_higher);
                    steps.push(*step);
                }
            }
            let is_regression = matches!(&event, Event::Look(evidence) if evidence.verdict == Verdict::Regression);
            if is_regression && !is_over {
                prop_assert_eq!(&writes, &[Action::Stop], "a stop beats everything, in {:?}", before);
            }
            let asks = matches!(event, Event::Look(_) | Event::Tick | Event::Interrupted(_));
            if before.name() == "stopping" && asks {
                prop_assert_eq!(&writes, &[Action::Stop], "it is tried again until it is written");
                prop_assert_eq!(is_written, release.state.name() == "stopped");
            }
            let is_approval = matches!(event, Event::Approved);
            prop_assert!(!is_approval || writes.is_empty(), "an approval alone writes nothing");
        }
    }

    /// Killed at any point and started again: the same is written at the same time, from the same evidence. Approvals are asked
    /// for again, so the plans here have none.
    #[test]
    fn who_is_killed_and_started_again_does_the_same(
        story in prop::collection::vec((0_i64..900, look()), 1..60),
        killed_after in 0..60_usize,
        on_timeout in prop_oneof![Just(OnTimeout::Hold), Just(OnTimeout::Stop), Just(OnTimeout::Advance)],
    ) {
        let rules = Rules { on_timeout, ..rules("1%,5%@3m,25%@30m,100%") };
        let (mut one, mut other) = (release(&rules), release(&rules));
        for (index, (seconds, event)) in story.into_iter().enumerate() {
            one.now_ms += seconds * 1_000;
            other.now_ms = one.now_ms;
            if index == killed_after && other.state.place().is_some() {
                let (parts, since_ms) = other.written;
                other.state = rules.found(parts, since_ms).unwrap();
            }
            let (of_one, of_other) = (one.on(&event, true), other.on(&event, true));
            // At 100 % the two minutes begin anew, so it may end later.
            if one.state.exit_code() == Some(0) {
                break;
            }
            prop_assert_eq!(of_one, of_other);
            prop_assert_eq!(one.written, other.written);
        }
    }
}
