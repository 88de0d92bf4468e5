//! The parts of the page that are words and tables: the decision, events, health, defects, cost, all numbers.

use super::data::{Defect, Page, Version};
use super::journal::{Decided, Event, Journal, decided};
use super::panels::time;
use super::text::Text;
use super::tiles::{events, is_listed_below, ordered, word};
use crate::table::{NONE, Tone};
use crate::verdict_json::{harm_name, mode_name, state_name};
use crate::verdict_table::{facts, interval, ratio, value, verdict};
use llm_canary_verdict::health::{Health, State};
use llm_canary_verdict::policy::Margin;
use llm_canary_verdict::verdict::{SignalJudgement, Verdict};
use llm_canary_verdict::words::{count, percent, short};

/// What was decided about a version, and why.
#[derive(Clone, Debug)]
pub(super) struct Decision {
    pub(super) class: &'static str,
    pub(super) shape: &'static str,
    /// A clause, such as `v2 is worse than v1`.
    pub(super) what: Text,
    pub(super) why: Text,
    /// What the journal says that was done at last.
    pub(super) done: Option<Text>,
    /// All reasons, the most important first.
    pub(super) because: Vec<Text>,
    pub(super) facts: Text,
}

impl Decision {
    /// Nothing is fine while something is missing of the evidence.
    pub(super) fn new(version: &Version, trouble: Option<&Text>) -> Self {
        let judgement = &version.analysis.judgement;
        let (name, baseline) = (&version.version, &version.baseline);
        let (words, mut tone, mut why) = verdict(judgement);
        let known = match (judgement.verdict, trouble) {
            (Verdict::Regression, _) | (_, None) => judgement.verdict,
            (_, Some(trouble)) => {
                (tone, why) = (Tone::Open, trouble.to_string());
                Verdict::NotEnoughData
            }
        };
        let done = decided(&version.events);
        tone = match done {
            Some((Decided::Stopped, _)) => Tone::Bad,
            Some((Decided::Finished, _)) => Tone::Good,
            Some((Decided::OtherHand, _)) => Tone::Open,
            None => tone,
        };
        let (class, shape) = match tone {
            Tone::Bad => ("bad", "■"),
            Tone::Good => ("good", "●"),
            Tone::Open | Tone::Plain | Tone::Faint => ("open", "▲"),
        };
        let what = match known {
            Verdict::Regression => format!("{name} is worse than {baseline}"),
            Verdict::Fine => format!("{name} is {words}, compared with {baseline}"),
            Verdict::NotEnoughData if judgement.verdict == Verdict::Fine => {
                format!("Whether {name} is worse than {baseline} is not known at the moment")
            }
            Verdict::NotEnoughData => format!("Whether {name} is worse than {baseline} is not decided yet"),
        };
        // What was done is done, whatever the windows say that came after it.
        let (what, why) = done.map_or((what, why), |(done, event)| Self::words(name, done, event));
        let because = match done.map(|(_, event)| event.why.as_slice()) {
            None | Some([]) => judgement.because.iter().map(|reason| Text::new(reason)).collect(),
            Some(reasons) => reasons.to_vec(),
        };
        let last = version.events.iter().rev().find(|event| !event.is_look).map(|event| {
            let text = event.text.as_ref().unwrap_or(&event.event);
            Text::new(&format!("{}: {text}", event.at))
        });
        let is_seen = judgement.windows > 0;
        Self {
            class,
            shape,
            what: Text::new(&what),
            why: Text::new(&why),
            done: last,
            because,
            facts: if is_seen { Text::new(&facts(&version.analysis)) } else { Text::default() },
        }
    }

    /// What the journal says was decided, and why.
    fn words(name: &Text, decided: Decided, event: &Event) -> (String, String) {
        let dry = if event.is_dry { "(dry run) " } else { "" };
        let share = event.percent.map_or("its last share".to_owned(), |share| format!("{} %", short(share)));
        let what = match decided {
            Decided::Stopped => format!("{dry}{name} was stopped"),
            Decided::Finished => format!("{dry}{name} has {share}, and the plan is finished"),
            Decided::OtherHand => format!("{dry}{name} was changed by somebody else, and run has ended"),
        };
        let why = event.why.first().or(event.text.as_ref()).unwrap_or(&event.event);
        (what, why.to_string())
    }
}

