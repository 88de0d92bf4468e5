//! The whole filter on the fake host.

use crate::host::{Cut, Envoy, Front, STATUSES, on_each_host};
use llm_canary::config::json;

const CONFIG: &str = r#"{"rollouts":[{
    "name": "chat", "match": {"path_prefix": "/v1/"}, "salt": "s",
    "key": [{"header": "x-conversation-id"}, {"metadata": "envoy.filters.http.jwt_authn/sub"}],
    "baseline": "v1",
    "versions": [{"name": "v1", "cluster": "llm-v1"}, {"name": "v2", "cluster": "llm-v2"}],
    "split": {"v2": 50},
    "overrides": [{"header": "x-llm-cohort", "values": ["staff"], "version": "v2"}]}]}"#;

const STREAM: &[u8] = include_bytes!("../data/corpus/openai-chat/chat-stream.sse");
/// The assistant's text in [`STREAM`], in characters.
const STREAM_CHARS: u64 = 13;

/// The end of a cut event, then an event with a whole tool call.
const TOOL_CALL: &[u8] = b"\n\ndata: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"function\":\
    {\"arguments\":\"{\\\"a\\\":\\\"}\\\"}\",\"name\":\"f\"},\"id\":\"c1\",\"index\":0}]},\"index\":0}]}\n\n";

fn path() -> (&'static str, &'static [u8]) {
    (":path", b"/v1/chat/completions")
}

fn versions(envoy: &mut Envoy, keys: impl IntoIterator<Item = String>) -> Vec<Vec<u8>> {
    let mut version = |key: String| {
        let id = envoy.request(&[path(), ("x-conversation-id", key.as_bytes())]);
        id.upstream_header("x-llm-version").unwrap()
    };
    keys.into_iter().map(&mut version).collect()
}

#[test]
fn a_conversation_is_routed_marked_and_counted() {
    on_each_host(|| {
        let mut envoy = Envoy::with(CONFIG);
        let id = envoy.request(&[path(), ("x-llm-cohort", b"staff"), ("accept-encoding", b"gzip, br")]);
        assert_eq!(id.upstream_header("x-llm-cluster").unwrap(), b"llm-v2");
        assert_eq!(id.upstream_header("x-llm-version").unwrap(), b"v2");
        assert_eq!(id.upstream_header("accept-encoding").unwrap(), b"identity");
        assert_eq!(id.filter_state("llm_version").unwrap(), "v2");
        assert_eq!(id.filter_state("llm_reason").unwrap(), "override");
        let id = id.event_stream();
        assert_eq!(id.client_header("x-llm-version").unwrap(), b"v2");
        id.chunk(STREAM).complete();
        let labels = "llm_rollout=chat,llm_version=v2,llm_compare=no";
        let metrics = envoy.metrics();
        assert_eq!(metrics[&format!("llm_decisions_total{{{labels},llm_reason=override}}")], [1]);
        assert_eq!(metrics[&format!("llm_requests_total{{{labels},llm_outcome=complete}}")], [1]);
        assert_eq!(metrics[&format!("llm_finish_total{{{labels},llm_finish=stop}}")], [1]);
        assert_eq!(metrics[&format!("llm_response_chars_total{{{labels}}}")], [STREAM_CHARS]);
        assert_eq!(
            metrics[&format!("llm_response_chars_squared_total{{{labels}}}")],
            [STREAM_CHARS * STREAM_CHARS]
        );
        assert_eq!(metrics[&format!("llm_tokens_total{{{labels},llm_token=output}}")], [7]);
        assert_eq!(metrics[&format!("llm_time_to_first_token_ms{{{labels}}}")].len(), 1);
    });
}

#[test]
fn only_a_drawn_version_may_be_compared() {
    on_each_host(|| {
        let mut envoy = Envoy::with(CONFIG);
        for i in 0..40 {
            envoy.request(&[path(), ("x-conversation-id", format!("c{i}").as_bytes())]);
        }
        envoy.request(&[path()]);
        assert_eq!(envoy.sum("llm_decisions_total", "llm_compare=yes"), 40);
        assert_eq!(envoy.sum("llm_decisions_total", "llm_compare=yes,llm_reason=split"), 40);
        assert_eq!(envoy.sum("llm_decisions_total", "llm_version=v1,llm_compare=no,llm_reason=keyless"), 1);
    });
}

