"""The bootstrap and the watched file, started as their comments say, on the oldest and the newest supported Envoy."""

import json
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
import yaml

from tests.envoy.checkout import Checkout
from tests.envoy.model_server import ModelServer, ask

ECDS = "envoy/ecds/llm-canary.yaml"
# The token of v2 of the rollout chat, the same everywhere.
PIN_V2 = "99a9f206"


def versions_of(port: int, conversations: int, **headers: str) -> list[str]:
    """Versions that answered, one request for each conversation."""
    answers = [ask(port, {"x-conversation-id": f"c{at}"} | headers) for at in range(conversations)]
    assert {status for status, _, _ in answers} == {200}
    return [headers["x-llm-version"] for _, headers, _ in answers]


def test_envoy_accepts_the_bootstrap_as_it_is(envoy: Path, repository: Path) -> None:
    said = subprocess.run(
        [envoy, "--mode", "validate", "-c", "envoy/envoy.yaml"], cwd=repository, capture_output=True, text=True
    )
    assert said.returncode == 0, said.stderr[-2000:]
    complaints = [line for line in said.stderr.splitlines() if "][warning]" in line or "][error]" in line]
    assert complaints == [], "deprecated or doubtful settings"


def test_it_starts_from_the_repository_root_and_routes_by_version(
    envoy: Path, checkout: Checkout, servers: dict[str, ModelServer]
) -> None:
    for server in servers.values():
        server.received.clear()
    checkout.start(envoy)
    versions = versions_of(checkout.port, 60)
    assert set(versions) == {"v1", "v2"} and versions.count("v1") > versions.count("v2")
    for version, server in servers.items():
        assert len(server.received) == versions.count(version)
        for _, headers in server.received:
            assert headers["x-llm-version"] == version, "the model server is told its version"
            assert "x-llm-cluster" not in headers, "but not the name of Envoy's cluster"


def test_the_access_log_says_version_and_reason_and_no_query(envoy: Path, checkout: Checkout) -> None:
    checkout.start(envoy)
    ask(checkout.port, {"x-conversation-id": "c1", "x-llm-cohort": "staff"}, path="/v1/chat/completions?user=alice")
    ask(checkout.port, path="/health")
    lines = checkout.wait_until(
        lambda: (lines := (checkout.folder / "access.log").read_text().splitlines())[1:] and lines, "two lines"
    )
    routed, other = map(json.loads, lines)
    shown = {name: routed[name] for name in ("llm_version", "llm_reason", "cluster", "path", "status")}
    assert shown == {
        "llm_version": "v2",
        "llm_reason": "override",
        "cluster": "llm-v2",
        "path": "/v1/chat/completions",
        "status": 200,
    }
    assert (other["llm_version"], other["llm_reason"], other["cluster"]) == (None, None, "llm-v1"), (
        "outside every rollout: fallback"
    )


def test_it_starts_as_func_e_starts_it(newest_envoy: Path, checkout: Checkout) -> None:
    """func-e runs Envoy in the current directory, in a process group of its own, with pipes for its output, no input,
    and one more argument; on Ctrl-C it sends SIGINT."""
    run_folder = checkout.folder / "func-e" / "runs" / "1"
    run_folder.mkdir(parents=True)
    address = run_folder / "admin-address.txt"
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "start_new_session": True}
    process = checkout.start(newest_envoy, "--admin-address-path", str(address), **pipes)
    assert address.read_text() == f"127.0.0.1:{checkout.admin_port}"
    assert set(versions_of(checkout.port, 60)) == {"v1", "v2"}
    process.send_signal(signal.SIGINT)
    access_log, _ = process.communicate(timeout=10)
    assert process.returncode == 0
    assert len(access_log.splitlines()) == 60


def test_a_renamed_file_is_taken_and_one_written_in_place_is_not(envoy: Path, checkout: Checkout) -> None:
    checkout.start(envoy)
    assert "v2" in versions_of(checkout.port, 60)
    checkout.replace(ECDS, '"stopped": false', '"stopped": true', at_once=False)
    time.sleep(1)
    assert checkout.discovery("update_attempt") == 1, "written in place: not even looked at"
    text = (checkout.folder / ECDS).read_text()
    checkout.write(ECDS, text)
    checkout.wait_until(lambda: checkout.discovery("update_success") == 2, "the renamed file to be taken")
    assert set(versions_of(checkout.port, 60)) == {"v1"}
    assert set(versions_of(checkout.port, 5, **{"x-llm-cohort": "staff"})) == {"v1"}, "stopped beats an override"
    stopped = checkout.scrape().by("llm_decisions_total", "llm_version", llm_reason="stopped")
    assert set(stopped) == {"v1"}, "what silences LlmVersionNoTraffic"


