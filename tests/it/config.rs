//! Valid configurations, and all errors of invalid ones.
//!
//! Each `tests/data/configs/bad-*.json` has a file with its errors beside it; `UPDATE_EXPECT=1 cargo test` updates these
//! files.

#![expect(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::string_slice,
    reason = "a failure fails the test"
)]

use llm_canary::bucket::scheme::Scheme;
use llm_canary::config::{self, BodyWait, Config, HostKind, HostPattern, KeyKind, Keyless, Source, json};
use llm_canary::pin::Token;
use llm_canary::split::Range;
use llm_canary::timestamp::rfc3339;
use proptest::prelude::*;
use std::path::{Path, PathBuf};

fn files(start: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/configs");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
    files.retain(|path| name(path).starts_with(start) && name(path).ends_with(".json"));
    files.sort();
    files
}

fn errors(text: &str) -> String {
    errors_on(text, HostKind::WebAssembly)
}

fn errors_on(text: &str, host: HostKind) -> String {
    match json::parse(text.as_bytes()).and_then(|tree| Config::from_json(&tree, host)) {
        Ok(_) => String::new(),
        Err(errors) => errors.to_string(),
    }
}

#[test]
fn bad_configurations_have_exactly_these_errors() {
    let files = files("bad-");
    assert!(files.len() >= 10, "{files:?}");
    check_errors(files, HostKind::WebAssembly);
}

