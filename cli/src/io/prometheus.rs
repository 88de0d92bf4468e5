//! Prometheus, and what speaks as it does: Thanos, Mimir, VictoriaMetrics.
//!
//! Plain selectors are asked for with `query_range`, a window apart, so that nothing is extrapolated: each step shows what the
//! counters were. A long time is asked for in parts, and a part that is too much in smaller ones.

use super::admin::is_of_resolver;
use super::clock::Clock;
use super::signals::Signals;
use crate::error::io_words;
use crate::prometheus_answer as answer;
use crate::windows::{Samples, native_selector, newest_selector, selectors, traffic_selector};
use asking::{Patience, Question, Response};
use llm_canary::timestamp::UnixMs;
use std::io;
use std::time::Duration;
use ureq::Agent;
use ureq::http::Uri;
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};

/// More steps than this Prometheus does not answer at once.
const STEPS_MAX: u64 = 11_000;
/// The first part. The size of its answer tells how long the next may be.
const STEPS_FIRST: u64 = 60;
/// The size of an answer that is aimed at. A part is never more than [`GROWTH_MAX`] times as long as the one before.
const BYTES_AIM: u64 = 8 << 20;
const GROWTH_MAX: u64 = 8;
const TIMEOUT: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A busy server is asked so often, and waited for so long.
const ATTEMPTS: u32 = 3;
const WAIT: Duration = Duration::from_secs(1);
const WAIT_MAX: Duration = Duration::from_secs(10);
/// How far back the beginning of the samples is looked for.
const SEARCH_HOURS: u64 = 31 * 24;
const HOUR_MS: u64 = 3_600_000;
/// What is younger may not have been scraped yet, where the server does not tell when it scraped.
const SETTLED_MS: u64 = 20_000;

mod asking;

/// How to reach a server.
#[derive(Clone, Debug, Default)]
pub(crate) struct Access {
    /// The address in front of `/api/v1`.
    pub(crate) url: String,
    /// Further headers.
    pub(crate) headers: Vec<(String, String)>,
    /// Certificates in PEM, instead of the usual authorities'.
    pub(crate) ca: Option<Vec<u8>>,
    /// Matchers that each selector gets, without braces; or empty.
    pub(crate) selector: String,
    /// The only rollout whose counts are compared, if it is known.
    pub(crate) rollout: Option<String>,
}

/// A server and how far it has been asked.
pub(crate) struct Prometheus {
    agent: Agent,
    access: Access,
    selectors: [String; 2],
    window_ms: u64,
    /// The first step that was not asked for yet; `None` before the beginning is known.
    next_ms: Option<UnixMs>,
    /// Until when everything was there when it was asked; 0 before that.
    settled_ms: UnixMs,
    /// How many steps the next part has.
    steps: u64,
    /// Whether it was asked for native histograms.
    is_native_asked: bool,
}

/// Why there is no answer.
#[derive(Debug)]
enum Failure {
    /// Less at once may do.
    TooMuch(String),
    /// A sentence whose subject is the server.
    Words(String),
}

impl Prometheus {
    /// # Errors
    /// A sentence whose subject is the option that is named.
    pub(crate) fn new(access: Access, window_ms: u64, since_ms: Option<UnixMs>) -> Result<Self, String> {
        let url = access.url.trim_end_matches('/').to_owned();
        let is_http = url.starts_with("http://") || url.starts_with("https://");
        if !is_http || url.parse::<Uri>().is_err() || url.contains(['?', '#']) {
            return Err("--prometheus is no address; write one such as http://127.0.0.1:9090".to_owned());
        }
        let mut tls = TlsConfig::builder();
        if let Some(pem) = &access.ca {
            let certificates: Vec<_> = parse_pem(pem)
                .filter_map(|item| match item {
                    Ok(PemItem::Certificate(certificate)) => Some(certificate),
                    _ => None,
                })
                .collect();
            if certificates.is_empty() {
                return Err("--ca has no certificate in PEM (-----BEGIN CERTIFICATE-----)".to_owned());
            }
            tls = tls.root_certs(RootCerts::from(certificates));
        }
        let config = Agent::config_builder()
            .tls_config(tls.build())
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_global(Some(TIMEOUT))
            .build();
        let aligned = |at_ms: UnixMs| at_ms / window_ms.max(1) * window_ms.max(1);
        Ok(Self {
            agent: config.into(),
            selectors: selectors(extra(&access.selector), access.rollout.as_deref()),
            access: Access { url, ..access },
            window_ms: window_ms.max(1),
            next_ms: since_ms.map(aligned),
            settled_ms: 0,
            steps: STEPS_FIRST,
            is_native_asked: false,
        })
    }

