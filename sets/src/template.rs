//! Templates: text and variables → text.
//!
//! The engine is minijinja. Nunjucks, which promptfoo uses, differs in syntax ([`dialect`]), in how values print and what counts
//! as true ([`values`]), in filters ([`filters`]) and in methods ([`methods`]). Harnesses of Python use Jinja itself. A template cannot read files,
//! import others or call code. Its work and its output are limited.

mod dialect;
mod filters;
mod methods;
#[cfg(test)]
mod tests;
mod values;

use crate::limits::{RENDERED_BYTES_MAX, TEMPLATE_FUEL};
use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io::{self, Write};
use std::sync::Arc;

/// Whose templates these are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// promptfoo's.
    Nunjucks,
    /// Python's.
    Jinja,
}

/// Where `{{env.NAME}}` is looked up.
pub trait Variables: Debug + Send + Sync {
    /// The value of a variable of the environment, if a set may see it.
    fn get(&self, name: &str) -> Option<String>;
}

/// An environment without variables.
#[derive(Clone, Copy, Debug)]
pub struct NoVariables;

impl Variables for NoVariables {
    fn get(&self, _name: &str) -> Option<String> {
        None
    }
}

/// Renders templates of one dialect.
#[derive(Debug)]
pub struct Templates {
    engine: Environment<'static>,
    dialect: Dialect,
}

impl Templates {
    /// `own` are a set's own variables of the environment; they win over those of the process.
    #[must_use]
    pub fn new(dialect: Dialect, own: Map<String, Value>, process: Arc<dyn Variables>) -> Self {
        let mut engine = Environment::empty();
        engine.set_fuel(Some(TEMPLATE_FUEL));
        if let Ok(syntax) = SyntaxConfig::builder().keep_trailing_newline(true).build() {
            engine.set_syntax(syntax);
        }
        engine.set_undefined_behavior(UndefinedBehavior::Chainable);
        engine.set_auto_escape_callback(|_| AutoEscape::None);
        filters::add(&mut engine, dialect);
        if dialect == Dialect::Nunjucks {
            engine.set_formatter(|out, _, value| values::write(out, value));
            engine.set_unknown_method_callback(methods::of_javascript);
            engine.add_global("env", minijinja::Value::from_object(values::Env { own, process }));
        } else {
            engine.set_unknown_method_callback(methods::of_python);
        }
        Self { engine, dialect }
    }

    /// # Errors
    /// Why the template cannot be rendered: a sentence without its subject.
    pub fn render(&self, template: &str, variables: &Map<String, Value>) -> Result<String, String> {
        if !["{{", "{%", "{#"].iter().any(|mark| template.contains(mark)) {
            return Ok(template.to_owned());
        }
        let rewritten;
        let source = match self.dialect {
            Dialect::Nunjucks => {
                rewritten = dialect::to_jinja(template)?;
                &rewritten
            }
            Dialect::Jinja => template,
        };
        let context: BTreeMap<String, minijinja::Value> = variables
            .iter()
            .map(|(name, value)| (name.clone(), values::to_template(value, self.dialect)))
            .collect();
        let parsed = self.engine.template_from_str(source).map_err(|error| words(&error))?;
        let mut out = Limited { bytes: Vec::new(), is_full: false };
        let done = parsed.render_captured_to(minijinja::Value::from(context), &mut out);
        if out.is_full {
            return Err(format!("makes more than {} MiB of text", RENDERED_BYTES_MAX >> 20));
        }
        done.map_err(|error| words(&error)).map(drop)?;
        String::from_utf8(out.bytes).map_err(|_| "makes text that is not UTF-8".to_owned())
    }
}

fn words(error: &minijinja::Error) -> String {
    if error.kind() == ErrorKind::OutOfFuel {
        return format!("does not end within {TEMPLATE_FUEL} steps");
    }
    let place = error.line().map(|line| format!(" in line {line}")).unwrap_or_default();
    // `filter NAME is unknown`, `NAME is unknown`: only the name is taken over.
    let words = error.detail().unwrap_or_default().split_whitespace();
    let name = words.take_while(|word| *word != "is").last().unwrap_or_default();
    let what = match error.kind() {
        ErrorKind::UnknownFilter => format!("uses the filter {name:?}, which is not known"),
        ErrorKind::UnknownTest => format!("uses the test {name:?}, which is not known"),
        ErrorKind::UnknownFunction => format!("calls the function {name:?}, which is not known"),
        ErrorKind::UnknownMethod => "calls a method that is not known".to_owned(),
        ErrorKind::SyntaxError => "is a template that breaks off or breaks a rule".to_owned(),
        ErrorKind::UndefinedError => "asks for a part of something that is not there".to_owned(),
        ErrorKind::MissingArgument | ErrorKind::TooManyArguments => {
            "gives a filter or a function too few or too many values".to_owned()
        }
        _ => "computes something that cannot be computed".to_owned(),
    };
    format!("{what}{place}")
}

/// Output that ends at a limit.
struct Limited {
    bytes: Vec<u8>,
    is_full: bool,
}

impl Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len().saturating_add(bytes.len()) > RENDERED_BYTES_MAX {
            self.is_full = true;
            return Err(io::Error::other("full"));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
