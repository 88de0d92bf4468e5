//! Clients over real sockets: good ones, slow ones, and ones that send anything.

use super::{CONNECTIONS_MAX, Server, Site, listen};
use crate::discovery::Files;
use crate::io::audience::Audience;
use crate::io::board::Board;
use crate::io::desk::Desk;
use crate::serving::Gate;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

fn start() -> (Board, Server) {
    let board = Board::new(Duration::MAX);
    board.show(|view| view.rollout = Some("chat".to_owned()));
    let gate = Gate { is_loopback: true, can_approve: true, token: Some("secret".to_owned()) };
    let server = listen("127.0.0.1:0".parse().unwrap(), Site::Release(board.clone(), gate)).unwrap();
    (board, server)
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

/// Sends bytes, and reads until the server closes.
fn exchange(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = connect(address);
    // The server may refuse before it has read everything.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8(answer).unwrap()
}

fn get(address: SocketAddr, path: &str) -> String {
    exchange(address, format!("GET {path} HTTP/1.1\r\nhost: localhost\r\naccept: */*\r\n\r\n").as_bytes())
}

fn approval(body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST /api/approve HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nauthorization: Bearer secret\r\n\
         content-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

#[test]
fn it_answers_until_it_is_dropped() {
    let (_board, server) = start();
    let address = server.address();
    let answer = get(address, "/api/verdict");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains("not_enough_data"), "{answer}");
    assert!(answer.contains("x-content-type-options: nosniff\r\n") && answer.contains("connection: close"));
    let head = exchange(address, b"HEAD / HTTP/1.1\r\nhost: localhost\r\naccept: */*\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && head.ends_with("\r\n\r\n"), "{head}");
    let same = listen(address, Site::Release(Board::new(Duration::MAX), Gate::default()));
    assert!(same.err().unwrap().contains("in use"));
    drop(server);
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn whatever_comes_is_limited_and_harms_nobody() {
    let (_board, server) = start();
    let address = server.address();
    let long = "a".repeat(100 << 10);
    let many: String = (0..200).map(|number| format!("x-{number}: 1\r\n")).collect();
    for (bytes, expect) in [
        (format!("GET /{long} HTTP/1.1\r\nhost: localhost\r\n\r\n"), vec!["414", "431"]),
        (format!("GET / HTTP/1.1\r\nhost: localhost\r\nx: {long}\r\n\r\n"), vec!["431"]),
        (format!("GET / HTTP/1.1\r\nhost: localhost\r\n{many}\r\n"), vec!["431"]),
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), vec!["400"]),
        ("GET / HTTP/1.0\r\nhost: localhost\r\naccept: */*\r\n\r\n".to_owned(), vec!["200"]),
        ("\0\u{1}\u{2}\r\n\r\n".to_owned(), vec!["400"]),
        (
            "GET http://evil.example.com/api/verdict HTTP/1.1\r\nhost: evil.example.com\r\n\r\n".to_owned(),
            vec!["421"],
        ),
        (
            format!("POST /api/approve HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9999999\r\n\r\n{long}"),
            vec!["413"],
        ),
        (
            format!(
                "POST /flagger/rollback HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n20000\r\n{long}"
            ),
            vec!["413"],
        ),
        (
            "POST /flagger/rollback HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n"
                .to_owned(),
            vec!["400", "413"],
        ),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), vec!["400", ""]),
    ] {
        let answer = exchange(address, bytes.as_bytes());
        let status = answer.get(9..12).unwrap_or_default();
        assert!(expect.contains(&status), "{:?}: {answer}", &bytes[..bytes.len().min(80)]);
    }
    assert!(get(address, "/healthz").starts_with("HTTP/1.1 200"));
}

