//! Patterns over words. A pattern maps a set of positions in the words to the set of positions after what it
//! matches, so there is no backtracking.
//! ```text
//! word        this word                    a?     a or nothing; at the beginning of a phrase only NAME?
//! stem-       a word that begins with this a*     a, any number of times
//! NAME        a phrase of this class       !NAME  no phrase of this class follows
//! 无法        these characters, in scripts without spaces; without `?`, `*` or `!`
//! ..          any words up to the end of the clause
//! ...         any words and commas up to the end of the sentence
//! ```
//! They are compiled once. Words are looked for only where one begins with the same byte, so most phrases end at their first word.

use alloc::vec::Vec;
use core::ops::Range;

use super::words::{Positions, Words};

/// Classes of phrases: name and phrases. A phrase is a pattern. There is a `|` between two phrases.
pub(super) type Classes = &'static [(&'static str, &'static str)];

/// The first bytes of characters that are words, in UTF-8, and how long these characters are. Words of letters begin with others.
const CHARACTER_MIN: u8 = 0xE2;
const CHARACTER_BYTES: usize = 3;

/// The index of a class.
#[derive(Clone, Copy)]
pub(super) struct ClassId(usize);

/// Classes of phrases, compiled.
#[derive(Default)]
pub(super) struct Grammar {
    /// For each class, those of its phrases.
    classes: Vec<Range<usize>>,
    /// Those of all phrases, one after the other.
    atoms: Vec<Atom>,
}

#[derive(Clone, Copy)]
struct Atom {
    symbol: Symbol,
    times: Times,
    /// It is the first of its phrase.
    is_first: bool,
}

#[derive(Clone, Copy)]
enum Symbol {
    Class(ClassId),
    Word(&'static [u8]),
    Stem(&'static [u8]),
    /// Any words but the end of a sentence and this one.
    Gap(&'static [u8]),
}

#[derive(Clone, Copy)]
enum Times {
    Once,
    /// Once or not at all.
    Optional,
    /// Any number of times.
    Repeated,
    /// It must not follow.
    Never,
}

impl ClassId {
    /// The class of this name. One that does not exist has no phrases.
    pub(super) fn of(name: &[u8], classes: Classes) -> ClassId {
        ClassId(classes.iter().position(|(other, _)| other.as_bytes() == name).unwrap_or(usize::MAX))
    }
}

impl Grammar {
    pub(super) fn compile(classes: Classes) -> Grammar {
        let mut grammar = Grammar::default();
        for (_, phrases) in classes {
            let first = grammar.atoms.len();
            for phrase in phrases.as_bytes().split(|byte| *byte == b'|') {
                let first = grammar.atoms.len();
                for text in phrase.split(|byte| *byte == b' ') {
                    match text.first() {
                        Some(CHARACTER_MIN..) => {
                            grammar.atoms.extend(text.chunks(CHARACTER_BYTES).map(Atom::word));
                        }
                        _ => grammar.atoms.push(Atom::of(text, classes)),
                    }
                }
                grammar.atoms.get_mut(first).into_iter().for_each(|atom| atom.is_first = true);
            }
            grammar.classes.push(first..grammar.atoms.len());
        }
        grammar
    }

    fn atoms(&self, class: ClassId) -> &[Atom] {
        let class = self.classes.get(class.0);
        class.and_then(|atoms| self.atoms.get(atoms.clone())).unwrap_or_default()
    }
}

impl Atom {
    fn word(text: &'static [u8]) -> Atom {
        Atom { symbol: Symbol::Word(text), times: Times::Once, is_first: false }
    }

    fn of(text: &'static [u8], classes: Classes) -> Atom {
        let (symbol, times) = match text {
            [symbol @ .., b'?'] => (symbol, Times::Optional),
            [symbol @ .., b'*'] => (symbol, Times::Repeated),
            [b'!', symbol @ ..] => (symbol, Times::Never),
            symbol => (symbol, Times::Once),
        };
        let symbol = match symbol {
            b".." => Symbol::Gap(b","),
            b"..." => Symbol::Gap(b"."),
            [b'A'..=b'Z', ..] => Symbol::Class(ClassId::of(symbol, classes)),
            [stem @ .., b'-'] => Symbol::Stem(stem),
            word => Symbol::Word(word),
        };
        Atom { symbol, times, is_first: false }
    }
}

/// Matches patterns against the words of an answer.
pub(super) struct Matcher<'a> {
    pub(super) words: &'a Words,
    pub(super) grammar: &'a Grammar,
}

impl Matcher<'_> {
    /// The positions after any phrase of `class` that begins at one of `from`.
    pub(super) fn after(&self, class: ClassId, from: Positions) -> Positions {
        let (mut all, mut positions) = (0, 0);
        for &Atom { symbol, times, is_first } in self.grammar.atoms(class) {
            if is_first {
                all |= positions;
                positions = from;
            }
            if positions == 0 {
                continue;
            }
            positions = match times {
                Times::Once => self.step(symbol, positions),
                Times::Optional => positions | self.step(symbol, positions),
                Times::Repeated => self.repeat(symbol, positions),
                Times::Never => self.not_before(symbol, positions),
            };
        }
        all | positions
    }

    /// The positions after any number of phrases of `class`.
    pub(super) fn after_any_number(&self, class: ClassId, from: Positions) -> Positions {
        self.repeat(Symbol::Class(class), from)
    }

    fn step(&self, symbol: Symbol, from: Positions) -> Positions {
        match symbol {
            Symbol::Class(class) => self.after(class, from),
            Symbol::Word(text) => self.after_word(text, from),
            Symbol::Stem(stem) => {
                self.after_matching(self.words.beginning_as(stem, from), |word| word.starts_with(stem))
            }
            Symbol::Gap(mark) => self.after_gap(mark, from),
        }
    }

    fn after_word(&self, text: &[u8], from: Positions) -> Positions {
        self.after_matching(self.words.beginning_as(text, from), |word| word == text)
    }

    /// Goes on to the end of the sentence, or to a `mark` before it. There is no word after the end.
    fn after_gap(&self, mark: &[u8], from: Positions) -> Positions {
        closure(from, |from| {
            self.after_matching(from, |word| !word.is_empty() && word != b"." && word != mark)
        })
    }

    fn repeat(&self, symbol: Symbol, from: Positions) -> Positions {
        closure(from, |from| self.step(symbol, from))
    }

    /// Those of `from` at which the symbol does not match.
    fn not_before(&self, symbol: Symbol, from: Positions) -> Positions {
        each(from)
            .filter(|(_, position)| self.step(symbol, *position) == 0)
            .fold(0, |all, (_, position)| all | position)
    }

    /// The positions after the words at `from` that match.
    fn after_matching(&self, from: Positions, matches: impl Fn(&[u8]) -> bool) -> Positions {
        let found = each(from).filter(|(index, _)| matches(self.words.word(*index)));
        found.fold(0, |all, (_, position)| all | position) << 1
    }
}

/// The positions that are reached in any number of steps. Goes on from each position once, so this ends.
fn closure(from: Positions, step: impl Fn(Positions) -> Positions) -> Positions {
    let (mut all, mut fresh) = (from, from);
    while fresh != 0 {
        fresh = step(fresh) & !all;
        all |= fresh;
    }
    all
}

/// Each position of a set, with the index of the word after it.
pub(super) fn each(positions: Positions) -> impl Iterator<Item = (usize, Positions)> {
    let mut rest = positions;
    core::iter::from_fn(move || {
        let position = rest & rest.wrapping_neg();
        rest ^= position;
        (position != 0).then(|| (position.trailing_zeros() as usize, position))
    })
}
