//! x
use crate::import::promptfoo::transform;
use crate::set::Assertion;
use serde_json::Value;
/// x
pub(crate) fn assertion_of(kind: &str, item: &Value) -> Assertion {
    let number = |name: &str| item.get(name).and_then(Value::as_f64);
    Assertion {
        kind: kind.to_owned(),
        value: item.get("value").cloned(),
        is_from_file: false,
        threshold: number("threshold"),
        weight: number("weight"),
        transform: transform::of(item.get("transform")),
        broken: None,
    }
}
