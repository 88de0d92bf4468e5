//! One prompt on one side: requests out, responses in, one after the other where the prompt has several turns.

use super::api::Api;
use super::form::{Wanted, form};
use super::reply::{Reply, Standing};
use llm_canary_sets::request::Request;
use serde_json::{Map, Value, json};
use std::slice::Iter;

/// A conversation that goes on.
pub(crate) struct Exchange<'a> {
    api: Api,
    model: Option<&'a str>,
    streamed: bool,
    carried: &'a Map<String, Value>,
    messages: Vec<Value>,
    turns: Iter<'a, String>,
    /// What all turns so far took together.
    sum: Sum,
}

#[derive(Default)]
struct Sum {
    latency_ms: Option<u64>,
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
    ttft_ms: Option<u64>,
    turns: u32,
    defects: Vec<&'static str>,
}

/// How a conversation ended.
pub(crate) struct Ended {
    /// The messages of the last request.
    pub(crate) messages: Vec<Value>,
    /// The last answer. Its times and tokens are those of all turns: sums, but of the first turn its first token and the
    /// tokens of its prompt.
    pub(crate) reply: Reply,
}

/// What comes after a response.
pub(crate) enum Next<'a> {
    /// Another turn.
    Turn(Exchange<'a>),
    /// Nothing.
    End(Box<Ended>),
}

impl<'a> Exchange<'a> {
    /// Begins one.
    pub(crate) fn new(api: Api, model: Option<&'a str>, streamed: bool, request: &'a Request) -> Self {
        Self {
            api,
            model,
            streamed,
            carried: &request.body,
            messages: request.messages.clone(),
            turns: request.turns.iter(),
            sum: Sum::default(),
        }
    }

    /// The body of the next request.
    pub(crate) fn body(&self) -> Vec<u8> {
        let wanted = Wanted {
            messages: &self.messages,
            carried: self.carried,
            model: self.model,
            streamed: self.streamed,
        };
        Value::Object(form(self.api, &wanted).body).to_string().into_bytes()
    }

    /// Takes a response in. A turn that was not answered ends it.
    pub(crate) fn take(mut self, mut reply: Reply) -> Next<'a> {
        self.sum.add(&reply);
        if reply.standing == Standing::Answered
            && let Some(turn) = self.turns.next()
        {
            let mut said = json!({"role": "assistant", "content": reply.text});
            if let (Value::Object(said), false) = (&mut said, reply.calls.is_empty()) {
                said.insert("tool_calls".to_owned(), reply.calls.into());
            }
            self.messages.push(said);
            self.messages.push(json!({"role": "user", "content": turn}));
            return Next::Turn(self);
        }
        let sum = self.sum;
        reply.latency_ms = sum.latency_ms;
        reply.prompt_tokens = sum.prompt_tokens;
        reply.completion_tokens = sum.completion_tokens;
        reply.ttft_ms = sum.ttft_ms;
        reply.defects = sum.defects;
        Next::End(Box::new(Ended { messages: self.messages, reply }))
    }
}

impl Sum {
    fn add(&mut self, reply: &Reply) {
        let is_first = self.turns == 0;
        self.turns = self.turns.saturating_add(1);
        let plus = |sum: Option<u64>, value: Option<u64>| {
            if is_first { value } else { Some(sum?.saturating_add(value?)) }
        };
        self.latency_ms = plus(self.latency_ms, reply.latency_ms);
        self.completion_tokens = plus(self.completion_tokens, reply.completion_tokens);
        if is_first {
            // Later prompts hold answers, which differ.
            self.prompt_tokens = reply.prompt_tokens;
            self.ttft_ms = reply.ttft_ms;
        }
        for defect in &reply.defects {
            if !self.defects.contains(defect) {
                self.defects.push(defect);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Api, Exchange, Next, Reply, Standing};
    use llm_canary_sets::request::Request;
    use serde_json::{Map, Value, json};

    fn request(turns: &[&str]) -> Request {
        Request {
            case: 0,
            prompt: 0,
            messages: vec![json!({"role": "user", "content": "one"})],
            turns: turns.iter().map(|turn| (*turn).to_owned()).collect(),
            body: Map::new(),
            variables: Map::new(),
        }
    }

    fn reply(text: &str, standing: Standing) -> Reply {
        Reply {
            standing,
            status: Some(200),
            outcome: Some("complete"),
            finish: Some("stop"),
            ttft_ms: Some(5),
            latency_ms: Some(10),
            prompt_tokens: Some(7),
            completion_tokens: Some(3),
            defects: vec!["repetition"],
            text: text.to_owned(),
            calls: Vec::new(),
        }
    }

    #[test]
    fn each_turn_follows_the_answer_to_the_one_before() {
        let request = request(&["two", "three"]);
        let mut exchange = Exchange::new(Api::Chat, None, false, &request);
        for (answer, length) in [("a", 1), ("b", 3)] {
            let body: Value = serde_json::from_slice(&exchange.body()).unwrap();
            assert_eq!(body["messages"].as_array().unwrap().len(), length);
            let Next::Turn(next) = exchange.take(reply(answer, Standing::Answered)) else { unreachable!() };
            exchange = next;
        }
        let later = Reply { ttft_ms: Some(9), prompt_tokens: Some(99), ..reply("c", Standing::Answered) };
        let Next::End(ended) = exchange.take(later) else { unreachable!() };
        let said: Vec<&str> =
            ended.messages.iter().map(|message| message["content"].as_str().unwrap()).collect();
        assert_eq!(said, ["one", "a", "two", "b", "three"]);
        let reply = ended.reply;
        assert_eq!(
            (reply.text.as_str(), reply.latency_ms, reply.completion_tokens),
            ("c", Some(30), Some(9))
        );
        assert_eq!((reply.prompt_tokens, reply.ttft_ms), (Some(7), Some(5)));
        assert_eq!(reply.defects, ["repetition"]);
    }

    #[test]
    fn a_turn_without_an_answer_ends_it() {
        let request = request(&["two"]);
        let exchange = Exchange::new(Api::Chat, None, false, &request);
        let failed = reply("", Standing::Failed("status 500".to_owned()));
        let Next::End(ended) = exchange.take(failed) else { unreachable!() };
        assert_eq!(ended.messages.len(), 1);
    }
}
