//! A configuration and a version → the headers by which a request chooses that version: those of an override.
//!
//! The filter's own code routes a sample of the request, so what is found here is what the filter does.

use crate::request::SampleRequest;
use llm_canary::config::{Config, Rollout};
use llm_canary::route::{self, Choice};
use llm_canary::timestamp::UnixMs;
use serde_json::json;

/// The header that is proposed where there is no override.
const HEADER: &str = "x-llm-canary-probe";

/// A request that is sent through Envoy.
pub(crate) struct Probe<'a> {
    /// The address that is asked, with its path.
    pub(crate) url: &'a str,
    /// Headers that it has anyway.
    pub(crate) headers: &'a [(String, String)],
    /// Its model, if one is given.
    pub(crate) model: Option<&'a str>,
}

/// The headers that choose a version.
///
/// # Errors
/// No override chooses it: a sentence with the lines to add.
pub(crate) fn headers(
    config: &Config,
    rollout: &str,
    version: &str,
    probe: &Probe<'_>,
    now: UnixMs,
) -> Result<Vec<(String, String)>, String> {
    let (index, rollout) = config
        .rollouts
        .iter()
        .enumerate()
        .find(|(_, one)| one.name == rollout)
        .ok_or_else(|| format!("has no rollout {rollout}"))?;
    if rollout.observe.is_some() {
        return Err(format!(
            "rollout {} only observes, so no header chooses a version; ask the servers themselves, with --target",
            rollout.name
        ));
    }
    let number = rollout.versions.iter().position(|one| one.name == version);
    let number = number.ok_or_else(|| format!("rollout {} has no version {version}", rollout.name))?;
    let candidates = rollout.overrides.iter().enumerate().filter(|(_, one)| one.version == number);
    let mut why_not = None;
    for (at, found) in candidates {
        for value in &found.values {
            let mut headers = of_match(rollout);
            headers.push((found.header.as_str().to_owned(), value.clone()));
            match is_chosen(config, index, at, number, probe, &headers, now) {
                Ok(()) => return Ok(headers),
                Err(why) => why_not = why_not.or(Some(why)),
            }
        }
    }
    Err(why_not.unwrap_or_else(|| missing(rollout, version)))
}

/// The headers that the rollout's match asks for.
fn of_match(rollout: &Rollout) -> Vec<(String, String)> {
    let headers = rollout.matcher.headers.iter();
    headers.map(|(name, value)| (name.as_str().to_owned(), value.clone())).collect()
}

/// Whether the filter chooses the version by this override.
fn is_chosen(
    config: &Config,
    rollout: usize,
    at: usize,
    version: usize,
    probe: &Probe<'_>,
    headers: &[(String, String)],
    now: UnixMs,
) -> Result<(), String> {
    let mut sample = SampleRequest::default();
    let (host, path) = host_and_path(probe.url);
    let given = |name: &str| probe.headers.iter().any(|(given, _)| given.eq_ignore_ascii_case(name));
    sample.add_header(":method", b"POST");
    sample.add_header(":path", path.as_bytes());
    if !given("host") {
        sample.add_header(":authority", host.as_bytes());
    }
    for (name, value) in probe.headers.iter().chain(headers) {
        let name = if name.eq_ignore_ascii_case("host") { ":authority" } else { name };
        sample.add_header(name, value.as_bytes());
    }
    sample.set_body(config, json!({"model": probe.model}).to_string().as_bytes());
    let name = |number: usize| {
        let version = config.rollouts.get(rollout).and_then(|one| one.versions.get(number));
        version.map(|version| version.name.as_str()).unwrap_or_default()
    };
    let explanation = route::explain(config, &sample, now, || 0).unwrap_or_default();
    match explanation {
        Some(found) if found.decision.rollout == rollout => match found.choice {
            Choice::Override(index) if index == at && found.decision.version == version => Ok(()),
            Choice::Override(index) if index == at => Err(format!(
                "{} is stopped, so its requests would go to {}; ask the servers themselves, with --target",
                name(version),
                name(found.decision.version)
            )),
            _ => Err(format!(
                "the header of the override for {} does not choose it, because another one comes first; move it to the front",
                name(version)
            )),
        },
        _ => {
            let matched = config.rollouts.get(rollout).map(|one| one.name.as_str()).unwrap_or_default();
            Err(format!(
                "a POST to {path} at {host} is not of rollout {matched}; give what its match asks for: the path in --via, --header \
                 'host: …' for its hosts, --model for its models"
            ))
        }
    }
}

/// The authority and the path of an address.
fn host_and_path(url: &str) -> (&str, &str) {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let at = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at(at);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    (host, if path.is_empty() { "/" } else { path })
}

