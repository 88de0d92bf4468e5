//! A recorded response, read as the filter reads it.
//!
//! In: the body, its head, what is known of the request, and how the body is cut into chunks. Out: what the filter's readers
//! observe.

use llm_canary::observation_json::defect_names;
use llm_canary::observe::{End, Finish, GrpcMethod, Head, Observation, Observer};
use llm_canary::request_facts::{RequestFacts, RequestReader};
use serde::Serialize;
use std::str::FromStr;

/// The longest random chunk, in bytes: a few events.
const RANDOM_BYTES_MAX: u64 = 1500;

/// How a body is cut into chunks.
#[derive(Clone, Copy)]
pub(crate) enum Chunking {
    /// One chunk.
    Whole,
    /// Chunks of this many bytes.
    Bytes(usize),
    /// Chunks of random lengths, from this seed.
    Random(u64),
}

/// A response, and what is known of its request.
pub(crate) struct Recording<'a> {
    pub(crate) head: Head<'a>,
    pub(crate) body: &'a [u8],
    /// The trailer of this name.
    pub(crate) grpc_status: Option<&'a [u8]>,
    /// The method of gRPC that was called.
    pub(crate) method: Option<GrpcMethod>,
    /// The body of the request.
    pub(crate) request: Option<&'a [u8]>,
}

/// An observation without times: a recording has none.
#[derive(Serialize)]
pub(crate) struct ObservationReport {
    dialect: Option<&'static str>,
    outcome: &'static str,
    finish: Option<&'static str>,
    text_chars: Option<u64>,
    reasoning_chars: u64,
    output_tokens: Option<u64>,
    input_tokens: Option<u64>,
    cached_input_tokens: Option<u64>,
    reasoning_tokens: Option<u64>,
    tool_calls: u64,
    tools_offered: Option<bool>,
    json_asked: Option<bool>,
    refusal: bool,
    defects: Vec<&'static str>,
    error: bool,
    events: Option<u64>,
    unread: Option<&'static str>,
}

/// Reads a recording.
pub(crate) fn observe(
    recording: &Recording<'_>,
    chunking: Chunking,
    refusal_phrases: bool,
) -> ObservationReport {
    let request = recording.request.map(|body| {
        let mut reader = RequestReader::new(true);
        reader.push(body);
        reader
    });
    let mut observer = Observer::new(recording.head, 0, 0);
    if refusal_phrases {
        observer.detect_refusal_phrases();
    }
    observer.detect_defects(request.as_ref().and_then(RequestReader::asked));
    if let Some(method) = recording.method {
        observer.expect_messages(method);
    }
    chunking.cut(recording.body, |chunk| observer.push(0, chunk));
    observer.trailers(recording.grpc_status);
    let facts = request.map(|reader| reader.facts()).unwrap_or_default();
    ObservationReport::new(observer.finish(End::Complete, 0), facts)
}

impl FromStr for Chunking {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let error =
            || format!("{text:?} is not a way to cut; write whole, a number of bytes, or random:SEED");
        match text.split_once(':') {
            None if text == "whole" => Ok(Self::Whole),
            None => text.parse().ok().filter(|&bytes| bytes > 0).map(Self::Bytes).ok_or_else(error),
            Some(("random", seed)) => seed.parse().map(Self::Random).map_err(|_| error()),
            Some(_) => Err(error()),
        }
    }
}

impl Chunking {
    /// Calls `take` with each chunk of a body.
    fn cut(self, body: &[u8], mut take: impl FnMut(&[u8])) {
        let mut state = if let Self::Random(seed) = self { seed } else { 0 };
        let mut rest = body;
        while !rest.is_empty() {
            let bytes = match self {
                Self::Whole => rest.len(),
                Self::Bytes(bytes) => bytes,
                Self::Random(_) => 1 + (split_mix(&mut state) % RANDOM_BYTES_MAX) as usize,
            };
            let (chunk, after) = rest.split_at(bytes.min(rest.len()));
            take(chunk);
            rest = after;
        }
    }
}

/// The random numbers of `SplitMix64`, the same for a seed on every machine.
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

impl ObservationReport {
    fn new(observation: Observation, request: RequestFacts) -> Self {
        Self {
            dialect: observation.dialect,
            outcome: observation.outcome.as_str(),
            finish: (observation.finish != Finish::None).then(|| observation.finish.as_str()),
            text_chars: observation.text_chars,
            reasoning_chars: observation.reasoning_chars,
            output_tokens: observation.usage.output,
            input_tokens: observation.usage.input,
            cached_input_tokens: observation.usage.cached_input,
            reasoning_tokens: observation.usage.reasoning,
            tool_calls: observation.tool_calls,
            tools_offered: request.offers_tools,
            json_asked: request.asks_for_json,
            refusal: observation.refusal.is_some(),
            defects: defect_names(observation.defects).collect(),
            error: observation.error,
            events: observation.events,
            unread: observation.unparsed.map(|unparsed| unparsed.as_str()),
        }
    }
}
