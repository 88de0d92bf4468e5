use super::Judge;
use crate::health::Look;
use crate::outside::Outside;
use crate::policy::{Policy, Rule};
use crate::signal::{Kind, Mode, Signal};
use crate::steps::Step;
use crate::verdict::{Finding, Judgement, SignalJudgement, Verdict};
use crate::window::{Count, Distribution, Flow, Histogram, Pair, Rate, Window};
use proptest::prelude::*;

const MINUTE_MS: i64 = 60_000;

/// What a minute of a test has: events of 100 requests of the version and of 900 of the baseline, by signal.
#[derive(Clone)]
struct Minute {
    events: Vec<(Signal, u64, u64)>,
    lengths: Option<([u64; 3], [u64; 3])>,
}

impl Minute {
    fn healthy() -> Self {
        let guards = [Signal::Errors, Signal::Refusals, Signal::Defects, Signal::LengthStops];
        let lengths = Some(([30, 40, 30], [270, 360, 270]));
        Self { events: guards.map(|signal| (signal, 1, 9)).into(), lengths }
    }

    fn with(mut self, signal: Signal, version: u64, baseline: u64) -> Self {
        self.events.retain(|(known, ..)| *known != signal);
        self.events.push((signal, version, baseline));
        self
    }

    fn without(mut self, signal: Signal) -> Self {
        self.events.retain(|(known, ..)| *known != signal);
        self
    }

    fn window(&self, minute: i64) -> Window {
        let (version, baseline) = (100, 900);
        let rate = |(signal, d, e): &(Signal, u64, u64)| {
            let counts =
                Pair { version: Count { n: version, d: *d }, baseline: Count { n: baseline, d: *e } };
            (signal.clone(), Rate { counts, ..Rate::default() })
        };
        let histogram = |counts: [u64; 3]| {
            let middles = [50.0, 150.0, 300.0];
            let each = || counts.iter().zip(middles).map(|(count, middle)| (*count as f64, middle));
            Histogram {
                counts: counts.into(),
                sum: each().map(|(count, middle)| count * middle).sum(),
                squares: Some(each().map(|(count, middle)| count * middle * middle).sum()),
            }
        };
        let distribution = |(version, baseline)| Distribution {
            edges: [100.0, 200.0].into(),
            histograms: Pair { version: histogram(version), baseline: histogram(baseline) },
            shards: None,
        };
        let flow = |requests| Flow { requests, decisions: requests, ..Flow::default() };
        Window {
            start_ms: minute * MINUTE_MS,
            end_ms: (minute + 1) * MINUTE_MS,
            flow: Pair { version: flow(version), baseline: flow(baseline) },
            rates: self.events.iter().map(rate).collect(),
            distributions: self
                .lengths
                .map(|both| (Signal::ResponseChars, distribution(both)))
                .into_iter()
                .collect(),
            ..Window::default()
        }
    }
}

fn long_since() -> Option<Vec<Step>> {
    Some(vec![Step { at_ms: -600 * MINUTE_MS, share: 0.1, baseline: 0.9 }])
}

fn judge(policy: Policy, minutes: impl IntoIterator<Item = Minute>) -> Judge {
    let mut judge = Judge::new(policy, long_since());
    for (number, minute) in (0..).zip(minutes) {
        judge.push(&minute.window(number));
    }
    judge
}

fn judgement(judge: &Judge) -> Judgement {
    judge.judgement(&Look { now_ms: judge.until_ms, config: None })
}

fn of(judgement: &Judgement, signal: Signal) -> &SignalJudgement {
    judgement.signals.iter().find(|known| known.signal == signal).unwrap()
}

fn repeat(minute: Minute, times: usize) -> Vec<Minute> {
    vec![minute; times]
}

