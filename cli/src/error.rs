//! Why a command did not do what it was asked: words for a person, JSON for a script, and an exit code.

use serde::Serialize;
use serde_json::{Map, Value, json};
use std::fmt;
use std::io;

/// Exit code: an option or an input is wrong, and nothing was changed.
pub(crate) const INPUT_ERROR: u8 = 2;
/// Exit code: the configuration says what was asked, and not every Envoy runs it (yet).
pub(crate) const NOT_RUNNING: u8 = 4;

/// The system's number (`ELOOP` of Linux) of an error that has no name in the standard library yet.
const LINK_LOOP: i32 = 40;

/// One thing that is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Problem {
    /// The file and the configuration in it, or an Envoy's admin address; empty for the command line.
    pub(crate) place: String,
    /// The path of a field in the configuration, or empty.
    pub(crate) path: String,
    pub(crate) message: String,
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// An option, a name or the state of a rollout forbids it.
    #[error("{0}")]
    Refused(String),
    /// Inputs are wrong. The report is what a command prints with `--json` besides the errors.
    #[error("{}", summary(problems))]
    Invalid { problems: Vec<Problem>, report: Map<String, Value> },
    /// The filter would refuse the changed configuration.
    #[error("nothing was written, because the filter would refuse it: {}", summary(.0))]
    WouldBeRefused(Vec<Problem>),
    /// Not every Envoy runs the configuration. The report is as for [`Error::Invalid`].
    #[error("{message}")]
    NotRunning { message: String, problems: Vec<Problem>, report: Map<String, Value> },
    /// Standard output cannot be written.
    #[error("cannot write the output: it {}", io_words(.0))]
    Output(#[from] io::Error),
}

impl Problem {
    pub(crate) fn new(place: &str, path: &str, message: &str) -> Self {
        Self { place: place.to_owned(), path: path.to_owned(), message: message.to_owned() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [self.place.as_str(), &self.path, &self.message];
        let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        f.write_str(&parts.join(": "))
    }
}

impl Error {
    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self::Refused(message.into())
    }

    pub(crate) fn invalid(problems: Vec<Problem>) -> Self {
        Self::Invalid { problems, report: Map::new() }
    }

    /// A single problem of a file or another input.
    pub(crate) fn problem(place: &str, message: impl AsRef<str>) -> Self {
        Self::invalid(vec![Problem::new(place, "", message.as_ref())])
    }

    /// Whether the reader of standard output closed it, as `head` does when it has read enough: that is no error.
    pub(crate) fn is_closed_output(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }

    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::NotRunning { .. } => NOT_RUNNING,
            Self::Refused(_) | Self::Invalid { .. } | Self::WouldBeRefused(_) | Self::Output(_) => {
                INPUT_ERROR
            }
        }
    }

    /// Everything that is wrong; at least one problem.
    pub(crate) fn problems(&self) -> Vec<Problem> {
        match self {
            Self::Invalid { problems, .. }
            | Self::WouldBeRefused(problems)
            | Self::NotRunning { problems, .. } => problems.clone(),
            Self::Refused(_) | Self::Output(_) => vec![Problem::new("", "", &self.to_string())],
        }
    }

    /// The lines of standard error.
    pub(crate) fn lines(&self) -> Vec<String> {
        let (head, problems) = match self {
            Self::Invalid { problems, .. } => (None, problems.as_slice()),
            Self::WouldBeRefused(problems) => (
                Some("nothing was written, because the filter would refuse it:".to_owned()),
                problems.as_slice(),
            ),
            Self::Refused(_) | Self::NotRunning { .. } | Self::Output(_) => {
                (Some(self.to_string()), [].as_slice())
            }
        };
        let errors = head.into_iter().chain(problems.iter().map(Problem::to_string));
        let count = (problems.len() > 1).then(|| format!("{} errors", problems.len()));
        errors.map(|error| format!("error: {error}")).chain(count).collect()
    }

    /// What `--json` prints: the command's report, if it has one, and `error`, `errors` and `exit_code`.
    pub(crate) fn to_json(&self) -> Value {
        let mut json = match self {
            Self::Invalid { report, .. } | Self::NotRunning { report, .. } => report.clone(),
            Self::Refused(_) | Self::WouldBeRefused(_) | Self::Output(_) => Map::new(),
        };
        json.extend(json_fields(&self.to_string(), &self.problems(), self.exit_code()));
        Value::Object(json)
    }
}

/// The fields of an error in JSON.
pub(crate) fn json_fields(error: &str, problems: &[Problem], exit_code: u8) -> Map<String, Value> {
    let errors: Vec<Value> = problems
        .iter()
        .map(|problem| json!({"place": problem.place, "path": problem.path, "message": problem.message}))
        .collect();
    [("error", error.into()), ("errors", errors.into()), ("exit_code", exit_code.into())]
        .into_iter()
        .map(|(name, value): (_, Value)| (name.to_owned(), value))
        .collect()
}

/// What the system's refusal means, as a sentence without its subject: its own words differ from system to system.
pub(crate) fn io_words(error: &io::Error) -> String {
    if error.raw_os_error() == Some(LINK_LOOP) {
        return "is a link that leads back to itself; remove it, or let it lead to a file".to_owned();
    }
    use io::ErrorKind as Kind;
    let words = match error.kind() {
        Kind::NotFound => "does not exist",
        Kind::PermissionDenied => "is not allowed to this user",
        Kind::IsADirectory => "is a folder, not a file",
        Kind::NotADirectory => "has something in its path that is no folder",
        Kind::ReadOnlyFilesystem => "is on a file system that cannot be written",
        Kind::StorageFull => "is on a disk that is full",
        Kind::QuotaExceeded => "is more than this user's quota allows",
        Kind::FileTooLarge => "is larger than the file system allows",
        Kind::ResourceBusy | Kind::ExecutableFileBusy | Kind::AddrInUse => "is in use by somebody else",
        Kind::InvalidFilename => "has a name that the file system does not allow",
        Kind::InvalidInput => "has a name or a value that the system does not allow",
        Kind::InvalidData => "holds data that cannot be read",
        Kind::ConnectionRefused => "refuses the connection",
        Kind::ConnectionReset | Kind::ConnectionAborted => "broke the connection off",
        Kind::HostUnreachable | Kind::NetworkUnreachable | Kind::NetworkDown => "cannot be reached",
        Kind::AddrNotAvailable => "has an address that cannot be reached from here",
        Kind::TimedOut | Kind::WouldBlock => "took too long",
        Kind::UnexpectedEof => "ended too early",
        Kind::BrokenPipe => "was closed by its reader",
        Kind::OutOfMemory => "needs more memory than there is",
        Kind::Unsupported => "cannot do this on this system",
        _ => {
            return match error.raw_os_error() {
                Some(number) => format!("failed with the system's error number {number}"),
                None => "failed".to_owned(),
            };
        }
    };
    words.to_owned()
}

/// One line about all problems.
fn summary(problems: &[Problem]) -> String {
    match problems {
        [only] => only.to_string(),
        [first, ..] => format!("{} errors; the first is {first}", problems.len()),
        [] => "unknown error".to_owned(),
    }
}
