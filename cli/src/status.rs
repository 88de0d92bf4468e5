//! How the versions of a rollout do, side by side: a row each.
//!
//! In: what was found about each version. Out: the rows, as JSON and for a person.

use crate::analysis::Analysis;
use crate::table::{Canvas, Cell, Column, NONE, Tone, lines};
use crate::totals::{Side, Totals};
use crate::verdict_json::state_name;
use crate::verdict_table::{bucket, headline, verdict};
use llm_canary::timestamp::rfc3339;
use llm_canary_verdict::health::State;
use llm_canary_verdict::policy::Policy;
use llm_canary_verdict::signal::Signal;
use llm_canary_verdict::words::{count, percent, short};
use serde_json::{Value, json};

const INDENT: usize = 4;

/// A version of a rollout.
struct Row<'a> {
    version: &'a str,
    /// What was found about it; `None` for the baseline.
    analysis: Option<&'a Analysis>,
    /// Its shares of all requests.
    configured: Option<f64>,
    seen: Option<f64>,
    totals: &'a Totals,
    side: Side,
    /// What 1,000 requests cost.
    cost: Option<f64>,
}

/// The rows of a rollout, the baseline's first.
fn rows<'a>(analyses: &'a [Analysis], policy: &Policy) -> Vec<Row<'a>> {
    let cost = |version: &str, totals: &Totals, side| {
        policy.prices.get(version).and_then(|price| totals.cost(price, side))
    };
    let (seen, seen_baseline) = seen_shares(analyses);
    // Versions may be counted from different times on. The longest count of the baseline is shown.
    let longest = analyses.iter().max_by_key(|analysis| analysis.totals.requests(Side::Baseline));
    let baseline = longest.map(|analysis| Row {
        version: &analysis.baseline,
        analysis: None,
        configured: analysis.step.map(|step| step.baseline),
        seen: seen_baseline,
        totals: &analysis.totals,
        side: Side::Baseline,
        cost: cost(&analysis.baseline, &analysis.totals, Side::Baseline),
    });
    let versions = analyses.iter().zip(seen).map(|(analysis, seen)| Row {
        version: &analysis.version,
        analysis: Some(analysis),
        configured: analysis.judgement.shares.configured,
        seen,
        totals: &analysis.totals,
        side: Side::Version,
        cost: cost(&analysis.version, &analysis.totals, Side::Version),
    });
    baseline.into_iter().chain(versions).collect()
}

/// The share of each version that was seen since its last step, and the baseline's.
fn seen_shares(analyses: &[Analysis]) -> (Vec<Option<f64>>, Option<f64>) {
    let seen = || analyses.iter().map(|analysis| analysis.judgement.shares.observed);
    if analyses.iter().any(|analysis| analysis.step.is_some()) {
        let all: Option<f64> = seen().sum();
        let others = analyses.iter().find_map(|analysis| analysis.step);
        // With a version that is not shown, nobody knows the rest.
        let is_all = others.is_some_and(|step| {
            let configured: f64 = analyses.iter().filter_map(|one| one.step).map(|step| step.share).sum();
            (configured + step.baseline - 1.0).abs() < 1e-6
        });
        return (seen().collect(), all.filter(|_| is_all).map(|all| (1.0 - all).max(0.0)));
    }
    // Each share is of a version and the baseline alone.
    let odds = |share: f64| share / (1.0 - share).max(1e-9);
    let all: f64 = 1.0 + seen().flatten().map(odds).sum::<f64>();
    let any = seen().flatten().next();
    (seen().map(|share| Some(odds(share?) / all)).collect(), any.map(|_| 1.0 / all))
}

