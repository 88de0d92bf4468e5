//! Finds the plugin's configuration in the files it is kept in.
//!
//! In: JSON or YAML, one document or several: the configuration itself, Envoy's discovery response or
//! bootstrap, Istio's WasmPlugin, TrafficExtension or EnvoyFilter, or a list of those. Out: each llm-canary
//! configuration in it and where it was. Other plugins are left alone.

use crate::Failure;
use llm_canary::config::json::{self, INPUT_BYTES_MAX, Node};
use llm_canary::config::{Config, Errors};
use std::path::Path;

/// Names by which our plugin is known from others.
const OUR_NAMES: [&str; 2] = ["llm-canary", "llm_canary"];

/// A way down a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Into an object.
    Member(String),
    /// Into a list.
    Item(usize),
}

/// One configuration, and where it was found.
pub(crate) struct Plugin {
    /// The file, and the place in it.
    pub(crate) place: String,
    /// Which document of the file.
    pub(crate) document: usize,
    /// The way to the configuration in it.
    pub(crate) path: Vec<Part>,
    /// Whether JSON text stands there, rather than the configuration itself.
    pub(crate) is_text: bool,
    /// The configuration, or why it cannot be read.
    pub(crate) tree: Result<Node, Errors>,
}

/// What is said of a file without a configuration, and what to give instead.
pub(crate) const NONE_FOUND: &str = "holds no llm-canary configuration";
pub(crate) const GIVE_ONE: &str = "give the plugin's own JSON or YAML, an Envoy discovery file, or an Istio \
    WasmPlugin or TrafficExtension whose plugin is named llm-canary";

/// Fields by which a YAML document is known to be the configuration itself.
const OUR_FIELDS: [&str; 4] = ["rollouts", "cluster_header", "version_header", "version_on_response"];

/// Every llm-canary configuration in a file, which may be none.
pub(crate) fn read(path: &Path) -> Result<Vec<Plugin>, String> {
    let name = path.display().to_string();
    let bytes = std::fs::read(path).map_err(|error| format!("{name}: {error}"))?;
    parse(&name, &bytes)
}

/// The one configuration of a file; `None` where its errors have been printed.
pub(crate) fn config(path: &Path) -> Result<Option<Config>, Failure> {
    let plugins = read(path).map_err(Failure::new)?;
    if plugins.is_empty() {
        return Err(Failure::new(format!("{}: {NONE_FOUND}; {GIVE_ONE}", path.display())));
    }
    let [plugin] = plugins.as_slice() else {
        let places: Vec<&str> = plugins.iter().map(|plugin| plugin.place.as_str()).collect();
        let message = format!("{} has several configurations; give a file with one", places.join(", "));
        return Err(Failure::new(message));
    };
    match plugin.tree.clone().and_then(|tree| Config::from_json(&tree)) {
        Ok(config) => Ok(Some(config)),
        Err(errors) => {
            for line in errors.to_string().lines() {
                eprintln!("error: {}: {line}", plugin.place);
            }
            Ok(None)
        }
    }
}