/// What WebAssembly can do and a native module cannot, beside an error of each kind.
#[test]
fn a_native_module_refuses_what_it_cannot_do() {
    let files = files("native-bad-");
    for path in &files {
        let on_wasm = errors(&std::fs::read_to_string(path).unwrap());
        assert!(!on_wasm.contains("native"), "{on_wasm}");
    }
    assert_ne!(files, Vec::<PathBuf>::new());
    check_errors(files, HostKind::Native);
    let metadata = |path: &str| one(&format!(r#", "key": [{{"metadata": "{path}"}}]"#));
    assert_eq!(errors_on(&metadata("com.example.session/id"), HostKind::Native), "");
    assert_ne!(errors_on(&metadata("com.example.session/id/0"), HostKind::Native), "");
}

/// Compares the errors of files with those in the files beside them.
fn check_errors(files: Vec<PathBuf>, host: HostKind) {
    let update = std::env::var_os("UPDATE_EXPECT").is_some();
    let mut different = Vec::new();
    for path in files {
        let found = errors_on(&std::fs::read_to_string(&path).unwrap(), host) + "\n";
        assert_ne!(found, "\n", "{} is accepted", path.display());
        let expected = path.with_extension("errors.txt");
        if update {
            std::fs::write(&expected, found).unwrap();
        } else if std::fs::read_to_string(&expected).unwrap_or_default() != found {
            different.push(format!("{}:\n{found}", path.display()));
        }
    }
    assert!(different.is_empty(), "UPDATE_EXPECT=1 accepts these\n{}", different.join("\n"));
}

#[test]
fn good_configurations_are_accepted() {
    let files = files("good-");
    assert!(files.len() >= 2, "{files:?}");
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(errors(&text), "", "{}", path.display());
    }
}

/// Every field, and what it becomes.
#[test]
fn everything_is_read() {
    let config = Config::parse(include_bytes!("../data/configs/good-everything.json")).unwrap();
    assert_eq!(config.cluster_header.as_str(), "x-my-cluster");
    assert_eq!(config.version_header.as_str(), "x-my-version");
    assert!(!config.version_on_response);
    assert_eq!(config.body_wait, BodyWait::Always);
    assert_eq!(config.rollouts.len(), 3);
    let chat = &config.rollouts[0];
    assert_eq!((chat.name.as_str(), &chat.scheme), ("chat", &Scheme::Own { salt: b"chat-2026".to_vec() }));
    assert_eq!(
        chat.matcher.hosts,
        [HostPattern::Exact("llm.example.com".into()), HostPattern::Below(".llm.example.com".into())]
    );
    assert_eq!(chat.matcher.path_prefix.as_deref(), Some("/v1/"));
    let (name, value) = &chat.matcher.headers[0];
    assert_eq!((name.as_str(), value.as_str()), ("x-tenant", "acme"));
    let metadata = ["envoy.filters.http.jwt_authn", "payload", "sub"].map(str::to_owned).to_vec();
    let sources: Vec<_> = chat.keys.iter().map(|key| &key.source).collect();
    assert!(matches!(sources[0], Source::Header(name) if name.as_str() == "x-conversation-id"));
    assert_eq!(
        sources[1..3],
        [&Source::Cookie("conversation_id".into()), &Source::Query("conversation".into())]
    );
    assert_eq!(sources[3], &Source::Metadata(metadata));
    let kinds: Vec<_> = chat.keys.iter().map(|key| key.kind).collect();
    assert_eq!(
        kinds[..4],
        [KeyKind::Conversation, KeyKind::Conversation, KeyKind::Conversation, KeyKind::User]
    );
    let Source::Body(pointer) = sources[4] else { panic!("{:?}", sources[4]) };
    assert_eq!(config.pointers[*pointer], ["metadata", "a/b~c", "0"]);
    assert_eq!(config.pointers[config::MODEL_POINTER], ["model"]);
    assert_eq!(config.pointers[config::CONVERSATION_ID_POINTER], ["conversation", "id"]);
    assert_eq!(sources[5], &Source::FirstMessage);
    assert_eq!(chat.matcher.models, ["chat-large", "chat-small"]);
    assert_eq!((&chat.started_at, &chat.pin), (&None, &config::Pin::default()));
    assert_eq!(chat.keyless, Keyless::Random);
    assert_eq!(chat.baseline, 1);
    let versions: Vec<_> =
        chat.versions.iter().map(|v| (v.name.as_str(), v.cluster.as_str(), v.stopped)).collect();
    assert_eq!(versions, [("v2", "llm-v2", false), ("v1", "llm-v1", false), ("v3.1", "llm-v3", true)]);
    let ranges = chat.steps.split(0).ranges();
    assert_eq!(ranges[0], Range { start: 0, end: 125_000, version: 0 });
    assert_eq!(ranges[1], Range { start: 125_000, end: 125_001, version: 2 });
    assert_eq!(ranges[2], Range { start: 125_001, end: 1_000_000, version: 1 });
    assert_eq!(chat.overrides[0].header.as_str(), "x-llm-cohort");
    assert_eq!(chat.overrides[0].values, ["staff", "beta"]);
    assert_eq!(chat.overrides[0].version, 0);
    let feedback = chat.feedback.as_ref().unwrap();
    assert_eq!((feedback.path.as_str(), feedback.respond), ("/v1/feedback", false));
    assert_eq!(feedback.rating, ["user/says", "rating"]);
    assert_eq!(
        (&feedback.up[..], &feedback.down[..]),
        (&["up".into(), "1".into()][..], &["down".into()][..])
    );
    assert_eq!(feedback.escalation, ["human"]);
    assert_eq!((chat.usage, chat.defects), (config::Usage::Request, false));

    let code = &config.rollouts[1];
    assert_eq!(code.started_at, Some(Source::Query("since".into())));
    let steps: Vec<_> =
        code.steps.steps().iter().map(|step| (rfc3339(step.at), step.split.parts(1))).collect();
    let expected =
        [("2026-11-23T09:00:00Z", 10_000), ("2026-11-23T10:00:00.500Z", 50_000), ("2026-11-24T00:00:00Z", 0)];
    assert_eq!(steps, expected.map(|(at, parts)| (at.to_owned(), parts)));
    let cookie = code.pin.cookie.as_ref().unwrap();
    assert_eq!((cookie.name.as_str(), cookie.max_age_s, code.pin.response_id), ("llm_pin", 3600, true));
    assert_eq!(code.pin.header.as_ref().unwrap().as_str(), "x-llm-pin");
    assert_eq!(code.versions[0].rewrite, config::Rewrite::default());
    let rewrite = &code.versions[1].rewrite;
    assert_eq!(rewrite.host.as_deref(), Some("code-v2.models.example.com:8080"));
    let prefix = ("/v2/models/code/".to_owned(), "/v2/models/code/versions/2/".to_owned());
    assert_eq!(rewrite.path_prefix, Some(prefix));
    assert_eq!(rewrite.model.as_deref(), Some("code-2026-11"));
    assert_eq!((rewrite.headers[0].0.as_str(), rewrite.headers[0].1.as_str()), ("x-canary", "1"));
}

#[test]
fn the_defaults() {
    let config = Config::parse(include_bytes!("../data/configs/good-small.json")).unwrap();
    assert_eq!(config.cluster_header.as_str(), "x-llm-cluster");
    assert_eq!(config.version_header.as_str(), "x-llm-version");
    assert!(config.version_on_response);
    let rollout = &config.rollouts[0];
    assert_eq!(rollout.scheme, Scheme::Own { salt: b"chat".to_vec() });
    assert_eq!(rollout.matcher, config::Match::default());
    assert_eq!(rollout.keys.len(), 15);
    let is_user: Vec<usize> = (0..15).filter(|&k| rollout.keys[k].kind == KeyKind::User).collect();
    assert_eq!(is_user, [12, 13, 14], "keys of conversations come before keys of users");
    let bodies = rollout.keys.iter().filter_map(|key| {
        if let Source::Body(pointer) = key.source { Some(config.pointers[pointer].join("/")) } else { None }
    });
    let expected = "conversation conversation/id prompt_cache_key metadata/conversation_id \
                    metadata/session_id metadata/user_id user";
    assert_eq!(bodies.collect::<Vec<_>>().join(" "), expected);
    assert_eq!((&rollout.started_at, &rollout.pin), (&None, &config::Pin::default()));
    assert_eq!(rollout.keyless, Keyless::Baseline);
    assert_eq!((rollout.steps.split(0).ranges().len(), rollout.steps.count()), (1, 0));
    assert!(rollout.overrides.is_empty());
    assert_eq!((&rollout.feedback, rollout.usage), (&None, config::Usage::AsIs));
    assert!(rollout.defects && rollout.shards && !rollout.log_observations);
    assert_eq!(Config::parse(br#"{"rollouts": []}"#).unwrap().rollouts.len(), 0);
}

fn one(fields: &str) -> String {
    format!(
        r#"{{"rollouts": [{{"name": "chat", "baseline": "v1",
            "versions": [{{"name": "v1", "cluster": "c1"}}, {{"name": "v2", "cluster": "c2"}}]{fields}}}]}}"#
    )
}

