//! What `analyze`, `status`, `serve` and `report` share: which versions are judged, and what is found as windows come.

use super::feed::{Feed, Next, Pairs};
use super::input::{read_config, read_policy};
use crate::analysis::{Analysis, Judging};
use crate::error::Error;
use crate::io::World;
use crate::page::{self, Track, points_max};
use crate::subject::{Named, Subject};
use crate::time_args::{millis, parse_duration};
use llm_canary::config::Config;
use llm_canary::timestamp::{UnixMs, parse_rfc3339};
use llm_canary_verdict::policy::{Goal, Policy};
use llm_canary_verdict::window::Window;
use std::path::{Path, PathBuf};

/// What is judged.
#[derive(clap::Args, Debug, Default)]
pub(super) struct SubjectArgs {
    /// The file with the configuration in force, in any format that `check` reads: it tells the baseline, the versions, and the
    /// steps
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// The rollout; needed where there are several
    #[arg(long, value_name = "NAME")]
    rollout: Option<String>,
    /// A version to judge; may be repeated [default: those with a share in FILE, else those with requests]
    #[arg(long = "version", value_name = "VERSION")]
    versions: Vec<String>,
    /// The version to compare with [default: FILE's, else the version with most requests]
    #[arg(long, value_name = "VERSION")]
    baseline: Option<String>,
    /// Judge from this time on: RFC 3339, or 2h for two hours ago [default: when the version last rose from 0 %, as FILE says,
    /// else all there is]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    since: Option<String>,
    /// A policy; `llm-canary policy` prints the default
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
}

/// Versions that are being judged.
pub(super) struct Judged {
    pairs: Pairs,
    judgings: Vec<Judging>,
    /// What was found over time, of each version, if a page is to show it.
    tracks: Option<Vec<Track>>,
}

impl SubjectArgs {
    pub(super) fn policy(&self, world: &World<'_>) -> Result<Policy, Error> {
        read_policy(world, self.policy.as_deref())
    }

    pub(super) fn config(&self, world: &mut World<'_>) -> Result<Option<Config>, Error> {
        self.file.as_deref().map(|file| read_config(world, file)).transpose()
    }

    /// The file with the configuration, if there is one.
    pub(super) fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// The name of the file with the configuration, if there is one.
    pub(super) fn file_name(&self) -> Option<String> {
        self.file.as_ref().map(|file| file.display().to_string())
    }

    /// When the evidence begins, as the operator says.
    pub(super) fn since(&self, now: UnixMs) -> Result<Option<UnixMs>, Error> {
        let parse = |text: &String| {
            let ago = parse_duration(text).ok().map(|ago| now.saturating_sub(millis(ago)));
            parse_rfc3339(text).or(ago).ok_or_else(|| {
                Error::refused(format!(
                    "--since {text:?} is not a time; write RFC 3339 such as 2026-11-23T09:00:00Z, or how long ago, such as 2h"
                ))
            })
        };
        self.since.as_ref().map(parse).transpose()
    }

    /// When the evidence that is wanted begins, as far as that is known before it is read; `None`: all there is.
    pub(super) fn begins(&self, config: Option<&Config>, now: UnixMs) -> Result<Option<UnixMs>, Error> {
        let since = self.since(now)?;
        let Some(config) = config.filter(|_| since.is_none()) else { return Ok(since) };
        // Names that only the evidence has are looked for there.
        let Ok(subject) = Subject::choose(&self.named(None), Some(config), &[], now) else { return Ok(None) };
        let begins: Option<Vec<i64>> =
            subject.candidates.iter().map(|candidate| candidate.since_ms).collect();
        Ok(begins.and_then(|begins| u64::try_from(begins.into_iter().min()?).ok()))
    }

    /// The rollout that is judged, as far as that is known before the evidence is read.
    pub(super) fn rollout<'a>(&'a self, config: Option<&'a Config>) -> Option<&'a str> {
        let only = || match config?.rollouts.as_slice() {
            [only] => Some(only.name.as_str()),
            _ => None,
        };
        self.rollout.as_deref().or_else(only)
    }

    pub(super) fn named(&self, since: Option<UnixMs>) -> Named {
        Named {
            rollout: self.rollout.clone(),
            baseline: self.baseline.clone(),
            versions: self.versions.clone(),
            since_ms: since.map(|since| i64::try_from(since).unwrap_or(i64::MAX)),
        }
    }
}

impl Judged {
    /// Chooses what is judged. With a goal it is asked which version is better.
    pub(super) fn choose(
        args: &SubjectArgs,
        config: Option<&Config>,
        policy: &Policy,
        goal: Option<&Goal>,
        feed: &dyn Feed,
        world: &mut World<'_>,
    ) -> Result<Self, Error> {
        let now = world.clock.now();
        let named = args.named(args.since(now)?);
        let subject = Subject::choose(&named, config, &feed.seen(), now).map_err(Error::refused)?;
        Ok(Self::new(&subject, policy, goal, world))
    }

