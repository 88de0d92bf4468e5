//! One request and its response.

mod waiting;

use alloc::boxed::Box;
use alloc::rc::Rc;
use core::mem;

use super::buffered::BufferedRequest;
use super::ended::{Ended, asked};
use super::ending::{interruption, is_internal_redirect};
use super::feedback::{self, FeedbackRequest};
use super::headers::Headers;
use super::host::{Action, Body, FilterState, Head, Host};
use super::redirect::Redirected;
use super::request::{BodyFacts, Request};
use super::request_body::RequestBody;
use super::request_head::{rewrite_head, send_to};
use super::response::{Response, Routed, mark_response};
use super::upgrade::Upgrade;
use super::worker::Worker;
use crate::key;
use crate::observe::{GrpcMethod, Micros};
use crate::pin::{Endpoint, Token};
use crate::retry;
use crate::route::{self, BodyNeeded, Decision};
use crate::timestamp::UnixMs;

/// One exchange, under the configuration in force when its request arrived.
pub struct Stream<H: Host> {
    worker: Rc<Worker<H>>,
    phase: Phase,
    /// The request's body; `None` if there is none, or no rollout matches the request.
    body: Option<Box<RequestBody>>,
    /// What follows a request to switch the protocol; such a request has no body.
    upgrade: Option<Box<Upgrade>>,
    /// At the latest tick the proxy kept a part of the request's body from the filter.
    is_held_back: bool,
}

/// The phase of an exchange.
enum Phase {
    /// The request's head has not arrived, or no rollout matches it, or the exchange has ended.
    Idle,
    /// The request waits for its body, which decides its version.
    Waiting(Box<BufferedRequest>),
    /// The request has a version; the response's head has not arrived.
    Routed(Routed),
    /// Envoy's own routes give the request a version, which is known when the response's head arrives.
    Observed { routed: Routed, is_retry: bool },
    /// The response passes.
    Responding(Box<Response>),
    /// The request is not for a version, but a user's feedback on one.
    Feedback(Box<FeedbackRequest>),
}

impl<H: Host> Stream<H> {
    /// Creates the state of an exchange, before the request's head arrives.
    #[must_use]
    pub fn new(worker: Rc<Worker<H>>) -> Stream<H> {
        Stream { worker, phase: Phase::Idle, body: None, upgrade: None, is_held_back: false }
    }

    /// The request's head has arrived. `is_end`: it has no body.
    pub fn on_request_headers(&mut self, host: H, is_end: bool) -> Action {
        let (requested, now) = (host.now(), host.wall_clock());
        let headers = &host.headers(Head::Request);
        if let Some(redirected) = Redirected::take(host, &self.worker.loaded.config, headers) {
            self.on_redirected(host, redirected);
            return Action::Continue;
        }
        let body = if is_end { BodyFacts::Absent } else { BodyFacts::Unread };
        self.route(Request { host, headers, body }, requested, now, is_end).unwrap_or_else(|BodyNeeded| {
            if self.worker.delivery.may_wait() && headers.announce_readable_body() {
                let buffered = BufferedRequest::new(&self.worker.loaded, headers, requested, now);
                self.phase = Phase::Waiting(Box::new(buffered));
                return Action::Pause;
            }
            let request = Request { host, headers, body: BodyFacts::Absent };
            self.route(request, requested, now, is_end).unwrap_or_default()
        })
    }