#[test]
fn percentages_are_exact() {
    for (written, parts) in [
        ("0", 0),
        ("0.0001", 1),
        ("1e-4", 1),
        ("33.3333", 333_333),
        ("66.6667", 666_667),
        ("99.9999", 999_999),
    ] {
        let config = Config::parse(one(&format!(r#", "split": {{"v2": {written}}}"#)).as_bytes()).unwrap();
        assert_eq!(config.rollouts[0].steps.split(0).parts(1), parts, "{written}");
    }
    for (written, error) in [
        ("0.00001", "is 0.00001, but the finest percentage is 0.0001; round it"),
        ("100.0001", "is 100.0001, but a percentage is at most 100; write 0 to 100"),
        ("-1", "is -1, but a percentage is not negative; write 0 to 100"),
        ("1e300", "but a percentage is at most 100; write 0 to 100"),
        ("\"10%\"", "is the string \"10%\"; write a number such as 10 or 0.5"),
    ] {
        let found = errors(&one(&format!(r#", "split": {{"v2": {written}}}"#)));
        assert!(found.starts_with("rollouts[0].split.v2: ") && found.ends_with(error), "{found}");
    }
}

#[test]
fn limits_hold() {
    let many = |item: &str, count: usize| vec![item; count].join(",");
    let check = |text: String, error: &str| {
        let found = errors(&text);
        assert!(found.contains(error), "{error:?} is missing from {}", &found[..found.len().min(400)]);
    };
    let repeat_keys = |n| one(&format!(r#", "key": [{}]"#, many(r#"{"query": "q"}"#, n)));
    assert_eq!(errors(&repeat_keys(config::KEYS_MAX)), "");
    check(repeat_keys(config::KEYS_MAX + 1), "rollouts[0].key: has 33 items, but at most 32 are allowed");
    check(format!(r#"{{"rollouts": [{}]}}"#, many("{}", 65)), "rollouts: has 65 items");
    let sharded = |rollouts: usize, unsharded: usize, last: usize| {
        let names = |versions: usize| {
            let name = |at| format!(r#"{{"name": "v{at}", "cluster": "c"}}"#);
            (0..versions).map(name).collect::<Vec<_>>().join(",")
        };
        let rollout = |at: usize| {
            let (versions, shards) =
                if at + 1 == rollouts { (names(last), true) } else { (names(16), at >= unsharded) };
            format!(r#"{{"name": "r{at}", "baseline": "v0", "versions": [{versions}], "shards": {shards}}}"#)
        };
        format!(r#"{{"rollouts": [{}]}}"#, (0..rollouts).map(rollout).collect::<Vec<_>>().join(","))
    };
    assert_eq!(errors(&sharded(8, 0, 16)), "");
    assert_eq!(errors(&sharded(64, 56, 16)), "");
    check(
        sharded(9, 0, 1),
        "rollouts: have 129 pairs of rollout and version that count by shard, and 128 is the limit; \
         write \"shards\": false in those rollouts that no verdict is asked of",
    );
    check(sharded(64, 0, 16), "rollouts: have 1024 pairs of rollout and version");
    check(one(&format!(r#", "salt": "{}""#, "x".repeat(257))), "rollouts[0].salt: is 257 bytes long");
    check(" ".repeat((1 << 20) + 1), "is 1048577 bytes, but at most 1048576 are read");
    let empty_names = many(r#""": 0"#, 150_000);
    check(format!("{{{empty_names}}}"), "configuration: has 150000 fields, but at most 256 are allowed");
    check(one(&format!(r#", "split": {{{empty_names}}}"#)), "rollouts[0].split: has 150000 fields");
    let (long, longer) = ("x".repeat(300_000), "x".repeat(300_001));
    let names =
        one("").replace("v1", &long).replace("v2", &longer).replace(&format!(r#": "{long}""#), r#": "v3""#);
    check(names, "is not a version name");
    check("[".repeat(1000), "nested deeper than 64 at line 1 column");
    let unknown: Vec<String> = (0..250).map(|i| format!(r#""field{i}": 1"#)).collect();
    check(format!("{{{}}}", unknown.join(",")), "and 151 more errors; correct these first");
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in any::<Vec<u8>>()) {
        if let Err(errors) = Config::parse(&bytes) {
            prop_assert!(!errors.to_string().is_empty());
        }
    }

    /// A valid configuration with a part replaced: it is read, or has errors that can be printed.
    #[test]
    fn a_damaged_configuration_is_read_or_refused(
        at in 0..5000_usize,
        length in 0..40_usize,
        replacement in prop_oneof![
            Just(String::new()), Just("null".to_owned()), Just("{}".to_owned()), Just("[]".to_owned()),
            Just("-0.1e9".to_owned()), Just("\"v1\"".to_owned()), any::<String>(),
        ],
    ) {
        let text = include_str!("../data/configs/good-everything.json").as_bytes();
        let (start, end) = (at.min(text.len()), (at + length).min(text.len()));
        let damaged = [&text[..start], replacement.as_bytes(), &text[end..]].concat();
        if let Err(errors) = Config::parse(&damaged) {
            prop_assert!(errors.iter().count() > 0);
            for error in &errors {
                prop_assert!(error.message.len() > 10 && error.message.len() < 1000, "{error}");
                prop_assert!(!error.to_string().contains(char::is_control), "{error}");
            }
        }
    }
}

/// Any number of threads may use one configuration, and what is made of it once.
#[test]
fn a_configuration_can_be_shared_between_threads() {
    fn is_shared<T: Send + Sync>() {}
    is_shared::<Config>();
    is_shared::<config::Errors>();
    is_shared::<std::sync::Arc<[Token]>>();
    is_shared::<llm_canary::rewrite::ModelName>();
    is_shared::<llm_canary::pointer::Pointers>();
    // What reads or edits one request or response is used by one thread at a time.
    fn is_sent<T: Send>() {}
    is_sent::<llm_canary::pointer::Values>();
    is_sent::<llm_canary::fingerprint::Fingerprint>();
    is_sent::<llm_canary::request_facts::RequestReader>();
    is_sent::<llm_canary::feedback::Body>();
    is_sent::<llm_canary::pin::TagIds>();
    is_sent::<llm_canary::pin::UntagIds>();
    is_sent::<llm_canary::rewrite::Model>();
    is_sent::<llm_canary::usage::InjectUsage>();
    is_sent::<llm_canary::usage::StripUsage>();
    is_sent::<llm_canary::observe::Observer>();
}

#[test]
fn two_versions_with_the_same_token_are_refused() {
    let mut tokens = std::collections::HashMap::new();
    let name = |i: u32| format!("v{i}");
    let (a, b) = (0..)
        .find_map(|i| tokens.insert(Token::of("chat", &name(i)), i).map(|earlier| (name(earlier), name(i))))
        .unwrap();
    let pinned = |pin: &str| {
        format!(
            r#"{{"rollouts": [{{"name": "chat", "baseline": "{a}",
                "versions": [{{"name": "{a}", "cluster": "c"}}, {{"name": "{b}", "cluster": "c"}}]{pin}}}]}}"#
        )
    };
    assert!(Config::parse(pinned("").as_bytes()).is_ok());
    let errors = Config::parse(pinned(r#", "pin": {"header": "x-pin"}"#).as_bytes()).unwrap_err().to_string();
    let expected =
        format!("rollouts[0].versions[1].name: has by chance the same pin as \"{a}\" of rollout \"chat\"");
    assert!(errors.starts_with(&expected), "{errors}");
}
