//! One request with its response, and what must hold of both.

use llm_canary::edit::{Chain, Editor};
use llm_canary::pin::{self, Endpoint, TagIds, Token, UntagIds};
use llm_canary::rewrite::{Model, ModelName};
use llm_canary::usage::{InjectUsage, StripUsage};

use super::choices::Setting;
use crate::host::Id;

pub(super) struct Stream {
    pub(super) id: Id,
    pub(super) setting: Setting,
    pub(super) path: &'static str,
    pub(super) method: &'static str,
    pub(super) kind: &'static str,
    /// As a server reads it: with a coding, the filter leaves the body alone.
    pub(super) is_encoded: bool,
    pub(super) is_upgrade: bool,
    pub(super) posted: Vec<u8>,
    pub(super) is_posted: bool,
    /// The end was not handed over, because the request waited.
    pub(super) owes_end: bool,
    pub(super) responses: usize,
    pub(super) response_type: &'static str,
    pub(super) is_response_encoded: bool,
    pub(super) answered: Vec<u8>,
    pub(super) is_answered: bool,
    /// Callbacks came in an order in which no host would call.
    pub(super) is_odd: bool,
}

impl Stream {
    pub(super) fn post(&mut self, piece: &[u8], is_end: bool) {
        self.is_odd |= self.is_posted;
        self.is_posted |= is_end;
        self.posted.extend_from_slice(piece);
        self.id.post_piece(piece, is_end);
        self.owes_end |= is_end && self.id.is_paused();
        self.check();
    }

    /// A request that goes on gets what it missed.
    pub(super) fn go_on(&mut self) {
        let has_missed = self.owes_end || self.id.upstream_body().len() < self.posted.len();
        if has_missed && !self.id.is_paused() && self.id.local_reply().is_none() {
            let is_end = std::mem::take(&mut self.owes_end);
            self.id.post_piece(b"", is_end);
        }
        self.check();
    }

    /// Whether a version was given to it here.
    fn is_routed(&self) -> bool {
        self.id.filter_state("llm_reason").is_some()
    }

    fn edits_request(&self) -> bool {
        self.setting.marks || self.setting.asks || self.setting.models[0].is_some()
    }

    /// What holds at any moment: what was not to be edited is not.
    pub(super) fn check(&self) {
        let sent = self.id.upstream_body();
        if !self.edits_request() {
            assert!(self.posted.starts_with(&sent), "{}", sent.escape_ascii());
            if !self.id.is_paused() && self.id.local_reply().is_none() && !self.owes_end {
                assert!(sent == self.posted, "{}", sent.escape_ascii());
            }
        }
        if !self.setting.marks && !self.setting.asks {
            assert!(self.id.client_body() == self.answered, "{}", self.id.client_body().escape_ascii());
        }
    }

    /// What holds where all came in order: what was to be edited is what the edits make of the whole.
    pub(super) fn check_edits(&self) {
        let is_whole = self.is_posted && !self.owes_end && !self.id.is_paused();
        if self.is_odd || self.id.local_reply().is_some() {
            return;
        }
        if is_whole && self.edits_request() {
            let expected = if self.is_routed() { self.edited_request() } else { self.posted.clone() };
            let sent = self.id.upstream_body();
            assert!(sent == expected, "{} of {}", sent.escape_ascii(), self.posted.escape_ascii());
        }
        if self.is_answered && (self.setting.marks || self.setting.asks) {
            let sent = self.id.client_body();
            let is_hidden = self.setting.asks && sent == whole(&mut StripUsage::default(), &self.answered);
            let is_expected = match self.marked_response() {
                Some(marked) if self.is_routed() => sent == marked,
                _ => sent == self.answered || is_hidden,
            };
            assert!(is_expected, "{} of {}", sent.escape_ascii(), self.answered.escape_ascii());
        }
    }

    fn edited_request(&self) -> Vec<u8> {
        let is_readable =
            self.method == "POST" && !self.is_encoded && !self.is_upgrade && self.kind != "application/grpc";
        if !is_readable {
            return self.posted.clone();
        }
        let path = self.path.as_bytes();
        let unmark = (self.setting.marks && Endpoint::of(path).is_some())
            .then(|| UntagIds::new(["v1", "v2"].map(|version| Token::of("chat", version)).into()));
        let version = self.id.filter_state("llm_version").unwrap();
        let model = self.setting.models[usize::from(version == "v2")];
        let model = model.map(|model| Model::new(ModelName::new(model)));
        let is_completion = self.path.split('?').next().unwrap().ends_with("/completions");
        let asks = self.setting.asks && is_completion && self.kind == "application/json";
        let mut edits = Chain(unmark, Chain(model, asks.then(InjectUsage::default)));
        whole(&mut edits, &self.posted)
    }

    /// Where it tells the id of what is stored.
    fn marked_response(&self) -> Option<Vec<u8>> {
        let is_stored = Endpoint::of(self.path.as_bytes()) == Some(Endpoint::Stored);
        if !self.setting.marks || !is_stored || self.is_response_encoded {
            return None;
        }
        let is_stream = self.response_type == "text/event-stream";
        let kind = if is_stream { pin::Body::Stream } else { pin::Body::Whole };
        let token = Token::of("chat", &self.id.filter_state("llm_version")?);
        Some(whole(&mut TagIds::new(kind, token), &self.answered))
    }
}

/// What an edit makes of a whole body.
fn whole(edit: &mut impl Editor, body: &[u8]) -> Vec<u8> {
    let mut sent = edit.push(body).unwrap_or_else(|| body.to_vec());
    sent.extend(edit.finish());
    sent
}
