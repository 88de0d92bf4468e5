//! Changes of a text that leave the rest of it alone, and texts within texts.
//!
//! In: a text, and a scalar of it that holds another text, such as JSON in a block of YAML. Out: that
//! text, and its changes as changes of the outer one.

use super::tree::{Kind, Style, Tree, line_end, line_start, newline};
use std::ops::Range;

/// A range of a text, and what stands there instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Splice {
    pub(super) range: Range<usize>,
    pub(super) text: String,
}

impl Splice {
    pub(super) fn insert(at: usize, text: String) -> Self {
        Self { range: at..at, text }
    }
}

/// The text after changes that do not overlap; `None` where they do, or do not fit.
pub(super) fn apply(text: &str, mut splices: Vec<Splice>) -> Option<String> {
    splices.sort_by_key(|splice| splice.range.start);
    let (mut changed, mut at) = (String::with_capacity(text.len()), 0);
    for splice in splices {
        changed.push_str(text.get(at..splice.range.start)?);
        changed.push_str(&splice.text);
        at = splice.range.end;
    }
    changed.push_str(text.get(at..)?);
    Some(changed)
}

/// A text that stands in a scalar of another.
pub(super) struct Embedded {
    pub(super) text: String,
    /// Where each of its bytes stands in the outer text, and where it ends.
    places: Vec<usize>,
    written: Written,
}

/// How the outer text writes what is put into the inner.
enum Written {
    /// Each line behind these blanks.
    Block { newline: &'static str, indent: String },
    /// With JSON's escapes, which are YAML's too.
    Double,
    /// Quotes doubled; line breaks cannot be written.
    Single,
}

impl Embedded {
    /// The text of a scalar; `None` where it is written in a way that is not edited.
    pub(super) fn new(outer: &str, scalar: &Tree) -> Option<Self> {
        let Kind::Scalar { text, style } = &scalar.kind else { return None };
        let embedded = match style {
            Style::Literal => Self::block(outer, &scalar.span)?,
            Style::Double => Self::quoted(outer, &scalar.span, double, Written::Double)?,
            Style::Single => Self::quoted(outer, &scalar.span, single, Written::Single)?,
            Style::Plain | Style::Other => return None,
        };
        // What the parser reads is the truth; a difference is a way of writing that is not known here.
        let same = embedded.text.trim_end_matches('\n') == text.trim_end_matches('\n');
        same.then_some(embedded)
    }

    /// A change of the inner text as one of the outer.
    pub(super) fn outward(&self, splice: &Splice) -> Option<Splice> {
        let place = |at: usize| self.places.get(at).copied();
        let text = match &self.written {
            Written::Block { newline, indent } => splice.text.replace('\n', &format!("{newline}{indent}")),
            Written::Double => {
                let quoted = serde_json::to_string(&splice.text).ok()?;
                quoted.get(1..quoted.len().checked_sub(1)?)?.to_owned()
            }
            Written::Single if splice.text.contains('\n') => return None,
            Written::Single => splice.text.replace('\'', "''"),
        };
        Some(Splice { range: place(splice.range.start)?..place(splice.range.end)?, text })
    }

    fn block(outer: &str, span: &Range<usize>) -> Option<Self> {
        let next_line = |at: usize| outer.get(at..)?.find('\n').map(|newline| at + newline + 1);
        let mut line = line_start(outer, span.start);
        let mut indent = None;
        let (mut text, mut places) = (String::new(), Vec::new());
        while line < span.end {
            let end = line_end(outer, line);
            let whole = outer.get(line..end)?;
            let blanks = whole.len() - whole.trim_start_matches(' ').len();
            let indent = *indent.get_or_insert(blanks);
            let content = whole.get(indent.min(blanks)..)?;
            let start = end - content.len();
            text.push_str(content);
            places.extend(start..end);
            text.push('\n');
            places.push(end);
            line = next_line(line).unwrap_or(outer.len());
        }
        places.push(span.end);
        let indent = " ".repeat(indent?);
        Some(Self { text, places, written: Written::Block { newline: newline(outer), indent } })
    }

    fn quoted(
        outer: &str,
        span: &Range<usize>,
        unescape: fn(&str) -> Option<(String, usize)>,
        written: Written,
    ) -> Option<Self> {
        let end = span.end.checked_sub(1)?;
        let (mut text, mut places) = (String::new(), Vec::new());
        let mut at = span.start + 1;
        while at < end {
            let (plain, written_bytes) = unescape(outer.get(at..end)?)?;
            places.extend(std::iter::repeat_n(at, plain.len()));
            text.push_str(&plain);
            at += written_bytes;
        }
        places.push(end);
        // A quoted text over several lines is folded, and folding loses where a blank stood.
        let is_one_line = line_start(outer, span.start) == line_start(outer, span.end);
        is_one_line.then_some(Self { text, places, written })
    }
}

/// The first character of a doubly quoted text, and how many bytes it is written in.
fn double(rest: &str) -> Option<(String, usize)> {
    let first = rest.chars().next()?;
    if first != '\\' {
        return Some((first.to_string(), first.len_utf8()));
    }
    // A character past the first plane is two escapes in JSON.
    let lengths: &[usize] = if rest.as_bytes().get(1) == Some(&b'u') { &[6, 12] } else { &[2] };
    lengths.iter().find_map(|&length| {
        let escaped = rest.get(..length)?;
        let plain: String = serde_json::from_str(&format!("\"{escaped}\"")).ok()?;
        Some((plain, length))
    })
}

/// The same of a singly quoted one.
fn single(rest: &str) -> Option<(String, usize)> {
    let first = rest.chars().next()?;
    let doubled = first == '\'';
    Some((first.to_string(), if doubled { 2 } else { first.len_utf8() }))
}
