//! The test of distributions: are the version's responses longer, or slower?
//!
//! The responses of a window go through the buckets from short to long. At each bucket, those that are at least as
//! long form a two-by-two table: version or baseline, ends in this bucket or is longer. If the version makes no
//! difference the table is hypergeometric, given all before it, so the factors of all buckets multiply (the discrete
//! logrank test: Mantel 1966; as a safe test: ter Schure, Pérez-Ortiz, Ly and Grünwald, The anytime-valid logrank test,
//! 2020). Longer means lower odds of ending in a bucket.

use crate::hypergeometric::Likelihood;
use crate::rates::ln_factors;
use crate::signal::Direction;
use crate::starts::Process;
use crate::window::{Count, Histogram, Pair};

/// How many alternatives are bet on.
pub const BETS: usize = 3;

/// The alternatives, as logarithms of the odds ratio over the tolerance.
pub const ALTERNATIVES: [f64; BETS] = [0.2, 0.4, 0.7];

/// Evidence that the odds of ending in a bucket are less than one `tolerance`-th of the baseline's, so that responses
/// are longer; and that they are more than `tolerance` times.
#[derive(Clone, Debug)]
pub struct Longer {
    ln_tolerance: f64,
    up: Process<BETS>,
    down: Process<BETS>,
    information: f64,
}

impl Longer {
    /// No evidence yet.
    #[must_use]
    pub fn new(tolerance: f64) -> Self {
        Self {
            ln_tolerance: tolerance.ln(),
            up: Process::default(),
            down: Process::default(),
            information: 0.0,
        }
    }

    /// Adds a window.
    pub fn push(&mut self, histograms: &Pair<Histogram>) {
        for table in tables(histograms) {
            if let Some(mut likelihood) = Likelihood::new(&table) {
                // Few ends are few requests that are longer.
                self.up.add(&ln_factors(&mut likelihood, Direction::Down, self.ln_tolerance, ALTERNATIVES));
                self.down.add(&ln_factors(&mut likelihood, Direction::Up, self.ln_tolerance, ALTERNATIVES));
                self.information += variance(&table);
            }
        }
    }

    /// One more start, before the window to come.
    pub fn start(&mut self) {
        self.up.start();
        self.down.start();
    }

    /// `ln E`, with the design effect `phi`; up is longer.
    #[must_use]
    pub fn ln_e(&self, direction: Direction, phi: f64) -> f64 {
        match direction {
            Direction::Up => self.up.ln_e(phi),
            Direction::Down => self.down.ln_e(phi),
        }
    }

    /// The variance of the number of the version's ends, added up over buckets: how exactly a log odds ratio is known by now.
    #[must_use]
    pub fn information(&self) -> f64 {
        self.information
    }
}

/// A table for each bucket: of the responses that are at least as long, those that end in it.
pub fn tables(histograms: &Pair<Histogram>) -> impl Iterator<Item = Pair<Count>> {
    let mut longer = histograms.each().map(Histogram::count);
    let buckets = histograms.version.counts.iter().zip(&histograms.baseline.counts);
    buckets.map(move |(version, baseline)| {
        let ends = Pair { version: *version, baseline: *baseline };
        let table = Pair {
            version: Count { n: longer.version, d: ends.version },
            baseline: Count { n: longer.baseline, d: ends.baseline },
        };
        longer.version = longer.version.saturating_sub(ends.version);
        longer.baseline = longer.baseline.saturating_sub(ends.baseline);
        table
    })
}

/// The hypergeometric variance of the version's events.
#[must_use]
pub fn variance(table: &Pair<Count>) -> f64 {
    let (n, d) = (table.map(|count| count.n as f64), table.map(|count| count.d as f64));
    let (all, events) = (n.version + n.baseline, d.version + d.baseline);
    if all > 1.0 {
        events * (n.version / all) * (n.baseline / all) * ((all - events) / (all - 1.0))
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests;
