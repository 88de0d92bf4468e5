//! Tests of rates: is the version worse than the tolerance, and is it no worse than the margin?
//!
//! In: a table of counts for each window. Out: e-values. What is done with them is not known here.

use crate::hypergeometric::Likelihood;
use crate::math::{bisect, divergence, real};
use crate::policy::Margin;
use crate::signal::Direction;
use crate::starts::Process;
use crate::window::{Count, Pair};

/// How many alternatives are bet on.
pub const BETS: usize = 6;

/// The alternatives, as logarithms of the odds ratio over the tolerance: 1.3 to 6 times.
pub const ALTERNATIVES: [f64; BETS] = [0.25, 0.5, 0.75, 1.0, 1.4, 1.8];

/// Evidence that the odds of an event are more than `tolerance` times the baseline's, and that they are less than one
/// `tolerance`-th.
///
/// In a window with the totals given, the factor `(w/tau)^d_c G(tau)/G(w)` has the expectation 1 if the odds ratio is
/// `tau`. If it is below, the expectation is less, because the likelihood ratio rises with `d_c` and `d_c` with the odds
/// ratio (Lehmann and Romano, Testing Statistical Hypotheses, theorem 3.4.1). Base rates and shares may change from window
/// to window as they like.
#[derive(Clone, Debug)]
pub struct Harm {
    ln_tolerance: f64,
    up: Process<BETS>,
    down: Process<BETS>,
}

impl Harm {
    /// No evidence yet. A tolerance of 1 asks for any difference.
    #[must_use]
    pub fn new(tolerance: f64) -> Self {
        Self { ln_tolerance: tolerance.ln(), up: Process::default(), down: Process::default() }
    }

    /// Adds a window.
    pub fn push(&mut self, table: &Pair<Count>) {
        if let Some(mut likelihood) = Likelihood::new(table) {
            self.up.add(&ln_factors(&mut likelihood, Direction::Up, self.ln_tolerance, ALTERNATIVES));
            self.down.add(&ln_factors(&mut likelihood, Direction::Down, self.ln_tolerance, ALTERNATIVES));
        }
    }

    /// One more start, before the window to come.
    pub fn start(&mut self) {
        self.up.start();
        self.down.start();
    }

    /// `ln E`, with the design effect `phi`.
    #[must_use]
    pub fn ln_e(&self, direction: Direction, phi: f64) -> f64 {
        match direction {
            Direction::Up => self.up.ln_e(phi),
            Direction::Down => self.down.ln_e(phi),
        }
    }
}

/// The logarithms of one table's factors, for alternatives beyond the tolerance.
#[must_use]
pub fn ln_factors<const N: usize>(
    likelihood: &mut Likelihood,
    direction: Direction,
    ln_tolerance: f64,
    alternatives: [f64; N],
) -> [f64; N] {
    let sign = match direction {
        Direction::Up => 1.0,
        Direction::Down => -1.0,
    };
    let null = likelihood.ln(sign * ln_tolerance);
    alternatives.map(|beyond| likelihood.ln(sign * (ln_tolerance + beyond)) - null)
}

/// Evidence that the version's rate is below its margin: against `p_c >= max(ratio·p_b, p_b + points)`.
///
/// Each window is a bet that both versions have the rate `q` seen before it, against the pair of rates of the null
/// hypothesis that is closest to that in Kullback and Leibler's divergence. The null hypothesis is a convex set, so this
/// is an e-value for all of it (Turner, Ly and Grünwald, Generic E-variables for exact sequential k-sample tests, 2021;
/// Larsson, Ramdas and Ruf, The numeraire e-variable, 2024), at any base rate and any drift.
#[derive(Clone, Debug)]
pub struct NoWorse {
    margin: Margin,
    /// Of both versions, in the windows so far.
    before: Count,
    ln_e: f64,
}

impl NoWorse {
    /// No evidence yet.
    #[must_use]
    pub fn new(margin: Margin) -> Self {
        Self { margin, before: Count::default(), ln_e: 0.0 }
    }

    /// The margin that it is about.
    #[must_use]
    pub fn margin(&self) -> Margin {
        self.margin
    }

    /// Adds a window. The first one tells only what is usual.
    pub fn push(&mut self, table: &Pair<Count>) {
        if self.before.n > 0 {
            let usual = (real(self.before.d) + 0.5) / (real(self.before.n) + 1.0);
            let size = table.map(|count| real(count.n));
            let null = closest(self.margin, usual, size);
            self.ln_e += bet(table.version, usual, null.version) + bet(table.baseline, usual, null.baseline);
        }
        self.before.add(table.version);
        self.before.add(table.baseline);
    }

    /// `ln E`, with the design effect `phi`.
    #[must_use]
    pub fn ln_e(&self, phi: f64) -> f64 {
        self.ln_e / phi
    }

    /// By how much `ln E` is expected to grow with each request of the version if both versions have the rate `usual`
    /// and the baseline has `times` as many requests.
    #[must_use]
    pub fn growth(&self, usual: f64, times: f64, phi: f64) -> f64 {
        let size = Pair { version: 1.0, baseline: times };
        let null = closest(self.margin, usual, size);
        (divergence(usual, null.version) + times * divergence(usual, null.baseline)) / phi
    }
}

/// `d ln(q/p) + (n-d) ln((1-q)/(1-p))`
fn bet(count: Count, q: f64, p: f64) -> f64 {
    let d = real(count.d.min(count.n));
    let rest = real(count.n) - d;
    d * (q / p).ln() + rest * ((1.0 - q) / (1.0 - p)).ln()
}

/// The pair of rates of the null hypothesis, on its border, that is closest to both being `q`: it minimises
/// `n_c·KL(q‖g(p)) + n_b·KL(q‖p)` over `p` in `(0, q]`, where `g` is the margin. Both terms are convex in `p`.
fn closest(margin: Margin, q: f64, size: Pair<f64>) -> Pair<f64> {
    const STEPS: u32 = 32;
    /// Rates are kept this far from 0 and 1, relatively.
    const INSIDE: f64 = 1e-9;
    let border = |p: f64| (margin.ratio * p).max(p + margin.points);
    let slope = |p: f64| if margin.ratio * p > p + margin.points { margin.ratio } else { 1.0 };
    // The derivative of KL(q‖p).
    let pull = |p: f64| (p - q) / (p * (1.0 - p));
    let highest = ((1.0 - INSIDE - margin.points).min((1.0 - INSIDE) / margin.ratio)).min(q);
    let lowest = INSIDE * q;
    let falls = |p: f64| {
        let c = border(p);
        c < 1.0 && size.version * pull(c) * slope(p) + size.baseline * pull(p) < 0.0
    };
    let p = bisect(lowest, highest.max(lowest), STEPS, falls);
    Pair { version: border(p).clamp(INSIDE, 1.0 - INSIDE), baseline: p }
}

#[cfg(test)]
mod tests;
