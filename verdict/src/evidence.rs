//! What the windows so far tell of one signal.
//!
//! In: a signal's counts, window by window. Out: `ln E` for each question, intervals, figures to show. What follows from
//! them is not known here.

mod distribution;
mod rate;

pub use distribution::DistributionEvidence;
pub use rate::RateEvidence;

use crate::outlook::Question;
use crate::phi::Dispersion;
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
    pub agrees: bool,
}

/// What evidence of either kind answers.
trait Answers {
    /// One more start, before the window to come.
    fn start(&mut self);

    /// The deviations of shards; `None` without shards.
    fn dispersion(&self) -> Option<Dispersion>;

    /// What the events are of, or the responses.
    fn observations(&self) -> Pair<u64>;

    /// `ln E` that the version differs by more than the tolerance.
    fn ln_e(&self, direction: Direction, phi: f64) -> f64;

    /// Whether the evidence may count: a distribution's ratio of means must point the same way.
    fn agrees(&self, direction: Direction) -> bool;

    /// `ln E` that the version differs by less than a margin.
    fn ln_no_worse(&self, direction: Direction, tier: usize, phi: f64) -> f64;

    /// How many more requests of the version it takes for that, if it equals the baseline.
    fn missing(&self, direction: Direction, tier: usize, phi: f64, ln_threshold: f64) -> Option<f64>;

    /// The smallest ratio that would be found by now.
    fn detectable(&self, question: &Question) -> Option<f64>;

    /// Figures to show, with intervals at `ln_threshold`.
    fn figures(&self, phi: f64, ln_threshold: f64) -> Figures;
}

impl Evidence {
    fn answers(&self) -> &dyn Answers {
        match self {
            Self::Rate(rate) => &**rate,
            Self::Distribution(distribution) => &**distribution,
        }
    }

    /// One more start, before the window to come.
    pub fn start(&mut self) {
        let answers: &mut dyn Answers = match self {
            Self::Rate(rate) => &mut **rate,
            Self::Distribution(distribution) => &mut **distribution,
        };
        answers.start();
    }

    /// The deviations of shards, from which the design effect is estimated; `None` without shards.
    #[must_use]
    pub fn dispersion(&self) -> Option<Dispersion> {
        self.answers().dispersion()
    }

    /// Which sides have observations.
    #[must_use]
    pub fn is_observed(&self) -> Pair<bool> {
        self.answers().observations().map(|observations| observations > 0)
    }

    /// The evidence of harm. With two directions, each has half of alpha.
    #[must_use]
    pub fn harm(&self, harm: Harm, phi: f64) -> HarmFound {
        let share = (harm.directions().len() as f64).ln();
        let found = harm.directions().iter().map(|direction| HarmFound {
            ln_e: self.answers().ln_e(*direction, phi) - share,
            direction: *direction,
            agrees: self.answers().agrees(*direction),
        });
        let none = HarmFound { ln_e: f64::NEG_INFINITY, direction: Direction::Up, agrees: false };
        let is_more =
            |one: &HarmFound, other: &HarmFound| (one.agrees, one.ln_e) > (other.agrees, other.ln_e);
        found.fold(none, |most, next| if is_more(&next, &most) { next } else { most })
    }

    /// `ln E` that the version differs by less than a margin, in the direction that has the least of it.
    #[must_use]
    pub fn ln_no_worse(&self, harm: Harm, tier: usize, phi: f64) -> f64 {
        let each =
            harm.directions().iter().map(|direction| self.answers().ln_no_worse(*direction, tier, phi));
        each.fold(f64::INFINITY, f64::min)
    }

    /// How many more requests of the version it takes until harm beyond the margin is excluded, if the version equals the
    /// baseline. `None` if that cannot be said yet.
    #[must_use]
    pub fn missing(&self, harm: Harm, tier: usize, phi: f64, ln_threshold: f64) -> Option<f64> {
        let each = harm
            .directions()
            .iter()
            .map(|direction| self.answers().missing(*direction, tier, phi, ln_threshold));
        each.collect::<Option<Vec<f64>>>().map(|each| each.into_iter().fold(0.0, f64::max))
    }

    /// The smallest harm that would be found by now, nine times in ten, as a ratio. Of two directions, that upwards.
    #[must_use]
    pub fn detectable(&self, harm: Harm, tolerance: f64, phi: f64, ln_threshold: f64) -> Option<f64> {
        let directions = harm.directions();
        let direction = directions.first().copied()?;
        let ln_threshold = ln_threshold + (directions.len() as f64).ln();
        self.answers().detectable(&Question { direction, tolerance, ln_threshold, phi })
    }

    /// Figures to show, with intervals at `ln_threshold`.
    #[must_use]
    pub fn figures(&self, phi: f64, ln_threshold: f64) -> Figures {
        self.answers().figures(phi, ln_threshold)
    }
}

#[cfg(test)]
mod tests;
