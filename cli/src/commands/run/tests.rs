//! A release that waits for people.

use super::{Args, run_before};
use crate::Cli;
use crate::commands::Command;
use crate::io::audience::{Audience, Snapshot};
use crate::tests::run::sim::{FILE, Sim, events};
use clap::Parser;
use std::cell::{Cell, RefCell};

/// Somebody who looks at each snapshot, and approves at some of them.
#[derive(Default)]
struct Approver {
    /// The names of the states, as they follow each other.
    states: RefCell<Vec<String>>,
    looks: Cell<u32>,
    /// Approves at every look from this one on.
    approves_from: u32,
    has_approved: Cell<bool>,
    answers: RefCell<Vec<Result<String, String>>>,
    /// What happened last, each time that something was shown without a look.
    between_looks: RefCell<Vec<String>>,
}

impl Audience for Approver {
    fn can_approve(&self) -> bool {
        true
    }

    fn publish(&self, snapshot: &Snapshot<'_>) {
        let name = format!("{} {}", snapshot.state.name(), snapshot.percent);
        let mut states = self.states.borrow_mut();
        if states.last() != Some(&name) {
            states.push(name);
        }
        if !snapshot.is_look {
            let record = snapshot.records.last().unwrap();
            self.between_looks.borrow_mut().push(format!("{} {}", record["event"], record["why"][0]));
            return;
        }
        assert_eq!(snapshot.analysis.version, "v2");
        assert!(snapshot.trouble.is_none() && snapshot.records.len() <= 20);
        self.looks.set(self.looks.get() + 1);
        self.has_approved.set(self.looks.get() >= self.approves_from);
    }

    fn take_approval(&self) -> bool {
        self.has_approved.replace(false)
    }

    fn answer(&self, answer: Result<&str, &str>) {
        self.answers.borrow_mut().push(answer.map(str::to_owned).map_err(str::to_owned));
    }
}

fn args(line: &str) -> Box<Args> {
    let words = ["llm-canary", "run", FILE, "v2", "--admin", "http://a:9901"];
    match Cli::try_parse_from(words.into_iter().chain(line.split_whitespace())).unwrap().command {
        Command::Run(args) => args,
        _ => panic!("it is run"),
    }
}

#[test]
fn a_wait_is_passed_by_one_approval_while_it_waits() {
    let sim = Sim::new(400.0);
    // At first nothing waits; the wait itself comes after some sixty looks.
    let approver = Approver { approves_from: 30, ..Approver::default() };
    let args = args("--plan 5%,wait,25%@1m,wait --json --notify http://x");
    let ran = sim.run_in(|world| run_before(&args, &approver, world).unwrap());
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(
        events(&ran),
        ["ramping 5", "waiting 5", "waiting 5", "ramping 25", "waiting 25", "waiting 25", "ended 25"],
        "each wait is approved once"
    );
    assert_eq!(sim.notices().len(), 7, "each is news");
    let answers = approver.answers.borrow();
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 2);
    let refused = answers.iter().filter_map(|answer| answer.as_ref().err()).next().unwrap();
    assert_eq!(refused, "nothing waits for an approval; the release is in the state ramping");
    // An approval is shown before the next look comes.
    let approved = approver.between_looks.borrow().clone();
    let is_approval = |words: &&String| words.starts_with("\"waiting\" \"approved");
    assert_eq!(approved.iter().filter(is_approval).count(), 2, "{approved:?}");
    let states = approver.states.borrow();
    let expect = ["stepping 0", "ramping 5", "waiting 5", "ramping 25", "waiting 25", "ended 25"];
    assert_eq!(
        states.iter().filter(|state| expect.contains(&state.as_str())).count(),
        states.len(),
        "{states:?}"
    );
}

#[test]
fn without_an_approval_it_waits_and_a_regression_stops_it() {
    let sim = Sim::new(400.0);
    let approver = Approver { approves_from: u32::MAX, ..Approver::default() };
    sim.after(5_000, |shared| shared.v2.errors = 0.5);
    let ran = sim.run_in(|world| run_before(&args("--plan 5%,wait,25% --json"), &approver, world).unwrap());
    assert_eq!(ran.code, 1, "{ran:?}");
    assert_eq!(events(&ran)[..2], ["ramping 5", "waiting 5"]);
    assert_eq!(sim.writes().len(), 2);
}
