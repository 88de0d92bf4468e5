//! Values that programs read differently, because YAML 1.1 and YAML 1.2 do.
//!
//! In: a text. Out: the place of each such value, and words about it. kubectl reads YAML 1.1 for the most part: `010` is 8 there, and
//! `on` is true. This tool reads YAML 1.2, and must not say 10.

use granit_parser::{Event, Parser, ScalarStyle};
use std::collections::HashMap;

/// The words that YAML 1.1 reads as true, and those that it reads as false, in small letters.
const TRUE: [&str; 3] = ["y", "yes", "on"];
const FALSE: [&str; 3] = ["n", "no", "off"];
/// What begins a plain text that is null, or nothing.
const NULLS: [&str; 5] = ["", "~", "null", "Null", "NULL"];

/// A value that programs read differently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Doubtful {
    /// The document, counted from 0; empty ones do not count.
    pub(crate) document: usize,
    /// The names and the indices, such as `[3]`, that lead to it.
    pub(crate) path: Vec<String>,
    /// A sentence without its subject.
    pub(crate) words: String,
    /// Whether only Envoy reads it in another way, and that only in a google.protobuf.Struct.
    pub(crate) is_of_structs: bool,
}

/// Every such value of a text that can be parsed.
pub(crate) fn find(text: &str) -> Vec<Doubtful> {
    let mut search = Search {
        parser: Parser::new_from_str(text),
        document: 0,
        path: Vec::new(),
        anchors: HashMap::new(),
        found: Vec::new(),
    };
    // A text that cannot be parsed has been refused.
    let _ = search.documents();
    search.found
}

struct Search<'a> {
    parser: Parser<'a, granit_parser::StrInput<'a>>,
    document: usize,
    path: Vec<String>,
    /// Where each anchored value stands.
    anchors: HashMap<usize, Vec<String>>,
    found: Vec<Doubtful>,
}

impl<'a> Search<'a> {
    fn next(&mut self) -> Option<Event<'a>> {
        loop {
            match self.parser.next_event()?.ok()?.0 {
                Event::Comment(..) => {}
                event => return Some(event),
            }
        }
    }

    fn documents(&mut self) -> Option<()> {
        loop {
            match self.next()? {
                Event::StreamEnd => return Some(()),
                Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd => {}
                Event::Scalar(text, ScalarStyle::Plain, ..) if NULLS.contains(&text.as_ref()) => {}
                event => {
                    self.value(event)?;
                    self.document += 1;
                }
            }
        }
    }

    fn value(&mut self, event: Event<'a>) -> Option<()> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.anchors.insert(anchor, self.path.clone());
                if style == ScalarStyle::Plain && tag.is_none() {
                    self.note(number_words(&text));
                    self.note_of_structs(decimal_words(&text));
                }
            }
            Event::SequenceStart(_, anchor, _) => {
                self.anchors.insert(anchor, self.path.clone());
                for index in 0_usize.. {
                    match self.next()? {
                        Event::SequenceEnd => break,
                        event => self.below(format!("[{index}]"), event)?,
                    }
                }
            }
            Event::MappingStart(_, anchor, _) => {
                self.anchors.insert(anchor, self.path.clone());
                loop {
                    let event = self.next()?;
                    if matches!(event, Event::MappingEnd) {
                        break;
                    }
                    let is_plain = matches!(event, Event::Scalar(_, ScalarStyle::Plain, ..));
                    let Event::Scalar(name, ..) = event else {
                        // A name that is no text is refused elsewhere.
                        self.below(String::new(), event)?;
                        let value = self.next()?;
                        self.below(String::new(), value)?;
                        continue;
                    };
                    let value = self.next()?;
                    self.path.push(name.clone().into_owned());
                    self.note(is_plain.then(|| name_words(&name)).flatten());
                    self.path.pop();
                    self.below(name.into_owned(), value)?;
                }
            }
            Event::Alias(anchor) => self.alias(anchor),
            _ => {}
        }
        Some(())
    }

    fn below(&mut self, segment: String, event: Event<'a>) -> Option<()> {
        self.path.push(segment);
        let done = self.value(event);
        self.path.pop();
        done
    }

    /// What is doubtful of the anchored value is so here, too. A merged object's members stand in the object around.
    fn alias(&mut self, anchor: usize) {
        let Some(anchored) = self.anchors.get(&anchor) else { return };
        let merge = self.path.iter().position(|segment| segment == "<<");
        let here = self.path.get(..merge.unwrap_or(self.path.len())).unwrap_or_default();
        let copied = self.found.iter().filter(|found| found.document == self.document).filter_map(|found| {
            let inside = found.path.strip_prefix(anchored.as_slice())?;
            Some(Doubtful { path: [here, inside].concat(), ..found.clone() })
        });
        let copied: Vec<Doubtful> = copied.collect();
        self.found.extend(copied);
    }

    fn note(&mut self, words: Option<String>) {
        let (document, path) = (self.document, self.path.clone());
        self.found.extend(words.map(|words| Doubtful { document, path, words, is_of_structs: false }));
    }

    fn note_of_structs(&mut self, words: Option<String>) {
        let (document, path) = (self.document, self.path.clone());
        self.found.extend(words.map(|words| Doubtful { document, path, words, is_of_structs: true }));
    }
}

