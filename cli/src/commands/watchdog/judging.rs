//! A model that judges the answers of a round: criteria of single answers first, then each pair in both orders.

use super::targets::read_key;
use crate::error::Error;
use crate::io::World;
use crate::io::judge::{JudgeServer, address};
use crate::io::post::check_url;
use crate::io::secrets::of_environment;
use crate::watchdog::grading::Grader;
use crate::watchdog::judge::question::Question;
use crate::watchdog::judge::reply::{self, Met};
use crate::watchdog::judge::{Came, DOUBLED_MAX, Pair, UNREADABLE, votes};
use crate::watchdog::judging::{Judge, PairOfAnswers};
use crate::watchdog::results::{Answer, ROUND_OF_BASELINE, Side, Vote};
use llm_canary_sets::judged::Criterion;
use serde_json::Value;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

/// The variable of the environment with the judge's key.
const KEY_VARIABLE: &str = "LLM_CANARY_JUDGE_KEY";

/// A model that judges.
#[derive(clap::Args)]
#[command(next_help_heading = "Judge")]
#[group(skip)]
pub(super) struct JudgeArgs {
    /// A server of chat completions that judges: which of both answers is better, and whether answers meet checks such as llm-rubric. The
    /// server, its /v1, or the whole address
    #[arg(long, value_name = "URL")]
    judge: Option<String>,
    /// The model that judges
    #[arg(long, value_name = "MODEL", requires = "judge")]
    judge_model: Option<String>,
    /// A file with the key of the judge's server
    #[arg(long, value_name = "FILE", requires = "judge")]
    judge_key_file: Option<PathBuf>,
}

/// Asks a server, and hands on what it says.
pub(super) struct ModelJudge<'w> {
    server: JudgeServer<'w>,
    grader: Grader,
}

impl JudgeArgs {
    /// The judge, if there is one.
    ///
    /// # Errors
    /// Its address, its model or its key is missing or wrong.
    pub(super) fn judge<'w>(
        &self,
        concurrency: usize,
        world: &World<'w>,
    ) -> Result<Option<ModelJudge<'w>>, Error> {
        let Some(url) = &self.judge else { return Ok(None) };
        // An address may hold a key, so it is not shown.
        check_url(url).map_err(|words| Error::refused(format!("--judge {words}")))?;
        let Some(model) = &self.judge_model else {
            return Err(Error::refused("--judge needs --judge-model, the name of the model that judges"));
        };
        let key = match &self.judge_key_file {
            Some(path) => Some(read_key(world, "--judge-key-file", path)?),
            None => of_environment(KEY_VARIABLE),
        };
        let headers = key.map(|key| ("authorization".to_owned(), format!("Bearer {key}")));
        let server = JudgeServer {
            post: world.post,
            clock: world.clock,
            random: world.random,
            address: address(url),
            model: model.clone(),
            headers: headers.into_iter().collect(),
            concurrency,
            takes_no_temperature: AtomicBool::new(false),
        };
        Ok(Some(ModelJudge { server, grader: Grader::new() }))
    }
}

impl Judge for ModelJudge<'_> {
    fn judge(
        &mut self,
        round: u32,
        pairs: &mut [PairOfAnswers<'_>],
        is_over: &dyn Fn() -> bool,
    ) -> Vec<Vote> {
        self.check(pairs, is_over);
        let mut pairs: Vec<Pair> = pairs.iter().filter_map(|pair| to_compare(round, pair)).collect();
        if round == ROUND_OF_BASELINE {
            let doubled: Vec<Pair> = pairs.iter().filter_map(Pair::doubled).take(DOUBLED_MAX).collect();
            pairs.extend(doubled);
        }
        votes(&pairs, &mut |questions| self.server.ask(questions, is_over))
    }
}

