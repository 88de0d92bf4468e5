//! A world in which releases run: Envoys that serve by the file as it is, traffic that counts, and a clock that never waits.

use crate::controller::Signal;
use crate::error::Error;
use crate::io::World;
use crate::io::admin::{Admin, Page};
use crate::io::ask::HttpAsk;
use crate::io::beside::{Beside, Program};
use crate::io::claim::Claim;
use crate::io::clock::Clock;
use crate::io::files::Files;
use crate::io::kubectl::{Kubectl, KubectlError};
use crate::io::notices::{Notice, Notices, Receiver};
use crate::io::post::HttpPost;
use crate::io::signals::Signals;
use crate::io::target::{Target, Waiting, Write};
use crate::plugin::PathSegment;
use crate::tests::server::{Reply, Server, parameter};
use crate::tests::world::{Ran, http_date, json};
use llm_canary::config::Config;
use llm_canary::config::json::{self as tree, Node};
use llm_canary::timestamp::{UnixMs, parse_rfc3339};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::{self, BufRead, Cursor};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

pub(crate) const FILE: &str = "chat.json";
const CONFIG: &str = r#"{"rollouts": [{"name": "chat", "baseline": "v1",
  "versions": [{"name": "v1", "cluster": "a"}, {"name": "v2", "cluster": "b"}, {"name": "v3", "cluster": "c"}],
  "steps": []
}]}"#;
/// Prometheus asks this often.
const SCRAPE_MS: u64 = 15_000;
/// The buckets of lengths, and how many answers lie in each.
const EDGES: [&str; 5] = ["100", "200", "400", "800", "+Inf"];
const LENGTHS: [f64; 5] = [0.1, 0.2, 0.4, 0.2, 0.1];
const LONGER: [f64; 5] = [0.0, 0.1, 0.2, 0.3, 0.4];

/// What is wrong with a version's answers.
#[derive(Clone, Copy)]
pub(crate) struct Answers {
    pub(crate) errors: f64,
    pub(crate) refusals: f64,
    pub(crate) defects: f64,
    pub(crate) is_longer: bool,
    /// None ends any more.
    pub(crate) hangs: bool,
}

pub(crate) const HEALTHY: Answers =
    Answers { errors: 0.004, refusals: 0.01, defects: 0.004, is_longer: false, hangs: false };

/// An Envoy.
pub(crate) struct Envoy {
    /// How long it takes to run a change; `None`: it never does.
    pub(crate) takes: Option<Duration>,
    pub(crate) is_silent: bool,
    running: String,
    changed: Option<Duration>,
    counters: BTreeMap<String, f64>,
}

type Then = Box<dyn FnOnce(&mut Shared) + Send>;

