use super::{Facts, Health, Look, Seen, State};
use crate::policy::{Effect, Policy, Row};
use crate::signal::Signal;
use crate::window::{Count, Flow, Pair, Rate, SHARDS, Window};

const MINUTE_MS: i64 = 60_000;

fn window(minute: i64, version: Flow, baseline: Flow) -> Window {
    Window {
        start_ms: minute * MINUTE_MS,
        end_ms: (minute + 1) * MINUTE_MS,
        flow: Pair { version, baseline },
        ..Window::default()
    }
}

fn requests(requests: u64) -> Flow {
    Flow { requests, decisions: requests, ..Flow::default() }
}

fn facts<'f>() -> Facts<'f> {
    Facts { configured: None, observed: None, share_ln_e: None, shards: Vec::new() }
}

fn row(rows: &[Health], row: Row) -> (State, String) {
    let found = rows.iter().find(|health| health.row == row).unwrap();
    (found.state, found.detail.clone().unwrap_or_default())
}

fn after(windows: &[Window], share: f64) -> Seen {
    let mut seen = Seen::default();
    windows.iter().for_each(|window| seen.push(window, share));
    seen
}

#[test]
fn no_traffic() {
    let state = |version: &[u64], baseline| {
        let windows: Vec<_> = version
            .iter()
            .zip(0..)
            .map(|(n, minute)| window(minute, requests(*n), requests(baseline)))
            .collect();
        let look = Look { now_ms: 3 * MINUTE_MS, config: None };
        row(&after(&windows, 0.1).rows(&Policy::default(), &look, &facts()), Row::NoTraffic)
    };
    assert_eq!(state(&[0, 0, 0], 100).0, State::Hold);
    assert_eq!(state(&[0, 0, 0], 100).1, "no request of the version in 3 windows; about 30 expected");
    assert_eq!(state(&[0, 1, 0], 100).0, State::Ok);
    assert_eq!(state(&[0, 0, 0], 10).0, State::Ok);
    assert_eq!(state(&[0, 0], 100).0, State::Absent);
}

#[test]
fn old_samples_and_other_configurations() {
    let seen = after(&[window(0, requests(1), requests(9))], 0.1);
    let rows = |now_ms, config: Option<&str>| {
        let look = Look { now_ms, config: config.map(str::to_owned) };
        seen.rows(&Policy::default(), &look, &facts())
    };
    assert_eq!(row(&rows(4 * MINUTE_MS, None), Row::Stale).0, State::Ok);
    let stale = row(&rows(5 * MINUTE_MS, None), Row::Stale);
    assert_eq!(stale, (State::Hold, "the newest sample is 240 s old".into()));
    assert_eq!(row(&rows(0, None), Row::Config).0, State::Ok);
    assert_eq!(row(&rows(0, Some("b runs another")), Row::Config), (State::Hold, "b runs another".into()));
    let empty = Seen::default().rows(&Policy::default(), &Look::default(), &facts());
    assert_eq!(row(&empty, Row::Stale).0, State::Absent);
}

/// Windows go on where there are no samples: a Prometheus has none of an Envoy that it cannot scrape.
#[test]
fn windows_without_samples_are_no_news() {
    let missing = |minute| Window { is_missing: true, ..window(minute, Flow::default(), Flow::default()) };
    let after_missing = |count| {
        let mut windows = vec![window(0, requests(1), requests(9))];
        windows.extend((1..=count).map(missing));
        let look = Look { now_ms: (count + 1) * MINUTE_MS, config: None };
        row(&after(&windows, 0.1).rows(&Policy::default(), &look, &facts()), Row::Stale)
    };
    assert_eq!(after_missing(3).0, State::Ok);
    assert_eq!(after_missing(4), (State::Hold, "the newest sample is 240 s old".into()));
    // One of several Envoys is missing: there are samples of the others.
    let mut some = Window { is_missing: true, ..window(4, requests(1), requests(9)) };
    some.rates.insert(Signal::Errors, Rate::default());
    let seen = after(&[window(0, requests(1), requests(9)), some], 0.1);
    let look = Look { now_ms: 5 * MINUTE_MS, config: None };
    assert_eq!(row(&seen.rows(&Policy::default(), &look, &facts()), Row::Stale).0, State::Ok);
}

#[test]
fn a_version_that_names_another_is_stopped() {
    let mixed = Flow { mismatches: 2, ..requests(10) };
    let seen = after(&[window(0, mixed, requests(90))], 0.1);
    let rows = seen.rows(&Policy::default(), &Look::default(), &facts());
    assert_eq!(row(&rows, Row::Mismatch).0, State::Stop);
    let mut policy = Policy::default();
    policy.health.insert(Row::Mismatch, Effect::Warn);
    let rows = seen.rows(&policy, &Look::default(), &facts());
    assert_eq!(row(&rows, Row::Mismatch).0, State::Warn);
}

#[test]
fn the_share() {
    let seen = after(&[window(0, requests(10), requests(90))], 0.1);
    let of = |ln_e: Option<f64>, configured| {
        let facts = Facts { configured, observed: Some(0.2), share_ln_e: ln_e, shards: Vec::new() };
        row(&seen.rows(&Policy::default(), &Look::default(), &facts), Row::Share)
    };
    assert_eq!(of(None, None).0, State::Absent);
    assert_eq!(of(Some(6.9), Some(0.1)).0, State::Ok);
    assert_eq!(of(Some(7.0), Some(0.1)), (State::Warn, "20 % of requests instead of 10 %".into()));
}

#[test]
fn one_shard_has_most() {
    let of = |events: u64, others: u64| {
        let mut shards = [Count { n: 100, d: 0 }; SHARDS];
        shards[7].d = events;
        shards[3].d = others;
        let seen = after(&[window(0, requests(10), requests(90))], 0.1);
        let facts = Facts { shards: vec![("errors".into(), &shards)], ..facts() };
        row(&seen.rows(&Policy::default(), &Look::default(), &facts), Row::Shard)
    };
    assert_eq!(of(6, 4), (State::Warn, "shard 7 has 6 of 10 errors".into()));
    assert_eq!(of(5, 5).0, State::Ok);
    assert_eq!(of(9, 0).0, State::Ok);
}

#[test]
fn unread_responses() {
    let unread = |unread| {
        let seen = after(&[window(0, Flow { unread, ..requests(100) }, requests(900))], 0.1);
        row(&seen.rows(&Policy::default(), &Look::default(), &facts()), Row::Unread)
    };
    assert_eq!(unread(5).0, State::Ok);
    assert_eq!(unread(6), (State::Warn, "6 % of responses cannot be read".into()));
}
