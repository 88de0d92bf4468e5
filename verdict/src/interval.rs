//! The interval of a rate's ratio that holds at any look.
//!
//! An odds ratio is left out if the test of [`crate::rates`] that it is exceeded, or that it is not reached, has found so.
//! That is a confidence sequence (Darling and Robbins 1967): the chance that the true ratio is ever left out is at most
//! what the threshold allows.

use crate::hypergeometric::Likelihood;
use crate::math::{ln_sum, ratio};
use crate::rates::ALTERNATIVES;
use crate::signal::Direction;
use crate::window::{Count, Pair};

/// The points are so far apart; all [`ALTERNATIVES`] are multiples of it.
const STEP: f64 = 0.05;

/// Odds ratios between `exp(±TESTED·STEP)` are tested, 1/30 to 30. Beyond nothing is left out.
const TESTED: usize = 68;

/// The most distant alternative, in steps.
const BEYOND: usize = 36;

const REACH: usize = TESTED + BEYOND;

/// The number of points.
const POINTS: usize = 2 * REACH + 1;

/// The log likelihood of the log odds ratio at fixed points, added up over windows.
#[derive(Clone, Debug)]
pub struct Profile {
    ln: Box<[f64; POINTS]>,
}

impl Default for Profile {
    fn default() -> Self {
        Self { ln: Box::new([0.0; POINTS]) }
    }
}

/// A point's log odds ratio.
fn ln_odds(point: usize) -> f64 {
    (point as f64 - REACH as f64) * STEP
}

impl Profile {
    /// Adds a window.
    pub fn push(&mut self, table: &Pair<Count>) {
        if let Some(mut likelihood) = Likelihood::new(table) {
            for (point, ln) in self.ln.iter_mut().enumerate() {
                *ln += likelihood.ln(ln_odds(point));
            }
        }
    }

    /// The odds ratios that neither direction excludes at `ln_threshold`, with the design effect `phi`.
    #[must_use]
    pub fn interval(&self, ln_threshold: f64, phi: f64) -> (f64, f64) {
        let tested = (REACH - TESTED)..=(REACH + TESTED);
        let low = self.bound(tested.clone(), Direction::Up, ln_threshold, phi);
        let high = self.bound(tested.rev(), Direction::Down, ln_threshold, phi);
        (low.map_or(0.0, f64::exp), high.map_or(f64::INFINITY, f64::exp))
    }

    /// The log odds ratio at which `ln E` falls below the threshold, from the most distant point inwards: between two
    /// points by a straight line. `None` if the first point is not excluded. Exclusion is monotone.
    fn bound(
        &self,
        points: impl Iterator<Item = usize>,
        direction: Direction,
        ln_threshold: f64,
        phi: f64,
    ) -> Option<f64> {
        let mut excluded = None;
        for point in points {
            let (here, ln_e) = (ln_odds(point), self.ln_e(point, direction, phi));
            if ln_e < ln_threshold {
                let (before, more) = excluded?;
                return Some(before + (more - ln_threshold) / (more - ln_e) * (here - before));
            }
            excluded = Some((here, ln_e));
        }
        excluded.map(|(last, _)| last)
    }

    /// `ln E` that the odds ratio is above a point, or below it.
    fn ln_e(&self, point: usize, direction: Direction, phi: f64) -> f64 {
        let at = |point: usize| self.ln.get(point).copied().unwrap_or(f64::NEG_INFINITY);
        let null = at(point);
        let bets = ALTERNATIVES.iter().map(|beyond| {
            let steps = (beyond / STEP).round() as usize;
            let alternative = match direction {
                Direction::Up => point.saturating_add(steps),
                Direction::Down => point.saturating_sub(steps),
            };
            (at(alternative) - null) / phi
        });
        ln_sum(bets) - (ALTERNATIVES.len() as f64).ln()
    }
}

/// The ratio of rates that an odds ratio makes of a baseline's rate (Zhang and Yu, JAMA 280, 1998).
#[must_use]
pub fn ratio_of_rates(odds_ratio: f64, baseline: f64) -> f64 {
    if odds_ratio.is_finite() {
        ratio(odds_ratio, 1.0 - baseline + baseline * odds_ratio)
    } else if baseline > 0.0 {
        baseline.recip()
    } else {
        odds_ratio
    }
}

#[cfg(test)]
mod tests;
