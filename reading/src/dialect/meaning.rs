//! What the values of all dialects mean, in terms that they share.

use super::finish::Finish;
use crate::json;

/// Marks of a dialect's table. Its calls begin with a [`Meaning::CallStart`] or [`Meaning::CallName`].
pub(super) const MARKS_CALL_STARTS: u8 = 1;
/// It has a [`Meaning::ChoiceIndex`].
pub(super) const HAS_CHOICE_INDEX: u8 = 2;
/// It has a [`Meaning::Type`].
pub(super) const HAS_TYPES: u8 = 4;
/// It has a [`Meaning::IsReasoning`] or [`Meaning::IsSpecial`], which blocks have.
pub(super) const HAS_BLOCK_FLAGS: u8 = 8;

/// What the value at a path means, in terms that all dialects share.
///
/// A response has choices ([`Meaning::Choice`]), and a choice has blocks ([`Meaning::Block`]). A document that has
/// neither is itself one choice and one block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// One answer of the response, or a delta of it. OpenAI calls it a choice, Gemini a candidate. It opens before
    /// its values and closes after them.
    Choice,
    /// The choice's index. Its position in the document where this is absent.
    ChoiceIndex,
    /// A piece of a choice that has a type of its own: text, reasoning, a tool call. It may go on with the text of the piece
    /// before.
    Block,
    /// The same, but whole, or the beginning of one: no text goes on in it.
    Item,
    /// The word that names the type of the block, or of the document. The dialect maps it to a [`BlockKind`].
    Type,
    /// True: the block is reasoning.
    IsReasoning,
    /// True: the block is a special token, not text of the answer.
    IsSpecial,
    /// Text of the answer. Some servers send the same text at several paths. Each path has a rank, and of the ranks
    /// at which this response has had text, only the lowest counts.
    Text(u8),
    /// The same, where a list has the text of one answer in each item. The first is of the first answer.
    ListedText(u8),
    /// The same as text of rank 0; or the value itself, where JSON was asked for.
    TextOrJson,
    /// Text, reasoning, a refusal or arguments: the block's type says which.
    TypedText,
    /// The whole text of the answer up to now, repeated in each document; or what is new of it, as some servers do. A
    /// text that does not begin like the one before tells.
    CumulativeText,
    /// Text of the model's reasoning.
    Reasoning,
    /// Text of a refusal.
    Refusal,
    /// Why the choice ended.
    Finish,
    /// The same under another dialect's name: it counts if this document gives the choice no reason under its own name.
    OtherFinish,
    /// True: the choice ended so.
    FinishIf(Finish),
    /// The status of a whole response, which is also a [`Meaning::Finish`]. If it says that the model has not answered yet,
    /// then the response is no answer.
    Status,
    /// If present and not null, a filter blocked the request or the answer. The value may be a word for the reason,
    /// also one that says that there is none.
    Blocked,
    /// If present and not false, the response is complete.
    Done,
    /// One tool call, or a fragment of one.
    Call,
    /// The call's index in its choice: its place. Outside of a call, that of the calls in the document. Its position
    /// where this is absent.
    CallIndex,
    /// The call's id. Later fragments have none, or an empty one.
    CallId,
    /// Present in the first fragment of a call only. A fragment without it continues the last call.
    CallStart,
    /// The name of the call's function. A call begins with it, and some servers repeat it. A fragment without it, or
    /// with an empty one, continues the call at its place.
    CallName,
    /// The type of a whole call. A call begins with it as with its name.
    CallType,
    /// The name of the tool that is called, where the type of the block says that it is a call.
    ToolName,
    /// A word that may say that the server runs the tool itself ([`super::vocabulary::SERVER_RUN`]). Such calls do not count: the
    /// client does nothing for them.
    CallRunner,
    /// The name of a tool whose input is free text. Some servers call their own tools so
    /// ([`super::vocabulary::SERVER_RUN_CUSTOM_TOOLS`]).
    CustomToolName,
    /// The call's arguments: an object, or JSON as text in fragments.
    CallArguments,
    /// All arguments of a call as text, where they are given again, or where its end is known without them.
    WholeArguments,
    /// OpenAI's `function_call`: the one call that a choice could have before there were tools.
    LegacyCall,
    /// Number of tokens of the prompt.
    InputTokens,
    /// One token of the prompt, where a server lists them instead of counting them.
    ListedInputToken,
    /// Number of tokens of the prompt that were read from a cache.
    CachedInputTokens,
    /// Number of tokens of the answer.
    OutputTokens,
    /// The same three numbers under another dialect's name, which gateways also send, or in a place where they are less
    /// exact. They count as long as this response has had none above 0 under its own name.
    OtherInputTokens,
    /// See [`Meaning::OtherInputTokens`].
    OtherCachedInputTokens,
    /// See [`Meaning::OtherInputTokens`].
    OtherOutputTokens,
    /// Number of tokens in this document alone.
    AddedOutputTokens,
    /// Number of tokens of the reasoning.
    ReasoningTokens,
    /// If present, not null and not empty, the answer has something that is neither text nor a call: an image, audio, a
    /// citation, what a tool of the server's has found.
    OtherContent,
    /// The same, but it is reasoning, whose text is not sent.
    HiddenReasoning,
    /// The server reports an error, unless this is null, false, 0, or empty.
    Error,
    /// The server reports an error if this is the word `error`.
    ErrorType,
    /// The name or version of the model that answered.
    Model,
}

