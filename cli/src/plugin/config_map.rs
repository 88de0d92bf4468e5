//! Configurations in the files of a ConfigMap: texts in `data`, and texts in base64 in `binaryData`.

use super::{PathSegment, PluginConfig, find_in_text, put_name, utf8};
use crate::base64;
use llm_canary::config::json::Node;

/// What a ConfigMap's file has somewhere if it may be ours.
pub(super) const OUR_WORDS: [&str; 3] = ["rollouts", "llm-canary", "llm_canary"];
/// The ends of names of files that hold configurations.
const CONFIGURATION_FILES: [&str; 3] = [".json", ".yaml", ".yml"];

/// One file of a ConfigMap.
struct File<'a> {
    name: &'a str,
    /// Its text, or why it has none.
    text: Result<String, &'static str>,
    is_base64: bool,
}

/// Adds the configurations in a ConfigMap's files. A file of others that cannot be read is none of ours.
pub(super) fn find_config_map(resource: &Node, path: &[PathSegment], plugins: &mut Vec<PluginConfig>) {
    let name = resource.get("metadata").and_then(|metadata| metadata.get("name")).and_then(Node::as_str);
    let name = name.unwrap_or("without a name");
    for File { name: file, text, is_base64 } in files(resource) {
        let Ok(text) = text else { continue };
        if !OUR_WORDS.iter().any(|word| text.contains(word)) {
            continue;
        }
        let field = if is_base64 { "binaryData" } else { "data" };
        let mut path = path.to_vec();
        path.extend([field, file].map(|name| PathSegment::Member(name.to_owned())));
        path.extend(is_base64.then_some(PathSegment::Base64));
        let first = plugins.len();
        let is_for_a_program = is_for_a_program(file);
        match find_in_text(text.as_bytes(), false, &mut path, plugins) {
            Err(errors) if is_for_a_program => {
                plugins.push(PluginConfig::new(String::new(), path, Err(errors)));
            }
            // Of any other text, a part may look like a document.
            Ok(()) if !is_for_a_program && plugins.iter().skip(first).all(|plugin| plugin.tree.is_err()) => {
                plugins.truncate(first);
            }
            Ok(()) | Err(_) => {}
        }
        put_name(Some(file), plugins.get_mut(first..));
        for plugin in plugins.iter_mut().skip(first) {
            let inside = if plugin.place.is_empty() { String::new() } else { format!(": {}", plugin.place) };
            plugin.place = format!("ConfigMap {name}: {field}.{file}{inside}");
            plugin.decoded = is_base64.then(|| text.clone());
        }
    }
}

/// Whether a file of this name holds a program's configuration, rather than a script or a page.
pub(super) fn is_for_a_program(file: &str) -> bool {
    !file.contains('.') || CONFIGURATION_FILES.iter().any(|end| file.ends_with(end))
}

/// The files in `binaryData` that hold no text, and why.
pub(super) fn files_without_text(resource: &Node) -> Vec<(&str, &'static str)> {
    files(resource).into_iter().filter_map(|file| Some((file.name, file.text.err()?))).collect()
}

fn files(resource: &Node) -> Vec<File<'_>> {
    let members = |field| resource.get(field).map(Node::members).unwrap_or_default().iter();
    let texts = members("data").filter_map(|(name, text)| {
        Some(File { name, text: Ok(text.as_str()?.to_owned()), is_base64: false })
    });
    let encoded = members("binaryData").filter_map(|(name, text)| {
        let text = base64::decode(text.as_str()?).ok_or("is no base64");
        let text = text.and_then(|bytes| {
            utf8(&bytes)
                .map(str::to_owned)
                .map_err(|_| "holds bytes that are no text, such as a compressed file")
        });
        Some(File { name, text, is_base64: true })
    });
    texts.chain(encoded).collect()
}
