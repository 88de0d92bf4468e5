//! Whatever a label, a file's name or a journal says, it stays text: the elements of the page and their attributes are the same.

use super::tests::{Names, embedded, page, refusing};
use super::watchdog_tests::summary;
use super::{Life, html};
use html5gum::emitters::default::DefaultEmitter;
use html5gum::{Token, Tokenizer};
use llm_canary_verdict::signal::Signal;
use llm_canary_verdict::window::Window;
use proptest::prelude::{Strategy, any, prop_oneof, proptest};
use proptest::test_runner::Config;
use serde_json::json;

/// Words that mean something to a browser, a template, a script, a path, a terminal or a reader.
const WORDS: [&str; 30] = [
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "</title><svg onload=alert(1)>",
    "</desc></svg><img src=x onerror=alert(1)>",
    "<!--",
    "-->",
    "<![CDATA[",
    "]]>",
    "\" onfocus=\"alert(1)\" autofocus=\"",
    "' onmouseover='alert(1)",
    "&lt;b&gt;",
    "&#0;",
    "&",
    "{{ 7 * 7 }}",
    "{% include \"page.css\" %}",
    "</style>",
    "<base href=//x>",
    "javascript:alert(1)",
    "\u{202E}gnp.exe",
    "גרסה שתיים",
    "\0",
    "\u{1b}[2J",
    "\u{FFFF}\u{FDD0}",
    "\u{2028}\u{2029}",
    "\r\n\r\n",
    "%00%3Cscript%3E",
    "\\u003cscript\\u003e",
    "`${alert(1)}`",
    "👩‍👩‍👧‍👦",
    "</main></body></html>",
];

fn label() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        (0..WORDS.len()).prop_map(|index| WORDS[index].to_owned()),
        any::<String>(),
        (0_usize..3_000).prop_map(|length| "<b>".repeat(length)),
    ];
    let words = proptest::collection::vec(word, 1..4).prop_map(|words| words.concat());
    // An event without words has no element for them.
    words.prop_filter("it says something", |label| !label.is_empty())
}

/// The elements and the names of their attributes, in order; panics at what the standard calls an error.
fn structure(html: &str) -> Vec<String> {
    let mut structure = Vec::new();
    let mut emitter = DefaultEmitter::default();
    // What stands in a script or a style is no HTML.
    emitter.naively_switch_states(true);
    for token in Tokenizer::new_with_emitter(html, emitter) {
        let Ok(token) = token;
        match token {
            // What differs in two answers depends on the answers.
            Token::StartTag(tag) if is_mark(&tag.name) && tag.attributes.is_empty() => {}
            Token::EndTag(tag) if is_mark(&tag.name) => {}
            Token::StartTag(tag) => {
                let names: Vec<String> =
                    tag.attributes.keys().map(|name| String::from_utf8_lossy(name).into_owned()).collect();
                structure.push(format!("{} {}", String::from_utf8_lossy(&tag.name), names.join(" ")));
            }
            Token::EndTag(tag) => structure.push(format!("/{}", String::from_utf8_lossy(&tag.name))),
            Token::Error(error) => panic!("{:?}", *error),
            Token::Comment(_) => panic!("a comment"),
            Token::String(_) | Token::Doctype(_) => {}
        }
    }
    structure
}

fn is_mark(name: &[u8]) -> bool {
    name == b"del" || name == b"ins"
}

/// Traffic with a defect of this name.
fn windows(defect: &str) -> Vec<Window> {
    let mut windows = refusing(20);
    for window in &mut windows {
        let rate = window.rates[&Signal::Errors].clone();
        window.rates.insert(Signal::Defect(defect.into()), rate);
    }
    windows
}

fn of(labels: &[String; 6]) -> String {
    let [rollout, version, baseline, file, defect, event] = labels;
    let names = Names {
        rollout: rollout.clone(),
        version: version.clone(),
        baseline: baseline.clone(),
        file: file.clone(),
    };
    let journal = [
        json!({"at": 1_795_424_400, "event": event, "text": event, "why": [event], "undo": event, event: event, "rollout": rollout}),
        json!([event]),
    ];
    let journal = journal.map(|line| line.to_string()).join("\n");
    let summary = summary(event, event, defect);
    let page = page(&names, &windows(defect), None, journal.as_bytes()).with_watchdog(Some(&summary));
    html(&page, Life::File).unwrap()
}

fn plain() -> [String; 6] {
    ["chat", "v2", "v1", "chat.json", "empty", "ramping"].map(str::to_owned)
}

#[test]
fn each_word_in_each_place_stays_text() {
    let expect = structure(&of(&plain()));
    assert!(expect.len() > 500);
    for word in WORDS {
        let html = of(&std::array::from_fn(|place| format!("{word}{place}")));
        assert_eq!(structure(&html), expect, "{word:?}");
        assert!(!html.contains('\0'));
        embedded(&html);
    }
}

proptest! {
    #![proptest_config(Config::with_cases(24))]
    #[test]
    fn any_label_stays_text(labels in proptest::array::uniform6(label())) {
        let html = of(&labels);
        assert_eq!(structure(&html), structure(&of(&plain())));
        let version = embedded(&html)["versions"][0]["version"].as_str().unwrap().to_owned();
        assert!(version.chars().count() <= 81);
    }
}
