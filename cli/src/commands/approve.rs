//! `llm-canary approve`: lets a waiting release go on.

use crate::error::Error;
use crate::io::World;
use crate::io::access::cannot_read;
use crate::io::post::{Answer, check_url};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;

/// The server is the tool itself, which answers at once.
const TIMEOUT: Duration = Duration::from_secs(10);
/// A token is a line.
const TOKEN_BYTES_MAX: u64 = 64 << 10;
/// An answer that is not the tool's is shown up to here.
const ANSWER_CHARS_MAX: usize = 200;

/// Approve the next step of a release that waits for it.
///
/// A plan with `wait`, such as 5%,wait,50%, stops there until somebody approves. An approval passes one wait, once, and counts only
/// while the release waits: then the evidence is in order, and there for you to look at. The next step follows with the next
/// look, if that is still in order.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  llm-canary approve http://127.0.0.1:8099
  llm-canary approve https://canary.example.com --token-file token.txt

Exit codes: 0 approved; 2 not approved: nothing waits, the token is wrong, or nobody answers.")]
pub(crate) struct Args {
    /// The address of `run --listen`
    #[arg(value_name = "URL")]
    url: String,
    /// A file with the token that `run` was given
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) fn run(args: &Args, world: &mut World<'_>) -> Result<(), Error> {
    let url = args.url.trim_end_matches('/');
    check_url(url).map_err(|_| {
        Error::refused(format!("{:?} is no address; write one such as http://127.0.0.1:8099", args.url))
    })?;
    let mut headers = Vec::new();
    if let Some(path) = &args.token_file {
        let wrong = |words: &str| Error::refused(format!("--token-file {}: {words}", path.display()));
        let bytes = super::input::read(world, path, TOKEN_BYTES_MAX)
            .map_err(|error| wrong(&cannot_read(path, &error)))?;
        let token = String::from_utf8_lossy(&bytes).trim().to_owned();
        if token.is_empty() || token.contains(|char: char| char.is_whitespace() || char.is_control()) {
            return Err(wrong("is not one line with a token"));
        }
        headers.push(("authorization".to_owned(), format!("Bearer {token}")));
    }
    let answer = world.post.post(&format!("{url}/api/approve"), &headers, "{}", TIMEOUT);
    let answer = answer.map_err(|words| Error::refused(format!("{url}: {words}; nothing was approved")))?;
    let text = text(&answer);
    match answer.status {
        200..300 if args.json => Ok(world.print_json(&json!({"approved": true, "text": text}))?),
        200..300 => Ok(world.print(&text)?),
        401 | 403 => {
            let remedy = match args.token_file {
                Some(_) => "the token is not the one that `run` was given",
                None => "it asks for a token; add --token-file",
            };
            Err(Error::refused(format!("{url}: {remedy}; nothing was approved")))
        }
        404 => Err(Error::refused(format!(
            "{url}: there is no release that waits; is this the address of llm-canary run --listen?"
        ))),
        status => Err(Error::refused(format!("{url}: not approved (status {status}): {text}"))),
    }
}

/// The words of an answer.
fn text(answer: &Answer) -> String {
    let json: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    let own = ["text", "error"].iter().find_map(|name| json.get(name)?.as_str()).map(str::to_owned);
    let plain = || {
        let start: String = answer.body.trim().chars().take(ANSWER_CHARS_MAX).collect();
        start.chars().map(|char| if char.is_control() { ' ' } else { char }).collect()
    };
    own.unwrap_or_else(plain)
}
