//! Parts of a text that were not read, though they may be meant for llm-canary.
//!
//! In: the text. Out: a sentence for each part.

use super::config_map::{self, is_for_a_program};
use super::{
    ACCEPTED_FILES, Documents, ENVELOPE_FIELDS, OUR_FIELDS, OUR_NAMES, PathSegment, PluginConfig, find,
    is_configuration,
};
use crate::base64;
use crate::suggest::is_misspelled;
use llm_canary::config::json::Node;

/// The parts of a text that were not read, though they may be meant for llm-canary, as sentences. If a text has one part
/// only, that is an error already.
pub(crate) fn unread_parts(name: &str, bytes: &[u8]) -> Vec<String> {
    let mut unread = Vec::new();
    let Ok(documents) = Documents::new(bytes) else { return unread };
    let is_alone = documents.read.len() == 1 && documents.broken.is_empty();
    for (index, document) in documents.read.iter().enumerate() {
        let document_number = documents.number(index);
        let mut wholly_unread = Vec::new();
        let mut check = |part: &Node, place: String| {
            if may_be_meant(part) && !holds_any(part) {
                wholly_unread.push(place.clone());
                unread.push(format!(
                    "{name}: document {document_number}{place} was not read, though it may be meant for llm-canary: it is none \
                     of what this tool reads; {ACCEPTED_FILES}"
                ));
            }
        };
        let is_list = document.get("kind").and_then(Node::as_str).is_some_and(|kind| kind.ends_with("List"));
        let list = if is_list { "items" } else { "resources" };
        match document.get(list) {
            Some(Node::List(items)) => {
                // Kustomize lists names of files there.
                let items = items.iter().enumerate().filter(|(_, item)| is_list || item.as_str().is_none());
                items.for_each(|(at, item)| check(item, format!(", {list}[{at}]")));
            }
            _ if !is_alone => check(document, String::new()),
            _ => {}
        }
        let mut path = vec![PathSegment::Document(index)];
        let mut read = Vec::new();
        if is_configuration(document, false) {
            continue;
        }
        find(document, &mut path, &mut read);
        let mut walk = Walk { read: &read, found: Vec::new() };
        walk.node(document, &mut path);
        let start = if is_alone { String::new() } else { format!("document {document_number}, ") };
        let is_new = |place: &String| {
            !wholly_unread.iter().any(|whole| format!(", {place}").starts_with(whole.as_str()))
        };
        let found = walk.found.into_iter().filter(|(place, _)| is_new(place));
        unread.extend(found.map(|(place, why)| format!("{name}: {start}{place} was not read, {why}")));
    }
    unread
}

/// A search for what looks like a configuration, and is none of those that are read.
struct Walk<'a> {
    read: &'a [PluginConfig],
    /// The place of each, and why it is named.
    found: Vec<(String, String)>,
}

impl Walk<'_> {
    fn node(&mut self, node: &Node, path: &mut Vec<PathSegment>) {
        if self.read.iter().any(|plugin| plugin.path == *path) {
            return;
        }
        if looks_like_a_configuration(node) {
            let why = if node.get("rollouts").is_some() {
                format!("it is none of what this tool reads; {ACCEPTED_FILES}")
            } else {
                "it has no field \"rollouts\"; check the spelling of its fields".to_owned()
            };
            let why = format!("though it may be meant for llm-canary: {why}");
            self.found.push((place(path), why));
            return;
        }
        if node.get("kind").and_then(Node::as_str) == Some("ConfigMap") {
            self.files_without_text(node, path);
        }
        match node {
            Node::String(text) if path.iter().rev().nth(1) == Some(&member("binaryData")) => {
                if let Some(text) = base64::decode(text).and_then(|bytes| String::from_utf8(bytes).ok()) {
                    path.push(PathSegment::Base64);
                    self.text(&text, path);
                    path.pop();
                }
            }
            Node::String(text) => self.text(text, path),
            _ => {}
        }
        let members = node.members().iter().map(|(name, value)| (member(name), value));
        let items = node.items().iter().enumerate().map(|(at, item)| (PathSegment::Item(at), item));
        for (segment, inner) in members.chain(items) {
            path.push(segment);
            self.node(inner, path);
            path.pop();
        }
    }

    /// The documents of a text within the text.
    fn text(&mut self, text: &str, path: &mut Vec<PathSegment>) {
        // Most texts are none, and scripts and pages are not parsed.
        if !MARKS.iter().all(|mark| text.contains(mark)) && !text.to_ascii_lowercase().contains("rol") {
            return;
        }
        // The only document of a text is one that was read.
        let is_read = |plugin: &PluginConfig| {
            plugin.path.strip_prefix(path.as_slice()) == Some([PathSegment::Document(0)].as_slice())
        };
        if self.read.iter().any(is_read) && !text.contains("\n---") && !text.contains("\n...") {
            return;
        }
        let texts = path.iter().filter(|segment| matches!(segment, PathSegment::Document(_))).count();
        if texts >= TEXTS_MAX {
            return;
        }
        let Ok(documents) = Documents::new(text.as_bytes()) else { return };
        for (index, document) in documents.read.iter().enumerate() {
            // Any text is a document of YAML: a string, which is that text again.
            if document.as_str().is_some() {
                continue;
            }
            path.push(PathSegment::Document(index));
            self.node(document, path);
            path.pop();
        }
    }

    fn files_without_text(&mut self, resource: &Node, path: &mut Vec<PathSegment>) {
        for (file, why) in config_map::files_without_text(resource) {
            if file.contains('.') && is_for_a_program(file)
                || OUR_NAMES.iter().any(|ours| file.contains(ours))
            {
                path.extend([member("binaryData"), member(file)]);
                self.found.push((place(path), format!("because it {why}; write the text into data")));
                path.truncate(path.len() - 2);
            }
        }
    }
}

