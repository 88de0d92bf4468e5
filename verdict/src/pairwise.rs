//! A judge's verdicts on pairs of answers: what they say, and whether the judge may decide anything.
//!
//! A judge is a model, too. It may prefer what it sees first, or what is longer, or toss a coin. So each pair is shown in
//! both orders, and
//!
//! * a pair is won by a version only if **both orders** say so; otherwise it is a tie. A pair with an order that gave
//!   nothing to read is unknown;
//! * a judge that agrees with itself in less than [`CONSISTENCY_MIN`] of the pairs decides nothing;
//! * what **lengths explain** is taken off before anything is decided. If the versions are alike, the version might as well
//!   have given the baseline's answer. Then what is won turns round, and so does the difference in length; and what is left
//!   after a fit without a constant changes its sign. So the sign-flip test is exact here as well. It is of these rests, by prompt;
//! * the judge is first asked about **two answers of the baseline**. What is lost among equals is the noise floor: a version
//!   that loses no more is not worse;
//! * and about **an answer and the same answer written twice**. If every lost answer is a short one, a judge that likes length and
//!   one that is right cannot be told apart by these pairs. A judge that does not prefer what was only written twice does not
//!   decide by length.
//!
//! `fine` is strict the other way round: a pair that the version won with the longer answer does not count for it.

use crate::length::{Row, chance, fit, logistic};
use crate::looks::{Chances, Proof};
use crate::math::{ratio, real};
use crate::window::Pair;

/// With less consistency a judge decides nothing.
pub const CONSISTENCY_MIN: f64 = 0.6;

/// The standard deviation of the version's coefficient before any pair is seen.
const DEVIATION_VERSION: f64 = 1.0;

/// The same of the coefficients of length.
const DEVIATION_LENGTH: f64 = 10.0;

/// Units per won pair in the sign-flip test; less than half a unit counts as nothing.
const UNITS: f64 = 100.0;

/// Prompts that are added to an interval, half of them won (Agresti and Coull 1998): without them an interval of equal
/// outcomes has no width.
const PSEUDO_PROMPTS: f64 = 4.0;

/// The normal quantile of 97.5 %.
const QUANTILE: f64 = 1.959_963_984_540_054;

/// Which answer is the better one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vote {
    /// The version's.
    Version,
    /// The baseline's.
    Baseline,
    /// Neither.
    Tie,
}

/// A pair of answers to one prompt in one round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judged {
    /// What the judge said when it saw the version's answer first; `None` if nothing could be read, or none came.
    pub version_first: Option<Vote>,
    /// What it said when it saw the baseline's answer first.
    pub baseline_first: Option<Vote>,
    /// Lengths of the answers, in characters.
    pub chars: Pair<u64>,
}

impl Judged {
    /// Which answer won; `None` if one of the orders is unknown.
    #[must_use]
    pub fn winner(&self) -> Option<Vote> {
        let (first, second) = self.votes()?;
        Some(if first == second { first } else { Vote::Tie })
    }

    fn votes(&self) -> Option<(Vote, Vote)> {
        self.version_first.zip(self.baseline_first)
    }

    /// What the version won: 1, or a half for a tie.
    fn won(&self) -> Option<f64> {
        self.winner().map(|winner| match winner {
            Vote::Version => 1.0,
            Vote::Baseline => 0.0,
            Vote::Tie => 0.5,
        })
    }

    /// By how much the version's answer is longer, in characters.
    fn longer(&self) -> f64 {
        real(self.chars.version) - real(self.chars.baseline)
    }
}

/// Whether a judge may decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It may.
    Decides,
    /// No pair has a verdict.
    Unknown,
    /// It agrees with itself in less than [`CONSISTENCY_MIN`] of the pairs.
    Inconsistent,
    /// The version loses no more than the baseline loses against itself: the judge finds no harm.
    WithinNoise,
}

impl Standing {
    /// What it means, in words; `None` where the judge may decide.
    #[must_use]
    pub fn because(self) -> Option<&'static str> {
        match self {
            Self::Decides => None,
            Self::Unknown => Some("the judge gave no verdict that could be read"),
            Self::Inconsistent => {
                Some("the judge is too inconsistent: both orders agree in less than 60 % of the pairs")
            }
            Self::WithinNoise => {
                Some("the version loses no more pairs than the baseline loses against itself")
            }
        }
    }
}

