//! The whole filter on the fake Envoy: any order of callbacks for several requests at once, configurations that come
//! and go, a clock that jumps, and calls that the host refuses. What must hold whatever happens: it never panics,
//! a body that nobody asked to edit passes as it came, each routed request is counted once, none waits for ever, and
//! a context that ended is gone.

use std::time::Duration;

use llm_canary::edit::{Chain, Editor};
use llm_canary::pin::{self, Endpoint, TagIds, Token, UntagIds};
use llm_canary::rewrite::{Model, ModelName};
use llm_canary::usage::{InjectUsage, StripUsage};

use super::input::Input;
use crate::host::{Cut, Envoy, Front, Id, STATUSES};

const PLAIN: &str = r#"{"rollouts": [{"name": "chat", "match": {"path_prefix": "/v1/"}, "baseline": "v1",
    "key": [{"header": "x-conversation-id"}, {"cookie": "c"}, {"query": "q"}, {"metadata": "ns/key"}],
    "started_at": {"header": "x-started"}, "keyless": "random", "refusal_phrases": true,
    "versions": [{"name": "v1", "cluster": "a"}, {"name": "v2", "cluster": "b"}], "split": {"v2": 50},
    "overrides": [{"header": "x-cohort", "values": ["staff"], "version": "v2"}],
    "pin": {"cookie": "pin", "header": "x-pin"}}]}"#;
const FROM_BODIES: &str = r#"{"rollouts": [{"name": "chat", "match": {"models": ["large"]}, "baseline": "v1",
    "key": [{"body": "/user"}, {"body": "/messages/0/content"}, {"first_message": true}],
    "versions": [{"name": "v1", "cluster": "a"}, {"name": "v2", "cluster": "b"}], "split": {"v2": 50},
    "feedback": {"path": "/feedback", "up": ["up"]}},
    {"name": "rest", "baseline": "v1", "versions": [{"name": "v1", "cluster": "a"}],
    "feedback": {"path": "/rated", "up": ["up"], "respond": false}}]}"#;
const USAGE: &str = r#"{"rollouts": [{"name": "chat", "baseline": "v1", "usage": "request",
    "key": [{"header": "x-conversation-id"}],
    "versions": [{"name": "v1", "cluster": "a"}, {"name": "v2", "cluster": "b"}], "split": {"v2": 50},
    "feedback": {"path": "/feedback", "up": ["up"]}}]}"#;
const MARKS: &str = r#"{"rollouts": [{"name": "chat", "baseline": "v1", "pin": {"response_id": true},
    "versions": [{"name": "v1", "cluster": "a"}, {"name": "v2", "cluster": "b"}], "split": {"v2": 50}}]}"#;
const ALL_EDITS: &str = r#"{"rollouts": [{"name": "chat", "baseline": "v1", "usage": "request",
    "pin": {"response_id": true, "cookie": "pin"}, "versions": [
    {"name": "v1", "cluster": "a", "rewrite": {"model": "one", "host": "h", "headers": {"x-canary": "0"}}},
    {"name": "v2", "cluster": "b", "rewrite": {"model": "two", "path_prefix": {"from": "/v1/", "to": "/v2/"}}}],
    "split": {"v2": 50}}]}"#;
const STOPPED: &str = r#"{"rollouts": [{"name": "chat", "baseline": "v1",
    "versions": [{"name": "v1", "cluster": "a"}, {"name": "v2", "cluster": "b", "stopped": true}],
    "steps": [{"at": "2023-11-14T00:00:00Z", "percent": {"v2": 10}},
              {"at": "2023-11-14T22:13:20Z", "percent": {"v2": 90}}]}]}"#;
const NOTHING: &str = r#"{"rollouts": []}"#;
const WRONG: &str = r#"{"rollouts": [{"name": "chat", "baseline": "v9", "versions": []}]}"#;

/// What is known of a configuration's edits.
#[derive(Clone, Copy)]
struct Setting {
    text: &'static str,
    marks: bool,
    asks: bool,
    /// The model that each version is asked for.
    models: [Option<&'static str>; 2],
}

const fn setting(text: &'static str, marks: bool, asks: bool, models: [Option<&'static str>; 2]) -> Setting {
    Setting { text, marks, asks, models }
}

const SETTINGS: [Setting; 8] = [
    setting(PLAIN, false, false, [None, None]),
    setting(FROM_BODIES, false, false, [None, None]),
    setting(USAGE, false, true, [None, None]),
    setting(MARKS, true, false, [None, None]),
    setting(ALL_EDITS, true, true, [Some("one"), Some("two")]),
    setting(STOPPED, false, false, [None, None]),
    setting(NOTHING, false, false, [None, None]),
    setting(WRONG, false, false, [None, None]),
];

