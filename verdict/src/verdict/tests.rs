use super::{Alarm, Finding, LimitPassed, Missing, SignalJudgement, Verdict, because, verdict_of};
use crate::evidence::Figures;
use crate::health::{Health, State};
use crate::limits::Passed;
use crate::policy::{Margin, Row};
use crate::signal::{Direction, Mode, Signal};
use crate::window::{Count, Pair};

fn signal(signal: Signal, mode: Mode, finding: Finding) -> SignalJudgement {
    SignalJudgement {
        mode,
        kind: signal.kind(),
        harm: signal.harm(),
        finding,
        direction: (finding == Finding::Worse).then_some(Direction::Up),
        figures: Figures {
            values: Pair { version: Some(0.0307), baseline: Some(0.009_84) },
            events: Pair { version: 37, baseline: 107 },
            observations: Pair { version: 1204, baseline: 10_871 },
            ratio: Some(3.12),
            interval: (1.6, 5.9),
            quantiles: None,
        },
        margin: Margin { ratio: 2.0, points: 0.01 },
        design_effect: 1.13,
        ln_e: 7.9,
        ln_threshold: 4.9,
        ln_no_worse: 1.0,
        ln_threshold_no_worse: 3.0,
        alarm: (finding == Finding::Worse).then_some(Alarm { at_ms: 0, ln_e: 7.9, direction: Direction::Up }),
        no_worse_at_ms: None,
        missing: Some(Missing { requests: 2300, minutes: Some(40.2) }),
        detectable_ratio: Some(1.9),
        told: None,
        signal,
    }
}

fn health(state: State) -> Vec<Health> {
    vec![Health { row: Row::Stale, state, detail: Some("the newest sample is 240 s old".into()) }]
}

fn good() -> Vec<SignalJudgement> {
    vec![signal(Signal::Errors, Mode::Guard, Finding::NoWorse)]
}

#[test]
fn fine_needs_everything() {
    use {Finding::*, Mode::*};
    for (mode, finding, verdict) in [
        (Guard, NoWorse, Verdict::Fine),
        (Guard, Absent, Verdict::Fine),
        (Guard, Unclear, Verdict::NotEnoughData),
        (Guard, Worse, Verdict::Regression),
        (Hold, Worse, Verdict::NotEnoughData),
        (Hold, Unclear, Verdict::Fine),
        (Hold, Absent, Verdict::Fine),
        (Watch, Worse, Verdict::Fine),
        (Watch, Unclear, Verdict::Fine),
    ] {
        let signals = [good(), vec![signal(Signal::Refusals, mode, finding)]].concat();
        assert_eq!(verdict_of(&signals, &[], None), verdict, "{mode:?} {finding:?}");
    }
    for mode in [Guard, Watch] {
        let unknown = [signal(Signal::Errors, mode, Absent)];
        assert_eq!(verdict_of(&unknown, &[], None), Verdict::NotEnoughData);
    }
}

#[test]
fn health_and_limits() {
    for (state, verdict) in [
        (State::Ok, Verdict::Fine),
        (State::Warn, Verdict::Fine),
        (State::Absent, Verdict::Fine),
        (State::Hold, Verdict::NotEnoughData),
        (State::Stop, Verdict::Regression),
    ] {
        assert_eq!(verdict_of(&good(), &health(state), None), verdict, "{state:?}");
    }
    let limit = LimitPassed { at_ms: 0, passed: Passed::Stall { waiting: 30, for_ms: 61_000 } };
    assert_eq!(verdict_of(&good(), &health(State::Hold), Some(limit)), Verdict::Regression);
}

/// Of several versions the worst verdict counts.
#[test]
fn decisions_have_an_order() {
    let all = [Verdict::NotEnoughData, Verdict::Regression, Verdict::Fine];
    assert_eq!(all.into_iter().max(), Some(Verdict::Regression));
    assert_eq!(all.map(Verdict::exit_code), [3, 1, 0]);
}

#[test]
fn reasons() {
    let worse = [good(), vec![signal(Signal::Refusals, Mode::Guard, Finding::Worse)]].concat();
    assert_eq!(
        because(Verdict::Regression, &worse, &[], None),
        ["refusals: 3.1 % of 1,204 against 0.98 % of 10,871; 3.1 times (1.6 to 5.9)"]
    );
    let mut few = signal(Signal::Refusals, Mode::Guard, Finding::Worse);
    few.figures.interval = (0.0, f64::INFINITY);
    assert_eq!(
        because(Verdict::Regression, &[few], &[], None),
        ["refusals: 3.1 % of 1,204 against 0.98 % of 10,871; 3.1 times"]
    );
    let counts = Pair { version: Count { n: 40, d: 10 }, baseline: Count { n: 360, d: 3 } };
    let limit = Some(LimitPassed { at_ms: 0, passed: Passed::Errors(counts) });
    assert_eq!(
        because(Verdict::Regression, &good(), &[], limit),
        ["errors: 25 % of 40 in the last minute failed, against 0.83 % of the baseline's 360"]
    );
    let unclear = [signal(Signal::Refusals, Mode::Guard, Finding::Unclear)];
    assert_eq!(
        because(Verdict::NotEnoughData, &unclear, &health(State::Hold), None),
        ["stale: the newest sample is 240 s old", "refusals: about 2,300 more requests, 41 minutes"]
    );
    assert_eq!(
        because(Verdict::Fine, &good(), &[], None),
        ["errors: a rate 2 times as high, or 1 point above, whichever is more, is excluded"]
    );
}

#[test]
fn what_is_said_of_several_signals_is_said_once() {
    let all = |finding| {
        [Signal::Errors, Signal::ResponseChars, Signal::Refusals, Signal::TimeToFirstToken, Signal::Defects]
            .map(|of| signal(of, Mode::Guard, finding))
    };
    assert_eq!(
        because(Verdict::Fine, &all(Finding::NoWorse), &[], None),
        [
            "errors, refusals, defects: a rate 2 times as high, or 1 point above, whichever is more, is excluded",
            "response_chars: means 2 times as large or as small are excluded",
            "time_to_first_token_ms: means 2 times as large are excluded",
        ]
    );
    let open = all(Finding::Unclear).map(|signal| SignalJudgement { missing: None, ..signal });
    let open = because(Verdict::NotEnoughData, &open, &[], None);
    assert_eq!(
        open,
        [
            "errors, response_chars, refusals, time_to_first_token_ms, defects: too little seen to say how much is missing"
        ]
    );
}
