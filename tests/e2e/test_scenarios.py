"""The table of scenarios through real Envoy.

tests/it/scenarios.rs runs the same table on the fake hosts, and documents its fields.
"""

import asyncio
import json
import re

import pytest

from pylib.client import Client, Connection, Exchange
from pylib.http1 import HOST
from pylib.prometheus import Snapshot
from tests.e2e.conftest import Servers
from tests.harness import REPOSITORY, Json
from tests.harness.envoy import Envoy
from tests.harness.fixtures import ClientOf, StartEnvoy
from tests.harness.hosts import EACH_VERSION
from tests.harness.upstream import Ending, Received, Replies, Reply, Step

SCENARIOS: list[Json] = json.loads((REPOSITORY / "tests" / "data" / "scenarios.json").read_text())
PIECE_GAP_S = 0.01  # so that a piece of a body comes by itself
IN_FORCE_S = 0.2  # after which a configuration that Envoy took is in force on its workers
SERIES = re.compile(r"(\w+)\{(.*)\}")


@pytest.fixture(scope="module")
def envoy(start_envoy: StartEnvoy) -> Envoy:
    """A scenario pushes its configuration to it."""
    return start_envoy({"rollouts": []}, concurrency=1)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=[scenario["what"] for scenario in SCENARIOS])
@EACH_VERSION
async def test_a_scenario(
    envoy: Envoy, client_of: ClientOf, replies: Replies, servers: Servers, scenario: Json
) -> None:
    await load(envoy, scenario["configuration"])
    before = envoy.stats()
    for at, exchange in enumerate(scenario["exchanges"]):
        await play(client_of(envoy), replies, servers, exchange, f"exchange {at}")
    await compare_metrics(envoy, before, scenario["metrics"])


async def load(envoy: Envoy, configuration: Json) -> None:
    updates = envoy.discovery("update_attempt")
    envoy.push(configuration)
    # A configuration that is in force already counts as an attempt, and as no reload.
    await envoy.until(lambda: envoy.discovery("update_attempt") > updates, "a configuration to be taken")
    await asyncio.sleep(IN_FORCE_S)


async def play(client: Client, replies: Replies, servers: Servers, exchange: Json, what: str) -> None:
    for server in servers.values():
        server.received.clear()
    response = exchange.get("response")
    replies["scenario"] = reply_of(response) if response else Reply()
    connection, seen = await client.start(head_of(exchange["request"]))
    await send_body(connection, exchange["request"].get("body", []))
    if response and response.get("ends") == "client_leaves":
        await seen.body_reaches(len("".join(response["body"]).encode()))
        connection.abort()
    else:
        await seen.ended()
        connection.close()
    arrived = [(version, received) for version, server in servers.items() for received in server.received]
    if response:
        [(version, received)] = arrived
        compare_upstream(version, received, exchange.get("upstream", {}), what)
    else:
        assert not arrived, f"{what}: the filter was to answer"
    compare_client(seen, exchange.get("client", {}), what)


def head_of(request: Json) -> bytes:
    body = request.get("body", [])
    headers = dict(request["headers"]) | {"x-test-reply": "scenario"}
    if body:
        headers = {"content-type": "application/json", "content-length": str(len("".join(body).encode()))} | headers
    lines = [f"{request['method']} {request['path']} HTTP/1.1", f"host: {HOST.decode()}"]
    for name, value in headers.items():
        lines += [f"{name}: {line}" for line in (value if isinstance(value, list) else [value])]
    return "\r\n".join([*lines, "", ""]).encode()


async def send_body(connection: Connection, pieces: list[str]) -> None:
    for piece in pieces:
        await asyncio.sleep(PIECE_GAP_S)
        connection.send_more(piece.encode())


def reply_of(response: Json) -> Reply:
    steps: list[Step] = [piece.encode() for piece in response["body"]]
    match response.get("ends"):
        case "cut":
            steps.append(PIECE_GAP_S)
            steps.append(Ending.RESET)
        case "client_leaves":
            steps.append(asyncio.Event())
    headers = dict(response["headers"])
    content_type = headers.pop("content-type", None)
    return Reply(
        steps=tuple(steps),
        status=response["status"],
        content_type=content_type,
        headers=tuple((name.encode(), value.encode()) for name, value in headers.items()),
    )


def compare_upstream(version: str, received: Received, expected: Json, what: str) -> None:
    if "cluster" in expected:
        assert f"llm-{version}" == expected["cluster"], what
    if "path" in expected:
        assert received.target.decode() == expected["path"], what
    for name, value in expected.get("headers", {}).items():
        found = received.header(b"host" if name == ":authority" else name.encode())
        assert found == ([] if value is None else [value.encode()]), f"{what}: {name}"
    if "body" in expected:
        assert received.body.decode() == expected["body"], what


def compare_client(seen: Exchange, expected: Json, what: str) -> None:
    if "status" in expected:
        assert seen.status == expected["status"], what
    for name, value in expected.get("headers", {}).items():
        assert seen.header(name.encode()) == (None if value is None else value.encode()), f"{what}: {name}"
    if "body" in expected:
        assert seen.body.decode() == expected["body"], what


async def compare_metrics(envoy: Envoy, before: Snapshot, expected: dict[str, int]) -> None:
    def found(seen: Snapshot) -> dict[str, int]:
        sums = {}
        for series in expected:
            match = SERIES.fullmatch(series)
            assert match is not None, series
            labels = dict(label.split("=") for label in match[2].split(",") if label)
            sums[series] = int(seen.sum(match[1], **labels))
        return sums

    await envoy.settled(lambda seen: found(seen) == expected, before)
    assert found(await envoy.flushed() - before) == expected
