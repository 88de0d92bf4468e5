//! Changes of live resources, behind a program that plays kubectl.

use crate::tool::{Folder, Ran, json};
use serde_json::{Value, json};

const EPOCH: &str = "1970-01-01T00:00:00Z";
/// The longest argument that Linux lets a program have (`MAX_ARG_STRLEN`).
const ARGUMENT_BYTES_MAX: usize = 128 << 10;

/// Keeps one resource in a file, and takes a patch of it on standard input if that names the version it has. What is asked
/// of it is noted. If there is a file `fails`, it fails as that says.
const KUBECTL: &str = r#"#!/bin/sh
echo "$@" >> asked
case " $* " in
  *" get "*) if [ -e get-fails ]; then cat get-fails >&2; exit 1; fi; cat resource.json ;;
  *" patch "*)
    for arg in "$@"; do case "$arg" in --patch-file=*) cat "${arg#--patch-file=}" > sent.json ;; esac; done
    if [ -e patch-fails ]; then cat patch-fails >&2; exit 1; fi
    case "$(head -c 200 sent.json)" in
      '[{"op":"replace","path":"/metadata/resourceVersion","value":"'"$(cat version)"'"}'*) ;;
      *) echo 'Error from server (Conflict): Operation cannot be fulfilled on x "llm-canary": the object has been modified; please apply your changes to the latest version and try again' >&2; exit 1 ;;
    esac
    case " $* " in *" --dry-run=server "*) ;; *) mv sent.json patch.json ;; esac
    echo wasmplugin.extensions.istio.io/llm-canary ;;
  *) echo 'Error: unknown command' >&2; exit 1 ;;
esac
"#;

fn config() -> Value {
    json!({"rollouts": [{
        "name": "chat", "baseline": "v1", "salt": "secret-salt",
        "versions": [{"name": "v1", "cluster": "llm-v1"}, {"name": "v2", "cluster": "llm-v2"}],
        "split": {"v2": 10}
    }]})
}

fn wasm_plugin(config: &Value) -> Value {
    json!({
        "apiVersion": "extensions.istio.io/v1alpha1", "kind": "WasmPlugin",
        "metadata": {"name": "llm-canary", "namespace": "istio-ingress", "resourceVersion": "41", "generation": 3},
        "spec": {"url": "oci://registry.example.com/llm-canary:1", "pluginConfig": config},
        "status": {}
    })
}

/// An ECDS file, as a YAML text.
fn discovery_file(config: &str) -> String {
    let indented: String = config.lines().map(|line| format!("          {line}\n")).collect();
    format!(
        "# read by Envoy\nresources:\n- \"@type\": type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig\n  name: llm-canary\n  \
         typed_config:\n    \"@type\": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm\n    config:\n      \
         name: llm-canary\n      root_id: llm-canary\n      configuration:\n        \"@type\": type.googleapis.com/google.protobuf.StringValue\n        \
         value: |\n{indented}"
    )
}

fn config_map(data: &Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap", "data": data,
        "metadata": {"name": "llm-canary", "namespace": "llm", "resourceVersion": "41"}
    })
}

fn folder(name: &str, resource: &Value) -> Folder {
    let mut folder = Folder::new(&format!("kubectl-{name}"));
    folder.program("kubectl", KUBECTL);
    folder.write("resource.json", &resource.to_string());
    folder.write("version", "41");
    folder
}

fn stop(folder: &Folder, resource: &str, more: &[&str]) -> Ran {
    folder.run(
        &[&["stop", "--kubectl", resource, "v2", "-n", "istio-ingress", "--context", "prod"], more].concat(),
    )
}

