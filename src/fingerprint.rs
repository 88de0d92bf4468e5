//! Fingerprints of conversations, for clients that send no id.
//!
//! In: a request's body, in chunks of any size. Out: a hash of its system prompt and its first user message. Chat APIs
//! send the whole history with each request, so both are the same in every turn. Nothing is kept but hashes.
//!
//! Conversations keep their versions only as long as fingerprints stay, as with [`crate::bucket`].

mod paths;
#[cfg(test)]
mod tests;

use crate::bucket::Murmur3;
use crate::json::{Scanner, Sink, Value};
use crate::pointer::Fact;
use paths::{MessageField, Section, TABLE};

/// Bytes of a fingerprint.
pub const FINGERPRINT_BYTES: usize = 8;

/// The seeds of the two hashes. Keys are hashed again for buckets and shards, with other seeds.
const SEEDS: [u32; 2] = [3, 4];
/// Bytes that separate the parts of the fingerprint's input.
const SYSTEM: &[u8] = &[1];
const USER: &[u8] = &[2];
/// Ends an attachment. UTF-8 text does not contain this byte.
const ATTACHMENT_END: &[u8] = &[0xFF];

const SYSTEM_ROLES: [&[u8]; 2] = [b"system", b"developer"];
const USER_ROLES: [&[u8]; 2] = [b"user", b"human"];

/// Reads the body of one request.
///
/// Text is hashed, and of images and files their data, address or id, in the order of the body. The form of the
/// content does not count: a string, a part with this string, and the same part with a cache marker have the same
/// hash. Tools, the model and settings do not count either.
///
/// * The system prompt: messages with the role system or developer before the first user message. If there are none, the
///   first of `system`, `instructions`, `systemInstruction` and `preamble`.
/// * The first user message with content, in `messages` (OpenAI, Anthropic, Bedrock, Cohere, Ollama), `input`
///   (OpenAI Responses), `contents` (Gemini) or `chat_history` (Cohere v1; `message` if that has none).
///
/// The fingerprint is known when both are, or at the end of the document: Anthropic's clients send `system` last.
///
/// ```text
/// hash(bytes)      = murmur3_x86_32(seed 3, bytes) murmur3_x86_32(seed 4, bytes), little endian
/// content(message) = its texts, and each attachment followed by the byte FF
/// system           = hash(content) of each system text
/// fingerprint      = hash(01 hash(system) 02 hash(content(user message)))
/// ```
#[derive(Default)]
pub struct Fingerprint {
    scanner: Scanner,
    seen: Conversation,
    /// Whether the body's first byte was read.
    has_begun: bool,
    result: FingerprintResult,
}

#[derive(Default)]
enum FingerprintResult {
    #[default]
    Unknown,
    Absent,
    Found(Hash),
}

impl Fingerprint {
    /// Reads the next chunk of the body.
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
            let hash = self.seen.fingerprint();
            self.result = hash.map_or(FingerprintResult::Absent, FingerprintResult::Found);
        } else if self.scanner.is_broken() {
            self.finish();
        }
    }

    /// Ends the body: it has ended, or its rest is not read.
    pub fn finish(&mut self) {
        if self.wants_more() {
            self.result = FingerprintResult::Absent;
        }
    }

    /// Whether more of the body can change the result.
    #[must_use]
    pub fn wants_more(&self) -> bool {
        matches!(self.result, FingerprintResult::Unknown)
    }

    /// The fingerprint, of [`FINGERPRINT_BYTES`]. Absent if the body is not a JSON object, is invalid, ended before the
    /// fingerprint was known, or has no user message with content.
    #[must_use]
    pub fn get(&self) -> Fact<'_> {
        match &self.result {
            FingerprintResult::Unknown => Fact::Unknown,
            FingerprintResult::Absent => Fact::Absent,
            FingerprintResult::Found(hash) => Fact::Found(hash),
        }
    }
}

/// Two murmur3 hashes of the same bytes.
type Hash = [u8; FINGERPRINT_BYTES];

/// Computes a hash.
struct Hasher([Murmur3; 2]);

impl Default for Hasher {
    fn default() -> Hasher {
        Hasher(SEEDS.map(Murmur3::new))
    }
}

impl Hasher {
    fn push(&mut self, bytes: &[u8]) {
        self.0.iter_mut().for_each(|hash| hash.push(bytes));
    }

