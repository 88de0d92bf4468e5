//! What becomes of samples, by the texts of files.

use super::{Comparison, Samples, SeenVersion, Span, Tally, windows_of};
use crate::prometheus_text::{Lines, read_file, read_page};
use llm_canary_verdict::signal::Signal;
use llm_canary_verdict::window::{Count, Pair, Window};

pub(super) const MINUTE: Span = Span::Aligned(60_000);

pub(super) fn chat() -> Comparison {
    Comparison { rollout: "chat".into(), version: "v2".into(), baseline: "v1".into() }
}

/// A line of a file. `more` are labels, and may be empty.
pub(super) fn line(name: &str, instance: &str, version: &str, more: &str, value: f64, at_s: f64) -> String {
    let more = if more.is_empty() { String::new() } else { format!(",{more}") };
    format!(
        "{name}{{instance=\"{instance}\",llm_rollout=\"chat\",llm_version=\"{version}\",llm_compare=\"yes\"{more}}} {value} {at_s}\n"
    )
}

fn requests(instance: &str, version: &str, value: f64, at_s: f64) -> String {
    line("llm_requests_total", instance, version, "llm_outcome=\"complete\"", value, at_s)
}

fn hash(instance: &str, value: u32, at_s: f64) -> String {
    format!("llm_config_hash{{instance=\"{instance}\",llm_rollout=\"chat\"}} {value} {at_s}\n")
}

pub(super) fn samples(text: &str, span: Span) -> Samples {
    let mut samples = Samples::new(span);
    read_file(&mut text.as_bytes(), &mut samples).expect(text);
    samples
}

pub(super) fn windows(text: &str) -> Vec<Window> {
    windows_of(&mut samples(text, MINUTE), &chat())
}

/// The version's requests in each window.
fn counts(text: &str) -> Vec<u64> {
    windows(text).iter().map(|window| window.flow.version.requests).collect()
}

/// Requests of v2 on the Envoy `a`: seconds and values.
fn series(samples: &[(f64, f64)]) -> String {
    samples.iter().map(|(at_s, value)| requests("a", "v2", *value, *at_s)).collect()
}

#[test]
fn increments_belong_to_the_window_of_the_later_sample() {
    // A sample at the end of a window is the last one in it.
    assert_eq!(counts(&series(&[(0.0, 5.0), (60.0, 8.0), (60.001, 10.0), (120.0, 11.0)])), [3, 3]);
    // Four in a minute; the first is a starting point, at whatever value.
    let text = series(&[(7.0, 100.0), (22.0, 101.0), (37.0, 103.0), (52.0, 106.0), (67.0, 110.0)]);
    let all = windows(&text);
    assert_eq!(all.iter().map(|window| window.flow.version.requests).collect::<Vec<_>>(), [6, 4]);
    let times: Vec<_> = all.iter().map(|window| (window.start_ms, window.end_ms)).collect();
    assert_eq!(times, [(7_000, 52_000), (60_000, 67_000)]);
    assert!(all.iter().all(|window| !window.is_missing));
    // Starting points alone, or nothing at all.
    assert_eq!(counts(&series(&[(0.0, 5.0)])), [0_u64; 0]);
    assert_eq!(counts(""), [0_u64; 0]);
    assert_eq!(counts("# EOF\n"), [0_u64; 0]);
}

#[test]
fn tokens_that_a_cache_held_are_counted() {
    let tokens = |version, token, values: [f64; 2]| -> String {
        let label = format!("llm_token=\"{token}\"");
        let samples = values.iter().zip([60.0, 120.0]);
        samples.map(|(value, at)| line("llm_tokens_total", "a", version, &label, *value, at)).collect()
    };
    let text = series(&[(60.0, 5.0), (120.0, 9.0)])
        + &tokens("v2", "input", [100.0, 900.0])
        + &tokens("v2", "cached_input", [50.0, 350.0])
        + &tokens("v1", "cached_input", [7.0, 8.0])
        + &tokens("v2", "reasoning", [0.0, 9.0]);
    let cached: Vec<_> =
        windows(&text).iter().map(|window| window.flow.map(|flow| flow.cached_input_tokens)).collect();
    assert_eq!(cached, [Pair { version: 300, baseline: 1 }]);
}

