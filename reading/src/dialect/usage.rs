//! Numbers of tokens.

/// Numbers of tokens, as the server last reported them. They are never estimated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens of the prompt. Some dialects leave out those from a cache.
    pub input: Option<u64>,
    /// Tokens of the prompt that were read from a cache.
    pub cached_input: Option<u64>,
    /// Tokens of the answer. Some dialects leave out reasoning.
    pub output: Option<u64>,
    /// Tokens of the reasoning.
    pub reasoning: Option<u64>,
}

impl Usage {
    fn zip(self, other: Usage, with: fn(Option<u64>, Option<u64>) -> Option<u64>) -> Usage {
        Usage {
            input: with(self.input, other.input),
            cached_input: with(self.cached_input, other.cached_input),
            output: with(self.output, other.output),
            reasoning: with(self.reasoning, other.reasoning),
        }
    }

    /// These numbers, and `earlier` ones where there are none.
    pub(super) fn or(self, earlier: Usage) -> Usage {
        self.zip(earlier, Option::or)
    }

    /// The sums. They saturate: a server can send any number.
    pub(super) fn plus(self, other: Usage) -> Usage {
        self.zip(other, |a, b| match (a, b) {
            (Some(a), Some(b)) => Some(a.saturating_add(b)),
            (a, b) => a.or(b),
        })
    }
}
