//! Files and resources that the native module reads.

use crate::tool::{Folder, json};

/// A configuration as one line of JSON, with this path of metadata as a key.
fn config(metadata: &str) -> String {
    format!(
        r#"{{"rollouts": [{{"name": "chat", "key": [{{"metadata": "{metadata}"}}], "baseline": "v1", "versions": [{{"name": "v1", "cluster": "llm-v1"}}, {{"name": "v2", "cluster": "llm-v2"}}], "split": {{"v2": 12}}}}]}}"#
    )
}

const ONE_KEY: &str = "com.example.session/id";
const NESTED: &str = "envoy.filters.http.jwt_authn/payload/sub";
const FILTER: &str =
    "\"@type\": type.googleapis.com/envoy.extensions.filters.http.dynamic_modules.v3.DynamicModuleFilter";
const MODULE: &str =
    "dynamic_module_config: {module: {local: {filename: target/libllm_canary-0.1.0.so}}, do_not_close: true}";

/// The filter as YAML in braces, with this value of `filter_config`.
fn filter(filter_config: &str) -> String {
    format!("{{{FILTER}, {MODULE}, filter_name: llm-canary{filter_config}}}")
}

fn any(kind: &str, value: &str) -> String {
    format!(", filter_config: {{\"@type\": type.googleapis.com/google.protobuf.{kind}, value: {value}}}")
}

fn ecds(typed_config: &str) -> String {
    format!(
        "resources:\n- \"@type\": type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig\n  name: llm-canary\n  typed_config: {typed_config}\n"
    )
}

fn policy(list: &str, item: &str) -> String {
    format!(
        "apiVersion: gateway.envoyproxy.io/v1alpha1\nkind: EnvoyExtensionPolicy\nmetadata: {{name: llm}}\nspec:\n  {list}:\n  - {{name: other, config: {{rules: []}}}}\n  - {item}\n"
    )
}

