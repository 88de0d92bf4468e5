//! Fisher's noncentral hypergeometric distribution: how the events of a window divide between two versions, if one has
//! `w` times the odds of the other.
//!
//! Of `n_c` and `n_b` requests, `m` had an event. Given these three numbers, the chance that `d` of the events are the
//! version's is `C(n_c, d) C(n_b, m-d) w^d / G(w)`, with
//!
//! ```text
//! G(w) = Σ_d C(n_c, d) C(n_b, m-d) w^d
//! ```
//!
//! (Fisher 1935; Fog, Communications in Statistics 37, 2008). Only `G(w)/G(v)` and the like are ever needed. So no
//! factorial is computed: neighbouring terms have a simple ratio, and all terms are relative to one of them. Nothing
//! large cancels, and what is left out of a sum has a bound.

use crate::math::real;
use crate::window::{Count, Pair};

/// More requests of a version in one window are scaled down to so many, and the other counts alike. Less evidence is
/// then seen than there is, never more.
const REQUESTS_MAX: f64 = 1e7;

/// What is left out of a sum, relative to the sum.
const LEFT_OUT: f64 = 1e-16;

/// Up to so many terms beside the largest, on either side, their coefficients are computed once. With so few, and the odds
/// ratios that are asked for, nothing overflows.
const FEW: f64 = 40.0;

/// Log odds ratios of such polynomials: `exp(40 · 16)` is a number.
const LN_ODDS_OF_FEW: f64 = 16.0;

/// The products of ratios are kept in this range.
const PRODUCT_MAX: f64 = 1e200;

/// The likelihood of a log odds ratio in one two-by-two table.
///
/// It remembers the largest term of the sum that it computed last. Asking for odds ratios in order is quick.
#[derive(Clone, Debug)]
pub struct Likelihood {
    /// Requests of the version and of the baseline, and events of both; whole numbers.
    n_version: f64,
    n_baseline: f64,
    events: f64,
    /// The version's events that are possible at all.
    low: f64,
    high: f64,
    /// The version's events as observed.
    observed: f64,
    /// The most probable number of them at equal odds. All terms are relative to the term of this number.
    start: f64,
    /// The number that has the largest term at the odds asked for last, and the logarithm of its term at equal odds.
    at: f64,
    ln_term: f64,
    /// All terms, if they are few.
    few: Option<Polynomial>,
}

/// All terms, at equal odds and relative to that of `start`: with more events than that, and with fewer.
#[derive(Clone, Debug)]
struct Polynomial {
    more: Vec<f64>,
    fewer: Vec<f64>,
}

impl Polynomial {
    /// `ln Σ`, by Horner's rule.
    fn ln_sum(&self, odds: f64) -> f64 {
        let horner = |terms: &[f64], by: f64| terms.iter().rev().fold(0.0, |sum, term| (sum + term) * by);
        (1.0 + horner(&self.more, odds) + horner(&self.fewer, odds.recip())).ln()
    }
}

impl Likelihood {
    /// `None` where nothing can be learned: one side is empty, or all or none of the requests had an event.
    #[must_use]
    pub fn new(table: &Pair<Count>) -> Option<Self> {
        let largest = real(table.version.n.max(table.baseline.n));
        let scale = (REQUESTS_MAX / largest).min(1.0);
        let scaled = |count: u64| (real(count) * scale).floor();
        let (n_version, n_baseline) = (scaled(table.version.n), scaled(table.baseline.n));
        let d_version = scaled(table.version.d).min(n_version);
        let events = d_version + scaled(table.baseline.d).min(n_baseline);
        let low = (events - n_baseline).max(0.0);
        let high = events.min(n_version);
        if low >= high {
            return None;
        }
        let mode = ((n_version + 1.0) * (events + 1.0) / (n_version + n_baseline + 2.0)).floor();
        let start = mode.clamp(low, high);
        let mut table = Self {
            n_version,
            n_baseline,
            events,
            low,
            high,
            observed: d_version,
            start,
            at: start,
            ln_term: 0.0,
            few: None,
        };
        table.few = (high - start <= FEW && start - low <= FEW).then(|| table.polynomial());
        Some(table)
    }

