//! What is judged: one rollout, its baseline, and the versions that are compared with it.
//!
//! In: what the operator named, what the configuration says, what the evidence has. Out: the names, the steps of each version, and from
//! when on it is judged; or which names there are.

use crate::suggest::suggest;
use llm_canary::config::{Config, Rollout};
use llm_canary::timestamp::UnixMs;
use llm_canary_verdict::steps::Step;

/// The shares in a split are parts of this.
const PARTS: f64 = llm_canary::bucket::PARTS as f64;

/// What the operator named.
#[derive(Clone, Debug, Default)]
pub(crate) struct Named {
    pub(crate) rollout: Option<String>,
    pub(crate) baseline: Option<String>,
    /// The versions; if there are none, all that can be judged.
    pub(crate) versions: Vec<String>,
    pub(crate) since_ms: Option<i64>,
}

/// A rollout in the evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SeenRollout {
    pub(crate) name: String,
    /// Each version, with its compared requests in the whole of the evidence.
    pub(crate) versions: Vec<(String, u64)>,
}

/// What is judged.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Subject {
    pub(crate) rollout: String,
    pub(crate) baseline: String,
    /// Whether the baseline is only the version with most requests.
    pub(crate) is_baseline_guessed: bool,
    pub(crate) candidates: Vec<Candidate>,
}

/// A version that is judged.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Candidate {
    pub(crate) version: String,
    /// Its steps, if the configuration says them.
    pub(crate) steps: Option<Vec<Step>>,
    /// From when on it is judged; `None`: from the beginning of the evidence.
    pub(crate) since_ms: Option<i64>,
}

impl Subject {
    /// Chooses; `now` tells which steps have been taken.
    ///
    /// # Errors
    /// A sentence that names what there is instead.
    pub(crate) fn choose(
        named: &Named,
        config: Option<&Config>,
        seen: &[SeenRollout],
        now: UnixMs,
    ) -> Result<Self, String> {
        let rollout = rollout_name(named, config, seen)?;
        let configured = config.and_then(|config| config.rollouts.iter().find(|one| one.name == rollout));
        let seen = seen.iter().find(|seen| seen.name == rollout);
        let seen = seen.map(|seen| seen.versions.as_slice()).unwrap_or_default();
        let known = version_names(configured, seen);
        let (baseline, is_baseline_guessed) = baseline_name(named, configured, seen, &rollout, &known)?;
        let candidates = candidate_names(named, configured, seen, &rollout, &known, &baseline, now)?;
        let candidates = candidates.into_iter().map(|version| {
            let steps = configured.and_then(|rollout| steps(rollout, &version, &baseline));
            let rise = || last_rise(steps.as_ref()?, i64::try_from(now).unwrap_or(i64::MAX));
            Candidate { since_ms: named.since_ms.or_else(rise), steps, version }
        });
        Ok(Self { candidates: candidates.collect(), rollout, baseline, is_baseline_guessed })
    }
}

/// The rollout that is named, or the only one.
fn rollout_name(named: &Named, config: Option<&Config>, seen: &[SeenRollout]) -> Result<String, String> {
    let in_config =
        config.map(|config| config.rollouts.iter().map(|rollout| rollout.name.as_str()).collect());
    let (names, place): (Vec<&str>, _) = match in_config {
        Some(names) => (names, "the configuration"),
        None => (seen.iter().map(|seen| seen.name.as_str()).collect(), "the evidence"),
    };
    match (&named.rollout, names.as_slice()) {
        (Some(name), names) if names.contains(&name.as_str()) => Ok(name.clone()),
        (_, []) => Err(match config {
            Some(_) => "the configuration has no rollouts; give the one that is running".to_owned(),
            None => "the source has no counts of llm-canary (llm_requests_total with llm_compare=\"yes\"); check that it is the right \
                     one, that the filter is loaded, and that requests have come"
                .to_owned(),
        }),
        (Some(name), names) => Err(format!("--rollout {name}: {place} has no such rollout; {}", suggest(name, names))),
        (None, [only]) => Ok((*only).to_owned()),
        (None, names) => {
            Err(format!("{place} has several rollouts, {}; say which with --rollout", names.join(", ")))
        }
    }
}

