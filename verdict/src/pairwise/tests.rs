use super::{Calibration, Judged, Preference, Standing, Vote, interval, prefer};
use crate::looks::Chances;
use crate::window::Pair;
use Vote::{Baseline, Tie, Version};
use proptest::prelude::*;

fn judged(version_first: Option<Vote>, baseline_first: Option<Vote>, version: u64, baseline: u64) -> Judged {
    Judged { version_first, baseline_first, chars: Pair { version, baseline } }
}

fn both(vote: Vote) -> Judged {
    judged(Some(vote), Some(vote), 100, 100)
}

fn in_round_one(prompts: &[Vec<Judged>], baseline_twice: &[Judged]) -> Preference {
    prefer(prompts, Calibration { baseline_twice, doubled: &[] }, 1, Chances::default())
}

fn singly(pairs: impl IntoIterator<Item = Judged>) -> Vec<Vec<Judged>> {
    pairs.into_iter().map(|pair| vec![pair]).collect()
}

#[test]
fn only_both_orders_win() {
    for (first, second, winner) in [
        (Some(Version), Some(Version), Some(Version)),
        (Some(Baseline), Some(Baseline), Some(Baseline)),
        (Some(Version), Some(Baseline), Some(Tie)),
        (Some(Baseline), Some(Tie), Some(Tie)),
        (Some(Tie), Some(Tie), Some(Tie)),
        (None, Some(Version), None),
        (Some(Version), None, None),
        (None, None, None),
    ] {
        assert_eq!(judged(first, second, 1, 1).winner(), winner);
    }
}

/// 10 won, 20 lost, 10 ties, and 10 in which the orders differ.
#[test]
fn shares_by_hand() {
    let differs = judged(Some(Version), Some(Baseline), 100, 100);
    let pairs =
        [[both(Version); 10], [both(Baseline); 10], [both(Baseline); 10], [both(Tie); 10], [differs; 10]];
    let twice = [vec![both(Tie); 16], vec![both(Version); 3], vec![both(Baseline)]].concat();
    let found = in_round_one(&singly(pairs.concat()), &twice);
    assert_eq!((found.pairs, found.unknown), (50, 0));
    assert_eq!((found.win_rate, found.consistency), (Some(0.4), Some(0.8)));
    assert_eq!((found.lost_share, found.noise_floor), (Some(0.4), Some(0.1)));
    // 10 of the 20 votes for the first are from the pairs that differ: 40 of 80.
    let first = found.first_share.unwrap();
    assert!((first - 50.0 / 80.0).abs() < 1e-12, "{first}");
    assert!((found.length_controlled.unwrap() - 0.4).abs() < 0.01);
    // (20 + 2) / 54 = 0.407, sd 0.42.
    let (low, high) = found.interval.unwrap();
    assert!((low - 0.309).abs() < 0.01 && (high - 0.506).abs() < 0.01, "{low} {high}");
    assert_eq!(found.standing, Standing::Decides);
    assert!((found.proof.mean_drop - 0.1).abs() < 1e-12);
}

/// A prompt weighs the same, however often it was judged.
#[test]
fn the_unit_is_the_prompt() {
    let found = in_round_one(&[vec![both(Baseline); 99], vec![both(Version)]], &[]);
    assert_eq!((found.win_rate, found.pairs, found.proof.ln_e < 1.0), (Some(0.5), 100, true));
}

#[test]
fn an_honest_judge_decides() {
    let worse = in_round_one(&singly([both(Baseline); 7]), &[both(Tie); 7]);
    assert!(worse.is_worse() && !worse.is_fine());
    assert!((worse.proof.ln_e - 128.0_f64.ln()).abs() < 1e-9);
    let equal = in_round_one(&singly([both(Tie); 50]), &[both(Tie); 50]);
    assert!(!equal.is_worse() && equal.is_fine());
    assert_eq!((equal.win_rate, equal.length_controlled), (Some(0.5), Some(0.5)));
    let better = in_round_one(&singly([both(Version); 50]), &[both(Tie); 50]);
    assert!(!better.is_worse() && better.is_fine());
}

#[test]
fn one_that_prefers_the_first_decides_nothing() {
    let first = judged(Some(Version), Some(Baseline), 100, 100);
    let found = in_round_one(&singly([first; 50]), &[first; 50]);
    assert_eq!((found.standing, found.consistency), (Standing::Inconsistent, Some(0.0)));
    assert!(found.standing.because().unwrap().contains("too inconsistent"));
    assert_eq!((found.first_share, found.win_rate), (Some(1.0), Some(0.5)));
    assert!(!found.is_worse() && !found.is_fine());
}