    /// Replaces the headers: a token may change while the tool runs.
    pub(crate) fn set_headers(&mut self, headers: Vec<(String, String)>) {
        self.access.headers = headers;
    }

    /// Until when everything is there, as far as is known.
    pub(crate) fn settled_ms(&self, now_ms: UnixMs) -> UnixMs {
        self.settled_ms.max(now_ms.saturating_sub(SETTLED_MS))
    }

    /// The last step that is settled. Where its age does not tell, the server is asked whether each instance was scraped later.
    fn last_ms(&mut self, patience: Patience<'_>) -> UnixMs {
        let now_ms = patience.clock.now();
        let step_until = |at_ms: UnixMs| at_ms / self.window_ms * self.window_ms;
        // Nobody was scraped after this very moment.
        let may_be_ms = step_until(now_ms.saturating_sub(1));
        let is_open = may_be_ms > step_until(self.settled_ms(now_ms))
            && self.next_ms.is_some_and(|next_ms| next_ms <= may_be_ms);
        if is_open && let Some(newest_ms) = self.scraped_ms(patience, now_ms) {
            // Not later than now: a clock may be wrong.
            self.settled_ms = self.settled_ms.max(newest_ms.min(now_ms));
        }
        self.settled_ms(now_ms) / self.window_ms * self.window_ms
    }

    /// Until when all instances were scraped that have been at all within the usual time; `None` if the server does not tell.
    fn scraped_ms(&self, patience: Patience<'_>, now_ms: UnixMs) -> Option<UnixMs> {
        let selector = newest_selector(extra(&self.access.selector), self.access.rollout.as_deref());
        let query = format!("min(timestamp({selector}))");
        // Once: it is asked again soon.
        let response = patience.ask(self.question(&query, now_ms, now_ms, SETTLED_MS))?.ok()?;
        if response.status != 200 {
            return None;
        }
        answer::first_value(&answer::read(&response.body).ok()?).map(|seconds| (seconds * 1_000.0) as UnixMs)
    }

    /// How long it is until there may be a new step.
    pub(crate) fn wait(&self, clock: &dyn Clock) -> Duration {
        let now_ms = clock.now();
        // Without any samples yet, they may begin at any time.
        let due_ms = self.next_ms.unwrap_or(now_ms.saturating_add(self.window_ms));
        // After a failure, or where not everything is there yet, the step is due already.
        Duration::from_millis(due_ms.saturating_sub(now_ms)).max(WAIT)
    }