#[test]
fn a_client_chooses_nothing_by_our_headers() {
    on_each_host(|| {
        let mut envoy = Envoy::with(CONFIG);
        let sent: &[(&str, &[u8])] =
            &[("x-llm-cluster", b"evil"), ("x-llm-version", b"v2"), ("x-llm-version", b"\xff")];
        let id = envoy.request(&[&[path()], sent].concat());
        assert_eq!(id.upstream_header("x-llm-cluster").unwrap(), b"llm-v1");
        assert_eq!(id.upstream_header("x-llm-version").unwrap(), b"v1");
        // Where no rollout matches, they must not choose a cluster on another route either.
        let id = envoy.request(&[&[(":path", &b"/health"[..])], sent].concat());
        assert_eq!(id.upstream_header("x-llm-cluster"), None);
        assert_eq!(id.upstream_header("x-llm-version"), None);
        id.event_stream().chunk(STREAM).complete();
        assert_eq!(envoy.sum("llm_requests_total", ""), 0);
        // Nor where the host does not provide the request's headers.
        for status in STATUSES {
            envoy.fail(0, 1, status);
            let id = envoy.request(&[&[path()], sent].concat());
            envoy.heal();
            assert_eq!(id.upstream_header("x-llm-cluster"), None);
            assert_eq!(id.upstream_header("x-llm-version"), None);
        }
    });
}

#[test]
fn any_bytes_can_be_a_key_and_none_become_a_metric_name() {
    on_each_host(|| {
        let mut envoy = Envoy::with(CONFIG);
        let names = envoy.names();
        for byte in 0..=255_u8 {
            let key = [b'k', byte, 0xff, b';', b'='];
            let headers: [(&str, &[u8]); 4] =
                [path(), ("x-conversation-id", &key), ("cookie", &key), ("x-llm-cohort", &key)];
            let (first, second) = (envoy.request(&headers), envoy.request(&headers));
            assert_eq!(first.upstream_header("x-llm-version"), second.upstream_header("x-llm-version"));
            first
                .respond("200", &[("content-type", &key), ("content-encoding", b"")], false)
                .chunk(&key)
                .complete();
        }
        assert_eq!(envoy.names(), names);
    });
}

#[test]
fn a_key_may_come_from_an_earlier_filter() {
    let come_in = |config: &str, metadata: &[&str]| {
        let mut envoy = Envoy::with(config);
        for i in 0..50 {
            let key = format!("user-{i}");
            let id = envoy.request_with(&[path()], &[(metadata, key.as_bytes())]);
            let by_metadata = id.upstream_header("x-llm-version").unwrap();
            assert_eq!([by_metadata], versions(&mut envoy, [key])[..]);
        }
    };
    on_each_host(|| come_in(CONFIG, &["envoy.filters.http.jwt_authn", "sub"]));
    // A dynamic module reads no values below a value.
    let deep = CONFIG.replace("jwt_authn/sub", "jwt_authn/payload/sub");
    for front in [Front::FakeHost, Front::EnvoyVm] {
        front.choose();
        come_in(&deep, &["envoy.filters.http.jwt_authn", "payload", "sub"]);
    }
}

