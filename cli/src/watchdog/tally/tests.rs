use super::super::results::{Answer, CheckResult, Choice, Line, Prompts, Round, Side, Vote};
use super::Tally;
use serde_json::json;

/// An answer that passes or fails; `None` is unknown.
pub(crate) fn answer(round: u32, prompt: usize, side: Side, passed: Option<bool>) -> Answer {
    let check = |pass| CheckResult { check: "contains: Paris".to_owned(), pass, why: None };
    Answer {
        at: "2026-11-29T07:00:00Z".to_owned(),
        round,
        set: "a.yaml".to_owned(),
        case: format!("case {prompt}"),
        prompt,
        side,
        name: if side == Side::Version { "v2" } else { "v1" }.to_owned(),
        api: "chat".to_owned(),
        streamed: false,
        messages: Vec::new(),
        status: Some(200),
        outcome: Some("complete".to_owned()),
        finish: Some("stop".to_owned()),
        ttft_ms: None,
        latency_ms: Some(1),
        prompt_tokens: Some(9),
        completion_tokens: Some(1),
        defects: Vec::new(),
        output: json!("Paris"),
        tool_calls: Vec::new(),
        checked: true,
        pass: passed,
        score: passed.map(|passed| f64::from(u8::from(passed))),
        checks: passed.map(check).into_iter().collect(),
        unknown: passed.is_none().then(|| "429".to_owned()),
    }
}

fn push(tally: &mut Tally, answer: Answer) {
    tally.push(&Line::Answer(Box::new(answer))).unwrap();
}

/// A round in which prompts below `broken` fail with the version.
fn round(tally: &mut Tally, round: u32, prompts: usize, broken: usize) -> Round {
    for prompt in 0..prompts {
        push(tally, answer(round, prompt, Side::Baseline, Some(true)));
        push(tally, answer(round, prompt, Side::Version, Some(prompt >= broken)));
    }
    tally.end(round)
}

#[test]
fn seven_of_fifty_are_an_alarm_in_round_1() {
    let mut tally = Tally::of(50);
    let known = round(&mut tally, 1, 50, 7);
    assert_eq!((known.verdict.as_str(), known.round), ("regression", 1));
    assert_eq!(known.prompts, Prompts { total: 50, worse: 7, same: 43, ..Prompts::default() });
    assert!((known.log_e - 128_f64.ln()).abs() < 1e-9 && (known.threshold - 40_f64.ln()).abs() < 1e-9);
    assert_eq!((known.pass_share.version, known.pass_share.baseline), (Some(0.86), Some(1.0)));
    assert_eq!(known.judge, None);
    assert!(tally.alarm().is_some());
    assert_eq!(round(&mut tally, 2, 50, 0).verdict, "regression", "it stays");
}

#[test]
fn one_broken_prompt_is_listed_and_no_alarm() {
    let mut tally = Tally::of(50);
    let known = (1..=3).map(|at| round(&mut tally, at, 50, 1)).last().unwrap();
    assert_eq!(known.verdict, "not_enough_data");
    let changed = &known.changed[0];
    assert_eq!((changed.version.as_str(), changed.baseline.as_str()), ("0/3", "3/3"));
    assert_eq!((changed.case.as_str(), changed.check.as_str()), ("case 0", "contains: Paris"));
    assert_eq!(known.changed.len(), 1);
}

#[test]
fn equal_versions_are_fine_after_some_rounds() {
    let mut tally = Tally::of(100);
    assert_eq!(round(&mut tally, 1, 100, 0).verdict, "fine");
    let mut tally = Tally::of(10);
    assert_eq!(round(&mut tally, 1, 10, 0).verdict, "not_enough_data", "ten prompts show little");
}

#[test]
fn so_many_prompts_can_be_fine_and_fewer_cannot() {
    let least = super::prompts_to_be_fine();
    assert_eq!(least, 49, "as docs/watchdog.md says");
    assert_eq!(round(&mut Tally::of(least), 1, least, 0).verdict, "fine");
    let mut tally = Tally::of(least - 1);
    assert!((1..=8).all(|at| round(&mut tally, at, least - 1, 0).verdict == "not_enough_data"));
}

#[test]
fn what_is_unknown_is_counted_and_harms_nobody() {
    let mut tally = Tally::of(2);
    push(&mut tally, answer(1, 0, Side::Version, None));
    push(&mut tally, answer(1, 0, Side::Baseline, Some(true)));
    push(&mut tally, answer(1, 1, Side::Version, Some(true)));
    push(&mut tally, answer(1, 1, Side::Baseline, Some(true)));
    let known = tally.end(1);
    assert_eq!((known.prompts.unknown, known.prompts.same, known.prompts.worse), (1, 1, 0));
    assert!(Tally::of(3).end(1).log_e.is_sign_positive());
    assert_eq!(known.unknown_because, [("429".to_owned(), 1)].into());
}

#[test]
fn a_side_that_is_missing_is_left_out() {
    let mut tally = Tally::of(1);
    push(&mut tally, answer(1, 0, Side::Version, Some(false)));
    push(&mut tally, answer(2, 0, Side::Baseline, Some(true)));
    assert_eq!(tally.end(2).prompts.unknown, 1);
    push(&mut tally, answer(2, 0, Side::Version, Some(true)));
    assert_eq!(tally.end(2).prompts.same, 1);
}

