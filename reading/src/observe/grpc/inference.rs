//! The answers of KServe's protocol, version 2, and of Triton, in protobuf: fields in, facts of the response out.
//!
//! ```text
//! ModelStreamInferResponse   error_message = 1, infer_response = 2
//! ModelInferResponse         model_name = 1, model_version = 2, …, outputs = 5, raw_output_contents = 6
//! InferOutputTensor          name = 1, datatype = 2, …, contents = 5
//! InferTensorContents        int, int64, uint, uint64 = 2, 3, 4, 5, …, bytes_contents = 8
//! ```
//!
//! A tensor's content is in `contents`, or else in the next item of `raw_output_contents`: there a string is a length in
//! 4 bytes, the lowest first, and its bytes. Text is what tensors of the datatype BYTES have in them, but for those whose
//! name says otherwise. Every encoder writes fields in the order of their numbers, so a tensor's name and type come before
//! its content; if not, the content is not read. Sources: `grpc_service.proto` of triton-inference-server/common and
//! `grpc_predict_v2.proto` of kserve/kserve.

use super::tensor::{Datatype, Element, LENGTH_BYTES, Role, Tensor, Word};
use crate::dialect::{self, Dialect, Fold, Meaning};
use crate::json::{Sink, Value};
use crate::protobuf::{self, Content};
use alloc::vec::Vec;

/// Tensors of one message whose raw contents are told apart.
const TENSORS_MAX: usize = 64;
/// Decimal digits of the largest number.
const DIGITS_MAX: usize = 20;

/// Where the reader is: the innermost open field.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// A message that may be a `ModelStreamInferResponse` or a `ModelInferResponse`.
    Stream,
    Response,
    Version,
    Tensor,
    Name,
    Datatype,
    Contents,
    String,
    PackedNumbers,
    Raw,
}

/// Reads the messages of one response.
pub(super) struct Inference {
    pub(super) fold: Fold,
    /// A message may be a `ModelStreamInferResponse`.
    pub(super) may_be_wrapped: bool,
    /// The content of a tensor came before its description.
    pub(super) is_unordered: bool,
    /// The content of a tensor ends within an element.
    pub(super) is_damaged: bool,
    has_tensors: bool,
    place: Place,
    /// The first field is a string that is not empty: the name of a model, or an error.
    has_first: bool,
    /// The tensors of this message whose content is raw, in the order of their descriptions.
    tensors: Vec<Tensor>,
    tensor: Tensor,
    /// Items of `raw_output_contents` that have begun.
    raw_items: usize,
    element: Element,
    word: Word,
}

impl Default for Inference {
    /// Not inlined, because it is large, and a body has one.
    #[inline(never)]
    fn default() -> Inference {
        let mut fold = Fold::default();
        fold.set_dialect(dialect::inference_protocol());
        Inference {
            fold,
            may_be_wrapped: false,
            is_unordered: false,
            is_damaged: false,
            has_tensors: false,
            place: Place::Response,
            has_first: false,
            tensors: Vec::new(),
            tensor: Tensor::NEW,
            raw_items: 0,
            element: Element::default(),
            word: Word::default(),
        }
    }
}

/// Not inlined, because it is large, and a message has few values.
#[inline(never)]
fn report(fold: &mut Fold, meaning: Meaning, value: Value<'_>) {
    fold.value(meaning, value);
}

