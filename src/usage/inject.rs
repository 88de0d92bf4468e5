//! The request: `stream_options.include_usage` is made true where it is not.
//!
//! Where nothing has to be changed, nothing is. `"stream_options": null` before `"stream": true` cannot be
//! changed, since whether it is a stream is not known when it passes.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use memchr::memchr2;

use super::REQUEST_BYTES_HELD_MAX;
use crate::edit::{Editor, Gate};
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

/// Edits one request's body.
#[derive(Default)]
pub struct InjectUsage {
    gate: Gate,
    scanner: Scanner,
    seen: StreamOptions,
    /// The last bytes, which may be a value to change.
    held: Vec<u8>,
    /// The last byte was a colon, so that a value begins.
    is_after_colon: bool,
    /// The last byte that was no white space.
    last: u8,
    is_over: bool,
}

#[derive(Default)]
struct StreamOptions {
    is_stream: Option<bool>,
    has_options: bool,
    has_include: bool,
    /// Something was changed.
    is_changed: bool,
    is_whole: bool,
    edit: Option<Edit>,
}

/// What is to be done where the scanner stands.
enum Edit {
    /// The value, so many bytes long, becomes this one.
    Replace(usize, &'static str),
    /// The object that closes here gets this member.
    Add(&'static str),
}

impl Editor for InjectUsage {
    fn push(&mut self, piece: &[u8]) -> Option<Vec<u8>> {
        self.is_over |= !self.gate.admits(piece);
        let held = core::mem::take(&mut self.held);
        let mut is_asis = held.is_empty();
        let bytes = if is_asis { Cow::Borrowed(piece) } else { Cow::Owned([&held, piece].concat()) };
        let mut edited = Vec::new();
        let mut sent = 0;
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty() && !self.is_over) {
            let stop = memchr2(b':', b'}', rest);
            let length = stop.map_or(rest.len(), |stop| stop.saturating_add(1));
            let part = rest.get(..length).unwrap_or(rest);
            if stop.is_none() && self.is_after_colon && may_change(part) {
                self.held = part.to_vec();
                break;
            }
            let before = self.last_before_end(part);
            self.scanner.push(&TABLE, part, &mut self.seen);
            self.is_over = self.seen.is_whole;
            let end = at.saturating_add(length);
            let edit = self.seen.edit.take();
            is_asis &= edit.is_none();
            match edit {
                Some(Edit::Replace(old, new)) if self.is_after_colon => {
                    let spaces = part.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
                    let value = at.saturating_add(spaces);
                    edited.extend_from_slice(bytes.get(sent..value).unwrap_or_default());
                    edited.extend_from_slice(new.as_bytes());
                    sent = value.saturating_add(old);
                    self.seen.is_changed = true;
                }
                Some(Edit::Add(member)) => {
                    let brace = end.saturating_sub(1);
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
        if is_asis && self.held.is_empty() {
            return None;
        }
        let end = bytes.len().saturating_sub(self.held.len());
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
    /// Whether the request is for a stream, and usage was asked for in the client's place.
    #[must_use]
    pub fn is_injected(&self) -> bool {
        self.seen.is_whole && self.seen.is_changed && self.seen.is_stream == Some(true)
    }

    /// The last byte before that which ends `part`, white space apart.
    fn last_before_end(&self, part: &[u8]) -> u8 {
        let before = part.split_last().map_or(part, |(_, before)| before);
        before.iter().rev().find(|byte| !byte.is_ascii_whitespace()).copied().unwrap_or(self.last)
    }
}

/// Whether what follows a colon may yet turn out to be `false` or `null`.
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
