//! JSON Schema as Ajv checks it in its strict mode: draft-07, known keywords and formats only, nothing fetched.

use crate::limits::{DEPTH_MAX, REGEX_SIZE_MAX, REGEX_STEPS_MAX};
use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::{Map, Value};

/// A schema that can be checked against.
pub(crate) struct Schema(Validator);

/// Keywords that hold one schema.
const ONE: &[&str] =
    &["not", "if", "then", "else", "additionalItems", "contains", "propertyNames", "additionalProperties"];
/// Keywords that hold a list of schemas.
const LIST: &[&str] = &["allOf", "anyOf", "oneOf"];
/// Keywords that hold schemas by name.
const NAMED: &[&str] = &["properties", "patternProperties"];
/// Keywords that hold no schema.
const PLAIN: &[&str] = &[
    "$schema",
    "$id",
    "$ref",
    "$comment",
    "$defs",
    "$vocabulary",
    "definitions",
    "title",
    "description",
    "default",
    "deprecated",
    "readOnly",
    "writeOnly",
    "examples",
    "contentMediaType",
    "contentEncoding",
    "type",
    "enum",
    "const",
    "multipleOf",
    "maximum",
    "exclusiveMaximum",
    "minimum",
    "exclusiveMinimum",
    "maxLength",
    "minLength",
    "pattern",
    "maxItems",
    "minItems",
    "uniqueItems",
    "maxProperties",
    "minProperties",
    "required",
    "format",
    "nullable",
    "items",
    "dependencies",
    "formatMinimum",
    "formatMaximum",
    "formatExclusiveMinimum",
    "formatExclusiveMaximum",
];
/// Formats of ajv-formats.
const FORMATS: &[&str] = &[
    "date",
    "time",
    "date-time",
    "iso-time",
    "iso-date-time",
    "duration",
    "uri",
    "uri-reference",
    "uri-template",
    "url",
    "email",
    "hostname",
    "ipv4",
    "ipv6",
    "regex",
    "uuid",
    "json-pointer",
    "json-pointer-uri-fragment",
    "relative-json-pointer",
    "byte",
    "int32",
    "int64",
    "float",
    "double",
    "password",
    "binary",
];

impl Schema {
    /// # Errors
    /// A sentence without its subject.
    pub(crate) fn new(schema: &Value) -> Result<Self, String> {
        let mut schema = schema.clone();
        let mut left = DEPTH_MAX;
        strict(&schema, &schema, &mut Vec::new(), left)?;
        if let Some(meta) = schema.get("$schema") {
            let is_known = meta
                .as_str()
                .is_some_and(|meta| meta.trim_end_matches('#') == "http://json-schema.org/draft-07/schema");
            if !is_known {
                return Err(
                    "names another draft ($schema) than draft-07, which is the only one that promptfoo knows"
                        .to_owned(),
                );
            }
        }
        left = DEPTH_MAX;
        with_null(&mut schema, left);
        let patterns = PatternOptions::fancy_regex()
            .backtrack_limit(REGEX_STEPS_MAX)
            .size_limit(REGEX_SIZE_MAX)
            .dfa_size_limit(REGEX_SIZE_MAX);
        let built = jsonschema::options()
            .with_draft(Draft::Draft7)
            .offline()
            .should_validate_formats(true)
            .should_ignore_unknown_formats(true)
            .with_pattern_options(patterns)
            .with_format("uuid", is_uuid)
            .with_format("url", is_url)
            .with_format("duration", is_duration)
            .with_format("byte", is_base64)
            .with_format("iso-date-time", |text: &str| text.contains(['T', 't', ' ']) && text.len() >= 16)
            .build(&schema);
        built.map(Self).map_err(|_| {
            "is no valid schema: a keyword has a value that it cannot have, or a reference leads nowhere"
                .to_owned()
        })
    }

    pub(crate) fn fits(&self, value: &Value) -> bool {
        self.0.is_valid(value)
    }
}

