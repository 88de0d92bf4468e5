//! `llm-canary explain`: from a request to its version, by the filter's own code.

use super::input::{self, Keys, read_config};
use crate::describe::key_sources;
use crate::error::{Error, io_words};
use crate::io::World;
use crate::request::SampleRequest;
use crate::route_report::{KeyText, RouteReport, chosen};
use crate::time_args;
use llm_canary::config::{Config, Rollout, Source};
use llm_canary::headers::HeaderName;
use llm_canary::route::{self, Explanation};
use llm_canary::timestamp::UnixMs;
use serde::Serialize;
use std::ffi::OsString;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// The part of a body that is read. Envoy would not hand over more of it either.
const BODY_BYTES_MAX: u64 = 16 << 20;

/// Show which version a request gets, and every step of the decision.
///
/// The options describe the request, and the time is now, or --now. With --key or --keys, whatever the rollout's match
/// requires is filled in, so that a key alone is enough.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  llm-canary explain config.json --host llm.example.com --path /v1/chat/completions \\
      --header x-conversation-id=c-42
  llm-canary explain config.json --key c-42
  llm-canary explain config.json --cookie conversation_id=c-42 --json
  llm-canary explain config.json --path /v1/chat/completions --body request.json
  llm-canary explain config.json --key 019ab2f0-7c00-7000-8000-000000000001 --now 2026-11-24T09:00:00Z
  cut -d' ' -f1 ids.txt | llm-canary explain config.json --keys - | jq -r .version | sort | uniq -c

Exit codes: 0 explained, also if no rollout matches the request; 2 usage or input error.")]
pub(crate) struct Args {
    /// A file with one llm-canary configuration, in any format that `check` reads
    #[arg(value_name = "FILE")]
    config: PathBuf,
    /// A request header
    #[arg(long = "header", short = 'H', value_name = "NAME=VALUE")]
    headers: Vec<OsString>,
    /// The host of the request
    #[arg(long, value_name = "HOST")]
    host: Option<OsString>,
    /// The method of the request
    #[arg(long, value_name = "METHOD", default_value = "POST")]
    method: OsString,
    /// The path of the request, with its query
    #[arg(long, value_name = "PATH")]
    path: Option<OsString>,
    /// A cookie
    #[arg(long = "cookie", value_name = "NAME=VALUE")]
    cookies: Vec<OsString>,
    /// Dynamic metadata of an earlier filter; write FILTER/KEY:=NUMBER where that filter sets a number
    #[arg(long, value_name = "FILTER/KEY=VALUE")]
    metadata: Vec<OsString>,
    /// The body of the request: a file, or - for standard input
    #[arg(long, value_name = "FILE")]
    body: Option<PathBuf>,
    /// When the request comes: now, +10m, or RFC 3339
    #[arg(long, value_name = "TIME", default_value = "now", allow_hyphen_values = true)]
    now: String,
    /// A key, put into the first header where the rollout looks for one, or else into the first other place
    #[arg(long, conflicts_with = "keys")]
    key: Option<OsString>,
    /// Many keys, one a line, from a file or - for standard input; prints one line of JSON for each
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
    /// The header for --key and --keys, instead of the first where the rollout looks
    #[arg(long, value_name = "NAME")]
    header_name: Option<String>,
    /// The rollout for --key and --keys, instead of the first
    #[arg(long, value_name = "NAME")]
    rollout: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) fn run(args: &Args, world: &mut World<'_>) -> Result<(), Error> {
    let now = request_time(&args.now, world.clock.now())?;
    let config = read_config(world, &args.config)?;
    let mut request = request(args)?;
    if let Some(file) = &args.body {
        let body = input::read(world, file, BODY_BYTES_MAX)
            .map_err(|error| Error::refused(format!("--body {}: {}", file.display(), io_words(&error))))?;
        request.set_body(&config, &body);
    }
    if args.key.is_none() && args.keys.is_none() {
        if args.rollout.is_some() || args.header_name.is_some() {
            return Err(Error::refused(
                "--rollout and --header-name say where a key goes; give --key or --keys too",
            ));
        }
        return explain_one(args, &config, &request, now, world);
    }
    let rollout = select_rollout(&config, args.rollout.as_deref())?;
    let source = key_source(&config, rollout, args.header_name.as_deref())?;
    let added = request.fill_match(&rollout.matcher);
    if !added.is_empty() {
        let added = added.join(", ");
        world.say(&format!("assumed, because rollout {} requires it: {added}", rollout.name));
    }
    if let Some(file) = &args.keys {
        return explain_many(&config, request, now, &source, file, world);
    }
    if let Some(key) = &args.key {
        request.set_key(&source, key.as_encoded_bytes());
    }
    explain_one(args, &config, &request, now, world)
}

/// The time of the request: `now` is not rounded, as a step's time would be.
fn request_time(text: &str, now: UnixMs) -> Result<UnixMs, Error> {
    if text == "now" {
        return Ok(now);
    }
    time_args::parse_time(text, now).map_err(|message| Error::refused(format!("--now {message}")))
}

fn request(args: &Args) -> Result<SampleRequest, Error> {
    let mut request = SampleRequest::default();
    request.add_header(":method", args.method.to_ascii_uppercase().as_encoded_bytes());
    for (name, value) in [(":authority", &args.host), (":path", &args.path)] {
        if let Some(value) = value {
            request.add_header(name, value.as_encoded_bytes());
        }
    }
    for header in &args.headers {
        let (name, value) = pair(header, b"=:", "--header", "x-conversation-id=c-42")?;
        HeaderName::new(name).map_err(|error| Error::refused(format!("--header {name:?} {error}")))?;
        request.add_header(name, value.trim_ascii());
    }
    for cookie in &args.cookies {
        pair(cookie, b"=", "--cookie", "conversation_id=c-42")?;
        request.add_cookie(cookie.as_encoded_bytes());
    }
    for metadata in &args.metadata {
        let (path, value) =
            pair(metadata, b"=", "--metadata", "envoy.filters.http.jwt_authn/payload/sub=alice")?;
        match path.strip_suffix(':') {
            Some(path) => request.add_metadata(path, &number(value, metadata)?.to_le_bytes()),
            None => request.add_metadata(path, value),
        }
    }
    Ok(request)
}

