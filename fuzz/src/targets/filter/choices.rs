//! What the fuzzer chooses from: configurations, heads, and pieces of bodies.

const PLAIN: &str = r#"{"rollouts": [{"name": "chat", "match": {"path_prefix": "/v1/"}, "baseline": "v1",
    "key": [{"header": "x-conversation-id"}, {"cookie": "c"}, {"query": "q"}, {"metadata": "ns/key"}],
    "started_at": {"header": "x-started"}, "keyless": "random", "refusal_phrases": true,
    "versions": [{"name": "v1", "cluster": "a"}, {"name": "v2", "cluster": "b"}], "split": {"v2": 50},
    "overrides": [{"header": "x-cohort", "values": ["staff"], "version": "v2"}],
    "pin": {"cookie": "pin", "header": "x-pin", "secure": true, "same_site": "none", "partitioned": true,
            "domain": "example.com", "path": "/v1"}}]}"#;
const FROM_BODIES: &str = r#"{"rollouts": [{"name": "chat", "match": {"models": ["large"]}, "baseline": "v1",
    "key": [{"body": "/user"}, {"body": "/messages/0/content"}, {"first_message": true}],
    "versions": [{"name": "v1", "cluster": "a"}, {"name": "v2", "cluster": "b"}], "split": {"v2": 50},
    "feedback": {"path": "/feedback", "up": ["up"]}},
    {"name": "rest", "baseline": "v1", "versions": [{"name": "v1", "cluster": "a"}],
    "feedback": {"path": "/rated", "up": ["up"], "respond": false}}]}"#;
const USAGE: &str = r#"{"body_wait": "always", "rollouts": [{"name": "chat", "baseline": "v1", "usage": "request",
    "key": [{"header": "x-conversation-id"}],
    "versions": [{"name": "v1", "cluster": "a"}, {"name": "v2", "cluster": "b"}], "split": {"v2": 50},
    "feedback": {"path": "/feedback", "up": ["up"]}}]}"#;
const MARKS: &str = r#"{"rollouts": [{"name": "chat", "baseline": "v1", "pin": {"response_id": true},
    "versions": [{"name": "v1", "cluster": "a"}, {"name": "v2", "cluster": "b"}], "split": {"v2": 50}}]}"#;
const ALL_EDITS: &str = r#"{"rollouts": [{"name": "chat", "baseline": "v1", "usage": "request",
    "pin": {"response_id": true, "cookie": "pin"}, "versions": [
    {"name": "v1", "cluster": "a", "rewrite": {"model": "one", "host": "h", "headers": {"x-canary": "0"}}},
    {"name": "v2", "cluster": "b", "rewrite": {"model": "two", "path_prefix": {"from": "/v1/", "to": "/v2/"}}}],
    "split": {"v2": 50}}]}"#;
const STOPPED: &str = r#"{"body_wait": "never", "rollouts": [{"name": "chat", "baseline": "v1",
    "versions": [{"name": "v1", "cluster": "a"}, {"name": "v2", "cluster": "b", "stopped": true}],
    "steps": [{"at": "2023-11-14T00:00:00Z", "percent": {"v2": 10}},
              {"at": "2023-11-14T22:13:20Z", "percent": {"v2": 90}}]}]}"#;
const OBSERVED: &str = r#"{"rollouts": [{"name": "chat", "observe": true, "random": true, "baseline": "v1", "usage": "request",
    "key": [{"header": "x-conversation-id"}, {"body": "/user"}], "pin": {"response_id": true, "header": "x-pin"},
    "versions": [{"name": "v1", "cluster": "a", "rewrite": {"model": "one"}}, {"name": "v2", "cluster": "b"}],
    "split": {"v2": 50}, "feedback": {"path": "/feedback", "up": ["up"]}}]}"#;
const NOTHING: &str = r#"{"rollouts": []}"#;
pub(super) const WRONG: &str = r#"{"rollouts": [{"name": "chat", "baseline": "v9", "versions": []}]}"#;

/// What is known of a configuration's edits.
#[derive(Clone, Copy)]
pub(super) struct Setting {
    pub(super) text: &'static str,
    pub(super) marks: bool,
    pub(super) asks: bool,
    /// The model that each version is asked for.
    pub(super) models: [Option<&'static str>; 2],
}

const fn setting(text: &'static str, marks: bool, asks: bool, models: [Option<&'static str>; 2]) -> Setting {
    Setting { text, marks, asks, models }
}

