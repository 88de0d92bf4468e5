//! Changes of real files, of resources behind a program that plays kubectl, and of Envoys behind HTTP.

use crate::tool::{Folder, json};
use llm_canary::config::Config;
use llm_canary::config::json::{self, Node};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Stdio};

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
        (
            "envoy/ecds-native/llm-canary.yaml",
            "{ \"name\": \"v2\", \"cluster\": \"llm-v2\", \"stopped\": true }",
        ),
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
            let body =
                format!("{name}: {refused}\nwasmcustom.llm_config_hash.llm_rollout=.=chat;.;: {hash}\n");
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

/// A run that waits for the Envoys has written, or has nothing to write. A stop must not wait for it.
#[test]
fn a_stop_does_not_wait_for_a_run_that_waits() {
    let folder = folder("waits");
    let nothing_to_do = ["ramp", "chat.json", "v2", "10", "--admin", "http://127.0.0.1:1", "--timeout", "4s"];
    let mut waiting = Command::new(env!("CARGO_BIN_EXE_llm-canary"))
        .args(nothing_to_do)
        .current_dir(&folder.path)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut said = String::new();
    BufReader::new(waiting.stdout.take().unwrap()).read_line(&mut said).unwrap();
    assert!(said.contains("nothing to do"), "{said}"); // it waits now
    folder.fine(&["stop", "chat.json", "v2"]);
    assert!(waiting.try_wait().unwrap().is_none(), "the stop came only when the other run had ended");
    waiting.kill().unwrap();
    waiting.wait().unwrap();
}
