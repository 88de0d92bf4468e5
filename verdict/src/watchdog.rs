//! The verdict on a version by a reference set: rounds in, in order; a verdict out, after each.
//!
//! ```text
//! answers → prompts → check   ┐
//! votes   → pairs   → prefer  ┴ at each round → Watchdog::push → verdict
//! ```
//!
//! What was proved at a look stays proved: later looks ask for more evidence, because the chance of an error is spent by
//! then.

use crate::looks::{DROP_MAX, Proof};
use crate::pairwise::Preference;
use crate::prompts::Checked;
use crate::verdict::Verdict;

/// What raised an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The set's checks.
    Checks,
    /// The judge.
    Judge,
}

impl Source {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Checks => "checks",
            Self::Judge => "judge",
        }
    }
}

/// Harm was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Alarm {
    /// In this round, from 1.
    pub round: u32,
    /// By what.
    pub source: Source,
    /// The evidence then.
    pub proof: Proof,
}

/// The verdict, and what is remembered for it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Watchdog {
    round: u32,
    alarm: Option<Alarm>,
    checks: Course,
    judge: Course,
}

/// Of the checks, or of the judge.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Course {
    /// Whether it knows anything in the last round.
    is_known: bool,
    /// The round in which a great drop was first excluded.
    fine_at: Option<u32>,
    mean_drop: f64,
}

impl Course {
    fn push(&mut self, round: u32, is_known: bool, is_fine: bool, proof: &Proof) {
        self.is_known = is_known;
        self.mean_drop = proof.mean_drop;
        if is_known && is_fine {
            self.fine_at.get_or_insert(round);
        }
    }

    /// Excluded, and not contradicted by what was seen since.
    fn is_fine(&self) -> bool {
        self.fine_at.is_some() && self.mean_drop <= DROP_MAX
    }
}

impl Watchdog {
    /// Takes in what is known after a round. A round that is not later than the last is left out: it has had its look.
    pub fn push(&mut self, round: u32, checked: &Checked, preference: Option<&Preference>) {
        if round <= self.round {
            return;
        }
        self.round = round;
        let mut found = checked.proof.is_worse().then_some((Source::Checks, checked.proof));
        self.checks.push(round, checked.pass_share.is_some(), checked.proof.is_fine(), &checked.proof);
        if let Some(preference) = preference {
            let by_judge = preference.is_worse().then_some((Source::Judge, preference.proof));
            found = found.or(by_judge);
            self.judge.push(round, preference.pairs > 0, preference.is_fine(), &preference.proof);
        }
        if let Some((source, proof)) = found {
            self.alarm.get_or_insert(Alarm { round, source, proof });
        }
    }

    /// The verdict after the last round. The set's checks decide what is fine; the judge does so where no prompt has any.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let decides = if self.checks.is_known { &self.checks } else { &self.judge };
        if self.alarm.is_some() {
            Verdict::Regression
        } else if decides.is_fine() {
            Verdict::Fine
        } else {
            Verdict::NotEnoughData
        }
    }

    /// The first alarm. It stays, whatever comes after.
    #[must_use]
    pub fn alarm(&self) -> Option<Alarm> {
        self.alarm
    }
}

#[cfg(test)]
mod tests;
