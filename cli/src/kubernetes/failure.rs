//! What kubectl's failures mean, and what to do.
//!
//! In: what kubectl wrote to standard error. Out: a sentence. The words that are looked for are those of kubectl and of the
//! reasons that the API server gives (`metav1.StatusReason`).

use std::borrow::Cow;

/// The longest part of kubectl's own message that is quoted, in characters.
const QUOTED_CHARS_MAX: usize = 400;

/// One kind of failure.
struct Failure {
    /// Any of these is in the message.
    signs: &'static [&'static str],
    words: &'static str,
    /// Whether the server may have made the change all the same.
    may_be_done: bool,
}

const fn failure(signs: &'static [&'static str], words: &'static str) -> Failure {
    Failure { signs, words, may_be_done: false }
}

const fn unsure(signs: &'static [&'static str], words: &'static str) -> Failure {
    Failure { signs, words, may_be_done: true }
}

/// The first that fits counts.
const FAILURES: [Failure; 16] = [
    failure(
        &["unknown flag", "unknown shorthand flag"],
        "kubectl is too old, and lacks an option that is needed; update it to 1.21 or later",
    ),
    failure(
        &["(Conflict)", "the object has been modified"],
        "somebody else changed the resource meanwhile; run the command again",
    ),
    failure(
        &["denied the request", "denied request"],
        "a policy of the cluster refuses the change (an admission webhook or policy)",
    ),
    failure(
        &["immutable"],
        "the resource is marked as immutable, so nobody can change it; make a new one, and let the Pods mount that",
    ),
    failure(
        &[
            "(RequestEntityTooLarge)",
            "request is too large",
            "Too long: must have at most",
            "Too long: may not be more",
        ],
        "the resource is larger than Kubernetes allows; make the configuration smaller",
    ),
    failure(
        &["(NotFound)"],
        "there is no such resource there; name its namespace with -n, and the cluster with --context",
    ),
    failure(
        &["doesn't have a resource type", "no matches for kind"],
        "the cluster does not know this kind of resource; check the spelling, whether Istio is installed there, and --context",
    ),
    failure(
        &["(Forbidden)"],
        "you may not do this there; you need the verbs get and patch for this resource (RBAC)",
    ),
    failure(
        &["(Unauthorized)", "must be logged in", "asked for the client to provide credentials"],
        "the cluster does not accept your credentials; log in again",
    ),
    failure(
        &["getting credentials", "exec plugin", "auth provider"],
        "kubectl cannot get your credentials; log in again, or install what its configuration names",
    ),
    failure(
        &["context was not found", "no context exists", "error loading config", "invalid configuration"],
        "kubectl's own configuration does not fit; `kubectl config get-contexts` lists what --context may be",
    ),
    failure(
        &["x509:", "certificate"],
        "kubectl does not trust the cluster's certificate, or the cluster not kubectl's",
    ),
    unsure(
        &["unexpected EOF", ": EOF", "connection lost", "connection reset", "awaiting headers", "(Timeout)"],
        "the connection broke off, or the answer took too long",
    ),
    failure(
        &[
            "did you specify the right host",
            "Unable to connect",
            "no such host",
            "i/o timeout",
            "connection refused",
        ],
        "no cluster can be reached; check the network, and the cluster with --context",
    ),
    unsure(
        &[
            "(InternalError)",
            "(ServiceUnavailable)",
            "(ServerTimeout)",
            "(TooManyRequests)",
            "Internal error",
        ],
        "the cluster could not do it now",
    ),
    failure(&["(Invalid)", "is invalid", "(BadRequest)"], "the cluster refuses the changed resource"),
];

/// What a failure of kubectl means.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Meaning {
    /// A sentence, and kubectl's own message quoted.
    pub(crate) words: String,
    /// Whether the server may have made the change all the same.
    pub(crate) may_be_done: bool,
}

/// Explains what kubectl wrote to standard error.
pub(crate) fn explain(said: &str) -> Meaning {
    let said = without_log(said);
    let found = FAILURES.iter().find(|failure| failure.signs.iter().any(|sign| said.contains(sign)));
    let words = found.map_or("kubectl failed", |failure| failure.words);
    let may_be_done = found.is_none_or(|failure| failure.may_be_done);
    if said.is_empty() {
        return Meaning { words: format!("{words}, and gave no reason"), may_be_done };
    }
    Meaning { words: format!("{words}. kubectl said: \"{}\"", shortened(&said)), may_be_done }
}

/// The message without the lines of kubectl's own log, such as `E1128 11:04:44.493573   19870 memcache.go:265] ...`, and on
/// one line.
fn without_log(said: &str) -> String {
    let is_log = |line: &str| {
        let (letter, digits) = (line.get(..1), line.get(1..5));
        letter.is_some_and(|letter| "EWIF".contains(letter))
            && digits.is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_digit()))
    };
    let lines: Vec<&str> =
        said.lines().map(str::trim).filter(|line| !line.is_empty() && !is_log(line)).collect();
    lines.join(" ")
}

