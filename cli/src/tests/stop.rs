//! `stop`, with every limit at its edge. It is never refused, and nobody but the stopped version's conversations moves.

use super::change::{CHAT, shares};
use super::world::{FakeWorld, json};
use crate::plugin;
use llm_canary::bucket::PARTS;
use llm_canary::config::json::INPUT_BYTES_MAX;
use llm_canary::config::{Config, STEPS_MAX, VERSIONS_MAX};
use llm_canary::pointer::Fact;
use llm_canary::route::{self, Request};
use llm_canary::timestamp::{FIRST_MS, UnixMs, parse_rfc3339, rfc3339};
use proptest::prelude::*;
use std::borrow::Cow;

const NOW: &str = "2026-11-23T09:00:00.4Z";
const HOUR_MS: u64 = 3_600_000;

/// A conversation: its id and when it began, if it says so; or a request of an override.
struct Conversation {
    id: String,
    started_at: Option<String>,
    cohort: Option<&'static str>,
}

impl Request for Conversation {
    fn header(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        let value = match name {
            "x-conversation-id" => Some(self.id.as_str()),
            "x-started-at" => self.started_at.as_deref(),
            "x-cohort" => self.cohort,
            _ => None,
        };
        value.map(|value| Cow::Borrowed(value.as_bytes()))
    }

    fn metadata(&self, _: &[String]) -> Option<Vec<u8>> {
        None
    }

    fn body(&self, _: usize) -> Fact<'_> {
        Fact::Absent
    }

    fn fingerprint(&self) -> Fact<'_> {
        Fact::Absent
    }
}

/// How the configuration is written, and what fills it up to its limit.
#[derive(Clone, Copy, Debug)]
enum Form {
    Compact,
    Pretty,
    Block,
    Folded,
    DoubleQuoted,
    /// YAML, which Istio hands over as JSON.
    Tree,
    /// Pretty JSON in a block of a discovery file, which is a block of a ConfigMap.
    Nested,
    /// The same, in quotes of the ConfigMap.
    NestedQuoted,
}

const FORMS: [Form; 8] = [
    Form::Compact,
    Form::Pretty,
    Form::Block,
    Form::Folded,
    Form::DoubleQuoted,
    Form::Tree,
    Form::Nested,
    Form::NestedQuoted,
];

#[derive(Clone, Debug)]
struct Case {
    versions: usize,
    /// For each step, the shares of the first versions after the baseline, in percent.
    steps: Vec<Vec<u32>>,
    /// How many of the steps are planned.
    planned: usize,
    /// Versions that were stopped before; with the one to stop or without.
    stopped: Vec<usize>,
    victim: usize,
    form: Form,
    is_full: bool,
}

fn case() -> impl Strategy<Value = Case> {
    let count = prop_oneof![Just(STEPS_MAX), Just(STEPS_MAX - 1), 0..9_usize];
    let versions = prop_oneof![Just(VERSIONS_MAX), 2..5_usize];
    (count, versions).prop_flat_map(|(count, versions)| {
        // Few values, so that some steps change nothing.
        let share = prop_oneof![Just(0_u32), Just(5), 0..=30_u32];
        (
            prop::collection::vec(prop::collection::vec(share, 0..=3), count),
            0..=count.min(6),
            prop::collection::vec(1..versions, 0..3),
            1..versions,
            prop::sample::select(&FORMS[..]),
            prop::bool::weighted(0.1),
        )
            .prop_map(move |(steps, planned, stopped, victim, form, is_full)| Case {
                versions,
                steps,
                planned,
                stopped,
                victim,
                form,
                is_full,
            })
    })
}

impl Case {
    fn name(version: usize) -> String {
        format!("v{}", version + 1)
    }

    fn step_at(&self, index: usize) -> UnixMs {
        let now = parse_rfc3339(NOW).unwrap();
        // The last `planned` are in the future, and full seconds, as the tool writes them.
        (now + (index as u64 + 1) * HOUR_MS - (self.steps.len() - self.planned) as u64 * HOUR_MS) / 1_000
            * 1_000
    }

