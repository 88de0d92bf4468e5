"""What the access log can print of each response, next to what `llm-canary replay` says of the same bytes."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

from pylib.http1 import request
from tests.e2e.conftest import RunTool
from tests.harness import STREAMS, Json
from tests.harness.answers import Answer, Asked, Call, Mode
from tests.harness.config import config, rollout
from tests.harness.dialects import DIALECTS
from tests.harness.envoy import Envoy, http_manager
from tests.harness.fixtures import ClientOf, StartEnvoy
from tests.harness.hosts import EACH_VERSION
from tests.harness.upstream import Replies, cut_at_random, events, stream, whole
from tests.harness.wire import Style, dump

CHAT = STREAMS / "openai-chat" / "chat-stream.sse"
BODY = b'{"messages":[{"role":"user","content":"Hi"}],"tools":[{"type":"function","function":{"name":"f"}}]}'
TOOLS = Asked(tools=("get_level",))
DEFECTIVE = {
    "reasoning": (Answer(reasoning="Hm, ⚙️."), Asked()),
    "tools": (Answer(calls=(Call("search", "{"),)), TOOLS),
    "json": (Answer(reasoning="Hm.", text="Nein\ufffd"), Asked(json=True)),
    "nothing wrong": (Answer(text="[1]"), Asked(TOOLS.tools, json=True)),
}


def logs_observations(bootstrap: Json) -> None:
    [log] = http_manager(bootstrap)["access_log"]
    log["typed_config"]["log_format"]["json_format"] = {"observation": "%FILTER_STATE(wasm.llm_observation:PLAIN)%"}


def has_lines(envoy: Envoy, count: int) -> Callable[[], bool]:
    return lambda: len(envoy.access_log()) == count


@EACH_VERSION
async def test_the_access_log_has_what_replay_says(
    start_envoy: StartEnvoy,
    client_of: ClientOf,
    replies: Replies,
    llm_canary: RunTool,
    tmp_path: Path,
) -> None:
    logged = rollout(split={"v2": 100}, log_observations=True)
    envoy = start_envoy(config(logged), edit=logs_observations)
    body = CHAT.read_bytes()
    replies["it"] = iter([stream(*events(body)), whole(b'{"error":{"message":"no"}}', status=429)])
    for _ in range(2):
        headers = ((b"x-conversation-id", b"c1"), (b"x-test-reply", b"it"))
        await client_of(envoy).send(request(b"POST", b"/v1/chat/completions", headers=headers, body=BODY))
    await envoy.until(has_lines(envoy, 2), "two lines in the access log")
    first, second = [json.loads(json.loads(line)["observation"]) for line in envoy.access_log()]
    (tmp_path / "request").write_bytes(BODY)
    arguments = ("replay", CHAT, "--json", "--request", tmp_path / "request")
    replayed = json.loads((await asyncio.to_thread(llm_canary, *arguments)).stdout)
    assert {name: first[name] for name in replayed} == replayed
    named = {"rollout": "chat", "version": "v2", "reason": "split", "compare": True, "first_turn": True}
    named |= {"tools_offered": True, "json_asked": False, "defects": []}
    for line, status in ((first, 200), (second, 429)):
        assert {name: line[name] for name in named} == named
        assert (line["status"], line["shard"]) == (status, first["shard"])
        assert set(line) == set(first)
    assert first["duration_ms"] >= first["first_token_ms"] >= 0
    assert (second["outcome"], second["text_chars"]) == ("http_error", 0)


@EACH_VERSION
async def test_defects_and_what_was_asked_for(
    start_envoy: StartEnvoy,
    client_of: ClientOf,
    replies: Replies,
    llm_canary: RunTool,
    tmp_path: Path,
) -> None:
    logged = rollout(split={"v2": 100}, log_observations=True)
    envoy = start_envoy(config(logged), edit=logs_observations)
    chat, client = Mode(DIALECTS[0], is_streamed=True), client_of(envoy)
    for at, (name, (answer, asked)) in enumerate(DEFECTIVE.items(), start=1):
        response, body = chat.encode([answer], Style()).bytes, dump(chat.dialect.ask(asked), Style())
        replies["it"] = stream(*cut_at_random(response, seed=1))
        await client.send(request(headers=((b"x-conversation-id", b"c1"), (b"x-test-reply", b"it")), body=body))
        await envoy.until(has_lines(envoy, at), f"{at} lines in the access log")
        line = json.loads(json.loads(envoy.access_log()[-1])["observation"])
        (tmp_path / "response").write_bytes(response)
        (tmp_path / "request").write_bytes(body)
        arguments = ("replay", tmp_path / "response", "--json", "--request", tmp_path / "request")
        replayed = json.loads((await asyncio.to_thread(llm_canary, *arguments)).stdout)
        assert {field: line[field] for field in replayed} == replayed, name
        assert line["reasoning_chars"] == len(answer.reasoning), name
        assert (line["tools_offered"], line["json_asked"]) == (bool(asked.tools), asked.json), name
        assert bool(line["defects"]) == (name != "nothing wrong"), name