/// What a judge says after a round. Shares are parts of 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Preference {
    /// Whether it may decide.
    pub standing: Standing,
    /// Pairs with a verdict, and pairs without.
    pub pairs: u64,
    /// See there.
    pub unknown: u64,
    /// What the version won, ties as half: the mean over prompts. `None` without a verdict, and so below.
    pub win_rate: Option<f64>,
    /// Its interval at this round, over prompts, of 95 %.
    pub interval: Option<(f64, f64)>,
    /// The win rate at equal lengths.
    pub length_controlled: Option<f64>,
    /// The share of pairs in which both orders said the same.
    pub consistency: Option<f64>,
    /// Of all votes for one answer, the share that went to the one seen first: a half, without a position bias.
    pub first_share: Option<f64>,
    /// The share of pairs that the version lost.
    pub lost_share: Option<f64>,
    /// The share that an equal loses: half of the baseline's pairs with itself that were no tie.
    pub noise_floor: Option<f64>,
    /// What is proved, if the judge may decide: harm by what lengths do not explain. The differences are parts of a won
    /// pair, so a win rate of 40 % is a drop of 10 points.
    pub proof: Proof,
}

impl Preference {
    /// Whether the judge finds the version worse, at this look.
    #[must_use]
    pub fn is_worse(&self) -> bool {
        self.standing == Standing::Decides && self.proof.is_worse()
    }

    /// Whether it excludes that the win rate is below a half by more than [`crate::looks::DROP_MAX`], at this look.
    #[must_use]
    pub fn is_fine(&self) -> bool {
        matches!(self.standing, Standing::Decides | Standing::WithinNoise) && self.proof.is_fine()
    }
}

/// Pairs that tell about the judge, and nothing about the version.
#[derive(Clone, Copy, Debug, Default)]
pub struct Calibration<'a> {
    /// Two answers of the baseline to a prompt. One of them is called the version's, whichever.
    pub baseline_twice: &'a [Judged],
    /// An answer of the baseline and the same one written twice, which is called the version's.
    pub doubled: &'a [Judged],
}

/// What the judge says by all rounds up to `round`. `prompts` has the pairs of each prompt.
#[must_use]
pub fn prefer(
    prompts: &[Vec<Judged>],
    calibration: Calibration<'_>,
    round: u32,
    chances: Chances,
) -> Preference {
    let Calibration { baseline_twice, doubled } = calibration;
    let spread = spread(prompts.iter().flatten().chain(baseline_twice));
    let unknown = prompts.iter().flatten().filter(|pair| pair.winner().is_none()).count() as u64;
    let prompts: Vec<Vec<Known>> = prompts.iter().map(|pairs| known(pairs, spread)).collect();
    let singly = |pairs: &[Judged]| -> Vec<Known> {
        pairs.iter().flat_map(|pair| known(std::slice::from_ref(pair), spread)).collect()
    };
    let twice = singly(baseline_twice);
    // Whoever finds it worse to say everything twice does not like short answers for that.
    let doubled = singly(doubled).into_iter().map(|pair| Known { won: pair.won.max(0.5), ..pair });
    let of_length: Vec<Known> = twice.iter().copied().chain(doubled).collect();
    let all: Vec<Known> = prompts.iter().flatten().copied().collect();
    let pairs = all.len() as u64;
    let share = |is: fn(&Known) -> bool| share(&all, is);
    let by_prompt = |of: &dyn Fn(&Known) -> Option<f64>| -> Vec<f64> {
        prompts.iter().filter_map(|pairs| mean(pairs.iter().filter_map(of))).collect()
    };
    let won = by_prompt(&|pair| Some(pair.won));
    let by_length = length_alone(&prompts, &of_length);
    let rests = by_prompt(&|pair| Some(chance(by_length, pair.by_length()) - pair.won));
    let units: Vec<i64> = rests.iter().map(|rest| (rest * UNITS).round() as i64).collect();
    let drops = by_prompt(&|pair| (pair.won <= 0.5 || pair.tanh <= 0.0).then_some(0.5 - pair.won));
    let (consistency, lost_share) = (share(|pair| pair.agrees), share(|pair| pair.won == 0.0));
    let noise_floor = self::share(&twice, |pair| pair.won != 0.5).map(|decided| decided / 2.0);
    let is_noise = lost_share.zip(noise_floor).is_some_and(|(lost, floor)| lost <= floor);
    let standing = match consistency {
        None => Standing::Unknown,
        Some(consistency) if consistency < CONSISTENCY_MIN => Standing::Inconsistent,
        Some(_) if is_noise => Standing::WithinNoise,
        Some(_) => Standing::Decides,
    };
    let first: f64 = all.iter().map(|pair| pair.first).sum();
    let second: f64 = all.iter().map(|pair| pair.second).sum();
    Preference {
        standing,
        pairs,
        unknown,
        win_rate: mean(won.iter().copied()),
        interval: (!won.is_empty()).then(|| interval(&won)),
        length_controlled: (pairs > 0).then(|| length_controlled(&prompts, &of_length)),
        consistency,
        first_share: (first + second > 0.0).then(|| first / (first + second)),
        lost_share,
        noise_floor,
        proof: Proof::new(&units, &drops, round, chances),
    }
}

