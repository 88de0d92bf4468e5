//! One request and its response.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::string::ToString;
use core::mem;

use super::abi::Map;
use super::body::{RequestBody, edit};
use super::feedback::{self, Rating};
use super::headers::Headers;
use super::host::{self, Action, Buffer};
use super::intake::{self, Body, Intake, Request};
use super::root::Root;
use crate::config::{Pin, Rollout, Version};
use crate::edit::Editor;
use crate::key;
use crate::observe::{End, Head, Micros, Observer};
use crate::pin::{self, Endpoint, TagIds, Token};
use crate::retry;
use crate::rewrite;
use crate::route::{self, BodyNeeded, Decision};
use crate::timestamp::UnixMs;
use crate::usage::StripUsage;

const CONTENT_LENGTH: &str = "content-length";

/// A request on its way, under the configuration in force when it came.
pub(super) struct Stream {
    root: Rc<Root>,
    phase: Phase,
    /// What its body showed; `None` where it has none, or no rollout is about it.
    body: Option<Box<RequestBody>>,
    /// When it went on without the body it had waited for, until the first of that comes.
    gave_up: Option<Micros>,
}

/// How far it is.
enum Phase {
    /// Its head has not come, or no rollout is about it, or it has ended.
    Idle,
    /// It waits, because its version is told by its body.
    Waiting(Box<Intake>),
    /// It has a version; the response's head has not come.
    Awaiting(Routed),
    /// The response passes.
    Reading {
        routed: Routed,
        observer: Box<Observer>,
        /// What is changed in it.
        editor: Option<Box<dyn Editor>>,
        status: u16,
        ended: Option<Micros>,
    },
    /// It is no request to a version, but says what a user thought of one.
    Feedback(Box<Rating>),
}

#[derive(Clone, Copy)]
struct Routed {
    decision: Decision,
    requested: Micros,
    /// The client has not got the version's pin cookie yet.
    needs_cookie: bool,
    /// The response tells the id of a stored one.
    tells_stored_id: bool,
}

impl Stream {
    pub(super) fn new(root: Rc<Root>) -> Stream {
        Stream { root, phase: Phase::Idle, body: None, gave_up: None }
    }

    pub(super) fn on_request_headers(&mut self, is_end: bool) -> Action {
        let (requested, now) = (host::now(), host::wall_clock());
        let headers = &host::headers(Map::Request);
        let body = if is_end { Body::Absent } else { Body::Unread };
        self.route(Request { headers, body }, requested, now, is_end).unwrap_or_else(|BodyNeeded| {
            if self.root.waits.may_wait() && intake::is_readable(headers) {
                let intake = Intake::new(&self.root, headers, requested, now);
                self.phase = Phase::Waiting(Box::new(intake));
                return Action::Pause;
            }
            let request = Request { headers, body: Body::Absent };
            self.route(request, requested, now, is_end).unwrap_or_default()
        })
    }

    /// Finds the request's version, and sends it there.
    fn route(
        &mut self,
        request: Request<'_>,
        requested: Micros,
        now: UnixMs,
        is_end: bool,
    ) -> Result<Action, BodyNeeded> {
        let root = Rc::clone(&self.root);
        let (config, headers) = (&root.config, request.headers);
        if let Some(about) = route::feedback(config, &request, now)? {
            return Ok(self.on_feedback(about, requested, is_end));
        }
        let decision = route::decide(config, &request, now, host::random)?;
        let chosen = decision.and_then(|decision| {
            let rollout = config.rollouts.get(decision.rollout)?;
            Some((decision, rollout, rollout.versions.get(decision.version)?))
        });
        let Some((decision, rollout, version)) = chosen else {
            // What a client sends in these must not choose a cluster anywhere.
            for name in [config.cluster_header.as_str(), config.version_header.as_str()] {
                if headers.may_hold(name) {
                    host::remove_header(Map::Request, name);
                }
            }
            return Ok(Action::Continue);
        };
        let waits = matches!(request.body, Body::Read(_));
        let may_wait = root.waits.may_wait();
        let needs_cookie = rollout.pin.cookie.as_ref().is_some_and(|cookie| {
            let token = |cookies: &[u8]| {
                key::cookie(cookies, cookie.name.as_bytes()).and_then(Token::parse) == Some(version.token)
            };
            !headers.get("cookie").is_some_and(token)
        });
        let tells_stored_id =
            rollout.pin.response_id && headers.get(":path").and_then(Endpoint::of) == Some(Endpoint::Stored);
        if !is_end {
            let body = RequestBody::new(rollout, version, headers, requested, may_wait, waits);
            self.body = Some(Box::new(body));
        }
        self.send_to(version);
        rewrite_head(rollout, version, headers);
        if headers.may_hold("accept-encoding") {
            // A compressed body cannot be read.
            host::replace_header(Map::Request, "accept-encoding", "identity");
        }
        host::set_property("llm_reason", decision.reason.as_str());
        root.count_decision(&decision);
        if retry::is_retry(|name| headers.get(name)) {
            root.count_retry(&decision);
        }
        self.phase = Phase::Awaiting(Routed { decision, requested, needs_cookie, tells_stored_id });
        let waits_on = self.body.as_ref().is_some_and(|body| body.waits());
        Ok(if waits_on { Action::Pause } else { Action::Continue })
    }

