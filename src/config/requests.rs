//! Checks conditions on requests: `match` and `overrides`.

use super::headers::{header_value, headers, input_header, input_header_name};
use super::json::Node;
use super::messages::quoted;
use super::names::version_index;
use super::paths::path;
use super::validator::{Empty, Validator};
use super::{HOSTS_MAX, HostPattern, MODELS_MAX, Match, OVERRIDE_VALUES_MAX, OVERRIDES_MAX, Override};
use alloc::borrow::ToOwned;
use alloc::vec::Vec;

/// Groups of digits of an IPv6 address.
const IPV6_GROUPS: usize = 8;

pub(super) fn matcher(v: &mut Validator<'_>, node: &Node) -> Option<Match> {
    let object = v.object(node, &["hosts", "path_prefix", "headers", "models"])?;
    let hosts = object
        .get("hosts")
        .and_then(|node| {
            v.filled_list(node, HOSTS_MAX, "name a host, or leave the field out to match every host")
        })
        .and_then(|items| v.each(items, host));
    let path_prefix = object.get("path_prefix").and_then(|node| path(v, node));
    let headers = object.get("headers").and_then(|node| headers(v, node, input_header_name));
    let models = object
        .get("models")
        .and_then(|node| {
            v.filled_list(node, MODELS_MAX, "name a model, or leave the field out to match every body")
        })
        .and_then(|items| v.each(items, Validator::filled_text));
    Some(Match {
        hosts: hosts.unwrap_or_default(),
        path_prefix,
        headers: headers.unwrap_or_default(),
        models: models.unwrap_or_default(),
    })
}

fn host(v: &mut Validator<'_>, node: &Node) -> Option<HostPattern> {
    let written = v.text(node, Empty::Refused)?;
    let host = written.to_ascii_lowercase();
    let is_name = |name: &str| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
    };
    if let Some(parent) = host.strip_prefix('*')
        && let Some(name) = parent.strip_prefix('.')
        && is_name(name)
    {
        return Some(HostPattern::Below(parent.to_owned()));
    }
    if is_name(&host) || is_ipv6(&host) {
        return Some(HostPattern::Exact(host));
    }
    let remedy = if host == "*" {
        "leave \"hosts\" out to match every host"
    } else {
        "write \"llm.example.com\" or \"*.example.com\", without scheme, port or path"
    };
    v.error(node, format_args!("{} is not a host; {remedy}", quoted(written)));
    None
}

/// Whether this is an IPv6 address in brackets (RFC 4291, section 2.2). An IPv4 address at its end is not supported.
#[expect(clippy::arithmetic_side_effects, reason = "no more groups than characters")]
fn is_ipv6(host: &str) -> bool {
    let Some(address) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) else { return false };
    let is_group =
        |group: &str| (1..=4).contains(&group.len()) && group.bytes().all(|b| b.is_ascii_hexdigit());
    let groups = |part: &str| match part {
        "" => Some(0),
        part => part.split(':').all(is_group).then(|| part.split(':').count()),
    };
    let gap = address.as_bytes().windows(2).position(|pair| pair == b"::");
    match gap.and_then(|at| address.split_at_checked(at)) {
        None => groups(address) == Some(IPV6_GROUPS),
        Some((before, after)) => {
            let after = after.get(2..).and_then(groups);
            groups(before).zip(after).is_some_and(|(a, b)| a + b < IPV6_GROUPS)
        }
    }
}

/// Whether any host matches patterns of both lists. A list without patterns matches every host.
pub(super) fn overlap(one: &[HostPattern], other: &[HostPattern]) -> bool {
    let overlaps = |a: &HostPattern, b: &HostPattern| match (a, b) {
        (HostPattern::Exact(a), HostPattern::Exact(b)) => a == b,
        (HostPattern::Below(a), HostPattern::Below(b)) => a.ends_with(b.as_str()) || b.ends_with(a.as_str()),
        (HostPattern::Below(parent), HostPattern::Exact(host))
        | (HostPattern::Exact(host), HostPattern::Below(parent)) => {
            host.len() > parent.len() && host.ends_with(parent.as_str())
        }
    };
    one.is_empty() || other.is_empty() || one.iter().any(|a| other.iter().any(|b| overlaps(a, b)))
}

impl Match {
    /// Whether there is a host whose requests both could match.
    #[must_use]
    pub fn shares_a_host(&self, other: &Match) -> bool {
        overlap(&self.hosts, &other.hosts)
    }
}

pub(super) fn overrides(v: &mut Validator<'_>, node: &Node, names: &[&str]) -> Option<Vec<Override>> {
    let items = v.list(node, OVERRIDES_MAX)?;
    v.each(items, |v, node| override_(v, node, names))
}

fn override_(v: &mut Validator<'_>, node: &Node, names: &[&str]) -> Option<Override> {
    let object = v.object(node, &["header", "values", "version"])?;
    let header = v
        .required(object, "header", "write the header that chooses the version, such as \"x-llm-cohort\"")
        .and_then(|node| input_header(v, node));
    let values = v
        .required(object, "values", "write the values that count, such as [\"staff\"]")
        .and_then(|node| {
            v.filled_list(node, OVERRIDE_VALUES_MAX, "write at least one value, or remove the override")
        })
        .and_then(|items| v.each(items, header_value));
    let version = v
        .required(object, "version", "write the name of the version to route to")
        .and_then(|node| version_index(v, node, names));
    Some(Override { header: header?, values: values?, version: version? })
}

#[cfg(test)]
mod tests {
    use super::is_ipv6;
    use proptest::prelude::*;
    use std::net::Ipv6Addr;

    proptest! {
        #[test]
        fn agrees_on_ipv6(address in "[0-9a-f:]{0,20}|([0-9a-f]{0,5}:){0,8}[0-9a-f]{0,4}", bits: u128) {
            let real = Ipv6Addr::from(bits);
            for text in [address, real.to_string()].into_iter().filter(|text| !text.contains('.')) {
                prop_assert_eq!(is_ipv6(&format!("[{text}]")), text.parse::<Ipv6Addr>().is_ok(), "{}", text);
                prop_assert!(!is_ipv6(&text));
            }
        }
    }
}
