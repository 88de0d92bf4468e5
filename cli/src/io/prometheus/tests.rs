//! Servers that answer late, with half, with too much or with something else.

use super::asking::BYTES_MAX;
use super::{Access, Prometheus};
use crate::io::clock::Clock;
use crate::io::signals::SystemSignals;
use crate::tests::server::{Reply, Server, parameter};
use crate::windows::{Samples, Span};
use llm_canary::timestamp::UnixMs;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

const NOW_MS: UnixMs = 1_770_000_000_000;
const EMPTY: &str = r#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#;

/// A clock that notes how long it was to sleep.
struct Sleeps(Mutex<Vec<Duration>>);

impl Clock for Sleeps {
    fn now(&self) -> UnixMs {
        NOW_MS
    }

    fn elapsed(&self) -> Duration {
        self.0.lock().unwrap().iter().sum()
    }

    fn sleep(&self, duration: Duration) {
        self.0.lock().unwrap().push(duration);
    }
}

fn access(url: &str) -> Access {
    Access { url: url.to_owned(), ..Access::default() }
}

/// Reads the last so many minutes; returns the last step and how often was waited.
fn read(server: &Server, minutes: u64) -> (Result<Option<UnixMs>, String>, Vec<Duration>) {
    let clock = Sleeps(Mutex::default());
    let since = NOW_MS - minutes * 60_000;
    let mut prometheus = Prometheus::new(access(&server.url), 60_000, Some(since)).unwrap();
    let read = prometheus.read(&clock, &SystemSignals::default(), &mut Samples::new(Span::Aligned(60_000)));
    (read, clock.0.into_inner().unwrap())
}

/// The steps that were asked for, by the first of the two selectors.
fn parts(server: &Server) -> Vec<u64> {
    let heads = server.heads();
    let compared = heads.iter().filter(|head| parameter(head, "query").contains("llm_compare=\"yes\""));
    let number = |head: &String, name| parameter(head, name).parse::<u64>().unwrap();
    compared.map(|head| (number(head, "end") - number(head, "start")) / number(head, "step") + 1).collect()
}