def test_a_kubernetes_config_map_is_taken(envoy: Path, checkout: Checkout) -> None:
    """Its files are links through ..data, which is a link itself and is replaced by a rename."""
    folder = checkout.folder / "envoy/ecds"
    text = (checkout.folder / ECDS).read_text()
    for name, content in ("..first", text), ("..second", text.replace('"stopped": false', '"stopped": true')):
        (folder / name).mkdir()
        (folder / name / "llm-canary.yaml").write_text(content)
    (folder / "..data").symlink_to("..first")
    (folder / "llm-canary.yaml").unlink()
    (folder / "llm-canary.yaml").symlink_to("..data/llm-canary.yaml")
    checkout.start(envoy)
    assert "v2" in versions_of(checkout.port, 60)
    (folder / "..data_tmp").symlink_to("..second")
    (folder / "..data_tmp").rename(folder / "..data")
    checkout.wait_until(lambda: checkout.discovery("update_success") == 2, "the swapped link to be followed")
    assert set(versions_of(checkout.port, 60)) == {"v1"}


@pytest.mark.parametrize("bad", ['"baseline": "v9"', '"baseline": "v1",, '], ids=["refused by the filter", "no JSON"])
def test_a_refused_update_changes_nothing_but_the_counter(newest_envoy: Path, checkout: Checkout, bad: str) -> None:
    checkout.start(newest_envoy)
    before = versions_of(checkout.port, 40)
    checkout.replace(ECDS, '"baseline": "v1"', bad)
    checkout.wait_until(lambda: checkout.discovery("config_fail") == 1, "the refusal to be counted")
    assert versions_of(checkout.port, 40) == before
    assert checkout.discovery("update_success") == 1
    assert "rejected" in (checkout.folder / "envoy.log").read_text()


def test_a_bad_file_at_start_answers_500_until_a_good_one_comes(newest_envoy: Path, checkout: Checkout) -> None:
    good = (checkout.folder / ECDS).read_text()
    checkout.write(ECDS, good.replace('"baseline": "v1"', '"baseline": "v9"'))
    checkout.start(newest_envoy)
    assert ask(checkout.port)[0] == 500
    assert (checkout.discovery("config_fail"), checkout.discovery("update_success")) == (1, 0), (
        "what LlmFilterNotConfigured looks at"
    )
    checkout.write(ECDS, good)
    checkout.wait_until(lambda: checkout.discovery("update_success") == 1, "the good file to be taken")
    assert ask(checkout.port)[0] == 200


@pytest.mark.parametrize("strip", [False, True])
def test_without_the_filter_the_fallback_route_serves(
    newest_envoy: Path, checkout: Checkout, servers: dict[str, ModelServer], strip: bool
) -> None:
    """It also shows why the option `strip` exists: without it, a client can name a cluster where the filter is
    bypassed.
    """
    if strip:
        checkout.switch_on("strip")
    path = checkout.folder / "envoy/envoy.yaml"
    bootstrap = yaml.safe_load(path.read_text())
    [chain] = bootstrap["static_resources"]["listeners"][0]["filter_chains"]
    filters = chain["filters"][0]["typed_config"]["http_filters"]
    filters[:] = [entry for entry in filters if entry["name"] != "llm-canary"]
    path.write_text(yaml.safe_dump(bootstrap))
    checkout.start(newest_envoy)
    for server in servers.values():
        server.received.clear()
    assert ask(checkout.port)[0] == 200
    assert ask(checkout.port, {"x-llm-cluster": "llm-v2", "x-llm-version": "v2"})[0] == 200
    assert len(servers["v1"].received) == (2 if strip else 1)
    assert len(servers["v2"].received) == (0 if strip else 1)
    if strip:
        assert not [headers for _, headers in servers["v1"].received if "x-llm-version" in headers]


