//! The steps that led to a version, for a program and for a person.

use crate::request::Given;
use crate::warnings::{place, places};
use llm_canary::config::{Config, HostPattern, KeyKind, Match, Rollout, Version};
use llm_canary::route::{self, Choice, Explanation, Feedback, Mismatch, PinKind, Reason};
use llm_canary::split::percent;
use llm_canary::timestamp::{UnixMs, rfc3339};
use serde::Serialize;
use std::collections::BTreeMap;

/// The rollout and the version a decision names.
pub(super) fn chosen<'a>(
    config: &'a Config,
    explanation: &Explanation,
) -> Option<(&'a Rollout, &'a Version)> {
    let rollout = config.rollouts.get(explanation.decision.rollout)?;
    Some((rollout, rollout.versions.get(explanation.decision.version)?))
}

/// Bytes as text where they are, and in hexadecimal where they are not.
#[derive(Serialize)]
pub(super) enum Bytes<'a> {
    #[serde(rename = "key")]
    Text(&'a str),
    #[serde(rename = "key_hex")]
    Hex(String),
}

impl<'a> From<&'a [u8]> for Bytes<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Text(text),
            Err(_) => Self::Hex(bytes.iter().map(|byte| format!("{byte:02x}")).collect()),
        }
    }
}

/// Everything that led to a version, as `--json` prints it.
#[derive(Serialize)]
pub(super) struct Story<'a> {
    /// `None`: no rollout is about the request.
    rollout: Option<&'a str>,
    version: Option<&'a str>,
    cluster: Option<&'a str>,
    reason: Option<&'static str>,
    /// Whether the version was drawn at random at the share now in force.
    compare: bool,
    shard: Option<u32>,
    key: Option<KeyStory<'a>>,
    salt: Option<String>,
    bucket: Option<u32>,
    range: Option<[u32; 2]>,
    /// When the conversation began, where its id or the request says so.
    began: Option<String>,
    /// Since when the split has held that the bucket was looked up on; `None`: always.
    split_since: Option<String>,
    /// Whether nothing held the conversation, while its bucket changed hands in the last 24 hours.
    unheld: bool,
    pin: Option<String>,
    /// The version that owns the range or was asked for; another than `version` where it is stopped.
    chosen: Option<&'a str>,
    r#override: Option<String>,
    request_headers: BTreeMap<&'a str, &'a str>,
    response_headers: BTreeMap<&'a str, &'a str>,
    /// What else the version's server wants changed, in words.
    rewrites: Vec<String>,
    /// Headers of the client's that are removed, whatever else happens.
    removed_headers: [&'a str; 2],
    /// What a POST of it would be, if that is feedback and no request to a model.
    feedback: Option<Rating<'a>>,
    /// The rollouts before the one that matched, and why they did not.
    passed_over: Vec<PassedOver<'a>>,
}

#[derive(Serialize)]
struct KeyStory<'a> {
    source: String,
    kind: &'static str,
    #[serde(flatten)]
    key: Bytes<'a>,
}

#[derive(Serialize)]
struct Rating<'a> {
    rollout: &'a str,
    /// `None`: it names no conversation, and requests without a key are drawn anew.
    version: Option<&'a str>,
    respond: bool,
}

#[derive(Serialize)]
struct PassedOver<'a> {
    rollout: &'a str,
    why: String,
}

