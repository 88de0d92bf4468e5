//! Replaces ranges of a text, also of a text that is embedded in another.
//!
//! In: a text, and edits of it. Out: the edited text. JSON or YAML in a scalar of another document is an [`EmbeddedText`]:
//! its edits are translated to edits of the outer text.

use super::spanned::{Content, Quoting, SpannedNode, line_end, line_start, newline};
use crate::plugin;
use llm_canary::config::json::parse_of_any_length;
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
///
/// Of JSON, the blanks and line breaks between tokens are those that one sees in the outer text, also where YAML reads
/// others: YAML folds lines, and JSON does not mind. Any other text is exactly what YAML reads.
pub(super) struct EmbeddedText {
    pub(super) text: String,
    /// The offset of each byte in the outer text, and of the end.
    offsets: Vec<usize>,
    /// What begins a line in the outer text.
    line_break: String,
    escaping: Escaping,
}

/// How the outer text escapes the inner one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Escaping {
    /// A block: nothing is escaped.
    None,
    /// A block that joins lines. Between two lines that are not indented, a line break is written twice.
    Folded,
    /// Double quotes with YAML's escapes; those of JSON are among them.
    DoubleQuotes {
        /// Line breaks are escaped as well.
        breaks: bool,
        /// The outer text has several lines, and drops the blanks around their ends.
        trims: bool,
    },
    /// Single quotes, doubled inside.
    SingleQuotes,
}

impl EmbeddedText {
    /// The text of a scalar; `None` if the scalar cannot be edited.
    pub(super) fn new(outer: &str, scalar: &SpannedNode) -> Option<Self> {
        let Content::Scalar { text, quoting } = &scalar.content else { return None };
        let is_json = plugin::is_json(text.as_bytes());
        let embedded = match quoting {
            Quoting::Literal => Self::block(outer, &scalar.span, text, false)?,
            Quoting::Folded => Self::block(outer, &scalar.span, text, true)?,
            Quoting::Double => Self::quoted(outer, &scalar.span, is_json, unescape_double)?,
            Quoting::Single => Self::quoted(outer, &scalar.span, is_json, unescape_single)?,
            // A plain text holds neither a brace at its beginning nor a colon with a blank.
            Quoting::Plain => return None,
        };
        // The parser is right. If it reads another value, this code does not know the notation.
        let read = |json: &str| parse_of_any_length(json.as_bytes()).ok();
        let is_same = if is_json {
            read(&embedded.text)? == read(text)?
        } else {
            embedded.text.trim_end_matches('\n') == text.trim_end_matches('\n')
        };
        is_same.then_some(embedded)
    }

    /// Translates an edit of the inner text to an edit of the outer one.
    pub(super) fn to_outer(&self, edit: &TextEdit) -> Option<TextEdit> {
        let offset = |at: usize| self.offsets.get(at).copied();
        let text = match self.escaping {
            Escaping::DoubleQuotes { breaks: true, trims } => match edit.text.strip_prefix(' ') {
                Some(rest) if trims => format!("\\ {}", escaped(rest)?),
                _ => escaped(&edit.text)?,
            },
            Escaping::DoubleQuotes { breaks: false, .. } => {
                let line = |line: &str| {
                    let content = line.trim_start_matches([' ', '\t']);
                    Some(format!("{}{}", line.strip_suffix(content)?, escaped(content)?))
                };
                edit.text.split('\n').map(line).collect::<Option<Vec<_>>>()?.join(&self.line_break)
            }
            Escaping::SingleQuotes => edit.text.replace('\'', "''").replace('\n', &self.line_break),
            Escaping::Folded => self.folded(edit)?,
            Escaping::None => edit.text.replace('\n', &self.line_break),
        };
        Some(TextEdit { range: offset(edit.range.start)?..offset(edit.range.end)?, text })
    }

    /// The text of an edit within a block that joins lines.
    fn folded(&self, edit: &TextEdit) -> Option<String> {
        let before = self.text.get(line_start(&self.text, edit.range.start)..edit.range.start)?;
        let after = self.text.get(edit.range.end..)?;
        let whole = format!("{before}{}{}", edit.text, after.split('\n').next().unwrap_or_default());
        let mut folded = String::new();
        let (mut lines, mut edited) = (whole.split('\n').peekable(), edit.text.split('\n'));
        while let (Some(line), Some(part)) = (lines.next(), edited.next()) {
            folded.push_str(part);
            if let Some(next) = lines.peek() {
                let is_doubled = is_joined(line) && (is_joined(next) || next.is_empty());
                folded.push_str(if is_doubled { newline(&self.line_break) } else { "" });
                folded.push_str(&self.line_break);
            }
        }
        Some(folded)
    }

