//! Where a release's transitions are told: a line on standard output, notices, the journal.

use crate::analysis::Analysis;
use crate::controller::{Hold, State};
use crate::error::io_words;
use crate::io::World;
use crate::io::notices::{Notice, Receiver};
use crate::release_record::Record;
use crate::verdict_json;
use llm_canary::timestamp::{UnixMs, rfc3339};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// Who goes to and fro between being held and going on is not told of it more often.
const TO_AND_FRO: Duration = Duration::from_secs(600);
/// So many different warnings are said.
const SAID_MAX: usize = 100;
/// Notices are waited for at the end.
const FLUSH: Duration = Duration::from_secs(6);

/// A line with its time, to the second.
fn timed(at: UnixMs, words: &str) -> String {
    format!("{} {words}", rfc3339(at.saturating_sub(at % 1_000)))
}

/// Who is told.
pub(super) struct Outlets {
    pub(super) json: bool,
    pub(super) receivers: Vec<Receiver>,
    pub(super) journal: Option<PathBuf>,
    /// Whether the last record is not, or not wholly, in the journal.
    is_torn: bool,
    /// When notices of this kind were sent last.
    notified: BTreeMap<String, Duration>,
    /// Words that were said already.
    said: Vec<String>,
}

impl Outlets {
    pub(super) fn new(json: bool, receivers: Vec<Receiver>, journal: Option<PathBuf>) -> Self {
        Self { json, receivers, journal, is_torn: false, notified: BTreeMap::new(), said: Vec::new() }
    }

    /// Tells of a transition.
    pub(super) fn announce(
        &mut self,
        record: &Record,
        state: Option<&State>,
        analysis: Option<&Analysis>,
        world: &mut World<'_>,
    ) {
        let value = record.value();
        let line = if self.json { value.to_string() } else { timed(record.at, &record.text) };
        self.print(&line, world);
        if self.is_news(record, state, world) {
            self.notify(record, &value, world);
        }
        self.record(value, analysis, world);
    }

    /// Says to people, with the time, what no program reads.
    pub(super) fn say(&self, words: &str, world: &mut World<'_>) {
        if !self.json {
            world.say(&timed(world.clock.now(), words));
        }
    }

    /// Writes a line of data. What cannot be written must not hold a release up.
    pub(super) fn print(&mut self, line: &str, world: &mut World<'_>) {
        let printed = world.print(line).and_then(|()| world.out.flush());
        if let Err(error) = printed {
            self.say_once(format!("warning: standard output {}; the run goes on", io_words(&error)), world);
        }
    }

    /// Adds a record to the journal, with the figures of the look.
    pub(super) fn record(&mut self, mut value: Value, analysis: Option<&Analysis>, world: &mut World<'_>) {
        let Some(journal) = self.journal.clone() else { return };
        if let (Some(members), Some(analysis)) = (value.as_object_mut(), analysis) {
            members.insert("judgement".to_owned(), verdict_json::object(analysis));
        }
        // What was cut off becomes a line of its own.
        let start = if self.is_torn { "\n" } else { "" };
        let written = world.files.append(&journal, format!("{start}{value}\n").as_bytes());
        self.is_torn = written.is_err();
        if let Err(error) = written {
            let words = io_words(&error);
            self.say_once(
                format!(
                    "warning: --journal {}: it {words}; the run goes on, and records are lost",
                    journal.display()
                ),
                world,
            );
        }
    }

    fn notify(&mut self, record: &Record, value: &Value, world: &mut World<'_>) {
        let notice = Notice { event: record.event.clone(), json: value.to_string() };
        let lost: Vec<String> = self
            .receivers
            .iter()
            .filter_map(|receiver| world.notices.send(receiver, &notice).err())
            .collect();
        for words in lost {
            self.say_once(format!("warning: {words}"), world);
        }
    }

    /// Whether this should be notified of, too: a source that answers every other time must not wake anybody each minute.
    fn is_news(&mut self, record: &Record, state: Option<&State>, world: &World<'_>) -> bool {
        let key = match state {
            Some(State::Held(_, hold)) => format!("held {} {}", Hold::name(hold), record.percent),
            Some(State::Ramping(_)) => format!("ramping {}", record.percent),
            // An approval is news.
            Some(State::Waiting(place)) => format!("waiting {} {}", place.is_approved, record.percent),
            _ => return true,
        };
        let now = world.clock.elapsed();
        let last = self.notified.insert(key.clone(), now);
        match last {
            Some(last) if now.saturating_sub(last) < TO_AND_FRO => {
                self.notified.insert(key, last);
                false
            }
            _ => true,
        }
    }

    /// Says which notices were not delivered.
    pub(super) fn say_failures(&mut self, world: &mut World<'_>) {
        for words in world.notices.failures() {
            self.say_once(format!("warning: {words}"), world);
        }
    }

    fn say_once(&mut self, words: String, world: &mut World<'_>) {
        if self.said.len() < SAID_MAX && !self.said.contains(&words) {
            world.say(&words);
            self.said.push(words);
        }
    }

    /// Tells that a run did not begin.
    pub(super) fn not_started(&mut self, text: &str, world: &mut World<'_>) {
        let notice = json!({"event": "not_started", "text": text, "exit_code": crate::error::INPUT_ERROR});
        let notice = Notice { event: "not_started".to_owned(), json: notice.to_string() };
        for receiver in &self.receivers {
            if let Err(words) = world.notices.send(receiver, &notice) {
                world.say(&format!("warning: {words}"));
            }
        }
        self.finish(world);
    }

    /// Gives notices a last chance.
    pub(super) fn finish(&mut self, world: &mut World<'_>) {
        if self.receivers.is_empty() {
            return;
        }
        let left = world.notices.flush(FLUSH);
        self.say_failures(world);
        if left > 0 {
            world.say(&format!("warning: {left} notices were not delivered"));
        }
    }
}