/// The world's state.
pub(crate) struct Shared {
    pub(crate) now_ms: UnixMs,
    pub(crate) elapsed: Duration,
    files: BTreeMap<String, String>,
    pub(crate) envoys: BTreeMap<String, Envoy>,
    /// Requests a second that reach each Envoy.
    pub(crate) requests: f64,
    pub(crate) v2: Answers,
    /// When what happens, on the time since the start.
    script: Vec<(Duration, Then)>,
    pub(crate) signal: Option<Signal>,
    pub(crate) is_killed: bool,
    pub(crate) is_read_only: bool,
    pub(crate) is_disk_full: bool,
    pub(crate) is_prometheus_down: bool,
    pub(crate) notices: Vec<Value>,
    /// With which arguments the tool was started beside itself, what it writes when (since its start), and how it ends.
    pub(crate) beside: Vec<Vec<String>>,
    pub(crate) beside_lines: Vec<(Duration, String)>,
    pub(crate) beside_ends: Option<(Duration, &'static str)>,
    pub(crate) beside_runs: bool,
    /// Each write of the file: when, and v2's share and whether it is stopped.
    pub(crate) writes: Vec<(u64, f64, bool)>,
    claims: BTreeSet<String>,
    pub(crate) reasons: Vec<String>,
    /// What Prometheus has of each Envoy.
    history: Vec<(UnixMs, String, BTreeMap<String, f64>)>,
    scraped_ms: UnixMs,
    /// The live resource that holds the file's text as its plugin's configuration: its metadata.
    pub(crate) metadata: Value,
    /// Kubectl's runs with this verb fail, and print this: once, or until it is taken away.
    pub(crate) kubectl_fails: Option<(&'static str, &'static str)>,
    pub(crate) fails_once: bool,
    /// What has passed and is not counted yet.
    uncounted: Duration,
}

#[derive(Clone)]
pub(crate) struct Sim(Arc<Mutex<Shared>>);

impl Sim {
    /// Three Envoys, each with so many requests a second, since a few minutes.
    pub(crate) fn new(requests: f64) -> Self {
        let now_ms = parse_rfc3339("2026-11-23T09:00:00.4Z").unwrap();
        let shared = Shared {
            now_ms,
            elapsed: Duration::ZERO,
            files: BTreeMap::new(),
            envoys: BTreeMap::new(),
            requests,
            v2: HEALTHY,
            script: Vec::new(),
            signal: None,
            is_killed: false,
            is_read_only: false,
            is_disk_full: false,
            is_prometheus_down: false,
            notices: Vec::new(),
            beside: Vec::new(),
            beside_lines: Vec::new(),
            beside_ends: None,
            beside_runs: false,
            writes: Vec::new(),
            claims: BTreeSet::new(),
            reasons: Vec::new(),
            history: Vec::new(),
            scraped_ms: 0,
            metadata: json(r#"{"name": "llm-canary", "resourceVersion": "1"}"#),
            kubectl_fails: None,
            fails_once: false,
            uncounted: Duration::ZERO,
        };
        let sim = Self(Arc::new(Mutex::new(shared)));
        sim.write(CONFIG);
        for name in ["a", "b", "c"] {
            let envoy = Envoy {
                takes: Some(Duration::from_millis(20)),
                is_silent: false,
                running: CONFIG.to_owned(),
                changed: None,
                counters: BTreeMap::new(),
            };
            sim.lock().envoys.insert(format!("http://{name}:9901"), envoy);
        }
        (0..400).for_each(|_| sim.sleep(Duration::from_secs(1)));
        sim.lock().elapsed = Duration::ZERO;
        sim
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Shared> {
        // Who was killed held it.
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Each write of the file: at which second, v2's share, and whether it is stopped.
    pub(crate) fn writes(&self) -> Vec<(u64, f64, bool)> {
        self.lock().writes.clone()
    }

    pub(crate) fn notices(&self) -> Vec<Value> {
        self.lock().notices.clone()
    }

    /// Whole seconds since the start.
    pub(crate) fn seconds(&self) -> u64 {
        self.lock().elapsed.as_secs()
    }

    /// Replaces the file by hand.
    pub(crate) fn write(&self, text: &str) {
        self.lock().files.insert(FILE.to_owned(), text.to_owned());
    }

    pub(crate) fn write_file(&self, name: &str, text: &str) {
        self.lock().files.insert(name.to_owned(), text.to_owned());
    }

    pub(crate) fn read(&self, name: &str) -> String {
        self.lock().files.get(name).cloned().unwrap_or_default()
    }

    /// Something happens so long after now.
    pub(crate) fn after(&self, seconds: u64, then: impl FnOnce(&mut Shared) + Send + 'static) {
        let mut shared = self.lock();
        let at = shared.elapsed + Duration::from_secs(seconds);
        shared.script.push((at, Box::new(then)));
    }

    /// Runs the command with these options, `run chat.json v2` in front, and the admin pages as source.
    pub(crate) fn run(&self, options: &str) -> Ran {
        self.tool(&format!(
            "run {FILE} v2 --admin http://a:9901 --admin http://b:9901 --admin http://c:9901 {options}"
        ))
    }

    /// Runs the tool; it is killed where the script says so.
    pub(crate) fn tool(&self, line: &str) -> Ran {
        let arguments = ["llm-canary"].into_iter().chain(line.split_whitespace()).map(Into::into).collect();
        self.run_in(|world| crate::run(arguments, world))
    }

    /// Runs something in this world; it returns the exit code.
    pub(crate) fn run_in(&self, run: impl FnOnce(&mut World<'_>) -> u8) -> Ran {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let ran = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            run(&mut World {
                clock: self,
                files: self,
                admin: self,
                kubectl: self,
                post: &HttpPost::new(),
                ask: &HttpAsk::new(),
                notices: self,
                beside: self,
                signals: self,
                random: || 7,
                listen: crate::tests::serve::listen,
                canvas: crate::table::Canvas::default,
                out: &mut out,
                err: &mut err,
            })
        }));
        let is_killed = std::mem::take(&mut self.lock().is_killed);
        let code = match ran {
            Ok(code) => code,
            Err(_) if is_killed => 137,
            Err(failure) => std::panic::resume_unwind(failure),
        };
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ran { code, out: text(out), err: text(err) }
    }

