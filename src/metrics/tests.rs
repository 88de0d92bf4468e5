//! The names of series are valid, and updates reach the right series.

use super::catalogue::LAYOUT;
use super::*;
use crate::defect::{AnswerEnd, Defect, Defects};
use crate::observe::{End, Head, Observer};
use crate::observe::{Refusal, Unparsed};
use crate::route::Reason;
use std::collections::HashSet;

const CONFIG: &[u8] = br#"{"rollouts":[
    {"name":"chat","baseline":"v1","versions":[{"name":"v1","cluster":"a"},{"name":"v2","cluster":"b"}],"split":{"v2":10}},
    {"name":"code","baseline":"v1.2","versions":[{"name":"v1.2","cluster":"c"}],"shards":false}]}"#;

fn config() -> Config {
    Config::parse(CONFIG).unwrap()
}

/// All series: `metric{label=value,…}`.
fn all_series() -> Vec<String> {
    let mut all = Vec::new();
    for_each_series(&config(), |series| {
        let labels: Vec<_> = series.labels.iter().map(|(label, value)| format!("{label}={value}")).collect();
        all.push(format!("{}{{{}}}", series.name, labels.join(",")));
    });
    all
}

fn series(decision: &Decision, update: &Update) -> String {
    all_series()[SeriesLayout::new(&config()).block(decision).unwrap().position(update).unwrap()].clone()
}

fn decision(rollout: usize, version: usize, compare: bool) -> Decision {
    Decision {
        rollout,
        version,
        reason: Reason::Split,
        asks_for_answer: true,
        compare,
        gives_pin: true,
        shard: Some(31),
        is_unheld: false,
        has_invalid_start: false,
    }
}

#[test]
fn series_are_unique_and_their_names_are_valid_in_prometheus() {
    let all = all_series();
    let in_each_block = Group::Always.series() + Group::Defects.series();
    assert_eq!(
        all.len(),
        3 * 2 * in_each_block + 2 * (Group::Shards.series() + Group::ShardDefects.series())
    );
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
    for_each_series(&config(), |Series { name, labels, .. }| {
        let is_name = |name: &str| {
            name.starts_with("llm_") && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
        };
        assert!(is_name(name), "{name}");
        let first = labels.iter().take(3).map(|(label, _)| *label).collect::<Vec<_>>();
        assert_eq!(first, ["llm_rollout", "llm_version", "llm_compare"]);
        assert!(labels.iter().all(|(label, value)| is_name(label) && !value.is_empty()), "{name} {labels:?}");
    });
}

#[test]
fn label_values_are_the_names_of_their_enums() {
    for (metric, values) in [
        (Metric::Decisions, Reason::NAMES),
        (Metric::Requests, Outcome::NAMES),
        (Metric::Finishes, Finish::NAMES),
        (Metric::Refusals, Refusal::NAMES),
        (Metric::Unread, Unparsed::NAMES),
        (Metric::Defects, Defect::NAMES),
        (Metric::Feedback, Rating::NAMES),
    ] {
        assert_eq!(CATALOGUE[metric as usize].label.unwrap().1, values);
    }
}

#[test]
fn each_series_of_the_catalogue_has_its_position() {
    let (config, all) = (config(), all_series());
    let layout = SeriesLayout::new(&config);
    let mut found = HashSet::new();
    for (rollout, version) in [(0, 0), (0, 1), (1, 0)] {
        for compare in [false, true] {
            let decision = decision(rollout, version, compare);
            let labels = format!(
                "{{llm_rollout={},llm_version={},llm_compare={}",
                config.rollouts[rollout].name,
                config.rollouts[rollout].versions[version].name,
                if compare { "yes" } else { "no" }
            );
            for (at, spec) in CATALOGUE.iter().enumerate() {
                for value in 0..spec.label.map_or(1, |(_, values)| values.len()) {
                    let offset = LAYOUT.0[at] + value;
                    let update = Update { group: spec.group, offset, kind: spec.kind, value: 1 };
                    let Some(position) = layout.block(&decision).unwrap().position(&update) else {
                        let is_by_shard = matches!(spec.group, Group::Shards | Group::ShardDefects);
                        assert!(is_by_shard && (!compare || rollout == 1), "{}", spec.name);
                        continue;
                    };
                    let label = spec.label.map(|(label, values)| format!(",{label}={}", values[value]));
                    assert_eq!(
                        all[position],
                        format!("{}{labels}{}}}", spec.name, label.unwrap_or_default())
                    );
                    assert!(found.insert(position));
                }
            }
        }
    }
    assert_eq!(found.len(), all.len());
}

