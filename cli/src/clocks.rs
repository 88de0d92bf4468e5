//! The clocks of this machine and of the Envoys.
//!
//! In: the `date` header of an Envoy's answer, and this machine's time when it asked and when it was answered. Out: how far
//! the clocks are apart, and the present by all of them. Steps take effect by each Envoy's own clock, so a step counts as
//! taken as soon as one clock has reached it. It reads no clock.

use llm_canary::timestamp::UnixMs;

/// Clocks that differ by more are named. A `date` has full seconds, so less than that cannot be told.
const APART_MS_MAX: i64 = 2_000;
/// What a `date` may have cut off.
const CUT_MS_MAX: i64 = 999;

/// How far a clock is ahead of this machine's, in milliseconds: between these two, and negative if it is behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClockOffset {
    least_ms: i64,
    most_ms: i64,
}

/// The present, by every clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Present {
    /// By the clock that is furthest behind.
    pub(crate) earliest: UnixMs,
    /// By the clock that is furthest ahead.
    pub(crate) latest: UnixMs,
    /// Every step up to this time may have been taken by one of the clocks that are known. Later than `latest` by what is not
    /// known of these clocks.
    pub(crate) reached: UnixMs,
    /// The same by all clocks. A clock that is not known may have reached any time.
    pub(crate) taken_until: UnixMs,
    /// By this machine's clock.
    pub(crate) here: UnixMs,
}

impl ClockOffset {
    /// The offset of the clock that wrote `date` between two times of this machine's clock.
    pub(crate) fn new(date: UnixMs, asked: UnixMs, answered: UnixMs) -> Self {
        Self { least_ms: signed(date) - signed(answered), most_ms: signed(date) + CUT_MS_MAX - signed(asked) }
    }

    /// The time on this clock when it is `here` on this machine's: the same, unless they certainly differ.
    pub(crate) fn time_at(self, here: UnixMs) -> UnixMs {
        here.saturating_add_signed(0.max(self.least_ms).min(self.most_ms))
    }

    /// In whole seconds, for people. The middle of what is possible, because a `date` is cut.
    fn seconds(self) -> i64 {
        let twice_middle_ms = self.least_ms + self.most_ms;
        // Of two whole numbers equally near, the lower one: a clock that is exactly right has a middle of +499.
        -(1_000 - twice_middle_ms).div_euclid(2_000)
    }
}

impl Present {
    /// The present, as this machine's clock and those with these offsets tell it; `None` is a clock that is not known.
    pub(crate) fn new(here: UnixMs, offsets: impl IntoIterator<Item = Option<ClockOffset>>) -> Self {
        let mut present = Self { earliest: here, latest: here, reached: here, taken_until: here, here };
        let at = |offset_ms: i64| here.saturating_add_signed(offset_ms);
        for offset in offsets {
            let Some(offset) = offset else {
                present.taken_until = UnixMs::MAX;
                continue;
            };
            present.earliest = present.earliest.min(at(offset.most_ms));
            present.latest = present.latest.max(at(offset.least_ms));
            present.reached = present.reached.max(at(offset.most_ms));
            present.taken_until = present.taken_until.max(present.reached);
        }
        present
    }
}

/// A sentence about an Envoy whose clock is not known, and why.
pub(crate) fn unknown(name: &str, why: &str) -> String {
    format!(
        "the clock of {name} is not known, because {why}. That Envoy may have taken any planned step already, so no planned \
         step is changed or dropped"
    )
}

/// A sentence for each Envoy whose clock differs from this machine's, and for the two Envoys that differ most from one
/// another if none does.
pub(crate) fn warnings(known: &[(&str, ClockOffset)]) -> Vec<String> {
    const REMEDY: &str =
        "Steps take effect by each Envoy's own clock; set the clocks right, for example with NTP";
    let from_here = known.iter().filter_map(|(name, offset)| {
        let is_apart = offset.least_ms > APART_MS_MAX || offset.most_ms < -APART_MS_MAX;
        let seconds = offset.seconds();
        let side = if seconds < 0 { "behind" } else { "ahead of" };
        let seconds = seconds.abs();
        is_apart.then(|| format!("the clock of {name} is {seconds} s {side} this machine's clock. {REMEDY}"))
    });
    let warnings: Vec<String> = from_here.collect();
    let behind = known.iter().min_by_key(|(_, offset)| offset.most_ms);
    let ahead = known.iter().max_by_key(|(_, offset)| offset.least_ms);
    match behind.zip(ahead) {
        Some(((behind, low), (ahead, high)))
            if warnings.is_empty() && high.least_ms - low.most_ms > APART_MS_MAX =>
        {
            let seconds = high.seconds() - low.seconds();
            vec![format!("the clock of {ahead} is {seconds} s ahead of that of {behind}. {REMEDY}")]
        }
        _ => warnings,
    }
}

