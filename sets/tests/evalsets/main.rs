//! Sets that teams really have, and what their own tools say about checks, cells and templates.
//!
//! They are not part of the repository. They are looked for beside it (`../shared/evalsets`) or where `LLM_CANARY_EVALSETS` says; else
//! the report says `ignored`, and with `CI` set the tests fail.

mod disk;
mod index;
mod oracle;

use libtest_mimic::{Arguments, Failed, Trial};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn folder() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/evalsets");
    let folder = std::env::var_os("LLM_CANARY_EVALSETS").map_or_else(beside, PathBuf::from);
    folder.is_dir().then_some(folder)
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let trials = match folder() {
        Some(folder) => index::trials(&folder).into_iter().chain(oracle::trials(&folder)).collect(),
        None => {
            let is_ci = std::env::var_os("CI").is_some();
            let missing = || Err(Failed::from("the sets are not at hand: ../shared/evalsets"));
            vec![Trial::test("sets_of_others", missing).with_ignored_flag(!is_ci)]
        }
    };
    libtest_mimic::run(&arguments, trials).exit_code()
}
