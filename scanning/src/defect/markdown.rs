//! Where text is: in prose, in a code span, or in a fenced block of code.
//!
//! In: text in any pieces. Out: the same text in segments of one place each. A segment does not reach beyond its line.
//! This is a small part of CommonMark, as models write it: a code span ends with its line at the latest, a fence may
//! follow a list marker or a quotation mark, and what is not closed stays open.

use super::marks::Marks;
use crate::word;

/// Where a segment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Text,
    /// In a code span, with its backticks.
    Span,
    /// In a fenced block, with its fences.
    Fence,
}

/// Bytes of one line that are in one place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment<'t> {
    /// They are the last of these, and begin at `start`.
    pub(super) text: &'t [u8],
    pub(super) start: usize,
    pub(super) place: Place,
    pub(super) is_ascii: bool,
}

impl<'t> Segment<'t> {
    pub(super) fn bytes(&self) -> &'t [u8] {
        self.text.get(self.start..).unwrap_or_default()
    }

    pub(super) fn ends_line(&self) -> bool {
        self.text.last() == Some(&b'\n')
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum At {
    /// Before the first byte of a line that is no white space.
    #[default]
    LineStart,
    /// In backticks or tildes at the beginning of a line.
    Fence,
    /// In backticks inside a line.
    Ticks,
    InLine,
}

/// The state between two bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Markdown {
    at: At,
    /// The length of the current run of backticks or tildes, and which of them. Saturates.
    run: u8,
    run_byte: u8,
    /// Backticks that opened the code span; 0 outside.
    span: u8,
    /// The run that opened the fence; 0 outside.
    fence: u8,
    fence_byte: u8,
    /// In the line that opened the fence.
    in_info: bool,
    /// Spaces at the beginning of the line; a tab counts four. Saturates.
    indent: u8,
}

/// A line that is indented so far is code, or deep in a list.
const INDENT_CODE: u8 = 4;

impl Markdown {
    /// Where the segment ends that begins at `start` in these bytes, and its place. `marks` are theirs. `None` if there are no
    /// bytes.
    #[inline(always)]
    pub(super) fn segment(&mut self, bytes: &[u8], start: usize, marks: &Marks) -> Option<(Place, usize)> {
        let first = *bytes.get(start)?;
        let end = self.end(bytes, start, marks);
        let is_usual = match self.at {
            At::LineStart => !matches!(first, b' ' | b'\t' | b'>' | b'\r' | b'`' | b'~'),
            At::InLine => end > start,
            At::Fence | At::Ticks => false,
        };
        if !is_usual {
            return self.any_segment(bytes, start, marks);
        }
        if first != b'\n' {
            self.at = At::InLine;
        }
        let place = self.place();
        let end = end.min(bytes.len());
        if bytes.get(..end)?.last() == Some(&b'\n') {
            self.end_line();
        }
        Some((place, end))
    }

    /// The same, wherever the segment begins: also at white space or backticks.
    #[inline(never)]
    fn any_segment(&mut self, bytes: &[u8], start: usize, marks: &Marks) -> Option<(Place, usize)> {
        let rest = bytes.get(start..)?;
        let first = *rest.first()?;
        let (place, end) = match self.at {
            At::LineStart => {
                let indent = self.indent(rest);
                let end = start.saturating_add(indent);
                let place = self.place();
                match rest.get(indent) {
                    Some(b'`' | b'~') if indent == 0 => {
                        (self.at, self.run, self.run_byte) = (At::Fence, 0, first);
                        return self.any_segment(bytes, start, marks);
                    }
                    None | Some(b'`' | b'~') => (place, end),
                    Some(b'\n') => (place, end.saturating_add(1)),
                    Some(_) => {
                        self.at = At::InLine;
                        // What is far in is code, but not the white space before it.
                        match self.place() == place || indent == 0 {
                            true => (self.place(), self.end(bytes, end, marks)),
                            false => (place, end),
                        }
                    }
                }
            }
            At::Fence | At::Ticks => {
                let length = rest.iter().take_while(|byte| **byte == self.run_byte).count();
                if length == 0 {
                    self.end_run(first);
                    return self.any_segment(bytes, start, marks);
                }
                self.run = self.run.saturating_add(u8::try_from(length).unwrap_or(u8::MAX));
                (if self.fence > 0 { Place::Fence } else { Place::Span }, start.saturating_add(length))
            }
            At::InLine => {
                let end = self.end(bytes, start, marks);
                if end == start {
                    (self.at, self.run, self.run_byte) = (At::Ticks, 0, first);
                    return self.any_segment(bytes, start, marks);
                }
                (self.place(), end)
            }
        };
        let end = end.min(bytes.len());
        if bytes.get(..end)?.last() == Some(&b'\n') {
            self.end_line();
        }
        Some((place, end))
    }

    /// White space at the beginning of a line: how many bytes.
    fn indent(&mut self, bytes: &[u8]) -> usize {
        let mut rest = bytes;
        loop {
            let spaces = word::run(rest, b' ');
            self.indent = self.indent.saturating_add(u8::try_from(spaces).unwrap_or(u8::MAX));
            self.indent = match rest.get(spaces) {
                Some(b'\t') => self.indent.saturating_add(INDENT_CODE),
                Some(b'>' | b'\r') => 0,
                _ => return bytes.len().saturating_sub(rest.len()).saturating_add(spaces),
            };
            rest = rest.get(spaces.saturating_add(1)..).unwrap_or_default();
        }
    }

