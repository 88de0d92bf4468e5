//! `check` and `explain`.

use crate::tool::{Folder, Ran, json};
use std::path::PathBuf;
use std::process::Command;

fn run_with_input(args: &[&str], input: &[u8]) -> Ran {
    Folder::shared().run_with_input(args, input)
}

fn run(args: &[&str]) -> Ran {
    run_with_input(args, b"")
}

/// Writes a file where the tool runs; returns its name. Each test uses names of its own.
fn file(name: &str, text: &str) -> String {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(path, text).expect("the test's folder can be written");
    name.to_owned()
}

const CHAT: &str = r#"{
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

const CHAT_LINE: &str = "chat: v1 87.5 % (cluster llm-v1, baseline), v2 12.5 % (cluster llm-v2)\n";

/// The same JSON, indented to stand in a YAML block.
fn indented(text: &str, spaces: usize) -> String {
    text.lines().map(|line| format!("{}{line}\n", " ".repeat(spaces))).collect()
}

#[test]
fn check_prints_a_line_for_each_good_rollout() {
    let name = file("good.json", CHAT);
    let ran = run(&["check", &name]);
    assert_eq!(
        (ran.code, ran.out.as_str(), ran.err.as_str()),
        (Some(0), &*format!("good.json: {CHAT_LINE}"), "")
    );
    let empty = file("empty-list.json", r#"{"rollouts": []}"#);
    assert_eq!(run(&["check", &empty]).out, "empty-list.json: no rollouts; nothing is routed\n");
}

#[test]
fn check_prints_every_error_with_its_place() {
    let bad = file(
        "bad.json",
        &CHAT
            .replace("12.5", "125")
            .replace(r#""/v1/""#, r#""v1""#)
            .replace("\"split\"", "\"spilt\": {}, \"split\""),
    );
    let good = file("beside-bad.json", CHAT);
    let ran = run(&["check", &bad, &good]);
    assert_eq!(ran.code, Some(2));
    assert_eq!(
        ran.out,
        format!("beside-bad.json: {CHAT_LINE}"),
        "a good file beside a bad one is still shown"
    );
    assert_eq!(
        ran.err,
        "error: bad.json: rollouts[0].spilt: is not a known field; did you mean \"split\"?\n\
         error: bad.json: rollouts[0].match.path_prefix: \"v1\" can never match; start it with '/'\n\
         error: bad.json: rollouts[0].split.v2: is 125, but a percentage is at most 100; write 0 to 100\n\
         3 errors\n"
    );
}

#[test]
fn check_reads_envoys_discovery_files() {
    let yaml = |kind: &str, value: &str| {
        format!(
            "resources:\n- \"@type\": type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig\n  name: llm-canary\n  \
             typed_config:\n    \"@type\": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm\n    config:\n      \
             name: llm-canary\n      root_id: llm-canary\n      configuration:\n        \
             \"@type\": type.googleapis.com/google.protobuf.{kind}\n        value: {value}\n"
        )
    };
    let block = format!("|\n{}", indented(CHAT, 10));
    let place = "resources[0].typed_config.config.configuration.value";
    let ran = run(&["check", &file("ecds.yaml", &yaml("StringValue", &block))]);
    assert_eq!((ran.code, ran.out), (Some(0), format!("ecds.yaml: {place}: {CHAT_LINE}")), "{}", ran.err);

    let quoted = serde_json::to_string(CHAT).expect("text can be quoted");
    let text = format!(
        r#"{{"version_info": "1", "resources": [{{"name": "llm", "typed_config": {{"config": {{"root_id": "other",
            "configuration": {{"@type": "type.googleapis.com/google.protobuf.StringValue", "value": {quoted}}}}}}}}}]}}"#
    );
    let ran = run(&["check", &file("ecds.json", &text)]);
    assert_eq!((ran.code, ran.out), (Some(0), format!("ecds.json: {place}: {CHAT_LINE}")), "{}", ran.err);

    let ran = run(&["check", &file("ecds-bad.yaml", &yaml("StringValue", &block.replace("12.5", "-1")))]);
    let error = format!(
        "error: ecds-bad.yaml: {place}: rollouts[0].split.v2: is -1, but a percentage is not negative; write 0 to 100"
    );
    assert!(ran.code == Some(2) && ran.err.starts_with(&error), "{ran:?}");

    // Envoy would hand these to the plugin as protobuf bytes.
    for (name, kind, value) in
        [("struct.yaml", "Struct", "{rollouts: []}"), ("bytes.yaml", "BytesValue", "e30=")]
    {
        let ran = run(&["check", &file(name, &yaml(kind, value))]);
        assert!(
            ran.code == Some(2) && ran.err.contains("does not reach the plugin as JSON; write"),
            "{ran:?}"
        );
    }
}

