//! Whether a tool call's arguments, JSON that comes as text in pieces, are complete.
//!
//! A piece is read before it is known which call it belongs to (the keys of a delta come in any order),
//! so it is read from each state in which the call can stand, and the right one is taken after.

/// Where in its JSON a call's arguments stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Outside,
    InString,
    Escaped,
}

/// A call's arguments so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Arguments {
    state: State,
    /// Containers open.
    depth: i32,
    is_begun: bool,
}

impl Arguments {
    /// Whether the object they are has been closed.
    pub(super) fn is_complete(&self) -> bool {
        self.is_begun && self.depth <= 0 && self.state == State::Outside
    }

    /// The next piece.
    pub(super) fn extend(&mut self, piece: &Piece) {
        let [outside, in_string, escaped] = piece.0;
        let step = match self.state {
            State::Outside => outside,
            State::InString => in_string,
            State::Escaped => escaped,
        };
        self.state = step.state;
        self.depth = self.depth.saturating_add(step.depth);
        self.is_begun |= step.is_begun;
    }

    /// The next byte.
    pub(super) fn push(&mut self, byte: u8) {
        self.state = match (self.state, byte) {
            (State::Outside, b'"') => State::InString,
            (State::Outside, b'{' | b'[') => {
                self.is_begun = true;
                self.depth = self.depth.saturating_add(1);
                State::Outside
            }
            (State::Outside, b'}' | b']') => {
                self.depth = self.depth.saturating_sub(1);
                State::Outside
            }
            (State::Outside, _) | (State::InString, b'"') => State::Outside,
            (State::InString, b'\\') => State::Escaped,
            (State::InString | State::Escaped, _) => State::InString,
        };
    }
}

/// What a piece does to the arguments before it, for each state they can be in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Piece([Arguments; 3]);

impl Default for Piece {
    fn default() -> Piece {
        let from = |state| Arguments { state, ..Arguments::default() };
        Piece([from(State::Outside), from(State::InString), from(State::Escaped)])
    }
}

impl Piece {
    /// Arguments that are no text but an object themselves are complete.
    pub(super) const WHOLE: Piece = Piece([Arguments { state: State::Outside, depth: 0, is_begun: true }; 3]);

    /// A piece of text.
    pub(super) fn of(text: &[u8]) -> Piece {
        let mut piece = Piece::default();
        piece.push(text);
        piece
    }

    /// Reads on.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        for arguments in &mut self.0 {
            bytes.iter().for_each(|&byte| arguments.push(byte));
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
            let mut piece = Piece::default();
            piece.push(bytes);
            arguments.extend(&piece);
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
