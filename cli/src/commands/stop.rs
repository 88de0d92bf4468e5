//! `llm-canary stop`: the rollback.

use super::change::{self, Change, ChangeOptions, CurrentRollout, EXIT_CODES, Urgency};
use crate::error::Error;
use crate::io::World;
use llm_canary::split::percent;

/// Stop a version at once, whatever pins, overrides or start times say.
///
/// Its conversations go to the baseline with their next request. Answers that are being streamed finish. The same write
/// gives the version a step of 0 %, so that starting it again does not bring back its old share: ramp it with --resume
/// when it is fixed. Shares that were planned for it become 0 %, and are listed.
///
/// No limit prevents a stop. A rollout with 256 steps gets no further step. A configuration of 1 MiB loses the blanks and
/// line breaks between its values; if that is not enough, the planned shares stay, and nobody gets them. Nor does what is wrong elsewhere: a broken configuration beside this one, an Envoy that does not say its
/// time (then planned steps stay as they are), or a lock on FILE. A warning says each.
#[derive(clap::Args)]
#[command(after_help = format!("Examples:
  llm-canary stop envoy/ecds/llm-canary.yaml v2
  llm-canary stop envoy/ecds/llm-canary.yaml v2 --admin http://envoy-1:9901 --admin http://envoy-2:9901
  llm-canary stop llm.yaml v2 --rollout a.yaml/chat
  llm-canary stop --kubectl wasmplugin/llm-canary -n istio-ingress v2

{EXIT_CODES}"))]
pub(crate) struct Args {
    #[command(flatten)]
    pub(super) options: ChangeOptions,
    /// The version to stop
    version: String,
}

pub(super) fn run(args: &Args, world: &mut World<'_>) -> Result<(), Error> {
    change::run(&args.options, Urgency::AtOnce, None, world, |current| {
        stopping(current, &args.version, args.options.target())
    })
}

/// The change that stops a version of the rollout in this file or resource.
pub(super) fn stopping(current: &CurrentRollout<'_>, version: &str, target: &str) -> Result<Change, Error> {
    current.require_version(version)?;
    let baseline = &current.schedule.baseline;
    if version == baseline {
        return Err(Error::refused(format!(
            "{version} is the baseline, and cannot be stopped. Make another version the baseline first: \
                 llm-canary promote {} VERSION, and then again with --finish --held 0s",
            target
        )));
    }
    let at = current.start_in_any_case();
    let [at_once, without_own_step] = current.schedule.stopping(version, at, current.present.taken_until);
    let (schedules, summary) = if !current.schedule.is_stopped(version) {
        let summary = format!("{version} is stopped; {baseline} serves its conversations");
        // Where another version grows by a planned step, it takes the lowest free buckets, which may be those that this
        // version gives back.
        let moved = current.schedule.with_stopped(version, true).moved_by(&at_once).others;
        let summary = if moved == 0 {
            summary
        } else {
            format!(
                "{summary}. By the planned steps of other versions, up to {} % of the conversations without a start \
                     time will be on another version than planned",
                percent(moved)
            )
        };
        (vec![at_once, without_own_step], summary)
    } else if without_own_step == *current.schedule {
        (vec![without_own_step], format!("{version} is stopped already"))
    } else {
        (vec![without_own_step], format!("{version} is stopped already; its planned shares are dropped"))
    };
    let last_resort = Some(current.schedule.with_stopped(version, true));
    Ok(Change { schedules, last_resort, summary, at: None, asked_by: None })
}
