//! The options, and the same evidence by each of them.

use super::{SourceArgs, parse_header};
use clap::Parser;

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    source: SourceArgs,
}

fn parse(words: &str) -> Result<SourceArgs, String> {
    let command =
        Command::try_parse_from(["x"].into_iter().chain(words.split(' ').filter(|word| !word.is_empty())));
    command.map(|command| command.source).map_err(|error| error.to_string())
}

#[test]
fn exactly_one_source() {
    for fine in [
        "--admin http://a:1 --admin b:2 --every 1s",
        "--prometheus http://a --window 5s --selector x=\"y\" --header a:b --header c:d --bearer-token-file t --ca c",
        "--from f --window 1m",
        "--from -",
    ] {
        assert!(parse(fine).is_ok(), "{fine}: {:?}", parse(fine).err());
    }
    for wrong in [
        "",
        "--every 1s",
        "--admin a --from f",
        "--prometheus http://a --from f",
        "--admin a --prometheus http://a",
        "--admin a --window 5s",
        "--from f --every 1s",
        "--from f --header a:b",
        "--admin a --selector x",
        "--admin a --every 0s",
        "--from f --window 2d",
        "--prometheus http://a --header ab",
    ] {
        assert!(parse(wrong).is_err(), "{wrong}");
    }
    assert!(parse("--admin a").is_ok_and(|args| args.is_polled() && args.every.as_secs() == 5));
    assert!(parse("--from f").is_ok_and(|args| !args.is_polled() && args.window.as_secs() == 60));
}

#[test]
fn headers() {
    assert_eq!(parse_header("X-Scope-OrgID:  a: b "), Ok(("X-Scope-OrgID".into(), "a: b".into())));
    for wrong in ["", "a", ": b", "a b: c", "a: b\r\nc: d", "ä: b"] {
        assert!(parse_header(wrong).is_err_and(|words| words.contains("write 'NAME: VALUE'")), "{wrong}");
    }
}
