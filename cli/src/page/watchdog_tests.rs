//! The part of a page about a reference set.

use super::tests::{Names, embedded, page, refusing};
use super::{Life, html};
use crate::tests::results::{answer, round};
use crate::watchdog::results::Side;
use crate::watchdog::summary::{Reader, Summary};

/// RESULTS of one round, with these answers to a prompt that changed.
pub(super) fn summary(case: &str, version: &str, baseline: &str) -> Summary {
    let mut reader = Reader::default();
    for (side, pass, text) in [(Side::Version, false, version), (Side::Baseline, true, baseline)] {
        let line = answer(1, 1, side, Some(pass), text);
        let mut value: serde_json::Value = serde_json::from_str(&line).unwrap();
        value["case"] = case.into();
        reader.push(&value.to_string());
    }
    reader.push(&round(1, &[(case, "0/3", "3/3"), ("other", "2/3", "0/3")]));
    reader.summary().unwrap()
}

fn written(summary: &Summary) -> String {
    let page = page(&Names::default(), &refusing(12), None, b"");
    html(&page.with_watchdog(Some(summary)), Life::File).unwrap()
}

#[test]
fn prompts_that_changed_stand_side_by_side_with_what_differs() {
    let html = written(&summary("capital", "The capital is Rome.\nSorry.", "The capital is Paris."));
    for part in [
        "60 % of 48 prompts pass, 92 % with the baseline",
        "12 worse, 0 better, 36 the same, 2 unknown",
        "429: 4",
        "<b><bdi>capital</bdi></b>",
        "worse, <bdi>v2</bdi> passes <bdi>0/3</bdi>, <bdi>v1</bdi> <bdi>3/3</bdi>",
        "better, <bdi>v2</bdi> passes <bdi>2/3</bdi>",
        "The capital is <del>Paris.</del></p>",
        "The capital is <ins>Rome.\nSorry.</ins></p>",
        "failed: <bdi>contains: Paris</bdi>",
        "question 1",
    ] {
        assert!(html.contains(part), "{part}");
    }
    let watchdog = &embedded(&html)["versions"][0]["watchdog"];
    assert_eq!((&watchdog["verdict"], &watchdog["round"]), (&"regression".into(), &1.into()));
    assert_eq!(watchdog["changed"][0]["case"], "capital");
    assert!(!watchdog.to_string().contains("Rome"), "answers are shown once");
}

#[test]
fn without_a_set_there_is_no_such_part() {
    let page = page(&Names::default(), &refusing(12), None, b"").with_watchdog(None);
    assert!(!html(&page, Life::File).unwrap().contains("Reference set"));
}

#[test]
fn many_long_answers_keep_the_page_small() {
    let mut reader = Reader::default();
    let names: Vec<String> = (0..400).map(|prompt| format!("case {prompt}")).collect();
    let changed: Vec<(&str, &str, &str)> = names.iter().map(|name| (name.as_str(), "0/3", "3/3")).collect();
    for prompt in 0..400 {
        reader.push(&answer(1, prompt, Side::Version, Some(false), &"<b> & ".repeat(5_000)));
        reader.push(&answer(1, prompt, Side::Baseline, Some(true), &"\"a' ".repeat(5_000)));
    }
    reader.push(&round(1, &changed));
    let html = written(&reader.summary().unwrap());
    assert!(html.contains("200 more changed."));
    assert!(html.len() < 700_000, "{}", html.len());
}
