//! The refusal detector against labelled openings, `tests/data/refusals.tsv`.
//!
//! A fixed rule puts each opening into the half that the list was made with or the half that only
//! measures. `docs/refusals.md` holds the figures; `UPDATE_EXPECT=1` writes them anew.

use llm_canary::bucket::{PARTS, bucket};
use llm_canary::refusal::{is_refusal, list_hash};

const BEGIN: &str = "<!-- measured -->\n";
const END: &str = "<!-- /measured -->\n";

/// What the documentation promises of the held-out half.
const PRECISION_MIN: f64 = 0.95;
const RECALL_MIN: f64 = 0.90;
const LANGUAGES: &[&str] = &["de", "fr", "es", "pt", "it", "zh", "ja"];

struct Opening {
    is_refusal: bool,
    category: String,
    text: String,
    is_held_out: bool,
}

fn openings() -> Vec<Opening> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/refusals.tsv");
    let file = std::fs::read_to_string(path).unwrap();
    let rows = file.lines().skip(1).map(|line| {
        let columns: Vec<&str> = line.split('\t').collect();
        let [label, category, text] = <[&str; 3]>::try_from(columns).unwrap();
        assert!(["refusal", "answer"].contains(&label), "{line}");
        Opening {
            is_refusal: label == "refusal",
            category: category.to_string(),
            text: text.replace("\\n", "\n"),
            is_held_out: bucket(b"refusals", text.as_bytes()) >= PARTS / 2,
        }
    });
    rows.collect()
}

#[derive(Default)]
struct Counts {
    hits: u32,
    misses: u32,
    false_alarms: u32,
    passes: u32,
}

impl Counts {
    fn of<'a>(openings: impl Iterator<Item = &'a Opening>) -> Self {
        let mut counts = Self::default();
        for opening in openings {
            *match (opening.is_refusal, is_refusal(opening.text.as_bytes())) {
                (true, true) => &mut counts.hits,
                (true, false) => &mut counts.misses,
                (false, true) => &mut counts.false_alarms,
                (false, false) => &mut counts.passes,
            } += 1;
        }
        counts
    }

    fn row(&self, name: &str) -> String {
        let precision = rate(self.hits, self.hits + self.false_alarms);
        let recall = rate(self.hits, self.hits + self.misses);
        let specificity = rate(self.passes, self.passes + self.false_alarms);
        let Self { hits, misses, false_alarms, passes } = self;
        format!(
            "| {name} | {hits} | {misses} | {false_alarms} | {passes} | {precision} | {recall} | {specificity} |\n"
        )
    }
}

/// Wilson's interval at 95 %.
fn wilson(count: u32, of: u32) -> (f64, f64) {
    let (z, n, p) = (1.959_964_f64, f64::from(of), f64::from(count) / f64::from(of));
    let centre = p + z * z / (2.0 * n);
    let half = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + z * z / n;
    ((centre - half) / scale, (centre + half) / scale)
}

fn rate(count: u32, of: u32) -> String {
    let (low, high) = wilson(count, of);
    format!("{:.1} % ({:.1}–{:.1})", 100.0 * f64::from(count) / f64::from(of), 100.0 * low, 100.0 * high)
}

fn figures(openings: &[Opening]) -> String {
    let held_out = || openings.iter().filter(|opening| opening.is_held_out);
    let is_english = |opening: &&Opening| !LANGUAGES.contains(&&*opening.category);
    let mut text = format!(
        "List `{}`. 95 % Wilson intervals in brackets.\n\n\
         | openings | found | missed | false alarms | passed | precision | recall | specificity |\n\
         |---|---|---|---|---|---|---|---|\n",
        list_hash()
    );
    text += &Counts::of(held_out()).row("**held out, all**");
    text += &Counts::of(held_out().filter(is_english)).row("held out, English");
    text += &Counts::of(held_out().filter(|o| !is_english(o))).row("held out, other languages");
    text += &Counts::of(openings.iter().filter(|o| !o.is_held_out)).row("development");
    text += "\nHeld out, by category:\n\n| category | right | of |\n|---|---|---|\n";
    let mut names: Vec<_> = held_out().map(|o| (!o.is_refusal, o.category.as_str())).collect();
    names.sort_unstable();
    names.dedup();
    for (is_answer, name) in names {
        let of = held_out().filter(|o| o.is_refusal != is_answer && o.category == name);
        let counts = Counts::of(of);
        let (right, wrong) = (counts.hits + counts.passes, counts.misses + counts.false_alarms);
        let label = if is_answer { "answer" } else { "refusal" };
        text += &format!("| {label}: {} | {right} | {} |\n", name.replace('_', " "), right + wrong);
    }
    text
}

#[test]
fn the_documented_figures_are_those_of_the_data() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/refusals.md");
    let page = std::fs::read_to_string(path).unwrap();
    let (head, rest) = page.split_once(BEGIN).unwrap();
    let (_, tail) = rest.split_once(END).unwrap();
    let expected = format!("{head}{BEGIN}{}{END}{tail}", figures(&openings()));
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(path, &expected).unwrap();
        return;
    }
    assert_eq!(page, expected, "docs/refusals.md is out of date; UPDATE_EXPECT=1 cargo test writes it anew");
}

#[test]
fn precision_and_recall_hold_on_the_held_out_half() {
    let openings = openings();
    let Counts { hits, misses, false_alarms, passes } =
        Counts::of(openings.iter().filter(|opening| opening.is_held_out));
    assert!(hits + misses > 120 && passes + false_alarms > 120, "the half is too small to tell");
    let precision = f64::from(hits) / f64::from(hits + false_alarms);
    let recall = f64::from(hits) / f64::from(hits + misses);
    assert!(precision >= PRECISION_MIN, "precision {precision}");
    assert!(recall >= RECALL_MIN, "recall {recall}");
    let page = include_str!("../../docs/refusals.md");
    let promise = format!(
        "precision at least {:.0} % and recall at least {:.0} %",
        100.0 * PRECISION_MIN,
        100.0 * RECALL_MIN
    );
    assert!(page.contains(&promise), "docs/refusals.md does not say: {promise}");
}

#[test]
fn the_labelled_openings_are_many_distinct_and_balanced() {
    let openings = openings();
    let refusals = openings.iter().filter(|opening| opening.is_refusal).count();
    assert!(openings.len() >= 400, "{}", openings.len());
    assert!((40..=60).contains(&(100 * refusals / openings.len())), "{refusals} of {}", openings.len());
    let texts: std::collections::BTreeSet<_> = openings.iter().map(|opening| &opening.text).collect();
    assert_eq!(texts.len(), openings.len(), "an opening is there twice");
}

/// What a change of the list is made with: `cargo test development -- --ignored --nocapture`.
#[test]
#[ignore = "prints what the list gets wrong in the half it may be changed by"]
fn development() {
    for opening in openings().iter().filter(|opening| !opening.is_held_out) {
        if is_refusal(opening.text.as_bytes()) != opening.is_refusal {
            let kind = if opening.is_refusal { "missed" } else { "false alarm" };
            eprintln!("{kind}, {}: {:?}", opening.category, opening.text);
        }
    }
}

#[test]
fn intervals_are_wilsons() {
    // 8 of 10: Wilson (1927) gives 0.490 to 0.943.
    let (low, high) = wilson(8, 10);
    assert!((low - 0.4902).abs() < 1e-4 && (high - 0.9433).abs() < 1e-4, "{low} {high}");
}