    /// The configuration, with so many values that fill it.
    fn config(&self, fill: usize) -> serde_json::Value {
        let version = |version| {
            let name = Self::name(version);
            let mut json = serde_json::json!({"name": name, "cluster": name});
            if self.stopped.contains(&version) {
                json["stopped"] = true.into();
            }
            json
        };
        let step = |(index, shares): (usize, &Vec<u32>)| {
            let percent: serde_json::Map<String, serde_json::Value> = shares
                .iter()
                .enumerate()
                .take(self.versions - 1)
                .map(|(version, share)| (Self::name(version + 1), (*share).into()))
                .collect();
            serde_json::json!({"at": rfc3339(self.step_at(index)), "percent": percent})
        };
        // An override has at most 256 values.
        let values: Vec<String> = (0..fill).map(|index| format!("{index:08}{}", "x".repeat(60))).collect();
        let filler =
            |values: &[String]| serde_json::json!({"header": "x-filler", "values": values, "version": "v1"});
        let fillers: Vec<_> = values.chunks(250).map(filler).collect();
        let mut overrides = vec![
            serde_json::json!({"header": "x-cohort", "values": ["victim"], "version": Self::name(self.victim)}),
            serde_json::json!({"header": "x-cohort", "values": ["other"], "version": Self::name(self.versions - 1)}),
        ];
        overrides.extend(fillers);
        serde_json::json!({"rollouts": [{
            "name": "chat", "baseline": "v1", "started_at": {"header": "x-started-at"},
            "versions": (0..self.versions).map(version).collect::<Vec<_>>(),
            "steps": self.steps.iter().enumerate().map(step).collect::<Vec<_>>(),
            "overrides": overrides,
        }]})
    }

    /// The text that the filter reads; with exactly 1 MiB if that is asked for.
    fn inner(&self) -> String {
        let write = |config: &serde_json::Value| match self.form {
            Form::Pretty | Form::Block | Form::Nested | Form::NestedQuoted => {
                serde_json::to_string_pretty(config).unwrap()
            }
            _ => config.to_string(),
        };
        if !self.is_full {
            return write(&self.config(0));
        }
        // The rest is a salt, which has at most 256 bytes.
        let salted = |fill: usize, bytes: usize| {
            let salt = format!("\"salt\":\"{}\",\"name\"", "s".repeat(bytes));
            write(&self.config(fill)).replacen("\"name\"", &salt, 1)
        };
        let value_bytes = (salted(500, 0).len() - salted(0, 0).len()).div_ceil(500);
        let mut fill = 0;
        loop {
            let rest = INPUT_BYTES_MAX - salted(fill, 0).len();
            if rest <= 256 {
                return salted(fill, rest);
            }
            fill += (rest / (value_bytes + 1)).max(1);
        }
    }

    fn text(&self) -> String {
        let inner = self.inner();
        let outer = |value: &str| {
            format!(
                "resources:\n- root_id: llm-canary\n  configuration:\n    \"@type\": type.googleapis.com/google.protobuf.StringValue\n    \
                 value: {value}\n  vm_config: {{}}\n"
            )
        };
        let block = |mark: &str| {
            let lines: String = inner.lines().map(|line| format!("\n      {line}")).collect();
            outer(&format!("{mark}{lines}"))
        };
        match self.form {
            Form::Compact | Form::Pretty => inner,
            Form::Block => block("|-"),
            Form::Folded => block(">-"),
            Form::Tree => format!("kind: WasmPlugin\nspec:\n  pluginConfig: {inner}\n"),
            Form::DoubleQuoted => outer(&serde_json::to_string(&inner).unwrap()),
            Form::Nested => {
                let lines: String = block("|-").lines().map(|line| format!("\n    {line}")).collect();
                format!("kind: ConfigMap\ndata:\n  llm.yaml: |{lines}\n")
            }
            Form::NestedQuoted => {
                let text = serde_json::to_string(&block("|-")).unwrap();
                format!("kind: ConfigMap\ndata:\n  llm.yaml: {text}\n")
            }
        }
    }
}

fn config(text: &str) -> Config {
    let plugins = plugin::parse("", text.as_bytes()).unwrap();
    plugins[0].config().unwrap().0
}

