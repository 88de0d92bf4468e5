//! Envoys that restart and scrapes that fail, by chance: what the windows count is what was counted.

use super::tests::{MINUTE, chat, line, samples};
use super::{Comparison, Samples, Span, Tally, windows_of};
use crate::prometheus_text::{Lines, read_page};
use llm_canary_verdict::window::{Pair, Window};
use proptest::prelude::*;

/// What happens to an Envoy in one minute.
#[derive(Clone, Debug)]
struct Minute {
    /// Requests of the version and the baseline.
    requests: [u32; 2],
    is_scraped: bool,
    /// Right after the scrape.
    restarts: bool,
}

/// An Envoy: whether its configuration has the version from this minute on, and its minutes.
type Life = (usize, Vec<Minute>);

/// A scrape: the minute, and its values by name; a version that is not defined has none.
type Scrape = (usize, Vec<(&'static str, f64)>);

fn minute() -> impl Strategy<Value = Minute> {
    (prop::array::uniform2(0_u32..50), 0_u32..10, 0_u32..8).prop_map(|(requests, scrape, restart)| Minute {
        requests,
        is_scraped: scrape > 1,
        restarts: restart == 0,
    })
}

fn life() -> impl Strategy<Value = Life> {
    (0_usize..6, prop::collection::vec(minute(), 2..30))
}

/// Lives an Envoy's life: its scrapes, and what it counted between the first and the last of them.
fn lived((defined_at, minutes): &Life) -> (Vec<Scrape>, Pair<u64>) {
    let mut scrapes: Vec<Scrape> = Vec::new();
    let (mut counted, mut unseen) = ([0.0, 0.0], [0.0, 0.0]);
    let mut values = [0.0, 0.0];
    // Counts all the time, so that a restart shows.
    let mut beat = 0.0;
    let mut must_scrape = false;
    for (at, minute) in minutes.iter().enumerate() {
        let is_defined = at >= *defined_at;
        beat += 10.0;
        for side in 0..2 {
            let requests = if is_defined || side == 1 { f64::from(minute.requests[side]) } else { 0.0 };
            values[side] += requests;
            unseen[side] += requests;
        }
        if !(minute.is_scraped || must_scrape) {
            continue;
        }
        let mut scrape = vec![("v1", values[1]), ("beat", beat)];
        if is_defined {
            scrape.push(("v2", values[0]));
        }
        if !scrapes.is_empty() {
            counted = [counted[0] + unseen[0], counted[1] + unseen[1]];
        }
        scrapes.push((at, scrape));
        unseen = [0.0, 0.0];
        must_scrape = minute.restarts && beat >= 20.0;
        if must_scrape {
            (values, beat) = ([0.0, 0.0], 0.0);
        }
    }
    let [version, baseline] = counted.map(|counted| counted as u64);
    (scrapes, Pair { version, baseline })
}

fn sample(instance: &str, version: &str, value: f64, at_s: f64) -> String {
    match version {
        "beat" => line("llm_decisions_total", instance, "v0", "llm_reason=\"split\"", value, at_s),
        _ => line("llm_requests_total", instance, version, "llm_outcome=\"complete\"", value, at_s),
    }
}

fn instance(index: usize) -> String {
    format!("envoy-{index}")
}

/// Minutes begin with the second, so that no time is 0.
fn at_s(minute: usize) -> f64 {
    60.0 * (minute + 1) as f64
}

/// The lines of a file, series by series, or scrape by scrape.
fn file(lives: &[Vec<Scrape>], is_by_series: bool) -> String {
    let mut lines = Vec::new();
    for (index, scrapes) in lives.iter().enumerate() {
        for (at, scrape) in scrapes {
            for (version, value) in scrape {
                let key = if is_by_series { (index, *version, *at) } else { (*at, *version, index) };
                lines.push((key.0, key.1, key.2, sample(&instance(index), version, *value, at_s(*at))));
            }
        }
    }
    lines.sort_by(|one, other| (one.0, one.1, one.2).cmp(&(other.0, other.1, other.2)));
    lines.into_iter().map(|(.., line)| line).collect()
}

/// The same by pages of each Envoy, a minute apart.
fn polled(lives: &[Vec<Scrape>]) -> Vec<Window> {
    let mut samples = Samples::new(Span::Polls);
    let mut lines: Vec<Lines> = lives.iter().map(|_| Lines::default()).collect();
    let mut windows = Vec::new();
    let last = lives.iter().flatten().map(|(at, _)| *at).max().unwrap_or(0);
    for minute in 0..=last {
        let mut is_missing = false;
        for (index, scrapes) in lives.iter().enumerate() {
            let Some((_, scrape)) = scrapes.iter().find(|(at, _)| *at == minute) else {
                is_missing = true;
                continue;
            };
            let with_times: String =
                scrape.iter().map(|(version, value)| sample("", version, *value, 0.0)).collect();
            let page = with_times.replace("instance=\"\",", "").replace(" 0\n", "\n");
            let at_ms = (at_s(minute) * 1_000.0) as u64;
            read_page(page.as_bytes(), &mut lines[index], &instance(index), at_ms, &mut samples).unwrap();
        }
        let mut keep = |tally: &Tally<'_>| windows.push(tally.window(&chat()));
        samples.drain(&mut keep);
        samples.close(is_missing, &mut keep);
    }
    windows
}

/// Windows with traffic, without what a source cannot know: which samples are missing.
fn traffic(windows: &[Window]) -> Vec<(i64, Pair<u64>)> {
    let of = |window: &Window| (window.end_ms, window.flow.map(|flow| flow.requests));
    windows.iter().map(of).filter(|(_, requests)| requests.either(|n| *n > 0)).collect()
}

proptest! {
    #[test]
    fn windows_count_what_was_counted(lives in prop::collection::vec(life(), 1..4)) {
        let lived: Vec<(Vec<Scrape>, Pair<u64>)> = lives.iter().map(lived).collect();
        let scrapes: Vec<Vec<Scrape>> = lived.iter().map(|(scrapes, _)| scrapes.clone()).collect();
        let by_series = windows_of(&mut samples(&file(&scrapes, true), MINUTE), &chat());
        let by_scrape = windows_of(&mut samples(&file(&scrapes, false), MINUTE), &chat());
        prop_assert_eq!(&by_series, &by_scrape);
        let sum = |side: fn(&Pair<u64>) -> u64, of: &mut dyn Iterator<Item = Pair<u64>>| of.map(|pair| side(&pair)).sum::<u64>();
        for side in [(|pair| pair.version) as fn(&Pair<u64>) -> u64, |pair| pair.baseline] {
            let counted = sum(side, &mut lived.iter().map(|(_, counted)| *counted));
            let found = sum(side, &mut by_series.iter().map(|window| window.flow.map(|flow| flow.requests)));
            prop_assert_eq!(found, counted);
        }
        prop_assert_eq!(traffic(&polled(&scrapes)), traffic(&by_series));
        // Each window begins where the one before ended, or later.
        prop_assert!(by_series.windows(2).all(|pair| pair[0].end_ms <= pair[1].start_ms));
    }
}

#[test]
fn as_many_rollouts_and_versions_as_there_may_be() {
    let page = |step: u32| {
        let mut page = String::new();
        for (rollout, version) in
            (0..64_u32).flat_map(|rollout| (0..16_u32).map(move |version| (rollout, version)))
        {
            let value = step * (1 + rollout + version);
            for (name, more) in
                [("llm_requests_total", ",llm_outcome=\"complete\""), ("llm_refusals_total", "")]
            {
                page += &format!(
                    "{name}{{llm_rollout=\"r{rollout}\",llm_version=\"v{version}\",llm_compare=\"yes\"{more}}} {value}\n"
                );
            }
        }
        page
    };
    let (mut samples, mut lines) = (Samples::new(Span::Polls), Lines::default());
    let mut found = Vec::new();
    for step in 1..=3 {
        read_page(page(step).as_bytes(), &mut lines, "a", u64::from(step) * 1_000, &mut samples).unwrap();
        let of = |rollout: u32| Comparison {
            rollout: format!("r{rollout}"),
            version: "v15".into(),
            baseline: "v0".into(),
        };
        let mut keep = |tally: &Tally<'_>| {
            found.extend([0, 63].map(|rollout| tally.window(&of(rollout)).flow.map(|flow| flow.requests)))
        };
        samples.drain(&mut keep);
        samples.close(false, &mut keep);
    }
    let [first, last] = [Pair { version: 16, baseline: 1 }, Pair { version: 79, baseline: 64 }];
    assert_eq!(found, [first, last, first, last]);
    assert_eq!(samples.seen().iter().map(|rollout| rollout.versions.len()).sum::<usize>(), 1_024);
}
