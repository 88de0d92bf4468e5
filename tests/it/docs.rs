//! `docs/metrics.md` is made from the catalogue; `UPDATE_EXPECT=1` writes it anew.

use llm_canary::metrics::{CATALOGUE, HELP, MetricKind, is_failure};
use llm_canary::observe::Outcome;

const HEAD: &str = "\
# Metrics

Every metric has the labels `llm_rollout`, `llm_version` and `llm_compare`, besides those named here. `llm_compare` is `yes`
where the version was drawn at random at the share now in force, and versions may be compared only there. All series
exist, at 0, from the moment a configuration is loaded; nothing a client sends becomes part of a name or label.

Where `refusal_phrases` is on, `llm_refusal_list_info`, always 1, tells by its label `llm_refusal_list` which list of
phrases was used: refusals of kind `phrase` are comparable only where it is equal.

Envoy's histograms are approximate, their sums by up to 2.5 %. The counters that say so are exact.

This page is made from `src/metrics.rs`.

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
    let table = |kind| {
        format!("| metric | further label | what |\n|---|---|---|\n{}", rows(kind).collect::<String>())
    };
    let failures: Vec<String> = Outcome::ALL
        .iter()
        .filter(|outcome| is_failure(**outcome))
        .map(|outcome| format!("`{}`", outcome.as_str()))
        .collect();
    format!(
        "{HEAD}A failure is a request with one of these outcomes: {}.\n\n## Counters\n\n{}\n## Histograms\n\n{}",
        failures.join(", "),
        table(MetricKind::Counter),
        table(MetricKind::Histogram)
    )
}

#[test]
fn the_page_of_metrics_is_the_catalogue() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/metrics.md");
    let page = page();
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(path, &page).unwrap();
    }
    let found = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(found, page, "docs/metrics.md is out of date; UPDATE_EXPECT=1 cargo test writes it anew");
}
