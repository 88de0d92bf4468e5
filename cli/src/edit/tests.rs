use super::schedule::{Schedule, Step};
use super::{Spacing, edit};
use crate::kubernetes::shown;
use crate::plugin;
use llm_canary::timestamp::rfc3339;
use proptest::prelude::*;

/// 2026-11-23T09:00:00Z
const NINE: u64 = 1_795_424_400_000;
const MINUTE: u64 = 60_000;

type Change = fn(&Schedule) -> Schedule;

const RAMP: Change = |schedule| schedule.with_share("v2", &[(NINE, 50_000)]);
const STOP: Change = |schedule| schedule.with_share("v2", &[(NINE, 0)]).with_stopped("v2", true);
const FINISH: Change = |schedule| schedule.finished("v2", NINE);

fn run(text: &str, change: Change) -> Result<String, String> {
    let plugins = plugin::parse("", text.as_bytes()).expect(text);
    let plugin = plugins.first().expect("a configuration");
    let tree = plugin.tree.as_ref().expect("it can be read");
    let schedule = Schedule::read(&tree.get("rollouts").expect("rollouts").items()[0]);
    edit(text, plugin, 0, &schedule, &change(&schedule), Spacing::Kept)
}

#[track_caller]
fn check(text: &str, change: Change, expect: &str) {
    let changed = run(text, change).unwrap_or_else(|words| panic!("{words}\n{text}"));
    assert_eq!(changed, expect, "\n{changed}");
}

#[test]
fn json_with_a_split() {
    check(
        r#"{
  "rollouts": [
    {
      "name": "chat",
      "baseline": "v1",
      "versions": [{"name": "v1", "cluster": "a"}, {"name": "v2", "cluster": "b"}],
      "split": { "v2": 1 },
      "salt": ""
    }
  ]
}
"#,
        RAMP,
        r#"{
  "rollouts": [
    {
      "name": "chat",
      "baseline": "v1",
      "versions": [{"name": "v1", "cluster": "a"}, {"name": "v2", "cluster": "b"}],
      "steps": [
        {"at": "1970-01-01T00:00:00Z", "percent": {"v2": 1}},
        {"at": "2026-11-23T09:00:00Z", "percent": {"v2": 5}}
      ],
      "salt": ""
    }
  ]
}
"#,
    );
}

#[test]
fn json_with_steps() {
    // The first step follows the bracket, in the same line.
    let head = "{\"rollouts\": [{\n\t\"baseline\": \"v1\", \"versions\": [{\"name\": \"v1\"},\n\t\t{\"name\": \"v2\"}],\n";
    let first = "\t\"steps\": [ {\"at\": \"2026-11-23T08:00:00Z\", \"percent\": {\"v2\": 1}}";
    check(
        &format!("{head}{first} ]\n}}]}}"),
        RAMP,
        &format!(
            "{head}{first},\n\t           {{\"at\": \"2026-11-23T09:00:00Z\", \"percent\": {{\"v2\": 5}}}} ]\n}}]}}"
        ),
    );
    // One step a line, with line breaks of Windows, and a version that is stopped.
    let text = "{\"rollouts\": [{\"baseline\": \"v1\", \"versions\": [\r\n  {\"name\": \"v1\"},\r\n  {\r\n    \"name\": \"v2\"\r\n  }],\r\n\
        \"steps\": [\r\n  {\"at\": \"2026-11-23T08:00:00Z\", \"percent\": {\"v2\": 1}}\r\n]}]}\r\n";
    check(
        text,
        STOP,
        "{\"rollouts\": [{\"baseline\": \"v1\", \"versions\": [\r\n  {\"name\": \"v1\"},\r\n  {\r\n    \"name\": \"v2\",\r\n    \
         \"stopped\": true\r\n  }],\r\n\
         \"steps\": [\r\n  {\"at\": \"2026-11-23T08:00:00Z\", \"percent\": {\"v2\": 1}},\r\n  \
         {\"at\": \"2026-11-23T09:00:00Z\", \"percent\": {\"v2\": 0}}\r\n]}]}\r\n",
    );
    // All in one line.
    check(
        r#"{"rollouts":[{"baseline":"v1","versions":[{"name":"v1"},{"name":"v2"}],"steps":[]}]}"#,
        RAMP,
        r#"{"rollouts":[{"baseline":"v1","versions":[{"name":"v1"},{"name":"v2"}],"steps":[{"at": "2026-11-23T09:00:00Z", "percent": {"v2": 5}}]}]}"#,
    );
    check(
        r#"{"rollouts":[{"baseline":"v1","versions":[{"name":"v1"},{"name":"v2"}]}]}"#,
        STOP,
        r#"{"rollouts":[{"baseline":"v1","versions":[{"name":"v1"},{"name":"v2", "stopped": true}]}]}"#,
    );
}

