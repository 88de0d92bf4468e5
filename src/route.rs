//! Which version serves a request.
//!
//! In: the configuration, a way to read the request, a random number for a request without a key. Out: a
//! [`Decision`], or none where no rollout is about the request. A rule that applies is found in this order:
//! override, then the split in force. A stopped version is never chosen: whatever named it, the baseline
//! serves.
//!
//! Reading a header costs the filter a call into Envoy, so nothing is read that the configuration does
//! not ask for, and nothing twice.
//!
//! Of several headers of one name Envoy shows a filter the first alone, and so the first counts; the pieces
//! in which HTTP/2 sends cookies arrive joined (both seen with Envoy 1.40).

use crate::bucket;
use crate::config::{Config, HostPattern, Keyless, Match, Rollout, Source};
use crate::key;
use crate::label::label_values;
use crate::split::Range;
use std::borrow::Cow;
use std::fmt;

/// What a decision may read of a request.
pub trait Request {
    /// The value of a header, of `:path` or of `:authority`; `None` where there is none.
    fn header(&self, name: &str) -> Option<Vec<u8>>;
    /// A value of dynamic metadata: the filter's namespace, then the keys below it.
    fn metadata(&self, path: &[String]) -> Option<Vec<u8>>;
}

/// Which version serves a request, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// An index into the configuration's rollouts.
    pub rollout: usize,
    /// An index into the rollout's versions.
    pub version: usize,
    /// Which rule chose it.
    pub reason: Reason,
    /// Whether the version was drawn at random at the share now in force, so that what its response
    /// shows may be compared with another version's.
    pub compare: bool,
    /// Where the key's requests are counted; `None` where no key was looked for or found.
    pub shard: Option<u32>,
}

label_values! {
    /// Which rule chose a version.
    pub enum Reason {
        /// A header asked for it.
        Override = "override",
        /// The key's bucket is the version's.
        Split = "split",
        /// There was no key.
        Keyless = "keyless",
        /// The version that was chosen is stopped, so the baseline serves.
        Stopped = "stopped",
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A decision with the steps that led to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// What was decided.
    pub decision: Decision,
    /// What named the version.
    pub choice: Choice,
    /// The version named, which is another than the decision's only where it is stopped.
    pub chosen: usize,
}

/// What named a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// An override, as an index into the rollout's.
    Override(usize),
    /// A key's place on the line.
    Split {
        /// Where the key was found, as an index into the rollout's keys.
        source: usize,
        /// The key.
        key: Vec<u8>,
        /// Its place on the line.
        bucket: u32,
    },
    /// No key, and the baseline serves those.
    KeylessBaseline,
    /// No key, and a random place on the line.
    KeylessRandom {
        /// The place drawn.
        bucket: u32,
    },
}

impl Choice {
    /// The place on the line, where one was looked up.
    #[must_use]
    pub fn bucket(&self) -> Option<u32> {
        match self {
            Self::Split { bucket, .. } | Self::KeylessRandom { bucket } => Some(*bucket),
            Self::Override(_) | Self::KeylessBaseline => None,
        }
    }

    /// The stretch of the line that place lies in.
    #[must_use]
    pub fn range(&self, rollout: &Rollout) -> Option<Range> {
        rollout.split.range(self.bucket()?)
    }
}

/// The first thing of a match that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// The request's host is none of those given.
    Host(Option<Vec<u8>>),
    /// The request's path starts otherwise.
    Path(Option<Vec<u8>>),
    /// A header has another value.
    Header {
        /// Which, as an index into the match's headers.
        index: usize,
        /// What it is, if it is there.
        found: Option<Vec<u8>>,
    },
}

/// Decides which version serves a request. `None`: no rollout is about it.
pub fn decide(config: &Config, request: &impl Request, random: impl FnOnce() -> u32) -> Option<Decision> {
    explain(config, request, random).map(|explanation| explanation.decision)
}

