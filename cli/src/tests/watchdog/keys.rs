//! Keys are sent and never shown, whatever a server answers.

use super::{Prompts, Reply, Server, world};
use serde_json::json;

const KEY: &str = "sk-very-secret-123";

/// A server that repeats every header of the request, as an error or as an answer.
fn echo(status: &'static str) -> Server {
    Server::start(move |head| {
        let body = match status {
            "200 OK" => {
                json!({"object": "chat.completion", "choices": [{"message": {"role": "assistant", "content": head}, "finish_reason": "stop"}]})
            }
            _ => json!({"error": {"message": head, "type": head}}),
        };
        Reply::Http(status, body.to_string().into_bytes())
    })
}

#[test]
fn a_key_that_a_server_repeats_is_in_no_output_and_no_line() {
    let set = Prompts::new(3);
    for status in ["200 OK", "400 Bad Request", "401 Unauthorized", "500 Internal Server Error"] {
        for json in [&["--json"][..], &[]] {
            let world = world();
            world.write("key", &format!("{KEY}\n"));
            let server = echo(status);
            let (v1, v2) = (format!("v1={}", server.url), format!("v2={}", server.url));
            let arguments = [
                "watchdog",
                "--set",
                set.path(),
                "--target",
                &v1,
                "--target",
                &v2,
                "--once",
                "--out",
                "r",
                "--key-file",
                "key",
            ];
            let ran =
                world.run(&[&arguments[..], &["--header", "x-api-key: other-secret-456"], json].concat());
            let shown = format!("{}{}{}", ran.out, ran.err, world.read("r"));
            assert!(!shown.contains(KEY) && !shown.contains("other-secret-456"), "{status}: {shown}");
            let head = server.heads().remove(0).to_ascii_lowercase();
            assert!(head.contains(&format!("authorization: bearer {KEY}")), "{head}");
            assert!(head.contains("x-api-key: other-secret-456"), "{head}");
        }
    }
}

#[test]
fn a_key_in_an_address_or_a_header_is_not_in_errors() {
    let set = Prompts::new(1);
    for arguments in [
        ["--target", "v1=ftp://user:sk-very-secret-123@a", "--target", "v2=http://b"],
        ["--target", "v1=http://b", "--target", "v2=sk-very-secret-123"],
        ["--via", "ftp://user:sk-very-secret-123@a", "--api", "chat"],
    ] {
        let ran = world().run(&[&["watchdog", "--set", set.path(), "--once"], &arguments[..]].concat());
        assert!(ran.code == 2 && !ran.err.contains(KEY), "{}", ran.err);
    }
    let targets = ["--target", "v1=http://b", "--target", "v2=http://c"];
    for header in [
        "sk-very-secret-123",
        "x-key: sk-very-secret-123\u{e9}",
        "a b: sk-very-secret-123",
        "content-length: sk-very-secret-123",
    ] {
        let ran =
            world().run(&[&["watchdog", "--set", set.path(), "--header", header], &targets[..]].concat());
        assert!(ran.code == 2 && !ran.err.contains(KEY), "{}", ran.err);
    }
}
