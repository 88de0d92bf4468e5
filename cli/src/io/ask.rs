//! Asks model servers over HTTP, and keeps when each piece of an answer came.

use super::admin::is_of_resolver;
use super::clock::Clock;
use super::post::words;
use crate::watchdog::reply::{ANSWER_BYTES_MAX, ANSWER_TIME_MAX, End, NoResponse, Received};
use llm_canary::observe::Micros;
use std::io::{ErrorKind, Read};
use std::time::Duration;
use ureq::{Agent, Timeout};

/// So long a connection may take.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(10);
/// After a connection that failed another is tried after these pauses.
const RETRY_PAUSES: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(1)];
/// So much of an answer is read at once.
const PIECE_BYTES: usize = 64 << 10;

/// A request.
#[derive(Clone, Copy)]
pub(crate) struct Call<'a> {
    /// The address, with its path.
    pub(crate) url: &'a str,
    /// Its headers.
    pub(crate) headers: &'a [(String, String)],
    /// Its body.
    pub(crate) body: &'a [u8],
}

/// Asks; threads may share it.
pub(crate) trait Ask: Sync {
    /// Sends a request and reads the whole response. Only a connection that failed before a response is tried again.
    ///
    /// # Errors
    /// Why there is no response.
    fn ask(&self, call: &Call<'_>, clock: &dyn Clock) -> Result<Received, NoResponse>;
}

/// Asks over HTTP and HTTPS.
pub(crate) struct HttpAsk {
    agent: Agent,
}

impl HttpAsk {
    pub(crate) fn new() -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("llm-canary/", env!("CARGO_PKG_VERSION")))
            .timeout_resolve(Some(CONNECT_TIME_MAX))
            .timeout_connect(Some(CONNECT_TIME_MAX))
            .timeout_global(Some(ANSWER_TIME_MAX));
        Self { agent: config.build().into() }
    }

    fn once(&self, call: &Call<'_>, clock: &dyn Clock) -> Result<Received, NoResponse> {
        let began = clock.elapsed();
        let since =
            || Micros::try_from(clock.elapsed().saturating_sub(began).as_micros()).unwrap_or(Micros::MAX);
        let mut request = self.agent.post(call.url);
        for (name, value) in call.headers {
            request = request.header(name, value);
        }
        let mut response = request.send(call.body).map_err(|error| no_response(&error))?;
        let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
        let mut received = Received {
            status: response.status().as_u16(),
            content_type: header("content-type").unwrap_or_default().to_owned(),
            content_encoding: header("content-encoding").unwrap_or_default().to_owned(),
            asks_for_patience: response.headers().contains_key("retry-after"),
            head_us: since(),
            ..Received::default()
        };
        let mut body = response.body_mut().as_reader();
        let (mut piece, mut bytes) = (vec![0; PIECE_BYTES], 0_usize);
        received.end = loop {
            match body.read(&mut piece) {
                Ok(0) => break End::Whole,
                Ok(read) => {
                    bytes = bytes.saturating_add(read);
                    if bytes > ANSWER_BYTES_MAX {
                        break End::TooLong;
                    }
                    let read = piece.get(..read).unwrap_or_default();
                    received.pieces.push((since(), read.to_vec()));
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => break if is_timeout(&error) { End::TooLate } else { End::BrokenOff },
            }
        };
        received.ended_us = since();
        Ok(received)
    }
}

impl Ask for HttpAsk {
    fn ask(&self, call: &Call<'_>, clock: &dyn Clock) -> Result<Received, NoResponse> {
        let mut pauses = RETRY_PAUSES.into_iter();
        loop {
            match self.once(call, clock) {
                Err(NoResponse::NotConnected(_) | NoResponse::BrokenOff)
                    if let Some(pause) = pauses.next() =>
                {
                    clock.sleep(pause);
                }
                done => return done,
            }
        }
    }
}

/// Whether a read ended because of a limit of time.
fn is_timeout(error: &std::io::Error) -> bool {
    let of_library = error.get_ref().and_then(|inner| inner.downcast_ref::<ureq::Error>());
    matches!(of_library, Some(ureq::Error::Timeout(_)))
        || matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock)
}

fn no_response(error: &ureq::Error) -> NoResponse {
    use ureq::Error as Http;
    match error {
        Http::Timeout(Timeout::Connect | Timeout::Resolve) => NoResponse::NotConnected(words(error)),
        Http::Timeout(_) => NoResponse::TooLate,
        Http::Io(error) if !is_of_resolver(error) && is_broken(error.kind()) => NoResponse::BrokenOff,
        Http::Protocol(_) => NoResponse::BrokenOff,
        _ => NoResponse::NotConnected(words(error)),
    }
}

