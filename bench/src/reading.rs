//! Recorded streams: framing alone, and everything that is read of them.

use std::convert::Infallible;
use std::hint::black_box;
use std::path::Path;

use bytes::Bytes;
use eventsource_stream::Eventsource;
use futures_executor::block_on;
use futures_util::{StreamExt, stream};
use llm_canary::framing::sse;
use llm_canary::observe::{End, Head, Observer};
use serde::Deserialize;
use sse_stream::SseStream;

use crate::best_of;

/// Of each dialect's recordings, this much.
const CORPUS_BYTES: usize = 1_000_000;
const CHUNK_BYTES: [usize; 3] = [256, 1460, 16384];
const ROUNDS: usize = 20;
const DIALECTS: [&str; 3] = ["openai-chat", "anthropic-messages", "openai-responses"];

pub(crate) fn print(corpus: &Path) {
    if !corpus.is_dir() {
        eprintln!("SKIPPED: no recordings at {}", corpus.display());
        return;
    }
    println!("### Reading natively, MB/s\n");
    println!(
        "| stream | bytes a piece | framing | sse-stream | eventsource-stream | all of it | sse-stream and serde_json, text alone |"
    );
    println!("|---|---|---|---|---|---|---|");
    for dialect in DIALECTS {
        let bodies = bodies(&corpus.join(dialect));
        for size in CHUNK_BYTES {
            let streams: Vec<Vec<Bytes>> = bodies.iter().map(|body| cut(body, size)).collect();
            let each = |run: fn(&[Bytes]) -> u64| {
                let streams = &streams;
                move || {
                    black_box(streams.iter().map(|stream| run(stream)).sum::<u64>());
                }
            };
            let times = best_of(
                ROUNDS,
                &mut [
                    &mut each(framing),
                    &mut each(with_sse_stream),
                    &mut each(with_eventsource_stream),
                    &mut each(all),
                    &mut each(with_serde_json),
                ],
            );
            let bytes: usize = bodies.iter().map(Bytes::len).sum();
            let cells = times.iter().map(|time| format!("{:.0}", bytes as f64 / time.as_secs_f64() / 1e6));
            println!("| {dialect} | {size} | {} |", cells.collect::<Vec<_>>().join(" | "));
        }
    }
    println!();
}

fn bodies(folder: &Path) -> Vec<Bytes> {
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "sse"));
    files.sort();
    let mut left = CORPUS_BYTES;
    let mut bodies = Vec::new();
    for file in files {
        let mut body = std::fs::read(file).unwrap();
        body.truncate(left);
        left -= body.len();
        bodies.push(body.into());
        if left == 0 {
            break;
        }
    }
    bodies
}

fn cut(body: &Bytes, size: usize) -> Vec<Bytes> {
    (0..body.len()).step_by(size).map(|at| body.slice(at..body.len().min(at + size))).collect()
}

/// Counts events, and the bytes of their data.
struct Count(u64);

impl sse::Sink for Count {
    fn data(&mut self, piece: &[u8]) {
        self.0 += piece.len() as u64;
    }

    fn dispatch(&mut self, _kind: &[u8]) {
        self.0 += 1;
    }

    fn error_line(&mut self) {}
}

fn framing(stream: &[Bytes]) -> u64 {
    let (mut framer, mut count) = (sse::Framer::default(), Count(0));
    stream.iter().for_each(|piece| framer.push(piece, &mut count));
    count.0
}

fn all(stream: &[Bytes]) -> u64 {
    let head = Head { status: 200, content_type: b"text/event-stream", ..Head::default() };
    let mut observer = Observer::new(head, 0, 0);
    observer.detect_defects(None); // as by default
    stream.iter().for_each(|piece| observer.push(1, piece));
    observer.finish(End::Complete, 2).text_chars.unwrap_or(0)
}

fn pieces(stream: &[Bytes]) -> impl futures_util::Stream<Item = Result<Bytes, Infallible>> + Unpin + use<'_> {
    stream::iter(stream.iter().cloned().map(Ok))
}

fn with_sse_stream(stream: &[Bytes]) -> u64 {
    let events = SseStream::from_bytes_stream(pieces(stream));
    block_on(events.fold(0, async |sum, event| {
        sum + event.map_or(0, |event| event.data.map_or(0, |data| data.len() as u64))
    }))
}

fn with_eventsource_stream(stream: &[Bytes]) -> u64 {
    let events = pieces(stream).eventsource();
    block_on(events.fold(0, async |sum, event| sum + event.map_or(0, |event| event.data.len() as u64)))
}

/// What is written when only the text is wanted, of whichever dialect.
#[derive(Deserialize)]
struct Chunk {
    #[serde(default)]
    choices: Vec<Choice>,
    #[serde(default)]
    delta: Delta,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    delta: Content,
}

#[derive(Deserialize, Default)]
struct Content {
    #[serde(default)]
    content: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Delta {
    Text(String),
    Block { text: Option<String> },
}

impl Default for Delta {
    fn default() -> Delta {
        Delta::Block { text: None }
    }
}

fn with_serde_json(stream: &[Bytes]) -> u64 {
    let events = SseStream::from_bytes_stream(pieces(stream));
    let chars = |data: &str| {
        let Ok(chunk) = serde_json::from_str::<Chunk>(data) else { return 0 };
        let delta = match &chunk.delta {
            Delta::Text(text) | Delta::Block { text: Some(text) } => text.chars().count(),
            Delta::Block { text: None } => 0,
        };
        let contents = chunk.choices.iter().filter_map(|choice| choice.delta.content.as_ref());
        (delta + contents.map(|text| text.chars().count()).sum::<usize>()) as u64
    };
    block_on(events.fold(0, async |sum, event| {
        sum + event.ok().and_then(|event| event.data).map_or(0, |data| chars(&data))
    }))
}
