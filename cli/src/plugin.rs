//! Finds llm-canary's configurations in the text of a file.
//!
//! In: JSON or YAML, one document or several: the configuration itself, Envoy's discovery response or
//! bootstrap, Istio's WasmPlugin, TrafficExtension or EnvoyFilter, a ConfigMap with files of these, or a list of those. Out:
//! each llm-canary configuration, and its place. Other plugins are ignored.

use crate::error::{Error, Problem};
use crate::yaml;
use llm_canary::config::json::{self, Node};
use llm_canary::config::{Config, Errors};

/// Parts of a plugin's name or URL that mark it as llm-canary.
const OUR_NAMES: [&str; 2] = ["llm-canary", "llm_canary"];

/// Ends the type of a resource by which Envoy discovers a filter's configuration.
const DISCOVERED: &str = "envoy.config.core.v3.TypedExtensionConfig";

/// One segment of the path to a value in a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PathSegment {
    /// The member of an object.
    Member(String),
    /// The item of a list.
    Item(usize),
    /// The document with this index, of the text that stands here.
    Document(usize),
}

/// One configuration, and its place.
pub(crate) struct PluginConfig {
    /// The file, and the resource or the path in it; messages begin with it.
    pub(crate) place: String,
    /// The path to the configuration, which begins with the document in the file.
    pub(crate) path: Vec<PathSegment>,
    /// The name under which Envoy discovers it, if the document says it.
    pub(crate) discovered_as: Option<String>,
    /// The configuration as a tree, or why it cannot be read.
    pub(crate) tree: Result<Node, Errors>,
}

/// What a ConfigMap's file has somewhere if it may be ours.
const OUR_WORDS: [&str; 3] = ["rollouts", "llm-canary", "llm_canary"];
/// The ends of names of files that hold configurations.
const CONFIGURATION_FILES: [&str; 3] = [".json", ".yaml", ".yml"];
/// The longest text that is read. A configuration in it is far shorter, but its lines may be indented, and others stand
/// beside it.
pub(crate) const TEXT_BYTES_MAX: usize = 16 << 20;

/// What to give the tool.
pub(crate) const ACCEPTED_FILES: &str = "give the plugin's own JSON or YAML, an Envoy discovery file, a ConfigMap with \
    one, or an Istio WasmPlugin or TrafficExtension whose plugin is named llm-canary";

/// A document with one of these fields is a resource, or Envoy's.
const ENVELOPE_FIELDS: [&str; 4] = ["kind", "apiVersion", "resources", "static_resources"];

/// A YAML document with one of these fields is the configuration itself.
const OUR_FIELDS: [&str; 4] = ["rollouts", "cluster_header", "version_header", "version_on_response"];

/// The only configuration in a text; `name` is the file's.
///
/// # Errors
/// Every error of the configuration, or why there is not exactly one.
pub(crate) fn parse_one(name: &str, bytes: &[u8]) -> Result<Config, Error> {
    let plugins = parse(name, bytes)?;
    let [plugin] = plugins.as_slice() else {
        return Err(match plugins.as_slice() {
            [] => none_found(name),
            _ => {
                let places: Vec<&str> = plugins.iter().map(|plugin| plugin.place.as_str()).collect();
                let places = places.join(", ");
                Error::problem(name, format!("has several configurations, {places}; give a file with one"))
            }
        });
    };
    let (config, _) = plugin.config().map_err(|errors| Error::invalid(plugin.problems(&errors)))?;
    Ok(config)
}

/// What is wrong with a text of more than [`TEXT_BYTES_MAX`] bytes, without its subject.
pub(crate) fn too_long() -> String {
    format!("is larger than {TEXT_BYTES_MAX} bytes; give a file with the configuration and little else")
}

/// The error about a text without a configuration.
pub(crate) fn none_found(name: &str) -> Error {
    Error::problem(name, format!("holds no llm-canary configuration; {ACCEPTED_FILES}"))
}

