use super::{Plan, Question, plan, stretched};
use crate::signal::Direction::{Down, Up};
use crate::window::Pair;

const QUESTION: Question =
    Question { direction: Up, tolerance: 1.1, ln_threshold: 4.605_170_185_988_091, phi: 1.0 };

#[test]
fn more_requests_show_less_harm() {
    let of = |n| QUESTION.detectable_rate(Pair { version: n, baseline: 9 * n }, 0.01).unwrap();
    let (few, many, more) = (of(300), of(3_000), of(100_000));
    assert!(few > 3.0 && many < few && more < many && more > 1.1, "{few} {many} {more}");
    // With a design effect, less is seen.
    let clustered = Question { phi: 3.0, ..QUESTION };
    assert!(clustered.detectable_rate(Pair { version: 3_000, baseline: 27_000 }, 0.01).unwrap() > many);
}

#[test]
fn less_is_found_as_well() {
    let down = Question { direction: Down, ..QUESTION };
    let found = down.detectable_rate(Pair { version: 3_000, baseline: 27_000 }, 0.05).unwrap();
    assert!(found < 1.0 && found > 0.3, "{found}");
}

#[test]
fn nothing_to_say() {
    assert_eq!(QUESTION.detectable_rate(Pair { version: 0, baseline: 900 }, 0.01), None);
    assert_eq!(QUESTION.detectable_rate(Pair { version: 100, baseline: 900 }, 0.0), None);
    assert_eq!(QUESTION.detectable_rate(Pair { version: 1, baseline: 9 }, 0.01), None);
    assert_eq!(QUESTION.detectable_length(&[0, 0], &[1.0], 10), None);
    assert_eq!(QUESTION.detectable_length(&[], &[], 10), None);
}

#[test]
fn lengths_stretch() {
    // All within 0 to 10, twice as long: half of them within 10 to 20.
    let found = stretched(&[8.0, 0.0, 3.0], &[10.0, 20.0], 2.0);
    assert_eq!(found, [4.0, 4.0, 3.0]);
    let longer = stretched(&[0.0, 8.0, 3.0], &[10.0, 20.0], 3.0);
    assert_eq!(longer.iter().sum::<f64>(), 11.0);
}

#[test]
fn long_answers_are_found() {
    let counts = [50, 400, 900, 1500, 1800, 1500, 900, 500, 300, 100];
    let edges = [100.0, 200.0, 400.0, 600.0, 800.0, 1000.0, 1500.0, 2000.0, 3000.0];
    let (few, many) =
        (QUESTION.detectable_length(&counts, &edges, 100), QUESTION.detectable_length(&counts, &edges, 800));
    let (few, many) = (few.unwrap(), many.unwrap());
    assert!(many > 1.0 && many < few && few < 2.0, "{many} {few}");
}

/// The table of the docs: refusals from 1 to 3 % at 10 % and alpha 1 % take about 560 requests of the version.
#[test]
fn a_plan_tells_what_the_simulation_finds() {
    let phi = Question { phi: 1.18, ..QUESTION };
    let Plan { median, nine_in_ten } = plan(&phi, 0.01, 3.0, 0.1).unwrap();
    assert!((4_000..8_000).contains(&median), "{median}");
    assert!(nine_in_ten > median && nine_in_ten < 4 * median, "{nine_in_ten}");
    // What is tolerated is never found.
    assert_eq!(plan(&phi, 0.01, 1.05, 0.1), None);
}
