//! The same evidence as a file, from Prometheus and by polls gives the same windows and the same verdict. And Envoys that do
//! not answer hold nobody up.

use super::SourceArgs;
use crate::error::Error;
use crate::io::World;
use crate::io::admin::HttpAdmin;
use crate::io::beside::OwnProgram;
use crate::io::clock::{Clock, SystemClock};
use crate::io::files::{FileSystem, Files};
use crate::io::kubectl::KubectlProgram;
use crate::io::notices::Couriers;
use crate::io::post::HttpPost;
use crate::io::signals::SystemSignals;
use crate::io::source::{Loaded, Source};
use crate::tests::server::{Reply, Server, parameter};
use crate::windows::Comparison;
use clap::Parser;
use llm_canary::timestamp::UnixMs;
use llm_canary_verdict::health::Look;
use llm_canary_verdict::judge::Judge;
use llm_canary_verdict::policy::Policy;
use llm_canary_verdict::window::Window;
use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const MINUTES: u64 = 60;
const BEGIN_MS: u64 = 1_770_000_000_000;

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    source: SourceArgs,
}

pub(super) fn source(world: &World<'_>, arguments: &[&str]) -> Source {
    let command = Command::try_parse_from(["x"].iter().chain(arguments)).unwrap();
    command.source.open(world, None, Some("chat")).unwrap()
}

/// A clock that a test sets, and that servers see.
#[derive(Clone, Default)]
pub(super) struct Now(pub(super) Arc<AtomicU64>);

impl Clock for Now {
    fn now(&self) -> UnixMs {
        self.0.load(Ordering::SeqCst)
    }

    fn elapsed(&self) -> Duration {
        Duration::from_millis(self.now())
    }

    fn sleep(&self, duration: Duration) {
        self.0.fetch_add(duration.as_millis() as u64, Ordering::SeqCst);
    }
}

