//! Lines as exporters, promtool and people write them.

use super::labels::{series, series_length};
use super::{Lines, TextError, read_file, read_page};
use crate::windows::{Comparison, Samples, Span, windows_of};
use llm_canary_verdict::window::Window;
use proptest::prelude::*;
use std::io::BufReader;

const LABELS: &str = "llm_rollout=\"chat\",llm_version=\"v2\",llm_compare=\"yes\"";

fn samples() -> Samples {
    Samples::new(Span::Polls)
}

/// The value and the time of a line, or what is wrong with it; `None` for one that is not read.
fn read(line: &str) -> Result<Option<(f64, Option<u64>)>, String> {
    let sample = Lines::default().read(line.as_bytes(), None, &mut samples())?;
    Ok(sample.map(|sample| (sample.value, sample.at_ms)))
}

#[test]
fn values_and_times() {
    for (numbers, value, at_ms) in [
        (" 5 60", 5.0, Some(60_000)),
        (" 5", 5.0, None),
        ("\t5  60.5 ", 5.0, Some(60_500)),
        (" 5 1769990400.001\r", 5.0, Some(1_769_990_400_001)),
        (" 5 1769990400000", 5.0, Some(1_769_990_400_000)),
        (" 5 1.7699904e9", 5.0, Some(1_769_990_400_000)),
        (" +Inf 60", f64::INFINITY, Some(60_000)),
        (" 1e3 0", 1_000.0, Some(0)),
        (" 18446744073709551615 1", 18_446_744_073_709_551_615.0, Some(1_000)),
        (" 81.95 1 # {trace_id=\"a b\"} 0.5 1.2", 81.95, Some(1_000)),
        (" 81.95 # {trace_id=\"a b\"} 0.5 1.2", 81.95, None),
    ] {
        let line = format!("llm_retries_total{{{LABELS}}}{numbers}");
        assert_eq!(read(&line), Ok(Some((value, at_ms))), "{line}");
    }
    assert!(read(&format!("llm_retries_total{{{LABELS}}} NaN 5")).unwrap().unwrap().0.is_nan());
    for (numbers, words) in [
        ("", "has no value"),
        (" ", "has no value"),
        (" five 5", "has a value that is no number: five"),
        (" 5 now", "has a time that is no number of seconds since 1970: now"),
        (" 5 -1", "has a time that is no number"),
        (" 5 NaN", "has a time that is no number"),
        (" 5 6 7", "has more than a value and a time: 7"),
    ] {
        let line = format!("llm_retries_total{{{LABELS}}}{numbers}");
        assert!(read(&line).is_err_and(|found| found.starts_with(words)), "{line}: {:?}", read(&line));
    }
}

#[test]
fn what_is_not_read() {
    for line in [
        "",
        "   ",
        "# EOF",
        "# TYPE llm_retries_total counter",
        "up{instance=\"a\"} 1 5",
        "up 1",
        "envoy_cluster_name{odd=} x y",
        "llm_retries_total 5 6",
        "llm_retries_total{llm_rollout=\"chat\"} 5 6",
        "llm_canary_verdict{llm_rollout=\"chat\"} 5 6",
    ] {
        assert_eq!(read(line), Ok(None), "{line}");
    }
}

