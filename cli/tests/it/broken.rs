//! `check`: nothing that is broken or mistyped is passed over.

use crate::chat::{file, run};

#[test]
fn nothing_broken_beside_a_good_document_is_passed_over() {
    let good = "rollouts:\n- {name: chat, key: [{header: x-id}], baseline: v1, versions: [{name: v1, cluster: a}, {name: v2, cluster: b}], split: {v2: 5}}\n";
    let plugin = |kind: &str, field: &str, name: &str| {
        format!("kind: {kind}\nmetadata: {{name: {name}}}\nspec: {{{field}: {{rollouts: []}}}}\n")
    };
    let wasm = |value: &str| {
        format!(
            "resources: [{{typed_config: {{config: {{root_id: x, configuration: {{\"@type\": type.googleapis.com/google.protobuf.StringValue, value: {value}}}}}}}}}]\n"
        )
    };
    let meant = "document 2 was not read, though it may be meant for llm-canary";
    let list = |item: &str| format!("kind: List\nitems:\n- kind: Service\n- {item}\n");
    for (i, (beside, code, words)) in [
        // Whole files that cannot be parsed.
        ("a: [\n".to_owned(), 2, "is not YAML: '[' is not closed before the end at line 4 column 4"),
        ("a: 1\na: 2\n".to_owned(), 2, "has \"a\" twice in one object at line 5 column 1"),
        // Documents that are none of what is read.
        ("rollout: []\n".to_owned(), 0, meant),
        ("text\n".to_owned(), 0, meant),
        ("- rollouts\n".to_owned(), 0, meant),
        (plugin("WasmPlugn", "pluginConfig", "x"), 0, meant),
        (plugin("WasmPlugin", "pluginConfg", "x"), 0, meant),
        (list("rollout: []"), 0, "document 2, items[1] was not read"),
        (list("text"), 0, "document 2, items[1] was not read"),
        (list(""), 0, "document 2, items[1] was not read"),
        (
            wasm("\"{\\\"rollouts\\\": []}\"").replace("root_id", "rot_id"),
            0,
            "document 2, resources[0] was not read",
        ),
        // Plugins of ours that are wrong.
        (plugin("WasmPlugin", "pluginConfig", "x").replace("[]", "1"), 2, "WasmPlugin x: rollouts: is "),
        (
            plugin("WasmPlugin", "pluginConfig", "x").replace("{rollouts: []}", "\"{rollouts: []}\""),
            2,
            "WasmPlugin x: is ",
        ),
        (plugin("WasmPlugin", "pluginConfg", "llm-canary"), 2, "spec.pluginConfig: is missing"),
        (wasm("\"{rollouts: [}\""), 2, "configuration.value: is not JSON"),
        (wasm("{rollouts: []}"), 2, "does not reach the plugin as JSON"),
        (
            "kind: ConfigMap\nmetadata: {name: x}\ndata: {a.yaml: \"rollouts: [\"}\n".to_owned(),
            2,
            "ConfigMap x: data.a.yaml: is not YAML: ",
        ),
        (
            "kind: ConfigMap\nmetadata: {name: x}\ndata: {config: \"{\\\"rollouts\\\": \"}\n".to_owned(),
            2,
            "ConfigMap x: data.config: is not JSON: ",
        ),
        // What is not ours.
        ("kind: Service\n".to_owned(), 0, ""),
        (plugin("WasmPlugin", "pluginConfig", "x").replace("rollouts", "rules"), 0, ""),
        ("kind: ConfigMap\ndata: {a.sh: \"rollouts: [\", b.yaml: \"a: [\"}\n".to_owned(), 0, ""),
        ("# a comment\n".to_owned(), 0, ""),
        ("resources: [a.yaml, b.yaml]\n".to_owned(), 0, ""),
        ("resources: [{\"@type\": x, name: lua, typed_config: {code: \"rollouts\"}}]\n".to_owned(), 0, ""),
    ]
    .into_iter()
    .enumerate()
    {
        let name = file(&format!("beside-{i}.yaml"), &format!("{good}---\n{beside}"));
        let ran = run(&["check", &name]);
        assert!(ran.code == Some(code) && ran.err.contains(words), "{beside}: {ran:?}");
        assert_eq!(ran.err.is_empty(), words.is_empty(), "{beside}: {ran:?}");
        let changed = run(&["stop", &name, "v2", "--rollout", "chat", "--dry-run"]);
        assert!(changed.err.contains(words), "{beside}: {changed:?}");
        let shown = run(&["simulate", &name, "--count", "10"]);
        assert!(
            shown.err.contains(words) || shown.err.contains("has several configurations"),
            "{beside}: {shown:?}"
        );
    }
}

