//! `llm-canary explain`: key → bucket → range → version, by the filter's own code.

mod story;

use crate::request::Given;
use crate::source;
use crate::warnings::places;
use crate::{FINE, Failure, INPUT_ERROR, moment, now};
use llm_canary::config::{Config, Rollout, Source};
use llm_canary::headers::HeaderName;
use llm_canary::route::{self, Explanation};
use llm_canary::timestamp::UnixMs;
use serde::Serialize;
use std::ffi::OsString;
use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use story::{Bytes, Story, chosen};

/// A body longer than this is read to here; Envoy would not hand over more of it either.
const BODY_BYTES_MAX: u64 = 16 << 20;

/// Show which version a request gets, and every step that leads there.
///
/// The request is what the options say, and the time is now, or --now. With --key or --keys, what the rollout's match asks for and the
/// options leave out is filled in, so that a key alone is enough.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  llm-canary explain config.json --host llm.example.com --path /v1/chat/completions \\
      --header x-conversation-id=c-42
  llm-canary explain config.json --key c-42
  llm-canary explain config.json --cookie conversation_id=c-42 --json
  llm-canary explain config.json --path /v1/chat/completions --body request.json
  llm-canary explain config.json --key 019ab2f0-7c00-7000-8000-000000000001 --now 2026-11-24T09:00:00Z
  cut -d' ' -f1 ids.txt | llm-canary explain config.json --keys - | jq -r .version | sort | uniq -c

Exit code 0: explained, also where no rollout is about the request; 2: usage or input error.")]
pub(crate) struct Args {
    /// A file with one llm-canary configuration, of any kind that `check` reads.
    config: PathBuf,
    /// A request header.
    #[arg(long = "header", short = 'H', value_name = "NAME=VALUE")]
    headers: Vec<OsString>,
    /// The host the request is for.
    #[arg(long, value_name = "HOST")]
    host: Option<OsString>,
    /// The request's path, with its query.
    #[arg(long, value_name = "PATH")]
    path: Option<OsString>,
    /// A cookie.
    #[arg(long = "cookie", value_name = "NAME=VALUE")]
    cookies: Vec<OsString>,
    /// Dynamic metadata of an earlier filter.
    #[arg(long, value_name = "FILTER/KEY=VALUE")]
    metadata: Vec<OsString>,
    /// The request's body: a file, or `-`.
    #[arg(long, value_name = "FILE")]
    body: Option<PathBuf>,
    /// When the request comes: now, +10m, or RFC 3339.
    #[arg(long, value_name = "MOMENT", default_value = "now")]
    now: String,
    /// A key, put in the first header the rollout looks in, or else in the first place it looks in.
    #[arg(long, conflicts_with = "keys")]
    key: Option<OsString>,
    /// Many keys, one a line, from a file or `-`; prints one JSON line for each.
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
    /// The header --key and --keys are put in, instead of the first the rollout looks in.
    #[arg(long, value_name = "NAME")]
    header_name: Option<String>,
    /// The rollout --key and --keys are for, instead of the first.
    #[arg(long, value_name = "NAME")]
    rollout: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<u8, Failure> {
    let now = moment(&args.now)?;
    let Some(config) = source::config(&args.config)? else { return Ok(INPUT_ERROR) };
    let mut request = request(args)?;
    if let Some(file) = &args.body {
        request.set_body(&config, &read_body(file)?);
    }
    if args.key.is_none() && args.keys.is_none() {
        if args.rollout.is_some() || args.header_name.is_some() {
            return Err(Failure::new(
                "--rollout and --header-name say where a key goes; give --key or --keys too",
            ));
        }
        return one(args, &config, &request, now);
    }
    let rollout = chosen_rollout(&config, args.rollout.as_deref())?;
    let source = key_source(&config, rollout, args.header_name.as_deref())?;
    let added = request.satisfy(&rollout.matcher);
    if !added.is_empty() {
        eprintln!("assumed, because rollout {} asks for it: {}", rollout.name, added.join(", "));
    }
    match (&args.key, &args.keys) {
        (Some(key), _) => {
            request.set_key(&source, key.as_encoded_bytes());
            one(args, &config, &request, now)
        }
        (None, Some(file)) => many(&config, &request, now, &source, file),
        (None, None) => Ok(FINE),
    }
}

fn moment(text: &str) -> Result<UnixMs, Failure> {
    // The very moment, not the next full second.
    if text == "now" {
        Ok(now())
    } else {
        moment::parse_from(text, now()).map_err(|e| Failure::new(format!("--now {e}")))
    }
}

fn read_body(file: &Path) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    let read = if file == Path::new("-") {
        io::stdin().lock().take(BODY_BYTES_MAX).read_to_end(&mut body)
    } else {
        File::open(file).and_then(|file| file.take(BODY_BYTES_MAX).read_to_end(&mut body))
    };
    read.map_err(|error| Failure::new(format!("--body {}: {error}", file.display())))?;
    Ok(body)
}

fn request(args: &Args) -> Result<Given, Failure> {
    let mut request = Given::default();
    for (name, value) in [(":authority", &args.host), (":path", &args.path)] {
        if let Some(value) = value {
            request.add_header(name, value.as_encoded_bytes());
        }
    }
    for header in &args.headers {
        let (name, value) = pair(header, b"=:", "--header", "x-conversation-id=c-42")?;
        HeaderName::new(name).map_err(|error| Failure::new(format!("--header {name:?} {error}")))?;
        request.add_header(name, value.trim_ascii());
    }
    for cookie in &args.cookies {
        pair(cookie, b"=", "--cookie", "conversation_id=c-42")?;
        request.add_cookie(cookie.as_encoded_bytes());
    }
    for metadata in &args.metadata {
        let (path, value) =
            pair(metadata, b"=", "--metadata", "envoy.filters.http.jwt_authn/payload/sub=alice")?;
        request.add_metadata(path, value);
    }
    Ok(request)
}

