//! Whether a token is used or named, by what is before and after it.

use super::Gap;
use super::token::Kind;

/// What is before a token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Before {
    /// Nothing but white space.
    #[default]
    Start,
    /// The beginning of a line.
    Line,
    /// The end of a sentence, without a space.
    Sentence,
    /// The same, with a space.
    SentenceSpace,
    /// A word or number, without a space.
    Word,
    /// The same, in a script that has no spaces.
    Unspaced,
    /// A word and a space.
    Space,
    /// A colon or comma, without a space.
    Colon,
    /// The same, with a space.
    ColonSpace,
    /// An opening quotation mark or bracket, an ellipsis, the mark of a list, or a word that announces a name.
    Naming,
    /// It is in code.
    Code,
}

/// What is after a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    /// The end of the text.
    End,
    /// The end of the line.
    Line,
    /// A letter or digit, without a space.
    Glued,
    /// The same, a capital letter.
    GluedCapital,
    /// A letter of another script than Latin, without a space.
    GluedOther,
    /// A brace or bracket, as calls begin with.
    Brace,
    /// A space, and a capital letter or digit.
    Capital,
    /// A space, and a word in lower case that is not one of [`is_naming_word`].
    LowerWord,
    /// A space, and one of [`is_naming_word`].
    NamingWord,
    /// Anything else: punctuation, a quotation mark.
    Mark,
}

impl After {
    /// By the first byte that is no white space.
    pub(super) fn of(byte: u8, gap: Gap) -> After {
        match (byte, gap) {
            (b'{' | b'[', _) => After::Brace,
            (b'A'..=b'Z', Gap::None) => After::GluedCapital,
            (b'a'..=b'z' | b'0'..=b'9' | b'#', Gap::None) => After::Glued,
            // Not the bytes that begin punctuation.
            (0xC3..=0xE1 | 0xE4..=0xED | 0xF0.., Gap::None) => After::GluedOther,
            (b'A'..=b'Z' | b'0'..=b'9' | 0xC3..=0xE1 | 0xE4..=0xED | 0xF0.., _) => After::Capital,
            _ => After::Mark,
        }
    }
}

/// Bytes before a token that are looked at.
const TAIL_BYTES: usize = 16;

impl Before {
    /// What is before a token that begins behind `text`, which has anything but white space.
    pub(super) fn of(text: &[u8]) -> Before {
        let mut bytes = [0; TAIL_BYTES];
        let newest = bytes.iter_mut().rev().zip(text.iter().rev());
        newest.for_each(|(slot, &byte)| *slot = byte);
        let bytes = bytes.as_slice();
        let last = bytes.last().copied().unwrap_or_default();
        if !matches!(last, b' ' | b'\t') {
            return if last == b'\n' { Before::Line } else { glued(bytes) };
        }
        let text = bytes.trim_ascii_end();
        let spaces = bytes.get(text.len()..).unwrap_or_default();
        if text.is_empty() || spaces.contains(&b'\n') {
            // Further in than that is code.
            let indent = spaces.iter().rev().take_while(|&&byte| byte != b'\n').count();
            return if indent < 4 { Before::Line } else { Before::Naming };
        }
        let before = glued(text);
        if before == Before::Sentence {
            return if is_list_mark(text) { Before::Naming } else { Before::SentenceSpace };
        }
        if before == Before::Colon {
            return Before::ColonSpace;
        }
        let is_word = matches!(before, Before::Word | Before::Unspaced);
        if is_word && !is_naming_end(text) && !text.ends_with(b"*") { Before::Space } else { Before::Naming }
    }
}

/// What a token is glued to.
fn glued(text: &[u8]) -> Before {
    let [rest @ .., last] = text else { return Before::Start };
    let before = rest.last().copied().unwrap_or(b' ');
    let is_closing = !matches!(before, b' ' | b'\n' | b'\t' | b'(' | b'[' | b':' | b',' | b'=' | b'-' | 0);
    match last {
        b'.' if before == b'.' => Before::Naming,
        b'.' | b'!' | b'?' => Before::Sentence,
        b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b')' | b']' | b'}' | b'%' | b';' | b'$' | b'/' => {
            Before::Word
        }
        // Of a pair of marks, the second.
        b'"' | b'\'' | b'*' | b'_' | b'`' | b'|' if is_closing => Before::Word,
        b':' | b',' | b'-' => Before::Colon,
        0x80.. => glued_to_other(text),
        _ => Before::Naming,
    }
}

