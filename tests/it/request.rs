//! What the filter detects in requests (first turns, retries, feedback), and the usage that it injects and strips.

use crate::host::{Cut, Envoy, Id, on_a_new_worker, on_each_host};
use std::time::Duration;

const CONFIG: &str = r#"{"rollouts":[{
    "name": "chat", "match": {"path_prefix": "/v1/chat", "hosts": ["llm.example.com"]}, "salt": "s",
    "key": [{"header": "x-conversation-id"}],
    "baseline": "v1",
    "versions": [{"name": "v1", "cluster": "llm-v1"}, {"name": "v2", "cluster": "llm-v2"}],
    "split": {"v2": 50},
    "usage": "request",
    "feedback": {"path": "/feedback", "up": ["up"], "down": ["down"], "escalation": ["human"]}}]}"#;

const FIRST: &[u8] = br#"{"messages":[{"role":"user","content":"hi"}]}"#;
const STREAMED: &[u8] = br#"{"stream":true,"messages":[{"role":"user","content":"hi"}]}"#;
const STREAMED_ASKED: &[u8] =
    br#"{"stream":true,"messages":[{"role":"user","content":"hi"}],"stream_options":{"include_usage":true}}"#;
const LATER: &[u8] = br#"{"messages":[{"role":"user"},{"role":"assistant"},{"role":"user"}]}"#;

const EVENTS: [&[u8]; 4] = [
    b"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"}}],\"usage\":null}\n\n",
    b"data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":null}\n\n",
    b"data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":5}}\n\n",
    b"data: [DONE]\n\n",
];

fn without_usage() -> Vec<u8> {
    [EVENTS[0], EVENTS[1], EVENTS[3]].concat()
}

const HEAD: [(&str, &[u8]); 5] = [
    (":method", b"POST"),
    (":path", b"/v1/chat/completions?x=1"),
    (":authority", b"llm.example.com:443"),
    ("content-type", b"application/json; charset=utf-8"),
    ("content-length", b"60"),
];

/// A request's headers, with some replaced or added.
fn head<'h>(other: &[(&'h str, &'h [u8])]) -> Vec<(&'h str, &'h [u8])> {
    let kept = HEAD.iter().filter(|(name, _)| !other.iter().any(|(n, _)| n == name));
    kept.chain(other).copied().collect()
}

fn request(envoy: &mut Envoy, other: &[(&str, &[u8])]) -> Id {
    envoy.request(&head(other))
}

fn rate(envoy: &mut Envoy, conversation: &str, pieces: &[&[u8]]) -> Id {
    let id = request(envoy, &[(":path", b"/feedback"), ("x-conversation-id", conversation.as_bytes())]);
    id.post(pieces.iter().copied())
}

#[test]
fn first_turns_are_counted_when_they_end() {
    on_each_host(|| {
        let mut envoy = Envoy::with(CONFIG);
        let counted = |envoy: &Envoy| {
            ["requests", "refusals", "errors"]
                .map(|what| envoy.sum(&format!("llm_first_turn_{what}_total"), "llm_rollout=chat"))
        };
        let id = request(&mut envoy, &[]).post([FIRST]);
        assert_eq!(counted(&envoy), [0, 0, 0]);
        id.respond("200", &[], false).complete();
        assert_eq!(counted(&envoy), [1, 0, 0]);
        // In pieces, with another content type and a refusal; cut; failed; left by the client.
        let id = request(&mut envoy, &[("content-type", b"text/plain")]).post(FIRST.chunks(3)).event_stream();
        id.chunk(b"data: {\"choices\":[{\"delta\":{\"refusal\":\"no\"},\"finish_reason\":\"stop\"}]}\n\n")
            .complete();
        assert_eq!(counted(&envoy), [2, 1, 0]);
        request(&mut envoy, &[]).post([FIRST]).cut(Cut::Upstream);
        request(&mut envoy, &[]).post([FIRST]).respond("503", &[], true).end();
        request(&mut envoy, &[]).post([FIRST]).cut(Cut::Client);
        assert_eq!(counted(&envoy), [5, 1, 2]);
        // Not counted: an empty body, a later turn, a cut body, no JSON, no chat, and a path of no rollout.
        for body in [&b""[..], LATER, &FIRST[..20], b"x", br#"{"prompt":"x"}"#] {
            request(&mut envoy, &[]).post([body]).respond("200", &[], true).end();
        }
        request(&mut envoy, &[(":path", b"/other")]).post([FIRST]).respond("200", &[], true).end();
        assert_eq!(counted(&envoy), [5, 1, 2]);
    });
}

