"""Triton behind Envoy: whole and streamed answers, the three places in which it puts an error, and a model's versions
behind one server, which are chosen by the path.
"""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from pylib.client import Exchange
from pylib.http1 import request
from pylib.prometheus import Snapshot
from tests.harness import REPOSITORY, Json
from tests.harness.config import config
from tests.harness.envoy import Envoy
from tests.harness.fixtures import ClientOf, StartEnvoy
from tests.harness.hosts import WASM, on
from tests.servers.server import Server

pytestmark = on(WASM.current)  # what servers say does not depend on it

AskOne = Callable[[str, str], Awaitable[tuple[Exchange, Snapshot]]]

TEXT = "one zwei τρία 四 🚀"
STREAMED = "".join(f"{word} " for word in TEXT.split())
MODELS = Path(__file__).parent / "triton"
EXAMPLE = REPOSITORY / "envoy" / "examples" / "triton.json"
SHARE, EVEN = '"percent": { "2": 10 }', '"percent": { "2": 50 }'
ASKS_EACH = 20


@pytest.fixture(scope="module")
def servers(start_triton: Callable[[Path], Server]) -> dict[str, Server]:
    server = start_triton(MODELS)
    server.wait()
    return {"v1": server, "v2": server}


@pytest.fixture(scope="module")
def envoy(start_envoy: StartEnvoy) -> Envoy:
    return start_envoy(config())


def asked(endpoint: str, text: str, conversation: str = "c1") -> bytes:
    """A request that sends one text to a model's endpoint."""
    body: Json = {"text_input": text}
    if endpoint.endswith("/infer"):
        body = {"inputs": [{"name": "text_input", "shape": [1], "datatype": "BYTES", "data": [text]}]}
    headers = [(b"x-conversation-id", conversation.encode())]
    return request(target=f"/v2/models/{endpoint}".encode(), headers=headers, body=json.dumps(body).encode())


@pytest.fixture
def ask(envoy: Envoy, client_of: ClientOf) -> AskOne:
    """Sends one text to a model's endpoint; returns the exchange, and the statistics' difference."""

    async def send(endpoint: str, text: str) -> tuple[Exchange, Snapshot]:
        before = envoy.stats()
        exchange = await client_of(envoy).send(asked(endpoint, text))
        assert exchange.complete
        return exchange, await envoy.counted(1, since=before)

    return send


def documents(body: bytes | bytearray) -> list[Json]:
    """The documents of an event stream."""
    return [json.loads(event.removeprefix("data: ")) for event in bytes(body).decode().strip().split("\n\n")]


def outputs(body: bytes | bytearray) -> Json:
    """The outputs of version 2 of KServe's protocol."""
    return {output["name"]: output["data"] for output in json.loads(body)["outputs"]}


def assert_counted(seen: Snapshot, outcome: str, chars: int) -> None:
    assert seen.by("llm_requests_total", "llm_outcome") == {outcome: 1}
    assert seen.sum("llm_response_chars_total") == chars
    assert seen.by("llm_tokens_total", "llm_token") == {}, "it reports none"
    assert seen.sum("llm_unread_total") == 0


async def test_generate(ask: AskOne) -> None:
    exchange, seen = await ask("whole/generate", TEXT)
    assert exchange.status == 200 and json.loads(exchange.body)["text_output"] == TEXT
    assert_counted(seen, "complete", len(TEXT))


async def test_generate_stream(ask: AskOne) -> None:
    exchange, seen = await ask("llm/generate_stream", TEXT)
    assert "".join(document["text_output"] for document in documents(exchange.body)) == STREAMED
    assert_counted(seen, "complete", len(STREAMED))
    assert seen.sum("llm_time_to_first_token_ms_count") == 1


async def test_infer(ask: AskOne) -> None:
    exchange, seen = await ask("whole/infer", TEXT)
    assert outputs(exchange.body)["text_output"] == [TEXT]
    assert_counted(seen, "complete", len(TEXT))


async def test_an_error_with_status_200(ask: AskOne) -> None:
    """A streaming model is asked for one answer."""
    exchange, seen = await ask("llm/generate", TEXT)
    assert exchange.status == 200 and "error" in json.loads(exchange.body)
    assert_counted(seen, "stream_error", 0)


