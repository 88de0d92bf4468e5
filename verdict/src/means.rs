//! The test of means: are the version's responses no longer, on average, than the margin allows?
//!
//! Windows are compared one by one and then added up, weighted by the version's responses. Means over all windows would
//! be confounded: while a share grows, the version has more of the late windows than the baseline has.

use crate::math::{bisect, ln_normal_tilted, ratio, real};
use crate::signal::Direction;
use crate::window::{Histogram, Pair};

/// Fewer responses than this, on either side, are no evidence: their mean is not normal yet.
pub const RESPONSES_MIN: u64 = 200;

/// The mixture is the most powerful at about so many responses of the version.
const RESPONSES_BEST: f64 = 500.0;

/// The number, sum and squares of some responses.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moments {
    /// How many.
    pub n: f64,
    /// Their mean.
    pub mean: f64,
    /// The sum of their squares.
    pub squares: f64,
}

impl Moments {
    /// From exact sums, or from the buckets' middles where there are none. `None` without responses.
    #[must_use]
    pub fn new(histogram: &Histogram, edges: &[f64]) -> Option<Self> {
        Self::with(histogram, edges, Carried::default())
    }

    /// The same, with sums that came before their responses.
    fn with(histogram: &Histogram, edges: &[f64], carried: Carried) -> Option<Self> {
        let (n, sum) = (real(histogram.count()), histogram.sum + carried.sum);
        if n == 0.0 || !sum.is_finite() {
            return None;
        }
        let mean = sum / n;
        let squares = match histogram.squares.map(|squares| squares + carried.squares) {
            Some(squares) if squares.is_finite() => squares,
            _ => spread(histogram, edges).max(0.0) + sum * mean,
        };
        Some(Self { n, mean, squares })
    }
}

/// Answers are taken to vary by this part of their mean at least. Without any variance, answers that are all alike would be no
/// evidence. And sums may be off their responses by nearly 1 %, which can hide a variation of 12 %.
const VARIATION_MIN: f64 = 0.1;

/// Sums of responses that no bucket has yet. Envoy shows its counters at once, and its histograms after a flush.
#[derive(Clone, Copy, Debug, Default)]
struct Carried {
    sum: f64,
    squares: f64,
}

impl Carried {
    /// The moments of a window; a window without responses is carried to the next.
    fn moments(&mut self, histogram: &Histogram, edges: &[f64]) -> Option<Moments> {
        if histogram.count() > 0 {
            return Moments::with(histogram, edges, std::mem::take(self));
        }
        self.sum += histogram.sum;
        self.squares += histogram.squares.unwrap_or(0.0);
        None
    }
}

/// The sum of squared distances from the mean, with each response in the middle of its bucket. What is above the last
/// edge counts as that edge.
fn spread(histogram: &Histogram, edges: &[f64]) -> f64 {
    let last = edges.last().copied().unwrap_or(0.0);
    let lower = std::iter::once(0.0).chain(edges.iter().copied());
    let upper = edges.iter().copied().chain(std::iter::once(last));
    let middles = lower.zip(upper).map(|(lower, upper)| 0.5 * (lower + upper));
    let (mut n, mut sum, mut squares) = (0.0, 0.0, 0.0);
    for (middle, count) in middles.zip(&histogram.counts) {
        let count = real(*count);
        n += count;
        sum += count * middle;
        squares += count * middle * middle;
    }
    squares - ratio(sum * sum, n)
}

/// The variance of a side's responses, each window with a weight.
///
/// It is taken around the mean of all windows: the variance within windows, and what their means drift. That is a little
/// too much, and never too little. A window's own variance would not do. Where histograms lag behind counters, the number
/// of its responses and their sum are of different responses, and windows of one response tell none.
#[derive(Clone, Copy, Debug, Default)]
struct Spread {
    weight: f64,
    sum: f64,
    squares: f64,
}

impl Spread {
    fn push(&mut self, moments: &Moments, weight: f64) {
        self.weight += weight;
        self.sum += weight * moments.mean;
        self.squares += weight * (moments.squares / moments.n);
    }

    /// The variance times the weight.
    fn variance(&self) -> f64 {
        let around_zero = ratio(self.sum * self.sum, self.weight);
        (self.squares - around_zero).max(VARIATION_MIN * VARIATION_MIN * around_zero)
    }
}

/// Sums over windows, from which the means are compared.
#[derive(Clone, Debug, Default)]
pub struct Means {
    responses: Pair<u64>,
    carried: Pair<Carried>,
    /// `Σ n_c`, over windows with responses on both sides.
    weight: f64,
    /// `Σ n_c x̄` of each side.
    sums: Pair<f64>,
    /// `Σ n_c s_c²`, and `Σ n_c s_b² n_c/n_b`.
    spreads: Pair<Spread>,
}

