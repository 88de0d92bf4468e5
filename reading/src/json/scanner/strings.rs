//! Strings: to their end or the next escape, decoded, whole or piece by piece.

use super::{Pass, Role, State, What};
use crate::json::runs::text_length;
use crate::json::{SHORT_BYTES_MAX, Value};

impl Pass<'_> {
    #[inline(always)]
    pub(super) fn begin_string<'a>(&mut self, role: Role, after: &'a [u8]) -> &'a [u8] {
        self.scanner.role = role;
        self.scanner.high = None;
        self.scanner.short.clear();
        self.scanner.position.state = State::String;
        self.string(after)
    }

    /// Inside a string: takes all bytes up to its end, or to an escape that takes more than a byte.
    pub(super) fn string<'a>(&mut self, mut rest: &'a [u8]) -> &'a [u8] {
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
            self.scanner.position.state = State::Escape;
            return after;
        }
    }

    /// A run of the string and the byte that an escape behind it stands for.
    #[inline(always)]
    fn run_and_byte(&mut self, run: &[u8], byte: u8) {
        if self.scanner.role == Role::Skipped {
            return;
        }
        if self.scanner.high.is_some() || !self.scanner.short.gather(run, byte) {
            self.text(run);
            self.text(&[byte]);
        }
    }

    /// The string ends behind this run of it.
    #[inline(always)]
    fn end_run<'a>(&mut self, run: &[u8], after: &'a [u8]) -> &'a [u8] {
        if self.scanner.short.is_empty() && self.scanner.high.is_none() {
            self.end_string(run); // it came in one piece, without an escape
        } else {
            self.text(run);
            self.end_buffered_string();
        }
        match after {
            // The common case, without going round.
            [b':', byte, ..]
                if self.scanner.position.state == State::Colon && !byte.is_ascii_whitespace() =>
            {
                self.value(*byte, after.get(1..).unwrap_or_default())
            }
            _ => after,
        }
    }

    /// A piece of the string's text, unescaped.
    fn text(&mut self, piece: &[u8]) {
        if self.scanner.high.is_some() && !piece.is_empty() {
            self.scanner.high = None;
            self.text("\u{fffd}".as_bytes());
        }
        match self.scanner.role {
            Role::Key | Role::Short => self.scanner.short.extend(piece),
            // Gathered: to tell each run between two escapes, and each escape, would cost more than to read them.
            Role::Text if self.scanner.short.has_room_for(piece) => self.scanner.short.extend(piece),
            Role::Text => self.tell_text(piece),
            Role::Skipped => {}
        }
    }

    /// Tells what has been gathered of a text, and this.
    fn tell_text(&mut self, piece: &[u8]) {
        let Some(What { place, .. }) = self.what(self.scanner.position.node) else { return };
        let short = &mut self.scanner.short;
        if !short.is_empty() {
            self.sink.value(place, Value::Text(short.as_bytes()));
            short.clear();
            if piece.is_empty() {
                return;
            }
        }
        self.sink.value(place, Value::Text(piece));
    }

    /// No more bytes are there: of a text, what has been gathered is told, or that it has begun.
    pub(super) fn flush(&mut self) {
        let is_inside =
            matches!(self.scanner.position.state, State::String | State::Escape | State::Unicode(..));
        if is_inside && self.scanner.role == Role::Text {
            self.tell_text(b"");
        }
    }

    fn end_buffered_string(&mut self) {
        if self.scanner.high.take().is_some() {
            self.text("\u{fffd}".as_bytes());
        }
        // Moved out for the call and back, so that one function ends both kinds of string.
        let short = core::mem::take(&mut self.scanner.short);
        if self.scanner.role == Role::Key && short.is_cut() {
            self.scanner.position.node = None;
            self.scanner.position.state = State::Colon;
        } else {
            self.end_string(short.as_bytes());
        }
        self.scanner.short.clear();
    }

    /// The string ends; `last` is all of it, or for a text its last piece.
    #[inline(always)]
    fn end_string(&mut self, last: &[u8]) {
        match self.scanner.role {
            Role::Key => {
                self.scanner.position.node = self.frame().and_then(|frame| self.tree.child(frame.node, last));
                self.scanner.position.state = State::Colon;
            }
            Role::Text => {
                let node = self.scanner.position.node;
                self.tell(node, Value::Text(last));
                if self.what(node).is_some_and(|what| what.wants_text_end) {
                    self.tell(node, Value::Close);
                }
                self.end_value();
            }
            Role::Short => {
                let cut = last.get(..SHORT_BYTES_MAX).unwrap_or(last);
                self.tell(self.scanner.position.node, Value::Short(cut));
                self.end_value();
            }
            Role::Skipped if self.scanner.skipping > 0 => self.scanner.position.state = State::Skip,
            Role::Skipped => self.end_value(),
        }
    }

    pub(super) fn escape<'a>(&mut self, byte: u8, after: &'a [u8]) -> &'a [u8] {
        self.scanner.position.state = State::String;
        if byte == b'u' {
            self.scanner.position.state = State::Unicode(0, 0);
            return after;
        }
        let Some(decoded) = unescaped(byte) else { return self.broken() };
        self.text(&[decoded]);
        after
    }

    pub(super) fn unicode<'a>(&mut self, digits: u8, code: u16, byte: u8, after: &'a [u8]) -> &'a [u8] {
        let Some(digit) = char::from(byte).to_digit(16).and_then(|digit| u16::try_from(digit).ok()) else {
            return self.broken();
        };
        let code = code.wrapping_shl(4) | digit;
        if digits < 3 {
            self.scanner.position.state = State::Unicode(digits.saturating_add(1), code);
            return after;
        }
        self.scanner.position.state = State::String;
        let char = match (self.scanner.high, code) {
            (Some(high), 0xDC00..=0xDFFF) => {
                self.scanner.high = None;
                char::decode_utf16([high, code]).next().and_then(Result::ok)
            }
            (_, 0xD800..=0xDBFF) => {
                if self.scanner.high.take().is_some() {
                    self.text("\u{fffd}".as_bytes());
                }
                self.scanner.high = Some(code);
                return after;
            }
            _ => char::from_u32(u32::from(code)),
        };
        let mut utf8 = [0; 4];
        self.text(char.unwrap_or(char::REPLACEMENT_CHARACTER).encode_utf8(&mut utf8).as_bytes());
        after
    }
}

/// What the byte behind a backslash stands for; `None` if it alone stands for nothing.
fn unescaped(byte: u8) -> Option<u8> {
    match byte {
        b'n' => Some(b'\n'),
        b't' => Some(b'\t'),
        b'r' => Some(b'\r'),
        b'b' => Some(b'\x08'),
        b'f' => Some(b'\x0c'),
        b'"' | b'\\' | b'/' => Some(byte),
        _ => None,
    }
}
