//! The commands that change a rollout, as an operator runs them.

use crate::tool::{Folder, json};
use llm_canary::config::Config;
use llm_canary::config::json::{self, Node};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

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
const LATER: &str = "2999-01-01T00:00:00Z";

fn folder(name: &str) -> Folder {
    let folder = Folder::new(&format!("operate-{name}"));
    folder.write("chat.json", CHAT);
    folder
}

/// The steps of a bare configuration: the moment of each, and its percentages as JSON.
fn steps(folder: &Folder) -> Vec<(String, String)> {
    let config = json(&folder.read("chat.json"));
    let steps = config["rollouts"][0]["steps"].as_array().cloned().unwrap_or_default();
    let text =
        |step: &serde_json::Value| (step["at"].as_str().unwrap().to_owned(), step["percent"].to_string());
    steps.iter().map(text).collect()
}

fn shares(folder: &Folder) -> Vec<String> {
    steps(folder).into_iter().map(|(_, shares)| shares).collect()
}

#[test]
fn a_ramp_keeps_every_running_conversation() {
    let folder = folder("ramp");
    let ran = folder.fine(&["ramp", "chat.json", "v2", "25"]);
    assert!(ran.out.starts_with("chat: v2 has 10 %, gets 25 % from 20"), "{ran:?}");
    assert!(ran.err.starts_with("--- chat.json\n+++ chat.json (changed)\n@@ "), "{ran:?}");
    assert!(ran.err.contains("\n-      \"split\": { \"v2\": 10 }\n+      \"steps\": [\n"), "{ran:?}");
    assert_eq!(shares(&folder), [r#"{"v2":10}"#, r#"{"v2":25}"#]);
    assert_eq!(steps(&folder)[0].0, EPOCH);
    let text = folder.read("chat.json");
    let (start, end) = (CHAT.find("      \"split\"").unwrap(), CHAT.find("\n    }\n").unwrap());
    assert!(
        text.starts_with(&CHAT[..start]) && text.ends_with(&CHAT[end..]),
        "only the split is written anew"
    );

    // Whenever a conversation began before the step, its bucket has the version it had by the split.
    let (old, new) = (Config::parse(CHAT.as_bytes()).unwrap(), Config::parse(text.as_bytes()).unwrap());
    let (old, new) = (&old.rollouts[0].steps, &new.rollouts[0].steps);
    let step = new.steps()[1].at;
    for bucket in (0..1_000_000).step_by(997) {
        for begun in [0, 1, step - 1] {
            assert_eq!(new.at(begun).version(bucket), old.at(begun).version(bucket), "{bucket} {begun}");
        }
    }
    assert_eq!(new.at(step).parts(1), 250_000);
    let ahead =
        step as f64 / 1000.0 - std::fs::metadata(folder.path.join("chat.json")).unwrap().mtime() as f64;
    assert!((1.0..=4.0).contains(&ahead), "a step is known before it takes effect: {ahead} s");
}

#[test]
fn other_versions_keep_what_they_have() {
    let folder = folder("others");
    folder.fine(&["ramp", "chat.json", "v3", "0.5%", "--at", "+1m"]);
    folder.fine(&["ramp", "chat.json", "v2", "20", "--at", "+2m"]);
    assert_eq!(shares(&folder), [r#"{"v2":10}"#, r#"{"v2":10,"v3":0.5}"#, r#"{"v2":20,"v3":0.5}"#]);
    // What the filter would refuse is not written.
    let before = folder.read("chat.json");
    folder.refused(
        &["ramp", "chat.json", "v3", "81", "--at", "+3m"],
        "nothing was written, because the filter would refuse it:\nchat.json: rollouts[0].steps[3].percent: \
         v2 20 + v3 81 = 101 percent",
    );
    assert_eq!(folder.read("chat.json"), before);
}

#[test]
fn a_plan_is_followed_and_replaced() {
    let folder = folder("plan");
    folder.fine(&["ramp", "chat.json", "v2", "--plan", &format!("20,50%@+30m,90@{LATER}")]);
    assert_eq!(shares(&folder), [r#"{"v2":10}"#, r#"{"v2":20}"#, r#"{"v2":50}"#, r#"{"v2":90}"#]);
    assert_eq!(steps(&folder)[3].0, LATER);
    folder.fine(&["ramp", "chat.json", "v3", "1", "--at", "+2h"]);
    let ran = folder.fine(&["drain", "chat.json", "v2", "--at", "+10m"]);
    assert!(ran.err.contains("note: no longer planned: v2 50 % from "), "{ran:?}");
    assert_eq!(
        shares(&folder),
        [r#"{"v2":10}"#, r#"{"v2":20}"#, r#"{"v2":0}"#, r#"{"v2":0,"v3":1}"#],
        "the other version's plan stays"
    );
    for (plan, words) in [
        ("5,5%", "is not after the one before it"),
        ("5@+2h,6@+1h", "is not after the one before it"),
        ("5@1999-01-01T00:00:00Z", "is past; conversations begun since then would move"),
        ("5@soon", "is no moment; write now"),
        ("five", "is no percentage"),
    ] {
        folder.refused(&["ramp", "chat.json", "v2", "--plan", plan], words);
    }
    folder.refused(&["ramp", "chat.json", "v2"], "<PERCENT>");
    folder.refused(&["ramp", "chat.json", "v2", "101"], "is no percentage; write a number from 0 to 100");
}

#[test]
fn stop_is_one_write() {
    let folder = folder("stop");
    let ran = folder.fine(&["stop", "chat.json", "v2"]);
    assert!(ran.out.ends_with("v2 is stopped; v1 serves its conversations\n"), "{ran:?}");
    assert_eq!(shares(&folder), [r#"{"v2":10}"#, r#"{"v2":0}"#]);
    let stopped = json(&folder.read("chat.json"))["rollouts"][0]["versions"][1]["stopped"].clone();
    assert_eq!(stopped, true);
    // Once is enough.
    let before = (folder.read("chat.json"), folder.path.join("chat.json").metadata().unwrap().ino());
    let ran = folder.fine(&["stop", "chat.json", "v2"]);
    assert_eq!((ran.out.as_str(), ran.err.as_str()), ("chat: nothing to do: v2 is stopped already\n", ""));
    let after = (folder.read("chat.json"), folder.path.join("chat.json").metadata().unwrap().ino());
    assert_eq!(before, after, "nothing was written");

    folder.refused(&["ramp", "chat.json", "v2", "1"], "is stopped, so it would get nothing; add --resume");
    folder.refused(&["promote", "chat.json", "v2"], "is stopped; start it again first");
    folder.fine(&["ramp", "chat.json", "v2", "1", "--resume", "--at", "+1m"]);
    assert_eq!(shares(&folder), [r#"{"v2":10}"#, r#"{"v2":0}"#, r#"{"v2":1}"#], "not its old share");
}

#[test]
fn the_baseline_is_not_taken_away() {
    let folder = folder("baseline");
    folder.refused(
        &["stop", "chat.json", "v1"],
        "Make another version the baseline first: llm-canary promote chat.json",
    );
    folder.refused(&["drain", "chat.json", "v1"], "Promote another version first");
    folder.refused(
        &["ramp", "chat.json", "v1", "5"],
        "v1 is the baseline, which gets what no other version is given",
    );
    assert_eq!(folder.read("chat.json"), CHAT);
}

#[test]
fn a_promotion_is_finished_when_the_old_version_has_drained() {
    let folder = folder("promote");
    folder.fine(&["promote", "chat.json", "v2", "--at", "now"]);
    assert_eq!(shares(&folder), [r#"{"v2":10}"#, r#"{"v2":100}"#]);
    std::thread::sleep(Duration::from_millis(1100));
    folder.refused(&["promote", "chat.json", "v2", "--finish"], "has had everything for");
    folder.refused(
        &["promote", "chat.json", "v3", "--finish", "--held", "0s"],
        "v3 has 0 % now, not everything",
    );
    let ran = folder.fine(&["promote", "chat.json", "v2", "--finish", "--held", "50ms", "--json"]);
    assert_eq!(json(&ran.out)["baseline"], "v2");
    let config = json(&folder.read("chat.json"));
    assert_eq!(config["rollouts"][0]["baseline"], "v2");
    assert_eq!(shares(&folder), [r#"{"v1":0}"#]);
    let config = Config::parse(folder.read("chat.json").as_bytes()).unwrap();
    assert!(config.rollouts[0].steps.steps().iter().all(|step| step.split.parts(1) == 1_000_000));
    let ran = folder.fine(&["promote", "chat.json", "v2", "--finish"]);
    assert_eq!(ran.out, "chat: nothing to do: v2 is the baseline already\n");
    folder.fine(&["stop", "chat.json", "v1"]);
}

#[test]
fn a_dry_run_changes_nothing() {
    let folder = folder("dry");
    for args in [
        &["ramp", "chat.json", "v2", "25", "--dry-run"][..],
        &["ramp", "chat.json", "v2", "--plan", "1,2@+1m", "--dry-run"],
        &["drain", "chat.json", "v2", "--dry-run"],
        &["stop", "chat.json", "v2", "--dry-run", "--admin", "http://127.0.0.1:1"],
        &["promote", "chat.json", "v2", "--dry-run"],
    ] {
        let ran = folder.fine(args);
        assert!(ran.out.starts_with("chat: not done, because of --dry-run: v2 "), "{ran:?}");
        assert!(ran.err.contains("\n+      \"steps\": ["), "{ran:?}");
        assert_eq!(folder.read("chat.json"), CHAT, "{args:?}");
    }
    let ran = json(&folder.fine(&["stop", "chat.json", "v2", "--dry-run", "--json"]).out);
    assert_eq!((&ran["changed"], &ran["written"]), (&true.into(), &false.into()));
    assert_eq!(ran["steps"][0]["percent"]["v2"], 10.0);
    assert_eq!(ran["stopped"][0], "v2");
}

#[test]
fn names_that_are_not_there() {
    let folder = folder("names");
    folder.refused(&["stop", "chat.json", "V2"], "rollout chat has no version \"V2\"; did you mean v2?");
    folder
        .refused(&["stop", "chat.json", "green"], "There are v1, v2, v3".replace("There", "there").as_str());
    folder.refused(
        &["stop", "chat.json", "v2", "--rollout", "caht"],
        "has no rollout \"caht\"; did you mean chat?",
    );
    let rollout = CHAT.split_once('[').unwrap().1.rsplit_once("\n  ]").unwrap().0;
    folder.write(
        "two.json",
        &format!("{{\"rollouts\": [{rollout}, {}]}}", rollout.replace("\"chat\"", "\"code\"")),
    );
    folder.refused(&["stop", "two.json", "v2"], "has the rollouts chat, code; say which with --rollout");
    folder.fine(&["stop", "two.json", "v2", "--rollout", "code"]);
    let two = json(&folder.read("two.json"));
    assert!(two["rollouts"][0]["steps"].is_null() && two["rollouts"][1]["versions"][1]["stopped"] == true);
    folder.refused(&["stop", "nowhere.json", "v2"], "nowhere.json: No such file");
    folder.write("broken.json", &CHAT.replace("10", "1000"));
    folder.refused(&["stop", "broken.json", "v2"], "broken.json: rollouts[0].split.v2: is 1000");
    folder.write("other.yaml", "kind: Service\n");
    folder.refused(&["stop", "other.yaml", "v2"], "holds no llm-canary configuration");
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

/// What an Envoy's admin interface would answer, from the file it watches.
struct FakeEnvoy {
    url: String,
}

#[derive(Clone, Copy)]
enum Takes {
    /// It runs a change this long after it first saw it.
    After(Duration),
    /// It counts a refusal instead.
    Nothing,
}

impl FakeEnvoy {
    fn new(file: PathBuf, takes: Takes) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        // Ends with the test's process.
        std::thread::spawn(move || {
            let read =
                || json::parse(&std::fs::read(&file).unwrap_or_default()).map_or(0, |tree| Node::hash(&tree));
            let running = read();
            let mut changed: Option<Instant> = None;
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut request = BufReader::new(stream.try_clone().unwrap()).lines();
                let line = request.next().unwrap().unwrap();
                assert!(line.starts_with("GET /stats?filter=llm_config_hash%7C"), "{line}");
                while !request.next().unwrap().unwrap().is_empty() {}
                let found = read();
                if found != running {
                    changed.get_or_insert_with(Instant::now);
                }
                let (hash, refused) = match (takes, changed) {
                    (Takes::After(delay), Some(seen)) if seen.elapsed() >= delay => (found, 3),
                    (Takes::Nothing, Some(_)) => (running, 4),
                    _ => (running, 3),
                };
                let name = "extension_config_discovery.http_filter.llm-canary.update_rejected";
                let body = format!("{name}: {refused}\nwasmcustom.llm_config_hash: {hash}\n");
                // In chunks, as Envoy answers.
                let _ = write!(
                    stream,
                    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
                    body.len()
                );
            }
        });
        Self { url }
    }
}

#[test]
fn every_envoy_is_waited_for() {
    let folder = folder("wait");
    let file = folder.path.join("chat.json");
    let delays = [0, 300, 150].map(|ms| Takes::After(Duration::from_millis(ms)));
    let envoys = delays.map(|takes| FakeEnvoy::new(file.clone(), takes));
    let admins: Vec<&str> = envoys.iter().flat_map(|envoy| ["--admin", envoy.url.as_str()]).collect();
    let ran = folder.fine(&[&["stop", "chat.json", "v2"][..], &admins].concat());
    assert_eq!(ran.out.lines().count(), 4, "{ran:?}");
    assert!(ran.out.lines().skip(1).all(|line| line.contains(" runs it after ")), "{ran:?}");
    assert!(ran.err.contains("all 3 Envoys run it; the slowest took "), "{ran:?}");

    let ran = folder.fine(&[&["ramp", "chat.json", "v2", "1", "--resume", "--json"][..], &admins].concat());
    let report = json(&ran.out);
    let after: Vec<f64> = (0..3).map(|i| report["envoys"][i]["after_ms"].as_f64().unwrap()).collect();
    assert_eq!(report["envoys"][1]["admin"], envoys[1].url.as_str(), "in the order they were given");
    assert!(report["envoys"].as_array().unwrap().iter().all(|envoy| envoy["state"] == "runs"), "{report}");
    assert!(after.iter().all(|after| *after >= 0.0 && *after < 10_000.0), "{after:?}");
    let running = json::parse(folder.read("chat.json").as_bytes()).unwrap().hash();
    assert_eq!(report["config_hash"], running);
    // An Envoy that ran it before is told to run it.
    let ran = folder.fine(&[&["ramp", "chat.json", "v2", "1", "--at", "+10m"][..], &admins].concat());
    assert!(ran.out.contains("nothing to do") && ran.out.lines().count() == 4, "{ran:?}");
}

#[test]
fn an_envoy_that_does_not_run_it_is_an_error() {
    let folder = folder("wait-error");
    let file = folder.path.join("chat.json");
    let good = FakeEnvoy::new(file.clone(), Takes::After(Duration::ZERO));
    let refusing = FakeEnvoy::new(file.clone(), Takes::Nothing);
    let late = FakeEnvoy::new(file, Takes::After(Duration::from_secs(60)));
    let nobody = "http://127.0.0.1:9";
    let begun = Instant::now();
    let ran = folder.run(&["stop", "chat.json", "v2", "--admin", &good.url, "--admin", &refusing.url]);
    assert!(
        ran.code == Some(2) && begun.elapsed() < Duration::from_secs(20),
        "a refusal is told at once: {ran:?}"
    );
    assert!(ran.out.contains(&format!("{} refused it: its log says why", refusing.url)), "{ran:?}");
    assert!(ran.err.contains("error: 1 of 2 Envoys run it; the change stays written"), "{ran:?}");
    assert_eq!(json(&folder.read("chat.json"))["rollouts"][0]["versions"][1]["stopped"], true);

    let args = ["ramp", "chat.json", "v2", "1", "--resume", "--timeout", "300ms", "--json"];
    let ran =
        folder.run(&[&args[..], &["--admin", &late.url, "--admin", nobody, "--admin", &good.url]].concat());
    assert_eq!(ran.code, Some(2), "{ran:?}");
    let report = json(&ran.out);
    let states: Vec<_> =
        report["envoys"].as_array().unwrap().iter().map(|envoy| envoy["state"].clone()).collect();
    assert_eq!(states, ["timed_out", "timed_out", "runs"]);
    assert!(report["envoys"][0]["why"].as_str().unwrap().contains("it runs a configuration with the hash"));
    assert!(report["envoys"][1]["why"].as_str().unwrap().contains("it does not answer"));
}

#[test]
fn an_envoy_that_learns_of_a_step_too_late_is_told_of() {
    let folder = folder("late");
    let envoy = FakeEnvoy::new(folder.path.join("chat.json"), Takes::After(Duration::from_millis(1500)));
    let ran = folder.fine(&["ramp", "chat.json", "v2", "20", "--at", "now", "--admin", &envoy.url]);
    assert!(
        ran.err.contains("after it took effect; a conversation begun on it in between may change"),
        "{ran:?}"
    );
    let ran = folder.fine(&["ramp", "chat.json", "v2", "30", "--at", "+10m", "--admin", &envoy.url]);
    assert!(!ran.err.contains("took effect"), "{ran:?}");
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
        ran.code == Some(2) && ran.err.contains("somebody changed it meanwhile, run the command again"),
        "{ran:?}"
    );
    let ran = folder.run(&["stop", "--kubectl", "wasmplugin/other", "v2"]);
    assert!(ran.code == Some(2) && ran.err.contains("NotFound"), "{ran:?}");
    folder.refused(&["stop", "--kubectl", "llm-canary", "v2"], "write one such as wasmplugin/llm-canary");
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
