//! The loop of rounds: it asks, hands what came to the tally, and says what is known.

use super::Args;
use super::results_file::ResultsFile;
use super::targets::{self, Target};
use crate::error::Error;
use crate::io::World;
use crate::io::ask::{Ask, Call};
use crate::io::clock::Clock;
use crate::io::crew;
use crate::io::secrets::Secrets;
use crate::io::signals::Signals;
use crate::io::terminal::is_error_terminal;
use crate::watchdog::exchange::{Ended, Exchange, Next};
use crate::watchdog::form::{Wanted, form};
use crate::watchdog::grading::{Grader, output};
use crate::watchdog::judging::{Judge, PairOfAnswers};
use crate::watchdog::prompts::Prompt;
use crate::watchdog::reply;
use crate::watchdog::results::{Answer, Line, ROUND_OF_BASELINE, Round, Side, Sides};
use crate::watchdog::rounds::{Job, Random, Rotation, jobs};
use crate::watchdog::tally::{PROMPTS_MAX, Tally, prompts_to_be_fine};
use crate::watchdog::words;
use llm_canary::timestamp::{UnixMs, rfc3339};
use llm_canary_sets::grade;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::Duration;

/// While the next round is waited for, a signal is looked for so often.
const SLICE: Duration = Duration::from_millis(100);

/// Everything that does not change between rounds.
struct Rounds<'a, 'w> {
    args: &'a Args,
    prompts: &'a [Prompt<'a>],
    targets: Sides<Target>,
    secrets: Secrets,
    file: ResultsFile<'w>,
    grader: Grader,
    has_terminal: bool,
}