const PATHS: [&str; 8] = [
    "/v1/chat/completions",
    "/v1/responses",
    "/v1/responses/resp_1",
    "/v1/conversations/c/items?q=k",
    "/feedback",
    "/rated?x",
    "/v1/completions?q=%ff",
    "",
];
const METHODS: [&str; 4] = ["POST", "POST", "POST", "GET"];
const REQUEST_TYPES: [&str; 4] = ["application/json", "application/json", "application/grpc", "text/plain"];
const RESPONSE_TYPES: [&str; 5] =
    ["text/event-stream", "application/json", "application/vnd.amazon.eventstream", "text/plain", ""];
const OTHER_HEADERS: [&str; 10] = [
    "x-conversation-id",
    "x-started",
    "x-cohort",
    "x-pin",
    "cookie",
    "authorization",
    "content-encoding",
    "x-stainless-retry-count",
    "x-llm-cluster",
    "x-llm-version",
];
const VALUES: [&[u8]; 8] = [
    b"c1",
    b"01890a5d-ac96-774b-bcce-b302099a8057",
    b"1700000000000",
    b"staff",
    b"pin=\xff; c=k",
    b"identity",
    b"gzip",
    b"\x01\xff",
];
const REQUEST_PIECES: [&[u8]; 12] = [
    b"{\"model\":\"large\",",
    b"\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]",
    b",\"stream\":true",
    b",\"stream_options\":null",
    b",\"stream_options\":{\"include_usage\":false}",
    b"}",
    b"{\"previous_response_id\":\"resp_1-llm-",
    b"{\"conversation\":{\"id\":\"conv_1-llm-",
    b"\",",
    b"{\"rating\":\"up\"}",
    b"\"user\":\"u\"",
    b" \n\"\\",
];
const RESPONSE_PIECES: [&[u8]; 12] = [
    b"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"}}],\"usage\":null}\n\n",
    b"data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\r\n\r\n",
    b"data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":5}}\n\n",
    b"data: [DONE]\n\n",
    b"data: {\"type\":\"response.created\",\"response\":{\"id\":\"resp_1\"}}\n\n",
    b"{\"id\":\"resp_1\",\"object\":\"response\",\"previous_response_id\":\"resp_0\"",
    b",\"usage\":{\"output_tokens\":1}}",
    b"data: {\"error\":{\"message\":\"x\"}}\n\n",
    b"event: x\rid: 1\ndata:",
    b": still here\n\n",
    b"\n",
    b"{\"message\":{\"content\":\"a\"},\"done\":true}\n",
];

const STEPS_MAX: usize = 300;
const STREAMS_MAX: usize = 8;