/// The same with the steps that led to it.
pub fn explain(config: &Config, request: &impl Request, random: impl FnOnce() -> u32) -> Option<Explanation> {
    let mut seen = Seen { request, headers: Vec::new() };
    let mut rollouts = config.rollouts.iter().enumerate();
    let (index, rollout) =
        rollouts.find(|(_, rollout)| first_mismatch(&rollout.matcher, &mut seen).is_none())?;
    Some(choose(rollout, index, &mut seen, random))
}

/// What a request on the path of a rollout's feedback is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feedback {
    /// A conversation, which the version of this decision serves by now.
    On(Decision),
    /// It has no key, and requests without one are drawn anew each time: no version can be told.
    OnNone {
        /// An index into the configuration's rollouts.
        rollout: usize,
    },
}

/// Whether a request is feedback, and on which version. It is a rollout's where the path is its feedback's, and its
/// match holds but for the path.
pub fn feedback(config: &Config, request: &impl Request) -> Option<Feedback> {
    if config.rollouts.iter().all(|rollout| rollout.feedback.is_none()) {
        return None;
    }
    let mut seen = Seen { request, headers: Vec::new() };
    let path = seen.header(":path")?;
    let path = path.split(|&b| b == b'?').next().unwrap_or_default().to_vec();
    let (index, rollout) = config.rollouts.iter().enumerate().find(|(_, rollout)| {
        let is_path = rollout.feedback.as_ref().is_some_and(|feedback| feedback.path.as_bytes() == path);
        is_path && other_mismatch(&rollout.matcher, &mut seen).is_none()
    })?;
    if seen.header(":method") != Some(b"POST") {
        return None;
    }
    let mut is_drawn = false;
    let explanation = choose(rollout, index, &mut seen, || {
        is_drawn = true;
        0
    });
    Some(if is_drawn { Feedback::OnNone { rollout: index } } else { Feedback::On(explanation.decision) })
}

/// Why a rollout is not about a request; `None` where it is.
pub fn mismatch(matcher: &Match, request: &impl Request) -> Option<Mismatch> {
    first_mismatch(matcher, &mut Seen { request, headers: Vec::new() })
}

fn choose<'a, R: Request>(
    rollout: &'a Rollout,
    index: usize,
    seen: &mut Seen<'a, R>,
    random: impl FnOnce() -> u32,
) -> Explanation {
    let (choice, chosen, reason, shard) = if let Some((at, version)) = overridden(rollout, seen) {
        (Choice::Override(at), version, Reason::Override, None)
    } else if let Some((source, key)) = find_key(rollout, seen) {
        let bucket = bucket::bucket(&rollout.salt, &key);
        let shard = bucket::shard(&key);
        (Choice::Split { source, key, bucket }, rollout.split.version(bucket), Reason::Split, Some(shard))
    } else {
        match rollout.keyless {
            Keyless::Baseline => (Choice::KeylessBaseline, rollout.baseline, Reason::Keyless, None),
            Keyless::Random => {
                let bucket = bucket::scale(random());
                let version = rollout.split.version(bucket);
                (Choice::KeylessRandom { bucket }, version, Reason::Keyless, None)
            }
        }
    };
    let stopped = rollout.versions.get(chosen).is_none_or(|version| version.stopped);
    let (version, reason) = if stopped { (rollout.baseline, Reason::Stopped) } else { (chosen, reason) };
    let decision = Decision { rollout: index, version, reason, compare: reason == Reason::Split, shard };
    Explanation { decision, choice, chosen }
}

/// The first override that holds, and the version it names.
fn overridden<'a, R: Request>(rollout: &'a Rollout, seen: &mut Seen<'a, R>) -> Option<(usize, usize)> {
    rollout.overrides.iter().enumerate().find_map(|(at, rule)| {
        let header = key::value(seen.header(rule.header.as_str())?)?;
        let asks = |value: &String| {
            let value = value.as_bytes();
            header == value || header.split(|&b| b == b',').any(|item| item.trim_ascii() == value)
        };
        rule.values.iter().any(asks).then_some((at, rule.version))
    })
}

