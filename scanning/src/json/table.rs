//! The paths that a reader wants, and what each means to it.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Deref;

use once_cell::race::OnceBox;

use super::tree::{PathTree, WantedPath};
use super::{DEPTH_MAX, SHORT_BYTES_MAX};
use crate::lazy::Lazy;

/// What a path means to a reader.
pub trait Field: Copy {
    /// Whether strings there are reported in pieces and at any length. If not, in one piece and cut.
    fn is_text(self) -> bool;

    /// Whether [`Value::Close`](super::Value::Close) follows the last piece of a text.
    fn wants_text_end(self) -> bool {
        false
    }

    /// Bits that mark the field; [`Table::marks`] has those of all fields.
    fn marks(self) -> u8 {
        0
    }

    /// Whether [`Value::Close`](super::Value::Close) also follows an object or array that is empty, if the table has no
    /// paths inside it.
    fn wants_empty(self) -> bool {
        false
    }
}

/// The paths a reader wants, and what each means.
///
/// A path is written as keys joined by `.`, with `[]` for each array: `choices[].delta.content`.
pub struct Table<F> {
    /// The paths. This does not depend on `F`, so the scanner is compiled only once.
    pub(super) tree: PathTree,
    /// What each path means, by [`WantedPath::index`].
    pub(super) fields: Vec<F>,
    is_complete: bool,
    marks: u8,
}

/// A table that is compiled at its first use.
pub type LazyTable<F> = Lazy<Table<F>>;

/// Paths, in parts that several lists may share, and what each means.
pub type Paths<F> = &'static [&'static [(&'static str, F)]];

/// A table with the paths that it is compiled of at its first use.
pub struct PathTable<F: 'static> {
    /// The paths.
    pub paths: Paths<F>,
    table: OnceBox<Table<F>>,
}

impl<F: Field> PathTable<F> {
    /// The table of these paths.
    pub const fn new(paths: Paths<F>) -> PathTable<F> {
        PathTable { paths, table: OnceBox::new() }
    }
}

impl<F: Field> Deref for PathTable<F> {
    type Target = Table<F>;

    fn deref(&self) -> &Table<F> {
        self.table.get_or_init(|| Box::new(Table::compile(&self.paths.concat())))
    }
}

impl<F: Field> Table<F> {
    fn empty() -> Table<F> {
        Table { tree: PathTree::default(), fields: Vec::new(), is_complete: true, marks: 0 }
    }

    /// Compiles paths. If a path is given twice, the first meaning counts. A path deeper than [`DEPTH_MAX`] is left
    /// out; see [`Table::is_complete`].
    pub fn compile(paths: &[(&str, F)]) -> Table<F> {
        let mut table = Table::empty();
        for &(path, field) in paths {
            let wanted = table.wanted(field);
            table.is_complete &= table.tree.add_path(path, wanted);
        }
        table
    }

    /// Whether no path was left out.
    pub fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// The marks of all fields.
    pub fn marks(&self) -> u8 {
        self.marks
    }

    /// Makes a table of one path, given as keys, which may have any characters. A path deeper than [`DEPTH_MAX`] is
    /// cut to that.
    pub fn of_keys<'k>(keys: impl IntoIterator<Item = &'k str>, field: F) -> Table<F> {
        let mut table = Table::empty();
        let wanted = table.wanted(field);
        table.tree.add_keys(&mut keys.into_iter().take(DEPTH_MAX), wanted);
        table
    }

    /// Compiles JSON pointers (RFC 6901), each given as its keys. A key that is a number matches an object's key
    /// and an array's index. If a pointer is given twice, the first meaning counts. A pointer is left out if it is
    /// deeper than [`DEPTH_MAX`] or has a key longer than [`SHORT_BYTES_MAX`].
    pub fn of_pointers<'k>(pointers: impl IntoIterator<Item = (&'k [String], F)>) -> Table<F> {
        let mut table = Table::empty();
        for (keys, field) in pointers {
            if keys.len() > DEPTH_MAX || keys.iter().any(|key| key.len() > SHORT_BYTES_MAX) {
                table.is_complete = false;
                continue;
            }
            let wanted = table.wanted(field);
            table.tree.add_pointer(keys, wanted);
        }
        table
    }

    fn wanted(&mut self, field: F) -> WantedPath {
        self.marks |= field.marks();
        let index = u16::try_from(self.fields.len()).unwrap_or(u16::MAX);
        self.fields.push(field);
        WantedPath {
            index,
            is_text: field.is_text(),
            wants_text_end: field.wants_text_end(),
            wants_empty: field.wants_empty(),
        }
    }
}