    /// Chooses the request's version, and routes the request to it.
    fn route(
        &mut self,
        request: Request<'_, H>,
        requested: Micros,
        now: UnixMs,
        is_end: bool,
    ) -> Result<Action, BodyNeeded> {
        let worker = Rc::clone(&self.worker);
        let Request { host, headers, .. } = request;
        let config = &worker.loaded.config;
        if let Some(about) = route::feedback(config, &request, now)? {
            return Ok(self.on_feedback(host, about, requested, is_end));
        }
        let decision = route::decide(config, &request, now, || host.random())?;
        let chosen = decision.and_then(|decision| {
            let rollout = config.rollouts.get(decision.rollout)?;
            Some((decision, rollout, rollout.versions.get(decision.version)?))
        });
        let Some((decision, rollout, version)) = chosen else {
            // A client must not choose a cluster by these headers, on any route.
            for name in [config.cluster_header.as_str(), config.version_header.as_str()] {
                if headers.may_contain(name) {
                    host.remove_header(Head::Request, name);
                }
            }
            return Ok(Action::Continue);
        };
        if !decision.asks_for_answer {
            self.upgrade = Upgrade::new(headers).map(Box::new);
        }
        let grpc_method = headers.get(":path").and_then(GrpcMethod::of);
        if rollout.observe.is_some() {
            if !is_end && self.upgrade.is_none() {
                self.body = Some(Box::new(RequestBody::observed(rollout)));
            }
            let is_retry = retry::is_retry(|name| headers.get(name));
            self.phase = Phase::Observed {
                routed: Routed { grpc_method, ..Routed::new(decision, requested) },
                is_retry,
            };
            return Ok(Action::Continue);
        }
        let waits = matches!(request.body, BodyFacts::Read(_));
        let may_wait = worker.delivery.may_wait();
        let needs_cookie = rollout.pin.cookie.as_ref().is_some_and(|cookie| {
            let header = headers.joined("cookie").unwrap_or_default();
            let mut tokens = key::cookies(&header, cookie.name.as_bytes()).filter_map(Token::parse);
            tokens.all(|token| token != version.token)
        });
        let carries_stored_id =
            rollout.pin.response_id && headers.get(":path").and_then(Endpoint::of) == Some(Endpoint::Stored);
        if !is_end && self.upgrade.is_none() {
            let body = RequestBody::new(host, rollout, version, headers, requested, may_wait, waits);
            self.body = Some(Box::new(body));
        }
        send_to(host, &self.worker.loaded.config, version);
        rewrite_head(host, rollout, version, headers);
        if headers.may_contain("accept-encoding") {
            // The filter cannot read a compressed response.
            host.replace_header(Head::Request, "accept-encoding", b"identity");
        }
        host.set_filter_state(FilterState::Reason, decision.reason.as_str());
        worker.loaded.count_decision(host, &decision);
        if retry::is_retry(|name| headers.get(name)) {
            worker.loaded.count_retry(host, &decision);
        }
        self.phase = Phase::Routed(Routed {
            needs_cookie,
            carries_stored_id,
            grpc_method,
            ..Routed::new(decision, requested)
        });
        let waits_on = self.body.as_ref().is_some_and(|body| body.waits());
        Ok(if waits_on { Action::Pause } else { Action::Continue })
    }

    /// The request passes again. It keeps its version, and goes on as it is.
    fn on_redirected(&mut self, host: H, Redirected { routed, is_feedback }: Redirected) {
        let worker = Rc::clone(&self.worker);
        let decision = routed.decision;
        let Some(rollout) = worker.loaded.config.rollouts.get(decision.rollout) else { return };
        let Some(version) = rollout.versions.get(decision.version) else { return };
        send_to(host, &self.worker.loaded.config, version);
        if is_feedback {
            let request = FeedbackRequest::counted(&worker, decision);
            self.phase = request.map_or(Phase::Idle, |request| Phase::Feedback(Box::new(request)));
            return;
        }
        host.set_filter_state(FilterState::Reason, decision.reason.as_str());
        worker.loaded.count_decision(host, &decision);
        self.phase = Phase::Routed(routed);
    }

    fn on_feedback(&mut self, host: H, about: route::Feedback, now: Micros, is_end: bool) -> Action {
        let version = feedback::rollout(&self.worker.loaded, &about).and_then(|rollout| {
            let version = match about {
                route::Feedback::On(decision) => decision.version,
                route::Feedback::OnNone { .. } => rollout.baseline,
            };
            rollout.versions.get(version)
        });
        if let Some(version) = version {
            send_to(host, &self.worker.loaded.config, version);
        }
        let Some((request, action)) = FeedbackRequest::new(host, &self.worker, about, now, is_end) else {
            return Action::Continue;
        };
        self.phase = Phase::Feedback(Box::new(request));
        action
    }

    /// A piece of the request's body has arrived, or its end. `size`: how many bytes of the body are readable.
    pub fn on_request_body(&mut self, host: H, size: usize, is_end: bool) -> Action {
        if self.waits() {
            self.worker.delivery.has_arrived();
        }
        if let Some(action) = self.on_waiting_body(host, size, is_end) {
            return action;
        }
        if let Some(upgrade) = &mut self.upgrade {
            upgrade.push(host, Body::Request, size);
            return Action::Continue;
        }
        match &mut self.phase {
            Phase::Feedback(request) if request.is_answered() => Action::Pause,
            Phase::Feedback(request) => request.push(host, &self.worker, size, is_end),
            Phase::Idle
            | Phase::Waiting(_)
            | Phase::Routed(_)
            | Phase::Observed { .. }
            | Phase::Responding(_) => {
                self.body.as_mut().map_or(Action::Continue, |body| body.push(host, size, is_end))
            }
        }
    }

    /// The request's trailers have arrived, which end its body. If the request waits, its body has been read already.
    pub fn on_request_trailers(&mut self, host: H) -> Action {
        let read_bytes = match &self.phase {
            Phase::Waiting(buffered) => buffered.window_read_bytes(),
            Phase::Feedback(request) => request.held_bytes(),
            Phase::Idle | Phase::Routed(_) | Phase::Observed { .. } | Phase::Responding(_) => {
                self.body.as_ref().map_or(0, |body| body.held_bytes())
            }
        };
        self.on_request_body(host, read_bytes, true)
    }

