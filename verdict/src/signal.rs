//! The signals by which a version is judged: their names, and what is usual for each.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Something that is counted of both versions.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Signal {
    /// Requests that failed: outcome `http_error`, `stream_error`, `truncated`, `upstream_reset` or `local_reply`.
    Errors,
    /// Responses that refuse.
    Refusals,
    /// Responses with at least one defect.
    Defects,
    /// Responses that ended at the limit of their length.
    LengthStops,
    /// Characters of a response.
    ResponseChars,
    /// Milliseconds until the first token.
    TimeToFirstToken,
    /// Microseconds from a token to the next.
    TimePerOutputToken,
    /// Requests that the client broke off.
    ClientAborts,
    /// Responses with a call of a tool, of those that were offered any.
    ToolResponses,
    /// Requests that repeat another, of all decisions.
    Retries,
    /// Ratings that are bad, of all ratings.
    FeedbackDown,
    /// Conversations handed to a human, of all requests.
    Escalations,
    /// Ratings that are good, of all ratings.
    FeedbackUp,
    /// Tokens of a response.
    OutputTokens,
    /// Tokens of a request.
    InputTokens,
    /// Milliseconds from a request to the end of its response.
    RequestDuration,
    /// The longest pause within a response, in milliseconds.
    LongestGap,
    /// Responses with one kind of defect.
    Defect(Arc<str>),
    /// A reference set that is asked of both versions: how many of its prompts pass. There only where a set is given.
    Watchdog,
}

/// What a signal's observations are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Events of requests.
    Rate,
    /// Sizes of responses, by bucket.
    Distribution,
}

/// What follows if a signal is worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The version is stopped.
    Guard,
    /// The version gets no greater share while it is worse.
    Hold,
    /// Nothing; it is shown.
    Watch,
}

/// Which change of a signal is harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harm {
    /// More than the baseline.
    Up,
    /// Less.
    Down,
    /// Either.
    Both,
}

/// One way in which a version may differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// More than the baseline.
    Up,
    /// Less.
    Down,
}

impl Harm {
    /// The directions that are harm.
    #[must_use]
    pub fn directions(self) -> &'static [Direction] {
        match self {
            Self::Up => &[Direction::Up],
            Self::Down => &[Direction::Down],
            Self::Both => &[Direction::Up, Direction::Down],
        }
    }
}

/// What is usual for a signal.
type Usual = (Signal, &'static str, Kind, Harm, Mode);

const USUAL: &[Usual] = {
    use {Harm::*, Kind::*, Mode::*};
    &[
        (Signal::Errors, "errors", Rate, Up, Guard),
        (Signal::Refusals, "refusals", Rate, Up, Guard),
        (Signal::Defects, "defects", Rate, Up, Guard),
        (Signal::LengthStops, "length_stops", Rate, Up, Guard),
        (Signal::ResponseChars, "response_chars", Distribution, Both, Guard),
        (Signal::TimeToFirstToken, "time_to_first_token_ms", Distribution, Up, Guard),
        (Signal::TimePerOutputToken, "time_per_output_token_us", Distribution, Up, Guard),
        (Signal::ClientAborts, "client_aborts", Rate, Up, Hold),
        (Signal::ToolResponses, "tool_responses", Rate, Both, Hold),
        (Signal::Retries, "retries", Rate, Up, Hold),
        (Signal::FeedbackDown, "feedback_down", Rate, Up, Hold),
        (Signal::Escalations, "escalations", Rate, Up, Hold),
        (Signal::FeedbackUp, "feedback_up", Rate, Down, Watch),
        (Signal::OutputTokens, "output_tokens", Distribution, Both, Watch),
        (Signal::InputTokens, "input_tokens", Distribution, Both, Watch),
        (Signal::RequestDuration, "request_duration_ms", Distribution, Both, Watch),
        (Signal::LongestGap, "longest_gap_ms", Distribution, Both, Watch),
    ]
};

/// The name of the reference set's signal. It is not usual: without a set it would only take a part of alpha.
const WATCHDOG: &str = "watchdog";

/// What a defect's name begins with, as a signal.
const DEFECT: &str = "defect:";

impl Signal {
    /// All signals but single defects and the reference set, in the order in which they are shown.
    pub fn all() -> impl Iterator<Item = Self> {
        USUAL.iter().map(|(signal, ..)| signal.clone())
    }

    fn usual(&self) -> Option<&'static Usual> {
        USUAL.iter().find(|(signal, ..)| signal == self)
    }

    /// What its observations are.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.usual().map_or(Kind::Rate, |(_, _, kind, ..)| *kind)
    }

    /// Which change is harm, unless a policy says otherwise.
    #[must_use]
    pub fn harm(&self) -> Harm {
        if *self == Self::Watchdog {
            return Harm::Down;
        }
        self.usual().map_or(Harm::Up, |(_, _, _, harm, _)| *harm)
    }

    /// What follows from harm, unless a policy says otherwise.
    #[must_use]
    pub fn mode(&self) -> Mode {
        if *self == Self::Watchdog {
            return Mode::Guard;
        }
        self.usual().map_or(Mode::Watch, |(.., mode)| *mode)
    }

    /// Whether it is a time, which a cold cache lengthens.
    #[must_use]
    pub fn is_time(&self) -> bool {
        let times =
            [Self::TimeToFirstToken, Self::TimePerOutputToken, Self::RequestDuration, Self::LongestGap];
        times.contains(self)
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Defect(name) = self {
            return write!(f, "{DEFECT}{name}");
        }
        if *self == Self::Watchdog {
            return f.write_str(WATCHDOG);
        }
        f.write_str(self.usual().map_or("", |(_, name, ..)| name))
    }
}

/// No signal has this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownSignal;

impl FromStr for Signal {
    type Err = UnknownSignal;

    fn from_str(text: &str) -> Result<Self, UnknownSignal> {
        if text == WATCHDOG {
            return Ok(Self::Watchdog);
        }
        let known = USUAL.iter().find(|(_, name, ..)| *name == text).map(|(signal, ..)| signal.clone());
        let defect = || text.strip_prefix(DEFECT).filter(|name| !name.is_empty());
        known.or_else(|| defect().map(|name| Self::Defect(name.into()))).ok_or(UnknownSignal)
    }
}

#[cfg(test)]
mod tests {
    use super::{Mode, Signal};

    #[test]
    fn names_are_read_as_they_are_written() {
        for signal in Signal::all().chain([Signal::Defect("repetition".into()), Signal::Watchdog]) {
            assert_eq!(signal.to_string().parse(), Ok(signal));
        }
        for text in ["", "defect:", "Errors", "refusal"] {
            assert!(text.parse::<Signal>().is_err(), "{text}");
        }
    }

    #[test]
    fn seven_signals_guard() {
        assert_eq!(Signal::all().filter(|signal| signal.mode() == Mode::Guard).count(), 7);
        assert_eq!(Signal::Defect("empty".into()).mode(), Mode::Watch);
    }
}
