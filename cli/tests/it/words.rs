//! No library's words reach a user: each place where an error of another's code is told has a row here.

use crate::tool::Folder;
use std::io::{Read, Write};
use std::net::TcpListener;

/// Words of the standard library, of the system, and of the libraries that read YAML, JSON, numbers, durations and HTTP.
const FOREIGN: [&str; 34] = [
    "os error",
    "No such file",
    "Permission denied",
    "Is a directory",
    "Not a directory",
    "entity not found",
    "stream did not contain",
    "invalid utf-8",
    "incomplete utf-8",
    "invalid digit",
    "cannot parse integer",
    "number too large",
    "is not in ",
    "expected number",
    "unknown time unit",
    "time unit needed",
    "EOF while",
    "expected value",
    "expected ident",
    "trailing characters",
    "did not find expected",
    "while parsing",
    "while scanning",
    "mapping values",
    "simple key",
    "duplicate mapping key",
    "invalid type",
    "unexpected end",
    "io: ",
    "http: ",
    "protocol: ",
    "timeout: ",
    "host not found",
    "Kind(",
];

/// A server that answers each request with these bytes. Ends with the test's process.
fn server(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    url
}

#[test]
fn no_library_speaks_to_the_user() {
    let folder = Folder::new("words");
    let good = r#"{"rollouts": [{"name": "chat", "baseline": "v1", "split": {"v2": 5},
        "versions": [{"name": "v1", "cluster": "a"}, {"name": "v2", "cluster": "b"}]}]}"#;
    folder.write("good.json", good);
    folder.write("policy.yaml", "alpha: x\n");
    folder.write("large.yaml", &"é".repeat((8 << 20) + 1));
    folder.write("open.yaml", "rollouts: [\n");
    folder.write("twice.yaml", "rollouts: []\nrollouts: []\n");
    folder.write("open.json", "{\"rollouts\": [");
    folder.write("negative.json", &good.replace("\"v2\": 5}", "\"v2\": -5}"));
    folder.write("fine.json", &good.replace("\"v2\": 5}", "\"v2\": 0.00001}"));
    folder.write("much.json", &good.replace("\"v2\": 5}", "\"v2\": 100.0001}"));
    std::fs::write(folder.path.join("latin.yaml"), b"# a\n# caf\xe9\nrollouts: []\n").unwrap();
    std::fs::create_dir_all(folder.path.join("folder")).unwrap();

    let made = std::process::Command::new("mkfifo").arg(folder.path.join("pipe")).status();
    assert!(made.is_ok_and(|status| status.success()));
    std::os::unix::fs::symlink("loop", folder.path.join("loop")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(folder.path.join("socket")).unwrap();

    let missing = "does not exist";
    let is_folder = "is a folder, not a file";
    let in_file = "has something in its path that is no folder";
    let too_long = "large.yaml: is larger than 16777216 bytes; give a file with the configuration";
    let utf8 = "latin.yaml: is not UTF-8: line 2 has a byte that UTF-8 does not allow";
    for (arguments, words) in [
        // Files.
        ("check nowhere", missing),
        ("check folder", is_folder),
        ("check good.json/x", in_file),
        ("check latin.yaml", utf8),
        ("simulate nowhere", missing),
        ("simulate good.json --keys nowhere", "--keys nowhere: does not exist"),
        ("simulate good.json --keys folder", "--keys folder: is a folder, not a file"),
        ("explain nowhere", missing),
        ("explain good.json --body nowhere", "--body nowhere: does not exist"),
        ("explain good.json --body folder", "--body folder: is a folder, not a file"),
        ("replay nowhere", missing),
        ("replay folder", is_folder),
        ("analyze --from nowhere", missing),
        ("analyze --from folder", is_folder),
        ("analyze nowhere --from good.json", missing),
        ("status folder --from good.json", is_folder),
        ("status --from good.json --policy nowhere", missing),
        ("analyze --from good.json --policy latin.yaml", utf8),
        ("analyze --from good.json --policy open.yaml", "open.yaml: is not YAML: '[' is not closed"),
        ("analyze --from good.json --policy good.json", "good.json: holds no policy"),
        ("check policy.yaml", "policy.yaml: alpha: is \"x\"; write a chance above 0 and below 1"),
        ("stop nowhere v2", missing),
        ("stop folder v2", is_folder),
        ("stop - v2", "-: is standard input, which can be read and not changed; give the name of the file"),
        (
            "stop pipe v2",
            "pipe: is a pipe, and no file that can be replaced; give the name of the file itself",
        ),
        ("ramp /dev/null v2 5", "/dev/null: is a device, and no file that can be replaced"),
        ("stop socket v2", "socket: is a socket, and no file that can be replaced"),
        ("stop /dev/stdin v2", "/dev/stdin: is a pipe, and no file that can be replaced"),
        ("stop loop v2", "loop: is a link that leads back to itself; remove it, or let it lead to a file"),
        ("check loop", "loop: is a link that leads back to itself; remove it, or let it lead to a file"),
        ("stop  v2", "FILE is empty (\"\"); give the name of a file"),
        ("check ", "a value is required for '<FILE>...' but none was supplied"),
        ("explain ", "a value is required for '<FILE>' but none was supplied"),
        ("stop good.json/x v2", in_file),
        ("stop latin.yaml v2", utf8),
        // An umlaut is cut at the limit.
        ("check large.yaml", too_long),
        ("stop large.yaml v2", too_long),
        // YAML and JSON.
        ("check open.yaml", "open.yaml: is not YAML: '[' is not closed before the end at line 1 column 11"),
        ("stop twice.yaml v2", "twice.yaml: has \"rollouts\" twice in one object at line 2 column 1"),
        ("check open.json", "open.json: is not JSON: "),
        // Percentages.
        ("ramp good.json v2 -5", "\"-5\" is negative"),
        ("ramp good.json v2 -5%", "invalid value '-5%' for '[PERCENT]': \"-5%\" is negative"),
        ("ramp -5% good.json v2", "\"-5%\" is negative"),
        ("ramp good.json v2 -0.5", "\"-0.5\" is negative"),
        ("ramp good.json v2 -.5", "\"-.5\" is not a percentage; write a number from 0 to 100"),
        ("ramp good.json v2 -,5", "\"-,5\" is not a percentage; write a number from 0 to 100"),
        ("ramp good.json v2 -inf", "\"-inf\" is not a percentage; write a number from 0 to 100"),
        ("ramp good.json v2 -Infinity%", "\"-Infinity%\" is not a percentage; write a number from 0 to 100"),
        ("ramp good.json v2 -NaN", "\"-NaN\" is not a percentage; write a number from 0 to 100"),
        ("ramp good.json v2 -1e3", "\"-1e3\" is not a percentage; write a number from 0 to 100"),
        ("ramp good.json v2 -e3%", "\"-e3%\" is not a percentage; write a number from 0 to 100"),
        ("ramp good.json v2 -\u{665}", "\"-\u{665}\" is not a percentage; write a number from 0 to 100"),
        ("ramp good.json v2 -- -5%", "\"-5%\" is negative"),
        // Options that are mistyped stay options.
        ("ramp good.json v2 --plna 5", "a similar argument exists: '--plan'"),
        ("ramp good.json v2 5 -x", "unexpected argument '-x'"),
        ("ramp good.json v2 5 -x -5%", "unexpected argument '-x'"),
        ("stop good.json v2 -5%", "unexpected argument '-5'"),
        ("ramp good.json v2 0.00001", "\"0.00001\" is finer than 0.0001"),
        ("ramp good.json v2 100.0001", "\"100.0001\" is more than 100"),
        ("ramp good.json v2 five", "\"five\" is not a percentage"),
        ("ramp good.json v2 --plan -5,10@+1h", "--plan -5,10@+1h: \"-5\" is negative"),
        ("ramp good.json v2 --plan 5,0.00001@+1h", "--plan 5,0.00001@+1h: \"0.00001\" is finer than 0.0001"),
        ("ramp good.json v2 --plan 100.0001", "--plan 100.0001: \"100.0001\" is more than 100"),
        ("ramp good.json v2 --plan 5@soon", "--plan 5@soon: \"soon\" is not a time"),
        ("ramp good.json v2 --plan 5@+1parsec", "--plan 5@+1parsec: \"+1parsec\" is not a time"),
        (
            "ramp good.json v2 --plan 5@2000-01-01T00:00:00Z",
            "--plan 5@2000-01-01T00:00:00Z: 2000-01-01T00:00:00Z is in the past",
        ),
        ("ramp good.json v2 --plan 5,5", "--plan 5,5: \"5\" is not later than the share before it"),
        ("ramp good.json v2 --plan 5,", "--plan 5,: \"\" is not a percentage"),
        ("check negative.json", "is -5, but a percentage is not negative"),
        ("check fine.json", "is 0.00001, but the finest percentage is 0.0001"),
        ("check much.json", "is 100.0001, but a percentage is at most 100"),
        // Times and durations.
        ("ramp good.json v2 5 --at -10m", "--at \"-10m\" is not a time"),
        ("ramp good.json v2 5 --at +10x", "--at \"+10x\" is not a time: \"10x\" is not a duration"),
        ("drain good.json v2 --at 2026-13-01T00:00:00Z", "is not a time"),
        ("promote good.json v2 --at soon", "--at \"soon\" is not a time"),
        ("promote good.json v2 --held -1s", "\"-1s\" is not a duration"),
        ("stop good.json v2 --timeout 5", "\"5\" is not a duration"),
        ("explain good.json --now soon", "--now \"soon\" is not a time"),
        ("simulate good.json --at soon", "--at \"soon\" is not a time"),
        // Whole numbers.
        ("simulate good.json --count ten", "\"ten\" is not a whole number; write one from 1 to 10000000"),
        ("simulate good.json --count 0", "\"0\" is less than 1"),
        ("simulate good.json --count -1", "\"-1\" is less than 1"),
        ("simulate good.json --count 99999999999999999999", "is more than 10000000"),
        ("simulate good.json --seed x", "\"x\" is not a whole number"),
        ("replay good.json --status 99", "\"99\" is less than 100"),
        ("replay good.json --status 600", "\"600\" is more than 599"),
        ("replay good.json --chunks 0", "is not a way to cut"),
        ("analyze --from good.json --for 5", "\"5\" is not a duration"),
        ("analyze --from good.json --since soon", "--since \"soon\" is not a time"),
        ("status --from good.json --since -1h", "--since \"-1h\" is not a time"),
        ("plan --rate 20/s --share 50 --signal refusals --base 1% --detect x", "\"x\" is not a ratio"),
        ("plan --rate ten/s --share 50 --signal refusals --base 1% --detect 2", "\"ten/s\" is not a rate"),
        (
            "plan --rate 1/s --share 50% --signal refusals --base 1.0.1% --detect 2",
            "\"1.0.1%\" is not a percentage",
        ),
        ("replay good.json --chunks random:x", "is not a way to cut"),
        ("explain good.json -H =x", "--header"),
    ] {
        let ran = folder.run(&arguments.split(' ').collect::<Vec<_>>());
        assert!(ran.code == Some(2) && ran.err.contains(words), "{arguments}: {ran:?}");
        let foreign = FOREIGN.iter().find(|foreign| ran.err.contains(**foreign));
        assert_eq!(foreign, None, "{arguments}: {ran:?}");
    }
}