    fn finish(&self) -> Hash {
        let [low, high] = self.0.each_ref().map(|hash| u64::from(hash.finish()));
        (low | high << 32).to_le_bytes()
    }
}

/// Computes the hash of content that may be empty.
#[derive(Default)]
struct ContentHasher(Option<Hasher>);

impl ContentHasher {
    fn push(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.0.get_or_insert_default().push(bytes);
        }
    }

    /// The hash, unless the content is empty. The next content begins.
    fn take(&mut self) -> Option<Hash> {
        self.0.take().map(|hash| hash.finish())
    }
}

#[derive(Clone, Copy)]
enum Role {
    System,
    User,
    Other,
}

/// What the body has shown of the conversation.
#[derive(Default)]
struct Conversation {
    /// Of the current section.
    content: ContentHasher,
    /// Of the current message.
    role: Option<Role>,
    /// Inside an attachment.
    is_attachment: bool,
    /// Of the hashes of the system messages before the first user message.
    system_messages: ContentHasher,
    /// The system text beside the messages.
    system: Option<Hash>,
    /// The first user message.
    user: Option<Hash>,
    /// Cohere v1's message, which is the first user message if the history has none.
    last_message: Option<Hash>,
    is_whole: bool,
}

impl Conversation {
    /// Whether no later byte can change the fingerprint. After the first user message system messages do not count. If
    /// there was one before it, no other system text counts.
    fn is_decided(&self) -> bool {
        let has_system = self.system.is_some() || self.system_messages.0.is_some();
        self.is_whole || self.user.is_some() && has_system
    }

    fn fingerprint(&self) -> Option<Hash> {
        let user = self.user.or(self.last_message)?;
        let mut beside = Hasher::default();
        self.system.iter().for_each(|hash| beside.push(hash));
        let system = self.system_messages.0.as_ref().unwrap_or(&beside);
        let mut fingerprint = Hasher::default();
        fingerprint.push(SYSTEM);
        fingerprint.push(&system.finish());
        fingerprint.push(USER);
        fingerprint.push(&user);
        Some(fingerprint.finish())
    }

    /// Whether the content of a section can still matter.
    fn is_wanted(&self, section: Section) -> bool {
        match section {
            Section::System => self.system.is_none(),
            Section::LastMessage => self.last_message.is_none(),
            Section::Message | Section::GeminiMessage | Section::Input => self.user.is_none(),
        }
    }

    /// Ends the current section.
    fn end(&mut self, section: Section) {
        let role = self.role.take();
        let Some(content) = self.content.take() else { return };
        match (section, role) {
            (Section::System, _) => self.system = Some(content),
            (Section::LastMessage, _) => self.last_message = Some(content),
            (Section::Message | Section::GeminiMessage, Some(Role::System)) => {
                self.system_messages.push(&content);
            }
            (Section::Message | Section::GeminiMessage, Some(Role::User))
            | (Section::GeminiMessage, None)
            | (Section::Input, _) => self.user = Some(content),
            (Section::Message | Section::GeminiMessage, Some(Role::Other)) | (Section::Message, None) => {}
        }
    }
}

impl Sink<MessageField> for Conversation {
    fn value(&mut self, field: MessageField, value: Value<'_>) {
        if self.is_whole {
            return; // what follows the document does not count
        }
        match (field, value) {
            (MessageField::Whole(_), Value::Open) => {
                self.content = ContentHasher::default();
                self.role = None;
            }
            (MessageField::Whole(section) | MessageField::Text(section), Value::Text(text))
                if self.is_wanted(section) =>
            {
                self.content.push(text);
            }
            (MessageField::Attachment(section), Value::Text(text)) if self.is_wanted(section) => {
                self.is_attachment |= !text.is_empty();
                self.content.push(text);
            }
            (MessageField::Attachment(_), Value::Close) if core::mem::take(&mut self.is_attachment) => {
                self.content.push(ATTACHMENT_END);
            }
            (MessageField::Whole(section), Value::Close) => self.end(section),
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
                MessageField::Whole(_)
                | MessageField::Text(_)
                | MessageField::Attachment(_)
                | MessageField::Role,
                _,
            ) => {}
        }
    }

    fn document(&mut self) {
        self.is_whole = true;
    }
}
