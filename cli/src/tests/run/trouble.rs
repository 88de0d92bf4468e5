//! Sources, clocks and disks that fail. Nothing goes on by what is missing.

use super::PLAN;
use super::sim::{Sim, events, lines};
use crate::controller::Signal;

fn silent(sim: &Sim, from: u64, until: u64, envoys: &'static [&'static str]) {
    for (seconds, is_silent) in [(from, true), (until, false)] {
        sim.after(seconds, move |shared| {
            let all = shared.envoys.iter_mut().filter(|(name, _)| envoys.contains(&name.as_str()));
            all.for_each(|(_, envoy)| envoy.is_silent = is_silent);
        });
    }
}

const ALL: &[&str] = &["http://a:9901", "http://b:9901", "http://c:9901"];

#[test]
fn an_envoy_or_all_that_do_not_answer_hold_the_release() {
    for envoys in [&ALL[1..2], ALL] {
        let sim = Sim::new(20.0);
        silent(&sim, 200, 1_000, envoys);
        let ran = sim.run(PLAN);
        assert_eq!(ran.code, 0, "{ran:?}");
        assert_eq!(events(&ran)[..4], ["ramping 5", "held missing 5", "ramping 25", "ramping 50"], "{ran:?}");
        assert!(sim.writes()[1].0 >= 1_000, "{:?}", sim.writes());
        let held = &lines(&ran)[1];
        assert!(held["why"][0].as_str().unwrap().contains("http://b:9901: it does not answer"), "{held}");
    }
    // For good.
    let sim = Sim::new(20.0);
    silent(&sim, 200, 900_000, ALL);
    sim.after(2_500, |shared| shared.signal = Some(Signal::Terminate));
    let ran = sim.run(PLAN);
    assert_eq!(ran.code, 143);
    assert_eq!(events(&ran), ["ramping 5", "held missing 5", "ended 5"]);
    assert_eq!(sim.writes().len(), 1);
    // At 100 %: it is not finished by silence.
    let sim = Sim::new(20.0);
    silent(&sim, 950, 3_000, &ALL[..1]);
    let ran = sim.run(PLAN);
    assert_eq!(ran.code, 0);
    assert!(sim.seconds() >= 3_120, "two minutes anew: {}", sim.seconds());
}

#[test]
fn a_source_that_answers_every_other_time_does_not_wake_anybody_each_minute() {
    let sim = Sim::new(20.0);
    for minute in 0..60 {
        silent(&sim, 120 + minute * 60, 150 + minute * 60, &ALL[..1]);
    }
    let ran = sim.run("--plan 5%,50%@2h --json --notify http://x");
    assert_eq!(ran.code, 0, "{ran:?}");
    let is_held = |line: &&serde_json::Value| line["event"] == "held";
    assert!(lines(&ran).iter().filter(is_held).count() >= 50);
    let notices = sim.notices().iter().filter(|notice| notice["event"] == "held").count();
    assert!((5..=8).contains(&notices), "{notices}");
}

#[test]
fn traffic_that_stops_leads_nowhere() {
    let sim = Sim::new(20.0);
    sim.after(60, |shared| shared.requests = 0.0);
    sim.after(2_500, |shared| shared.signal = Some(Signal::Terminate));
    let ran = sim.run("--plan 25%,50%@5m --json");
    assert_eq!((ran.code, sim.writes().len()), (143, 1), "{ran:?}");
}

#[test]
fn a_clock_that_jumps_moves_nothing() {
    const DAY_MS: u64 = 86_400_000;
    for (jump, name) in [(true, "forward"), (false, "back")] {
        let sim = Sim::new(20.0);
        sim.after(100, move |shared| match jump {
            true => shared.now_ms += DAY_MS,
            false => shared.now_ms -= DAY_MS,
        });
        let ran = sim.run("--plan 5%,25%@10m,50%@10m --timeout 1h --on-timeout stop --json");
        let writes = sim.writes();
        // The clock that was set back has not reached the first step yet: the version has no share by it.
        match jump {
            true => {
                assert_eq!(ran.code, 0, "{name}: {ran:?}");
                assert!((600..640).contains(&(writes[1].0 - writes[0].0)), "{name}: {writes:?}");
            }
            false => assert_eq!(
                writes.iter().filter(|(.., is_stopped)| !is_stopped).count(),
                1,
                "{name}: {writes:?}"
            ),
        }
    }
}

#[test]
fn a_journal_on_a_full_disk_loses_records_and_no_stop() {
    let sim = Sim::new(20.0);
    sim.after(100, |shared| shared.is_disk_full = true);
    sim.after(450, |shared| shared.v2.errors = 0.5);
    let ran = sim.run(&format!("{PLAN} --journal journal"));
    assert!(ran.code == 1 && sim.writes()[2].2, "{ran:?}");
    let warning =
        "warning: --journal journal: it is on a disk that is full; the run goes on, and records are lost";
    assert_eq!(ran.err.matches(warning).count(), 1, "{ran:?}");

    // When there is room again, records are whole again.
    let sim = Sim::new(20.0);
    sim.after(100, |shared| shared.is_disk_full = true);
    sim.after(400, |shared| shared.is_disk_full = false);
    assert_eq!(sim.run(&format!("{PLAN} --journal journal")).code, 0);
    let journal = sim.read("journal");
    let whole = journal.lines().filter(|line| serde_json::from_str::<serde_json::Value>(line).is_ok());
    let events: Vec<String> =
        whole.map(|line| super::json(line)["event"].as_str().unwrap().to_owned()).collect();
    assert_eq!(events.iter().filter(|event| *event == "ended").count(), 1, "{events:?}");
    assert!(journal.lines().any(|line| serde_json::from_str::<serde_json::Value>(line).is_err()));
}

#[test]
fn a_step_that_cannot_be_written_is_held_and_tried_again() {
    let sim = Sim::new(40.0);
    sim.after(100, |shared| shared.is_read_only = true);
    sim.after(1_000, |shared| shared.is_read_only = false);
    let ran = sim.run(PLAN);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(events(&ran)[..3], ["ramping 5", "held unwritten 5", "ramping 25"], "{ran:?}");
    assert!((1_000..1_010).contains(&sim.writes()[1].0));
}

#[test]
fn at_100_percent_every_envoy_is_waited_for() {
    let sim = Sim::new(20.0);
    sim.after(850, |shared| shared.envoys.get_mut("http://b:9901").unwrap().takes = None);
    sim.after(2_000, |shared| {
        shared.envoys.get_mut("http://b:9901").unwrap().takes = Some(std::time::Duration::ZERO);
    });
    let ran = sim.run(PLAN);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(sim.seconds() >= 2_120, "{}", sim.seconds());
}
