//! Snapshots; `INSTA_UPDATE=always cargo test -p llm-canary-cli` writes them anew.

use super::text;
use crate::analysis::Analysis;
use crate::table::Canvas;
use crate::tests::traffic::{Traffic, analysis, windows};
use llm_canary_verdict::policy::{Goal, Policy};
use llm_canary_verdict::signal::{Direction, Signal};
use llm_canary_verdict::window::Pair;

fn of(count: u64, version: Traffic, goal: Option<&Goal>) -> Analysis {
    analysis(&windows(count, Pair { version, baseline: Traffic::new(900) }), &Policy::default(), goal)
}

fn plain(analysis: &Analysis, width: Option<usize>) -> String {
    text(std::slice::from_ref(analysis), &Canvas { width, ..Canvas::default() })
}

fn refusing() -> Traffic {
    Traffic { refusals: 0.04, first_ms: 360.0, ..Traffic::new(100) }
}

#[test]
fn tables() {
    insta::assert_snapshot!("regression", plain(&of(60, refusing(), None), None));
    insta::assert_snapshot!("fine", plain(&of(120, Traffic::new(100), None), None));
    insta::assert_snapshot!("not-enough-data", plain(&of(6, Traffic::new(100), None), None));
    insta::assert_snapshot!("no-windows", plain(&of(0, Traffic::new(100), None), None));
    insta::assert_snapshot!("first-window", plain(&of(1, Traffic::new(100), None), None));
}

#[test]
fn a_table_fits_its_terminal() {
    let found = of(60, refusing(), None);
    insta::assert_snapshot!("regression-80", plain(&found, Some(80)));
    insta::assert_snapshot!("regression-40", plain(&found, Some(40)));
    for width in 60..200 {
        let table = plain(&found, Some(width));
        assert!(table.lines().all(|line| line.chars().count() <= width), "{width}:\n{table}");
    }
}

#[test]
fn which_is_better() {
    let goal = Goal { signal: Signal::FeedbackUp, better: Direction::Up };
    for (name, version, count) in
        [("better", refusing(), 60), ("no-difference", Traffic::new(100), 200), ("open", refusing(), 1)]
    {
        insta::assert_snapshot!(format!("ab-{name}"), plain(&of(count, version, Some(&goal)), None));
    }
}

#[test]
fn colours_only_where_they_are_wanted() {
    let found = [of(60, refusing(), None)];
    let canvas = Canvas { width: None, has_colour: true, is_terminal: true };
    let coloured = text(&found, &canvas);
    assert!(
        coloured.starts_with("\x1b[1;31mregression\x1b[0m: chat v2 against v1: refusals: "),
        "{coloured:?}"
    );
    let mut plain = coloured.clone();
    for code in ["\x1b[1;31m", "\x1b[32m", "\x1b[33m", "\x1b[2m", "\x1b[0m"] {
        plain = plain.replace(code, "");
    }
    let expect = text(&found, &Canvas { has_colour: false, ..canvas });
    let trimmed = |text: &str| text.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>();
    assert_eq!(trimmed(&plain), trimmed(&expect));
}
