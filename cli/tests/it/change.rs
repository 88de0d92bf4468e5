//! Changes of real files, of resources behind a program that plays kubectl, and of Envoys behind HTTP.

use crate::tool::{Folder, json};
use llm_canary::config::Config;
use llm_canary::config::json::{self, Node};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::PathBuf;

const CHAT: &str = r#"{
  "rollouts": [
    {
      "name": "chat",
      "baseline": "v1",
      "versions": [
        { "name": "v1", "cluster": "llm-v1" },
        { "name": "v2", "cluster": "llm-v2" },
        { "name": "v3", "cluster": "llm-v3" }
      ],
      "split": { "v2": 10 }
    }
  ]
}
"#;

const EPOCH: &str = "1970-01-01T00:00:00Z";

fn folder(name: &str) -> Folder {
    let folder = Folder::new(&format!("change-{name}"));
    folder.write("chat.json", CHAT);
    folder
}

/// The repository's own files, as an operator would copy them: only what must changes.
#[test]
fn the_files_envoy_and_istio_read() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let folder = Folder::new("operate-files");
    for (file, rewritten) in [
        ("envoy/ecds/llm-canary.yaml", "{ \"name\": \"v2\", \"cluster\": \"llm-v2\", \"stopped\": true }"),
        ("istio/gateway-wasmplugin.yaml", "            stopped: true"),
        ("istio/sidecar-trafficextension.yaml", "              stopped: true"),
    ] {
        let before = std::fs::read_to_string(root.join(file)).unwrap();
        folder.write("file.yaml", &before);
        folder.fine(&["stop", "file.yaml", "v2"]);
        let after = folder.read("file.yaml");
        assert!(after.contains(rewritten), "{after}");
        let comments = |text: &str| {
            text.lines().filter(|line| line.contains('#')).map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(comments(&before), comments(&after), "{file}");
        let gone = before.lines().filter(|line| !after.lines().any(|other| other == *line)).count();
        assert!(gone <= 3, "{file}: {gone} lines are gone:\n{after}");
        folder.fine(&["check", "file.yaml"]);
    }
}

/// Answers as an Envoy's admin page that reads the file at once, and refuses or runs it. Ends with the test's process.
/// With a `date` it sends that header.
fn start_envoy(file: PathBuf, refuses: bool, date: Option<&'static str>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let hash = move || json::parse(&std::fs::read(&file).unwrap()).map_or(0, |tree| Node::hash(&tree));
    std::thread::spawn(move || {
        let before = hash();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = BufReader::new(stream.try_clone().unwrap()).lines();
            let line = request.next().unwrap().unwrap();
            assert!(line.starts_with("GET /stats?filter=llm_config_hash%7C"), "{line}");
            while !request.next().unwrap().unwrap().is_empty() {}
            let now = hash();
            let (hash, refused) = if refuses { (before, u32::from(now != before)) } else { (now, 0) };
            let name = "extension_config_discovery.http_filter.llm-canary.update_rejected";
            let body = format!("{name}: {refused}\nwasmcustom.llm_config_hash: {hash}\n");
            // In chunks, as Envoy answers.
            let date = date.map(|date| format!("date: {date}\r\n")).unwrap_or_default();
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\n{date}transfer-encoding: chunked\r\nconnection: close\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
                body.len()
            );
        }
    });
    url
}

#[test]
fn envoys_are_asked_over_http() {
    let folder = folder("envoys");
    let file = folder.path.join("chat.json");
    let (first, second) = (start_envoy(file.clone(), false, None), start_envoy(file.clone(), false, None));
    let ran = folder.fine(&["stop", "chat.json", "v2", "--admin", &first, "--admin", &second]);
    assert_eq!(ran.out.lines().filter(|line| line.contains(" runs it after ")).count(), 2, "{ran:?}");
    assert!(ran.err.contains("all 2 Envoys run it; the slowest took "), "{ran:?}");

    let refusing = start_envoy(file.clone(), true, None);
    let ran = folder.run(&["stop", "chat.json", "v3", "--json", "--admin", &first, "--admin", &refusing]);
    assert_eq!(ran.code, Some(4), "{ran:?}");
    let report = json(&ran.out);
    assert_eq!((&report["envoys"][1]["state"], &report["exit_code"]), (&"refused".into(), &4.into()));
    let nobody = "http://127.0.0.1:9";
    let ran = folder.run(&["stop", "chat.json", "v3", "--admin", nobody, "--timeout", "0s"]);
    assert!(ran.code == Some(4) && ran.out.contains(" does not run it: it does not answer: "), "{ran:?}");
    assert!(
        ran.err.ends_with("chat.json is written as was asked, and nothing had to be changed\n"),
        "{ran:?}"
    );

    // Its clock is compared with this machine's.
    let ahead = start_envoy(file, false, Some("Wed, 01 Jan 2098 00:00:00 GMT"));
    let ran = folder.fine(&["ramp", "chat.json", "v2", "1", "--resume", "--admin", &ahead]);
    assert!(
        ran.err.contains(&format!("warning: the clock of {ahead} is ")) && ran.err.contains(" s ahead of "),
        "{ran:?}"
    );
    assert!(ran.out.contains("gets 1 % from 2098-01-01T00:00:0"), "{ran:?}");
}

