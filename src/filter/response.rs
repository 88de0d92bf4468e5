//! The response to one request. The filter observes it as it passes, adds the version and the pin to its headers, and
//! edits its body where that is needed.

use alloc::boxed::Box;
use alloc::string::ToString;
use core::mem;

use super::edit::edit;
use super::ending::{interruption, is_local_reply};
use super::first_piece::FirstPiece;
use super::headers::{Headers, is_media_type};
use super::host::{Body, Head, Host};
use super::upgrade::Upgrade;
use crate::config::{Config, Pin, Rollout, Version};
use crate::defect::Asked;
use crate::edit::Editor;
use crate::observe::{self, End, GrpcMethod, Micros, Observation, Observer};
use crate::pin::{self, TagIds};
use crate::request_facts::RequestFacts;
use crate::route::Decision;
use crate::usage::StripUsage;

const CONTENT_LENGTH: &str = "content-length";
/// The longest first piece that is read later. Envoy reads so much of a connection at a time.
const FIRST_BYTES_MAX: usize = 16 * 1024;

/// What is known of a request that has a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Routed {
    pub(super) decision: Decision,
    pub(super) requested: Micros,
    /// The client does not have the version's pin cookie yet.
    pub(super) needs_cookie: bool,
    /// The response carries the id of a stored response or conversation.
    pub(super) carries_stored_id: bool,
    /// The filter asked for the stream's usage, but the client did not. Until the request's body has been edited, its
    /// editor knows.
    pub(super) strips_usage: bool,
    /// What the request's body shows. Until the body has passed, its reader knows.
    pub(super) request: RequestFacts,
    /// The method of gRPC that it calls, if the messages of that are read.
    pub(super) grpc_method: Option<GrpcMethod>,
}

/// A response on its way to the client.
pub(super) struct Response {
    routed: Routed,
    observer: Observer,
    /// Defects are looked for, and the observer does not know that yet.
    detects_defects: bool,
    first: FirstPiece,
    /// When the first piece arrived, if that is kept.
    first_arrived: Micros,
    editor: Option<Box<dyn Editor + Send>>,
    status: u16,
    /// It has only a head.
    is_head_only: bool,
    /// When its last byte arrived.
    ended: Option<Micros>,
}

impl Response {
    /// The response's head has arrived.
    pub(super) fn begin<H: Host>(host: H, config: &Config, routed: Routed, is_end: bool) -> Response {
        let now = host.now();
        let headers = host.headers(Head::Response);
        let status = headers.get(":status").and_then(|status| str::from_utf8(status).ok());
        let status = status.and_then(|status| status.parse().ok()).unwrap_or(0);
        let content_type = headers.get("content-type").unwrap_or_default();
        let content_encoding = headers.get("content-encoding").unwrap_or_default();
        let is_grpc = is_media_type(content_type, b"application/grpc");
        let grpc_status = if is_grpc { headers.get("grpc-status") } else { None };
        let head = observe::Head { status, content_type, content_encoding, grpc_status };
        let mut observer = Observer::new(head, routed.requested, now);
        if !routed.decision.asks_for_answer {
            observer.expect_no_answer();
            // HEAD is answered by the head of a body that does not come. A status of gRPC is no such head.
            if is_end && grpc_status.is_none() {
                observer.expect_no_body();
            }
        }
        if let Some(method) = routed.grpc_method {
            observer.expect_messages(method);
        }
        let target = target(config, &routed.decision);
        if target.is_some_and(|(rollout, _)| rollout.refusal_phrases) {
            observer.detect_refusal_phrases();
        }
        // Whether this is an answer shows later. An id of one may be asked for with GET.
        let detects_defects = target.is_some_and(|(rollout, _)| rollout.defects);
        let mut editor = None;
        if let Some((rollout, version)) = target.filter(|(rollout, _)| rollout.observe.is_none()) {
            editor = self::editor(host, &routed, version, head, &headers);
            mark_response(host, &headers, config, &routed.decision);
            let is_grpc_error = grpc_status.is_some_and(|status| status.trim_ascii() != b"0");
            let is_pinnable = is_pinnable(status) && !is_grpc_error;
            if routed.decision.gives_pin && is_pinnable && !is_envoys_own(host, &rollout.pin) {
                give_pin(host, &headers, &rollout.pin, version, routed.needs_cookie);
            } else if let Some(header) = &rollout.pin.header
                && headers.may_contain(header.as_str())
            {
                // A server must not choose a version by this header.
                host.remove_header(Head::Response, header.as_str());
            }
        }
        let ended = is_end.then_some(now);
        Response {
            routed,
            observer,
            detects_defects,
            first: FirstPiece::default(),
            first_arrived: 0,
            editor,
            status,
            is_head_only: is_end,
            ended,
        }
    }

    /// A piece of the body has arrived, or its end. `asked`: what the request asked for, if that was known
    /// when the answer began.
    pub(super) fn push<H: Host>(
        &mut self,
        host: H,
        size: usize,
        is_end: bool,
        asked: impl FnOnce() -> Option<Asked>,
    ) {
        let now = host.now();
        if is_end {
            self.ended = Some(now);
        }
        // How a response of gRPC ended depends on all of its body.
        let may_keep = self.editor.is_none() && !self.observer.is_grpc();
        if may_keep && self.first.keep(host, Body::Response, size, FIRST_BYTES_MAX) {
            self.first_arrived = now;
            return;
        }
        if size > 0 {
            self.read_first(asked);
        }
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
    }