#[test]
fn check_reads_istios_resources() {
    let text = "# two of ours, two of others\n\
        apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata: {name: canary}\nspec:\n  \
        url: oci://registry.example.com/llm-canary:1\n  pluginConfig:\n    rollouts:\n    - name: chat\n      baseline: v1\n      key: [{header: x-id}]\n      \
        versions:\n      - {name: v1, cluster: v1}\n      - {name: v2, cluster: v2}\n      split: {v2: 0.0001}\n\
        ---\n\
        apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata: {name: auth}\nspec:\n  pluginConfig: {key: value}\n\
        ---\n\
        kind: TrafficExtension\nmetadata: {name: canary-2}\nspec:\n  wasm:\n    pluginName: llm-canary\n    pluginConfig:\n      \
        rollouts:\n      - {name: chat, baseline: v1, versions: [{name: 1.0, cluster: a}], stopped: yes}\n\
        ---\n\
        apiVersion: v1\nkind: Service\nmetadata: {name: llm-canary}\n";
    let ran = run(&["check", &file("istio.yaml", text)]);
    assert_eq!(ran.code, Some(2));
    assert_eq!(
        ran.out,
        "istio.yaml: WasmPlugin canary: chat: v1 99.9999 % (cluster v1, baseline), v2 0.0001 % (cluster v2)\n"
    );
    let lines: Vec<&str> = ran.err.lines().collect();
    assert_eq!(lines.len(), 3, "{}", ran.err);
    assert!(
        lines[0]
            .starts_with("error: istio.yaml: TrafficExtension canary-2: rollouts[0].stopped: is not a known")
    );
    assert_eq!(
        lines[1],
        "error: istio.yaml: TrafficExtension canary-2: rollouts[0].versions[0].name: is the number 1; write a string \"...\""
    );

    let missing = "kind: WasmPlugin\nmetadata: {name: llm-canary}\nspec: {url: x}\n";
    let ran = run(&["check", &file("no-config.yaml", missing)]);
    assert!(
        ran.code == Some(2) && ran.err.contains("WasmPlugin llm-canary: spec.pluginConfig: is missing"),
        "{ran:?}"
    );
}

#[test]
fn check_says_why_a_file_cannot_be_read() {
    let syntax = file("syntax.yaml", "rollouts:\n  - name: [chat\n");
    let twice = file("twice.yaml", "rollouts: []\nrollouts: []\n");
    let other = file("other.yaml", "apiVersion: v1\nkind: Service\n");
    let comma = file("comma.json", "{\n  \"rollouts\": [],\n}\n");
    for (args, error) in [
        (vec!["check", "nowhere.json"], "error: nowhere.json: does not exist"),
        (vec!["check", &syntax], "error: syntax.yaml: is not YAML: "),
        (vec!["check", &twice], "error: twice.yaml: has \"rollouts\" twice in one object at line 2 column 1"),
        (
            vec!["check", &comma],
            "error: comma.json: is not JSON: a comma after the last item at line 2 column 17",
        ),
        (
            vec!["check", &other],
            "note: other.yaml: holds no llm-canary configuration\nerror: there is nothing to check; give",
        ),
        (vec!["check"], "error: the following required arguments were not provided"),
        (vec!["chekc"], "error: unrecognized subcommand 'chekc'"),
    ] {
        let ran = run(&args);
        assert!(ran.code == Some(2) && ran.out.is_empty() && ran.err.starts_with(error), "{args:?}: {ran:?}");
    }
    let ran = run(&["check", &other, &file("beside-other.json", CHAT)]);
    assert_eq!(ran.code, Some(0), "other files may lie beside the configuration: {ran:?}");
}

/// YAML may begin with a brace, too. A file of the name `.json` is JSON, because Envoy reads it so.
#[test]
fn yaml_in_braces_is_read() {
    let flow =
        "{rollouts: [{name: chat, key: [{header: x-id}], baseline: v1, versions: [{name: v1, cluster: a}]}]}";
    let fine = run(&["check", &file("flow.yaml", flow)]);
    assert_eq!(
        (fine.code, fine.out.as_str()),
        (Some(0), "flow.yaml: chat: v1 100 % (cluster a, baseline)\n"),
        "{fine:?}"
    );
    let fine = run_with_input(&["check", "-"], flow.as_bytes());
    assert_eq!(fine.code, Some(0), "{fine:?}");
    let ran = run(&["check", &file("flow.json", flow)]);
    assert!(ran.code == Some(2) && ran.err.starts_with("error: flow.json: is not JSON: "), "{ran:?}");
    let remedy = "(it is YAML; if that is meant, put a line --- before it)";
    let mixed = flow.replacen("rollouts", "\"rollouts\"", 1);
    let ran = run(&["check", &file("mixed.yaml", &mixed)]);
    assert!(
        ran.code == Some(2) && ran.err.contains("mixed.yaml: is not JSON: ") && ran.err.contains(remedy),
        "{ran:?}"
    );
    let ran = run(&["check", &file("mixed.json", &mixed)]);
    assert!(ran.code == Some(2) && !ran.err.contains(remedy), "{ran:?}");
    let fine = run(&["check", &file("mixed-2.yaml", &format!("---\n{mixed}"))]);
    assert_eq!(fine.code, Some(0), "{fine:?}");
}

