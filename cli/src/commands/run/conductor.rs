//! The loop around the controller: it reads, hands in what happened, and carries out what follows. It decides nothing.

mod writes;

use super::evidence::Gathered;
use super::outlets::Outlets;
use super::progress::{Progress, waits_for};
use super::steady::Steady;
use super::watched::Watched;
use super::ways::Commands;
use super::writer::Writer;
use crate::analysis::Analysis;
use crate::commands::feed::Feed;
use crate::controller::{Action, Event, Rules, State};
use crate::io::World;
use crate::io::audience::{Audience, RECORDS_MAX, Snapshot};
use crate::io::claim::Claim;
use crate::page::{Journal, Now};
use crate::release_record::Record;
use llm_canary::split::percent;
use llm_canary_verdict::verdict::Verdict;
use serde_json::Value;
use std::collections::VecDeque;
use std::time::Duration;

/// The longest time between two looks at signals and approvals.
const SLICE: Duration = Duration::from_millis(250);
/// A stop that could not be written is tried again so often.
const TICK: Duration = Duration::from_secs(1);

/// A release under way.
pub(super) struct Conductor<'a> {
    rules: Rules,
    state: State,
    gathered: Gathered,
    writer: Writer,
    pub(super) outlets: Outlets,
    claim: Option<Box<dyn Claim + 'a>>,
    /// A reference set beside the traffic.
    watched: Option<Watched>,
    audience: &'a dyn Audience,
    commands: Commands,
    /// Why a stopped version is started again, until that is written.
    again: Option<String>,
    is_dry: bool,
    steady: Steady,
    /// The version's share, in parts per million.
    parts: u32,
    /// How often a write has failed in a row: it is shown once.
    failures: u32,
    records: Vec<Value>,
    /// The same, and what looks found, for the page.
    shown: Journal,
    /// What was missing at the last look, and whether something was announced since then.
    trouble: Option<String>,
    is_news: bool,
    /// What the last look found, for the journal.
    found: String,
    progress: Progress,
    last_tick: Duration,
    /// When the source is read next, on the clock's time since the start.
    due: Duration,
    read_at: Option<Duration>,
    read_every: Duration,
}

/// What a conductor begins with.
pub(super) struct Beginning<'a> {
    pub(super) rules: Rules,
    pub(super) state: State,
    pub(super) gathered: Gathered,
    pub(super) writer: Writer,
    pub(super) outlets: Outlets,
    pub(super) claim: Option<Box<dyn Claim + 'a>>,
    pub(super) watched: Option<Watched>,
    pub(super) audience: &'a dyn Audience,
    pub(super) commands: Commands,
    pub(super) again: Option<String>,
    pub(super) is_dry: bool,
    pub(super) parts: u32,
    /// What happened before.
    pub(super) shown: Journal,
    /// The file or resource is not read more often.
    pub(super) read_every: Duration,
}

impl<'a> Conductor<'a> {
    pub(super) fn new(beginning: Beginning<'a>, world: &World<'_>) -> Self {
        let Beginning { rules, state, gathered, writer, outlets, claim, watched, audience, .. } = beginning;
        Self {
            rules,
            state,
            gathered,
            writer,
            outlets,
            claim,
            watched,
            audience,
            commands: beginning.commands,
            again: beginning.again,
            is_dry: beginning.is_dry,
            steady: Steady::new(world.clock),
            parts: beginning.parts,
            failures: 0,
            records: Vec::new(),
            shown: beginning.shown,
            trouble: None,
            is_news: false,
            found: String::new(),
            progress: Progress::default(),
            last_tick: world.clock.elapsed(),
            due: Duration::ZERO,
            read_at: None,
            read_every: beginning.read_every,
        }
    }

    /// Goes on until the release is over; returns the exit code.
    pub(super) fn conduct(&mut self, feed: &mut dyn Feed, world: &mut World<'_>) -> u8 {
        loop {
            if let Some(signal) = world.signals.take() {
                self.handle(Event::Interrupted(signal), world);
            }
            self.take_approvals(world);
            self.publish_news(feed, world);
            if let Some(code) = self.state.exit_code() {
                return code;
            }
            self.attend(world);
            let elapsed = world.clock.elapsed();
            // While a stop is not written, no source holds the next attempt up.
            let is_stopping = matches!(self.state, State::Stopping { .. });
            if elapsed >= self.due && !is_stopping {
                self.look(feed, world);
                self.due = world.clock.elapsed().saturating_add(feed.wait(world));
            } else if elapsed.saturating_sub(self.last_tick) >= TICK {
                self.last_tick = elapsed;
                self.handle(Event::Tick, world);
            }
            self.keep_claim(world);
            self.outlets.say_failures(world);
            if self.state.exit_code().is_none() {
                let wait = self.due.saturating_sub(world.clock.elapsed()).min(SLICE);
                world.clock.sleep(if is_stopping { SLICE } else { wait });
            }
        }
    }

