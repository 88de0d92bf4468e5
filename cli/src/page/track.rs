//! How a version's evidence came to be what it is: counts and looks over time, thinned out as time goes on.
//!
//! In: each window, and the judge right after it took it in. Out: at most so many points of equal numbers of windows. When they
//! become too many, neighbours are put together, so that memory does not grow with time. Counts are added up; of the looks the last
//! one stays.

use llm_canary_verdict::judge::{Judge, LN_INTERVAL};
use llm_canary_verdict::policy::Policy;
use llm_canary_verdict::signal::{Mode, Signal};
use llm_canary_verdict::window::{Count, Pair, SHARDS, Window};
use std::collections::BTreeMap;

/// All versions of a page together have so many points, and one has no more and no fewer than these.
const POINTS_OF_ALL: usize = 160;
const POINTS_MAX: usize = 160;
const POINTS_MIN: usize = 16;

/// So many signals are followed.
const SIGNALS_MAX: usize = 32;

/// How many points a version may have on a page with so many versions.
pub(crate) fn points_max(versions: usize) -> usize {
    (POINTS_OF_ALL / versions.max(1)).clamp(POINTS_MIN, POINTS_MAX)
}

/// A version's counts and looks over time.
#[derive(Clone, Debug)]
pub(crate) struct Track {
    points_max: usize,
    /// So many windows make a point.
    stride: u64,
    points: Vec<Point>,
    /// The point under way, and how many windows it has.
    open: Option<(Point, u64)>,
    shards: BTreeMap<Signal, Shards>,
}

/// The events of a rate by shard, on both sides.
pub(crate) type Shards = Pair<Box<[Count; SHARDS]>>;

/// What was counted in a span of time, and what was known at its end.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Point {
    pub(crate) start_ms: i64,
    pub(crate) end_ms: i64,
    pub(crate) decisions: Pair<u64>,
    pub(crate) signals: BTreeMap<Signal, SignalPoint>,
}

/// One signal in a point.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct SignalPoint {
    /// Events and requests of a rate; the sum and the number of the responses of a distribution.
    sums: Pair<f64>,
    numbers: Pair<f64>,
    /// `None` before the signal was compared.
    pub(crate) look: Option<Looked>,
}

/// What was known of a signal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Looked {
    pub(crate) ratio: Option<f64>,
    pub(crate) interval: (f64, f64),
    pub(crate) ln_e: f64,
    pub(crate) ln_no_worse: f64,
}

impl SignalPoint {
    /// The rate or the mean of each side, in this span alone.
    pub(crate) fn values(&self) -> Pair<Option<f64>> {
        let of = |sum: f64, number: f64| (number > 0.0).then(|| sum / number);
        Pair {
            version: of(self.sums.version, self.numbers.version),
            baseline: of(self.sums.baseline, self.numbers.baseline),
        }
    }

    fn add(&mut self, sums: Pair<f64>, numbers: Pair<f64>) {
        self.sums.version += sums.version;
        self.sums.baseline += sums.baseline;
        self.numbers.version += numbers.version;
        self.numbers.baseline += numbers.baseline;
    }
}

impl Point {
    fn of(window: &Window, policy: &Policy) -> Self {
        let mut signals: BTreeMap<Signal, SignalPoint> = BTreeMap::new();
        for (signal, rate) in &window.rates {
            if is_followed(signal, policy) && signals.len() < SIGNALS_MAX {
                let counts = rate.counts.map(|count| (count.d.min(count.n) as f64, count.n as f64));
                let point = signals.entry(signal.clone()).or_default();
                point.add(counts.map(|(events, _)| events), counts.map(|(_, requests)| requests));
            }
        }
        for (signal, distribution) in &window.distributions {
            let histograms = distribution.histograms.each();
            let point = signals.entry(signal.clone()).or_default();
            point.add(
                histograms.map(|histogram| histogram.sum),
                histograms.map(|histogram| histogram.count() as f64),
            );
        }
        Self {
            start_ms: window.start_ms,
            end_ms: window.end_ms,
            decisions: window.flow.map(|flow| flow.decisions.max(flow.requests)),
            signals,
        }
    }

