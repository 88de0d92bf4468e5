use super::envoys::ROWS_MAX;
use super::{
    Counts, DISCOVERY_PATH, Envoys, Event, Files, Fleet, Moment, News, Offer, State, answer, read, text,
};
use crate::serving::{Gate, Reply, Request};
use crate::table::Canvas;
use llm_canary::config::json;
use serde_json::{Value, json};
use std::time::Duration;

pub(super) const WASM: &str = include_str!("../../../envoy/ecds/llm-canary.yaml");
const NATIVE: &str = include_str!("../../../envoy/ecds-native/llm-canary.yaml");

/// Files that hold these texts, each looked at as often as is needed to take it or to refuse it.
fn files(texts: &[&str]) -> Files {
    let mut files = Files::new((0..texts.len()).map(|index| format!("{index}.yaml")));
    for (index, text) in texts.iter().enumerate() {
        look(&mut files, index, text);
        look(&mut files, index, text);
    }
    files
}

fn look(files: &mut Files, index: usize, text: &str) -> Vec<News> {
    files.look(index, Ok(text.as_bytes().to_vec()))
}

fn request(path: &str, headers: &[(&str, &str)]) -> Request {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()));
    Request {
        method: "POST".to_owned(),
        path: path.to_owned(),
        query: String::new(),
        headers: headers.collect(),
    }
}

/// What an Envoy sends.
pub(super) fn body(id: &str, version: &str) -> String {
    let build =
        json!({"version": {"major_number": 1, "minor_number": 40}, "metadata": {"ssl.version": "BoringSSL"}});
    let node = json!({"id": id, "cluster": "edge", "user_agent_build_version": build, "extensions": [{"name": "x"}]});
    let mut body = json!({"node": node, "resource_names": ["llm-canary"], "type_url": super::TYPE_URL});
    if !version.is_empty() {
        body["version_info"] = version.into();
    }
    body.to_string()
}

pub(super) fn poll(envoys: &mut Envoys, offer: &Offer, id: &str, version: &str, now: Duration) -> Reply {
    post(envoys, offer, body(id, version).as_bytes(), now)
}

pub(super) fn post(envoys: &mut Envoys, offer: &Offer, body: &[u8], now: Duration) -> Reply {
    let moment = Moment { now, quiet: Duration::ZERO };
    let request =
        request(DISCOVERY_PATH, &[("host", "llm-canary-xds"), ("content-type", "application/json")]);
    let gate = Gate { is_loopback: true, ..Gate::default() };
    answer(&request, body, "10.0.0.1", offer, envoys, &gate, moment)
}

pub(super) fn version_of(offer: &Offer) -> String {
    offer.version_of("llm-canary").unwrap().to_owned()
}

/// How the only Envoy stands.
fn state(envoys: &mut Envoys, offer: &Offer, seconds: u64) -> String {
    Fleet::new(offer, envoys, Duration::from_secs(seconds)).envoys[0].state.clone()
}

#[test]
fn what_envoy_could_watch_is_served_as_it_would_read_it() {
    for shipped in [WASM, NATIVE] {
        let (resources, warnings) = read("a.yaml", shipped.as_bytes()).unwrap();
        let [resource] = resources.as_slice() else { panic!("{resources:?}") };
        assert!(warnings.is_empty() && resource.name == "llm-canary" && resource.version.len() == 16);
        let expected: Value = crate::yaml::json(shipped).unwrap();
        let mut served: Value = serde_json::from_str(&resource.variant(0)).unwrap();
        // Only the blanks behind the configuration differ.
        for pointer in ["/typed_config/config/configuration/value", "/typed_config/filter_config/value"] {
            if let Some(value) = served.pointer_mut(pointer) {
                let blank = value.as_str().unwrap().trim_end().to_owned() + "\n";
                *value = blank.into();
            }
        }
        assert_eq!(served, expected["resources"][0]);
    }
    // Comments and the order of lines above it change nothing.
    let (commented, _) = read("a.yaml", format!("# x\n{WASM}").as_bytes()).unwrap();
    assert_eq!(commented, read("b.yaml", WASM.as_bytes()).unwrap().0);
}

