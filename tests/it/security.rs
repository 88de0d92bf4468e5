//! Tests of the claims of `docs/security.md` on the fake host, and that each test exists that it and `docs/sources.md` name.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use llm_canary::bucket::bucket;
use llm_canary::pin::Token;

use crate::host::{Cut, Envoy, Id, STATUSES, on_each_host};

const STREAM: &[u8] = include_bytes!("../data/corpus/openai-chat/chat-stream.sse");

/// v2 gets 1 % of the conversations.
fn config(fields: &str) -> String {
    format!(
        r#"{{"rollouts": [{{"name": "chat", "baseline": "v1",
            "versions": [{{"name": "v1", "cluster": "llm-v1"}}, {{"name": "v2", "cluster": "llm-v2" }},
                         {{"name": "v3", "cluster": "llm-v3", "stopped": true}}],
            "split": {{"v2": 1}}, {fields}}}]}}"#
    )
}

const BY_HEADER: &str = r#""key": [{"header": "x-id"}]"#;

fn head<'h>(other: &[(&'h str, &'h [u8])]) -> Vec<(&'h str, &'h [u8])> {
    let all: [(&str, &[u8]); 3] =
        [(":method", b"POST"), (":path", b"/v1/chat/completions"), ("content-type", b"application/json")];
    let kept = all.into_iter().filter(|(name, _)| !other.iter().any(|(n, _)| n == name));
    kept.chain(other.iter().copied()).collect()
}

fn version_of(id: Id) -> String {
    String::from_utf8(id.upstream_header("x-llm-version").unwrap()).unwrap()
}

/// How many ids a client tries in vain before v2 serves it.
fn tries(envoy: &mut Envoy) -> Option<usize> {
    (0..2000).find(|i| version_of(envoy.get(&head(&[("x-id", format!("try-{i}").as_bytes())]))) == "v2")
}

