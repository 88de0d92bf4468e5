//! Where windows come from, for the commands that judge.
//!
//! [`Feed`] is what they need of a source; tests have one of their own.

use crate::error::Error;
use crate::io::World;
use crate::subject::SeenRollout;
use llm_canary_verdict::health::Look;
use llm_canary_verdict::window::Window;

/// Where windows come from.
pub(crate) trait Feed {
    /// What has been seen so far: at least the rollouts and versions that are in the evidence now.
    fn seen(&self) -> Vec<SeenRollout>;

    /// Hands out the windows that have closed, in order of time, for each pair of version and baseline; waits for one if there may be
    /// more. The number is that of the pair.
    ///
    /// # Errors
    /// The source cannot be read.
    fn next(
        &mut self,
        world: &mut World<'_>,
        pairs: &Pairs,
        push: &mut dyn FnMut(usize, &Window),
    ) -> Result<Next, Error>;

    /// What is known at this moment beside the windows.
    fn look(&self, rollout: &str, world: &World<'_>) -> Look;
}

/// Whether a source has more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Windows may follow.
    MayCome,
    /// This was all.
    Over,
}

/// The pairs of versions that are compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pairs {
    pub(crate) rollout: String,
    pub(crate) baseline: String,
    pub(crate) versions: Vec<String>,
}
