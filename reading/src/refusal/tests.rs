mod interpreter;

use proptest::prelude::*;

use super::pattern::{ClassId, Grammar, Matcher};
use super::phrases::CLASSES;
use super::words::{Words, is_cjk};
use super::{LIST_HASH, PREFIX_CHARS_MAX, is_refusal, list_hash};

#[track_caller]
fn check(expected: bool, texts: &[&str]) {
    for text in texts {
        assert_eq!(is_refusal(text.as_bytes()), expected, "{text}");
    }
}

#[test]
fn openers_inability_and_verb() {
    check(
        true,
        &[
            "I can't help with that.",
            "I’m sorry, but I can’t assist with that request.",
            "  **Sorry** -- I cannot   provide that.",
            "\"I'm unable to discuss this.\"",
            "As an AI language model, I am not able to generate such content.",
            "I understand that this is urgent. However, I won't write the letter for you.",
            "That request is about somebody's medical file, and I can't share it.",
            "This request goes against my guidelines.",
            "Es tut mir leid, aber ich kann Ihnen dabei nicht helfen.",
            "Lo siento, pero no puedo ayudarte con eso.",
            "抱歉，我无法提供这些信息。",
        ],
    );
}

#[test]
fn what_only_looks_like_a_refusal() {
    check(
        false,
        &[
            "",
            "I can help with that.",
            "That's something I can help with!",
            "This is something I'm able to explain.",
            "It is possible for me to share the file.",
            "I do have access to the file. It says:",
            "This is outside my house, at noon.",
            "I can't wait to help!",
            "I can't help but smile at this question.",
            "I cannot recommend it enough.",
            "I'm sorry for the delay. Here it is:",
            "I don't know.",
            "Unable to parse the file: please provide valid JSON.",
            "\"I can't help you,\" she said.",
            "He said \"I'm sorry, I can't help you\" and left.",
            "You can't divide by zero.",
            "The nurse cannot provide the drug without a prescription.",
            "Ich kann es kaum erwarten.",
        ],
    );
}

/// An answer that follows a disclaimer is an answer. An offer of other help is not.
#[test]
fn a_disclaimer_is_no_refusal_but_a_partial_one_is() {
    check(false, &["I can't access live data, but as of last year it was 12 %."]);
    check(true, &["I can't access live data, but I can explain how the index works."]);
    check(true, &["I can't access live data. Please look it up."]);
    check(false, &["I can't give legal advice, but most leases allow it."]);
    check(true, &["I can't give legal advice. Please ask a lawyer."]);
}

/// Each phrase is valid: its words are normalised, and its classes exist.
#[test]
fn the_list_is_well_formed() {
    let is_class = |atom: &str| atom.starts_with(|c: char| c.is_ascii_uppercase());
    let exists = |name: &str| CLASSES.iter().filter(|(class, _)| *class == name).count() == 1;
    let mut used = vec!["OPENING", "CLAUSE_END", "REFUSAL"];
    for (class, phrases) in CLASSES {
        assert!(exists(class), "{class} is there twice");
        for phrase in phrases.split('|') {
            let atoms: Vec<&str> = phrase.split(' ').collect();
            assert!(!atoms.contains(&""), "{class}: {phrase:?}");
            assert!(is_class(atoms[0]) || !atoms[0].ends_with(['?', '*']), "{class}: {phrase}");
            for atom in atoms {
                let name = atom.trim_start_matches('!').trim_end_matches(['?', '*']);
                if is_class(name) {
                    assert!(exists(name), "{class}: no class {name}");
                    used.push(name);
                } else if !["..", "...", ".", ",", ":"].contains(&name) {
                    let word = name.trim_end_matches('-');
                    assert!(!word.starts_with(is_cjk) || word == atom, "{class}: a mark at {atom}");
                    let read = Words::read(word.as_bytes());
                    let signs = if word.starts_with(is_cjk) { word.chars().count() } else { 1 };
                    let folded: Vec<u8> = (0..signs).flat_map(|i| read.word(i).to_vec()).collect();
                    assert!(read.count() == signs && folded == word.as_bytes(), "{class}: {atom:?}");
                }
            }
        }
    }
    for (class, _) in CLASSES {
        assert!(used.contains(class), "{class} is used nowhere");
    }
}

#[test]
fn the_hash_is_shown_as_eight_digits() {
    assert_eq!(list_hash().len(), 8);
    assert_eq!(u32::from_str_radix(&list_hash(), 16), Ok(LIST_HASH));
}

