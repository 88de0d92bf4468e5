//! How to take back what was done: commands, as words for a shell.

use super::journal::Event;
use super::text::Text;
use crate::analysis::Analysis;
use serde::Serialize;

/// A command, and what it does.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Undo {
    pub(crate) what: Text,
    pub(crate) command: Text,
}

/// The commands that take back what was done: the journal's, and those that always do.
pub(super) fn undo(analysis: &Analysis, events: &[Event], target: Option<&str>) -> Vec<Undo> {
    let (file, version) = (target.unwrap_or("FILE"), quoted(&analysis.version));
    let entry = |what: String, command: String| Undo { what: Text::new(&what), command: Text::new(&command) };
    let last = events.iter().rev().find_map(|event| Some((event, event.undo.as_ref()?)));
    let mut undo: Vec<Undo> = Vec::new();
    if let Some((event, command)) = last {
        let what = format!("undo the last change ({}, {})", event.event, event.at);
        undo.push(Undo { what: Text::new(&what), command: command.clone() });
    }
    let has_share = analysis.step.is_none_or(|step| step.share > 0.0);
    if has_share {
        undo.push(entry(
            format!(
                "stop {}: each of its conversations goes to {} with its next request",
                analysis.version, analysis.baseline
            ),
            format!("llm-canary stop {file} {version}"),
        ));
        undo.push(entry(
            format!("drain {}: it gets no new conversations, and finishes those it has", analysis.version),
            format!("llm-canary drain {file} {version}"),
        ));
    } else {
        undo.push(entry(
            format!("start {} again, with a small share", analysis.version),
            format!("llm-canary ramp {file} {version} 1 --resume"),
        ));
    }
    undo
}

/// A word for a shell.
pub(crate) fn quoted(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=@%+,".contains(&byte);
    if !word.is_empty() && word.bytes().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn words_for_a_shell() {
        for (word, expect) in [
            ("v2", "v2"),
            ("envoy/ecds/llm-canary.yaml", "envoy/ecds/llm-canary.yaml"),
            ("", "''"),
            ("v 2; rm -rf /", "'v 2; rm -rf /'"),
            ("it's", r"'it'\''s'"),
            ("$(x)", "'$(x)'"),
        ] {
            assert_eq!(quoted(word), expect);
        }
    }
}