    /// The logarithm of the chance of what was observed at a log odds ratio, up to a constant of the table.
    #[must_use]
    pub fn ln(&mut self, ln_odds: f64) -> f64 {
        (self.observed - self.start) * ln_odds - self.ln_sum(ln_odds)
    }

    /// The version's expected events at a log odds ratio, and their variance.
    #[must_use]
    pub fn moments(&mut self, ln_odds: f64) -> (f64, f64) {
        self.climb(ln_odds.exp());
        let (mut sum, mut first, mut second) = (1.0, 0.0, 0.0);
        self.terms(ln_odds.exp(), |distance, term| {
            sum += term;
            first += distance * term;
            second += distance * distance * term;
        });
        let mean = first / sum;
        (self.at + mean, (second / sum - mean * mean).max(0.0))
    }

    fn polynomial(&self) -> Polynomial {
        let terms = |from: f64, to: f64, step: f64| {
            let (mut d, mut term, mut terms) = (from, 1.0, Vec::new());
            while d != to {
                term *= if step > 0.0 { self.ratio(d) } else { self.ratio(d - 1.0).recip() };
                d += step;
                terms.push(term);
            }
            terms
        };
        Polynomial { more: terms(self.start, self.high, 1.0), fewer: terms(self.start, self.low, -1.0) }
    }

    /// `ln G(e^ln_odds)`, up to a constant of the table.
    fn ln_sum(&mut self, ln_odds: f64) -> f64 {
        let odds = ln_odds.exp();
        if let Some(few) = self.few.as_ref().filter(|_| ln_odds.abs() <= LN_ODDS_OF_FEW) {
            return few.ln_sum(odds);
        }
        self.climb(odds);
        let mut sum = 1.0;
        self.terms(odds, |_, term| sum += term);
        self.ln_term + (self.at - self.start) * ln_odds + sum.ln()
    }

    /// The term of `d + 1` events over that of `d`, at equal odds.
    fn ratio(&self, d: f64) -> f64 {
        (self.n_version - d) * (self.events - d) / ((d + 1.0) * (self.n_baseline - self.events + d + 1.0))
    }

    /// Moves to the largest term. Terms rise up to it and fall from it on, because their ratios fall.
    fn climb(&mut self, odds: f64) {
        let mut product = 1.0;
        while self.at < self.high && self.ratio(self.at) * odds > 1.0 {
            product *= self.ratio(self.at);
            self.at += 1.0;
            self.keep(&mut product);
        }
        while self.at > self.low && self.ratio(self.at - 1.0) * odds < 1.0 {
            self.at -= 1.0;
            product /= self.ratio(self.at);
            self.keep(&mut product);
        }
        if product != 1.0 {
            self.ln_term += product.ln();
        }
    }

    fn keep(&mut self, product: &mut f64) {
        if !(PRODUCT_MAX.recip()..PRODUCT_MAX).contains(product) {
            self.ln_term += product.ln();
            *product = 1.0;
        }
    }

    /// Hands out the terms beside the largest, relative to it, with their distance from it. Ratios fall with the
    /// distance, so what is left out after a term `t` with the ratio `r` is at most `t·r/(1-r)`.
    fn terms(&self, odds: f64, mut take: impl FnMut(f64, f64)) {
        let (mut d, mut term) = (self.at, 1.0);
        while d < self.high {
            let ratio = self.ratio(d) * odds;
            term *= ratio;
            d += 1.0;
            take(d - self.at, term);
            if term * ratio <= LEFT_OUT * (1.0 - ratio) {
                break;
            }
        }
        (d, term) = (self.at, 1.0);
        while d > self.low {
            let ratio = (self.ratio(d - 1.0) * odds).recip();
            term *= ratio;
            d -= 1.0;
            take(d - self.at, term);
            if term * ratio <= LEFT_OUT * (1.0 - ratio) {
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests;