/// The versions of the configuration, then others in the evidence.
fn version_names<'a>(configured: Option<&'a Rollout>, seen: &'a [(String, u64)]) -> Vec<&'a str> {
    let mut names: Vec<&str> = configured
        .iter()
        .flat_map(|rollout| &rollout.versions)
        .map(|version| version.name.as_str())
        .collect();
    for (name, _) in seen {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    names
}

fn unknown(option: &str, name: &str, rollout: &str, known: &[&str]) -> String {
    format!("{option} {name}: rollout {rollout} has no such version; {}", suggest(name, known))
}

/// The baseline, and whether it is only the version with most requests.
fn baseline_name(
    named: &Named,
    configured: Option<&Rollout>,
    seen: &[(String, u64)],
    rollout: &str,
    known: &[&str],
) -> Result<(String, bool), String> {
    if let Some(name) = &named.baseline {
        let is_known = known.contains(&name.as_str());
        let found = is_known.then(|| (name.clone(), false));
        return found.ok_or_else(|| unknown("--baseline", name, rollout, known));
    }
    if let Some(version) = configured.and_then(|rollout| rollout.versions.get(rollout.baseline)) {
        return Ok((version.name.clone(), false));
    }
    if seen.iter().all(|(_, requests)| *requests == 0) {
        return Err(format!(
            "rollout {rollout}: no request has been compared yet, so that nobody can tell the baseline; wait for traffic, or name it with \
             --baseline, or give the file with the configuration"
        ));
    }
    let others = seen.iter().filter(|(name, _)| !named.versions.contains(name));
    let most = others.max_by_key(|(_, requests)| *requests);
    let none = || format!("rollout {rollout} has no version to compare with; name one with --baseline");
    most.map(|(name, _)| (name.clone(), true)).ok_or_else(none)
}

fn candidate_names(
    named: &Named,
    configured: Option<&Rollout>,
    seen: &[(String, u64)],
    rollout: &str,
    known: &[&str],
    baseline: &str,
    now: UnixMs,
) -> Result<Vec<String>, String> {
    if let Some(name) = named.versions.iter().find(|name| !known.contains(&name.as_str())) {
        return Err(unknown("--version", name, rollout, known));
    }
    if named.versions.iter().any(|name| name == baseline) {
        return Err(format!(
            "--version {baseline}: this is the baseline, and cannot be compared with itself; name another version, or another baseline \
             with --baseline"
        ));
    }
    let mut chosen: Vec<String> = Vec::new();
    // Where all have been stopped or drained, it is their release that is asked about.
    let has_now = |name: &&str| {
        configured.is_some_and(|rollout| share_at(rollout, name, rollout.steps.taken_by(now)) > 0)
    };
    let any_now = known.iter().any(|name| *name != baseline && has_now(name));
    let has_share = |name: &str| match configured {
        Some(_) if any_now => has_now(&name),
        Some(rollout) => (0..=rollout.steps.count()).any(|taken| share_at(rollout, name, taken) > 0),
        None => false,
    };
    let has_requests = |name: &str| seen.iter().any(|(seen, requests)| seen == name && *requests > 0);
    for name in known {
        let is_wanted = match (named.versions.is_empty(), configured) {
            (false, _) => named.versions.iter().any(|wanted| wanted == name),
            (true, Some(_)) => has_share(name),
            (true, None) => has_requests(name),
        };
        if is_wanted && *name != baseline {
            chosen.push((*name).to_owned());
        }
    }
    if chosen.is_empty() {
        let what = if configured.is_some() { "a share" } else { "compared requests" };
        return Err(format!(
            "rollout {rollout}: no version but the baseline {baseline} has {what}; give one a share with llm-canary ramp, or name one \
             with --version"
        ));
    }
    Ok(chosen)
}

/// The parts that a version has after so many steps.
fn share_at(rollout: &Rollout, name: &str, taken: usize) -> u32 {
    let index = rollout.versions.iter().position(|version| version.name == name);
    index.map_or(0, |index| rollout.steps.split(taken).parts(index))
}

/// The steps of a version and its baseline. One split for all time is a step at the beginning of it.
fn steps(rollout: &Rollout, version: &str, baseline: &str) -> Option<Vec<Step>> {
    let index = |name: &str| rollout.versions.iter().position(|version| version.name == name);
    let (version, baseline) = (index(version)?, index(baseline)?);
    let shares = |taken: usize| {
        let split = rollout.steps.split(taken);
        (f64::from(split.parts(version)) / PARTS, f64::from(split.parts(baseline)) / PARTS)
    };
    let mut steps: Vec<Step> = Vec::new();
    let times = std::iter::once(0).chain(rollout.steps.steps().iter().map(|step| step.at));
    for (taken, at) in times.enumerate() {
        let (share, baseline) = shares(taken);
        // Another version's step may change neither.
        let is_new = steps.last().is_none_or(|last| (last.share, last.baseline) != (share, baseline));
        if is_new {
            steps.push(Step { at_ms: i64::try_from(at).unwrap_or(i64::MAX), share, baseline });
        }
    }
    Some(steps)
}

/// When a version last rose from no share, or was resumed: a stop is a step to nothing.
fn last_rise(steps: &[Step], now_ms: i64) -> Option<i64> {
    let taken: Vec<&Step> = steps.iter().take_while(|step| step.at_ms <= now_ms).collect();
    let pairs = taken.iter().zip(taken.iter().skip(1));
    let rises = pairs.filter(|(before, after)| before.share <= 0.0 && after.share > 0.0);
    rises.map(|(_, after)| after.at_ms).next_back().filter(|at_ms| *at_ms > 0)
}

#[cfg(test)]
mod tests {
    use super::{Candidate, Named, SeenRollout, Subject};
    use llm_canary::config::Config;
    use llm_canary::timestamp::{UnixMs, parse_rfc3339};

    const NOW: &str = "2026-11-23T12:00:00Z";

    fn config(steps: &str) -> Config {
        let versions = ["v1", "v2", "v3"].map(|name| format!(r#"{{"name": "{name}", "cluster": "{name}"}}"#));
        let text = format!(
            r#"{{"rollouts": [{{"name": "chat", "baseline": "v1", "versions": [{}], {steps}}}]}}"#,
            versions.join(", ")
        );
        Config::parse(text.as_bytes()).unwrap()
    }

    fn seen(rollouts: &[(&str, &[(&str, u64)])]) -> Vec<SeenRollout> {
        let owned =
            |versions: &[(&str, u64)]| versions.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect();
        let seen = |(name, versions): &(&str, &[(&str, u64)])| SeenRollout {
            name: (*name).to_owned(),
            versions: owned(versions),
        };
        rollouts.iter().map(seen).collect()
    }

    fn named(rollout: Option<&str>, baseline: Option<&str>, versions: &[&str]) -> Named {
        let owned = |name: &str| name.to_owned();
        Named {
            rollout: rollout.map(owned),
            baseline: baseline.map(owned),
            versions: versions.iter().map(|name| owned(name)).collect(),
            since_ms: None,
        }
    }

    fn now() -> UnixMs {
        parse_rfc3339(NOW).unwrap()
    }

    /// The rollout, the baseline, the versions.
    fn names(subject: Result<Subject, String>) -> String {
        match subject {
            Ok(subject) => {
                let versions: Vec<String> = subject.candidates.into_iter().map(|one| one.version).collect();
                let guessed = if subject.is_baseline_guessed { "?" } else { "" };
                format!("{}: {}{guessed}: {}", subject.rollout, subject.baseline, versions.join(" "))
            }
            Err(words) => words,
        }
    }

    #[test]
    fn names_are_chosen() {
        let one = seen(&[("chat", &[("v1", 900), ("v2", 100), ("v3", 0)])]);
        let two = seen(&[("chat", &[("v1", 9), ("v2", 1)]), ("code", &[("a", 1), ("b", 2)])]);
        let of_v3 = config(r#""split": {"v3": 5}"#);
        let step = |at: &str, shares: &str| {
            format!(r#"{{"at": "2026-11-23T{at}:00:00Z", "percent": {{{shares}}}}}"#)
        };
        let drained = [step("08", r#""v2": 5"#), step("09", r#""v2": 0"#)].join(", ");
        let next =
            [&drained, &step("10", r#""v3": 5"#), &step("13", r#""v2": 5"#)].map(String::as_str).join(", ");
        let drained = config(&format!(r#""steps": [{drained}]"#));
        let next = config(&format!(r#""steps": [{next}]"#));
        for (named, config, seen, expect) in [
            (named(None, None, &[]), None, &one, "chat: v1?: v2"),
            (named(None, Some("v2"), &[]), None, &one, "chat: v2: v1"),
            (named(None, None, &["v1"]), None, &one, "chat: v2?: v1"),
            (named(None, None, &["v3"]), None, &one, "chat: v1?: v3"),
            (named(Some("code"), None, &[]), None, &two, "code: b?: a"),
            (named(None, None, &[]), Some(&of_v3), &one, "chat: v1: v3"),
            // The version that has a share now; where none has, those that had one.
            (named(None, None, &[]), Some(&next), &one, "chat: v1: v3"),
            (named(None, None, &[]), Some(&drained), &one, "chat: v1: v2"),
            (named(None, None, &["v2", "v3"]), Some(&of_v3), &one, "chat: v1: v2 v3"),
            (named(None, Some("v3"), &["v1"]), Some(&of_v3), &one, "chat: v3: v1"),
        ] {
            assert_eq!(names(Subject::choose(&named, config, seen, now())), expect);
        }
    }

    #[test]
    fn what_is_not_there_is_named_with_what_is() {
        let one = seen(&[("chat", &[("v1", 900), ("v2", 100)])]);
        let two = seen(&[("chat", &[("v1", 9), ("v2", 1)]), ("code", &[("a", 1)])]);
        let nobody = seen(&[("chat", &[("v1", 900), ("v2", 0)])]);
        let idle = seen(&[("chat", &[("v1", 0), ("v2", 0)])]);
        let (no_share, of_v2) = (config(r#""steps": []"#), config(r#""split": {"v2": 5}"#));
        for (named, config, seen, expect) in [
            (
                named(Some("caht"), None, &[]),
                None,
                &one,
                "--rollout caht: the evidence has no such rollout; did you mean chat?",
            ),
            (
                named(Some("code"), None, &[]),
                Some(&of_v2),
                &two,
                "--rollout code: the configuration has no such rollout; there are chat",
            ),
            (
                named(None, None, &[]),
                None,
                &two,
                "the evidence has several rollouts, chat, code; say which with --rollout",
            ),
            (named(None, None, &[]), None, &vec![], "the source has no counts of llm-canary"),
            (named(None, None, &[]), None, &idle, "rollout chat: no request has been compared yet"),
            (
                named(None, None, &["v9"]),
                None,
                &one,
                "--version v9: rollout chat has no such version; did you mean v",
            ),
            (
                named(None, Some("green"), &[]),
                None,
                &one,
                "--baseline green: rollout chat has no such version; there are v1, v2",
            ),
            (named(None, Some("v2"), &["v2"]), None, &one, "--version v2: this is the baseline"),
            (named(None, None, &["v1"]), Some(&of_v2), &one, "--version v1: this is the baseline"),
            (
                named(None, None, &[]),
                None,
                &nobody,
                "rollout chat: no version but the baseline v1 has compared requests",
            ),
            (
                named(None, None, &[]),
                Some(&no_share),
                &one,
                "rollout chat: no version but the baseline v1 has a share",
            ),
        ] {
            let found = names(Subject::choose(&named, config, seen, now()));
            assert!(found.starts_with(expect), "{found}");
        }
    }

    #[test]
    fn steps_and_their_beginning_come_from_the_configuration() {
        let config = config(
            r#""steps": [{"at": "2026-11-23T08:00:00Z", "percent": {"v2": 1}},
            {"at": "2026-11-23T09:00:00Z", "percent": {"v2": 0}},
            {"at": "2026-11-23T10:00:00Z", "percent": {"v2": 5}},
            {"at": "2026-11-23T11:00:00Z", "percent": {"v2": 5, "v3": 20}},
            {"at": "2026-11-23T13:00:00Z", "percent": {"v2": 0, "v3": 20}},
            {"at": "2026-11-23T14:00:00Z", "percent": {"v2": 50, "v3": 20}}]"#,
        );
        let all = seen(&[("chat", &[("v1", 1), ("v2", 1)])]);
        let subject = Subject::choose(&named(None, None, &["v2"]), Some(&config), &all, now()).unwrap();
        let [Candidate { steps: Some(steps), since_ms, .. }] = subject.candidates.as_slice() else {
            panic!()
        };
        let shares: Vec<(f64, f64)> = steps.iter().map(|step| (step.share, step.baseline)).collect();
        assert_eq!(
            shares,
            [(0.0, 1.0), (0.01, 0.99), (0.0, 1.0), (0.05, 0.95), (0.05, 0.75), (0.0, 0.8), (0.5, 0.3)]
        );
        assert_eq!(since_ms.map(|ms| ms as u64), parse_rfc3339("2026-11-23T10:00:00Z"));
        let given = Named { since_ms: Some(7), ..named(None, None, &["v2"]) };
        let subject = Subject::choose(&given, Some(&config), &all, now()).unwrap();
        assert_eq!(subject.candidates[0].since_ms, Some(7));
    }

    #[test]
    fn one_split_for_all_time_is_a_step_at_its_beginning() {
        let all = seen(&[("chat", &[("v1", 1), ("v2", 1)])]);
        let config = config(r#""split": {"v2": 10}"#);
        let subject = Subject::choose(&named(None, None, &[]), Some(&config), &all, now()).unwrap();
        let [Candidate { steps: Some(steps), since_ms: None, .. }] = subject.candidates.as_slice() else {
            panic!()
        };
        assert_eq!((steps.len(), steps[0].at_ms, steps[0].share), (1, 0, 0.1));
    }
}
