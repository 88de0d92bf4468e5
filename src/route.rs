//! Which version serves a request.
//!
//! In: the configuration, a way to read the request, the time, and a random number for a request without a key.
//! Out: a [`Decision`], or none where no rollout is about the request, or that its body has to be read first.
//! A rule that applies is found in this order: override, pin, the split in force when the conversation began,
//! the split in force. A stopped version is never chosen: whatever named it, the baseline serves.
//!
//! A body that is read has to be waited for, so none is that the configuration does not ask for.
//!
//! Of several headers of one name Envoy shows a filter the first alone, and so the first counts; the pieces
//! in which HTTP/2 sends cookies arrive joined (both seen with Envoy 1.40).

mod matching;
mod pinned;
mod place;

use crate::bucket;
use crate::config::{Config, KeyKind, Keyless, Rollout};
use crate::label::label_values;
use crate::pointer::Fact;
use crate::split::{Range, Split};
use crate::timestamp::{self, UnixMs};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use matching::{caller_mismatch, first_mismatch};
pub use pinned::PinKind;
use place::value;

/// A conversation that says it began later than this from now says nothing: clocks differ by less.
const AHEAD_MS_MAX: UnixMs = 60 * 1000;
/// A conversation whose bucket changed hands so lately may have been moved by it.
const UNHELD_MS: UnixMs = 24 * 60 * 60 * 1000;

/// What a decision may read of a request.
pub trait Request {
    /// The value of a header, of `:path` or of `:authority`; `None` where there is none.
    fn header(&self, name: &str) -> Option<&[u8]>;
    /// A value of dynamic metadata: the filter's namespace, then the keys below it.
    fn metadata(&self, path: &[String]) -> Option<Vec<u8>>;
    /// The value in its body at one of [`Config::pointers`].
    fn body(&self, pointer: usize) -> Fact<'_>;
    /// What [`crate::fingerprint`] makes of its body.
    fn fingerprint(&self) -> Fact<'_>;
}

/// More of the request's body has to be read before its version can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyNeeded;

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
    /// Whether nothing held the conversation, if it was running already, while its bucket changed hands in the
    /// last 24 hours.
    pub is_unheld: bool,
}

label_values! {
    /// Which rule chose a version.
    pub enum Reason {
        /// A header asked for it.
        Override = "override",
        /// What the client sent back named it.
        Pin = "pin",
        /// The key's bucket was the version's when the conversation began.
        Started = "started",
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
    /// A pin.
    Pin(PinKind),
    /// A key's place on the line.
    Key {
        /// Where the key was found, as an index into the rollout's keys.
        source: usize,
        /// The key.
        key: Vec<u8>,
        /// Its place on the line.
        bucket: u32,
        /// When the conversation began, where that is known.
        began: Option<UnixMs>,
        /// How many steps had been taken by then, or else by now.
        taken: usize,
    },
    /// No key, and the baseline serves those.
    KeylessBaseline,
    /// No key, and a random place on the line.
    KeylessRandom {
        /// The place drawn.
        bucket: u32,
        /// How many steps have been taken by now.
        taken: usize,
    },
}

impl Choice {
    /// The place on the line, where one was looked up.
    #[must_use]
    pub fn bucket(&self) -> Option<u32> {
        match self {
            Self::Key { bucket, .. } | Self::KeylessRandom { bucket, .. } => Some(*bucket),
            Self::Override(_) | Self::Pin(_) | Self::KeylessBaseline => None,
        }
    }

    /// The split it was looked up on.
    #[must_use]
    pub fn split<'r>(&self, rollout: &'r Rollout) -> Option<&'r Split> {
        match self {
            Self::Key { taken, .. } | Self::KeylessRandom { taken, .. } => Some(rollout.steps.split(*taken)),
            Self::Override(_) | Self::Pin(_) | Self::KeylessBaseline => None,
        }
    }

    /// The stretch of the line that place lies in.
    #[must_use]
    pub fn range(&self, rollout: &Rollout) -> Option<Range> {
        self.split(rollout)?.range(self.bucket()?)
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
    /// The body asks for another model, or for none.
    Model(Option<Vec<u8>>),
}

/// Decides which version serves a request. `None`: no rollout is about it.
///
/// # Errors
/// More of its body has to be read first.
pub fn decide(
    config: &Config,
    request: &impl Request,
    now: UnixMs,
    random: impl FnOnce() -> u32,
) -> Result<Option<Decision>, BodyNeeded> {
    Ok(explain(config, request, now, random)?.map(|explanation| explanation.decision))
}

