//! What Prometheus, or what speaks as it does, answers to `query_range`: bytes in, series with their points out, or words.

use crate::windows::{Disorder, Samples};
use llm_canary::timestamp::UnixMs;
use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::borrow::Cow;
use std::fmt;

/// So much of a server's own words is passed on.
const WORDS_CHARS_MAX: usize = 300;

/// An answer.
#[derive(Debug, Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    status: Cow<'a, str>,
    #[serde(borrow, default)]
    data: Option<Data<'a>>,
    #[serde(borrow, default)]
    error: Option<Cow<'a, str>>,
    #[serde(default)]
    warnings: Option<Vec<String>>,
    /// VictoriaMetrics' way to say so.
    #[serde(default, rename = "isPartial")]
    is_partial: bool,
}

#[derive(Debug, Deserialize)]
struct Data<'a> {
    #[serde(borrow, rename = "resultType")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    result: Vec<Points<'a>>,
}

/// A series and its points.
#[derive(Debug, Deserialize)]
pub(crate) struct Points<'a> {
    #[serde(borrow)]
    metric: Metric<'a>,
    #[serde(default)]
    values: Vec<Point>,
}

/// Names and values of labels.
#[derive(Debug)]
struct Metric<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

/// A time in Unix milliseconds, and a value.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Point(UnixMs, f64);

/// A text that is borrowed where it has no escapes. serde borrows a `Cow` only where it is a field.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Metric<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Labels;
        impl<'de> Visitor<'de> for Labels {
            type Value = Metric<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("labels")
            }
            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut labels = Vec::with_capacity(map.size_hint().unwrap_or(8));
                while let Some((Text(name), Text(value))) = map.next_entry()? {
                    labels.push((name, value));
                }
                Ok(Metric(labels))
            }
        }
        deserializer.deserialize_map(Labels)
    }
}

impl<'de> Deserialize<'de> for Point {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pair;
        impl<'de> Visitor<'de> for Pair {
            type Value = Point;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a time and a value")
            }
            fn visit_seq<S: SeqAccess<'de>>(self, mut seq: S) -> Result<Point, S::Error> {
                let seconds: f64 = seq.next_element()?.ok_or_else(|| S::Error::custom("no time"))?;
                let Text(value) = seq.next_element()?.ok_or_else(|| S::Error::custom("no value"))?;
                let value = value.parse().map_err(|_| S::Error::custom("a value that is no number"))?;
                Ok(Point((seconds * 1_000.0).round().max(0.0) as UnixMs, value))
            }
        }
        deserializer.deserialize_seq(Pair)
    }
}

/// Reads an answer with the status 200.
///
/// # Errors
/// A sentence whose subject is the server.
pub(crate) fn read(body: &[u8]) -> Result<Vec<Points<'_>>, String> {
    if body.trim_ascii().is_empty() {
        return Err("answers with nothing".to_owned());
    }
    if is_web_page(body) {
        return Err(WEB_PAGE.to_owned());
    }
    let answer: Answer<'_> = serde_json::from_slice(body).map_err(|error| {
        format!("does not answer as Prometheus does: its JSON breaks the form at column {}", error.column())
    })?;
    if let Some(error) = answer.error.filter(|_| answer.status != "success") {
        return Err(format!("cannot run the query: {}", quoted(&error)));
    }
    // Half the series would look like traffic that began later.
    if let Some(warning) = answer.warnings.and_then(|warnings| warnings.into_iter().next()) {
        return Err(format!(
            "answers with a part of the data only, which is not judged: {}",
            quoted(&warning)
        ));
    }
    if answer.is_partial {
        return Err("answers with a part of the data only, which is not judged".to_owned());
    }
    match answer.data {
        Some(data) if data.kind == "matrix" => Ok(data.result),
        _ => Err("does not answer as Prometheus does: it has no result of the type matrix".to_owned()),
    }
}

