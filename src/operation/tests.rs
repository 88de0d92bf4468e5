//! What the vendors' documentation lists, by operation.

use super::*;

#[test]
fn answers_are_asked_for_by_post() {
    for path in [
        "/v1/chat/completions",
        "/v1/chat/completions?api-version=2",
        "/v1/completions",
        "/v1/responses",
        "/v1/messages",
        "/openai/deployments/d/chat/completions/",
        "/v1beta/models/gemini:generateContent",
        "/v1beta/models/gemini:streamGenerateContent?alt=sse",
        "/v1/projects/p/locations/l/publishers/anthropic/models/m:rawPredict",
        "/model/m/invoke",
        "/model/m/converse-stream",
        "/v2/chat",
        "/api/chat",
        "/api/generate",
        "/generate",
        "/generate_stream",
        "/completion",
        "/infill",
        "/v2/models/m/infer",
        "/v2/models/m/versions/2/generate_stream",
        "/inference.GRPCInferenceService/ModelInfer",
        "/inference.GRPCInferenceService/ModelStreamInfer",
        "/sglang.grpc.scheduler.SglangScheduler/Generate",
        "/v1/filesystem/chat",
        "/chat/create",
        "/v1/chat/completions/batch",
        "/v1/conversations", // of Mistral
        "/v1/embeddings/chat",
        "/:",
        "/v1/underscore",
        "/",
        "",
    ] {
        assert!(asks_for_answer(b"POST", path.as_bytes()), "{path}");
        for method in ["GET", "HEAD", "OPTIONS", "DELETE", "CONNECT", "TRACE"] {
            assert!(!asks_for_answer(method.as_bytes(), path.as_bytes()), "{method} {path}");
        }
    }
}

#[test]
fn other_operations_do_not() {
    for path in [
        "/v1/embeddings",
        "/v1/embeddings/",
        "/v1/embeddings//",
        "/v1/multimodalembeddings",
        "/v1/assistants",
        "/v1/realtime/client_secrets",
        "/v1beta/cachedContents",
        "/slots/0?action=save",
        "/collective_rpc",
        "/mcp",
        "/v1/embeddings?x=1",
        "/embeddings",
        "/v1/rerank",
        "/v2/rerank",
        "/tokenize",
        "/detokenize",
        "/v1/messages/count_tokens",
        "/v1/messages/batches",
        "/v1beta/models/gemini:countTokens",
        "/v1beta/models/m:batchEmbedContents",
        "/v1/moderations",
        "/v1/score",
        "/score",
        "/classify",
        "/pooling",
        "/v1/files",
        "/v1/files/file-1/content",
        "/v1/batches",
        "/v1/audio/speech",
        "/v1/audio/transcriptions",
        "/v1/images/generations",
        "/openai/deployments/d/images/edits",
        "/v1/responses/input_tokens",
        "/v1/responses/resp_1/cancel",
        "/v1/embed",
        "/api/embed",
        "/api/show",
        "/api/pull",
        "/api/create",
        "/flush_cache",
        "/update_weights_from_disk",
        "/v2/systemsharedmemory/region/r/register",
        "/inference.GRPCInferenceService/CudaSharedMemoryRegister",
        "/vllm.grpc.scheduler.VllmScheduler/Embed",
        "/model/m/count-tokens",
        "/v2/repository/index",
        "/v2/repository/models/m/load",
        "/inference.GRPCInferenceService/ModelReady",
        "/inference.GRPCInferenceService/ServerLive",
        "/grpc.health.v1.Health/Check",
        "/vllm.grpc.engine.VllmEngine/HealthCheck",
    ] {
        assert!(!asks_for_answer(b"POST", path.as_bytes()), "{path}");
    }
}
