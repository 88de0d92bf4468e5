//! The response to one request. The filter observes it as it passes, adds the version and the pin to its headers, and
//! edits its body where that is needed.

use alloc::boxed::Box;
use alloc::string::ToString;

use super::edit::edit;
use super::headers::{Headers, is_media_type};
use super::host::{Body, Head, Host};
use crate::config::{Config, Pin, Rollout, Version};
use crate::edit::Editor;
use crate::observe::{self, End, Micros, Observation, Observer};
use crate::pin::{self, TagIds};
use crate::route::Decision;
use crate::usage::StripUsage;

const CONTENT_LENGTH: &str = "content-length";
/// Envoy's response flags for a client that closed its connection (`DC`) or reset its HTTP/2 stream (`DR`).
const FLAGS_CLIENT_GONE: u64 = 0x4000 | 0x1000_0000;
/// Envoy's response code details of a response that came from the upstream.
const DETAILS_VIA_UPSTREAM: &[u8] = b"via_upstream";

/// What is known of a request that has a version.
#[derive(Clone, Copy)]
pub(super) struct Routed {
    pub(super) decision: Decision,
    pub(super) requested: Micros,
    /// The client does not have the version's pin cookie yet.
    pub(super) needs_cookie: bool,
    /// The response carries the id of a stored response or conversation.
    pub(super) carries_stored_id: bool,
}

/// A response on its way to the client.
pub(super) struct Response {
    routed: Routed,
    observer: Observer,
    editor: Option<Box<dyn Editor>>,
    status: u16,
    /// When its last byte arrived.
    ended: Option<Micros>,
}

impl Response {
    /// The response's head has arrived. `strips_usage`: the client did not ask for the stream's usage, but the filter
    /// did.
    pub(super) fn begin<H: Host>(
        host: H,
        config: &Config,
        routed: Routed,
        strips_usage: bool,
        is_end: bool,
    ) -> Response {
        let now = host.now();
        let headers = host.headers(Head::Response);
        let status = headers.get(":status").and_then(|status| str::from_utf8(status).ok());
        let status = status.and_then(|status| status.parse().ok()).unwrap_or(0);
        let content_type = headers.get("content-type").unwrap_or_default();
        let content_encoding = headers.get("content-encoding").unwrap_or_default();
        let head = observe::Head { status, content_type, content_encoding };
        let mut observer = Observer::new(head, routed.requested, now);
        let target = target(config, &routed.decision);
        if target.is_some_and(|(rollout, _)| rollout.refusal_phrases) {
            observer.detect_refusal_phrases();
        }
        let editor =
            target.and_then(|(_, version)| editor(host, &routed, version, head, &headers, strips_usage));
        mark_response(host, config, &routed.decision);
        if let Some((rollout, version)) = target {
            give_pin(host, &rollout.pin, version, routed.needs_cookie);
        }
        Response { routed, observer, editor, status, ended: is_end.then_some(now) }
    }

    /// A piece of the body has arrived, or its end.
    pub(super) fn push<H: Host>(&mut self, host: H, size: usize, is_end: bool) {
        let now = host.now();
        let mut see = |bytes: &[u8]| self.observer.push(now, bytes);
        match self.editor.take() {
            None => {
                host.read_body(Body::Response, 0, size, |bytes| {
                    see(bytes);
                    true
                });
            }
            // An empty piece may be the last: Envoy's decompressor adds trailers, whose callback cannot edit the body.
            Some(editor) => self.editor = edit(host, Body::Response, editor, size, is_end || size == 0, see),
        }
        if is_end {
            self.ended = Some(now);
        }
    }

    /// The response has ended with trailers: its own, or those that Envoy's decompressor adds.
    pub(super) fn end(&mut self, host: impl Host) {
        self.ended = Some(host.now());
    }

    pub(super) fn decision(&self) -> Decision {
        self.routed.decision
    }

    /// The exchange has ended, in whatever way.
    pub(super) fn finish(self, host: impl Host) -> Observation {
        let end = match self.ended {
            // Only an error can be Envoy's local reply; finding out costs a hostcall.
            Some(_) if self.status >= 400 && is_local_reply(host) => End::LocalReply,
            Some(_) => End::Complete,
            None => interruption(host),
        };
        self.observer.finish(end, self.ended.unwrap_or_else(|| host.now()))
    }
}

impl Routed {
    /// The exchange has ended before the response's head arrived.
    pub(super) fn finish(self, host: impl Host) -> Observation {
        Observer::without_response(self.requested).finish(interruption(host), host.now())
    }
}

/// Which side aborted an exchange.
fn interruption(host: impl Host) -> End {
    let is_client = host.response_flags() & FLAGS_CLIENT_GONE != 0;
    if is_client { End::ClientAbort } else { End::UpstreamReset }
}

/// Whether Envoy answered in place of the upstream.
fn is_local_reply(host: impl Host) -> bool {
    host.response_code_details(|details| details != DETAILS_VIA_UPSTREAM).unwrap_or(false)
}

/// The rollout and the version of a decision.
fn target<'c>(config: &'c Config, decision: &Decision) -> Option<(&'c Rollout, &'c Version)> {
    let rollout = config.rollouts.get(decision.rollout)?;
    Some((rollout, rollout.versions.get(decision.version)?))
}

/// The editor of the response's body, if the body needs editing.
fn editor(
    host: impl Host,
    routed: &Routed,
    version: &Version,
    head: observe::Head<'_>,
    headers: &Headers,
    strips_usage: bool,
) -> Option<Box<dyn Editor>> {
    let is_plain =
        head.content_encoding.is_empty() || head.content_encoding.eq_ignore_ascii_case(b"identity");
    if !is_plain {
        return None;
    }
    let is_event_stream = is_media_type(head.content_type, b"text/event-stream");
    if routed.carries_stored_id {
        let body = if is_event_stream { pin::Body::Stream } else { pin::Body::Whole };
        host.remove_header(Head::Response, CONTENT_LENGTH);
        return Some(Box::new(TagIds::new(body, version.token)));
    }
    // A body with a `content-length` must not get shorter.
    let may_shrink = headers.get(CONTENT_LENGTH).is_none();
    if strips_usage && is_event_stream && may_shrink { Some(Box::new(StripUsage::default())) } else { None }
}

/// Adds the header with the version that answered, if the configuration asks for it.
pub(super) fn mark_response(host: impl Host, config: &Config, decision: &Decision) {
    if let (Some((_, version)), true) = (target(config, decision), config.version_on_response) {
        host.replace_header(Head::Response, config.version_header.as_str(), version.name.as_bytes());
    }
}

/// Adds the pin, which the client sends back.
fn give_pin(host: impl Host, pin: &Pin, version: &Version, needs_cookie: bool) {
    let token = version.token;
    if let Some(header) = &pin.header {
        host.replace_header(Head::Response, header.as_str(), token.to_string().as_bytes());
    }
    if let Some(cookie) = pin.cookie.as_ref().filter(|_| needs_cookie) {
        host.add_header(Head::Response, "set-cookie", &cookie.set_cookie(token));
    }
}
