"""A panic in the native module, in any hook, costs its own stream its statistics, and nothing else: no byte, no other
stream's count, and not Envoy. The module is built with panics that a header asks for.
"""

import asyncio
import dataclasses
import json
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from pylib.client import Client, Exchange
from pylib.http1 import request
from tests.e2e.conftest import Servers
from tests.harness import REPOSITORY, STREAMS, Json
from tests.harness.config import CLUSTERS, config, rollout
from tests.harness.dependencies import BUILD_S_MAX, TARGET, Dependency
from tests.harness.envoy import Envoy
from tests.harness.hosts import NATIVE
from tests.harness.upstream import Received, Replies, cut_at_random, events, stream

VERSIONS = [platform.version for platform in NATIVE.platforms]
HOOKS = ["request_headers", "request_body", "response_headers", "response_body", "stream_complete"]
ROLLOUTS = ["plain", "waiting", "edited"]
TIMES, AT_ONCE = 12, 16  # of each hook in each rollout, and as many streams beside them
CHAT = events((STREAMS / "openai-chat" / "e2e-chat-usage.sse").read_bytes())
WITHOUT_USAGE = b"".join(event for event in CHAT if b'"choices":[]' not in event)
BODY = b'{"stream":true,"model":"chat-large","messages":[{"role":"user","content":"Hi"}],"conversation":"c1"}'
EDITED = json.loads(BODY) | {"model": "chat-2", "stream_options": {"include_usage": True}}
# A panic before these leaves the request, or the response, as it is.
REQUEST_HOOKS, RESPONSE_HOOKS = HOOKS[:2], HOOKS[:4]


