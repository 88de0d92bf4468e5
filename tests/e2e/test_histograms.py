"""Each histogram has the buckets that the shipped bootstrap gives it."""

import yaml

from pylib.http1 import request
from tests.harness.config import config, rollout
from tests.harness.fixtures import ClientOf, StartEnvoy
from tests.harness.hosts import EACH_VERSION, Host

HISTOGRAMS = {
    "llm_time_to_first_byte_ms",
    "llm_time_to_first_token_ms",
    "llm_request_duration_ms",
    "llm_time_per_output_token_us",
    "llm_longest_gap_ms",
    "llm_output_tokens_per_second",
    "llm_response_chars",
    "llm_output_tokens",
    "llm_input_tokens",
}
LONG_ANSWER_MS = 80_000


@EACH_VERSION
async def test_every_histogram_has_the_buckets_of_the_bootstrap(
    start_envoy: StartEnvoy, client_of: ClientOf, host: Host
) -> None:
    envoy = start_envoy(config(rollout(split={"v2": 100})))
    before = envoy.stats()
    await client_of(envoy).send(request(headers=[(b"x-conversation-id", b"c1")]))
    await envoy.counted(1, since=before)

    stats, settings = (
        envoy.stats(),
        yaml.safe_load(host.bootstrap.read_text())["stats_config"]["histogram_bucket_settings"],
    )
    configured = {
        setting["match"]["prefix"].removeprefix(host.stat_prefix).rstrip("."): setting["buckets"]
        for setting in settings
    }
    assert (
        set(configured)
        == HISTOGRAMS
        == {name.removesuffix("_bucket") for name, _ in stats.series() if name.endswith("_bucket")}
    )
    for name in HISTOGRAMS:
        bounds = {float(dict(labels)["le"]) for found, labels in stats if found == f"{name}_bucket"}
        assert bounds == {float(bound) for bound in configured[name]} | {float("inf")}, name
    for name in ("llm_response_chars", "llm_output_tokens", "llm_input_tokens", "llm_request_duration_ms"):
        assert stats.sum(f"{name}_count") == stats.sum(f"{name}_count", llm_version="v2", llm_compare="yes") == 1
    assert max(configured["llm_request_duration_ms"]) > LONG_ANSWER_MS