#[test]
fn healthy_traffic_becomes_fine() {
    let early = judgement(&judge(Policy::default(), repeat(Minute::healthy(), 3)));
    assert_eq!(early.verdict, Verdict::NotEnoughData, "{:?}", early.because);
    assert!(early.missing.is_some_and(|missing| missing.requests > 100 && missing.minutes > Some(1.0)));
    let late = judgement(&judge(Policy::default(), repeat(Minute::healthy(), 60)));
    assert_eq!(late.verdict, Verdict::Fine, "{:?}", late.because);
    assert_eq!((late.windows, late.left_out_windows, late.missing), (60, 0, None));
    assert_eq!(late.requests, Pair { version: 6000, baseline: 54_000 });
    assert_eq!(of(&late, Signal::TimeToFirstToken).finding, Finding::Absent);
    let refusals = of(&late, Signal::Refusals);
    assert_eq!(refusals.finding, Finding::NoWorse);
    let (low, high) = refusals.figures.interval;
    assert!(low < 1.0 && high > 1.0 && high < 2.0, "{low} {high}");
    assert!(refusals.detectable_ratio.is_some_and(|ratio| ratio > 1.1 && ratio < 2.5));
}

/// After a step to 0 % no more requests come. What is open stays open, by the margins that held before.
#[test]
fn without_a_share_nothing_more_comes() {
    let steps = |share| Step { at_ms: 3 * MINUTE_MS, share, baseline: 1.0 - share };
    for (share, comes) in [(0.0, false), (0.1, true), (0.5, true)] {
        let before = judgement(&judge(Policy::default(), repeat(Minute::healthy(), 3)));
        let mut judge =
            Judge::new(Policy::default(), long_since().map(|long| [long, vec![steps(share)]].concat()));
        (0..3).for_each(|minute| judge.push(&Minute::healthy().window(minute)));
        for minute in 3..8 {
            judge.push(&Window {
                rates: [].into(),
                flow: Pair::default(),
                ..Minute::healthy().without(Signal::ResponseChars).window(minute)
            });
            let found = judgement(&judge);
            assert_eq!(found.verdict, Verdict::NotEnoughData, "{share} {minute}");
            assert_eq!(found.because[0] == crate::verdict::NO_SHARE, !comes, "{:?}", found.because);
            for guard in found.signals.iter().filter(|one| one.finding == Finding::Unclear) {
                let missing = guard.missing.unwrap_or_else(|| panic!("{share} {minute} {}", guard.signal));
                assert!(missing.requests > 0, "{share} {minute} {}: {missing:?}", guard.signal);
                assert!(comes || missing.minutes.is_none(), "{missing:?}");
                if share <= 0.1 {
                    assert_eq!(guard.margin, of(&before, guard.signal.clone()).margin);
                }
            }
        }
    }
}

#[test]
fn harm_is_found_and_stays_found() {
    let sick = Minute::healthy().with(Signal::Refusals, 4, 9);
    let mut judge = judge(Policy::default(), repeat(sick, 20));
    let first = judgement(&judge);
    assert_eq!(first.verdict, Verdict::Regression);
    let alarm = of(&first, Signal::Refusals).alarm.unwrap();
    assert!(alarm.at_ms < 15 * MINUTE_MS && alarm.ln_e >= 140.0_f64.ln());
    assert!(
        first.because[0].starts_with("refusals: 4 % of 2,000 against 1 % of 18,000; 4 times"),
        "{:?}",
        first.because
    );
    // Hours without a single refusal later the evidence is gone. The alarm is not.
    for minute in 20..300 {
        judge.push(&Minute::healthy().with(Signal::Refusals, 0, 9).window(minute));
    }
    let later = judgement(&judge);
    assert_eq!(later.verdict, Verdict::Regression);
    assert_eq!(of(&later, Signal::Refusals).alarm, Some(alarm));
    assert!(of(&later, Signal::Refusals).ln_e < of(&later, Signal::Refusals).ln_threshold);
}

