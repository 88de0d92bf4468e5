//! XML in an answer.

use super::{Mark, Seen};
use crate::js;
use crate::limits::DEPTH_MAX;
use roxmltree::{Document, Node, ParsingOptions};
use serde_json::{Map, Value};

/// Bytes of an answer that is looked at.
const BYTES_MAX: usize = 10 << 20;
/// Pieces of an answer that are tried.
const PIECES_MAX: usize = 1_000;

pub(super) fn check(seen: &Seen<'_>) -> Result<Mark, String> {
    let required = required(seen)?;
    if seen.text.len() > BYTES_MAX {
        return Err(format!("{} is asked of more than {} MiB", seen.base, BYTES_MAX >> 20));
    }
    let is_so =
        if seen.base == "is-xml" { is_xml(seen.text, &required) } else { contains_xml(seen.text, &required) };
    Ok(seen.mark(is_so))
}

/// Dotted paths of elements.
fn required(seen: &Seen<'_>) -> Result<Vec<String>, String> {
    let list = |items: &Vec<Value>| items.iter().map(js::text).collect();
    match &seen.value {
        None | Some(Value::Null | Value::Bool(_) | Value::Number(_)) => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(text.split(',').map(|path| js::trim(path).to_owned()).collect()),
        Some(Value::Array(items)) => Ok(list(items)),
        Some(Value::Object(fields)) if fields.is_empty() => Ok(Vec::new()),
        Some(Value::Object(fields)) => match fields.get("requiredElements") {
            Some(Value::Array(items)) => Ok(list(items)),
            _ => Err(format!("{} needs requiredElements, a list, in its value", seen.base)),
        },
    }
}

fn is_xml(text: &str, required: &[String]) -> bool {
    // A document type could define entities that grow.
    let has_subset = text
        .split_once("<!DOCTYPE")
        .is_some_and(|(_, rest)| rest.split('>').next().is_some_and(|doctype| doctype.contains('[')));
    if has_subset {
        return false;
    }
    let options = ParsingOptions { allow_dtd: true, nodes_limit: 1_000_000, ..ParsingOptions::default() };
    Document::parse_with_options(text, options).is_ok_and(|document| {
        let root = document.root_element();
        let mut tree = Map::new();
        tree.insert(name(&root), tree_of(&root, DEPTH_MAX));
        has_all(&Value::Object(tree), required)
    })
}

fn contains_xml(text: &str, required: &[String]) -> bool {
    pieces(text).iter().any(|piece| {
        // Several elements beside each other are looked at together; what is not quite XML has no paths.
        let wrapped = format!("<r>{piece}</r>");
        match Document::parse(&wrapped) {
            Ok(document) => has_all(&tree_of(&document.root_element(), DEPTH_MAX), required),
            Err(_) => has_all(&loose_tree(piece), required),
        }
    })
}

fn name(node: &Node<'_, '_>) -> String {
    let local = node.tag_name().name();
    match node.tag_name().namespace().and_then(|uri| node.lookup_prefix(uri)) {
        Some(prefix) => format!("{prefix}:{local}"),
        None => local.to_owned(),
    }
}

/// Elements by name; those with equal names are a list.
fn tree_of(node: &Node<'_, '_>, left: usize) -> Value {
    let mut fields = Map::new();
    let Some(left) = left.checked_sub(1) else { return Value::Object(fields) };
    for child in node.children().filter(Node::is_element) {
        add(&mut fields, &name(&child), tree_of(&child, left));
    }
    let attributes: Vec<(String, Value)> = node
        .attributes()
        .map(|attribute| (format!("@_{}", attribute.name()), Value::from(attribute.value())))
        .collect();
    if fields.is_empty() && attributes.is_empty() {
        return Value::from(node.text().unwrap_or_default());
    }
    fields.extend(attributes);
    if let Some(text) = node.text().map(js::trim).filter(|text| !text.is_empty()) {
        fields.insert("#text".to_owned(), Value::from(text));
    }
    Value::Object(fields)
}

/// Elements by name, of a text that is not quite XML: attributes and references do not matter.
fn loose_tree(piece: &str) -> Value {
    let mut open: Vec<(&str, Map<String, Value>)> = vec![("", Map::new())];
    for tag in tags(piece) {
        if tag.is_closing {
            if open.len() > 1
                && let Some((name, fields)) = open.pop()
                && let Some((_, above)) = open.last_mut()
            {
                add(above, name, Value::Object(fields));
            }
        } else if tag.is_empty {
            if let Some((_, above)) = open.last_mut() {
                add(above, tag.name, Value::Object(Map::new()));
            }
        } else if open.len() <= DEPTH_MAX {
            open.push((tag.name, Map::new()));
        }
    }
    open.into_iter().next().map(|(_, fields)| Value::Object(fields)).unwrap_or_default()
}

/// Adds an element; those with equal names are a list.
fn add(fields: &mut Map<String, Value>, name: &str, value: Value) {
    match fields.get_mut(name) {
        None => drop(fields.insert(name.to_owned(), value)),
        Some(Value::Array(items)) => items.push(value),
        Some(other) => *other = Value::Array(vec![other.take(), value]),
    }
}

