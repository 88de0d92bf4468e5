//! `run` through the front door, in a world in which time passes only when somebody waits.

mod chance;
mod faults;
mod hands;
mod resumed;
pub(crate) mod sim;
mod start;
mod trouble;
pub(crate) mod watched;

use super::world::json;
use serde_json::Value;
use sim::{FILE, Sim, events, lines};

const PLAN: &str = "--plan 5%,25%@5m,50%@5m,100%@5m --json";

#[test]
fn a_healthy_version_goes_to_100_percent_by_the_plan() {
    let sim = Sim::new(40.0);
    let ran = sim.run(&format!("{PLAN} --journal journal --notify http://x"));
    assert_eq!(ran.code, 0, "{ran:?}");
    let all = ["ramping 5", "ramping 25", "ramping 50", "at_100 100", "finishing 100", "ended 100"];
    assert_eq!(events(&ran), all);
    let writes: Vec<(f64, bool)> = sim.writes().iter().map(|(_, share, stop)| (*share, *stop)).collect();
    assert_eq!(writes, [(5.0, false), (25.0, false), (50.0, false), (100.0, false)]);
    let seconds: Vec<u64> = sim.writes().iter().map(|(seconds, ..)| *seconds).collect();
    let steps: Vec<u64> = seconds.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(steps.iter().all(|step| (300..320).contains(step)), "{steps:?}");
    // Two minutes after all Envoys run it.
    let at = |line: &Value| llm_canary::timestamp::parse_rfc3339(line["at"].as_str().unwrap()).unwrap();
    let lines = lines(&ran);
    assert!((120_000..130_000).contains(&(at(&lines[5]) - at(&lines[4]))));
    assert_eq!((&lines[5]["exit_code"], &lines[0]["exit_code"]), (&0.into(), &Value::Null));
    assert_eq!(lines[1]["undo"], "llm-canary ramp chat.json v2 5");
    assert!(
        lines[1]["text"].as_str().unwrap().starts_with("chat: v2 gets 25 %: fine, with "),
        "{:?}",
        lines[1]
    );
    let verdict = &lines[6];
    assert_eq!((&verdict["verdict"], &verdict["version"]), (&"fine".into(), &"v2".into()));
    assert!(ran.err.ends_with("llm-canary promote chat.json v2 --finish\n"), "{ran:?}");
    // Notices are the same lines; the journal has the figures, and looks that found something else.
    assert_eq!(sim.notices(), lines[..6]);
    let journal: Vec<Value> = sim.read("journal").lines().map(json).collect();
    let transitions: Vec<&Value> = journal.iter().filter(|record| record["event"] != "look").collect();
    assert_eq!(transitions.len(), 6);
    for (record, line) in transitions.iter().zip(&lines) {
        assert_eq!((&record["text"], &record["why"]), (&line["text"], &line["why"]));
        assert!(record["judgement"]["signals"][0]["threshold"].is_number(), "{record}");
    }
    assert!((5..200).contains(&journal.len()), "{}", journal.len());
}

#[test]
fn a_person_reads_a_sentence_for_each_transition() {
    let sim = Sim::new(40.0);
    let ran = sim.run("--plan 5%,50%@5m");
    assert_eq!(ran.code, 0, "{ran:?}");
    let first: Vec<&str> = ran.out.lines().map(|line| line.split(": ").nth(1).unwrap()).collect();
    assert!(
        ran.out
            .lines()
            .all(|line| line.starts_with("2026-11-23T09:") && line[19..].starts_with("Z chat: v2 "))
    );
    // Between them it is said what is missing, at least each minute.
    let waits: Vec<&str> = ran.err.lines().filter(|line| line.contains(" waits for ")).collect();
    assert!((5..40).contains(&waits.len()), "{waits:#?}");
    assert!(waits[0].contains("Z chat: v2 at 5 % is not ready for 50 %, and waits for "), "{waits:#?}");
    assert!(waits.iter().any(|line| line.contains("evidence that it is no worse in ")), "{waits:#?}");
    let quiet = Sim::new(40.0).run("--plan 5%,50%@5m --json");
    assert!(!quiet.err.contains(" waits for "), "{quiet:?}");
    assert_eq!(first, ["v2 gets 5 %", "v2 gets 50 %", "v2 has 50 %; the plan is finished"]);
    assert!(!ran.err.contains("promote"), "the baseline still has half");
}

#[test]
fn without_requests_or_without_proof_nothing_goes_on() {
    // Of ten requests a minute a half percent is nothing in an hour.
    let sim = Sim::new(0.06);
    sim.after(7_000, |shared| shared.signal = Some(crate::controller::Signal::Terminate));
    let ran = sim.run("--plan 0.5%,50%@1m --json");
    assert_eq!((ran.code, events(&ran)), (143, vec!["ramping 0.5".to_owned(), "ended 0.5".to_owned()]));

    // By time alone: twenty requests of the version, and nothing worse.
    let sim = Sim::new(0.4);
    let ran = sim.run("--plan 10%,50%@2m --advance time --json");
    assert_eq!(ran.code, 0, "{ran:?}");
    let writes = sim.writes();
    assert!((170..260).contains(&(writes[1].0 - writes[0].0)), "{writes:?}");
    assert!(lines(&ran)[1]["why"][0].as_str().unwrap().starts_with("by time alone"), "{ran:?}");
}