#[test]
fn a_restart_is_of_the_whole_instance() {
    // The requests of v2 do not go back; those of v1 do, on the same Envoy, at the same time.
    let text = series(&[(60.0, 5.0), (120.0, 9.0), (180.0, 7.0), (240.0, 12.0)]);
    assert_eq!(counts(&text), [4, 7, 5]);
    let v1 = |instance, values: [f64; 4]| -> String {
        values
            .iter()
            .zip([60.0, 120.0, 180.0, 240.0])
            .map(|(value, at)| requests(instance, "v1", *value, at))
            .collect()
    };
    let v2 = series(&[(60.0, 5.0), (120.0, 6.0), (180.0, 8.0), (240.0, 12.0)]);
    assert_eq!(counts(&(v2.clone() + &v1("a", [50.0, 60.0, 70.0, 80.0]))), [1, 2, 4]);
    assert_eq!(counts(&(v2.clone() + &v1("a", [50.0, 60.0, 1.0, 2.0]))), [1, 8, 4], "began anew at 0");
    assert_eq!(counts(&(v2.clone() + &v1("b", [50.0, 60.0, 1.0, 2.0]))), [1, 2, 4], "another Envoy");
    // What is not compared shows a restart as well, and so do other rollouts.
    let others = v1("a", [50.0, 60.0, 1.0, 2.0]).replace("\"yes\"", "\"no\"").replace("chat", "other");
    assert_eq!(counts(&(v2.clone() + &others)), [1, 8, 4]);
    // A sum that Envoy rounds shows none.
    let rounded: String = [(60.0, 9.0), (120.0, 10.0), (180.0, 9.9)]
        .iter()
        .map(|(at, value)| line("llm_response_chars_sum", "a", "v2", "", *value, *at))
        .collect();
    assert_eq!(counts(&(v2 + &rounded)), [1, 2, 4]);
}

#[test]
fn a_series_that_comes_late_began_at_0_where_its_instance_answered_before() {
    let early = |at: &[f64]| -> String { at.iter().map(|at| requests("a", "v1", 100.0, *at)).collect() };
    let late = series(&[(120.0, 7.0), (180.0, 9.0)]);
    assert_eq!(counts(&(early(&[60.0, 120.0, 180.0]) + &late)), [7, 2]);
    assert_eq!(counts(&(early(&[120.0, 180.0]) + &late)), [2], "nothing is known of before");
    // Another instance says nothing about this one.
    let other = early(&[60.0, 120.0, 180.0]).replace("\"a\"", "\"b\"");
    assert_eq!(counts(&(other + &late)), [0, 2]);
    // A value that is no number is no count, and not 0 either.
    for odd in [f64::NAN, f64::INFINITY, -1.0] {
        let text =
            early(&[60.0, 120.0, 180.0, 240.0]) + &series(&[(120.0, odd), (180.0, 9.0), (240.0, 10.0)]);
        assert_eq!(counts(&text), [0, 0, 1], "{odd}");
        let text = series(&[(60.0, 4.0), (120.0, odd), (180.0, 9.0)]);
        assert_eq!(counts(&text), [0, 5], "{odd}");
    }
}

#[test]
fn a_series_that_is_gone_for_a_while_goes_on_or_began_anew() {
    let clock = |at: &[(f64, f64)]| -> String {
        at.iter().map(|(at, value)| requests("a", "v1", *value, *at)).collect()
    };
    let v2 = series(&[(60.0, 5.0), (180.0, 8.0)]);
    assert_eq!(counts(&(v2.clone() + &clock(&[(60.0, 1.0), (120.0, 2.0), (180.0, 3.0)]))), [0, 3]);
    // The restart was seen while the series was away.
    assert_eq!(counts(&(v2 + &clock(&[(60.0, 3.0), (120.0, 2.0), (180.0, 3.0)]))), [0, 8]);
}