impl Inference {
    pub(super) fn dialect(&self) -> &'static Dialect {
        dialect::inference_protocol()
    }

    /// Whether the messages so far are known to be no answer of a language model. The protocol also serves others.
    pub(super) fn is_other(&self) -> bool {
        self.has_tensors && !(self.dialect().is_answer)(&self.fold.facts)
    }

    pub(super) fn begin_message(&mut self) {
        self.place = if self.may_be_wrapped { Place::Stream } else { Place::Response };
        self.has_first = false;
        self.tensors.clear();
        self.raw_items = 0;
    }

    /// The message is complete.
    pub(super) fn end_message(&mut self) {
        // Nothing but an error looks so: the name of a model does not come alone.
        self.fold.facts.error |= self.place == Place::Stream && self.has_first;
        self.fold.document();
    }

    /// The message was cut off, or is damaged. What it had counts.
    pub(super) fn cut_message(&mut self) {
        self.fold.cut_document();
    }

    /// A field of a `ModelInferResponse` begins.
    fn begin_in_response(&mut self, field: u32, is_empty: bool) -> Content {
        match field {
            2 => self.begin_word(Place::Version),
            5 => {
                self.tensor = Tensor::NEW;
                self.has_tensors = true;
                self.enter(Place::Tensor, Content::Message)
            }
            6 => {
                let tensor = self.tensors.get(self.raw_items).copied();
                self.raw_items = self.raw_items.saturating_add(1);
                self.tensor = tensor.unwrap_or(Tensor::NEW);
                self.is_unordered |= tensor.is_none() && !is_empty;
                match self.tensor.role() {
                    Role::Other => Content::Unwanted,
                    Role::Text(_) | Role::Finish | Role::Tokens(_) => {
                        self.element = Element::default();
                        self.enter(Place::Raw, Content::Bytes)
                    }
                }
            }
            _ => Content::Unwanted,
        }
    }

    fn enter(&mut self, place: Place, content: Content) -> Content {
        self.place = place;
        content
    }

    fn begin_word(&mut self, place: Place) -> Content {
        self.word.length = 0;
        self.enter(place, Content::Bytes)
    }

    fn begin_string(&mut self) {
        self.word.length = 0;
        self.string(b"");
    }

    /// A piece of a string in the tensor.
    fn string(&mut self, piece: &[u8]) {
        match self.tensor.role {
            Role::Text(rank) => report(&mut self.fold, Meaning::ListedText(rank), Value::Text(piece)),
            Role::Finish => self.word.extend(piece),
            Role::Tokens(_) | Role::Other => {}
        }
    }

    fn end_string(&mut self) {
        match self.tensor.role {
            Role::Finish => {
                report(&mut self.fold, Meaning::Finish, Value::Short(self.word.as_bytes()));
            }
            Role::Text(rank) => report(&mut self.fold, Meaning::ListedText(rank), Value::Close),
            Role::Tokens(_) | Role::Other => {}
        }
    }

    /// A number in the tensor. A negative one is none of tokens.
    fn tokens(&mut self, number: u64) {
        let Role::Tokens(meaning) = self.tensor.role() else { return };
        if i64::try_from(number).is_ok() {
            let (mut digits, mut left) = ([b'0'; DIGITS_MAX], number);
            for digit in digits.iter_mut().rev() {
                let last = u8::try_from(left % 10).unwrap_or_default();
                *digit = b'0'.saturating_add(last);
                left /= 10;
            }
            report(&mut self.fold, meaning, Value::Scalar(&digits));
        }
    }

    /// Bytes of a raw tensor of strings.
    fn raw_strings(&mut self, piece: &[u8]) {
        let mut rest = piece;
        while let Some((&byte, after)) = rest.split_first() {
            if self.element.left > 0 {
                let left = usize::try_from(self.element.left).unwrap_or(usize::MAX);
                let (text, after) = rest.split_at(left.min(rest.len()));
                self.string(text);
                self.element.left = self.element.left.saturating_sub(text.len() as u64);
                rest = after;
            } else {
                rest = after;
                if !self.element.push(byte, LENGTH_BYTES) {
                    continue;
                }
                self.element.left = self.element.take();
                self.begin_string();
            }
            if self.element.left == 0 {
                self.end_string();
            }
        }
    }

    /// Bytes of a raw tensor of integers.
    fn raw_integers(&mut self, piece: &[u8], width: u8) {
        for &byte in piece {
            if self.element.push(byte, width) {
                let number = self.element.take();
                // The highest bit of a narrower number is its sign, or the number is no count of tokens.
                let bits = u32::from(width).saturating_mul(u8::BITS);
                let is_negative = number.checked_shr(bits.saturating_sub(1)).is_some_and(|sign| sign > 0);
                if !is_negative {
                    self.tokens(number);
                }
            }
        }
    }

    /// Bytes of a packed field of numbers.
    fn packed_numbers(&mut self, piece: &[u8]) {
        for &byte in piece {
            let shift = u32::from(self.element.bytes).saturating_mul(7);
            let bits = u64::from(byte & 0x7f).checked_shl(shift).unwrap_or_default();
            self.element.number |= bits;
            self.element.bytes = self.element.bytes.saturating_add(1);
            if byte < 0x80 {
                let number = self.element.take();
                self.tokens(number);
            }
        }
    }
}