impl json::Field for Meaning {
    fn is_text(self) -> bool {
        matches!(
            self,
            Meaning::Text(_)
                | Meaning::ListedText(_)
                | Meaning::TextOrJson
                | Meaning::TypedText
                | Meaning::CumulativeText
                | Meaning::Reasoning
                | Meaning::Refusal
                | Meaning::CallArguments
                | Meaning::WholeArguments
        )
    }

    fn wants_text_end(self) -> bool {
        matches!(self, Meaning::ListedText(_))
    }

    fn wants_empty(self) -> bool {
        self == Meaning::Error
    }

    fn marks(self) -> u8 {
        match self {
            Meaning::CallStart | Meaning::CallName => MARKS_CALL_STARTS,
            Meaning::ChoiceIndex => HAS_CHOICE_INDEX,
            Meaning::Type => HAS_TYPES,
            Meaning::IsReasoning | Meaning::IsSpecial => HAS_BLOCK_FLAGS,
            _ => 0,
        }
    }
}

/// What a block, or a document, is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BlockKind {
    /// Its type says nothing more than its paths do.
    #[default]
    Plain,
    /// Text of the answer.
    Text,
    /// Reasoning.
    Reasoning,
    /// A refusal.
    Refusal,
    /// A tool call, or the start of one. The client runs the tool, unless [`Meaning::CallRunner`] says otherwise.
    Call,
    /// The same, of a tool whose input is free text.
    CustomCall,
    /// A further fragment of a tool call's arguments.
    Arguments,
    /// All arguments of a tool call, repeated.
    AllArguments,
    /// The end of a block, which is repeated in it. If it is a tool call, then it may be known.
    Repeated,
    /// It says what will come. Calls in it begin; its text comes again.
    Announced,
    /// It repeats earlier content, or has none of the answer.
    Ignored,
    /// The end of the response. It may repeat the whole answer, whose calls count if there were none before.
    Done,
    /// A report of an error.
    Error,
}

impl BlockKind {
    /// Whether what such a block has as text is none of the answer.
    pub(super) fn has_no_text(self) -> bool {
        match self {
            BlockKind::Plain | BlockKind::Text | BlockKind::Reasoning | BlockKind::Refusal => false,
            BlockKind::Repeated | BlockKind::Done | BlockKind::Error => false,
            BlockKind::Call | BlockKind::CustomCall | BlockKind::Arguments | BlockKind::AllArguments => true,
            BlockKind::Announced | BlockKind::Ignored => true,
        }
    }
}
