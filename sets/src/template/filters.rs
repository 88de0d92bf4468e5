//! Filters: those of Nunjucks where they differ from Jinja's, and `load` of promptfoo.

use super::values::{Fields, List, items, number, pairs, text, to_json, to_template, wrong};
use super::{Dialect, methods};
use crate::js;
use minijinja::value::{Rest, ValueKind};
use minijinja::{Environment, Error, State, Value as Item, filters, functions, tests};
use serde_json::Value;

/// Adds what a template of this dialect may use.
pub(super) fn add(engine: &mut Environment<'static>, dialect: Dialect) {
    add_shared(engine);
    if dialect == Dialect::Jinja {
        engine.add_filter("length", |v: Item| v.len().ok_or_else(|| wrong("has no length")));
        engine.add_filter("join", filters::join);
        engine.add_filter("first", filters::first);
        engine.add_filter("last", filters::last);
        engine.add_filter("default", filters::default);
        engine.add_filter("d", filters::default);
        engine.add_filter("replace", filters::replace);
        engine.add_filter("list", filters::list);
        engine.add_filter("int", filters::int);
        engine.add_filter("float", filters::float);
        engine.add_filter("sum", filters::sum);
        engine.add_filter("round", filters::round);
        engine.add_filter("reverse", filters::reverse);
        engine.add_filter("string", |v: Item| v.to_string());
        engine.add_filter("tojson", |v: Item| to_json(&v).map(|v| v.to_string()));
        return;
    }
    engine.add_filter("__items", |v: Item| items(&v));
    engine.add_filter("__pairs", |state: &State<'_, '_>, v: Item| pairs(state, &v));
    engine.add_filter("__length", |v: Item| length(&v, true));
    engine.add_filter("length", |v: Item| length(&v, false));
    engine.add_filter("dump", dump);
    engine.add_filter("load", load);
    engine.add_filter("join", join);
    engine.add_filter("first", |v: Item| at_end(&v, true));
    engine.add_filter("last", |v: Item| at_end(&v, false));
    engine.add_filter("default", default);
    engine.add_filter("d", default);
    engine.add_filter("replace", replace);
    engine.add_filter("string", |v: Item| text(&v));
    engine.add_filter("int", int);
    engine.add_filter("float", |v: Item, other: Option<Item>| {
        leading_number(&text(&v), true).map_or_else(|| other.unwrap_or_else(|| Item::from(0)), number_item)
    });
    engine.add_filter("round", round);
    engine.add_filter("sum", sum);
    engine.add_filter("list", list);
    engine.add_filter("reverse", reverse);
    engine.add_filter("truncate", truncate);
    engine.add_filter("wordcount", |v: Item| {
        text(&v).split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|w| !w.is_empty()).count()
    });
    engine.add_filter("nl2br", |v: Item| {
        text(&v).replace("\r\n", "<br />\n").replace('\n', "<br />\n").replace("<br />\n\n", "<br />\n")
    });
    engine.add_filter("urlencode", |v: Item| percent(&text(&v)));
    engine.add_filter("striptags", |v: Item| strip_tags(&text(&v)));
    engine.add_filter("center", center);
    engine.add_filter("forceescape", |v: Item| escape(&text(&v)));
    engine.add_filter("escape", |v: Item| escape(&text(&v)));
    engine.add_filter("e", |v: Item| escape(&text(&v)));
}

