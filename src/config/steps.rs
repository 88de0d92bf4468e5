//! What a configuration may say of how much of the line each version gets, and when.

use super::reader::{Field, Object, Reader, member, quoted};
use super::versions::find_version;
use super::{NAME_CHARS_MAX, STEPS_MAX};
use crate::bucket::PARTS;
use crate::moment::{UnixMs, parse_rfc3339};
use crate::split::{Share, Split, percent};
use crate::steps::Steps;

/// Decimal places of the finest percentage, which is a part per million.
const PERCENT_PLACES: u32 = 4;

/// A rollout's `steps`, or its `split`, or neither.
pub(super) fn steps(
    r: &mut Reader,
    rollout: &Object<'_>,
    names: &[&str],
    baseline: Option<usize>,
) -> Option<Steps> {
    let split = rollout.get("split").map(|field| shares(r, &field, names, baseline));
    let Some(field) = rollout.get("steps") else {
        let line = Split::baseline(baseline?);
        return Some(Steps::always(match split {
            Some(shares) => line.then(&shares?),
            None => line,
        }));
    };
    if let Some(split) = rollout.get("split") {
        r.error(&split.path, "says what \"steps\" says too; keep the steps");
    }
    let fields = r.list(&field, STEPS_MAX)?;
    let mut last = None;
    let steps: Vec<Option<(UnixMs, Vec<Share>)>> =
        fields.iter().map(|field| step(r, field, names, baseline, &mut last)).collect();
    let steps: Vec<(UnixMs, Vec<Share>)> = steps.into_iter().collect::<Option<_>>()?;
    Some(Steps::replay(baseline?, steps.iter().map(|(at, shares)| (*at, shares.as_slice()))))
}

fn step(
    r: &mut Reader,
    field: &Field<'_>,
    names: &[&str],
    baseline: Option<usize>,
    last: &mut Option<UnixMs>,
) -> Option<(UnixMs, Vec<Share>)> {
    let object = r.object(field, &["at", "percent"])?;
    let at = r
        .required(&object, "at", "write when it takes effect, such as \"2026-11-23T09:00:00Z\"")
        .and_then(|field| moment(r, &field, last));
    let shares = r
        .required(&object, "percent", "write what each version gets, such as {\"v2\": 5}")
        .and_then(|field| shares(r, &field, names, baseline));
    Some((at?, shares?))
}

/// The moment of a step, which comes after that of the one before.
fn moment(r: &mut Reader, field: &Field<'_>, last: &mut Option<UnixMs>) -> Option<UnixMs> {
    let text = r.string(field)?;
    let Some(at) = parse_rfc3339(text) else {
        let message = format!(
            "{} is not a moment; write one such as \"2026-11-23T09:00:00Z\" (RFC 3339)",
            quoted(text)
        );
        r.error(&field.path, message);
        return None;
    };
    if last.replace(at).is_some_and(|last| at <= last) {
        r.error(&field.path, "is not after the step before it; write the steps in the order of time");
        return None;
    }
    Some(at)
}

/// What each version is given; the baseline gets the rest.
fn shares(r: &mut Reader, field: &Field<'_>, names: &[&str], baseline: Option<usize>) -> Option<Vec<Share>> {
    let members = r.members(field)?;
    let mut shares = Vec::new();
    let mut terms = Vec::new();
    let mut sum: u32 = 0;
    for (name, node) in members {
        let field = Field { path: member(&field.path, name), node };
        let version = find_version(r, &field.path, name, names);
        let parts = parts(r, &field);
        if version.is_some() && version == baseline {
            r.error(&field.path, "is the baseline, which gets what no other version is given; remove it");
            continue;
        }
        // What names no version is an error of its own and not part of the sum.
        if let Some((version, parts)) = version.zip(parts) {
            sum = sum.saturating_add(parts);
            let name: String = name.chars().take(NAME_CHARS_MAX).collect();
            terms.push(format!("{} {}", name.escape_debug(), percent(parts)));
            shares.push(Share { version, parts });
        }
    }
    if sum > PARTS {
        let message = format!(
            "{} = {} percent, but versions can be given at most 100; lower one",
            terms.join(" + "),
            percent(sum)
        );
        r.error(&field.path, message);
        return None;
    }
    Some(shares)
}

/// A percentage as parts per million, exactly.
fn parts(r: &mut Reader, field: &Field<'_>) -> Option<u32> {
    let percent = r.number(field)?;
    let (parts, is_exact) = percent.in_units(PERCENT_PLACES);
    let parts = u32::try_from(parts).unwrap_or(u32::MAX);
    if percent.is_negative() || parts > PARTS || parts == PARTS && !is_exact {
        r.error(&field.path, format!("is {percent}, but a percentage is from 0 to 100"));
        return None;
    }
    if !is_exact {
        r.error(&field.path, format!("is {percent}, but the finest percentage is 0.0001; round it"));
        return None;
    }
    Some(parts)
}
