//! Strings: decoded, and reported in one piece or in several.

use super::{Pass, ScannerState, StringRole};
use crate::json::decode::{Decoded, Escape, decode, escape};
use crate::json::runs::{skipped_length, text_length, unescaped};
use crate::json::{SHORT_BYTES_MAX, Value};
use crate::lanes::LANES;

/// Bytes of a text that are decoded at once, at most. Each call of the sink takes time.
const BLOCK_BYTES: usize = 1024;

impl Pass<'_> {
    #[inline(always)]
    pub(super) fn begin_string<'a>(&mut self, role: StringRole, after: &'a [u8]) -> &'a [u8] {
        self.scanner.role = role;
        self.scanner.token.clear();
        self.scanner.escape.clear();
        self.scanner.position.state = ScannerState::String;
        self.string(after)
    }

    /// Reads a string to its end, or as far as it is here.
    pub(super) fn string<'a>(&mut self, mut rest: &'a [u8]) -> &'a [u8] {
        // Natively `text_length` has vectors of more bytes.
        if cfg!(target_family = "wasm") && self.scanner.role == StringRole::Skipped {
            rest = rest.get(skipped_length(rest)..).unwrap_or_default();
        }
        let mut block;
        let (last, after) = loop {
            let (run, stop) = rest.split_at(text_length(rest));
            match (stop, self.scanner.role) {
                ([b'"', after @ ..], _) => break (run, after),
                ([_, byte, after @ ..], StringRole::Skipped) if unescaped(*byte).is_some() => {
                    rest = after;
                    continue;
                }
                ([_, ..], StringRole::Text) if rest.len() >= LANES => {
                    block = [0; BLOCK_BYTES];
                    let Decoded { read, written } = decode(rest, &mut block);
                    let piece = block.get(..written).unwrap_or_default();
                    rest = rest.get(read..).unwrap_or_default();
                    if let [b'"', after @ ..] = rest {
                        break (piece, after);
                    }
                    if read > 0 {
                        self.text(piece);
                        continue;
                    }
                }
                _ => {}
            }
            self.text(run);
            if stop.is_empty() {
                return stop;
            }
            match escape(stop) {
                Escape::Character(character) => {
                    self.text(character.as_bytes());
                    rest = stop.get(character.escape_len..).unwrap_or_default();
                }
                Escape::Cut => {
                    self.scanner.position.state = ScannerState::Escape;
                    self.scanner.escape.extend(stop);
                    return &[];
                }
                Escape::Broken => return self.broken(),
            }
        };
        self.end_run(last, after)
    }

    /// Reads the rest of an escape of which the last piece of input had a part.
    #[inline(never)]
    pub(super) fn escape<'a>(&mut self, rest: &'a [u8]) -> &'a [u8] {
        let mut whole = core::mem::take(&mut self.scanner.escape);
        let before = whole.as_bytes().len();
        whole.extend(rest);
        match escape(whole.as_bytes()) {
            Escape::Character(character) => {
                self.text(character.as_bytes());
                if let Some(read) = character.escape_len.checked_sub(before) {
                    self.scanner.position.state = ScannerState::String;
                    return rest.get(read..).unwrap_or_default();
                }
                // It was half of a pair. The other half is another escape, of which a part was there.
                self.scanner
                    .escape
                    .extend(whole.as_bytes().get(character.escape_len..before).unwrap_or_default());
                rest
            }
            Escape::Cut => {
                self.scanner.escape = whole;
                &[]
            }
            Escape::Broken => self.broken(),
        }
    }

    /// The last part of the string, decoded.
    #[inline(always)]
    fn end_run<'a>(&mut self, run: &[u8], after: &'a [u8]) -> &'a [u8] {
        let token;
        let mut last = run;
        if !self.scanner.token.is_empty() {
            self.text(run);
            // Taken out, because `end_string` needs all of `self`.
            token = core::mem::take(&mut self.scanner.token);
            last = token.as_bytes();
        }
        self.end_string(last);
        match after {
            // A key is nearly always followed by a colon and a value. Reading these here saves a turn of the loop.
            [b':', byte, ..]
                if self.scanner.position.state == ScannerState::Colon && !byte.is_ascii_whitespace() =>
            {
                self.value(*byte, after.get(1..).unwrap_or_default())
            }
            _ => after,
        }
    }

    /// A decoded part of the string.
    #[inline(never)]
    fn text(&mut self, piece: &[u8]) {
        match self.scanner.role {
            StringRole::Key | StringRole::Short => self.scanner.token.extend(piece),
            StringRole::Text => self.emit(self.scanner.position.node, Value::Text(piece)),
            StringRole::Skipped => {}
        }
    }

    /// The piece of input ends. If it ends inside a text, gives what was read of it to the sink, even if that is
    /// nothing.
    pub(super) fn flush(&mut self) {
        let is_inside = matches!(self.scanner.position.state, ScannerState::String | ScannerState::Escape);
        if is_inside && self.scanner.role == StringRole::Text {
            self.emit(self.scanner.position.node, Value::Text(b""));
        }
    }

    /// The string ends. `last` is the whole string, or the last piece of a text.
    #[inline(always)]
    fn end_string(&mut self, last: &[u8]) {
        match self.scanner.role {
            StringRole::Key => {
                self.scanner.position.node = self.frame().and_then(|frame| self.tree.child(frame.node, last));
                self.scanner.position.state = ScannerState::Colon;
            }
            StringRole::Text => {
                let node = self.scanner.position.node;
                self.emit(node, Value::Text(last));
                if self.wanted(node).is_some_and(|wanted| wanted.wants_text_end) {
                    self.emit(node, Value::Close);
                }
                self.end_value();
            }
            StringRole::Short => {
                let cut = last.get(..SHORT_BYTES_MAX).unwrap_or(last);
                self.emit(self.scanner.position.node, Value::Short(cut));
                self.end_value();
            }
            StringRole::Skipped if self.scanner.skipping > 0 => {
                self.scanner.position.state = ScannerState::Skip
            }
            StringRole::Skipped => self.end_value(),
        }
    }
}
