//! Windows in, in order of time; a verdict out, at any time.
//!
//! A [`Judge`] keeps sums and no windows. After each window it looks: a guard that alarms at any look has alarmed.

mod judged;

use std::collections::{BTreeMap, VecDeque};

use crate::evidence::{Evidence, HarmFound};
use crate::health::{Facts, Look, Seen};
use crate::limits::Watch;
use crate::math::{ratio, real};
use crate::outside::Outside;
use crate::phi::Dispersion;
use crate::policy::{Margin, Policy};
use crate::share::Share;
use crate::signal::{Kind, Mode, Signal};
use crate::steps::{Step, Steps, Use};
use crate::verdict::{
    Alarm, Finding, Judgement, LimitPassed, Missing, NO_SHARE, Shares, SignalJudgement, Verdict, because,
    verdict_of,
};
use crate::window::Window;
use judged::Judged;

/// An hour, after which a new start is made.
const HOUR_MS: i64 = 3_600_000;

/// An answer may take so long before it is one that never comes, however fast the baseline is.
const PATIENCE_MS_MIN: i64 = 60_000;

/// The rate of traffic is that of the last windows.
const RATE_WINDOWS: usize = 10;

/// Intervals hold at any look with 95 %: `ln E` from which a ratio is left out, 2.5 % for each side.
pub const LN_INTERVAL: f64 = 3.688_879_454_113_936;

/// Judges one version against its baseline.
#[derive(Clone, Debug)]
pub struct Judge {
    policy: Policy,
    steps: Steps,
    signals: BTreeMap<Signal, Judged>,
    /// What a reference set says of the version.
    outside: Option<Outside>,
    watch: Watch,
    share: Share,
    seen: Seen,
    limit: Option<LimitPassed>,
    since_ms: Option<i64>,
    until_ms: i64,
    windows: u64,
    missing_windows: u64,
    left_out_windows: u64,
    /// When the first window was compared, and how many hours of starts have been made since.
    begun_ms: Option<i64>,
    hours: i64,
    /// Whether the next window that is compared begins a start.
    starts_next: bool,
    /// Times and requests of the last windows.
    recent: VecDeque<(i64, u64)>,
    /// The version's share at the last look at which it had one.
    last_share: f64,
}

impl Judge {
    /// Nothing seen yet. `steps` are those of the version where they are known; without them they are found in the traffic.
    #[must_use]
    pub fn new(policy: Policy, steps: Option<Vec<Step>>) -> Self {
        Self {
            steps: Steps::new(steps, &policy),
            signals: BTreeMap::new(),
            outside: None,
            watch: Watch::new(policy.limits),
            share: Share::default(),
            seen: Seen::default(),
            limit: None,
            since_ms: None,
            until_ms: 0,
            windows: 0,
            missing_windows: 0,
            left_out_windows: 0,
            begun_ms: None,
            hours: 0,
            starts_next: false,
            recent: VecDeque::new(),
            last_share: 0.0,
            policy,
        }
    }

    /// The policy.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Learns all steps anew, where steps are taken while windows come. Those before the last window must be as they were.
    pub fn set_steps(&mut self, steps: Vec<Step>) {
        self.steps.set_known(steps);
    }

    /// Takes in what a reference set says of the version by now. Its first alarm stays.
    pub fn tell(&mut self, outside: Outside) {
        self.outside = Some(outside.after(self.outside.as_ref()));
    }

    /// Takes in the next window, and looks.
    pub fn push(&mut self, window: &Window) {
        self.since_ms.get_or_insert(window.start_ms);
        self.until_ms = window.end_ms;
        self.windows = self.windows.saturating_add(1);
        self.missing_windows = self.missing_windows.saturating_add(u64::from(window.is_missing));
        self.recent.push_back((window.end_ms.saturating_sub(window.start_ms), window.flow.version.requests));
        while self.recent.len() > RATE_WINDOWS {
            self.recent.pop_front();
        }
        if let Some(rate) = window.rates.values().find(|rate| rate.shards.is_some()) {
            self.share.push_shards(rate);
        }
        let place = self.steps.push(window, self.share.phi());
        self.starts_next |= place.is_step;
        let share = self.share_of_both(window.end_ms);
        self.seen.push(window, share);
        if let Some(passed) = self.watch.push(window, PATIENCE_MS_MIN.max(self.steps.answers_ms())) {
            self.limit.get_or_insert(LimitPassed { at_ms: window.end_ms, passed });
        }
        if place.good_for == Use::LeftOut {
            self.left_out_windows = self.left_out_windows.saturating_add(1);
            return;
        }
        let configured = self.steps.in_force(window.start_ms).map(|step| step.share_of_both());
        self.share.push(window, configured);
        self.start(window.start_ms);
        self.compare(window, place.good_for);
        self.look(window.end_ms);
    }

