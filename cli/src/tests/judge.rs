//! `analyze` and `status` through the front door, on samples in a file and on admin pages.

use super::server::{Reply, Server};
use super::traffic::{START_MS, Traffic};
use super::world::{FakeWorld, Ran, json};
use llm_canary_verdict::window::Pair;
use std::fmt::Write;

pub(super) const CHAT: &str = r#"{"rollouts": [{"name": "chat", "baseline": "v1",
    "versions": [{"name": "v1", "cluster": "a"}, {"name": "v2", "cluster": "b"}],
    "steps": [{"at": "2026-11-23T08:00:00Z", "percent": {"v2": 10}}]}]}"#;

/// Samples of so many minutes, as a dump of Prometheus has them: the counters of a request and of what went wrong.
pub(super) fn samples(minutes: u64, traffic: Pair<Traffic>) -> String {
    let mut text = String::new();
    for (version, side) in [("v1", traffic.baseline), ("v2", traffic.version)] {
        let labels = format!("llm_rollout=\"chat\",llm_version=\"{version}\",llm_compare=\"yes\"");
        for (series, rate) in [
            (format!("llm_requests_total{{{labels},llm_outcome=\"complete\"}}"), 1.0 - side.errors),
            (format!("llm_requests_total{{{labels},llm_outcome=\"http_error\"}}"), side.errors),
            (format!("llm_requests_total{{{labels},llm_outcome=\"client_abort\"}}"), 0.0),
            (format!("llm_decisions_total{{{labels},llm_reason=\"split\"}}"), 1.0),
            (format!("llm_refusals_total{{{labels},llm_refusal=\"phrase\"}}"), side.refusals),
            (format!("llm_defective_responses_total{{{labels}}}"), side.defects),
        ] {
            for minute in 0..=minutes {
                let value = (rate * (side.requests * minute) as f64).round();
                writeln!(text, "{series} {value} {}", START_MS / 1_000 + minute as i64 * 60).unwrap();
            }
        }
    }
    text
}

pub(super) fn world(minutes: u64, version: Traffic) -> FakeWorld {
    let text = samples(minutes, Pair { version, baseline: Traffic::new(900) });
    FakeWorld::new("2026-11-24T00:00:00Z", &[("chat.json", CHAT), ("metrics.txt", &text)])
}

pub(super) fn refusing() -> Traffic {
    Traffic { refusals: 0.04, ..Traffic::new(100) }
}

fn analyze(world: &FakeWorld, arguments: &[&str]) -> Ran {
    world.run(&[&["analyze", "--from", "metrics.txt", "--json"], arguments].concat())
}

#[test]
fn a_file_is_judged() {
    for (minutes, version, code, verdict) in [
        (60, refusing(), 1, "regression"),
        (120, Traffic::new(100), 0, "fine"),
        (5, Traffic::new(100), 3, "not_enough_data"),
    ] {
        let ran = analyze(&world(minutes, version), &["chat.json"]);
        let found = json(&ran.out);
        assert_eq!((ran.code, &found["verdict"]), (code, &verdict.into()), "{ran:?}");
        assert_eq!(found["requests"]["version"], minutes * 100, "{ran:?}");
        assert_eq!(found["share"]["configured"], 0.1);
        assert!(ran.err.is_empty(), "{ran:?}");
    }
}

/// What is no count says nothing: the next sample counts what came meanwhile.
#[test]
fn values_that_are_no_counts_are_passed_over() {
    let at = START_MS / 1_000 + 30 * 60;
    let good = samples(60, Pair { version: refusing(), baseline: Traffic::new(900) });
    let found = |text: &str| {
        let world = FakeWorld::new("2026-11-24T00:00:00Z", &[("chat.json", CHAT), ("metrics.txt", text)]);
        let ran = analyze(&world, &["chat.json"]);
        let found = json(&ran.out);
        let refusals = found["signals"].as_array().unwrap().iter().find(|one| one["name"] == "refusals");
        (ran.code, found["requests"].clone(), refusals.unwrap()["events"].clone())
    };
    let expect = found(&good);
    assert_eq!((expect.0, &expect.1["version"]), (1, &6_000.into()));
    for odd in ["NaN", "nan", "+Inf", "-Inf", "Inf", "1e400", "-1"] {
        let with_odd = |name: &str| {
            let is_odd = |line: &str| line.starts_with(name) && line.ends_with(&format!(" {at}"));
            let lines = good.lines().map(|line| match is_odd(line) {
                true => format!("{} {odd} {at}\n", line.split(' ').next().unwrap()),
                false => format!("{line}\n"),
            });
            found(&lines.collect::<String>())
        };
        assert_eq!(with_odd("llm_"), expect, "{odd}");
        // Of one metric alone: events without requests are not judged.
        for name in ["llm_requests_total", "llm_refusals_total", "llm_decisions_total"] {
            let (code, requests, _) = with_odd(name);
            assert_eq!((code, &requests), (1, &expect.1), "{name} {odd}");
        }
    }
    // All of it.
    let text = good.lines().fold(String::new(), |text, line| {
        text + line.split(' ').next().unwrap() + " NaN " + line.rsplit(' ').next().unwrap() + "\n"
    });
    assert_eq!(found(&text).0, 3);
}

#[test]
fn names_come_from_the_samples() {
    let world = world(60, refusing());
    let ran = analyze(&world, &[]);
    assert!(ran.code == 1 && ran.err.starts_with("note: v1 is taken for the baseline"), "{ran:?}");
    for (arguments, words) in [
        (&["--rollout", "caht"][..], "--rollout caht: the evidence has no such rollout; did you mean chat?"),
        (&["--version", "v3"], "--version v3: rollout chat has no such version; did you mean v"),
        (&["--baseline", "v0"], "--baseline v0: rollout chat has no such version; did you mean v"),
    ] {
        let ran = analyze(&world, arguments);
        assert!(ran.code == 2 && ran.err.contains(words), "{ran:?}");
        assert_eq!(json(&ran.out)["exit_code"], 2);
    }
    let swapped = analyze(&world, &["--baseline", "v2", "--version", "v1"]);
    assert_eq!(json(&swapped.out)["requests"]["baseline"], 6_000);
    assert!(swapped.err.is_empty());
}