/// Adds all points to the samples.
///
/// # Errors
/// A sentence whose subject is the server.
pub(crate) fn push(answer: &[Points<'_>], samples: &mut Samples) -> Result<(), String> {
    for Points { metric: Metric(labels), values, .. } in answer {
        let name = labels.iter().find(|(name, _)| name == "__name__").map_or("", |(_, name)| name);
        let series = samples
            .series(None, name, labels)
            .map_err(|_| "has more series than this tool can keep; narrow them by --selector".to_owned())?;
        let Some(series) = series else { continue };
        for Point(at_ms, value) in values {
            match samples.push(series, *at_ms, *value) {
                // Two series that differ in no label that counts; the first is taken.
                Ok(()) | Err(Disorder::Older | Disorder::TwoValues) => {}
            }
        }
    }
    Ok(())
}

/// The names of all series.
pub(crate) fn names<'a>(answer: &'a [Points<'_>]) -> impl Iterator<Item = &'a str> {
    let labels = answer.iter().flat_map(|points| &points.metric.0);
    labels.filter(|(name, _)| name == "__name__").map(|(_, name)| name.as_ref())
}

/// The first value of all, if it is a number that a time can be.
pub(crate) fn first_value(answer: &[Points<'_>]) -> Option<f64> {
    let Point(_, value) = *answer.first()?.values.first()?;
    (value.is_finite() && value >= 0.0).then_some(value)
}

/// The times of all points, in order.
pub(crate) fn times(answer: &[Points<'_>]) -> Vec<UnixMs> {
    let mut times: Vec<UnixMs> =
        answer.iter().flat_map(|points| points.values.iter().map(|point| point.0)).collect();
    times.sort_unstable();
    times
}

const WEB_PAGE: &str = "answers with a web page (HTML), not with data: is it a login, or a proxy's error? Give the address of \
                        Prometheus' API itself";

fn is_web_page(body: &[u8]) -> bool {
    body.trim_ascii_start().starts_with(b"<")
}

/// What another status than 200 means: a sentence whose subject is the server.
pub(crate) fn refusal(status: u16, retry_after: Option<&str>, location: Option<&str>, body: &[u8]) -> String {
    let own = serde_json::from_slice::<Answer<'_>>(body).ok().and_then(|answer| answer.error);
    let text = String::from_utf8_lossy(body);
    let own = match own {
        Some(error) => quoted(&error),
        None if is_web_page(body) || body.trim_ascii().is_empty() => String::new(),
        None => quoted(&text),
    };
    let own = if own.is_empty() { String::new() } else { format!(": {own}") };
    match status {
        300..=399 => {
            let location = location.map(|location| format!(", {location}")).unwrap_or_default();
            format!("sends to another address{location}; give that one")
        }
        400 | 422 => format!("cannot run the query ({status}){own}"),
        401 | 403 => format!(
            "refuses access ({status}){own}. Give --bearer-token-file FILE, or --header 'Authorization: …'"
        ),
        404 | 405 => format!(
            "has no API of Prometheus there ({status}){own}. Give the address in front of /api/v1/query_range"
        ),
        413 | 414 => format!("finds the request too long ({status}){own}. Make --selector shorter"),
        429 => {
            let after =
                retry_after.map(|after| format!("; it asks to wait for {after} s")).unwrap_or_default();
            format!("has no room for more requests (429){after}{own}")
        }
        500..=599 => format!("is not available ({status}){own}"),
        _ => format!("answers with the status {status}{own}"),
    }
}

/// Whether it may go better a little later.
pub(crate) fn is_passing(status: u16) -> bool {
    matches!(status, 429 | 502 | 503 | 504)
}

/// Whether a refusal says that less is to be asked for at once.
pub(crate) fn is_too_much(status: u16, body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(body);
    let has = |words: &str| text.contains(words);
    matches!(status, 400 | 413 | 422 | 500 | 503)
        && (has("exceeded maximum resolution")
            || has("too many samples")
            || has("exceeds max")
            || has("exceeded the limit")
            || has("limit exceeded")
            || has("maxSamplesPerQuery")
            || has("maxPointsPerTimeseries")
            || has("query timed out"))
}

/// A server's own words, on one line and not too long.
fn quoted(words: &str) -> String {
    let words: Vec<&str> = words.split_whitespace().collect();
    let words = words.join(" ");
    match words.char_indices().nth(WORDS_CHARS_MAX) {
        Some((at, _)) => format!("{}…", words.get(..at).unwrap_or_default()),
        None => words,
    }
}

#[cfg(test)]
mod tests {
    use super::{Metric, Point, push, read, refusal, times};
    use crate::windows::{Samples, Span};

    fn matrix(result: &str) -> String {
        format!(r#"{{"status":"success","data":{{"resultType":"matrix","result":[{result}]}}}}"#)
    }

    #[test]
    fn answers_are_read() {
        let body = matrix(
            r#"{"metric":{"__name__":"a","b":"c\"d"},"values":[[1435781430.781,"1"],[1435781445,"+Inf"],[1,"NaN"]]},{"metric":{},"values":[]}"#,
        );
        let answer = read(body.as_bytes()).unwrap();
        let Metric(labels) = &answer[0].metric;
        assert_eq!(
            labels.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>(),
            ["__name__=a", "b=c\"d"]
        );
        assert_eq!(
            answer[0].values[..2],
            [Point(1_435_781_430_781, 1.0), Point(1_435_781_445_000, f64::INFINITY)]
        );
        assert_eq!(times(&answer).len(), 3);
        // The order of fields says nothing, and more of them do no harm.
        let odd = r#"{"infos":["x"],"data":{"result":[{"values":[[1,"2"]],"metric":{"a":"b"},"extra":[1]}],"resultType":"matrix","stats":{}},"isPartial":false,"status":"success"}"#;
        assert_eq!(read(odd.as_bytes()).unwrap()[0].values, [Point(1_000, 2.0)]);
        assert!(read(matrix("").as_bytes()).unwrap().is_empty());
        // A native histogram has no values.
        let native = matrix(
            r#"{"metric":{"__name__":"a"},"histograms":[[1,{"count":"3","sum":"5","buckets":[[0,"1","2","3"]]}]]}"#,
        );
        let answer = read(native.as_bytes()).unwrap();
        assert!(answer[0].values.is_empty());
        assert_eq!(super::names(&answer).collect::<Vec<_>>(), ["a"]);
    }

    #[test]
    fn what_is_no_answer_is_named() {
        let warned = matrix("").replace(r#""data""#, r#""warnings":["store 10.0.0.1 is gone"],"data""#);
        for (body, words) in [
            ("", "answers with nothing"),
            (" \n", "answers with nothing"),
            ("<html><body>502 Bad Gateway", "answers with a web page (HTML)"),
            ("up 1\n", "does not answer as Prometheus does"),
            ("[]", "does not answer as Prometheus does"),
            (r#"{"status":"success"}"#, "does not answer as Prometheus does: it has no result"),
            (
                r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#,
                "does not answer as Prometheus does: it has no result",
            ),
            (
                r#"{"status":"error","errorType":"bad_data","error":"parse error"}"#,
                "cannot run the query: parse error",
            ),
            (&matrix(r#"{"metric":{},"values":[["x"]]}"#), "does not answer as Prometheus does"),
            (&matrix(r#"{"metric":{},"values":[[1,"2"]"#), "does not answer as Prometheus does"),
            (
                &matrix("").replace(r#""status""#, r#""isPartial":true,"status""#),
                "answers with a part of the data only",
            ),
            (&warned, "answers with a part of the data only, which is not judged: store 10.0.0.1 is gone"),
        ] {
            let found = read(body.as_bytes()).map(|answer| answer.len());
            assert!(found.as_ref().is_err_and(|found| found.starts_with(words)), "{body}: {found:?}");
        }
    }

    #[test]
    fn statuses_have_words() {
        let error = br#"{"status":"error","errorType":"execution","error":"query processing would load too many samples"}"#;
        for (status, body, words) in [
            (401, &b""[..], "refuses access (401). Give --bearer-token-file"),
            (403, b"<html>", "refuses access (403). Give"),
            (404, b"404 page not found\n", "has no API of Prometheus there (404): 404 page not found. Give"),
            (422, error, "cannot run the query (422): query processing would load too many samples"),
            (429, b"", "has no room for more requests (429); it asks to wait for 7 s"),
            (503, b"<html>no healthy upstream", "is not available (503)"),
            (503, b"no healthy upstream", "is not available (503): no healthy upstream"),
            (302, b"", "sends to another address, https://login; give that one"),
            (418, b"", "answers with the status 418"),
        ] {
            let found = refusal(status, Some("7"), Some("https://login"), body);
            assert!(found.starts_with(words), "{status}: {found}");
        }
        assert!(super::is_too_much(422, error) && !super::is_too_much(422, b"parse error"));
        assert!(refusal(500, None, None, "x ".repeat(4_000).as_bytes()).len() < 500);
    }

    #[test]
    fn points_become_samples() {
        let labels = r#""__name__":"llm_requests_total","llm_rollout":"chat","llm_version":"v2","llm_compare":"yes","instance":"a""#;
        let body = matrix(&format!(
            r#"{{"metric":{{{labels}}},"values":[[60,"1"],[120,"4"]]}},{{"metric":{{"__name__":"up"}},"values":[[60,"1"]]}}"#
        ));
        let mut samples = Samples::new(Span::Aligned(60_000));
        push(&read(body.as_bytes()).unwrap(), &mut samples).unwrap();
        assert_eq!(samples.seen()[0].versions[0].requests, 3);
        assert_eq!(samples.newest_ms(), Some(120_000));
    }
}