    /// Goes on with the reference set. What it finds worse is looked at at once.
    fn attend(&mut self, world: &World<'_>) {
        let is_over = matches!(self.state, State::Stopping { .. } | State::Stopped(..) | State::Ended(_));
        let Some(watched) = &mut self.watched else { return };
        if watched.attend(self.parts > 0 && !is_over, world) {
            self.due = Duration::ZERO;
        }
        self.gathered.tell(watched.outside());
    }

    /// What was found so far.
    pub(super) fn analysis(&self, feed: &dyn Feed, world: &World<'_>) -> Analysis {
        self.gathered.analysis(feed, world)
    }

    fn look(&mut self, feed: &mut dyn Feed, world: &mut World<'_>) {
        let (trouble, analysis) = (self.gathered.next(feed, world), self.gathered.analysis(feed, world));
        let is_regression = analysis.judgement.verdict == Verdict::Regression;
        // Nothing follows from where counters start, nor from a source that was not waited for.
        if feed.is_starting() || world.signals.is_waiting() && !is_regression {
            return;
        }
        // A stop waits for no file or server. Once it is written, somebody may write something else, which Envoys run then.
        let is_stop_due = is_regression && !matches!(self.state, State::Stopped(..));
        let unread = if is_stop_due { None } else { self.read(world) };
        let missing = trouble.or(unread).or_else(|| self.gathered.missing(&analysis, self.state.place()));
        let missing = missing.or_else(|| self.watched.as_ref().and_then(|watched| watched.trouble(world)));
        let evidence = self.gathered.evidence(&analysis, missing, feed, self.writer.config_hash());
        self.trouble.clone_from(&evidence.missing);
        let requests = evidence.requests;
        self.handle_with(Event::Look(evidence), Some(&analysis), world);
        self.record_look(&analysis, world);
        self.say_progress(&analysis, requests, world);
        self.publish(&analysis, true, world);
    }

    /// Says now and then what the release waits for.
    fn say_progress(&mut self, analysis: &Analysis, requests: u64, world: &mut World<'_>) {
        let now_ms = self.steady.now(world.clock);
        let waits = waits_for(&self.rules, &self.state, &analysis.judgement, requests, now_ms);
        let due = waits.and_then(|waits| self.progress.due(waits, world.clock.elapsed()));
        if let Some(words) = due {
            let (dry, shown) = (if self.is_dry { "(dry run) " } else { "" }, percent(self.parts));
            let (rollout, version) = (self.gathered.names().0, &self.commands.version);
            self.outlets.say(&format!("{dry}{rollout}: {version} at {shown} % {words}"), world);
        }
    }

    /// Shows what was announced since the last look.
    fn publish_news(&mut self, feed: &dyn Feed, world: &World<'_>) {
        if self.is_news {
            let analysis = self.gathered.analysis(feed, world);
            self.publish(&analysis, false, world);
        }
    }

    /// Reads the file or resource. Returns why it cannot be read.
    fn read(&mut self, world: &mut World<'_>) -> Option<String> {
        let elapsed = world.clock.elapsed();
        if self.read_at.is_some_and(|read_at| elapsed.saturating_sub(read_at) < self.read_every) {
            return None;
        }
        match self.writer.read(world) {
            Ok(None) => {
                self.read_at = Some(elapsed);
                None
            }
            Ok(Some(difference)) if self.is_dry => {
                self.follow(&difference, world);
                None
            }
            Ok(Some(difference)) => {
                self.handle(Event::OtherHand(difference), world);
                None
            }
            Err(error) => Some(error.to_string()),
        }
    }

    /// A dry run follows whoever does write.
    fn follow(&mut self, difference: &str, world: &mut World<'_>) {
        world.say(&format!("note: {}: {difference}; this dry run goes on from there", self.commands.target));
        let now = world.clock.now();
        let present = crate::release::present(self.writer.schedule(), &self.commands.version, now);
        let since_ms = self.steady.ms(present.since.unwrap_or(now), world.clock);
        self.parts = present.parts;
        self.gathered.set_steps(self.writer.schedule());
        match self.rules.found(present.parts, since_ms) {
            Ok(state) => self.state = state,
            Err(parts) => {
                world.say(&format!("note: {} % is no step of the plan", percent(parts)));
            }
        }
        self.gathered.begin_step(present.since.unwrap_or(now));
    }

