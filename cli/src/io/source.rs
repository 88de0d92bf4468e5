//! Where the numbers come from: Envoys' admin pages, Prometheus or a file. All become the same windows.
//!
//! ```text
//! source.load(world)?                   reads what is new, and never waits for its time
//! source.seen()                         which rollouts and versions there are
//! source.windows(|tally| …)             the windows that were closed by it, in order of time
//! clock.sleep(source.wait(clock))       until there may be more
//! ```

use super::World;
use super::access::cannot_read;
use super::clock::Clock;
use super::polls::{Polls, Silent};
use super::prometheus::Prometheus;
use crate::error::{Error, Problem, io_words};
use crate::prometheus_text::{TextError, read_file};
use crate::windows::{Samples, SeenRollout, Span, Tally};
use llm_canary::timestamp::UnixMs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A token is a line.
const TOKEN_BYTES_MAX: u64 = 64 << 10;

/// What a command reads its numbers from.
pub(crate) struct Source {
    kind: Kind,
    samples: Samples,
    /// Windows that begin before are not handed out.
    since_ms: UnixMs,
    /// The last aligned window that is complete ends here.
    complete_ms: Option<UnixMs>,
    /// The poll that has not been handed out: its time, how many Envoys answered, and whether all did.
    poll: Option<(UnixMs, usize, bool)>,
}

/// Which source it is.
pub(crate) enum Kind {
    Admin(Polls),
    Prometheus {
        server: Box<Prometheus>,
        url: String,
        headers: Vec<(String, String)>,
        token_file: Option<PathBuf>,
    },
    /// The file, until it was read.
    File(Option<PathBuf>),
}

/// What reading brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Loaded {
    /// Envoys that did not answer, and why.
    pub(crate) silent: Vec<Problem>,
    /// Words for the operator.
    pub(crate) notes: Vec<String>,
    /// Whether there will never be more.
    pub(crate) is_all: bool,
}

impl Source {
    /// `span` is that of the windows, `since_ms` where the windows begin, if it is not all there is.
    pub(crate) fn new(kind: Kind, span: Span, since_ms: Option<UnixMs>) -> Self {
        Self {
            kind,
            samples: Samples::new(span),
            since_ms: since_ms.unwrap_or(0),
            complete_ms: None,
            poll: None,
        }
    }

    /// Reads what is new: all of a file, all steps of Prometheus until now, or one poll of each Envoy.
    ///
    /// # Errors
    /// The source does not answer, or with something else. It may be asked again: what was missed is read then.
    pub(crate) fn load(&mut self, world: &World<'_>) -> Result<Loaded, Error> {
        let mut loaded = Loaded::default();
        match &mut self.kind {
            Kind::Admin(polls) => {
                let silent = polls.poll(world.admin, world.clock, &mut self.samples);
                let answered = polls.count().saturating_sub(silent.len());
                self.poll = Some((world.clock.now(), answered, silent.is_empty()));
                loaded.silent = silent.iter().map(problem).collect();
            }
            Kind::Prometheus { server, url, headers, token_file } => {
                if let Some(file) = token_file {
                    let token = read_token(world, file)?;
                    let mut headers = headers.clone();
                    headers.push(("authorization".to_owned(), format!("Bearer {token}")));
                    server.set_headers(headers);
                }
                let read = server.read(world.clock, world.signals, &mut self.samples);
                // What came before it broke off is complete as well.
                self.complete_ms = match &read {
                    Ok(complete) => *complete,
                    Err(_) => self.samples.newest_ms(),
                };
                read.map_err(|words| Error::problem(&without_password(url), words))?;
            }
            Kind::File(file) => {
                loaded.is_all = true;
                if let Some(file) = file.take() {
                    loaded.notes.extend(self.load_file(world, &file)?);
                }
            }
        }
        loaded.notes.extend(native_only(&self.samples.native_only()));
        Ok(loaded)
    }

    fn load_file(&mut self, world: &World<'_>, path: &Path) -> Result<Option<String>, Error> {
        let name = path.display().to_string();
        let unreadable = |error| Error::problem(&name, cannot_read(path, &error));
        let mut file = world.files.open(path).map_err(unreadable)?;
        let is_cut = read_file(&mut *file, &mut self.samples).map_err(|error| match error {
            TextError::Line(number, words) => Error::problem(&name, format!("line {number} {words}")),
            TextError::Io(error) => unreadable(error),
        })?;
        if self.samples.newest_ms().is_none() {
            return Err(Error::problem(
                &name,
                "has no samples of the filter's metrics (llm_requests_total and others, with their labels llm_rollout, \
                 llm_version and llm_compare)",
            ));
        }
        Ok(is_cut.then(|| format!("{name}: its last line is cut off and was left out")))
    }

