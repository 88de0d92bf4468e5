//! Waits until every named Envoy runs a configuration.
//!
//! The filter exports the hash of the configuration that it runs. All Envoys are asked at once, each in a
//! thread of its own, until they show the hash, or count that they refused an update.

use serde::Serialize;
use std::fmt;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};
use ureq::Agent;

/// Between two questions to one Envoy.
const POLL_MS: Duration = Duration::from_millis(50);
/// How long the counters may take before the change: it is not to wait for a slow Envoy.
const BEFORE_TIME_MAX: Duration = Duration::from_millis(50);
/// How long one answer may take.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(5);
/// Between two words on those that are waited for.
const NEWS_TIME: Duration = Duration::from_secs(2);
/// An answer's largest part that is read; a few lines are asked for.
const ANSWER_BYTES_MAX: u64 = 4 << 20;

const HASH: &str = "llm_config_hash";
/// Only the lines that are needed: an Envoy may have a hundred thousand.
const QUERY: &str =
    "/stats?filter=llm_config_hash%7Cextension_config_discovery.*(update_rejected%7Cconfig_fail)";

/// An Envoy, and how often it had refused an update before the change.
pub(super) struct Counters {
    admin: String,
    refused: Option<u64>,
}

/// How it took the change.
#[derive(Serialize)]
pub(super) struct Envoy {
    pub(super) admin: String,
    pub(super) state: State,
    /// From the change until it was seen to run it.
    pub(super) after_ms: Option<f64>,
    /// Why it does not.
    why: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    /// It runs it.
    Runs,
    /// It counted a refusal, and runs what it ran before.
    Refused,
    /// It had not run it when the time was over.
    TimedOut,
}

impl fmt::Display for Envoy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = self.why.as_deref().unwrap_or_default();
        match (self.state, self.after_ms) {
            (State::Runs, Some(after)) => write!(f, "{} runs it after {after:.0} ms", self.admin),
            (State::Runs, None) => write!(f, "{} runs it", self.admin),
            (State::Refused, _) => write!(f, "{} refused it: {why}", self.admin),
            (State::TimedOut, _) => write!(f, "{} does not run it: {why}", self.admin),
        }
    }
}

impl Counters {
    /// The counters of every Envoy, asked at once.
    pub(super) fn of_all(admins: &[String]) -> Vec<Self> {
        thread::scope(|scope| {
            let asked: Vec<_> = admins.iter().map(|admin| scope.spawn(|| Self::of(admin))).collect();
            let counters = asked.into_iter().zip(admins).map(|(asked, admin)| {
                asked.join().unwrap_or_else(|_| Self { admin: admin.clone(), refused: None })
            });
            counters.collect()
        })
    }

    fn of(admin: &str) -> Self {
        let refused = ask(&agent(BEFORE_TIME_MAX), admin).ok().map(|stats| stats.refused);
        Self { admin: admin.to_owned(), refused }
    }
}

/// Waits for all of them; each is told to `news` when it is known.
pub(super) fn wait(
    before: &[Counters],
    hash: u32,
    since: Instant,
    limit: Duration,
    news: impl Fn(&Envoy),
) -> Vec<Envoy> {
    let (sender, receiver) = mpsc::channel();
    thread::scope(|scope| {
        for (index, counters) in before.iter().enumerate() {
            let sender = sender.clone();
            scope.spawn(move || {
                let envoy = follow(counters, hash, since, limit);
                // The receiver is there until the last of us has sent.
                let _ = sender.send((index, envoy));
            });
        }
        drop(sender);
        let mut found: Vec<(usize, Envoy)> = Vec::new();
        loop {
            match receiver.recv_timeout(NEWS_TIME) {
                Ok((index, envoy)) => {
                    news(&envoy);
                    found.push((index, envoy));
                }
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    let is_open = |index: &usize| !found.iter().any(|(found, _)| found == index);
                    let open = before.iter().enumerate().filter(|(index, _)| is_open(index));
                    let open: Vec<&str> = open.map(|(_, counters)| counters.admin.as_str()).collect();
                    eprintln!("waiting for {}, {} s so far", open.join(", "), since.elapsed().as_secs());
                }
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
            }
        }
        found.sort_by_key(|(index, _)| *index);
        found.into_iter().map(|(_, envoy)| envoy).collect()
    })
}

fn follow(before: &Counters, hash: u32, since: Instant, limit: Duration) -> Envoy {
    let agent = agent(ANSWER_TIME_MAX.min(limit.max(POLL_MS)));
    let envoy = |state, after: Option<Duration>, why| {
        let after_ms = after.map(|after| (after.as_secs_f64() * 10_000.0).round() / 10.0);
        Envoy { admin: before.admin.clone(), state, after_ms, why }
    };
    let mut refused_before = before.refused;
    loop {
        let asked = ask(&agent, &before.admin);
        let why = match asked {
            Ok(stats) if stats.hash == Some(u64::from(hash)) => {
                return envoy(State::Runs, Some(since.elapsed()), None);
            }
            Ok(stats) => {
                if stats.refused > *refused_before.get_or_insert(stats.refused) {
                    let why = "its log says why; it runs what it ran before".to_owned();
                    return envoy(State::Refused, None, Some(why));
                }
                match stats.hash {
                    Some(other) => format!("it runs a configuration with the hash {other}, not {hash}"),
                    None => {
                        format!("it exports no {HASH}: its filter is not loaded, or older than this tool")
                    }
                }
            }
            Err(error) => error,
        };
        if since.elapsed() >= limit {
            return envoy(State::TimedOut, None, Some(why));
        }
        thread::sleep(POLL_MS);
    }
}

/// What an Envoy tells of itself.
#[derive(Debug, Default, PartialEq, Eq)]
struct Stats {
    hash: Option<u64>,
    refused: u64,
}

fn agent(limit: Duration) -> Agent {
    // An admin interface is near, and never behind the proxy that the environment may name.
    Agent::config_builder().proxy(None).timeout_global(Some(limit)).max_redirects(0).build().into()
}

fn ask(agent: &Agent, admin: &str) -> Result<Stats, String> {
    let url = format!("{}{QUERY}", admin.trim_end_matches('/'));
    let url = if url.contains("://") { url } else { format!("http://{url}") };
    let mut answer = agent.get(&url).call().map_err(|error| format!("it does not answer: {error}"))?;
    let body = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_string();
    body.map(|text| parse(&text)).map_err(|error| format!("its answer cannot be read: {error}"))
}

/// Reads `name: value` lines.
fn parse(text: &str) -> Stats {
    let mut stats = Stats::default();
    for line in text.lines() {
        let Some((name, value)) = line.rsplit_once(": ") else { continue };
        let Ok(value) = value.trim().parse::<u64>() else { continue };
        if name.rsplit('.').next().is_some_and(|last| last == HASH) {
            stats.hash = Some(value);
        } else if name.starts_with("extension_config_discovery.") {
            stats.refused = stats.refused.saturating_add(value);
        }
    }
    stats
}

#[cfg(test)]
mod tests {
    use super::{Stats, parse};

    #[test]
    fn stats_are_read() {
        let text = "extension_config_discovery.http_filter.llm-canary.config_fail: 1\n\
            extension_config_discovery.http_filter.llm-canary.update_rejected: 2\n\
            wasmcustom.llm_config_hash: 4294967295\n";
        assert_eq!(parse(text), Stats { hash: Some(u64::from(u32::MAX)), refused: 3 });
        assert_eq!(parse("wasmcustom.not_llm_config_hash: 1\nllm_config_hash: x\n"), Stats::default());
    }
}