/// What to add where no override names a version.
fn missing(rollout: &Rollout, version: &str) -> String {
    let lines: Vec<String> = rollout
        .versions
        .iter()
        .filter(|one| {
            !rollout.overrides.iter().any(|found| rollout.versions.get(found.version) == Some(*one))
        })
        .map(|one| {
            format!(
                "{{\"header\": \"{HEADER}\", \"values\": [\"{}\"], \"version\": \"{}\"}}",
                one.name, one.name
            )
        })
        .collect();
    format!(
        "rollout {} has no override for {version}, so no header chooses it. Add to its \"overrides\": {}. Only callers whom you trust may \
         send this header: docs/security.md says how to remove it at the edge",
        rollout.name,
        lines.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::{Config, Probe, headers};

    fn config(rollout: &str) -> Config {
        let text = format!(
            r#"{{"rollouts": [{{"name": "chat", "baseline": "v1", "versions": [{{"name": "v1", "cluster": "a"}},
                {{"name": "v2", "cluster": "b"}}], "split": {{"v2": 10}}, {rollout}}}]}}"#
        );
        Config::parse(text.as_bytes()).unwrap()
    }

    const OVERRIDES: &str = r#""overrides": [{"header": "x-cohort", "values": ["staff"], "version": "v2"},
        {"header": "x-probe", "values": ["v1"], "version": "v1"}]"#;

    fn found(
        config: &Config,
        version: &str,
        given: &[(&str, &str)],
    ) -> Result<Vec<(String, String)>, String> {
        let given: Vec<(String, String)> =
            given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let url = "http://gateway:10000/v1/chat/completions";
        let probe = Probe { url, headers: &given, model: Some("m") };
        headers(config, "chat", version, &probe, 0)
    }

    fn one(name: &str, value: &str) -> Vec<(String, String)> {
        vec![(name.to_owned(), value.to_owned())]
    }

    #[test]
    fn the_override_of_each_version_is_found() {
        let config = config(OVERRIDES);
        assert_eq!(found(&config, "v2", &[]), Ok(one("x-cohort", "staff")));
        assert_eq!(found(&config, "v1", &[]), Ok(one("x-probe", "v1")));
        assert!(found(&config, "v3", &[]).unwrap_err().contains("has no version v3"));
    }

    #[test]
    fn where_there_is_none_the_lines_to_add_are_said_and_work() {
        let words = found(&config(r#""overrides": []"#), "v2", &[]).unwrap_err();
        let lines = words.split_once("\"overrides\": ").unwrap().1.split_once("}. ").unwrap().0;
        let config = config(&format!("\"overrides\": [{lines}}}]"));
        assert_eq!(found(&config, "v2", &[]), Ok(one("x-llm-canary-probe", "v2")));
        assert_eq!(found(&config, "v1", &[]), Ok(one("x-llm-canary-probe", "v1")));
    }

    #[test]
    fn what_the_match_asks_for_is_sent_or_asked_for() {
        let header = config(&format!(r#""match": {{"headers": {{"x-tenant": "acme"}}}}, {OVERRIDES}"#));
        assert_eq!(found(&header, "v2", &[]).unwrap()[0], ("x-tenant".to_owned(), "acme".to_owned()));
        let host = config(&format!(r#""match": {{"hosts": ["llm.example.com"]}}, {OVERRIDES}"#));
        assert!(found(&host, "v2", &[]).unwrap_err().contains("--header 'host: …'"));
        assert!(found(&host, "v2", &[("Host", "llm.example.com")]).is_ok());
        let path = config(&format!(r#""match": {{"path_prefix": "/other/"}}, {OVERRIDES}"#));
        assert!(found(&path, "v2", &[]).unwrap_err().contains("is not of rollout chat"));
        let model = config(&format!(r#""match": {{"models": ["m"]}}, {OVERRIDES}"#));
        assert!(found(&model, "v2", &[]).is_ok());
    }

    #[test]
    fn an_override_that_does_not_choose_is_refused() {
        let overrides = r#""overrides": [{"header": "x-a", "values": ["v2"], "version": "v1"}, {"header": "x-a", "values": ["v2"], "version": "v2"}]"#;
        let words = found(&config(overrides), "v2", &[]).unwrap_err();
        assert!(words.contains("another one comes first"), "{words}");
        let text = format!(
            r#"{{"rollouts": [{{"name": "chat", "baseline": "v1", "versions": [{{"name": "v1", "cluster": "a"}},
                {{"name": "v2", "cluster": "b", "stopped": true}}], {OVERRIDES}}}]}}"#
        );
        let words = found(&Config::parse(text.as_bytes()).unwrap(), "v2", &[]).unwrap_err();
        assert!(words.contains("v2 is stopped, so its requests would go to v1"), "{words}");
        let observe = config(r#""observe": true"#);
        assert!(found(&observe, "v2", &[]).unwrap_err().contains("only observes"));
    }
}