fn add_shared(engine: &mut Environment<'static>) {
    engine.add_filter("upper", |v: Item| only_text(&v).map(str::to_uppercase));
    engine.add_filter("lower", |v: Item| only_text(&v).map(str::to_lowercase));
    engine.add_filter("trim", |v: Item, marks: Option<String>| match marks {
        Some(marks) => text(&v).trim_matches(|c| marks.contains(c)).to_owned(),
        None => js::trim(&text(&v)).to_owned(),
    });
    engine.add_filter("capitalize", |v: Item| capitalize(&text(&v)));
    engine.add_filter("title", |v: Item| text(&v).split(' ').map(capitalize).collect::<Vec<_>>().join(" "));
    engine.add_filter("abs", filters::abs);
    engine.add_filter("batch", filters::batch);
    engine.add_filter("slice", filters::slice);
    engine.add_filter("dictsort", filters::dictsort);
    engine.add_filter("groupby", filters::groupby);
    engine.add_filter("indent", filters::indent);
    engine.add_filter("items", filters::items);
    engine.add_filter("map", filters::map);
    engine.add_filter("select", filters::select);
    engine.add_filter("reject", filters::reject);
    engine.add_filter("selectattr", filters::selectattr);
    engine.add_filter("rejectattr", filters::rejectattr);
    engine.add_filter("sort", filters::sort);
    engine.add_filter("unique", filters::unique);
    engine.add_filter("safe", |v: Item| v);
    engine.add_function("range", functions::range);
    for (name, test) in [
        ("defined", tests::is_defined as fn(&Item) -> bool),
        ("undefined", tests::is_undefined),
        ("none", tests::is_none),
        ("null", tests::is_none),
        ("number", tests::is_number),
        ("string", tests::is_string),
        ("mapping", tests::is_mapping),
        ("iterable", tests::is_iterable),
        ("sequence", tests::is_sequence),
    ] {
        engine.add_test(name, move |v: Item| test(&v));
    }
    engine.add_test("odd", tests::is_odd);
    engine.add_test("even", tests::is_even);
    engine.add_test("divisibleby", tests::is_divisibleby);
    engine.add_test("eq", tests::is_eq);
    engine.add_test("equalto", tests::is_eq);
    engine.add_test("ne", tests::is_ne);
    engine.add_test("gt", tests::is_gt);
    engine.add_test("ge", tests::is_ge);
    engine.add_test("lt", tests::is_lt);
    engine.add_test("le", tests::is_le);
    engine.add_test("in", tests::is_in);
    engine.add_test("true", tests::is_true);
    engine.add_test("false", tests::is_false);
}

/// The text of a value that is one; nothing for undefined and null. Others are an error, as they are in JavaScript.
fn only_text(value: &Item) -> Result<&str, Error> {
    match value.as_str() {
        Some(text) => Ok(text),
        None if value.is_undefined() || value.is_none() => Ok(""),
        None => Err(wrong("a filter for texts is given something else")),
    }
}

fn capitalize(text: &str) -> String {
    let lower = text.to_lowercase();
    let mut chars = lower.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

fn number_item(x: f64) -> Item {
    to_template(&js::to_number(x), Dialect::Nunjucks)
}

/// `is_field` is for `x.length`, which an object may have as a field of its own.
fn length(v: &Item, is_field: bool) -> Item {
    match v.kind() {
        ValueKind::String => Item::from(js::length(v.as_str().unwrap_or_default())),
        ValueKind::Map if is_field => v.get_attr("length").unwrap_or(Item::UNDEFINED),
        ValueKind::Seq | ValueKind::Map | ValueKind::Iterable => Item::from(v.len().unwrap_or_default()),
        _ if is_field => Item::UNDEFINED,
        _ => Item::from(0),
    }
}

fn dump(v: Item, spaces: Option<usize>) -> Result<Item, Error> {
    let Some(value) = to_json(&v) else { return Ok(Item::UNDEFINED) };
    let Some(spaces) = spaces.filter(|spaces| *spaces > 0) else {
        return Ok(Item::from(js::stringify(&value)));
    };
    let indent = " ".repeat(spaces.min(10));
    let formatter = serde_json::ser::PrettyFormatter::with_indent(indent.as_bytes());
    let mut out = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut out, formatter);
    serde::Serialize::serialize(&value, &mut serializer).map_err(|_| wrong("cannot be dumped"))?;
    Ok(Item::from(String::from_utf8_lossy(&out).into_owned()))
}

fn load(v: Item) -> Result<Item, Error> {
    let value: Value =
        serde_json::from_str(&text(&v)).map_err(|_| wrong("load is given a text that is no JSON"))?;
    Ok(to_template(&value, Dialect::Nunjucks))
}

fn join(v: Item, between: Option<String>, field: Option<String>) -> Result<String, Error> {
    let between = between.unwrap_or_default();
    let texts = items(&v)?.try_iter()?.map(|item| match &field {
        Some(name) => text(&item.get_attr(name).unwrap_or(Item::UNDEFINED)),
        None => text(&item),
    });
    Ok(texts.collect::<Vec<_>>().join(&between))
}

fn at_end(v: &Item, is_first: bool) -> Result<Item, Error> {
    let mut all = items(v)?.try_iter()?;
    let found = if is_first { all.next() } else { all.last() };
    Ok(found.unwrap_or(Item::UNDEFINED))
}

fn default(v: Item, other: Option<Item>, even_if_false: Option<bool>) -> Item {
    let counts = if even_if_false == Some(true) { v.is_true() } else { !v.is_undefined() };
    if counts { v } else { other.unwrap_or_else(|| Item::from("")) }
}

