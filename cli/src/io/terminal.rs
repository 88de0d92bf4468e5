//! What standard output is: a terminal of some width, or a file.

use crate::table::Canvas;
use std::env;
use std::io::{self, IsTerminal};
use terminal_size::{Width, terminal_size_of};

/// Narrower terminals are written to as if they had this width.
const WIDTH_MIN: usize = 40;

/// Whether standard error is a terminal, where a line can be written anew.
pub(crate) fn is_error_terminal() -> bool {
    let is_dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
    io::stderr().is_terminal() && !is_dumb
}

/// What is known of standard output now; a terminal's width may change.
pub(crate) fn canvas() -> Canvas {
    let is_terminal = io::stdout().is_terminal();
    let is_set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
    let is_dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
    let width = if is_terminal { terminal_size_of(io::stdout()) } else { None };
    Canvas {
        width: width.map(|(Width(width), _)| usize::from(width).max(WIDTH_MIN)),
        // https://no-color.org
        has_colour: is_terminal && !is_set("NO_COLOR") && !is_dumb,
        is_terminal: is_terminal && !is_dumb,
    }
}
