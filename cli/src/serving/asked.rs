//! Which verdict is asked for: `?rollout=NAME&version=NAME`, both optional.

use super::Reply;
use super::view::{Found, Moment, View};
use llm_canary_verdict::verdict::Verdict;
use serde_json::{Value, json};

/// What a query names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Asked {
    rollout: Option<String>,
    version: Option<String>,
}

/// The versions that are meant.
pub(super) struct Chosen<'a> {
    found: Vec<&'a Found>,
    /// The object of a version that is not judged yet, where none is.
    empty: Value,
    trouble: Option<String>,
    /// Why none is judged.
    idle: String,
}

impl Asked {
    /// Reads a query.
    ///
    /// # Errors
    /// It names something else, or the same twice: an answer to another question would be taken for this one's.
    pub(super) fn parse(query: &str) -> Result<Self, Reply> {
        let mut asked = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let place = match name.as_ref() {
                "rollout" => &mut asked.rollout,
                "version" => &mut asked.version,
                _ => {
                    return Err(Reply::refused(
                        400,
                        "the query may have rollout= and version=, and nothing else",
                    ));
                }
            };
            if place.replace(value.into_owned()).is_some() {
                return Err(Reply::refused(400, "the query has a name twice"));
            }
        }
        Ok(asked)
    }

    /// Finds the versions that are meant.
    ///
    /// # Errors
    /// There is no such rollout or version.
    pub(super) fn choose<'a>(&self, view: &'a View, moment: Moment) -> Result<Chosen<'a>, Reply> {
        if let (Some(asked), Some(rollout)) = (&self.rollout, &view.rollout)
            && asked != rollout
        {
            return Err(unknown("rollout", asked, &[rollout]));
        }
        let is_meant =
            |found: &&Found| self.version.as_ref().is_none_or(|name| *name == found.analysis.version);
        let found: Vec<&Found> = view.found.iter().filter(is_meant).collect();
        if let (Some(asked), true) = (&self.version, found.is_empty()) {
            if view.found.iter().any(|found| found.analysis.baseline == *asked) {
                let words = format!("version {asked:?} is the baseline, which the others are compared with");
                return Err(Reply::refused(404, &words));
            }
            // Where nothing says which versions there are, it may still come.
            if let Some(versions) = &view.versions
                && !versions.contains(asked)
            {
                return Err(unknown("version", asked, &versions.iter().collect::<Vec<&String>>()));
            }
        }
        let trouble = view.trouble(moment);
        let nothing_yet = || view.idle.clone().unwrap_or_else(|| "nothing was seen yet".to_owned());
        let not_judged = || match &self.version {
            Some(version) if !view.found.is_empty() => {
                format!("version {version:?} has no share and no requests yet, and is not judged")
            }
            _ => nothing_yet(),
        };
        let idle = trouble.clone().unwrap_or_else(not_judged);
        let rollout = view.rollout.as_ref().or(self.rollout.as_ref());
        let empty = empty(rollout.map(String::as_str), self.version.as_deref(), &idle);
        Ok(Chosen { found, empty, trouble, idle })
    }
}

impl Chosen<'_> {
    /// One version: its object. Several: a list of them.
    pub(super) fn value(&self) -> Value {
        let trouble = self.trouble.as_deref();
        match self.found.as_slice() {
            [] => self.empty.clone(),
            [only] => only.value(trouble),
            several => several.iter().map(|found| found.value(trouble)).collect(),
        }
    }

    /// Of several versions the worst verdict counts.
    pub(super) fn worst(&self) -> Verdict {
        let verdicts = self.found.iter().map(|found| found.verdict(self.trouble.as_deref()));
        let rank = |verdict: &Verdict| match verdict {
            Verdict::Fine => 0,
            Verdict::NotEnoughData => 1,
            Verdict::Regression => 2,
        };
        verdicts.max_by_key(rank).unwrap_or(Verdict::NotEnoughData)
    }

    /// Why, of those that have the worst verdict.
    pub(super) fn because(&self) -> Vec<String> {
        if self.found.is_empty() {
            return vec![self.idle.clone()];
        }
        let (worst, trouble) = (self.worst(), self.trouble.as_deref());
        let worst = self.found.iter().filter(|found| found.verdict(trouble) == worst);
        worst.flat_map(|found| found.because(trouble)).collect()
    }
}

fn unknown(what: &str, asked: &str, known: &[&String]) -> Reply {
    let names: Vec<&str> = known.iter().map(|name| name.as_str()).collect();
    Reply::refused(404, &format!("there is no {what} {asked:?}; {}", crate::suggest::suggest(asked, &names)))
}

/// The verdict about a version of which nothing is known.
fn empty(rollout: Option<&str>, version: Option<&str>, why: &str) -> Value {
    json!({
        "rollout": rollout,
        "version": version,
        "baseline": null,
        "verdict": Verdict::NotEnoughData.name(),
        "since": null,
        "until": null,
        "windows": 0,
        "missing_windows": 0,
        "requests": {"version": 0, "baseline": 0},
        "share": {"configured": null, "observed": null, "log_e": null},
        "signals": [],
        "health": [],
        "because": [why],
    })
}
