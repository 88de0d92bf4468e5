//! An HTTP server on this machine, which answers as a test says.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// What a request is answered with.
pub(crate) enum Reply {
    /// A status with its lines of further headers, and a body.
    Http(&'static str, Vec<u8>),
    /// These bytes, and then the end of the connection.
    Raw(Vec<u8>),
    /// Nothing, for so long.
    Hang(Duration),
    /// A body that never ends, a byte at a time.
    Drip(Duration),
}

impl Reply {
    pub(crate) fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self::Http("200 OK", body.into())
    }
}

/// A server; it lives as long as the tests do.
pub(crate) struct Server {
    pub(crate) url: String,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Starts a server. The function gets the head of each request.
    pub(crate) fn start(answer: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Self {
        Self::start_reading(move |head, _| answer(head))
    }

    /// Starts a server. The function gets the head and the body of each request.
    pub(crate) fn start_reading(answer: impl Fn(&str, &[u8]) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let heads = Arc::new(Mutex::new(Vec::new()));
        let (answer, kept) = (Arc::new(answer), Arc::clone(&heads));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (answer, kept) = (Arc::clone(&answer), Arc::clone(&kept));
                // A client that went away is no failure of the test.
                thread::spawn(move || serve(stream, &*answer, &kept).ok());
            }
        });
        Self { url, heads }
    }

    /// The heads of all requests so far.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

fn serve(
    mut stream: TcpStream,
    answer: &dyn Fn(&str, &[u8]) -> Reply,
    heads: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    // Who closes a connection with something unread in it breaks the answer off.
    let length = head
        .to_ascii_lowercase()
        .lines()
        .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body)?;
    heads.lock().unwrap().push(head.clone());
    match answer(&head, &body) {
        Reply::Http(status, body) => {
            let length = body.len();
            write!(stream, "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n")?;
            stream.write_all(&body)
        }
        Reply::Raw(bytes) => stream.write_all(&bytes),
        Reply::Hang(duration) => {
            thread::sleep(duration);
            Ok(())
        }
        Reply::Drip(pause) => {
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
            loop {
                stream.write_all(b"#")?;
                thread::sleep(pause);
            }
        }
    }
}

/// A parameter of a request's query, decoded.
pub(crate) fn parameter(head: &str, name: &str) -> String {
    let query = head.split(' ').nth(1).and_then(|path| path.split_once('?')).map_or("", |(_, query)| query);
    let found = query.split('&').filter_map(|pair| pair.split_once('=')).find(|(own, _)| *own == name);
    let mut bytes = Vec::new();
    let mut encoded = found.map_or("", |(_, value)| value).bytes();
    while let Some(byte) = encoded.next() {
        let mut digit = || (encoded.next().unwrap() as char).to_digit(16).unwrap() as u8;
        bytes.push(match byte {
            b'%' => digit() * 16 + digit(),
            b'+' => b' ',
            byte => byte,
        });
    }
    String::from_utf8(bytes).unwrap()
}
