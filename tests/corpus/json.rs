//! JSON that keeps the order of its keys, to write it in another one.

#[derive(Clone)]
pub(crate) enum Json {
    Object(Vec<(String, Json)>),
    Array(Vec<Json>),
    /// As it is written, without its quotes.
    String(String),
    /// A number or a literal, as it is written.
    Scalar(String),
}

impl Json {
    /// `None` if the text is not one valid document.
    pub(crate) fn parse(text: &str) -> Option<Json> {
        serde_json::from_str::<serde::de::IgnoredAny>(text).ok()?;
        let mut rest = text.trim();
        let value = value(&mut rest)?;
        rest.trim().is_empty().then_some(value)
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Json::Object(members) => {
                out.push(b'{');
                for (at, (key, value)) in members.iter().enumerate() {
                    out.extend_from_slice(format!("{}\"{key}\":", if at > 0 { "," } else { "" }).as_bytes());
                    value.write(out);
                }
                out.push(b'}');
            }
            Json::Array(items) => {
                out.push(b'[');
                for (at, item) in items.iter().enumerate() {
                    out.extend_from_slice(if at > 0 { b"," } else { b"" });
                    item.write(out);
                }
                out.push(b']');
            }
            Json::String(text) => out.extend_from_slice(format!("\"{text}\"").as_bytes()),
            Json::Scalar(word) => out.extend_from_slice(word.as_bytes()),
        }
    }

    fn children(&self) -> Vec<&Json> {
        match self {
            Json::Object(members) => members.iter().map(|(_, value)| value).collect(),
            Json::Array(items) => items.iter().collect(),
            Json::String(_) | Json::Scalar(_) => Vec::new(),
        }
    }

    /// The number of strings that are values.
    pub(crate) fn strings(&self) -> usize {
        usize::from(matches!(self, Json::String(_)))
            + self.children().into_iter().map(Json::strings).sum::<usize>()
    }

    /// The same with so many characters more at the end of the string of this number.
    pub(crate) fn lengthened(&self, mut string: usize, chars: usize) -> Json {
        let mut copy = self.clone();
        copy.lengthen(&mut string, chars);
        copy
    }

    fn lengthen(&mut self, string: &mut usize, chars: usize) {
        match self {
            Json::Object(members) => members.iter_mut().for_each(|(_, value)| value.lengthen(string, chars)),
            Json::Array(items) => items.iter_mut().for_each(|item| item.lengthen(string, chars)),
            Json::String(text) => {
                if *string == 0 {
                    text.push_str(&"y".repeat(chars));
                }
                *string = string.wrapping_sub(1);
            }
            Json::Scalar(_) => {}
        }
    }

    /// The same with the members of all objects in another order: backwards, and then so many moved to the end.
    pub(crate) fn reordered(&self, shift: usize) -> Json {
        match self {
            Json::Object(members) => {
                let mut members: Vec<_> =
                    members.iter().rev().map(|(key, value)| (key.clone(), value.reordered(shift))).collect();
                let middle = shift.min(members.len());
                members.rotate_left(middle);
                Json::Object(members)
            }
            Json::Array(items) => Json::Array(items.iter().map(|item| item.reordered(shift)).collect()),
            Json::String(_) | Json::Scalar(_) => self.clone(),
        }
    }

    /// The same with further members in front of its own, or in that of each item.
    pub(crate) fn extended(self, more: Vec<(String, Json)>) -> Json {
        match self {
            Json::Object(members) => Json::Object([more, members].concat()),
            Json::Array(items) => {
                Json::Array(items.into_iter().map(|item| item.extended(more.clone())).collect())
            }
            Json::String(_) | Json::Scalar(_) => self,
        }
    }
}

/// Takes a value from the beginning of valid JSON.
fn value(rest: &mut &str) -> Option<Json> {
    *rest = rest.trim_start();
    match rest.bytes().next()? {
        b'{' => {
            let mut members = Vec::new();
            while !is_end(rest, '}') {
                let key = string(rest)?;
                *rest = rest.trim_start().strip_prefix(':')?;
                members.push((key, value(rest)?));
            }
            Some(Json::Object(members))
        }
        b'[' => {
            let mut items = Vec::new();
            while !is_end(rest, ']') {
                items.push(value(rest)?);
            }
            Some(Json::Array(items))
        }
        b'"' => Some(Json::String(string(rest)?)),
        _ => {
            let end = rest.find([',', ']', '}', ' ', '\n', '\r', '\t']).unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            *rest = after;
            Some(Json::Scalar(word.into()))
        }
    }
}

/// Takes the bracket or comma before a next value. Whether the object or array ends.
fn is_end(rest: &mut &str, end: char) -> bool {
    let after = rest.trim_start();
    let after = after.strip_prefix(['{', '[', ',']).unwrap_or(after);
    *rest = after.trim_start();
    match rest.strip_prefix(end) {
        Some(after) => {
            *rest = after;
            true
        }
        None => false,
    }
}

fn string(rest: &mut &str) -> Option<String> {
    let text = rest.trim_start().strip_prefix('"')?;
    let mut is_escaped = false;
    let end = text.find(|char| {
        let is_quote = char == '"' && !is_escaped;
        is_escaped = char == '\\' && !is_escaped;
        is_quote
    })?;
    *rest = &text[end + 1..];
    Some(text[..end].into())
}
