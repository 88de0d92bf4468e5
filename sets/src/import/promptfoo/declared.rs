//! What a configuration declares beside prompts, tests and checks: code, which is left out, and how models are asked.

use super::{is_code, transform};
use crate::import::{Source, files};
use crate::set::{Set, Transform};
use serde_json::{Map, Value};

type Fields = Map<String, Value>;

/// Counts the code of a configuration.
pub(super) fn count(document: &Fields, set: &mut Set) {
    if let Some(default) = document.get("defaultTest") {
        count_options(default, "default.options.", set);
        count_assert_transforms(default, set);
        if default.get("assertScoringFunction").is_some() {
            set.warn("defaultTest.assertScoringFunction is code, which is never run: cases that it marks keep no verdict");
        }
        if default.get("provider").and_then(provider_id).is_some_and(|id| id.contains("simulated-user")) {
            set.warn("defaultTest.provider plays a user over several turns; only the first turn is asked");
        }
    }
    if document.contains_key("redteam") {
        set.warn(
            "redteam makes tests by a model, which is not done; only the tests that are written are asked",
        );
    }
    if document
        .get("commandLineOptions")
        .and_then(Value::as_object)
        .is_some_and(|options| options.keys().any(|name| name.starts_with("filter")))
    {
        set.warn("commandLineOptions choose some of the tests; here all are asked");
    }
    if document.get("nunjucksFilters").and_then(Value::as_object).is_some_and(|filters| !filters.is_empty()) {
        set.leave_out("top.nunjucksFilters", 1);
    }
    let extensions = document.get("extensions").and_then(Value::as_array).map_or(0, Vec::len);
    set.leave_out("top.extensions", extensions as u64);
    let providers = document.get("providers").or(document.get("targets"));
    let custom = items(providers).filter(|provider| provider_id(provider).is_some_and(is_custom)).count();
    set.leave_out("provider.custom-code", custom as u64);
    let by_prompt = items(providers).filter(|provider| provider.get("prompts").is_some()).count();
    if by_prompt > 0 {
        set.warn(format!(
            "{by_prompt} providers have prompts of their own; providers are ignored, so every prompt is asked"
        ));
    }
}

/// Counts the code of a test.
pub(super) fn of_test(test: &Fields, set: &mut Set) {
    let test = Value::Object(
        test.iter().filter(|(name, _)| *name != "vars").map(|(n, v)| (n.clone(), v.clone())).collect(),
    );
    count_options(&test, "options.", set);
    count_assert_transforms(&test, set);
    if test.get("assertScoringFunction").is_some() {
        set.leave_out("test.assertScoringFunction", 1);
    }
    if test.pointer("/options/storeOutputAs").is_some() {
        set.warn("a test stores its output for later tests (storeOutputAs); it is empty there, because cases are asked in any order");
    }
    if test.pointer("/metadata/conversationId").is_some() {
        set.warn(
            "tests continue a conversation (conversationId); each is asked as if it were its first turn",
        );
    }
}

fn count_options(test: &Value, prefix: &str, set: &mut Set) {
    for name in ["transform", "postprocess", "transformVars"] {
        let Some(code) = test.pointer(&format!("/options/{name}")) else { continue };
        if name == "transformVars" || transform::of(Some(code)) == Transform::LeftOut {
            set.leave_out(&format!("{prefix}{name}"), 1);
        }
    }
}

fn count_assert_transforms(test: &Value, set: &mut Set) {
    for assert in items(test.get("assert")) {
        let within = items(assert.get("assert"));
        for item in std::iter::once(assert).chain(within) {
            if transform::of(item.get("transform")) == Transform::LeftOut {
                set.leave_out("assert.transform", 1);
            }
            if item.get("contextTransform").is_some() {
                set.leave_out("assert.contextTransform", 1);
            }
        }
    }
}

fn items(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    let (list, one) = match value {
        Some(Value::Array(items)) => (items.as_slice(), None),
        Some(value) => ([].as_slice(), Some(value)),
        None => ([].as_slice(), None),
    };
    list.iter().chain(one)
}

/// The id of a provider: its text, its field `id`, or the only name of an object.
fn provider_id(provider: &Value) -> Option<&str> {
    match provider {
        Value::String(id) => Some(id),
        Value::Object(fields) => match fields.get("id") {
            Some(id) => id.as_str(),
            None => fields.keys().next().map(String::as_str).filter(|_| fields.len() == 1),
        },
        _ => None,
    }
}

fn is_custom(id: &str) -> bool {
    ["python:", "exec:", "ruby:", "golang:", "package:"].iter().any(|prefix| id.starts_with(prefix))
        || is_code(id)
}

/// Settings of a provider that a request carries, by the names of chat completions.
const SETTINGS: &[(&str, &str)] = &[
    ("temperature", "temperature"),
    ("top_p", "top_p"),
    ("max_tokens", "max_tokens"),
    ("max_completion_tokens", "max_tokens"),
    ("max_output_tokens", "max_tokens"),
    ("maxTokens", "max_tokens"),
    ("tools", "tools"),
    ("tool_choice", "tool_choice"),
    ("response_format", "response_format"),
];

/// Takes over how the first provider with settings is asked.
pub(super) fn sampling(providers: Option<&Value>, source: &Source<'_, '_>, set: &mut Set) {
    let mut found: Vec<Fields> = Vec::new();
    for provider in items(providers) {
        let config = match provider {
            Value::Object(fields) if fields.len() == 1 && !fields.contains_key("id") => {
                fields.values().next().and_then(|inner| inner.get("config"))
            }
            provider => provider.get("config"),
        };
        let Some(Value::Object(config)) = config else { continue };
        let settings: Fields = SETTINGS
            .iter()
            .filter_map(|(theirs, ours)| Some(((*ours).to_owned(), config.get(*theirs)?.clone())))
            .collect();
        found.push(settings);
    }
    let Some(first) = found.first() else { return };
    if found.iter().any(|other| other != first) {
        set.warn(
            "providers differ in temperature, tokens, tools or response format; those of the first are used",
        );
    }
    let mut warnings = Vec::new();
    for (name, value) in first {
        let mut value = files::with_files(value, "", source.tree, &mut warnings);
        if let Value::Array(tools) = &mut value
            && name == "tools"
        {
            let all = tools.len();
            tools.retain(|tool| {
                tool.get("type").and_then(Value::as_str).is_none_or(|kind| kind == "function")
            });
            if tools.len() < all {
                warnings.push(format!(
                    "{} of {all} tools run on a service (mcp and the like); they are not offered",
                    all - tools.len()
                ));
            }
            if tools.is_empty() {
                continue;
            }
        }
        set.sampling.insert(name.clone(), value);
    }
    warnings.into_iter().for_each(|words| set.warn(words));
}
