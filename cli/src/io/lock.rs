//! The lock that keeps two runs of this tool apart, and what is said while somebody else has it.

use super::access::cannot_read;
use super::target::Waiting;
use crate::error::io_words;
use std::fs::{self, File, TryLockError};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

/// How often another run may replace the file between its opening and its lock.
const REOPENS_MAX: usize = 100;
/// The time between two attempts.
const POLL_INTERVAL: Duration = Duration::from_millis(20);
/// Another run writes within this time, so nothing is said before.
const QUIET: Duration = Duration::from_millis(500);
/// The time between two lines about the wait.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(2);
/// How long the lock is waited for. A run of this tool has it while it reads and writes, which takes less than a second if no
/// Envoy and no terminal holds it up.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// A file that was opened, and is locked if that was possible.
pub(super) struct Locked {
    pub(super) file: File,
    /// What the operator should know of the lock.
    pub(super) warning: Option<String>,
}

/// Opens and locks a file. A file that was replaced while this waited for the lock is opened again.
///
/// # Errors
/// A sentence without its subject.
pub(super) fn locked(name: &str, path: &Path, waiting: &mut Waiting<'_>) -> Result<Locked, String> {
    let began = waiting.clock.elapsed();
    let mut next_line = QUIET;
    let mut reopens = 0;
    let mut file = open(path)?;
    loop {
        match file.try_lock() {
            Ok(()) => {
                let metadata = file.metadata().and_then(|held| Ok((held, fs::metadata(path)?)));
                let (held, there) = metadata.map_err(|error| io_words(&error))?;
                if (held.dev(), held.ino()) == (there.dev(), there.ino()) {
                    return Ok(Locked { file, warning: None });
                }
                reopens += 1;
                if reopens == REOPENS_MAX {
                    return Err("is replaced again and again by other programs".to_owned());
                }
                file = open(path)?;
            }
            // Not every file system has locks, and NFS has none for a file that is opened to be read. The comparison before the
            // rename remains.
            Err(TryLockError::Error(_)) => return Ok(Locked { file, warning: None }),
            Err(TryLockError::WouldBlock) => {
                let waited = waiting.clock.elapsed().saturating_sub(began);
                if waited >= WAIT_MAX {
                    return after_the_wait(name, file, waiting.goes_on);
                }
                if waited >= next_line {
                    (waiting.say)(&format!(
                        "waiting for {name}, which {} has locked; {} s so far, at most {} s",
                        holder(&file),
                        waited.as_secs(),
                        WAIT_MAX.as_secs()
                    ));
                    next_line = waited + PROGRESS_INTERVAL;
                }
                waiting.clock.sleep(POLL_INTERVAL);
            }
        }
    }
}

fn open(path: &Path) -> Result<File, String> {
    File::open(path).map_err(|error| cannot_read(path, &error))
}

fn after_the_wait(name: &str, file: File, goes_on: bool) -> Result<Locked, String> {
    let (holder, seconds) = (holder(&file), WAIT_MAX.as_secs());
    if !goes_on {
        return Err(format!(
            "is locked by {holder}, still after {seconds} s; nothing was changed. Let that program end, or end it, and run the \
             command again"
        ));
    }
    let warning = format!(
        "{name} is locked by {holder}, still after {seconds} s. The command goes on without the lock; if somebody else changes \
         the file meanwhile, nothing is written"
    );
    Ok(Locked { file, warning: Some(warning) })
}

/// Who has a file's lock: `process 4711 (vim)`, as far as the system says it.
pub(super) fn holder(file: &File) -> String {
    let inode = file.metadata().map(|meta| meta.ino()).unwrap_or_default();
    let locks = fs::read_to_string("/proc/locks").unwrap_or_default();
    let Some(process) = holder_in(&locks, inode) else { return "another program".to_owned() };
    match fs::read_to_string(format!("/proc/{process}/comm")) {
        Ok(name) => format!("process {process} ({})", name.trim_end()),
        Err(_) => format!("process {process}"),
    }
}

/// The process that has the lock of an inode, in the text of `/proc/locks`: `1: FLOCK  ADVISORY  WRITE 4711 fe:00:42 0 EOF`.
fn holder_in(locks: &str, inode: u64) -> Option<u32> {
    locks.lines().find_map(|line| {
        // The lock of one who waits has an arrow in front.
        let mut words = line.split_whitespace().skip(1);
        let is_held = words.next()? == "FLOCK";
        let process = words.nth(2)?.parse().ok()?;
        let file = words.next()?.rsplit(':').next()?.parse::<u64>().ok()?;
        (is_held && file == inode && process > 0).then_some(process)
    })
}