#[test]
fn no_library_speaks_of_an_admin_page() {
    let folder = Folder::new("words-admin");
    folder.write(
        "good.json",
        r#"{"rollouts": [{"name": "chat", "baseline": "v1", "split": {"v2": 5},
        "versions": [{"name": "v1", "cluster": "a"}, {"name": "v2", "cluster": "b"}]}]}"#,
    );
    let not_found = server("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    let elsewhere =
        server("HTTP/1.1 302 Found\r\nlocation: /x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    let answer = |kind: &str, body: &str| -> &'static str {
        let length = body.len();
        format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}").leak()
    };
    let page = server(answer("text/html", "\n<!DOCTYPE html>\n<title>a: b</title>\n"));
    let health = server(answer("text/plain", "ok"));
    let object = server(answer("application/json", "{\"a\": 1}"));
    let (garbage, closes) = (server("SSH-2.0-OpenSSH\r\n\r\n"), server(""));
    let short = server("HTTP/1.1 200 OK\r\ncontent-length: 100\r\nconnection: close\r\n\r\nx");
    let chunked = server("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\nzz\r\n");
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("http://{}", silent.local_addr().map(|address| (address, silent)).unwrap().0);
    let slow = TcpListener::bind("127.0.0.1:0").unwrap();
    let slow_url = format!("http://{}", slow.local_addr().unwrap());
    for (admin, words) in [
        (silent.as_str(), "it does not answer: it refuses the connection"),
        (&slow_url, "it does not answer: it took too long"),
        (&not_found, "it answers with the status 404; is this the address of Envoy's admin page?"),
        (&elsewhere, "it sends to another address, /x; give the address of Envoy's admin page itself"),
        (&garbage, "it does not speak HTTP as Envoy's admin page does"),
        (&closes, "does not run it: it does not answer: it "),
        (&short, "does not run it: its answer cannot be read: it "),
        (&chunked, "does not run it: its answer cannot be read: it "),
        (
            &page,
            "it answers with a web page (HTML), and not with Envoy's statistics; give the address of Envoy's admin page",
        ),
        (
            &health,
            "it answers with something else than Envoy's statistics; give the address of Envoy's admin page",
        ),
        (
            &object,
            "it answers with something else than Envoy's statistics; give the address of Envoy's admin page",
        ),
        ("http://name.invalid", "its name is not known; check the spelling"),
    ] {
        let ran = folder.run(&["stop", "good.json", "v2", "--timeout", "200ms", "--admin", admin]);
        let said = ran.out.clone() + &ran.err;
        assert!(ran.code == Some(4) && said.contains(words), "{admin}: {ran:?}");
        let after_admin = said.replace(admin, "");
        let foreign = FOREIGN.iter().find(|foreign| after_admin.contains(**foreign));
        assert_eq!(foreign, None, "{admin}: {ran:?}");
    }
}