/// Every llm-canary configuration in what such a file holds.
pub(crate) fn parse(name: &str, bytes: &[u8]) -> Result<Vec<Plugin>, String> {
    let mut plugins = Vec::new();
    for (index, document) in documents(name, bytes)?.into_iter().enumerate() {
        let first = plugins.len();
        if is_configuration(&document, is_json(bytes)) {
            let place = String::new();
            plugins.push(Plugin {
                place,
                document: index,
                path: Vec::new(),
                is_text: false,
                tree: Ok(document),
            });
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

/// What starts with a brace is JSON, whose errors say more than YAML's of the same text.
pub(crate) fn is_json(bytes: &[u8]) -> bool {
    bytes.trim_ascii_start().first().is_none_or(|&b| b == b'{' || b == b'[')
}

/// Whether a document is the plugin's configuration itself, right or wrong: YAML must show it, because
/// there is so much other YAML.
fn is_configuration(document: &Node, is_json: bool) -> bool {
    let has = |name: &&str| document.get(name).is_some();
    let is_envelope = ["kind", "apiVersion", "resources", "static_resources"].iter().any(has);
    !is_envelope && (is_json || OUR_FIELDS.iter().any(has))
}

/// The documents of a file.
fn documents(name: &str, bytes: &[u8]) -> Result<Vec<Node>, String> {
    if is_json(bytes) {
        return json::parse(bytes).map(|tree| vec![tree]).map_err(|errors| format!("{name}: {errors}"));
    }
    if bytes.len() > INPUT_BYTES_MAX {
        return Err(format!("{name}: is {} bytes, but at most {INPUT_BYTES_MAX} are read", bytes.len()));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| format!("{name}: is not UTF-8: {error}"))?;
    serde_saphyr::from_multiple(text)
        .map_err(|error| format!("{name}: is not YAML: {}", error.without_snippet()))
}

/// Adds what stands at a path of a document.
fn find(node: &Node, path: &mut Vec<Part>, plugins: &mut Vec<Plugin>) {
    let kind = node.get("kind").and_then(Node::as_str);
    if let Some(kind @ ("WasmPlugin" | "TrafficExtension")) = kind {
        find_istio(node, kind, path, plugins);
    } else {
        find_envoy(node, path, plugins);
    }
}

fn find_istio(resource: &Node, kind: &str, path: &[Part], plugins: &mut Vec<Plugin>) {
    let spec = resource.get("spec");
    let wasm = spec.and_then(|spec| spec.get("wasm"));
    let field = |name| [wasm, spec].into_iter().flatten().find_map(|node| node.get(name));
    let config = field("pluginConfig");
    let name = resource.get("metadata").and_then(|metadata| metadata.get("name")).and_then(Node::as_str);
    let names = [name, field("pluginName").and_then(Node::as_str), field("url").and_then(Node::as_str)];
    let has_rollouts = config.is_some_and(|config| config.get("rollouts").is_some());
    if has_rollouts || is_ours(&names) {
        let place = format!("{kind} {}", name.unwrap_or("without a name"));
        // Without pluginConfig the plugin is started with an empty configuration.
        let tree =
            config.cloned().ok_or_else(|| Errors::one("spec.pluginConfig", "is missing; write it there"));
        let is_inner = wasm.is_some_and(|wasm| wasm.get("pluginConfig").is_some());
        let way: &[&str] =
            if is_inner { &["spec", "wasm", "pluginConfig"] } else { &["spec", "pluginConfig"] };
        let way = way.iter().map(|name| Part::Member((*name).to_owned()));
        let path = path.iter().cloned().chain(way).collect();
        plugins.push(Plugin { place, document: 0, path, is_text: false, tree });
    }
}

/// Anything of Envoy's: a Wasm plugin is an object with a configuration and a VM.
fn find_envoy(node: &Node, path: &mut Vec<Part>, plugins: &mut Vec<Plugin>) {
    if node.get("vm_config").is_some() || node.get("root_id").is_some() {
        let text = |name| node.get(name).and_then(Node::as_str);
        let configuration = node.get("configuration");
        let value = configuration.and_then(|node| node.get("value")).and_then(Node::as_str);
        let has_rollouts = value.is_some_and(|value| value.contains("\"rollouts\""));
        if has_rollouts || is_ours(&[text("name"), text("root_id")]) {
            let way = ["configuration", "value"].map(|name| Part::Member(name.to_owned()));
            let path: Vec<Part> = path.iter().cloned().chain(way).collect();
            let tree = envoy_value(configuration, value);
            plugins.push(Plugin { place: in_words(&path), document: 0, path, is_text: true, tree });
        }
        return;
    }
    let members = node.members().iter().map(|(name, member)| (Part::Member(name.clone()), member));
    let items = node.items().iter().enumerate().map(|(i, item)| (Part::Item(i), item));
    for (part, inner) in members.chain(items) {
        path.push(part);
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

fn is_ours(names: &[Option<&str>]) -> bool {
    names.iter().flatten().any(|name| OUR_NAMES.iter().any(|ours| name.contains(ours)))
}

/// `resources[0].typed_config`
fn in_words(path: &[Part]) -> String {
    let mut words = String::new();
    for part in path {
        match part {
            Part::Member(name) if words.is_empty() => words.push_str(name),
            Part::Member(name) => words.extend([".", name.as_str()]),
            Part::Item(index) => words.push_str(&format!("[{index}]")),
        }
    }
    words
}
