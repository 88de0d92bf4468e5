//! Why answers end.

use crate::label::label_values;

label_values! {
    /// Why an answer ended. If a response has several answers, the last of their reasons in this order is reported.
    #[derive(Default)]
    pub enum Finish {
        /// The server gave no reason.
        #[default]
        None = "none",
        /// The model was done.
        Stop = "stop",
        /// The model waits for the result of a tool.
        ToolCalls = "tool_calls",
        /// Any other reason.
        Other = "other",
        /// A limit of tokens was reached, or the server cut off a text that repeated itself.
        Length = "length",
        /// A filter cut the answer off, or the model refused.
        ContentFilter = "content_filter",
        /// The server failed.
        Error = "error",
    }
}
