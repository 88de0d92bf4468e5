//! The journal of a release: lines of JSON, read with what is known of them.
//!
//! In: lines, as `run --journal` writes them, or another program. Out: events, and which lines are none. A line that cannot be read is
//! counted and named, and stops nothing: the page is wanted most when something went wrong.

use super::text::Text;
use llm_canary::timestamp::{parse_rfc3339, rfc3339};
use llm_canary_verdict::words::count;
use serde::Serialize;
use serde_json::{Map, Value};

/// So many events are kept, the last ones.
const EVENTS_MAX: usize = 100;
/// So many lines that are no events are named.
const NAMED_MAX: usize = 10;
/// So many reasons and figures of an event are kept.
const PARTS_MAX: usize = 12;

/// What a journal says.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Journal {
    /// In order of time; each version's JSON has its own.
    #[serde(skip)]
    pub(crate) events: Vec<Event>,
    /// How many came before those.
    pub(crate) earlier: u64,
    /// How many lines are no events.
    pub(crate) unread: u64,
    /// The first of these, in words.
    pub(crate) unread_lines: Vec<Text>,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Event {
    pub(crate) at: String,
    #[serde(skip)]
    pub(crate) at_ms: i64,
    /// Its number among all events, for its place on the page.
    #[serde(skip)]
    pub(crate) number: u64,
    /// What happened, in a word.
    pub(crate) event: Text,
    /// And in a sentence.
    pub(crate) text: Option<Text>,
    pub(crate) why: Vec<Text>,
    /// The share after it, in percent.
    pub(crate) percent: Option<f64>,
    /// The command that undoes it.
    pub(crate) undo: Option<Text>,
    /// Other members that are numbers or words.
    pub(crate) others: Vec<(Text, Text)>,
    #[serde(skip)]
    pub(crate) is_stop: bool,
    /// What the release came to by it, and stays at.
    #[serde(skip)]
    pub(super) decided: Option<Decided>,
    /// Whether it only would have happened.
    #[serde(skip)]
    pub(super) is_dry: bool,
    /// Whether nothing was done: a look found something new.
    #[serde(skip)]
    pub(crate) is_look: bool,
    /// Whose event it is; of all versions if it says none.
    #[serde(skip)]
    version: Option<String>,
}

/// What a release came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decided {
    Stopped,
    /// The plan is finished.
    Finished,
    /// Somebody else has changed the release.
    OtherHand,
}

/// What a version's events came to, with the event that says why; `None` while it is under way, or began again.
pub(super) fn decided(events: &[Event]) -> Option<(Decided, &Event)> {
    let mut events = events.iter().rev().filter(|event| !event.is_look).peekable();
    let decided = events.peek()?.decided?;
    // A stop is told of when it is decided, when it is written, and when all Envoys run it.
    events.take_while(|event| event.decided == Some(decided)).last().map(|event| (decided, event))
}

/// Members with a place of their own, or that say what the page says anyway.
const KNOWN: [&str; 16] = [
    "at",
    "time",
    "event",
    "what",
    "text",
    "why",
    "because",
    "percent",
    "undo",
    "rollout",
    "version",
    "baseline",
    "from",
    "hold",
    "exit_code",
    "judgement",
];

impl Journal {
    /// Reads the lines of one rollout.
    pub(crate) fn read(bytes: &[u8], rollout: &str) -> Self {
        let mut journal = Self::default();
        for (number, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
            if line.trim_ascii().is_empty() {
                continue;
            }
            match read_line(line, rollout) {
                Ok(event) => journal.events.extend(event),
                Err(why) => {
                    journal.unread = journal.unread.saturating_add(1);
                    if journal.unread_lines.len() < NAMED_MAX {
                        let line = number.saturating_add(1);
                        journal.unread_lines.push(Text::new(&format!("line {line}: {why}")));
                    }
                }
            }
        }
        journal.events.sort_by_key(|event| event.at_ms);
        (0..).zip(&mut journal.events).for_each(|(number, event)| event.number = number);
        journal.forget();
        journal
    }

    /// Adds what happened last, as it is written.
    pub(crate) fn push(&mut self, value: &Value, rollout: &str) {
        if let Ok(Some(mut event)) = read_value(value, rollout) {
            event.number = self.earlier.saturating_add(self.events.len() as u64);
            self.events.push(event);
            self.forget();
        }
    }

    /// Keeps so many events. Looks are forgotten first, and of all the earliest.
    fn forget(&mut self) {
        let too_many = self.events.len().saturating_sub(EVENTS_MAX);
        let mut looks = too_many;
        self.events.retain(|event| {
            let is_kept = looks == 0 || !event.is_look;
            looks = looks.saturating_sub(usize::from(!is_kept));
            is_kept
        });
        self.events.drain(..self.events.len().saturating_sub(EVENTS_MAX));
        self.earlier = self.earlier.saturating_add(too_many as u64);
    }

    /// The events of a version.
    pub(crate) fn of<'a>(&'a self, version: &'a str) -> impl Iterator<Item = &'a Event> {
        self.events.iter().filter(move |event| event.version.as_deref().is_none_or(|own| own == version))
    }
}

