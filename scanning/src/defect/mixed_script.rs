//! `mixed_script`: letters of a script that is foreign to the answer, inside its words.
//!
//! In: the answer's text, in any pieces. Out, at the end: whether any word of a script of the answer goes on in a script
//! that is foreign to it. Foreign words that stand alone do not count: they are names, quotations and vocabulary. Code
//! does not count. Neither does what is usual: Latin names with native endings, units and angles in Greek, prefixes
//! of Hebrew and Arabic, anything in texts that are for a part Chinese, Japanese or Korean.
//!
//! `script.rs` tells the script of a character.

mod script;

use super::markdown::{Place, Segment};
use crate::word::ascii_run;
use script::{Class, SCRIPTS, Script};

/// Letters of the foreign script in one word.
const FOREIGN_MIN: u8 = 3;
/// The same, behind a word of at least [`HOST_MIN`] letters of a script that does not end so.
const FOREIGN_MIN_AFTER_WORD: u8 = 2;
const HOST_MIN: u8 = 3;
/// A single character of Chinese, Japanese or Korean is a word. It counts behind so many letters of lower case, if the
/// answer hardly has others.
const HOST_MIN_BEFORE_ONE: u8 = 4;
/// Letters that are counted.
const LETTERS_MAX: u8 = 8;
const STRAY_CJK_MAX: u32 = 6;
/// A script is foreign if it has at most one in so many of the letters.
const FOREIGN_PART: u32 = 3;
/// An answer that has one in so many of its letters in Chinese, Japanese or Korean is for a part in that language.
const CJK_PART: u32 = 4;
/// The same for Chinese, Japanese and Korean, whose characters are words, and whose texts have many foreign words: without
/// and with their punctuation in the answer.
const FOREIGN_PART_CJK: u32 = 5;
const FOREIGN_PART_CJK_MARKED: u32 = 10;

/// The word that is being read.
#[derive(Clone, Copy, Debug, Default)]
struct Word {
    /// Its first script, how many letters of it have come, and how many of them in a row are no capitals. Of a run of ASCII
    /// only the last [`LETTERS_MAX`] are looked at, so both counts end there.
    host: Option<Script>,
    letters: u8,
    small: u8,
    /// The script of its last letters, if that is another one.
    foreign: Option<Script>,
    foreign_letters: u8,
}

/// The state between two bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct MixedScript {
    word: Word,
    /// Letters of each script. Of Latin, the bytes of ASCII outside of code instead; see [`MixedScript::letters`].
    counts: [u32; SCRIPTS],
    /// Full-width punctuation.
    cjk_marks: u32,
    /// For each script, the scripts that its words went on in: a bit each.
    mixed: [u16; SCRIPTS],
    /// A Latin word ended in one character of Chinese, Japanese or Korean.
    has_stray_cjk: bool,
    /// A character that has begun, and how many bytes of it are to come.
    character: u32,
    missing: u8,
}

impl MixedScript {
    /// Mostly it is ASCII, between words that are, and then only its last letters matter.
    #[inline]
    pub(super) fn push(&mut self, segment: Segment<'_>) {
        if segment.place != Place::Text {
            (self.word, self.missing) = (Word::default(), 0);
        } else if segment.is_ascii
            && self.is_quiet()
            && !segment.text.last().is_some_and(u8::is_ascii_alphabetic)
        {
            self.count(Script::Latin, u32::try_from(segment.bytes().len()).unwrap_or(u32::MAX));
            (self.word, self.missing) = (Word::default(), 0);
        } else {
            self.read(segment.bytes());
        }
    }

    #[inline(never)]
    fn read(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some((&byte, after)) = rest.split_first() {
            rest = if byte < 0x80 {
                self.missing = 0;
                self.ascii(rest)
            } else if self.missing > 0 {
                self.step(byte);
                after
            } else if let Some((character, after)) = whole_character(rest) {
                self.letters_of_host(character, after).unwrap_or_else(|| {
                    self.character(character);
                    after
                })
            } else {
                self.step(byte);
                after
            };
        }
    }

    /// The item has ended.
    pub(super) fn end_item(&mut self) {
        (self.word, self.missing) = (Word::default(), 0);
    }

