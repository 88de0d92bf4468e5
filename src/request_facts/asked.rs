//! What a request asks for, as far as the defects of its answer depend on it: which tools it offers, and whether it
//! asks for JSON.
//!
//! Known is what a whole body says. These paths are read:
//!
//! * tools: `tools[]` of OpenAI (chat completions and Responses, with namespaces and tools that were loaded later),
//!   Anthropic, Ollama, Cohere, Mistral and Gemini; `functions[]`, OpenAI's older ones; Bedrock's `toolConfig.tools[]`;
//! * JSON: `response_format` (OpenAI, and most that follow it; Cohere; Gemini's interactions), `text.format` (Responses),
//!   `output_config.format` and `output_format` (Anthropic), `generationConfig.responseMimeType` (Gemini),
//!   `outputConfig.textFormat` (Bedrock), `format` (Ollama), and the parameters of vLLM, SGLang, llama.cpp and TGI.

#[cfg(test)]
mod tests;

use super::Field;
use crate::defect::Asked;
use crate::json::Value;

#[derive(Clone, Copy)]
pub(super) enum AskedField {
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

pub(super) const PATHS: &[(&str, Field)] = &[
    ("tools[]", Field::Asked(AskedField::Tool)),
    ("tools[].name", Field::Asked(AskedField::Name)), // Anthropic, OpenAI Responses, Cohere v1, Gemini's interactions
    ("tools[].function.name", Field::Asked(AskedField::Name)), // OpenAI chat completions, Ollama, Cohere v2, Mistral
    ("tools[].custom.name", Field::Asked(AskedField::Name)),
    ("tools[].tools[].name", Field::Asked(AskedField::Name)), // a namespace of the Responses API
    ("tools[].functionDeclarations[].name", Field::Asked(AskedField::Name)), // Gemini
    ("tools[].function_declarations[].name", Field::Asked(AskedField::Name)),
    ("tools.functionDeclarations", Field::Asked(AskedField::Tool)),
    ("tools.functionDeclarations[].name", Field::Asked(AskedField::Name)),
    ("tools.function_declarations", Field::Asked(AskedField::Tool)),
    ("tools.function_declarations[].name", Field::Asked(AskedField::Name)),
    ("functions[]", Field::Asked(AskedField::Tool)),
    ("functions[].name", Field::Asked(AskedField::Name)),
    ("toolConfig.tools[].toolSpec", Field::Asked(AskedField::Tool)), // Bedrock
    ("toolConfig.tools[].systemTool", Field::Asked(AskedField::Tool)),
    ("toolConfig.tools[].toolSpec.name", Field::Asked(AskedField::Name)),
    ("toolConfig.tools[].systemTool.name", Field::Asked(AskedField::Name)),
    // Tools that a client loaded in an earlier turn.
    ("input[].tools[].name", Field::Asked(AskedField::Name)),
    ("input[].tools[].tools[].name", Field::Asked(AskedField::Name)),
    ("request.tools[]", Field::Asked(AskedField::Tool)), // Gemini's Code Assist wraps a request
    ("request.tools[].functionDeclarations[].name", Field::Asked(AskedField::Name)),
    ("request.generationConfig.responseMimeType", Field::Asked(AskedField::MediaType)),
    ("prompt.id", Field::Asked(AskedField::StoredPrompt)),
    ("response_format", Field::Asked(AskedField::Format)), // a word, in some servers
    ("response_format.type", Field::Asked(AskedField::Format)),
    ("completion_args.response_format.type", Field::Asked(AskedField::Format)), // Mistral's conversations
    ("response_format.json_schema", Field::Asked(AskedField::Schema)),
    ("response_format.mime_type", Field::Asked(AskedField::MediaType)),
    ("response_format[].type", Field::Asked(AskedField::Format)),
    ("response_format[].mime_type", Field::Asked(AskedField::MediaType)),
    ("response_mime_type", Field::Asked(AskedField::MediaType)),
    ("text.format.type", Field::Asked(AskedField::Format)),
    ("output_config.format.type", Field::Asked(AskedField::Format)),
    ("output_format.type", Field::Asked(AskedField::Format)),
    ("outputConfig.textFormat.type", Field::Asked(AskedField::Format)),
    ("generationConfig.responseMimeType", Field::Asked(AskedField::MediaType)),
    ("generationConfig.response_mime_type", Field::Asked(AskedField::MediaType)),
    ("generation_config.responseMimeType", Field::Asked(AskedField::MediaType)),
    ("generation_config.response_mime_type", Field::Asked(AskedField::MediaType)),
    ("format", Field::Asked(AskedField::Schema)),      // Ollama
    ("guided_json", Field::Asked(AskedField::Schema)), // vLLM
    ("structured_outputs.json", Field::Asked(AskedField::Schema)), // vLLM
    ("structured_outputs.json_object", Field::Asked(AskedField::Schema)),
    ("json_schema", Field::Asked(AskedField::Schema)), // llama.cpp, SGLang
    ("sampling_params.json_schema", Field::Asked(AskedField::Schema)), // SGLang
    ("parameters.grammar.type", Field::Asked(AskedField::Format)), // TGI
    ("parameters.response_format.type", Field::Asked(AskedField::Format)),
    // Bedrock hands these on to the model.
    ("additionalModelRequestFields.response_format.type", Field::Asked(AskedField::Format)),
    ("additionalModelRequestFields.output_config.format.type", Field::Asked(AskedField::Format)),
];

/// Words for a format that is JSON.
const JSON_FORMATS: [&[u8]; 4] = [b"json_object", b"json_schema", b"jsonSchema", b"json"];
const JSON_MEDIA_TYPE: &[u8] = b"application/json";

#[derive(Default)]
pub(super) struct AskedFacts {
    asked: Asked,
    pub(super) has_tools: bool,
    has_stored_prompt: bool,
}

impl AskedFacts {
    /// What the detectors of defects have to know.
    pub(super) fn get(&self) -> Asked {
        // The stored prompt may have tools of its own.
        if self.has_stored_prompt {
            Asked { json: self.asked.json, ..Asked::default() }
        } else {
            self.asked.clone()
        }
    }

    pub(super) fn json(&self) -> bool {
        self.asked.json
    }

    pub(super) fn value(&mut self, field: AskedField, value: Value<'_>) {
        match (field, value) {
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
}