#[test]
fn only_the_configuration_itself_is_limited_to_a_mebibyte() {
    let padded = |bytes: usize| CHAT.replacen('{', &format!("{{{}", " ".repeat(bytes)), 1);
    let ran = run(&["check", &file("bare.json", &padded(1 << 20))]);
    assert!(ran.code == Some(2) && ran.err.contains("bare.json: is 104"), "{ran:?}");
    // Around it there may be more, in another notation.
    let items = format!(
        "{{\"kind\": \"List\", \"items\": [{{\"kind\": \"WasmPlugin\", \"spec\": {{\"pluginConfig\": {CHAT}}}}}, {{\"kind\": \"x\"{}}}]}}",
        " ".repeat(1 << 20)
    );
    let ran = run(&["check", &file("list.json", &items)]);
    assert!(ran.code == Some(0) && ran.out.ends_with(CHAT_LINE), "{ran:?}");
    let data = format!(
        "kind: ConfigMap\ndata:\n  other: \"{}\"\n  a.json: |\n{}",
        "x".repeat(1 << 20),
        indented(CHAT, 4)
    );
    let ran = run(&["check", &file("large-map.yaml", &data)]);
    assert!(ran.code == Some(0) && ran.out.ends_with(CHAT_LINE), "{ran:?}");
    let ran = run(&["check", &file("huge.yaml", &format!("a: {}\n", "x".repeat(16 << 20)))]);
    assert!(ran.code == Some(2) && ran.err.contains("huge.yaml: is larger than 16777216 bytes"), "{ran:?}");
}

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

/// The warnings a list of rollouts gives, without their places' file.
fn warnings(name: &str, rollouts: &str) -> Vec<String> {
    warnings_of(name, "", rollouts)
}

