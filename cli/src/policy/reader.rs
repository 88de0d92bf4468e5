//! Values of a policy, one at a time: each is read, or a problem is noted, with its path and what to write instead.

use crate::error::Problem;
use crate::number_args::{parse_percent, parse_whole};
use crate::plugin;
use crate::suggest;
use crate::time_args::{millis, parse_duration};
use crate::yaml;
use llm_canary::config::json::Node;
use std::ops::RangeInclusive;

/// More problems are only counted.
const PROBLEMS_MAX: usize = 100;
/// Longer texts and names are cut in messages and paths.
const QUOTE_CHARS_MAX: usize = 60;
/// The largest ratio: more is a mistake.
const RATIO_MAX: f64 = 1_000.0;
/// The largest price, weight, or number of requests.
const NUMBER_MAX: f64 = 1e9;
/// The longest duration.
const DURATION_MS_MAX: u64 = 7 * 86_400_000;

/// A value, and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Place<'a> {
    node: &'a Node,
    path: String,
}

impl<'a> Place<'a> {
    pub(super) fn root(node: &'a Node) -> Self {
        Self { node, path: String::new() }
    }

    /// The member of this name.
    pub(super) fn get(&self, name: &str) -> Option<Self> {
        self.node.get(name).map(|node| self.below(name, node))
    }

    fn below(&self, name: &str, node: &'a Node) -> Self {
        Self { node, path: self.path_below(name) }
    }

    /// `signals.refusals`, `signals["defect:empty"]`
    fn path_below(&self, name: &str) -> String {
        let is_plain = (1..=QUOTE_CHARS_MAX).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        match (is_plain, self.path.is_empty()) {
            (true, true) => name.to_owned(),
            (true, false) => format!("{}.{name}", self.path),
            (false, _) => format!("{}[{}]", self.path, quoted(name)),
        }
    }

    /// Whether a limit is switched off. YAML's `off` is `false`.
    pub(super) fn is_off(&self) -> bool {
        *self.node == Node::Bool(false) || self.node.as_str() == Some("off")
    }
}

/// Reads values and collects problems.
#[derive(Default)]
pub(super) struct Reader {
    problems: Vec<(String, String)>,
    left_out: usize,
}

impl Reader {
    pub(super) fn problem(&mut self, place: &Place<'_>, message: impl Into<String>) {
        self.note(place.path.clone(), message.into());
    }

