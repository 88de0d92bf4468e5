//! Envoys that refuse, answers that are lost, servers that are started again: what is shown is what the Envoys run.

use super::tests::{WASM, poll, post, version_of};
use super::{Envoys, Files, Fleet, Offer};
use proptest::prelude::*;
use serde_json::Value;
use std::time::Duration;

const ENVOYS: usize = 3;

/// What Envoy does with an answer, as its source and the tests in real Envoys show it.
#[derive(Clone, Default)]
struct Envoy {
    /// What it runs, and what it says that it took.
    runs: String,
    says: String,
    /// The resource that it was given last, taken or not: the same one again counts as taken.
    last: String,
    refuses: bool,
}

#[derive(Clone, Debug)]
enum Happens {
    Asks(usize),
    /// It asks, and the answer is lost.
    Loses(usize),
    /// It refuses from now on, or takes what it is given.
    Turns(usize, bool),
    /// The file has this share.
    Changes(u32),
    /// The server is started again.
    Restarts,
}

impl Envoy {
    fn takes(&mut self, reply: &crate::serving::Reply) {
        if reply.status == 304 {
            return;
        }
        let value: Value = serde_json::from_str(&reply.body).unwrap();
        let version = value["version_info"].as_str().unwrap().to_owned();
        let resource = value["resources"][0].to_string();
        if resource == self.last {
            self.says = version;
            return;
        }
        self.last = resource;
        if !self.refuses {
            (self.runs, self.says) = (version.clone(), version);
        }
    }
}

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![
        8 => (0..ENVOYS).prop_map(Happens::Asks),
        2 => (0..ENVOYS).prop_map(Happens::Loses),
        2 => (0..ENVOYS, any::<bool>()).prop_map(|(envoy, refuses)| Happens::Turns(envoy, refuses)),
        3 => (0..3_u32).prop_map(Happens::Changes),
        1 => Just(Happens::Restarts),
    ]
}

fn offer(share: u32) -> Offer {
    let mut files = Files::new(["a.yaml".to_owned()].into_iter());
    files.look(0, Ok(WASM.replace(r#""v2": 10"#, &format!(r#""v2": {share}"#)).into_bytes()));
    files.offer()
}

/// How each Envoy stands, by its number.
fn states(envoys: &mut Envoys, offer: &Offer, now: Duration) -> Vec<(usize, String)> {
    let fleet = Fleet::new(offer, envoys, now);
    fleet.envoys.iter().map(|envoy| (envoy.id.parse().unwrap(), envoy.state.clone())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn who_is_shown_as_current_runs_it(story in prop::collection::vec(happens(), 1..60)) {
        let offers: Vec<Offer> = (0..3).map(offer).collect();
        let mut world = vec![Envoy::default(); ENVOYS];
        let (mut share, mut table, mut starts, mut now) = (0, Envoys::new(0), 0_u16, Duration::ZERO);
        for one in story {
            now += Duration::from_millis(300);
            let served = &offers[share];
            match one {
                Happens::Asks(envoy) => {
                    let reply = poll(&mut table, served, &envoy.to_string(), &world[envoy].says, now);
                    world[envoy].takes(&reply);
                }
                Happens::Loses(envoy) => {
                    poll(&mut table, served, &envoy.to_string(), &world[envoy].says, now);
                }
                Happens::Turns(envoy, refuses) => world[envoy].refuses = refuses,
                Happens::Changes(next) => share = next as usize,
                Happens::Restarts => {
                    starts += 1;
                    table = Envoys::new(starts * 1_000);
                }
            }
            for (envoy, state) in states(&mut table, &offers[share], now) {
                prop_assert!(state != "current" || world[envoy].runs == version_of(&offers[share]));
            }
        }
        // Three answers that come, and everybody is shown as they are.
        for _ in 0..4 {
            now += Duration::from_millis(700);
            for (envoy, one) in world.iter_mut().enumerate() {
                let reply = poll(&mut table, &offers[share], &envoy.to_string(), &one.says, now);
                one.takes(&reply);
            }
        }
        let served = version_of(&offers[share]);
        for (envoy, state) in states(&mut table, &offers[share], now) {
            let expected = if world[envoy].runs == served { "current" } else { "refused" };
            prop_assert_eq!(state, expected);
            prop_assert!(world[envoy].runs == served || world[envoy].refuses);
        }
    }
}

/// Bytes of JSON and others, in any order.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(br#"{"node":{"id":"a","cluster":"#.to_vec()),
        Just(br#""user_agent_build_version":{"version":{"major_number":"#.to_vec()),
        Just(br#"},"resource_names":["llm-canary"],"version_info":"#.to_vec()),
        Just(br#""\u0000\ud800","#.to_vec()),
        Just(b"}}".to_vec()),
        prop::collection::vec(any::<u8>(), 0..8),
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn whatever_an_envoy_sends_has_an_answer(body in bytes(), served in any::<bool>()) {
        let offer = if served { offer(1) } else { Offer::default() };
        let mut envoys = Envoys::default();
        let reply = post(&mut envoys, &offer, &body, Duration::ZERO);
        prop_assert!(matches!(reply.status, 200 | 400 | 404), "{}", reply.status);
        prop_assert!(reply.status == 400 || Fleet::new(&offer, &mut envoys, Duration::ZERO).envoys.len() == 1);
    }
}
