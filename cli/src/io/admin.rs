//! Envoys' admin pages, and waiting until every Envoy runs a configuration.
//!
//! All Envoys are asked at once, each by a thread of its own, until they export the configuration's hash or count
//! that they refused an update.

use super::clock::Clock;
use crate::clocks::{ClockOffset, Present};
use crate::envoy::{self, AdminStats, EnvoyStatus, Progress, STATS_PATH, Watched};
use crate::error::io_words;
use llm_canary::timestamp::{self, UnixMs};
use std::io;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use ureq::Agent;
use ureq::http::Uri;

/// The time between two requests to one Envoy.
const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// The timeout of the requests before a change. They tell the Envoys' clocks, and a rollback must not wait long for an
/// Envoy that is gone.
const BEFORE_TIMEOUT: Duration = Duration::from_millis(500);
/// The timeout of a request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// The time between two lines about Envoys that are still waited for.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(2);
/// The longest response that is read; the page has a few lines.
const RESPONSE_BYTES_MAX: u64 = 4 << 20;
/// The filter's metrics, and nothing of the hundred thousand others that an Envoy may have.
const METRICS_PATH: &str = "/stats/prometheus?filter=llm_";
/// The longest page of metrics that is read. A thousand versions have 56 MB.
const METRICS_BYTES_MAX: u64 = 100 << 20;

const NO_ADDRESS: &str = "this is no address; write one such as http://127.0.0.1:9901";
const NO_DATE: &str = "its admin page does not say the time (the header date)";

/// Reads admin pages; threads may share it.
pub(crate) trait Admin: Sync {
    /// A page, or why there is none.
    fn get(&self, admin: &str, path: &str, timeout: Duration) -> Result<Page, String>;
    /// The filter's metrics as Prometheus' text, or why there are none.
    fn metrics(&self, admin: &str, timeout: Duration) -> Result<Vec<u8>, String>;
}

/// An admin page.
pub(crate) struct Page {
    pub(crate) text: String,
    /// The header `date`.
    pub(crate) date: Option<String>,
}

/// Reads admin pages over HTTP.
pub(crate) struct HttpAdmin {
    agent: Agent,
}

/// What is said while Envoys are waited for.
pub(crate) enum News<'a> {
    /// One Envoy is done.
    Done(&'a EnvoyStatus),
    /// These are not, after so many seconds.
    Waiting(Vec<&'a str>, u64),
}

/// The Envoys that must run a configuration.
pub(crate) struct Envoys<'a> {
    admin: &'a dyn Admin,
    clock: &'a dyn Clock,
    addresses: &'a [String],
    watched: Watched<'a>,
    /// What is known of each, in the same order.
    known: Vec<Known>,
}

/// What is known of an Envoy.
struct Known {
    /// How many updates it had refused before the change.
    refused: Option<u64>,
    /// How far its clock is ahead, or why that is not known.
    clock: Result<ClockOffset, String>,
}

impl HttpAdmin {
    pub(crate) fn new() -> Self {
        // An admin page is near, never behind the proxy that the environment names.
        Self { agent: Agent::config_builder().proxy(None).max_redirects(0).build().into() }
    }
}

impl HttpAdmin {
    /// A page's bytes, and its header `date`.
    fn fetch(
        &self,
        admin: &str,
        path: &str,
        timeout: Duration,
        bytes_max: u64,
    ) -> Result<(Vec<u8>, Option<String>), String> {
        let url =
            format!("{}{path}", base_url(admin).map_err(|words| format!("it does not answer: {words}"))?);
        let request = self.agent.get(&url).config().timeout_global(Some(timeout)).build();
        let mut response =
            request.call().map_err(|error| format!("it does not answer: {}", http_words(&error)))?;
        if response.status().is_redirection() {
            let location = response.headers().get("location").and_then(|location| location.to_str().ok());
            let location = location.map(|location| format!(", {location}")).unwrap_or_default();
            return Err(format!(
                "it sends to another address{location}; give the address of Envoy's admin page itself"
            ));
        }
        let date = response.headers().get("date").and_then(|date| date.to_str().ok()).map(str::to_owned);
        let body = response.body_mut().with_config().limit(bytes_max).read_to_vec();
        body.map(|bytes| (bytes, date)).map_err(|error| match error {
            ureq::Error::BodyExceedsLimit(_) => too_long(bytes_max),
            error => format!("its answer cannot be read: {}", http_words(&error)),
        })
    }
}

impl Admin for HttpAdmin {
    fn get(&self, admin: &str, path: &str, timeout: Duration) -> Result<Page, String> {
        let (bytes, date) = self.fetch(admin, path, timeout, RESPONSE_BYTES_MAX)?;
        Ok(Page { text: String::from_utf8_lossy(&bytes).into_owned(), date })
    }

