//! Placeholder until the sources are merged.

use super::feed::Feed;
use crate::error::Error;
use crate::io::World;
use llm_canary::timestamp::UnixMs;

/// Where the counts come from.
#[derive(clap::Args, Debug, Default)]
pub(super) struct SourceArgs {}

impl SourceArgs {
    pub(super) fn open(&self, _: Option<UnixMs>, _: &World<'_>) -> Result<Box<dyn Feed>, Error> {
        Err(Error::refused("there is no source yet"))
    }
}
