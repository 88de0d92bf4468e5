//! Files: read as a stream, or replaced as a whole.
//!
//! A new text is written to a temporary file in the same folder, synced, and renamed into place, which is what Envoy
//! watches for. A lock keeps two runs of this tool apart. Changes by other programs are found by a comparison just before
//! the rename.

use super::access::{cannot_read, what_is_no_file};
use super::claim::{Claim, claim};
use super::clock::Clock;
use super::lock::{Locked, locked};
use super::target::{Target, Waiting, Write as Written};
use crate::error::{Error, io_words};
use crate::kubernetes;
use crate::plugin::{self, PathSegment, TEXT_BYTES_MAX};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

/// Envoy reads a renamed file within milliseconds, on a busy machine within tenths of a second.
const LEAD_MS: u64 = 2_000;

/// So much of a file is read at once.
const BLOCK_BYTES: usize = 256 << 10;

/// What is wrong with a file's name of no letters.
const EMPTY_NAME: &str = "FILE is empty (\"\"); give the name of a file";

/// Opens files.
pub(crate) trait Files {
    /// Opens a file for reading; `-` is standard input.
    fn open(&self, path: &Path) -> io::Result<Box<dyn BufRead>>;
    /// Writes a file as a whole: afterwards it has all of the bytes, or is as it was.
    fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;
    /// Reads a file that will be changed, and locks it.
    fn lock(&self, path: &Path, waiting: &mut Waiting<'_>) -> Result<Box<dyn Target>, Error>;
    /// Claims a rollout of a file for a `run`.
    fn claim(&self, path: &Path, rollout: &str) -> Result<Box<dyn Claim>, Error>;
    /// Adds to the end of a file, which is made if it is not there.
    fn append(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;
    /// The same; if it is made, for its owner alone.
    fn append_private(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.append(path, bytes)
    }
}

/// The machine's files.
pub(crate) struct FileSystem;

/// A file that was read, and is locked until it is dropped.
pub(crate) struct LockedFile {
    name: String,
    text: String,
    /// The file itself, where the name is a link.
    path: PathBuf,
    file: File,
    note: Option<String>,
    warning: Option<String>,
}

impl Files for FileSystem {
    fn open(&self, path: &Path) -> io::Result<Box<dyn BufRead>> {
        if path == Path::new("-") {
            return Ok(Box::new(io::stdin().lock()));
        }
        Ok(Box::new(BufReader::with_capacity(BLOCK_BYTES, File::open(path)?)))
    }

    fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        // A device or a pipe is written to, and not replaced.
        if fs::metadata(path).is_ok_and(|meta| !meta.is_file()) {
            return File::options().write(true).open(path)?.write_all(bytes);
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // As any new file: what the user's mask leaves of it.
        let permissions = fs::Permissions::from_mode(0o666);
        let mut temporary = tempfile::Builder::new()
            .prefix(".")
            .suffix(".tmp")
            .permissions(permissions)
            .tempfile_in(folder)?;
        temporary.write_all(bytes)?;
        temporary.persist(path).map_err(|error| error.error)?;
        Ok(())
    }

    fn lock(&self, path: &Path, waiting: &mut Waiting<'_>) -> Result<Box<dyn Target>, Error> {
        Ok(Box::new(LockedFile::new(path, waiting)?))
    }

    fn claim(&self, path: &Path, rollout: &str) -> Result<Box<dyn Claim>, Error> {
        claim(path, rollout)
    }

    fn append(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        File::options().append(true).create(true).open(path)?.write_all(bytes)
    }

    fn append_private(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        File::options().append(true).create(true).mode(0o600).open(path)?.write_all(bytes)
    }
}

impl LockedFile {
    fn new(given: &Path, waiting: &mut Waiting<'_>) -> Result<Self, Error> {
        let name = given.display().to_string();
        let problem = |error: io::Error| Error::problem(&name, cannot_read(given, &error));
        if name.is_empty() {
            return Err(Error::refused(EMPTY_NAME));
        }
        if name == "-" && fs::metadata(given).is_err() {
            return Err(Error::problem(
                &name,
                "is standard input, which can be read and not changed; give the name of the file",
            ));
        }
        if let Some(kind) = fs::metadata(given).ok().and_then(|meta| what_is_no_file(meta.file_type())) {
            return Err(Error::problem(
                &name,
                format!("is {kind}, and no file that can be replaced; give the name of the file itself"),
            ));
        }
        let path = fs::canonicalize(given).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound if kubernetes::is_resource(&name) => {
                Error::problem(&name, "does not exist. To change the resource of this name, add --kubectl")
            }
            _ => problem(error),
        })?;
        if is_mounted(&path) {
            return Err(Error::problem(
                &name,
                "is part of a mounted ConfigMap, which Kubernetes writes; nothing was changed. Change the \
                 file the ConfigMap is made of, and then: kubectl create configmap NAME --from-file=FILE \
                 --dry-run=client -o yaml | kubectl apply -f -",
            ));
        }
        let is_link = fs::symlink_metadata(given).is_ok_and(|meta| meta.is_symlink());
        let note = is_link.then(|| {
            format!(
                "{name} is a link to {}, which is replaced; Envoy must watch that file's folder",
                path.display()
            )
        });
        let Locked { file, warning } =
            locked(&name, &path, waiting).map_err(|words| Error::problem(&name, words))?;
        let mut bytes = Vec::new();
        // One more byte shows that it is too long.
        (&file).take(TEXT_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(problem)?;
        if bytes.len() > TEXT_BYTES_MAX {
            return Err(Error::problem(&name, plugin::too_long()));
        }
        let text = plugin::utf8(&bytes).map_err(|words| Error::problem(&name, words))?.to_owned();
        Ok(Self { name, text, path, file, note, warning })
    }

    /// Replaces the file; returns the time of the rename.
    fn replace(&self, text: &str, folder: &Path, clock: &dyn Clock) -> Result<Duration, String> {
        let why = |error: io::Error| {
            let owner = self.file.metadata().map(|meta| meta.uid()).unwrap_or_default();
            why_not(&error, &folder.display().to_string(), owner)
        };
        let temporary = self.temporary(text, folder).map_err(why)?;
        if fs::read(&self.path).map_err(why)? != self.text.as_bytes() {
            return Err("somebody else changed it meanwhile; run the command again".to_owned());
        }
        temporary.persist(&self.path).map_err(|error| why(error.error))?;
        Ok(clock.elapsed())
    }

    /// Writes the text beside the file, with the file's owner and permissions.
    fn temporary(&self, text: &str, folder: &Path) -> io::Result<tempfile::NamedTempFile> {
        let file_name = self.path.file_name().unwrap_or_default().to_string_lossy();
        // It is removed when it is dropped before the rename.
        let mut temporary =
            tempfile::Builder::new().prefix(&format!(".{file_name}.")).suffix(".tmp").tempfile_in(folder)?;
        temporary.write_all(text.as_bytes())?;
        let (new, old) = (temporary.as_file().metadata()?, self.file.metadata()?);
        if (new.uid(), new.gid()) != (old.uid(), old.gid()) {
            fchown(temporary.as_file(), Some(old.uid()), Some(old.gid()))?;
        }
        temporary.as_file().set_permissions(fs::Permissions::from_mode(old.mode() & 0o7777))?;
        temporary.as_file().sync_all()?;
        Ok(temporary)
    }
}

impl Target for LockedFile {
    fn name(&self) -> &str {
        &self.name
    }

