//! `--xds`: waiting for every Envoy that asks `llm-canary xds`.

use super::{ChangeOptions, UpdateState};
use crate::discovery;
use crate::envoy::EnvoyStatus;
use crate::error::Error;
use crate::io::World;
use crate::io::admin::check_address;
use crate::io::fleet::{Awaited, follow};
use crate::plugin::PluginConfig;
use std::time::Duration;

/// What Envoys must run, or why nobody will be given it; `None` without --xds.
pub(super) type Expected = Option<Result<Awaited, String>>;

/// Refuses what cannot be waited for, before anything is changed.
pub(super) fn check(options: &ChangeOptions) -> Result<(), Error> {
    options.xds.iter().try_for_each(|url| {
        check_address(url).map_err(|_| {
            Error::refused(format!(
                "--xds {url}: this is no address; write one such as http://127.0.0.1:9902; nothing was changed"
            ))
        })
    })
}

/// Refuses a configuration that `xds` does not serve.
pub(super) fn check_served(options: &ChangeOptions, plugin: &PluginConfig) -> Result<(), Error> {
    if options.xds.is_empty() || plugin.discovered_as.is_some() {
        return Ok(());
    }
    Err(Error::refused(format!(
        "--xds: {} is not in a resource of Envoy's discovery, so xds does not serve it; leave --xds out; nothing was changed",
        plugin.place
    )))
}

/// What the Envoys must run after a change to this text.
pub(super) fn expected(options: &ChangeOptions, plugin: &PluginConfig, name: &str, text: &str) -> Expected {
    let resource = plugin.discovered_as.as_ref().filter(|_| !options.xds.is_empty())?;
    Some(match discovery::read(name, text.as_bytes()) {
        // What is wrong beside a configuration keeps nobody from changing it, but `xds` serves all of a file or nothing.
        Err(error) => Err(format!("it does not serve FILE as it is now: {error}")),
        Ok((resources, _)) => {
            let version = resources.into_iter().find(|one| one.name == *resource).map(|one| one.version);
            Ok(Awaited { resource: resource.clone(), version: version.unwrap_or_default() })
        }
    })
}

/// Waits for the Envoys. Returns how each stands, and warnings about those that are silent; `on_running` is told of each that runs it.
pub(super) fn wait(
    options: &ChangeOptions,
    expected: &Expected,
    world: &mut World<'_>,
    written_at: Duration,
    mut on_running: impl FnMut(&EnvoyStatus, &mut World<'_>),
) -> (Vec<EnvoyStatus>, Vec<String>) {
    let (mut statuses, mut warnings) = (Vec::new(), Vec::new());
    for url in &options.xds {
        let (found, silent) = match expected {
            Some(Ok(awaited)) => follow(world.admin, world.clock, url, awaited, written_at, options.timeout),
            Some(Err(why)) => (vec![EnvoyStatus::timed_out(url, why.clone())], Vec::new()),
            None => continue,
        };
        for status in found.iter().filter(|status| status.state == UpdateState::Runs) {
            on_running(status, world);
        }
        statuses.extend(found);
        warnings.extend(silent);
    }
    (statuses, warnings)
}
