//! The hash of a conversation's opening: a request's bytes in, cut anywhere, and eight bytes out.
//!
//! Chat APIs resend the whole history, so its system prompt and first user message are the same on every turn; for
//! clients that send no id they are one. Nothing is kept but the state of hashes.
//!
//! What counts is text, and of images and files their data, address or id, in the order they stand: not how it is
//! wrapped, so that a string, a part with that string and the same part with a cache marker are alike. All else is
//! passed over: tools, model, settings, markers.
//!
//! * System text: messages of role system or developer before the first user message; without any, the first
//!   that is met of `system`, `instructions`, `systemInstruction` and `preamble`.
//! * The first user message that has content, in `messages` (OpenAI, Anthropic, Bedrock, Cohere, Ollama), `input`
//!   (OpenAI Responses), `contents` (Gemini) or `chat_history` (Cohere v1, where without any it is `message`).
//!
//! The answer comes when both are known, or at the end of the document: Anthropic's clients send `system` last.
//!
//! ```text
//! hash(bytes)      = murmur3_x86_32(seed 3, bytes) murmur3_x86_32(seed 4, bytes), little endian
//! content(message) = its texts as they are, and each datum of an image or a file followed by FF
//! system           = hash(content) of each system text
//! opening          = hash(01 hash(system) 02 hash(content(user message)))
//! ```
//!
//! It is a contract like a bucket's: other Envoys, and later versions, must come to the same.

mod paths;
#[cfg(test)]
mod tests;

use crate::bucket::Murmur3;
use crate::json::{Scanner, Sink, Value};
use crate::pointer::Fact;
use paths::{MessageField, Place, TABLE};

/// Bytes of an opening's hash.
pub const FINGERPRINT_BYTES: usize = 8;

/// Others than those of buckets and shards, which must not depend on this.
const SEEDS: [u32; 2] = [3, 4];
/// Keep apart what the hash is made of.
const SYSTEM: &[u8] = &[1];
const USER: &[u8] = &[2];
/// Ends a datum that is no text; it is in no UTF-8.
const DATUM_END: &[u8] = &[0xFF];

const SYSTEM_ROLES: [&[u8]; 2] = [b"system", b"developer"];
const USER_ROLES: [&[u8]; 2] = [b"user", b"human"];

type Digest = [u8; FINGERPRINT_BYTES];

/// Reads one request's body.
#[derive(Default)]
pub struct Fingerprint {
    scanner: Scanner,
    seen: OpeningFacts,
    /// Whether the body's first byte was seen.
    has_begun: bool,
    answer: Answer,
}

#[derive(Default)]
enum Answer {
    #[default]
    Unknown,
    Absent,
    Found(Digest),
}

impl Fingerprint {
    /// A piece of the body has come.
    pub fn push(&mut self, bytes: &[u8]) {
        let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
        if let Some(&first) = first.filter(|_| !self.has_begun) {
            self.has_begun = true;
            if first != b'{' {
                self.finish();
            }
        }
        if !self.wants_more() {
            return;
        }
        self.scanner.push(&TABLE, bytes, &mut self.seen);
        if self.seen.is_decided() {
            self.answer = self.seen.opening().map_or(Answer::Absent, Answer::Found);
        } else if self.scanner.is_broken() {
            self.finish();
        }
    }

    /// The body has ended, or is not read further.
    pub fn finish(&mut self) {
        if self.wants_more() {
            self.answer = Answer::Absent;
        }
    }

    /// Whether more of the body could change the answer.
    #[must_use]
    pub fn wants_more(&self) -> bool {
        matches!(self.answer, Answer::Unknown)
    }

    /// The opening's hash, of [`FINGERPRINT_BYTES`]. Absent where the body is no JSON object, is broken, ended before the
    /// answer was certain, or has no user message with content.
    #[must_use]
    pub fn get(&self) -> Fact<'_> {
        match &self.answer {
            Answer::Unknown => Fact::Unknown,
            Answer::Absent => Fact::Absent,
            Answer::Found(digest) => Fact::Found(digest),
        }
    }
}

/// Two hashes of the same bytes.
struct Hash([Murmur3; 2]);

impl Default for Hash {
    fn default() -> Hash {
        Hash(SEEDS.map(Murmur3::new))
    }
}

impl Hash {
    fn push(&mut self, bytes: &[u8]) {
        self.0.iter_mut().for_each(|hash| hash.push(bytes));
    }

