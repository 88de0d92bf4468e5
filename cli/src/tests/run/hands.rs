//! Other hands: people, a second run, and the system that asks to end.

use super::PLAN;
use super::sim::{FILE, Sim, events, lines};
use crate::controller::Signal;

#[test]
fn a_step_of_another_hand_ends_the_run() {
    let by_hand = r#""percent": {"v2": 5}}, {"at": "2026-11-23T09:10:00Z", "percent": {"v2": 40}}"#;
    let sim = Sim::new(20.0);
    sim.after(150, move |shared| shared.replace(r#""percent": {"v2": 5}}"#, by_hand));
    let ran = sim.run(PLAN);
    assert_eq!((ran.code, events(&ran)), (2, vec!["ramping 5".to_owned(), "ended 5".to_owned()]));
    let ended = &lines(&ran)[1];
    assert_eq!(
        ended["why"][0],
        "it has steps that this run did not write: v2 40 % from 2026-11-23T09:10:00Z"
    );
    assert_eq!(sim.writes().len(), 1);
    assert!(ran.err.contains("to go on from there: the same command again"), "{ran:?}");

    // Stopped by hand; and a version that the plan does not know gets a share.
    for (old, new, words) in [
        (r#""name": "v2","#, r#""name": "v2", "stopped": true,"#, "v2 is stopped"),
        (r#"{"v2": 5}}"#, r#"{"v2": 5, "v3": 20}}"#, "did not write: v2 5 %, v3 20 % from"),
        (r#""baseline": "v1""#, r#""baseline": "v3""#, "the baseline is v3, not v1"),
    ] {
        let sim = Sim::new(20.0);
        sim.after(150, move |shared| shared.replace(old, new));
        let ran = sim.run(PLAN);
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(lines(&ran)[1]["why"][0].as_str().unwrap().contains(words), "{words}: {ran:?}");
        // Of a version that is stopped already nobody is told how to stop it.
        let is_stopped = words == "v2 is stopped";
        assert_eq!(
            ran.err.contains("it stays stopped. When what was wrong is mended"),
            is_stopped,
            "{ran:?}"
        );
        assert_eq!(ran.err.contains("to stop the version: "), !is_stopped, "{ran:?}");
    }
}

#[test]
fn what_does_not_concern_the_release_may_change() {
    let sim = Sim::new(20.0);
    sim.after(150, |shared| {
        shared.replace(
            r#"{"name": "v3", "cluster": "c"}"#,
            r#"{"name": "v3", "cluster": "d"}, {"name": "v4", "cluster": "e"}"#,
        );
    });
    // And one has requests that the file does not know.
    for seconds in [100, 300, 500] {
        sim.after(seconds, |shared| shared.envoys.values_mut().for_each(|envoy| envoy.count_of("v9")));
    }
    let ran = sim.run(PLAN);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(sim.read(FILE).contains(r#""cluster": "e""#));
    let shares: Vec<f64> = sim.writes().iter().map(|(_, share, _)| *share).collect();
    assert_eq!(shares, [5.0, 25.0, 50.0, 100.0], "of v2 alone, by its own requests");
}

#[test]
fn a_file_that_cannot_be_read_holds_and_a_regression_still_stops() {
    let sim = Sim::new(20.0);
    sim.after(150, |shared| shared.replace("rollouts", "rollout5"));
    sim.after(500, |shared| shared.replace("rollout5", "rollouts"));
    // Nobody serves by a broken file.
    sim.after(100, |shared| shared.envoys.values_mut().for_each(|envoy| envoy.takes = None));
    sim.after(501, |shared| {
        shared.envoys.values_mut().for_each(|envoy| envoy.takes = Some(Default::default()))
    });
    let ran = sim.run(PLAN);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(events(&ran)[..4], ["ramping 5", "held missing 5", "ramping 25", "ramping 50"], "{ran:?}");
    assert!(sim.writes()[1].0 >= 500);

    // A regression and another hand at once: the stop comes first.
    let sim = Sim::new(20.0);
    sim.after(150, |shared| shared.v2.errors = 0.5);
    sim.after(150, |shared| shared.replace(r#"{"v2": 5}}"#, r#"{"v2": 6}}"#));
    let ran = sim.run(PLAN);
    let writes = sim.writes();
    assert!(ran.code == 2 || ran.code == 1 && writes[1].2, "{ran:?}");
    let sim = Sim::new(20.0);
    sim.after(150, |shared| shared.v2.errors = 1.0);
    sim.after(160, |shared| shared.is_read_only = true);
    sim.after(300, |shared| {
        shared.replace(r#"{"v2": 5}}"#, r#"{"v2": 6}}"#);
        shared.is_read_only = false;
    });
    let ran = sim.run(PLAN);
    assert!(ran.code == 1 && sim.writes()[1].2, "{ran:?}");
}

#[test]
fn a_second_run_refuses() {
    let sim = Sim::new(20.0);
    let other = sim.clone();
    let (sender, receiver) = std::sync::mpsc::channel();
    // While the first one runs; the world's time stands still for it meanwhile.
    sim.after(100, move |_| {
        std::thread::spawn(move || sender.send(other.run(PLAN)));
    });
    let first = sim.run("--plan 5%,50%@5m --json");
    let second = receiver.recv().unwrap();
    assert_eq!((first.code, second.code), (0, 2), "{second:?}");
    assert!(second.err.contains("another run has the rollout chat"), "{second:?}");
    // A dry run may watch.
    assert!(sim.run("--plan 50% --dry-run --json").code == 0);
}

#[test]
fn asked_to_end_the_share_stays_in_every_state() {
    for (seconds, requests, state) in [
        (2, 0.0, "starting"),
        (20, 0.0, "held"),
        (100, 20.0, "ramping"),
        (400, 20.0, "ramping"),
        (930, 40.0, "finishing"),
    ] {
        for (signal, code) in [(Signal::Interrupt, 130), (Signal::Terminate, 143)] {
            let sim = Sim::new(requests);
            sim.after(seconds, move |shared| shared.signal = Some(signal));
            let ran = sim.run(PLAN);
            assert_eq!(ran.code, code, "{ran:?}");
            let lines = lines(&ran);
            let ended = &lines[lines.len() - 2];
            assert_eq!((&ended["event"], &ended["from"]), (&"ended".into(), &state.into()), "{ran:?}");
            assert!(ran.err.contains("to go on: the same command again"), "{ran:?}");
            assert!(ran.err.contains("to stop the version: llm-canary stop chat.json v2"), "{ran:?}");
            let elapsed = sim.lock().elapsed.as_millis() as u64;
            assert!(elapsed < seconds.max(5) * 1_000 + 600, "soon: {elapsed}");
            assert!(sim.writes().iter().all(|(.., is_stopped)| !is_stopped));
        }
    }
    // The stop is written, and an Envoy lags: it is stopped, and says so.
    let sim = Sim::new(20.0);
    sim.after(100, |shared| {
        shared.v2.errors = 1.0;
        shared.envoys.get_mut("http://b:9901").unwrap().takes = None;
    });
    sim.after(170, |shared| shared.signal = Some(Signal::Terminate));
    let ran = sim.run(PLAN);
    assert_eq!((ran.code, events(&ran).last().unwrap().as_str()), (1, "ended 5"), "{ran:?}");
}

#[test]
fn a_live_resource_is_claimed_changed_and_given_back() {
    let line = "run --kubectl wasmplugin/llm-canary v2 -n istio-ingress --admin http://a:9901 --admin http://b:9901 --json";
    let sim = Sim::new(40.0);
    // In the middle it says who has it.
    let (sender, receiver) = std::sync::mpsc::channel();
    sim.after(200, move |shared| sender.send(shared.metadata.clone()).unwrap());
    let ran = sim.tool(&format!("{line} --plan 5%,50%@5m"));
    assert_eq!(
        (ran.code, events(&ran)),
        (0, ["ramping 5", "ramping 50", "ended 50"].map(str::to_owned).to_vec()),
        "{ran:?}"
    );
    let lease = |metadata: &serde_json::Value| {
        super::json(metadata["annotations"]["llm-canary/run.chat.lease"].as_str().unwrap())
    };
    let held = lease(&receiver.recv().unwrap());
    assert_eq!(held["holder"], "00000007");
    assert!(held["renewals"].as_u64().unwrap() >= 3, "once a minute: {held}");
    assert_eq!(lease(&sim.lock().metadata)["holder"], serde_json::Value::Null);
    assert_eq!(
        lines(&ran)[1]["undo"],
        "llm-canary ramp --kubectl wasmplugin/llm-canary -n istio-ingress v2 5"
    );

    // Another hand, and a fault.
    let sim = Sim::new(40.0);
    sim.after(200, |shared| shared.replace(r#"{"v2":5.0}"#, r#"{"v2":6.0}"#));
    sim.after(200, |shared| shared.replace(r#"{"v2":5}"#, r#"{"v2":6}"#));
    let ran = sim.tool(&format!("{line} --plan 5%,50%@5m"));
    assert_eq!(ran.code, 2, "{ran:?}");
    let sim = Sim::new(40.0);
    sim.after(200, |shared| shared.v2.errors = 0.5);
    let ran = sim.tool(&format!("{line} --plan 5%,50%@5m"));
    assert!(ran.code == 1 && sim.writes()[1].2, "{ran:?}");
    assert!((200..210).contains(&sim.writes()[1].0), "{:?}", sim.writes());
}

#[test]
fn what_the_api_server_refuses_is_held_or_tried_again_and_no_stop_is_lost() {
    const LINE: &str = "run --kubectl wasmplugin/llm-canary v2 -n istio-ingress --admin http://a:9901 --json --plan 5%,50%@5m";
    let conflict = "Error from server (Conflict): Operation cannot be fulfilled on wasmplugins: the object has been modified";
    let forbidden =
        "Error from server (Forbidden): wasmplugins \"llm-canary\" is forbidden: User \"x\" cannot patch it";
    let not_found = "Error from server (NotFound): wasmplugins \"llm-canary\" not found";
    let refused = |verb, words, from: u64, until: u64, is_worse: bool| {
        let sim = Sim::new(40.0);
        sim.after(from, move |shared| {
            (shared.kubectl_fails, shared.fails_once) = (Some((verb, words)), from == until);
            shared.v2.errors = if is_worse { 0.5 } else { shared.v2.errors };
        });
        if from < until {
            sim.after(until, |shared| shared.kubectl_fails = None);
        }
        let ran = sim.tool(LINE);
        (sim, ran)
    };
    for (verb, words) in [("patch", conflict), ("patch", forbidden), ("get", forbidden), ("get", not_found)] {
        // Once, and for ten minutes: the step comes when it can be written.
        let (sim, ran) = refused(verb, words, 290, 290, false);
        assert_eq!((ran.code, sim.writes().len()), (0, 2), "{words}: {ran:?}");
        let (sim, ran) = refused(verb, words, 250, 850, false);
        assert_eq!((ran.code, sim.writes().len()), (0, 2), "{words}: {ran:?}");
        assert!(sim.writes()[1].0 >= 850, "{words}: {:?}", sim.writes());
        assert!(ran.err.contains(words), "it says why: {ran:?}");
        // The version is worse meanwhile.
        for until in [100, 400] {
            let (sim, ran) = refused(verb, words, 100, until, true);
            let writes = sim.writes();
            assert!(ran.code == 1 && writes.last().unwrap().2, "{words}: {ran:?}");
            assert!(writes.iter().all(|(_, share, _)| *share < 50.0), "{words}: {writes:?}");
        }
    }
}
