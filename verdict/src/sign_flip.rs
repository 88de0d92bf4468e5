//! The sign-flip test: is a sum of differences larger than chance makes it?
//!
//! If two versions are alike, a difference `d_i` might as well have had the other sign. So `p` is the share, among all
//! `2^n` choices of signs, of those whose sum is at least the one observed (Fisher 1935; Maritz, Distribution-Free
//! Statistical Methods, chapter 2). Nothing is assumed about how large differences are. The sum is at least the one
//! observed where the sizes with a negative sign add up to no more than they do now. So subsets are counted:
//!
//! ```text
//! p = |{subsets of the sizes |d_i| with a sum of at most B}| / 2^n,    B = Σ |d_i| over d_i < 0
//! ```
//!
//! Differences are whole numbers here, so sums are compared exactly. Where there are too many of them, or too large ones,
//! all are divided by one number and rounded, halves away from zero. **That keeps the test exact**: a rounded difference
//! changes its sign with the difference, and the divisor depends on sizes only. It is then the test of the rounded sum.

use std::f64::consts::LN_2;

use crate::math::{bisect, ln_sum};

/// Sums that are told apart; two numbers are kept for each.
const SUMS_MAX: u64 = 1 << 18;

/// Differences times sums: as many steps are taken. It takes about 0.2 s.
const STEPS_MAX: u64 = 400_000_000;

/// With more differences than that, Chernoff's bound is taken instead, which is never below `p`.
const DIFFERENCES_MAX: usize = 20_000;

/// Shares below that are left out.
const TINY: f64 = 1e-250;

/// The largest size of a difference. Larger ones count as that.
pub const SIZE_MAX: i64 = 1 << 40;

/// Halvings that find a tilt. Any tilt gives the same `p`; a good one loses no digits.
const HALVINGS: u32 = 50;

/// `ln p`, one-sided: the smaller, the less does chance explain a sum so large. Zeros say nothing. 0 for no differences.
#[must_use]
pub fn ln_p(differences: &[i64]) -> f64 {
    let clamped = differences.iter().map(|difference| (*difference).clamp(-SIZE_MAX, SIZE_MAX));
    let differences: Vec<i64> = clamped.filter(|difference| *difference != 0).collect();
    if differences.len() > DIFFERENCES_MAX {
        return ln_bound(&differences);
    }
    let differences = within_limits(differences);
    let mut sizes: Vec<u64> = differences.iter().map(|difference| difference.unsigned_abs()).collect();
    sizes.sort_unstable();
    let all = sum(sizes.iter().copied());
    let negative = negative_sum(&differences);
    match all.checked_sub(negative.saturating_add(1)) {
        // All are negative, or there are none.
        None => 0.0,
        // The subsets with a larger sum are the complements of those with a small one.
        Some(rest) if rest < negative => (-ln_share(&sizes, rest).exp()).ln_1p(),
        Some(_) => ln_share(&sizes, negative),
    }
}

/// The logarithm of the share of subsets whose sum is at most `limit`, which is less than half of the sum of all sizes.
/// The sizes ascend.
///
/// Sizes enter one by one, and for each sum the share of subsets is kept. Shares would be too small for a number where
/// thousands of subsets are left out. So each size enters with the odds `exp(-tilt · size)`, such that the mean sum is
/// `limit`, and the result is weighted back (Esscher's tilting).
fn ln_share(sizes: &[u64], limit: u64) -> f64 {
    if limit == 0 {
        return -LN_2 * sizes.len() as f64;
    }
    let mean = |tilt: f64| sizes.iter().map(|size| *size as f64 * entering(tilt, *size)).sum::<f64>();
    let all = sum(sizes.iter().copied()) as f64;
    let tilt = bisect(0.0, (all / limit as f64).ln(), HALVINGS, |tilt| mean(tilt) > limit as f64);
    let len = usize::try_from(limit).unwrap_or(usize::MAX).saturating_add(1);
    let (mut shares, mut next) = (vec![0.0; len], vec![0.0; len]);
    shares.iter_mut().take(1).for_each(|share| *share = 1.0);
    let mut reach = 0_usize;
    for size in sizes {
        let enters = entering(tilt, *size);
        let size = usize::try_from(*size).unwrap_or(usize::MAX);
        reach = reach.saturating_add(size).min(len.saturating_sub(1));
        let used = reach.saturating_add(1);
        let stay = 1.0 - enters;
        next.iter_mut().zip(&shares).take(used).for_each(|(next, share)| *next = or_nothing(stay * share));
        let entered = next.iter_mut().take(used).skip(size).zip(&shares);
        entered.for_each(|(next, share)| *next = or_nothing(*next + enters * share));
        std::mem::swap(&mut shares, &mut next);
    }
    let weighted = (0..=limit).rev().zip(&shares).map(|(below, share)| share.ln() - tilt * below as f64);
    let ln_weights = sizes.iter().map(|size| (-tilt * *size as f64).exp().ln_1p() - LN_2);
    (ln_sum(weighted) + ln_weights.sum::<f64>() + tilt * limit as f64).min(0.0)
}

