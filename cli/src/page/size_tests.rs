//! A day of everything fits a page.

use super::tests::{Names, page_of};
use super::{Life, html};
use crate::tests::traffic::{Traffic, windows};
use llm_canary_verdict::signal::{Kind, Signal};
use llm_canary_verdict::window::{Count, Pair, Rate, SHARDS, Window};
use std::fmt::Write;
use std::time::{Duration, Instant};

/// The largest page: well under a megabyte.
const BYTES_MAX: usize = 750_000;

/// Windows of so many seconds for a day, with every signal, shards and 50 kinds of defects.
fn day(seconds: i64) -> Vec<Window> {
    let some = windows(120, Pair { version: Traffic::new(7), baseline: Traffic::new(61) });
    let all = (0..86_400 / seconds).map(|index| {
        let mut window = some[index as usize % some.len()].clone();
        window.start_ms = crate::tests::traffic::START_MS + index * seconds * 1_000;
        window.end_ms = window.start_ms + seconds * 1_000;
        let shard = |count: Count| {
            Box::new(std::array::from_fn::<Count, SHARDS, _>(|shard| {
                let is_own = shard as i64 == index % SHARDS as i64;
                if is_own { count } else { Count::default() }
            }))
        };
        let rate = window.rates[&Signal::Errors].clone();
        let rate = Rate { shards: Some(rate.counts.map(shard)), ..rate };
        let distribution = window.distributions[&Signal::ResponseChars].clone();
        for signal in Signal::all() {
            match signal.kind() {
                Kind::Rate => drop(window.rates.insert(signal, rate.clone())),
                Kind::Distribution => drop(window.distributions.insert(signal, distribution.clone())),
            }
        }
        for kind in 0..50 {
            let name = format!("a kind of defect {kind}");
            window.rates.insert(Signal::Defect(name.as_str().into()), Rate { shards: None, ..rate.clone() });
        }
        window
    });
    all.collect()
}

#[test]
#[expect(clippy::disallowed_methods, reason = "how long it takes is what is tested")]
fn a_day_is_less_than_a_megabyte_and_takes_seconds() {
    let mut journal = String::new();
    for index in 0..5_000 {
        let at = 1_795_424_400 + index * 17;
        writeln!(journal, r#"{{"at": {at}, "event": "held", "text": "{0}", "why": ["{0}"], "undo": "llm-canary stop chat.json v2"}}"#, "word ".repeat(20)).unwrap();
    }
    for (seconds, versions) in [(5, 1), (15, 1), (15, 2), (15, 3), (15, 12)] {
        let windows = day(seconds);
        let began = Instant::now();
        let page = page_of(versions, &Names::default(), &windows, None, journal.as_bytes());
        let html = html(&page, Life::File).unwrap();
        let (count, size) = (windows.len(), html.len());
        println!("{versions} of {count} windows of {seconds} s: {size} bytes, {:?}", began.elapsed());
        assert!(size < BYTES_MAX, "{versions} of {seconds}: {size}");
        // Seconds, if the machine is idle and the code optimised. Here it is neither.
        assert!(began.elapsed() < Duration::from_secs(300));
    }
}