#[test]
fn a_decision_updates_its_series() {
    for (rollout, version, compare, labels) in [
        (0, 0, false, "llm_rollout=chat,llm_version=v1,llm_compare=no"),
        (0, 1, true, "llm_rollout=chat,llm_version=v2,llm_compare=yes"),
        (1, 0, true, "llm_rollout=code,llm_version=v1.2,llm_compare=yes"),
    ] {
        let decision = decision(rollout, version, compare);
        let expected = format!("llm_decisions_total{{{labels},llm_reason=split}}");
        let mut found = Vec::new();
        decided(&decision, |update| found.push(series(&decision, &update)));
        assert_eq!(found, std::slice::from_ref(&expected));
        let unheld = Decision { is_unheld: true, ..decision };
        found.clear();
        decided(&unheld, |update| found.push(series(&unheld, &update)));
        assert_eq!(found, [expected.clone(), format!("llm_unheld_total{{{labels}}}")]);
        let invalid = Decision { has_invalid_start: true, ..decision };
        found.clear();
        decided(&invalid, |update| found.push(series(&invalid, &update)));
        assert_eq!(found, [expected, format!("llm_started_at_invalid_total{{{labels}}}")]);
    }
}

#[test]
fn retries_feedback_and_first_turns_update_their_series() {
    let decision = decision(0, 1, true);
    let name =
        |update: Update| series(&decision, &update).split_once('{').map(|(metric, _)| metric.to_owned());
    assert_eq!(name(retried()).unwrap(), "llm_retries_total");
    let rated = series(&decision, &rated(Rating::Down));
    assert!(rated.starts_with("llm_feedback_total{") && rated.ends_with("llm_feedback=down}"), "{rated}");
    let first_turn = |status, body: &str| {
        let head = Head { status, content_type: b"application/json", ..Head::default() };
        let mut observer = Observer::new(head, 0, 0);
        observer.push(0, body.as_bytes());
        let mut names = Vec::new();
        first_turn(&observer.finish(End::Complete, 0), |update| names.extend(name(update)));
        names.join(" ")
    };
    assert_eq!(first_turn(200, "{}"), "llm_first_turn_requests_total");
    assert_eq!(first_turn(500, "{}"), "llm_first_turn_requests_total llm_first_turn_errors_total");
    let refusal = r#"{"choices":[{"message":{"refusal":"no"},"finish_reason":"stop"}]}"#;
    assert_eq!(first_turn(200, refusal), "llm_first_turn_requests_total llm_first_turn_refusals_total");
}

#[test]
fn an_observation_updates_its_series_and_no_others() {
    let head = Head { status: 200, content_type: b"text/event-stream", ..Head::default() };
    let mut observer = Observer::new(head, 0, 2_000);
    let stream: &[u8] = include_bytes!("../../tests/data/corpus/openai-chat/chat-stream.sse");
    observer.push(12_400, stream);
    let observation = Observation { model: Some(b"v1".to_vec()), ..observer.finish(End::Complete, 20_000) };
    let decision = decision(0, 1, true);
    let mut found = Vec::new();
    observed(&config(), &decision, RequestFacts::default(), &observation, |update| {
        let name = series(&decision, &update);
        let (metric, labels) = name.split_once('{').unwrap();
        let label = labels.trim_end_matches('}').split(',').nth(3).unwrap_or_default();
        found.push(format!("{metric} {label} {}", update.value));
    });
    found.sort();
    let expected = "\
llm_finish_total llm_finish=stop 1
llm_input_tokens  9
llm_output_tokens  7
llm_output_tokens_per_second  350
llm_output_tokens_squared_total  49
llm_request_duration_ms  20
llm_requests_total llm_outcome=complete 1
llm_response_chars  13
llm_response_chars_squared_total  169
llm_response_chars_total  13
llm_shard_requests_total llm_shard=31 1
llm_shard_response_chars_total llm_shard=31 13
llm_shard_time_to_first_token_ms_total llm_shard=31 12
llm_time_per_output_token_us  0
llm_time_to_first_byte_ms  2
llm_time_to_first_token_ms  12
llm_time_to_first_token_ms_squared_total  144
llm_time_to_first_token_ms_total  12
llm_tokens_total llm_token=input 9
llm_tokens_total llm_token=output 7
llm_version_mismatch_total  1";
    assert_eq!(found.join("\n"), expected);
}

