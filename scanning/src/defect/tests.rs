//! All detectors together: they read any bytes in any pieces alike, and their state has its size.

use super::*;
use proptest::prelude::*;

const WHOLE: AnswerEnd = AnswerEnd { is_complete: true, is_cut: false };

/// What is found in an answer of these pieces.
fn found<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> DefectSet {
    let mut defects = Defects::new(false);
    pieces.into_iter().for_each(|piece| defects.answer(piece));
    defects.finish(WHOLE)
}

fn names(set: DefectSet) -> Vec<&'static str> {
    set.iter().map(Defect::as_str).collect()
}

#[test]
fn the_state_is_small() {
    assert!(size_of::<Defects>() <= STATE_BYTES_MAX);
    assert!(size_of::<Arguments>() <= 24, "{}", size_of::<Arguments>());
}

#[test]
fn names_are_sorted_as_a_list_prints_them() {
    assert!(!Defect::NAMES.is_empty());
    let mut sorted = names(DefectSet((1 << Defect::NAMES.len()) - 1));
    sorted.sort_unstable();
    assert_eq!(sorted.len(), 9);
}

#[test]
fn reasoning_and_answer_are_apart() {
    let mut defects = Defects::new(false);
    (0..40).for_each(|_| {
        defects.reasoning(b"Wait. ");
        defects.answer(b"");
    });
    defects.answer(b"Paris.");
    assert_eq!(names(defects.finish(WHOLE)), ["repetition"]);
    // A token in the reasoning is no defect: reasoning is raw.
    let mut defects = Defects::new(false);
    defects.reasoning(b"<think>\nHm.\n</think>\n\xEF\xBF\xBD");
    defects.answer(b"Paris.");
    assert!(defects.finish(WHOLE).is_empty());
}

#[test]
fn an_answer_that_broke_off_does_not_end_with_what_it_ends_with() {
    let end = |text: &[u8], is_complete: bool| {
        let mut defects = Defects::new(false);
        defects.answer(text);
        names(defects.finish(AnswerEnd { is_complete, is_cut: false }))
    };
    let refrain = "we sail, we sail away, ".repeat(11);
    assert_eq!(end(refrain.as_bytes(), true), ["repetition"]);
    assert!(end(refrain.as_bytes(), false).is_empty());
    assert_eq!(end("Hm, ".repeat(500).as_bytes(), false), ["repetition"], "far too long");
    assert!(end(b"", false).is_empty());
}

#[test]
fn an_item_ends_what_is_before_it() {
    let mut defects = Defects::new(false);
    defects.answer(b"Let me look.<|im_end|>");
    defects.end_item();
    defects.call(NameFaults::default());
    assert_eq!(names(defects.finish(WHOLE)), ["control_token"]);
    let mut defects = Defects::new(false);
    for _ in 0..30 {
        defects.answer(b"Let me look. ");
        defects.end_item();
    }
    assert!(defects.finish(WHOLE).is_empty(), "each is a text of its own");
}

#[test]
fn long_texts_are_read_to_their_end() {
    let words = ["tide", "moon", "coast", "boat", "rope", "sail", "wind", "rock"];
    let text: String = (0..40_000_usize).map(|at| format!("{} {} ", words[at * at % 7], at)).collect();
    for (extra, expected) in [
        ("", vec![]),
        ("<|im_end|>", vec!["control_token"]),
        ("wordสวัสดี", vec!["mixed_script"]),
        ("caf\u{fffd}", vec!["replacement_char"]),
        (&"and so it goes on, ".repeat(30), vec!["repetition"]),
    ] {
        assert_eq!(names(found([text.as_bytes(), extra.as_bytes()])), expected, "{extra}");
    }
}

/// Pieces of texts that the detectors look at.
fn fragment() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zA-Z ,.\n]{0,20}",
        "[`~ \n>*|-]{0,6}",
        prop::sample::select(vec![
            "<|im_end|>",
            "<think>",
            "</think>",
            "<tool_call>",
            "[INST]",
            "</s>",
            "<pad>",
            "<",
            "[",
            "<|",
            "｜",
            "<｜User｜>",
            "สวัสดี",
            "ность",
            "架构",
            "用",
            "α",
            "\u{fffd}",
            "\"",
            "(",
            "。",
            "，",
            "é",
            "\u{301}",
            "😀",
            "```\n",
            "\n\n    ",
        ])
        .prop_map(str::to_string),
        ("[a-zа-я!,. \n]{1,9}", 1_usize..120).prop_map(|(unit, times)| unit.repeat(times)),
    ]
}

proptest! {
    #[test]
    fn pieces_do_not_matter(fragments in prop::collection::vec(fragment(), 0..12), cut: prop::sample::Index, size in 1_usize..200) {
        let text = fragments.concat();
        let bytes = text.as_bytes();
        let whole = found([bytes]);
        let (a, b) = bytes.split_at(cut.index(bytes.len() + 1));
        prop_assert_eq!(found([a, b]), whole);
        prop_assert_eq!(found(bytes.chunks(1)), whole);
        prop_assert_eq!(found(bytes.chunks(size)), whole);
    }

    #[test]
    fn any_bytes_in_any_pieces(bytes: Vec<u8>, size in 1_usize..20) {
        prop_assert_eq!(found(bytes.chunks(size)), found([&bytes[..]]));
    }

    #[test]
    fn reasoning_in_any_pieces(unit in "[a-z .\n]{1,300}", times in 1_usize..20, size in 1_usize..200) {
        let text = unit.repeat(times);
        let found = |size: usize| {
            let mut defects = Defects::new(false);
            text.as_bytes().chunks(size).for_each(|piece| defects.reasoning(piece));
            defects.finish(WHOLE)
        };
        prop_assert_eq!(found(size), found(usize::MAX));
    }

    /// What was gathered is read before the next text begins, of whichever channel.
    #[test]
    fn several_texts_in_any_pieces(texts in prop::collection::vec((prop::collection::vec(fragment(), 0..6), 0..3), 0..8), size in 1_usize..500) {
        let found = |size: usize| {
            let mut defects = Defects::new(true);
            for (fragments, kind) in &texts {
                let text = fragments.concat();
                for piece in text.as_bytes().chunks(size) {
                    if *kind == 0 { defects.reasoning(piece) } else { defects.answer(piece) }
                }
                if *kind == 1 {
                    defects.end_item();
                }
            }
            defects.finish(WHOLE)
        };
        prop_assert_eq!(found(size), found(usize::MAX));
    }

    /// A loop of words is found whatever it is, and wherever it begins.
    #[test]
    fn endless_words_are_found(before in "[a-z]{0,400}", words in "[a-z]{3,9}( [b-z][a-z]{2,8}){2,30}[.!] ", size in 1_usize..200) {
        let times = (1600 / words.len()).max(12);
        let text = before + " " + &words.repeat(times);
        prop_assert!(found(text.as_bytes().chunks(size)).has(Defect::Repetition));
    }

    #[test]
    fn a_foreign_word_that_stands_alone_is_none(a in "[a-z]{4,9}", b in "[a-z]{4,9}") {
        let text = format!("The {a} of the {b} is called สวัสดี or привет, and 你好 as well, in the long {a} of the {b}.");
        prop_assert!(!found([text.as_bytes()]).has(Defect::MixedScript));
        let text = format!("The {a} of the {b}สวัสดี is called so, in the long {a} of the {b}, and in the book about it.");
        prop_assert!(found([text.as_bytes()]).has(Defect::MixedScript));
    }
}
