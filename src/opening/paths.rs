//! Where an opening stands in the bodies of each API.

use crate::json::{self, LazyTable, Table};

/// What a path means.
#[derive(Clone, Copy)]
pub(super) enum Field {
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

impl json::Field for Field {
    fn is_text(self) -> bool {
        !matches!(self, Field::Role)
    }

    fn wants_text_end(self) -> bool {
        true
    }
}

/// Content that is a string, or parts as OpenAI, Anthropic, Bedrock and Cohere write them.
macro_rules! content {
    ($at:literal, $place:expr) => {
        [
            (concat!($at, ""), Field::Text($place)),
            (concat!($at, "[]"), Field::Text($place)),
            (concat!($at, "[].text"), Field::Text($place)),
            // OpenAI's chat completions and Responses, Cohere
            (concat!($at, "[].image_url"), Field::Datum($place)),
            (concat!($at, "[].image_url.url"), Field::Datum($place)),
            (concat!($at, "[].input_audio.data"), Field::Datum($place)),
            (concat!($at, "[].file.file_data"), Field::Datum($place)),
            (concat!($at, "[].file.file_id"), Field::Datum($place)),
            (concat!($at, "[].file_data"), Field::Datum($place)),
            (concat!($at, "[].file_id"), Field::Datum($place)),
            (concat!($at, "[].file_url"), Field::Datum($place)),
            // vLLM and others
            (concat!($at, "[].video_url.url"), Field::Datum($place)),
            (concat!($at, "[].audio_url.url"), Field::Datum($place)),
            // Anthropic
            (concat!($at, "[].source.data"), Field::Datum($place)),
            (concat!($at, "[].source.url"), Field::Datum($place)),
            (concat!($at, "[].source.file_id"), Field::Datum($place)),
            // Bedrock
            (concat!($at, "[].image.source.bytes"), Field::Datum($place)),
            (concat!($at, "[].document.source.bytes"), Field::Datum($place)),
        ]
    };
}

/// Gemini's parts; a single one may stand without its array.
macro_rules! parts {
    ($at:literal, $place:expr) => {
        [
            (concat!($at, ".parts.text"), Field::Text($place)),
            (concat!($at, ".parts[].text"), Field::Text($place)),
            (concat!($at, ".parts[].inlineData.data"), Field::Datum($place)),
            (concat!($at, ".parts[].inline_data.data"), Field::Datum($place)),
            (concat!($at, ".parts[].fileData.fileUri"), Field::Datum($place)),
            (concat!($at, ".parts[].file_data.file_uri"), Field::Datum($place)),
        ]
    };
}

/// Wholes come before the contents that begin at the same path: the first meaning of a path holds.
const PLACES: &[(&str, Field)] = &[
    ("system", Field::Whole(Place::System)),
    ("instructions", Field::Whole(Place::System)),
    ("systemInstruction", Field::Whole(Place::System)),
    ("system_instruction", Field::Whole(Place::System)),
    ("preamble", Field::Whole(Place::System)),
    ("messages[]", Field::Whole(Place::Message)),
    ("messages[].role", Field::Role),
    ("messages[].images[]", Field::Datum(Place::Message)), // Ollama
    ("input", Field::Whole(Place::Input)),
    ("input[]", Field::Whole(Place::Message)),
    ("input[].role", Field::Role),
    ("contents", Field::Whole(Place::Turn)),
    ("contents.role", Field::Role),
    ("contents[]", Field::Whole(Place::Turn)),
    ("contents[].role", Field::Role),
    ("chat_history[]", Field::Whole(Place::Message)),
    ("chat_history[].role", Field::Role),
    ("chat_history[].message", Field::Text(Place::Message)),
    ("message", Field::Whole(Place::LastMessage)),
];

pub(super) static TABLE: LazyTable<Field> = LazyTable::new(|| {
    let places: [&[(&str, Field)]; 8] = [
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
