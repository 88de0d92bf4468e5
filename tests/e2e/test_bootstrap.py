"""The shipped bootstrap: it starts as it is, its buckets reach the histograms, and it serves without the filter."""

import subprocess

import pytest
import yaml
from harness import REPOSITORY, SUPPORTED
from harness.client import request
from harness.config import config, rollout
from harness.envoy import BOOTSTRAP, ECDS, discovered_filter, http_manager

HISTOGRAMS = [
    "llm_time_to_first_byte_ms",
    "llm_time_to_first_token_ms",
    "llm_request_duration_ms",
    "llm_time_per_output_token_us",
    "llm_longest_gap_ms",
    "llm_output_tokens_per_second",
    "llm_response_chars",
    "llm_output_tokens",
    "llm_input_tokens",
]


def shipped_configuration():
    plugin = yaml.safe_load(ECDS.read_text())["resources"][0]["typed_config"]["config"]
    return plugin["configuration"]["value"]


@pytest.mark.parametrize("version", SUPPORTED)
def test_envoy_accepts_the_files_as_they_are(envoy_binary, module, version):
    command = [envoy_binary(version), "--mode", "validate", "-c", BOOTSTRAP]
    said = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert said.returncode == 0, said.stderr


@pytest.mark.parametrize("version", SUPPORTED)
async def test_the_shipped_configuration_serves(start_envoy, client_of, version):
    envoy = start_envoy(shipped_configuration(), version=version)
    before = envoy.stats()
    exchanges = await client_of(envoy).send_all(
        request(headers=[(b"x-conversation-id", b"c%d" % at), (b"x-llm-cohort", b"staff" if at % 2 else b"none")]) for at in range(40)
    )
    assert {exchange.status for exchange in exchanges} == {200}
    assert {exchange.header(b"x-llm-version") for exchange in exchanges[1::2]} == {b"v2"}
    seen = await envoy.counted(40, since=before)
    assert seen.by("llm_decisions_total", "llm_reason") == {"override": 20, "split": 20}


async def test_every_histogram_has_the_buckets_of_the_bootstrap(start_envoy, client_of):
    envoy = start_envoy(config(rollout(split={"v2": 100})))
    before = envoy.stats()
    await client_of(envoy).send(request(headers=[(b"x-conversation-id", b"c1")]))
    await envoy.counted(1, since=before)
    stats, settings = envoy.stats(), yaml.safe_load(BOOTSTRAP.read_text())["stats_config"]["histogram_bucket_settings"]
    configured = {setting["match"]["prefix"].removeprefix("wasmcustom.").rstrip("."): setting["buckets"] for setting in settings}
    assert set(configured) == set(HISTOGRAMS)
    for name in HISTOGRAMS:
        bounds = {float(dict(labels)["le"]) for found, labels in stats if found == f"{name}_bucket"}
        assert bounds - {float("inf")} == {float(bound) for bound in configured[name]}, name
    assert stats.sum("llm_response_chars_count") == stats.sum("llm_output_tokens_count") == 1
    assert max(configured["llm_request_duration_ms"]) > 80_000


async def test_without_the_filter_everything_goes_to_the_baseline(start_envoy, client_of, servers):
    """As when the filter is bypassed: the routes alone must serve, and a client must not be able to choose."""

    def remove_filter(bootstrap):
        http_manager(bootstrap)["http_filters"].remove(discovered_filter(bootstrap))

    envoy = start_envoy(config(), edit=remove_filter, filtered=False)
    exchanges = await client_of(envoy).send_all(request(headers=[(b"x-conversation-id", b"c%d" % at)]) for at in range(20))
    assert {(exchange.status, exchange.header(b"x-llm-version")) for exchange in exchanges} == {(200, None)}
    assert len(servers["v1"].received) == 20
