//! Killed and started again, with Prometheus: the same steps at the same times as without.

use super::sim::{Sim, events};
use crate::controller::Signal;

const PLAN: &str = "--plan 5%,25%@5m,50%@5m --json";

fn run(sim: &Sim, url: &str) -> super::super::world::Ran {
    sim.tool(&format!("run chat.json v2 --prometheus {url} {PLAN}"))
}

#[test]
fn who_is_killed_goes_on_where_it_was() {
    let alone = Sim::new(20.0);
    let server = alone.prometheus();
    let ran = run(&alone, &server.url);
    assert_eq!((ran.code, events(&ran).len()), (0, 4), "{ran:?}");
    let expect = alone.writes();
    for kill_at in [1, 30, 90, 250, 400, 401, 650, 800] {
        let sim = Sim::new(20.0);
        let server = sim.prometheus();
        sim.after(kill_at, |shared| shared.is_killed = true);
        assert_eq!(run(&sim, &server.url).code, 137);
        let ran = run(&sim, &server.url);
        assert_eq!(ran.code, 0, "{kill_at}: {ran:?}");
        let writes = sim.writes();
        let shares = |writes: &[(u64, f64, bool)]| writes.iter().map(|write| write.1).collect::<Vec<_>>();
        assert_eq!(shares(&writes), shares(&expect), "{kill_at}");
        for (write, expect) in writes.iter().zip(&expect) {
            // A look is a minute.
            assert!(write.0.abs_diff(expect.0) <= 60, "{kill_at}: {writes:?} {expect:?}");
        }
        assert!(!ran.err.contains("evidence begins now"));
    }
}

#[test]
fn a_regression_that_nobody_saw_is_seen_after_the_start() {
    let sim = Sim::new(20.0);
    let server = sim.prometheus();
    sim.after(400, |shared| shared.is_killed = true);
    assert_eq!(run(&sim, &server.url).code, 137);
    // It fails for a while, and is well again when the command is started.
    sim.lock().v2.errors = 1.0;
    (0..200).for_each(|_| crate::io::clock::Clock::sleep(&sim, std::time::Duration::from_secs(1)));
    sim.lock().v2 = super::sim::HEALTHY;
    (0..300).for_each(|_| crate::io::clock::Clock::sleep(&sim, std::time::Duration::from_secs(1)));
    let began = sim.seconds();
    let ran = run(&sim, &server.url);
    assert_eq!(ran.code, 1, "{ran:?}");
    let stopped = sim.writes().last().copied().unwrap();
    assert!(stopped.2 && stopped.0 - began <= 2, "at once: {stopped:?} {began}");
}

#[test]
fn a_prometheus_that_is_down_holds_and_is_caught_up_with() {
    for (seconds, is_for_good) in [(60, false), (300, false), (900_000, true)] {
        let sim = Sim::new(20.0);
        let server = sim.prometheus();
        sim.after(200, |shared| shared.is_prometheus_down = true);
        sim.after(200 + seconds, |shared| shared.is_prometheus_down = false);
        sim.after(if is_for_good { 700 } else { 2_500 }, |shared| shared.signal = Some(Signal::Terminate));
        let ran = run(&sim, &server.url);
        assert!(events(&ran).contains(&"held missing 5".to_owned()), "{ran:?}");
        let writes = sim.writes();
        if is_for_good {
            assert_eq!((ran.code, writes.len()), (143, 1), "{writes:?}");
        } else {
            assert_eq!((ran.code, writes.len()), (0, 3), "{ran:?}");
            assert!(writes[1].0 >= 200 + seconds, "{writes:?}");
        }
    }
}

#[test]
fn at_100_percent_prometheus_tells_which_envoys_run_it() {
    let sim = Sim::new(40.0);
    let server = sim.prometheus();
    sim.after(200, |shared| shared.envoys.get_mut("http://b:9901").unwrap().takes = None);
    sim.after(2_000, |shared| {
        shared.envoys.get_mut("http://b:9901").unwrap().takes = Some(std::time::Duration::ZERO);
    });
    let ran = sim.tool(&format!("run chat.json v2 --prometheus {} --plan 25%,100%@5m --json", server.url));
    assert_eq!(ran.code, 0, "{ran:?}");
    // As long as an Envoy serves by the old steps, the configurations differ.
    let all = events(&ran);
    assert_eq!(all.first().map(String::as_str), Some("ramping 25"));
    assert_eq!(all[all.len() - 2..], ["finishing 100", "ended 100"], "{all:?}");
    assert!((2_120..2_400).contains(&sim.seconds()), "{} {all:?}", sim.seconds());
}
