//! A source that is down when the command starts, and one that hangs.

use super::sim::{FILE, Sim, events, lines};
use super::{PLAN, json};
use crate::controller::Signal;
use crate::error::INPUT_ERROR;
use crate::tests::server::{Reply, Server};
use crate::tests::world::Ran;
use std::thread;
use std::time::{Duration, Instant};

/// All Envoys, or Prometheus, are silent up to this second; then the release is like any other.
fn is_waited_for(sim: &Sim, ran: &Ran, source: &str) {
    assert_eq!(ran.code, 0, "{ran:?}");
    let events = events(ran);
    assert_eq!(events[..2], ["held missing 0", "ramping 5"], "{events:?}");
    let held = lines(ran)[0].clone();
    assert_eq!(held["hold"], "missing");
    for words in [held["text"].as_str().unwrap(), &ran.err] {
        assert!(words.contains(source), "it names the source: {words}");
    }
    assert!((200..290).contains(&sim.writes()[0].0), "{:?}", sim.writes());
}

#[test]
fn envoys_that_are_silent_at_the_start_are_waited_for() {
    let sim = Sim::new(400.0);
    sim.lock().envoys.values_mut().for_each(|envoy| envoy.is_silent = true);
    sim.after(200, |shared| shared.envoys.values_mut().for_each(|envoy| envoy.is_silent = false));
    let ran = sim.run(PLAN);
    is_waited_for(&sim, &ran, "http://a:9901: it does not answer");
}

#[test]
fn a_prometheus_that_is_down_at_the_start_is_waited_for() {
    let sim = Sim::new(400.0);
    sim.lock().is_prometheus_down = true;
    sim.after(200, |shared| shared.is_prometheus_down = false);
    let prometheus = sim.prometheus();
    let ran = sim.tool(&format!("run {FILE} v2 {PLAN} --prometheus {} --window 15s", prometheus.url));
    is_waited_for(&sim, &ran, &prometheus.url);
}

#[test]
fn what_the_operator_got_wrong_ends_it_at_once() {
    for (line, words) in [
        (format!("run none.json v2 {PLAN} --prometheus http://127.0.0.1:1"), "none.json: does not exist"),
        (format!("run {FILE} v2 {PLAN} --prometheus http://127.0.0.1:1 --policy none.yaml"), "none.yaml"),
        (format!("run {FILE} v2 {PLAN} --prometheus 127.0.0.1:1"), "--prometheus is no address"),
        (format!("run {FILE} v2 {PLAN} --prometheus http://127.0.0.1:1 --ca none.pem"), "--ca none.pem"),
        (
            format!("run {FILE} v2 {PLAN} --prometheus http://127.0.0.1:1 --bearer-token-file none"),
            "--bearer-token-file none",
        ),
        (format!("serve {FILE} --prometheus http://127.0.0.1:1 --bearer-token-file none"), "none"),
    ] {
        let sim = Sim::new(400.0);
        let ran = sim.tool(&line);
        assert!(ran.code == INPUT_ERROR && ran.err.contains(words), "{line}: {ran:?}");
        assert_eq!(sim.seconds(), 0, "{line}");
    }
}

/// Runs a line whose Prometheus hangs, and asks it to end meanwhile.
fn interrupted(sim: &Sim, prometheus: &Server, line: &str) -> Ran {
    let shared = sim.clone();
    let url = prometheus.url.clone();
    let asked = prometheus.heads().len();
    let heads = || prometheus.heads().len();
    thread::scope(|scope| {
        scope.spawn(move || {
            while heads() == asked {
                thread::sleep(Duration::from_millis(10));
            }
            thread::sleep(Duration::from_millis(100));
            shared.lock().signal = Some(Signal::Terminate);
        });
        let began = now();
        let ran = sim.tool(&format!("{line} --prometheus {url}"));
        assert!(now().saturating_sub(began) < Duration::from_secs(10), "{line}: {ran:?}");
        ran
    })
}

#[expect(clippy::disallowed_methods, reason = "a server that hangs takes real time")]
fn now() -> Duration {
    thread_local!(static START: Instant = Instant::now());
    START.with(Instant::elapsed)
}

#[test]
fn a_signal_is_taken_at_once_while_prometheus_hangs() {
    let hanging = || Server::start(|_| Reply::Hang(Duration::from_secs(120)));
    let dripping = || Server::start(|_| Reply::Drip(Duration::from_millis(50)));
    for server in [hanging(), dripping()] {
        let sim = Sim::new(400.0);
        let before = sim.read(FILE);
        let ran = interrupted(&sim, &server, &format!("run {FILE} v2 {PLAN} --journal j.jsonl"));
        assert_eq!(ran.code, 143, "{ran:?}");
        assert_eq!(events(&ran), ["ended 0"], "nothing is told of a source that was not waited for");
        assert!(ran.err.contains("to go on: the same command again"), "{ran:?}");
        assert_eq!((sim.read(FILE), sim.writes().len()), (before, 0));
        // The last line of the journal is whole.
        let journal = sim.read("j.jsonl");
        assert_eq!(json(journal.lines().last().unwrap())["exit_code"], 143);
        assert!(journal.ends_with('\n'));
        let ran = interrupted(&sim, &server, &format!("serve {FILE}"));
        assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{ran:?}");
        assert!(ran.err.contains("ended; nothing was written") && !ran.err.contains("warning"), "{ran:?}");
    }
}