    fn on_feedback(&mut self, about: route::Feedback, now: Micros, is_end: bool) -> Action {
        let version = feedback::rollout(&self.root, &about).and_then(|rollout| {
            let version = match about {
                route::Feedback::On(decision) => decision.version,
                route::Feedback::OnNone { .. } => rollout.baseline,
            };
            rollout.versions.get(version)
        });
        if let Some(version) = version {
            self.send_to(version);
        }
        let Some((rating, action)) = Rating::new(&self.root, about, now, is_end) else {
            return Action::Continue;
        };
        self.phase = Phase::Feedback(Box::new(rating));
        action
    }

    /// Names the version, and the cluster that serves it.
    fn send_to(&self, version: &Version) {
        let config = &self.root.config;
        host::replace_header(Map::Request, config.cluster_header.as_str(), &version.cluster);
        host::replace_header(Map::Request, config.version_header.as_str(), &version.name);
        host::set_property("llm_version", &version.name);
    }

    pub(super) fn on_request_body(&mut self, size: usize, is_end: bool) -> Action {
        if let Some(gave_up) = self.gave_up.take() {
            self.root.waits.has_come_after(host::now().saturating_sub(gave_up));
        }
        if matches!(self.phase, Phase::Waiting(_)) {
            self.root.waits.has_come();
            let Phase::Waiting(mut intake) = mem::replace(&mut self.phase, Phase::Idle) else {
                return Action::Continue;
            };
            intake.push(&self.root, size, is_end);
            let (requested, now) = (intake.requested, intake.now);
            let request = Request { headers: &host::headers(Map::Request), body: Body::Read(&intake) };
            if let Err(BodyNeeded) = self.route(request, requested, now, false) {
                let action = intake.pause();
                self.phase = Phase::Waiting(intake);
                return action;
            }
            if let Some(turn) = intake.turn() {
                if let Some(body) = &mut self.body {
                    body.goes_on_after(turn);
                }
                return Action::Continue;
            }
            // What has come so far is still there, to be read once more for what it is sent on for.
        }
        match &mut self.phase {
            Phase::Feedback(rating) if rating.is_answered() => Action::Pause,
            Phase::Feedback(rating) => rating.push(&self.root, size, is_end),
            Phase::Idle | Phase::Waiting(_) | Phase::Awaiting(_) | Phase::Reading { .. } => {
                self.body.as_mut().map_or(Action::Continue, |body| body.push(size, is_end))
            }
        }
    }

    /// Trailers are the end of a body that has them. What waits has been read up to them.
    pub(super) fn on_request_trailers(&mut self) -> Action {
        let read_bytes = match &self.phase {
            Phase::Waiting(intake) => intake.shown_bytes(),
            Phase::Feedback(rating) => rating.held_bytes(),
            Phase::Idle | Phase::Awaiting(_) | Phase::Reading { .. } => {
                self.body.as_ref().map_or(0, |body| body.held_bytes())
            }
        };
        self.on_request_body(read_bytes, true)
    }

    /// Since when it waits for the first of its body, or for more of it.
    fn waits_since(&self) -> Option<Micros> {
        match &self.phase {
            Phase::Waiting(intake) => intake.waits_since(),
            Phase::Feedback(rating) => rating.waits_since(),
            Phase::Idle | Phase::Awaiting(_) | Phase::Reading { .. } => {
                self.body.as_ref().and_then(|body| body.waits_since())
            }
        }
    }

