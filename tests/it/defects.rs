//! The detectors of defects against labelled texts and answers, `tests/data/defects/`.
//!
//! A fixed rule puts each text into the half that the rules were made with or the half that only measures.
//! `docs/defects.md` holds the figures; `UPDATE_EXPECT=1` writes them anew.

use llm_canary::bucket::{PARTS, bucket};
use llm_canary::defect::{AnswerEnd, Arguments, Asked, Defect, DefectSet, Defects};
use serde_json::Value;

const BEGIN: &str = "<!-- measured -->\n";
const END: &str = "<!-- /measured -->\n";

/// What the documentation promises of those that are found by rules of thumb, on all texts and on the held-out half.
const BY_TEXT: [Defect; 3] = [Defect::ControlToken, Defect::MixedScript, Defect::Repetition];
const PRECISION_MIN: f64 = 0.98;
const RECALL_MIN: f64 = 0.90;
const POSITIVES_MIN: usize = 60;
const NEGATIVES_MIN: usize = 300;

/// A labelled answer.
struct Case {
    kind: String,
    expected: Vec<Defect>,
    steps: Vec<Step>,
    asked: Option<Asked>,
    end: AnswerEnd,
    is_held_out: bool,
}

enum Step {
    Answer(String),
    Reasoning(String),
    /// A name, and arguments as text.
    Call(String, Option<String>),
    Other,
    EndItem,
}

impl Case {
    /// The set of what is found, with the texts in pieces of so many bytes.
    fn found(&self, piece_bytes: usize) -> DefectSet {
        let asked = self.asked.clone().unwrap_or_default();
        let mut defects = Defects::new(asked.json);
        for step in &self.steps {
            match step {
                Step::Answer(text) => {
                    text.as_bytes().chunks(piece_bytes).for_each(|piece| defects.answer(piece))
                }
                Step::Reasoning(text) => {
                    text.as_bytes().chunks(piece_bytes).for_each(|piece| defects.reasoning(piece));
                }
                Step::Call(name, arguments) => {
                    defects.call(asked.name_faults(name.as_bytes()));
                    let mut read = Arguments::default();
                    let text = arguments.as_deref().unwrap_or_default();
                    text.as_bytes().chunks(piece_bytes).for_each(|piece| read.push(piece));
                    defects.end_call(&read);
                }
                Step::Other => defects.other(),
                Step::EndItem => defects.end_item(),
            }
        }
        defects.finish(self.end)
    }
}

fn lines(name: &str) -> Vec<Value> {
    let path = format!("{}/tests/data/defects/{name}.jsonl", env!("CARGO_MANIFEST_DIR"));
    let file = std::fs::read_to_string(path).unwrap();
    let row = |line: &str| {
        let mut row: Value = serde_json::from_str(line).unwrap();
        row["line"] = line.into();
        row
    };
    file.lines().map(row).collect()
}

fn defect(name: &str) -> Defect {
    *Defect::ALL.iter().find(|defect| defect.as_str() == name).unwrap()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_string()
}

/// A text with one defect, or none.
fn of_text(row: &Value, expected: &[Defect]) -> Case {
    let times = row["times"].as_u64().unwrap_or(0) as usize;
    let whole = [text(&row["text"]), text(&row["loop"]).repeat(times), text(&row["after"])].concat();
    let step = match row["name"].as_str() {
        Some(name) => Step::Call(name.to_string(), None),
        None => Step::Answer(whole),
    };
    Case {
        kind: text(&row["kind"]),
        expected: expected.to_vec(),
        steps: vec![step],
        asked: None,
        end: AnswerEnd { is_complete: true, is_cut: false },
        is_held_out: is_held_out(row),
    }
}

