//! Requests in, replies out.

use super::view::{Found, Moment, View, Watchdog};
use super::{Gate, Outcome, Reply, Request, answer, approved};
use crate::analysis::Analysis;
use crate::tests::traffic::{Traffic, analysis, windows};
use llm_canary_verdict::policy::Policy;
use llm_canary_verdict::window::Pair;
use serde_json::{Value, json};
use std::sync::LazyLock;
use std::time::Duration;

const NOW: Moment = Moment { age: Duration::from_secs(1), quiet: Duration::ZERO };

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Case {
    Fine,
    Regression,
    Open,
    Nothing,
    /// It was fine, and now the source is silent.
    Silent,
    /// It was a regression, and now the source is silent.
    SilentRegression,
    /// It was fine, and the loop has made no look since.
    Old,
}
use Case::{Fine, Nothing, Old, Open, Regression, Silent, SilentRegression};

fn made(count: u64, refusals: f64) -> Analysis {
    let traffic = Pair { version: Traffic { refusals, ..Traffic::new(300) }, baseline: Traffic::new(900) };
    analysis(&windows(count, traffic), &Policy::default(), None)
}

static IS_FINE: LazyLock<Analysis> = LazyLock::new(|| made(40, 0.01));
static IS_REGRESSION: LazyLock<Analysis> = LazyLock::new(|| made(20, 0.08));
static IS_OPEN: LazyLock<Analysis> = LazyLock::new(|| made(2, 0.01));

pub(super) fn found(case: Case, version: &str) -> Found {
    let analysis = match case {
        Regression | SilentRegression => &IS_REGRESSION,
        Open => &IS_OPEN,
        Fine | Nothing | Silent | Old => &IS_FINE,
    };
    let mut analysis = Analysis::clone(analysis);
    analysis.version = version.to_owned();
    Found { analysis, percent: Some(25.0) }
}

pub(super) fn view(case: Case) -> View {
    let found = if case == Nothing { Vec::new() } else { vec![found(case, "v2")] };
    let mut view = View {
        rollout: Some("chat".to_owned()),
        versions: Some(["v1", "v2", "v3"].map(str::to_owned).to_vec()),
        found,
        has_looked: true,
        good_for: Duration::from_secs(300),
        records: vec![json!({"event": "ramping"})],
        ..View::default()
    };
    if matches!(case, Silent | SilentRegression) {
        view.trouble = Some("http://p:9090: it refuses the connection".to_owned());
    }
    view.stops.count(&view.found.clone());
    view
}

pub(super) fn moment(case: Case) -> Moment {
    if case == Old { Moment { age: Duration::from_secs(301), ..NOW } } else { NOW }
}

pub(super) fn request(method: &str, target: &str) -> Request {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    Request { method: method.to_owned(), path: path.to_owned(), query: query.to_owned(), headers: Vec::new() }
        .with("host", "localhost:8099")
        .with("accept", "*/*")
}

impl Request {
    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(own, _)| own != name);
        self.headers.push((name.to_owned(), value.as_bytes().to_vec()));
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(own, _)| own != name);
        self
    }
}

pub(super) fn gate() -> Gate {
    Gate { is_loopback: true, can_approve: true, token: None }
}

fn reply_to(request: &Request, case: Case) -> Reply {
    match answer(request, &view(case), &gate(), moment(case)) {
        Outcome::Reply(reply) => reply,
        Outcome::Approve => panic!("{request:?}"),
    }
}

fn get(target: &str, case: Case) -> Reply {
    reply_to(&request("GET", target), case)
}

fn json_of(reply: &Reply) -> Value {
    serde_json::from_str(&reply.body).expect(&reply.body)
}

pub(super) fn header<'a>(reply: &'a Reply, name: &str) -> Option<&'a str> {
    reply.headers.iter().find(|(own, _)| *own == name).map(|(_, value)| value.as_str())
}

