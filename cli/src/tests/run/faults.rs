//! A version that goes wrong is stopped, soon, and nothing else moves.

use super::sim::{Answers, HEALTHY, Shared, Sim, events, lines};
use super::{PLAN, json};
use llm_canary::timestamp::parse_rfc3339;
use serde_json::Value;
use std::time::Duration;

type Fault = fn(&mut Shared);

const FAULTS: [(&str, Fault); 6] = [
    ("errors", |shared| shared.v2 = Answers { errors: 0.05, ..HEALTHY }),
    ("refusals", |shared| shared.v2 = Answers { refusals: 0.05, ..HEALTHY }),
    ("defects", |shared| shared.v2 = Answers { defects: 0.04, ..HEALTHY }),
    ("response_chars", |shared| shared.v2 = Answers { is_longer: true, ..HEALTHY }),
    ("errors", |shared| shared.v2 = Answers { errors: 1.0, ..HEALTHY }),
    ("ended", |shared| shared.v2 = Answers { hangs: true, ..HEALTHY }),
];

#[test]
fn each_fault_stops_the_version() {
    for (name, fault) in FAULTS {
        let sim = Sim::new(20.0);
        sim.after(450, fault);
        let ran = sim.run(PLAN);
        assert_eq!(ran.code, 1, "{name}: {ran:?}");
        let events = events(&ran);
        assert_eq!(
            events[events.len() - 3..],
            ["stopping 25", "stopped 25", "ended 25"],
            "{name}: {events:?}"
        );
        let writes = sim.writes();
        assert_eq!(writes.len(), 3, "{name}: {writes:?}");
        let (seconds, share, is_stopped) = writes[2];
        assert!(is_stopped && share == 0.0, "{name}: {writes:?}");
        assert!((450..600).contains(&seconds), "{name}: {writes:?}");
        let lines = lines(&ran);
        let because = lines.last().unwrap()["because"].to_string();
        assert!(because.contains(name), "{name}: {because}");
        assert_eq!(lines.last().unwrap()["verdict"], "regression");
        assert_eq!(lines[lines.len() - 3]["undo"], "llm-canary ramp chat.json v2 25 --resume");
        // From the alarm to the write: the same poll.
        let alarms = lines.last().unwrap()["signals"].as_array().unwrap().iter();
        let alarms = alarms.filter_map(|signal| parse_rfc3339(signal["alarmed_at"].as_str()?)).min();
        if let Some(alarm) = alarms {
            let began = {
                let shared = sim.lock();
                shared.now_ms - shared.elapsed.as_millis() as u64
            };
            let written = began + seconds * 1_000;
            assert!(written.abs_diff(alarm) < 7_000, "{name}: {alarm} {written}");
        }
    }
}

#[test]
fn a_fault_in_the_first_and_in_the_last_step_stops_too() {
    let sim = Sim::new(20.0);
    sim.after(30, |shared| shared.v2.errors = 0.5);
    let ran = sim.run(PLAN);
    assert_eq!(ran.code, 1);
    assert_eq!(events(&ran), ["ramping 5", "stopping 5", "stopped 5", "ended 5"]);
    // At 100 % nobody is left to compare with, and a limit still speaks.
    let sim = Sim::new(40.0);
    sim.after(930, |shared| shared.v2.errors = 0.5);
    let ran = sim.run(PLAN);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(events(&ran).contains(&"finishing 100".to_owned()));
    assert_eq!(events(&ran).last().unwrap(), "ended 100");
}

#[test]
fn an_envoy_that_lags_is_named_and_holds_no_stop_up() {
    let sim = Sim::new(20.0);
    sim.after(450, |shared| {
        shared.v2.errors = 0.5;
        shared.envoys.get_mut("http://b:9901").unwrap().takes = None;
    });
    let ran = sim.run(PLAN);
    assert_eq!(ran.code, 1, "{ran:?}");
    let lines = lines(&ran);
    let ended = &lines[lines.len() - 2];
    assert_eq!(ended["why"][0], "1 of 3 Envoys do not run it yet: http://b:9901");
    let (stopped, elapsed) = (sim.writes()[2].0, sim.seconds());
    assert!(sim.writes()[2].2 && (30..37).contains(&(elapsed - stopped)), "{stopped} {elapsed}");

    // The stop is written though an Envoy does not even answer.
    let sim = Sim::new(20.0);
    sim.after(450, |shared| {
        shared.v2.errors = 0.5;
        shared.envoys.get_mut("http://b:9901").unwrap().is_silent = true;
    });
    let ran = sim.run(PLAN);
    assert!(ran.code == 1 && sim.writes()[2].2, "{ran:?}");
}

#[test]
fn an_envoy_that_never_answered_is_named() {
    let sim = Sim::new(20.0);
    sim.after(100, |shared| shared.signal = Some(crate::controller::Signal::Terminate));
    assert_eq!(sim.run(PLAN).code, 143);
    {
        let mut shared = sim.lock();
        shared.envoys.get_mut("http://b:9901").unwrap().is_silent = true;
        shared.v2.errors = 0.5;
    }
    let ran = sim.run(PLAN);
    assert!(ran.code == 1 && sim.writes()[1].2, "{ran:?}");
    let lines = lines(&ran);
    assert_eq!(lines[lines.len() - 2]["why"][0], "1 of 3 Envoys do not run it yet: http://b:9901");
}

