"""llama.cpp's server behind Envoy: every sum of the statistics is what the official clients report."""

import itertools

import pytest

from tests.harness.config import config, rollout
from tests.harness.envoy import Envoy
from tests.harness.fixtures import Run, StartEnvoy
from tests.harness.hosts import WASM, on
from tests.servers.conftest import AskAll, StartLlama, asks, one_request_per_connection
from tests.servers.server import Server
from tests.servers.views import assert_same

pytestmark = on(WASM.current)  # what servers say does not depend on it

APIS = ["chat", "completions", "messages", "responses"]
STREAM = [True, False]
ASKS_EACH = 4


@pytest.fixture(scope="module")
def servers(start_llama: StartLlama) -> dict[str, Server]:
    started = {version: start_llama(version) for version in ("v1", "v2")}
    for server in started.values():
        server.wait()
    return started


@pytest.fixture(scope="module")
def envoy(start_envoy: StartEnvoy) -> Envoy:
    return start_envoy(config(rollout(split={"v2": 50})), edit=one_request_per_connection)


@pytest.mark.parametrize("stream", STREAM, ids=["streamed", "whole"])
@pytest.mark.parametrize("api", APIS)
def test_the_sums_are_what_the_client_reports(envoy: Envoy, run: Run, ask_all: AskAll, api: str, stream: bool) -> None:
    before = envoy.stats()
    views = ask_all(envoy, asks(api, stream, ASKS_EACH))
    seen = run(envoy.counted(ASKS_EACH, since=before))
    assert all(view["chars"] and view["output"] for view in views)
    assert_same(seen, views)


@pytest.mark.parametrize("stream", STREAM, ids=["streamed", "whole"])
@pytest.mark.parametrize("api", ["chat", "messages", "responses"])
def test_tool_calls(envoy: Envoy, run: Run, ask_all: AskAll, api: str, stream: bool) -> None:
    before = envoy.stats()
    views = ask_all(envoy, asks(api, stream, ASKS_EACH, tools=True))
    seen = run(envoy.counted(ASKS_EACH, since=before))
    assert sum(view["tool_calls"] for view in views) > 0
    assert_same(seen, views)


def test_both_versions_at_once(envoy: Envoy, run: Run, ask_all: AskAll) -> None:
    """All APIs in turn, on both versions."""
    every = list(itertools.chain(*(asks(api, stream, 6) for api in APIS for stream in STREAM)))
    before = envoy.stats()
    views = ask_all(envoy, every)
    assert {view["version"] for view in views} == {"v1", "v2"}
    assert_same(run(envoy.counted(len(every), since=before)), views)


@pytest.fixture(scope="module")
def asking_envoy(start_envoy: StartEnvoy) -> Envoy:
    """Asks for a stream's usage where the client does not, and hides it again."""
    return start_envoy(config(rollout(usage="request")), edit=one_request_per_connection)


def test_usage_that_no_client_asked_for(envoy: Envoy, asking_envoy: Envoy, run: Run, ask_all: AskAll) -> None:
    """The client sees exactly the response that it would have seen, and its tokens are counted all the same."""
    unasked = asks("chat", True, ASKS_EACH, usage=False)
    before, asking_before = envoy.stats(), asking_envoy.stats()
    plain, asked_for = ask_all(envoy, unasked), ask_all(asking_envoy, unasked)
    plain_seen = run(envoy.counted(ASKS_EACH, since=before))
    seen = run(asking_envoy.counted(ASKS_EACH, since=asking_before))

    assert not any(view["output"] for view in (*plain, *asked_for)), "no client sees a usage"
    for one, other in zip(plain, asked_for, strict=True):
        assert {**one, "version": None} == {**other, "version": None}
    assert plain_seen.sum("llm_usage_missing_total") == ASKS_EACH
    assert seen.sum("llm_usage_missing_total") == 0
    told = ask_all(envoy, asks("chat", True, ASKS_EACH))
    assert seen.sum("llm_tokens_total", llm_token="output") == sum(view["output"] for view in told) > 0
    assert seen.sum("llm_tokens_total", llm_token="input") == sum(view["input"] for view in told) > 0
