//! Every state with every event, as a table; and what decides within a cell.

use super::{
    Action, Advance, Cause, End, Event, Evidence, Hold, OnTimeout, Outcome, Place, Rules, Running, Signal,
    State,
};
use crate::release_plan::Plan;
use llm_canary_verdict::verdict::Verdict;

/// Ten minutes after the step began.
const NOW: i64 = 1_600_000;
const BEGAN: i64 = 1_000_000;

pub(super) fn rules(plan: &str) -> Rules {
    Rules {
        plan: Plan::parse(plan).unwrap(),
        advance: Advance::Fine,
        timeout_ms: 3_600_000,
        on_timeout: OnTimeout::Hold,
        lag_ms: 30_000,
    }
}

pub(super) fn evidence(verdict: Verdict, requests: u64) -> Evidence {
    Evidence {
        verdict,
        because: vec!["because".to_owned()],
        requests,
        missing: None,
        hold: None,
        running: None,
    }
}

pub(super) fn running(envoys: usize, behind: &[&str]) -> Option<Running> {
    Some(Running { envoys, behind: behind.iter().map(|name| (*name).to_owned()).collect() })
}

fn place(step: usize) -> Place {
    Place { step: Some(step), since_ms: BEGAN, is_approved: false }
}

fn fine() -> Evidence {
    Evidence { running: running(3, &[]), ..evidence(Verdict::Fine, 20) }
}

/// A state and what is done, in short.
fn short(outcome: &Outcome) -> String {
    let state = match &outcome.state {
        State::Held(_, hold) => format!("held({})", hold.name()),
        State::Ended(end) => format!("ended({})", State::Ended(*end).exit_code().unwrap()),
        State::Waiting(place) if place.is_approved => "approved".to_owned(),
        state => state.name().to_owned(),
    };
    let action = |action: &Action| match action {
        Action::Write(step) => format!("write {step}"),
        Action::Stop => "stop".to_owned(),
        Action::Announce(_) => "say".to_owned(),
        Action::Refuse(_) => "refuse".to_owned(),
    };
    let actions: Vec<String> = outcome.actions.iter().map(action).collect();
    format!("{state} {}", actions.join("+")).trim_end().to_owned()
}

/// All states. The plan is `5%,50%,wait,100%`: no approval is needed before its second step, one before its third.
fn states() -> Vec<(&'static str, State)> {
    let (cause, before) = (Cause::Regression, Place { step: None, since_ms: BEGAN, is_approved: false });
    vec![
        ("starting", State::Starting(before)),
        ("stepping", State::Stepping { from: place(0), to: 1, why: Vec::new(), is_retry: false }),
        ("ramping", State::Ramping(place(0))),
        ("ramping to a wait", State::Ramping(place(1))),
        ("held", State::Held(place(0), Hold::Missing(String::new()))),
        ("held before the first", State::Held(before, Hold::Missing(String::new()))),
        ("unwritten", State::Held(place(0), Hold::Unwritten(String::new()))),
        ("waiting", State::Waiting(place(1))),
        ("approved", State::Waiting(Place { is_approved: true, ..place(1) })),
        ("at 100 %", State::Full(place(2))),
        ("finishing", State::Finishing(place(2), NOW - 119_000)),
        ("finished soon", State::Finishing(place(2), NOW - 120_000)),
        ("stopping", State::Stopping { cause, attempts: 0, interrupted: None }),
        ("stopping at the end", State::Stopping { cause, attempts: 1, interrupted: Some(Signal::Terminate) }),
        ("stopped", State::Stopped(cause, NOW - 29_000)),
        ("stopped long ago", State::Stopped(cause, NOW - 45_000)),
        ("ended", State::Ended(End::Finished)),
    ]
}

fn events() -> Vec<(&'static str, Event)> {
    let look = Event::Look;
    let text = || "words".to_owned();
    vec![
        ("fine", look(fine())),
        ("open", look(Evidence { verdict: Verdict::NotEnoughData, ..fine() })),
        ("regression", look(Evidence { verdict: Verdict::Regression, missing: Some(text()), ..fine() })),
        ("few requests", look(Evidence { requests: 19, ..fine() })),
        ("missing", look(Evidence { missing: Some(text()), ..fine() })),
        ("health", look(Evidence { hold: Some(text()), ..fine() })),
        ("an Envoy lags", look(Evidence { running: running(3, &["a"]), ..fine() })),
        ("Envoys unknown", look(Evidence { running: None, ..fine() })),
        ("tick", Event::Tick),
        ("written", Event::Written { at_ms: NOW }),
        ("unwritten", Event::Unwritten(text())),
        ("approved", Event::Approved),
        ("other hand", Event::OtherHand(text())),
        ("SIGINT", Event::Interrupted(Signal::Interrupt)),
        ("SIGTERM", Event::Interrupted(Signal::Terminate)),
    ]
}