#[test]
fn json_in_a_block_of_yaml() {
    let text = |stopped: &str, steps: &str| {
        format!(
            "# Envoy watches this file.\nresources:\n- name: llm-canary  # the filter\n  typed_config:\n    config:\n      \
             root_id: llm-canary\n      configuration:\n        \"@type\": type.googleapis.com/google.protobuf.StringValue\n        \
             value: |\n          {{\n            \"rollouts\": [{{\n              \"baseline\": \"v1\",\n\n              \
             \"versions\": [ {{ \"name\": \"v1\" }}, {{ \"name\": \"v2\"{stopped} }} ],\n              {steps}\n            }}]\n          \
             }}\n      vm_config: {{}} # last\n"
        )
    };
    check(
        &text(", \"stopped\": false", "\"split\": {\"v2\": 10}"),
        STOP,
        &text(
            ", \"stopped\": true",
            "\"steps\": [\n                {\"at\": \"1970-01-01T00:00:00Z\", \"percent\": {\"v2\": 10}},\n                \
             {\"at\": \"2026-11-23T09:00:00Z\", \"percent\": {\"v2\": 0}}\n              ]",
        ),
    );
    let windows = text("", "\"salt\": \"é\"").replace('\n', "\r\n");
    let expect = text("", "\"salt\": \"é\"").replace(
        " ],\n",
        " ],\n              \"steps\": [\n                {\"at\": \"2026-11-23T09:00:00Z\", \"percent\": {\"v2\": 5}}\n              ],\n",
    );
    check(&windows, RAMP, &expect.replace('\n', "\r\n"));
}

#[test]
fn json_in_a_quoted_text() {
    let json = r#"{"rollouts": [{"salt": "'\"\\é😀", "baseline": "v1", "versions": [{"name": "v1"}, {"name": "v2"}], "split": {"v2": 1}}]}"#;
    let expect = json.replace(
        r#""split": {"v2": 1}"#,
        r#""steps": [{"at": "1970-01-01T00:00:00Z", "percent": {"v2": 1}}, {"at": "2026-11-23T09:00:00Z", "percent": {"v2": 5}}]"#,
    );
    let double = |json: &str| serde_json::to_string(json).unwrap().replace('é', "\\u00e9");
    let single = |json: &str| format!("'{}'", json.replace('\'', "''"));
    let discovery = |value: &str| {
        format!(
            r#"{{"resources": [{{"typed_config": {{"config": {{"root_id": "r", "configuration":
            {{"@type": "type.googleapis.com/google.protobuf.StringValue", "value": {value}}}}}}}}}]}}"#
        )
    };
    // An emoji in ASCII: two escapes for one character.
    let ascii = |json: &str| discovery(&double(json).replace('😀', "\\ud83d\\ude00"));
    check(&ascii(json), RAMP, &ascii(&expect));
    let yaml = |value: &str| format!("%YAML 1.2\n---\n{}", discovery(value));
    check(&yaml(&double(json)), RAMP, &yaml(&double(&expect)));
    check(&yaml(&single(json)), RAMP, &yaml(&single(&expect)));
    // Pretty JSON in a quoted text keeps its lines.
    let pretty = |json: &str| discovery(&serde_json::to_string(json).unwrap());
    check(
        &pretty(
            "{\"rollouts\": [\n {\n  \"baseline\": \"v1\",\n  \"versions\": [{\"name\": \"v1\"}, {\"name\": \"v2\"}]\n }]}",
        ),
        RAMP,
        &pretty(
            "{\"rollouts\": [\n {\n  \"baseline\": \"v1\",\n  \"versions\": [{\"name\": \"v1\"}, {\"name\": \"v2\"}],\n  \"steps\": [\n    \
             {\"at\": \"2026-11-23T09:00:00Z\", \"percent\": {\"v2\": 5}}\n  ]\n }]}",
        ),
    );
}

