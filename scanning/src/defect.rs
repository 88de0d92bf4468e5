//! Defects of an answer that only its stream shows: decoded text, calls and ends in, a set of [`Defect`]s out.
//!
//! Each defect is a module of its own: an automaton or a counter over bytes. They do not know dialects, framings or
//! JSON events. Text comes in any pieces; the result is the same for all, as the pieces are [gathered](recent) and read in
//! blocks. Nothing is allocated, no text is kept but the last 512 bytes at most, and the state has [`STATE_BYTES_MAX`] at most.
//! `docs/defects.md` has the rules, their reasons and their measured precision and recall.
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
mod marks;
mod mixed_script;
mod nothing;
mod recent;
mod repetition;
mod replacement_char;
#[cfg(test)]
mod tests;
mod tool_args_invalid;
mod tool_name_unknown;

use crate::label::label_values;
use control_token::ControlToken;
use json_missing::JsonMissing;
use markdown::{Markdown, Place, Segment};
use marks::{MARKED_BYTES, Marks};
use mixed_script::MixedScript;
use nothing::Content;
use recent::Recent;
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

/// What the request asked for, as far as defects depend on it. Nothing where its body was not seen.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// The names of the tools that it offers.
    pub names: OfferedNames,
    /// It asks for an answer in JSON.
    pub json: bool,
}

impl Asked {
    /// What is wrong with the name of a tool that is called. It is whole; empty if there is none.
    #[must_use]
    pub fn name_faults(&self, name: &[u8]) -> NameFaults {
        NameFaults {
            is_unknown: !name.is_empty() && self.names.is_unknown(name),
            has_token: control_token::is_in_name(name),
        }
    }
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

/// What came last.
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
    asks_for_json: bool,
    channel: Channel,
    recent: Recent,
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
    /// `asks_for_json`: the request does; false where its body was not seen.
    #[must_use]
    pub fn new(asks_for_json: bool) -> Defects {
        Defects { asks_for_json, ..Defects::default() }
    }

    /// The next piece of the answer's text, decoded.
    #[inline]
    pub fn answer(&mut self, piece: &[u8]) {
        self.push(Channel::Answer, piece);
    }

    /// The next piece of the reasoning, decoded.
    #[inline]
    pub fn reasoning(&mut self, piece: &[u8]) {
        self.push(Channel::Reasoning, piece);
    }

    /// The text or reasoning that was read last is complete: another block, message or choice begins.
    pub fn end_item(&mut self) {
        self.begin(Channel::Neither);
    }

    /// A call begins that the client is to run. `name`: what is wrong with its name.
    pub fn call(&mut self, name: NameFaults) {
        self.content.has_other = true;
        self.has_unknown_name |= name.is_unknown;
        self.has_token_in_name |= name.has_token;
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
    pub fn finish(&mut self, end: AnswerEnd) -> DefectSet {
        self.end(!end.is_complete);
        let is_whole = end.is_complete && !end.is_cut;
        let has_arguments_fault =
            self.has_invalid_arguments || self.has_unfinished_arguments && end.is_complete;
        let is_json_missing = self.asks_for_json && !self.content.has_other && self.json.is_missing();
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

    /// Small, so that it can be a part of its callers: most pieces are only gathered.
    #[inline(always)]
    fn push(&mut self, channel: Channel, piece: &[u8]) {
        if self.channel != channel || !self.recent.gather(piece) {
            self.push_and_read(channel, piece);
        }
    }

    /// Another text begins, or a block is full.
    #[inline(never)]
    fn push_and_read(&mut self, channel: Channel, piece: &[u8]) {
        if piece.is_empty() {
            return; // beside a piece of the other channel, say
        }
        if self.channel != channel {
            self.begin(channel);
        }
        let mut rest = piece;
        loop {
            rest = self.recent.fill(rest);
            if rest.is_empty() {
                return;
            }
            self.read();
        }
    }

    fn begin(&mut self, channel: Channel) {
        self.end(false);
        self.channel = channel;
        self.content.has_text |= channel == Channel::Answer;
        self.content.has_reasoning |= channel == Channel::Reasoning;
    }

    /// Reads what was gathered. What looks at each segment is small or rarely called.
    fn read(&mut self) {
        let (text, mut start) = self.recent.text();
        let is_answer = self.channel == Channel::Answer;
        if is_answer && self.asks_for_json {
            self.json.push(text.get(start..).unwrap_or_default());
        }
        let mut last = Place::Text;
        while start < text.len() {
            let block = text.get(start..).unwrap_or_default();
            let block = block.get(..MARKED_BYTES).unwrap_or(block);
            let marks = Marks::of(block);
            let reads_tokens = is_answer && (marks.has_bracket || self.control_token.is_waiting());
            let break_at = self.repetition.follow(text, start, block);
            let (mut from, mut non_ascii) = (0, marks.non_ascii.next(0));
            while let Some((place, to)) = self.markdown.segment(block, from, &marks) {
                let end = start.saturating_add(to);
                if non_ascii < from {
                    non_ascii = marks.non_ascii.next(from);
                }
                let segment = Segment {
                    text: text.get(..end).unwrap_or_default(),
                    start: start.saturating_add(from),
                    place,
                    is_ascii: non_ascii >= to,
                };
                self.repetition.push(segment, break_at);
                if is_answer {
                    if reads_tokens {
                        self.control_token.push(segment);
                    }
                    if !segment.is_ascii || self.replacement_char.is_waiting() {
                        self.replacement_char.push(segment);
                    }
                    self.mixed_script.push(segment);
                }
                (from, last) = (to, place);
            }
            if is_answer && !reads_tokens {
                self.control_token.skip(block);
            }
            start = start.saturating_add(block.len());
        }
        if let Some(block) = self.recent.full() {
            self.repetition.end_block(block, last);
        }
        self.recent.set_read();
    }

    /// The item that came last has ended.
    fn end(&mut self, is_cut: bool) {
        self.read();
        let place = if self.markdown.is_open() { Place::Fence } else { Place::Text };
        let (text, _) = self.recent.text();
        self.repetition.end(text, place, is_cut);
        if self.channel == Channel::Answer {
            self.control_token.end(place == Place::Fence, is_cut);
            self.mixed_script.end_item();
            self.replacement_char.end();
            self.json.end_item();
        }
        self.markdown = Markdown::default();
        self.recent.clear();
    }
}
