//! Which rollout of a text is changed: what is broken beside it is passed over, and what is ambiguous can be named.

use super::change::CHAT;
use super::world::FakeWorld;
use serde_json::json;

const NOW: &str = "2026-11-23T09:00:00.4Z";
const ARGUMENTS: [&str; 5] = ["stop", "llm.yaml", "v2", "--rollout", "chat"];

fn good(name: &str) -> String {
    CHAT.replace("\"chat\"", &format!("\"{name}\""))
}

fn config_map(files: &[(&str, &str)]) -> String {
    let data: serde_json::Map<_, _> =
        files.iter().map(|(name, text)| ((*name).to_owned(), json!(text))).collect();
    json!({"kind": "ConfigMap", "metadata": {"name": "llm", "namespace": "prod"}, "data": data}).to_string()
}

fn world(text: &str) -> FakeWorld {
    FakeWorld::new(NOW, &[("llm.yaml", text)])
}

/// The text of a file of the ConfigMap.
fn file(world: &FakeWorld, name: &str) -> String {
    let resource: serde_json::Value = super::world::json(&world.read("llm.yaml"));
    resource["data"][name].as_str().unwrap().to_owned()
}

#[test]
fn what_is_broken_elsewhere_does_not_prevent_a_stop() {
    let chat = good("chat");
    let wrong_share = good("code").replace("10", "1000");
    for (broken, words) in [
        (wrong_share.as_str(), "llm.yaml: ConfigMap llm: data.b.yaml: rollouts[0].split.v2: is 1000"),
        ("{\"rollouts\": [", "llm.yaml: ConfigMap llm: data.b.yaml: is not JSON: "),
        ("rollouts:\n- name: [\n", "llm.yaml: ConfigMap llm: data.b.yaml: is not YAML: "),
        ("rollouts: 1\n", "llm.yaml: ConfigMap llm: data.b.yaml: rollouts: is "),
    ] {
        let world = world(&config_map(&[("a.yaml", &chat), ("b.yaml", broken)]));
        for command in ["stop", "drain"] {
            let ran = world.fine(&[command, "llm.yaml", "v2", "--rollout", "chat"]);
            let passed_over = "this configuration is broken, and was passed over";
            let warning = ran.err.lines().find(|line| line.contains(words)).unwrap_or_default();
            assert!(warning.starts_with("warning: ") && warning.contains(passed_over), "{broken}: {ran:?}");
        }
        assert!(file(&world, "a.yaml").contains("\"stopped\": true"));
        assert_eq!(file(&world, "b.yaml"), broken);
        // Without a name it may be the broken one that is meant.
        world.refused(&["stop", "llm.yaml", "v3"], "say which with --rollout");
        let is_named = broken == wrong_share;
        world.refused(
            &["stop", "llm.yaml", "v3"],
            if is_named { "the rollouts chat, code (broken);" } else { words },
        );
    }
}

#[test]
fn a_broken_document_of_yaml_is_passed_over() {
    let good = "rollouts:\n- name: chat\n  baseline: v1\n  versions:\n  - {name: v1, cluster: a}\n  - {name: v2, cluster: b}\n";
    let stopped = "  - {name: v2, cluster: b, stopped: true}\n";
    for broken in [
        "a: [\n",
        "kind: Service\nkind: Service\n",
        "x: *y\n",
        "a:\n\tb: 1\n",
        "'\n",
        "x: |\n  y\n z\n",
        "a: \"\n  - b\n",
    ] {
        for (text, number) in [
            (format!("# both\n{good}---\n{broken}"), 2),
            (format!("{broken}--- # both\n{good}"), 1),
            (format!("---\n\n---\n{broken}...\n---\r\n{good}---\n{broken}"), 1),
            (format!("%YAML 1.2\n---\n{good}...\n%YAML 1.2\n---\n{broken}"), 2),
        ] {
            let world = world(&text);
            let ran = world.fine(&ARGUMENTS);
            assert!(ran.err.contains(&format!("warning: llm.yaml: document {number}: ")), "{text}: {ran:?}");
            let after = world.read("llm.yaml");
            assert!(after.contains(stopped) && after.contains(broken), "{text}: {after}");
            assert_eq!(world.run(&["check", "llm.yaml"]).code, 2, "{text}");
            let ran = world.run(&["explain", "llm.yaml"]);
            assert!(
                ran.code == 2 && ran.err.contains(&format!("error: llm.yaml: document {number}: ")),
                "{ran:?}"
            );
        }
    }
    // The line is that of the file.
    let ran = world(&format!("{good}---\nx: 1\n---\na: [\n")).fine(&ARGUMENTS);
    let line = "document 3: is not YAML: '[' is not closed before the end at line 10 column 4";
    assert!(ran.err.contains(line), "{ran:?}");
    // Alone it is an error, as before.
    world("a: [\n").refused(&ARGUMENTS, "llm.yaml: is not YAML: ");
}