    fn text(&self) -> &str {
        &self.text
    }

    fn lead_ms(&self) -> u64 {
        LEAD_MS
    }

    fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }

    fn warning(&self) -> Option<&str> {
        self.warning.as_deref()
    }

    fn dry_run(&self, _: &str, _: &[PathSegment]) -> Result<(), Error> {
        Ok(())
    }

    fn write(&self, text: &str, _: &[PathSegment], clock: &dyn Clock) -> Result<Written, Error> {
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        let at = self.replace(text, folder, clock).map_err(|words| {
            Error::problem(&self.name, format!("cannot be replaced: {words}; nothing was changed"))
        })?;
        // The rename is done. Only a power cut can undo it.
        let synced = File::open(folder).and_then(|folder| folder.sync_all());
        let warning = synced.err().map(|error| {
            format!("{}: its folder cannot be synced, because it {}", self.name, io_words(&error))
        });
        Ok(Written { at, warning })
    }
}

/// Why a file could not be replaced, and what to do about it.
fn why_not(error: &io::Error, folder: &str, owner: u32) -> String {
    match error.kind() {
        // The rename would replace a mount point.
        ErrorKind::ResourceBusy | ErrorKind::CrossesDevices => format!(
            "it is mounted by itself, so no new file can take its place. Mount its folder, not the file (Docker: -v \
             FOLDER:{folder}; Kubernetes: no subPath), or run this command where the file comes from, such as on the host"
        ),
        ErrorKind::ReadOnlyFilesystem => format!(
            "{folder} is read-only. Mount it to be written (Docker: no :ro; Kubernetes: no readOnly), or run this command \
             where the file comes from, such as on the host"
        ),
        ErrorKind::PermissionDenied => format!(
            "this user may not replace files in {folder}. Run this command as the user who owns the file (uid {owner}) and \
             may write there"
        ),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            format!("{folder} has no room for the new file. Free some space")
        }
        ErrorKind::NotFound => {
            format!("it was removed meanwhile, or {folder} was. Run the command again")
        }
        _ => format!("it {}", io_words(error)),
    }
}

