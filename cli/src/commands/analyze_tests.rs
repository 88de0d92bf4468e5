use super::super::judged::Judged;
use super::{Args, goal, watch};
use crate::table::Canvas;
use crate::tests::feed::FakeFeed;
use crate::tests::traffic::Traffic;
use crate::tests::world::{FakeWorld, Ran, json};
use clap::Parser;

#[derive(Parser)]
struct Analyze {
    #[command(flatten)]
    args: Args,
}

const CHAT: &str = r#"{"rollouts": [{"name": "chat", "baseline": "v1",
    "versions": [{"name": "v1", "cluster": "a"}, {"name": "v2", "cluster": "b"}, {"name": "v3", "cluster": "c"}],
    "steps": [{"at": "2026-11-23T08:00:00Z", "percent": {"v2": 10}}]}]}"#;
const POLICY: &str = "goal: {signal: feedback_up, better: up}\n";

/// A run of `analyze` with these windows.
fn run(arguments: &[&str], mut feed: FakeFeed) -> Ran {
    let args = Analyze::try_parse_from([&["analyze"][..], SOURCE, arguments].concat()).unwrap().args;
    let world = FakeWorld::new(
        "2026-11-23T12:00:00Z",
        &[("chat.json", CHAT), ("p.yaml", POLICY), ("usual.yaml", "{}")],
    );
    world.run_on(Canvas::default, |world| {
        let done = || {
            let policy = args.subject.policy(world)?;
            let config = args.subject.config(world)?;
            let goal = if args.ab { Some(goal(&policy)?) } else { None };
            let judged = Judged::choose(&args.subject, config.as_ref(), &policy, goal, &feed, world)?;
            watch(&args, args.at_most, judged, &mut feed, world)
        };
        let done: Result<u8, crate::error::Error> = {
            let mut done = done;
            done()
        };
        done.unwrap_or_else(|error| crate::report_error(&error, args.json, world))
    })
}

/// The source of the tests is another one, but one must be given.
const SOURCE: &[&str] = &["--from", "none"];

fn good() -> Traffic {
    Traffic::new(100)
}

fn bad() -> Traffic {
    Traffic { refusals: 0.04, ..good() }
}

fn feed(version: Traffic, windows: u64) -> FakeFeed {
    FakeFeed::new(&[("v1", Traffic::new(900)), ("v2", version)], windows, windows)
}

#[test]
fn the_exit_code_is_the_verdict() {
    for (feed, code, verdict) in [
        (feed(bad(), 60), 1, "regression"),
        (feed(good(), 120), 0, "fine"),
        (feed(good(), 5), 3, "not_enough_data"),
        (feed(good(), 0), 3, "not_enough_data"),
    ] {
        let ran = run(&["chat.json", "--json"], feed);
        let found = json(&ran.out);
        assert_eq!(
            (ran.code, &found["verdict"], &found["version"]),
            (code, &verdict.into(), &"v2".into()),
            "{}",
            ran.err
        );
        assert!(ran.err.is_empty(), "{}", ran.err);
    }
    let ran = run(&["chat.json"], feed(bad(), 60));
    assert!(ran.code == 1 && ran.out.starts_with("regression: chat v2 against v1: refusals: "), "{ran:?}");
    assert!(ran.out.contains("10 % of requests (10 % configured); 60 windows"), "{ran:?}");
}

#[test]
fn of_several_versions_the_worst_counts() {
    let three = |v2: Traffic, v3: Traffic, windows| {
        FakeFeed::new(&[("v1", Traffic::new(800)), ("v2", v2), ("v3", v3)], windows, windows)
    };
    for (feed, code, verdicts) in [
        (three(bad(), good(), 120), 1, ["regression", "fine"]),
        (three(good(), bad(), 120), 1, ["fine", "regression"]),
        (three(good(), good(), 120), 0, ["fine", "fine"]),
        (three(good(), Traffic::new(2), 120), 3, ["fine", "not_enough_data"]),
        (three(bad(), Traffic::new(2), 120), 1, ["regression", "not_enough_data"]),
    ] {
        let ran = run(&["--json"], feed);
        let found = json(&ran.out);
        let found: Vec<&str> =
            found.as_array().unwrap().iter().map(|one| one["verdict"].as_str().unwrap()).collect();
        assert_eq!((ran.code, found), (code, verdicts.to_vec()));
    }
    let ran = run(&["--version", "v3", "--json"], three(bad(), good(), 120));
    assert!(ran.code == 0 && json(&ran.out)["version"] == "v3", "{ran:?}");
}

