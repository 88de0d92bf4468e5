//! What the steps of a rollout do to a set of keys: shares, and conversations that move.
//!
//! In: a rollout, and keys one at a time. Out: a [`Simulation`], for JSON or as a [`table`].

pub(crate) mod table;

use llm_canary::config::{KeyKind, Rollout, Version};
use llm_canary::timestamp::{UnixMs, of_id, rfc3339};
use serde::Serialize;

/// What the steps of one rollout do to a set of keys.
#[derive(Serialize)]
pub(crate) struct Simulation<'a> {
    rollout: &'a str,
    baseline: &'a str,
    stopped: Vec<&'a str>,
    keys: u64,
    /// Keys that contain the start time of their conversation.
    timed_keys: u64,
    steps: Vec<StepReport<'a>>,
}

/// One step, or the time before the first.
#[derive(Serialize)]
struct StepReport<'a> {
    /// `None`: the time before the first step.
    from: Option<String>,
    in_force: bool,
    versions: Vec<VersionShare<'a>>,
    /// Keys without a start time that get another version with this step.
    moves: u64,
    /// Keys with a start time whose bucket gets another version. They keep theirs.
    held: u64,
}

/// What one version serves of the conversations that begin under a step.
#[derive(Serialize)]
struct VersionShare<'a> {
    version: &'a str,
    /// The share of the step.
    percent: f64,
    /// The share of the keys.
    measured_percent: f64,
    keys: u64,
}

/// Counts the keys of one rollout.
pub(crate) struct KeyCounts<'a> {
    rollout: &'a Rollout,
    /// A user's key lives for years, so the filter never reads its time.
    reads_time: bool,
    keys: u64,
    timed_keys: u64,
    /// The time before the first step, and each step.
    steps: Vec<StepCounts>,
}

#[derive(Clone)]
struct StepCounts {
    /// Keys of each version.
    versions: Vec<u64>,
    moves: u64,
    held: u64,
}

/// A made-up key, the same for the same seed and number: `SplitMix64` of both.
pub(crate) fn synthetic_key(seed: u64, number: u64) -> String {
    let mut z = seed.rotate_left(32).wrapping_add(number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    format!("c-{:016x}", z ^ (z >> 31))
}

impl<'a> KeyCounts<'a> {
    pub(crate) fn new(rollout: &'a Rollout) -> Self {
        let empty = StepCounts { versions: vec![0; rollout.versions.len()], moves: 0, held: 0 };
        Self {
            rollout,
            reads_time: rollout.keys.iter().any(|key| key.kind == KeyKind::Conversation),
            keys: 0,
            timed_keys: 0,
            steps: vec![empty; rollout.steps.count() + 1],
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.keys == 0
    }

    pub(crate) fn add(&mut self, key: &[u8]) {
        let bucket = self.rollout.scheme.bucket(key);
        let is_timed = self.reads_time && of_id(key).is_some();
        self.keys += 1;
        self.timed_keys += u64::from(is_timed);
        let mut before = None;
        for (taken, counts) in self.steps.iter_mut().enumerate() {
            let version = serving_version(self.rollout, self.rollout.steps.split(taken).version(bucket));
            if let Some(count) = counts.versions.get_mut(version) {
                *count += 1;
            }
            if before.is_some_and(|before| before != version) {
                *if is_timed { &mut counts.held } else { &mut counts.moves } += 1;
            }
            before = Some(version);
        }
    }

    /// The result; the step in force at `at` is marked.
    pub(crate) fn simulation(&self, at: UnixMs) -> Simulation<'a> {
        let rollout = self.rollout;
        let in_force = rollout.steps.taken_by(at);
        let report = |(taken, counts): (usize, &StepCounts)| StepReport {
            from: taken
                .checked_sub(1)
                .and_then(|step| rollout.steps.steps().get(step))
                .map(|step| rfc3339(step.at)),
            in_force: taken == in_force,
            versions: self.shares(taken, &counts.versions),
            moves: counts.moves,
            held: counts.held,
        };
        // No conversation began before the epoch, so a step at the epoch has always been in force.
        let has_always_held = rollout.steps.steps().first().is_some_and(|step| step.at == 0);
        let mut steps: Vec<StepReport<'a>> =
            self.steps.iter().enumerate().skip(usize::from(has_always_held)).map(report).collect();
        if let Some(first) = steps.first_mut() {
            (first.from, first.moves, first.held) = (None, 0, 0);
        }
        let name = |version: usize| rollout.versions.get(version).map_or("", |version| version.name.as_str());
        Simulation {
            rollout: &rollout.name,
            baseline: name(rollout.baseline),
            stopped: rollout.versions.iter().filter(|v| v.stopped).map(|v| v.name.as_str()).collect(),
            keys: self.keys,
            timed_keys: self.timed_keys,
            steps,
        }
    }

    fn shares(&self, taken: usize, counts: &[u64]) -> Vec<VersionShare<'a>> {
        let split = self.rollout.steps.split(taken);
        let share = |(index, version): (usize, &'a Version)| {
            let owners = 0..self.rollout.versions.len();
            let served = owners.filter(|&owner| serving_version(self.rollout, owner) == index);
            let parts: u32 = served.map(|owner| split.parts(owner)).sum();
            let keys = counts.get(index).copied().unwrap_or_default();
            VersionShare {
                version: &version.name,
                percent: f64::from(parts) / 10_000.0,
                measured_percent: percent_of(keys, self.keys),
                keys,
            }
        };
        self.rollout.versions.iter().enumerate().map(share).collect()
    }
}

/// The version that serves the buckets of another: the baseline, if that one is stopped.
fn serving_version(rollout: &Rollout, owner: usize) -> usize {
    let is_stopped = rollout.versions.get(owner).is_none_or(|version| version.stopped);
    if is_stopped { rollout.baseline } else { owner }
}

fn percent_of(part: u64, whole: u64) -> f64 {
    part as f64 * 100.0 / whole.max(1) as f64
}
