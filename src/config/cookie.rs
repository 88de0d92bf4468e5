//! Checks the cookie of `pin`, and writes it.
//!
//! Browsers drop a cookie without a word if its attributes contradict each other or its name (RFC 6265bis, sections 4.1.2
//! and 5.7). So what browsers would drop is an error.

use super::headers::cookie_name;
use super::json::Node;
use super::messages::quoted;
use super::requests::overlap;
use super::validator::{Empty, Validator};
use super::{HostPattern, PIN_AGE_S, PIN_AGE_S_MAX, PinCookie, Rollout, SameSite};
use crate::pin::Token;
use alloc::borrow::ToOwned;
use alloc::string::String;

/// The fields of `pin` that are about the cookie.
pub(super) const FIELDS: [&str; 6] = ["max_age_s", "secure", "same_site", "domain", "path", "partitioned"];

/// Bytes of a host name, and of one of its labels (RFC 1035, section 2.3.4).
const HOST_BYTES_MAX: usize = 253;
const LABEL_BYTES_MAX: usize = 63;

/// Beginnings of names, in any case, that browsers accept only with `Secure`. `__Http-` and `__Host-Http-` also ask for
/// `HttpOnly`, which every pin has.
const SECURE_PREFIXES: [&str; 3] = ["__Secure-", HOST_PREFIX, "__Http-"];
/// Such a name also asks for the path `/`, and for no domain.
const HOST_PREFIX: &str = "__Host-";

/// The path of a cookie that is for the whole host.
const ROOT: &str = "/";

/// The cookie of a pin; `None` if it has none, or has an error.
pub(super) fn cookie(v: &mut Validator<'_>, pin: &Node) -> Option<PinCookie> {
    let errors = v.errors.count();
    let name = pin.get("cookie").map(|node| cookie_name(v, node));
    let max_age_s = pin.get("max_age_s").map_or(Some(PIN_AGE_S), |node| age_s(v, node));
    let secure = pin.get("secure").map_or(Some(false), |node| v.bool(node));
    let same_site = pin.get("same_site").map_or(Some(SameSite::Lax), |node| {
        v.choice(node, [("lax", SameSite::Lax), ("strict", SameSite::Strict), ("none", SameSite::None)])
    });
    // `null` is how the documentation writes that there is no domain.
    let domain = pin.get("domain").filter(|node| !matches!(node, Node::Null));
    let domain = domain.and_then(|node| domain_name(v, node));
    let path = pin.get("path").map_or_else(|| Some(ROOT.to_owned()), |node| path(v, node));
    let partitioned = pin.get("partitioned").map_or(Some(false), |node| v.bool(node));
    let Some(name) = name else {
        for node in FIELDS.iter().filter_map(|field| pin.get(field)) {
            let remedy = "name a cookie, or remove this";
            v.error(node, format_args!("is about the cookie, but there is no \"cookie\"; {remedy}"));
        }
        return None;
    };
    // A value with an error contradicts nothing.
    let cookie = PinCookie {
        name: name.unwrap_or_default(),
        max_age_s: max_age_s.unwrap_or(PIN_AGE_S),
        secure: secure.unwrap_or(true),
        same_site: same_site.unwrap_or(SameSite::Lax),
        domain,
        path: path.unwrap_or_else(|| ROOT.to_owned()),
        partitioned: partitioned.unwrap_or(false),
    };
    contradictions(v, pin, &cookie);
    v.has_no_error_since(errors).then_some(cookie)
}