#[test]
fn windows_without_samples_are_missing() {
    let all = windows(&series(&[(60.0, 5.0), (120.0, 6.0), (300.0, 9.0), (360.0, 10.0)]));
    let of = |window: &Window| {
        (window.start_ms / 1_000, window.end_ms / 1_000, window.is_missing, window.flow.version.requests)
    };
    let found: Vec<_> = all.iter().map(of).collect();
    assert_eq!(
        found,
        [
            (60, 120, false, 1),
            (120, 180, true, 0),
            (180, 240, true, 0),
            (240, 300, false, 3),
            (300, 360, false, 1)
        ]
    );
    assert!(all[1].rates.is_empty() && all[1].distributions.is_empty(), "not known is not 0");
    // One of two Envoys is silent: for three windows it is missing, then it is gone.
    let both: String =
        (1..=9).map(|minute| requests("b", "v2", f64::from(minute), f64::from(minute * 60))).collect();
    let missing = |text: String| windows(&text).iter().map(|window| window.is_missing).collect::<Vec<_>>();
    let text = both.clone() + &series(&[(60.0, 5.0), (120.0, 6.0)]);
    assert_eq!(missing(text), [false, true, true, true, false, false, false, false]);
    let text = both + &series(&[(60.0, 5.0), (120.0, 6.0), (240.0, 7.0), (300.0, 8.0)]);
    assert_eq!(missing(text), [false, true, false, false, true, true, true, false]);
    // Scrapes that are rarer than windows are not missing.
    let rare: String =
        (1..=9).map(|minute| requests("a", "v2", f64::from(minute), f64::from(minute * 180))).collect();
    let both: String = (1..=27).map(|minute| requests("b", "v2", 0.0, f64::from(minute * 60))).collect();
    assert!(missing(rare + &both).iter().all(|is_missing| !is_missing));
    // A clock that jumps by years leaves one window.
    let all = windows(&series(&[(60.0, 5.0), (120.0, 6.0), (1e9, 9.0), (1e9 + 60.0, 10.0)]));
    assert_eq!(all.iter().map(|window| window.flow.version.requests).collect::<Vec<_>>(), [1, 0, 3, 1]);
}

#[test]
fn an_instance_with_another_configuration_is_left_out() {
    let hashes = |values: [u32; 3]| -> String {
        let all = [60.0, 120.0, 180.0].into_iter().flat_map(|at| {
            ["a", "b", "c"].into_iter().zip(values).map(move |(name, value)| hash(name, value, at))
        });
        all.collect()
    };
    let counters: String = [("a", 1.0), ("b", 10.0), ("c", 100.0)]
        .iter()
        .flat_map(|(name, step)| [60.0, 120.0, 180.0].map(|at| requests(name, "v2", step * at / 60.0, at)))
        .collect();
    let of = |values| {
        let mut samples = samples(&(counters.clone() + &hashes(values)), MINUTE);
        let windows = windows_of(&mut samples, &chat());
        let counts: Vec<u64> = windows.iter().map(|window| window.flow.version.requests).collect();
        (counts, samples.other_configs("chat", 0))
    };
    assert_eq!(of([7, 7, 7]), (vec![111, 111], None));
    let (counts, words) = of([7, 8, 7]);
    assert_eq!(counts, [101, 101]);
    assert_eq!(words.unwrap(), "not all instances run the same configuration; these differ: instance=b");
    // No hash has most: none is left out, and all are named.
    let (counts, words) = of([7, 8, 9]);
    assert_eq!(counts, [111, 111]);
    assert!(words.unwrap().ends_with("instance=a, instance=b, instance=c"));
}