    fn finish(&self) -> Digest {
        let [low, high] = self.0.each_ref().map(|hash| u64::from(hash.finish()));
        (low | high << 32).to_le_bytes()
    }
}

/// A hash of something, or of nothing yet.
#[derive(Default)]
struct Content(Option<Hash>);

impl Content {
    fn push(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.0.get_or_insert_default().push(bytes);
        }
    }

    fn take(&mut self) -> Option<Digest> {
        self.0.take().map(|hash| hash.finish())
    }
}

/// Who says a message.
#[derive(Clone, Copy)]
enum Role {
    System,
    User,
    Other,
}

#[derive(Default)]
struct OpeningFacts {
    /// What is being read: a message's content, or a system text.
    content: Content,
    /// Of the message being read.
    role: Option<Role>,
    /// Inside a datum that is no text.
    is_datum: bool,
    /// The digests of the system messages before the first user message.
    system_messages: Content,
    /// The digest of the system text that stands beside the messages.
    system: Option<Digest>,
    user: Option<Digest>,
    /// Cohere v1's message, which is the first where no history is before it.
    last_message: Option<Digest>,
    is_whole: bool,
}

impl OpeningFacts {
    /// Whether nothing that may follow can change the opening. System messages after the first user message do
    /// not count, and those before it leave no place to another system text.
    fn is_decided(&self) -> bool {
        let has_system = self.system.is_some() || self.system_messages.0.is_some();
        self.is_whole || self.user.is_some() && has_system
    }

    fn opening(&self) -> Option<Digest> {
        let user = self.user.or(self.last_message)?;
        let mut beside = Hash::default();
        self.system.iter().for_each(|digest| beside.push(digest));
        let system = self.system_messages.0.as_ref().unwrap_or(&beside);
        let mut opening = Hash::default();
        opening.push(SYSTEM);
        opening.push(&system.finish());
        opening.push(USER);
        opening.push(&user);
        Some(opening.finish())
    }

    /// Whether what stands there can still matter.
    fn is_wanted(&self, place: Place) -> bool {
        match place {
            Place::System => self.system.is_none(),
            Place::LastMessage => self.last_message.is_none(),
            Place::Message | Place::Turn | Place::Input => self.user.is_none(),
        }
    }

    /// What stands there has ended.
    fn end(&mut self, place: Place) {
        let role = self.role.take();
        let Some(content) = self.content.take() else { return };
        match (place, role) {
            (Place::System, _) => self.system = Some(content),
            (Place::LastMessage, _) => self.last_message = Some(content),
            (Place::Message | Place::Turn, Some(Role::System)) => self.system_messages.push(&content),
            (Place::Message | Place::Turn, Some(Role::User)) | (Place::Turn, None) | (Place::Input, _) => {
                self.user = Some(content);
            }
            (Place::Message | Place::Turn, Some(Role::Other)) | (Place::Message, None) => {}
        }
    }
}

impl Sink<MessageField> for OpeningFacts {
    fn value(&mut self, field: MessageField, value: Value<'_>) {
        if self.is_whole {
            return; // another document
        }
        match (field, value) {
            (MessageField::Whole(_), Value::Open) => {
                self.content = Content::default();
                self.role = None;
            }
            (MessageField::Whole(place) | MessageField::Text(place), Value::Text(piece))
                if self.is_wanted(place) =>
            {
                self.content.push(piece);
            }
            (MessageField::Datum(place), Value::Text(piece)) if self.is_wanted(place) => {
                self.is_datum |= !piece.is_empty();
                self.content.push(piece);
            }
            (MessageField::Datum(_), Value::Close) if core::mem::take(&mut self.is_datum) => {
                self.content.push(DATUM_END);
            }
            (MessageField::Whole(place), Value::Close) => self.end(place),
            (MessageField::Role, Value::Short(role)) => {
                let is_one_of =
                    |roles: [&[u8]; 2]| roles.iter().any(|other| role.eq_ignore_ascii_case(other));
                self.role = Some(match () {
                    () if is_one_of(SYSTEM_ROLES) => Role::System,
                    () if is_one_of(USER_ROLES) => Role::User,
                    () => Role::Other,
                });
            }
            (
                MessageField::Whole(_) | MessageField::Text(_) | MessageField::Datum(_) | MessageField::Role,
                _,
            ) => {}
        }
    }

    fn document(&mut self) {
        self.is_whole = true;
    }
}
