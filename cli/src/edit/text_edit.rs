//! Replaces ranges of a text, also of a text that is embedded in another.
//!
//! In: a text, and edits of it. Out: the edited text. JSON in a scalar of a YAML document is an [`EmbeddedText`]: its
//! edits are translated to edits of the outer text.

use super::spanned::{Content, Quoting, SpannedNode, line_end, line_start, newline};
use std::ops::Range;

/// A range of bytes, and the text that replaces it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TextEdit {
    pub(super) range: Range<usize>,
    pub(super) text: String,
}

impl TextEdit {
    pub(super) fn insert(at: usize, text: String) -> Self {
        Self { range: at..at, text }
    }
}

/// Applies edits to a text; `None` if they overlap or lie outside of it.
pub(super) fn apply(text: &str, mut edits: Vec<TextEdit>) -> Option<String> {
    edits.sort_by_key(|edit| edit.range.start);
    let (mut changed, mut at) = (String::with_capacity(text.len()), 0);
    for edit in edits {
        changed.push_str(text.get(at..edit.range.start)?);
        changed.push_str(&edit.text);
        at = edit.range.end;
    }
    changed.push_str(text.get(at..)?);
    Some(changed)
}

/// A text inside a scalar of an outer text.
pub(super) struct EmbeddedText {
    pub(super) text: String,
    /// The offset of each byte in the outer text, and of the end.
    offsets: Vec<usize>,
    escaping: Escaping,
}

/// How the outer text escapes the inner one.
enum Escaping {
    /// A block: each line is indented.
    Block { newline: &'static str, indent: String },
    /// Double quotes with JSON's escapes, which YAML reads too.
    DoubleQuotes,
    /// Single quotes, doubled inside. A line break cannot be written.
    SingleQuotes,
}

impl EmbeddedText {
    /// The text of a scalar; `None` if the scalar cannot be edited.
    pub(super) fn new(outer: &str, scalar: &SpannedNode) -> Option<Self> {
        let Content::Scalar { text, quoting } = &scalar.content else { return None };
        let embedded = match quoting {
            Quoting::Literal => Self::block(outer, &scalar.span)?,
            Quoting::Double => Self::quoted(outer, &scalar.span, unescape_double, Escaping::DoubleQuotes)?,
            Quoting::Single => Self::quoted(outer, &scalar.span, unescape_single, Escaping::SingleQuotes)?,
            Quoting::Plain | Quoting::Other => return None,
        };
        // The parser is right. If it reads another text, this code does not know the notation.
        let same = embedded.text.trim_end_matches('\n') == text.trim_end_matches('\n');
        same.then_some(embedded)
    }

    /// Translates an edit of the inner text to an edit of the outer one.
    pub(super) fn to_outer(&self, edit: &TextEdit) -> Option<TextEdit> {
        let offset = |at: usize| self.offsets.get(at).copied();
        let text = match &self.escaping {
            Escaping::Block { newline, indent } => edit.text.replace('\n', &format!("{newline}{indent}")),
            Escaping::DoubleQuotes => {
                let quoted = serde_json::to_string(&edit.text).ok()?;
                quoted.get(1..quoted.len().checked_sub(1)?)?.to_owned()
            }
            Escaping::SingleQuotes if edit.text.contains('\n') => return None,
            Escaping::SingleQuotes => edit.text.replace('\'', "''"),
        };
        Some(TextEdit { range: offset(edit.range.start)?..offset(edit.range.end)?, text })
    }

    fn block(outer: &str, span: &Range<usize>) -> Option<Self> {
        let next_line = |at: usize| outer.get(at..)?.find('\n').map(|newline| at + newline + 1);
        let mut line = line_start(outer, span.start);
        let mut indent = None;
        let (mut text, mut offsets) = (String::new(), Vec::new());
        while line < span.end {
            let end = line_end(outer, line);
            let whole = outer.get(line..end)?;
            let blanks = whole.len() - whole.trim_start_matches(' ').len();
            let indent = *indent.get_or_insert(blanks);
            let content = whole.get(indent.min(blanks)..)?;
            let start = end - content.len();
            text.push_str(content);
            offsets.extend(start..end);
            text.push('\n');
            offsets.push(end);
            line = next_line(line).unwrap_or(outer.len());
        }
        offsets.push(span.end);
        let indent = " ".repeat(indent?);
        Some(Self { text, offsets, escaping: Escaping::Block { newline: newline(outer), indent } })
    }

    fn quoted(
        outer: &str,
        span: &Range<usize>,
        unescape: fn(&str) -> Option<(String, usize)>,
        escaping: Escaping,
    ) -> Option<Self> {
        let end = span.end.checked_sub(1)?;
        let (mut text, mut offsets) = (String::new(), Vec::new());
        let mut at = span.start + 1;
        while at < end {
            let (plain, escaped_bytes) = unescape(outer.get(at..end)?)?;
            offsets.extend(std::iter::repeat_n(at, plain.len()));
            text.push_str(&plain);
            at += escaped_bytes;
        }
        offsets.push(end);
        // YAML folds a quoted text that spans lines, and folding loses the places of blanks.
        let is_one_line = line_start(outer, span.start) == line_start(outer, span.end);
        is_one_line.then_some(Self { text, offsets, escaping })
    }
}

/// The first character of a double-quoted text, and the number of bytes that write it.
fn unescape_double(rest: &str) -> Option<(String, usize)> {
    let first = rest.chars().next()?;
    if first != '\\' {
        return Some((first.to_string(), first.len_utf8()));
    }
    // JSON writes a character beyond U+FFFF as two escapes.
    let lengths: &[usize] = if rest.as_bytes().get(1) == Some(&b'u') { &[6, 12] } else { &[2] };
    lengths.iter().find_map(|&length| {
        let escaped = rest.get(..length)?;
        let plain: String = serde_json::from_str(&format!("\"{escaped}\"")).ok()?;
        Some((plain, length))
    })
}

/// The same of a single-quoted text.
fn unescape_single(rest: &str) -> Option<(String, usize)> {
    let first = rest.chars().next()?;
    let bytes = if first == '\'' { 2 } else { first.len_utf8() };
    Some((first.to_string(), bytes))
}