struct Stream {
    id: Id,
    setting: Setting,
    path: &'static str,
    method: &'static str,
    kind: &'static str,
    /// As a server reads it: with a coding, the filter leaves the body alone.
    is_encoded: bool,
    posted: Vec<u8>,
    is_posted: bool,
    /// The end was not handed over, because the request waited.
    owes_end: bool,
    responses: usize,
    response_type: &'static str,
    is_response_encoded: bool,
    answered: Vec<u8>,
    is_answered: bool,
    /// Callbacks came in an order in which no host would call.
    is_odd: bool,
}

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
    Front::choose(if bytes.last().is_some_and(|byte| byte % 2 == 0) {
        Front::EnvoyVm
    } else {
        Front::FakeHost
    });
    let mut envoy = Envoy::new();
    let setting = input.pick(&SETTINGS[..7]);
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
        let has_body = self.input.below(4) > 0;
        let id = if has_body {
            self.envoy.request_with(&headers, &[(&["ns", "key"], b"k")])
        } else {
            self.envoy.get(&headers)
        };
        self.begun += 1;
        self.streams.push(Stream {
            id,
            setting: self.setting,
            path,
            method,
            kind,
            is_encoded,
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
        let status = self.input.pick(&["200", "200", "503", "\u{ff}"]);
        let kind = self.input.pick(&RESPONSE_TYPES);
        let (has_length, is_encoded) = (self.input.below(4) == 0, self.input.below(8) == 0);
        let (is_end, is_local) = (self.input.below(8) == 0, self.input.below(8) == 0);
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
            (stream.response_type, stream.is_response_encoded) = (kind, is_encoded);
            stream.is_answered |= is_end;
            stream.id.respond(status, &headers, is_end);
        }
    }

    fn answer(&mut self) {
        let (piece, is_end) = (self.piece(&RESPONSE_PIECES), self.input.below(6) == 0);
        let has_trailers = self.input.below(16) == 0;
        let Some(stream) = self.stream() else { return };
        stream.is_odd |= stream.is_answered || stream.responses != 1;
        stream.answered.extend_from_slice(&piece);
        stream.is_answered |= is_end;
        stream.id.body(&piece, is_end);
        if has_trailers {
            // What an edit holds back at that moment the host does not take any more.
            stream.is_odd = true;
            stream.is_answered = true;
            stream.id.trailers();
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
        self.routed += u64::from(stream.id.filter_state("llm_reason").is_some());
        match way {
            0 => stream.id.cut(Cut::Client),
            1 => stream.id.cut(Cut::Upstream),
            _ => stream.id.end(),
        }
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

impl Stream {
    fn post(&mut self, piece: &[u8], is_end: bool) {
        self.is_odd |= self.is_posted;
        self.is_posted |= is_end;
        self.posted.extend_from_slice(piece);
        self.id.post_piece(piece, is_end);
        self.owes_end |= is_end && self.id.is_paused();
        self.check();
    }

    /// A request that goes on gets what it missed.
    fn go_on(&mut self) {
        let has_missed = self.owes_end || self.id.upstream_body().len() < self.posted.len();
        if has_missed && !self.id.is_paused() && self.id.local_reply().is_none() {
            let is_end = std::mem::take(&mut self.owes_end);
            self.id.post_piece(b"", is_end);
        }
        self.check();
    }

    /// Whether a version was given to it here.
    fn is_routed(&self) -> bool {
        self.id.filter_state("llm_reason").is_some()
    }

    fn edits_request(&self) -> bool {
        self.setting.marks || self.setting.asks || self.setting.models[0].is_some()
    }

    /// What holds at any moment: what was not to be edited is not.
    fn check(&self) {
        let sent = self.id.upstream_body();
        if !self.edits_request() {
            assert!(self.posted.starts_with(&sent), "{}", sent.escape_ascii());
            if !self.id.is_paused() && self.id.local_reply().is_none() && !self.owes_end {
                assert!(sent == self.posted, "{}", sent.escape_ascii());
            }
        }
        if !self.setting.marks && !self.setting.asks {
            assert!(self.id.client_body() == self.answered, "{}", self.id.client_body().escape_ascii());
        }
    }

    /// What holds where all came in order: what was to be edited is what the edits make of the whole.
    fn check_edits(&self) {
        let is_whole = self.is_posted && !self.owes_end && !self.id.is_paused();
        if self.is_odd || self.id.local_reply().is_some() {
            return;
        }
        if is_whole && self.edits_request() {
            let expected = if self.is_routed() { self.edited_request() } else { self.posted.clone() };
            let sent = self.id.upstream_body();
            assert!(sent == expected, "{} of {}", sent.escape_ascii(), self.posted.escape_ascii());
        }
        if self.is_answered && (self.setting.marks || self.setting.asks) {
            let sent = self.id.client_body();
            let is_hidden = self.setting.asks && sent == whole(&mut StripUsage::default(), &self.answered);
            let is_expected = match self.marked_response() {
                Some(marked) if self.is_routed() => sent == marked,
                _ => sent == self.answered || is_hidden,
            };
            assert!(is_expected, "{} of {}", sent.escape_ascii(), self.answered.escape_ascii());
        }
    }

    fn edited_request(&self) -> Vec<u8> {
        let is_readable = self.method == "POST" && !self.is_encoded && self.kind != "application/grpc";
        if !is_readable {
            return self.posted.clone();
        }
        let path = self.path.as_bytes();
        let unmark = (self.setting.marks && Endpoint::of(path).is_some())
            .then(|| UntagIds::new(["v1", "v2"].map(|version| Token::of("chat", version)).into()));
        let version = self.id.filter_state("llm_version").unwrap();
        let model = self.setting.models[usize::from(version == "v2")];
        let model = model.map(|model| Model::new(ModelName::new(model)));
        let is_completion = self.path.split('?').next().unwrap().ends_with("/completions");
        let asks = self.setting.asks && is_completion && self.kind == "application/json";
        let mut edits = Chain(unmark, Chain(model, asks.then(InjectUsage::default)));
        whole(&mut edits, &self.posted)
    }

    /// Where it tells the id of what is stored.
    fn marked_response(&self) -> Option<Vec<u8>> {
        let is_stored = Endpoint::of(self.path.as_bytes()) == Some(Endpoint::Stored);
        if !self.setting.marks || !is_stored || self.is_response_encoded {
            return None;
        }
        let is_stream = self.response_type == "text/event-stream";
        let kind = if is_stream { pin::Body::Stream } else { pin::Body::Whole };
        let token = Token::of("chat", &self.id.filter_state("llm_version")?);
        Some(whole(&mut TagIds::new(kind, token), &self.answered))
    }
}

/// What an edit makes of a whole body.
fn whole(edit: &mut impl Editor, body: &[u8]) -> Vec<u8> {
    let mut sent = edit.push(body).unwrap_or_else(|| body.to_vec());
    sent.extend(edit.finish());
    sent
}
