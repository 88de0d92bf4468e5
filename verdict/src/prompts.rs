//! The checks of a reference set: passes of both versions, by prompt → how many are better or worse, and what that proves.
//!
//! **The unit is the prompt.** To ask the same prompt again tells about sampling, not about other prompts. So all rounds
//! of a prompt give one difference, `d_i`: the baseline's pass share minus the version's.
//!
//! **Answers count in pairs**: a round in which one side is unknown is left out of that prompt on both sides. Otherwise
//! one side's share would come from fewer answers, and it would not be as likely to be above the other's as below. The
//! test would take that for a difference (`docs/verdict.md` has figures).

use crate::looks::{Chances, Proof};
use crate::math::real;
use crate::window::Pair;

/// The common denominator of all shares is at most this.
const SCALE_MAX: u64 = 1 << 20;

/// The denominator where there is none, and shares are rounded: many numbers of answers divide it.
const SCALE: u64 = 5_040;

/// What is known of one prompt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Prompt {
    answers: u32,
    passes: Pair<u32>,
    is_quarantined: bool,
}

impl Prompt {
    /// A prompt with so many rounds in which both sides are known. Passes are at most as many as answers.
    #[must_use]
    pub fn new(answers: u32, passes: Pair<u32>) -> Self {
        Self { answers, passes: passes.map(|passes| passes.min(answers)), is_quarantined: false }
    }

    /// Takes in a round: whether each side passed its checks; `None` where that is unknown.
    pub fn push(&mut self, passed: Pair<Option<bool>>) {
        if let Pair { version: Some(version), baseline: Some(baseline) } = passed {
            self.answers = self.answers.saturating_add(1);
            self.passes.version = self.passes.version.saturating_add(version.into());
            self.passes.baseline = self.passes.baseline.saturating_add(baseline.into());
        }
    }

    /// Takes in the two answers of the baseline from before round 1. If they differ, the prompt is listed as unstable.
    /// They count for nothing else: prompts that are chosen by the baseline's luck make a harmless version lose.
    pub fn push_baseline_twice(&mut self, passed: [Option<bool>; 2]) {
        self.is_quarantined = matches!(passed, [Some(first), Some(second)] if first != second);
    }

    /// Rounds in which both sides are known.
    #[must_use]
    pub fn answers(&self) -> u32 {
        self.answers
    }

    /// In how many of them each side passed.
    #[must_use]
    pub fn passes(&self) -> Pair<u32> {
        self.passes
    }

    /// Whether the baseline's two answers from before round 1 differed.
    #[must_use]
    pub fn is_quarantined(&self) -> bool {
        self.is_quarantined
    }

    /// The pass shares; `None` if nothing is known of one side.
    #[must_use]
    pub fn pass_shares(&self) -> Option<Pair<f64>> {
        let share = |passes: u32| f64::from(passes) / f64::from(self.answers);
        (self.answers > 0).then(|| self.passes.map(share))
    }

    /// The baseline's pass share minus the version's: above 0 the version is worse.
    #[must_use]
    pub fn difference(&self) -> Option<f64> {
        self.pass_shares().map(|shares| shares.baseline - shares.version)
    }

    /// The same as passes of [`Self::answers`].
    pub(crate) fn passes_fewer(&self) -> i64 {
        i64::from(self.passes.baseline).saturating_sub(i64::from(self.passes.version))
    }
}

/// How many prompts there are of each kind. `total` is the sum of `better`, `worse`, `same` and `unknown`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// All.
    pub total: u64,
    /// The version passes more often.
    pub better: u64,
    /// The baseline passes more often.
    pub worse: u64,
    /// Neither.
    pub same: u64,
    /// Without any round in which both sides are known.
    pub unknown: u64,
    /// Those of all whose two answers of the baseline, from before round 1, differed.
    pub quarantined: u64,
}

/// What the checks say after a round.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Checked {
    /// How many prompts are better and worse.
    pub tally: Tally,
    /// The mean over prompts of the pass shares; `None` if no prompt is known on both sides.
    pub pass_share: Option<Pair<f64>>,
    /// What is proved by it.
    pub proof: Proof,
}

/// Compares the versions by all rounds up to `round`; rounds count from 1.
#[must_use]
pub fn check(prompts: &[Prompt], round: u32, chances: Chances) -> Checked {
    let known: Vec<Prompt> = prompts.iter().copied().filter(|prompt| prompt.answers > 0).collect();
    let count = |is: fn(&Prompt) -> bool| known.iter().filter(|prompt| is(prompt)).count() as u64;
    let (total, compared) = (prompts.len() as u64, known.len() as u64);
    let tally = Tally {
        total,
        better: count(|prompt| prompt.passes_fewer() < 0),
        worse: count(|prompt| prompt.passes_fewer() > 0),
        same: count(|prompt| prompt.passes_fewer() == 0),
        unknown: total.saturating_sub(compared),
        quarantined: prompts.iter().filter(|prompt| prompt.is_quarantined).count() as u64,
    };
    let shares: Vec<Pair<f64>> = known.iter().filter_map(Prompt::pass_shares).collect();
    let mean = |of: fn(&Pair<f64>) -> f64| shares.iter().map(of).sum::<f64>() / real(compared);
    let pass_share =
        Pair { version: mean(|shares| shares.version), baseline: mean(|shares| shares.baseline) };
    let drops: Vec<f64> = shares.iter().map(|shares| shares.baseline - shares.version).collect();
    Checked {
        tally,
        pass_share: (compared > 0).then_some(pass_share),
        proof: Proof::new(&in_units(&known), &drops, round, chances),
    }
}

/// The differences as multiples of one unit. Exact, unless rounds that are unknown leave so many different numbers of
/// answers that they have no common denominator up to [`SCALE_MAX`]. Then they are rounded, which leaves the test exact
/// (`sign_flip`): the number of answers is the same on both sides, so it does not depend on a difference's sign.
fn in_units(prompts: &[Prompt]) -> Vec<i64> {
    let answers = || prompts.iter().map(|prompt| u64::from(prompt.answers));
    let common = answers().try_fold(1, least_common_multiple);
    let unit = |prompt: &Prompt| {
        let answers = i128::from(prompt.answers.max(1));
        let scaled = i128::from(prompt.passes_fewer()).saturating_mul(common.unwrap_or(SCALE).into());
        let half = answers.checked_div(2).unwrap_or_default().saturating_mul(scaled.signum());
        let units = scaled.saturating_add(half).checked_div(answers).unwrap_or_default();
        i64::try_from(units).unwrap_or_default()
    };
    prompts.iter().map(unit).collect()
}

/// `None` beyond [`SCALE_MAX`].
fn least_common_multiple(a: u64, b: u64) -> Option<u64> {
    let (mut divisor, mut rest) = (a, b);
    while let Some(next) = divisor.checked_rem(rest) {
        (divisor, rest) = (rest, next);
    }
    a.checked_div(divisor)?.checked_mul(b).filter(|multiple| *multiple <= SCALE_MAX)
}

#[cfg(test)]
mod tests;
