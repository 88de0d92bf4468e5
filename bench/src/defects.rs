//! Defects: what looking for all of them costs, on ordinary answers, in pieces of many sizes.

use std::hint::black_box;
use std::path::Path;

use llm_canary::defect::{AnswerEnd, Arguments, Defects};

use crate::best_of;

const ROUNDS: usize = 15;
const PIECE_BYTES: [usize; 5] = [4, 16, 64, 1460, 65536];
/// Of each kind of text, so much.
const TEXT_BYTES: usize = 400_000;

pub(crate) fn print() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/defects/negatives.jsonl");
    let lines = std::fs::read_to_string(file).unwrap();
    let rows: Vec<serde_json::Value> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let texts = |kinds: &[&str]| -> Vec<String> {
        let is_wanted =
            |row: &&serde_json::Value| kinds.is_empty() || kinds.iter().any(|kind| row["kind"] == *kind);
        let texts: Vec<String> =
            rows.iter().filter(is_wanted).map(|row| row["text"].as_str().unwrap().to_string()).collect();
        let bytes: usize = texts.iter().map(String::len).sum();
        std::iter::repeat_n(texts, TEXT_BYTES.div_ceil(bytes)).flatten().collect()
    };
    println!("### Looking for defects natively, MB/s of decoded text\n");
    println!("| text | 4 bytes a piece | 16 | 64 | 1,460 | all at once |\n|---|---|---|---|---|---|");
    row("answers of all kinds", &texts(&[]), answer);
    row("English", &texts(&["prose", "long answer"]), answer);
    row("code", &texts(&["code"]), answer);
    row("Chinese and Japanese", &texts(&["chinese", "japanese"]), answer);
    row("Russian", &texts(&["russian"]), answer);
    row("reasoning", &texts(&["prose", "long answer"]), reasoning);
    row("JSON that was asked for", &texts(&["json"]), json);
    row("arguments", &texts(&["json"]), arguments);
    println!();
}

fn row(name: &str, texts: &[String], read: fn(&[u8], usize)) {
    let bytes: usize = texts.iter().map(String::len).sum();
    let cells = PIECE_BYTES.map(|size| {
        let mut run = || texts.iter().for_each(|text| read(black_box(text.as_bytes()), size));
        let times = best_of(ROUNDS, &mut [&mut run]);
        format!("{:.0}", bytes as f64 / times[0].as_secs_f64() / 1e6)
    });
    println!("| {name} | {} |", cells.join(" | "));
}

const END: AnswerEnd = AnswerEnd { is_complete: true, is_cut: false };

fn answer(text: &[u8], size: usize) {
    let mut defects = Defects::new(false);
    text.chunks(size).for_each(|piece| defects.answer(piece));
    black_box(defects.finish(END));
}

fn reasoning(text: &[u8], size: usize) {
    let mut defects = Defects::new(false);
    text.chunks(size).for_each(|piece| defects.reasoning(piece));
    black_box(defects.finish(END));
}

fn json(text: &[u8], size: usize) {
    let mut defects = Defects::new(true);
    text.chunks(size).for_each(|piece| defects.answer(piece));
    black_box(defects.finish(END));
}

fn arguments(text: &[u8], size: usize) {
    let mut arguments = Arguments::default();
    text.chunks(size).for_each(|piece| arguments.push(piece));
    black_box(arguments.fault());
}
