use super::{Progress, Waits, waits_for};
use crate::controller::{Advance, Hold, OnTimeout, Place, Rules, State};
use crate::release_plan::Plan;
use crate::tests::traffic::{Traffic, analysis, windows};
use llm_canary_verdict::policy::Policy;
use llm_canary_verdict::verdict::Judgement;
use llm_canary_verdict::window::Pair;
use std::time::Duration;

fn rules() -> Rules {
    Rules {
        plan: Plan::parse("5%,25%@5m,100%").unwrap(),
        advance: Advance::Fine,
        timeout_ms: 3_600_000,
        on_timeout: OnTimeout::Hold,
        lag_ms: 30_000,
    }
}

fn judgement(minutes: u64) -> Judgement {
    let traffic = Pair { version: Traffic::new(100), baseline: Traffic::new(900) };
    analysis(&windows(minutes, traffic), &Policy::default(), None).judgement
}

fn words(state: &State, judgement: &Judgement, requests: u64, now_s: i64) -> Option<String> {
    waits_for(&rules(), state, judgement, requests, now_s * 1_000).map(|waits| waits.words)
}

const PLACE: Place = Place { step: Some(0), since_ms: 0, is_approved: false };

#[test]
fn what_is_missing_is_said_with_how_much() {
    let said = words(&State::Ramping(PLACE), &judgement(4), 12, 50).unwrap();
    assert!(
        said.starts_with("is not ready for 25 %, and waits for evidence that it is no worse in "),
        "{said}"
    );
    assert!(said.contains(" more requests, ") && said.contains(" at the present rate)"), "{said}");
    assert!(
        said.ends_with("; and for 8 more requests in this step; and for the step's time, 4 min 10 s more"),
        "{said}"
    );
    let said = words(
        &State::Ramping(PLACE),
        &Judgement { windows: 2, left_out_windows: 2, ..judgement(1) },
        40,
        400,
    );
    assert!(said.unwrap().ends_with("began before this step to end; windows until then are left out"));
    // All is well: the next look goes on.
    let fine = judgement(400);
    assert_eq!(words(&State::Ramping(PLACE), &fine, 40, 301), None);
    let said = words(&State::Ramping(PLACE), &fine, 40, 299);
    assert_eq!(said.unwrap(), "is not ready for 25 %, and waits for the step's time, 1 s more");
}

#[test]
fn every_state_that_lasts_says_what_it_waits_for() {
    let held = |hold| words(&State::Held(PLACE, hold), &judgement(4), 40, 400);
    assert_eq!(
        held(Hold::Missing("it is silent".into())).unwrap(),
        "is held until this is over: it is silent"
    );
    assert!(held(Hold::Timeout).unwrap().starts_with("is not ready for 25 %, and waits for evidence"));
    let of = |state: &State| words(state, &judgement(4), 40, 60).unwrap_or_default();
    assert_eq!(of(&State::Waiting(PLACE)), "waits for an approval: llm-canary approve");
    assert_eq!(of(&State::Finishing(PLACE, 0)), "is in order so far; the plan is finished in 1 min");
    assert_eq!(of(&State::Ended(crate::controller::End::Finished)), "");
}

#[test]
fn it_is_said_on_a_change_and_each_minute() {
    let mut progress = Progress::default();
    let held = Waits { key: vec!["held".to_owned()], words: String::new() };
    progress.told(&State::Held(PLACE, Hold::Timeout), Duration::ZERO);
    assert_eq!(progress.due(held.clone(), Duration::from_secs(59)), None, "a transition says it");
    assert!(progress.due(held, Duration::from_secs(60)).is_some());
    let mut progress = Progress::default();
    let mut said = |second: u64, key: &str| {
        let waits = Waits { key: vec![key.to_owned()], words: key.to_owned() };
        progress.due(waits, Duration::from_secs(second)).is_some()
    };
    assert!(said(0, "a") && !said(5, "a") && !said(9, "b") && said(10, "b"));
    assert!(!said(69, "b") && said(70, "b") && !said(71, "a") && said(80, "a"));
}