pub(super) fn in_world<T>(clock: &dyn Clock, run: impl FnOnce(&World<'_>) -> T) -> T {
    with_files(&FileSystem, clock, run)
}

pub(super) fn with_files<T>(files: &dyn Files, clock: &dyn Clock, run: impl FnOnce(&World<'_>) -> T) -> T {
    printed(files, clock, |world| run(world)).0
}

/// The same, for what prints; returns that as well.
pub(super) fn printed<T>(
    files: &dyn Files,
    clock: &dyn Clock,
    run: impl FnOnce(&mut World<'_>) -> T,
) -> (T, Vec<u8>) {
    let (admin, mut out, mut err) = (HttpAdmin::new(), Vec::new(), Vec::new());
    let done = run(&mut World {
        clock,
        files,
        admin: &admin,
        kubectl: &KubectlProgram,
        post: &HttpPost::new(),
        ask: &crate::io::ask::HttpAsk::new(),
        notices: &Couriers::new(),
        beside: &OwnProgram,
        signals: &SystemSignals::default(),
        random: || 0,
        listen: crate::io::server::listen,
        canvas: crate::table::Canvas::default,
        out: &mut out,
        err: &mut err,
    });
    (done, out)
}

/// The values of a series of one Envoy, minute by minute; `None` where the scrape failed.
type Series = BTreeMap<String, Vec<Option<f64>>>;

/// Three Envoys with a version that refuses more and is longer. The second is restarted, the third is not scraped for a while.
fn envoys() -> Vec<Series> {
    let mut state = 7_u64;
    let mut dice = move |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let mut all = Vec::new();
    for envoy in 0..3 {
        let mut values: BTreeMap<String, f64> = BTreeMap::new();
        let mut series = Series::new();
        for minute in 0..MINUTES {
            if envoy == 1 && minute == 30 {
                values.values_mut().for_each(|value| *value = 0.0);
            }
            for (version, requests, refused_of, factor) in [("v1", 400, 90, 10), ("v2", 45, 25, 14)] {
                let labels = |more: &str| {
                    format!("{{llm_rollout=\"chat\",llm_version=\"{version}\",llm_compare=\"yes\"{more}}}")
                };
                let mut add = |name: &str, more: &str, value: u64| {
                    *values.entry(format!("{name}{}", labels(more))).or_default() += value as f64;
                };
                for name in
                    ["llm_refusals_total", "llm_response_chars_total", "llm_response_chars_squared_total"]
                {
                    add(name, if name.contains("refusals") { ",llm_refusal=\"phrase\"" } else { "" }, 0);
                }
                for _ in 0..requests + dice(20) {
                    let shard = dice(32);
                    let shard = format!(",llm_shard=\"{shard}\"");
                    let chars = factor * (20 + dice(200));
                    let refused = u64::from(dice(refused_of) == 0);
                    add("llm_requests_total", ",llm_outcome=\"complete\"", 1);
                    add("llm_decisions_total", ",llm_reason=\"split\"", 1);
                    add("llm_refusals_total", ",llm_refusal=\"phrase\"", refused);
                    add("llm_response_chars_total", "", chars);
                    add("llm_response_chars_squared_total", "", chars * chars);
                    for edge in [500, 1_000, 2_000] {
                        add(
                            "llm_response_chars_bucket",
                            &format!(",le=\"{edge}\""),
                            u64::from(chars <= edge),
                        );
                    }
                    add("llm_response_chars_bucket", ",le=\"+Inf\"", 1);
                    add("llm_response_chars_count", "", 1);
                    add("llm_shard_requests_total", &shard, 1);
                    add("llm_shard_refusals_total", &shard, refused);
                    add("llm_shard_response_chars_total", &shard, chars);
                }
            }
            let is_scraped = !(envoy == 2 && (40..43).contains(&minute));
            for (name, value) in &values {
                let minutes = series.entry(name.clone()).or_insert_with(|| vec![None; MINUTES as usize]);
                minutes[minute as usize] = is_scraped.then_some(*value);
            }
        }
        all.push(series);
    }
    all
}

fn at_ms(minute: usize) -> u64 {
    BEGIN_MS / 60_000 * 60_000 + minute as u64 * 60_000
}

/// A file as `promtool tsdb dump-openmetrics` writes it.
fn file(envoys: &[Series]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    for (envoy, series) in envoys.iter().enumerate() {
        for (name, values) in series {
            let name = name.replacen('{', &format!("{{instance=\"envoy-{envoy}\","), 1);
            for (minute, value) in values.iter().enumerate() {
                if let Some(value) = value {
                    writeln!(file, "{name} {value} {}", at_ms(minute) as f64 / 1_000.0).unwrap();
                }
            }
        }
    }
    writeln!(file, "# EOF").unwrap();
    file
}

/// A Prometheus with these samples.
fn prometheus(envoys: Vec<Series>) -> Server {
    let matrix = |result: &[String]| {
        Reply::ok(format!(
            r#"{{"status":"success","data":{{"resultType":"matrix","result":[{}]}}}}"#,
            result.join(",")
        ))
    };
    Server::start(move |head| {
        let query = parameter(head, "query");
        if query.starts_with("count") {
            return matrix(&[format!(
                r#"{{"metric":{{}},"values":[[{},"9"]]}}"#,
                at_ms(0) / 3_600_000 * 3_600 + 3_600
            )]);
        }
        if query.contains("!=\"yes\"") {
            return matrix(&[]);
        }
        let number = |name| parameter(head, name).parse::<u64>().unwrap() * 1_000;
        let (start, end) = (number("start"), number("end"));
        let mut result = Vec::new();
        for (envoy, series) in envoys.iter().enumerate() {
            for (name, values) in series {
                let (name, labels) = name.trim_end_matches('}').split_once('{').unwrap();
                let labels = labels.replace("=\"", "\":\"").replace(",llm", ",\"llm").replace(",le", ",\"le");
                let points: Vec<String> = values
                    .iter()
                    .enumerate()
                    .filter_map(|(minute, value)| {
                        let at = at_ms(minute);
                        let value = (*value)?;
                        (start..=end).contains(&at).then(|| format!("[{},\"{value}\"]", at / 1_000))
                    })
                    .collect();
                if !points.is_empty() {
                    result.push(format!(r#"{{"metric":{{"__name__":"{name}","instance":"envoy-{envoy}","{labels}}},"values":[{}]}}"#, points.join(",")));
                }
            }
        }
        matrix(&result)
    })
}

/// The admin page of an Envoy, at the time of the clock.
fn admin(series: Series, now: Now) -> Server {
    Server::start(move |head| {
        assert!(head.starts_with("GET /stats/prometheus?filter=llm_ "), "{head}");
        let minute = ((now.now() - at_ms(0)) / 60_000) as usize;
        // A series that has not begun has no line; a scrape that failed has none at all.
        let lines = series.iter().filter_map(|(name, values)| Some(format!("{name} {}\n", values[minute]?)));
        match lines.collect::<String>() {
            page if page.is_empty() => Reply::Http("503 Service Unavailable", Vec::new()),
            page => Reply::ok(page),
        }
    })
}

fn chat() -> Comparison {
    Comparison { rollout: "chat".into(), version: "v2".into(), baseline: "v1".into() }
}

pub(super) fn windows(
    world: &World<'_>,
    source: &mut Source,
    of: &Comparison,
    loads: usize,
    mut before: impl FnMut(usize),
) -> Vec<Window> {
    let mut windows = Vec::new();
    for load in 0..loads {
        before(load);
        source.load(world).unwrap();
        source.windows(|tally| windows.push(tally.window(of)));
    }
    windows
}

#[test]
fn a_file_prometheus_and_polls_give_the_same_windows_and_verdict() {
    let envoys = envoys();
    let now = Now::default();
    let end_ms = at_ms(MINUTES as usize - 1);
    now.0.store(end_ms + 20_000, Ordering::SeqCst);
    let by_each = in_world(&now, |world| {
        let file = file(&envoys);
        let mut from = source(world, &["--from", file.path().to_str().unwrap()]);
        let by_file = windows(world, &mut from, &chat(), 1, |_| {});
        assert_eq!((from.now_ms(&now), from.other_configs("chat")), (end_ms, None));
        let server = prometheus(envoys.clone());
        let by_prometheus =
            windows(world, &mut source(world, &["--prometheus", &server.url]), &chat(), 1, |_| {});
        // What comes bit by bit is the same as what comes at once.
        let mut live = source(world, &["--prometheus", &server.url]);
        let step = |load: usize| now.0.store(end_ms + 20_000 - (2 - load as u64) * 600_000, Ordering::SeqCst);
        assert_eq!(windows(world, &mut live, &chat(), 3, step), by_prometheus);
        assert!(live.wait(&now) == Duration::from_secs(40), "{:?}", live.wait(&now));
        assert_eq!(live.now_ms(&now), end_ms, "what is not settled yet is not stale");
        let servers: Vec<Server> = envoys.iter().map(|series| admin(series.clone(), now.clone())).collect();
        let options = servers.iter().flat_map(|server| ["--admin", &server.url]);
        let mut polls = source(world, &options.chain(["--every", "1m"]).collect::<Vec<_>>());
        let by_polls = windows(world, &mut polls, &chat(), MINUTES as usize, |minute| {
            now.0.store(at_ms(minute), Ordering::SeqCst)
        });
        assert_eq!(polls.seen()[0].versions.len(), 2);
        [by_file, by_prometheus, by_polls]
    });
    let [by_file, by_prometheus, by_polls] = &by_each;
    assert_eq!(by_file.len(), MINUTES as usize - 1);
    assert_eq!(by_file, by_prometheus);
    assert_eq!(by_file, by_polls);
    assert_eq!(by_file.iter().filter(|window| window.is_missing).count(), 3);
    let judgements = by_each.map(|windows| {
        let mut judge = Judge::new(Policy::default(), None);
        windows.iter().for_each(|window| judge.push(window));
        judge.judgement(&Look { now_ms: end_ms as i64, config: None })
    });
    assert_eq!(judgements[0], judgements[1]);
    assert_eq!(judgements[0], judgements[2]);
    let refusals =
        judgements[0].signals.iter().find(|signal| signal.signal.to_string() == "refusals").unwrap();
    assert!(refusals.alarm.is_some() && refusals.ln_e > 3.0, "{refusals:?}");
}

fn load(arguments: &[&str]) -> Result<Loaded, Error> {
    let clock = SystemClock::start();
    in_world(&clock, |world| source(world, arguments).load(world))
}

#[test]
fn an_envoy_that_hangs_holds_nobody_up() {
    let page = "llm_retries_total{llm_rollout=\"chat\",llm_version=\"v2\",llm_compare=\"yes\"} 5\n";
    let fine = Server::start(move |_| Reply::ok(page));
    let silent = [
        Server::start(|_| Reply::Hang(Duration::from_secs(60))),
        Server::start(|_| Reply::Drip(Duration::from_millis(20))),
        Server::start(|_| Reply::Http("503 Service Unavailable", Vec::new())),
        Server::start(|_| Reply::ok("<html>")),
        Server::start(move |_| Reply::ok(page.trim_end())),
        // Half a page.
        Server::start(move |_| {
            Reply::Raw(format!("HTTP/1.1 200 OK\r\ncontent-length: 999\r\n\r\n{page}").into_bytes())
        }),
    ];
    let mut options = vec!["--every", "1s", "--admin", &fine.url];
    options.extend(silent.iter().flat_map(|server| ["--admin", server.url.as_str()]));
    #[expect(clippy::disallowed_methods, reason = "how long it takes is what is tested")]
    let began = Instant::now();
    let loaded = load(&options).unwrap();
    assert!(began.elapsed() < Duration::from_millis(2_500), "{:?}", began.elapsed());
    assert_eq!(loaded.silent.len(), silent.len());
    for (server, words) in silent.iter().zip([
        "it took too long",
        "it took too long",
        "the status 503",
        "is a web page",
        "ends in the middle of a line",
        "cannot be read",
    ]) {
        let problem = loaded.silent.iter().find(|problem| problem.place == server.url).unwrap();
        assert!(problem.message.contains(words), "{words}: {problem}");
    }
}

/// Each by itself: with nobody else to read, it is an error that names the Envoy.
#[test]
fn pages_that_are_no_evidence_are_named() {
    type Page = Box<dyn Fn() -> Reply + Send + Sync>;
    let pages: Vec<(Page, &str)> = vec![
        (Box::new(|| Reply::Http("401 Unauthorized", b"who are you".to_vec())), "the status 401"),
        (Box::new(|| Reply::Http("404 Not Found", Vec::new())), "the status 404"),
        (
            Box::new(|| Reply::Http("302 Found\r\nlocation: https://login.test", Vec::new())),
            "sends to another",
        ),
        (Box::new(|| Reply::ok("<html>Sign in</html>")), "is a web page"),
        (
            Box::new(|| {
                Reply::ok(
                    "llm_retries_total{llm_rollout=\"chat\",llm_version=\"v2\",llm_compare=\"yes\"} x\n",
                )
            }),
            "line 1 has a value that is no number: x",
        ),
        (Box::new(|| Reply::Raw(Vec::new())), "does not answer"),
        (Box::new(|| Reply::Raw(b"\x15\x03\x01\x00\x02".to_vec())), "does not answer"),
        (Box::new(|| Reply::ok(vec![b'\n'; (100 << 20) + 1])), "cannot be read"),
    ];
    for (page, words) in pages {
        let server = Server::start(move |_| page());
        let loaded = load(&["--admin", &server.url]).unwrap();
        let [silent] = &loaded.silent[..] else { panic!("{words}: {loaded:?}") };
        assert!(silent.place == server.url && silent.message.contains(words), "{words}: {silent}");
    }
    // An Envoy that has no configuration of the filter yet answers, and has nothing to say.
    for page in ["", "\n", "# TYPE llm_x counter\n", "envoy_server_live{} 1\n"] {
        let server = Server::start(move |_| Reply::ok(page));
        assert_eq!(load(&["--admin", &server.url]).unwrap(), Loaded::default(), "{page}");
    }
    // Nobody is there.
    let gone = load(&["--admin", "http://127.0.0.1:1"]).unwrap();
    assert!(gone.silent[0].message.contains("does not answer"), "{gone:?}");
}

#[test]
fn polls_without_any_answer_are_missing_windows() {
    let now = Now::default();
    let clock = now.clone();
    let server = Server::start(move |_| match clock.now() {
        2_000..3_000 => Reply::Http("503 Service Unavailable", Vec::new()),
        at => Reply::ok(format!(
            "llm_requests_total{{llm_rollout=\"chat\",llm_version=\"v2\",llm_compare=\"yes\"}} {at}\n"
        )),
    });
    let found = in_world(&now, |world| {
        let mut polls = source(world, &["--admin", &server.url, "--every", "1s"]);
        let windows =
            windows(world, &mut polls, &chat(), 4, |load| now.0.store(load as u64 * 1_000, Ordering::SeqCst));
        assert_eq!(polls.wait(&now), Duration::from_secs(1));
        windows
    });
    let of =
        |window: &Window| (window.start_ms, window.end_ms, window.is_missing, window.flow.version.requests);
    assert_eq!(
        found.iter().map(of).collect::<Vec<_>>(),
        [(0, 1_000, false, 1_000), (1_000, 2_000, true, 0), (2_000, 3_000, false, 2_000)]
    );
    assert_eq!(found.iter().map(Window::has_samples).collect::<Vec<_>>(), [true, false, true]);
}

#[test]
fn files_that_are_no_evidence_are_named() {
    let of = |text: &str| {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        load(&["--from", file.path().to_str().unwrap()]).map(|loaded| loaded.notes)
    };
    for (text, words) in [
        ("", "has no samples of the filter's metrics"),
        ("up 1 5\n", "has no samples"),
        ("<html>", "line 1 is of a web page"),
    ] {
        assert!(of(text).is_err_and(|error| error.to_string().contains(words)), "{text}");
    }
    let error = load(&["--from", "/nowhere"]).unwrap_err();
    assert_eq!(error.to_string(), "/nowhere: does not exist");
    let line = "llm_retries_total{llm_rollout=\"chat\",llm_version=\"v2\",llm_compare=\"yes\"} 5";
    let notes = of(&format!("{line} 5\n{line}")).unwrap();
    assert!(notes.len() == 1 && notes[0].ends_with("its last line is cut off and was left out"), "{notes:?}");
    // A native histogram, as `promtool tsdb dump` writes it, and a classic one.
    let labels = "llm_rollout=\"chat\",llm_version=\"v2\",llm_compare=\"yes\"";
    let native = format!(
        "{{__name__=\"llm_response_chars\", {labels}}} {{count:3, sum:9, (1,2]:3}} 1770000000000\n{line} 1770000000000\n"
    );
    let notes = of(&native).unwrap();
    assert!(
        notes.len() == 1
            && notes[0]
                .starts_with("only native histograms are there of llm_response_chars, which are not read")
            && notes[0].contains("always_scrape_classic_histograms: true"),
        "{notes:?}"
    );
    let classic = format!("llm_response_chars_bucket{{{labels},le=\"5\"}} 5 1770000000\n");
    assert!(of(&(native + &classic)).unwrap().is_empty());
}

#[test]
fn tokens_are_read_again_each_time() {
    let empty = r#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#;
    let server = Server::start(move |_| Reply::ok(empty));
    let mut token = tempfile::NamedTempFile::new().unwrap();
    let path = token.path().to_str().unwrap().to_owned();
    let options = ["--prometheus", &server.url, "--header", "a: b", "--bearer-token-file", &path];
    assert!(load(&options).unwrap_err().to_string().contains("is not one line with a token"));
    writeln!(token, "first").unwrap();
    load(&options).unwrap();
    let head = server.heads()[0].to_lowercase();
    assert!(head.contains("authorization: bearer first\r\n") && head.contains("a: b\r\n"), "{head}");
    let error = load(&["--prometheus", &server.url, "--bearer-token-file", "/nowhere"]).unwrap_err();
    assert_eq!(error.to_string(), "--bearer-token-file /nowhere: does not exist");
}
