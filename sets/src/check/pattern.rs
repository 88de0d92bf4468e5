//! Regular expressions of JavaScript and Python, in an engine whose time is bounded.
//!
//! Most run in linear time. Look-around and back-references go back, up to a limit of steps. JavaScript's have no flags here, as in
//! promptfoo: `.` does not match a line end, `^` and `$` only the ends of the text, `\w`, `\d` and `\b` are ASCII. A character
//! is a code point, where JavaScript without flags counts UTF-16 units.

use crate::limits::{REGEX_BYTES_MAX, REGEX_SIZE_MAX, REGEX_STEPS_MAX};
use fancy_regex::{Regex, RegexBuilder};

/// Why there is no pattern: words without a subject.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Error {
    /// The pattern's own language does not allow it.
    Invalid(String),
    /// The engine cannot do it, or it is too large.
    Unsupported(String),
}

/// A compiled pattern.
#[derive(Debug)]
pub(crate) struct Pattern(Regex);

impl Pattern {
    /// # Errors
    /// It takes too many steps.
    pub(crate) fn is_match(&self, text: &str) -> Result<bool, String> {
        self.0.is_match(text).map_err(|_| too_long())
    }

    /// All matches that do not overlap: each is its groups, or the whole where there are none.
    pub(crate) fn find_all(&self, text: &str) -> Result<Vec<Vec<String>>, String> {
        let mut found = Vec::new();
        for captures in self.0.captures_iter(text) {
            let captures = captures.map_err(|_| too_long())?;
            let text = |at: usize| captures.get(at).map(|m| m.as_str().to_owned()).unwrap_or_default();
            found.push(if captures.len() > 1 {
                (1..captures.len()).map(text).collect()
            } else {
                vec![text(0)]
            });
        }
        Ok(found)
    }

    /// The text without its matches.
    pub(crate) fn remove_all(&self, text: &str) -> Result<String, String> {
        let mut out = String::new();
        let mut end = 0;
        for found in self.0.find_iter(text) {
            let found = found.map_err(|_| too_long())?;
            out.push_str(text.get(end..found.start()).unwrap_or_default());
            end = found.end();
        }
        out.push_str(text.get(end..).unwrap_or_default());
        Ok(out)
    }
}

fn too_long() -> String {
    format!("a regular expression takes more than {REGEX_STEPS_MAX} steps on the answer")
}

fn build(pattern: &str) -> Result<Pattern, Error> {
    let built = RegexBuilder::new(pattern)
        .backtrack_limit(REGEX_STEPS_MAX)
        .delegate_size_limit(REGEX_SIZE_MAX)
        .delegate_dfa_size_limit(REGEX_SIZE_MAX)
        .build();
    built.map(Pattern).map_err(|_| {
        Error::Unsupported("has a pattern that is too large, or that the engine cannot do".to_owned())
    })
}

/// A pattern of Python.
pub(crate) fn of_python(pattern: &str) -> Result<Pattern, Error> {
    if pattern.len() > REGEX_BYTES_MAX {
        return Err(Error::Unsupported("has a pattern that is too long".to_owned()));
    }
    // `\Z` is the end of the text.
    build(&pattern.replace("\\Z", "\\z"))
}

/// A pattern of JavaScript, without flags.
pub(crate) fn of_javascript(pattern: &str) -> Result<Pattern, Error> {
    if pattern.len() > REGEX_BYTES_MAX {
        return Err(Error::Unsupported("has a pattern that is too long".to_owned()));
    }
    build(&translated(pattern)?)
}

const SPACES: &str =
    r"\t\n\x0B\x0C\r \x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000}\x{FEFF}";

fn invalid(words: &str) -> Error {
    Error::Invalid(words.to_owned())
}

