//! No dialect takes the documents of another: each document is read alone, as the first of its response.

use std::collections::BTreeMap;

use llm_canary::observe::{End, Head, Observer};

use crate::corpus::Corpus;
use crate::json::Json;
use crate::long::{Body, Part};

/// Documents of one dialect that are taken for another's, by recording, and why.
const EXCEPTIONS: &[(&str, &str)] = &[];

/// The dialect of a document alone.
fn dialect(document: &Json) -> Option<&'static str> {
    let mut body = Vec::new();
    document.write(&mut body);
    let head = Head { status: 200, content_type: b"application/json", ..Head::default() };
    let mut observer = Observer::new(head, 0, 0);
    observer.push(0, &body);
    observer.finish(End::Complete, 0).dialect
}

/// A document that says nothing of its API alone, such as an error, is of no dialect; but the first one that has text is.
pub(crate) fn no_dialect_takes_anothers_documents(corpus: &Corpus) {
    let mut taken: BTreeMap<(String, &str), Vec<String>> = BTreeMap::new();
    for row in corpus.rows() {
        // Bedrock's invoke carries documents of others.
        if row["dialect"] == "bedrock-invoke" || EXCEPTIONS.iter().any(|(file, _)| *file == row["file"]) {
            continue;
        }
        let Some(body) = Body::parse(&corpus.body(&row)) else { continue };
        // One table reads both.
        let family = |name: &str| name.replace("openai-completions", "openai-chat");
        for part in &body.parts {
            let Part::Document(document @ Json::Object(_)) = part else { continue };
            if let Some(name) = dialect(document).filter(|name| family(name) != family(&row["dialect"])) {
                let mut text = Vec::new();
                document.write(&mut text);
                let text = String::from_utf8_lossy(&text).chars().take(200).collect::<String>();
                taken
                    .entry((row["dialect"].clone(), name))
                    .or_default()
                    .push(format!("{}: {text}", row["file"]));
            }
        }
    }
    let lines = taken.iter().map(|((own, other), documents)| {
        format!(
            "{} documents of {own} are taken for {other}:\n    {}",
            documents.len(),
            documents.join("\n    ")
        )
    });
    assert!(taken.is_empty(), "{}", lines.collect::<Vec<_>>().join("\n"));
}