#[test]
fn only_what_is_compared_counts_and_prefixes_do_not_matter() {
    let plain = series(&[(60.0, 5.0), (120.0, 9.0)]);
    let traffic = |name: &str| plain.replace("llm_requests_total", name);
    for name in [
        "llm_requests_total",
        "envoy_llm_requests_total",
        "envoy_dynamicmodulescustom_llm_requests_total",
        "my_llm_gateway_llm_requests_total",
        // A module's metrics_namespace.
        "envoy_llm_canary_llm_requests_total",
    ] {
        assert_eq!(counts(&traffic(name)), [4], "{name}");
    }
    for name in [
        "llm_canary_requests_total",
        "envoy_llm_canary_requests_total",
        "xllm_requests_total",
        "llm_requests",
        "llm_requests_total_x",
    ] {
        assert_eq!(counts(&traffic(name)), [0_u64; 0], "{name}");
    }
    assert_eq!(counts(&plain.replace("\"yes\"", "\"no\"")), [0]);
    assert_eq!(counts(&plain.replace("v2", "v3")), [0]);
    // Two filters in one Envoy.
    assert_eq!(counts(&(plain.clone() + &traffic("envoy_llm_requests_total"))), [8]);
    // The order of labels says nothing.
    let later = series(&[(180.0, 10.0)]);
    let later = later.replace("instance=\"a\",llm_rollout=\"chat\"", "llm_rollout=\"chat\",instance=\"a\"");
    assert_eq!(counts(&(plain + &later)), [4, 1]);
}

#[test]
fn every_signal_is_read_from_its_series() {
    let both = |name: &str, more: &str, value: f64| {
        line(name, "a", "v2", more, 0.0, 60.0) + &line(name, "a", "v2", more, value, 120.0)
    };
    let outcome = |name: &str, value| both("llm_requests_total", &format!("llm_outcome=\"{name}\""), value);
    let mut text: String = ["http_error", "stream_error", "truncated", "upstream_reset", "local_reply"]
        .map(|name| outcome(name, 1.0))
        .concat();
    text += &(outcome("complete", 90.0)
        + &outcome("client_abort", 3.0)
        + &outcome("client_abort_after_tool_call", 2.0));
    for (name, more, value) in [
        ("llm_decisions_total", "llm_reason=\"split\"", 80.0),
        ("llm_decisions_total", "llm_reason=\"started\"", 25.0),
        ("llm_refusals_total", "llm_refusal=\"structured\"", 2.0),
        ("llm_refusals_total", "llm_refusal=\"phrase\"", 5.0),
        ("llm_defective_responses_total", "", 6.0),
        ("llm_defects_total", "llm_defect=\"repetition\"", 4.0),
        ("llm_finish_total", "llm_finish=\"length\"", 8.0),
        ("llm_finish_total", "llm_finish=\"stop\"", 80.0),
        ("llm_tool_responses_total", "", 9.0),
        ("llm_tools_offered_total", "", 40.0),
        ("llm_retries_total", "", 10.0),
        ("llm_feedback_total", "llm_feedback=\"up\"", 11.0),
        ("llm_feedback_total", "llm_feedback=\"down\"", 4.0),
        ("llm_feedback_total", "llm_feedback=\"escalation\"", 1.0),
        ("llm_unread_total", "llm_unread=\"type\"", 12.0),
        ("llm_unread_total", "llm_unread=\"dialect\"", 1.0),
        ("llm_version_mismatch_total", "", 14.0),
        ("llm_first_turn_requests_total", "", 30.0),
        ("llm_first_turn_errors_total", "", 1.0),
        ("llm_first_turn_refusals_total", "", 3.0),
        ("llm_shard_requests_total", "llm_shard=\"31\"", 20.0),
        ("llm_shard_errors_total", "llm_shard=\"31\"", 2.0),
        ("llm_shard_errors_total", "llm_shard=\"32\"", 99.0),
        ("llm_shard_requests_total", "llm_shard=\"0\"", 10.0),
        ("llm_shard_errors_total", "llm_shard=\"0\"", 0.0),
    ] {
        text += &both(name, more, value);
    }
    let [window] = &windows(&text)[..] else { panic!("one window") };
    let flow = window.flow.version;
    assert_eq!((flow.requests, flow.first_turns, flow.decisions, flow.split_decisions), (100, 30, 105, 80));
    assert_eq!((flow.unread, flow.mismatches), (13, 14));
    let found: Vec<(String, Count)> =
        window.rates.iter().map(|(signal, rate)| (signal.to_string(), rate.counts.version)).collect();
    let count = |name: &str, n, d| (name.to_owned(), Count { n, d });
    let expect = [
        count("errors", 100, 5),
        count("refusals", 100, 7),
        count("defects", 100, 6),
        count("length_stops", 100, 8),
        count("client_aborts", 100, 3),
        count("tool_responses", 40, 9),
        count("retries", 105, 10),
        count("feedback_down", 15, 4),
        count("escalations", 100, 1),
        count("feedback_up", 15, 11),
        count("defect:repetition", 100, 4),
    ];
    assert_eq!(found, expect);
    assert!(window.rates.values().all(|rate| rate.counts.baseline.d == 0));
    let errors = &window.rates[&Signal::Errors];
    let first = Pair { version: Count { n: 30, d: 1 }, baseline: Count::default() };
    assert_eq!(errors.first_turns, Some(first));
    let shards = &errors.shards.as_ref().unwrap().version;
    assert_eq!(
        (shards[31], shards[0], shards[1]),
        (Count { n: 20, d: 2 }, Count { n: 10, d: 0 }, Count::default())
    );
    assert!(window.rates[&Signal::Refusals].shards.is_none(), "that series does not exist");
    assert!(window.distributions.is_empty());
}

