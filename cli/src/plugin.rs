//! Finds llm-canary's configurations in the text of a file.
//!
//! In: JSON or YAML, one document or several: the configuration itself, Envoy's discovery response or
//! bootstrap, Istio's WasmPlugin, TrafficExtension or EnvoyFilter, or a list of those. Out: each llm-canary
//! configuration, and its place. Other plugins are ignored.

use crate::error::{Error, Problem};
use llm_canary::config::json::{self, Node};
use llm_canary::config::{self, Config, Errors};

/// Parts of a plugin's name or URL that mark it as llm-canary.
const OUR_NAMES: [&str; 2] = ["llm-canary", "llm_canary"];

/// The longest text of YAML. A configuration in it is far shorter, but its lines may be indented, and others stand beside it.
const YAML_BYTES_MAX: usize = 16 << 20;

/// One segment of the path to a value in a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PathSegment {
    /// The member of an object.
    Member(String),
    /// The item of a list.
    Item(usize),
}

/// One configuration, and its place.
pub(crate) struct PluginConfig {
    /// The file, and the resource or the path in it; messages begin with it.
    pub(crate) place: String,
    /// The index of the document in the file.
    pub(crate) document: usize,
    /// The path to the configuration in the document.
    pub(crate) path: Vec<PathSegment>,
    /// Whether the value there is JSON text, and not the configuration itself.
    pub(crate) is_text: bool,
    /// The configuration as a tree, or why it cannot be read.
    pub(crate) tree: Result<Node, Errors>,
}

/// What to give the tool.
pub(crate) const ACCEPTED_FILES: &str = "give the plugin's own JSON or YAML, an Envoy discovery file, or an Istio \
    WasmPlugin or TrafficExtension whose plugin is named llm-canary";

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

/// The error about a text without a configuration.
pub(crate) fn none_found(name: &str) -> Error {
    Error::problem(name, format!("holds no llm-canary configuration; {ACCEPTED_FILES}"))
}

impl PluginConfig {
    /// The configuration as the filter reads it, and its tree.
    pub(crate) fn config(&self) -> Result<(Config, &Node), Errors> {
        let tree = self.tree.as_ref().map_err(Errors::clone)?;
        if !self.is_text {
            // Istio hands it over as JSON without blanks, whose length is limited as that of any other.
            let mut text = String::new();
            write_json(tree, &mut text);
            json::parse(text.as_bytes())?;
        }
        Ok((Config::from_json(tree)?, tree))
    }