    fn metrics(&self, admin: &str, timeout: Duration) -> Result<Vec<u8>, String> {
        Ok(self.fetch(admin, METRICS_PATH, timeout, METRICS_BYTES_MAX)?.0)
    }
}

/// What is wrong with a page of more bytes than this.
fn too_long(bytes_max: u64) -> String {
    let way_out = match bytes_max {
        METRICS_BYTES_MAX => {
            "write \"shards\": false into its rollouts, remove rollouts that are over and restart it, or judge from Prometheus \
             (--prometheus)"
        }
        _ => "is this the address of Envoy's admin page?",
    };
    format!("its answer cannot be read: it is longer than {} MiB; {way_out}", bytes_max >> 20)
}

/// Refuses what is no address of an admin page, without asking anybody.
///
/// # Errors
/// A sentence without its subject.
pub(crate) fn check_address(admin: &str) -> Result<(), String> {
    let url = base_url(admin)?;
    let is_url = format!("{url}{STATS_PATH}").parse::<Uri>().is_ok() && !url.contains(['?', '#']);
    is_url.then_some(()).ok_or_else(|| NO_ADDRESS.to_owned())
}

/// The address of an admin page with its scheme. The library would ignore a port that is none.
fn base_url(admin: &str) -> Result<String, String> {
    let (scheme, rest) = admin.split_once("://").unwrap_or(("http", admin));
    if scheme == "https" {
        return Err("an admin page is read over http://, not https://".to_owned());
    }
    let rest = rest.trim_end_matches('/');
    let authority = rest.split('/').next().unwrap_or_default();
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port),
        _ => (authority, "80"),
    };
    if scheme != "http" || host.is_empty() || port.parse::<u16>().is_err() {
        return Err(NO_ADDRESS.to_owned());
    }
    Ok(format!("http://{rest}"))
}

/// Whether the system could not find the address of a host's name. That error has no number, and a kind without a name.
pub(super) fn is_of_resolver(error: &io::Error) -> bool {
    let is_named = matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof
            | io::ErrorKind::InvalidData
            | io::ErrorKind::InvalidInput
            | io::ErrorKind::TimedOut
            | io::ErrorKind::WouldBlock
            | io::ErrorKind::Other
    );
    error.raw_os_error().is_none() && !is_named
}

/// What a failed request means, as a sentence.
fn http_words(error: &ureq::Error) -> String {
    use ureq::Error as Http;
    match error {
        Http::StatusCode(status) => {
            format!("it answers with the status {status}; is this the address of Envoy's admin page?")
        }
        Http::Io(error) if is_of_resolver(error) => "its name is not known; check the spelling".to_owned(),
        Http::Io(error) => format!("it {}", io_words(error)),
        Http::Timeout(_) => "it took too long".to_owned(),
        Http::HostNotFound => "its name is not known; check the spelling".to_owned(),
        Http::BadUri(_) | Http::Http(_) => NO_ADDRESS.to_owned(),
        Http::RedirectFailed | Http::TooManyRedirects => {
            "it sends to another address; give the address of Envoy's admin page itself".to_owned()
        }
        _ => "it does not speak HTTP as Envoy's admin page does".to_owned(),
    }
}

impl<'a> Envoys<'a> {
    /// Asks every Envoy for its counters and its time before a change. None is waited for for long.
    pub(crate) fn before_change(
        admin: &'a dyn Admin,
        clock: &'a dyn Clock,
        addresses: &'a [String],
        watched: Watched<'a>,
    ) -> Self {
        let not_asked = || Known { refused: None, clock: Err(String::new()) };
        let known = addresses.iter().map(|_| not_asked()).collect();
        let mut envoys = Self { admin, clock, addresses, watched, known };
        envoys.ask_unknown(BEFORE_TIMEOUT);
        envoys
    }

    /// Asks those whose clock is not known once more, and waits longer.
    pub(crate) fn ask_again(&mut self) {
        self.ask_unknown(REQUEST_TIMEOUT);
    }

    /// Asks those whose clock is not known, all at once.
    fn ask_unknown(&mut self, timeout: Duration) {
        let (admin, clock, watched) = (self.admin, self.clock, &self.watched);
        thread::scope(|scope| {
            let unknown =
                self.addresses.iter().zip(&mut self.known).filter(|(_, known)| known.clock.is_err());
            for (address, known) in unknown {
                scope.spawn(move || match stats(admin, clock, address, watched, timeout) {
                    Ok((stats, offset)) => {
                        *known =
                            Known { refused: Some(stats.refused), clock: offset.ok_or(NO_DATE.to_owned()) };
                    }
                    Err(why) => known.clock = Err(why),
                });
            }
        });
    }

