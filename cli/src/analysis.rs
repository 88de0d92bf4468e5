//! Windows of a version → what is found about it.
//!
//! In: a candidate, its windows in order of time, a policy. Out: the judgement, and with a goal which version is better. The
//! arithmetic is `verdict`'s.

use crate::subject::{Candidate, Subject};
use crate::totals::Totals;
use llm_canary_verdict::difference::{Comparison, Difference};
use llm_canary_verdict::health::Look;
use llm_canary_verdict::judge::Judge;
use llm_canary_verdict::outside::Outside;
use llm_canary_verdict::policy::{Goal, Policy};
use llm_canary_verdict::steps::Step;
use llm_canary_verdict::verdict::{Judgement, Verdict};
use llm_canary_verdict::window::Window;

/// A version that is being judged.
#[derive(Clone, Debug)]
pub(crate) struct Judging {
    rollout: String,
    baseline: String,
    candidate: Candidate,
    question: Question,
    totals: Totals,
}

/// What is asked.
#[derive(Clone, Debug)]
enum Question {
    /// Is the version worse?
    Release(Box<Judge>),
    /// Which of the two is better?
    Better(Goal, Box<Comparison>),
}

/// What is found about a version at a look.
#[derive(Clone, Debug)]
pub(crate) struct Analysis {
    pub(crate) rollout: String,
    pub(crate) version: String,
    pub(crate) baseline: String,
    pub(crate) judgement: Judgement,
    /// The answer to the question which is better, if that was asked.
    pub(crate) ab: Option<Ab>,
    /// The version's share of the two, and the baseline's, if the configuration says them.
    pub(crate) step: Option<Step>,
    pub(crate) totals: Totals,
}

/// Which version is better.
#[derive(Clone, Debug)]
pub(crate) struct Ab {
    pub(crate) goal: Goal,
    pub(crate) difference: Difference,
}

impl Judging {
    /// Nothing seen yet. With a goal it is asked which version is better, and nothing is tolerated.
    pub(crate) fn new(
        subject: &Subject,
        candidate: &Candidate,
        policy: &Policy,
        goal: Option<&Goal>,
    ) -> Self {
        let (policy, steps) = (policy.clone(), candidate.steps.clone());
        let question = match goal {
            None => Question::Release(Box::new(Judge::new(policy, steps))),
            Some(goal) => {
                Question::Better(goal.clone(), Box::new(Comparison::new(goal.clone(), policy, steps)))
            }
        };
        Self {
            rollout: subject.rollout.clone(),
            baseline: subject.baseline.clone(),
            candidate: candidate.clone(),
            question,
            totals: Totals::default(),
        }
    }

    /// What is judged.
    pub(crate) fn candidate(&self) -> &Candidate {
        &self.candidate
    }

    /// Takes in what a reference set says of the version by now.
    pub(crate) fn tell(&mut self, outside: Outside) {
        if let Question::Release(judge) = &mut self.question {
            judge.tell(outside);
        }
    }

    /// Learns the steps anew, where they are taken while windows come. Those before the last window must be as they were.
    pub(crate) fn set_steps(&mut self, steps: Vec<Step>) {
        if let Question::Release(judge) = &mut self.question {
            judge.set_steps(steps.clone());
        }
        self.candidate.steps = Some(steps);
    }

    /// Whether a window is judged: not before the beginning.
    pub(crate) fn takes(&self, window: &Window) -> bool {
        self.candidate.since_ms.is_none_or(|since_ms| window.end_ms > since_ms)
    }

    /// The windows must come in order of time. Those before the beginning are passed over.
    pub(crate) fn push(&mut self, window: &Window) {
        if !self.takes(window) {
            return;
        }
        self.totals.push(window);
        match &mut self.question {
            Question::Release(judge) => judge.push(window),
            Question::Better(_, comparison) => comparison.push(window),
        }
    }

    /// The judge of the version, for what it found on the way.
    pub(crate) fn judge(&self) -> &Judge {
        match &self.question {
            Question::Release(judge) => judge,
            Question::Better(_, comparison) => comparison.judge(),
        }
    }

    /// The steps of the version, if the configuration says them.
    pub(crate) fn steps(&self) -> Option<&[Step]> {
        self.candidate.steps.as_deref()
    }

    /// What is found by now.
    pub(crate) fn analysis(&self, look: &Look) -> Analysis {
        let (mut judgement, ab) = match &self.question {
            Question::Release(judge) => (judge.judgement(look), None),
            Question::Better(goal, comparison) => {
                let ab = Ab { goal: goal.clone(), difference: comparison.difference() };
                (comparison.judge().judgement(look), Some(ab))
            }
        };
        let mut steps = self.candidate.steps.iter().flatten().rev();
        let step = steps.find(|step| step.at_ms < judgement.until_ms).copied();
        // The judge knows the two versions only. The configured share is of all requests, so the one that was seen must be, too.
        let of_both = step.map_or(1.0, |step| step.share + step.baseline);
        judgement.shares.observed = judgement.shares.observed.map(|observed| observed * of_both);
        Analysis {
            rollout: self.rollout.clone(),
            version: self.candidate.version.clone(),
            baseline: self.baseline.clone(),
            judgement,
            ab,
            step,
            totals: self.totals.clone(),
        }
    }
}

impl Analysis {
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
