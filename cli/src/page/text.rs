//! Text of others, made fit to be shown: names from labels, reasons, lines of a journal.
//!
//! Escaping is the templates' work. This is about characters that no escaping helps against: those that cannot be written in HTML,
//! and those that turn the direction of the text around them.

use serde::Serialize;
use serde_json::Value;
use std::fmt;

/// A name is shown up to so many characters, other text up to so many.
const NAME_CHARS_MAX: usize = 80;
const TEXT_CHARS_MAX: usize = 1_000;

/// What stands for a character that is not shown.
const REPLACED: char = '\u{FFFD}';

/// Text without control characters, of limited length.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub(crate) struct Text(String);

impl Text {
    /// A sentence.
    pub(crate) fn new(text: &str) -> Self {
        Self(clean(text, TEXT_CHARS_MAX))
    }

    /// A name.
    pub(crate) fn name(text: &str) -> Self {
        Self(clean(text, NAME_CHARS_MAX))
    }

    /// A text of several lines, in full: its length is limited by whoever gives it.
    pub(crate) fn prose(text: &str) -> Self {
        Self(text.chars().map(|char| if char == '\n' { char } else { shown(char) }).collect())
    }

    /// Whether there is nothing to show.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    #[cfg(test)]
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn clean(text: &str, chars_max: usize) -> String {
    let mut clean: String = text.chars().take(chars_max).map(shown).collect();
    if text.chars().nth(chars_max).is_some() {
        clean.push('…');
    }
    clean
}

/// The character, or what is shown in its place.
fn shown(char: char) -> char {
    match char {
        '\n' | '\r' | '\t' => ' ',
        // Marks and overrides of direction; they would also work on what stands behind the text.
        '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => REPLACED,
        '\u{2028}' | '\u{2029}' => REPLACED,
        _ if char.is_control() || is_no_character(char) => REPLACED,
        _ => char,
    }
}

/// Unicode's noncharacters, which HTML does not allow.
fn is_no_character(char: char) -> bool {
    let number = u32::from(char);
    (0xFDD0..=0xFDEF).contains(&number) || number & 0xFFFE == 0xFFFE
}

/// All strings of a JSON value, made fit to be shown.
pub(crate) fn clean_value(value: Value) -> Value {
    match value {
        Value::String(text) => Text::new(&text).0.into(),
        Value::Array(values) => values.into_iter().map(clean_value).collect(),
        Value::Object(members) => {
            members.into_iter().map(|(name, member)| (name, clean_value(member))).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value,
    }
}

#[cfg(test)]
mod tests {
    use super::{Text, clean_value};
    use serde_json::json;

    #[test]
    fn what_hides_or_turns_text_is_replaced() {
        for (text, expect) in [
            ("v2", "v2"),
            ("", ""),
            ("a\nb\tc\r", "a b c "),
            ("nul\0 bell\u{7} c1\u{85}", "nul\u{FFFD} bell\u{FFFD} c1\u{FFFD}"),
            ("evil\u{202E}txt.exe", "evil\u{FFFD}txt.exe"),
            ("\u{2066}\u{200F}\u{FFFF}\u{1FFFE}\u{FDD0}", "\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}"),
            // Letters that run from right to left stay.
            ("גרסה", "גרסה"),
            ("<b>&amp;\"'", "<b>&amp;\"'"),
        ] {
            assert_eq!(Text::new(text).as_str(), expect);
        }
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        assert_eq!(Text::name(&"ä".repeat(80)).as_str(), "ä".repeat(80));
        assert_eq!(Text::name(&"ä".repeat(81)).as_str(), "ä".repeat(80) + "…");
    }

    #[test]
    fn prose_keeps_its_lines() {
        assert_eq!(Text::prose("a\nb\tc\u{202E}\0").as_str(), "a\nb c\u{FFFD}\u{FFFD}");
    }

    #[test]
    fn all_strings_of_a_value() {
        let value = json!({"because": ["a\0b", {"c": "\u{202E}"}], "n": 1.5, "none": null});
        let expect = json!({"because": ["a\u{FFFD}b", {"c": "\u{FFFD}"}], "n": 1.5, "none": null});
        assert_eq!(clean_value(value), expect);
    }
}