    /// A literal block, or one that folds lines; the parser read it as `read`.
    fn block(outer: &str, span: &Range<usize>, read: &str, folds: bool) -> Option<Self> {
        let is_json = plugin::is_json(read.as_bytes());
        let next_line = |at: usize| outer.get(at..)?.find('\n').map(|newline| at + newline + 1);
        let blanks = |line: &str| line.len() - line.trim_start_matches(' ').len();
        let is_filled = |line: &&str| !line.trim().is_empty();
        let first = line_start(outer, span.start);
        // The parser knows the indentation, which may be less than that of the first line: "value: |2".
        let indent = blanks(outer.get(first..)?.lines().find(is_filled)?)
            .checked_sub(blanks(read.lines().find(is_filled)?))?;
        let mut lines = Vec::new();
        let mut line = first;
        while line < span.end {
            let end = line_end(outer, line);
            let whole = outer.get(line..end)?;
            lines.push((end, whole.get(indent.min(blanks(whole))..)?));
            line = next_line(line).unwrap_or(outer.len());
        }
        let mut view = View::new(is_json);
        let mut rest = lines.as_slice();
        while let Some((&(end, content), after)) = rest.split_first() {
            rest = after;
            let start = end - content.len();
            content.char_indices().for_each(|(at, c)| view.push(c, start + at));
            // A line break within a string of JSON is folded.
            if is_json {
                view.push(if view.strings.is_inside { ' ' } else { '\n' }, end);
                continue;
            }
            let next = || after.iter().map(|(_, next)| *next).find(|next| !next.is_empty());
            if !(folds && is_joined(content) && next().is_some_and(is_joined)) {
                view.push('\n', end);
            } else if after.first().is_some_and(|(_, next)| !next.is_empty()) {
                view.push(' ', end);
            }
        }
        let line_break = format!("{}{}", newline(outer), " ".repeat(indent));
        let escaping = if folds && !is_json { Escaping::Folded } else { Escaping::None };
        Some(view.finish(span.end, line_break, escaping))
    }

    /// A quoted text, in one line or in several. `unescape` returns the first character, and the bytes that write it.
    fn quoted(
        outer: &str,
        span: &Range<usize>,
        is_json: bool,
        unescape: fn(&str) -> Option<(char, usize)>,
    ) -> Option<Self> {
        let end = span.end.checked_sub(1)?;
        let is_double = outer.get(span.start..)?.starts_with('"');
        let (mut view, mut breaks, mut escapes_breaks) = (View::new(is_json), false, false);
        let mut at = span.start + 1;
        while at < end {
            let rest = outer.get(at..end)?;
            // YAML drops the blanks around a line break.
            let after_blanks = rest.trim_start_matches([' ', '\t']);
            let continued = rest.strip_prefix('\\').filter(|_| is_double);
            if let Some(next) = continued.and_then(after_line_break) {
                // Empty lines after an escaped break are line breaks.
                let content = end - next.trim_start().len();
                let empty = outer.get(at..content)?.matches('\n').count() - 1;
                (0..empty).for_each(|_| view.push('\n', at));
                at = content;
            } else if let Some(next) = after_line_break(after_blanks) {
                let content = end - next.trim_start().len();
                let line = line_start(outer, content);
                breaks |= !view.strings.is_inside;
                if !is_json {
                    let empty = outer.get(at..content)?.matches('\n').count() - 1;
                    (0..empty).for_each(|_| view.push('\n', at));
                    if empty == 0 {
                        view.push(' ', at);
                    }
                } else if view.strings.is_inside {
                    view.push(' ', at);
                } else {
                    view.push('\n', at);
                    outer
                        .get(line..content)?
                        .char_indices()
                        .for_each(|(blank, c)| view.push(c, line + blank));
                }
                at = content;
            } else {
                let (plain, bytes) = unescape(rest)?;
                escapes_breaks |= plain == '\n';
                view.push(plain, at);
                at += bytes;
            }
        }
        let line_break = match (is_json, breaks) {
            // One break would be folded.
            (false, _) => newline(outer).repeat(2),
            (true, true) => newline(outer).to_owned(),
            // In one line there is nowhere to break it but by an escape.
            (true, false) => " ".to_owned(),
        };
        let escaping = if is_double {
            let trims = line_start(outer, span.start) != line_start(outer, span.end);
            Escaping::DoubleQuotes { breaks: !is_json || escapes_breaks || !breaks, trims }
        } else {
            Escaping::SingleQuotes
        };
        Some(view.finish(end, line_break, escaping))
    }
}