/// The event of a line; `None` if it is of another rollout.
fn read_line(line: &[u8], rollout: &str) -> Result<Option<Event>, String> {
    let value: Value = serde_json::from_slice(line).map_err(|_| "is no JSON".to_owned())?;
    read_value(&value, rollout)
}

fn read_value(value: &Value, rollout: &str) -> Result<Option<Event>, String> {
    let Value::Object(members) = value else { return Err("is no object of JSON".to_owned()) };
    let at_ms = ["at", "time"].iter().find_map(|name| members.get(*name)).and_then(read_time);
    let at_ms = at_ms.ok_or("has no time (at, as RFC 3339 or seconds since 1970)")?;
    let word = |name: &str| members.get(name).and_then(Value::as_str);
    let event = word("event").or_else(|| word("what")).ok_or("has no event (event, a word)")?;
    if word("rollout").is_some_and(|own| own != rollout) {
        return Ok(None);
    }
    let why = members.get("why").or_else(|| members.get("because")).map(sentences).unwrap_or_default();
    let at = rfc3339(u64::try_from(at_ms).unwrap_or(0));
    let is_stop = ["stopping", "stopped", "stop", "rollback"].contains(&event);
    let decided = match (event, members.get("exit_code").and_then(Value::as_u64)) {
        ("ended", Some(0)) => Some(Decided::Finished),
        ("ended", Some(1)) => Some(Decided::Stopped),
        ("ended", Some(2)) => Some(Decided::OtherHand),
        _ => is_stop.then_some(Decided::Stopped),
    };
    Ok(Some(Event {
        at,
        at_ms,
        number: 0,
        event: Text::name(event),
        text: word("text")
            .filter(|text| !text.is_empty())
            .map(Text::new)
            .or_else(|| look_words(event, members, &why)),
        why,
        percent: members.get("percent").and_then(Value::as_f64),
        undo: word("undo").map(Text::new),
        others: others(members),
        is_look: event == "look",
        is_stop,
        decided,
        is_dry: members.get("dry_run") == Some(&Value::Bool(true)),
        version: word("version").map(str::to_owned),
    }))
}

/// What a look found: it has no sentence of its own.
fn look_words(event: &str, members: &Map<String, Value>, why: &[Text]) -> Option<Text> {
    let verdict = members.get("verdict").and_then(Value::as_str).filter(|_| event == "look")?;
    let why = why.first().map(|why| format!(": {why}")).unwrap_or_default();
    Some(Text::new(&format!("{}{why}", verdict.replace('_', " "))))
}

