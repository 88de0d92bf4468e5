//! Sets `stream_options.include_usage` to true in a request for a stream.
//!
//! A body that has it already does not change. `"stream_options": null` before `"stream": true` does not change either,
//! because it is sent on before the body shows that it asks for a stream.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use memchr::memchr2;

use super::REQUEST_BYTES_HELD_MAX;
use crate::edit::{EditCheck, Editor};
use crate::json::{self, LazyTable, Scanner, Sink, Table, Value};

#[derive(Clone, Copy)]
enum OptionsField {
    Stream,
    Options,
    Include,
}

impl json::Field for OptionsField {
    fn is_text(self) -> bool {
        false
    }
}

static TABLE: LazyTable<OptionsField> = LazyTable::new(|| {
    Table::compile(&[
        ("stream", OptionsField::Stream),
        ("stream_options", OptionsField::Options),
        ("stream_options.include_usage", OptionsField::Include),
    ])
});

/// Edits the body of one request.
#[derive(Default)]
pub struct InjectUsage {
    check: EditCheck,
    scanner: Scanner,
    seen: StreamOptions,
    /// The last bytes, which may be a value to replace.
    held: Vec<u8>,
    /// Whether the last byte was a colon, so that a value follows.
    is_after_colon: bool,
    /// The last byte that is not white space.
    last: u8,
    is_over: bool,
}

#[derive(Default)]
struct StreamOptions {
    is_stream: Option<bool>,
    has_options: bool,
    has_include: bool,
    /// Whether the body was edited.
    is_changed: bool,
    is_whole: bool,
    edit: Option<Edit>,
}

/// An edit at the scanner's position.
enum Edit {
    /// Replaces the value that has just ended, of so many bytes.
    Replace(usize, &'static str),
    /// Adds a member to the object that has just ended.
    Add(&'static str),
}

impl Editor for InjectUsage {
    #[expect(clippy::arithmetic_side_effects, reason = "positions in `bytes`; no part of it is empty")]
    fn push(&mut self, chunk: &[u8]) -> Option<Vec<u8>> {
        self.is_over |= !self.check.allows(chunk);
        let held = core::mem::take(&mut self.held);
        let mut is_unchanged = held.is_empty();
        let bytes = if is_unchanged { Cow::Borrowed(chunk) } else { Cow::Owned([&held, chunk].concat()) };
        let mut edited = Vec::new();
        let mut sent = 0;
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty() && !self.is_over) {
            let stop = memchr2(b':', b'}', rest);
            let length = stop.map_or(rest.len(), |stop| stop + 1);
            let part = rest.get(..length).unwrap_or(rest);
            if stop.is_none() && self.is_after_colon && may_change(part) {
                self.held = part.to_vec();
                break;
            }
            let before = self.last_before_end(part);
            self.scanner.push(&TABLE, part, &mut self.seen);
            self.is_over = self.seen.is_whole;
            let end = at + length;
            let edit = self.seen.edit.take();
            is_unchanged &= edit.is_none();
            match edit {
                Some(Edit::Replace(old, new)) if self.is_after_colon => {
                    let spaces = part.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
                    let value = at + spaces;
                    edited.extend_from_slice(bytes.get(sent..value).unwrap_or_default());
                    edited.extend_from_slice(new.as_bytes());
                    sent = value + old;
                    self.seen.is_changed = true;
                }
                Some(Edit::Add(member)) => {
                    let brace = end - 1;
                    edited.extend_from_slice(bytes.get(sent..brace).unwrap_or_default());
                    edited.extend_from_slice(if before == b'{' { b"" } else { b"," });
                    edited.extend_from_slice(member.as_bytes());
                    sent = brace;
                    self.seen.is_changed = true;
                }
                Some(Edit::Replace(..)) | None => {}
            }
            self.is_after_colon = part.last() == Some(&b':');
            self.last =
                part.iter().rev().find(|byte| !byte.is_ascii_whitespace()).copied().unwrap_or(self.last);
            at = end;
        }
        if is_unchanged && self.held.is_empty() {
            return None;
        }
        let end = bytes.len() - self.held.len();
        edited.extend_from_slice(bytes.get(sent..end).unwrap_or_default());
        Some(edited)
    }

    fn finish(&mut self) -> Vec<u8> {
        self.is_over = true;
        core::mem::take(&mut self.held)
    }

    fn is_settled(&self) -> bool {
        self.is_over && self.held.is_empty()
    }
}

impl InjectUsage {
    /// Whether the request asks for a stream, and the edit made it ask for usage.
    #[must_use]
    pub fn is_injected(&self) -> bool {
        self.seen.is_whole && self.seen.is_changed && self.seen.is_stream == Some(true)
    }

    /// The last byte before the end of `part` that is not white space. The byte that ends it does not count.
    fn last_before_end(&self, part: &[u8]) -> u8 {
        let before = part.split_last().map_or(part, |(_, before)| before);
        before.iter().rev().find(|byte| !byte.is_ascii_whitespace()).copied().unwrap_or(self.last)
    }
}

/// Whether a part that follows a colon may be the beginning of `false` or `null`.
fn may_change(part: &[u8]) -> bool {
    let value = part.trim_ascii_start();
    part.len() <= REQUEST_BYTES_HELD_MAX && (b"false".starts_with(value) || b"null".starts_with(value))
}

impl Sink<OptionsField> for StreamOptions {
    fn value(&mut self, field: OptionsField, value: Value<'_>) {
        match (field, value) {
            (OptionsField::Stream, Value::Scalar(is_stream)) => self.is_stream = Some(is_stream == b"true"),
            (OptionsField::Include, Value::Scalar(include)) => {
                self.has_include = true;
                if matches!(include, b"false" | b"null") {
                    self.edit = Some(Edit::Replace(include.len(), "true"));
                }
            }
            (OptionsField::Options, Value::Close) => {
                if !self.has_include && self.is_stream != Some(false) {
                    self.edit = Some(Edit::Add(r#""include_usage":true"#));
                }
            }
            (OptionsField::Options, value) => {
                self.has_options = true;
                if value == Value::Scalar(b"null") && self.is_stream == Some(true) {
                    self.edit = Some(Edit::Replace(b"null".len(), r#"{"include_usage":true}"#));
                }
            }
            (OptionsField::Stream, _) => {}
            (OptionsField::Include, _) => self.has_include = true,
        }
    }

    fn document(&mut self) {
        self.is_whole = true;
        if self.is_stream == Some(true) && !self.has_options {
            self.edit = Some(Edit::Add(r#""stream_options":{"include_usage":true}"#));
        }
    }
}
