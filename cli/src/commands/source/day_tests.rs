//! What a day of three Envoys costs, at a scrape each 15 s: all series of the filter, as a file, series by series and in the
//! notation of promtool.
//!
//! `cargo test --release -p llm-canary-cli -- --ignored --nocapture a_day`
//!
//! `LLM_CANARY_DAY` names a file that the samples are left in, to measure the tool itself.
//!
//! With `LLM_CANARY_PROMETHEUS`, the address of a Prometheus that has the samples of the file `LLM_CANARY_DUMP`, the other test
//! compares the two: `promtool tsdb create-blocks-from openmetrics FILE FOLDER` makes such a Prometheus of a file.

use super::equal_tests::{in_world, source};
use crate::io::clock::SystemClock;
use crate::windows::Comparison;
use llm_canary::metrics::{CATALOGUE, Group, MetricKind, Spec};
use llm_canary_verdict::judge::Judge;
use llm_canary_verdict::policy::Policy;
use llm_canary_verdict::window::Window;
use std::io::{BufWriter, Write};
use std::time::Instant;

const SCRAPES: u64 = 86_400 / 15;
const EDGES: u64 = 19;

/// The names and labels of all series of a metric.
fn series(spec: &Spec) -> Vec<(String, String)> {
    let values = match spec.label {
        Some((label, values)) => values.iter().map(|value| format!(",{label}=\"{value}\"")).collect(),
        None => vec![String::new()],
    };
    let of_value = |more: &String| match spec.kind {
        MetricKind::Histogram => {
            let bucket = |edge| (format!("{}_bucket", spec.name), format!("{more},le=\"{}\"", edge * 100));
            let ends = ["_sum", "_count"].map(|end| (spec.name.to_owned() + end, more.clone()));
            let infinite = (format!("{}_bucket", spec.name), format!("{more},le=\"+Inf\""));
            (1..=EDGES).map(bucket).chain([infinite]).chain(ends).collect()
        }
        _ => vec![(spec.name.to_owned(), more.clone())],
    };
    values.iter().flat_map(of_value).collect()
}

/// Writes the file; returns how many lines it has.
fn write(file: &mut impl Write) -> u64 {
    let mut lines = 0;
    for (envoy, version, compare) in (0..3).flat_map(|envoy| {
        ["v1", "v2"]
            .into_iter()
            .flat_map(move |version| ["yes", "no"].map(|compare| (envoy, version, compare)))
    }) {
        for spec in CATALOGUE.iter().filter(|spec| spec.group == Group::Always || compare == "yes") {
            for (index, (name, more)) in series(spec).into_iter().enumerate() {
                let step = if version == "v1" { 9 } else { 1 } * (1 + index as u64);
                for scrape in 0..SCRAPES {
                    let (value, seconds) = (scrape * step, 1_770_000_000 + scrape * 15);
                    let value =
                        if value < 1_000_000 { value.to_string() } else { format!("{:e}", value as f64) };
                    writeln!(
                        file,
                        "{name}{{instance=\"10.0.0.{envoy}:9901\",job=\"envoy\",llm_rollout=\"chat\",llm_version=\"{version}\",llm_compare=\"{compare}\"{more}}} {value} {seconds}.000"
                    )
                    .unwrap();
                    lines += 1;
                }
            }
        }
    }
    lines
}

/// The most memory that this process has had, in MB.
fn peak_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1_024
}

#[test]
#[ignore = "writes gigabytes, and is a measurement"]
#[expect(clippy::disallowed_methods, reason = "how long it takes is what is measured")]
fn a_day_of_three_envoys() {
    let (file, path) = tempfile::NamedTempFile::new().unwrap().into_parts();
    let lines = write(&mut BufWriter::new(&file));
    let bytes = file.metadata().unwrap().len();
    println!("{lines} lines, {} MB; so far {} MB of memory", bytes >> 20, peak_mb());
    let clock = SystemClock::start();
    in_world(&clock, |world| {
        let began = Instant::now();
        let mut from = source(world, &["--from", path.to_str().unwrap()]);
        from.load(world).unwrap();
        println!("loaded after {:?}, {} MB", began.elapsed(), peak_mb());
        let of = Comparison { rollout: "chat".into(), version: "v2".into(), baseline: "v1".into() };
        let mut judge = Judge::new(Policy::default(), None);
        let mut windows = 0;
        from.windows(|tally| {
            windows += 1;
            judge.push(&tally.window(&of));
        });
        println!("{windows} windows judged after {:?}, {} MB", began.elapsed(), peak_mb());
    });
    if let Ok(kept) = std::env::var("LLM_CANARY_DAY") {
        std::fs::copy(&path, kept).unwrap();
    }
}

#[test]
#[ignore = "needs a Prometheus"]
#[expect(clippy::disallowed_methods, reason = "how long it takes is what is measured")]
fn prometheus_gives_what_its_dump_gives() {
    let [url, dump] = ["LLM_CANARY_PROMETHEUS", "LLM_CANARY_DUMP"].map(|name| std::env::var(name).unwrap());
    let clock = SystemClock::start();
    let by_each = in_world(&clock, |world| {
        [["--prometheus", &url], ["--from", &dump]].map(|options| {
            let began = Instant::now();
            let of = Comparison { rollout: "chat".into(), version: "v2".into(), baseline: "v1".into() };
            let mut source = source(world, &options);
            source.load(world).unwrap();
            let mut judge = Judge::new(Policy::default(), None);
            let mut windows = Vec::new();
            source.windows(|tally| {
                windows.push(tally.window(&of));
                judge.push(&tally.window(&of));
            });
            println!(
                "{}: {} windows judged after {:?}, {} MB",
                options[1],
                windows.len(),
                began.elapsed(),
                peak_mb()
            );
            windows
        })
    });
    let [by_prometheus, by_dump] = by_each;
    let end_ms = by_dump.last().unwrap().end_ms;
    let within: Vec<_> = by_prometheus.into_iter().filter(|window| window.end_ms <= end_ms).collect();
    assert_eq!(within.len(), by_dump.len());
    for (one, other) in within.iter().zip(&by_dump) {
        // A Prometheus that was filled from a file has no marks where scrapes failed, and repeats values for 5 minutes.
        assert_eq!(one, &Window { is_missing: one.is_missing, ..other.clone() });
    }
}
