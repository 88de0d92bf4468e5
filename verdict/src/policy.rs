//! What a release must not do, and how sure one wants to be: plain data, with defaults.

use std::collections::BTreeMap;

use crate::signal::{Direction, Harm, Kind, Mode, Signal};

/// A policy.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// The chance that a harmless version is ever stopped, over the whole release.
    pub alpha: f64,
    /// The chance that a version at its margin is ever called fine.
    pub beta: f64,
    /// Harm up to this ratio is tolerated; at least 1.
    pub tolerance: f64,
    /// What differs from what is usual for a signal.
    pub signals: BTreeMap<Signal, Rule>,
    /// The margins by the share in force, the smallest share first. The last is for all shares above.
    pub margins: Vec<Tier>,
    /// For so long after a version's first traffic its times are left out, in milliseconds.
    pub warmup_ms: i64,
    /// Windows after a step are left out for at least so long, in milliseconds: answers from before it are still under way.
    pub settle_ms: i64,
    /// What stops a version without any statistics.
    pub limits: Limits,
    /// What follows from the rows about health, where it differs from what is usual.
    pub health: BTreeMap<Row, Effect>,
    /// What an A/B test is about.
    pub goal: Option<Goal>,
    /// What tokens cost, by version.
    pub prices: BTreeMap<String, Price>,
}

/// How a signal is judged; `None` is what is usual.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rule {
    /// What follows from harm.
    pub mode: Option<Mode>,
    /// Which change is harm.
    pub harm: Option<Harm>,
    /// Its part of alpha, relative to the other guards; 1 is usual.
    pub weight: Option<f64>,
    /// One margin for all shares.
    pub margin: Option<Margin>,
}

/// How much harm may be left unexcluded: the larger of the two counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Margin {
    /// Times the baseline; at least 1.
    pub ratio: f64,
    /// Above the baseline, as a part of 1: 0.01 is a percentage point. Distributions have none.
    pub points: f64,
}

/// The margins that hold for shares up to a bound.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tier {
    /// For shares below this, as a part of 1; `None`: for all.
    pub below: Option<f64>,
    /// Of rates.
    pub rate: Margin,
    /// Of distributions: the ratio of means.
    pub mean: f64,
}

/// What stops a version without any statistics. It compares with the baseline, so that a shared outage stops nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Too many errors within a minute.
    pub errors: Option<ErrorLimit>,
    /// Nothing ended for so long, in milliseconds.
    pub stall_ms: Option<i64>,
}

/// Too many errors.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ErrorLimit {
    /// From this rate on, as a part of 1.
    pub above: f64,
    /// Of at least so many requests.
    pub of: u64,
    /// And at least so many times the baseline's rate.
    pub times: f64,
}

/// A row about the health of a release, and of what is known of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Row {
    /// The version gets no requests.
    NoTraffic,
    /// There are no new samples.
    Stale,
    /// Not all instances run the same configuration.
    Config,
    /// Responses name another version than the one routed to.
    Mismatch,
    /// The version's share is not the one in force.
    Share,
    /// One shard has most of the events.
    Shard,
    /// Many responses cannot be read.
    Unread,
}

/// What follows from a row that is not in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// It is shown.
    Warn,
    /// The version gets no greater share meanwhile.
    Hold,
    /// The version is stopped.
    Stop,
}

impl Row {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 7] =
        [Self::NoTraffic, Self::Stale, Self::Config, Self::Mismatch, Self::Share, Self::Shard, Self::Unread];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NoTraffic => "no_traffic",
            Self::Stale => "stale",
            Self::Config => "config",
            Self::Mismatch => "mismatch",
            Self::Share => "share",
            Self::Shard => "shard",
            Self::Unread => "unread",
        }
    }

    /// What follows from it, unless a policy says otherwise.
    #[must_use]
    pub fn effect(self) -> Effect {
        match self {
            Self::NoTraffic | Self::Stale | Self::Config => Effect::Hold,
            Self::Mismatch => Effect::Stop,
            Self::Share | Self::Shard | Self::Unread => Effect::Warn,
        }
    }
}

/// What an A/B test is about.
#[derive(Clone, Debug, PartialEq)]
pub struct Goal {
    /// The signal.
    pub signal: Signal,
    /// Which way is better.
    pub better: Direction,
}

/// What a million tokens cost, in any currency.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Price {
    /// Read by the model.
    pub input: f64,
    /// Read from its cache; `None`: the same.
    pub cached_input: Option<f64>,
    /// Written.
    pub output: f64,
}

impl Default for Policy {
    fn default() -> Self {
        let tier = |below, ratio, points, mean| Tier { below, rate: Margin { ratio, points }, mean };
        Self {
            alpha: 0.05,
            beta: 0.05,
            tolerance: 1.1,
            signals: BTreeMap::new(),
            margins: vec![
                tier(Some(0.05), 3.0, 0.02, 1.5),
                tier(Some(0.25), 2.0, 0.01, 1.3),
                tier(None, 1.5, 0.005, 1.2),
            ],
            warmup_ms: 120_000,
            settle_ms: 60_000,
            limits: Limits {
                errors: Some(ErrorLimit { above: 0.2, of: 20, times: 2.0 }),
                stall_ms: Some(60_000),
            },
            health: BTreeMap::new(),
            goal: None,
            prices: BTreeMap::new(),
        }
    }
}

impl Policy {
    fn rule(&self, signal: &Signal) -> Rule {
        self.signals.get(signal).copied().unwrap_or_default()
    }

    /// What follows from a signal's harm.
    #[must_use]
    pub fn mode(&self, signal: &Signal) -> Mode {
        self.rule(signal).mode.unwrap_or(signal.mode())
    }