#[test]
fn harm_that_holds_does_not_stay() {
    let sick = Minute::healthy().with(Signal::ClientAborts, 4, 9);
    let mut judge = judge(Policy::default(), repeat(sick, 20));
    let held = judgement(&judge);
    assert_eq!(held.verdict, Verdict::NotEnoughData);
    assert!(held.because.iter().any(|reason| reason.starts_with("client_aborts: 4 %")), "{:?}", held.because);
    for minute in 20..300 {
        judge.push(&Minute::healthy().with(Signal::ClientAborts, 0, 9).window(minute));
    }
    assert_eq!(judgement(&judge).verdict, Verdict::Fine);
}

#[test]
fn what_is_absent() {
    // Without series, or without any observation on both sides: nothing is held.
    let few = repeat(Minute::healthy().without(Signal::Defects), 60);
    assert_eq!(judgement(&judge(Policy::default(), few)).verdict, Verdict::Fine);
    // Errors must be known.
    let blind = judgement(&judge(Policy::default(), repeat(Minute::healthy().without(Signal::Errors), 60)));
    assert_eq!(blind.verdict, Verdict::NotEnoughData);
    assert_eq!(blind.because, ["errors: not measured"]);
    let nothing = judgement(&Judge::new(Policy::default(), None));
    assert_eq!(nothing.verdict, Verdict::NotEnoughData);
    assert_eq!(nothing.requests, Pair::default());
}

/// Lengths of one side only.
#[test]
fn one_side_alone_holds() {
    let minute = Minute { lengths: Some(([30, 40, 30], [0, 0, 0])), ..Minute::healthy() };
    let judgement = judgement(&judge(Policy::default(), repeat(minute, 60)));
    assert_eq!(judgement.verdict, Verdict::NotEnoughData);
    assert_eq!(of(&judgement, Signal::ResponseChars).finding, Finding::Unclear);
}

#[test]
fn both_longer_and_shorter_are_harm() {
    for (lengths, word) in
        [(([5, 35, 60], [270, 360, 270]), "longer"), (([60, 35, 5], [270, 360, 270]), "shorter")]
    {
        let minute = Minute { lengths: Some(lengths), ..Minute::healthy() };
        let judgement = judgement(&judge(Policy::default(), repeat(minute, 20)));
        assert_eq!(of(&judgement, Signal::ResponseChars).finding, Finding::Worse, "{word}");
        assert_eq!(judgement.verdict, Verdict::Regression);
    }
}

/// A fault that begins after ten hours is found about as soon as one at the beginning.
#[test]
fn late_faults_do_not_drown() {
    let sick = || Minute::healthy().with(Signal::Refusals, 4, 9);
    let late = judge(Policy::default(), [repeat(Minute::healthy(), 600), repeat(sick(), 30)].concat());
    assert_eq!(judgement(&late).verdict, Verdict::Regression);
}

#[test]
fn rules_of_a_policy() {
    let mut policy = Policy::default();
    let watch = Rule { mode: Some(Mode::Watch), ..Rule::default() };
    policy.signals.insert(Signal::Refusals, watch);
    let sick = Minute::healthy().with(Signal::Refusals, 4, 9);
    let watched = judgement(&judge(policy, repeat(sick, 60)));
    assert_eq!(watched.verdict, Verdict::Fine);
    assert_eq!(of(&watched, Signal::Refusals).finding, Finding::Worse);
    // A single kind of defect becomes a guard.
    let mut policy = Policy::default();
    let empty = || Signal::Defect("empty".into());
    policy.signals.insert(empty(), Rule { mode: Some(Mode::Guard), ..Rule::default() });
    let sick = Minute::healthy().with(empty(), 4, 9);
    assert_eq!(judgement(&judge(policy, repeat(sick.clone(), 60))).verdict, Verdict::Regression);
    // Else it is shown.
    let shown = judgement(&judge(Policy::default(), repeat(sick, 60)));
    assert_eq!(shown.verdict, Verdict::Fine);
    assert_eq!(of(&shown, empty()).mode, Mode::Watch);
}

