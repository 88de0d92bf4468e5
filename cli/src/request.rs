//! A request made from the command line's options. The filter's own code routes it.

use llm_canary::config::{Config, HostPattern, MODEL_POINTER, Match, Source};
use llm_canary::fingerprint::Fingerprint;
use llm_canary::key;
use llm_canary::pointer::{Fact, Pointers, Values};
use llm_canary::route::Request;
use std::borrow::Cow;

/// The parts of a request that the filter looks at.
#[derive(Clone, Default)]
pub(crate) struct SampleRequest {
    headers: Vec<(String, Vec<u8>)>,
    metadata: Vec<(String, Vec<u8>)>,
    /// The values in the body, each with the index of its pointer in the configuration.
    body: Vec<(usize, Vec<u8>)>,
    fingerprint: Option<Vec<u8>>,
}

impl SampleRequest {
    /// Adds a header. Several with one name are its lines.
    pub(crate) fn add_header(&mut self, name: &str, value: &[u8]) {
        self.headers.push((name.to_ascii_lowercase(), value.to_vec()));
    }

    /// Adds a cookie to the cookie header. Envoy joins several cookie headers to one.
    pub(crate) fn add_cookie(&mut self, pair: &[u8]) {
        match self.headers.iter_mut().find(|(name, _)| name == "cookie") {
            Some((_, value)) => {
                value.extend_from_slice(b"; ");
                value.extend_from_slice(pair);
            }
            None => self.add_header("cookie", pair),
        }
    }

    /// Adds dynamic metadata by its path, `filter/key/key`.
    pub(crate) fn add_metadata(&mut self, path: &str, value: &[u8]) {
        self.metadata.push((path.to_owned(), value.to_vec()));
    }

    /// Reads a body as the filter does.
    pub(crate) fn set_body(&mut self, config: &Config, bytes: &[u8]) {
        let pointers = Pointers::compile(&config.pointers);
        let mut values = Values::new(&pointers);
        values.push(&pointers, bytes);
        values.finish(&pointers);
        let mut fingerprint = Fingerprint::default();
        fingerprint.push(bytes);
        fingerprint.finish();
        let found = |fact: Fact<'_>| if let Fact::Found(value) = fact { Some(value.to_vec()) } else { None };
        self.body = (0..config.pointers.len()).filter_map(|at| Some((at, found(values.get(at))?))).collect();
        self.fingerprint = found(fingerprint.get());
    }

    /// Adds what a match requires and the request does not have; returns descriptions of what was added.
    pub(crate) fn fill_match(&mut self, matcher: &Match) -> Vec<String> {
        let host = matcher.hosts.first().map(|host| match host {
            HostPattern::Exact(host) => host.clone(),
            HostPattern::Below(parent) => format!("any{parent}"),
        });
        let path = matcher.path_prefix.clone();
        let named = [(":authority", host), (":path", path)];
        let named = named.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let headers = matcher.headers.iter().map(|(name, value)| (name.as_str(), value.clone()));
        let mut added = Vec::new();
        for (name, value) in named.chain(headers) {
            if self.header(name).is_none() {
                self.add_header(name, value.as_bytes());
                added.push(format!("{name} {value}"));
            }
        }
        if let Some(model) = matcher.models.first()
            && matches!(self.body(MODEL_POINTER), Fact::Absent)
        {
            self.body.push((MODEL_POINTER, model.as_bytes().to_vec()));
            added.push(format!("model {model}"));
        }
        added
    }

    /// Puts a key where a rollout looks for it.
    pub(crate) fn set_key(&mut self, source: &Source, key: &[u8]) {
        match source {
            Source::Header(name) => self.set_header(name.as_str(), key.to_vec()),
            Source::Cookie(name) => {
                self.set_header("cookie", [name.as_bytes(), b"=\"", key, b"\""].concat());
            }
            Source::Query(name) => {
                let path = self.header(":path").unwrap_or(Cow::Borrowed(b"/"));
                let path = path.split(|&b| b == b'?').next().unwrap_or_default().to_vec();
                let query = [
                    b"?",
                    percent_encoded(name.as_bytes()).as_bytes(),
                    b"=",
                    percent_encoded(key).as_bytes(),
                ]
                .concat();
                self.set_header(":path", [path, query].concat());
            }
            Source::Metadata(path) => {
                let path = path.join("/");
                self.metadata.retain(|(name, _)| *name != path);
                self.metadata.push((path, key.to_vec()));
            }
            Source::Body(pointer) => {
                self.body.retain(|(at, _)| at != pointer);
                self.body.push((*pointer, key.to_vec()));
            }
            // No message can be made that has a given hash. `explain` refuses it before.
            Source::FirstMessage => {}
        }
    }

    fn set_header(&mut self, name: &str, value: Vec<u8>) {
        self.headers.retain(|(header, _)| header != name);
        self.headers.push((name.to_owned(), value));
    }
}

fn percent_encoded(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("%{byte:02X}")).collect()
}

impl Request for SampleRequest {
    fn header(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        let lines = self.headers.iter().filter(|(header, _)| header == name);
        key::joined(name, lines.map(|(_, value)| value.as_slice()))
    }

    fn metadata(&self, path: &[String]) -> Option<Vec<u8>> {
        let path = path.join("/");
        self.metadata.iter().find(|(name, _)| *name == path).map(|(_, value)| value.clone())
    }

    fn body(&self, pointer: usize) -> Fact<'_> {
        let value = self.body.iter().find(|(at, _)| *at == pointer);
        value.map_or(Fact::Absent, |(_, value)| Fact::Found(value))
    }

    fn fingerprint(&self) -> Fact<'_> {
        self.fingerprint.as_deref().map_or(Fact::Absent, Fact::Found)
    }
}
