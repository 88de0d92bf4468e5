//! `docs/metrics.md` is generated from the catalogue; `UPDATE_EXPECT=1` regenerates it.

use llm_canary::config::Config;
use llm_canary::metrics::{CATALOGUE, HELP, MetricKind, for_each_series, is_failure};
use llm_canary::observe::Outcome;

const HEAD: &str = "\
# Metrics

Every counter and histogram has the labels `llm_rollout`, `llm_version` and `llm_compare`, and the label in its row.
`llm_compare` is `yes` if the request asks a model for an answer, by its method and path, and its version was drawn at
random at the share now in force; compare versions only there. What is known to be no answer, such as a list of models or
embeddings, counts in the decisions, the outcomes, the errors and the times, and nowhere else. All series exist, at 0, as
soon as a configuration is loaded. Nothing that a client sends becomes part of a name or label.

Under load the filter adds counts up for 50 ms at most before it hands them over to Envoy's counters. Envoy shows a histogram only
after its own flush, 5 s by default.

Those by shard exist only with `llm_compare=\"yes\"`, and not under `\"shards\": false`. A key is always in the same one of 32
shards. How much a sum differs from shard to shard tells how much requests of one conversation depend on each other.

`llm_defects_total`, `llm_defective_responses_total`, `llm_shard_defects_total`, `llm_tools_offered_total` and `llm_json_asked_total` do not exist
under `\"defects\": false`: then no body is read for what its request asks for. An answer is one with any outcome but
`http_error` and `local_reply`. [defects.md](defects.md) says what each defect is, and what is found and missed.

There are three gauges. `llm_config_hash` has the label `llm_rollout`: its value identifies the whole configuration by which
this rollout runs, so filters in one Envoy are told apart by their rollouts. Give rollouts of different filters different
names. Envoy keeps the series of a rollout that a reload removed, at its last value, until it restarts.
`llm_refusal_list_info`, always 1, exists if `refusal_phrases` is on: its label `llm_refusal_list` identifies the list of
phrases. Refusals detected by phrase are comparable only where it is equal.
`llm_body_waits` is 1 if requests may wait for their bodies. It is 0 under
`\"body_wait\": \"never\"`, and if at least one worker thread has found, under the configuration in force, that Envoy does not
deliver the bodies of waiting requests: then keys in bodies are not read there. Worker threads, and several filters in
one Envoy, share this gauge. Loading a configuration sets it anew.

Envoy's histograms are approximate: a sum is off by up to 2.5 %. Counters described as exact are exact.

This page is generated from `src/metrics/catalogue.rs`.

";

fn page() -> String {
    let rows = |kind: MetricKind| {
        let specs = CATALOGUE.iter().zip(HELP).filter(move |(spec, _)| spec.kind == kind);
        specs.map(|(spec, help)| {
            let label = spec.label.map(|(label, values)| match (values.first(), values.last()) {
                (Some(&"0"), Some(last)) => format!("`{label}` 0..{last}"),
                _ => format!("`{label}`: {}", values.join(", ")),
            });
            format!("| `{}` | {} | {} |\n", spec.name, label.unwrap_or_default(), help)
        })
    };
    let table =
        |kind| format!("| metric | label | description |\n|---|---|---|\n{}", rows(kind).collect::<String>());
    let failures: Vec<String> = Outcome::ALL
        .iter()
        .filter(|outcome| is_failure(**outcome))
        .map(|outcome| format!("`{}`", outcome.as_str()))
        .collect();
    format!(
        "{HEAD}A failure is a request with one of these outcomes: {}.\n\n## Counters\n\n{}\n## Histograms\n\n{}\n{}",
        failures.join(", "),
        table(MetricKind::Counter),
        table(MetricKind::Histogram),
        cost()
    )
}

/// How many series one version has.
fn series(options: &str) -> usize {
    let config = format!(
        r#"{{"rollouts":[{{"name":"r","baseline":"v","versions":[{{"name":"v","cluster":"c"}}]{options}}}]}}"#
    );
    let mut series = 0;
    for_each_series(&Config::parse(config.as_bytes()).unwrap(), |_| series += 1);
    series
}

fn cost() -> String {
    let options =
        ["", r#", "defects": false"#, r#", "shards": false"#, r#", "shards": false, "defects": false"#];
    let [all, without_defects, unsharded, least] = options.map(series);
    format!(
        "## Cost\n\nOne version has {all} series: {without_defects} under `\"defects\": false`, {unsharded} under `\"shards\": false`, {least} under \
         both. Envoy\ndefines all of them when it loads a configuration, and prints all of them at each scrape, whether or not they have \
         counted.\nMeasured with Envoy 1.40:\n\n\
         | versions | shards | scrape |\n|---|---|---|\n\
         | 2 | on | 0.16 MB |\n| 2 | off | 0.11 MB |\n| 128 | on | 10.2 MB |\n| 128 | off | 6.9 MB |\n\
         | 1,024 | off | 56 MB |\n\nMore than 128 versions with shards are refused. A scrape with `?usedonly` prints only what has counted; \
         a series that has\nnot begun is missing there, which is not the same as 0.\n"
    )
}

#[test]
fn the_metrics_page_matches_the_catalogue() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/metrics.md");
    let page = page();
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(path, &page).unwrap();
    }
    let found = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(found, page, "docs/metrics.md is out of date; UPDATE_EXPECT=1 cargo test regenerates it");
}
