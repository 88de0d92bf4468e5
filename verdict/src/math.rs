//! Functions that the standard library does not have: logarithms of sums, of the normal distribution, of the beta
//! function; quantiles; bisection.

use std::f64::consts::{LN_2, PI};

/// A count as a real number; exact up to 2^53.
#[must_use]
pub(crate) fn real(count: u64) -> f64 {
    count as f64
}

/// `a / b`, and 0 where that is no number.
#[must_use]
pub(crate) fn ratio(a: f64, b: f64) -> f64 {
    let ratio = a / b;
    if ratio.is_finite() { ratio } else { 0.0 }
}

/// `ln Σ exp(x)`, without overflow and in one pass; minus infinity for no terms.
#[must_use]
pub(crate) fn ln_sum(terms: impl Iterator<Item = f64>) -> f64 {
    let (largest, sum) = terms.fold((f64::NEG_INFINITY, 0.0), |(largest, sum), term| {
        if term > largest {
            (term, sum * (largest - term).exp() + 1.0)
        } else if term > f64::NEG_INFINITY {
            (largest, sum + (term - largest).exp())
        } else {
            (largest, sum)
        }
    });
    largest + sum.ln()
}

/// `ln ((e^a + e^b) / 2)`: the logarithm of the mean of two e-values.
#[must_use]
pub(crate) fn ln_mean(a: f64, b: f64) -> f64 {
    ln_sum([a, b].into_iter()) - LN_2
}

/// `ln Γ(x)` for x > 0: Stirling's series (Abramowitz and Stegun 6.1.41) above 16, and the recurrence below.
#[must_use]
pub(crate) fn ln_gamma(x: f64) -> f64 {
    const SERIES_FROM: f64 = 16.0;
    let mut shifted = x.max(f64::MIN_POSITIVE);
    let mut product = 1.0;
    while shifted < SERIES_FROM {
        product *= shifted;
        shifted += 1.0;
    }
    let inverse = shifted.recip();
    let square = inverse * inverse;
    let series = inverse * (1.0 / 12.0 - square * (1.0 / 360.0 - square * (1.0 / 1260.0 - square / 1680.0)));
    (shifted - 0.5) * shifted.ln() - shifted + 0.5 * (2.0 * PI).ln() + series - product.ln()
}

/// `ln B(a, b)` for a, b > 0.
#[must_use]
pub(crate) fn ln_beta(a: f64, b: f64) -> f64 {
    ln_gamma(a) + ln_gamma(b) - ln_gamma(a + b)
}

/// The series for the normal distribution is used within this distance of 0.
const SERIES_WITHIN: f64 = 4.0;

/// `x²/2 + ln Φ(x)`, which is moderate for negative `x`, however large.
#[must_use]
pub(crate) fn ln_normal_tilted(x: f64) -> f64 {
    const FRACTION_DEPTH: u32 = 100;
    if x < -SERIES_WITHIN {
        let fraction = (1..=FRACTION_DEPTH).rev().fold(-x, |below, k| -x + f64::from(k) / below);
        -0.5 * (2.0 * PI).ln() - fraction.ln()
    } else {
        0.5 * x * x + ln_normal(x)
    }
}

/// `ln Φ(x)`, the logarithm of the standard normal distribution: a series around 0 (Marsaglia, Evaluating the normal
/// distribution, Journal of Statistical Software 11, 2004), and Laplace's continued fraction far below.
#[must_use]
pub(crate) fn ln_normal(x: f64) -> f64 {
    if x < -SERIES_WITHIN {
        return ln_normal_tilted(x) - 0.5 * x * x;
    }
    if x > SERIES_WITHIN {
        return (-ln_normal(-x).exp()).ln_1p();
    }
    let (mut term, mut sum, mut odd) = (x, x, 1.0);
    while term.abs() > f64::EPSILON * sum.abs() * 0.1 {
        odd += 2.0;
        term *= x * x / odd;
        sum += term;
    }
    (0.5 + sum * (-0.5 * x * x).exp() / (2.0 * PI).sqrt()).ln()
}

/// The two-sided p-value of a standard normal deviate.
#[must_use]
pub(crate) fn two_sided(z: f64) -> f64 {
    2.0 * ln_normal(-z.abs()).exp()
}

