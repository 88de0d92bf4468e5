//! The text of `/metrics`, in Prometheus' format 0.0.4.

use super::view::{Moment, View};
use llm_canary_verdict::verdict::Verdict;
use std::fmt::Write;

/// All verdicts, so that each has a series, and a rule that waits for one sees its 0.
const VERDICTS: [Verdict; 3] = [Verdict::Fine, Verdict::NotEnoughData, Verdict::Regression];

pub(super) fn text(view: &View, moment: Moment) -> String {
    let trouble = view.trouble(moment);
    let mut text = Text::default();
    text.family(
        "llm_canary_verdict",
        "gauge",
        "The verdict of a version: 1 for the one that holds, 0 for the others.",
    );
    for found in &view.found {
        let verdict = found.verdict(trouble.as_deref());
        for one in VERDICTS {
            let labels = [names(&found.analysis)[0], names(&found.analysis)[1], ("verdict", one.name())];
            text.sample("llm_canary_verdict", &labels, f64::from(u8::from(verdict == one)));
        }
    }
    text.family("llm_canary_step_percent", "gauge", "The share of a version in percent.");
    for found in &view.found {
        if let Some(percent) = found.percent {
            text.sample("llm_canary_step_percent", &names(&found.analysis), percent);
        }
    }
    text.family(
        "llm_canary_log_e",
        "gauge",
        "The evidence that a version is worse: the natural logarithm of E.",
    );
    for found in &view.found {
        for signal in &found.analysis.judgement.signals {
            let [rollout, version] = names(&found.analysis);
            let name = signal.signal.to_string();
            text.sample("llm_canary_log_e", &[rollout, version, ("signal", &name)], signal.ln_e);
        }
    }
    text.family(
        "llm_canary_stops_total",
        "counter",
        "How often a signal, the limit or a row about health has made a regression of it.",
    );
    for ((rollout, version, signal), count) in view.stops.counts() {
        let labels = [("rollout", rollout.as_str()), ("version", version), ("signal", signal)];
        // Exact up to 2^53.
        text.sample("llm_canary_stops_total", &labels, *count as f64);
    }
    text.family(
        "llm_canary_source_up",
        "gauge",
        "Whether the source answered the last look, with nothing missing.",
    );
    let is_up = view.has_looked && trouble.is_none();
    text.sample("llm_canary_source_up", &[], f64::from(u8::from(is_up)));
    watchdog(view, &mut text);
    text.into_text()
}

/// The figures of a reference set, where there is one.
fn watchdog(view: &View, text: &mut Text) {
    let Some(watchdog) = &view.watchdog else { return };
    let rollout = ("rollout", view.rollout.as_deref().unwrap_or_default());
    text.family(
        "llm_canary_watchdog_pass_share",
        "gauge",
        "The mean share of passed answers over the prompts of the reference set, as a part of 1.",
    );
    for (version, share) in &watchdog.pass_share {
        if let Some(share) = share {
            text.sample("llm_canary_watchdog_pass_share", &[rollout, ("version", version)], *share);
        }
    }
    let [(version, _), _] = &watchdog.pass_share;
    let labels = [rollout, ("version", version.as_str())];
    text.family(
        "llm_canary_watchdog_log_e",
        "gauge",
        "The evidence of the reference set that a version is worse, as a natural logarithm.",
    );
    text.sample("llm_canary_watchdog_log_e", &labels, watchdog.log_e);
    text.family(
        "llm_canary_watchdog_unknown",
        "gauge",
        "Answers and votes of the reference set of which nothing is known.",
    );
    // Exact up to 2^53.
    text.sample("llm_canary_watchdog_unknown", &labels, watchdog.unknown as f64);
}

fn names(analysis: &crate::analysis::Analysis) -> [(&'static str, &str); 2] {
    [("rollout", &analysis.rollout), ("version", &analysis.version)]
}

/// The text of a page of metrics, as it grows.
#[derive(Default)]
pub(crate) struct Text(String);

impl Text {
    pub(crate) fn family(&mut self, name: &str, kind: &str, help: &str) {
        self.line(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}"));
    }

    pub(crate) fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        let label = |(name, value): &(&str, &str)| format!("{name}=\"{}\"", escaped(value));
        let labels: Vec<String> = labels.iter().map(label).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        self.line(format_args!("{name}{labels} {}", number(value)));
    }

    pub(crate) fn into_text(self) -> String {
        self.0
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // A text can always be written to.
        let _ = writeln!(self.0, "{line}");
    }
}

/// A value of a label.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn number(value: f64) -> String {
    match value {
        f64::INFINITY => "+Inf".to_owned(),
        f64::NEG_INFINITY => "-Inf".to_owned(),
        value => value.to_string(),
    }
}