/// Keeps one resource in a file, and takes a patch of it if that names the version it has. What is asked of it
/// is noted.
const KUBECTL: &str = r#"#!/bin/sh
echo "$@" >> asked
case " $* " in
  *" get wasmplugin/llm-canary "*) cat resource.json ;;
  *" patch wasmplugin/llm-canary "*)
    for arg in "$@"; do case "$arg" in --patch=*) patch="${arg#--patch=}" ;; esac; done
    case "$patch" in
      *'{"op":"test","path":"/metadata/resourceVersion","value":"'"$(cat version)"'"}'*) ;;
      *) echo 'error: testing path /metadata/resourceVersion with value ... failed: test failed' >&2; exit 1 ;;
    esac
    case " $* " in *" --dry-run=server "*) ;; *) echo "$patch" > patch.json ;; esac
    echo wasmplugin.extensions.istio.io/llm-canary ;;
  *) echo 'Error from server (NotFound): not found' >&2; exit 1 ;;
esac
"#;

#[test]
fn a_live_resource_is_patched() {
    let mut folder = Folder::new("operate-kubectl");
    folder.program("kubectl", KUBECTL);
    let config: serde_json::Value = serde_json::from_str(CHAT).unwrap();
    let resource = serde_json::json!({
        "apiVersion": "extensions.istio.io/v1alpha1", "kind": "WasmPlugin",
        "metadata": {"name": "llm-canary", "namespace": "istio-ingress", "resourceVersion": "41", "generation": 3},
        "spec": {"url": "oci://registry.example.com/llm-canary:1", "pluginConfig": config},
        "status": {}
    });
    folder.write("resource.json", &resource.to_string());
    folder.write("version", "41");
    let target = ["--kubectl", "wasmplugin/llm-canary", "-n", "istio-ingress", "--context", "prod"];
    let run = |args: &[&str]| folder.run(&[args, &target].concat());

    let ran = run(&["stop", "wasmplugin/llm-canary", "v2", "--dry-run"]);
    assert_eq!(ran.code, Some(2), "the resource is the argument, and --kubectl a flag: {ran:?}");
    let stop = |more: &[&str]| {
        let args =
            ["stop", "--kubectl", "wasmplugin/llm-canary", "v2", "-n", "istio-ingress", "--context", "prod"];
        folder.run(&[&args[..], more].concat())
    };
    let ran = stop(&["--dry-run"]);
    assert!(ran.code == Some(0) && ran.err.contains("+++ wasmplugin/llm-canary (changed)"), "{ran:?}");
    assert!(!folder.path.join("patch.json").exists());
    let ran = stop(&[]);
    assert_eq!(
        (ran.code, ran.out.as_str()),
        (Some(0), "chat: v2 is stopped; v1 serves its conversations\n"),
        "{ran:?}"
    );
    let asked = folder.read("asked");
    assert!(
        asked.lines().all(|line| line.starts_with("--namespace istio-ingress --context prod ")),
        "{asked}"
    );

    let patch = json(&folder.read("patch.json"));
    assert_eq!(
        patch[0],
        serde_json::json!({"op": "test", "path": "/metadata/resourceVersion", "value": "41"})
    );
    assert_eq!((&patch[1]["op"], &patch[1]["path"]), (&"replace".into(), &"/spec/pluginConfig".into()));
    let rollout = &patch[1]["value"]["rollouts"][0];
    assert_eq!(
        (&rollout["versions"][1]["stopped"], &rollout["split"]),
        (&true.into(), &serde_json::Value::Null)
    );
    assert_eq!(rollout["steps"][0], serde_json::json!({"at": EPOCH, "percent": {"v2": 10}}));
    assert_eq!(rollout["steps"][1]["percent"], serde_json::json!({"v2": 0}));

    // Somebody else was faster.
    folder.write("version", "42");
    let ran = stop(&[]);
    assert!(
        ran.code == Some(2)
            && ran.err.contains("somebody else changed the resource meanwhile, run the command again"),
        "{ran:?}"
    );
    let ran = folder.run(&["stop", "--kubectl", "wasmplugin/other", "v2"]);
    assert!(ran.code == Some(2) && ran.err.contains("NotFound"), "{ran:?}");
    folder.refused(&["stop", "--kubectl", "llm-canary", "v2"], "write wasmplugin/llm-canary or the like");
    folder.refused(
        &["stop", "--kubectl", "secret/llm-canary", "v2"],
        "changes a wasmplugin, a trafficextension",
    );
    folder.refused(&["stop", "llm-canary", "-n", "x", "v2"], "--kubectl");
}

#[test]
fn many_operators_lose_no_change() {
    let folder = folder("many");
    std::thread::scope(|scope| {
        for hour in 1..=8 {
            let folder = &folder;
            scope.spawn(move || {
                let (share, at) = (format!("{}", 10 + hour), format!("+{hour}h"));
                folder.fine(&[
                    "ramp",
                    "chat.json",
                    if hour % 2 == 0 { "v2" } else { "v3" },
                    &share,
                    "--at",
                    &at,
                ]);
            });
        }
    });
    // What was planned for the same version after it is replaced by each, so only the order is by chance.
    let config = Config::parse(folder.read("chat.json").as_bytes()).unwrap();
    let last = config.rollouts[0].steps.steps().last().unwrap();
    assert!(last.split.parts(1) > 100_000 && last.split.parts(2) > 100_000, "{}", folder.read("chat.json"));
    let beside = std::fs::read_dir(&folder.path).unwrap().count();
    assert_eq!(beside, 1, "nothing is left beside the file");
}
