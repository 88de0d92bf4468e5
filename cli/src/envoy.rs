//! What an Envoy's admin page says about the configuration it runs.
//!
//! In: lines of `/stats`. Out: [`AdminStats`], and from them whether a configuration runs there.

use serde::Serialize;
use std::fmt;
use std::time::Duration;

/// The page with the lines needed here; an Envoy may have a hundred thousand others.
pub(crate) const STATS_PATH: &str =
    "/stats?filter=llm_config_hash%7Cextension_config_discovery.*(update_rejected%7Cconfig_fail)";
const CONFIG_HASH: &str = "llm_config_hash";

/// The counters of one Envoy.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct AdminStats {
    /// The hash of the configuration that it runs.
    pub(crate) config_hash: Option<u64>,
    /// How many updates of a filter's configuration it has refused.
    pub(crate) refused: u64,
}

/// Whether an Envoy runs a configuration.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct EnvoyStatus {
    pub(crate) admin: String,
    pub(crate) state: UpdateState,
    /// The time from the change until the Envoy was seen to run it, in milliseconds.
    pub(crate) after_ms: Option<f64>,
    /// Why it does not run it.
    pub(crate) why: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum UpdateState {
    /// It runs the configuration.
    Runs,
    /// It counted a refused update, and runs what it ran before.
    Refused,
    /// It did not run the configuration before the timeout.
    TimedOut,
}

/// What one look at an Envoy says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    Runs,
    Refused,
    /// Not yet, and why.
    Waiting(String),
}

impl AdminStats {
    /// Reads lines of `name: value`; others are ignored.
    pub(crate) fn parse(text: &str) -> Self {
        let mut stats = Self::default();
        for line in text.lines() {
            let Some((name, value)) = line.rsplit_once(": ") else { continue };
            let Ok(value) = value.trim().parse::<u64>() else { continue };
            if name.rsplit('.').next().is_some_and(|last| last == CONFIG_HASH) {
                stats.config_hash = Some(value);
            } else if name.starts_with("extension_config_discovery.") {
                stats.refused = stats.refused.saturating_add(value);
            }
        }
        stats
    }

    /// Whether the Envoy runs the configuration with this hash, or has refused an update since the count before it.
    pub(crate) fn progress(&self, hash: u32, refused_before: u64) -> Progress {
        match self.config_hash {
            Some(running) if running == u64::from(hash) => Progress::Runs,
            _ if self.refused > refused_before => Progress::Refused,
            Some(running) => {
                Progress::Waiting(format!("it runs the configuration with the hash {running}, not {hash}"))
            }
            None => Progress::Waiting(format!(
                "it exports no {CONFIG_HASH}: the filter is not loaded, or is older than this tool"
            )),
        }
    }
}

impl EnvoyStatus {
    pub(crate) fn runs(admin: &str, after: Duration) -> Self {
        let after_ms = (after.as_secs_f64() * 10_000.0).round() / 10.0;
        Self { admin: admin.to_owned(), state: UpdateState::Runs, after_ms: Some(after_ms), why: None }
    }

    pub(crate) fn refused(admin: &str) -> Self {
        let why = "its log says why; it runs what it ran before".to_owned();
        Self { admin: admin.to_owned(), state: UpdateState::Refused, after_ms: None, why: Some(why) }
    }

    pub(crate) fn timed_out(admin: &str, why: String) -> Self {
        Self { admin: admin.to_owned(), state: UpdateState::TimedOut, after_ms: None, why: Some(why) }
    }
}

impl fmt::Display for EnvoyStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = self.why.as_deref().unwrap_or_default();
        match self.state {
            UpdateState::Runs => {
                write!(f, "{} runs it after {:.0} ms", self.admin, self.after_ms.unwrap_or_default())
            }
            UpdateState::Refused => write!(f, "{} refused it: {why}", self.admin),
            UpdateState::TimedOut => write!(f, "{} does not run it: {why}", self.admin),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{AdminStats, Progress};

    #[test]
    fn stats_are_read() {
        let text = "extension_config_discovery.http_filter.llm-canary.config_fail: 1\n\
            extension_config_discovery.http_filter.llm-canary.update_rejected: 2\n\
            wasmcustom.llm_config_hash: 4294967295\n";
        assert_eq!(
            AdminStats::parse(text),
            AdminStats { config_hash: Some(u64::from(u32::MAX)), refused: 3 }
        );
        let others = "wasmcustom.not_llm_config_hash: 1\nllm_config_hash: x\n";
        assert_eq!(AdminStats::parse(others), AdminStats::default());
    }

    #[test]
    fn a_look_says_how_far_an_update_is() {
        let stats = |config_hash, refused| AdminStats { config_hash, refused };
        assert_eq!(stats(Some(7), 4).progress(7, 3), Progress::Runs, "the hash decides");
        assert_eq!(stats(Some(6), 4).progress(7, 3), Progress::Refused);
        assert!(
            matches!(stats(Some(6), 3).progress(7, 3), Progress::Waiting(why) if why.contains("hash 6, not 7"))
        );
        assert!(
            matches!(stats(None, 0).progress(7, 0), Progress::Waiting(why) if why.contains("exports no"))
        );
    }
}