const WASM_PLUGIN: &str = "# ours
apiVersion: extensions.istio.io/v1alpha1
kind: WasmPlugin
metadata: {name: llm-canary}
spec:
  pluginConfig:
    rollouts:
      - name: chat
        baseline: v1   # the old one
        versions:
          # The name is what the route matches.
          - name: v1
            cluster: v1
          - name: v2
            cluster: v2   # on the new nodes
        split:
          v2: 1   # one percent

        salt: chat
  phase: AUTHN   # not ours
---
kind: Service
";

#[test]
fn blocks_of_yaml() {
    check(
        WASM_PLUGIN,
        STOP,
        &WASM_PLUGIN
            .replace("cluster: v2   # on the new nodes\n", "cluster: v2   # on the new nodes\n            stopped: true\n")
            .replace(
                "        split:\n          v2: 1   # one percent\n",
                "        steps:\n          - {at: \"1970-01-01T00:00:00Z\", percent: {v2: 1}}   # one percent\n          \
                 - {at: \"2026-11-23T09:00:00Z\", percent: {v2: 0}}\n",
            ),
    );
    check(
        WASM_PLUGIN,
        FINISH,
        &WASM_PLUGIN.replace("baseline: v1   #", "baseline: v2   #").replace(
            "        split:\n          v2: 1   # one percent\n",
            "        steps:\n          - {at: \"2026-11-23T09:00:00Z\", percent: {v1: 0}}   # one percent\n",
        ),
    );
    // Dashes in the column of their key, and no line break at the end of the file.
    let text = "rollouts:\n- baseline: 'v1'\n  versions:\n  - name: v1\n  - name: v2\n  - {name: 1.0, stopped: true}\n  steps:\n  \
        - at: \"2026-11-23T08:00:00Z\"\n    percent:\n      v2: 1\n      \"1.0\": 3   # three";
    let plugin = text.replace("1.0, stopped", "\"1.0\", stopped");
    check(
        &plugin,
        RAMP,
        &format!("{plugin}\n  - {{at: \"2026-11-23T09:00:00Z\", percent: {{v2: 5, \"1.0\": 3}}}}"),
    );
    check(&plugin, |schedule| schedule.with_stopped("1.0", false), &plugin.replace("true", "false"));
    let finished = run(&plugin, FINISH).unwrap();
    assert!(
        finished.contains("baseline: 'v2'")
            && finished.contains("- {at: \"2026-11-23T09:00:00Z\", percent: {v1: 0}}   # three"),
        "{finished}"
    );
    let none = "rollouts:\n- baseline: v1\n  versions:\n  - name: v1\n  - name: v2 # new\n  # end\n";
    check(
        none,
        RAMP,
        "rollouts:\n- baseline: v1\n  versions:\n  - name: v1\n  - name: v2 # new\n  steps:\n  - {at: \"2026-11-23T09:00:00Z\", percent: {v2: 5}}\n  # end\n",
    );
}

#[test]
fn empty_documents_are_ignored() {
    let plugin = "rollouts:\n- baseline: v1\n  versions:\n  - name: v1\n  - name: v2\n";
    let changed = "  steps:\n  - {at: \"2026-11-23T09:00:00Z\", percent: {v2: 5}}\n";
    for (before, after) in [
        ("---\n# nothing\n---\n", "---\n"),
        ("~\n---\nnull\n---\n", "...\n# end\n"),
        ("%YAML 1.2\n---\n", ""),
    ] {
        check(&format!("{before}{plugin}{after}"), RAMP, &format!("{before}{plugin}{changed}{after}"));
    }
}

#[test]
fn brackets_in_yaml_keep_their_comments() {
    let text = "rollouts: [{baseline: v1, versions: [{name: v1}, {name: v2}],\n  steps: [\n    \
        {at: \"2026-11-23T08:00:00Z\", percent: {v2: 1}}  # first\n  ]}]\n";
    check(
        text,
        RAMP,
        "rollouts: [{baseline: v1, versions: [{name: v1}, {name: v2}],\n  steps: [\n    \
         {at: \"2026-11-23T08:00:00Z\", percent: {v2: 1}},  # first\n    \
         {at: \"2026-11-23T09:00:00Z\", percent: {v2: 5}}\n  ]}]\n",
    );
    let comma = text.replace("  # first", ",  # first");
    check(
        &comma,
        RAMP,
        &comma.replace("# first\n", "# first\n    {at: \"2026-11-23T09:00:00Z\", percent: {v2: 5}},\n"),
    );
}

