//! A release with a reference set beside it.

use super::sim::{FILE, Sim, events, lines};
use super::{PLAN, json};
use crate::watchdog::results::{Prompts, Round, Sides};
use std::sync::LazyLock;
use std::time::Duration;

const TARGETS: &str = "--watchdog-target v1=http://a --watchdog-target v2=http://b";

/// The file of a set, which is there as long as the tests run.
static FILE_OF_SET: LazyLock<(tempfile::TempDir, String)> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("promptfooconfig.yaml");
    std::fs::write(&path, "prompts: [hi]\ntests: [{assert: [{type: contains, value: a}]}]\n").unwrap();
    (folder, path.display().to_string())
});

/// The options of a set.
pub(crate) fn set() -> String {
    format!("--watchdog {} {TARGETS}", FILE_OF_SET.1)
}

/// A round in which so many of 60 prompts are known, as `watchdog --json` writes it.
fn round(number: u32, verdict: &str, known: u64) -> String {
    let round = Round {
        verdict: verdict.to_owned(),
        round: number,
        prompts: Prompts { total: 60, unknown: 60 - known, ..Prompts::default() },
        pass_share: Sides { version: (known > 0).then_some(0.5), baseline: (known > 0).then_some(0.9) },
        log_e: 9.0,
        threshold: 6.5,
        judge: None,
        prompt_tokens: Default::default(),
        defects: Sides::default(),
        changed: Vec::new(),
        unknown_because: [("429".to_owned(), 3)].into(),
    };
    serde_json::to_string(&round).unwrap()
}

fn writes(sim: &Sim, rounds: &[(u64, &str, u64)]) {
    let numbered = (1..).zip(rounds);
    let lines = numbered.map(|(number, (second, verdict, known))| {
        (Duration::from_secs(*second), round(number, verdict, *known))
    });
    sim.lock().beside_lines = lines.collect();
}

/// Healthy traffic, and answers that are worse: that is what a set is for.
#[test]
fn wrong_answers_stop_a_version_whose_traffic_is_healthy() {
    let sim = Sim::new(40.0);
    writes(&sim, &[(60, "not_enough_data", 60), (360, "regression", 60), (660, "fine", 60)]);
    let ran = sim.run(&format!("{PLAN} {} --watchdog-every 5m", set()));
    assert_eq!(ran.code, 1, "{ran:?}");
    assert_eq!(events(&ran), ["ramping 5", "stopping 5", "stopped 5", "ended 5"]);
    let stop = *sim.writes().last().unwrap();
    // The set is asked once the version has a share, which is 5 seconds after the start; and nobody waits for the next poll.
    assert!((365..367).contains(&stop.0) && stop.2, "{stop:?}");
    let stopping = &lines(&ran)[1];
    assert!(
        stopping["text"]
            .as_str()
            .unwrap()
            .contains("watchdog: 50 % of 60 prompts pass, and 90 % with the baseline"),
        "{stopping}"
    );
    let verdict = lines(&ran).pop().unwrap();
    let watchdog =
        verdict["signals"].as_array().unwrap().iter().find(|one| one["name"] == "watchdog").unwrap();
    assert_eq!((&watchdog["verdict"], &watchdog["mode"]), (&json("\"worse\""), &json("\"guard\"")));
    assert!(watchdog["alarmed_at"].is_string() && watchdog["log_e"] == 9.0, "{watchdog}");
    assert!(!sim.lock().beside_runs, "the set is not asked any more");
}

