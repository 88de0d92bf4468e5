//! A model that judges answers: what it is asked, and what its replies say.
//!
//! ```text
//! pairs → questions, each pair in both orders ┐                   ┌→ replies → votes
//! answers, criteria → questions               ┴ asked by the caller ┴→ replies → marks
//! ```
//!
//! The wording is our own. Answers are hostile text to a judge: they may say which answer is better, or give orders. So each is shown
//! between marks with a code that nobody can know who wrote it, and the judge is told so. That makes such tricks harder, and
//! does not exclude them: both orders, the baseline against itself and the raw replies in RESULTS are there to see them.

pub(crate) mod question;
pub(crate) mod reply;

use super::results::{Choice, Side, Vote};
use question::Question;
use serde_json::Value;

/// Two answers to one prompt in one round.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pair {
    /// The round; 0 has two answers of the baseline.
    pub(crate) round: u32,
    /// The set, as it was given.
    pub(crate) set: String,
    /// The name of the case.
    pub(crate) case: String,
    /// The prompt's number.
    pub(crate) prompt: usize,
    /// The conversation that was answered.
    pub(crate) messages: Vec<Value>,
    /// The version's answer, and the baseline's.
    pub(crate) version: Value,
    pub(crate) baseline: Value,
    /// An answer that the set gives as right.
    pub(crate) reference: Option<Value>,
    /// The version's answer is the baseline's, written twice.
    pub(crate) doubled: bool,
}

/// So many pairs of an answer and the same written twice are judged at most, once.
pub(crate) const DOUBLED_MAX: usize = 20;
const BETWEEN: &str = "\n\n";

/// How long a text of so many characters is when it is written twice.
pub(crate) fn doubled_chars(chars: u64) -> u64 {
    chars.saturating_mul(2).saturating_add(BETWEEN.len() as u64)
}

/// What came of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Came {
    /// What the judge wrote.
    Reply(String),
    /// Why nothing came: `judge 429`.
    Nothing(String),
}

/// Both orders, as they are asked.
const ORDERS: [Side; 2] = [Side::Version, Side::Baseline];

/// The reason where a reply says nothing.
pub(crate) const UNREADABLE: &str = "judge unreadable";

impl Pair {
    /// The baseline's answer and the same written twice. `None` if it is no text.
    pub(crate) fn doubled(&self) -> Option<Self> {
        let text = self.baseline.as_str().filter(|text| !text.is_empty())?;
        Some(Self { version: format!("{text}{BETWEEN}{text}").into(), doubled: true, ..self.clone() })
    }

    /// The question that shows this side's answer first.
    fn question(&self, first: Side) -> Question<'_> {
        let (first, second) = match first {
            Side::Version => (&self.version, &self.baseline),
            Side::Baseline => (&self.baseline, &self.version),
        };
        Question::Better { messages: &self.messages, first, second, reference: self.reference.as_ref() }
    }

    /// The vote that a reply is.
    fn vote(&self, at: &str, first: Side, came: &Came) -> Vote {
        let letter = match came {
            Came::Reply(text) => reply::letter(text),
            Came::Nothing(_) => None,
        };
        let (reply, unknown) = match came {
            Came::Reply(text) => (Some(text.clone()), letter.is_none().then(|| UNREADABLE.to_owned())),
            Came::Nothing(why) => (None, Some(why.clone())),
        };
        Vote {
            at: at.to_owned(),
            round: self.round,
            set: self.set.clone(),
            case: self.case.clone(),
            prompt: self.prompt,
            doubled: self.doubled,
            first,
            vote: letter.map(|letter| choice(letter, first)),
            reply,
            unknown,
        }
    }
}

/// Whose answer a letter means.
fn choice(letter: reply::Letter, first: Side) -> Choice {
    use reply::Letter;
    match (letter, first) {
        (Letter::Tie, _) => Choice::Tie,
        (Letter::A, Side::Version) | (Letter::B, Side::Baseline) => Choice::Version,
        (Letter::A, Side::Baseline) | (Letter::B, Side::Version) => Choice::Baseline,
    }
}

/// Takes questions, and returns the time of each and what came of it, in their order.
type Ask<'a> = dyn FnMut(&[Question<'_>]) -> Vec<(String, Came)> + 'a;

/// The votes on pairs. `ask` takes questions, and returns what came of each, in their order, with the time of the request.
///
/// A lost one is asked once more, after all others: by then a server that was busy may have time.
pub(crate) fn votes(pairs: &[Pair], ask: &mut Ask<'_>) -> Vec<Vote> {
    let asked: Vec<(&Pair, Side)> = pairs.iter().flat_map(|pair| ORDERS.map(|first| (pair, first))).collect();
    let mut ask = |asked: &[(&Pair, Side)]| -> Vec<Vote> {
        let questions: Vec<Question<'_>> = asked.iter().map(|(pair, first)| pair.question(*first)).collect();
        let came = ask(&questions);
        asked.iter().zip(came).map(|((pair, first), (at, came))| pair.vote(&at, *first, &came)).collect()
    };
    let mut votes = ask(&asked);
    let lost: Vec<usize> =
        (0_usize..).zip(&votes).filter(|(_, vote)| vote.vote.is_none()).map(|(at, _)| at).collect();
    let again: Vec<(&Pair, Side)> = lost.iter().filter_map(|at| asked.get(*at).copied()).collect();
    if !again.is_empty() {
        for (at, vote) in lost.into_iter().zip(ask(&again)) {
            if let Some(place) = votes.get_mut(at) {
                *place = vote;
            }
        }
    }
    votes
}

#[cfg(test)]
mod tests;