/// Notes an error for each reason for which browsers would drop the cookie.
fn contradictions(v: &mut Validator<'_>, pin: &Node, cookie: &PinCookie) {
    let begins = |prefix: &&str| {
        cookie.name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    let remedy = "add it, or";
    if !cookie.secure {
        if let Some(prefix) = SECURE_PREFIXES.into_iter().find(begins) {
            let name = quoted(&cookie.name);
            let wanted = "so browsers keep it only with \"secure\": true";
            let message =
                format_args!("{name} begins with \"{prefix}\", {wanted}; {remedy} use another name");
            v.error_below(pin, "cookie", message);
        }
        let wanted = "but browsers keep such a cookie only with \"secure\": true";
        if cookie.same_site == SameSite::None {
            let message = format_args!("is \"none\", {wanted}; {remedy} write \"lax\"");
            v.error_below(pin, "same_site", message);
        }
        if cookie.partitioned {
            v.error_below(pin, "partitioned", format_args!("is true, {wanted}; {remedy} remove this"));
        }
    }
    if begins(&HOST_PREFIX) {
        let remedy = "remove this, or use a name that does not begin with \"__Host-\"";
        if let Some(domain) = &cookie.domain {
            let domain = quoted(domain);
            let message =
                format_args!("is {domain}, but browsers keep a \"__Host-\" cookie only without; {remedy}");
            v.error_below(pin, "domain", message);
        }
        if cookie.path != ROOT {
            let path = quoted(&cookie.path);
            let message =
                format_args!("is {path}, but browsers keep a \"__Host-\" cookie only with \"/\"; {remedy}");
            v.error_below(pin, "path", message);
        }
    }
}

fn age_s(v: &mut Validator<'_>, node: &Node) -> Option<u32> {
    let age = v.number(node)?;
    let (age_s, is_whole) = age.in_units(0);
    let age_s = u32::try_from(age_s).ok().filter(|age_s| (1..=PIN_AGE_S_MAX).contains(age_s));
    if !is_whole || age.is_negative() || age_s.is_none() {
        let remedy = "write whole seconds from 1 to";
        v.error(node, format_args!("is {age}; {remedy} {PIN_AGE_S_MAX} (400 days)"));
        return None;
    }
    age_s
}

fn domain_name(v: &mut Validator<'_>, node: &Node) -> Option<String> {
    let domain = v.text(node, Empty::Refused)?;
    let is_label = |label: &str| {
        (1..=LABEL_BYTES_MAX).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    let remedy = if domain.starts_with('.') {
        "leave out the dot at its start; the hosts below are meant anyway"
    } else if domain.len() > HOST_BYTES_MAX || !domain.split('.').all(is_label) {
        "write a host name such as \"example.com\", without scheme, port, path and \"*\""
    } else {
        return Some(domain.to_ascii_lowercase());
    };
    v.error(node, format_args!("{} is not the domain of a cookie; {remedy}", quoted(domain)));
    None
}

fn path(v: &mut Validator<'_>, node: &Node) -> Option<String> {
    let path = v.text(node, Empty::Refused)?;
    let remedy = if !path.starts_with('/') {
        "start it with '/'"
    } else if !path.bytes().all(|b| b.is_ascii_graphic() && b != b';') {
        "write it as browsers send it, with %XX for ';', spaces and all but ASCII"
    } else {
        return Some(path.to_owned());
    };
    v.error(node, format_args!("{} is not the path of a cookie; {remedy}", quoted(path)));
    None
}

/// Notes an error if browsers would send an earlier rollout's cookie of the same name to this rollout, or this one's to
/// it: each would replace the other's pin.
pub(super) fn same_name(v: &mut Validator<'_>, node: &Node, earlier: &[Rollout], rollout: Option<&Rollout>) {
    let Some((rollout, cookie)) = rollout.and_then(|r| Some((r, r.pin.cookie.as_ref()?))) else { return };
    let is_same = |other: &&Rollout| {
        other.pin.cookie.as_ref().is_some_and(|theirs| {
            theirs.name == cookie.name && (theirs.reaches(other, rollout) || cookie.reaches(rollout, other))
        })
    };
    if let Some(other) = earlier.iter().find(is_same)
        && let Some(pin) = node.get("pin")
    {
        let (name, other) = (quoted(&cookie.name), quoted(&other.name));
        let why = "and browsers would send one in place of the other";
        let message =
            format_args!("{name} is the cookie of rollout {other} too, {why}; give each its own name");
        v.error_below(pin, "cookie", message);
    }
}

impl PinCookie {
    /// The value of `set-cookie` that gives a client this token.
    #[must_use]
    pub fn set_cookie(&self, token: Token) -> String {
        let PinCookie { name, max_age_s, path, .. } = self;
        let (before_domain, domain) =
            self.domain.as_ref().map_or(("", ""), |domain| ("; Domain=", domain.as_str()));
        let secure = if self.secure { "; Secure" } else { "" };
        let same_site = match self.same_site {
            SameSite::Lax => "Lax",
            SameSite::Strict => "Strict",
            SameSite::None => "None",
        };
        let partitioned = if self.partitioned { "; Partitioned" } else { "" };
        format!(
            "{name}={token}; Max-Age={max_age_s}; Path={path}{before_domain}{domain}; HttpOnly{secure}; \
             SameSite={same_site}{partitioned}"
        )
    }

    /// Whether browsers that have the cookie from its own rollout may send it to a host of another.
    fn reaches(&self, own: &Rollout, other: &Rollout) -> bool {
        let others = &other.matcher.hosts;
        match &self.domain {
            None => overlap(&own.matcher.hosts, others),
            Some(domain) => {
                let below = HostPattern::Below(format!(".{domain}"));
                overlap(&[HostPattern::Exact(domain.clone()), below], others)
            }
        }
    }
}
