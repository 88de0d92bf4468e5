//! Defects of an answer that only its stream shows: decoded text, calls and ends in, a set of [`Defect`]s out.
//!
//! Each defect is a module of its own: an automaton or a counter over bytes. They do not know dialects, framings or
//! JSON events. Text comes in any pieces; the result is the same for all. Nothing is allocated, no text is kept but the last
//! [384](repetition) bytes, and the state has [`STATE_BYTES_MAX`] at most. `docs/defects.md` has the rules, their reasons
//! and their measured precision and recall.
//!
//! | defect | answer | reasoning | calls |
//! |---|---|---|---|
//! | repetition | yes | yes | |
//! | control_token | yes | | names |
//! | tool_args_invalid | | | arguments |
//! | tool_name_unknown | | | names |
//! | empty, reasoning_only | whether there is any | whether there is any | whether there is any |
//! | mixed_script, replacement_char, json_missing | yes | | |

mod control_token;
mod json_check;
mod json_missing;
mod markdown;
mod mixed_script;
mod nothing;
mod repetition;
mod replacement_char;
#[cfg(test)]
mod tests;
mod tool_args_invalid;
mod tool_name_unknown;

use crate::label::label_values;
use control_token::ControlToken;
use json_missing::JsonMissing;
use markdown::{Markdown, Place};
use mixed_script::MixedScript;
use nothing::Content;
use repetition::Repetition;
use replacement_char::ReplacementChar;
pub use tool_args_invalid::{Arguments, ArgumentsFault};
pub use tool_name_unknown::{NAMES_MAX, OfferedNames};

/// Bytes of [`Defects`] at most.
pub const STATE_BYTES_MAX: usize = 1024;
const _: () = assert!(size_of::<Defects>() <= STATE_BYTES_MAX);

label_values! {
    /// What can be wrong with an answer.
    pub enum Defect {
        /// JSON was asked for, and the text is not one JSON value.
        JsonMissing = "json_missing",
        /// A token of the model's template is in the text, or in the name of a tool.
        ControlToken = "control_token",
        /// The answer has nothing.
        Empty = "empty",
        /// Letters of a foreign script are inside of words.
        MixedScript = "mixed_script",
        /// The answer has reasoning, and nothing else.
        ReasoningOnly = "reasoning_only",
        /// The text or the reasoning repeats itself without an end.
        Repetition = "repetition",
        /// U+FFFD is in the text.
        ReplacementChar = "replacement_char",
        /// A call's arguments are not one JSON object.
        ToolArgsInvalid = "tool_args_invalid",
        /// A tool is called that was not offered.
        ToolNameUnknown = "tool_name_unknown",
    }
}

/// The defects of one answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DefectSet(u16);

impl DefectSet {
    /// Whether it has this one.
    #[must_use]
    pub fn has(self, defect: Defect) -> bool {
        self.0 & 1 << defect as u16 != 0
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// All of them, in the order of [`Defect::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Defect> {
        Defect::ALL.iter().copied().filter(move |&defect| self.has(defect))
    }

    fn insert_if(&mut self, is_there: bool, defect: Defect) {
        self.0 |= u16::from(is_there) << defect as u16;
    }
}

/// What the request asked for, as far as defects depend on it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked {
    /// The names of the tools that it offers.
    pub names: OfferedNames,
    /// It asks for an answer in JSON.
    pub json: bool,
}

/// What is wrong with the name of a tool that is called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NameFaults {
    /// The request did not offer the tool.
    is_unknown: bool,
    /// A token of the model's template is in it.
    has_token: bool,
}

/// How an answer ended.
#[derive(Clone, Copy, Debug)]
pub struct AnswerEnd {
    /// The response is complete. Else it broke off, and what is not there yet is not missing.
    pub is_complete: bool,
    /// A limit of tokens or a filter ended it: finish `length` or `content_filter`.
    pub is_cut: bool,
}

/// What was read last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Channel {
    #[default]
    Neither,
    Answer,
    Reasoning,
}

/// Watches one answer.
#[derive(Clone, Copy, Debug, Default)]
pub struct Defects {
    asked: Asked,
    channel: Channel,
    markdown: Markdown,
    repetition: Repetition,
    control_token: ControlToken,
    mixed_script: MixedScript,
    replacement_char: ReplacementChar,
    json: JsonMissing,
    content: Content,
    has_unknown_name: bool,
    has_token_in_name: bool,
    has_invalid_arguments: bool,
    has_unfinished_arguments: bool,
}

impl Defects {
    /// `asked` is `None` where the request's body was not seen.
    #[must_use]
    pub fn new(asked: Option<Asked>) -> Defects {
        Defects { asked: asked.unwrap_or_default(), ..Defects::default() }
    }

