//! A simulation as a table, with a bar for each share.

use super::{Row, Simulation};

/// Cells of a bar that is full.
const BAR_CELLS: f64 = 16.0;
/// Eighths of a cell.
const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
const MOMENT_CHARS: usize = 24;
const PERCENT_CHARS: usize = 9;

pub(super) fn text(simulation: &Simulation<'_>, kind: &str) -> String {
    let mut lines = vec![format!("{}: {} {kind} keys", simulation.rollout, simulation.keys)];
    if simulation.timed_keys > 0 {
        lines.push(format!("{} of them tell when their conversation began, and stay", simulation.timed_keys));
    }
    let width = PERCENT_CHARS + 1 + BAR_CELLS as usize;
    let names = simulation.steps.first().map(|row| row.versions.as_slice()).unwrap_or_default();
    let heads: Vec<String> =
        names.iter().map(|share| format!("{:width$}", head(simulation, share.version))).collect();
    lines.push(
        format!("  {:MOMENT_CHARS$}  {}  moves", "conversations begun from", heads.join("  "))
            .trim_end()
            .to_owned(),
    );
    lines.extend(simulation.steps.iter().map(|row| line(row, simulation.keys)));
    lines.push(match simulation.timed_keys {
        0 => "moves: ids that tell nothing of their age; one that does, or is pinned, stays".to_owned(),
        _ => "moves: ids that tell nothing of their age, unless they are pinned".to_owned(),
    });
    lines.join("\n")
}

fn head(simulation: &Simulation<'_>, version: &str) -> String {
    let role = if version == simulation.baseline { ", baseline" } else { "" };
    let stopped = if simulation.stopped.contains(&version) { ", stopped" } else { "" };
    format!("{version}{role}{stopped}")
}

fn line(row: &Row<'_>, keys: u64) -> String {
    let mark = if row.in_force { ">" } else { " " };
    let from = row.from.as_deref().unwrap_or("ever");
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
    let percent = row.moves as f64 * 100.0 / keys.max(1) as f64;
    let moves = if row.from.is_none() { "-".to_owned() } else { format!("{} ({percent:.3} %)", row.moves) };
    let held = if row.held > 0 { format!(", {} held", row.held) } else { String::new() };
    format!("{mark} {from:MOMENT_CHARS$}  {}  {moves}{held}", shares.join("  "))
}

/// A share of a bar; what is more than nothing is seen.
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
