use super::{Reader, TEXT_CHARS_MAX};
use crate::tests::results::{answer, round};
use crate::watchdog::results::Side;

/// A round with these answers: prompt, side, whether it passes, text.
fn push(reader: &mut Reader, number: u32, answers: &[(usize, Side, Option<bool>, &str)]) {
    for (prompt, side, pass, text) in answers {
        reader.push(&answer(number, *prompt, *side, *pass, text));
    }
    reader.push(&round(number, &[("case 1", "0/3", "3/3")]));
}

#[test]
fn the_answers_of_a_prompt_that_changed_are_kept() {
    use Side::{Baseline, Version};
    let mut reader = Reader::default();
    assert_eq!(reader.summary(), None);
    push(&mut reader, 0, &[(1, Baseline, Some(true), "zero"), (1, Baseline, Some(false), "zero")]);
    assert_eq!(reader.summary(), None, "round 0 compares nothing");
    push(
        &mut reader,
        1,
        &[
            (1, Version, Some(false), "Rome"),
            (2, Version, Some(true), "a"),
            (1, Baseline, Some(true), "Paris"),
            (2, Baseline, Some(false), "b"),
        ],
    );
    push(&mut reader, 2, &[(1, Baseline, Some(true), "Paris!"), (1, Version, Some(true), "Paris?")]);
    push(&mut reader, 3, &[(1, Baseline, Some(true), "Paris"), (1, Version, None, "Rome?")]);
    let summary = reader.summary().unwrap();
    assert_eq!(
        (summary.round.round, summary.names.version.as_str(), summary.names.baseline.as_str()),
        (3, "v2", "v1")
    );
    let both: Vec<_> = summary.answers.iter().collect();
    let [((set, case), both)] = both.as_slice() else { panic!("only case 1 is listed: {both:?}") };
    assert_eq!((set.as_str(), case.as_str()), ("a.yaml", "case 1"));
    assert_eq!((both.answers.version.as_str(), both.answers.baseline.as_str()), ("Rome", "Paris"));
    assert_eq!(both.question, "question 1");
    assert_eq!(both.failed.version.as_deref(), Some("contains: Paris"));
    assert_eq!(both.failed.baseline, None);
}

#[test]
fn lines_that_cannot_be_read_are_counted_and_long_texts_are_cut() {
    let mut reader = Reader::default();
    for line in ["{\"line\":", "", "  ", "[1]", "\u{0}"] {
        reader.push(line);
    }
    let long = "ä".repeat(TEXT_CHARS_MAX + 1);
    push(&mut reader, 1, &[(1, Side::Version, Some(false), &long), (1, Side::Baseline, Some(true), "b")]);
    let summary = reader.summary().unwrap();
    assert_eq!(summary.unread, 3);
    assert_eq!(summary.answers.values().next().unwrap().answers.version.chars().count(), TEXT_CHARS_MAX + 1);
}
