//! How signals are judged.

use super::margins;
use super::reader::{Place, Reader, quoted};
use crate::suggest;
use llm_canary::defect::Defect;
use llm_canary_verdict::policy::{Policy, Rule};
use llm_canary_verdict::signal::{Harm, Mode, Signal};
use std::collections::BTreeMap;

/// Signals in one policy: more than there are.
const SIGNALS_MAX: usize = 100;

const MODES: [(&str, Mode); 3] = [("guard", Mode::Guard), ("hold", Mode::Hold), ("watch", Mode::Watch)];
const HARMS: [(&str, Harm); 3] = [("up", Harm::Up), ("down", Harm::Down), ("both", Harm::Both)];

/// The rules that differ from what is usual.
pub(super) fn read(reader: &mut Reader, place: &Place<'_>) -> BTreeMap<Signal, Rule> {
    let mut rules = BTreeMap::new();
    for (name, place) in reader.members(place, SIGNALS_MAX).unwrap_or_default() {
        let signal = of_name(name);
        if let Err(words) = &signal {
            reader.problem(&place, words.clone());
        }
        let rule = rule(reader, &place, signal.as_ref().ok());
        if let (Ok(signal), Some(rule)) = (signal, rule)
            && rule != Rule::default()
        {
            rules.insert(signal, rule);
        }
    }
    rules
}

/// A signal's name.
pub(super) fn named(reader: &mut Reader, place: &Place<'_>) -> Option<Signal> {
    let name = reader.text(place, "write the name of a signal")?;
    let signal = of_name(name);
    if signal.is_err() {
        let words = suggest(name);
        reader.problem(place, format!("is {}, and there is no such signal; {words}", quoted(name)));
    }
    signal.ok()
}

/// A signal, or a sentence without its subject.
fn of_name(name: &str) -> Result<Signal, String> {
    parse(name).ok_or_else(|| format!("there is no such signal; {}", suggest(name)))
}

/// The signal of a name: a defect must be one that the filter finds.
pub(crate) fn parse(name: &str) -> Option<Signal> {
    name.parse().ok().filter(|signal| match signal {
        Signal::Defect(defect) => Defect::NAMES.contains(&&**defect),
        _ => true,
    })
}

/// What to write instead of an unknown signal.
pub(crate) fn suggest(name: &str) -> String {
    let signals = Signal::all().map(|signal| signal.to_string());
    let defects = Defect::NAMES.iter().map(|defect| format!("defect:{defect}"));
    let known: Vec<String> = signals.chain(defects).collect();
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    match suggest::nearest(name, &known) {
        Some(nearest) => format!("did you mean {nearest}?"),
        None => format!("there are {}", known.join(", ")),
    }
}

/// A rule without what is usual anyway. What is not known of the signal is not checked.
fn rule(reader: &mut Reader, place: &Place<'_>, signal: Option<&Signal>) -> Option<Rule> {
    let fields = reader.object(place, &["mode", "harm", "weight", "margin"])?;
    let mode = fields.get("mode").and_then(|place| reader.choice(&place, &MODES));
    let harm = fields.get("harm").and_then(|place| reader.choice(&place, &HARMS));
    let weight = fields.get("weight").and_then(|place| reader.weight(&place));
    let kind = signal.map(Signal::kind);
    let margin = fields.get("margin").and_then(|place| margins::margin(reader, &place, kind));
    let (usual_mode, usual_harm) = (signal.map(Signal::mode), signal.map(Signal::harm));
    Some(Rule {
        mode: mode.filter(|mode| Some(*mode) != usual_mode),
        harm: harm.filter(|harm| Some(*harm) != usual_harm),
        weight: weight.filter(|weight| *weight != 1.0),
        margin,
    })
}

/// Without a guard, nothing has to be excluded before a version is fine.
pub(super) fn some_guard(reader: &mut Reader, root: &Place<'_>, policy: &Policy) {
    let has_guard = policy.all_signals().any(|signal| policy.mode(&signal) == Mode::Guard);
    if let (false, Some(place)) = (has_guard, root.get("signals")) {
        reader.problem(
            &place,
            "leave no guard, so that no version could be worse; let one be a guard, such as errors",
        );
    }
}
