//! Does the version get the share that is in force?
//!
//! The chance of a difference as large as the one seen, whatever it is: a mixture of binomial likelihoods over shares
//! around the one in force, against that one (Lindon and Malek, Anytime-valid inference for multinomial count data,
//! 2022). First turns are independent of each other, so they are counted where they are known.

use crate::math::{ln_beta, real};
use crate::phi::{Dispersion, of_rate};
use crate::window::{Count, Pair, Rate, SHARDS, Window};

/// How narrow the mixture is: as if so many requests had been seen before.
const PRIOR: f64 = 1000.0;

/// The share of a version, step by step.
#[derive(Clone, Debug)]
pub struct Share {
    /// Of the step in force: requests of both, and the version's. First turns, and all.
    first_turns: Count,
    decisions: Count,
    /// `ln E` of the steps before, by first turns and by all.
    before: Pair<f64>,
    /// The share in force.
    configured: Option<f64>,
    /// Requests of both by shard; events are the version's.
    shards: Box<[Count; SHARDS]>,
}

impl Default for Share {
    fn default() -> Self {
        Self {
            first_turns: Count::default(),
            decisions: Count::default(),
            before: Pair::default(),
            configured: None,
            shards: Box::new([Count::default(); SHARDS]),
        }
    }
}

impl Share {
    /// Takes in a window in which one share was in force: the version's part of what the two have together.
    pub fn push(&mut self, window: &Window, configured: Option<f64>) {
        if self.configured != configured {
            self.before = self.ln_each();
            self.configured = configured;
            self.first_turns = Count::default();
            self.decisions = Count::default();
        }
        self.first_turns.add(of_both(window.flow.map(|flow| flow.first_turns)));
        self.decisions.add(of_both(window.flow.map(|flow| flow.split_decisions)));
    }

    /// Takes in how the requests of a window fall on shards.
    pub fn push_shards(&mut self, rate: &Rate) {
        let Some(shards) = &rate.shards else { return };
        let sides = shards.version.iter().zip(shards.baseline.iter());
        for (sum, (version, baseline)) in self.shards.iter_mut().zip(sides) {
            sum.add(of_both(Pair { version: version.n, baseline: baseline.n }));
        }
    }

    /// The design effect of the version's share.
    #[must_use]
    pub fn phi(&self) -> f64 {
        self.dispersion().phi()
    }

    fn dispersion(&self) -> Dispersion {
        of_rate(&self.shards)
    }

    /// `ln E` against the configured share; `None` where none is known.
    #[must_use]
    pub fn ln_e(&self) -> Option<f64> {
        self.configured?;
        let each = self.ln_each();
        Some(if self.first_turns.n > 0 { each.version } else { each.baseline / self.phi() })
    }

    /// `ln E` of all steps, by first turns and by all decisions.
    fn ln_each(&self) -> Pair<f64> {
        let now = |count| self.configured.map_or(0.0, |share| ln_mixture(count, share));
        Pair {
            version: self.before.version + now(self.first_turns),
            baseline: self.before.baseline + now(self.decisions),
        }
    }
}

fn of_both(pair: Pair<u64>) -> Count {
    Count { n: pair.version.saturating_add(pair.baseline), d: pair.version }
}

/// `ln (B(a+d, b+n-d) / B(a, b) / (share^d (1-share)^(n-d)))`, with `a = 1000·share` and `b = 1000·(1-share)`. A share of
/// nothing or of everything is not judged: 0.
#[must_use]
pub fn ln_mixture(count: Count, share: f64) -> f64 {
    if !(share > 0.0 && share < 1.0) {
        return 0.0;
    }
    let (d, rest) = (real(count.d), real(count.n.saturating_sub(count.d)));
    let (a, b) = (PRIOR * share, PRIOR * (1.0 - share));
    ln_beta(a + d, b + rest) - ln_beta(a, b) - d * share.ln() - rest * (1.0 - share).ln()
}

#[cfg(test)]
mod tests;
