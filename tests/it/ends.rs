//! How exchanges end that are no plain answer: gRPC, upgrades, other operations; and rollouts that observe.

use crate::host::{Envoy, Id, on_each_host};

const CONFIG: &str = r#"{"rollouts": [{"name": "chat", "baseline": "v1", "key": [{"header": "x-id"}],
    "versions": [{"name": "v1", "cluster": "llm-v1"}, {"name": "v2", "cluster": "llm-v2"}]OPTIONS}]}"#;

const FLAG_DC: u64 = 0x4000;
const FLAG_DR: u64 = 0x1000_0000;
const FLAG_UC: u64 = 0x40;
const FLAG_UF: u64 = 0x20;

fn envoy(options: &str) -> Envoy {
    Envoy::with(&CONFIG.replace("OPTIONS", options))
}

fn post<'h>(path: &'h str, more: &[(&'h str, &'h [u8])]) -> Vec<(&'h str, &'h [u8])> {
    let head: [(&str, &[u8]); 4] =
        [(":method", b"POST"), (":path", path.as_bytes()), (":authority", b"a"), ("x-id", b"k")];
    [&head, more].concat()
}

fn get<'h>(path: &'h str, more: &[(&'h str, &'h [u8])]) -> Vec<(&'h str, &'h [u8])> {
    let head: [(&str, &[u8]); 4] =
        [(":method", b"GET"), (":path", path.as_bytes()), (":authority", b"a"), ("x-id", b"k")];
    [&head, more].concat()
}

/// What the exchange added to these metrics, as `label value`.
fn counted(envoy: &Envoy, metric: &str, label: &str) -> Vec<String> {
    let start = format!("{metric}{{");
    let value =
        |name: &str| Some(name.split(&format!("{label}=")).nth(1)?.split([',', '}']).next()?.to_owned());
    let names = envoy.metrics().into_iter().filter(|(name, _)| name.starts_with(&start));
    names
        .filter_map(|(name, values)| Some(vec![value(&name)?; values.iter().sum::<u64>() as usize]))
        .flatten()
        .collect()
}

fn outcomes(envoy: &Envoy) -> Vec<String> {
    counted(envoy, "llm_requests_total", "llm_outcome")
}

const GRPC: &[(&str, &[u8])] = &[("content-type", b"application/grpc")];
const MESSAGE: &[u8] = b"\0\0\0\0\x01a";

fn grpc_call(envoy: &mut Envoy) -> Id {
    envoy.request(&post("/inference.GRPCInferenceService/ModelInfer", GRPC)).post([MESSAGE])
}

#[test]
fn grpc_failures_are_told_by_their_status() {
    type End = fn(Id);
    let cases: [(&str, End, &str, &[&str]); 12] = [
        ("good", |id| answer(id).trailers_with(&[("grpc-status", "0")]).end(), "complete", &[]),
        (
            "after a message",
            |id| answer(id).trailers_with(&[("grpc-status", "13")]).end(),
            "stream_error",
            &[],
        ),
        (
            "before any message",
            |id| id.respond("200", GRPC, false).trailers_with(&[("grpc-status", "3")]).end(),
            "http_error",
            &["grpc"],
        ),
        ("trailers-only", |id| trailers_only(id, "via_upstream", b"5").end(), "http_error", &["grpc"]),
        ("trailers-only, good", |id| trailers_only(id, "via_upstream", b"0").end(), "complete", &[]),
        (
            "refused",
            |id| {
                trailers_only(id, "upstream_reset_before_response_started", b"14")
                    .end_as(FLAG_UF, "upstream_reset")
            },
            "local_reply",
            &[],
        ),
        ("cancelled", |id| answer(id).end_as(FLAG_DR, "http2.remote_reset"), "client_abort", &[]),
        ("client gone", |id| answer(id).end_as(FLAG_DC, "downstream_remote_disconnect"), "client_abort", &[]),
        ("killed", |id| answer(id).end_as(FLAG_UC, "connection_termination"), "upstream_reset", &[]),
        ("no status", |id| answer(id).body(b"", true).end(), "upstream_reset", &[]),
        ("trailers without a status", |id| answer(id).trailers().end(), "upstream_reset", &[]),
        ("HTTP error", |id| id.respond("503", GRPC, true).end(), "http_error", &["503"]),
    ];
    fn answer(id: Id) -> Id {
        id.respond("200", GRPC, false).chunk(MESSAGE)
    }
    fn trailers_only(id: Id, details: &str, status: &[u8]) -> Id {
        id.respond_as(details, "200", &[GRPC, &[("grpc-status", status)]].concat(), true)
    }
    on_each_host(|| {
        for (what, end, outcome, status) in cases {
            let mut envoy = envoy("");
            end(grpc_call(&mut envoy));
            assert_eq!(outcomes(&envoy), [outcome], "{what}");
            assert_eq!(counted(&envoy, "llm_http_errors_total", "llm_status"), *status, "{what}");
            envoy.stop();
        }
    });
}

