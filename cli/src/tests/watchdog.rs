//! Rounds over HTTP, with servers whose behaviour is known.

mod asked;
mod keys;
mod options;

use super::server::{Reply, Server};
use super::world::{FakeWorld, Ran};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

/// A set of so many prompts, in a folder of its own.
struct Prompts {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

impl Prompts {
    /// Prompt N asks for the word of N, and checks that it is there.
    fn new(count: usize) -> Self {
        let test = |at: usize| json!({"description": format!("case {at}"), "vars": {"n": at}, "assert": [{"type": "contains", "value": format!("word-{at}-")}]});
        Self::of(
            &json!({"prompts": ["Say the word of {{n}}."], "providers": ["echo"], "tests": (0..count).map(test).collect::<Vec<_>>()}),
        )
    }

    fn of(config: &Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("promptfooconfig.json");
        std::fs::write(&path, config.to_string()).unwrap();
        Self { _folder: folder, path }
    }

    fn path(&self) -> &str {
        self.path.to_str().unwrap()
    }
}

/// The number that a request asks for.
fn number(body: &Value) -> usize {
    let text = body["messages"].as_array().unwrap().last().unwrap()["content"].as_str().unwrap().to_owned();
    text.trim_matches(|char: char| !char.is_ascii_digit()).parse().unwrap_or_default()
}

/// A chat completion, streamed if it was asked for.
fn completion(body: &Value, text: &str, prompt_tokens: u64) -> Reply {
    let usage =
        json!({"prompt_tokens": prompt_tokens, "completion_tokens": 3, "total_tokens": prompt_tokens + 3});
    if body["stream"] == json!(true) {
        assert_eq!(body["stream_options"], json!({"include_usage": true}));
        let chunk = |delta: Value, finish: Value| json!({"id": "c", "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]});
        let last = json!({"id": "c", "object": "chat.completion.chunk", "choices": [], "usage": usage});
        let events = [chunk(json!({"content": text}), Value::Null), chunk(json!({}), json!("stop")), last];
        let events: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
        let body = format!("{events}data: [DONE]\n\n");
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        return Reply::Raw(format!("{head}{body}").into_bytes());
    }
    let message = json!({"role": "assistant", "content": text});
    let choice = json!({"index": 0, "message": message, "finish_reason": "stop"});
    Reply::ok(
        json!({"id": "c", "object": "chat.completion", "choices": [choice], "usage": usage}).to_string(),
    )
}

/// A model server. The function gets the prompt's number and a random number from 0 to 1, and says the text.
fn model(text: impl Fn(usize, f64) -> String + Send + Sync + 'static) -> Server {
    let state = AtomicU64::new(7);
    Server::start_reading(move |_, body| {
        let body: Value = serde_json::from_slice(body).unwrap();
        let number = number(&body);
        completion(&body, &text(number, random(&state)), 9)
    })
}

fn random(state: &AtomicU64) -> f64 {
    let mut z = state.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

fn right(number: usize) -> String {
    format!("It is word-{number}-.")
}

/// A server that is always right.
fn healthy() -> Server {
    model(|number, _| right(number))
}

fn world() -> FakeWorld {
    FakeWorld::new("2026-11-29T07:00:00Z", &[])
}

/// Runs `watchdog` on two servers.
fn watchdog(world: &FakeWorld, set: &Prompts, version: &Server, baseline: &Server, more: &[&str]) -> Ran {
    let (v1, v2) = (format!("v1={}", baseline.url), format!("v2={}", version.url));
    let mut arguments = vec!["watchdog", "--set", set.path(), "--target", &v1, "--target", &v2];
    arguments.extend(more);
    world.run(&arguments)
}

/// The objects of the rounds.
fn rounds(ran: &Ran) -> Vec<Value> {
    ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn json_of(ran: &Ran) -> Value {
    rounds(ran).pop().unwrap_or_else(|| panic!("{ran:?}"))
}

#[test]
fn a_fifth_of_the_prompts_broken_is_found_in_three_rounds() {
    let set = Prompts::new(50);
    for noise in [0.0, 0.1] {
        let broken =
            |number: usize, is_wrong: bool| if is_wrong { "Sorry.".to_owned() } else { right(number) };
        let baseline = model(move |number, random| broken(number, random < noise));
        let version = model(move |number, random| broken(number, number < 10 || random < noise));
        let ran = watchdog(&world(), &set, &version, &baseline, &["--rounds", "3", "--json"]);
        let last = json_of(&ran);
        assert_eq!((last["verdict"].as_str(), ran.code), (Some("regression"), 1), "noise {noise}: {ran:?}");
    }
}

#[test]
fn one_broken_prompt_is_listed_and_no_alarm() {
    let set = Prompts::new(50);
    let version = model(|number, _| if number == 13 { "Sorry.".to_owned() } else { right(number) });
    let ran = watchdog(&world(), &set, &version, &healthy(), &["--rounds", "3", "--json"]);
    let last = json_of(&ran);
    assert_ne!(last["verdict"], "regression");
    assert_eq!(last["changed"].as_array().unwrap().len(), 1, "{last}");
    let changed = &last["changed"][0];
    assert_eq!(
        (&changed["case"], &changed["version"], &changed["baseline"]),
        (&json!("case 13"), &json!("0/3"), &json!("3/3"))
    );
    assert_eq!(changed["check"], "contains: word-13-");
    assert_eq!(rounds(&ran).len(), 3, "an object for each round");
}

#[test]
fn a_server_that_answers_429_half_the_time_is_unknown_and_never_worse() {
    let set = Prompts::new(50);
    let state = AtomicU64::new(3);
    let version = Server::start_reading(move |_, body| {
        let body: Value = serde_json::from_slice(body).unwrap();
        match random(&state) {
            ..0.5 => {
                Reply::Http("429 Too Many Requests", b"{\"error\":{\"message\":\"slow down\"}}".to_vec())
            }
            _ => completion(&body, &right(number(&body)), 9),
        }
    });
    let ran = watchdog(&world(), &set, &version, &healthy(), &["--rounds", "8", "--json"]);
    for round in rounds(&ran) {
        assert_ne!(round["verdict"], "regression");
        assert_eq!((&round["prompts"]["worse"], &round["changed"]), (&json!(0), &json!([])));
    }
    let unknown = json_of(&ran)["unknown_because"]["429"].as_u64().unwrap();
    assert!((150..=250).contains(&unknown), "{unknown} of 400");
    assert_eq!(version.heads().len(), 400, "nothing but a connection is tried again");
}

#[test]
fn servers_that_are_equal_are_fine() {
    let set = Prompts::new(60);
    let (v1, v2) = (healthy(), healthy());
    let ran = watchdog(&world(), &set, &v2, &v1, &["--rounds", "2"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(
        ran.out.contains("v2 against v1 after round 2: fine\n  60 prompts: 0 worse, 0 better, 60 same"),
        "{}",
        ran.out
    );
    assert!(ran.err.contains("round 1: "), "{}", ran.err);
    assert_eq!(
        (v1.heads().len(), v2.heads().len()),
        (240, 120),
        "before round 1 the baseline is asked twice"
    );
}

#[test]
fn a_version_that_fails_is_a_regression_and_one_that_nobody_reaches_is_unknown() {
    let set = Prompts::new(20);
    let broken = Server::start(|_| Reply::Http("500 Internal Server Error", b"{}".to_vec()));
    let ran = watchdog(&world(), &set, &broken, &healthy(), &["--once", "--json"]);
    assert_eq!((ran.code, json_of(&ran)["pass_share"]["version"].as_f64()), (1, Some(0.0)));
    let v1 = format!("v1={}", healthy().url);
    let arguments = [
        "watchdog",
        "--set",
        set.path(),
        "--target",
        &v1,
        "--target",
        "v2=http://127.0.0.1:1",
        "--once",
        "--json",
    ];
    let ran = world().run(&arguments);
    assert_eq!(ran.code, 3, "{ran:?}");
    let because = json_of(&ran)["unknown_because"].clone();
    assert_eq!(because, json!({"no connection: it refuses the connection": 20}));
}

#[test]
fn a_template_that_changed_shows_in_the_tokens_of_prompts() {
    let set = Prompts::new(10);
    let version = Server::start_reading(|_, body| {
        let body: Value = serde_json::from_slice(body).unwrap();
        let number = number(&body);
        completion(&body, &right(number), if number < 4 { 9 } else { 12 })
    });
    let ran = watchdog(&world(), &set, &version, &healthy(), &["--once", "--json"]);
    assert_eq!(json_of(&ran)["prompt_tokens"], json!({"compared": 10, "differ": 6}));
    let ran = watchdog(&world(), &set, &version, &healthy(), &["--once"]);
    assert!(ran.out.contains("prompt tokens differ for 6 of 10 prompts"), "{}", ran.out);
}

#[test]
fn results_hold_every_answer_and_a_command_that_is_started_again_goes_on() {
    let set = Prompts::new(5);
    let (v1, v2) = (healthy(), healthy());
    let world = world();
    let more = ["--once", "--json", "--out", "results.jsonl"];
    let first = json_of(&watchdog(&world, &set, &v2, &v1, &more));
    let lines = || {
        world
            .read("results.jsonl")
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .collect::<Vec<_>>()
    };
    let kinds = |kind: &str| lines().iter().filter(|line| line["line"] == kind).count();
    assert_eq!((kinds("answer"), kinds("round"), lines().len()), (20, 1, 21));
    let answer = lines()
        .into_iter()
        .find(|line| line["side"] == "version" && line["streamed"] == json!(true))
        .unwrap();
    assert_eq!(
        (&answer["name"], &answer["round"], &answer["status"]),
        (&json!("v2"), &json!(1), &json!(200))
    );
    assert!(answer["output"].as_str().unwrap().contains("word-") && answer["pass"] == json!(true));
    assert!(answer["ttft_ms"].is_u64() && answer["prompt_tokens"] == json!(9));
    let mut last = lines().pop().unwrap();
    last.as_object_mut().unwrap().shift_remove("line");
    assert_eq!(last, first, "a round's line is the object of --json");
    let second = json_of(&watchdog(&world, &set, &v2, &v1, &more));
    assert_eq!((second["round"].as_u64(), kinds("answer")), (Some(2), 30), "without a second round 0");
    let other = watchdog(&world, &Prompts::new(5), &v2, &v1, &more);
    assert!(other.code == 2 && other.err.contains("line 1 is of another set"), "{other:?}");
}

#[test]
fn turns_follow_the_answers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("question.jsonl");
    let question =
        json!({"question_id": 1, "category": "math", "turns": ["Say the word of 1.", "Say the word of 2."]});
    std::fs::write(&path, format!("{question}\n")).unwrap();
    let set = Prompts { _folder: folder, path };
    let world = world();
    let ran = watchdog(&world, &set, &healthy(), &healthy(), &["--once", "--json", "--out", "r"]);
    assert_eq!(json_of(&ran)["prompts"]["same"], json!(1), "{ran:?}");
    let answer: Value = serde_json::from_str(world.read("r").lines().nth(2).unwrap()).unwrap();
    let said: Vec<&str> = answer["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|message| message["content"].as_str().unwrap())
        .collect();
    assert_eq!(said, ["Say the word of 1.", "It is word-1-.", "Say the word of 2."]);
    assert_eq!((&answer["output"], &answer["completion_tokens"]), (&json!("It is word-2-."), &json!(6)));
}