#[test]
fn a_step_that_lasts_too_long_is_held_or_stopped() {
    let sim = Sim::new(0.06);
    let ran = sim.run("--plan 5%,50% --timeout 1h --on-timeout stop --json");
    assert_eq!(
        (ran.code, events(&ran)),
        (1, vec!["ramping 5", "stopping 5", "stopped 5", "ended 5"].into_iter().map(str::to_owned).collect())
    );
    assert!(sim.writes()[1].2);
    let sim = Sim::new(0.06);
    sim.after(9_000, |shared| shared.requests = 40.0);
    let ran = sim.run("--plan 5%,50%@1m --timeout 1h --json");
    assert_eq!(ran.code, 0);
    assert_eq!(events(&ran), ["ramping 5", "held timeout 5", "ramping 50", "ended 50"]);
}

#[test]
fn a_dry_run_says_what_it_would_do_and_writes_nothing() {
    let sim = Sim::new(40.0);
    let before = sim.read(FILE);
    sim.after(400, |shared| shared.signal = Some(crate::controller::Signal::Interrupt));
    let ran = sim.run("--plan 5%,25%@5m,50%@5m,100%@5m --dry-run");
    assert!(ran.out.contains("Z (dry run) chat: v2 gets 5 %"), "{ran:?}");
    assert_eq!((ran.code, sim.writes().len(), sim.read(FILE) == before), (130, 0, true));
    // It follows a person who ramps, and says when it would have stopped.
    sim.after(100, |shared| {
        shared
            .replace("\"steps\": []", r#""steps": [{"at": "2026-11-23T09:16:00Z", "percent": {"v2": 25}}]"#);
    });
    sim.after(700, |shared| shared.v2.refusals = 0.2);
    let ran = sim.run("--plan 5%,25%@5m,50%@5m,100%@5m --dry-run");
    assert_eq!((ran.code, sim.writes().len()), (1, 0), "{ran:?}");
    assert!(
        ran.err.contains("v2 25 % from 2026-11-23T09:16:00Z; this dry run goes on from there"),
        "{ran:?}"
    );
    assert!(ran.out.contains("(dry run) chat: v2 is worse and is being stopped: refusals"), "{ran:?}");
}

#[test]
fn what_cannot_begin_says_everything_at_once_and_notifies() {
    let sim = Sim::new(40.0);
    let begin = |options: &str, expect: &[&str]| {
        let ran = sim.run(options);
        assert!(ran.code == 2 && sim.writes().is_empty(), "{ran:?}");
        for words in expect {
            assert!(ran.err.contains(words), "{words}: {ran:?}");
        }
    };
    begin(
        "--plan 5%,3%,x --notify http://x",
        &["\"3%\" is less than \"5%\"", "\"x\" is not a percentage", "2 errors"],
    );
    assert_eq!(sim.notices()[0]["event"], "not_started");
    assert!(
        sim.notices()[0]["text"].as_str().unwrap().starts_with("llm-canary run chat.json v2 did not start: ")
    );
    begin("--plan 5%,wait,50%", &["wait needs somebody who can approve"]);
    begin("--plan 5% --notify ftp://x", &["--notify is no address"]);
    begin("--plan 5% --rollout other", &["has no rollout \"other\""]);
    let ran = sim.tool("run chat.json v9 --plan 5% --admin http://a:9901");
    assert!(ran.err.contains("rollout chat has no version \"v9\"; did you mean v"), "{ran:?}");
    let ran = sim.tool("run wasmplugin/x v2 --plan 5% --admin http://a:9901");
    assert!(ran.err.contains("To change the resource of this name, add --kubectl"), "{ran:?}");
    let ran = sim.tool("run chat.json v2 --plan 5% --from metrics.txt");
    assert!(ran.err.contains("--from is a file, and run needs a source that goes on"), "{ran:?}");
    let ran = sim.tool("run chat.json v2 --plan 5% --admin ftp://nobody");
    assert!(ran.code == 2 && ran.err.contains("--admin ftp://nobody: "), "{ran:?}");
    sim.lock().replace(
        "\"steps\": []",
        r#""steps": [{"at": "2026-11-23T08:00:00Z", "percent": {"v2": 7, "v3": 60}}]"#,
    );
    begin(
        "--plan 5%,50%",
        &["v2 has 7 %, which is no step of the plan", "other versions have 60 %; that is more than 100"],
    );
}

#[test]
fn a_source_that_shows_no_baseline_is_waited_for() {
    let sim = Sim::new(0.0);
    sim.after(600, |shared| shared.requests = 40.0);
    let ran = sim.run("--plan 5%,50%@5m --json");
    assert_eq!(events(&ran), ["held missing 0", "ramping 5", "ramping 50", "ended 50"], "{ran:?}");
    assert!(sim.writes()[0].0 >= 600);
    assert!(sim.seconds() > 600);
}
