//! The table of scenarios, on each host. `tests/e2e/test_scenarios.py` runs the same table in real Envoy.
//!
//! A scenario is a configuration, exchanges one after another, what the upstream and the client see of each, and the sums
//! of metrics at the end. Fields that a scenario omits are not compared; `null` means absent.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::host::{Cut, Envoy, Id, on_each_host};

type Headers = BTreeMap<String, Option<String>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scenario {
    what: String,
    configuration: Value,
    exchanges: Vec<Exchange>,
    /// `metric{label=value,…}` → the sum of all series with these labels.
    metrics: BTreeMap<String, u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Exchange {
    request: Request,
    /// Absent where the filter answers.
    response: Option<Response>,
    #[serde(default)]
    upstream: Upstream,
    #[serde(default)]
    client: Client,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    method: String,
    path: String,
    headers: BTreeMap<String, Lines>,
    #[serde(default)]
    body: Vec<String>,
}

/// One line of a header, or several.
#[derive(Deserialize)]
#[serde(untagged)]
enum Lines {
    One(String),
    Several(Vec<String>),
}

impl Lines {
    fn iter(&self) -> std::slice::Iter<'_, String> {
        match self {
            Lines::One(line) => std::slice::from_ref(line).iter(),
            Lines::Several(lines) => lines.iter(),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Response {
    status: u16,
    headers: BTreeMap<String, String>,
    body: Vec<String>,
    #[serde(default)]
    ends: Ends,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Ends {
    #[default]
    Complete,
    /// The upstream resets its connection after the body.
    Cut,
    /// The client resets its connection after the body.
    ClientLeaves,
}

/// The request as the upstream sees it.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Upstream {
    cluster: Option<String>,
    path: Option<String>,
    headers: Headers,
    body: Option<String>,
}

/// The response as the client sees it.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Client {
    status: Option<u16>,
    headers: Headers,
    body: Option<String>,
}

fn scenarios() -> Vec<Scenario> {
    serde_json::from_str(include_str!("../data/scenarios.json")).unwrap()
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

/// Sends the request, its body in pieces.
fn send(envoy: &mut Envoy, request: &Request) -> Id {
    let length = request.body.iter().map(String::len).sum::<usize>().to_string();
    let mut headers = vec![(":method", request.method.as_bytes()), (":path", request.path.as_bytes())];
    if !request.body.is_empty() {
        headers.push(("content-type", b"application/json"));
        headers.push(("content-length", length.as_bytes()));
    }
    for (name, lines) in &request.headers {
        headers.extend(lines.iter().map(|line| (name.as_str(), line.as_bytes())));
    }
    match request.body.split_last() {
        None => envoy.get(&headers),
        Some((last, others)) => {
            let id = envoy.request(&headers);
            others.iter().for_each(|piece| id.post_piece(piece.as_bytes(), false));
            id.post_piece(last.as_bytes(), true);
            id
        }
    }
}

fn respond(id: Id, response: &Response) {
    let headers: Vec<_> = response.headers.iter().map(|(n, v)| (n.as_str(), v.as_bytes())).collect();
    id.respond(&response.status.to_string(), &headers, false);
    response.body.iter().for_each(|piece| _ = id.chunk(piece.as_bytes()));
}

fn end(id: Id, ends: Ends) {
    match ends {
        Ends::Complete => id.complete(),
        Ends::Cut => id.cut(Cut::Upstream),
        Ends::ClientLeaves => id.cut(Cut::Client),
    }
}

fn compare_headers(expected: &Headers, found: impl Fn(&str) -> Option<Vec<u8>>, what: &str) {
    for (name, expected) in expected {
        assert_eq!(found(name).map(text), *expected, "{what}: {name}");
    }
}

fn compare_upstream(id: Id, expected: &Upstream, what: &str) {
    if let Some(cluster) = &expected.cluster {
        assert_eq!(id.upstream_header("x-llm-cluster").map(text).as_ref(), Some(cluster), "{what}");
    }
    if let Some(path) = &expected.path {
        assert_eq!(id.upstream_header(":path").map(text).as_ref(), Some(path), "{what}");
    }
    compare_headers(&expected.headers, |name| id.upstream_header(name), what);
    if let Some(body) = &expected.body {
        assert_eq!(&text(id.upstream_body()), body, "{what}");
    }
}

fn compare_client(id: Id, response: &Response, expected: &Client, what: &str) {
    if let Some(status) = expected.status {
        assert_eq!(response.status, status, "{what}");
    }
    compare_headers(&expected.headers, |name| id.client_header(name), what);
    if let Some(body) = &expected.body {
        assert_eq!(&text(id.client_body()), body, "{what}");
    }
}

/// The filter's local reply. Envoy makes the callbacks of a response for it, as for any other response.
fn compare_local_reply(id: Id, expected: &Client, what: &str) {
    let reply = id.local_reply();
    assert!(reply.is_some(), "{what}: no answer");
    let (status, body) = reply.unwrap();
    id.respond_locally(&status.to_string());
    compare_headers(&expected.headers, |name| id.client_header(name), what);
    assert_eq!(expected.status.map(u32::from), Some(status), "{what}: {body}");
    if let Some(expected) = &expected.body {
        assert_eq!(&body, expected, "{what}");
    }
    id.complete();
}

/// The sum over all series of `metric{label=value,…}` that have these labels.
fn sum(envoy: &Envoy, wanted: &str) -> u64 {
    let parts = |series: &str| {
        let (metric, labels) = series.trim_end_matches('}').split_once('{').unwrap();
        let labels = labels.split(',').filter(|label| !label.is_empty()).map(str::to_owned);
        (metric.to_owned(), labels.collect::<Vec<_>>())
    };
    let (metric, labels) = parts(wanted);
    let is_wanted = |series: &str| {
        let (name, have) = parts(series);
        name == metric && labels.iter().all(|label| have.contains(label))
    };
    assert!(envoy.names().iter().any(|series| is_wanted(series)), "there is no series {wanted}");
    envoy.metrics().iter().filter(|(series, _)| is_wanted(series)).flat_map(|(_, values)| values).sum()
}

#[test]
fn each_scenario_matches_the_table() {
    let scenarios = scenarios();
    assert!(scenarios.len() > 20);
    on_each_host(|| {
        for Scenario { what, configuration, exchanges, metrics } in &scenarios {
            let mut envoy = Envoy::with(&configuration.to_string());
            envoy.deliver_bodies();
            for (at, Exchange { request, response, upstream, client }) in exchanges.iter().enumerate() {
                let what = format!("{what}, exchange {at}");
                let id = send(&mut envoy, request);
                match response {
                    None => compare_local_reply(id, client, &what),
                    Some(response) => {
                        assert!(!id.is_paused(), "{what}: it waits forever");
                        compare_upstream(id, upstream, &what);
                        respond(id, response);
                        end(id, response.ends);
                        compare_client(id, response, client, &what);
                    }
                }
            }
            for (series, expected) in metrics {
                assert_eq!(sum(&envoy, series), *expected, "{what}: {series}");
            }
            envoy.stop();
        }
    });
}
