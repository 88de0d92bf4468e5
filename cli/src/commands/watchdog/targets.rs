//! Whom a round asks: the address and the headers of each side.

use super::Args;
use crate::commands::input::{self, read_config};
use crate::error::Error;
use crate::io::World;
use crate::io::access::cannot_read;
use crate::io::post::check_url;
use crate::io::secrets::{Secrets, of_environment};
use crate::subject::{Named, Subject};
use crate::watchdog::probe::{self, Probe};
use crate::watchdog::results::Sides;
use llm_canary::config::Config;
use llm_canary::headers::HeaderName;
use std::path::Path;

/// A key is a line.
const KEY_BYTES_MAX: u64 = 64 << 10;
/// The variable of the environment with the key.
const KEY_VARIABLE: &str = "LLM_CANARY_KEY";

/// One side.
pub(super) struct Target {
    /// The version's name.
    pub(super) name: String,
    /// The address that is asked, with its path.
    pub(super) url: String,
    /// All headers of a request.
    pub(super) headers: Vec<(String, String)>,
}

/// Finds both sides, and what must not be shown.
pub(super) fn find(args: &Args, world: &mut World<'_>) -> Result<(Sides<Target>, Secrets), Error> {
    let mut secrets = Secrets::default();
    let key = key(args, world)?;
    let mut headers = args.api.headers(key.as_deref());
    headers.push(("cache-control".to_owned(), "no-cache, no-store".to_owned()));
    if let Some(key) = &key {
        secrets.add(key);
    }
    for given in &args.headers {
        let (name, value) = parse_header(given)?;
        secrets.add_header(&name, &value);
        // What is given wins.
        headers.retain(|(known, _)| !known.eq_ignore_ascii_case(&name));
        headers.push((name, value));
    }
    let config = args.file.as_deref().map(|file| read_config(world, file)).transpose()?;
    let sides = match &args.via {
        Some(via) => via_envoy(args, via, config.as_ref(), &headers, world)?,
        None => servers(args, config.as_ref(), &headers, world)?,
    };
    Ok((sides, secrets))
}

fn key(args: &Args, world: &World<'_>) -> Result<Option<String>, Error> {
    match &args.key_file {
        Some(path) => read_key(world, "--key-file", path).map(Some),
        None => Ok(of_environment(KEY_VARIABLE)),
    }
}

/// The key of a file: one line.
pub(super) fn read_key(world: &World<'_>, option: &str, path: &Path) -> Result<String, Error> {
    let wrong = |words: &str| Error::refused(format!("{option} {}: {words}", path.display()));
    let bytes = input::read(world, path, KEY_BYTES_MAX).map_err(|error| wrong(&cannot_read(path, &error)))?;
    let key = String::from_utf8_lossy(&bytes).trim().to_owned();
    if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(wrong("is not one line with a key"));
    }
    Ok(key)
}

fn parse_header(given: &str) -> Result<(String, String), Error> {
    // The value may be a key.
    let wrong = |words: String| Error::refused(format!("--header {words}"));
    let (name, value) = given
        .split_once(':')
        .ok_or_else(|| wrong("has no name and value; write --header 'x-tenant: acme'".to_owned()))?;
    let (name, value) = (name.trim(), value.trim());
    HeaderName::new(name).map_err(|error| wrong(format!("{name:?} {error}")))?;
    if matches!(name.to_ascii_lowercase().as_str(), "content-length" | "transfer-encoding" | "connection") {
        return Err(wrong(format!("{name}: the length of a request is not yours to give; leave it out")));
    }
    if !value.bytes().all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte)) {
        return Err(wrong(format!("{name}: its value has characters that a header cannot have")));
    }
    Ok((name.to_owned(), value.to_owned()))
}

/// The address of an option. It may hold a key, so it is not shown.
fn checked<'a>(option: &str, url: &'a str) -> Result<&'a str, Error> {
    check_url(url).map(|()| url).map_err(|_| {
        Error::refused(format!("{option} is no address; write one such as http://localhost:8001"))
    })
}