/// A histogram: the edges and the responses up to each; the series of all are written.
pub(super) fn histogram(name: &str, instance: &str, buckets: &[(&str, f64)], at_s: f64) -> String {
    let bucket = |(edge, value): &(&str, f64)| {
        line(&format!("{name}_bucket"), instance, "v2", &format!("le=\"{edge}\""), *value, at_s)
    };
    buckets.iter().map(bucket).collect()
}

#[test]
fn histograms_with_exact_sums_or_without() {
    let name = "llm_response_chars";
    let zero = [("5", 0.0), ("10.0", 0.0), ("+Inf", 0.0)];
    let mut text = histogram(name, "a", &zero, 60.0)
        + &histogram(name, "a", &[("5", 2.0), ("1e1", 6.0), ("+Inf", 7.0)], 120.0);
    let [window] = &windows(&text)[..] else { panic!("one window") };
    let chars = &window.distributions[&Signal::ResponseChars];
    assert_eq!(&chars.edges[..], [5.0, 10.0]);
    assert_eq!(chars.histograms.version.counts, [2, 4, 1]);
    assert_eq!(chars.histograms.baseline.counts, [0, 0, 0]);
    assert_eq!((chars.histograms.version.sum, chars.histograms.version.squares), (0.0, None));
    let both = |name: &str, value| {
        line(name, "a", "v2", "", 3.0, 60.0) + &line(name, "a", "v2", "", 3.0 + value, 120.0)
    };
    text += &(both("llm_response_chars_count", 7.0) + &both("llm_response_chars_sum", 51.5));
    let sums = |text: &str| {
        let chars = windows(text).remove(0).distributions.remove(&Signal::ResponseChars).unwrap();
        (chars.histograms.version.sum, chars.histograms.version.squares, chars.histograms.baseline.squares)
    };
    assert_eq!(sums(&text), (51.5, None, None));
    text += &(both("llm_response_chars_total", 50.0) + &both("llm_response_chars_squared_total", 600.0));
    assert_eq!(sums(&text), (50.0, Some(600.0), Some(0.0)));
    // By shard.
    for (name, value) in [("llm_shard_requests_total", 9.0), ("llm_shard_response_chars_total", 44.0)] {
        text += &(line(name, "a", "v2", "llm_shard=\"0\"", 0.0, 60.0)
            + &line(name, "a", "v2", "llm_shard=\"0\"", value, 120.0));
    }
    let chars = &windows(&text).remove(0).distributions[&Signal::ResponseChars];
    let shards = chars.shards.as_ref().unwrap();
    assert_eq!((shards.version[0].n, shards.version[0].sum), (9, 44.0));
}

