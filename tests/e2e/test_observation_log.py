"""What the access log can print of each response, next to what `llm-canary replay` says of the same bytes."""

import asyncio
import json
from pathlib import Path

import pytest

from pylib.http1 import request
from tests.e2e.conftest import RunTool
from tests.harness import STREAMS, SUPPORTED, Json
from tests.harness.config import config, rollout
from tests.harness.envoy import http_manager
from tests.harness.fixtures import ClientOf, StartEnvoy
from tests.harness.upstream import Replies, events, stream, whole

CHAT = STREAMS / "openai-chat" / "chat-stream.sse"
BODY = b'{"messages":[{"role":"user","content":"Hi"}],"tools":[{"type":"function","function":{"name":"f"}}]}'


def logs_observations(bootstrap: Json) -> None:
    [log] = http_manager(bootstrap)["access_log"]
    log["typed_config"]["log_format"]["json_format"] = {"observation": "%FILTER_STATE(wasm.llm_observation:PLAIN)%"}


@pytest.mark.parametrize("version", SUPPORTED)
async def test_the_access_log_has_what_replay_says(
    start_envoy: StartEnvoy,
    client_of: ClientOf,
    replies: Replies,
    llm_canary: RunTool,
    tmp_path: Path,
    version: str,
) -> None:
    logged = rollout(split={"v2": 100}, log_observations=True)
    envoy = start_envoy(config(logged), version=version, edit=logs_observations)
    body = CHAT.read_bytes()
    replies["it"] = iter([stream(*events(body)), whole(b'{"error":{"message":"no"}}', status=429)])
    for _ in range(2):
        headers = ((b"x-conversation-id", b"c1"), (b"x-test-reply", b"it"))
        await client_of(envoy).send(request(b"POST", b"/v1/chat/completions", headers=headers, body=BODY))
    await envoy.until(lambda: len(envoy.access_log()) == 2, "two lines in the access log")
    first, second = [json.loads(json.loads(line)["observation"]) for line in envoy.access_log()]
    asked = tmp_path / "request.json"
    asked.write_bytes(BODY)
    replay = asyncio.to_thread(llm_canary, "replay", CHAT, "--request", asked, "--json")
    replayed = json.loads((await replay).stdout)
    assert {name: first[name] for name in replayed} == replayed
    named = {"rollout": "chat", "version": "v2", "reason": "split", "compare": True, "first_turn": True}
    named |= {"tools_offered": True, "json_asked": False, "defects": []}
    for line, status in ((first, 200), (second, 429)):
        assert {name: line[name] for name in named} == named
        assert (line["status"], line["shard"]) == (status, first["shard"])
        assert set(line) == set(first)
    assert first["duration_ms"] >= first["first_token_ms"] >= 0
    assert (second["outcome"], second["text_chars"]) == ("http_error", 0)