    /// A Prometheus that has asked the Envoys every 15 seconds.
    pub(crate) fn prometheus(&self) -> Server {
        let sim = self.clone();
        Server::start(move |head| sim.query_range(head))
    }

    fn query_range(&self, head: &str) -> Reply {
        let shared = self.lock();
        if shared.is_prometheus_down {
            return Reply::Http("503 Service Unavailable", b"down".to_vec());
        }
        let query = parameter(head, "query");
        assert!(!query.starts_with("count"), "it is known where the evidence begins");
        if query.starts_with("min(timestamp(") {
            return shared.scraped();
        }
        let wants_hash = query.contains("!=\"yes\"");
        let number = |name| (parameter(head, name).parse::<f64>().unwrap() * 1_000.0) as u64;
        let (start, end, step) = (number("start"), number("end"), number("step"));
        let mut points: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
        for at in (start..=end).step_by(step as usize) {
            let seen = |(when, ..): &&(UnixMs, String, _)| *when <= at && *when + step > at;
            let mut last: BTreeMap<&str, &BTreeMap<String, f64>> = BTreeMap::new();
            for (_, envoy, values) in shared.history.iter().filter(seen) {
                last.insert(envoy, values);
            }
            for (envoy, values) in last {
                for (series, value) in
                    values.iter().filter(|(series, _)| series.contains("hash") == wants_hash)
                {
                    let key = (envoy.to_owned(), series.clone());
                    points.entry(key).or_default().push(format!("[{},\"{value}\"]", at / 1_000));
                }
            }
        }
        let series = points.into_iter().map(|((envoy, series), points)| {
            let (name, labels) = series.trim_end_matches('}').split_once('{').unwrap();
            let labels = labels.replace("=\"", "\":\"").replace(",llm", ",\"llm").replace(",le", ",\"le");
            let instance = envoy.trim_start_matches("http://");
            format!(
                r#"{{"metric":{{"__name__":"{name}","instance":"{instance}","{labels}}},"values":[{}]}}"#,
                points.join(",")
            )
        });
        let all: Vec<String> = series.collect();
        Reply::ok(format!(
            r#"{{"status":"success","data":{{"resultType":"matrix","result":[{}]}}}}"#,
            all.join(",")
        ))
    }
}

/// The lines of `--json`, the verdict last.
pub(crate) fn lines(ran: &Ran) -> Vec<Value> {
    ran.out.lines().map(json).collect()
}

/// The events of `--json` in short: `ramping 5`, `held missing 5`.
pub(crate) fn events(ran: &Ran) -> Vec<String> {
    let lines = lines(ran);
    let events = lines.iter().filter(|line| line["event"].is_string());
    let event = |line: &Value| {
        let hold = line["hold"].as_str().map(|hold| format!(" {hold}")).unwrap_or_default();
        format!("{}{hold} {}", line["event"].as_str().unwrap(), line["percent"])
    };
    events.map(event).map(|event| event.trim_end_matches(".0").to_owned()).collect()
}

impl Shared {
    /// The file.
    pub(crate) fn read(&self) -> String {
        self.files[FILE].clone()
    }

    pub(crate) fn write_file(&mut self, name: &str, text: &str) {
        self.files.insert(name.to_owned(), text.to_owned());
    }

    /// Replaces the file by hand.
    pub(crate) fn write(&mut self, text: &str) {
        self.files.insert(FILE.to_owned(), text.to_owned());
    }