#[test]
fn one_that_cannot_be_read_is_unknown() {
    let found = in_round_one(&singly([judged(None, Some(Version), 1, 2); 50]), &[]);
    assert_eq!((found.standing, found.pairs, found.unknown), (Standing::Unknown, 0, 50));
    assert_eq!((found.win_rate, found.interval, found.length_controlled), (None, None, None));
    assert_eq!((found.consistency, found.first_share, found.noise_floor), (None, None, None));
    assert!(!found.is_worse() && !found.is_fine());
    assert_eq!(in_round_one(&[], &[]).standing, Standing::Unknown);
}

/// A judge that always prefers the longer answer, and versions that always, mostly, or hardly differ in length.
#[test]
fn one_that_prefers_the_longer_is_corrected() {
    let pair = |longer: i64| {
        let vote = match longer.signum() {
            1 => Version,
            -1 => Baseline,
            _ => Tie,
        };
        judged(Some(vote), Some(vote), (1_000 + longer) as u64, 1_000)
    };
    let twice: Vec<Judged> = (-25..=25).map(|i| pair(i * 8)).collect();
    for itself in [&[], twice.as_slice()] {
        for lengths in [
            (0..50).map(|_| -100).collect::<Vec<i64>>(),
            (1..=50).map(|i| -i).collect(),
            (1..=50).map(|i| -i * i / 5 - 1).collect(),
            (1..=50).map(|i| if i % 10 == 0 { i } else { -i }).collect(),
        ] {
            let shorter = in_round_one(&singly(lengths.iter().map(|longer| pair(*longer))), itself);
            assert!(!shorter.is_worse() && !shorter.is_fine(), "{shorter:?}");
            assert!(shorter.win_rate.unwrap() <= 0.1);
            // Answers of nearly the same length lose as well, which a smooth curve cannot follow.
            assert!(shorter.length_controlled > shorter.win_rate.map(|rate| rate + 0.1), "{shorter:?}");
            let longer = in_round_one(&singly(lengths.iter().map(|longer| pair(-longer))), itself);
            assert!(!longer.is_worse() && !longer.is_fine(), "{longer:?}");
            assert!(longer.length_controlled < longer.win_rate.map(|rate| rate - 0.1));
        }
        let constant = in_round_one(&singly((0..50).map(|_| pair(-100))), itself);
        assert!((constant.length_controlled.unwrap() - 0.5).abs() < 0.05, "{constant:?}");
    }
}

/// Where two answers of the baseline differ in length and the judge calls them equal, a version that is always shorter is
/// worse for another reason than its length. Without that, nobody can tell.
#[test]
fn shorter_and_worse() {
    let worse = singly((0..50).map(|_| judged(Some(Baseline), Some(Baseline), 50, 100)));
    let twice: Vec<Judged> = (0..50).map(|i| judged(Some(Tie), Some(Tie), 60 + i * 2, 110)).collect();
    assert!(in_round_one(&worse, &twice).is_worse());
    let found = in_round_one(&worse, &[both(Tie); 50]);
    assert!(!found.is_worse() && !found.is_fine());
}

/// All that is lost is shorter, and all else is alike, as with servers that always say the same. Only an answer that is
/// written twice tells whether the judge decides by length.
#[test]
fn short_and_wrong_answers_of_servers_that_always_say_the_same() {
    let lost = |length: u64| both_of(Baseline, length, 100);
    let doubled = |vote: Vote| both_of(vote, 202, 100);
    for lengths in [vec![50; 20], (1..=20).map(|i| 100 - 4 * i).collect(), vec![150; 20], vec![0; 20]] {
        let pairs = singly(lengths.iter().map(|length| lost(*length)).chain([both(Tie); 30]));
        let found = |vote: Option<Vote>| {
            let doubled: Vec<Judged> =
                vote.iter().map(|vote| doubled(*vote)).cycle().take(20 * vote.iter().len()).collect();
            prefer(
                &pairs,
                Calibration { baseline_twice: &[both(Tie); 50], doubled: &doubled },
                1,
                Chances::default(),
            )
        };
        for honest in [Tie, Baseline] {
            assert!(found(Some(honest)).is_worse(), "{lengths:?}: {:?}", found(Some(honest)));
        }
        let is_shorter = lengths.iter().all(|length| *length < 100);
        if is_shorter {
            assert!(!found(Some(Version)).is_worse(), "it likes length: {:?}", found(Some(Version)));
            assert!(found(Some(Version)).length_controlled > found(Some(Tie)).length_controlled);
        }
    }
    // All of them are shorter, and the judge likes length, or does not.
    let all = singly((0..50).map(|i| lost(99 - i)));
    let found = |vote| {
        prefer(
            &all,
            Calibration { baseline_twice: &[], doubled: &[doubled(vote); 20] },
            1,
            Chances::default(),
        )
    };
    assert!(found(Tie).is_worse() && !found(Version).is_worse());
    // Short answers that are no worse, and a judge that does not want to read everything twice.
    let ties = singly((0..50).map(|i| both_of(Tie, 99 - i, 100)));
    let found = prefer(
        &ties,
        Calibration { baseline_twice: &[], doubled: &[doubled(Baseline); 20] },
        1,
        Chances::default(),
    );
    assert!(!found.is_worse() && found.is_fine(), "{found:?}");
}