#[test]
fn a_long_time_is_asked_for_in_parts() {
    // Small answers: the parts grow, and none is longer than a server answers.
    let server = Server::start(|_| Reply::ok(EMPTY));
    let (read_until, _) = read(&server, 30 * 1_440);
    assert_eq!(read_until, Ok(Some((NOW_MS - 20_000) / 60_000 * 60_000)));
    let parts_of_days = parts(&server);
    assert_eq!(parts_of_days[..4], [60, 480, 3_840, 11_000]);
    assert!(parts_of_days.iter().all(|steps| *steps <= 11_000), "{parts_of_days:?}");
    assert_eq!(parts_of_days.iter().sum::<u64>(), 30 * 1_440);
    let head = &server.heads()[0];
    assert!(head.starts_with("GET /api/v1/query_range?query="), "{head}");
    assert_eq!(
        (parameter(head, "partial_response"), parameter(head, "step")),
        ("false".to_owned(), "60".to_owned())
    );
    assert_eq!(parameter(head, "lookback_delta"), "59.999");
    // Large ones: the parts shrink.
    let server = Server::start(|_| Reply::ok(EMPTY.to_owned() + &" ".repeat(16 << 20)));
    read(&server, 100).0.unwrap();
    assert_eq!(parts(&server), [60, 29, 11]);
    // Too much at once.
    let server = Server::start(|head| {
        match parameter(head, "end").parse::<u64>().unwrap() - parameter(head, "start").parse::<u64>().unwrap() {
        0..1_000 => Reply::ok(EMPTY),
        _ => Reply::Http("422 Unprocessable Entity", br#"{"status":"error","errorType":"execution","error":"query processing would load too many samples into memory in query execution"}"#.to_vec()),
    }
    });
    read(&server, 60).0.unwrap();
    assert_eq!(parts(&server)[..3], [60, 30, 15]);
}

#[test]
fn what_is_always_too_much_is_refused() {
    // A query of one step cannot be made smaller.
    let too_much = || Reply::Http("422 Unprocessable Entity", b"too many samples".to_vec());
    let server = Server::start(move |_| too_much());
    let (found, _) = read(&server, 5);
    assert_eq!(parts(&server), [5, 2, 1]);
    assert!(found.is_err_and(|words| words.ends_with(". Narrow the series by --rollout and --selector")));
    // More than is read.
    let server = Server::start(|_| Reply::ok(vec![b' '; BYTES_MAX as usize + 1]));
    let (found, _) = read(&server, 2);
    assert_eq!(
        found,
        Err("answers with more than 100 MiB at once. Narrow the series by --rollout and --selector"
            .to_owned())
    );
    assert_eq!(parts(&server), [2, 1]);
}

#[test]
fn what_is_new_is_asked_for_alone() {
    let server = Server::start(|_| Reply::ok(EMPTY));
    let clock = Sleeps(Mutex::default());
    let mut prometheus =
        Prometheus::new(access(&format!("{}/", server.url)), 60_000, Some(NOW_MS - 300_000)).unwrap();
    let mut samples = Samples::new(Span::Aligned(60_000));
    let first = prometheus.read(&clock, &SystemSignals::default(), &mut samples).unwrap();
    assert_eq!((first, server.heads().len()), (Some((NOW_MS - 20_000) / 60_000 * 60_000), 2));
    assert_eq!(prometheus.read(&clock, &SystemSignals::default(), &mut samples).unwrap(), first);
    assert_eq!(server.heads().len(), 2, "there is no new step");
    assert_eq!(
        prometheus.wait(&clock),
        Duration::from_secs(1),
        "the next step is over, and may be scraped at any time"
    );
}

/// A clock whose time a test sets.
struct At(AtomicU64);

impl Clock for At {
    fn now(&self) -> UnixMs {
        self.0.load(Ordering::SeqCst)
    }

    fn elapsed(&self) -> Duration {
        Duration::ZERO
    }

    fn sleep(&self, _: Duration) {}
}

/// Reads until a step of a minute at so many milliseconds after it, where the server says this about the scrapes; returns
/// whether the step was read, and how often it was asked about scrapes.
fn is_settled(after_ms: u64, scraped: impl Fn() -> Reply + Send + Sync + 'static) -> (bool, usize) {
    let is_about_scrapes = |head: &str| parameter(head, "query").starts_with("min(timestamp({");
    let server = Server::start(move |head| match is_about_scrapes(head) {
        true => scraped(),
        false => Reply::ok(EMPTY),
    });
    let clock = At(AtomicU64::new(NOW_MS - 30_000));
    let access = Access { rollout: Some("chat".to_owned()), ..access(&server.url) };
    let mut prometheus = Prometheus::new(access, 60_000, Some(NOW_MS - 300_000)).unwrap();
    let mut samples = Samples::new(Span::Aligned(60_000));
    assert_eq!(prometheus.read(&clock, &SystemSignals::default(), &mut samples), Ok(Some(NOW_MS - 60_000)));
    clock.0.store(NOW_MS + after_ms, Ordering::SeqCst);
    let read = prometheus.read(&clock, &SystemSignals::default(), &mut samples).unwrap();
    assert_eq!(prometheus.settled_ms(clock.now()) >= NOW_MS, read == Some(NOW_MS));
    (read == Some(NOW_MS), server.heads().iter().filter(|head| is_about_scrapes(head)).count())
}

#[test]
fn a_step_is_settled_when_each_instance_was_scraped_after_it() {
    let scraped = |after_s: f64| {
        move || {
            let at = NOW_MS as f64 / 1_000.0 + after_s;
            Reply::ok(EMPTY.replace("[]", &format!(r#"[{{"metric":{{}},"values":[[1,"{at}"]]}}]"#)))
        }
    };
    assert_eq!(is_settled(500, scraped(0.2)), (true, 1));
    assert_eq!(is_settled(500, scraped(0.0)), (true, 1), "a sample at the end belongs to the window");
    assert_eq!(is_settled(500, scraped(-0.1)), (false, 1));
    assert_eq!(is_settled(12_000, scraped(-3.0)), (false, 1));
    // Without asking: it is not over, or old enough.
    assert_eq!(is_settled(0, scraped(-0.1)), (false, 0));
    assert_eq!(is_settled(20_000, scraped(-3.0)), (true, 0));
    // The server's clock is wrong.
    assert_eq!(is_settled(500, scraped(9e9)), (true, 1));
    for value in ["NaN", "-1", "+Inf"] {
        let body = EMPTY.replace("[]", &format!(r#"[{{"metric":{{}},"values":[[1,"{value}"]]}}]"#));
        assert_eq!(is_settled(6_000, move || Reply::ok(body.clone())), (false, 1), "{value}");
    }
    // Nobody is scraped, or the server does not tell: then its age decides, and nothing is waited for.
    assert_eq!(is_settled(6_000, || Reply::ok(EMPTY)), (false, 1));
    assert_eq!(is_settled(6_000, || Reply::Http("503 Service Unavailable", Vec::new())), (false, 1));
    assert_eq!(is_settled(6_000, || Reply::Http("400 Bad Request", b"no timestamp".to_vec())), (false, 1));
    assert_eq!(is_settled(6_000, || Reply::ok("<html>")), (false, 1));
}

#[test]
fn scrapes_are_asked_for_of_the_rollout_alone_and_of_who_was_scraped_lately() {
    let server = Server::start(|_| Reply::ok(EMPTY));
    let clock = At(AtomicU64::new(NOW_MS + 6_000));
    let access =
        Access { selector: "a=\"b\"".to_owned(), rollout: Some("chat".to_owned()), ..access(&server.url) };
    let mut prometheus = Prometheus::new(access, 60_000, Some(NOW_MS - 300_000)).unwrap();
    prometheus.read(&clock, &SystemSignals::default(), &mut Samples::new(Span::Aligned(60_000))).unwrap();
    let head = &server.heads()[0];
    assert!(
        parameter(head, "query")
            .ends_with(r#"llm_config_hash)",llm_compare!="yes",llm_rollout="chat",a="b"}))"#),
        "{head}"
    );
    let at = ((NOW_MS + 6_000) / 1_000).to_string();
    assert_eq!((parameter(head, "start"), parameter(head, "end")), (at.clone(), at));
    assert_eq!(parameter(head, "lookback_delta"), "19.999");
}

#[test]
fn the_beginning_is_looked_for() {
    let server = Server::start(|head| match parameter(head, "query").starts_with("count(count_over_time(") {
        // In the hour that ends then.
        true => {
            Reply::ok(EMPTY.replace("[]", r#"[{"metric":{},"values":[[1769990400,"3"],[1769994000,"3"]]}]"#))
        }
        false => Reply::ok(EMPTY),
    });
    let clock = Sleeps(Mutex::default());
    let mut prometheus = Prometheus::new(access(&server.url), 60_000, None).unwrap();
    prometheus.read(&clock, &SystemSignals::default(), &mut Samples::new(Span::Aligned(60_000))).unwrap();
    let heads = server.heads();
    assert_eq!(
        (parameter(&heads[0], "step"), parameter(&heads[1], "start")),
        ("3600".to_owned(), (1_769_990_400 - 3_600).to_string())
    );
    // Nothing at all.
    let server = Server::start(|_| Reply::ok(EMPTY));
    let mut prometheus = Prometheus::new(access(&server.url), 60_000, None).unwrap();
    assert_eq!(
        prometheus.read(&clock, &SystemSignals::default(), &mut Samples::new(Span::Aligned(60_000))),
        Ok(None)
    );
    assert_eq!(server.heads().len(), 1);
}

#[test]
fn failures_have_words() {
    let error = br#"{"status":"error","errorType":"bad_data","error":"1:2: parse error"}"#;
    type Case = (Box<dyn Fn() -> Reply + Send + Sync>, &'static str);
    let cases: Vec<Case> = vec![
        (
            Box::new(|| Reply::Http("400 Bad Request", error.to_vec())),
            "cannot run the query (400): 1:2: parse error",
        ),
        (
            Box::new(|| Reply::Http("401 Unauthorized", Vec::new())),
            "refuses access (401). Give --bearer-token-file",
        ),
        (Box::new(|| Reply::Http("404 Not Found", Vec::new())), "has no API of Prometheus there (404)"),
        (
            Box::new(|| Reply::Http("302 Found\r\nlocation: https://login.test/", Vec::new())),
            "sends to another address, https://login.test/; give that one",
        ),
        (
            Box::new(|| Reply::Http("429 Too Many Requests\r\nretry-after: 3600", Vec::new())),
            "has no room for more requests (429); it asks to wait for 3600 s",
        ),
        (Box::new(|| Reply::ok("<html>Sign in</html>")), "answers with a web page (HTML)"),
        (Box::new(|| Reply::ok("")), "answers with nothing"),
        (Box::new(|| Reply::ok("up 1\n")), "does not answer as Prometheus does"),
        (Box::new(|| Reply::Raw(Vec::new())), ""),
        (Box::new(|| Reply::Raw(b"\x15\x03\x01\x00\x02".to_vec())), "does not speak HTTP"),
        // Half a body.
        (
            Box::new(|| {
                Reply::Raw(format!("HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{EMPTY}").into_bytes())
            }),
            "",
        ),
        (
            Box::new(|| {
                Reply::Raw(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\"sta".to_vec())
            }),
            "",
        ),
    ];
    for (reply, words) in cases {
        let server = Server::start(move |_| reply());
        let (found, slept) = read(&server, 5);
        assert!(
            found.as_ref().is_err_and(|found| found.starts_with(words) && !found.is_empty()),
            "{words}: {found:?}"
        );
        assert!(slept.is_empty(), "{words}: {slept:?}");
    }
    // Nobody listens there, or nobody has the name.
    let clock = Sleeps(Mutex::default());
    for (url, words) in [
        ("http://127.0.0.1:1", "refuses the connection"),
        ("http://nobody.invalid", "has a name that is not known"),
    ] {
        let mut prometheus = Prometheus::new(access(url), 60_000, Some(NOW_MS - 300_000)).unwrap();
        let found = prometheus.read(&clock, &SystemSignals::default(), &mut Samples::new(Span::Polls));
        assert!(found.is_err_and(|found| found.starts_with(words)), "{url}");
    }
}

#[test]
fn a_busy_server_is_asked_again() {
    let asked = AtomicU32::new(0);
    let server = Server::start(move |_| match asked.fetch_add(1, Ordering::SeqCst) {
        0 => Reply::Http("503 Service Unavailable\r\nretry-after: 4", b"no healthy upstream".to_vec()),
        1 => Reply::Http("429 Too Many Requests", Vec::new()),
        _ => Reply::ok(EMPTY),
    });
    let (found, slept) = read(&server, 5);
    assert!(found.is_ok(), "{found:?}");
    assert_eq!(slept.iter().sum::<Duration>(), Duration::from_secs(4 + 1));
    let server = Server::start(|_| Reply::Http("503 Service Unavailable", b"no healthy upstream".to_vec()));
    let (found, slept) = read(&server, 5);
    assert_eq!(found, Err("is not available (503): no healthy upstream".to_owned()));
    assert_eq!((slept.iter().sum(), server.heads().len()), (Duration::from_secs(2), 3));
}

#[test]
fn headers_and_matchers_are_sent() {
    let server = Server::start(|_| Reply::ok(EMPTY));
    let clock = Sleeps(Mutex::default());
    let of = |selector: &str| Access {
        headers: vec![
            ("X-Scope-OrgID".to_owned(), "a".to_owned()),
            ("authorization".to_owned(), "Bearer t".to_owned()),
        ],
        selector: selector.to_owned(),
        ..access(&server.url)
    };
    for selector in ["namespace=\"x\"", "{namespace=\"x\"}", " {namespace=\"x\",} "] {
        let mut prometheus = Prometheus::new(of(selector), 60_000, Some(NOW_MS - 300_000)).unwrap();
        prometheus.read(&clock, &SystemSignals::default(), &mut Samples::new(Span::Polls)).unwrap();
    }
    for head in server.heads() {
        let lower = head.to_lowercase();
        assert!(
            lower.contains("x-scope-orgid: a\r\n") && lower.contains("authorization: bearer t\r\n"),
            "{head}"
        );
        assert!(parameter(&head, "query").ends_with("\"yes\",namespace=\"x\"}"), "{head}");
    }
}

#[test]
fn of_one_rollout_less_is_asked_for() {
    let server = Server::start(|_| Reply::ok(EMPTY));
    let clock = Sleeps(Mutex::default());
    let access =
        Access { selector: "a=\"b\"".to_owned(), rollout: Some("ch\"at".to_owned()), ..access(&server.url) };
    let mut prometheus = Prometheus::new(access, 60_000, Some(NOW_MS - 300_000)).unwrap();
    prometheus.read(&clock, &SystemSignals::default(), &mut Samples::new(Span::Polls)).unwrap();
    let queries: Vec<String> = server.heads().iter().map(|head| parameter(head, "query")).collect();
    assert!(queries[0].ends_with(r#"llm_compare="yes",llm_rollout="ch\"at",a="b"}"#), "{queries:?}");
    // Restarts, and which rollouts there are.
    assert!(queries[1].ends_with(r#"llm_compare!="yes",a="b"}"#), "{queries:?}");
}

#[test]
fn native_histograms_are_named() {
    let labels = r#""llm_rollout":"chat","llm_version":"v2","llm_compare":"yes""#;
    let answer = move |series: &[String]| Reply::ok(EMPTY.replace("[]", &format!("[{}]", series.join(","))));
    let series = move |name: &str, more: &str, at: u64| {
        format!(r#"{{"metric":{{"__name__":"{name}",{labels}{more}}},"values":[[{at},"5"]]}}"#)
    };
    let server = Server::start(move |head| {
        let (query, end) = (parameter(head, "query"), parameter(head, "end").parse().unwrap());
        match query {
            query if query.starts_with("count by (__name__) (") => answer(&[
                r#"{"metric":{"__name__":"envoy_x_llm_response_chars"},"values":[[1,"4"]]}"#.to_owned(),
                r#"{"metric":{"__name__":"llm_longest_gap_ms"},"values":[[1,"4"]]}"#.to_owned(),
            ]),
            query if query.contains("!=\"yes\"") => answer(&[]),
            _ => answer(&[
                series("llm_requests_total", r#","llm_outcome":"complete""#, end),
                series("llm_longest_gap_ms_bucket", r#","le":"100""#, end),
            ]),
        }
    });
    let clock = Sleeps(Mutex::default());
    let mut prometheus = Prometheus::new(access(&server.url), 60_000, Some(NOW_MS - 300_000)).unwrap();
    let mut samples = Samples::new(Span::Aligned(60_000));
    for _ in 0..2 {
        prometheus.read(&clock, &SystemSignals::default(), &mut samples).unwrap();
        // The gap's classic one is there as well.
        assert_eq!(samples.native_only(), ["llm_response_chars"]);
    }
    let asked = server.heads().iter().filter(|head| parameter(head, "query").starts_with("count by")).count();
    assert_eq!(asked, 1);
}

#[test]
fn wrong_addresses_are_refused() {
    for url in ["", "localhost:9090", "ftp://a", "http://", "http://a b", "http://a/?x=1"] {
        assert!(
            Prometheus::new(access(url), 60_000, None).is_err_and(|words| words.contains("--prometheus")),
            "{url}"
        );
    }
    for ca in [&b""[..], b"no certificate"] {
        let access = Access { ca: Some(ca.to_vec()), ..access("https://a") };
        assert!(
            Prometheus::new(access, 60_000, None)
                .is_err_and(|words| words.starts_with("--ca has no certificate"))
        );
    }
}
