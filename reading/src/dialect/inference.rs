//! The native APIs of inference servers: TGI, SGLang, Triton, and KServe's protocols of version 1 and 2.

use super::definition::{Dialect, when_done_or_each_finished};
use super::meaning::{BlockKind, Meaning};
use super::vocabulary::NONE;
use crate::json::PathTable;

/// Hugging Face's text-generation-inference (TGI). The last event repeats the whole text.
pub(super) static TGI: Dialect = Dialect {
    name: |_| "tgi",
    signatures: &["token.text", "generated_text"],
    table: PathTable::new(&[&[
        ("token", Meaning::Block),
        ("token.text", Meaning::Text(0)),
        ("token.special", Meaning::IsSpecial),
        ("generated_text", Meaning::Text(1)),
        ("details.finish_reason", Meaning::Finish),
        ("details.generated_tokens", Meaning::OutputTokens),
        ("details.input_length", Meaning::InputTokens),
        ("details.prefill[]", Meaning::ListedInputToken),
        ("error", Meaning::Error),
    ]]),
    finish_reasons: &[],
    types: &[],
    is_finished: when_done_or_each_finished,
    is_answer: |_| true,
};

/// SGLang's `/generate`. Each event has the whole text of an answer up to now, or with an option what is new. For a list
/// of prompts, a stream's events have an `index`, and a whole body is an array (tokenizer_manager.py,
/// `_handle_batch_request`).
pub(super) static SGLANG: Dialect = Dialect {
    name: |_| "sglang",
    signatures: &["meta_info"],
    table: PathTable::new(&[&[
        ("index", Meaning::ChoiceIndex),
        ("text", Meaning::CumulativeText),
        ("meta_info.finish_reason", Meaning::Finish),
        ("meta_info.finish_reason.type", Meaning::Finish),
        ("meta_info.prompt_tokens", Meaning::InputTokens),
        ("meta_info.completion_tokens", Meaning::OutputTokens),
        ("meta_info.cached_tokens", Meaning::CachedInputTokens),
        ("error", Meaning::Error),
    ]]),
    finish_reasons: &[],
    types: &[],
    is_finished: when_done_or_each_finished,
    is_answer: |_| true,
};

/// Triton's generate and generate_stream, and inference by KServe's version 2 protocol. They report neither usage
/// nor a finish reason, except as extra outputs that a client asks for.
pub(super) static TRITON: Dialect = Dialect {
    name: |_| "triton",
    signatures: &["text_output", "model_version", "outputs[].datatype"],
    table: PathTable::new(&[&[
        ("text_output", Meaning::Text(0)),
        ("text_output[]", Meaning::ListedText(0)),
        ("outputs[]", Meaning::Block),
        ("outputs[].name", Meaning::Type),
        ("outputs[].data[]", Meaning::ListedText(1)),
        // Extra outputs of Triton's vLLM backend (`docs/additional_outputs.md` there). Each response has the number of
        // its own output tokens, and the reason `None` until the last.
        ("finish_reason", Meaning::Finish),
        ("num_input_tokens", Meaning::InputTokens),
        ("num_output_tokens", Meaning::AddedOutputTokens),
        ("model_version", Meaning::Model),
        ("error", Meaning::Error),
    ]]),
    finish_reasons: &[("none", NONE)],
    // Extra outputs whose text is not the answer's (vllm_backend: src/model.py).
    types: &[("finish_reason", BlockKind::Ignored), ("logprobs", BlockKind::Ignored)],
    is_finished: |facts| facts.is_each_choice_finished().then_some(true),
    // The protocol also serves models whose outputs are numbers: embeddings, scores, classes.
    is_answer: |facts| facts.error || facts.has_text_field(),
};

/// KServe's version 1 protocol, which is TensorFlow Serving's: predictions of any shape. Those that are strings or have a
/// text are answers (Vertex's model garden, MLflow, Hugging Face's pipelines); others are classes, numbers or images.
pub(super) static KSERVE_V1: Dialect = Dialect {
    name: |_| "kserve-v1",
    signatures: &[
        "predictions[]=*",
        "predictions[].text=*",
        "predictions[].generated_text",
        "predictions[][].generated_text",
        "predictions[].output_text",
        "predictions[].content=*",
        "predictions[].candidates",
    ],
    table: PathTable::new(&[&[
        ("predictions[]", Meaning::ListedText(1)),
        ("predictions[].text", Meaning::ListedText(0)),
        ("predictions[].generated_text", Meaning::ListedText(0)),
        ("predictions[][].generated_text", Meaning::ListedText(0)),
        ("predictions[].output_text", Meaning::ListedText(0)),
        ("predictions[].content", Meaning::ListedText(0)),
        // Vertex: PaLM's chat.
        ("predictions[].candidates[].content", Meaning::ListedText(0)),
        ("metadata.tokenMetadata.inputTokenCount.totalTokens", Meaning::InputTokens),
        ("metadata.tokenMetadata.outputTokenCount.totalTokens", Meaning::OutputTokens),
        ("model_name", Meaning::Model),
        ("error", Meaning::Error),
    ]]),
    finish_reasons: &[],
    types: &[],
    is_finished: |_| None,
    is_answer: |facts| facts.error || facts.has_text_field(),
};
