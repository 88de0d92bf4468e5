//! A live resource, read and patched with kubectl, which has the operator's credentials.
//!
//! The patch replaces the configuration. It first tests that nobody has changed the resource since it was read.

use super::clock::Clock;
use super::target::{Target, Write};
use crate::error::Error;
use crate::plugin::PathSegment;
use serde_json::{Value, json};
use std::io;
use std::process::{Command, Stdio};

/// Istio's control plane gathers changes before it pushes them to every proxy.
const LEAD_MS: u64 = 15_000;

/// Runs kubectl.
pub(crate) trait Kubectl {
    /// The standard output of a run with these arguments.
    fn run(&self, arguments: &[&str]) -> Result<Vec<u8>, Error>;
}

/// The program `kubectl` on the PATH.
pub(crate) struct KubectlProgram;

/// A resource as it was read.
pub(crate) struct LiveResource<'a> {
    kubectl: &'a dyn Kubectl,
    /// Kind and name: `wasmplugin/llm-canary`.
    name: String,
    /// Kind, name and specification as JSON.
    text: String,
    version: String,
    /// The options that say where it is.
    place: Vec<String>,
}

impl<'a> LiveResource<'a> {
    pub(crate) fn get(
        kubectl: &'a dyn Kubectl,
        name: &str,
        namespace: Option<&str>,
        context: Option<&str>,
    ) -> Result<Self, Error> {
        let Some((kind, _)) =
            name.split_once('/').filter(|(kind, name)| !kind.is_empty() && !name.is_empty())
        else {
            return Err(Error::refused(format!(
                "--kubectl changes a resource, and {name:?} is not the name of one; write wasmplugin/llm-canary or the like"
            )));
        };
        let known = ["wasmplugin", "trafficextension", "envoyfilter"];
        if !known.iter().any(|known| kind.to_ascii_lowercase().starts_with(known)) {
            return Err(Error::refused(format!(
                "--kubectl changes a wasmplugin, a trafficextension or an envoyfilter, not a {kind:?}"
            )));
        }
        let mut place = Vec::new();
        for (option, value) in [("--namespace", namespace), ("--context", context)] {
            if let Some(value) = value {
                place.extend([option.to_owned(), value.to_owned()]);
            }
        }
        let get = [place.iter().map(String::as_str).collect(), vec!["get", name, "--output=json"]].concat();
        let json = kubectl.run(&get)?;
        let resource: Value = serde_json::from_slice(&json)
            .map_err(|error| Error::refused(format!("kubectl get {name} printed no JSON: {error}")))?;
        let at = |pointer| resource.pointer(pointer).cloned().unwrap_or(Value::Null);
        let version = at("/metadata/resourceVersion").as_str().unwrap_or_default().to_owned();
        if version.is_empty() {
            let message = format!("kubectl get {name} printed no resource with a resourceVersion");
            return Err(Error::refused(message));
        }
        let shown =
            json!({"kind": at("/kind"), "metadata": {"name": at("/metadata/name")}, "spec": at("/spec")});
        let text = format!("{shown:#}\n");
        Ok(Self { kubectl, name: name.to_owned(), text, version, place })
    }

    /// Replaces the configuration in the resource with that of the text.
    fn patch(&self, text: &str, path: &[PathSegment], dry_run: bool) -> Result<(), Error> {
        let pointer: String = path
            .iter()
            .map(|segment| match segment {
                PathSegment::Member(name) => format!("/{}", name.replace('~', "~0").replace('/', "~1")),
                PathSegment::Item(index) => format!("/{index}"),
            })
            .collect();
        let changed: Value = serde_json::from_str(text).unwrap_or_default();
        let Some(value) = changed.pointer(&pointer) else {
            return Err(Error::problem(&self.name, format!("has nothing at {pointer}")));
        };
        let patch = json!([
            {"op": "test", "path": "/metadata/resourceVersion", "value": self.version},
            {"op": "replace", "path": pointer, "value": value},
        ]);
        let patch = format!("--patch={patch}");
        let mut arguments: Vec<&str> = self.place.iter().map(String::as_str).collect();
        arguments.extend(["patch", &self.name, "--type=json", &patch, "--output=name"]);
        arguments.extend(dry_run.then_some("--dry-run=server"));
        self.kubectl.run(&arguments).map(drop).map_err(|error| {
            let message = error.to_string();
            let is_conflict = message.contains("resourceVersion") || message.contains("Conflict");
            let hint = if is_conflict {
                "; somebody else changed the resource meanwhile, run the command again"
            } else {
                ""
            };
            Error::refused(format!("{message}{hint}; nothing was changed"))
        })
    }
}

impl Target for LiveResource<'_> {
    fn name(&self) -> &str {
        &self.name
    }

    fn text(&self) -> &str {
        &self.text
    }

    fn lead_ms(&self) -> u64 {
        LEAD_MS
    }

    fn dry_run(&self, text: &str, path: &[PathSegment]) -> Result<(), Error> {
        self.patch(text, path, true)
    }

    fn write(&self, text: &str, path: &[PathSegment], clock: &dyn Clock) -> Result<Write, Error> {
        self.patch(text, path, false)?;
        Ok(Write { at: clock.elapsed(), warning: None })
    }
}

impl Kubectl for KubectlProgram {
    fn run(&self, arguments: &[&str]) -> Result<Vec<u8>, Error> {
        let ran = Command::new("kubectl").args(arguments).stdin(Stdio::null()).output();
        let ran = ran.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Error::refused("kubectl is not installed, or not on the PATH"),
            _ => Error::refused(format!("kubectl cannot be started: {error}")),
        })?;
        if ran.status.success() {
            return Ok(ran.stdout);
        }
        // The patch itself may be long.
        let shown: Vec<&str> =
            arguments.iter().copied().filter(|argument| !argument.starts_with("--patch=")).collect();
        let said = String::from_utf8_lossy(&ran.stderr);
        Err(Error::refused(format!("kubectl {}: {}", shown.join(" "), said.trim())))
    }
}
