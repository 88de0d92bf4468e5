//! The series of a configuration, and the position of each.

use super::catalogue::{CATALOGUE, GROUPS, Group, Spec};
use super::{Series, Update};
use crate::config::{Config, Rollout};
use crate::route::Decision;
use alloc::vec::Vec;

/// The labels that every metric of the catalogue has, before its own.
pub const BLOCK_LABELS: [&str; 3] = ["llm_rollout", "llm_version", "llm_compare"];

/// Calls `define` with all series of a configuration, block by block: for each rollout and each of its versions, first
/// the block of requests that may not be compared, then the block of those that may.
pub fn for_each_series(config: &Config, mut define: impl FnMut(&Series<'_>)) {
    for_each_block(config, |rollout, version, compare| {
        let [for_rollout, for_version, for_compare] = BLOCK_LABELS;
        let compare_name = if compare { "yes" } else { "no" };
        let block =
            [(for_rollout, rollout.name.as_str()), (for_version, version), (for_compare, compare_name)];
        for group in Group::ALL.into_iter().filter(|group| group.exists(rollout, compare)) {
            for Spec { name, kind, label, .. } in CATALOGUE.iter().filter(|spec| spec.group == group) {
                match label {
                    None => define(&Series { kind: *kind, name, labels: &block }),
                    Some((label, values)) => values.iter().for_each(|value| {
                        let [rollout, version, compare] = block;
                        let labels = [rollout, version, compare, (label, value)];
                        define(&Series { kind: *kind, name, labels: &labels });
                    }),
                }
            }
        }
    });
}

/// Calls `block` with the rollout, the version's name, and whether the block is of requests that may be compared.
fn for_each_block<'c>(config: &'c Config, mut block: impl FnMut(&'c Rollout, &'c str, bool)) {
    for rollout in &config.rollouts {
        for version in &rollout.versions {
            [false, true].into_iter().for_each(|compare| block(rollout, &version.name, compare));
        }
    }
}

/// The position of each series in the order of [`for_each_series`].
pub struct SeriesLayout {
    /// How many blocks precede each rollout's first.
    blocks_before: Vec<usize>,
    /// Of each block, the position of each group's first series; `None`: the group does not exist in it.
    groups: Vec<[Option<usize>; GROUPS]>,
}

impl SeriesLayout {
    /// Lays out the series of a configuration.
    #[expect(clippy::arithmetic_side_effects, reason = "at most ROLLOUTS_MAX * VERSIONS_MAX * 2 blocks")]
    pub fn new(config: &Config) -> SeriesLayout {
        let blocks_before = config.rollouts.iter().scan(0, |blocks, rollout| {
            let before = *blocks;
            *blocks += rollout.versions.len() * 2;
            Some(before)
        });
        let (mut groups, mut series) = (Vec::new(), 0);
        for_each_block(config, |rollout, _, compare| {
            groups.push(Group::ALL.map(|group| {
                let first = group.exists(rollout, compare).then_some(series);
                series += first.map_or(0, |_| group.series());
                first
            }));
        });
        SeriesLayout { blocks_before: blocks_before.collect(), groups }
    }

    /// The block in which a decision is counted.
    pub fn block(&self, decision: &Decision) -> Option<Block<'_>> {
        let before = self.blocks_before.get(decision.rollout)?;
        let version = decision.version.saturating_mul(2);
        let at = before.saturating_add(version).saturating_add(usize::from(decision.compare));
        self.groups.get(at).map(Block)
    }
}

/// The series of one version of a rollout.
#[derive(Clone, Copy)]
pub struct Block<'l>(&'l [Option<usize>; GROUPS]);

impl Block<'_> {
    /// The position of a series; `None` if the block does not have it.
    #[must_use]
    pub fn position(self, update: &Update) -> Option<usize> {
        let first = (*self.0.get(update.group as usize)?)?;
        Some(first.saturating_add(update.offset))
    }
}