#[test]
fn instances_with_other_buckets_are_compared_where_edges_are_common() {
    let name = "llm_time_to_first_token_ms";
    let zero = |edges: &[&'static str]| edges.iter().map(|edge| (*edge, 0.0)).collect::<Vec<_>>();
    let text = histogram(name, "a", &zero(&["5", "10", "+Inf"]), 60.0)
        + &histogram(name, "a", &[("5", 1.0), ("10", 3.0), ("+Inf", 4.0)], 120.0)
        + &histogram(name, "b", &zero(&["2", "10", "20", "+Inf"]), 60.0)
        + &histogram(name, "b", &[("2", 1.0), ("10", 2.0), ("20", 5.0), ("+Inf", 9.0)], 120.0);
    let text = text + &requests("a", "v2", 0.0, 60.0) + &requests("a", "v2", 1.0, 120.0);
    let [window] = &windows(&text)[..] else { panic!("one window") };
    let of = &window.distributions[&Signal::TimeToFirstToken];
    assert_eq!((&of.edges[..], &of.histograms.version.counts[..]), (&[10.0][..], &[5, 8][..]));
    // After a restart with other buckets the old ones do not count any more.
    let text = histogram(name, "a", &[("5", 9.0), ("10", 9.0), ("+Inf", 9.0)], 60.0)
        + &histogram(name, "a", &[("2", 1.0), ("20", 3.0), ("+Inf", 4.0)], 120.0);
    let [window] = &windows(&text)[..] else { panic!("one window") };
    let of = &window.distributions[&Signal::TimeToFirstToken];
    assert_eq!((&of.edges[..], &of.histograms.version.counts[..]), (&[2.0, 20.0][..], &[1, 2, 1][..]));
}

#[test]
fn what_was_seen() {
    let v1: String =
        [(60.0, 1_000.0), (120.0, 1_010.0)].map(|(at, value)| requests("a", "v1", value, at)).concat();
    let text = v1.clone()
        + &series(&[(60.0, 5.0), (120.0, 9.0)])
        + &v1.replace("v1", "v0").replace("1010", "1000")
        + &v1.replace("chat", "code");
    let late = text + &requests("a", "v3", 6.0, 120.0);
    let seen = samples(&late, MINUTE).seen();
    let names: Vec<&str> = seen.iter().map(|rollout| rollout.name.as_str()).collect();
    assert_eq!(names, ["chat", "code"]);
    let version =
        |name: &str, requests, requests_ever| SeenVersion { name: name.to_owned(), requests, requests_ever };
    let expect =
        [version("v0", 0, 1_000), version("v1", 10, 1_010), version("v2", 4, 9), version("v3", 6, 6)];
    assert_eq!(seen[0].versions, expect);
}

#[test]
fn polls_close_their_windows_themselves() {
    let mut samples = Samples::new(Span::Polls);
    let mut lines = Lines::default();
    let mut found = Vec::new();
    let page = |value: f64| requests("a", "v2", value, 0.0).replace(" 0\n", "\n");
    for (at_ms, text) in [
        (5_000, String::new()),
        (10_000, page(3.0)),
        (15_007, page(3.0)),
        (15_008, page(8.0)),
        (20_000, page(2.0)),
    ] {
        read_page(text.as_bytes(), &mut lines, "http://a", at_ms, &mut samples).unwrap();
        let mut keep = |tally: &Tally<'_>| {
            found.push((tally.start_ms(), tally.end_ms(), tally.window(&chat()).flow.version.requests))
        };
        samples.drain(&mut keep);
        samples.close(false, &mut keep);
    }
    // The first page had no series: this one began at 0.
    assert_eq!(found, [(5_000, 10_000, 3), (10_000, 15_007, 0), (15_007, 15_008, 5), (15_008, 20_000, 2)]);
}