    /// How far the clock of each is ahead of this machine's, or why that is not known.
    pub(crate) fn clocks(&self) -> impl Iterator<Item = (&'a str, Result<ClockOffset, &str>)> {
        let clocks = self.known.iter().map(|known| known.clock.as_ref().copied().map_err(String::as_str));
        self.addresses.iter().map(String::as_str).zip(clocks)
    }

    /// The present, by this machine's clock and those of the Envoys.
    pub(crate) fn present(&self) -> Present {
        Present::new(self.clock.now(), self.clocks().map(|(_, clock)| clock.ok()))
    }

    /// The time on the clock of each, when it is `here` on this machine's; the same, if its clock is not known.
    pub(crate) fn times_at(&self, here: UnixMs) -> Vec<UnixMs> {
        self.clocks().map(|(_, clock)| clock.map_or(here, |clock| clock.time_at(here))).collect()
    }

    /// Waits until every Envoy runs the configuration with this hash, refuses it, or the timeout is over. Times are counted from `since`,
    /// on [`Clock::elapsed`]. A clock that was not known before may be known afterwards.
    pub(crate) fn wait(
        &mut self,
        hash: u32,
        since: Duration,
        timeout: Duration,
        mut on_news: impl FnMut(News<'_>),
    ) -> Vec<EnvoyStatus> {
        let (sender, receiver) = mpsc::channel();
        let mut known = std::mem::take(&mut self.known);
        let envoys = &*self;
        let statuses = thread::scope(|scope| {
            for (index, (address, known)) in envoys.addresses.iter().zip(&mut known).enumerate() {
                let sender = sender.clone();
                scope.spawn(move || {
                    let status = envoys.follow(address, known, hash, since, timeout);
                    // The receiver lives until the last sender is gone.
                    let _ = sender.send((index, status));
                });
            }
            drop(sender);
            let mut done: Vec<(usize, EnvoyStatus)> = Vec::new();
            loop {
                match receiver.recv_timeout(PROGRESS_INTERVAL) {
                    Ok((index, status)) => {
                        on_news(News::Done(&status));
                        done.push((index, status));
                    }
                    Err(mpsc::RecvTimeoutError::Timeout) => {
                        let is_open = |index: usize| !done.iter().any(|(done, _)| *done == index);
                        let open = envoys.addresses.iter().enumerate().filter(|(index, _)| is_open(*index));
                        let open = open.map(|(_, address)| address.as_str()).collect();
                        on_news(News::Waiting(open, (envoys.clock.elapsed() - since).as_secs()));
                    }
                    Err(mpsc::RecvTimeoutError::Disconnected) => break,
                }
            }
            done.sort_by_key(|(index, _)| *index);
            done.into_iter().map(|(_, status)| status).collect()
        });
        self.known = known;
        statuses
    }

    /// Asks one Envoy again and again.
    fn follow(
        &self,
        address: &str,
        known: &mut Known,
        hash: u32,
        since: Duration,
        timeout: Duration,
    ) -> EnvoyStatus {
        let request_timeout = REQUEST_TIMEOUT.min(timeout.max(POLL_INTERVAL));
        loop {
            let why = match stats(self.admin, self.clock, address, &self.watched, request_timeout) {
                Ok((stats, offset)) => {
                    if let (Err(_), Some(offset)) = (&known.clock, offset) {
                        known.clock = Ok(offset);
                    }
                    // The first answer counts as the one before the change if there was none then.
                    let refused_before = *known.refused.get_or_insert(stats.refused);
                    match stats.progress(&self.watched, hash, refused_before) {
                        Progress::Runs => {
                            return EnvoyStatus::runs(address, self.clock.elapsed() - since);
                        }
                        Progress::Refused => return EnvoyStatus::refused(address),
                        Progress::Waiting(why) => why,
                    }
                }
                Err(why) => why,
            };
            if self.clock.elapsed() - since >= timeout {
                return EnvoyStatus::timed_out(address, why);
            }
            self.clock.sleep(POLL_INTERVAL);
        }
    }
}

/// What an Envoy says: its counters, and how far its clock is ahead, if it says its time.
fn stats(
    admin: &dyn Admin,
    clock: &dyn Clock,
    address: &str,
    watched: &Watched<'_>,
    timeout: Duration,
) -> Result<(AdminStats, Option<ClockOffset>), String> {
    let asked = clock.now();
    let page = admin.get(address, STATS_PATH, timeout)?;
    let answered = clock.now();
    if let Some(words) = envoy::foreign(&page.text) {
        return Err(words.to_owned());
    }
    let date = page.date.as_deref().and_then(|date| timestamp::parse(date.as_bytes()));
    let offset = date.map(|date| ClockOffset::new(date, asked, answered));
    Ok((AdminStats::parse(&page.text, watched), offset))
}
