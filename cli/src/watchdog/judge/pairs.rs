//! Lines of RESULTS → pairs with the votes on them, for the arithmetic of `verdict`.

use super::question::text_of;
use crate::watchdog::results::{Answer, Choice, ROUND_OF_BASELINE, Side, Vote};
use llm_canary_verdict::pairwise::{self, Judged};
use llm_canary_verdict::window::Pair;
use std::collections::BTreeMap;

/// The pairs of all rounds so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pairs {
    /// By round and prompt.
    by_place: BTreeMap<(u32, usize), One>,
    calls: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct One {
    votes: Pair<Option<pairwise::Vote>>,
    chars: Pair<u64>,
    /// Whether a judge was asked.
    is_asked: bool,
}

impl Pairs {
    /// Takes in an answer: its length.
    pub(crate) fn push_answer(&mut self, answer: &Answer) {
        let chars = text_of(&answer.output).chars().count().try_into().unwrap_or(u64::MAX);
        let one = self.by_place.entry((answer.round, answer.prompt)).or_default();
        match answer.side {
            Side::Version => one.chars.version = chars,
            Side::Baseline => one.chars.baseline = chars,
        }
    }

    /// Takes in a vote. `first` says whose answer was seen first.
    pub(crate) fn push_vote(&mut self, vote: &Vote) {
        self.calls = self.calls.saturating_add(1);
        let one = self.by_place.entry((vote.round, vote.prompt)).or_default();
        one.is_asked = true;
        let choice = vote.vote.map(|choice| match choice {
            Choice::Version => pairwise::Vote::Version,
            Choice::Baseline => pairwise::Vote::Baseline,
            Choice::Tie => pairwise::Vote::Tie,
        });
        match vote.first {
            Side::Version => one.votes.version = choice,
            Side::Baseline => one.votes.baseline = choice,
        }
    }

    /// Votes that were asked for.
    pub(crate) fn calls(&self) -> u64 {
        self.calls
    }

    /// The pairs of each prompt, and those of the baseline against itself.
    pub(crate) fn judged(&self) -> (Vec<Vec<Judged>>, Vec<Judged>) {
        let mut by_prompt: BTreeMap<usize, Vec<Judged>> = BTreeMap::new();
        let mut twice = Vec::new();
        for ((round, prompt), one) in self.by_place.iter().filter(|(_, one)| one.is_asked) {
            let judged = Judged {
                version_first: one.votes.version,
                baseline_first: one.votes.baseline,
                chars: one.chars,
            };
            match *round {
                ROUND_OF_BASELINE => twice.push(judged),
                _ => by_prompt.entry(*prompt).or_default().push(judged),
            }
        }
        (by_prompt.into_values().collect(), twice)
    }
}
