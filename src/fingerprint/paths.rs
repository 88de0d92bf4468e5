//! Where an opening stands in the bodies of each API.

use crate::json::{self, LazyTable, Table};

/// What a path means.
#[derive(Clone, Copy)]
pub(super) enum MessageField {
    /// All of what stands in a place: its string is text, and its end ends it.
    Whole(Place),
    Text(Place),
    /// An image's or a file's data, address or id.
    Datum(Place),
    /// Who says a message.
    Role,
}

/// What a text belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// A system text beside the messages.
    System,
    /// A message of a history, which counts by its role.
    Message,
    /// The same where a message without a role is the user's (Gemini).
    Turn,
    /// Responses' input, which may be the user's only message.
    Input,
    /// Cohere v1's message, which follows its history.
    LastMessage,
}

impl json::Field for MessageField {
    fn is_text(self) -> bool {
        !matches!(self, MessageField::Role)
    }

    fn wants_text_end(self) -> bool {
        true
    }
}

/// Content that is a string, or parts as OpenAI, Anthropic, Bedrock and Cohere write them.
macro_rules! content {
    ($at:literal, $place:expr) => {
        [
            (concat!($at, ""), MessageField::Text($place)),
            (concat!($at, "[]"), MessageField::Text($place)),
            (concat!($at, "[].text"), MessageField::Text($place)),
            // OpenAI's chat completions and Responses, Cohere
            (concat!($at, "[].image_url"), MessageField::Datum($place)),
            (concat!($at, "[].image_url.url"), MessageField::Datum($place)),
            (concat!($at, "[].input_audio.data"), MessageField::Datum($place)),
            (concat!($at, "[].file.file_data"), MessageField::Datum($place)),
            (concat!($at, "[].file.file_id"), MessageField::Datum($place)),
            (concat!($at, "[].file_data"), MessageField::Datum($place)),
            (concat!($at, "[].file_id"), MessageField::Datum($place)),
            (concat!($at, "[].file_url"), MessageField::Datum($place)),
            // vLLM and others
            (concat!($at, "[].video_url.url"), MessageField::Datum($place)),
            (concat!($at, "[].audio_url.url"), MessageField::Datum($place)),
            // Anthropic
            (concat!($at, "[].source.data"), MessageField::Datum($place)),
            (concat!($at, "[].source.url"), MessageField::Datum($place)),
            (concat!($at, "[].source.file_id"), MessageField::Datum($place)),
            // Bedrock
            (concat!($at, "[].image.source.bytes"), MessageField::Datum($place)),
            (concat!($at, "[].document.source.bytes"), MessageField::Datum($place)),
        ]
    };
}

/// Gemini's parts; a single one may stand without its array.
macro_rules! parts {
    ($at:literal, $place:expr) => {
        [
            (concat!($at, ".parts.text"), MessageField::Text($place)),
            (concat!($at, ".parts[].text"), MessageField::Text($place)),
            (concat!($at, ".parts[].inlineData.data"), MessageField::Datum($place)),
            (concat!($at, ".parts[].inline_data.data"), MessageField::Datum($place)),
            (concat!($at, ".parts[].fileData.fileUri"), MessageField::Datum($place)),
            (concat!($at, ".parts[].file_data.file_uri"), MessageField::Datum($place)),
        ]
    };
}

/// Wholes come before the contents that begin at the same path: the first meaning of a path holds.
const PLACES: &[(&str, MessageField)] = &[
    ("system", MessageField::Whole(Place::System)),
    ("instructions", MessageField::Whole(Place::System)),
    ("systemInstruction", MessageField::Whole(Place::System)),
    ("system_instruction", MessageField::Whole(Place::System)),
    ("preamble", MessageField::Whole(Place::System)),
    ("messages[]", MessageField::Whole(Place::Message)),
    ("messages[].role", MessageField::Role),
    ("messages[].images[]", MessageField::Datum(Place::Message)), // Ollama
    ("input", MessageField::Whole(Place::Input)),
    ("input[]", MessageField::Whole(Place::Message)),
    ("input[].role", MessageField::Role),
    ("contents", MessageField::Whole(Place::Turn)),
    ("contents.role", MessageField::Role),
    ("contents[]", MessageField::Whole(Place::Turn)),
    ("contents[].role", MessageField::Role),
    ("chat_history[]", MessageField::Whole(Place::Message)),
    ("chat_history[].role", MessageField::Role),
    ("chat_history[].message", MessageField::Text(Place::Message)),
    ("message", MessageField::Whole(Place::LastMessage)),
];

pub(super) static TABLE: LazyTable<MessageField> = LazyTable::new(|| {
    let places: [&[(&str, MessageField)]; 8] = [
        PLACES,
        &content!("system", Place::System),
        &content!("messages[].content", Place::Message),
        &content!("input[].content", Place::Message),
        &parts!("systemInstruction", Place::System),
        &parts!("system_instruction", Place::System),
        &parts!("contents", Place::Turn),
        &parts!("contents[]", Place::Turn),
    ];
    Table::compile(&places.concat())
});
