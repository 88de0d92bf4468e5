//! Messages built byte by byte, in the shapes that servers send: what is seen of them, in every chunking.

use super::*;
use crate::dialect::Usage;
use crate::observe::{Finish, Observation, Observer, Unparsed};
use alloc::vec::Vec;
use proptest::prelude::*;

const TEXT: &str = "one zwei τρία 四 🚀";

fn varint(mut value: u64, into: &mut Vec<u8>) {
    while value > 0x7f {
        into.push(value as u8 | 0x80);
        value >>= 7;
    }
    into.push(value as u8);
}

/// A field with a length.
fn field(number: u64, content: impl AsRef<[u8]>) -> Vec<u8> {
    let (mut bytes, content) = (Vec::new(), content.as_ref());
    varint(number << 3 | 2, &mut bytes);
    varint(content.len() as u64, &mut bytes);
    bytes.extend(content);
    bytes
}

fn frame(flags: u8, content: impl AsRef<[u8]>) -> Vec<u8> {
    let content = content.as_ref();
    [&[flags], &(content.len() as u32).to_be_bytes()[..], content].concat()
}

/// An output tensor: its content, and whether that is raw.
#[derive(Clone, Debug)]
struct Output<'a> {
    name: &'a str,
    datatype: &'a str,
    content: Content<'a>,
}

#[derive(Clone, Debug)]
enum Content<'a> {
    Typed(Vec<&'a str>),
    RawStrings(Vec<&'a str>),
    Raw(Vec<u8>),
    /// A packed field of this number.
    Numbers(u64, Vec<u64>),
    /// The same, one field a number.
    Unpacked(u64, Vec<u64>),
}

fn raw_text(text: &str) -> Output<'_> {
    Output { name: "text_output", datatype: "BYTES", content: Content::RawStrings(vec![text]) }
}

fn typed_text(text: &str) -> Output<'_> {
    Output { name: "text_output", datatype: "BYTES", content: Content::Typed(vec![text]) }
}

fn described(output: &Output<'_>) -> Vec<u8> {
    let mut bytes = [field(1, output.name), field(2, output.datatype), field(3, [1])].concat();
    let contents = match &output.content {
        Content::Typed(texts) => texts.iter().flat_map(|text| field(8, text)).collect(),
        Content::Numbers(number, values) => {
            let mut packed = Vec::new();
            values.iter().for_each(|&value| varint(value, &mut packed));
            field(*number, packed)
        }
        Content::Unpacked(number, values) => {
            let mut bytes = Vec::new();
            for &value in values {
                bytes.push((*number << 3) as u8);
                varint(value, &mut bytes);
            }
            bytes
        }
        Content::RawStrings(_) | Content::Raw(_) => return field(5, bytes),
    };
    bytes.extend(field(5, contents));
    field(5, bytes)
}

fn raw(output: &Output<'_>) -> Vec<u8> {
    match &output.content {
        Content::RawStrings(texts) => {
            let element = |text: &&str| [&(text.len() as u32).to_le_bytes()[..], text.as_bytes()].concat();
            field(6, texts.iter().flat_map(element).collect::<Vec<_>>())
        }
        Content::Raw(bytes) => field(6, bytes),
        Content::Typed(_) | Content::Numbers(..) | Content::Unpacked(..) => Vec::new(),
    }
}

/// A `ModelInferResponse`.
fn response(outputs: &[Output<'_>]) -> Vec<u8> {
    // map<string, InferParameter>, with a bool
    let parameters = field(4, [field(1, "triton_final_response"), field(2, [8, 0])].concat());
    let mut bytes = [field(1, "llm"), field(2, "7"), field(3, "id-1"), parameters].concat();
    outputs.iter().for_each(|output| bytes.extend(described(output)));
    outputs.iter().for_each(|output| bytes.extend(raw(output)));
    bytes
}

/// A `ModelStreamInferResponse` in its frame.
fn streamed(outputs: &[Output<'_>]) -> Vec<u8> {
    frame(0, field(2, response(outputs)))
}

struct Call<'a> {
    content_type: &'a str,
    method: Option<GrpcMethod>,
    status: Option<&'a str>,
    end: End,
}

const UNARY: Call<'static> = Call {
    content_type: "application/grpc",
    method: Some(GrpcMethod::ModelInfer),
    status: Some("0"),
    end: End::Complete,
};
const STREAM: Call<'static> = Call { method: Some(GrpcMethod::ModelStreamInfer), ..UNARY };

