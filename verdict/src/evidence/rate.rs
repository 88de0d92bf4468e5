//! The evidence of a rate.

use super::{Answers, Figures};
use crate::interval::{Profile, ratio_of_rates};
use crate::math::{ln_mean, ratio, real};
use crate::outlook::Question;
use crate::phi::{Dispersion, of_rate};
use crate::policy::Margin;
use crate::rates::{Harm, NoWorse};
use crate::signal::{self, Direction};
use crate::window::{Count, Pair, Rate, SHARDS};

/// What the windows so far tell of a rate.
#[derive(Clone, Debug)]
pub struct RateEvidence {
    harm: Harm,
    /// Of first turns alone, from their first on.
    first_turns: Option<Harm>,
    tolerance: f64,
    /// For each margin: that the version's rate is no higher than it allows, and that the baseline's is not. Empty where
    /// that is no harm.
    no_higher: Vec<NoWorse>,
    no_lower: Vec<NoWorse>,
    profile: Profile,
    shards: Option<Pair<Box<[Count; SHARDS]>>>,
    totals: Pair<Count>,
    /// In windows with requests on both sides.
    compared: Count,
    /// There, the baseline's rate times the version's requests.
    expected: f64,
}

impl RateEvidence {
    /// No evidence yet. Only what is harm is looked for when harm is to be excluded.
    #[must_use]
    pub fn new(tolerance: f64, margins: &[Margin], harm: signal::Harm) -> Self {
        let of = |direction| {
            let margins = if harm.directions().contains(&direction) { margins } else { &[] };
            margins.iter().copied().map(NoWorse::new).collect()
        };
        Self {
            harm: Harm::new(tolerance),
            first_turns: None,
            tolerance,
            no_higher: of(Direction::Up),
            no_lower: of(Direction::Down),
            profile: Profile::default(),
            shards: None,
            totals: Pair::default(),
            compared: Count::default(),
            expected: 0.0,
        }
    }

    /// Adds a window.
    pub fn push(&mut self, window: &Rate) {
        let table = window.counts.map(|count| Count { n: count.n, d: count.d.min(count.n) });
        self.harm.push(&table);
        self.profile.push(&table);
        self.no_higher.iter_mut().for_each(|test| test.push(&table));
        self.no_lower.iter_mut().for_each(|test| test.push(&table.swapped()));
        self.totals.version.add(table.version);
        self.totals.baseline.add(table.baseline);
        if table.both(|count| count.n > 0) {
            self.compared.add(table.version);
            self.expected += real(table.version.n) * table.baseline.rate();
        }
        if let Some(first) = window.first_turns.filter(|first| first.either(|count| count.n > 0)) {
            self.first_turns.get_or_insert_with(|| Harm::new(self.tolerance)).push(&first);
        }
        if let Some(shards) = &window.shards {
            let empty = || Box::new([Count::default(); SHARDS]);
            let sums = self.shards.get_or_insert_with(|| Pair { version: empty(), baseline: empty() });
            let add = |sums: &mut [Count; SHARDS], more: &[Count; SHARDS]| {
                sums.iter_mut().zip(more).for_each(|(sum, more)| sum.add(*more));
            };
            add(&mut sums.version, &shards.version);
            add(&mut sums.baseline, &shards.baseline);
        }
    }

    /// The version's events by shard.
    #[must_use]
    pub fn shards(&self) -> Option<&[Count; SHARDS]> {
        self.shards.as_ref().map(|shards| &*shards.version)
    }

    /// The rates, the baseline's weighted by the version's requests in each window. `None` before both sides had any.
    #[must_use]
    pub fn rates(&self) -> Option<Pair<f64>> {
        let n = real(self.compared.n);
        (n > 0.0).then(|| Pair { version: self.compared.rate(), baseline: self.expected / n })
    }

    fn no_worse(&self, direction: Direction, tier: usize) -> Option<&NoWorse> {
        match direction {
            Direction::Up => self.no_higher.get(tier),
            Direction::Down => self.no_lower.get(tier),
        }
    }
}

impl Answers for RateEvidence {
    fn start(&mut self) {
        self.harm.start();
        if let Some(first) = &mut self.first_turns {
            first.start();
        }
    }

    fn dispersion(&self) -> Option<Dispersion> {
        let shards = self.shards.as_ref()?;
        Some(of_rate(&shards.version).and(of_rate(&shards.baseline)))
    }

    fn observations(&self) -> Pair<u64> {
        self.totals.map(|count| count.n)
    }

    fn ln_e(&self, direction: Direction, phi: f64) -> f64 {
        // First turns are independent of each other. A mean of e-values is one.
        let first = self.first_turns.as_ref().map(|first| first.ln_e(direction, 1.0));
        let all = self.harm.ln_e(direction, phi);
        first.map_or(all, |first| ln_mean(all, first))
    }

    fn agrees(&self, _: Direction) -> bool {
        true
    }

    fn ln_no_worse(&self, direction: Direction, tier: usize, phi: f64) -> f64 {
        self.no_worse(direction, tier).map_or(0.0, |test| test.ln_e(phi))
    }

    fn missing(&self, direction: Direction, tier: usize, phi: f64, ln_threshold: f64) -> Option<f64> {
        let (n, d) = (self.totals.map(|count| real(count.n)), self.totals.map(|count| real(count.d)));
        let usual = (d.version + d.baseline + 0.5) / (n.version + n.baseline + 1.0);
        let times = ratio(n.baseline, n.version);
        let test = self.no_worse(direction, tier).filter(|_| times > 0.0)?;
        // Swapped, the baseline has the version's place.
        let growth = match direction {
            Direction::Up => test.growth(usual, times, phi),
            Direction::Down => test.growth(usual, times.recip(), phi) * times,
        };
        let missing = (ln_threshold - test.ln_e(phi)).max(0.0) / growth;
        missing.is_finite().then_some(missing)
    }

    fn detectable(&self, question: &Question) -> Option<f64> {
        question.detectable_rate(self.observations(), self.rates()?.baseline)
    }

    fn figures(&self, phi: f64, ln_threshold: f64) -> Figures {
        let rates = self.rates();
        let base = rates.map_or(0.0, |rates| rates.baseline);
        let (low, high) = self.profile.interval(ln_threshold, phi);
        let alone = |count: Count| (count.n > 0).then(|| count.rate());
        Figures {
            values: rates.map_or(self.totals.map(alone), |rates| rates.map(Some)),
            events: self.totals.map(|count| count.d),
            observations: self.totals.map(|count| count.n),
            ratio: rates.map(|rates| rates.version / rates.baseline).filter(|ratio| ratio.is_finite()),
            interval: (ratio_of_rates(low, base), ratio_of_rates(high, base)),
            quantiles: None,
        }
    }
}