#[test]
fn a_live_resource_is_patched() {
    let folder = folder("patched", &wasm_plugin(&config()));
    let ran = stop(&folder, "wasmplugin/llm-canary", &["--dry-run"]);
    assert!(ran.code == Some(0) && ran.err.contains("+++ wasmplugin/llm-canary (changed)"), "{ran:?}");
    assert!(ran.err.contains("\n+            stopped: true\n"), "a diff of YAML: {ran:?}");
    assert!(!folder.path.join("patch.json").exists());
    let ran = stop(&folder, "wasmplugin/llm-canary", &[]);
    assert_eq!(
        (ran.code, ran.out.as_str()),
        (Some(0), "chat: v2 is stopped; v1 serves its conversations\n"),
        "{ran:?}"
    );
    let asked = folder.read("asked");
    assert!(
        asked
            .lines()
            .all(|line| line.starts_with("--request-timeout=30s --namespace istio-ingress --context prod ")),
        "{asked}"
    );
    assert!(
        !asked.contains("secret-salt") && !asked.contains("op"),
        "every user sees a program's arguments: {asked}"
    );

    let patch = json(&folder.read("patch.json"));
    assert_eq!(patch[0], json!({"op": "replace", "path": "/metadata/resourceVersion", "value": "41"}));
    assert_eq!((&patch[1]["op"], &patch[1]["path"]), (&"replace".into(), &"/spec/pluginConfig".into()));
    let rollout = &patch[1]["value"]["rollouts"][0];
    assert_eq!((&rollout["versions"][1]["stopped"], &rollout["split"]), (&true.into(), &Value::Null));
    assert_eq!(rollout["steps"][0], json!({"at": EPOCH, "percent": {"v2": 10}}));
    assert_eq!(rollout["steps"][1]["percent"], json!({"v2": 0}));
    assert_eq!(rollout["salt"], "secret-salt");
}

