//! Prompts that changed, each by itself: more than the noise of its own answers explains.
//!
//! This list says where to look. It raises no alarm, and it does not wait for one: a prompt that broke must not vanish in
//! an average. A prompt is listed for one of two reasons:
//!
//! * **All or nothing**: one version passed each time, in at least [`ANSWERS_MIN`] rounds, and the other never. If both
//!   versions pass with the same chance, this happens with a chance of at most `2 · 4^-n` after `n` rounds: 1 in 32 after 3
//!   rounds, for a prompt that is a coin toss, and 1 in 700 for one that passes nine times in ten.
//! * **Fisher's exact test** of its passes, two-sided. There are many prompts, so it is held to Benjamini and Hochberg's rule
//!   (1995): of the prompts listed by it, at most [`FALSE_SHARE`] are in the mean listed by chance. Prompts whose answers were
//!   all the same, on both sides, cannot have changed, and do not count there.

use crate::math::ln_gamma;
use crate::prompts::Prompt;

/// So many rounds make all or nothing a change.
pub const ANSWERS_MIN: u32 = 3;

/// The part of those listed by the test that may be there by chance.
pub const FALSE_SHARE: f64 = 0.1;

/// What is left out of a sum, relative to it; and how near to a limit counts as at it.
const ROUNDING: f64 = 1e-12;

/// A prompt that changed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Changed {
    /// Its place among the prompts, from 0.
    pub index: usize,
    /// What is known of it.
    pub prompt: Prompt,
    /// Fisher's two-sided p.
    pub p: f64,
}

impl Changed {
    /// Whether the version passes less often than the baseline.
    #[must_use]
    pub fn is_worse(&self) -> bool {
        self.prompt.passes_fewer() > 0
    }
}

/// The prompts that changed, for the worse or the better: those that are worse first, then the surest first.
#[must_use]
pub fn changed(prompts: &[Prompt]) -> Vec<Changed> {
    let mut varied: Vec<Changed> = prompts
        .iter()
        .enumerate()
        .filter(|(_, prompt)| has_varied(prompt))
        .map(|(index, prompt)| Changed { index, prompt: *prompt, p: fisher(prompt) })
        .collect();
    varied.sort_by(|a, b| a.p.total_cmp(&b.p));
    let limit = FALSE_SHARE / varied.len() as f64 * (1.0 + ROUNDING);
    let within = varied.iter().zip(1_u32..).filter(|(changed, rank)| changed.p <= limit * f64::from(*rank));
    let rejected = within.last().map_or(0, |(_, rank)| rank);
    let is_listed =
        |(changed, rank): &(Changed, u32)| *rank <= rejected || is_all_or_nothing(&changed.prompt);
    let mut listed: Vec<Changed> =
        varied.into_iter().zip(1_u32..).filter(is_listed).map(|(changed, _)| changed).collect();
    listed.sort_by(|a, b| {
        b.is_worse().cmp(&a.is_worse()).then(a.p.total_cmp(&b.p)).then(a.index.cmp(&b.index))
    });
    listed
}

/// Whether some of all answers passed and some did not.
fn has_varied(prompt: &Prompt) -> bool {
    let passes = u64::from(prompt.passes().version).saturating_add(prompt.passes().baseline.into());
    passes > 0 && passes < u64::from(prompt.answers()).saturating_mul(2)
}

fn is_all_or_nothing(prompt: &Prompt) -> bool {
    prompt.answers() >= ANSWERS_MIN && prompt.passes_fewer().unsigned_abs() == u64::from(prompt.answers())
}

/// Both sides have `n` answers, so the distribution is symmetric: twice the chance that the side with fewer passes has
/// `few` or fewer of all. Terms fall from there on, each by a simple ratio.
fn fisher(prompt: &Prompt) -> f64 {
    let n = f64::from(prompt.answers());
    let (version, baseline) = (f64::from(prompt.passes().version), f64::from(prompt.passes().baseline));
    let (few, many) = (version.min(baseline), version.max(baseline));
    if few >= many {
        return 1.0;
    }
    let ln_choose = |n: f64, k: f64| ln_gamma(n + 1.0) - ln_gamma(k + 1.0) - ln_gamma(n - k + 1.0);
    let ln_term = ln_choose(n, few) + ln_choose(n, many) - ln_choose(2.0 * n, few + many);
    let (mut sum, mut term, mut few, mut many) = (1.0, 1.0, few, many);
    while few > 0.0 && many < n && term > sum * ROUNDING {
        term *= few * (n - many) / ((many + 1.0) * (n - few + 1.0));
        sum += term;
        few -= 1.0;
        many += 1.0;
    }
    (2.0 * sum * ln_term.exp()).min(1.0)
}

#[cfg(test)]
mod tests;
