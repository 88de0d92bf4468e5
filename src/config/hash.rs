//! Checks `salt` and `hash`: by which mapping a key gets its bucket.

use super::json::Node;
use super::validator::{Empty, Validator};
use crate::bucket::PARTS;
use crate::bucket::scheme::{FlagdSeed, Fractional, Scheme, UnleashDraw};
use alloc::vec::Vec;
use core::num::NonZeroU32;

/// The mapping of a rollout, whose name is the default salt.
pub(super) fn scheme(v: &mut Validator<'_>, rollout: &Node, name: Option<&str>) -> Option<Scheme> {
    let salt = match rollout.get("salt") {
        Some(node) => v.text(node, Empty::Allowed),
        None => name,
    };
    let Some(node) = rollout.get("hash") else {
        return Some(Scheme::Own { salt: salt?.as_bytes().to_vec() });
    };
    if let Some(salt) = rollout.get("salt") {
        v.error(salt, format_args!("is not used beside \"hash\"; remove one of them"));
    }
    let [unleash, flagd] = ["unleash", "flagd"];
    let fields: &[&str] = match node.get("scheme").and_then(Node::as_str) {
        Some(scheme) if scheme == unleash => &["scheme", "group_id", "weights"],
        Some(scheme) if scheme == flagd => &["scheme", "flag_key", "seed", "fractional"],
        _ => &["scheme", "group_id", "weights", "flag_key", "seed", "fractional"],
    };
    let object = v.object(node, fields)?;
    let node = v.required(object, "scheme", "write \"unleash\" or \"flagd\", or leave \"hash\" out")?;
    if v.choice(node, [(unleash, true), (flagd, false)])? {
        unleash_scheme(v, object)
    } else {
        flagd_scheme(v, object)
    }
}

fn unleash_scheme(v: &mut Validator<'_>, object: &Node) -> Option<Scheme> {
    let remedy =
        "write the group id of the flag's strategy, which is the flag's name if nobody has changed it";
    let group_id = filled(v, object, "group_id", remedy);
    let draw = match object.get("weights") {
        Some(node) => weights(v, node).map(UnleashDraw::Variants),
        None => Some(UnleashDraw::Rollout),
    };
    Some(Scheme::Unleash { group_id: group_id?, draw: draw? })
}

/// The sum of all variants' weights. The line is divided by it without a rest, or else percentages could not be exact.
fn weights(v: &mut Validator<'_>, node: &Node) -> Option<NonZeroU32> {
    let number = v.number(node)?;
    let (sum, is_exact) = number.in_units(0);
    let sum = u32::try_from(sum).ok().and_then(NonZeroU32::new);
    let sum = sum.filter(|sum| is_exact && !number.is_negative() && PARTS % *sum == 0);
    if sum.is_none() {
        let remedy =
            "write the sum of the weights of all variants, which is 1000 if Unleash's own pages made them";
        v.error(node, format_args!("is {number}, but must divide {PARTS} without a rest; {remedy}"));
    }
    sum
}

fn flagd_scheme(v: &mut Validator<'_>, object: &Node) -> Option<Scheme> {
    let seed = match object.get("seed") {
        Some(node) => {
            if let Some(node) = object.get("flag_key") {
                let why = "a flag has one or the other";
                v.error(node, format_args!("is not used beside \"seed\": {why}; remove one of them"));
            }
            v.text(node, Empty::Allowed).map(|text| FlagdSeed::Text(text.as_bytes().to_vec()))
        }
        None => {
            let remedy =
                "write the flag's key, or as \"seed\" what its \"fractional\" puts before the key by \"cat\"";
            filled(v, object, "flag_key", remedy).map(FlagdSeed::FlagKey)
        }
    };
    let fractional = match object.get("fractional") {
        Some(node) => {
            v.choice(node, [("v1", Fractional::V1), ("v2", Fractional::V2), ("v3", Fractional::V3)])
        }
        None => Some(Fractional::V2),
    };
    Some(Scheme::Flagd { seed: seed?, fractional: fractional? })
}

/// The text of a field that must not be missing or empty. `what` says what to write.
fn filled(v: &mut Validator<'_>, object: &Node, name: &str, what: &str) -> Option<Vec<u8>> {
    let node = v.required(object, name, what)?;
    let text = v.text(node, Empty::Allowed)?;
    if text.is_empty() {
        v.error(node, format_args!("is empty; {what}"));
        return None;
    }
    Some(text.as_bytes().to_vec())
}