#[test]
fn what_is_written_elsewhere_after_the_stop_is_no_lag() {
    let sim = Sim::new(20.0);
    sim.after(450, |shared| {
        shared.v2.errors = 0.5;
        shared.envoys.get_mut("http://b:9901").unwrap().takes = Some(Duration::from_secs(12));
    });
    // Something else in the same file changes, once the stop is written, and before all Envoys run that.
    sim.after(471, |shared| {
        assert!(shared.read().contains("\"stopped\": true"));
        shared.replace("\"cluster\": \"c\"", "\"cluster\": \"d\"");
    });
    let ran = sim.run(PLAN);
    assert_eq!(ran.code, 1, "{ran:?}");
    let lines = lines(&ran);
    assert_eq!(lines[lines.len() - 2]["why"][0], "all 3 Envoys run it", "{ran:?}");

    // Somebody starts it again: that is somebody else's release.
    let sim = Sim::new(20.0);
    sim.after(450, |shared| {
        shared.v2.errors = 0.5;
        shared.envoys.get_mut("http://b:9901").unwrap().takes = None;
    });
    sim.after(475, |shared| {
        let text = shared.read();
        assert!(text.contains("\"stopped\": true"), "{text}");
        shared.write(&text.replace("\"stopped\": true", "\"stopped\": false"));
    });
    let ran = sim.run(PLAN);
    let lines = super::sim::lines(&ran);
    let ended = &lines[lines.len() - 2];
    assert_eq!((ran.code, &ended["from"]), (1, &"stopped".into()), "{ran:?}");
    assert!(ended["why"][0].as_str().unwrap().contains("v2"), "{ended}");
}

#[test]
fn a_stop_that_cannot_be_written_is_tried_until_it_is() {
    let sim = Sim::new(20.0);
    sim.after(450, |shared| {
        shared.v2.errors = 0.5;
        shared.is_read_only = true;
    });
    sim.after(900, |shared| shared.is_read_only = false);
    let ran = sim.run(&format!("{PLAN} --notify http://x"));
    assert_eq!(ran.code, 1, "{ran:?}");
    let writes = sim.writes();
    assert!(writes[2].2 && (900..903).contains(&writes[2].0), "at the first chance: {writes:?}");
    let unwritten = |value: &&Value| {
        value["why"][0].as_str().is_some_and(|why| why.starts_with("THE STOP IS NOT WRITTEN: "))
    };
    // At the 1st, 10th and 100th attempt.
    assert_eq!(lines(&ran).iter().filter(unwritten).count(), 3, "{ran:?}");
    assert_eq!(sim.notices().iter().filter(unwritten).count(), 3);
    assert_eq!(ran.err.matches("the same by hand: llm-canary stop chat.json v2").count(), 3);
    assert_eq!(ran.err.matches("+++ chat.json").count(), 3, "each change is shown once");

    // Who is asked to end meanwhile tries once more, and says so.
    let sim = Sim::new(20.0);
    sim.after(450, |shared| {
        shared.v2.errors = 0.5;
        shared.is_read_only = true;
    });
    sim.after(900, |shared| shared.signal = Some(crate::controller::Signal::Terminate));
    let ran = sim.run(PLAN);
    assert_eq!(ran.code, 143);
    assert!(ran.out.contains("THE STOP IS NOT WRITTEN, and the command ends as it was asked"), "{ran:?}");
    assert!(ran.err.contains("to stop the version: llm-canary stop chat.json v2"), "{ran:?}");
}

#[test]
fn a_stopped_version_starts_again_only_for_a_new_reason_and_on_new_evidence() {
    let sim = Sim::new(20.0);
    sim.after(450, |shared| shared.v2.errors = 0.5);
    assert_eq!(sim.run(PLAN).code, 1);
    let ran = sim.run(PLAN);
    assert!(ran.code == 2 && ran.err.contains("v2 is stopped, and stays so"), "{ran:?}");
    // Still broken: it is stopped again, and the reason is used up.
    let ran = sim.run(&format!("{PLAN} --again prompt"));
    assert_eq!(events(&ran), ["ramping 5", "stopping 5", "stopped 5", "ended 5"], "{ran:?}");
    let ran = sim.run(&format!("{PLAN} --again prompt"));
    assert!(ran.code == 2 && ran.err.contains("--again \"prompt\" has started v2 before"), "{ran:?}");
    // Mended. Who is killed on the way goes on with the same words.
    sim.lock().v2 = HEALTHY;
    sim.after(100, |shared| shared.is_killed = true);
    assert_eq!(sim.run(&format!("{PLAN} --again weights")).code, 137);
    let ran = sim.run(&format!("{PLAN} --again weights"));
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(events(&ran)[..2], ["ramping 25", "ramping 50"]);
    assert_eq!(json(&serde_json::to_string(&lines(&ran)[0]).unwrap())["from"], "stepping");
    assert!(sim.seconds() > 1_000);
}