    /// Reads the first piece of the body, if that is kept.
    fn read_first(&mut self, asked: impl FnOnce() -> Option<Asked>) {
        if mem::take(&mut self.detects_defects) {
            self.observer.detect_defects(asked());
        }
        if let Some(bytes) = self.first.take() {
            self.observer.push(self.first_arrived, &bytes);
        }
    }

    /// What is kept of the body; `None` if it has been read.
    pub(super) fn kept(&self) -> Option<&[u8]> {
        self.first.kept()
    }

    /// The response has ended: with its last byte, its own trailers, or those that Envoy's decompressor adds.
    pub(super) fn end(&mut self, host: impl Host) {
        self.ended = Some(host.now());
        if self.observer.is_grpc() {
            let observer = &mut self.observer;
            host.header(Head::ResponseTrailers, "grpc-status", |status| observer.trailers(Some(status)));
        }
    }

    /// Whether this response switches the protocol.
    pub(super) fn accepts(&self, upgrade: &Upgrade) -> bool {
        upgrade.is_accepted_by(self.status)
    }

    pub(super) fn routed(&self) -> Routed {
        self.routed
    }

    pub(super) fn status(&self) -> u16 {
        self.status
    }

    /// The exchange has ended, in whatever way.
    pub(super) fn end_of(&self, host: impl Host, upgrade: Option<&Upgrade>) -> (End, Micros) {
        // Only an error can be Envoy's local reply; finding out costs a hostcall. Envoy sends gRPC's as a head.
        let may_be_local = self.status >= 400 || (self.is_head_only && self.observer.is_grpc());
        let end = match (self.ended, upgrade.filter(|upgrade| self.accepts(upgrade))) {
            (ended, Some(upgrade)) => upgrade.end(host, ended.is_some()),
            (Some(_), None) if may_be_local && is_local_reply(host) => End::LocalReply,
            (Some(_), None) if self.observer.lacks_status() => interruption(host),
            (Some(_), None) => End::Complete,
            (None, None) => interruption(host),
        };
        (end, self.ended.unwrap_or_else(|| host.now()))
    }

    /// What the response was, which ended so and then. `asked`: as for [`Response::push`].
    pub(super) fn finish(
        mut self,
        end: End,
        at: Micros,
        asked: impl FnOnce() -> Option<Asked>,
    ) -> Observation {
        self.read_first(asked);
        self.observer.finish(end, at)
    }
}

impl Routed {
    /// A request of which nothing but its version is known.
    pub(super) fn new(decision: Decision, requested: Micros) -> Routed {
        Routed {
            decision,
            requested,
            needs_cookie: false,
            carries_stored_id: false,
            strips_usage: false,
            request: RequestFacts::default(),
            grpc_method: None,
        }
    }

    /// The exchange has ended before the response's head arrived.
    pub(super) fn finish(self, end: End, at: Micros) -> Observation {
        let mut observer = Observer::without_response(self.requested);
        if !self.decision.asks_for_answer {
            observer.expect_no_answer();
        }
        observer.finish(end, at)
    }
}

/// Whether the answer with this status may give the client a pin. Errors may not, nor responses without content.
fn is_pinnable(status: u16) -> bool {
    (200..400).contains(&status) && !matches!(status, 204 | 205 | 304)
}

/// Whether Envoy answered in place of the upstream. Finding out costs a hostcall, so only a rollout with pins asks.
fn is_envoys_own(host: impl Host, pin: &Pin) -> bool {
    (pin.header.is_some() || pin.cookie.is_some()) && is_local_reply(host)
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
) -> Option<Box<dyn Editor + Send>> {
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
    if routed.strips_usage && is_event_stream && may_shrink {
        Some(Box::new(StripUsage::default()))
    } else {
        None
    }
}

/// Adds the header with the version that answered, if the configuration asks for it.
pub(super) fn mark_response(host: impl Host, headers: &Headers, config: &Config, decision: &Decision) {
    if let Some((name, version)) = version_header(config, decision) {
        set_header(host, headers, name, version);
    }
}

/// Sets a header of the response. To look for one that is not there, Envoy would first make a table of all headers.
fn set_header(host: impl Host, headers: &Headers, name: &str, value: &str) {
    if headers.may_contain(name) {
        host.replace_header(Head::Response, name, value.as_bytes());
    } else {
        host.add_header(Head::Response, name, value);
    }
}

/// The name of that header, and the version.
pub(super) fn version_header<'c>(config: &'c Config, decision: &Decision) -> Option<(&'c str, &'c str)> {
    let (_, version) = target(config, decision).filter(|_| config.version_on_response)?;
    Some((config.version_header.as_str(), &version.name))
}

/// Adds the pin, which the client sends back.
fn give_pin(host: impl Host, headers: &Headers, pin: &Pin, version: &Version, needs_cookie: bool) {
    let token = version.token;
    if let Some(header) = &pin.header {
        set_header(host, headers, header.as_str(), &token.to_string());
    }
    if let Some(cookie) = pin.cookie.as_ref().filter(|_| needs_cookie) {
        host.add_header(Head::Response, "set-cookie", &cookie.set_cookie(token));
    }
}
