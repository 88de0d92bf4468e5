//! The tokens of models' templates, by their form and by a list.
//!
//! Sources: the chat templates and tokenizers of the models that are named here.

/// Bytes of a token that are kept. The longest known ones have 31, but for those that have the name of a tool.
pub(super) const TOKEN_BYTES_MAX: usize = 32;

/// U+FF5C, the full-width bar of DeepSeek's tokens.
pub(super) const BAR: &[u8] = "｜".as_bytes();

/// What a token is, from what hardly ever stands for something else to what often does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// A special token of the vocabulary.
    Special,
    /// A mark around a turn: `[INST]`.
    Turn,
    /// A mark around a call: `<tool_call>`.
    Call,
    /// A mark around reasoning: `<think>`.
    Think,
    /// The end of a text, which is also a tag of HTML, or a word in pointed brackets: `</s>`.
    End,
    /// It fills up, separates or stands for something unknown: `[PAD]`. Only several in a row count.
    Weak,
}

/// Of names between pointed brackets, with or without a slash before them.
const NAMES: &[(&str, Kind)] = &[
    // Qwen, DeepSeek, GLM, MiniMax, Hunyuan and others
    ("think", Kind::Think),
    ("tool_call", Kind::Call),
    ("tool_calls", Kind::Call),
    ("tool_response", Kind::Call),
    ("tool_responses", Kind::Call),
    ("arg_key", Kind::Call),
    ("arg_value", Kind::Call),
    ("tool_code", Kind::Call),
    ("function_calls", Kind::Call),
    ("minimax:tool_call", Kind::Call),
    ("seed:tool_call", Kind::Call),
    ("seed:think", Kind::Think),
    ("longcat_tool_call", Kind::Call),
    ("longcat_think", Kind::Think),
    // Gemma, PaliGemma, Idefics
    ("start_of_turn", Kind::Special),
    ("end_of_turn", Kind::Special),
    ("start_of_image", Kind::Special),
    ("end_of_image", Kind::Special),
    ("image_soft_token", Kind::Special),
    ("end_of_utterance", Kind::Special),
    // Llama 2
    ("<SYS", Kind::Turn),
    // Several
    ("s", Kind::End),
    ("eos", Kind::End),
    ("eot", Kind::End),
    ("eod", Kind::End),
    ("sop", Kind::Weak),
    ("eop", Kind::Weak),
    ("bos", Kind::Weak),
    ("pad", Kind::Weak),
    ("unk", Kind::Weak),
    ("mask", Kind::Weak),
];

/// Beginnings of names between pointed brackets, which a number or a name follows.
const BEGINNINGS: &[(&str, Kind)] = &[
    ("unused", Kind::Special),
    ("extra_id_", Kind::Special),
    ("reserved_", Kind::Special),
    ("0x", Kind::Special),
    ("function=", Kind::Call),
    ("parameter=", Kind::Call),
];

/// Names that have a bar on one side only: Gemma's, and what is left of others.
const ONE_BAR: &[&str] =
    &["tool_call", "tool_response", "tool", "turn", "channel", "think", "image", "audio", "video"];

/// Of names between square brackets.
const SQUARE: &[(&str, Kind)] = &[
    // Mistral
    ("INST", Kind::Turn),
    ("TOOL_CALLS", Kind::Call),
    ("AVAILABLE_TOOLS", Kind::Turn),
    ("TOOL_RESULTS", Kind::Turn),
    ("TOOL_CONTENT", Kind::Turn),
    ("SYSTEM_PROMPT", Kind::Turn),
    ("THINK", Kind::Think),
    ("ARGS", Kind::Weak),
    ("CALL_ID", Kind::Weak),
    // GLM, BERT
    ("gMASK", Kind::Turn),
    ("EOS", Kind::Weak),
    ("BOS", Kind::Weak),
    ("CLS", Kind::Weak),
    ("SEP", Kind::Weak),
    ("PAD", Kind::Weak),
    ("UNK", Kind::Weak),
    ("MASK", Kind::Weak),
];

pub(super) fn first(token: &[u8]) -> u8 {
    token.first().copied().unwrap_or_default()
}

/// Whether `byte` ends a token that began with `first`.
pub(super) fn is_end(first: u8, byte: u8) -> bool {
    byte == if first == b'[' { b']' } else { b'>' }
}

/// Whether a token may have `byte` after what it has so far.
pub(super) fn may_go_on(token: &[u8], byte: u8) -> bool {
    match (token, byte) {
        (b"[", _) => matches!(byte, b'A'..=b'Z' | b'/' | b'g'),
        ([b'[', ..], _) => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b']'),
        (b"<", b'<' | b'|' | b'/' | b'_') => true,
        (b"<", _) => byte.is_ascii_alphanumeric() || byte == 0xEF,
        (b"<<", _) => matches!(byte, b'S' | b'/'),
        (b"<|", b'"') | (b"<|\"", b'|') => true,
        _ => {
            // Also the bytes of the full-width bar and of `▁`, which DeepSeek's have.
            byte.is_ascii_alphanumeric()
                || matches!(byte, b'_' | b'-' | b'.' | b':' | b'=' | b'/' | b'|' | b'>')
                || matches!(byte, 0xEF | 0xBD | 0x9C | 0xE2 | 0x96 | 0x81)
        }
    }
}

/// Whether a token has the name of a tool, which may be of any length.
pub(super) fn has_tool_name(token: &[u8]) -> bool {
    token.starts_with(b"<function=") || token.starts_with(b"<parameter=")
}

/// What a whole token is, with its brackets. `None` if it is none.
pub(super) fn kind(token: &[u8]) -> Option<Kind> {
    let [first, inner @ .., _] = token else { return None };
    let name = inner.strip_prefix(b"/").or_else(|| inner.strip_suffix(b"/")).unwrap_or(inner);
    if *first == b'[' {
        return find(SQUARE, name);
    }
    if name.starts_with(BAR) {
        return (name.len() > BAR.len().saturating_mul(2)).then_some(Kind::Special);
    }
    let left = name.strip_prefix(b"|");
    let bare = left.unwrap_or(name);
    let right = bare.strip_suffix(b"|");
    let bare = right.unwrap_or(bare);
    if left.is_some() && right.is_some() {
        let is_name = bare.iter().any(u8::is_ascii_alphabetic) && !bare.contains(&b'|');
        return (is_name || bare == b"\"").then_some(Kind::Special);
    }
    if left.is_some() || right.is_some() {
        return ONE_BAR.iter().any(|other| other.as_bytes() == bare).then_some(Kind::Special);
    }
    if let Some(name) = inner.strip_prefix(b"</") {
        return (name == b"SYS").then_some(Kind::Turn);
    }
    let numbered = || {
        let beginning = BEGINNINGS.iter().find(|(beginning, _)| name.starts_with(beginning.as_bytes()));
        beginning.filter(|(beginning, kind)| {
            let rest = name.get(beginning.len()..).unwrap_or_default();
            let is_number = || rest.iter().all(u8::is_ascii_hexdigit);
            !rest.is_empty() && (*kind != Kind::Special || beginning.starts_with('r') || is_number())
        })
    };
    find(NAMES, name).or_else(|| numbered().map(|(_, kind)| *kind))
}

fn find(list: &[(&str, Kind)], name: &[u8]) -> Option<Kind> {
    list.iter().find(|(other, _)| other.as_bytes() == name).map(|(_, kind)| *kind)
}