    /// The response's head has arrived. `is_end`: it has no body.
    pub fn on_response_headers(&mut self, host: H, is_end: bool) {
        self.resolve_observed(host);
        let config = &self.worker.loaded.config;
        match &self.phase {
            Phase::Routed(routed) => {
                self.body.iter_mut().for_each(|body| body.answer_begins());
                let strips_usage = self.body.as_ref().is_some_and(|body| body.has_injected_usage());
                let routed = Routed { strips_usage: routed.strips_usage || strips_usage, ..*routed };
                let response = Response::begin(host, config, routed, is_end);
                self.phase = Phase::Responding(Box::new(response));
            }
            Phase::Feedback(request) => {
                let unread = Headers::default();
                request
                    .decision()
                    .into_iter()
                    .for_each(|decision| mark_response(host, &unread, config, &decision));
            }
            Phase::Idle | Phase::Waiting(_) | Phase::Observed { .. } | Phase::Responding(_) => {}
        }
    }

    /// Adds what the request's body has shown so far.
    fn after_body(&mut self, routed: Routed) -> Routed {
        let Some(body) = &mut self.body else { return routed };
        Routed { strips_usage: body.has_injected_usage(), request: body.facts(), ..routed }
    }

    /// If a rollout observes this request, finds the version that Envoy's routes chose.
    fn resolve_observed(&mut self, host: H) {
        if let Phase::Observed { routed, is_retry } = self.phase {
            self.phase = self.observed(host, routed, is_retry).map_or(Phase::Idle, Phase::Routed);
        }
    }

    /// Finds the version whose cluster Envoy chose, and counts the decision. `None`: it is the cluster of none.
    fn observed(&self, host: H, routed: Routed, is_retry: bool) -> Option<Routed> {
        let loaded = &self.worker.loaded;
        let rollout = loaded.config.rollouts.get(routed.decision.rollout)?;
        let of_cluster = |name: &[u8]| rollout.versions.iter().position(|v| v.cluster.as_bytes() == name);
        let version = host.cluster(of_cluster).flatten()?;
        let decision = Decision { version, ..routed.decision };
        host.set_filter_state(FilterState::Version, &rollout.versions.get(version)?.name);
        host.set_filter_state(FilterState::Reason, decision.reason.as_str());
        loaded.count_decision(host, &decision);
        if is_retry {
            loaded.count_retry(host, &decision);
        }
        Some(Routed { decision, ..routed })
    }

    /// A piece of the response's body has arrived, or its end. `size`: how many bytes of it are readable.
    pub fn on_response_body(&mut self, host: H, size: usize, is_end: bool) {
        let Phase::Responding(response) = &mut self.phase else { return };
        match &mut self.upgrade {
            Some(upgrade) if response.accepts(upgrade) => {
                upgrade.push(host, Body::Response, size);
                if is_end {
                    response.end(host);
                }
            }
            _ => {
                let routed = response.routed();
                response.push(host, size, is_end, || asked(&mut self.body, routed));
            }
        }
    }

    /// The response's trailers have arrived.
    pub fn on_response_trailers(&mut self, host: H) {
        if let Phase::Responding(response) = &mut self.phase {
            response.end(host);
        }
    }

    /// The exchange has ended, in whatever way. Envoy makes this callback once for each request.
    pub fn on_log(&mut self, host: H) {
        if let Some(ended) = self.end(host) {
            self.worker.loaded.count(host, ended);
        }
    }

    /// The same, for a host that counts later. `None`: nothing is left to be counted.
    pub fn end(&mut self, host: H) -> Option<Ended> {
        if self.is_redirected(host) {
            return None;
        }
        self.resolve_observed(host);
        let (routed, response, (end, at)) = match mem::replace(&mut self.phase, Phase::Idle) {
            Phase::Idle | Phase::Waiting(_) | Phase::Observed { .. } | Phase::Feedback(_) => return None,
            Phase::Routed(routed) => (routed, None, (interruption(host), host.now())),
            Phase::Responding(response) => {
                let end = response.end_of(host, self.upgrade.as_deref());
                (response.routed(), Some(response), end)
            }
        };
        let ended = Ended { routed, body: self.body.take(), response, end, at };
        self.worker.loaded.count_if_logged(host, ended)
    }

    /// Whether this pass has ended in an internal redirect. The next pass goes on with what this one decided, and is
    /// counted. What a rollout only observes is decided anew, as Envoy's routes do.
    fn is_redirected(&mut self, host: H) -> bool {
        if let Phase::Routed(routed) = self.phase {
            let routed = self.after_body(routed);
            let redirected = Redirected { routed, is_feedback: false };
            return redirected.hand_over(host, &self.worker.loaded.config);
        }
        let config = &self.worker.loaded.config;
        match &self.phase {
            // What the filter has answered itself goes no further.
            Phase::Feedback(request) if request.is_answered() => false,
            Phase::Feedback(request) => request.decision().is_some_and(|decision| {
                Redirected { routed: Routed::new(decision, 0), is_feedback: true }.hand_over(host, config)
            }),
            Phase::Observed { .. } => is_internal_redirect(host),
            Phase::Idle | Phase::Waiting(_) | Phase::Routed(_) | Phase::Responding(_) => false,
        }
    }
}
