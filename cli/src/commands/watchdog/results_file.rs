//! `--out`: the lines of RESULTS, and going on with those that are there.

use super::targets::Target;
use crate::error::{Error, io_words};
use crate::io::access::{cannot_read, kind_of_no_file};
use crate::io::files::Files;
use crate::watchdog::prompts::Prompt;
use crate::watchdog::results::{LINE_BYTES_MAX, Line, ROUND_OF_BASELINE, Side, Sides};
use crate::watchdog::tally::Tally;
use std::io::{BufRead, ErrorKind, Read};
use std::path::Path;

/// The file, if there is one.
pub(super) struct ResultsFile<'a> {
    path: Option<&'a Path>,
    files: &'a dyn Files,
}

impl<'a> ResultsFile<'a> {
    /// Opens the file, and takes in what it holds.
    pub(super) fn open(
        path: Option<&'a Path>,
        files: &'a dyn Files,
        prompts: &[Prompt<'_>],
        targets: &Sides<Target>,
        tally: &mut Tally,
    ) -> Result<Self, Error> {
        let file = Self { path, files };
        let Some(path) = path else { return Ok(file) };
        // Reading a device or a pipe might never end.
        if let Some(kind) = kind_of_no_file(path) {
            let words = format!("is {kind}, and no file that can be gone on with; give the name of a file");
            return Err(Error::problem(&path.display().to_string(), words));
        }
        match files.open(path) {
            Ok(lines) => {
                let name = path.display().to_string();
                read(lines, prompts, targets, tally)
                    .map_err(|(line, words)| Error::problem(&name, format!("line {line} {words}")))?;
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => {
                return Err(Error::problem(&path.display().to_string(), cannot_read(path, &error)));
            }
        }
        // It is made now, so that a place where nothing can be written is known before anything is asked.
        file.write("")?;
        Ok(file)
    }

    /// Adds lines.
    pub(super) fn write(&self, text: &str) -> Result<(), Error> {
        let Some(path) = self.path else { return Ok(()) };
        self.files.append_private(path, text.as_bytes()).map_err(|error| {
            Error::problem(&path.display().to_string(), format!("cannot be written: it {}", io_words(&error)))
        })
    }
}

/// Takes in the lines that are there; an error has its line's number.
fn read(
    mut lines: Box<dyn BufRead>,
    prompts: &[Prompt<'_>],
    targets: &Sides<Target>,
    tally: &mut Tally,
) -> Result<(), (u64, String)> {
    let mut bytes = Vec::new();
    for number in 1_u64.. {
        bytes.clear();
        let mut limited = Read::take(&mut lines, LINE_BYTES_MAX as u64 + 1);
        let read = limited.read_until(b'\n', &mut bytes);
        if read.map_err(|error| (number, format!("{} and cannot be read", io_words(&error))))? == 0 {
            return Ok(());
        }
        let at = |words: String| (number, words);
        if bytes.len() > LINE_BYTES_MAX {
            return Err(at(format!("is longer than {} MiB; give another --out", LINE_BYTES_MAX >> 20)));
        }
        if !bytes.ends_with(b"\n") {
            return Err(at("is cut off; remove it, or give another --out".to_owned()));
        }
        let text =
            std::str::from_utf8(&bytes).map_err(|_| at("is no text; give another --out".to_owned()))?;
        let line = Line::parse(text).map_err(|words| at(format!("{words}; give another --out")))?;
        if !is_of(&line, prompts, targets) {
            return Err(at("is of another set, or of other versions; give another --out".to_owned()));
        }
        tally.push(&line).map_err(at)?;
    }
    Ok(())
}

/// Whether a line is of these prompts and versions.
fn is_of(line: &Line, prompts: &[Prompt<'_>], targets: &Sides<Target>) -> bool {
    let is_prompt = |number: usize, set: &str, case: &str| {
        prompts.get(number).is_some_and(|prompt| prompt.set == set && prompt.case.name == case)
    };
    match line {
        Line::Answer(answer) => {
            let side = if answer.round == ROUND_OF_BASELINE { Side::Baseline } else { answer.side };
            targets.of(side).name == answer.name && is_prompt(answer.prompt, &answer.set, &answer.case)
        }
        Line::Vote(vote) => is_prompt(vote.prompt, &vote.set, &vote.case),
        Line::Round(_) => true,
    }
}
