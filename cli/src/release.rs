//! A release as its steps tell it: where a version is, whether a plan can begin, and what somebody else has changed.
//!
//! In: a [`Schedule`], a [`Plan`], the present. Out: facts and sentences. It reads no file.

use crate::edit::schedule::{Schedule, Step, describe_shares};
use crate::release_plan::Plan;
use llm_canary::bucket::PARTS;
use llm_canary::split::percent;
use llm_canary::timestamp::{UnixMs, rfc3339};
use llm_canary_verdict::steps;

/// Where a version is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Present {
    /// Its share in parts per million.
    pub(crate) parts: u32,
    /// Since when it has this share; `None` if it always had it.
    pub(crate) since: Option<UnixMs>,
    /// Since when it has any share; `None` if it has none, or always had one.
    pub(crate) risen: Option<UnixMs>,
}

/// Where a version is by the steps up to a time.
pub(crate) fn present(schedule: &Schedule, version: &str, until: UnixMs) -> Present {
    let mut present = Present { parts: schedule.parts_before(version, 0), since: None, risen: None };
    for step in schedule.steps.iter().take_while(|step| step.at <= until) {
        let parts = schedule.parts_at(version, step.at);
        let at = (step.at > 0).then_some(step.at);
        match (present.parts, parts) {
            (before, now) if before == now => {}
            (_, 0) => present = Present { parts, since: at, risen: None },
            (0, _) => present = Present { parts, since: at, risen: at },
            _ => present = Present { parts, since: at, ..present },
        }
    }
    present
}

/// The steps of a version and its baseline, as a verdict needs them: the first is from the beginning of time.
pub(crate) fn judged_steps(schedule: &Schedule, version: &str) -> Vec<steps::Step> {
    let part = |parts: u32| f64::from(parts) / f64::from(PARTS);
    let mut found: Vec<steps::Step> = Vec::new();
    let shares_at = |at| (at, schedule.parts_at(version, at), schedule.parts_at(&schedule.baseline, at));
    let times = std::iter::once(0).chain(schedule.steps.iter().map(|step| step.at));
    for (at, version, baseline) in times.map(shares_at) {
        let (share, baseline) = (part(version), part(baseline));
        // Another version's step may change neither.
        let is_new = found.last().is_none_or(|last| (last.share, last.baseline) != (share, baseline));
        if is_new {
            found.push(steps::Step { at_ms: i64::try_from(at).unwrap_or(i64::MAX), share, baseline });
        }
    }
    found
}

/// Why a plan cannot begin, or go on, with what is in the file; every reason at once. `settles_ms` is how long before it takes
/// effect this tool writes a step: one that is so near is under way.
pub(crate) fn obstacles(
    schedule: &Schedule,
    version: &str,
    plan: &Plan,
    now: UnixMs,
    settles_ms: u64,
    is_again: bool,
) -> Vec<String> {
    let mut found = Vec::new();
    if version == schedule.baseline {
        return vec![format!(
            "{version} is the baseline, and gets what the other versions leave; name the version that is new"
        )];
    }
    let is_stopped = schedule.is_stopped(version);
    if is_stopped && !is_again {
        found.push(format!(
            "{version} is stopped, and stays so. If what was wrong is mended, say what with --again REASON; it begins on new evidence"
        ));
    }
    let until = now.saturating_add(settles_ms);
    let present = present(schedule, version, until);
    if !is_stopped && present.parts > 0 && plan.position(present.parts).is_none() {
        found.push(format!(
            "{version} has {} %, which is no step of the plan; write a plan with {}%, or take it to one of its steps with ramp or drain",
            percent(present.parts),
            percent(present.parts)
        ));
    }
    let mut before = present.parts;
    for step in schedule.steps.iter().filter(|step| step.at > until) {
        let parts = schedule.parts_at(version, step.at);
        if parts != before {
            found.push(format!(
                "{version} is to get {} % from {} by a planned step; a plan of its own and this one would fight. Ramp it to its present \
                 share, which drops what was planned",
                percent(parts),
                rfc3339(step.at)
            ));
        }
        before = parts;
    }
    let times = std::iter::once(now).chain(schedule.steps.iter().map(|step| step.at).filter(|at| *at > now));
    let others = |at: UnixMs| {
        let all = PARTS.saturating_sub(schedule.parts_at(&schedule.baseline, at));
        all.saturating_sub(schedule.parts_at(version, at))
    };
    if let Some((at, others)) =
        times.map(|at| (at, others(at))).find(|(_, others)| plan.most() + others > PARTS)
    {
        let when = if at > now { format!(" from {}", rfc3339(at)) } else { String::new() };
        found.push(format!(
            "the plan gives {version} up to {} %, and other versions have {} %{when}; that is more than 100. Drain or stop them first, or \
             end the plan at {}%",
            percent(plan.most()),
            percent(others),
            percent(PARTS.saturating_sub(others))
        ));
    }
    found
}