const UPGRADE: &[(&str, &[u8])] = &[("upgrade", b"WebSocket"), ("connection", b"Upgrade")];

#[test]
fn a_websocket_is_complete_once_either_side_sent_close() {
    let close_by_client: &[u8] = &[0x88, 0x82, 1, 2, 3, 4, 2, 0xea];
    let close_by_server: &[u8] = &[0x88, 0x02, 0x03, 0xe8];
    let text: &[u8] = &[0x81, 0x03, b'a', b'b', b'c'];
    on_each_host(|| {
        for (from_client, from_server, flags, outcome) in [
            (close_by_client, text, FLAG_DC, "complete"),
            (close_by_client, text, FLAG_UC, "complete"),
            (text, close_by_server, FLAG_UC, "complete"),
            (text, close_by_server, FLAG_DC, "complete"),
            (text, text, FLAG_UC, "upstream_reset"),
            (text, text, FLAG_DC, "client_abort"),
            (text, text, FLAG_DR, "client_abort"),
            (text, text, 0, "upstream_reset"),
        ] {
            let mut envoy = envoy("");
            let id = envoy.request(&get("/v1/realtime", UPGRADE));
            id.respond("101", UPGRADE, false);
            for byte in from_server {
                id.chunk(&[*byte]);
            }
            for byte in from_client {
                id.post_piece(&[*byte], false);
            }
            id.end_as(flags, "");
            assert_eq!(outcomes(&envoy), [outcome], "{from_client:?} {from_server:?} {flags}");
            let compared =
                ["llm_decisions_total", "llm_requests_total"].map(|name| envoy.sum(name, "compare=yes"));
            assert_eq!(compared, [0, 0]);
            for name in ["llm_unread_total", "llm_response_chars", "llm_finish_total"] {
                assert_eq!(counted(&envoy, name, "llm_version"), Vec::<String>::new(), "{name}");
            }
            assert_eq!(id.upstream_body(), from_client);
            envoy.stop();
        }
    });
}

#[test]
fn other_upgrades_end_in_order_when_the_upstream_closes() {
    on_each_host(|| {
        for (flags, outcome) in [(FLAG_UC, "complete"), (FLAG_DC, "client_abort"), (0x4, "upstream_reset")] {
            let mut envoy = envoy("");
            let id = envoy.request(&get("/", &[("upgrade", b"tcp"), ("connection", b"upgrade")]));
            id.respond("101", &[], false).chunk(b"\x88\x00").end_as(flags, "");
            assert_eq!(outcomes(&envoy), [outcome]);
            envoy.stop();
        }
    });
}

#[test]
fn an_upgrade_that_is_refused_is_a_response() {
    on_each_host(|| {
        let mut envoy = envoy("");
        let id = envoy.request(&get("/v1/realtime", UPGRADE));
        id.respond("404", &[], true).end();
        assert_eq!(outcomes(&envoy), ["http_error"]);
        assert_eq!(counted(&envoy, "llm_http_errors_total", "llm_status"), ["404"]);
    });
}

