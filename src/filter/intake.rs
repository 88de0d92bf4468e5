//! What is read of a request's body before its version is told: as much as the configuration needs, while the
//! request waits.
//!
//! The body of a request that waits after its head comes only where Envoy was told `allow_on_headers_stop_iteration`
//! (the plugin's own setting, since Envoy 1.35), which a filter cannot ask for. So no request waits for long where no
//! body of one has been seen to come, and once it is clear that none does, no more wait: see [`Waits`].

use alloc::string::String;
use alloc::vec::Vec;
use core::cell::Cell;

use super::headers::Headers;
use super::host::{self, Action, Buffer, Level};
use super::root::Root;
use crate::fingerprint::Fingerprint;
use crate::observe::Micros;
use crate::pointer::{Fact, Values};
use crate::route;
use crate::timestamp::UnixMs;
use crate::turn::Turn;

/// Read of a body that waits, which is below Envoy's own limit: 1 MiB if not told otherwise. Past that it answers 413
/// itself, even where the last piece jumps from far below this to far above, as pieces of up to 1 MiB do. So a
/// body that may be longer waits in pieces that are out of reach once read, unless it may have to be edited.
pub(super) const BYTES_MAX: usize = 1024 * 1024 - 64 * 1024;
/// How often requests that wait are looked at.
pub(super) const TICK_MS: u32 = 500;
/// How long a request waits for the first of its body, where it is not known whether bodies come.
const WAIT_US_MAX: Micros = 2_000_000;
/// The same where they have been seen to come: some clients are slow.
const KNOWN_WAIT_US_MAX: Micros = 10_000_000;
/// A body that comes so soon after its request went on had been there all the time.
const AT_ONCE_US: Micros = 20_000;
const NO_BODIES: &str = "requests go on without waiting for their bodies from now on, because none came: keys, models and \
    marks in bodies are not read. Set allow_on_headers_stop_iteration on the plugin (Envoy 1.35 or later), or use \
    keys in headers, cookies, queries or metadata";

/// Whether the bodies of requests that wait come.
#[derive(Default)]
pub(super) struct Waits(Cell<State>);

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Unknown,
    Come,
    NeverCome,
}

impl Waits {
    /// Whether a request may wait for its body.
    pub(super) fn may_wait(&self) -> bool {
        self.0.get() != State::NeverCome
    }

    /// How long it may wait for the first of it.
    pub(super) fn limit_us(&self) -> Micros {
        if self.0.get() == State::Come { KNOWN_WAIT_US_MAX } else { WAIT_US_MAX }
    }

    /// The body of a request that waits has come.
    pub(super) fn has_come(&self) {
        self.0.set(State::Come);
    }

    /// The first of a body has come, so long after its request gave up waiting for it.
    pub(super) fn has_come_after(&self, us: Micros) {
        if us <= AT_ONCE_US && self.0.get() == State::Unknown {
            self.0.set(State::NeverCome);
            host::log(Level::Warn, NO_BODIES);
        }
    }
}

/// A body that is read while its request waits.
pub(super) struct Intake {
    pub(super) requested: Micros,
    pub(super) now: UnixMs,
    values: Values,
    opening: Option<Fingerprint>,
    reach: Reach,
    /// What it shows of its turn, where it cannot be read once more.
    turn: Turn,
    /// When the last of it came, or its head.
    last: Micros,
    read_bytes: usize,
}

/// How much of a body that waits can be seen at once.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// All that has come, because it may have to be edited.
    All,
    /// The same, but it will be too long to be waited for.
    AllTooLong,
    /// The piece that came last.
    Piece,
}

impl Intake {
    pub(super) fn new(root: &Root, headers: &Headers, requested: Micros, now: UnixMs) -> Intake {
        let opening = root.reads_fingerprints.then(Fingerprint::default);
        let reach = match root.may_edit(headers.get(":path")) {
            false => Reach::Piece,
            true if is_too_long(headers) => Reach::AllTooLong,
            true => Reach::All,
        };
        let (values, turn) = (Values::new(&root.pointers), Turn::default());
        Intake { requested, now, values, opening, reach, turn, last: requested, read_bytes: 0 }
    }

    /// How the request waits for more of it.
    pub(super) fn pause(&self) -> Action {
        if self.reach == Reach::Piece { Action::PausePassing } else { Action::Pause }
    }

