//! The whole filter on the fake Envoy: any order of callbacks for several requests at once, configurations that come
//! and go, a clock that jumps, and calls that the host refuses. What must hold whatever happens: it never panics,
//! a body that nobody asked to edit passes as it came, each routed request is counted once, none waits for ever, and
//! a context that ended is gone.

mod choices;
mod stream;

use std::time::Duration;

use llm_canary::pin::Token;

use self::choices::{
    CLUSTERS, GRPC_STATUSES, METHODS, OTHER_HEADERS, PATHS, REQUEST_PIECES, REQUEST_TYPES, RESPONSE_PIECES,
    RESPONSE_TYPES, SETTINGS, Setting, VALUES, WRONG,
};
use self::stream::Stream;
use super::input::Input;
use crate::host::{Cut, Envoy, Front, STATUSES};

const STEPS_MAX: usize = 300;
const STREAMS_MAX: usize = 8;

struct Run<'b> {
    input: Input<'b>,
    envoy: Envoy,
    setting: Setting,
    streams: Vec<Stream>,
    has_failed: bool,
    /// Requests that the filter gave a version.
    routed: u64,
    begun: u64,
}

/// What happens, as choices. The last byte chooses the host.
pub(crate) fn filter(bytes: &[u8]) {
    let mut input = Input(bytes);
    Front::choose(match bytes.last().map_or(0, |byte| byte % 3) {
        0 => Front::EnvoyVm,
        1 => Front::DynamicModule,
        _ => Front::FakeHost,
    });
    let mut envoy = Envoy::new();
    let setting = input.pick(&SETTINGS[..8]);
    assert!(envoy.configure(setting.text.as_bytes()), "{:?}", envoy.logs());
    let streams = Vec::new();
    let mut run = Run { input, envoy, setting, streams, has_failed: false, routed: 0, begun: 0 };
    for _ in 0..STEPS_MAX {
        if run.input.is_empty() {
            break;
        }
        run.step();
    }
    run.wind_up();
}

