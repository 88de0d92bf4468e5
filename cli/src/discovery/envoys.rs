//! Which Envoy runs which version, by what it asks.
//!
//! An Envoy is told by its name and its address, because names are often left the same. It has a row for each resource, because Envoy
//! asks for each by itself.

use super::Counts;
use super::asked::Asked;
use super::offer::Offer;
use std::collections::BTreeMap;
use std::time::Duration;

/// So many rows are kept. Of more, those that were seen longest ago are forgotten.
pub(super) const ROWS_MAX: usize = 4_096;
/// So many events wait to be told.
const EVENTS_MAX: usize = 1_000;
/// So often an Envoy asks with the old version after it was given the new one. Once may be an answer that was lost.
const AGAIN_MAX: u32 = 2;
/// An Envoy that has not asked for so long, or for three times as long as it usually takes, is silent; and then it is forgotten.
const SILENT_AFTER: Duration = Duration::from_secs(30);
const FORGOTTEN_AFTER: Duration = Duration::from_secs(600);

/// Every Envoy that asks.
#[derive(Debug, Default)]
pub(crate) struct Envoys {
    rows: BTreeMap<Key, Row>,
    events: Vec<Event>,
    pub(super) counts: Counts,
    variant: u16,
}

/// Name, address, and the resources that are asked for.
type Key = (String, String, String);

/// What is known of one Envoy and one resource.
#[derive(Clone, Debug, Default)]
pub(super) struct Row {
    pub(super) cluster: String,
    pub(super) envoy: String,
    /// The version that it took last; empty: none yet.
    pub(super) runs: String,
    /// The version that it was given, while it does not run it, and how often it has asked with another since.
    given: Option<(String, u32)>,
    /// Whether no file has what it asks for.
    is_unknown: bool,
    pub(super) seen: Duration,
    /// Between its last two requests.
    gap: Duration,
}

/// How an Envoy stands to what is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum State {
    /// It runs it.
    Current,
    /// It has not said yet that it runs it.
    Behind,
    /// It was given it, and goes on asking.
    Refused,
    /// It asks for a resource that is not served.
    Unserved,
    /// It has not asked for a while.
    Silent,
}

/// What is worth a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// It was given a version, and has asked twice since without taking it.
    Refused { envoy: String, resource: String, version: String, runs: String },
    /// It runs a version after it had refused one.
    Mended { envoy: String, resource: String, version: String },
    /// It asks for what no file has.
    Unserved { envoy: String, resource: String },
}

impl State {
    pub(crate) const ALL: [State; 5] =
        [State::Current, State::Behind, State::Refused, State::Unserved, State::Silent];

    /// Its word in JSON, and the value of a metric's label.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Behind => "behind",
            Self::Refused => "refused",
            Self::Unserved => "unserved",
            Self::Silent => "silent",
        }
    }
}

impl Row {
    fn is_refusing(&self) -> bool {
        self.given.as_ref().is_some_and(|(_, again)| *again >= AGAIN_MAX)
    }

    /// How it stands to the version that is served.
    pub(super) fn state(&self, served: Option<&str>, now: Duration) -> State {
        if now.saturating_sub(self.seen) >= SILENT_AFTER.max(self.gap.saturating_mul(3)) {
            return State::Silent;
        }
        let Some(served) = served else { return State::Unserved };
        let was_given = self.given.as_ref().is_some_and(|(given, _)| given == served);
        // What it was given meanwhile it may have taken, also if it is another version by now.
        match (self.runs == served, &self.given) {
            (true, None) => State::Current,
            (false, Some(_)) if was_given && self.is_refusing() => State::Refused,
            _ => State::Behind,
        }
    }
}

impl Envoys {
    /// None known. Answers differ from those of a server before, of which an Envoy may remember one, by this number.
    pub(crate) fn new(variant: u16) -> Self {
        Self { variant, ..Self::default() }
    }

    /// A number for the next answer.
    pub(super) fn next_variant(&mut self) -> u16 {
        self.variant = self.variant.wrapping_add(1);
        self.variant
    }

    /// An Envoy asks for what is served in this version.
    pub(super) fn saw(&mut self, asked: &Asked, peer: &str, served: &str, now: Duration) {
        let (key, row) = self.row(asked, peer, now);
        let was_refusing = row.is_refusing();
        row.is_unknown = false;
        if asked.version == served {
            row.given = None;
        } else {
            let again = match row.given.take() {
                Some((given, again)) if given == served => again.saturating_add(1),
                _ => 0,
            };
            row.given = Some((served.to_owned(), again));
        }
        let is_refusing = row.is_refusing();
        let (envoy, resource, version) = (shown(&key), key.2, served.to_owned());
        match (was_refusing, is_refusing) {
            (false, true) => {
                self.tell(Event::Refused { envoy, resource, version, runs: asked.version.clone() });
            }
            (true, false) if asked.version == served => self.tell(Event::Mended { envoy, resource, version }),
            _ => {}
        }
    }

    /// An Envoy asks for what is not served; `is_unknown` if no file can have it.
    pub(super) fn saw_unserved(&mut self, asked: &Asked, peer: &str, is_unknown: bool, now: Duration) {
        let (key, row) = self.row(asked, peer, now);
        row.given = None;
        let was_told = std::mem::replace(&mut row.is_unknown, is_unknown);
        if is_unknown && !was_told {
            let (envoy, resource) = (shown(&key), key.2);
            self.tell(Event::Unserved { envoy, resource });
        }
    }

    /// What was not told yet.
    pub(crate) fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// The rows that are not forgotten yet, with how each stands.
    pub(super) fn rows<'a>(
        &'a mut self,
        offer: &'a Offer,
        now: Duration,
    ) -> impl Iterator<Item = (&'a Key, &'a Row, State)> {
        self.rows
            .retain(|_, row| now.saturating_sub(row.seen) < FORGOTTEN_AFTER.max(row.gap.saturating_mul(6)));
        self.rows.iter().map(move |(key, row)| (key, row, row.state(offer.version_of(&key.2), now)))
    }

    /// The row of an Envoy, as it asks now.
    fn row(&mut self, asked: &Asked, peer: &str, now: Duration) -> (Key, &mut Row) {
        let key = key(asked, peer);
        if !self.rows.contains_key(&key) && self.rows.len() >= ROWS_MAX {
            let oldest = self.rows.iter().min_by_key(|(_, row)| row.seen).map(|(key, _)| key.clone());
            oldest.and_then(|oldest| self.rows.remove(&oldest));
        }
        let is_known = self.rows.contains_key(&key);
        let row = self.rows.entry(key.clone()).or_default();
        if is_known {
            row.gap = now.saturating_sub(row.seen);
        }
        row.seen = now;
        (row.cluster, row.envoy, row.runs) =
            (asked.cluster.clone(), asked.envoy.clone(), asked.version.clone());
        (key, row)
    }

    fn tell(&mut self, event: Event) {
        // Where nobody takes them, the loop is stuck, and the table says the same.
        if self.events.len() < EVENTS_MAX {
            self.events.push(event);
        }
    }
}

fn key(asked: &Asked, peer: &str) -> Key {
    (asked.id.clone(), peer.to_owned(), asked.names.join(", "))
}

/// An Envoy as it is named in words.
fn shown((id, address, _): &Key) -> String {
    format!("{id} ({address})")
}