/// Whether a block that joins lines joins this one.
fn is_joined(line: &str) -> bool {
    !line.is_empty() && !line.starts_with([' ', '\t'])
}

/// A text as it stands between double quotes.
fn escaped(text: &str) -> Option<String> {
    let quoted = serde_json::to_string(text).ok()?;
    Some(quoted.get(1..quoted.len().checked_sub(1)?)?.to_owned())
}

/// An embedded text, as far as it has been read.
struct View {
    text: String,
    offsets: Vec<usize>,
    is_json: bool,
    strings: JsonStrings,
}

impl View {
    fn new(is_json: bool) -> Self {
        Self { text: String::new(), offsets: Vec::new(), is_json, strings: JsonStrings::default() }
    }

    fn push(&mut self, c: char, offset: usize) {
        if self.is_json {
            self.strings.push(c);
        }
        self.text.push(c);
        self.offsets.extend(std::iter::repeat_n(offset, c.len_utf8()));
    }

    fn finish(mut self, end: usize, line_break: String, escaping: Escaping) -> EmbeddedText {
        self.offsets.push(end);
        EmbeddedText { text: self.text, offsets: self.offsets, line_break, escaping }
    }
}

/// Whether a place in JSON is inside of a string.
#[derive(Default)]
struct JsonStrings {
    is_inside: bool,
    is_escaped: bool,
}

impl JsonStrings {
    /// Goes past the next character.
    fn push(&mut self, c: char) {
        if self.is_escaped {
            self.is_escaped = false;
        } else if c == '"' {
            self.is_inside = !self.is_inside;
        } else {
            self.is_escaped = self.is_inside && c == '\\';
        }
    }
}

/// JSON without the white space between its tokens.
pub(super) fn compact(json: &str) -> String {
    let mut strings = JsonStrings::default();
    let is_kept = |c: &char| {
        strings.push(*c);
        strings.is_inside || !c.is_ascii_whitespace()
    };
    json.chars().filter(is_kept).collect()
}

/// What follows a line break; `None` if a text does not begin with one.
fn after_line_break(text: &str) -> Option<&str> {
    text.strip_prefix("\r\n").or_else(|| text.strip_prefix('\n'))
}

/// The first character of a double-quoted text, and the number of bytes that write it.
fn unescape_double(rest: &str) -> Option<(char, usize)> {
    let first = rest.chars().next()?;
    if first != '\\' {
        return Some((first, first.len_utf8()));
    }
    let escape = rest.chars().nth(1)?;
    let hexadecimal = |digits: usize| {
        let code = u32::from_str_radix(rest.get(2..2 + digits)?, 16).ok()?;
        Some((char::from_u32(code)?, 2 + digits))
    };
    let plain = match escape {
        '0' => '\0',
        'a' => '\u{7}',
        'b' => '\u{8}',
        't' | '\t' => '\t',
        'n' => '\n',
        'v' => '\u{b}',
        'f' => '\u{c}',
        'r' => '\r',
        'e' => '\u{1b}',
        ' ' | '"' | '/' | '\\' => escape,
        'N' => '\u{85}',
        '_' => '\u{a0}',
        'L' => '\u{2028}',
        'P' => '\u{2029}',
        'x' => return hexadecimal(2),
        'U' => return hexadecimal(8),
        // JSON writes a character beyond U+FFFF as two escapes.
        'u' => return hexadecimal(4).or_else(|| Some((surrogates(rest.get(..12)?)?, 12))),
        _ => return None,
    };
    Some((plain, 2))
}

/// The character that two escapes of JSON stand for.
fn surrogates(escapes: &str) -> Option<char> {
    let plain: String = serde_json::from_str(&format!("\"{escapes}\"")).ok()?;
    plain.chars().next()
}

/// The same of a single-quoted text.
fn unescape_single(rest: &str) -> Option<(char, usize)> {
    let first = rest.chars().next()?;
    Some((first, if first == '\'' { 2 } else { first.len_utf8() }))
}
