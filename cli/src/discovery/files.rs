//! The files as they change: bytes of each look → what is served, and what is worth a word.
//!
//! A good text is taken at once. What is wrong with a text is said when it stands there at two looks, because somebody may be
//! writing it. What was good before is served meanwhile.

use super::offer::{Offer, OfferedFile};
use super::resources::{Resource, read};

/// Every file.
#[derive(Debug, Default)]
pub(crate) struct Files {
    files: Vec<File>,
}

#[derive(Debug, Default)]
struct File {
    served: OfferedFile,
    /// What was judged last, beside which other names; and what is wrong and may be half written.
    judged: Option<(Look, Others)>,
    doubted: Option<Look>,
    /// The warnings that were said last.
    warnings: Vec<String>,
}

/// The bytes of a file, or why they cannot be read.
pub(crate) type Look = Result<Vec<u8>, String>;

/// The other files, and the names of their resources.
type Others = Vec<(String, Vec<String>)>;

/// What is worth a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// These resources are served from now on: the name and the version of each that is new.
    Serves {
        file: String,
        resources: Vec<(String, String)>,
    },
    /// A text that is not served, and each mistake in it.
    Refused {
        file: String,
        errors: Vec<String>,
        serves_old: bool,
    },
    /// A resource is in no text any more.
    Dropped {
        file: String,
        resource: String,
    },
    /// The text is again what is served.
    Mended {
        file: String,
    },
    Warning(String),
}

impl Files {
    /// Files with these names, of which nothing is known.
    pub(crate) fn new(names: impl Iterator<Item = String>) -> Self {
        let file = |name| File { served: OfferedFile { name, ..OfferedFile::default() }, ..File::default() };
        Self { files: names.map(file).collect() }
    }

    /// Takes in what one file holds now.
    pub(crate) fn look(&mut self, index: usize, look: Look) -> Vec<News> {
        let others = self.names_of_others(index);
        let Some(file) = self.files.get_mut(index) else { return Vec::new() };
        if file.judged.as_ref().is_some_and(|(text, beside)| *text == look && *beside == others) {
            file.doubted = None;
            return Vec::new();
        }
        match judge(&file.served.name, &look, &others) {
            Ok((resources, warnings)) => file.take((look, others), resources, warnings),
            Err(errors) => file.doubt((look, others), errors),
        }
    }

    /// What is served now.
    pub(crate) fn offer(&self) -> Offer {
        Offer { files: self.files.iter().map(|file| file.served.clone()).collect() }
    }

    /// The names of the resources of the other files.
    fn names_of_others(&self, index: usize) -> Others {
        let others = self.files.iter().enumerate().filter(|(other, _)| *other != index);
        let names = |file: &File| file.served.resources.iter().map(|one| one.name.clone()).collect();
        others.map(|(_, file)| (file.served.name.clone(), names(file))).collect()
    }
}

impl File {
    fn take(&mut self, judged: (Look, Others), resources: Vec<Resource>, warnings: Vec<String>) -> Vec<News> {
        let was_refused = self.served.error.take().is_some();
        let is_old = |new: &&Resource| self.served.resources.contains(new);
        let changed = resources.iter().filter(|new| !is_old(new));
        let changed: Vec<_> = changed.map(|new| (new.name.clone(), new.version.clone())).collect();
        let is_gone = |old: &&Resource| !resources.iter().any(|new| new.name == old.name);
        let gone: Vec<String> =
            self.served.resources.iter().filter(is_gone).map(|old| old.name.clone()).collect();
        (self.served.resources, self.judged, self.doubted) = (resources, Some(judged), None);
        let mut news = Vec::new();
        if self.warnings != warnings {
            news.extend(warnings.iter().cloned().map(News::Warning));
            self.warnings = warnings;
        }
        let file = self.served.name.clone();
        let is_same = changed.is_empty() && gone.is_empty();
        news.extend(gone.into_iter().map(|resource| News::Dropped { file: file.clone(), resource }));
        if !changed.is_empty() {
            news.push(News::Serves { file, resources: changed });
        } else if is_same && was_refused {
            news.push(News::Mended { file });
        }
        news
    }

    fn doubt(&mut self, judged: (Look, Others), errors: Vec<String>) -> Vec<News> {
        let serves_old = !self.served.resources.is_empty();
        // Before the first good one there is nothing that it could be a half of.
        if serves_old && self.doubted.as_ref() != Some(&judged.0) {
            self.doubted = Some(judged.0);
            return Vec::new();
        }
        let first = errors.first().cloned().unwrap_or_default();
        let more = errors.len().saturating_sub(1);
        let more = if more > 0 { format!(" (and {more} more)") } else { String::new() };
        let was = self.served.error.replace(first + &more);
        (self.judged, self.doubted) = (Some(judged), None);
        if was == self.served.error {
            return Vec::new();
        }
        vec![News::Refused { file: self.served.name.clone(), errors, serves_old }]
    }
}

fn judge(name: &str, look: &Look, others: &Others) -> Result<(Vec<Resource>, Vec<String>), Vec<String>> {
    let bytes = look.as_ref().map_err(|words| vec![format!("{name}: {words}")])?;
    let lines =
        |error: crate::error::Error| error.problems().iter().map(ToString::to_string).collect::<Vec<_>>();
    let (resources, warnings) = read(name, bytes).map_err(lines)?;
    let twice = |resource: &Resource| {
        let (other, _) = others.iter().find(|(_, names)| names.contains(&resource.name))?;
        Some(format!(
            "{name}: has the resource {:?}, which {other} has, too; serve one of them",
            resource.name
        ))
    };
    let twice: Vec<String> = resources.iter().filter_map(twice).collect();
    if twice.is_empty() { Ok((resources, warnings)) } else { Err(twice) }
}