/// What has changed of a release between two readings, as a sentence without its subject; `None` if that does not concern it.
pub(crate) fn difference(expected: &Schedule, found: &Schedule, version: &str) -> Option<String> {
    let mut changes = Vec::new();
    if expected.baseline != found.baseline {
        changes.push(format!("the baseline is {}, not {}", found.baseline, expected.baseline));
    }
    match (expected.is_stopped(version), found.is_stopped(version)) {
        (false, true) => changes.push(format!("{version} is stopped")),
        (true, false) => changes.push(format!("{version} is started again")),
        _ => {}
    }
    let describe = |step: &&Step| format!("{} from {}", describe_shares(&step.shares), rfc3339(step.at));
    let others = |one: &Schedule, other: &Schedule| -> Vec<String> {
        one.steps.iter().filter(|step| !other.steps.contains(step)).map(|step| describe(&step)).collect()
    };
    let (new, gone) = (others(found, expected), others(expected, found));
    if !new.is_empty() {
        changes.push(format!("it has steps that this run did not write: {}", new.join("; ")));
    }
    if !gone.is_empty() {
        changes.push(format!("these steps are gone: {}", gone.join("; ")));
    }
    (!changes.is_empty()).then(|| changes.join("; "))
}

#[cfg(test)]
mod tests {
    use super::{Present, difference, judged_steps, obstacles, present};
    use crate::edit::schedule::Schedule;
    use crate::release_plan::Plan;
    use crate::subject::{Named, Subject};
    use llm_canary::config::Config;
    use llm_canary::config::json::{self, Node};
    use llm_canary::timestamp::parse_rfc3339;

    /// A time of that day.
    fn at(time: &str) -> u64 {
        parse_rfc3339(&format!("2026-11-23T{time}:00Z")).unwrap()
    }