/// What the detectors find in this text, where nothing was asked for.
fn defects(text: &str) -> crate::defect::DefectSet {
    let mut defects = Defects::new(false);
    defects.answer(text.as_bytes());
    defects.finish(AnswerEnd { is_complete: true, is_cut: false })
}

/// The series that an answer with two defects updates, besides those of every answer.
#[test]
fn a_defective_answer_counts_once_for_each_defect_and_once_as_a_response() {
    let two = defects(&format!("a\u{fffd}. {}", "<|im_end|>"));
    assert_eq!(two.iter().count(), 2);
    let asks = RequestFacts { is_first_turn: None, offers_tools: Some(true), asks_for_json: Some(true) };
    let counted = |text: &[u8], decision: &Decision, request: RequestFacts, status: u16, outcome: Outcome| {
        let config = Config::parse(text).unwrap();
        let head = Head { status, content_type: b"application/json", ..Head::default() };
        let observation = Observer::new(head, 0, 0).finish(End::Complete, 0);
        let observation =
            Observation { defects: two, reasoning_chars: 7, is_answer: true, outcome, ..observation };
        let layout = SeriesLayout::new(&config);
        let mut all = Vec::new();
        for_each_series(&config, |series| {
            let label = series.labels.get(3).map_or("", |(_, value)| value);
            all.push(format!("{} {label}", series.name));
        });
        let mut found = Vec::new();
        observed(&config, decision, request, &observation, |update| {
            if let Some(at) = layout.block(decision).unwrap().position(&update) {
                found.push(format!("{} {}", all[at], update.value));
            }
        });
        let is_of_defects = |name: &String| {
            ["defect", "offered", "asked", "reasoning_chars"].iter().any(|part| name.contains(part))
        };
        found.retain(is_of_defects);
        found.sort();
        found
    };
    let compared = &decision(0, 1, true);
    let expected = [
        "llm_defective_responses_total  1",
        "llm_defects_total control_token 1",
        "llm_defects_total replacement_char 1",
        "llm_json_asked_total  1",
        "llm_reasoning_chars_total  7",
        "llm_shard_defects_total 31 1",
        "llm_tools_offered_total  1",
    ];
    assert_eq!(counted(CONFIG, compared, asks, 200, Outcome::Complete), expected);
    // However it ended, unless it is no answer.
    assert_eq!(counted(CONFIG, compared, asks, 200, Outcome::ClientAbort), expected);
    for outcome in [Outcome::HttpError, Outcome::LocalReply] {
        assert_eq!(counted(CONFIG, compared, asks, 500, outcome), ["llm_reasoning_chars_total  7"]);
    }
    // What is not compared has no shards, nor has a rollout without them.
    let unsharded: Vec<&str> = expected.into_iter().filter(|series| !series.contains("shard")).collect();
    assert_eq!(counted(CONFIG, &decision(0, 1, false), asks, 200, Outcome::Complete), unsharded[..]);
    assert_eq!(counted(CONFIG, &decision(1, 0, true), asks, 200, Outcome::Complete), unsharded[..]);
    // Nothing is known of the request.
    let unasked: Vec<_> = expected
        .into_iter()
        .filter(|series| !series.contains("offered") && !series.contains("asked"))
        .collect();
    let nothing = RequestFacts::default();
    assert_eq!(counted(CONFIG, compared, nothing, 200, Outcome::Complete), unasked[..]);
    let asks_nothing = RequestFacts { offers_tools: Some(false), asks_for_json: Some(false), ..nothing };
    assert_eq!(counted(CONFIG, compared, asks_nothing, 200, Outcome::Complete), unasked[..]);
    // Where defects are not looked for, these series do not exist.
    let off = String::from_utf8(CONFIG.to_vec())
        .unwrap()
        .replace(r#""split":{"v2":10}"#, r#""split":{"v2":10},"defects":false"#);
    let found = counted(off.as_bytes(), compared, asks, 200, Outcome::Complete);
    assert_eq!(found, ["llm_reasoning_chars_total  7"]);
}

/// Only requests that may be compared have shards, and their shards add up to the totals.
#[test]
fn shards_add_up_to_the_totals_of_what_may_be_compared() {
    let json = Head { status: 200, content_type: b"application/json", ..Head::default() };
    let bodies: [(&[u8], End); 6] = [
        (br#"{"choices":[{"message":{"content":"Hello"},"finish_reason":"length"}]}"#, End::Complete),
        (br#"{"choices":[{"message":{"refusal":"no"},"finish_reason":"stop"}]}"#, End::Complete),
        (
            br#"{"choices":[{"message":{"tool_calls":[{"id":"1","function":{"name":"f","arguments":"{}"}}]},"finish_reason":"tool_calls"}]}"#,
            End::Complete,
        ),
        (br#"{"choices":[{"message":{"conte"#, End::ClientAbort),
        (br#"{"error":{"message":"no"}}"#, End::UpstreamReset),
        (br#"{"object":"list","data":[]}"#, End::Complete),
    ];
    for compare in [true, false] {
        let mut sums: std::collections::HashMap<String, u64> = std::collections::HashMap::new();
        for (at, (body, end)) in bodies.into_iter().enumerate() {
            for shard in [at as u32, 31 - at as u32] {
                let mut observer = Observer::new(json, 0, 1_000);
                observer.push(3_000, body);
                let observation = observer.finish(end, 9_000);
                let observation = if at % 2 == 0 {
                    Observation { defects: defects("a\u{fffd}. <|im_end|>"), ..observation }
                } else {
                    observation
                };
                let decision = Decision { shard: Some(shard), ..decision(0, 1, compare) };
                observed(&config(), &decision, RequestFacts::default(), &observation, |update| {
                    if SeriesLayout::new(&config()).block(&decision).unwrap().position(&update).is_some() {
                        let name = series(&decision, &update).split_once('{').unwrap().0.to_owned();
                        *sums.entry(name).or_default() += update.value;
                    }
                });
            }
        }
        let sum = |name: &str| sums.get(name).copied().unwrap_or_default();
        for (shards, total) in [
            ("requests", "llm_requests_total"),
            ("refusals", "llm_refusals_total"),
            ("defects", "llm_defective_responses_total"),
            ("tool_responses", "llm_tool_responses_total"),
            ("response_chars", "llm_response_chars_total"),
            ("time_to_first_token_ms", "llm_time_to_first_token_ms_total"),
        ] {
            let expected = if compare { sum(total) } else { 0 };
            assert_eq!(sum(&format!("llm_shard_{shards}_total")), expected, "{shards}");
        }
        let expected = if compare { [2, 2, 2] } else { [0; 3] };
        assert_eq!(
            ["errors", "length_stops", "client_aborts"].map(|x| sum(&format!("llm_shard_{x}_total"))),
            expected
        );
    }
}

#[test]
fn an_encoded_name_contains_its_labels() {
    let name = |labels| Series { kind: MetricKind::Counter, name: "llm_x", labels }.encoded_name();
    assert_eq!(name(&[]), "llm_x");
    assert_eq!(name(&[("llm_version", "v1.2"), ("llm_b", "2")]), "llm_x.llm_version=.=v1.2;.;llm_b=.=2;.;");
}
