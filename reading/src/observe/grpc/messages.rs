//! The messages of a gRPC response: bytes in any pieces in, a [`BodySummary`] out.
//!
//! Nothing of a message is kept but a short value and what its tensors are. This frames and counts; `inference.rs` reads.

use super::GrpcMethod;
use super::inference::Inference;
use crate::dialect::Watch;
use crate::framing::grpc::{Frame, Framer, Sink};
use crate::observe::observation::Unparsed;
use crate::observe::summary::BodySummary;
use crate::protobuf;
use alloc::boxed::Box;

/// Reads the messages of one response.
#[derive(Default)]
pub(in crate::observe) struct Messages {
    framer: Framer,
    reader: MessageReader,
}

#[derive(Default)]
struct MessageReader {
    /// `None` if its messages are not known.
    method: Option<GrpcMethod>,
    inference: Inference,
    /// The message that is being read.
    message: Option<protobuf::Reader>,
    /// Messages so far.
    messages: u64,
    has_compressed: bool,
    /// A message was too long or damaged.
    has_skipped: bool,
}

impl Messages {
    /// What the messages are. To be called before the first byte.
    pub(in crate::observe) fn expect(&mut self, method: GrpcMethod) {
        self.reader.method = Some(method);
        self.reader.inference.may_be_wrapped = method == GrpcMethod::ModelStreamInfer;
    }

    /// Keeps the first characters of the answer.
    pub(in crate::observe) fn keep_answer_prefix(&mut self) {
        self.reader.inference.fold.keep_answer_prefix();
    }

    /// Looks for defects of the first answer.
    pub(in crate::observe) fn watch(&mut self, watch: Box<Watch>) {
        self.reader.inference.fold.watch(watch);
    }

    /// Deltas so far, if this is a stream.
    pub(in crate::observe) fn streamed_deltas(&self) -> u64 {
        if self.reader.is_stream() { self.reader.inference.fold.facts.deltas } else { 0 }
    }

    /// Reads the next piece.
    pub(in crate::observe) fn push(&mut self, bytes: &[u8]) {
        self.framer.push(bytes, &mut self.reader);
    }

    /// The body has ended.
    pub(in crate::observe) fn finish(self) -> BodySummary {
        let is_cut = self.framer.is_inside();
        let is_stream = self.reader.is_stream();
        let MessageReader { method, mut inference, messages, has_compressed, has_skipped, .. } = self.reader;
        if is_cut {
            inference.cut_message();
        }
        let is_known = method.is_some() || messages == 0;
        let unparsed = if has_compressed {
            Some(Unparsed::Encoding)
        } else if has_skipped || inference.is_damaged {
            Some(Unparsed::TooLong)
        } else {
            (!is_known || inference.is_unordered).then_some(Unparsed::Dialect)
        };
        let dialect = method.filter(|_| messages > 0).map(|_| inference.dialect());
        BodySummary {
            dialect: dialect.map(|dialect| (dialect.name)(&inference.fold.facts)),
            text_chars: (is_known && !has_compressed).then_some(inference.fold.facts.text_chars),
            events: is_stream.then_some(messages),
            unparsed,
            is_other: unparsed.is_none() && inference.is_other(),
            is_finished: is_cut.then_some(false),
            facts: inference.fold.facts,
        }
    }
}

impl MessageReader {
    fn is_stream(&self) -> bool {
        self.method.is_some_and(|method| method != GrpcMethod::ModelInfer)
    }
}

impl Sink for MessageReader {
    #[expect(clippy::arithmetic_side_effects, reason = "a count of messages of the body")]
    fn begin(&mut self, frame: Frame, length: u32) {
        match frame {
            Frame::Message => {
                self.messages += 1;
                self.message = self.method.map(|_| protobuf::Reader::new(length.into()));
                self.inference.begin_message();
            }
            Frame::CompressedMessage => {
                self.messages += 1;
                self.has_compressed = true;
            }
            Frame::Trailers | Frame::CompressedTrailers => {}
        }
    }

    fn data(&mut self, piece: &[u8]) {
        if let Some(message) = &mut self.message {
            message.push(piece, &mut self.inference);
        }
    }

    fn end(&mut self) {
        if let Some(message) = self.message.take() {
            if message.is_complete() {
                self.inference.end_message();
            } else {
                self.has_skipped = true;
                self.inference.cut_message();
            }
        }
    }

    #[expect(clippy::arithmetic_side_effects, reason = "a count of messages of the body")]
    fn skipped(&mut self) {
        self.messages += 1;
        self.has_skipped = true;
    }
}
