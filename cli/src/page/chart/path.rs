//! Places → the paths of SVG.

use std::fmt::Write;

/// Places from left to right, in the chart's units; where nothing is known, the line has a gap. Each place is written as the way to
/// it, which is short, and a way straight on is one.
pub(crate) fn line(points: impl IntoIterator<Item = Option<(i32, i32)>>) -> String {
    let mut path = String::new();
    let mut last: Option<(i32, i32)> = None;
    let mut ways = Ways::default();
    for point in points {
        match (last, point) {
            (Some(from), Some(to)) => ways.go(&mut path, from, to),
            // A place alone is a dot, as the ends of lines are round.
            (None, Some((x, y))) => push(&mut path, format_args!("M{x} {y}h0")),
            (_, None) => ways.end(&mut path),
        }
        last = point;
    }
    ways.end(&mut path);
    path
}

/// A way across that is not written yet: more of it may come.
#[derive(Default)]
struct Ways {
    across: i32,
}

impl Ways {
    fn go(&mut self, path: &mut String, from: (i32, i32), to: (i32, i32)) {
        let (dx, dy) = (to.0.saturating_sub(from.0), to.1.saturating_sub(from.1));
        if dy == 0 {
            self.across = self.across.saturating_add(dx);
            return;
        }
        self.end(path);
        match dx {
            0 => push(path, format_args!("v{dy}")),
            // A sign parts two numbers as well as a space.
            _ if dy < 0 => push(path, format_args!("l{dx}{dy}")),
            _ => push(path, format_args!("l{dx} {dy}")),
        }
    }

    fn end(&mut self, path: &mut String) {
        if self.across != 0 {
            push(path, format_args!("h{}", self.across));
        }
        self.across = 0;
    }
}

/// A value that holds until the next one, and the last until the end.
pub(crate) fn steps(points: &[(i32, i32)], end: i32) -> String {
    let mut path = String::new();
    for (index, (x, y)) in points.iter().enumerate() {
        match index {
            0 => push(&mut path, format_args!("M{x} {y}")),
            _ => push(&mut path, format_args!("H{x}V{y}")),
        }
    }
    if !points.is_empty() {
        push(&mut path, format_args!("H{end}"));
    }
    path
}

/// What lies between an upper and a lower edge, at places from left to right.
pub(crate) fn area(points: impl IntoIterator<Item = Option<(i32, i32, i32)>>) -> String {
    let mut path = String::new();
    let mut run: Vec<(i32, i32, i32)> = Vec::new();
    for point in points.into_iter().chain([None]) {
        match point {
            Some(point) => run.push(point),
            None => close(&mut path, &mut run),
        }
    }
    path
}

/// Writes the area of a run without gaps.
fn close(path: &mut String, run: &mut Vec<(i32, i32, i32)>) {
    let forth = run.iter().map(|(x, upper, _)| (*x, *upper));
    let back = run.iter().rev().map(|(x, _, lower)| (*x, *lower));
    let mut last: Option<(i32, i32)> = None;
    let mut ways = Ways::default();
    for place in forth.chain(back) {
        match last {
            Some(from) => ways.go(path, from, place),
            None => push(path, format_args!("M{} {}", place.0, place.1)),
        }
        last = Some(place);
    }
    ways.end(path);
    if !run.is_empty() {
        path.push('Z');
    }
    run.clear();
}

/// Bars from a base, each as its left and right side and its end.
pub(crate) fn bars(bars: impl IntoIterator<Item = (i32, i32, i32)>, base: i32) -> String {
    let mut path = String::new();
    for (left, right, end) in bars.into_iter().filter(|(.., end)| *end != base) {
        push(&mut path, format_args!("M{left} {base}V{end}H{right}V{base}Z"));
    }
    path
}

/// Writing to a string cannot fail.
fn push(path: &mut String, text: std::fmt::Arguments<'_>) {
    let _ = path.write_fmt(text);
}

#[cfg(test)]
mod tests {
    use super::{area, bars, line, steps};

    #[test]
    fn paths() {
        assert_eq!(line([Some((0, 5)), Some((1, 6)), None, Some((3, 7)), Some((3, 7))]), "M0 5h0l1 1M3 7h0");
        assert_eq!(
            line([Some((0, 5)), Some((4, 5)), Some((9, 5)), Some((9, 7)), Some((12, 2))]),
            "M0 5h0h9v2l3-5"
        );
        assert_eq!(line([None, None]), "");
        assert_eq!(steps(&[(0, 9), (5, 4)], 10), "M0 9H5V4H10");
        assert_eq!(steps(&[], 10), "");
        assert_eq!(area([Some((0, 1, 2)), Some((5, 3, 4)), None]), "M0 1l5 2v1l-5-2Z");
        assert_eq!(area([None]), "");
        assert_eq!(bars([(0, 4, 3), (5, 9, 10)], 10), "M0 10V3H4V10Z");
    }
}