#[test]
fn a_policy_of_envoy_gateway_is_patched() {
    let resource = json!({
        "apiVersion": "gateway.envoyproxy.io/v1alpha1", "kind": "EnvoyExtensionPolicy",
        "metadata": {"name": "llm-canary", "namespace": "llm", "resourceVersion": "41"},
        "spec": {"dynamicModule": [
            {"name": "waf", "config": {"rules": []}},
            {"name": "llm-canary-0-1-0", "filterName": "llm-canary", "config": config()}
        ]}
    });
    let folder = folder("gateway", &resource);
    let ran = stop(&folder, "envoyextensionpolicy/llm-canary", &[]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let patch = json(&folder.read("patch.json"));
    assert_eq!(patch[1]["path"], "/spec/dynamicModule/1/config");
    assert_eq!(patch[1]["value"]["rollouts"][0]["versions"][1]["stopped"], true);
}

/// A configuration with at least so many bytes of JSON.
fn config_of(bytes: usize) -> Value {
    const OTHERS: usize = 63;
    const VALUE_BYTES: usize = 200;
    let mut config = config();
    for at in 0..OTHERS {
        let values: Vec<String> =
            (0..bytes / OTHERS / VALUE_BYTES + 1).map(|value| format!("{value:0>VALUE_BYTES$}")).collect();
        config.get_mut("rollouts").and_then(Value::as_array_mut).unwrap().push(json!({
            "name": format!("other-{at}"), "baseline": "v1", "match": {"path_prefix": format!("/{at}/")},
            "versions": [{"name": "v1", "cluster": "llm-v1"}],
            "overrides": [{"header": "x-cohort", "values": values, "version": "v1"}]
        }));
    }
    config
}

#[test]
fn a_large_configuration_is_no_argument() {
    for bytes in [188_000, 900_000] {
        let config = config_of(bytes);
        let text = config.to_string();
        assert!((bytes..bytes + 60_000).contains(&text.len()), "{}", text.len());
        let pretty = format!("{config:#}");
        let in_yaml = json!({"llm-canary.yaml": discovery_file(&text), "other": "text"});
        let in_json = json!({"llm-canary.json": pretty});
        for (kind, resource) in [
            ("wasmplugin", wasm_plugin(&config)),
            ("configmap", config_map(&in_yaml)),
            ("cm", config_map(&in_json)),
        ] {
            let folder = folder(&format!("large-{kind}-{bytes}"), &resource);
            let ran = stop(&folder, &format!("{kind}/llm-canary"), &["--rollout", "chat"]);
            let said: String = ran.err.chars().take(3000).collect();
            assert_eq!(ran.code, Some(0), "{kind} {bytes}: {said}");
            let longest = folder.read("asked").split_whitespace().map(str::len).max().unwrap_or(0);
            assert!(longest < 100, "{longest}");
            let patch = folder.read("patch.json");
            assert!(patch.len() > bytes && bytes > ARGUMENT_BYTES_MAX && patch.contains("stopped"), "{kind}");
        }
    }
}

#[test]
fn a_file_in_a_config_map_is_changed() {
    let file = discovery_file(&format!("{:#}", config()));
    let data =
        json!({"llm-canary.yaml": file, "notes.txt": "rollouts: [of llm-canary", "other.json": "{\"a\": 1}"});
    let folder = folder("config-map", &config_map(&data));
    let ran = stop(&folder, "configmap/llm-canary", &[]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.err.contains("a mounted ConfigMap reaches its Pods within two minutes"), "{ran:?}");
    let changed_lines =
        ran.err.lines().filter(|line| line.starts_with('-') && !line.starts_with("---")).count();
    assert!(changed_lines < 8, "a text of many lines is compared line by line: {}", ran.err);
    let patch = json(&folder.read("patch.json"));
    assert_eq!(patch[1]["path"], "/data/llm-canary.yaml");
    let changed = patch[1]["value"].as_str().unwrap();
    assert!(
        changed.starts_with("# read by Envoy\nresources:\n") && changed.contains("\"stopped\": true"),
        "{changed}"
    );

    // The manifest as a file, and the plugin's own JSON in it.
    let manifest = |file: &str, text: &str| {
        let block: String = text.lines().map(|line| format!("    {line}\n")).collect();
        format!(
            "# ours\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: llm-canary\ndata:\n  {file}: |\n{block}"
        )
    };
    for (name, file, text) in [
        ("ecds.yaml", "llm-canary.yaml", discovery_file(&format!("{:#}", config()))),
        ("json.yaml", "config.json", format!("{:#}\n", config())),
        ("plain.yaml", "config", "rollouts:\n- name: chat\n  baseline: v1\n  versions:\n  - {name: v1, cluster: a}\n  - {name: v2, cluster: b}\n".to_owned()),
    ] {
        let before = manifest(file, &text);
        folder.write(name, &before);
        let ran = folder.fine(&["check", name]);
        assert!(ran.out.starts_with(&format!("{name}: ConfigMap llm-canary: data.{file}")), "{ran:?}");
        folder.fine(&["stop", name, "v2"]);
        let after = folder.read(name);
        assert!(after.contains("stopped") && after.starts_with("# ours\n"), "{after}");
        let gone = before.lines().filter(|line| !after.lines().any(|other| other == *line)).count();
        assert!(gone <= 4, "{name}: {gone} lines are gone:\n{after}");
        folder.fine(&["simulate", name, "--count", "10"]);
    }
    let list = format!("kind: List\nitems:\n- {}\n- {}\n", config_map(&data), wasm_plugin(&config()));
    folder.write("list.yaml", &list);
    assert_eq!(folder.fine(&["check", "list.yaml"]).out.lines().count(), 2);

    // A broken file of ours is an error, and not somebody else's.
    folder.write("broken.yaml", &manifest("config.json", "{\"rollouts\": [}"));
    folder.refused(
        &["check", "broken.yaml"],
        "broken.yaml: ConfigMap llm-canary: data.config.json: is not JSON",
    );
}

/// `{"rollouts": ...}` in base64, which a program may write though it is text.
#[test]
fn a_file_in_base64_is_changed() {
    let text = r#"{"rollouts": [{"name": "chat", "baseline": "v1", "key": [{"header": "x-id"}], "versions": [{"name": "v1", "cluster": "a"}, {"name": "v2", "cluster": "b"}]}]}"#;
    let encoded = "eyJyb2xsb3V0cyI6IFt7Im5hbWUiOiAiY2hhdCIsICJiYXNlbGluZSI6ICJ2MSIsICJrZXkiOiBbeyJoZWFkZXIiOiAieC1pZCJ9XSwgInZlcnNpb25zIjogW3sibmFtZSI6ICJ2MSIsICJjbHVzdGVyIjogImEifSwgeyJuYW1lIjogInYyIiwgImNsdXN0ZXIiOiAiYiJ9XX1dfQ==";
    let mut resource = config_map(&json!({"notes": "x"}));
    resource["binaryData"] = json!({"llm.json": encoded, "logo.png": "iVBORw0KGgo="});
    let folder = folder("base64", &resource);
    let ran = stop(&folder, "cm/llm-canary", &[]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let shown = format!(
        "--- cm/llm-canary: ConfigMap llm-canary: binaryData.llm.json\n+++ cm/llm-canary: ConfigMap llm-canary: \
                         binaryData.llm.json (changed)\n@@ -1 +1 @@\n-{text}\n"
    );
    assert!(ran.err.contains(&shown), "people read the text: {ran:?}");
    let patch = json(&folder.read("patch.json"));
    assert_eq!(patch[1]["path"], "/binaryData/llm.json");
    folder.write(
        "changed.yaml",
        &format!("kind: ConfigMap\nbinaryData: {{llm.json: {}}}\n", patch[1]["value"]),
    );
    let ran = folder.fine(&["check", "changed.yaml"]);
    assert!(
        ran.out.contains("binaryData.llm.json: chat: v1 100 %") && ran.out.contains("stopped"),
        "{ran:?}"
    );
}

#[test]
fn each_failure_of_kubectl_has_words() {
    let folder = folder("failures", &wasm_plugin(&config()));
    // Somebody else was faster.
    folder.write("version", "42");
    let ran = stop(&folder, "wasmplugin/llm-canary", &[]);
    let words = "wasmplugin/llm-canary cannot be changed: somebody else changed the resource meanwhile; run the command again. \
                 kubectl said: \"Error from server (Conflict): ";
    assert!(
        ran.code == Some(2) && ran.err.contains(words) && ran.err.ends_with("; nothing was changed\n"),
        "{ran:?}"
    );
    folder.write("version", "41");
    for (said, words, end) in [
        ("Error from server (Forbidden): no\n", "you may not do this there", "; nothing was changed\n"),
        (
            "Error from server (Timeout): x\n",
            "took too long",
            "run the command again, which does nothing if it was\n",
        ),
        ("", "kubectl failed, and gave no reason", "which does nothing if it was\n"),
    ] {
        folder.write("patch-fails", said);
        let ran = stop(&folder, "wasmplugin/llm-canary", &[]);
        assert!(ran.code == Some(2) && ran.err.contains(words) && ran.err.ends_with(end), "{ran:?}");
        let ran = stop(&folder, "wasmplugin/llm-canary", &["--dry-run"]);
        assert!(ran.err.ends_with("; nothing was changed\n"), "{ran:?}");
    }
    folder.write(
        "get-fails",
        "Error from server (NotFound): wasmplugins.extensions.istio.io \"x\" not found\n",
    );
    let words = "error: wasmplugin/x cannot be read: there is no such resource there; name its namespace with -n, and the cluster \
                 with --context. kubectl said: \"Error from server (NotFound): ";
    folder.refused(&["stop", "--kubectl", "wasmplugin/x", "v2"], words);
    folder.write(
        "get-fails",
        "Error: unknown flag: --show-managed-fields\nSee 'kubectl get --help' for usage.\n",
    );
    folder.refused(&["stop", "--kubectl", "wasmplugin/x", "v2"], "update it to 1.21 or later");

    folder.write("get-fails", "Unable to connect to the server: EOF\n");
    folder.refused(&["stop", "--kubectl", "wasmplugin/x", "v2"], "EOF\"; run the command again\n");

    let unreadable = self::folder("unreadable", &Value::Null);
    unreadable.refused(&["stop", "--kubectl", "wasmplugin/x", "v2"], "kubectl get printed no resource");
    unreadable.write("resource.json", "<html>");
    unreadable.refused(&["stop", "--kubectl", "wasmplugin/x", "v2"], "kubectl get printed no resource");
    std::fs::set_permissions(
        unreadable.path.join("bin/kubectl"),
        std::os::unix::fs::PermissionsExt::from_mode(0o644),
    )
    .unwrap();
    let alone = unreadable.run_alone(&["stop", "--kubectl", "wasmplugin/x", "v2"]);
    assert!(alone.err.contains("kubectl cannot be started: it is not allowed to this user"), "{alone:?}");
    std::fs::remove_file(unreadable.path.join("bin/kubectl")).unwrap();
    let alone = unreadable.run_alone(&["stop", "--kubectl", "wasmplugin/x", "v2"]);
    assert!(alone.err.contains("kubectl is not installed, or not on the PATH"), "{alone:?}");
}

#[test]
fn a_resource_that_another_program_writes_is_named() {
    let mut resource = wasm_plugin(&config());
    resource["metadata"]["annotations"] = json!({"argocd.argoproj.io/tracking-id": "llm:extensions.istio.io/WasmPlugin:istio-ingress/llm-canary"});
    let folder = folder("owned", &resource);
    let ran = stop(&folder, "wasmplugin/llm-canary", &[]);
    let warning = "warning: wasmplugin/llm-canary: Argo CD manages it (application llm): it undoes this change within seconds if";
    assert!(ran.code == Some(0) && ran.err.contains(warning), "{ran:?}");
    assert!(folder.read("asked").contains("--show-managed-fields"), "the managers of fields are asked for");
    let ran = stop(&folder, "wasmplugin/llm-canary", &["--json", "--dry-run"]);
    assert!(json(&ran.out)["warnings"][0].as_str().unwrap().contains("Argo CD manages it"), "{ran:?}");
    resource["metadata"]["annotations"] = json!({"kubectl.kubernetes.io/last-applied-configuration": "{}"});
    folder.write("resource.json", &resource.to_string());
    let ran = stop(&folder, "wasmplugin/llm-canary", &[]);
    assert!(ran.err.contains("note: wasmplugin/llm-canary: kubectl apply made it from a file"), "{ran:?}");
}

#[test]
fn a_resource_needs_the_option() {
    let folder = folder("option", &wasm_plugin(&config()));
    folder.refused(
        &["stop", "wasmplugin/llm-canary", "v2"],
        "wasmplugin/llm-canary: does not exist. To change the resource of this name, add --kubectl",
    );
    for command in ["check", "simulate", "explain"] {
        folder.refused(
            &[command, "cm/llm-canary"],
            "cm/llm-canary: does not exist. To read the resource of this name: kubectl get cm/llm-canary -o yaml | llm-canary",
        );
    }
    folder.refused(&["stop", "--kubectl", "llm-canary", "v2"], "write wasmplugin/llm-canary or the like");
    folder.refused(
        &["stop", "--kubectl", "secret/llm-canary", "v2"],
        "changes a wasmplugin, a trafficextension, an envoyfilter, an envoyextensionpolicy or a configmap, not a \"secret\"",
    );
    folder.refused(&["stop", "llm-canary", "-n", "x", "v2"], "--kubectl");
    let ran = folder.run(&["stop", "--kubectl", "wasmplugin/llm-canary", "v2", "wasmplugin/llm-canary"]);
    assert_eq!(ran.code, Some(2), "the resource is the argument, and --kubectl a flag: {ran:?}");
}
