//! Configurations in Istio's WasmPlugin and TrafficExtension.

use super::{PathSegment, PluginConfig, has_our_fields, is_ours, within_limits};
use llm_canary::config::json::Node;
use llm_canary::config::{Errors, HostKind};

/// Adds the configuration in a resource of this kind.
pub(super) fn find_istio(resource: &Node, kind: &str, path: &[PathSegment], plugins: &mut Vec<PluginConfig>) {
    let spec = resource.get("spec");
    let wasm = spec.and_then(|spec| spec.get("wasm"));
    let field = |name| [wasm, spec].into_iter().flatten().find_map(|node| node.get(name));
    let config = field("pluginConfig");
    let name = resource.get("metadata").and_then(|metadata| metadata.get("name")).and_then(Node::as_str);
    let names = [name, field("pluginName").and_then(Node::as_str), field("url").and_then(Node::as_str)];
    if config.is_some_and(has_our_fields) || is_ours(&names) {
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
        plugins.push(PluginConfig::new(place, path, tree).on(HostKind::WebAssembly));
    }
}