/// An Envoy with the filter in WebAssembly and as a native module, without the guard that makes their names the same.
#[test]
fn two_filters_of_one_page_count_apart() {
    const NATIVE: &str = "envoy_dynamicmodulescustom_llm_";
    let page = |wasm: f64, native: f64| {
        let one = |rollout: &str, value: f64, own: u32| {
            let labels = format!("llm_rollout=\"{rollout}\"");
            format!(
                "llm_requests_total{{{labels},llm_version=\"v2\",llm_compare=\"yes\",llm_outcome=\"complete\"}} {value}\n\
                 llm_config_hash{{{labels}}} {own}\n"
            )
        };
        let native = one("chat", native, 8) + &one("code", native, 9);
        native
            .replace("llm_requests", &format!("{NATIVE}requests"))
            .replace("llm_config", &format!("{NATIVE}config"))
            + &one("chat", wasm, 7)
    };
    let mut samples = Samples::new(Span::Polls);
    let (mut lines, mut found) = (Lines::default(), Vec::new());
    // The native one begins anew at 0, as one that was loaded again, and the other does not.
    for (at_ms, text) in [(5_000, page(10.0, 10.0)), (10_000, page(13.0, 12.0)), (15_000, page(14.0, 1.0))] {
        read_page(text.as_bytes(), &mut lines, "http://a", at_ms, &mut samples).unwrap();
        let mut keep = |tally: &Tally<'_>| found.push(tally.window(&chat()).flow.version.requests);
        samples.drain(&mut keep);
        samples.close(false, &mut keep);
    }
    assert_eq!(found, [5, 2]);
    // One of them runs each of the configurations, and nobody is missed.
    let running = |rollout, own| samples.running(rollout, own, 0, &["http://a"]);
    assert_eq!(running("chat", 8), (2, vec!["http://a *".to_owned()]));
    assert_eq!(running("chat", 7), (2, vec!["http://a".to_owned()]));
    assert_eq!(running("code", 9), (1, vec![]));
    assert_eq!(running("other", 9), (1, vec!["http://a".to_owned()]));
}

#[test]
fn a_metric_exists_if_any_of_its_series_does() {
    // Series without any event are not written by every exporter.
    let finish = |at_s, value| line("llm_finish_total", "a", "v2", "llm_finish=\"stop\"", value, at_s);
    let text = series(&[(60.0, 5.0), (120.0, 9.0)]) + &finish(60.0, 1.0) + &finish(120.0, 3.0);
    let names: Vec<String> = windows(&text).remove(0).rates.keys().map(Signal::to_string).collect();
    assert_eq!(names, ["errors", "length_stops", "client_aborts"]);
    // Without requests there is nothing that rates are of.
    assert!(windows(&(finish(60.0, 1.0) + &finish(120.0, 3.0))).remove(0).rates.is_empty());
}

/// Each second ten answers of 100 ms: Envoy counts them at once, and shows them in histograms a flush later. However flushes fall
/// between the samples, means are those of the answers.
#[test]
fn sums_wait_for_the_histograms() {
    for flush_s in [1.0, 2.5, 5.0] {
        let mut text = String::new();
        for second in 0..60 {
            let at_s = f64::from(second) + 0.4;
            // From the twentieth second on there are five times as many.
            let ended = |at_s: f64| (10.0 * at_s + 40.0 * (at_s - 20.0).max(0.0)).floor();
            let (now, shown) = (ended(at_s), ended((at_s / flush_s).floor() * flush_s));
            for version in ["v1", "v2"] {
                let add = |name: &str, more: &str, value: f64| line(name, "a", version, more, value, at_s);
                text += &requests("a", version, now, at_s);
                text += &add("llm_time_per_output_token_us_total", "", now * 100.0);
                text += &add("llm_time_per_output_token_us_squared_total", "", now * 1e4);
                for name in ["llm_time_per_output_token_us", "llm_request_duration_ms"] {
                    text += &add(&format!("{name}_bucket"), "le=\"200\"", shown);
                    text += &add(&format!("{name}_bucket"), "le=\"+Inf\"", shown);
                    text += &add(&format!("{name}_count"), "", shown);
                }
            }
        }
        let windows = windows_of(&mut samples(&text, Span::Aligned(1_000)), &chat());
        let (mut n, mut sum, mut squares) = (0, 0.0, 0.0);
        for window in windows {
            let found = &window.distributions[&Signal::TimePerOutputToken].histograms.version;
            n += found.count();
            sum += found.sum;
            squares += found.squares.unwrap();
            assert!((sum - 100.0 * n as f64).abs() < 1e-6, "{flush_s}: {sum} of {n}");
            assert!((squares - 1e4 * n as f64).abs() < 1e-3, "{flush_s}: {squares} of {n}");
        }
        assert!(n > 1_900, "{n}");
    }
}
