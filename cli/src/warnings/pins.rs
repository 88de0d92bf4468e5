//! Pins that clients would not send back where they count.

use llm_canary::config::{HostPattern, PinCookie, Rollout};

/// The doubtful fields of a rollout's pin, each with the reason. `earlier` are the rollouts before it.
pub(super) fn find(earlier: &[Rollout], rollout: &Rollout) -> Vec<(&'static str, String)> {
    let pin = &rollout.pin;
    let mut found = Vec::new();
    let shares_header = |other: &&Rollout| {
        pin.header.is_some()
            && other.pin.header == pin.header
            && other.matcher.shares_a_host(&rollout.matcher)
    };
    if let Some(other) = earlier.iter().find(shares_header) {
        let name = pin.header.as_ref().map(|header| header.as_str()).unwrap_or_default();
        let message = format!(
            "{name} is the header of rollout \"{}\" too; a client that keeps one value of it loses the other; give each its own name",
            other.name
        );
        found.push((".pin.header", message));
    }
    let Some(cookie) = &pin.cookie else { return found };
    if let Some((domain, host)) = uncovered_host(cookie, &rollout.matcher.hosts) {
        let message = format!(
            "\"{domain}\" does not contain \"{host}\" of match.hosts, so browsers drop the cookie there; write a domain that contains all of these hosts, or leave it out"
        );
        found.push((".pin.domain", message));
    }
    if let Some(prefix) = &rollout.matcher.path_prefix
        && !covers_path(&cookie.path, prefix)
    {
        let message = format!(
            "\"{}\" does not contain match.path_prefix, \"{prefix}\", so browsers do not send the cookie with these requests; write \"/\", or a path that contains them",
            cookie.path
        );
        found.push((".pin.path", message));
    }
    found
}

/// The cookie's domain, and the first host that it does not contain.
fn uncovered_host<'r>(cookie: &'r PinCookie, hosts: &'r [HostPattern]) -> Option<(&'r str, String)> {
    let domain = cookie.domain.as_deref()?;
    let parent = format!(".{domain}");
    let is_outside = |host: &&HostPattern| match host {
        HostPattern::Exact(host) => host != domain && !host.ends_with(&parent),
        HostPattern::Below(below) => !below.ends_with(&parent),
    };
    let outside = match hosts.iter().find(is_outside)? {
        HostPattern::Exact(host) => host.clone(),
        HostPattern::Below(below) => format!("*{below}"),
    };
    Some((domain, outside))
}

/// Whether browsers send a cookie of this path with requests to all paths below the prefix (RFC 6265, section 5.1.4).
fn covers_path(path: &str, prefix: &str) -> bool {
    prefix
        .strip_prefix(path)
        .is_some_and(|rest| path.ends_with('/') || rest.is_empty() || rest.starts_with('/'))
}
