//! The text of `/metrics`, in Prometheus' format 0.0.4.

use super::Counts;
use super::envoys::State;
use super::shown::Fleet;
use crate::serving::Text;

pub(super) fn text(fleet: &Fleet, counts: &Counts) -> String {
    let mut text = Text::default();
    // Exact up to 2^53.
    let number = |count: usize| count as f64;
    text.family(
        "llm_canary_xds_envoys",
        "gauge",
        "Envoys that ask for a resource, by how they stand to what is served.",
    );
    let resources = || fleet.files.iter().flat_map(|file| &file.resources);
    for resource in resources() {
        for state in State::ALL.into_iter().filter(|state| *state != State::Unserved) {
            let labels = [("resource", resource.name.as_str()), ("state", state.name())];
            text.sample("llm_canary_xds_envoys", &labels, number(fleet.count(&resource.name, state)));
        }
    }
    text.family(
        "llm_canary_xds_envoys_unserved",
        "gauge",
        "Envoys that ask for a resource that is not served.",
    );
    let unserved = fleet.envoys.iter().filter(|envoy| envoy.is(State::Unserved)).count();
    text.sample("llm_canary_xds_envoys_unserved", &[], number(unserved));
    text.family(
        "llm_canary_xds_version_info",
        "gauge",
        "The version in which a resource is served; always 1.",
    );
    for resource in resources() {
        let labels = [("resource", resource.name.as_str()), ("version", &resource.version)];
        text.sample("llm_canary_xds_version_info", &labels, 1.0);
    }
    text.family(
        "llm_canary_xds_file_error",
        "gauge",
        "Whether the text of a file is refused now, so that its last good version is served, or nothing.",
    );
    for file in &fleet.files {
        let value = f64::from(u8::from(file.error.is_some()));
        text.sample("llm_canary_xds_file_error", &[("file", &file.file)], value);
    }
    text.family("llm_canary_xds_requests_total", "counter", "Requests of Envoys, by the answer.");
    for (answer, count) in [
        ("given", counts.given),
        ("unchanged", counts.unchanged),
        ("unavailable", counts.unavailable),
        ("refused", counts.refused),
    ] {
        text.sample("llm_canary_xds_requests_total", &[("answer", answer)], count as f64);
    }
    text.into_text()
}