#[test]
fn rollouts_of_one_name_are_told_apart_by_their_place() {
    let chat = good("chat");
    let world = world(&config_map(&[("a.yaml", &chat), ("b.yaml", &chat), ("c.yaml", &good("code"))]));
    let words = "llm.yaml has several rollouts \"chat\": a.yaml/chat (ConfigMap llm: data.a.yaml), b.yaml/chat \
                 (ConfigMap llm: data.b.yaml); say which with --rollout, such as --rollout a.yaml/chat";
    world.refused(&ARGUMENTS, words);
    world.refused(
        &["stop", "llm.yaml", "v2"],
        "has the rollouts a.yaml/chat, b.yaml/chat, code; say which with --rollout",
    );
    for name in ["b.yaml/chat", "llm/b.yaml/chat", "prod/llm/b.yaml/chat"] {
        world.fine(&["ramp", "llm.yaml", "v2", "5", "--dry-run", "--rollout", name]);
    }
    world.fine(&["stop", "llm.yaml", "v2", "--rollout", "b.yaml/chat"]);
    assert!(file(&world, "b.yaml").contains("\"stopped\": true"));
    assert_eq!(file(&world, "a.yaml"), chat);
    world.refused(&["stop", "llm.yaml", "v2", "--rollout", "d.yaml/chat"], "has no rollout \"d.yaml/chat\"");
    world.refused(&["stop", "llm.yaml", "v2", "--rollout", "d.yaml/chat"], "a.yaml/chat");

    // A rollout of that name in a broken configuration may be the one that is meant.
    let broken = chat.replace("10", "1000");
    let world = self::world(&config_map(&[("a.yaml", &chat), ("b.yaml", &broken)]));
    world.refused(&ARGUMENTS, "b.yaml/chat (ConfigMap llm: data.b.yaml, which is broken)");
    world.refused(&["stop", "llm.yaml", "v2", "--rollout", "b.yaml/chat"], "rollouts[0].split.v2: is 1000");
    let ran = world.fine(&["stop", "llm.yaml", "v2", "--rollout", "a.yaml/chat"]);
    assert!(
        ran.err.contains("warning: llm.yaml: ConfigMap llm: data.b.yaml: rollouts[0].split.v2: is 1000"),
        "{ran:?}"
    );
}

#[test]
fn every_place_can_be_named() {
    let rollouts =
        "rollouts: [{name: chat, baseline: v1, versions: [{name: v1, cluster: a}, {name: v2, cluster: b}]}]";
    let istio = |namespace: &str| {
        format!(
            "kind: WasmPlugin\nmetadata: {{name: canary, namespace: {namespace}}}\nspec:\n  pluginConfig:\n    {rollouts}\n"
        )
    };
    let json = r#"{"rollouts": [{"name": "chat", "baseline": "v1", "versions": [{"name": "v1", "cluster": "a"}, {"name": "v2", "cluster": "b"}]}]}"#;
    let resource = |name: &str| {
        format!(
            "- \"@type\": type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig\n  name: {name}\n  typed_config: {{config: {{root_id: x, \
             configuration: {{\"@type\": type.googleapis.com/google.protobuf.StringValue, value: '{json}'}}}}}}\n"
        )
    };
    for (text, names) in [
        (format!("{}---\n{}", istio("blue"), istio("green")), ["blue/chat", "green/chat"]),
        (format!("resources:\n{}{}", resource("one"), resource("two")), ["one/chat", "two/chat"]),
        // Nothing but their order tells them apart.
        (format!("{rollouts}\n---\n{rollouts}\n"), ["1/chat", "2/chat"]),
        (format!("resources:\n{}{}", resource("one"), resource("one")), ["1/chat", "2/chat"]),
        // A name that looks like a number is a name.
        (format!("resources:\n{}{}", resource("\"2\""), resource("x")), ["2/chat", "x/chat"]),
    ] {
        let world = world(&text);
        let ran = world.run(&ARGUMENTS);
        for name in names {
            assert!(ran.code == 2 && ran.err.contains(&format!("{name} (")), "{name}: {ran:?}");
        }
        world.fine(&["stop", "llm.yaml", "v2", "--rollout", names[1]]);
        let ran = world.fine(&["check", "llm.yaml"]);
        let lines: Vec<&str> = ran.out.lines().collect();
        assert!(!lines[0].contains("stopped") && lines[1].contains("stopped"), "{names:?}: {ran:?}");
    }
}