#[cfg(test)]
mod tests {
    use super::{Locked, holder_in, locked};
    use crate::io::clock::Clock;
    use crate::io::target::Waiting;
    use std::cell::Cell;
    use std::fs::{self, File};
    use std::sync::Mutex;
    use std::time::Duration;

    /// A clock that only sleeping moves.
    #[derive(Default)]
    struct Slept(Mutex<Duration>);

    impl Clock for Slept {
        fn now(&self) -> u64 {
            0
        }

        fn elapsed(&self) -> Duration {
            *self.0.lock().unwrap()
        }

        fn sleep(&self, duration: Duration) {
            *self.0.lock().unwrap() += duration;
        }
    }

    #[test]
    fn a_lock_of_another_program_is_waited_for_aloud_and_not_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.yaml");
        fs::write(&path, "x").unwrap();
        let other = File::open(&path).unwrap();
        other.lock().unwrap();
        let run = |goes_on| {
            let mut said = Vec::new();
            let clock = Slept::default();
            let mut say = |line: &str| said.push(line.to_owned());
            let locked = locked("a.yaml", &path, &mut Waiting { clock: &clock, say: &mut say, goes_on });
            let waited = clock.elapsed();
            assert!((10_000..10_100).contains(&waited.as_millis()), "{waited:?}");
            assert_eq!(said.len(), 5, "{said:?}");
            (locked, said)
        };
        let (refused, said) = run(false);
        // This process has it.
        let me = format!("process {} (", std::process::id());
        assert!(said[1].starts_with(&format!("waiting for a.yaml, which {me}")), "{said:?}");
        assert!(said[1].ends_with(") has locked; 2 s so far, at most 10 s"), "{said:?}");
        let refused = refused.err().unwrap();
        assert!(
            refused.contains(&me) && refused.contains("still after 10 s; nothing was changed"),
            "{refused}"
        );
        let (goes_on, _) = run(true);
        let Locked { warning, .. } = goes_on.ok().unwrap();
        assert!(warning.unwrap().contains("The command goes on without the lock"));
    }

    #[test]
    fn a_lock_that_is_free_soon_is_waited_for_in_silence() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.yaml");
        fs::write(&path, "x").unwrap();
        let other = File::open(&path).unwrap();
        other.lock().unwrap();
        struct Frees<'a>(Slept, &'a Mutex<Option<File>>);
        impl Clock for Frees<'_> {
            fn now(&self) -> u64 {
                0
            }
            fn elapsed(&self) -> Duration {
                self.0.elapsed()
            }
            fn sleep(&self, duration: Duration) {
                self.0.sleep(duration);
                if self.elapsed() > Duration::from_millis(300) {
                    self.1.lock().unwrap().take();
                }
            }
        }
        let other = Mutex::new(Some(other));
        let said = Cell::new(0);
        let mut say = |_: &str| said.set(said.get() + 1);
        let clock = Frees(Slept::default(), &other);
        let locked = locked("a.yaml", &path, &mut Waiting { clock: &clock, say: &mut say, goes_on: false });
        assert!(locked.is_ok_and(|locked| locked.warning.is_none()) && said.get() == 0);
    }

    #[test]
    fn the_holder_is_found_in_the_list_of_locks() {
        let locks = "1: POSIX  ADVISORY  WRITE 7 fe:00:42 0 EOF\n2: FLOCK  ADVISORY  WRITE 2973 fe:00:5382472 0 EOF\n\
                     2: -> FLOCK  ADVISORY  WRITE 8 fe:00:42 0 EOF\n3: FLOCK  ADVISORY  READ  9 fe:00:42 0 EOF\n4: FLOCK x\n\n";
        assert_eq!(holder_in(locks, 42), Some(9));
        assert_eq!(holder_in(locks, 5382472), Some(2973));
        assert_eq!(holder_in(locks, 1), None);
        // A process of another container has no number here.
        assert_eq!(holder_in("1: FLOCK  ADVISORY  WRITE 0 fe:00:42 0 EOF\n", 42), None);
        assert_eq!(holder_in("1: FLOCK  ADVISORY  WRITE -1 fe:00:42 0 EOF\n", 42), None);
    }
}
