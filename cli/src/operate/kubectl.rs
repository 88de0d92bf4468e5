//! A live resource, read and patched through kubectl, which brings its own credentials.
//!
//! The patch replaces the configuration, and tests first that nobody changed the resource since it was read.

use crate::Failure;
use crate::source::Part;
use serde_json::{Value, json};
use std::io;
use std::process::{Command, Stdio};

/// A resource as it was read.
pub(super) struct Resource {
    /// What it is called: `wasmplugin/llm-canary`.
    pub(super) name: String,
    /// Its kind, name and specification as JSON.
    pub(super) text: String,
    version: String,
    /// Options that say where it is.
    place: Vec<String>,
}

impl Resource {
    pub(super) fn get(name: &str, namespace: Option<&str>, context: Option<&str>) -> Result<Self, Failure> {
        let Some((kind, _)) =
            name.split_once('/').filter(|(kind, name)| !kind.is_empty() && !name.is_empty())
        else {
            return Err(Failure::new(format!(
                "--kubectl changes a resource, and {name:?} names none; write one such as wasmplugin/llm-canary"
            )));
        };
        let known = ["wasmplugin", "trafficextension", "envoyfilter"];
        if !known.iter().any(|known| kind.to_ascii_lowercase().starts_with(known)) {
            let words = format!(
                "--kubectl changes a wasmplugin, a trafficextension or an envoyfilter, not a {kind:?}"
            );
            return Err(Failure::new(words));
        }
        let mut place = Vec::new();
        for (option, value) in [("--namespace", namespace), ("--context", context)] {
            if let Some(value) = value {
                place.extend([option.to_owned(), value.to_owned()]);
            }
        }
        let found = kubectl(&place, &["get", name, "--output=json"])?;
        let found: Value = serde_json::from_slice(&found)
            .map_err(|error| Failure::new(format!("kubectl get {name} gave no JSON: {error}")))?;
        let at = |pointer| found.pointer(pointer).cloned().unwrap_or(Value::Null);
        let version = at("/metadata/resourceVersion").as_str().unwrap_or_default().to_owned();
        if version.is_empty() {
            return Err(Failure::new(format!("kubectl get {name} gave no resource with a resourceVersion")));
        }
        let shown =
            json!({"kind": at("/kind"), "metadata": {"name": at("/metadata/name")}, "spec": at("/spec")});
        let text = format!("{shown:#}\n");
        Ok(Self { name: name.to_owned(), text, version, place })
    }

    /// Puts what now stands at a path of the text into the resource.
    pub(super) fn patch(&self, text: &str, path: &[Part], dry_run: bool) -> Result<(), Failure> {
        let pointer: String = path
            .iter()
            .map(|part| match part {
                Part::Member(name) => format!("/{}", name.replace('~', "~0").replace('/', "~1")),
                Part::Item(index) => format!("/{index}"),
            })
            .collect();
        let changed: Value = serde_json::from_str(text).unwrap_or_default();
        let Some(value) = changed.pointer(&pointer) else {
            return Err(Failure::new(format!("{} has nothing at {pointer}", self.name)));
        };
        let patch = json!([
            {"op": "test", "path": "/metadata/resourceVersion", "value": self.version},
            {"op": "replace", "path": pointer, "value": value},
        ]);
        let patch = format!("--patch={patch}");
        let dry_run = dry_run.then_some("--dry-run=server");
        let arguments = ["patch", &self.name, "--type=json", &patch, "--output=name"];
        let arguments: Vec<&str> = arguments.into_iter().chain(dry_run).collect();
        kubectl(&self.place, &arguments).map(drop).map_err(|Failure(words)| {
            let is_changed = words.contains("resourceVersion") || words.contains("Conflict");
            let hint = if is_changed { "; somebody changed it meanwhile, run the command again" } else { "" };
            Failure::new(format!("{words}{hint}; nothing was changed"))
        })
    }
}

/// What a run of kubectl prints.
fn kubectl(place: &[String], arguments: &[&str]) -> Result<Vec<u8>, Failure> {
    let ran = Command::new("kubectl").args(place).args(arguments).stdin(Stdio::null()).output();
    let ran = ran.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Failure::new("kubectl is not installed, or not on the PATH"),
        _ => Failure::new(format!("kubectl cannot be started: {error}")),
    })?;
    if ran.status.success() {
        return Ok(ran.stdout);
    }
    let words = arguments.iter().take(2).copied().collect::<Vec<_>>().join(" ");
    let error = String::from_utf8_lossy(&ran.stderr);
    Err(Failure::new(format!("kubectl {words}: {}", error.trim())))
}
