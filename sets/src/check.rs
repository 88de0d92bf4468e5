//! One check of one answer.
//!
//! In: a check, an answer, the variables of its case. Out: a mark, or why there is none: a check that is written wrongly, or
//! that needs what was not measured. promptfoo calls that an error, and it is neither a pass nor a fail. The rules are those of
//! promptfoo 0.123.

mod calls;
mod evals;
mod exact_match;
mod html;
mod json;
pub(crate) mod pattern;
mod refusal;
mod schema;
mod similarity;
mod text;
mod tool_names;
mod xml;

use crate::js;
use crate::kind::{self, Place};
use crate::set::{Assertion, Transform};
use crate::template::Templates;
use serde_json::{Map, Value};

/// An answer, and what was measured of it.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// Its text, or a value: tool calls, for example.
    pub output: Value,
    /// Tool calls, as chat completions list them.
    pub tool_calls: Vec<Value>,
    /// Tools that were offered, as chat completions list them.
    pub tools: Vec<Value>,
    /// Why it ended, as its API says.
    pub finish_reason: Option<String>,
    /// Milliseconds until its end.
    pub latency_ms: Option<f64>,
    /// US dollars.
    pub cost: Option<f64>,
    /// Logarithms of the probabilities of its tokens.
    pub log_probs: Vec<f64>,
}

/// What a check says of an answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mark {
    /// Whether the answer passes.
    pub is_passed: bool,
    /// From 0 to 1.
    pub score: f64,
}

impl Mark {
    fn of(is_passed: bool) -> Self {
        Self { is_passed, score: if is_passed { 1.0 } else { 0.0 } }
    }
}

/// What a check sees.
struct Seen<'a> {
    /// The type without `not-`.
    base: &'a str,
    /// The check is turned round.
    is_inverse: bool,
    /// The value, with its templates rendered; `None` for undefined.
    value: Option<Value>,
    threshold: Option<f64>,
    output: &'a Value,
    /// The output as text.
    text: &'a str,
    answer: &'a Answer,
}

impl Seen<'_> {
    /// The mark of a yes or no, turned round if the check is.
    fn mark(&self, is_so: bool) -> Mark {
        Mark::of(is_so != self.is_inverse)
    }

    /// The mark of a score against a threshold.
    fn score(&self, score: f64, usual: f64) -> Mark {
        let is_passed = (score >= self.threshold.unwrap_or(usual)) != self.is_inverse;
        Mark { is_passed, score: if self.is_inverse { 1.0 - score } else { score } }
    }

    /// The value as a text.
    fn text_value(&self) -> Result<&str, String> {
        match &self.value {
            Some(Value::String(text)) => Ok(text),
            _ => Err(format!("{} needs a text as its value", self.base)),
        }
    }
}

/// # Errors
/// Why there is no mark, as a sentence.
pub fn evaluate(
    assertion: &Assertion,
    answer: &Answer,
    variables: &Map<String, Value>,
    templates: &Templates,
) -> Result<Mark, String> {
    let mark = unweighted(assertion, answer, variables, templates)?;
    // A weight of 0 only reports.
    Ok(if assertion.weight == Some(0.0) { Mark { is_passed: true, ..mark } } else { mark })
}

fn unweighted(
    assertion: &Assertion,
    answer: &Answer,
    variables: &Map<String, Value>,
    templates: &Templates,
) -> Result<Mark, String> {
    match kind::place(&assertion.kind) {
        Place::Offline => {}
        Place::Judge => return Err(format!("{} needs a judge", assertion.kind)),
        Place::LeftOut("unknown type") => return Err(format!("Unknown assertion type: {}", assertion.kind)),
        Place::LeftOut(why) => return Err(format!("{}: {why}", assertion.kind)),
    }
    if let Some(words) = &assertion.broken {
        return Err(words.clone());
    }
    let transformed = transformed(&assertion.transform, &answer.output)?;
    let output = transformed.as_ref().unwrap_or(&answer.output);
    let text = match output {
        Value::String(text) => text.clone(),
        value => js::stringify(value),
    };
    let is_template = !assertion.is_from_file && !is_of_others(&assertion.kind);
    let value = match &assertion.value {
        Some(value) if is_template => Some(rendered(value, variables, templates)?),
        value => value.clone(),
    };
    let (base, is_inverse) = kind::base(&assertion.kind);
    let seen = Seen { base, is_inverse, value, threshold: assertion.threshold, output, text: &text, answer };
    by_type(&seen)
}

