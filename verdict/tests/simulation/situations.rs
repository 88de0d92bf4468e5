//! The situations of the table in `docs/verdict.md`.

use llm_canary_verdict::policy::Policy;
use llm_canary_verdict::signal::{Mode, Signal};

use crate::traffic::{Traffic, Usual};

/// What is counted over the runs.
#[derive(Clone, Copy)]
pub(crate) enum Question {
    /// Runs in which a guard alarmed at any look.
    Alarms,
    /// The median number of the version's requests from a minute on until the alarm.
    RequestsUntilAlarm { from: f64 },
    /// Runs in which harm at the margin was excluded at any look, of a signal.
    Excluded(&'static str),
    /// The median number of the version's requests until the verdict was fine.
    RequestsUntilFine,
}

pub(crate) struct Situation {
    pub(crate) name: &'static str,
    pub(crate) question: Question,
    /// At most this share of runs, or this median.
    pub(crate) goal: f64,
    pub(crate) policy: Policy,
    pub(crate) traffic: Traffic,
}

/// All of alpha for one signal.
fn only(signal: Signal, alpha: f64) -> Policy {
    let mut policy = Policy { alpha, ..Policy::default() };
    for other in Signal::all().filter(|other| *other != signal && other.mode() == Mode::Guard) {
        policy.signals.entry(other).or_default().mode = Some(Mode::Watch);
    }
    policy
}

fn refusals_tripled(_: f64) -> Usual {
    let mut usual = Usual::new();
    usual.rates[1] = 0.03;
    usual
}

fn later_tripled(minute: f64) -> Usual {
    if minute < 600.0 { Usual::new() } else { refusals_tripled(minute) }
}

fn longer(_: f64) -> Usual {
    Usual { chars: 1200.0 * 1.3, ..Usual::new() }
}

fn slower(_: f64) -> Usual {
    Usual { first_ms: 600.0, ..Usual::new() }
}

fn failing(_: f64) -> Usual {
    let mut usual = Usual::new();
    usual.rates[0] = 0.03;
    usual
}

fn drifting(minute: f64) -> Usual {
    let part = (minute / 120.0).clamp(0.0, 1.0);
    let mut usual = Usual::new();
    usual.rates[1] = 0.04 - 0.03 * part;
    usual.chars *= 1.0 + 0.4 * part;
    usual
}

/// A minute in ten with 20 % errors.
fn bursts(minute: f64) -> Usual {
    let mut usual = Usual::new();
    if (minute as i64).rem_euclid(10) == 7 {
        usual.rates[0] = 0.2;
    }
    usual
}

fn many_refusals(_: f64) -> Usual {
    let mut usual = Usual::new();
    usual.rates[1] = 0.03;
    usual
}

fn nine_percent(_: f64) -> Usual {
    let mut usual = Usual::new();
    usual.rates[1] = 0.09;
    usual
}

fn both(_: f64) -> Usual {
    Usual { rates: [0.005, 0.01, 0.005, 0.01], ..Usual::new() }
}

fn half_percent(_: f64) -> Usual {
    Usual { rates: [0.005; 4], ..Usual::new() }
}

fn one_percent(_: f64) -> Usual {
    Usual { rates: [0.01; 4], ..Usual::new() }
}

fn at_margin(_: f64) -> Usual {
    let mut usual = Usual::new();
    usual.rates[1] = 0.02;
    usual
}

fn at_margin_of_25(_: f64) -> Usual {
    let mut usual = Usual::new();
    usual.rates[1] = 0.015;
    usual
}

fn at_margin_of_1(_: f64) -> Usual {
    let mut usual = Usual::new();
    usual.rates[1] = 0.03;
    usual
}

fn as_common_as_not(_: f64) -> Usual {
    let mut usual = Usual::new();
    usual.rates[1] = 0.4;
    usual
}

fn at_margin_of_common(_: f64) -> Usual {
    let mut usual = Usual::new();
    usual.rates[1] = 0.6;
    usual
}

fn longer_by_half(_: f64) -> Usual {
    Usual { chars: 1200.0 * 1.5, ..Usual::new() }
}

fn longer_by_a_fifth(_: f64) -> Usual {
    Usual { chars: 1200.0 * 1.2, ..Usual::new() }
}

fn share(percent: f64) -> Vec<(f64, f64)> {
    vec![(-600.0, percent / 100.0)]
}

fn conversations() -> Traffic {
    Traffic { turns: 6, correlation: 0.33, ..Traffic::steady() }
}

/// Few requests a minute, so that it is told exactly how many were needed.
fn slowly(traffic: Traffic) -> Traffic {
    Traffic { rate: 2.0, minutes: 600, ..traffic }
}

pub(crate) fn all() -> Vec<Situation> {
    let of = |name, question, goal, policy, traffic| Situation { name, question, goal, policy, traffic };
    let harmless = |name, traffic| of(name, Question::Alarms, 0.07, Policy::default(), traffic);
    let ramp = || vec![(5.0, 0.01), (35.0, 0.05), (65.0, 0.25), (95.0, 0.5)];
    let mut table = vec![
        harmless("steady", Traffic::steady()),
        harmless("even split", Traffic { steps: share(50.0), ..Traffic::steady() }),
        harmless(
            "ramp 1-5-25-50 %, refusals 4 to 1 %, lengths +40 %",
            Traffic { steps: ramp(), usual: drifting, version: drifting, ..Traffic::steady() },
        ),
        harmless("bursts of errors", Traffic { usual: bursts, version: bursts, ..Traffic::steady() }),
        harmless("6 turns, correlation .33, 10 %", conversations()),
        harmless("6 turns, correlation .33, 2 %", Traffic { steps: share(2.0), ..conversations() }),
        harmless(
            "the same at 2 %, first turns unknown",
            Traffic { steps: share(2.0), knows_first_turns: false, ..conversations() },
        ),
        of(
            "6 turns, correlation .33, 10 %, neither shards nor first turns known",
            Question::Alarms,
            1.0,
            Policy::default(),
            Traffic { knows_first_turns: false, knows_shards: false, ..conversations() },
        ),
        harmless(
            "steps while answers of 30 s are under way",
            Traffic { steps: vec![(5.0, 0.01), (35.0, 0.5)], answer_s: 30.0, ..Traffic::steady() },
        ),
        harmless(
            "the same, steps unknown",
            Traffic {
                steps: vec![(5.0, 0.01), (35.0, 0.5)],
                answer_s: 30.0,
                knows_steps: false,
                ..Traffic::steady()
            },
        ),
        harmless(
            "6 turns, correlation .33, steps unknown",
            Traffic { steps: ramp(), knows_steps: false, ..conversations() },
        ),
        harmless(
            "three Envoys, one restarts, 2 % of samples missing",
            Traffic { envoys: 3, restart: Some(40.5), missing: 0.02, answer_s: 10.0, ..Traffic::steady() },
        ),
    ];
    let harms = [
        ("refusals 1 to 3 %", Signal::Refusals, 650.0, refusals_tripled as fn(f64) -> Usual),
        ("length +30 %", Signal::ResponseChars, 420.0, longer),
        ("first token x1.5", Signal::TimeToFirstToken, 75.0, slower),
        ("errors 0.5 to 3 %", Signal::Errors, 300.0, failing),
    ];
    for (name, signal, goal, version) in harms.clone() {
        let traffic = || slowly(Traffic { version, ..Traffic::steady() });
        let until = Question::RequestsUntilAlarm { from: 0.0 };
        table.push(of(name, until, goal, only(signal, 0.01), traffic()));
    }
    let talks = |usual, version| slowly(Traffic { usual, version, ..conversations() });
    let until = Question::RequestsUntilAlarm { from: 0.0 };
    table.push(of(
        "6 turns: refusals 3 to 9 %",
        until,
        1900.0,
        only(Signal::Refusals, 0.01),
        talks(many_refusals, nine_percent),
    ));
    table.push(of(
        "6 turns: length +30 %",
        until,
        1150.0,
        only(Signal::ResponseChars, 0.01),
        talks(|_| Usual::new(), longer),
    ));
    table.push(of(
        "6 turns, first turns unknown: refusals 3 to 9 %",
        until,
        1900.0,
        only(Signal::Refusals, 0.01),
        Traffic { knows_first_turns: false, ..talks(many_refusals, nine_percent) },
    ));
    for (name, _, goal, version) in harms {
        let traffic = slowly(Traffic { version, ..Traffic::steady() });
        table.push(of(name, until, goal * 1.2, Policy::default(), traffic));
    }
    table.push(of(
        "refusals 1 to 3 %, after 10 hours of health, at 25 % of 20 a second",
        Question::RequestsUntilAlarm { from: 600.0 },
        2500.0,
        Policy::default(),
        Traffic { rate: 20.0, minutes: 660, steps: share(25.0), version: later_tripled, ..Traffic::steady() },
    ));
    let excluded =
        |name, signal, traffic| of(name, Question::Excluded(signal), 0.07, Policy::default(), traffic);
    let at = |percent, version| Traffic { steps: share(percent), version, ..Traffic::steady() };
    table.extend([
        excluded("refusals x2 at 10 %", "refusals", at(10.0, at_margin)),
        excluded("refusals x3 at 1 %", "refusals", Traffic { rate: 40.0, ..at(1.0, at_margin_of_1) }),
        excluded("refusals x1.5 at 25 %", "refusals", at(25.0, at_margin_of_25)),
        excluded(
            "refusals 40 to 60 % at 25 %",
            "refusals",
            Traffic { usual: as_common_as_not, ..at(25.0, at_margin_of_common) },
        ),
        excluded("length x1.3 at 10 %", "response_chars", at(10.0, longer)),
        excluded("length x1.5 at 1 %", "response_chars", Traffic { rate: 40.0, ..at(1.0, longer_by_half) }),
        excluded("length x1.2 at 25 %", "response_chars", at(25.0, longer_by_a_fifth)),
        excluded(
            "length x1.3 at 10 %, coefficient of variation 1.8",
            "response_chars",
            Traffic { spread: [1.8, 0.6], ..at(10.0, longer) },
        ),
        excluded(
            "length x1.3 at 10 %, coefficient of variation 2.9",
            "response_chars",
            Traffic { spread: [2.9, 0.6], ..at(10.0, longer) },
        ),
        excluded(
            "6 turns: length x1.3 at 10 %",
            "response_chars",
            Traffic { version: longer, ..conversations() },
        ),
        excluded(
            "6 turns: refusals x2 at 10 %",
            "refusals",
            Traffic { version: at_margin, ..conversations() },
        ),
    ]);
    for (name, usual) in [
        ("identical, refusals and length stops 1 %, errors and defects 0.5 %", both as fn(f64) -> Usual),
        ("identical, all rates 1 %", one_percent),
        ("identical, all rates 0.5 %", half_percent),
    ] {
        let traffic = Traffic { rate: 5.0, usual, version: usual, minutes: 300, ..Traffic::steady() };
        table.push(of(name, Question::RequestsUntilFine, 2000.0, Policy::default(), traffic));
    }
    table
}