#[test]
fn only_steps_that_change_are_replaced() {
    let step =
        |time: &str, shares: &str| format!("    - {{at: \"2026-11-23T{time}:00Z\", percent: {{{shares}}}}}");
    let text = |steps: &[String]| {
        format!(
            "rollouts:\n- baseline: v1\n  versions:\n  - name: v1\n  - name: v2\n  - name: v3\n  steps:\n{}\n  salt: x\n",
            steps.join("\n")
        )
    };
    let past = step("08:00", "v2: 1.0") + "  # begun";
    let (soon, later) = (step("09:30", "v2: 5") + " # soon", step("10:00", "v2: 25, v3: 1") + " # both");
    let planned = text(&[past.clone(), soon.clone(), later.clone()]);
    // All that was planned for v2 goes; what was planned for v3 stays.
    check(
        &planned,
        |schedule| schedule.with_share("v2", &[(NINE, 0)]),
        &text(&[past.clone(), step("09:00", "v2: 0"), step("10:00", "v2: 0, v3: 1") + " # both"]),
    );
    check(
        &planned,
        |schedule| schedule.with_share("v2", &[(NINE, 10_000), (NINE + 45 * MINUTE, 20_000)]),
        &text(&[past.clone(), step("09:45", "v2: 2"), step("10:00", "v2: 2, v3: 1") + " # both"]),
    );
    // Nothing before what is planned, and nothing planned any more.
    let only_planned = text(&[soon.clone(), later.clone()]);
    check(
        &only_planned,
        |schedule| schedule.with_share("v3", &[(NINE, 30_000)]),
        &text(&[
            step("09:00", "v3: 3"),
            step("09:30", "v2: 5, v3: 3"),
            step("10:00", "v2: 25, v3: 3") + " # both",
        ]),
    );
    let two = text(&[past.clone(), soon]);
    check(&two, |schedule| schedule.with_share("v2", &[(NINE, 10_000)]), &text(std::slice::from_ref(&past)));
    let before = text(&[step("09:30", "v3: 5") + " # soon"]);
    check(
        &before,
        |schedule| schedule.with_share("v2", &[(NINE + 45 * MINUTE, 10_000)]),
        &text(&[step("09:30", "v3: 5") + " # soon", step("09:45", "v2: 1, v3: 5")]),
    );
    // A pure insertion leaves its neighbours alone.
    let apart = text(&[past.clone(), step("10:00", "v2: 25") + " # later"]);
    check(
        &apart,
        |schedule| schedule.with_share("v2", &[(NINE, 10_000), (NINE + 60 * MINUTE, 250_000)]),
        &apart,
    );
    check(
        &apart,
        |schedule| schedule.with_share("v2", &[(NINE, 20_000), (NINE + 60 * MINUTE, 250_000)]),
        &text(&[past, step("09:00", "v2: 2"), step("10:00", "v2: 25") + " # later"]),
    );
}

