//! Where a rollout is kept: a file, or a live resource.

use super::kubectl::Resource;
use super::write::Opened;
use crate::Failure;
use crate::source::Part;
use std::path::Path;
use std::time::Instant;

/// How long before they hold changes are written, so that every Envoy knows of a step when the first
/// conversation begins under it. Envoy takes a renamed file up in milliseconds, on a busy machine in tenths of a
/// second.
const FILE_LEAD_MS: u64 = 2_000;
/// Istio's control plane first gathers changes, and pushes them to every proxy.
const LIVE_LEAD_MS: u64 = 15_000;

/// A place that was read, and is to be written.
pub(super) enum Target {
    File(Opened),
    Live(Resource),
}

impl Target {
    pub(super) fn file(name: &str) -> Result<Self, Failure> {
        Opened::new(Path::new(name)).map(Self::File)
    }

    pub(super) fn live(name: &str, namespace: Option<&str>, context: Option<&str>) -> Result<Self, Failure> {
        Resource::get(name, namespace, context).map(Self::Live)
    }

    pub(super) fn name(&self) -> &str {
        match self {
            Self::File(file) => &file.name,
            Self::Live(resource) => &resource.name,
        }
    }

    pub(super) fn text(&self) -> &str {
        match self {
            Self::File(file) => &file.text,
            Self::Live(resource) => &resource.text,
        }
    }

    pub(super) fn lead_ms(&self) -> u64 {
        match self {
            Self::File(_) => FILE_LEAD_MS,
            Self::Live(_) => LIVE_LEAD_MS,
        }
    }

    /// Has the change tried where that can be done without making it.
    pub(super) fn try_out(&self, text: &str, path: &[Part]) -> Result<(), Failure> {
        match self {
            Self::File(_) => Ok(()),
            Self::Live(resource) => resource.patch(text, path, true),
        }
    }

    /// Writes, only over what was read; returns when it was there.
    pub(super) fn write(&self, text: &str, path: &[Part]) -> Result<Instant, Failure> {
        match self {
            Self::File(file) => file.replace(text),
            Self::Live(resource) => {
                resource.patch(text, path, false)?;
                Ok(super::instant())
            }
        }
    }
}
