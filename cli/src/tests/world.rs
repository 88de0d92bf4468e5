//! A world in memory.

use crate::error::Error;
use crate::io::World;
use crate::io::admin::{Admin, Page};
use crate::io::ask::HttpAsk;
use crate::io::beside::OwnProgram;
use crate::io::claim::Claim;
use crate::io::clock::Clock;
use crate::io::files::Files;
use crate::io::kubectl::{Kubectl, KubectlError};
use crate::io::notices::Couriers;
use crate::io::post::HttpPost;
use crate::io::signals::SystemSignals;
use crate::io::target::{Target, Waiting, Write};
use crate::plugin::PathSegment;
use crate::table::Canvas;
use llm_canary::config::json::{self, Node};
use llm_canary::timestamp::{UnixMs, parse_rfc3339, rfc3339};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::{self, BufRead, Cursor};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

thread_local! {
    /// How long this thread has slept. Each has its own time, so that what one waits for does not depend on others.
    static SLEPT: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// What a run left behind.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: u8,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// A world that stays the same between runs.
pub(crate) struct FakeWorld {
    clock: FakeClock,
    files: FakeFiles,
    admin: FakeAdmin,
}

/// A clock that only sleeping moves, and the test.
#[derive(Clone)]
struct FakeClock {
    now: Arc<Mutex<UnixMs>>,
}

type Texts = Arc<Mutex<BTreeMap<String, Vec<u8>>>>;

struct FakeFiles {
    texts: Texts,
}

struct FakeTarget {
    name: String,
    text: String,
    texts: Texts,
}

/// How an Envoy takes a change of `chat.json`.
#[derive(Clone, Copy)]
pub(super) enum Takes {
    /// It runs the change this long after it was first asked about it.
    After(Duration),
    /// It counts a refusal.
    Nothing,
    /// It does not answer.
    Silence,
}

/// An Envoy that answers its first requests after a while.
#[derive(Clone, Copy)]
pub(super) struct Slow {
    pub(super) requests: u32,
    pub(super) answers_after: Duration,
}

struct FakeAdmin {
    texts: Texts,
    clock: FakeClock,
    envoys: BTreeMap<String, FakeEnvoy>,
}

struct FakeEnvoy {
    takes: Takes,
    /// How far its clock is ahead; `None` if it does not say its time.
    ahead_ms: Option<i64>,
    /// How long it takes to answer for the first times.
    slow: Slow,
    /// The hash of what it runs, and when it was first asked after a change.
    state: Mutex<(u32, Option<Duration>)>,
    /// How often it was asked.
    asked: Mutex<u32>,
}

struct NoKubectl;

impl FakeWorld {
    /// A world at this time, with these files.
    pub(crate) fn new(now: &str, files: &[(&str, &str)]) -> Self {
        let texts = Texts::default();
        let clock = FakeClock { now: Arc::new(Mutex::new(parse_rfc3339(now).unwrap())) };
        let world = Self {
            clock: clock.clone(),
            files: FakeFiles { texts: Arc::clone(&texts) },
            admin: FakeAdmin { texts, clock, envoys: BTreeMap::new() },
        };
        for (name, text) in files {
            world.write(name, text);
        }
        world
    }

    pub(super) fn write(&self, name: &str, text: &str) {
        self.files.texts.lock().unwrap().insert(name.to_owned(), text.as_bytes().to_vec());
    }

    /// Adds to the file `r.jsonl`.
    pub(crate) fn add(&self, text: &str) {
        let mut texts = self.files.texts.lock().unwrap();
        texts.entry("r.jsonl".to_owned()).or_default().extend(text.bytes());
    }

    pub(super) fn write_bytes(&self, name: &str, bytes: &[u8]) {
        self.files.texts.lock().unwrap().insert(name.to_owned(), bytes.to_owned());
    }

    pub(super) fn read(&self, name: &str) -> String {
        String::from_utf8(self.files.texts.lock().unwrap()[name].clone()).unwrap()
    }

    /// Lets time pass.
    pub(super) fn pass(&self, duration: Duration) {
        *self.clock.now.lock().unwrap() += duration.as_millis() as UnixMs;
    }

    /// Adds an Envoy that runs what `chat.json` says now.
    pub(super) fn add_envoy(&mut self, address: &str, takes: Takes) {
        let state = Mutex::new((self.admin.hash(), None));
        let slow = Slow { requests: 0, answers_after: Duration::ZERO };
        let envoy = FakeEnvoy { takes, ahead_ms: Some(0), slow, state, asked: Mutex::default() };
        self.admin.envoys.insert(address.to_owned(), envoy);
    }

    /// How an Envoy says its time: how far it is ahead, if it says it, and how late it answers.
    pub(super) fn set_clock(&mut self, address: &str, ahead_ms: Option<i64>, slow: Slow) {
        let envoy = self.admin.envoys.get_mut(address).unwrap();
        (envoy.ahead_ms, envoy.slow) = (ahead_ms, slow);
    }

    /// Adds an Envoy that runs every change at once, and whose clock is so far ahead.
    pub(super) fn add_envoy_ahead(&mut self, address: &str, ahead_ms: i64) {
        self.add_envoy(address, Takes::After(Duration::ZERO));
        self.admin.envoys.get_mut(address).unwrap().ahead_ms = Some(ahead_ms);
    }

    pub(super) fn run(&self, arguments: &[&str]) -> Ran {
        let arguments = ["llm-canary"].iter().chain(arguments).map(|argument| argument.into()).collect();
        self.run_on(Canvas::default, |world| crate::run(arguments, world))
    }

    /// Runs something in this world, with this for standard output; it returns the exit code.
    pub(crate) fn run_on(&self, canvas: fn() -> Canvas, run: impl FnOnce(&mut World<'_>) -> u8) -> Ran {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut world = World {
            clock: &self.clock,
            files: &self.files,
            admin: &self.admin,
            kubectl: &NoKubectl,
            post: &HttpPost::new(),
            ask: &HttpAsk::new(),
            notices: &Couriers::new(),
            beside: &OwnProgram,
            signals: &SystemSignals::default(),
            random: || 0x8000_0000,
            listen: crate::io::server::listen,
            canvas,
            out: &mut out,
            err: &mut err,
        };
        let code = run(&mut world);
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ran { code, out: text(out), err: text(err) }
    }

    /// A run with this text on standard input.
    pub(super) fn run_with_input(&self, arguments: &[&str], input: &str) -> Ran {
        self.write("-", input);
        self.run(arguments)
    }

    /// A run that does what it was asked.
    #[track_caller]
    pub(super) fn fine(&self, arguments: &[&str]) -> Ran {
        let ran = self.run(arguments);
        assert_eq!(ran.code, 0, "{arguments:?}: {ran:?}");
        ran
    }

    /// A run that is refused with this message, and prints nothing.
    #[track_caller]
    pub(super) fn refused(&self, arguments: &[&str], message: &str) {
        let ran = self.run(arguments);
        assert!(ran.code == 2 && ran.out.is_empty() && ran.err.contains(message), "{arguments:?}: {ran:?}");
    }
}

pub(crate) fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).expect(text)
}

