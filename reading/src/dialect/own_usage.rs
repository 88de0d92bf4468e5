//! A number of tokens that a server reports under several names: which of them counts.
//!
//! Gateways give the names of two APIs in one body, often with a 0 under the one that they do not use.

/// Which numbers of tokens the server has reported under the dialect's own names.
#[derive(Clone, Copy, Default, PartialEq)]
pub(super) struct OwnUsage {
    pub(super) input: OwnNumber,
    pub(super) cached_input: OwnNumber,
    pub(super) output: OwnNumber,
}

/// Whether a number above 0 was reported under its own name.
#[derive(Clone, Copy, Default, PartialEq)]
pub(super) struct OwnNumber(bool);

impl OwnNumber {
    /// The last number counts. A 0 is no number of its own, because gateways fill in the name that they do not use.
    pub(super) fn report(&mut self, slot: &mut Option<u64>, number: u64) {
        self.0 |= number > 0;
        if self.0 || slot.is_none() {
            *slot = Some(number);
        }
    }

    /// Of several other names the largest number counts.
    pub(super) fn report_other(&self, slot: &mut Option<u64>, number: u64) {
        if !self.0 {
            *slot = (*slot).max(Some(number));
        }
    }
}