#[test]
fn each_outcome_is_counted_once() {
    on_each_host(|| {
        let half = &STREAM[..STREAM.len() / 2];
        type Play = fn(&mut Envoy, &[u8]);
        let cases: &[(&str, Play)] = &[
            ("complete", |e, _| e.request(&[path()]).event_stream().chunk(STREAM).complete()),
            ("complete", |e, _| {
                // Cut after the last event that matters: the answer is complete.
                e.request(&[path()]).event_stream().chunk(STREAM).cut(Cut::Client);
            }),
            ("complete", |e, _| e.request(&[path()]).event_stream().chunk(STREAM).trailers().end()),
            ("truncated", |e, half| e.request(&[path()]).event_stream().chunk(half).complete()),
            ("truncated", |e, _| e.request(&[path()]).event_stream().complete()),
            ("client_abort", |e, half| e.request(&[path()]).event_stream().chunk(half).cut(Cut::Client)),
            ("client_abort", |e, _| e.request(&[path()]).cut(Cut::Client)),
            ("client_abort", |e, half| {
                e.request(&[path()]).event_stream().chunk(half).cut(Cut::ClientStream);
            }),
            ("client_abort_after_tool_call", |e, half| {
                e.request(&[path()]).event_stream().chunk(half).chunk(TOOL_CALL).cut(Cut::Client)
            }),
            ("client_abort", |e, half| {
                let id = e.request(&[path()]).event_stream().chunk(half).chunk(TOOL_CALL);
                id.chunk(b"data: {\"choices\":[{\"delta\":{\"content\":\"so\"}}]}\n\n").cut(Cut::Client);
            }),
            ("upstream_reset", |e, half| e.request(&[path()]).event_stream().chunk(half).cut(Cut::Upstream)),
            ("upstream_reset", |e, _| e.request(&[path()]).cut(Cut::Upstream)),
            ("stream_error", |e, half| {
                let id = e.request(&[path()]).event_stream().chunk(half);
                id.chunk(b"\n\ndata: {\"error\":{\"message\":\"out of memory\"}}\n\n").complete();
            }),
            ("http_error", |e, _| {
                let id = e.request(&[path()]).respond("503", &[("content-type", b"application/json")], false);
                id.chunk(b"{\"error\":{\"message\":\"busy\"}}").complete();
            }),
            ("http_error", |e, _| e.request(&[path()]).respond("404", &[], true).end()),
            ("local_reply", |e, _| {
                e.request(&[path()]).respond_locally("503").chunk(b"no healthy upstream").complete()
            }),
        ];
        for (number, (outcome, play)) in cases.iter().enumerate() {
            std::thread::scope(|scope| {
                // Each thread has its own VM.
                scope.spawn(|| {
                    let mut envoy = Envoy::with(CONFIG);
                    play(&mut envoy, half);
                    let outcomes = envoy.sum("llm_requests_total", &format!("llm_outcome={outcome}}}"));
                    assert_eq!(
                        (outcomes, envoy.sum("llm_requests_total", "")),
                        (1, 1),
                        "case {number}: {outcome}"
                    );
                });
            });
        }
    });
}

/// Envoy keeps an entry for each definition, in a table that outlives the configuration.
#[test]
fn a_metric_is_defined_once_however_often_the_configuration_changes() {
    let mut envoy = Envoy::with(CONFIG);
    let once = envoy.definitions();
    assert_eq!(once, envoy.names().len());
    for _ in 0..3 {
        assert!(envoy.configure(CONFIG.as_bytes()));
    }
    assert_eq!(envoy.definitions(), once);
    envoy.request(&[path()]).event_stream().chunk(STREAM).complete();
    assert_eq!(envoy.sum("llm_requests_total", "llm_outcome=complete}"), 1);
}

/// A call's arguments may arrive in later events. Calls of a server's own tools do not count.
#[test]
fn a_client_abort_after_a_tool_call_is_detected_in_every_dialect() {
    on_each_host(|| {
        const MESSAGES: &str = concat!(
            "event: content_block_start\n",
            "data: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"tool_use\",\"id\":\"toolu_1\",\"input\":{}}}\n\n",
            "event: content_block_delta\n",
            "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"{\\\"a\\\":\"}}\n\n",
            "event: content_block_delta\n",
            "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"1}\"}}\n\n",
        );
        const RESPONSES: &str = concat!(
            "data: {\"type\":\"response.output_item.added\",\"output_index\":0,\"item\":{\"id\":\"fc_1\",\"type\":\"function_call\",\"arguments\":\"\"}}\n\n",
            "data: {\"type\":\"response.function_call_arguments.delta\",\"item_id\":\"fc_1\",\"delta\":\"{}\"}\n\n",
            "data: {\"type\":\"response.function_call_arguments.done\",\"item_id\":\"fc_1\",\"arguments\":\"{}\"}\n\n",
        );
        let cases = [
            ("messages", MESSAGES, "\"tool_use\"", "\"server_tool_use\""),
            ("responses", RESPONSES, "\"function_call\"", "\"mcp_call\""),
        ];
        for (dialect, called, tool, of_server) in cases {
            let is_detected = |body: &str| {
                let mut envoy = Envoy::with(CONFIG);
                let label = "llm_outcome=client_abort_after_tool_call}";
                let before = envoy.sum("llm_requests_total", label);
                envoy.request(&[path()]).event_stream().chunk(body.as_bytes()).cut(Cut::Client);
                envoy.sum("llm_requests_total", label) - before == 1
            };
            assert!(is_detected(called), "{dialect}");
            assert!(!is_detected(called.trim_end().rsplit_once("\n\n").unwrap().0), "{dialect}, cut");
            assert!(!is_detected(&called.replace(tool, of_server)), "{dialect}, a tool of the server");
        }
    });
}

