//! A series as it is written: a name, and labels in braces.

use std::borrow::Cow;

/// Names and values of labels.
pub(super) type Labels<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

/// How long the name and the labels at the beginning of a line are.
pub(super) fn series_length(line: &[u8]) -> Result<usize, String> {
    let (mut is_quoted, mut is_escaped, mut is_within) = (false, false, false);
    for (at, byte) in line.iter().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_quoted => is_escaped = true,
            b'"' => is_quoted = !is_quoted,
            _ if is_quoted => {}
            b'{' if !is_within => is_within = true,
            b'}' if is_within => return Ok(at + 1),
            b' ' | b'\t' if !is_within => {
                // White space may stand in front of the labels.
                let rest = line.get(at..).unwrap_or_default().trim_ascii_start();
                if !rest.starts_with(b"{") {
                    return Ok(at);
                }
            }
            _ => {}
        }
    }
    Err(match is_within {
        true => "breaks off within its labels".to_owned(),
        false => "has no value; write NAME{LABELS} VALUE TIME".to_owned(),
    })
}

/// Parses a name and labels: `name{a="b"}`, `{"name",a="b"}` and `{__name__="name",a="b"}`.
///
/// # Errors
/// A sentence without its subject.
pub(super) fn series(text: &[u8]) -> Result<(Cow<'_, str>, Labels<'_>), String> {
    let text = std::str::from_utf8(text).map_err(|_| "is not UTF-8".to_owned())?;
    let (name, rest) = text.split_once('{').unwrap_or((text, "}"));
    let mut name = Cow::Borrowed(name.trim());
    let mut labels = Vec::new();
    let mut rest = rest.trim_start();
    loop {
        if rest == "}" {
            break;
        }
        if let Some(quoted) = rest.strip_prefix('"') {
            let (text, behind) = unquoted(quoted)?;
            let behind = behind.trim_start();
            match behind.strip_prefix('=') {
                // A label whose name is quoted.
                Some(behind) => rest = label(text, behind, &mut labels)?,
                None => (name, rest) = (text, behind),
            }
        } else {
            let (own, behind) = rest.split_once('=').ok_or("has labels that are not NAME=\"VALUE\"")?;
            rest = label(Cow::Borrowed(own.trim()), behind, &mut labels)?;
        }
        rest = rest.trim_start();
        rest = match rest.strip_prefix(',') {
            Some(behind) => behind.trim_start(),
            None if rest == "}" => rest,
            None => return Err("has labels without a comma between them".to_owned()),
        };
    }
    if name.is_empty() {
        let of_label = labels.iter().find(|(name, _)| name == "__name__").map(|(_, value)| value.clone());
        name = of_label.ok_or("has no name")?;
    }
    Ok((name, labels))
}

/// Reads the value of a label; returns what is behind it.
fn label<'a>(name: Cow<'a, str>, rest: &'a str, labels: &mut Labels<'a>) -> Result<&'a str, String> {
    let quoted = rest
        .trim_start()
        .strip_prefix('"')
        .ok_or_else(|| format!("has no quotes around the value of the label {name}"))?;
    let (value, behind) = unquoted(quoted)?;
    labels.push((name, value));
    Ok(behind)
}

/// The text up to the closing quote, and what is behind that.
fn unquoted(text: &str) -> Result<(Cow<'_, str>, &str), String> {
    let mut escaped = String::new();
    let mut chars = text.char_indices();
    let mut from = 0;
    while let Some((at, char)) = chars.next() {
        let until = text.get(from..at).unwrap_or_default();
        match char {
            '"' => {
                let behind = text.get(at + 1..).unwrap_or_default();
                let whole =
                    if escaped.is_empty() { Cow::Borrowed(until) } else { Cow::Owned(escaped + until) };
                return Ok((whole, behind));
            }
            '\\' => {
                escaped.push_str(until);
                let Some((next, char)) = chars.next() else { break };
                escaped.push(if char == 'n' { '\n' } else { char });
                from = next + char.len_utf8();
            }
            _ => {}
        }
    }
    Err("breaks off within a label".to_owned())
}
