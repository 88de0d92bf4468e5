//! The commands with which an operator goes on, goes back or stops.

use crate::controller::{End, State};
use crate::release_plan::Plan;
use llm_canary::bucket::PARTS;
use llm_canary::split::percent;

/// What the commands are about.
pub(super) struct Commands {
    /// The target with the options that name it, such as `llm.yaml --rollout chat`.
    pub(super) target: String,
    pub(super) version: String,
}

impl Commands {
    fn command(&self, name: &str, rest: &str) -> String {
        let Self { target, version } = self;
        format!("llm-canary {name} {target} {version} {rest}").trim_end().to_owned()
    }

    /// The command that undoes a transition, if something was written. `shown` is the last share in percent.
    pub(super) fn undo(&self, before: &State, after: &State, plan: &Plan, shown: &str) -> Option<String> {
        match after {
            State::Ramping(_) | State::Full(_) if matches!(before, State::Stepping { .. }) => {
                let step = before.place().and_then(|place| place.step).and_then(|step| plan.step(step));
                Some(match step {
                    Some(step) => self.command("ramp", &percent(step.parts).to_string()),
                    None => self.command("drain", ""),
                })
            }
            State::Stopped(..) => Some(self.command("ramp", &format!("{shown} --resume"))),
            _ => None,
        }
    }

    /// What the operator can do in a state, as lines. `is_stopped`: the version is, by whomever.
    pub(super) fn ways_on(&self, state: &State, plan: &Plan, is_stopped: bool) -> Vec<String> {
        let stop = self.command("stop", "");
        let again = "it stays stopped. When what was wrong is mended: the same command with --again REASON";
        match state {
            State::Ended(End::OtherHand | End::Interrupted(_)) if is_stopped => vec![again.to_owned()],
            State::Ended(End::Interrupted(_)) => vec![
                "to go on: the same command again; the steps in FILE say where the release is".to_owned(),
                format!("to stop the version: {stop}"),
            ],
            State::Ended(End::OtherHand) => vec![
                "to go on from there: the same command again, if the share is a step of the plan".to_owned(),
                format!("to stop the version: {stop}"),
            ],
            State::Ended(End::Stopped) => vec![again.to_owned()],
            State::Ended(End::Finished) if plan.most() == PARTS => vec![format!(
                "keep the baseline's servers: conversations that are held there go on. When they are over: {}",
                self.command("promote", "--finish")
            )],
            State::Stopping { attempts, .. } if *attempts > 0 => vec![format!("the same by hand: {stop}")],
            _ => Vec::new(),
        }
    }
}
