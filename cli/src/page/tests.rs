//! The page of small made-up traffic: its data, what it says first, and that its numbers are those of `analyze --json`.

use super::{Found, Journal, Life, Page, Track, html, points_max};
use crate::analysis::Judging;
use crate::subject::{Candidate, Subject};
use crate::tests::traffic::{START_MS, Traffic, windows};
use crate::verdict_json;
use html5gum::{Token, Tokenizer};
use llm_canary_verdict::health::Look;
use llm_canary_verdict::policy::{Policy, Price};
use llm_canary_verdict::steps::Step;
use llm_canary_verdict::window::{Pair, Window};
use serde_json::Value;

/// What a release is called.
#[derive(Clone, Debug)]
pub(super) struct Names {
    pub(super) rollout: String,
    pub(super) version: String,
    pub(super) baseline: String,
    pub(super) file: String,
}

impl Default for Names {
    fn default() -> Self {
        let owned = str::to_owned;
        Self { rollout: owned("chat"), version: owned("v2"), baseline: owned("v1"), file: owned("chat.json") }
    }
}

/// The page of these windows.
pub(super) fn page(names: &Names, windows: &[Window], steps: Option<Vec<Step>>, journal: &[u8]) -> Page {
    page_of(1, names, windows, steps, journal)
}

/// The page of so many versions, each with these windows.
pub(super) fn page_of(
    versions: usize,
    names: &Names,
    windows: &[Window],
    steps: Option<Vec<Step>>,
    journal: &[u8],
) -> Page {
    let candidate = Candidate { version: names.version.clone(), steps: steps.clone(), since_ms: None };
    let subject = Subject {
        rollout: names.rollout.clone(),
        baseline: names.baseline.clone(),
        is_baseline_guessed: false,
        candidates: vec![candidate.clone()],
    };
    let price = Price { input: 0.1, cached_input: None, output: 0.4 };
    let prices = [(names.version.clone(), price), (names.baseline.clone(), price)];
    let policy = Policy { prices: prices.into(), ..Policy::default() };
    let mut judging = Judging::new(&subject, &candidate, &policy, None);
    let mut track = Track::new(points_max(versions));
    for window in windows {
        judging.push(window);
        track.push(window, judging.judge());
    }
    let now_ms = windows.last().map_or(START_MS, |window| window.end_ms);
    let found = Found {
        analysis: judging.analysis(&Look { now_ms, config: None }),
        points: track.points(judging.judge()),
        shards: track.shards().clone(),
        steps,
    };
    let journal = Journal::read(journal, &names.rollout);
    let target = super::quoted(&names.file);
    Page::new(&names.rollout, vec![found; versions], &policy, journal, Some(&target), now_ms as u64)
}

pub(super) fn refusing(count: u64) -> Vec<Window> {
    let version = Traffic { refusals: 0.04, ..Traffic::new(100) };
    windows(count, Pair { version, baseline: Traffic::new(900) })
}

fn same(count: u64) -> Vec<Window> {
    windows(count, Pair { version: Traffic::new(100), baseline: Traffic::new(900) })
}

fn steps() -> Option<Vec<Step>> {
    Some(vec![Step { at_ms: START_MS, share: 0.1, baseline: 0.9 }])
}

fn journal() -> String {
    let line = |minute: u64, event: &str, text: &str| {
        format!(
            r#"{{"at": "2026-11-23T09:{minute:02}:00Z", "rollout": "chat", "version": "v2", "event": "{event}", "text": "{text}", "why": ["because"], "undo": "llm-canary stop chat.json v2"}}"#
        )
    };
    [line(0, "ramping", "chat: v2 gets 10 %"), line(30, "stopped", "chat: v2 is stopped"), "oh".to_owned()]
        .join("\n")
}

