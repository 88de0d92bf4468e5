//! Finds llm-canary's configurations in the text of a file.
//!
//! In: JSON or YAML, one document or several: the configuration itself, Envoy's discovery response or
//! bootstrap, Istio's WasmPlugin, TrafficExtension or EnvoyFilter, Envoy Gateway's EnvoyExtensionPolicy, a ConfigMap with files
//! of these, or a list of those. Out: each llm-canary configuration, its place, and the host that reads it. Other plugins and
//! modules are ignored.

mod config_map;
mod documents;
mod istio;
mod native;
mod unread;

use crate::error::{Error, Problem};
use crate::yaml;
use llm_canary::config::json::{self, Node};
use llm_canary::config::{Config, Errors, HostKind};

use config_map::find_config_map;
use documents::Documents;
pub(crate) use documents::{TEXT_BYTES_MAX, is_json, plain_documents, readable, too_long, utf8};
use istio::find_istio;
use native::{find_envoy_gateway, find_module};
pub(crate) use unread::{may_be_ours, unread_parts};

/// Parts of a name, a file or a URL that mark a plugin or a module as llm-canary.
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
    /// The text that stands here in base64.
    Base64,
    /// The document with this index, of the text that stands here.
    Document(usize),
}

/// One configuration, and its place.
pub(crate) struct PluginConfig {
    /// The file, and the resource or the path in it; messages begin with it.
    pub(crate) place: String,
    /// The path to the configuration, which begins with the document in the file.
    pub(crate) path: Vec<PathSegment>,
    /// The host that reads it, if what holds it says so.
    pub(crate) host: Option<HostKind>,
    /// The name under which Envoy discovers it, if the document says it.
    pub(crate) discovered_as: Option<String>,
    /// The names of what holds it, the outermost first: namespace, resource, file.
    names: Vec<String>,
    /// Whether Envoy itself reads it as a google.protobuf.Struct.
    is_struct: bool,
    /// The text that holds it, where that stands in base64, so that a change can be shown.
    pub(crate) decoded: Option<String>,
    /// The configuration as a tree, or why it cannot be read.
    pub(crate) tree: Result<Node, Errors>,
    /// Values that programs read differently.
    doubtful: Option<Errors>,
}

