//! The edits of a request's head: the cluster that Envoy sends it to, and what its version's server expects.

use super::headers::Headers;
use super::host::{FilterState, Head, Host};
use crate::config::{Config, Rollout, Version};
use crate::pin;
use crate::rewrite;

/// Sets the cluster header, the version header and the filter state.
pub(super) fn send_to(host: impl Host, config: &Config, version: &Version) {
    host.replace_header(Head::Request, config.cluster_header.as_str(), version.cluster.as_bytes());
    host.replace_header(Head::Request, config.version_header.as_str(), version.name.as_bytes());
    host.set_filter_state(FilterState::Version, &version.name);
}

/// Rewrites a request's path, host and headers as its version's configuration says.
pub(super) fn rewrite_head(host: impl Host, rollout: &Rollout, version: &Version, headers: &Headers) {
    let rewrite = &version.rewrite;
    if rollout.pin.response_id || rewrite.path_prefix.is_some() {
        let path = headers.get(":path").unwrap_or_default();
        let is_known = |token| rollout.version_of(token).is_some();
        let untagged = if rollout.pin.response_id { pin::untag_path(path, is_known) } else { None };
        let untagged = untagged.map(|(path, _)| path);
        let prefix = rewrite.path_prefix.as_ref();
        let rewritten = prefix.and_then(|(from, to)| {
            let path = untagged.as_deref().unwrap_or(path);
            rewrite::path_prefix(path, from.as_bytes(), to.as_bytes())
        });
        if let Some(path) = rewritten.or(untagged) {
            host.replace_header(Head::Request, ":path", &path);
        }
    }
    if let Some(authority) = &rewrite.host {
        host.replace_header(Head::Request, ":authority", authority.as_bytes());
    }
    for (name, value) in &rewrite.headers {
        host.replace_header(Head::Request, name.as_str(), value.as_bytes());
    }
}