#[test]
fn the_baseline_twice_only_lists_prompts() {
    let mut tally = Tally::of(2);
    for (prompt, second) in [(0, false), (1, true)] {
        push(&mut tally, answer(0, prompt, Side::Baseline, Some(true)));
        push(&mut tally, answer(0, prompt, Side::Baseline, Some(second)));
    }
    assert!(tally.has_baseline_twice());
    assert_eq!(tally.quarantined().collect::<Vec<_>>(), [("a.yaml", "case 0")]);
    let known = tally.end(0);
    assert_eq!((known.prompts.quarantined, known.prompts.unknown, known.prompts.total), (1, 2, 2));
    assert_eq!(known.pass_share.version, None);
}

#[test]
fn tokens_of_prompts_are_compared() {
    let mut tally = Tally::of(3);
    for (prompt, tokens) in [(0, Some(9)), (1, Some(12)), (2, None)] {
        push(&mut tally, answer(1, prompt, Side::Baseline, Some(true)));
        let version = Answer { prompt_tokens: tokens, ..answer(1, prompt, Side::Version, Some(true)) };
        push(&mut tally, version);
    }
    let known = tally.end(1).prompt_tokens;
    assert_eq!((known.compared, known.differ), (2, 1));
}

#[test]
fn defects_are_counted_by_side() {
    let mut tally = Tally::of(1);
    let defective =
        |round, side| Answer { defects: vec!["repetition".to_owned()], ..answer(round, 0, side, Some(true)) };
    push(&mut tally, defective(0, Side::Baseline));
    push(&mut tally, defective(1, Side::Version));
    push(&mut tally, defective(2, Side::Version));
    let defects = tally.end(2).defects;
    assert_eq!((defects.version["repetition"], defects.baseline.len()), (2, 0));
}

#[test]
fn cases_without_checks_show_harm_and_never_that_all_is_fine() {
    let unchecked = |round, prompt, side, fails: bool| Answer {
        checked: false,
        pass: fails.then_some(false),
        ..answer(round, prompt, side, Some(!fails))
    };
    let mut tally = Tally::of(100);
    for prompt in 0..100 {
        push(&mut tally, unchecked(1, prompt, Side::Baseline, false));
        push(&mut tally, unchecked(1, prompt, Side::Version, false));
    }
    let known = tally.end(1);
    assert_eq!((known.verdict.as_str(), known.prompts.same), ("not_enough_data", 100));
    assert_eq!(known.pass_share.version, None);
    for prompt in 0..100 {
        push(&mut tally, unchecked(2, prompt, Side::Baseline, false));
        push(&mut tally, unchecked(2, prompt, Side::Version, prompt < 20));
    }
    assert_eq!(tally.end(2).verdict, "regression");
}

#[test]
fn lines_make_the_same_whoever_reads_them() {
    let mut lines = Vec::new();
    let mut tally = Tally::of(20);
    for at in 1..=5 {
        for prompt in 0..20 {
            for side in [Side::Version, Side::Baseline] {
                let passed = !(at as usize + prompt).is_multiple_of(3) || side == Side::Baseline;
                lines.push(Line::Answer(Box::new(answer(at, prompt, side, Some(passed)))));
                tally.push(lines.last().unwrap()).unwrap();
            }
        }
        lines.push(Line::Round(Box::new(tally.end(at))));
    }
    let mut again = Tally::default();
    let mut rounds = Vec::new();
    for line in lines.iter().map(|line| Line::parse(&line.to_text()).unwrap()) {
        again.push(&line).unwrap();
        if let Line::Round(round) = &line {
            rounds.push(round.clone());
        }
    }
    assert_eq!(again.end(5), *rounds.pop().unwrap());
    assert_eq!((again.round(), again.end(5).prompts.total), (5, 20));
}

#[test]
fn a_judges_votes_are_counted() {
    let mut tally = Tally::of(30);
    let vote = |round, prompt: usize, first, vote| {
        Line::Vote(Vote {
            at: String::new(),
            round,
            set: "a.yaml".to_owned(),
            case: format!("case {prompt}"),
            prompt,
            doubled: false,
            first,
            vote: Some(vote),
            reply: None,
            unknown: None,
        })
    };
    for prompt in 0..30 {
        for _ in 0..2 {
            push(&mut tally, answer(0, prompt, Side::Baseline, Some(true)));
        }
        for first in [Side::Version, Side::Baseline] {
            tally.push(&vote(0, prompt, first, Choice::Tie)).unwrap();
        }
    }
    for prompt in 0..30 {
        for side in [Side::Version, Side::Baseline] {
            push(&mut tally, answer(1, prompt, side, Some(true)));
        }
        for first in [Side::Version, Side::Baseline] {
            tally.push(&vote(1, prompt, first, Choice::Baseline)).unwrap();
        }
    }
    let known = tally.end(1);
    let judge = known.judge.unwrap();
    assert_eq!((judge.win_rate, judge.consistency, judge.calls), (Some(0.0), Some(1.0), 120));
    assert_eq!(known.verdict, "regression");
    assert_eq!(tally.preference().unwrap().noise_floor, Some(0.0));
}

#[test]
fn reasons_and_prompts_are_limited() {
    let mut tally = Tally::default();
    for number in 0..500 {
        let unknown = Some(format!("reason {number}"));
        push(&mut tally, Answer { unknown, ..answer(1, 0, Side::Version, None) });
    }
    let known = tally.end(1);
    assert_eq!((known.unknown_because.len(), known.unknown_because["other"]), (101, 400));
    let far = Line::Answer(Box::new(answer(1, super::PROMPTS_MAX, Side::Version, None)));
    assert!(tally.push(&far).is_err());
}
