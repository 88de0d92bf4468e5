//! The options that say where the numbers come from: the same for every command that judges.

use super::input::read;
use crate::error::Error;
use crate::io::World;
use crate::io::access::cannot_read;
use crate::io::admin::check_address;
use crate::io::polls::Polls;
use crate::io::prometheus::{Access, Prometheus};
use crate::io::source::{Kind, Source, read_token};
use crate::time_args::{millis, parse_duration};
use crate::windows::Span;
use clap::ArgGroup;
use llm_canary::timestamp::UnixMs;
use std::path::PathBuf;
use std::time::Duration;

/// A file of certificates.
const CA_BYTES_MAX: u64 = 4 << 20;
/// The shortest and the longest window, and time between polls.
const SPAN_MIN: Duration = Duration::from_millis(100);
const SPAN_MAX: Duration = Duration::from_secs(86_400);

/// Where the numbers come from: exactly one of --admin, --prometheus and --from.
#[derive(clap::Args)]
#[command(next_help_heading = "Source (exactly one of --admin, --prometheus, --from)")]
#[group(skip)]
#[command(group = ArgGroup::new("source").required(true).args(["admin", "prometheus", "from"]))]
pub(crate) struct SourceArgs {
    /// The address of an Envoy's admin page, such as http://127.0.0.1:9901; repeat it for each Envoy. Evidence begins
    /// now
    #[arg(long, value_name = "URL")]
    admin: Vec<String>,

    /// The time between two polls of the admin pages
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = parse_span, conflicts_with_all = ["prometheus", "from"])]
    every: Duration,

    /// The address of Prometheus, Thanos, Mimir or VictoriaMetrics, in front of /api/v1. Evidence reaches back
    #[arg(long, value_name = "URL")]
    prometheus: Option<String>,

    /// A file of lines `name{labels} value seconds`, as `promtool tsdb dump-openmetrics` writes them; - is standard input.
    /// Now is its newest sample
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,

    /// The length of a window, with --prometheus and --from
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = parse_span, conflicts_with = "admin")]
    window: Duration,

    /// Labels that all series of this release have in Prometheus, such as 'namespace="x"'
    #[arg(
        long,
        value_name = "MATCHERS",
        default_value = "",
        hide_default_value = true,
        conflicts_with_all = ["admin", "from"]
    )]
    selector: String,

    /// A header for Prometheus, such as 'X-Scope-OrgID: a'; may be repeated
    #[arg(long, value_name = "HEADER", value_parser = parse_header, conflicts_with_all = ["admin", "from"])]
    header: Vec<(String, String)>,

    /// A file with the token that Prometheus asks for; it is read again each time
    #[arg(long, value_name = "FILE", conflicts_with_all = ["admin", "from"])]
    bearer_token_file: Option<PathBuf>,

    /// Certificates in PEM of the authority that Prometheus' certificate is from
    #[arg(long, value_name = "FILE", conflicts_with_all = ["admin", "from"])]
    ca: Option<PathBuf>,
}

impl SourceArgs {
    /// Whether the source is polled, so that evidence begins now and windows come as time passes.
    pub(crate) fn is_polled(&self) -> bool {
        !self.admin.is_empty()
    }

    /// The addresses of the Envoys, if these are the source.
    pub(crate) fn admins(&self) -> &[String] {
        &self.admin
    }

    /// The time between two polls, or the length of a window.
    pub(crate) fn span(&self) -> Duration {
        if self.is_polled() { self.every } else { self.window }
    }

    /// Whether nothing will follow what there is.
    pub(crate) fn is_file(&self) -> bool {
        self.from.is_some()
    }

    /// Checks what the operator has named. A file that is not there will hardly come; a server that is down may.
    ///
    /// # Errors
    /// The token cannot be read.
    pub(super) fn check_files(&self, world: &World<'_>) -> Result<(), Error> {
        self.bearer_token_file.iter().try_for_each(|file| read_token(world, file).map(drop))
    }

    /// Opens the source; nothing is read yet. Windows that begin before `since_ms` are left out. If the rollout is known that is
    /// judged, less needs to be asked for.
    ///
    /// # Errors
    /// An option is wrong, or names a file that cannot be read.
    pub(crate) fn open(
        &self,
        world: &World<'_>,
        since_ms: Option<UnixMs>,
        rollout: Option<&str>,
    ) -> Result<Source, Error> {
        let window_ms = millis(self.window).max(1);
        if let Some(url) = &self.prometheus {
            let ca = self.ca.as_ref().map(|path| {
                let wrong = |words: String| Error::refused(format!("--ca {}: {words}", path.display()));
                // One more byte shows that it is too long.
                let bytes =
                    read(world, path, CA_BYTES_MAX + 1).map_err(|error| wrong(cannot_read(path, &error)))?;
                match bytes.len() as u64 > CA_BYTES_MAX {
                    true => {
                        Err(wrong("is longer than 4 MiB; give the authority's certificate alone".to_owned()))
                    }
                    false => Ok(bytes),
                }
            });
            let access = Access {
                url: url.clone(),
                headers: self.header.clone(),
                ca: ca.transpose()?,
                selector: self.selector.clone(),
                rollout: rollout.map(str::to_owned),
            };
            let server = Prometheus::new(access, window_ms, since_ms).map_err(Error::refused)?;
            let kind = Kind::Prometheus {
                server: Box::new(server),
                url: url.clone(),
                headers: self.header.clone(),
                token_file: self.bearer_token_file.clone(),
            };
            return Ok(Source::new(kind, Span::Aligned(window_ms), since_ms));
        }
        if let Some(file) = &self.from {
            return Ok(Source::new(Kind::File(Some(file.clone())), Span::Aligned(window_ms), since_ms));
        }
        for address in &self.admin {
            check_address(address).map_err(|words| Error::refused(format!("--admin {address}: {words}")))?;
        }
        let mut addresses = self.admin.clone();
        addresses.sort();
        addresses.dedup();
        Ok(Source::new(Kind::Admin(Polls::new(&addresses, self.every)), Span::Polls, since_ms))
    }
}

/// Reads the length of a window, or the time between polls.
fn parse_span(text: &str) -> Result<Duration, String> {
    let span = parse_duration(text)?;
    match (SPAN_MIN..=SPAN_MAX).contains(&span) {
        true => Ok(span),
        false => Err(format!("{text:?} is not between 100ms and 1d")),
    }
}

/// Reads a header: `NAME: VALUE`.
fn parse_header(text: &str) -> Result<(String, String), String> {
    let (name, value) =
        text.split_once(':').map(|(name, value)| (name.trim(), value.trim())).unwrap_or_default();
    let is_name = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    let is_valid = !name.is_empty() && name.bytes().all(is_name) && !value.chars().any(char::is_control);
    is_valid
        .then(|| (name.to_owned(), value.to_owned()))
        .ok_or_else(|| format!("{text:?} is not a header; write 'NAME: VALUE', such as 'X-Scope-OrgID: a'"))
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod day_tests;
#[cfg(test)]
mod equal_tests;
#[cfg(test)]
mod limit_tests;
#[cfg(test)]
mod many_tests;