@pytest.fixture(scope="module")
def panicking(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The module with its panics. It checks its arithmetic, too, because it is not optimised."""
    command = ["cargo", "rustc", "--quiet", "--locked", "--package", "llm-canary-native", "--lib"]
    command += ["--crate-type", "cdylib", "--features", "provoke-panics"]
    subprocess.run(command, cwd=REPOSITORY, check=True, timeout=BUILD_S_MAX)
    built = TARGET / "debug" / "libllm_canary_native.so"
    module = tmp_path_factory.mktemp("panicking") / built.name
    module.write_bytes(built.read_bytes())
    return module


@pytest.fixture(params=VERSIONS)
def envoy(
    request: pytest.FixtureRequest, panicking: Path, dependency: Dependency, servers: Servers, tmp_path: Path
) -> Iterator[Envoy]:
    """Not one of those that must not panic."""
    rewrite = {"rewrite": {"model": "chat-2"}}
    versions = [{"name": name, "cluster": cluster} | rewrite for name, cluster in CLUSTERS.items()]
    fields: dict[str, Json] = {
        "plain": {},
        "waiting": {"key": [{"body": "/conversation"}]},
        "edited": {"usage": "request", "versions": versions},
    }
    rollouts = [
        rollout(name=name, match={"headers": {"x-rollout": name}}, split={"v2": 50}, **fields[name])
        for name in ROLLOUTS
    ]
    ports = {f"llm-{name}": server.port for name, server in servers.items()}
    host = dataclasses.replace(NATIVE, module=panicking)
    envoy = Envoy(dependency("envoy", request.param), tmp_path / "run", config(*rollouts), ports, host=host)
    yield envoy.start()
    envoy.stop()


def ask(name: str, rollout: str, hook: str | None) -> bytes:
    """Half of the conversations of each rollout are on v2."""
    panics = [(b"x-provoke-panic", hook.encode())] if hook else []
    named = [(b"x-name", name.encode()), (b"x-conversation-id", name.encode()), (b"x-rollout", rollout.encode())]
    return request(headers=[*named, *panics, (b"x-test-reply", b"it")], body=BODY)


def check_bytes(rollout: str, hook: str | None, exchange: Exchange, received: Received) -> None:
    is_asked_for = rollout == "edited" and hook not in REQUEST_HOOKS
    is_removed = rollout == "edited" and hook not in RESPONSE_HOOKS
    assert (exchange.status, exchange.complete) == (200, True), (rollout, hook)
    assert exchange.body == (WITHOUT_USAGE if is_removed else b"".join(CHAT)), (rollout, hook)
    if is_asked_for:
        assert json.loads(received.body) == EDITED, (rollout, hook)
    else:
        assert received.body == BODY, (rollout, hook)


async def test_a_panic_costs_its_own_stream_its_statistics_and_nothing_else(
    envoy: Envoy, servers: Servers, replies: Replies
) -> None:
    replies["it"] = stream(*(step for piece in cut_at_random(b"".join(CHAT), seed=1) for step in (piece, 0.002)))
    pid, before = envoy.pid, await asyncio.to_thread(envoy.stats)
    asked: dict[str, tuple[str, str | None]] = {}
    for rollout_name in ROLLOUTS:
        for hook in HOOKS:
            for at in range(TIMES):
                asked[f"{rollout_name} {hook} {at}"] = rollout_name, hook
                asked[f"{rollout_name} beside {hook} {at}"] = rollout_name, None
    client = Client(envoy.port)
    exchanges = await client.send_all([ask(name, *what) for name, what in asked.items()], at_once=AT_ONCE)
    client.close()

    received = {r.header(b"x-name")[0].decode(): r for server in servers.values() for r in server.received}
    assert received.keys() == asked.keys(), "each request arrives once"
    assert sum(len(server.received) for server in servers.values()) == len(asked)
    for name, exchange in zip(asked, exchanges, strict=True):
        check_bytes(*asked[name], exchange, received[name])

    untouched = Counter(rollout_name for rollout_name, hook in asked.values() if hook is None)
    panics = len(asked) - untouched.total()
    seen = await envoy.counted(untouched.total(), since=before)
    assert seen.sum("llm_panics_total") == panics
    assert seen.by("llm_requests_total", "llm_outcome") == {"complete": untouched.total()}
    for series in ("llm_requests_total", "llm_response_chars_count", "llm_output_tokens_count", "llm_finish_total"):
        assert seen.by(series, "llm_rollout") == untouched, series
    for series in ("llm_unread_total", "llm_body_limit_total", "llm_usage_missing_total"):
        assert seen.sum(series) == 0, series
    # Of a stream that panicked later, the decision had been counted.
    assert untouched.total() <= seen.sum("llm_decisions_total") <= len(asked) - len(ROLLOUTS) * TIMES

    assert sum("panicked at" in line for line in envoy.log().splitlines()) == panics, "the log names each"
    await envoy.until(lambda: len(envoy.access_log()) == len(asked), "a line of the access log for each")
    assert (envoy.pid, envoy.counter("http.llm.downstream_rq_active")) == (pid, 0)
    assert [line for line in envoy.filter_failures() if "panicked at" not in line] == []


async def test_configurations_are_loaded_as_before(envoy: Envoy, replies: Replies) -> None:
    """The panics of workers leave nothing locked."""
    replies["it"] = stream(*CHAT)
    client = Client(envoy.port)
    for hook in HOOKS:
        await client.send_all([ask(f"{hook} {at}", "plain", hook) for at in range(TIMES)])
    reloads = envoy.discovery("config_reload")
    await asyncio.to_thread(envoy.push, config(rollout(split={"v2": 100})))
    await envoy.until(lambda: envoy.discovery("config_reload") > reloads, "the next configuration")
    before = await asyncio.to_thread(envoy.stats)
    exchanges = await client.send_all([ask(f"after {at}", "plain", None) for at in range(TIMES)])
    client.close()
    assert {exchange.header(b"x-llm-version") for exchange in exchanges} == {b"v2"}
    seen = await envoy.counted(TIMES, since=before)
    assert seen.sum("llm_panics_total") == 0
    assert (await asyncio.to_thread(envoy.stats)).sum("llm_panics_total") == len(HOOKS) * TIMES
