//! What a decision and a configuration cost as they grow, to the limits of each: a line a point, as `bench/cost.py`
//! reads them.

use std::hint::black_box;

use llm_canary::config::{Config, KEYS_MAX, ROLLOUTS_MAX, STEPS_MAX, VERSIONS_MAX};

use crate::best_of;
use crate::deciding::{SMALL, Size, When, configuration, decide_ns};

const ROUNDS: usize = 15;
/// Read one after the other, so that a small one does not pay for the caches that a large one has emptied.
const IN_A_ROW: u32 = 8;

pub(crate) fn print() {
    curve("rollouts", 1, ROLLOUTS_MAX, |rollouts| Size { rollouts, ..SMALL });
    curve("versions", 2, VERSIONS_MAX, |versions| Size { versions, ..SMALL });
    curve("steps", 1, STEPS_MAX, |steps| Size { steps, ..SMALL });
    curve("keys", 1, KEYS_MAX, |keys| Size { keys, ..SMALL });
}

fn curve(name: &str, first: usize, last: usize, size: fn(usize) -> Size) {
    let counts: Vec<usize> = std::iter::successors(Some(first), |count| Some(count * 2))
        .take_while(|&count| count <= last)
        .collect();
    let sizes: Vec<Size> = counts.iter().map(|&count| size(count)).collect();
    let print = |series: &str, costs: &[f64]| {
        for (count, cost) in counts.iter().zip(costs) {
            println!("{name}\t{series}\t{count}\t{cost:.0}");
        }
    };
    print("decide", &decide_ns(&sizes, When::LongAfter));
    if name == "steps" {
        print("decide_soon_after", &decide_ns(&sizes, When::SoonAfter));
    }
    print("configure", &configure_ns(&sizes));
}

/// From a configuration's text to what decisions are made with.
fn configure_ns(sizes: &[Size]) -> Vec<f64> {
    let texts: Vec<String> = sizes.iter().map(|&size| configuration(size)).collect();
    let read = |text: &String| {
        for _ in 0..IN_A_ROW {
            assert!(black_box(Config::parse(black_box(text.as_bytes()))).is_ok());
        }
    };
    let mut runs: Vec<_> = texts.iter().map(|text| move || read(text)).collect();
    let mut contenders: Vec<_> = runs.iter_mut().map(|run| run as &mut dyn FnMut()).collect();
    let times = best_of(ROUNDS, &mut contenders);
    times.iter().map(|time| time.as_nanos() as f64 / f64::from(IN_A_ROW)).collect()
}