    fn text(rest: &str, stopped: bool) -> String {
        let stopped = if stopped { r#", "stopped": true"# } else { "" };
        format!(
            r#"{{"rollouts": [{{"name": "chat", "baseline": "v1", "versions": [{{"name": "v1", "cluster": "a"}},
            {{"name": "v2", "cluster": "b"{stopped}}}, {{"name": "v3", "cluster": "c"}}], {rest}}}]}}"#
        )
    }

    fn schedule(rest: &str, stopped: bool) -> Schedule {
        let tree = json::parse(text(rest, stopped).as_bytes()).unwrap();
        Schedule::read(tree.get("rollouts").map(Node::items).unwrap().first().unwrap())
    }

    fn steps(steps: &[(&str, &str)]) -> String {
        let step = |(time, shares): &(&str, &str)| {
            format!(r#"{{"at": "2026-11-23T{time}:00Z", "percent": {{{shares}}}}}"#)
        };
        format!(r#""steps": [{}]"#, steps.iter().map(step).collect::<Vec<_>>().join(", "))
    }

    const RISEN: &[(&str, &str)] = &[
        ("08:00", r#""v2": 1"#),
        ("09:00", r#""v2": 0"#),
        ("10:00", r#""v2": 1"#),
        ("10:30", r#""v2": 1, "v3": 20"#),
        ("11:00", r#""v2": 5, "v3": 20"#),
    ];

    #[test]
    fn a_share_and_its_beginning_are_found() {
        let schedule = schedule(&steps(RISEN), false);
        let found = |time| present(&schedule, "v2", at(time));
        let risen = Some(at("10:00"));
        assert_eq!(found("07:00"), Present { parts: 0, since: None, risen: None });
        assert_eq!(found("09:30"), Present { parts: 0, since: Some(at("09:00")), risen: None });
        assert_eq!(found("10:45"), Present { parts: 10_000, since: risen, risen });
        assert_eq!(found("12:00"), Present { parts: 50_000, since: Some(at("11:00")), risen });
        let split = self::schedule(r#""split": {"v2": 5}"#, false);
        assert_eq!(present(&split, "v2", at("12:00")), Present { parts: 50_000, since: None, risen: None });
    }

    #[test]
    fn steps_are_those_that_analyze_reads() {
        for rest in [steps(RISEN), r#""split": {"v2": 5}"#.to_owned(), r#""steps": []"#.to_owned()] {
            let config = Config::parse(text(&rest, false).as_bytes()).unwrap();
            let named = Named { versions: vec!["v2".to_owned()], ..Named::default() };
            let subject = Subject::choose(&named, Some(&config), &[], at("12:00")).unwrap();
            let schedule = schedule(&rest, false);
            assert_eq!(subject.candidates[0].steps, Some(judged_steps(&schedule, "v2")), "{rest}");
            let risen = present(&schedule, "v2", at("12:00")).risen;
            assert_eq!(subject.candidates[0].since_ms.map(|ms| ms as u64), risen, "{rest}");
        }
    }

    #[test]
    fn every_obstacle_is_said_at_once() {
        let now = at("12:00");
        let found = |rest: &str, stopped, plan: &str, again| {
            obstacles(&schedule(rest, stopped), "v2", &Plan::parse(plan).unwrap(), now, 2_000, again)
        };
        assert_eq!(found(r#""steps": []"#, false, "1%,100%", false), [""; 0]);
        assert_eq!(found(&steps(RISEN), false, "1%,5%,80%", false), [""; 0]);
        let all = found(
            &steps(&[
                ("11:00", r#""v2": 7"#),
                ("13:00", r#""v2": 8, "v3": 60"#),
                ("14:00", r#""v2": 8, "v3": 70"#),
            ]),
            true,
            "5%,50%",
            false,
        );
        assert_eq!(all.len(), 3, "{all:#?}");
        assert!(all[0].contains("--again REASON"));
        assert!(all[1].contains("v2 is to get 8 % from 2026-11-23T13:00:00Z by a planned step"));
        assert!(all[2].contains("up to 50 %, and other versions have 60 % from 2026-11-23T13:00:00Z"));
        assert!(all[2].ends_with("or end the plan at 40%"), "{all:?}");
        let one = |rest: &str, stopped, again, words: &str| {
            let all = found(rest, stopped, "5%,50%", again);
            assert!(all.len() == 1 && all[0].contains(words), "{all:?}");
        };
        one(r#""split": {"v2": 7}"#, false, false, "v2 has 7 %, which is no step of the plan");
        assert_eq!(found(r#""split": {"v2": 7}"#, true, "5%,50%", true), [""; 0]);
        // A step of this tool's that takes effect at once is under way.
        let near = r#""steps": [{"at": "2026-11-23T12:00:02Z", "percent": {"v2": 5}}]"#;
        assert_eq!(found(near, false, "5%,50%", false), [""; 0]);
        assert!(found(&near.replace("02Z", "03Z"), false, "5%", false)[0].contains("by a planned step"));
        let baseline = obstacles(&schedule(near, false), "v1", &Plan::parse("5%").unwrap(), now, 0, false);
        assert!(baseline[0].contains("v1 is the baseline"));
    }

    #[test]
    fn another_hand_is_described() {
        let ours = schedule(&steps(&[("08:00", r#""v2": 1"#), ("11:00", r#""v2": 5"#)]), false);
        let found = |rest: &str, stopped| difference(&ours, &schedule(rest, stopped), "v2");
        assert_eq!(found(&steps(&[("08:00", r#""v2": 1"#), ("11:00", r#""v2": 5"#)]), false), None);
        assert_eq!(
            found(
                &steps(&[("08:00", r#""v2": 1"#), ("11:00", r#""v2": 5"#), ("12:00", r#""v2": 50"#)]),
                true
            )
            .unwrap(),
            "v2 is stopped; it has steps that this run did not write: v2 50 % from 2026-11-23T12:00:00Z"
        );
        assert_eq!(
            found(&steps(&[("08:00", r#""v2": 1"#), ("11:00", r#""v2": 6"#)]), false).unwrap(),
            "it has steps that this run did not write: v2 6 % from 2026-11-23T11:00:00Z; these steps are gone: v2 5 % from \
             2026-11-23T11:00:00Z"
        );
        let stopped = schedule(r#""steps": []"#, true);
        let promoted = Schedule { baseline: "v2".to_owned(), ..schedule(r#""steps": []"#, false) };
        assert_eq!(
            difference(&stopped, &promoted, "v2").unwrap(),
            "the baseline is v2, not v1; v2 is started again"
        );
    }
}