/// The quantile of the chi-squared distribution that lies at the normal quantile `z`: Wilson and Hilferty (1931). Off
/// by about 1 % at 3 degrees of freedom, and by less above.
#[must_use]
pub(crate) fn chi_squared(freedom: f64, z: f64) -> f64 {
    let part = 2.0 / (9.0 * freedom);
    let root = (1.0 - part + z * part.sqrt()).max(0.0);
    freedom * root * root * root
}

/// Kullback and Leibler's divergence of a coin with chance `p` from one with chance `q`: `q ln(q/p) + (1-q) ln((1-q)/(1-p))`.
#[must_use]
pub(crate) fn divergence(q: f64, p: f64) -> f64 {
    let part = |q: f64, p: f64| if q > 0.0 { q * (q / p).ln() } else { 0.0 };
    part(q, p) + part(1.0 - q, 1.0 - p)
}

/// Where a condition that holds at `low` and not at `high` ceases to hold, as exactly as the numbers allow within
/// `steps` halvings. The value returned is one where it holds.
#[must_use]
pub(crate) fn bisect(mut low: f64, mut high: f64, steps: u32, holds: impl Fn(f64) -> bool) -> f64 {
    for _ in 0..steps {
        let middle = 0.5 * (low + high);
        if holds(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: f64, wanted: f64, within: f64) {
        assert!((found - wanted).abs() <= within * wanted.abs().max(1.0), "{found} is not {wanted}");
    }

    #[test]
    fn sums() {
        near(ln_sum([0.0, 0.0].into_iter()), LN_2, 1e-15);
        near(ln_sum([1000.0, 1000.0].into_iter()), 1000.0 + LN_2, 1e-15);
        assert_eq!(ln_sum(std::iter::empty()), f64::NEG_INFINITY);
        assert_eq!(ln_sum([f64::NEG_INFINITY].into_iter()), f64::NEG_INFINITY);
        near(ln_sum([-3.0, 800.0, 799.0].into_iter()), 800.0 + (-1.0_f64).exp().ln_1p(), 1e-15);
        near(ln_mean(0.0, 3.0_f64.ln()), LN_2, 1e-15);
    }

    #[test]
    fn gamma() {
        let mut factorial = 0.0;
        for n in 1..200_u32 {
            near(ln_gamma(f64::from(n)), factorial, 1e-13);
            factorial += f64::from(n).ln();
        }
        near(ln_gamma(0.5), 0.5 * PI.ln(), 1e-13);
        near(ln_beta(0.5, 0.5), PI.ln(), 1e-13);
        near(ln_beta(2.0, 3.0), -(12.0_f64.ln()), 1e-13);
    }

    /// Values of Φ from tables (Abramowitz and Stegun, table 26.1 and 26.2).
    #[test]
    fn the_normal_distribution() {
        for (x, p) in [(0.0, 0.5), (1.0, 0.841_344_746_068_542_9), (1.96, 0.975_002_104_851_779_5)] {
            near(ln_normal(x).exp(), p, 1e-14);
            near(ln_normal(-x).exp(), 1.0 - p, 1e-14);
        }
        // -log10 of the upper tail: 6.54265 at 5, 23.11805 at 10, 197.30921 at 30.
        for (x, digits) in [(5.0, 6.54265), (10.0, 23.11805), (30.0, 197.30921)] {
            near(-ln_normal(-x) / std::f64::consts::LN_10, digits, 1e-6);
        }
        near(ln_normal(-4.0 - 1e-9), ln_normal(-4.0), 1e-8);
        near(two_sided(3.290_526_731), 0.001, 1e-9);
        assert_eq!(ln_normal(50.0), 0.0);
        assert!(ln_normal(-1e150).is_finite());
    }

    /// Quantiles of chi-squared from tables: 20 % at 3, 10, 30 and 60 degrees of freedom.
    #[test]
    fn quantiles_of_chi_squared() {
        let z = -0.841_621_233_572_914_2;
        for (freedom, quantile) in [(3.0, 1.005), (10.0, 6.179), (30.0, 23.364), (60.0, 50.641)] {
            near(chi_squared(freedom, z), quantile, 1.1e-2);
        }
    }

    #[test]
    fn divergences() {
        near(divergence(0.5, 0.25), 0.5 * (4.0_f64 / 3.0).ln(), 1e-15);
        near(divergence(0.0, 0.5), LN_2, 1e-15);
        assert_eq!(divergence(0.3, 0.3), 0.0);
        near(bisect(0.0, 2.0, 60, |x| x * x < 2.0), std::f64::consts::SQRT_2, 1e-15);
    }
}
