//! Whether a request asks a model for an answer.
//!
//! In: a request's method and path. Out: yes or no. Embeddings, lists of models, counts of tokens and the like are no
//! answers: their lengths and times say nothing of a version's answers, so they are not compared.

#[cfg(test)]
mod tests;

/// Methods of requests that only read, remove, or open a connection.
const METHODS: [&[u8]; 6] = [b"GET", b"HEAD", b"OPTIONS", b"DELETE", b"CONNECT", b"TRACE"];

/// Last segments of the paths of other operations, or their custom verbs, which follow a colon.
const OPERATIONS: &[&str] = &[
    // OpenAI, and the servers that follow it.
    "embeddings",
    "moderations",
    "input_tokens",
    "cancel",
    "assistants",
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
    "cachedContents",
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
    "Tokenize",
    "Embed",
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
    "slots", // of llama.cpp
    "fine_tuning",
    // Triton and KServe: the repository of models, and shared memory.
    "repository",
    "systemsharedmemory",
    "cudasharedmemory",
    // gRPC.
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
];

/// Whether a request with this method and path, which may have a query, asks a model for an answer.
#[must_use]
pub fn asks_for_answer(method: &[u8], path: &[u8]) -> bool {
    if METHODS.contains(&method) {
        return false;
    }
    let path = path.split(|&b| b == b'?').next().unwrap_or_default();
    let end = path.iter().rposition(|&b| b != b'/').map_or(0, |at| at.saturating_add(1));
    let path = path.get(..end).unwrap_or_default();
    let is_one_of = |names: &[&str], name: &[u8]| names.iter().any(|listed| listed.as_bytes() == name);
    let last = path.rsplit(|&b| b == b'/' || b == b':').next().unwrap_or_default();
    !is_one_of(OPERATIONS, last)
        && !PATH_ENDS.iter().any(|end| path.ends_with(end.as_bytes()))
        && !path.split(|&b| b == b'/').any(|segment| is_one_of(FOLDERS, segment))
}