    /// Where the line ends, or backticks begin if these mean something. Beyond the last byte if that is not in these.
    #[inline]
    fn end(&self, bytes: &[u8], from: usize, marks: &Marks) -> usize {
        let is_fenced = self.fence > 0 && !self.in_info;
        let stop = if is_fenced { marks.line_ends } else { marks.stops }.next(from);
        if bytes.get(stop) == Some(&b'`') { stop } else { stop.saturating_add(1) }
    }

    /// Whether the text ends in code that was not closed.
    pub(super) fn is_open(mut self) -> bool {
        if matches!(self.at, At::Fence | At::Ticks) {
            self.end_run(b'\n');
        }
        self.place() != Place::Text
    }

    fn place(&self) -> Place {
        match (self.fence, self.span) {
            (0, 0) if self.indent < INDENT_CODE || self.at == At::LineStart => Place::Text,
            (0, _) => Place::Span,
            _ => Place::Fence,
        }
    }

    /// A run of backticks or tildes has ended; `next` follows.
    fn end_run(&mut self, next: u8) {
        let at = core::mem::replace(&mut self.at, At::InLine);
        if self.fence > 0 && self.in_info {
            // The fence was a code span of its line, which ends here.
            (self.fence, self.in_info) = (0, false);
        } else if self.fence > 0 {
            let is_long = self.run_byte == self.fence_byte && self.run >= self.fence;
            if at == At::Fence && is_long && matches!(next, b'\n' | b'\r' | b' ' | b'\t') {
                self.fence = 0;
            }
        } else if at == At::Fence && self.run >= 3 {
            (self.fence, self.fence_byte, self.in_info) = (self.run, self.run_byte, true);
        } else if self.run_byte != b'`' {
        } else if self.span == 0 {
            self.span = self.run;
        } else if self.span == self.run {
            self.span = 0;
        }
    }

    fn end_line(&mut self) {
        if self.fence == 0 && self.span >= 3 {
            // A fence behind a list marker.
            (self.fence, self.fence_byte) = (self.span, b'`');
        }
        (self.at, self.span, self.in_info, self.indent) = (At::LineStart, 0, false, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::super::marks::MARKED_BYTES;
    use super::*;
    use proptest::prelude::*;

    fn places(pieces: &[&[u8]]) -> Vec<(Place, u8)> {
        let mut markdown = Markdown::default();
        let mut places = Vec::new();
        for piece in pieces {
            for block in piece.chunks(MARKED_BYTES) {
                let (marks, mut start) = (Marks::of(block), 0);
                while let Some((place, end)) = markdown.segment(block, start, &marks) {
                    assert!(start < end);
                    places.extend(block[start..end].iter().map(|&byte| (place, byte)));
                    start = end;
                }
                assert_eq!(start, block.len());
            }
        }
        places
    }

    /// The text with `T`, `S` or `F` for each byte that is a lower-case letter.
    fn marked(text: &str) -> String {
        let mark = |(place, byte): (Place, u8)| match place {
            _ if !byte.is_ascii_lowercase() => char::from(byte),
            Place::Text => 'T',
            Place::Span => 'S',
            Place::Fence => 'F',
        };
        places(&[text.as_bytes()]).into_iter().map(mark).collect()
    }

    #[test]
    fn code_is_told_from_text() {
        for (text, expected) in [
            ("a `b` c", "T `S` T"),
            ("a ``b`c`` d", "T ``S`S`` T"),
            ("a `b\nc", "T `S\nT"),
            ("a\n```b\nc\n```\nd", "T\n```F\nF\n```\nT"),
            ("```\na\n``\n````\nb", "```\nF\n``\n````\nT"),
            ("~~~a\n```\nb\n~~~\nc", "~~~F\n```\nF\n~~~\nT"),
            ("> ```a\n> b\n> ```\n> c", "> ```F\n> F\n> ```\n> T"),
            ("1. ```a\n   b\n   ```\nc", "1. ```S\n   F\n   ```\nT"),
            ("```a``` b", "```F``` T"),
            ("a\n    b\n\tc\n  d", "T\n    S\n\tS\n  T"),
            ("1. a\n    ```\n    b\n    ```\nc", "1. T\n    ```\n    F\n    ```\nT"),
            ("```\na\n```b\nc\n```\nd", "```\nF\n```F\nF\n```\nT"),
        ] {
            assert_eq!(marked(text), expected, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn places_do_not_depend_on_pieces(text in "[a`~\n >]{0,60}", cut: prop::sample::Index) {
            let bytes = text.as_bytes();
            let (a, b) = bytes.split_at(cut.index(bytes.len() + 1));
            prop_assert_eq!(places(&[a, b]), places(&[bytes]));
            prop_assert_eq!(places(&bytes.chunks(1).collect::<Vec<_>>()), places(&[bytes]));
        }
    }
}
