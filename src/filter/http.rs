//! One request and its response.

use std::mem;
use std::rc::Rc;

use super::abi::Map;
use super::body::{RequestBody, edit};
use super::feedback::{self, Rating};
use super::host::{self, Action, Buffer};
use super::root::Root;
use crate::config::Version;
use crate::observe::{End, Head, Micros, Observer};
use crate::retry;
use crate::route::{self, Decision};
use crate::usage::Hide;

/// A request on its way, under the configuration in force when it came.
pub(super) struct Stream {
    root: Rc<Root>,
    phase: Phase,
    /// What its body showed; `None` where it has none, or no rollout is about it.
    body: Option<Box<RequestBody>>,
}

/// How far it is.
enum Phase {
    /// Its head has not come, or no rollout is about it, or it has ended.
    Idle,
    /// It has a version; the response's head has not come.
    Awaiting(Routed),
    /// The response passes.
    Reading {
        routed: Routed,
        observer: Box<Observer>,
        /// Takes out what the client did not ask for.
        hide: Option<Box<Hide>>,
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
}

impl Stream {
    pub(super) fn new(root: Rc<Root>) -> Stream {
        Stream { root, phase: Phase::Idle, body: None }
    }

    pub(super) fn on_request_headers(&mut self, is_end: bool) -> Action {
        let requested = host::now();
        let config = &self.root.config;
        if let Some(about) = route::feedback(config, &host::Request) {
            return self.on_feedback(about, requested, is_end);
        }
        let (cluster_header, version_header) =
            (config.cluster_header.as_str(), config.version_header.as_str());
        let decision = route::decide(config, &host::Request, host::random);
        let chosen = decision.and_then(|decision| {
            let rollout = config.rollouts.get(decision.rollout)?;
            Some((decision, rollout, rollout.versions.get(decision.version)?))
        });
        let Some((decision, rollout, version)) = chosen else {
            // What a client sends in these must not choose a cluster anywhere.
            host::remove_header(Map::Request, cluster_header);
            host::remove_header(Map::Request, version_header);
            return Action::Continue;
        };
        self.send_to(version);
        // A compressed body cannot be read.
        host::replace_header(Map::Request, "accept-encoding", "identity");
        host::set_property("llm_reason", decision.reason.as_str());
        self.root.count_decision(&decision);
        if retry::is_retry(&host::Request) {
            self.root.count_retry(&decision);
        }
        self.body = (!is_end).then(|| Box::new(RequestBody::new(rollout)));
        self.phase = Phase::Awaiting(Routed { decision, requested });
        Action::Continue
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
        if let Phase::Feedback(rating) = &mut self.phase {
            return rating.push(&self.root, size, is_end);
        }
        if let Some(body) = &mut self.body {
            body.push(size, is_end);
        }
        Action::Continue
    }

    /// Whether it has waited too long for its body, and is to go on.
    pub(super) fn gives_up_waiting(&mut self, now: Micros) -> bool {
        match &mut self.phase {
            Phase::Feedback(rating) => rating.gives_up_waiting(&self.root, now),
            Phase::Idle | Phase::Awaiting(_) | Phase::Reading { .. } => false,
        }
    }

    pub(super) fn on_response_headers(&mut self, is_end: bool) {
        let routed = match &self.phase {
            Phase::Awaiting(routed) => *routed,
            Phase::Feedback(rating) => {
                return rating.decision().into_iter().for_each(|d| self.mark_response(d));
            }
            Phase::Idle | Phase::Reading { .. } => return,
        };
        let now = host::now();
        let status = host::response_header(":status");
        let status = std::str::from_utf8(&status).ok().and_then(|status| status.parse().ok()).unwrap_or(0);
        let content_type = host::response_header("content-type");
        let content_encoding = host::response_header("content-encoding");
        let head = Head { status, content_type: &content_type, content_encoding: &content_encoding };
        let mut observer = Box::new(Observer::new(head, routed.requested, now));
        if self
            .root
            .config
            .rollouts
            .get(routed.decision.rollout)
            .is_some_and(|rollout| rollout.refusal_phrases)
        {
            observer.detect_refusal_phrases();
        }
        let hide = self.hides_usage(head).then(Box::default);
        self.phase = Phase::Reading { routed, observer, hide, status, ended: is_end.then_some(now) };
        self.mark_response(routed.decision);
    }

    /// Whether usage has to be taken out of the response that begins: it was asked for in the client's place,
    /// and is in a stream that may get shorter.
    fn hides_usage(&self, head: Head<'_>) -> bool {
        self.body.as_ref().is_some_and(|body| body.has_asked())
            && head.content_type.to_ascii_lowercase().starts_with(b"text/event-stream")
            && (head.content_encoding.is_empty() || head.content_encoding.eq_ignore_ascii_case(b"identity"))
            && host::header(Map::Response, "content-length", |_| ()).is_none()
    }

    /// Tells the client which version answered.
    fn mark_response(&self, decision: Decision) {
        let config = &self.root.config;
        let version = config.rollouts.get(decision.rollout).and_then(|r| r.versions.get(decision.version));
        if let (Some(version), true) = (version, config.version_on_response) {
            host::replace_header(Map::Response, config.version_header.as_str(), &version.name);
        }
    }

    pub(super) fn on_response_body(&mut self, size: usize, is_end: bool) {
        let Phase::Reading { observer, hide, ended, .. } = &mut self.phase else { return };
        let now = host::now();
        let mut see = |bytes: &[u8]| observer.push(now, bytes);
        match hide.take() {
            None => host::slices(Buffer::ResponseBody, size, |bytes| {
                see(bytes);
                true
            }),
            Some(editor) => *hide = edit(Buffer::ResponseBody, editor, size, is_end, see),
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
            Phase::Idle | Phase::Feedback(_) => return,
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