#[test]
fn each_verdict_is_a_verdict_for_each_controller() {
    for (case, verdict, confirm, rollback) in [
        (Fine, "fine", 200, 409),
        (Regression, "regression", 409, 200),
        (Open, "not_enough_data", 409, 409),
        (Nothing, "not_enough_data", 409, 409),
        (Silent, "not_enough_data", 409, 409),
        (SilentRegression, "regression", 409, 200),
        (Old, "not_enough_data", 409, 409),
    ] {
        for query in ["", "?version=v2", "?rollout=chat&version=v2", "?rollout=chat"] {
            let reply = get(&format!("/api/verdict{query}"), case);
            assert_eq!(reply.status, 200);
            let value = json_of(&reply);
            assert_eq!(value["verdict"], verdict, "{value}");
            assert!(verdict == "fine" || !value["because"][0].as_str().unwrap().is_empty());
            for (path, status) in [
                ("confirm-promotion", confirm),
                ("confirm-traffic-increase", confirm),
                ("rollback", rollback),
            ] {
                let reply = reply_to(&request("POST", &format!("/flagger/{path}{query}")), case);
                assert_eq!(reply.status, status, "{path}");
                let value = json_of(&reply);
                assert_eq!(value["verdict"], verdict);
                assert!(value["text"].as_str().unwrap().starts_with(verdict));
            }
        }
    }
    let silent = json_of(&get("/api/verdict", Silent));
    assert_eq!(silent["because"][0], "http://p:9090: it refuses the connection");
    let old = json_of(&get("/api/verdict", Old));
    assert_eq!(old["because"][0], "the last look at the source was 301 seconds ago");
}

#[test]
fn the_object_is_that_of_analyze_also_where_nothing_was_seen() {
    let keys = |case| {
        let value = json_of(&get("/api/verdict?version=v2", case));
        value.as_object().unwrap().keys().cloned().collect::<Vec<String>>()
    };
    let judged = found(Fine, "v2");
    let same = format!("{}\n", crate::verdict_json::object(&judged.analysis));
    assert_eq!(&*get("/api/verdict", Fine).body, same);
    assert_eq!(keys(Fine), keys(Nothing));
}

#[test]
fn of_several_versions_the_worst_counts() {
    let versions = |cases: &[(Case, &str)]| View {
        found: cases.iter().map(|(case, version)| found(*case, version)).collect(),
        ..view(Nothing)
    };
    let status = |view: &View, path: &str| match answer(&request("POST", path), view, &gate(), NOW) {
        Outcome::Reply(reply) => reply.status,
        Outcome::Approve => 0,
    };
    let mixed = versions(&[(Fine, "v2"), (Regression, "v3")]);
    let Outcome::Reply(reply) = answer(&request("GET", "/api/verdict"), &mixed, &gate(), NOW) else {
        panic!("it is a reply")
    };
    assert_eq!(json_of(&reply).as_array().unwrap().len(), 2);
    for (path, expect) in [
        ("/flagger/rollback", 200),
        ("/flagger/rollback?version=v3", 200),
        ("/flagger/rollback?version=v2", 409),
        ("/flagger/confirm-promotion", 409),
        ("/flagger/confirm-promotion?version=v2", 200),
    ] {
        assert_eq!(status(&mixed, path), expect, "{path}");
    }
    let open = versions(&[(Fine, "v2"), (Open, "v3")]);
    assert_eq!(status(&open, "/flagger/confirm-promotion"), 409);
}