#[test]
fn every_state_meets_every_event() {
    let rules = rules("5%,50%,wait,100%");
    let mut table = String::new();
    for (name, state) in states() {
        table += &format!("{name}:\n");
        for (event_name, event) in events() {
            let outcome = rules.next(&state, &event, NOW);
            table += &format!("    {event_name:<16}{}\n", short(&outcome));
        }
    }
    insta::assert_snapshot!("transitions", table);
}

/// The outcome on the first step of a plan, so long after it began.
fn on_first(rules: &Rules, evidence: Evidence, seconds: i64) -> String {
    short(&rules.next(&State::Ramping(place(0)), &Event::Look(evidence), BEGAN + seconds * 1_000))
}

#[test]
fn a_step_needs_fine_its_time_and_requests() {
    let strict = rules("5%,50%@5m");
    let by_time = Rules { advance: Advance::Time, ..strict.clone() };
    let open = evidence(Verdict::NotEnoughData, 20);
    for (evidence, seconds, expect, expect_by_time) in [
        (evidence(Verdict::Fine, 20), 300, "stepping write 1", "stepping write 1"),
        (evidence(Verdict::Fine, 20), 299, "ramping", "ramping"),
        (evidence(Verdict::Fine, 19), 3_600, "ramping", "ramping"),
        (open.clone(), 300, "ramping", "stepping write 1"),
        (open.clone(), 299, "ramping", "ramping"),
        (Evidence { requests: 19, ..open.clone() }, 300, "ramping", "ramping"),
        (Evidence { hold: Some(String::new()), ..open.clone() }, 300, "held(health) say", "held(health) say"),
        (Evidence { missing: Some(String::new()), ..open }, 300, "held(missing) say", "held(missing) say"),
        (evidence(Verdict::Regression, 0), 0, "stopping stop+say", "stopping stop+say"),
    ] {
        assert_eq!(on_first(&strict, evidence.clone(), seconds), expect, "{evidence:?}");
        assert_eq!(on_first(&by_time, evidence.clone(), seconds), expect_by_time, "{evidence:?}");
    }
    let outcome = by_time.next(
        &State::Ramping(place(0)),
        &Event::Look(evidence(Verdict::NotEnoughData, 20)),
        BEGAN + 300_000,
    );
    let State::Stepping { why, .. } = outcome.state else { panic!() };
    assert!(why[0].starts_with("by time alone"), "it is in the record: {why:?}");
}

#[test]
fn a_step_that_lasts_too_long() {
    let with = |on_timeout| Rules { on_timeout, ..rules("5%,50%@5m,100%") };
    let open = evidence(Verdict::NotEnoughData, 20);
    let few = Evidence { requests: 0, ..open.clone() };
    let silent = Evidence { missing: Some(String::new()), ..open.clone() };
    for (on_timeout, on_open, on_few, on_silent) in [
        (OnTimeout::Hold, "held(timeout) say", "held(timeout) say", "held(missing) say"),
        (OnTimeout::Stop, "stopping stop+say", "stopping stop+say", "stopping stop+say"),
        (OnTimeout::Advance, "stepping write 1", "ramping", "held(missing) say"),
    ] {
        let rules = with(on_timeout);
        assert_eq!(on_first(&rules, open.clone(), 3_600), "ramping", "not yet");
        assert_eq!(on_first(&rules, open.clone(), 3_601), on_open);
        assert_eq!(on_first(&rules, few.clone(), 3_601), on_few);
        assert_eq!(on_first(&rules, silent.clone(), 3_601), on_silent);
        assert_eq!(
            on_first(&rules, fine(), 3_601),
            if on_timeout == OnTimeout::Stop { "stopping stop+say" } else { "stepping write 1" }
        );
    }
    // Who is held for too long goes on as soon as it may; at 100 % it is the Envoys that are waited for.
    let held = State::Held(place(0), Hold::Timeout);
    assert_eq!(short(&with(OnTimeout::Hold).next(&held, &Event::Look(fine()), NOW)), "stepping write 1");
    let lagging = Event::Look(Evidence { running: running(2, &["a"]), ..fine() });
    for (on_timeout, expect) in [(OnTimeout::Hold, "held(timeout) say"), (OnTimeout::Advance, "at_100")] {
        let outcome = with(on_timeout).next(&State::Full(place(2)), &lagging, BEGAN + 3_601_000);
        assert_eq!(short(&outcome), expect);
    }
}

