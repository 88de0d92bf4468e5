"""llama.cpp's server behind Envoy: every sum of the statistics is what the official clients report."""

import itertools

import pytest
from conftest import asks, one_request_per_connection
from harness.config import config, rollout
from views import assert_same

APIS = ["chat", "completions", "messages", "responses"]
STREAM = [True, False]
ASKS_EACH = 4


@pytest.fixture(scope="module")
def servers(start_llama):
    started = {version: start_llama(version) for version in ("v1", "v2")}
    for server in started.values():
        server.wait()
    return started


@pytest.fixture(scope="module")
def envoy(start_envoy):
    return start_envoy(config(rollout(split={"v2": 50})), edit=one_request_per_connection)


@pytest.mark.parametrize("stream", STREAM, ids=["streamed", "whole"])
@pytest.mark.parametrize("api", APIS)
def test_the_sums_are_what_the_client_reports(envoy, run, ask_all, api, stream):
    before = envoy.stats()
    views = ask_all(envoy, asks(api, stream, ASKS_EACH))
    seen = run(envoy.counted(ASKS_EACH, since=before))
    assert all(view["chars"] and view["output"] for view in views)
    assert_same(seen, views)


@pytest.mark.parametrize("stream", STREAM, ids=["streamed", "whole"])
@pytest.mark.parametrize("api", ["chat", "messages", "responses"])
def test_tool_calls(envoy, run, ask_all, api, stream):
    before = envoy.stats()
    views = ask_all(envoy, asks(api, stream, ASKS_EACH, tools=True))
    seen = run(envoy.counted(ASKS_EACH, since=before))
    assert sum(view["tool_calls"] for view in views) > 0
    assert_same(seen, views)


def test_both_versions_at_once(envoy, run, ask_all):
    """All APIs in turn, on both versions."""
    every = list(itertools.chain(*(asks(api, stream, 6) for api in APIS for stream in STREAM)))
    before = envoy.stats()
    views = ask_all(envoy, every)
    assert {view["version"] for view in views} == {"v1", "v2"}
    assert_same(run(envoy.counted(len(every), since=before)), views)