fn check(case: &Case) -> Result<(), TestCaseError> {
    let text = case.text();
    let before = config(&text);
    if case.is_full {
        prop_assert_eq!(case.inner().len(), INPUT_BYTES_MAX);
    }
    let world = FakeWorld::new(NOW, &[("chat.json", &text)]);
    let victim = Case::name(case.victim);
    let ran = world.run(&["stop", "chat.json", &victim]);
    prop_assert!(ran.code == 0, "{}", ran.err.chars().take(2_000).collect::<String>());
    let changed = world.read("chat.json");
    let after = config(&changed);

    let (old, new) = (&before.rollouts[0], &after.rollouts[0]);
    prop_assert!(new.versions[case.victim].stopped);
    prop_assert!(new.steps.count() <= STEPS_MAX);
    let now = parse_rfc3339(NOW).unwrap();
    // Where the steps cannot grow within the limit, the planned shares stay, and nobody gets them.
    let is_planned = |step: &llm_canary::steps::Step| step.at > now && step.split.parts(case.victim) > 0;
    if case.is_full && new.steps.steps().iter().any(is_planned) {
        return Ok(());
    }
    for step in new.steps.steps().iter().filter(|step| step.at > now) {
        prop_assert_eq!(step.split.parts(case.victim), 0, "nothing is planned for it");
    }
    let taken = |rollout: &llm_canary::config::Rollout| -> Vec<_> {
        rollout.steps.steps().iter().filter(|step| step.at <= now).cloned().collect()
    };
    prop_assert_eq!(taken(old), taken(new));

    let planned: Vec<UnixMs> = old.steps.steps().iter().map(|step| step.at).filter(|at| *at > now).collect();
    let own = now.div_ceil(1_000) * 1_000;
    let moments: Vec<UnixMs> = [now, own].into_iter().chain(planned.iter().copied()).collect();
    // The next time at which another version gets buckets, which may be those that were given back.
    let grows = |at: &&UnixMs| {
        let (earlier, later) = (old.steps.at(**at - 1), old.steps.at(**at));
        (1..case.versions).any(|v| v != case.victim && later.parts(v) > earlier.parts(v))
    };
    let next_growth = planned.iter().find(grows).copied().unwrap_or(UnixMs::MAX);
    let mut conversations = vec![("victim", None), ("other", None)]
        .into_iter()
        .map(|(cohort, started_at)| Conversation { id: "o".to_owned(), started_at, cohort: Some(cohort) })
        .collect::<Vec<_>>();
    let starts = old.steps.steps().iter().map(|step| step.at).filter(|at| *at <= now).chain([FIRST_MS, now]);
    let starts: Vec<UnixMs> = starts.rev_sample(9);
    for key in 0..60 {
        let started = starts.iter().map(|at| Some(at.to_string())).chain([None]);
        conversations.extend(started.map(|started_at| Conversation {
            id: format!("c{key}"),
            started_at,
            cohort: None,
        }));
    }
    for &moment in &moments {
        for conversation in &conversations {
            let decide =
                |config: &Config| route::decide(config, conversation, moment, || 0).unwrap().unwrap().version;
            let is_held = conversation.started_at.is_some() || conversation.cohort.is_some();
            if is_held || moment < next_growth {
                let was = decide(&before);
                let expect = if was == case.victim { 0 } else { was };
                prop_assert_eq!(decide(&after), expect, "{:?} at {}", &conversation.started_at, moment);
            }
        }
        for version in (1..case.versions).filter(|version| *version != case.victim) {
            prop_assert_eq!(new.steps.at(moment).parts(version), old.steps.at(moment).parts(version));
        }
    }
    let moves = planned.iter().any(|at| {
        (0..PARTS).step_by(5_000).any(|bucket| {
            let (was, is) = (old.steps.at(*at).version(bucket), new.steps.at(*at).version(bucket));
            let serves = |version: usize| if new.versions[version].stopped { 0 } else { version };
            serves(was) != serves(is)
        })
    });
    let is_new = !case.stopped.contains(&case.victim);
    prop_assert_eq!(ran.out.contains("on another version than planned"), moves && is_new, "{}", ran.out);
    // A second stop has nothing to do, and is no error.
    let ran = world.run(&["stop", "chat.json", &victim]);
    prop_assert!(ran.code == 0 && ran.out.contains("nothing to do"), "{}", ran.out);
    prop_assert_eq!(world.read("chat.json"), changed);
    Ok(())
}

