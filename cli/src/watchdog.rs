//! A reference set on both versions: what is sent, what is read of the answers, and what they amount to.
//!
//! ```text
//! set → prompts → calls ┐                 answers, votes → lines of RESULTS → tally → the round
//!                       └ sent by `io` → ┘
//! ```
//!
//! Pure: values and bytes in, values out, with times and random numbers as arguments. [`results`] has the lines, and everything
//! after them is made of them alone: a report, or a command that was started again, sees nothing else.

pub(crate) mod api;
pub(crate) mod exchange;
pub(crate) mod form;
pub(crate) mod grading;
pub(crate) mod guard;
pub(crate) mod judge;
pub(crate) mod judging;
pub(crate) mod probe;
pub(crate) mod prompts;
pub(crate) mod reply;
pub(crate) mod results;
pub(crate) mod rounds;
pub(crate) mod summary;
pub(crate) mod tally;
pub(crate) mod transcript;
pub(crate) mod words;