impl Means {
    /// Adds a window.
    pub fn push(&mut self, histograms: &Pair<Histogram>, edges: &[f64]) {
        let version = self.carried.version.moments(&histograms.version, edges);
        let baseline = self.carried.baseline.moments(&histograms.baseline, edges);
        let (Some(version), Some(baseline)) = (version, baseline) else { return };
        self.responses.version = self.responses.version.saturating_add(histograms.version.count());
        self.responses.baseline = self.responses.baseline.saturating_add(histograms.baseline.count());
        self.weight += version.n;
        self.sums.version += version.n * version.mean;
        self.sums.baseline += version.n * baseline.mean;
        self.spreads.version.push(&version, version.n);
        self.spreads.baseline.push(&baseline, version.n * version.n / baseline.n);
    }

    /// The means, both weighted by the version's responses in each window. `None` before both sides had any.
    #[must_use]
    pub fn means(&self) -> Option<Pair<f64>> {
        (self.weight > 0.0).then(|| self.sums.map(|sum| sum / self.weight))
    }

    /// The ratio of the means.
    #[must_use]
    pub fn ratio(&self) -> Option<f64> {
        self.means().map(|means| means.version / means.baseline).filter(|ratio| ratio.is_finite())
    }

    /// `ln E` against the version's mean being at least `limit` times the baseline's (up), or at most that (down), with
    /// the design effect `phi`. 0 before there are [`RESPONSES_MIN`] on either side.
    #[must_use]
    pub fn ln_e(&self, direction: Direction, limit: f64, phi: f64) -> f64 {
        self.ln_e_after(direction, limit, phi, 1.0)
    }

    /// The same when there are `growth` times as many responses, and the means of the new ones are equal.
    fn ln_e_after(&self, direction: Direction, limit: f64, phi: f64, growth: f64) -> f64 {
        let least = self.responses.version.min(self.responses.baseline);
        if real(least) * growth < real(RESPONSES_MIN) {
            return 0.0;
        }
        let more = (growth - 1.0) * self.sums.baseline * (limit - 1.0);
        let below = limit * self.sums.baseline - self.sums.version + more;
        let below = match direction {
            Direction::Up => below,
            Direction::Down => -below,
        };
        let variance = self.variance(limit) * growth;
        let best = variance * ratio(RESPONSES_BEST, self.weight * growth);
        ln_mixture(below, phi * variance, best)
    }

    /// `V / phi`.
    fn variance(&self, limit: f64) -> f64 {
        self.spreads.version.variance() + limit * limit * self.spreads.baseline.variance()
    }

    /// The interval of ratios that neither direction excludes at `ln_threshold`. Infinite where nothing is excluded.
    #[must_use]
    pub fn interval(&self, ln_threshold: f64, phi: f64) -> (f64, f64) {
        const STEPS: u32 = 40;
        /// Ratios are looked for within this factor of the one observed.
        const WITHIN: f64 = 1e3;
        let Some(ratio) = self.ratio().filter(|ratio| *ratio > 0.0) else { return (0.0, f64::INFINITY) };
        let excludes = |direction, limit| self.ln_e(direction, limit, phi) >= ln_threshold;
        let high = if excludes(Direction::Up, ratio * WITHIN) {
            let grown = bisect(0.0, WITHIN.ln(), STEPS, |by| !excludes(Direction::Up, ratio * by.exp()));
            ratio * grown.exp()
        } else {
            f64::INFINITY
        };
        let low = if excludes(Direction::Down, ratio / WITHIN) {
            let grown = bisect(0.0, WITHIN.ln(), STEPS, |by| !excludes(Direction::Down, ratio / by.exp()));
            ratio / grown.exp()
        } else {
            0.0
        };
        (low, high)
    }

    /// How many more responses of the version it takes until a limit is excluded at `ln_threshold`, if the version equals
    /// the baseline from now on. `None` if more than a thousand times what there is, or if nothing is known yet.
    #[must_use]
    pub fn missing(&self, direction: Direction, limit: f64, phi: f64, ln_threshold: f64) -> Option<f64> {
        const STEPS: u32 = 40;
        const GROWTH_MAX: f64 = 1e3;
        let is_missing =
            |ln_growth: f64| self.ln_e_after(direction, limit, phi, ln_growth.exp()) < ln_threshold;
        if self.weight == 0.0 || is_missing(GROWTH_MAX.ln()) {
            return None;
        }
        let ln_growth = bisect(0.0, GROWTH_MAX.ln(), STEPS, is_missing);
        Some(self.weight * ln_growth.exp_m1())
    }
}

/// `ln (2 sqrt(ρ/(v+ρ)) exp(s²/(2(v+ρ))) Φ(s/sqrt(v+ρ)))`: the mixture over positive means of a sum `s` with the variance
/// `v`, a supermartingale if the mean is at most 0 (Robbins 1970; Howard, Ramdas, McAuliffe and Sekhon, Time-uniform,
/// nonparametric, nonasymptotic confidence sequences, 2021, equation 15). The sum is normal only asymptotically.
#[must_use]
pub fn ln_mixture(s: f64, v: f64, rho: f64) -> f64 {
    if !(rho > 0.0 && v >= 0.0 && (v + rho).is_finite() && s.is_finite()) {
        return 0.0;
    }
    let all = v + rho;
    let z = s / all.sqrt();
    std::f64::consts::LN_2 + 0.5 * (rho / all).ln() + ln_normal_tilted(z)
}

#[cfg(test)]
mod tests;
