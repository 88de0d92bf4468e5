"""Triton behind Envoy: whole and streamed answers, and the three places in which it puts an error."""

import json
from pathlib import Path

import pytest
from harness.client import request
from harness.config import config

TEXT = "one zwei τρία 四 🚀"
STREAMED = "".join(f"{word} " for word in TEXT.split())
MODELS = Path(__file__).parent / "triton"


@pytest.fixture(scope="module")
def servers(start_triton):
    server = start_triton(MODELS)
    server.wait()
    return {"v1": server, "v2": server}


@pytest.fixture(scope="module")
def envoy(start_envoy):
    return start_envoy(config())


@pytest.fixture
def ask(envoy, client_of):
    """Sends one text to a model's endpoint; returns the exchange, and the statistics' difference."""

    async def send(endpoint, text):
        before = envoy.stats()
        body = json.dumps({"text_input": text}).encode()
        if endpoint.endswith("/infer"):
            body = json.dumps(
                {"inputs": [{"name": "text_input", "shape": [1], "datatype": "BYTES", "data": [text]}]}
            ).encode()
        headers = [(b"x-conversation-id", b"c1")]
        target = f"/v2/models/{endpoint}".encode()
        exchange = await client_of(envoy).send(request(target=target, headers=headers, body=body))
        assert exchange.complete
        return exchange, await envoy.counted(1, since=before)

    return send


def documents(body):
    """Those of an event stream."""
    return [json.loads(event.removeprefix("data: ")) for event in bytes(body).decode().strip().split("\n\n")]


def assert_counted(seen, outcome, chars):
    assert seen.by("llm_requests_total", "llm_outcome") == {outcome: 1}
    assert seen.sum("llm_response_chars_total") == chars
    assert seen.by("llm_tokens_total", "llm_token") == {}, "it reports none"
    assert seen.sum("llm_unread_total") == 0


async def test_generate(ask):
    exchange, seen = await ask("whole/generate", TEXT)
    assert exchange.status == 200 and json.loads(exchange.body)["text_output"] == TEXT
    assert_counted(seen, "complete", len(TEXT))


async def test_generate_stream(ask):
    exchange, seen = await ask("llm/generate_stream", TEXT)
    assert "".join(document["text_output"] for document in documents(exchange.body)) == STREAMED
    assert_counted(seen, "complete", len(STREAMED))
    assert seen.sum("llm_time_to_first_token_ms_count") == 1


async def test_infer(ask):
    exchange, seen = await ask("whole/infer", TEXT)
    [output] = json.loads(exchange.body)["outputs"]
    assert output["data"] == [TEXT]
    assert_counted(seen, "complete", len(TEXT))


async def test_an_error_with_status_200(ask):
    """A streaming model asked for one answer."""
    exchange, seen = await ask("llm/generate", TEXT)
    assert exchange.status == 200 and "error" in json.loads(exchange.body)
    assert_counted(seen, "stream_error", 0)


async def test_an_error_halfway_through_a_stream(ask):
    exchange, seen = await ask("llm/generate_stream", "one zwei fail never")
    assert exchange.status == 200
    *said, error = documents(exchange.body)
    assert [document["text_output"] for document in said] == ["one ", "zwei "] and "told to fail" in error["error"]
    assert_counted(seen, "stream_error", len("one zwei "))


@pytest.mark.parametrize("endpoint", ["llm/generate_stream", "whole/generate"])
async def test_an_error_before_any_output(ask, endpoint):
    """Triton says 400 although the server is to blame; a rate of 5xx alone would call it healthy."""
    exchange, seen = await ask(endpoint, "fail")
    assert exchange.status == 400 and b"told to fail" in exchange.body
    assert_counted(seen, "http_error", 0)


async def test_a_model_that_is_not_there(ask):
    exchange, seen = await ask("none/generate_stream", TEXT)
    assert exchange.status >= 400
    assert_counted(seen, "http_error", 0)