impl Call<'_> {
    fn observed<'p>(&self, pieces: impl IntoIterator<Item = &'p [u8]>) -> Observation {
        let content_type = self.content_type.as_bytes();
        let mut observer = Observer::new(Head { status: 200, content_type, ..Head::default() }, 0, 0);
        observer.detect_refusal_phrases();
        if let Some(method) = self.method {
            observer.expect_messages(method);
        }
        (1..).zip(pieces).for_each(|(now, piece)| observer.push(now, piece));
        observer.trailers(self.status.map(str::as_bytes));
        observer.finish(self.end, 1_000_000)
    }

    /// The same for pieces of every length up to some, except for the times.
    fn of(&self, body: &[u8]) -> Observation {
        let seen = self.observed([body]);
        for length in 1..body.len().min(12) {
            let mut cut = self.observed(body.chunks(length));
            cut.timing = seen.timing;
            assert_eq!(cut, seen, "in pieces of {length}");
        }
        seen
    }
}

#[test]
fn a_whole_answer_has_text_and_version() {
    for output in [raw_text(TEXT), typed_text(TEXT)] {
        let seen = UNARY.of(&frame(0, response(&[output])));
        assert_eq!((seen.dialect, seen.outcome), (Some("triton"), Outcome::Complete));
        assert_eq!(
            (seen.text_chars, seen.model.as_deref()),
            (Some(TEXT.chars().count() as u64), Some(&b"7"[..]))
        );
        assert_eq!((seen.is_answer, seen.unparsed, seen.events), (true, None, None));
        assert_eq!(seen.timing.first_token_us, None, "it is no stream");
        assert_eq!((seen.finish, seen.usage), (Finish::None, Usage::default()));
    }
}

#[test]
fn the_texts_of_a_stream_add_up_and_have_times() {
    let pieces: Vec<_> = ["one ", "", "zwei ", "四"].map(|text| streamed(&[raw_text(text)])).into();
    let last = streamed(&[]); // a decoupled model's last response
    let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).chain([last.as_slice()]).collect();
    let seen = STREAM.observed(pieces.iter().copied());
    assert_eq!((seen.text_chars, seen.events, seen.outcome), (Some(10), Some(5), Outcome::Complete));
    assert_eq!((seen.timing.first_token_us, seen.timing.last_token_us), (Some(1), Some(4)));
    assert_eq!(seen.timing.longest_gap_us, Some(2));
    assert_eq!(seen.model.as_deref(), Some(&b"7"[..]));
    STREAM.of(&pieces.concat());
}

#[test]
fn streams_of_plain_responses_are_read() {
    let body = ["a", "b"].map(|text| frame(0, response(&[typed_text(text)]))).concat();
    for method in [GrpcMethod::ModelStreamInfer, GrpcMethod::ModelInferStream] {
        let seen = Call { method: Some(method), ..UNARY }.of(&body);
        assert_eq!((seen.text_chars, seen.events, seen.outcome), (Some(2), Some(2), Outcome::Complete));
        assert_eq!(seen.model.as_deref(), Some(&b"7"[..]));
    }
    // Versions that could be mistaken for a message, or that are absent.
    for version in ["2", "3", " ", "v1", "10", "é"] {
        let body = [field(1, "llm"), field(2, version), described(&typed_text("abc"))].concat();
        let seen = STREAM.of(&frame(0, body));
        assert_eq!((seen.text_chars, seen.outcome), (Some(3), Outcome::Complete), "{version}");
        assert_eq!(seen.model.as_deref(), Some(version.as_bytes()));
    }
    let seen =
        STREAM.of(&frame(0, [field(1, "llm"), field(3, "id"), described(&typed_text("abc"))].concat()));
    assert_eq!((seen.text_chars, seen.outcome, seen.model), (Some(3), Outcome::Complete, None));
}

