//! Scores of likeness by words that follow each other: BLEU, GLEU, ROUGE-1.

use super::{Mark, Seen};
use crate::js;
use serde_json::Value;
use std::collections::HashMap;

/// Words that follow each other, at most.
const LENGTH_MAX: usize = 4;

fn references(seen: &Seen<'_>) -> Result<Vec<String>, String> {
    let text = |item: &Value| item.as_str().map(str::to_owned);
    let found = match &seen.value {
        Some(Value::String(text)) => Some(vec![text.clone()]),
        Some(Value::Array(items)) => items.iter().map(text).collect(),
        _ => None,
    };
    found
        .filter(|found: &Vec<String>| !found.is_empty())
        .ok_or_else(|| format!("{} needs a text or a list of texts", seen.base))
}

fn counts(words: &[String], length: usize) -> (HashMap<&[String], usize>, usize) {
    let mut found: HashMap<&[String], usize> = HashMap::new();
    let mut total = 0;
    for words in words.windows(length) {
        *found.entry(words).or_default() += 1;
        total += 1;
    }
    (found, total)
}

/// How many of the runs of `a` are in `b`, each at most as often as there.
fn common(a: &HashMap<&[String], usize>, b: &HashMap<&[String], usize>) -> usize {
    a.iter().map(|(words, count)| (*count).min(b.get(words).copied().unwrap_or_default())).sum()
}

#[expect(clippy::cast_precision_loss, reason = "texts have fewer than 2^52 words")]
fn ratio(a: usize, b: usize) -> f64 {
    a as f64 / b as f64
}

