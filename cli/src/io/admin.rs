//! Envoys' admin pages, and waiting until every Envoy runs a configuration.
//!
//! All Envoys are asked at once, each by a thread of its own, until they export the configuration's hash or count
//! that they refused an update.

use super::clock::Clock;
use crate::clocks::{ClockOffset, Present};
use crate::envoy::{AdminStats, EnvoyStatus, Progress, STATS_PATH, Watched};
use crate::error::io_words;
use llm_canary::timestamp;
use std::io;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use ureq::Agent;

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

const NO_ADDRESS: &str = "this is no address; write one such as http://127.0.0.1:9901";

/// Reads admin pages; threads may share it.
pub(crate) trait Admin: Sync {
    /// A page, or why there is none.
    fn get(&self, admin: &str, path: &str, timeout: Duration) -> Result<Page, String>;
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
    /// What each said before the change; `None` if it did not answer.
    before: Vec<Option<Before>>,
}

/// What an Envoy said before a change.
#[derive(Clone, Copy)]
struct Before {
    /// How many updates it had refused.
    refused: u64,
    clock: Option<ClockOffset>,
}

impl HttpAdmin {
    pub(crate) fn new() -> Self {
        // An admin page is near, never behind the proxy that the environment names.
        Self { agent: Agent::config_builder().proxy(None).max_redirects(0).build().into() }
    }
}

impl Admin for HttpAdmin {
    fn get(&self, admin: &str, path: &str, timeout: Duration) -> Result<Page, String> {
        let url =
            format!("{}{path}", base_url(admin).map_err(|words| format!("it does not answer: {words}"))?);
        let request = self.agent.get(&url).config().timeout_global(Some(timeout)).build();
        let mut response =
            request.call().map_err(|error| format!("it does not answer: {}", http_words(&error)))?;
        let date = response.headers().get("date").and_then(|date| date.to_str().ok()).map(str::to_owned);
        let body = response.body_mut().with_config().limit(RESPONSE_BYTES_MAX).read_to_string();
        body.map(|text| Page { text, date })
            .map_err(|error| format!("its answer cannot be read: {}", http_words(&error)))
    }
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
fn is_of_resolver(error: &io::Error) -> bool {
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
        Http::BodyExceedsLimit(_) => format!("it is longer than {RESPONSE_BYTES_MAX} bytes"),
        Http::RedirectFailed | Http::TooManyRedirects => {
            "it sends to another address; give the address of Envoy's admin page itself".to_owned()
        }
        _ => "it does not speak HTTP as Envoy's admin page does".to_owned(),
    }
}

impl<'a> Envoys<'a> {
    /// Asks every Envoy for its counters and its time before a change.
    pub(crate) fn before_change(
        admin: &'a dyn Admin,
        clock: &'a dyn Clock,
        addresses: &'a [String],
        watched: Watched<'a>,
    ) -> Self {
        let before = thread::scope(|scope| {
            let ask = |address: &'a String| before(admin, clock, address, &watched);
            let requests: Vec<_> =
                addresses.iter().map(|address| scope.spawn(move || ask(address))).collect();
            requests.into_iter().map(|request| request.join().unwrap_or_default()).collect()
        });
        Self { admin, clock, addresses, watched, before }
    }

    /// How far the clock of each is ahead of this machine's, as it said before the change.
    pub(crate) fn clocks(&self) -> Vec<(&'a str, Option<ClockOffset>)> {
        let clock = |before: &Option<Before>| before.and_then(|before| before.clock);
        self.addresses.iter().map(String::as_str).zip(self.before.iter().map(clock)).collect()
    }

    /// The present, by this machine's clock and those of the Envoys.
    pub(crate) fn present(&self) -> Present {
        Present::new(self.clock.now(), self.before.iter().filter_map(|before| (*before)?.clock))
    }

    /// Waits until every Envoy runs the configuration with this hash, refuses it, or the timeout is over. Times are counted from `since`,
    /// on [`Clock::elapsed`].
    pub(crate) fn wait(
        &self,
        hash: u32,
        since: Duration,
        timeout: Duration,
        mut on_news: impl FnMut(News<'_>),
    ) -> Vec<EnvoyStatus> {
        let (sender, receiver) = mpsc::channel();
        thread::scope(|scope| {
            for (index, (address, before)) in self.addresses.iter().zip(&self.before).enumerate() {
                let sender = sender.clone();
                scope.spawn(move || {
                    let refused = before.map(|before| before.refused);
                    let status = self.follow(address, refused, hash, since, timeout);
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
                        let open = self.addresses.iter().enumerate().filter(|(index, _)| is_open(*index));
                        let open = open.map(|(_, address)| address.as_str()).collect();
                        on_news(News::Waiting(open, (self.clock.elapsed() - since).as_secs()));
                    }
                    Err(mpsc::RecvTimeoutError::Disconnected) => break,
                }
            }
            done.sort_by_key(|(index, _)| *index);
            done.into_iter().map(|(_, status)| status).collect()
        })
    }

    /// Asks one Envoy again and again.
    fn follow(
        &self,
        address: &str,
        refused_before: Option<u64>,
        hash: u32,
        since: Duration,
        timeout: Duration,
    ) -> EnvoyStatus {
        let request_timeout = REQUEST_TIMEOUT.min(timeout.max(POLL_INTERVAL));
        let mut refused_before = refused_before;
        loop {
            let why = match stats(self.admin, address, &self.watched, request_timeout) {
                Ok(stats) => {
                    // The first answer counts as the one before the change if there was none then.
                    let refused_before = *refused_before.get_or_insert(stats.refused);
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

fn stats(
    admin: &dyn Admin,
    address: &str,
    watched: &Watched<'_>,
    timeout: Duration,
) -> Result<AdminStats, String> {
    admin.get(address, STATS_PATH, timeout).map(|page| AdminStats::parse(&page.text, watched))
}

fn before(admin: &dyn Admin, clock: &dyn Clock, address: &str, watched: &Watched<'_>) -> Option<Before> {
    let asked = clock.now();
    let page = admin.get(address, STATS_PATH, BEFORE_TIMEOUT).ok()?;
    let answered = clock.now();
    let date = page.date.as_deref().and_then(|date| timestamp::parse(date.as_bytes()));
    Some(Before {
        refused: AdminStats::parse(&page.text, watched).refused,
        clock: date.map(|date| ClockOffset::new(date, asked, answered)),
    })
}
