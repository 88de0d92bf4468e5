//! Whether a request asks a model for an answer.
//!
//! In: a request's method and path. Out: yes or no. Embeddings, lists of models, counts of tokens and the like are no
//! answers: their lengths and times say nothing of a version's answers, so they are not compared.

#[cfg(test)]
mod tests;

/// Methods of requests that only read, remove, or open a connection.
const METHODS: [&[u8]; 6] = [b"GET", b"HEAD", b"OPTIONS", b"DELETE", b"CONNECT", b"TRACE"];

/// Last segments of the paths of operations that answer, wherever they stand: a gateway may serve them below `/images/`, and a
/// model may be named `audio`.
const ANSWERS: &[&str] = &[
    "completions",
    "responses",
    "messages",
    "chat",
    "generate",
    "generate_stream",
    "completion",
    "infill",
    "invoke",
    "invoke-with-response-stream",
    "converse",
    "converse-stream",
    "generateContent",
    "streamGenerateContent",
    "rawPredict",
    "streamRawPredict",
    "predict",
    "infer",
    "infer_stream",
];

/// Last segments of the paths of other operations, or their custom verbs, which follow a colon.
const OPERATIONS: &[&str] = &[
    // OpenAI, and the servers that follow it.
    "embeddings",
    "moderations",
    "input_tokens",
    "cancel",
    "compact",
    "client_secrets",
    "mcp",
    // vLLM, SGLang, llama.cpp, TGI, Cohere, Jina, Mistral: scores, ranks, pooling and tokens.
    "rerank",
    "reranking",
    "score",
    "classify",
    "classifications",
    "pooling",
    "tokenize",
    "detokenize",
    "chat_tokenize",
    "apply-template",
    "embedding",
    "multimodalembeddings",
    "encode",
    "ocr",
    "load_lora_adapter",
    "unload_lora_adapter",
    "collective_rpc",
    "reset_prefix_cache",
    "flush_cache",
    "update_weights",
    "update_weights_from_disk",
    "abort_request",
    "start_profile",
    "stop_profile",
    "sleep",
    "wake_up",
    // Ollama, Cohere, text-embeddings-inference.
    "embed",
    "embed_all",
    "embed_sparse",
    // Anthropic, Bedrock, Gemini and Vertex.
    "count_tokens",
    "count-tokens",
    "countTokens",
    "computeTokens",
    "embedContent",
    "batchEmbedContents",
    "asyncBatchEmbedContent",
    "batchGenerateContent",
    // gRPC: KServe's and Triton's service, vLLM's and SGLang's engines.
    "ServerLive",
    "ServerReady",
    "ModelReady",
    "ServerMetadata",
    "ModelMetadata",
    "ModelStatistics",
    "ModelConfig",
    "RepositoryIndex",
    "RepositoryModelLoad",
    "RepositoryModelUnload",
    "TraceSetting",
    "LogSettings",
    "SystemSharedMemoryStatus",
    "SystemSharedMemoryRegister",
    "SystemSharedMemoryUnregister",
    "CudaSharedMemoryStatus",
    "CudaSharedMemoryRegister",
    "CudaSharedMemoryUnregister",
    "HealthCheck",
    "GetModelInfo",
    "GetServerInfo",
    "GetLoads",
    "ModelInfo",
    "Abort",
];

/// Ends of paths whose last segment alone would say too little. Ollama: its models.
const PATH_ENDS: [&str; 5] = ["/api/show", "/api/pull", "/api/push", "/api/create", "/api/copy"];

/// Segments of paths at and below which there are no answers.
const FOLDERS: &[&str] = &[
    // OpenAI and Anthropic.
    "files",
    "batches",
    "audio",
    "images",
    "videos",
    "uploads",
    "vector_stores",
    "fine_tuning",
    "assistants",
    "chatkit",
    "containers",
    "evals",
    "organization",
    "organizations",
    "realtime",
    "skills",
    // Gemini.
    "cachedContents",
    "corpora",
    "tunedModels",
    "slots", // of llama.cpp
    // Triton and KServe: the repository of models, and shared memory.
    "repository",
    "systemsharedmemory",
    "cudasharedmemory",
    // gRPC.
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
];

/// Whether a request with this method and path, which may have a query, asks a model for an answer. Some gateways ignore the
/// case of a path.
#[must_use]
pub fn asks_for_answer(method: &[u8], path: &[u8]) -> bool {
    if METHODS.contains(&method) {
        return false;
    }
    let path = path.split(|&b| b == b'?').next().unwrap_or_default();
    let end = path.iter().rposition(|&b| b != b'/').map_or(0, |at| at.saturating_add(1));
    let path = path.get(..end).unwrap_or_default();
    let is_one_of =
        |names: &[&str], name: &[u8]| names.iter().any(|listed| name.eq_ignore_ascii_case(listed.as_bytes()));
    let has_end = |ends: &[&str]| {
        ends.iter().any(|end| {
            let at = path.len().checked_sub(end.len()).and_then(|at| path.get(at..));
            at.is_some_and(|found| found.eq_ignore_ascii_case(end.as_bytes()))
        })
    };
    let last = path.rsplit(|&b| b == b'/' || b == b':').next().unwrap_or_default();
    // OpenAI changes what it has stored: the metadata of a completion, the items of a conversation, threads.
    let is_stored = |folder: &str| path.split(|&b| b == b'/').any(|segment| is_one_of(&[folder], segment));
    // Most requests end here.
    if is_one_of(ANSWERS, last) {
        return !is_stored("threads");
    }
    if is_one_of(OPERATIONS, last) || has_end(&PATH_ENDS) {
        return false;
    }
    let mut segments = path.rsplit(|&b| b == b'/').skip(1);
    let parent = segments.clone().next().unwrap_or_default();
    if is_one_of(&["completions"], parent) && last.starts_with(b"chatcmpl")
        || is_one_of(&["items"], last) && is_stored("conversations")
        || is_stored("threads") && !is_one_of(&["runs", "submit_tool_outputs"], last)
    {
        return false;
    }
    !is_one_of(FOLDERS, last) && !segments.any(|segment| is_one_of(FOLDERS, segment))
}
