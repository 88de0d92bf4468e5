//! Percentages → ranges of buckets, each of which belongs to a version.
//!
//! In: the versions' shares in parts per million, one set per step. Out: the version of each bucket. It knows
//! nothing of names, times or keys.
//!
//! A step moves exactly the difference between old and new shares, and nothing between two versions whose shares
//! stay. A version whose share shrinks gives up the end of its last range. A version whose share grows takes the
//! lowest free buckets. Free buckets belong to the baseline.

use crate::bucket::PARTS;
use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

/// The line `0..PARTS`, divided among versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    baseline: usize,
    /// In order, without gaps, never empty; neighbours belong to different versions.
    ranges: Vec<Range>,
}

/// The buckets `start..end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The first bucket.
    pub start: u32,
    /// The bucket after the last; at least `start`, at most [`PARTS`].
    pub end: u32,
    /// The version they belong to, as an index into the rollout's versions.
    pub version: usize,
}

impl Range {
    #[expect(clippy::arithmetic_side_effects, reason = "start <= end")]
    fn len(self) -> u32 {
        self.end - self.start
    }
}

/// A version's share of the line from a step on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// An index into the rollout's versions; never the baseline's.
    pub version: usize,
    /// Parts per million.
    pub parts: u32,
}

/// Parts per million as a percentage, exactly: `12.5`, `0.0001`.
#[must_use]
pub fn percent(parts: u32) -> String {
    let (whole, rest) = (parts / 10_000, parts % 10_000);
    let text = format!("{whole}.{rest:04}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

impl Split {
    /// A line that belongs to the baseline as a whole.
    #[must_use]
    pub fn baseline(version: usize) -> Self {
        Self { baseline: version, ranges: vec![Range { start: 0, end: PARTS, version }] }
    }

    /// The line after one more step. A version without a share has none afterwards. Each version may have one share.
    /// All shares together should be at most [`PARTS`]; what exceeds the line is not given. The order of the
    /// shares does not matter: versions take buckets in the order of their indices.
    #[must_use]
    pub fn then(&self, shares: &[Share]) -> Self {
        let target =
            |version| shares.iter().find(|share| share.version == version).map_or(0, |share| share.parts);
        let mut next = self.clone();
        // Shrinking comes first, so that other versions can take what becomes free.
        for version in self.owners() {
            let excess = self.parts(version).saturating_sub(target(version));
            next.give_back(version, excess);
        }
        let last = shares.iter().map(|share| share.version).max();
        for version in last.into_iter().flat_map(|last| 0..=last) {
            let missing = target(version).saturating_sub(self.parts(version));
            if version != self.baseline {
                next.take(version, missing);
            }
        }
        next
    }

    /// The version of a bucket; the baseline past the end of the line.
    #[must_use]
    pub fn version(&self, bucket: u32) -> usize {
        self.range(bucket).map_or(self.baseline, |range| range.version)
    }

    /// The range that contains a bucket; `None` past the end of the line.
    #[must_use]
    pub fn range(&self, bucket: u32) -> Option<Range> {
        self.ranges.get(self.ranges.partition_point(|range| range.end <= bucket)).copied()
    }

    /// All ranges in order, with the baseline's.
    #[must_use]
    pub fn ranges(&self) -> &[Range] {
        &self.ranges
    }

    /// The share of a version, in parts per million.
    #[must_use]
    pub fn parts(&self, version: usize) -> u32 {
        self.ranges.iter().filter(|range| range.version == version).map(|range| range.len()).sum()
    }

    /// The versions with a share, without the baseline, in the order of their indices.
    fn owners(&self) -> impl Iterator<Item = usize> {
        let last = self.ranges.iter().map(|range| range.version).max();
        let owns = |version| self.ranges.iter().any(|range| range.version == version);
        let versions = last.into_iter().flat_map(|last| 0..=last);
        versions.filter(move |&version| version != self.baseline && owns(version))
    }

    /// Returns the last `parts` of a version to the baseline.
    #[expect(clippy::arithmetic_side_effects, reason = "given <= parts, and given <= the range's length")]
    fn give_back(&mut self, version: usize, mut parts: u32) {
        let mut kept = Vec::with_capacity(self.ranges.len());
        for range in self.ranges.iter().rev() {
            let given = if range.version == version { parts.min(range.len()) } else { 0 };
            let cut = range.end - given;
            kept.push(Range { start: cut, version: self.baseline, ..*range });
            kept.push(Range { end: cut, ..*range });
            parts -= given;
        }
        kept.reverse();
        self.ranges = joined(kept);
    }

    /// Gives a version the lowest `parts` of the baseline.
    #[expect(clippy::arithmetic_side_effects, reason = "taken <= parts, and taken <= the range's length")]
    fn take(&mut self, version: usize, mut parts: u32) {
        let mut kept = Vec::with_capacity(self.ranges.len());
        for range in &self.ranges {
            let taken = if range.version == self.baseline { parts.min(range.len()) } else { 0 };
            let cut = range.start + taken;
            kept.push(Range { end: cut, version, ..*range });
            kept.push(Range { start: cut, ..*range });
            parts -= taken;
        }
        self.ranges = joined(kept);
    }
}

/// Drops empty ranges and joins neighbours that belong to the same version.
fn joined(ranges: Vec<Range>) -> Vec<Range> {
    let mut line: Vec<Range> = Vec::with_capacity(ranges.len());
    for range in ranges.into_iter().filter(|range| range.len() > 0) {
        match line.last_mut() {
            Some(last) if last.version == range.version => last.end = range.end,
            _ => line.push(range),
        }
    }
    line
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "an overflow fails the test")]
mod tests {
    use super::{Range, Share, Split, percent};
    use crate::bucket::PARTS;
    use proptest::prelude::*;

    const BASELINE: usize = 0;

    fn shares(parts: &[u32]) -> Vec<Share> {
        parts.iter().enumerate().map(|(i, &parts)| Share { version: i + 1, parts }).collect()
    }

    fn replay(steps: &[&[u32]]) -> Split {
        steps.iter().fold(Split::baseline(BASELINE), |split, step| split.then(&shares(step)))
    }

    fn check(steps: &[&[u32]], expect: &[(u32, u32, usize)]) {
        let split = replay(steps);
        let found: Vec<_> = split.ranges().iter().map(|r| (r.start, r.end, r.version)).collect();
        assert_eq!(found, expect, "{steps:?}");
    }

    #[test]
    fn tables() {
        check(&[], &[(0, PARTS, 0)]);
        check(&[&[0]], &[(0, PARTS, 0)]);
        check(&[&[10]], &[(0, 10, 1), (10, PARTS, 0)]);
        check(&[&[PARTS]], &[(0, PARTS, 1)]);
        check(&[&[1, 2]], &[(0, 1, 1), (1, 3, 2), (3, PARTS, 0)]);
        check(&[&[PARTS - 1, 1]], &[(0, PARTS - 1, 1), (PARTS - 1, PARTS, 2)]);
        // Growing keeps what one had and takes the lowest free parts.
        check(&[&[10, 10], &[15, 10]], &[(0, 10, 1), (10, 20, 2), (20, 25, 1), (25, PARTS, 0)]);
        // Shrinking gives back the end of the last range.
        check(&[&[10, 10], &[15, 10], &[12, 10]], &[(0, 10, 1), (10, 20, 2), (20, 22, 1), (22, PARTS, 0)]);
        check(&[&[10, 10], &[15, 10], &[7, 10]], &[(0, 7, 1), (7, 10, 0), (10, 20, 2), (20, PARTS, 0)]);
        // The hole is the next to be taken, also within one step.
        check(&[&[10, 10], &[5, 12]], &[(0, 5, 1), (5, 7, 2), (7, 10, 0), (10, 20, 2), (20, PARTS, 0)]);
        check(&[&[PARTS], &[0, PARTS]], &[(0, PARTS, 2)]);
    }

    #[test]
    fn every_bucket_has_an_owner() {
        let split = replay(&[&[10, 20]]);
        for (bucket, version) in
            [(0, 1), (9, 1), (10, 2), (29, 2), (30, 0), (PARTS - 1, 0), (PARTS, 0), (u32::MAX, 0)]
        {
            assert_eq!(split.version(bucket), version, "bucket {bucket}");
        }
        assert_eq!(split.range(12), Some(Range { start: 10, end: 30, version: 2 }));
        assert_eq!(split.range(PARTS), None);
    }

    #[test]
    fn too_much_is_not_given() {
        check(&[&[PARTS, 5]], &[(0, PARTS, 1)]);
    }

    #[test]
    fn the_order_of_the_shares_makes_no_difference() {
        let mut reversed = shares(&[10, 20, 30]);
        reversed.reverse();
        assert_eq!(Split::baseline(BASELINE).then(&reversed), replay(&[&[10, 20, 30]]));
    }

    #[test]
    fn percentages() {
        for (parts, text) in [(0, "0"), (1, "0.0001"), (10_000, "1"), (125_000, "12.5"), (PARTS, "100")] {
            assert_eq!(percent(parts), text);
        }
    }

    /// The rule as the design states it, cell by cell on a line of `LINE` cells.
    fn naive(steps: &[Vec<u32>]) -> Vec<usize> {
        let mut line = vec![BASELINE; LINE as usize];
        let count = |line: &[usize], version| line.iter().filter(|&&owner| owner == version).count();
        for step in steps {
            for (i, &want) in step.iter().enumerate() {
                while count(&line, i + 1) > want as usize {
                    let last = line.iter().rposition(|&owner| owner == i + 1).unwrap();
                    line[last] = BASELINE;
                }
            }
            for (i, &want) in step.iter().enumerate() {
                while count(&line, i + 1) < want as usize {
                    let lowest = line.iter().position(|&owner| owner == BASELINE).unwrap();
                    line[lowest] = i + 1;
                }
            }
        }
        line
    }

    const LINE: u32 = 100;
    const CELL: u32 = PARTS / LINE;

    /// Up to four versions whose shares fit on the line.
    fn step() -> impl Strategy<Value = Vec<u32>> {
        prop::collection::vec(0..=LINE, 4).prop_map(|cuts| {
            let mut left = LINE;
            cuts.into_iter()
                .map(|wanted| {
                    let given = wanted.min(left);
                    left -= given;
                    given
                })
                .collect()
        })
    }

    proptest! {
        #[test]
        fn agrees_with_the_naive_line(steps in prop::collection::vec(step(), 0..6)) {
            let scaled: Vec<Vec<u32>> = steps.iter().map(|s| s.iter().map(|n| n * CELL).collect()).collect();
            let split = replay(&scaled.iter().map(Vec::as_slice).collect::<Vec<_>>());
            for (cell, owner) in (0..LINE).zip(naive(&steps)) {
                prop_assert_eq!(split.version(cell * CELL), owner);
                prop_assert_eq!(split.version(cell * CELL + CELL - 1), owner);
            }
        }

        #[test]
        fn a_step_moves_only_what_changed(a in 0..=PARTS, b in 0..=PARTS, c in 0..=PARTS, d in 0..=PARTS) {
            let fit = |x: u32, y: u32| [x, y.min(PARTS - x)];
            let (first, second) = (fit(a, b), fit(c, d));
            let (before, after) = (replay(&[&first]), replay(&[&first, &second]));
            for (i, &parts) in second.iter().enumerate() {
                prop_assert_eq!(after.parts(i + 1), parts, "every share is exact");
            }
            let mut cuts: Vec<u32> = [&before, &after].iter().flat_map(|s| s.ranges()).map(|r| r.start).collect();
            cuts.push(PARTS);
            cuts.sort_unstable();
            let moved_from = |version: usize| -> u32 {
                cuts.windows(2)
                    .filter(|w| before.version(w[0]) == version && after.version(w[0]) != version)
                    .map(|w| w[1] - w[0])
                    .sum()
            };
            for (i, (&old, &new)) in first.iter().zip(&second).enumerate() {
                prop_assert_eq!(moved_from(i + 1), old.saturating_sub(new));
            }
        }

        #[test]
        fn the_line_is_whole(steps in prop::collection::vec(step(), 0..6)) {
            let split = replay(&steps.iter().map(Vec::as_slice).collect::<Vec<_>>());
            let ranges = split.ranges();
            prop_assert_eq!(ranges.first().map(|r| r.start), Some(0));
            prop_assert_eq!(ranges.last().map(|r| r.end), Some(PARTS));
            prop_assert!(ranges.windows(2).all(|w| w[0].end == w[1].start && w[0].version != w[1].version));
            prop_assert!(ranges.iter().all(|r| r.start < r.end));
        }
    }
}