impl<'a> Story<'a> {
    pub(super) fn new(
        config: &'a Config,
        request: &Given,
        now: UnixMs,
        explanation: Option<&'a Explanation>,
    ) -> Self {
        let before = explanation.map_or(config.rollouts.len(), |e| e.decision.rollout);
        let passed_over = config.rollouts.iter().take(before).filter_map(|rollout| {
            let mismatch = route::mismatch(rollout, request).ok()??;
            Some(PassedOver { rollout: &rollout.name, why: why_not(&rollout.matcher, &mismatch) })
        });
        let mut story = Self {
            rollout: None,
            version: None,
            cluster: None,
            reason: None,
            compare: false,
            shard: None,
            key: None,
            salt: None,
            bucket: None,
            range: None,
            began: None,
            split_since: None,
            unheld: false,
            pin: None,
            chosen: None,
            r#override: None,
            request_headers: BTreeMap::new(),
            response_headers: BTreeMap::new(),
            rewrites: Vec::new(),
            removed_headers: [config.cluster_header.as_str(), config.version_header.as_str()],
            feedback: rating(config, request, now),
            passed_over: passed_over.collect(),
        };
        let Some(explanation) = explanation else { return story };
        let Some((rollout, version)) = chosen(config, explanation) else { return story };
        story.rollout = Some(&rollout.name);
        story.version = Some(&version.name);
        story.cluster = Some(&version.cluster);
        story.reason = Some(explanation.decision.reason.as_str());
        story.compare = explanation.decision.compare;
        story.shard = explanation.decision.shard;
        story.chosen = rollout.versions.get(explanation.chosen).map(|version| version.name.as_str());
        story.salt = Some(String::from_utf8_lossy(&rollout.salt).into_owned());
        story.bucket = explanation.choice.bucket();
        story.range = explanation.choice.range(rollout).map(|range| [range.start, range.end]);
        story.unheld = explanation.decision.is_unheld;
        if let Choice::Key { source, key, started_at: began, steps_taken: taken, .. } = &explanation.choice {
            story.began = began.map(rfc3339);
            let step = taken.checked_sub(1).and_then(|step| rollout.steps.steps().get(step));
            story.split_since = step.map(|step| rfc3339(step.at));
            story.key = rollout.keys.get(*source).map(|found| KeyStory {
                source: place(config, &found.source),
                kind: kind(found.kind),
                key: key.as_slice().into(),
            });
        }
        if let Choice::Override(at) = explanation.choice {
            story.r#override = rollout
                .overrides
                .get(at)
                .map(|rule| format!("header {} is one of {}", rule.header, rule.values.join(", ")));
        }
        if let Choice::Pin(kind) = explanation.choice {
            story.pin = Some(pin(rollout, kind));
        }
        story.rewrites = rewrites(version);
        story.request_headers.insert(config.cluster_header.as_str(), &version.cluster);
        story.request_headers.insert(config.version_header.as_str(), &version.name);
        if config.version_on_response {
            story.response_headers.insert(config.version_header.as_str(), &version.name);
        }
        story
    }

    pub(super) fn in_words(&self, config: &Config, explanation: Option<&Explanation>) -> Vec<String> {
        let mut lines: Vec<String> = self.feedback.iter().map(Rating::in_words).collect();
        let passed_over = self.passed_over.iter();
        lines
            .extend(passed_over.map(|passed| format!("not      {}, because {}", passed.rollout, passed.why)));
        let found = explanation.and_then(|explanation| Some((explanation, chosen(config, explanation)?)));
        let Some((explanation, (rollout, version))) = found else {
            let [cluster, of_version] = self.removed_headers;
            lines.push("rollout  none is about this request".to_owned());
            lines.push(format!(
                "removes  {cluster} and {of_version}, sets nothing: Envoy's other routes apply"
            ));
            return lines;
        };
        lines.push(format!("rollout  {}", rollout.name));
        lines.extend(self.choice_in_words(config, explanation, rollout));
        if explanation.decision.reason == Reason::Stopped {
            let stopped = self.chosen.unwrap_or_default();
            lines.push(format!("stopped  {stopped} is stopped, so the baseline serves"));
        }
        let compared = if self.compare { "compared" } else { "not compared" };
        let shard = self.shard.map_or(String::new(), |shard| format!(", in shard {shard}"));
        lines.push(format!(
            "version  {}, reason {}, {compared} with other versions{shard}",
            version.name, explanation.decision.reason
        ));
        for (place, headers) in [("request", &self.request_headers), ("response", &self.response_headers)] {
            lines.extend(
                headers.iter().map(|(name, value)| format!("sets     {name}: {value} on the {place}")),
            );
        }
        lines.extend(self.rewrites.iter().map(|words| format!("rewrites {words}")));
        lines
    }

    fn choice_in_words(&self, config: &Config, explanation: &Explanation, rollout: &Rollout) -> Vec<String> {
        let line = |bucket: u32| {
            let range = explanation.choice.range(rollout);
            let (start, end) = range.map_or((0, 0), |range| (range.start, range.end));
            format!(
                "range    {start} <= {bucket} < {end} is {}'s, who has {} % in all",
                self.chosen.unwrap_or_default(),
                percent(explanation.choice.split(rollout).map_or(0, |split| split.parts(explanation.chosen)))
            )
        };
        match &explanation.choice {
            Choice::Override(at) => {
                let rule = self.r#override.as_deref().unwrap_or_default();
                let version = self.chosen.unwrap_or_default();
                vec![format!("override {rule}, which asks for {version} (overrides[{at}])")]
            }
            Choice::Pin(_) => {
                let (pin, version) =
                    (self.pin.as_deref().unwrap_or_default(), self.chosen.unwrap_or_default());
                vec![format!("pin      {pin} says {version}")]
            }
            Choice::Key { source, key, bucket, .. } => {
                let found = rollout.keys.get(*source);
                let from = found.map(|found| place(config, &found.source)).unwrap_or_default();
                let kind = found.map(|found| kind(found.kind)).unwrap_or_default();
                let salt = rollout.salt.escape_ascii();
                let mut lines = vec![
                    format!("key      {} from {from}, which names a {kind} (key[{source}])", shown(key)),
                    format!("bucket   {bucket} of 1000000, murmur3 of \"{salt}:\" and the key"),
                ];
                let since = self.split_since.as_deref().map(|since| format!("the step of {since}"));
                match (&self.began, since) {
                    (Some(began), Some(step)) => {
                        lines.push(format!("began    {began}, under {step}, and stays on it"))
                    }
                    (Some(began), None) if rollout.steps.count() > 0 => {
                        lines.push(format!("began    {began}, before any step, and stays on that"));
                    }
                    (None, Some(step)) => lines.push(format!("split    of {step}, which is in force now")),
                    (_, None) => {}
                }
                lines.push(line(*bucket));
                if self.unheld {
                    let unheld =
                        "nothing tells when it began, and its bucket changed hands in the last 24 hours";
                    lines.push(format!("unheld   {unheld}"));
                }
                lines
            }
            Choice::KeylessBaseline => {
                vec![
                    format!("key      none; looked in {}", places(config, rollout)),
                    "keyless  goes to the baseline".to_owned(),
                ]
            }
            Choice::KeylessRandom { bucket, .. } => vec![
                format!("key      none; looked in {}", places(config, rollout)),
                format!("keyless  drawn anew for each request, this time bucket {bucket}"),
                line(*bucket),
            ],
        }
    }
}