/// RFC 3339, or seconds since 1970.
fn read_time(value: &Value) -> Option<i64> {
    let ms = match value {
        Value::String(text) => parse_rfc3339(text)?,
        Value::Number(seconds) => {
            let ms = seconds.as_f64()? * 1e3;
            // Up to the year 9999.
            (0.0..=253_402_300_799_999.0).contains(&ms).then_some(ms as u64)?
        }
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    i64::try_from(ms).ok()
}

/// One sentence, or a list of them.
fn sentences(value: &Value) -> Vec<Text> {
    let texts: Vec<&str> = match value {
        Value::String(text) => vec![text],
        Value::Array(values) => values.iter().filter_map(Value::as_str).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => Vec::new(),
    };
    texts.into_iter().take(PARTS_MAX).map(Text::new).collect()
}

/// Figures and thresholds, under whatever names.
fn others(members: &Map<String, Value>) -> Vec<(Text, Text)> {
    let shown = |value: &Value| match value {
        Value::String(text) => Some(Text::new(text)),
        Value::Number(number) => Some(Text::new(&number.to_string())),
        Value::Bool(true) => Some(Text::new("yes")),
        Value::Null | Value::Bool(false) => None,
        // Several at once.
        Value::Array(_) | Value::Object(_) => Some(Text::new(&value.to_string())),
    };
    let others = members.iter().filter(|(name, _)| !KNOWN.contains(&name.as_str()));
    let others = others.filter_map(|(name, value)| Some((Text::name(name), shown(value)?)));
    others.chain(members.get("judgement").into_iter().flat_map(figures)).take(PARTS_MAX).collect()
}

/// The figures of the look: what `analyze --json` would have printed, in short.
fn figures(judgement: &Value) -> Vec<(Text, Text)> {
    let requests = |side: &str| judgement.get("requests")?.get(side)?.as_u64();
    let requests = requests("version").zip(requests("baseline")).map(|(version, baseline)| {
        (Text::name("requests"), Text::new(&format!("{} against {}", count(version), count(baseline))))
    });
    let signals = judgement.get("signals").and_then(Value::as_array).into_iter().flatten();
    let worse = signals
        .filter(|signal| signal.get("verdict").is_some_and(|word| word == "worse"))
        .filter_map(|signal| {
            let number = |name: &str| signal.get(name).and_then(Value::as_f64);
            let (name, ln_e, needed) =
                (signal.get("name")?.as_str()?, number("log_e")?, number("threshold")?);
            Some((Text::name(name), Text::new(&format!("worse, ln E {ln_e:.1} of {needed:.1}"))))
        });
    requests.into_iter().chain(worse).collect()
}

#[cfg(test)]
mod tests {
    use super::{EVENTS_MAX, Journal};
    use crate::release_record::Record;
    use crate::tests::traffic::{START_MS, Traffic, analysis, windows};
    use crate::verdict_json;
    use llm_canary_verdict::policy::Policy;
    use llm_canary_verdict::window::Pair;
    use std::fmt::Write;

    #[test]
    fn what_run_writes_is_read() {
        let record = Record {
            at: START_MS as u64,
            rollout: "chat".to_owned(),
            version: "v2".to_owned(),
            baseline: "v1".to_owned(),
            event: "stopped".to_owned(),
            from: "stopping".to_owned(),
            hold: None,
            percent: "0".to_owned(),
            verdict: "regression",
            why: vec!["all 3 Envoys run it".to_owned()],
            text: "chat: v2 is stopped".to_owned(),
            undo: Some("llm-canary ramp chat.json v2 25 --resume".to_owned()),
            exit_code: Some(1),
            is_dry: false,
        };
        let version = Traffic { refusals: 0.04, ..Traffic::new(100) };
        let windows = windows(20, Pair { version, baseline: Traffic::new(900) });
        let mut value = record.value();
        value["judgement"] = verdict_json::object(&analysis(&windows, &Policy::default(), None));
        let journal = Journal::read(format!("{value}\n").as_bytes(), "chat");
        assert_eq!(journal.unread, 0);
        let [event] = journal.events.as_slice() else { panic!("{journal:?}") };
        assert_eq!(
            (event.at.as_str(), event.is_stop, event.percent),
            ("2026-11-23T09:00:00Z", true, Some(0.0))
        );
        assert_eq!(event.undo.as_ref().map(|undo| undo.as_str()), record.undo.as_deref());
        let others: Vec<String> =
            event.others.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        insta::assert_snapshot!("figures", others.join("\n"));
    }

    #[test]
    fn a_journal_is_read() {
        let text = concat!(
            r#"{"at": "2026-11-23T09:00:00Z", "rollout": "chat", "version": "v2", "baseline": "v1", "event": "ramping", "from": "stepping", "#,
            r#""percent": 1.0, "verdict": "not_enough_data", "text": "chat: v2 gets 1 %", "why": ["a", "b"], "undo": "llm-canary stop", "dry_run": false}"#,
            "\n\n",
            r#"{"time": 1795424460.5, "what": "approved", "why": "by hand", "log_e": 4.9, "figures": {"refusals": [1, 2]}}"#,
            "\r\n",
            r#"{"at": "2026-11-23T09:00:00Z", "rollout": "code", "event": "ramping"}"#,
            "\n",
        );
        let journal = Journal::read(text.as_bytes(), "chat");
        assert_eq!((journal.unread, journal.events.len(), journal.earlier), (0, 2, 0));
        let found = serde_json::to_value(&journal.events).unwrap();
        assert_eq!(
            found,
            serde_json::json!([
                {"at": "2026-11-23T09:00:00Z", "event": "ramping", "text": "chat: v2 gets 1 %", "why": ["a", "b"], "percent": 1.0,
                 "undo": "llm-canary stop", "others": [["verdict", "not_enough_data"]]},
                {"at": "2026-11-23T09:01:00.500Z", "event": "approved", "text": null, "why": ["by hand"], "percent": null, "undo": null,
                 "others": [["log_e", "4.9"], ["figures", "{\"refusals\":[1,2]}"]]},
            ])
        );
        assert_eq!((journal.of("v2").count(), journal.of("v3").count()), (2, 1));
    }

    #[test]
    fn lines_that_are_no_events_are_named() {
        let text = b"nonsense\n[1]\n{\"at\": \"soon\", \"event\": \"x\"}\n{\"at\": 5}\n\xff\n{\"at\": 5, \"event\": \"x\"}\n{\"at\": 1e300, \"event\": \"x\"}";
        let journal = Journal::read(text, "chat");
        let named: Vec<&str> = journal.unread_lines.iter().map(|line| line.as_str()).collect();
        assert_eq!(
            named,
            [
                "line 1: is no JSON",
                "line 2: is no object of JSON",
                "line 3: has no time (at, as RFC 3339 or seconds since 1970)",
                "line 4: has no event (event, a word)",
                "line 5: is no JSON",
                "line 7: has no time (at, as RFC 3339 or seconds since 1970)",
            ]
        );
        assert_eq!((journal.unread, journal.events.len()), (6, 1));
    }

    #[test]
    fn the_last_events_are_kept() {
        let mut text = String::new();
        for second in 0..1_000 {
            writeln!(text, "{{\"at\": {second}, \"event\": \"look\"}}").unwrap();
        }
        let journal = Journal::read(text.as_bytes(), "chat");
        assert_eq!((journal.events.len(), journal.earlier), (EVENTS_MAX, 900));
        assert_eq!(journal.events[0].at_ms, 900_000);
    }
}
