//! HTML in an answer.

use html5gum::{Token, Tokenizer};

/// Bytes of an answer that is looked at.
const BYTES_MAX: usize = 10 << 20;

const ELEMENTS: &[&str] = &[
    "html",
    "head",
    "title",
    "base",
    "link",
    "meta",
    "style",
    "body",
    "article",
    "section",
    "nav",
    "aside",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "footer",
    "address",
    "p",
    "hr",
    "pre",
    "blockquote",
    "ol",
    "ul",
    "li",
    "dl",
    "dt",
    "dd",
    "figure",
    "figcaption",
    "main",
    "div",
    "a",
    "em",
    "strong",
    "small",
    "s",
    "cite",
    "q",
    "dfn",
    "abbr",
    "ruby",
    "rt",
    "rp",
    "data",
    "time",
    "code",
    "var",
    "samp",
    "kbd",
    "sub",
    "sup",
    "i",
    "b",
    "u",
    "mark",
    "bdi",
    "bdo",
    "span",
    "br",
    "wbr",
    "img",
    "iframe",
    "embed",
    "object",
    "param",
    "picture",
    "source",
    "video",
    "audio",
    "track",
    "map",
    "area",
    "svg",
    "math",
    "script",
    "noscript",
    "canvas",
    "ins",
    "del",
    "table",
    "caption",
    "colgroup",
    "col",
    "tbody",
    "thead",
    "tfoot",
    "tr",
    "td",
    "th",
    "form",
    "label",
    "input",
    "button",
    "select",
    "datalist",
    "optgroup",
    "option",
    "textarea",
    "output",
    "progress",
    "meter",
    "fieldset",
    "legend",
    "details",
    "summary",
    "dialog",
    "menu",
    "slot",
    "template",
];
/// Elements that cannot hold anything.
const VOID: &[&str] = &[
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track",
    "wbr",
];
/// Elements in which text stands before them instead.
const TABULAR: &[&str] = &["table", "tbody", "thead", "tfoot", "tr", "colgroup"];
/// Elements that many texts have.
const COMMON: &[&str] = &[
    "html", "head", "body", "div", "span", "p", "a", "img", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol",
    "li", "table", "tr", "td", "th", "form", "input", "button", "script", "style", "link", "meta", "br",
    "hr",
];

/// Whether the whole text is HTML: elements, and no text outside of them.
pub(super) fn is_html(text: &str) -> bool {
    let text = crate::js::trim(text);
    let begins_as_xml = text.get(..5).is_some_and(|head| head.eq_ignore_ascii_case("<?xml"));
    if text.is_empty() || text.len() > BYTES_MAX || begins_as_xml {
        return false;
    }
    let lower = text.to_lowercase();
    let has_own = |name: &str| {
        lower.match_indices(&format!("<{name}")).any(|(at, mark)| {
            lower
                .get(at + mark.len()..)
                .is_some_and(|rest| rest.starts_with([' ', '\t', '\n', '\r', '\u{c}', '>', '/']))
        })
    };
    let has_body = has_own("body");
    let (mut open, mut is_known, mut is_loose): (Vec<String>, bool, bool) = (Vec::new(), false, false);
    for token in Tokenizer::new(text) {
        let Ok(token) = token;
        match token {
            Token::StartTag(tag) => {
                let name = String::from_utf8_lossy(&tag.name).into_owned();
                let is_wrapper = matches!(name.as_str(), "html" | "head" | "body");
                is_known |= if is_wrapper {
                    has_own(&name)
                } else {
                    ELEMENTS.contains(&name.as_str()) || name.contains('-')
                };
                // A slash closes only elements of SVG and MathML.
                let is_foreign = open.iter().any(|name| name == "svg" || name == "math");
                let is_closed = VOID.contains(&name.as_str()) || (tag.self_closing && is_foreign);
                if !is_wrapper && !is_closed {
                    open.push(name);
                }
            }
            Token::EndTag(tag) => {
                let name = String::from_utf8_lossy(&tag.name).into_owned();
                if let Some(at) = open.iter().rposition(|open| *open == name) {
                    open.truncate(at);
                }
            }
            Token::String(text) => {
                let has_text = !String::from_utf8_lossy(&text).trim().is_empty();
                let holder = open.iter().rev().find(|name| !TABULAR.contains(&name.as_str()));
                is_loose |= has_text && holder.is_none();
            }
            Token::Comment(_) | Token::Doctype(_) | Token::Error(_) => {}
        }
    }
    is_known && (has_body || !is_loose)
}

