//! A stream has the same facts whether its events are compared with templates or all parsed.

use super::super::{End, Head, Observation, Observer};
use super::*;
use crate::observe::body::ResponseBody;
use proptest::prelude::*;

/// What the detectors of defects have read.
type Transcript = (Option<u64>, Vec<crate::defect::Arguments>);

/// Observes a stream that comes in pieces, a microsecond apart. Returns also how many events were not parsed.
fn observe<'a>(
    pieces: impl IntoIterator<Item = &'a [u8]>,
    parses_all: bool,
) -> (Observation, (u64, Transcript)) {
    let head = Head { status: 200, content_type: b"text/event-stream", ..Head::default() };
    let mut observer = Observer::new(head, 0, 0);
    observer.detect_refusal_phrases();
    let events = Events { parses_all, ..Events::default() };
    observer.body = ResponseBody::Events(Box::new(events));
    observer.body.keep_answer_prefix();
    observer.detect_defects(None);
    for (at, piece) in (0..).zip(pieces) {
        observer.push(at, piece);
    }
    let ResponseBody::Events(events) = &observer.body else { panic!() };
    let matched = (events.matched_events, events.facts().transcript());
    // After an abort, the outcome also shows whether a tool call was complete.
    (observer.finish(End::ClientAbort, 1_000_000), matched)
}

fn check(pieces: &[&[u8]]) -> u64 {
    let (seen, (matched, transcript)) = observe(pieces.iter().copied(), false);
    let (mut expected, (_, expected_transcript)) = observe(pieces.iter().copied(), true);
    // With templates, a delta counts when its event is complete. A parser counts it when its text is, which may be
    // a piece earlier.
    expected.timing = seen.timing;
    assert_eq!(seen, expected, "{}", String::from_utf8_lossy(&pieces.concat()));
    assert_eq!(transcript, expected_transcript, "{}", String::from_utf8_lossy(&pieces.concat()));
    matched
}

const HEADS: [&str; 3] = [
    "data: {\"id\":\"a\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n",
    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":3,\"output_tokens\":1},\"model\":\"m\"}}\n\n",
    "event: response.created\ndata: {\"type\":\"response.created\",\"sequence_number\":0,\"response\":{\"model\":\"m\",\"status\":\"in_progress\"}}\n\n",
];