    /// Hands out the windows that are closed now, in order of time.
    pub(crate) fn windows(&mut self, mut on_tally: impl FnMut(&Tally<'_>)) {
        let since_ms = self.since_ms;
        let mut on_tally = |tally: &Tally<'_>| {
            if tally.start_ms() >= since_ms {
                on_tally(tally);
            }
        };
        self.samples.drain(&mut on_tally);
        match &self.kind {
            Kind::Admin(_) => match self.poll.take() {
                Some((at_ms, 0, _)) => self.samples.close_silent(at_ms, &mut on_tally),
                Some((_, _, is_complete)) => self.samples.close(!is_complete, &mut on_tally),
                None => {}
            },
            Kind::File(_) => self.samples.close(false, &mut on_tally),
            Kind::Prometheus { .. } => {
                if let Some(complete_ms) = self.complete_ms {
                    self.samples.close_until(complete_ms, &mut on_tally);
                }
            }
        }
    }

    /// The rollouts and versions that have series in what was loaded.
    pub(crate) fn seen(&self) -> Vec<SeenRollout> {
        self.samples.seen()
    }

    /// The present as far as the source can know it: the newest sample of a file, and of Prometheus what is settled.
    pub(crate) fn now_ms(&self, clock: &dyn Clock) -> UnixMs {
        match &self.kind {
            Kind::File(_) => self.samples.newest_ms().unwrap_or(0),
            Kind::Prometheus { server, .. } => server.settled_ms(clock.now()),
            Kind::Admin(_) => clock.now(),
        }
    }

    /// Which instances run a rollout by another configuration than most, in words; `None` if all run the same.
    pub(crate) fn other_configs(&self, rollout: &str) -> Option<String> {
        let newest_ms = self.samples.newest_ms()?;
        self.samples.other_configs(rollout, newest_ms.saturating_sub(RECENT_MS))
    }

    /// How many instances run a rollout, and which of them by another configuration than the one with this hash. Nothing before
    /// the first sample.
    pub(crate) fn running(&self, rollout: &str, hash: u32) -> Option<(usize, Vec<String>)> {
        let newest_ms = self.samples.newest_ms()?;
        let expected: Vec<&str> = match &self.kind {
            Kind::Admin(polls) => polls.addresses().collect(),
            Kind::Prometheus { .. } | Kind::File(_) => Vec::new(),
        };
        Some(self.samples.running(rollout, hash, newest_ms.saturating_sub(RECENT_MS), &expected))
    }

    /// How long to wait until there may be more; nothing of a file.
    pub(crate) fn wait(&self, clock: &dyn Clock) -> Duration {
        match &self.kind {
            Kind::Admin(polls) => polls.wait(clock),
            Kind::Prometheus { server, .. } => server.wait(clock),
            Kind::File(_) => Duration::ZERO,
        }
    }
}

/// An instance whose last sample is older than this before the newest of all is taken to be gone.
const RECENT_MS: u64 = 180_000;

/// What there is to say about histograms that are native ones alone.
fn native_only(names: &[&str]) -> Option<String> {
    (!names.is_empty()).then(|| {
        format!(
            "only native histograms are there of {}, which are not read, so their signals are absent; have Prometheus keep the classic \
             ones, with always_scrape_classic_histograms: true where it scrapes Envoy (before Prometheus 3: scrape_classic_histograms)",
            names.join(", ")
        )
    })
}

fn problem(silent: &Silent) -> Problem {
    Problem::new(&without_password(&silent.address), "", &silent.why)
}

/// An address as it is told to people, and on a page that others may read.
fn without_password(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").map_or(("", url), |(scheme, rest)| (scheme, rest));
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(end).unwrap_or((rest, ""));
    let colon = if scheme.is_empty() { "" } else { "://" };
    match authority.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}{colon}…@{host}{path}"),
        None => url.to_owned(),
    }
}

/// The first line of a file with a token.
///
/// # Errors
/// The file cannot be read, or holds no token.
pub(crate) fn read_token(world: &World<'_>, path: &Path) -> Result<String, Error> {
    let name = format!("--bearer-token-file {}", path.display());
    let wrong = |words: String| Error::refused(format!("{name}: {words}"));
    let mut text = String::new();
    let file = world.files.open(path).map_err(|error| wrong(cannot_read(path, &error)))?;
    // One more byte shows that it is too long.
    file.take(TOKEN_BYTES_MAX + 1).read_to_string(&mut text).map_err(|error| wrong(io_words(&error)))?;
    if text.len() as u64 > TOKEN_BYTES_MAX {
        return Err(wrong("is longer than 64 KiB, and no token".to_owned()));
    }
    let token = text.trim();
    if token.is_empty() || token.contains(|char: char| char.is_whitespace() || char.is_control()) {
        return Err(wrong("is not one line with a token".to_owned()));
    }
    Ok(token.to_owned())
}

#[cfg(test)]
mod tests {
    use super::without_password;

    #[test]
    fn a_password_is_told_to_nobody() {
        for (url, expect) in [
            ("http://p:9090", "http://p:9090"),
            ("http://user:secret@p:9090/prom", "http://…@p:9090/prom"),
            ("https://se@cret@p", "https://…@p"),
            ("user:secret@p:9901", "…@p:9901"),
            ("http://p/a@b", "http://p/a@b"),
            ("http://user:secret@", "http://…@"),
            ("", ""),
        ] {
            assert_eq!(without_password(url), expect);
        }
    }
}