#[test]
fn names_and_labels() {
    let parse = |text: &str| {
        let (name, labels) = series(text.as_bytes())?;
        let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        Ok::<_, String>(format!("{name}: {}", labels.join(" ")))
    };
    for (text, found) in [
        ("a", "a: "),
        ("a{}", "a: "),
        ("a {b=\"c\"}", "a: b=c"),
        ("a{b=\"c\",}", "a: b=c"),
        ("a{ b = \"c\" , d=\"\" }", "a: b=c d="),
        (r#"a{b="x\"y\\z\n}, "}"#, "a: b=x\"y\\z\n}, "),
        (r#"{"a.b",b="c"}"#, "a.b: b=c"),
        (r#"{"a","b.c"="d"}"#, "a: b.c=d"),
        (r#"{__name__="a",b="c"}"#, "a: __name__=a b=c"),
        ("a{b=\"größe\"}", "a: b=größe"),
    ] {
        assert_eq!(parse(text).as_deref(), Ok(found), "{text}");
    }
    for (text, words) in [
        ("a{b=c}", "has no quotes around the value of the label b"),
        ("a{b}", "has labels that are not"),
        ("a{b=\"c\" d=\"e\"}", "has labels without a comma"),
        ("{b=\"c\"}", "has no name"),
        ("a{b=\"c}", "breaks off"),
    ] {
        assert!(parse(text).is_err_and(|found| found.starts_with(words)), "{text}: {:?}", parse(text));
    }
    assert!(series(b"a{b=\"\xff\"}").is_err());
}

#[test]
fn files() {
    let line = |value: &str| format!("llm_retries_total{{{LABELS}}} {value}\n");
    let file = |text: &[u8]| match read_file(&mut &*text, &mut samples()) {
        Ok(is_cut) => Ok(is_cut),
        Err(TextError::Line(number, words)) => Err(format!("line {number} {words}")),
        Err(TextError::Io(error)) => Err(error.to_string()),
    };
    let fine = line("1 5") + &line("2 6");
    for text in
        [fine.clone(), format!("\u{feff}{fine}# EOF"), fine.replace('\n', "\r\n"), fine.trim_end().to_owned()]
    {
        assert_eq!(file(text.as_bytes()), Ok(false), "{text}");
    }
    // Its end is still being written.
    for end in [
        "llm_retr",
        "llm_retries_total{llm_rollout=\"c",
        &line("3 7")[..73],
        line("3 1").trim_end(),
        "llm_retries_total 7",
    ] {
        let is_sample = end.contains('}');
        let cut = file((fine.clone() + end).as_bytes());
        assert!(cut == Ok(true) || !is_sample && cut == Ok(false), "{end}: {cut:?}");
    }
    for (text, words) in [
        (line("1 5") + &line("2"), "line 2 has no time behind its value"),
        (line("1 5") + &line("2 4"), "line 2 is older than an earlier line of its series"),
        (
            line("1 5") + &line("2 5"),
            "line 2 has another value than an earlier line of its series at this time",
        ),
        ("<html>\n".to_owned(), "line 1 is of a web page"),
        ("\u{1f}\u{fffd}".to_owned(), ""),
        ("llm_x_total{a=\"".to_owned() + &"x".repeat(70_000), "line 1 is longer than 64 KiB"),
    ] {
        assert!(
            words.is_empty() || file(text.as_bytes()).is_err_and(|found| found.starts_with(words)),
            "{words}: {:?}",
            file(text.as_bytes())
        );
    }
    assert!(file(b"\x1f\x8b\x08").is_err_and(|words| words.contains("gunzip -c")));
    assert_eq!(file((line("1 5") + &line("1 5")).as_bytes()), Ok(false), "the same line twice");
}

#[test]
fn pages() {
    let page = |text: &str| read_page(text.as_bytes(), &mut Lines::default(), "a", 5, &mut samples());
    let line = format!("llm_retries_total{{{LABELS}}} 5");
    assert_eq!(page(""), Ok(()));
    assert_eq!(page(&format!("# TYPE x counter\n{line}\n")), Ok(()));
    for (text, words) in [
        (line.as_str(), "ends in the middle of a line"),
        ("<!DOCTYPE html>\n", "is a web page (HTML)"),
        ("{\"error\": 1}\n", ""),
        ("not metrics llm_\n", ""),
        (&format!("{line}x\n"), "is not Envoy's metrics: its line 1 has a value that is no number"),
    ] {
        assert!(
            words.is_empty() || page(text).is_err_and(|found| found.starts_with(words)),
            "{text}: {:?}",
            page(text)
        );
    }
}

/// What becomes of a file: what reading it returns, and the windows.
type Found = (Result<bool, String>, Vec<Window>);

fn found(read: Result<bool, TextError>, mut samples: Samples) -> Found {
    let read = read.map_err(|error| match error {
        TextError::Line(number, words) => format!("line {number} {words}"),
        TextError::Io(error) => error.to_string(),
    });
    let of = |version: &str| Comparison {
        rollout: "chat".to_owned(),
        version: version.to_owned(),
        baseline: "v1".to_owned(),
    };
    (read, windows_of(&mut samples, &of("v2")))
}

/// Reads a file that comes in blocks of so many bytes.
fn by_blocks(text: &[u8], bytes: usize) -> Found {
    let mut samples = Samples::new(Span::Aligned(2_000));
    let read = read_file(&mut BufReader::with_capacity(bytes, text), &mut samples);
    found(read, samples)
}

/// The oracle: cuts the text into lines first, and knows nothing of earlier lines.
fn by_lines(text: &[u8]) -> Found {
    let mut samples = Samples::new(Span::Aligned(2_000));
    let read = (|| {
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        for (line, number) in text.split_inclusive(|byte| *byte == b'\n').zip(1..) {
            let read = (|| {
                if number == 1 && line.trim_ascii_start().starts_with(b"<") {
                    return Err("is of a web page (HTML), not of metrics".to_owned());
                }
                let Some(sample) = Lines::default().read(line, None, &mut samples)? else { return Ok(()) };
                let at_ms = sample.at_ms.ok_or("has no time behind its value")?;
                samples.push(sample.series, at_ms, sample.value).map_err(|disorder| format!("{disorder:?}"))
            })();
            match read {
                Err(_) if !line.ends_with(b"\n") && number > 1 => return Ok(true),
                read => read.map_err(|words: String| TextError::Line(number, words))?,
            }
        }
        Ok(false)
    })();
    found(read, samples)
}

/// Lines of a few series at a few times, as they should be, and with mistakes.
fn file_text() -> impl Strategy<Value = String> {
    let series = prop::sample::select(vec![
        format!("llm_requests_total{{{LABELS},llm_outcome=\"complete\"}}"),
        format!("llm_requests_total{{{LABELS},llm_outcome=\"http_error\"}}"),
        format!("llm_requests_total{{{LABELS}}}").replace("v2", "v1"),
        format!("llm_requests_total {{ {LABELS} }}")
            .replace("v2", "v1")
            .replace("chat\",", "chat\",a=\"\\\"}\","),
        "llm_requests_total".to_owned(),
        "up".to_owned(),
        "# HELP llm_".to_owned(),
    ]);
    let blank = prop::sample::select(vec![" ", " ", " ", " ", "\t ", ""]);
    let value = prop_oneof![6 => "[0-9]{1,4}", 1 => "[0-9]\\.[0-9]{1,2}e\\+0[0-9]", 1 => "NaN|-1|x"];
    let line = (
        series,
        blank.clone(),
        value,
        blank,
        0_u64..3,
        prop::sample::select(vec!["", "", ".417", "e0", " 7"]),
    );
    let end = prop::sample::select(vec!["\n", "\n", "\n", "\n", "\r\n", ""]);
    let lines = prop::collection::vec((line, end), 0..30);
    (prop::sample::select(vec!["", "", "", "\u{feff}", "<"]), lines).prop_map(|(start, lines)| {
        let mut at = 0;
        let lines = lines.into_iter().map(|((series, blank, value, other, later, fraction), end)| {
            at += later;
            format!("{series}{blank}{value}{other}{at}{fraction}{end}")
        });
        start.to_owned() + &lines.collect::<String>()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_file_is_read_as_its_lines_are(text in file_text(), bytes in 1_usize..300) {
        let (read, windows) = by_blocks(text.as_bytes(), bytes);
        let (expect, lines_windows) = by_lines(text.as_bytes());
        match (&read, &expect) {
            (Err(found), Err(expect)) => {
                let number = |words: &str| words.split(' ').nth(1).map(str::to_owned);
                prop_assert_eq!(number(found), number(expect), "{}: {}", found, expect);
            }
            _ => prop_assert_eq!(&read, &expect),
        }
        prop_assert_eq!(windows, lines_windows);
    }
}

proptest! {
    #[test]
    fn no_bytes_do_harm(bytes in prop::collection::vec(prop_oneof![any::<u8>(), prop::sample::select(b"llm_retries_total{=\"\\,} 5\n#".to_vec())], 0..200)) {
        let _ = read_file(&mut &bytes[..], &mut samples());
        let _ = read_page(&bytes, &mut Lines::default(), "a", 5, &mut samples());
    }

    #[test]
    fn labels_come_back(value in "\\PC*") {
        let escaped = value.replace('\\', "\\\\").replace('"', "\\\"");
        let text = format!("a{{b=\"{escaped}\",c=\"d\"}}");
        let (_, labels) = series(text.as_bytes()).unwrap();
        prop_assert_eq!(labels[0].1.as_ref(), value.as_str());
        prop_assert_eq!(labels.len(), 2);
        // The end of the labels is found as well.
        prop_assert_eq!(series_length(format!("{text} 5").as_bytes()), Ok(text.len()));
    }
}