fn glued_to_other(text: &[u8]) -> Before {
    let lead = text.iter().rposition(|&byte| byte >= 0xC0).unwrap_or_default();
    match text.get(lead..).unwrap_or_default() {
        // 。！？
        [0xE3, 0x80, 0x82] | [0xEF, 0xBC, 0x81 | 0x9F] => Before::Sentence,
        // ”’」』）
        [0xE2, 0x80, 0x9D | 0x99] | [0xE3, 0x80, 0x8D | 0x8F] | [0xEF, 0xBC, 0x89] => Before::Word,
        // ：，
        [0xEF, 0xBC, 0x9A | 0x8C] => Before::Colon,
        [0xE2 | 0xEF | 0xC2, ..] | [0xE3, 0x80, _] => Before::Naming,
        [0xE3..=0xED | 0xE0 | 0xE1, ..] => Before::Unspaced,
        _ => Before::Word,
    }
}

/// Whether a text ends in the number of a list.
fn is_list_mark(text: &[u8]) -> bool {
    matches!(text, [.., b'0'..=b'9', b'.'])
}

/// Whether a text ends in a word that announces a name.
fn is_naming_end(text: &[u8]) -> bool {
    const WORDS: &str =
        "a an and are as between by called does is like of or tag tags the to token tokens use uses with";
    let word = text.rsplit(|byte| !byte.is_ascii_alphabetic()).next().unwrap_or_default();
    has_word(WORDS, word)
}

/// Whether a word after a token says that it was named.
pub(super) fn is_naming_word(word: &[u8]) -> bool {
    const WORDS: &str = "and are begins block blocks can closes delimits do does element ends for in indicates is mark \
        marker markers marks mean means must once opens or represents separates should stand stands starts tag tags \
        three times to token tokens twice used was";
    has_word(WORDS, word)
}

fn has_word(words: &str, word: &[u8]) -> bool {
    words.split(' ').any(|other| other.as_bytes() == word)
}

/// Whether a token is used there, not named.
pub(super) fn is_used(kind: Kind, before: Before, after: After, has_more: bool) -> bool {
    use After::{Brace, Capital, End, Glued, GluedCapital, GluedOther, Line, LowerWord, Mark, NamingWord};
    if before == Before::Code {
        return after == End && !matches!(kind, Kind::Weak | Kind::End);
    }
    match kind {
        Kind::Weak => {
            return has_more && !matches!(before, Before::Naming) && !matches!(after, NamingWord | Mark);
        }
        Kind::End => {
            return matches!(after, End) && !matches!(before, Before::Naming | Before::Start)
                || has_more && matches!(after, End | Line | Glued | GluedCapital);
        }
        Kind::Special | Kind::Turn | Kind::Call | Kind::Think => {}
    }
    if after == Mark {
        return false;
    }
    if kind == Kind::Call && after == Brace {
        return before != Before::Naming;
    }
    let is_special = matches!(kind, Kind::Special | Kind::Turn);
    if is_special && has_more && !matches!(before, Before::Space | Before::SentenceSpace | Before::Naming) {
        return true;
    }
    match before {
        Before::Start => after != NamingWord,
        Before::Line | Before::Sentence => !matches!(after, LowerWord | NamingWord),
        Before::SentenceSpace => match after {
            End | Line | GluedCapital | GluedOther | Brace => true,
            Glued => is_special,
            Capital => is_special,
            LowerWord | NamingWord | Mark => false,
        },
        Before::Word => match after {
            End | Line | GluedCapital | Brace => true,
            Glued | GluedOther | Capital | LowerWord | NamingWord => is_special,
            Mark => false,
        },
        Before::Unspaced => match after {
            End | Line => true,
            Glued | GluedCapital | Brace => is_special,
            GluedOther | Capital | LowerWord | NamingWord | Mark => false,
        },
        Before::Space => match after {
            End => true,
            Line => is_special || has_more,
            Glued | GluedCapital => is_special && has_more,
            GluedOther | Brace | Capital | LowerWord | NamingWord | Mark => false,
        },
        Before::Colon => is_special && matches!(after, End | Line),
        Before::ColonSpace | Before::Naming | Before::Code => false,
    }
}

/// Whether a token that is not known to be used may be used: in an answer that names none.
pub(super) fn may_be_used(kind: Kind, before: Before, after: After) -> bool {
    let is_special = matches!(kind, Kind::Special | Kind::Turn);
    let is_in_text = match before {
        Before::Space | Before::SentenceSpace | Before::ColonSpace | Before::Line => {
            is_special || matches!(after, After::Glued | After::GluedCapital)
        }
        Before::Word => true,
        Before::Start
        | Before::Sentence
        | Before::Unspaced
        | Before::Colon
        | Before::Naming
        | Before::Code => false,
    };
    is_in_text && !matches!(after, After::NamingWord | After::Mark)
}

/// Whether a token is used even if others were named in its line.
pub(super) fn is_certain(kind: Kind, before: Before, after: After) -> bool {
    kind == Kind::Special && matches!(before, Before::Sentence | Before::Word) && after == After::End
}