    /// Makes a start where one is due: after a step, and each full hour. Not before the first window.
    fn start(&mut self, start_ms: i64) {
        let begun = *self.begun_ms.get_or_insert(start_ms);
        let hours = start_ms.saturating_sub(begun) / HOUR_MS;
        let is_due = self.starts_next || hours > self.hours;
        self.hours = self.hours.max(hours);
        self.starts_next = false;
        if is_due && start_ms > begun {
            self.signals.values_mut().for_each(|judged| judged.evidence.start());
        }
    }

    /// Adds a window to the evidence.
    fn compare(&mut self, window: &Window, good_for: Use) {
        for (signal, rate) in &window.rates {
            if let Evidence::Rate(evidence) = &mut self.judged(signal).evidence {
                evidence.push(rate);
            }
        }
        for (signal, distribution) in &window.distributions {
            if good_for == Use::WarmUp && signal.is_time() {
                continue;
            }
            if let Evidence::Distribution(evidence) = &mut self.judged(signal).evidence {
                evidence.push(distribution);
            }
        }
    }

    fn judged(&mut self, signal: &Signal) -> &mut Judged {
        self.signals.entry(signal.clone()).or_insert_with(|| Judged::new(&self.policy, signal))
    }

    /// Looks at the evidence of each signal. What is found once stays found, with guards.
    fn look(&mut self, at_ms: i64) {
        let share = self.share_in_force();
        if share > 0.0 {
            self.last_share = share;
        }
        let tier = self.tier();
        let ln_no_worse_needed = self.policy.ln_threshold_no_worse();
        let (of_rates, of_distributions) =
            (self.largest_phi(Kind::Rate), self.largest_phi(Kind::Distribution));
        for (signal, judged) in &mut self.signals {
            let own = judged.evidence.dispersion().map(Dispersion::phi);
            judged.phi = own.unwrap_or(match signal.kind() {
                Kind::Rate => of_rates,
                Kind::Distribution => of_distributions,
            });
            judged.now = judged.evidence.harm(judged.harm, judged.phi);
            judged.ln_no_worse = judged.evidence.ln_no_worse(judged.harm, tier, judged.phi);
            if judged.mode == Mode::Guard && judged.is_worse() {
                let HarmFound { ln_e, direction, .. } = judged.now;
                judged.alarm.get_or_insert(Alarm { at_ms, ln_e, direction });
            }
            if judged.ln_no_worse >= ln_no_worse_needed {
                judged.no_worse_at_ms.get_or_insert(at_ms);
            }
        }
    }

    /// The largest design effect of the signals of a kind that have shards.
    fn largest_phi(&self, kind: Kind) -> f64 {
        let of_kind = self.signals.iter().filter(|(signal, _)| signal.kind() == kind);
        let phis = of_kind.filter_map(|(_, judged)| judged.evidence.dispersion()).map(Dispersion::phi);
        phis.fold(1.0, f64::max)
    }

    /// The version's share of all requests, as configured or else as seen.
    #[must_use]
    pub fn share_in_force(&self) -> f64 {
        let configured = self.steps.in_force(self.until_ms).map(|step| step.share);
        configured.or(self.steps.observed()).unwrap_or(0.0)
    }

    /// Which margins hold now. A version that has no share any more is held to those that it was held to before.
    #[must_use]
    pub fn tier(&self) -> usize {
        let share = self.share_in_force();
        self.policy.tier(if share > 0.0 { share } else { self.last_share })
    }

    /// Its share of what the two versions have together.
    fn share_of_both(&self, at_ms: i64) -> f64 {
        let configured = self.steps.in_force(at_ms).map(|step| step.share_of_both());
        configured.or(self.steps.observed()).unwrap_or(0.0)
    }

    /// The evidence of a signal so far, if it has any.
    #[must_use]
    pub fn evidence(&self, signal: &Signal) -> Option<&Evidence> {
        self.signals.get(signal).map(|judged| &judged.evidence)
    }

    /// The design effect of a signal at the last look.
    #[must_use]
    pub fn phi(&self, signal: &Signal) -> f64 {
        self.signals.get(signal).map_or(1.0, |judged| judged.phi)
    }

    /// Whether a guard has alarmed or a limit was passed: a cheap question after each window. A row about health may stop the
    /// version too; that is in the verdict.
    #[must_use]
    pub fn has_alarmed(&self) -> bool {
        let is_guard = self.policy.mode(&Signal::Watchdog) == Mode::Guard;
        let by_set = self.outside.as_ref().is_some_and(|outside| outside.alarmed_at_ms.is_some() && is_guard);
        self.limit.is_some() || by_set || self.signals.values().any(|judged| judged.alarm.is_some())
    }

    /// Whether harm beyond the margin has been excluded at any look so far.
    #[must_use]
    pub fn has_excluded(&self, signal: &Signal) -> bool {
        self.signals.get(signal).is_some_and(|judged| judged.no_worse_at_ms.is_some())
    }

