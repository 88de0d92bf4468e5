//! 64 rollouts with 16 versions each, of which one rollout is judged: a file, Prometheus and an admin page give the same.

use super::equal_tests::{Now, in_world, printed, source, windows};
use crate::commands::analyze;
use crate::io::files::FileSystem;
use crate::tests::server::{Reply, Server, parameter};
use crate::windows::Comparison;
use clap::Parser;
use llm_canary::timestamp::parse_rfc3339;
use llm_canary_verdict::signal::Signal;
use serde_json::Value;
use std::fmt::Write as _;
use std::sync::atomic::Ordering;

const ROLLOUTS: u64 = 64;
const VERSIONS: u64 = 16;
const MINUTES: u64 = 4;
const BEGIN_S: u64 = 1_770_000_000 / 3_600 * 3_600;

/// A series, and what it counts in a minute.
struct Series {
    name: &'static str,
    rollout: String,
    labels: String,
    step: u64,
}

fn series() -> Vec<Series> {
    let mut all = Vec::new();
    for rollout in (0..ROLLOUTS).map(|rollout| format!("r{rollout:02}")) {
        for version in 1..=VERSIONS {
            let requests = if version == 1 { 400 } else { 10 + version };
            let mut add = |name, compare, more, step| {
                let labels = format!("llm_version=\"v{version}\",llm_compare=\"{compare}\"{more}");
                all.push(Series { name, rollout: rollout.clone(), labels, step });
            };
            add("llm_requests_total", "yes", ",llm_outcome=\"complete\"", requests);
            add("llm_requests_total", "no", ",llm_outcome=\"complete\"", 3);
            add("llm_decisions_total", "yes", ",llm_reason=\"split\"", requests);
            add("llm_refusals_total", "yes", ",llm_refusal=\"phrase\"", 1);
            add("llm_response_chars_bucket", "yes", ",le=\"100\"", requests / 2);
            add("llm_response_chars_bucket", "yes", ",le=\"+Inf\"", requests);
            add("llm_response_chars_count", "yes", "", requests);
            add("llm_response_chars_total", "yes", "", requests * 100);
        }
    }
    all
}

impl Series {
    fn text(&self) -> String {
        format!("{}{{llm_rollout=\"{}\",{}}}", self.name, self.rollout, self.labels)
    }
}

/// All series, scrape by scrape.
fn file(series: &[Series]) -> String {
    let mut text = String::new();
    for (minute, series) in (0..MINUTES).flat_map(|minute| series.iter().map(move |one| (minute, one))) {
        writeln!(text, "{} {} {}", series.text(), minute * series.step, BEGIN_S + minute * 60).unwrap();
    }
    text
}

/// The page at the minute of the clock.
fn admin(now: Now) -> Server {
    let series = series();
    Server::start(move |_| {
        let minute = (now.0.load(Ordering::SeqCst) / 1_000 - BEGIN_S) / 60;
        Reply::ok(
            series.iter().map(|one| format!("{} {}\n", one.text(), minute * one.step)).collect::<String>(),
        )
    })
}

