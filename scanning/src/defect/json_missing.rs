//! `json_missing`: JSON was asked for, and the answer's text is not one JSON value.
//!
//! An answer may have several texts: a remark before a server's own tool runs, and the JSON after it. So it is enough
//! if the last of them is JSON, or all of them together are. Nothing is missing where a call or a refusal takes the
//! place of the text.

use super::json_check::{JsonCheck, JsonEnd};

/// The texts of one answer so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct JsonMissing {
    last: JsonCheck,
    /// All texts together; `None` while there is only one.
    all: Option<JsonCheck>,
    /// The next piece begins another text, unless it is the first.
    is_next: bool,
}

impl JsonMissing {
    pub(super) fn push(&mut self, piece: &[u8]) {
        if core::mem::take(&mut self.is_next) {
            self.all.get_or_insert(self.last);
            self.last = JsonCheck::default();
        }
        if let Some(all) = &mut self.all {
            all.push(piece);
        }
        self.last.push(piece);
    }

    /// The item has ended.
    pub(super) fn end_item(&mut self) {
        self.is_next = true;
    }

    /// Whether it is missing, if the answer ends here.
    pub(super) fn is_missing(&self) -> bool {
        let is_json =
            |check: &JsonCheck| matches!(check.end(), JsonEnd::Object | JsonEnd::Other | JsonEnd::Unknown);
        !is_json(&self.last) && !self.all.as_ref().is_some_and(is_json)
    }
}