async def test_an_error_halfway_through_a_stream(ask: AskOne) -> None:
    exchange, seen = await ask("llm/generate_stream", "one zwei fail never")
    assert exchange.status == 200
    *said, error = documents(exchange.body)
    assert [document["text_output"] for document in said] == ["one ", "zwei "] and "told to fail" in error["error"]
    assert_counted(seen, "stream_error", len("one zwei "))


@pytest.mark.parametrize("endpoint", ["llm/generate_stream", "whole/generate"])
async def test_an_error_before_any_output(ask: AskOne, endpoint: str) -> None:
    """Triton answers 400 although the server is to blame. A rate of 5xx alone would call it healthy."""
    exchange, seen = await ask(endpoint, "fail")
    assert exchange.status == 400 and b"told to fail" in exchange.body
    assert_counted(seen, "http_error", 0)


async def test_a_model_that_is_not_there(ask: AskOne) -> None:
    exchange, seen = await ask("none/generate_stream", TEXT)
    assert exchange.status >= 400
    assert_counted(seen, "http_error", 0)


@pytest.fixture(scope="module")
def split_envoy(start_envoy: StartEnvoy) -> Envoy:
    """envoy/examples/triton.json at an even split, for each of the models."""
    text = EXAMPLE.read_text()
    assert text.count(SHARE) == 1
    text = text.replace(SHARE, EVEN)
    of_both = [json.loads(text.replace("llm", "whole").replace("whole-v1", "llm-v1")), json.loads(text)]
    return start_envoy(config(*(rollout for one in of_both for rollout in one["rollouts"])))


def said_by(endpoint: str, body: bytes) -> set[str]:
    """The version of the model that answered, as its own code says and as Triton says."""
    if endpoint.endswith("/infer"):
        return {*map(str, outputs(body)["said_by"]), json.loads(body)["model_version"]}
    answers = documents(body) if endpoint.endswith("_stream") else [json.loads(body)]
    return {str(answer[name]) for answer in answers for name in ("said_by", "model_version")}


@pytest.mark.parametrize("endpoint", ["llm/generate_stream", "whole/generate_stream", "whole/generate", "whole/infer"])
async def test_each_answer_is_from_the_version_that_the_filter_says(
    split_envoy: Envoy, client_of: ClientOf, endpoint: str
) -> None:
    before = split_envoy.stats()
    raws = [asked(endpoint, TEXT, f"c{number}") for number in range(ASKS_EACH)]
    versions = []
    for exchange in await client_of(split_envoy).send_all(raws, at_once=4):
        assert exchange.status == 200 and exchange.complete
        versions.append((exchange.header(b"x-llm-version") or b"").decode())
        assert said_by(endpoint, bytes(exchange.body)) == {versions[-1]}
    assert set(versions) == {"1", "2"}
    seen = await split_envoy.counted(ASKS_EACH, since=before)
    assert seen.by("llm_requests_total", "llm_version") == {one: versions.count(one) for one in ("1", "2")}
    assert seen.sum("llm_version_mismatch_total") == 0


async def test_who_names_a_version_gets_it(split_envoy: Envoy, client_of: ClientOf) -> None:
    for version in ("1", "2"):
        endpoint = f"whole/versions/{version}/generate"
        exchange = await client_of(split_envoy).send(asked(endpoint, TEXT))
        assert said_by(endpoint, bytes(exchange.body)) == {version}


async def test_a_version_that_is_not_the_one_chosen_is_noticed(start_envoy: StartEnvoy, client_of: ClientOf) -> None:
    """Without rewriting, Triton answers from the newest version."""
    [_, rollout] = json.loads(EXAMPLE.read_text().replace(SHARE, EVEN))["rollouts"]
    for version in rollout["versions"]:
        del version["rewrite"]
    envoy = start_envoy(config(rollout))
    before = envoy.stats()
    raws = [asked("llm/generate_stream", TEXT, f"c{number}") for number in range(ASKS_EACH)]
    exchanges = await client_of(envoy).send_all(raws, at_once=4)
    on_first = [exchange for exchange in exchanges if exchange.header(b"x-llm-version") == b"1"]
    seen = await envoy.counted(ASKS_EACH, since=before)
    assert seen.by("llm_version_mismatch_total", "llm_version") == {"1": len(on_first)} and on_first
