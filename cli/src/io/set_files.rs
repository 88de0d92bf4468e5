//! Files beside a reference set, and what of the environment a set may see.
//!
//! A path is followed to where its links lead before it is compared with the folder that it must be in.

use crate::error::io_words;
use llm_canary_sets::limits::FILE_BYTES_MAX;
use llm_canary_sets::template::Variables;
use llm_canary_sets::tree::{Entry, Neighbours, Unreadable};
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

/// The folder of a set.
#[derive(Debug)]
pub(crate) struct SetFolder(PathBuf);

impl SetFolder {
    /// The folder that a set's file is in.
    pub(crate) fn of(set: &Path) -> Self {
        let folder = set.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Self(folder.to_owned())
    }

    /// Where a path leads, if that is within a folder.
    fn resolved(&self, path: &str, within: Option<&str>) -> Result<PathBuf, Unreadable> {
        let resolved = fs::canonicalize(self.0.join(path)).map_err(|error| unreadable(&error))?;
        let Some(within) = within else { return Ok(resolved) };
        let folder = fs::canonicalize(self.0.join(within)).map_err(|error| unreadable(&error))?;
        if resolved.starts_with(folder) { Ok(resolved) } else { Err(Unreadable::Outside) }
    }
}

fn unreadable(error: &io::Error) -> Unreadable {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => Unreadable::Missing,
        _ => Unreadable::Because(io_words(error)),
    }
}

impl Neighbours for SetFolder {
    fn read(&self, path: &str, within: Option<&str>) -> Result<Vec<u8>, Unreadable> {
        let path = self.resolved(path, within)?;
        let file = File::open(&path).map_err(|error| unreadable(&error))?;
        let meta = file.metadata().map_err(|error| unreadable(&error))?;
        // A pipe or a device might never end.
        if !meta.is_file() {
            return Err(Unreadable::Because("is no file".to_owned()));
        }
        read_limited(file)
    }

    fn list(&self, folder: &str, within: Option<&str>) -> Result<Vec<Entry>, Unreadable> {
        let folder = self.resolved(folder, within)?;
        let listed = fs::read_dir(folder).map_err(|error| unreadable(&error))?;
        let entry = |entry: fs::DirEntry| Entry {
            name: entry.file_name().to_string_lossy().into_owned(),
            // A link to a folder is not followed: it may lead in a circle.
            is_folder: entry.file_type().is_ok_and(|kind| kind.is_dir()),
        };
        Ok(listed.filter_map(Result::ok).map(entry).collect())
    }
}

/// All bytes, unless they are too many.
fn read_limited(file: impl Read) -> Result<Vec<u8>, Unreadable> {
    let mut bytes = Vec::new();
    // One more byte shows that it is too long.
    file.take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(|error| unreadable(&error))?;
    if bytes.len() > FILE_BYTES_MAX { Err(Unreadable::TooLarge) } else { Ok(bytes) }
}

/// A set's path: the file itself, without links, so that its place among other folders is known. A folder stands for the promptfoo
/// configuration in it.
pub(crate) fn set_file(given: &Path) -> Result<PathBuf, String> {
    let path = fs::canonicalize(given).map_err(|error| io_words(&error))?;
    if !path.is_dir() {
        return Ok(path);
    }
    let names = ["promptfooconfig.yaml", "promptfooconfig.yml", "promptfooconfig.json"];
    let found = names.iter().map(|name| path.join(name)).find(|path| path.is_file());
    found.ok_or_else(|| "is a folder without a promptfooconfig.yaml; give the file of the set".to_owned())
}

/// The environment of this process, without what looks like a secret: a set may be another's, and its prompts are printed and sent.
#[derive(Debug)]
pub(crate) struct OpenVariables;

const SECRET_NAMES: [&str; 12] = [
    "KEY",
    "TOKEN",
    "SECRET",
    "PASS",
    "PWD",
    "CREDENTIAL",
    "AUTH",
    "PRIVATE",
    "COOKIE",
    "SESSION",
    "SIGNATURE",
    "CERT",
];

impl Variables for OpenVariables {
    fn get(&self, name: &str) -> Option<String> {
        let value = std::env::var(name).ok()?;
        is_open(name, &value).then_some(value)
    }
}

fn is_open(name: &str, value: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    let has_secret_name = SECRET_NAMES.iter().any(|part| upper.contains(part));
    // `https://user:password@host`
    let has_password = value
        .split_once("://")
        .is_some_and(|(_, rest)| rest.split('/').next().is_some_and(|host| host.contains('@')));
    !has_secret_name && !has_password
}

#[cfg(test)]
mod tests {
    use super::{SetFolder, is_open, set_file};
    use llm_canary_sets::tree::{Neighbours, Unreadable};
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_do_not_lead_out_of_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let set = folder.path().join("set");
        fs::create_dir_all(set.join("sub")).unwrap();
        fs::write(folder.path().join("secret.txt"), "secret").unwrap();
        fs::write(set.join("in.txt"), "in").unwrap();
        symlink("../secret.txt", set.join("link.txt")).unwrap();
        symlink("in.txt", set.join("inner.txt")).unwrap();
        symlink("/", set.join("root")).unwrap();
        symlink("loop", set.join("loop")).unwrap();
        let files = SetFolder::of(&set.join("promptfooconfig.yaml"));
        assert_eq!(files.read("in.txt", Some("")).unwrap(), b"in");
        assert_eq!(files.read("inner.txt", Some("")).unwrap(), b"in");
        for path in ["link.txt", "../secret.txt", "/etc/passwd", "root/etc/passwd"] {
            assert_eq!(files.read(path, Some("")), Err(Unreadable::Outside), "{path}");
        }
        assert_eq!(files.read("../secret.txt", Some("..")).unwrap(), b"secret");
        assert_eq!(files.read("link.txt", None).unwrap(), b"secret");
        assert_eq!(files.read("none.txt", Some("")), Err(Unreadable::Missing));
        assert!(matches!(files.read("loop", Some("")), Err(Unreadable::Because(_))));
        assert!(matches!(files.read("sub", Some("")), Err(Unreadable::Because(_))));
        assert!(matches!(files.read("/dev/zero", None), Err(Unreadable::Because(_))));
        assert!(
            files.list("", Some("")).unwrap().iter().all(|entry| entry.is_folder == (entry.name == "sub"))
        );
        assert_eq!(files.list("..", Some("")), Err(Unreadable::Outside));
        assert!(set_file(&set).unwrap_err().contains("folder"));
    }

    #[test]
    fn a_file_of_100_mb_is_refused_and_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = fs::File::create(folder.path().join("large.txt")).unwrap();
        file.set_len(100 << 20).unwrap();
        let files = SetFolder::of(&folder.path().join("set.yaml"));
        assert_eq!(files.read("large.txt", Some("")), Err(Unreadable::TooLarge));
    }

    #[test]
    fn what_looks_like_a_secret_is_hidden() {
        for (name, value, expect) in [
            ("MODEL", "small", true),
            ("OPENAI_API_KEY", "sk-x", false),
            ("GITHUB_TOKEN", "x", false),
            ("DATABASE_URL", "postgres://user:word@host/db", false),
            ("BASE_URL", "http://host/v1", true),
            ("db_password", "x", false),
        ] {
            assert_eq!(is_open(name, value), expect, "{name}");
        }
    }
}
