//! The version that a client's pin names.

use super::source::body;
use super::{BodyNeeded, Request};
use crate::config::{CONVERSATION_ID_POINTER, CONVERSATION_POINTER, PREVIOUS_RESPONSE_POINTER, Pin, Rollout};
use crate::key;
use crate::pin::{self, Endpoint, Token};

/// Where a pin was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinKind {
    /// The tagged id of a response or a conversation, which only this version has stored.
    ResponseId,
    /// The configuration's pin header.
    Header,
    /// The configuration's pin cookie.
    Cookie,
}

/// The version that a pin names, unless it is stopped, and where the pin was found.
pub(super) fn version(
    rollout: &Rollout,
    request: &impl Request,
) -> Result<Option<(PinKind, usize)>, BodyNeeded> {
    let Pin { cookie, header, response_id } = &rollout.pin;
    let running = |kind, token: Option<Token>| {
        let version = token.and_then(|token| rollout.version_of(token))?;
        let is_stopped = rollout.versions.get(version).is_none_or(|version| version.stopped);
        (!is_stopped).then_some((kind, version))
    };
    if *response_id {
        let token = match by_path(rollout, request) {
            Some(token) => Some(token),
            None => by_body(rollout, request)?,
        };
        if let Some(pinned) = running(PinKind::ResponseId, token) {
            return Ok(Some(pinned));
        }
    }
    if let Some(header) = header {
        let value = request.header(header.as_str()).unwrap_or_default();
        // Of several lines the first with a version's token counts.
        let mut items = value.split(|&byte| byte == b',').map(|item| Token::parse(item.trim_ascii()));
        if let Some(pinned) = items.find_map(|token| running(PinKind::Header, token)) {
            return Ok(Some(pinned));
        }
    }
    let Some(cookie) = cookie else { return Ok(None) };
    let header = request.header("cookie").unwrap_or_default();
    let mut tokens = key::cookies(&header, cookie.name.as_bytes()).map(Token::parse);
    Ok(tokens.find_map(|token| running(PinKind::Cookie, token)))
}

/// The token in the path of a request for a stored response or conversation.
pub(super) fn by_path(rollout: &Rollout, request: &impl Request) -> Option<Token> {
    let is_known = |token| rollout.version_of(token).is_some();
    pin::untag_path(&request.header(":path")?, is_known).map(|(_, token)| token)
}

/// The token of the stored response or conversation that a body continues.
fn by_body(rollout: &Rollout, request: &impl Request) -> Result<Option<Token>, BodyNeeded> {
    if request.header(":path").and_then(|path| Endpoint::of(&path)).is_none() {
        return Ok(None);
    }
    for pointer in [PREVIOUS_RESPONSE_POINTER, CONVERSATION_POINTER, CONVERSATION_ID_POINTER] {
        let token = body(request, pointer)?.and_then(pin::untag_id).map(|(_, token)| token);
        if token.is_some_and(|token| rollout.version_of(token).is_some()) {
            return Ok(token);
        }
    }
    Ok(None)
}
