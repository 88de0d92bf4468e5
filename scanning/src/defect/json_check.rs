//! Whether a text is one JSON value (RFC 8259). In: text in any pieces. Out: yes or no, at the end.
//!
//! The whole grammar is checked, and nothing is kept but which of the open brackets are objects. Past [`DEPTH_MAX`] open
//! brackets the check gives up. Bytes that are not UTF-8 are taken as they come.

use crate::word::{HIGHS, ONES, WORD_BYTES, equal};

/// Open objects and arrays that are told apart.
pub(super) const DEPTH_MAX: u8 = 64;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Before a value; at the beginning also before the whole.
    #[default]
    Value,
    /// After `[`.
    ValueOrEnd,
    /// After `{`.
    KeyOrEnd,
    /// After a comma in an object.
    Key,
    Colon,
    /// After a value inside an object or array.
    AfterValue,
    /// In a string: a key, or a value.
    String {
        is_key: bool,
    },
    Escape {
        is_key: bool,
    },
    /// How many digits of `\uXXXX` are still to come.
    Unicode {
        is_key: bool,
        digits: u8,
    },
    Minus,
    Zero,
    Integer,
    Point,
    Fraction,
    Exponent,
    ExponentSign,
    ExponentDigits,
    /// In a literal, of which so many bytes have been read.
    Literal {
        word: Word,
        read: u8,
    },
    /// The value is complete.
    Done,
    Broken,
    TooDeep,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    True,
    False,
    Null,
}

impl Word {
    /// What follows after so many bytes.
    fn rest(self, read: u8) -> &'static [u8] {
        let word: &[u8] = match self {
            Word::True => b"true",
            Word::False => b"false",
            Word::Null => b"null",
        };
        word.get(usize::from(read)..).unwrap_or_default()
    }
}

/// What is known of a text at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum JsonEnd {
    /// No text, or only white space.
    Nothing,
    /// One value, and it is an object.
    Object,
    /// One value of another kind.
    Other,
    /// The beginning of a value.
    Unfinished,
    /// Not JSON, or more than one value.
    Broken,
    /// Too deep to tell.
    Unknown,
}

/// The state between two bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct JsonCheck {
    state: State,
    /// Open objects and arrays.
    depth: u8,
    has_begun: bool,
    is_object: bool,
    /// A bit for each that is open, the innermost lowest: 1 is an object.
    objects: u64,
}

impl JsonCheck {
    /// One of which nothing is known any more.
    pub(super) const UNKNOWN: JsonCheck =
        JsonCheck { state: State::TooDeep, depth: 0, has_begun: true, is_object: false, objects: 0 };

