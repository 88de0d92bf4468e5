//! What `llm_compare` is for: the filter's counters of two identical versions in the middle of a ramp.

use crate::host::{Envoy, START_S, on_each_host};
use llm_canary::timestamp::{UnixMs, rfc3339};
use std::time::Duration;

const HOUR_MS: UnixMs = 3_600_000;
const CONVERSATIONS: u64 = 12_000;

/// A UUIDv7 made at this time. Its random bits are derived from `n`.
fn uuid7(made: UnixMs, n: u64) -> String {
    let random = n.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x5DEE_CE66;
    let (a, b) = (random >> 52, random & 0xffff_ffff_ffff);
    format!("{:08x}-{:04x}-7{a:03x}-8{:03x}-{b:012x}", made >> 16, made & 0xffff, n & 0xfff)
}

/// The mean length of the answers counted with a label.
fn mean(envoy: &Envoy, label: &str) -> f64 {
    let (chars, requests) =
        (envoy.sum("llm_response_chars_total", label), envoy.sum("llm_requests_total", label));
    assert!(requests > 100, "{label}: {requests}");
    chars as f64 / requests as f64
}

/// Answers grow longer with a conversation's age. A ramp gives the canary the younger conversations.
#[test]
fn identical_versions_have_equal_means_only_where_they_may_be_compared() {
    let now: UnixMs = START_S * 1000;
    let step = |hours: u64, percent: u32| {
        format!(r#"{{"at": "{}", "percent": {{"v2": {percent}}}}}"#, rfc3339(now - hours * HOUR_MS))
    };
    let steps = [step(20, 1), step(12, 5), step(8, 25), step(4, 50)].join(",");
    let mut envoy = Envoy::with(&format!(
        r#"{{"rollouts":[{{"name": "chat", "baseline": "v1", "steps": [{steps}], "key": [{{"header": "x-id"}}],
            "versions": [{{"name": "v1", "cluster": "a"}}, {{"name": "v2", "cluster": "b"}}]}}]}}"#
    ));
    for n in 0..CONVERSATIONS {
        let age_ms = n * 24 * HOUR_MS / CONVERSATIONS;
        let text = "x".repeat(100 + (age_ms / HOUR_MS) as usize * 50 + (n % 7) as usize);
        let answer =
            format!(r#"{{"choices":[{{"message":{{"content":"{text}"}},"finish_reason":"stop"}}]}}"#);
        let id = envoy.get(&[("x-id", uuid7(now - age_ms, n).as_bytes())]);
        id.respond("200", &[("content-type", b"application/json")], false)
            .body(answer.as_bytes(), true)
            .end();
    }
    let [all, compared] = ["", ",llm_compare=yes"]
        .map(|label| ["v1", "v2"].map(|version| mean(&envoy, &format!("llm_version={version}{label}"))));
    // The canary has almost none of the older conversations.
    assert!(all[1] < 0.6 * all[0], "over all: {all:?}");
    // Of the last four hours each version has half: 178 characters on average, with a standard error of less than 2.
    assert!((compared[0] - compared[1]).abs() < 8.0, "compared: {compared:?}");
    assert!(compared.iter().all(|mean| (mean - 178.0).abs() < 8.0), "compared: {compared:?}");
    let counted = |reason: &str| envoy.sum("llm_decisions_total", &format!("llm_reason={reason}"));
    assert_eq!((counted("started"), envoy.sum("llm_unheld_total", "")), (CONVERSATIONS, 0));
}

/// Requests come faster than the wall clock is read. A step is taken at its time all the same.
#[test]
fn a_step_is_taken_on_the_millisecond() {
    on_each_host(|| {
        let at = rfc3339(START_S * 1000 + 2_000);
        let mut envoy = Envoy::with(&format!(
            r#"{{"rollouts":[{{"name": "chat", "baseline": "v1", "steps": [{{"at": "{at}", "percent": {{"v2": 100}}}}],
                "key": [{{"header": "x-id"}}],
                "versions": [{{"name": "v1", "cluster": "a"}}, {{"name": "v2", "cluster": "b"}}]}}]}}"#
        ));
        envoy.advance(Duration::from_millis(1_983));
        for ms in 1_983..2_020 {
            let id = envoy.get(&[("x-id", b"a")]);
            let expected: &[u8] = if ms < 2_000 { b"v1" } else { b"v2" };
            assert_eq!(id.upstream_header("x-llm-version").unwrap(), expected, "after {ms} ms");
            envoy.advance(Duration::from_millis(1));
        }
    });
}
