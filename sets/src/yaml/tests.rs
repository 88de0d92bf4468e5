use super::{Duplicates, parse};
use serde_json::{Value, json};

fn read(text: &str) -> Value {
    parse(text, Duplicates::Refused).unwrap().unwrap_or(Value::Null)
}

#[test]
fn words_are_what_yaml_1_2_says() {
    for (text, expect) in [
        ("yes", json!("yes")),
        ("no", json!("no")),
        ("on", json!("on")),
        ("12:30", json!("12:30")),
        ("0o17", json!(15)),
        ("0x1F", json!(31)),
        ("017", json!(17)),
        ("1e3", json!(1000)),
        ("1.5", json!(1.5)),
        (".5", json!(0.5)),
        ("1_000", json!("1_000")),
        ("~", Value::Null),
        ("null", Value::Null),
        ("True", json!(true)),
        ("truE", json!("truE")),
        ("'1'", json!("1")),
        ("!!str 1", json!("1")),
        ("2024-01-02", json!({})),
        ("2001-12-14t21:59:43.10-05:00", json!({})),
        ("2024-1-2", json!("2024-1-2")),
        ("1.2.3", json!("1.2.3")),
        ("-", json!([null])),
        ("e5", json!("e5")),
    ] {
        assert_eq!(read(text), expect, "{text}");
    }
}

#[test]
fn anchors_and_merges_work() {
    assert_eq!(
        read("a: &x {b: 1, c: 2}\nd:\n  <<: *x\n  b: 3\ne: *x\n"),
        json!({"a": {"b": 1, "c": 2}, "d": {"b": 3, "c": 2}, "e": {"b": 1, "c": 2}})
    );
    assert_eq!(read("a: &x {b: 1}\nc: &y {b: 2, d: 3}\ne: {<<: [*x, *y]}\n")["e"], json!({"b": 1, "d": 3}));
}

#[test]
fn tags_that_name_code_stay_marks() {
    assert_eq!(read("a: !function utils.f\n"), json!({"a": {"!function": "utils.f"}}));
}

#[test]
fn names_twice_are_refused_or_the_last_counts() {
    assert!(parse("a: 1\na: 2\n", Duplicates::Refused).unwrap_err().contains("twice"));
    assert_eq!(parse("a: 1\na: 2\n", Duplicates::LastCounts).unwrap(), Some(json!({"a": 2})));
}

#[test]
fn bombs_are_refused_before_they_exist() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let items = vec![format!("*a{}", level - 1); 10].join(", ");
        text.push_str(&format!("a{level}: &a{level} [{items}]\n"));
    }
    assert!(parse(&text, Duplicates::Refused).unwrap_err().contains("too large"));
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    assert!(parse(&deep, Duplicates::Refused).is_err());
    assert!(parse("a: &x [*x]\n", Duplicates::Refused).is_err());
    let long = format!("a: &x \"{}\"\nb: [{}]\n", "y".repeat(1 << 20), vec!["*x"; 100].join(","));
    assert!(parse(&long, Duplicates::Refused).unwrap_err().contains("too large"));
}

#[test]
fn documents_and_ends() {
    assert_eq!(parse("# nothing\n", Duplicates::Refused).unwrap(), None);
    assert!(parse("a\n---\nb\n", Duplicates::Refused).is_err());
    assert!(parse("a: [1\n", Duplicates::Refused).unwrap_err().contains("line"));
}