#[test]
fn a_name_that_there_is_not_is_no_verdict() {
    for (query, status, words) in [
        ("version=v9", 404, "there is no version \"v9\""),
        ("version=v1", 404, "is the baseline"),
        ("rollout=chta", 404, "there is no rollout \"chta\"; did you mean"),
        ("vesion=v2", 400, "the query may have rollout= and version="),
        ("version=v2&version=v3", 400, "twice"),
        ("version=", 404, "there is no version \"\""),
        ("version=%3Cscript%3E", 404, "<script>"),
    ] {
        for (method, path) in
            [("GET", "/api/verdict"), ("POST", "/flagger/rollback"), ("POST", "/flagger/confirm-promotion")]
        {
            let reply = reply_to(&request(method, &format!("{path}?{query}")), Fine);
            assert_eq!(reply.status, status, "{path} {query}");
            let error = json_of(&reply)["error"].as_str().unwrap().to_owned();
            assert!(error.contains(words), "{error}");
        }
    }
    // It has no share yet, and may get one.
    let reply = get("/api/verdict?version=v3", Fine);
    assert_eq!((reply.status, json_of(&reply)["verdict"].as_str()), (200, Some("not_enough_data")));
    // Nothing says which versions there are.
    let unknown = View { versions: None, rollout: None, ..view(Nothing) };
    let Outcome::Reply(reply) = answer(&request("GET", "/api/verdict?version=v9"), &unknown, &gate(), NOW)
    else {
        panic!("it is a reply")
    };
    assert_eq!((reply.status, json_of(&reply)["verdict"].as_str()), (200, Some("not_enough_data")));
}

#[test]
fn paths_and_methods() {
    for (path, allow) in [
        ("/", "GET, HEAD"),
        ("/api/page", "GET, HEAD"),
        ("/api/verdict", "GET, HEAD"),
        ("/api/events", "GET, HEAD"),
        ("/api/approve", "POST"),
        ("/metrics", "GET, HEAD"),
        ("/healthz", "GET, HEAD"),
        ("/readyz", "GET, HEAD"),
        ("/flagger/confirm-promotion", "POST"),
        ("/flagger/confirm-traffic-increase", "POST"),
        ("/flagger/rollback", "POST"),
    ] {
        for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "get", ""] {
            let is_allowed = allow.split(", ").any(|allowed| allowed == method);
            if is_allowed && path == "/api/approve" {
                continue;
            }
            let reply = reply_to(&request(method, path), Fine);
            assert_eq!(reply.status == 405, !is_allowed, "{method} {path}");
            assert_eq!(header(&reply, "allow"), (!is_allowed).then_some(allow));
        }
    }
    for path in [
        "",
        "//",
        "/api",
        "/api/verdict/",
        "/API/verdict",
        "/etc/passwd",
        "/../etc/passwd",
        "/%2e%2e/x",
        "/.",
        "*",
    ] {
        assert_eq!(get(path, Fine).status, 404, "{path}");
    }
    let watching = Gate { can_approve: false, ..gate() };
    let post = request("POST", "/api/approve").with("content-type", "application/json");
    let Outcome::Reply(reply) = answer(&post, &view(Fine), &watching, NOW) else { panic!("it takes none") };
    assert_eq!(reply.status, 404);
}

#[test]
fn nothing_but_json_goes_to_who_does_not_say_what_it_accepts() {
    // Argo Rollouts' web provider says nothing, and takes what is no JSON for success.
    for path in ["/", "/api/page", "/metrics"] {
        assert_eq!(get(path, Fine).status, 200);
        let reply = reply_to(&request("GET", path).without("accept"), Fine);
        assert_eq!(reply.status, 406, "{path}");
        json_of(&reply);
    }
    for path in ["/api/verdict", "/api/events", "/healthz", "/readyz"] {
        let reply = reply_to(&request("GET", path).without("accept"), Fine);
        assert_eq!(reply.status, 200, "{path}");
        let value = json_of(&reply);
        assert_eq!(path == "/api/verdict", value["verdict"].is_string(), "{path}");
    }
}

#[test]
fn each_reply_is_safe_in_a_browser() {
    for path in ["/", "/api/verdict", "/api/events", "/metrics", "/healthz", "/nothing"] {
        let reply = get(path, Fine);
        assert_eq!(header(&reply, "x-content-type-options"), Some("nosniff"), "{path}");
        let policy = header(&reply, "content-security-policy").unwrap();
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{path}");
        assert_eq!(policy.contains("script"), path == "/", "{path}: what the page may do is another test");
        assert_eq!(reply.headers.iter().filter(|(name, _)| *name == "content-security-policy").count(), 1);
    }
}

