//! What `xds` answers: Envoys ask for the filter's configuration by REST discovery, and people and Prometheus ask which Envoy runs
//! which version of it.
//!
//! It is pure: (request, what is offered, the Envoys so far, the time) → a reply, and what is worth a word. [`crate::io::server`] moves
//! the bytes, [`crate::io::desk`] holds the state.
//!
//! Envoy's REST discovery has properties that shape this:
//! * A request says which version the Envoy took last, and an Envoy that refuses a version just asks again with the old one. So a
//!   refusal is not told, it shows: the same Envoy was given a version, and goes on asking for it. [`resources`] has what that needs.
//! * A status other than 200 and 304 changes nothing in an Envoy. So where there is nothing good to give, an error is safe.

mod asked;
mod envoys;
mod exposition;
mod files;
mod offer;
mod resources;
mod shown;

pub(crate) use asked::Asked;
pub(crate) use envoys::{Envoys, Event, State};
pub(crate) use files::{Files, News};
pub(crate) use offer::Offer;
pub(crate) use resources::{Resource, read};
pub(crate) use shown::{Fleet, ShownEnvoy, text};

use crate::serving::{Gate, Reply, Request};
use serde_json::json;
use std::time::Duration;

/// Where Envoys ask, as its API says.
pub(crate) const DISCOVERY_PATH: &str = "/v3/discovery:extension_configs";
/// Where people ask.
pub(crate) const ENVOYS_PATH: &str = "/api/envoys";
/// The type of what is served, and of what Envoys ask for.
pub(crate) const TYPE_URL: &str = "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig";
/// The body of a request. An Envoy names all of its extensions in each, which are 62 kB in Envoy 1.36, and its metadata.
pub(crate) const REQUEST_BYTES_MAX: usize = 1 << 20;
/// A loop that has not looked at its files for so long is stuck, and the program should be started again.
const STUCK_AFTER: Duration = Duration::from_secs(60);

/// How requests were answered, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// With resources.
    pub(crate) given: u64,
    /// With 304: the Envoy has them.
    pub(crate) unchanged: u64,
    /// With an error, because no file is good enough to be served.
    pub(crate) unavailable: u64,
    /// With an error, because of the request.
    pub(crate) refused: u64,
}

/// When a request came.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Moment {
    /// Since the start.
    pub(crate) now: Duration,
    /// Since the files were looked at last.
    pub(crate) quiet: Duration,
}

/// Answers a request. `body` is what came with it, `peer` who sent it.
pub(crate) fn answer(
    request: &Request,
    body: &[u8],
    peer: &str,
    offer: &Offer,
    envoys: &mut Envoys,
    gate: &Gate,
    moment: Moment,
) -> Reply {
    let is_get = matches!(request.method.as_str(), "GET" | "HEAD");
    match request.path.as_str() {
        DISCOVERY_PATH if request.method == "POST" => {
            let reply = discover(request, body, peer, offer, envoys, moment.now);
            let counts = &mut envoys.counts;
            match reply.status {
                200 => counts.given += 1,
                304 => counts.unchanged += 1,
                500.. => counts.unavailable += 1,
                _ => counts.refused += 1,
            }
            reply
        }
        DISCOVERY_PATH => Reply::refused(405, &format!("{DISCOVERY_PATH} takes POST")).with("allow", "POST"),
        path if path.starts_with("/v3/discovery:") || path.starts_with("/v2/") => Reply::refused(
            404,
            &format!("this serves configurations of filters only; Envoy asks for these at {DISCOVERY_PATH}"),
        ),
        ENVOYS_PATH | "/metrics" | "/healthz" | "/readyz" if !is_get => {
            Reply::refused(405, &format!("{} takes GET, HEAD", request.path)).with("allow", "GET, HEAD")
        }
        path => match gate.check_host(request) {
            Err(reply) => reply,
            Ok(()) => about(path, offer, envoys, moment),
        },
    }
}

/// What people, probes and Prometheus ask.
fn about(path: &str, offer: &Offer, envoys: &mut Envoys, moment: Moment) -> Reply {
    match path {
        ENVOYS_PATH => Reply::json(200, &Fleet::new(offer, envoys, moment.now).value()),
        "/metrics" => {
            let fleet = Fleet::new(offer, envoys, moment.now);
            Reply::text(exposition::text(&fleet, &envoys.counts))
        }
        "/healthz" if moment.quiet >= STUCK_AFTER => {
            Reply::refused(503, "the files have not been looked at for a minute")
        }
        "/healthz" => Reply::json(200, &json!({"healthy": true})),
        "/readyz" => match offer.missing() {
            Some(words) => Reply::refused(503, &words),
            None => Reply::json(200, &json!({"ready": true})),
        },
        _ => Reply::refused(
            404,
            &format!(
                "there is nothing here; Envoys ask at {DISCOVERY_PATH}, people at {ENVOYS_PATH} and /metrics"
            ),
        ),
    }
}

/// Answers an Envoy. Its `host` is the name of its cluster, so that is not checked; a browser tells the page that it asks for.
fn discover(
    request: &Request,
    body: &[u8],
    peer: &str,
    offer: &Offer,
    envoys: &mut Envoys,
    now: Duration,
) -> Reply {
    if request.header("origin").is_some() || request.header("sec-fetch-site").is_some() {
        return Reply::refused(403, "this is for Envoys, and the request is a browser's");
    }
    let asked = match Asked::read(body) {
        Ok(asked) => asked,
        Err(words) => return Reply::refused(400, &words),
    };
    match offer.find(&asked.names) {
        Err((status, words)) => {
            // Which resources a file has that cannot be read, nobody knows.
            envoys.saw_unserved(&asked, peer, status == 404, now);
            Reply::refused(status, &words)
        }
        Ok(found) => {
            envoys.saw(&asked, peer, &found.version, now);
            if asked.version == found.version {
                return Reply::new(304, "application/json", "");
            }
            Reply::new(200, "application/json", found.body(envoys.next_variant()))
        }
    }
}

#[cfg(test)]
mod property_tests;
#[cfg(test)]
mod tests;
