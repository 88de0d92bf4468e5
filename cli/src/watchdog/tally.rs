//! Lines of RESULTS → what is known after each round.
//!
//! Whoever reads the lines in their order gets the same: the command that makes them, one that was started again, and a report.
//!
//! A case without a check is compared by one thing: that it is answered, without a defect. That may show harm, and it never
//! shows that a version is fine; so the pass shares, and `fine`, are of prompts that have checks.

mod pairs;

use super::results::{
    Answer, Changed, Judge, Line, PromptTokens, Prompts, ROUND_OF_BASELINE, Round, Side, Sides, Vote,
};
use llm_canary_verdict::changed::changed;
use llm_canary_verdict::looks::Chances;
use llm_canary_verdict::pairwise::{Calibration, Preference, prefer};
use llm_canary_verdict::prompts::{self as verdict_prompts, Checked};
use llm_canary_verdict::verdict::Verdict;
use llm_canary_verdict::watchdog::{Alarm, Watchdog};
use llm_canary_verdict::window::Pair;
use pairs::Pairs;
use serde_json::Value;
use std::collections::BTreeMap;

/// Prompts of all sets together are at most so many.
pub(crate) const PROMPTS_MAX: usize = 1_000_000;
/// So many different reasons are counted by name; the others together.
const REASONS_MAX: usize = 100;
/// What the others are counted as.
const OTHER_REASONS: &str = "other";

/// With so many prompts that have checks a version can be found to be fine, if all pass: the least number of them. The evidence is of
/// prompts, so further rounds do not make up for it.
pub(crate) fn prompts_to_be_fine() -> usize {
    let alike = verdict_prompts::Prompt::new(1, Pair { version: 1, baseline: 1 });
    let is_fine =
        |count: &usize| verdict_prompts::check(&vec![alike; *count], 1, Chances::default()).proof.is_fine();
    (1..PROMPTS_MAX).find(is_fine).unwrap_or(PROMPTS_MAX)
}

/// What is known by the lines so far.
#[derive(Default)]
pub(crate) struct Tally {
    chances: Chances,
    prompts: Vec<Known>,
    round: u32,
    watchdog: Watchdog,
    unknown_because: BTreeMap<String, u64>,
    defects: Sides<BTreeMap<String, u64>>,
    /// Calls of a judge; with any, checks and judge share the chance of an error.
    judge_calls: u64,
    preference: Option<Preference>,
}

/// What is known of one prompt.
#[derive(Default)]
struct Known {
    set: String,
    case: String,
    /// Whether its case has a check.
    is_checked: bool,
    passes: verdict_prompts::Prompt,
    /// The answers of the round that goes on.
    heard: Sides<Option<Heard>>,
    /// The baseline's two answers of round 0.
    twice: Vec<Option<bool>>,
    /// Tokens of the prompt, of a round in which both sides said them; whether they differ.
    tokens_differ: Option<bool>,
    failed_check: Sides<Option<String>>,
    pairs: Pairs,
}

/// An answer of the round that goes on.
#[derive(Clone, Copy)]
struct Heard {
    round: u32,
    passed: Option<bool>,
    prompt_tokens: Option<u64>,
}

impl Tally {
    /// A tally that knows of so many prompts, though it has heard of none.
    pub(crate) fn of(prompts: usize) -> Self {
        let mut tally = Self::default();
        tally.prompts.resize_with(prompts.min(PROMPTS_MAX), Known::default);
        tally
    }

    /// With other chances of an error than usual.
    pub(crate) fn with_chances(mut self, chances: Chances) -> Self {
        self.chances = chances;
        self
    }

    /// The last round that has ended.
    pub(crate) fn round(&self) -> u32 {
        self.round
    }

    /// Whether the baseline has been asked twice.
    pub(crate) fn has_baseline_twice(&self) -> bool {
        self.prompts.iter().any(|prompt| prompt.twice.len() >= 2)
    }

    /// The first alarm.
    pub(crate) fn alarm(&self) -> Option<Alarm> {
        self.watchdog.alarm()
    }

    /// What the judge says after the last round.
    pub(crate) fn preference(&self) -> Option<&Preference> {
        self.preference.as_ref()
    }