    /// Puts the point after it into this one.
    fn join(&mut self, next: Self) {
        self.end_ms = next.end_ms;
        self.decisions.version = self.decisions.version.saturating_add(next.decisions.version);
        self.decisions.baseline = self.decisions.baseline.saturating_add(next.decisions.baseline);
        for (signal, more) in next.signals {
            let point = self.signals.entry(signal).or_default();
            point.add(more.sums, more.numbers);
            point.look = more.look.or(point.look);
        }
    }

    fn look(&mut self, judge: &Judge) {
        for (signal, point) in &mut self.signals {
            point.look = looked(judge, signal);
        }
    }
}

/// A single defect is followed over time only where something follows from it.
fn is_followed(signal: &Signal, policy: &Policy) -> bool {
    !matches!(signal, Signal::Defect(_)) || policy.mode(signal) != Mode::Watch
}

/// What the judge knows of a signal.
fn looked(judge: &Judge, signal: &Signal) -> Option<Looked> {
    let evidence = judge.evidence(signal)?;
    let (policy, phi) = (judge.policy(), judge.phi(signal));
    let harm = policy.harm(signal);
    let figures = evidence.figures(phi, LN_INTERVAL);
    Some(Looked {
        ratio: figures.ratio,
        interval: figures.interval,
        ln_e: evidence.harm(harm, phi).ln_e,
        ln_no_worse: evidence.ln_no_worse(harm, judge.tier(), phi),
    })
}

impl Track {
    /// Nothing seen yet.
    pub(crate) fn new(points_max: usize) -> Self {
        let points_max = points_max.max(2);
        Self { points_max, stride: 1, points: Vec::new(), open: None, shards: BTreeMap::new() }
    }

    /// Has no more points than this from now on: there are more versions.
    pub(crate) fn limit(&mut self, points_max: usize) {
        self.points_max = self.points_max.min(points_max.max(2));
        while self.points.len() >= self.points_max {
            self.thin_out();
        }
    }

    /// Takes in a window; the judge must have taken it in before.
    pub(crate) fn push(&mut self, window: &Window, judge: &Judge) {
        self.push_shards(window);
        let point = Point::of(window, judge.policy());
        let (mut point, windows) = match self.open.take() {
            Some((mut open, windows)) => {
                open.join(point);
                (open, windows.saturating_add(1))
            }
            None => (point, 1),
        };
        if windows < self.stride {
            self.open = Some((point, windows));
            return;
        }
        point.look(judge);
        self.points.push(point);
        if self.points.len() >= self.points_max {
            self.thin_out();
        }
    }

    /// Puts each two neighbours together.
    fn thin_out(&mut self) {
        self.stride = self.stride.saturating_mul(2);
        let mut points = std::mem::take(&mut self.points).into_iter();
        while let Some(mut point) = points.next() {
            match points.next() {
                Some(next) => {
                    point.join(next);
                    self.points.push(point);
                }
                // One without a neighbour waits for more windows.
                None => {
                    let (open, windows) = match self.open.take() {
                        Some((open, windows)) => {
                            point.join(open);
                            (point, windows)
                        }
                        None => (point, 0),
                    };
                    self.open = Some((open, windows.saturating_add(self.stride / 2)));
                }
            }
        }
    }

    fn push_shards(&mut self, window: &Window) {
        for (signal, rate) in &window.rates {
            let Some(shards) = &rate.shards else { continue };
            let empty = || Box::new([Count::default(); SHARDS]);
            let sums = self
                .shards
                .entry(signal.clone())
                .or_insert_with(|| Pair { version: empty(), baseline: empty() });
            let add = |sums: &mut [Count; SHARDS], more: &[Count; SHARDS]| {
                sums.iter_mut().zip(more).for_each(|(sum, more)| sum.add(*more));
            };
            add(&mut sums.version, &shards.version);
            add(&mut sums.baseline, &shards.baseline);
        }
    }