fn translated(pattern: &str) -> Result<String, Error> {
    let chars: Vec<char> = pattern.chars().collect();
    let mut out = String::with_capacity(pattern.len() * 2);
    let (mut at, mut depth) = (0, 0_usize);
    // Whether what came before can be repeated.
    let mut is_repeatable = false;
    while let Some(c) = chars.get(at).copied() {
        let next = chars.get(at + 1).copied();
        at += 1;
        match c {
            '\\' => {
                let is_boundary = matches!(next, Some('b' | 'B'));
                at = escape(&chars, at, &mut out)?;
                is_repeatable = !is_boundary;
            }
            '.' => {
                out.push_str(r"[^\n\r\x{2028}\x{2029}]");
                is_repeatable = true;
            }
            '$' => {
                out.push_str(r"\z");
                is_repeatable = false;
            }
            '^' => {
                out.push_str(r"\A");
                is_repeatable = false;
            }
            '[' => {
                at = class(&chars, at, &mut out)?;
                is_repeatable = true;
            }
            '(' => {
                depth += 1;
                out.push('(');
                if next == Some('?') {
                    let mark: String = chars.iter().skip(at + 1).take(2).collect();
                    let is_known = mark.starts_with([':', '=', '!'])
                        || matches!(mark.as_str(), "<=" | "<!")
                        || (mark.starts_with('<')
                            && mark
                                .chars()
                                .nth(1)
                                .is_some_and(|c| c.is_alphabetic() || c == '_' || c == '$'));
                    if !is_known {
                        return Err(invalid("has a group that JavaScript does not know"));
                    }
                    let length = if matches!(mark.as_str(), "<=" | "<!") { 3 } else { 2 };
                    out.extend(chars.iter().skip(at).take(length));
                    at += length;
                }
                is_repeatable = false;
            }
            ')' => {
                depth = depth.checked_sub(1).ok_or_else(|| invalid("has ) without ("))?;
                out.push(')');
                is_repeatable = true;
            }
            '|' => {
                out.push('|');
                is_repeatable = false;
            }
            '*' | '+' | '?' => {
                if !is_repeatable {
                    return Err(invalid("has nothing to repeat"));
                }
                out.push(c);
                at = lazy(&chars, at, &mut out);
                is_repeatable = false;
            }
            '{' => match repetition(&chars, at) {
                Some(end) => {
                    if !is_repeatable {
                        return Err(invalid("has nothing to repeat"));
                    }
                    out.push('{');
                    out.extend(chars.get(at..end).unwrap_or_default());
                    at = lazy(&chars, end, &mut out);
                    is_repeatable = false;
                }
                None => {
                    out.push_str(r"\{");
                    is_repeatable = true;
                }
            },
            c => {
                literal(c, &mut out);
                is_repeatable = true;
            }
        }
    }
    if depth > 0 { Err(invalid("has ( without )")) } else { Ok(out) }
}

/// A question mark behind a repetition.
fn lazy(chars: &[char], at: usize, out: &mut String) -> usize {
    if chars.get(at) == Some(&'?') {
        out.push('?');
        return at + 1;
    }
    at
}

/// Where `2}`, `2,}` or `2,3}` ends.
fn repetition(chars: &[char], at: usize) -> Option<usize> {
    let length = chars.get(at..)?.iter().position(|c| *c == '}')?;
    let inner: String = chars.get(at..at + length)?.iter().collect();
    let (low, high) = inner.split_once(',').unwrap_or((&inner, ""));
    let is_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    (!low.is_empty() && is_digits(low) && is_digits(high)).then_some(at + length + 1)
}

fn literal(c: char, out: &mut String) {
    if "\\.+*?()|[]{}^$#&-~".contains(c) {
        out.push('\\');
    }
    out.push(c);
}

/// An escape outside of a class; `at` is behind the backslash. Returns where the pattern goes on.
fn escape(chars: &[char], at: usize, out: &mut String) -> Result<usize, Error> {
    let c = *chars.get(at).ok_or_else(|| invalid("ends with a backslash"))?;
    match c {
        'b' => out.push_str(r"(?:(?<![A-Za-z0-9_])(?=[A-Za-z0-9_])|(?<=[A-Za-z0-9_])(?![A-Za-z0-9_]))"),
        'B' => out.push_str(r"(?:(?<![A-Za-z0-9_])(?![A-Za-z0-9_])|(?<=[A-Za-z0-9_])(?=[A-Za-z0-9_]))"),
        '1'..='9' => {
            let digits: String = chars.iter().skip(at).take_while(|c| c.is_ascii_digit()).collect();
            out.push_str(&format!(r"(?:\{digits})"));
            return Ok(at + digits.len());
        }
        'k' if chars.get(at + 1) == Some(&'<') => {
            let length =
                chars.iter().skip(at).position(|c| *c == '>').ok_or_else(|| invalid("has \\k< without >"))?;
            out.push('\\');
            out.extend(chars.get(at..=at + length).unwrap_or_default());
            return Ok(at + length + 1);
        }
        'd' | 'D' | 'w' | 'W' | 's' | 'S' => {
            out.push('[');
            set(c, out);
            out.push(']');
        }
        _ => {
            let (c, end) = single(chars, at);
            match c {
                Some(c) => literal(c, out),
                None => return Err(Error::Unsupported("has half of a surrogate pair".to_owned())),
            }
            return Ok(end);
        }
    }
    Ok(at + 1)
}

