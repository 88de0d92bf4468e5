use super::super::judged::Judged;
use super::{Args, show};
use crate::table::Canvas;
use crate::tests::feed::FakeFeed;
use crate::tests::traffic::Traffic;
use crate::tests::world::{FakeWorld, Ran, json};
use clap::Parser;

#[derive(Parser)]
struct Status {
    #[command(flatten)]
    args: Args,
}

/// The source of the tests is another one, but one must be given.
const SOURCE: &[&str] = &["--from", "none"];

fn terminal() -> Canvas {
    Canvas { width: Some(100), has_colour: false, is_terminal: true }
}

/// A run of `status` with five windows, one at a time.
fn run(arguments: &[&str], canvas: fn() -> Canvas) -> Ran {
    let args = Status::try_parse_from([&["status"][..], SOURCE, arguments].concat()).unwrap().args;
    let world = FakeWorld::new("2026-11-23T12:00:00Z", &[]);
    let mut feed = FakeFeed::new(&[("v1", Traffic::new(900)), ("v2", Traffic::new(100))], 5, 1);
    world.run_on(canvas, |world| {
        let policy = args.subject.policy(world).unwrap();
        let judged = Judged::choose(&args.subject, None, &policy, None, &feed, world).unwrap();
        show(&args, &policy, judged, &mut feed, world).unwrap();
        0
    })
}

#[test]
fn a_terminal_sees_each_window() {
    let ran = run(&["--baseline", "v1"], terminal);
    assert_eq!(ran.out.matches("\x1b[H").count(), 4, "{ran:?}");
    assert_eq!(ran.out.matches("\x1b[2J").count(), 1, "{ran:?}");
    assert!(
        ran.out.contains("4,500") && ran.out.contains("3,600"),
        "the last window is printed, too: {ran:?}"
    );
}

#[test]
fn it_is_printed_once_where_nobody_watches() {
    for (arguments, canvas) in [
        (&["--baseline", "v1"][..], Canvas::default as fn() -> Canvas),
        (&["--baseline", "v1", "--once"], terminal),
    ] {
        let ran = run(arguments, canvas);
        assert!(!ran.out.contains('\x1b') && ran.out.matches("baseline").count() == 1, "{ran:?}");
        assert!(ran.out.contains("  900  "), "after the first window: {ran:?}");
    }
    let ran = run(&["--baseline", "v1", "--json"], terminal);
    assert_eq!(json(&ran.out)["versions"][1]["requests"], 100);
}