/// Whatever the source is, and also where nothing has come yet.
#[test]
fn a_rollout_that_does_not_exist_is_named_with_those_that_do() {
    let labels = |rollout: &str, version: &str| {
        format!("llm_rollout=\"{rollout}\",llm_version=\"{version}\",llm_compare=\"yes\"")
    };
    let series =
        [("chat", "v1"), ("chat", "v2"), ("code", "v1")].map(|(rollout, version)| labels(rollout, version));
    let page: String = series.iter().map(|series| format!("llm_requests_total{{{series}}} 0\n")).collect();
    let points = series.map(|series| {
        let labels = series.replace("=\"", "\":\"").replace(",llm", ",\"llm");
        format!(r#"{{"metric":{{"__name__":"llm_requests_total","{labels}}},"values":[[1795424400,"0"]]}}"#)
    });
    let result =
        format!(r#"{{"status":"success","data":{{"resultType":"matrix","result":[{}]}}}}"#, points.join(","));
    let server = Server::start(move |_| Reply::ok(result.clone()));
    let world = FakeWorld::new("2026-11-24T00:00:00Z", &[]);
    world.write("http://envoy:9901", &page);
    world.write("metrics.txt", &page.replace(" 0\n", " 0 1795424400\n"));
    let since = ["--since", "1h"];
    for source in [["--admin", "http://envoy:9901"], ["--prometheus", &server.url], ["--from", "metrics.txt"]]
    {
        for (rollout, words) in [
            ("caht", "--rollout caht: the evidence has no such rollout; did you mean chat?"),
            ("images", "--rollout images: the evidence has no such rollout; there are chat, code"),
        ] {
            for command in ["analyze", "status"] {
                world.refused(&[&[command, "--rollout", rollout][..], &source, &since].concat(), words);
            }
        }
        world.refused(&[&["analyze"][..], &source, &since].concat(), "chat, code");
    }
}

#[test]
fn a_prometheus_that_cannot_be_read_is_an_error() {
    for (status, body, words) in [
        ("401 Unauthorized", "", "refuses access (401). Give --bearer-token-file"),
        ("200 OK", "<html>Sign in</html>", "answers with a web page (HTML)"),
        ("200 OK", "", "answers with nothing"),
    ] {
        let server = Server::start(move |_| Reply::Http(status, body.into()));
        let world = FakeWorld::new("2026-11-24T00:00:00Z", &[("chat.json", CHAT)]);
        for command in ["analyze", "status"] {
            world.refused(&[command, "--prometheus", &server.url], &format!("{}: {words}", server.url));
            let ran = world.run(&[command, "chat.json", "--prometheus", &server.url, "--json"]);
            assert!(ran.code == 2 && json(&ran.out)["errors"][0]["place"] == server.url[..], "{ran:?}");
        }
    }
}

#[test]
fn status_shows_a_file() {
    let ran = world(60, refusing()).fine(&["status", "chat.json", "--from", "metrics.txt"]);
    insta::assert_snapshot!("status-file", ran.out);
    let ran = world(60, refusing()).fine(&["status", "chat.json", "--from", "metrics.txt", "--json"]);
    assert_eq!(json(&ran.out)["versions"][1]["refusals"], 0.04);
}

#[test]
fn sources_that_have_nothing_say_so() {
    let world = world(1, refusing());
    world.write("other.txt", "up{job=\"envoy\"} 1 1795424400\n");
    world.write("http://envoy:9901", "# nothing yet\n");
    for (source, words) in [
        (&["--from", "nowhere.txt"][..], "nowhere.txt: does not exist"),
        (&["--from", "other.txt"], "other.txt: has no samples of the filter's metrics"),
        (&["--admin", "http://silent:9901"], "http://silent:9901: it does not answer"),
        (&["--admin", "http://envoy:9901"], "the source has no counts of llm-canary"),
        (&[], "--admin"),
        (&["--from", "metrics.txt", "--admin", "http://envoy:9901"], "cannot be used with"),
    ] {
        for command in ["analyze", "status"] {
            world.refused(&[&[command], source].concat(), words);
        }
    }
}

#[test]
fn admin_pages_are_watched() {
    // The page stays as it is, so nothing comes.
    let page: String = ["v1", "v2"]
        .iter()
        .flat_map(|version| {
            let labels = format!("llm_rollout=\"chat\",llm_version=\"{version}\",llm_compare=\"yes\"");
            [
                format!("llm_requests_total{{{labels},llm_outcome=\"complete\"}} 500\n"),
                format!("llm_requests_total{{{labels},llm_outcome=\"http_error\"}} 0\n"),
            ]
        })
        .collect();
    let world = world(1, refusing());
    world.write("http://envoy:9901", &page);
    let ran = world.run(&["analyze", "chat.json", "--admin", "http://envoy:9901", "--for", "1m", "--json"]);
    let found = json(&ran.out);
    assert_eq!((ran.code, &found["verdict"]), (3, &"not_enough_data".into()), "{ran:?}");
    assert!(found["windows"].as_u64().is_some_and(|windows| (10..15).contains(&windows)), "{ran:?}");
    assert_eq!(found["requests"]["version"], 0);
    assert!(ran.err.contains("not enough data: chat v2 against v1: "), "{ran:?}");
}
