//! Tables of how fast llm-canary reads and decides on this machine; `bench/run.sh` prints them with those of V8. With
//! `--growth` instead the curves of `docs/cost.md`, a point a line; with `--defects` the detectors of defects alone.
//!
//! Only figures of one run can be compared: each cell is the best of rounds that are interleaved with those
//! of the others in its row.

mod deciding;
mod defects;
mod growth;
mod reading;

use std::path::Path;
use std::time::{Duration, Instant};

fn main() {
    let argument = std::env::args().nth(1);
    if argument.as_deref() == Some("--growth") {
        return growth::print();
    }
    if argument.as_deref() == Some("--defects") {
        return defects::print();
    }
    reading::print(Path::new(argument.as_deref().unwrap_or("../../shared/corpus")));
    defects::print();
    deciding::print();
}

/// The shortest time that each of these takes, of `rounds` in which they take turns.
fn best_of(rounds: usize, contenders: &mut [&mut dyn FnMut()]) -> Vec<Duration> {
    let mut best = vec![Duration::MAX; contenders.len()];
    for _ in 0..rounds {
        for (best, run) in best.iter_mut().zip(contenders.iter_mut()) {
            let begun = Instant::now();
            run();
            *best = (*best).min(begun.elapsed());
        }
    }
    best
}
