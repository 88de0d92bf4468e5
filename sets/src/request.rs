//! Cases → requests: what is sent to a version.

use crate::chat;
use crate::import::promptfoo::render;
use crate::set::{Ask, Case, Set};
use crate::tree::Tree;
use serde_json::{Map, Value};

/// What is sent once.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The number of its case.
    pub case: usize,
    /// The number of its prompt; 0 where cases bring their messages.
    pub prompt: usize,
    /// The messages. Of a case of several turns, those of the first.
    pub messages: Vec<Value>,
    /// Texts of the user that follow, each after the answer to the one before.
    pub turns: Vec<String>,
    /// What it carries beside its messages.
    pub body: Map<String, Value>,
    /// The variables of its case as checks see them.
    pub variables: Map<String, Value>,
}

/// A request that cannot be made, and why: a sentence without its subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmade {
    /// The number of its case.
    pub case: usize,
    /// The number of its prompt.
    pub prompt: usize,
    /// Why.
    pub words: String,
}

/// The requests of a case.
pub fn of_case(set: &Set, number: usize, tree: &Tree<'_>) -> Vec<Result<Request, Unmade>> {
    let Some(case) = set.cases.get(number) else { return Vec::new() };
    let mut body = set.sampling.clone();
    body.extend(case.body.clone());
    let request = |prompt: usize, messages: Vec<Value>, variables: &Map<String, Value>| Request {
        case: number,
        prompt,
        messages,
        turns: Vec::new(),
        body: body.clone(),
        variables: variables.clone(),
    };
    match &case.ask {
        Ask::Nothing => Vec::new(),
        Ask::Messages(lists) => {
            lists.iter().map(|messages| Ok(request(0, messages.clone(), &case.variables))).collect()
        }
        Ask::Turns(turns) => {
            let Some((first, rest)) = turns.split_first() else { return Vec::new() };
            vec![Ok(Request { turns: rest.to_vec(), ..request(0, chat::of_user(first), &case.variables) })]
        }
        Ask::Prompts { only, prefix, suffix } => {
            let numbers = only.clone().unwrap_or_else(|| (0..set.prompts.len()).collect());
            let variables = render::prepared(&case.variables, tree);
            let made = numbers
                .into_iter()
                .filter(|at| set.prompts.get(*at).is_some_and(|prompt| !prompt.is_left_out))
                .map(|at| {
                    let unmade = |words: String| Unmade { case: number, prompt: at, words };
                    let variables = variables.as_ref().map_err(|words| unmade(words.clone()))?;
                    let text = text(set, at, prefix, suffix, variables).map_err(unmade)?;
                    Ok(request(at, chat::messages(&text).map_err(unmade)?, variables))
                });
            made.collect()
        }
    }
}

/// The rendered text of a prompt.
fn text(
    set: &Set,
    prompt: usize,
    prefix: &str,
    suffix: &str,
    variables: &Map<String, Value>,
) -> Result<String, String> {
    let template = set.prompts.get(prompt).map(|prompt| prompt.text.as_str()).unwrap_or_default();
    let Some(templates) = &set.templates else { return Ok(template.to_owned()) };
    render::prompt(templates, &format!("{prefix}{template}{suffix}"), variables)
}

/// The variables of a case as its checks see them: files are read, and variables within variables replaced.
///
/// # Errors
/// A sentence without its subject.
pub fn variables(case: &Case, tree: &Tree<'_>) -> Result<Map<String, Value>, String> {
    render::prepared(&case.variables, tree)
}
