"""Stored responses and conversations behind Envoy: whatever the split, each is continued where it is stored. There are
two servers, which answer 404 for each other's ids, and the official clients.
"""

import asyncio
import json
import re
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from pylib.client import Exchange
from pylib.http1 import Header, request
from tests.harness import Json
from tests.harness.config import config, rollout
from tests.harness.dependencies import Dependency
from tests.harness.envoy import Envoy, http_manager
from tests.harness.fixtures import ClientOf, Run, StartEnvoy
from tests.harness.hosts import WASM, on
from tests.servers.responses_server import DECOY, MARK, MODEL, ResponsesServer

pytestmark = on(WASM.current)  # what servers say does not depend on it

Configured = Callable[[Json], Awaitable[None]]
# What the client got, and the body that the server sent.
Sent = tuple[Exchange, bytes]
SendOne = Callable[..., Awaitable[Sent]]

RAMP = [0, 5, 50, 100, 20, 0, 0, 0]  # percent on v2; conversations begin in the first four steps
BEGUN_EACH = 8
TURNS = 5
AT_ONCE = 50
WITHOUT_FILTER = "x-test-without-filter"
MARKS = re.compile(rb"-llm-[0-9a-f]{8}")
SPREAD_S = 0.2  # a configuration that Envoy has accepted is in force on all its workers within this time
SERVED_S_MAX = 30
PINNED, LOOSE = {"response_id": True}, None


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, ResponsesServer]]:
    started = {version: ResponsesServer(version) for version in ("v1", "v2")}
    yield started
    for server in started.values():
        server.stop()


@pytest.fixture(autouse=True)
def no_mark_reaches_a_server(servers: dict[str, ResponsesServer]) -> Iterator[None]:
    yield
    marked = [server.marked.copy() for server in servers.values()]
    for server in servers.values():
        server.marked.clear()
        server.received.clear()
    assert not any(marked), marked


def ramped(percents: list[int], pin: Json | None = PINNED) -> Json:
    """A configuration that has gone through these percentages on v2."""
    steps = [{"at": f"2026-01-01T00:{at:02}:00Z", "percent": {"v2": percent}} for at, percent in enumerate(percents)]
    return config(rollout(steps=steps, **({"pin": pin} if pin else {})))


