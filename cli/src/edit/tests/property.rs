//! Any changes, in every notation.

use super::MINUTE;
use crate::edit::schedule::{Schedule, Step};
use crate::edit::{Spacing, edit};
use crate::kubernetes::shown;
use crate::plugin;
use llm_canary::timestamp::rfc3339;
use proptest::prelude::*;

/// The shares before a change.
#[derive(Clone, Debug)]
enum Before {
    Nothing,
    Split(u32),
    Steps(Vec<(u64, u32, u32)>),
}

/// What an operator does to a version: `true` is v2, `false` is 1.0. Times are minutes, shares percent.
#[derive(Clone, Debug)]
enum Action {
    Ramp(bool, u64, u32),
    Plan(bool, u64, u32),
    Stop(bool, u64),
    Resume(bool),
    Promote(bool, u64),
}

fn before() -> impl Strategy<Value = Before> {
    let step = (1..200_u64, 0..=50_u32, 0..=50_u32);
    prop_oneof![
        Just(Before::Nothing),
        (0..=100_u32).prop_map(Before::Split),
        prop::collection::vec(step, 0..5).prop_map(|mut steps| {
            steps.sort_unstable();
            steps.dedup_by_key(|step| step.0);
            Before::Steps(steps)
        }),
    ]
}

fn action() -> impl Strategy<Value = Action> {
    let (minute, share) = (1..200_u64, 0..=50_u32);
    prop_oneof![
        (any::<bool>(), minute.clone(), share.clone()).prop_map(|(v, at, share)| Action::Ramp(v, at, share)),
        (any::<bool>(), minute.clone(), share).prop_map(|(v, at, share)| Action::Plan(v, at, share)),
        (any::<bool>(), minute.clone()).prop_map(|(v, at)| Action::Stop(v, at)),
        any::<bool>().prop_map(Action::Resume),
        (any::<bool>(), minute).prop_map(|(v, at)| Action::Promote(v, at)),
    ]
}

fn done(action: &Action, schedule: &Schedule) -> Schedule {
    let name = |second: &bool| if *second { "v2" } else { "1.0" };
    match action {
        Action::Ramp(v, at, share) => schedule.with_share(name(v), &[(at * MINUTE, share * 10_000)]),
        Action::Plan(v, at, share) => {
            let shares =
                [(at * MINUTE, share * 10_000), ((at + 7) * MINUTE, 10_000), ((at + 50) * MINUTE, 0)];
            schedule.with_share(name(v), &shares)
        }
        Action::Stop(v, at) => schedule.with_share(name(v), &[(at * MINUTE, 0)]).with_stopped(name(v), true),
        Action::Resume(v) => schedule.with_stopped(name(v), false),
        Action::Promote(v, at) => schedule.promoted(name(v), at * MINUTE),
    }
}

