//! Whether a rollout matches a request.

use super::source::body;
use super::{BodyNeeded, Mismatch, Request, pinned};
use crate::config::{HostPattern, MODEL_POINTER, Match, Rollout};
use crate::key;
use alloc::borrow::Cow;

pub(super) fn first_mismatch(
    rollout: &Rollout,
    request: &impl Request,
) -> Result<Option<Mismatch>, BodyNeeded> {
    let matcher = &rollout.matcher;
    let mismatch = host_mismatch(matcher, request)
        .or_else(|| path_mismatch(matcher, request))
        .or_else(|| header_mismatch(matcher, request));
    if mismatch.is_some() { Ok(mismatch) } else { model_mismatch(rollout, request) }
}

/// The first condition on hosts and headers that does not hold.
pub(super) fn caller_mismatch(matcher: &Match, request: &impl Request) -> Option<Mismatch> {
    host_mismatch(matcher, request).or_else(|| header_mismatch(matcher, request))
}

fn model_mismatch(rollout: &Rollout, request: &impl Request) -> Result<Option<Mismatch>, BodyNeeded> {
    let models = &rollout.matcher.models;
    // A request for a stored response has no model, but the tag of its id names a version.
    if models.is_empty() || (rollout.pin.response_id && pinned::by_path(rollout, request).is_some()) {
        return Ok(None);
    }
    let model = body(request, MODEL_POINTER)?;
    let holds = model.is_some_and(|model| models.iter().any(|wanted| wanted.as_bytes() == model));
    Ok((!holds).then(|| Mismatch::Model(model.map(<[u8]>::to_vec))))
}

fn host_mismatch(matcher: &Match, request: &impl Request) -> Option<Mismatch> {
    if !matcher.hosts.is_empty() {
        let authority = request.header(":authority");
        let host = authority.as_deref().map(host_of);
        if !matcher.hosts.iter().any(|pattern| host.is_some_and(|host| pattern.matches(host))) {
            return Some(Mismatch::Host(host.map(<[u8]>::to_vec)));
        }
    }
    None
}

fn path_mismatch(matcher: &Match, request: &impl Request) -> Option<Mismatch> {
    if let Some(prefix) = &matcher.path_prefix {
        let path = request.header(":path");
        if !path.as_ref().is_some_and(|path| path.starts_with(prefix.as_bytes())) {
            return Some(Mismatch::Path(path.map(Cow::into_owned)));
        }
    }
    None
}

fn header_mismatch(matcher: &Match, request: &impl Request) -> Option<Mismatch> {
    matcher.headers.iter().enumerate().find_map(|(index, (name, value))| {
        let found = request.header(name.as_str());
        let found = found.as_deref().and_then(key::value);
        let holds = found == Some(value.as_bytes());
        (!holds).then(|| Mismatch::Header { index, found: found.map(<[u8]>::to_vec) })
    })
}

impl HostPattern {
    /// Whether the pattern matches a host without its port.
    fn matches(&self, host: &[u8]) -> bool {
        match self {
            Self::Exact(name) => host.eq_ignore_ascii_case(name.as_bytes()),
            Self::Below(parent) => {
                let below = host.len().checked_sub(parent.len()).and_then(|at| host.split_at_checked(at));
                below.is_some_and(|(label, rest)| {
                    !label.is_empty() && rest.eq_ignore_ascii_case(parent.as_bytes())
                })
            }
        }
    }
}

/// An authority without its port. The colons of an IPv6 address are inside of brackets.
fn host_of(authority: &[u8]) -> &[u8] {
    let colon = authority.iter().rposition(|&b| b == b':');
    match colon.and_then(|at| authority.split_at_checked(at)) {
        Some((host, port)) if !port.contains(&b']') => host,
        _ => authority,
    }
}