fn of_events(row: &Value) -> Case {
    let step = |step: &Value| match step[0].as_str().unwrap() {
        "answer" => Step::Answer(text(&step[1])),
        "reasoning" => Step::Reasoning(text(&step[1])),
        "call" => Step::Call(text(&step[1]), step[2].as_str().map(str::to_string)),
        "other" => Step::Other,
        "end_item" => Step::EndItem,
        other => unreachable!("{other}"),
    };
    let asked = row["asked"].as_object().map(|asked| {
        let mut offered = Asked { json: asked["json"] == true, ..Asked::default() };
        let names = asked["tools"].as_array().unwrap();
        names.iter().for_each(|name| offered.names.add(name.as_str().unwrap().as_bytes()));
        offered
    });
    let expected = row["defects"].as_array().unwrap();
    Case {
        kind: text(&row["kind"]),
        expected: expected.iter().map(|name| defect(name.as_str().unwrap())).collect(),
        steps: row["events"].as_array().unwrap().iter().map(step).collect(),
        asked,
        end: AnswerEnd { is_complete: row["complete"] != false, is_cut: row["finish"].is_string() },
        is_held_out: is_held_out(row),
    }
}

/// By the line as it is written: the order of a row's keys depends on how serde_json is built.
fn is_held_out(row: &Value) -> bool {
    bucket(b"defects", row["line"].as_str().unwrap().as_bytes()) >= PARTS / 2
}

struct Cases {
    ordinary: Vec<Case>,
    by_text: Vec<Case>,
    by_events: Vec<Case>,
}

impl Cases {
    fn read() -> Cases {
        let by_text = BY_TEXT
            .iter()
            .flat_map(|&defect| lines(defect.as_str()).into_iter().map(move |row| of_text(&row, &[defect])));
        Cases {
            ordinary: lines("negatives").iter().map(|row| of_text(row, &[])).collect(),
            by_text: by_text.collect(),
            by_events: lines("events").iter().map(of_events).collect(),
        }
    }

    /// Those that tell how well a defect is found: answers that have it, and answers that have none, or others.
    fn of(&self, defect: Defect) -> impl Iterator<Item = &Case> {
        // A leaked token may repeat without an end, and the like: of those texts only the labelled defect counts.
        let labelled = self.by_text.iter().filter(move |case| case.expected.contains(&defect));
        self.ordinary.iter().chain(labelled).chain(&self.by_events)
    }
}

#[derive(Default)]
struct Counts {
    hits: u32,
    misses: u32,
    false_alarms: u32,
    passes: u32,
}

impl Counts {
    fn of<'a>(defect: Defect, cases: impl Iterator<Item = &'a Case>) -> Counts {
        let mut counts = Counts::default();
        for case in cases {
            let is_found = case.found(usize::MAX).has(defect);
            *match (case.expected.contains(&defect), is_found) {
                (true, true) => &mut counts.hits,
                (true, false) => &mut counts.misses,
                (false, true) => &mut counts.false_alarms,
                (false, false) => &mut counts.passes,
            } += 1;
        }
        counts
    }

    fn precision(&self) -> f64 {
        f64::from(self.hits) / f64::from(self.hits + self.false_alarms)
    }

    fn recall(&self) -> f64 {
        f64::from(self.hits) / f64::from(self.hits + self.misses)
    }

    fn row(&self, name: &str) -> String {
        let Counts { hits, misses, false_alarms, passes } = self;
        let (precision, recall) = (100.0 * self.precision(), 100.0 * self.recall());
        format!(
            "| {name} | {hits} | {misses} | {false_alarms} | {passes} | {precision:.1} % | {recall:.1} % |\n"
        )
    }
}

fn figures(cases: &Cases) -> String {
    let mut page = String::from(
        "| defect | found | missed | false alarms | passed | precision | recall |\n|---|---|---|---|---|---|---|\n",
    );
    for &defect in Defect::ALL {
        page += &Counts::of(defect, cases.of(defect)).row(&format!("`{}`", defect.as_str()));
        if BY_TEXT.contains(&defect) {
            let held_out = cases.of(defect).filter(|case| case.is_held_out);
            page += &Counts::of(defect, held_out).row("… held out");
        }
    }
    page
}