fn both_of(vote: Vote, version: u64, baseline: u64) -> Judged {
    judged(Some(vote), Some(vote), version, baseline)
}

#[test]
fn no_more_lost_than_among_equals_is_noise() {
    let lost = [vec![both(Baseline); 8], vec![both(Tie); 42]].concat();
    let twice = [vec![both(Baseline); 10], vec![both(Version); 10], vec![both(Tie); 30]].concat();
    let found = in_round_one(&singly(lost.clone()), &twice);
    assert_eq!(found.standing, Standing::WithinNoise);
    assert!(found.proof.is_worse() && !found.is_worse());
    assert!(in_round_one(&singly(lost), &[both(Tie); 50]).is_worse());
}

#[test]
fn intervals_have_a_width() {
    for won in [0.0, 0.5, 1.0] {
        let (low, high) = interval(&[won; 50]);
        assert!(low <= won && won <= high && high - low > 0.04 && high - low < 0.12, "{low} {high}");
    }
}

fn a_vote() -> impl Strategy<Value = Option<Vote>> {
    prop::sample::select(vec![Some(Version), Some(Baseline), Some(Tie), None])
}

proptest! {
    /// Whatever comes, shares are shares; with the sides exchanged, everything is the other way round.
    #[test]
    fn any_pairs(
        pairs in prop::collection::vec((a_vote(), a_vote(), any::<u64>(), any::<u64>(), 0..9_usize), 0..40),
        twice in prop::collection::vec((a_vote(), a_vote(), 0..500_u64, 0..500_u64), 0..20),
        doubled in prop::collection::vec((a_vote(), a_vote(), 0..500_u64), 0..20),
        round: u32,
    ) {
        let swap = |vote: Option<Vote>| vote.map(|vote| match vote { Version => Baseline, Baseline => Version, Tie => Tie });
        let mut prompts = vec![vec![]; 9];
        let mut swapped = vec![vec![]; 9];
        for (first, second, version, baseline, prompt) in pairs {
            prompts[prompt].push(judged(first, second, version, baseline));
            swapped[prompt].push(judged(swap(second), swap(first), baseline, version));
        }
        let twice: Vec<Judged> = twice.iter().map(|(f, s, v, b)| judged(*f, *s, *v, *b)).collect();
        let doubled: Vec<Judged> = doubled.iter().map(|(f, s, chars)| judged(*f, *s, 2 * chars + 2, *chars)).collect();
        let calibration = Calibration { baseline_twice: &twice, doubled: &doubled };
        let found = prefer(&prompts, calibration, round, Chances::default());
        let other = prefer(&swapped, calibration, round, Chances::default());
        for share in [found.win_rate, found.consistency, found.first_share, found.length_controlled, found.lost_share] {
            prop_assert!(share.is_none_or(|share| (0.0..=1.0).contains(&share)));
        }
        prop_assert!(found.proof.ln_e.is_finite() && found.proof.ln_fine.is_finite());
        prop_assert_eq!(found.consistency, other.consistency);
        prop_assert_eq!(found.first_share, other.first_share);
        if let (Some(rate), Some(swapped)) = (found.win_rate, other.win_rate) {
            prop_assert!((rate + swapped - 1.0).abs() < 1e-9);
        }
        if let (Some((low, high)), Some((low_too, high_too))) = (found.interval, other.interval) {
            prop_assert!((low + high_too - 1.0).abs() < 1e-9 && (high + low_too - 1.0).abs() < 1e-9);
        }
    }
}