/// A list of models has no text, and no split is judged by it.
#[test]
fn what_is_no_answer_is_not_compared() {
    let list = br#"{"object":"list","data":[{"id":"m","object":"model"}]}"#;
    let json: &[(&str, &[u8])] = &[("content-type", b"application/json")];
    let retry: &[(&str, &[u8])] = &[("x-stainless-retry-count", b"1")];
    on_each_host(|| {
        for (head, status) in [
            (get("/v1/models", retry), "200"),
            (post("/v1/embeddings", retry), "200"),
            (post("/v1/tokenize", retry), "404"),
            (get("/v1/chat/completions", retry), "405"),
        ] {
            let mut envoy = envoy("");
            envoy.get(&head).respond(status, json, false).chunk(list).complete();
            for name in ["decisions", "requests", "retries"] {
                let name = format!("llm_{name}_total");
                assert_eq!(
                    (envoy.sum(&name, ""), envoy.sum(&name, "compare=yes")),
                    (1, 0),
                    "{head:?} {name}"
                );
            }
            for name in [
                "llm_unread_total",
                "llm_response_chars",
                "llm_response_chars_total",
                "llm_finish_total",
                "llm_shard_requests_total",
            ] {
                assert_eq!(counted(&envoy, name, "llm_version"), Vec::<String>::new(), "{head:?} {name}");
            }
            assert_eq!(counted(&envoy, "llm_request_duration_ms", "llm_compare").len(), 0);
            assert!(envoy.metrics().keys().any(|name| name.starts_with("llm_request_duration_ms")));
            envoy.stop();
        }
    });
}

#[test]
fn a_head_without_its_body_is_complete() {
    on_each_host(|| {
        for content_type in
            ["text/event-stream", "application/json", "application/grpc", "application/x-ndjson"]
        {
            let mut envoy = envoy("");
            let mut head = post("/v1/chat/completions", &[]);
            head[0] = (":method", b"HEAD");
            envoy.get(&head).respond("200", &[("content-type", content_type.as_bytes())], true).end();
            assert_eq!(outcomes(&envoy), ["complete"], "{content_type}");
            envoy.stop();
        }
        // A health check of gRPC that fails is no HEAD.
        let mut envoy = envoy("");
        let head: &[(&str, &[u8])] = &[("content-type", b"application/grpc"), ("grpc-status", b"14")];
        envoy.request(&post("/grpc.health.v1.Health/Check", GRPC)).respond("200", head, true).end();
        assert_eq!(outcomes(&envoy), ["http_error"]);
        envoy.stop();
    });
}

const PIN: &str = r#", "pin": {"cookie": "pin", "header": "x-pin"},
    "overrides": [{"header": "x-cohort", "values": ["staff"], "version": "v2"}]"#;