    /// Which change of a signal is harm.
    #[must_use]
    pub fn harm(&self, signal: &Signal) -> Harm {
        self.rule(signal).harm.unwrap_or(signal.harm())
    }

    /// The signals of the default policy and those that this one names.
    pub fn all_signals(&self) -> impl Iterator<Item = Signal> {
        let named = self
            .signals
            .keys()
            .filter(|signal| matches!(signal, Signal::Defect(_) | Signal::Watchdog))
            .cloned();
        Signal::all().chain(named)
    }

    /// The same with a guard for a reference set, which gets its part of alpha.
    #[must_use]
    pub fn with_watchdog(mut self) -> Self {
        self.signals.entry(Signal::Watchdog).or_default();
        self
    }

    /// The guards' weights add up to 1, whether they are absent or not. A signal that is no guard has 1 for itself.
    #[must_use]
    pub fn weight(&self, signal: &Signal) -> f64 {
        let weight = |signal: &Signal| self.rule(signal).weight.unwrap_or(1.0);
        if self.mode(signal) != Mode::Guard {
            return 1.0;
        }
        let guards = self.all_signals().filter(|signal| self.mode(signal) == Mode::Guard);
        weight(signal) / guards.map(|signal| weight(&signal)).sum::<f64>()
    }

    /// `ln E` from which a signal is worse.
    #[must_use]
    pub fn ln_threshold(&self, signal: &Signal) -> f64 {
        -(self.alpha * self.weight(signal)).ln()
    }

    /// `ln E` from which harm beyond a margin is excluded.
    #[must_use]
    pub fn ln_threshold_no_worse(&self) -> f64 {
        -self.beta.ln()
    }

    /// What follows from a row that is not in order.
    #[must_use]
    pub fn effect(&self, row: Row) -> Effect {
        self.health.get(&row).copied().unwrap_or(row.effect())
    }

    /// The margins of a signal, one for each of [`Self::margins`].
    #[must_use]
    pub fn margins_of(&self, signal: &Signal) -> Vec<Margin> {
        let own = self.rule(signal).margin;
        let usual = |tier: &Tier| match signal.kind() {
            Kind::Rate => tier.rate,
            Kind::Distribution => Margin { ratio: tier.mean, points: 0.0 },
        };
        self.margins.iter().map(|tier| own.unwrap_or(usual(tier))).collect()
    }

    /// Which of [`Self::margins`] holds at a share.
    #[must_use]
    pub fn tier(&self, share: f64) -> usize {
        let holds = |tier: &Tier| tier.below.is_none_or(|below| share < below);
        self.margins.iter().position(holds).unwrap_or(self.margins.len().saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::{Margin, Policy, Rule};
    use crate::signal::{Mode, Signal};

    #[test]
    fn seven_guards_share_alpha() {
        let policy = Policy::default();
        assert!((policy.ln_threshold(&Signal::Errors) - 140.0_f64.ln()).abs() < 1e-12);
        assert!((policy.ln_threshold(&Signal::Retries) - 20.0_f64.ln()).abs() < 1e-12);
        assert!((policy.ln_threshold_no_worse() - 20.0_f64.ln()).abs() < 1e-12);
    }

    #[test]
    fn weights_are_normalised_over_guards() {
        let mut policy = Policy::default();
        let rule = |mode, weight| Rule { mode, weight, ..Rule::default() };
        policy.signals.insert(Signal::Refusals, rule(None, Some(2.0)));
        policy.signals.insert(Signal::Defects, rule(Some(Mode::Watch), None));
        policy.signals.insert(Signal::Defect("empty".into()), rule(Some(Mode::Guard), Some(3.0)));
        assert!((policy.weight(&Signal::Refusals) - 0.2).abs() < 1e-12);
        assert!((policy.weight(&Signal::Defect("empty".into())) - 0.3).abs() < 1e-12);
        assert_eq!(policy.weight(&Signal::Defects), 1.0);
    }

    #[test]
    fn a_reference_set_gets_its_part_of_alpha() {
        let policy = Policy::default();
        assert!(!policy.all_signals().any(|signal| signal == Signal::Watchdog));
        let mut policy = policy.with_watchdog();
        assert!((policy.weight(&Signal::Watchdog) - 0.125).abs() < 1e-12);
        assert!((policy.weight(&Signal::Errors) - 0.125).abs() < 1e-12);
        let rule = Rule { weight: Some(3.0), ..Rule::default() };
        policy.signals.insert(Signal::Watchdog, rule);
        assert!((policy.with_watchdog().weight(&Signal::Watchdog) - 0.3).abs() < 1e-12, "a rule stays");
    }

    #[test]
    fn margins_follow_the_share() {
        let mut policy = Policy::default();
        for (share, tier) in [(0.0, 0), (0.049, 0), (0.05, 1), (0.249, 1), (0.25, 2), (1.0, 2)] {
            assert_eq!(policy.tier(share), tier, "{share}");
        }
        assert_eq!(policy.margins_of(&Signal::Errors)[1], Margin { ratio: 2.0, points: 0.01 });
        assert_eq!(policy.margins_of(&Signal::ResponseChars)[1], Margin { ratio: 1.3, points: 0.0 });
        let margin = Some(Margin { ratio: 1.4, points: 0.0 });
        policy.signals.insert(Signal::ResponseChars, Rule { margin, ..Rule::default() });
        assert!(policy.margins_of(&Signal::ResponseChars).iter().all(|margin| margin.ratio == 1.4));
        policy.margins.clear();
        assert_eq!(policy.tier(0.5), 0);
    }
}
