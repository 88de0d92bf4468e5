use super::{Share, ln_mixture};
use crate::math::ln_beta;
use crate::window::{Count, Flow, Pair, Window};

fn near(found: f64, wanted: f64, within: f64) {
    assert!((found - wanted).abs() <= within, "{found} is not {wanted}");
}

/// The example of ssrm-test: arms A, B, A, B, C with a flat prior have the log marginal likelihood -6.4457198. As two
/// questions, C or not and then A or B, each is a mixture of binomials.
#[test]
fn the_marginal_likelihood_as_published() {
    let is_c = ln_beta(1.0 + 1.0, 2.0 + 4.0) - ln_beta(1.0, 2.0);
    let is_a = ln_beta(1.0 + 2.0, 1.0 + 2.0) - ln_beta(1.0, 1.0);
    near(is_c + is_a, -6.445_719_8, 1e-7);
    near(4.0 * 0.4_f64.ln() + 0.2_f64.ln(), -5.274_600_8, 1e-7);
}

/// The mean over all that can happen is 1.
#[test]
fn it_is_an_e_value() {
    for share in [0.1_f64, 0.5] {
        let n = 40_u64;
        let mut chance = (1.0 - share).powi(n as i32);
        let mut mean = 0.0;
        for d in 0..=n {
            mean += chance * ln_mixture(Count { n, d }, share).exp();
            chance *= (n - d) as f64 / (d + 1) as f64 * share / (1.0 - share);
        }
        near(mean, 1.0, 1e-9);
    }
}

#[test]
fn a_wrong_share_is_found() {
    assert!(ln_mixture(Count { n: 10_000, d: 1_000 }, 0.1) < 0.0);
    assert!(ln_mixture(Count { n: 10_000, d: 1_200 }, 0.1) > 1000.0_f64.ln());
    assert_eq!(ln_mixture(Count { n: 10, d: 10 }, 1.0), 0.0);
    assert_eq!(ln_mixture(Count { n: 10, d: 0 }, 0.0), 0.0);
    assert!(ln_mixture(Count { n: u64::MAX, d: 1 }, 1e-9).is_finite());
}

fn window(version: u64, baseline: u64, has_first_turns: bool) -> Window {
    let flow =
        |n| Flow { split_decisions: n, first_turns: if has_first_turns { n } else { 0 }, ..Flow::default() };
    Window { flow: Pair { version: flow(version), baseline: flow(baseline) }, ..Window::default() }
}

#[test]
fn step_by_step() {
    for has_first_turns in [true, false] {
        let mut share = Share::default();
        share.push(&window(100, 900, has_first_turns), None);
        assert_eq!(share.ln_e(), None);
        share.push(&window(10, 990, has_first_turns), Some(0.01));
        share.push(&window(500, 500, has_first_turns), Some(0.5));
        // Each step is as it should be; all together would not.
        assert!(share.ln_e().unwrap() < 0.0);
        share.push(&window(300, 500, has_first_turns), Some(0.5));
        assert!(share.ln_e().unwrap() > 5.0);
    }
}