#[test]
fn a_plan_ends_as_it_says() {
    let last = |plan: &str, step, seconds: i64| {
        let state = State::Ramping(place(step));
        short(&rules(plan).next(&state, &Event::Look(fine()), BEGAN + seconds * 1_000))
    };
    assert_eq!(last("5%,50%", 1, 599), "ramping", "the last step lasts ten minutes");
    assert_eq!(last("5%,50%", 1, 600), "ended(0) say");
    assert_eq!(last("5%,50%,wait", 1, 600), "waiting say");
    // A plan that begins with a time or a wait.
    let before = State::Starting(Place { step: None, since_ms: BEGAN, is_approved: false });
    let first = |plan: &str, now_ms| short(&rules(plan).next(&before, &Event::Look(fine()), now_ms));
    assert_eq!(first("5%@1m", BEGAN + 59_999), "starting");
    assert_eq!(first("5%@1m", BEGAN + 60_000), "stepping write 0");
    assert_eq!(first("wait,5%", BEGAN), "waiting say");
    // An approval after 100 %, once all Envoys have run it for two minutes.
    let rules = rules("100%,wait");
    let finishing = State::Finishing(place(0), NOW - 120_000);
    let waiting = rules.next(&finishing, &Event::Look(fine()), NOW);
    assert_eq!(short(&waiting), "waiting say");
    assert_eq!(short(&rules.next(&waiting.state, &Event::Look(fine()), NOW)), "waiting");
    let approved = rules.next(&waiting.state, &Event::Approved, NOW);
    assert_eq!(short(&rules.next(&approved.state, &Event::Look(fine()), NOW)), "ended(0) say");
}

#[test]
fn where_a_release_is_found_is_where_it_goes_on() {
    let rules = rules("5%,50%,100%");
    let name = |parts| rules.found(parts, BEGAN).map(|state| (state.name(), state.place().unwrap().step));
    assert_eq!(name(0), Ok(("starting", None)));
    assert_eq!(name(500_000), Ok(("ramping", Some(1))));
    assert_eq!(name(1_000_000), Ok(("at_100", Some(2))));
    assert_eq!(name(70_000), Err(70_000));
}

#[test]
fn a_stop_that_cannot_be_written_is_said_again_and_again_but_not_each_time() {
    let (rules, cause) = (rules("5%"), Cause::Regression);
    let mut state = State::Stopping { cause, attempts: 0, interrupted: None };
    let mut said = Vec::new();
    for attempt in 1..=3_000 {
        let outcome = rules.next(&state, &Event::Unwritten("it is read-only".to_owned()), NOW);
        if let [Action::Announce(why)] = outcome.actions.as_slice() {
            assert_eq!(why[0], "THE STOP IS NOT WRITTEN: it is read-only");
            said.push(attempt);
        }
        state = outcome.state;
        assert_eq!(rules.next(&state, &Event::Tick, NOW).actions, [Action::Stop]);
    }
    assert_eq!(said, [1, 10, 100, 1_000, 2_000, 3_000]);
}

#[test]
fn a_look_that_is_due_names_who_lags_before_time_alone_ends_it() {
    let rules = rules("5%");
    let stopped = State::Stopped(Cause::Regression, NOW);
    let lags = Event::Look(Evidence { running: running(3, &["a"]), ..fine() });
    let after = |event: &Event, seconds: i64| rules.next(&stopped, event, NOW + seconds * 1_000);
    assert_eq!(after(&lags, 29).state, stopped);
    assert_eq!(after(&lags, 30).state, State::Ended(End::Stopped));
    // A tick may come first: the source is given half as long again.
    assert_eq!(after(&Event::Tick, 44).state, stopped);
    assert_eq!(after(&Event::Tick, 45).state, State::Ended(End::Stopped));
}
