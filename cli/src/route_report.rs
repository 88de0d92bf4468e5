//! Every step from a request to its version, as JSON and as lines for people.
//!
//! In: the configuration, the request, and the filter's own explanation. Out: a [`RouteReport`].

use crate::describe::{HashReport, bucket_origin, key_source, key_sources};
use crate::request::SampleRequest;
use llm_canary::bucket::scheme::Scheme;
use llm_canary::config::{Config, HostPattern, KeyKind, Match, Rollout, Version};
use llm_canary::route::{self, Choice, Explanation, Feedback, Mismatch, PinKind, Reason};
use llm_canary::split::percent;
use llm_canary::timestamp::{UnixMs, rfc3339};
use serde::Serialize;
use std::collections::BTreeMap;

/// The rollout and the version of a decision.
pub(crate) fn chosen<'a>(
    config: &'a Config,
    explanation: &Explanation,
) -> Option<(&'a Rollout, &'a Version)> {
    let rollout = config.rollouts.get(explanation.decision.rollout)?;
    Some((rollout, rollout.versions.get(explanation.decision.version)?))
}

/// KeyText as text where they are, and in hexadecimal where they are not.
#[derive(Serialize)]
pub(crate) enum KeyText<'a> {
    #[serde(rename = "key")]
    Text(&'a str),
    #[serde(rename = "key_hex")]
    Hex(String),
}

impl<'a> From<&'a [u8]> for KeyText<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Text(text),
            Err(_) => Self::Hex(bytes.iter().map(|byte| format!("{byte:02x}")).collect()),
        }
    }
}

/// The steps of a decision, as `--json` prints them.
#[derive(Serialize)]
pub(crate) struct RouteReport<'a> {
    /// `None`: no rollout matches the request.
    rollout: Option<&'a str>,
    version: Option<&'a str>,
    cluster: Option<&'a str>,
    reason: Option<&'static str>,
    /// Whether the request asks a model for an answer, by its method and path.
    answer: bool,
    /// Whether the rollout only observes: it changes nothing, and Envoy's own routes choose the version.
    observe: bool,
    /// Whether the metrics compare the request with those of other versions.
    compare: bool,
    shard: Option<u32>,
    key: Option<KeyReport<'a>>,
    salt: Option<String>,
    /// Which tool's mapping gave the bucket; absent where it is this project's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    hash: Option<HashReport>,
    bucket: Option<u32>,
    range: Option<[u32; 2]>,
    /// When the conversation began, if its id or the request contains it.
    began: Option<String>,
    /// What the request has as its start time, if that cannot be read. It counts as absent.
    invalid_started_at: Option<String>,
    /// When the split that decides took effect; `None`: it always has.
    split_since: Option<String>,
    /// Whether the conversation may have changed its version: it has no start time and no pin, and its bucket got another
    /// version in the last 24 hours.
    unheld: bool,
    pin: Option<String>,
    /// The version of the range, the override or the pin; `version` differs if this one is stopped.
    chosen: Option<&'a str>,
    r#override: Option<String>,
    request_headers: BTreeMap<&'a str, &'a str>,
    response_headers: BTreeMap<&'a str, &'a str>,
    /// Other changes of the request for the version's server.
    rewrites: Vec<String>,
    /// Request headers that are always removed.
    removed_headers: [&'a str; 2],
    /// What a POST to this path counts as, if it is feedback and not a request to a model.
    feedback: Option<FeedbackReport<'a>>,
    /// The rollouts that were tried before, and why they do not match.
    passed_over: Vec<UnmatchedRollout<'a>>,
}

#[derive(Serialize)]
struct KeyReport<'a> {
    source: String,
    kind: &'static str,
    #[serde(flatten)]
    key: KeyText<'a>,
}

#[derive(Serialize)]
struct FeedbackReport<'a> {
    rollout: &'a str,
    /// `None`: it has no key, and requests without a key are random.
    version: Option<&'a str>,
    respond: bool,
}

#[derive(Serialize)]
struct UnmatchedRollout<'a> {
    rollout: &'a str,
    why: String,
}

