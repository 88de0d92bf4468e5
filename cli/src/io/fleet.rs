//! What `xds` knows of its Envoys, as it tells it over HTTP; and waiting until all of them run a version.

use super::admin::Admin;
use super::clock::Clock;
use crate::discovery::{ENVOYS_PATH, Fleet, ShownEnvoy, State};
use crate::envoy::EnvoyStatus;
use std::collections::BTreeMap;
use std::time::Duration;

/// Between two looks.
const INTERVAL: Duration = Duration::from_millis(50);
/// The time of one request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// A version that Envoys must run.
pub(crate) struct Awaited {
    pub(crate) resource: String,
    pub(crate) version: String,
}

/// Asks `xds` for its Envoys.
///
/// # Errors
/// It does not answer, or is something else: a sentence whose subject is the server.
pub(crate) fn read(admin: &dyn Admin, url: &str) -> Result<Fleet, String> {
    let other =
        || "it does not answer as llm-canary xds does; give the address at which that listens".to_owned();
    // The words are about an Envoy's page where it is another server's.
    let page = admin.get(url, ENVOYS_PATH, REQUEST_TIMEOUT);
    let page = page.map_err(|words| if words.contains("admin page") { other() } else { words })?;
    serde_json::from_str(&page.text).map_err(|_| other())
}

/// Waits until every Envoy that asks for a resource runs this version, one refuses it, or the timeout is over. Times are counted from
/// `since`. Returns how each stands, and what is to be said of those that are silent.
pub(crate) fn follow(
    admin: &dyn Admin,
    clock: &dyn Clock,
    url: &str,
    awaited: &Awaited,
    since: Duration,
    timeout: Duration,
) -> (Vec<EnvoyStatus>, Vec<String>) {
    let Awaited { resource, version } = awaited;
    let mut after: BTreeMap<String, Duration> = BTreeMap::new();
    loop {
        let elapsed = clock.elapsed().saturating_sub(since);
        let is_over = elapsed >= timeout;
        let look = read(admin, url);
        let served = look.as_ref().ok().and_then(|fleet| fleet.version_of(resource)).map(str::to_owned);
        let why = match (&look, &served) {
            (Err(words), _) => Some(words.clone()),
            (Ok(_), None) => Some(format!("it does not serve {resource}; is it given this FILE?")),
            (Ok(fleet), Some(served)) if served != version => {
                let error = fleet.files.iter().find_map(|file| file.error.clone());
                let error = error.map(|error| format!("; {error}")).unwrap_or_default();
                Some(format!("it serves {resource} in version {served}, and FILE has {version}{error}"))
            }
            (Ok(fleet), Some(_)) if fleet.of(resource).all(|envoy| envoy.is(State::Silent)) => {
                Some(format!("no Envoy asks it for {resource}"))
            }
            _ => None,
        };
        let fleet = match (look, why) {
            (_, Some(why)) if is_over => return (vec![EnvoyStatus::timed_out(url, why)], Vec::new()),
            (Ok(fleet), None) => fleet,
            _ => {
                clock.sleep(INTERVAL);
                continue;
            }
        };
        for envoy in fleet.of(resource).filter(|envoy| envoy.is(State::Current)) {
            after.entry(name(envoy)).or_insert(elapsed);
        }
        let (silent, asking): (Vec<_>, Vec<_>) =
            fleet.of(resource).partition(|envoy| envoy.is(State::Silent));
        let is_open = |envoy: &&&ShownEnvoy| !envoy.is(State::Current) && !envoy.is(State::Refused);
        if is_over || asking.iter().filter(is_open).count() == 0 {
            let statuses = asking.iter().map(|envoy| match after.get(&name(envoy)) {
                Some(after) if envoy.is(State::Current) => EnvoyStatus::runs(&name(envoy), *after),
                _ if envoy.is(State::Refused) => EnvoyStatus::refused(&name(envoy)),
                _ => EnvoyStatus::timed_out(&name(envoy), runs(envoy)),
            });
            return (statuses.collect(), silent.iter().map(|envoy| warning(envoy)).collect());
        }
        clock.sleep(INTERVAL);
    }
}

fn name(envoy: &ShownEnvoy) -> String {
    format!("{} ({})", envoy.id, envoy.address)
}

fn runs(envoy: &ShownEnvoy) -> String {
    match &envoy.runs {
        Some(version) => format!("it runs version {version}"),
        None => "it has taken no version".to_owned(),
    }
}

fn warning(envoy: &ShownEnvoy) -> String {
    format!(
        "{} has not asked for {:.0} s; if it still serves requests, it goes on with what it ran ({})",
        name(envoy),
        envoy.seen_seconds_ago,
        envoy.runs.as_deref().unwrap_or("nothing")
    )
}