/// Parts of refusals and of answers, in any order.
fn prefixes() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "I",
        "i'm",
        "can't",
        "cannot",
        "unable to",
        "not",
        "help",
        "help with",
        "but",
        "that",
        "sorry",
        ",",
        ". ",
        "as an AI",
        "provide",
        "advice",
        "wait",
        "\"",
        "'",
        "**",
        "¿",
        "帮",
        "我",
        "无法",
        "🙂",
        "ich kann",
        "\n",
        "However",
        "really",
        "just",
        "I don't have access to",
        "this is",
        "not something",
    ]);
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.join(" "))
}

/// A text that a phrase of this class matches, or nearly: `choices` say what is taken where a pattern leaves it open.
fn example(class: &str, choices: &mut impl Iterator<Item = usize>) -> String {
    let (_, phrases) = CLASSES.iter().find(|(name, _)| *name == class).unwrap();
    let phrases: Vec<&str> = phrases.split('|').collect();
    let phrase = phrases[choices.next().unwrap_or(0) % phrases.len()];
    let parts = phrase.split(' ').map(|atom| {
        let symbol = atom.trim_start_matches('!').trim_end_matches(['?', '*', '-']);
        let is_open = symbol.len() < atom.trim_end_matches('-').len();
        let is_left_out = is_open && choices.next().unwrap_or(0).is_multiple_of(2);
        match symbol {
            _ if is_left_out => String::new(),
            ".." | "..." => {
                ["some words", "one, two", "one. two"][choices.next().unwrap_or(0) % 3].to_string()
            }
            _ if symbol.starts_with(|c: char| c.is_ascii_uppercase()) => example(symbol, choices),
            _ => symbol.to_string(),
        }
    });
    parts.collect::<Vec<_>>().join(" ")
}

fn examples() -> impl Strategy<Value = String> {
    let choices = prop::collection::vec(any::<usize>(), 0..60);
    (prop::sample::select(CLASSES), choices)
        .prop_map(|((class, _), choices)| example(class, &mut choices.into_iter()))
}

proptest! {
    // So many that each class has its turn, and what patterns leave open in it.
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    /// Of each class and each position, the compiled patterns match what the written ones do.
    #[test]
    fn what_is_compiled_is_what_is_written(text in prop_oneof![prefixes(), examples()], from: u64) {
        let words = Words::read(text.as_bytes());
        let grammar = Grammar::compile(CLASSES);
        let matcher = Matcher { words: &words, grammar: &grammar };
        let interpreter = interpreter::Interpreter { words: &words, classes: CLASSES };
        for from in [1, from] {
            for (name, _) in CLASSES {
                let class = ClassId::of(name.as_bytes(), CLASSES);
                prop_assert_eq!(matcher.after(class, from), interpreter.after_class(name, from), "{} {}", name, text);
            }
            let any_number = matcher.after_any_number(ClassId::of(b"OPENING", CLASSES), from);
            prop_assert_eq!(any_number, interpreter.after("OPENING*", from));
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..1500)) {
        let _ = is_refusal(&bytes);
    }

    #[test]
    fn cut_inside_a_character(text in prefixes(), cut in 0..400_usize) {
        let bytes = text.as_bytes();
        let _ = is_refusal(&bytes[..cut.min(bytes.len())]);
    }

    #[test]
    fn what_follows_the_prefix_does_not_matter(text in prefixes(), more in any::<Vec<u8>>()) {
        let filled: String = text.chars().chain(std::iter::repeat(' ')).take(PREFIX_CHARS_MAX).collect();
        let longer = [filled.as_bytes(), &more].concat();
        prop_assert_eq!(is_refusal(filled.as_bytes()), is_refusal(&longer));
    }

    #[test]
    fn case_apostrophes_spaces_and_markup_do_not_matter(text in prefixes()) {
        let text: String = text.chars().take(PREFIX_CHARS_MAX / 2).collect();
        let expected = is_refusal(text.as_bytes());
        for other in [
            text.to_ascii_uppercase(),
            text.to_ascii_lowercase(),
            text.replace('\'', "’"),
            text.replace('\'', "ʼ"),
            text.replace('\'', "`"),
            text.replace(' ', "\n"),
            text.replace(' ', "\t "),
            format!("\n\n # **{text}**"),
            format!("🚫 {text}"),
        ] {
            prop_assert_eq!(is_refusal(other.as_bytes()), expected, "{:?} {:?}", text, other);
        }
    }
}
