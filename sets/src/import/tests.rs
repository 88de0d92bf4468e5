//! Small sets of our own, one for each format and for what is special in it; and sets that mean harm.

mod formats;
mod hostile;
mod promptfoo;

use super::{Source, read};
use crate::report::{Report, report};
use crate::request;
use crate::set::{Counts, Set};
use crate::template::{NoVariables, Variables};
use crate::tree::{Entry, Neighbours, Tree, Unreadable};
use serde_json::Value;
use std::sync::Arc;

/// Files in memory: path and text.
struct Files(Vec<(&'static str, String)>);

impl Neighbours for Files {
    fn read(&self, path: &str, _: Option<&str>) -> Result<Vec<u8>, Unreadable> {
        let found = self.0.iter().find(|(name, _)| *name == path);
        found.map(|(_, text)| text.clone().into_bytes()).ok_or(Unreadable::Missing)
    }

    fn list(&self, folder: &str, _: Option<&str>) -> Result<Vec<Entry>, Unreadable> {
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let below = self.0.iter().filter_map(|(file, _)| file.strip_prefix(prefix.as_str()));
        Ok(below
            .map(|rest| match rest.split_once('/') {
                Some((name, _)) => Entry { name: name.to_owned(), is_folder: true },
                None => Entry { name: rest.to_owned(), is_folder: false },
            })
            .collect())
    }
}

/// Reads the set `path` whose text this is, with these files beside it.
fn import(path: &str, text: &str, beside: &[(&'static str, &str)]) -> Result<(Set, Files), String> {
    let files = Files(beside.iter().map(|(name, text)| (*name, (*text).to_owned())).collect());
    let tree = Tree::new(&files, false);
    let process: Arc<dyn Variables> = Arc::new(NoVariables);
    let set = read(text.as_bytes(), &Source { path, tree: &tree, process: &process })?;
    Ok((set, files))
}

fn figures(path: &str, text: &str, beside: &[(&'static str, &str)]) -> Report {
    report(&import(path, text, beside).unwrap().0).unwrap()
}

/// The messages of every request, as JSON; words in place of one that cannot be made.
fn messages(path: &str, text: &str, beside: &[(&'static str, &str)]) -> Vec<Value> {
    let (set, files) = import(path, text, beside).unwrap();
    let tree = Tree::new(&files, false);
    let made = (0..set.cases.len()).flat_map(|case| request::of_case(&set, case, &tree));
    made.map(|made| {
        made.map_or_else(|unmade| Value::from(unmade.words), |request| Value::from(request.messages))
    })
    .collect()
}

fn counts(pairs: &[(&str, u64)]) -> Counts {
    pairs.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
}