/// What the journal says was decided about a version, and why, in a line.
pub(crate) fn journal_line(journal: &Journal, version: &str) -> Option<String> {
    let events: Vec<Event> = journal.of(version).cloned().collect();
    let (decided, event) = decided(&events)?;
    let (what, why) = Decision::words(&Text::new(version), decided, event);
    Some(format!("{what}: {why}"))
}

/// An event of the list below the share.
#[derive(Clone, Debug)]
pub(super) struct EventRow<'p> {
    pub(super) number: usize,
    pub(super) event: &'p Event,
    pub(super) percent: String,
}

pub(super) fn event_rows(version: &Version) -> Vec<EventRow<'_>> {
    let row = |(index, event): (usize, &'_ Event)| (index.saturating_add(1), event.percent);
    let rows = version.events.iter().enumerate();
    rows.map(|(index, event)| {
        let (number, share) = row((index, event));
        EventRow {
            number,
            event,
            percent: share.map_or(String::new(), |share| format!("{} %", short(share))),
        }
    })
    .collect()
}

/// A row about health.
#[derive(Clone, Debug)]
pub(super) struct HealthRow {
    pub(super) name: &'static str,
    pub(super) meaning: &'static str,
    pub(super) state: &'static str,
    pub(super) class: &'static str,
    pub(super) shape: &'static str,
    pub(super) detail: Text,
}

impl HealthRow {
    pub(super) fn new(row: &Health) -> Self {
        use llm_canary_verdict::policy::Row;
        let (class, shape) = match row.state {
            State::Ok => ("good", "●"),
            State::Warn => ("open", "▲"),
            State::Hold => ("open", "▲"),
            State::Stop => ("bad", "■"),
            State::Absent => ("faint", "○"),
        };
        let meaning = match row.row {
            Row::NoTraffic => "the version gets requests",
            Row::Stale => "the samples are fresh",
            Row::Config => "all instances run the same configuration",
            Row::Mismatch => "responses come from the model routed to",
            Row::Share => "the share seen is the one configured",
            Row::Shard => "no shard has most of the events",
            Row::Unread => "responses can be read",
        };
        Self {
            name: row.row.name(),
            meaning,
            state: state_name(row.state),
            class,
            shape,
            detail: Text::new(row.detail.as_deref().unwrap_or_default()),
        }
    }
}

/// A kind of defect.
#[derive(Clone, Debug)]
pub(super) struct DefectRow {
    pub(super) name: Text,
    pub(super) version: String,
    pub(super) baseline: String,
    pub(super) version_events: String,
    pub(super) baseline_events: String,
    /// The lengths of two bars, in percent of the longest.
    pub(super) version_bar: String,
    pub(super) baseline_bar: String,
}

pub(super) fn defect_rows(defects: &[Defect]) -> Vec<DefectRow> {
    let rate = |events: u64, requests: u64| if requests > 0 { events as f64 / requests as f64 } else { 0.0 };
    let rates = |defect: &Defect| {
        (
            rate(defect.events.version, defect.requests.version),
            rate(defect.events.baseline, defect.requests.baseline),
        )
    };
    let most = defects.iter().map(|defect| rates(defect).0.max(rates(defect).1)).fold(0.0, f64::max);
    let bar = |rate: f64| format!("{:.1}", if most > 0.0 { rate / most * 100.0 } else { 0.0 });
    let row = |defect: &Defect| {
        let (version, baseline) = rates(defect);
        DefectRow {
            name: defect.name.clone(),
            version: percent(version),
            baseline: percent(baseline),
            version_events: count(defect.events.version),
            baseline_events: count(defect.events.baseline),
            version_bar: bar(version),
            baseline_bar: bar(baseline),
        }
    };
    defects.iter().map(row).collect()
}

/// What 1,000 requests cost; `None` without prices.
#[derive(Clone, Debug)]
pub(super) struct Cost {
    pub(super) version: String,
    pub(super) baseline: String,
    pub(super) ratio: String,
}

pub(super) fn cost(version: &Version) -> Option<Cost> {
    let (own, baseline) = (version.cost.version, version.cost.baseline);
    let times = own.zip(baseline).filter(|(_, baseline)| *baseline > 0.0).map(|(own, base)| own / base);
    let shown = |cost: Option<f64>| cost.map_or(NONE.to_owned(), short);
    own.or(baseline).is_some().then(|| Cost {
        version: shown(own),
        baseline: shown(baseline),
        ratio: times.map_or(NONE.to_owned(), ratio),
    })
}

