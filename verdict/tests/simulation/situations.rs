//! The situations of the table in `docs/verdict.md`.

use llm_canary_verdict::policy::Policy;
use llm_canary_verdict::signal::{Mode, Signal};

use crate::traffic::{Traffic, Usual};

/// What is counted over the runs.
#[derive(Clone, Copy)]
pub(crate) enum Question {
    /// Runs in which a guard alarmed at any look, or a limit was passed.
    Alarms,
    /// The version's requests from a minute on until the alarm.
    RequestsUntilAlarm { from: f64 },
    /// Runs in which harm beyond the margin was excluded at any look, for a signal.
    Excluded(&'static str),
    /// Runs in which a signal's interval left out the true ratio at any look.
    LeftOut(&'static str, f64),
    /// The version's requests until the verdict was fine.
    RequestsUntilFine,
}

pub(crate) struct Situation {
    pub(crate) name: &'static str,
    pub(crate) question: Question,
    /// At most this part of all runs, or this median.
    pub(crate) goal: f64,
    pub(crate) policy: Policy,
    pub(crate) traffic: Traffic,
}

/// Situations under one heading of the table.
pub(crate) struct Group {
    pub(crate) heading: &'static str,
    pub(crate) situations: Vec<Situation>,
}

pub(crate) fn all() -> Vec<Group> {
    vec![
        Group {
            heading: "False alarms in 120 looks, the versions being the same (default policy, alpha 5 %)",
            situations: harmless(),
        },
        Group {
            heading: "Requests until the alarm, one signal, alpha 1 %",
            situations: harmful(Some(0.01), 1.0),
        },
        Group { heading: "The same, default policy, alpha 5 %", situations: harmful(None, 1.2) },
        Group { heading: "Harm that begins late, default policy", situations: late() },
        Group {
            heading: "Harm beyond the margin excluded in 120 looks, the harm being at the margin",
            situations: at_margins(),
        },
        Group {
            heading: "The true ratio left out by the interval of 95 %, at any of 120 looks",
            situations: intervals(),
        },
        Group {
            heading: "Requests until the verdict is fine, the versions being the same (default policy)",
            situations: identical(),
        },
    ]
}

/// All of alpha for one signal.
fn only(signal: &Signal, alpha: f64) -> Policy {
    let mut policy = Policy { alpha, ..Policy::default() };
    for other in Signal::all().filter(|other| other != signal && other.mode() == Mode::Guard) {
        policy.signals.entry(other).or_default().mode = Some(Mode::Watch);
    }
    policy
}

/// One share, from long before.
fn share(percent: f64) -> Vec<(f64, f64)> {
    vec![(-600.0, percent / 100.0)]
}

/// Six turns a conversation.
fn conversations() -> Traffic {
    Traffic { turns: 6, correlation: 0.33, ..Traffic::steady() }
}

/// Envoy's own page.
fn polled() -> Traffic {
    Traffic { window_s: 5.0, flush_s: 5.0, minutes: 60, ..Traffic::steady() }
}

/// The same at both versions.
fn both(usual: fn(f64) -> Usual, traffic: Traffic) -> Traffic {
    Traffic { usual, version: usual, ..traffic }
}

/// Refusals from 4 to 1 % within two hours, and lengths +40 %.
fn drifting(minute: f64) -> Usual {
    let part = (minute / 120.0).clamp(0.0, 1.0);
    Usual::new().refusals(0.04 - 0.03 * part).longer(1.0 + 0.4 * part)
}

/// A minute in ten with 20 % errors.
fn bursts(minute: f64) -> Usual {
    let is_burst = (minute as i64).rem_euclid(10) == 7;
    Usual::new().errors(if is_burst { 0.2 } else { 0.005 })
}

fn harmless() -> Vec<Situation> {
    let of = |name, traffic| {
        let (question, policy) = (Question::Alarms, Policy::default());
        Situation { name, question, goal: 0.05, policy, traffic }
    };
    let ramp = || vec![(5.0, 0.01), (35.0, 0.05), (65.0, 0.25), (95.0, 0.5)];
    let in_flight = || Traffic {
        rate: 60.0,
        minutes: 60,
        steps: vec![(5.0, 0.01), (35.0, 0.5)],
        answer_s: 30.0,
        ..Traffic::steady()
    };
    vec![
        of("steady, 10 %", Traffic::steady()),
        of(
            "steady, 10 %, all rates 1.1 times the baseline's, as tolerated",
            Traffic { version: |_| Usual::new().rates([0.0055, 0.011, 0.0055, 0.022]), ..Traffic::steady() },
        ),
        of("even split", Traffic { steps: share(50.0), ..Traffic::steady() }),
        of(
            "ramp 1-5-25-50 %, refusals from 4 to 1 %, lengths +40 %",
            both(drifting, Traffic { steps: ramp(), ..Traffic::steady() }),
        ),
        of("bursts of errors: 20 % in one minute of ten", both(bursts, Traffic::steady())),
        of("6 turns, correlation .33, 10 %", conversations()),
        of("6 turns, correlation .33, 2 %", Traffic { steps: share(2.0), ..conversations() }),
        of(
            "6 turns, correlation .33, 2 %, first turns unknown",
            Traffic { steps: share(2.0), knows_first_turns: false, ..conversations() },
        ),
        of("polled each 5 s, histograms a flush of 5 s behind", polled()),
        of("steps to 1 and 50 % while answers of 30 s are under way", in_flight()),
        of("the same, the steps unknown", Traffic { knows_steps: false, ..in_flight() }),
        of(
            "ramp 1-5-25-50 %, 6 turns, the steps unknown",
            Traffic { steps: ramp(), knows_steps: false, ..conversations() },
        ),
        of(
            "three Envoys, one restarts, 2 % of samples missing, answers of 10 s",
            Traffic { envoys: 3, restart: Some(40.5), missing: 0.02, answer_s: 10.0, ..Traffic::steady() },
        ),
    ]
}

/// What happens without shards and first turns, whose figures the method needs. No goal.
pub(crate) fn blind() -> Situation {
    Situation {
        name: "6 turns, correlation .33, 10 %, neither shards nor first turns known",
        question: Question::Alarms,
        goal: 1.0,
        policy: Policy::default(),
        traffic: Traffic { knows_first_turns: false, knows_shards: false, ..conversations() },
    }
}

/// Harm, found by one signal that has all of `alpha`, or by the default policy, within so many times the goals.
fn harmful(alpha: Option<f64>, times: f64) -> Vec<Situation> {
    let of = |name, signal, goal: f64, traffic| Situation {
        name,
        question: Question::RequestsUntilAlarm { from: 0.0 },
        goal: goal * times,
        policy: alpha.map_or(Policy::default(), |alpha| only(&signal, alpha)),
        // Few requests a minute, so that it is told exactly how many were needed.
        traffic: Traffic { rate: 2.0, minutes: 600, ..traffic },
    };
    let steady = |version| Traffic { version, ..Traffic::steady() };
    let refusing = || Traffic {
        usual: |_| Usual::new().refusals(0.03),
        version: |_| Usual::new().refusals(0.09),
        ..conversations()
    };
    let longer: fn(f64) -> Usual = |_| Usual::new().longer(1.3);
    vec![
        of("refusals 1 to 3 %", Signal::Refusals, 650.0, steady(|_| Usual::new().refusals(0.03))),
        of("length +30 %", Signal::ResponseChars, 420.0, steady(longer)),
        of("first token x1.5", Signal::TimeToFirstToken, 75.0, steady(|_| Usual::new().slower(1.5))),
        of("errors 0.5 to 3 %", Signal::Errors, 300.0, steady(|_| Usual::new().errors(0.03))),
        of("6 turns: refusals 3 to 9 %", Signal::Refusals, 1900.0, refusing()),
        of(
            "6 turns: refusals 3 to 9 %, first turns unknown",
            Signal::Refusals,
            1900.0,
            Traffic { knows_first_turns: false, ..refusing() },
        ),
        of(
            "6 turns: length +30 %",
            Signal::ResponseChars,
            1150.0,
            Traffic { version: longer, ..conversations() },
        ),
    ]
}

fn late() -> Vec<Situation> {
    vec![Situation {
        name: "refusals 1 to 3 % after 10 h of health at 25 % of 20 requests a second",
        question: Question::RequestsUntilAlarm { from: 600.0 },
        goal: 2500.0,
        policy: Policy::default(),
        traffic: Traffic {
            rate: 20.0,
            minutes: 660,
            steps: share(25.0),
            version: |minute| Usual::new().refusals(if minute < 600.0 { 0.01 } else { 0.03 }),
            ..Traffic::steady()
        },
    }]
}

fn at_margins() -> Vec<Situation> {
    let of = |name, signal, traffic| Situation {
        name,
        question: Question::Excluded(signal),
        goal: 0.05,
        policy: Policy::default(),
        traffic,
    };
    let at = |percent, rate, version| Traffic { steps: share(percent), rate, version, ..Traffic::steady() };
    let spread = |chars| Traffic { spread: [chars, 0.6], ..at(10.0, 10.0, |_| Usual::new().longer(1.3)) };
    vec![
        of("refusals x3, at 1 %", "refusals", at(1.0, 40.0, |_| Usual::new().refusals(0.03))),
        of("refusals x2, at 10 %", "refusals", at(10.0, 10.0, |_| Usual::new().refusals(0.02))),
        of("refusals x1.5, at 25 %", "refusals", at(25.0, 10.0, |_| Usual::new().refusals(0.015))),
        of(
            "refusals 40 to 60 %, at 25 %",
            "refusals",
            Traffic {
                usual: |_| Usual::new().refusals(0.4),
                ..at(25.0, 10.0, |_| Usual::new().refusals(0.6))
            },
        ),
        of(
            "6 turns: refusals x2, at 10 %",
            "refusals",
            Traffic { version: |_| Usual::new().refusals(0.02), ..conversations() },
        ),
        of("length x1.5, at 1 %", "response_chars", at(1.0, 40.0, |_| Usual::new().longer(1.5))),
        of("length x1.3, at 10 %", "response_chars", spread(1.0)),
        of("length x1.2, at 25 %", "response_chars", at(25.0, 10.0, |_| Usual::new().longer(1.2))),
        of("length x1.3, at 10 %, coefficient of variation 1.8", "response_chars", spread(1.8)),
        of("length x1.3, at 10 %, coefficient of variation 2.9", "response_chars", spread(2.9)),
        of(
            "6 turns: length x1.3, at 10 %",
            "response_chars",
            Traffic { version: |_| Usual::new().longer(1.3), ..conversations() },
        ),
    ]
}

fn intervals() -> Vec<Situation> {
    let of = |name, signal, ratio, traffic| Situation {
        name,
        question: Question::LeftOut(signal, ratio),
        goal: 0.05,
        policy: Policy::default(),
        traffic,
    };
    let tripled: fn(f64) -> Usual = |_| Usual::new().refusals(0.03);
    let longer: fn(f64) -> Usual = |_| Usual::new().longer(1.3);
    vec![
        of("refusals, equal", "refusals", 1.0, Traffic::steady()),
        of("refusals x3", "refusals", 3.0, Traffic { version: tripled, ..Traffic::steady() }),
        of("6 turns: refusals x3", "refusals", 3.0, Traffic { version: tripled, ..conversations() }),
        of(
            "length x1.3, polled each 5 s, histograms a flush behind",
            "response_chars",
            1.3,
            Traffic { version: longer, ..polled() },
        ),
        of("length x1.3", "response_chars", 1.3, Traffic { version: longer, ..Traffic::steady() }),
        of("6 turns: length x1.3", "response_chars", 1.3, Traffic { version: longer, ..conversations() }),
    ]
}

fn identical() -> Vec<Situation> {
    let of = |name, usual: fn(f64) -> Usual| Situation {
        name,
        question: Question::RequestsUntilFine,
        goal: 2000.0,
        policy: Policy::default(),
        traffic: both(usual, Traffic { rate: 5.0, minutes: 300, ..Traffic::steady() }),
    };
    vec![
        of("refusals 1 %, other rates 0.5 %", |_| Usual::new().rates([0.005, 0.01, 0.005, 0.005])),
        of("all rates 0.5 %", |_| Usual::new().rates([0.005; 4])),
        of("all rates 1 %", |_| Usual::new().rates([0.01; 4])),
    ]
}
