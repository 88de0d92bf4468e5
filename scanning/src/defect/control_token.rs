//! `control_token`: a token of a model's template in the answer's text, or in the name of a tool.
//!
//! In: text in any pieces, and whether it is code. Such tokens are also written about. So a token counts by its
//! surroundings. A template has it at the beginning or end of the text or a line, on the end of a sentence, before a role or
//! a call. A writer names it in code, in quotation marks or brackets, in the middle of a sentence. `token.rs` has the list of tokens, `context.rs` the rules.

mod context;
mod token;

use super::markdown::{Place, Segment};
use crate::word::find_either;
use context::{After, Before};
use token::{Kind, TOKEN_BYTES_MAX};

/// Letters of the word after a token that are read.
const WORD_BYTES_MAX: usize = 12;

/// A token that was read, or several without text between them.
#[derive(Clone, Copy, Debug)]
struct Group {
    kind: Kind,
    before: Before,
    /// Number of tokens. Saturates.
    tokens: u8,
    /// The white space after it.
    gap: Gap,
    /// A token was named earlier in its line.
    is_in_naming_line: bool,
    /// The lower-case word after it, as far as it has come.
    word: [u8; WORD_BYTES_MAX],
    word_len: u8,
}

impl Group {
    fn after_word(&self) -> After {
        let word = self.word.get(..usize::from(self.word_len)).unwrap_or_default();
        if context::is_naming_word(word) { After::NamingWord } else { After::LowerWord }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Gap {
    None,
    Space,
    Line,
}

/// The state between two bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ControlToken {
    found: bool,
    /// Tokens were there that may be used, and that are named. Both hold for the whole answer.
    has_doubtful: bool,
    has_named: bool,
    /// `<s>` was there, so `</s>` may be HTML.
    has_strike: bool,
    /// A token was named, not used, in this line.
    is_naming_line: bool,
    /// There was anything but white space.
    has_text: bool,
    /// What may be a token: its bytes so far, and what is before it.
    token: [u8; TOKEN_BYTES_MAX],
    token_len: u8,
    token_before: Before,
    group: Option<Group>,
}

/// Whether a token is in the name of a tool.
pub(super) fn is_in_name(name: &[u8]) -> bool {
    // Names are letters, digits, `_`, `-`, `.`, `:` and `/`. Tokens also have one of these.
    name.iter().any(|byte| b"<>|[]".contains(byte))
        || name.windows(token::BAR.len()).any(|window| window == token::BAR)
}

impl ControlToken {
    pub(super) fn is_found(&self) -> bool {
        self.found || self.has_doubtful && !self.has_named
    }

    /// Whether text matters that begins no token.
    pub(super) fn is_waiting(&self) -> bool {
        self.token_len > 0 || self.group.is_some() || self.is_naming_line
    }

    #[inline(never)]
    pub(super) fn push(&mut self, segment: Segment<'_>) {
        let Segment { text, start, place, .. } = segment;
        let mut at = start;
        while at < text.len() && !self.found {
            if self.token_len == 0 && self.group.is_none() {
                let rest = text.get(at..).unwrap_or_default();
                let skipped = token_start(rest);
                self.skip(rest.get(..skipped).unwrap_or_default());
                at = at.saturating_add(skipped);
            }
            let (before, after) = text.split_at_checked(at).unwrap_or_default();
            let Some(&byte) = after.first() else { break };
            self.step(before, byte, place);
            at = at.saturating_add(1);
        }
        if segment.ends_line() {
            self.is_naming_line = false;
        }
    }

    /// Text that begins no token, and none is waiting.
    pub(super) fn skip(&mut self, text: &[u8]) {
        self.has_text = self.has_text || !text.trim_ascii_start().is_empty();
    }

    /// The item has ended. `is_code_open`: in code that was not closed. `is_cut`: not by itself.
    pub(super) fn end(&mut self, is_code_open: bool, is_cut: bool) {
        if let Some(group) = self.group.take()
            && self.token_len == 0
            && !is_cut
            && (group.before != Before::Code || is_code_open)
        {
            let after = if group.word_len > 0 { group.after_word() } else { After::End };
            self.decide(&group, after);
        }
        let ControlToken { found, has_doubtful, has_named, .. } = *self;
        *self = ControlToken { found, has_doubtful, has_named, ..ControlToken::default() };
    }