/// A signal with all that `analyze --json` says of it.
#[derive(Clone, Debug)]
pub(super) struct Numbers {
    pub(super) name: Text,
    pub(super) mode: &'static str,
    pub(super) harm: &'static str,
    pub(super) cells: Vec<Number>,
    pub(super) finding: &'static str,
}

/// A number as it is read, and exactly.
#[derive(Clone, Debug)]
pub(super) struct Number {
    pub(super) shown: String,
    pub(super) exact: String,
}

/// What the columns of the table of all numbers say.
pub(super) const NUMBER_HEADINGS: [&str; 15] = [
    "value of the version",
    "value of the baseline",
    "its events",
    "the baseline's",
    "ratio",
    "95 % interval",
    "margin",
    "design effect",
    "ln E of harm",
    "needed",
    "ln E of no harm",
    "needed",
    "alarm",
    "no worse since",
    "would have been found",
];

impl Numbers {
    fn new(signal: &SignalJudgement) -> Self {
        let figures = &signal.figures;
        let (version_events, baseline_events) = events(signal);
        let number = |exact: Option<f64>, shown: String| Number {
            shown,
            exact: exact
                .filter(|number| number.is_finite())
                .map_or(String::new(), |number| number.to_string()),
        };
        let words = |text: Option<String>| Number {
            exact: text.clone().unwrap_or_default(),
            shown: text.unwrap_or_else(|| NONE.to_owned()),
        };
        let two = |number: f64| if number.is_finite() { format!("{number:.2}") } else { NONE.to_owned() };
        let Margin { ratio: times, points } = signal.margin;
        let margin = if points > 0.0 {
            format!("{} times or {} points", short(times), short(points * 100.0))
        } else {
            format!("{} times", short(times))
        };
        let ratio_shown = |times: Option<f64>| times.map_or(NONE.to_owned(), ratio);
        Self {
            name: Text::name(&signal.signal.to_string()),
            mode: mode_name(signal.mode),
            harm: harm_name(signal.harm),
            cells: vec![
                number(figures.values.version, value(signal, figures.values.version)),
                number(figures.values.baseline, value(signal, figures.values.baseline)),
                number(None, version_events),
                number(None, baseline_events),
                number(figures.ratio, ratio_shown(figures.ratio)),
                number(None, interval(signal)),
                number(Some(times), margin),
                number(Some(signal.design_effect), two(signal.design_effect)),
                number(Some(signal.ln_e), two(signal.ln_e)),
                number(Some(signal.ln_threshold), two(signal.ln_threshold)),
                number(Some(signal.ln_no_worse), two(signal.ln_no_worse)),
                number(Some(signal.ln_threshold_no_worse), two(signal.ln_threshold_no_worse)),
                words(signal.alarm.map(|alarm| time(alarm.at_ms))),
                words(signal.no_worse_at_ms.map(time)),
                number(signal.detectable_ratio, ratio_shown(signal.detectable_ratio)),
            ],
            finding: word(signal).text,
        }
    }
}

pub(super) fn numbers(version: &Version) -> Vec<Numbers> {
    // Kinds of defects have a table of their own, and are in the JSON.
    let is_left_out = |signal: &SignalJudgement| version.is_brief && is_listed_below(signal);
    ordered(version).into_iter().filter(|signal| !is_left_out(signal)).map(Numbers::new).collect()
}

/// What a page without versions says, and why there are none.
pub(super) fn nothing(page: &Page) -> (&'static str, Text) {
    let why = page.now.trouble.as_ref().or(page.now.idle.as_ref());
    ("Nothing is judged yet", why.cloned().unwrap_or_else(|| Text::new("nothing was seen")))
}

/// What the page is about, for the browser's tab.
pub(super) fn title(page: &Page) -> Text {
    let each: Vec<String> = page
        .versions
        .iter()
        .map(|version| Decision::new(version, page.now.trouble.as_ref()).what.to_string())
        .collect();
    if each.is_empty() {
        return Text::new(&format!("{}: {}", page.rollout, nothing(page).0));
    }
    Text::new(&format!("{}: {}", page.rollout, each.join("; ")))
}
