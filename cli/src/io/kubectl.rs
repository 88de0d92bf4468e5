//! A live resource, read and patched with kubectl, which has the operator's credentials.
//!
//! The patch replaces the configuration. It names the version that was read, so the API server refuses it if somebody has
//! changed the resource since. It goes through kubectl's standard input: an argument is limited in length, and every user
//! of the machine can read it.

use super::clock::Clock;
use super::target::{Target, Write};
use crate::error::{Error, io_words};
use crate::kubernetes::{self, KINDS, Kind, failure, owner, shown};
use crate::plugin::PathSegment;
use crate::yaml;
use serde_json::{Value, json};
use std::io::{self, Write as _};
use std::process::{Command, Stdio};

/// How long one request may take. Without it kubectl waits for a silent server for ever.
const REQUEST_TIMEOUT: &str = "--request-timeout=30s";
/// Where a process finds its standard input as a file.
const STDIN: &str = "/dev/stdin";

/// Runs kubectl.
pub(crate) trait Kubectl {
    /// The standard output of a run with these arguments, and this on standard input.
    fn run(&self, arguments: &[&str], input: &[u8]) -> Result<Vec<u8>, KubectlError>;
}

/// Why a run of kubectl failed.
pub(crate) struct KubectlError {
    /// A sentence, with kubectl's own message.
    words: String,
    /// Whether the server may have done what it was asked.
    may_be_done: bool,
}

impl KubectlError {
    /// What kubectl wrote to standard error.
    pub(crate) fn said(stderr: &str) -> Self {
        let meaning = failure::explain(stderr);
        Self { words: meaning.words, may_be_done: meaning.may_be_done }
    }

    /// A sentence, with kubectl's own message.
    pub(super) fn words(&self) -> &str {
        &self.words
    }
}

/// The program `kubectl` on the PATH.
pub(crate) struct KubectlProgram;

/// A resource as it was read.
pub(crate) struct LiveResource<'a> {
    kubectl: &'a dyn Kubectl,
    /// Kind and name: `wasmplugin/llm-canary`.
    name: String,
    kind: Kind,
    /// What of it may hold a configuration, as YAML.
    text: String,
    version: String,
    note: Option<String>,
    warning: Option<String>,
    /// The options of each run: how long it may take, and where the resource is.
    place: Vec<String>,
}

impl<'a> LiveResource<'a> {
    pub(crate) fn get(
        kubectl: &'a dyn Kubectl,
        name: &str,
        namespace: Option<&str>,
        context: Option<&str>,
    ) -> Result<Self, Error> {
        let Some((kind_name, _)) = kubernetes::split_name(name) else {
            return Err(Error::refused(format!(
                "--kubectl changes a resource, and {name:?} is not the name of one; write wasmplugin/llm-canary or the like, \
                 or, to change a file, leave --kubectl out"
            )));
        };
        let Some(kind) = Kind::parse(kind_name) else {
            return Err(Error::refused(format!(
                "--kubectl changes {KINDS}, not a {kind_name:?}; to change a file, leave --kubectl out"
            )));
        };
        let mut place = vec![REQUEST_TIMEOUT.to_owned()];
        for (option, value) in [("--namespace", namespace), ("--context", context)] {
            if let Some(value) = value {
                place.extend([option.to_owned(), value.to_owned()]);
            }
        }
        let get = ["get", name, "--output=json", "--show-managed-fields"];
        let get = [place.iter().map(String::as_str).collect(), get.to_vec()].concat();
        let json = kubectl.run(&get, b"").map_err(|error| {
            let remedy = if error.may_be_done { "; run the command again" } else { "" };
            Error::refused(format!("{name} cannot be read: {}{remedy}", error.words))
        })?;
        let resource: Value = serde_json::from_slice(&json).unwrap_or_default();
        let version =
            resource.pointer("/metadata/resourceVersion").and_then(Value::as_str).unwrap_or_default();
        if version.is_empty() {
            return Err(Error::refused(format!(
                "{name} cannot be read: kubectl get printed no resource with a resourceVersion"
            )));
        }
        let mounted = (kind == Kind::ConfigMap).then(|| {
            "a mounted ConfigMap reaches its Pods within two minutes, and never where it is mounted by subPath; with --admin \
             add --timeout 3m"
                .to_owned()
        });
        let warning = owner::warning(&resource);
        let applied = if warning.is_none() { owner::note(&resource) } else { None };
        let notes: Vec<String> = mounted.into_iter().chain(applied).collect();
        Ok(Self {
            kubectl,
            name: name.to_owned(),
            kind,
            text: shown::text(&resource),
            version: version.to_owned(),
            note: (!notes.is_empty()).then(|| format!("{name}: {}", notes.join("; "))),
            warning: warning.map(|warning| format!("{name}: {warning}")),
            place,
        })
    }

    /// Replaces the configuration in the resource with that of the text.
    fn patch(&self, text: &str, path: &[PathSegment], dry_run: bool) -> Result<(), Error> {
        // A text within the resource is replaced as a whole.
        let outer = path.iter().skip(1).map_while(|segment| match segment {
            PathSegment::Member(name) => Some(format!("/{}", name.replace('~', "~0").replace('/', "~1"))),
            PathSegment::Item(index) => Some(format!("/{index}")),
            PathSegment::Base64 | PathSegment::Document(_) => None,
        });
        let pointer: String = outer.collect();
        let changed = yaml::json(text).unwrap_or_default();
        let Some(value) = changed.pointer(&pointer) else {
            return Err(Error::problem(&self.name, format!("has nothing at {pointer}; nothing was changed")));
        };
        let patch = json!([
            {"op": "replace", "path": "/metadata/resourceVersion", "value": self.version},
            {"op": "replace", "path": pointer, "value": value},
        ]);
        let mut arguments: Vec<&str> = self.place.iter().map(String::as_str).collect();
        let file = format!("--patch-file={STDIN}");
        arguments.extend(["patch", &self.name, "--type=json", &file, "--output=name"]);
        arguments.extend(dry_run.then_some("--dry-run=server"));
        self.kubectl.run(&arguments, patch.to_string().as_bytes()).map(drop).map_err(|error| {
            let consequence = if error.may_be_done && !dry_run {
                "it is not known whether the change was made; run the command again, which does nothing if it was"
            } else {
                "nothing was changed"
            };
            Error::refused(format!("{} cannot be changed: {}; {consequence}", self.name, error.words))
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
        self.kind.lead_ms()
    }

    fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }

    fn warning(&self) -> Option<&str> {
        self.warning.as_deref()
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
    fn run(&self, arguments: &[&str], input: &[u8]) -> Result<Vec<u8>, KubectlError> {
        let not_started = |error: io::Error| KubectlError {
            words: match error.kind() {
                io::ErrorKind::NotFound => "kubectl is not installed, or not on the PATH".to_owned(),
                _ => format!("kubectl cannot be started: it {}", io_words(&error)),
            },
            may_be_done: false,
        };
        let mut command = Command::new("kubectl");
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(not_started)?;
        let stdin = child.stdin.take();
        let ran = std::thread::scope(|scope| {
            // Kubectl may print before it has read everything. If it ends early, its message says why.
            scope.spawn(move || stdin.map(|mut stdin| stdin.write_all(input)));
            child.wait_with_output()
        });
        let ran = ran.map_err(|error| KubectlError {
            words: format!("kubectl's output cannot be read: it {}", io_words(&error)),
            may_be_done: true,
        })?;
        if ran.status.success() {
            return Ok(ran.stdout);
        }
        Err(KubectlError::said(&String::from_utf8_lossy(&ran.stderr)))
    }
}