    /// Asks for everything that is new. Returns the last step that was asked for: all windows until then are complete.
    ///
    /// # Errors
    /// A sentence whose subject is the server. What was read before it broke off stays.
    pub(crate) fn read(
        &mut self,
        clock: &dyn Clock,
        signals: &dyn Signals,
        samples: &mut Samples,
    ) -> Result<Option<UnixMs>, String> {
        let patience = Patience { clock, signals };
        let last_ms = self.last_ms(patience);
        let mut next_ms = match self.next_ms {
            Some(next_ms) => next_ms,
            None => match self.beginning(patience, last_ms)? {
                Some(beginning) => *self.next_ms.insert(beginning),
                None => return Ok(None),
            },
        };
        while next_ms <= last_ms {
            let end_ms = last_ms.min(next_ms.saturating_add(self.window_ms.saturating_mul(self.steps - 1)));
            // The last part may be shorter.
            let steps = (end_ms - next_ms) / self.window_ms + 1;
            match self.part(patience, next_ms, end_ms, samples) {
                Ok(bytes) => {
                    let fit = u128::from(steps) * u128::from(BYTES_AIM) / u128::from(bytes.max(1));
                    let fit = u64::try_from(fit).unwrap_or(u64::MAX);
                    self.steps = fit.min(steps.saturating_mul(GROWTH_MAX)).clamp(1, STEPS_MAX);
                    next_ms = end_ms.saturating_add(self.window_ms);
                    self.next_ms = Some(next_ms);
                }
                Err(Failure::TooMuch(_)) if steps > 1 => self.steps = steps / 2,
                Err(Failure::TooMuch(words)) => {
                    return Err(format!("{words}. Narrow the series by --rollout and --selector"));
                }
                Err(Failure::Words(words)) => return Err(words),
            }
        }
        self.note_native(patience, samples);
        Ok(Some(next_ms.saturating_sub(self.window_ms)))
    }

    /// Asks once, where a histogram is missing, whether there is a native one. Nothing depends on it but words.
    fn note_native(&mut self, patience: Patience<'_>, samples: &mut Samples) {
        let Some(at_ms) = samples.newest_ms().filter(|_| !self.is_native_asked) else { return };
        self.is_native_asked = true;
        if samples.has_all_histograms() {
            return;
        }
        let selector = native_selector(extra(&self.access.selector), self.access.rollout.as_deref());
        let query = format!("count by (__name__) ({selector})");
        let Ok(body) = self.query_range(patience, &query, at_ms, at_ms, self.window_ms) else { return };
        let Ok(answer) = answer::read(&body) else { return };
        answer::names(&answer).for_each(|name| samples.note_native(name));
    }

    /// Asks for some steps. Returns the size of the longer answer.
    fn part(
        &self,
        patience: Patience<'_>,
        start_ms: UnixMs,
        end_ms: UnixMs,
        samples: &mut Samples,
    ) -> Result<u64, Failure> {
        let [compared, others] = &self.selectors;
        let compared = self.query_range(patience, compared, start_ms, end_ms, self.window_ms)?;
        let others = self.query_range(patience, others, start_ms, end_ms, self.window_ms)?;
        let bytes = compared.len().max(others.len()) as u64;
        // Both or none: the next attempt asks for both.
        let compared = answer::read(&compared).map_err(Failure::Words)?;
        let others = answer::read(&others).map_err(Failure::Words)?;
        answer::push(&compared, samples)
            .and_then(|()| answer::push(&others, samples))
            .map_err(Failure::Words)?;
        Ok(bytes)
    }

    /// The step with which the samples begin: of the first hour that has any; `None` without any.
    fn beginning(&self, patience: Patience<'_>, last_ms: UnixMs) -> Result<Option<UnixMs>, String> {
        let traffic = traffic_selector(extra(&self.access.selector));
        let query = format!("count(count_over_time({traffic}[1h]))");
        let last_hour = last_ms.div_ceil(HOUR_MS) * HOUR_MS;
        let first_hour = last_hour.saturating_sub(SEARCH_HOURS * HOUR_MS);
        let body =
            self.query_range(patience, &query, first_hour, last_hour, HOUR_MS).map_err(Failure::words)?;
        let found = answer::times(&answer::read(&body)?).first().copied();
        // The hour ends at the time that was found.
        Ok(found.map(|found| found.saturating_sub(HOUR_MS) / self.window_ms * self.window_ms))
    }

