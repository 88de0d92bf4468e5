//! A/B: which of two versions is better, on one goal?
//!
//! The same evidence as for a release, with nothing tolerated and with half of alpha for each direction.

use crate::evidence::{Evidence, HarmFound};
use crate::judge::Judge;
use crate::policy::{Goal, Policy};
use crate::signal::{Direction, Harm};
use crate::steps::Step;
use crate::window::Window;

/// What an A/B test has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conclusion {
    /// The version is better than the baseline.
    VersionBetter,
    /// The baseline is better.
    BaselineBetter,
    /// A difference beyond the margin is excluded, either way.
    NoDifference,
    /// None of these yet.
    NotEnoughData,
}

impl Conclusion {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::VersionBetter => "version_better",
            Self::BaselineBetter => "baseline_better",
            Self::NoDifference => "no_difference",
            Self::NotEnoughData => "not_enough_data",
        }
    }

    /// The exit code of a command that ends with it.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        if self == Self::NotEnoughData { 3 } else { 0 }
    }
}

/// What is known of a difference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// What was found first.
    pub conclusion: Conclusion,
    /// When, in Unix milliseconds.
    pub at_ms: Option<i64>,
    /// `ln E` that the version has more of the goal's signal, and that it has less; less than what is needed.
    pub ln_e_up: f64,
    /// See there.
    pub ln_e_down: f64,
    /// What is needed, in either direction.
    pub ln_threshold: f64,
    /// `ln E` that the difference is within the margin, and what is needed.
    pub ln_no_difference: f64,
    /// See there.
    pub ln_threshold_no_difference: f64,
}

/// An A/B test.
#[derive(Clone, Debug)]
pub struct Comparison {
    goal: Goal,
    judge: Judge,
    found: Option<(Conclusion, i64)>,
}

impl Comparison {
    /// Nothing seen yet. The policy's goal is replaced by this one, and its tolerance by 1.
    #[must_use]
    pub fn new(goal: Goal, policy: Policy, steps: Option<Vec<Step>>) -> Self {
        let mut policy = Policy { tolerance: 1.0, goal: Some(goal.clone()), ..policy };
        policy.signals.entry(goal.signal.clone()).or_default().harm = Some(Harm::Both);
        Self { goal, judge: Judge::new(policy, steps), found: None }
    }

    /// Takes in the next window, and looks. What is found first stays found.
    pub fn push(&mut self, window: &Window) {
        self.judge.push(window);
        let now = self.now();
        if self.found.is_none() && now.conclusion != Conclusion::NotEnoughData {
            self.found = Some((now.conclusion, window.end_ms));
        }
    }

    /// The judge, for the intervals of all signals.
    #[must_use]
    pub fn judge(&self) -> &Judge {
        &self.judge
    }

    /// What is known.
    #[must_use]
    pub fn difference(&self) -> Difference {
        let now = self.now();
        let found = self.found.map(|(conclusion, _)| conclusion);
        Difference {
            conclusion: found.unwrap_or(now.conclusion),
            at_ms: self.found.map(|(_, at_ms)| at_ms),
            ..now
        }
    }

    fn now(&self) -> Difference {
        let policy = self.judge.policy();
        let ln_threshold = (2.0 / policy.alpha).ln();
        let needed = policy.ln_threshold_no_worse();
        let phi = self.judge.phi(&self.goal.signal);
        let tier = policy.tier(self.judge.share_in_force());
        let evidence = self.judge.evidence(&self.goal.signal);
        let one = |harm: Harm| evidence.map(|evidence| evidence.harm(harm, phi));
        let within = |evidence: &Evidence| evidence.ln_no_worse(Harm::Both, tier, phi);
        let (up, down) = (one(Harm::Up), one(Harm::Down));
        let ln_no_difference = evidence.map_or(0.0, within);
        let is =
            |found: Option<HarmFound>| found.is_some_and(|found| found.agrees && found.ln_e >= ln_threshold);
        let (more, less) = match self.goal.better {
            Direction::Up => (Conclusion::VersionBetter, Conclusion::BaselineBetter),
            Direction::Down => (Conclusion::BaselineBetter, Conclusion::VersionBetter),
        };
        let conclusion = if is(up) {
            more
        } else if is(down) {
            less
        } else if ln_no_difference >= needed {
            Conclusion::NoDifference
        } else {
            Conclusion::NotEnoughData
        };
        Difference {
            conclusion,
            at_ms: None,
            ln_e_up: up.map_or(0.0, |found| found.ln_e),
            ln_e_down: down.map_or(0.0, |found| found.ln_e),
            ln_threshold,
            ln_no_difference,
            ln_threshold_no_difference: needed,
        }
    }
}

#[cfg(test)]
mod tests;