fn words(text: &str) -> Vec<String> {
    // A text of spaces is one empty word, as in JavaScript.
    let lower = text.to_lowercase();
    js::trim(&lower).split(js::is_space).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

pub(super) fn bleu(seen: &Seen<'_>) -> Result<Mark, String> {
    let references = references(seen)?;
    let one_empty = |words: Vec<String>| if words.is_empty() { vec![String::new()] } else { words };
    let candidate = words(seen.text);
    if candidate.is_empty() {
        return Ok(seen.score(0.0, 0.5));
    }
    let references: Vec<Vec<String>> = references.iter().map(|text| one_empty(words(text))).collect();
    let length = candidate.len();
    let closest = references
        .iter()
        .map(Vec::len)
        .min_by_key(|other| (other.abs_diff(length), *other))
        .unwrap_or(length);
    let mut logs = Vec::new();
    for n in 1..=LENGTH_MAX {
        let (own, total) = counts(&candidate, n);
        if total > 0 {
            let most = references
                .iter()
                .map(|reference| common(&own, &counts(reference, n).0))
                .max()
                .unwrap_or_default();
            logs.push(if most == 0 { 1e-7_f64.ln() } else { ratio(most, total).ln() });
        }
    }
    let penalty = if length > closest { 1.0 } else { (1.0 - ratio(closest, length)).exp() };
    #[expect(clippy::cast_precision_loss, reason = "at most 4")]
    let mean = logs.iter().sum::<f64>() / logs.len() as f64;
    Ok(seen.score(penalty * mean.exp(), 0.5))
}

pub(super) fn gleu(seen: &Seen<'_>) -> Result<Mark, String> {
    let split = |text: &str| {
        let found: Vec<String> =
            words(text).iter().map(|word| word.trim_end_matches('.').to_owned()).collect();
        if found.iter().any(|word| !word.is_empty()) { found } else { Vec::new() }
    };
    let candidate = split(seen.text);
    let mut best = 0.0_f64;
    for reference in references(seen)?.iter().map(|text| split(text)).filter(|_| !candidate.is_empty()) {
        if candidate == reference {
            best = 1.0;
            continue;
        }
        let (mut matches, mut own, mut theirs) = (0, 0, 0);
        for n in 1..=LENGTH_MAX {
            let ((a, a_total), (b, b_total)) = (counts(&candidate, n), counts(&reference, n));
            matches += common(&a, &b);
            own += a_total;
            theirs += b_total;
        }
        if own > 0 && theirs > 0 {
            best = best.max(ratio(matches, own).min(ratio(matches, theirs)));
        }
    }
    Ok(seen.score(best, 0.5))
}

pub(super) fn rouge(seen: &Seen<'_>) -> Result<Mark, String> {
    let candidate = treebank(&seen.text.to_lowercase());
    let reference = treebank(&seen.text_value()?.to_lowercase());
    let ((a, a_total), (b, b_total)) = (counts(&candidate, 1), counts(&reference, 1));
    let common = common(&a, &b);
    let score = if common == 0 {
        0.0
    } else {
        let (precision, recall) = (ratio(common, a_total), ratio(common, b_total));
        2.0 * precision * recall / (precision + recall)
    };
    Ok(seen.score(score, 0.75))
}

/// Words and marks as the Penn Treebank separates them: `don't` is `do n't`, `cannot` is `can not`.
fn treebank(text: &str) -> Vec<String> {
    let chars: Vec<char> = text
        .split(|c: char| js::is_space(c) || c == '\u{85}')
        .filter(|w| !w.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
        .chars()
        .collect();
    let get = |at: usize| chars.get(at).copied();
    let mut out = String::from(" ");
    let mut is_quoted = false;
    let mut at = 0;
    // The last full stop is a word of its own; brackets and quotes may follow it.
    let last_stop = chars
        .iter()
        .rposition(|c| !matches!(c, ']' | ')' | '}' | '>' | '\'' | '"' | ' '))
        .filter(|at| get(*at) == Some('.'));
    while let Some(c) = get(at) {
        let before = at.checked_sub(1).and_then(get);
        let apart = |out: &mut String, mark: &str| {
            out.push(' ');
            out.push_str(mark);
            out.push(' ');
        };
        match c {
            '"' => {
                let opens = !is_quoted
                    && before.is_none_or(|b| b.is_whitespace() || matches!(b, '(' | '[' | '{' | '<'));
                is_quoted = opens;
                apart(&mut out, if opens { "``" } else { "''" });
            }
            '.' if get(at + 1) == Some('.') && get(at + 2) == Some('.') => {
                apart(&mut out, "...");
                at += 2;
            }
            ':' | ',' if !get(at + 1).is_some_and(char::is_numeric) => apart(&mut out, &c.to_string()),
            ';' | '@' | '#' | '$' | '%' | '&' | '?' | '!' | ']' | '[' | '(' | ')' | '{' | '}' | '<' | '>' => {
                apart(&mut out, &c.to_string())
            }
            '-' if get(at + 1) == Some('-') => {
                apart(&mut out, "--");
                at += 1;
            }
            '.' if Some(at) == last_stop && before.is_some_and(|b| b != '.') && !is_initial(&chars, at) => {
                apart(&mut out, ".")
            }
            c => out.push(c),
        }
        at += 1;
    }
    out.split(' ').filter(|word| !word.is_empty()).flat_map(parts).collect()
}

/// Whether a full stop belongs to letters such as `U.S.`.
fn is_initial(chars: &[char], at: usize) -> bool {
    let get = |back: usize| at.checked_sub(back).and_then(|at| chars.get(at)).copied();
    let is_letter = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphabetic());
    is_letter(get(1))
        && get(2) == Some('.')
        && is_letter(get(3))
        && !get(4).is_some_and(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// A word without its contraction, and the contraction.
fn parts(word: &str) -> Vec<String> {
    const ENDINGS: &[&str] = &["'ll", "'re", "'ve", "n't", "'s", "'m", "'d"];
    const JOINED: &[(&str, &str)] = &[
        ("can", "not"),
        ("gim", "me"),
        ("gon", "na"),
        ("got", "ta"),
        ("lem", "me"),
        ("wan", "na"),
        ("d", "'ye"),
        ("more", "'n"),
        ("'t", "is"),
        ("'t", "was"),
    ];
    if let Some((head, tail)) = JOINED.iter().find(|(head, tail)| word.strip_prefix(head) == Some(tail)) {
        return vec![(*head).to_owned(), (*tail).to_owned()];
    }
    if let Some((head, ending)) =
        ENDINGS.iter().find_map(|ending| Some((word.strip_suffix(ending)?, *ending)))
        && !head.is_empty()
    {
        return vec![head.to_owned(), ending.to_owned()];
    }
    match word.strip_suffix('\'') {
        Some(head) if !head.is_empty() && !head.ends_with('\'') => vec![head.to_owned(), "'".to_owned()],
        _ => vec![word.to_owned()],
    }
}

#[cfg(test)]
mod tests {
    use super::treebank;

    #[test]
    fn words_and_marks_are_separated() {
        for (text, expect) in [
            ("the cat sat.", "the cat sat ."),
            ("don't, i cannot (really)", "do n't , i can not ( really )"),
            ("it's 3,000 or 12:30; \"ok\"?", "it 's 3,000 or 12:30 ; `` ok '' ?"),
            ("in the u.s.", "in the u.s."),
            ("wait... what--no", "wait ... what -- no"),
            ("the dogs' food", "the dogs ' food"),
        ] {
            assert_eq!(treebank(text).join(" "), expect);
        }
    }
}