    /// Reads the next piece.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some((&byte, after)) = rest.split_first() {
            if matches!(self.state, State::Broken | State::TooDeep) {
                return;
            }
            let State::String { is_key } = self.state else {
                self.step(byte);
                rest = after;
                continue;
            };
            let (_, stop) = rest.split_at(plain_length(rest));
            let Some((&byte, after)) = stop.split_first() else { return };
            rest = after;
            match byte {
                b'"' => self.end_string(is_key),
                b'\\' => self.state = State::Escape { is_key },
                _ => self.state = State::Broken,
            }
        }
    }

    /// What the text is, if it ends here.
    pub(super) fn end(&self) -> JsonEnd {
        let is_number =
            matches!(self.state, State::Zero | State::Integer | State::Fraction | State::ExponentDigits);
        let is_done = self.state == State::Done || is_number && self.depth == 0;
        if !self.has_begun {
            JsonEnd::Nothing
        } else if self.state == State::Broken {
            JsonEnd::Broken
        } else if self.state == State::TooDeep {
            JsonEnd::Unknown
        } else if !is_done {
            JsonEnd::Unfinished
        } else if self.is_object {
            JsonEnd::Object
        } else {
            JsonEnd::Other
        }
    }

    fn step(&mut self, byte: u8) {
        let is_space = matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        self.has_begun |= !is_space;
        self.state = match (self.state, byte) {
            (
                State::Value
                | State::ValueOrEnd
                | State::KeyOrEnd
                | State::Key
                | State::Colon
                | State::AfterValue
                | State::Done,
                _,
            ) if is_space => return,
            (State::ValueOrEnd, b']') | (State::KeyOrEnd, b'}') => self.close(byte == b'}'),
            (State::Value | State::ValueOrEnd, b'{') => self.open(true),
            (State::Value | State::ValueOrEnd, b'[') => self.open(false),
            (State::Value | State::ValueOrEnd, b'"') => State::String { is_key: false },
            (State::Value | State::ValueOrEnd, b'-') => State::Minus,
            (State::Value | State::ValueOrEnd | State::Minus, b'0') => State::Zero,
            (State::Value | State::ValueOrEnd | State::Minus, b'1'..=b'9') => State::Integer,
            (State::Value | State::ValueOrEnd, b't') => State::Literal { word: Word::True, read: 1 },
            (State::Value | State::ValueOrEnd, b'f') => State::Literal { word: Word::False, read: 1 },
            (State::Value | State::ValueOrEnd, b'n') => State::Literal { word: Word::Null, read: 1 },
            (State::KeyOrEnd | State::Key, b'"') => State::String { is_key: true },
            (State::Colon, b':') => State::Value,
            (State::AfterValue, b',') if self.objects & 1 == 1 => State::Key,
            (State::AfterValue, b',') => State::Value,
            (State::AfterValue, b'}' | b']') => self.close(byte == b'}'),
            (State::Integer, b'0'..=b'9') => State::Integer,
            (State::Zero | State::Integer, b'.') => State::Point,
            (State::Zero | State::Integer | State::Fraction, b'e' | b'E') => State::Exponent,
            (State::Point | State::Fraction, b'0'..=b'9') => State::Fraction,
            (State::Exponent, b'+' | b'-') => State::ExponentSign,
            (State::Exponent | State::ExponentSign | State::ExponentDigits, b'0'..=b'9') => {
                State::ExponentDigits
            }
            (State::Zero | State::Integer | State::Fraction | State::ExponentDigits, _) => {
                self.state = self.after_value();
                return self.step(byte);
            }
            (State::Literal { word, read }, _) => match word.rest(read) {
                [expected] if byte == *expected => self.after_value(),
                [expected, ..] if byte == *expected => State::Literal { word, read: read.saturating_add(1) },
                _ => State::Broken,
            },
            (State::Escape { is_key }, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                State::String { is_key }
            }
            (State::Escape { is_key }, b'u') => State::Unicode { is_key, digits: 4 },
            (State::Unicode { is_key, digits }, _) if byte.is_ascii_hexdigit() => match digits {
                0 | 1 => State::String { is_key },
                _ => State::Unicode { is_key, digits: digits.saturating_sub(1) },
            },
            _ => State::Broken,
        };
    }

    fn end_string(&mut self, is_key: bool) {
        self.state = if is_key { State::Colon } else { self.after_value() };
    }

    fn after_value(&self) -> State {
        if self.depth == 0 { State::Done } else { State::AfterValue }
    }

    fn open(&mut self, is_object: bool) -> State {
        if self.depth == DEPTH_MAX {
            return State::TooDeep;
        }
        self.is_object |= is_object && self.depth == 0;
        self.depth = self.depth.saturating_add(1);
        self.objects = self.objects << 1 | u64::from(is_object);
        if is_object { State::KeyOrEnd } else { State::ValueOrEnd }
    }

    fn close(&mut self, is_object: bool) -> State {
        if self.depth == 0 || (self.objects & 1 == 1) != is_object {
            return State::Broken;
        }
        self.depth = self.depth.saturating_sub(1);
        self.objects >>= 1;
        self.after_value()
    }
}

