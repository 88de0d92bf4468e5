//! A configuration that the tests share, and the tool run on files in one folder.

use crate::tool::{Folder, Ran};
use std::path::PathBuf;

pub(crate) fn run_with_input(args: &[&str], input: &[u8]) -> Ran {
    Folder::shared().run_with_input(args, input)
}

pub(crate) fn run(args: &[&str]) -> Ran {
    run_with_input(args, b"")
}

/// Writes a file where the tool runs; returns its name. Each test uses names of its own.
pub(crate) fn file(name: &str, text: &str) -> String {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(path, text).expect("the test's folder can be written");
    name.to_owned()
}

pub(crate) const CHAT: &str = r#"{
  "rollouts": [{
    "name": "chat",
    "match": {"hosts": ["llm.example.com"], "path_prefix": "/v1/"},
    "key": [{"header": "x-conversation-id"}, {"cookie": "conv"}, {"query": "c"},
            {"metadata": "jwt/sub", "kind": "user"}],
    "baseline": "v1",
    "versions": [{"name": "v1", "cluster": "llm-v1"}, {"name": "v2", "cluster": "llm-v2"}],
    "split": {"v2": 12.5},
    "overrides": [{"header": "x-llm-cohort", "values": ["staff", "beta"], "version": "v2"}]
  }]
}"#;
