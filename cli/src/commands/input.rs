//! Reads the inputs that commands have in common: configurations, bodies, and keys a line.

use crate::error::{Error, io_words};
use crate::io::World;
use crate::io::access::cannot_read;
use crate::kubernetes;
use crate::plugin;
use crate::policy;
use llm_canary::config::Config;
use llm_canary_verdict::policy::Policy;
use std::io::{self, BufRead, Read};
use std::path::Path;

/// The longest line of a file of keys; a longer one counts as several.
const KEY_BYTES_MAX: u64 = 64 << 10;

/// A file as a whole, up to a number of bytes; `-` is standard input.
pub(super) fn read(world: &World<'_>, path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    world.files.open(path)?.take(bytes_max).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A file with configurations.
pub(super) fn read_file(world: &World<'_>, path: &Path) -> Result<Vec<u8>, Error> {
    // One more byte shows that it is too long.
    read(world, path, plugin::TEXT_BYTES_MAX as u64 + 1).map_err(|error| {
        let name = path.display().to_string();
        let words = cannot_read(path, &error);
        let is_resource = error.kind() == io::ErrorKind::NotFound && kubernetes::is_resource(&name);
        let hint = if is_resource {
            format!(". To read the resource of this name: kubectl get {name} -o yaml | llm-canary COMMAND -")
        } else {
            String::new()
        };
        Error::problem(&name, words + &hint)
    })
}

/// The only configuration of a file.
pub(super) fn read_config(world: &mut World<'_>, path: &Path) -> Result<Config, Error> {
    let (name, bytes) = (path.display().to_string(), read_file(world, path)?);
    if policy::is_policy(&bytes) {
        return Err(Error::problem(&name, "is a policy, and no configuration; give it with --policy"));
    }
    for unread in plugin::unread_parts(&name, &bytes) {
        world.say(&format!("warning: {unread}"));
    }
    plugin::parse_one(&name, &bytes)
}

/// The policy of a file; without a file, the default.
pub(super) fn read_policy(world: &World<'_>, path: Option<&Path>) -> Result<Policy, Error> {
    let Some(path) = path else { return Ok(Policy::default()) };
    policy::parse(&path.display().to_string(), &read_file(world, path)?)
}

/// Keys, one a line, with or without the last line break.
pub(super) struct Keys {
    lines: Box<dyn BufRead>,
    line: Vec<u8>,
    /// `--keys` and the file, for messages.
    name: String,
}

impl Keys {
    pub(super) fn open(world: &World<'_>, path: &Path) -> Result<Self, Error> {
        let name = format!("--keys {}", path.display());
        let lines = world
            .files
            .open(path)
            .map_err(|error| Error::refused(format!("{name}: {}", cannot_read(path, &error))))?;
        Ok(Self { lines, line: Vec::new(), name })
    }

    /// The next key, which may be empty.
    pub(super) fn next(&mut self) -> Result<Option<&[u8]>, Error> {
        self.line.clear();
        let mut lines = Read::take(&mut self.lines, KEY_BYTES_MAX);
        let bytes =
            lines.read_until(b'\n', &mut self.line).map_err(|error| broken_off(&self.name, &error))?;
        let key = self.line.strip_suffix(b"\n").unwrap_or(&self.line);
        Ok((bytes > 0).then(|| key.strip_suffix(b"\r").unwrap_or(key)))
    }
}

fn broken_off(name: &str, error: &io::Error) -> Error {
    Error::refused(format!("{name}: {}", io_words(error)))
}
