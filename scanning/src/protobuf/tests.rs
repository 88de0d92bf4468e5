use super::*;
use alloc::string::String;
use alloc::vec::Vec;
use proptest::prelude::*;

/// A field of a message.
#[derive(Clone, Debug)]
enum Field {
    Number(u32, u64),
    Fixed32(u32, u32),
    Fixed64(u32, u64),
    Bytes(u32, Vec<u8>),
    Message(u32, Vec<Field>),
    Unwanted(u32, Vec<u8>),
    Group(u32, Vec<Field>),
}

// What a field is, the sink tells by its number.
const MESSAGES: core::ops::Range<u32> = 10..20;
const BYTES: core::ops::Range<u32> = 20..30;

fn varint(mut value: u64, into: &mut Vec<u8>) {
    while value > 0x7f {
        into.push(value as u8 | 0x80);
        value >>= 7;
    }
    into.push(value as u8);
}

fn tag(field: u32, wire_type: u64, into: &mut Vec<u8>) {
    varint(u64::from(field) << 3 | wire_type, into);
}

fn delimited(field: u32, content: &[u8], into: &mut Vec<u8>) {
    tag(field, 2, into);
    varint(content.len() as u64, into);
    into.extend(content);
}

fn encode(fields: &[Field]) -> Vec<u8> {
    let mut into = Vec::new();
    for field in fields {
        match field {
            Field::Number(field, value) => {
                tag(*field, 0, &mut into);
                varint(*value, &mut into);
            }
            Field::Fixed32(field, value) => {
                tag(*field, 5, &mut into);
                into.extend(value.to_le_bytes());
            }
            Field::Fixed64(field, value) => {
                tag(*field, 1, &mut into);
                into.extend(value.to_le_bytes());
            }
            Field::Bytes(field, content) | Field::Unwanted(field, content) => {
                delimited(*field, content, &mut into);
            }
            Field::Message(field, fields) => delimited(*field, &encode(fields), &mut into),
            Field::Group(field, fields) => {
                tag(*field, 3, &mut into);
                into.extend(encode(fields));
                tag(*field, 4, &mut into);
            }
        }
    }
    into
}

/// What the reader should report, in words.
fn expected(fields: &[Field], depth: usize, into: &mut Vec<String>) {
    for field in fields {
        match field {
            Field::Number(field, value) => into.push(format!("{field}={value}")),
            Field::Bytes(field, content) => into.push(format!("{field}:{content:?}")),
            Field::Message(_, _) if depth + 1 == DEPTH_MAX => {}
            Field::Message(field, fields) => {
                into.push(format!("{field}{{"));
                expected(fields, depth + 1, into);
                into.push("}".into());
            }
            Field::Fixed32(..) | Field::Fixed64(..) | Field::Unwanted(..) | Field::Group(..) => {}
        }
    }
}

#[derive(Default)]
struct Seen {
    words: Vec<String>,
    bytes: Option<(u32, Vec<u8>)>,
    first: Option<u8>,
    depth: usize,
}

impl Sink for Seen {
    fn begin(&mut self, field: u32, first: Option<u8>) -> Content {
        assert!(self.bytes.is_none());
        if MESSAGES.contains(&field) && self.depth + 1 < DEPTH_MAX {
            self.words.push(format!("{field}{{"));
            self.depth += 1;
            Content::Message
        } else if MESSAGES.contains(&field) {
            Content::Message // and it is too deep
        } else if BYTES.contains(&field) {
            self.bytes = Some((field, Vec::new()));
            self.first = first;
            Content::Bytes
        } else {
            Content::Unwanted
        }
    }

    fn bytes(&mut self, piece: &[u8]) {
        self.bytes.as_mut().unwrap().1.extend(piece);
    }

    fn end(&mut self) {
        match self.bytes.take() {
            Some((field, content)) => {
                assert_eq!(self.first, content.first().copied());
                self.words.push(format!("{field}:{content:?}"));
            }
            None => {
                self.words.push("}".into());
                self.depth -= 1;
            }
        }
    }