impl Clock for FakeClock {
    fn now(&self) -> UnixMs {
        *self.now.lock().unwrap()
    }

    fn elapsed(&self) -> Duration {
        SLEPT.get()
    }

    fn sleep(&self, duration: Duration) {
        SLEPT.set(SLEPT.get() + duration);
    }
}

impl Files for FakeFiles {
    fn open(&self, path: &Path) -> io::Result<Box<dyn BufRead>> {
        let texts = self.texts.lock().unwrap();
        let text = texts.get(path.to_str().unwrap()).cloned();
        Ok(Box::new(Cursor::new(text.ok_or(io::Error::from(io::ErrorKind::NotFound))?)))
    }

    fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let name = path.to_str().unwrap().to_owned();
        if name.starts_with("nowhere/") {
            return Err(io::ErrorKind::NotFound.into());
        }
        self.texts.lock().unwrap().insert(name, bytes.to_vec());
        Ok(())
    }

    fn lock(&self, path: &Path, _: &mut Waiting<'_>) -> Result<Box<dyn Target>, Error> {
        let name = path.to_str().unwrap().to_owned();
        let text = self.texts.lock().unwrap().get(&name).cloned();
        let text = text.ok_or_else(|| Error::problem(&name, "does not exist"))?;
        let text = String::from_utf8(text).unwrap();
        Ok(Box::new(FakeTarget { name, text, texts: Arc::clone(&self.texts) }))
    }

    fn claim(&self, path: &Path, _: &str) -> Result<Box<dyn Claim>, Error> {
        Err(Error::problem(path.to_str().unwrap(), "is not claimed in this world"))
    }

    fn append(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let name = path.to_str().unwrap().to_owned();
        self.texts.lock().unwrap().entry(name).or_default().extend(bytes);
        Ok(())
    }
}

