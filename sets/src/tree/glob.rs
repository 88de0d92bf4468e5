//! Patterns for names of files: `*`, `?`, `[abc]`, `{a,b}`; `**` for any folders.

/// Patterns that one with braces may become.
const ALTERNATIVES_MAX: usize = 256;

/// Whether a name holds marks of a pattern.
pub(crate) fn is_pattern(name: &str) -> bool {
    name.contains(['*', '?', '[', '{'])
}

/// A pattern with its braces written out.
pub(super) fn alternatives(pattern: &str) -> Result<Vec<String>, String> {
    let mut done = Vec::new();
    let mut open = vec![pattern.to_owned()];
    while let Some(pattern) = open.pop() {
        if done.len() + open.len() > ALTERNATIVES_MAX {
            return Err(format!("is a pattern of more than {ALTERNATIVES_MAX} patterns"));
        }
        // The innermost braces: the last that open, up to where they close.
        let braces = pattern.rfind('{').and_then(|from| {
            let (before, rest) = pattern.split_at(from);
            let (inner, after) = rest.get(1..)?.split_once('}')?;
            inner.contains(',').then_some((before, inner, after))
        });
        match braces {
            Some((before, inner, after)) => {
                open.extend(inner.split(',').map(|part| format!("{before}{part}{after}")))
            }
            None => done.push(pattern),
        }
    }
    Ok(done)
}

/// Whether a pattern without folders matches a name. Names that begin with a dot match only patterns that do.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    if name.starts_with('.') && !pattern.starts_with('.') {
        return false;
    }
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    // Goes back only to the last star: linear in practice, and never worse than quadratic.
    let (mut p, mut n, mut star) = (0, 0, None);
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
                continue;
            }
            Some(_) => {
                if let Some(next) = name.get(n).and_then(|c| step(&pattern, p, *c)) {
                    p = next;
                    n += 1;
                    continue;
                }
            }
            None => {}
        }
        let Some((at, from)) = star else { return false };
        star = Some((at, from + 1));
        p = at + 1;
        n = from + 1;
    }
    pattern.get(p..).is_some_and(|rest| rest.iter().all(|c| *c == '*'))
}

/// Where the pattern goes on if its part at `p` matches this character.
fn step(pattern: &[char], p: usize, c: char) -> Option<usize> {
    match pattern.get(p)? {
        '?' => Some(p + 1),
        '[' => {
            let length = pattern.get(p + 1..)?.iter().position(|c| *c == ']').filter(|length| *length > 0);
            let Some(length) = length else { return (c == '[').then_some(p + 1) };
            let class = pattern.get(p + 1..p + 1 + length)?;
            let (is_negated, class) = match class {
                ['!' | '^', rest @ ..] => (true, rest),
                class => (false, class),
            };
            let mut is_in = class.contains(&c);
            for range in class.windows(3) {
                if let [low, '-', high] = range {
                    is_in |= (*low..=*high).contains(&c);
                }
            }
            (is_in != is_negated).then_some(p + length + 2)
        }
        other => (*other == c).then_some(p + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::{alternatives, matches};

    #[test]
    fn patterns_match_names() {
        for (pattern, name, expect) in [
            ("*.txt", "a.txt", true),
            ("*.txt", ".txt", false),
            ("*.txt", "a.txt.md", false),
            ("a?c", "abc", true),
            ("[a-c]*", "b1", true),
            ("[!a]x", "ax", false),
            ("a*b*c", "aXbYc", true),
            ("*", "", true),
            ("[", "[", true),
        ] {
            assert_eq!(matches(pattern, name), expect, "{pattern} {name}");
        }
        let hard = "*a".repeat(30) + "b";
        assert!(!matches(&hard, &"a".repeat(200)));
    }

    #[test]
    fn braces_are_written_out() {
        let mut found = alternatives("{a,b}/{c,d}.txt").unwrap();
        found.sort();
        assert_eq!(found, ["a/c.txt", "a/d.txt", "b/c.txt", "b/d.txt"]);
        assert!(alternatives(&"{a,b}".repeat(20)).is_err());
    }
}