    /// Whether the answer's words are mixed, if it ends here.
    pub(super) fn is_found(&self) -> bool {
        if !self.has_stray_cjk && self.mixed == [0; SCRIPTS] {
            return false; // nearly always
        }
        let all = Script::ALL.iter().fold(0_u32, |all, &script| all.saturating_add(self.letters(script)));
        let cjk = self.letters(Script::Cjk);
        let cjk_and_marks = cjk.saturating_add(self.cjk_marks.saturating_mul(3));
        if cjk.saturating_mul(CJK_PART) >= all && cjk > 0 {
            return false;
        }
        let is_foreign = |script: Script| {
            if script == Script::Cjk {
                let part = if self.cjk_marks == 0 { FOREIGN_PART_CJK } else { FOREIGN_PART_CJK_MARKED };
                return cjk_and_marks.saturating_mul(part) <= all;
            }
            self.letters(script).saturating_mul(FOREIGN_PART) <= all
        };
        let mixes = |host: Script, foreign: Script| {
            self.mixed.get(host as usize).is_some_and(|scripts| scripts & foreign.bit() != 0)
        };
        let is_main = |script: Script| self.letters(script).saturating_mul(2) >= all;
        let found = |host: Script, foreign: Script| {
            if !mixes(host, foreign) {
                return false;
            }
            match (host, foreign) {
                // In a Latin text, a foreign word goes on in Latin.
                (_, Script::Latin) if is_main(Script::Latin) => !host.has_prefixes() && is_foreign(host),
                // In a foreign text, a word of its own goes on in Latin.
                (_, Script::Latin) => host.has_no_latin_endings() && is_main(host),
                _ => is_foreign(foreign),
            }
        };
        let pairs =
            || Script::ALL.iter().flat_map(|&host| Script::ALL.iter().map(move |&foreign| (host, foreign)));
        let is_stray =
            self.has_stray_cjk && cjk <= STRAY_CJK_MAX && self.cjk_marks == 0 && is_foreign(Script::Cjk);
        is_stray || pairs().any(|(host, foreign)| found(host, foreign))
    }

    /// Letters of a script. Of ASCII, four in five bytes are letters; that is exact enough, and costs nothing.
    fn letters(&self, script: Script) -> u32 {
        let count = self.counts.get(script as usize).copied().unwrap_or_default();
        if script == Script::Latin { count.div_euclid(5).saturating_mul(4) } else { count }
    }

    fn count(&mut self, script: Script, letters: u32) {
        if let Some(count) = self.counts.get_mut(script as usize) {
            *count = count.saturating_add(letters);
        }
    }

    /// The word that is being read is Latin, or there is none: it only has to be known at its end.
    fn is_quiet(&self) -> bool {
        self.word.foreign.is_none() && matches!(self.word.host, None | Some(Script::Latin))
    }

