//! Who may ask, and who may change something.

use super::{Reply, Request};
use core::net::IpAddr;
use subtle::ConstantTimeEq;

/// What is asked of clients.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gate {
    /// Whether only this machine reaches the server.
    pub(crate) is_loopback: bool,
    /// Whether approvals are taken.
    pub(crate) can_approve: bool,
    /// The token that a request must have which changes something.
    pub(crate) token: Option<String>,
}

impl Gate {
    /// Refuses a browser that came here by another site's name: on the loopback address nobody else is meant to reach this, and a
    /// site may let its own name point here.
    ///
    /// # Errors
    /// The request is for another host, or says none.
    pub(crate) fn check_host(&self, request: &Request) -> Result<(), Reply> {
        let host = request.header("host").and_then(|host| std::str::from_utf8(host).ok());
        let Some(host) = host.filter(|host| !host.is_empty()) else {
            return Err(Reply::refused(400, "the request has no header host"));
        };
        if self.is_loopback && !is_this_machine(host) {
            let words = "this listens on the loopback address; ask for localhost or 127.0.0.1, or listen elsewhere with a token";
            return Err(Reply::refused(421, words));
        }
        Ok(())
    }

    /// Refuses a change that has no right to be one.
    ///
    /// # Errors
    /// The token is missing or wrong, or the request may be a foreign page's.
    pub(super) fn check_change(&self, request: &Request) -> Result<(), Reply> {
        if let Some(token) = &self.token {
            let given = request.header("authorization").and_then(bearer).unwrap_or_default();
            // Of tokens of other lengths only the length shows.
            if !bool::from(given.ct_eq(token.as_bytes())) {
                let words = "this needs the token: authorization: Bearer TOKEN";
                return Err(Reply::refused(401, words).with("www-authenticate", "Bearer"));
            }
        }
        // A page of another site can send a form or plain text without being asked first, but no JSON.
        let content_type = request.header("content-type").unwrap_or_default();
        let media = content_type.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        if !media.eq_ignore_ascii_case(b"application/json") {
            return Err(Reply::refused(415, "this takes content-type: application/json"));
        }
        let host = request.header("host").unwrap_or_default();
        let is_own = |origin: &[u8]| {
            let schemes: [&[u8]; 2] = [b"http://", b"https://"];
            schemes.iter().any(|scheme| origin.strip_prefix(*scheme) == Some(host))
        };
        if request.header("origin").is_some_and(|origin| !is_own(origin)) {
            return Err(Reply::refused(403, "this is a request of another site's page"));
        }
        Ok(())
    }
}

/// The token of `Bearer TOKEN`.
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then_some(token.trim_ascii())
}

/// Whether a host, with or without its port, is a name of this machine that no other site can have.
fn is_this_machine(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    if name.eq_ignore_ascii_case("localhost") {
        return true;
    }
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
