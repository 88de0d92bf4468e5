//! Which version serves a request.
//!
//! In: the configuration, access to the request, the time, and a random number. Out: a [`Decision`]; `None` if no rollout
//! matches; or [`BodyNeeded`]. The first rule that applies decides: an override, a pin, the split that was in force when
//! the conversation began, the split in force now. A stopped version is never chosen; the baseline serves instead.
//!
//! Reading a body makes a request wait, so only what the configuration names is read of it.

mod matching;
mod metadata;
mod pinned;
mod source;

use crate::bucket;
use crate::config::{Config, KeyKind, Keyless, Rollout};
use crate::key;
use crate::label::label_values;
use crate::operation;
use crate::pointer::Fact;
use crate::split::{Range, Split};
use crate::timestamp::{self, FIRST_MS, UnixMs};
use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use matching::{caller_mismatch, first_mismatch};
pub use pinned::PinKind;

/// A start time that is further ahead of the clock does not count. Clocks should differ by less.
const AHEAD_MS_MAX: UnixMs = 60 * 1000;
/// A conversation without a start time may have changed its version if its bucket has within this time.
const UNHELD_MS: UnixMs = 24 * 60 * 60 * 1000;

/// Access to a request.
pub trait Request {
    /// The value of a header, of `:path` or of `:authority`. Several lines of a header are one value, as
    /// [`crate::key::joined`] makes it.
    fn header(&self, name: &str) -> Option<Cow<'_, [u8]>>;
    /// A value of dynamic metadata: a filter's namespace, then the keys below it. A string as it is, a number as the eight
    /// bytes of a double, little-endian, and a truth value as one byte.
    fn metadata(&self, path: &[String]) -> Option<Vec<u8>>;
    /// The value in the body at one of [`Config::pointers`].
    fn body(&self, pointer: usize) -> Fact<'_>;
    /// The [`crate::fingerprint`] of the body.
    fn fingerprint(&self) -> Fact<'_>;
}

/// The version depends on a part of the request's body that has not been read.
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
    /// Whether the request asks a model for an answer, by its method and path.
    pub asks_for_answer: bool,
    /// Whether it does so, and its version was chosen at random by the split in force now. Only such requests may be
    /// compared with those of another version.
    pub compare: bool,
    /// Whether its answer may give the client a pin: the request belongs to a conversation, or to a random version.
    pub gives_pin: bool,
    /// The shard in which the request is counted; `None` without a key.
    pub shard: Option<u32>,
    /// Whether the conversation may have changed its version: its bucket did in the last 24 hours, and neither a start
    /// time nor a pin held the conversation.
    pub is_unheld: bool,
    /// Whether the request has a start time that cannot be read.
    pub has_invalid_start: bool,
}

label_values! {
    /// Which rule chose a version.
    pub enum Reason {
        /// An override names it.
        Override = "override",
        /// A pin names it.
        Pin = "pin",
        /// The key's bucket belonged to it when the conversation began.
        Started = "started",
        /// The key's bucket belongs to it now, or Envoy's own routes chose it and the rollout only observes.
        Split = "split",
        /// The request has no key.
        Keyless = "keyless",
        /// It is the baseline, and the version that a rule chose is stopped.
        Stopped = "stopped",
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A decision and how it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The decision.
    pub decision: Decision,
    /// What chose a version.
    pub choice: Choice,
    /// The version that was chosen. If it is stopped, the decision has the baseline instead.
    pub chosen: usize,
}

/// What chose a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// An override, as an index into the rollout's overrides.
    Override(usize),
    /// A pin.
    Pin(PinKind),
    /// The bucket of a key.
    Key {
        /// Where the key was found, as an index into the rollout's keys.
        source: usize,
        /// The key.
        key: Vec<u8>,
        /// Its bucket.
        bucket: u32,
        /// When the conversation began, if that is known.
        started_at: Option<UnixMs>,
        /// What the request has as its start time, if that cannot be read.
        invalid_start: Option<Vec<u8>>,
        /// How many steps had taken effect then; if it is not known, how many have now.
        steps_taken: usize,
    },
    /// No key, and the rollout sends such requests to the baseline.
    KeylessBaseline,
    /// No key, and the rollout gives such requests a random bucket.
    KeylessRandom {
        /// The random bucket.
        bucket: u32,
        /// How many steps have taken effect by now.
        steps_taken: usize,
    },
    /// Envoy's own routes, which the rollout only observes. The version is known when the response arrives; until then
    /// the decision has the baseline.
    Observed,
}

