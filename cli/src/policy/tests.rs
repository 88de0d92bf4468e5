use super::{DEFAULT, is_policy, parse};
use llm_canary_verdict::policy::{Effect, ErrorLimit, Limits, Margin, Policy, Price, Row, Rule, Tier};
use llm_canary_verdict::signal::{Direction, Harm, Mode, Signal};

/// The path and the message of each problem of a text.
fn problems(text: &str) -> Vec<String> {
    let error = parse("p.yaml", text.as_bytes()).expect_err(text);
    error.problems().iter().map(|problem| format!("{}: {}", problem.path, problem.message)).collect()
}

/// Each problem begins with these words and contains the others; there are no more.
#[track_caller]
fn check(text: &str, expect: &[(&str, &str)]) {
    let found = problems(text);
    for (path, words) in expect {
        let is_there =
            |problem: &&String| problem.starts_with(&format!("{path}: ")) && problem.contains(words);
        assert_eq!(found.iter().filter(is_there).count(), 1, "{path}: {words}\n{}", found.join("\n"));
    }
    assert_eq!(found.len(), expect.len(), "{}", found.join("\n"));
}

#[test]
fn the_default_is_the_default() {
    assert_eq!(parse("default", DEFAULT.as_bytes()).unwrap(), Policy::default());
    assert_eq!(parse("empty", b"{}").unwrap(), Policy::default());
    assert_eq!(parse("empty", b"signals: {}\n").unwrap(), Policy::default());
    // Every signal and every row stands in it, each with a comment.
    for name in
        Signal::all().map(|signal| signal.to_string()).chain(Row::ALL.map(|row| row.name().to_owned()))
    {
        let line = DEFAULT.lines().find(|line| line.starts_with(&format!("  {name}: "))).expect(&name);
        assert!(line.contains("# "), "{line}");
    }
    // What is commented out is right as well.
    let whole: Vec<&str> = DEFAULT
        .lines()
        .map(|line| line.strip_prefix("# ").filter(|rest| rest.starts_with(['g', 'p', ' '])).unwrap_or(line))
        .filter(|line| !line.starts_with("prices of"))
        .collect();
    let policy = parse("whole", whole.join("\n").as_bytes()).unwrap();
    assert!(policy.goal.is_some() && policy.prices.len() == 2, "{policy:?}");
}

#[test]
fn a_policy_says_what_differs() {
    let text = "
alpha: 0.01
beta: 0.1
tolerance: 1
signals:
  refusals: {mode: guard, weight: 2}
  response_chars: {mode: guard, harm: both, margin: {ratio: 1.3}}
  client_aborts: {mode: watch}
  defect:empty: {mode: guard, margin: {points: 1}}
margins:
- {below: 5 %, ratio: 3, points: 2, mean: 1.5}
- {ratio: 1.5, mean: 1.2}
warmup: 0s
settle: 5s
limits: {errors: {above: 50%}, stall: off}
health: {no_traffic: stop, share: warn}
goal: {signal: feedback_up, better: up}
prices: {v1: {input: 0.10, cached_input: 0.02, output: 0.40}, v2: {input: 1, output: 2}}
";
    let rule = Rule::default();
    let expect = Policy {
        alpha: 0.01,
        beta: 0.1,
        tolerance: 1.0,
        signals: [
            (Signal::Refusals, Rule { weight: Some(2.0), ..rule }),
            (Signal::ResponseChars, Rule { margin: Some(Margin { ratio: 1.3, points: 0.0 }), ..rule }),
            (Signal::ClientAborts, Rule { mode: Some(Mode::Watch), ..rule }),
            (
                Signal::Defect("empty".into()),
                Rule { mode: Some(Mode::Guard), margin: Some(Margin { ratio: 1.0, points: 0.01 }), ..rule },
            ),
        ]
        .into(),
        margins: vec![
            Tier { below: Some(0.05), rate: Margin { ratio: 3.0, points: 0.02 }, mean: 1.5 },
            Tier { below: None, rate: Margin { ratio: 1.5, points: 0.0 }, mean: 1.2 },
        ],
        warmup_ms: 0,
        settle_ms: 5_000,
        limits: Limits { errors: Some(ErrorLimit { above: 0.5, of: 20, times: 2.0 }), stall_ms: None },
        health: [(Row::NoTraffic, Effect::Stop)].into(),
        goal: Some(super::Goal { signal: Signal::FeedbackUp, better: Direction::Up }),
        prices: [
            ("v1".to_owned(), Price { input: 0.1, cached_input: Some(0.02), output: 0.4 }),
            ("v2".to_owned(), Price { input: 1.0, cached_input: None, output: 2.0 }),
        ]
        .into(),
    };
    assert_eq!(parse("p.yaml", text.as_bytes()).unwrap(), expect);
    let json = serde_json::to_string(&crate::yaml::json(text).unwrap()).unwrap();
    assert_eq!(parse("p.json", json.as_bytes()).unwrap(), expect, "{json}");
    let signal = parse("p", b"signals: {errors: {harm: both}}").unwrap().harm(&Signal::Errors);
    assert_eq!(signal, Harm::Both);
}

