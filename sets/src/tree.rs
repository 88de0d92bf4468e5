//! Files of a set: what a reference in it leads to.
//!
//! A set says which files it needs; the caller reads them ([`Neighbours`]). A reference stays within the folder of its set, and
//! its subfolders, unless the caller allows more. All that is read counts against limits.

mod glob;
#[cfg(test)]
mod tests;

use crate::limits::{FILE_BYTES_MAX, FILES_MAX, SET_BYTES_MAX};
use std::cell::Cell;

/// A name in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name, without its folder.
    pub name: String,
    /// Whether it is a folder.
    pub is_folder: bool,
}

/// Why a file cannot be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// There is none.
    Missing,
    /// It is outside of the folder that a set may read.
    Outside,
    /// It has more than [`FILE_BYTES_MAX`] bytes.
    TooLarge,
    /// Something else, as a sentence without its subject.
    Because(String),
}

impl Unreadable {
    /// A sentence without its subject.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Missing => "does not exist".to_owned(),
            Self::Outside => {
                "is outside of the set's folder; --allow-outside reads it all the same".to_owned()
            }
            Self::TooLarge => format!("is larger than {} MiB", FILE_BYTES_MAX >> 20),
            Self::Because(words) => words.clone(),
        }
    }
}

/// Reads files near a set. Paths are relative to the set's folder, with `/`; `..` leads out of it.
///
/// `within` is the folder that the file must be in, once links are followed; `None` is anywhere.
pub trait Neighbours {
    /// All bytes of a file, of which there are at most [`FILE_BYTES_MAX`].
    ///
    /// # Errors
    /// The file cannot be had.
    fn read(&self, path: &str, within: Option<&str>) -> Result<Vec<u8>, Unreadable>;

    /// What a folder holds, in any order.
    ///
    /// # Errors
    /// The folder cannot be read.
    fn list(&self, folder: &str, within: Option<&str>) -> Result<Vec<Entry>, Unreadable>;
}

/// The files of one set.
pub struct Tree<'a> {
    neighbours: &'a dyn Neighbours,
    may_leave: bool,
    files: Cell<usize>,
    bytes: Cell<usize>,
}

impl<'a> Tree<'a> {
    /// `may_leave`: references may lead out of the set's folder.
    #[must_use]
    pub fn new(neighbours: &'a dyn Neighbours, may_leave: bool) -> Self {
        Self { neighbours, may_leave, files: Cell::new(0), bytes: Cell::new(0) }
    }

    /// The text of the file that a reference in `folder` leads to.
    ///
    /// # Errors
    /// A sentence without its subject.
    pub fn text(&self, folder: &str, reference: &str) -> Result<String, String> {
        let bytes = self.bytes(folder, reference)?;
        utf8(bytes)
    }

    /// The bytes of the file that a reference in `folder` leads to.
    ///
    /// # Errors
    /// A sentence without its subject.
    pub fn bytes(&self, folder: &str, reference: &str) -> Result<Vec<u8>, String> {
        let path = self.path(folder, reference).map_err(|error| error.words())?;
        self.read(&path, self.within())
    }

    /// As [`Tree::text`], of a file that the format itself puts elsewhere: it must be within `within`.
    ///
    /// # Errors
    /// A sentence without its subject.
    pub(crate) fn text_of_format(&self, path: &str, within: &str) -> Result<String, String> {
        self.read(path, (!self.may_leave).then_some(within)).and_then(utf8)
    }

    /// The names in a folder that the format itself puts elsewhere, in order.
    pub(crate) fn names_of_format(&self, folder: &str, within: &str) -> Vec<String> {
        let listed = self.neighbours.list(folder, (!self.may_leave).then_some(within)).unwrap_or_default();
        let mut names: Vec<String> =
            listed.into_iter().filter(|e| !e.is_folder).map(|e| e.name).take(FILES_MAX).collect();
        names.sort();
        names
    }

    /// Whether there is such a file.
    #[must_use]
    pub fn has(&self, folder: &str, reference: &str) -> bool {
        let Ok(path) = self.path(folder, reference) else { return false };
        let (above, name) = split(&path);
        let listed = self.neighbours.list(above, self.within()).unwrap_or_default();
        listed.iter().any(|entry| entry.name == name && !entry.is_folder)
    }