    fn step(&mut self, before: &[u8], byte: u8, place: Place) {
        if self.token_len > 0 {
            if self.extend_token(byte) {
                return;
            }
            // It was text.
            self.token_len = 0;
            self.end_group(After::Brace);
        }
        let is_beginning = matches!(byte, b'<' | b'[');
        if is_beginning {
            self.token_before = match place {
                Place::Text if !self.has_text => Before::Start,
                Place::Text => Before::of(before),
                Place::Span | Place::Fence => Before::Code,
            };
            self.token_len = 0;
            self.push_token(byte);
            self.has_text = true;
        } else if self.group.is_some() {
            self.follow(byte);
        }
    }

    fn push_token(&mut self, byte: u8) {
        if let Some(slot) = self.token.get_mut(usize::from(self.token_len)) {
            *slot = byte;
            self.token_len = self.token_len.saturating_add(1);
        }
    }

    /// Adds a byte to what may be a token. False if it is none.
    #[inline(never)]
    fn extend_token(&mut self, byte: u8) -> bool {
        let token = self.token.get(..usize::from(self.token_len)).unwrap_or_default();
        let is_full = token.len() == TOKEN_BYTES_MAX;
        if !token::may_go_on(token, byte) || is_full && !token::has_tool_name(token) {
            return false;
        }
        self.push_token(byte);
        if !token::is_end(token::first(&self.token), byte) {
            return true;
        }
        let token = self.token.get(..usize::from(self.token_len)).unwrap_or_default();
        let Some(kind) = token::kind(token) else { return false };
        self.has_strike |= token == b"<s>";
        self.token_len = 0;
        match &mut self.group {
            Some(group) => {
                group.kind = kind.min(group.kind);
                group.tokens = group.tokens.saturating_add(1);
                group.gap = Gap::None;
            }
            None => {
                self.group = Some(Group {
                    kind,
                    before: self.token_before,
                    tokens: 1,
                    gap: Gap::None,
                    is_in_naming_line: self.is_naming_line,
                    word: [0; WORD_BYTES_MAX],
                    word_len: 0,
                });
            }
        }
        true
    }

    /// A byte after a token.
    fn follow(&mut self, byte: u8) {
        let Some(group) = &mut self.group else { return };
        if group.word_len > 0 {
            let at = usize::from(group.word_len);
            if byte.is_ascii_alphabetic()
                && let Some(slot) = group.word.get_mut(at)
            {
                *slot = byte;
                group.word_len = group.word_len.saturating_add(1);
                return;
            }
            let after = group.after_word();
            self.end_group(after);
            return;
        }
        let after = match byte {
            b'\n' => {
                group.gap = Gap::Line;
                return;
            }
            b' ' | b'\t' | b'\r' => {
                group.gap = group.gap.max(Gap::Space);
                return;
            }
            // The second bracket of `<<SYS>>`.
            b'>' if group.gap == Gap::None && group.kind == Kind::Turn => return,
            _ if group.gap == Gap::Line => After::Line,
            b'a'..=b'z' if group.gap == Gap::Space => {
                if let Some(slot) = group.word.first_mut() {
                    (*slot, group.word_len) = (byte, 1);
                }
                return;
            }
            _ => After::of(byte, group.gap),
        };
        self.end_group(after);
    }

    fn end_group(&mut self, after: After) {
        let Some(group) = self.group.take() else { return };
        if group.before == Before::Code {
            self.has_named = true;
        } else {
            // If only a line follows, then what is after that does not count.
            let after = if group.gap == Gap::Line { After::Line } else { after };
            self.decide(&group, after);
        }
    }

    fn decide(&mut self, group: &Group, after: After) {
        let is_html = group.kind == Kind::End && self.has_strike;
        let is_used = context::is_used(group.kind, group.before, after, group.tokens > 1);
        let is_certain = !group.is_in_naming_line || context::is_certain(group.kind, group.before, after);
        let is_used = is_used && is_certain && !is_html;
        self.found |= is_used;
        if !is_used && !matches!(group.kind, Kind::Weak | Kind::End) {
            self.is_naming_line |= group.gap != Gap::Line;
            let is_doubtful = context::may_be_used(group.kind, group.before, after);
            self.has_doubtful |= is_doubtful;
            self.has_named |= !is_doubtful;
        }
    }
}

/// Where a token may begin; the length if nowhere.
fn token_start(text: &[u8]) -> usize {
    let mut start = 0_usize;
    loop {
        start = start.saturating_add(find_either(text.get(start..).unwrap_or_default(), b'<', b'['));
        match text.get(start..) {
            // In code most of them begin something else.
            Some([first, next, ..]) if !token::may_go_on(&[*first], *next) => {
                start = start.saturating_add(1);
            }
            _ => return start.min(text.len()),
        }
    }
}

#[cfg(test)]
mod tests;
