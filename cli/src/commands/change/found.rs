//! A rollout as its file or resource has it now, without a lock.

use super::ChangeOptions;
use super::select::{Selected, select_rollout};
use crate::commands::input::read_file;
use crate::edit::schedule::Schedule;
use crate::error::Error;
use crate::io::World;
use crate::io::kubectl::LiveResource;
use crate::io::target::Target;
use crate::kubernetes;
use crate::plugin;
use llm_canary::config::json::Node;
use std::io::ErrorKind;
use std::path::Path;

/// What was found.
pub(in crate::commands) struct Found {
    pub(in crate::commands) rollout: String,
    pub(in crate::commands) schedule: Schedule,
    pub(in crate::commands) config_hash: u32,
    /// What the operator should know, as sentences.
    pub(in crate::commands) warnings: Vec<String>,
}

/// Reads a rollout.
///
/// # Errors
/// It cannot be read, or is not the only one that the options may mean.
pub(in crate::commands) fn find(options: &ChangeOptions, world: &World<'_>) -> Result<Found, Error> {
    let (text, mut warnings) = if options.kubectl {
        let (namespace, context) = (options.namespace.as_deref(), options.context.as_deref());
        let resource = LiveResource::get(world.kubectl, &options.target, namespace, context)?;
        (resource.text().as_bytes().to_vec(), resource.warning().map(str::to_owned).into_iter().collect())
    } else {
        let path = Path::new(&options.target);
        let is_missing = || world.files.open(path).is_err_and(|error| error.kind() == ErrorKind::NotFound);
        if kubernetes::is_resource(&options.target) && is_missing() {
            let words = "does not exist. To change the resource of this name, add --kubectl";
            return Err(Error::problem(&options.target, words));
        }
        (read_file(world, path)?, Vec::new())
    };
    let plugins = plugin::parse(&options.target, &text)?;
    let selected = select_rollout(&options.target, &plugins, options.rollout.as_deref())?;
    let Selected { plugin, rollout, warnings: passed_over, .. } = selected;
    warnings.extend(passed_over);
    let (_, tree) = plugin.config().map_err(|errors| Error::invalid(plugin.problems(&errors)))?;
    Ok(Found {
        rollout: rollout.get("name").and_then(Node::as_str).unwrap_or_default().to_owned(),
        schedule: Schedule::read(rollout),
        config_hash: tree.hash(),
        warnings,
    })
}
