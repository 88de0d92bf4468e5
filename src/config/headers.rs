//! Names and values of headers and cookies in a configuration.
//!
//! In: nodes. Out: names and values that HTTP allows, and no header that the filter sets itself.

use super::HEADERS_MAX;
use super::json::Node;
use super::validator::{Empty, Validator};
use super::words::quoted;
use crate::headers::{HeaderName, HeaderNameError};
use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

/// A header the filter reads from the request.
pub(super) fn input_header(r: &mut Validator<'_>, node: &Node) -> Option<HeaderName> {
    let text = r.string(node)?;
    checked_input_header(r, node, text)
}

pub(super) fn checked_input_header(r: &mut Validator<'_>, node: &Node, text: &str) -> Option<HeaderName> {
    let remedy = "is set by the filter, which removes a client's own value first; use another header";
    free_header(r, node, text, HeaderName::new(text), remedy)
}

/// A header the filter sets beside its own.
pub(super) fn output_header(r: &mut Validator<'_>, node: &Node, text: &str) -> Option<HeaderName> {
    let remedy = "is set by the filter already; use another header";
    free_header(r, node, text, HeaderName::for_output(text), remedy)
}

/// A header's name, unless it is none, or one of the filter's own.
pub(super) fn free_header(
    r: &mut Validator<'_>,
    node: &Node,
    text: &str,
    name: Result<HeaderName, HeaderNameError>,
    remedy: &str,
) -> Option<HeaderName> {
    match name {
        Ok(name) if !r.removed.contains(&name) => return Some(name),
        Ok(_) => r.error(node, format_args!("{} {remedy}", quoted(text))),
        Err(error) => r.error(node, format_args!("{} {error}", quoted(text))),
    }
    None
}

/// Headers, each once, with their values. `check` says what their names may be.
pub(super) fn headers(
    r: &mut Validator<'_>,
    node: &Node,
    check: fn(&mut Validator<'_>, &Node, &str) -> Option<HeaderName>,
) -> Option<Vec<(HeaderName, String)>> {
    let members = r.members(node)?;
    r.is_within(node, members.len(), HEADERS_MAX, "headers")?;
    let mut headers = Vec::new();
    for (i, (name, node)) in members.iter().enumerate() {
        // The same spelling twice has been noted already.
        let mut earlier = members.iter().take(i).map(|(earlier, _)| earlier);
        if let Some(other) = earlier.find(|other| *other != name && other.eq_ignore_ascii_case(name)) {
            r.error(node, format_args!("is the same header as {}; keep one", quoted(other)));
        }
        let header = check(r, node, name);
        headers.extend(header.zip(header_value(r, node)));
    }
    Some(headers)
}

/// A value that a header can have.
pub(super) fn header_value(r: &mut Validator<'_>, node: &Node) -> Option<String> {
    let value = r.text(node, Empty::Refused)?;
    if value.trim_ascii() != value || value.contains(is_control) {
        let value = quoted(value);
        let remedy = "these have no spaces around them and no control characters";
        r.error(node, format_args!("{value} is no header's value; {remedy}"));
        return None;
    }
    Some(value.to_owned())
}

fn is_control(c: char) -> bool {
    c < ' ' || ('\x7f'..'\u{a0}').contains(&c)
}

pub(super) fn cookie_name(r: &mut Validator<'_>, node: &Node) -> Option<String> {
    let name = r.text(node, Empty::Refused)?;
    // Character by character here too: searching a text for any character is two kilobytes of code.
    let is_separator = |c: char| "()<>@,;:\\\"/[]?={}".chars().any(|separator| separator == c);
    if let Some(c) = name.chars().find(|&c| !c.is_ascii_graphic() || is_separator(c)) {
        let c = c.escape_default();
        r.error(node, format_args!("{} is not a cookie name because of '{c}'", quoted(name)));
        return None;
    }
    Some(name.to_owned())
}