/// How deep texts in one another are searched.
const TEXTS_MAX: usize = 8;
/// Fields of a rollout that few other texts have together.
const MARKS: [&str; 2] = ["baseline", "versions"];

/// Whether a value is a rollout, or has a list of rollouts under that name or a misspelled one.
fn looks_like_a_configuration(node: &Node) -> bool {
    let is_list =
        |name: &str, value: &Node| matches!(value, Node::List(_)) && is_misspelled(name, "rollouts");
    MARKS.iter().all(|mark| node.get(mark).is_some())
        || node.members().iter().any(|(name, value)| is_list(name, value))
}

fn member(name: &str) -> PathSegment {
    PathSegment::Member(name.to_owned())
}

/// `data.a.yaml`, `resources[0].typed_config`: the way to a value from its document.
fn place(path: &[PathSegment]) -> String {
    let mut text = String::new();
    for segment in path.iter().skip(1) {
        match segment {
            PathSegment::Member(name) if text.is_empty() => text.push_str(name),
            PathSegment::Member(name) => text.extend([".", name.as_str()]),
            PathSegment::Item(index) => text.push_str(&format!("[{index}]")),
            PathSegment::Document(0) | PathSegment::Base64 => {}
            PathSegment::Document(index) => text.push_str(&format!(", document {},", index + 1)),
        }
    }
    text
}

/// Whether a part of a text is a configuration, or holds one.
fn holds_any(part: &Node) -> bool {
    let mut plugins = Vec::new();
    find(part, &mut Vec::new(), &mut plugins);
    is_configuration(part, false) || !plugins.is_empty()
}

/// Whether a part of a text without a configuration should hold one: it is no resource, or has rollouts somewhere.
fn may_be_meant(part: &Node) -> bool {
    fn has_rollouts(node: &Node) -> bool {
        node.get("rollouts").is_some()
            || node.as_str().is_some_and(|text| text.contains("\"rollouts\""))
            || node.members().iter().any(|(_, inner)| has_rollouts(inner))
            || node.items().iter().any(has_rollouts)
    }
    let is_resource = ENVELOPE_FIELDS.iter().chain(&["@type"]).any(|name| part.get(name).is_some());
    !is_resource || has_rollouts(part)
}

/// Whether a text may hold something of ours, valid or not: it names llm-canary, or has the fields of a rollout.
pub(crate) fn may_be_ours(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let has = |mark: &&str| text.contains(*mark);
    OUR_NAMES.iter().any(has) || has(&"rollouts") && MARKS.iter().all(has)
}

impl PluginConfig {
    /// Whether this is a configuration by more than being JSON, which many files are.
    pub(crate) fn is_surely_ours(&self) -> bool {
        let is_whole_file = self.path.len() == 1;
        let has_our_fields = |tree: &Node| OUR_FIELDS.iter().any(|name| tree.get(name).is_some());
        !is_whole_file || self.tree.as_ref().map_or(true, has_our_fields)
    }
}