/// Each place of a configuration of the native module, with where messages say it is.
fn places(config: &str) -> [(String, &'static str); 6] {
    let string = filter(&any("StringValue", &format!("'{config}'")));
    let filters =
        |typed_config: &str| format!("http_filters: [{{name: llm-canary, typed_config: {typed_config}}}]");
    [
        (ecds(&string), "resources[0].typed_config.filter_config.value"),
        (ecds(&filter(&any("Struct", config))), "resources[0].typed_config.filter_config.value"),
        (
            format!("static_resources:\n  listeners:\n  - {}\n", filters(&string)),
            "static_resources.listeners[0].http_filters[0].typed_config.filter_config.value",
        ),
        (
            format!(
                "kind: EnvoyFilter\nspec:\n  configPatches:\n  - patch: {{operation: INSERT_FIRST, value: {{{}}}}}\n",
                filters(&string)
            ),
            "spec.configPatches[0].patch.value.http_filters[0].typed_config.filter_config.value",
        ),
        (
            policy("dynamicModule", &format!("{{name: llm, filterName: llm-canary, config: {config}}}")),
            "EnvoyExtensionPolicy llm",
        ),
        (
            format!(
                "kind: ConfigMap\nmetadata: {{name: llm}}\ndata:\n  a.yaml: |\n    {}",
                ecds(&string).trim_end().replace('\n', "\n    ")
            ),
            "ConfigMap llm: data.a.yaml: resources[0].typed_config.filter_config.value",
        ),
    ]
}

#[test]
fn it_is_found_wherever_envoy_reads_it() {
    let folder = Folder::new("native-check");
    for ((good, place), (bad, _)) in places(&config(ONE_KEY)).into_iter().zip(places(&config(NESTED))) {
        folder.write("a.yaml", &good);
        let ran = folder.fine(&["check", "a.yaml"]);
        let line = "chat: v1 88 % (cluster llm-v1, baseline), v2 12 % (cluster llm-v2)\n";
        assert_eq!((ran.out, ran.err), (format!("a.yaml: {place}: {line}"), String::new()), "{good}");
        folder.fine(&["explain", "a.yaml", "--metadata", &format!("{ONE_KEY}=c1")]);

        folder.write("bad.yaml", &bad);
        let words = format!("\"{NESTED}\" has 2 keys, but Envoy can give a native module one only");
        for arguments in [
            &["check", "bad.yaml"][..],
            &["check", "--host", "wasm", "bad.yaml"],
            &["explain", "bad.yaml"],
            &["stop", "bad.yaml", "v2"],
        ] {
            let ran = folder.run(arguments);
            let start = format!("{place}: rollouts[0].key[0].metadata: {words}");
            assert!(ran.code == Some(2) && ran.err.contains(&start), "{start}\n{ran:?}");
        }
        assert_eq!(folder.read("bad.yaml"), bad);
    }
}

#[test]
fn a_wasm_plugin_of_envoy_gateway_is_read_as_one() {
    let folder = Folder::new("native-gateway-wasm");
    let text =
        policy("wasm", &format!("{{name: llm-canary, rootID: llm-canary, config: {}}}", config(NESTED)));
    folder.write("a.yaml", &text);
    assert!(
        folder.fine(&["check", "a.yaml"]).out.starts_with("a.yaml: EnvoyExtensionPolicy llm: chat: v1 88 %")
    );
    folder.fine(&["ramp", "a.yaml", "v2", "20"]);
    folder.fine(&["stop", "a.yaml", "v2"]);
    let report = json(&folder.fine(&["check", "--json", "a.yaml"]).out);
    assert_eq!(report[0]["rollouts"][0]["versions"][1]["stopped"], true);
    assert!(folder.read("a.yaml").starts_with(text.split("config").next().unwrap()), "and nothing else");

    // A text, or nothing, is as wrong as in a native module.
    for (config, words) in [
        (", config: '{}'", "spec.wasm[1].config: is no object; write it as one"),
        ("", "spec.wasm[1].config: is missing; write the configuration there as an object"),
    ] {
        folder.write("bad.yaml", &policy("wasm", &format!("{{name: llm-canary{config}}}")));
        let ran = folder.run(&["check", "bad.yaml"]);
        assert!(ran.code == Some(2) && ran.err.contains(words), "{ran:?}");
    }
}

/// Where Envoy hands over no bodies, what is looked for there is never found.
#[test]
fn keys_in_bodies_are_doubtful_where_no_body_comes() {
    let folder = Folder::new("native-no-bodies");
    let in_body = config(NESTED).replace(&format!("{{\"metadata\": \"{NESTED}\"}}"), "{\"body\": \"/user\"}");
    assert!(in_body.contains("/user"));
    let wasm =
        |kind: &str, inner: &str| format!("kind: {kind}\nmetadata: {{name: llm-canary}}\nspec: {inner}\n");
    let item = format!("{{name: llm-canary, filterName: llm-canary, config: {in_body}}}");
    for (text, is_warned) in [
        (policy("wasm", &item), true),
        (policy("dynamicModule", &item), false),
        (wasm("WasmPlugin", &format!("{{pluginConfig: {in_body}}}")), true),
        (wasm("TrafficExtension", &format!("{{wasm: {{pluginConfig: {in_body}}}}}")), true),
        (ecds(&filter(&any("StringValue", &format!("'{in_body}'")))), false),
        (format!("---\n{in_body}\n"), false),
    ] {
        folder.write("a.yaml", &text);
        let ran = folder.fine(&["check", "a.yaml"]);
        let warned =
            "rollouts[0].key[0]: is never found, because this resource cannot have Envoy hand over bodies";
        assert_eq!(ran.err.contains(warned), is_warned, "{text}{ran:?}");
    }
}

/// All that changes is what must.
#[test]
fn a_change_is_written_in_place() {
    let folder = Folder::new("native-change");
    for (before, _) in places(&config(ONE_KEY)) {
        folder.write("a.yaml", &before);
        folder.fine(&["ramp", "a.yaml", "v2", "20"]);
        folder.fine(&["drain", "a.yaml", "v2"]);
        folder.fine(&["stop", "a.yaml", "v2"]);
        let after = folder.read("a.yaml");
        assert!(after.contains("\"stopped\": true") || after.contains("stopped: true"), "{after}");
        for (a, b) in [("\"@type\"", "TypedExtensionConfig"), ("filter_name", "llm-canary")] {
            assert_eq!(before.matches(a).count(), after.matches(a).count(), "{after}");
            assert_eq!(before.matches(b).count(), after.matches(b).count(), "{after}");
        }
        let report = json(&folder.fine(&["check", "--json", "a.yaml"]).out);
        assert_eq!(report[0]["rollouts"][0]["versions"][1]["stopped"], true, "{after}");
    }
}

#[test]
fn what_does_not_reach_the_module_as_json_is_refused() {
    let folder = Folder::new("native-refused");
    let config = config(ONE_KEY);
    let not_json = "filter_config.value: does not reach the module as JSON; write \"filter_config\": {\"@type\": \
                    \"type.googleapis.com/google.protobuf.StringValue\", \"value\": \"{...}\"}, or a google.protobuf.Struct with \
                    an object as its value";
    let gateway = |item: &str| policy("dynamicModule", item);
    for (text, words) in [
        (ecds(&filter(&any("BytesValue", "eyJyb2xsb3V0cyI6IFtdfQ=="))), not_json),
        (ecds(&filter(&any("Struct", &format!("'{config}'")))), not_json),
        (ecds(&filter(&any("StringValue", &config))), not_json),
        (ecds(&filter(&any("Duration", "1s"))), not_json),
        (ecds(&filter("")), not_json),
        (ecds(&filter(&any("StringValue", "'rollouts: []'"))), "filter_config.value: is not JSON"),
        (
            gateway(&format!("{{name: llm, filterName: llm-canary, config: '{config}'}}")),
            "spec.dynamicModule[1].config: is no object; write it as one, because a text would reach the filter in quotes",
        ),
        (
            gateway("{name: llm-0-1-0, filterName: llm-canary}"),
            "spec.dynamicModule[1].config: is missing; write the configuration there as an object",
        ),
        (
            ecds(&filter(&any("StringValue", &format!("'{config}'"))).replace("llm-canary", "llm_canary")),
            "value: is of a filter with the filter_name \"llm_canary\", which the module refuses; write \"llm-canary\" there",
        ),
        (
            gateway(&format!("{{name: llm, config: {config}}}")),
            "EnvoyExtensionPolicy llm: is of a filter without filterName, which the module refuses; write \"llm-canary\" there",
        ),
        (gateway("{name: llm, filterName: llm-canary, config: {rules: []}}"), "rules: is not a known field"),
    ] {
        folder.write("a.yaml", &text);
        let ran = folder.run(&["check", "a.yaml"]);
        assert!(ran.code == Some(2) && ran.err.contains(words), "{text}\n{words}\n{ran:?}");
    }
}

/// As Envoy 1.39.3 and 1.40.0 do: in a Struct in YAML, a number with a point reaches the module as a text.
#[test]
fn a_struct_in_yaml_has_integers_only() {
    let folder = Folder::new("native-struct");
    let of = |config: &str| filter(&any("Struct", config));
    let half = config(ONE_KEY).replace("12", "0.5");
    let words = "resources[0].typed_config.filter_config.value: rollouts[0].split.v2: is written 0.5, which Envoy takes for a text in \
                 a google.protobuf.Struct in a file of YAML; write a google.protobuf.StringValue with the configuration as JSON";
    folder.write("a.yaml", &ecds(&of(&half)));
    let ran = folder.run(&["check", "a.yaml"]);
    assert!(ran.code == Some(2) && ran.err.contains(words), "{ran:?}");
    // Nor is one written there.
    let good = ecds(&of(&config(ONE_KEY)));
    folder.write("a.yaml", &good);
    let ran = folder.run(&["ramp", "a.yaml", "v2", "0.5"]);
    assert!(ran.code == Some(2) && ran.err.contains("which Envoy takes for a text"), "{ran:?}");
    assert_eq!(folder.read("a.yaml"), good);
    folder.fine(&["ramp", "a.yaml", "v2", "1"]);
    // A control plane passes on JSON.
    folder.write(
        "b.yaml",
        &format!("kind: EnvoyFilter\nspec: {{configPatches: [{{patch: {{value: {}}}}}]}}\n", of(&half)),
    );
    folder.fine(&["check", "b.yaml"]);
    // Envoy reads JSON as it is, and so it does a StringValue.
    let json = serde_json::json!({"resources": [{"typed_config": {
        "dynamic_module_config": {"name": "llm_canary"}, "filter_name": "llm-canary",
        "filter_config": {
            "@type": "type.googleapis.com/google.protobuf.Struct",
            "value": json(&half)
        }
    }}]});
    folder.write("c.json", &json.to_string());
    folder.fine(&["check", "c.json"]);
    folder.write("d.yaml", &ecds(&filter(&any("StringValue", &format!("'{half}'")))));
    folder.fine(&["check", "d.yaml"]);
}

#[test]
fn others_modules_are_left_alone() {
    let folder = Folder::new("native-others");
    let other = |value: &str| {
        format!(
            "{{{FILTER}, dynamic_module_config: {{name: waf}}, filter_name: waf{}}}",
            any("StringValue", value)
        )
    };
    let ours = ecds(&filter(&any("StringValue", &format!("'{}'", config(ONE_KEY)))));
    folder.write(
        "a.yaml",
        &format!("{ours}- {{\"@type\": x, typed_config: {}}}\n", other("'{\"rules\": []}'")),
    );
    let ran = folder.fine(&["check", "a.yaml"]);
    assert_eq!((ran.out.lines().count(), ran.err.as_str()), (1, ""));
    // It may be meant, though neither the module nor the filter has our name.
    folder.write(
        "a.yaml",
        &format!("{ours}- {{\"@type\": x, typed_config: {}}}\n", other("'{\"rollout\": []}'")),
    );
    let ran = folder.fine(&["check", "a.yaml"]);
    assert!(
        ran.err
            .contains("resources[1].typed_config.filter_config.value was not read, though it may be meant"),
        "{ran:?}"
    );
    // The settings of a route are no filter.
    let route = "{dynamic_module_config: {name: llm_canary}, per_route_config_name: llm-canary}";
    folder.write("a.yaml", &format!("{ours}- {{\"@type\": x, typed_config: {route}}}\n"));
    assert_eq!(folder.fine(&["check", "a.yaml"]).out.lines().count(), 1);
}

/// The plugin's own JSON does not say which host reads it.
#[test]
fn check_is_told_the_host_of_plain_files() {
    let folder = Folder::new("native-host");
    folder.write("chat.json", &config(NESTED));
    folder.fine(&["check", "chat.json"]);
    folder.fine(&["check", "--host", "wasm", "chat.json"]);
    let ran = folder.run(&["check", "--host", "native", "chat.json"]);
    assert!(
        ran.code == Some(2) && ran.err.contains("has 2 keys, but Envoy can give a native module one only"),
        "{ran:?}"
    );
    folder.write("chat.json", &config(ONE_KEY));
    folder.fine(&["check", "--host", "native", "chat.json"]);
}
