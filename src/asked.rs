//! What a request asks for, as far as the defects of its answer depend on it: which tools it offers, and whether it
//! asks for JSON. In: the body, in chunks of any size.
//!
//! Known is what a whole body says. Of names only hashes are kept, and of other values nothing. These paths are read:
//!
//! * tools: `tools[]` of OpenAI (chat completions and Responses, with namespaces and tools that were loaded later),
//!   Anthropic, Ollama, Cohere, Mistral and Gemini; `functions[]`, OpenAI's older ones; Bedrock's `toolConfig.tools[]`;
//! * JSON: `response_format` (OpenAI, and most that follow it; Cohere; Gemini's interactions), `text.format` (Responses),
//!   `output_config.format` and `output_format` (Anthropic), `generationConfig.responseMimeType` (Gemini),
//!   `outputConfig.textFormat` (Bedrock), `format` (Ollama), and the parameters of vLLM, SGLang, llama.cpp and TGI.

#[cfg(test)]
mod tests;

use crate::defect::Asked;
use crate::json::{self, LazyTable, Scanner, Sink, Table, Value};

/// A body is read up to this length. Of a longer one nothing is known.
pub const BODY_BYTES_READ_MAX: u64 = 8 * 1024 * 1024;

#[derive(Clone, Copy)]
enum AskedField {
    /// A tool that is offered.
    Tool,
    /// The name by which a tool is called.
    Name,
    /// A word for the format of the answer.
    Format,
    /// The same as a media type.
    MediaType,
    /// A schema for the answer, or the word `json`.
    Schema,
    /// A prompt that the server keeps, with tools that are not known.
    StoredPrompt,
}

impl json::Field for AskedField {
    fn is_text(self) -> bool {
        false
    }
}

const PATHS: &[(&str, AskedField)] = &[
    ("tools[]", AskedField::Tool),
    ("tools[].name", AskedField::Name), // Anthropic, OpenAI Responses, Cohere v1, Gemini's interactions
    ("tools[].function.name", AskedField::Name), // OpenAI chat completions, Ollama, Cohere v2, Mistral
    ("tools[].custom.name", AskedField::Name),
    ("tools[].tools[].name", AskedField::Name), // a namespace of the Responses API
    ("tools[].functionDeclarations[].name", AskedField::Name), // Gemini
    ("tools[].function_declarations[].name", AskedField::Name),
    ("tools.functionDeclarations", AskedField::Tool),
    ("tools.functionDeclarations[].name", AskedField::Name),
    ("tools.function_declarations", AskedField::Tool),
    ("tools.function_declarations[].name", AskedField::Name),
    ("functions[]", AskedField::Tool),
    ("functions[].name", AskedField::Name),
    ("toolConfig.tools[].toolSpec", AskedField::Tool), // Bedrock
    ("toolConfig.tools[].systemTool", AskedField::Tool),
    ("toolConfig.tools[].toolSpec.name", AskedField::Name),
    ("toolConfig.tools[].systemTool.name", AskedField::Name),
    // Tools that a client loaded in an earlier turn.
    ("input[].tools[].name", AskedField::Name),
    ("input[].tools[].tools[].name", AskedField::Name),
    ("request.tools[]", AskedField::Tool), // Gemini's Code Assist wraps a request
    ("request.tools[].functionDeclarations[].name", AskedField::Name),
    ("request.generationConfig.responseMimeType", AskedField::MediaType),
    ("prompt.id", AskedField::StoredPrompt),
    ("response_format", AskedField::Format), // a word, in some servers
    ("response_format.type", AskedField::Format),
    ("response_format.json_schema", AskedField::Schema),
    ("response_format.mime_type", AskedField::MediaType),
    ("response_format[].type", AskedField::Format),
    ("response_format[].mime_type", AskedField::MediaType),
    ("response_mime_type", AskedField::MediaType),
    ("text.format.type", AskedField::Format),
    ("output_config.format.type", AskedField::Format),
    ("output_format.type", AskedField::Format),
    ("outputConfig.textFormat.type", AskedField::Format),
    ("generationConfig.responseMimeType", AskedField::MediaType),
    ("generationConfig.response_mime_type", AskedField::MediaType),
    ("generation_config.responseMimeType", AskedField::MediaType),
    ("generation_config.response_mime_type", AskedField::MediaType),
    ("format", AskedField::Schema),                  // Ollama
    ("guided_json", AskedField::Schema),             // vLLM
    ("structured_outputs.json", AskedField::Schema), // vLLM
    ("structured_outputs.json_object", AskedField::Schema),
    ("json_schema", AskedField::Schema), // llama.cpp, SGLang
    ("sampling_params.json_schema", AskedField::Schema), // SGLang
    ("parameters.grammar.type", AskedField::Format), // TGI
    ("parameters.response_format.type", AskedField::Format),
    // Bedrock hands these on to the model.
    ("additionalModelRequestFields.response_format.type", AskedField::Format),
    ("additionalModelRequestFields.output_config.format.type", AskedField::Format),
];

