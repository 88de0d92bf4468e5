//! A simulation as a table, with a bar for each share.

use super::{Simulation, StepReport, percent_of};

/// The length of a bar for 100 %, in characters.
const BAR_CELLS: f64 = 16.0;
/// A part of a character, in eighths.
const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
/// The width of a time such as `2026-11-23T09:00:00.000Z`.
const TIME_CHARS: usize = 24;
const PERCENT_CHARS: usize = 9;
const NOTE_MOVES: &str = "moves: conversations that change version at this step. A conversation that is pinned, or \
    whose id contains its start time, does not.";
const NOTE_HELD: &str = "moves: conversations that change version at this step, unless they are pinned. held: their id \
    contains their start time, so they do not.";

/// The table; `kind` says what keys these are.
pub(crate) fn text(simulation: &Simulation<'_>, kind: &str) -> String {
    let mut lines = vec![format!("{}: {} {kind} keys", simulation.rollout, simulation.keys)];
    if simulation.timed_keys > 0 {
        lines.push(format!(
            "{} of them contain the start time of their conversation, so they keep their version",
            simulation.timed_keys
        ));
    }
    let width = PERCENT_CHARS + 1 + BAR_CELLS as usize;
    let names = simulation.steps.first().map(|row| row.versions.as_slice()).unwrap_or_default();
    let headings: Vec<String> =
        names.iter().map(|share| format!("{:width$}", heading(simulation, share.version))).collect();
    lines.push(
        format!("  {:TIME_CHARS$}  {}  moves", "conversations from", headings.join("  "))
            .trim_end()
            .to_owned(),
    );
    lines.extend(simulation.steps.iter().map(|row| line(row, simulation.keys)));
    lines.push(match simulation.timed_keys {
        0 => NOTE_MOVES.to_owned(),
        _ => NOTE_HELD.to_owned(),
    });
    lines.join("\n")
}

fn heading(simulation: &Simulation<'_>, version: &str) -> String {
    let role = if version == simulation.baseline { ", baseline" } else { "" };
    let stopped = if simulation.stopped.contains(&version) { ", stopped" } else { "" };
    format!("{version}{role}{stopped}")
}

fn line(row: &StepReport<'_>, keys: u64) -> String {
    let mark = if row.in_force { ">" } else { " " };
    let from = row.from.as_deref().unwrap_or("the beginning");
    let shares: Vec<String> = row
        .versions
        .iter()
        .map(|share| {
            let percent = format!("{:.3} %", share.measured_percent);
            let bar = bar(share.measured_percent);
            let blanks = " ".repeat(BAR_CELLS as usize - bar.chars().count().min(BAR_CELLS as usize));
            format!("{percent:>PERCENT_CHARS$} {bar}{blanks}")
        })
        .collect();
    let percent = percent_of(row.moves, keys);
    let moves = if row.from.is_none() { "-".to_owned() } else { format!("{} ({percent:.3} %)", row.moves) };
    let held = if row.held > 0 { format!(", {} held", row.held) } else { String::new() };
    format!("{mark} {from:TIME_CHARS$}  {}  {moves}{held}", shares.join("  "))
}

/// A bar. Any share above 0 shows at least an eighth of a character.
fn bar(percent: f64) -> String {
    let eighths = (percent / 100.0 * BAR_CELLS * 8.0).round() as usize;
    let eighths = if percent > 0.0 { eighths.max(1) } else { 0 };
    let rest = EIGHTHS.get(eighths % 8).copied().unwrap_or_default();
    format!("{}{rest}", "█".repeat(eighths / 8))
}

#[cfg(test)]
mod tests {
    use super::bar;

    #[test]
    fn bars() {
        for (percent, expect) in [
            (0.0, ""),
            (0.001, "▏"),
            (50.0, "████████"),
            (100.0, "████████████████"),
            (6.25, "█"),
            (3.125, "▌"),
        ] {
            assert_eq!(bar(percent), expect, "{percent}");
        }
    }
}
