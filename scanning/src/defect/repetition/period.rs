//! What repeats, and how long it may.
//!
//! The limits were set with the development half of `tests/data/defects/repetition.jsonl`; `docs/defects.md` has the
//! figures of the other half.

/// Bytes that repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    /// All of them.
    pub(super) bytes: u32,
    /// The bytes of one period.
    pub(super) period: u32,
}

impl Run {
    /// Whether it is long enough for any kind of which this period may be.
    pub(super) fn may_be_endless(self, period: &[u8]) -> bool {
        let times_min = if period.last().is_some_and(u8::is_ascii_whitespace) { 2 } else { 4 };
        self.bytes >= 64 && self.bytes.checked_div(self.period).unwrap_or_default() >= times_min
    }
}

/// The kinds of periods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Period {
    /// Words.
    Prose,
    /// Words in lines, as refrains and lists have them.
    Lines,
    /// One character that no one draws with: `!`, a letter of lower case, one of another script.
    Character,
    /// One that rules, tables, numbers and codes are made of.
    Drawing,
    /// White space, of any kind.
    White,
    /// Closing brackets and commas, as JSON that does not end.
    Brackets,
    /// Letters of lower case without any space: laughter, or a word without end.
    Syllables,
    /// Letters, digits and marks without any space: sequences, base64.
    Unspaced,
    /// Digits, marks and emoji.
    Wordless,
    /// Markup, tables, and values such as `null`.
    Data,
    /// In a fenced block of code.
    Code,
}

impl Period {
    /// The kind of one period.
    pub(super) fn of(period: &[u8]) -> Period {
        let Classes { any, all } = Classes::of(period);
        let has = |class: u16| any & class != 0;
        let is_all = |class: u16| all & class != 0;
        if is_all(WHITE) {
            return Period::White;
        }
        if let Some(character) = single(period) {
            return if is_drawn(character) { Period::Drawing } else { Period::Character };
        }
        if is_all(JSON) && has(CLOSING) {
            return Period::Brackets;
        }
        if !(has(LETTER) || has(NON_ASCII) && has_other_letter(period)) {
            return Period::Wordless;
        }
        if !has(NON_ASCII) {
            let any_of = |byte: u8| period.contains(&byte);
            let is_markup = has(ANGLE_OR_BRACE)
                && (any_of(b'<') && any_of(b'>') || any_of(b'{') && any_of(b'}'))
                || has(BAR);
            let is_row = !has(SPACE) && has(SEPARATOR);
            if is_markup || is_row || has_only_values(period) {
                return Period::Data;
            }
        }
        if is_all(LOWER) {
            return Period::Syllables;
        }
        match is_all(UNSPACED) {
            true => Period::Unspaced,
            false if has(NEWLINE) => Period::Lines,
            false => Period::Prose,
        }
    }

    /// Whether a repetition is longer than any that is meant. `is_end`: the text ends with it.
    pub(super) fn is_endless(self, run: Run, is_end: bool) -> bool {
        let times = run.bytes.checked_div(run.period).unwrap_or_default();
        let has = |times_min: u32, bytes_min: u32| times >= times_min && run.bytes >= bytes_min;
        match (self, is_end) {
            (Period::Prose, true) => has(4, 240) || has(5, 180) || has(8, 100),
            (Period::Prose, false) => has(8, 400) || has(16, 256),
            (Period::Lines, true) => has(4, 400) || has(5, 250) || has(8, 160) || has(12, 120),
            (Period::Lines, false) => has(10, 640) || has(20, 480),
            (Period::Character, _) => has(64, 64),
            (Period::White, true) => has(2, 96),
            (Period::White, false) => has(2, 1024),
            (Period::Brackets, true) => has(4, 96),
            (Period::Brackets, false) => has(8, 512),
            (Period::Syllables, true) => has(8, 160),
            (Period::Syllables, false) => has(16, 512),
            (Period::Unspaced, true) => has(8, 400),
            (Period::Unspaced, false) => has(8, 2048),
            (Period::Drawing | Period::Wordless, true) => has(8, 512),
            (Period::Drawing | Period::Wordless, false) => has(16, 4096),
            (Period::Data, true) => has(8, 768),
            (Period::Data, false) => has(16, 4096),
            (Period::Code, true) => has(8, 768),
            (Period::Code, false) => false,
        }
    }
}

/// What kinds of bytes there are.
struct Classes {
    /// Those of which some are.
    any: u16,
    /// Those of which all are.
    all: u16,
}

const WHITE: u16 = 1;
/// What JSON consists of, but for its values.
const JSON: u16 = 1 << 1;
const CLOSING: u16 = 1 << 2;
/// Of ASCII.
const LETTER: u16 = 1 << 3;
const LOWER: u16 = 1 << 4;
const NON_ASCII: u16 = 1 << 5;
const ANGLE_OR_BRACE: u16 = 1 << 6;
const BAR: u16 = 1 << 7;
const SPACE: u16 = 1 << 8;
/// Between the values of a row.
const SEPARATOR: u16 = 1 << 9;
const NEWLINE: u16 = 1 << 10;
/// What codes, numbers and base64 consist of.
const UNSPACED: u16 = 1 << 11;