@pytest.mark.parametrize("strip", [False, True])
def test_what_clients_choose_by_is_stripped(newest_envoy: Path, checkout: Checkout, strip: bool) -> None:
    if strip:
        checkout.switch_on("strip")
    pins = '"pin": { "header": "x-llm-pin" }, "started_at": { "header": "x-conversation-started-at" }, "keyless"'
    steps = (
        '{ "at": "2020-01-01T00:00:00Z", "percent": { "v2": 100 } }, { "at": "2026-01-01T00:00:00Z", "percent": {} }'
    )
    text = (checkout.folder / ECDS).read_text()
    text = re.sub(r'("steps": \[)[^\]]*\]', lambda match: f"{match[1]} {steps} ]", text.replace('"keyless"', pins))
    checkout.write(ECDS, text)
    checkout.start(newest_envoy)
    for choice in [
        {"x-llm-cohort": "staff"},
        {"x-llm-pin": PIN_V2},
        {"x-conversation-started-at": "2020-06-01T00:00:00Z"},
    ]:
        assert versions_of(checkout.port, 5, **choice) == ["v1" if strip else "v2"] * 5, choice


def test_the_admin_interface_is_not_open(repository: Path) -> None:
    bootstrap = yaml.safe_load((repository / "envoy/envoy.yaml").read_text())
    assert bootstrap["admin"]["address"]["socket_address"]["address"] == "127.0.0.1"


def unread(checkout: Checkout) -> float:
    seen = checkout.scrape()
    assert seen.series("llm_unread_total")
    return seen.sum("llm_unread_total", llm_unread="encoding")


@pytest.mark.parametrize("decompressor", [False, True])
def test_a_body_compressed_in_spite_of_everything(envoy: Path, checkout: Checkout, decompressor: bool) -> None:
    if decompressor:
        checkout.switch_on("decompressor")
    checkout.start(envoy)
    status, headers, body = ask(checkout.port, {"x-conversation-id": "c1", "accept-encoding": "gzip"}, say="gzip")
    assert status == 200
    if decompressor:
        assert (
            "content-encoding" not in headers and json.loads(body)["choices"][0]["message"]["content"] == "compressed"
        )
        assert unread(checkout) == 0
    else:
        assert headers["content-encoding"] == "gzip" and body.startswith(b"\x1f\x8b")
        checkout.wait_until(lambda: unread(checkout) == 1, "the body to be counted as unread")


def test_no_route_limits_the_whole_response_and_silence_may_last(repository: Path) -> None:
    bootstrap = yaml.safe_load((repository / "envoy/envoy.yaml").read_text())
    [chain] = bootstrap["static_resources"]["listeners"][0]["filter_chains"]
    manager = chain["filters"][0]["typed_config"]
    routes = manager["route_config"]["virtual_hosts"][0]["routes"]
    assert [route["route"]["timeout"] for route in routes] == ["0s", "0s"]
    assert float(manager["stream_idle_timeout"].removesuffix("s")) > 600, "longer than the SDKs' own 10 minutes"


def test_the_metrics_have_their_labels_and_envoys_own_keep_theirs(envoy: Path, checkout: Checkout) -> None:
    checkout.start(envoy)
    versions_of(checkout.port, 20)
    samples = checkout.scrape()
    of_no_version = {("llm_config_hash", frozenset({("llm_rollout", "chat")})), ("llm_body_waits", frozenset())}
    ours = samples.series()
    assert of_no_version <= ours
    for name, pairs in ours - of_no_version:
        labels = dict(pairs)
        assert name.replace("_", "").isalnum() and not re.search("___|_=_", f"{name} {labels}"), (name, labels)
        assert labels["llm_rollout"] == "chat" and labels["llm_compare"] in ("yes", "no"), (name, labels)
        assert not any("envoy" in word for word in (name, *labels)), "one of Envoy's tags took a piece of it"
    assert ("envoy_cluster_upstream_rq_total", frozenset({("envoy_cluster_name", "llm-v1")})) in samples


def test_the_files_name_only_each_others_clusters(repository: Path) -> None:
    bootstrap = yaml.safe_load((repository / "envoy/envoy.yaml").read_text())
    plugin = yaml.safe_load((repository / ECDS).read_text())["resources"][0]["typed_config"]["config"]
    rollouts = json.loads(plugin["configuration"]["value"])["rollouts"]
    used = {version["cluster"] for rollout in rollouts for version in rollout["versions"]}
    assert used == {cluster["name"] for cluster in bootstrap["static_resources"]["clusters"]}