    fn note(&mut self, path: String, message: String) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push((path, message));
        } else {
            self.left_out += 1;
        }
    }

    /// All problems of a file.
    pub(super) fn into_problems(self, name: &str) -> Vec<Problem> {
        let mut problems: Vec<Problem> =
            self.problems.iter().map(|(path, message)| Problem::new(name, path, message)).collect();
        if self.left_out > 0 {
            let message = format!("has {} more errors; fix these first", self.left_out);
            problems.push(Problem::new(name, "", &message));
        }
        problems
    }

    /// Notes the values of a text that programs read differently.
    pub(super) fn doubtful(&mut self, bytes: &[u8]) {
        let text = std::str::from_utf8(bytes).unwrap_or_default();
        if !plugin::is_json(bytes) {
            for found in yaml::doubtful::find(text).into_iter().filter(|found| !found.is_of_structs) {
                self.note(found.path.join(".").replace(".[", "["), found.words);
            }
        }
    }

    /// An object with these fields.
    pub(super) fn object<'a>(&mut self, place: &Place<'a>, known: &[&str]) -> Option<Place<'a>> {
        // Each unknown name is a problem below, so their number does not matter here.
        for (name, member) in self.members(place, usize::MAX)? {
            if known.contains(&name) {
                continue;
            }
            let words = match suggest::nearest(name, known) {
                Some(nearest) => format!("is no known field; did you mean {nearest}?"),
                None => format!("is no known field; the fields here are {}", known.join(", ")),
            };
            self.problem(&member, words);
        }
        Some(place.clone())
    }

    /// The members of an object, each name once.
    pub(super) fn members<'a>(&mut self, place: &Place<'a>, max: usize) -> Option<Vec<(&'a str, Place<'a>)>> {
        let Node::Object(members) = place.node else {
            self.wrong_kind(place, "write an object, {name: value}");
            return None;
        };
        if members.len() > max {
            self.problem(place, format!("has {} fields; at most {max} are read", members.len()));
            return None;
        }
        let mut found: Vec<(&str, Place<'_>)> = Vec::new();
        for (name, node) in members {
            let member = place.below(name, node);
            if found.iter().any(|(earlier, _)| earlier == name) {
                self.problem(&member, "is given twice; keep one");
            } else {
                found.push((name, member));
            }
        }
        Some(found)
    }

    /// A list of 1 to `max` items.
    pub(super) fn items<'a>(&mut self, place: &Place<'a>, max: usize) -> Option<Vec<Place<'a>>> {
        let Node::List(items) = place.node else {
            self.wrong_kind(place, "write a list, [...]");
            return None;
        };
        if items.is_empty() || items.len() > max {
            let remedy =
                if items.is_empty() { "write one at least, or leave it out" } else { "leave some out" };
            self.problem(place, format!("has {} items; there may be 1 to {max}; {remedy}", items.len()));
            return None;
        }
        let item = |(index, node)| Place { node, path: format!("{}[{index}]", place.path) };
        Some(items.iter().enumerate().map(item).collect())
    }

    /// A member that must be there; `what` says what to write.
    pub(super) fn required<'a>(&mut self, object: &Place<'a>, name: &str, what: &str) -> Option<Place<'a>> {
        let member = object.get(name);
        if member.is_none() {
            self.note(object.path_below(name), format!("is missing; {what}"));
        }
        member
    }

    /// One of these words.
    pub(super) fn choice<T: Copy>(&mut self, place: &Place<'_>, choices: &[(&str, T)]) -> Option<T> {
        let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        let remedy = format!("write {}", either(&words));
        let text = self.text(place, &remedy)?;
        let found = choices.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if found.is_none() {
            self.problem(place, format!("is {}; {remedy}", quoted(text)));
        }
        found
    }

    /// A text that is not empty.
    pub(super) fn text<'a>(&mut self, place: &Place<'a>, remedy: &str) -> Option<&'a str> {
        let text = place.node.as_str();
        if text.is_none() {
            self.wrong_kind(place, remedy);
        }
        text
    }

    /// A number; `remedy` says which.
    fn number(&mut self, place: &Place<'_>, remedy: &str) -> Option<f64> {
        let Node::Number(number) = place.node else {
            self.wrong_kind(place, remedy);
            return None;
        };
        number.to_string().parse().ok()
    }

    /// A number within bounds; `least` may be left out of them.
    fn number_within(
        &mut self,
        place: &Place<'_>,
        remedy: &str,
        is_within: impl Fn(f64) -> bool,
    ) -> Option<f64> {
        let number = self.number(place, remedy)?;
        if !is_within(number) {
            self.wrong_kind(place, remedy);
        }
        is_within(number).then_some(number)
    }

    /// A chance: above 0 and below 1.
    pub(super) fn part(&mut self, place: &Place<'_>) -> Option<f64> {
        let remedy = "write a chance above 0 and below 1, such as 0.05 for 5 %";
        self.number_within(place, remedy, |part| part > 0.0 && part < 1.0)
    }

    /// A ratio of at least 1.
    pub(super) fn ratio(&mut self, place: &Place<'_>) -> Option<f64> {
        let remedy = format!("write a ratio from 1 to {RATIO_MAX}, such as 1.5 for half as much again");
        self.number_within(place, &remedy, |ratio| (1.0..=RATIO_MAX).contains(&ratio))
    }

    /// A weight above 0.
    pub(super) fn weight(&mut self, place: &Place<'_>) -> Option<f64> {
        let remedy = "write a weight above 0, such as 2 for twice the usual part of alpha";
        self.number_within(place, remedy, |weight| weight > 0.0 && weight <= NUMBER_MAX)
    }

    /// Percentage points, as a part of 1.
    pub(super) fn points(&mut self, place: &Place<'_>) -> Option<f64> {
        let remedy = "write percentage points from 0 to 100 without a sign, such as 0.5";
        Some(self.number_within(place, remedy, |points| (0.0..=100.0).contains(&points))? / 100.0)
    }

    /// A price of at least 0.
    pub(super) fn price(&mut self, place: &Place<'_>) -> Option<f64> {
        let remedy = "write the price of a million tokens, 0 or more, such as 0.40";
        self.number_within(place, remedy, |price| (0.0..=NUMBER_MAX).contains(&price))
    }

    /// A whole number.
    pub(super) fn whole(&mut self, place: &Place<'_>, range: RangeInclusive<u64>) -> Option<u64> {
        let remedy = format!("write a whole number from {} to {}", range.start(), range.end());
        let Node::Number(number) = place.node else {
            self.wrong_kind(place, &remedy);
            return None;
        };
        let found = parse_whole(&number.to_string(), range).ok();
        if found.is_none() {
            self.wrong_kind(place, &remedy);
        }
        found
    }

    /// A percentage above 0 with its sign, as a part of 1. Without a sign, 0.5 could be half of all, or one of 200.
    pub(super) fn percent(&mut self, place: &Place<'_>) -> Option<f64> {
        let remedy = "write a percentage above 0 and at most 100 with its sign, such as 5%";
        let text = self.text(place, remedy)?;
        if !text.ends_with('%') {
            self.wrong_kind(place, remedy);
            return None;
        }
        match parse_percent(text) {
            Ok(0) => self.wrong_kind(place, remedy),
            Ok(parts) => return Some(f64::from(parts) / f64::from(llm_canary::bucket::PARTS)),
            Err(_) => self.wrong_kind(place, remedy),
        }
        None
    }

    /// A duration of at least so many milliseconds.
    pub(super) fn duration_ms(&mut self, place: &Place<'_>, least_ms: u64) -> Option<i64> {
        let least = if least_ms > 0 { format!("at least {least_ms} ms and ") } else { String::new() };
        let remedy = format!("write a duration with its unit, {least}at most 7d, such as 30s or 2m");
        let text = self.text(place, &remedy)?;
        let ms = parse_duration(text).map(millis).ok();
        let ms = ms.filter(|ms| (least_ms..=DURATION_MS_MAX).contains(ms));
        if ms.is_none() {
            self.wrong_kind(place, &remedy);
        }
        i64::try_from(ms?).ok()
    }

    /// Notes what a value is, and what to write instead.
    fn wrong_kind(&mut self, place: &Place<'_>, remedy: &str) {
        let found = match place.node {
            Node::Null => "is empty".to_owned(),
            Node::Bool(value) => format!("is {value}"),
            Node::Number(number) => format!("is {number}"),
            Node::String(text) => format!("is {}", quoted(text)),
            Node::List(_) => "is a list".to_owned(),
            Node::Object(_) => "is an object".to_owned(),
        };
        let way_out = if *place.node == Node::Null { "leave it out, or " } else { "" };
        self.problem(place, format!("{found}; {way_out}{remedy}"));
    }
}

/// A text in quotes, escaped and not too long.
pub(super) fn quoted(text: &str) -> String {
    let mut chars = text.chars();
    let start: String = chars.by_ref().take(QUOTE_CHARS_MAX).collect();
    let rest = if chars.as_str().is_empty() { "" } else { "..." };
    format!("{start:?}{rest}")
}

/// `a, b or c`
fn either(words: &[&str]) -> String {
    match words {
        [first @ .., last] if !first.is_empty() => format!("{} or {last}", first.join(", ")),
        words => words.concat(),
    }
}