#[test]
fn a_pin_needs_a_conversation() {
    let chat = "/v1/chat/completions";
    let no_key: Vec<(&str, &[u8])> =
        post(chat, &[]).into_iter().filter(|(name, _)| *name != "x-id").collect();
    let mut preflight = post(chat, &[]);
    preflight[0] = (":method", b"OPTIONS");
    on_each_host(|| {
        for (what, head, details, status, is_given) in [
            ("an answer", post(chat, &[]), "via_upstream", "200", true),
            ("a list", get("/v1/models", &[]), "via_upstream", "200", false),
            ("embeddings", post("/v1/embeddings", &[]), "via_upstream", "200", false),
            ("a preflight", preflight.clone(), "via_upstream", "200", false),
            ("an error", post(chat, &[]), "via_upstream", "400", false),
            ("a failure", post(chat, &[]), "via_upstream", "503", false),
            ("no content", post(chat, &[]), "via_upstream", "204", false),
            ("a local reply", post(chat, &[]), "direct_response", "200", false),
            ("an override", post(chat, &[("x-cohort", b"staff")]), "via_upstream", "200", false),
            ("no key", no_key.clone(), "via_upstream", "200", false),
        ] {
            let mut envoy = envoy(PIN);
            let id = envoy.get(&head).respond_as(details, status, &[("x-pin", b"of the server")], false);
            let given = [id.client_headers("x-pin").len(), id.client_headers("set-cookie").len()];
            assert_eq!(given, [usize::from(is_given); 2], "{what}");
            assert_ne!(id.client_header("x-pin"), Some(b"of the server".to_vec()), "{what}");
            id.complete();
            envoy.stop();
        }
        let mut failing = envoy(PIN);
        let head: &[(&str, &[u8])] = &[("content-type", b"application/grpc"), ("grpc-status", b"5")];
        let id = failing.request(&post(chat, GRPC)).respond("200", head, true);
        assert_eq!(
            (id.client_header("x-pin"), id.client_header("set-cookie")),
            (None, None),
            "an error of gRPC"
        );
        id.end();
        failing.stop();
        let mut envoy = envoy(&format!(r#"{PIN}, "keyless": "random""#));
        let id = envoy.get(&no_key).respond("200", &[], false);
        assert!(id.client_header("x-pin").is_some() && id.client_header("set-cookie").is_some());
        id.complete();
        envoy.stop();
    });
}

const OBSERVE: &str = r#", "observe": true, "split": {"v2": 50}, "pin": {"cookie": "pin", "header": "x-pin", "response_id": true},
    "usage": "request", "key": [{"header": "x-id"}, {"body": "/user"}],
    "feedback": {"path": "/v1/feedback", "up": ["up"], "respond": true},
    "overrides": [{"header": "x-cohort", "values": ["staff"], "version": "v2"}]"#;

/// The options above, without the key that [`CONFIG`] has already.
fn observing(random: &str) -> Envoy {
    let config = CONFIG.replace(r#""key": [{"header": "x-id"}],"#, "");
    Envoy::with(&config.replace("OPTIONS", &format!("{OBSERVE}{random}")))
}

#[test]
fn an_observed_request_passes_as_it_is_and_counts_for_its_cluster() {
    on_each_host(|| {
        for (random, compare) in [("", "no"), (r#", "random": true"#, "yes")] {
            let mut envoy = observing(random);
            let own: &[(&str, &[u8])] = &[
                ("x-llm-cluster", b"mine"),
                ("x-llm-version", b"mine"),
                ("accept-encoding", b"gzip"),
                ("content-length", b"36"),
                ("content-type", b"application/json"),
                ("x-stainless-retry-count", b"1"),
            ];
            let head: Vec<_> =
                post("/v1/chat/completions", own).into_iter().filter(|(name, _)| *name != "x-id").collect();
            let body = br#"{"stream":true,"messages":[{"role":"user","content":"Hi"}]}"#;
            let id = envoy.request(&head);
            assert!(!id.is_paused());
            id.post([&body[..]]).route_to("llm-v2");
            for (name, value) in &head {
                assert_eq!(id.upstream_header(name).as_deref(), Some(*value), "{name}");
            }
            assert_eq!(id.upstream_body(), body);
            id.event_stream()
                .chunk(b"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hello\"}}]}\n\n");
            id.chunk(b"data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n");
            for header in ["x-llm-version", "x-pin", "set-cookie"] {
                assert_eq!(id.client_header(header), None, "{header}");
            }
            assert_eq!(id.filter_state("llm_version").as_deref(), Some("v2"));
            id.complete();
            let labels = format!("llm_version=v2,llm_compare={compare}");
            for name in ["decisions", "requests", "retries", "first_turn_requests"] {
                let name = format!("llm_{name}_total");
                assert_eq!((envoy.sum(&name, &labels), envoy.sum(&name, "")), (1, 1), "{name}");
            }
            assert_eq!(envoy.sum("llm_response_chars_total", &labels), 5);
            envoy.stop();
        }
    });
}

#[test]
fn an_observed_request_with_a_key_behind_one_in_the_body_has_its_shard() {
    on_each_host(|| {
        let keys = r#""key": [{"body": "/user"}, {"header": "x-id"}],"#;
        let config = CONFIG.replace(r#""key": [{"header": "x-id"}],"#, keys);
        let mut envoy = Envoy::with(&config.replace("OPTIONS", r#", "observe": true, "random": true"#));
        let id = envoy.request(&post("/v1/chat/completions", &[])).post([&b"{}"[..]]);
        id.route_to("llm-v1").respond("200", &[], true).end();
        assert_eq!(envoy.sum("llm_shard_requests_total", "compare=yes"), 1);
        envoy.stop();
    });
}

#[test]
fn an_observed_request_to_another_cluster_counts_for_none() {
    on_each_host(|| {
        let mut envoy = observing("");
        let before = envoy.metrics();
        let head = post("/v1/chat/completions", &[]);
        envoy.request(&head).route_to("other").respond("200", &[], true).end();
        envoy.request(&head).end();
        assert_eq!(envoy.metrics(), before);
        // Without a response, the cluster is known in the end.
        envoy.request(&head).route_to("llm-v1").end_as(FLAG_DC, "downstream_remote_disconnect");
        assert_eq!(outcomes(&envoy), ["client_abort"]);
        // Feedback is a request like others.
        let id = envoy.request(&post("/v1/feedback", &[])).post([&br#"{"rating":"up"}"#[..]]);
        assert_eq!(id.local_reply(), None);
        id.route_to("llm-v1").respond("200", &[], true).end();
        assert_eq!((envoy.sum("llm_feedback_total", ""), envoy.sum("llm_requests_total", "")), (0, 2));
        envoy.stop();
    });
}

/// What the access log can print of each exchange.
#[test]
fn an_observation_is_logged_where_the_rollout_says_so() {
    let log = |id: Id| -> serde_json::Value {
        serde_json::from_str(&id.filter_state("llm_observation").unwrap()).unwrap()
    };
    let head = post("/v1/chat/completions", &[("content-type", b"application/json")]);
    let body: &[u8] = br#"{"messages":[{"role":"user","content":"Hi"}]}"#;
    on_each_host(|| {
        let mut quiet = envoy("");
        let id = quiet.request(&head).post([body]);
        id.respond("200", &[], true).end();
        assert_eq!(id.filter_state("llm_observation"), None);
        quiet.stop();
        let mut envoy = envoy(r#", "log_observations": true, "split": {"v2": 100}"#);
        let id = envoy.request(&head).post([body]).event_stream();
        envoy.advance(std::time::Duration::from_millis(5));
        id.chunk(b"data: {\"choices\":[{\"delta\":{\"content\":\"Gr\xc3\xbc\xc3\x9fe\"},\"finish_reason\":\"stop\"}]}\n\n");
        envoy.advance(std::time::Duration::from_millis(6));
        id.chunk(b"data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}\n\ndata: [DONE]\n\n");
        id.body(b"", true).end();
        let expected = serde_json::json!({
            "rollout": "chat", "version": "v2", "reason": "split", "compare": true, "shard": llm_canary::bucket::shard(b"k"),
            "status": 200, "first_turn": true, "dialect": "openai-chat", "outcome": "complete", "finish": "stop",
            "text_chars": 5, "reasoning_chars": 0, "output_tokens": 2, "input_tokens": 1, "cached_input_tokens": null,
            "reasoning_tokens": null, "tool_calls": 0, "tools_offered": false, "json_asked": false, "refusal": false,
            "defects": [], "error": false, "events": 3, "unread": null,
            "first_byte_ms": 0, "first_token_ms": 5, "longest_gap_ms": null, "duration_ms": 11,
        });
        assert_eq!(log(id), expected);
        // Nothing came, and the body shows nothing.
        let id = envoy.request(&post("/v1/chat/completions", &[])).post([&b"\xff"[..]]);
        id.end_as(FLAG_DC, "downstream_remote_disconnect");
        let log = log(id);
        for name in [
            "status",
            "first_turn",
            "tools_offered",
            "json_asked",
            "dialect",
            "finish",
            "text_chars",
            "events",
            "first_byte_ms",
            "first_token_ms",
        ] {
            assert_eq!(log.get(name), Some(&serde_json::Value::Null), "{name}");
        }
        assert_eq!(log["outcome"], "client_abort");
        envoy.stop();
    });
}
