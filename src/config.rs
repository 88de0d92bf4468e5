//! The plugin's configuration.
//!
//! In: JSON. Out: a valid [`Config`], or all errors at once, each with its path. No other module checks a configuration
//! again: header names are valid, the baseline exists, percentages have become ranges. Unknown fields are errors.
//!
//! `json` parses the text, and `validator` reads the tree and collects errors. Each other module checks one part.

mod cookie;
mod decimal;
mod errors;
mod feedback;
mod hash;
mod headers;
pub mod json;
mod messages;
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

pub use decimal::Decimal;
pub use errors::{ERRORS_MAX, Error, Errors};

use crate::bucket::scheme::Scheme;
use crate::headers::HeaderName;
use crate::pin::Token;
use crate::steps::Steps;
use alloc::string::String;
use alloc::vec::Vec;

/// Rollouts in one configuration.
pub const ROLLOUTS_MAX: usize = 64;
/// Versions of all rollouts that count by shard: each has hundreds of series, which Envoy must define and print.
pub const SHARDED_VERSIONS_MAX: usize = 128;
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
/// Maximum age of a pin cookie, in seconds: browsers keep no cookie for more than 400 days.
pub const PIN_AGE_S_MAX: u32 = 400 * 24 * 60 * 60;
/// Default age of a pin cookie, in seconds.
pub const PIN_AGE_S: u32 = 24 * 60 * 60;
/// Characters of a rollout's or a version's name, which is a label of every metric.
pub const NAME_CHARS_MAX: usize = 40;
/// Bytes of any other text.
pub const TEXT_BYTES_MAX: usize = 256;
/// Parts of the path to a metadata value.
pub const METADATA_DEPTH_MAX: usize = 16;
/// Parts of that path that Envoy looks up for a native module: a namespace and one key.
pub const NATIVE_METADATA_DEPTH_MAX: usize = 2;

/// Values of each rating of feedback.
pub const FEEDBACK_VALUES_MAX: usize = 64;
/// Bytes of one of these values; less than the scanner's limit for short values.
pub const FEEDBACK_VALUE_BYTES_MAX: usize = 64;
/// Parts of a JSON pointer.
pub const POINTER_PARTS_MAX: usize = 8;

/// Headers in which clients are known to send a conversation's id. A rollout without `key` tries these in order, then
/// the [`DEFAULT_BODY_KEYS`].
pub const DEFAULT_KEYS: [&str; 7] = [
    "x-conversation-id",
    "x-session-id",
    "session-id",
    "thread-id",
    "x-claude-code-session-id",
    "x-litellm-session-id",
    "x-session-affinity",
];
/// JSON pointers at which they send it in the body.
pub const DEFAULT_BODY_KEYS: [&str; 5] = [
    "/conversation",
    "/conversation/id",
    "/prompt_cache_key",
    "/metadata/conversation_id",
    "/metadata/session_id",
];
/// JSON pointers at which they send a user's id in the body; tried next.
pub const DEFAULT_USER_BODY_KEYS: [&str; 2] = ["/metadata/user_id", "/user"];
/// The header in which they send a user's id; tried last.
pub const DEFAULT_USER_KEY: &str = "x-user-id";

/// The first of [`Config::pointers`] are the same in every configuration. Index of the model.
pub const MODEL_POINTER: usize = 0;
/// Index of the id of the response that a request continues.
pub const PREVIOUS_RESPONSE_POINTER: usize = 1;
/// Index of the conversation that a request continues, if it is a string.
pub const CONVERSATION_POINTER: usize = 2;
/// Index of the id of that conversation, if it is an object.
pub const CONVERSATION_ID_POINTER: usize = 3;
/// The pointers of these indices.
const POINTERS: [&str; 4] = ["/model", "/previous_response_id", "/conversation", "/conversation/id"];

/// The kind of host that a configuration is for. What one cannot do is an error in a configuration for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostKind {
    /// A WebAssembly VM. It does all that a configuration can say.
    WebAssembly,
    /// Envoy itself, which has loaded the filter as a native module.
    Native,
}

/// A valid configuration. It can be shared between threads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Request header by which Envoy chooses the cluster.
    pub cluster_header: HeaderName,
    /// Request and response header with the version's name.
    pub version_header: HeaderName,
    /// Whether the response has the version header.
    pub version_on_response: bool,
    /// Whether requests may wait for their bodies.
    pub body_wait: BodyWait,
    /// The first rollout that matches a request routes it. Without rollouts the filter only removes headers that clients
    /// must not send; so releases can be switched off without a change to Envoy's filter chain.
    pub rollouts: Vec<Rollout>,
    /// All JSON pointers that are read in requests' bodies, each as a list of keys: see [`Source::Body`].
    pub pointers: Vec<Vec<String>>,
}

/// Whether requests may wait for their bodies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BodyWait {
    /// They may, until it is proved that the proxy does not deliver the bodies of requests that wait.
    #[default]
    Auto,
    /// They may. If a body does not come, its request waits for the longest time allowed, and goes on without it.
    Always,
    /// None waits, and keys in bodies are not read.
    Never,
}

