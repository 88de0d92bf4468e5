//! Windows of a version → what is found about it.
//!
//! In: a candidate, its windows in order of time, a policy. Out: the judgement, and with a goal which version is better. The
//! arithmetic is `verdict`'s.

use crate::subject::{Candidate, Subject};
use llm_canary_verdict::difference::{Comparison, Difference};
use llm_canary_verdict::health::Look;
use llm_canary_verdict::judge::Judge;
use llm_canary_verdict::policy::{Goal, Policy};
use llm_canary_verdict::verdict::{Judgement, Verdict};
use llm_canary_verdict::window::Window;

/// What is found about a version.
#[derive(Clone, Debug)]
pub(crate) struct Analysis {
    pub(crate) rollout: String,
    pub(crate) version: String,
    pub(crate) baseline: String,
    pub(crate) judgement: Judgement,
    /// The answer to the question which is better, if that was asked.
    pub(crate) ab: Option<Ab>,
}

/// Which version is better.
#[derive(Clone, Debug)]
pub(crate) struct Ab {
    pub(crate) goal: Goal,
    pub(crate) difference: Difference,
}

impl Analysis {
    /// Judges a version by its windows. With a goal it asks which is better, and judges with a tolerance of 1.
    pub(crate) fn new<'w>(
        subject: &Subject,
        candidate: &Candidate,
        windows: impl IntoIterator<Item = &'w Window>,
        policy: &Policy,
        goal: Option<&Goal>,
        look: &Look,
    ) -> Self {
        let is_wanted = |window: &&Window| candidate.since_ms.is_none_or(|since_ms| window.end_ms > since_ms);
        let windows = windows.into_iter().filter(is_wanted);
        let (mut judgement, ab) = match goal {
            None => {
                let mut judge = Judge::new(policy.clone(), candidate.steps.clone());
                windows.for_each(|window| judge.push(window));
                (judge.judgement(look), None)
            }
            Some(goal) => {
                let mut comparison = Comparison::new(goal.clone(), policy.clone(), candidate.steps.clone());
                windows.for_each(|window| comparison.push(window));
                let ab = Ab { goal: goal.clone(), difference: comparison.difference() };
                (comparison.judge().judgement(look), Some(ab))
            }
        };
        // The judge knows the two versions only. The configured share is of all requests, so the one that was seen must be, too.
        let in_force = candidate.steps.iter().flatten().rev().find(|step| step.at_ms < judgement.until_ms);
        let of_both = in_force.map_or(1.0, |step| step.share + step.baseline);
        judgement.shares.observed = judgement.shares.observed.map(|observed| observed * of_both);
        Self {
            rollout: subject.rollout.clone(),
            version: candidate.version.clone(),
            baseline: subject.baseline.clone(),
            judgement,
            ab,
        }
    }

    /// The word for what was found.
    pub(crate) fn verdict_name(&self) -> &'static str {
        self.ab.as_ref().map_or(self.judgement.verdict.name(), |ab| ab.difference.conclusion.name())
    }

    pub(crate) fn exit_code(&self) -> u8 {
        self.ab.as_ref().map_or(self.judgement.verdict.exit_code(), |ab| ab.difference.conclusion.exit_code())
    }

    /// Whether more evidence can change what was found.
    pub(crate) fn is_decided(&self) -> bool {
        self.exit_code() != Verdict::NotEnoughData.exit_code()
    }
}

/// The exit code for several versions: a regression beats what is open, and that beats what is fine.
pub(crate) fn worst_exit_code(analyses: &[Analysis]) -> u8 {
    let rank = |code: &u8| match code {
        1 => 2,
        3 => 1,
        _ => 0,
    };
    analyses.iter().map(Analysis::exit_code).max_by_key(rank).unwrap_or(Verdict::NotEnoughData.exit_code())
}