impl Classes {
    fn of(bytes: &[u8]) -> Classes {
        let class = |byte: &u8| CLASSES.get(usize::from(*byte)).copied().unwrap_or_default();
        let (any, all) =
            bytes.iter().map(class).fold((0, u16::MAX), |(any, all), class| (any | class, all & class));
        Classes { any, all }
    }
}

/// The classes of each byte.
static CLASSES: [u16; 256] = {
    let mut classes = [0; 256];
    let mut rest: &mut [u16] = &mut classes;
    let mut byte = 0_u8;
    while let [class, others @ ..] = rest {
        let mut set = 0;
        if byte.is_ascii_whitespace() {
            set |= WHITE;
        }
        if matches!(byte, b'[' | b']' | b'{' | b'}' | b'(' | b')' | b',' | b':' | b'"' | b'\n' | b'\t' | b' ')
        {
            set |= JSON;
        }
        if matches!(byte, b']' | b'}' | b')') {
            set |= CLOSING;
        }
        if byte.is_ascii_alphabetic() {
            set |= LETTER;
        }
        if byte.is_ascii_lowercase() {
            set |= LOWER;
        }
        if byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'_' | b'-' | b'.') {
            set |= UNSPACED;
        }
        set |= match byte {
            0x80.. => NON_ASCII,
            b'<' | b'>' | b'{' | b'}' => ANGLE_OR_BRACE,
            b'|' => BAR,
            b' ' => SPACE,
            b',' | b';' | b'\t' => SEPARATOR,
            b'\n' => NEWLINE,
            _ => 0,
        };
        *class = set;
        byte = byte.wrapping_add(1);
        rest = others;
    }
    classes
};

/// The character that is the whole period, from any of its bytes on.
fn single(period: &[u8]) -> Option<&[u8]> {
    let lead = period.iter().position(|byte| !(0x80..0xC0).contains(byte))?;
    let length = match period.get(lead)? {
        0..0x80 => 1,
        0x80..0xE0 => 2,
        0xE0..0xF0 => 3,
        0xF0.. => 4,
    };
    let others = || period.iter().filter(|byte| (0x80..0xC0).contains(*byte)).count();
    (period.len() == length && others().saturating_add(1) == length).then_some(period)
}

const DRAWN: [&str; 4] = ["　", "ー", "・", "·"];

/// Whether rules, tables, drawings, numbers and codes have a character many times.
fn is_drawn(character: &[u8]) -> bool {
    match character {
        // Letters: of nucleic acids, base64, hexadecimal numbers and placeholders.
        [byte] => byte.is_ascii_digit() || b"ACTUNFXx -=_*~#.+|:<>^/\\'`\",".contains(byte),
        // General punctuation, arrows, boxes, blocks; ideographic space and marks.
        _ => {
            let is_rotated = |other: &&str| {
                let other = other.as_bytes();
                let has_same = |a: &[u8], b: &[u8]| a.iter().all(|byte| b.contains(byte));
                has_same(other, character) && has_same(character, other)
            };
            character.contains(&0xE2) || DRAWN.iter().any(is_rotated)
        }
    }
}

/// Whether there is a letter of another script, roughly: not punctuation, symbols or emoji.
fn has_other_letter(period: &[u8]) -> bool {
    let leads = period.windows(2).map(|pair| <[u8; 2]>::try_from(pair).unwrap_or_default());
    leads.into_iter().any(|[lead, next]| match lead {
        0xC3..=0xDF | 0xE0 | 0xE1 | 0xE4..=0xED => true,
        0xE3 => next != 0x80,
        _ => false,
    })
}

/// Whether each word is a value, or a number in hexadecimal.
fn has_only_values(period: &[u8]) -> bool {
    const VALUES: [&[u8]; 12] =
        [b"null", b"nan", b"none", b"nil", b"true", b"false", b"na", b"inf", b"undefined", b"x", b"o", b"n"];
    // The first and the last word are parts of one, unless something else is between them.
    let is_word_byte = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let start = period.iter().position(|byte| !is_word_byte(byte));
    let Some(start) = start else { return false };
    let (tail, head) = period.split_at(start);
    let mut word = [0_u8; 12];
    let mut len = 0_usize;
    for byte in head.iter().chain(tail).chain(b" ") {
        if is_word_byte(byte) {
            if let Some(slot) = word.get_mut(len) {
                *slot = byte.to_ascii_lowercase();
            }
            len = len.saturating_add(1);
            continue;
        }
        let text = word.get(..len).unwrap_or_default();
        let text = text.strip_prefix(b"0x").unwrap_or(text);
        let is_number = text.iter().all(u8::is_ascii_digit);
        let is_hex = is_number || matches!(text.len(), 2 | 4 | 8) && text.iter().all(u8::is_ascii_hexdigit);
        if !(len == 0 || VALUES.contains(&text) || is_hex) {
            return false;
        }
        len = 0;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// The question that is asked first never has another answer than the one that it saves.
        #[test]
        fn what_is_endless_may_be(period in prop_oneof!["[ \n\t]{1,3}", ".{1,9}", "[\\]},:a-c ]{1,9}"], length in 1..3000_u32, bytes in 0..9000_u32, is_end: bool) {
            let run = Run { bytes, period: length };
            let period = period.as_bytes();
            for kind in [Period::of(period), Period::Code] {
                prop_assert!(run.may_be_endless(period) || !kind.is_endless(run, is_end));
            }
        }
    }
}