#[test]
fn an_object_becomes_the_text_that_envoy_would_make_of_it() {
    let config = json!({"rollouts": [{"name": "chat", "key": [{"header": "x"}], "baseline": "v1", "versions": [
        {"name": "v1", "cluster": "a"}, {"name": "v2", "cluster": "b"}], "steps": [{"at": "2026-01-01T00:00:00Z", "percent": {"v2": 0.5}}]}]});
    let filter = json!({"@type": "type.googleapis.com/google.protobuf.Struct", "value": config});
    let typed = json!({"@type": "x/DynamicModuleFilter", "dynamic_module_config": {"name": "llm_canary"},
        "filter_name": "llm-canary", "filter_config": filter});
    let file =
        json!({"resources": [{"@type": super::TYPE_URL, "name": "llm-canary", "typed_config": typed}]});
    let (resources, _) = read("a.json", file.to_string().as_bytes()).unwrap();
    let served: Value = serde_json::from_str(&resources[0].variant(7)).unwrap();
    let text = served["typed_config"]["filter_config"]["value"].as_str().unwrap();
    assert_eq!(serde_json::from_str::<Value>(text).unwrap(), config);
    assert_eq!(
        served["typed_config"]["filter_config"]["@type"],
        "type.googleapis.com/google.protobuf.StringValue"
    );
}

#[test]
fn no_two_answers_are_alike_and_all_mean_the_same() {
    let offer = files(&[WASM]).offer();
    let mut envoys = Envoys::new(u16::MAX - 20);
    let mut seen = std::collections::BTreeSet::new();
    let mut hashes = std::collections::BTreeSet::new();
    for second in 0..50 {
        let reply = poll(&mut envoys, &offer, "a", "", Duration::from_secs(second));
        let value: Value = serde_json::from_str(&reply.body).unwrap();
        assert_eq!(value["version_info"], version_of(&offer).as_str());
        let config =
            value["resources"][0]["typed_config"]["config"]["configuration"]["value"].as_str().unwrap();
        hashes.insert(json::parse(config.as_bytes()).unwrap().hash());
        seen.insert(reply.body.to_string());
    }
    assert_eq!((seen.len(), hashes.len()), (50, 1));
}

