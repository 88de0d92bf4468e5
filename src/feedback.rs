//! Users' ratings of answers.
//!
//! In: the body of a feedback request, in chunks of any size. Out: its rating, or why it has none. The rating is at the
//! pointer that the configuration names: a string, or a number, `true` or `false` as written. If there are several, the
//! last one counts. Nothing else of the body is read, and nothing is kept.

use crate::config::Feedback;
use crate::json::{self, DocumentEnd, Scanner, Sink, Table, Value};
use crate::label::label_values;
use alloc::string::String;

/// Maximum length of a body. (Envoy's own limit, past which it answers 413, is 1 MiB.)
pub const BODY_BYTES_MAX: u64 = 64 * 1024;

label_values! {
    /// A rating of an answer.
    pub enum Rating {
        /// The answer was good.
        Up = "up",
        /// The answer was bad.
        Down = "down",
        /// The user gave up on the model and turned to a human.
        Escalation = "escalation",
    }
}

/// Why a body has no rating. The response contains it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// It is longer than [`BODY_BYTES_MAX`].
    TooLong,
    /// It is not a whole JSON document.
    NotJson,
    /// It has no value at the rating's pointer.
    NoRating,
    /// It has a value there that the configuration does not name.
    UnknownRating,
}

impl Problem {
    /// The message for the sender. It repeats nothing of the body.
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

/// Compares the value at the rating's pointer with the configuration's.
struct RatingSink<'r> {
    config: &'r Feedback,
    rating: &'r mut Result<Rating, Problem>,
    has_document: &'r mut bool,
}

/// Reads the body of one feedback request.
pub struct Body {
    table: Table<RatingField>,
    scanner: Scanner,
    read_bytes: u64,
    has_document: bool,
    /// The last rating so far.
    rating: Result<Rating, Problem>,
}

impl Body {
    /// The state before the first byte.
    #[must_use]
    pub fn new(config: &Feedback) -> Body {
        let table = Table::of_keys(config.rating.iter().map(String::as_str), RatingField);
        let rating = Err(Problem::NoRating);
        Body { table, scanner: Scanner::default(), read_bytes: 0, has_document: false, rating }
    }

    /// Reads the next chunk. `config` must be that of [`Body::new`].
    #[expect(clippy::arithmetic_side_effects, reason = "no body has 2^64 bytes")]
    pub fn push(&mut self, config: &Feedback, bytes: &[u8]) {
        self.read_bytes += bytes.len() as u64;
        if self.read_bytes <= BODY_BYTES_MAX {
            let mut sink =
                RatingSink { config, rating: &mut self.rating, has_document: &mut self.has_document };
            self.scanner.push(&self.table, bytes, &mut sink);
        }
    }

    /// Whether it is longer than [`BODY_BYTES_MAX`].
    #[must_use]
    pub fn is_too_long(&self) -> bool {
        self.read_bytes > BODY_BYTES_MAX
    }

    /// Ends the body.
    ///
    /// # Errors
    /// Why it has no rating.
    pub fn finish(&mut self, config: &Feedback) -> Result<Rating, Problem> {
        if self.is_too_long() {
            return Err(Problem::TooLong);
        }
        let mut sink = RatingSink { config, rating: &mut self.rating, has_document: &mut self.has_document };
        let end = self.scanner.end(&self.table, &mut sink);
        if end != DocumentEnd::Between || !self.has_document { Err(Problem::NotJson) } else { self.rating }
    }
}

impl Sink<RatingField> for RatingSink<'_> {
    fn value(&mut self, _: RatingField, value: Value<'_>) {
        let (Value::Short(rating) | Value::Scalar(rating)) = value else { return };
        let ratings = [
            (Rating::Up, &self.config.up),
            (Rating::Down, &self.config.down),
            (Rating::Escalation, &self.config.escalation),
        ];
        let named = ratings.into_iter().find(|(_, values)| values.iter().any(|v| v.as_bytes() == rating));
        *self.rating = named.map(|(rating, _)| rating).ok_or(Problem::UnknownRating);
    }

    fn document(&mut self) {
        *self.has_document = true;
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
    fn each_body_has_a_rating_or_a_problem_in_every_chunking() {
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
    fn a_body_past_the_limit_is_refused() {
        let fits = BODY_BYTES_MAX as usize - 28;
        for (length, expected) in [(fits, Ok(Rating::Up)), (fits + 1, Err(Problem::TooLong))] {
            let body = format!(r#"{{"user":{{"rating":1}},"x":"{}"}}"#, "x".repeat(length));
            assert_eq!(rating([body.as_bytes()]), expected, "{}", body.len());
            assert_eq!(rating(body.as_bytes().chunks(1000)), expected);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_accepted(bytes in any::<Vec<u8>>()) {
            prop_assert!(rating([&bytes[..]]).is_err());
        }
    }
}
