//! What a reference set showed, on a page: the last round, and prompts that changed with both answers side by side.
//!
//! Answers are written by models, and sets by others: nothing of them is anything but text here.

use super::text::Text;
use super::word::Word;
use crate::table::NONE;
use crate::watchdog::results::{Changed, Round, Side, Sides};
use crate::watchdog::summary::{Both, Summary};
use llm_canary_verdict::verdict::Verdict;
use llm_canary_verdict::words::{count, percent};
use serde::Serialize;
use similar::{ChangeTag, TextDiff};

/// Of so many prompts the answers are shown, and so many are listed by name.
const ANSWERS_MAX: usize = 20;
const LISTED_MAX: usize = 200;
/// So many reasons are listed.
const REASONS_MAX: usize = 10;

/// A reference set on a page.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Watchdog {
    round: u32,
    verdict: Text,
    /// The finding as a sentence, and its shape.
    #[serde(skip)]
    pub(super) heading: Text,
    #[serde(skip)]
    pub(super) word: Word,
    /// Facts: a name, and what is known.
    #[serde(skip)]
    pub(super) facts: Vec<(&'static str, Text)>,
    /// Prompts that changed.
    pub(super) changed: Vec<Prompt>,
    /// How many more there are.
    pub(super) more: usize,
}

/// A prompt that changed.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Prompt {
    pub(super) set: Text,
    pub(super) case: Text,
    /// The passes: `0/3`.
    pub(super) version: Text,
    pub(super) baseline: Text,
    pub(super) check: Text,
    /// Whether the version passes less often.
    #[serde(skip)]
    pub(super) is_worse: bool,
    #[serde(skip)]
    pub(super) answers: Option<Answers>,
}

/// Both answers, in pieces: what only one of them says is marked.
#[derive(Clone, Debug)]
pub(crate) struct Answers {
    pub(super) question: Text,
    pub(super) version: Vec<Piece>,
    pub(super) baseline: Vec<Piece>,
    pub(super) failed: Sides<Option<Text>>,
}

/// A piece of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(super) text: Text,
    /// Whether the other answer does not say it.
    pub(super) is_own: bool,
}

impl Watchdog {
    pub(super) fn new(summary: &Summary) -> Self {
        let round = &summary.round;
        let word = word(&round.verdict);
        let listed = round.changed.iter().take(LISTED_MAX);
        let prompt = |(at, changed): (usize, &Changed)| {
            let key = (changed.set.clone(), changed.case.clone());
            Prompt::new(changed, summary.answers.get(&key).filter(|_| at < ANSWERS_MAX))
        };
        Self {
            round: round.round,
            verdict: Text::name(&round.verdict),
            heading: Text::new(&heading(round)),
            word,
            facts: facts(summary),
            changed: listed.enumerate().map(prompt).collect(),
            more: round.changed.len().saturating_sub(LISTED_MAX),
        }
    }
}

fn word(verdict: &str) -> Word {
    let word = |text, class, shape| Word { text, class, shape };
    match verdict {
        name if name == Verdict::Regression.name() => word("worse", "bad", "■"),
        name if name == Verdict::Fine.name() => word("no worse", "good", "●"),
        _ => word("not decided", "open", "▲"),
    }
}

/// `60 % of 50 prompts pass, 92 % with the baseline`
fn heading(round: &Round) -> String {
    let known = round.prompts.total.saturating_sub(round.prompts.unknown);
    match round.pass_share.version.zip(round.pass_share.baseline) {
        Some((version, baseline)) => format!(
            "{} of {} prompts pass, {} with the baseline",
            percent(version),
            count(known),
            percent(baseline)
        ),
        None => format!("{} of {} prompts are known", count(known), count(round.prompts.total)),
    }
}