/// `010` is 8 for kubectl, and 10 for others.
#[test]
fn what_programs_read_differently_is_no_number_and_no_name() {
    let text = |version: &str, share: &str| {
        format!(
            "rollouts:\n- name: chat\n  key: [{{header: x-id}}]\n  baseline: v1\n  versions:\n  - {{name: v1, cluster: a}}\n  - {{name: {version}, cluster: b}}\n  split: {{{version}: {share}}}\n"
        )
    };
    let indented = |text: &str| text.replace('\n', "\n    ");
    let istio = |text: &str| {
        format!(
            "kind: WasmPlugin\nmetadata: {{name: x, mode: 010}}\nspec:\n  pluginConfig:\n    {}\n",
            indented(text)
        )
    };
    let map =
        |text: &str| format!("kind: ConfigMap\nmode: 010\ndata:\n  a.yaml: |\n    {}\n", indented(text));
    let octal = "split.v2: is written 010, which programs that read YAML 1.1, such as kubectl, take for 8, and others for 10; write 8 or 10";
    let anchor = format!(
        "x: &x {{v2: 010}}\n---\n{}",
        istio(&text("v2", "1").replace("{v2: 1}", "*x")).replace("kind", "x: &x {v2: 010}\nkind")
    );
    for (i, (text, words)) in [
        (text("v2", "010"), octal),
        (istio(&text("v2", "010")), octal),
        (map(&text("v2", "010")), octal),
        (anchor, octal),
        (
            text("v2", "1_0"),
            "split.v2: is written 1_0, which not all programs read as the number 10; write 10",
        ),
        (
            text("v2", "0o10"),
            "split.v2: is written 0o10, which only some programs read as the number 8; write 8",
        ),
        (
            text("\"on\"", "1").replace("  split: {\"on\"", "  split: {on"),
            "rollouts[0].split.on: has a name that is written on without quotes",
        ),
        (text("v2", "10"), ""),
        (istio(&text("\"on\"", "0x10")), ""),
        (map(&text("v2", "00.5")), ""),
    ]
    .into_iter()
    .enumerate()
    {
        let name = file(&format!("octal-{i}.yaml"), &text);
        for command in [
            &["check", &name][..],
            &["stop", &name, "v2", "--dry-run"],
            &["simulate", &name, "--count", "10"],
        ] {
            let ran = run(command);
            if words.is_empty() {
                assert!(!ran.err.contains("is written"), "{text}: {ran:?}");
            } else {
                assert!(ran.code == Some(2) && ran.err.contains(words), "{text}: {words}: {ran:?}");
            }
        }
    }
}