#[test]
fn the_tool_is_started_beside_with_what_it_needs() {
    let sim = Sim::new(40.0);
    writes(&sim, &[(1, "fine", 60)]);
    let options = "--watchdog-model m --watchdog-key-file key --watchdog-out r.jsonl --watchdog-header x:a --judge http://j --judge-model big \
                   --judge-key-file jk --watchdog-max-calls-per-day 900";
    let ran = sim.run(&format!("--plan 5% --rollout chat {} --watchdog-every 2m {options}", set()));
    assert_eq!(ran.code, 0, "{ran:?}");
    let started = sim.lock().beside.clone();
    assert_eq!(
        started[0].join(" "),
        format!(
            "watchdog {FILE} --set={} --rollout=chat --target=v1=http://a --target=v2=http://b --version=v2 --baseline=v1 --every=120000ms --model=m \
             --header=x:a --key-file=key --max-calls-per-day=900 --out=r.jsonl --judge=http://j --judge-model=big --judge-key-file=jk \
             --alpha=0.00625 --beta=0.05 --json",
            FILE_OF_SET.1
        )
    );
    assert_eq!(started.len(), 1);
}

#[test]
fn nothing_goes_on_before_the_set_is_fine() {
    let sim = Sim::new(40.0);
    writes(&sim, &[(900, "not_enough_data", 60), (1_500, "fine", 60)]);
    let ran = sim.run(&format!("--plan 5%,25%@5m --json {} --watchdog-every 10m", set()));
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(events(&ran), ["ramping 5", "ramping 25", "ended 25"]);
    assert!((1_505..1_515).contains(&sim.writes()[1].0), "{:?}", sim.writes());
    let step = &lines(&ran)[1];
    assert!(
        step["why"].to_string().contains("a drop of the pass share by more than 10 points is excluded"),
        "{step}"
    );
}

#[test]
fn a_set_of_which_nothing_is_known_or_that_ends_holds() {
    let sim = Sim::new(40.0);
    writes(&sim, &[(60, "not_enough_data", 0)]);
    sim.lock().beside_ends = Some((Duration::from_secs(1_000), "set.yaml: does not exist"));
    sim.after(1_200, |shared| shared.signal = Some(crate::controller::Signal::Interrupt));
    let ran = sim.run(&format!("--plan 5%,25%@5m --json {}", set()));
    assert_eq!(ran.code, 130, "{ran:?}");
    assert_eq!(events(&ran), ["ramping 5", "held missing 5", "ended 5"]);
    let held = lines(&ran)[1]["text"].to_string();
    assert!(held.contains("the reference set is not asked any more: set.yaml: does not exist"), "{held}");
}

#[test]
fn a_set_that_is_silent_holds() {
    let sim = Sim::new(40.0);
    writes(&sim, &[(60, "fine", 60)]);
    sim.after(3_000, |shared| shared.signal = Some(crate::controller::Signal::Interrupt));
    let ran =
        sim.run(&format!("--plan 5%,wait,25%@40m --listen 127.0.0.1:0 --json {} --watchdog-every 5m", set()));
    let held = lines(&ran).into_iter().find(|line| line["event"] == "held").unwrap();
    assert!(
        held["text"].as_str().unwrap().contains("no round of the reference set has ended for 25 min"),
        "{held}"
    );
}

#[test]
fn what_is_missing_is_said_before_anything_begins() {
    for (options, words) in [
        ("--watchdog none.yaml", "--watchdog needs to know where to ask: --watchdog-via URL"),
        ("--watchdog none.yaml --watchdog-via http://a", "none.yaml: does not exist"),
        ("--watchdog-via http://a", "--watchdog <SET>"),
        ("--watchdog none.yaml --watchdog-via http://a --judge-model m", "--judge <URL>"),
    ] {
        let sim = Sim::new(40.0);
        let ran = sim.run(&format!("--plan 5% {options}"));
        assert!(ran.code == 2 && ran.err.contains(words), "{options}: {ran:?}");
        assert!(sim.writes().is_empty() && sim.lock().beside.is_empty());
    }
}

#[test]
fn a_release_that_begins_is_not_judged_by_answers_of_another() {
    let sim = Sim::new(40.0);
    sim.write_file("r.jsonl", "{}\n");
    let ran = sim.run(&format!("--plan 5% {} --watchdog-out r.jsonl", set()));
    assert!(
        ran.code == 2 && ran.err.contains("--watchdog-out r.jsonl: has answers of another release in it"),
        "{ran:?}"
    );
    assert!(sim.writes().is_empty() && sim.lock().beside.is_empty());
}
