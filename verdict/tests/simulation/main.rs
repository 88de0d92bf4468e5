//! Runs of simulated traffic, and how often the verdict is wrong or how soon it is right.
//!
//! In CI a few runs of each situation. The table of `docs/verdict.md` takes longer:
//!
//! ```text
//! RUNS=400 cargo test --release -p llm-canary-verdict --test simulation -- --ignored --nocapture
//! ```
//!
//! `ONLY=words` runs the situations whose names contain the words.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod random;
mod reference_set;
mod situations;
mod traffic;

use llm_canary_verdict::health::Look;
use llm_canary_verdict::judge::{Judge, LN_INTERVAL};
use llm_canary_verdict::verdict::Verdict;

use llm_canary_verdict::policy::Policy;
use llm_canary_verdict::signal::{Kind, Signal};
use random::Random;
use situations::{Question, Situation};
use traffic::Traffic;

/// What one run came to: requests of the version until it happened, or `None` if it did not.
fn run(situation: &Situation, seed: u64) -> Option<u64> {
    let mut random = Random::new(seed);
    let mut judge = Judge::new(situation.policy.clone(), situation.traffic.known_steps());
    let mut requests = 0;
    for window in situation.traffic.windows(&mut random) {
        judge.push(&window);
        let is_counted = match situation.question {
            Question::RequestsUntilAlarm { from } => window.start_ms as f64 >= from * 60e3,
            Question::Alarms
            | Question::Excluded(_)
            | Question::LeftOut(..)
            | Question::RequestsUntilFine => true,
        };
        requests += if is_counted { window.flow.version.requests } else { 0 };
        let happened = match situation.question {
            Question::Alarms | Question::RequestsUntilAlarm { .. } => judge.has_alarmed(),
            Question::Excluded(signal) => judge.has_excluded(&signal.parse().unwrap()),
            Question::LeftOut(signal, ratio) => {
                let signal = signal.parse().unwrap();
                judge.evidence(&signal).is_some_and(|evidence| {
                    let (low, high) = evidence.figures(judge.phi(&signal), LN_INTERVAL).interval;
                    ratio < low || ratio > high
                })
            }
            Question::RequestsUntilFine => {
                let look = Look { now_ms: window.end_ms, config: None };
                judge.judgement(&look).verdict == Verdict::Fine
            }
        };
        if happened {
            return Some(requests);
        }
    }
    None
}

/// What several runs came to.
struct Measured {
    runs: u64,
    /// The runs in which it happened.
    happened: u64,
    /// Requests until it happened; endless where it did not.
    median: f64,
    nine_in_ten: f64,
}

fn measure(situation: &Situation, runs: u64) -> Measured {
    let of = |seed: u64| run(situation, seed * 7919 + 1).map_or(f64::INFINITY, |requests| requests as f64);
    let mut found: Vec<f64> = (0..runs).map(of).collect();
    found.sort_by(f64::total_cmp);
    let at = |part: usize| found[found.len() * part / 10];
    let happened = found.iter().filter(|requests| requests.is_finite()).count() as u64;
    Measured { runs, happened, median: at(5), nine_in_ten: at(9) }
}

/// A line of the table in `docs/verdict.md`.
fn line(situation: &Situation, measured: &Measured) -> String {
    let Situation { name, question, goal, .. } = situation;
    let Measured { runs, happened, median, nine_in_ten } = measured;
    let percent = |part: f64| format!("{:.1} %", 100.0 * part);
    match question {
        Question::Alarms | Question::Excluded(_) | Question::LeftOut(..) => {
            let part = *happened as f64 / *runs as f64;
            format!("| {name} | {happened} of {runs}: {} | {} |", percent(part), percent(*goal))
        }
        Question::RequestsUntilAlarm { .. } | Question::RequestsUntilFine => {
            format!("| {name} | {median} ({nine_in_ten}) | {goal} |")
        }
    }
}

/// The table of `docs/verdict.md`.
#[test]
#[ignore = "takes long: see the top of this file"]
fn table() {
    let runs = std::env::var("RUNS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(400);
    let only = std::env::var("ONLY").unwrap_or_default();
    for group in situations::all() {
        println!("| {} | measured | goal |\n|---|---|---|", group.heading);
        for situation in group.situations.iter().filter(|situation| situation.name.contains(&only)) {
            println!("{}", line(situation, &measure(situation, runs)));
        }
        println!();
    }
    println!("{}", line(&situations::blind(), &measure(&situations::blind(), runs)));
}

/// A few runs of everything, with room for chance. The seeds are fixed, so the result is the same each time.
#[test]
fn a_few_runs_of_each_situation() {
    const RUNS: u64 = 8;
    const HAPPENED_MAX: u64 = 2;
    const TIMES_GOAL_MAX: f64 = 1.6;
    for situation in situations::all().iter().flat_map(|group| &group.situations) {
        let measured = measure(situation, RUNS);
        let is_good = match situation.question {
            Question::Alarms | Question::Excluded(_) | Question::LeftOut(..) => {
                measured.happened <= HAPPENED_MAX
            }
            Question::RequestsUntilAlarm { .. } | Question::RequestsUntilFine => {
                measured.median <= situation.goal * TIMES_GOAL_MAX
            }
        };
        assert!(is_good, "{}", line(situation, &measured));
    }
}

/// A day of windows of 15 s, 20 requests a second, with observations of every signal, looked at after each window. How long
/// that takes is printed.
#[test]
#[ignore = "takes long"]
#[expect(clippy::disallowed_methods, reason = "measures time")]
fn a_day() {
    let traffic = Traffic { minutes: 1440, window_s: 15.0, rate: 20.0, envoys: 3, ..Traffic::steady() };
    let mut windows = traffic.windows(&mut Random::new(1));
    for window in &mut windows {
        let (rate, sizes) = (&window.rates[&Signal::Refusals], &window.distributions[&Signal::ResponseChars]);
        let (rate, sizes) = (rate.clone(), sizes.clone());
        let defects = (0..9).map(|kind| Signal::Defect(kind.to_string().into()));
        for signal in Signal::all().chain(defects) {
            if signal.kind() == Kind::Rate {
                window.rates.entry(signal).or_insert_with(|| rate.clone());
            } else {
                window.distributions.entry(signal).or_insert_with(|| sizes.clone());
            }
        }
    }
    let mut judge = Judge::new(Policy::default(), traffic.known_steps());
    let start = std::time::Instant::now();
    windows.iter().for_each(|window| judge.push(window));
    let pushed = start.elapsed();
    let judgement = judge.judgement(&Look { now_ms: 86_400_000, config: None });
    println!("{} windows in {pushed:?}, the judgement in {:?}", windows.len(), start.elapsed() - pushed);
    assert_eq!(judgement.windows, 5760);
}