/// The text of the page's JSON, as a browser reads it.
pub(super) fn embedded(html: &str) -> Value {
    let (_, rest) = html.split_once(r#"<script type="application/json" id="data">"#).unwrap();
    let (json, _) = rest.split_once("</script>").unwrap();
    serde_json::from_str(json).unwrap()
}

/// The cells of the table of all numbers: signal, name, number.
fn cells(html: &str) -> Vec<(String, String, String)> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let (mut signal, mut cells, mut column) = (String::new(), Vec::new(), 0);
    for token in Tokenizer::new(html) {
        let Ok(Token::StartTag(tag)) = token else { continue };
        let of = |name: &str| tag.attributes.get(name.as_bytes()).map(|value| text(value));
        if let Some(name) = of("data-signal") {
            (signal, column) = (name, 0);
        } else if &*tag.name == b"tr" {
            signal.clear();
        } else if &*tag.name == b"td" && !signal.is_empty() {
            if let Some(name) = NUMBERS.get(column) {
                cells.push((signal.clone(), (*name).to_owned(), of("data-exact").unwrap_or_default()));
            }
            column += 1;
        }
    }
    cells.retain(|(_, name, _)| !["mode", "harm"].contains(&name.as_str()));
    cells
}

/// What the columns of that table are called by `analyze --json`.
const NUMBERS: [&str; 17] = [
    "mode",
    "harm",
    "version",
    "baseline",
    "version_events",
    "baseline_events",
    "ratio",
    "interval",
    "margin",
    "design_effect",
    "log_e",
    "threshold",
    "log_e_no_worse",
    "threshold_no_worse",
    "alarmed_at",
    "no_worse_at",
    "detectable_ratio",
];

#[test]
fn the_data_of_a_small_release() {
    let page = page(&Names::default(), &refusing(12), steps(), journal().as_bytes());
    let mut value = serde_json::to_value(&page).unwrap();
    // That is another test.
    value["versions"][0]["analysis"] = "as analyze --json has it".into();
    value["tool"] = "llm-canary".into();
    let trend = value["versions"][0]["trends"].as_array_mut().unwrap();
    trend.retain(|trend| ["refusals", "response_chars"].contains(&trend["name"].as_str().unwrap()));
    insta::assert_snapshot!("data", serde_json::to_string_pretty(&value).unwrap());
}

#[test]
fn numbers_are_those_of_analyze() {
    for windows in [refusing(60), same(90), refusing(3), Vec::new()] {
        let page = page(&Names::default(), &windows, steps(), b"");
        let expect = verdict_json::object(&page.versions[0].analysis);
        let html = html(&page, Life::File).unwrap();
        // As text, to the last digit.
        assert!(html.contains(&format!("\"analysis\":{},", serde_json::to_string(&expect).unwrap())));
        let cells = cells(&html);
        let signals = expect["signals"].as_array().unwrap();
        assert_eq!(cells.len(), signals.len() * 15);
        for (signal, name, exact) in cells {
            let signal = signals.iter().find(|one| one["name"] == signal.as_str()).unwrap();
            let expect = match name.as_str() {
                "version_events" | "baseline_events" | "interval" => continue,
                "margin" => &signal["margin"]["ratio"],
                name => &signal[name],
            };
            match expect {
                Value::Null => assert_eq!(exact, "", "{name}"),
                Value::String(text) => assert_eq!(&exact, text, "{name}"),
                number => assert_eq!(exact.parse::<f64>().ok(), number.as_f64(), "{name}"),
            }
        }
        // The last point of each trend is what is known now.
        let of = |name: &Value| signals.iter().find(|one| one["name"] == *name).unwrap();
        for trend in &page.versions[0].trends {
            let known = of(&trend.signal.to_string().into());
            assert_eq!(trend.log_e.0.last().copied().flatten(), known["log_e"].as_f64());
            assert_eq!(trend.ratio.0.last().copied().flatten(), known["ratio"].as_f64());
        }
    }
}

#[test]
fn the_first_line_is_the_decision_and_why() {
    let decision = |windows: &[Window]| {
        let html = html(&page(&Names::default(), windows, steps(), b""), Life::File).unwrap();
        let (_, rest) = html.split_once("<h1").unwrap();
        let (heading, _) = rest.split_once("</h1>").unwrap();
        // Without its elements.
        let texts = heading.split('<').filter_map(|part| part.split_once('>')).map(|(_, text)| text);
        texts.collect::<String>()
    };
    insta::assert_snapshot!(
        "decisions",
        [refusing(60), same(90), refusing(3), Vec::new()].map(|windows| decision(&windows)).join("\n")
    );
}