    /// The verdict now.
    #[must_use]
    pub fn judgement(&self, look: &Look) -> Judgement {
        let named: Vec<Signal> = self.policy.all_signals().collect();
        let others: Vec<Signal> =
            self.signals.keys().filter(|signal| !named.contains(signal)).cloned().collect();
        let signals: Vec<_> =
            named.into_iter().chain(others).map(|signal| self.signal_judgement(signal)).collect();
        let shares = Shares {
            configured: self.steps.in_force(self.until_ms).map(|step| step.share),
            observed: self.steps.observed(),
            ln_e: self.share.ln_e(),
        };
        let rates = self.signals.iter().filter_map(|(signal, judged)| match &judged.evidence {
            Evidence::Rate(rate) => Some((signal.to_string(), rate.shards()?)),
            Evidence::Distribution(_) => None,
        });
        let facts = Facts {
            configured: self.steps.in_force(self.until_ms).map(|step| step.share_of_both()),
            observed: shares.observed,
            share_ln_e: shares.ln_e,
            shards: rates.collect(),
        };
        let health = self.seen.rows(&self.policy, look, &facts);
        let verdict = verdict_of(&signals, &health, self.limit);
        let guards = signals.iter().filter(|signal| signal.mode == Mode::Guard);
        let missing = guards.filter_map(|signal| signal.missing).max_by_key(|missing| missing.requests);
        let mut because = because(verdict, &signals, &health, self.limit);
        if verdict == Verdict::NotEnoughData && self.is_without_share() {
            because.insert(0, NO_SHARE.to_owned());
        }
        Judgement {
            verdict,
            since_ms: self.since_ms.unwrap_or(0),
            until_ms: self.until_ms,
            windows: self.windows,
            missing_windows: self.missing_windows,
            left_out_windows: self.left_out_windows,
            requests: self.seen.totals().map(|flow| flow.requests),
            shares,
            because,
            signals,
            health,
            limit: self.limit,
            missing,
        }
    }

    fn signal_judgement(&self, signal: Signal) -> SignalJudgement {
        if let (Signal::Watchdog, Some(outside)) = (&signal, &self.outside) {
            return outside.judgement(&self.policy);
        }
        let none;
        let judged = match self.signals.get(&signal) {
            Some(judged) => judged,
            None => {
                none = Judged::new(&self.policy, &signal);
                &none
            }
        };
        let tier = self.tier();
        let (ln_threshold, ln_needed) = (judged.ln_threshold, self.policy.ln_threshold_no_worse());
        // A step may have changed the margins since the last look.
        let ln_no_worse = match judged.evidence.is_observed().either(|is| *is) {
            true => judged.evidence.ln_no_worse(judged.harm, tier, judged.phi),
            false => judged.ln_no_worse,
        };
        let finding = judged.finding(ln_no_worse, ln_needed);
        let direction = judged.alarm.map_or(judged.now.direction, |alarm| alarm.direction);
        let missing = || {
            let requests = judged.evidence.missing(judged.harm, tier, judged.phi, ln_needed)?.ceil();
            let minutes =
                self.requests_a_minute().filter(|_| !self.is_without_share()).map(|rate| requests / rate);
            Some(Missing { requests: requests as u64, minutes })
        };
        SignalJudgement {
            mode: judged.mode,
            kind: signal.kind(),
            harm: judged.harm,
            finding,
            direction: (finding == Finding::Worse).then_some(direction),
            figures: judged.evidence.figures(judged.phi, LN_INTERVAL),
            margin: judged.margins.get(tier).copied().unwrap_or(Margin { ratio: 1.0, points: 0.0 }),
            design_effect: judged.phi,
            ln_e: judged.now.ln_e,
            ln_threshold,
            ln_no_worse,
            ln_threshold_no_worse: ln_needed,
            alarm: judged.alarm,
            no_worse_at_ms: judged.no_worse_at_ms,
            missing: if finding == Finding::Unclear { missing() } else { None },
            detectable_ratio: judged.evidence.detectable(
                judged.harm,
                self.policy.tolerance,
                judged.phi,
                ln_threshold,
            ),
            told: None,
            signal,
        }
    }

    /// Whether the configuration gives the version nothing now.
    fn is_without_share(&self) -> bool {
        self.steps.in_force(self.until_ms).is_some_and(|step| step.share <= 0.0)
    }

    /// The version's requests a minute, in the last windows.
    fn requests_a_minute(&self) -> Option<f64> {
        let minutes: f64 = self.recent.iter().map(|(ms, _)| *ms as f64 / 60_000.0).sum();
        let requests: f64 = self.recent.iter().map(|(_, requests)| real(*requests)).sum();
        let rate = ratio(requests, minutes);
        (rate > 0.0).then_some(rate)
    }
}

#[cfg(test)]
mod tests;