impl PluginConfig {
    /// The configuration as the filter reads it, and its tree.
    pub(crate) fn config(&self) -> Result<(Config, &Node), Errors> {
        let tree = self.tree.as_ref().map_err(Errors::clone)?;
        Ok((Config::from_json(tree)?, tree))
    }

    /// Errors of this configuration, with its place.
    pub(crate) fn problems(&self, errors: &Errors) -> Vec<Problem> {
        let mut problems = problems(&self.place, errors);
        if errors.left_out() > 0 {
            let message = format!("has {} more errors; fix these first", errors.left_out());
            problems.push(Problem::new(&self.place, "", &message));
        }
        problems
    }
}

/// Every llm-canary configuration in a text, which may be none; `name` is the file's.
///
/// # Errors
/// The text is neither JSON nor YAML, or too long.
pub(crate) fn parse(name: &str, bytes: &[u8]) -> Result<Vec<PluginConfig>, Error> {
    let mut plugins = Vec::new();
    find_in_text(bytes, true, &mut Vec::new(), &mut plugins)
        .map_err(|errors| Error::invalid(problems(name, &errors)))?;
    for plugin in &mut plugins {
        let inside = if plugin.place.is_empty() { String::new() } else { format!(": {}", plugin.place) };
        plugin.place = format!("{name}{inside}");
    }
    Ok(plugins)
}

