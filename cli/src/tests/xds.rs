//! What `xds`, and `--xds` of other commands, refuse. `tests/e2e/test_discovery.py` runs them with real Envoys.

use super::change::CHAT;
use super::world::FakeWorld;

const ECDS: &str = include_str!("../../../envoy/ecds/llm-canary.yaml");

fn world() -> FakeWorld {
    FakeWorld::new("2026-11-23T09:00:00Z", &[("chat.json", CHAT), ("ecds.yaml", ECDS)])
}

#[test]
fn what_will_hardly_become_a_file_is_refused() {
    let world = world();
    world.refused(&["xds", "nowhere.yaml"], "nowhere.yaml: does not exist");
    world.refused(&["xds", "ecds.yaml", "-"], "-: is standard input, which does not change");
    world.refused(&["xds"], "required");
    world.refused(&["xds", "ecds.yaml", "--listen", "9902"], "is no address with a port");
}

#[test]
fn what_cannot_be_waited_for_is_refused_before_it_is_changed() {
    let world = world();
    for command in ["stop", "drain"] {
        let arguments = [command, "chat.json", "v2", "--xds", "http://a:9902"];
        world.refused(
            &arguments,
            "chat.json is not in a resource of Envoy's discovery, so xds does not serve it",
        );
        world.refused(&[command, "ecds.yaml", "v2", "--xds", "https://a"], "this is no address");
    }
    assert_eq!((world.read("chat.json").as_str(), world.read("ecds.yaml").as_str()), (CHAT, ECDS));
    let live = ["stop", "configmap/x", "v2", "--kubectl", "--xds", "http://a:9902"];
    world.refused(&live, "cannot be used with");
}

#[test]
fn status_shows_one_thing_at_a_time() {
    let world = world();
    world.refused(&["status", "--xds", "http://a:9902", "--admin", "http://a:9901"], "cannot be used with");
    world.refused(&["status", "--xds", "http://a:9902", "--policy", "p.yaml"], "cannot be used with");
    world.refused(&["status", "--xds", "a b"], "--xds a b: this is no address");
    world.refused(&["status", "ecds.yaml"], "--xds <URL>");
}
