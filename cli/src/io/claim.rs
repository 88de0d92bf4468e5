//! The claim of a `run` on a rollout: a lock beside the file, so that no second `run` follows another plan.
//!
//! The system gives the lock back when the program ends, however it ends. The lock file stays: it remembers the reasons for which a
//! stopped version was started again, so that a supervisor that starts the command over and over cannot start it twice for one reason.

use super::clock::Clock;
use super::lock::holder;
use crate::error::{Error, io_words};
use serde_json::{Value, json};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// The longest lock file that is read. It has a line for each reason.
const BYTES_MAX: u64 = 1 << 20;

/// A rollout that no other `run` has, until this is dropped.
pub(crate) trait Claim {
    /// The reasons for which versions were started again.
    fn reasons(&self) -> &[String];
    /// Remembers one more reason.
    ///
    /// # Errors
    /// It cannot be written.
    fn remember(&mut self, reason: &str) -> Result<(), Error>;
    /// Keeps the claim up. To be called at least once a minute.
    ///
    /// # Errors
    /// It is lost, or nobody knows, in a sentence.
    fn keep(&mut self, clock: &dyn Clock) -> Result<(), String>;
}

/// A locked file.
struct LockFile {
    name: String,
    file: File,
    reasons: Vec<String>,
}

/// Claims a rollout of a file.
///
/// # Errors
/// Another `run` has it, or the lock cannot be written.
pub(super) fn claim(path: &Path, rollout: &str) -> Result<Box<dyn Claim>, Error> {
    let name = path.display().to_string();
    let real = fs::canonicalize(path).map_err(|error| Error::problem(&name, io_words(&error)))?;
    let file_name = real.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let lock = real.with_file_name(format!(".{file_name}.{rollout}.run"));
    let lock_name = lock.display().to_string();
    let unwritable = |error: io::Error| {
        Error::problem(
            &lock_name,
            format!("the lock of this run {}; run writes FILE in the same folder", io_words(&error)),
        )
    };
    let mut file = OpenOptions::new().read(true).append(true).create(true).open(&lock).map_err(unwritable)?;
    match file.try_lock() {
        // Not every file system has locks. The comparison before each write remains.
        Ok(()) | Err(TryLockError::Error(_)) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(Error::problem(
                &name,
                format!(
                    "another run has the rollout {rollout}: {}. Two plans at once would fight; end that run first (it leaves the \
                     share as it is), or watch with --dry-run",
                    holder(&file)
                ),
            ));
        }
    }
    let mut text = String::new();
    // What cannot be read is no reason.
    let _ = file.seek(SeekFrom::Start(0)).and_then(|_| (&file).take(BYTES_MAX).read_to_string(&mut text));
    Ok(Box::new(LockFile { name: lock_name, file, reasons: reasons(&text) }))
}

fn reasons(text: &str) -> Vec<String> {
    let reason = |line: &str| {
        let line: Value = serde_json::from_str(line).ok()?;
        line.get("again")?.as_str().map(str::to_owned)
    };
    text.lines().filter_map(reason).collect()
}

impl Claim for LockFile {
    fn reasons(&self) -> &[String] {
        &self.reasons
    }

    fn remember(&mut self, reason: &str) -> Result<(), Error> {
        let line = json!({"again": reason}).to_string() + "\n";
        let written = self.file.write_all(line.as_bytes()).and_then(|()| self.file.sync_data());
        written.map_err(|error| Error::problem(&self.name, io_words(&error)))?;
        self.reasons.push(reason.to_owned());
        Ok(())
    }

    fn keep(&mut self, _: &dyn Clock) -> Result<(), String> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::claim;
    use crate::io::clock::SystemClock;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_rollout_is_claimed_once() {
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("a.yaml"), folder.path().join("link.yaml"));
        fs::write(&path, "x").unwrap();
        symlink(&path, &link).unwrap();
        let mut first = claim(&path, "chat").unwrap();
        let second = claim(&link, "chat").err().unwrap().to_string();
        assert!(second.contains("another run has the rollout chat: process"), "{second}");
        assert!(claim(&path, "code").is_ok(), "another rollout of the file");
        assert!(first.reasons().is_empty());
        first.remember("a new \"prompt\"").unwrap();
        assert!(first.keep(&SystemClock::start()).is_ok());
        drop(first);
        // The reasons stay, whatever else stands in the file.
        let lock = folder.path().join(".a.yaml.chat.run");
        let text = fs::read_to_string(&lock).unwrap();
        fs::write(&lock, format!("{text}garbage\n{{\"again\": 5}}\n")).unwrap();
        let mut again = claim(&path, "chat").unwrap();
        again.remember("second").unwrap();
        assert_eq!(again.reasons(), ["a new \"prompt\"", "second"]);
        drop(again);
        assert_eq!(claim(&path, "chat").unwrap().reasons().len(), 2);
        let missing = claim(&folder.path().join("b.yaml"), "chat").err().unwrap().to_string();
        assert!(missing.ends_with("does not exist"), "{missing}");
    }
}
