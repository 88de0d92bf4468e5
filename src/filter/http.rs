//! One request and its response.

use std::mem;
use std::rc::Rc;

use super::abi::Map;
use super::host::{self, Buffer};
use super::root::Root;
use crate::observe::{End, Head, Micros, Observer};
use crate::route::{self, Decision};

/// A request on its way, under the configuration in force when it came.
pub(super) struct Stream {
    root: Rc<Root>,
    phase: Phase,
}

/// How far it is.
enum Phase {
    /// Its head has not come, or no rollout is about it, or it has ended.
    Idle,
    /// It has a version; the response's head has not come.
    Awaiting(Routed),
    /// The response passes.
    Reading { routed: Routed, observer: Box<Observer>, status: u16, ended: Option<Micros> },
}

#[derive(Clone, Copy)]
struct Routed {
    decision: Decision,
    requested: Micros,
}

impl Stream {
    pub(super) fn new(root: Rc<Root>) -> Stream {
        Stream { root, phase: Phase::Idle }
    }

    pub(super) fn on_request_headers(&mut self) {
        let requested = host::now();
        let config = &self.root.config;
        let (cluster_header, version_header) =
            (config.cluster_header.as_str(), config.version_header.as_str());
        let decision = route::decide(config, &host::Request, host::random);
        let chosen = decision.and_then(|decision| {
            let rollout = config.rollouts.get(decision.rollout)?;
            Some((decision, rollout.versions.get(decision.version)?))
        });
        let Some((decision, version)) = chosen else {
            // What a client sends in these must not choose a cluster anywhere.
            host::remove_header(Map::Request, cluster_header);
            host::remove_header(Map::Request, version_header);
            return;
        };
        host::replace_header(Map::Request, cluster_header, &version.cluster);
        host::replace_header(Map::Request, version_header, &version.name);
        // A compressed body cannot be read.
        host::replace_header(Map::Request, "accept-encoding", "identity");
        host::set_property("llm_version", &version.name);
        host::set_property("llm_reason", decision.reason.as_str());
        self.root.count_decision(&decision);
        self.phase = Phase::Awaiting(Routed { decision, requested });
    }

    pub(super) fn on_response_headers(&mut self, is_end: bool) {
        let Phase::Awaiting(routed) = self.phase else { return };
        let now = host::now();
        let status = host::response_header(":status");
        let status = std::str::from_utf8(&status).ok().and_then(|status| status.parse().ok()).unwrap_or(0);
        let content_type = host::response_header("content-type");
        let content_encoding = host::response_header("content-encoding");
        let head = Head { status, content_type: &content_type, content_encoding: &content_encoding };
        let observer = Box::new(Observer::new(head, routed.requested, now));
        self.phase = Phase::Reading { routed, observer, status, ended: is_end.then_some(now) };
        self.mark_response(routed.decision);
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
        let Phase::Reading { observer, ended, .. } = &mut self.phase else { return };
        let now = host::now();
        if size > 0 {
            host::buffer(Buffer::ResponseBody, size, |bytes| observer.push(now, bytes));
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
            Phase::Idle => return,
            Phase::Awaiting(routed) => {
                (routed, Box::new(Observer::without_response(routed.requested)), 0, None)
            }
            Phase::Reading { routed, observer, status, ended } => (routed, observer, status, ended),
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
    }
}
