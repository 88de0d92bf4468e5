//! Simulated rounds of a reference set, and a judge's votes on them: the figures of `docs/verdict.md`.
//!
//! ```text
//! RUNS=400 cargo test -p llm-canary-verdict --test simulation -- --ignored --nocapture reference_set
//! ```

use std::ops::Range;

use llm_canary_verdict::changed::changed;
use llm_canary_verdict::looks::Chances;
use llm_canary_verdict::pairwise::{Calibration, Judged, Preference, Vote, prefer};
use llm_canary_verdict::prompts::{Prompt, check};
use llm_canary_verdict::sign_flip::ln_p;
use llm_canary_verdict::verdict::Verdict;
use llm_canary_verdict::watchdog::Watchdog;
use llm_canary_verdict::window::Pair;

use super::random::Random;

const PROMPTS: usize = 50;

/// Rounds of a day, one each five minutes.
const DAY: u32 = 288;

/// How a set's prompts answer. Chances are drawn anew in each run.
#[derive(Clone)]
struct Set {
    name: &'static str,
    prompts: usize,
    /// The chance that the baseline passes is even in this range.
    passes: Range<f64>,
    /// So many prompts fail always with the version.
    broken: usize,
    /// The version's chances differ from the baseline's by up to this, either way, prompt by prompt.
    differs: f64,
    /// The version's chances are lower by this.
    drop: f64,
    /// The chance that an answer is unknown.
    unknown: Pair<f64>,
}

impl Set {
    fn new(name: &'static str, passes: Range<f64>) -> Self {
        Self { name, prompts: PROMPTS, passes, broken: 0, differs: 0.0, drop: 0.0, unknown: Pair::default() }
    }

    fn chances(&self, random: &mut Random) -> Vec<Pair<f64>> {
        let prompt = |index: usize, random: &mut Random| {
            let baseline = self.passes.start + (self.passes.end - self.passes.start) * random.uniform();
            let differs = self.differs * (2.0 * random.uniform() - 1.0);
            let version =
                if index < self.broken { 0.0 } else { (baseline + differs - self.drop).clamp(0.0, 1.0) };
            Pair { version, baseline }
        };
        (0..self.prompts).map(|index| prompt(index, random)).collect()
    }
}

/// What came of one run.
#[derive(Default)]
struct Course {
    alarm_at: Option<u32>,
    fine_at: Option<u32>,
    /// Prompts listed as changed, by round, at rounds 3, 8 and 32; those that are broken, and others.
    listed: Vec<Pair<usize>>,
}

fn run(set: &Set, rounds: u32, random: &mut Random) -> Course {
    let chances = set.chances(random);
    let mut prompts = vec![Prompt::default(); set.prompts];
    let mut watchdog = Watchdog::default();
    let mut course = Course::default();
    for round in 1..=rounds {
        for (prompt, chance) in prompts.iter_mut().zip(&chances) {
            let mut answer =
                |chance: f64, unknown: f64| (!random.chance(unknown)).then(|| random.chance(chance));
            prompt.push(Pair {
                version: answer(chance.version, set.unknown.version),
                baseline: answer(chance.baseline, set.unknown.baseline),
            });
        }
        if round.is_power_of_two() {
            watchdog.push(round, &check(&prompts, round, Chances::default()), None);
            match watchdog.verdict() {
                Verdict::Regression => course.alarm_at = course.alarm_at.or(Some(round)),
                Verdict::Fine => course.fine_at = course.fine_at.or(Some(round)),
                Verdict::NotEnoughData => {}
            }
        }
        if [3, 8, 32].contains(&round) {
            let listed = changed(&prompts);
            let broken = listed.iter().filter(|changed| changed.index < set.broken).count();
            course.listed.push(Pair { version: broken, baseline: listed.len() - broken });
        }
    }
    course
}

fn runs_of(set: &Set, rounds: u32, runs: u64) -> Vec<Course> {
    (0..runs).map(|seed| run(set, rounds, &mut Random::new(seed * 7919 + 3))).collect()
}

fn count(courses: &[Course], is: impl Fn(&Course) -> bool) -> usize {
    courses.iter().filter(|course| is(course)).count()
}

fn harmless() -> Vec<Set> {
    let half_unknown = Pair { version: 0.5, baseline: 0.0 };
    let often_unknown = Pair { version: 0.8, baseline: 0.0 };
    vec![
        Set::new("all pass", 1.0..1.0),
        Set::new("noisy: pass 50 to 95 % of the time", 0.5..0.95),
        Set::new("very noisy: 0 to 100 %", 0.0..1.0),
        Set::new("hardly any passes: 0 to 20 %", 0.0..0.2),
        Set { unknown: half_unknown, ..Set::new("noisy, half of the version's answers unknown", 0.5..0.95) },
        Set {
            unknown: often_unknown,
            ..Set::new("hardly any passes, 80 % of the version's unknown", 0.0..0.2)
        },
        Set { differs: 0.3, ..Set::new("prompts differ by up to 30 points either way", 0.35..0.65) },
    ]
}