/// What is doubtful of a plain name. The parser reads such words as true and false where they are values, as kubectl does.
fn name_words(name: &str) -> Option<String> {
    let lower = name.to_ascii_lowercase();
    let value = match lower.as_str() {
        word if TRUE.contains(&word) => "true",
        word if FALSE.contains(&word) => "false",
        _ => return number_words(name).map(|words| format!("has a name that {words}")),
    };
    Some(format!(
        "has a name that is written {name} without quotes, which programs that read YAML 1.1, such as kubectl, take for {value}; \
         write \"{name}\""
    ))
}

/// What is doubtful of a plain text that may be a number.
fn number_words(text: &str) -> Option<String> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let plain = digits.replace('_', "");
    let is_number = |digits: &str, radix| !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix));
    let number =
        |digits: &str, radix| u64::from_str_radix(digits, radix).ok().map(|number| format!("{sign}{number}"));
    for (mark, radix) in [("0o", 8), ("0b", 2)] {
        if let Some(digits) = plain.strip_prefix(mark).filter(|digits| is_number(digits, radix)) {
            let value = number(digits, radix)?;
            return Some(format!(
                "is written {text}, which only some programs read as the number {value}; write {value}"
            ));
        }
    }
    if !is_number(&plain, 10) || !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let decimal = number(&plain, 10)?;
    let has_zero = plain.len() > 1 && plain.starts_with('0');
    let octal = if has_zero { number(&plain, 8).filter(|octal| *octal != decimal) } else { None };
    match octal {
        Some(octal) => Some(format!(
            "is written {text}, which programs that read YAML 1.1, such as kubectl, take for {octal}, and others for {decimal}; \
             write {octal} or {decimal}"
        )),
        None if has_zero || digits.contains('_') => Some(format!(
            "is written {text}, which not all programs read as the number {decimal}; write {decimal}"
        )),
        None => None,
    }
}

/// What Envoy makes of a plain number that is not an integer: its reader of YAML knows integers only. In a field of a message that
/// does not matter, because protobuf reads a number from a text there.
fn decimal_words(text: &str) -> Option<String> {
    let is_number = text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c))
        && text.parse::<f64>().is_ok_and(f64::is_finite);
    (is_number && text.parse::<i64>().is_err()).then(|| {
        format!(
            "is written {text}, which Envoy takes for a text in a google.protobuf.Struct in a file of YAML; write a \
             google.protobuf.StringValue with the configuration as JSON"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::{decimal_words, find, name_words, number_words};

    #[test]
    fn numbers_with_a_point_are_texts_for_envoy() {
        for text in ["0.5", "-1.25", "10.0", "1e3", ".5", "+2.5"] {
            assert!(decimal_words(text).is_some(), "{text}");
        }
        for text in
            ["5", "-5", "+5", "0", "v1.5", "1.5.0", "inf", "nan", "-inf", ".inf", "2026-01-01", "", ".", "-"]
        {
            assert_eq!(decimal_words(text), None, "{text}");
        }
        let found = find("a: {b: [1, 0.5]}\nc: \"0.5\"\n");
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].path.join("."), found[0].is_of_structs), ("a.b.[1]".to_owned(), true));
    }

    #[test]
    fn numbers_and_words_that_are_read_differently_are_known() {
        for (text, expect) in [
            ("010", "take for 8, and others for 10; write 8 or 10"),
            ("-010", "take for -8, and others for -10; write -8 or -10"),
            ("0100", "take for 64, and others for 100; write 64 or 100"),
            ("01_0", "take for 8, and others for 10"),
            ("09", "not all programs read as the number 9; write 9"),
            ("07", "not all programs read as the number 7; write 7"),
            ("00", "not all programs read as the number 0; write 0"),
            ("1_000", "not all programs read as the number 1000; write 1000"),
            ("0o10", "only some programs read as the number 8; write 8"),
            ("0b11", "only some programs read as the number 3; write 3"),
        ] {
            let found = number_words(text).unwrap_or_default();
            assert!(
                found.starts_with(&format!("is written {text}")) && found.contains(expect),
                "{text}: {found}"
            );
        }
        for text in [
            "0", "10", "+5", "-5", "0.5", "00.5", "1e1", ".5", "0x10", "v010", "", "_1", "1:30", "yes",
            "true",
        ] {
            assert_eq!(number_words(text), None, "{text}");
        }
        for (name, value) in [("on", "true"), ("Yes", "true"), ("y", "true"), ("NO", "false"), ("010", "8")] {
            let found = name_words(name).unwrap_or_default();
            assert!(found.starts_with(&format!("has a name that is written {name}")), "{found}");
            assert!(found.contains(&format!("such as kubectl, take for {value}")), "{found}");
        }
        assert_eq!(name_words("only"), None);
    }

    #[test]
    fn each_is_found_with_its_place() {
        let text = "# empty\n---\na: &a {x: 010, w: \"010\", z: !!str 010}\nb: [1, *a]\nc: {<<: *a, d: on, on: 1}\n---\nno: 1\n";
        let found: Vec<String> =
            find(text).iter().map(|found| format!("{} {}", found.document, found.path.join("/"))).collect();
        assert_eq!(found, ["0 a/x", "0 b/[1]/x", "0 c/x", "0 c/on", "1 no"]);
    }
}
