//! A guard that is judged elsewhere: a reference set that is asked of both versions beside the traffic.
//!
//! It brings its own test and its own thresholds (`watchdog`). Here it becomes a row among the signals, with the weight that the
//! policy gives it.

use crate::evidence::Figures;
use crate::looks::DROP_MAX;
use crate::math::real;
use crate::policy::{Margin, Policy};
use crate::signal::{Direction, Signal};
use crate::verdict::{Alarm, Finding, SignalJudgement, Told};
use crate::window::Pair;

/// What a reference set says of a version.
#[derive(Clone, Debug, PartialEq)]
pub struct Outside {
    /// What is known.
    pub finding: Finding,
    /// The mean pass shares, as parts of 1.
    pub pass_share: Pair<Option<f64>>,
    /// How many prompts they are of.
    pub prompts: u64,
    /// The evidence that the version is worse, and what it must reach.
    pub ln_e: f64,
    /// See there.
    pub ln_threshold: f64,
    /// When it was first found to be worse, in Unix milliseconds.
    pub alarmed_at_ms: Option<i64>,
    /// The finding in words, without a subject.
    pub words: String,
    /// Whether it keeps the version from being fine while nothing is decided. A set of so few prompts that it can never show that
    /// a version is fine does not.
    pub holds: bool,
}

impl Outside {
    /// The same, but for an alarm that came before: it stays, with its words.
    pub(crate) fn after(self, before: Option<&Self>) -> Self {
        match before {
            Some(before) if before.alarmed_at_ms.is_some() => before.clone(),
            _ => self,
        }
    }

    /// As a row among the signals.
    pub(crate) fn judgement(&self, policy: &Policy) -> SignalJudgement {
        let signal = Signal::Watchdog;
        // Shares are means over prompts; a count is the nearest whole number.
        let passes =
            |share: &Option<f64>| share.map_or(0, |share| (share * real(self.prompts)).round() as u64);
        let alarm = |at_ms| Alarm { at_ms, ln_e: self.ln_e, direction: Direction::Up };
        SignalJudgement {
            mode: policy.mode(&signal),
            kind: signal.kind(),
            harm: signal.harm(),
            finding: self.finding,
            direction: None,
            figures: Figures {
                values: self.pass_share,
                events: Pair {
                    version: passes(&self.pass_share.version),
                    baseline: passes(&self.pass_share.baseline),
                },
                observations: Pair { version: self.prompts, baseline: self.prompts },
                ratio: None,
                interval: (0.0, f64::INFINITY),
                quantiles: None,
            },
            margin: Margin { ratio: 1.0, points: DROP_MAX },
            design_effect: 1.0,
            ln_e: self.ln_e,
            ln_threshold: self.ln_threshold,
            ln_no_worse: 0.0,
            ln_threshold_no_worse: 0.0,
            alarm: self.alarmed_at_ms.map(alarm),
            no_worse_at_ms: None,
            missing: None,
            detectable_ratio: None,
            told: Some(Told { words: self.words.clone(), holds: self.holds }),
            signal,
        }
    }
}
