//! The evidence of a distribution.

use super::{Answers, Figures, Quantiles};
use crate::logrank::Longer;
use crate::math::ratio;
use crate::means::{Means, Moments};
use crate::outlook::Question;
use crate::phi::{Dispersion, of_mean};
use crate::policy::Margin;
use crate::signal::Direction;
use crate::steps::{add, quantile};
use crate::window::{Distribution, Histogram, Pair, SHARDS, Total};

/// The responses of one side.
#[derive(Clone, Debug, Default)]
struct Side {
    counts: Vec<u64>,
    edges: Vec<f64>,
    responses: u64,
    /// The sum of all of them.
    sum: f64,
    /// The sum of squares; of windows that know it, or from the buckets.
    squares: f64,
    shards: Option<Box<[Total; SHARDS]>>,
}

/// What the windows so far tell of a distribution.
#[derive(Clone, Debug)]
pub struct DistributionEvidence {
    longer: Longer,
    means: Means,
    margins: Vec<Margin>,
    sides: Pair<Side>,
}

impl Side {
    fn push(&mut self, window: &Distribution, histogram: &Histogram, shards: Option<&[Total; SHARDS]>) {
        add(&mut self.counts, &mut self.edges, window, histogram);
        self.responses = self.responses.saturating_add(histogram.count());
        self.sum += histogram.sum;
        self.squares += squares(histogram, &window.edges);
        if let Some(shards) = shards {
            let sums = self.shards.get_or_insert_with(|| Box::new([Total::default(); SHARDS]));
            for (sum, more) in sums.iter_mut().zip(shards) {
                sum.n = sum.n.saturating_add(more.n);
                sum.sum += more.sum;
            }
        }
    }

    fn dispersion(&self) -> Dispersion {
        let Some(shards) = &self.shards else { return Dispersion::default() };
        // Shards are counted at once, and histograms are shown later.
        let sum: f64 = shards.iter().map(|shard| shard.sum).sum();
        let ahead = ratio(sum, self.sum);
        of_mean(shards, self.squares * if ahead > 0.0 { ahead } else { 1.0 })
    }

    fn quantiles(&self) -> Quantiles {
        let at = |part| quantile(&self.counts, &self.edges, part);
        Quantiles { p50: at(0.5), p95: at(0.95) }
    }
}

/// The sum of squares, from the buckets where it is not known.
fn squares(histogram: &Histogram, edges: &[f64]) -> f64 {
    let from_buckets = || Moments::new(histogram, edges).map_or(0.0, |moments| moments.squares);
    histogram.squares.unwrap_or_else(from_buckets)
}

impl DistributionEvidence {
    /// No evidence yet.
    #[must_use]
    pub fn new(tolerance: f64, margins: &[Margin]) -> Self {
        Self {
            longer: Longer::new(tolerance),
            means: Means::default(),
            margins: margins.to_vec(),
            sides: Pair::default(),
        }
    }

    /// Adds a window.
    pub fn push(&mut self, window: &Distribution) {
        self.longer.push(&window.histograms);
        self.means.push(&window.histograms, &window.edges);
        let shards = window.shards.as_ref();
        let (version, baseline) =
            (shards.map(|shards| &*shards.version), shards.map(|shards| &*shards.baseline));
        self.sides.version.push(window, &window.histograms.version, version);
        self.sides.baseline.push(window, &window.histograms.baseline, baseline);
    }

    fn limit(&self, direction: Direction, tier: usize) -> Option<f64> {
        let ratio = self.margins.get(tier)?.ratio;
        Some(match direction {
            Direction::Up => ratio,
            Direction::Down => ratio.recip(),
        })
    }
}

impl Answers for DistributionEvidence {
    fn start(&mut self) {
        self.longer.start();
    }

    fn dispersion(&self) -> Option<Dispersion> {
        let has_shards = self.sides.either(|side| side.shards.is_some());
        has_shards.then(|| self.sides.version.dispersion().and(self.sides.baseline.dispersion()))
    }

    fn observations(&self) -> Pair<u64> {
        self.sides.each().map(|side| side.responses)
    }

    fn ln_e(&self, direction: Direction, phi: f64) -> f64 {
        self.longer.ln_e(direction, phi)
    }

    fn agrees(&self, direction: Direction) -> bool {
        self.means.ratio().is_some_and(|ratio| match direction {
            Direction::Up => ratio > 1.0,
            Direction::Down => ratio < 1.0,
        })
    }

    fn ln_no_worse(&self, direction: Direction, tier: usize, phi: f64) -> f64 {
        self.limit(direction, tier).map_or(0.0, |limit| self.means.ln_e(direction, limit, phi))
    }

    fn missing(&self, direction: Direction, tier: usize, phi: f64, ln_threshold: f64) -> Option<f64> {
        self.means.missing(direction, self.limit(direction, tier)?, phi, ln_threshold)
    }

    fn detectable(&self, question: &Question) -> Option<f64> {
        let Pair { version, baseline } = self.sides.each();
        question.detectable_length(&baseline.counts, &baseline.edges, version.responses)
    }

    fn figures(&self, phi: f64, ln_threshold: f64) -> Figures {
        let means = self.means.means();
        Figures {
            values: means.map_or(Pair::default(), |means| means.map(Some)),
            events: Pair::default(),
            observations: self.observations(),
            ratio: self.means.ratio(),
            interval: self.means.interval(ln_threshold, phi),
            quantiles: Some(self.sides.each().map(Side::quantiles)),
        }
    }
}
