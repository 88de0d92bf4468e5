//! What a configuration may say of how much of the line each version gets, and when.

use super::STEPS_MAX;
use super::json::Node;
use super::names::find_version;
use super::validator::Validator;
use super::words::{plain, quoted};
use crate::bucket::PARTS;
use crate::split::{Share, Split, percent};
use crate::steps::Steps;
use crate::timestamp::{UnixMs, parse_rfc3339};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

/// Decimal places of the finest percentage, which is a part per million.
const PERCENT_PLACES: u32 = 4;

/// A rollout's `steps`, or its `split`, or neither.
pub(super) fn steps(
    r: &mut Validator<'_>,
    rollout: &Node,
    names: &[&str],
    baseline: Option<usize>,
) -> Option<Steps> {
    let split = rollout.get("split").map(|node| shares(r, node, names, baseline));
    let Some(node) = rollout.get("steps") else {
        let line = Split::baseline(baseline?);
        return Some(Steps::always(match split {
            Some(shares) => line.then(&shares?),
            None => line,
        }));
    };
    if let Some(split) = rollout.get("split") {
        r.error(split, format_args!("says what \"steps\" says too; keep the steps"));
    }
    let items = r.list(node, STEPS_MAX)?;
    let mut last = None;
    let steps = r.each(items, |r, node| step(r, node, names, baseline, &mut last))?;
    Some(Steps::replay(baseline?, steps.iter().map(|(at, shares)| (*at, shares.as_slice()))))
}

fn step(
    r: &mut Validator<'_>,
    node: &Node,
    names: &[&str],
    baseline: Option<usize>,
    last: &mut Option<UnixMs>,
) -> Option<(UnixMs, Vec<Share>)> {
    let object = r.object(node, &["at", "percent"])?;
    let at = r
        .required(object, "at", "write when it takes effect, such as \"2026-11-23T09:00:00Z\"")
        .and_then(|node| moment(r, node, last));
    let shares = r
        .required(object, "percent", "write what each version gets, such as {\"v2\": 5}")
        .and_then(|node| shares(r, node, names, baseline));
    Some((at?, shares?))
}

/// The moment of a step, which comes after that of the one before.
fn moment(r: &mut Validator<'_>, node: &Node, last: &mut Option<UnixMs>) -> Option<UnixMs> {
    let text = r.string(node)?;
    let Some(at) = parse_rfc3339(text) else {
        let remedy = "write one such as \"2026-11-23T09:00:00Z\" (RFC 3339)";
        r.error(node, format_args!("{} is not a moment; {remedy}", quoted(text)));
        return None;
    };
    if last.replace(at).is_some_and(|last| at <= last) {
        let remedy = "write the steps in the order of time";
        r.error(node, format_args!("is not after the step before it; {remedy}"));
        return None;
    }
    Some(at)
}

/// What each version is given; the baseline gets the rest.
fn shares(r: &mut Validator<'_>, node: &Node, names: &[&str], baseline: Option<usize>) -> Option<Vec<Share>> {
    let members = r.members(node)?;
    let mut shares: Vec<Share> = Vec::new();
    let mut sum: u32 = 0;
    for (name, node) in members {
        let version = find_version(r, node, name, names);
        let parts = parts(r, node);
        if version.is_some() && version == baseline {
            let remedy = "which gets what no other version is given; remove it";
            r.error(node, format_args!("is the baseline, {remedy}"));
            continue;
        }
        // What names no version is an error of its own and not part of the sum.
        if let Some((version, parts)) = version.zip(parts) {
            sum = sum.saturating_add(parts);
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
        let remedy = "but versions can be given at most 100; lower one";
        r.error(node, format_args!("{terms} = {sum} percent, {remedy}"));
        return None;
    }
    Some(shares)
}

/// A percentage as parts per million, exactly.
fn parts(r: &mut Validator<'_>, node: &Node) -> Option<u32> {
    let percent = r.number(node)?;
    let (parts, is_exact) = percent.in_units(PERCENT_PLACES);
    let parts = u32::try_from(parts).unwrap_or(u32::MAX);
    if percent.is_negative() || parts > PARTS || parts == PARTS && !is_exact {
        r.error(node, format_args!("is {percent}, but a percentage is from 0 to 100"));
        return None;
    }
    if !is_exact {
        r.error(node, format_args!("is {percent}, but the finest percentage is 0.0001; round it"));
        return None;
    }
    Some(parts)
}
