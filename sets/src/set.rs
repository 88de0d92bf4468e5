//! A set: prompts, cases, and what is checked of an answer. What was not understood is named and counted.

use crate::limits::NOTES_MAX;
use crate::template::Templates;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Names with how often each occurs.
pub type Counts = BTreeMap<String, u64>;

/// A set of any format.
#[derive(Debug)]
pub struct Set {
    /// The format's name.
    pub format: &'static str,
    /// The prompts; of formats whose cases bring their messages, one.
    pub prompts: Vec<Prompt>,
    /// The cases, in the order of the file.
    pub cases: Vec<Case>,
    /// What each request carries beside its messages: `temperature`, `max_tokens`, `tools`, `response_format`.
    pub sampling: Map<String, Value>,
    /// Checks that are declared for cases that cannot be read.
    pub declared: Counts,
    /// What is left out beside checks: code, the network.
    pub left_out: Counts,
    /// What a reader of the set should know: sentences.
    pub warnings: Vec<String>,
    /// Renders the prompts.
    pub(crate) templates: Option<Templates>,
}

/// A prompt.
#[derive(Clone, Debug)]
pub struct Prompt {
    /// The template.
    pub text: String,
    /// The name by which tests choose it.
    pub label: String,
    /// It is code, or a file that is not there: it cannot be asked.
    pub is_left_out: bool,
}

/// A case: what is asked once of each version, for each prompt.
#[derive(Clone, Debug, Default)]
pub struct Case {
    /// What it is called in a report.
    pub name: String,
    /// The variables of its templates.
    pub variables: Map<String, Value>,
    /// What is asked.
    pub ask: Ask,
    /// What is checked of an answer; shared, because defaults are in every case.
    pub checks: Vec<Arc<Check>>,
    /// With a threshold only the score counts.
    pub threshold: Option<f64>,
    /// An answer to compare with, where the set has one.
    pub reference: Option<Value>,
    /// An answer that the set brings along: it is graded, and nothing is asked.
    pub given: Option<Value>,
    /// What this request carries beside its messages; wins over [`Set::sampling`].
    pub body: Map<String, Value>,
    /// How the answer becomes what is checked.
    pub transform: Transform,
    /// The set computes the verdict with code of its own, so none of ours would be its verdict.
    pub is_scored_by_code: bool,
}

/// What a case asks.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Ask {
    /// Prompts of the set: all, or those with these numbers.
    Prompts {
        /// Numbers of prompts; `None` for all.
        only: Option<Vec<usize>>,
        /// Put before the prompt.
        prefix: String,
        /// Put after the prompt.
        suffix: String,
    },
    /// Messages, each list a request of its own.
    Messages(Vec<Vec<Value>>),
    /// Texts of a user, one after the answer to the other.
    Turns(Vec<String>),
    /// Nothing: the answer is given, or the case is left out.
    #[default]
    Nothing,
}

/// How an answer becomes what is checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Transform {
    /// As it is.
    #[default]
    None,
    /// `output.trim()`.
    Trim,
    /// `output.toLowerCase()`.
    LowerCase,
    /// `JSON.parse(output).a.b`.
    Field(Vec<String>),
    /// Code that is not understood: what is checked behind it is not known.
    LeftOut,
}

/// A check, or several with a score of their own.
#[derive(Clone, Debug, PartialEq)]
pub enum Check {
    /// One check.
    One(Assertion),
    /// `assert-set`.
    Group {
        /// Its checks.
        checks: Vec<Assertion>,
        /// With a threshold only the score counts.
        threshold: Option<f64>,
        /// Its weight in the case.
        weight: f64,
    },
}

/// One thing that is checked of an answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Assertion {
    /// The type, with `not-` if it is turned round.
    pub kind: String,
    /// What the answer is compared with.
    pub value: Option<Value>,
    /// The value came from a file: it is no template.
    pub is_from_file: bool,
    /// Where a score passes.
    pub threshold: Option<f64>,
    /// Its weight; 1 if it has none, 0 never fails.
    pub weight: Option<f64>,
    /// How the answer becomes what is checked.
    pub transform: Transform,
    /// Why it cannot be evaluated: its value is code, or a file that cannot be read.
    pub broken: Option<String>,
}

impl Assertion {
    /// A check of this type against this value.
    #[must_use]
    pub fn new(kind: &str, value: Option<Value>) -> Self {
        Self { kind: kind.to_owned(), value, ..Self::default() }
    }
}

impl Check {
    /// The checks within.
    #[must_use]
    pub fn assertions(&self) -> &[Assertion] {
        match self {
            Self::One(assertion) => std::slice::from_ref(assertion),
            Self::Group { checks, .. } => checks,
        }
    }
}

impl Set {
    pub(crate) fn new(format: &'static str) -> Self {
        Self {
            format,
            prompts: Vec::new(),
            cases: Vec::new(),
            sampling: Map::new(),
            declared: Counts::new(),
            left_out: Counts::new(),
            warnings: Vec::new(),
            templates: None,
        }
    }

    /// One prompt that says that the cases bring their own messages.
    pub(crate) fn of_messages(format: &'static str) -> Self {
        let mut set = Self::new(format);
        set.prompts.push(Prompt { text: String::new(), label: String::new(), is_left_out: false });
        set
    }

    /// What renders the templates of the set's checks; `None` where they have none.
    #[must_use]
    pub fn templates(&self) -> Option<&Templates> {
        self.templates.as_ref()
    }

    /// Counts something that is left out.
    pub(crate) fn leave_out(&mut self, what: &str, count: u64) {
        if count > 0 && (self.left_out.len() < NOTES_MAX || self.left_out.contains_key(what)) {
            let so_far = self.left_out.entry(what.to_owned()).or_default();
            *so_far = so_far.saturating_add(count);
        }
    }

    /// Says something once.
    pub(crate) fn warn(&mut self, words: impl Into<String>) {
        let words = words.into();
        if self.warnings.len() < NOTES_MAX && !self.warnings.contains(&words) {
            self.warnings.push(words);
        }
    }
}