#[test]
fn an_error_in_a_stream_is_one_whatever_the_status() {
    let message = "told to fail";
    let shapes = [
        field(1, message),                                        // Dynamo
        [field(1, message), field(2, b"")].concat(),              // Triton
        [field(1, message), field(2, field(3, "id-1"))].concat(), // Triton, of a request with an id
        [field(1, message), field(2, response(&[]))].concat(),
    ];
    for shape in shapes {
        let error = frame(0, shape);
        for (status, end) in
            [(Some("0"), End::Complete), (None, End::ClientAbort), (Some("13"), End::Complete)]
        {
            let seen = Call { status, end, ..STREAM }.of(&error);
            assert_eq!((seen.outcome, seen.text_chars, seen.error), (Outcome::StreamError, Some(0), true));
            assert!(seen.is_answer && seen.unparsed.is_none());
            let seen =
                Call { status, end, ..STREAM }.of(&[streamed(&[raw_text("one ")]), error.clone()].concat());
            assert_eq!((seen.outcome, seen.text_chars), (Outcome::StreamError, Some(4)));
        }
    }
    // The same bytes are no error of a method without errors in its messages.
    let seen = UNARY.of(&frame(0, field(1, message)));
    assert_eq!((seen.outcome, seen.error), (Outcome::Complete, false));
    // An empty message is none.
    let seen = STREAM.of(&frame(0, [field(1, ""), field(2, response(&[raw_text("a")]))].concat()));
    assert_eq!((seen.outcome, seen.text_chars), (Outcome::Complete, Some(1)));
}

#[test]
fn tensors_of_numbers_are_no_answer() {
    let looks_like_text = Content::RawStrings(vec!["text"]);
    for (name, datatype) in
        [("embedding", "FP32"), ("text_output", "INT32"), ("text_output", ""), ("a", "bytes")]
    {
        for call in [UNARY, STREAM] {
            let output = Output { name, datatype, content: looks_like_text.clone() };
            let message = response(&[output]);
            let body = if call.method == STREAM.method { field(2, message) } else { message };
            let seen = call.of(&frame(0, body));
            assert_eq!((seen.is_answer, seen.text_chars, seen.unparsed), (false, None, None), "{datatype}");
            assert_eq!(seen.timing.first_token_us, None);
        }
    }
    // Of mixed tensors the text counts.
    let vector = Output { name: "logits", datatype: "FP32", content: Content::Raw(vec![0; 4000]) };
    let seen = UNARY.of(&frame(0, response(&[vector.clone(), raw_text("abc"), vector])));
    assert_eq!((seen.is_answer, seen.text_chars), (true, Some(3)));
}