/// What to give the tool.
pub(crate) const ACCEPTED_FILES: &str = "give the plugin's own JSON or YAML, an Envoy discovery file, a ConfigMap with \
    one, or an Istio WasmPlugin or TrafficExtension, or an EnvoyExtensionPolicy, whose plugin is named llm-canary";

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
        let unreadable =
            plugins.iter().filter_map(|plugin| Some(plugin.problems(plugin.tree.as_ref().err()?)));
        let unreadable: Vec<Problem> = unreadable.flatten().collect();
        return Err(if plugins.is_empty() {
            none_found(name)
        } else if unreadable.is_empty() {
            let places: Vec<&str> = plugins.iter().map(|plugin| plugin.place.as_str()).collect();
            let places = places.join(", ");
            Error::problem(name, format!("has several configurations, {places}; give a file with one"))
        } else {
            Error::invalid(unreadable)
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
    /// A configuration of which only its place and its tree are known.
    fn new(place: String, path: Vec<PathSegment>, tree: Result<Node, Errors>) -> PluginConfig {
        PluginConfig {
            place,
            path,
            host: None,
            discovered_as: None,
            names: Vec::new(),
            is_struct: false,
            decoded: None,
            tree,
            doubtful: None,
        }
    }

    /// The same, in what only this host reads.
    fn on(self, host: HostKind) -> PluginConfig {
        PluginConfig { host: Some(host), ..self }
    }

    /// The configuration as the filter reads it, and its tree.
    pub(crate) fn config(&self) -> Result<(Config, &Node), Errors> {
        // This host does all that can be configured.
        self.config_for(HostKind::WebAssembly)
    }

    /// The same; `host` reads it if nothing says who does.
    pub(crate) fn config_for(&self, host: HostKind) -> Result<(Config, &Node), Errors> {
        let tree = self.tree.as_ref().map_err(Errors::clone)?;
        let config = Config::from_json(tree, self.host.unwrap_or(host))?;
        self.doubtful.clone().map_or(Ok((config, tree)), Err)
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

    /// The ways to name its place, the shortest first: `a.yaml`, `llm`, `llm/a.yaml`.
    pub(crate) fn labels(&self) -> Vec<String> {
        let count = self.names.len();
        let runs = (1..=count).flat_map(|length| self.names.windows(length).rev().map(|run| run.join("/")));
        runs.collect()
    }
}

/// Every llm-canary configuration in a text, which may be none; `name` is the file's.
///
/// # Errors
/// The text is neither JSON nor YAML, or too long.
pub(crate) fn parse(name: &str, bytes: &[u8]) -> Result<Vec<PluginConfig>, Error> {
    let mut plugins = Vec::new();
    // Envoy reads a file of this name as JSON.
    let must_be_json = name.ends_with(".json");
    let has_braces = bytes.trim_ascii_start().starts_with(b"{");
    let found = if must_be_json && has_braces && !is_json(bytes) {
        json::parse_of_any_length(bytes).map(drop)
    } else {
        find_in_text(bytes, true, &mut Vec::new(), &mut plugins)
    };
    found.map_err(|errors| {
        let mut problems = problems(name, &errors);
        let is_yaml =
            !must_be_json && has_braces && utf8(bytes).is_ok_and(|text| yaml::documents(text).is_ok());
        if let Some(first) = problems.first_mut().filter(|_| is_yaml) {
            first.message.push_str(" (it is YAML; if that is meant, put a line --- before it)");
        }
        Error::invalid(problems)
    })?;
    for plugin in &mut plugins {
        let inside = if plugin.place.is_empty() { String::new() } else { format!(": {}", plugin.place) };
        plugin.place = format!("{name}{inside}");
    }
    Ok(plugins)
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

/// Adds the configurations in a text; `path` leads to it. If the text is JSON and `is_ours`, it is a configuration unless it
/// is a resource.
fn find_in_text(
    text: &[u8],
    is_ours: bool,
    path: &mut Vec<PathSegment>,
    plugins: &mut Vec<PluginConfig>,
) -> Result<(), Errors> {
    let Documents { read, broken } = Documents::new(text)?;
    for (number, message) in broken {
        plugins.push(PluginConfig::new(
            format!("document {number}"),
            path.clone(),
            Err(Errors::one("", message)),
        ));
    }
    let first = plugins.len();
    for (index, document) in read.into_iter().enumerate() {
        path.push(PathSegment::Document(index));
        if is_configuration(&document, is_ours && is_json(text)) {
            // The filter reads JSON as it stands here, with its blanks.
            let tree = if is_json(text) { json::parse(text) } else { within_limits(document) };
            plugins.push(PluginConfig::new(String::new(), path.clone(), tree));
        } else {
            find(&document, path, plugins);
        }
        path.pop();
    }
    if !is_json(text) {
        let found = plugins.get_mut(first..).unwrap_or_default();
        note_doubtful(text, path.len(), found);
    }
    Ok(())
}

/// Notes what programs read differently in the configurations that are YAML of this text; `depth` is the length of the path to the
/// text.
fn note_doubtful(text: &[u8], depth: usize, plugins: &mut [PluginConfig]) {
    let is_inside = |plugin: &PluginConfig| {
        let inside = plugin.path.get(depth + 1..).unwrap_or_default();
        !inside.iter().any(|segment| matches!(segment, PathSegment::Document(_) | PathSegment::Base64))
    };
    if !plugins.iter().any(is_inside) {
        return;
    }
    let text = readable(std::str::from_utf8(text).unwrap_or_default());
    let doubtful = yaml::doubtful::find(&text);
    for plugin in plugins.iter_mut().filter(|plugin| is_inside(plugin)) {
        let Some([PathSegment::Document(document), inside @ ..]) = plugin.path.get(depth..) else { continue };
        let names = inside.iter().map(|segment| match segment {
            PathSegment::Member(name) => name.clone(),
            PathSegment::Item(index) => format!("[{index}]"),
            PathSegment::Document(_) | PathSegment::Base64 => String::new(),
        });
        let names: Vec<String> = names.collect();
        let own = doubtful.iter().filter(|found| found.document == *document);
        let own = own.filter(|found| plugin.is_struct || !found.is_of_structs);
        let mut own =
            own.filter_map(|found| Some((found.path.strip_prefix(names.as_slice())?, &found.words)));
        let Some((path, words)) = own.next() else { continue };
        let path = path.join(".").replace(".[", "[");
        let more = match own.count() {
            0 => String::new(),
            more => format!(". There are {more} more such values"),
        };
        plugin.doubtful = Some(Errors::one(path, format!("{words}{more}")));
    }
}

/// A configuration that Istio hands over as JSON without blanks, whose length is limited as that of any other.
fn within_limits(tree: Node) -> Result<Node, Errors> {
    let mut text = String::new();
    write_json(&tree, &mut text);
    json::parse(text.as_bytes()).map(|_| tree)
}

/// Adds the configurations at and below a node.
fn find(node: &Node, path: &mut Vec<PathSegment>, plugins: &mut Vec<PluginConfig>) {
    let first = plugins.len();
    let kind = node.get("kind").and_then(Node::as_str);
    match kind {
        Some(kind @ ("WasmPlugin" | "TrafficExtension")) => find_istio(node, kind, path, plugins),
        Some("ConfigMap") => find_config_map(node, path, plugins),
        Some("EnvoyExtensionPolicy") => find_envoy_gateway(node, path, plugins),
        _ => find_envoy(node, path, plugins),
    }
    // A control plane reads a resource from JSON, and does not give Envoy YAML.
    let own = plugins.iter_mut().skip(first).filter(|_| kind.is_some());
    own.for_each(|plugin| plugin.is_struct = false);
    for name in ["name", "namespace"] {
        let name = node.get("metadata").filter(|_| kind.is_some()).and_then(|metadata| metadata.get(name));
        put_name(name.and_then(Node::as_str), plugins.get_mut(first..));
    }
}

/// Puts a name in front of the others of configurations.
fn put_name(name: Option<&str>, plugins: Option<&mut [PluginConfig]>) {
    for plugin in plugins.into_iter().flatten() {
        plugin.names.splice(0..0, name.map(str::to_owned));
    }
}

/// Searches Envoy's configuration: a Wasm plugin is an object with a VM or a root id, and a native filter has a module.
fn find_envoy(node: &Node, path: &mut Vec<PathSegment>, plugins: &mut Vec<PluginConfig>) {
    if node.get("vm_config").is_some() || node.get("root_id").is_some() {
        let text = |name| node.get(name).and_then(Node::as_str);
        let configuration = node.get("configuration");
        let value = configuration.and_then(|node| node.get("value")).and_then(Node::as_str);
        let as_object =
            configuration.and_then(|node| node.get("value")).and_then(|node| node.get("rollouts"));
        let has_rollouts = as_object.is_some() || value.is_some_and(|value| value.contains("rollouts"));
        let runs_ours = node.get("vm_config").is_some_and(names_our_module);
        if has_rollouts || runs_ours || is_ours(&[text("name"), text("root_id")]) {
            let inside = ["configuration", "value"].map(|name| PathSegment::Member(name.to_owned()));
            let mut path: Vec<PathSegment> = path.iter().cloned().chain(inside).collect();
            let place = path_text(&path);
            path.push(PathSegment::Document(0));
            let tree = envoy_value(configuration, value);
            plugins.push(PluginConfig::new(place, path, tree).on(HostKind::WebAssembly));
        }
        return;
    }
    if find_module(node, path, plugins) {
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
        put_name(name, plugins.get_mut(first..));
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
pub(crate) fn write_json(node: &Node, out: &mut String) {
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

/// Whether a value looks like a configuration of ours: as a text, or as an object.
fn has_our_fields(value: &Node) -> bool {
    match value {
        Node::String(text) => text.contains("rollouts"),
        value => OUR_FIELDS.iter().any(|name| value.get(name).is_some()),
    }
}

/// Whether this loads the filter's module: its file or address is somewhere in what describes the code.
fn names_our_module(node: &Node) -> bool {
    is_ours(&[node.as_str()])
        || node.members().iter().any(|(_, inner)| names_our_module(inner))
        || node.items().iter().any(names_our_module)
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
            PathSegment::Base64 => {}
            PathSegment::Document(_) => text.clear(),
        }
    }
    text
}