/// `\d` and the like, as a part of a class.
fn set(c: char, out: &mut String) {
    match c {
        'd' => out.push_str("0-9"),
        'D' => out.push_str("[^0-9]"),
        'w' => out.push_str("A-Za-z0-9_"),
        'W' => out.push_str("[^A-Za-z0-9_]"),
        's' => out.push_str(SPACES),
        _ => {
            out.push_str("[^");
            out.push_str(SPACES);
            out.push(']');
        }
    }
}

/// An escape that is one character; `at` is behind the backslash. Returns it, and where the pattern goes on.
fn single(chars: &[char], at: usize) -> (Option<char>, usize) {
    let hex = |from: usize, length: usize| {
        let digits: String = chars.get(from..from + length)?.iter().collect();
        digits.bytes().all(|b| b.is_ascii_hexdigit()).then(|| u32::from_str_radix(&digits, 16).ok()).flatten()
    };
    let c = chars.get(at).copied().unwrap_or('\\');
    match c {
        'n' => (Some('\n'), at + 1),
        'r' => (Some('\r'), at + 1),
        't' => (Some('\t'), at + 1),
        'v' => (Some('\u{b}'), at + 1),
        'f' => (Some('\u{c}'), at + 1),
        '0' => (Some('\0'), at + 1),
        'c' => match chars.get(at + 1).filter(|letter| letter.is_ascii_alphabetic()) {
            Some(letter) => (char::from_u32(u32::from(*letter) % 32), at + 2),
            None => (Some('\\'), at),
        },
        'x' => hex(at + 1, 2).map_or((Some('x'), at + 1), |code| (char::from_u32(code), at + 3)),
        'u' => match hex(at + 1, 4) {
            Some(high @ 0xD800..=0xDBFF)
                if chars.get(at + 5) == Some(&'\\') && chars.get(at + 6) == Some(&'u') =>
            {
                match hex(at + 7, 4) {
                    Some(low @ 0xDC00..=0xDFFF) => {
                        (char::from_u32(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00)), at + 11)
                    }
                    _ => (None, at + 5),
                }
            }
            Some(code) => (char::from_u32(code), at + 5),
            None => (Some('u'), at + 1),
        },
        c => (Some(c), at + 1),
    }
}

/// A class; `at` is behind its bracket. Returns where the pattern goes on.
fn class(chars: &[char], mut at: usize, out: &mut String) -> Result<usize, Error> {
    let is_negated = chars.get(at) == Some(&'^');
    at += usize::from(is_negated);
    if chars.get(at) == Some(&']') {
        out.push_str(if is_negated { r"[\s\S]" } else { r"[^\s\S]" });
        return Ok(at + 1);
    }
    out.push_str(if is_negated { "[^" } else { "[" });
    // The last single character, and whether a dash followed it.
    let (mut last, mut is_range) = (None::<char>, false);
    loop {
        let c = *chars.get(at).ok_or_else(|| invalid("has [ without ]"))?;
        at += 1;
        let atom = match c {
            ']' => break,
            '-' if last.is_some() && !is_range && chars.get(at).is_some_and(|next| *next != ']') => {
                is_range = true;
                continue;
            }
            '\\' => match chars.get(at).copied().ok_or_else(|| invalid("ends with a backslash"))? {
                kind @ ('d' | 'D' | 'w' | 'W' | 's' | 'S') => {
                    at += 1;
                    if is_range {
                        out.push_str(r"\-");
                    }
                    set(kind, out);
                    (last, is_range) = (None, false);
                    continue;
                }
                'b' => {
                    at += 1;
                    '\u{8}'
                }
                _ => {
                    let (c, end) = single(chars, at);
                    at = end;
                    c.ok_or_else(|| Error::Unsupported("has half of a surrogate pair".to_owned()))?
                }
            },
            c => c,
        };
        if is_range {
            if last.is_some_and(|low| low > atom) {
                return Err(invalid("has a range that is out of order"));
            }
            out.push('-');
        }
        literal(atom, out);
        last = if is_range { None } else { Some(atom) };
        is_range = false;
    }
    out.push(']');
    Ok(at)
}

#[cfg(test)]
mod tests;
