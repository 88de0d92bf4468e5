"""KServe's model server behind Envoy: its OpenAI paths in front of llama.cpp, and its own protocol."""

import json
from pathlib import Path

import pytest
from conftest import asks
from harness.client import request
from harness.config import config
from server import free_port
from views import assert_same

ASKS_EACH = 4
TEXT = "one zwei τρία 四 🚀"


@pytest.fixture(scope="module")
def servers(part, start_server, start_llama):
    llama = start_llama("v1")
    port = free_port()
    upstream = f"http://127.0.0.1:{llama.port}"
    program = Path(__file__).parent / "kserve_models.py"
    command = [part("kserve"), program, "--http_port", port, "--upstream", upstream, "--model_name", "tiny"]
    kserve = start_server("kserve", command, port, "/v2/health/ready")
    llama.wait()
    kserve.wait()
    return {"v1": kserve, "v2": kserve}


@pytest.fixture(scope="module")
def envoy(start_envoy):
    return start_envoy(config())


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("api", ["chat", "completions"])
def test_the_sums_are_what_the_client_reports(envoy, run, ask_all, api, stream):
    before = envoy.stats()
    views = ask_all(envoy, asks(api, stream, ASKS_EACH), path="/openai")
    seen = run(envoy.counted(ASKS_EACH, since=before))
    if (api, stream) == ("chat", True):
        assert not any(view["output"] for view in views), "this version drops a chat stream's usage"
        assert seen.sum("llm_usage_missing_total") == ASKS_EACH
    assert_same(seen, views)


@pytest.mark.parametrize(
    ("text", "status", "outcome", "chars"),
    [(TEXT, 200, "complete", len(TEXT)), ("fail", 500, "http_error", 0)],
    ids=["answer", "error"],
)
async def test_infer(envoy, client_of, text, status, outcome, chars):
    before = envoy.stats()
    inputs = [{"name": "text_input", "shape": [1], "datatype": "BYTES", "data": [text]}]
    body = json.dumps({"inputs": inputs}).encode()
    headers = [(b"x-conversation-id", b"c1")]
    exchange = await client_of(envoy).send(request(target=b"/v2/models/echo/infer", headers=headers, body=body))
    assert exchange.complete and exchange.status == status
    if status == 200:
        [output] = json.loads(exchange.body)["outputs"]
        assert output["data"] == [text]
    seen = await envoy.counted(1, since=before)
    assert seen.by("llm_requests_total", "llm_outcome") == {outcome: 1}
    assert seen.sum("llm_response_chars_total") == chars