#[test]
fn names_that_are_not_there_are_refused_with_those_that_are() {
    for (arguments, words) in [
        (&["--rollout", "code"][..], "--rollout code: the evidence has no such rollout; there are chat"),
        (
            &["chat.json", "--rollout", "caht"],
            "--rollout caht: the configuration has no such rollout; did you mean chat?",
        ),
        (&["--version", "v9"], "--version v9: rollout chat has no such version; did you mean v"),
        (&["--version", "v1", "--baseline", "v1"], "--version v1: this is the baseline"),
        (&["--ab"], "--ab needs a goal: write goal: {signal: feedback_up, better: up} into a policy"),
        (&["--ab", "--policy", "usual.yaml"], "--ab needs a goal"),
        (&["--policy", "nowhere"], "nowhere: does not exist"),
        (&["nowhere.json"], "nowhere.json: does not exist"),
        (&["--since", "yesterday"], "--since \"yesterday\" is not a time; write RFC 3339"),
    ] {
        let ran = run(arguments, feed(good(), 5));
        assert!(ran.code == 2 && ran.err.contains(words) && ran.out.is_empty(), "{arguments:?}: {ran:?}");
    }
}

#[test]
fn versions_can_be_swapped() {
    let ran = run(&["chat.json", "--baseline", "v2", "--version", "v1", "--json"], feed(bad(), 60));
    let found = json(&ran.out);
    assert_eq!((&found["version"], &found["baseline"]), (&"v1".into(), &"v2".into()));
    // What refuses less is not worse.
    assert_ne!(found["verdict"], "regression");
    assert_eq!(found["requests"]["version"], 54_000);
    // Without a configuration nobody said which one is the baseline.
    let ran = run(&[], feed(bad(), 60));
    assert!(
        ran.err.starts_with("note: v1 is taken for the baseline, because it has the most requests; "),
        "{ran:?}"
    );
    assert!(run(&["--baseline", "v1"], feed(bad(), 60)).err.is_empty());
}

#[test]
fn a_live_source_is_watched_until_decided() {
    let live = |version, windows| {
        FakeFeed::new(&[("v1", Traffic::new(900)), ("v2", version)], windows, 1).without_end()
    };
    let ran = run(&["chat.json", "--for", "3h", "--json"], live(bad(), 180));
    let windows = json(&ran.out)["windows"].as_u64().unwrap();
    assert!(ran.code == 1 && windows < 30, "{windows}: {ran:?}");
    assert!(ran.err.starts_with("not enough data: chat v2 against v1: "), "{ran:?}");
    let ran = run(&["chat.json", "--for", "3h", "--json"], live(good(), 180));
    let windows = json(&ran.out)["windows"].as_u64().unwrap();
    assert!(ran.code == 0 && (10..120).contains(&windows), "{windows}");
    // The time is over.
    let ran = run(&["chat.json", "--json"], live(good(), 180));
    assert_eq!((ran.code, json(&ran.out)["windows"].as_u64()), (3, Some(10)));
}

#[test]
fn which_is_better() {
    let ran = run(&["chat.json", "--ab", "--policy", "p.yaml", "--json"], feed(bad(), 60));
    assert_eq!((ran.code, &json(&ran.out)["verdict"]), (0, &"version_better".into()));
    let ran = run(&["chat.json", "--ab", "--policy", "p.yaml"], feed(good(), 200));
    assert!(
        ran.code == 0 && ran.out.starts_with("no difference: chat v2 against v1: feedback_up: "),
        "{ran:?}"
    );
    let ran = run(&["chat.json", "--ab", "--policy", "p.yaml"], feed(good(), 1));
    assert!(ran.code == 3 && ran.out.starts_with("not enough data: "), "{ran:?}");
}

#[test]
fn what_came_before_is_passed_over() {
    let windows = |since: &str| {
        let ran = run(&["chat.json", "--since", since, "--json"], feed(good(), 120));
        json(&ran.out)["windows"].as_u64()
    };
    assert_eq!(windows("2026-11-23T09:10:00Z"), Some(110));
    // From 12:00 on back.
    assert_eq!(windows("2h"), Some(60));
    let ran = run(&["chat.json", "--since", "2027-01-01T00:00:00Z"], feed(good(), 120));
    assert!(ran.code == 3 && ran.out.contains("there is no window to judge yet"), "{ran:?}");
}