#[test]
fn a_long_body_passes_and_is_read_in_slices() {
    on_each_host(|| {
        let mut envoy = Envoy::with(&CONFIG.replace("\"request\"", "\"as_is\""));
        let long = [br#"{"messages":[{"role":"user","content":""#, &[b'x'; 900_000][..], br#""}]}"#].concat();
        let id = request(&mut envoy, &[]).post([&long[..]]);
        assert_eq!(id.upstream_body(), long);
        assert_eq!(id.upstream_header("content-length").unwrap(), b"60");
        id.respond("200", &[], true).end();
        assert_eq!(envoy.sum("llm_first_turn_requests_total", ""), 1);
    });
}

#[test]
fn a_retry_is_counted_at_once() {
    on_each_host(|| {
        let mut envoy = Envoy::with(CONFIG);
        request(&mut envoy, &[("x-stainless-retry-count", b"0")]);
        assert_eq!(envoy.sum("llm_retries_total", ""), 0);
        request(&mut envoy, &[("x-stainless-retry-count", b"1")]);
        assert_eq!(envoy.sum("llm_retries_total", "llm_rollout=chat,llm_version=v1,llm_compare=no"), 1);
    });
}

#[test]
fn usage_is_injected_counted_and_stripped() {
    on_each_host(|| {
        let mut envoy = Envoy::with(CONFIG);
        for pieces in [1, 7, 1000] {
            let id = request(&mut envoy, &[]).post(STREAMED.chunks(pieces));
            assert_eq!(
                id.upstream_body().escape_ascii().to_string(),
                STREAMED_ASKED.escape_ascii().to_string()
            );
            assert_eq!(id.upstream_header("content-length"), None);
            let id = id.event_stream();
            for chunk in EVENTS.concat().chunks(pieces * 5) {
                id.chunk(chunk);
            }
            assert_eq!(id.body(b"", true).client_body(), without_usage());
            id.end();
        }
        assert_eq!(envoy.sum("llm_tokens_total", "llm_token=output"), 15);
        assert_eq!(envoy.sum("llm_usage_missing_total", ""), 0);
        assert_eq!(envoy.sum("llm_requests_total", "llm_outcome=complete"), 3);
    });
}

/// Envoy's decompressor sends an empty piece, then trailers.
#[test]
fn held_back_bytes_are_sent_before_trailers() {
    on_each_host(|| {
        let mut envoy = Envoy::with(CONFIG);
        let id = request(&mut envoy, &[]).post([STREAMED]).event_stream();
        id.chunk(EVENTS[0]).chunk(b"data: {\"id\":").chunk(b"").trailers().end();
        assert_eq!(id.client_body(), [EVENTS[0], b"data: {\"id\":"].concat());
    });
}

/// Over HTTP/2 the last bytes may arrive with the end.
#[test]
fn the_end_may_arrive_with_the_last_bytes() {
    on_each_host(|| {
        let mut envoy = Envoy::with(CONFIG);
        envoy.deliver_bodies();
        let id = request(&mut envoy, &[]);
        id.post_piece(&STREAMED[..9], false);
        id.post_piece(&STREAMED[9..], true);
        assert_eq!(id.upstream_body(), STREAMED_ASKED);
        let id = id.event_stream().chunk(&EVENTS.concat()[..20]).body(&EVENTS.concat()[20..], true);
        assert_eq!(id.client_body(), without_usage());
        // Bytes held back until then are sent with the end.
        let id = request(&mut envoy, &[]);
        id.post_piece(b"{\"x\": nul", true);
        assert_eq!(id.upstream_body(), b"{\"x\": nul");
        let id = request(&mut envoy, &[]).post([STREAMED]).event_stream().body(b"data: {\"id\":", true);
        assert_eq!(id.client_body(), b"data: {\"id\":");
        let id = request(&mut envoy, &[(":path", b"/feedback")]);
        id.post_piece(b"{\"rating\":\"up\"}", true);
        assert_eq!(id.local_reply().unwrap().0, 204);
    });
}

#[test]
fn usage_that_the_client_asked_for_stays_and_no_other_body_is_edited() {
    on_each_host(|| {
        let mut envoy = Envoy::with(CONFIG);
        let asked = |body: &'static [u8], other: &[(&str, &[u8])], envoy: &mut Envoy| {
            let id = request(envoy, other).post([body]);
            assert_eq!(id.upstream_body(), body);
            let id = id.event_stream();
            for event in EVENTS {
                id.chunk(event);
            }
            assert_eq!(id.client_body(), EVENTS.concat());
            id.complete();
            id
        };
        asked(STREAMED_ASKED, &[], &mut envoy);
        asked(FIRST, &[], &mut envoy);
        // None of these is a chat in JSON, so `content-length` stays as well.
        for other in [
            (":path", &b"/v1/chat/messages"[..]),
            (":method", b"PUT"),
            ("content-type", b"text/plain"),
            ("content-encoding", b"gzip"),
        ] {
            let id = asked(STREAMED, &[other], &mut envoy);
            assert_eq!(id.upstream_header("content-length").unwrap(), b"60");
        }
        assert!(envoy.configure(CONFIG.replace("\"request\"", "\"as_is\"").as_bytes()));
        let id = asked(STREAMED, &[], &mut envoy);
        assert_eq!(id.upstream_header("content-length").unwrap(), b"60");
    });
}