/// With a journal the first line is what was done, whatever the windows say that came after it.
#[test]
fn the_first_line_is_what_the_journal_says() {
    let line = |event: &str, code: &str, why: &str| {
        format!(
            r#"{{"at": "2026-11-23T09:30:00Z", "rollout": "chat", "version": "v2", "event": "{event}", "percent": 50.0, "text": "chat: v2", "why": ["{why}"], "exit_code": {code}}}"#
        )
    };
    let ramping = line("ramping", "null", "fine, with 96 requests");
    let stop = [
        ramping.clone(),
        line("stopping", "null", "refusals: 6.9 % of 539"),
        line("stopped", "null", "the stop is written"),
        line("ended", "1", "the Envoy runs it"),
        line("look", "null", "too little"),
    ]
    .join("\n");
    let heading = |windows: &[Window], journal: &str| {
        let html = html(&page(&Names::default(), windows, steps(), journal.as_bytes()), Life::File).unwrap();
        let (_, rest) = html.split_once("<h1").unwrap();
        let (heading, _) = rest.split_once("</h1>").unwrap();
        let texts = heading.split('<').filter_map(|part| part.split_once('>')).map(|(_, text)| text);
        texts.collect::<String>()
    };
    for windows in [refusing(60), same(90), refusing(3), Vec::new()] {
        assert_eq!(heading(&windows, &stop), "■ v2 was stopped: refusals: 6.9 % of 539");
        let finished = [ramping.clone(), line("ended", "0", "all 3 Envoys run it")].join("\n");
        assert_eq!(
            heading(&windows, &finished),
            "● v2 has 50 %, and the plan is finished: all 3 Envoys run it"
        );
        let other = [ramping.clone(), line("ended", "2", "v2 is stopped")].join("\n");
        assert_eq!(
            heading(&windows, &other),
            "▲ v2 was changed by somebody else, and run has ended: v2 is stopped"
        );
        // Under way, interrupted, or started again, the verdict is what is known.
        for journal in [
            ramping.clone(),
            [ramping.clone(), line("ended", "130", "interrupted")].join("\n"),
            [stop.clone(), ramping.clone()].join("\n"),
        ] {
            assert_eq!(heading(&windows, &journal), heading(&windows, ""), "{journal}");
        }
    }
}

#[test]
fn worse_comes_first_and_the_rest_is_folded() {
    let html = html(&page(&Names::default(), &refusing(7), steps(), b""), Life::File).unwrap();
    let at = |text: &str| html.find(text).unwrap_or_else(|| panic!("{text}"));
    assert!(at(">Worse<") < at(">Not decided yet") && at(">Not decided yet") < at(">All other signals<"));
    let fine = super::html(&page(&Names::default(), &same(400), steps(), b""), Life::File).unwrap();
    assert!(!fine.contains(">Worse<") && fine.contains(r#"id="v0-rest-all" open"#));
}

#[test]
fn events_of_the_journal_are_shown() {
    let html =
        html(&page(&Names::default(), &refusing(60), steps(), journal().as_bytes()), Life::File).unwrap();
    for words in [
        "2026-11-23T09:30:00Z: chat: v2 is stopped",
        "1 line could not be read as an event",
        "line 3: is no JSON",
        "undo the last change (stopped, 2026-11-23T09:30:00Z)",
        "llm-canary stop chat.json v2",
    ] {
        assert!(html.contains(words), "{words}");
    }
}

#[test]
fn only_a_served_page_asks_for_anything() {
    let page = page(&Names::default(), &refusing(12), None, b"");
    let (file, served) =
        (html(&page, Life::File).unwrap(), html(&page, Life::Served { every_ms: 5_000 }).unwrap());
    assert!(!file.contains("fetch(") && file.contains("connect-src &#39;none&#39;"));
    assert!(served.contains("fetch(") && served.contains("connect-src &#39;self&#39;"));
    assert!(served.contains(r#"data-page="/api/page" data-every-ms="5000""#));
    for html in [file, served] {
        assert!(!html.contains("http://") && !html.contains("https://"), "an address");
    }
}
