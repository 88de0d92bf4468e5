//! The text of FILE → the resources in it, as Envoy is given them, or every mistake at once.
//!
//! FILE is what Envoy itself would watch: a discovery response in YAML or JSON. What `check` refuses is refused here.
//!
//! Envoy remembers what it was given, also where it refused it, and takes the same bytes for known the second time: it then says that
//! it runs them, and does not. So no two answers have the same bytes. They differ in blanks behind the filter's configuration, which mean
//! nothing to the filter.

mod variants;

use super::TYPE_URL;
use crate::error::{Error, Problem};
use crate::plugin::{self, PathSegment};
use crate::warnings;
use llm_canary::config::json::Node;
use ring::digest::{SHA256, digest};
use std::fmt::Write;
use std::sync::Arc;

/// So many bytes of the hash are a version: two different texts do not have the same.
const VERSION_BYTES: usize = 8;

/// A resource: the configuration of one filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resource {
    /// The name of the filter in the listener.
    pub(crate) name: String,
    /// Of what is served: the same text has the same version, also after a restart and on another machine.
    pub(crate) version: String,
    /// As JSON, on one line.
    json: Arc<str>,
    /// Where blanks may stand in it; `None` in what is no configuration of ours.
    blanks_at: Option<usize>,
}

/// The resources of a text, and warnings about it; `name` is the file's.
///
/// # Errors
/// Everything that is wrong with the text.
pub(crate) fn read(name: &str, bytes: &[u8]) -> Result<(Vec<Resource>, Vec<String>), Error> {
    let plugins = plugin::parse(name, bytes)?;
    if plugins.is_empty() {
        return Err(plugin::none_found(name));
    }
    let mut problems = Vec::new();
    let mut said = plugin::unread_parts(name, bytes);
    for plugin in &plugins {
        match plugin.config() {
            Err(errors) => problems.extend(plugin.problems(&errors)),
            Ok((config, tree)) => {
                let doubts = warnings::find(&config, tree, plugin.gets_bodies());
                let words = |doubt: &llm_canary::config::Error| {
                    Problem::new(&plugin.place, &doubt.path, &doubt.message).to_string()
                };
                said.extend(doubts.iter().map(words));
            }
        }
    }
    if !problems.is_empty() {
        return Err(Error::invalid(problems));
    }
    let documents = plugin::plain_documents(name, bytes)?;
    let wrong = |path: String, message: &str| Problem::new(name, &path, message);
    let document = match documents.as_slice() {
        [document] if document.get("resources").is_some() => document,
        [_] => {
            return Err(Error::invalid(vec![wrong(
                String::new(),
                "has no resources; give a file that Envoy could watch, such as envoy/ecds/llm-canary.yaml",
            )]));
        }
        _ => {
            return Err(Error::invalid(vec![wrong(
                String::new(),
                &format!("has {} documents; Envoy takes one, with the field resources", documents.len()),
            )]));
        }
    };
    let items = document.get("resources").map(Node::items).unwrap_or_default();
    let mut resources: Vec<Resource> = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let inside = plugins.iter().find_map(|plugin| within(&plugin.path, index));
        match resource(item, inside) {
            Err((field, words)) => problems.push(wrong(format!("resources[{index}]{field}"), &words)),
            Ok(resource) if resources.iter().any(|other| other.name == resource.name) => {
                problems.push(wrong(
                    format!("resources[{index}].name"),
                    &format!(
                        "is {:?}, as that of another resource; each needs a name of its own",
                        resource.name
                    ),
                ))
            }
            Ok(resource) => resources.push(resource),
        }
    }
    if problems.is_empty() { Ok((resources, said)) } else { Err(Error::invalid(problems)) }
}

/// One resource, or the field that is wrong and why.
fn resource(item: &Node, inside: Option<&[PathSegment]>) -> Result<Resource, (&'static str, String)> {
    let text = |node: &Node, name: &str| node.get(name).and_then(Node::as_str).map(str::to_owned);
    let kind = text(item, "@type").unwrap_or_default();
    if kind != TYPE_URL {
        return Err((".@type", format!("is {kind:?}, and must be {TYPE_URL:?}")));
    }
    let name = text(item, "name").filter(|name| !name.is_empty()).ok_or_else(|| {
        (".name", "is missing; write the name of the filter in the listener's http_filters".to_owned())
    })?;
    if item.get("typed_config").and_then(|config| text(config, "@type")).is_none() {
        return Err((
            ".typed_config",
            "is missing, or has no @type; write the filter's configuration there".to_owned(),
        ));
    }
    let (json, blanks_at) = variants::prepared(item, inside.unwrap_or_default());
    Ok(Resource { name, version: version(json.as_bytes()), json: json.into(), blanks_at })
}

/// The path in a resource to the configuration in it, if that is where this path leads.
fn within(path: &[PathSegment], index: usize) -> Option<&[PathSegment]> {
    match path {
        [PathSegment::Document(_), PathSegment::Member(_), PathSegment::Item(item), inside @ ..] => {
            (*item == index).then_some(inside)
        }
        _ => None,
    }
}

impl Resource {
    /// As JSON; each number gives other bytes with the same meaning.
    pub(super) fn variant(&self, number: u16) -> String {
        let split = self.blanks_at.and_then(|at| self.json.split_at_checked(at));
        let Some((head, tail)) = split else { return self.json.to_string() };
        format!("{head}{}{tail}", variants::blanks(number))
    }
}

/// The version of a text.
pub(super) fn version(text: &[u8]) -> String {
    let digest = digest(&SHA256, text);
    digest.as_ref().iter().take(VERSION_BYTES).fold(String::new(), |mut hex, byte| {
        // A text can always be written to.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
