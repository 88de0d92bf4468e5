//! Checks the names and values of headers, and the names of cookies.

use super::HEADERS_MAX;
use super::json::Node;
use super::messages::quoted;
use super::validator::{Empty, Validator};
use crate::headers::{HeaderName, HeaderNameError};
use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

/// The name of a header that the filter reads from requests.
pub(super) fn input_header(v: &mut Validator<'_>, node: &Node) -> Option<HeaderName> {
    let text = v.string(node)?;
    input_header_name(v, node, text)
}

/// Like [`input_header`], for a name that is not the text of `node`, such as the key of an object.
pub(super) fn input_header_name(v: &mut Validator<'_>, node: &Node, text: &str) -> Option<HeaderName> {
    let remedy = "is set by the filter, which removes a client's own value first; use another header";
    free_header(v, node, text, HeaderName::new(text), remedy)
}

/// The name of a header that the filter sets, besides its own.
pub(super) fn output_header_name(v: &mut Validator<'_>, node: &Node, text: &str) -> Option<HeaderName> {
    let remedy = "is set by the filter already; use another header";
    free_header(v, node, text, HeaderName::for_output(text), remedy)
}

/// A valid header name, unless the filter sets this header itself.
fn free_header(
    v: &mut Validator<'_>,
    node: &Node,
    text: &str,
    name: Result<HeaderName, HeaderNameError>,
    remedy: &str,
) -> Option<HeaderName> {
    match name {
        Ok(name) if !v.own_headers.contains(&name) => return Some(name),
        Ok(_) => v.error(node, format_args!("{} {remedy}", quoted(text))),
        Err(error) => v.error(node, format_args!("{} {error}", quoted(text))),
    }
    None
}

/// An object of headers, each given once. `check` checks their names.
pub(super) fn headers(
    v: &mut Validator<'_>,
    node: &Node,
    check: fn(&mut Validator<'_>, &Node, &str) -> Option<HeaderName>,
) -> Option<Vec<(HeaderName, String)>> {
    let members = v.members(node)?;
    v.is_within(node, members.len(), HEADERS_MAX, "headers")?;
    let mut headers = Vec::new();
    for (i, (name, node)) in members.iter().enumerate() {
        // `members` has found names that are equal, so here they differ in case.
        let mut earlier = members.iter().take(i).map(|(earlier, _)| earlier);
        if let Some(other) = earlier.find(|other| *other != name && other.eq_ignore_ascii_case(name)) {
            v.error(node, format_args!("is the same header as {}; keep one", quoted(other)));
        }
        let header = check(v, node, name);
        headers.extend(header.zip(header_value(v, node)));
    }
    Some(headers)
}

/// A valid value of a header.
pub(super) fn header_value(v: &mut Validator<'_>, node: &Node) -> Option<String> {
    let value = v.text(node, Empty::Refused)?;
    if value.trim_ascii() != value || value.contains(is_control) {
        let value = quoted(value);
        let remedy = "write it without spaces around it and without control characters";
        v.error(node, format_args!("{value} is not a header value; {remedy}"));
        return None;
    }
    Some(value.to_owned())
}

fn is_control(c: char) -> bool {
    c < ' ' || ('\x7f'..'\u{a0}').contains(&c)
}

/// The name of a cookie (RFC 6265).
pub(super) fn cookie_name(v: &mut Validator<'_>, node: &Node) -> Option<String> {
    let name = v.text(node, Empty::Refused)?;
    // Each character on its own, because the standard library's search in a text is two kilobytes of code.
    let is_separator = |c: char| "()<>@,;:\\\"/[]?={}".chars().any(|separator| separator == c);
    if let Some(c) = name.chars().find(|&c| !c.is_ascii_graphic() || is_separator(c)) {
        let c = c.escape_default();
        v.error(node, format_args!("{} is not a cookie name because of '{c}'", quoted(name)));
        return None;
    }
    Some(name.to_owned())
}
