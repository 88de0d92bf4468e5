use super::{Row, chance, fit, logistic};
use proptest::prelude::*;

fn row(won: f64, x: [f64; 2]) -> Row {
    Row { won, weight: 1.0, x }
}

/// With a weak prior and one constant, the fit is the logit of the mean.
#[test]
fn a_mean() {
    let rows = [row(1.0, [1.0, 0.0]), row(1.0, [1.0, 0.0]), row(1.0, [1.0, 0.0]), row(0.0, [1.0, 0.0])];
    let [a, b] = fit(&rows, [1e4, 1e4]);
    assert!((logistic(a) - 0.75).abs() < 1e-6 && b == 0.0, "{a} {b}");
    assert_eq!(fit(&[], [1.0, 1.0]), [0.0, 0.0]);
}

#[test]
fn all_won_is_finite() {
    let [a, b] = fit(&vec![row(1.0, [1.0, 0.76]); 50], [1.0, 10.0]);
    assert!(a > 0.0 && a < 0.3 && b > 5.0 && b < 20.0, "{a} {b}");
}

/// Outcomes that equal the chances of some coefficients give these back.
#[test]
fn coefficients_come_back() {
    let x = |i: i32| [1.0, f64::from(i - 20) / 20.0];
    let rows: Vec<Row> = (0..=40).map(|i| row(chance([-0.5, 1.5], x(i)), x(i))).collect();
    let [a, b] = fit(&rows, [1e6, 1e6]);
    assert!((a + 0.5).abs() < 1e-6 && (b - 1.5).abs() < 1e-6, "{a} {b}");
}

proptest! {
    /// The slope is 0 at the fit, also where length or a version explains all.
    #[test]
    fn the_fit_is_the_top(rows in prop::collection::vec((0..=2_u8, -1.0..1.0_f64, -1..=1_i8), 0..80)) {
        let rows: Vec<Row> =
            rows.iter().map(|(won, x, y)| row(f64::from(*won) / 2.0, [*x, f64::from(*y)])).collect();
        let found = fit(&rows, [10.0, 10.0]);
        for side in 0..2 {
            let slope: f64 = rows.iter().map(|row| (row.won - chance(found, row.x)) * row.x[side]).sum();
            prop_assert!((slope - found[side] / 100.0).abs() < 1e-6);
        }
    }
}
