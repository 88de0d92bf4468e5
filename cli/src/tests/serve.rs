//! `serve` and `run --listen` in a world whose time flies: clients ask at certain seconds of it, over real sockets.

use super::results::{answer, round};
use super::run::sim::{FILE, Shared, Sim, events};
use crate::error::INPUT_ERROR;
use crate::tests::world::json;
use crate::watchdog::results::Side;
use serde_json::Value;
use std::cell::Cell;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};

thread_local! {
    /// Where the command of this thread listens.
    static ADDRESS: Cell<Option<SocketAddr>> = const { Cell::new(None) };
}

/// Listens on a free port, whatever is asked for.
pub(crate) fn listen(
    address: SocketAddr,
    site: crate::io::server::Site,
) -> Result<crate::io::server::Server, String> {
    let server = crate::io::server::listen(SocketAddr::new(address.ip(), 0), site)?;
    ADDRESS.set(Some(server.address()));
    Ok(server)
}

/// Asks the command of this thread, as Go's client does; returns the status and the body.
fn ask(method: &str, path: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(ADDRESS.get().expect("it listens")).unwrap();
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: Go-http-client/1.1\r\nContent-Length: {length}\r\n\
         Content-Type: application/json\r\nAccept-Encoding: gzip\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), body.to_owned())
}

