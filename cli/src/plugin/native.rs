//! Configurations of the native module: in Envoy's DynamicModuleFilter, and in Envoy Gateway's EnvoyExtensionPolicy, which can hold
//! a Wasm plugin as well.

use super::{PathSegment, PluginConfig, has_our_fields, is_ours, names_our_module, path_text, within_limits};
use llm_canary::config::json::{self, Node};
use llm_canary::config::{Errors, HostKind};

/// The only filter in the module.
const FILTER_NAME: &str = "llm-canary";
/// The lists in an EnvoyExtensionPolicy that may hold the filter, and the host of each.
const POLICY_LISTS: [(&str, HostKind); 2] =
    [("dynamicModule", HostKind::Native), ("wasm", HostKind::WebAssembly)];

/// Adds the configuration of a native filter, if this is one. Returns false if this is something else, which may hold one.
pub(super) fn find_module(node: &Node, path: &[PathSegment], plugins: &mut Vec<PluginConfig>) -> bool {
    // The settings of a route have a module as well.
    let Some(module) =
        node.get("dynamic_module_config").filter(|_| node.get("per_route_config_name").is_none())
    else {
        return false;
    };
    let config = node.get("filter_config");
    let value = config.and_then(|config| config.get("value"));
    let name = node.get("filter_name").and_then(Node::as_str);
    if value.is_some_and(has_our_fields) || names_our_module(module) || is_ours(&[name]) {
        let inside = ["filter_config", "value"].map(|name| PathSegment::Member(name.to_owned()));
        let mut path: Vec<PathSegment> = path.iter().cloned().chain(inside).collect();
        let place = path_text(&path);
        // A text is a document of its own.
        path.extend(value.and_then(Node::as_str).map(|_| PathSegment::Document(0)));
        let tree = names_our_filter(name, "filter_name").and_then(|()| filter_config(config));
        let is_struct = matches!(value, Some(Node::Object(_)));
        plugins.push(PluginConfig { is_struct, ..PluginConfig::new(place, path, tree).on(HostKind::Native) });
    }
    true
}

/// Whether a filter has the name that the module knows; `field` is where it stands.
fn names_our_filter(name: Option<&str>, field: &str) -> Result<(), Errors> {
    match name {
        Some(FILTER_NAME) => Ok(()),
        Some(other) => Err(format!("is of a filter with the {field} {other:?}")),
        None => Err(format!("is of a filter without {field}")),
    }
    .map_err(|words| {
        Errors::one("", format!("{words}, which the module refuses; write {FILTER_NAME:?} there"))
    })
}

/// What Envoy passes to the module, by the type: a text as it is, and an object as JSON.
fn filter_config(config: Option<&Node>) -> Result<Node, Errors> {
    let kind = config.and_then(|config| config.get("@type")).and_then(Node::as_str).unwrap_or_default();
    match config.and_then(|config| config.get("value")) {
        Some(Node::String(text)) if kind.ends_with("google.protobuf.StringValue") => {
            json::parse(text.as_bytes())
        }
        Some(object @ Node::Object(_)) if kind.ends_with("google.protobuf.Struct") => {
            within_limits(object.clone())
        }
        _ => Err(Errors::one(
            "",
            "does not reach the module as JSON; write \"filter_config\": {\"@type\": \
             \"type.googleapis.com/google.protobuf.StringValue\", \"value\": \"{...}\"}, or a google.protobuf.Struct with an \
             object as its value",
        )),
    }
}

/// Adds the configurations in an EnvoyExtensionPolicy. Envoy Gateway writes `config` as JSON and passes that on.
pub(super) fn find_envoy_gateway(resource: &Node, path: &[PathSegment], plugins: &mut Vec<PluginConfig>) {
    let name = resource.get("metadata").and_then(|metadata| metadata.get("name")).and_then(Node::as_str);
    let place = format!("EnvoyExtensionPolicy {}", name.unwrap_or("without a name"));
    for (list, host) in POLICY_LISTS {
        let items = resource.get("spec").and_then(|spec| spec.get(list)).map(Node::items).unwrap_or_default();
        for (index, item) in items.iter().enumerate() {
            let config = item.get("config");
            let names = ["name", "filterName", "rootID"].map(|name| item.get(name).and_then(Node::as_str));
            if !config.is_some_and(has_our_fields) && !is_ours(&names) {
                continue;
            }
            let is_named = match host {
                HostKind::Native => {
                    names_our_filter(item.get("filterName").and_then(Node::as_str), "filterName")
                }
                HostKind::WebAssembly => Ok(()),
            };
            let tree = is_named.and_then(|()| match config {
                Some(object @ Node::Object(_)) => within_limits(object.clone()),
                Some(_) => Err(Errors::one(
                    format!("spec.{list}[{index}].config"),
                    "is no object; write it as one, because a text would reach the filter in quotes",
                )),
                None => Err(Errors::one(
                    format!("spec.{list}[{index}].config"),
                    "is missing; write the configuration there as an object",
                )),
            });
            let path = path.iter().cloned().chain([
                PathSegment::Member("spec".to_owned()),
                PathSegment::Member(list.to_owned()),
                PathSegment::Item(index),
                PathSegment::Member("config".to_owned()),
            ]);
            plugins.push(PluginConfig::new(place.clone(), path.collect(), tree).on(host));
        }
    }
}

impl PluginConfig {
    /// Whether Envoy hands over the body of a request that waits for it. A WasmPlugin, a TrafficExtension and the wasm of an
    /// EnvoyExtensionPolicy cannot have it do so. A configuration by itself does not say where it stands.
    pub(crate) fn gets_bodies(&self) -> bool {
        let is = |segment: &PathSegment, wanted: &str| matches!(segment, PathSegment::Member(name) if name == wanted);
        match self.path.as_slice() {
            [.., last] if is(last, "pluginConfig") => false,
            [.., list, PathSegment::Item(_), last] => !(is(list, "wasm") && is(last, "config")),
            _ => true,
        }
    }
}