/// Words for a format that is JSON.
const JSON_FORMATS: [&[u8]; 4] = [b"json_object", b"json_schema", b"jsonSchema", b"json"];
const JSON_MEDIA_TYPE: &[u8] = b"application/json";

static TABLE: LazyTable<AskedField> = LazyTable::new(|| Table::compile(PATHS));

/// Reads the body of one request.
#[derive(Default)]
pub struct AskedReader {
    scanner: Scanner,
    seen: Seen,
    read_bytes: u64,
    /// `None` until the body's first byte.
    is_object: Option<bool>,
}

#[derive(Default)]
struct Seen {
    asked: Asked,
    has_tools: bool,
    has_stored_prompt: bool,
    is_whole: bool,
}

/// What a body asks for.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// What the detectors of defects have to know.
    pub asked: Asked,
    /// The request offers at least one tool, of any kind.
    pub has_tools: bool,
}

impl AskedReader {
    /// Reads the next chunk of the body.
    #[expect(clippy::arithmetic_side_effects, reason = "no body has 2^64 bytes")]
    pub fn push(&mut self, bytes: &[u8]) {
        self.read_bytes += bytes.len() as u64;
        let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
        self.is_object = self.is_object.or(first.map(|&byte| byte == b'{'));
        if self.wants_more() {
            self.scanner.push(&TABLE, bytes, &mut self.seen);
        }
    }

    /// Whether more of the body can change the result.
    #[must_use]
    pub fn wants_more(&self) -> bool {
        let is_other = self.is_object == Some(false);
        !(is_other || self.seen.is_whole || self.read_bytes > BODY_BYTES_READ_MAX)
    }

    /// What the body asks for. `None` unless it is a whole JSON object that was read.
    #[must_use]
    pub fn get(&self) -> Option<Request> {
        let Seen { asked, has_tools, has_stored_prompt, is_whole } = self.seen;
        // The stored prompt may have tools of its own.
        let asked = if has_stored_prompt { Asked { json: asked.json, ..Asked::default() } } else { asked };
        is_whole.then_some(Request { asked, has_tools })
    }
}

impl Sink<AskedField> for Seen {
    fn value(&mut self, field: AskedField, value: Value<'_>) {
        match (field, value) {
            _ if self.is_whole => {} // what follows the document does not count
            (_, Value::Close | Value::Text(_) | Value::Scalar(b"null" | b"false") | Value::Short(b"")) => {}
            (AskedField::Tool, Value::Open) => self.has_tools = true,
            (AskedField::Name, Value::Short(name)) => self.asked.names.add(name),
            (AskedField::Format, Value::Short(word)) => self.asked.json |= JSON_FORMATS.contains(&word),
            (AskedField::MediaType, Value::Short(media_type)) => {
                self.asked.json |= media_type.starts_with(JSON_MEDIA_TYPE);
            }
            (AskedField::Schema, Value::Open | Value::Scalar(b"true")) => self.asked.json = true,
            // A schema as text, or a word.
            (AskedField::Schema, Value::Short(word)) => {
                self.asked.json |= word == b"json" || word.trim_ascii_start().starts_with(b"{");
            }
            (AskedField::StoredPrompt, Value::Short(_)) => self.has_stored_prompt = true,
            _ => {}
        }
    }

    fn document(&mut self) {
        self.is_whole = true;
    }
}
