//! Looks: at which rounds of a reference set something is decided, and by how much evidence.
//!
//! A p-value holds for one look. Rounds go on for days, so there are few looks, at rounds 1, 2, 4, 8, …, and the j-th
//! spends `2^-j` of the chance of an error. All together spend no more than that chance, however long it goes on.

use std::f64::consts::LN_2;

use crate::math::{ln_sum, real};
use crate::sign_flip;

/// A drop of the mean pass share by more than this is what `fine` excludes, in parts of 1.
pub const DROP_MAX: f64 = 0.1;

/// Stakes of the bets against such a drop. A stake of 1 is the largest that cannot lose all.
const STAKES: [f64; 3] = [0.25, 0.5, 1.0];

/// Sums that should be equal are, up to this.
const ROUNDING: f64 = 1e-9;

/// The chances of an error, over all rounds together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Chances {
    /// That a harmless version is ever found to be worse.
    pub alpha: f64,
    /// That a version whose mean pass share drops by more than [`DROP_MAX`] is ever found to be fine.
    pub beta: f64,
}

impl Default for Chances {
    fn default() -> Self {
        Self { alpha: 0.05, beta: 0.05 }
    }
}

impl Chances {
    /// Half of each: where checks and a judge both decide, each gets a half.
    #[must_use]
    pub fn halved(self) -> Self {
        Self { alpha: self.alpha / 2.0, beta: self.beta / 2.0 }
    }
}

/// The first look at or after a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// The round it is at: 1, 2, 4, 8, …
    pub round: u32,
    /// It is the first, the second, and so on; from 1.
    pub number: u32,
}

impl Look {
    /// Rounds count from 1.
    #[must_use]
    pub fn from(round: u32) -> Self {
        let at = round.checked_next_power_of_two().unwrap_or(1 << 31);
        Self { round: at, number: at.trailing_zeros().saturating_add(1) }
    }

    /// `-ln` of the part of `chance` that this look spends: `chance / 2^number`.
    #[must_use]
    pub fn ln_threshold(self, chance: f64) -> f64 {
        f64::from(self.number) * LN_2 - chance.ln()
    }
}

/// What differences of prompts prove at a round: harm, or that there is no great harm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Proof {
    /// Whether there is a look at this round. Without one nothing is decided, and the thresholds are those of the next.
    pub is_look: bool,
    /// `-ln p` of the sign-flip test that the version is worse; 0 or more.
    pub ln_e: f64,
    /// What it must reach: `log_e` and `threshold` of the output.
    pub ln_threshold: f64,
    /// `ln E` that the mean difference is not above [`DROP_MAX`].
    pub ln_fine: f64,
    /// What it must reach.
    pub ln_threshold_fine: f64,
    /// The mean difference: what the baseline has more of, from -1 to 1. 0 without prompts.
    pub mean_drop: f64,
}

impl Proof {
    /// `units` are the differences for the sign-flip test, in whole units of any size; positive is worse. `drops` are
    /// those for `fine`, in parts of 1.
    pub(crate) fn new(units: &[i64], drops: &[f64], round: u32, chances: Chances) -> Self {
        let look = Look::from(round);
        let count = drops.len().try_into().unwrap_or(u64::MAX);
        let mean_drop = if drops.is_empty() { 0.0 } else { drops.iter().sum::<f64>() / real(count) };
        Self {
            is_look: look.round == round,
            // Without a difference it is `-0.0`, which is written so.
            ln_e: (-sign_flip::ln_p(units)).max(0.0) + 0.0,
            ln_threshold: look.ln_threshold(chances.alpha),
            ln_fine: ln_fine(drops),
            ln_threshold_fine: look.ln_threshold(chances.beta),
            mean_drop,
        }
    }

    /// Whether harm is proved, at this look.
    #[must_use]
    pub fn is_worse(&self) -> bool {
        self.is_look && self.ln_e >= self.ln_threshold - ROUNDING
    }

    /// Whether a drop beyond [`DROP_MAX`] is excluded, at this look.
    #[must_use]
    pub fn is_fine(&self) -> bool {
        self.is_look && self.ln_fine >= self.ln_threshold_fine - ROUNDING
    }
}

/// Whether so many prompts could ever show that a version is fine: at the first look, if none of them differs. Later looks ask
/// for more.
#[must_use]
pub fn can_be_fine(prompts: u64, chances: Chances) -> bool {
    let ln_product = |stake: f64| real(prompts) * (stake * DROP_MAX).ln_1p();
    let ln_fine = ln_sum(STAKES.into_iter().map(ln_product)) - (STAKES.len() as f64).ln();
    ln_fine >= Look::from(1).ln_threshold(chances.beta) - ROUNDING
}

/// The mean over the stakes of `Π (1 + stake (DROP_MAX - d_i))`, in logarithms.
///
/// Where the expected differences of independent prompts are above [`DROP_MAX`] in the mean, the expected product is at
/// most 1: the mean of logarithms is at most the logarithm of the mean. So it is an e-value (Markov's inequality).
fn ln_fine(drops: &[f64]) -> f64 {
    let ln_product = |stake: f64| drops.iter().map(|drop| (stake * (DROP_MAX - drop)).ln_1p()).sum::<f64>();
    ln_sum(STAKES.into_iter().map(ln_product)) - (STAKES.len() as f64).ln()
}

#[cfg(test)]
mod tests;
