//! The lists of labels in the files by which Envoy and Istio extract labels from names of series. They are generated
//! from the catalogue; `UPDATE_EXPECT=1` regenerates them.

use std::fmt::Write;

use llm_canary::metrics::{BLOCK_LABELS, CATALOGUE, refusal_list};

/// Every label that any metric can have, in the order of the catalogue.
fn labels() -> Vec<&'static str> {
    let mut labels = BLOCK_LABELS.to_vec();
    let own = CATALOGUE.iter().filter_map(|spec| spec.label).map(|(label, _)| label);
    for label in own.chain([refusal_list().1.0]) {
        if !labels.contains(&label) {
            labels.push(label);
        }
    }
    labels
}

/// Compares, or replaces, the text of a file between `start` and `end`.
fn check(file: &str, start: &str, end: &str, expected: &str) {
    let path = format!("{}/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(start).unwrap();
    let at = rest.find(end).unwrap();
    let (found, after) = rest.split_at(at);
    if found != expected && std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(&path, [before, start, expected, after].concat()).unwrap();
        return;
    }
    assert_eq!(found, expected, "{file} is out of date; UPDATE_EXPECT=1 cargo test regenerates it");
}

#[test]
fn envoy_and_istio_extract_every_label() {
    let mut tags = String::new();
    for label in labels() {
        writeln!(tags, r"  - {{ tag_name: {label}, regex: '({label}=\.=(.*?);\.;)' }}").unwrap();
    }
    check("envoy/envoy.yaml", "  stats_tags:\n", "  #", &tags);
    let list = labels().join(",");
    check("istio/stats-annotations.yaml", "sidecar.istio.io/extraStatTags: ", "\n", &list);
}