    /// Lets a time pass that is short beside the steps of a plan.
    fn pass(&mut self, duration: Duration) {
        self.now_ms += duration.as_millis() as u64;
        self.elapsed += duration;
        let (file, elapsed) = (self.files[FILE].clone(), self.elapsed);
        self.uncounted += duration;
        let is_due = self.uncounted >= Duration::from_secs(1);
        let counted = if is_due { std::mem::take(&mut self.uncounted) } else { Duration::ZERO };
        for envoy in self.envoys.values_mut() {
            if envoy.running != file {
                let changed = *envoy.changed.get_or_insert(elapsed);
                if envoy.takes.is_some_and(|takes| elapsed.saturating_sub(changed) >= takes) {
                    envoy.running.clone_from(&file);
                    envoy.changed = None;
                }
            }
            if is_due {
                envoy.count(counted.as_secs_f64() * self.requests, self.v2, self.now_ms);
            }
        }
        if self.now_ms.saturating_sub(self.scraped_ms) >= SCRAPE_MS {
            self.scraped_ms = self.now_ms;
            let pages = self.envoys.iter().filter(|(_, envoy)| !envoy.is_silent);
            let pages = pages.map(|(name, envoy)| (self.scraped_ms, name.clone(), envoy.values()));
            let pages: Vec<_> = pages.collect();
            self.history.extend(pages);
        }
        while let Some(due) = self.script.iter().position(|(at, _)| *at <= self.elapsed) {
            let (_, then) = self.script.remove(due);
            then(self);
        }
    }