#[test]
fn a_client_that_makes_its_own_ids_can_choose_by_trying() {
    on_each_host(|| {
        let mut envoy = Envoy::with(&config(BY_HEADER));
        let first = tries(&mut envoy).unwrap();
        // A client that knows the salt, by default the rollout's name, can compute the id without trying.
        let computed = (0..2000).find(|i| bucket(b"chat", format!("try-{i}").as_bytes()) < 10_000);
        assert_eq!(computed, Some(first));
        // A secret salt prevents computing, but not trying.
        let mut envoy = Envoy::with(&config(&format!(r#"{BY_HEADER}, "salt": "b3f1""#)));
        assert!(tries(&mut envoy).is_some_and(|tries| tries != first));
    });
}

#[test]
fn a_client_cannot_choose_a_key_that_the_edge_sets() {
    on_each_host(|| {
        let by_token = r#""key": [{"metadata": "envoy.filters.http.jwt_authn/sub"}]"#;
        let mut envoy = Envoy::with(&config(by_token));
        let metadata: &[&str] = &["envoy.filters.http.jwt_authn", "sub"];
        let versions: BTreeSet<String> = (0..2000)
            .map(|i| {
                let id = format!("try-{i}");
                let headers = [("x-id", id.as_bytes()), ("sub", id.as_bytes()), ("cookie", id.as_bytes())];
                version_of(envoy.request_with(&head(&headers), &[(metadata, b"user-1")]))
            })
            .collect();
        assert_eq!(versions.len(), 1, "{versions:?}");
    });
}

#[test]
fn a_cohort_header_counts_only_where_an_override_names_it() {
    on_each_host(|| {
        let overrides = r#""overrides": [{"header": "x-cohort", "values": ["staff"], "version": "v2"},
        {"header": "x-cohort", "values": ["old"], "version": "v3"}]"#;
        let mut envoy = Envoy::with(&config(&format!("{BY_HEADER}, {overrides}")));
        for (value, version) in [("staff", "v2"), ("STAFF", "v1"), ("v2", "v1"), ("old", "v1"), ("", "v1")] {
            assert_eq!(version_of(envoy.get(&head(&[("x-cohort", value.as_bytes())]))), version, "{value}");
        }
        assert_eq!(version_of(envoy.get(&head(&[("x-other", b"staff")]))), "v1");
        // The version was not drawn at random, so these requests are not compared.
        assert_eq!(envoy.sum("llm_decisions_total", "llm_compare=yes"), 0);
        assert_eq!(envoy.sum("llm_decisions_total", "llm_version=v3"), 0);
    });
}

#[test]
fn a_forged_pin_names_a_configured_version_or_nothing() {
    on_each_host(|| {
        let pins = r#""pin": {"cookie": "pin", "header": "x-pin", "response_id": true}"#;
        let mut envoy = Envoy::with(&config(&format!("{BY_HEADER}, {pins}")));
        // Anyone who knows the names can compute the token. It is the same for every client.
        let forged = Token::of("chat", "v2").to_string();
        let cookie = format!("pin={forged}");
        let path = format!("/v1/responses/resp_1-llm-{forged}");
        for header in
            [("x-pin", forged.as_bytes()), ("cookie", cookie.as_bytes()), (":path", path.as_bytes())]
        {
            let id = envoy.get(&head(&[header]));
            assert_eq!((version_of(id).as_str(), &*id.filter_state("llm_reason").unwrap()), ("v2", "pin"));
        }
        assert_eq!(envoy.sum("llm_decisions_total", "llm_compare=yes"), 0);
        // A token of a stopped version, of another rollout or of no version is ignored: the split decides.
        for (rollout, version) in [("chat", "v3"), ("other", "v2"), ("chat", "v9")] {
            let forged = Token::of(rollout, version).to_string();
            assert_eq!(version_of(envoy.get(&head(&[("x-pin", forged.as_bytes())]))), "v1");
        }
    });
}

#[test]
fn pins_that_are_off_are_ignored() {
    on_each_host(|| {
        let mut envoy = Envoy::with(&config(BY_HEADER));
        let forged = Token::of("chat", "v2").to_string();
        let (cookie, path) = (format!("llm_pin={forged}"), format!("/v1/responses/resp_1-llm-{forged}"));
        for header in
            [("x-llm-pin", forged.as_bytes()), ("cookie", cookie.as_bytes()), (":path", path.as_bytes())]
        {
            let id = envoy.get(&head(&[header]));
            assert_eq!(version_of(id), "v1");
            assert_eq!(id.upstream_header(header.0).unwrap(), header.1, "passed on unchanged");
        }
    });
}

#[test]
fn the_version_on_the_response_can_be_switched_off() {
    on_each_host(|| {
        let quiet = config(BY_HEADER).replacen('{', r#"{"version_on_response": false, "#, 1);
        let mut envoy = Envoy::with(&quiet);
        let id = envoy.get(&head(&[])).respond("200", &[], true);
        assert_eq!(id.client_header("x-llm-version"), None);
    });
}

#[test]
fn a_claimed_time_chooses_among_past_splits_only() {
    on_each_host(|| {
        let steps = r#""key": [{"header": "x-id"}], "started_at": {"header": "x-started"}, "steps": [
        {"at": "2020-01-01T00:00:00Z", "percent": {"v2": 100}},
        {"at": "2021-01-01T00:00:00Z", "percent": {"v3": 100}},
        {"at": "2022-01-01T00:00:00Z", "percent": {}},
        {"at": "2999-01-01T00:00:00Z", "percent": {"v2": 100}}]"#;
        let mut envoy = Envoy::with(&config(steps).replace(r#""split": {"v2": 1}, "#, ""));
        for (started, version) in [
            ("2019-06-01T00:00:00Z", "v1"),
            ("2020-06-01T00:00:00Z", "v2"),
            ("2021-06-01T00:00:00Z", "v1"), // v3 is stopped
            ("2022-06-01T00:00:00Z", "v1"),
            ("2999-06-01T00:00:00Z", "v1"), // a planned step cannot be claimed
            ("yesterday", "v1"),
        ] {
            let id = envoy.get(&head(&[("x-id", b"c"), ("x-started", started.as_bytes())]));
            assert_eq!(version_of(id), version, "{started}");
        }
    });
}

#[test]
fn a_client_can_add_to_counts_but_each_request_counts_once() {
    on_each_host(|| {
        let feedback = r#""feedback": {"path": "/feedback", "up": ["up"], "respond": false}"#;
        let mut envoy = Envoy::with(&config(&format!("{BY_HEADER}, {feedback}")));
        for _ in 0..3 {
            // A user may rate the same conversation as often as the edge allows.
            let id = envoy.request(&head(&[(":path", b"/feedback"), ("x-id", b"c")]));
            id.post([&br#"{"rating":"up","rating":"up"}"#[..], b"{\"rating\":\"up\"}"]);
            id.respond("204", &[], true).end();
            let id = envoy.get(&head(&[("x-id", b"c"), ("x-stainless-retry-count", b"4000000000")]));
            id.respond("200", &[], true).end();
        }
        let counts =
            ["llm_feedback_total", "llm_retries_total", "llm_requests_total"].map(|name| envoy.sum(name, ""));
        assert_eq!(counts, [3, 3, 3]);
    });
}

#[test]
fn a_server_cannot_choose_a_metric_name_or_a_version() {
    on_each_host(|| {
        let pins = r#""pin": {"header": "x-pin"}"#;
        let mut envoy = Envoy::with(&config(&format!("{BY_HEADER}, {pins}")));
        let names = envoy.names();
        let head_sent: &[(&str, &[u8])] =
            &[("content-type", b"text/event-stream"), ("x-llm-version", b"evil;.;"), ("x-pin", b"0badc0de")];
        let id = envoy.get(&head(&[])).respond("200", head_sent, false);
        assert_eq!(id.client_headers("x-llm-version"), [b"v1"]);
        assert_eq!(id.client_headers("x-pin"), Vec::<Vec<u8>>::new(), "a request without a key gets no pin");
        let id = envoy.get(&head(&[("x-id", b"c")])).respond("200", head_sent, false);
        let pins = ["v1", "v2"].map(|version| Token::of("chat", version).to_string().into_bytes());
        assert_eq!(id.client_headers("x-pin").len(), 1);
        assert!(pins.contains(&id.client_headers("x-pin")[0]));
        for value in ["evil;.;x=.=y", "v2", "\\u0000", "\\ud800"] {
            let event = format!(
                "event: {value}\nid: {value}\ndata: {{\"model\":\"{value}\",\"id\":\"{value}\",\"choices\":[{{\"index\":0,\
             \"delta\":{{\"role\":\"{value}\",\"content\":\"a\"}},\"finish_reason\":\"{value}\"}}]}}\n\n"
            );
            id.chunk(event.as_bytes());
        }
        id.complete();
        assert_eq!(envoy.names(), names);
        assert_eq!(envoy.sum("llm_requests_total", "llm_version=v1"), 1);
    });
}

#[test]
fn a_server_that_lies_about_numbers_breaks_nothing() {
    on_each_host(|| {
        let mut envoy = Envoy::with(&config(BY_HEADER));
        for number in [
            "18446744073709551615",
            "18446744073709551616",
            "-1",
            "1e308",
            "1e999",
            "0.5",
            "9".repeat(200).as_str(),
        ] {
            let usage = format!(
                "data: {{\"choices\":[{{\"index\":{number},\"delta\":{{\"content\":\"a\"}},\"finish_reason\":\"stop\"}}],\
             \"usage\":{{\"prompt_tokens\":{number},\"completion_tokens\":{number}}}}}\n\ndata: [DONE]\n\n"
            );
            let id = envoy.get(&head(&[])).event_stream().chunk(usage.as_bytes());
            assert_eq!(id.client_body(), usage.as_bytes());
            id.complete();
        }
        assert_eq!(envoy.sum("llm_requests_total", "llm_version=v1"), 7);
    });
}

/// The client and the server put a marker into every field, and each hostcall fails once.
#[test]
fn neither_log_nor_filter_state_nor_metric_holds_a_byte_of_a_request_or_a_response() {
    on_each_host(|| {
        const MARK: &str = "zzmarkzz";
        let all = r#""key": [{"header": "x-id"}, {"body": "/user"}, {"first_message": true}],
        "started_at": {"header": "x-started"}, "usage": "request", "refusal_phrases": true,
        "overrides": [{"header": "x-cohort", "values": ["zzmarkzz"], "version": "v2"}],
        "pin": {"cookie": "pin", "header": "x-pin", "response_id": true},
        "feedback": {"path": "/feedback", "up": ["up"]}"#;
        let play = |envoy: &mut Envoy| {
            let mut states = Vec::new();
            for path in ["/v1/chat/completions?zzmarkzz", "/v1/responses/zzmarkzz", "/feedback", "/zzmarkzz"]
            {
                let names = ["x-id", "x-started", "x-pin", "cookie", "authorization", "x-llm-version"];
                let sent = names.map(|name| (name, MARK.as_bytes()));
                for sent in [&[][..], &sent, &[("x-cohort", MARK.as_bytes())]] {
                    let headers = [&[(":path", path.as_bytes())], sent].concat();
                    let id = envoy.request(&head(&headers));
                    let body = format!(
                        "{{\"user\":\"{MARK}\",\"stream\":true,\"messages\":[{{\"role\":\"user\",\"content\":\"{MARK}\"}}]}}"
                    );
                    id.post(body.as_bytes().chunks(20)).event_stream();
                    id.chunk(STREAM).chunk(
                        format!("data: {{\"error\":{{\"message\":\"{MARK}\"}}}}\n\ndata: {MARK}").as_bytes(),
                    );
                    states.push(id.filter_states());
                    id.cut(Cut::Upstream);
                }
            }
            envoy.tick();
            states
        };
        let mut envoy = Envoy::with(&config(all));
        envoy.deliver_bodies();
        let configured = envoy.logs().len();
        let names = envoy.names();
        let mut states = play(&mut envoy);
        for after in (0..400).step_by(7) {
            envoy.fail(after, 3, STATUSES[after % STATUSES.len()]);
            states.extend(play(&mut envoy));
            envoy.heal();
        }
        assert_eq!(envoy.logs()[configured..], [""; 0], "nothing is logged of a request");
        assert_eq!(envoy.names(), names);
        let known = BTreeMap::from([
            ("llm_version", &["v1", "v2"][..]),
            ("llm_reason", &["override", "pin", "started", "split", "keyless", "stopped"]),
        ]);
        for state in states {
            for (name, value) in state {
                assert!(known[name.as_str()].contains(&value.as_str()), "{name}: {value}");
            }
        }
        assert!(!envoy.metrics().keys().any(|name| name.contains(MARK)));
    });
}

#[test]
fn only_names_and_errors_of_a_configuration_are_logged() {
    on_each_host(|| {
        let envoy = Envoy::with(&config(&format!(r#"{BY_HEADER}, "salt": "a secret salt""#)));
        let [line] = &envoy.logs()[..] else { panic!("{:?}", envoy.logs()) };
        assert!(line.ends_with("rollouts: chat"), "{line}");
    });
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The tests that a page names: `folder/file.rs::test`, `folder/test_file.py::test`.
fn named_tests(page: &str) -> BTreeSet<(PathBuf, String)> {
    let words = page.split('`').skip(1).step_by(2);
    let named = words.filter_map(|word| word.split_once("::")).filter(|(file, _)| file.contains('/'));
    named.map(|(file, test)| (root().join(file), test.to_string())).collect()
}

#[test]
fn each_claim_of_a_page_names_tests_that_exist() {
    for name in ["docs/security.md", "docs/sources.md"] {
        let page = std::fs::read_to_string(root().join(name)).unwrap();
        let named = named_tests(&page);
        assert!(named.len() > 25, "{name}: {}", named.len());
        for (file, test) in &named {
            let text = std::fs::read_to_string(file).unwrap_or_default();
            let is_there =
                [format!("fn {test}("), format!("def {test}(")].iter().any(|head| text.contains(head));
            assert!(is_there, "{name} names {test} of {}, which does not exist", file.display());
        }
        // Each claim is a list item, and names at least one test.
        let claims = page.split("\n* ").skip(1).map(|claim| claim.split("\n\n").next().unwrap());
        for claim in claims {
            assert!(!named_tests(claim).is_empty(), "no test in {name} for: {claim}");
        }
    }
}

#[test]
fn every_package_has_its_lock_file() {
    for folder in
        std::fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir())
    {
        let is_own =
            std::fs::read_to_string(folder.join("Cargo.toml")).is_ok_and(|text| text.contains("[workspace]"));
        assert!(!is_own || folder.join("Cargo.lock").exists(), "{} has no Cargo.lock", folder.display());
    }
    assert!(root().join("Cargo.lock").exists());
}