fn broken(name: &'static str, broken: usize, passes: Range<f64>) -> Set {
    Set { broken, ..Set::new(name, passes) }
}

/// Days of rounds of versions that are alike. Alpha is 5 %, so of 200 days 10 may have an alarm in the mean. Of all seven
/// sets together 70 may: if the true chance were 7 %, no more than 70 would have one with a chance below 0.3 %.
#[test]
fn two_hundred_days_of_each_harmless_set() {
    let mut all = 0;
    for set in harmless() {
        let alarms = count(&runs_of(&set, DAY, 200), |course| course.alarm_at.is_some());
        assert!(alarms <= 16, "{}: {alarms} of 200", set.name);
        all += alarms;
    }
    assert!(all <= 70, "{all} of 1400");
}

#[test]
fn broken_prompts_are_found() {
    let set = broken("", 10, 1.0..1.0);
    assert_eq!(count(&runs_of(&set, 1, 50), |course| course.alarm_at == Some(1)), 50);
    let set = broken("", 10, 0.9..1.0);
    let courses = runs_of(&set, 8, 200);
    let found = |by: u32| count(&courses, |course| course.alarm_at.is_some_and(|at| at <= by));
    assert!(found(2) >= 170 && found(4) >= 188 && found(8) >= 192, "{} {} {}", found(2), found(4), found(8));
}

/// Why answers count in pairs: with one answer of the version and ten of the baseline to each prompt, of which one in ten
/// passes, differences are not as likely above 0 as below, and harmless versions have alarms.
#[test]
fn answers_that_are_not_pairs_would_mislead() {
    const RUNS: u64 = 1000;
    let alarms = (0..RUNS).filter(|seed| {
        let mut random = Random::new(seed * 7919 + 9);
        let mut passes = |answers: u32| (0..answers).filter(|_| random.chance(0.1)).count() as i64;
        let differences: Vec<i64> = (0..PROMPTS).map(|_| passes(10) - 10 * passes(1)).collect();
        ln_p(&differences) <= 0.025_f64.ln()
    });
    let alarms = alarms.count();
    println!("not in pairs: {alarms} of {RUNS}");
    assert!(alarms > 50, "{alarms} of {RUNS}");
}

/// One prompt of fifty that broke is listed and is no alarm.
#[test]
fn one_broken_prompt_is_listed_and_no_alarm() {
    let courses = runs_of(&broken("", 1, 1.0..1.0), 64, 5);
    assert_eq!(count(&courses, |course| course.alarm_at.is_some()), 0);
    assert!(
        courses
            .iter()
            .all(|course| course.listed.iter().all(|listed| *listed == Pair { version: 1, baseline: 0 }))
    );
}

/// A version that drops by ten points may be called fine once in twenty.
#[test]
fn a_drop_of_ten_points_is_not_fine() {
    let set = Set { drop: 0.1, ..Set::new("", 0.5..1.0) };
    let fine = count(&runs_of(&set, 128, 200), |course| course.fine_at.is_some());
    assert!(fine <= 16, "{fine} of 200");
}

