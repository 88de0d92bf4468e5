mod property;
mod text;
mod yaml;

use super::schedule::Schedule;
use super::{Spacing, edit};
use crate::plugin;

/// 2026-11-23T09:00:00Z
const NINE: u64 = 1_795_424_400_000;
const MINUTE: u64 = 60_000;

type Change = fn(&Schedule) -> Schedule;

const RAMP: Change = |schedule| schedule.with_share("v2", &[(NINE, 50_000)]);
const STOP: Change = |schedule| schedule.with_share("v2", &[(NINE, 0)]).with_stopped("v2", true);
const FINISH: Change = |schedule| schedule.finished("v2", NINE);

fn run(text: &str, change: Change) -> Result<String, String> {
    let plugins = plugin::parse("", text.as_bytes()).expect(text);
    let plugin = plugins.first().expect("a configuration");
    let tree = plugin.tree.as_ref().expect("it can be read");
    let schedule = Schedule::read(&tree.get("rollouts").expect("rollouts").items()[0]);
    edit(text, plugin, 0, &schedule, &change(&schedule), Spacing::Kept)
}

#[track_caller]
fn check(text: &str, change: Change, expect: &str) {
    let changed = run(text, change).unwrap_or_else(|words| panic!("{words}\n{text}"));
    assert_eq!(changed, expect, "\n{changed}");
}

#[test]
fn json_with_a_split() {
    check(
        r#"{
  "rollouts": [
    {
      "name": "chat",
      "baseline": "v1",
      "versions": [{"name": "v1", "cluster": "a"}, {"name": "v2", "cluster": "b"}],
      "split": { "v2": 1 },
      "salt": ""
    }
  ]
}
"#,
        RAMP,
        r#"{
  "rollouts": [
    {
      "name": "chat",
      "baseline": "v1",
      "versions": [{"name": "v1", "cluster": "a"}, {"name": "v2", "cluster": "b"}],
      "steps": [
        {"at": "1970-01-01T00:00:00Z", "percent": {"v2": 1}},
        {"at": "2026-11-23T09:00:00Z", "percent": {"v2": 5}}
      ],
      "salt": ""
    }
  ]
}
"#,
    );
}

#[test]
fn json_with_steps() {
    // The first step follows the bracket, in the same line.
    let head = "{\"rollouts\": [{\n\t\"baseline\": \"v1\", \"versions\": [{\"name\": \"v1\"},\n\t\t{\"name\": \"v2\"}],\n";
    let first = "\t\"steps\": [ {\"at\": \"2026-11-23T08:00:00Z\", \"percent\": {\"v2\": 1}}";
    check(
        &format!("{head}{first} ]\n}}]}}"),
        RAMP,
        &format!(
            "{head}{first},\n\t           {{\"at\": \"2026-11-23T09:00:00Z\", \"percent\": {{\"v2\": 5}}}} ]\n}}]}}"
        ),
    );
    // One step a line, with line breaks of Windows, and a version that is stopped.
    let text = "{\"rollouts\": [{\"baseline\": \"v1\", \"versions\": [\r\n  {\"name\": \"v1\"},\r\n  {\r\n    \"name\": \"v2\"\r\n  }],\r\n\
        \"steps\": [\r\n  {\"at\": \"2026-11-23T08:00:00Z\", \"percent\": {\"v2\": 1}}\r\n]}]}\r\n";
    check(
        text,
        STOP,
        "{\"rollouts\": [{\"baseline\": \"v1\", \"versions\": [\r\n  {\"name\": \"v1\"},\r\n  {\r\n    \"name\": \"v2\",\r\n    \
         \"stopped\": true\r\n  }],\r\n\
         \"steps\": [\r\n  {\"at\": \"2026-11-23T08:00:00Z\", \"percent\": {\"v2\": 1}},\r\n  \
         {\"at\": \"2026-11-23T09:00:00Z\", \"percent\": {\"v2\": 0}}\r\n]}]}\r\n",
    );
    // All in one line.
    check(
        r#"{"rollouts":[{"baseline":"v1","versions":[{"name":"v1"},{"name":"v2"}],"steps":[]}]}"#,
        RAMP,
        r#"{"rollouts":[{"baseline":"v1","versions":[{"name":"v1"},{"name":"v2"}],"steps":[{"at": "2026-11-23T09:00:00Z", "percent": {"v2": 5}}]}]}"#,
    );
    check(
        r#"{"rollouts":[{"baseline":"v1","versions":[{"name":"v1"},{"name":"v2"}]}]}"#,
        STOP,
        r#"{"rollouts":[{"baseline":"v1","versions":[{"name":"v1"},{"name":"v2", "stopped": true}]}]}"#,
    );
}

#[test]
fn only_steps_that_change_are_replaced() {
    let step =
        |time: &str, shares: &str| format!("    - {{at: \"2026-11-23T{time}:00Z\", percent: {{{shares}}}}}");
    let text = |steps: &[String]| {
        format!(
            "rollouts:\n- baseline: v1\n  versions:\n  - name: v1\n  - name: v2\n  - name: v3\n  steps:\n{}\n  salt: x\n",
            steps.join("\n")
        )
    };
    let past = step("08:00", "v2: 1.0") + "  # begun";
    let (soon, later) = (step("09:30", "v2: 5") + " # soon", step("10:00", "v2: 25, v3: 1") + " # both");
    let planned = text(&[past.clone(), soon.clone(), later.clone()]);
    // All that was planned for v2 goes; what was planned for v3 stays.
    check(
        &planned,
        |schedule| schedule.with_share("v2", &[(NINE, 0)]),
        &text(&[past.clone(), step("09:00", "v2: 0"), step("10:00", "v2: 0, v3: 1") + " # both"]),
    );
    check(
        &planned,
        |schedule| schedule.with_share("v2", &[(NINE, 10_000), (NINE + 45 * MINUTE, 20_000)]),
        &text(&[past.clone(), step("09:45", "v2: 2"), step("10:00", "v2: 2, v3: 1") + " # both"]),
    );
    // Nothing before what is planned, and nothing planned any more.
    let only_planned = text(&[soon.clone(), later.clone()]);
    check(
        &only_planned,
        |schedule| schedule.with_share("v3", &[(NINE, 30_000)]),
        &text(&[
            step("09:00", "v3: 3"),
            step("09:30", "v2: 5, v3: 3"),
            step("10:00", "v2: 25, v3: 3") + " # both",
        ]),
    );
    let two = text(&[past.clone(), soon]);
    check(&two, |schedule| schedule.with_share("v2", &[(NINE, 10_000)]), &text(std::slice::from_ref(&past)));
    let before = text(&[step("09:30", "v3: 5") + " # soon"]);
    check(
        &before,
        |schedule| schedule.with_share("v2", &[(NINE + 45 * MINUTE, 10_000)]),
        &text(&[step("09:30", "v3: 5") + " # soon", step("09:45", "v2: 1, v3: 5")]),
    );
    // A pure insertion leaves its neighbours alone.
    let apart = text(&[past.clone(), step("10:00", "v2: 25") + " # later"]);
    check(
        &apart,
        |schedule| schedule.with_share("v2", &[(NINE, 10_000), (NINE + 60 * MINUTE, 250_000)]),
        &apart,
    );
    check(
        &apart,
        |schedule| schedule.with_share("v2", &[(NINE, 20_000), (NINE + 60 * MINUTE, 250_000)]),
        &text(&[past, step("09:00", "v2: 2"), step("10:00", "v2: 25") + " # later"]),
    );
}
