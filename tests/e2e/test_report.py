"""`report` on a real Envoy: from requests to the page. v2 refuses more, is slower, says more and fails."""

import asyncio
import html
import itertools
import json
import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from pylib.http1 import request
from tests.e2e.conftest import RunTool, Servers
from tests.harness import Json
from tests.harness.config import config, rollout
from tests.harness.envoy import Envoy
from tests.harness.fixtures import Run, StartEnvoy
from tests.harness.ramp import now_ms, rfc3339
from tests.harness.traffic import Traffic
from tests.harness.upstream import ModelServer, Replies, Reply, Step, stream, whole

# The release began long ago, so no window is left out and no cache is cold.
BEGAN_MS = 3_600_000
KEYS, CLIENTS = 400, 12
TEXT = "the day was long and warm so we went down to see what boats had come from over sea with salt fish rope tea"
WATCHED = ("--every", "1s", "--for", "25s")
REFUSAL = "I'm sorry, but I can't help with that."


def text(words: int, seed: int) -> str:
    """So many words in no order."""
    return " ".join(random.Random(seed).choices(TEXT.split(" "), k=words))


def streamed(text: str, first_s: float) -> Reply:
    """The answer as a stream, a word at a time."""
    events: list[Json] = []
    for delta in [{"role": "assistant"}, *({"content": f"{word} "} for word in text.split(" "))]:
        events.append({"choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
    events.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    usage = {"prompt_tokens": 20, "completion_tokens": len(events), "total_tokens": 20 + len(events)}
    events.append({"choices": [], "usage": usage})
    each = [{"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": "m"} | event for event in events]
    texts = [f"data: {json.dumps(event)}\n\n".encode() for event in each]
    steps: list[Step] = [step for text in texts for step in (text, 0.001)]
    return stream(first_s, *steps, b"data: [DONE]\n\n")


def answers(words: int, first_s: float, count: int, refusals: int, errors: int) -> Iterator[Reply]:
    """So many answers, of many lengths, again and again."""
    lengths = [words // 2 + words * at // count for at in range(count - refusals - errors)]
    fine = [streamed(text(length, at), first_s) for at, length in enumerate(lengths)]
    failed = whole(b'{"error": {"message": "overloaded"}}', status=503)
    return itertools.cycle([*fine, *[streamed(REFUSAL, first_s)] * refusals, *[failed] * errors])


@pytest.fixture(scope="module")
def servers(run: Run) -> Iterator[Servers]:
    of_version: dict[str, Replies] = {
        "v1": {"turn": answers(20, 0.02, count=50, refusals=1, errors=1)},
        "v2": {"turn": answers(40, 0.08, count=20, refusals=5, errors=2)},
    }
    started = {version: run(ModelServer(version, replies).start()) for version, replies in of_version.items()}
    yield started
    for server in started.values():
        run(server.stop())


@pytest.fixture(scope="module")
def envoy(start_envoy: StartEnvoy) -> Envoy:
    steps = [{"at": rfc3339(now_ms() - BEGAN_MS), "percent": {"v2": 40}}]
    return start_envoy(config(rollout(refusal_phrases=True, steps=steps)))


async def test_a_page_about_real_traffic(envoy: Envoy, llm_canary: RunTool, tmp_path: Path) -> None:
    raws = [request(headers=[(b"x-conversation-id", b"k%d" % at), (b"x-test-reply", b"turn")]) for at in range(KEYS)]
    output = tmp_path / "release.html"
    async with Traffic(envoy.port, raws, CLIENTS) as traffic:
        await traffic.reaches(1000)
        source = ("--admin", envoy.admin_address, *WATCHED)
        file = envoy.file
        ran = await asyncio.to_thread(llm_canary, "report", file, *source, "-o", output, "--json")
    assert ran.returncode == 0, ran
    told = json.loads(ran.stdout)
    assert told["versions"][0]["verdict"] == "regression", told
    page = output.read_text()
    assert told["bytes"] == len(page.encode())
    assert html.escape(told["versions"][0]["because"][0], quote=False) in page
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found
    version = json.loads(found[1])["versions"][0]
    judged = {signal["name"]: signal["verdict"] for signal in version["analysis"]["signals"]}
    for name in ("errors", "refusals", "response_chars", "time_to_first_token_ms"):
        assert judged[name] == "worse", judged
    assert len(version["times_ms"]) >= 15
    trends = {trend["name"]: trend for trend in version["trends"]}
    for name in ("errors", "refusals", "response_chars", "time_to_first_token_ms", "time_per_output_token_us"):
        columns = ("version", "baseline", "ratio", "log_e", "log_e_no_worse")
        assert all(any(value is not None for value in trends[name][column]) for column in columns), name
    assert {shards["name"] for shards in version["shards"]} >= {"errors", "refusals"}
    assert {buckets["name"] for buckets in version["distributions"]} >= {"response_chars", "request_duration_ms"}