/// The same with the steps that led to it.
///
/// # Errors
/// More of its body has to be read first.
pub fn explain(
    config: &Config,
    request: &impl Request,
    now: UnixMs,
    random: impl FnOnce() -> u32,
) -> Result<Option<Explanation>, BodyNeeded> {
    let mut random = Some(random);
    let mut draw = || random.take().map_or(0, |random| random());
    for (index, rollout) in config.rollouts.iter().enumerate() {
        if first_mismatch(rollout, request)?.is_none() {
            return choose(rollout, index, request, now, &mut draw).map(Some);
        }
    }
    Ok(None)
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
/// match holds but for what it says of requests to models.
///
/// # Errors
/// More of its body has to be read first.
pub fn feedback(
    config: &Config,
    request: &impl Request,
    now: UnixMs,
) -> Result<Option<Feedback>, BodyNeeded> {
    if config.rollouts.iter().all(|rollout| rollout.feedback.is_none()) {
        return Ok(None);
    }
    let Some(path) = request.header(":path") else { return Ok(None) };
    let path = path.split(|&b| b == b'?').next().unwrap_or_default();
    let about = config.rollouts.iter().enumerate().find(|(_, rollout)| {
        let is_path = rollout.feedback.as_ref().is_some_and(|feedback| feedback.path.as_bytes() == path);
        is_path && caller_mismatch(&rollout.matcher, request).is_none()
    });
    let Some((index, rollout)) = about.filter(|_| request.header(":method") == Some(b"POST")) else {
        return Ok(None);
    };
    let Explanation { decision, choice, .. } = choose(rollout, index, request, now, &mut || 0)?;
    let is_drawn = matches!(choice, Choice::KeylessRandom { .. });
    Ok(Some(if is_drawn { Feedback::OnNone { rollout: index } } else { Feedback::On(decision) }))
}

/// Why a rollout is not about a request; `None` where it is.
///
/// # Errors
/// More of its body has to be read first.
pub fn mismatch(rollout: &Rollout, request: &impl Request) -> Result<Option<Mismatch>, BodyNeeded> {
    first_mismatch(rollout, request)
}

fn choose(
    rollout: &Rollout,
    index: usize,
    request: &impl Request,
    now: UnixMs,
    random: &mut dyn FnMut() -> u32,
) -> Result<Explanation, BodyNeeded> {
    let taken_now = rollout.steps.taken_by(now);
    let mut shard = None;
    let mut is_unheld = false;
    let mut is_current = false;
    let (choice, chosen, reason) = if let Some((at, version)) = overridden(rollout, request) {
        (Choice::Override(at), version, Reason::Override)
    } else if let Some((kind, version)) = pinned::version(rollout, request)? {
        (Choice::Pin(kind), version, Reason::Pin)
    } else if let Some((source, key)) = find_key(rollout, request)? {
        let bucket = bucket::bucket(&rollout.salt, &key);
        shard = Some(bucket::shard(&key));
        let began =
            began(rollout, source, &key, request)?.filter(|&began| began <= now.saturating_add(AHEAD_MS_MAX));
        let taken = began.map_or(taken_now, |began| rollout.steps.taken_by(began));
        is_current = taken == taken_now;
        is_unheld = began.is_none() && rollout.steps.has_moved(bucket, now.saturating_sub(UNHELD_MS), now);
        let reason = if began.is_some() { Reason::Started } else { Reason::Split };
        let version = rollout.steps.split(taken).version(bucket);
        (Choice::Key { source, key, bucket, began, taken }, version, reason)
    } else {
        match rollout.keyless {
            Keyless::Baseline => (Choice::KeylessBaseline, rollout.baseline, Reason::Keyless),
            Keyless::Random => {
                let bucket = bucket::scale(random());
                let version = rollout.steps.split(taken_now).version(bucket);
                (Choice::KeylessRandom { bucket, taken: taken_now }, version, Reason::Keyless)
            }
        }
    };
    let is_stopped = rollout.versions.get(chosen).is_none_or(|version| version.stopped);
    let decision = if is_stopped {
        let version = rollout.baseline;
        Decision { rollout: index, version, reason: Reason::Stopped, compare: false, shard, is_unheld: false }
    } else {
        Decision { rollout: index, version: chosen, reason, compare: is_current, shard, is_unheld }
    };
    Ok(Explanation { decision, choice, chosen })
}

/// When the conversation began, as the request or its key says.
fn began(
    rollout: &Rollout,
    source: usize,
    key: &[u8],
    request: &impl Request,
) -> Result<Option<UnixMs>, BodyNeeded> {
    if let Some(source) = &rollout.started_at
        && let Some(began) = value(request, source)?.as_deref().and_then(timestamp::parse)
    {
        return Ok(Some(began));
    }
    // A user's id tells when the user came, years ago perhaps.
    let is_conversation = rollout.keys.get(source).is_some_and(|key| key.kind == KeyKind::Conversation);
    Ok(if is_conversation { timestamp::of_id(key) } else { None })
}

/// The first override that holds, and the version it names.
fn overridden(rollout: &Rollout, request: &impl Request) -> Option<(usize, usize)> {
    rollout.overrides.iter().enumerate().find_map(|(at, rule)| {
        let header = crate::key::value(request.header(rule.header.as_str())?)?;
        let asks = |value: &String| {
            let value = value.as_bytes();
            header == value || header.split(|&b| b == b',').any(|item| item.trim_ascii() == value)
        };
        rule.values.iter().any(asks).then_some((at, rule.version))
    })
}

/// The first key there is, and which of the rollout's sources it came from.
fn find_key(rollout: &Rollout, request: &impl Request) -> Result<Option<(usize, Vec<u8>)>, BodyNeeded> {
    for (at, key) in rollout.keys.iter().enumerate() {
        if let Some(value) = value(request, &key.source)? {
            return Ok(Some((at, value)));
        }
    }
    Ok(None)
}
