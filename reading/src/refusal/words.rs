//! The opening as words in one form: lower case, no apostrophes, no markup, on the stack.

use super::OPENING_CHARS_MAX;
use super::pattern::Places;

/// Words and marks that are looked at; what follows is not. A [`super::pattern::Places`] has one bit for
/// each, and one for the end.
pub(super) const WORDS_MAX: usize = 63;
/// Folding keeps each character within its length in UTF-8.
const BYTES_MAX: usize = OPENING_CHARS_MAX * 4;

/// What a character is for the list.
enum Kind {
    /// Part of a word, in lower case.
    Letter(char),
    /// A word by itself: scripts that do not put spaces between words.
    Sign(char),
    /// `'` and what is typed for it: nothing within a word, a quote around one.
    Apostrophe,
    Quote,
    /// The end of a sentence, `.`, of a clause, `,`, or of a label, `:`.
    Mark(char),
    /// Spaces, markup, emoji.
    Other,
}

impl Kind {
    fn of(c: char) -> Self {
        match c {
            'A'..='Z' | 'a'..='z' | '0'..='9' => Self::Letter(c.to_ascii_lowercase()),
            '\'' | '`' | '’' | '‘' | 'ʼ' | '´' | '′' => Self::Apostrophe,
            '"' | '“' | '”' | '„' | '«' | '»' | '「' | '」' | '『' | '』' => Self::Quote,
            '.' | '!' | '?' | '…' | '。' | '！' | '？' | '．' => Self::Mark('.'),
            ',' | ';' | '—' | '–' | '，' | '、' | '；' => Self::Mark(','),
            ':' | '：' => Self::Mark(':'),
            '×' | '÷' => Self::Other,
            // Latin-1 capitals stand 32 before their small letters; the list has no others.
            'À'..='Þ' => Self::Letter(char::from_u32(u32::from(c).wrapping_add(32)).unwrap_or(c)),
            // Letters of words that are in no list still keep what follows from being the beginning.
            'ß'..='\u{1fff}' | '\u{a960}'..='\u{d7ff}' => Self::Letter(c),
            '\u{2e80}'..='\u{2fff}' | '\u{3040}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' => Self::Sign(c),
            _ => Self::Other,
        }
    }
}

/// Whether the character is a word by itself.
pub(super) fn is_sign(c: char) -> bool {
    matches!(Kind::of(c), Kind::Sign(_))
}

pub(super) struct Words {
    bytes: [u8; BYTES_MAX],
    length: usize,
    /// Where each word ends in `bytes`.
    ends: [u16; WORDS_MAX],
    count: usize,
    is_open: bool,
    /// The answer begins with a quotation and goes on after it.
    pub(super) begins_with_quotation: bool,
}

impl Words {
    pub(super) fn read(opening: &[u8]) -> Self {
        let mut words = Self {
            bytes: [0; BYTES_MAX],
            length: 0,
            ends: [0; WORDS_MAX],
            count: 0,
            is_open: false,
            begins_with_quotation: false,
        };
        // Bytes that are no UTF-8 are a character that is no letter.
        let chars = opening.utf8_chunks().flat_map(|chunk| {
            let broken = (!chunk.invalid().is_empty()).then_some(char::REPLACEMENT_CHARACTER);
            chunk.valid().chars().chain(broken)
        });
        let mut quotation = Quotation::None;
        for c in chars.take(OPENING_CHARS_MAX) {
            let kind = Kind::of(c);
            quotation = quotation.next(&kind, words.count > 0);
            words.begins_with_quotation |= matches!(quotation, Quotation::Followed);
            words.push(kind);
        }
        words
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Empty past the end, and no word of a list is empty.
    pub(super) fn word(&self, index: usize) -> &[u8] {
        let end_of = |index: usize| self.ends.get(index).map_or(0, |&end| usize::from(end));
        let start = index.checked_sub(1).map_or(0, end_of);
        let end = if index < self.count { end_of(index) } else { start };
        self.bytes.get(start..end).unwrap_or_default()
    }

    /// All places but those within quotations.
    pub(super) fn outside_quotations(&self) -> Places {
        let mut is_inside = false;
        (0..self.count).fold(0, |places, index| {
            let place = Places::from(!is_inside) << index;
            is_inside ^= self.word(index) == b"\"";
            places | place
        })
    }

    fn push(&mut self, kind: Kind) {
        match kind {
            Kind::Letter(c) => {
                if !self.is_open && !self.begin() {
                    return;
                }
                self.is_open = true;
                self.append(c);
            }
            Kind::Sign(c) => self.push_alone(c),
            // Marks before the first word are markup, and one mark is as good as three.
            Kind::Mark(c) if self.count > 0 && !self.ends_with_mark() => self.push_alone(c),
            Kind::Quote if self.count > 0 => self.push_alone('"'),
            Kind::Apostrophe => {}
            Kind::Mark(_) | Kind::Quote | Kind::Other => self.is_open = false,
        }
    }

    fn push_alone(&mut self, c: char) {
        if self.begin() {
            self.append(c);
        }
        self.is_open = false;
    }

    fn ends_with_mark(&self) -> bool {
        self.count.checked_sub(1).is_some_and(|last| matches!(self.word(last), b"." | b"," | b":"))
    }

    /// Whether there is room for one more word.
    fn begin(&mut self) -> bool {
        let has_room = self.count < WORDS_MAX;
        self.count = self.count.saturating_add(usize::from(has_room));
        has_room
    }

    /// Appends to the last word.
    fn append(&mut self, c: char) {
        let mut utf8 = [0; 4];
        let utf8 = c.encode_utf8(&mut utf8).as_bytes();
        let end = self.length.saturating_add(utf8.len());
        let last = self.count.saturating_sub(1);
        if let (Some(to), Some(slot)) = (self.bytes.get_mut(self.length..end), self.ends.get_mut(last)) {
            to.copy_from_slice(utf8);
            *slot = u16::try_from(end).unwrap_or(u16::MAX);
            self.length = end;
        }
    }
}

/// An answer all in quotes says what it says; one that goes on after its first quotation talks about it.
#[derive(Clone, Copy)]
enum Quotation {
    None,
    /// Opened before the first word, by `"` or by an apostrophe.
    Open {
        by_apostrophe: bool,
    },
    /// An apostrophe that ends the quotation, unless a letter follows.
    Closing,
    Closed,
    Followed,
}

impl Quotation {
    fn next(self, kind: &Kind, has_words: bool) -> Self {
        let is_word = matches!(kind, Kind::Letter(_) | Kind::Sign(_));
        match (self, kind) {
            (Self::None, Kind::Quote) if !has_words => Self::Open { by_apostrophe: false },
            (Self::None, Kind::Apostrophe) if !has_words => Self::Open { by_apostrophe: true },
            (Self::Open { by_apostrophe: false }, Kind::Quote) if has_words => Self::Closed,
            (Self::Open { by_apostrophe: true }, Kind::Apostrophe) if has_words => Self::Closing,
            (Self::Closing, _) if is_word => Self::Open { by_apostrophe: true },
            (Self::Closing, _) => Self::Closed,
            (Self::Closed, _) if is_word => Self::Followed,
            (state, _) => state,
        }
    }
}
