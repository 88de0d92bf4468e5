//! A plain page: the verdict, why, and the signals as a table.

use super::view::{Found, Moment, View};
use std::fmt::Write;

/// What the page may do: nothing but show its own styles.
pub(super) const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// It is loaded again after so many seconds.
const REFRESH_S: u32 = 5;
const STYLE: &str = ":root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem}\
                     table{border-collapse:collapse}th,td{text-align:left;padding:.2rem .8rem .2rem 0}td.n{text-align:right}";

/// The page as HTML.
pub(super) fn html(view: &View, moment: Moment) -> String {
    let trouble = view.trouble(moment);
    let mut html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta http-equiv=\"refresh\" content=\"{REFRESH_S}\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>llm-canary</title><style>{STYLE}</style></head><body><main>"
    );
    let words = trouble.as_deref().or(view.idle.as_deref().filter(|_| view.found.is_empty()));
    if view.found.is_empty() {
        html.push_str("<h1>not enough data</h1>");
    }
    if let Some(words) = words.or((!view.has_looked).then_some("nothing was seen yet")) {
        add(&mut html, format_args!("<p>{}</p>", escaped(words)));
    }
    for found in &view.found {
        add_version(&mut html, found, view.state.as_deref(), trouble.as_deref());
    }
    html.push_str("<p><a href=\"/api/verdict\">verdict as JSON</a> · <a href=\"/api/events\">events</a></p></main></body></html>\n");
    html
}

fn add_version(html: &mut String, found: &Found, state: Option<&str>, trouble: Option<&str>) {
    let analysis = &found.analysis;
    let verdict = found.verdict(trouble).name().replace('_', " ");
    add(
        html,
        format_args!(
            "<h1>{}: {} against {}: {verdict}</h1>",
            escaped(&analysis.rollout),
            escaped(&analysis.version),
            escaped(&analysis.baseline)
        ),
    );
    let percent = found.percent.map(|percent| format!(" at {percent} %")).unwrap_or_default();
    if let Some(state) = state {
        add(html, format_args!("<p>{}{percent}</p>", escaped(state)));
    }
    html.push_str("<ul>");
    for why in found.because(trouble) {
        add(html, format_args!("<li>{}</li>", escaped(&why)));
    }
    html.push_str("</ul><table><thead><tr><th scope=\"col\">signal</th><th scope=\"col\">version</th><th scope=\"col\">baseline</th>\
                   <th scope=\"col\">ratio</th><th scope=\"col\">ln E</th><th scope=\"col\">needs</th><th scope=\"col\">verdict</th></tr></thead><tbody>");
    for signal in &analysis.judgement.signals {
        let figures = &signal.figures;
        add(
            html,
            format_args!(
                "<tr><th scope=\"row\">{}</th><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{:.1}</td>\
                 <td class=\"n\">{:.1}</td><td>{}</td></tr>",
                escaped(&signal.signal.to_string()),
                number(figures.values.version),
                number(figures.values.baseline),
                number(figures.ratio),
                signal.ln_e,
                signal.ln_threshold,
                escaped(&signal.finding.name().replace('_', " ")),
            ),
        );
    }
    html.push_str("</tbody></table>");
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.4}"))
}

fn add(html: &mut String, text: std::fmt::Arguments<'_>) {
    // A text can always be written to.
    let _ = html.write_fmt(text);
}

/// A text that stays one, whatever it has in it.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            char => safe.push(char),
        }
    }
    safe
}
