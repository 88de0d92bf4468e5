//! What is wrong with a configuration: every error at once, each with its path.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// Errors that are kept; any beyond are only counted.
pub const ERRORS_MAX: usize = 100;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// Where: `rollouts[0].split`. Empty for the whole configuration. Envoy hands the filter its
    /// configuration as one line, so the path is the location.
    pub path: String,
    /// What was found and what to write instead.
    pub message: String,
}

/// Everything that is wrong; never empty where it is returned.
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

    /// How many more there are.
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

    /// How many there are, with those that are only counted.
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

/// One error a line.
impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, error) in self.list.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{error}")?;
        }
        if self.left_out > 0 {
            write!(f, "\nand {} more errors; mend these first", self.left_out)?;
        }
        Ok(())
    }
}

impl core::error::Error for Error {}
impl core::error::Error for Errors {}