#[test]
fn a_cut_stream_counts_the_text_received_so_far() {
    on_each_host(|| {
        let mut envoy = Envoy::with(CONFIG);
        for cut in 0..STREAM.len() {
            let before = envoy.sum("llm_response_chars_total", "");
            envoy.request(&[path()]).event_stream().chunk(&STREAM[..cut]).cut(Cut::Upstream);
            let chars = envoy.sum("llm_response_chars_total", "") - before;
            assert!(chars <= STREAM_CHARS, "cut at {cut}: {chars}");
            if cut > STREAM.len() - 200 {
                assert_eq!(chars, STREAM_CHARS, "cut at {cut}");
            }
        }
    });
}

#[test]
fn streams_interleave() {
    on_each_host(|| {
        let mut envoy = Envoy::with(CONFIG);
        let ids: Vec<_> = (0..20).map(|_| envoy.request(&[path()]).event_stream()).collect();
        for chunk in STREAM.chunks(7) {
            for id in &ids {
                id.chunk(chunk);
            }
        }
        ids.into_iter().for_each(|id| id.complete());
        assert_eq!(envoy.sum("llm_requests_total", "llm_outcome=complete"), 20);
        assert_eq!(envoy.sum("llm_response_chars_total", ""), 20 * STREAM_CHARS);
    });
}

#[test]
fn a_new_configuration_takes_over_and_streams_in_flight_keep_the_old() {
    on_each_host(|| {
        let mut envoy = Envoy::with(CONFIG);
        let old = envoy.request(&[path(), ("x-llm-cohort", b"staff")]);
        assert!(envoy.configure(CONFIG.replace("llm-v2\"", "llm-v2\", \"stopped\": true").as_bytes()));
        let new = envoy.request(&[path(), ("x-llm-cohort", b"staff")]);
        assert_eq!(new.upstream_header("x-llm-version").unwrap(), b"v1");
        assert_eq!(new.filter_state("llm_reason").unwrap(), "stopped");
        let old = old.event_stream();
        assert_eq!(old.client_header("x-llm-version").unwrap(), b"v2");
        old.chunk(STREAM).complete();
        assert_eq!(envoy.sum("llm_requests_total", "llm_version=v2,llm_compare=no,llm_outcome=complete"), 1);
    });
}

#[test]
fn a_bad_configuration_is_refused_with_every_error_and_the_old_one_stays() {
    on_each_host(|| {
        let mut envoy = Envoy::with(CONFIG);
        let bad = CONFIG.replace("\"v2\": 50", "\"v2\": 101, \"v9\": 1").replace("\"salt\"", "\"slat\"");
        assert!(!envoy.configure(bad.as_bytes()));
        let logs = envoy.logs().join("\n");
        for part in ["rollouts[0].split", "v9", "slat", "salt"] {
            assert!(logs.contains(part), "{part} in {logs}");
        }
        let id = envoy.request(&[path(), ("x-llm-cohort", b"staff")]);
        assert_eq!(id.upstream_header("x-llm-version").unwrap(), b"v2");
        for bytes in [&b""[..], b"\n\x0f\n\x03ver\x12\x08", b"null", b"\xff"] {
            assert!(!envoy.configure(bytes));
        }
        assert!(envoy.logs().join("\n").contains("google.protobuf.StringValue"));
    });
}

