//! A second run of this tool beside this one, whose lines are read while this one goes on. Nothing here waits for it.

use crate::error::io_words;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;

/// The longest line that is read; the rest of a longer one is lost, and with it the line.
const LINE_BYTES_MAX: usize = 16 << 20;
/// So many lines wait to be taken. A program that writes faster waits.
const LINES_MAX: usize = 64;
/// So much of what it said last is kept, as the reason why it ended.
const SAID_CHARS_MAX: usize = 500;

/// Starts this tool again.
pub(crate) trait Beside {
    /// Starts it with these arguments. It ends when it is dropped.
    ///
    /// # Errors
    /// It cannot be started, in words without a subject.
    fn start(&self, arguments: &[String]) -> Result<Box<dyn Program>, String>;
}

/// A program that runs.
pub(crate) trait Program {
    /// The lines of its standard output since this was asked last.
    fn lines(&mut self) -> Vec<String>;
    /// How it ended, in words; `None` while it runs.
    fn ended(&mut self) -> Option<String>;
}

/// Runs this program's own file.
pub(crate) struct OwnProgram;

struct Running {
    child: Child,
    lines: mpsc::Receiver<String>,
    /// The last error that it said.
    said: Arc<Mutex<String>>,
}

impl Beside for OwnProgram {
    fn start(&self, arguments: &[String]) -> Result<Box<dyn Program>, String> {
        let own = std::env::current_exe().map_err(|error| io_words(&error))?;
        let mut command = Command::new(own);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| io_words(&error))?;
        let (sender, lines) = mpsc::sync_channel(LINES_MAX);
        let said = Arc::new(Mutex::new(String::new()));
        if let Some(out) = child.stdout.take() {
            thread::spawn(move || each_line(out, &mut |line| sender.send(line).is_ok()));
        }
        if let Some(err) = child.stderr.take() {
            let said = Arc::clone(&said);
            thread::spawn(move || {
                each_line(err, &mut |line| {
                    if let Some(error) = line.strip_prefix("error: ") {
                        let error = error.chars().take(SAID_CHARS_MAX).collect();
                        *said.lock().unwrap_or_else(PoisonError::into_inner) = error;
                    }
                    true
                });
            });
        }
        Ok(Box::new(Running { child, lines, said }))
    }
}

/// Hands lines out until there are no more, or nobody takes them.
fn each_line(from: impl Read, take: &mut dyn FnMut(String) -> bool) {
    let mut from = BufReader::new(from);
    loop {
        let mut line = Vec::new();
        let read = (&mut from).take(LINE_BYTES_MAX as u64).read_until(b'\n', &mut line);
        if !read.is_ok_and(|bytes| bytes > 0) {
            return;
        }
        // The rest of a line that is too long is one more line, which nobody can read either.
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        if !take(line) {
            return;
        }
    }
}

impl Program for Running {
    fn lines(&mut self) -> Vec<String> {
        self.lines.try_iter().collect()
    }

    fn ended(&mut self) -> Option<String> {
        let status = match self.child.try_wait() {
            Ok(None) => return None,
            Ok(Some(status)) => status,
            Err(error) => return Some(io_words(&error)),
        };
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Some(match (said.is_empty(), status.code()) {
            (false, _) => said,
            (true, Some(code)) => format!("it ended with the exit code {code}"),
            (true, None) => "it was ended by a signal".to_owned(),
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // One that has ended is no failure.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::each_line;

    #[test]
    fn lines_are_handed_out_until_nobody_takes_them() {
        let mut lines = Vec::new();
        each_line("a\r\nb\n\nc".as_bytes(), &mut |line| {
            lines.push(line);
            true
        });
        assert_eq!(lines, ["a", "b", "", "c"]);
        let mut count = 0;
        each_line("a\nb\nc\n".as_bytes(), &mut |_| {
            count += 1;
            count < 2
        });
        assert_eq!(count, 2);
    }
}
