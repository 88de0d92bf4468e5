//! Files of a folder, for a set in it.

use llm_canary_sets::tree::{Entry, Neighbours, Unreadable};
use std::fs;
use std::path::PathBuf;

/// The folder of a set.
pub(crate) struct Disk(pub(crate) PathBuf);

impl Neighbours for Disk {
    fn read(&self, path: &str, _within: Option<&str>) -> Result<Vec<u8>, Unreadable> {
        fs::read(self.0.join(path)).map_err(|_| Unreadable::Missing)
    }

    fn list(&self, folder: &str, _within: Option<&str>) -> Result<Vec<Entry>, Unreadable> {
        let listed = fs::read_dir(self.0.join(folder)).map_err(|_| Unreadable::Missing)?;
        let entry = |entry: fs::DirEntry| Entry {
            name: entry.file_name().to_string_lossy().into_owned(),
            is_folder: entry.path().is_dir(),
        };
        Ok(listed.filter_map(Result::ok).map(entry).collect())
    }
}
