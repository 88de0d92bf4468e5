//! One signal of a version that is judged: its evidence, and what was found at the last look.

use crate::evidence::{DistributionEvidence, Evidence, HarmFound, RateEvidence};
use crate::policy::{Margin, Policy};
use crate::signal::{Harm, Kind, Mode, Signal};
use crate::verdict::{Alarm, Finding};

/// A signal, and what has been found.
#[derive(Clone, Debug)]
pub(super) struct Judged {
    pub(super) evidence: Evidence,
    pub(super) mode: Mode,
    pub(super) harm: Harm,
    pub(super) margins: Vec<Margin>,
    pub(super) ln_threshold: f64,
    /// At the last look.
    pub(super) now: HarmFound,
    pub(super) phi: f64,
    pub(super) ln_no_worse: f64,
    /// The first alarm; of guards only.
    pub(super) alarm: Option<Alarm>,
    pub(super) no_worse_at_ms: Option<i64>,
}

impl Judged {
    pub(super) fn new(policy: &Policy, signal: &Signal) -> Self {
        let margins = policy.margins_of(signal);
        let tolerance = policy.tolerance.max(1.0);
        let harm = policy.harm(signal);
        let evidence = match signal.kind() {
            Kind::Rate => Evidence::Rate(Box::new(RateEvidence::new(tolerance, &margins, harm))),
            Kind::Distribution => {
                Evidence::Distribution(Box::new(DistributionEvidence::new(tolerance, &margins)))
            }
        };
        Self {
            now: evidence.harm(harm, 1.0),
            evidence,
            mode: policy.mode(signal),
            harm,
            margins,
            ln_threshold: policy.ln_threshold(signal),
            phi: 1.0,
            ln_no_worse: 0.0,
            alarm: None,
            no_worse_at_ms: None,
        }
    }

    /// Whether harm is found at this look.
    pub(super) fn is_worse(&self) -> bool {
        self.now.agrees && self.now.ln_e >= self.ln_threshold
    }

    pub(super) fn finding(&self, ln_no_worse: f64, ln_no_worse_needed: f64) -> Finding {
        let observed = self.evidence.is_observed();
        if self.alarm.is_some() || self.is_worse() {
            Finding::Worse
        } else if !observed.either(|is| *is) {
            Finding::Absent
        } else if ln_no_worse >= ln_no_worse_needed {
            Finding::NoWorse
        } else {
            Finding::Unclear
        }
    }
}
