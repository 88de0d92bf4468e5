//! YAML text → the filter's own tree, or what is wrong with the text, and where.
//!
//! In: a text with any number of documents. Out: a [`Node`] for each that is not empty. The parser's own messages are for
//! programmers, so its errors are told in other words here.

pub(crate) mod doubtful;

use granit_parser::{ErrorKind, Parser};
use llm_canary::config::json::{DEPTH_MAX, Node};
use serde_json::Value;
use serde_saphyr::Error as YamlError;
use serde_saphyr::budget::BudgetBreach;

/// Of a text with more documents, none is passed over because it is broken.
const DOCUMENTS_MAX: usize = 1_000;

/// Every document of a text.
///
/// # Errors
/// A sentence without its subject, with the line and column.
pub(crate) fn documents(text: &str) -> Result<Vec<Node>, String> {
    serde_saphyr::from_multiple(text)
        .map_err(|error| syntax_error(text).unwrap_or_else(|| other_error(error.without_snippet())))
}

/// A text in which the documents that cannot be read are blank, and for each of these its number, counted from 1, and a
/// sentence as from [`documents`]. No byte changes its place. `None` if no document can be read, or there are too many.
pub(crate) fn without_broken(text: &str) -> Option<(String, Vec<(usize, String)>)> {
    let pieces = pieces(text);
    let (mut readable, mut broken, mut number, mut lines) = (String::new(), Vec::new(), 0, 0);
    let mut can_read_any = false;
    for piece in pieces.iter().filter(|_| pieces.len() <= DOCUMENTS_MAX) {
        match documents(piece) {
            Ok(read) => {
                can_read_any |= !read.is_empty();
                number += usize::from(!read.is_empty());
                readable.push_str(piece);
            }
            Err(words) => {
                number += 1;
                // With as many lines before it as in the text, so that the line in the words is that of the text.
                let placed = "\n".repeat(lines) + piece;
                broken.push((number, documents(&placed).err().unwrap_or(words)));
                readable.extend(piece.bytes().map(|b| if b == b'\n' { '\n' } else { ' ' }));
            }
        }
        lines += piece.matches('\n').count();
    }
    can_read_any.then_some((readable, broken))
}

/// The parts of a text that hold one document each. A line that begins with `---` or `...` is never part of a value,
/// whatever is around it (YAML 1.2, 9.1.2).
fn pieces(text: &str) -> Vec<&str> {
    let is_mark = |line: &str, mark: &str| {
        line.strip_prefix(mark)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']))
    };
    let (mut pieces, mut start, mut at) = (Vec::new(), 0, 0);
    // Only comments and directives so far: they belong to the document that follows.
    let mut is_head = true;
    for line in text.split_inclusive('\n') {
        let end = at + line.len();
        if is_mark(line, "---") {
            if !is_head {
                pieces.extend(text.get(start..at));
                start = at;
            }
            is_head = false;
        } else if is_mark(line, "...") {
            pieces.extend(text.get(start..end));
            (start, is_head) = (end, true);
        } else {
            is_head &= line.trim().is_empty() || line.starts_with(['#', '%']);
        }
        at = end;
    }
    pieces.extend(text.get(start..).filter(|rest| !rest.is_empty()));
    pieces
}

/// The only document of a text, as JSON.
pub(crate) fn json(text: &str) -> Option<Value> {
    serde_saphyr::from_str(text).ok()
}

/// What keeps a text from being YAML.
fn syntax_error(text: &str) -> Option<String> {
    let error = Parser::new_from_str(text).find_map(Result::err)?;
    let at = error.marker();
    let words = syntax_words(error.kind());
    Some(format!("is not YAML: {words} at line {} column {}", at.line(), at.col() + 1))
}

