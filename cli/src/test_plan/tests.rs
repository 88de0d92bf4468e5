use super::{Expected, parse_design_effect, parse_part, parse_rate, parse_ratio};
use llm_canary_verdict::difference::{Comparison, Conclusion};
use llm_canary_verdict::policy::{Goal, Policy};
use llm_canary_verdict::signal::{Direction, Signal};
use llm_canary_verdict::steps::Step;
use llm_canary_verdict::window::{Count, Flow, Pair, Rate, Window};

fn expected() -> Expected {
    Expected {
        signal: Signal::Refusals,
        base: 0.01,
        ratio: 1.5,
        share: 0.5,
        requests_per_second: 20.0,
        design_effect: 1.0,
        is_release: false,
    }
}

fn nine_in_ten(expected: &Expected) -> u64 {
    expected.plan(&Policy::default()).map(|plan| plan.plan.nine_in_ten).unwrap()
}

#[test]
fn a_plan_grows_with_what_makes_a_test_hard() {
    let usual = nine_in_ten(&expected());
    // A test with a fixed number of requests, 5 % either way and a power of 90 %, needs about 20,700.
    assert!((20_700..62_100).contains(&usual), "{usual}");
    for harder in [
        Expected { ratio: 1.3, ..expected() },
        Expected { ratio: 0.75, ..expected() },
        Expected { base: 0.002, ..expected() },
        Expected { share: 0.05, ..expected() },
        Expected { design_effect: 2.0, ..expected() },
        Expected { is_release: true, ..expected() },
    ] {
        assert!(nine_in_ten(&harder) > usual, "{} {}", harder.ratio, harder.base);
    }
    let expected = expected();
    let plan = expected.plan(&Policy::default()).unwrap();
    let json = plan.json();
    assert!(json["median"]["requests"].as_u64() < json["nine_in_ten"]["requests"].as_u64());
    let hours = json["nine_in_ten"]["hours"].as_f64().unwrap();
    assert!((hours - usual as f64 / 72_000.0).abs() < 1e-9 && json["alpha"] == 0.025, "{json}");
}

#[test]
fn what_cannot_be_found_says_why() {
    let refused = |expected: Expected| expected.plan(&Policy::default()).err().unwrap_or_default();
    let tolerated = refused(Expected { ratio: 1.05, is_release: true, ..expected() });
    assert!(tolerated.contains("a ratio up to 1.1 is tolerated"), "{tolerated}");
    let less = refused(Expected { ratio: 0.5, is_release: true, ..expected() });
    assert!(less.contains("harm of refusals is more"), "{less}");
    let long = refused(Expected { base: 1e-6, requests_per_second: 0.01, ..expected() });
    assert!(long.contains("more than a year"), "{long}");
}

#[test]
fn arguments_are_read() {
    assert_eq!(parse_rate("20/s"), Ok(20.0));
    assert_eq!(parse_rate("1200/min"), Ok(20.0));
    assert_eq!(parse_rate("3600 / h"), Ok(1.0));
    assert_eq!(parse_part("50"), Ok(0.5));
    assert_eq!(parse_part("0.5%"), Ok(0.005));
    assert_eq!(parse_ratio("2x"), Ok(2.0));
    for (found, words) in [
        (parse_rate("20"), "is not a rate"),
        (parse_rate("20/x"), "is not a rate"),
        (parse_rate("/s"), "is not a rate"),
        (parse_rate("-1/s"), "is not a rate"),
        (parse_rate("inf/s"), "is not a rate"),
        (parse_rate("0/s"), "is no traffic"),
        (parse_rate("99999999/s"), "is more than 1,000,000 requests a second"),
        (parse_part("0"), "leaves nothing to compare;"),
        (parse_part("100"), "leaves nothing to compare with"),
        (parse_part("x"), "is not a percentage"),
        (parse_ratio("1"), "is no difference"),
        (parse_ratio("0"), "is out of range"),
        (parse_ratio("1e9"), "is not a ratio"),
        (parse_ratio("50%"), "is not a ratio"),
        (parse_ratio("nan"), "is not a ratio"),
        (parse_design_effect("0.5"), "is not a design effect"),
        (parse_design_effect("x"), "is not a design effect"),
    ] {
        assert!(found.clone().is_err_and(|found| found.contains(words)), "{found:?}");
    }
}

/// A number from 0 to 1 (SplitMix64), the same in each run.
fn random(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

/// Requests of both versions until an A/B test finds the difference. A window has a fiftieth of what is planned.
fn requests_until_found(expected: &Expected, planned: u64, state: &mut u64) -> u64 {
    let goal = Goal { signal: Signal::Refusals, better: Direction::Down };
    let steps = vec![Step { at_ms: -1_000_000_000, share: expected.share, baseline: 1.0 - expected.share }];
    let mut test = Comparison::new(goal, Policy::default(), Some(steps));
    let a_window = planned / 50;
    for index in 0_i64.. {
        let version = (a_window as f64 * expected.share).round() as u64;
        let n = Pair { version, baseline: a_window - version };
        let rates = Pair { version: expected.base * expected.ratio, baseline: expected.base };
        let mut draw =
            |n: u64, rate: f64| Count { n, d: (0..n).filter(|_| random(state) < rate).count() as u64 };
        let counts =
            Pair { version: draw(n.version, rates.version), baseline: draw(n.baseline, rates.baseline) };
        test.push(&Window {
            start_ms: index * 60_000,
            end_ms: (index + 1) * 60_000,
            flow: n.map(|requests| Flow { requests, decisions: requests, ..Flow::default() }),
            rates: [(Signal::Refusals, Rate { counts, ..Rate::default() })].into(),
            ..Window::default()
        });
        if test.difference().conclusion != Conclusion::NotEnoughData || index > 500 {
            return a_window * (index as u64 + 1);
        }
    }
    0
}

#[test]
fn tests_take_as_long_as_planned() {
    const RUNS: usize = 60;
    for (ratio, share, base) in [(1.5, 0.5, 0.01), (2.0, 0.1, 0.02), (0.6, 0.5, 0.03)] {
        let expected = Expected { ratio, share, base, ..expected() };
        let policy = Policy::default();
        let plan = expected.plan(&policy).unwrap().plan;
        let mut state = 7;
        let mut took: Vec<u64> =
            (0..RUNS).map(|_| requests_until_found(&expected, plan.nine_in_ten, &mut state)).collect();
        took.sort_unstable();
        let (median, nine_in_ten) = (took[RUNS / 2] as f64, took[RUNS * 9 / 10] as f64);
        assert!((0.6..1.4).contains(&(median / plan.median as f64)), "{median} of {}", plan.median);
        assert!(
            (0.6..1.4).contains(&(nine_in_ten / plan.nine_in_ten as f64)),
            "{nine_in_ten} of {}",
            plan.nine_in_ten
        );
    }
}
