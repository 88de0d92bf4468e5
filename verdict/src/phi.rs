//! The design effect: how much more a sum varies than if all requests were independent.
//!
//! Turns of one conversation are alike, and they share a version. Conversations fall into [`SHARDS`] groups by a hash,
//! so the groups vary as sums of conversations do. Their variance over that of independent requests is the design effect
//! (Kish 1965; Pearson's statistic over its degrees of freedom, as in McCullagh and Nelder, Generalized Linear Models,
//! section 4.5). It is taken over all windows at once: a request's group does not depend on its time, so a rate that
//! drifts does not raise it.

use crate::math::{chi_squared, ratio, real};
use crate::window::{Count, SHARDS, Total};

/// The normal quantile of 20 %. The estimate over its lower quantile is an upper 80 % bound.
const LOWER_FIFTH: f64 = -0.841_621_233_572_914_2;

/// Squared deviations of groups, in units of what independent requests would give; and their degrees of freedom.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Dispersion {
    squares: f64,
    freedom: f64,
}

impl Dispersion {
    /// Of both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { squares: self.squares + other.squares, freedom: self.freedom + other.freedom }
    }

    /// The upper 80 % bound of the design effect, at least 1. 1 if nothing is known.
    #[must_use]
    pub fn phi(self) -> f64 {
        let bound = self.squares / chi_squared(self.freedom, LOWER_FIFTH);
        if self.freedom > 0.0 && bound.is_finite() { bound.max(1.0) } else { 1.0 }
    }

    /// The estimate itself, without a bound. 1 if nothing is known.
    #[must_use]
    pub fn estimate(self) -> f64 {
        if self.freedom > 0.0 { self.squares / self.freedom } else { 1.0 }
    }
}

/// Of a rate: `Σ (x_g - n_g r)² / (n_g r (1-r))`.
#[must_use]
pub fn of_rate(shards: &[Count; SHARDS]) -> Dispersion {
    let mut all = Count::default();
    shards.iter().for_each(|shard| all.add(*shard));
    let rate = all.rate();
    let squares = shards.iter().map(|shard| {
        let n = real(shard.n);
        let deviation = real(shard.d.min(shard.n)) - n * rate;
        ratio(deviation * deviation, n * rate * (1.0 - rate))
    });
    dispersion(squares.sum(), shards.iter().filter(|shard| shard.n > 0).count(), rate > 0.0 && rate < 1.0)
}

/// Of a mean: `Σ (S_g - n_g x̄)² / (n_g s²)`, with the variance `s²` of single requests, from their sum of squares.
#[must_use]
pub fn of_mean(shards: &[Total; SHARDS], squares: f64) -> Dispersion {
    let n: f64 = shards.iter().map(|shard| real(shard.n)).sum();
    let mean = ratio(shards.iter().map(|shard| shard.sum).sum(), n);
    let variance = ratio(squares, n) - mean * mean;
    let deviations = shards.iter().map(|shard| {
        let n = real(shard.n);
        let deviation = shard.sum - n * mean;
        ratio(deviation * deviation, n * variance)
    });
    dispersion(deviations.sum(), shards.iter().filter(|shard| shard.n > 0).count(), variance > 0.0)
}

fn dispersion(squares: f64, groups: usize, varies: bool) -> Dispersion {
    if varies && groups > 1 {
        Dispersion { squares, freedom: groups.saturating_sub(1) as f64 }
    } else {
        Dispersion::default()
    }
}

#[cfg(test)]
mod tests;
