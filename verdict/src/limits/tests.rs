use std::collections::BTreeMap;

use super::{Passed, Watch};
use crate::policy::Policy;
use crate::signal::Signal;
use crate::window::{Count, Flow, Pair, Rate, Window};

const POLL_MS: i64 = 5_000;

fn window(poll: i64, decisions: u64, version: (u64, u64), baseline: (u64, u64)) -> Window {
    let count = |(n, d)| Count { n, d };
    let counts = Pair { version: count(version), baseline: count(baseline) };
    let flow = |decisions, requests| Flow { decisions, requests, ..Flow::default() };
    Window {
        start_ms: poll * POLL_MS,
        end_ms: (poll + 1) * POLL_MS,
        flow: Pair { version: flow(decisions, version.0), baseline: flow(baseline.0, baseline.0) },
        rates: BTreeMap::from([(Signal::Errors, Rate { counts, ..Rate::default() })]),
        ..Window::default()
    }
}

/// The first poll at which a limit is passed.
fn passed(windows: impl IntoIterator<Item = Window>, patience_ms: i64) -> Option<(usize, Passed)> {
    let mut watch = Watch::new(Policy::default().limits);
    windows.into_iter().enumerate().find_map(|(poll, window)| Some((poll, watch.push(&window, patience_ms)?)))
}

#[test]
fn many_errors_within_a_minute() {
    // 5 of each poll, one of them fails: 20 requests after 4 polls.
    let found = passed((0..9).map(|poll| window(poll, 5, (5, 1), (50, 1))), 0);
    let counts = Pair { version: Count { n: 20, d: 4 }, baseline: Count { n: 200, d: 4 } };
    assert_eq!(found, Some((3, Passed::Errors(counts))));
}

#[test]
fn errors_of_a_minute_ago_do_not_count() {
    let polls = (0..40).map(|poll| window(poll, 2, (2, u64::from(poll < 9)), (50, 0)));
    // 19 of 20 requests and fewer each minute: with 2 a poll there are 24 in a minute, of which 9 failed.
    assert!(passed(polls, 0).is_some());
    let polls = (0..40).map(|poll| window(poll, 1, (1, u64::from(poll < 9)), (50, 0)));
    assert_eq!(passed(polls, 0), None);
}

#[test]
fn a_shared_outage_stops_nothing() {
    assert_eq!(passed((0..9).map(|poll| window(poll, 9, (9, 6), (50, 30))), 0), None);
    assert!(passed((0..9).map(|poll| window(poll, 9, (9, 6), (50, 16))), 0).is_some());
}

#[test]
fn nothing_ends() {
    // 30 decisions a poll: for a minute after the first none has ended.
    let silent = || (0..30).map(|poll| window(poll, 30, (0, 0), (50, 0)));
    let found = passed(silent(), 0).unwrap();
    assert_eq!(found.0, 12);
    assert_eq!(found.1, Passed::Stall { waiting: 30, for_ms: 60_000 });
    // Where answers take two minutes, it takes two minutes.
    assert_eq!(passed(silent(), 120_000).unwrap().0, 24);
    // Where the baseline's do not end either, it is not the version.
    assert_eq!(passed((0..30).map(|poll| window(poll, 30, (0, 0), (0, 0))), 0), None);
    // One end is an end.
    let one = (0..30).map(|poll| window(poll, 30, (u64::from(poll % 9 == 8), 0), (50, 0)));
    assert_eq!(passed(one, 0), None);
    // Few decisions prove nothing.
    let few = (0..30).map(|poll| window(poll, u64::from(poll < 19), (0, 0), (50, 0)));
    assert_eq!(passed(few, 0), None);
    // However old they are, twenty do.
    let slowly = (0..80).map(|poll| window(poll, u64::from(poll % 3 == 0), (0, 0), (50, 0)));
    assert!(passed(slowly, 0).is_some());
}

#[test]
fn without_limits() {
    let mut watch = Watch::new(crate::policy::Limits { errors: None, stall_ms: None });
    for poll in 0..40 {
        assert_eq!(watch.push(&window(poll, 30, (0, 0), (50, 0)), 0), None);
    }
}
