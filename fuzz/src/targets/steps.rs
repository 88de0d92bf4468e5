//! Arbitrary shares at arbitrary moments, against a line of a thousand cells that is dealt out one by one.

use llm_canary::bucket::PARTS;
use llm_canary::split::{Share, Split};
use llm_canary::steps::Steps;

use super::input::Input;

const STEPS_MAX: usize = 24;
const CELLS: u32 = 1000;
const CELL_PARTS: u32 = PARTS / CELLS;

/// Versions, the baseline, then steps: how much later than the one before, and the shares.
pub(crate) fn steps(bytes: &[u8]) {
    let mut input = Input(bytes);
    let versions = 1 + input.below(16);
    let baseline = input.below(versions);
    // In parts of a cell the naive line can follow; in single parts per million it cannot.
    let unit = input.pick(&[CELL_PARTS, 1]);
    let mut moment = input.u64() >> input.below(64);
    let mut plan: Vec<(u64, Vec<Share>)> = Vec::new();
    while !input.is_empty() && plan.len() < STEPS_MAX {
        moment = moment.saturating_add(input.u64() >> input.below(64));
        plan.push((moment, shares(&mut input, versions, baseline, unit)));
    }
    let steps = Steps::replay(baseline, plan.iter().map(|(at, shares)| (*at, shares.as_slice())));
    assert_eq!(steps.count(), plan.len());

    let mut line = vec![baseline; CELLS as usize];
    for (taken, (_, shares)) in plan.iter().enumerate() {
        let (before, after) = (steps.split(taken), steps.split(taken + 1));
        is_whole(after, versions);
        is_as_asked(after, shares, versions, baseline);
        moves_no_more_than_it_must(before, after, versions, baseline);
        if unit == CELL_PARTS {
            deal(&mut line, shares, versions, baseline);
            for (cell, owner) in line.iter().enumerate() {
                let bucket = cell as u32 * CELL_PARTS;
                assert_eq!(after.version(bucket), *owner, "step {taken}, cell {cell}");
                assert_eq!(after.version(bucket + CELL_PARTS - 1), *owner, "step {taken}, cell {cell}");
            }
        }
    }
    asks_the_right_split(&steps, &plan, baseline);
}

fn shares(input: &mut Input<'_>, versions: usize, baseline: usize, unit: u32) -> Vec<Share> {
    let mut left = PARTS / unit;
    let mut shares = Vec::new();
    for version in (0..versions).filter(|version| *version != baseline) {
        if input.flag() {
            let parts = (input.u32() >> input.below(24)) % (left + 1);
            left -= parts;
            shares.push(Share { version, parts: parts * unit });
        }
    }
    if input.flag() {
        shares.reverse(); // their order makes no difference
    }
    shares
}

fn share(shares: &[Share], version: usize) -> u32 {
    shares.iter().find(|share| share.version == version).map_or(0, |share| share.parts)
}

/// Every bucket has one owner, and the ranges say so too.
fn is_whole(split: &Split, versions: usize) {
    let mut end = 0;
    let mut last = None;
    for range in split.ranges() {
        assert!(range.start == end && range.end > range.start && range.version < versions, "{split:?}");
        assert_ne!(last, Some(range.version), "neighbours of one version: {split:?}");
        for bucket in [range.start, range.start + (range.end - range.start) / 2, range.end - 1] {
            assert_eq!(split.version(bucket), range.version);
            assert_eq!(split.range(bucket), Some(*range));
        }
        (end, last) = (range.end, Some(range.version));
    }
    assert_eq!(end, PARTS, "{split:?}");
    assert_eq!((0..versions).map(|version| split.parts(version)).sum::<u32>(), PARTS);
}

fn is_as_asked(split: &Split, shares: &[Share], versions: usize, baseline: usize) {
    for version in (0..versions).filter(|version| *version != baseline) {
        assert_eq!(split.parts(version), share(shares, version), "version {version}: {split:?}");
    }
}

/// What a version loses is what its share lost, and what it gains what that gained.
fn moves_no_more_than_it_must(before: &Split, after: &Split, versions: usize, baseline: usize) {
    let mut edges: Vec<u32> =
        [before, after].iter().flat_map(|s| s.ranges()).map(|range| range.start).collect();
    edges.sort_unstable();
    edges.dedup();
    edges.push(PARTS);
    let (mut lost, mut gained) = (vec![0; versions], vec![0; versions]);
    for edge in edges.windows(2) {
        let (old, new) = (before.version(edge[0]), after.version(edge[0]));
        if old != new {
            lost[old] += edge[1] - edge[0];
            gained[new] += edge[1] - edge[0];
        }
    }
    for version in (0..versions).filter(|version| *version != baseline) {
        let (old, new) = (before.parts(version), after.parts(version));
        let expected = (old.saturating_sub(new), new.saturating_sub(old));
        assert_eq!((lost[version], gained[version]), expected, "version {version}: {before:?} → {after:?}");
    }
}

/// A step, cell by cell: who has too much gives back its last, then who has too little takes the first that are free.
fn deal(line: &mut [usize], shares: &[Share], versions: usize, baseline: usize) {
    let wanted = |version| (share(shares, version) / CELL_PARTS) as usize;
    let others = || (0..versions).filter(|version| *version != baseline);
    for version in others() {
        let excess = line.iter().filter(|owner| **owner == version).count().saturating_sub(wanted(version));
        line.iter_mut()
            .rev()
            .filter(|owner| **owner == version)
            .take(excess)
            .for_each(|owner| *owner = baseline);
    }
    for version in others() {
        let missing = wanted(version) - line.iter().filter(|owner| **owner == version).count();
        line.iter_mut().filter(|owner| **owner == baseline).take(missing).for_each(|owner| *owner = version);
    }
}

/// Any moment is asked of the last step up to it; and a bucket has moved where one of the steps since moved it.
fn asks_the_right_split(steps: &Steps, plan: &[(u64, Vec<Share>)], baseline: usize) {
    let mut moments = vec![0, u64::MAX];
    moments.extend(plan.iter().flat_map(|(at, _)| [at.saturating_sub(1), *at, at.saturating_add(1)]));
    for &now in &moments {
        let taken = plan.iter().filter(|(at, _)| *at <= now).count();
        assert_eq!(steps.taken_by(now), taken);
        assert_eq!(steps.at(now), steps.split(taken));
        if taken == 0 {
            assert_eq!(steps.at(now), &Split::baseline(baseline));
        }
    }
    for (index, &since) in moments.iter().enumerate().take(12) {
        for &now in moments.iter().skip(index).take(6) {
            for bucket in [0, 1, PARTS / 3, PARTS - 1] {
                let owner = steps.at(since).version(bucket);
                let is_since = |(_, (at, _)): &(usize, &(u64, Vec<Share>))| since < *at && *at <= now;
                let has_moved = plan
                    .iter()
                    .enumerate()
                    .filter(is_since)
                    .any(|(at, _)| steps.split(at + 1).version(bucket) != owner);
                assert_eq!(steps.has_moved(bucket, since, now), has_moved, "{bucket} {since} {now}");
            }
        }
    }
}
