//! Transforms: three lines of JavaScript are so common that they are understood. No other is run.

use crate::set::Transform;
use serde_json::Value;

/// What a transform does. Quoted spaces do not matter; everything else does.
pub(crate) fn of(code: Option<&Value>) -> Transform {
    let code = match code {
        None | Some(Value::Null) => return Transform::None,
        Some(Value::String(code)) => code.trim().trim_end_matches(';').trim(),
        Some(_) => return Transform::LeftOut,
    };
    match code {
        "" => Transform::None,
        "output" => Transform::None,
        "output.trim()" => Transform::Trim,
        "output.toLowerCase()" => Transform::LowerCase,
        code => match code.strip_prefix("JSON.parse(output).") {
            Some(path) if path.split('.').all(is_name) => {
                Transform::Field(path.split('.').map(str::to_owned).collect())
            }
            _ => Transform::LeftOut,
        },
    }
}

fn is_name(part: &str) -> bool {
    // `length` is no field of an object, and methods end with brackets.
    part != "length"
        && part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_' || c == '$')
        && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '$')
}

#[cfg(test)]
mod tests {
    use super::of;
    use crate::set::Transform;
    use serde_json::json;

    #[test]
    fn three_transforms_are_understood() {
        for (code, expect) in [
            ("output.trim()", Transform::Trim),
            (" output.toLowerCase(); ", Transform::LowerCase),
            ("JSON.parse(output).a.b_2", Transform::Field(vec!["a".to_owned(), "b_2".to_owned()])),
            ("JSON.parse(output).a.trim()", Transform::LeftOut),
            ("JSON.parse(output)[0]", Transform::LeftOut),
            ("output.trim().toLowerCase()", Transform::LeftOut),
            ("file://transform.js", Transform::LeftOut),
        ] {
            assert_eq!(of(Some(&json!(code))), expect, "{code}");
        }
    }
}
