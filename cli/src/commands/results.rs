//! `--watchdog RESULTS`: what `watchdog --out` writes is read, and read on as it grows.

use crate::error::Error;
use crate::io::World;
use crate::io::access::cannot_read;
use crate::watchdog::summary::{Reader, Summary};
use std::io::{self, BufRead, ErrorKind, Read};
use std::path::{Path, PathBuf};

/// The longest line that is read; a longer one cannot be read.
const LINE_BYTES_MAX: u64 = 16 << 20;

/// A file of RESULTS.
pub(super) struct Results {
    path: PathBuf,
    /// So much of it has been read, in whole lines.
    bytes: u64,
    reader: Reader,
}

impl Results {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), bytes: 0, reader: Reader::default() }
    }

    /// Reads what is new. A file that became shorter is read anew.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn read(&mut self, world: &World<'_>) -> Result<(), Error> {
        self.read_on(world).map_err(|error| {
            let words = cannot_read(&self.path, &error);
            Error::refused(format!("--watchdog {}: {words}", self.path.display()))
        })
    }

    /// The same, where the file may be made later.
    ///
    /// # Errors
    /// It is there and cannot be read.
    pub(super) fn read_if_there(&mut self, world: &World<'_>) -> Result<(), Error> {
        match world.files.open(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            _ => self.read(world),
        }
    }

    fn read_on(&mut self, world: &World<'_>) -> io::Result<()> {
        let mut file = world.files.open(&self.path)?;
        let skipped = io::copy(&mut (&mut file).take(self.bytes), &mut io::sink())?;
        if skipped < self.bytes {
            *self = Self::new(&self.path);
            file = world.files.open(&self.path)?;
        }
        loop {
            let mut line = Vec::new();
            (&mut file).take(LINE_BYTES_MAX).read_until(b'\n', &mut line)?;
            let is_cut = line.len() as u64 == LINE_BYTES_MAX;
            // What has no end yet is being written.
            if line.last() != Some(&b'\n') && !is_cut {
                return Ok(());
            }
            self.bytes = self.bytes.saturating_add(line.len() as u64);
            self.reader.push(&String::from_utf8_lossy(&line));
        }
    }

    /// What they show; `None` before the first round has ended.
    pub(super) fn summary(&self) -> Option<Summary> {
        self.reader.summary()
    }
}

#[cfg(test)]
mod tests {
    use super::Results;
    use crate::table::Canvas;
    use crate::tests::results::{answer, round};
    use crate::tests::world::FakeWorld;
    use crate::watchdog::results::Side;
    use std::path::Path;

    #[test]
    fn a_file_is_read_on_as_it_grows() {
        let world = FakeWorld::new("2026-11-29T07:00:00Z", &[]);
        let mut results = Results::new(Path::new("r.jsonl"));
        let mut read = |text: Option<&str>, is_there: bool| {
            if let Some(text) = text {
                world.add(text);
            }
            let mut number = None;
            world.run_on(Canvas::default, |world| {
                assert_eq!(results.read_if_there(world).is_ok(), is_there);
                number = results.summary().map(|summary| summary.round.round);
                0
            });
            number
        };
        assert_eq!(read(None, true), None);
        let (first, second) = (round(1, &[]), round(2, &[]));
        let (start, end) = second.split_at(9);
        assert_eq!(read(Some(&answer(1, 1, Side::Version, Some(true), "a")), true), None);
        assert_eq!(read(Some(&first), true), Some(1));
        assert_eq!(read(Some(start), true), Some(1), "a line that is being written");
        assert_eq!(read(Some(end), true), Some(2));
    }
}