    /// Whether nothing has come yet of a body that it waits for.
    pub(super) fn waits(&self) -> bool {
        self.waits_since().is_some()
    }

    /// Whether it has waited too long for that.
    pub(super) fn waits_too_long(&self, now: Micros) -> bool {
        self.waits_since().is_some_and(|since| now.saturating_sub(since) >= self.root.waits.limit_us())
    }

    /// It goes on without its body.
    pub(super) fn give_up_waiting(&mut self, now: Micros) {
        self.gave_up = Some(now);
        if matches!(self.phase, Phase::Waiting(_))
            && let Phase::Waiting(mut intake) = mem::replace(&mut self.phase, Phase::Idle)
        {
            intake.finish(&self.root);
            // It may have to wait once more, for edits, which comes to the same.
            let request = Request { headers: &host::headers(Map::Request), body: Body::Read(&intake) };
            let _ = self.route(request, intake.requested, intake.now, false);
            if let (Some(body), Some(turn)) = (&mut self.body, intake.turn()) {
                body.goes_on_after(turn);
            }
        }
        if let Phase::Feedback(rating) = &mut self.phase {
            rating.give_up_waiting();
        } else if let Some(body) = &mut self.body {
            body.give_up_waiting();
        }
    }

    pub(super) fn on_response_headers(&mut self, is_end: bool) {
        let routed = match &self.phase {
            Phase::Awaiting(routed) => *routed,
            Phase::Feedback(rating) => {
                return rating.decision().into_iter().for_each(|d| self.mark_response(d));
            }
            Phase::Idle | Phase::Waiting(_) | Phase::Reading { .. } => return,
        };
        let now = host::now();
        let headers = host::headers(Map::Response);
        let status = headers.get(":status").and_then(|status| str::from_utf8(status).ok());
        let status = status.and_then(|status| status.parse().ok()).unwrap_or(0);
        let content_type = headers.get("content-type").unwrap_or_default();
        let content_encoding = headers.get("content-encoding").unwrap_or_default();
        let head = Head { status, content_type, content_encoding };
        let mut observer = Box::new(Observer::new(head, routed.requested, now));
        let rollout = self.root.config.rollouts.get(routed.decision.rollout);
        if rollout.is_some_and(|rollout| rollout.refusal_phrases) {
            observer.detect_refusal_phrases();
        }
        let editor = self.response_editor(&routed, head, &headers);
        self.phase = Phase::Reading { routed, observer, editor, status, ended: is_end.then_some(now) };
        self.mark_response(routed.decision);
        if let Some((rollout, version)) = self.routed_to(&routed.decision) {
            give_pin(&rollout.pin, version, routed.needs_cookie);
        }
    }

    /// The rollout and the version of a decision.
    fn routed_to(&self, decision: &Decision) -> Option<(&Rollout, &Version)> {
        let rollout = self.root.config.rollouts.get(decision.rollout)?;
        Some((rollout, rollout.versions.get(decision.version)?))
    }

    /// What has to be changed in the response that begins.
    fn response_editor(&self, routed: &Routed, head: Head<'_>, headers: &Headers) -> Option<Box<dyn Editor>> {
        let is_plain =
            head.content_encoding.is_empty() || head.content_encoding.eq_ignore_ascii_case(b"identity");
        if !is_plain {
            return None;
        }
        if routed.tells_stored_id {
            let (_, version) = self.routed_to(&routed.decision)?;
            let body = if is_event_stream(head) { pin::Body::Stream } else { pin::Body::Whole };
            host::remove_header(Map::Response, CONTENT_LENGTH);
            return Some(Box::new(TagIds::new(body, version.token)));
        }
        let has_length = headers.get(CONTENT_LENGTH).is_some();
        if !has_length && self.hides_usage(head) { Some(Box::new(StripUsage::default())) } else { None }
    }

    /// Whether usage has to be taken out of the response that begins: it was asked for in the client's place,
    /// and is in a stream that may get shorter.
    fn hides_usage(&self, head: Head<'_>) -> bool {
        self.body.as_ref().is_some_and(|body| body.is_injected()) && is_event_stream(head)
    }