/// Some items of an iterator, with its last.
trait Sample: Iterator {
    fn rev_sample(self, count: usize) -> Vec<Self::Item>
    where
        Self: Sized,
    {
        let mut all: Vec<_> = self.collect();
        let excess = all.len().saturating_sub(count);
        all.drain(..excess);
        all
    }
}

impl<I: Iterator> Sample for I {}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn stop_is_never_refused_and_moves_nobody_else(case in case()) {
        check(&case)?;
    }
}

#[test]
fn every_limit_at_once() {
    for form in FORMS {
        let steps = (0..STEPS_MAX as u32).map(|at| vec![at % 7, 5 + at % 3, 9]).collect();
        let (versions, planned) = (VERSIONS_MAX, 6);
        let case = Case { versions, steps, planned, stopped: vec![2, 15], victim: 1, form, is_full: true };
        check(&case).unwrap();
    }
}

/// A planned step that leaves a version out would have to name it, if the stopped version's share became 0.
#[test]
fn a_full_configuration_whose_steps_cannot_grow_is_stopped_too() {
    for form in FORMS {
        let (past, planned) = (vec![10, 5], vec![10]);
        let (stopped, steps) = (Vec::new(), vec![past, planned]);
        let case = Case { versions: 3, steps, planned: 1, stopped, victim: 1, form, is_full: true };
        let text = case.text();
        assert_eq!(case.inner().len(), INPUT_BYTES_MAX);
        let world = FakeWorld::new(NOW, &[("chat.json", &text)]);
        let ran = world.run(&["stop", "chat.json", "v2"]);
        assert!(ran.code == 0, "{form:?}: {}", ran.err.chars().take(500).collect::<String>());
        let after = config(&world.read("chat.json"));
        assert!(after.rollouts[0].versions[1].stopped, "{form:?}");
        let ran = world.run(&["stop", "chat.json", "v2"]);
        assert!(ran.code == 0 && ran.out.contains("nothing to do"), "{form:?}: {} {}", ran.out, ran.err);
    }
}

/// A world whose rollout has so many steps, the last of which are planned. Each changes something.
fn full(planned: usize) -> FakeWorld {
    let steps = (0..STEPS_MAX as u32).map(|at| vec![1 + at % 7]).collect();
    let (stopped, form) = (Vec::new(), Form::Compact);
    let case = Case { versions: 3, steps, planned, stopped, victim: 1, form, is_full: false };
    FakeWorld::new(NOW, &[("chat.json", &case.text())])
}

