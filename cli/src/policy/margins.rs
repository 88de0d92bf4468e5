//! How much harm must be excluded, by the share in force or for one signal.

use super::reader::{Place, Reader};
use llm_canary_verdict::policy::{Margin, Tier};
use llm_canary_verdict::signal::Kind;

/// Shares with margins of their own.
const TIERS_MAX: usize = 16;

const RATIO_OR_POINTS: &str =
    "excludes no harm that could be told from none; write a ratio above 1, or points above 0";
const ABOVE_ONE: &str =
    "is 1, and harm of that size cannot be told from none; write a ratio above 1, such as 1.2";

/// The margins by share, the smallest share first.
pub(super) fn tiers(reader: &mut Reader, place: &Place<'_>) -> Option<Vec<Tier>> {
    let items = reader.items(place, TIERS_MAX)?;
    let last = items.len().saturating_sub(1);
    let mut tiers = Vec::new();
    let mut before: Option<f64> = None;
    for (index, item) in items.iter().enumerate() {
        let Some(fields) = reader.object(item, &["below", "ratio", "points", "mean"]) else { continue };
        let below = fields.get("below");
        match (&below, index == last) {
            (Some(place), true) => {
                reader.problem(
                    place,
                    "ends the last margins, and shares above it would have none; leave it out",
                );
            }
            (None, false) => {
                reader.required(
                    &fields,
                    "below",
                    "write the share up to which these margins hold, such as 5%",
                );
            }
            _ => {}
        }
        let below = below.as_ref().and_then(|place| Some((place, reader.percent(place)?)));
        if let Some((place, share)) = below {
            if before.is_some_and(|before| share <= before) {
                let message =
                    "is not above the share before it; put the margins in the order of their shares";
                reader.problem(place, message);
            }
            before = Some(share);
        }
        let rate = rate_margin(reader, item, &fields);
        let mean = reader.required(&fields, "mean", "write the ratio of means, such as 1.3");
        let mean = mean.and_then(|place| ratio_above_one(reader, &place));
        if let (Some(rate), Some(mean)) = (rate, mean) {
            tiers.push(Tier { below: below.map(|(_, share)| share), rate, mean });
        }
    }
    (tiers.len() == items.len()).then_some(tiers)
}

/// One margin for all shares, of a signal of this kind.
pub(super) fn margin(reader: &mut Reader, place: &Place<'_>, kind: Option<Kind>) -> Option<Margin> {
    let fields = reader.object(place, &["ratio", "points"])?;
    if kind != Some(Kind::Distribution) {
        return rate_margin(reader, place, &fields);
    }
    if let Some(place) = fields.get("points") {
        reader.problem(&place, "has no meaning for lengths and times; leave it out, and write a ratio");
    }
    let ratio = reader.required(&fields, "ratio", "write the ratio of means, such as 1.3")?;
    Some(Margin { ratio: ratio_above_one(reader, &ratio)?, points: 0.0 })
}

fn rate_margin(reader: &mut Reader, place: &Place<'_>, fields: &Place<'_>) -> Option<Margin> {
    let (ratio, points) = (fields.get("ratio"), fields.get("points"));
    let is_given = (ratio.is_some(), points.is_some());
    let ratio = ratio.map_or(Some(1.0), |place| reader.ratio(&place));
    let points = points.map_or(Some(0.0), |place| reader.points(&place));
    let (ratio, points) = (ratio?, points?);
    if is_given == (false, false) {
        reader.problem(place, "has neither ratio nor points; write one of them, such as ratio: 2");
    } else if ratio <= 1.0 && points <= 0.0 {
        reader.problem(place, RATIO_OR_POINTS);
    }
    Some(Margin { ratio, points })
}

fn ratio_above_one(reader: &mut Reader, place: &Place<'_>) -> Option<f64> {
    let ratio = reader.ratio(place)?;
    if ratio <= 1.0 {
        reader.problem(place, ABOVE_ONE);
    }
    Some(ratio)
}
