//! Patterns over words, read without going back: a pattern takes a set of places in the text to the set
//! of places behind what it matches.
//!
//! ```text
//! word        this word                    a?     a, or nothing; not at a phrase's beginning, but NAME? may be
//! stem-       a word that begins so        a*     a, any number of times
//! NAME        a phrase of that class       !NAME  no phrase of that class may follow
//! 无法        these signs, in scripts without spaces
//! ..          words up to the clause's end
//! ...         words and commas up to the sentence's end
//! ```

use super::words::{Words, is_sign};

/// A set of places: bit `i` is the place before word `i`.
pub(super) type Places = u64;

/// Named lists of phrases; a phrase is a pattern, and `|` stands between two.
pub(super) type Classes = &'static [(&'static str, &'static str)];

pub(super) struct Reader<'a> {
    pub(super) words: &'a Words,
    pub(super) classes: Classes,
}

/// What is wanted of the word at a place.
#[derive(Clone, Copy)]
enum Want<'a> {
    Word(&'a [u8]),
    Stem(&'a [u8]),
    /// Neither of the marks; the word past the end is none.
    NoMark(&'a [u8], &'a [u8]),
}

impl Reader<'_> {
    /// The places behind `pattern` where it is begun at one of `from`.
    pub(super) fn after(&self, pattern: &str, from: Places) -> Places {
        let mut places = from;
        for atom in pattern.split(' ') {
            if places == 0 {
                break;
            }
            places = if let Some(atom) = atom.strip_suffix('?') {
                places | self.step(atom, places)
            } else if let Some(atom) = atom.strip_suffix('*') {
                self.repeat(atom, places)
            } else if let Some(class) = atom.strip_prefix('!') {
                self.not_before(class, places)
            } else {
                self.step(atom, places)
            };
        }
        places
    }

    /// The places behind the phrases of `class` that are begun at one of `from`.
    pub(super) fn after_class(&self, class: &str, from: Places) -> Places {
        let found = self.classes.iter().find(|(name, _)| *name == class);
        let phrases = found.map_or("", |(_, phrases)| phrases);
        phrases.split('|').fold(0, |all, phrase| {
            // Nearly all phrases are told by their first byte to stand nowhere.
            let may_begin = match phrase.as_bytes() {
                [b'A'..=b'Z' | b'.', ..] => true,
                [first, ..] => self.standing(Want::Stem(&[*first]), from) != 0,
                [] => false,
            };
            if may_begin { all | self.after(phrase, from) } else { all }
        })
    }

    fn step(&self, atom: &str, from: Places) -> Places {
        if atom.starts_with(|c: char| c.is_ascii_uppercase()) {
            return self.after_class(atom, from);
        }
        if atom.starts_with(is_sign) {
            let mut utf8 = [0; 4];
            return atom.chars().fold(from, |places, sign| {
                self.standing(Want::Word(sign.encode_utf8(&mut utf8).as_bytes()), places) << 1
            });
        }
        match (atom, atom.strip_suffix('-')) {
            (".." | "...", _) => self.repeat_words(atom, from),
            (_, Some(stem)) => self.standing(Want::Stem(stem.as_bytes()), from) << 1,
            (word, None) => self.standing(Want::Word(word.as_bytes()), from) << 1,
        }
    }

    fn repeat_words(&self, gap: &str, from: Places) -> Places {
        let want = Want::NoMark(b".", if gap == ".." { b"," } else { b"." });
        let mut all = from;
        let mut fresh = from;
        while fresh != 0 {
            fresh = (self.standing(want, fresh) << 1) & !all;
            all |= fresh;
        }
        all
    }

    /// Each place is stepped from once, so this ends.
    fn repeat(&self, atom: &str, from: Places) -> Places {
        let mut all = from;
        let mut fresh = from;
        while fresh != 0 {
            fresh = self.step(atom, fresh) & !all;
            all |= fresh;
        }
        all
    }

    /// Those of `from` at which no phrase of `class` stands.
    fn not_before(&self, class: &str, from: Places) -> Places {
        each(from)
            .filter(|(_, place)| self.after_class(class, *place) == 0)
            .fold(0, |all, (_, place)| all | place)
    }

    /// Those of `from` at which a word stands that is wanted.
    fn standing(&self, want: Want<'_>, from: Places) -> Places {
        let is_wanted = |index: usize| {
            let word = self.words.word(index);
            match want {
                Want::Word(wanted) => word == wanted,
                Want::Stem(stem) => word.starts_with(stem),
                Want::NoMark(one, other) => !word.is_empty() && word != one && word != other,
            }
        };
        each(from).filter(|(index, _)| is_wanted(*index)).fold(0, |all, (_, place)| all | place)
    }
}

/// Each place of a set, with the index of the word there.
fn each(places: Places) -> impl Iterator<Item = (usize, Places)> {
    let mut rest = places;
    core::iter::from_fn(move || {
        let place = rest & rest.wrapping_neg();
        rest ^= place;
        (place != 0).then(|| (place.trailing_zeros() as usize, place))
    })
}
