//! What the windows of a release show, as the controller needs it.

use crate::analysis::{Analysis, Judging};
use crate::commands::feed::{Feed, Pairs};
use crate::controller::{Evidence, Place};
use crate::edit::schedule::Schedule;
use crate::io::World;
use crate::page::{Found, Journal, Page, Track, points_max};
use crate::release::judged_steps;
use crate::subject::{Candidate, Subject};
use llm_canary::timestamp::UnixMs;
use llm_canary_verdict::health::State as Row;
use llm_canary_verdict::outside::Outside;
use llm_canary_verdict::policy::{self, Policy};
use llm_canary_verdict::signal::Mode;
use llm_canary_verdict::verdict::{Finding, Verdict};
use llm_canary_verdict::window::Window;

/// The evidence about a version so far.
pub(super) struct Gathered {
    pairs: Pairs,
    subject: Subject,
    candidate: Candidate,
    policy: Policy,
    judging: Judging,
    /// What was found over time, for a page.
    track: Track,
    /// Windows that begin before are not judged; `None`: all are.
    since_ms: Option<i64>,
    /// When the step began, by the wall clock.
    step_ms: i64,
    /// Requests of the version since then.
    requests: u64,
    /// Requests of the baseline in all windows.
    baseline_requests: u64,
    /// Whether samples are missing in the last window.
    is_last_missing: bool,
    verdict: Verdict,
    /// What a reference set says.
    outside: Option<Outside>,
}

impl Gathered {
    /// Nothing yet. The version is judged from this time on.
    pub(super) fn new(
        rollout: &str,
        version: &str,
        schedule: &Schedule,
        policy: Policy,
        since: Option<UnixMs>,
        step_began: UnixMs,
    ) -> Self {
        let since_ms = since.map(signed);
        let candidate =
            Candidate { version: version.to_owned(), steps: Some(judged_steps(schedule, version)), since_ms };
        let subject = Subject {
            rollout: rollout.to_owned(),
            baseline: schedule.baseline.clone(),
            is_baseline_guessed: false,
            candidates: Vec::new(),
        };
        Self {
            pairs: Pairs {
                rollout: rollout.to_owned(),
                baseline: schedule.baseline.clone(),
                versions: vec![version.to_owned()],
            },
            judging: Judging::new(&subject, &candidate, &policy, None),
            track: Track::new(points_max(1)),
            subject,
            candidate,
            policy,
            since_ms,
            step_ms: signed(step_began),
            requests: 0,
            baseline_requests: 0,
            is_last_missing: false,
            verdict: Verdict::NotEnoughData,
            outside: None,
        }
    }

    /// Takes in what a reference set says of the version by now.
    pub(super) fn tell(&mut self, outside: &Outside) {
        if self.outside.as_ref() != Some(outside) {
            self.judging.tell(outside.clone());
            self.outside = Some(outside.clone());
        }
    }

    /// The rollout and the baseline.
    pub(super) fn names(&self) -> (&str, &str) {
        (&self.pairs.rollout, &self.pairs.baseline)
    }

    /// At the last look.
    pub(super) fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// A step begins at this time: requests count anew. A version that had no share, or was stopped, begins on new evidence.
    pub(super) fn begin_step(&mut self, at: UnixMs) {
        self.step_ms = signed(at);
        self.requests = 0;
    }

    /// Judges the version from this time on, by these steps, and by nothing that was before.
    pub(super) fn begin_anew(&mut self, schedule: &Schedule, at: UnixMs) {
        self.since_ms = Some(signed(at));
        self.candidate.since_ms = self.since_ms;
        self.candidate.steps = Some(judged_steps(schedule, &self.candidate.version));
        self.judging = Judging::new(&self.subject, &self.candidate, &self.policy, None);
        if let Some(outside) = &self.outside {
            self.judging.tell(outside.clone());
        }
        self.track = Track::new(points_max(1));
        self.begin_step(at);
    }

    /// Learns the steps anew.
    pub(super) fn set_steps(&mut self, schedule: &Schedule) {
        self.judging.set_steps(judged_steps(schedule, &self.candidate.version));
    }

    /// Takes in the windows that have closed. Returns what is missing of the source.
    pub(super) fn next(&mut self, feed: &mut dyn Feed, world: &mut World<'_>) -> Option<String> {
        let pairs = self.pairs.clone();
        let read = feed.take(world, &pairs, &mut |_, window| self.push(window));
        read.err().map(|error| error.to_string()).or_else(|| feed.trouble())
    }

    fn push(&mut self, window: &Window) {
        let flow = window.flow;
        self.is_last_missing = window.is_missing;
        self.baseline_requests = self.baseline_requests.saturating_add(flow.baseline.requests);
        if window.start_ms >= self.step_ms {
            self.requests = self.requests.saturating_add(flow.version.requests);
        }
        // One that reaches over the beginning is not whole.
        if self.since_ms.is_none_or(|since_ms| window.start_ms >= since_ms) {
            self.judging.push(window);
            self.track.push(window, self.judging.judge());
        }
    }

    pub(super) fn analysis(&self, feed: &dyn Feed, world: &World<'_>) -> Analysis {
        self.judging.analysis(&feed.look(&self.pairs.rollout, world))
    }

    /// What a page shows of it.
    pub(super) fn page(&self, analysis: &Analysis, journal: Journal, target: &str, now: UnixMs) -> Page {
        let found = Found::new(analysis.clone(), &self.judging, &self.track);
        Page::new(&self.pairs.rollout, vec![found], &self.policy, journal, Some(target), now)
    }

    /// What is missing of the windows, in words.
    pub(super) fn missing(&self, analysis: &Analysis, place: Option<Place>) -> Option<String> {
        if place.is_some_and(|place| place.step.is_none()) && self.baseline_requests == 0 {
            let baseline = &self.pairs.baseline;
            return Some(format!(
                "the source shows no request of the baseline {baseline} yet, so that there is nothing to compare with; check that the \
                 filter is loaded, and that this is the right source"
            ));
        }
        if self.is_last_missing {
            return Some("samples are missing in the last window".to_owned());
        }
        // Whatever the policy says of old samples, nothing goes on by them.
        let stale = analysis.judgement.health.iter().find(|row| row.row == policy::Row::Stale);
        stale.filter(|row| !matches!(row.state, Row::Ok | Row::Absent)).and_then(|row| row.detail.clone())
    }

    /// What a look shows.
    pub(super) fn evidence(
        &mut self,
        analysis: &Analysis,
        missing: Option<String>,
        feed: &dyn Feed,
        config_hash: u32,
    ) -> Evidence {
        let judgement = &analysis.judgement;
        self.verdict = judgement.verdict;
        let rows = judgement.health.iter().filter(|row| row.state == Row::Hold);
        let rows =
            rows.map(|row| format!("{}: {}", row.row.name(), row.detail.as_deref().unwrap_or_default()));
        let is_worse = |mode, finding| mode == Mode::Hold && finding == Finding::Worse;
        let signals = judgement.signals.iter().filter(|signal| is_worse(signal.mode, signal.finding));
        let signals = signals.map(|signal| format!("{} is worse, and its mode is hold", signal.signal));
        let holds: Vec<String> = rows.chain(signals).collect();
        Evidence {
            verdict: judgement.verdict,
            because: judgement.because.clone(),
            requests: self.requests,
            missing,
            hold: (!holds.is_empty()).then(|| holds.join("; ")),
            running: feed.running(&self.pairs.rollout, config_hash),
        }
    }
}

fn signed(at: UnixMs) -> i64 {
    i64::try_from(at).unwrap_or(i64::MAX)
}
