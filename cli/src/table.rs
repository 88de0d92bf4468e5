//! Tables of text that fit the width of what they are printed on.
//!
//! In: cells, and how wide the lines may be. Out: lines. Where not all columns fit, the least important are left out.

/// What a text is printed on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Canvas {
    /// Characters of a line; `None`: any number.
    pub(crate) width: Option<usize>,
    /// Whether colours are wanted.
    pub(crate) has_colour: bool,
    /// Whether it is a terminal, where lines can be written anew.
    pub(crate) is_terminal: bool,
}

/// How a text is meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tone {
    #[default]
    Plain,
    /// In order.
    Good,
    /// Open.
    Open,
    /// Not in order.
    Bad,
    /// Beside the point.
    Faint,
}

/// One cell.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cell {
    pub(crate) text: String,
    pub(crate) tone: Tone,
}

/// One column.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column<'t> {
    pub(crate) heading: &'t str,
    /// Whether numbers stand in it.
    pub(crate) is_right: bool,
    /// Columns with a larger rank are left out first; those of rank 0 always stay.
    pub(crate) rank: u8,
}

/// Between columns.
const GAP: usize = 2;

impl Canvas {
    /// The text with the colour of its tone.
    pub(crate) fn paint(&self, text: &str, tone: Tone) -> String {
        let code = match tone {
            Tone::Plain => return text.to_owned(),
            Tone::Good => "32",
            Tone::Open => "33",
            Tone::Bad => "1;31",
            Tone::Faint => "2",
        };
        if self.has_colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// A text in lines that fit; all but the first begin with so many blanks.
    pub(crate) fn wrap(&self, text: &str, indent: usize) -> String {
        let Some(width) = self.width else { return text.to_owned() };
        let mut lines = vec![String::new()];
        // Blanks at the beginning are an indentation.
        let start = text.len() - text.trim_start_matches(' ').len();
        for (index, word) in text.trim_start_matches(' ').split(' ').enumerate() {
            let Some(line) = lines.last_mut() else { break };
            let is_full = line.chars().count() + 1 + word.chars().count() > width;
            if index == 0 {
                *line = " ".repeat(start) + word;
            } else if is_full {
                lines.push(" ".repeat(indent) + word);
            } else {
                line.push(' ');
                line.push_str(word);
            }
        }
        lines.join("\n")
    }
}

impl Cell {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self::of(text, Tone::Plain)
    }

    pub(crate) fn of(text: impl Into<String>, tone: Tone) -> Self {
        Self { text: text.into(), tone }
    }
}

/// What stands where nothing is known.
pub(crate) const NONE: &str = "-";

/// The lines of a table, with its headings first. Columns without any text are left out, and those of which nothing is known, if they
/// may be.
pub(crate) fn lines(columns: &[Column<'_>], rows: &[Vec<Cell>], canvas: &Canvas) -> Vec<String> {
    let width = |index: usize, column: &Column<'_>| {
        let texts = || rows.iter().filter_map(|row| row.get(index)).map(|cell| cell.text.as_str());
        let is_known = texts().any(|text| !text.is_empty() && (column.rank == 0 || text != NONE));
        texts().map(|text| text.chars().count()).max().filter(|_| is_known)
    };
    let mut shown: Vec<(usize, &Column<'_>, usize)> = columns
        .iter()
        .enumerate()
        .filter_map(|(index, column)| {
            Some((index, column, width(index, column)?.max(column.heading.chars().count())))
        })
        .collect();
    let is_too_wide = |shown: &[(usize, &Column<'_>, usize)]| {
        let all: usize = shown.iter().map(|(_, _, width)| width + GAP).sum();
        canvas.width.is_some_and(|width| all > width + GAP)
    };
    while is_too_wide(&shown) {
        let ranks = shown.iter().enumerate().map(|(place, (_, column, _))| (column.rank, place));
        match ranks.max().filter(|(rank, _)| *rank > 0) {
            Some((_, place)) => shown.remove(place),
            None => break,
        };
    }
    let line = |cell: &dyn Fn(usize, &Column<'_>) -> Cell| {
        let mut line = String::new();
        for (place, (index, column, width)) in shown.iter().enumerate() {
            let Cell { text, tone } = cell(*index, column);
            let blanks = " ".repeat(width.saturating_sub(text.chars().count()));
            let text = canvas.paint(&text, tone);
            line.push_str(if place > 0 { "  " } else { "" });
            line.push_str(&if column.is_right { blanks + &text } else { text + &blanks });
        }
        line.trim_end().to_owned()
    };
    let heading = line(&|_, column| Cell::of(column.heading, Tone::Faint));
    let body = rows.iter().map(|row| line(&|index, _| row.get(index).cloned().unwrap_or_default()));
    std::iter::once(heading).chain(body).collect()
}

#[cfg(test)]
mod tests {
    use super::{Canvas, Cell, Column, Tone, lines};

    const COLUMNS: [Column<'static>; 5] = [
        Column { heading: "name", is_right: false, rank: 0 },
        Column { heading: "a number", is_right: true, rank: 1 },
        Column { heading: "nothing", is_right: false, rank: 0 },
        Column { heading: "note", is_right: false, rank: 2 },
        Column { heading: "unknown", is_right: false, rank: 1 },
    ];

    fn table(width: Option<usize>, has_colour: bool) -> String {
        let row = |name: &str, number: &str, note: &str| {
            let unknown = Cell::new(super::NONE);
            vec![Cell::new(name), Cell::new(number), Cell::new(""), Cell::of(note, Tone::Bad), unknown]
        };
        let canvas = Canvas { width, has_colour, is_terminal: false };
        lines(&COLUMNS, &[row("one", "1", "first"), row("hundred", "1∞0", "")], &canvas).join("\n")
    }

    #[test]
    fn columns_are_left_out_where_they_do_not_fit() {
        let all = "name     a number  note\none             1  first\nhundred       1∞0";
        assert_eq!(table(None, false), all);
        assert_eq!(table(Some(24), false), all);
        assert_eq!(table(Some(23), false), "name     a number\none             1\nhundred       1∞0");
        assert_eq!(table(Some(16), false), "name\none\nhundred");
        assert_eq!(table(Some(0), false), "name\none\nhundred");
        assert!(table(None, true).contains("\x1b[1;31mfirst\x1b[0m"));
    }

    #[test]
    fn lines_are_wrapped_between_words() {
        let wrap =
            |width| Canvas { width, ..Canvas::default() }.wrap("  a few words and averyveryverylongone", 4);
        assert_eq!(wrap(None), "  a few words and averyveryverylongone");
        assert_eq!(wrap(Some(12)), "  a few\n    words\n    and\n    averyveryverylongone");
        assert_eq!(Canvas { width: Some(3), ..Canvas::default() }.wrap("", 4), "");
    }
}
