//! Replaces a file as a whole, and only if it still is what was read.
//!
//! The new text goes into a file beside it, to the disk, and is renamed into place, which is also what Envoy
//! waits for. A lock keeps two runs of this tool apart; whoever else writes is seen by the comparison just
//! before the rename.

use crate::Failure;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::{Component, Path, PathBuf};
use std::time::Instant;

/// The largest file that is read; far above what Envoy is given.
const FILE_BYTES_MAX: u64 = 16 << 20;
/// Times another run may replace the file between its opening and the lock.
const REOPENS_MAX: usize = 100;

/// A file that was read, locked until it is dropped.
pub(super) struct Opened {
    pub(super) name: String,
    pub(super) text: String,
    /// Where it really is.
    path: PathBuf,
    file: File,
}

impl Opened {
    pub(super) fn new(given: &Path) -> Result<Self, Failure> {
        let name = given.display().to_string();
        let fail = |error: io::Error| Failure::new(format!("{name}: {error}"));
        let path = fs::canonicalize(given).map_err(fail)?;
        // A mounted ConfigMap: file -> ..data/file, ..data -> ..2026_11_23_09_00_00.1/
        let is_mounted = |path: &Path| {
            path.components().any(|part| match part {
                Component::Normal(part) => part.as_encoded_bytes().starts_with(b".."),
                _ => false,
            })
        };
        if is_mounted(&path) {
            return Err(Failure::new(format!(
                "{name}: is part of a mounted ConfigMap, which Kubernetes puts there anew; nothing was changed. Change the \
                 file the ConfigMap is made of, and then: kubectl create configmap NAME --from-file=FILE \
                 --dry-run=client -o yaml | kubectl apply -f -"
            )));
        }
        if fs::symlink_metadata(given).is_ok_and(|meta| meta.is_symlink()) {
            let real = path.display();
            eprintln!(
                "note: {name} is a link; {real} is what is replaced, and an Envoy must watch that one's folder"
            );
        }
        let file = locked(&path).map_err(fail)?;
        let mut bytes = Vec::new();
        (&file).take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(fail)?;
        if bytes.len() as u64 > FILE_BYTES_MAX {
            return Err(Failure::new(format!("{name}: is larger than {FILE_BYTES_MAX} bytes")));
        }
        let text = String::from_utf8(bytes)
            .map_err(|error| Failure::new(format!("{name}: is not UTF-8: {}", error.utf8_error())))?;
        Ok(Self { name, text, path, file })
    }

    /// Puts the text in its place; returns the moment of the rename.
    pub(super) fn replace(&self, text: &str) -> Result<Instant, Failure> {
        let fail = |what: &str, error: io::Error| {
            Failure::new(format!("{}: {what}: {error}; nothing was changed", self.name))
        };
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        let file_name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let beside = folder.join(format!(".{file_name}.{}.tmp", std::process::id()));
        let meta = self.file.metadata().map_err(|error| fail("cannot be looked at", error))?;
        let renamed = self.write_beside(&beside, text, &meta).and_then(|()| {
            let is_same = fs::read(&self.path)? == self.text.as_bytes();
            if !is_same {
                return Err(io::Error::other(
                    "it was changed by somebody else meanwhile; run the command again",
                ));
            }
            fs::rename(&beside, &self.path)?;
            Ok(super::instant())
        });
        let renamed = renamed.map_err(|error| {
            // It may never have been made.
            let _ = fs::remove_file(&beside);
            fail("cannot be replaced", error)
        })?;
        // The rename is done; only a power cut could still undo it.
        if let Err(error) = File::open(folder).and_then(|folder| folder.sync_all()) {
            eprintln!("warning: {}: its folder could not be synced: {error}", self.name);
        }
        Ok(renamed)
    }

    fn write_beside(&self, beside: &Path, text: &str, meta: &fs::Metadata) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(beside)?;
        file.write_all(text.as_bytes())?;
        let own = file.metadata()?;
        if (own.uid(), own.gid()) != (meta.uid(), meta.gid()) {
            chown(beside, Some(meta.uid()), Some(meta.gid()))?;
        }
        file.set_permissions(fs::Permissions::from_mode(meta.mode() & 0o7777))?;
        file.sync_all()
    }
}

/// The file, opened and locked. A file that was replaced while this waited for the lock is opened anew.
fn locked(path: &Path) -> io::Result<File> {
    for _ in 0..REOPENS_MAX {
        let file = File::open(path)?;
        match file.lock() {
            Ok(()) => {}
            // Not every file system can; the comparison before the rename is still made.
            Err(error) if error.kind() == io::ErrorKind::Unsupported => return Ok(file),
            Err(error) => return Err(error),
        }
        let (held, there) = (file.metadata()?, fs::metadata(path)?);
        if (held.dev(), held.ino()) == (there.dev(), there.ino()) {
            return Ok(file);
        }
    }
    Err(io::Error::other("is being replaced all the time"))
}

#[cfg(test)]
mod tests {
    use super::Opened;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::path::{Path, PathBuf};

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("llm-canary-write-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    fn open(path: &Path) -> Opened {
        Opened::new(path).map_err(|failure| failure.0).unwrap()
    }

    #[test]
    fn a_file_is_replaced_as_a_whole() {
        let folder = folder("whole");
        let path = folder.join("a.yaml");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        symlink(&path, folder.join("link.yaml")).unwrap();
        let opened = open(&folder.join("link.yaml"));
        opened.replace("new").map_err(|failure| failure.0).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        assert!(fs::symlink_metadata(folder.join("link.yaml")).unwrap().is_symlink(), "a link stays one");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 2, "nothing is left beside it");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_change_of_somebody_elses_is_not_written_over() {
        let folder = folder("changed");
        let path = folder.join("a.yaml");
        fs::write(&path, "old").unwrap();
        let opened = open(&path);
        fs::write(&path, "theirs").unwrap();
        let words = opened.replace("new").map_err(|failure| failure.0).unwrap_err();
        assert!(words.contains("changed by somebody else"), "{words}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "theirs");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn two_runs_wait_for_each_other() {
        let folder = folder("lock");
        let path = folder.join("a.yaml");
        fs::write(&path, "0").unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..10 {
                        let opened = open(&path);
                        let next = opened.text.parse::<u32>().unwrap() + 1;
                        // The temporary file is the process's own, and the lock keeps these apart.
                        opened.replace(&next.to_string()).map_err(|failure| failure.0).unwrap();
                    }
                });
            }
        });
        assert_eq!(fs::read_to_string(&path).unwrap(), "40", "no run was lost");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_mounted_config_map_is_refused() {
        let folder = folder("mounted");
        fs::create_dir(folder.join("..2026_11_23")).unwrap();
        fs::write(folder.join("..2026_11_23/a.yaml"), "old").unwrap();
        symlink("..2026_11_23", folder.join("..data")).unwrap();
        symlink("..data/a.yaml", folder.join("a.yaml")).unwrap();
        let words = Opened::new(&folder.join("a.yaml")).err().unwrap().0;
        assert!(words.contains("mounted ConfigMap") && words.contains("kubectl create configmap"), "{words}");
        fs::remove_dir_all(folder).unwrap();
    }
}
