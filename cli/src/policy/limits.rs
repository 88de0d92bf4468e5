//! Hard limits, and what follows from the rows about health.

use super::reader::{Place, Reader};
use llm_canary_verdict::policy::{Effect, ErrorLimit, Limits, Row};
use std::collections::BTreeMap;

/// The most requests that a limit may ask for.
const REQUESTS_MAX: u64 = 1_000_000;
/// The shortest stall: less is an answer that thinks.
const STALL_MS_MIN: u64 = 1_000;

const EFFECTS: [(&str, Effect); 3] = [("warn", Effect::Warn), ("hold", Effect::Hold), ("stop", Effect::Stop)];

/// The limits; what is left out is the default's.
pub(super) fn limits(reader: &mut Reader, place: &Place<'_>, default: Limits) -> Limits {
    let mut limits = default;
    let Some(fields) = reader.object(place, &["errors", "stall"]) else { return limits };
    if let Some(place) = fields.get("errors") {
        limits.errors = if place.is_off() { None } else { errors(reader, &place, default.errors) };
    }
    if let Some(place) = fields.get("stall") {
        limits.stall_ms = if place.is_off() { None } else { reader.duration_ms(&place, STALL_MS_MIN) };
    }
    limits
}

fn errors(reader: &mut Reader, place: &Place<'_>, default: Option<ErrorLimit>) -> Option<ErrorLimit> {
    let mut limit = default?;
    let fields = reader.object(place, &["above", "of", "times"])?;
    if let Some(place) = fields.get("above") {
        limit.above = reader.percent(&place).unwrap_or(limit.above);
    }
    if let Some(place) = fields.get("of") {
        limit.of = reader.whole(&place, 1..=REQUESTS_MAX).unwrap_or(limit.of);
    }
    if let Some(place) = fields.get("times") {
        limit.times = reader.ratio(&place).unwrap_or(limit.times);
    }
    Some(limit)
}

/// The effects that differ from what is usual.
pub(super) fn health(reader: &mut Reader, place: &Place<'_>) -> BTreeMap<Row, Effect> {
    let names = Row::ALL.map(Row::name);
    let mut effects = BTreeMap::new();
    let Some(fields) = reader.object(place, &names) else { return effects };
    for row in Row::ALL {
        let effect = fields.get(row.name()).and_then(|place| reader.choice(&place, &EFFECTS));
        if let Some(effect) = effect.filter(|effect| *effect != row.effect()) {
            effects.insert(row, effect);
        }
    }
    effects
}