/// What somebody sees who reads a page.
fn read(path: &str) -> String {
    let mut stream = TcpStream::connect(ADDRESS.get().expect("it listens")).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn verdict() -> Value {
    let (status, body) = ask("GET", "/api/verdict?rollout=chat&version=v2", "");
    assert_eq!(status, 200, "{body}");
    json(&body)
}

fn flagger(path: &str) -> u16 {
    let body = r#"{"name":"chat","namespace":"llm","phase":"Progressing","checksum":"1","metadata":{}}"#;
    ask("POST", &format!("/flagger/{path}?version=v2"), body).0
}

/// What clients saw: the second, the verdict, and what Flagger does.
type Seen = Arc<Mutex<Vec<(u64, String, &'static str)>>>;

fn see(shared: &mut Shared, seen: &Seen) {
    let verdict = verdict();
    let flagger =
        match (flagger("confirm-promotion"), flagger("confirm-traffic-increase"), flagger("rollback")) {
            (200, 200, 409) => "goes on",
            (409, 409, 409) => "holds",
            (409, 409, 200) => "goes back",
            other => panic!("{other:?}"),
        };
    let name = verdict["verdict"].as_str().unwrap().to_owned();
    seen.lock().unwrap().push((shared.elapsed.as_secs(), name, flagger));
}

fn looks(sim: &Sim, seconds: &[u64]) -> Seen {
    let seen = Seen::default();
    for at in seconds {
        let seen = Arc::clone(&seen);
        sim.after(*at, move |shared| see(shared, &seen));
    }
    seen
}

fn of(seen: &Seen) -> Vec<(String, &'static str)> {
    seen.lock().unwrap().iter().map(|(_, verdict, flagger)| (verdict.clone(), *flagger)).collect()
}

fn expect(rows: &[(&str, &'static str)]) -> Vec<(String, &'static str)> {
    rows.iter().map(|(verdict, flagger)| ((*verdict).to_owned(), *flagger)).collect()
}

fn end(sim: &Sim, after: u64) {
    sim.after(after, |shared| shared.signal = Some(crate::controller::Signal::Terminate));
}

const ADMINS: &str = "--admin http://a:9901 --admin http://b:9901 --admin http://c:9901";

/// v2 has a share of 25 %.
fn with_share(sim: &Sim) {
    let text = sim.read(FILE).replace(r#""steps": []"#, r#""split": {"v2": 25}"#);
    sim.write(&text);
}

#[test]
fn it_watches_from_nothing_to_fine_to_silence_to_a_regression_and_writes_nothing() {
    let sim = Sim::new(400.0);
    with_share(&sim);
    let before = sim.read(FILE);
    let seen = looks(&sim, &[2, 20, 1_200, 1_240, 1_400, 1_600]);
    sim.after(1_230, |shared| shared.envoys.values_mut().for_each(|envoy| envoy.is_silent = true));
    sim.after(1_300, |shared| shared.envoys.values_mut().for_each(|envoy| envoy.is_silent = false));
    sim.after(1_500, |shared| shared.v2.errors = 0.5);
    sim.after(1_700, |_| {
        let (status, body) = ask("GET", "/api/events", "");
        let events = json(&body);
        let verdicts: Vec<&str> =
            events.as_array().unwrap().iter().map(|event| event["verdict"].as_str().unwrap()).collect();
        assert_eq!((status, verdicts.last()), (200, Some(&"regression")), "{verdicts:?}");
        // It was silent for a while.
        let silence = ["not_enough_data", "fine", "not_enough_data", "fine", "not_enough_data"];
        assert!(verdicts.starts_with(&silence[..4]), "{verdicts:?}");
        assert!(
            events[2]["from"] == "fine" && events[2]["text"].as_str().unwrap().contains("it does not answer")
        );
        assert_eq!(ask("POST", "/api/approve", "{}").0, 404);
        assert_eq!(ask("GET", "/readyz", "").0, 200);
    });
    end(&sim, 1_800);
    let ran = sim.tool(&format!("serve {FILE} {ADMINS}"));
    assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{ran:?}");
    assert_eq!(
        of(&seen),
        expect(&[
            ("not_enough_data", "holds"),
            ("not_enough_data", "holds"),
            ("fine", "goes on"),
            ("not_enough_data", "holds"),
            ("fine", "goes on"),
            ("regression", "goes back"),
        ]),
        "{seen:?} {ran:?}"
    );
    assert_eq!((sim.read(FILE), sim.writes().len()), (before, 0));
    assert!(ran.err.contains("listening on http://127.0.0.1:") && ran.err.contains("ended"), "{}", ran.err);
}

#[test]
fn a_source_that_is_down_at_the_start_is_asked_again() {
    let sim = Sim::new(400.0);
    with_share(&sim);
    sim.lock().is_prometheus_down = true;
    let prometheus = sim.prometheus();
    let seen = looks(&sim, &[30, 1_500]);
    sim.after(30, |_| {
        let because = verdict()["because"][0].as_str().unwrap().to_owned();
        assert!(because.contains("503"), "{because}");
        let (status, text) = ask("GET", "/metrics", "");
        assert_eq!(status, 406, "Go's client accepts nothing: {text}");
    });
    sim.after(60, |shared| shared.is_prometheus_down = false);
    end(&sim, 1_600);
    let ran = sim.tool(&format!("serve {FILE} --json --since 5m --prometheus {}", prometheus.url));
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(of(&seen), expect(&[("not_enough_data", "holds"), ("fine", "goes on")]), "{ran:?}");
    let lines: Vec<Value> = ran.out.lines().map(json).collect();
    let verdicts: Vec<&str> = lines.iter().map(|line| line["verdict"].as_str().unwrap()).collect();
    assert_eq!((verdicts.first(), verdicts.last()), (Some(&"not_enough_data"), Some(&"fine")));
}

#[test]
fn whoever_reads_it_learns_no_token_and_no_password() {
    for source in [
        "--prometheus http://user:pa55word@127.0.0.1:1 --header x:pa55word --bearer-token-file token",
        "--admin http://user:pa55word@nobody:9901",
    ] {
        let sim = Sim::new(400.0);
        with_share(&sim);
        sim.write_file("token", "t0ken\n");
        let seen: Arc<Mutex<Vec<String>>> = Arc::default();
        let kept = Arc::clone(&seen);
        sim.after(20, move |_| {
            for path in ["/", "/api/page", "/api/verdict", "/api/events", "/metrics", "/healthz", "/readyz"] {
                kept.lock().unwrap().push(read(path));
            }
        });
        end(&sim, 30);
        let ran = sim.tool(&format!("serve {FILE} {source} --token-file token"));
        let all = seen.lock().unwrap().join("\n") + &ran.err;
        assert!(all.contains("…@") && all.contains("data-page"), "{all}");
        assert!(!all.contains("pa55word") && !all.contains("t0ken"), "{source}: {all}");
    }
}

#[test]
fn a_version_that_gets_its_share_later_is_judged_from_then_on() {
    let sim = Sim::new(400.0);
    let seen = looks(&sim, &[30, 1_500]);
    sim.after(60, |shared| {
        let at = llm_canary::timestamp::rfc3339(shared.now_ms / 1_000 * 1_000 + 5_000);
        let steps = format!(r#""steps": [{{"at": "{at}", "percent": {{"v2": 25}}}}]"#);
        shared.write(&shared.read().replace(r#""steps": []"#, &steps));
    });
    end(&sim, 1_600);
    let ran = sim.tool(&format!("serve {FILE} {ADMINS}"));
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(of(&seen), expect(&[("not_enough_data", "holds"), ("fine", "goes on")]), "{ran:?}");
}

#[test]
fn run_listens_and_an_approval_lets_it_go_on() {
    let sim = Sim::new(400.0);
    let statuses: Arc<Mutex<Vec<(u16, String)>>> = Arc::default();
    let kept = Arc::clone(&statuses);
    sim.after(50, move |_| {
        let (_, text) = ask("GET", "/api/events", "");
        kept.lock().unwrap().push((0, json(&text)[0]["event"].as_str().unwrap().to_owned()));
    });
    // An approval is answered by the loop, which waits for this script; so another thread asks.
    for at in [50, 2_000] {
        let kept = Arc::clone(&statuses);
        sim.after(at, move |_| {
            let address = ADDRESS.get();
            let started = std::thread::spawn(move || {
                ADDRESS.set(address);
                kept.lock().unwrap().push(ask("POST", "/api/approve", "{}"));
            });
            // It must be there before the loop's time has flown on.
            std::thread::sleep(std::time::Duration::from_millis(300));
            drop(started);
        });
    }
    let ran = sim.run("--plan 5%,wait,25%@1m --json --listen");
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(events(&ran), ["ramping 5", "waiting 5", "waiting 5", "ramping 25", "ended 25"], "{ran:?}");
    let statuses = statuses.lock().unwrap().clone();
    assert_eq!(statuses.len(), 3, "{statuses:?}");
    assert_eq!(statuses[0].1, "ramping");
    assert!(statuses[1].0 == 409 && statuses[1].1.contains("nothing waits"), "{statuses:?}");
    assert!(statuses[2].0 == 200 && statuses[2].1.contains("\"approved\":true"), "{statuses:?}");
}

#[test]
fn without_a_token_nobody_else_is_listened_to() {
    let sim = Sim::new(10.0);
    for line in [
        format!("serve {FILE} {ADMINS} --listen 0.0.0.0:8099"),
        format!("run {FILE} v2 --plan 5% {ADMINS} --listen [::]:8099"),
        format!("serve {FILE} {ADMINS} --listen 10.1.2.3:80"),
    ] {
        let ran = sim.tool(&line);
        assert_eq!(ran.code, INPUT_ERROR, "{ran:?}");
        assert!(ran.err.contains("add --token-file FILE"), "{ran:?}");
    }
    for (line, words) in [
        (format!("serve {FILE} {ADMINS} --listen 8099"), "is no address with a port"),
        (
            format!("serve {FILE} {ADMINS} --listen 0.0.0.0:8099 --token-file none"),
            "--token-file none: does not exist",
        ),
        (format!("run {FILE} v2 --plan 5% {ADMINS} --token-file x"), "--listen"),
        (format!("run {FILE} v2 --plan 5%,wait {ADMINS}"), "add --listen"),
        (format!("serve none {ADMINS}"), "none: does not exist"),
        ("serve --from none".to_owned(), "none: does not exist"),
    ] {
        let ran = sim.tool(&line);
        assert!(ran.code == INPUT_ERROR && ran.err.contains(words), "{line}: {ran:?}");
    }
    assert_eq!(sim.writes().len(), 0);
}

/// The file comes later, and grows.
#[test]
fn results_of_a_reference_set_are_followed() {
    let sim = Sim::new(400.0);
    with_share(&sim);
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    for second in [20, 60] {
        let kept = Arc::clone(&seen);
        sim.after(second, move |_| kept.lock().unwrap().extend([read("/metrics"), read("/")]));
    }
    sim.after(30, |shared| {
        let lines = [
            answer(1, 1, Side::Version, Some(false), "It is Rome."),
            answer(1, 1, Side::Baseline, Some(true), "It is Paris."),
            round(1, &[("case 1", "0/3", "3/3")]),
        ];
        shared.write_file("r.jsonl", &lines.concat());
    });
    end(&sim, 80);
    let ran = sim.tool(&format!("serve {FILE} {ADMINS} --watchdog r.jsonl"));
    let seen = seen.lock().unwrap();
    let [early, _, metrics, page] = &seen[..] else { panic!("{ran:?}") };
    assert!(!early.contains("llm_canary_watchdog"), "{early}");
    for line in [
        r#"llm_canary_watchdog_pass_share{rollout="chat",version="v2"} 0.6"#,
        r#"llm_canary_watchdog_log_e{rollout="chat",version="v2"} 9"#,
        r#"llm_canary_watchdog_unknown{rollout="chat",version="v2"} 4"#,
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
    assert!(page.contains("It is <ins>Rome.</ins>"), "{ran:?}");
}

/// The page of a release shows the round that came last, and its metrics.
#[test]
fn a_release_shows_its_reference_set() {
    let sim = Sim::new(40.0);
    let text = round(1, &[("case 1", "0/3", "3/3")]).replace("regression", "not_enough_data");
    sim.lock().beside_lines = vec![(std::time::Duration::from_secs(20), text)];
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let kept = Arc::clone(&seen);
    sim.after(60, move |shared| {
        kept.lock().unwrap().extend([read("/metrics"), read("/")]);
        shared.signal = Some(crate::controller::Signal::Interrupt);
    });
    let set = super::run::watched::set();
    let ran = sim.tool(&format!("run {FILE} v2 --plan 5%,25% {ADMINS} --listen {set}"));
    let seen = seen.lock().unwrap();
    let [metrics, page] = &seen[..] else { panic!("{ran:?}") };
    assert!(
        metrics.contains(r#"llm_canary_watchdog_pass_share{rollout="chat",version="v2"} 0.6"#),
        "{metrics}"
    );
    assert!(
        metrics.contains(r#"llm_canary_log_e{rollout="chat",version="v2",signal="watchdog"} 9"#),
        "{metrics}"
    );
    assert!(
        page.contains("60 % of 48 prompts pass, 92 % with the baseline") && page.contains("case 1"),
        "{page}"
    );
}