    /// Errors of this configuration, with its place.
    pub(crate) fn problems(&self, errors: &Errors) -> Vec<Problem> {
        let mut problems: Vec<Problem> =
            errors.iter().map(|error| Problem::new(&self.place, &error.path, &error.message)).collect();
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
    for (index, document) in documents(name, bytes)?.into_iter().enumerate() {
        let first = plugins.len();
        if is_configuration(&document, is_json(bytes)) {
            // The filter reads this text itself, so its limit on the length holds.
            let tree = if is_json(bytes) { json::parse(bytes) } else { Ok(document) };
            let (place, path) = (String::new(), Vec::new());
            plugins.push(PluginConfig { place, document: index, path, is_text: false, tree });
        } else {
            find(&document, &mut Vec::new(), &mut plugins);
        }
        plugins.iter_mut().skip(first).for_each(|plugin| plugin.document = index);
    }
    for plugin in &mut plugins {
        let inside = if plugin.place.is_empty() { String::new() } else { format!(": {}", plugin.place) };
        plugin.place = format!("{name}{inside}");
    }
    Ok(plugins)
}

/// Whether a text is read as JSON: it starts with a brace or a bracket. JSON's errors are clearer than YAML's.
pub(crate) fn is_json(bytes: &[u8]) -> bool {
    bytes.trim_ascii_start().first().is_none_or(|&b| b == b'{' || b == b'[')
}

/// Whether a document is the configuration itself, valid or not. A YAML document must have one of our fields, because
/// most YAML is something else.
fn is_configuration(document: &Node, is_json: bool) -> bool {
    let has = |name: &&str| document.get(name).is_some();
    let is_envelope = ["kind", "apiVersion", "resources", "static_resources"].iter().any(has);
    !is_envelope && (is_json || OUR_FIELDS.iter().any(has))
}

/// The documents of a text.
fn documents(name: &str, bytes: &[u8]) -> Result<Vec<Node>, Error> {
    if is_json(bytes) {
        let problem = |error: &config::Error| Problem::new(name, &error.path, &error.message);
        let invalid = |errors: Errors| Error::invalid(errors.iter().map(problem).collect());
        return json::parse_of_any_length(bytes).map(|tree| vec![tree]).map_err(invalid);
    }
    if bytes.len() > YAML_BYTES_MAX {
        let message = format!("has {} bytes, and at most {YAML_BYTES_MAX} are read", bytes.len());
        return Err(Error::problem(name, message));
    }
    let text =
        std::str::from_utf8(bytes).map_err(|error| Error::problem(name, format!("is not UTF-8: {error}")))?;
    serde_saphyr::from_multiple(text)
        .map_err(|error| Error::problem(name, format!("is not YAML: {}", error.without_snippet())))
}

/// Adds the configurations at and below a node.
fn find(node: &Node, path: &mut Vec<PathSegment>, plugins: &mut Vec<PluginConfig>) {
    let kind = node.get("kind").and_then(Node::as_str);
    if let Some(kind @ ("WasmPlugin" | "TrafficExtension")) = kind {
        find_istio(node, kind, path, plugins);
    } else {
        find_envoy(node, path, plugins);
    }
}

fn find_istio(resource: &Node, kind: &str, path: &[PathSegment], plugins: &mut Vec<PluginConfig>) {
    let spec = resource.get("spec");
    let wasm = spec.and_then(|spec| spec.get("wasm"));
    let field = |name| [wasm, spec].into_iter().flatten().find_map(|node| node.get(name));
    let config = field("pluginConfig");
    let name = resource.get("metadata").and_then(|metadata| metadata.get("name")).and_then(Node::as_str);
    let names = [name, field("pluginName").and_then(Node::as_str), field("url").and_then(Node::as_str)];
    let has_rollouts = config.is_some_and(|config| config.get("rollouts").is_some());
    if has_rollouts || is_ours(&names) {
        let place = format!("{kind} {}", name.unwrap_or("without a name"));
        // Without pluginConfig the plugin starts with an empty configuration.
        let tree =
            config.cloned().ok_or_else(|| Errors::one("spec.pluginConfig", "is missing; write it there"));
        let is_inner = wasm.is_some_and(|wasm| wasm.get("pluginConfig").is_some());
        let inside: &[&str] =
            if is_inner { &["spec", "wasm", "pluginConfig"] } else { &["spec", "pluginConfig"] };
        let inside = inside.iter().map(|name| PathSegment::Member((*name).to_owned()));
        let path = path.iter().cloned().chain(inside).collect();
        plugins.push(PluginConfig { place, document: 0, path, is_text: false, tree });
    }
}

/// Searches Envoy's configuration: a Wasm plugin is an object with a VM or a root id.
fn find_envoy(node: &Node, path: &mut Vec<PathSegment>, plugins: &mut Vec<PluginConfig>) {
    if node.get("vm_config").is_some() || node.get("root_id").is_some() {
        let text = |name| node.get(name).and_then(Node::as_str);
        let configuration = node.get("configuration");
        let value = configuration.and_then(|node| node.get("value")).and_then(Node::as_str);
        let has_rollouts = value.is_some_and(|value| value.contains("\"rollouts\""));
        if has_rollouts || is_ours(&[text("name"), text("root_id")]) {
            let inside = ["configuration", "value"].map(|name| PathSegment::Member(name.to_owned()));
            let path: Vec<PathSegment> = path.iter().cloned().chain(inside).collect();
            let tree = envoy_value(configuration, value);
            plugins.push(PluginConfig { place: path_text(&path), document: 0, path, is_text: true, tree });
        }
        return;
    }
    let members = node.members().iter().map(|(name, member)| (PathSegment::Member(name.clone()), member));
    let items = node.items().iter().enumerate().map(|(i, item)| (PathSegment::Item(i), item));
    for (segment, inner) in members.chain(items) {
        path.push(segment);
        find(inner, path, plugins);
        path.pop();
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

/// `resources[0].typed_config`
fn path_text(path: &[PathSegment]) -> String {
    let mut text = String::new();
    for segment in path {
        match segment {
            PathSegment::Member(name) if text.is_empty() => text.push_str(name),
            PathSegment::Member(name) => text.extend([".", name.as_str()]),
            PathSegment::Item(index) => text.push_str(&format!("[{index}]")),
        }
    }
    text
}
