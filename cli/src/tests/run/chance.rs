//! Releases to which everything happens, by chance: kills, signals, silence, files that cannot be written, full disks. Whatever
//! comes, shares rise one by one, a good version arrives, and a bad one is stopped.

use super::sim::{HEALTHY, Shared, Sim};
use crate::controller::Signal;

const SEEDS: u64 = 12;
const PLAN: &str = "--plan 5%,25%@3m,50%@3m --json --journal journal --notify http://x";
/// What happens, happens within this time.
const SECONDS: u64 = 1_200;

/// Numbers by chance, the same for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

/// Something that begins, and how it ends.
type Trouble = (fn(&mut Shared), fn(&mut Shared));

const TROUBLES: [Trouble; 7] = [
    (|shared| envoy(shared, true, 0), |shared| envoy(shared, false, 0)),
    (|shared| envoy(shared, true, 1), |shared| envoy(shared, false, 1)),
    (|shared| shared.is_read_only = true, |shared| shared.is_read_only = false),
    (|shared| shared.is_disk_full = true, |shared| shared.is_disk_full = false),
    (|shared| shared.is_prometheus_down = true, |shared| shared.is_prometheus_down = false),
    (|shared| shared.is_killed = true, |_| ()),
    (|shared| shared.signal = Some(Signal::Terminate), |_| ()),
];

fn envoy(shared: &mut Shared, is_silent: bool, index: usize) {
    shared.envoys.values_mut().nth(index).unwrap().is_silent = is_silent;
}

/// Runs the command until it ends by itself; returns its last exit code.
fn run_to_the_end(sim: &Sim, source: &str) -> u8 {
    for _ in 0..40 {
        let ran = sim.tool(&format!("run chat.json v2 {source} {PLAN}"));
        match ran.code {
            137 | 143 => {}
            // The source does not answer at the start, or everything ended between the stop and its words.
            2 if ran.err.contains("it does not answer") || ran.err.contains("503") => {
                crate::io::clock::Clock::sleep(sim, std::time::Duration::from_secs(10));
            }
            2 if ran.err.contains("v2 is stopped, and stays so") => return 1,
            code => return code,
        }
    }
    panic!("it never ends")
}

#[test]
fn whatever_happens_shares_rise_one_by_one_and_no_stop_is_lost() {
    let mut stopped = 0;
    for seed in 0..SEEDS {
        let mut dice = Dice(seed.wrapping_mul(7_919) + 1);
        let sim = Sim::new(40.0);
        for _ in 0..dice.below(6) + 2 {
            let (begins, ends) = TROUBLES[dice.below(TROUBLES.len() as u64) as usize];
            let at = dice.below(SECONDS);
            sim.after(at, begins);
            sim.after(at + 1 + dice.below(200), ends);
        }
        let fault_at = (seed % 2 == 1).then(|| 20 + dice.below(SECONDS / 2));
        if let Some(at) = fault_at {
            sim.after(at, |shared| shared.v2.refusals = HEALTHY.refusals * 20.0);
        }
        let server = sim.prometheus();
        let by_admin = "--admin http://a:9901 --admin http://b:9901 --admin http://c:9901".to_owned();
        let source = if seed % 4 < 2 { format!("--prometheus {}", server.url) } else { by_admin };
        let code = run_to_the_end(&sim, &source);
        let writes = sim.writes();
        let shares: Vec<f64> = writes.iter().filter(|write| !write.2).map(|write| write.1).collect();
        assert!([5.0, 25.0, 50.0].starts_with(&shares), "{seed}: {writes:?}");
        let stops = writes.iter().filter(|write| write.2).count();
        match fault_at {
            None => assert_eq!((code, shares.len(), stops), (0, 3, 0), "{seed}: {writes:?}"),
            // It went wrong when the release was over.
            Some(at) if stops == 0 => assert!(code == 0 && writes[2].0 < at, "{seed}: {at} {writes:?}"),
            Some(_) => {
                assert!(code == 1 && stops == 1 && writes.last().unwrap().2, "{seed}: {writes:?}");
                stopped += 1;
            }
        }
    }
    assert!(stopped >= SEEDS / 4, "bad versions are among them: {stopped}");
}