    /// Nothing seen yet.
    pub(super) fn new(
        subject: &Subject,
        policy: &Policy,
        goal: Option<&Goal>,
        world: &mut World<'_>,
    ) -> Self {
        let baseline = &subject.baseline;
        if subject.is_baseline_guessed {
            world.say(&format!(
                "note: {baseline} is taken for the baseline, because it has the most requests; if it is another, say so with --baseline, \
                 or give the file with the configuration"
            ));
        }
        let judging = |candidate| Judging::new(subject, candidate, policy, goal);
        let judgings = subject.candidates.iter().map(judging).collect();
        let versions = subject.candidates.iter().map(|candidate| candidate.version.clone()).collect();
        let pairs = Pairs { rollout: subject.rollout.clone(), baseline: baseline.clone(), versions };
        Self { pairs, judgings, tracks: None }
    }

    /// Follows over time what is found, for a page.
    pub(super) fn with_tracks(mut self) -> Self {
        let count = self.judgings.len();
        self.tracks = Some(vec![Track::new(points_max(count)); count]);
        self
    }

    /// Follows what the configuration and the evidence say now: versions that come are judged from now on, those that begin again
    /// are judged anew, and those that have gone stay, because their verdict may still be asked for.
    pub(super) fn follow(&mut self, subject: &Subject, policy: &Policy) {
        if subject.rollout != self.pairs.rollout || subject.baseline != self.pairs.baseline {
            self.judgings.clear();
            self.tracks.iter_mut().for_each(Vec::clear);
            self.pairs = Pairs {
                rollout: subject.rollout.clone(),
                baseline: subject.baseline.clone(),
                versions: Vec::new(),
            };
        }
        for candidate in &subject.candidates {
            let place = self.pairs.versions.iter().position(|version| *version == candidate.version);
            let judging = Judging::new(subject, candidate, policy, None);
            let known = place.and_then(|place| self.judgings.get_mut(place));
            match (known, &candidate.steps) {
                (None, _) => {
                    self.pairs.versions.push(candidate.version.clone());
                    self.judgings.push(judging);
                    let points = points_max(self.judgings.len());
                    if let Some(tracks) = &mut self.tracks {
                        tracks.iter_mut().for_each(|track| track.limit(points));
                        tracks.push(Track::new(points));
                    }
                }
                (Some(known), _) if known.candidate().since_ms != candidate.since_ms => {
                    *known = judging;
                    let track = place.and_then(|place| self.tracks.as_mut()?.get_mut(place));
                    if let Some(track) = track {
                        *track = Track::new(points_max(self.pairs.versions.len()));
                    }
                }
                (Some(known), Some(steps)) if known.candidate().steps.as_ref() != Some(steps) => {
                    known.set_steps(steps.clone());
                }
                (Some(_), _) => {}
            }
        }
    }

    /// The baseline.
    pub(super) fn baseline(&self) -> &str {
        &self.pairs.baseline
    }

    /// Takes in the windows that have closed, and does not wait.
    pub(super) fn take(&mut self, feed: &mut dyn Feed, world: &mut World<'_>) -> Result<Next, Error> {
        let (judgings, tracks) = (&mut self.judgings, &mut self.tracks);
        feed.take(world, &self.pairs, &mut |pair, window| push(judgings, tracks, pair, window))
    }

    /// Takes in the next windows.
    pub(super) fn next(&mut self, feed: &mut dyn Feed, world: &mut World<'_>) -> Result<Next, Error> {
        let (judgings, tracks) = (&mut self.judgings, &mut self.tracks);
        feed.next(world, &self.pairs, &mut |pair, window| push(judgings, tracks, pair, window))
    }

    pub(super) fn rollout(&self) -> &str {
        &self.pairs.rollout
    }

    /// What is found about each version by now.
    pub(super) fn analyses(&self, feed: &dyn Feed, world: &World<'_>) -> Vec<Analysis> {
        let look = feed.look(&self.pairs.rollout, world);
        self.judgings.iter().map(|judging| judging.analysis(&look)).collect()
    }

    /// The same for a page, with what was found over time.
    pub(super) fn found(&self, analyses: &[Analysis]) -> Vec<page::Found> {
        let tracks = self.tracks.as_deref().unwrap_or_default();
        let each = analyses.iter().zip(&self.judgings).zip(tracks);
        each.map(|((analysis, judging), track)| page::Found::new(analysis.clone(), judging, track)).collect()
    }
}

/// Takes in a window of one version.
fn push(judgings: &mut [Judging], tracks: &mut Option<Vec<Track>>, pair: usize, window: &Window) {
    let Some(judging) = judgings.get_mut(pair).filter(|judging| judging.takes(window)) else { return };
    judging.push(window);
    if let Some(track) = tracks.as_mut().and_then(|tracks| tracks.get_mut(pair)) {
        track.push(window, judging.judge());
    }
}
