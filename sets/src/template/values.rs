//! Values of templates: as JavaScript has them, and back.

use super::{Dialect, Variables};
use crate::js;
use minijinja::value::{Enumerator, Object, ObjectRepr, ValueKind};
use minijinja::{Error, ErrorKind, Output, State, Value as Item};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// A list: prints its items with commas between them, and counts as true even if it is empty.
#[derive(Debug)]
pub(super) struct List(pub(super) Vec<Item>);

/// An object: prints `[object Object]`, and counts as true even if it is empty.
#[derive(Debug)]
pub(super) struct Fields(pub(super) Vec<(Arc<str>, Item)>);

/// The variables of the environment, one at a time: they cannot be listed.
#[derive(Debug)]
pub(super) struct Env {
    pub(super) own: Map<String, Value>,
    pub(super) process: Arc<dyn Variables>,
}

impl Object for List {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Item) -> Option<Item> {
        if key.as_str() == Some("length") {
            return Some(Item::from(self.0.len()));
        }
        self.0.get(key.as_usize()?).cloned()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(self.0.len())
    }

    fn is_true(self: &Arc<Self>) -> bool {
        true
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text(&Item::from_dyn_object(Arc::clone(self))))
    }
}

impl Object for Fields {
    fn get_value(self: &Arc<Self>, key: &Item) -> Option<Item> {
        let key = key.as_str()?;
        self.0.iter().find(|(name, _)| &**name == key).map(|(_, value)| value.clone())
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.0.iter().map(|(name, _)| Item::from(Arc::clone(name))).collect())
    }

    fn is_true(self: &Arc<Self>) -> bool {
        true
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[object Object]")
    }
}

impl Object for Env {
    fn get_value(self: &Arc<Self>, key: &Item) -> Option<Item> {
        let name = key.as_str()?;
        match self.own.get(name) {
            Some(value) => Some(to_template(value, Dialect::Nunjucks)),
            None => self.process.get(name).map(Item::from),
        }
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[object Object]")
    }
}

/// A value of JSON as a template sees it.
pub(super) fn to_template(value: &Value, dialect: Dialect) -> Item {
    match value {
        Value::Null => Item::from(()),
        Value::Bool(is_true) => Item::from(*is_true),
        Value::Number(n) => match (n.as_i64(), n.as_f64()) {
            (Some(whole), _) => Item::from(whole),
            (None, Some(number)) => Item::from(number),
            (None, None) => Item::UNDEFINED,
        },
        Value::String(text) => Item::from(text.as_str()),
        Value::Array(items) => {
            let items: Vec<Item> = items.iter().map(|item| to_template(item, dialect)).collect();
            match dialect {
                Dialect::Nunjucks => Item::from_object(List(items)),
                Dialect::Jinja => Item::from(items),
            }
        }
        Value::Object(fields) => {
            let fields = fields
                .iter()
                .map(|(name, value)| (Arc::<str>::from(name.as_str()), to_template(value, dialect)));
            match dialect {
                Dialect::Nunjucks => Item::from_object(Fields(fields.collect())),
                Dialect::Jinja => Item::from(fields.collect::<BTreeMap<_, _>>()),
            }
        }
    }
}

/// A template's value as JSON; `None` for undefined.
pub(super) fn to_json(item: &Item) -> Option<Value> {
    match item.kind() {
        ValueKind::Undefined => None,
        ValueKind::None => Some(Value::Null),
        ValueKind::Bool => Some(Value::Bool(item.is_true())),
        ValueKind::Number => Some(item.as_i64().map_or_else(|| js::to_number(number(item)), Value::from)),
        ValueKind::String => item.as_str().map(Value::from),
        ValueKind::Seq | ValueKind::Iterable => {
            let items = item.try_iter().ok()?.map(|item| to_json(&item).unwrap_or(Value::Null));
            Some(Value::Array(items.collect()))
        }
        ValueKind::Map => {
            let mut fields = Map::new();
            for key in item.try_iter().ok()? {
                if let Some(value) = item.get_item(&key).ok().and_then(|value| to_json(&value)) {
                    fields.insert(key.to_string(), value);
                }
            }
            Some(Value::Object(fields))
        }
        _ => Some(Value::Object(Map::new())),
    }
}

pub(super) fn number(item: &Item) -> f64 {
    f64::try_from(item.clone()).unwrap_or(f64::NAN)
}

/// How a value prints: nothing for undefined and null.
pub(super) fn text(item: &Item) -> String {
    match to_json(item) {
        None | Some(Value::Null) => String::new(),
        Some(value) => js::text(&value),
    }
}

pub(super) fn write(out: &mut Output<'_>, value: &Item) -> Result<(), Error> {
    out.write_str(&text(value)).map_err(|_| Error::new(ErrorKind::WriteFailure, "the output is full"))
}

/// The items of a list or the characters of a text, for a loop with one name.
pub(super) fn items(value: &Item) -> Result<Item, Error> {
    match value.kind() {
        ValueKind::Seq | ValueKind::Iterable => Ok(value.clone()),
        ValueKind::String => {
            Ok(value.as_str().unwrap_or_default().chars().map(|c| Item::from(c.to_string())).collect())
        }
        _ => Ok(Item::from(Vec::<Item>::new())),
    }
}

/// Name and value of each field of an object, for a loop with two names. The items of a list are taken apart by the loop.
pub(super) fn pairs(_state: &State<'_, '_>, value: &Item) -> Result<Item, Error> {
    if value.kind() != ValueKind::Map {
        return items(value);
    }
    let mut pairs = Vec::new();
    for key in value.try_iter()? {
        let field = value.get_item(&key)?;
        pairs.push(Item::from(vec![key, field]));
    }
    Ok(Item::from(pairs))
}

/// The error of a filter or a method that is used wrongly.
pub(super) fn wrong(words: &'static str) -> Error {
    Error::new(ErrorKind::InvalidOperation, words)
}