    /// Bytes of ASCII, one or more. Returns what is after them.
    fn ascii<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let is_quiet = self.is_quiet();
        let length = if is_quiet { ascii_run(bytes) } else { 1 };
        let (run, after) = bytes.split_at_checked(length).unwrap_or_default();
        self.count(Script::Latin, u32::try_from(length).unwrap_or(u32::MAX));
        // Only the last letters count, and mostly there are none.
        let (mut letters, mut small) = (0_usize, None);
        for byte in run.iter().rev().take(LETTERS_MAX.into()) {
            if !byte.is_ascii_alphabetic() {
                break;
            }
            if byte.is_ascii_uppercase() {
                small = small.or(Some(letters));
            }
            letters = letters.saturating_add(1);
        }
        if letters < length.min(LETTERS_MAX.into()) {
            self.word = Word::default();
        }
        if is_quiet && letters > 0 {
            self.word.host = Some(Script::Latin);
            self.word.letters = add(self.word.letters, letters);
            self.word.small = small.map_or_else(|| add(self.word.small, letters), |small| add(0, small));
        } else {
            let word = run.get(length.saturating_sub(letters)..).unwrap_or_default();
            word.iter().for_each(|byte| self.letter(Script::Latin, byte.is_ascii_uppercase()));
        }
        after
    }

    fn step(&mut self, byte: u8) {
        match byte {
            0x80..0xC0 if self.missing > 0 => {
                self.character = self.character << 6 | u32::from(byte & 0x3F);
                self.missing = self.missing.saturating_sub(1);
                if self.missing == 0 {
                    self.character(self.character);
                }
            }
            0xC0..0xE0 => (self.character, self.missing) = (u32::from(byte & 0x1F), 1),
            0xE0..0xF0 => (self.character, self.missing) = (u32::from(byte & 0x0F), 2),
            0xF0.. => (self.character, self.missing) = (u32::from(byte & 0x07), 3),
            _ => self.missing = 0,
        }
    }

    fn character(&mut self, character: u32) {
        let script = match script::class(character) {
            Class::Letter(script) => Some(script),
            Class::Other => None,
            Class::Mixed if script::is_mark(character) => return,
            Class::Mixed if script::is_cjk_mark(character) => {
                self.cjk_marks = self.cjk_marks.saturating_add(1);
                None
            }
            Class::Mixed => script::of(character),
        };
        match script {
            Some(script) => {
                self.count(script, 1);
                self.letter(script, false);
            }
            None => self.word = Word::default(),
        }
    }

    /// Letters with which a word begins, or goes on in the script that it began with: as [`MixedScript::letter`] of each.
    /// `first` is followed by `rest`. Returns what is after them; `None` if it is no such letter.
    #[inline]
    fn letters_of_host<'b>(&mut self, first: u32, mut rest: &'b [u8]) -> Option<&'b [u8]> {
        let class = script::class(first);
        let Class::Letter(script) = class else { return None };
        let Word { host, letters, small, .. } = self.word;
        if host.is_some_and(|host| host != script) {
            return None;
        }
        let mut more = 1_usize;
        while let Some((character, after)) = whole_character(rest)
            && script::class(character) == class
        {
            (rest, more) = (after, more.saturating_add(1));
        }
        self.count(script, u32::try_from(more).unwrap_or(u32::MAX));
        let (letters, small) = (add(letters, more), add(small, more));
        self.word = Word { host: Some(script), letters, small, ..Word::default() };
        Some(rest)
    }

    fn letter(&mut self, script: Script, is_capital: bool) {
        let word = &mut self.word;
        let Some(host) = word.host else {
            *word = Word { host: Some(script), letters: 1, small: (!is_capital).into(), ..Word::default() };
            return;
        };
        if script == host {
            word.foreign = None;
            word.letters = word.letters.saturating_add(1).min(LETTERS_MAX);
            word.small = if is_capital { 0 } else { word.small.saturating_add(1).min(LETTERS_MAX) };
            return;
        }
        if word.foreign != Some(script) {
            (word.foreign, word.foreign_letters) = (Some(script), 0);
        }
        word.foreign_letters = word.foreign_letters.saturating_add(1);
        // A capital begins a name: `ЯндексGPT`.
        let is_name = script == Script::Latin && is_capital;
        if is_name {
            *word = Word { host: Some(Script::Latin), letters: 1, ..Word::default() };
            return;
        }
        let has_host = word.letters >= HOST_MIN;
        let is_mixed = match (host, script) {
            (_, Script::Latin) => word.letters >= 2 && word.foreign_letters >= FOREIGN_MIN,
            (_, Script::Greek) | (Script::Greek, _) => word.foreign_letters >= FOREIGN_MIN,
            (Script::Cjk, _) => false,
            _ if has_host => word.foreign_letters >= FOREIGN_MIN_AFTER_WORD,
            _ => word.foreign_letters >= FOREIGN_MIN,
        };
        if is_mixed && let Some(scripts) = self.mixed.get_mut(host as usize) {
            *scripts |= script.bit();
        }
        self.has_stray_cjk |=
            host == Script::Latin && script == Script::Cjk && word.small >= HOST_MIN_BEFORE_ONE;
    }
}

/// More letters, as far as they are counted.
fn add(letters: u8, more: usize) -> u8 {
    usize::from(letters).saturating_add(more).min(LETTERS_MAX.into()) as u8
}

/// A character of several bytes, if all of them are here, and what follows it.
#[inline]
fn whole_character(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let bits = |byte: u8, mask: u8| u32::from(byte & mask);
    match bytes {
        [a @ 0xC0..=0xDF, b @ 0x80..=0xBF, after @ ..] => Some((bits(*a, 0x1F) << 6 | bits(*b, 0x3F), after)),
        [a @ 0xE0..=0xEF, b @ 0x80..=0xBF, c @ 0x80..=0xBF, after @ ..] => {
            Some((bits(*a, 0x0F) << 12 | bits(*b, 0x3F) << 6 | bits(*c, 0x3F), after))
        }
        [a @ 0xF0..=0xF7, b @ 0x80..=0xBF, c @ 0x80..=0xBF, d @ 0x80..=0xBF, after @ ..] => {
            let low = bits(*b, 0x3F) << 12 | bits(*c, 0x3F) << 6 | bits(*d, 0x3F);
            Some((bits(*a, 0x07) << 18 | low, after))
        }
        _ => None,
    }
}
