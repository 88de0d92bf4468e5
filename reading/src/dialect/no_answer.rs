//! Documents that are no answers of a model: embeddings, lists, counts of tokens and the like.
//!
//! Most are known by the request's method and path. Gateways rewrite paths, so the documents are recognised as well.

use crate::json::Value;

/// Paths that no answer has, with the words of a string there, or none if any value will do. A word that ends in `*` stands
/// for all that begin with the rest of it.
const SIGNATURES: &[(&str, &[&str])] = &[
    // OpenAI and those that follow it: lists of models, files and embeddings; scores and ranks; stored objects.
    (
        "object",
        &[
            "list",
            "embedding*",
            "model*",
            "file*",
            "batch*",
            "upload*",
            "vector_store*",
            "response.input_tokens",
            "response.deleted",
            "conversation",
            "conversation.deleted",
            "thread",
            "thread.deleted",
        ],
    ),
    ("data[].embedding", &[]),
    ("data[].b64_json", &[]),
    ("deleted", &[]),
    // Gemini, Ollama, Cohere, llama.cpp and Bedrock's Titan: embeddings.
    ("embedding", &[]),
    ("embeddings", &[]),
    ("embeddingsByType", &[]),
    // Vertex: embeddings by `:predict`.
    ("predictions[].embeddings", &[]),
    // Cohere, Jina, vLLM, llama.cpp: ranks.
    ("results[].relevance_score", &[]),
    // OpenAI and Mistral: moderation.
    ("results[].flagged", &[]),
    ("results[].category_scores", &[]),
    // Gemini, Anthropic, Bedrock: counts of tokens.
    ("totalTokens", &[]),
    ("inputTokens", &[]),
    ("input_tokens", &[]),
    // vLLM: tokenize.
    ("max_model_len", &[]),
    // Ollama and Gemini: lists of models; Ollama: one model.
    ("models", &[]),
    ("model_info", &[]),
];

/// The words of a string; any value will do if there is none.
#[derive(Clone, Copy)]
pub(super) struct Words(&'static [&'static str]);

impl Words {
    /// Whether a value at the path shows that the document is no answer.
    pub(super) fn is_at(self, value: Value<'_>) -> bool {
        let Words(words) = self;
        match value {
            Value::Short(word) if !words.is_empty() => words.iter().any(|entry| match entry.as_bytes() {
                [start @ .., b'*'] => word.starts_with(start),
                entry => word == entry,
            }),
            Value::Short(_) | Value::Open | Value::Close | Value::Text(_) | Value::Scalar(_) => {
                words.is_empty()
            }
        }
    }
}

/// All paths that no answer has.
pub(super) fn all() -> impl Iterator<Item = (&'static str, Words)> {
    SIGNATURES.iter().map(|&(path, words)| (path, Words(words)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::DIALECTS;
    use crate::dialect::candidates::detect;

    /// The shapes that the vendors document, shortened.
    const OTHERS: &[&str] = &[
        r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.1]}],"model":"m","usage":{"prompt_tokens":8,"total_tokens":8}}"#,
        r#"{"data":[{"embedding":"AAAA","index":0}],"model":"m","usage":{"prompt_tokens":8,"total_tokens":8}}"#,
        r#"{"object":"list","data":[{"id":"m","object":"model","created":1,"owned_by":"vllm"}]}"#,
        r#"{"id":"m","object":"model","created":1,"owned_by":"vllm"}"#,
        r#"{"id":"file-1","object":"file","bytes":1,"filename":"a"}"#,
        r#"{"id":"resp_1","object":"response.deleted","deleted":true}"#,
        r#"{"object":"response.input_tokens","input_tokens":11}"#,
        r#"{"id":"score-1","object":"list","data":[{"index":0,"object":"score","score":1}],"usage":{"prompt_tokens":1}}"#,
        r#"{"id":"rerank-1","model":"m","usage":{"total_tokens":5},"results":[{"index":0,"relevance_score":0.9}]}"#,
        r#"{"results":[{"index":0,"relevance_score":0.9}],"id":"1","meta":{"api_version":{"version":"2"}}}"#,
        r#"{"id":"1","embeddings":{"float":[[0.1]]},"texts":["a"],"meta":{"api_version":{"version":"2"}}}"#,
        r#"{"id":"modr-1","model":"m","results":[{"flagged":false,"categories":{}}]}"#,
        r#"{"created":1,"data":[{"b64_json":"AAAA"}],"usage":{"input_tokens":5,"output_tokens":9,"total_tokens":14}}"#,
        r#"{"embedding":{"values":[0.1]}}"#,
        r#"{"embeddings":[{"values":[0.1]}]}"#,
        r#"{"model":"m","embeddings":[[0.1]],"total_duration":1,"prompt_eval_count":8}"#,
        r#"{"embedding":[0.1],"inputTextTokenCount":8}"#,
        r#"{"predictions":[{"embeddings":{"values":[0.1]}}]}"#,
        r#"{"totalTokens":31,"totalBillableCharacters":96}"#,
        r#"{"input_tokens":14}"#,
        r#"{"inputTokens":14}"#,
        r#"{"count":3,"max_model_len":4096,"tokens":[1,2,3]}"#,
        r#"{"models":[{"name":"m","size":1}]}"#,
        r#"{"id":"conv_1","object":"conversation","created_at":1,"metadata":{}}"#,
        r#"{"id":"conv_1","object":"conversation.deleted","deleted":true}"#,
        r#"{"object":"list","data":[{"type":"message","id":"msg_1","status":"completed","role":"user","content":[{"type":"input_text","text":"Hi"}]}],"first_id":"msg_1","has_more":false}"#,
        r#"{"id":"thread_1","object":"thread","created_at":1,"metadata":{},"tool_resources":{}}"#,
        r#"{"id":"thread_1","object":"thread.deleted","deleted":true}"#,
    ];

    #[test]
    fn documents_that_are_no_answers_are_recognised() {
        for document in OTHERS {
            let (dialect, is_no_answer) = detect(document);
            let dialect = dialect.map(|dialect| (dialect.name)(&Default::default()));
            assert_eq!((dialect, is_no_answer), (None, true), "{document}");
        }
    }

    #[test]
    fn no_signature_of_a_dialect_is_one_of_these() {
        for signature in DIALECTS.iter().flat_map(|dialect| dialect.signatures) {
            let path = signature.split('=').next().unwrap_or_default();
            assert!(SIGNATURES.iter().all(|(other, words)| *other != path || !words.is_empty()), "{path}");
        }
    }
}
