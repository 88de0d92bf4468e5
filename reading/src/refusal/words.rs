//! The beginning of an answer as normalised words: bytes in, words out.
//!
//! Letters become lower case. Apostrophes, markup and emoji are left out, so "can't" is `cant`. Punctuation is a
//! word. Nothing is allocated.

/// Characters (Unicode scalar values) of an answer that are read.
pub const PREFIX_CHARS_MAX: usize = 240;
/// Words that are read, with punctuation. [`Positions`] has a bit for each, and one for the end.
pub(super) const WORDS_MAX: usize = 63;
/// No character becomes longer in UTF-8 when it is normalised.
const BYTES_MAX: usize = PREFIX_CHARS_MAX * 4;

/// A set of positions in the words: bit `i` is the position before word `i`.
pub(super) type Positions = u64;

/// Groups of first bytes: words are found by the group. Letters of ASCII have one each.
const GROUPS: usize = 64;

/// What a character is, and what it becomes.
enum CharClass {
    /// Part of a word, in lower case.
    Letter(char),
    /// A word by itself: a character of a script that has no spaces between words.
    Cjk(char),
    /// An apostrophe, or a character that is typed for one. Left out inside a word; around words it is a quotation
    /// mark.
    Apostrophe,
    Quote,
    /// The end of a sentence, `.`, of a clause, `,`, or of a label, `:`.
    Punctuation(char),
    /// Spaces, markup, emoji.
    Other,
}

impl CharClass {
    fn of(c: char) -> Self {
        match c {
            'A'..='Z' | 'a'..='z' | '0'..='9' => Self::Letter(c.to_ascii_lowercase()),
            '\'' | '`' | '’' | '‘' | 'ʼ' | '´' | '′' => Self::Apostrophe,
            '"' | '“' | '”' | '„' | '«' | '»' | '「' | '」' | '『' | '』' => Self::Quote,
            '.' | '!' | '?' | '…' | '。' | '！' | '？' | '．' => Self::Punctuation('.'),
            ',' | ';' | '—' | '–' | '，' | '、' | '；' => Self::Punctuation(','),
            ':' | '：' => Self::Punctuation(':'),
            '×' | '÷' => Self::Other,
            // In Latin-1 a capital letter is 32 before its small letter. The phrases have no capitals outside of
            // it.
            'À'..='Þ' => Self::Letter(char::from_u32(u32::from(c) | 0x20).unwrap_or(c)),
            // Letters of scripts that no phrase uses. They still make words, so that what follows is not the
            // beginning.
            'ß'..='\u{1fff}' | '\u{a960}'..='\u{d7ff}' => Self::Letter(c),
            '\u{2e80}'..='\u{2fff}' | '\u{3040}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' => Self::Cjk(c),
            _ => Self::Other,
        }
    }
}

/// Whether a character is a word by itself.
#[cfg(test)]
pub(super) fn is_cjk(c: char) -> bool {
    matches!(CharClass::of(c), CharClass::Cjk(_))
}

/// The words of an answer's beginning.
pub(super) struct Words {
    /// The words, one after the other.
    bytes: [u8; BYTES_MAX],
    /// Bytes used of `bytes`.
    length: usize,
    /// Where each word ends in `bytes`.
    ends: [u16; WORDS_MAX],
    count: usize,
    /// For each group of first bytes, the positions of the words that begin so.
    beginning: [Positions; GROUPS],
    /// The next letter belongs to the last word.
    is_open: bool,
    /// The answer begins with a quotation, and words follow that.
    pub(super) begins_with_quotation: bool,
}

