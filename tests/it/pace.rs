//! What the filter spares a worker whose callbacks come thick, on the fake host: the sums are the same.

use crate::host::Envoy;

const CONFIG: &str = r#"{"rollouts":[{"name":"chat","key":[{"header":"x-id"}],"baseline":"v1",
    "versions":[{"name":"v1","cluster":"llm-v1"},{"name":"v2","cluster":"llm-v2"}],"split":{"v2":50}}]}"#;
const STREAM: &[u8] = include_bytes!("../data/streams/chat-stream.sse");
const FAST_MS: u32 = 1;
/// Machines stop for a while, and then callbacks are thin for once.
const REQUESTS_MAX: u64 = 10_000;

/// A request with an answer. How many times the host was called for it.
fn request(envoy: &mut Envoy, number: u64) -> usize {
    let before = envoy.calls();
    let id = envoy.request(&[(":path", b"/v1/chat/completions"), ("x-id", number.to_string().as_bytes())]);
    id.event_stream().chunk(STREAM).complete();
    envoy.calls() - before
}

/// Requests in a row until callbacks are thick: how many, and how many calls of the host one took before and then.
fn crowd(envoy: &mut Envoy) -> (u64, usize, usize) {
    let thin = request(envoy, 0);
    for number in 1..REQUESTS_MAX {
        let calls = request(envoy, number);
        if envoy.ticks_each_ms() == FAST_MS && calls < thin {
            return (number + 1, thin, calls);
        }
    }
    panic!("never thick");
}

#[test]
fn a_crowd_needs_fewer_calls_and_counts_the_same() {
    let mut envoy = Envoy::with(CONFIG);
    let (requests, thin, thick) = crowd(&mut envoy);
    assert!(thick + 6 <= thin, "{thick} calls, {thin} before");
    for metric in ["llm_decisions_total", "llm_requests_total", "llm_finish_total"] {
        assert_eq!(envoy.sum(metric, ""), requests, "{metric}");
    }
    // Nothing comes any more.
    envoy.settle();
    assert_eq!(envoy.ticks_each_ms(), 0);
    assert_eq!(request(&mut envoy, 0), thin);
}

#[test]
fn nothing_is_lost_where_ticks_end_with_their_configuration() {
    let mut envoy = Envoy::with(CONFIG);
    let (requests, ..) = crowd(&mut envoy);
    envoy.tick_period(0);
    assert!(envoy.configure(CONFIG.as_bytes()));
    assert_eq!(envoy.sum("llm_requests_total", ""), requests);
    let (more, ..) = crowd(&mut envoy);
    envoy.tick_period(0);
    envoy.unload();
    assert_eq!(envoy.sum("llm_requests_total", ""), requests + more);
}

#[test]
fn where_ticks_are_refused_each_moment_is_read() {
    let mut envoy = Envoy::with(CONFIG);
    let thin = request(&mut envoy, 0);
    envoy.refuse_ticks();
    for number in 1..100 {
        let calls = request(&mut envoy, number);
        assert!(calls >= thin, "{calls}");
    }
    assert_eq!(envoy.sum("llm_requests_total", ""), 100);
}