    /// Names of the prompts whose two answers of the baseline differed: set and case.
    pub(crate) fn quarantined(&self) -> impl Iterator<Item = (&str, &str)> {
        let quarantined = self.prompts.iter().filter(|prompt| prompt.passes.is_quarantined());
        quarantined.map(|prompt| (prompt.set.as_str(), prompt.case.as_str()))
    }

    /// Takes in a line. A round is what its answers make it, whatever its line says.
    ///
    /// # Errors
    /// The prompt's number is beyond [`PROMPTS_MAX`]: a sentence without its subject.
    pub(crate) fn push(&mut self, line: &Line) -> Result<(), String> {
        match line {
            Line::Answer(answer) => self.answer(answer),
            Line::Vote(vote) => self.vote(vote),
            Line::Round(round) => {
                self.end(round.round);
                Ok(())
            }
        }
    }

    fn prompt(&mut self, number: usize, set: &str, case: &str) -> Result<&mut Known, String> {
        if number >= PROMPTS_MAX {
            return Err(format!("has the prompt number {number}; there may be {PROMPTS_MAX}"));
        }
        if number >= self.prompts.len() {
            self.prompts.resize_with(number.saturating_add(1), Known::default);
        }
        let known = self.prompts.get_mut(number).ok_or("has no such prompt")?;
        if known.set.is_empty() && known.case.is_empty() {
            set.clone_into(&mut known.set);
            case.clone_into(&mut known.case);
        }
        Ok(known)
    }

    fn answer(&mut self, answer: &Answer) -> Result<(), String> {
        if let Some(why) = &answer.unknown {
            self.count_unknown(why);
        }
        // Round 0 is a comparison of the baseline with itself.
        if answer.round != ROUND_OF_BASELINE {
            let defects = self.defects.of_mut(answer.side);
            for defect in answer.defects.iter().filter(|_| answer.status.is_some()) {
                let count = defects.entry(defect.clone()).or_default();
                *count = count.saturating_add(1);
            }
        }
        let known = self.prompt(answer.prompt, &answer.set, &answer.case)?;
        known.is_checked |= answer.checked;
        // Without a check an answer that is there passes.
        let passed = answer.unknown.is_none().then(|| answer.pass.unwrap_or(true));
        known.pairs.hear(answer.round, answer.side, chars(&answer.output));
        if answer.round == ROUND_OF_BASELINE {
            known.twice.push(passed);
            if let [first, second] = known.twice.as_slice() {
                known.passes.push_baseline_twice([*first, *second]);
            }
            return Ok(());
        }
        if passed == Some(false) {
            let failed = answer.checks.iter().find(|check| !check.pass);
            *known.failed_check.of_mut(answer.side) = failed.map(|check| check.check.clone());
        }
        let heard = Heard { round: answer.round, passed, prompt_tokens: answer.prompt_tokens };
        *known.heard.of_mut(answer.side) = Some(heard);
        known.meet();
        Ok(())
    }

    fn vote(&mut self, vote: &Vote) -> Result<(), String> {
        self.judge_calls = self.judge_calls.saturating_add(1);
        if let Some(why) = &vote.unknown {
            self.count_unknown(why);
        }
        self.prompt(vote.prompt, &vote.set, &vote.case)?.pairs.vote(vote);
        Ok(())
    }

    fn count_unknown(&mut self, why: &str) {
        let is_known = self.unknown_because.len() < REASONS_MAX || self.unknown_because.contains_key(why);
        let why = if is_known { why } else { OTHER_REASONS };
        let count = self.unknown_because.entry(why.to_owned()).or_default();
        *count = count.saturating_add(1);
    }

