//! The plugin's configuration: JSON in, a [`Config`] that cannot be wrong or every error at once out.
//!
//! Nothing after [`Config::parse`] checks anything again: header names are header names, the baseline
//! exists, the split is laid out in ranges. What this version does not know is refused, never ignored.
//! [`json`] reads the text, `validator` walks it and keeps the path; the other modules hold what is allowed.

mod decimal;
mod errors;
mod feedback;
mod headers;
pub mod json;
mod names;
mod paths;
mod pin;
mod requests;
mod rewrite;
mod rules;
mod sources;
mod steps;
mod validator;
mod versions;
mod words;

pub use decimal::Decimal;
pub use errors::{ERRORS_MAX, Error, Errors};

use crate::headers::HeaderName;
use crate::pin::Token;
use crate::steps::Steps;
use alloc::string::String;
use alloc::vec::Vec;

/// Rollouts in one configuration.
pub const ROLLOUTS_MAX: usize = 64;
/// Versions in one rollout.
pub const VERSIONS_MAX: usize = 16;
/// Places to look for a key in one rollout.
pub const KEYS_MAX: usize = 32;
/// Overrides in one rollout.
pub const OVERRIDES_MAX: usize = 64;
/// Values of one override.
pub const OVERRIDE_VALUES_MAX: usize = 256;
/// Hosts in one match.
pub const HOSTS_MAX: usize = 64;
/// Headers in one match, or added by one rewrite.
pub const HEADERS_MAX: usize = 16;
/// Models in one match.
pub const MODELS_MAX: usize = 64;
/// Steps of one rollout.
pub const STEPS_MAX: usize = 256;
/// How long a pin cookie may last, in seconds: browsers keep none longer than 400 days.
pub const PIN_AGE_S_MAX: u32 = 400 * 24 * 60 * 60;
/// How long it lasts if nothing is said, in seconds.
pub const PIN_AGE_S: u32 = 24 * 60 * 60;
/// Characters of a rollout's or a version's name: they are labels of every metric.
pub const NAME_CHARS_MAX: usize = 40;
/// Bytes of any other text.
pub const TEXT_BYTES_MAX: usize = 256;
/// Parts of the path to a metadata value.
pub const METADATA_DEPTH_MAX: usize = 16;

/// Values of each rating of feedback.
pub const FEEDBACK_VALUES_MAX: usize = 64;
/// Bytes of one of these values; well below what the scanner reports whole.
pub const FEEDBACK_VALUE_BYTES_MAX: usize = 64;
/// Parts of a JSON pointer.
pub const POINTER_PARTS_MAX: usize = 8;

/// Headers in which clients are known to send a conversation's id, in the order they are tried where a
/// rollout names no key. Next come the [`DEFAULT_BODY_KEYS`].
pub const DEFAULT_KEYS: [&str; 7] = [
    "x-conversation-id",
    "x-session-id",
    "session-id",
    "thread-id",
    "x-claude-code-session-id",
    "x-litellm-session-id",
    "x-session-affinity",
];
/// Where they send it in the body.
pub const DEFAULT_BODY_KEYS: [&str; 5] = [
    "/conversation",
    "/conversation/id",
    "/prompt_cache_key",
    "/metadata/conversation_id",
    "/metadata/session_id",
];
/// Where the body names a user rather than a conversation.
pub const DEFAULT_USER_BODY_KEYS: [&str; 2] = ["/metadata/user_id", "/user"];
/// The header that does; it is tried last.
pub const DEFAULT_USER_KEY: &str = "x-user-id";

/// Where each of [`Config::pointers`] begins that every configuration has: the model a body asks for.
pub const MODEL_POINTER: usize = 0;
/// The stored response that a body continues.
pub const PREVIOUS_RESPONSE_POINTER: usize = 1;
/// The stored conversation that it continues,
pub const CONVERSATION_POINTER: usize = 2;
/// in its other form.
pub const CONVERSATION_ID_POINTER: usize = 3;
/// These, in their order.
const POINTERS: [&str; 4] = ["/model", "/previous_response_id", "/conversation", "/conversation/id"];

/// What the filter was told to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Request header by which Envoy chooses the cluster.
    pub cluster_header: HeaderName,
    /// Request and response header that names the version.
    pub version_header: HeaderName,
    /// Whether the client is told the version.
    pub version_on_response: bool,
    /// The first that matches a request routes it. May be empty: a filter that only removes what clients
    /// must not send, which is how releases are switched off without touching Envoy's filter chain.
    pub rollouts: Vec<Rollout>,
    /// The places in a request's body that are asked for anywhere, each as its keys: see [`Source::Body`].
    pub pointers: Vec<Vec<String>>,
}

