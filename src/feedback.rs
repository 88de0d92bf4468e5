//! What users say of an answer: the bytes of a feedback's body in, cut anywhere, its rating out.
//!
//! The rating is looked for where the configuration says, as a text, or as a number, `true` or `false` as written;
//! of several there the last counts. Nothing else of the body is looked at, nothing is kept.

use crate::config::Feedback;
use crate::json::{self, DocumentEnd, Scanner, Sink, Table, Value};
use crate::label::label_values;
use alloc::string::String;

/// A body longer than this is not read to its end. Envoy's own limit, past which it answers 413, is 1 MiB.
pub const BODY_BYTES_MAX: u64 = 64 * 1024;

label_values! {
    /// What feedback said.
    pub enum Rating {
        /// It was a good answer.
        Up = "up",
        /// It was a bad one.
        Down = "down",
        /// The user gave up on the model.
        Escalation = "escalation",
    }
}

/// Why a body holds no rating, as the sender is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// It is longer than [`BODY_BYTES_MAX`].
    TooLong,
    /// It is not a whole JSON document.
    NotJson,
    /// It has nothing where the rating should be.
    NoRating,
    /// It has something there that the configuration does not name.
    UnknownRating,
}

impl Problem {
    /// In words, and never in the sender's own.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TooLong => "the feedback is too long\n",
            Self::NotJson => "the feedback is not a JSON document\n",
            Self::NoRating => "the feedback has no rating where one is expected\n",
            Self::UnknownRating => "the feedback's rating is none of those expected\n",
        }
    }
}

#[derive(Clone, Copy)]
struct RatingField;

impl json::Field for RatingField {
    fn is_text(self) -> bool {
        false
    }
}

/// Compares what stands at the rating with what the configuration names.
struct Found<'r> {
    config: &'r Feedback,
    found: &'r mut Result<Rating, Problem>,
    documents: &'r mut u64,
}

/// A body on its way, with what it showed so far.
pub struct Body {
    table: Table<RatingField>,
    scanner: Scanner,
    read_bytes: u64,
    documents: u64,
    found: Result<Rating, Problem>,
}

impl Body {
    /// A body is to come.
    #[must_use]
    pub fn new(config: &Feedback) -> Body {
        let table = Table::of_keys(config.rating.iter().map(String::as_str), RatingField);
        let found = Err(Problem::NoRating);
        Body { table, scanner: Scanner::default(), read_bytes: 0, documents: 0, found }
    }

    /// A piece of it has come. `config` is that of [`Body::new`].
    pub fn push(&mut self, config: &Feedback, bytes: &[u8]) {
        self.read_bytes = self.read_bytes.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        if self.read_bytes <= BODY_BYTES_MAX {
            let mut sink = Found { config, found: &mut self.found, documents: &mut self.documents };
            self.scanner.push(&self.table, bytes, &mut sink);
        }
    }

    /// Whether it is longer than any is read.
    #[must_use]
    pub fn is_too_long(&self) -> bool {
        self.read_bytes > BODY_BYTES_MAX
    }

    /// It has ended.
    ///
    /// # Errors
    /// Why it has no rating.
    pub fn finish(&mut self, config: &Feedback) -> Result<Rating, Problem> {
        if self.is_too_long() {
            return Err(Problem::TooLong);
        }
        let mut sink = Found { config, found: &mut self.found, documents: &mut self.documents };
        let end = self.scanner.end(&self.table, &mut sink);
        if end != DocumentEnd::Between || self.documents == 0 { Err(Problem::NotJson) } else { self.found }
    }
}

impl Sink<RatingField> for Found<'_> {
    fn value(&mut self, _: RatingField, value: Value<'_>) {
        let (Value::Short(rating) | Value::Scalar(rating)) = value else { return };
        let ratings = [
            (Rating::Up, &self.config.up),
            (Rating::Down, &self.config.down),
            (Rating::Escalation, &self.config.escalation),
        ];
        let named = ratings.into_iter().find(|(_, values)| values.iter().any(|v| v.as_bytes() == rating));
        *self.found = named.map(|(rating, _)| rating).ok_or(Problem::UnknownRating);
    }

    fn document(&mut self) {
        *self.documents = self.documents.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn config() -> Feedback {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Feedback {
            path: "/feedback".into(),
            rating: texts(&["user", "rating"]),
            up: texts(&["up", "1", "true"]),
            down: texts(&["down", "-1"]),
            escalation: texts(&["mänsch"]),
            respond: true,
        }
    }

    fn rating<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Rating, Problem> {
        let mut body = Body::new(&config());
        pieces.into_iter().for_each(|piece| body.push(&config(), piece));
        body.finish(&config())
    }

    #[test]
    fn each_body_has_its_rating_or_its_problem_in_every_cut() {
        for (body, expected) in [
            (r#"{"user":{"rating":"up"}}"#, Ok(Rating::Up)),
            (r#" {"x":[1],"user":{"comment":"down","rating":1}} "#, Ok(Rating::Up)),
            (r#"{"user":{"rating":true}}"#, Ok(Rating::Up)),
            (r#"{"user":{"rating":"\u0064own"}}"#, Ok(Rating::Down)),
            (r#"{"user":{"rating":-1}}"#, Ok(Rating::Down)),
            (r#"{"user":{"rating":"mänsch"}}"#, Ok(Rating::Escalation)),
            (r#"{"user":{"rating":"up","rating":"down"}}"#, Ok(Rating::Down)),
            (r#"{"user":{"rating":"Up"}}"#, Err(Problem::UnknownRating)),
            (r#"{"user":{"rating":null}}"#, Err(Problem::UnknownRating)),
            (r#"{"user":{"rating":["up"]}}"#, Err(Problem::NoRating)),
            (r#"{"rating":"up"}"#, Err(Problem::NoRating)),
            ("1", Err(Problem::NoRating)),
            ("[]", Err(Problem::NotJson)),
            ("", Err(Problem::NotJson)),
            (" ", Err(Problem::NotJson)),
            ("rating=up", Err(Problem::NotJson)),
            (r#"{"user":{"rating":"up"}"#, Err(Problem::NotJson)),
            (r#"{"user":{"rating":"up"}}}"#, Err(Problem::NotJson)),
        ] {
            for cut in 0..=body.len() {
                let (a, b) = body.as_bytes().split_at(cut);
                assert_eq!(rating([a, b]), expected, "{body} at {cut}");
            }
        }
    }

    #[test]
    fn a_long_body_is_none() {
        let fits = BODY_BYTES_MAX as usize - 28;
        for (length, expected) in [(fits, Ok(Rating::Up)), (fits + 1, Err(Problem::TooLong))] {
            let body = format!(r#"{{"user":{{"rating":1}},"x":"{}"}}"#, "x".repeat(length));
            assert_eq!(rating([body.as_bytes()]), expected, "{}", body.len());
            assert_eq!(rating(body.as_bytes().chunks(1000)), expected);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in any::<Vec<u8>>()) {
            prop_assert!(rating([&bytes[..]]).is_err());
        }
    }
}
