//! Which answers a response has, and what of their text is new.

use super::super::*;

/// Dialect, outcome, finish, characters, input and output tokens, and whether it is a stream: the same in every chunking.
type Facts = (Option<&'static str>, Outcome, Finish, Option<u64>, Option<u64>, Option<u64>, bool);

fn facts(content_type: &str, body: &str) -> Facts {
    let head = Head { status: 200, content_type: content_type.as_bytes(), ..Head::default() };
    let observe = |size: usize| {
        let mut observer = Observer::new(head, 0, 0);
        body.as_bytes().chunks(size).for_each(|piece| observer.push(0, piece));
        observer.finish(End::Complete, 0)
    };
    let whole = observe(body.len());
    for size in (1..=40).chain([100, 300]) {
        let seen = observe(size);
        assert_eq!(Observation { timing: whole.timing, ..seen }, whole, "{size}: {body}");
    }
    let Observation { dialect, outcome, finish, text_chars, usage, events, .. } = whole;
    (dialect, outcome, finish, text_chars, usage.input, usage.output, events.is_some())
}

#[test]
fn an_array_of_answers_is_whole_and_its_numbers_are_added_up() {
    use {Finish::*, Outcome::*};
    let sglang = |text: &str, input: u8, output: u8, finish: &str| {
        format!(
            r#"{{"text":"{text}","meta_info":{{"prompt_tokens":{input},"completion_tokens":{output},"finish_reason":{{"type":"{finish}"}}}}}}"#
        )
    };
    let chat = r#"{"choices":[{"index":0,"message":{"content":"four","tool_calls":[]},"finish_reason":"stop"}],"usage":{"prompt_tokens":2,"completion_tokens":3}}"#;
    let gemini =
        r#"{"candidates":[{"content":{"parts":[{"text":"four"}]}}],"usageMetadata":{"promptTokenCount":2}}"#;
    let tgi = r#"{"generated_text":"four"}"#;
    for (expected, items) in [
        // text-generation-inference: router/src/server.rs, compat_generate
        ((Some("tgi"), Complete, None, Some(4), Option::None, Option::None, false), vec![tgi]),
        ((Some("tgi"), Complete, None, Some(8), Option::None, Option::None, false), vec![tgi, tgi]),
        ((Some("openai-chat"), Complete, Stop, Some(4), Some(2), Some(3), false), vec![chat]),
        ((Some("openai-chat"), Complete, Stop, Some(8), Some(4), Some(6), false), vec![chat, chat]),
        // llm-d/llm-d-router#2391. The texts neither repeat nor continue each other.
        (
            (Some("sglang"), Complete, Length, Some(10), Some(8), Some(6), false),
            vec![&sglang("four", 3, 2, "stop"), &sglang("sixsix", 5, 4, "length")],
        ),
        (
            (Some("sglang"), Complete, Stop, Some(12), Some(6), Some(4), false),
            vec![&sglang("a", 3, 2, "stop"), &sglang("a long text", 3, 2, "stop")],
        ),
        // Gemini streams one answer as an array.
        ((Some("gemini"), Truncated, None, Some(4), Some(2), Option::None, true), vec![gemini]),
        ((Some("gemini"), Truncated, None, Some(8), Some(2), Option::None, true), vec![gemini, gemini]),
    ] {
        let body = format!(" [{}\n]", items.join(" ,\n"));
        assert_eq!(facts("application/json", &body), expected, "{body}");
        let cut = body.trim_end_matches(']');
        assert_eq!(facts("application/json", cut).1, Truncated, "{cut}");
    }
    // As many as there are.
    let many = vec![sglang("four", 3, 2, "stop"); 200].join(",");
    let expected = (Some("sglang"), Complete, Stop, Some(800), Some(600), Some(400), false);
    assert_eq!(facts("application/json", &format!("[{many}]")), expected);
}

#[test]
fn a_text_that_does_not_begin_like_the_last_is_new() {
    let long = "The quick brown fox jumps over the lazy dog";
    let longer = format!("{long}, and so on.");
    for (expected, texts) in [
        (14, &[" One", " two", " three"][..]),
        (14, &[" One", " One two", " One two three"]),
        (14, &[" One two three"]),
        (0, &["", ""]),
        (3, &["", "a", "", "b", "c"]),
        // `a` may be repeated in `and`, but not in what follows.
        (8, &["a", "and", " the"]),
        (3, &["", "a", "ab", "abc", "abc"]),
        // A stop word that is cut off in the end.
        (8, &["abc", "abc STOP", "abc "]),
        (longer.len() as u64, &[long, &longer]),
        (longer.len() as u64 + 1, &[&longer, "!"]),
        (6, &["漢", "字", "漢字漢字"]),
    ] {
        let event = |at: usize| {
            let reason = if at + 1 == texts.len() { r#"{"type":"stop"}"# } else { "null" };
            format!(
                "data: {{\"text\":\"{}\",\"meta_info\":{{\"prompt_tokens\":4,\"completion_tokens\":{at},\"finish_reason\":{reason}}}}}\n\n",
                texts[at]
            )
        };
        let body: String = (0..texts.len()).map(event).collect();
        let output = Some(texts.len() as u64 - 1);
        let expected =
            (Some("sglang"), Outcome::Complete, Finish::Stop, Some(expected), Some(4), output, true);
        assert_eq!(facts("text/event-stream", &body), expected, "{texts:?}");
    }
}

#[test]
fn an_index_tells_answers_apart() {
    let event = |index: u8, text: &str, output: u8, reason: &str| {
        format!(
            "data: {{\"text\":\"{text}\",\"meta_info\":{{\"prompt_tokens\":{},\"completion_tokens\":{output},\"finish_reason\":{reason}}},\"index\":{index}}}\n\n",
            index + 3
        )
    };
    let (stop, none) = (r#"{"type":"stop"}"#, "null");
    let first = event(0, "One", 1, none) + &event(1, "Uno", 1, none);
    for (expected, more) in [
        // Each event has the whole text.
        (7 + 7, event(1, "Uno due", 2, stop) + &event(0, "One two", 2, stop)),
        // Each has what is new.
        (7 + 7, event(1, " due", 2, stop) + &event(0, " two", 2, stop)),
    ] {
        let body = first.clone() + &more;
        let expected =
            (Some("sglang"), Outcome::Complete, Finish::Stop, Some(expected), Some(7), Some(4), true);
        assert_eq!(facts("text/event-stream", &body), expected, "{body}");
    }
    let one_ended = first + &event(0, "One two", 2, stop);
    assert_eq!(facts("text/event-stream", &one_ended).1, Outcome::Truncated);
}

#[test]
fn a_stream_that_broke_off_early_is_an_answer() {
    let body = "data: {\"event_type\":\"interaction.created\",\"interaction\":{\"id\":\"a\"}}\n\ndata: {\"event_type\":\"interaction.status_update\",\"interaction_id\":\"a\",\"status\":\"in_progress\"}\n\ndata: {\"event_type\":\"step.start\",\"index\":0,\"step\":{\"type\":\"model_output\"}}\n\n";
    for body in [
        body.to_owned(),
        body.replace(r#","status":"in_progress"}"#, "}").replace(
            "{\"event_type\":\"interaction.st",
            "{\"status\":\"in_progress\",\"event_type\":\"interaction.st",
        ),
    ] {
        for length in 1..=body.len() {
            let seen = super::end("text/event-stream", &body[..length], End::UpstreamReset);
            // Before its first value nothing tells what it is.
            assert!(seen.is_answer || seen.dialect.is_none(), "{}", &body[..length]);
            assert_eq!(seen.outcome, Outcome::UpstreamReset);
        }
        assert_eq!(super::end("text/event-stream", &body, End::UpstreamReset).text_chars, Some(0));
    }
}