fn signed(at: UnixMs) -> i64 {
    i64::try_from(at).unwrap_or(i64::MAX / 4)
}

#[cfg(test)]
mod tests {
    use super::{ClockOffset, Present, warnings};
    use proptest::prelude::*;

    /// The `date` that a clock writes which is ahead by so much, asked and answered at these times.
    fn read(ahead_ms: i64, asked: u64, answered: u64) -> ClockOffset {
        let there = asked.midpoint(answered).saturating_add_signed(ahead_ms);
        ClockOffset::new(there / 1_000 * 1_000, asked, answered)
    }

    #[test]
    fn clocks_that_are_apart_are_named_with_their_seconds() {
        let at = 1_795_424_400_400;
        let said = |ahead_ms: &[i64]| {
            let names = ["a", "b"];
            let offsets: Vec<_> =
                names.into_iter().zip(ahead_ms.iter().map(|ahead| read(*ahead, at, at + 3))).collect();
            warnings(&offsets)
        };
        assert_eq!(said(&[0, 0]), [""; 0]);
        assert_eq!(said(&[1_900, 100]), [""; 0]);
        assert!(said(&[300_000])[0].starts_with("the clock of a is 300 s ahead of this machine's clock. "));
        assert!(said(&[0, -4_000])[0].starts_with("the clock of b is 4 s behind this machine's clock. "));
        assert_eq!(said(&[-9_000, 9_000]).len(), 2);
        assert!(said(&[-1_900, 1_900])[0].starts_with("the clock of b is 4 s ahead of that of a. "));
    }

    proptest! {
        /// A clock is never named that is at most two seconds apart, always one that is three seconds apart, and the
        /// figure is right to half a second and the time of the request.
        #[test]
        fn what_a_date_tells(ahead_ms in -10_000..10_000_i64, at in 1_795_424_400_000..1_795_424_402_000_u64, took in 0..40_u64) {
            let offset = read(ahead_ms, at, at + took);
            prop_assert!((offset.least_ms..=offset.most_ms).contains(&ahead_ms));
            prop_assert!((offset.seconds() * 1_000 - ahead_ms).abs() <= 1_020, "{} {ahead_ms}", offset.seconds());
            let is_named = !warnings(&[("a", offset)]).is_empty();
            prop_assert!(!is_named || ahead_ms.abs() > 2_000);
            prop_assert!(is_named || ahead_ms.abs() < 3_040);
            let present = Present::new(at + took, [Some(offset)]);
            prop_assert_eq!(present.taken_until, present.reached);
            prop_assert_eq!(Present::new(at, [None, Some(offset)]).taken_until, u64::MAX, "it may have taken any step");
            let there = (at + took).saturating_add_signed(ahead_ms);
            prop_assert!(present.taken_until >= there, "no step that it has taken is missed");
            prop_assert!(present.latest <= there.max(present.here) && there.max(present.here) - present.latest < 1_040);
            prop_assert!(present.earliest >= there.min(present.here) && present.earliest - there.min(present.here) < 1_040);
            prop_assert!(offset.time_at(at + took).abs_diff(there) < 1_040);
            // Steps that the tool writes have full seconds: those it has taken are known exactly.
            prop_assert!(present.latest >= (there - took) / 1_000 * 1_000);
        }

        #[test]
        fn a_whole_number_of_seconds_is_said_exactly(seconds in -400..400_i64, at in 1_795_424_400_000..1_795_424_402_000_u64) {
            prop_assert_eq!(read(seconds * 1_000, at, at).seconds(), seconds);
        }
    }
}