fn prometheus() -> Server {
    let series = series();
    Server::start(move |head| {
        let query = parameter(head, "query");
        let number = |name| parameter(head, name).parse::<u64>().unwrap();
        let (start, end) = (number("start"), number("end"));
        let minutes: Vec<u64> =
            (0..MINUTES).filter(|minute| (start..=end).contains(&(BEGIN_S + minute * 60))).collect();
        let is_asked = |one: &&Series| match query.contains("llm_compare=\"yes\"") {
            true => {
                one.labels.contains("\"yes\"") && query.contains(&format!("llm_rollout=\"{}\"", one.rollout))
            }
            false => !one.labels.contains("\"yes\""),
        };
        let result: Vec<String> = match query.starts_with("count") {
            true => vec![format!(r#"{{"metric":{{}},"values":[[{},"9"]]}}"#, BEGIN_S + 3_600)],
            false => series
                .iter()
                .filter(is_asked)
                .map(|one| {
                    let labels = one.labels.replace("=\"", "\":\"").replace(",l", ",\"l");
                    let points = minutes.iter().map(|minute| {
                        format!("[{},\"{}\"]", BEGIN_S + minute * 60, minute * one.step)
                    });
                    let points: Vec<String> = points.collect();
                    let (name, rollout) = (one.name, &one.rollout);
                    format!(
                        r#"{{"metric":{{"__name__":"{name}","llm_rollout":"{rollout}","{labels}}},"values":[{}]}}"#,
                        points.join(",")
                    )
                })
                .collect(),
        };
        Reply::ok(format!(
            r#"{{"status":"success","data":{{"resultType":"matrix","result":[{}]}}}}"#,
            result.join(",")
        ))
    })
}

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    args: analyze::Args,
}

/// Runs `analyze --json`; returns what it prints, or the error.
fn analyze(now: &Now, arguments: &[&str]) -> Result<Value, String> {
    let command = Command::try_parse_from(["analyze", "--json"].iter().chain(arguments)).unwrap();
    let (done, out) = printed(&FileSystem, now, |world| analyze::run(&command.args, world));
    done.map_err(|error| error.to_string())?;
    Ok(serde_json::from_slice(&out).unwrap())
}

#[test]
fn one_of_many_rollouts_is_judged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("many.txt");
    std::fs::write(&path, file(&series())).unwrap();
    let now = Now::default();
    let set = |minute: u64| now.0.store((BEGIN_S + minute * 60) * 1_000, Ordering::SeqCst);
    set(MINUTES);
    let (from, server) = (["--from", path.to_str().unwrap()], prometheus());
    // From where on Prometheus is asked.
    let since = ["--prometheus", &server.url, "--since", "2026-02-02T02:00:00Z"];
    assert_eq!(parse_rfc3339(since[3]), Some(BEGIN_S * 1_000));
    for source in [&from[..], &since] {
        let found = analyze(&now, &[source, &["--rollout", "r07"]].concat()).unwrap();
        let found = found.as_array().unwrap();
        assert_eq!(found.len() as u64, VERSIONS - 1);
        for one in found {
            let number = one["version"].as_str().unwrap()[1..].parse::<u64>().unwrap();
            assert_eq!((&one["rollout"], &one["baseline"]), (&"r07".into(), &"v1".into()));
            assert_eq!(one["requests"]["version"], (MINUTES - 1) * (10 + number));
        }
        for (arguments, words) in [
            (&[][..], "several rollouts, r00, r01"),
            (&["--rollout", "r64"], "--rollout r64: the evidence has no such rollout; did you mean r"),
        ] {
            // Without a rollout all of them are read.
            if source == from || !arguments.is_empty() {
                let error = analyze(&now, &[source, arguments].concat()).unwrap_err();
                assert!(error.contains(words), "{error}");
            }
        }
    }
    // The same windows, whatever the source.
    let of = Comparison { rollout: "r07".into(), version: "v5".into(), baseline: "v1".into() };
    let page = admin(now.clone());
    in_world(&now, |world| {
        let by_file = windows(world, &mut source(world, &from), &of, 1, |_| {});
        let mut polls = source(world, &["--admin", &page.url, "--every", "1m"]);
        let by_polls = windows(world, &mut polls, &of, MINUTES as usize, |minute| set(minute as u64));
        assert_eq!(by_file, by_polls);
        assert_eq!(by_file.len() as u64, MINUTES - 1);
        assert_eq!(by_file[0].rates[&Signal::Refusals].counts.version.n, 15);
        assert!(by_file[0].distributions.contains_key(&Signal::ResponseChars));
        let seen = polls.seen();
        assert_eq!(
            seen.iter().map(|rollout| rollout.versions.len() as u64).sum::<u64>(),
            ROLLOUTS * VERSIONS
        );
    });
}
