//! Values and times → places on a chart, and the values that are written beside it.

use llm_canary::timestamp::rfc3339;

/// A chart is so wide and so high, in units of its own.
pub(crate) const UNITS: i32 = 1_000;

/// At most so many values are written beside a chart, and so many times below it.
const VALUES: f64 = 4.0;
const TIMES: i64 = 5;

/// Values upwards.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Scale {
    min: f64,
    max: f64,
    is_log: bool,
}

impl Scale {
    /// Between two values. An empty span, or one that is no number, becomes one around its beginning.
    pub(crate) fn linear(min: f64, max: f64) -> Self {
        let (min, max) = if min.is_finite() && max.is_finite() { (min, max) } else { (0.0, 1.0) };
        let max = if max > min { max } else { min + 1.0 };
        Self { min, max, is_log: false }
    }

    /// Between two ratios above 0.
    pub(crate) fn log(min: f64, max: f64) -> Self {
        let is_valid = min > 0.0 && max > min && max.is_finite();
        let (min, max) = if is_valid { (min, max) } else { (0.5, 2.0) };
        Self { min, max, is_log: true }
    }

    /// Units from the top. What lies beyond the scale is shown as far outside as is safe to draw.
    pub(crate) fn at(&self, value: f64) -> i32 {
        let part = if self.is_log {
            (value.max(f64::MIN_POSITIVE) / self.min).ln() / (self.max / self.min).ln()
        } else {
            (value - self.min) / (self.max - self.min)
        };
        let units = f64::from(UNITS);
        // NaN becomes 0.
        ((1.0 - part) * units).clamp(-units, 2.0 * units).round() as i32
    }

    /// Round values.
    pub(crate) fn ticks(&self) -> Vec<f64> {
        if self.is_log {
            let steps = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0];
            let within: Vec<f64> =
                steps.into_iter().filter(|tick| (self.min..=self.max).contains(tick)).collect();
            // Where all do not fit, every other one, 1 among them.
            let is_many = within.len() as f64 > VALUES + 1.0;
            let powers = [0.01, 0.1, 1.0, 10.0, 100.0];
            return within.into_iter().filter(|tick| !is_many || powers.contains(tick)).collect();
        }
        let step = round_step((self.max - self.min) / VALUES);
        let first = (self.min / step).ceil() as i64;
        let last = (self.max / step).floor() as i64;
        (first..=last).take(16).map(|tick| tick as f64 * step).collect()
    }
}

/// The next larger of 1, 2, 5, 10, 20, …
fn round_step(least: f64) -> f64 {
    let power = 10_f64.powf(least.log10().floor());
    let times = [1.0, 2.0, 5.0].into_iter().find(|times| times * power >= least * 0.999_999);
    times.unwrap_or(10.0) * power
}

/// Times from left to right, in Unix milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimeScale {
    pub(crate) from_ms: i64,
    pub(crate) until_ms: i64,
}

/// Between two labels, in seconds.
const STEPS_S: [i64; 19] = [
    1, 2, 5, 10, 30, 60, 120, 300, 600, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400, 172_800,
    604_800, 2_592_000,
];

impl TimeScale {
    pub(crate) fn new(from_ms: i64, until_ms: i64) -> Self {
        Self { from_ms, until_ms: until_ms.max(from_ms.saturating_add(1)) }
    }

    fn length_ms(&self) -> i64 {
        self.until_ms.saturating_sub(self.from_ms).max(1)
    }

    /// The part of the width, between 0 and 1.
    pub(crate) fn part(&self, at_ms: i64) -> f64 {
        let part = at_ms.saturating_sub(self.from_ms) as f64 / self.length_ms() as f64;
        part.clamp(0.0, 1.0)
    }

    /// Units from the left.
    pub(crate) fn at(&self, at_ms: i64) -> i32 {
        (self.part(at_ms) * f64::from(UNITS)).round() as i32
    }

    /// Round times, and how they are written: in UTC, with the date where there is more than one.
    pub(crate) fn ticks(&self) -> Vec<(i64, String)> {
        let least = self.length_ms() / TIMES;
        let step_s = STEPS_S.into_iter().find(|step| step.saturating_mul(1_000) >= least);
        let step_ms = step_s.unwrap_or(least / 1_000 + 1).saturating_mul(1_000);
        let first = self.from_ms.div_euclid(step_ms).saturating_add(1).saturating_mul(step_ms);
        let times = std::iter::successors(Some(first), |at| at.checked_add(step_ms));
        let within = times.take_while(|at| *at < self.until_ms).take(16);
        within.map(|at| (at, self.label(at, step_ms))).collect()
    }

    fn label(&self, at_ms: i64, step_ms: i64) -> String {
        let text = rfc3339(u64::try_from(at_ms).unwrap_or(0));
        let part = |from: usize, until: usize| text.get(from..until).unwrap_or_default();
        let has_days = self.length_ms() > 86_400_000;
        match (step_ms, has_days) {
            (86_400_000.., _) => part(5, 10).to_owned(),
            (_, true) => format!("{} {}", part(5, 10), part(11, 16)),
            (60_000.., false) => part(11, 16).to_owned(),
            _ => part(11, 19).to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Scale, TimeScale, UNITS};
    use proptest::prelude::{any, proptest};

    const NINE: i64 = 1_795_424_400_000; // 2026-11-23T09:00:00Z

    #[test]
    fn values() {
        let scale = Scale::linear(0.0, 0.05);
        assert_eq!((scale.at(0.0), scale.at(0.05), scale.at(0.025)), (UNITS, 0, 500));
        assert_eq!(scale.ticks(), [0.0, 0.02, 0.04]);
        assert_eq!(Scale::linear(-4.9, 10.0).ticks(), [0.0, 5.0, 10.0]);
        let ratio = Scale::log(0.5, 2.0);
        assert_eq!((ratio.at(1.0), ratio.at(2.0), ratio.at(0.0)), (500, 0, 2 * UNITS));
        assert_eq!(ratio.ticks(), [0.5, 1.0, 2.0]);
        assert_eq!(Scale::log(0.1, 10.0).ticks(), [0.1, 1.0, 10.0]);
    }

    #[test]
    fn times() {
        let labels = |minutes: i64| {
            let scale = TimeScale::new(NINE, NINE + minutes * 60_000);
            scale.ticks().into_iter().map(|(_, label)| label).collect::<Vec<String>>().join(" ")
        };
        for (minutes, expect) in [
            (1, "09:00:30"),
            (10, "09:02 09:04 09:06 09:08"),
            (60, "09:30"),
            (1_440, "12:00 18:00 00:00 06:00"),
            (2_000, "11-23 12:00 11-24 00:00 11-24 12:00"),
            (4_320, "11-24 11-25 11-26"),
        ] {
            assert_eq!(labels(minutes), expect, "{minutes}");
        }
    }

    proptest! {
        #[test]
        fn nothing_is_too_far_or_too_much(a in any::<f64>(), b in any::<f64>(), value in any::<f64>(), from in any::<i64>(), until in any::<i64>()) {
            for scale in [Scale::linear(a, b), Scale::log(a, b)] {
                assert!((-UNITS..=2 * UNITS).contains(&scale.at(value)));
                assert!(scale.ticks().len() <= 16);
            }
            let scale = TimeScale::new(from, until);
            assert!(scale.ticks().len() <= 16);
            assert!((0..=UNITS).contains(&scale.at(value as i64)));
        }
    }
}