fn syntax_words(kind: &ErrorKind) -> String {
    use ErrorKind as Kind;
    let words = match kind {
        Kind::MismatchedFlowCollectionEnd { open, close } => {
            return format!("{open:?} is closed with {close:?}");
        }
        Kind::UnclosedFlowCollection { open } => return format!("{open:?} is not closed before the end"),
        Kind::UnexpectedCharacter { character } => {
            return format!("{character:?} cannot begin a value; put the value in quotes");
        }
        Kind::UnexpectedEofFlowSequence
        | Kind::UnexpectedEofFlowMapping
        | Kind::UnexpectedEofImplicitFlowMapping => "a bracket or a brace is not closed before the end",
        Kind::ExpectedFlowMappingSeparator | Kind::ExpectedFlowSequenceSeparator => {
            "a comma, or the closing bracket or brace, is missing"
        }
        Kind::MisplacedFlowCollectionEnd => "a bracket or a brace is closed that was not opened",
        Kind::UnclosedQuotedScalar | Kind::DocumentIndicatorInQuotedScalar => {
            "a quotation mark is not closed"
        }
        Kind::InvalidTrailingSingleQuotedScalar | Kind::InvalidTrailingDoubleQuotedScalar => {
            "there is more text after a closing quotation mark"
        }
        Kind::UnknownQuotedScalarEscape
        | Kind::InvalidQuotedScalarHexEscape
        | Kind::InvalidLowSurrogateHexEscape
        | Kind::InvalidLowSurrogate
        | Kind::MissingLowSurrogate
        | Kind::UnpairedLowSurrogate
        | Kind::InvalidUnicodeEscape => "a backslash in double quotes begins no known escape",
        Kind::TabNotAllowed
        | Kind::TabInBlockIndentation
        | Kind::TabInIndentation
        | Kind::TabAtBlockScalarStart
        | Kind::TabInPlainScalar => "a tab stands where only spaces may; indent with spaces",
        Kind::InvalidIndentation
        | Kind::ExpectedBlockMappingKey
        | Kind::ExpectedBlockSequenceEntry
        | Kind::InvalidBlockScalarIndent
        | Kind::InvalidQuotedScalarIndent
        | Kind::InvalidFlowScalarIndent
        | Kind::UnexpectedEofBlockSequence
        | Kind::UnexpectedEofBlockMapping => "the indentation fits no line above",
        Kind::MappingKeyNotAllowed | Kind::MappingValueNotAllowed | Kind::InvalidColonPlacement => {
            "a name and its colon cannot stand here; check the indentation, and put a value with a colon in quotes"
        }
        Kind::SimpleKeyExpected | Kind::InvalidSimpleKey => {
            "a name has no colon after it; check the indentation"
        }
        Kind::BlockEntryInFlowCollection
        | Kind::BlockSequenceEntryNotAllowed
        | Kind::InvalidBlockEntryWhitespace
        | Kind::PlainScalarStartsWithDashFlowIndicator => "a dash cannot stand here; check the indentation",
        Kind::ZeroBlockScalarIndent | Kind::InvalidBlockScalarHeader => {
            "| or > is followed by something that it cannot have"
        }
        Kind::CommentInterceptedScalar | Kind::CommentNotSeparated => {
            "a comment stands where none may; put a space before #, and no comment inside of a text"
        }
        Kind::UnknownAnchor | Kind::MissingAnchorOrAliasName => {
            "an alias (*name) has no anchor (&name) before it"
        }
        Kind::RecursionLimitExceeded => "lists and objects are nested too deep",
        Kind::BomInsideDocument => "there is a byte order mark within the text; remove it",
        Kind::InvalidDocumentEnd | Kind::ExpectedDocumentStart => {
            "there is more text after the end of a document"
        }
        Kind::UndeclaredTagHandle
        | Kind::ExpectedTagBang
        | Kind::InvalidTagTerminator
        | Kind::UnclosedVerbatimTag => "a tag (!name) cannot be read; put the value in quotes",
        _ => "the text breaks YAML's rules",
    };
    words.to_owned()
}