impl Choice {
    /// The bucket, if there is one.
    #[must_use]
    pub fn bucket(&self) -> Option<u32> {
        match self {
            Self::Key { bucket, .. } | Self::KeylessRandom { bucket, .. } => Some(*bucket),
            Self::Override(_) | Self::Pin(_) | Self::KeylessBaseline | Self::Observed => None,
        }
    }

    /// The split that gave the bucket its version.
    #[must_use]
    pub fn split<'r>(&self, rollout: &'r Rollout) -> Option<&'r Split> {
        match self {
            Self::Key { steps_taken, .. } | Self::KeylessRandom { steps_taken, .. } => {
                Some(rollout.steps.split(*steps_taken))
            }
            Self::Override(_) | Self::Pin(_) | Self::KeylessBaseline | Self::Observed => None,
        }
    }

    /// The range that contains the bucket.
    #[must_use]
    pub fn range(&self, rollout: &Rollout) -> Option<Range> {
        self.split(rollout)?.range(self.bucket()?)
    }
}

/// The first condition of a match that does not hold, with the request's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// The host is another.
    Host(Option<Vec<u8>>),
    /// The path does not begin with the prefix.
    Path(Option<Vec<u8>>),
    /// A header has another value.
    Header {
        /// An index into the match's headers.
        index: usize,
        /// The header's value.
        found: Option<Vec<u8>>,
    },
    /// The body names another model, or none.
    Model(Option<Vec<u8>>),
}

/// Decides which version serves a request. `None`: no rollout matches it.
///
/// # Errors
/// The decision depends on more of the body.
pub fn decide(
    config: &Config,
    request: &impl Request,
    now: UnixMs,
    random: impl FnOnce() -> u32,
) -> Result<Option<Decision>, BodyNeeded> {
    Ok(explain(config, request, now, random)?.map(|explanation| explanation.decision))
}

/// Like [`decide`], and explains how the decision was made.
///
/// # Errors
/// The decision depends on more of the body.
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

/// What a feedback request rates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feedback {
    /// A conversation. The decision has the version that serves it now.
    On(Decision),
    /// The request has no key, and the rollout gives such requests a random bucket. So the version is unknown.
    OnNone {
        /// An index into the configuration's rollouts.
        rollout: usize,
    },
}

/// What a request rates; `None` if it is no feedback. It is feedback of the first rollout with that feedback path whose
/// conditions on hosts and headers hold. The other conditions are about requests to models.
///
/// # Errors
/// The decision depends on more of the body.
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
    let matching = config.rollouts.iter().enumerate().find(|(_, rollout)| {
        let is_path = rollout.feedback.as_ref().is_some_and(|feedback| feedback.path.as_bytes() == path);
        is_path && rollout.observe.is_none() && caller_mismatch(&rollout.matcher, request).is_none()
    });
    let is_post = || request.header(":method").as_deref() == Some(b"POST");
    let Some((index, rollout)) = matching.filter(|_| is_post()) else { return Ok(None) };
    let Explanation { decision, choice, .. } = choose(rollout, index, request, now, &mut || 0)?;
    let is_drawn = matches!(choice, Choice::KeylessRandom { .. });
    Ok(Some(if is_drawn { Feedback::OnNone { rollout: index } } else { Feedback::On(decision) }))
}