fn replace(v: Item, old: Item, new: Item, count: Option<i64>) -> Result<Item, Error> {
    if !matches!(v.kind(), ValueKind::String | ValueKind::Number) {
        return Ok(v);
    }
    let (whole, old, new) = (text(&v), text(&old), text(&new));
    let count = count.and_then(|count| usize::try_from(count).ok());
    Ok(Item::from(match count {
        Some(count) => whole.replacen(&old, &new, count),
        None => whole.replace(&old, &new),
    }))
}

/// The number at the beginning of a text.
fn leading_number(text: &str, with_fraction: bool) -> Option<f64> {
    let text = js::trim(text);
    let mut end = 0;
    let mut has_dot = !with_fraction;
    for (at, c) in text.char_indices() {
        let is_sign = at == 0 && (c == '-' || c == '+');
        if c == '.' && !has_dot {
            has_dot = true;
        } else if !c.is_ascii_digit() && !is_sign {
            break;
        }
        end = at + c.len_utf8();
    }
    text.get(..end)?.trim_end_matches('.').parse().ok()
}

fn int(v: Item, other: Option<Item>) -> Item {
    leading_number(&text(&v), false).map_or_else(|| other.unwrap_or_else(|| Item::from(0)), number_item)
}

fn round(v: Item, digits: Option<i32>, method: Option<String>) -> Item {
    let factor = 10f64.powi(digits.unwrap_or(0).clamp(-20, 20));
    let scaled = number(&v) * factor;
    let rounded = match method.as_deref() {
        Some("ceil") => scaled.ceil(),
        Some("floor") => scaled.floor(),
        // JavaScript rounds halves up.
        _ => (scaled + 0.5).floor(),
    };
    number_item(rounded / factor)
}

fn sum(v: Item, field: Option<String>, start: Option<f64>) -> Result<Item, Error> {
    let numbers = items(&v)?.try_iter()?.map(|item| match &field {
        Some(name) => number(&item.get_attr(name).unwrap_or(Item::UNDEFINED)),
        None => number(&item),
    });
    Ok(number_item(start.unwrap_or(0.0) + numbers.sum::<f64>()))
}

fn list(state: &State<'_, '_>, v: Item) -> Result<Item, Error> {
    if v.kind() != ValueKind::Map {
        return items(&v);
    }
    let mut found = Vec::new();
    for pair in pairs(state, &v)?.try_iter()? {
        let (key, value) = (pair.get_item_by_index(0)?, pair.get_item_by_index(1)?);
        found.push(Item::from_object(Fields(vec![("key".into(), key), ("value".into(), value)])));
    }
    Ok(Item::from_object(List(found)))
}

fn reverse(v: Item) -> Result<Item, Error> {
    if let Some(text) = v.as_str() {
        return Ok(Item::from(text.chars().rev().collect::<String>()));
    }
    let mut all: Vec<Item> = items(&v)?.try_iter()?.collect();
    all.reverse();
    Ok(Item::from_object(List(all)))
}

fn truncate(v: Item, args: Rest<Item>) -> String {
    let whole = text(&v);
    let length = args.first().and_then(Item::as_usize).unwrap_or(255);
    if js::length(&whole) <= length {
        return whole;
    }
    let cut: String = whole.chars().take(length).collect();
    let is_cut_in_words = args.get(1).is_some_and(Item::is_true);
    let end = args
        .get(2)
        .filter(|end| !end.is_undefined() && !end.is_none())
        .map_or_else(|| "...".to_owned(), text);
    // A space right behind the cut counts, so that a whole word stays.
    let next_is_space = whole.chars().nth(length) == Some(' ');
    let kept = match cut.rfind(' ') {
        Some(at) if !is_cut_in_words && !next_is_space => cut.get(..at).unwrap_or_default(),
        _ => &cut,
    };
    format!("{kept}{end}")
}

fn center(v: Item, width: Option<usize>) -> Result<String, Error> {
    let whole = text(&v);
    let width = width.unwrap_or(80);
    if width > 10_000 {
        return Err(wrong("center is given a width over 10,000"));
    }
    let spaces = width.saturating_sub(js::length(&whole));
    if spaces == 0 {
        return Ok(whole);
    }
    let after = spaces.div_ceil(2);
    Ok(format!("{}{whole}{}", " ".repeat(spaces / 2), " ".repeat(after)))
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '`' => out.push_str("&#96;"),
            '\\' => out.push_str("&#92;"),
            c => out.push(c),
        }
    }
    out
}

fn percent(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

fn strip_tags(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('<') {
        out.push_str(before);
        let is_tag = after.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/' || c == '!');
        match after.split_once('>').filter(|_| is_tag) {
            Some((_, behind)) => rest = behind,
            None => {
                out.push('<');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    methods::words_joined(&out)
}