    fn number(&mut self, field: u32, number: u64) {
        self.words.push(format!("{field}={number}"));
    }
}

fn read(bytes: &[u8], length: usize, chunk: usize) -> (Vec<String>, Option<Vec<u8>>, bool) {
    let (mut reader, mut seen) = (Reader::new(length as u64), Seen::default());
    bytes.chunks(chunk).for_each(|piece| reader.push(piece, &mut seen));
    (seen.words, seen.bytes.map(|(_, bytes)| bytes), reader.is_complete())
}

fn fields() -> impl Strategy<Value = Vec<Field>> {
    let content = || prop::collection::vec(any::<u8>(), 0..20);
    let leaf = prop_oneof![
        (1..10_u32, any::<u64>()).prop_map(|(field, value)| Field::Number(field, value)),
        (1..10_u32, any::<u32>()).prop_map(|(field, value)| Field::Fixed32(field, value)),
        (1..10_u32, any::<u64>()).prop_map(|(field, value)| Field::Fixed64(field, value)),
        (BYTES, content()).prop_map(|(field, content)| Field::Bytes(field, content)),
        (30..1_u32 << 29, content()).prop_map(|(field, content)| Field::Unwanted(field, content)),
    ];
    let field = leaf.prop_recursive(8, 40, 4, |inner| {
        let fields = || prop::collection::vec(inner.clone(), 0..4);
        prop_oneof![
            (MESSAGES, fields()).prop_map(|(field, fields)| Field::Message(field, fields)),
            (1..40_u32, fields()).prop_map(|(field, fields)| Field::Group(field, fields)),
        ]
    });
    prop::collection::vec(field, 0..6)
}

proptest! {
    #[test]
    fn fields_are_found_in_every_chunking(fields in fields(), chunk in 1..30_usize, cut in 1..9_usize) {
        let bytes = encode(&fields);
        let mut words = Vec::new();
        expected(&fields, 0, &mut words);
        prop_assert_eq!(&read(&bytes, bytes.len(), chunk), &(words.clone(), None, true));

        // Of a message that is cut off, nothing else is found.
        let some = read(&bytes[..bytes.len().saturating_sub(cut)], bytes.len(), chunk);
        prop_assert!(words.starts_with(&some.0));
        prop_assert_eq!(some.2, bytes.is_empty());
    }

    #[test]
    fn any_bytes_are_read_alike_in_every_chunking(
        bytes in any::<Vec<u8>>(), more in 0..3_usize, chunk in 1..9_usize
    ) {
        let length = bytes.len() + more;
        prop_assert_eq!(read(&bytes, length, chunk), read(&bytes, length, bytes.len().max(1)));
    }
}

#[test]
fn what_is_no_protobuf_is_not_complete() {
    let broken: [&[u8]; 11] = [
        &[0x00],                                                             // field 0
        &[0x08],                                                             // no value
        &[0x08, 0x80],                                                       // half a value
        &[0x0e],                                                             // type 6
        &[0x0f],                                                             // type 7
        &[0x0d, 1, 2, 3],                                                    // 4 bytes
        &[0xa2, 0x01, 2, 1],                                                 // longer than the message
        &[0x52, 2, 0xa2, 0x01, 1, 1],                                        // longer than the one around it
        &[0x52, 1, 0x0b, 0x0c],                                              // a group ends outside of it
        &[0x0c],                                                             // a group that has not begun
        &[0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02], // 65 bits
    ];
    for bytes in broken {
        assert!(!read(bytes, bytes.len(), 1).2, "{bytes:?}");
    }
    let most = [&[0x08][..], &[0xff; 9], &[0x01]].concat();
    assert_eq!(read(&most, most.len(), 1), (vec![format!("1={}", u64::MAX)], None, true));
}
