//! The fuzz targets without a fuzzer: on every past finding, on seeds from the repository, and on a few thousand
//! pseudo-random inputs.

#[path = "../../fuzz/src/targets/mod.rs"]
mod targets;

use std::path::{Path, PathBuf};

use targets::{TARGETS, Target};

/// The number of mutations of each seed, and of random inputs.
const MUTATIONS: u64 = 60;
const RANDOM_INPUTS: u64 = 400;
/// A longer seed is cut: these runs are for breadth.
const SEED_BYTES_MAX: usize = 4000;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: PathBuf) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<_> =
        entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect();
    files.sort();
    files
}

fn target(name: &str) -> Target {
    TARGETS.iter().find(|(other, _)| *other == name).unwrap().1
}

/// Pseudo-random numbers from a fixed seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    fn below(&mut self, end: usize) -> usize {
        self.next() as usize % end.max(1)
    }
}

fn mutated(seed: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..1 + random.below(8) {
        let (at, to) = (random.below(bytes.len()), random.below(bytes.len()));
        match random.below(5) {
            0 if at < bytes.len() => bytes[at] = random.next() as u8,
            1 => bytes.insert(at, b"{}[]\",:\\\n d0"[random.below(12)]),
            2 => drop(bytes.drain(at.min(to)..at.max(to))),
            3 => bytes.extend_from_within(at.min(to)..at.max(to)),
            _ => bytes.push(random.next() as u8),
        }
    }
    bytes
}

fn play(name: &str, seeds: &[Vec<u8>]) {
    let target = target(name);
    let mut random = Random(7);
    for seed in seeds {
        target(seed);
        for _ in 0..MUTATIONS {
            target(&mutated(seed, &mut random));
        }
    }
    for _ in 0..RANDOM_INPUTS {
        let length = random.below(1200);
        let bytes: Vec<u8> = (0..length).map(|_| random.next() as u8).collect();
        target(&bytes);
    }
}

/// The files of a folder of the repository and of the folders in it whose names end in `ends`, each followed by `choices`.
fn seeds(folder: &str, ends: &str, choices: &[u8]) -> Vec<Vec<u8>> {
    let mut files = files(root().join(folder));
    let folders = std::fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path());
    files.extend(folders.filter(|path| path.is_dir()).flat_map(self::files));
    files.sort();
    let seeds: Vec<_> = files
        .iter()
        .filter(|path| path.to_string_lossy().ends_with(ends))
        .map(|path| std::fs::read(path).unwrap())
        .map(|bytes| [&bytes[..bytes.len().min(SEED_BYTES_MAX)], choices].concat())
        .collect();
    assert!(!seeds.is_empty(), "no {ends} in {folder}");
    seeds
}

/// `fuzz/regressions/TARGET/` has an input for each finding of a fuzzer.
#[test]
fn past_findings_stay_fixed() {
    for (name, target) in TARGETS {
        for path in files(root().join("fuzz/regressions").join(name)) {
            println!("{}", path.display()); // shown if the test fails
            target(&std::fs::read(&path).unwrap());
        }
    }
    for entry in std::fs::read_dir(root().join("fuzz/regressions")).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        assert!(
            name == "README.md" || TARGETS.iter().any(|(other, _)| *other == name),
            "no target is called {name}"
        );
    }
}

#[test]
fn every_target_has_its_binary() {
    let names = files(root().join("fuzz/fuzz_targets"));
    let names: Vec<_> = names.iter().map(|path| path.file_stem().unwrap().to_string_lossy()).collect();
    let mut targets = TARGETS.map(|(name, _)| name);
    targets.sort_unstable();
    assert_eq!(names, targets);
}

#[test]
fn any_bytes_are_a_valid_configuration_or_refused() {
    play("config", &seeds("tests/data/configs", ".json", b""));
}

#[test]
fn responses_are_read_alike_however_they_are_cut() {
    let corpus = "tests/data/corpus";
    for (ends, kind) in [(".sse", 0), (".json", 1), (".ndjson", 2), (".bin", 3)] {
        play("response", &seeds(corpus, ends, &[0, 1, 3, 1, 0, 0, 0, kind]));
    }
}

#[test]
fn bodies_are_read_and_edited_alike_however_they_are_cut() {
    let bodies: [&[u8]; 4] = [
        b"{\"model\":\"large\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"stream\":true}\x01\x02\x03",
        b"{\"stream\":true,\"stream_options\":{\"include_usage\":null}, \"user\": \"\\u00e9\"}\x01\x02\x02",
        b"{\"previous_response_id\":\"resp_1-llm-1a2b3c4d\",\"metadata\":{\"a/b~c\":[\"k\"]}}\x01\x02\0",
        b"{\"id\":\"resp_1\",\"conversation\":{\"id\":\"conv_1\"}}\x01\x02\x01",
    ];
    play("request", &bodies.map(<[u8]>::to_vec));
    play("request", &seeds("tests/data/corpus/openai-responses", "responses-stream.sse", b"\x01\x02\x03"));
}

#[test]
fn keys_and_ids_are_read_back() {
    play("keys", &[b"id=abc; 2026-11-23T09:00:00Z".to_vec(), b"resp_1-llm-1a2b3c4d".to_vec()]);
}

#[test]
fn defects_are_the_same_however_texts_are_cut() {
    play("defects", &seeds("tests/data/defects", ".jsonl", b"\x01\0\x01\x01\0\0\x01\x02\x03"));
    let steps: [&[u8]; 4] = [
        b"\0<think>\nok\n</think>\nParis.<|im_end|>\xFF\x02get<|channel|>\xFF\x03{\"a\":[1,{}]}\x01\x02\x03",
        b"\0```\nnever ever never ever never ever never ever \n```\nagain and again and again and \x01\x02\x03",
        b"\x01I see. I see. I see. I see. I see. I see. I see. I see. I see. I see. I see. I see. \x01\x02\x03",
        "\0The optionสวัสดี works\u{fffd}.".as_bytes(),
    ];
    play("defects", &steps.map(<[u8]>::to_vec));
}

#[test]
fn steps_match_a_naive_model() {
    play("steps", &[]);
}

#[test]
fn the_filter_survives_callbacks_in_any_order() {
    play("filter", &[]);
}
