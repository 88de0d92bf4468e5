use super::{object, value};
use crate::tests::traffic::{Traffic, analysis, windows};
use llm_canary_verdict::policy::{Goal, Policy};
use llm_canary_verdict::signal::{Direction, Signal};
use llm_canary_verdict::window::{Pair, Window};
use serde_json::{Value, json};

fn pair(version: Traffic, baseline: Traffic) -> Pair<Traffic> {
    Pair { version, baseline }
}

fn same(count: u64) -> Vec<Window> {
    windows(count, pair(Traffic::new(100), Traffic::new(900)))
}

fn refusing(count: u64) -> Vec<Window> {
    windows(count, pair(Traffic { refusals: 0.04, ..Traffic::new(100) }, Traffic::new(900)))
}

fn json_of(windows: &[Window]) -> Value {
    object(&analysis(windows, &Policy::default(), None))
}

fn signal<'a>(object: &'a Value, name: &str) -> &'a Value {
    object["signals"].as_array().unwrap().iter().find(|signal| signal["name"] == name).unwrap()
}

fn names(object: &Value) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn the_names_are_those_of_the_interface() {
    let found = json_of(&refusing(60));
    assert_eq!(
        names(&found),
        [
            "rollout",
            "version",
            "baseline",
            "verdict",
            "since",
            "until",
            "windows",
            "missing_windows",
            "requests",
            "share",
            "signals",
            "health",
            "because"
        ]
    );
    assert_eq!(names(&found["share"]), ["configured", "observed", "log_e"]);
    let rate = [
        "name",
        "mode",
        "kind",
        "harm",
        "version",
        "baseline",
        "events",
        "ratio",
        "interval",
        "margin",
        "design_effect",
        "log_e",
        "threshold",
        "log_e_no_worse",
        "threshold_no_worse",
        "verdict",
        "alarmed_at",
        "no_worse_at",
        "missing",
        "detectable_ratio",
    ];
    assert_eq!(names(signal(&found, "refusals")), rate);
    assert_eq!(names(signal(&found, "response_chars")), [&rate[..], &["quantiles"]].concat());
    assert_eq!(names(&found["health"][0]), ["name", "state", "detail"]);
}

#[test]
fn a_regression() {
    let found = json_of(&refusing(60));
    assert_eq!(found["verdict"], "regression");
    assert_eq!(
        (&found["rollout"], &found["version"], &found["baseline"]),
        (&json!("chat"), &json!("v2"), &json!("v1"))
    );
    assert_eq!(found["since"], "2026-11-23T09:00:00Z");
    assert_eq!(found["until"], "2026-11-23T10:00:00Z");
    assert_eq!((&found["windows"], &found["missing_windows"]), (&json!(60), &json!(1)));
    assert_eq!(found["requests"], json!({"version": 6000, "baseline": 54000}));
    assert_eq!(found["share"], json!({"configured": null, "observed": 0.1, "log_e": null}));
    let refusals = signal(&found, "refusals");
    assert_eq!(refusals["verdict"], "worse");
    assert_eq!(refusals["margin"], json!({"ratio": 2.0, "points": 1.0}));
    assert!(refusals["version"].as_f64().is_some_and(|rate| (rate - 0.04).abs() < 1e-3), "{refusals}");
    assert!(refusals["alarmed_at"].as_str().is_some_and(|at| at.ends_with(":00Z")), "{refusals}");
    assert!(refusals["log_e"].as_f64() > refusals["threshold"].as_f64());
    let [low, high] = [0, 1].map(|side| refusals["interval"][side].as_f64().unwrap());
    assert!(low < 4.0 && 4.0 < high && low > 1.1, "{refusals}");
    assert!(
        found["because"][0].as_str().is_some_and(|reason| reason.starts_with("refusals: 4 % of")),
        "{found}"
    );
    assert_eq!(signal(&found, "feedback_down")["verdict"], "absent");
    assert_eq!(signal(&found, "feedback_down")["version"], Value::Null);
}