/// Events of each dialect. `#` stands for a number, `@` for a text and `?` for an unused value. Frequent
/// events are listed more than once.
const EVENTS: [&[&str]; 3] = [
    &[
        "data: {\"id\":\"?\",\"created\":#,\"choices\":[{\"index\":0,\"delta\":{\"content\":\"@\"},\"finish_reason\":null}]}\n\n",
        "data: {\"id\":\"?\",\"created\":#,\"choices\":[{\"index\":0,\"delta\":{\"content\":\"@\"},\"finish_reason\":null}]}\n\n",
        "data: {\"id\":\"?\",\"created\":#,\"choices\":[{\"index\":0,\"delta\":{\"content\":\"@\"},\"finish_reason\":null}]}\n\n",
        "data: {\"id\":\"?\",\"created\":#,\"choices\":[{\"index\":1,\"delta\":{\"content\":\"@\"},\"finish_reason\":null}]}\n\n",
        "data: {\"id\":\"?\",\"choices\":[{\"index\":0,\"delta\":{\"reasoning_content\":\"@\",\"content\":null}}],\"usage\":null}\n\n",
        "data: {\"choices\":[{\"index\":0,\"text\":\"@\"}]}\r\n\r\n",
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"@\"}}],\"usage\":{\"completion_tokens\":#}}\n\n",
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"@\"}}],\"usage\":{\"prompt_tokens\":0,\"input_tokens\":4},\"error\":{}}\n\n",
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":4,\"output_tokens\":#,\"input_tokens\":9},\"error\":[ ]}\n\n",
        "data: {\"object\":\"?\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"@\"}}],\"base_resp\":{\"status_code\":0}}\n\n",
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"@\"},\"text\":\"@\"}]}\n\n",
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"refusal\":\"@\"}}]}\n\n",
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"?\",\"function\":{\"arguments\":\"@\"}}]}}]}\n\n",
        "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
        ": ping\n\n",
        "id: #\n",
        "data: {\"error\":{\"message\":\"?\"}}\n\n",
        "data: [DONE]\n\n",
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"?\",\"function\":{\"name\":\"f\",\"arguments\":\"@\"}}]}}]}\n\n",
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"name\":\"f\",\"arguments\":\"@\"}}]}}]}\n\n",
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":#,\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"@\"}}]}}]}\n\n",
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"name\":null,\"arguments\":\"@\"}}]}}]}\n\n",
    ],
    &[
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"@\"}}\n\n",
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"@\"}}\n\n",
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":#,\"delta\":{\"type\":\"text_delta\",\"text\":\"@\"}  }\n\n",
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"thinking_delta\",\"thinking\":\"@\"}}\n\n",
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"@\"}}\n\n",
        "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":1,\"content_block\":{\"type\":\"tool_use\",\"id\":\"?\",\"input\":{}}}\n\n",
        "event: error\ndata: {\"type\":\"error\"}\n\n",
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":#,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"@\"}}\n\n",
        "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":#,\"content_block\":{\"type\":\"server_tool_use\",\"id\":\"?\",\"input\":{}}}\n\n",
        "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":#}}\n\n",
    ],
    &[
        "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"@\",\"logprobs\":[],\"obfuscation\":\"?\",\"sequence_number\":#}\n\n",
        "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"@\",\"logprobs\":[],\"obfuscation\":\"?\",\"sequence_number\":#}\n\n",
        "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"@\",\"logprobs\":[x\"?],\"a\",\"sequence_number\":#}\n\n",
        "event: response.refusal.delta\ndata: {\"type\":\"response.refusal.delta\",\"delta\":\"@\",\"sequence_number\":#}\n\n",
        "event: response.reasoning_text.delta\ndata: {\"type\":\"response.reasoning_text.delta\",\"delta\":\"@\",\"sequence_number\":#}\n\n",
        "event: x\ndata: {\"type\":\"response.function_call_arguments.delta\",\"delta\":\"@\",\"sequence_number\":#}\n\n",
        "event: x\ndata: {\"type\":\"response.output_item.added\",\"item\":{\"type\":\"function_call\",\"id\":\"?\"}}\n\n",
        "event: x\ndata: {\"type\":\"response.function_call_arguments.delta\",\"delta\":\"@\",\"output_index\":0}\n\n",
        "event: x\ndata: {\"type\":\"response.output_item.added\",\"output_index\":0,\"item\":{\"type\":\"function_call\",\"call_id\":\"?\"}}\n\n",
        "event: x\ndata: {\"type\":\"response.output_item.done\",\"output_index\":0,\"item\":{\"type\":\"function_call\",\"call_id\":\"?\"}}\n\n",
        "event: x\ndata: {\"type\":\"response.code_interpreter_call_code.delta\",\"delta\":\"@\",\"sequence_number\":#}\n\n",
    ],
];

