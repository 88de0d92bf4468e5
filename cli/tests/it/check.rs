//! `check`: what it says of good and of broken files.

use crate::chat::{CHAT, file, run, run_with_input};
use crate::tool::{Folder, json};

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
