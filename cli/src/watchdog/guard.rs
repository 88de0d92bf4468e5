//! What a reference set says, as a guard of a release.
//!
//! In: the last round, and the policy. Out: the arguments of the command that asks the set, and a row for `verdict`.

use super::results::{Round, Sides};
use llm_canary_verdict::looks::{Chances, can_be_fine};
use llm_canary_verdict::outside::Outside;
use llm_canary_verdict::policy::Policy;
use llm_canary_verdict::signal::Signal;
use llm_canary_verdict::verdict::{Finding, Verdict};
use llm_canary_verdict::window::Pair;
use llm_canary_verdict::words::{count, percent};

/// What is said before the first round is over.
const NO_ROUND: &str = "the first round of the reference set is not over yet";

/// The chances of an error that a reference set has within a policy: its guard's part of alpha.
pub(crate) fn chances(policy: &Policy) -> Chances {
    Chances { alpha: policy.alpha * policy.weight(&Signal::Watchdog), beta: policy.beta }
}

/// Before the first round is over. It holds the version: nothing is known of its answers.
pub(crate) fn before_first(policy: &Policy) -> Outside {
    Outside {
        finding: Finding::Unclear,
        pass_share: Pair::default(),
        prompts: 0,
        ln_e: 0.0,
        ln_threshold: -chances(policy).alpha.ln(),
        alarmed_at_ms: None,
        words: NO_ROUND.to_owned(),
        holds: true,
    }
}

/// After a round that ended at this time.
pub(crate) fn after(round: &Round, policy: &Policy, at_ms: i64) -> Outside {
    let finding = match round.verdict.as_str() {
        name if name == Verdict::Regression.name() => Finding::Worse,
        name if name == Verdict::Fine.name() => Finding::NoWorse,
        _ => Finding::Unclear,
    };
    let compared = round.prompts.total.saturating_sub(round.prompts.unknown);
    let is_judged = round.judge.as_ref().is_some_and(|judge| judge.win_rate.is_some());
    let is_known = compared > 0 || is_judged;
    let chances = chances(policy);
    let chances = if round.judge.is_some() { chances.halved() } else { chances };
    Outside {
        finding,
        pass_share: Pair { version: round.pass_share.version, baseline: round.pass_share.baseline },
        prompts: compared,
        ln_e: round.log_e,
        ln_threshold: round.threshold,
        alarmed_at_ms: (finding == Finding::Worse).then_some(at_ms),
        words: words(round, finding, compared, is_known),
        // Where nothing is known of either side, nothing goes on.
        holds: !is_known || can_be_fine(round.prompts.total, chances),
    }
}

/// `60 % of 50 prompts pass, and 92 % with the baseline; changed most: capitals (0/3, baseline 3/3)`
fn words(round: &Round, finding: Finding, compared: u64, is_known: bool) -> String {
    if !is_known {
        let reasons: Vec<String> =
            round.unknown_because.iter().map(|(why, times)| format!("{why}: {}", count(*times))).collect();
        let reasons = if reasons.is_empty() { String::new() } else { format!(" ({})", reasons.join(", ")) };
        return format!("no prompt of the reference set is known on both sides{reasons}");
    }
    let Sides { version, baseline } = round.pass_share;
    let shares = version.zip(baseline).map(|(version, baseline)| {
        format!(
            "{} of {} prompts pass, and {} with the baseline",
            percent(version),
            count(compared),
            percent(baseline)
        )
    });
    let judge = round.judge.as_ref().and_then(|judge| judge.win_rate);
    let judge = judge.map(|rate| format!("the judge prefers the version in {}", percent(rate)));
    let changed = round.changed.first().filter(|_| finding == Finding::Worse);
    let changed =
        changed.map(|one| format!("changed most: {} ({}, baseline {})", one.case, one.version, one.baseline));
    let fine = (finding == Finding::NoWorse)
        .then(|| "a drop of the pass share by more than 10 points is excluded".to_owned());
    let all: Vec<String> = shares.into_iter().chain(judge).chain(changed).chain(fine).collect();
    format!("{} after round {}", all.join("; "), round.round)
}

#[cfg(test)]
mod tests;
