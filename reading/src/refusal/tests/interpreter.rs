//! The same patterns, read anew at each match: an oracle for what is compiled of them.

use super::super::pattern::{Classes, each};
use super::super::words::{Positions, Words, is_cjk};

pub(super) struct Interpreter<'a> {
    pub(super) words: &'a Words,
    pub(super) classes: Classes,
}

/// A pattern of one word.
#[derive(Clone, Copy)]
enum WordPattern<'a> {
    Word(&'a [u8]),
    Stem(&'a [u8]),
    /// A word that is neither of these two. There is no word after the end.
    NotPunctuation(&'a [u8], &'a [u8]),
}

impl Interpreter<'_> {
    /// The positions after `pattern`, if it begins at one of `from`.
    pub(super) fn after(&self, pattern: &str, from: Positions) -> Positions {
        let mut positions = from;
        for atom in pattern.split(' ') {
            if positions == 0 {
                break;
            }
            positions = if let Some(atom) = atom.strip_suffix('?') {
                positions | self.step(atom, positions)
            } else if let Some(atom) = atom.strip_suffix('*') {
                self.repeat(atom, positions)
            } else if let Some(class) = atom.strip_prefix('!') {
                self.not_before(class, positions)
            } else {
                self.step(atom, positions)
            };
        }
        positions
    }

    /// The positions after any phrase of `class` that begins at one of `from`.
    pub(super) fn after_class(&self, class: &str, from: Positions) -> Positions {
        let found = self.classes.iter().find(|(name, _)| *name == class);
        let phrases = found.map_or("", |(_, phrases)| phrases);
        phrases.split('|').fold(0, |all, phrase| {
            // The first byte rules out nearly all phrases.
            let may_begin = match phrase.as_bytes() {
                [b'A'..=b'Z' | b'.', ..] => true,
                [first, ..] => self.matching(WordPattern::Stem(&[*first]), from) != 0,
                [] => false,
            };
            if may_begin { all | self.after(phrase, from) } else { all }
        })
    }

    fn step(&self, atom: &str, from: Positions) -> Positions {
        if atom.starts_with(|c: char| c.is_ascii_uppercase()) {
            return self.after_class(atom, from);
        }
        if atom.starts_with(is_cjk) {
            let mut utf8 = [0; 4];
            return atom.chars().fold(from, |positions, character| {
                self.matching(WordPattern::Word(character.encode_utf8(&mut utf8).as_bytes()), positions) << 1
            });
        }
        match (atom, atom.strip_suffix('-')) {
            (".." | "...", _) => self.repeat_words(atom, from),
            (_, Some(stem)) => self.matching(WordPattern::Stem(stem.as_bytes()), from) << 1,
            (word, None) => self.matching(WordPattern::Word(word.as_bytes()), from) << 1,
        }
    }

    fn repeat_words(&self, gap: &str, from: Positions) -> Positions {
        let word = WordPattern::NotPunctuation(b".", if gap == ".." { b"," } else { b"." });
        let mut all = from;
        let mut fresh = from;
        while fresh != 0 {
            fresh = (self.matching(word, fresh) << 1) & !all;
            all |= fresh;
        }
        all
    }

    /// Goes on from each position once, so this ends.
    fn repeat(&self, atom: &str, from: Positions) -> Positions {
        let mut all = from;
        let mut fresh = from;
        while fresh != 0 {
            fresh = self.step(atom, fresh) & !all;
            all |= fresh;
        }
        all
    }

    /// Those of `from` at which no phrase of `class` begins.
    fn not_before(&self, class: &str, from: Positions) -> Positions {
        each(from)
            .filter(|(_, position)| self.after_class(class, *position) == 0)
            .fold(0, |all, (_, position)| all | position)
    }

    /// Those of `from` at which the word matches.
    fn matching(&self, pattern: WordPattern<'_>, from: Positions) -> Positions {
        let matches = |index: usize| {
            let word = self.words.word(index);
            match pattern {
                WordPattern::Word(wanted) => word == wanted,
                WordPattern::Stem(stem) => word.starts_with(stem),
                WordPattern::NotPunctuation(one, other) => !word.is_empty() && word != one && word != other,
            }
        };
        each(from).filter(|(index, _)| matches(*index)).fold(0, |all, (_, position)| all | position)
    }
}
