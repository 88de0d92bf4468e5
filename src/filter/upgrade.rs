//! A connection whose protocol is switched: WebSocket, or another one.
//!
//! Envoy's flags do not tell an orderly end of a WebSocket from a cut: they are the same after a Close frame, a FIN and a
//! reset. So the headers of its frames are read in both directions.

use super::ending;
use super::headers::Headers;
use super::host::{Body, Host};
use crate::framing::websocket::Frames;
use crate::observe::End;

/// A request to switch the protocol, and what follows it.
pub(super) struct Upgrade {
    /// The frames of each side, if the protocol is WebSocket.
    websocket: Option<WebSocket>,
    is_connect: bool,
}

#[derive(Default)]
struct WebSocket {
    from_client: Frames,
    from_upstream: Frames,
}

impl Upgrade {
    /// `None` if a request with this head does not ask to switch the protocol.
    pub(super) fn new(headers: &Headers) -> Option<Upgrade> {
        // Envoy shows the CONNECT by which HTTP/2 asks for a WebSocket as a GET with this header.
        let protocol = headers.get("upgrade");
        let is_connect = protocol.is_none() && headers.get(":method") == Some(b"CONNECT");
        if protocol.is_none() && !is_connect {
            return None;
        }
        let is_websocket = protocol.is_some_and(|protocol| protocol.eq_ignore_ascii_case(b"websocket"));
        Some(Upgrade { websocket: is_websocket.then(WebSocket::default), is_connect })
    }

    /// Whether a response with this status accepts the request.
    pub(super) fn is_accepted_by(&self, status: u16) -> bool {
        status == 101 || (self.is_connect && (200..300).contains(&status))
    }

    /// Bytes have come from the client or the upstream.
    pub(super) fn push(&mut self, host: impl Host, from: Body, size: usize) {
        if let Some(WebSocket { from_client, from_upstream }) = &mut self.websocket {
            let frames = if from == Body::Request { from_client } else { from_upstream };
            host.read_body(from, 0, size, |bytes| {
                frames.push(bytes);
                true
            });
        }
    }

    /// How the connection ended. `has_ended`: the upstream ended its side in order, which TCP alone does not show.
    pub(super) fn end(&self, host: impl Host, has_ended: bool) -> End {
        match &self.websocket {
            None => ending::of_upgraded(host, has_ended),
            Some(websocket) if websocket.from_client.has_close() || websocket.from_upstream.has_close() => {
                End::Complete
            }
            Some(_) => ending::interruption(host),
        }
    }
}