/// Whether a connection was there.
fn is_broken(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::UnexpectedEof
            | ErrorKind::BrokenPipe
    )
}

#[cfg(test)]
mod tests {
    use super::{Ask, Call, End, HttpAsk, NoResponse, Received};
    use crate::io::clock::SystemClock;
    use crate::tests::server::{Reply, Server};
    use std::sync::atomic::{AtomicU32, Ordering};

    fn ask(url: &str) -> Result<Received, NoResponse> {
        let headers = [("authorization".to_owned(), "Bearer k".to_owned())];
        HttpAsk::new().ask(&Call { url, headers: &headers, body: b"{}" }, &SystemClock::start())
    }

    fn body(received: &Received) -> Vec<u8> {
        received.pieces.iter().flat_map(|(_, piece)| piece.clone()).collect()
    }

    #[test]
    fn an_answer_has_its_status_its_pieces_and_their_times() {
        let server = Server::start(|_| Reply::ok("hello"));
        let received = ask(&server.url).unwrap();
        assert_eq!(
            (received.status, received.end.clone(), body(&received)),
            (200, End::Whole, b"hello".to_vec())
        );
        assert!(received.head_us > 0 && received.ended_us >= received.head_us);
        let head = server.heads().remove(0).to_ascii_lowercase();
        assert!(
            head.starts_with("post / http/1.1") && head.contains("\r\nauthorization: bearer k\r\n"),
            "{head}"
        );
        assert!(head.contains("\r\nuser-agent: llm-canary/"), "{head}");
    }

    #[test]
    fn every_status_is_an_answer_and_no_redirection_is_followed() {
        for (line, status) in [("429 Too Many Requests", 429), ("500 Internal Server Error", 500)] {
            let server = Server::start(move |_| Reply::Http(line, Vec::new()));
            assert_eq!((ask(&server.url).unwrap().status, server.heads().len()), (status, 1), "asked once");
        }
        let head =
            b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n".to_vec();
        let server = Server::start(move |_| Reply::Raw(head.clone()));
        assert_eq!(ask(&server.url).unwrap().status, 302);
        let head = b"HTTP/1.1 503 Busy\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n".to_vec();
        let server = Server::start(move |_| Reply::Raw(head.clone()));
        assert!(ask(&server.url).unwrap().asks_for_patience);
    }

    #[test]
    fn an_answer_that_breaks_off_is_no_whole_one() {
        for head in ["content-length: 9", "transfer-encoding: chunked"] {
            let body = if head.starts_with('c') { "hel" } else { "3\r\nhel\r\n" };
            let bytes = format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n{body}").into_bytes();
            let server = Server::start(move |_| Reply::Raw(bytes.clone()));
            let received = ask(&server.url).unwrap();
            assert_eq!(
                (received.end.clone(), body_text(&received)),
                (End::BrokenOff, "hel".to_owned()),
                "{head}"
            );
            assert_eq!(server.heads().len(), 1, "an answer that began is not asked for again");
        }
    }

    fn body_text(received: &Received) -> String {
        String::from_utf8(body(received)).unwrap()
    }

    #[test]
    fn an_answer_of_100_mb_is_not_read_to_its_end() {
        let server = Server::start(|_| Reply::ok(vec![b' '; 100 << 20]));
        let received = ask(&server.url).unwrap();
        assert_eq!(received.end, End::TooLong);
        assert!(body(&received).len() <= super::ANSWER_BYTES_MAX);
    }

    #[test]
    fn a_connection_that_fails_is_tried_again() {
        let asked = AtomicU32::new(0);
        let server = Server::start(move |_| match asked.fetch_add(1, Ordering::SeqCst) {
            0 => Reply::Raw(Vec::new()),
            _ => Reply::ok("hello"),
        });
        assert_eq!(body(&ask(&server.url).unwrap()), b"hello");
        assert_eq!(server.heads().len(), 2);
        let closing = Server::start(|_| Reply::Raw(Vec::new()));
        assert_eq!(ask(&closing.url).err(), Some(NoResponse::BrokenOff));
        assert_eq!(closing.heads().len(), 3, "and not for ever");
        let nobody = ask("http://127.0.0.1:1").err();
        assert_eq!(nobody, Some(NoResponse::NotConnected("it refuses the connection".to_owned())));
    }
}
