//! Strings: decoded, and reported in one piece or in several.

use super::{Pass, ScannerState, StringRole, WantedPath};
use crate::json::runs::{skipped_length, text_length, unescaped};
use crate::json::{SHORT_BYTES_MAX, Value};

impl Pass<'_> {
    #[inline(always)]
    pub(super) fn begin_string<'a>(&mut self, role: StringRole, after: &'a [u8]) -> &'a [u8] {
        self.scanner.role = role;
        self.scanner.high_surrogate = None;
        self.scanner.token.clear();
        self.scanner.position.state = ScannerState::String;
        self.string(after)
    }

    /// Reads a string to its end, or to an escape that is not one byte or is incomplete.
    pub(super) fn string<'a>(&mut self, mut rest: &'a [u8]) -> &'a [u8] {
        // Natively `text_length` has vectors of more bytes.
        if cfg!(target_family = "wasm") && self.scanner.role == StringRole::Skipped {
            rest = rest.get(skipped_length(rest)..).unwrap_or_default();
        }
        loop {
            let (run, stop) = rest.split_at(text_length(rest));
            if let [b'"', after @ ..] = stop {
                return self.end_run(run, after);
            }
            if let [b'\\', byte, after @ ..] = stop
                && let Some(decoded) = unescaped(*byte)
            {
                self.run_and_byte(run, decoded);
                rest = after;
                continue;
            }
            self.text(run);
            let [b'\\', after @ ..] = stop else { return stop };
            self.scanner.position.state = ScannerState::Escape;
            return after;
        }
    }

    /// A part of the string without escapes, and the byte that the escape after it stands for.
    #[inline(always)]
    fn run_and_byte(&mut self, run: &[u8], byte: u8) {
        if self.scanner.role == StringRole::Skipped {
            return;
        }
        if self.scanner.high_surrogate.is_some() || !self.scanner.token.append(run, byte) {
            self.text(run);
            self.text(&[byte]);
        }
    }

    /// The last part of the string. It has no escapes.
    #[inline(always)]
    fn end_run<'a>(&mut self, run: &[u8], after: &'a [u8]) -> &'a [u8] {
        if self.scanner.token.is_empty() && self.scanner.high_surrogate.is_none() {
            self.end_string(run); // it is the whole string
        } else {
            self.text(run);
            self.end_buffered_string();
        }
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
    fn text(&mut self, piece: &[u8]) {
        if self.scanner.high_surrogate.is_some() && !piece.is_empty() {
            self.scanner.high_surrogate = None;
            self.text("\u{fffd}".as_bytes());
        }
        match self.scanner.role {
            StringRole::Key | StringRole::Short => self.scanner.token.extend(piece),
            // Buffered: a call of the sink for each escape would cost more than reading the text.
            StringRole::Text if self.scanner.token.has_room_for(piece) => self.scanner.token.extend(piece),
            StringRole::Text => self.emit_text(piece),
            StringRole::Skipped => {}
        }
    }

    /// Gives the buffered part of a text to the sink, then `piece`.
    fn emit_text(&mut self, piece: &[u8]) {
        let Some(WantedPath { index, .. }) = self.wanted(self.scanner.position.node) else { return };
        let token = &mut self.scanner.token;
        if !token.is_empty() {
            self.sink.value(index, Value::Text(token.as_bytes()));
            token.clear();
            if piece.is_empty() {
                return;
            }
            if token.has_room_for(piece) {
                return token.extend(piece);
            }
        }
        self.sink.value(index, Value::Text(piece));
    }

    /// The piece of input ends. If it ends inside a text, gives what was read of it to the sink, even if that is
    /// nothing.
    pub(super) fn flush(&mut self) {
        let is_inside = matches!(
            self.scanner.position.state,
            ScannerState::String | ScannerState::Escape | ScannerState::Unicode(..)
        );
        if is_inside && self.scanner.role == StringRole::Text {
            self.emit_text(b"");
        }
    }

    fn end_buffered_string(&mut self) {
        if self.scanner.high_surrogate.take().is_some() {
            self.text("\u{fffd}".as_bytes());
        }
        // Taken out, because `end_string` needs all of `self`.
        let token = core::mem::take(&mut self.scanner.token);
        if self.scanner.role == StringRole::Key && token.is_cut() {
            self.scanner.position.node = None;
            self.scanner.position.state = ScannerState::Colon;
        } else {
            self.end_string(token.as_bytes());
        }
        self.scanner.token.clear();
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

    /// The byte after a backslash.
    pub(super) fn escape<'a>(&mut self, byte: u8, after: &'a [u8]) -> &'a [u8] {
        self.scanner.position.state = ScannerState::String;
        if byte == b'u' {
            self.scanner.position.state = ScannerState::Unicode(0, 0);
            return after;
        }
        let Some(decoded) = unescaped(byte) else { return self.broken() };
        self.text(&[decoded]);
        after
    }

    /// A digit of `\uXXXX`, of which `digits` have been read and are `code`. A surrogate without its other half
    /// becomes U+FFFD.
    #[expect(clippy::arithmetic_side_effects, reason = "`digits` is below 3")]
    pub(super) fn unicode<'a>(&mut self, digits: u8, code: u16, byte: u8, after: &'a [u8]) -> &'a [u8] {
        let Some(digit) = char::from(byte).to_digit(16).and_then(|digit| u16::try_from(digit).ok()) else {
            return self.broken();
        };
        let code = (code << 4) | digit;
        if digits < 3 {
            self.scanner.position.state = ScannerState::Unicode(digits + 1, code);
            return after;
        }
        self.scanner.position.state = ScannerState::String;
        let char = match (self.scanner.high_surrogate, code) {
            (Some(high), 0xDC00..=0xDFFF) => {
                self.scanner.high_surrogate = None;
                char::decode_utf16([high, code]).next().and_then(Result::ok)
            }
            (_, 0xD800..=0xDBFF) => {
                if self.scanner.high_surrogate.take().is_some() {
                    self.text("\u{fffd}".as_bytes());
                }
                self.scanner.high_surrogate = Some(code);
                return after;
            }
            _ => char::from_u32(u32::from(code)),
        };
        let mut utf8 = [0; 4];
        self.text(char.unwrap_or(char::REPLACEMENT_CHARACTER).encode_utf8(&mut utf8).as_bytes());
        after
    }
}