    /// The body of an answer with the status 200.
    fn query_range(
        &self,
        patience: Patience<'_>,
        query: &str,
        start_ms: UnixMs,
        end_ms: UnixMs,
        step_ms: u64,
    ) -> Result<Vec<u8>, Failure> {
        let mut attempt = 1;
        loop {
            let question = self.question(query, start_ms, end_ms, step_ms);
            let Some(response) = patience.ask(question) else {
                return Err(Failure::Words(NOT_WAITED_FOR.to_owned()));
            };
            let (words, after, is_passing) = match response {
                Ok(response) if response.status == 200 => return Ok(response.body),
                Ok(Response { status, retry_after, location, body }) => {
                    let words = answer::refusal(status, retry_after.as_deref(), location.as_deref(), &body);
                    if answer::is_too_much(status, &body) {
                        return Err(Failure::TooMuch(words));
                    }
                    let after = retry_after.and_then(|after| after.trim().parse().ok());
                    (words, after.map(Duration::from_secs), answer::is_passing(status))
                }
                Err(ureq::Error::BodyExceedsLimit(_)) => {
                    return Err(Failure::TooMuch("answers with more than 100 MiB at once".to_owned()));
                }
                Err(error) => return Err(Failure::Words(words(&error))),
            };
            let wait = after.unwrap_or(WAIT);
            if !is_passing || attempt == ATTEMPTS || wait > WAIT_MAX {
                return Err(Failure::Words(words));
            }
            attempt += 1;
            patience.sleep(wait);
        }
    }

    fn question(&self, query: &str, start_ms: UnixMs, end_ms: UnixMs, step_ms: u64) -> Question {
        Question {
            agent: self.agent.clone(),
            url: format!("{}/api/v1/query_range", self.access.url),
            parameters: [
                ("query", query.to_owned()),
                ("start", seconds(start_ms)),
                ("end", seconds(end_ms)),
                ("step", seconds(step_ms)),
                // Thanos would rather leave series out than fail.
                ("partial_response", "false".to_owned()),
                ("dedup", "true".to_owned()),
                // A sample counts at the step behind it, and at no later one: else an Envoy that is not scraped any more would
                // seem to count nothing for five minutes. The second name is VictoriaMetrics'.
                ("lookback_delta", seconds(step_ms.saturating_sub(1))),
                ("max_lookback", seconds(step_ms)),
            ],
            headers: self.access.headers.clone(),
        }
    }
}

impl Failure {
    fn words(self) -> String {
        match self {
            Self::TooMuch(words) | Self::Words(words) => words,
        }
    }
}

/// The matchers of a selector, with or without its braces.
fn extra(selector: &str) -> &str {
    selector.trim().trim_start_matches('{').trim_end_matches('}').trim_matches([',', ' '])
}

/// Seconds with up to three places.
fn seconds(ms: u64) -> String {
    match ms % 1_000 {
        0 => (ms / 1_000).to_string(),
        rest => format!("{}.{rest:03}", ms / 1_000),
    }
}

/// Why a request failed: a sentence whose subject is the server.
fn words(error: &ureq::Error) -> String {
    use ureq::Error as Http;
    match error {
        Http::Io(error) if is_of_certificate(error) => UNKNOWN_CERTIFICATE.to_owned(),
        Http::Io(error) if is_of_resolver(error) => UNKNOWN_NAME.to_owned(),
        Http::Io(error) => io_words(error),
        Http::Timeout(_) => "took too long".to_owned(),
        Http::HostNotFound => UNKNOWN_NAME.to_owned(),
        Http::Tls(_) | Http::Rustls(_) | Http::Pem(_) => UNKNOWN_CERTIFICATE.to_owned(),
        Http::Http(_) => "cannot be asked with this header; write --header 'NAME: VALUE'".to_owned(),
        Http::BadUri(_) => {
            "has an address that cannot be used; write one such as http://127.0.0.1:9090".to_owned()
        }
        _ => "does not speak HTTP, or breaks off; is this the address of Prometheus?".to_owned(),
    }
}

const NOT_WAITED_FOR: &str = "was not waited for, because the system asks to end";
const UNKNOWN_NAME: &str = "has a name that is not known; check the spelling";
const UNKNOWN_CERTIFICATE: &str = "has a certificate that is not trusted; give its authority's by --ca FILE";

/// TLS fails as a failure to read or write.
fn is_of_certificate(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::InvalidData && error.get_ref().is_some()
}

#[cfg(test)]
mod tests;