#[test]
fn only_an_event_stream_without_content_length_is_edited() {
    on_each_host(|| {
        let mut envoy = Envoy::with(CONFIG);
        let stream: (&str, &[u8]) = ("content-type", b"Text/Event-Stream; charset=utf-8");
        for (headers, is_edited) in [
            (vec![stream], true),
            (vec![stream, ("content-encoding", b"identity")], true),
            (vec![stream, ("content-encoding", b"gzip")], false),
            (vec![stream, ("content-length", b"300")], false),
            (vec![("content-type", b"application/json")], false),
        ] {
            let id = request(&mut envoy, &[]).post([STREAMED]).respond("200", &headers, false);
            let id = id.body(&EVENTS.concat(), true);
            let expected = if is_edited { without_usage() } else { EVENTS.concat() };
            assert_eq!(id.client_body(), expected, "{headers:?}");
            id.end();
        }
    });
}

#[test]
fn held_back_bytes_are_sent_at_the_end() {
    on_each_host(|| {
        let mut envoy = Envoy::with(CONFIG);
        let (usage_start, usage_end) = (EVENTS[..2].concat().len(), EVENTS[..3].concat().len());
        for cut in 0..=EVENTS.concat().len() {
            let id = request(&mut envoy, &[]).post([STREAMED]).event_stream();
            id.chunk(&EVENTS.concat()[..cut]).body(b"", true).end();
            let mut expected = EVENTS.concat()[..cut].to_vec();
            if cut >= usage_end {
                expected.drain(usage_start..usage_end);
            }
            assert_eq!(id.client_body(), expected, "cut at {cut}");
        }
    });
}

#[test]
fn feedback_is_counted_for_its_conversation_and_answered() {
    on_each_host(|| {
        let mut envoy = Envoy::with(CONFIG);
        envoy.deliver_bodies();
        let mut expected = [0; 2];
        for i in 0..20 {
            let conversation = format!("c{i}");
            let chat = request(&mut envoy, &[("x-conversation-id", conversation.as_bytes())]);
            let version = chat.upstream_header("x-llm-version").unwrap();
            expected[usize::from(version == b"v2")] += 1;
            let id = rate(&mut envoy, &conversation, &[b"{\"rating\"", b": \"up\"}"]);
            assert_eq!(id.local_reply().unwrap(), (204, String::new()));
            assert_eq!(id.upstream_body(), b"");
            let id = id.respond("204", &[], true);
            assert_eq!(id.client_header("x-llm-version").unwrap(), version);
            id.end();
        }
        assert!(expected[0] > 0 && expected[1] > 0);
        for (version, count) in [("v1", expected[0]), ("v2", expected[1])] {
            let label = format!("llm_rollout=chat,llm_version={version},llm_compare=yes,llm_feedback=up");
            assert_eq!(envoy.sum("llm_feedback_total", &label), count, "{label}");
        }
        rate(&mut envoy, "c", &[b"{\"rating\":\"down\"}"]);
        rate(&mut envoy, "c", &[b"{\"rating\":\"human\"}"]);
        assert_eq!(envoy.sum("llm_feedback_total", "llm_feedback=down"), 1);
        assert_eq!(envoy.sum("llm_feedback_total", "llm_feedback=escalation"), 1);
        // Feedback is not counted as a request to a version.
        assert_eq!(envoy.sum("llm_decisions_total", ""), 20);
        assert_eq!(envoy.sum("llm_requests_total", ""), 0);
    });
}