/// The parts of a text that were not read, though they may be meant for llm-canary, as sentences. If a text has one part
/// only, that is an error already.
pub(crate) fn unread_parts(name: &str, bytes: &[u8]) -> Vec<String> {
    let mut unread = Vec::new();
    let documents = documents(bytes).unwrap_or_default();
    let is_alone = documents.len() == 1;
    for (index, document) in documents.iter().enumerate() {
        let document_number = index + 1;
        let mut check = |part: &Node, place: String| {
            if may_be_meant(part) && !holds_any(part) {
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
    }
    unread
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

/// Whether a text is read as JSON: it starts with a brace or a bracket. JSON's errors are clearer than YAML's.
pub(crate) fn is_json(bytes: &[u8]) -> bool {
    bytes.trim_ascii_start().first().is_none_or(|&b| b == b'{' || b == b'[')
}

/// Whether a document is the configuration itself, valid or not. A YAML document must have one of our fields, because
/// most YAML is something else.
fn is_configuration(document: &Node, is_json: bool) -> bool {
    let has = |name: &&str| document.get(name).is_some();
    !ENVELOPE_FIELDS.iter().any(has) && (is_json || OUR_FIELDS.iter().any(has))
}

fn problems(name: &str, errors: &Errors) -> Vec<Problem> {
    errors.iter().map(|error| Problem::new(name, &error.path, &error.message)).collect()
}

/// The documents of a text.
fn documents(bytes: &[u8]) -> Result<Vec<Node>, Errors> {
    if bytes.len() > TEXT_BYTES_MAX {
        return Err(Errors::one("", too_long()));
    }
    if is_json(bytes) {
        return json::parse_of_any_length(bytes).map(|tree| vec![tree]);
    }
    let text = utf8(bytes).map_err(|message| Errors::one("", message))?;
    yaml::documents(text).map_err(|message| Errors::one("", message))
}

/// Bytes as text.
///
/// # Errors
/// A sentence without its subject.
pub(crate) fn utf8(bytes: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(bytes).map_err(|error| {
        let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let line = before.iter().filter(|b| **b == b'\n').count() + 1;
        format!("is not UTF-8: line {line} has a byte that UTF-8 does not allow; save the text as UTF-8")
    })
}

/// Adds the configurations in a text; `path` leads to it. If the text is JSON and `is_ours`, it is a configuration unless it
/// is a resource.
fn find_in_text(
    text: &[u8],
    is_ours: bool,
    path: &mut Vec<PathSegment>,
    plugins: &mut Vec<PluginConfig>,
) -> Result<(), Errors> {
    for (index, document) in documents(text)?.into_iter().enumerate() {
        path.push(PathSegment::Document(index));
        if is_configuration(&document, is_ours && is_json(text)) {
            // The filter reads JSON as it stands here, with its blanks.
            let tree = if is_json(text) { json::parse(text) } else { within_limits(document) };
            plugins.push(PluginConfig {
                place: String::new(),
                path: path.clone(),
                discovered_as: None,
                tree,
            });
        } else {
            find(&document, path, plugins);
        }
        path.pop();
    }
    Ok(())
}

/// A configuration that Istio hands over as JSON without blanks, whose length is limited as that of any other.
fn within_limits(tree: Node) -> Result<Node, Errors> {
    let mut text = String::new();
    write_json(&tree, &mut text);
    json::parse(text.as_bytes()).map(|_| tree)
}

/// Adds the configurations at and below a node.
fn find(node: &Node, path: &mut Vec<PathSegment>, plugins: &mut Vec<PluginConfig>) {
    match node.get("kind").and_then(Node::as_str) {
        Some(kind @ ("WasmPlugin" | "TrafficExtension")) => find_istio(node, kind, path, plugins),
        Some("ConfigMap") => find_config_map(node, path, plugins),
        _ => find_envoy(node, path, plugins),
    }
}

/// Adds the configurations in a ConfigMap's files. A file of others that cannot be read is none of ours.
fn find_config_map(resource: &Node, path: &[PathSegment], plugins: &mut Vec<PluginConfig>) {
    let name = resource.get("metadata").and_then(|metadata| metadata.get("name")).and_then(Node::as_str);
    for (file, text) in resource.get("data").map(Node::members).unwrap_or_default() {
        let may_be_ours = |text: &&str| OUR_WORDS.iter().any(|word| text.contains(word));
        let Some(text) = text.as_str().filter(may_be_ours) else { continue };
        let mut path = path.to_vec();
        path.extend(["data", file].map(|name| PathSegment::Member(name.to_owned())));
        let first = plugins.len();
        match find_in_text(text.as_bytes(), false, &mut path, plugins) {
            Err(errors)
                if !file.contains('.') || CONFIGURATION_FILES.iter().any(|end| file.ends_with(end)) =>
            {
                plugins.push(PluginConfig {
                    place: String::new(),
                    path,
                    discovered_as: None,
                    tree: Err(errors),
                });
            }
            Ok(()) | Err(_) => {}
        }
        for plugin in plugins.iter_mut().skip(first) {
            let inside = if plugin.place.is_empty() { String::new() } else { format!(": {}", plugin.place) };
            plugin.place = format!("ConfigMap {}: data.{file}{inside}", name.unwrap_or("without a name"));
        }
    }
}

fn find_istio(resource: &Node, kind: &str, path: &[PathSegment], plugins: &mut Vec<PluginConfig>) {
    let spec = resource.get("spec");
    let wasm = spec.and_then(|spec| spec.get("wasm"));
    let field = |name| [wasm, spec].into_iter().flatten().find_map(|node| node.get(name));
    let config = field("pluginConfig");
    let name = resource.get("metadata").and_then(|metadata| metadata.get("name")).and_then(Node::as_str);
    let names = [name, field("pluginName").and_then(Node::as_str), field("url").and_then(Node::as_str)];
    let has_our_fields = config.is_some_and(|config| match config {
        Node::String(text) => text.contains("rollouts"),
        config => OUR_FIELDS.iter().any(|name| config.get(name).is_some()),
    });
    if has_our_fields || is_ours(&names) {
        let place = format!("{kind} {}", name.unwrap_or("without a name"));
        // Without pluginConfig the plugin starts with an empty configuration.
        let tree = config
            .cloned()
            .ok_or_else(|| Errors::one("spec.pluginConfig", "is missing; write it there"))
            .and_then(within_limits);
        let is_inner = wasm.is_some_and(|wasm| wasm.get("pluginConfig").is_some());
        let inside: &[&str] =
            if is_inner { &["spec", "wasm", "pluginConfig"] } else { &["spec", "pluginConfig"] };
        let inside = inside.iter().map(|name| PathSegment::Member((*name).to_owned()));
        let path = path.iter().cloned().chain(inside).collect();
        plugins.push(PluginConfig { place, path, discovered_as: None, tree });
    }
}

/// Searches Envoy's configuration: a Wasm plugin is an object with a VM or a root id.
fn find_envoy(node: &Node, path: &mut Vec<PathSegment>, plugins: &mut Vec<PluginConfig>) {
    if node.get("vm_config").is_some() || node.get("root_id").is_some() {
        let text = |name| node.get(name).and_then(Node::as_str);
        let configuration = node.get("configuration");
        let value = configuration.and_then(|node| node.get("value")).and_then(Node::as_str);
        let as_object =
            configuration.and_then(|node| node.get("value")).and_then(|node| node.get("rollouts"));
        let has_rollouts = as_object.is_some() || value.is_some_and(|value| value.contains("rollouts"));
        if has_rollouts || is_ours(&[text("name"), text("root_id")]) {
            let inside = ["configuration", "value"].map(|name| PathSegment::Member(name.to_owned()));
            let mut path: Vec<PathSegment> = path.iter().cloned().chain(inside).collect();
            let place = path_text(&path);
            path.push(PathSegment::Document(0));
            let tree = envoy_value(configuration, value);
            plugins.push(PluginConfig { place, path, discovered_as: None, tree });
        }
        return;
    }
    let first = plugins.len();
    let members = node.members().iter().map(|(name, member)| (PathSegment::Member(name.clone()), member));
    let items = node.items().iter().enumerate().map(|(i, item)| (PathSegment::Item(i), item));
    for (segment, inner) in members.chain(items) {
        path.push(segment);
        find(inner, path, plugins);
        path.pop();
    }
    if node.get("@type").and_then(Node::as_str).is_some_and(|kind| kind.ends_with(DISCOVERED)) {
        let name = node.get("name").and_then(Node::as_str);
        plugins.iter_mut().skip(first).for_each(|plugin| plugin.discovered_as = name.map(str::to_owned));
    }
}

fn envoy_value(configuration: Option<&Node>, value: Option<&str>) -> Result<Node, Errors> {
    let kind = configuration.and_then(|node| node.get("@type")).and_then(Node::as_str).unwrap_or_default();
    match value {
        Some(value) if kind.ends_with("google.protobuf.StringValue") => json::parse(value.as_bytes()),
        _ => Err(Errors::one(
            "",
            "does not reach the plugin as JSON; write \"configuration\": {\"@type\": \
             \"type.googleapis.com/google.protobuf.StringValue\", \"value\": \"{...}\"}",
        )),
    }
}

/// Writes a tree as JSON without blanks.
fn write_json(node: &Node, out: &mut String) {
    let write_text = |text: &str, out: &mut String| out.push_str(&serde_json::Value::from(text).to_string());
    match node {
        Node::Null => out.push_str("null"),
        Node::Bool(value) => out.push_str(&value.to_string()),
        Node::Number(number) => out.push_str(&number.to_string()),
        Node::String(text) => write_text(text, out),
        Node::List(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                write_json(item, out);
            }
            out.push(']');
        }
        Node::Object(members) => {
            out.push('{');
            for (index, (name, member)) in members.iter().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                write_text(name, out);
                out.push(':');
                write_json(member, out);
            }
            out.push('}');
        }
    }
}

fn is_ours(names: &[Option<&str>]) -> bool {
    names.iter().flatten().any(|name| OUR_NAMES.iter().any(|ours| name.contains(ours)))
}

/// `resources[0].typed_config`, in the innermost document.
fn path_text(path: &[PathSegment]) -> String {
    let mut text = String::new();
    for segment in path {
        match segment {
            PathSegment::Member(name) if text.is_empty() => text.push_str(name),
            PathSegment::Member(name) => text.extend([".", name.as_str()]),
            PathSegment::Item(index) => text.push_str(&format!("[{index}]")),
            PathSegment::Document(_) => text.clear(),
        }
    }
    text
}