/// The first key there is, and which of the rollout's sources it came from.
fn find_key<'a, R: Request>(rollout: &'a Rollout, seen: &mut Seen<'a, R>) -> Option<(usize, Vec<u8>)> {
    rollout.keys.iter().enumerate().find_map(|(at, key)| {
        let value: Cow<'_, [u8]> = match &key.source {
            Source::Header(name) => key::value(seen.header(name.as_str())?)?.into(),
            Source::Cookie(name) => key::cookie(seen.header("cookie")?, name.as_bytes())?.into(),
            Source::Query(name) => key::query(seen.header(":path")?, name.as_bytes())?.into(),
            Source::Metadata(path) => seen.request.metadata(path)?.into(),
        };
        (!value.is_empty()).then(|| (at, value.into_owned()))
    })
}

fn first_mismatch<'a, R: Request>(matcher: &'a Match, seen: &mut Seen<'a, R>) -> Option<Mismatch> {
    host_mismatch(matcher, seen)
        .or_else(|| path_mismatch(matcher, seen))
        .or_else(|| header_mismatch(matcher, seen))
}

/// The first thing of a match, its path apart, that does not hold.
fn other_mismatch<'a, R: Request>(matcher: &'a Match, seen: &mut Seen<'a, R>) -> Option<Mismatch> {
    host_mismatch(matcher, seen).or_else(|| header_mismatch(matcher, seen))
}

fn host_mismatch<'a, R: Request>(matcher: &'a Match, seen: &mut Seen<'a, R>) -> Option<Mismatch> {
    if !matcher.hosts.is_empty() {
        let authority = seen.header(":authority");
        let host = authority.map(host_of);
        if !matcher.hosts.iter().any(|pattern| host.is_some_and(|host| pattern.matches(host))) {
            return Some(Mismatch::Host(host.map(<[u8]>::to_vec)));
        }
    }
    None
}

fn path_mismatch<'a, R: Request>(matcher: &'a Match, seen: &mut Seen<'a, R>) -> Option<Mismatch> {
    if let Some(prefix) = &matcher.path_prefix {
        let path = seen.header(":path");
        if !path.is_some_and(|path| path.starts_with(prefix.as_bytes())) {
            return Some(Mismatch::Path(path.map(<[u8]>::to_vec)));
        }
    }
    None
}

fn header_mismatch<'a, R: Request>(matcher: &'a Match, seen: &mut Seen<'a, R>) -> Option<Mismatch> {
    matcher.headers.iter().enumerate().find_map(|(index, (name, value))| {
        let found = seen.header(name.as_str()).and_then(key::value);
        let holds = found == Some(value.as_bytes());
        (!holds).then(|| Mismatch::Header { index, found: found.map(<[u8]>::to_vec) })
    })
}

impl HostPattern {
    /// Whether a host, without its port, is meant.
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

/// An authority without its port. The colons of an IPv6 address are inside its brackets.
fn host_of(authority: &[u8]) -> &[u8] {
    let colon = authority.iter().rposition(|&b| b == b':');
    match colon.and_then(|at| authority.split_at_checked(at)) {
        Some((host, port)) if !port.contains(&b']') => host,
        _ => authority,
    }
}

/// A request of which each header is read at most once.
struct Seen<'a, R> {
    request: &'a R,
    headers: Vec<(&'a str, Option<Vec<u8>>)>,
}

impl<'a, R: Request> Seen<'a, R> {
    fn header(&mut self, name: &'a str) -> Option<&[u8]> {
        let at = self.headers.iter().position(|(read, _)| *read == name).unwrap_or_else(|| {
            self.headers.push((name, self.request.header(name)));
            self.headers.len().saturating_sub(1)
        });
        self.headers.get(at)?.1.as_deref()
    }
}
