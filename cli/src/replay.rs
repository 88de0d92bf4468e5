//! `llm-canary replay`: what the filter would count for a recorded response.

use crate::{FINE, Failure};
use llm_canary::observe::{End, Finish, Head, Observation, Observer};
use serde::Serialize;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Stream a recorded response through the filter's own reader and print what it observes.
///
/// The recording is a response's body as it came over the wire, decompressed. To record one:
/// curl -sN URL -d @request.json > answer.sse
#[derive(clap::Args)]
#[command(after_help = "Examples:
  llm-canary replay answer.sse
  llm-canary replay --chunks 1 --json answer.sse
  curl -sN localhost:8001/v1/chat/completions -d @request.json | llm-canary replay -

Figures that the response does not give are null, or a dash. Exit code 0: read; 2: it could not be opened.")]
pub(crate) struct Args {
    /// The recorded body; - reads standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The response's content-type. Without one the body's first bytes tell.
    #[arg(long, default_value = "", value_name = "TYPE")]
    content_type: String,
    /// The response's content-encoding.
    #[arg(long, default_value = "", value_name = "ENCODING")]
    content_encoding: String,
    /// The response's status.
    #[arg(long, default_value_t = 200, value_name = "CODE", value_parser = clap::value_parser!(u16).range(100..=599))]
    status: u16,
    /// The pieces it comes in: whole, a number of bytes each, or random:SEED. They change nothing.
    #[arg(long, default_value = "whole", value_name = "whole|N|random:SEED")]
    chunks: Chunks,
    /// Tell refusals by how the answer opens, too.
    #[arg(long)]
    refusal_phrases: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// How a recording is cut.
#[derive(Clone, Copy)]
enum Chunks {
    Whole,
    Bytes(usize),
    Random(u64),
}

/// The longest random piece: a few events.
const RANDOM_BYTES_MAX: u64 = 1500;

impl FromStr for Chunks {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("{text:?} is none of whole, a number of bytes from 1 on, random:SEED");
        match text.split_once(':') {
            None if text == "whole" => Ok(Self::Whole),
            None => text.parse().ok().filter(|&bytes| bytes > 0).map(Self::Bytes).ok_or_else(bad),
            Some(("random", seed)) => seed.parse().map(Self::Random).map_err(|_| bad()),
            Some(_) => Err(bad()),
        }
    }
}

impl Chunks {
    /// Cuts `body`, and hands each piece to `take`.
    fn cut(self, body: &[u8], mut take: impl FnMut(&[u8])) {
        let mut state = match self {
            Self::Random(seed) => seed,
            Self::Whole | Self::Bytes(_) => 0,
        };
        let mut rest = body;
        while !rest.is_empty() {
            let size = match self {
                Self::Whole => rest.len(),
                Self::Bytes(bytes) => bytes,
                Self::Random(_) => 1 + (split_mix(&mut state) % RANDOM_BYTES_MAX) as usize,
            };
            let (piece, after) = rest.split_at(size.min(rest.len()));
            take(piece);
            rest = after;
        }
    }
}

/// SplitMix64: the same pieces for the same seed, everywhere.
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// The observation, without its moments: a recording has none.
#[derive(Serialize)]
struct Report {
    dialect: Option<&'static str>,
    outcome: &'static str,
    finish: Option<&'static str>,
    text_chars: Option<u64>,
    output_tokens: Option<u64>,
    input_tokens: Option<u64>,
    cached_input_tokens: Option<u64>,
    reasoning_tokens: Option<u64>,
    tool_calls: u64,
    refusal: bool,
    error: bool,
    events: Option<u64>,
    unread: Option<&'static str>,
}

impl From<Observation> for Report {
    fn from(seen: Observation) -> Self {
        Self {
            dialect: seen.dialect,
            outcome: seen.outcome.as_str(),
            finish: (seen.finish != Finish::None).then(|| seen.finish.as_str()),
            text_chars: seen.text_chars,
            output_tokens: seen.usage.output,
            input_tokens: seen.usage.input,
            cached_input_tokens: seen.usage.cached_input,
            reasoning_tokens: seen.usage.reasoning,
            tool_calls: seen.tool_calls,
            refusal: seen.refusal.is_some(),
            error: seen.error,
            events: seen.events,
            unread: seen.unparsed.map(|unparsed| unparsed.as_str()),
        }
    }
}

pub(crate) fn run(args: &Args) -> Result<u8, Failure> {
    let body = read(&args.file)?;
    let head = Head {
        status: args.status,
        content_type: args.content_type.as_bytes(),
        content_encoding: args.content_encoding.as_bytes(),
    };
    let mut observer = Observer::new(head, 0, 0);
    if args.refusal_phrases {
        observer.detect_refusal_phrases();
    }
    args.chunks.cut(&body, |piece| observer.push(0, piece));
    let report = Report::from(observer.finish(End::Complete, 0));
    let mut out = std::io::stdout().lock();
    if args.json {
        let line = serde_json::to_string(&report).map_err(|error| Failure::new(error.to_string()))?;
        writeln!(out, "{line}")?;
    } else {
        let fields = serde_json::to_value(&report).map_err(|error| Failure::new(error.to_string()))?;
        for (name, value) in fields.as_object().into_iter().flatten() {
            let value = match value {
                serde_json::Value::Null => "-".to_string(),
                serde_json::Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            writeln!(out, "{name:<20} {value}")?;
        }
    }
    Ok(FINE)
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    let read = if file == Path::new("-") {
        std::io::stdin().lock().read_to_end(&mut body).map(drop)
    } else {
        std::fs::read(file).map(|bytes| body = bytes)
    };
    read.map_err(|error| Failure::new(format!("cannot read the recording {}: {error}", file.display())))?;
    Ok(body)
}