    /// The files that a pattern matches, in order; a folder stands for what is in it.
    ///
    /// # Errors
    /// A sentence without its subject.
    pub fn matching(&self, folder: &str, pattern: &str) -> Result<Vec<String>, String> {
        let path = self.path(folder, pattern).map_err(|error| error.words())?;
        let mut left = FILES_MAX;
        let mut found = Vec::new();
        for pattern in glob::alternatives(&path)? {
            let parts: Vec<&str> = pattern.split('/').collect();
            self.walk("", &parts, &mut left, &mut found)?;
        }
        found.sort();
        found.dedup();
        Ok(found)
    }

    fn walk(
        &self,
        folder: &str,
        parts: &[&str],
        left: &mut usize,
        found: &mut Vec<String>,
    ) -> Result<(), String> {
        let Some((first, rest)) = parts.split_first() else { return Ok(()) };
        if matches!(*first, ".." | "") || (!glob::is_pattern(first) && !rest.is_empty()) {
            return self.walk(&join(folder, first), rest, left, found);
        }
        let listed = self.neighbours.list(folder, self.within()).unwrap_or_default();
        for entry in listed {
            *left = left.checked_sub(1).ok_or_else(|| format!("looks at more than {FILES_MAX} files"))?;
            let path = join(folder, &entry.name);
            if *first == "**" {
                if entry.is_folder && !entry.name.starts_with('.') {
                    self.walk(&path, parts, left, found)?;
                }
            } else if glob::matches(first, &entry.name) {
                if rest.is_empty() && !entry.is_folder {
                    found.push(path);
                } else if !rest.is_empty() && entry.is_folder {
                    self.walk(&path, rest, left, found)?;
                }
            }
        }
        if *first == "**" {
            // `**` is also no folder at all.
            self.walk(folder, if rest.is_empty() { &["*"] } else { rest }, left, found)?;
        }
        Ok(())
    }

    fn within(&self) -> Option<&'static str> {
        (!self.may_leave).then_some("")
    }

    fn read(&self, path: &str, within: Option<&str>) -> Result<Vec<u8>, String> {
        let files = self.files.get().saturating_add(1);
        if files > FILES_MAX {
            return Err(format!("is one file too many: the set reads more than {FILES_MAX}"));
        }
        let bytes = self.neighbours.read(path, within).map_err(|error| error.words())?;
        let total = self.bytes.get().saturating_add(bytes.len());
        if bytes.len() > FILE_BYTES_MAX {
            return Err(Unreadable::TooLarge.words());
        }
        if total > SET_BYTES_MAX {
            return Err(format!(
                "is too much: the files of the set have more than {} MiB",
                SET_BYTES_MAX >> 20
            ));
        }
        self.files.set(files);
        self.bytes.set(total);
        Ok(bytes)
    }

    /// A reference as a path without `.` and, where it can be, without `..`.
    fn path(&self, folder: &str, reference: &str) -> Result<String, Unreadable> {
        let reference = reference.strip_prefix("file://").unwrap_or(reference);
        if reference.contains('\0') {
            return Err(Unreadable::Missing);
        }
        if reference.starts_with(['/', '\\']) || reference.get(1..3) == Some(":\\") {
            return if self.may_leave { Ok(reference.to_owned()) } else { Err(Unreadable::Outside) };
        }
        let path = join(folder, reference);
        if path.split('/').next() == Some("..") && !self.may_leave {
            return Err(Unreadable::Outside);
        }
        Ok(path)
    }
}

/// The folder and the name of a path.
pub(crate) fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

/// A path below a folder, without `.` and, where it can be, without `..`.
pub(crate) fn join(folder: &str, path: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/').filter(|part| !matches!(*part, "" | ".")) {
        if part == ".." && parts.last().is_some_and(|last| *last != "..") {
            parts.pop();
        } else {
            parts.push(part);
        }
    }
    let joined = parts.join("/");
    if folder.starts_with('/') { format!("/{joined}") } else { joined }
}

fn utf8(bytes: Vec<u8>) -> Result<String, String> {
    let text = String::from_utf8(bytes).map_err(|_| "is not text in UTF-8".to_owned())?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}
