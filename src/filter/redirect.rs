//! What a request carries through an internal redirect of Envoy, after which it passes the filter again.
//!
//! The second pass begins with the head and the body that the filter has edited, and with the host and the path that
//! the upstream chose. A decision from these could name another version, and a second edit could spoil the request. So
//! the first pass hands over what it decided and what the body showed, and the second edits nothing. The names of tools are
//! not handed over; then no name that an answer calls is unknown.

use alloc::string::String;

use super::ending::is_internal_redirect;
use super::headers::Headers;
use super::host::Host;
use super::response::Routed;
use crate::bucket::SHARDS;
use crate::config::Config;
use crate::label::label_values;
use crate::observe::GrpcMethod;
use crate::request_facts::RequestFacts;
use crate::route::{Decision, Reason};

/// Envoy adds this header to a redirected request. A client can send it as well, so it proves nothing.
const ORIGINAL_URL: &str = "x-envoy-original-url";

/// What a pass hands over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Redirected {
    pub(super) routed: Routed,
    /// The request is feedback, which has been counted.
    pub(super) is_feedback: bool,
}

impl Redirected {
    /// What the pass before handed over; `None` if this is the first, or if its version is stopped or gone by now.
    pub(super) fn take(host: impl Host, config: &Config, headers: &Headers) -> Option<Redirected> {
        if !headers.may_contain(ORIGINAL_URL) {
            return None;
        }
        let mut redirected = host.handed_over(|text| parse(config, text))?;
        redirected.routed.grpc_method = headers.get(":path").and_then(GrpcMethod::of);
        Some(redirected)
    }

    /// Hands over what this pass decided, if it ends in an internal redirect. Returns whether it does.
    pub(super) fn hand_over(self, host: impl Host, config: &Config) -> bool {
        let is_redirect = is_internal_redirect(host);
        if let Some(text) = if is_redirect { self.to_text(config) } else { None } {
            host.hand_over(&text);
        }
        is_redirect
    }

    /// The names of rollout and version, then the other fields. A name has no space in it.
    fn to_text(self, config: &Config) -> Option<String> {
        let Routed { decision, requested, .. } = self.routed;
        let rollout = config.rollouts.get(decision.rollout)?;
        let version = rollout.versions.get(decision.version)?;
        let shard = decision.shard.map_or(String::new(), |shard| format!("{shard}"));
        let mut text = format!("{} {} {} {requested} {shard}", rollout.name, version.name, decision.reason);
        for flag in Flag::ALL.iter().filter(|flag| self.has(**flag)) {
            text.push(' ');
            text.push_str(flag.as_str());
        }
        Some(text)
    }

    fn has(self, flag: Flag) -> bool {
        let Redirected { routed, is_feedback } = self;
        match flag {
            Flag::AsksForAnswer => routed.decision.asks_for_answer,
            Flag::Compare => routed.decision.compare,
            Flag::GivesPin => routed.decision.gives_pin,
            Flag::NeedsCookie => routed.needs_cookie,
            Flag::CarriesStoredId => routed.carries_stored_id,
            Flag::StripsUsage => routed.strips_usage,
            Flag::FirstTurn => routed.request.is_first_turn == Some(true),
            Flag::LaterTurn => routed.request.is_first_turn == Some(false),
            Flag::Tools => routed.request.offers_tools == Some(true),
            Flag::NoTools => routed.request.offers_tools == Some(false),
            Flag::Json => routed.request.asks_for_json == Some(true),
            Flag::NoJson => routed.request.asks_for_json == Some(false),
            Flag::Feedback => is_feedback,
        }
    }
}

label_values! {
    enum Flag {
        AsksForAnswer = "answer",
        Compare = "compare",
        GivesPin = "pin",
        NeedsCookie = "cookie",
        CarriesStoredId = "stored",
        StripsUsage = "usage",
        FirstTurn = "first",
        LaterTurn = "later",
        Tools = "tools",
        NoTools = "no_tools",
        Json = "json",
        NoJson = "no_json",
        Feedback = "feedback",
    }
}

fn parse(config: &Config, text: &[u8]) -> Option<Redirected> {
    let mut fields = str::from_utf8(text).ok()?.split(' ');
    let mut field = || fields.next();
    let (rollout_name, version_name, reason_name) = (field()?, field()?, field()?);
    let requested = field()?.parse().ok()?;
    let shard = field()?.parse().ok().filter(|shard| *shard < SHARDS);
    let rollout = config.rollouts.iter().position(|rollout| rollout.name == rollout_name)?;
    let versions = &config.rollouts.get(rollout)?.versions;
    let version = versions.iter().position(|version| version.name == version_name && !version.stopped)?;
    let reason = *Reason::ALL.iter().find(|reason| reason.as_str() == reason_name)?;
    let has = |flag: Flag| fields.clone().any(|name| name == flag.as_str());
    let either = |yes, no| if has(yes) { Some(true) } else { has(no).then_some(false) };
    let decision = Decision {
        rollout,
        version,
        reason,
        asks_for_answer: has(Flag::AsksForAnswer),
        compare: has(Flag::Compare),
        gives_pin: has(Flag::GivesPin),
        shard,
        // These two are counted with the decision of the first pass.
        is_unheld: false,
        has_invalid_start: false,
    };
    let routed = Routed {
        decision,
        requested,
        needs_cookie: has(Flag::NeedsCookie),
        carries_stored_id: has(Flag::CarriesStoredId),
        strips_usage: has(Flag::StripsUsage),
        request: RequestFacts {
            is_first_turn: either(Flag::FirstTurn, Flag::LaterTurn),
            offers_tools: either(Flag::Tools, Flag::NoTools),
            asks_for_json: either(Flag::Json, Flag::NoJson),
        },
        grpc_method: None,
    };
    Some(Redirected { routed, is_feedback: has(Flag::Feedback) })
}
