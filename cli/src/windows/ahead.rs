//! Sums of responses that no histogram shows yet.
//!
//! Envoy shows a counter at once, and a histogram after its next flush: the exact sums of a page are ahead of the counts beside
//! them. A mean is a sum over a count, so both must be of the same responses. The histogram of durations has every request that
//! ended, as `llm_requests_total` has, and all histograms are flushed together: the difference of the two says how many requests the
//! histograms do not show. Their part of the sums waits here until they do.
//!
//! In: what one instance counted of one version from one scrape to the next. Out: the sums of the requests that the histograms show.
//! Within a scrape, requests are taken to be alike.

use super::catalogue::{Counter, EXACT_SUMS, Part, Quantity, Slot};
use llm_canary::timestamp::UnixMs;
use std::collections::VecDeque;

/// Sums by [`super::catalogue::Slot::exact`].
pub(super) type Exact = [f64; EXACT_SUMS];

/// What counts requests that ended.
pub(super) const REQUESTS: [Counter; 3] = [Counter::Completed, Counter::Failed, Counter::Aborted];

/// Envoy flushes at least so often. What is not shown by then never is: after a hot restart the counters go on, and the histograms
/// begin anew.
const FLUSH_MS_MAX: u64 = 300_000;
/// So many scrapes are told apart, the first ones.
const PIECES_MAX: usize = 64;

/// What was counted from one scrape to the next.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Piece {
    /// Requests that ended.
    pub(super) requests: f64,
    pub(super) sums: Exact,
    /// Requests that the histograms have shown meanwhile.
    pub(super) shown: f64,
}

/// What waits, of one version on one instance.
#[derive(Clone, Debug, Default)]
pub(super) struct Ahead {
    /// In order of time.
    pieces: VecDeque<(UnixMs, Piece)>,
}

impl Ahead {
    /// Begins with what an instance has counted before its first scrape. The requests among it that the histograms do not show are taken
    /// to be as all of it.
    pub(super) fn begin(&mut self, at_ms: UnixMs, before: &Piece) {
        let hidden = before.requests - before.shown;
        if hidden > 0.0 {
            let sums = before.sums.map(|sum| sum * hidden / before.requests);
            self.pieces.push_back((at_ms, Piece { requests: hidden, sums, shown: 0.0 }));
        }
    }

    /// Takes in a piece, and hands out the sums of what the histograms show now.
    pub(super) fn pass(&mut self, at_ms: UnixMs, piece: Piece) -> Exact {
        let is_full = self.pieces.len() >= PIECES_MAX;
        let is_empty = piece.requests <= 0.0 && piece.sums.iter().all(|sum| *sum <= 0.0);
        match self.pieces.back_mut().filter(|_| is_full) {
            Some((_, last)) => {
                last.requests += piece.requests;
                last.sums.iter_mut().zip(piece.sums).for_each(|(sum, more)| *sum += more);
            }
            None if is_empty => {}
            None => self.pieces.push_back((at_ms, piece)),
        }
        let mut passed = [0.0; EXACT_SUMS];
        let mut shown = piece.shown;
        while let Some((_, first)) = self.pieces.front_mut() {
            let part = if first.requests > shown { shown / first.requests } else { 1.0 };
            for (sum, passed) in first.sums.iter_mut().zip(&mut passed) {
                let share = *sum * part;
                *passed += share;
                *sum -= share;
            }
            if part < 1.0 {
                first.requests -= shown;
                break;
            }
            shown -= first.requests;
            self.pieces.pop_front();
        }
        self.pieces
            .retain(|(since_ms, _)| at_ms.saturating_sub(*since_ms) <= FLUSH_MS_MAX || *since_ms == at_ms);
        passed
    }
}

/// The exact sums of a version on an instance.
#[derive(Clone, Debug, Default)]
pub(super) struct ExactSums {
    /// Whether the histogram of durations exists, without which nobody knows what histograms show.
    pub(super) is_compared: bool,
    /// What was counted before the first scrape.
    pub(super) before: Piece,
    /// And since the last one.
    pub(super) piece: Piece,
    pub(super) ahead: Ahead,
    /// What counts in this window.
    pub(super) passed: Exact,
}

/// Whether a sum counts requests that ended.
pub(super) fn is_of_requests(slot: Slot) -> bool {
    REQUESTS.iter().any(|counter| Slot::counter(*counter) == slot)
}