#[test]
fn traffic_continues_whichever_hostcall_fails() {
    on_each_host(|| {
        let play = |envoy: &mut Envoy| {
            let id = envoy.request(&[path(), ("x-conversation-id", b"c1")]);
            id.event_stream().chunk(&STREAM[..50]).chunk(&STREAM[50..]).complete();
            let id = envoy.request(&[path(), ("x-conversation-id", b"c1")]);
            id.respond("503", &[], false).complete();
            envoy.request(&[(":path", b"/other")]).respond("200", &[], true).end();
            envoy.request(&[path()]).event_stream().cut(Cut::Client);
            envoy.tick();
        };
        let mut envoy = Envoy::with(CONFIG);
        envoy.play_with_each_call_failing(50, play);
        // Afterwards it works as before.
        let id = envoy.request(&[path(), ("x-llm-cohort", b"staff")]);
        assert_eq!(id.upstream_header("x-llm-version").unwrap(), b"v2");
    });
}

#[test]
fn a_configuration_survives_failing_calls() {
    on_each_host(|| {
        for nth in 0..40 {
            for status in STATUSES {
                let mut envoy = Envoy::new();
                envoy.fail(nth, 1, status);
                envoy.configure(CONFIG.as_bytes());
                envoy.heal();
                assert!(envoy.configure(CONFIG.as_bytes()));
            }
        }
    });
}

#[test]
fn refusal_phrases_are_counted_only_where_enabled() {
    on_each_host(|| {
        let refusal =
            String::from_utf8_lossy(STREAM).replace("Grüße", "I\u{2019}m sorry, but I can\u{2019}t help");
        let refusal = refusal.replace(", \\\"Wörl", " with that").into_bytes();
        for (setting, expected) in [("true", 1), ("false", 0)] {
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    let config =
                        CONFIG.replace("\"salt\"", &format!("\"refusal_phrases\": {setting}, \"salt\""));
                    let mut envoy = Envoy::with(&config);
                    envoy
                        .request(&[path()])
                        .event_stream()
                        .chunk(&refusal[..300])
                        .chunk(&refusal[300..])
                        .complete();
                    envoy.request(&[path()]).event_stream().chunk(STREAM).complete();
                    assert_eq!(envoy.sum("llm_refusals_total", "llm_refusal=phrase"), expected);
                    let is_named =
                        envoy.metrics().keys().any(|name| name.starts_with("llm_refusal_list_info{"));
                    assert_eq!(is_named, expected == 1);
                });
            });
        }
    });
}

#[test]
fn each_rollout_names_the_configuration_by_which_it_runs() {
    let two = r#"{"rollouts": [
        {"name": "chat", "baseline": "v1", "versions": [{"name": "v1", "cluster": "c"}]},
        {"name": "code", "baseline": "v1", "versions": [{"name": "v1", "cluster": "c"}]}]}"#;
    let other = two.replace("\"chat\"", "\"translate\"");
    let hash = |text: &str| u64::from(json::parse(text.as_bytes()).unwrap().hash());
    on_each_host(|| {
        let gauge = |envoy: &Envoy, rollout: &str| {
            envoy.metrics().get(&format!("llm_config_hash{{llm_rollout={rollout}}}")).cloned()
        };
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let envoy = Envoy::with(two);
                assert_eq!(gauge(&envoy, "chat"), Some(vec![hash(two)]), "of the whole configuration");
                assert_eq!(gauge(&envoy, "code"), Some(vec![hash(two)]));
                assert_eq!(
                    envoy.names().iter().filter(|name| name.starts_with("llm_config_hash")).count(),
                    2
                );
            });
            scope.spawn(|| {
                let envoy = Envoy::with(r#"{"rollouts": []}"#);
                let hashes = envoy.names().into_iter().filter(|name| name.starts_with("llm_config_hash"));
                assert_eq!(hashes.count(), 0, "without rollouts there is nothing to wait for");
            });
            scope.spawn(|| {
                let envoy = Envoy::with(&other);
                assert_eq!(gauge(&envoy, "translate"), Some(vec![hash(&other)]));
                assert_eq!(gauge(&envoy, "chat"), None);
            });
        });
    });
}