/// Asks round after round; returns the exit code.
pub(super) fn run(
    args: &Args,
    prompts: &[Prompt<'_>],
    mut judge: Option<&mut dyn Judge>,
    world: &mut World<'_>,
) -> Result<u8, Error> {
    if prompts.len() > PROMPTS_MAX {
        return Err(Error::refused(format!(
            "the sets have {} prompts; there may be {PROMPTS_MAX}. Take fewer sets",
            prompts.len()
        )));
    }
    let (targets, secrets) = targets::find(args, world)?;
    let calls = prompts.iter().map(Prompt::calls).collect();
    let mut rotation = Rotation::new(calls, args.max_calls_per_day, args.every).map_err(|words| {
        Error::refused(format!("--max-calls-per-day {}: {words}", args.max_calls_per_day.unwrap_or_default()))
    })?;
    let mut tally = Tally::of(prompts.len()).with_chances(args.chances());
    let file = ResultsFile::open(args.out.as_deref(), world.files, prompts, &targets, &mut tally)?;
    let grader = Grader::new();
    let rounds = Rounds { args, prompts, targets, secrets, file, grader, has_terminal: is_error_terminal() };
    world.signals.watch().map_err(Error::refused)?;
    rounds.say_what_is_left_out(world);
    if judge.is_none() {
        rounds.say_whether_prompts_are_few(world);
    }
    let seed = u64::from((world.random)()) << 32 | u64::from((world.random)());
    let mut random = Random::new(seed);
    if !tally.has_baseline_twice() {
        let list = jobs(rotation.peek(), ROUND_OF_BASELINE, &mut random);
        rounds.ask(ROUND_OF_BASELINE, &list, &mut tally, &mut judge, world)?;
    }
    rotation.skip(tally.round());
    let last = if args.once { Some(1) } else { args.rounds };
    let last = last.map(|rounds| tally.round().saturating_add(rounds));
    let (mut known, mut is_shown) = (tally.end(tally.round()), false);
    while !world.signals.is_waiting() && last.is_none_or(|last| tally.round() < last) {
        let began = world.clock.elapsed();
        let round = tally.round().saturating_add(1);
        let list = jobs(rotation.take(), round, &mut random);
        rounds.ask(round, &list, &mut tally, &mut judge, world)?;
        let before = std::mem::replace(&mut known, tally.end(round));
        rounds.file.write(&rounds.hide(Line::Round(Box::new(known.clone())).to_text()))?;
        let is_last = last.is_some_and(|last| round >= last) || world.signals.is_waiting();
        rounds.report(&known, &before, is_last, &tally, world)?;
        is_shown = is_last || args.json;
        if !is_last {
            wait_until(began.saturating_add(args.every), world.clock, world.signals);
        }
    }
    // A signal came before a round, or between two.
    if !is_shown {
        rounds.show(&known, &tally, world)?;
    }
    Ok(tally.verdict().exit_code())
}

/// Waits, until the system asks to end.
fn wait_until(until: Duration, clock: &dyn Clock, signals: &dyn Signals) {
    loop {
        let left = until.saturating_sub(clock.elapsed());
        if left.is_zero() || signals.is_waiting() {
            return;
        }
        clock.sleep(left.min(SLICE));
    }
}

/// One prompt on one side, with all its turns.
fn converse(
    args: &Args,
    prompts: &[Prompt<'_>],
    targets: &Sides<Target>,
    job: &Job,
    ask: &dyn Ask,
    clock: &dyn Clock,
) -> (UnixMs, Option<Box<Ended>>) {
    let at = clock.now();
    let Some(prompt) = prompts.get(job.prompt) else { return (at, None) };
    let (api, target) = (args.api, targets.of(job.side));
    let mut exchange = Exchange::new(api, args.model.as_deref(), job.streamed, &prompt.request);
    loop {
        let body = exchange.body();
        let call = Call { url: &target.url, headers: &target.headers, body: &body };
        match exchange.take(reply::read(api, &body, &ask.ask(&call, clock))) {
            Next::Turn(next) => exchange = next,
            Next::End(ended) => return (at, Some(ended)),
        }
    }
}

impl Rounds<'_, '_> {
    fn hide(&self, text: String) -> String {
        self.secrets.hide(&text)
    }

    /// Asks the jobs of a round, and takes in what came.
    fn ask(
        &self,
        round: u32,
        list: &[Job],
        tally: &mut Tally,
        judge: &mut Option<&mut dyn Judge>,
        world: &mut World<'_>,
    ) -> Result<(), Error> {
        let (ask, clock, signals) = (world.ask, world.clock, world.signals);
        let (args, prompts, targets) = (self.args, self.prompts, &self.targets);
        let (mut answers, mut failed, mut done) = (Vec::new(), None, 0_usize);
        let has_failed = Cell::new(false);
        let has_judge = judge.is_some();
        crew::work(
            list,
            self.args.concurrency,
            |job| converse(args, prompts, targets, job, ask, clock),
            |job, (at, ended)| {
                done += 1;
                let Some(answer) = self.answer(round, job, at, ended) else { return };
                if self.has_terminal {
                    // A line that cannot be written is lost.
                    let _ = write!(world.err, "\r\u{1b}[Kround {round}: {done} of {} answers", list.len());
                }
                if has_judge {
                    answers.push(answer);
                } else if failed.is_none() {
                    failed = self.take(Line::Answer(Box::new(answer)), tally).err();
                    has_failed.set(failed.is_some());
                }
            },
            || signals.is_waiting() || has_failed.get(),
        );
        if self.has_terminal {
            let _ = write!(world.err, "\r\u{1b}[K");
        }
        if let Some(error) = failed {
            return Err(error);
        }
        if let Some(judge) = judge {
            self.judge(round, answers, *judge, tally, signals)?;
        }
        Ok(())
    }

    /// Hands the pairs of a round to a judge, and takes in its answers and votes.
    fn judge(
        &self,
        round: u32,
        mut answers: Vec<Answer>,
        judge: &mut dyn Judge,
        tally: &mut Tally,
        signals: &dyn Signals,
    ) -> Result<(), Error> {
        let mut sides: BTreeMap<usize, Vec<&mut Answer>> = BTreeMap::new();
        for answer in &mut answers {
            sides.entry(answer.prompt).or_default().push(answer);
        }
        let mut pairs: Vec<PairOfAnswers<'_>> = Vec::new();
        for (number, answers) in sides {
            let mut answers = answers.into_iter();
            let (Some(first), Some(second), Some(prompt)) =
                (answers.next(), answers.next(), self.prompts.get(number))
            else {
                continue;
            };
            let is_swapped = first.side == Side::Baseline && second.side == Side::Version;
            let (version, baseline) = if is_swapped { (second, first) } else { (first, second) };
            pairs.push(PairOfAnswers { prompt, version, baseline });
        }
        let votes = judge.judge(round, &mut pairs, &|| signals.is_waiting());
        drop(pairs);
        for answer in answers {
            self.take(Line::Answer(Box::new(answer)), tally)?;
        }
        for vote in votes {
            self.take(Line::Vote(vote), tally)?;
        }
        Ok(())
    }

    /// Takes in a line, and writes it.
    fn take(&self, line: Line, tally: &mut Tally) -> Result<(), Error> {
        tally.push(&line).map_err(Error::refused)?;
        self.file.write(&line.to_text())
    }

    fn answer(&self, round: u32, job: &Job, at: UnixMs, ended: Option<Box<Ended>>) -> Option<Answer> {
        let prompt = self.prompts.get(job.prompt)?;
        let Ended { messages, reply } = *ended?;
        let marks = self.grader.grade(prompt, &reply);
        let mut written = output(&reply);
        let mut calls = reply.calls;
        self.secrets.hide_in(&mut written);
        calls.iter_mut().for_each(|call| self.secrets.hide_in(call));
        let mut checks = marks.checks;
        for check in &mut checks {
            check.why = check.why.take().map(|why| self.hide(why));
        }
        Some(Answer {
            at: rfc3339(at),
            round,
            set: prompt.set.to_owned(),
            case: prompt.case.name.clone(),
            prompt: job.prompt,
            side: job.side,
            name: self.targets.of(job.side).name.clone(),
            api: self.args.api.name().to_owned(),
            streamed: job.streamed,
            messages,
            status: reply.status,
            outcome: reply.outcome.map(str::to_owned),
            finish: reply.finish.map(str::to_owned),
            ttft_ms: reply.ttft_ms,
            latency_ms: reply.latency_ms,
            prompt_tokens: reply.prompt_tokens,
            completion_tokens: reply.completion_tokens,
            defects: reply.defects.into_iter().map(str::to_owned).collect(),
            output: written,
            tool_calls: calls,
            checked: marks.checked,
            pass: marks.pass,
            score: marks.score,
            checks,
            unknown: marks.unknown.map(|why| self.hide(why)),
        })
    }

    /// What the API has no word for, counted over the prompts.
    fn say_what_is_left_out(&self, world: &mut World<'_>) {
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for prompt in self.prompts {
            let request = &prompt.request;
            let wanted =
                Wanted { messages: &request.messages, carried: &request.body, model: None, streamed: false };
            for name in form(self.args.api, &wanted).left_out {
                *counts.entry(name).or_default() += 1;
            }
        }
        for (name, count) in counts {
            world.say(&format!(
                "warning: the API {} has no {}; it is left out of {count} prompts",
                self.args.api.name(),
                words::plain(&name)
            ));
        }
    }

    /// A user should know before hours pass that a set cannot show that a version is fine.
    fn say_whether_prompts_are_few(&self, world: &mut World<'_>) {
        let with_checks = self.prompts.iter().filter(|prompt| grade::has_offline(prompt.case)).count();
        let least = prompts_to_be_fine();
        if with_checks < least {
            world.say(&format!(
                "note: {with_checks} prompts have checks, and `fine` takes {least}; the verdict can be regression or not enough data"
            ));
        }
    }

    /// Says what a round has shown.
    fn report(
        &self,
        known: &Round,
        before: &Round,
        is_last: bool,
        tally: &Tally,
        world: &mut World<'_>,
    ) -> Result<(), Error> {
        let line = self.hide(words::line(known));
        if self.args.json {
            world.say(&line);
            return self.show(known, tally, world);
        }
        if is_last {
            return self.show(known, tally, world);
        }
        world.say(&line);
        if known.verdict != before.verdict || known.changed.len() != before.changed.len() {
            self.show(known, tally, world)?;
        }
        Ok(())
    }

    /// Prints all that is known.
    fn show(&self, known: &Round, tally: &Tally, world: &mut World<'_>) -> Result<(), Error> {
        if self.args.json {
            let text = serde_json::to_string(known).map_err(std::io::Error::from)?;
            return Ok(world.print(&self.hide(text))?);
        }
        let names = Sides { version: &*self.targets.version.name, baseline: &*self.targets.baseline.name };
        let beside = words::Beside {
            alarm: tally.alarm(),
            preference: tally.preference(),
            quarantined: tally.quarantined().collect(),
        };
        for line in words::lines(known, names, &beside) {
            world.print(&self.hide(line))?;
        }
        Ok(())
    }
}
