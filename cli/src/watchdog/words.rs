//! What is known after a round, in words. Names and values of sets may be anybody's, so they are shown without control characters.

use super::results::{Round, Sides};
use llm_canary_verdict::pairwise::Preference;
use llm_canary_verdict::watchdog::Alarm;
use std::collections::BTreeMap;

/// So many prompts of a list are shown; RESULTS has all.
const SHOWN_MAX: usize = 20;
/// Characters of a name or a reason.
const CHARS_MAX: usize = 200;

/// Names of the version and the baseline.
pub(crate) type Names<'a> = Sides<&'a str>;

/// One line about a round.
pub(crate) fn line(round: &Round) -> String {
    format!("round {}: {}; {}", round.round, verdict(round), counts(round))
}

/// The verdict, as people write it.
pub(crate) fn verdict(round: &Round) -> String {
    round.verdict.replace('_', " ")
}

fn counts(round: &Round) -> String {
    let prompts = &round.prompts;
    let unknown = if prompts.unknown > 0 { format!(", {} unknown", prompts.unknown) } else { String::new() };
    format!(
        "{} prompts: {} worse, {} better, {} same{unknown}; evidence {:.1} of {:.1}",
        prompts.total, prompts.worse, prompts.better, prompts.same, round.log_e, round.threshold
    )
}

/// What is known besides the round's object.
#[derive(Default)]
pub(crate) struct Beside<'a> {
    /// The first alarm.
    pub(crate) alarm: Option<Alarm>,
    /// What the judge says.
    pub(crate) preference: Option<&'a Preference>,
    /// Set and case of the prompts whose two answers of the baseline differed.
    pub(crate) quarantined: Vec<(&'a str, &'a str)>,
}

/// All that is known.
pub(crate) fn lines(round: &Round, names: Names<'_>, beside: &Beside<'_>) -> Vec<String> {
    let (version, baseline) = (plain(names.version), plain(names.baseline));
    let mut lines = vec![
        format!("{version} against {baseline} after round {}: {}", round.round, verdict(round)),
        format!("  {}", counts(round)),
    ];
    if let (Some(of_version), Some(of_baseline)) = (round.pass_share.version, round.pass_share.baseline) {
        lines.push(format!(
            "  passes      {version} {:.1} %, {baseline} {:.1} %",
            of_version * 100.0,
            of_baseline * 100.0
        ));
    }
    if let Some(alarm) = beside.alarm {
        lines.push(format!("  alarm       since round {}, by the {}", alarm.round, alarm.source.name()));
    }
    if let Some(preference) = beside.preference {
        lines.push(format!("  judge       {}", judge(preference)));
    }
    let tokens = &round.prompt_tokens;
    if tokens.differ > 0 {
        lines.push(format!(
            "  health      prompt tokens differ for {} of {} prompts: the template or the tokenizer changed",
            tokens.differ, tokens.compared
        ));
    }
    let defects = &round.defects;
    if !defects.version.is_empty() || !defects.baseline.is_empty() {
        lines.push(format!(
            "  defects     {version}: {}; {baseline}: {}",
            listed(&defects.version),
            listed(&defects.baseline)
        ));
    }
    if !round.unknown_because.is_empty() {
        lines.push(format!("  unknown     {}", listed(&round.unknown_because)));
    }
    for changed in round.changed.iter().take(SHOWN_MAX) {
        lines.push(format!(
            "  changed     {}: {version} {}, {baseline} {}; {}",
            name(&changed.set, &changed.case),
            changed.version,
            changed.baseline,
            plain(&changed.check)
        ));
    }
    more(&mut lines, round.changed.len().saturating_sub(SHOWN_MAX));
    let quarantined = &beside.quarantined;
    for (set, case) in quarantined.iter().take(SHOWN_MAX) {
        let name = name(set, case);
        lines.push(format!(
            "  unstable    {name}: two answers of {baseline} differed; it counts all the same"
        ));
    }
    more(&mut lines, quarantined.len().saturating_sub(SHOWN_MAX));
    lines
}

fn judge(preference: &Preference) -> String {
    let percent =
        |share: Option<f64>| share.map_or("-".to_owned(), |share| format!("{:.1} %", share * 100.0));
    let because = preference.standing.because().map(|why| format!("; it decides nothing: {why}"));
    format!(
        "wins {} of {} pairs, at equal lengths {}; both orders agree in {}{}",
        percent(preference.win_rate),
        preference.pairs,
        percent(preference.length_controlled),
        percent(preference.consistency),
        because.unwrap_or_default()
    )
}

fn more(lines: &mut Vec<String>, count: usize) {
    if count > 0 {
        lines.push(format!("              and {count} more"));
    }
}

fn name(set: &str, case: &str) -> String {
    format!("{} ({})", plain(case), plain(set))
}

fn listed(counts: &BTreeMap<String, u64>) -> String {
    if counts.is_empty() {
        return "none".to_owned();
    }
    let listed = counts.iter().map(|(name, count)| format!("{} {count}", plain(name)));
    listed.collect::<Vec<_>>().join(", ")
}

/// A text for a terminal: one line, not too long, without control characters.
pub(crate) fn plain(text: &str) -> String {
    text.chars().map(|char| if char.is_control() { ' ' } else { char }).take(CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::super::results::{Changed, PromptTokens, Prompts, Round, Sides};
    use super::{Beside, line, lines};

    fn round() -> Round {
        let changed = Changed {
            set: "a.yaml".to_owned(),
            case: "capital\u{1b}[2J".to_owned(),
            version: "0/3".to_owned(),
            baseline: "3/3".to_owned(),
            check: "contains: Paris".to_owned(),
        };
        Round {
            verdict: "not_enough_data".to_owned(),
            round: 3,
            prompts: Prompts { total: 50, worse: 1, same: 48, unknown: 1, ..Prompts::default() },
            pass_share: Sides { version: Some(0.98), baseline: Some(1.0) },
            log_e: 0.693,
            threshold: 5.075,
            judge: None,
            prompt_tokens: PromptTokens { compared: 50, differ: 12 },
            defects: Sides { version: [("repetition".to_owned(), 3)].into(), ..Sides::default() },
            changed: vec![changed],
            unknown_because: [("429".to_owned(), 5)].into(),
        }
    }

    #[test]
    fn a_round_in_words() {
        let names = Sides { version: "v2", baseline: "v1" };
        let text =
            lines(&round(), names, &Beside { quarantined: vec![("a.yaml", "joke")], ..Beside::default() })
                .join("\n");
        let expect = "v2 against v1 after round 3: not enough data
  50 prompts: 1 worse, 0 better, 48 same, 1 unknown; evidence 0.7 of 5.1
  passes      v2 98.0 %, v1 100.0 %
  health      prompt tokens differ for 12 of 50 prompts: the template or the tokenizer changed
  defects     v2: repetition 3; v1: none
  unknown     429 5
  changed     capital [2J (a.yaml): v2 0/3, v1 3/3; contains: Paris
  unstable    joke (a.yaml): two answers of v1 differed; it counts all the same";
        assert_eq!(text, expect);
        assert_eq!(
            line(&round()),
            "round 3: not enough data; 50 prompts: 1 worse, 0 better, 48 same, 1 unknown; evidence 0.7 of 5.1"
        );
    }

    #[test]
    fn long_lists_are_cut() {
        let names = Sides { version: "v2", baseline: "v1" };
        let all = lines(&round(), names, &Beside { quarantined: vec![("a", "b"); 30], ..Beside::default() });
        assert!(all.iter().any(|line| line == "              and 10 more"));
    }
}