#[test]
fn only_this_machine_s_names_on_the_loopback_address() {
    for (host, is_own) in [
        ("localhost", true),
        ("LOCALHOST:8099", true),
        ("127.0.0.1:8099", true),
        ("127.1.2.3", true),
        ("[::1]:8099", true),
        ("[::1]", true),
        ("evil.example.com", false),
        ("evil.example.com:8099", false),
        ("localhost.evil.example.com", false),
        ("127.0.0.1.evil.example.com", false),
        ("127.0.0.1:8099.evil.example.com", false),
        ("localhost:", false),
        ("10.0.0.1", false),
        ("localhost:8099:8099", false),
    ] {
        for (method, path) in [("GET", "/"), ("GET", "/api/verdict"), ("POST", "/flagger/rollback")] {
            let asked = request(method, path).with("host", host);
            assert_eq!(reply_to(&asked, Fine).status != 421, is_own, "{host}");
            let open = Gate { is_loopback: false, ..gate() };
            let Outcome::Reply(reply) = answer(&asked, &view(Fine), &open, NOW) else { panic!("a reply") };
            assert_ne!(reply.status, 421, "{host}");
        }
    }
    assert_eq!(reply_to(&request("GET", "/").without("host"), Fine).status, 400);
    let bytes = Request { headers: vec![("host".to_owned(), vec![0xff])], ..request("GET", "/") };
    assert_eq!(reply_to(&bytes, Fine).status, 400);
}

#[test]
fn a_change_needs_its_token_and_no_foreign_page_can_make_one() {
    let base = || request("POST", "/api/approve").with("content-type", "application/json");
    let token = Gate { token: Some("secret".to_owned()), ..gate() };
    for (gate, asked, status) in [
        (gate(), base(), 0),
        (gate(), base().with("content-type", "application/json; charset=utf-8"), 0),
        (gate(), base().with("content-type", "text/plain"), 415),
        (gate(), base().with("content-type", "application/x-www-form-urlencoded"), 415),
        (gate(), base().without("content-type"), 415),
        (gate(), base().with("origin", "http://localhost:8099"), 0),
        (gate(), base().with("origin", "http://localhost:3000"), 403),
        (gate(), base().with("origin", "https://evil.example.com"), 403),
        (gate(), base().with("origin", "null"), 403),
        (token.clone(), base(), 401),
        (token.clone(), base().with("authorization", "Bearer secret"), 0),
        (token.clone(), base().with("authorization", "bearer secret"), 0),
        (token.clone(), base().with("authorization", "Bearer secre"), 401),
        (token.clone(), base().with("authorization", "Bearer secrets"), 401),
        (token.clone(), base().with("authorization", "Bearer Secret"), 401),
        (token.clone(), base().with("authorization", "Bearer "), 401),
        (token.clone(), base().with("authorization", "Basic secret"), 401),
        (token.clone(), base().with("authorization", "secret"), 401),
        (token.clone(), base().with("authorization", "é"), 401),
    ] {
        match answer(&asked, &view(Fine), &gate, NOW) {
            Outcome::Approve => assert_eq!(status, 0, "{asked:?}"),
            Outcome::Reply(reply) => {
                assert_eq!(reply.status, status, "{asked:?}");
                assert!(!reply.body.contains("secret"));
                assert_eq!(header(&reply, "www-authenticate").is_some(), status == 401);
            }
        }
    }
    // What only tells needs none.
    let Outcome::Reply(reply) = answer(&request("POST", "/flagger/rollback"), &view(Regression), &token, NOW)
    else {
        panic!("a reply")
    };
    assert_eq!(reply.status, 200);
    assert_eq!(approved(Ok("fine")).status, 200);
    assert_eq!(&*approved(Err("nothing waits")).body, "{\"error\":\"nothing waits\"}\n");
}

#[test]
fn probes() {
    assert_eq!(get("/healthz", Nothing).status, 200);
    assert_eq!(
        get("/readyz", Silent).status,
        200,
        "who is not ready can tell nobody that the source is silent"
    );
    let ask = |path: &str, view: &View, quiet| {
        let moment = Moment { age: Duration::ZERO, quiet: Duration::from_secs(quiet) };
        match answer(&request("GET", path), view, &gate(), moment) {
            Outcome::Reply(reply) => reply.status,
            Outcome::Approve => 0,
        }
    };
    assert_eq!(ask("/readyz", &View::default(), 0), 503);
    assert_eq!(ask("/healthz", &View::default(), 599), 200);
    assert_eq!(ask("/healthz", &View::default(), 600), 503);
}

