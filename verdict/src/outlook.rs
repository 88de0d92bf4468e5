//! What could be found by now, and how long a test takes: the test itself, applied to what is expected.

use crate::hypergeometric::Likelihood;
use crate::logrank;
use crate::math::{bisect, ln_sum, real};
use crate::rates::{ALTERNATIVES, ln_factors};
use crate::signal::Direction;
use crate::starts::Process;
use crate::window::{Count, Pair};

/// The normal quantile of one in ten: harm is found nine times in ten if the weak tenth of its results is enough.
const WEAK_TENTH: f64 = -1.281_551_565_544_600_5;

/// Ratios are looked for up to this.
const RATIO_MAX: f64 = 1e3;

/// Halvings of a search: ratios are found to a thousandth, requests to a thousandth of their number.
const STEPS: u32 = 16;

/// What one test of a rate is about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Question {
    /// Which change is looked for.
    pub direction: Direction,
    /// What is tolerated.
    pub tolerance: f64,
    /// `ln E` that is needed.
    pub ln_threshold: f64,
    /// The design effect.
    pub phi: f64,
}

impl Question {
    /// The smallest ratio of rates, or for [`Direction::Down`] the largest, that would be found nine times in ten with so
    /// many requests. `None` if there is none, or if the baseline has no events.
    #[must_use]
    pub fn detectable_rate(&self, requests: Pair<u64>, baseline: f64) -> Option<f64> {
        let is_known = baseline > 0.0 && requests.both(|n| *n > 0);
        let found = |ratio: f64| self.is_found(requests, baseline, ratio, WEAK_TENTH);
        if is_known { self.smallest(found) } else { None }
    }

    /// The same for the ratio of lengths, with the baseline's responses by bucket and the version's number.
    #[must_use]
    pub fn detectable_length(&self, baseline: &[u64], edges: &[f64], version: u64) -> Option<f64> {
        if version == 0 || baseline.iter().all(|count| *count == 0) {
            return None;
        }
        self.smallest(|ratio| self.is_length_found(baseline, edges, version, ratio))
    }

    /// The ratio closest to 1 that is found; those beyond it are found as well.
    fn smallest(&self, found: impl Fn(f64) -> bool) -> Option<f64> {
        let ratio = |ln_ratio: f64| match self.direction {
            Direction::Up => ln_ratio.exp(),
            Direction::Down => (-ln_ratio).exp(),
        };
        let farthest = RATIO_MAX.ln();
        if !found(ratio(farthest)) {
            return None;
        }
        let nearer = bisect(0.0, farthest, STEPS, |nearer| found(ratio(farthest - nearer)));
        Some(ratio(farthest - nearer))
    }

    /// Whether `E` reaches the threshold where the version's events lie at a normal quantile of what a ratio leads to.
    fn is_found(&self, requests: Pair<u64>, baseline: f64, ratio: f64, quantile: f64) -> bool {
        let rate = (baseline * ratio).min(1.0);
        let n = requests.map(real);
        let sign = match self.direction {
            Direction::Up => 1.0,
            Direction::Down => -1.0,
        };
        let deviation = (n.version * rate * (1.0 - rate) * self.phi).sqrt();
        let events = n.version * rate + sign * quantile * deviation;
        let table = Pair {
            version: Count { n: requests.version, d: events.round().max(0.0) as u64 },
            baseline: Count { n: requests.baseline, d: (n.baseline * baseline).round() as u64 },
        };
        let Some(mut likelihood) = Likelihood::new(&table) else { return false };
        let mut process = Process::default();
        process.add(&ln_factors(&mut likelihood, self.direction, self.tolerance.ln(), ALTERNATIVES));
        process.ln_e(self.phi) >= self.ln_threshold
    }

    /// The logrank test's log likelihood is close to a parabola: its slope is the sum of observed minus expected ends, and
    /// its curvature their variance.
    fn is_length_found(&self, baseline: &[u64], edges: &[f64], version: u64, ratio: f64) -> bool {
        let base: Vec<f64> = baseline.iter().map(|count| real(*count)).collect();
        let all: f64 = base.iter().sum();
        let stretched = stretched(&base, edges, ratio);
        let scale = real(version) / all;
        let (mut at_risk, mut slope, mut information) =
            (Pair { version: real(version), baseline: all }, 0.0, 0.0);
        for (version, baseline) in stretched.iter().map(|count| count * scale).zip(&base) {
            let both = at_risk.version + at_risk.baseline;
            let (ends, part) = (version + baseline, at_risk.version / both);
            if both > 1.0 {
                slope += version - ends * part;
                information += ends * part * (1.0 - part) * (1.0 - ends / both).max(0.0);
            }
            at_risk.version -= version;
            at_risk.baseline -= baseline;
        }
        let longer = match self.direction {
            Direction::Up => -slope,
            Direction::Down => slope,
        };
        let slope = longer + WEAK_TENTH * (information * self.phi).sqrt();
        let null = self.tolerance.ln();
        let bets = logrank::ALTERNATIVES.iter().map(|beyond| {
            let odds = null + beyond;
            (slope * (odds - null) - information * (odds * odds - null * null) / 2.0) / self.phi
        });
        ln_sum(bets) - (logrank::BETS as f64).ln() >= self.ln_threshold
    }
}

/// Responses by bucket if all were `ratio` times as long, spread evenly within their buckets. What is above the last edge
/// stays there.
fn stretched(counts: &[f64], edges: &[f64], ratio: f64) -> Vec<f64> {
    let mut found = vec![0.0; counts.len()];
    let lower = std::iter::once(0.0).chain(edges.iter().copied());
    for (count, (low, high)) in counts.iter().zip(lower.clone().zip(edges)) {
        let (low, high) = (low * ratio, high * ratio);
        let mut left = *count;
        for (bucket, (from, to)) in found.iter_mut().zip(lower.clone().zip(edges)) {
            let part = (to.min(high) - from.max(low)).max(0.0) / (high - low);
            if part.is_finite() {
                *bucket += part * count;
                left -= part * count;
            }
        }
        if let Some(last) = found.last_mut() {
            *last += left.max(0.0);
        }
    }
    if let (Some(last), Some(count), true) = (found.last_mut(), counts.last(), counts.len() > edges.len()) {
        *last += count;
    }
    found
}

/// How many requests a test takes, of both versions together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// In half of all tests.
    pub median: u64,
    /// In nine of ten.
    pub nine_in_ten: u64,
}

/// How many requests it takes to find that a rate is `ratio` times the baseline's, if the version has a share of them.
/// `None` if that takes more than ten thousand million, or if the ratio is tolerated.
#[must_use]
pub fn plan(question: &Question, baseline: f64, ratio: f64, share: f64) -> Option<Plan> {
    const REQUESTS_MAX: f64 = 1e10;
    let is_found = |ln_requests: f64, quantile: f64| {
        let all = ln_requests.exp();
        let requests = Pair { version: all * share, baseline: all * (1.0 - share) };
        question.is_found(requests.map(|n| n.round() as u64), baseline, ratio, quantile)
    };
    let needed = |quantile: f64| {
        is_found(REQUESTS_MAX.ln(), quantile).then(|| {
            bisect(0.0, REQUESTS_MAX.ln(), STEPS, |requests| !is_found(requests, quantile)).exp().ceil()
                as u64
        })
    };
    Some(Plan { median: needed(0.0)?, nine_in_ten: needed(WEAK_TENTH)? })
}

#[cfg(test)]
mod tests;
