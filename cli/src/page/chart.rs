//! Charts in plain SVG that fill whatever width they get.
//!
//! A chart's lines are in an inner picture that is stretched: both of its sides are [`scale::UNITS`] long. Texts and marks are in the outer one,
//! across at a percentage and down at a pixel, so they are never stretched. That takes no script and no style attribute.

pub(super) mod path;
pub(super) mod scale;

use super::text::Text;
use askama::Template;
use scale::{Scale, TimeScale, UNITS};

/// Above the lines there is room for marks and the first label, below for the times.
const TOP_PX: u32 = 22;
const BOTTOM_PX: u32 = 22;
/// Half of a mark's width: beside its text, and for each character.
const MARK_PX: u32 = 4;
const DIGIT_PX: u32 = 4;

/// A chart, ready to be written.
#[derive(Clone, Debug, Template)]
#[template(path = "chart.html")]
pub(super) struct Chart {
    /// Unique within the page.
    id: String,
    title: Text,
    /// What it shows, for those who do not see it.
    desc: Text,
    /// Of the lines, without the room for labels.
    height_px: u32,
    top_px: u32,
    all_px: u32,
    bottom_px: u32,
    shapes: Vec<Shape>,
    grid: Vec<Label>,
    ticks: Vec<Tick>,
    rules: Vec<Label>,
    marks: Vec<Mark>,
    /// The beginning and the end of its time, if it has one: a reader may be shown the numbers at a time.
    span_ms: Option<(i64, i64)>,
}

/// A line or an area.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    pub(super) class: &'static str,
    pub(super) path: String,
}

/// A horizontal line with its value.
#[derive(Clone, Debug)]
struct Label {
    y_px: u32,
    text: Text,
    class: &'static str,
    /// Whether its name is below the line, and not above.
    is_below: bool,
}

/// A label below the chart.
#[derive(Clone, Debug)]
struct Tick {
    percent: String,
    anchor: &'static str,
    text: Text,
    has_line: bool,
}

/// Something that happened.
#[derive(Clone, Debug)]
struct Mark {
    percent: String,
    class: &'static str,
    /// A number or a letter in it, and half of its width.
    text: Text,
    half_px: u32,
    title: Text,
}

impl Chart {
    pub(super) fn new(id: String, title: Text, desc: Text, height_px: u32) -> Self {
        Self {
            id,
            title,
            desc,
            height_px,
            top_px: TOP_PX,
            all_px: TOP_PX.saturating_add(height_px).saturating_add(BOTTOM_PX),
            bottom_px: TOP_PX.saturating_add(height_px),
            shapes: Vec::new(),
            grid: Vec::new(),
            ticks: Vec::new(),
            rules: Vec::new(),
            marks: Vec::new(),
            span_ms: None,
        }
    }

    /// Adds a line or an area, unless it is empty.
    pub(super) fn shape(&mut self, class: &'static str, path: String) {
        if !path.is_empty() {
            self.shapes.push(Shape { class, path });
        }
    }

    /// Whether there is nothing to see.
    pub(super) fn is_empty(&self) -> bool {
        self.shapes.is_empty()
    }

    /// The values on the left.
    pub(super) fn grid(&mut self, scale: &Scale, label: impl Fn(f64) -> String) {
        for value in scale.ticks() {
            let (y_px, text) = (self.y_px(scale.at(value)), Text::name(&label(value)));
            self.grid.push(Label { y_px, text, class: "grid", is_below: false });
        }
    }

    /// A value that matters, with its name above it; below it if there is another one.
    pub(super) fn rule(&mut self, scale: &Scale, value: f64, class: &'static str, text: &str) {
        let y_px = self.y_px(scale.at(value).clamp(0, UNITS));
        let is_below = !self.rules.is_empty();
        self.rules.push(Label { y_px, text: Text::new(text), class, is_below });
    }

    /// The times below.
    pub(super) fn times(&mut self, scale: &TimeScale) {
        self.span_ms = Some((scale.from_ms, scale.until_ms));
        for (at_ms, text) in scale.ticks() {
            self.tick(scale.part(at_ms), &text, true);
        }
    }

    /// A label below, at a part of the width.
    pub(super) fn tick(&mut self, part: f64, text: &str, has_line: bool) {
        // At the edges there is no room for half a label.
        let anchor = match part {
            part if part < 0.06 => "start",
            part if part > 0.94 => "end",
            _ => "middle",
        };
        self.ticks.push(Tick { percent: percent(part), anchor, text: Text::name(text), has_line });
    }

    /// Something that happened at a part of the width.
    pub(super) fn mark(&mut self, part: f64, class: &'static str, text: &str, title: &Text) {
        let half_px =
            MARK_PX.saturating_add(u32::try_from(text.chars().count()).unwrap_or(0).saturating_mul(DIGIT_PX));
        let text = Text::name(text);
        self.marks.push(Mark { percent: percent(part), class, text, half_px, title: title.clone() });
    }

    fn y_px(&self, units: i32) -> u32 {
        let height = i64::from(self.height_px) * i64::from(units) / i64::from(UNITS);
        self.top_px.saturating_add(u32::try_from(height).unwrap_or(0))
    }
}

/// `37.5%`
fn percent(part: f64) -> String {
    format!("{:.1}%", part.clamp(0.0, 1.0) * 100.0)
}

#[cfg(test)]
mod tests {
    use super::{Chart, scale::Scale, scale::TimeScale};
    use crate::page::text::Text;
    use askama::Template;

    #[test]
    fn a_chart_is_written() {
        let mut chart =
            Chart::new("c1".to_owned(), Text::new("errors <over> time"), Text::new("v2 & v1"), 100);
        assert!(chart.is_empty());
        let scale = Scale::linear(0.0, 0.4);
        chart.grid(&scale, |value| format!("{value}"));
        chart.times(&TimeScale::new(1_795_424_400_000, 1_795_424_400_000 + 3_600_000));
        chart.rule(&scale, 0.3, "limit", "margin");
        chart.mark(0.25, "bad", "1", &Text::new("\"stopped\""));
        chart.shape("version", "M0 0L9 9".to_owned());
        chart.shape("nothing", String::new());
        insta::assert_snapshot!("chart", chart.render().unwrap());
    }
}
