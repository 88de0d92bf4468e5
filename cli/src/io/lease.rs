//! The claim of a `run` on a rollout of a live resource: an annotation that is renewed as long as the command runs.
//!
//! Nobody compares clocks: who finds the annotation of another run watches it, and takes it over if it is not renewed.

use super::claim::Claim;
use super::clock::Clock;
use super::kubectl::Kubectl;
use crate::error::Error;
use serde_json::{Value, json};
use std::time::Duration;

/// It is renewed so often.
const RENEWED_EVERY: Duration = Duration::from_secs(60);
/// Without a renewal for so long, its owner is gone.
const GONE_AFTER: Duration = Duration::from_secs(100);
/// The time between two looks at another's annotation.
const WATCH_INTERVAL: Duration = Duration::from_secs(5);
const STDIN: &str = "/dev/stdin";
const REQUEST_TIMEOUT: &str = "--request-timeout=10s";

/// Where the annotation is.
#[derive(Clone, Debug)]
pub(crate) struct Place<'a> {
    /// Kind and name.
    pub(crate) resource: &'a str,
    pub(crate) namespace: Option<&'a str>,
    pub(crate) context: Option<&'a str>,
    pub(crate) rollout: String,
}

/// An annotation of this run.
pub(crate) struct Lease<'a> {
    kubectl: &'a dyn Kubectl,
    place: Place<'a>,
    holder: String,
    reasons: Vec<String>,
    /// When it was written last, on [`Clock::elapsed`].
    written: Duration,
    /// How often it was.
    renewals: u64,
}

/// What the annotation says.
#[derive(Clone, Debug, Default, PartialEq)]
struct Said {
    version: String,
    has_annotations: bool,
    holder: Option<String>,
    /// It changes with each renewal.
    text: String,
    reasons: Vec<String>,
}

impl<'a> Lease<'a> {
    /// Claims a rollout. Where another run has it, this watches for a while whether that one still lives.
    ///
    /// # Errors
    /// Another run has it, or the annotation cannot be written.
    pub(crate) fn claim(
        kubectl: &'a dyn Kubectl,
        place: Place<'a>,
        random: u32,
        clock: &dyn Clock,
        say: &mut dyn FnMut(&str),
    ) -> Result<Self, Error> {
        let refused = |words: String| Error::refused(format!("{}: {words}", place.resource));
        let holder = format!("{random:08x}");
        let mut lease = Self {
            kubectl,
            place: place.clone(),
            holder,
            reasons: Vec::new(),
            written: Duration::ZERO,
            renewals: 0,
        };
        let found = lease.read().map_err(refused)?;
        if let Some(other) = &found.holder {
            let began = clock.elapsed();
            say(&format!(
                "{} says that another run ({other}) has the rollout {}; looking for {} s whether it still does",
                place.resource,
                place.rollout,
                GONE_AFTER.as_secs()
            ));
            while clock.elapsed().saturating_sub(began) < GONE_AFTER {
                clock.sleep(WATCH_INTERVAL);
                let now = lease.read().map_err(refused)?;
                if now.holder.is_none() {
                    break;
                }
                if now.text != found.text {
                    return Err(refused(format!(
                        "another run ({other}) has the rollout {}. Two plans at once would fight; end that run first (it leaves the \
                         share as it is), or watch with --dry-run",
                        place.rollout
                    )));
                }
            }
        }
        let found = lease.read().map_err(refused)?;
        lease.reasons.clone_from(&found.reasons);
        lease.write(&found, true).map_err(refused)?;
        lease.written = clock.elapsed();
        Ok(lease)
    }

    fn key(&self) -> String {
        format!("llm-canary/run.{}.lease", self.place.rollout)
    }

    fn kubectl(&self, arguments: &[&str], input: &[u8]) -> Result<Vec<u8>, String> {
        let mut all = vec![REQUEST_TIMEOUT];
        for (option, value) in [("--namespace", self.place.namespace), ("--context", self.place.context)] {
            all.extend(value.map(|value| [option, value]).into_iter().flatten());
        }
        all.extend(arguments);
        self.kubectl.run(&all, input).map_err(|error| error.words().to_owned())
    }

    fn read(&self) -> Result<Said, String> {
        let json = self.kubectl(&["get", self.place.resource, "--output=json"], b"")?;
        let resource: Value = serde_json::from_slice(&json).unwrap_or_default();
        let annotations = resource.pointer("/metadata/annotations");
        let text =
            annotations.and_then(|all| all.get(self.key())).and_then(Value::as_str).unwrap_or_default();
        let said: Value = serde_json::from_str(text).unwrap_or_default();
        let reasons = said.get("again").and_then(Value::as_array);
        let reasons = reasons.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned);
        Ok(Said {
            version: resource
                .pointer("/metadata/resourceVersion")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned(),
            has_annotations: annotations.is_some_and(Value::is_object),
            holder: said.get("holder").and_then(Value::as_str).map(str::to_owned),
            text: text.to_owned(),
            reasons: reasons.collect(),
        })
    }

    /// Writes the annotation over what was read, if nobody else has written since.
    fn write(&mut self, over: &Said, is_held: bool) -> Result<(), String> {
        self.renewals = self.renewals.saturating_add(1);
        let holder = is_held.then_some(&self.holder);
        let text = json!({"holder": holder, "renewals": self.renewals, "again": self.reasons}).to_string();
        let key = self.key();
        let path = format!("/metadata/annotations/{}", key.replace('/', "~1"));
        let annotate = if over.has_annotations {
            json!({"op": "add", "path": path, "value": text})
        } else {
            json!({"op": "add", "path": "/metadata/annotations", "value": {key: text}})
        };
        let patch = json!([
            {"op": "replace", "path": "/metadata/resourceVersion", "value": over.version},
            annotate
        ]);
        let file = format!("--patch-file={STDIN}");
        self.kubectl(
            &["patch", self.place.resource, "--type=json", &file, "--output=name"],
            patch.to_string().as_bytes(),
        )
        .map(drop)
    }

    /// Renews the annotation, or takes it off.
    fn renew(&mut self, is_held: bool) -> Result<(), String> {
        let found = self.read()?;
        match &found.holder {
            Some(other) if *other != self.holder => Err(format!(
                "{}: another run ({other}) has taken the rollout {}",
                self.place.resource, self.place.rollout
            )),
            _ => self.write(&found, is_held),
        }
    }
}

impl Claim for Lease<'_> {
    fn reasons(&self) -> &[String] {
        &self.reasons
    }

    fn remember(&mut self, reason: &str) -> Result<(), Error> {
        self.reasons.push(reason.to_owned());
        let found = self.read().map_err(Error::refused)?;
        self.write(&found, true).map_err(Error::refused)
    }

    fn keep(&mut self, clock: &dyn Clock) -> Result<(), String> {
        if clock.elapsed().saturating_sub(self.written) < RENEWED_EVERY {
            return Ok(());
        }
        // Tried again after a minute, so that a silent server holds nothing up.
        self.written = clock.elapsed();
        self.renew(true)
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        // If this fails, the next run waits until it is clear that nobody renews it.
        let _ = self.renew(false);
    }
}

#[cfg(test)]
mod tests;
