//! The interval of a rate's ratio that holds at any look.
//!
//! An odds ratio is left out if the test of [`crate::rates`] that it is exceeded, or that it is not reached, has found so.
//! That is a confidence sequence (Darling and Robbins 1967): the chance that the true ratio is ever left out is at most
//! what the threshold allows.

use crate::hypergeometric::Likelihood;
use crate::math::{ln_sum, ratio};
use crate::rates::ALTERNATIVES;
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
        let is_above = |point: usize| self.ln_e(point, true, phi) >= ln_threshold;
        let is_below = |point: usize| self.ln_e(point, false, phi) >= ln_threshold;
        // Exclusion is monotone, so the first point that is not excluded tells all of them.
        let mut tested = (REACH - TESTED)..=(REACH + TESTED);
        let low = tested.clone().take_while(|point| is_above(*point)).last();
        let high = loop {
            match tested.next_back() {
                Some(point) if is_below(point) => continue,
                point => break point,
            }
        };
        let between = |point: usize, is_up: bool| self.crossing(point, is_up, ln_threshold, phi).exp();
        let low = low.map_or(0.0, |point| between(point, true));
        let high = match high {
            Some(point) if point < REACH + TESTED => between(point.saturating_add(1), false),
            Some(_) => f64::INFINITY,
            None => between(REACH - TESTED, false),
        };
        (low, high)
    }

    /// The log odds ratio at which `ln E` crosses the threshold, next to an excluded point: by a straight line.
    fn crossing(&self, excluded: usize, is_up: bool, ln_threshold: f64, phi: f64) -> f64 {
        let next = if is_up { excluded.saturating_add(1) } else { excluded.saturating_sub(1) };
        let next = next.clamp(REACH - TESTED, REACH + TESTED);
        let (here, there) = (self.ln_e(excluded, is_up, phi), self.ln_e(next, is_up, phi));
        let part = ((here - ln_threshold) / (here - there)).clamp(0.0, 1.0);
        let part = if part.is_finite() { part } else { 0.0 };
        ln_odds(excluded) + part * (ln_odds(next) - ln_odds(excluded))
    }

    /// `ln E` that the odds ratio is above a point, or below it.
    fn ln_e(&self, point: usize, is_up: bool, phi: f64) -> f64 {
        let at = |point: usize| self.ln.get(point).copied().unwrap_or(f64::NEG_INFINITY);
        let null = at(point);
        let bets = ALTERNATIVES.iter().map(|beyond| {
            let steps = (beyond / STEP).round() as usize;
            let point = if is_up { point.saturating_add(steps) } else { point.saturating_sub(steps) };
            (at(point) - null) / phi
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
