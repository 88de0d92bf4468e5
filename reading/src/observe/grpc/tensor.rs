//! Output tensors: what their names and datatypes say of their content, and the small values in it while they are read.

use crate::dialect::Meaning;
use crate::json::SHORT_BYTES_MAX;

/// Bytes of the length of a string in a raw tensor.
pub(super) const LENGTH_BYTES: u8 = 4;

/// What the tensors of these names have in them; all others may have text. Where one of the first names has text, only that
/// counts. The others are extra outputs of Triton's vLLM backend (`docs/additional_outputs.md` there), each of which a
/// response has for its own part of the answer.
const NAMES: &[(&[u8], Role)] = &[
    (b"text_output", Role::Text(0)),
    (b"generated_text", Role::Text(0)),
    (b"text", Role::Text(0)),
    (b"finish_reason", Role::Finish),
    (b"num_input_tokens", Role::Tokens(Meaning::InputTokens)),
    (b"num_output_tokens", Role::Tokens(Meaning::AddedOutputTokens)),
    (b"logprobs", Role::Other),
];

/// What a tensor has in it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Text of this rank, see [`Meaning::Text`].
    Text(u8),
    /// Why the answer ended.
    Finish,
    /// A number of tokens, with this meaning.
    Tokens(Meaning),
    /// Nothing of the answer.
    Other,
}

impl Role {
    /// What a tensor of this name has in it, if it is a tensor of the right datatype.
    pub(super) fn of(name: &[u8]) -> Role {
        NAMES.iter().find(|(known, _)| *known == name).map_or(Role::Text(1), |(_, role)| *role)
    }
}

/// How the elements of a tensor are written, as far as that matters.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Datatype {
    Bytes,
    /// An integer of so many bytes.
    Integer(u8),
    Other,
}

impl Datatype {
    pub(super) fn of(name: &[u8]) -> Datatype {
        match name {
            b"BYTES" => Datatype::Bytes,
            b"INT16" | b"UINT16" => Datatype::Integer(2),
            b"INT32" | b"UINT32" => Datatype::Integer(4),
            b"INT64" | b"UINT64" => Datatype::Integer(8),
            _ => Datatype::Other,
        }
    }
}

/// What is known of a tensor.
#[derive(Clone, Copy)]
pub(super) struct Tensor {
    pub(super) role: Role,
    pub(super) datatype: Option<Datatype>,
    /// Its content is not raw.
    pub(super) has_contents: bool,
}

impl Tensor {
    pub(super) const NEW: Tensor = Tensor { role: Role::Text(1), datatype: None, has_contents: false };

    /// What the content of the tensor is.
    pub(super) fn role(self) -> Role {
        match (self.role, self.datatype) {
            (Role::Text(_) | Role::Finish, Some(Datatype::Bytes))
            | (Role::Tokens(_), Some(Datatype::Integer(_))) => self.role,
            _ => Role::Other,
        }
    }
}

/// An element of a raw tensor, or a number in a packed field, while it is read.
#[derive(Clone, Copy, Default)]
pub(super) struct Element {
    /// The number so far: the length of a string, or a number of tokens.
    pub(super) number: u64,
    /// Bytes of it.
    pub(super) bytes: u8,
    /// Bytes of the string that follow.
    pub(super) left: u64,
}

/// A short value, cut to its length.
pub(super) struct Word {
    bytes: [u8; SHORT_BYTES_MAX],
    pub(super) length: usize,
}

impl Default for Word {
    fn default() -> Word {
        Word { bytes: [0; SHORT_BYTES_MAX], length: 0 }
    }
}

impl Word {
    pub(super) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    #[expect(clippy::arithmetic_side_effects, reason = "`length` is an index of `bytes`")]
    pub(super) fn extend(&mut self, piece: &[u8]) {
        for (slot, &byte) in self.bytes.iter_mut().skip(self.length).zip(piece) {
            *slot = byte;
            self.length += 1;
        }
    }
}

impl Element {
    /// Adds a byte to a number of `width` bytes, the lowest first. Whether it is complete.
    pub(super) fn push(&mut self, byte: u8, width: u8) -> bool {
        let shift = u32::from(self.bytes).saturating_mul(u8::BITS);
        self.number |= u64::from(byte).checked_shl(shift).unwrap_or_default();
        self.bytes = self.bytes.saturating_add(1);
        self.bytes >= width
    }

    /// The number, which is complete.
    pub(super) fn take(&mut self) -> u64 {
        let number = self.number;
        *self = Element { left: self.left, ..Element::default() };
        number
    }
}