/// What is mistyped beside a good configuration of the same document.
#[test]
fn nothing_mistyped_beside_a_good_configuration_is_passed_over() {
    let rollout = |name: &str| {
        format!(
            "{{name: {name}, key: [{{header: x-id}}], baseline: v1, versions: [{{name: v1, cluster: a}}, {{name: v2, cluster: b}}], split: {{v2: 5}}}}"
        )
    };
    let good = format!("rollouts: [{}]", rollout("chat"));
    let typo = format!("rollout: [{}]", rollout("code"));
    let json = |text: &str| {
        let value: serde_json::Value = serde_json::from_str(
            &text
                .replace('{', "{\"")
                .replace(": ", "\":\"")
                .replace(", ", "\",\"")
                .replace('}', "\"}")
                .replace("\"[", "[")
                .replace("]\"", "]")
                .replace("\"{", "{")
                .replace("}\"", "}")
                .replace("\"5\"", "5"),
        )
        .expect(text);
        value.to_string()
    };
    let (good_json, typo_json) = (json(&format!("{{{good}}}")), json(&format!("{{{typo}}}")));
    let map = |file: &str, text: &str| {
        serde_json::json!({"kind": "ConfigMap", "metadata": {"name": "llm"}, "data": {"a.yaml": good, file: text}}).to_string()
    };
    let binary = |file: &str, text: &str| {
        serde_json::json!({"kind": "ConfigMap", "metadata": {"name": "llm"}, "data": {"a.yaml": good}, "binaryData": {file: text}}).to_string()
    };
    let plugin = |root: &str, vm: &str, value: &str| {
        format!(
            "{{root_id: {root}, vm_config: {{code: {{local: {{filename: {vm}}}}}}}, configuration: {{\"@type\": type.googleapis.com/google.protobuf.StringValue, value: '{value}'}}}}"
        )
    };
    let ours = plugin("llm-canary", "/a.wasm", &good_json);
    let ecds = |second: &str| {
        format!(
            "resources:\n- {{typed_config: {{config: {ours}}}}}\n- {{\"@type\": x, typed_config: {{config: {second}}}}}\n"
        )
    };
    let filter = |second: &str| {
        format!(
            "kind: EnvoyFilter\nspec:\n  configPatches:\n  - patch: {{value: {ours}}}\n  - patch: {{value: {second}}}\n"
        )
    };
    let wasm = |config: &str| {
        format!(
            "kind: WasmPlugin\nspec: {{pluginConfig: {{{good}}}}}\n---\nkind: WasmPlugin\nmetadata: {{name: x}}\nspec: {{pluginConfig: {{{config}}}}}\n"
        )
    };
    let no_rollouts =
        "may be meant for llm-canary: it has no field \"rollouts\"; check the spelling of its fields";
    for (i, (text, code, words)) in [
        (map("b.yaml", &typo), 0, format!(": data.b.yaml was not read, though it {no_rollouts}")),
        (map("b.json", &typo_json), 0, format!(": data.b.json was not read, though it {no_rollouts}")),
        (map("b", "Rollouts: []"), 0, format!(": data.b was not read, though it {no_rollouts}")),
        (map("b.conf", &rollout("code")), 0, format!(": data.b.conf was not read, though it {no_rollouts}")),
        (map("b.yaml", &format!("a: 1\n---\n{typo}")), 0, ": data.b.yaml, document 2, was not read".to_owned()),
        (map("b.yaml", &format!("{good}\n---\n{typo}").replace("name: chat", "name: other")), 0, ": data.b.yaml, document 2, was not read".to_owned()),
        (map("b.yaml", &format!("kind: WasmPlugn\nspec: {{pluginConfig: {{{good}}}}}")), 0, ": data.b.yaml.spec.pluginConfig was not read".to_owned()),
        (map("b.yaml", &format!("kind: WasmPlugin\nspec: {{pluginConfig: {{{typo}}}}}")), 0, ": data.b.yaml.spec.pluginConfig was not read".to_owned()),
        (binary("b.yaml", "cm9sbG91dDogW10="), 0, format!(": binaryData.b.yaml was not read, though it {no_rollouts}")),
        (binary("b.yaml", "H4sIAAAAAAAAAwMAAAAAAAAAAAA="), 0, ": binaryData.b.yaml was not read, because it holds bytes that are no text, such as a compressed file; write the text into data".to_owned()),
        (binary("b.json", "%"), 0, ": binaryData.b.json was not read, because it is no base64".to_owned()),
        (ecds(&plugin("other", "/b.wasm", &typo_json)), 0, ": resources[1].typed_config.config.configuration.value was not read".to_owned()),
        (filter(&plugin("other", "/b.wasm", &typo_json)), 0, ": spec.configPatches[1].patch.value.configuration.value was not read".to_owned()),
        // It loads the module, so it is ours.
        (ecds(&plugin("other", "/etc/envoy/llm_canary.wasm", "{\"rules\": []}")), 2, "rules: is not a known field".to_owned()),
        (filter(&plugin("other", "/etc/envoy/llm_canary.wasm", "x")), 2, "configuration.value: is not JSON".to_owned()),
        (wasm(&typo), 0, ": document 2, spec.pluginConfig was not read".to_owned()),
        // What is not ours.
        (map("b.yaml", "rules: [a]\nroles: {a: b}\nstrategy: {rollout: {steps: 1}}"), 0, String::new()),
        (map("b.sh", "# roll out all versions of the baseline\nrollout: [\n"), 0, String::new()),
        (map("b.md", "The rollouts have a baseline and versions."), 0, String::new()),
        (binary("logo.png", "iVBORw0KGgo="), 0, String::new()),
        (ecds(&plugin("other", "/b.wasm", "{\"rules\": []}")), 0, String::new()),
        (wasm("rules: []"), 0, String::new()),
    ]
    .into_iter()
    .enumerate()
    {
        let name = file(&format!("typo-{i}.yaml"), &text);
        let ran = run(&["check", &name]);
        assert!(ran.code == Some(code) && ran.err.contains(&words), "{text}: {words}: {ran:?}");
        let said = ran.err.lines().count();
        assert!(code == 2 || said == usize::from(!words.is_empty()), "{text}: {ran:?}");
        let changed = run(&["stop", &name, "v2", "--rollout", "chat", "--dry-run"]);
        assert!(changed.code == Some(0) && changed.err.contains(&words), "{text}: {changed:?}");
    }
}