/// The rows for a script.
pub(crate) fn value(analyses: &[Analysis], policy: &Policy) -> Value {
    let Some(first) = analyses.first() else { return Value::Null };
    let version = |row: &Row<'_>| {
        let rate = |signal: &Signal| row.totals.rate(signal, row.side);
        let quantile = |part| row.totals.quantile(&Signal::TimeToFirstToken, part, row.side);
        json!({
            "version": row.version,
            "share": {"configured": row.configured, "observed": row.seen},
            "requests": row.totals.requests(row.side),
            "requests_per_second": row.totals.per_second(row.side),
            "errors": rate(&Signal::Errors),
            "refusals": rate(&Signal::Refusals),
            "defects": rate(&Signal::Defects),
            "response_chars": row.totals.mean(&Signal::ResponseChars, row.side),
            "time_to_first_token_ms": {"p50": quantile(0.5), "p95": quantile(0.95)},
            "tokens_per_second": row.totals.tokens_per_second(row.side),
            "cost_per_1000_requests": row.cost,
            "verdict": row.analysis.map(Analysis::verdict_name),
            "because": row.analysis.map(|analysis| &analysis.judgement.because),
        })
    };
    let rows: Vec<Value> = rows(analyses, policy).iter().map(version).collect();
    json!({
        "rollout": first.rollout,
        "baseline": first.baseline,
        "since": time(analyses.iter().map(|analysis| analysis.judgement.since_ms).min()),
        "until": time(analyses.iter().map(|analysis| analysis.judgement.until_ms).max()),
        "versions": rows,
    })
}

/// Null before the first window.
fn time(ms: Option<i64>) -> Value {
    let ms = ms.and_then(|ms| u64::try_from(ms).ok()).filter(|ms| *ms > 0);
    ms.map_or(Value::Null, |ms| rfc3339(ms).into())
}

/// The table for a person, and the verdict of each version.
pub(crate) fn text(analyses: &[Analysis], policy: &Policy, canvas: &Canvas) -> String {
    let Some(first) = analyses.first() else { return String::new() };
    let column = |heading, is_right, rank| Column { heading, is_right, rank };
    let columns = [
        column("version", false, 0),
        column("share", true, 5),
        column("seen", true, 3),
        column("requests", true, 2),
        column("a second", true, 6),
        column("errors", true, 0),
        column("refusals", true, 0),
        column("defects", true, 1),
        column("chars", true, 4),
        column("first token p50, ms", true, 8),
        column("p95, ms", true, 5),
        column("tokens/s", true, 7),
        column("cost of 1,000", true, 7),
        column("verdict", false, 0),
    ];
    let rows: Vec<Vec<Cell>> = rows(analyses, policy).iter().map(cells).collect();
    let until = analyses.iter().map(|analysis| analysis.judgement.until_ms).max().unwrap_or(0);
    let since = analyses.iter().map(|analysis| analysis.judgement.since_ms).min().unwrap_or(0);
    let rfc = |ms: i64| rfc3339(u64::try_from(ms).unwrap_or(0));
    let heading = if until > 0 {
        format!("{} from {} to {}", first.rollout, rfc(since), rfc(until))
    } else {
        format!("{}, before the first window", first.rollout)
    };
    let mut all = vec![canvas.wrap(&heading, INDENT), String::new()];
    all.extend(lines(&columns, &rows, canvas));
    all.push(String::new());
    for analysis in analyses {
        all.push(headline(analysis, canvas));
        for row in &analysis.judgement.health {
            if !matches!(row.state, State::Ok | State::Absent) {
                let detail = row.detail.as_deref().unwrap_or("not in order");
                all.push(
                    canvas
                        .wrap(&format!("  {} ({}): {detail}", row.row.name(), state_name(row.state)), INDENT),
                );
            }
        }
    }
    all.join("\n")
}

