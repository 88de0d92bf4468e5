//! What the server of `run --listen` and `serve` answers: (request, view, gate, times) → a reply, or an approval for the loop.
//!
//! It is pure. [`crate::io::server`] moves the bytes, and [`crate::io::board`] holds the view.
//!
//! Other controllers ask here, and each takes statuses in its own way:
//! * Argo Rollouts' `web` provider takes a status outside of 2xx for an error, and a few in a row abort the release; so a verdict is
//!   200 whatever it is, and the lack of evidence is a verdict. Older versions take a body that is no JSON for success; so nothing but
//!   JSON is given to a client that does not say what it accepts, as that provider does not.
//! * Flagger's webhooks take a status up to 202 for success, ask again after 5xx and 429, and halt at anything else; so they are answered
//!   with 200 or 409.

mod asked;
mod guard;
mod metrics;
mod page;
mod shown;
mod view;

pub(crate) use guard::Gate;
pub(crate) use metrics::Text;
pub(crate) use shown::Shown;
pub(crate) use view::{Found, Moment, View, Watchdog};

use crate::page::LIVE_PATH;
use asked::Asked;
use llm_canary_verdict::verdict::Verdict;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// A loop that has not gone round for so long is stuck, and the program should be started again. Reading a long time back from
/// Prometheus takes less.
const STUCK_AFTER: Duration = Duration::from_secs(600);

/// A request, as far as it matters.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    /// Names are in lower case.
    pub(crate) headers: Vec<(String, Vec<u8>)>,
}

/// What is sent back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    /// Shared, so that many who read slowly do not take memory each.
    pub(crate) body: Arc<str>,
}

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Reply(Reply),
    /// Somebody approves the next step; [`approved`] makes the reply of what the loop says.
    Approve,
}

/// An endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Endpoint {
    Page,
    Verdict,
    Events,
    Approve,
    Metrics,
    Healthy,
    Ready,
    /// Flagger goes on where this is fine.
    Confirm,
    /// Flagger goes back where this is a regression.
    Rollback,
}

/// Each path, its methods, and what it is.
const ENDPOINTS: [(&str, &str, Endpoint); 11] = [
    ("/", "GET, HEAD", Endpoint::Page),
    (LIVE_PATH, "GET, HEAD", Endpoint::Page),
    ("/api/verdict", "GET, HEAD", Endpoint::Verdict),
    ("/api/events", "GET, HEAD", Endpoint::Events),
    ("/api/approve", "POST", Endpoint::Approve),
    ("/metrics", "GET, HEAD", Endpoint::Metrics),
    ("/healthz", "GET, HEAD", Endpoint::Healthy),
    ("/readyz", "GET, HEAD", Endpoint::Ready),
    ("/flagger/confirm-promotion", "POST", Endpoint::Confirm),
    ("/flagger/confirm-traffic-increase", "POST", Endpoint::Confirm),
    ("/flagger/rollback", "POST", Endpoint::Rollback),
];

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_slice())
    }
}

impl Reply {
    pub(crate) fn new(status: u16, content_type: &str, body: impl Into<Arc<str>>) -> Self {
        let headers = vec![
            ("content-type", content_type.to_owned()),
            ("cache-control", "no-store".to_owned()),
            ("x-content-type-options", "nosniff".to_owned()),
            // Nothing of an answer may run, be framed or load anything.
            ("content-security-policy", "default-src 'none'; frame-ancestors 'none'".to_owned()),
            ("referrer-policy", "no-referrer".to_owned()),
        ];
        Self { status, headers, body: body.into() }
    }

    pub(crate) fn json(status: u16, value: &Value) -> Self {
        Self::new(status, "application/json", format!("{value}\n"))
    }

    pub(crate) fn text(body: String) -> Self {
        Self::new(200, "text/plain; version=0.0.4; charset=utf-8", body)
    }

    /// A page, with what it may do.
    fn page(html: Arc<str>, policy: &str) -> Self {
        Self::new(200, "text/html; charset=utf-8", html).with("content-security-policy", policy)
    }