impl ExactSums {
    /// Notes what a series counted. Returns whether it counts later, with its responses.
    pub(super) fn takes(piece: &mut Piece, slot: Slot, increment: f64) -> bool {
        if let Some(place) = slot.exact() {
            if let Some(sum) = piece.sums.get_mut(place) {
                *sum += increment;
            }
            return true;
        }
        if slot == SHOWN {
            piece.shown += increment;
        } else if is_of_requests(slot) {
            piece.requests += increment;
        }
        false
    }

    /// Ends a scrape.
    pub(super) fn end_scrape(&mut self, at_ms: UnixMs) {
        let (before, piece) = (std::mem::take(&mut self.before), std::mem::take(&mut self.piece));
        let passed = if self.is_compared {
            self.ahead.begin(at_ms, &before);
            self.ahead.pass(at_ms, piece)
        } else {
            piece.sums
        };
        self.passed.iter_mut().zip(passed).for_each(|(sum, more)| *sum += more);
    }
}

/// The histogram that has every request that ended.
pub(super) const SHOWN: Slot = Slot::part(Quantity::RequestDuration, Part::Count);

#[cfg(test)]
mod tests {
    use super::{Ahead, EXACT_SUMS, FLUSH_MS_MAX, PIECES_MAX, Piece};

    fn piece(requests: f64, sum: f64, shown: f64) -> Piece {
        let mut sums = [0.0; EXACT_SUMS];
        sums[0] = sum;
        Piece { requests, sums, shown }
    }

    #[test]
    fn sums_wait_for_their_requests() {
        let mut ahead = Ahead::default();
        let mut pass =
            |at_s: u64, requests, sum, shown| ahead.pass(at_s * 1_000, piece(requests, sum, shown))[0];
        assert_eq!(pass(1, 10.0, 100.0, 10.0), 100.0, "shown at once");
        assert_eq!(pass(2, 10.0, 100.0, 0.0), 0.0);
        assert_eq!(pass(3, 10.0, 300.0, 15.0), 100.0 + 150.0, "within a scrape requests are alike");
        assert_eq!(pass(4, 0.0, 0.0, 5.0), 150.0);
        assert_eq!(pass(5, 0.0, 7.0, 0.0), 7.0, "of requests that were counted before");
        assert_eq!(pass(6, 2.0, 20.0, 99.0), 20.0, "histograms that are ahead take all there is");
        assert_eq!(pass(7, 1.0, 10.0, 1.0), 10.0);
    }

    #[test]
    fn what_was_before_the_first_scrape_is_average() {
        let mut ahead = Ahead::default();
        ahead.begin(0, &piece(100.0, 1_000.0, 96.0));
        assert_eq!(ahead.pass(1_000, piece(4.0, 80.0, 6.0))[0], 40.0 + 40.0);
        let mut ahead = Ahead::default();
        ahead.begin(0, &piece(0.0, 0.0, 0.0));
        assert_eq!(ahead.pass(1_000, piece(4.0, 80.0, 4.0))[0], 80.0);
    }

    #[test]
    fn what_is_never_shown_is_given_up() {
        let mut ahead = Ahead::default();
        assert_eq!(ahead.pass(0, piece(50.0, 999.0, 0.0))[0], 0.0);
        ahead.pass(FLUSH_MS_MAX + 1, piece(0.0, 0.0, 0.0));
        assert_eq!(ahead.pass(FLUSH_MS_MAX + 2, piece(10.0, 100.0, 10.0))[0], 100.0);
        // Scrapes that are further apart than flushes lose nothing.
        let mut ahead = Ahead::default();
        ahead.pass(0, piece(10.0, 100.0, 5.0));
        assert_eq!(ahead.pass(10 * FLUSH_MS_MAX, piece(10.0, 100.0, 10.0))[0], 50.0 + 50.0);
    }

    #[test]
    fn many_scrapes_without_a_flush_are_bounded() {
        let mut ahead = Ahead::default();
        for at_ms in 0..1_000 {
            ahead.pass(at_ms, piece(1.0, 10.0, 0.0));
        }
        assert_eq!(ahead.pieces.len(), PIECES_MAX);
        let all = ahead.pass(1_000, piece(0.0, 0.0, 1_000.0))[0];
        assert!((all - 10_000.0).abs() < 1e-6, "{all}");
    }
}
