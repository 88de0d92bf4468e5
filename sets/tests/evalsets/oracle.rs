//! x
use libtest_mimic::Trial;
use std::path::Path;
pub(crate) fn trials(_folder: &Path) -> Vec<Trial> {
    Vec::new()
}