/// Refuses what Ajv refuses in strict mode: it would be ignored, which is hardly ever meant.
fn strict<'a>(
    schema: &'a Value,
    root: &'a Value,
    seen: &mut Vec<&'a str>,
    left: usize,
) -> Result<(), String> {
    let left = left.checked_sub(1).ok_or_else(|| format!("is nested deeper than {DEPTH_MAX}"))?;
    let fields = match schema {
        Value::Object(fields) => fields,
        Value::Bool(_) => return Ok(()),
        _ => return Err("must be an object or a truth value".to_owned()),
    };
    for name in fields.keys() {
        let is_known = [ONE, LIST, NAMED, PLAIN].iter().any(|names| names.contains(&name.as_str()));
        if !is_known {
            return Err(format!("has an unknown keyword: {name:?}"));
        }
    }
    let has = |name: &str| fields.contains_key(name);
    if let Some(format) = fields.get("format").and_then(Value::as_str)
        && !FORMATS.contains(&format)
    {
        return Err(format!("has an unknown format: {format:?}"));
    }
    if has("if") && !has("then") && !has("else") {
        return Err("has if without then and else".to_owned());
    }
    if (has("then") || has("else")) && !has("if") {
        return Err("has then or else without if".to_owned());
    }
    if has("additionalItems") && !fields.get("items").is_some_and(Value::is_array) {
        return Err("has additionalItems, and items is no list".to_owned());
    }
    if fields.get("nullable") == Some(&Value::Bool(true)) && !has("type") {
        return Err("has nullable without type".to_owned());
    }
    if let Some(target) = fields.get("$ref").and_then(Value::as_str)
        && let Some(pointer) = target.strip_prefix('#')
        && !seen.contains(&target)
    {
        seen.push(target);
        let found =
            root.pointer(pointer).ok_or_else(|| format!("has a reference that leads nowhere: {target:?}"))?;
        strict(found, root, seen, left)?;
    }
    for child in children(fields) {
        strict(child, root, seen, left)?;
    }
    Ok(())
}

/// The schemas right below a schema, definitions aside.
fn children(fields: &Map<String, Value>) -> Vec<&Value> {
    let mut found: Vec<&Value> = ONE.iter().filter_map(|name| fields.get(*name)).collect();
    found.extend(LIST.iter().filter_map(|name| fields.get(*name)?.as_array()).flatten());
    found.extend(NAMED.iter().filter_map(|name| fields.get(*name)?.as_object()).flat_map(Map::values));
    match fields.get("items") {
        Some(Value::Array(items)) => found.extend(items),
        Some(item) => found.push(item),
        None => {}
    }
    if let Some(Value::Object(dependencies)) = fields.get("dependencies") {
        found.extend(dependencies.values().filter(|value| !value.is_array()));
    }
    found
}

/// `nullable` of OpenAPI, which Ajv knows: null fits as well.
fn with_null(schema: &mut Value, left: usize) {
    let Some(left) = left.checked_sub(1) else { return };
    match schema {
        Value::Object(fields) => {
            if fields.get("nullable") == Some(&Value::Bool(true))
                && let Some(Value::String(kind)) = fields.get("type").cloned()
            {
                fields.insert("type".to_owned(), Value::from(vec![kind, "null".to_owned()]));
            }
            fields.values_mut().for_each(|value| with_null(value, left));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| with_null(item, left)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn is_uuid(text: &str) -> bool {
    let text = text.strip_prefix("urn:uuid:").unwrap_or(text);
    let lengths: Vec<usize> = text.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12] && text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
}

fn is_url(text: &str) -> bool {
    let rest = ["http://", "https://", "ftp://"].iter().find_map(|scheme| text.strip_prefix(scheme));
    rest.is_some_and(|rest| {
        let host = rest.split(['/', '?', '#', ':']).next().unwrap_or_default();
        host.contains('.') && !host.starts_with('.') && !text.contains(char::is_whitespace)
    })
}

fn is_duration(text: &str) -> bool {
    let Some(rest) = text.strip_prefix('P') else { return false };
    let (date, time) = rest.split_once('T').map_or((rest, None), |(date, time)| (date, Some(time)));
    let is_run = |part: &str, units: &str| {
        let mut units = units.chars();
        let mut digits = 0;
        part.chars().all(|c| {
            if c.is_ascii_digit() {
                digits += 1;
                return true;
            }
            std::mem::take(&mut digits) > 0 && units.any(|unit| unit == c)
        }) && digits == 0
    };
    let has_time = time.is_none_or(|time| !time.is_empty() && is_run(time, "HMS"));
    !rest.is_empty() && has_time && (is_run(date, "YMD") || is_run(date, "W"))
}

fn is_base64(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    text.len().is_multiple_of(4)
        && text.len() - body.len() <= 2
        && body.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'/')
}
