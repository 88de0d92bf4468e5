//! `llm-canary replay`: what the filter would count for a recorded response.

use super::input;
use crate::error::{Error, io_words};
use crate::io::World;
use crate::number_args::parse_whole;
use crate::recording::{self, Chunking, Recording};
use llm_canary::observe::{GrpcMethod, Head};
use llm_canary::request_facts::BODY_BYTES_READ_MAX;
use serde_json::Value;
use std::io;
use std::path::{Path, PathBuf};

/// Read a recorded response with the filter's own code, and print what it observes.
///
/// The recording is the body of a response as it came over the wire, decompressed. To record one:
/// curl -sN URL -d @request.json > answer.sse
#[derive(clap::Args)]
#[command(after_help = "Examples:
  llm-canary replay answer.sse
  llm-canary replay --chunks 1 --json answer.sse
  llm-canary replay answer.sse --request request.json
  curl -sN localhost:8001/v1/chat/completions -d @request.json | llm-canary replay -

What is not known is null in JSON, and a dash otherwise. Without --request it is not known which tools were
offered and whether JSON was asked for; then the defects tool_name_unknown and json_missing are not looked for.

Exit codes: 0 read, 2 usage error, or the recording cannot be opened.")]
pub(crate) struct Args {
    /// The recorded body; - reads standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The response's content-type; without it, the first bytes of the body decide
    #[arg(long, default_value = "", value_name = "TYPE")]
    content_type: String,
    /// The response's content-encoding
    #[arg(long, default_value = "", value_name = "ENCODING")]
    content_encoding: String,
    /// The response's status
    #[arg(long, default_value = "200", value_name = "CODE", value_parser = parse_status, allow_hyphen_values = true)]
    status: u16,
    /// The body of the request; - reads standard input
    #[arg(long, value_name = "FILE")]
    request: Option<PathBuf>,
    /// The request's path. Of gRPC it says what the messages are
    #[arg(long, default_value = "", hide_default_value = true)]
    path: String,
    /// A trailer of the response, such as 'grpc-status: 13'
    #[arg(long = "trailer", value_name = "NAME: VALUE")]
    trailers: Vec<String>,
    /// Cut the body into chunks: whole, a number of bytes each, or random:SEED; the result is always the same
    #[arg(long, default_value = "whole", value_name = "whole|N|random:SEED", allow_hyphen_values = true)]
    chunks: Chunking,
    /// Also detect refusals by the phrases that open an answer
    #[arg(long)]
    refusal_phrases: bool,
    /// Print one JSON object
    #[arg(long)]
    pub(super) json: bool,
}

fn parse_status(text: &str) -> Result<u16, String> {
    let status = parse_whole(text, 100..=599)?;
    Ok(u16::try_from(status).unwrap_or(u16::MAX))
}

pub(super) fn run(args: &Args, world: &mut World<'_>) -> Result<(), Error> {
    let is_stdin = |path: &Path| path == Path::new("-");
    if is_stdin(&args.file) && args.request.as_deref().is_some_and(is_stdin) {
        return Err(Error::refused(
            "FILE and --request are both -; write one of the two to a file".to_owned(),
        ));
    }
    let body = input::read(world, &args.file, u64::MAX)
        .map_err(|error| Error::problem(&args.file.display().to_string(), io_words(&error)))?;
    // One more byte shows that it is too long.
    let read_request = |path: &PathBuf| {
        input::read(world, path, BODY_BYTES_READ_MAX + 1)
            .map_err(|error| Error::refused(format!("--request {}: {}", path.display(), io_words(&error))))
    };
    let request = args.request.as_ref().map(read_request).transpose()?;
    let head = Head {
        status: args.status,
        content_type: args.content_type.as_bytes(),
        content_encoding: args.content_encoding.as_bytes(),
        grpc_status: None,
    };
    let trailers: Vec<_> = args.trailers.iter().map(|text| trailer(text)).collect::<Result<_, _>>()?;
    let grpc_status = trailers.iter().find(|(name, _)| name.eq_ignore_ascii_case("grpc-status"));
    let grpc_status = grpc_status.map(|(_, status)| status.as_bytes());
    let method = GrpcMethod::of(args.path.as_bytes());
    let recording = Recording { head, body: &body, grpc_status, method, request: request.as_deref() };
    let report = recording::observe(&recording, args.chunks, args.refusal_phrases);
    if args.json {
        let line = serde_json::to_string(&report).map_err(io::Error::from)?;
        world.print(&line)?;
        return Ok(());
    }
    let fields = serde_json::to_value(&report).map_err(io::Error::from)?;
    for (name, value) in fields.as_object().into_iter().flatten() {
        let value = match value {
            Value::Null => "-".to_owned(),
            Value::String(text) => text.clone(),
            Value::Array(names) if names.is_empty() => "none".to_owned(),
            Value::Array(names) => names.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "),
            other => other.to_string(),
        };
        world.print(&format!("{name:<20} {value}"))?;
    }
    Ok(())
}

fn trailer(text: &str) -> Result<(&str, &str), Error> {
    let (name, value) = text.split_once([':', '=']).ok_or_else(|| {
        let remedy = "is not a name and a value; write --trailer 'grpc-status: 13'";
        Error::refused(format!("--trailer {text:?} {remedy}"))
    })?;
    Ok((name.trim(), value.trim()))
}