fn facts(summary: &Summary) -> Vec<(&'static str, Text)> {
    let round = &summary.round;
    let prompts = &round.prompts;
    let mut facts = vec![
        ("rounds", count(round.round.into())),
        (
            "prompts",
            format!(
                "{} worse, {} better, {} the same, {} unknown",
                count(prompts.worse),
                count(prompts.better),
                count(prompts.same),
                count(prompts.unknown)
            ),
        ),
        ("ln E of harm", format!("{:.1} of {:.1}", round.log_e, round.threshold)),
    ];
    if prompts.quarantined > 0 {
        facts.push(("unstable with the baseline alone", count(prompts.quarantined)));
    }
    if round.prompt_tokens.differ > 0 {
        let (differ, compared) = (round.prompt_tokens.differ, round.prompt_tokens.compared);
        let words = "differ: the template or the tokenizer changed";
        facts.push(("tokens of prompts", format!("{} of {} {words}", count(differ), count(compared))));
    }
    if let Some(judge) = &round.judge {
        let share = |share: Option<f64>| share.map_or(NONE.to_owned(), percent);
        let interval = judge.interval.map(|(low, high)| format!(" ({} to {})", percent(low), percent(high)));
        let because = judge.because.as_ref().map(|because| format!("; {because}"));
        let words = format!(
            "prefers the version in {}{}, at equal lengths in {}; both orders agree in {}{}",
            share(judge.win_rate),
            interval.unwrap_or_default(),
            share(judge.length_controlled),
            share(judge.consistency),
            because.unwrap_or_default()
        );
        facts.push(("judge", words));
    }
    for (side, name) in
        [(Side::Version, "defects of the version"), (Side::Baseline, "defects of the baseline")]
    {
        let defects = round.defects.of(side).iter();
        let defects: Vec<String> =
            defects.map(|(defect, times)| format!("{defect} {}", count(*times))).collect();
        if !defects.is_empty() {
            facts.push((name, defects.join(", ")));
        }
    }
    if !round.unknown_because.is_empty() {
        let reasons = round.unknown_because.iter().take(REASONS_MAX);
        let reasons: Vec<String> = reasons.map(|(why, times)| format!("{why}: {}", count(*times))).collect();
        facts.push(("unknown because", reasons.join(", ")));
    }
    if summary.unread > 0 {
        facts.push(("lines that could not be read", count(summary.unread)));
    }
    facts.into_iter().map(|(name, words)| (name, Text::new(&words))).collect()
}

impl Prompt {
    fn new(changed: &Changed, both: Option<&Both>) -> Self {
        let passes = |text: &str| text.split('/').next().and_then(|passes| passes.parse::<u64>().ok());
        Self {
            set: Text::name(&changed.set),
            case: Text::new(&changed.case),
            version: Text::name(&changed.version),
            baseline: Text::name(&changed.baseline),
            check: Text::new(&changed.check),
            is_worse: passes(&changed.version) < passes(&changed.baseline),
            answers: both.map(Answers::new),
        }
    }
}

impl Answers {
    fn new(both: &Both) -> Self {
        let Sides { version, baseline } = &both.answers;
        let diff = TextDiff::from_words(baseline.as_str(), version.as_str());
        let pieces = |own: ChangeTag| {
            let mut pieces: Vec<(String, bool)> = Vec::new();
            let changes = diff.iter_all_changes();
            for change in changes.filter(|change| change.tag() == own || change.tag() == ChangeTag::Equal) {
                let is_own = change.tag() == own;
                match pieces.last_mut() {
                    Some((text, was_own)) if *was_own == is_own => text.push_str(change.value()),
                    _ => pieces.push((change.value().to_owned(), is_own)),
                }
            }
            pieces.into_iter().map(|(text, is_own)| Piece { text: Text::prose(&text), is_own }).collect()
        };
        let failed = |side| both.failed.of(side).as_deref().map(Text::new);
        Self {
            question: Text::prose(&both.question),
            version: pieces(ChangeTag::Insert),
            baseline: pieces(ChangeTag::Delete),
            failed: Sides { version: failed(Side::Version), baseline: failed(Side::Baseline) },
        }
    }
}