impl Rating<'_> {
    fn in_words(&self) -> String {
        let counted = match self.version {
            Some(version) => format!("counted for {version}"),
            None => "counted for no version, because it has no key".to_owned(),
        };
        let answered = if self.respond { "answered by the filter" } else { "passed on" };
        format!("feedback on {} if it is a POST: {counted}, {answered}", self.rollout)
    }
}

fn rating<'a>(config: &'a Config, request: &Given, now: UnixMs) -> Option<Rating<'a>> {
    let mut posted = request.clone();
    posted.add_header(":method", b"POST");
    let (rollout, version) = match route::feedback(config, &posted, now).ok()?? {
        Feedback::On(decision) => (decision.rollout, Some(decision.version)),
        Feedback::OnNone { rollout } => (rollout, None),
    };
    let rollout = config.rollouts.get(rollout)?;
    let version = version.and_then(|version| rollout.versions.get(version));
    Some(Rating {
        rollout: &rollout.name,
        version: version.map(|version| version.name.as_str()),
        respond: rollout.feedback.as_ref()?.respond,
    })
}

/// What a version's rewrite does to a request, in words.
fn rewrites(version: &Version) -> Vec<String> {
    let rewrite = &version.rewrite;
    let host = rewrite.host.iter().map(|host| format!("the host to {host}"));
    let path =
        rewrite.path_prefix.iter().map(|(from, to)| format!("the path's beginning from {from} to {to}"));
    let model = rewrite.model.iter().map(|model| format!("the body's model to {model:?}"));
    let headers = rewrite.headers.iter().map(|(name, value)| format!("header {name} to {value}"));
    host.chain(path).chain(model).chain(headers).collect()
}

/// What pins a conversation, in words.
fn pin(rollout: &Rollout, kind: PinKind) -> String {
    match kind {
        PinKind::ResponseId => "the mark of a stored response".to_owned(),
        PinKind::Header => {
            rollout.pin.header.as_ref().map_or_else(String::new, |name| format!("header {name}"))
        }
        PinKind::Cookie => {
            rollout.pin.cookie.as_ref().map_or_else(String::new, |cookie| format!("cookie {}", cookie.name))
        }
    }
}

fn kind(kind: KeyKind) -> &'static str {
    match kind {
        KeyKind::Conversation => "conversation",
        KeyKind::User => "user",
    }
}

fn why_not(matcher: &Match, mismatch: &Mismatch) -> String {
    let found = |value: &Option<Vec<u8>>| value.as_deref().map_or("missing".to_owned(), shown);
    match mismatch {
        Mismatch::Host(host) => {
            let hosts: Vec<String> = matcher
                .hosts
                .iter()
                .map(|host| match host {
                    HostPattern::Exact(host) => host.clone(),
                    HostPattern::Below(parent) => format!("*{parent}"),
                })
                .collect();
            format!("the host is {}, not {}", found(host), hosts.join(" or "))
        }
        Mismatch::Path(path) => {
            let prefix = matcher.path_prefix.as_deref().unwrap_or_default();
            format!("the path is {} and does not start with {prefix}", found(path))
        }
        Mismatch::Header { index, found: value } => match matcher.headers.get(*index) {
            Some((name, wanted)) => format!("header {name} is {}, not {wanted}", found(value)),
            None => "a header differs".to_owned(),
        },
        Mismatch::Model(model) => {
            format!("the model is {}, not {}", found(model), matcher.models.join(" or "))
        }
    }
}

/// Bytes a person can read and a terminal can show.
fn shown(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => format!("{text:?}"),
        Err(_) => format!("\"{}\"", bytes.escape_ascii()),
    }
}