#[test]
fn six_mistakes_are_six_problems() {
    // Names.
    check(
        "alhpa: 0.05
signals: {refusal: {mode: guard}, errors: {mod: guard}, 'defect:emty': {mode: watch}}
health: {no_trafic: hold}
goal: {signal: feedback, better: up}
",
        &[
            ("alhpa", "is no known field; did you mean alpha?"),
            ("signals.refusal", "there is no such signal; did you mean refusals?"),
            ("signals.errors.mod", "is no known field; did you mean mode?"),
            ("signals[\"defect:emty\"]", "there is no such signal; did you mean defect:empty?"),
            ("health.no_trafic", "is no known field; did you mean no_traffic?"),
            ("goal.signal", "is \"feedback\", and there is no such signal; did you mean feedback_up?"),
        ],
    );
    // Ranges.
    check(
        "alpha: 0
beta: 1
tolerance: 0.9
warmup: 30d
limits: {errors: {above: 120%}}
signals: {errors: {weight: 0}}
",
        &[
            ("alpha", "is 0; write a chance above 0 and below 1"),
            ("beta", "is 1; write a chance above 0 and below 1"),
            ("tolerance", "is 0.9; write a ratio from 1 to 1000"),
            ("warmup", "is \"30d\"; write a duration with its unit, at most 7d"),
            ("limits.errors.above", "is \"120%\"; write a percentage above 0 and at most 100"),
            ("signals.errors.weight", "is 0; write a weight above 0"),
        ],
    );
    // Units.
    check(
        "alpha: 5%
warmup: 2
limits: {errors: {above: 0.2, of: 20%}, stall: 60}
margins: [{below: 0.05, ratio: 3, mean: 1.5}, {ratio: 2, points: 1%, mean: 1.2}]
",
        &[
            ("alpha", "is \"5%\"; write a chance above 0 and below 1, such as 0.05 for 5 %"),
            ("warmup", "is 2; write a duration with its unit"),
            ("limits.errors.above", "is 0.2; write a percentage above 0 and at most 100 with its sign"),
            ("limits.errors.of", "is \"20%\"; write a whole number from 1"),
            ("limits.stall", "is 60; write a duration with its unit, at least 1000 ms"),
            ("margins[0].below", "is 0.05; write a percentage above 0 and at most 100 with its sign"),
            ("margins[1].points", "is \"1%\"; write percentage points from 0 to 100 without a sign"),
        ],
    );
    // Words.
    check(
        "signals: {errors: {mode: stop, harm: upward}}
health: {share: ignore, stale: guard}
goal: {signal: errors, better: less}
limits: {stall: never}
",
        &[
            ("signals.errors.mode", "is \"stop\"; write guard, hold or watch"),
            ("signals.errors.harm", "is \"upward\"; write up, down or both"),
            ("health.share", "is \"ignore\"; write warn, hold or stop"),
            ("health.stale", "is \"guard\"; write warn, hold or stop"),
            ("goal.better", "is \"less\"; write up or down"),
            ("limits.stall", "is \"never\"; write a duration with its unit"),
        ],
    );
    // Kinds of values.
    check(
        "alpha: small
signals: [refusals]
margins: {ratio: 2}
limits: {errors: 20%}
health: hold
goal: feedback_up
prices: {v1: 0.4}
beta:
",
        &[
            ("alpha", "is \"small\"; write a chance"),
            ("signals", "is a list; write an object"),
            ("margins", "is an object; write a list"),
            ("limits.errors", "is \"20%\"; write an object"),
            ("health", "is \"hold\"; write an object"),
            ("goal", "is \"feedback_up\"; write an object"),
            ("prices.v1", "is 0.4; write an object"),
            ("beta", "is empty; leave it out, or write a chance"),
        ],
    );
    // Margins.
    check(
        "margins:
- {ratio: 3, mean: 1.5}
- {below: 25%, ratio: 1, points: 0, mean: 1}
- {below: 5%, mean: 1.2}
- {below: 50%, ratio: 0.5, points: 101, mean: 0}
- {below: 60%, ratio: 2}
",
        &[
            ("margins[0].below", "is missing; write the share up to which these margins hold"),
            ("margins[1]", "excludes no harm that could be told from none"),
            ("margins[1].mean", "is 1, and harm of that size cannot be told from none"),
            ("margins[2].below", "is not above the share before it; put the margins in the order"),
            ("margins[2]", "has neither ratio nor points; write one of them"),
            ("margins[3].ratio", "is 0.5; write a ratio from 1"),
            ("margins[3].points", "is 101; write percentage points from 0 to 100"),
            ("margins[3].mean", "is 0; write a ratio from 1"),
            ("margins[4].below", "ends the last margins"),
            ("margins[4].mean", "is missing; write the ratio of means"),
        ],
    );
    // What is missing, and prices.
    check(
        "goal: {}
prices: {v1: {input: -1}, v2: {output: 0.4, cached: 1}}
margins: []
",
        &[
            ("goal.signal", "is missing; write the signal"),
            ("goal.better", "is missing; write up or down"),
            ("prices.v1.input", "is -1; write the price of a million tokens, 0 or more"),
            ("prices.v1.output", "is missing; write the price"),
            ("prices.v2.cached", "is no known field; did you mean cached_input?"),
            ("prices.v2.input", "is missing; write the price"),
            ("margins", "has 0 items; there may be 1 to 16"),
        ],
    );
    // Margins of one signal.
    check(
        "signals:
  response_chars: {margin: {points: 1}}
  errors: {margin: {}}
  refusals: {margin: {ratio: 1}}
  defects: {margin: 1.3}
  length_stops: {margin: {mean: 1.2, points: -1}}
  time_to_first_token_ms: {margin: {ratio: 1}}
",
        &[
            ("signals.response_chars.margin.points", "has no meaning for lengths and times"),
            ("signals.response_chars.margin.ratio", "is missing; write the ratio of means"),
            ("signals.errors.margin", "has neither ratio nor points"),
            ("signals.refusals.margin", "excludes no harm that could be told from none"),
            ("signals.defects.margin", "is 1.3; write an object"),
            ("signals.length_stops.margin.mean", "is no known field"),
            ("signals.length_stops.margin.points", "is -1; write percentage points"),
            ("signals.time_to_first_token_ms.margin.ratio", "is 1, and harm of that size"),
        ],
    );
}

