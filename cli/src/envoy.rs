//! What an Envoy's admin page says about the configuration it runs.
//!
//! In: lines of `/stats`. Out: [`AdminStats`], and from them whether a configuration runs there.

use llm_canary::config::HostKind;
use serde::Serialize;
use std::fmt;
use std::time::Duration;

/// The page with the lines needed here; an Envoy may have a hundred thousand others.
pub(crate) const STATS_PATH: &str =
    "/stats?filter=llm_config_hash%7Cextension_config_discovery.*(update_rejected%7Cconfig_fail)";
const CONFIG_HASH: &str = "llm_config_hash";
/// In front of the names of the metrics of WebAssembly's plugins. Those of native modules begin with `dynamicmodulescustom.`, or
/// with the module's `metrics_namespace`.
const PLUGIN_PREFIX: &str = "wasmcustom.";
/// In front of the names of the counters of one filter's updates.
const UPDATES_PREFIX: &str = "extension_config_discovery.http_filter.";

/// What an Envoy is asked about.
#[derive(Clone, Copy)]
pub(crate) struct Watched<'a> {
    /// The rollout that is edited. An Envoy may have several filters, each with rollouts of its own.
    pub(crate) rollout: &'a str,
    /// The name under which Envoy discovers the configuration; `None` where the file does not say it.
    pub(crate) discovered_as: Option<&'a str>,
    /// The host that reads the configuration; `None` where the file does not say it. An Envoy may have both.
    pub(crate) host: Option<HostKind>,
}

/// The counters of one Envoy.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct AdminStats {
    /// The hash of the configuration by which the rollout runs.
    config_hash: Option<u64>,
    /// The hash that a module without the label `llm_rollout` exports.
    unlabelled_hash: Option<u64>,
    /// Whether other rollouts run there.
    has_others: bool,
    /// Whether the rollout runs in the other host there.
    is_elsewhere: bool,
    /// How many updates of the filter's configuration it has refused; of all filters' if it is not known which counts.
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

/// Why a page cannot be Envoy's `/stats`, without its subject; `None` if it can be. An Envoy without the lines that are
/// asked for answers with an empty page.
pub(crate) fn foreign(page: &str) -> Option<&'static str> {
    let mut lines = page.lines().map(str::trim).filter(|line| !line.is_empty());
    if page.trim_start().starts_with('<') {
        return Some(
            "it answers with a web page (HTML), and not with Envoy's statistics; give the address of Envoy's admin page",
        );
    }
    let is_other = |line: &str| line.starts_with(['{', '[', '#']) || !line.contains(": ");
    lines.any(is_other).then_some(
        "it answers with something else than Envoy's statistics; give the address of Envoy's admin page",
    )
}

/// The host of a gauge with a configuration's hash, and its name without the host's prefix; `None` if it is none.
fn hash_of_a_host(name: &str) -> Option<(HostKind, &str)> {
    let (host, name) = match name.strip_prefix(PLUGIN_PREFIX) {
        Some(name) => (HostKind::WebAssembly, name),
        None if name.starts_with(UPDATES_PREFIX) => return None,
        None => (HostKind::Native, name.get(name.find(&format!(".{CONFIG_HASH}"))? + 1..)?),
    };
    name.starts_with(CONFIG_HASH).then_some((host, name))
}

/// What the gauge of a rollout is called behind the prefix: with its label as WebAssembly encodes it, or as Envoy does.
fn of_rollout(rollout: &str, host: HostKind) -> String {
    match host {
        HostKind::WebAssembly => format!("{CONFIG_HASH}.llm_rollout=.={rollout};.;"),
        HostKind::Native => format!("{CONFIG_HASH}.llm_rollout.{rollout}"),
    }
}

