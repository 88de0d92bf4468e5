//! What a judge is for the rounds: pairs of answers in, votes out.

use super::prompts::Prompt;
use super::results::{Answer, Vote};

/// The two answers to a prompt in a round. In round 0 both are the baseline's, and one of them is called the version's.
pub(crate) struct PairOfAnswers<'a> {
    /// What was asked.
    pub(crate) prompt: &'a Prompt<'a>,
    /// The version's answer.
    pub(crate) version: &'a mut Answer,
    /// The baseline's answer.
    pub(crate) baseline: &'a mut Answer,
}

/// Who judges answers.
pub(crate) trait Judge {
    /// Judges the pairs of a round. It may also add what it says of one answer to that answer's checks. When `is_over` says so,
    /// it ends with what it has.
    fn judge(&mut self, round: u32, pairs: &mut [PairOfAnswers<'_>], is_over: &dyn Fn() -> bool)
    -> Vec<Vote>;
}