impl<'a> RouteReport<'a> {
    pub(crate) fn new(
        config: &'a Config,
        request: &SampleRequest,
        now: UnixMs,
        explanation: Option<&'a Explanation>,
    ) -> Self {
        let before = explanation.map_or(config.rollouts.len(), |e| e.decision.rollout);
        let passed_over = config.rollouts.iter().take(before).filter_map(|rollout| {
            let mismatch = route::mismatch(rollout, request).ok()??;
            Some(UnmatchedRollout { rollout: &rollout.name, why: why_not(&rollout.matcher, &mismatch) })
        });
        let mut report = Self {
            rollout: None,
            version: None,
            cluster: None,
            reason: None,
            answer: false,
            observe: false,
            compare: false,
            shard: None,
            key: None,
            salt: None,
            hash: None,
            bucket: None,
            range: None,
            began: None,
            invalid_started_at: None,
            split_since: None,
            unheld: false,
            pin: None,
            chosen: None,
            r#override: None,
            request_headers: BTreeMap::new(),
            response_headers: BTreeMap::new(),
            rewrites: Vec::new(),
            removed_headers: [config.cluster_header.as_str(), config.version_header.as_str()],
            feedback: feedback(config, request, now),
            passed_over: passed_over.collect(),
        };
        let Some(explanation) = explanation else { return report };
        let Some((rollout, version)) = chosen(config, explanation) else { return report };
        report.rollout = Some(&rollout.name);
        report.answer = explanation.decision.asks_for_answer;
        report.observe = rollout.observe.is_some();
        if report.observe {
            report.compare = explanation.decision.compare;
            report.shard = explanation.decision.shard;
            return report;
        }
        report.version = Some(&version.name);
        report.cluster = Some(&version.cluster);
        report.reason = Some(explanation.decision.reason.as_str());
        report.compare = explanation.decision.compare;
        report.shard = explanation.decision.shard;
        report.chosen = rollout.versions.get(explanation.chosen).map(|version| version.name.as_str());
        if let Scheme::Own { salt } = &rollout.scheme {
            report.salt = Some(String::from_utf8_lossy(salt).into_owned());
        }
        report.hash = HashReport::new(&rollout.scheme);
        report.bucket = explanation.choice.bucket();
        report.range = explanation.choice.range(rollout).map(|range| [range.start, range.end]);
        report.unheld = explanation.decision.is_unheld;
        if let Choice::Key { source, key, started_at, invalid_start, steps_taken, .. } = &explanation.choice {
            report.began = started_at.map(rfc3339);
            let text = invalid_start.as_deref();
            report.invalid_started_at = text.map(|text| String::from_utf8_lossy(text).into_owned());
            let step = steps_taken.checked_sub(1).and_then(|step| rollout.steps.steps().get(step));
            report.split_since = step.map(|step| rfc3339(step.at));
            report.key = rollout.keys.get(*source).map(|found| KeyReport {
                source: key_source(config, &found.source),
                kind: kind(found.kind),
                key: key.as_slice().into(),
            });
        }
        if let Choice::Override(at) = explanation.choice {
            report.r#override = rollout
                .overrides
                .get(at)
                .map(|rule| format!("header {} is one of {}", rule.header, rule.values.join(", ")));
        }
        if let Choice::Pin(kind) = explanation.choice {
            report.pin = Some(pin(rollout, kind));
        }
        report.rewrites = rewrites(version);
        report.request_headers.insert(config.cluster_header.as_str(), &version.cluster);
        report.request_headers.insert(config.version_header.as_str(), &version.name);
        if config.version_on_response {
            report.response_headers.insert(config.version_header.as_str(), &version.name);
        }
        report
    }