    /// Why it is not done, in words.
    pub(crate) fn refused(status: u16, words: &str) -> Self {
        Self::json(status, &json!({"error": words}))
    }

    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.set(name, value);
        self
    }

    fn set(&mut self, name: &'static str, value: &str) {
        self.headers.retain(|(own, _)| *own != name);
        self.headers.push((name, value.to_owned()));
    }

    fn is_json(&self) -> bool {
        self.headers.iter().any(|(name, value)| *name == "content-type" && value == "application/json")
    }
}

/// Answers a request.
pub(crate) fn answer(request: &Request, view: &View, gate: &Gate, moment: Moment) -> Outcome {
    let reply = match route(request, view, gate, moment) {
        Ok(Outcome::Approve) => return Outcome::Approve,
        Ok(Outcome::Reply(reply)) | Err(reply) => reply,
    };
    let is_plain = (200..300).contains(&reply.status) && !reply.is_json();
    if is_plain && request.header("accept").is_none() {
        return Outcome::Reply(Reply::refused(
            406,
            "this is not for controllers, and a request must say what it accepts; the verdict is at /api/verdict",
        ));
    }
    Outcome::Reply(reply)
}

/// The reply to who approved, by what the loop says.
pub(crate) fn approved(answer: Result<&str, &str>) -> Reply {
    match answer {
        Ok(words) => Reply::json(200, &json!({"approved": true, "text": words})),
        Err(words) => Reply::refused(409, words),
    }
}

fn route(request: &Request, view: &View, gate: &Gate, moment: Moment) -> Result<Outcome, Reply> {
    gate.check_host(request)?;
    let unknown = || Reply::refused(404, "there is nothing here");
    let (_, methods, endpoint) =
        ENDPOINTS.iter().find(|(path, ..)| *path == request.path).ok_or_else(unknown)?;
    if *endpoint == Endpoint::Approve && !gate.can_approve {
        return Err(Reply::refused(404, "this only watches; run --listen takes approvals"));
    }
    if !methods.split(", ").any(|method| method == request.method) {
        let words = format!("{} takes {methods}", request.path);
        return Err(Reply::refused(405, &words).with("allow", methods));
    }
    if *endpoint == Endpoint::Approve {
        gate.check_change(request)?;
        return Ok(Outcome::Approve);
    }
    Ok(Outcome::Reply(reply(*endpoint, request, view, moment)?))
}

fn reply(endpoint: Endpoint, request: &Request, view: &View, moment: Moment) -> Result<Reply, Reply> {
    let chosen = || Asked::parse(&request.query).and_then(|asked| asked.choose(view, moment));
    Ok(match endpoint {
        Endpoint::Page => page::reply(request, view, moment)?,
        Endpoint::Verdict => Reply::json(200, &chosen()?.value()),
        Endpoint::Events => Reply::json(200, &Value::Array(view.records.clone())),
        Endpoint::Metrics => Reply::text(metrics::text(view, moment)),
        Endpoint::Healthy if moment.quiet >= STUCK_AFTER => {
            Reply::refused(503, "the loop has not gone round for 10 minutes")
        }
        Endpoint::Healthy => Reply::json(200, &json!({"healthy": true})),
        // It does not depend on the source: where a server is not ready, nobody is told that the source is down.
        Endpoint::Ready if view.has_looked => Reply::json(200, &json!({"ready": true})),
        Endpoint::Ready => Reply::refused(503, "the first look at the source is not over yet"),
        Endpoint::Confirm => verdict_reply(&chosen()?, Verdict::Fine),
        Endpoint::Rollback => verdict_reply(&chosen()?, Verdict::Regression),
        Endpoint::Approve => Reply::refused(404, "there is nothing here"),
    })
}

/// 200 for the wanted verdict, 409 with the reasons for any other.
fn verdict_reply(chosen: &asked::Chosen<'_>, wanted: Verdict) -> Reply {
    let verdict = chosen.worst();
    let status = if verdict == wanted { 200 } else { 409 };
    let because = chosen.because();
    let colon = if because.is_empty() { "" } else { ": " };
    let text = format!("{}{colon}{}", verdict.name(), because.join("; "));
    Reply::json(status, &json!({"verdict": verdict.name(), "because": because, "text": text}))
}

#[cfg(test)]
mod page_tests;
#[cfg(test)]
mod tests;
