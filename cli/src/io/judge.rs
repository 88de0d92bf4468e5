//! Asks a judge over HTTP, several questions at once. What it says is read by `watchdog::judge`.

use super::clock::Clock;
use super::crew;
use super::post::Post;
use crate::watchdog::judge::question::{Question, code};
use crate::watchdog::judge::reply;
use crate::watchdog::judge::{Came, UNREADABLE};
use llm_canary::timestamp::rfc3339;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A judge may think for so long about one question.
const TIMEOUT: Duration = Duration::from_secs(120);
/// The reason of a question that was not asked, because the command ends.
const NOT_ASKED: &str = "judge not asked";

/// A server of chat completions that judges.
pub(crate) struct JudgeServer<'a> {
    pub(crate) post: &'a dyn Post,
    pub(crate) clock: &'a dyn Clock,
    /// 32 random bits.
    pub(crate) random: fn() -> u32,
    /// As [`address`] makes it.
    pub(crate) address: String,
    pub(crate) model: String,
    /// With the key, which is in no message.
    pub(crate) headers: Vec<(String, String)>,
    /// So many questions are under way at once.
    pub(crate) concurrency: usize,
    /// Whether the model refused a temperature.
    pub(crate) takes_no_temperature: AtomicBool,
}

/// Where chat completions of a server are: the address of the server, or of the API, or the whole.
pub(crate) fn address(url: &str) -> String {
    let (rest, query) = match url.split_once('?') {
        Some((rest, query)) => (rest, format!("?{query}")),
        None => (url, String::new()),
    };
    let rest = rest.trim_end_matches('/');
    let path = rest.split_once("://").and_then(|(_, host)| host.split_once('/')).map(|(_, path)| path);
    match path {
        None => format!("{rest}/v1/chat/completions{query}"),
        Some(path) if path.ends_with("completions") => format!("{rest}{query}"),
        Some(_) => format!("{rest}/chat/completions{query}"),
    }
}

