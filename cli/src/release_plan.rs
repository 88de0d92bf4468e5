//! The plan of a release: which shares a version gets one after the other, and what stands between them.
//!
//! In: `1%,5%@10m,wait,100%`. Out: a [`Plan`] that cannot be wrong, or every mistake at once.

use crate::number_args::parse_percent;
use crate::time_args::{millis, parse_duration};
use llm_canary::bucket::PARTS;

/// A step lasts at least so long where the plan says nothing: 10 minutes.
const AFTER_MS: u64 = 600_000;
/// A plan has at most so many items. A rollout has at most 256 steps, and earlier releases have some of them.
const ITEMS_MAX: usize = 64;

/// Shares that rise, at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    steps: Vec<PlanStep>,
    /// Whether somebody must approve before the plan is finished.
    waits_at_end: bool,
}

/// One share of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PlanStep {
    /// In parts per million of the conversations that begin.
    pub(crate) parts: u32,
    /// No sooner than so long after the step before began; for the first, after the command began. Milliseconds.
    pub(crate) after_ms: u64,
    /// Whether somebody must approve before.
    pub(crate) waits: bool,
}

impl Plan {
    /// Reads a plan.
    ///
    /// # Errors
    /// All mistakes, each a sentence.
    pub(crate) fn parse(text: &str) -> Result<Self, Vec<String>> {
        let mut mistakes = Vec::new();
        let mut plan = Self { steps: Vec::new(), waits_at_end: false };
        let items: Vec<&str> = text.split(',').map(str::trim).collect();
        if items.len() > ITEMS_MAX {
            return Err(vec![format!("has {} items; at most {ITEMS_MAX} are followed", items.len())]);
        }
        // A share that cannot be read leaves no doubt about those behind it.
        let mut highest: Option<(&str, u32)> = None;
        for item in items {
            match plan.read(item, &mut highest) {
                Ok(()) => {}
                Err(mistake) => mistakes.push(mistake),
            }
        }
        if plan.steps.is_empty() && mistakes.is_empty() {
            mistakes.push("has no share; write one such as 5%".to_owned());
        }
        if mistakes.is_empty() { Ok(plan) } else { Err(mistakes) }
    }

    fn read<'a>(&mut self, item: &'a str, highest: &mut Option<(&'a str, u32)>) -> Result<(), String> {
        if item.is_empty() {
            return Err("has an empty item; write shares and waits with one comma between them".to_owned());
        }
        let (share, time) = item.split_once('@').map_or((item, None), |(share, time)| (share, Some(time)));
        let share = share.trim();
        if share.eq_ignore_ascii_case("wait") {
            if let Some(time) = time {
                return Err(format!(
                    "{item:?}: a wait ends with an approval, not with a time; leave out @{time}"
                ));
            }
            if std::mem::replace(&mut self.waits_at_end, true) {
                return Err("has two waits in a row; one approval is enough, so leave one out".to_owned());
            }
            return Ok(());
        }
        let parts = parse_percent(share)?;
        let after_ms = match time {
            Some(time) => {
                parse_duration(time.trim()).map(millis).map_err(|words| format!("{item:?}: {words}"))?
            }
            None if self.steps.is_empty() => 0,
            None => AFTER_MS,
        };
        if parts == 0 {
            return Err(format!("{item:?} gives the version nothing; begin with a share above 0"));
        }
        if let Some((before, highest)) = highest.filter(|(_, highest)| *highest >= parts) {
            let what = if highest == parts { "repeats" } else { "is less than" };
            return Err(format!(
                "{item:?} {what} {before:?} before it; shares must rise. To go down, use ramp, drain or stop"
            ));
        }
        *highest = Some((share, parts));
        let waits = std::mem::take(&mut self.waits_at_end);
        self.steps.push(PlanStep { parts, after_ms, waits });
        Ok(())
    }

    #[cfg(test)]
    pub(crate) fn steps(&self) -> &[PlanStep] {
        &self.steps
    }

