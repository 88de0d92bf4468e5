//! What the windows so far tell of one signal.
//!
//! In: a signal's counts, window by window. Out: `ln E` for each question, intervals, figures to show. What follows from
//! them is not known here.

mod distribution;
mod rate;

pub use distribution::DistributionEvidence;
pub use rate::RateEvidence;

use crate::math::ln_mean;
use crate::phi::Dispersion;
use crate::policy::Margin;
use crate::signal::{Direction, Harm};
use crate::window::Pair;

/// The evidence of one signal.
#[derive(Clone, Debug)]
pub enum Evidence {
    /// Of a rate.
    Rate(Box<RateEvidence>),
    /// Of a distribution.
    Distribution(Box<DistributionEvidence>),
}

/// Figures of a signal, for people.
#[derive(Clone, Debug, PartialEq)]
pub struct Figures {
    /// Rates, or means. The baseline's is weighted by the version's requests in each window. `None`: no observations.
    pub values: Pair<Option<f64>>,
    /// Events of a rate; 0 for distributions.
    pub events: Pair<u64>,
    /// What the events are of, or the responses.
    pub observations: Pair<u64>,
    /// Of the values.
    pub ratio: Option<f64>,
    /// Which ratios are not excluded, at any look.
    pub interval: (f64, f64),
    /// The buckets of the median and of the 95th percentile; `None` for rates, and without responses.
    pub quantiles: Option<Pair<Quantiles>>,
}

/// The buckets in which quantiles lie, as their edges; infinite above the last.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Quantiles {
    /// The median's.
    pub p50: Option<(f64, f64)>,
    /// The 95th percentile's.
    pub p95: Option<(f64, f64)>,
}

/// Evidence of harm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HarmFound {
    /// `ln E`.
    pub ln_e: f64,
    /// The direction that has the most evidence.
    pub direction: Direction,
    /// Whether it may count: a distribution's ratio of means must point the same way.
    pub counts: bool,
}

impl Evidence {
    /// One more start, before the window to come.
    pub fn start(&mut self) {
        match self {
            Self::Rate(rate) => rate.start(),
            Self::Distribution(distribution) => distribution.start(),
        }
    }

    /// The deviations of shards, from which the design effect is estimated; `None` without shards.
    #[must_use]
    pub fn dispersion(&self) -> Option<Dispersion> {
        match self {
            Self::Rate(rate) => rate.dispersion(),
            Self::Distribution(distribution) => distribution.dispersion(),
        }
    }

    /// Which sides have observations.
    #[must_use]
    pub fn is_observed(&self) -> Pair<bool> {
        match self {
            Self::Rate(rate) => rate.totals().map(|count| count.n > 0),
            Self::Distribution(distribution) => distribution.responses().map(|count| count > 0),
        }
    }

    /// `ln E` that the version differs by more than the tolerance.
    #[must_use]
    pub fn ln_e(&self, direction: Direction, phi: f64) -> f64 {
        match self {
            Self::Rate(rate) => rate.ln_e(direction, phi),
            Self::Distribution(distribution) => distribution.ln_e(direction, phi),
        }
    }

    /// Whether the values point in a direction.
    fn agrees(&self, direction: Direction) -> bool {
        let Self::Distribution(distribution) = self else { return true };
        distribution.ratio().is_some_and(|ratio| match direction {
            Direction::Up => ratio > 1.0,
            Direction::Down => ratio < 1.0,
        })
    }

    /// The evidence of harm. With two directions, each has half of alpha.
    #[must_use]
    pub fn harm(&self, harm: Harm, phi: f64) -> HarmFound {
        let directions = harm.directions();
        let share = (directions.len() as f64).ln();
        let found = directions.iter().map(|direction| HarmFound {
            ln_e: self.ln_e(*direction, phi) - share,
            direction: *direction,
            counts: self.agrees(*direction),
        });
        let none = HarmFound { ln_e: f64::NEG_INFINITY, direction: Direction::Up, counts: false };
        found.fold(
            none,
            |best, next| if (next.counts, next.ln_e) > (best.counts, best.ln_e) { next } else { best },
        )
    }

    /// `ln E` that the version differs by less than a margin, in the direction that has the least of it.
    #[must_use]
    pub fn ln_no_worse(&self, harm: Harm, tier: usize, phi: f64) -> f64 {
        let each = harm.directions().iter().map(|direction| self.ln_no_worse_in(*direction, tier, phi));
        each.fold(f64::INFINITY, f64::min)
    }

    fn ln_no_worse_in(&self, direction: Direction, tier: usize, phi: f64) -> f64 {
        match self {
            Self::Rate(rate) => rate.ln_no_worse(direction, tier, phi),
            Self::Distribution(distribution) => distribution.ln_no_worse(direction, tier, phi),
        }
    }

    /// How many more requests of the version it takes until harm beyond the margin is excluded, if the version equals the
    /// baseline. `None` if that cannot be said yet.
    #[must_use]
    pub fn missing(&self, harm: Harm, tier: usize, phi: f64, ln_threshold: f64) -> Option<f64> {
        let each = harm.directions().iter().map(|direction| match self {
            Self::Rate(rate) => rate.missing(*direction, tier, phi, ln_threshold),
            Self::Distribution(distribution) => distribution.missing(*direction, tier, phi, ln_threshold),
        });
        each.collect::<Option<Vec<f64>>>().map(|each| each.into_iter().fold(0.0, f64::max))
    }

    /// The smallest harm that would be found by now, nine times in ten, as a ratio.
    #[must_use]
    pub fn detectable(&self, harm: Harm, tolerance: f64, phi: f64, ln_threshold: f64) -> Option<f64> {
        let directions = harm.directions();
        let question = crate::outlook::Question {
            direction: directions.first().copied().unwrap_or(Direction::Up),
            tolerance,
            ln_threshold: ln_threshold + (directions.len() as f64).ln(),
            phi,
        };
        match self {
            Self::Rate(rate) => {
                let requests = rate.totals().map(|count| count.n);
                question.detectable_rate(requests, rate.rates()?.baseline)
            }
            Self::Distribution(distribution) => {
                let version = distribution.responses().version;
                question.detectable_length(distribution.baseline(), distribution.edges(), version)
            }
        }
    }

    /// Figures to show, with intervals at `ln_threshold`.
    #[must_use]
    pub fn figures(&self, phi: f64, ln_threshold: f64) -> Figures {
        match self {
            Self::Rate(rate) => rate.figures(phi, ln_threshold),
            Self::Distribution(distribution) => distribution.figures(phi, ln_threshold),
        }
    }
}

/// Tests for each margin of a policy, in one direction.
fn of_margins<T>(margins: &[Margin], make: impl Fn(Margin) -> T) -> Vec<T> {
    margins.iter().map(|margin| make(*margin)).collect()
}

/// The mean of two e-values, if there are two.
fn with_first_turns(all: f64, first_turns: Option<f64>) -> f64 {
    first_turns.map_or(all, |first| ln_mean(all, first))
}

#[cfg(test)]
mod tests;
