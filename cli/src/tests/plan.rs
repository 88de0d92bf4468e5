//! The command `plan`.

use super::world::{FakeWorld, json};

pub(super) const PLAN: [&str; 11] =
    ["plan", "--rate", "20/s", "--share", "50", "--signal", "refusals", "--base", "1%", "--detect", "1.5"];

fn world() -> FakeWorld {
    FakeWorld::new("2026-11-23T09:00:00Z", &[("p.yaml", "alpha: 0.001"), ("bad.yaml", "alpha: 7\nbeta: 7")])
}

/// A run with one argument in another's place.
fn with(place: usize, argument: &'static str) -> Vec<&'static str> {
    let mut arguments = PLAN.to_vec();
    arguments[place] = argument;
    arguments
}

#[test]
fn a_plan() {
    insta::assert_snapshot!("plan", world().fine(&PLAN).out);
    let requests = |arguments: &[&str]| {
        let ran = world().fine(&[arguments, &["--json"]].concat());
        json(&ran.out)["median"]["requests"].as_u64().unwrap()
    };
    let usual = requests(&PLAN);
    assert!(requests(&[&PLAN[..], &["--policy", "p.yaml"]].concat()) > usual);
    assert!(requests(&[&PLAN[..], &["--design-effect", "3"]].concat()) > usual);
    assert!(requests(&with(6, "defect:empty")) == usual, "rates are alike");
    assert!(requests(&[&PLAN[..], &["--release"]].concat()) > usual);
}

#[test]
fn each_wrong_argument_is_refused_in_words() {
    let world = world();
    for (arguments, words) in [
        (with(2, "20"), "\"20\" is not a rate; write a number of requests and a unit, such as 20/s"),
        (with(2, "-1/s"), "\"-1/s\" is not a rate"),
        (with(4, "100"), "\"100\" leaves nothing to compare with"),
        (with(4, "-5"), "\"-5\" is negative"),
        (with(6, "refusal"), "there is no such signal; did you mean refusals?"),
        (with(6, "defect:x"), "there is no such signal; "),
        (with(6, "response_chars"), "this is a distribution, and a plan can be made for rates only"),
        (with(8, "0"), "\"0\" leaves nothing to compare; write a percentage above 0"),
        (with(8, "80%"), "--detect 1.5: so many times --base is more than 100 %; write at most 1.2"),
        (with(10, "1"), "\"1\" is no difference; write a ratio other than 1"),
        (with(10, "-2"), "\"-2\" is not a ratio"),
        (with(10, "1.001"), "this takes more than a year: refusals at 1.001 times 1 %"),
        ([&PLAN[..], &["--design-effect", "0"]].concat(), "\"0\" is not a design effect"),
        ([&PLAN[..], &["--policy", "nowhere"]].concat(), "nowhere: does not exist"),
        ([&PLAN[..], &["--policy", "bad.yaml"]].concat(), "bad.yaml: beta: is 7; write a chance above 0"),
        (PLAN[..9].to_vec(), "--detect <RATIO>"),
    ] {
        world.refused(&arguments, words);
    }
}