    pub(crate) fn lines(&self, config: &Config, explanation: Option<&Explanation>) -> Vec<String> {
        let mut lines: Vec<String> = self.feedback.iter().map(FeedbackReport::describe).collect();
        let passed_over = self.passed_over.iter();
        lines
            .extend(passed_over.map(|passed| format!("not      {}, because {}", passed.rollout, passed.why)));
        let found = explanation.and_then(|explanation| Some((explanation, chosen(config, explanation)?)));
        let Some((explanation, (rollout, version))) = found else {
            let [cluster, of_version] = self.removed_headers;
            lines.push("rollout  none matches the request".to_owned());
            lines.push(format!(
                "removes  {cluster} and {of_version}, and sets nothing: Envoy's other routes apply"
            ));
            return lines;
        };
        lines.push(format!("rollout  {}", rollout.name));
        if !self.answer {
            let why =
                "the method and the path do not ask a model for an answer, so the request is not compared";
            lines.push(format!("other    {why}"));
        }
        if self.observe {
            let compared = if self.compare { "compared" } else { "not compared" };
            lines.push(
                "observes Envoy's own routes choose the version; the filter changes nothing".to_owned(),
            );
            lines.push(format!(
                "version  the one whose cluster Envoy chooses, {compared} with other versions"
            ));
            return lines;
        }
        lines.extend(self.choice_lines(config, explanation, rollout));
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

    fn choice_lines(&self, config: &Config, explanation: &Explanation, rollout: &Rollout) -> Vec<String> {
        let line = |bucket: u32| {
            let range = explanation.choice.range(rollout);
            let (start, end) = range.map_or((0, 0), |range| (range.start, range.end));
            format!(
                "range    {start} <= {bucket} < {end} belongs to {}, which has {} %",
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
            Choice::Key { source, key, bucket, invalid_start, .. } => {
                let found = rollout.keys.get(*source);
                let from = found.map(|found| key_source(config, &found.source)).unwrap_or_default();
                let kind = found.map(|found| kind(found.kind)).unwrap_or_default();
                let mut lines = vec![
                    format!("key      {} from {from}, which names a {kind} (key[{source}])", shown(key)),
                    format!("bucket   {bucket} of 1000000, {}", bucket_origin(&rollout.scheme, *bucket)),
                ];
                if let (Some(text), Some(source)) = (invalid_start, &rollout.started_at) {
                    let (text, source) = (shown(text), key_source(config, source));
                    lines.push(format!(
                        "start    {text} from {source} cannot be read as a time, so it counts as absent"
                    ));
                }
                let since = self.split_since.as_deref().map(|since| format!("the step of {since}"));
                match (&self.began, since) {
                    (Some(began), Some(step)) => {
                        lines.push(format!("began    {began}, under {step}, which decides"))
                    }
                    (Some(began), None) if rollout.steps.count() > 0 => {
                        lines.push(format!("began    {began}, before the first step"));
                    }
                    (None, Some(step)) => lines.push(format!("split    {step}, in force now")),
                    (_, None) => {}
                }
                lines.push(line(*bucket));
                if self.unheld {
                    let unheld = "it has no start time and no pin, and its bucket got another version in the last 24 hours";
                    lines.push(format!("unheld   {unheld}"));
                }
                lines
            }
            Choice::KeylessBaseline => {
                vec![
                    format!("key      none; looked in {}", key_sources(config, rollout)),
                    "keyless  goes to the baseline".to_owned(),
                ]
            }
            Choice::Observed => Vec::new(),
            Choice::KeylessRandom { bucket, .. } => vec![
                format!("key      none; looked in {}", key_sources(config, rollout)),
                format!("keyless  random for each request; this time bucket {bucket}"),
                line(*bucket),
            ],
        }
    }
}

impl FeedbackReport<'_> {
    fn describe(&self) -> String {
        let counted = match self.version {
            Some(version) => format!("counted for {version}"),
            None => "counted for no version, because it has no key".to_owned(),
        };
        let answered = if self.respond { "answered by the filter" } else { "passed on" };
        format!("feedback on {}: {counted}, {answered}", self.rollout)
    }
}

fn feedback<'a>(config: &'a Config, request: &SampleRequest, now: UnixMs) -> Option<FeedbackReport<'a>> {
    let (rollout, version) = match route::feedback(config, request, now).ok()?? {
        Feedback::On(decision) => (decision.rollout, Some(decision.version)),
        Feedback::OnNone { rollout } => (rollout, None),
    };
    let rollout = config.rollouts.get(rollout)?;
    let version = version.and_then(|version| rollout.versions.get(version));
    Some(FeedbackReport {
        rollout: &rollout.name,
        version: version.map(|version| version.name.as_str()),
        respond: rollout.feedback.as_ref()?.respond,
    })
}

/// What a version's rewrite changes in a request.
fn rewrites(version: &Version) -> Vec<String> {
    let rewrite = &version.rewrite;
    let host = rewrite.host.iter().map(|host| format!("the host to {host}"));
    let path =
        rewrite.path_prefix.iter().map(|(from, to)| format!("the path's beginning from {from} to {to}"));
    let model = rewrite.model.iter().map(|model| format!("the body's model to {model:?}"));
    let headers = rewrite.headers.iter().map(|(name, value)| format!("header {name} to {value}"));
    host.chain(path).chain(model).chain(headers).collect()
}

/// What carries the pin of a conversation.
fn pin(rollout: &Rollout, kind: PinKind) -> String {
    match kind {
        PinKind::ResponseId => "the tag of a stored response".to_owned(),
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

/// KeyText a person can read and a terminal can show.
fn shown(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => format!("{text:?}"),
        Err(_) => format!("\"{}\"", bytes.escape_ascii()),
    }
}
