//! Keys: of a file, or of the environment. They are sent, and never shown.

use serde_json::Value;

/// What a key is shown as where a server repeats it.
const HIDDEN: &str = "***";
/// A shorter value is no key: to hide it would change answers.
const KEY_BYTES_MIN: usize = 6;
/// Names of headers whose values are keys have one of these words.
const SECRET_WORDS: [&str; 7] =
    ["authorization", "key", "token", "secret", "cookie", "password", "credential"];

/// Values that must not be shown. There is no way to print them.
#[derive(Clone, Default)]
pub(crate) struct Secrets(Vec<String>);

impl Secrets {
    /// Adds a key.
    pub(crate) fn add(&mut self, key: &str) {
        if key.len() >= KEY_BYTES_MIN && !self.0.iter().any(|known| known == key) {
            self.0.push(key.to_owned());
        }
    }

    /// Adds the value of a header, if its name says that it is a key.
    pub(crate) fn add_header(&mut self, name: &str, value: &str) {
        let name = name.to_ascii_lowercase();
        if SECRET_WORDS.iter().any(|word| name.contains(word)) {
            // `Bearer KEY`
            self.add(value.split_whitespace().last().unwrap_or_default());
            self.add(value);
        }
    }

    /// The text without them.
    pub(crate) fn hide(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, key| text.replace(key, HIDDEN))
    }

    /// Takes them out of every text of a value.
    pub(crate) fn hide_in(&self, value: &mut Value) {
        match value {
            Value::String(text) if self.0.iter().any(|key| text.contains(key)) => *text = self.hide(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.hide_in(item)),
            Value::Object(fields) => fields.values_mut().for_each(|field| self.hide_in(field)),
            Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

/// The key in a variable of the environment, if it is there.
pub(crate) fn of_environment(name: &str) -> Option<String> {
    std::env::var(name).ok().map(|key| key.trim().to_owned()).filter(|key| !key.is_empty())
}

#[cfg(test)]
mod tests {
    use super::Secrets;
    use serde_json::json;

    #[test]
    fn keys_are_hidden_wherever_a_server_repeats_them() {
        let mut secrets = Secrets::default();
        secrets.add("sk-123456");
        secrets.add_header("X-Auth-Token", "Bearer abcdefgh");
        secrets.add_header("x-tenant", "everybody");
        assert_eq!(secrets.hide("key sk-123456 of everybody, abcdefgh"), "key *** of everybody, ***");
        let mut value = json!({"a": ["Bearer abcdefgh", 1, null], "b": {"c": "x sk-123456"}});
        secrets.hide_in(&mut value);
        assert_eq!(value, json!({"a": ["Bearer ***", 1, null], "b": {"c": "x ***"}}));
    }

    #[test]
    fn what_is_too_short_is_no_key() {
        let mut secrets = Secrets::default();
        secrets.add("a");
        secrets.add_header("x-key", "");
        assert_eq!(secrets.hide("a banana"), "a banana");
    }
}
