//! `llm-canary replay`, as its users run it.

use std::process::Command;

const STREAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/corpus/openai-chat/chat-stream.sse");
const FACTS: &str = concat!(
    r#"{"dialect":"openai-chat","outcome":"complete","finish":"stop","text_chars":13,"reasoning_chars":0,"#,
    r#""output_tokens":7,"input_tokens":9,"cached_input_tokens":null,"reasoning_tokens":null,"tool_calls":0,"#,
    r#""tools_offered":null,"json_asked":null,"refusal":false,"defects":[],"error":false,"events":7,"unread":null}"#,
);

fn replay(arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_llm-canary"))
        .arg("replay")
        .args(arguments)
        .output()
        .expect("the tool runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("output is UTF-8");
    (output.status.code().expect("no signal"), text(output.stdout), text(output.stderr))
}

#[test]
fn the_pieces_change_nothing() {
    for chunks in ["whole", "1", "7", "100000", "random:1", "random:99"] {
        let (code, stdout, stderr) = replay(&["--json", "--chunks", chunks, STREAM]);
        assert_eq!((code, stdout.trim(), stderr.as_str()), (0, FACTS, ""), "{chunks}");
    }
}

#[test]
fn the_head_counts() {
    let field = |arguments: &[&str], name: &str| {
        let (_, stdout, _) = replay(&[arguments, &["--json", STREAM]].concat());
        serde_json::from_str::<serde_json::Value>(&stdout).unwrap()[name].clone()
    };
    assert_eq!(field(&["--status", "503"], "outcome"), "http_error");
    assert_eq!(field(&["--content-encoding", "gzip"], "unread"), "encoding");
    assert_eq!(field(&["--content-type", "image/png"], "unread"), "type");
    assert_eq!(field(&["--content-type", "application/json"], "text_chars"), 13);
}

/// What the request asks for is known from its body alone, as in the filter.
#[test]
fn the_request_says_what_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("request.json");
    for (body, tools_offered, json_asked) in [
        (r#"{"messages":[],"tools":[{"type":"function","function":{"name":"f"}}]}"#, Some(true), Some(false)),
        (r#"{"messages":[],"response_format":{"type":"json_object"}}"#, Some(false), Some(true)),
        ("{}", Some(false), Some(false)),
        ("--boundary", None, None),
        ("", None, None),
        (r#"{"tools":["#, None, None),
    ] {
        std::fs::write(&path, body).unwrap();
        let (code, stdout, stderr) = replay(&["--json", STREAM, "--request", path.to_str().unwrap()]);
        assert_eq!((code, stderr.as_str()), (0, ""), "{body}");
        let report: serde_json::Value = serde_json::from_str(&stdout).unwrap();
        assert_eq!(report["tools_offered"].as_bool(), tools_offered, "{body}");
        assert_eq!(report["json_asked"].as_bool(), json_asked, "{body}");
    }
}

#[test]
fn people_get_a_line_a_figure() {
    let (_, stdout, _) = replay(&[STREAM]);
    assert!(
        stdout.contains("text_chars           13\n") && stdout.contains("reasoning_tokens     -\n"),
        "{stdout}"
    );
    assert!(
        stdout.contains("defects              none\n") && stdout.contains("tools_offered        -\n"),
        "{stdout}"
    );
}

#[test]
fn a_wrong_option_or_file_is_named() {
    for (arguments, words) in [
        (&["--chunks", "0", STREAM][..], "--chunks"),
        (&["--chunks", "random:x", STREAM], "random:SEED"),
        (&["--status", "9", STREAM], "--status"),
        (&["no-such-file"], "no-such-file"),
        (&[STREAM, "--request", "no-such-request"], "--request no-such-request: "),
        (&["-", "--request", "-"], "FILE and --request are both -"),
    ] {
        let (code, stdout, stderr) = replay(arguments);
        assert_eq!((code, stdout.as_str()), (2, ""), "{arguments:?}");
        assert!(stderr.contains(words), "{stderr}");
    }
}
