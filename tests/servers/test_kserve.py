"""KServe's model servers behind Envoy: their OpenAI paths in front of llama.cpp, and their own protocol. Then two of
each, told apart by the host, as behind Knative, and by their models' names.
"""

import json
from pathlib import Path
from typing import Any

import openai
import pytest

from pylib.http1 import request
from tests.harness import REPOSITORY, Json
from tests.harness.config import config
from tests.harness.dependencies import Dependency
from tests.harness.envoy import Envoy, http_manager, shipped_listener
from tests.harness.fixtures import ClientOf, Run, StartEnvoy
from tests.harness.hosts import WASM, on
from tests.harness.ports import free_port
from tests.servers.conftest import AskAll, StartLlama, StartServer, asks
from tests.servers.server import Server
from tests.servers.views import assert_same

pytestmark = on(WASM.current)  # what servers say does not depend on it

ASKS_EACH = 4
SPLIT_ASKS_EACH = 12
TEXT = "one zwei τρία 四 🚀"
EXAMPLE = REPOSITORY / "envoy" / "examples" / "kserve.json"


@pytest.fixture(scope="module")
def servers(dependency: Dependency, start_server: StartServer, start_llama: StartLlama) -> dict[str, Server]:
    """Each serves what it calls `tiny` and `echo`, and what only it has: `llm-v1` and `rank-v1`, or `-v2`."""
    llama = start_llama("v1")
    upstream = f"http://127.0.0.1:{llama.port}"
    program = Path(__file__).parent / "kserve_models.py"
    started = {}
    for version in ("v1", "v2"):
        port = free_port()
        command = [dependency("kserve"), program, "--http_port", port, "--upstream", upstream]
        command += ["--chat", "tiny", "--chat", f"llm-{version}", "--echo", "echo", "--echo", f"rank-{version}"]
        started[version] = start_server(f"kserve-{version}", command, port, "/v2/health/ready")
    for server in (llama, *started.values()):
        server.wait()
    return started


@pytest.fixture(scope="module")
def envoy(start_envoy: StartEnvoy) -> Envoy:
    return start_envoy(config())


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("api", ["chat", "completions"])
def test_the_sums_are_what_the_client_reports(envoy: Envoy, run: Run, ask_all: AskAll, api: str, stream: bool) -> None:
    before = envoy.stats()
    views = ask_all(envoy, asks(api, stream, ASKS_EACH), path="/openai")
    seen = run(envoy.counted(ASKS_EACH, since=before))
    if (api, stream) == ("chat", True):
        assert not any(view["output"] for view in views), "this version drops a chat stream's usage"
        assert seen.sum("llm_usage_missing_total") == ASKS_EACH
    assert_same(seen, views)


def infer(model: str, text: str, conversation: str = "c1") -> bytes:
    inputs = [{"name": "text_input", "shape": [1], "datatype": "BYTES", "data": [text]}]
    target = f"/v2/models/{model}/infer".encode()
    headers = [(b"x-conversation-id", conversation.encode())]
    return request(target=target, headers=headers, body=json.dumps({"inputs": inputs}).encode())


@pytest.mark.parametrize(
    ("text", "status", "outcome", "chars"),
    [(TEXT, 200, "complete", len(TEXT)), ("fail", 500, "http_error", 0)],
    ids=["answer", "error"],
)
async def test_infer(envoy: Envoy, client_of: ClientOf, text: str, status: int, outcome: str, chars: int) -> None:
    before = envoy.stats()
    exchange = await client_of(envoy).send(infer("echo", text))
    assert exchange.complete and exchange.status == status
    if status == 200:
        [output] = json.loads(exchange.body)["outputs"]
        assert output["data"] == [text]
    seen = await envoy.counted(1, since=before)
    assert seen.by("llm_requests_total", "llm_outcome") == {outcome: 1}
    assert seen.sum("llm_response_chars_total") == chars


@pytest.fixture(scope="module")
def split_envoy(start_envoy: StartEnvoy) -> Envoy:
    """envoy/examples/kserve.json at an even split. All versions are behind one gateway, as with Knative: another
    listener, which finds the server by its host, and answers 404 for any other host.
    """
    text = EXAMPLE.read_text()
    assert text.count('-v2": 10') == 2
    gateway = free_port()

    def with_gateway(bootstrap: Json) -> None:
        listener = json.loads(json.dumps(shipped_listener(bootstrap)))
        listener["name"] = "gateway"
        listener["address"]["socket_address"]["port_value"] = gateway
        manager = http_manager({"static_resources": {"listeners": [listener]}})
        manager["http_filters"] = [one for one in manager["http_filters"] if one["name"] == "envoy.filters.http.router"]
        manager["route_config"] = {
            "virtual_hosts": [
                {
                    "name": version,
                    "domains": [f"{model}-{version}.models.example.com" for model in ("llm", "rank")],
                    "routes": [{"match": {"prefix": "/"}, "route": {"cluster": f"llm-{version}", "timeout": "0s"}}],
                }
                for version in ("v1", "v2")
            ]
        }
        bootstrap["static_resources"]["listeners"].append(listener)

    configuration = json.loads(text.replace('-v2": 10', '-v2": 50'))
    return start_envoy(configuration, ports={"kserve": gateway}, edit=with_gateway)


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
async def test_each_answer_is_from_the_service_that_the_filter_says(split_envoy: Envoy, stream: bool) -> None:
    before = split_envoy.stats()
    versions = []
    async with openai.AsyncOpenAI(base_url=f"http://127.0.0.1:{split_envoy.port}/v1", api_key="none") as sdk:
        for number in range(SPLIT_ASKS_EACH):
            raw = await sdk.chat.completions.with_raw_response.create(
                model="llm",
                messages=[{"role": "user", "content": TEXT * (1 + number)}],
                max_tokens=4,
                stream=stream,
                extra_headers={"x-conversation-id": f"c{number}"},
            )
            versions.append(raw.headers["x-llm-version"])
            answer: Any = raw.parse()
            answers = [chunk async for chunk in answer] if stream else [answer]
            assert {one.model for one in answers} == {versions[-1]}
    assert set(versions) == {"llm-v1", "llm-v2"}
    seen = await split_envoy.counted(SPLIT_ASKS_EACH, since=before)
    assert seen.by("llm_requests_total", "llm_version") == {one: versions.count(one) for one in set(versions)}
    assert seen.by("llm_requests_total", "llm_outcome") == {"complete": SPLIT_ASKS_EACH}
    assert seen.sum("llm_version_mismatch_total") == 0


async def test_the_same_by_its_own_protocol(split_envoy: Envoy, client_of: ClientOf) -> None:
    before = split_envoy.stats()
    raws = [infer("rank", TEXT, f"c{number}") for number in range(SPLIT_ASKS_EACH)]
    versions = []
    for exchange in await client_of(split_envoy).send_all(raws, at_once=4):
        versions.append((exchange.header(b"x-llm-version") or b"").decode())
        assert exchange.status == 200 and json.loads(exchange.body)["model_name"] == versions[-1]
    assert set(versions) == {"rank-v1", "rank-v2"}
    seen = await split_envoy.counted(SPLIT_ASKS_EACH, since=before)
    assert seen.by("llm_requests_total", "llm_version") == {one: versions.count(one) for one in set(versions)}
    assert seen.sum("llm_version_mismatch_total") == 0