impl AdminStats {
    /// Reads lines of `name: value`; others are ignored.
    pub(crate) fn parse(text: &str, watched: &Watched<'_>) -> Self {
        let mut stats = Self::default();
        let (mut refused_by_all, mut refused_by_watched) = (0_u64, None::<u64>);
        let of_filter = watched.discovered_as.map(|name| format!("{UPDATES_PREFIX}{name}."));
        for line in text.lines() {
            let Some((name, value)) = line.rsplit_once(": ") else { continue };
            let Ok(value) = value.trim().parse::<u64>() else { continue };
            if let Some((host, name)) = hash_of_a_host(name) {
                let is_elsewhere = watched.host.is_some_and(|watched| watched != host);
                if name == of_rollout(watched.rollout, host) {
                    stats.is_elsewhere |= is_elsewhere;
                    stats.config_hash = if is_elsewhere { stats.config_hash } else { Some(value) };
                } else if name == CONFIG_HASH {
                    stats.unlabelled_hash = Some(value);
                } else {
                    stats.has_others = true;
                }
            } else if name.starts_with(UPDATES_PREFIX) {
                refused_by_all = refused_by_all.saturating_add(value);
                if of_filter.as_ref().is_some_and(|prefix| name.starts_with(prefix)) {
                    refused_by_watched = Some(refused_by_watched.unwrap_or(0).saturating_add(value));
                }
            }
        }
        stats.refused = refused_by_watched.unwrap_or(refused_by_all);
        stats
    }

