use super::{Source, Watchdog};
use crate::looks::Chances;
use crate::pairwise::{Calibration, Judged, Preference, Vote, prefer};
use crate::prompts::{Checked, Prompt, check};
use crate::verdict::Verdict;
use crate::window::Pair;

fn checked(worse: usize, round: u32) -> Checked {
    let mut prompts = vec![Prompt::new(1, Pair { version: 1, baseline: 1 }); 50];
    prompts
        .iter_mut()
        .take(worse)
        .for_each(|prompt| *prompt = Prompt::new(1, Pair { version: 0, baseline: 1 }));
    check(&prompts, round, Chances::default())
}

fn judged(vote: Vote, round: u32) -> Preference {
    let pair = Judged {
        version_first: Some(vote),
        baseline_first: Some(vote),
        chars: Pair { version: 9, baseline: 9 },
    };
    prefer(&vec![vec![pair]; 50], Calibration::default(), round, Chances::default())
}

#[test]
fn an_alarm_stays() {
    let mut watchdog = Watchdog::default();
    assert_eq!(watchdog.verdict(), Verdict::NotEnoughData);
    watchdog.push(1, &checked(7, 1), None);
    assert_eq!(watchdog.verdict(), Verdict::Regression);
    watchdog.push(2, &checked(0, 2), None);
    assert_eq!(watchdog.verdict(), Verdict::Regression);
    let alarm = watchdog.alarm().unwrap();
    assert_eq!((alarm.round, alarm.source), (1, Source::Checks));
}

/// 50 prompts without a difference are fine in round 1. They still are in round 2, and are not once many got worse.
#[test]
fn fine_stays_until_it_is_contradicted() {
    let mut watchdog = Watchdog::default();
    watchdog.push(1, &checked(0, 1), None);
    assert_eq!(watchdog.verdict(), Verdict::Fine);
    watchdog.push(2, &checked(0, 2), None);
    assert_eq!(watchdog.verdict(), Verdict::Fine);
    watchdog.push(3, &checked(8, 3), None);
    assert_eq!(watchdog.verdict(), Verdict::NotEnoughData);
    watchdog.push(4, &checked(8, 4), None);
    assert_eq!(watchdog.verdict(), Verdict::Regression);
}

#[test]
fn looks_are_at_their_rounds_and_once() {
    let mut watchdog = Watchdog::default();
    watchdog.push(2, &checked(0, 2), None);
    watchdog.push(2, &checked(20, 2), None);
    watchdog.push(1, &checked(20, 1), None);
    watchdog.push(3, &checked(20, 3), None);
    assert_eq!(watchdog.verdict(), Verdict::NotEnoughData);
    watchdog.push(4, &checked(20, 4), None);
    assert_eq!(watchdog.verdict(), Verdict::Regression);
}

#[test]
fn a_judge_decides_where_there_are_no_checks() {
    let nothing = check(&[], 1, Chances::default());
    for (vote, verdict) in
        [(Vote::Baseline, Verdict::Regression), (Vote::Tie, Verdict::Fine), (Vote::Version, Verdict::Fine)]
    {
        let mut watchdog = Watchdog::default();
        watchdog.push(1, &nothing, Some(&judged(vote, 1)));
        assert_eq!(watchdog.verdict(), verdict, "{vote:?}");
    }
    // With checks, it can only find harm.
    let mut watchdog = Watchdog::default();
    watchdog.push(1, &checked(4, 1), Some(&judged(Vote::Tie, 1)));
    assert_eq!(watchdog.verdict(), Verdict::NotEnoughData);
    watchdog.push(2, &checked(4, 2), Some(&judged(Vote::Baseline, 2)));
    assert_eq!(watchdog.alarm().map(|alarm| alarm.source), Some(Source::Judge));
}