    /// All points so far; the last one may have fewer windows. The judge is asked for what is known now.
    pub(crate) fn points(&self, judge: &Judge) -> Vec<Point> {
        let mut points = self.points.clone();
        points.extend(self.open.clone().map(|(point, _)| point));
        if let Some(last) = points.last_mut() {
            last.look(judge);
        }
        points
    }

    /// The signals that have shards.
    pub(crate) fn shards(&self) -> &BTreeMap<Signal, Shards> {
        &self.shards
    }
}

#[cfg(test)]
mod tests {
    use super::{POINTS_MAX, Point, Track, points_max};
    use crate::tests::traffic::{Traffic, windows};
    use llm_canary_verdict::judge::Judge;
    use llm_canary_verdict::policy::Policy;
    use llm_canary_verdict::signal::Signal;
    use llm_canary_verdict::window::Pair;

    fn track(count: u64, points_max: usize) -> (Vec<Point>, Judge) {
        let mut judge = Judge::new(Policy::default(), None);
        let mut track = Track::new(points_max);
        for window in windows(count, Pair { version: Traffic::new(10), baseline: Traffic::new(90) }) {
            judge.push(&window);
            track.push(&window, &judge);
        }
        (track.points(&judge), judge)
    }

    #[test]
    fn points_are_few_and_nothing_is_lost() {
        for points_max in [2, 5, 8] {
            for count in 0..70 {
                let (points, judge) = track(count, points_max);
                assert!(points.len() <= points_max, "{points_max} {count}: {}", points.len());
                let requests: u64 = points.iter().map(|point| point.decisions.version).sum();
                assert_eq!(requests, count * 10, "{points_max} {count}");
                let pairs = points.iter().zip(points.iter().skip(1));
                assert!(pairs.into_iter().all(|(one, next)| one.end_ms == next.start_ms));
                let Some(last) = points.last() else { continue };
                let found = judge.judgement(&llm_canary_verdict::health::Look::default());
                assert_eq!((points[0].start_ms, last.end_ms), (found.since_ms, found.until_ms));
                let of = |signal: &Signal| found.signals.iter().find(|one| one.signal == *signal).unwrap();
                for (signal, point) in &last.signals {
                    let Some(look) = point.look else { continue };
                    assert_eq!(look.ln_e, of(signal).ln_e, "{signal}");
                    assert_eq!(look.ln_no_worse, of(signal).ln_no_worse, "{signal}");
                    assert_eq!(look.ratio, of(signal).figures.ratio, "{signal}");
                    assert_eq!(look.interval, of(signal).figures.interval, "{signal}");
                }
            }
        }
    }

    #[test]
    fn with_more_versions_points_become_fewer_and_nothing_is_lost() {
        for before in 0..50 {
            let mut judge = Judge::new(Policy::default(), None);
            let mut track = Track::new(32);
            let all = windows(before + 20, Pair { version: Traffic::new(10), baseline: Traffic::new(90) });
            for (index, window) in all.iter().enumerate() {
                if index as u64 == before {
                    track.limit(6);
                }
                judge.push(window);
                track.push(window, &judge);
            }
            let points = track.points(&judge);
            assert!((3..=6).contains(&points.len()), "{before}: {}", points.len());
            assert_eq!(points.iter().map(|point| point.decisions.version).sum::<u64>(), (before + 20) * 10);
            let pairs = points.iter().zip(points.iter().skip(1));
            assert!(pairs.into_iter().all(|(one, next)| one.end_ms == next.start_ms), "{before}");
        }
    }

    #[test]
    fn the_more_versions_the_fewer_points() {
        assert_eq!([1, 2, 4, 16, 1_000].map(points_max), [POINTS_MAX, 80, 40, 16, 16]);
    }
}