#[test]
fn metrics() {
    let text = |view: &View| match answer(&request("GET", "/metrics"), view, &gate(), NOW) {
        Outcome::Reply(reply) => reply.body,
        Outcome::Approve => "".into(),
    };
    let regression = text(&view(Regression));
    for line in [
        "# TYPE llm_canary_verdict gauge",
        r#"llm_canary_verdict{rollout="chat",version="v2",verdict="regression"} 1"#,
        r#"llm_canary_verdict{rollout="chat",version="v2",verdict="fine"} 0"#,
        r#"llm_canary_step_percent{rollout="chat",version="v2"} 25"#,
        "# TYPE llm_canary_stops_total counter",
        r#"llm_canary_stops_total{rollout="chat",version="v2",signal="refusals"} 1"#,
        "llm_canary_source_up 1",
    ] {
        assert!(regression.lines().any(|own| own == line), "{line}\n{regression}");
    }
    assert!(regression.contains(r#"llm_canary_log_e{rollout="chat",version="v2",signal="refusals"} "#));
    assert!(regression.ends_with('\n'));
    let silent = text(&view(Silent));
    assert!(silent.contains("\nllm_canary_source_up 0\n") && silent.contains("verdict=\"fine\"} 0\n"));
    assert!(text(&View::default()).contains("\nllm_canary_source_up 0\n"));
    let mut odd = view(Fine);
    odd.found[0].analysis.version = "a\"b\\c\nd".to_owned();
    odd.found[0].analysis.judgement.signals[0].ln_e = f64::NEG_INFINITY;
    let odd = text(&odd);
    assert!(odd.contains(r#"version="a\"b\\c\nd""#) && odd.contains("} -Inf\n"), "{odd}");
    // Each line is a comment or a sample.
    for line in odd.lines() {
        assert!(
            line.starts_with("# ")
                || line.rsplit_once(' ').is_some_and(|(_, number)| number.parse::<f64>().is_ok()),
            "{line}"
        );
    }
}

#[test]
fn a_stop_counts_once() {
    let mut stops = view(Nothing).stops;
    let count = |stops: &super::view::Stops| stops.counts().map(|(_, count)| *count).sum::<u64>();
    for (case, expect) in [(Fine, 0), (Regression, 1), (Regression, 1), (Fine, 1), (Regression, 2)] {
        stops.count(&[found(case, "v2")]);
        assert_eq!(count(&stops), expect);
    }
}

#[test]
fn events_are_the_records() {
    assert_eq!(json_of(&get("/api/events", Fine)), json!([{"event": "ramping"}]));
}

#[test]
fn metrics_of_a_reference_set() {
    let lines = |view: &View| match answer(&request("GET", "/metrics"), view, &gate(), NOW) {
        Outcome::Reply(reply) => reply.body.to_string(),
        Outcome::Approve => panic!("it is a reply"),
    };
    let mut view = view(Fine);
    assert!(!lines(&view).contains("watchdog"), "without a set there are no such series");
    view.watchdog = Some(Watchdog {
        pass_share: [("v2".to_owned(), Some(0.6)), ("v1".to_owned(), Some(0.92))],
        log_e: 2.5,
        unknown: 4,
    });
    let text = lines(&view);
    for line in [
        r#"llm_canary_watchdog_pass_share{rollout="chat",version="v2"} 0.6"#,
        r#"llm_canary_watchdog_pass_share{rollout="chat",version="v1"} 0.92"#,
        r#"llm_canary_watchdog_log_e{rollout="chat",version="v2"} 2.5"#,
        r#"llm_canary_watchdog_unknown{rollout="chat",version="v2"} 4"#,
    ] {
        assert!(text.lines().any(|one| one == line), "{line}: {text}");
    }
}