fn shortened(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(QUOTED_CHARS_MAX) {
        Some((end, _)) => format!("{} ...", text.get(..end).unwrap_or_default()).into(),
        None => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::explain;

    #[test]
    fn each_failure_of_kubectl_has_words() {
        // As kubectl 1.32 writes them; the server's as the API server does.
        for (said, words, may_be_done) in [
            (
                "Error from server (NotFound): wasmplugins.extensions.istio.io \"x\" not found",
                "name its namespace with -n",
                false,
            ),
            ("Error from server (NotFound): namespaces \"x\" not found", "name its namespace with -n", false),
            (
                "Error from server (Forbidden): wasmplugins \"x\" is forbidden: User \"bob\" cannot patch resource \"wasmplugins\" in API group \"extensions.istio.io\" in the namespace \"default\"",
                "verbs get and patch",
                false,
            ),
            ("error: You must be logged in to the server (Unauthorized)", "log in again", false),
            (
                "error: You must be logged in to the server (the server has asked for the client to provide credentials)",
                "log in again",
                false,
            ),
            (
                "Error from server (Conflict): Operation cannot be fulfilled on wasmplugins.extensions.istio.io \"x\": the object has been modified; please apply your changes to the latest version and try again",
                "run the command again",
                false,
            ),
            (
                "Error from server (BadRequest): admission webhook \"validation.istio.io\" denied the request: configuration is invalid: x",
                "a policy of the cluster refuses",
                false,
            ),
            (
                "Error from server (Forbidden): admission webhook \"v1.admission-webhook.configsync.gke.io\" denied the request: requester is not authorized to update managed resources",
                "a policy of the cluster refuses",
                false,
            ),
            (
                "The wasmplugins \"x\" is invalid: : ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no",
                "a policy of the cluster refuses",
                false,
            ),
            (
                "The WasmPlugin \"x\" is invalid: spec.phase: Unsupported value",
                "refuses the changed resource",
                false,
            ),
            (
                "The ConfigMap \"x\" is invalid: data: Forbidden: field is immutable when `immutable` is set",
                "marked as immutable",
                false,
            ),
            (
                "The ConfigMap \"x\" is invalid: []: Too long: must have at most 1048576 bytes",
                "larger than Kubernetes allows",
                false,
            ),
            (
                "Error from server (RequestEntityTooLarge): Request entity too large: limit is 3145728",
                "larger than Kubernetes allows",
                false,
            ),
            ("Error from server: etcdserver: request is too large", "larger than Kubernetes allows", false),
            (
                "error: the server doesn't have a resource type \"wasmplugin\"",
                "whether Istio is installed there",
                false,
            ),
            (
                "Error in configuration: context was not found for specified context: prod",
                "kubectl config get-contexts",
                false,
            ),
            ("error: no context exists with the name: \"prod\"", "kubectl config get-contexts", false),
            (
                "Error: unknown flag: --patch-file\nSee 'kubectl patch --help' for usage.",
                "1.21 or later",
                false,
            ),
            ("Error: unknown flag: --show-managed-fields", "1.21 or later", false),
            (
                "The connection to the server localhost:8080 was refused - did you specify the right host or port?",
                "no cluster can be reached",
                false,
            ),
            (
                "Unable to connect to the server: dial tcp: lookup nohost.invalid on 10.0.0.2:53: no such host",
                "no cluster can be reached",
                false,
            ),
            (
                "Unable to connect to the server: dial tcp 10.0.0.1:443: i/o timeout",
                "no cluster can be reached",
                false,
            ),
            (
                "Unable to connect to the server: tls: failed to verify certificate: x509: certificate signed by unknown authority",
                "certificate",
                false,
            ),
            (
                "Unable to connect to the server: getting credentials: exec: executable gke-gcloud-auth-plugin not found",
                "cannot get your credentials",
                false,
            ),
            ("Unable to connect to the server: EOF", "the connection broke off", true),
            (
                "Unable to connect to the server: net/http: request canceled (Client.Timeout exceeded while awaiting headers)",
                "the connection broke off",
                true,
            ),
            (
                "Error from server (Timeout): request did not complete within the allowed duration",
                "took too long",
                true,
            ),
            (
                "Error from server (InternalError): Internal error occurred: failed calling webhook \"x\": context deadline exceeded",
                "could not do it now",
                true,
            ),
            (
                "Error from server (ServiceUnavailable): the server is currently unable to handle the request",
                "could not do it now",
                true,
            ),
            ("Error from server (TooManyRequests): too many requests", "could not do it now", true),
            ("something new", "kubectl failed", true),
        ] {
            let meaning = explain(said);
            assert!(meaning.words.contains(words), "{said}: {meaning:?}");
            assert_eq!(meaning.may_be_done, may_be_done, "{said}");
            let first = said.lines().next().unwrap_or_default();
            assert!(meaning.words.contains(first), "quoted: {meaning:?}");
        }
    }

    #[test]
    fn the_quotation_is_short_and_without_the_log() {
        let log = "E1128 11:04:44.493573   19870 memcache.go:265] \"Unhandled Error\" err=\"couldn't get\"\n";
        let said = format!(
            "{log}{log}The connection to the server x was refused - did you specify the right host or port?\n"
        );
        assert_eq!(
            explain(&said).words,
            "no cluster can be reached; check the network, and the cluster with --context. kubectl said: \"The connection to \
             the server x was refused - did you specify the right host or port?\""
        );
        assert_eq!(explain("").words, "kubectl failed, and gave no reason");
        assert!(explain(&"ä".repeat(10_000)).words.chars().count() < 500);
    }
}