fn cells(row: &Row<'_>) -> Vec<Cell> {
    let or_none = |text: Option<String>| Cell::new(text.unwrap_or(NONE.to_owned()));
    let rate = |signal: &Signal| or_none(row.totals.rate(signal, row.side).map(percent));
    let quantile = |part| Cell::new(bucket(row.totals.quantile(&Signal::TimeToFirstToken, part, row.side)));
    let (word, tone) = match row.analysis {
        None => ("baseline".to_owned(), Tone::Faint),
        Some(analysis) => {
            let (word, tone, _) = verdict(&analysis.judgement);
            (word, tone)
        }
    };
    vec![
        Cell::new(row.version),
        or_none(row.configured.map(percent)),
        or_none(row.seen.map(percent)),
        Cell::new(count(row.totals.requests(row.side))),
        or_none(row.totals.per_second(row.side).map(short)),
        rate(&Signal::Errors),
        rate(&Signal::Refusals),
        rate(&Signal::Defects),
        or_none(row.totals.mean(&Signal::ResponseChars, row.side).map(short)),
        quantile(0.5),
        quantile(0.95),
        or_none(row.totals.tokens_per_second(row.side).map(short)),
        // Without prices the column is empty, and left out.
        Cell::new(row.cost.map(short).unwrap_or_default()),
        Cell::of(word, tone),
    ]
}

#[cfg(test)]
mod tests {
    use super::{seen_shares, text, value};
    use crate::analysis::Analysis;
    use crate::table::Canvas;
    use crate::tests::traffic::{Traffic, analysis, windows};
    use llm_canary_verdict::policy::{Policy, Price};
    use llm_canary_verdict::steps::Step;
    use llm_canary_verdict::window::Pair;
    use serde_json::Value;

    fn policy() -> Policy {
        let price = Price { input: 0.1, cached_input: None, output: 0.4 };
        Policy { prices: [("v1".to_owned(), price), ("v2".to_owned(), price)].into(), ..Policy::default() }
    }

    fn found(count: u64) -> Vec<Analysis> {
        let version = Traffic { refusals: 0.04, ..Traffic::new(100) };
        let mut found =
            analysis(&windows(count, Pair { version, baseline: Traffic::new(900) }), &policy(), None);
        found.step = Some(Step { at_ms: 0, share: 0.1, baseline: 0.9 });
        found.judgement.shares.configured = Some(0.1);
        vec![found]
    }

    #[test]
    fn tables() {
        let plain = |analyses: &[Analysis], policy: &Policy, width| {
            text(analyses, policy, &Canvas { width, ..Canvas::default() })
        };
        insta::assert_snapshot!("status", plain(&found(60), &policy(), None));
        insta::assert_snapshot!("status-80", plain(&found(60), &Policy::default(), Some(80)));
        insta::assert_snapshot!("status-empty", plain(&found(0), &policy(), None));
        for width in 60..180 {
            let table = plain(&found(60), &policy(), Some(width));
            assert!(table.lines().all(|line| line.chars().count() <= width), "{width}:\n{table}");
        }
    }

    #[test]
    fn json() {
        let value = value(&found(60), &policy());
        assert_eq!((&value["rollout"], &value["baseline"]), (&"chat".into(), &"v1".into()));
        let [baseline, version] = value["versions"].as_array().unwrap().as_slice() else { panic!("{value}") };
        assert_eq!((&baseline["verdict"], &version["verdict"]), (&Value::Null, &"regression".into()));
        assert_eq!(version["share"], serde_json::json!({"configured": 0.1, "observed": 0.1}));
        assert_eq!(baseline["share"], serde_json::json!({"configured": 0.9, "observed": 0.9}));
        assert_eq!(version["time_to_first_token_ms"]["p50"], serde_json::json!([200.0, 300.0]));
        assert!(version["cost_per_1000_requests"].as_f64().is_some_and(|cost| (cost - 0.14).abs() < 1e-9));
        assert_eq!(super::value(&found(0), &policy())["since"], Value::Null);
    }

    #[test]
    fn shares_are_of_all_requests() {
        let mut two = [found(3), found(3)].concat();
        // 10 % of the first and the baseline, 50 % of the second and the baseline: 1 to 9 to 9.
        two.iter_mut().for_each(|one| one.step = None);
        two[1].judgement.shares.observed = Some(0.5);
        let (seen, baseline) = seen_shares(&two);
        assert!((seen[0].unwrap() - 1.0 / 19.0).abs() < 1e-9 && (seen[1].unwrap() - 9.0 / 19.0).abs() < 1e-9);
        assert!((baseline.unwrap() - 9.0 / 19.0).abs() < 1e-9);
    }
}
