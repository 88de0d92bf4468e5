//! One request to a server, in a thread that is left alone when the system asks to end.

use crate::io::clock::Clock;
use crate::io::signals::Signals;
use std::io::{self, Read};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;
use ureq::Agent;

/// The longest answer that is read.
pub(super) const BYTES_MAX: u64 = 100 << 20;
/// So much is read of an answer that is an error.
const ERROR_BYTES_MAX: u64 = 64 << 10;
/// While a server is waited for, the system's requests to end are looked at so often.
const SLICE: Duration = Duration::from_millis(50);

/// What waiting for a server depends on.
#[derive(Clone, Copy)]
pub(super) struct Patience<'a> {
    pub(super) clock: &'a dyn Clock,
    pub(super) signals: &'a dyn Signals,
}

/// What is asked for: it is handed to a thread.
pub(super) struct Question {
    pub(super) agent: Agent,
    pub(super) url: String,
    pub(super) parameters: [(&'static str, String); 8],
    pub(super) headers: Vec<(String, String)>,
}

/// A response.
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) retry_after: Option<String>,
    pub(super) location: Option<String>,
    pub(super) body: Vec<u8>,
}

impl Patience<'_> {
    /// Asks in a thread of its own, and gives up when the system asks to end; the thread ends with the program. `None`: it was given
    /// up.
    pub(super) fn ask(self, question: Question) -> Option<Result<Response, ureq::Error>> {
        if self.signals.is_waiting() {
            return None;
        }
        let (sender, receiver) = mpsc::channel();
        let work = move || {
            // Nobody may be there any more.
            let _ = sender.send(question.ask());
        };
        if let Err(error) = thread::Builder::new().name("prometheus".to_owned()).spawn(work) {
            return Some(Err(ureq::Error::Io(error)));
        }
        loop {
            match receiver.recv_timeout(SLICE) {
                Ok(answer) => return Some(answer),
                Err(RecvTimeoutError::Timeout) if self.signals.is_waiting() => return None,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Some(Err(ureq::Error::Io(io::ErrorKind::BrokenPipe.into())));
                }
            }
        }
    }

    /// Waits, until the system asks to end.
    pub(super) fn sleep(self, duration: Duration) {
        let until = self.clock.elapsed().saturating_add(duration);
        loop {
            let left = until.saturating_sub(self.clock.elapsed());
            if left.is_zero() || self.signals.is_waiting() {
                return;
            }
            self.clock.sleep(left.min(SLICE));
        }
    }
}

impl Question {
    fn ask(&self) -> Result<Response, ureq::Error> {
        let mut request = self.agent.get(&self.url).header("accept", "application/json");
        for (name, value) in &self.parameters {
            request = request.query(*name, value);
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let mut response = request.call()?;
        let header = |name: &str| {
            response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
        };
        let (retry_after, location) = (header("retry-after"), header("location"));
        let status = response.status().as_u16();
        let body = if status == 200 {
            response.body_mut().with_config().limit(BYTES_MAX).read_to_vec()?
        } else {
            let mut body = Vec::new();
            response.body_mut().as_reader().take(ERROR_BYTES_MAX).read_to_end(&mut body)?;
            body
        };
        Ok(Response { status, retry_after, location, body })
    }
}