impl Run<'_> {
    fn step(&mut self) {
        match self.input.below(16) {
            0 | 1 => self.request(),
            2..=4 => self.post(),
            5 => self.post_trailers(),
            6 => self.respond(),
            7..=9 => self.answer(),
            10 => self.end(),
            11 => self.envoy.advance(Duration::from_millis(u64::from(self.input.u16()))),
            12 => self.tick(),
            // Seldom, because it takes as long as a hundred other steps.
            13 if self.input.below(4) == 0 => self.configure(),
            13 => self.tick(),
            14 => self.fail(),
            _ => self.envoy.deliver_bodies(),
        }
    }

    fn request(&mut self) {
        if self.streams.len() == STREAMS_MAX {
            return;
        }
        let path = self.input.pick(&PATHS);
        let method = self.input.pick(&METHODS);
        let kind = self.input.pick(&REQUEST_TYPES);
        let mut headers: Vec<(&str, &[u8])> = vec![
            (":method", method.as_bytes()),
            (":path", path.as_bytes()),
            (":authority", b"h"),
            ("content-type", kind.as_bytes()),
        ];
        if self.input.flag() {
            headers.push((
                "content-length",
                self.input.pick(&[&b"30"[..], b"0", b"\xff", b"99999999999999999999"]),
            ));
        }
        for _ in 0..self.input.below(4) {
            headers.push((self.input.pick(&OTHER_HEADERS), self.input.pick(&VALUES)));
        }
        let encoding = headers.iter().find(|(name, _)| *name == "content-encoding");
        let is_encoded = encoding.is_some_and(|(_, value)| *value != b"identity");
        let is_upgrade = headers.iter().any(|(name, _)| *name == "upgrade");
        let has_body = self.input.below(4) > 0;
        let id = if has_body {
            self.envoy.request_with(&headers, &[(&["ns", "key"], b"k")])
        } else {
            self.envoy.get(&headers)
        };
        id.route_to(self.input.pick(&CLUSTERS));
        self.begun += 1;
        self.streams.push(Stream {
            id,
            setting: self.setting,
            path,
            method,
            kind,
            is_encoded,
            is_upgrade,
            posted: Vec::new(),
            is_posted: !has_body,
            owes_end: false,
            responses: 0,
            response_type: "",
            is_response_encoded: false,
            answered: Vec::new(),
            is_answered: false,
            is_odd: false,
        });
    }

    fn stream(&mut self) -> Option<&mut Stream> {
        let count = self.streams.len();
        if count == 0 {
            return None;
        }
        let at = self.input.below(count);
        self.streams.get_mut(at)
    }

    fn piece(&mut self, pieces: &[&'static [u8]]) -> Vec<u8> {
        match self.input.below(16) {
            0 => Vec::new(),
            1 => {
                let length = usize::from(self.input.byte());
                self.input.bytes(length).to_vec()
            }
            2 => Token::of("chat", self.input.pick(&["v1", "v2", "v9"])).to_string().into_bytes(),
            3 => self.input.pick(pieces).repeat(1 + self.input.below(200)),
            4 => {
                let piece = self.input.pick(pieces);
                piece[..self.input.below(piece.len() + 1)].to_vec()
            }
            _ => self.input.pick(pieces).to_vec(),
        }
    }

    fn post(&mut self) {
        let (piece, is_end) = (self.piece(&REQUEST_PIECES), self.input.below(4) == 0);
        if let Some(stream) = self.stream() {
            stream.post(&piece, is_end);
        }
    }

    fn post_trailers(&mut self) {
        if let Some(stream) = self.stream() {
            // They come behind the body, which does not come where a request waits in vain.
            stream.is_odd |= stream.is_posted || stream.id.is_paused() || stream.id.local_reply().is_some();
            stream.is_posted = true;
            stream.id.post_trailers();
            stream.check();
        }
    }

    fn respond(&mut self) {
        let status = self.input.pick(&["200", "200", "503", "101", "204", "\u{ff}"]);
        let kind = self.input.pick(&RESPONSE_TYPES);
        let (has_length, is_encoded) = (self.input.below(4) == 0, self.input.below(8) == 0);
        let (is_end, is_local) = (self.input.below(8) == 0, self.input.below(8) == 0);
        let grpc_status = if is_end { self.input.pick(&GRPC_STATUSES) } else { "" };
        let Some(stream) = self.stream() else { return };
        stream.is_odd |= stream.is_answered || stream.id.is_paused();
        stream.responses += 1;
        if is_local {
            stream.response_type = "text/plain";
            stream.id.respond_locally(status);
        } else {
            let mut headers: Vec<(&str, &[u8])> = vec![("content-type", kind.as_bytes())];
            if has_length {
                headers.push(("content-length", b"5"));
            }
            if is_encoded {
                headers.push(("content-encoding", b"br"));
            }
            if !grpc_status.is_empty() {
                headers.push(("grpc-status", grpc_status.as_bytes()));
            }
            (stream.response_type, stream.is_response_encoded) = (kind, is_encoded);
            stream.is_answered |= is_end;
            stream.id.respond(status, &headers, is_end);
        }
    }

    fn answer(&mut self) {
        let (piece, is_end) = (self.piece(&RESPONSE_PIECES), self.input.below(6) == 0);
        let has_trailers = self.input.below(16) == 0;
        let trailers = [("grpc-status", self.input.pick(&GRPC_STATUSES))];
        let Some(stream) = self.stream() else { return };
        stream.is_odd |= stream.is_answered || stream.responses != 1;
        stream.answered.extend_from_slice(&piece);
        stream.is_answered |= is_end;
        stream.id.body(&piece, is_end);
        if has_trailers {
            // What an edit holds back at that moment the host does not take any more.
            stream.is_odd = true;
            stream.is_answered = true;
            stream.id.trailers_with(&trailers);
        }
        stream.check();
    }

    fn end(&mut self) {
        let way = self.input.below(4);
        if self.streams.is_empty() {
            return;
        }
        let at = self.input.below(self.streams.len());
        let stream = self.streams.swap_remove(at);
        self.finish(stream, way);
    }

    fn finish(&mut self, mut stream: Stream, way: usize) {
        stream.check();
        if !self.has_failed {
            stream.check_edits();
        }
        match way {
            0 => stream.id.cut(Cut::Client),
            1 => stream.id.cut(Cut::Upstream),
            _ => stream.id.end(),
        }
        // What a rollout observed may be known only in the end.
        self.routed += u64::from(stream.id.filter_state("llm_reason").is_some());
        assert_eq!(stream.id.call_after_end(), 0, "its context is still there");
        stream.is_odd = true;
    }

    fn tick(&mut self) {
        self.envoy.tick();
        self.streams.iter_mut().for_each(Stream::go_on);
    }

    fn configure(&mut self) {
        let setting = self.input.pick(&SETTINGS);
        if self.envoy.configure(setting.text.as_bytes()) {
            self.setting = setting;
        } else {
            assert!(setting.text == WRONG || self.has_failed, "{:?}", self.envoy.logs());
        }
    }

    fn fail(&mut self) {
        if self.input.below(4) == 0 {
            self.envoy.heal();
        } else {
            let (after, count) = (self.input.below(32), 1 + self.input.below(64));
            self.envoy.fail(after, count, self.input.pick(&STATUSES));
            self.has_failed = true;
        }
    }

    /// All requests end, and everything adds up.
    fn wind_up(mut self) {
        self.envoy.heal();
        self.envoy.advance(Duration::from_secs(11));
        self.tick();
        for mut stream in std::mem::take(&mut self.streams) {
            if !stream.is_posted {
                stream.post(b"", true);
            }
            self.envoy.advance(Duration::from_secs(11));
            self.envoy.tick();
            stream.go_on();
            let waits = stream.id.is_paused() && stream.id.local_reply().is_none();
            assert!(!waits || self.has_failed || stream.is_odd, "it waits for ever");
            self.finish(stream, 2);
        }
        let [decided, ended] =
            ["llm_decisions_total", "llm_requests_total"].map(|name| self.envoy.sum(name, ""));
        if self.has_failed {
            assert!(decided <= self.begun && ended <= self.begun, "{decided} and {ended} of {}", self.begun);
        } else {
            assert_eq!((decided, ended), (self.routed, self.routed));
        }
        self.envoy.stop();
    }
}