/// Whether a text holds HTML: at least two signs of it.
pub(super) fn contains_html(text: &str) -> bool {
    if text.len() > BYTES_MAX {
        return false;
    }
    let tags = tags(text);
    let (opens, closes) =
        (tags.iter().any(|tag| tag.kind != Kind::Closing), tags.iter().any(|tag| tag.kind == Kind::Closing));
    let mut signs = match (opens, closes) {
        (true, true) => 2,
        (false, false) => 0,
        _ => 1,
    };
    signs += usize::from(tags.iter().any(|tag| tag.kind == Kind::SelfClosing));
    signs += usize::from(has_entity(text));
    let lower = text.to_ascii_lowercase();
    let has_doctype = lower.match_indices("<!doctype").any(|(at, mark)| {
        let rest = lower.get(at + mark.len()..).unwrap_or_default();
        rest.starts_with(char::is_whitespace) && rest.trim_start().starts_with("html")
    });
    signs += if has_doctype { 2 } else { 0 };
    signs += usize::from(text.split("<!--").skip(1).any(|rest| rest.contains("-->")));
    signs += usize::from(has_attribute(text));
    let has_common = lower.match_indices('<').any(|(at, _)| {
        let name: String = lower
            .get(at + 1..)
            .unwrap_or_default()
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
            .collect();
        COMMON.contains(&name.as_str())
    });
    signs += if has_common { 2 } else { 0 };
    signs >= 2
}

#[derive(PartialEq, Eq)]
enum Kind {
    Opening,
    SelfClosing,
    Closing,
}

struct Tag {
    kind: Kind,
}

/// What looks like a tag: `<name`, perhaps attributes, `>`.
fn tags(text: &str) -> Vec<Tag> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices('<') {
        let rest = text.get(at + 1..).unwrap_or_default();
        let (is_closing, rest) = rest.strip_prefix('/').map_or((false, rest), |rest| (true, rest));
        if !rest.starts_with(|c: char| c.is_ascii_alphabetic()) {
            continue;
        }
        let after = rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '-');
        let end = after.find('>');
        let Some(inner) = end.and_then(|end| after.get(..end)) else { continue };
        let kind = if is_closing && inner.trim().is_empty() {
            Kind::Closing
        } else if is_closing || !(inner.is_empty() || inner == "/" || inner.starts_with(char::is_whitespace))
        {
            continue;
        } else if inner.ends_with('/') {
            Kind::SelfClosing
        } else {
            Kind::Opening
        };
        found.push(Tag { kind });
    }
    found
}

/// `&name;`, `&#12;` or `&#x1f;`.
fn has_entity(text: &str) -> bool {
    text.split('&').skip(1).any(|rest| {
        let Some((name, _)) = rest.split_once(';') else { return false };
        let is = |text: &str, test: fn(&u8) -> bool| !text.is_empty() && text.as_bytes().iter().all(test);
        match name.strip_prefix('#') {
            Some(code) => {
                is(code, u8::is_ascii_digit)
                    || code.strip_prefix('x').is_some_and(|code| is(code, u8::is_ascii_hexdigit))
            }
            None => is(name, u8::is_ascii_alphabetic),
        }
    })
}

/// ` name="value"`.
fn has_attribute(text: &str) -> bool {
    text.match_indices('=').any(|(at, _)| {
        let before = text.get(..at).unwrap_or_default();
        let name = before.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == '-');
        let after = text.get(at + 1..).unwrap_or_default().trim_start();
        let has_name = name.len() < before.len() && name.ends_with(char::is_whitespace);
        has_name && after.strip_prefix(['"', '\'']).is_some_and(|value| value.contains(['"', '\'']))
    })
}

#[cfg(test)]
mod tests {
    use super::{contains_html, is_html};

    #[test]
    fn html_is_elements_without_loose_text() {
        for (text, expect) in [
            ("<p>hi</p>", true),
            ("<div><p>a<br>b</p></div>\n", true),
            ("<!DOCTYPE html><html><body>hi</body></html>", true),
            ("<html>hi</html>", false),
            ("hi <b>x</b>", false),
            ("<b>x</b> bye", false),
            ("just text", false),
            ("", false),
            ("<?xml version=\"1.0\"?><p>x</p>", false),
            ("<my-element>x</my-element>", true),
            ("<unknown>x</unknown>", false),
            ("<table>x<tr><td>y</td></tr></table>", false),
            ("<ul><li>a<li>b</ul>", true),
            ("<!-- c --><p>x</p>", true),
            ("a < b", false),
        ] {
            assert_eq!(is_html(text), expect, "{text}");
        }
    }

    #[test]
    fn two_signs_make_html() {
        for (text, expect) in [
            ("a < b", false),
            ("text <b>x</b> text", true),
            ("see <br> here", true),
            ("x &amp; y", false),
            ("&lt; <x/>", true),
            ("<!DOCTYPE html>", true),
            ("if a<b and c>d", false),
            ("name=\"x\" only", false),
        ] {
            assert_eq!(contains_html(text), expect, "{text}");
        }
    }
}
