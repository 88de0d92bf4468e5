//! Values that are not text: words, numbers and literals.

use super::super::facts::CallTarget;
use super::super::finish::Finish;
use super::super::meaning::{BlockKind, Meaning};
use super::super::vocabulary::{self, End, SERVER_RUN, SERVER_RUN_CUSTOM_TOOLS, SERVER_RUN_ID, lookup};
use super::Fold;
use crate::fnv::hash;

impl Fold {
    fn finish(&mut self, word: &[u8]) {
        let Some(end) = self.dialect.map(|dialect| dialect.end(word)) else { return };
        self.facts.error |= end == End::Failed;
        let finish = end.finish();
        let choice = self.open_choice();
        choice.finish = finish.max(choice.finish);
    }

    fn other_finish(&mut self, word: &[u8]) {
        let Some(end) = self.dialect.map(|dialect| dialect.end(word)) else { return };
        self.open_choice().other_finish = end.finish();
    }

    /// A filter blocked the request or the answer, unless the word for the reason says that none did.
    pub(super) fn block_choice(&mut self, reason: &[u8]) {
        if vocabulary::is_not_blocked(reason) {
            return;
        }
        self.facts.blocked = true;
        self.open_choice().finish = Finish::ContentFilter;
    }

    /// A number or literal.
    pub(super) fn scalar(&mut self, meaning: Meaning, word: &[u8]) {
        if matches!(word, b"null" | b"false") {
            return;
        }
        match meaning {
            Meaning::Error => self.facts.error |= number(word) != Some(0),
            Meaning::Blocked => self.block_choice(word),
            Meaning::Done => self.facts.done = true,
            Meaning::IsReasoning => self.set_kind(BlockKind::Reasoning),
            Meaning::IsSpecial => self.set_kind(BlockKind::Ignored),
            Meaning::OtherContent => self.other_content(),
            Meaning::HiddenReasoning => self.hidden_reasoning(),
            Meaning::FinishIf(finish) => {
                let choice = self.open_choice();
                choice.finish = finish.max(choice.finish);
            }
            Meaning::Finish => self.finish(word),
            _ => {
                if let Some(number) = number(word) {
                    self.number(meaning, number);
                }
            }
        }
    }

    fn number(&mut self, meaning: Meaning, number: u64) {
        match meaning {
            Meaning::ChoiceIndex => self.open_choice().index = Some(number),
            Meaning::CallIndex => self.open_call().index = Some(number),
            Meaning::InputTokens => self.facts.own_usage.input.report(&mut self.facts.usage.input, number),
            Meaning::CachedInputTokens => {
                self.facts.own_usage.cached_input.report(&mut self.facts.usage.cached_input, number);
            }
            Meaning::OutputTokens => self.facts.own_usage.output.report(&mut self.facts.usage.output, number),
            Meaning::OtherInputTokens => {
                self.facts.own_usage.input.report_other(&mut self.facts.usage.input, number);
            }
            Meaning::OtherCachedInputTokens => {
                self.facts.own_usage.cached_input.report_other(&mut self.facts.usage.cached_input, number);
            }
            Meaning::OtherOutputTokens => {
                self.facts.own_usage.output.report_other(&mut self.facts.usage.output, number);
            }
            Meaning::AddedOutputTokens => {
                // Saturates: the server may send any number.
                let output = &mut self.facts.usage.output;
                *output = Some(output.unwrap_or(0).saturating_add(number));
            }
            Meaning::ReasoningTokens => self.facts.usage.reasoning = Some(number),
            _ => {}
        }
    }

    /// A string that is not text.
    pub(super) fn short(&mut self, meaning: Meaning, word: &[u8]) {
        match meaning {
            Meaning::Finish => self.finish(word),
            Meaning::OtherFinish => self.other_finish(word),
            Meaning::Status => {
                let unanswered = lookup(vocabulary::UNANSWERED, word);
                self.facts.says_unanswered = unanswered.is_some();
                match unanswered {
                    Some(finish) => self.open_choice().finish = finish,
                    None => self.finish(word),
                }
            }
            Meaning::Type => {
                let common = if word == b"error" { BlockKind::Error } else { BlockKind::Plain };
                let kind = self.dialect.map_or(common, |dialect| dialect.block_kind(word));
                self.set_kind(kind);
            }
            _ if word.is_empty() => {}
            Meaning::CallId => {
                let call = self.open_call();
                call.id_hash = Some(hash(word.iter().copied()));
                call.is_server_run |= word.starts_with(SERVER_RUN_ID);
            }
            Meaning::CallRunner => {
                self.open_call().is_server_run |= lookup(SERVER_RUN, word).is_some();
            }
            Meaning::CustomToolName => {
                self.open_call().is_server_custom_tool = lookup(SERVER_RUN_CUSTOM_TOOLS, word).is_some();
                self.tool_name(word);
            }
            Meaning::ToolName => self.tool_name(word),
            Meaning::CallStart => {
                self.open_call().target = CallTarget::New;
                self.tool_name(word);
            }
            Meaning::CallName => {
                self.open_call().target = CallTarget::Named;
                self.tool_name(word);
            }
            Meaning::CallType => self.open_call().target = CallTarget::Named,
            Meaning::OtherContent => self.other_content(),
            Meaning::HiddenReasoning => self.hidden_reasoning(),
            Meaning::Error => self.facts.error |= number(word) != Some(0),
            Meaning::ErrorType => self.facts.error |= word == b"error",
            Meaning::Blocked => self.block_choice(word),
            Meaning::Done => self.facts.done = true,
            Meaning::Model if !self.facts.model.is_empty() => {}
            Meaning::Model => self.facts.model = word.to_vec(),
            // Some servers write numbers as strings.
            _ => {
                if let Some(number) = number(word) {
                    self.number(meaning, number);
                }
            }
        }
    }
}

/// The integer part of a JSON number: its digits up to the first `.`. `None` if there is a sign or an exponent
/// before it, or if the number does not fit.
#[expect(clippy::arithmetic_side_effects, reason = "a digit is not below `0`")]
fn number(word: &[u8]) -> Option<u64> {
    let mut number = None;
    for &byte in word {
        match byte {
            b'0'..=b'9' => {
                let digit = u64::from(byte - b'0');
                number = Some(number.unwrap_or(0_u64).checked_mul(10)?.checked_add(digit)?);
            }
            b'.' => break,
            _ => return None,
        }
    }
    number
}
