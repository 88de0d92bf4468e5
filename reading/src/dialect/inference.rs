//! The native APIs of inference servers: TGI, SGLang, Triton and KServe's version 2.

use super::{Dialect, Field, LazyTable, Table, when_done_or_each_finished};

/// Hugging Face's text-generation-inference. The last event repeats the whole text.
pub(super) static TGI: Dialect = Dialect {
    name: |_| "tgi",
    marks: &["token.text", "generated_text"],
    table: LazyTable::new(|| {
        Table::compile(&[
            ("token", Field::Block),
            ("token.text", Field::Text(0)),
            ("token.special", Field::IsSpecial),
            ("generated_text", Field::Text(1)),
            ("details.finish_reason", Field::Finish),
            ("details.generated_tokens", Field::OutputTokens),
            ("details.input_length", Field::InputTokens),
            ("details.prefill[]", Field::InputToken),
            ("error", Field::Error),
        ])
    }),
    finishes: &[],
    kinds: &[],
    is_finished: when_done_or_each_finished,
};

/// SGLang's `/generate`. Each event holds all of the text so far.
pub(super) static SGLANG: Dialect = Dialect {
    name: |_| "sglang",
    marks: &["meta_info"],
    table: LazyTable::new(|| {
        Table::compile(&[
            ("text", Field::TextSoFar),
            ("meta_info.finish_reason", Field::Finish),
            ("meta_info.finish_reason.type", Field::Finish),
            ("meta_info.prompt_tokens", Field::InputTokens),
            ("meta_info.completion_tokens", Field::OutputTokens),
            ("meta_info.cached_tokens", Field::CachedInputTokens),
            ("error", Field::Error),
        ])
    }),
    finishes: &[],
    kinds: &[],
    is_finished: when_done_or_each_finished,
};

/// Triton's generate and generate_stream, and inference by KServe's version 2 protocol. No usage, no word
/// for the end.
pub(super) static TRITON: Dialect = Dialect {
    name: |_| "triton",
    marks: &["text_output", "model_version", "outputs[].datatype"],
    table: LazyTable::new(|| {
        Table::compile(&[
            ("text_output", Field::Text(0)),
            ("text_output[]", Field::Text(0)),
            ("outputs[].data[]", Field::Text(1)),
            ("model_version", Field::Model),
            ("error", Field::Error),
        ])
    }),
    finishes: &[],
    kinds: &[],
    is_finished: |_| None,
};