impl Words {
    /// Reads the beginning of an answer.
    pub(super) fn read(prefix: &[u8]) -> Self {
        let mut words = Self {
            bytes: [0; BYTES_MAX],
            length: 0,
            ends: [0; WORDS_MAX],
            count: 0,
            beginning: [0; GROUPS],
            is_open: false,
            begins_with_quotation: false,
        };
        // Bytes that are not UTF-8 become a character that is not a letter.
        let chars = prefix.utf8_chunks().flat_map(|chunk| {
            let broken = (!chunk.invalid().is_empty()).then_some(char::REPLACEMENT_CHARACTER);
            chunk.valid().chars().chain(broken)
        });
        let mut quotation = Quotation::None;
        for c in chars.take(PREFIX_CHARS_MAX) {
            if words.is_open && quotation.is_settled() && c.is_ascii_lowercase() {
                words.append(c); // as nearly all characters
                continue;
            }
            let class = CharClass::of(c);
            quotation = quotation.next(&class, words.count > 0);
            words.begins_with_quotation |= matches!(quotation, Quotation::Followed);
            words.push(class);
        }
        words
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// The word at an index. Empty after the end; no word of a phrase is empty.
    pub(super) fn word(&self, index: usize) -> &[u8] {
        let end_of = |index: usize| self.ends.get(index).map_or(0, |&end| usize::from(end));
        let start = index.checked_sub(1).map_or(0, end_of);
        let end = if index < self.count { end_of(index) } else { start };
        self.bytes.get(start..end).unwrap_or_default()
    }

    /// Those of `from` at which a word may begin as `text` does.
    pub(super) fn beginning_as(&self, text: &[u8], from: Positions) -> Positions {
        self.beginning.get(group(text)).map_or(0, |positions| positions & from)
    }

    /// All positions that are not inside a quotation.
    pub(super) fn outside_quotations(&self) -> Positions {
        let mut is_inside = false;
        (0..self.count).fold(0, |positions, index| {
            let position = Positions::from(!is_inside) << index;
            is_inside ^= self.word(index) == b"\"";
            positions | position
        })
    }

    fn push(&mut self, class: CharClass) {
        match class {
            CharClass::Letter(c) => {
                if !self.is_open && !self.begin() {
                    return;
                }
                self.is_open = true;
                self.append(c);
            }
            CharClass::Cjk(c) => self.push_alone(c),
            // Punctuation before the first word is markup. Of several in a row the first counts.
            CharClass::Punctuation(c) if self.count > 0 && !self.ends_with_punctuation() => {
                self.push_alone(c)
            }
            CharClass::Quote if self.count > 0 => self.push_alone('"'),
            CharClass::Apostrophe => {}
            CharClass::Punctuation(_) | CharClass::Quote | CharClass::Other => self.is_open = false,
        }
    }

    /// Adds a word of one character.
    fn push_alone(&mut self, c: char) {
        if self.begin() {
            self.append(c);
        }
        self.is_open = false;
    }

    fn ends_with_punctuation(&self) -> bool {
        self.count.checked_sub(1).is_some_and(|last| matches!(self.word(last), b"." | b"," | b":"))
    }

    /// Begins a word. False if there is no room for it.
    #[expect(clippy::arithmetic_side_effects, reason = "at most WORDS_MAX")]
    fn begin(&mut self) -> bool {
        let has_room = self.count < WORDS_MAX;
        self.count += usize::from(has_room);
        has_room
    }

    /// Appends to the last word.
    #[expect(clippy::arithmetic_side_effects, reason = "`length` is at most BYTES_MAX, and a word has begun")]
    fn append(&mut self, c: char) {
        let mut utf8 = [0; 4];
        let utf8 = c.encode_utf8(&mut utf8).as_bytes();
        let end = self.length + utf8.len();
        let last = self.count - 1;
        if let (Some(to), Some(slot)) = (self.bytes.get_mut(self.length..end), self.ends.get_mut(last)) {
            to.copy_from_slice(utf8);
            let is_first = *slot == 0;
            *slot = u16::try_from(end).unwrap_or(u16::MAX);
            self.length = end;
            if let Some(positions) = self.beginning.get_mut(group(utf8)).filter(|_| is_first) {
                *positions |= 1 << last;
            }
        }
    }
}

/// The group of the first byte.
fn group(word: &[u8]) -> usize {
    word.first().map_or(0, |byte| usize::from(*byte) & (GROUPS - 1))
}

/// Whether the answer begins with a quotation. If words follow it, they are about the quotation, which is not the
/// answer then.
#[derive(Clone, Copy)]
enum Quotation {
    None,
    /// Opened before the first word, by a quotation mark or an apostrophe.
    Open {
        by_apostrophe: bool,
    },
    /// After an apostrophe that ends the quotation, unless a letter follows.
    Closing,
    Closed,
    Followed,
}

impl Quotation {
    /// Whether a letter does not change it.
    fn is_settled(self) -> bool {
        !matches!(self, Self::Closing | Self::Closed)
    }

    fn next(self, class: &CharClass, has_words: bool) -> Self {
        let is_word = matches!(class, CharClass::Letter(_) | CharClass::Cjk(_));
        match (self, class) {
            (Self::None, CharClass::Quote) if !has_words => Self::Open { by_apostrophe: false },
            (Self::None, CharClass::Apostrophe) if !has_words => Self::Open { by_apostrophe: true },
            (Self::Open { by_apostrophe: false }, CharClass::Quote) if has_words => Self::Closed,
            (Self::Open { by_apostrophe: true }, CharClass::Apostrophe) if has_words => Self::Closing,
            (Self::Closing, _) if is_word => Self::Open { by_apostrophe: true },
            (Self::Closing, _) => Self::Closed,
            (Self::Closed, _) if is_word => Self::Followed,
            (state, _) => state,
        }
    }
}