    /// A round has ended: what is known now. A round that has ended already changes nothing.
    pub(crate) fn end(&mut self, round: u32) -> Round {
        let chances = if self.judge_calls > 0 { self.chances.halved() } else { self.chances };
        let all: Vec<verdict_prompts::Prompt> = self.prompts.iter().map(|prompt| prompt.passes).collect();
        let checked = self.checked(&all, round, chances);
        let preference = (self.judge_calls > 0).then(|| self.prefer(round, chances));
        self.watchdog.push(round, &checked, preference.as_ref());
        self.round = self.round.max(round);
        let tally = checked.tally;
        let is_by_judge = checked.pass_share.is_none() && tally.better + tally.worse == 0;
        let proof = preference.filter(|_| is_by_judge).map_or(checked.proof, |preference| preference.proof);
        self.preference = preference;
        Round {
            verdict: self.verdict().name().to_owned(),
            round,
            prompts: Prompts {
                total: tally.total,
                better: tally.better,
                worse: tally.worse,
                same: tally.same,
                quarantined: tally.quarantined,
                unknown: tally.unknown,
            },
            pass_share: checked.pass_share.map_or_else(Sides::default, |share| Sides {
                version: Some(share.version),
                baseline: Some(share.baseline),
            }),
            log_e: proof.ln_e,
            threshold: proof.ln_threshold,
            judge: preference.map(|preference| Judge {
                win_rate: preference.win_rate,
                interval: preference.interval,
                consistency: preference.consistency,
                length_controlled: preference.length_controlled,
                calls: self.judge_calls,
                first_share: preference.first_share,
                noise_floor: preference.noise_floor,
                because: preference.standing.because().map(str::to_owned),
            }),
            prompt_tokens: self.prompt_tokens(),
            defects: self.defects.clone(),
            changed: self.changed(&all),
            unknown_because: self.unknown_because.clone(),
        }
    }

    /// The verdict after the last round.
    pub(crate) fn verdict(&self) -> Verdict {
        self.watchdog.verdict()
    }

    /// What the checks say: harm by all prompts, `fine` and the pass shares by those that have checks.
    fn checked(&self, all: &[verdict_prompts::Prompt], round: u32, chances: Chances) -> Checked {
        let with_checks = self.prompts.iter().filter(|prompt| prompt.is_checked);
        let with_checks: Vec<verdict_prompts::Prompt> = with_checks.map(|prompt| prompt.passes).collect();
        let strict = verdict_prompts::check(&with_checks, round, chances);
        let mut checked = verdict_prompts::check(all, round, chances);
        checked.pass_share = strict.pass_share;
        checked.proof.ln_fine = strict.proof.ln_fine;
        checked.proof.mean_drop = strict.proof.mean_drop;
        checked
    }

    fn prefer(&self, round: u32, chances: Chances) -> Preference {
        let prompts: Vec<_> = self.prompts.iter().map(|prompt| prompt.pairs.of_rounds().to_vec()).collect();
        let twice: Vec<_> = self.prompts.iter().filter_map(|prompt| prompt.pairs.of_baseline()).collect();
        let doubled: Vec<_> = self.prompts.iter().filter_map(|prompt| prompt.pairs.doubled()).collect();
        let calibration = Calibration { baseline_twice: &twice, doubled: &doubled };
        prefer(&prompts, calibration, round, chances)
    }

    fn prompt_tokens(&self) -> PromptTokens {
        let count = |is: fn(bool) -> bool| {
            self.prompts.iter().filter_map(|prompt| prompt.tokens_differ).filter(|differ| is(*differ)).count()
                as u64
        };
        PromptTokens { compared: count(|_| true), differ: count(|differ| differ) }
    }

    fn changed(&self, all: &[verdict_prompts::Prompt]) -> Vec<Changed> {
        let listed = changed(all).into_iter().filter_map(|changed| {
            let known = self.prompts.get(changed.index)?;
            let side = if changed.is_worse() { Side::Version } else { Side::Baseline };
            let (passes, answers) = (changed.prompt.passes(), changed.prompt.answers());
            Some(Changed {
                set: known.set.clone(),
                case: known.case.clone(),
                version: format!("{}/{answers}", passes.version),
                baseline: format!("{}/{answers}", passes.baseline),
                check: known.failed_check.of(side).clone().unwrap_or_default(),
            })
        });
        listed.collect()
    }
}

impl Known {
    /// Counts both sides of a round, once both are there.
    fn meet(&mut self) {
        let (Some(version), Some(baseline)) = (self.heard.version, self.heard.baseline) else { return };
        if version.round != baseline.round {
            return;
        }
        self.heard = Sides::default();
        self.passes.push(Pair { version: version.passed, baseline: baseline.passed });
        if let Some((version, baseline)) = version.prompt_tokens.zip(baseline.prompt_tokens) {
            self.tokens_differ = Some(version != baseline);
        }
    }
}

/// The length of an output in characters.
fn chars(output: &Value) -> u64 {
    let chars = match output {
        Value::Null => 0,
        Value::String(text) => text.chars().count(),
        other => other.to_string().chars().count(),
    };
    u64::try_from(chars).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod days_tests;
#[cfg(test)]
mod tests;
