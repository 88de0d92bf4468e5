//! Sends JSON over HTTP.

use super::admin::is_of_resolver;
use crate::error::io_words;
use std::time::Duration;
use ureq::Agent;

/// The longest answer that is read.
const ANSWER_BYTES_MAX: u64 = 1 << 20;

/// An answer: its status and the beginning of its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// Sends JSON; threads may share it.
pub(crate) trait Post: Sync {
    /// Sends a text, and waits for the answer, whatever its status.
    ///
    /// # Errors
    /// There is no answer, in a sentence whose subject is the server.
    fn post(
        &self,
        url: &str,
        headers: &[(String, String)],
        body: &str,
        timeout: Duration,
    ) -> Result<Answer, String>;
}

/// Sends over HTTP and HTTPS.
#[derive(Clone)]
pub(crate) struct HttpPost {
    agent: Agent,
}

impl HttpPost {
    pub(crate) fn new() -> Self {
        let config = Agent::config_builder().http_status_as_error(false).max_redirects(0);
        Self { agent: config.max_redirects_will_error(false).build().into() }
    }
}

impl Post for HttpPost {
    fn post(
        &self,
        url: &str,
        headers: &[(String, String)],
        body: &str,
        timeout: Duration,
    ) -> Result<Answer, String> {
        let mut request = self.agent.post(url).header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let request = request.config().timeout_global(Some(timeout)).build();
        let mut response = request.send(body).map_err(|error| words(&error))?;
        let status = response.status().as_u16();
        let body = response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec();
        // The status says what became of it, even where the body breaks off.
        let body = body.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
        Ok(Answer { status, body })
    }
}

/// Refuses what is no address, without asking anybody.
///
/// # Errors
/// A sentence without its subject.
pub(crate) fn check_url(url: &str) -> Result<(), String> {
    let is_http = url.starts_with("http://") || url.starts_with("https://");
    let has_host =
        url.parse::<ureq::http::Uri>().is_ok_and(|uri| uri.host().is_some_and(|host| !host.is_empty()));
    (is_http && has_host)
        .then_some(())
        .ok_or_else(|| "is no address; write one such as https://hooks.example.com/release".to_owned())
}

/// The server of an address. The rest may be a secret.
pub(crate) fn host(url: &str) -> String {
    let uri = url.parse::<ureq::http::Uri>().ok();
    uri.and_then(|uri| uri.authority().map(|authority| authority.host().to_owned())).unwrap_or_default()
}

pub(super) fn words(error: &ureq::Error) -> String {
    use ureq::Error as Http;
    match error {
        Http::Io(error) if is_of_resolver(error) => "its name is not known; check the spelling".to_owned(),
        Http::Io(error) => format!("it {}", io_words(error)),
        Http::Timeout(_) => "it took too long".to_owned(),
        Http::HostNotFound => "its name is not known; check the spelling".to_owned(),
        Http::BadUri(_) | Http::Http(_) => "the address or a header is not valid".to_owned(),
        Http::Tls(_) | Http::Rustls(_) => {
            "its certificate cannot be trusted, or it does not speak TLS".to_owned()
        }
        _ => "it does not speak HTTP".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{HttpPost, Post, check_url, host};
    use crate::tests::server::{Reply, Server};
    use std::time::Duration;

    #[test]
    fn addresses_are_checked_and_not_shown() {
        for url in ["http://a", "https://hooks.slack.com/services/T0/B0/secret", "http://[::1]:80/x?y"] {
            assert_eq!(check_url(url), Ok(()), "{url}");
        }
        for url in ["", "a", "ftp://a", "http://", "http:///x", "https://a b"] {
            assert!(check_url(url).is_err(), "{url}");
        }
        assert_eq!(host("https://user:pass@hooks.slack.com:8443/services/secret"), "hooks.slack.com");
    }

    #[test]
    fn every_answer_is_an_answer_and_silence_is_none() {
        let second = Duration::from_secs(1);
        let post = |server: &Server| {
            HttpPost::new().post(&server.url, &[("a".to_owned(), "b".to_owned())], "{}", second)
        };
        let server = Server::start(|_| Reply::Http("409 Conflict", b"nothing waits".to_vec()));
        let answer = post(&server).unwrap();
        assert_eq!((answer.status, answer.body.as_str()), (409, "nothing waits"));
        let head = server.heads().remove(0).to_ascii_lowercase();
        assert!(
            head.starts_with("post / http/1.1") && head.contains("content-type: application/json"),
            "{head}"
        );
        assert!(head.contains("\r\na: b\r\n"));
        let hanging = Server::start(|_| Reply::Hang(Duration::from_secs(9)));
        assert_eq!(post(&hanging).unwrap_err(), "it took too long");
        let nobody = HttpPost::new().post("http://127.0.0.1:1", &[], "{}", second);
        assert_eq!(nobody.unwrap_err(), "it refuses the connection");
    }
}