impl Target for FakeTarget {
    fn name(&self) -> &str {
        &self.name
    }

    fn text(&self) -> &str {
        &self.text
    }

    fn lead_ms(&self) -> u64 {
        2_000
    }

    fn dry_run(&self, _: &str, _: &[PathSegment]) -> Result<(), Error> {
        Ok(())
    }

    fn write(&self, text: &str, _: &[PathSegment], clock: &dyn Clock) -> Result<Write, Error> {
        self.texts.lock().unwrap().insert(self.name.clone(), text.as_bytes().to_vec());
        Ok(Write { at: clock.elapsed(), warning: None })
    }
}

impl FakeAdmin {
    /// The hash of `chat.json`.
    fn hash(&self) -> u32 {
        json::parse(&self.texts.lock().unwrap()["chat.json"]).map_or(0, |tree| Node::hash(&tree))
    }
}

/// The header `date` at a time. The tool does not read the day of the week.
pub(super) fn http_date(at: UnixMs) -> String {
    let text = rfc3339(at / 1_000 * 1_000);
    let (date, time) = text.trim_end_matches('Z').split_once('T').unwrap();
    let parts: Vec<&str> = date.split('-').collect();
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = months[parts[1].parse::<usize>().unwrap() - 1];
    format!("Mon, {} {month} {} {time} GMT", parts[2], parts[0])
}

impl Admin for FakeAdmin {
    /// The file that has the address for its name.
    fn metrics(&self, admin: &str, _: Duration) -> Result<Vec<u8>, String> {
        let page = self.texts.lock().unwrap().get(admin).cloned();
        page.ok_or_else(|| "it does not answer: connection refused".to_owned())
    }

    fn get(&self, admin: &str, path: &str, timeout: Duration) -> Result<Page, String> {
        assert!(path.starts_with("/stats?filter=llm_config_hash%7C"), "{path}");
        let silent = || "it does not answer: connection refused".to_owned();
        let envoy = self.envoys.get(admin).ok_or_else(silent)?;
        let mut requests = envoy.asked.lock().unwrap();
        *requests += 1;
        if *requests <= envoy.slow.requests && envoy.slow.answers_after > timeout {
            return Err("it does not answer: it took too long".to_owned());
        }
        let mut state = envoy.state.lock().unwrap();
        let (running, asked) = &mut *state;
        let written = self.hash();
        let is_changed = written != *running;
        let first_asked = if is_changed { *asked.get_or_insert(SLEPT.get()) } else { SLEPT.get() };
        let mut refused = 3;
        match envoy.takes {
            Takes::After(delay) if is_changed && SLEPT.get() - first_asked >= delay => {
                (*running, *asked) = (written, None)
            }
            Takes::After(_) => {}
            Takes::Nothing => refused += u32::from(is_changed),
            Takes::Silence => return Err(silent()),
        }
        let name = "extension_config_discovery.http_filter.llm-canary.update_rejected";
        let text =
            format!("{name}: {refused}\nwasmcustom.llm_config_hash.llm_rollout=.=chat;.;: {running}\n");
        let date = envoy.ahead_ms.map(|ahead_ms| http_date(self.clock.now().saturating_add_signed(ahead_ms)));
        Ok(Page { text, date })
    }
}

impl Kubectl for NoKubectl {
    fn run(&self, arguments: &[&str], _: &[u8]) -> Result<Vec<u8>, KubectlError> {
        panic!("no test here runs kubectl: {arguments:?}")
    }
}