/// After a step the windows are left out, and the margin is that of the greater share.
#[test]
fn steps_leave_windows_out() {
    let steps = vec![
        Step { at_ms: -600 * MINUTE_MS, share: 0.1, baseline: 0.9 },
        Step { at_ms: 10 * MINUTE_MS, share: 0.5, baseline: 0.5 },
    ];
    let mut judge = Judge::new(Policy::default(), Some(steps));
    for minute in 0..10 {
        judge.push(&Minute::healthy().window(minute));
    }
    assert_eq!(of(&judgement(&judge), Signal::Refusals).margin.ratio, 2.0);
    for minute in 10..20 {
        judge.push(&Minute::healthy().window(minute));
    }
    let judgement = judgement(&judge);
    assert_eq!(judgement.left_out_windows, 1);
    assert_eq!(of(&judgement, Signal::Refusals).margin.ratio, 1.5);
    assert_eq!(judgement.shares.configured, Some(0.5));
}

/// Limits count in windows that are left out, too.
#[test]
fn a_version_that_fails_at_once() {
    let steps = vec![Step { at_ms: 0, share: 0.1, baseline: 0.9 }];
    let mut judge = Judge::new(Policy::default(), Some(steps));
    judge.push(&Minute::healthy().with(Signal::Errors, 60, 9).window(0));
    let judgement = judgement(&judge);
    assert_eq!((judgement.verdict, judgement.left_out_windows), (Verdict::Regression, 1));
    assert_eq!(judgement.limit.map(|limit| limit.at_ms), Some(MINUTE_MS));
}

#[test]
fn the_same_windows_give_the_same_verdict() {
    let minutes =
        [repeat(Minute::healthy(), 7), repeat(Minute::healthy().with(Signal::Errors, 2, 9), 9)].concat();
    let (one, other) = (judge(Policy::default(), minutes.clone()), judge(Policy::default(), minutes));
    assert_eq!(judgement(&one), judgement(&other));
}

