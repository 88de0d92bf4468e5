//! Whether the arguments of a tool call are complete. They are JSON, which comes as text in fragments.
//!
//! Only strings and brackets are read. A fragment is read before it is known which call it belongs to, because the
//! keys of a delta come in any order. So it is read from each state that a call's arguments can be in, and the
//! result for the right one is used later.

/// The state between two bytes of JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Lexical {
    #[default]
    OutsideString,
    InString,
    /// After a backslash in a string.
    Escaped,
}

/// The arguments of a call so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Arguments {
    state: Lexical,
    /// Objects and arrays that are open. Saturates: a server can send more brackets than this can count.
    depth: i16,
    has_begun: bool,
}

impl Arguments {
    /// Whether they are an object or array that has been closed.
    pub(super) fn is_complete(&self) -> bool {
        self.has_begun && self.depth <= 0 && self.state == Lexical::OutsideString
    }

    /// Whether they are an object or array that has not been closed yet.
    pub(super) fn is_open(&self) -> bool {
        self.has_begun && !self.is_complete()
    }

    /// Reads the next fragment.
    pub(super) fn extend(&mut self, fragment: &Transition) {
        let [outside, in_string, escaped] = fragment.0;
        let end = match self.state {
            Lexical::OutsideString => outside,
            Lexical::InString => in_string,
            Lexical::Escaped => escaped,
        };
        self.state = end.state;
        self.depth = self.depth.saturating_add(end.depth);
        self.has_begun |= end.has_begun;
    }

    /// Reads the next byte.
    pub(super) fn push(&mut self, byte: u8) {
        self.state = match (self.state, byte) {
            (Lexical::OutsideString, b'"') => Lexical::InString,
            (Lexical::OutsideString, b'{' | b'[') => {
                self.has_begun = true;
                self.depth = self.depth.saturating_add(1);
                Lexical::OutsideString
            }
            (Lexical::OutsideString, b'}' | b']') => {
                self.depth = self.depth.saturating_sub(1);
                Lexical::OutsideString
            }
            (Lexical::OutsideString, _) | (Lexical::InString, b'"') => Lexical::OutsideString,
            (Lexical::InString, b'\\') => Lexical::Escaped,
            (Lexical::InString | Lexical::Escaped, _) => Lexical::InString,
        };
    }
}

/// What a fragment does to the arguments before it: the state after it and the change of depth, for each state
/// before it, in the order of [`Lexical`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Transition([Arguments; 3]);

impl Default for Transition {
    /// That of an empty fragment.
    fn default() -> Transition {
        let from = |state| Arguments { state, ..Arguments::default() };
        Transition([from(Lexical::OutsideString), from(Lexical::InString), from(Lexical::Escaped)])
    }
}

impl Transition {
    /// That of arguments which are complete by themselves: a JSON object, not text.
    pub(super) const COMPLETE: Transition =
        Transition([Arguments { state: Lexical::OutsideString, depth: 0, has_begun: true }; 3]);

    /// That of a text.
    pub(super) fn of(text: &[u8]) -> Transition {
        let mut transition = Transition::default();
        transition.push(text);
        transition
    }

    /// Adds more text to the fragment.
    pub(super) fn push(&mut self, text: &[u8]) {
        for arguments in &mut self.0 {
            text.iter().for_each(|&byte| arguments.push(byte));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> bool {
        let mut arguments = Arguments::default();
        for bytes in pieces {
            arguments.extend(&Transition::of(bytes));
        }
        arguments.is_complete()
    }

    proptest! {
        #[test]
        fn an_object_is_complete_at_its_end_and_not_before(key in ".{0,9}", value in "[{}\\[\\]\"\\\\a]{0,9}", cut: prop::sample::Index) {
            let json = serde_json::json!({key: [value, {}]}).to_string().into_bytes();
            let (a, b) = json.split_at(cut.index(json.len()));
            prop_assert!(read([a, b]));
            prop_assert!(read(json.chunks(1)));
            prop_assert!(!read([a]));
        }
    }
}