#[test]
fn texts_that_are_no_policy_say_why() {
    for (text, words) in [
        ("", "is empty; llm-canary policy prints a policy"),
        ("# nothing\n", "is empty; llm-canary policy prints a policy"),
        ("rollouts: []", "holds no policy: none of its fields is a policy's"),
        ("kind: ConfigMap\nmetadata: {}", "holds no policy: none of its fields is a policy's"),
        ("alpha: 0.1\n---\nbeta: 0.1\n", "has 2 documents; keep the one with the policy"),
        ("alpha: [\n", "is not YAML: '[' is not closed"),
        ("{\"alpha\": }", "is not JSON: "),
        ("alpha: 0.1\nalpha: 0.2\n", "has \"alpha\" twice"),
        ("{\"alpha\": 0.1, \"alpha\": 0.2}", "is given twice; keep one"),
        ("[]", "is a list; write an object"),
        ("guard", "is \"guard\"; write an object"),
        ("limits: {errors: {of: 010}}", "take for 8, and others for 10"),
        ("{\"alpha\": 1e999}", "; write a chance above 0 and below 1"),
        ("alpha: 0.0001e-999999", "; write a chance above 0 and below 1"),
        ("limits: {errors: {of: 1e30}}", "write a whole number from 1"),
    ] {
        let found = problems(text);
        assert!(found.iter().any(|problem| problem.contains(words)), "{text}: {found:?}");
    }
    assert!(parse("p", b"alpha: \xff").is_err_and(|error| error.to_string().contains("is not UTF-8")));
    let watched = Signal::all().map(|signal| format!("{signal}: {{mode: watch}}"));
    let text = format!("signals: {{{}}}", watched.collect::<Vec<_>>().join(", "));
    check(&text, &[("signals", "leave no guard")]);
    let many: Vec<String> =
        (0..150).map(|number| format!("x{number}: 1")).chain(["beta: 0.1".to_owned()]).collect();
    let found = problems(&many.join("\n"));
    assert!(found.len() == 101 && found[100] == ": has 50 more errors; fix these first", "{found:?}");
}

#[test]
fn policies_are_told_from_other_files() {
    for text in [DEFAULT, "alpha: 0.1", "{\"signals\": {}}", "alhpa: 0.1", "alpha: 1\nmagrins: []\nx: 1"] {
        assert!(is_policy(text.as_bytes()), "{text}");
    }
    for text in [
        "",
        "{}",
        "rollouts: []",
        "{\"rollouts\": [], \"limits\": {}}",
        "kind: Pod\nmetadata: {}\nspec: {}\nlimits: {}",
        "alpha: 1\n---\nbeta: 1\n",
        "[]",
        "alpha: [",
    ] {
        assert!(!is_policy(text.as_bytes()), "{text}");
    }
}