/// A number as Envoy hands it over: the key of a conversation is then its eight bytes.
fn number(text: &[u8], option: &OsString) -> Result<f64, Error> {
    let number = std::str::from_utf8(text).ok().and_then(|text| text.trim().parse().ok());
    number.ok_or_else(|| {
        Error::refused(format!("--metadata {option:?} has no number behind `:=`; write = for a text"))
    })
}

/// Splits an option at its first separator. A name is text, a value may be any bytes.
fn pair<'a>(
    option: &'a OsString,
    separators: &[u8],
    name: &str,
    example: &str,
) -> Result<(&'a str, &'a [u8]), Error> {
    let bytes = option.as_encoded_bytes();
    let at = bytes.iter().position(|b| separators.contains(b));
    let parts = at.and_then(|at| Some((bytes.get(..at)?, bytes.get(at.checked_add(1)?..)?)));
    parts
        .and_then(|(name, value)| Some((std::str::from_utf8(name).ok()?, value)))
        .filter(|(name, _)| !name.is_empty())
        .ok_or_else(|| {
            Error::refused(format!("{name} {option:?} is not a name and a value; write {name} {example}"))
        })
}

fn select_rollout<'a>(config: &'a Config, name: Option<&str>) -> Result<&'a Rollout, Error> {
    let found = match name {
        Some(name) => config.rollouts.iter().find(|rollout| rollout.name == name),
        None => config.rollouts.first(),
    };
    found.ok_or_else(|| {
        let names: Vec<&str> = config.rollouts.iter().map(|rollout| rollout.name.as_str()).collect();
        let known =
            if names.is_empty() { "has no rollouts".to_owned() } else { format!("has {}", names.join(", ")) };
        Error::refused(match name {
            Some(name) => format!("--rollout {name:?} is not in the configuration, which {known}"),
            None => format!("the configuration {known}, so no key goes anywhere"),
        })
    })
}

/// Where to put a key: the given header, or else the first header where the rollout looks, or else the first other place.
fn key_source(config: &Config, rollout: &Rollout, header: Option<&str>) -> Result<Source, Error> {
    if let Some(header) = header {
        let name = HeaderName::new(header)
            .map_err(|error| Error::refused(format!("--header-name {header:?} {error}")))?;
        let source = Source::Header(name);
        if !rollout.keys.iter().any(|key| key.source == source) {
            let places = key_sources(config, rollout);
            let message =
                format!("--header-name {header:?}: rollout {} looks only in {places}", rollout.name);
            return Err(Error::refused(message));
        }
        return Ok(source);
    }
    let is_header = |source: &&Source| matches!(source, Source::Header(_));
    // No message can be made that has a given hash.
    let sources = rollout.keys.iter().map(|key| &key.source);
    let mut sources = sources.filter(|source| !matches!(source, Source::FirstMessage));
    let found = sources.clone().find(is_header).or_else(|| sources.next());
    found.cloned().ok_or_else(|| {
        Error::refused({
            let places = key_sources(config, rollout);
            format!("rollout {} looks only in {places}; give the request with --body", rollout.name)
        })
    })
}

/// What the filter would do with a request. Its body is complete, so nothing is missing.
fn explanation(
    config: &Config,
    request: &SampleRequest,
    now: UnixMs,
    random: fn() -> u32,
) -> Option<Explanation> {
    route::explain(config, request, now, random).unwrap_or_default()
}

#[derive(Serialize)]
struct KeyLine<'a> {
    #[serde(flatten)]
    key: KeyText<'a>,
    bucket: Option<u32>,
    version: Option<&'a str>,
    reason: Option<&'static str>,
}

fn explain_many(
    config: &Config,
    mut request: SampleRequest,
    now: UnixMs,
    source: &Source,
    file: &Path,
    world: &mut World<'_>,
) -> Result<(), Error> {
    let mut keys = Keys::open(world, file)?;
    let random = world.random;
    let mut out = BufWriter::new(&mut *world.out);
    while let Some(key) = keys.next()? {
        request.set_key(source, key);
        let explanation = explanation(config, &request, now, random);
        let chosen = explanation.as_ref().and_then(|explanation| chosen(config, explanation));
        let line = KeyLine {
            key: key.into(),
            bucket: explanation.as_ref().and_then(|explanation| explanation.choice.bucket()),
            version: chosen.map(|(_, version)| version.name.as_str()),
            reason: explanation.as_ref().map(|explanation| explanation.decision.reason.as_str()),
        };
        serde_json::to_writer(&mut out, &line).map_err(io::Error::from)?;
        out.write_all(b"\n")?;
    }
    out.flush()?;
    Ok(())
}

fn explain_one(
    args: &Args,
    config: &Config,
    request: &SampleRequest,
    now: UnixMs,
    world: &mut World<'_>,
) -> Result<(), Error> {
    let explanation = explanation(config, request, now, world.random);
    let report = RouteReport::new(config, request, now, explanation.as_ref());
    if args.json {
        world.print_json(&report)?;
    } else {
        world.print(&report.lines(config, explanation.as_ref()).join("\n"))?;
    }
    Ok(())
}