/// Splits an option at its first separator. Values may be any bytes, names are text.
fn pair<'a>(
    option: &'a OsString,
    separators: &[u8],
    name: &str,
    example: &str,
) -> Result<(&'a str, &'a [u8]), Failure> {
    let bytes = option.as_encoded_bytes();
    let at = bytes.iter().position(|b| separators.contains(b));
    let parts = at.and_then(|at| Some((bytes.get(..at)?, bytes.get(at.checked_add(1)?..)?)));
    parts
        .and_then(|(name, value)| Some((std::str::from_utf8(name).ok()?, value)))
        .filter(|(name, _)| !name.is_empty())
        .ok_or_else(|| {
            Failure::new(format!("{name} {option:?} is not a name and a value; write {name} {example}"))
        })
}

fn chosen_rollout<'a>(config: &'a Config, name: Option<&str>) -> Result<&'a Rollout, Failure> {
    let found = match name {
        Some(name) => config.rollouts.iter().find(|rollout| rollout.name == name),
        None => config.rollouts.first(),
    };
    found.ok_or_else(|| {
        let names: Vec<&str> = config.rollouts.iter().map(|rollout| rollout.name.as_str()).collect();
        let known =
            if names.is_empty() { "has no rollouts".to_owned() } else { format!("has {}", names.join(", ")) };
        Failure::new(match name {
            Some(name) => format!("--rollout {name:?} is not in the configuration, which {known}"),
            None => format!("the configuration {known}, so no key goes anywhere"),
        })
    })
}

/// Where a key is put: the header that is named, else the first header the rollout looks in, else the
/// first place of any kind.
fn key_source(config: &Config, rollout: &Rollout, header: Option<&str>) -> Result<Source, Failure> {
    if let Some(header) = header {
        let name = HeaderName::new(header)
            .map_err(|error| Failure::new(format!("--header-name {header:?} {error}")))?;
        let source = Source::Header(name);
        if !rollout.keys.iter().any(|key| key.source == source) {
            let places = places(config, rollout);
            let message =
                format!("--header-name {header:?}: rollout {} looks only in {places}", rollout.name);
            return Err(Failure::new(message));
        }
        return Ok(source);
    }
    let is_header = |source: &&Source| matches!(source, Source::Header(_));
    // A key cannot be made into a message that hashes to it.
    let sources = rollout.keys.iter().map(|key| &key.source);
    let mut sources = sources.filter(|source| !matches!(source, Source::FirstMessage));
    let found = sources.clone().find(is_header).or_else(|| sources.next());
    found.cloned().ok_or_else(|| {
        Failure::new({
            let places = places(config, rollout);
            format!("rollout {} looks only in {places}; give the request with --body", rollout.name)
        })
    })
}

/// What the filter would do with a request; its body is given whole, so that nothing more is needed of it.
fn explained(config: &Config, request: &Given, now: UnixMs) -> Option<Explanation> {
    route::explain(config, request, now, random).unwrap_or_default()
}

/// 32 random bits, for a request that has no key.
fn random() -> u32 {
    (RandomState::new().hash_one(0) >> 32) as u32
}

#[derive(Serialize)]
struct KeyLine<'a> {
    #[serde(flatten)]
    key: Bytes<'a>,
    bucket: Option<u32>,
    version: Option<&'a str>,
    reason: Option<&'static str>,
}

fn many(config: &Config, request: &Given, now: UnixMs, source: &Source, file: &Path) -> Result<u8, Failure> {
    let cannot_read = |error: io::Error| Failure::new(format!("--keys {}: {error}", file.display()));
    let mut keys: Box<dyn BufRead> = if file == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        Box::new(BufReader::new(File::open(file).map_err(cannot_read)?))
    };
    let mut out = BufWriter::new(io::stdout().lock());
    let mut request = request.clone();
    let mut line = Vec::new();
    while keys.read_until(b'\n', &mut line).map_err(cannot_read)? > 0 {
        let key = line.strip_suffix(b"\n").unwrap_or(&line);
        let key = key.strip_suffix(b"\r").unwrap_or(key);
        request.set_key(source, key);
        let explanation = explained(config, &request, now);
        let chosen = explanation.as_ref().and_then(|explanation| chosen(config, explanation));
        let line_out = KeyLine {
            key: key.into(),
            bucket: explanation.as_ref().and_then(|explanation| explanation.choice.bucket()),
            version: chosen.map(|(_, version)| version.name.as_str()),
            reason: explanation.as_ref().map(|explanation| explanation.decision.reason.as_str()),
        };
        serde_json::to_writer(&mut out, &line_out).map_err(io::Error::from)?;
        out.write_all(b"\n")?;
        line.clear();
    }
    out.flush()?;
    Ok(FINE)
}

fn one(args: &Args, config: &Config, request: &Given, now: UnixMs) -> Result<u8, Failure> {
    let explanation = explained(config, request, now);
    let story = Story::new(config, request, now, explanation.as_ref());
    let text = if args.json {
        serde_json::to_string_pretty(&story).map_err(io::Error::from)?
    } else {
        story.in_words(config, explanation.as_ref()).join("\n")
    };
    writeln!(io::stdout(), "{text}")?;
    Ok(FINE)
}
