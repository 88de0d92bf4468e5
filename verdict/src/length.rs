//! How much of a judge's verdicts the lengths of the answers explain.
//!
//! Judges like long answers. A logistic regression tells how a judge decides where lengths are equal: the chance to win
//! is `σ(a + b · tanh(Δlength / sd))`, and `σ(a)` is the win rate that is controlled for length (Dubois and others,
//! Length-Controlled AlpacaEval, 2024).
//!
//! Where one version is always shorter, `a` and `b` cannot be told apart. Then length takes the credit: `b` is hardly
//! restrained, `a` is drawn towards 0. Pairs of the baseline with itself have no `a`; where their lengths differ they tell what
//! `b` is. Those of an answer with the same written twice always do.

/// One pair: what is won of it, from 0 to 1, how much it weighs, and what its outcome may depend on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) won: f64,
    pub(crate) weight: f64,
    pub(crate) x: [f64; 2],
}

/// Newton's steps; each is at most [`STEP_MAX`] long.
const STEPS: u32 = 200;

/// See there.
const STEP_MAX: f64 = 1.0;

/// The logistic function.
#[must_use]
pub(crate) fn logistic(x: f64) -> f64 {
    ((-x).exp() + 1.0).recip()
}

/// The chance to win at `x`.
#[must_use]
pub(crate) fn chance(coefficients: [f64; 2], x: [f64; 2]) -> f64 {
    let ([c, d], [x, y]) = (coefficients, x);
    logistic(c * x + d * y)
}

/// The coefficients that explain the rows best, if each was drawn from a normal distribution around 0 with this standard
/// deviation. There is exactly one such pair, because the logarithm of their density is strictly concave.
#[must_use]
pub(crate) fn fit(rows: &[Row], deviations: [f64; 2]) -> [f64; 2] {
    let [precise, precise_too] = deviations.map(|deviation| (deviation * deviation).recip());
    let (mut c, mut d) = (0.0, 0.0);
    for _ in 0..STEPS {
        let (mut slope, mut slope_too) = (-precise * c, -precise_too * d);
        let (mut bend, mut bend_both, mut bend_too) = (precise, 0.0, precise_too);
        for Row { won, weight, x: [x, y] } in rows {
            let chance = chance([c, d], [*x, *y]);
            let (rest, spread) = (weight * (won - chance), weight * chance * (1.0 - chance));
            slope += rest * x;
            slope_too += rest * y;
            bend += spread * x * x;
            bend_both += spread * x * y;
            bend_too += spread * y * y;
        }
        let determinant = bend * bend_too - bend_both * bend_both;
        let step = (bend_too * slope - bend_both * slope_too) / determinant;
        let step_too = (bend * slope_too - bend_both * slope) / determinant;
        let length = step.hypot(step_too);
        if !length.is_finite() || length < 1e-12 {
            break;
        }
        let part = (STEP_MAX / length).min(1.0);
        c += part * step;
        d += part * step_too;
    }
    [c, d]
}

#[cfg(test)]
mod tests;
