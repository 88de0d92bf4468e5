//! Decisions: what one costs as the configuration grows.

use std::hint::black_box;

use llm_canary::config::Config;
use llm_canary::moment::UnixMs;
use llm_canary::pointer::Fact;
use llm_canary::route;

use crate::best_of;

const DECISIONS: u32 = 20_000;
const ROUNDS: usize = 15;
/// 2026-11-23T00:00:00Z, behind all steps.
const NOW: UnixMs = 1_795_392_000_000;

/// A configuration's size.
#[derive(Clone, Copy)]
struct Size {
    rollouts: usize,
    versions: usize,
    steps: usize,
    keys: usize,
}

pub(crate) fn print() {
    println!("### Deciding natively, ns: the request is for the last rollout, and has only its last key\n");
    println!("| rollouts | versions | steps | keys | ns |\n|---|---|---|---|---|");
    let base = Size { rollouts: 1, versions: 2, steps: 1, keys: 1 };
    let sizes: Vec<Size> = [
        vec![base],
        [4, 16, 64].map(|rollouts| Size { rollouts, ..base }).to_vec(),
        [4, 16].map(|versions| Size { versions, ..base }).to_vec(),
        [16, 64, 256].map(|steps| Size { steps, ..base }).to_vec(),
        [4, 16, 32].map(|keys| Size { keys, ..base }).to_vec(),
    ]
    .concat();
    let mut runs: Vec<Box<dyn FnMut()>> = sizes.iter().map(|&size| decide(size)).collect();
    let times =
        best_of(ROUNDS, &mut runs.iter_mut().map(|run| &mut **run as &mut dyn FnMut()).collect::<Vec<_>>());
    for (size, time) in sizes.iter().zip(times) {
        let Size { rollouts, versions, steps, keys } = size;
        println!("| {rollouts} | {versions} | {steps} | {keys} | {:.0} |", (time / DECISIONS).as_nanos());
    }
    println!();
}

fn decide(size: Size) -> Box<dyn FnMut()> {
    let text = configuration(size);
    let config =
        Config::parse(text.as_bytes()).unwrap_or_else(|errors| panic!("{}", errors.iter().next().unwrap()));
    let request =
        Request { path: format!("/{}/chat", size.rollouts - 1), key: format!("x-key-{}", size.keys - 1) };
    Box::new(move || {
        for _ in 0..DECISIONS {
            let decision = route::decide(black_box(&config), black_box(&request), NOW, || 0);
            assert!(black_box(decision).is_ok_and(|decision| decision.is_some()));
        }
    })
}

fn configuration(size: Size) -> String {
    let list =
        |count: usize, item: &dyn Fn(usize) -> String| (0..count).map(item).collect::<Vec<_>>().join(",");
    let keys = list(size.keys, &|key| format!(r#"{{"header": "x-key-{key}"}}"#));
    let versions =
        list(size.versions, &|version| format!(r#"{{"name": "v{version}", "cluster": "c{version}"}}"#));
    // Shares go up and down, so that the line falls into as many ranges as it can.
    let steps = list(size.steps, &|step| {
        let shares = list(size.versions - 1, &|version| {
            format!(r#""v{}": {}"#, version + 1, 1 + (step + version) % 5)
        });
        let at = format!("2026-01-{:02}T{:02}:{:02}:00Z", 1 + step / 1440, step / 60 % 24, step % 60);
        format!(r#"{{"at": "{at}", "percent": {{{shares}}}}}"#)
    });
    let rollout = |rollout: usize| {
        format!(
            r#"{{"name": "r{rollout}", "match": {{"path_prefix": "/{rollout}/"}}, "baseline": "v0",
                "key": [{keys}], "versions": [{versions}], "steps": [{steps}]}}"#
        )
    };
    format!(r#"{{"rollouts": [{}]}}"#, list(size.rollouts, &rollout))
}

struct Request {
    path: String,
    key: String,
}

impl route::Request for Request {
    fn header(&self, name: &str) -> Option<&[u8]> {
        match name {
            ":path" => Some(self.path.as_bytes()),
            _ => (name == self.key).then(|| &b"7f9c2ba4-e88f-4279-8d4c-32fb54b61a1e"[..]),
        }
    }

    fn metadata(&self, _path: &[String]) -> Option<Vec<u8>> {
        None
    }

    fn body(&self, _pointer: usize) -> Fact<'_> {
        Fact::Absent
    }

    fn opening(&self) -> Fact<'_> {
        Fact::Absent
    }
}
