//! `report` through the front door.

use super::judge::{CHAT, refusing, samples, world};
use super::results::{answer, round};
use super::traffic::Traffic;
use super::world::{FakeWorld, json};
use crate::watchdog::results::Side;
use llm_canary_verdict::window::Pair;

const REPORT: [&str; 6] = ["report", "chat.json", "--from", "metrics.txt", "-o", "release.html"];

#[test]
fn a_page_is_written_whatever_the_verdict() {
    for (minutes, version, verdict) in [
        (60, refusing(), "v2 is worse than v1"),
        (120, Traffic::new(100), "v2 is fine at 10 %, compared with v1"),
        (5, Traffic::new(100), "Whether v2 is worse than v1 is not decided yet"),
    ] {
        let world = world(minutes, version);
        let ran = world.fine(&REPORT);
        assert!(ran.out.is_empty() && ran.err.starts_with("release.html: "), "{ran:?}");
        let html = world.read("release.html");
        assert!(html.starts_with("<!doctype html>") && html.ends_with("</html>"));
        assert!(html.contains(verdict), "{verdict}");
        let analyzed = world.run(&["analyze", "chat.json", "--from", "metrics.txt", "--json"]);
        let because = json(&analyzed.out)["because"][0].as_str().unwrap().to_owned();
        assert!(html.contains(&because), "{because}");
        let ran = world.fine(&[&REPORT[..], &["--json"]].concat());
        let told = json(&ran.out);
        assert_eq!(
            (&told["output"], told["bytes"].as_u64()),
            (&"release.html".into(), Some(html.len() as u64))
        );
        assert_eq!(told["versions"][0]["verdict"], json(&analyzed.out)["verdict"]);
        // And the same on standard output.
        let ran = world.fine(&["report", "chat.json", "--from", "metrics.txt", "-o", "-"]);
        assert_eq!((ran.out, ran.err.as_str()), (html, ""));
    }
}

#[test]
fn a_journal_is_read_and_its_odd_lines_are_named() {
    let world = world(60, refusing());
    world.write(
        "journal.jsonl",
        "{\"at\": \"2026-11-23T09:30:00Z\", \"event\": \"stopped\", \"text\": \"v2 <is> stopped\"}\n{\n",
    );
    let ran = world.fine(&[&REPORT[..], &["--journal", "journal.jsonl"]].concat());
    assert_eq!(ran.err, "release.html: chat: v2 was stopped: v2 <is> stopped\n");
    let html = world.read("release.html");
    assert!(html.contains("v2 &#60;is&#62; stopped") && html.contains("line 2: is no JSON"));
}

#[test]
fn what_is_wrong_is_named_with_the_way_out() {
    let world = world(60, refusing());
    for (arguments, words) in [
        (&["report", "--from", "metrics.txt"][..], "--output <FILE>"),
        (&["report", "-o", "x.html"], "--admin"),
        (
            &["report", "--from", "metrics.txt", "-o", "nowhere/x.html"],
            "--output nowhere/x.html: does not exist; give a file in a folder that is there and that you may write to",
        ),
        (
            &["report", "--from", "metrics.txt", "-o", "x.html", "--journal", "none.jsonl"],
            "--journal none.jsonl: does not exist",
        ),
        (
            &["report", "--from", "metrics.txt", "-o", "x.html", "--version", "v9"],
            "--version v9: rollout chat has no such version",
        ),
    ] {
        world.refused(arguments, words);
    }
}

#[test]
fn standard_output_takes_one_thing() {
    let ran = world(60, refusing()).run(&["report", "--from", "metrics.txt", "-o", "-", "--json"]);
    assert!(ran.code == 2 && ran.err.contains("give the page a file, or leave out --json"), "{ran:?}");
}

#[test]
fn several_versions_are_on_one_page() {
    let config = CHAT.replace(r#"{"v2": 10}"#, r#"{"v2": 10, "v3": 5}"#).replace(
        r#"{"name": "v2", "cluster": "b"}"#,
        r#"{"name": "v2", "cluster": "b"}, {"name": "v3", "cluster": "c"}"#,
    );
    let text = samples(60, Pair { version: refusing(), baseline: Traffic::new(900) });
    let third = samples(60, Pair { version: Traffic::new(50), baseline: Traffic::new(0) });
    let third: String = third
        .lines()
        .filter(|line| line.contains("\"v2\""))
        .map(|line| format!("{}\n", line.replace("\"v2\"", "\"v3\"")))
        .collect();
    let world =
        FakeWorld::new("2026-11-24T00:00:00Z", &[("chat.json", &config), ("metrics.txt", &(text + &third))]);
    world.fine(&REPORT);
    let html = world.read("release.html");
    assert!(html.contains(r#"<nav aria-label="Versions">"#));
    assert!(html.contains(r#"<article id="v0""#) && html.contains(r#"<article id="v1""#));
}

#[test]
fn results_of_a_reference_set_are_shown() {
    let world = world(60, refusing());
    let lines = [
        answer(1, 1, Side::Version, Some(false), "It is Rome."),
        answer(1, 1, Side::Baseline, Some(true), "It is Paris."),
        round(1, &[("case 1", "0/3", "3/3")]),
    ];
    world.write("results.jsonl", &lines.concat());
    world.fine(&[&REPORT[..], &["--watchdog", "results.jsonl"]].concat());
    let html = world.read("release.html");
    assert!(html.contains("It is <ins>Rome.</ins>") && html.contains("It is <del>Paris.</del>"));
    world.write("begun.jsonl", &lines[..2].concat());
    for (file, words) in [
        ("none.jsonl", "--watchdog none.jsonl: does not exist"),
        ("begun.jsonl", "--watchdog begun.jsonl: has no round that has ended"),
    ] {
        world.refused(&[&REPORT[..], &["--watchdog", file]].concat(), words);
    }
}
