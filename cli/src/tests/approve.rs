//! `approve`, against servers that answer in every way.

use super::server::{Reply, Server};
use super::world::{FakeWorld, json};
use crate::io::audience::Audience;
use crate::io::board::Board;
use crate::io::server::{Site, listen};
use crate::serving::Gate;
use std::thread;
use std::time::Duration;

#[test]
fn what_the_server_says_is_what_happens() {
    let server = Server::start(|head| {
        assert!(head.starts_with("POST /api/approve HTTP/1.1\r\n"), "{head}");
        match head.to_ascii_lowercase().contains("authorization: bearer secret\r\n") {
            true => Reply::ok(r#"{"text": "approved"}"#),
            false => Reply::Http("401 Unauthorized", Vec::new()),
        }
    });
    let world =
        FakeWorld::new("2026-11-23T09:00:00Z", &[("token", "secret\n"), ("two", "a b"), ("other", "x")]);
    let url = format!("{}/", server.url);
    assert_eq!(world.fine(&["approve", &url, "--token-file", "token"]).out, "approved\n");
    let ran = world.fine(&["approve", &url, "--token-file", "token", "--json"]);
    assert_eq!(json(&ran.out)["approved"], true);
    world.refused(&["approve", &url], "it asks for a token; add --token-file; nothing was approved");
    world.refused(
        &["approve", &url, "--token-file", "other"],
        "the token is not the one that `run` was given",
    );
    world
        .refused(&["approve", &url, "--token-file", "two"], "--token-file two: is not one line with a token");
    world.refused(&["approve", &url, "--token-file", "no"], "--token-file no: does not exist");
    world.refused(&["approve", "localhost:8099"], "is no address; write one such as http://127.0.0.1:8099");
    world.refused(&["approve", "http://127.0.0.1:1"], "it refuses the connection; nothing was approved");
    for (status, body, words) in [
        (
            "409 Conflict",
            r#"{"error": "nothing waits for an approval"}"#,
            "(status 409): nothing waits for an approval",
        ),
        ("500 No", "a\nb", "not approved (status 500): a b"),
        ("404 Not Found", "", "there is no release that waits"),
        ("302 Found", "", "not approved (status 302)"),
    ] {
        let server = Server::start(move |_| Reply::Http(status, body.as_bytes().to_vec()));
        world.refused(&["approve", &server.url], words);
    }
}

#[test]
fn it_is_what_run_listens_for() {
    let board = Board::new(Duration::MAX);
    let gate = Gate { is_loopback: true, can_approve: true, token: Some("secret".to_owned()) };
    let server = listen("127.0.0.1:0".parse().unwrap(), Site::Release(board.clone(), gate)).unwrap();
    let url = format!("http://{}", server.address());
    let world = FakeWorld::new("2026-11-23T09:00:00Z", &[("token", "secret\n"), ("other", "x")]);
    let said = [Ok("approved; the next step follows"), Err("nothing waits for an approval")];
    let release = thread::spawn(move || {
        for said in said {
            while !board.take_approval() {
                thread::sleep(Duration::from_millis(5));
            }
            board.answer(said);
        }
        board
    });
    let ran = world.fine(&["approve", &url, "--token-file", "token"]);
    assert_eq!(ran.out, "approved; the next step follows\n");
    world.refused(
        &["approve", &url, "--token-file", "token"],
        "not approved (status 409): nothing waits for an approval",
    );
    let board = release.join().unwrap();
    world.refused(&["approve", &url], "it asks for a token; add --token-file");
    world.refused(&["approve", &url, "--token-file", "other"], "the token is not the one");
    assert!(!board.take_approval());
}
