//! Votes of a judge on one prompt → pairs of answers, each seen in both orders.

use crate::watchdog::judge::doubled_chars;
use crate::watchdog::results::{Choice, ROUND_OF_BASELINE, Side, Vote};
use llm_canary_verdict::pairwise::{Judged, Vote as Voted};
use llm_canary_verdict::window::Pair;

/// The pairs of one prompt.
#[derive(Default)]
pub(super) struct Pairs {
    rounds: Vec<Judged>,
    /// The round of the last of them.
    last: Option<u32>,
    /// The baseline against itself, and an answer of it against the same written twice.
    baseline: Option<Judged>,
    doubled: Option<Judged>,
    /// The answers of the round that goes on: their round and their lengths.
    round: u32,
    chars: Pair<u64>,
    /// Answers of the baseline in round 0 so far.
    of_baseline: u8,
}

impl Pairs {
    /// An answer has come, with so many characters.
    pub(super) fn hear(&mut self, round: u32, side: Side, chars: u64) {
        if round != self.round {
            (self.round, self.chars) = (round, Pair::default());
        }
        // Of the baseline's two answers the first is called the version's.
        let is_version =
            if round == ROUND_OF_BASELINE { self.of_baseline == 0 } else { side == Side::Version };
        if round == ROUND_OF_BASELINE {
            self.of_baseline = self.of_baseline.saturating_add(1);
        }
        if is_version {
            self.chars.version = chars;
        } else {
            self.chars.baseline = chars;
        }
    }

    /// A vote has come. A later one on the same pair in the same order takes its place: a lost pair is asked once more.
    pub(super) fn vote(&mut self, vote: &Vote) {
        let chars = if vote.round == self.round { self.chars } else { Pair::default() };
        let new = Judged { version_first: None, baseline_first: None, chars };
        let judged = if vote.doubled {
            let chars = Pair { version: doubled_chars(chars.baseline), ..chars };
            self.doubled.get_or_insert(Judged { chars, ..new })
        } else if vote.round == ROUND_OF_BASELINE {
            self.baseline.get_or_insert(new)
        } else {
            if self.last != Some(vote.round) {
                self.last = Some(vote.round);
                self.rounds.push(new);
            }
            let Some(judged) = self.rounds.last_mut() else { return };
            judged
        };
        let order = match vote.first {
            Side::Version => &mut judged.version_first,
            Side::Baseline => &mut judged.baseline_first,
        };
        *order = vote.vote.map(|choice| match choice {
            Choice::Version => Voted::Version,
            Choice::Baseline => Voted::Baseline,
            Choice::Tie => Voted::Tie,
        });
    }

    pub(super) fn of_rounds(&self) -> &[Judged] {
        &self.rounds
    }

    pub(super) fn of_baseline(&self) -> Option<Judged> {
        self.baseline
    }

    pub(super) fn doubled(&self) -> Option<Judged> {
        self.doubled
    }
}