/// The same configuration in every notation.
fn notations(before: &Before) -> Vec<String> {
    let percent = |v2: u32, v3: u32| format!(r#"{{"v2": {v2}, "1.0": {v3}}}"#);
    let member = match before {
        Before::Nothing => String::new(),
        Before::Split(v2) => format!(r#", "split": {{"v2": {v2}}}"#),
        Before::Steps(steps) => {
            let step = |(at, v2, v3): &(u64, u32, u32)| {
                format!(r#"{{"at": "{}", "percent": {}}}"#, rfc3339(at * MINUTE), percent(*v2, *v3))
            };
            let steps: Vec<String> = steps.iter().map(step).collect();
            format!(r#", "steps": [{}]"#, steps.join(", "))
        }
    };
    let json = format!(
        r#"{{"rollouts": [{{"name": "other", "split": {{}}}}, {{"name": "chat", "baseline": "v1", "versions":
        [{{"name": "v1", "cluster": "a"}}, {{"name": "v2", "cluster": "b"}}, {{"name": "1.0", "cluster": "c"}}]{member}, "salt": "' é"}}]}}"#
    );
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    let compact = value.to_string();
    let pretty = |indent: &[u8]| {
        let mut out = Vec::new();
        let formatter = serde_json::ser::PrettyFormatter::with_indent(indent);
        serde::Serialize::serialize(&value, &mut serde_json::Serializer::with_formatter(&mut out, formatter))
            .unwrap();
        String::from_utf8(out).unwrap()
    };
    let four = pretty(b"    ");
    let discovery = |value: &str| {
        format!(
            "# ours\nresources: # all\n- root_id: r # it\n  configuration: # here\n    \
             '@type': google.protobuf.StringValue # text\n    value: {value}\n  vm_config: {{}} # end\n"
        )
    };
    let block: String = four.lines().map(|line| format!("\n      {line}")).collect();
    let quoted = |text: &str| serde_json::to_string(text).unwrap();
    let mut notations = vec![
        json,
        compact.clone(),
        four.clone() + "\n",
        pretty(b"\t"),
        four.replace('\n', "\r\n"),
        discovery(&format!("|{block}")),
        discovery(&format!("|- # text{block}\n\n")),
        discovery(&format!("|{block}")).replace('\n', "\r\n"),
        discovery(&format!(">{block}")),
        discovery(&format!(">2-{}\n\n", block.replace("\n      ", "\n        "))),
        discovery(&format!("|+{block}\n")),
        discovery(&format!("'{}'", four.replace('\'', "''").replace('\n', "\n      "))),
        discovery(&format!("\"{}\"", four.replace('"', "\\\"").replace('\n', " \n\n      "))),
        // As PyYAML breaks lines.
        discovery(&quoted(&four).replace("\\n ", "\\n\\\n      \\ ")),
        discovery(&quoted(&four)),
        discovery(&format!("'{}'", compact.replace('\'', "''"))),
        // JSON is YAML, too.
        format!(
            "kind: List # all\nitems:\n- kind: WasmPlugin\n  spec:\n    pluginConfig: {compact} # flow\n"
        ),
    ];
    notations.extend(["", "  "].map(|dash| block_yaml(&value, dash)));
    // Each as a file in a ConfigMap.
    let in_config_map = |text: &String| {
        shown::text(&serde_json::json!({"kind": "ConfigMap", "data": {"first": "x: [", "llm.yaml": text}}))
    };
    let config_maps: Vec<String> = notations.iter().map(in_config_map).collect();
    // YAML's other styles. Where lines are joined, a line break that is read is written twice.
    let data = |scalar: String| format!("kind: ConfigMap\ndata:\n  llm.yaml: {scalar}\n");
    let in_styles = |text: &String| {
        let one_line = quoted(text);
        let lines: Vec<&str> = text.lines().collect();
        let mut folded = format!("\n      {}", lines[0]);
        for pair in lines.windows(2) {
            let is_joined = pair.iter().all(|line| !line.starts_with(' '));
            folded.push_str(if is_joined { "\n\n      " } else { "\n      " });
            folded.push_str(pair[1]);
        }
        // As PyYAML breaks lines.
        let broken = one_line.replace("\\n ", "\\n\\\n      \\ ").replace("\\n-", "\\n\\\n      -");
        [data(one_line), data(broken), data(format!(">2-{}", folded.replace("\n      ", "\n    ")))]
    };
    let is_yaml = |text: &&String| !text.contains(['\r', '\t']) && !text.contains("\n\n");
    let styles: Vec<String> = notations.iter().filter(is_yaml).flat_map(in_styles).collect();
    notations.extend(config_maps);
    notations.extend(styles);
    notations
}

/// YAML with a comment at the end of every line; `dash` indents the items of a list.
fn block_yaml(value: &serde_json::Value, dash: &str) -> String {
    fn write(value: &serde_json::Value, indent: &str, dash: &str, out: &mut String) {
        match value {
            serde_json::Value::Object(members) if !members.is_empty() => {
                for (name, value) in members {
                    out.push_str(&format!("\n{indent}\"{name}\":"));
                    let inner =
                        if value.is_array() { format!("{indent}{dash}") } else { format!("{indent}  ") };
                    write(value, &inner, dash, out);
                }
            }
            serde_json::Value::Array(items) if !items.is_empty() => {
                for item in items {
                    let mut inner = String::new();
                    write(item, &format!("{indent}  "), dash, &mut inner);
                    out.push_str(&inner.replacen(&format!("\n{indent}  "), &format!("\n{indent}- "), 1));
                }
            }
            other => out.push_str(&format!(" {other}")),
        }
    }
    let mut out = String::new();
    write(value, "", dash, &mut out);
    let lines = out.trim_start().lines().enumerate();
    lines.map(|(i, line)| format!("{line} # {i}\n")).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// In every notation, each of several changes gives the text that it should: `edit` itself refuses a text that reads
    /// differently.
    #[test]
    fn a_changed_text_reads_as_the_changed_schedule(before in before(), actions in prop::collection::vec(action(), 1..5)) {
        for mut text in notations(&before) {
            for action in &actions {
                let plugins = plugin::parse("", text.as_bytes()).unwrap();
                let plugin = plugins.first().expect(&text);
                let rollouts = plugin.tree.as_ref().unwrap().get("rollouts").unwrap();
                let old = Schedule::read(&rollouts.items()[1]);
                let new = done(action, &old);
                let changed = edit(&text, plugin, 1, &old, &new, Spacing::Kept);
                let changed = changed.map_err(|words| format!("{words}: {action:?}\n{text}")).unwrap();
                // If steps are only added, no comment is lost. JSON has none.
                if !text.starts_with('{') && new.steps.starts_with(&old.steps) && old.form == new.form {
                    let comments = |text: &str| -> Vec<String> {
                        // Within quotes, a comment ends at an escaped line break.
                        let lines = text.lines().flat_map(|line| line.split("\\n"));
                        lines.filter_map(|line| Some(line.split_once('#')?.1.to_owned())).collect()
                    };
                    prop_assert_eq!(comments(&text), comments(&changed), "{:?}\n{}\n{}", action, text, changed);
                }
                let times: Vec<u64> = new.steps.iter().map(|Step { at, .. }| *at).collect();
                prop_assert!(times.is_sorted_by(|a, b| a < b), "{times:?}");
                text = changed;
            }
        }
    }
}
