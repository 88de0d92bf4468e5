//! Methods of texts and lists: those that templates of the two dialects call.

use super::Dialect;
use super::values::{List, text, to_template, wrong};
use crate::js;
use minijinja::value::ValueKind;
use minijinja::{Error, ErrorKind, State, Value as Item};

/// Words with one space between them.
pub(super) fn words_joined(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

pub(super) fn of_javascript(
    _: &mut State<'_, '_>,
    value: &Item,
    method: &str,
    args: &[Item],
) -> Result<Item, Error> {
    match value.kind() {
        ValueKind::String => of_text(value.as_str().unwrap_or_default(), method, args),
        ValueKind::Seq | ValueKind::Iterable => of_list(value, method, args),
        ValueKind::Number => of_number(value, method, args),
        _ => Err(Error::from(ErrorKind::UnknownMethod)),
    }
}

fn argument(args: &[Item], at: usize) -> String {
    args.get(at).map(text).unwrap_or_default()
}

/// An index as JavaScript's `slice` takes it: from the end if it is negative.
fn index(args: &[Item], at: usize, length: usize, default: usize) -> usize {
    match args.get(at).and_then(Item::as_i64) {
        Some(n) if n < 0 => length.saturating_sub(usize::try_from(n.unsigned_abs()).unwrap_or(usize::MAX)),
        Some(n) => usize::try_from(n).unwrap_or(usize::MAX).min(length),
        None => default,
    }
}

fn of_text(whole: &str, method: &str, args: &[Item]) -> Result<Item, Error> {
    let first = argument(args, 0);
    let chars: Vec<char> = whole.chars().collect();
    let part = |from: usize, to: usize| {
        chars.get(from..to.max(from)).map(|part| part.iter().collect::<String>()).unwrap_or_default()
    };
    Ok(match method {
        "toUpperCase" => Item::from(whole.to_uppercase()),
        "toLowerCase" => Item::from(whole.to_lowercase()),
        "trim" => Item::from(js::trim(whole)),
        "trimStart" => Item::from(whole.trim_start_matches(js::is_space)),
        "trimEnd" => Item::from(whole.trim_end_matches(js::is_space)),
        "toString" => Item::from(whole),
        "includes" => Item::from(whole.contains(&first)),
        "startsWith" => Item::from(whole.starts_with(&first)),
        "endsWith" => Item::from(whole.ends_with(&first)),
        "indexOf" => {
            Item::from(whole.find(&first).map_or(-1, |at| {
                i64::try_from(js::length(whole.get(..at).unwrap_or_default())).unwrap_or(-1)
            }))
        }
        "charAt" => {
            Item::from(chars.get(index(args, 0, chars.len(), 0)).map(char::to_string).unwrap_or_default())
        }
        "slice" => Item::from(part(index(args, 0, chars.len(), 0), index(args, 1, chars.len(), chars.len()))),
        "substring" | "substr" => {
            let from = index(args, 0, chars.len(), 0);
            let to = index(args, 1, chars.len(), chars.len());
            let to = if method == "substr" && args.len() > 1 {
                from.saturating_add(to).min(chars.len())
            } else {
                to
            };
            Item::from(part(from.min(to), to.max(from)))
        }
        "replace" => Item::from(whole.replacen(&first, &argument(args, 1), 1)),
        "replaceAll" => Item::from(whole.replace(&first, &argument(args, 1))),
        "concat" => Item::from(format!("{whole}{first}")),
        "split" if args.is_empty() => Item::from_object(List(vec![Item::from(whole)])),
        "split" if first.is_empty() => {
            Item::from_object(List(chars.iter().map(|c| Item::from(c.to_string())).collect()))
        }
        "split" => Item::from_object(List(whole.split(&first).map(Item::from).collect())),
        _ => return Err(Error::from(ErrorKind::UnknownMethod)),
    })
}

fn of_list(list: &Item, method: &str, args: &[Item]) -> Result<Item, Error> {
    let items: Vec<Item> = list.try_iter()?.collect();
    let place = || args.first().and_then(|wanted| items.iter().position(|item| item == wanted));
    Ok(match method {
        "join" => {
            let between = if args.is_empty() { ",".to_owned() } else { argument(args, 0) };
            Item::from(items.iter().map(text).collect::<Vec<_>>().join(&between))
        }
        "includes" => Item::from(place().is_some()),
        "indexOf" => Item::from(place().map_or(-1, |at| i64::try_from(at).unwrap_or(-1))),
        "slice" => {
            let (from, to) = (index(args, 0, items.len(), 0), index(args, 1, items.len(), items.len()));
            Item::from_object(List(items.get(from..to.max(from)).unwrap_or_default().to_vec()))
        }
        "concat" => {
            let more = args.iter().flat_map(|arg| arg.try_iter().into_iter().flatten());
            Item::from_object(List(items.iter().cloned().chain(more).collect()))
        }
        "reverse" => Item::from_object(List(items.into_iter().rev().collect())),
        "toString" => Item::from(text(list)),
        _ => return Err(Error::from(ErrorKind::UnknownMethod)),
    })
}

fn of_number(value: &Item, method: &str, args: &[Item]) -> Result<Item, Error> {
    match method {
        "toString" => Ok(Item::from(text(value))),
        "toFixed" => {
            let digits = args.first().and_then(Item::as_usize).unwrap_or(0).min(100);
            Ok(Item::from(format!("{:.digits$}", super::values::number(value))))
        }
        _ => Err(Error::from(ErrorKind::UnknownMethod)),
    }
}

pub(super) fn of_python(
    _: &mut State<'_, '_>,
    value: &Item,
    method: &str,
    args: &[Item],
) -> Result<Item, Error> {
    if value.kind() == ValueKind::Map {
        return of_dict(value, method, args);
    }
    let whole = value.as_str().ok_or(ErrorKind::UnknownMethod)?;
    let first = args.first().and_then(Item::as_str);
    let marks = |c: char| first.map_or_else(|| c.is_whitespace(), |marks| marks.contains(c));
    let list = |parts: Vec<&str>| Item::from(parts.into_iter().map(Item::from).collect::<Vec<_>>());
    Ok(match method {
        "strip" => Item::from(whole.trim_matches(marks)),
        "lstrip" => Item::from(whole.trim_start_matches(marks)),
        "rstrip" => Item::from(whole.trim_end_matches(marks)),
        "lower" => Item::from(whole.to_lowercase()),
        "upper" => Item::from(whole.to_uppercase()),
        "startswith" => Item::from(whole.starts_with(first.unwrap_or_default())),
        "endswith" => Item::from(whole.ends_with(first.unwrap_or_default())),
        "replace" => Item::from(whole.replace(first.unwrap_or_default(), &argument(args, 1))),
        "split" => match first {
            Some("") => return Err(wrong("split is given an empty separator")),
            Some(between) => list(whole.split(between).collect()),
            None => list(whole.split_whitespace().collect()),
        },
        "splitlines" => list(whole.lines().collect()),
        "join" => {
            let items = args.first().map(Item::try_iter).transpose()?.into_iter().flatten();
            Item::from(items.map(|item| item.to_string()).collect::<Vec<_>>().join(whole))
        }
        "title" | "capitalize" => {
            let mut chars = whole.chars();
            let first = chars.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
            Item::from(format!("{first}{}", chars.as_str().to_lowercase()))
        }
        "find" => {
            Item::from(whole.find(first.unwrap_or_default()).map_or(-1, |at| i64::try_from(at).unwrap_or(-1)))
        }
        _ => return Err(Error::from(ErrorKind::UnknownMethod)),
    })
}

fn of_dict(value: &Item, method: &str, args: &[Item]) -> Result<Item, Error> {
    let default =
        || args.get(1).cloned().unwrap_or_else(|| to_template(&serde_json::Value::Null, Dialect::Jinja));
    match (method, args.first()) {
        ("get", Some(key)) => {
            Ok(value.get_item(key).ok().filter(|found| !found.is_undefined()).unwrap_or_else(default))
        }
        ("keys", None) => Ok(value.try_iter()?.collect()),
        ("values", None) => Ok(value.try_iter()?.filter_map(|key| value.get_item(&key).ok()).collect()),
        ("items", None) => Ok(value
            .try_iter()?
            .filter_map(|key| Some(Item::from(vec![key.clone(), value.get_item(&key).ok()?])))
            .collect()),
        _ => Err(Error::from(ErrorKind::UnknownMethod)),
    }
}