#[test]
fn tensors_of_strings_are_text_unless_their_name_says_otherwise() {
    let strings = |name, texts| Output { name, datatype: "BYTES", content: Content::RawStrings(texts) };
    let chars = |outputs: &[Output<'_>]| UNARY.of(&frame(0, response(outputs))).text_chars;
    assert_eq!(chars(&[strings("OUTPUT_0", vec!["ab", "", "cde"])]), Some(5), "a batch");
    assert_eq!(chars(&[strings("role", vec!["assistant"]), strings("text_output", vec!["ab"])]), Some(2));
    assert_eq!(chars(&[strings("logprobs", vec!["[1,2]"]), strings("generated_text", vec!["ab"])]), Some(2));
    assert_eq!(chars(&[strings("logprobs", vec!["[1,2]"]), strings("answer", vec!["abc"])]), Some(3));
    assert_eq!(chars(&[strings("text_output", vec![])]), None, "there is not even an empty text");

    // KServe's server sends arrays raw and lists typed, in one response: only the raw ones have an item.
    let vector = Output { name: "v", datatype: "FP32", content: Content::Raw(vec![0; 8]) };
    let number = Output { name: "n", datatype: "UINT32", content: Content::Numbers(4, vec![1]) };
    let mixed = [typed_text("ab"), number, vector, strings("text_output", vec!["cde"])];
    assert_eq!(chars(&mixed), Some(5));
}

#[test]
fn ends_and_tokens_come_as_extra_tensors() {
    let reason =
        |text| Output { name: "finish_reason", datatype: "BYTES", content: Content::RawStrings(vec![text]) };
    let tokens = |name, datatype, content| Output { name, datatype, content };
    let message = |text, end, output: u32| {
        streamed(&[
            raw_text(text),
            reason(end),
            tokens("num_input_tokens", "UINT32", Content::Raw(9_u32.to_le_bytes().into())),
            tokens("num_output_tokens", "UINT32", Content::Raw(output.to_le_bytes().into())),
        ])
    };
    let seen =
        STREAM.of(&[message("a", "None", 1), message("b", "None", 300), message("", "length", 2)].concat());
    assert_eq!((seen.text_chars, seen.finish, seen.outcome), (Some(2), Finish::Length, Outcome::Complete));
    assert_eq!((seen.usage.input, seen.usage.output), (Some(9), Some(303)));

    let output = |datatype, content| {
        let is_raw = matches!(content, Content::Raw(_));
        let text = if is_raw { raw_text("a") } else { typed_text("a") };
        let outputs = [text, tokens("num_output_tokens", datatype, content)];
        UNARY.of(&frame(0, response(&outputs))).usage.output
    };
    assert_eq!(
        output("UINT64", Content::Raw(u64::from(u32::MAX).to_le_bytes().into())),
        Some(u32::MAX.into())
    );
    assert_eq!(output("INT64", Content::Raw((-1_i64).to_le_bytes().into())), None);
    assert_eq!(output("INT32", Content::Raw((-1_i32).to_le_bytes().into())), None);
    assert_eq!(output("UINT16", Content::Raw(vec![1, 1])), Some(257));
    assert_eq!(output("FP32", Content::Raw(vec![0, 0, 0, 0])), None);
    for number in 2..=5 {
        assert_eq!(output("UINT32", Content::Numbers(number, vec![300])), Some(300));
        assert_eq!(output("UINT32", Content::Numbers(number, vec![300, 0, 7])), Some(307), "a batch");
        assert_eq!(output("UINT32", Content::Unpacked(number, vec![300])), Some(300));
        assert_eq!(output("INT32", Content::Numbers(number, vec![u64::MAX])), None, "-1");
    }
    let failed = streamed(&[raw_text("a"), reason("abort")]);
    assert_eq!(STREAM.of(&failed).outcome, Outcome::StreamError);
}

#[test]
fn what_cannot_be_read_is_unread_and_ends_all_the_same() {
    let good = streamed(&[raw_text("abc")]);
    let compressed = [good.clone(), frame(1, b"\x1f\x8b...")].concat();
    for (status, outcome) in
        [(Some("0"), Outcome::Complete), (Some("8"), Outcome::StreamError), (None, Outcome::UpstreamReset)]
    {
        let seen = Call { status, ..STREAM }.of(&compressed);
        assert_eq!((seen.unparsed, seen.text_chars), (Some(Unparsed::Encoding), None));
        assert_eq!(seen.outcome, outcome);
        let seen = Call { status, method: None, ..STREAM }.of(&good);
        assert_eq!((seen.unparsed, seen.text_chars), (Some(Unparsed::Dialect), None), "another method");
        assert_eq!((seen.outcome, seen.dialect, seen.events), (outcome, None, None));
    }

    // The content of a tensor before what it is.
    let text = typed_text("abc");
    let reversed = [described(&raw_text("")), raw(&raw_text("abc")), raw(&raw_text("abc"))].concat();
    let contents_first =
        field(5, [field(5, field(8, "abc")), field(1, "text_output"), field(2, "BYTES")].concat());
    for body in [raw(&raw_text("abc")), reversed, contents_first] {
        assert_eq!(UNARY.of(&frame(0, body)).unparsed, Some(Unparsed::Dialect));
    }

    // A string that is longer than its tensor, half a length, and a message that is none.
    let torn = |bytes: &[u8]| Output { name: "t", datatype: "BYTES", content: Content::Raw(bytes.into()) };
    let no_message = [described(&text), vec![0x0e]].concat();
    for (body, chars) in [
        (response(&[torn(b"\xff\xff\xff\xffabc")]), Some(3)),
        (response(&[torn(b"\x01\0\0\0a\x02\0")]), Some(1)),
        (no_message, Some(3)),
    ] {
        let seen = UNARY.of(&frame(0, body));
        assert_eq!((seen.unparsed, seen.text_chars), (Some(Unparsed::TooLong), chars));
        assert_eq!(seen.outcome, Outcome::Complete);
    }
    let seen = UNARY.of(&[frame(0, response(&[text])), frame(0x42, "x")].concat());
    assert_eq!((seen.unparsed, seen.text_chars), (Some(Unparsed::TooLong), Some(3)));
}

#[test]
fn a_message_that_is_cut_off_is_truncated() {
    let body = streamed(&[raw_text("abc")]);
    for cut in 1..body.len() {
        let part = &body[..cut];
        assert_eq!(STREAM.of(part).outcome, Outcome::Truncated);
        assert_eq!(Call { status: None, ..STREAM }.of(part).outcome, Outcome::UpstreamReset);
        let gone = Call { status: None, end: End::ClientAbort, ..STREAM };
        assert_eq!(gone.of(part).outcome, Outcome::ClientAbort);
        assert_eq!(gone.of(part).text_chars.unwrap_or(0), 3_u64.saturating_sub((body.len() - cut) as u64));
    }
}

#[test]
fn a_response_without_a_message_has_no_text() {
    for call in [UNARY, STREAM, Call { method: None, ..UNARY }] {
        let seen = call.of(b"");
        assert_eq!((seen.outcome, seen.text_chars, seen.unparsed), (Outcome::Complete, Some(0), None));
    }
    // The last response of a decoupled model that had nothing to say. Triton's has neither name nor version.
    let is_final = field(4, [field(1, "triton_final_response"), field(2, [8, 1])].concat());
    let with_id = [field(3, "id-1"), is_final.clone()].concat();
    for body in [response(&[]), is_final, with_id, described(&typed_text(""))] {
        let seen = STREAM.of(&frame(0, field(2, body)));
        assert_eq!((seen.is_answer, seen.text_chars, seen.dialect), (true, Some(0), Some("triton")));
        assert!(seen.model.is_none_or(|model| model == b"7"));
        assert_eq!((seen.outcome, seen.unparsed), (Outcome::Complete, None));
    }
}

#[test]
fn refusals_are_looked_for() {
    let seen =
        STREAM.of(&["I'm sorry, but ", "I can't help with that."].map(|t| streamed(&[raw_text(t)])).concat());
    assert!(seen.refusal.is_some());
}

#[test]
fn the_status_of_grpc_web_is_in_the_body() {
    let message = streamed(&[raw_text("abc")]);
    let trailers = |lines: &str| frame(0x80, lines);
    let web = |body: &[u8], status| {
        let types = ["application/grpc-web", "Application/gRPC-Web+proto", "application/grpc-web;charset=x"];
        let [seen, others @ ..] = types.map(|content_type| Call { content_type, status, ..STREAM }.of(body));
        assert!(others.iter().all(|other| *other == seen));
        (seen.outcome, seen.text_chars)
    };
    let with = |lines: &str| [message.clone(), trailers(lines)].concat();
    for lines in [
        "grpc-status:0\r\ngrpc-message:\r\n",
        "grpc-status: 0\r\n",
        "GRPC-Status: 0",
        "grpc-message: x\r\ngrpc-status: 0\r\n",
        "x-very-long-name-of-a-trailer-that-is-cut: grpc-status: 13\r\ngrpc-status:0\n",
    ] {
        assert_eq!(web(&with(lines), None), (Outcome::Complete, Some(3)), "{lines}");
    }
    assert_eq!(web(&with("grpc-status:13\r\ngrpc-message:x\r\n"), None), (Outcome::StreamError, Some(3)));
    assert_eq!(web(&trailers("grpc-status:5\r\n"), None), (Outcome::HttpError, Some(0)));
    assert_eq!(web(&trailers("grpc-status:0\r\n"), None), (Outcome::Complete, Some(0)));
    for lines in ["", "grpc-status", "grpc-statu:0", "x-grpc-status:0"] {
        assert_eq!(web(&with(lines), None), (Outcome::UpstreamReset, Some(3)), "{lines}");
    }
    assert_eq!(web(&message, None), (Outcome::UpstreamReset, Some(3)), "it was cut off");
    assert_eq!(web(&message, Some("0")), (Outcome::Complete, Some(3)), "trailers of HTTP count as well");
}

#[test]
fn other_content_types_are_not_read() {
    for content_type in [
        "application/grpc-web-text",
        "application/grpc-web-text+proto",
        "application/grpc+json",
        "application/grpc+protox",
    ] {
        let seen = Call { content_type, ..STREAM }.of(&streamed(&[raw_text("abc")]));
        assert_eq!((seen.unparsed, seen.text_chars), (Some(Unparsed::Type), None), "{content_type}");
    }
}

#[test]
fn the_path_names_the_method() {
    let of = |path: &str| GrpcMethod::of(path.as_bytes());
    for service in [
        "/inference.GRPCInferenceService/",
        "/prefix/inference.GRPCInferenceService/",
        "/GRPCInferenceService/",
    ] {
        assert_eq!(of(&format!("{service}ModelInfer")), Some(GrpcMethod::ModelInfer));
        assert_eq!(of(&format!("{service}ModelStreamInfer")), Some(GrpcMethod::ModelStreamInfer));
        assert_eq!(of(&format!("{service}ModelInferStream")), Some(GrpcMethod::ModelInferStream));
        assert_eq!(of(&format!("{service}ModelMetadata")), None);
    }
    for path in [
        "",
        "/",
        "ModelInfer",
        "/ModelInfer",
        "/vllm.grpc.engine.VllmEngine/Generate",
        "/x.MyGRPCInferenceService/ModelInfer",
    ] {
        assert_eq!(of(path), None, "{path}");
    }
}

fn any_field() -> impl Strategy<Value = Vec<u8>> {
    // Unknown numbers, of every type of the wire.
    (20..1000_u64, 0..4_u8, any::<[u8; 8]>(), prop::collection::vec(any::<u8>(), 0..20)).prop_map(
        |(number, kind, fixed, content)| {
            let mut bytes = Vec::new();
            let wire_type = [0, 1, 2, 5][usize::from(kind)];
            varint(number << 3 | wire_type, &mut bytes);
            match wire_type {
                0 => varint(u64::from_le_bytes(fixed), &mut bytes),
                1 => bytes.extend(fixed),
                2 => {
                    varint(content.len() as u64, &mut bytes);
                    bytes.extend(content);
                }
                _ => bytes.extend(&fixed[..4]),
            }
            bytes
        },
    )
}

proptest! {
    #[test]
    fn unknown_fields_are_skipped_in_every_chunking(
        texts in prop::collection::vec(("[aé四🚀]{0,9}", any::<bool>()), 0..5),
        unknown in prop::collection::vec(any_field(), 4),
        chunk in 1..40_usize,
    ) {
        let [a, b, c, d] = unknown.as_slice() else { unreachable!() };
        let mut body = Vec::new();
        for (text, is_raw) in &texts {
            let (description, content) = if *is_raw {
                (Vec::new(), raw(&raw_text(text)))
            } else {
                (field(5, [a.as_slice(), &field(8, text), b].concat()), Vec::new())
            };
            let output = [b.as_slice(), &field(1, "text_output"), a, &field(2, "BYTES"), &description, c].concat();
            let name = field(1, "llm"); // first, which tells it from a version
            let message = [&name, a, b, &field(2, "7"), c, &field(5, output), d, &content, a].map(Vec::as_slice).concat();
            body.extend(frame(0, [d.as_slice(), &field(2, message), c].concat()));
        }
        let seen = STREAM.observed(body.chunks(chunk));
        let chars: usize = texts.iter().map(|(text, _)| text.chars().count()).sum();
        prop_assert_eq!(seen.text_chars, Some(chars as u64));
        prop_assert_eq!((seen.unparsed, seen.outcome), (None, Outcome::Complete));
        prop_assert_eq!(seen.events, Some(texts.len() as u64));
    }

    #[test]
    fn any_bytes_are_read_alike_in_every_chunking(
        bytes in any::<Vec<u8>>(),
        streams in any::<bool>(),
        framed in any::<bool>(),
        chunk in 1..9_usize,
    ) {
        let body = if framed { frame(0, &bytes) } else { bytes };
        let call = if streams { STREAM } else { UNARY };
        let whole = call.observed([body.as_slice()]);
        let mut cut = call.observed(body.chunks(chunk));
        cut.timing = whole.timing;
        prop_assert!(whole.text_chars.unwrap_or(0) <= body.len() as u64);
        prop_assert_eq!(cut, whole);
    }
}
