//! The errors of a configuration, each with its path.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// Errors that are kept. Further ones are only counted.
pub const ERRORS_MAX: usize = 100;

/// An error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// The path of the wrong value, such as `rollouts[0].split`; empty for the whole configuration. There is no line
    /// number, because Envoy gives the filter its configuration in one line.
    pub path: String,
    /// What is wrong and what to write instead.
    pub message: String,
}

/// All errors of a configuration. An `Err` contains at least one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Errors {
    list: Vec<Error>,
    left_out: usize,
}

impl Errors {
    /// The errors, in the order of the configuration; at most [`ERRORS_MAX`].
    pub fn iter(&self) -> core::slice::Iter<'_, Error> {
        self.list.iter()
    }

    /// How many errors were only counted.
    #[must_use]
    pub fn left_out(&self) -> usize {
        self.left_out
    }

    /// A single error.
    #[must_use]
    pub fn one(path: impl Into<String>, message: impl Into<String>) -> Self {
        let mut errors = Self::default();
        errors.push(path, message);
        errors
    }

    pub(super) fn push(&mut self, path: impl Into<String>, message: impl Into<String>) {
        if self.is_full() {
            self.left_out = self.left_out.saturating_add(1);
        } else {
            self.list.push(Error { path: path.into(), message: message.into() });
        }
    }

    /// Whether further errors are only counted.
    pub(super) fn is_full(&self) -> bool {
        self.list.len() >= ERRORS_MAX
    }

    /// How many errors there are, with those that were only counted.
    pub(super) fn count(&self) -> usize {
        self.list.len().saturating_add(self.left_out)
    }
}

impl<'a> IntoIterator for &'a Errors {
    type Item = &'a Error;
    type IntoIter = core::slice::Iter<'a, Error>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.path.is_empty() { "configuration" } else { &self.path };
        write!(f, "{path}: {}", self.message)
    }
}

/// One error per line.
impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, error) in self.list.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{error}")?;
        }
        if self.left_out > 0 {
            write!(f, "\nand {} more errors; correct these first", self.left_out)?;
        }
        Ok(())
    }
}

impl core::error::Error for Error {}
impl core::error::Error for Errors {}