#[test]
fn what_is_wrong_with_a_file_is_said_with_its_place() {
    for (text, words) in [
        ("a: [", "a.yaml: "),
        ("x: 1\n", "a.yaml: holds no llm-canary configuration"),
        (&WASM.replace(r#""baseline": "v1""#, r#""baseline": "v9""#), "rollouts[0].baseline: "),
        (
            &WASM.replace("core.v3.TypedExtensionConfig", "core.v3.Other"),
            r#"a.yaml: resources[0].@type: is "type.googleapis"#,
        ),
        (
            &WASM.replace("  name: llm-canary  #", "  #"),
            "a.yaml: resources[0].name: is missing; write the name of the filter",
        ),
        (&format!("{WASM}\n---\na: 1\n"), "a.yaml: has 2 documents; Envoy takes one"),
        (r#"{"rollouts": []}"#, "a.yaml: has no resources; give a file that Envoy could watch"),
    ] {
        let error = read("a.yaml", text.as_bytes()).unwrap_err();
        let lines = error.lines().join("\n");
        assert!(lines.contains(words), "{words}: {lines}");
    }
    let twice = WASM.replace("resources:\n", "");
    let twice = format!(
        "{WASM}\n{}",
        twice.lines().skip_while(|line| !line.starts_with("- ")).collect::<Vec<_>>().join("\n")
    );
    let lines = read("a.yaml", twice.as_bytes()).unwrap_err().lines().join("\n");
    assert!(lines.contains(r#"resources[1].name: is "llm-canary", as that of another resource"#), "{lines}");
}

#[test]
fn a_bad_text_is_told_once_and_never_served() {
    let bad = WASM.replace(r#""baseline": "v1""#, r#""baseline": "v9""#);
    let mut files = files(&[WASM]);
    let good = version_of(&files.offer());
    assert_eq!(look(&mut files, 0, &bad), [], "somebody may be writing it");
    assert_eq!(look(&mut files, 0, ""), [], "and goes on writing");
    assert_eq!(look(&mut files, 0, WASM), [], "it was half written");
    assert_eq!(look(&mut files, 0, &bad), []);
    let news = look(&mut files, 0, &bad);
    let [News::Refused { file, errors, serves_old: true }] = news.as_slice() else { panic!("{news:?}") };
    assert!(file == "0.yaml" && errors.len() == 1 && errors[0].contains("baseline"), "{news:?}");
    assert_eq!(look(&mut files, 0, &bad), [], "it is told once");
    assert_eq!(version_of(&files.offer()), good);
    assert!(files.offer().missing().is_none());
    assert_eq!(files.look(0, Err("does not exist".to_owned())), []);
    assert!(matches!(files.look(0, Err("does not exist".to_owned())).as_slice(), [News::Refused { .. }]));
    assert_eq!(look(&mut files, 0, WASM), [News::Mended { file: "0.yaml".to_owned() }]);
    let changed = WASM.replace(r#""v2": 10"#, r#""v2": 20"#);
    let news = look(&mut files, 0, &changed);
    assert!(matches!(news.as_slice(), [News::Serves { resources, .. }] if resources.len() == 1), "{news:?}");
    assert_ne!(version_of(&files.offer()), good);
}

#[test]
fn two_files_have_no_resource_of_one_name() {
    let mut files = files(&[WASM, NATIVE]);
    let offer = files.offer();
    assert!(
        offer.missing().unwrap().contains(r#"1.yaml: has the resource "llm-canary", which 0.yaml has, too"#)
    );
    assert_eq!(look(&mut files, 1, NATIVE), [], "it is told once");
    let other = NATIVE.replace("  name: llm-canary  #", "  name: native  #");
    assert!(matches!(look(&mut files, 1, &other).as_slice(), [News::Serves { .. }]));
    let offer = files.offer();
    assert!(offer.missing().is_none() && offer.version_of("native").is_some());
    let all = offer.find(&[]).unwrap();
    let one = offer.find(&["native".to_owned()]).unwrap();
    assert_ne!(all.version, one.version);
    let all: Value = serde_json::from_str(&all.body(1)).unwrap();
    assert_eq!(all["resources"].as_array().unwrap().len(), 2);
    // The other name is free again as soon as nobody has it.
    let news = look(&mut files, 0, &WASM.replace("  name: llm-canary  #", "  name: wasm  #"));
    let dropped = News::Dropped { file: "0.yaml".to_owned(), resource: "llm-canary".to_owned() };
    assert!(news.contains(&dropped) && files.offer().version_of("llm-canary").is_none(), "{news:?}");
    assert!(matches!(look(&mut files, 1, NATIVE).as_slice(), [News::Dropped { .. }, News::Serves { .. }]));
}

#[test]
fn each_request_has_its_answer() {
    let offer = files(&[WASM]).offer();
    let none = files(&["x: 1"]).offer();
    let version = version_of(&offer);
    let discovery = DISCOVERY_PATH;
    let nothing = r#"{"node": {"id": "a"}, "resource_names": ["other"]}"#;
    let wrong_type =
        r#"{"node": {"id": "a"}, "type_url": "type.googleapis.com/envoy.config.cluster.v3.Cluster"}"#;
    let cluster = ("host", "llm-canary-xds");
    let local = ("host", "localhost:9902");
    for (method, path, headers, body, offer, status, words) in [
        ("POST", discovery, vec![cluster], body("a", "").as_str(), &offer, 200, version.as_str()),
        ("POST", discovery, vec![], body("a", "").as_str(), &offer, 200, &version),
        ("POST", discovery, vec![cluster], body("a", "old").as_str(), &offer, 200, &version),
        ("POST", discovery, vec![cluster], body("a", &version).as_str(), &offer, 304, ""),
        (
            "POST",
            discovery,
            vec![cluster],
            body("a", &version).as_str(),
            &none,
            503,
            "there is no good version of 0.yaml",
        ),
        (
            "POST",
            discovery,
            vec![cluster],
            nothing,
            &offer,
            404,
            "no file has the resource other; these are served: llm-canary",
        ),
        ("POST", discovery, vec![cluster], wrong_type, &offer, 400, "type_url is"),
        ("POST", discovery, vec![cluster], "{}", &offer, 400, "node.id is empty"),
        ("POST", discovery, vec![cluster], "[", &offer, 400, "no DiscoveryRequest"),
        (
            "POST",
            discovery,
            vec![cluster, ("origin", "http://a")],
            body("a", "").as_str(),
            &offer,
            403,
            "a browser's",
        ),
        (
            "POST",
            discovery,
            vec![local, ("sec-fetch-site", "same-origin")],
            body("a", "").as_str(),
            &offer,
            403,
            "a browser's",
        ),
        ("GET", discovery, vec![local], "", &offer, 405, "takes POST"),
        ("POST", "/v3/discovery:clusters", vec![cluster], "{}", &offer, 404, DISCOVERY_PATH),
        ("GET", "/api/envoys", vec![local], "", &offer, 200, r#""file":"0.yaml","error":null"#),
        ("GET", "/api/envoys", vec![("host", "evil.example.com")], "", &offer, 421, "loopback"),
        ("POST", "/api/envoys", vec![local], "", &offer, 405, "GET"),
        ("GET", "/metrics", vec![local], "", &offer, 200, "# TYPE llm_canary_xds_envoys gauge"),
        ("GET", "/healthz", vec![local], "", &offer, 200, "healthy"),
        ("GET", "/readyz", vec![local], "", &offer, 200, "ready"),
        ("GET", "/readyz", vec![local], "", &none, 503, "holds no llm-canary configuration"),
        ("GET", "/", vec![local], "", &offer, 404, "people at /api/envoys"),
    ] {
        let asked = Request { method: method.to_owned(), ..request(path, &headers) };
        let gate = Gate { is_loopback: true, ..Gate::default() };
        let mut envoys = Envoys::default();
        let reply = answer(&asked, body.as_bytes(), "10.0.0.1", offer, &mut envoys, &gate, Moment::default());
        assert_eq!(reply.status, status, "{method} {path} {headers:?}: {}", reply.body);
        assert!(reply.body.contains(words), "{method} {path}: {}", reply.body);
    }
    let moment = Moment { now: Duration::ZERO, quiet: Duration::from_secs(60) };
    let asked = Request { method: "GET".to_owned(), ..request("/healthz", &[local]) };
    let gate = Gate { is_loopback: true, ..Gate::default() };
    assert_eq!(answer(&asked, b"", "a", &offer, &mut Envoys::default(), &gate, moment).status, 503);
}

#[test]
fn a_refusal_shows_by_the_second_request_after_it() {
    let offer = files(&[WASM]).offer();
    let version = version_of(&offer);
    let mut envoys = Envoys::default();
    let at = |second, runs: &str, envoys: &mut Envoys| {
        poll(envoys, &offer, "a", runs, Duration::from_secs(second));
        (state(envoys, &offer, second), envoys.take_events())
    };
    assert_eq!(at(0, "old", &mut envoys), ("behind".to_owned(), vec![]));
    assert_eq!(at(1, "old", &mut envoys), ("behind".to_owned(), vec![]), "an answer may be lost");
    let refused = Event::Refused {
        envoy: "a (10.0.0.1)".to_owned(),
        resource: "llm-canary".to_owned(),
        version: version.clone(),
        runs: "old".to_owned(),
    };
    assert_eq!(at(2, "old", &mut envoys), ("refused".to_owned(), vec![refused]));
    assert_eq!(at(3, "old", &mut envoys), ("refused".to_owned(), vec![]), "it is told once");
    let mended = Event::Mended {
        envoy: "a (10.0.0.1)".to_owned(),
        resource: "llm-canary".to_owned(),
        version: version.clone(),
    };
    assert_eq!(at(4, &version, &mut envoys), ("current".to_owned(), vec![mended]));
    assert_eq!(at(5, "", &mut envoys), ("behind".to_owned(), vec![]), "it was restarted");
    assert_eq!(at(6, &version, &mut envoys), ("current".to_owned(), vec![]));
    let counts = Counts { given: 5, unchanged: 2, ..Counts::default() };
    assert_eq!(envoys.counts, counts);
}

#[test]
fn who_does_not_ask_is_silent_and_then_forgotten() {
    let offer = files(&[WASM]).offer();
    let version = version_of(&offer);
    let mut envoys = Envoys::default();
    poll(&mut envoys, &offer, "a", &version, Duration::ZERO);
    assert_eq!(state(&mut envoys, &offer, 29), "current");
    assert_eq!(state(&mut envoys, &offer, 30), "silent");
    // One that asks each minute is given three.
    poll(&mut envoys, &offer, "a", &version, Duration::from_secs(60));
    assert_eq!(state(&mut envoys, &offer, 230), "current");
    assert_eq!(state(&mut envoys, &offer, 240), "silent");
    let seen =
        |envoys: &mut Envoys, seconds| Fleet::new(&offer, envoys, Duration::from_secs(seconds)).envoys.len();
    assert_eq!((seen(&mut envoys, 659), seen(&mut envoys, 660)), (1, 0));
}

#[test]
fn no_more_rows_are_kept_than_there_is_room_for() {
    let offer = files(&[WASM]).offer();
    let mut envoys = Envoys::default();
    for number in 0..ROWS_MAX + 10 {
        poll(&mut envoys, &offer, &format!("e{number}"), "", Duration::from_millis(number as u64));
    }
    let fleet = Fleet::new(&offer, &mut envoys, Duration::from_secs(5));
    assert_eq!(fleet.envoys.len(), ROWS_MAX);
    assert!(
        fleet.envoys.iter().all(|envoy| envoy.id != "e9")
            && fleet.envoys.iter().any(|envoy| envoy.id == "e10")
    );
    let long = "x".repeat(10_000) + "\n";
    poll(&mut envoys, &offer, &long, "", Duration::from_secs(6));
    let fleet = Fleet::new(&offer, &mut envoys, Duration::from_secs(6));
    assert_eq!(fleet.envoys.iter().map(|envoy| envoy.id.len()).max(), Some(256));
}

#[test]
fn the_fleet_is_shown_as_it_is_told() {
    let mut files = files(&[WASM]);
    let offer = files.offer();
    let version = version_of(&offer);
    let mut envoys = Envoys::default();
    let none = text(&Fleet::new(&offer, &mut envoys, Duration::ZERO), &Canvas::default());
    assert_eq!(none, format!("0.yaml: llm-canary in version {version}: no Envoy asks for it"));
    poll(&mut envoys, &offer, "edge-1", &version, Duration::ZERO);
    for _ in 0..3 {
        poll(&mut envoys, &offer, "edge-2", "old", Duration::from_secs(1));
    }
    look(&mut files, 0, "a: [");
    look(&mut files, 0, "a: [");
    let fleet = Fleet::new(&files.offer(), &mut envoys, Duration::from_secs(2));
    // As `status --xds` reads it.
    let fleet: Fleet = serde_json::from_value(fleet.value()).unwrap();
    let shown = text(&fleet, &Canvas::default());
    assert!(shown.starts_with(&format!(
        "0.yaml: llm-canary in version {version}: 1 current, 1 refused\n0.yaml is not in order, and its last"
    )));
    let rows: Vec<Vec<&str>> = shown.lines().skip(3).map(|line| line.split_whitespace().collect()).collect();
    let expect = format!(
        "id cluster address Envoy resource runs asked\nedge-1 edge 10.0.0.1 1.40.0 llm-canary {version} runs it 2 s ago"
    );
    assert_eq!([rows[0].join(" "), rows[1].join(" ")].join("\n"), expect);
    assert!(
        rows[2]
            .join(" ")
            .starts_with("edge-2 edge 10.0.0.1 1.40.0 llm-canary old refused it: see update_rejected"),
        "{shown}"
    );
    assert_eq!(fleet.count("llm-canary", State::Refused), 1);
    assert!(fleet.only(&["other".to_owned()]).envoys.is_empty());
}
