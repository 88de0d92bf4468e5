//! Decisions: what one costs as the configuration grows.

use std::borrow::Cow;
use std::hint::black_box;

use llm_canary::config::Config;
use llm_canary::pointer::Fact;
use llm_canary::route;
use llm_canary::timestamp::UnixMs;

use crate::best_of;

const DECISIONS: u32 = 20_000;
const ROUNDS: usize = 15;
/// 2026-11-23T00:00:00Z, behind all steps.
const NOW: UnixMs = 1_795_392_000_000;
/// A quarter of an hour after the last of 256 steps.
const MINUTES_LATER: UnixMs = 1_767_241_800_000;

/// A configuration's size.
#[derive(Clone, Copy)]
pub(crate) struct Size {
    pub(crate) rollouts: usize,
    pub(crate) versions: usize,
    pub(crate) steps: usize,
    pub(crate) keys: usize,
}

/// The smallest that says something.
pub(crate) const SMALL: Size = Size { rollouts: 1, versions: 2, steps: 1, keys: 1 };

/// When a decision is made: whoever decides within a day of a step also asks whether it moved this bucket.
#[derive(Clone, Copy)]
pub(crate) enum When {
    LongAfter,
    SoonAfter,
}

pub(crate) fn print() {
    println!("### Deciding natively, ns: the request is for the last rollout, and has only its last key\n");
    println!("| rollouts | versions | steps | keys | ns |\n|---|---|---|---|---|");
    let sizes: Vec<Size> = [
        vec![SMALL],
        [4, 16, 64].map(|rollouts| Size { rollouts, ..SMALL }).to_vec(),
        [4, 16].map(|versions| Size { versions, ..SMALL }).to_vec(),
        [16, 64, 256].map(|steps| Size { steps, ..SMALL }).to_vec(),
        [4, 16, 32].map(|keys| Size { keys, ..SMALL }).to_vec(),
    ]
    .concat();
    for (size, ns) in sizes.iter().zip(decide_ns(&sizes, When::LongAfter)) {
        let Size { rollouts, versions, steps, keys } = size;
        println!("| {rollouts} | {versions} | {steps} | {keys} | {ns:.0} |");
    }
    println!();
}

/// What one decision takes with each of these, measured in turns.
pub(crate) fn decide_ns(sizes: &[Size], when: When) -> Vec<f64> {
    let mut runs: Vec<Box<dyn FnMut()>> = sizes.iter().map(|&size| decide(size, when)).collect();
    let mut contenders: Vec<_> = runs.iter_mut().map(|run| &mut **run as &mut dyn FnMut()).collect();
    let times = best_of(ROUNDS, &mut contenders);
    times.iter().map(|time| time.as_nanos() as f64 / f64::from(DECISIONS)).collect()
}

fn decide(size: Size, when: When) -> Box<dyn FnMut()> {
    let now = match when {
        When::LongAfter => NOW,
        When::SoonAfter => MINUTES_LATER,
    };
    let text = configuration(size);
    let config =
        Config::parse(text.as_bytes()).unwrap_or_else(|errors| panic!("{}", errors.iter().next().unwrap()));
    let request =
        Request { path: format!("/{}/chat", size.rollouts - 1), key: format!("x-key-{}", size.keys - 1) };
    Box::new(move || {
        for _ in 0..DECISIONS {
            let decision = route::decide(black_box(&config), black_box(&request), now, || 0);
            assert!(black_box(decision).is_ok_and(|decision| decision.is_some()));
        }
    })
}

/// The request that is decided matches the last rollout, and has its last key.
pub(crate) fn configuration(size: Size) -> String {
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
    fn header(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        match name {
            ":path" => Some(Cow::Borrowed(self.path.as_bytes())),
            _ => (name == self.key).then(|| Cow::Borrowed(&b"7f9c2ba4-e88f-4279-8d4c-32fb54b61a1e"[..])),
        }
    }

    fn metadata(&self, _path: &[String]) -> Option<Vec<u8>> {
        None
    }

    fn body(&self, _pointer: usize) -> Fact<'_> {
        Fact::Absent
    }

    fn fingerprint(&self) -> Fact<'_> {
        Fact::Absent
    }
}