/// Leaves out what is too small to matter beside a sum near 1. Processors are slow with numbers below 1e-308.
fn or_nothing(share: f64) -> f64 {
    if share < TINY { 0.0 } else { share }
}

/// The chance that a size enters a subset, its odds being `exp(-tilt · size)`.
fn entering(tilt: f64, size: u64) -> f64 {
    ((tilt * size as f64).exp() + 1.0).recip()
}

/// Chernoff's bound of `p`: the least of `exp(-θ t) Π cosh(θ d_i)`, in logarithms.
fn ln_bound(differences: &[i64]) -> f64 {
    let total = differences.iter().map(|difference| *difference as f64).sum::<f64>();
    let largest = differences.iter().map(|difference| difference.unsigned_abs()).max().unwrap_or(1) as f64;
    if total <= 0.0 {
        return 0.0;
    }
    let slope = |theta: f64| {
        differences.iter().map(|d| *d as f64).map(|d| d * (theta * d).tanh()).sum::<f64>() - total
    };
    // At 40 over the largest all hyperbolic tangents of sizes like it are 1; any θ gives a bound.
    let theta = bisect(0.0, 40.0 / largest, HALVINGS, |theta| slope(theta) < 0.0);
    let ln_cosh = |x: f64| x.abs() + (-2.0 * x.abs()).exp().ln_1p() - LN_2;
    let ln_mean = differences.iter().map(|difference| ln_cosh(theta * *difference as f64)).sum::<f64>();
    (ln_mean - theta * total).min(0.0)
}

/// The differences as they are, or divided and rounded such that both limits hold.
fn within_limits(differences: Vec<i64>) -> Vec<i64> {
    let mut divisor = 1_i64;
    let mut rounded = differences.clone();
    loop {
        let half = sum(rounded.iter().map(|difference| difference.unsigned_abs())) / 2;
        let count = rounded.len().try_into().unwrap_or(u64::MAX);
        if half <= SUMS_MAX && half.saturating_mul(count) <= STEPS_MAX {
            return rounded;
        }
        divisor = divisor.saturating_mul(2);
        let divided = differences.iter().map(|difference| divide(*difference, divisor));
        rounded = divided.filter(|difference| *difference != 0).collect();
    }
}

/// The quotient, rounded, halves away from zero. The divisor is positive.
fn divide(difference: i64, divisor: i64) -> i64 {
    let half = divisor.checked_div(2).unwrap_or_default();
    let size = difference.saturating_abs().saturating_add(half).checked_div(divisor).unwrap_or_default();
    size.saturating_mul(difference.signum())
}

fn sum(sizes: impl Iterator<Item = u64>) -> u64 {
    sizes.fold(0, u64::saturating_add)
}

fn negative_sum(differences: &[i64]) -> u64 {
    let negative = differences.iter().filter(|difference| **difference < 0);
    sum(negative.map(|difference| difference.unsigned_abs()))
}

#[cfg(test)]
mod tests;
