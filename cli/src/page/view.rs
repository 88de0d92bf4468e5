//! A page's data → its HTML.

use super::chart::Chart;
use super::data::{Page, Version};
use super::now::Now;
use super::panels::Places;
use super::parts::{
    Cost, Decision, DefectRow, EventRow, HealthRow, NUMBER_HEADINGS, Numbers, cost, defect_rows, event_rows,
    nothing, numbers, title,
};
use super::security::content_policy;
use super::text::Text;
use super::tiles::{Group, Row, Tile, anchor, group, is_listed_below, ordered, tiles};
use super::undo::Undo;
use super::watchdog::Watchdog;
use askama::Template;
use llm_canary_verdict::verdict::SignalJudgement;

const STYLE: &str = include_str!("../../templates/page.css");
/// Shows the numbers at a time. It asks nobody.
const READ: &str = include_str!("../../templates/read.js");

/// Takes the next page from a server, again and again.
const LIVE: &str = concat!(include_str!("../../templates/read.js"), include_str!("../../templates/live.js"));

/// How a page lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    /// As a file, which stays as it is, and asks nobody.
    File,
    /// On a server, which has the next page at [`LIVE_PATH`].
    Served {
        /// Between two pages.
        every_ms: u32,
    },
}

/// So many events are shown at once, the last ones.
const EVENTS_SHOWN: usize = 8;

/// Where a served page asks for the next one: the whole of it, as [`html`] writes it.
pub(crate) const LIVE_PATH: &str = "/api/page";

#[derive(Template)]
#[template(path = "page.html")]
struct PageView<'p> {
    page: &'p Page,
    title: Text,
    policy: String,
    style: &'static str,
    script: &'static str,
    json: String,
    /// Of a page without versions: what it says, and why.
    nothing: Option<(&'static str, Text)>,
    versions: Vec<VersionView<'p>>,
    live_path: &'static str,
    every_ms: Option<u32>,
}

struct VersionView<'p> {
    number: usize,
    data: &'p Version,
    decision: Decision,
    share: Chart,
    /// The last ones; those before them and looks, which are folded.
    events: Vec<EventRow<'p>>,
    earlier: Vec<EventRow<'p>>,
    rows: Vec<Row>,
    worse: Vec<Tile>,
    open: Vec<Tile>,
    rest: Vec<Tile>,
    absent: Vec<Text>,
    health: Vec<HealthRow>,
    health_faults: usize,
    defects: Vec<DefectRow>,
    cost: Option<Cost>,
    headings: [&'static str; NUMBER_HEADINGS.len()],
    numbers: Vec<Numbers>,
    undo: &'p [Undo],
    watchdog: Option<&'p Watchdog>,
}

/// The whole page.
///
/// # Errors
/// None is known; the templates write to a string.
pub(crate) fn html(page: &Page, life: Life) -> Result<String, askama::Error> {
    let (script, every_ms) = match life {
        Life::File => (READ, None),
        Life::Served { every_ms } => (LIVE, Some(every_ms)),
    };
    let view = PageView {
        title: title(page),
        policy: content_policy(STYLE, script, every_ms.is_some()),
        style: STYLE,
        script,
        json: page.embedded_json(),
        nothing: page.versions.is_empty().then(|| nothing(page)),
        versions: page
            .versions
            .iter()
            .enumerate()
            .map(|(number, data)| VersionView::new(number, data, &page.now))
            .collect(),
        page,
        live_path: LIVE_PATH,
        every_ms,
    };
    view.render()
}

/// What a browser may do with a served page, for the header that goes with it.
pub(crate) fn served_policy() -> String {
    // A meta element cannot say who may frame the page.
    format!("{}; frame-ancestors 'none'", content_policy(STYLE, LIVE, true))
}

impl<'p> VersionView<'p> {
    fn new(number: usize, data: &'p Version, now: &Now) -> Self {
        let tiles = tiles(number, data);
        // Looks are many, and change nothing.
        let (mut earlier, mut events): (Vec<_>, Vec<_>) =
            event_rows(data).into_iter().partition(|row| row.event.is_look);
        earlier.extend(events.drain(..events.len().saturating_sub(EVENTS_SHOWN)));
        earlier.sort_by_key(|row| row.number);
        let of = |wanted: Group| -> Vec<Tile> {
            tiles.iter().filter(|tile| tile.group == wanted).cloned().collect()
        };
        let signals = ordered(data);
        let row = |signal: &&SignalJudgement| {
            let index = data.trends.iter().position(|trend| trend.signal == signal.signal);
            Row::new(signal, index.map(|index| anchor(number, index)))
        };
        let (absent, measured): (Vec<_>, Vec<_>) =
            signals.into_iter().partition(|signal| group(signal) == Group::Absent);
        let health: Vec<HealthRow> = data.analysis.judgement.health.iter().map(HealthRow::new).collect();
        Self {
            number,
            decision: Decision::new(data, now.trouble.as_ref()),
            share: Places::new(data).share(number),
            events,
            earlier,
            rows: measured.iter().filter(|signal| !is_listed_below(signal)).map(row).collect(),
            worse: of(Group::Worse),
            open: of(Group::Open),
            rest: of(Group::Rest),
            absent: absent.iter().map(|signal| Text::name(&signal.signal.to_string())).collect(),
            health_faults: health.iter().filter(|row| ["open", "bad"].contains(&row.class)).count(),
            health,
            defects: defect_rows(&data.defects),
            cost: cost(data),
            headings: NUMBER_HEADINGS,
            numbers: numbers(data),
            undo: &data.undo,
            watchdog: data.watchdog.as_ref(),
            data,
        }
    }
}
