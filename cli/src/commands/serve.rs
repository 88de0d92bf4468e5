//! `llm-canary serve`: watches, and tells people and other controllers what it finds. It writes nothing.

use super::feed::{Feed, SourceFeed};
use super::judged::{Judged, SubjectArgs};
use super::listening;
use super::results::Results;
use super::source::SourceArgs;
use crate::analysis::Analysis;
use crate::error::Error;
use crate::io::World;
use crate::io::audience::RECORDS_MAX;
use crate::io::board::Board;
use crate::page::{self, Journal, Now, Page, quoted};
use crate::serving::{Found, Shown, Watchdog};
use crate::subject::{Named, Subject};
use crate::watchdog::summary::Summary;
use core::net::SocketAddr;
use llm_canary::config::Config;
use llm_canary::timestamp::rfc3339;
use llm_canary_verdict::policy::Policy;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The longest time between two looks at signals.
const SLICE: Duration = Duration::from_millis(250);

/// Watch versions, and serve the verdict: a page, an API, metrics, and answers for other controllers.
///
/// It judges as `analyze` does, at each look anew, and writes nothing. FILE is read again at each look, so that it follows steps and versions
/// as they come. A verdict is a verdict also where nothing was seen yet or the source is silent: it is not_enough_data then, with the reason, and
/// nothing is fine.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  llm-canary serve llm.yaml --prometheus http://localhost:9090
  llm-canary serve --version v2 --baseline v1 --admin http://envoy-1:9901 --admin http://envoy-2:9901
  llm-canary serve llm.yaml --prometheus http://prometheus:9090 --listen 0.0.0.0:8099 --token-file token.txt

Paths:
  /, /api/page                       the page of report, which goes on by itself
  /api/verdict?rollout=&version=     what analyze --json prints; 200 for each verdict, 404 for a name that there is not
  /api/events                        what happened, the newest last
  /metrics                           llm_canary_verdict, llm_canary_step_percent, llm_canary_log_e, llm_canary_stops_total, llm_canary_source_up,
                                     llm_canary_watchdog_pass_share, llm_canary_watchdog_log_e, llm_canary_watchdog_unknown
  /healthz, /readyz                  whether it goes on; whether the first look is over, with or without an answer of the source
  /flagger/confirm-promotion, /flagger/confirm-traffic-increase    200 where the verdict is fine, else 409 with the reason
  /flagger/rollback                  200 where it is a regression, else 409
  /api/approve                       with run --listen: what llm-canary approve asks

With --json it prints a line for each verdict that is another than before, as /api/events has it: at, rollout, version, baseline, event, from,
verdict, text, why.

Exit codes: 0 ended by SIGINT or SIGTERM; 2 usage or input error.")]
pub(crate) struct Args {
    #[command(flatten)]
    subject: SubjectArgs,
    #[command(flatten)]
    source: SourceArgs,
    /// Where to listen
    #[arg(long, value_name = "IP:PORT", value_parser = listening::parse_address, default_value = listening::DEFAULT_ADDRESS)]
    listen: SocketAddr,
    /// A file with a token, which a request must have that changes something; needed beyond this machine's own addresses
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// What `watchdog --out` writes, or `run --watchdog-out`: it is shown, and read again at each look
    #[arg(long, value_name = "RESULTS")]
    watchdog: Option<PathBuf>,
    /// Print a line of JSON for each verdict that is another than before
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) fn run(args: &Args, world: &mut World<'_>) -> Result<u8, Error> {
    let now = world.clock.now();
    let policy = args.subject.policy(world)?;
    let config = args.subject.config(world)?;
    let named = args.subject.named(args.subject.since(now)?);
    let begins = args.subject.begins(config.as_ref(), now)?;
    let rollout = args.subject.rollout(config.as_ref());
    // A source that is silent for now is asked again; a file is not.
    let feed = match args.source.is_file() {
        true => SourceFeed::open(&args.source, begins, rollout, world)?,
        false => SourceFeed::unread(&args.source, begins, rollout, world)?,
    };
    let good_for = listening::good_for(&args.source);
    let (board, _server) = listening::open(args.listen, args.token_file.as_deref(), false, good_for, world)?;
    world.signals.watch().map_err(Error::refused)?;
    let watch = Watch {
        args,
        policy,
        named,
        config,
        judged: None,
        feed,
        is_over: false,
        records: Vec::new(),
        journal: Journal::default(),
        said: None,
        results: args.watchdog.as_deref().map(Results::new),
        unread: None,
    };
    watch.go_on(&board, world);
    Ok(0)
}

/// What is watched.
struct Watch<'a> {
    args: &'a Args,
    policy: Policy,
    named: Named,
    /// As it was read last.
    config: Option<Config>,
    judged: Option<Judged>,
    feed: SourceFeed,
    /// Whether nothing follows what was read.
    is_over: bool,
    records: Vec<Value>,
    /// The same for the page.
    journal: Journal,
    /// Why nothing is judged, as it was said last.
    said: Option<String>,
    results: Option<Results>,
    /// Why they cannot be read, as it was said last.
    unread: Option<String>,
}