/// The table of `docs/verdict.md`.
#[test]
#[ignore = "takes long: see the top of this file"]
fn reference_set_table() {
    let runs = std::env::var("RUNS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(400);
    let percent = |part: usize| format!("{:.1} %", 100.0 * part as f64 / runs as f64);
    println!(
        "| a day of rounds, the versions being alike | days with an alarm | listed wrongly after 3, 8, 32 rounds |\n|---|---|---|"
    );
    for set in harmless() {
        let courses = runs_of(&set, DAY, runs);
        let alarms = count(&courses, |course| course.alarm_at.is_some());
        let listed = (0..3).map(|at| {
            let listed: usize = courses.iter().map(|course| course.listed[at].baseline).sum();
            format!("{:.2}", listed as f64 / runs as f64)
        });
        let listed = listed.collect::<Vec<_>>().join(", ");
        println!("| {} | {alarms} of {runs}: {} | {listed} |", set.name, percent(alarms));
    }
    println!(
        "\n| broken | alarm in round 1, by 2, by 4, by 8 | listed after 3, 8, 32 rounds: broken, others |\n|---|---|---|"
    );
    for set in [
        broken("10 of 50, all others pass", 10, 1.0..1.0),
        broken("10 of 50, noisy 95 to 100 %", 10, 0.95..1.0),
        broken("10 of 50, noisy 90 to 100 %", 10, 0.9..1.0),
        broken("10 of 50, noisy 80 to 100 %", 10, 0.8..1.0),
        broken("10 of 50, noisy 50 to 95 %", 10, 0.5..0.95),
        Set { prompts: 100, ..broken("20 of 100, noisy 50 to 95 %", 20, 0.5..0.95) },
        Set { prompts: 200, ..broken("40 of 200, noisy 50 to 95 %", 40, 0.5..0.95) },
        broken("5 of 50, noisy 80 to 100 %", 5, 0.8..1.0),
        broken("1 of 50, noisy 50 to 95 %", 1, 0.5..0.95),
        Set { drop: 0.1, ..Set::new("all by 10 points, 50 to 100 %", 0.5..1.0) },
        Set { drop: 0.2, ..Set::new("all by 20 points, 50 to 100 %", 0.5..1.0) },
    ] {
        let courses = runs_of(&set, 32, runs);
        let by = [1, 2, 4, 8]
            .map(|round| percent(count(&courses, |course| course.alarm_at.is_some_and(|at| at <= round))));
        let listed = (0..3).map(|at| {
            let mean = |of: fn(&Pair<usize>) -> usize| {
                courses.iter().map(|course| of(&course.listed[at])).sum::<usize>() as f64 / runs as f64
            };
            format!("{:.1} + {:.2}", mean(|listed| listed.version), mean(|listed| listed.baseline))
        });
        let fine = percent(count(&courses, |course| course.fine_at.is_some()));
        println!(
            "| {} | {} | {} | fine {fine}",
            set.name,
            by.join(", "),
            listed.collect::<Vec<_>>().join(", ")
        );
    }
    println!("\n| alike | fine in round 1, by 2, by 4, by 8, by 32 |\n|---|---|");
    let larger = |name, prompts| Set { prompts, ..Set::new(name, 0.5..0.95) };
    let more = [larger("100 prompts, noisy 50 to 95 %", 100), larger("200 prompts, noisy 50 to 95 %", 200)];
    for set in harmless().into_iter().chain(more) {
        let courses = runs_of(&set, 32, runs);
        let by = [1, 2, 4, 8, 32]
            .map(|round| percent(count(&courses, |course| course.fine_at.is_some_and(|at| at <= round))));
        println!("| {} | {} |", set.name, by.join(", "));
    }
}

/// How a judge votes: by which answer is better, by which is longer, by which comes first, or by chance.
#[derive(Clone, Copy)]
struct Judge {
    /// The chance that a vote is a toss of a coin.
    random: f64,
    /// How strongly it prefers longer answers, and by how much what is better counts; in logits.
    length: f64,
    quality: f64,
    /// The logits that the first answer has more.
    first: f64,
}

const HONEST: Judge = Judge { random: 0.1, length: 0.0, quality: 6.0, first: 0.0 };

impl Judge {
    /// Its vote on two answers, the first against the second.
    fn vote(&self, better: f64, longer: f64, random: &mut Random) -> std::cmp::Ordering {
        let logit = self.first + self.quality * better + self.length * longer;
        if random.chance(self.random) {
            if random.chance(0.5) { std::cmp::Ordering::Less } else { std::cmp::Ordering::Greater }
        } else if logit.abs() < 0.5 {
            std::cmp::Ordering::Equal
        } else {
            if random.chance((1.0 + (-logit).exp()).recip()) {
                std::cmp::Ordering::Greater
            } else {
                std::cmp::Ordering::Less
            }
        }
    }

    fn pair(&self, worse: f64, longer: f64, random: &mut Random) -> Judged {
        let sd = 0.3;
        let lengths = Pair { version: longer + sd * random.normal(), baseline: sd * random.normal() };
        let chars = lengths.map(|ln| (400.0 * ln.exp()) as u64);
        let longer = (chars.version as f64 - chars.baseline as f64) / 170.0;
        let as_version = |order: std::cmp::Ordering| match order {
            std::cmp::Ordering::Greater => Vote::Version,
            std::cmp::Ordering::Less => Vote::Baseline,
            std::cmp::Ordering::Equal => Vote::Tie,
        };
        Judged {
            version_first: Some(as_version(self.vote(-worse, longer, random))),
            baseline_first: Some(as_version(self.vote(worse, -longer, random).reverse())),
            chars,
        }
    }

    /// One round of fifty prompts: a part of the version's answers is worse, and all are longer by this (in logarithms).
    fn round(&self, worse: f64, longer: f64, random: &mut Random) -> Preference {
        let twice: Vec<Judged> = (0..PROMPTS).map(|_| self.pair(0.0, 0.0, random)).collect();
        let prompts: Vec<Vec<Judged>> = (0..PROMPTS)
            .map(|_| {
                let worse = f64::from(u8::from(random.chance(worse)));
                vec![self.pair(worse, longer, random)]
            })
            .collect();
        prefer(&prompts, Calibration { baseline_twice: &twice, doubled: &[] }, 1, Chances::default())
    }
}

struct Seat {
    name: &'static str,
    judge: Judge,
    worse: f64,
    longer: f64,
    /// The part of rounds in which it may and must find the version worse.
    found: Range<f64>,
}

fn seats() -> Vec<Seat> {
    let seat = |name, judge, worse, longer, found| Seat { name, judge, worse, longer, found };
    let random = Judge { random: 1.0, ..HONEST };
    let first = Judge { first: 100.0, ..HONEST };
    let longer = Judge { length: 1e4, quality: 0.0, ..HONEST };
    let rather_longer = Judge { length: 2.0, quality: 4.0, ..HONEST };
    vec![
        seat("honest, alike", HONEST, 0.0, 0.0, 0.0..0.05),
        seat("honest, alike, 30 % shorter", HONEST, 0.0, -0.36, 0.0..0.05),
        seat("honest, 20 % worse", HONEST, 0.2, 0.0, 0.6..1.0),
        seat("honest, 40 % worse", HONEST, 0.4, 0.0, 0.95..1.0),
        seat("honest, 40 % worse and all 30 % shorter", HONEST, 0.4, -0.36, 0.9..1.0),
        seat("honest, 40 % worse and all 30 % longer", HONEST, 0.4, 0.26, 0.9..1.0),
        seat("prefers the first, 40 % worse", first, 0.4, 0.0, 0.0..0.0),
        seat("always prefers the longer, alike", longer, 0.0, 0.0, 0.0..0.05),
        seat("always prefers the longer, 30 % shorter", longer, 0.0, -0.36, 0.0..0.05),
        seat("always prefers the longer, 60 % shorter", longer, 0.0, -0.92, 0.0..0.05),
        seat("always prefers the longer, 30 % longer", longer, 0.0, 0.26, 0.0..0.05),
        seat("rather prefers the longer, alike, 30 % shorter", rather_longer, 0.0, -0.36, 0.0..0.05),
        seat("rather prefers the longer, 40 % worse, 30 % longer", rather_longer, 0.4, 0.26, 0.3..1.0),
        seat("random", random, 0.4, 0.0, 0.0..0.05),
    ]
}

/// Each round 200 times. With a true chance of 2.5 %, as round 1 has, more than 12 alarms have a chance below 0.3 %.
#[test]
fn judges_of_all_kinds() {
    const ROUNDS: u64 = 200;
    for seat in seats() {
        let found = judged(&seat, ROUNDS).found;
        assert!(found <= seat.found.end + 0.01 && found >= seat.found.start - 0.01, "{}: {found}", seat.name);
    }
}

struct Heard {
    found: f64,
    fine: f64,
    win_rate: f64,
    length_controlled: f64,
    consistency: f64,
    first_share: f64,
    noise_floor: f64,
    /// How often one half is outside of the interval.
    outside: f64,
}

fn judged(seat: &Seat, rounds: u64) -> Heard {
    let heard: Vec<Preference> = (0..rounds)
        .map(|seed| seat.judge.round(seat.worse, seat.longer, &mut Random::new(seed * 7919 + 5)))
        .collect();
    let mean = |of: fn(&Preference) -> f64| heard.iter().map(of).sum::<f64>() / rounds as f64;
    Heard {
        found: mean(|heard| f64::from(u8::from(heard.is_worse()))),
        fine: mean(|heard| f64::from(u8::from(heard.is_fine()))),
        win_rate: mean(|heard| heard.win_rate.unwrap()),
        length_controlled: mean(|heard| heard.length_controlled.unwrap()),
        consistency: mean(|heard| heard.consistency.unwrap()),
        first_share: mean(|heard| heard.first_share.unwrap_or(0.5)),
        noise_floor: mean(|heard| heard.noise_floor.unwrap()),
        outside: mean(|heard| {
            f64::from(u8::from(heard.interval.is_some_and(|(low, high)| low > 0.5 || high < 0.5)))
        }),
    }
}

/// The table of `docs/verdict.md`.
#[test]
#[ignore = "takes long: see the top of this file"]
fn reference_set_judges() {
    println!(
        "| judge, version | worse found | fine | win rate | length-controlled | consistency | first | floor | half outside |"
    );
    for seat in seats() {
        let Heard {
            found,
            fine,
            win_rate,
            length_controlled,
            consistency,
            first_share,
            noise_floor,
            outside,
        } = judged(&seat, 400);
        println!(
            "| {} | {:.1} % | {:.1} % | {:.0} % | {:.0} % | {:.0} % | {:.0} % | {:.0} % | {:.1} % |",
            seat.name,
            100.0 * found,
            100.0 * fine,
            100.0 * win_rate,
            100.0 * length_controlled,
            100.0 * consistency,
            100.0 * first_share,
            100.0 * noise_floor,
            100.0 * outside
        );
    }
}