fn any_window() -> impl Strategy<Value = Window> {
    let count = || prop_oneof![Just(0_u64), 0_u64..50, 0_u64..1_000_000, any::<u64>()];
    let pair = move || (count(), count(), count(), count());
    let rates = prop::collection::vec(pair(), 0..12);
    let size = || prop_oneof![Just(0.0), 0.0..1e6_f64, any::<f64>()];
    let distributions = prop::collection::vec(
        (prop::collection::vec(count(), 0..4), prop::collection::vec(count(), 0..4), size(), size()),
        0..7,
    );
    (rates, distributions, pair(), any::<i32>(), any::<i32>()).prop_map(
        |(rates, distributions, flow, start, length)| {
            let of_kind = |kind| Signal::all().filter(move |signal| signal.kind() == kind);
            let rate = |(signal, (n, d, m, e))| {
                let counts = Pair { version: Count { n, d }, baseline: Count { n: m, d: e } };
                (signal, Rate { counts, first_turns: Some(counts.swapped()), shards: None })
            };
            let distribution =
                |(signal, (version, baseline, sum, squares)): (Signal, (Vec<u64>, Vec<u64>, f64, f64))| {
                    let histogram = |counts| Histogram { counts, sum, squares: Some(squares) };
                    let histograms = Pair { version: histogram(version), baseline: histogram(baseline) };
                    (
                        signal,
                        Distribution { edges: [1.0, 2.0, f64::INFINITY].into(), histograms, shards: None },
                    )
                };
            let side = |requests, decisions| Flow {
                requests,
                decisions,
                split_decisions: decisions,
                ..Flow::default()
            };
            Window {
                start_ms: i64::from(start),
                end_ms: i64::from(start) + i64::from(length),
                flow: Pair { version: side(flow.0, flow.1), baseline: side(flow.2, flow.3) },
                rates: of_kind(Kind::Rate).zip(rates).map(rate).collect(),
                distributions: of_kind(Kind::Distribution).zip(distributions).map(distribution).collect(),
                ..Window::default()
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever was counted: no panic, and no number that is none.
    #[test]
    fn any_windows(windows in prop::collection::vec(any_window(), 1..5), knows_steps: bool) {
        let mut judge = Judge::new(Policy::default(), if knows_steps { long_since() } else { None });
        windows.iter().for_each(|window| judge.push(window));
        let judgement = judgement(&judge);
        for signal in &judgement.signals {
            let figures = &signal.figures;
            for number in [signal.ln_e, signal.ln_no_worse, signal.design_effect, figures.interval.0, figures.interval.1] {
                prop_assert!(!number.is_nan(), "{signal:?}");
            }
            for number in [figures.ratio, figures.values.version, figures.values.baseline, signal.detectable_ratio] {
                prop_assert!(number.is_none_or(|number| !number.is_nan()), "{signal:?}");
            }
        }
    }
}

/// A window may lack what a later one has.
#[test]
fn a_signal_that_appears_late() {
    let minutes =
        [repeat(Minute::healthy().without(Signal::Refusals), 30), repeat(Minute::healthy(), 60)].concat();
    assert_eq!(judgement(&judge(Policy::default(), minutes)).verdict, Verdict::Fine);
}

/// What a reference set says.
fn told(finding: Finding, holds: bool) -> Outside {
    Outside {
        finding,
        pass_share: Pair { version: Some(0.6), baseline: Some(0.9) },
        prompts: 50,
        ln_e: 9.0,
        ln_threshold: 6.4,
        alarmed_at_ms: (finding == Finding::Worse).then_some(7 * MINUTE_MS),
        words: "60 % of 50 prompts pass, 90 % with v1".to_owned(),
        holds,
    }
}

/// Healthy traffic, and a reference set that says this.
#[test]
fn a_reference_set_is_a_guard_among_the_others() {
    let healthy = || judge(Policy::default().with_watchdog(), repeat(Minute::healthy(), 60));
    assert_eq!(judgement(&healthy()).verdict, Verdict::Fine, "a set that says nothing is absent");
    for (finding, holds, expect) in [
        (Finding::Unclear, true, Verdict::NotEnoughData),
        (Finding::Unclear, false, Verdict::Fine),
        (Finding::NoWorse, true, Verdict::Fine),
        (Finding::Worse, false, Verdict::Regression),
    ] {
        let mut judge = healthy();
        judge.tell(told(finding, holds));
        let judgement = judgement(&judge);
        assert_eq!(judgement.verdict, expect, "{finding:?} {holds}");
        assert_eq!(judge.has_alarmed(), finding == Finding::Worse);
        let row = of(&judgement, Signal::Watchdog);
        assert_eq!((row.mode, row.finding), (Mode::Guard, finding));
        let is_said =
            judgement.because.iter().any(|words| words.ends_with("60 % of 50 prompts pass, 90 % with v1"));
        assert_eq!(is_said, holds || finding == Finding::Worse, "{:?}", judgement.because);
    }
}

#[test]
fn an_alarm_of_a_reference_set_stays() {
    let mut judge = judge(Policy::default().with_watchdog(), repeat(Minute::healthy(), 60));
    judge.tell(told(Finding::Worse, true));
    judge.tell(told(Finding::NoWorse, true));
    let judgement = judgement(&judge);
    assert_eq!(judgement.verdict, Verdict::Regression);
    assert_eq!(of(&judgement, Signal::Watchdog).alarm.map(|alarm| alarm.at_ms), Some(7 * MINUTE_MS));
}

/// In hold mode it stops nothing.
#[test]
fn the_policy_says_what_follows_from_a_reference_set() {
    let mut policy = Policy::default().with_watchdog();
    policy.signals.insert(Signal::Watchdog, Rule { mode: Some(Mode::Hold), ..Rule::default() });
    let mut judge = judge(policy, repeat(Minute::healthy(), 60));
    judge.tell(told(Finding::Worse, true));
    assert!(!judge.has_alarmed());
    assert_eq!(judgement(&judge).verdict, Verdict::NotEnoughData);
}
