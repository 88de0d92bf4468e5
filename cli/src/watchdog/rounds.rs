//! What a round asks: which prompts, in which order, streamed or whole.
//!
//! The order is random, and both sides of a prompt stand side by side in it, in random order as well: whatever changes with
//! time meets both. Of each prompt a round asks for streams on both sides and the next one for whole answers.

use super::results::{ROUND_OF_BASELINE, Side};
use std::time::Duration;

/// One prompt on one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Job {
    /// The prompt's number.
    pub(crate) prompt: usize,
    /// Whom to ask.
    pub(crate) side: Side,
    /// Whether a stream is asked for.
    pub(crate) streamed: bool,
}

/// Random numbers from a seed: SplitMix64.
pub(crate) struct Random(u64);

impl Random {
    /// The same numbers for the same seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Below a number, which is not 0.
    fn below(&mut self, limit: usize) -> usize {
        let limit = u64::try_from(limit.max(1)).unwrap_or(u64::MAX);
        usize::try_from(self.next() % limit).unwrap_or_default()
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.below(at + 1));
        }
    }
}

/// Which prompts a round asks: all, or the next ones in turn that a budget has calls for.
#[derive(Clone, Debug)]
pub(crate) struct Rotation {
    /// The calls of each prompt to one version.
    calls: Vec<u64>,
    /// Calls of a round to one version; `None` for any number.
    budget: Option<u64>,
    next: usize,
}

impl Rotation {
    /// With a limit of calls in a day, each round has the same share of them.
    ///
    /// # Errors
    /// The limit is too small for a round: a sentence with the smallest that would do.
    pub(crate) fn new(
        calls: Vec<u64>,
        calls_per_day_max: Option<u64>,
        every: Duration,
    ) -> Result<Self, String> {
        let rounds_per_day = Duration::from_secs(86_400).as_millis().div_ceil(every.as_millis().max(1));
        let most = calls.iter().copied().max().unwrap_or(1);
        let budget = calls_per_day_max.map(|max| {
            let of_round = u128::from(max).checked_div(rounds_per_day.saturating_mul(2)).unwrap_or_default();
            u64::try_from(of_round).unwrap_or(u64::MAX)
        });
        match budget {
            Some(budget) if budget < most => Err(format!(
                "leaves {budget} calls to each version for a round, and a prompt needs {most}; allow at least {}, or make --every longer",
                u128::from(most).saturating_mul(rounds_per_day).saturating_mul(2)
            )),
            budget => Ok(Self { calls, budget, next: 0 }),
        }
    }

    /// Whether a round may leave prompts out.
    fn is_partial(&self) -> bool {
        self.budget.is_some_and(|budget| self.calls.iter().sum::<u64>() > budget)
    }

    /// The prompts that are next in turn. They are not used up.
    pub(crate) fn peek(&self) -> Vec<usize> {
        let mut left = self.budget.unwrap_or(u64::MAX);
        let all = (0..self.calls.len()).map(|at| self.next.saturating_add(at) % self.calls.len().max(1));
        let is_paid = |at: &usize| {
            let calls = self.calls.get(*at).copied().unwrap_or(1);
            let is_paid = calls <= left;
            left = left.saturating_sub(calls);
            is_paid
        };
        all.take_while(is_paid).collect()
    }

    /// Goes on as if so many rounds had been asked.
    pub(crate) fn skip(&mut self, rounds: u32) {
        // A turn that asks all ends where it began.
        if self.is_partial() {
            let rounds = usize::try_from(rounds).unwrap_or_default().checked_rem(self.calls.len());
            (0..rounds.unwrap_or_default()).for_each(|_| drop(self.take()));
        }
    }

    /// The prompts of a round. The next one goes on behind them.
    pub(crate) fn take(&mut self) -> Vec<usize> {
        let taken = self.peek();
        self.next = self.next.saturating_add(taken.len()) % self.calls.len().max(1);
        taken
    }
}

