//! What a round asks: which prompts, in which order, streamed or whole.
//!
//! The order is random, and both sides of a prompt stand side by side in it, in random order as well: whatever changes with
//! time meets both. A prompt is asked for streams on both sides, and the next time for whole answers.

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

/// So many rounds are gone through to find where a rotation stands: a year of them. After more it begins somewhere, which is as good.
const SKIPPED_ROUNDS_MAX: u32 = 100_000;

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
    /// Prompts that have been asked so far, each as often as it was.
    asked: usize,
}

/// A prompt that is asked, and how often it was before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Turn {
    /// The prompt's number.
    pub(crate) prompt: usize,
    /// How often it has been asked.
    pub(crate) before: usize,
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
            budget => Ok(Self { calls, budget, asked: 0 }),
        }
    }

    /// The prompts that are next in turn. They are not used up.
    pub(crate) fn peek(&self) -> Vec<Turn> {
        let count = self.calls.len();
        let mut left = self.budget.unwrap_or(u64::MAX);
        let turn = |at: usize| {
            let (before, prompt) = (at.checked_div(count)?, at.checked_rem(count)?);
            Some(Turn { prompt, before })
        };
        let all = (0..count).filter_map(|at| turn(self.asked.saturating_add(at)));
        let is_paid = |turn: &Turn| {
            let calls = self.calls.get(turn.prompt).copied().unwrap_or(1);
            let is_paid = calls <= left;
            left = left.saturating_sub(calls);
            is_paid
        };
        all.take_while(is_paid).collect()
    }

    /// Goes on as if so many rounds had been asked.
    pub(crate) fn skip(&mut self, rounds: u32) {
        if self.budget.is_none() {
            let rounds = usize::try_from(rounds).unwrap_or(usize::MAX);
            self.asked = self.calls.len().saturating_mul(rounds);
        } else {
            (0..rounds.min(SKIPPED_ROUNDS_MAX)).for_each(|_| drop(self.take()));
        }
    }

    /// The prompts of a round. The next one goes on behind them.
    pub(crate) fn take(&mut self) -> Vec<Turn> {
        let taken = self.peek();
        self.asked = self.asked.saturating_add(taken.len());
        taken
    }
}

/// The jobs of a round, in their order.
pub(crate) fn jobs(mut turns: Vec<Turn>, round: u32, random: &mut Random) -> Vec<Job> {
    random.shuffle(&mut turns);
    let mut jobs = Vec::with_capacity(turns.len().saturating_mul(2));
    for Turn { prompt, before } in turns {
        let streamed = prompt.is_multiple_of(2) == before.is_multiple_of(2);
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
    use super::{Random, Rotation, Side, Turn, jobs};
    use std::collections::BTreeSet;
    use std::time::Duration;

    const FIVE_MINUTES: Duration = Duration::from_secs(300);

    fn turns(count: usize, before: usize) -> Vec<Turn> {
        (0..count).map(|prompt| Turn { prompt, before }).collect()
    }

    fn prompts(turns: &[Turn]) -> Vec<usize> {
        turns.iter().map(|turn| turn.prompt).collect()
    }

    #[test]
    fn both_sides_of_a_prompt_stand_side_by_side_in_random_order() {
        let jobs = jobs(turns(100, 0), 1, &mut Random::new(7));
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
        let streamed = |round: u32| {
            let mut jobs = jobs(turns(4, round as usize - 1), round, &mut Random::new(1));
            jobs.sort_by_key(|job| job.prompt);
            jobs.chunks(2).map(|pair| pair[0].streamed).collect::<Vec<_>>()
        };
        assert_eq!(streamed(1), [true, false, true, false]);
        assert_eq!(streamed(2), [false, true, false, true]);
    }

    #[test]
    fn before_round_1_the_baseline_is_asked_twice() {
        let jobs = jobs(turns(2, 0), 0, &mut Random::new(1));
        assert!(jobs.len() == 4 && jobs.iter().all(|job| job.side == Side::Baseline));
    }

    #[test]
    fn without_a_limit_a_round_asks_all() {
        let mut rotation = Rotation::new(vec![1; 3], None, FIVE_MINUTES).unwrap();
        assert_eq!((rotation.take(), rotation.take()), (turns(3, 0), turns(3, 1)));
        let mut again = Rotation::new(vec![1; 3], None, FIVE_MINUTES).unwrap();
        again.skip(2);
        assert_eq!(again.peek(), rotation.peek());
    }

    #[test]
    fn a_limit_is_spent_evenly_and_every_prompt_has_its_turn() {
        // 288 rounds a day, two versions: 2 calls to each in a round.
        let mut rotation = Rotation::new(vec![1; 5], Some(288 * 2 * 2), FIVE_MINUTES).unwrap();
        assert_eq!(prompts(&rotation.peek()), [0, 1]);
        let taken: Vec<Vec<usize>> = (0..3).map(|_| prompts(&rotation.take())).collect();
        assert_eq!(taken, [vec![0, 1], vec![2, 3], vec![4, 0]]);
    }

    /// Also where each turn of all prompts takes an even number of rounds.
    #[test]
    fn under_a_limit_each_prompt_is_streamed_every_other_time() {
        let mut rotation = Rotation::new(vec![1; 4], Some(288 * 2 * 2), FIVE_MINUTES).unwrap();
        let mut random = Random::new(3);
        let mut streamed = vec![vec![]; 4];
        for round in 1..=8 {
            let jobs = jobs(rotation.take(), round, &mut random);
            jobs.chunks(2).for_each(|pair| streamed[pair[0].prompt].push(pair[0].streamed));
        }
        for (prompt, turns) in streamed.iter().enumerate() {
            assert_eq!(turns.len(), 4);
            assert!(turns.windows(2).all(|two| two[0] != two[1]), "{prompt}: {turns:?}");
        }
    }

    #[test]
    fn turns_are_calls() {
        let mut rotation = Rotation::new(vec![2, 1, 2], Some(288 * 2 * 3), FIVE_MINUTES).unwrap();
        let taken: Vec<Vec<usize>> = (0..3).map(|_| prompts(&rotation.take())).collect();
        assert_eq!(taken, [vec![0, 1], vec![2], vec![0, 1]]);
    }

    #[test]
    fn a_limit_that_is_too_small_is_refused() {
        let words = Rotation::new(vec![1, 2], Some(1_000), FIVE_MINUTES).unwrap_err();
        assert!(words.contains("leaves 1 calls") && words.contains("allow at least 1152"), "{words}");
        assert!(Rotation::new(vec![1, 2], Some(1_152), FIVE_MINUTES).is_ok());
        assert!(Rotation::new(Vec::new(), Some(1_152), Duration::ZERO).is_err());
    }
}