#[test]
fn an_address_that_is_none_is_found_before_anything_is_written() {
    let folder = Folder::new("words-address");
    let good = r#"{"rollouts": [{"name": "chat", "baseline": "v1", "split": {"v2": 5},
        "versions": [{"name": "v1", "cluster": "a"}, {"name": "v2", "cluster": "b"}]}]}"#;
    folder.write("good.json", good);
    let none = "this is no address; write one such as http://127.0.0.1:9901; nothing was changed";
    for (admin, words) in [
        ("", none),
        ("http://", none),
        ("http://a b", none),
        ("http://a:9901?x", none),
        ("http://a:9901#x", none),
        ("http://\u{e4}:9901", none),
        ("http://[::1:9901", none),
        ("http://a\nb:9901", none),
        ("ftp://localhost", none),
        ("https://localhost:1", "an admin page is read over http://, not https://; nothing was changed"),
        ("localhost:99999", none),
        ("localhost:port", none),
        ("[::1]:x", none),
        (":9901", none),
    ] {
        // Beside a right one, and before the file is looked for.
        for file in ["good.json", "nowhere.json"] {
            folder.refused(&["stop", file, "v2", "--admin", "127.0.0.1:1", "--admin", admin], words);
        }
    }
    assert_eq!(folder.read("good.json"), good);
}