fn stream() -> impl Strategy<Value = Vec<u8>> {
    let words = prop::sample::select(vec![
        "a",
        " the",
        "",
        "é",
        "漢字",
        "🙂",
        " I'm sorry",
        "\\n",
        "a\\\"b",
        "\\u00e9",
        "\\",
        "\"",
        "a long text, longer than a word",
        "{",
        "}",
    ]);
    let event = (any::<prop::sample::Index>(), words, 0..2000_u32, "[a-z]{0,9}", 1..4_usize);
    (
        0..3_usize,
        prop::collection::vec(event, 0..24),
        prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..2),
    )
        .prop_map(|(dialect, events, noise)| {
            let mut stream = HEADS[dialect].to_string();
            for (event, text, number, other, times) in events {
                for time in 0..times {
                    let event = EVENTS[dialect][event.index(EVENTS[dialect].len())];
                    let number = (number + time as u32).to_string();
                    stream += &event.replace('@', text).replace('#', &number).replace('?', &other);
                }
            }
            let mut stream = stream.into_bytes();
            for (at, byte) in noise {
                let at = at.index(stream.len());
                stream[at] = byte;
            }
            stream
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn templates_change_no_facts(stream in stream(), size in 1..600_usize, cut: prop::sample::Index) {
        check(&[&stream]);
        check(&stream.chunks(size).collect::<Vec<_>>());
        let (a, b) = stream.split_at(cut.index(stream.len()));
        check(&[a, b]);
    }
}

/// A stream of deltas of one kind.
fn uniform(dialect: usize, count: usize) -> Vec<String> {
    let event = |at: usize| {
        let (text, spaces) = (["a", " the", " word"][at % 3], " ".repeat(at % 4));
        let event = EVENTS[dialect][0]
            .replace('@', text)
            .replace('#', &at.to_string())
            .replace('?', &"x".repeat(at % 9));
        event.replace("}\n\n", &format!("{spaces}}}\n\n"))
    };
    std::iter::once(HEADS[dialect].to_string()).chain((0..count).map(event)).collect()
}

#[test]
fn the_arguments_of_a_tool_call_are_compared() {
    const CALLS: [(&str, &str); 3] = [
        (
            "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"c\",\"function\":{\"name\":\"f\",\"arguments\":\"\"}}]}}]}\n\n",
            "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"@\"}}]}}]}\n\n",
        ),
        (EVENTS[1][5], EVENTS[1][4]),
        (EVENTS[2][6], EVENTS[2][5]),
    ];
    let pieces = ["{", "\\\"", "a", "\\\\\\\"", "}", "b\\n", "\\\"", ":", " [[", "1", "]", "]", "}"];
    for (head, (begin, piece)) in HEADS.iter().zip(CALLS) {
        // Complete, and cut after each piece.
        for count in 0..=pieces.len() {
            let events = pieces.iter().take(count).map(|text| piece.replace('@', text).replace('#', "7"));
            let events: Vec<_> = [head.to_string(), begin.to_string()].into_iter().chain(events).collect();
            let matched = check(&events.iter().map(String::as_bytes).collect::<Vec<_>>());
            assert!(matched as usize + 1 >= count, "{matched} of {count}: {begin}");
        }
    }
}

/// Deltas of one kind, and between them deltas of another kind, or events that are not deltas.
#[test]
fn kinds_that_alternate_are_compared() {
    const EACH: u64 = 12;
    let delta = |event: &str, at: u64| event.replace('@', "a").replace('#', &at.to_string());
    let turns = |first: &str, between: &[&str]| {
        let mut events = vec![HEADS[1].to_string()];
        for at in 0..EACH {
            events.push(delta(first, at));
            events.extend(between.iter().map(|event| delta(event, at)));
        }
        check(&events.iter().map(String::as_bytes).collect::<Vec<_>>())
    };
    let [answer, reasoning, call] = [EVENTS[1][0], EVENTS[1][3], EVENTS[1][5]];
    // Two of each kind are parsed: after the first, there is text of this kind, which may change what the second
    // does.
    assert!(turns(answer, &[reasoning]) >= 2 * (EACH - 3), "{}", turns(answer, &[reasoning]));
    // A new call may change what the next delta does, so that one is parsed again.
    assert!(
        turns(answer, &[call, answer, answer]) >= 2 * (EACH - 3),
        "{}",
        turns(answer, &[call, answer, answer])
    );
}

#[test]
fn an_escaped_text_is_compared() {
    let texts = [
        "a",
        "b",
        "c",
        "\\n",
        "\\u4e2d\\u6587",
        "\\\"",
        "\\u00e9",
        "\\ud83e\\udd80",
        "\\ud83e",
        "\\ud83e\\n",
        "\\udd80",
    ];
    for dialect in 0..3 {
        let events = texts.iter().map(|text| EVENTS[dialect][0].replace('@', text).replace('#', "1"));
        let events: Vec<_> = std::iter::once(HEADS[dialect].to_string()).chain(events).collect();
        // Two are parsed, to make a template.
        let matched = check(&events.iter().map(String::as_bytes).collect::<Vec<_>>());
        assert_eq!(matched as usize, texts.len() - 2, "{}", HEADS[dialect]);
    }
}

#[test]
fn the_events_of_a_stream_are_compared_wherever_it_is_cut() {
    for dialect in 0..3 {
        let events = uniform(dialect, 30);
        let each: Vec<_> = events.iter().map(String::as_bytes).collect();
        assert!(check(&each) > 20, "an event a piece");
        let timing = |parses_all| observe(each.iter().copied(), parses_all).0.timing;
        assert_eq!(timing(false), timing(true));
        let whole = events.concat().into_bytes();
        assert!(check(&[&whole]) > 20, "all in one piece");
        for cut in 0..whole.len() {
            let (a, b) = whole.split_at(cut);
            assert!(check(&[a, b]) > 20, "cut at {cut}");
        }
        check(&whole.chunks(1).collect::<Vec<_>>());
    }
}