/// A pair as it is compared; `None` if one of the answers is not known.
fn to_compare(round: u32, pair: &PairOfAnswers<'_>) -> Option<Pair> {
    // Where only a check is not known, the answer is there.
    let is_there = |answer: &Answer| answer.unknown.is_none() || !answer.output.is_null();
    (is_there(pair.version) && is_there(pair.baseline)).then(|| Pair {
        round,
        set: pair.prompt.set.to_owned(),
        case: pair.prompt.case.name.clone(),
        prompt: pair.baseline.prompt,
        messages: pair.prompt.request.messages.clone(),
        version: pair.version.output.clone(),
        baseline: pair.baseline.output.clone(),
        reference: pair.prompt.case.reference.clone(),
        doubled: false,
    })
}

/// One criterion of one answer: the number of the pair, and the side.
struct Asked {
    pair: usize,
    side: Side,
    criterion: Criterion,
}

impl ModelJudge<'_> {
    /// Grades the answers whose checks need a judge.
    fn check(&self, pairs: &mut [PairOfAnswers<'_>], is_over: &dyn Fn() -> bool) {
        let mut asked = Vec::new();
        for (number, pair) in pairs.iter_mut().enumerate() {
            for side in [Side::Version, Side::Baseline] {
                let prompt = pair.prompt;
                let answer = of_side(pair, side);
                match self.grader.criteria(prompt, answer) {
                    Ok(criteria) => asked.extend(criteria.into_iter().map(|criterion| Asked {
                        pair: number,
                        side,
                        criterion,
                    })),
                    Err(why) => answer.unknown = Some(format!("check: {why}")),
                }
            }
        }
        let mut met: Vec<Result<Met, String>> = self.met(pairs, &asked.iter().collect::<Vec<_>>(), is_over);
        // Those that were lost are asked once more, after all others.
        let lost: Vec<usize> =
            met.iter().enumerate().filter(|(_, met)| met.is_err()).map(|(at, _)| at).collect();
        let again: Vec<&Asked> = lost.iter().filter_map(|at| asked.get(*at)).collect();
        for (at, again) in lost.iter().zip(self.met(pairs, &again, is_over)) {
            if let Some(met) = met.get_mut(*at) {
                *met = again;
            }
        }
        let mut said = asked.into_iter().zip(met).peekable();
        while let Some((first, met)) = said.next() {
            let (number, side) = (first.pair, first.side);
            let mut judged = vec![(first.criterion, met)];
            while let Some((next, met)) = said.next_if(|(next, _)| next.pair == number && next.side == side) {
                judged.push((next.criterion, met));
            }
            if let Some(pair) = pairs.get_mut(number) {
                let prompt = pair.prompt;
                self.grader.grade_judged(prompt, of_side(pair, side), &judged);
            }
        }
    }

    /// What the judge says of each criterion, or why nothing.
    fn met(
        &self,
        pairs: &[PairOfAnswers<'_>],
        asked: &[&Asked],
        is_over: &dyn Fn() -> bool,
    ) -> Vec<Result<Met, String>> {
        const NOTHING: &Value = &Value::Null;
        let question = |asked: &&Asked| {
            let pair = pairs.get(asked.pair);
            let answer = pair.map_or(NOTHING, |pair| match asked.side {
                Side::Version => &pair.version.output,
                Side::Baseline => &pair.baseline.output,
            });
            let messages = pair.map_or(&[] as &[Value], |pair| &pair.prompt.request.messages);
            // The words live in `asked`, which outlives the question.
            (messages, answer)
        };
        let questions: Vec<Question<'_>> = asked
            .iter()
            .map(|one| {
                let (messages, answer) = question(one);
                Question::Meets { messages, answer, criterion: &one.criterion }
            })
            .collect();
        let came = self.server.ask(&questions, is_over);
        came.into_iter()
            .map(|(_, came)| match came {
                Came::Reply(text) => reply::met(&text).ok_or_else(|| UNREADABLE.to_owned()),
                Came::Nothing(why) => Err(why),
            })
            .collect()
    }
}

fn of_side<'p>(pair: &'p mut PairOfAnswers<'_>, side: Side) -> &'p mut Answer {
    match side {
        Side::Version => pair.version,
        Side::Baseline => pair.baseline,
    }
}