/// What is wrong with YAML that has no error of syntax.
fn other_error(error: &YamlError) -> String {
    let words = match error {
        YamlError::DuplicateMappingKey { key, .. } => match key {
            Some(key) => format!("has {key:?} twice in one object"),
            None => "has a name twice in one object".to_owned(),
        },
        YamlError::NonFiniteFloat { .. } => {
            "has a number that JSON cannot hold, such as .nan or .inf".to_owned()
        }
        YamlError::UnknownAnchor { .. } => {
            "has an alias (*name) without an anchor (&name) before it".to_owned()
        }
        YamlError::AliasReplayLimitExceeded { .. }
        | YamlError::AliasExpansionLimitExceeded { .. }
        | YamlError::AliasReplayStackDepthExceeded { .. }
        | YamlError::RecursiveReferencesRequireWeakTypes { .. } => {
            "has aliases that repeat too much; write the values out".to_owned()
        }
        YamlError::MergeValueNotMapOrSeqOfMaps { .. } | YamlError::MergeKeyNotAllowed { .. } => {
            "has a merge (<<) of something that is no object".to_owned()
        }
        YamlError::InvalidBinaryBase64 { .. } | YamlError::BinaryNotUtf8 { .. } => {
            "has a !!binary that is no text in base64".to_owned()
        }
        YamlError::Budget { breach: BudgetBreach::Depth { .. }, .. } => {
            format!("is nested deeper than {DEPTH_MAX}")
        }
        YamlError::Budget { .. } => "has too many values".to_owned(),
        YamlError::AliasError { error, .. } => return other_error(error),
        _ => "has a value that JSON cannot hold; write strings in quotes, and names as strings".to_owned(),
    };
    match error.location() {
        Some(at) => format!("{words} at line {} column {}", at.line(), at.column()),
        None => words,
    }
}

#[cfg(test)]
mod tests {
    use super::documents;

    #[test]
    fn errors_have_words_of_our_own_and_a_place() {
        for (text, expect) in [
            ("a: [1\n", "is not YAML: '[' is not closed before the end at line 1 column 4"),
            ("a: [1}\n", "is not YAML: '[' is closed with '}' at line 1 column 4"),
            (
                "a: {b: 1\nc: 2\n",
                "is not YAML: a comma, or the closing bracket or brace, is missing at line 2 column 2",
            ),
            ("a: ]\n", "is not YAML: a bracket or a brace is closed that was not opened at line 1 column 4"),
            ("a: 'x\n", "is not YAML: a quotation mark is not closed at line 1 column 4"),
            (
                "a: 'x' y\n",
                "is not YAML: there is more text after a closing quotation mark at line 1 column 8",
            ),
            (
                "a: \"\\q\"\n",
                "is not YAML: a backslash in double quotes begins no known escape at line 1 column 4",
            ),
            (
                "a:\n\tb: 1\n",
                "is not YAML: a tab stands where only spaces may; indent with spaces at line 2 column 2",
            ),
            ("a:\n  - b\n c: 1\n", "is not YAML: the indentation fits no line above at line 3 column 2"),
            (
                "a: b: c\n",
                "is not YAML: a name and its colon cannot stand here; check the indentation, and put",
            ),
            ("a: @x\n", "is not YAML: '@' cannot begin a value; put the value in quotes at line 1 column 4"),
            ("a: *x\n", "is not YAML: an alias (*name) has no anchor (&name) before it at line 1 column 4"),
            (
                "a: |x\n  b\n",
                "is not YAML: | or > is followed by something that it cannot have at line 1 column 4",
            ),
            ("%YAML 3.0\n---\na\n", "is not YAML: the text breaks YAML's rules at line 1 column 1"),
            ("a: 1\n---\nb: [\n", "is not YAML: '[' is not closed before the end at line 3 column 4"),
            ("a: 1\na: 2\n", "has \"a\" twice in one object at line 2 column 1"),
            ("a: .nan\n", "has a number that JSON cannot hold, such as .nan or .inf at line 1 column 4"),
            ("a: &x [*x]\n", "has aliases that repeat too much; write the values out at line 1 column 8"),
            ("<<: 3\n", "has a merge (<<) of something that is no object at line 1 column 5"),
            ("a: !!binary x\n", "has a !!binary that is no text in base64 at line 1 column 13"),
            (
                "? [a]\n: b\n",
                "has a value that JSON cannot hold; write strings in quotes, and names as strings at line 1",
            ),
        ] {
            let found = documents(text).err().unwrap_or_default();
            assert!(found.starts_with(expect), "{text:?}: {found}");
            assert!(found.contains(" at line "), "{text:?}: {found}");
        }
        let deep = "[".repeat(100) + &"]".repeat(100);
        assert!(documents(&format!("a: {deep}")).is_err_and(|error| error.contains("nested deeper than 64")));
    }
}