/// The jobs of a round, in their order.
pub(crate) fn jobs(mut prompts: Vec<usize>, round: u32, random: &mut Random) -> Vec<Job> {
    random.shuffle(&mut prompts);
    let mut jobs = Vec::with_capacity(prompts.len().saturating_mul(2));
    for prompt in prompts {
        let streamed = prompt.is_multiple_of(2) != round.is_multiple_of(2);
        let mut sides = match round {
            ROUND_OF_BASELINE => [Side::Baseline, Side::Baseline],
            _ => [Side::Version, Side::Baseline],
        };
        random.shuffle(&mut sides);
        jobs.extend(sides.map(|side| Job { prompt, side, streamed }));
    }
    jobs
}

#[cfg(test)]
mod tests {
    use super::{Random, Rotation, Side, jobs};
    use std::collections::BTreeSet;
    use std::time::Duration;

    const FIVE_MINUTES: Duration = Duration::from_secs(300);

    #[test]
    fn both_sides_of_a_prompt_stand_side_by_side_in_random_order() {
        let jobs = jobs((0..100).collect(), 1, &mut Random::new(7));
        assert_eq!(jobs.len(), 200);
        let mut prompts = BTreeSet::new();
        for pair in jobs.chunks(2) {
            assert!(pair[0].prompt == pair[1].prompt && pair[0].side != pair[1].side);
            assert_eq!(pair[0].streamed, pair[1].streamed);
            prompts.insert(pair[0].prompt);
        }
        assert_eq!(prompts.len(), 100);
        assert!(jobs.chunks(2).map(|pair| pair[0].prompt).ne(0..100), "the order is random");
        let first = jobs.chunks(2).filter(|pair| pair[0].side == Side::Version).count();
        assert!((30..=70).contains(&first), "{first} of 100 begin with the version");
    }

    #[test]
    fn streams_and_whole_answers_take_turns() {
        let streamed = |round| {
            let mut jobs = jobs((0..4).collect(), round, &mut Random::new(1));
            jobs.sort_by_key(|job| job.prompt);
            jobs.chunks(2).map(|pair| pair[0].streamed).collect::<Vec<_>>()
        };
        assert_eq!(streamed(1), [true, false, true, false]);
        assert_eq!(streamed(2), [false, true, false, true]);
    }

    #[test]
    fn before_round_1_the_baseline_is_asked_twice() {
        let jobs = jobs(vec![0, 1], 0, &mut Random::new(1));
        assert!(jobs.len() == 4 && jobs.iter().all(|job| job.side == Side::Baseline));
    }

    #[test]
    fn without_a_limit_a_round_asks_all() {
        let mut rotation = Rotation::new(vec![1; 3], None, FIVE_MINUTES).unwrap();
        assert!(!rotation.is_partial());
        assert_eq!((rotation.take(), rotation.take()), (vec![0, 1, 2], vec![0, 1, 2]));
    }

    #[test]
    fn a_limit_is_spent_evenly_and_every_prompt_has_its_turn() {
        // 288 rounds a day, two versions: 2 calls to each in a round.
        let mut rotation = Rotation::new(vec![1; 5], Some(288 * 2 * 2), FIVE_MINUTES).unwrap();
        assert!(rotation.is_partial());
        assert_eq!(rotation.peek(), [0, 1]);
        let taken: Vec<Vec<usize>> = (0..3).map(|_| rotation.take()).collect();
        assert_eq!(taken, [vec![0, 1], vec![2, 3], vec![4, 0]]);
    }

    #[test]
    fn turns_are_calls() {
        let mut rotation = Rotation::new(vec![2, 1, 2], Some(288 * 2 * 3), FIVE_MINUTES).unwrap();
        assert_eq!((rotation.take(), rotation.take()), (vec![0, 1], vec![2]));
        assert_eq!(rotation.take(), [0, 1]);
    }

    #[test]
    fn a_limit_that_is_too_small_is_refused() {
        let words = Rotation::new(vec![1, 2], Some(1_000), FIVE_MINUTES).unwrap_err();
        assert!(words.contains("leaves 1 calls") && words.contains("allow at least 1152"), "{words}");
        assert!(Rotation::new(vec![1, 2], Some(1_152), FIVE_MINUTES).is_ok());
        assert!(Rotation::new(Vec::new(), Some(1_152), Duration::ZERO).is_err());
    }
}