#[test]
fn distributions_have_means_and_quantiles_as_buckets() {
    let found = json_of(&same(60));
    let first = signal(&found, "time_to_first_token_ms");
    assert_eq!((&first["kind"], &first["events"]), (&json!("distribution"), &Value::Null));
    assert_eq!(first["quantiles"]["version"]["p50"], json!([200.0, 300.0]));
    assert_eq!(first["quantiles"]["baseline"]["p95"], json!([750.0, 1000.0]));
    assert!(first["version"].as_f64().is_some_and(|mean| (mean - 350.0).abs() < 1.0), "{first}");
    let far = json_of(&windows(60, pair(Traffic { first_ms: 1e5, ..Traffic::new(100) }, Traffic::new(900))));
    // Above the last edge there is no bound.
    assert_eq!(signal(&far, "time_to_first_token_ms")["quantiles"]["version"]["p95"], json!([3000.0, null]));
}

#[test]
fn what_is_missing_is_said() {
    let found = json_of(&same(3));
    assert_eq!(found["verdict"], "not_enough_data");
    let errors = signal(&found, "errors");
    assert!(errors["missing"]["requests"].as_u64().is_some_and(|requests| requests > 100), "{errors}");
    assert!(errors["missing"]["minutes"].as_f64().is_some_and(|minutes| minutes > 1.0), "{errors}");
    assert_eq!((&errors["verdict"], &errors["no_worse_at"]), (&json!("unclear"), &Value::Null));
    let none = json_of(&[]);
    assert_eq!((&none["since"], &none["until"], &none["windows"]), (&Value::Null, &Value::Null, &json!(0)));
    assert_eq!(
        (&none["verdict"], &none["because"][0]),
        (&json!("not_enough_data"), &json!("errors: not measured"))
    );
    let fine = json_of(&same(100));
    assert_eq!(fine["verdict"], "fine");
    assert_eq!(signal(&fine, "errors")["missing"], Value::Null);
    assert!(signal(&fine, "errors")["no_worse_at"].is_string());
}

#[test]
fn a_b_says_which_is_better() {
    let goal = Goal { signal: Signal::FeedbackUp, better: Direction::Up };
    let found = object(&analysis(&refusing(60), &Policy::default(), Some(&goal)));
    assert_eq!(found["verdict"], "version_better");
    assert_eq!((&found["goal"]["signal"], &found["goal"]["better"]), (&json!("feedback_up"), &json!("up")));
    assert!(
        found["goal"]["found_at"].is_string() && found["goal"]["log_e_up"].as_f64() > Some(3.0),
        "{found}"
    );
    let worse = Goal { better: Direction::Down, ..goal };
    assert_eq!(
        object(&analysis(&refusing(60), &Policy::default(), Some(&worse)))["verdict"],
        "baseline_better"
    );
    assert_eq!(object(&analysis(&same(2), &Policy::default(), Some(&worse)))["verdict"], "not_enough_data");
    assert_eq!(object(&analysis(&same(200), &Policy::default(), Some(&worse)))["verdict"], "no_difference");
}

#[test]
fn several_versions_are_a_list() {
    let one = analysis(&same(3), &Policy::default(), None);
    assert!(value(std::slice::from_ref(&one)).is_object());
    assert_eq!(value(&[one.clone(), one]).as_array().map(Vec::len), Some(2));
}

/// All `ln E` of an object.
fn evidence_of(value: &Value) -> Vec<f64> {
    match value {
        Value::Object(members) => members
            .iter()
            .flat_map(|(name, member)| match member {
                Value::Number(number) if name.starts_with("log_e") => vec![number.as_f64().unwrap()],
                member => evidence_of(member),
            })
            .collect(),
        Value::Array(values) => values.iter().flat_map(evidence_of).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn without_events_the_evidence_is_nothing_and_no_rounding() {
    let none = |requests| Traffic { errors: 0.0, refusals: 0.0, defects: 0.0, ..Traffic::new(requests) };
    for count in [0, 1, 3, 130] {
        let all = evidence_of(&json_of(&windows(count, pair(none(100), none(900)))));
        assert!(all.len() > 10);
        let rounded: Vec<&f64> = all.iter().filter(|ln_e| **ln_e != 0.0 && ln_e.abs() < 1e-9).collect();
        assert!(rounded.is_empty(), "{count}: {rounded:?}");
    }
}
