//! Places → the paths of SVG.

use std::fmt::Write;

/// Places from left to right, in the chart's units; where nothing is known, the line has a gap.
pub(crate) fn line(points: impl IntoIterator<Item = Option<(i32, i32)>>) -> String {
    let mut path = String::new();
    let mut is_drawn = false;
    let mut last = None;
    for point in points {
        match point {
            // A place that was just reached needs no line.
            Some(_) if is_drawn && last == point => {}
            Some((x, y)) if is_drawn => push(&mut path, format_args!("L{x} {y}")),
            // A place alone is a dot, as the ends of lines are round.
            Some((x, y)) => push(&mut path, format_args!("M{x} {y}h0")),
            None => {}
        }
        is_drawn = point.is_some();
        last = point;
    }
    path
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
    let forth = run.iter().map(|(x, upper, _)| (x, upper));
    let back = run.iter().rev().map(|(x, _, lower)| (x, lower));
    for (index, (x, y)) in forth.chain(back).enumerate() {
        push(path, format_args!("{}{x} {y}", if index == 0 { 'M' } else { 'L' }));
    }
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
        assert_eq!(line([Some((0, 5)), Some((1, 6)), None, Some((3, 7)), Some((3, 7))]), "M0 5h0L1 6M3 7h0");
        assert_eq!(line([None, None]), "");
        assert_eq!(steps(&[(0, 9), (5, 4)], 10), "M0 9H5V4H10");
        assert_eq!(steps(&[], 10), "");
        assert_eq!(area([Some((0, 1, 2)), Some((5, 3, 4)), None]), "M0 1L5 3L5 4L0 2Z");
        assert_eq!(area([None]), "");
        assert_eq!(bars([(0, 4, 3), (5, 9, 10)], 10), "M0 10V3H4V10Z");
    }
}