#[test]
fn feedback_without_a_rating_is_answered_with_the_reason() {
    on_each_host(|| {
        let mut envoy = Envoy::with(CONFIG);
        envoy.deliver_bodies();
        let long = [b"{\"rating\":\"up\",\"x\":\"", &[b'x'; 70_000][..]].concat();
        for (body, status, reason) in [
            (&b"{\"rating\":\"sideways\"}"[..], 400, "rating is none of those expected"),
            (b"{}", 400, "no rating"),
            (b"rating=up", 400, "not a JSON document"),
            (b"", 400, "not a JSON document"),
            (&long, 413, "too long"),
        ] {
            let (code, text) = rate(&mut envoy, "c", &[body]).local_reply().unwrap();
            assert!(code == status && text.contains(reason) && text.ends_with('\n'), "{code} {text}");
        }
        assert_eq!(envoy.sum("llm_feedback_total", ""), 0);
    });
}

#[test]
fn feedback_without_a_key_counts_for_the_version_of_keyless_requests() {
    on_each_host(|| {
        let mut envoy = Envoy::with(CONFIG);
        envoy.deliver_bodies();
        let keyless = |envoy: &mut Envoy| {
            request(envoy, &[(":path", b"/feedback")]).post([&b"{\"rating\":\"up\"}"[..]])
        };
        assert_eq!(keyless(&mut envoy).local_reply().unwrap().0, 204);
        assert_eq!(envoy.sum("llm_feedback_total", "llm_version=v1,llm_compare=no,llm_feedback=up"), 1);
        // Unless each keyless request is drawn at random: then the version is unknown.
        let random = CONFIG.replace("\"salt\"", "\"keyless\": \"random\", \"salt\"");
        assert!(envoy.configure(random.as_bytes()));
        let (status, text) = keyless(&mut envoy).local_reply().unwrap();
        assert!(status == 400 && text.contains("does not identify a conversation"), "{status} {text}");
        assert_eq!(envoy.sum("llm_feedback_total", ""), 1);
    });
}

#[test]
fn only_a_post_to_the_path_of_this_host_is_feedback() {
    on_each_host(|| {
        let mut envoy = Envoy::with(CONFIG);
        envoy.deliver_bodies();
        for other in [
            (":method", &b"GET"[..]),
            (":authority", b"other.example.com"),
            (":path", b"/feedback/1"),
            (":path", b"/v1/chat/feedback"),
        ] {
            let path = (":path", &b"/feedback"[..]);
            let headers = if other.0 == ":path" { vec![other] } else { vec![path, other] };
            let id = request(&mut envoy, &headers);
            assert!(!id.is_paused() && id.local_reply().is_none(), "{other:?}");
        }
        let id = request(&mut envoy, &[(":path", b"/feedback?from=app")]);
        assert!(id.is_paused());
    });
}

#[test]
fn feedback_may_be_passed_on() {
    on_each_host(|| {
        let mut envoy = Envoy::with(&CONFIG.replace("[\"human\"]", "[\"human\"], \"respond\": false"));
        assert_eq!(envoy.tick(), 0);
        let id = rate(&mut envoy, "c", &[b"{\"rating\"", b": \"up\"}"]);
        assert_eq!((id.local_reply(), id.upstream_body()), (None, b"{\"rating\": \"up\"}".to_vec()));
        let version = String::from_utf8(id.upstream_header("x-llm-version").unwrap()).unwrap();
        assert_eq!(id.upstream_header("x-llm-cluster").unwrap(), format!("llm-{version}").as_bytes());
        id.respond("201", &[], true).end();
        let id = rate(&mut envoy, "c", &[b"{\"rating\": 5}"]);
        assert_eq!((id.local_reply(), id.upstream_body()), (None, b"{\"rating\": 5}".to_vec()));
        assert_eq!(envoy.sum("llm_feedback_total", &format!("llm_version={version}")), 1);
        assert_eq!((envoy.sum("llm_feedback_total", ""), envoy.sum("llm_requests_total", "")), (1, 0));
    });
}

