//! Checks `steps` and `split`: the share of each version at each time.

use super::STEPS_MAX;
use super::json::Node;
use super::messages::{plain, quoted};
use super::names::find_version;
use super::validator::Validator;
use crate::bucket::PARTS;
use crate::split::{Share, Split, percent};
use crate::steps::Steps;
use crate::timestamp::{UnixMs, parse_rfc3339};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

/// Decimal places of the finest percentage, which is a part per million.
const PERCENT_PLACES: u32 = 4;

/// The steps of a rollout: its `steps`, or one split for all time, from `split` or without any share. Every share is a
/// multiple of the finest, in parts per million.
pub(super) fn steps(
    v: &mut Validator<'_>,
    rollout: &Node,
    names: &[&str],
    baseline: Option<usize>,
    finest: u32,
) -> Option<Steps> {
    let split = rollout.get("split").map(|node| shares(v, node, names, baseline, finest));
    let Some(node) = rollout.get("steps") else {
        let line = Split::baseline(baseline?);
        return Some(Steps::always(match split {
            Some(shares) => line.then(&shares?),
            None => line,
        }));
    };
    if let Some(split) = rollout.get("split") {
        v.error(split, format_args!("is not needed beside \"steps\"; remove one of them"));
    }
    let items = v.list(node, STEPS_MAX)?;
    let mut last = None;
    let steps = v.each(items, |v, node| step(v, node, names, baseline, finest, &mut last))?;
    Some(Steps::replay(baseline?, steps.iter().map(|(at, shares)| (*at, shares.as_slice()))))
}

fn step(
    v: &mut Validator<'_>,
    node: &Node,
    names: &[&str],
    baseline: Option<usize>,
    finest: u32,
    last: &mut Option<UnixMs>,
) -> Option<(UnixMs, Vec<Share>)> {
    let object = v.object(node, &["at", "percent"])?;
    let at = v
        .required(object, "at", "write when it takes effect, such as \"2026-11-23T09:00:00Z\"")
        .and_then(|node| step_time(v, node, last));
    let shares = v
        .required(object, "percent", "write what each version gets, such as {\"v2\": 5}")
        .and_then(|node| shares(v, node, names, baseline, finest));
    Some((at?, shares?))
}

/// The time of a step, which must be after the time of the step before.
fn step_time(v: &mut Validator<'_>, node: &Node, last: &mut Option<UnixMs>) -> Option<UnixMs> {
    let text = v.string(node)?;
    let Some(at) = parse_rfc3339(text) else {
        let remedy = "write one such as \"2026-11-23T09:00:00Z\" (RFC 3339)";
        v.error(node, format_args!("{} is not a time; {remedy}", quoted(text)));
        return None;
    };
    if last.replace(at).is_some_and(|last| at <= last) {
        let remedy = "order the steps by time";
        v.error(node, format_args!("is not after the step before it; {remedy}"));
        return None;
    }
    Some(at)
}

/// The share of each version but the baseline, which gets the rest.
#[expect(clippy::arithmetic_side_effects, reason = "MEMBERS_MAX shares of at most PARTS are below 2^32")]
fn shares(
    v: &mut Validator<'_>,
    node: &Node,
    names: &[&str],
    baseline: Option<usize>,
    finest: u32,
) -> Option<Vec<Share>> {
    let members = v.members(node)?;
    let mut shares: Vec<Share> = Vec::new();
    let mut sum: u32 = 0;
    for (name, node) in members {
        let version = find_version(v, node, name, names);
        let parts = parts(v, node, finest);
        if version.is_some() && version == baseline {
            let remedy = "which gets the rest; remove it";
            v.error(node, format_args!("is the baseline, {remedy}"));
            continue;
        }
        // An unknown version has its own error, and its share does not count.
        if let Some((version, parts)) = version.zip(parts) {
            sum += parts;
            shares.push(Share { version, parts });
        }
    }
    if sum > PARTS {
        let mut terms = String::new();
        for share in &shares {
            let plus = if terms.is_empty() { "" } else { " + " };
            let name = names.get(share.version).copied().unwrap_or_default();
            // Writing to a string does not fail.
            _ = write!(terms, "{plus}{} {}", plain(name), percent(share.parts));
        }
        let sum = percent(sum);
        let remedy = "but the sum must be at most 100; lower one";
        v.error(node, format_args!("{terms} = {sum} percent, {remedy}"));
        return None;
    }
    Some(shares)
}

/// A percentage as parts per million, exactly.
fn parts(v: &mut Validator<'_>, node: &Node, finest: u32) -> Option<u32> {
    let number = v.number(node)?;
    let (parts, is_exact) = number.in_units(PERCENT_PLACES);
    let parts = u32::try_from(parts).unwrap_or(u32::MAX);
    let wrong = if number.is_negative() {
        "a percentage is not negative; write 0 to 100"
    } else if parts > PARTS || parts == PARTS && !is_exact {
        "a percentage is at most 100; write 0 to 100"
    } else if !is_exact {
        "the finest percentage is 0.0001; round it"
    } else if let Some(rest @ 1..) = parts.checked_rem(finest) {
        let below = parts.saturating_sub(rest);
        let (below, above) = (percent(below), percent(below.saturating_add(finest)));
        let finest = percent(finest);
        let message = format_args!(
            "is {number}, but \"hash\" gives keys away by {finest} percent; write {below} or {above}"
        );
        v.error(node, message);
        return None;
    } else {
        return Some(parts);
    };
    v.error(node, format_args!("is {number}, but {wrong}"));
    None
}