    /// The next piece of the answer's text, decoded.
    #[inline]
    pub fn answer(&mut self, piece: &[u8]) {
        if piece.is_empty() {
            return; // beside a piece of the reasoning, say
        }
        if self.channel != Channel::Answer {
            self.begin(Channel::Answer);
        }
        self.content.has_text = true;
        if self.asked.json {
            self.json.push(piece);
        }
        let mut rest = piece;
        while let Some((place, segment, after)) = self.markdown.segment(rest) {
            self.repetition.push(segment, place);
            self.control_token.push(segment, place);
            self.mixed_script.push(segment, place);
            self.replacement_char.push(segment, place);
            rest = after;
        }
    }

    /// The next piece of the reasoning, decoded.
    #[inline]
    pub fn reasoning(&mut self, piece: &[u8]) {
        if piece.is_empty() {
            return;
        }
        if self.channel != Channel::Reasoning {
            self.begin(Channel::Reasoning);
        }
        self.content.has_reasoning = true;
        let mut rest = piece;
        while let Some((place, segment, after)) = self.markdown.segment(rest) {
            self.repetition.push(segment, place);
            rest = after;
        }
    }

    /// The text or reasoning that was read last is complete: another block, message or choice begins.
    pub fn end_item(&mut self) {
        self.begin(Channel::Neither);
    }

    /// A call begins that the client is to run. `name` is whole; empty if it has none.
    pub fn call(&mut self, name: &[u8]) {
        self.begin_call(self.name_faults(name));
    }

    /// The same, of a tool whose name was judged before.
    pub fn begin_call(&mut self, name: NameFaults) {
        self.content.has_other = true;
        self.has_unknown_name |= name.is_unknown;
        self.has_token_in_name |= name.has_token;
    }

    /// What is wrong with the name of a tool that is called. It is whole; empty if there is none.
    #[must_use]
    pub fn name_faults(&self, name: &[u8]) -> NameFaults {
        NameFaults {
            is_unknown: !name.is_empty() && self.asked.names.is_unknown(name),
            has_token: control_token::is_in_name(name),
        }
    }

    /// A call is complete, or the answer is. To be called once for each call with JSON as text.
    pub fn end_call(&mut self, arguments: &Arguments) {
        match arguments.fault() {
            Some(ArgumentsFault::Invalid) => self.has_invalid_arguments = true,
            Some(ArgumentsFault::Unfinished) => self.has_unfinished_arguments = true,
            None => {}
        }
    }

    /// The answer has reasoning whose text the server does not send.
    pub fn hidden_reasoning(&mut self) {
        self.content.has_reasoning = true;
    }

    /// The answer has something else: a refusal, an image, audio, a citation, the result of a server's tool.
    pub fn other(&mut self) {
        self.content.has_other = true;
    }

    /// The defects of the answer.
    #[must_use]
    pub fn finish(mut self, end: AnswerEnd) -> DefectSet {
        self.end(!end.is_complete);
        let is_whole = end.is_complete && !end.is_cut;
        let has_arguments_fault =
            self.has_invalid_arguments || self.has_unfinished_arguments && end.is_complete;
        let is_json_missing = self.asked.json && !self.content.has_other && self.json.is_missing();
        let mut set = DefectSet::default();
        set.insert_if(is_whole && is_json_missing, Defect::JsonMissing);
        set.insert_if(self.control_token.is_found() || self.has_token_in_name, Defect::ControlToken);
        set.insert_if(end.is_complete && self.content.is_empty(), Defect::Empty);
        set.insert_if(self.mixed_script.is_found(), Defect::MixedScript);
        set.insert_if(end.is_complete && self.content.is_reasoning_only(), Defect::ReasoningOnly);
        set.insert_if(self.repetition.is_found(), Defect::Repetition);
        set.insert_if(self.replacement_char.is_found(), Defect::ReplacementChar);
        set.insert_if(has_arguments_fault && !end.is_cut, Defect::ToolArgsInvalid);
        set.insert_if(self.has_unknown_name, Defect::ToolNameUnknown);
        set
    }

    fn begin(&mut self, channel: Channel) {
        self.end(false);
        self.channel = channel;
    }

    /// The item that was read last has ended.
    fn end(&mut self, is_cut: bool) {
        let place = if self.markdown.is_open() { Place::Fence } else { Place::Text };
        self.repetition.end(place, is_cut);
        if self.channel == Channel::Answer {
            self.control_token.end(place == Place::Fence, is_cut);
            self.mixed_script.end_item();
            self.replacement_char.end();
            self.json.end_item();
        }
        self.markdown = Markdown::default();
    }
}