impl JudgeServer<'_> {
    /// Asks all questions; returns the time of each, and what came of it, in their order. Once `is_over` says so, no more are asked.
    pub(crate) fn ask(&self, questions: &[Question<'_>], is_over: &dyn Fn() -> bool) -> Vec<(String, Came)> {
        let not_asked = || (rfc3339(self.clock.now()), Came::Nothing(NOT_ASKED.to_owned()));
        let mut came: Vec<(String, Came)> = questions.iter().map(|_| not_asked()).collect();
        if is_over() {
            return came;
        }
        let jobs: Vec<(usize, &Question<'_>)> = questions.iter().enumerate().collect();
        let ask = |(_, question): &(usize, &Question<'_>)| (rfc3339(self.clock.now()), self.one(question));
        crew::work(
            &jobs,
            self.concurrency,
            ask,
            |(at, _), answer| {
                if let Some(place) = came.get_mut(*at) {
                    *place = answer;
                }
            },
            is_over,
        );
        came
    }

    fn one(&self, question: &Question<'_>) -> Came {
        // One code for each question: what one answer says is of no use in the next.
        let code = code([(self.random)(), (self.random)()]);
        let with_temperature = !self.takes_no_temperature.load(Ordering::SeqCst);
        let post = |with_temperature| {
            let body = question.body(&self.model, &code, with_temperature).to_string();
            self.post.post(&self.address, &self.headers, &body, TIMEOUT)
        };
        let mut answer = post(with_temperature);
        if let Ok(refused) = &answer
            && (refused.status, with_temperature) == (400, true)
            && refused.body.contains("temperature")
        {
            self.takes_no_temperature.store(true, Ordering::SeqCst);
            answer = post(false);
        }
        match answer {
            Ok(answer) if answer.status == 200 => match reply::content(&answer.body) {
                Some(text) => Came::Reply(text),
                None => Came::Nothing(UNREADABLE.to_owned()),
            },
            Ok(answer) => Came::Nothing(format!("judge {}", answer.status)),
            Err(words) => Came::Nothing(format!("judge {}", words.trim_start_matches("it "))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{JudgeServer, address};
    use crate::io::clock::SystemClock;
    use crate::io::post::HttpPost;
    use crate::tests::server::{Reply, Server};
    use crate::watchdog::judge::Came;
    use crate::watchdog::judge::question::Question;
    use serde_json::{Value, json};
    use std::sync::atomic::AtomicBool;

    #[test]
    fn an_address_may_be_the_server_the_api_or_the_whole() {
        for (url, expect) in [
            ("http://j:8000", "http://j:8000/v1/chat/completions"),
            ("http://j:8000/", "http://j:8000/v1/chat/completions"),
            ("https://api.example.com/v1", "https://api.example.com/v1/chat/completions"),
            ("https://j/openai/v1/", "https://j/openai/v1/chat/completions"),
            ("https://j/v1/chat/completions", "https://j/v1/chat/completions"),
            (
                "https://j/openai/deployments/d/chat/completions?api-version=1",
                "https://j/openai/deployments/d/chat/completions?api-version=1",
            ),
        ] {
            assert_eq!(address(url), expect);
        }
    }

    /// What becomes of so many questions.
    fn ask(url: &str, count: usize, is_over: bool) -> Vec<Came> {
        let (post, clock) = (HttpPost::new(), SystemClock::start());
        let judge = JudgeServer {
            post: &post,
            clock: &clock,
            random: || 7,
            address: address(url),
            model: "m".to_owned(),
            headers: vec![("authorization".to_owned(), "Bearer secret".to_owned())],
            concurrency: 4,
            takes_no_temperature: AtomicBool::new(false),
        };
        let answers: Vec<Value> = (0..count).map(|at| json!(at.to_string())).collect();
        let question = |at: usize| Question::Better {
            messages: &[],
            first: &answers[at],
            second: &answers[0],
            reference: None,
        };
        let questions: Vec<Question<'_>> = (0..count).map(question).collect();
        judge.ask(&questions, &|| is_over).into_iter().map(|(_, came)| came).collect()
    }

    fn completion(text: &str) -> Reply {
        Reply::ok(json!({"choices": [{"message": {"content": text}}]}).to_string())
    }

    #[test]
    fn answers_come_in_the_order_of_the_questions() {
        let server = Server::start(|_| completion("A"));
        assert_eq!(ask(&server.url, 9, false), vec![Came::Reply("A".to_owned()); 9]);
        let heads = server.heads();
        assert_eq!(heads.len(), 9);
        assert!(heads.iter().all(|head| head.starts_with("POST /v1/chat/completions ")));
        assert!(heads[0].to_ascii_lowercase().contains("authorization: bearer secret"));
        assert_eq!(ask(&server.url, 0, false), []);
    }

    #[test]
    fn what_fails_has_a_reason_and_no_secret() {
        for (reply, expect) in [
            (Reply::Http("429 Too Many Requests", b"Bearer secret".to_vec()), "judge 429"),
            (Reply::Http("503 Service Unavailable", Vec::new()), "judge 503"),
            (Reply::Http("401 Unauthorized", b"secret".to_vec()), "judge 401"),
            (Reply::ok("<html>"), "judge unreadable"),
        ] {
            let reply = std::sync::Mutex::new(Some(reply));
            let server = Server::start(move |_| reply.lock().unwrap().take().unwrap());
            assert_eq!(ask(&server.url, 1, false), [Came::Nothing(expect.to_owned())]);
        }
        assert_eq!(
            ask("http://127.0.0.1:1", 1, false),
            [Came::Nothing("judge refuses the connection".to_owned())]
        );
        assert_eq!(ask("http://127.0.0.1:1", 1, true), [Came::Nothing("judge not asked".to_owned())]);
    }

    #[test]
    fn a_model_that_takes_no_temperature_is_asked_without() {
        let calls = std::sync::atomic::AtomicUsize::new(0);
        let server = Server::start(move |_| match calls.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
            0 => Reply::Http("400 Bad Request", b"unsupported value: temperature".to_vec()),
            _ => completion("tie"),
        });
        assert_eq!(ask(&server.url, 1, false), [Came::Reply("tie".to_owned())]);
        assert_eq!(server.heads().len(), 2);
    }
}