    /// Tells the client which version answered.
    fn mark_response(&self, decision: Decision) {
        let config = &self.root.config;
        if let (Some((_, version)), true) = (self.routed_to(&decision), config.version_on_response) {
            host::replace_header(Map::Response, config.version_header.as_str(), &version.name);
        }
    }

    pub(super) fn on_response_body(&mut self, size: usize, is_end: bool) {
        let Phase::Reading { observer, editor, ended, .. } = &mut self.phase else { return };
        let now = host::now();
        let mut see = |bytes: &[u8]| observer.push(now, bytes);
        match editor.take() {
            None => {
                host::slices(Buffer::ResponseBody, 0, size, |bytes| {
                    see(bytes);
                    true
                });
            }
            // An empty piece may be the last: Envoy's decompressor ends by trailers, where a body is out of reach.
            Some(wanted) => *editor = edit(Buffer::ResponseBody, wanted, size, is_end || size == 0, see),
        }
        if is_end {
            *ended = Some(now);
        }
    }

    /// Trailers are the end of a response that has them, and of one that Envoy decompressed.
    pub(super) fn on_response_trailers(&mut self) {
        if let Phase::Reading { ended, .. } = &mut self.phase {
            *ended = Some(host::now());
        }
    }

    /// The request has ended, in whatever way: the one callback that always comes.
    pub(super) fn on_log(&mut self) {
        let (routed, observer, status, ended) = match mem::replace(&mut self.phase, Phase::Idle) {
            Phase::Idle | Phase::Waiting(_) | Phase::Feedback(_) => return,
            Phase::Awaiting(routed) => {
                (routed, Box::new(Observer::without_response(routed.requested)), 0, None)
            }
            Phase::Reading { routed, observer, status, ended, .. } => (routed, observer, status, ended),
        };
        let end = match ended {
            // Only an error can have come from Envoy itself; asking costs a call.
            Some(_) if status >= 400 && host::is_local_reply() => End::LocalReply,
            Some(_) => End::Complete,
            None if host::is_client_gone() => End::ClientAbort,
            None => End::UpstreamReset,
        };
        let observation = observer.finish(end, ended.unwrap_or_else(host::now));
        self.root.count_observation(&routed.decision, &observation);
        if self.body.as_ref().is_some_and(|body| body.is_first_turn()) {
            self.root.count_first_turn(&routed.decision, &observation);
        }
    }
}

fn is_event_stream(head: Head<'_>) -> bool {
    intake::is_kind(head.content_type, b"text/event-stream")
}

/// Changes the head of a request as its version wants it.
fn rewrite_head(rollout: &Rollout, version: &Version, headers: &Headers) {
    let rewrite = &version.rewrite;
    if rollout.pin.response_id || rewrite.path_prefix.is_some() {
        let path = headers.get(":path").unwrap_or_default();
        let is_known = |token| rollout.version_of(token).is_some();
        let unmarked = if rollout.pin.response_id { pin::untag_path(path, is_known) } else { None };
        let unmarked = unmarked.map(|(path, _)| path);
        let prefix = rewrite.path_prefix.as_ref();
        let rewritten = prefix.and_then(|(from, to)| {
            let path = unmarked.as_deref().unwrap_or(path);
            rewrite::path_prefix(path, from.as_bytes(), to.as_bytes())
        });
        if let Some(path) = rewritten.or(unmarked) {
            host::replace_header(Map::Request, ":path", path);
        }
    }
    if let Some(host) = &rewrite.host {
        host::replace_header(Map::Request, ":authority", host);
    }
    for (name, value) in &rewrite.headers {
        host::replace_header(Map::Request, name.as_str(), value);
    }
}

/// Gives the client what it is to send back.
fn give_pin(pin: &Pin, version: &Version, needs_cookie: bool) {
    let token = version.token;
    if let Some(header) = &pin.header {
        host::replace_header(Map::Response, header.as_str(), token.to_string());
    }
    if let Some(cookie) = pin.cookie.as_ref().filter(|_| needs_cookie) {
        let (name, max_age_s) = (&cookie.name, cookie.max_age_s);
        let cookie = format!("{name}={token}; Max-Age={max_age_s}; Path=/; HttpOnly; SameSite=Lax");
        host::add_header(Map::Response, "set-cookie", &cookie);
    }
}