    /// When all Envoys were scraped that were lately.
    fn scraped(&self) -> Reply {
        let lately = self.now_ms.saturating_sub(20_000);
        let mut newest: BTreeMap<&str, UnixMs> = BTreeMap::new();
        for (at, envoy, _) in self.history.iter().rev().take_while(|(at, ..)| *at > lately) {
            let newest = newest.entry(envoy).or_default();
            *newest = (*newest).max(*at);
        }
        let at = newest
            .values()
            .min()
            .map(|at| format!(r#"{{"metric":{{}},"values":[[1,"{}"]]}}"#, *at as f64 / 1e3));
        let at = at.unwrap_or_default();
        Reply::ok(format!(r#"{{"status":"success","data":{{"resultType":"matrix","result":[{at}]}}}}"#))
    }

    /// Takes a write of the tool's.
    fn take(&mut self, text: String) {
        let (share, is_stopped) = share(&text, self.now_ms + 20_000);
        self.writes.push((self.elapsed.as_secs(), share * 100.0, is_stopped));
        self.files.insert(FILE.to_owned(), text);
    }

    /// Changes the file by hand.
    pub(crate) fn replace(&mut self, old: &str, new: &str) {
        let text = self.files[FILE].replacen(old, new, 1);
        self.files.insert(FILE.to_owned(), text);
    }
}

/// The configuration in a text, and v2's share at a time.
fn share(text: &str, now_ms: UnixMs) -> (f64, bool) {
    let config = Config::parse(text.as_bytes()).unwrap();
    let rollout = &config.rollouts[0];
    let index = rollout.versions.iter().position(|version| version.name == "v2").unwrap();
    let parts = rollout.steps.at(now_ms).parts(index);
    (f64::from(parts) / 1e6, rollout.versions[index].stopped)
}

impl Envoy {
    fn count(&mut self, requests: f64, v2: Answers, now_ms: UnixMs) {
        let (share, is_stopped) = share(&self.running, now_ms);
        let share = if is_stopped { 0.0 } else { share };
        for (version, share, answers) in [("v1", 1.0 - share, HEALTHY), ("v2", share, v2)] {
            let labels = |more: &str| {
                format!("{{llm_rollout=\"chat\",llm_version=\"{version}\",llm_compare=\"yes\"{more}}}")
            };
            let mut add = |name: &str, more: &str, count: f64| {
                *self.counters.entry(format!("{name}{}", labels(more))).or_default() += count;
            };
            let decided = requests * share;
            let ended = if answers.hangs { 0.0 } else { decided };
            add("llm_decisions_total", ",llm_reason=\"split\"", decided);
            add("llm_requests_total", ",llm_outcome=\"complete\"", ended * (1.0 - answers.errors));
            add("llm_requests_total", ",llm_outcome=\"http_error\"", ended * answers.errors);
            add("llm_refusals_total", ",llm_refusal=\"phrase\"", ended * answers.refusals);
            add("llm_defective_responses_total", "", ended * answers.defects);
            let lengths = if answers.is_longer { LONGER } else { LENGTHS };
            let mut below = 0.0;
            for (edge, part) in EDGES.iter().zip(lengths) {
                below += part;
                add("llm_response_chars_bucket", &format!(",le=\"{edge}\""), ended * below);
            }
            add("llm_response_chars_count", "", ended);
            add("llm_response_chars_sum", "", ended * if answers.is_longer { 700.0 } else { 350.0 });
        }
    }

    /// Another version has requests, which the file does not know.
    pub(crate) fn count_of(&mut self, version: &str) {
        let labels = format!("{{llm_rollout=\"chat\",llm_version=\"{version}\",llm_compare=\"yes\"");
        for (outcome, count) in [("complete", 500.0), ("http_error", 500.0)] {
            let series = format!("llm_requests_total{labels},llm_outcome=\"{outcome}\"}}");
            *self.counters.entry(series).or_default() += count;
        }
    }

    fn hash(&self) -> u32 {
        tree::parse(self.running.as_bytes()).map_or(0, |tree| Node::hash(&tree))
    }

    /// Its series, in whole numbers.
    fn values(&self) -> BTreeMap<String, f64> {
        let counters = self.counters.iter().map(|(series, value)| (series.clone(), value.floor()));
        let hash = ("llm_config_hash{llm_rollout=\"chat\"}".to_owned(), f64::from(self.hash()));
        counters.chain([hash]).collect()
    }
}

impl Clock for Sim {
    fn now(&self) -> UnixMs {
        self.lock().now_ms
    }

    fn elapsed(&self) -> Duration {
        self.lock().elapsed
    }

    fn sleep(&self, duration: Duration) {
        let mut shared = self.lock();
        assert!(shared.elapsed < Duration::from_secs(400_000), "it never ends");
        shared.pass(duration);
        if shared.is_killed {
            drop(shared);
            // No words: a killed program has none.
            std::panic::resume_unwind(Box::new("killed"));
        }
    }
}

impl Admin for Sim {
    fn metrics(&self, admin: &str, _: Duration) -> Result<Vec<u8>, String> {
        let shared = self.lock();
        let envoy = shared.envoys.get(admin).filter(|envoy| !envoy.is_silent);
        let envoy = envoy.ok_or("it does not answer: it refuses the connection")?;
        let mut page = String::new();
        envoy.values().iter().for_each(|(series, value)| writeln!(page, "{series} {value}").unwrap());
        Ok(page.into_bytes())
    }

    fn get(&self, admin: &str, _: &str, _: Duration) -> Result<Page, String> {
        let shared = self.lock();
        let envoy = shared.envoys.get(admin).filter(|envoy| !envoy.is_silent);
        let hash = envoy.ok_or("it does not answer: it refuses the connection")?.hash();
        let text = format!("wasmcustom.llm_config_hash.llm_rollout=.=chat;.;: {hash}\n");
        Ok(Page { text, date: Some(http_date(shared.now_ms)) })
    }
}

impl Kubectl for Sim {
    fn run(&self, arguments: &[&str], input: &[u8]) -> Result<Vec<u8>, KubectlError> {
        let config = json(&self.read(FILE));
        let mut shared = self.lock();
        if let Some((verb, words)) = shared.kubectl_fails
            && arguments.contains(&verb)
        {
            shared.kubectl_fails = shared.kubectl_fails.filter(|_| !shared.fails_once);
            return Err(KubectlError::said(words));
        }
        let mut resource = serde_json::json!({"kind": "WasmPlugin", "apiVersion": "extensions.istio.io/v1alpha1",
            "metadata": shared.metadata, "spec": {"pluginConfig": config}});
        if arguments.contains(&"patch") {
            for operation in json(std::str::from_utf8(input).unwrap()).as_array().unwrap() {
                let path = operation["path"].as_str().unwrap();
                let (parent, name) = path.rsplit_once('/').unwrap();
                if path == "/metadata/resourceVersion" {
                    assert_eq!(operation["value"], resource["metadata"]["resourceVersion"], "a conflict");
                }
                resource.pointer_mut(parent).unwrap()[name.replace("~1", "/")] = operation["value"].clone();
            }
            let version: u32 = resource["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap();
            resource["metadata"]["resourceVersion"] = (version + 1).to_string().into();
            shared.metadata = resource["metadata"].clone();
            if resource["spec"]["pluginConfig"] != config {
                shared.take(resource["spec"]["pluginConfig"].to_string());
            }
        }
        Ok(resource.to_string().into_bytes())
    }
}

struct SimTarget {
    sim: Sim,
    text: String,
}

impl Files for Sim {
    fn open(&self, path: &Path) -> io::Result<Box<dyn BufRead>> {
        let text = self.lock().files.get(path.to_str().unwrap()).cloned();
        Ok(Box::new(Cursor::new(text.ok_or(io::Error::from(io::ErrorKind::NotFound))?)))
    }

    fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let text = std::str::from_utf8(bytes).unwrap().to_owned();
        self.lock().files.insert(path.display().to_string(), text);
        Ok(())
    }

    fn lock(&self, _: &Path, _: &mut Waiting<'_>) -> Result<Box<dyn Target>, Error> {
        Ok(Box::new(SimTarget { sim: self.clone(), text: self.read(FILE) }))
    }

    fn claim(&self, path: &Path, rollout: &str) -> Result<Box<dyn Claim>, Error> {
        let name = format!("{} {rollout}", path.display());
        if !self.lock().claims.insert(name.clone()) {
            return Err(Error::problem(FILE, "another run has the rollout chat: process 4711 (llm-canary)"));
        }
        let reasons = self.lock().reasons.clone();
        Ok(Box::new(SimClaim { sim: self.clone(), name, reasons }))
    }

    fn append(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut shared = self.lock();
        // A full disk takes the beginning.
        let end = if shared.is_disk_full { bytes.len() / 2 } else { bytes.len() };
        let text = std::str::from_utf8(&bytes[..end]).unwrap().to_owned();
        shared.files.entry(path.display().to_string()).or_default().push_str(&text);
        if shared.is_disk_full { Err(io::Error::from(io::ErrorKind::StorageFull)) } else { Ok(()) }
    }
}

impl Target for SimTarget {
    fn name(&self) -> &str {
        FILE
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
        let at = clock.elapsed();
        let mut shared = self.sim.lock();
        if shared.is_read_only {
            return Err(Error::problem(
                FILE,
                "cannot be replaced: its folder is read-only; nothing was changed",
            ));
        }
        shared.take(text.to_owned());
        Ok(Write { at, warning: None })
    }
}

struct SimClaim {
    sim: Sim,
    name: String,
    reasons: Vec<String>,
}

impl Claim for SimClaim {
    fn reasons(&self) -> &[String] {
        &self.reasons
    }

    fn remember(&mut self, reason: &str) -> Result<(), Error> {
        self.reasons.push(reason.to_owned());
        self.sim.lock().reasons.push(reason.to_owned());
        Ok(())
    }

    fn keep(&mut self, _: &dyn Clock) -> Result<(), String> {
        Ok(())
    }
}

impl Drop for SimClaim {
    fn drop(&mut self) {
        self.sim.lock().claims.remove(&self.name);
    }
}

impl Notices for Sim {
    fn send(&self, _: &Receiver, notice: &Notice) -> Result<(), String> {
        self.lock().notices.push(json(&notice.json));
        Ok(())
    }

    fn failures(&self) -> Vec<String> {
        Vec::new()
    }

    fn flush(&self, _: Duration) -> usize {
        0
    }
}

impl Signals for Sim {
    fn watch(&self) -> Result<(), String> {
        Ok(())
    }

    fn take(&self) -> Option<Signal> {
        self.lock().signal.take()
    }

    fn is_waiting(&self) -> bool {
        self.lock().signal.is_some()
    }
}

/// The tool beside itself.
struct SimProgram {
    sim: Sim,
    started: Duration,
    taken: usize,
}

impl Beside for Sim {
    fn start(&self, arguments: &[String]) -> Result<Box<dyn Program>, String> {
        let mut shared = self.lock();
        assert!(!shared.beside_runs, "one is enough");
        shared.beside_runs = true;
        shared.beside.push(arguments.to_vec());
        Ok(Box::new(SimProgram { sim: self.clone(), started: shared.elapsed, taken: 0 }))
    }
}

impl Program for SimProgram {
    fn lines(&mut self) -> Vec<String> {
        let shared = self.sim.lock();
        let since = shared.elapsed - self.started;
        let due = shared.beside_lines.iter().skip(self.taken).take_while(|(at, _)| *at <= since);
        let lines: Vec<String> = due.map(|(_, line)| line.clone()).collect();
        self.taken += lines.len();
        lines
    }

    fn ended(&mut self) -> Option<String> {
        let shared = self.sim.lock();
        let since = shared.elapsed - self.started;
        shared.beside_ends.filter(|(at, _)| *at <= since).map(|(_, words)| words.to_owned())
    }
}

impl Drop for SimProgram {
    fn drop(&mut self) {
        self.sim.lock().beside_runs = false;
    }
}