/// The names of the version and the baseline, by the configuration.
fn subject(args: &Args, config: &Config, world: &World<'_>) -> Result<(String, Sides<String>), Error> {
    let named = Named {
        rollout: args.rollout.clone(),
        baseline: args.baseline.clone(),
        versions: args.version.clone().into_iter().collect(),
        since_ms: None,
    };
    let subject = Subject::choose(&named, Some(config), &[], world.clock.now()).map_err(Error::refused)?;
    match subject.candidates.as_slice() {
        [only] => Ok((subject.rollout, Sides { version: only.version.clone(), baseline: subject.baseline })),
        several => {
            let names: Vec<&str> = several.iter().map(|candidate| candidate.version.as_str()).collect();
            Err(Error::refused(format!(
                "rollout {} has several versions with a share, {}; name one with --version",
                subject.rollout,
                names.join(", ")
            )))
        }
    }
}

fn via_envoy(
    args: &Args,
    via: &str,
    config: Option<&Config>,
    headers: &[(String, String)],
    world: &World<'_>,
) -> Result<Sides<Target>, Error> {
    let (Some(config), Some(file)) = (config, &args.file) else {
        return Err(Error::refused(
            "--via needs FILE, the configuration in force: it has the headers that choose a version",
        ));
    };
    let (rollout, names) = subject(args, config, world)?;
    let url = args.api.url(checked("--via", via)?);
    let now = world.clock.now();
    let target = |name: String| {
        let probe = Probe { url: &url, headers, model: args.model.as_deref() };
        let chosen = probe::headers(config, &rollout, &name, &probe, now)
            .map_err(|words| Error::problem(&file.display().to_string(), words))?;
        let headers = headers.iter().cloned().chain(chosen).collect();
        Ok::<_, Error>(Target { name, url: url.clone(), headers })
    };
    Ok(Sides { version: target(names.version)?, baseline: target(names.baseline)? })
}

fn servers(
    args: &Args,
    config: Option<&Config>,
    headers: &[(String, String)],
    world: &World<'_>,
) -> Result<Sides<Target>, Error> {
    let targets: Vec<(&str, &str)> = args
        .targets
        .iter()
        .filter_map(|given| given.split_once('='))
        .filter(|(name, _)| !name.is_empty())
        .collect();
    let [first, second] = targets.as_slice() else {
        return Err(Error::refused(
            "say whom to ask: --target v1=http://… --target v2=http://… for the servers themselves, or FILE and --via http://… for \
             Envoy. --dry-run shows what would be asked",
        ));
    };
    if args.targets.len() != 2 || first.0 == second.0 {
        return Err(Error::refused(
            "--target: give two, with different names: --target v1=http://… --target v2=http://…",
        ));
    }
    let names = match config {
        Some(config) => subject(args, config, world)?.1,
        None => {
            let other = |name: &str| if name == first.0 { second.0 } else { first.0 }.to_owned();
            match (args.version.clone(), args.baseline.clone()) {
                (Some(version), Some(baseline)) => Sides { version, baseline },
                (Some(version), None) => Sides { baseline: other(&version), version },
                (None, Some(baseline)) => Sides { version: other(&baseline), baseline },
                (None, None) => Sides { version: second.0.to_owned(), baseline: first.0.to_owned() },
            }
        }
    };
    let target = |name: String| {
        let found = targets.iter().find(|(given, _)| *given == name);
        let (_, url) = found.ok_or_else(|| {
            Error::refused(format!(
                "there is no --target {name}=…; the targets are {} and {}",
                first.0, second.0
            ))
        })?;
        let url = args.api.url(checked(&format!("--target {name}"), url)?);
        Ok::<_, Error>(Target { name, url, headers: headers.to_vec() })
    };
    if names.version == names.baseline {
        return Err(Error::refused(format!("--version and --baseline are both {}; name two", names.version)));
    }
    Ok(Sides { version: target(names.version)?, baseline: target(names.baseline)? })
}