    /// Whether the Envoy runs the configuration with this hash, or has refused an update since the count before it.
    pub(crate) fn progress(&self, watched: &Watched<'_>, hash: u32, refused_before: u64) -> Progress {
        let rollout = watched.rollout;
        // A module without the label exports one hash for all filters. If it is the right one, a filter runs this.
        match self.config_hash.or(self.unlabelled_hash) {
            Some(running) if running == u64::from(hash) => Progress::Runs,
            _ if self.refused > refused_before => Progress::Refused,
            Some(running) if self.config_hash.is_some() => Progress::Waiting(format!(
                "it runs the rollout {rollout} by the configuration with the hash {running}, not {hash}"
            )),
            Some(running) => Progress::Waiting(format!(
                "its {CONFIG_HASH} is {running}, not {hash}, and names no rollout: the module is older than this tool, and \
                 the hash may be another filter's. Load the module of the tool's version"
            )),
            None if self.is_elsewhere => {
                let [there, here] = match watched.host {
                    Some(HostKind::Native) => ["WebAssembly module", "native module"],
                    Some(HostKind::WebAssembly) | None => ["native module", "WebAssembly module"],
                };
                Progress::Waiting(format!(
                    "it runs the rollout {rollout} in the {there}, and this is the configuration of the {here}"
                ))
            }
            None if self.has_others => {
                Progress::Waiting(format!("it has read other rollouts, and none with the name {rollout}"))
            }
            None => Progress::Waiting(format!(
                "it exports no {CONFIG_HASH}: the filter is not loaded, or is much older than this tool"
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
    use super::{AdminStats, HostKind, Progress, Watched};

    const CHAT: Watched<'static> = Watched { rollout: "chat", discovered_as: Some("llm"), host: None };

    /// A line as Envoy writes it.
    fn hash(rollout: &str, value: u64) -> String {
        format!("wasmcustom.llm_config_hash.llm_rollout=.={rollout};.;: {value}\n")
    }

    fn refused(filter: &str, count: u64) -> String {
        format!(
            "extension_config_discovery.http_filter.{filter}.config_fail: {count}\n\
             extension_config_discovery.http_filter.{filter}.update_rejected: {count}\n"
        )
    }

    #[test]
    fn stats_are_read() {
        let max = u64::from(u32::MAX);
        let text = refused("llm", 1) + &hash("chat", max);
        let read = AdminStats { config_hash: Some(max), refused: 2, ..AdminStats::default() };
        assert_eq!(AdminStats::parse(&text, &CHAT), read);
        let none = "wasmcustom.not_llm_config_hash: 1\nwasmcustom.llm_config_hash: x\nllm_config_hash: 1\n";
        assert_eq!(AdminStats::parse(none, &CHAT), AdminStats::default());
        // A name may hold anything but control characters and the separator.
        for odd in ["a b", "chat: 5", "llm_rollout=.=chat", "v1.2", "größe", "chat 2"] {
            let watched = Watched { rollout: odd, ..CHAT };
            let text = hash(odd, 5) + &hash("chat", 6);
            assert_eq!(AdminStats::parse(&text, &watched).config_hash, Some(5), "{odd}");
        }
    }

    /// Lines of real Envoys, also with a `metrics_namespace`.
    #[test]
    fn each_host_writes_the_label_in_its_own_way() {
        let native = "dynamicmodulescustom.llm_config_hash.llm_rollout.chat: 7\n";
        for line in [
            native,
            "mine.llm_config_hash.llm_rollout.chat: 7\n",
            "mine.x.llm_config_hash.llm_rollout.chat: 7\n",
        ] {
            let look = |host, text: &str| {
                let watched = Watched { host, ..CHAT };
                AdminStats::parse(text, &watched).progress(&watched, 7, 0)
            };
            assert_eq!(look(None, line), Progress::Runs);
            let both = line.to_owned() + &hash("chat", 6);
            assert_eq!(look(Some(HostKind::Native), &both), Progress::Runs);
            assert!(
                matches!(look(Some(HostKind::WebAssembly), &both), Progress::Waiting(why) if why.contains("hash 6, not 7"))
            );
            let elsewhere = "it runs the rollout chat in the native module, and this is the configuration of the WebAssembly module";
            assert_eq!(look(Some(HostKind::WebAssembly), line), Progress::Waiting(elsewhere.to_owned()));
        }
        let others = AdminStats { has_others: true, ..AdminStats::default() };
        assert_eq!(AdminStats::parse(&native.replace("chat", "chat2"), &CHAT), others);
        let filter = "extension_config_discovery.http_filter.a.llm_config_hash.config_fail: 1\n";
        assert_eq!(AdminStats::parse(filter, &CHAT), AdminStats { refused: 1, ..AdminStats::default() });
    }

    #[test]
    fn other_filters_are_not_mistaken_for_this_one() {
        // Refusals of another filter's updates do not count, if it is known which are this one's.
        let text = refused("llm", 1) + &refused("llm2", 5) + &refused("other", 7);
        assert_eq!(AdminStats::parse(&text, &CHAT).refused, 2);
        for discovered_as in [None, Some("unknown"), Some("")] {
            assert_eq!(AdminStats::parse(&text, &Watched { discovered_as, ..CHAT }).refused, 26);
        }
        let mut runs = AdminStats::parse(&(hash("code", 7) + &hash("chat", 6) + &hash("chat2", 7)), &CHAT);
        assert!(
            matches!(runs.progress(&CHAT, 7, 0), Progress::Waiting(why) if why.contains("rollout chat by the configuration with the hash 6, not 7"))
        );
        runs.config_hash = None;
        assert!(
            matches!(runs.progress(&CHAT, 7, 0), Progress::Waiting(why) if why.contains("none with the name chat"))
        );
    }

    #[test]
    fn a_look_says_how_far_an_update_is() {
        let look = |config_hash, refused, before| {
            AdminStats { config_hash, refused, ..AdminStats::default() }.progress(&CHAT, 7, before)
        };
        assert_eq!(look(Some(7), 4, 3), Progress::Runs, "the hash decides");
        assert_eq!(look(Some(6), 4, 3), Progress::Refused);
        assert!(matches!(look(Some(6), 3, 3), Progress::Waiting(why) if why.contains("hash 6, not 7")));
        assert!(matches!(look(None, 0, 0), Progress::Waiting(why) if why.contains("exports no")));
    }

    #[test]
    fn a_module_without_the_label_is_named_unless_it_runs_the_change() {
        let look = |text: &str| AdminStats::parse(text, &CHAT).progress(&CHAT, 7, 0);
        let old = "wasmcustom.llm_config_hash: ";
        assert_eq!(look(&format!("{old}7\n")), Progress::Runs);
        let behind = look(&format!("{old}6\n"));
        assert!(
            matches!(&behind, Progress::Waiting(why) if why.contains("the module is older than this tool") && why.contains("Load the module of")),
            "{behind:?}"
        );
        // Envoy keeps the old module's series when a new one replaces it.
        let stale = look(&(format!("{old}7\n") + &hash("chat", 6)));
        assert!(matches!(&stale, Progress::Waiting(why) if why.contains("hash 6, not 7")), "{stale:?}");
    }
}
