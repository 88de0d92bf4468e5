//! Nunjucks' syntax → Jinja's.
//!
//! What differs: `===` and `!==`; `null`; `elseif`; `verbatim`; `.length`; and what a loop goes over, because a loop with
//! two names goes over the fields of an object, one with a single name over the items of a list. Texts and comments stay as they are.

/// # Errors
/// A sentence without its subject: the template uses something that has no counterpart.
pub(super) fn to_jinja(template: &str) -> Result<String, String> {
    let mut out = String::with_capacity(template.len() + 32);
    let mut rest = template;
    while let Some(at) = rest.find('{') {
        let (text, tail) = rest.split_at(at);
        out.push_str(text);
        let (opening, closing) = match tail.get(..2) {
            Some("{{") => ("{{", "}}"),
            Some("{%") => ("{%", "%}"),
            Some("{#") => ("{#", "#}"),
            _ => {
                out.push('{');
                rest = tail.get(1..).unwrap_or_default();
                continue;
            }
        };
        let body = tail.get(2..).unwrap_or_default();
        if opening == "{#" {
            let end = body.find(closing).ok_or("has a comment ({#) that is not closed (#})")?;
            rest = body.get(end + 2..).unwrap_or_default();
            continue;
        }
        let end = end_of_code(body, closing).ok_or_else(|| format!("has {opening} without {closing}"))?;
        let code = body.get(..end).unwrap_or_default();
        rest = body.get(end + 2..).unwrap_or_default();
        if opening == "{%" {
            let word = code.trim_start_matches(['-', '+']).trim().trim_end_matches('-').trim();
            if word == "raw" || word == "verbatim" {
                let (raw, after) =
                    raw_block(rest, word).ok_or_else(|| format!("has {{% {word} %}} without its end"))?;
                out.push_str("{% raw %}");
                out.push_str(raw);
                out.push_str("{% endraw %}");
                rest = after;
                continue;
            }
            out.push_str(opening);
            statement(code, &mut out)?;
        } else {
            out.push_str(opening);
            expression(code, &mut out);
        }
        out.push_str(closing);
    }
    out.push_str(rest);
    Ok(out)
}

/// Where code ends: the closing mark outside of quotes.
fn end_of_code(code: &str, closing: &str) -> Option<usize> {
    let mut quote = None;
    let mut is_escaped = false;
    for (at, c) in code.char_indices() {
        match quote {
            Some(_) if is_escaped => is_escaped = false,
            Some(_) if c == '\\' => is_escaped = true,
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if c == '"' || c == '\'' => quote = Some(c),
            None if code.get(at..).is_some_and(|rest| rest.starts_with(closing)) => return Some(at),
            None => {}
        }
    }
    None
}

/// What stands before `{% endraw %}`, and what follows it.
fn raw_block<'a>(text: &'a str, word: &str) -> Option<(&'a str, &'a str)> {
    let mut from = 0;
    loop {
        let start = from + text.get(from..)?.find("{%")?;
        let end = start + text.get(start..)?.find("%}")?;
        let code = text.get(start + 2..end)?.trim_matches('-').trim();
        if code.strip_prefix("end") == Some(word) {
            return Some((text.get(..start)?, text.get(end + 2..)?));
        }
        from = start + 2;
    }
}

const NO_COUNTERPART: [&str; 10] =
    ["include", "import", "from", "extends", "asyncEach", "asyncAll", "ifAsync", "switch", "call", "block"];

fn statement(code: &str, out: &mut String) -> Result<(), String> {
    let (dash, body) = match code.strip_prefix('-') {
        Some(body) => ("-", body),
        None => ("", code),
    };
    let (body, end_dash) = match body.strip_suffix('-') {
        Some(body) => (body, "-"),
        None => (body, ""),
    };
    out.push_str(dash);
    let trimmed = body.trim();
    let word = trimmed.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
    if NO_COUNTERPART.contains(&word) {
        return Err(format!("uses {{% {word} %}}, which is not supported"));
    }
    if word == "for"
        && let Some((names, over)) = trimmed.get(3..).and_then(|rest| rest.split_once(" in "))
    {
        let filter = if names.contains(',') { "__pairs" } else { "__items" };
        out.push_str(" for ");
        out.push_str(names.trim().trim_start_matches('[').trim_end_matches(']'));
        out.push_str(" in (");
        expression(over, out);
        out.push_str(")|");
        out.push_str(filter);
        out.push(' ');
    } else if word == "elseif" {
        out.push_str(" elif ");
        expression(trimmed.get(6..).unwrap_or_default(), out);
        out.push(' ');
    } else {
        expression(body, out);
    }
    out.push_str(end_dash);
    Ok(())
}

/// Rewrites what stands outside of quotes.
fn expression(code: &str, out: &mut String) {
    let mut chars = code.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let rest = code.get(at..).unwrap_or_default();
        if c == '"' || c == '\'' {
            out.push(c);
            let mut is_escaped = false;
            for (_, inner) in chars.by_ref() {
                out.push(inner);
                if is_escaped {
                    is_escaped = false;
                } else if inner == '\\' {
                    is_escaped = true;
                } else if inner == c {
                    break;
                }
            }
        } else if rest.starts_with("===") || rest.starts_with("!==") {
            out.push(c);
            out.push('=');
            chars.next();
            chars.next();
        } else if let Some(length) = rest
            .strip_prefix(".length")
            .filter(|after| ends_word(after) && !after.trim_start().starts_with('('))
        {
            out.push_str("|__length");
            while chars.peek().is_some_and(|(next, _)| *next < code.len() - length.len()) {
                chars.next();
            }
        } else if c.is_alphabetic() || c == '_' {
            let word: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            let is_field = out.trim_end().ends_with('.');
            let is_null = word == "null" && !is_field;
            out.push_str(if is_null { "none" } else { &word });
            for _ in word.chars().skip(1) {
                chars.next();
            }
        } else {
            out.push(c);
        }
    }
}

fn ends_word(rest: &str) -> bool {
    !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_')
}
