//! What the fuzzers run. The bodies of the targets are shared with `tests/it/fuzz.rs`, which replays their seeds and
//! regressions without a fuzzer, and the fake Envoy is that of the tests.

#[path = "../../tests/it/host.rs"]
#[expect(dead_code, reason = "the tests ask it more")]
mod host;
mod targets;

/// Runs the target of this name.
pub fn run(name: &str, bytes: &[u8]) {
    let (_, target) = targets::TARGETS.iter().find(|(other, _)| *other == name).unwrap();
    target(bytes);
}
