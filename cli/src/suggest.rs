//! What to write instead of an unknown name.

use similar::TextDiff;

/// The least similarity, from 0 to 1, at which a name counts as a misspelling of another.
const SIMILARITY_MIN: f32 = 0.5;

/// Longer names are no misspellings.
const NAME_BYTES_MAX: usize = 256;

/// The most similar name, if it may be meant.
pub(crate) fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    if name.len() > NAME_BYTES_MAX {
        return None;
    }
    let name = name.to_lowercase();
    let similarity = |known: &&str| TextDiff::from_chars(name.as_str(), &known.to_lowercase()).ratio();
    let nearest = known.iter().copied().max_by(|a, b| similarity(a).total_cmp(&similarity(b)));
    nearest.filter(|nearest| similarity(nearest) >= SIMILARITY_MIN)
}

/// A sentence with the most similar name, or with all names.
pub(crate) fn suggest(name: &str, known: &[&str]) -> String {
    match nearest(name, known) {
        Some(nearest) if known.len() > 1 => format!("did you mean {nearest}? There are {}", known.join(", ")),
        Some(nearest) => format!("did you mean {nearest}?"),
        None if known.is_empty() => "there are none".to_owned(),
        None => format!("there are {}", known.join(", ")),
    }
}

/// The least similarity at which a name is taken for another one, or for a misspelling of it.
const MISSPELLED_MIN: f32 = 0.8;

/// Whether a name is another one, in any case, or nearly.
pub(crate) fn is_misspelled(name: &str, meant: &str) -> bool {
    TextDiff::from_chars(name.to_lowercase().as_str(), meant).ratio() >= MISSPELLED_MIN
}

#[cfg(test)]
mod tests {
    use super::{is_misspelled, suggest};

    #[test]
    fn a_misspelled_name_is_known() {
        for name in ["rollouts", "rollout", "Rollouts", "rolouts", "rollots", "roll_outs", "rollotus"] {
            assert!(is_misspelled(name, "rollouts"), "{name}");
        }
        for name in ["rules", "routes", "layouts", "", "rows", "patches"] {
            assert!(!is_misspelled(name, "rollouts"), "{name}");
        }
    }

    #[test]
    fn names_are_suggested() {
        assert_eq!(suggest("V2", &["v1", "v2"]), "did you mean v2? There are v1, v2");
        assert_eq!(suggest("caht", &["chat"]), "did you mean chat?");
        assert_eq!(suggest("green", &["v1", "v2"]), "there are v1, v2");
        assert_eq!(suggest("chat", &[]), "there are none");
    }
}