/// One release being routed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rollout {
    /// Label of every metric.
    pub name: String,
    /// Which requests it is about.
    pub matcher: Match,
    /// Hashed together with the key, so that two rollouts do not choose the same conversations.
    pub salt: Vec<u8>,
    /// Where a conversation's key is looked for; the first that yields a value wins.
    pub keys: Vec<KeySource>,
    /// What becomes of a request without any key.
    pub keyless: Keyless,
    /// Where a request says when its conversation began.
    pub started_at: Option<Source>,
    /// The version that gets what no other has, as an index into `versions`.
    pub baseline: usize,
    /// At least one.
    pub versions: Vec<Version>,
    /// Which buckets are whose, and since when.
    pub steps: Steps,
    /// The first that holds decides, before any bucket.
    pub overrides: Vec<Override>,
    /// How a conversation is held whose id has no time.
    pub pin: Pin,
    /// Where users say what they think of an answer.
    pub feedback: Option<Feedback>,
    /// Whether a stream's usage is asked for where its client does not.
    pub usage: Usage,
    /// Whether an answer that opens like a refusal is counted as one.
    pub refusal_phrases: bool,
}

/// What the client is given to send back, so that its next request finds the same version. The default is nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pin {
    /// A cookie.
    pub cookie: Option<PinCookie>,
    /// A header, of the response and of the requests after it.
    pub header: Option<HeaderName>,
    /// Ids of stored responses and conversations carry a mark.
    pub response_id: bool,
}

/// A cookie that holds a version's token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinCookie {
    /// Its name.
    pub name: String,
    /// How long after it was given a browser keeps it, in seconds.
    pub max_age_s: u32,
}

/// Requests that rate a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feedback {
    /// Their whole path, before any query.
    pub path: String,
    /// The keys that lead to the rating in their body.
    pub rating: Vec<String>,
    /// What it says of a good answer.
    pub up: Vec<String>,
    /// Of a bad one.
    pub down: Vec<String>,
    /// Of a user who gave up on the model.
    pub escalation: Vec<String>,
    /// Whether the filter answers them; else the version's cluster does.
    pub respond: bool,
}

/// What becomes of requests for streams without usage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage {
    /// They go on as they are.
    AsIs,
    /// Their usage is asked for, and hidden from the client again.
    Request,
}

/// Which requests a rollout is about: all that is given must hold. The default holds for all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Match {
    /// Any of these, or any host where empty.
    pub hosts: Vec<HostPattern>,
    /// What the path starts with, before any query, byte for byte.
    pub path_prefix: Option<String>,
    /// Each of these headers has just this value.
    pub headers: Vec<(HeaderName, String)>,
    /// The body's model is one of these, or any or none where empty.
    pub models: Vec<String>,
}

/// A host without its port, in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostPattern {
    /// `llm.example.com`
    Exact(String),
    /// `*.example.com`, kept as `.example.com`: any name below it, not itself.
    Below(String),
}

/// A place where a key may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySource {
    /// Where to look.
    pub source: Source,
    /// What the key identifies.
    pub kind: KeyKind,
}

/// Where to look for a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A request header's value.
    Header(HeaderName),
    /// A cookie of this name.
    Cookie(String),
    /// A query parameter of this name.
    Query(String),
    /// Dynamic metadata of an earlier filter: its namespace, then the keys below it.
    Metadata(Vec<String>),
    /// A value in the request's body, as an index into [`Config::pointers`].
    Body(usize),
    /// The opening of the conversation and the caller's credential, hashed together.
    FirstMessage,
}

/// What a key identifies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// A conversation, which began at some time and ends.
    Conversation,
    /// A user, who lives for years.
    User,
}

/// What becomes of a request without any key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keyless {
    /// It goes to the baseline.
    Baseline,
    /// Each request is drawn anew.
    Random,
}

/// One model or runtime revision behind one Envoy cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Label of every metric, and the value of the version header.
    pub name: String,
    /// The value of the cluster header.
    pub cluster: String,
    /// Never chosen, whatever names it.
    pub stopped: bool,
    /// What names it in pins.
    pub token: Token,
    /// What becomes of its requests on their way.
    pub rewrite: Rewrite,
}

/// How a request is changed for a version. The default changes nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rewrite {
    /// The host it is for.
    pub host: Option<String>,
    /// What its path starts with, and what it shall start with.
    pub path_prefix: Option<(String, String)>,
    /// The model that its body asks for.
    pub model: Option<String>,
    /// Headers set on it.
    pub headers: Vec<(HeaderName, String)>,
}

/// Requests that ask for a version: their header has one of the values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// The header that counts.
    pub header: HeaderName,
    /// At least one; compared byte for byte with the header's value and with each item of it where it
    /// is a comma-separated list.
    pub values: Vec<String>,
    /// The version asked for, as an index into the rollout's versions.
    pub version: usize,
}

impl Rollout {
    /// The version that a token names, as an index into `versions`.
    #[must_use]
    pub fn version_of(&self, token: Token) -> Option<usize> {
        self.versions.iter().position(|version| version.token == token)
    }
}

impl Config {
    /// Reads the plugin's configuration.
    ///
    /// # Errors
    /// Everything that is wrong with it, or the one place where it stops being JSON.
    pub fn parse(text: &[u8]) -> Result<Self, Errors> {
        Self::from_json(&json::parse(text)?)
    }

    /// The same of a tree that was read elsewhere, such as the YAML of a WasmPlugin.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn from_json(tree: &json::Node) -> Result<Self, Errors> {
        rules::config(tree)
    }
}
