//! A configuration in YAML itself.

use super::{FINISH, RAMP, STOP, check, run};
use crate::kubernetes::shown;
use crate::plugin;

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
fn notations_that_cannot_be_edited_are_refused() {
    let text = "rollouts:\n- baseline: |-\n    v1\n  versions: [{name: v1}, {name: v2}]\n";
    assert!(run(text, RAMP).is_ok());
    assert!(run(text, FINISH).expect_err(text).contains("cannot edit"), "a name in a block");
}