#[test]
fn a_stop_at_the_limit_leaves_out_its_own_step() {
    let world = full(0);
    let before = shares(&world);
    world.fine(&["stop", "chat.json", "v2"]);
    assert_eq!(shares(&world), before);
    // It gets its new share, and not its old one, when it is started again.
    world.refused(&["ramp", "chat.json", "v2", "1", "--resume"], "the filter takes at most 256");
    let world = full(2);
    world.fine(&["stop", "chat.json", "v2"]);
    let after = shares(&world);
    assert_eq!((after.len(), after.last().unwrap().as_str()), (255, r#"{"v2":0}"#));
}

#[test]
fn other_commands_offer_to_forget_old_steps() {
    let world = full(0);
    let before = world.read("chat.json");
    for command in [
        &["ramp", "chat.json", "v2", "50"][..],
        &["drain", "chat.json", "v2"],
        &["promote", "chat.json", "v2"],
    ] {
        let ran = world.run(command);
        let offer = "rollout chat: the change needs 257 steps, and the filter takes at most 256. None of them can be \
             dropped without moving conversations. Add --forget-before 2026-11-12T19:00:00Z, which drops the oldest 1 \
             step: of the conversations that began before 2026-11-12T19:00:00Z, up to 1 % move to v1; no other moves.";
        assert!(ran.code == 2 && ran.err.contains(offer), "{ran:?}");
        assert_eq!(world.read("chat.json"), before);
    }
    world.refused(&["ramp", "chat.json", "v2", "50", "--forget-before", "+1h"], "is in the future");
    world.refused(
        &["ramp", "chat.json", "v2", "50", "--forget-before", "soon"],
        "--forget-before \"soon\" is not a time",
    );
    let ran =
        world.fine(&["ramp", "chat.json", "v2", "50", "--forget-before", "2026-11-12T19:00:00Z", "--json"]);
    assert!(
        ran.err.starts_with("warning: --forget-before drops 1 step: of the conversations that began"),
        "{ran:?}"
    );
    let report = json(&ran.out);
    assert!(
        report["warnings"][0].as_str().unwrap().contains("up to 1 % move to v1; no other moves"),
        "{report}"
    );
    assert_eq!(report["steps"].as_array().map(Vec::len), Some(STEPS_MAX));
    world.refused(&["stop", "chat.json", "v2", "--forget-before", "now"], "unexpected argument");
}

#[test]
fn a_plan_that_is_too_long_is_named() {
    let world = full(0);
    let said = "A later time drops more. --plan 50,60@+1h asks for that";
    world.refused(&["ramp", "chat.json", "v2", "--plan", "50,60@+1h"], said);
    let plan: Vec<String> = (0..257).map(|hour| format!("{}@+{}h", 1 + hour % 9, hour + 1)).collect();
    let world = FakeWorld::new(NOW, &[("chat.json", CHAT)]);
    let said = format!("or plan fewer. --plan {} asks for that", plan.join(","));
    world.refused(&["ramp", "chat.json", "v2", "--plan", &plan.join(",")], &said);
}

#[test]
fn a_time_before_which_nothing_can_be_forgotten_is_said() {
    let steps = |list: &str| CHAT.replace(r#""split": { "v2": 10 }"#, &format!(r#""steps": [{list}]"#));
    let one = r#"{"at": "2026-11-20T09:00:00Z", "percent": {"v2": 1}}"#;
    let two = format!(r#"{one}, {{"at": "2026-11-21T09:00:00Z", "percent": {{"v2": 2}}}}"#);
    for (list, time, words) in [
        (
            two.as_str(),
            "2026-11-01T00:00:00Z",
            "because the first step is in force until 2026-11-21T09:00:00Z; a time before that drops nothing\n",
        ),
        (
            &two,
            "2026-11-20T12:00:00Z",
            "because the first step is in force until 2026-11-21T09:00:00Z; a time before that drops nothing\n",
        ),
        (one, "now", "because the rollout has no step besides the one that must stay\n"),
        ("", "now", "because the rollout has no step besides the one that must stay\n"),
    ] {
        let world = FakeWorld::new(NOW, &[("chat.json", &steps(list))]);
        let ran = world.fine(&["ramp", "chat.json", "v2", "50", "--forget-before", time, "--dry-run"]);
        let start = format!("warning: --forget-before {time} drops no step, {words}");
        assert!(ran.err.starts_with(&start), "{ran:?}");
    }
}

/// A warning whose step has another index after the change is the old warning.
#[test]
fn an_old_warning_is_not_said_anew() {
    let steps: Vec<String> = [1, 2, 2, 3]
        .iter()
        .enumerate()
        .map(|(day, share)| format!(r#"{{"at": "2026-11-1{day}T09:00:00Z", "percent": {{"v2": {share}}}}}"#))
        .collect();
    let text = CHAT.replace(r#""split": { "v2": 10 }"#, &format!(r#""steps": [{}]"#, steps.join(", ")));
    let world = FakeWorld::new(NOW, &[("chat.json", &text)]);
    assert!(world.fine(&["check", "chat.json"]).err.contains("rollouts[0].steps[2]: changes nothing"));
    let forget = ["ramp", "chat.json", "v2", "50", "--forget-before", "2026-11-11T10:00:00Z", "--json"];
    let ran = world.fine(&forget);
    assert!(world.fine(&["check", "chat.json"]).err.contains("rollouts[0].steps[1]: changes nothing"));
    assert!(!ran.err.contains("changes nothing"), "{ran:?}");
    assert_eq!(json(&ran.out)["warnings"].as_array().map(Vec::len), Some(1), "{ran:?}");
}

#[test]
fn a_step_that_changes_nothing_makes_room_in_silence() {
    let steps: Vec<Vec<u32>> = (0..STEPS_MAX as u32).map(|at| vec![1 + at.max(1) % 7]).collect();
    let (stopped, form) = (Vec::new(), Form::Pretty);
    let case = Case { versions: 2, steps, planned: 0, stopped, victim: 1, form, is_full: false };
    let world = FakeWorld::new(NOW, &[("chat.json", &case.text())]);
    let before = config(&world.read("chat.json"));
    world.fine(&["ramp", "chat.json", "v2", "50"]);
    let after = config(&world.read("chat.json"));
    assert_eq!(after.rollouts[0].steps.count(), STEPS_MAX);
    for step in before.rollouts[0].steps.steps() {
        assert_eq!(after.rollouts[0].steps.at(step.at), &step.split);
    }
}

/// v3 grows by a planned step, and takes buckets that v2 has given back. Its share is as planned, and its place is not.
#[test]
fn a_stop_says_what_planned_steps_do_otherwise_than_planned() {
    let steps = |last: &str| {
        let planned = format!(
            r#""steps": [{{"at": "2026-11-23T08:00:00Z", "percent": {{"v2": 10}}}}, {{"at": "2026-11-23T10:00:00Z", "percent": {last}}}]"#
        );
        FakeWorld::new(NOW, &[("chat.json", &CHAT.replace(r#""split": { "v2": 10 }"#, &planned))])
    };
    let ran = steps(r#"{"v2": 10, "v3": 3}"#).fine(&["stop", "chat.json", "v2"]);
    let said = "v1 serves its conversations. By the planned steps of other versions, up to 6 % of the conversations without \
         a start time will be on another version than planned\n";
    assert!(ran.out.ends_with(said), "{ran:?}");
    let ran = steps(r#"{"v2": 50}"#).fine(&["stop", "chat.json", "v2"]);
    assert!(ran.out.ends_with("v1 serves its conversations\n"), "{ran:?}");
}

#[test]
fn other_commands_say_what_is_too_long() {
    for form in [Form::Compact, Form::Block, Form::Tree, Form::Nested] {
        let (steps, stopped) = (vec![vec![5], vec![7]], Vec::new());
        let case = Case { versions: 2, steps, planned: 0, stopped, victim: 1, form, is_full: true };
        let world = FakeWorld::new(NOW, &[("chat.json", &case.text())]);
        let ran = world.run(&["ramp", "chat.json", "v2", "50"]);
        assert!(ran.code == 2 && ran.err.contains(" bytes, but at most 1048576 are read"), "{}", ran.err);
        assert!(ran.err.contains("nothing was written, because the filter would refuse it"), "{}", ran.err);
        assert_eq!(world.read("chat.json"), case.text());
    }
}

/// A share that takes effect before the next full second is planned, too.
#[test]
fn a_share_of_this_very_second_is_dropped() {
    let planned = r#""steps": [{"at": "2026-11-23T08:00:00Z", "percent": {"v2": 10}}, {"at": "2026-11-23T09:00:00.7Z", "percent": {"v2": 90}}]"#;
    let text = CHAT.replace(r#""split": { "v2": 10 }"#, planned);
    let world = FakeWorld::new(NOW, &[("chat.json", &text)]);
    world.fine(&["stop", "chat.json", "v2"]);
    assert_eq!(shares(&world), [r#"{"v2":10}"#, r#"{"v2":0}"#]);
}

#[test]
fn a_split_is_stopped_too() {
    let world = FakeWorld::new(NOW, &[("chat.json", CHAT)]);
    world.fine(&["stop", "chat.json", "v2"]);
    assert_eq!(shares(&world), [r#"{"v2":10}"#, r#"{"v2":0}"#]);
}