    pub(crate) fn step(&self, index: usize) -> Option<PlanStep> {
        self.steps.get(index).copied()
    }

    /// Whether a step gives the version everything.
    pub(crate) fn is_full(&self, index: usize) -> bool {
        self.step(index).is_some_and(|step| step.parts == PARTS)
    }

    /// Which step gives this share.
    pub(crate) fn position(&self, parts: u32) -> Option<usize> {
        self.steps.iter().position(|step| step.parts == parts)
    }

    /// The largest share.
    pub(crate) fn most(&self) -> u32 {
        self.steps.last().map_or(0, |step| step.parts)
    }

    /// Whether somebody must approve after a step before the plan goes on, or is finished.
    pub(crate) fn waits_after(&self, index: usize) -> bool {
        self.step(index.saturating_add(1)).map_or(self.waits_at_end, |step| step.waits)
    }

    /// How long the plan stays on a step at least, in milliseconds.
    pub(crate) fn least_ms(&self, index: usize) -> u64 {
        self.step(index.saturating_add(1)).map_or(AFTER_MS, |step| step.after_ms)
    }

    /// Whether somebody must approve anywhere.
    pub(crate) fn has_wait(&self) -> bool {
        self.waits_at_end || self.steps.iter().any(|step| step.waits)
    }
}

#[cfg(test)]
mod tests {
    use super::{Plan, PlanStep};

    fn step(parts: u32, after_ms: u64, waits: bool) -> PlanStep {
        PlanStep { parts, after_ms, waits }
    }

    #[test]
    fn plans_are_read() {
        let plan = Plan::parse("1%,5%@10s, 25 @ 1h30m ,wait,50%,100%@0s").unwrap();
        assert_eq!(
            plan.steps(),
            [
                step(10_000, 0, false),
                step(50_000, 10_000, false),
                step(250_000, 5_400_000, false),
                step(500_000, 600_000, true),
                step(1_000_000, 0, false),
            ]
        );
        assert_eq!((plan.position(250_000), plan.position(20_000), plan.most()), (Some(2), None, 1_000_000));
        assert!(plan.is_full(4) && !plan.is_full(3) && !plan.is_full(5) && plan.has_wait());
        assert_eq!((plan.waits_after(1), plan.waits_after(2), plan.waits_after(4)), (false, true, false));
        assert_eq!((plan.least_ms(0), plan.least_ms(4)), (10_000, 600_000));
        let plan = Plan::parse("wait,0.5%@2m,WAIT").unwrap();
        assert_eq!(plan.steps(), [step(5_000, 120_000, true)]);
        assert!(plan.waits_after(0));
    }

    #[test]
    fn every_mistake_is_said_at_once() {
        let words = |text: &str| Plan::parse(text).unwrap_err();
        let found = words("0%,five,5%@soon,5%,3%,5%,,wait@5m,wait,wait,101%,20%@-1s");
        let expect = [
            "\"0%\" gives the version nothing",
            "\"five\" is not a percentage",
            "\"5%@soon\": \"soon\" is not a duration",
            "\"3%\" is less than \"5%\" before it; shares must rise",
            "\"5%\" repeats \"5%\" before it",
            "has an empty item",
            "\"wait@5m\": a wait ends with an approval, not with a time; leave out @5m",
            "has two waits in a row",
            "\"101%\" is more than 100",
            "\"20%@-1s\": \"-1s\" is not a duration",
        ];
        assert_eq!(found.len(), expect.len(), "{found:#?}");
        for (found, expect) in found.iter().zip(expect) {
            assert!(found.starts_with(expect), "{found}");
        }
        assert!(words("")[0].starts_with("has an empty item"));
        assert!(words("wait")[0].starts_with("has no share"));
        assert!(words(&vec!["1%"; 65].join(","))[0].starts_with("has 65 items"));
        assert!(words("1%@")[0].starts_with("\"1%@\": \"\" is not a duration"));
        assert!(words("@5m")[0].starts_with("\"\" is not a percentage"));
    }
}