pub(super) const SETTINGS: [Setting; 9] = [
    setting(PLAIN, false, false, [None, None]),
    setting(FROM_BODIES, false, false, [None, None]),
    setting(USAGE, false, true, [None, None]),
    setting(MARKS, true, false, [None, None]),
    setting(ALL_EDITS, true, true, [Some("one"), Some("two")]),
    setting(STOPPED, false, false, [None, None]),
    setting(OBSERVED, false, false, [None, None]),
    setting(NOTHING, false, false, [None, None]),
    setting(WRONG, false, false, [None, None]),
];

pub(super) const PATHS: [&str; 9] = [
    "/v1/chat/completions",
    "/v1/responses",
    "/v1/responses/resp_1",
    "/v1/conversations/c/items?q=k",
    "/feedback",
    "/rated?x",
    "/v1/completions?q=%ff",
    "/v1/inference.GRPCInferenceService/ModelStreamInfer",
    "",
];
pub(super) const METHODS: [&str; 4] = ["POST", "POST", "POST", "GET"];
pub(super) const REQUEST_TYPES: [&str; 4] =
    ["application/json", "application/json", "application/grpc", "text/plain"];
pub(super) const RESPONSE_TYPES: [&str; 6] = [
    "text/event-stream",
    "application/json",
    "application/vnd.amazon.eventstream",
    "text/plain",
    "application/grpc",
    "",
];
pub(super) const CLUSTERS: [&str; 4] = ["a", "b", "c", ""];
pub(super) const GRPC_STATUSES: [&str; 4] = ["0", "14", "", "x"];
pub(super) const OTHER_HEADERS: [&str; 11] = [
    "x-conversation-id",
    "x-started",
    "x-cohort",
    "x-pin",
    "cookie",
    "authorization",
    "content-encoding",
    "x-stainless-retry-count",
    "x-llm-cluster",
    "x-llm-version",
    "upgrade",
];
pub(super) const VALUES: [&[u8]; 9] = [
    b"c1",
    b"01890a5d-ac96-774b-bcce-b302099a8057",
    b"1700000000000",
    b"staff",
    b"pin=\xff; c=k",
    b"identity",
    b"gzip",
    b"\x01\xff",
    b"websocket",
];
pub(super) const REQUEST_PIECES: [&[u8]; 13] = [
    b"{\"model\":\"large\",",
    b"\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]",
    b",\"stream\":true",
    b",\"stream_options\":null",
    b",\"stream_options\":{\"include_usage\":false}",
    b"}",
    b"{\"previous_response_id\":\"resp_1-llm-",
    b"{\"conversation\":{\"id\":\"conv_1-llm-",
    b"\",",
    b"{\"rating\":\"up\"}",
    b"\"user\":\"u\"",
    b" \n\"\\",
    b"\x88\x82\0\0\0\0\x03\xe8",
];
pub(super) const RESPONSE_PIECES: [&[u8]; 15] = [
    b"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"}}],\"usage\":null}\n\n",
    b"data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\r\n\r\n",
    b"data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":5}}\n\n",
    b"data: [DONE]\n\n",
    b"data: {\"type\":\"response.created\",\"response\":{\"id\":\"resp_1\"}}\n\n",
    b"{\"id\":\"resp_1\",\"object\":\"response\",\"previous_response_id\":\"resp_0\"",
    b",\"usage\":{\"output_tokens\":1}}",
    b"data: {\"error\":{\"message\":\"x\"}}\n\n",
    b"event: x\rid: 1\ndata:",
    b": still here\n\n",
    b"\n",
    b"{\"message\":{\"content\":\"a\"},\"done\":true}\n",
    b"\x88\x02\x03\xe8",
    b"\x00\x00\x00\x000\x12.\x0a\x03llm\x12\x017*\x17\x0a\x0btext_output\x12\x05BYTES\x1a\x01\x012\x0b\x07\x00\x00\x00Gr\xc3\xbc\xc3\x9fe\x00\x00\x00\x00\x0a\x12\x08\x0a\x03llm\x12\x011",
    b"\x00\x00\x00\x00\x10\x0a\x0ctold to fail\x12\x00",
];