fn has_all(tree: &Value, required: &[String]) -> bool {
    required.iter().all(|path| {
        let found = path.split('.').try_fold(tree, |value, part| match value {
            Value::Array(items) => items.get(part.parse::<usize>().ok()?),
            Value::Object(fields) => fields.get(part),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
        });
        found.is_some()
    })
}

/// The outermost elements of a text: all of them from the first to the last, where there are several, and each.
fn pieces(text: &str) -> Vec<&str> {
    let mut open: Vec<(&str, usize)> = Vec::new();
    let mut spans: Vec<(usize, usize)> = Vec::new();
    for tag in tags(text) {
        if tag.is_closing {
            match open.last() {
                Some((last, from)) if *last == tag.name => {
                    spans.push((*from, tag.end));
                    open.pop();
                }
                _ => open.clear(),
            }
        } else if tag.is_empty {
            spans.push((tag.start, tag.end));
        } else {
            open.push((tag.name, tag.start));
        }
    }
    // An element within another is part of it.
    spans.sort_by_key(|(from, to)| (*from, usize::MAX - to));
    let mut outer: Vec<(usize, usize)> = Vec::new();
    for span in spans {
        if outer.last().is_none_or(|(_, to)| span.0 >= *to) && outer.len() < PIECES_MAX {
            outer.push(span);
        }
    }
    let all = match (outer.first(), outer.last()) {
        (Some((from, _)), Some((_, to))) if outer.len() > 1 => Some((*from, *to)),
        _ => None,
    };
    all.into_iter().chain(outer).filter_map(|(from, to)| text.get(from..to)).collect()
}

/// A tag, and where it is.
struct Tag<'a> {
    name: &'a str,
    start: usize,
    end: usize,
    is_closing: bool,
    is_empty: bool,
}

/// The tags of a text; comments and declarations are passed over.
fn tags(text: &str) -> Vec<Tag<'_>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = text.get(at..).and_then(|rest| rest.find('<')).map(|ahead| at + ahead) {
        at = start + 1;
        let rest = text.get(at..).unwrap_or_default();
        let (is_closing, body) = rest.strip_prefix('/').map_or((false, rest), |body| (true, body));
        if rest.starts_with(['!', '?']) {
            let marks = [("!--", "-->"), ("![CDATA[", "]]>"), ("?", "?>"), ("", ">")];
            let mark = marks
                .iter()
                .find(|(opening, _)| rest.starts_with(opening))
                .map_or(">", |(_, closing)| closing);
            at = rest.find(mark).map_or(text.len(), |end| start + 1 + end + mark.len());
            continue;
        }
        let is_name = |c: char| c.is_alphanumeric() || matches!(c, ':' | '_' | '-' | '.');
        let name_end = body.find(|c: char| !is_name(c)).unwrap_or(body.len());
        let name = body.get(..name_end).unwrap_or_default();
        let begins = name.starts_with(|c: char| c.is_alphabetic() || c == '_' || c == ':');
        let Some(length) = tag_length(body).filter(|_| begins) else { continue };
        let end = at + usize::from(is_closing) + length;
        let is_empty =
            body.get(..length).is_some_and(|tag| tag.trim_end_matches('>').trim_end().ends_with('/'));
        found.push(Tag { name, start, end, is_closing, is_empty });
        at = end;
    }
    found
}

/// The length of a tag with its `>`; quotes protect it.
fn tag_length(body: &str) -> Option<usize> {
    let mut quote = None;
    for (at, c) in body.char_indices() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if c == '"' || c == '\'' => quote = Some(c),
            None if c == '<' => return None,
            None if c == '>' => return Some(at + 1),
            None => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{contains_xml, is_xml};

    #[test]
    fn xml_is_well_formed_and_has_what_is_required() {
        let required = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect::<Vec<_>>();
        for (text, paths, expect) in [
            ("<a><b>1</b></a>", vec!["a.b"], true),
            ("<a><b></a>", vec![], false),
            ("<a>1</a><b/>", vec![], false),
            ("<a>1</a>", vec!["b"], false),
            ("<a><b/><b/></a>", vec!["a.b.1"], true),
            ("<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>", vec![], false),
            ("<a x='1'/>", vec!["a.@_x"], true),
            ("plain", vec![], false),
            ("<p:a>1</p:a>", vec![], false),
        ] {
            assert_eq!(is_xml(text, &required(&paths)), expect, "{text}");
        }
        for (text, paths, expect) in [
            ("t <a>1</a> t", vec![], true),
            ("t <a>1</a> and <b>2</b>", vec!["a", "b"], true),
            ("<a><b>1</b></a>", vec!["b"], false),
            ("a < b > c", vec![], false),
            ("<a>1</b>", vec![], false),
            ("x <br/> y", vec!["br"], true),
        ] {
            assert_eq!(contains_xml(text, &required(&paths)), expect, "{text}");
        }
    }
}
