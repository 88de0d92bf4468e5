//! The pin cookie: a configuration is accepted if and only if browsers keep the cookie, with the attributes as configured.

use crate::host::{Envoy, on_each_host};
use llm_canary::config::Config;
use llm_canary::pin::Token;
use proptest::prelude::*;
use proptest::sample::select;
use std::collections::BTreeMap;

fn rollout(name: &str, hosts: &str, pin: &str) -> String {
    format!(
        r#"{{"name": "{name}", "match": {{{hosts}}}, "baseline": "v1", "pin": {{{pin}}},
             "versions": [{{"name": "v1", "cluster": "c"}}]}}"#
    )
}

fn config(rollouts: &[String]) -> String {
    format!(r#"{{"rollouts": [{}]}}"#, rollouts.join(","))
}

fn errors(rollouts: &[String]) -> Vec<String> {
    let errors = Config::parse(config(rollouts).as_bytes()).err();
    errors.iter().flat_map(|errors| errors.iter().map(ToString::to_string)).collect()
}

/// What a browser keeps.
#[derive(Debug, PartialEq)]
struct Kept {
    name: String,
    value: String,
    /// By the attribute's name in lower case.
    attributes: BTreeMap<String, String>,
}

/// How a browser reads `set-cookie` over TLS (RFC 6265bis, sections 5.6 and 5.7, and CHIPS); `None` if it drops the cookie.
fn browser(set_cookie: &str) -> Option<Kept> {
    assert!(set_cookie.bytes().all(|b| (b' '..=b'~').contains(&b)), "{set_cookie:?} is no header");
    let mut parts = set_cookie.split(';');
    let (name, value) = parts.next()?.split_once('=')?;
    let (name, value) = (name.trim(), value.trim());
    let mut attributes = BTreeMap::new();
    for part in parts {
        let (attribute, value) = part.split_once('=').unwrap_or((part, ""));
        attributes.insert(attribute.trim().to_ascii_lowercase(), value.trim().to_owned());
    }
    let has = |attribute: &str| attributes.contains_key(attribute);
    let lower = name.to_ascii_lowercase();
    let wants_secure = ["__secure-", "__http-", "__host-"].iter().any(|prefix| lower.starts_with(prefix))
        || has("partitioned")
        || attributes.get("samesite").is_some_and(|value| value.eq_ignore_ascii_case("none"));
    let is_dropped = name.is_empty()
        || (wants_secure && !has("secure"))
        || (lower.starts_with("__host-") && (has("domain") || attributes.get("path")? != "/"));
    (!is_dropped).then(|| Kept { name: name.into(), value: value.into(), attributes })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_is_accepted_is_what_browsers_keep(
        name in select(&["llm_pin", "__Secure-p", "__secure-p", "__Host-p", "__HOST-p", "__Http-p", "__host-http-p", "_Host-p"][..]),
        max_age_s in 1..=34_560_000_u32,
        secure: bool,
        same_site in select(&["lax", "strict", "none"][..]),
        domain in prop::option::of("[a-zA-Z0-9-]{1,8}(\\.[a-z0-9_-]{1,8}){0,3}"),
        path in "/[!-:<-~]{0,20}",
        is_root: bool,
        partitioned: bool,
    ) {
        let path = if is_root { "/" } else { path.as_str() };
        let quoted = |text: &str| serde_json::to_string(text).unwrap();
        let pin = format!(
            r#""cookie": "{name}", "max_age_s": {max_age_s}, "secure": {secure}, "same_site": "{same_site}",
               "domain": {}, "path": {}, "partitioned": {partitioned}"#,
            domain.as_deref().map_or("null".to_owned(), quoted), quoted(path)
        );
        let mut expected = BTreeMap::from([
            ("max-age".to_owned(), max_age_s.to_string()),
            ("path".to_owned(), path.to_owned()),
            ("httponly".to_owned(), String::new()),
            ("samesite".to_owned(), same_site.to_owned()),
        ]);
        let mut words: Vec<String> = expected.iter().map(|(name, value)| format!("{name}={value}")).collect();
        for (is_set, attribute) in [(secure, "secure"), (partitioned, "partitioned")] {
            expected.extend(is_set.then(|| (attribute.to_owned(), String::new())));
            words.extend(is_set.then(|| attribute.to_owned()));
        }
        if let Some(domain) = &domain {
            expected.insert("domain".to_owned(), domain.to_ascii_lowercase());
            words.push(format!("domain={domain}"));
        }
        let would_keep = browser(&format!("{name}=1;{}", words.join(";"))).is_some();
        let parsed = Config::parse(config(&[rollout("chat", "", &pin)]).as_bytes());
        prop_assert_eq!(parsed.is_ok(), would_keep, "{}: {:?}", pin, parsed.err());
        if let Ok(config) = parsed {
            let token = Token::of("chat", "v1");
            let mut kept = browser(&config.rollouts[0].pin.cookie.as_ref().unwrap().set_cookie(token)).unwrap();
            kept.attributes.entry("samesite".to_owned()).and_modify(|value| value.make_ascii_lowercase());
            let expected = Kept { name: name.to_owned(), value: token.to_string(), attributes: expected };
            prop_assert_eq!(kept, expected);
        }
    }

    /// No text of the configuration gets out of its attribute.
    #[test]
    fn no_domain_and_no_path_adds_an_attribute(domain in any::<String>(), path in any::<String>()) {
        let quoted = |text: &str| serde_json::to_string(text).unwrap();
        let pin = format!(r#""cookie": "p", "domain": {}, "path": {}"#, quoted(&domain), quoted(&path));
        if let Ok(config) = Config::parse(config(&[rollout("chat", "", &pin)]).as_bytes()) {
            let cookie = config.rollouts[0].pin.cookie.as_ref().unwrap().set_cookie(Token::of("chat", "v1"));
            let kept = browser(&cookie).unwrap();
            let names: Vec<&str> = kept.attributes.keys().map(String::as_str).collect();
            prop_assert_eq!(names, ["domain", "httponly", "max-age", "path", "samesite"]);
            prop_assert_eq!(&kept.attributes["path"], &path);
        }
    }
}

/// Each error says what was found and what to write instead, and all are told at once.
#[test]
fn what_browsers_would_drop_is_refused() {
    for (pin, expected) in [
        (r#""cookie": "p", "path": "/v1", "domain": "Example.COM""#, &[][..]),
        (r#""cookie": "p", "domain": null"#, &[]),
        (
            r#""cookie": "__Host-p", "same_site": "none", "partitioned": true, "domain": "example.com", "path": "/v1""#,
            &[
                r#"rollouts[0].pin.cookie: "__Host-p" begins with "__Host-", so browsers keep it only with "secure": true; add it, or use another name"#,
                r#"rollouts[0].pin.same_site: is "none", but browsers keep such a cookie only with "secure": true; add it, or write "lax""#,
                r#"rollouts[0].pin.partitioned: is true, but browsers keep such a cookie only with "secure": true; add it, or remove this"#,
                r#"rollouts[0].pin.domain: is "example.com", but browsers keep a "__Host-" cookie only without; remove this, or use a name that does not begin with "__Host-""#,
                r#"rollouts[0].pin.path: is "/v1", but browsers keep a "__Host-" cookie only with "/"; remove this, or use a name that does not begin with "__Host-""#,
            ],
        ),
        (
            r#""cookie": "p", "max_age_s": 0, "secure": "yes", "same_site": "Lax", "domain": ".example.com", "path": "v1""#,
            &[
                "rollouts[0].pin.max_age_s: is 0; write whole seconds from 1 to 34560000 (400 days)",
                r#"rollouts[0].pin.secure: is the string "yes"; write true or false"#,
                r#"rollouts[0].pin.same_site: is "Lax"; write "lax", "strict" or "none""#,
                r#"rollouts[0].pin.domain: ".example.com" is not the domain of a cookie; leave out the dot at its start; the hosts below are meant anyway"#,
                r#"rollouts[0].pin.path: "v1" is not the path of a cookie; start it with '/'"#,
            ],
        ),
        (
            r#""header": "x-pin", "secure": true, "path": "/""#,
            &[
                r#"rollouts[0].pin.secure: is about the cookie, but there is no "cookie"; name a cookie, or remove this"#,
                r#"rollouts[0].pin.path: is about the cookie, but there is no "cookie"; name a cookie, or remove this"#,
            ],
        ),
    ] {
        assert_eq!(errors(&[rollout("chat", "", pin)]), expected, "{pin}");
    }
    let label = "x".repeat(64);
    let long = ["abcdefgh"; 29].join(".");
    for domain in
        ["", "a b", "a;b", "a..b", "a.", "*.a", "https://a", "a:80", "[::1]", "é.com", "a/b", &label, &long]
    {
        let found = errors(&[rollout("chat", "", &format!(r#""cookie": "p", "domain": "{domain}""#))]);
        assert!(found.len() == 1 && found[0].starts_with("rollouts[0].pin.domain: "), "{domain}: {found:?}");
    }
    for path in ["", "/a;b", "/a b", "/é", r"/a\u0000", r"/a\r\nx: 1", r"/\u007f"] {
        let found = errors(&[rollout("chat", "", &format!(r#""cookie": "p", "path": "{path}""#))]);
        assert!(found.len() == 1 && found[0].starts_with("rollouts[0].pin.path: "), "{path}: {found:?}");
    }
}

#[test]
fn two_rollouts_have_one_cookie_only_where_no_browser_sends_both() {
    let pin = |domain: &str| {
        if domain.is_empty() {
            r#""cookie": "p""#.to_owned()
        } else {
            format!(r#""cookie": "p", "domain": "{domain}""#)
        }
    };
    let hosts = |hosts: &str| if hosts.is_empty() { String::new() } else { format!(r#""hosts": [{hosts}]"#) };
    for (one, other, is_refused) in [
        (("", ""), ("", ""), true),
        ((r#""a.com""#, ""), ("", ""), true),
        ((r#""a.com""#, ""), (r#""A.COM""#, ""), true),
        ((r#""a.com""#, ""), (r#""b.com""#, ""), false),
        ((r#""a.com", "c.com""#, ""), (r#""b.com", "c.com""#, ""), true),
        ((r#""*.a.com""#, ""), (r#""x.a.com""#, ""), true),
        ((r#""*.a.com""#, ""), (r#""a.com""#, ""), false),
        ((r#""*.a.com""#, ""), (r#""xa.com""#, ""), false),
        ((r#""*.a.com""#, ""), (r#""*.x.a.com""#, ""), true),
        ((r#""*.a.com""#, ""), (r#""*.b.com""#, ""), false),
        ((r#""[::1]""#, ""), (r#""[::1]""#, ""), true),
        // A domain makes the cookie wider, whichever of the two has it.
        ((r#""x.a.com""#, "a.com"), (r#""y.a.com""#, ""), true),
        ((r#""x.a.com""#, "a.com"), (r#""a.com""#, ""), true),
        ((r#""x.a.com""#, "a.com"), (r#""*.y.a.com""#, ""), true),
        ((r#""x.a.com""#, "x.a.com"), (r#""y.a.com""#, ""), false),
        ((r#""x.a.com""#, "a.com"), (r#""b.com""#, ""), false),
        ((r#""x.a.com""#, "a.com"), (r#""xa.com""#, ""), false),
        ((r#""x.a.com""#, "a.com"), ("", ""), true),
    ] {
        for (one, other) in [(one, other), (other, one)] {
            let rollouts = [("a", one), ("b", other)]
                .map(|(name, (host, domain))| rollout(name, &hosts(host), &pin(domain)));
            let expected = r#"rollouts[1].pin.cookie: "p" is the cookie of rollout "a" too, and browsers would send one in place of the other; give each its own name"#;
            let expected = if is_refused { vec![expected] } else { vec![] };
            assert_eq!(errors(&rollouts), expected, "{one:?} {other:?}");
            let renamed = [rollouts[0].clone(), rollouts[1].replace(r#""p""#, r#""q""#)];
            assert_eq!(errors(&renamed), Vec::<String>::new());
        }
    }
}

#[test]
fn a_response_sets_the_cookie_as_configured() {
    on_each_host(|| {
        for (fields, attributes) in [
            ("", "; Max-Age=86400; Path=/; HttpOnly; SameSite=Lax"),
            (r#", "secure": true"#, "; Max-Age=86400; Path=/; HttpOnly; Secure; SameSite=Lax"),
            (
                r#", "secure": true, "same_site": "none", "partitioned": true, "domain": "LLM.example.com", "path": "/v1", "max_age_s": 9"#,
                "; Max-Age=9; Path=/v1; Domain=llm.example.com; HttpOnly; Secure; SameSite=None; Partitioned",
            ),
            (r#", "same_site": "strict""#, "; Max-Age=86400; Path=/; HttpOnly; SameSite=Strict"),
        ] {
            let pin = format!(r#""cookie": "__pin"{fields}"#);
            let mut envoy = Envoy::with(&config(&[rollout("chat", "", &pin)]));
            let head: [(&str, &[u8]); 3] =
                [(":method", b"POST"), (":path", b"/v1/chat/completions"), ("x-conversation-id", b"c")];
            let id = envoy.get(&head).respond("200", &[("content-type", b"application/json")], true);
            let expected = format!("__pin={}{attributes}", Token::of("chat", "v1"));
            assert_eq!(id.client_headers("set-cookie"), [expected.into_bytes()]);
            id.end();
            envoy.stop();
        }
    });
}
