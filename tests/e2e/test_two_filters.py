"""Two of our filters in one chain, each with its own configuration, in one VM or two, on one worker or four. Neither
counts or changes what belongs to the other.
"""

import asyncio
import copy
import json
from collections.abc import Callable

import pytest
import yaml

from pylib.http1 import request
from tests.e2e.conftest import Servers
from tests.harness import NEWEST, OLDEST, STREAMS, Json
from tests.harness.config import config, rollout
from tests.harness.envoy import ECDS, MODULE, discovered_filter, http_manager
from tests.harness.fixtures import ClientOf, StartEnvoy
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


def with_inner(vm_id: str) -> Callable[[Json], None]:
    """Adds a second filter behind the first. Its cluster is the one that counts, so the two set different headers."""

    def edit(bootstrap: Json) -> None:
        manager = http_manager(bootstrap)
        inner = yaml.safe_load(ECDS.read_text())["resources"][0]["typed_config"]
        plugin = inner["config"]
        plugin["name"] = "inner"
        plugin["configuration"]["value"] = json.dumps(INNER)
        plugin["vm_config"]["code"]["local"]["filename"] = str(MODULE)
        plugin["vm_config"]["vm_id"] = vm_id
        filters = manager["http_filters"]
        filters.insert(filters.index(discovered_filter(bootstrap)) + 1, {"name": "inner", "typed_config": inner})
        [host] = manager["route_config"]["virtual_hosts"]
        route = copy.deepcopy(host["routes"][0])
        assert route["name"] == "by-version"
        route["name"] = "by-inner"
        route["match"]["headers"][0]["name"] = route["route"]["cluster_header"] = "x-inner-cluster"
        host["routes"].insert(0, route)

    return edit


@pytest.mark.parametrize(
    ("version", "concurrency", "vm_id"),
    [(NEWEST, 1, "llm-canary"), (NEWEST, 4, "another"), (OLDEST, 4, "llm-canary")],
)
async def test_two_filters(
    start_envoy: StartEnvoy,
    client_of: ClientOf,
    servers: Servers,
    replies: Replies,
    version: str,
    concurrency: int,
    vm_id: str,
) -> None:
    options = {"version": version, "concurrency": concurrency, "edit": with_inner(vm_id)}
    envoy = await asyncio.to_thread(start_envoy, OUTER, **options)
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