/// A release in progress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rollout {
    /// A label of every metric.
    pub name: String,
    /// The requests that it routes.
    pub matcher: Match,
    /// The bucket of each key. By default it depends on the rollout's name, so that rollouts choose conversations
    /// independently of each other.
    pub scheme: Scheme,
    /// Sources of a conversation's key; the first with a value counts.
    pub keys: Vec<KeySource>,
    /// The version of a request without a key.
    pub keyless: Keyless,
    /// The source of the time at which a conversation began.
    pub started_at: Option<Source>,
    /// The version of all buckets that no share covers, as an index into `versions`.
    pub baseline: usize,
    /// At least one.
    pub versions: Vec<Version>,
    /// The version of each bucket, at each time.
    pub steps: Steps,
    /// The first one that applies chooses the version, before pins and keys.
    pub overrides: Vec<Override>,
    /// What holds conversations whose ids have no time.
    pub pin: Pin,
    /// Where users rate answers.
    pub feedback: Option<Feedback>,
    /// Whether the filter asks for the usage of streams.
    pub usage: Usage,
    /// Whether answers that begin with a phrase of refusal count as refusals.
    pub refusal_phrases: bool,
    /// Whether the filter looks for defects in answers, and reads what a request asks for.
    pub defects: bool,
    /// Whether the filter also counts by shard. What is judged by these counts cannot be judged without them.
    pub shards: bool,
    /// Whether the access log can print what was observed of each response.
    pub log_observations: bool,
    /// If given, the rollout changes no request and no response: it only counts, for the version whose cluster Envoy
    /// chose by its own routes.
    pub observe: Option<Observe>,
}

/// How a rollout observes versions that Envoy chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observe {
    /// Whether Envoy chooses them at random, so that they may be compared.
    pub is_random: bool,
}

/// What a response gives the client to send back, so that later requests get the same version. The default is nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pin {
    /// A cookie with the version's token.
    pub cookie: Option<PinCookie>,
    /// A response header with the version's token. The client sends it back as a request header.
    pub header: Option<HeaderName>,
    /// Whether ids of responses and conversations are tagged with the version's token.
    pub response_id: bool,
}

/// A cookie with a version's token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinCookie {
    /// Its name.
    pub name: String,
    /// How long browsers keep it, in seconds.
    pub max_age_s: u32,
    /// Whether browsers send it over TLS only.
    pub secure: bool,
    /// When browsers send it with requests from other sites.
    pub same_site: SameSite,
    /// The domain whose hosts it is for, in lower case; `None`: the host that set it.
    pub domain: Option<String>,
    /// The beginning of the paths that it is for.
    pub path: String,
    /// Whether browsers keep one for each site that embeds the host.
    pub partitioned: bool,
}

/// When browsers send a cookie with requests that come from pages of other sites.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SameSite {
    /// When a user follows a link.
    Lax,
    /// Never.
    Strict,
    /// Always.
    None,
}

/// Requests that rate an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feedback {
    /// Their path, without the query.
    pub path: String,
    /// The JSON pointer to the rating in their body, as a list of keys.
    pub rating: Vec<String>,
    /// Ratings of good answers.
    pub up: Vec<String>,
    /// Ratings of bad answers.
    pub down: Vec<String>,
    /// Ratings of users who gave up on the model.
    pub escalation: Vec<String>,
    /// Whether the filter responds; otherwise the version's cluster does.
    pub respond: bool,
}

/// What the filter does with requests for streams without usage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage {
    /// Nothing.
    AsIs,
    /// It asks for usage, and removes it from the response.
    Request,
}

/// The requests that a rollout routes: all conditions must hold. The default matches every request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Match {
    /// The host is one of these; every host if empty.
    pub hosts: Vec<HostPattern>,
    /// The path begins with this, compared as bytes.
    pub path_prefix: Option<String>,
    /// Each of these headers has exactly this value.
    pub headers: Vec<(HeaderName, String)>,
    /// The body's model is one of these; every body if empty.
    pub models: Vec<String>,
}

/// A host without its port, in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostPattern {
    /// `llm.example.com`
    Exact(String),
    /// `*.example.com`, stored as `.example.com`: every name below `example.com`, but not `example.com`.
    Below(String),
}

/// A source of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySource {
    /// Where the key is.
    pub source: Source,
    /// What the key identifies.
    pub kind: KeyKind,
}

/// A source of a value in a request.
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
    /// The conversation's fingerprint and the hash of the caller's credential.
    FirstMessage,
}

/// What a key identifies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// A conversation, which has a beginning and an end.
    Conversation,
    /// A user, whose key stays the same for years.
    User,
}

/// The version of a request without a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keyless {
    /// The baseline.
    Baseline,
    /// The version of a random bucket, for each request anew.
    Random,
}

/// One model or runtime revision behind one Envoy cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// A label of every metric, and the value of the version header.
    pub name: String,
    /// The value of the cluster header.
    pub cluster: String,
    /// Whether it serves no requests at all.
    pub stopped: bool,
    /// Its token in pins.
    pub token: Token,
    /// Changes to its requests.
    pub rewrite: Rewrite,
}

/// Changes to a version's requests. The default is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rewrite {
    /// The new host.
    pub host: Option<String>,
    /// A prefix of the path, and the new prefix.
    pub path_prefix: Option<(String, String)>,
    /// The new model in the body.
    pub model: Option<String>,
    /// Headers to set.
    pub headers: Vec<(HeaderName, String)>,
}

/// A version for the requests that have a header with one of these values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// The header.
    pub header: HeaderName,
    /// At least one. Each is compared, as bytes, with the header's whole value and with the items of a comma-separated
    /// list.
    pub values: Vec<String>,
    /// The version, as an index into the rollout's versions.
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
    /// Parses a configuration for WebAssembly.
    ///
    /// # Errors
    /// All errors, or the position where the text is not valid JSON.
    pub fn parse(text: &[u8]) -> Result<Self, Errors> {
        Self::from_json(&json::parse(text)?, HostKind::WebAssembly)
    }

    /// Reads a configuration from a tree, which may come from another format, such as the YAML of a WasmPlugin.
    ///
    /// # Errors
    /// All errors, of which some depend on the host.
    pub fn from_json(tree: &json::Node, host: HostKind) -> Result<Self, Errors> {
        rules::config(tree, host)
    }
}
