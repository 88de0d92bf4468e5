//! Paths and what each means to its reader.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Deref;

use once_cell::race::OnceBox;

use super::tree::{Tree, What};
use super::{DEPTH_MAX, SHORT_BYTES_MAX};

/// What a path means to its reader.
pub trait Field: Copy {
    /// Whether strings there are wanted piece by piece, of any length, or whole and short.
    fn is_text(self) -> bool;

    /// Whether a text's last piece is followed by [`Value::Close`](super::Value::Close).
    fn wants_text_end(self) -> bool {
        false
    }
}

/// The paths a reader wants, and what each means.
///
/// A path is keys joined by `.`, with `[]` for each array: `choices[].delta.content`.
pub struct Table<F> {
    /// What the scanner walks along; the same code for every kind of field.
    pub(super) tree: Tree,
    /// What the places of the tree mean.
    pub(super) fields: Vec<F>,
    is_complete: bool,
}

/// A table that is compiled when it is first used.
pub struct LazyTable<F> {
    table: OnceBox<Table<F>>,
    compile: fn() -> Table<F>,
}

impl<F> LazyTable<F> {
    /// The table that `compile` makes.
    pub const fn new(compile: fn() -> Table<F>) -> LazyTable<F> {
        LazyTable { table: OnceBox::new(), compile }
    }
}

impl<F> Deref for LazyTable<F> {
    type Target = Table<F>;

    fn deref(&self) -> &Table<F> {
        self.table.get_or_init(|| Box::new((self.compile)()))
    }
}

impl<F: Field> Table<F> {
    fn empty() -> Table<F> {
        Table { tree: Tree::default(), fields: Vec::new(), is_complete: true }
    }

    /// Compiles paths. A path that stands twice keeps its first meaning; one deeper than
    /// [`DEPTH_MAX`] is left out (a test over all tables sees to it that there is none).
    pub fn compile(paths: &[(&'static str, F)]) -> Table<F> {
        let mut table = Table::empty();
        for &(path, field) in paths {
            let what = table.what(field);
            table.is_complete &= table.tree.add_path(path, what);
        }
        table
    }

    /// Whether all paths are in it.
    pub fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// Whether a path means something of which this is true.
    pub fn has(&self, is_wanted: impl Fn(F) -> bool) -> bool {
        self.fields.iter().copied().any(is_wanted)
    }

    /// The table of one path of keys, which may hold any characters. One deeper than [`DEPTH_MAX`] is cut there.
    pub fn of_keys<'k>(keys: impl IntoIterator<Item = &'k str>, field: F) -> Table<F> {
        let mut table = Table::empty();
        let what = table.what(field);
        table.tree.add_keys(&mut keys.into_iter().take(DEPTH_MAX), what);
        table
    }

    /// Compiles JSON pointers (RFC 6901): a key that is an array's index is both. One that stands twice keeps its
    /// first meaning; one that no document can be known to match, because it is deeper than [`DEPTH_MAX`] or
    /// has a key longer than [`SHORT_BYTES_MAX`], is left out.
    pub fn of_pointers<'k>(pointers: impl IntoIterator<Item = (&'k [String], F)>) -> Table<F> {
        let mut table = Table::empty();
        for (keys, field) in pointers {
            if keys.len() > DEPTH_MAX || keys.iter().any(|key| key.len() > SHORT_BYTES_MAX) {
                table.is_complete = false;
                continue;
            }
            let what = table.what(field);
            table.tree.add_pointer(keys, what);
        }
        table
    }

    fn what(&mut self, field: F) -> What {
        let place = u16::try_from(self.fields.len()).unwrap_or(u16::MAX);
        self.fields.push(field);
        What { place, is_text: field.is_text(), wants_text_end: field.wants_text_end() }
    }
}
