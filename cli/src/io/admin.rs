//! Envoys' admin pages, and waiting until every Envoy runs a configuration.
//!
//! All Envoys are asked at once, each by a thread of its own, until they export the configuration's hash or count
//! that they refused an update.

use super::clock::Clock;
use crate::envoy::{AdminStats, EnvoyStatus, Progress, STATS_PATH, Watched};
use crate::error::io_words;
use std::io;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use ureq::Agent;

/// The time between two requests to one Envoy.
const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// The timeout of the requests before a change, which must not wait for a slow Envoy.
const BEFORE_TIMEOUT: Duration = Duration::from_millis(50);
/// The timeout of a request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// The time between two lines about Envoys that are still waited for.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(2);
/// The longest response that is read; the page has a few lines.
const RESPONSE_BYTES_MAX: u64 = 4 << 20;

const NO_ADDRESS: &str = "this is no address; write one such as http://127.0.0.1:9901";

/// Reads admin pages; threads may share it.
pub(crate) trait Admin: Sync {
    /// The text of a page, or why there is none.
    fn get(&self, admin: &str, path: &str, timeout: Duration) -> Result<String, String>;
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
    /// How many updates each had refused before the change; `None` if it did not answer.
    refused_before: Vec<Option<u64>>,
}

impl HttpAdmin {
    pub(crate) fn new() -> Self {
        // An admin page is near, never behind the proxy that the environment names.
        Self { agent: Agent::config_builder().proxy(None).max_redirects(0).build().into() }
    }
}

impl Admin for HttpAdmin {
    fn get(&self, admin: &str, path: &str, timeout: Duration) -> Result<String, String> {
        let url =
            format!("{}{path}", base_url(admin).map_err(|words| format!("it does not answer: {words}"))?);
        let request = self.agent.get(&url).config().timeout_global(Some(timeout)).build();
        let mut response =
            request.call().map_err(|error| format!("it does not answer: {}", http_words(&error)))?;
        let body = response.body_mut().with_config().limit(RESPONSE_BYTES_MAX).read_to_string();
        body.map_err(|error| format!("its answer cannot be read: {}", http_words(&error)))
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
    /// Asks every Envoy for its counters before a change.
    pub(crate) fn before_change(
        admin: &'a dyn Admin,
        clock: &'a dyn Clock,
        addresses: &'a [String],
        watched: Watched<'a>,
    ) -> Self {
        let refused_before = thread::scope(|scope| {
            let requests: Vec<_> = addresses
                .iter()
                .map(|address| {
                    scope.spawn(move || {
                        let stats = stats(admin, address, &watched, BEFORE_TIMEOUT);
                        stats.ok().map(|stats| stats.refused)
                    })
                })
                .collect();
            requests.into_iter().map(|request| request.join().unwrap_or_default()).collect()
        });
        Self { admin, clock, addresses, watched, refused_before }
    }

    /// Waits until every Envoy runs the configuration, refuses it, or the timeout is over. Times are counted from `since`,
    /// on [`Clock::elapsed`].
    pub(crate) fn wait(
        &self,
        since: Duration,
        timeout: Duration,
        mut on_news: impl FnMut(News<'_>),
    ) -> Vec<EnvoyStatus> {
        let (sender, receiver) = mpsc::channel();
        thread::scope(|scope| {
            for (index, (address, refused)) in self.addresses.iter().zip(&self.refused_before).enumerate() {
                let sender = sender.clone();
                scope.spawn(move || {
                    let status = self.follow(address, *refused, since, timeout);
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
                    match stats.progress(&self.watched, refused_before) {
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
    admin.get(address, STATS_PATH, timeout).map(|text| AdminStats::parse(&text, watched))
}