fn warnings_of(name: &str, fields: &str, rollouts: &str) -> Vec<String> {
    let name = file(name, &format!(r#"{{{fields} "rollouts": [{rollouts}]}}"#));
    let ran = run(&["check", &name]);
    assert_eq!(ran.code, Some(0), "a warning is no error: {ran:?}");
    let start = format!("warning: {name}: ");
    ran.err.lines().map(|line| line.strip_prefix(&start).unwrap_or(line).to_owned()).collect()
}

/// A rollout of one version with further fields.
fn one(name: &str, fields: &str) -> String {
    format!(
        r#"{{"name": "{name}", "baseline": "v1", {fields} "versions": [{{"name": "v1", "cluster": "c"}}]}}"#
    )
}

#[test]
fn check_warns_of_what_is_probably_not_meant() {
    let none: [&str; 0] = [];
    let keys = r#""key": [{"header": "x-user-id"}, {"cookie": "account"}, {"query": "UID"}, {"metadata": "jwt/payload/sub"},
                  {"header": "x-email", "kind": "user"}, {"header": "x-uuid"}, {"cookie": "subscription"}],"#;
    let found = warnings("w-keys.json", &one("chat", keys));
    let looks = "looks like a user's key, which lives for years; write \"kind\": \"user\" beside it";
    assert_eq!(
        found,
        [
            format!("rollouts[0].key[0]: header x-user-id {looks}"),
            format!("rollouts[0].key[1]: cookie account {looks}"),
            format!("rollouts[0].key[2]: query parameter UID {looks}"),
            format!("rollouts[0].key[3]: metadata jwt/payload/sub {looks}"),
        ]
    );
    assert_eq!(warnings("w-default.json", &one("chat", "")), none, "the default keys are no mistake");

    let hash = r#""hash": {"scheme": "flagd", "flag_key": "f"}, "key": [{"header": "x-id"}, {"first_message": true}],"#;
    let found = warnings("w-hash-key.json", &one("chat", hash));
    let unknown = "is a key that no flag tool has, so \"hash\" agrees with nothing there; use an id that the tool knows";
    assert_eq!(found, [format!("rollouts[0].key[1]: {unknown}")]);

    let two = |fields: &str| {
        format!(
            r#"{{"name": "chat", "baseline": "v1", {fields}
                "versions": [{{"name": "v1", "cluster": "c"}}, {{"name": "v2", "cluster": "c", "stopped": true}}]}}"#
        )
    };
    let missing = "rollouts[0].split: is missing, so every conversation goes to the baseline, \"v1\"";
    assert_eq!(warnings("w-split.json", &two("")), [missing]);
    assert_eq!(warnings("w-zero.json", &two(r#""split": {"v2": 0},"#)), none, "nothing is missing");
    assert_eq!(
        warnings("w-stopped.json", &two(r#""split": {"v2": 10},"#)),
        [r#"rollouts[0].versions[1].stopped: "v2" is stopped, so its 10 % go to "v1""#]
    );

    let matching = |name: &str, matcher: &str| one(name, &format!(r#""match": {{{matcher}}},"#));
    let reach = |name: &str, first: &str, second: &str| {
        !warnings(name, &format!("{}, {}", matching("a", first), matching("b", second))).is_empty()
    };
    let unreachable = [
        ("", ""),
        ("", r#""hosts": ["x"]"#),
        (r#""path_prefix": "/v1""#, r#""path_prefix": "/v1/chat""#),
        (r#""hosts": ["*.b.c", "x"]"#, r#""hosts": ["a.b.c", "*.a.b.c", "X"]"#),
        (r#""headers": {"x-t": "1"}"#, r#""headers": {"x-t": "1", "x-u": "2"}, "path_prefix": "/""#),
    ];
    for (i, (first, second)) in unreachable.into_iter().enumerate() {
        assert!(reach(&format!("w-unreachable-{i}.json"), first, second), "{first} hides {second}");
    }
    let reachable = [
        (r#""hosts": ["x"]"#, ""),
        (r#""path_prefix": "/v1/chat""#, r#""path_prefix": "/v1""#),
        (r#""hosts": ["*.b.c"]"#, r#""hosts": ["b.c"]"#),
        (r#""hosts": ["*.b.c"]"#, r#""hosts": ["xb.c"]"#),
        (r#""hosts": ["a.b.c"]"#, r#""hosts": ["*.b.c"]"#),
        (r#""headers": {"x-t": "1"}"#, r#""headers": {"x-t": "2"}"#),
    ];
    for (i, (first, second)) in reachable.into_iter().enumerate() {
        assert!(!reach(&format!("w-reachable-{i}.json"), first, second), "{first} does not hide {second}");
    }
}

#[test]
fn check_warns_of_pins_that_do_not_come_back() {
    let none: [&str; 0] = [];
    let pinned =
        |matcher: &str, pin: &str| one("chat", &format!(r#""match": {{{matcher}}}, "pin": {{{pin}}},"#));
    let headers = |other: &str| {
        let second = pinned(other, r#""header": "X-Pin""#).replace("chat", "second");
        format!("{}, {second}", pinned(r#""hosts": ["a.com"]"#, r#""header": "x-pin""#))
    };
    let lost = "rollouts[1].pin.header: x-pin is the header of rollout \"chat\" too; a client that keeps one value of it loses the other; give each its own name";
    assert_eq!(
        warnings("w-header.json", &headers(r#""hosts": ["*.b.com", "a.com"], "models": ["m"]"#)),
        [lost]
    );
    assert_eq!(warnings("w-headers.json", &headers(r#""hosts": ["b.com"]"#)), none);
    let of_domain = |name: &str, hosts: &str| {
        warnings(name, &pinned(&format!(r#""hosts": [{hosts}]"#), r#""cookie": "p", "domain": "a.com""#))
    };
    assert_eq!(of_domain("w-domain.json", r#""a.com", "b.a.com", "*.a.com", "*.b.a.com""#), none);
    for (i, host) in ["b.com", "xa.com", "*.com", "*.xa.com", "com"].into_iter().enumerate() {
        let dropped = format!(
            "rollouts[0].pin.domain: \"a.com\" does not contain \"{host}\" of match.hosts, so browsers drop the cookie there; write a domain that contains all of these hosts, or leave it out"
        );
        assert_eq!(of_domain(&format!("w-domain-{i}.json"), &format!("\"a.com\", \"{host}\"")), [dropped]);
    }
    let of_path = |name: &str, path: &str| {
        warnings(
            name,
            &pinned(r#""path_prefix": "/v1/chat/""#, &format!(r#""cookie": "p", "path": "{path}""#)),
        )
    };
    for (i, path) in ["/", "/v1", "/v1/", "/v1/chat", "/v1/chat/"].into_iter().enumerate() {
        assert_eq!(of_path(&format!("w-path-{i}.json"), path), none, "{path}");
    }
    for (i, path) in ["/v", "/v2", "/v1/chat/x", "/V1"].into_iter().enumerate() {
        let unsent = format!(
            "rollouts[0].pin.path: \"{path}\" does not contain match.path_prefix, \"/v1/chat/\", so browsers do not send the cookie with these requests; write \"/\", or a path that contains them"
        );
        assert_eq!(of_path(&format!("w-unsent-{i}.json"), path), [unsent]);
    }
}

#[test]
fn check_warns_of_what_needs_bodies_where_no_request_waits() {
    let none: [&str; 0] = [];
    let in_bodies = r#""key": [{"header": "x-a"}, {"body": "/a"}, {"first_message": true}], "started_at": {"body": "/b"},
        "match": {"models": ["m"]}, "pin": {"response_id": true}, "feedback": {"path": "/f", "up": ["1"]},"#;
    let because = "because \"body_wait\" is \"never\"; write \"body_wait\": \"auto\", or change this";
    assert_eq!(warnings("w-waits.json", &one("chat", in_bodies)), none);
    let never =
        |name: &str, fields: &str| warnings_of(name, r#""body_wait": "never","#, &one("chat", fields));
    assert_eq!(
        never("w-never.json", in_bodies),
        [
            format!("rollouts[0].key[1]: is never found, {because}"),
            format!("rollouts[0].key[2]: is never found, {because}"),
            format!("rollouts[0].started_at: is never found, {because}"),
            format!("rollouts[0].match.models: never holds, {because}"),
            format!("rollouts[0].pin.response_id: holds only requests with an id in their path, {because}"),
            format!(
                "rollouts[0].feedback.respond: has no effect: feedback is counted and passed on, {because}"
            ),
        ]
    );
    let passed_on = r#""key": [{"header": "x-a"}], "started_at": {"header": "x-b"}, "pin": {"cookie": "p"},
        "feedback": {"path": "/f", "up": ["1"], "respond": false},"#;
    assert_eq!(never("w-never-passed-on.json", passed_on), none);
    assert_eq!(never("w-never-default.json", ""), none, "the default keys are no mistake");
}

#[test]
fn check_prints_json() {
    let good = file("json-good.json", &CHAT.replace("x-conversation-id", "x-user-id"));
    let bad = file("json-bad.json", &CHAT.replace("12.5", "125"));
    let ran = run(&["check", "--json", &good, &bad]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("error: json-bad.json: rollouts[0].split.v2: is 125"), "{ran:?}");
    let report = json(&ran.out);
    let reports = &report["configurations"];
    assert_eq!(reports[0]["rollouts"][0]["versions"][1]["percent"], 12.5);
    assert_eq!(reports[0]["warnings"][0]["path"], "rollouts[0].key[0]");
    assert_eq!(reports[0]["errors"].as_array().map(Vec::len), Some(0));
    assert_eq!(reports[1]["place"], "json-bad.json");
    assert_eq!(reports[1]["errors"][0]["path"], "rollouts[0].split.v2");
    assert_eq!(report["errors"][0]["path"], "rollouts[0].split.v2");
}

#[test]
fn explain_tells_the_whole_way() {
    let config = file("explain.json", CHAT);
    // The bucket and the shard are mmh3 5.3.1's.
    let ran = run(&[
        "explain",
        &config,
        "--host",
        "LLM.example.com:443",
        "--path",
        "/v1/chat/completions",
        "-H",
        "X-Conversation-Id: c-23",
    ]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    assert_eq!(
        ran.out,
        "rollout  chat\n\
         key      \"c-23\" from header x-conversation-id, which names a conversation (key[0])\n\
         bucket   40360 of 1000000, murmur3 of \"chat:\" and the key\n\
         range    0 <= 40360 < 125000 belongs to v2, which has 12.5 %\n\
         version  v2, reason split, compared with other versions, in shard 22\n\
         sets     x-llm-cluster: llm-v2 on the request\n\
         sets     x-llm-version: v2 on the request\n\
         sets     x-llm-version: v2 on the response\n"
    );
}

/// The keys are published by the tools themselves: `tests/data/flag_tools.json`.
#[test]
fn explain_tells_by_which_tool_a_key_got_its_bucket() {
    let line = |name: &str, hash: &str, key: &str| {
        let config = file(name, &CHAT.replace("\"baseline\"", &format!("\"hash\": {hash}, \"baseline\"")));
        let config = config.as_str();
        let header = format!("x-conversation-id: {key}");
        let request =
            ["explain", config, "--host", "llm.example.com", "--path", "/v1/chat/completions", "-H", &header];
        let said = run(&[&request[..], &["--json"]].concat());
        let ran = run(&request);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
        let line = ran.out.lines().find(|line| line.starts_with("bucket")).unwrap_or_default().to_owned();
        (line, json(&said.out)["hash"].to_string(), json(&said.out)["salt"].is_null())
    };
    let flexible = r#"{"scheme": "unleash", "group_id": "Feature.Variants.D", "weights": 1000}"#;
    assert_eq!(
        line("hash-variants.json", flexible, "525"),
        (
            "bucket   229000 of 1000000, for variants of Unleash 230 in 1 to 1000, by the group id \"Feature.Variants.D\" and the key".to_owned(),
            r#"{"scheme":"unleash","group_id":"Feature.Variants.D","weights":1000}"#.to_owned(),
            true
        )
    );
    for (name, hash, words) in [
        (
            "hash-flag.json",
            r#"{"scheme": "flagd", "flag_key": "f"}"#,
            "fractional v2 has it, by the flag key \"f\"",
        ),
        (
            "hash-seed.json",
            r#"{"scheme": "flagd", "seed": "", "fractional": "v3"}"#,
            "fractional v3 has it, by the seed \"\"",
        ),
        (
            "hash-v1.json",
            r#"{"scheme": "flagd", "seed": "s", "fractional": "v1"}"#,
            "fractional v1 has it, by the seed \"s\"",
        ),
    ] {
        let (line, _, has_no_salt) = line(name, hash, "jack");
        assert!(line.ends_with(&format!("as flagd's {words} and the key")) && has_no_salt, "{line}");
    }
}

#[test]
fn simulate_and_changes_follow_the_hash() {
    let by_unleash = CHAT
        .replace(
            "\"baseline\"",
            r#""hash": {"scheme": "unleash", "group_id": "Feature.flexibleRollout.10"}, "baseline""#,
        )
        .replace("12.5", "10");
    let config = file("hash-simulate.json", &by_unleash);
    let keys = file("hash-simulate-keys.txt", "174\n499\n");
    let ran = run(&["simulate", &config, "--keys", &keys, "--json"]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    let said = ran.out.clone();
    assert!(
        said.contains("\"measured_percent\": 50.0") || said.contains("\"measured_percent\":50.0"),
        "{said}"
    );
    let ran = run(&["ramp", &config, "v2", "12.5", "--dry-run"]);
    assert_ne!(ran.code, Some(0), "{ran:?}");
    assert!(
        ran.err.contains("is 12.5, but \"hash\" gives keys away by 1 percent; write 12 or 13"),
        "{ran:?}"
    );
}

/// With one version beside the baseline all steps agree; with two a flag tool would shift the second.
#[test]
fn check_warns_of_steps_that_a_flag_tool_would_divide_otherwise() {
    let steps = |v2: [u32; 2], v3: [u32; 2]| {
        let step = |at: &str, i: usize| {
            format!(r#"{{"at": "{at}", "percent": {{"v2": {}, "v3": {}}}}}"#, v2[i], v3[i])
        };
        let (first, second) = (step("2026-11-23T09:00:00Z", 0), step("2026-11-24T09:00:00Z", 1));
        format!(
            r#"{{"name": "chat", "baseline": "v1", "hash": {{"scheme": "flagd", "flag_key": "f"}}, "key": [{{"header": "x-id"}}], "steps": [{first}, {second}],
                "versions": [{{"name": "v1", "cluster": "a"}}, {{"name": "v2", "cluster": "b"}}, {{"name": "v3", "cluster": "c"}}]}}"#
        )
    };
    let none: [&str; 0] = [];
    assert_eq!(warnings("w-steps-one.json", &steps([5, 25], [0, 0])), none);
    assert_eq!(warnings("w-steps-last.json", &steps([5, 5], [1, 10])), none);
    let found = warnings("w-steps-two.json", &steps([5, 25], [5, 5]));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].starts_with("rollouts[0].steps[1]: differs from \"hash\": a flag tool lays"),
        "{found:?}"
    );
}

/// What `--json` tells of a request to the host and path of [`CHAT`].
fn report(name: &str, config: &str, args: &[&str]) -> serde_json::Value {
    let config = file(name, config);
    let request = ["explain", &config, "--json", "--host", "llm.example.com"];
    let ran = run(&[&request, args].concat());
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    json(&ran.out)
}

#[test]
fn explain_finds_the_key_wherever_it_is() {
    for (i, (args, source, kind)) in [
        (["--header", "x-conversation-id=k", "--path", "/v1/"], "header x-conversation-id", "conversation"),
        (["--cookie", "conv=k", "--path", "/v1/"], "cookie conv", "conversation"),
        (["--cookie", "a=b", "--path", "/v1/?c=%6b"], "query parameter c", "conversation"),
        (["--metadata", "jwt/sub=k", "--path", "/v1/"], "metadata jwt/sub", "user"),
    ]
    .into_iter()
    .enumerate()
    {
        let explained = report(&format!("where-{i}.json"), CHAT, &args);
        let expect = serde_json::json!({"source": source, "kind": kind, "key": "k"});
        assert_eq!(explained["key"], expect, "{args:?}");
    }
    let explained =
        report("where-cookies.json", CHAT, &["--cookie", "a=b", "--cookie", "conv=k", "--path", "/v1/"]);
    assert_eq!(explained["key"]["source"], "cookie conv");
    // Envoy hands over a number as a double.
    let explained = report("where-number.json", CHAT, &["--metadata", "jwt/sub:= 42", "--path", "/v1/"]);
    assert_eq!(explained["key"]["key"], "\0\0\0\0\0\0E@");
}

#[test]
fn explain_names_every_reason() {
    let staff = ["--path", "/v1/", "--header", "x-llm-cohort=staff", "--header", "x-conversation-id=k"];
    let asked = report("reason-override.json", CHAT, &staff);
    assert_eq!((&asked["reason"], &asked["version"]), (&"override".into(), &"v2".into()));
    assert_eq!(asked["override"], "header x-llm-cohort is one of staff, beta");
    assert_eq!((&asked["compare"], &asked["bucket"]), (&false.into(), &serde_json::Value::Null));

    let stopped = CHAT.replace(r#""llm-v2"}"#, r#""llm-v2", "stopped": true}"#);
    let moved = report("reason-stopped.json", &stopped, &staff);
    assert_eq!(
        (&moved["reason"], &moved["version"], &moved["chosen"]),
        (&"stopped".into(), &"v1".into(), &"v2".into())
    );

    let keyless = report("reason-keyless.json", CHAT, &["--path", "/v1/"]);
    assert_eq!((&keyless["reason"], &keyless["version"]), (&"keyless".into(), &"v1".into()));

    let random = CHAT.replace("\"baseline\": \"v1\"", "\"baseline\": \"v1\", \"keyless\": \"random\"");
    let drawn = report("reason-random.json", &random, &["--path", "/v1/"]);
    assert_eq!(drawn["reason"], "keyless");
    let place = (drawn["range"][0].as_u64(), drawn["bucket"].as_u64(), drawn["range"][1].as_u64());
    assert!(place.0 <= place.1 && place.1 < place.2, "{place:?}");

    let nobody = report("reason-none.json", CHAT, &["--path", "/v2/"]);
    assert_eq!(nobody["rollout"], serde_json::Value::Null);
    assert_eq!(nobody["passed_over"][0]["why"], "the path is \"/v2/\" and does not start with /v1/");
    assert_eq!(nobody["removed_headers"], serde_json::json!(["x-llm-cluster", "x-llm-version"]));
    assert_eq!(nobody["request_headers"], serde_json::json!({}));
}

#[test]
fn explain_says_why_no_rollout_matches() {
    let config = file("unmatched.json", CHAT);
    let ran = run(&["explain", &config, "--host", "example.com"]);
    assert_eq!(ran.code, Some(0));
    assert_eq!(
        ran.out,
        "not      chat, because the host is \"example.com\", not llm.example.com\n\
         rollout  none matches the request\n\
         removes  x-llm-cluster and x-llm-version, and sets nothing: Envoy's other routes apply\n"
    );
}

#[test]
fn explain_tells_feedback() {
    let with = |feedback: &str| CHAT.replace(r#""baseline": "v1","#, feedback);
    let answered = with(r#""baseline": "v1", "feedback": {"path": "/rate", "up": ["+"]},"#);
    let config = file("feedback.json", &answered);
    let args = ["explain", &config, "--host", "llm.example.com", "--path", "/rate?x=1"];
    // The bucket of c-23 is the second version's, that of no key the baseline's.
    let ran = run(&[&args[..], &["-H", "x-conversation-id=c-23"]].concat());
    let line = ran.out.lines().next().unwrap_or_default();
    assert_eq!(line, "feedback on chat: counted for v2, answered by the filter");
    assert!(run(&args).out.starts_with("feedback on chat: counted for v1"), "{}", run(&args).out);
    let random = with(
        r#""baseline": "v1", "keyless": "random", "feedback": {"path": "/rate", "up": ["+"], "respond": false},"#,
    );
    let explained = report("feedback-random.json", &random, &["--path", "/rate"]);
    assert_eq!(
        explained["feedback"],
        serde_json::json!({"rollout": "chat", "version": null, "respond": false})
    );
}

#[test]
fn explain_takes_many_keys() {
    let config = file("keys.json", CHAT);
    let mut input: Vec<u8> = (0..2000).flat_map(|i| format!("conversation-{i}\n").into_bytes()).collect();
    input.extend_from_slice(b"windows\r\n\na b\n\xff\xfe\nlast without an end");
    let ran = run_with_input(&["explain", &config, "--keys", "-"], &input);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(
        ran.err
            .starts_with("assumed, because rollout chat requires it: :authority llm.example.com, :path /v1/")
    );
    let lines: Vec<serde_json::Value> = ran.out.lines().map(json).collect();
    assert_eq!(lines.len(), 2005);
    let mut canaries = 0;
    for (i, line) in lines.iter().take(2000).enumerate() {
        let key = format!("conversation-{i}");
        let bucket = llm_canary::bucket::bucket(b"chat", key.as_bytes());
        let version = if bucket < 125_000 { "v2" } else { "v1" };
        canaries += u32::from(version == "v2");
        let expect = serde_json::json!({"key": key, "bucket": bucket, "version": version, "reason": "split"});
        assert_eq!(line, &expect);
    }
    // 250 expected, standard deviation 14.8.
    assert!((190..310).contains(&canaries), "{canaries}");
    assert_eq!(lines[2000]["key"], "windows");
    assert_eq!(
        lines[2001],
        serde_json::json!({"key": "", "bucket": null, "version": "v1", "reason": "keyless"})
    );
    assert_eq!(lines[2002]["key"], "a b");
    assert_eq!(lines[2003]["key_hex"], "fffe");
    assert_eq!(lines[2003]["bucket"], llm_canary::bucket::bucket(b"chat", b"\xff\xfe"));
    assert_eq!(lines[2004]["key"], "last without an end");
}

/// A key given alone falls where the same key in a request falls, whatever kind of place it is put in.
#[test]
fn explain_puts_a_key_where_the_rollout_looks() {
    for (i, places) in [
        r#"{"cookie": "conv"}"#,
        r#"{"query": "a b"}"#,
        r#"{"metadata": "jwt/sub"}"#,
        r#"{"query": "q"}, {"header": "x-k"}"#,
    ]
    .into_iter()
    .enumerate()
    {
        let text = CHAT.replace(
            r#"{"header": "x-conversation-id"}, {"cookie": "conv"}, {"query": "c"},"#,
            &format!("{places},"),
        );
        let config = file(&format!("put-{i}.json"), &text);
        let ran = run(&["explain", &config, "--json", "--key", "a&b=c% 世"]);
        let explained = json(&ran.out);
        assert_eq!(explained["key"]["key"], "a&b=c% 世", "{places}");
        assert_eq!(
            explained["bucket"],
            llm_canary::bucket::bucket(b"chat", "a&b=c% 世".as_bytes()),
            "{places}"
        );
    }
}

#[test]
fn explain_refuses_what_it_cannot_use() {
    let config = file("refuse.json", CHAT);
    let bad = file("refuse-bad.json", &CHAT.replace("12.5", "125"));
    let other = file("refuse-other.yaml", "kind: Service\n");
    let several = file("refuse-several.yaml", "rollouts: []\n---\nrollouts: []\n");
    let empty = file("refuse-empty.json", "{\"rollouts\": []}");
    for (args, error) in [
        (vec!["explain", &bad], "error: refuse-bad.json: rollouts[0].split.v2: is 125"),
        (vec!["explain", &other], "error: refuse-other.yaml: holds no llm-canary configuration; give"),
        (vec!["explain", &several], "error: refuse-several.yaml: has several configurations"),
        (vec!["explain", &empty, "--key", "k"], "error: the configuration has no rollouts"),
        (
            vec!["explain", &config, "--header", "x-a"],
            "error: --header \"x-a\" is not a name and a value; write",
        ),
        (
            vec!["explain", &config, "--header", "x a=b"],
            "error: --header \"x a\" is not a header name because of ' '",
        ),
        (vec!["explain", &config, "--header", ":path=b"], "error: --header"),
        (vec!["explain", &config, "--cookie", "a"], "error: --cookie \"a\" is not a name and a value"),
        (
            vec!["explain", &config, "--metadata", "a/b:=c"],
            "error: --metadata \"a/b:=c\" has no number behind",
        ),
        (
            vec!["explain", &config, "--rollout", "chat"],
            "error: --rollout and --header-name say where a key goes",
        ),
        (
            vec!["explain", &config, "--key", "k", "--rollout", "x"],
            "error: --rollout \"x\" is not in the configuration, which has chat",
        ),
        (
            vec!["explain", &config, "--key", "k", "--header-name", "x-y"],
            "error: --header-name \"x-y\": rollout chat looks only in header x-c",
        ),
        (vec!["explain", &config, "--keys", "nowhere.txt"], "assumed"),
        (
            vec!["explain", &config, "--key", "k", "--keys", "-"],
            "error: the argument '--key <KEY>' cannot be used with",
        ),
    ] {
        let ran = run(&args);
        assert!(ran.code == Some(2) && ran.out.is_empty() && ran.err.starts_with(error), "{args:?}: {ran:?}");
    }
}

/// Reading only the beginning of the output is no error.
#[cfg(unix)]
#[test]
fn a_closed_pipe_ends_it_quietly() {
    let config = file("pipe.json", CHAT);
    let keys = file("pipe-keys.txt", &"some-key\n".repeat(50_000));
    let script = format!("'{}' explain {config} --keys {keys} | head -n 1", env!("CARGO_BIN_EXE_llm-canary"));
    let done = Command::new("bash")
        .args(["-c", &format!("set -o pipefail; {script}")])
        .current_dir(env!("CARGO_TARGET_TMPDIR"))
        .output()
        .expect("bash runs");
    assert!(done.status.success(), "{done:?}");
    assert_eq!(done.stdout.iter().filter(|&&b| b == b'\n').count(), 1);
}

#[test]
fn help_teaches_with_examples() {
    for args in [vec!["--help"], vec!["check", "--help"], vec!["explain", "--help"]] {
        let ran = run(&args);
        assert_eq!(ran.code, Some(0));
        assert!(ran.out.contains("Examples:\n  llm-canary "), "{args:?}: {}", ran.out);
    }
}

/// What a hook or a pipeline hands over: any file of a repository.
#[test]
fn check_leaves_the_files_of_others_alone() {
    let folder = Folder::new("skip-others");
    let others = [
        ("helm.yaml", "spec:\n  replicas: {{ .Values.replicas }}\n"),
        ("package.json", r#"{"name": "x", "version": "1.0.0"}"#),
        ("depends.json", r#"{"name": "x", "dependencies": {"llm-canary": "0.1.0"}}"#),
        (
            "image.yaml",
            "kind: Pod\nspec: {containers: [{image: registry.example.com/llm-canary-tool:0.1.0}]}\n",
        ),
        ("limits.yaml", "limits: {cpu: 1}\n"),
        ("argo.yaml", "kind: Rollout\nspec: {strategy: {canary: {steps: []}}}\n"),
        ("bytes.yaml", "\u{0}\u{1}"),
        ("empty.yaml", ""),
    ];
    for (name, text) in others {
        folder.write(name, text);
        let ran = folder.fine(&["check", "--skip-others", name]);
        assert_eq!((ran.out.as_str(), ran.err.as_str()), ("", ""), "{name}");
    }
    assert_eq!(folder.fine(&["check", "--skip-others", "--json", "helm.yaml"]).out, "[]\n");

    folder.write("good.yaml", &format!("---\n{CHAT}"));
    folder.write("bad.json", &CHAT.replace("12.5", "125").replace(r#""/v1/""#, r#""v1""#));
    folder.write("broken.yaml", "# llm-canary\nrollouts: [{\n");
    folder.write("policy.yaml", "alpha: 5%\nbeta: 0.1\n");
    let names: Vec<&str> = others.iter().map(|(name, _)| *name).collect();
    let all =
        [&["check", "--skip-others", "good.yaml", "bad.json", "broken.yaml", "policy.yaml"], &names[..]];
    let ran = folder.run(&all.concat());
    assert_eq!(ran.code, Some(2));
    assert_eq!(ran.out, format!("good.yaml: {CHAT_LINE}"));
    for words in [
        "error: bad.json: rollouts[0].split",
        "error: bad.json: rollouts[0].match.path_prefix",
        "error: broken.yaml: ",
        "error: policy.yaml: alpha: is \"5%\"",
    ] {
        assert!(ran.err.contains(words), "{words}: {}", ran.err);
    }
    assert_eq!(ran.err.matches("error: ").count(), 4, "{}", ran.err);
    let ran = folder.run(&["check", "--skip-others", "missing.yaml"]);
    assert!(ran.code == Some(2) && ran.err.contains("missing.yaml: does not exist"), "{ran:?}");
}