/// A pair with a verdict.
#[derive(Clone, Copy, Debug)]
struct Known {
    won: f64,
    agrees: bool,
    /// Votes for the answer seen first, and for the other.
    first: f64,
    second: f64,
    /// Of the difference in length.
    tanh: f64,
    /// One over the pairs of the prompt, so that each prompt weighs the same.
    weight: f64,
}

impl Known {
    /// What length may explain: more of it, and any at all. A judge may prefer the longer answer however little it is longer.
    fn by_length(&self) -> [f64; 2] {
        let sign = if self.tanh == 0.0 { 0.0 } else { self.tanh.signum() };
        [self.tanh, sign]
    }

    fn row(&self, x: [f64; 2]) -> Row {
        Row { won: self.won, weight: self.weight, x }
    }
}

fn known(pairs: &[Judged], spread: f64) -> Vec<Known> {
    let judged = pairs.iter().filter(|pair| pair.winner().is_some()).count();
    let of = |pair: &Judged| {
        let (version_first, baseline_first) = pair.votes()?;
        let votes = |is: [bool; 2]| is.into_iter().map(|is| f64::from(u8::from(is))).sum();
        Some(Known {
            won: pair.won()?,
            agrees: version_first == baseline_first,
            first: votes([version_first == Vote::Version, baseline_first == Vote::Baseline]),
            second: votes([version_first == Vote::Baseline, baseline_first == Vote::Version]),
            tanh: ratio(pair.longer(), spread).tanh(),
            weight: ratio(1.0, count_real(judged)),
        })
    };
    pairs.iter().filter_map(of).collect()
}

/// The root of the mean square of differences in length. Around 0, not around their mean: it must not depend on which
/// side is the version.
fn spread<'a>(pairs: impl Iterator<Item = &'a Judged>) -> f64 {
    let squares = pairs.filter(|pair| pair.winner().is_some()).map(|pair| pair.longer() * pair.longer());
    mean(squares).unwrap_or_default().sqrt()
}

/// The coefficients of length, if the version makes no difference. `of_length` tells about length alone.
fn length_alone(prompts: &[Vec<Known>], of_length: &[Known]) -> [f64; 2] {
    let rows: Vec<Row> =
        prompts.iter().flatten().chain(of_length).map(|pair| pair.row(pair.by_length())).collect();
    fit(&rows, [DEVIATION_LENGTH, DEVIATION_LENGTH])
}

/// The win rate at equal lengths.
fn length_controlled(prompts: &[Vec<Known>], of_length: &[Known]) -> f64 {
    let versions = prompts.iter().flatten().map(|pair| pair.row([1.0, pair.tanh]));
    let rows: Vec<Row> = versions.chain(of_length.iter().map(|pair| pair.row([0.0, pair.tanh]))).collect();
    let [version, _] = fit(&rows, [DEVIATION_VERSION, DEVIATION_LENGTH]);
    logistic(version)
}

/// The interval of a mean over prompts, of 95 %.
fn interval(won: &[f64]) -> (f64, f64) {
    let n = count_real(won.len()) + PSEUDO_PROMPTS;
    let middle = (won.iter().sum::<f64>() + 0.5 * PSEUDO_PROMPTS) / n;
    let squares = won.iter().map(|won| won * won).sum::<f64>() + 0.5 * PSEUDO_PROMPTS;
    let half = QUANTILE * ((squares / n - middle * middle).max(0.0) / n).sqrt();
    ((middle - half).max(0.0), (middle + half).min(1.0))
}

fn share(pairs: &[Known], is: fn(&Known) -> bool) -> Option<f64> {
    mean(pairs.iter().map(|pair| f64::from(u8::from(is(pair)))))
}

/// `None` of nothing.
fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    (count > 0.0).then_some(sum / count)
}

fn count_real(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests;