#[test]
fn feedback_of_any_length_is_passed_on() {
    on_each_host(|| {
        let mut envoy = Envoy::with(&CONFIG.replace("[\"human\"]", "[\"human\"], \"respond\": false"));
        let body = [b"{\"rating\":\"up\",\"text\":\"", &[b'x'; 200_000][..], b"\"}"].concat();
        let id = rate(&mut envoy, "c", &body.chunks(50_000).collect::<Vec<_>>());
        assert!(!id.is_paused(), "it waits forever");
        assert_eq!(id.upstream_body(), body);
        id.respond("201", &[], true).end();
        // It is longer than the filter reads, so it is not counted.
        assert_eq!(envoy.sum("llm_feedback_total", ""), 0);
    });
}

#[test]
fn feedback_whose_body_does_not_arrive_is_passed_on_after_a_while() {
    on_a_new_worker(|| {
        let mut envoy = Envoy::with(CONFIG);
        let id = rate(&mut envoy, "c", &[b"{\"rating\":\"up\"}"]);
        assert!(id.is_paused());
        assert!((1..=1000).contains(&envoy.tick()));
        assert!(id.is_paused());
        envoy.advance(Duration::from_millis(2_100));
        envoy.tick();
        assert!(!id.is_paused());
        id.post_piece(b"", true);
        assert!(envoy.logs().iter().any(|line| line.contains("allow_on_headers_stop_iteration")));
        assert_eq!((id.local_reply(), id.upstream_body()), (None, b"{\"rating\":\"up\"}".to_vec()));
        assert_eq!(envoy.sum("llm_feedback_total", "llm_feedback=up"), 1);
        // The body was in the proxy all the time, so the next request does not wait.
        let id = rate(&mut envoy, "c", &[b"{\"rating\":\"up\"}"]);
        assert_eq!((id.is_paused(), id.upstream_body()), (false, b"{\"rating\":\"up\"}".to_vec()));
        // Where bodies are known to arrive, a slow client has more time.
        assert!(envoy.configure(CONFIG.as_bytes()));
        envoy.deliver_bodies();
        rate(&mut envoy, "c", &[b"{\"rating\":\"up\"}"]);
        let slow = request(&mut envoy, &[(":path", b"/feedback")]);
        envoy.advance(Duration::from_millis(2_100));
        envoy.tick();
        assert!(slow.is_paused());
        assert_eq!(slow.post([&b"{\"rating\":\"up\"}"[..]]).local_reply().unwrap().0, 204);
    });
}

#[test]
fn no_byte_is_lost_whichever_hostcall_fails() {
    on_each_host(|| {
        let play = |envoy: &mut Envoy| {
            let id = request(envoy, &[]).post([&STREAMED[..30], &STREAMED[30..]]);
            let sent = id.upstream_body();
            assert!(sent == STREAMED || sent == STREAMED_ASKED, "{}", sent.escape_ascii());
            let id = id.event_stream();
            for event in EVENTS {
                id.chunk(event);
            }
            let sent = id.body(b"", true).client_body();
            assert!(sent == EVENTS.concat() || sent == without_usage(), "{}", sent.escape_ascii());
            id.end();
            let id = rate(envoy, "c", &[b"{\"rating\"", b": \"up\"}"]);
            if id.local_reply().is_none() && !id.is_paused() {
                assert_eq!(id.upstream_body(), b"{\"rating\": \"up\"}");
            }
            envoy.tick();
            id.respond("204", &[], true).end();
        };
        let mut envoy = Envoy::with(CONFIG);
        envoy.deliver_bodies();
        envoy.play_with_each_call_failing(40, play);
        assert_eq!(rate(&mut envoy, "c", &[b"{\"rating\": \"up\"}"]).local_reply().unwrap().0, 204);
    });
}