/// JSON that is broken over lines, in each of YAML's styles. (A plain text cannot begin with a brace.)
#[test]
fn json_over_several_lines() {
    let value = |value: &str| {
        format!(
            "resources:\n- root_id: r\n  configuration:\n    \"@type\": google.protobuf.StringValue # text\n    \
             value: {value}\n  vm_config: {{}} # end\n"
        )
    };
    let lines = |steps: &[&str], line: &str| {
        let mut lines = vec![
            r#"{"rollouts": [{"baseline": "v1","#,
            r#"  "salt": "two words it's","#,
            r#"  "versions": [{"name": "v1"}, {"name": "v2"}],"#,
        ];
        lines.extend(steps);
        lines.push("}]}");
        lines.join(line)
    };
    let first = r#"    {"at": "1970-01-01T00:00:00Z", "percent": {"v2": 1}}"#;
    let with_comma = format!("{first},");
    let added = r#"    {"at": "2026-11-23T09:00:00Z", "percent": {"v2": 5}}"#;
    let after = [r#"  "steps": ["#, &with_comma, added, "  ]"];
    let double = |text: &str| text.replace('"', "\\\"");
    let single = |text: &str| text.replace('\'', "''");
    let plain = |text: &str| text.to_owned();
    type Escape<'a> = &'a dyn Fn(&str) -> String;
    let styles: [(&str, &str, Escape<'_>, &str); 14] = [
        ("|\n      ", "\n      ", &plain, ""),
        ("|-\n      ", "\n      ", &plain, ""),
        ("|+\n      ", "\n      ", &plain, "\n"),
        ("|1\n     ", "\n     ", &plain, ""),
        ("|2-\n         ", "\n      ", &plain, ""),
        ("\n      |\n      ", "\n      ", &plain, ""),
        (">\n      ", "\n      ", &plain, ""),
        (">- # folded\n      ", "\n      ", &plain, "\n\n"),
        (">2+\n        ", "\n      ", &plain, "\n"),
        ("&anchor !!str |\n      ", "\n      ", &plain, ""),
        ("'", "\n      ", &single, "'"),
        ("\n      '", "  \n\n      ", &single, "' # quoted"),
        ("\"", "\n      ", &double, "\""),
        ("!!str \"", "\n\t      ", &double, "\""),
    ];
    for (start, line, escape, end) in styles {
        let text =
            |steps: &[&str], line: &str| value(&format!("{start}{}{end}", escape(&lines(steps, line))));
        // What stands between two lines is not repeated.
        let squeezed = |text: &str| text.replace("  \n\n", "\n");
        for before in [&[r#"  "split": {"v2": 1}"#][..], &[r#"  "steps": ["#, first, "  ]"]] {
            let before = text(before, line);
            let changed = run(&before, RAMP).unwrap_or_else(|words| panic!("{words}\n{before}"));
            assert_eq!(squeezed(&changed), squeezed(&text(&after, line)), "{start:?}\n{changed}");
            let windows = run(&before.replace('\n', "\r\n"), RAMP).unwrap();
            assert_eq!(windows, changed.replace('\n', "\r\n"));
        }
    }
    // A string of JSON that is broken, too, and a line that is continued.
    let folded = r#"{"rollouts": [{"baseline": "v1", "salt": "two words", "versions": [{"name": "v1"}, {"name": "v2"}]}]}"#;
    let ramped =
        folded.replace("}]}]}", r#"}], "steps": [{"at": "2026-11-23T09:00:00Z", "percent": {"v2": 5}}]}]}"#);
    let in_the_string = |text: &str| text.replace("two words", "two\n      words");
    for (start, escape, end) in
        [(">\n      ", &plain as &dyn Fn(&str) -> String, ""), ("'", &single, "'"), ("\"", &double, "\"")]
    {
        let text = |json: &str| value(&format!("{start}{}{end}", in_the_string(&escape(json))));
        check(&text(folded), RAMP, &text(&ramped));
    }
    let continued = |text: &str| {
        value(&format!("\"{}\"", double(text).replace("two words", "two\\\n      \\ wo\\x72ds")))
    };
    check(&continued(folded), RAMP, &continued(&ramped));
}

#[test]
fn notations_that_cannot_be_edited_are_refused() {
    let text = "rollouts:\n- baseline: |-\n    v1\n  versions: [{name: v1}, {name: v2}]\n";
    assert!(run(text, RAMP).is_ok());
    assert!(run(text, FINISH).expect_err(text).contains("cannot edit"), "a name in a block");
}

/// What an alias stands for is written in its place where it has to change, and nowhere else.
#[test]
fn aliases_are_written_out() {
    let step = "{at: \"2026-11-23T09:00:00Z\", percent: {v2: 5}}";
    let (all, stopped) = (
        "[{\"name\": \"v1\"}, {\"name\": \"v2\", \"x\": 1.5}]",
        "[{\"name\": \"v1\"}, {\"name\": \"v2\", \"x\": 1.5, stopped: true}]",
    );
    let versions = "- name: v1\n  - name: v2 # new\n    x: 1.5\n";
    let zero = step.replace("v2: 5", "v2: 0");
    // The versions stand elsewhere, and two rollouts have them.
    let text = |value: &str, steps: &str| {
        format!(
            "versions: &v # ours\n  {versions}rollouts:\n- baseline: v1\n  versions: {value} # above\n{steps}- name: b\n  baseline: v1\n  versions: *v\n"
        )
    };
    check(&text("*v", ""), RAMP, &text("*v", &format!("  steps:\n    - {step}\n")));
    check(&text("*v", ""), STOP, &text(stopped, ""));
    // The versions stand here, and another rollout has them, too.
    let text = |here: &str, there: &str, steps: &str| {
        format!(
            "rollouts:\n- baseline: v1\n  versions: &v\n  {versions}{here}{steps}- name: b\n  baseline: v1\n  versions: {there}\n"
        )
    };
    check(&text("", "*v", ""), STOP, &text("    stopped: true\n", all, ""));
    // One version, a list of steps, a split, a whole rollout, the list of rollouts, and the whole configuration.
    for (before, after) in [
        (
            "a: &a {name: v2}\nrollouts:\n- baseline: v1\n  versions: [{name: v1}, *a]\n".to_owned(),
            "a: &a {name: v2}\nrollouts:\n- baseline: v1\n  versions: [{name: v1}, {\"name\": \"v2\", stopped: true}]\n".to_owned(),
        ),
        (
            "a: &a\n  v2: 7\nrollouts:\n- {baseline: v1, versions: [{name: v1}, {name: v2, stopped: true}], split: *a}\n".to_owned(),
            format!("a: &a\n  v2: 7\nrollouts:\n- {{baseline: v1, versions: [{{name: v1}}, {{name: v2, stopped: true}}], steps: [{{at: \"1970-01-01T00:00:00Z\", percent: {{v2: 7}}}}, {zero}]}}\n"),
        ),
        (
            "a: &a [{at: \"2026-11-23T08:00:00Z\", percent: {v2: 5}}]\nrollouts:\n- baseline: v1\n  versions: [{name: v1}, {name: v2, stopped: true}]\n  steps: *a # all\n".to_owned(),
            format!("a: &a [{{at: \"2026-11-23T08:00:00Z\", percent: {{v2: 5}}}}]\nrollouts:\n- baseline: v1\n  versions: [{{name: v1}}, {{name: v2, stopped: true}}]\n  steps: [{{\"at\": \"2026-11-23T08:00:00Z\", \"percent\": {{\"v2\": 5}}}},\n          {zero}] # all\n"),
        ),
        (
            "x: &x\n  baseline: v1\n  versions:\n  - name: v1\n  - {name: v2, stopped: false}\nrollouts: [*x, *x]\n".to_owned(),
            "x: &x\n  baseline: v1\n  versions:\n  - name: v1\n  - {name: v2, stopped: false}\nrollouts: [{\"baseline\": \"v1\", \"versions\": [{\"name\": \"v1\"}, {\"name\": \"v2\", \"stopped\": true}]}, *x]\n".to_owned(),
        ),
        (
            "x: &x [{baseline: v1, versions: [{name: v1}, {name: v2}]}]\nkind: WasmPlugin\nspec: {pluginConfig: {rollouts: *x}}\n".to_owned(),
            "x: &x [{baseline: v1, versions: [{name: v1}, {name: v2}]}]\nkind: WasmPlugin\nspec: {pluginConfig: {rollouts: [{\"baseline\": \"v1\", \"versions\": [{\"name\": \"v1\"}, {\"name\": \"v2\", stopped: true}]}]}}\n".to_owned(),
        ),
    ] {
        check(&before, STOP, &after);
        let in_a_file = |text: &str| shown::text(&serde_json::json!({"kind": "ConfigMap", "data": {"llm.yaml": text}}));
        check(&in_a_file(&before), STOP, &in_a_file(&after));
    }
}

/// Members that are merged from elsewhere are written out beside the rollout's own.
#[test]
fn merges_are_written_out() {
    let base =
        "base: &base\n  baseline: v1\n  salt: x\n  versions:\n  - name: v1\n  - name: v2\n  split: {v2: 1}\n";
    let steps = "[{at: \"1970-01-01T00:00:00Z\", percent: {v2: 1}}, {at: \"2026-11-23T09:00:00Z\", percent: {v2: 0}}]";
    let versions = "[{\"name\": \"v1\"}, {\"name\": \"v2\", stopped: true}]";
    let block = |merge: &str| {
        format!("{base}rollouts:\n- <<: *base # all of it\n  salt: mine\n- <<: *base\n").replacen(
            "<<: *base #",
            &format!("{merge} #"),
            1,
        )
    };
    let changed = run(&block("<<: *base"), STOP).unwrap();
    let first = "  steps:\n    - {at: \"1970-01-01T00:00:00Z\", percent: {v2: 1}} # all of it\n    - {at: \"2026-11-23T09:00:00Z\", percent: {v2: 0}}\n";
    let expect = format!(
        "{base}rollouts:\n- \"baseline\": \"v1\"\n  \"versions\": {versions}\n{first}  salt: mine\n- <<: *base\n"
    );
    assert_eq!(changed, expect, "\n{changed}");
    let flow = |merge: &str| format!("{base}rollouts: [{{{merge}, salt: mine}}]\n");
    check(
        &flow("<<: *base"),
        STOP,
        &flow(&format!("\"baseline\": \"v1\", \"versions\": {versions}, steps: {steps}")),
    );
    // A list of objects, and a version.
    check(
        "a: &a {name: v2}\nb: &b {cluster: b}\nrollouts:\n- baseline: v1\n  versions:\n  - {name: v1, cluster: a}\n  - <<: [*a, *b]\n    stopped: true\n  split: {}\n",
        |schedule| schedule.with_stopped("v2", false),
        "a: &a {name: v2}\nb: &b {cluster: b}\nrollouts:\n- baseline: v1\n  versions:\n  - {name: v1, cluster: a}\n  - <<: [*a, *b]\n    stopped: false\n  split: {}\n",
    );
}

/// YAML in braces, whose names have no quotes. JSON's own mistakes stay mistakes of JSON.
#[test]
fn yaml_in_braces() {
    let text = |steps: &str| {
        format!(
            "{{rollouts: [{{baseline: v1, # the old one\n  versions: [{{name: v1}}, {{'name': v2}}]{steps}}}]}}\n"
        )
    };
    let step = ", steps: [{at: \"2026-11-23T09:00:00Z\", percent: {v2: 5}}]";
    check(
        &text(""),
        RAMP,
        &text(&step.replacen(", ", ",\n  ", 1).replace("[{at", "[\n    {at").replace("}}]", "}}\n  ]")),
    );
    let one_line = "{ 'rollouts': [{baseline: v1, versions: [{name: v1}, {name: v2}]}]}";
    check(one_line, RAMP, &one_line.replace("v2}]", &format!("v2}}]{step}")));
    let resource = format!("{{kind: WasmPlugin, spec: {{pluginConfig: {one_line}}}}}");
    check(&resource, RAMP, &resource.replace("v2}]", &format!("v2}}]{step}")));
    let file =
        |text: &str| format!("kind: ConfigMap\ndata:\n  llm.yaml: |\n    {}\n", text.replace('\n', "\n    "));
    check(&file(one_line), RAMP, &file(&one_line.replace("v2}]", &format!("v2}}]{step}"))));
    check(
        &format!("{one_line}\n---\n{{a: b}}\n"),
        RAMP,
        &format!("{}\n---\n{{a: b}}\n", one_line.replace("v2}]", &format!("v2}}]{step}"))),
    );
    for (json, is_json) in [
        ("{}", true),
        ("[]", true),
        ("[1, 2]", true),
        (" [ [ true ] ]", true),
        ("{\"a\": 1,}", true),
        ("[{\"a\": b}]", true),
        ("{a: 1}", false),
        ("{'a': 1}", false),
        ("{# a\n}", false),
        ("[a]", false),
        ("[*a]", false),
        ("a", false),
        ("", true),
    ] {
        assert_eq!(plugin::is_json(json.as_bytes()), is_json, "{json}");
    }
}

#[test]
fn base64_in_a_config_map() {
    let encode = |text: &str| crate::base64::encode(text.as_bytes());
    let json = r#"{"rollouts": [{"baseline": "v1", "versions": [{"name": "v1"}, {"name": "v2"}]}]}"#;
    let ramped = json
        .replace("\"v2\"}]", r#""v2"}], "steps": [{"at": "2026-11-23T09:00:00Z", "percent": {"v2": 5}}]"#);
    let alias = "v: &v [{name: v1}, {name: v2, stopped: true}]\nrollouts: [{baseline: v1, versions: *v}]\n";
    let lines = |text: &str| {
        let encoded = encode(text);
        let cut: Vec<String> =
            encoded.as_bytes().chunks(40).map(|line| String::from_utf8(line.to_vec()).unwrap()).collect();
        cut.join("\n    ")
    };
    let map = |value: &str| {
        format!(
            "# ours\nkind: ConfigMap\nbinaryData:\n  other: AAAA\n  llm.yaml: {value}\ndata: {{}} # end\n"
        )
    };
    check(&map(&encode(json)), RAMP, &map(&encode(&ramped)));
    check(
        &map(&format!("\"{}\" # text", encode(json))),
        RAMP,
        &map(&format!("\"{}\" # text", encode(&ramped))),
    );
    check(&map(&format!("'{}'", encode(json))), RAMP, &map(&format!("'{}'", encode(&ramped))));
    for block in ["|\n    ", "|-\n    ", ">\n    "] {
        check(&map(&format!("{block}{}", lines(json))), RAMP, &map(&format!("{block}{}", encode(&ramped))));
    }
    let in_json = |text: &str| {
        serde_json::json!({"kind": "ConfigMap", "binaryData": {"llm.json": encode(text)}}).to_string()
    };
    check(&in_json(json), RAMP, &in_json(&ramped));
    let with_stop = run(&map(&encode(alias)), |schedule| schedule.with_stopped("v2", false)).unwrap();
    assert!(
        with_stop
            .contains(&encode(&alias.replace("*v", r#"[{"name": "v1"}, {"name": "v2", "stopped": false}]"#)))
    );
}

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

/// Files of a ConfigMap, in each of YAML's styles.
#[test]
fn yaml_in_a_text() {
    let yaml = |steps: &str| {
        format!(
            "# it's ours\nrollouts:\n- baseline: v1\n  versions:\n  - name: v1\n  - name: v2\n{steps}  salt: \"a b\"\n"
        )
    };
    let (before, after) =
        (yaml(""), yaml("  steps:\n  - {at: \"2026-11-23T09:00:00Z\", percent: {v2: 5}}\n"));
    let value = |scalar: &str| format!("kind: ConfigMap\ndata:\n  llm.yaml: {scalar}\n  other: x # end\n");
    let lines = |text: &str, between: &str| text.trim_end().replace('\n', between);
    let double = |text: &str| serde_json::to_string(text).unwrap();
    let block = |text: &str| value(&format!("|-\n    {}", lines(text, "\n    ")));
    check(&block(&before), RAMP, &block(&after));
    check(&block(&before).replace('\n', "\r\n"), RAMP, &block(&after).replace('\n', "\r\n"));
    let quoted = |text: &str| value(&double(text));
    check(&quoted(&before), RAMP, &quoted(&after));
    // A line break is read where a line is not indented on either side, if it is written twice.
    let folded =
        |text: &str| value(&format!(">-\n    {}", lines(text, "\n    ").replacen("\n    ", "\n\n    ", 2)));
    check(&folded(&before), RAMP, &folded(&after));
    // Two styles within one another, and a line that is continued.
    let continued =
        |text: &str| value(&double(text).replace("\\n  - name: v2", "\\n\\\n      \\  - name: v2"));
    check(&continued(&before), RAMP, &continued(&after));
    let json = |steps: &str| {
        format!(
            r#"{{"rollouts": [{{"baseline": "v1", "versions": [{{"name": "v1"}}, {{"name": "v2"}}]{steps}}}]}}"#
        )
    };
    let discovery = |config: &str| {
        format!(
            "resources:\n- root_id: r\n  configuration:\n    \"@type\": google.protobuf.StringValue\n    value: '{config}'\n"
        )
    };
    let (before, after) =
        (json(""), json(r#", "steps": [{"at": "2026-11-23T09:00:00Z", "percent": {"v2": 5}}]"#));
    for nested in [&block, &quoted] as [&dyn Fn(&str) -> String; 2] {
        check(&nested(&discovery(&before)), RAMP, &nested(&discovery(&after)));
    }
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