/// Why a rollout does not match a request; `None` if it does.
///
/// # Errors
/// The answer depends on more of the body.
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
    let asks_for_answer = asks_for_answer(request);
    if let Some(observe) = rollout.observe {
        return Ok(observed(rollout, index, request, observe.is_random && asks_for_answer));
    }
    let steps_taken_now = rollout.steps.taken_by(now);
    let mut shard = None;
    let mut is_unheld = false;
    let mut is_current = false;
    let mut has_invalid_start = false;
    let (choice, chosen, reason) = if let Some((at, version)) = overridden(rollout, request) {
        (Choice::Override(at), version, Reason::Override)
    } else if let Some((kind, version)) = pinned::version(rollout, request)? {
        (Choice::Pin(kind), version, Reason::Pin)
    } else if let Some((source, key)) = find_key(rollout, request)? {
        let bucket = rollout.scheme.bucket(&key);
        shard = Some(bucket::shard(&key));
        let (start, invalid_start) = start_time(rollout, source, &key, request)?;
        let started_at = start.filter(|time| time.saturating_sub(now) <= AHEAD_MS_MAX);
        has_invalid_start = invalid_start.is_some();
        let steps_taken = started_at.map_or(steps_taken_now, |time| rollout.steps.taken_by(time));
        is_current = steps_taken == steps_taken_now;
        is_unheld =
            started_at.is_none() && rollout.steps.has_moved(bucket, now.saturating_sub(UNHELD_MS), now);
        let reason = if started_at.is_some() { Reason::Started } else { Reason::Split };
        let version = rollout.steps.split(steps_taken).version(bucket);
        (Choice::Key { source, key, bucket, started_at, invalid_start, steps_taken }, version, reason)
    } else {
        match rollout.keyless {
            Keyless::Baseline => (Choice::KeylessBaseline, rollout.baseline, Reason::Keyless),
            Keyless::Random => {
                let bucket = bucket::scale(random());
                let version = rollout.steps.split(steps_taken_now).version(bucket);
                (Choice::KeylessRandom { bucket, steps_taken: steps_taken_now }, version, Reason::Keyless)
            }
        }
    };
    let has_conversation = !matches!(choice, Choice::Override(_) | Choice::KeylessBaseline);
    let is_stopped = rollout.versions.get(chosen).is_none_or(|version| version.stopped);
    let decision = Decision {
        rollout: index,
        version: if is_stopped { rollout.baseline } else { chosen },
        reason: if is_stopped { Reason::Stopped } else { reason },
        asks_for_answer,
        compare: is_current && asks_for_answer && !is_stopped,
        gives_pin: has_conversation && asks_for_answer,
        shard,
        is_unheld: is_unheld && !is_stopped,
        has_invalid_start,
    };
    Ok(Explanation { decision, choice, chosen })
}

/// The request of a rollout that observes. It does not wait, so its key is not looked for in its body.
fn observed(rollout: &Rollout, index: usize, request: &impl Request, compare: bool) -> Explanation {
    let key = rollout.keys.iter().find_map(|key| source::id(request, &key.source).ok().flatten());
    let decision = Decision {
        rollout: index,
        version: rollout.baseline,
        reason: Reason::Split,
        asks_for_answer: asks_for_answer(request),
        compare,
        gives_pin: false,
        shard: key.map(|key| bucket::shard(&key)),
        is_unheld: false,
        has_invalid_start: false,
    };
    Explanation { decision, choice: Choice::Observed, chosen: rollout.baseline }
}

/// Whether a request asks a model for an answer. An upgrade does not: what follows is another protocol.
fn asks_for_answer(request: &impl Request) -> bool {
    let method = request.header(":method").unwrap_or_default();
    let path = request.header(":path").unwrap_or_default();
    operation::asks_for_answer(&method, &path) && request.header("upgrade").is_none()
}

/// When the conversation began: a time in the request or in its key. Also what the request has as a time that cannot be
/// read.
fn start_time(
    rollout: &Rollout,
    source: usize,
    id: &[u8],
    request: &impl Request,
) -> Result<(Option<UnixMs>, Option<Vec<u8>>), BodyNeeded> {
    let mut invalid = None;
    if let Some(source) = &rollout.started_at
        && let Some(text) = source::text(request, source)?
    {
        // Servers and browsers escape cookies, and each does it in its own way.
        let is_escaped = text.contains(&b'%');
        let decoded =
            if is_escaped { Cow::Owned(key::decoded(&text).collect()) } else { Cow::Borrowed(&text[..]) };
        let time = timestamp::parse(&decoded);
        if time.is_some() {
            return Ok((time, None));
        }
        invalid = Some(text);
    }
    // The time in a user's id is when the user was created, which may be years ago.
    let is_conversation = rollout.keys.get(source).is_some_and(|key| key.kind == KeyKind::Conversation);
    let made_at = if is_conversation { timestamp::of_id(id) } else { None };
    Ok((made_at.filter(|&time| time >= FIRST_MS), invalid))
}

/// The first override that applies, and its version.
fn overridden(rollout: &Rollout, request: &impl Request) -> Option<(usize, usize)> {
    rollout.overrides.iter().enumerate().find_map(|(at, rule)| {
        let header = request.header(rule.header.as_str())?;
        let header = key::value(&header)?;
        let asks = |value: &String| {
            let value = value.as_bytes();
            header == value || header.split(|&b| b == b',').any(|item| item.trim_ascii() == value)
        };
        rule.values.iter().any(asks).then_some((at, rule.version))
    })
}

/// The first key with a value, and its index in the rollout's keys.
fn find_key(rollout: &Rollout, request: &impl Request) -> Result<Option<(usize, Vec<u8>)>, BodyNeeded> {
    for (at, key) in rollout.keys.iter().enumerate() {
        if let Some(value) = source::id(request, &key.source)? {
            return Ok(Some((at, value)));
        }
    }
    Ok(None)
}