/// Whether a path leads through a mounted ConfigMap: file -> ..data/file, ..data -> ..2026_11_23_09_00_00.1/
fn is_mounted(path: &Path) -> bool {
    path.components().any(|part| match part {
        Component::Normal(part) => part.as_encoded_bytes().starts_with(b".."),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::{FileSystem, Files, LockedFile, Target, Waiting, why_not};
    use crate::error::Error;
    use crate::io::clock::SystemClock;
    use std::fs;
    use std::io;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::path::Path;

    fn open(path: &Path) -> LockedFile {
        LockedFile::new(path, &mut waiting()).unwrap()
    }

    fn waiting() -> Waiting<'static> {
        Waiting {
            clock: Box::leak(Box::new(SystemClock::start())),
            say: Box::leak(Box::new(|_: &str| ())),
            goes_on: false,
        }
    }

    fn write(file: &LockedFile, text: &str) -> Result<(), Error> {
        file.write(text, &[], &SystemClock::start()).map(drop)
    }

    #[test]
    fn a_file_is_replaced_as_a_whole() {
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("a.yaml"), folder.path().join("link.yaml"));
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        symlink(&path, &link).unwrap();
        let file = open(&link);
        assert!(file.note().unwrap().contains("link.yaml is a link to "));
        write(&file, "new").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink(), "a link stays one");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 2, "no temporary file is left");
    }

    #[test]
    fn a_private_file_is_its_owners() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("results.jsonl");
        FileSystem.append_private(&path, b"a").unwrap();
        FileSystem.append_private(&path, b"b").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"ab");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_change_of_somebody_else_is_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.yaml");
        fs::write(&path, "old").unwrap();
        let file = open(&path);
        fs::write(&path, "theirs").unwrap();
        let error = write(&file, "new").unwrap_err().to_string();
        assert!(error.contains("somebody else changed it"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "theirs");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "no temporary file is left");
    }

    #[test]
    fn two_runs_wait_for_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.yaml");
        fs::write(&path, "0").unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..10 {
                        let file = open(&path);
                        let next = file.text.parse::<u32>().unwrap() + 1;
                        write(&file, &next.to_string()).unwrap();
                    }
                });
            }
        });
        assert_eq!(fs::read_to_string(&path).unwrap(), "40", "no run was lost");
    }

    /// `tests/it/mounts.rs` meets the first three.
    #[test]
    fn each_reason_has_a_way_out() {
        for (number, words) in [
            (16, "Mount its folder, not the file (Docker: -v FOLDER:/etc/envoy; Kubernetes: no subPath)"),
            (18, "Mount its folder, not the file"),
            (30, "/etc/envoy is read-only. Mount it to be written"),
            (
                13,
                "this user may not replace files in /etc/envoy. Run this command as the user who owns the file (uid 101)",
            ),
            (1, "the user who owns the file (uid 101)"),
            (28, "/etc/envoy has no room for the new file"),
            (122, "/etc/envoy has no room for the new file"),
            (2, "it was removed meanwhile, or /etc/envoy was. Run the command again"),
            (36, "it has a name that the file system does not allow"),
        ] {
            let why = why_not(&io::Error::from_raw_os_error(number), "/etc/envoy", 101);
            assert!(why.contains(words) && !why.contains("os error"), "{number}: {why}");
        }
    }

    #[test]
    fn a_mounted_config_map_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("..2026_11_23")).unwrap();
        fs::write(at("..2026_11_23/a.yaml"), "old").unwrap();
        symlink("..2026_11_23", at("..data")).unwrap();
        symlink("..data/a.yaml", at("a.yaml")).unwrap();
        let error = LockedFile::new(&at("a.yaml"), &mut waiting()).err().unwrap().to_string();
        assert!(error.contains("mounted ConfigMap") && error.contains("kubectl create configmap"), "{error}");
    }
}
