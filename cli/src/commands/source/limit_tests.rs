//! Sources with more than is read: each limit has words that name it, and a way out.

use super::equal_tests::{Now, with_files};
use super::{CA_BYTES_MAX, SourceArgs};
use crate::error::Error;
use crate::io::admin::{Admin, HttpAdmin};
use crate::io::claim::Claim;
use crate::io::files::Files;
use crate::io::source::Loaded;
use crate::io::target::{Target, Waiting};
use crate::tests::server::{Reply, Server, parameter};
use clap::Parser;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const MIB: usize = 1 << 20;
const LABELS: &str = "llm_rollout=\"chat\",llm_version=\"v2\",llm_compare=\"yes\"";
/// More than a page or an answer may have.
const TOO_MUCH: usize = 100 * MIB + 1;

/// A file of one text again and again. It counts how much of it is read.
struct Again {
    text: Vec<u8>,
    bytes: usize,
    read: Arc<AtomicU64>,
}

struct Reading {
    text: Vec<u8>,
    at: usize,
    left: usize,
    read: Arc<AtomicU64>,
}

impl Read for Reading {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let rest = &self.text[self.at..];
        let length = rest.len().min(into.len()).min(self.left);
        into[..length].copy_from_slice(&rest[..length]);
        self.left -= length;
        self.at = (self.at + length) % self.text.len();
        self.read.fetch_add(length as u64, Ordering::SeqCst);
        Ok(length)
    }
}

impl Files for Again {
    fn open(&self, _: &Path) -> io::Result<Box<dyn BufRead>> {
        let (text, read) = (self.text.clone(), Arc::clone(&self.read));
        Ok(Box::new(BufReader::new(Reading { text, at: 0, left: self.bytes, read })))
    }

    fn replace(&self, _: &Path, _: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn lock(&self, _: &Path, _: &mut Waiting<'_>) -> Result<Box<dyn Target>, Error> {
        Err(Error::refused("is no file"))
    }

    fn claim(&self, _: &Path, _: &str) -> Result<Box<dyn Claim>, Error> {
        Err(Error::refused("is no file"))
    }

    fn append(&self, _: &Path, _: &[u8]) -> io::Result<()> {
        Err(io::Error::from(io::ErrorKind::ReadOnlyFilesystem))
    }
}

/// Loads a source whose files are so many bytes of a text, again and again. Returns how many were read as well.
fn load(arguments: &[&str], text: &str, bytes: usize) -> (Result<Loaded, String>, u64) {
    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        source: SourceArgs,
    }
    let command = Command::try_parse_from(["x"].iter().chain(arguments)).unwrap();
    let files = Again { text: text.into(), bytes, read: Arc::default() };
    let now = Now::default();
    now.0.store(1_770_000_000_000, Ordering::SeqCst);
    let loaded = with_files(&files, &now, |world| {
        let since_ms = Some(1_770_000_000_000 - 300_000);
        command.source.open(world, since_ms, None).and_then(|mut source| source.load(world))
    });
    (loaded.map_err(|error| error.to_string()), files.read.load(Ordering::SeqCst))
}

#[test]
fn a_page_has_100_mib_at_most() {
    // A poll waits 2 s, in which a busy machine may not read so much.
    let read = |bytes: usize| {
        let server = Server::start(move |_| Reply::ok(vec![b'#'; bytes]));
        HttpAdmin::new().metrics(&server.url, Duration::from_secs(60)).map(|page| page.len())
    };
    assert_eq!(read(100 * MIB), Ok(100 * MIB));
    let error = read(TOO_MUCH).unwrap_err();
    assert!(
        error.starts_with(
            "its answer cannot be read: it is longer than 100 MiB; write \"shards\": false into its rollouts"
        ),
        "{error}"
    );
}

#[test]
fn an_answer_has_100_mib_at_most() {
    // A step after the other is asked for, and each is too much.
    let server = Server::start(|_| Reply::ok(vec![b' '; TOO_MUCH]));
    let (loaded, _) = load(&["--prometheus", &server.url], "", 0);
    let error = loaded.unwrap_err();
    assert!(
        error.ends_with(
            "answers with more than 100 MiB at once. Narrow the series by --rollout and --selector"
        ),
        "{error}"
    );
    let steps = |head: &String| {
        let number = |name| parameter(head, name).parse::<u64>().unwrap();
        (number("end") - number("start")) / 60 + 1
    };
    assert_eq!(server.heads().iter().map(steps).collect::<Vec<_>>(), [5, 2, 1]);
    // Of an error no more is read than is shown.
    let server = Server::start(|_| Reply::Http("500 Internal Server Error", vec![b'x'; TOO_MUCH]));
    let error = load(&["--prometheus", &server.url], "", 0).0.unwrap_err();
    assert!(error.contains("is not available (500): xxx") && error.len() < 1_000, "{error}");
}

#[test]
fn a_file_may_be_of_any_length_and_a_line_may_not() {
    let line = format!("llm_retries_total{{{LABELS}}} 5 1770000000\n");
    let (loaded, read) = load(&["--from", "x"], &line, 100 * MIB);
    assert!(loaded.is_ok_and(|loaded| loaded.notes.len() == 1), "its last line is cut off");
    assert_eq!(read, 100 << 20);
    let (loaded, read) = load(&["--from", "x"], "x", 100 * MIB);
    assert_eq!(loaded.unwrap_err(), "x: line 1 is longer than 64 KiB");
    assert!(read < 1 << 18, "no more of it is kept or read: {read}");
    let (loaded, read) = load(&["--from", "x"], "up 1 5\n", MIB);
    assert!(loaded.is_err_and(|error| error.contains("has no samples of the filter's metrics")));
    assert_eq!(read, 1 << 20);
}

#[test]
fn files_beside_the_samples_have_limits() {
    let options = ["--prometheus", "http://127.0.0.1:1"];
    for (option, words) in [
        ("--bearer-token-file", "--bearer-token-file x: is longer than 64 KiB, and no token"),
        ("--ca", "--ca x: is longer than 4 MiB; give the authority's certificate alone"),
    ] {
        let (loaded, read) = load(&[&options[..], &[option, "x"]].concat(), "x", 100 * MIB);
        assert_eq!(loaded.unwrap_err(), words);
        assert!(read <= CA_BYTES_MAX + (1 << 16), "{option}: {read}");
    }
}