fn is_of_others(kind: &str) -> bool {
    matches!(
        kind,
        "FuzzyMatch"
            | "Includes"
            | "JsonMatch"
            | "JsonValidator"
            | "Match"
            | "exact_match"
            | "no-tool-call"
            | "tool-call-ast"
            | "tool-call-schema"
    )
}

fn by_type(seen: &Seen<'_>) -> Result<Mark, String> {
    match seen.base {
        "contains" | "icontains" => text::contains(seen),
        "contains-all" | "contains-any" | "icontains-all" | "icontains-any" => text::contains_items(seen),
        "equals" => Ok(text::equals(seen)),
        "starts-with" => text::starts_with(seen),
        "regex" => text::regex(seen),
        "levenshtein" => text::levenshtein(seen),
        "word-count" => text::word_count(seen),
        "finish-reason" => text::finish_reason(seen),
        "latency" => {
            text::measured(seen, seen.answer.latency_ms, "the time that the answer took is not known")
        }
        "cost" => text::measured(seen, seen.answer.cost, "the answer says no cost"),
        "perplexity" | "perplexity-score" => text::perplexity(seen),
        "is-json" => json::is_json(seen),
        "contains-json" => json::contains_json(seen),
        "is-refusal" => Ok(refusal::is_refusal(seen)),
        "bleu" => similarity::bleu(seen),
        "gleu" => similarity::gleu(seen),
        "rouge-n" => similarity::rouge(seen),
        "is-xml" | "contains-xml" => xml::check(seen),
        "is-html" => Ok(seen.mark(html::is_html(seen.text))),
        "contains-html" => Ok(seen.mark(html::contains_html(seen.text))),
        "tool-call-f1" => tool_names::f1(seen),
        "is-valid-openai-tools-call" => Ok(calls::of_openai(seen)),
        // promptfoo's providers validate these, and few can; without one it is a fail, turned round or not.
        "is-valid-function-call" | "is-valid-openai-function-call" => Ok(calls::of_function(seen)),
        "no-tool-call" => Ok(Mark::of(seen.answer.tool_calls.is_empty())),
        "tool-call-schema" => Ok(calls::fit_their_schemas(seen)),
        "tool-call-ast" => calls::are_right(seen),
        "exact_match" => exact_match::check(seen),
        "Match" | "Includes" | "FuzzyMatch" | "JsonMatch" | "JsonValidator" => evals::check(seen),
        _ => Err(format!("Unknown assertion type: {}", seen.base)),
    }
}

/// What a transform makes of an output; `None` if it is none.
fn transformed(transform: &Transform, output: &Value) -> Result<Option<Value>, String> {
    let text = || output.as_str().ok_or("a transform needs a text, and the answer is none");
    Ok(match transform {
        Transform::None => None,
        Transform::Trim => Some(Value::from(js::trim(text()?))),
        Transform::LowerCase => Some(Value::from(text()?.to_lowercase())),
        Transform::Field(path) => {
            let parsed: Value = serde_json::from_str(text()?)
                .map_err(|_| "a transform needs JSON, and the answer is none")?;
            let found = path.iter().try_fold(&parsed, |value, name| value.get(name));
            Some(found.cloned().ok_or_else(|| {
                format!("a transform needs the field {}, which the answer has not", path.join("."))
            })?)
        }
        Transform::LeftOut => {
            return Err("the answer is seen only through code, which is never run".to_owned());
        }
    })
}

/// What a transform of a case makes of an output.
///
/// # Errors
/// Why it cannot be made, as a sentence.
pub fn transform(transform: &Transform, output: &Value) -> Result<Value, String> {
    Ok(transformed(transform, output)?.unwrap_or_else(|| output.clone()))
}

pub(crate) fn rendered(
    value: &Value,
    variables: &Map<String, Value>,
    templates: &Templates,
) -> Result<Value, String> {
    let render = |text: &str| templates.render(text, variables).map_err(|words| format!("the value {words}"));
    Ok(match value {
        Value::String(text) if text.starts_with("file://") => {
            return Err("the value names a file, which is not read here".to_owned());
        }
        Value::String(text) => Value::from(render(text)?),
        Value::Array(items) => {
            let items = items.iter().map(|item| match item {
                Value::String(text) => render(text).map(Value::from),
                other => Ok(other.clone()),
            });
            Value::Array(items.collect::<Result<_, _>>()?)
        }
        other => other.clone(),
    })
}

#[cfg(test)]
mod tests;