    /// How many of the bytes that are shown have been read.
    pub(super) fn shown_bytes(&self) -> usize {
        if self.reach == Reach::Piece { 0 } else { self.read_bytes }
    }

    /// Whether none of it has come.
    fn is_untouched(&self) -> bool {
        self.read_bytes == 0
    }

    /// Since when it waits for the first of it, or for more where Envoy may read no further.
    pub(super) fn waits_since(&self) -> Option<Micros> {
        (self.is_untouched() || self.reach == Reach::Piece).then_some(self.last)
    }

    /// What it shows of its turn, where it cannot be read once more.
    pub(super) fn turn(self) -> Option<Turn> {
        (self.reach == Reach::Piece).then_some(self.turn)
    }

    /// More of it came: `size` bytes are shown.
    pub(super) fn push(&mut self, root: &Root, size: usize, is_end: bool) {
        let start = self.shown_bytes();
        let room = BYTES_MAX.saturating_sub(self.read_bytes);
        let end = size.min(start.saturating_add(room));
        let mut at = start;
        let is_read = host::slices(Buffer::RequestBody, start, size, |bytes| {
            let is_shown_once = self.reach == Reach::Piece;
            if is_shown_once {
                self.turn.push(bytes);
            }
            let wanted = bytes.get(..end.saturating_sub(at)).unwrap_or(bytes);
            self.values.push(&root.pointers, wanted);
            if let Some(opening) = &mut self.opening {
                opening.push(wanted);
            }
            at = at.saturating_add(bytes.len());
            at < end || (is_shown_once && self.turn.wants_more())
        });
        self.read_bytes = self.read_bytes.saturating_add(end.saturating_sub(start));
        self.last = host::now();
        if is_end || size > end || !is_read || self.reach == Reach::AllTooLong {
            self.finish(root);
        }
    }

    /// No more of it is read.
    pub(super) fn finish(&mut self, root: &Root) {
        self.values.finish(&root.pointers);
        if let Some(opening) = &mut self.opening {
            opening.finish();
        }
    }
}

/// Whether the body of a request is longer than what waits, as its head tells.
pub(super) fn is_too_long(headers: &Headers) -> bool {
    headers.get("content-length").and_then(length).is_some_and(|length| length > BYTES_MAX)
}

/// The number in a `content-length`.
pub(super) fn length(value: &[u8]) -> Option<usize> {
    str::from_utf8(value).ok().and_then(|length| length.trim().parse().ok())
}

/// Whether a request can have a body that tells something.
pub(super) fn is_readable(headers: &Headers) -> bool {
    // What is upgraded has no body before it is answered, and who speaks gRPC may await an answer first.
    matches!(headers.get(":method"), Some(b"POST" | b"PUT" | b"PATCH"))
        && headers.get("content-encoding").is_none_or(|coding| coding.eq_ignore_ascii_case(b"identity"))
        && !headers.get("content-type").is_some_and(|kind| is_kind(kind, b"application/grpc"))
}

/// Whether a `content-type` begins so, in whatever case.
pub(super) fn is_kind(content_type: &[u8], start: &[u8]) -> bool {
    content_type.get(..start.len()).is_some_and(|kind| kind.eq_ignore_ascii_case(start))
}

/// The request whose callback is running, with what is known of it.
#[derive(Clone, Copy)]
pub(super) struct Request<'r> {
    pub(super) headers: &'r Headers,
    pub(super) body: Body<'r>,
}

/// What is known of a request's body.
#[derive(Clone, Copy)]
pub(super) enum Body<'r> {
    /// Nothing yet.
    Unread,
    /// It has none, or none that tells anything.
    Absent,
    /// What has been read of it.
    Read(&'r Intake),
}

impl route::Request for Request<'_> {
    fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers.get(name)
    }

    fn metadata(&self, path: &[String]) -> Option<Vec<u8>> {
        host::metadata(path)
    }

    fn body(&self, pointer: usize) -> Fact<'_> {
        match self.body {
            Body::Unread => Fact::Unknown,
            Body::Absent => Fact::Absent,
            Body::Read(intake) => intake.values.get(pointer),
        }
    }

    fn fingerprint(&self) -> Fact<'_> {
        match self.body {
            Body::Unread => Fact::Unknown,
            Body::Absent => Fact::Absent,
            Body::Read(intake) => intake.opening.as_ref().map_or(Fact::Absent, Fingerprint::get),
        }
    }
}