/// The bytes before the first quotation mark, backslash or control character.
fn plain_length(bytes: &[u8]) -> usize {
    let (words, _) = bytes.as_chunks::<WORD_BYTES>();
    let is_plain = |word: &&[u8; WORD_BYTES]| {
        let word = u64::from_le_bytes(**word);
        // The borrows of a byte below 0x20 only reach bytes above it, so the lowest bit that is set is right.
        let controls = word.wrapping_sub(ONES.wrapping_mul(0x20)) & !word & HIGHS;
        (equal(word, b'"') | equal(word, b'\\') | controls) == 0
    };
    let plain = words.iter().take_while(is_plain).count().saturating_mul(WORD_BYTES);
    let is_end = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
    let rest = bytes.get(plain..).unwrap_or_default();
    let length = rest.iter().position(is_end).unwrap_or(rest.len());
    plain.saturating_add(length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> JsonEnd {
        let mut check = JsonCheck::default();
        pieces.into_iter().for_each(|piece| check.push(piece));
        check.end()
    }

    fn expected(text: &[u8]) -> JsonEnd {
        match serde_json::from_slice::<serde_json::Value>(text) {
            Ok(serde_json::Value::Object(_)) => JsonEnd::Object,
            Ok(_) => JsonEnd::Other,
            Err(_) if text.iter().all(u8::is_ascii_whitespace) => JsonEnd::Nothing,
            Err(error) if error.is_eof() => JsonEnd::Unfinished,
            Err(_) => JsonEnd::Broken,
        }
    }

    #[test]
    fn as_the_usual_parser() {
        for text in [
            "",
            " \n",
            "{}",
            "[]",
            " {\"a\": [1, -2.5e+3, true, false, null, \"\\u00e9\\n\"]} ",
            "{}{}",
            "{",
            "{\"a\"",
            "{\"a\":}",
            "{\"a\":1,}",
            "{'a':1}",
            "[1,]",
            "[1 2]",
            "01",
            "-",
            "1.",
            "1e",
            "1e5",
            "\"a\nb\"",
            "\"\\x\"",
            "\"\\u12g4\"",
            "tru",
            "truee",
            "nulll",
            "{\"a\":1}}",
            "{\"a\":[}",
            "]",
            "{,}",
            "{1:2}",
            "\"a",
            "a",
            "[[[]]]",
            "{\"a\":{\"b\":[{}]}}",
            "```json\n{}\n```",
            "NaN",
            "1 ",
            "-0",
            "-0.0",
            "+1",
            ".5",
            "{\"a\":1} x",
        ] {
            let found = read([text.as_bytes()]);
            let is_same = found == expected(text.as_bytes())
                // What an unfinished number or literal is, depends on what is reported first.
                || (found, expected(text.as_bytes())) == (JsonEnd::Unfinished, JsonEnd::Broken);
            assert!(is_same, "{text:?}: {found:?}");
            assert_eq!(read(text.as_bytes().chunks(1)), found, "{text:?}");
        }
    }

    #[test]
    fn too_deep_is_unknown() {
        let deep = |depth: usize| [vec![b'['; depth], vec![b']'; depth]].concat();
        assert_eq!(read([&deep(64)[..]]), JsonEnd::Other);
        assert_eq!(read([&deep(65)[..]]), JsonEnd::Unknown);
    }

    proptest! {
        #[test]
        fn any_text(text in r#"[\[\]{}",:0-2e.\\u tfn-]{0,24}"#, cut: prop::sample::Index) {
            let bytes = text.as_bytes();
            let found = read([bytes]);
            let (a, b) = bytes.split_at(cut.index(bytes.len() + 1));
            prop_assert_eq!(read([a, b]), found);
            prop_assert_eq!(read(bytes.chunks(1)), found);
            let is_json = serde_json::from_slice::<serde_json::Value>(bytes).is_ok();
            prop_assert_eq!(matches!(found, JsonEnd::Object | JsonEnd::Other), is_json, "{:?}", found);
        }

        #[test]
        fn any_value(value in "[a-z\"\\\\\n\u{e9}\u{1f600}]{0,40}", cut: prop::sample::Index) {
            let json = serde_json::json!({"k": [value, {"n": 1.5}]}).to_string().into_bytes();
            let (a, b) = json.split_at(cut.index(json.len()));
            prop_assert_eq!(read([a, b]), JsonEnd::Object);
            prop_assert_eq!(read([a]), if a.is_empty() { JsonEnd::Nothing } else { JsonEnd::Unfinished });
        }
    }
}
