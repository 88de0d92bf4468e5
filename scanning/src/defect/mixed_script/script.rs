//! The script of a character, by Unicode's blocks.
//!
//! Chinese, Japanese and Korean are one class, because their texts mix Han, kana and Hangul. Of the scripts that are
//! rare in answers, several share a class.

/// Number of scripts.
pub(super) const SCRIPTS: usize = 14;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Script {
    Latin,
    Greek,
    Cyrillic,
    Armenian,
    Hebrew,
    Arabic,
    Devanagari,
    /// The other scripts of India and of Sri Lanka.
    Indic,
    Thai,
    /// Lao, Tibetan, Burmese, Khmer: as Thai, without spaces between words.
    Southeast,
    Georgian,
    Ethiopic,
    Cjk,
    /// Mongolian, Cherokee and others.
    Other,
}

impl Script {
    pub(super) const ALL: [Script; SCRIPTS] = [
        Script::Latin,
        Script::Greek,
        Script::Cyrillic,
        Script::Armenian,
        Script::Hebrew,
        Script::Arabic,
        Script::Devanagari,
        Script::Indic,
        Script::Thai,
        Script::Southeast,
        Script::Georgian,
        Script::Ethiopic,
        Script::Cjk,
        Script::Other,
    ];

    pub(super) fn bit(self) -> u16 {
        1 << self as u16
    }

    /// Whether its letters are usual before a Latin word, without a space: as an article or preposition, or as a symbol.
    pub(super) fn has_prefixes(self) -> bool {
        matches!(self, Script::Hebrew | Script::Arabic | Script::Greek | Script::Cjk)
    }

    /// Whether a word of it never goes on in Latin.
    pub(super) fn has_no_latin_endings(self) -> bool {
        matches!(self, Script::Cyrillic | Script::Greek | Script::Armenian | Script::Georgian)
    }
}

/// The script of a letter. `None` for anything else.
pub(super) const fn of(character: u32) -> Option<Script> {
    let script = match character {
        0xC0..=0xD6 | 0xD8..=0xF6 | 0xF8..=0x2AF | 0x1D00..=0x1DBF | 0x1E00..=0x1EFF => Script::Latin,
        0x2C60..=0x2C7F | 0xA720..=0xA7FF | 0xAB30..=0xAB64 | 0xFF21..=0xFF3A | 0xFF41..=0xFF5A => {
            Script::Latin
        }
        0x370..=0x3FF | 0x1F00..=0x1FFF => Script::Greek,
        0x400..=0x52F | 0x1C80..=0x1C8F | 0x2DE0..=0x2DFF | 0xA640..=0xA69F => Script::Cyrillic,
        0x531..=0x587 => Script::Armenian,
        0x591..=0x5F4 => Script::Hebrew,
        0x610..=0x61A | 0x620..=0x669 | 0x66E..=0x6D3 | 0x6D5..=0x6FF | 0x750..=0x77F => Script::Arabic,
        0x8A0..=0x8FF | 0xFB50..=0xFDFF | 0xFE70..=0xFEFC => Script::Arabic,
        0x900..=0x963 | 0x966..=0x97F | 0xA8E0..=0xA8FF => Script::Devanagari,
        0x980..=0xDFF => Script::Indic,
        0xE00..=0xE7F => Script::Thai,
        0xE80..=0x109F | 0x1780..=0x17FF | 0x1950..=0x19FF => Script::Southeast,
        0x10A0..=0x10FF | 0x1C90..=0x1CBF | 0x2D00..=0x2D2F => Script::Georgian,
        0x1200..=0x139F | 0x2D80..=0x2DDF => Script::Ethiopic,
        0x700..=0x74F | 0x780..=0x7BF | 0x13A0..=0x167F | 0x1800..=0x18AF => Script::Other,
        0x1100..=0x11FF | 0x2E80..=0x2FDF | 0x3005..=0x3007 | 0x3040..=0x30FA | 0x30FC..=0x318F => {
            Script::Cjk
        }
        0x31A0..=0x31BF | 0x31F0..=0x31FF | 0x3400..=0x4DBF | 0x4E00..=0x9FFF | 0xA960..=0xA97F => {
            Script::Cjk
        }
        0xAC00..=0xD7FF | 0xF900..=0xFAFF | 0xFF66..=0xFFDC | 0x20000..=0x3FFFF => Script::Cjk,
        _ => return None,
    };
    Some(script)
}

/// What a character is, as far as it takes no time to tell.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// A letter of this script.
    Letter(Script),
    /// No letter, no mark of any kind.
    Other,
    /// Not known: the characters of its part are of several classes.
    Mixed,
}

/// Characters of a part, and parts that are in the table.
const PART: u32 = 64;
const PARTS: usize = 0x3400 / PART as usize;
static CLASSES: [Class; PARTS] = classes();

#[expect(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "it runs in the compiler")]
const fn classes() -> [Class; PARTS] {
    let mut classes = [Class::Mixed; PARTS];
    let mut part = 0;
    while part < PARTS {
        let first = part as u32 * PART;
        classes[part] = slow_class(first);
        let mut next = first + 1;
        while next < first + PART {
            match (classes[part], slow_class(next)) {
                (Class::Other, Class::Other) => {}
                (Class::Letter(a), Class::Letter(b)) if a as u8 == b as u8 => {}
                _ => classes[part] = Class::Mixed,
            }
            next += 1;
        }
        part += 1;
    }
    classes
}

const fn slow_class(character: u32) -> Class {
    match of(character) {
        _ if is_mark(character) || is_cjk_mark(character) => Class::Mixed,
        Some(script) => Class::Letter(script),
        None => Class::Other,
    }
}

/// The class of a character.
#[inline]
pub(super) fn class(character: u32) -> Class {
    match character {
        0xC0..=0xD6 | 0xD8..=0xF6 | 0xF8..=0xFF => Class::Letter(Script::Latin),
        // Dashes, quotation marks, the ellipsis; emoji.
        0x2010..=0x2027 | 0x1_F000..=0x1_FFFF => Class::Other,
        0x4E00..=0x9FFF | 0x3041..=0x30FA | 0xAC00..=0xD7A3 => Class::Letter(Script::Cjk),
        _ => CLASSES.get((character / PART) as usize).copied().unwrap_or(Class::Mixed),
    }
}

/// Whether a character belongs to whatever is before it: accents, joiners.
pub(super) const fn is_mark(character: u32) -> bool {
    matches!(character, 0x300..=0x36F | 0x200C | 0x200D | 0xFE00..=0xFE0F | 0xAD)
}

/// Punctuation of Chinese, Japanese and Korean.
pub(super) const fn is_cjk_mark(character: u32) -> bool {
    matches!(character, 0x3001..=0x3003 | 0x3008..=0x3011 | 0x30FB | 0xFF01..=0xFF1F)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_those_of_the_blocks() {
        for character in 0..0x20_0000 {
            let class = class(character);
            assert!(class == Class::Mixed || class == slow_class(character), "{character:X}");
        }
        assert!(CLASSES.iter().filter(|&&class| class == Class::Mixed).count() < PARTS / 3);
    }
}
