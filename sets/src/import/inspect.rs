//! Inspect's data sets: samples with `input` and `target`. Their scorers are Python, so nothing is checked of them offline.

use crate::set::{Ask, Case, Set};
use serde_json::{Map, Value, json};

/// # Errors
/// A sentence without its subject.
pub(super) fn read(samples: Vec<Value>) -> Result<Set, String> {
    let mut set = Set::of_messages("inspect-dataset");
    for (at, sample) in samples.into_iter().enumerate() {
        let Value::Object(sample) = sample else { return Err(format!("has no object as sample {}", at + 1)) };
        let input = sample.get("input").ok_or_else(|| format!("has no input in sample {}", at + 1))?;
        let choices = choices(&sample);
        let messages = match input {
            Value::String(text) if choices.is_empty() => crate::chat::of_user(text),
            Value::String(text) => crate::chat::of_user(&multiple_choice(text, &choices)),
            Value::Array(messages) => messages.clone(),
            _ => {
                return Err(format!("has an input that is neither a text nor messages in sample {}", at + 1));
            }
        };
        if messages.iter().any(has_picture) {
            set.warn(
                "some inputs have pictures or other files, which are not read; their requests name the files",
            );
        }
        for (name, words) in
            [("files", "files"), ("sandbox", "a sandbox"), ("setup", "a script that prepares it")]
        {
            if sample
                .get(name)
                .is_some_and(|value| !matches!(value, Value::Null) && value.as_str() != Some(""))
            {
                set.warn(format!("some samples need {words}; they are asked without"));
            }
        }
        let name = sample
            .get("id")
            .filter(|id| !id.is_null())
            .map_or_else(|| format!("sample {}", at + 1), crate::js::text);
        set.cases.push(Case {
            name,
            ask: Ask::Messages(vec![messages]),
            reference: sample.get("target").filter(|target| target.as_str() != Some("")).cloned(),
            ..Case::default()
        });
    }
    set.warn("the scorer of a data set is in Python code, so answers are compared and not scored");
    Ok(set)
}

/// A list, or a text with commas or else spaces between the choices.
fn choices(sample: &Map<String, Value>) -> Vec<String> {
    match sample.get("choices") {
        Some(Value::Array(items)) => items.iter().map(crate::js::text).collect(),
        Some(Value::String(text)) if text.contains(',') => {
            text.split(',').map(|choice| choice.trim().to_owned()).collect()
        }
        Some(Value::String(text)) => text.split_whitespace().map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

/// A question with its choices, and how to answer it.
fn multiple_choice(question: &str, choices: &[String]) -> String {
    let letters: Vec<char> = ('A'..='Z').take(choices.len()).collect();
    let listed: Vec<String> =
        letters.iter().zip(choices).map(|(letter, choice)| format!("{letter}) {choice}")).collect();
    let (first, last) = (letters.first().copied().unwrap_or('A'), letters.last().copied().unwrap_or('A'));
    format!(
        "{question}\n\n{}\n\nEnd with a line \"ANSWER: X\", where X is one of the letters {first} to {last}.",
        listed.join("\n")
    )
}

fn has_picture(message: &Value) -> bool {
    let parts = message.get("content").and_then(Value::as_array);
    parts.is_some_and(|parts| parts.iter().any(|part| part.get("type") != Some(&json!("text"))))
}