    fn take_approvals(&mut self, world: &mut World<'_>) {
        while self.audience.take_approval() {
            match self.handle(Event::Approved, world) {
                Some(words) => self.audience.answer(Err(&words)),
                None => self
                    .audience
                    .answer(Ok("approved; the next step follows the next look, if that is in order")),
            }
        }
    }

    fn keep_claim(&mut self, world: &mut World<'_>) {
        let kept = self.claim.as_mut().map(|claim| claim.keep(world.clock));
        if let Some(Err(words)) = kept {
            world.say(&format!("warning: the claim of this run is not renewed: {words}"));
        }
    }

    fn handle(&mut self, event: Event, world: &mut World<'_>) -> Option<String> {
        self.handle_with(event, None, world)
    }

    /// Hands an event in, and carries out what follows. Returns why an approval does not count.
    fn handle_with(
        &mut self,
        event: Event,
        analysis: Option<&Analysis>,
        world: &mut World<'_>,
    ) -> Option<String> {
        let mut refusal = None;
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            let outcome = self.rules.next(&self.state, &event, self.steady.now(world.clock));
            let before = std::mem::replace(&mut self.state, outcome.state);
            for action in outcome.actions {
                match action {
                    Action::Write(step) => events.push_back(self.write_step(step, world)),
                    Action::Stop => events.push_back(self.write_stop(world)),
                    Action::Announce(why) => self.announce(&before, why, analysis, world),
                    Action::Refuse(words) => refusal = Some(words),
                }
            }
        }
        refusal
    }

    fn announce(
        &mut self,
        before: &State,
        why: Vec<String>,
        analysis: Option<&Analysis>,
        world: &mut World<'_>,
    ) {
        let shown = percent(self.parts).to_string();
        let undo = self.commands.undo(before, &self.state, &self.rules.plan, &shown);
        let record = Record { why, undo, ..self.record(before, shown, world) }.of_state(&self.state);
        self.outlets.announce(&record, Some(&self.state), analysis, world);
        self.progress.told(&self.state, world.clock.elapsed());
        for line in self.commands.ways_on(&self.state, &self.rules.plan, self.writer.is_stopped()) {
            world.say(&line);
        }
        let value = record.value();
        self.shown.push(&value, &record.rollout);
        self.is_news = true;
        self.records.push(value);
        if self.records.len() > RECORDS_MAX {
            self.records.remove(0);
        }
    }

    fn record(&self, before: &State, percent: String, world: &World<'_>) -> Record {
        let (rollout, baseline) = self.gathered.names();
        Record {
            at: world.clock.now(),
            rollout: rollout.to_owned(),
            version: self.commands.version.clone(),
            baseline: baseline.to_owned(),
            event: String::new(),
            from: before.name().to_owned(),
            hold: None,
            percent,
            verdict: self.gathered.verdict().name(),
            why: Vec::new(),
            text: String::new(),
            undo: None,
            exit_code: None,
            is_dry: self.is_dry,
        }
    }

    /// Records a look that found something else than the one before.
    fn record_look(&mut self, analysis: &Analysis, world: &mut World<'_>) {
        let signals = analysis.judgement.signals.iter().map(|signal| signal.finding.name());
        let health = analysis.judgement.health.iter().map(|row| format!("{:?}", row.state));
        let names = signals.map(str::to_owned).chain(health);
        let found =
            [analysis.verdict_name().to_owned()].into_iter().chain(names).collect::<Vec<_>>().join(" ");
        if found != self.found {
            self.found = found;
            let record = Record {
                event: "look".to_owned(),
                why: analysis.judgement.because.clone(),
                ..self.record(&self.state, percent(self.parts).to_string(), world)
            };
            let value = record.value();
            self.shown.push(&value, &record.rollout);
            self.outlets.record(value, Some(analysis), world);
        }
    }

    fn publish(&mut self, analysis: &Analysis, is_look: bool, world: &World<'_>) {
        self.is_news = false;
        let trouble = self.trouble.as_deref();
        let percent = percent(self.parts).to_string();
        let dry = if self.is_dry { "(dry run) " } else { "" };
        let state = format!("{dry}{} {}", self.commands.version, self.state.describe(&percent));
        let summary = self.watched.as_ref().and_then(Watched::summary);
        let page = || {
            let journal = self.shown.clone();
            let page = self.gathered.page(analysis, journal, &self.commands.target, world.clock.now());
            page.with_now(Now::new(Some(&state), trouble, None)).with_watchdog(summary.as_ref())
        };
        self.audience.publish(&Snapshot {
            state: &self.state,
            percent: &percent,
            analysis,
            trouble,
            records: &self.records,
            is_look,
            watchdog: summary.as_ref(),
            page: &page,
        });
    }
}
