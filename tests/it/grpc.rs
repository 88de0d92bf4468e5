//! gRPC's messages through the whole filter: what they say is counted, and every byte passes as it came.

use std::time::Duration;

use crate::host::{Envoy, Id, on_each_host};

const CONFIG: &str = r#"{"rollouts": [{"name": "chat", "baseline": "1", "key": [{"header": "x-id"}],
    "versions": [{"name": "1", "cluster": "a"}, {"name": "2", "cluster": "b"}]OPTIONS}]}"#;
const METHODS: &str = "/inference.GRPCInferenceService/";
const PIECE: Duration = Duration::from_millis(20);

/// A field of a protobuf message, or a message of gRPC; of less than 128 bytes.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2, content.len() as u8], content].concat()
}

fn frame(flags: u8, content: &[u8]) -> Vec<u8> {
    [&[flags, 0, 0, 0, content.len() as u8], content].concat()
}

/// A `ModelInferResponse` of version 2 of a model, with one raw tensor.
fn response(datatype: &str, text: &str) -> Vec<u8> {
    let tensor = [field(1, b"text_output"), field(2, datatype.as_bytes())].concat();
    let content = [&[text.len() as u8, 0, 0, 0], text.as_bytes()].concat();
    [field(1, b"llm"), field(2, b"2"), field(5, &tensor), field(6, &content)].concat()
}

fn streamed(text: &str) -> Vec<u8> {
    frame(0, &field(2, &response("BYTES", text)))
}

fn call(envoy: &mut Envoy, method: &str, content_type: &str) -> Id {
    let path = format!("{METHODS}{method}");
    let head: [(&str, &[u8]); 5] = [
        (":method", b"POST"),
        (":path", path.as_bytes()),
        (":authority", b"a"),
        ("x-id", b"k"),
        ("content-type", content_type.as_bytes()),
    ];
    let id = envoy.request(&head).post([&b"\0\0\0\0\0"[..]]).route_to("a");
    id.respond("200", &[("content-type", content_type.as_bytes())], false)
}

/// The metrics that have counted, and their sums.
fn sums(envoy: &Envoy) -> Vec<(&'static str, u64)> {
    [
        "llm_requests_total",
        "llm_response_chars_total",
        "llm_time_to_first_token_ms_total",
        "llm_unread_total",
        "llm_version_mismatch_total",
        "llm_finish_total",
    ]
    .into_iter()
    .map(|name| (name, envoy.sum(name, "")))
    .filter(|(_, sum)| *sum > 0)
    .collect()
}

fn outcomes(envoy: &Envoy) -> Vec<String> {
    let metrics = envoy.metrics();
    let names = metrics.iter().filter(|(name, values)| {
        name.starts_with("llm_requests_total{") && values.iter().any(|value| *value > 0)
    });
    names
        .filter_map(|(name, _)| Some(name.split("llm_outcome=").nth(1)?.split(['}', ',']).next()?.to_owned()))
        .collect()
}

/// Sends a body in pieces of `size` bytes with some time before each. Returns how many there were.
fn send(envoy: &Envoy, id: Id, body: &[u8], size: usize) -> u64 {
    for piece in body.chunks(size) {
        envoy.advance(PIECE);
        id.chunk(piece);
    }
    assert_eq!(id.client_body(), body);
    body.len().div_ceil(size) as u64
}

#[test]
fn a_streams_text_version_and_first_token_are_counted() {
    on_each_host(|| {
        let body = [streamed("Grüße, "), streamed("四"), frame(0, &field(2, &field(3, b"id")))].concat();
        for (options, size) in [("", 1), ("", 7), ("", 1000), (r#", "observe": true"#, 3)] {
            let mut envoy = Envoy::with(&CONFIG.replace("OPTIONS", options));
            let id = call(&mut envoy, "ModelStreamInfer", "application/grpc");
            send(&envoy, id, &body, size);
            id.trailers_with(&[("grpc-status", "0")]).end();
            let first = streamed("Grüße, ").len().div_ceil(size) as u64 * PIECE.as_millis() as u64;
            assert_eq!(outcomes(&envoy), ["complete"]);
            let expected = [
                ("llm_requests_total", 1),
                ("llm_response_chars_total", 8),
                ("llm_time_to_first_token_ms_total", first),
                ("llm_version_mismatch_total", 1),
                ("llm_finish_total", 1),
            ];
            assert_eq!(sums(&envoy), expected, "{options} {size}");
            envoy.stop();
        }
    });
}

#[test]
fn each_method_is_read_as_what_it_is() {
    let whole = frame(0, &response("BYTES", "abc"));
    let numbers = frame(0, &response("FP32", "abc"));
    let error = frame(0, &field(1, b"told to fail"));
    let compressed = [streamed("abc"), frame(1, b"...")].concat();
    let answer = |chars: u64| {
        vec![("llm_response_chars_total", chars), ("llm_version_mismatch_total", 1), ("llm_finish_total", 1)]
    };
    type Counted = Vec<(&'static str, u64)>;
    let cases: [(&str, &[u8], &str, Counted); 8] = [
        ("ModelInfer", &whole, "complete", answer(3)),
        ("ModelInfer", &numbers, "complete", vec![]),
        ("ModelInfer", &whole[..whole.len() - 1], "truncated", answer(2)),
        ("ModelStreamInfer", &error, "stream_error", vec![("llm_finish_total", 1)]),
        (
            "ModelStreamInfer",
            &compressed,
            "complete",
            vec![
                ("llm_time_to_first_token_ms_total", compressed.len() as u64 * 20 - 160),
                ("llm_unread_total", 1),
                ("llm_version_mismatch_total", 1),
                ("llm_finish_total", 1),
            ],
        ),
        ("Other", &whole, "complete", vec![("llm_unread_total", 1), ("llm_finish_total", 1)]),
        ("ModelMetadata", &whole, "complete", vec![]),
        ("ModelInfer", b"", "complete", vec![("llm_finish_total", 1)]),
    ];
    on_each_host(|| {
        for (method, body, outcome, mut expected) in cases.clone() {
            let mut envoy = Envoy::with(&CONFIG.replace("OPTIONS", ""));
            let id = call(&mut envoy, method, "application/grpc+proto");
            send(&envoy, id, body, 1);
            id.trailers_with(&[("grpc-status", "0")]).end();
            assert_eq!(outcomes(&envoy), [outcome], "{method} {body:?}");
            expected.insert(0, ("llm_requests_total", 1));
            assert_eq!(sums(&envoy), expected, "{method} {body:?}");
            envoy.stop();
        }
    });
}

#[test]
fn grpc_web_ends_with_its_body() {
    let trailers = |status: &str| frame(0x80, format!("grpc-status:{status}\r\n").as_bytes());
    on_each_host(|| {
        for (body, outcome, chars) in [
            ([streamed("abc"), trailers("0")].concat(), "complete", 3),
            ([streamed("abc"), trailers("13")].concat(), "stream_error", 3),
            (trailers("5"), "http_error", 0),
            (streamed("abc"), "upstream_reset", 3),
        ] {
            for size in [1, 9, 1000] {
                let mut envoy = Envoy::with(&CONFIG.replace("OPTIONS", ""));
                let id = call(&mut envoy, "ModelStreamInfer", "application/grpc-web+proto");
                send(&envoy, id, &body, size);
                id.body(b"", true).end();
                assert_eq!(outcomes(&envoy), [outcome]);
                assert_eq!(envoy.sum("llm_response_chars_total", ""), chars);
                assert_eq!(envoy.sum("llm_unread_total", ""), 0);
                envoy.stop();
            }
        }
    });
}
