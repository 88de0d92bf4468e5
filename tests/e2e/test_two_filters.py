"""Two of our filters in one chain, each with its own configuration, in one VM or two or natively, on one worker or
four. Neither counts or changes what belongs to the other, and the operator's tool waits for the one that it edits.
"""

import asyncio
import copy
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from pylib.http1 import request
from tests.e2e.conftest import RunTool, Servers
from tests.harness import STREAMS, Json
from tests.harness.config import config, rollout
from tests.harness.envoy import discovered_filter, http_manager
from tests.harness.fixtures import ClientOf, StartEnvoy
from tests.harness.hosts import EACH_VERSION, WASM, Host, configuration_of, module_of
from tests.harness.upstream import Ending, Replies, cut_at_random, events, stream

REQUESTS, AT_ONCE = 300, 50
CHAT = (STREAMS / "openai-chat" / "chat-stream.sse").read_bytes()
CHARS = len('Grüße, "Wörld')
INNER = config(
    rollout(name="inner", salt="inner", split={"v2": 50}, pin={"header": "x-inner-pin"}),
    cluster_header="x-inner-cluster",
    version_header="x-inner-version",
)
OUTER = config(rollout(name="outer", salt="outer", split={"v2": 50}))


def with_inner(host: Host, vm_id: str, discovered: Path | None = None) -> Callable[[Json], None]:
    """Adds a second filter behind the first. Its cluster is the one that counts, so the two set different headers. Its
    configuration is static, or read from a file in the folder `discovered`.
    """

    def edit(bootstrap: Json) -> None:
        manager = http_manager(bootstrap)
        response = yaml.safe_load(host.ecds.read_text())
        [resource] = response["resources"]
        configuration_of(resource)["value"] = json.dumps(INNER)
        module_of(resource)["filename"] = str(host.module)
        if host is WASM:
            plugin = resource["typed_config"]["config"]
            plugin["name"] = "inner"
            plugin["vm_config"]["vm_id"] = vm_id
        first = discovered_filter(bootstrap)
        second = {"name": "inner", "typed_config": resource["typed_config"]}
        if discovered is not None:
            resource["name"] = "inner"
            (discovered / "inner.yaml").write_text(json.dumps(response))
            second = copy.deepcopy(first) | {"name": "inner"}
            source = second["config_discovery"]["config_source"]["path_config_source"]
            source["path"] = str(discovered / "inner.yaml")
            source["watched_directory"] = {"path": str(discovered)}
        filters = manager["http_filters"]
        filters.insert(filters.index(first) + 1, second)
        [virtual_host] = manager["route_config"]["virtual_hosts"]
        route = copy.deepcopy(virtual_host["routes"][0])
        assert route["name"] == "by-version"
        route["name"] = "by-inner"
        route["match"]["headers"][0]["name"] = route["route"]["cluster_header"] = "x-inner-cluster"
        virtual_host["routes"].insert(0, route)

    return edit


@EACH_VERSION
@pytest.mark.parametrize(("concurrency", "vm_id"), [(1, "llm-canary"), (4, "another")])
async def test_two_filters(
    start_envoy: StartEnvoy,
    client_of: ClientOf,
    servers: Servers,
    replies: Replies,
    host: Host,
    concurrency: int,
    vm_id: str,
) -> None:
    edit = with_inner(host, vm_id)
    envoy = await asyncio.to_thread(start_envoy, OUTER, concurrency=concurrency, edit=edit)
    before = await asyncio.to_thread(envoy.stats)
    replies["whole"] = stream(*cut_at_random(CHAT, seed=1))
    replies["cut"] = stream(*events(CHAT)[:2], 0.05, Ending.RESET)
    names = [b"whole" if at % 10 else b"cut" for at in range(REQUESTS)]
    raws = [
        request(headers=[(b"x-conversation-id", b"%d" % at), (b"x-test-reply", name)]) for at, name in enumerate(names)
    ]
    exchanges = await client_of(envoy).send_all(raws, at_once=AT_ONCE)
    arrived = {r.header(b"x-conversation-id")[0]: r for server in servers.values() for r in server.received}
    for at, (name, exchange) in enumerate(zip(names, exchanges, strict=True)):
        assert (exchange.status, exchange.complete) == (200, name == b"whole")
        assert exchange.body == replies[name.decode()].body
        [inner], [outer] = (arrived[b"%d" % at].header(header) for header in (b"x-inner-version", b"x-llm-version"))
        assert (exchange.header(b"x-inner-version"), exchange.header(b"x-llm-version")) == (inner, outer)
        assert arrived[b"%d" % at].version.encode() == inner
        assert exchange.header(b"x-inner-pin")
    both = {(e.header(b"x-inner-version"), e.header(b"x-llm-version")) for e in exchanges}
    assert len(both) == 4, "the filters decide by themselves"

    seen = await envoy.counted(2 * REQUESTS, since=before)
    cut = names.count(b"cut")
    for rollout_name, header in [("inner", b"x-inner-version"), ("outer", b"x-llm-version")]:
        outcomes = seen.by("llm_requests_total", "llm_outcome", llm_rollout=rollout_name)
        assert outcomes == {"complete": REQUESTS - cut, "upstream_reset": cut}, rollout_name
        for version in ("v1", "v2"):
            mine = sum(exchange.header(header) == version.encode() for exchange in exchanges)
            assert seen.sum("llm_decisions_total", llm_rollout=rollout_name, llm_version=version) == mine
        chars = (REQUESTS - cut) * CHARS + cut * len("Grüße")
        assert seen.sum("llm_response_chars_total", llm_rollout=rollout_name) == chars


