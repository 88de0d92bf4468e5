//! Lines of chats: OpenAI's batches, fine-tuning chats, and bodies of requests as K2's verifier sends them.

use crate::limits::CASES_MAX;
use crate::set::{Ask, Assertion, Case, Check, Set};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// What a request carries beside its messages.
const CARRIED: &[&str] = &[
    "temperature",
    "top_p",
    "max_tokens",
    "max_completion_tokens",
    "tools",
    "tool_choice",
    "response_format",
    "stop",
    "seed",
];

fn carried(body: &Map<String, Value>) -> Map<String, Value> {
    CARRIED.iter().filter_map(|name| Some(((*name).to_owned(), body.get(*name)?.clone()))).collect()
}

/// `{custom_id, method, url, body}`.
///
/// # Errors
/// A sentence without its subject.
pub(super) fn batch(lines: &[Value]) -> Result<Set, String> {
    let mut set = Set::of_messages("openai-batch-jsonl");
    for (at, line) in lines.iter().enumerate() {
        let name = line
            .get("custom_id")
            .and_then(Value::as_str)
            .map_or_else(|| format!("line {}", at + 1), str::to_owned);
        let Some(body) = line.get("body").and_then(Value::as_object) else {
            return Err(format!("has no body in line {}", at + 1));
        };
        let messages = match (body.get("messages"), body.get("input"), body.get("prompt")) {
            (Some(Value::Array(messages)), ..) => Some(messages.clone()),
            (_, Some(Value::String(text)), _) | (_, _, Some(Value::String(text))) if !is_other(line) => {
                Some(crate::chat::of_user(text))
            }
            _ => None,
        };
        let ask = messages.map_or_else(
            || {
                set.leave_out("batch.url", 1);
                set.warn(
                    "some lines ask for no chat (embeddings, moderations and the like); they are left out",
                );
                Ask::Nothing
            },
            |messages| Ask::Messages(vec![messages]),
        );
        set.cases.push(Case { name, ask, body: carried(body), ..Case::default() });
    }
    set.warn("body.model is replaced by the version's");
    Ok(set)
}

fn is_other(line: &Value) -> bool {
    line.get("url")
        .and_then(Value::as_str)
        .is_some_and(|url| ["embeddings", "moderations", "images"].iter().any(|other| url.contains(other)))
}

/// Lines with `messages`: chats whose last answer is a reference, or bodies of requests.
///
/// # Errors
/// A sentence without its subject.
pub(super) fn chats(lines: &[Value]) -> Result<Set, String> {
    let is_request = |line: &Value| {
        let last = line.get("messages").and_then(Value::as_array).and_then(|messages| messages.last());
        let ends_with_answer =
            last.and_then(|last| last.get("role")).and_then(Value::as_str) == Some("assistant");
        !ends_with_answer
            && ["tools", "temperature", "max_tokens", "stream", "model"]
                .iter()
                .any(|name| line.get(*name).is_some())
    };
    let are_requests = lines.iter().any(is_request);
    let mut set = Set::of_messages(if are_requests { "k2-vendor-verifier-requests" } else { "chat-jsonl" });
    let mut without_reference = 0;
    for (at, line) in lines.iter().enumerate().take(CASES_MAX) {
        let Some(body) = line.as_object() else { return Err(format!("has no object in line {}", at + 1)) };
        let Some(Value::Array(messages)) = body.get("messages") else {
            return Err(format!("has no messages in line {}", at + 1));
        };
        let mut messages: Vec<Value> = messages.iter().map(as_system).collect();
        if let Some(system) = system_of(body) {
            messages.insert(0, json!({"role": "system", "content": system}));
        }
        let mut case = Case { name: format!("line {}", at + 1), body: carried(body), ..Case::default() };
        if are_requests {
            // Whether a tool is called, and whether its arguments fit its schema.
            case.checks = vec![Arc::new(Check::One(Assertion::new("tool-call-schema", None)))];
        } else if messages.last().and_then(|last| last.get("role")).and_then(Value::as_str)
            == Some("assistant")
        {
            case.reference = messages.pop().and_then(|answer| answer.get("content").cloned());
        } else {
            without_reference += 1;
        }
        case.ask = if messages.is_empty() { Ask::Nothing } else { Ask::Messages(vec![messages]) };
        set.cases.push(case);
    }
    if without_reference > 0 && !are_requests {
        set.warn(format!(
            "{without_reference} chats end without an answer, so they have nothing to compare with"
        ));
    }
    Ok(set)
}

/// K2's role `_input` is a system message.
fn as_system(message: &Value) -> Value {
    let mut message = message.clone();
    if let Some(role) = message.get_mut("role").filter(|role| role.as_str() == Some("_input")) {
        *role = Value::from("system");
    }
    message
}

/// Anthropic's and Bedrock's system text: a text, or a list of parts.
fn system_of(body: &Map<String, Value>) -> Option<String> {
    match body.get("system")? {
        Value::String(text) => Some(text.clone()),
        Value::Array(parts) => {
            let texts = parts.iter().filter_map(|part| part.get("text").or(Some(part))?.as_str());
            Some(texts.collect::<Vec<_>>().join("\n"))
        }
        _ => None,
    }
}