impl protobuf::Sink for Inference {
    #[inline(never)]
    fn begin(&mut self, field: u32, first: Option<u8>) -> Content {
        match (self.place, field) {
            (Place::Stream, 1) => {
                self.has_first = first.is_some();
                Content::Unwanted
            }
            // A `ModelInferResponse` is empty or begins with the tag of one of its first five fields, and no version of a
            // model does.
            (Place::Stream, 2) if matches!(first, None | Some(0x0a | 0x12 | 0x1a | 0x22 | 0x2a)) => {
                self.fold.facts.error |= self.has_first;
                self.enter(Place::Response, Content::Message)
            }
            (Place::Stream, 2..=6) => {
                self.place = Place::Response;
                self.begin_in_response(field, first.is_none())
            }
            (Place::Response, _) => self.begin_in_response(field, first.is_none()),
            (Place::Tensor, 1) => self.begin_word(Place::Name),
            (Place::Tensor, 2) => self.begin_word(Place::Datatype),
            (Place::Tensor, 5) => {
                self.is_unordered |= self.tensor.datatype.is_none() && first.is_some();
                self.tensor.has_contents = true;
                match self.tensor.role() {
                    Role::Other => Content::Unwanted,
                    Role::Text(_) | Role::Finish | Role::Tokens(_) => {
                        self.enter(Place::Contents, Content::Message)
                    }
                }
            }
            (Place::Contents, 8) if !matches!(self.tensor.role, Role::Tokens(_)) => {
                self.begin_string();
                self.enter(Place::String, Content::Bytes)
            }
            (Place::Contents, 2..=5) if matches!(self.tensor.role, Role::Tokens(_)) => {
                self.element = Element::default();
                self.enter(Place::PackedNumbers, Content::Bytes)
            }
            _ => Content::Unwanted,
        }
    }

    fn bytes(&mut self, piece: &[u8]) {
        match (self.place, self.tensor.datatype) {
            (Place::String, _) => self.string(piece),
            (Place::PackedNumbers, _) => self.packed_numbers(piece),
            (Place::Raw, Some(Datatype::Integer(width))) => self.raw_integers(piece, width),
            (Place::Raw, _) => self.raw_strings(piece),
            _ => self.word.extend(piece),
        }
    }

    #[inline(never)]
    fn end(&mut self) {
        self.place = match self.place {
            Place::Stream | Place::Response => Place::Stream,
            Place::Version => {
                report(&mut self.fold, Meaning::Model, Value::Short(self.word.as_bytes()));
                Place::Response
            }
            Place::Name => {
                self.tensor.role = Role::of(self.word.as_bytes());
                Place::Tensor
            }
            Place::Datatype => {
                self.tensor.datatype = Some(Datatype::of(self.word.as_bytes()));
                Place::Tensor
            }
            Place::String => {
                self.end_string();
                Place::Contents
            }
            Place::PackedNumbers => Place::Contents,
            Place::Contents => Place::Tensor,
            Place::Tensor => {
                if !self.tensor.has_contents && self.tensors.len() < TENSORS_MAX {
                    self.tensors.push(self.tensor);
                }
                Place::Response
            }
            Place::Raw => {
                self.is_damaged |= self.element.bytes > 0 || self.element.left > 0;
                Place::Response
            }
        };
    }

    fn number(&mut self, field: u32, number: u64) {
        if self.place == Place::Contents && (2..=5).contains(&field) {
            self.tokens(number);
        }
    }
}