def break_file(file: Path) -> None:
    """Renames a configuration into place that the filter refuses."""
    response = yaml.safe_load(file.read_text())
    configuration_of(response["resources"][0])["value"] = "{"
    written = file.with_name("broken")
    written.write_text(json.dumps(response))
    written.rename(file)


@EACH_VERSION
async def test_the_tool_waits_for_the_filter_that_it_edits(
    start_envoy: StartEnvoy, llm_canary: RunTool, servers: Servers, host: Host, tmp_path: Path
) -> None:
    edit = with_inner(host, "llm-canary", discovered=tmp_path)
    envoy = await asyncio.to_thread(start_envoy, OUTER, edit=edit)
    outer, inner = envoy.file, tmp_path / "inner.yaml"

    async def operate(command: str, file: Path, *arguments: str, code: int = 0) -> str:
        options = ("--admin", envoy.admin_address, "--timeout", "5s")
        said = await asyncio.to_thread(llm_canary, command, file, "v2", *arguments, *options)
        assert said.returncode == code, (said.stdout, said.stderr)
        return said.stdout

    # Each in turn, so that the hash that was written last is the other filter's.
    for file in (outer, inner, outer, inner):
        assert " runs it after " in await operate("ramp", file, "60", "--resume")
        assert " runs it after " in await operate("stop", file)
        other = inner if file == outer else outer
        if "stopped" in other.read_text():
            assert "nothing to do" in await operate("stop", other)
    hashes = (await asyncio.to_thread(envoy.stats)).by("llm_config_hash", "llm_rollout")
    assert hashes.keys() == {"inner", "outer"} and len(set(hashes.values())) == 2

    # A file that this Envoy does not read is not mistaken for one that it does.
    stray = tmp_path / "stray.json"
    stray.write_text(json.dumps(config(rollout(name="stray", split={"v2": 50}))))
    assert "it has read other rollouts, and none with the name stray" in await operate("stop", stray, code=4)


async def test_only_the_edited_filters_refusals_count(
    start_envoy: StartEnvoy, llm_canary: RunTool, servers: Servers, host: Host, tmp_path: Path
) -> None:
    envoy = await asyncio.to_thread(start_envoy, OUTER, edit=with_inner(host, "llm-canary", discovered=tmp_path))
    read = envoy.file
    # This Envoy does not read the copy, so the tool waits until an update is refused, or for as long as it may.
    copied = tmp_path / "copy" / host.ecds.name
    copied.parent.mkdir()

    async def state_after(broken: Path) -> str:
        copied.write_text(read.read_text())
        options = ("--admin", envoy.admin_address, "--timeout", "4s", "--json")
        waiting = asyncio.create_task(asyncio.to_thread(llm_canary, "stop", copied, "v2", *options))
        await asyncio.sleep(1)
        await asyncio.to_thread(break_file, broken)
        said = await waiting
        assert said.returncode == 4, said.stderr
        [status] = json.loads(said.stdout)["envoys"]
        return str(status["state"])

    assert await state_after(tmp_path / "inner.yaml") == "timed_out"
    assert envoy.counter("extension_config_discovery.http_filter.inner.config_fail") > 0
    assert await state_after(read) == "refused"
