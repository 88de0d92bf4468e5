//! Evidence from several starts at once.
//!
//! A bet on an alternative multiplies its wealth in each window by an e-value. Its wealth is a test martingale if the
//! null hypothesis is true: by Ville's inequality (1939), the chance that it ever reaches `1/alpha` is at most `alpha`.
//! A mean of such processes is one again. So the mean is taken over alternatives, and over the windows from which a
//! bet starts: a fault that begins late is found by the bets that start late, and does not drown in the hours before.

use crate::math::ln_sum;

/// What the bets from the first window have of the whole.
const FIRST: f64 = 0.75;

/// Later starts than this many are not made: a month of hours.
const LATER_STARTS_MAX: usize = 720;

/// The wealth of `N` bets, from the first window and from later ones.
#[derive(Clone, Debug)]
pub struct Process<const N: usize> {
    /// The logarithms of the wealth of bets from the first window on.
    ln_wealth: [f64; N],
    /// What they were at each later start.
    starts: Vec<[f64; N]>,
}

impl<const N: usize> Default for Process<N> {
    fn default() -> Self {
        Self { ln_wealth: [0.0; N], starts: Vec::new() }
    }
}

impl<const N: usize> Process<N> {
    /// Multiplies the wealth of each bet by a factor, given by its logarithm.
    pub fn add(&mut self, ln_factors: &[f64; N]) {
        for (wealth, factor) in self.ln_wealth.iter_mut().zip(ln_factors) {
            *wealth += factor;
        }
    }

    /// One more start, before the window to come.
    pub fn start(&mut self) {
        if self.starts.len() < LATER_STARTS_MAX {
            self.starts.push(self.ln_wealth);
        }
    }

    /// `ln E`: the mean over starts and bets, each bet's `ln` wealth divided by the design effect `phi`.
    ///
    /// The first start has 3/4. The `j`-th later one has 1/4 · 1/(j(j+1)): these add up to 1/4, and those not begun count 1.
    #[must_use]
    pub fn ln_e(&self, phi: f64) -> f64 {
        let is_untouched = |wealth: &[f64; N]| wealth.iter().all(|ln| *ln == 0.0);
        if is_untouched(&self.ln_wealth) && self.starts.iter().all(is_untouched) {
            // The weights below add up to 1 but for a rounding.
            return 0.0;
        }
        let ln_share = -(N as f64).ln();
        let bets = |start: [f64; N]| {
            let gains = self.ln_wealth.into_iter().zip(start);
            ln_sum(gains.map(|(now, then)| (now - then) / phi)) + ln_share
        };
        let mut j = 0.0;
        let later = self.starts.iter().map(move |start| {
            j += 1.0;
            bets(*start) + ((1.0 - FIRST) / (j * (j + 1.0))).ln()
        });
        let begun = self.starts.len() as f64;
        let waiting = ((1.0 - FIRST) / (begun + 1.0)).ln();
        ln_sum([bets([0.0; N]) + FIRST.ln(), waiting].into_iter().chain(later))
    }
}

#[cfg(test)]
mod tests {
    use super::Process;

    fn near(found: f64, wanted: f64) {
        assert!((found - wanted).abs() < 1e-12, "{found} is not {wanted}");
    }

    #[test]
    fn without_evidence_it_is_one() {
        let mut process = Process::<3>::default();
        near(process.ln_e(1.0), 0.0);
        process.start();
        process.start();
        near(process.ln_e(2.0), 0.0);
    }

    #[test]
    fn without_evidence_nothing_is_rounded() {
        let mut process = Process::<12>::default();
        for start in 0..30 {
            assert_eq!(process.ln_e(1.3), 0.0, "{start}");
            process.add(&[0.0; 12]);
            process.start();
        }
    }

    #[test]
    fn weights() {
        let mut process = Process::<2>::default();
        process.add(&[2.0_f64.ln(), 4.0_f64.ln()]);
        process.start();
        process.add(&[2.0_f64.ln(), 1.0_f64.ln()]);
        // From the first window: (4 + 4)/2; from the second: (2 + 1)/2; an eighth waits.
        near(process.ln_e(1.0), (0.75 * 4.0 + 0.125 * 1.5 + 0.125_f64).ln());
        near(process.ln_e(2.0), (0.75 * 2.0 + 0.125 * (2.0_f64.sqrt() + 1.0) / 2.0 + 0.125_f64).ln());
    }

    /// Hours of health do not delay a late start by more than its weight.
    #[test]
    fn a_late_fault_does_not_drown() {
        let mut process = Process::<1>::default();
        process.add(&[-1000.0]);
        for _ in 0..9 {
            process.start();
        }
        process.add(&[20.0]);
        assert!(process.ln_e(1.0) > 20.0 + (0.25_f64 * 0.1).ln());
    }
}
