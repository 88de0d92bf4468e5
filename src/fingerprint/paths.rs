//! Paths of the system prompt and the messages in the request bodies of each API.

use crate::json::{self, LazyTable, Table};

/// What a path means.
#[derive(Clone, Copy)]
pub(super) enum MessageField {
    /// A whole section. A string there is text, and its end ends the section.
    Whole(Section),
    /// Text of a section.
    Text(Section),
    /// An image or a file of a section: its data, address or id.
    Attachment(Section),
    /// The role of a message.
    Role,
}

/// The part of a conversation that a value belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    /// A system text beside the messages.
    System,
    /// A message of the history, with a role.
    Message,
    /// A message of Gemini's history. Without a role it is the user's.
    GeminiMessage,
    /// `input` of the Responses API, which may be the user's only message.
    Input,
    /// `message` of Cohere v1, which follows its history.
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

/// The content of a message: a string, or a list of parts (OpenAI, Anthropic, Bedrock, Cohere).
macro_rules! content {
    ($at:literal, $section:expr) => {
        [
            (concat!($at, ""), MessageField::Text($section)),
            (concat!($at, "[]"), MessageField::Text($section)),
            (concat!($at, "[].text"), MessageField::Text($section)),
            // OpenAI's chat completions and Responses, Cohere
            (concat!($at, "[].image_url"), MessageField::Attachment($section)),
            (concat!($at, "[].image_url.url"), MessageField::Attachment($section)),
            (concat!($at, "[].input_audio.data"), MessageField::Attachment($section)),
            (concat!($at, "[].file.file_data"), MessageField::Attachment($section)),
            (concat!($at, "[].file.file_id"), MessageField::Attachment($section)),
            (concat!($at, "[].file_data"), MessageField::Attachment($section)),
            (concat!($at, "[].file_id"), MessageField::Attachment($section)),
            (concat!($at, "[].file_url"), MessageField::Attachment($section)),
            // vLLM and others
            (concat!($at, "[].video_url.url"), MessageField::Attachment($section)),
            (concat!($at, "[].audio_url.url"), MessageField::Attachment($section)),
            // Anthropic
            (concat!($at, "[].source.data"), MessageField::Attachment($section)),
            (concat!($at, "[].source.url"), MessageField::Attachment($section)),
            (concat!($at, "[].source.file_id"), MessageField::Attachment($section)),
            // Bedrock
            (concat!($at, "[].image.source.bytes"), MessageField::Attachment($section)),
            (concat!($at, "[].document.source.bytes"), MessageField::Attachment($section)),
        ]
    };
}

/// Gemini's parts: a list, or a single part.
macro_rules! parts {
    ($at:literal, $section:expr) => {
        [
            (concat!($at, ".parts.text"), MessageField::Text($section)),
            (concat!($at, ".parts[].text"), MessageField::Text($section)),
            (concat!($at, ".parts[].inlineData.data"), MessageField::Attachment($section)),
            (concat!($at, ".parts[].inline_data.data"), MessageField::Attachment($section)),
            (concat!($at, ".parts[].fileData.fileUri"), MessageField::Attachment($section)),
            (concat!($at, ".parts[].file_data.file_uri"), MessageField::Attachment($section)),
        ]
    };
}

/// A table keeps the first meaning of a path, so these come before the contents.
const SECTIONS: &[(&str, MessageField)] = &[
    ("system", MessageField::Whole(Section::System)),
    ("instructions", MessageField::Whole(Section::System)),
    ("systemInstruction", MessageField::Whole(Section::System)),
    ("system_instruction", MessageField::Whole(Section::System)),
    ("preamble", MessageField::Whole(Section::System)),
    ("messages[]", MessageField::Whole(Section::Message)),
    ("messages[].role", MessageField::Role),
    ("messages[].images[]", MessageField::Attachment(Section::Message)), // Ollama
    ("input", MessageField::Whole(Section::Input)),
    ("input[]", MessageField::Whole(Section::Message)),
    ("input[].role", MessageField::Role),
    ("contents", MessageField::Whole(Section::GeminiMessage)),
    ("contents.role", MessageField::Role),
    ("contents[]", MessageField::Whole(Section::GeminiMessage)),
    ("contents[].role", MessageField::Role),
    ("chat_history[]", MessageField::Whole(Section::Message)),
    ("chat_history[].role", MessageField::Role),
    ("chat_history[].message", MessageField::Text(Section::Message)),
    ("message", MessageField::Whole(Section::LastMessage)),
];

pub(super) static TABLE: LazyTable<MessageField> = LazyTable::new(|| {
    let paths: [&[(&str, MessageField)]; 8] = [
        SECTIONS,
        &content!("system", Section::System),
        &content!("messages[].content", Section::Message),
        &content!("input[].content", Section::Message),
        &parts!("systemInstruction", Section::System),
        &parts!("system_instruction", Section::System),
        &parts!("contents", Section::GeminiMessage),
        &parts!("contents[]", Section::GeminiMessage),
    ];
    Table::compile(&paths.concat())
});