#[test]
fn the_documented_figures_are_those_of_the_data() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/defects.md");
    let page = std::fs::read_to_string(path).unwrap();
    let (head, rest) = page.split_once(BEGIN).unwrap();
    let (_, tail) = rest.split_once(END).unwrap();
    let figures = figures(&Cases::read());
    println!("{figures}");
    let expected = format!("{head}{BEGIN}{figures}{END}{tail}");
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(path, &expected).unwrap();
        return;
    }
    assert_eq!(page, expected, "docs/defects.md is out of date; UPDATE_EXPECT=1 cargo test writes it anew");
}

#[test]
fn precision_and_recall_hold() {
    let cases = Cases::read();
    for defect in BY_TEXT {
        let held_out = Counts::of(defect, cases.of(defect).filter(|case| case.is_held_out));
        for counts in [Counts::of(defect, cases.of(defect)), held_out] {
            let (precision, recall) = (counts.precision(), counts.recall());
            assert!(precision >= PRECISION_MIN && recall >= RECALL_MIN, "{defect:?}: {precision} {recall}");
        }
    }
    for &defect in Defect::ALL.iter().filter(|defect| !BY_TEXT.contains(defect)) {
        let counts = Counts::of(defect, cases.of(defect));
        assert!(counts.hits >= 4, "{defect:?}: {} answers have it", counts.hits);
        assert_eq!((counts.misses, counts.false_alarms), (0, 0), "{defect:?}");
    }
    let page = include_str!("../../docs/defects.md");
    let promise = format!(
        "precision at least {:.0} % and recall at least {:.0} %",
        100.0 * PRECISION_MIN,
        100.0 * RECALL_MIN
    );
    assert!(page.contains(&promise), "docs/defects.md does not say: {promise}");
}

#[test]
fn ordinary_answers_have_no_defect() {
    let cases = Cases::read();
    let found = cases.ordinary.iter().filter(|case| !case.found(usize::MAX).is_empty());
    let false_alarms: Vec<_> = found.map(|case| &case.kind).collect();
    assert!(false_alarms.len() * NEGATIVES_MIN <= cases.ordinary.len(), "{false_alarms:?}");
}

#[test]
fn the_labelled_texts_are_many_and_of_many_kinds() {
    let cases = Cases::read();
    assert!(cases.ordinary.len() >= NEGATIVES_MIN, "{}", cases.ordinary.len());
    let kinds: std::collections::BTreeSet<_> = cases.ordinary.iter().map(|case| &case.kind).collect();
    assert!(kinds.len() >= 25, "{kinds:?}");
    for defect in BY_TEXT {
        let positives = cases.by_text.iter().filter(|case| case.expected == [defect]).count();
        assert!(positives >= POSITIVES_MIN, "{defect:?}: {positives}");
    }
}

#[test]
fn pieces_do_not_matter() {
    let Cases { ordinary, by_text, by_events } = Cases::read();
    for case in ordinary.iter().chain(&by_text).chain(&by_events) {
        for size in [1, 2, 3, 7, 64, 129] {
            assert_eq!(case.found(size), case.found(usize::MAX), "{}, in pieces of {size} bytes", case.kind);
        }
    }
}

/// What a change of the rules is made with: `cargo test development -- --ignored --nocapture`.
#[test]
#[ignore = "prints what the rules get wrong in the half that they may be changed by"]
fn development() {
    let cases = Cases::read();
    for &defect in Defect::ALL {
        for case in cases.of(defect).filter(|case| !case.is_held_out) {
            let (is_found, is_there) = (case.found(usize::MAX).has(defect), case.expected.contains(&defect));
            if is_found != is_there {
                let what = if is_found { "false alarm" } else { "missed" };
                let texts: Vec<_> = case.steps.iter().filter_map(Step::text).collect();
                eprintln!("{}, {what}, {}: {texts:?}", defect.as_str(), case.kind);
            }
        }
    }
}

impl Step {
    fn text(&self) -> Option<&str> {
        match self {
            Step::Answer(text) | Step::Reasoning(text) | Step::Call(_, Some(text)) => Some(text),
            Step::Call(name, None) => Some(name),
            Step::Other | Step::EndItem => None,
        }
    }
}