def by_pass(bootstrap: Json) -> None:
    """Adds a route by whose header a request bypasses the filter and goes to v1."""
    [host] = http_manager(bootstrap)["route_config"]["virtual_hosts"]
    disabled = {"@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "disabled": True}
    host["routes"].insert(
        0,
        {
            "match": {"prefix": "/", "headers": [{"name": WITHOUT_FILTER, "present_match": True}]},
            "route": {"cluster": "llm-v1"},
            "typed_per_filter_config": {"llm-canary": disabled},
        },
    )


@pytest.fixture(scope="module")
def envoy(start_envoy: StartEnvoy) -> Envoy:
    return start_envoy(config(), edit=by_pass)


@pytest.fixture(scope="module")
def configured(envoy: Envoy) -> Configured:
    """Puts a configuration in force."""
    in_force = None

    async def configured(configuration: object) -> None:
        nonlocal in_force
        if configuration == in_force:
            return  # Envoy would see no change
        reloads = envoy.discovery("config_reload")
        envoy.push(configuration)
        await envoy.until(lambda: envoy.discovery("config_reload") > reloads, "the new configuration")
        await asyncio.sleep(SPREAD_S)
        in_force = configuration

    return configured


@pytest.fixture
def sdk(envoy: Envoy, run: Run) -> Iterator[openai.AsyncOpenAI]:
    client = openai.AsyncOpenAI(base_url=f"http://127.0.0.1:{envoy.port}/v1", api_key="none", max_retries=0)
    yield client
    run(client.close())


def key(name: str) -> dict[str, str]:
    return {"x-conversation-id": name}


async def respond(sdk: openai.AsyncOpenAI, text: str, stream: bool = False, **options: Any) -> tuple[str, Any]:
    """(the version that answered, the response) of one turn."""
    raw = await sdk.responses.with_raw_response.create(model=MODEL, input=text, stream=stream, **options)
    answer = raw.parse()
    return raw.headers["x-llm-version"], await read(answer) if stream else answer


async def read(stream: Any) -> Any:
    """Returns the response with which a stream ends. Every event that holds a response holds the same one."""
    events = [event async for event in stream]
    told = [event.response for event in events if hasattr(event, "response")]
    assert events[-1].type == "response.completed" and {one.id for one in told} == {told[-1].id}
    deltas = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert deltas == told[-1].output_text
    return told[-1]


def assert_remembers(version: str, answer: Any, said: list[str]) -> None:
    assert answer.output_text == f"{version} remembers: {' | '.join(said)} {DECOY}"


class Chain:
    """A conversation that is continued by `previous_response_id`."""

    def __init__(self, name: str, stream: bool, began: int | None = None) -> None:
        self.name, self.stream, self.began = name, stream, began
        self.said: list[str] = []
        self.versions: list[str] = []
        self.last: str | None = None

    async def turn(self, sdk: openai.AsyncOpenAI) -> None:
        self.said.append(f"{self.name}, turn {len(self.said)}")
        previous: Json = {"previous_response_id": self.last} if self.last else {}
        version, answer = await respond(sdk, self.said[-1], self.stream, extra_headers=key(self.name), **previous)
        self.versions.append(version)
        assert_remembers(version, answer, self.said)
        assert answer.previous_response_id == self.last, "the id that the client knows"
        assert MARKS.search(answer.id.encode())
        assert not any(MARK in item.id for item in answer.output), "of what has no need of it"
        self.last = answer.id


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
async def test_five_turns_stay_where_they_began(
    envoy: Envoy, sdk: openai.AsyncOpenAI, configured: Configured, stream: bool
) -> None:
    chains, before = [], envoy.stats()
    for at in range(len(RAMP)):
        await configured(ramped(RAMP[: at + 1]))
        if at < len(RAMP) - TURNS + 1:
            names = [f"c-{stream}-{at}-{number}" for number in range(BEGUN_EACH)]
            chains += [Chain(name, stream, began=RAMP[at]) for name in names]
        for chain in chains:
            if len(chain.versions) < TURNS:
                await chain.turn(sdk)
    assert {len(chain.versions) for chain in chains} == {TURNS}
    assert [chain.versions for chain in chains if len(set(chain.versions)) != 1] == []
    began = {percent: {chain.versions[0] for chain in chains if chain.began == percent} for percent in RAMP[:4]}
    assert began[0] == {"v1"} and began[50] == {"v1", "v2"} and began[100] == {"v2"}

    seen = await envoy.counted(len(chains) * TURNS, since=before)
    assert seen.by("llm_decisions_total", "llm_reason") == {
        "split": len(chains),
        "pin": len(chains) * (TURNS - 1),
    }
    assert seen.by("llm_requests_total", "llm_outcome") == {"complete": len(chains) * TURNS}
    assert seen.sum("llm_tokens_total", llm_token="output") == 11 * len(chains) * TURNS, "read as without marks"
    assert seen.sum("llm_unheld_total") == 0


async def test_without_the_pin_the_same_ramp_breaks_them(sdk: openai.AsyncOpenAI, configured: Configured) -> None:
    """This shows that it is the pin that holds them."""
    await configured(ramped([0], pin=LOOSE))
    _, first = await respond(sdk, "one", extra_headers=key("c"))
    assert MARK not in first.id
    await configured(ramped([0, 100], pin=LOOSE))
    with pytest.raises(openai.NotFoundError):
        await respond(sdk, "two", extra_headers=key("c"), previous_response_id=first.id)


@pytest.mark.parametrize("as_object", [False, True], ids=["by id", "by object"])
@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
async def test_a_stored_conversation(
    sdk: openai.AsyncOpenAI, configured: Configured, stream: bool, as_object: bool
) -> None:
    await configured(ramped([50]))
    begun = []
    for name in ("a", "b", "c", "d", "e", "f"):
        raw = await sdk.conversations.with_raw_response.create(
            items=[{"type": "message", "role": "user", "content": f"{name} begins"}],
            extra_headers=key(f"{name}-{stream}-{as_object}"),
        )
        begun.append((name, raw.headers["x-llm-version"], raw.parse().id))
    assert {version for _, version, _ in begun} == {"v1", "v2"}
    for at, _percent in enumerate([100, 5, 0]):
        await configured(ramped([50, 100, 5, 0][: at + 2]))
        for name, version, id in begun:
            continued = {"id": id} if as_object else id
            answered_by, answer = await respond(sdk, f"turn {at}", stream, conversation=continued)
            assert answered_by == version
            assert_remembers(version, answer, [f"{name} begins", *(f"turn {turn}" for turn in range(at + 1))])
            assert answer.conversation.id == id
    for name, _, id in begun:
        assert (await sdk.conversations.retrieve(id)).id == id
        assert (await sdk.conversations.update(id, metadata={"topic": name})).id == id
        await sdk.conversations.items.create(id, items=[{"type": "message", "role": "user", "content": "more"}])
        items: list[Any] = (await sdk.conversations.items.list(id)).data
        assert len(items) == 1 + 2 * 3 + 1 and not any(MARK in item.id for item in items)
        assert (await sdk.conversations.items.retrieve(items[0].id, conversation_id=id)).id == items[0].id
        await sdk.conversations.items.delete(items[0].id, conversation_id=id)
        assert len((await sdk.conversations.items.list(id)).data) == len(items) - 1
        assert (await sdk.conversations.delete(id)).id == id
        with pytest.raises(openai.NotFoundError):
            await sdk.conversations.retrieve(id)


async def test_what_is_asked_by_id_reaches_the_server_that_keeps_it(
    sdk: openai.AsyncOpenAI, servers: dict[str, ResponsesServer], configured: Configured
) -> None:
    """The requests have no key, and the split sends everything to the other version."""
    await configured(ramped([100]))
    version, first = await respond(sdk, "one", extra_headers=key("c"))
    _, second = await respond(sdk, "two", previous_response_id=first.id)
    waiting = await sdk.responses.create(model=MODEL, input="three", background=True, previous_response_id=second.id)
    assert version == "v2" and waiting.status == "queued"
    await configured(ramped([100, 0]))
    for server in servers.values():
        server.received.clear()

    assert_remembers("v2", await sdk.responses.retrieve(second.id), ["one", "two"])
    assert (await sdk.responses.retrieve(second.id)).id == second.id
    assert (await sdk.responses.retrieve(second.id)).previous_response_id == first.id
    replayed = await read(await sdk.responses.retrieve(second.id, stream=True))
    assert (replayed.id, replayed.output_text) == (second.id, second.output_text)
    rest: list[Any] = [event async for event in await sdk.responses.retrieve(second.id, stream=True, starting_after=3)]
    assert rest[0].sequence_number == 4 and rest[-1].response.id == second.id
    items: list[Any] = (await sdk.responses.input_items.list(second.id)).data
    [item] = items
    assert item.content[0].text == "two" and MARK not in item.id
    assert (await sdk.responses.input_tokens.count(model=MODEL, previous_response_id=second.id)).input_tokens == 5
    assert (await sdk.responses.retrieve(waiting.id)).status == "completed"
    cancelled = await sdk.responses.cancel(waiting.id)
    assert (cancelled.id, cancelled.status) == (waiting.id, "cancelled")
    await sdk.responses.delete(second.id)
    with pytest.raises(openai.NotFoundError) as gone:
        await sdk.responses.retrieve(second.id)
    assert gone.value.response.headers["x-llm-version"] == "v2", "it was looked for where it had been"
    assert servers["v1"].received == [] and len(servers["v2"].received) == 11


async def test_what_a_stopped_version_kept_is_asked_of_the_baseline(
    sdk: openai.AsyncOpenAI, servers: dict[str, ResponsesServer], configured: Configured
) -> None:
    """The baseline does not have it and answers so, under the id without the mark."""
    await configured(ramped([100]))
    _, first = await respond(sdk, "one", extra_headers=key("c"))
    stopped = ramped([100])
    stopped["rollouts"][0]["versions"][1]["stopped"] = True
    await configured(stopped)
    servers["v1"].received.clear()
    with pytest.raises(openai.NotFoundError) as gone:
        await respond(sdk, "two", extra_headers=key("c"), previous_response_id=first.id)
    assert gone.value.response.headers["x-llm-version"] == "v1"
    [(_, _, body)] = servers["v1"].received
    assert json.loads(body)["previous_response_id"] == first.id.partition(MARK)[0]


@pytest.mark.parametrize("id", ["resp_0a1b-llm-0badc0de", "resp_0a1b-llm-", "-llm-0badc0de", "resp-llm-0BADC0DE"])
async def test_a_mark_of_no_version_is_somebodys_own(
    sdk: openai.AsyncOpenAI, servers: dict[str, ResponsesServer], configured: Configured, id: str
) -> None:
    await configured(ramped([100]))
    with pytest.raises(openai.NotFoundError):
        await respond(sdk, "one", previous_response_id=id, extra_headers=key("c"))
    with pytest.raises(openai.NotFoundError):
        await sdk.responses.retrieve(id, extra_headers=key("c"))
    [(_, _, body), (_, target, _)] = [got for server in servers.values() for got in server.received]
    assert json.loads(body)["previous_response_id"] == id and target == f"/v1/responses/{id}"
    servers["v2"].marked.clear()


def raw(method: str, target: str, body: object = None, *headers: Header) -> bytes:
    body = json.dumps(body).encode() if body is not None else b""
    return request(method=method.encode(), target=target.encode(), headers=headers, body=body)


@pytest.fixture
def exchange(envoy: Envoy, client_of: ClientOf, servers: dict[str, ResponsesServer]) -> SendOne:
    """Sends one request; returns what the client got, and the body that the server sent."""

    async def send(*arguments: Any) -> Sent:
        answered = await client_of(envoy).send(raw(*arguments))
        [version] = [version for version, server in servers.items() if server.sent]
        [sent] = servers[version].sent
        servers[version].sent.clear()
        assert answered.complete
        return answered, sent

    for server in servers.values():
        server.sent.clear()
    return send


def asked(stream: bool, conversation: Callable[[], str], previous: Callable[[], str]) -> Iterator[tuple[Any, ...]]:
    yield "POST", "/v1/conversations", {}
    yield "POST", "/v1/responses", {"input": "one", "stream": stream}
    yield "POST", "/v1/responses", {"input": "two", "stream": stream, "previous_response_id": previous()}
    yield "POST", "/v1/responses", {"input": "three", "stream": stream, "conversation": conversation()}
    yield "GET", f"/v1/responses/{previous()}?stream={str(stream).lower()}"
    yield "GET", f"/v1/responses/{previous()}/input_items"
    yield "GET", f"/v1/conversations/{conversation()}/items"
    yield "DELETE", f"/v1/responses/{previous()}"
    yield "GET", f"/v1/responses/{previous()}"
    yield "DELETE", f"/v1/conversations/{conversation()}"


async def converse(exchange: SendOne, stream: bool, *headers: Header) -> list[Sent]:
    """The exchanges of a client that uses all endpoints."""
    known: dict[str, str] = {}
    requests = asked(stream, lambda: known["conv"], lambda: known["resp"])
    exchanges = []
    for method, target, *body in requests:
        exchanges.append(await exchange(method, target, *(body or [None]), *headers))
        for kind in ("conv", "resp"):
            if found := re.search(rb'"id": ?"(%b_[0-9a-f]{48}[^"]*)"' % kind.encode(), exchanges[-1][0].body):
                known[kind] = found[1].decode()
    return exchanges


def heads(exchanges: list[Sent]) -> list[tuple[int | None, set[bytes]]]:
    """Statuses and headers, without those that differ from one time to the next or with the body."""
    fickle = {b"date", b"x-envoy-upstream-service-time", b"x-llm-version", b"content-length"}
    return [(answered.status, {name for name, _ in answered.headers} - fickle) for answered, _ in exchanges]


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
async def test_without_the_pin_not_a_byte_changes(exchange: SendOne, configured: Configured, stream: bool) -> None:
    await configured(ramped([0], pin=LOOSE))
    through = await converse(exchange, stream, (b"x-conversation-id", b"c"))
    beside = await converse(exchange, stream, (WITHOUT_FILTER.encode(), b"1"))
    for answered, sent in (*through, *beside):
        assert bytes(answered.body) == sent
    assert heads(through) == heads(beside)
    assert {bool(answered.header(b"content-length")) for answered, _ in through} == {True, not stream}
    assert all(answered.header(b"x-llm-version") for answered, _ in through)
    assert not any(answered.header(b"x-llm-version") for answered, _ in beside)


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
async def test_with_the_pin_nothing_but_marks_is_new(exchange: SendOne, configured: Configured, stream: bool) -> None:
    await configured(ramped([0]))
    exchanges = await converse(exchange, stream, (b"x-conversation-id", b"c"))
    for answered, sent in exchanges:
        assert MARKS.sub(b"", answered.body) == sent
        marked = set(re.findall(rb'"([a-z]+_[0-9a-f]{48})-llm-[0-9a-f]{8}"', answered.body))
        assert {id.partition(b"_")[0] for id in marked} <= {b"resp", b"conv"}
    # Each place that tells a response's or a conversation's id: in a stream each of three events.
    times = 3 if stream else 1
    found = [len(MARKS.findall(bytes(answered.body))) for answered, _ in exchanges]
    assert found == [1, times, 2 * times, 2 * times, 2 * times, 0, 0, 1, 0, 1]
    assert [answered.status for answered, _ in exchanges] == [200] * 8 + [404, 200]


async def test_fifty_at_once(envoy: Envoy, sdk: openai.AsyncOpenAI, configured: Configured) -> None:
    """While the split goes up and down under them."""
    await configured(ramped([50]))
    chains = [Chain(f"many-{number}", number % 2 == 0) for number in range(AT_ONCE)]

    async def go_on(chain: Chain) -> None:
        while len(chain.versions) < TURNS:
            await chain.turn(sdk)

    before = envoy.stats()
    await asyncio.gather(*(chain.turn(sdk) for chain in chains))
    conversations = [asyncio.ensure_future(go_on(chain)) for chain in chains]
    for percents in ([50, 100], [50, 100, 0], [50, 100, 0, 50]):
        await configured(ramped(percents))
    await asyncio.wait_for(asyncio.gather(*conversations), SERVED_S_MAX)
    assert {version for chain in chains for version in chain.versions} == {"v1", "v2"}
    assert [chain.versions for chain in chains if len(set(chain.versions)) != 1] == []
    seen = await envoy.counted(AT_ONCE * TURNS, since=before)
    assert seen.by("llm_requests_total", "llm_outcome") == {"complete": AT_ONCE * TURNS}


async def test_the_javascript_client(envoy: Envoy, configured: Configured, dependency: Dependency) -> None:
    folder = Path(dependency("javascript"))
    command: list[str | Path] = [folder / "node", folder / "stored.mjs", f"http://127.0.0.1:{envoy.port}/v1"]
    client = await asyncio.create_subprocess_exec(*command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert client.stdin and client.stdout
    to_client, from_client = client.stdin, client.stdout

    async def turn(chain: str, stream: bool, previous: str | None) -> Any:
        asked = {"input": chain, "stream": stream, "previous": previous, "conversation": chain}
        to_client.write(json.dumps(asked).encode() + b"\n")
        return json.loads(await asyncio.wait_for(from_client.readline(), SERVED_S_MAX))

    try:
        last: dict[str, str] = {}
        versions: dict[str, set[str]] = {}
        for at in range(TURNS):
            await configured(ramped(RAMP[2 : at + 3]))
            for chain in ("a", "b", "c", "d", "e", "f"):
                said = await turn(chain, at % 2 == 0, last.get(chain))
                last[chain] = said["id"]
                assert said["text"] == f"{said['version']} remembers: {' | '.join([chain] * (at + 1))} {DECOY}"
                assert said["retrieved"] == said["id"] and MARKS.search(said["id"].encode())
                versions.setdefault(chain, set()).add(said["version"])
        assert set(map(len, versions.values())) == {1} and set.union(*versions.values()) == {"v1", "v2"}
    finally:
        to_client.close()
        await asyncio.wait_for(client.wait(), SERVED_S_MAX)
