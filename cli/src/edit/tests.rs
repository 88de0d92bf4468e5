use super::edit;
use super::plan::Plan;
use crate::source;

/// 2026-11-23T09:00:00Z
const NINE: u64 = 1_795_424_400_000;
const MINUTE: u64 = 60_000;

type Change = fn(&Plan) -> Plan;

const RAMP: Change = |plan| plan.with_share("v2", &[(NINE, 50_000)]);
const STOP: Change = |plan| plan.with_share("v2", &[(NINE, 0)]).with_stopped("v2", true);
const FINISH: Change = |plan| plan.finished("v2", NINE);

fn run(text: &str, change: Change) -> Result<String, String> {
    let plugins = source::parse("", text.as_bytes()).expect(text);
    let plugin = plugins.first().expect("a configuration");
    let tree = plugin.tree.as_ref().expect("it can be read");
    let plan = Plan::read(&tree.get("rollouts").expect("rollouts").items()[0]);
    edit(text, plugin, 0, &plan, &change(&plan))
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
    // The design's own layout: the first step stands behind the bracket.
    let head = "{\"rollouts\": [{\n\t\"baseline\": \"v1\", \"versions\": [{\"name\": \"v1\"},\n\t\t{\"name\": \"v2\"}],\n";
    let first = "\t\"steps\": [ {\"at\": \"2026-11-23T08:00:00Z\", \"percent\": {\"v2\": 1}}";
    check(
        &format!("{head}{first} ]\n}}]}}"),
        RAMP,
        &format!(
            "{head}{first},\n\t           {{\"at\": \"2026-11-23T09:00:00Z\", \"percent\": {{\"v2\": 5}}}} ]\n}}]}}"
        ),
    );
    // One line each, with Windows' line breaks, and a version that is stopped.
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
    // Emoji as JSON writes it in ASCII: two escapes for one character.
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
    // Dashes in the column of their key, the file's last line without its end.
    let text = "rollouts:\n- baseline: 'v1'\n  versions:\n  - name: v1\n  - name: v2\n  - {name: 1.0, stopped: true}\n  steps:\n  \
        - at: \"2026-11-23T08:00:00Z\"\n    percent:\n      v2: 1\n      \"1.0\": 3   # three";
    let plugin = text.replace("1.0, stopped", "\"1.0\", stopped");
    check(
        &plugin,
        RAMP,
        &format!("{plugin}\n  - {{at: \"2026-11-23T09:00:00Z\", percent: {{v2: 5, \"1.0\": 3}}}}"),
    );
    check(&plugin, |plan| plan.with_stopped("1.0", false), &plugin.replace("true", "false"));
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
fn only_the_plans_that_change_are_written_anew() {
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
        |plan| plan.with_share("v2", &[(NINE, 0)]),
        &text(&[past.clone(), step("09:00", "v2: 0"), step("10:00", "v2: 0, v3: 1") + " # both"]),
    );
    check(
        &planned,
        |plan| plan.with_share("v2", &[(NINE, 10_000), (NINE + 45 * MINUTE, 20_000)]),
        &text(&[past.clone(), step("09:45", "v2: 2"), step("10:00", "v2: 2, v3: 1") + " # both"]),
    );
    // Nothing before what is planned, and nothing planned any more.
    let only_planned = text(&[soon.clone(), later.clone()]);
    check(
        &only_planned,
        |plan| plan.with_share("v3", &[(NINE, 30_000)]),
        &text(&[
            step("09:00", "v3: 3"),
            step("09:30", "v2: 5, v3: 3"),
            step("10:00", "v2: 25, v3: 3") + " # both",
        ]),
    );
    let two = text(&[past.clone(), soon]);
    check(&two, |plan| plan.with_share("v2", &[(NINE, 10_000)]), &text(std::slice::from_ref(&past)));
    let before = text(&[step("09:30", "v3: 5") + " # soon"]);
    check(
        &before,
        |plan| plan.with_share("v2", &[(NINE + 45 * MINUTE, 10_000)]),
        &text(&[step("09:30", "v3: 5") + " # soon", step("09:45", "v2: 1, v3: 5")]),
    );
    // A pure insertion leaves its neighbours alone.
    let apart = text(&[past.clone(), step("10:00", "v2: 25") + " # later"]);
    check(&apart, |plan| plan.with_share("v2", &[(NINE, 10_000), (NINE + 60 * MINUTE, 250_000)]), &apart);
    check(
        &apart,
        |plan| plan.with_share("v2", &[(NINE, 20_000), (NINE + 60 * MINUTE, 250_000)]),
        &text(&[past, step("09:00", "v2: 2"), step("10:00", "v2: 25") + " # later"]),
    );
}

#[test]
fn what_cannot_be_edited_is_left_alone() {
    let words = |text: &str| run(text, RAMP).expect_err(text);
    let value = |value: &str| {
        format!(
            "resources:\n- root_id: r\n  configuration:\n    \"@type\": type.googleapis.com/google.protobuf.StringValue\n    value: {value}\n"
        )
    };
    let json = r#"{"rollouts": [{"baseline": "v1", "versions": [{"name": "v1"}, {"name": "v2"}]}]}"#;
    assert!(words(&value(&format!(">\n      {json}"))).contains("does not edit"));
    assert!(words(&value(&format!("|2\n         {json}"))).contains("does not edit"));
    let folded = json.replace("}, {", "},\n        {").replace('\'', "''");
    assert!(words(&value(&format!("'{folded}'"))).contains("does not edit"));
    let alias = "rollouts:\n- baseline: v1\n  versions: &versions\n  - name: v1\n  - name: v2\n  steps: []\n  split: *versions\n";
    assert!(run(&alias.replace("  split: *versions\n", ""), RAMP).is_ok());
    let twice = "x: &x\n  baseline: v1\n  versions:\n  - name: v1\n  - name: v2\nrollouts: [*x, *x]\n";
    assert!(words(twice).contains("does not edit"), "one text is two rollouts");
}