#[test]
#[expect(clippy::disallowed_methods, reason = "real sockets take real time")]
fn slow_clients_hold_nobody_up_and_are_closed() {
    let (_board, server) = start();
    let address = server.address();
    let mut slow: Vec<TcpStream> = (0..CONNECTIONS_MAX * 2)
        .map(|number| {
            let mut stream = connect(address);
            let head: &[u8] = match number % 3 {
                0 => b"",
                1 => b"GET / HTTP/1.1\r\nhost: ",
                _ => b"POST /flagger/rollback HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n{",
            };
            stream.write_all(head).unwrap();
            stream
        })
        .collect();
    let began = Instant::now();
    for _ in 0..20 {
        assert!(get(address, "/healthz").starts_with("HTTP/1.1 200"));
    }
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    // Each is closed: the oldest because others came, the last because its time was over.
    for stream in [0, 1, 2, CONNECTIONS_MAX * 2 - 3, CONNECTIONS_MAX * 2 - 2, CONNECTIONS_MAX * 2 - 1] {
        let mut answer = Vec::new();
        let _ = slow[stream].read_to_end(&mut answer);
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{answer}");
    }
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
}

#[test]
fn an_approval_gets_the_loop_s_answer() {
    let (board, server) = start();
    let address = server.address();
    assert!(!board.take_approval());
    for (said, status, words) in [
        (Ok("approved"), "200", r#"{"approved":true,"text":"approved"}"#),
        (Err("nothing waits"), "409", r#"{"error":"nothing waits"}"#),
    ] {
        let client = thread::spawn(move || exchange(address, &approval("{}")));
        while !board.take_approval() {
            thread::sleep(Duration::from_millis(5));
        }
        board.answer(said);
        let answer = client.join().unwrap();
        assert!(answer.contains(&format!(" {status} ")) && answer.contains(words), "{answer}");
        assert!(!board.take_approval(), "each approval is handed in once");
    }
    let wrong = String::from_utf8(approval("{}")).unwrap().replace("secret", "other");
    assert!(exchange(address, wrong.as_bytes()).starts_with("HTTP/1.1 401"));
    assert!(!board.take_approval());
}

#[test]
fn an_approval_that_the_loop_does_not_take_is_withdrawn() {
    let (board, server) = start();
    let address = server.address();
    // Who asked has gone.
    let mut gone = connect(address);
    gone.write_all(&approval("{}")).unwrap();
    thread::sleep(Duration::from_millis(200));
    drop(gone);
    thread::sleep(Duration::from_millis(200));
    assert!(!board.take_approval(), "nobody waits for it any more");
    // The loop is busy.
    let answer = exchange(address, &approval("{}"));
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("nothing was approved"), "{answer}");
    assert!(!board.take_approval());
    // The release ends while somebody waits.
    let client = thread::spawn(move || exchange(address, &approval("{}")));
    thread::sleep(Duration::from_millis(200));
    drop(server);
    let answer = client.join().unwrap();
    assert!(answer.starts_with("HTTP/1.1 409") && answer.contains("has ended"), "{answer}");
}

#[test]
fn envoys_may_send_what_envoys_send_and_not_without_end() {
    let gate = Gate { is_loopback: true, ..Gate::default() };
    let desk = Desk::new(gate, 7);
    let mut files = Files::new(["a.yaml".to_owned()].into_iter());
    files.look(0, Ok(include_bytes!("../../../../envoy/ecds/llm-canary.yaml").to_vec()));
    desk.offer(files.offer());
    let server = listen("127.0.0.1:0".parse().unwrap(), Site::Discovery(desk.clone())).unwrap();
    let ask = |bytes: usize| {
        let extensions = "x".repeat(bytes);
        let body = format!(
            r#"{{"node":{{"id":"a","extensions":[{{"name":"{extensions}"}}]}},"resource_names":["llm-canary"]}}"#
        );
        let length = body.len();
        let head = format!(
            "POST /v3/discovery:extension_configs HTTP/1.1\r\nhost: llm-canary-xds\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n\r\n"
        );
        exchange(server.address(), (head + &body).as_bytes())
    };
    let given = ask(1_000_000);
    assert!(given.starts_with("HTTP/1.1 200 OK\r\n") && given.contains("version_info"), "{given}");
    assert!(ask(2 << 20).starts_with("HTTP/1.1 413"), "more than 1 MiB");
    let fleet = desk.fleet();
    assert_eq!((fleet.envoys.len(), fleet.envoys[0].address.as_str()), (1, "127.0.0.1"));
}