impl Watch<'_> {
    /// Goes on until the system asks to end.
    fn go_on(mut self, board: &Board, world: &mut World<'_>) {
        let mut due = Duration::ZERO;
        while world.signals.take().is_none() {
            board.beat();
            if world.clock.elapsed() >= due && !self.is_over {
                self.look(board, world);
                due = world.clock.elapsed().saturating_add(self.feed.wait(world));
            }
            world
                .clock
                .sleep(due.saturating_sub(world.clock.elapsed()).clamp(Duration::from_millis(1), SLICE));
        }
        world.say("ended; nothing was written");
    }

    fn look(&mut self, board: &Board, world: &mut World<'_>) {
        if !self.args.source.is_file() {
            self.feed.read(world);
        }
        if world.signals.is_waiting() {
            return;
        }
        let mut trouble = self.feed.trouble();
        match self.args.subject.config(world) {
            Ok(config) => self.config = config,
            // What it said before still holds.
            Err(error) => trouble = trouble.or_else(|| Some(error.to_string())),
        }
        let idle = self.choose(world).err();
        let analyses = self.analyses(world);
        self.is_over = self.args.source.is_file();
        let of_page = self.judged.as_ref().map(|judged| judged.found(&analyses)).unwrap_or_default();
        let found = analyses.into_iter().map(|analysis| {
            let percent = analysis.step.map(|step| step.share * 100.0);
            Found { analysis, percent }
        });
        let found: Vec<Found> = found.collect();
        self.remember(&found, trouble.as_deref(), world);
        if idle != self.said {
            if let Some(words) = &idle {
                world.say(&format!("note: {words}"));
            }
            self.said.clone_from(&idle);
        }
        let summary = self.summary(world);
        let rollout = found.first().map(|found| found.analysis.rollout.clone());
        let rollout = rollout.or_else(|| self.args.subject.rollout(self.config.as_ref()).map(str::to_owned));
        let page = self.page(rollout.as_deref(), of_page, world);
        let page = page.with_now(Now::new(None, trouble.as_deref(), idle.as_deref()));
        let page = page.with_watchdog(summary.as_ref());
        board.show(|view| {
            view.versions = self.versions(rollout.as_deref());
            view.rollout = rollout;
            view.found = found;
            view.trouble = trouble;
            view.watchdog = summary.as_ref().map(Watchdog::new);
            view.idle = idle;
            view.page = Some(Arc::new(Shown::new(page)));
            view.records.clone_from(&self.records);
        });
    }

    /// What the reference set shows by now.
    fn summary(&mut self, world: &mut World<'_>) -> Option<Summary> {
        let results = self.results.as_mut()?;
        let unread = results.read_if_there(world).err().map(|error| error.to_string());
        let summary = results.summary();
        if unread != self.unread {
            if let Some(words) = &unread {
                world.say(&format!("note: {words}"));
            }
            self.unread = unread;
        }
        summary
    }

    fn page(&self, rollout: Option<&str>, found: Vec<page::Found>, world: &World<'_>) -> Page {
        let target = self.args.subject.file_name().map(|file| quoted(&file));
        let (journal, now) = (self.journal.clone(), world.clock.now());
        Page::new(rollout.unwrap_or("unknown"), found, &self.policy, journal, target.as_deref(), now)
    }

    /// Chooses what is judged now, by what the configuration says and what was seen.
    fn choose(&mut self, world: &mut World<'_>) -> Result<(), String> {
        let now = world.clock.now();
        let subject = Subject::choose(&self.named, self.config.as_ref(), &self.feed.seen(), now)?;
        match &mut self.judged {
            Some(judged) => judged.follow(&subject, &self.policy),
            judged => *judged = Some(Judged::new(&subject, &self.policy, None, world).with_tracks()),
        }
        if self.config.is_none() {
            // It must not change as requests come.
            self.named.baseline = self.judged.as_ref().map(|judged| judged.baseline().to_owned());
        }
        Ok(())
    }

    fn analyses(&mut self, world: &mut World<'_>) -> Vec<Analysis> {
        let Some(judged) = &mut self.judged else {
            self.feed.skip();
            return Vec::new();
        };
        // What fails is a trouble of the feed.
        let _ = judged.take(&mut self.feed, world);
        judged.analyses(&self.feed, world)
    }

    /// Remembers verdicts that are others than before.
    fn remember(&mut self, found: &[Found], trouble: Option<&str>, world: &mut World<'_>) {
        for found in found {
            let analysis = &found.analysis;
            let is_same = |record: &&Value| record["version"] == analysis.version.as_str();
            let before = self.records.iter().rev().find(is_same).map(|record| record["verdict"].clone());
            // As it is served: nothing is fine while the source is silent.
            let (verdict, why) = (found.verdict(trouble).name(), found.because(trouble));
            if before.as_ref().is_some_and(|before| *before == verdict) {
                continue;
            }
            let Analysis { rollout, version, baseline, .. } = analysis;
            let text = format!("{rollout}: {version} against {baseline}: {verdict}: {}", why.join("; "));
            let record = json!({
                "at": rfc3339(world.clock.now()),
                "rollout": rollout,
                "version": version,
                "baseline": baseline,
                "event": "verdict",
                "from": before,
                "verdict": verdict,
                "text": &text,
                "why": why,
            });
            if self.args.json {
                // Where it cannot be written, the server still tells it.
                let _ = world.print(&record.to_string()).and_then(|()| world.out.flush());
            } else {
                world.say(&text);
            }
            self.journal.push(&record, rollout);
            self.records.push(record);
            if self.records.len() > RECORDS_MAX {
                self.records.remove(0);
            }
        }
    }

    /// The versions of the configuration.
    fn versions(&self, rollout: Option<&str>) -> Option<Vec<String>> {
        let rollouts = &self.config.as_ref()?.rollouts;
        let rollout = rollouts.iter().find(|one| Some(one.name.as_str()) == rollout)?;
        Some(rollout.versions.iter().map(|version| version.name.clone()).collect())
    }
}
