"""The official OpenAI client through Envoy: the statistics say what the client reads out of its responses."""

from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest

from pylib.prometheus import Snapshot
from tests.harness import STREAMS
from tests.harness.config import config, rollout
from tests.harness.envoy import Envoy
from tests.harness.fixtures import Run, StartEnvoy
from tests.harness.hosts import EACH_VERSION
from tests.harness.upstream import Replies, cut_at_random, stream, whole

pytestmark = EACH_VERSION

CONVERSATION = {"x-conversation-id": "sdk"}


@pytest.fixture(scope="module")
def envoy(start_envoy: StartEnvoy) -> Envoy:
    return start_envoy(config(rollout(split={"v2": 100})))


@pytest.fixture
def sdk(envoy: Envoy) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"http://127.0.0.1:{envoy.port}/v1", api_key="none", max_retries=0) as client:
        yield client


@pytest.fixture
def counted(envoy: Envoy, run: Run) -> Callable[[], Snapshot]:
    """Waits until one more request is counted than when the test began, and returns the difference."""
    before = envoy.stats()
    return lambda: run(envoy.counted(1, since=before))


def assert_same_view(seen: Snapshot, text: str, usage: Any) -> None:
    assert seen.by("llm_requests_total", "llm_outcome", llm_version="v2") == {"complete": 1}
    assert text and seen.sum("llm_response_chars_total", llm_version="v2") == len(text)
    assert seen.sum("llm_tokens_total", llm_token="input") == usage.prompt_tokens
    assert seen.sum("llm_tokens_total", llm_token="output") == usage.completion_tokens
    assert seen.sum("llm_tokens_total", llm_token="cached_input") == usage.prompt_tokens_details.cached_tokens > 0
    assert seen.sum("llm_tokens_total", llm_token="reasoning") == usage.completion_tokens_details.reasoning_tokens > 0


@pytest.mark.parametrize("seed", range(3))
def test_chat_streamed(sdk: openai.OpenAI, replies: Replies, counted: Callable[[], Snapshot], seed: int) -> None:
    replies["it"] = stream(*cut_at_random((STREAMS / "openai-chat" / "e2e-chat-usage.sse").read_bytes(), seed))
    chunks = list(
        sdk.chat.completions.create(
            model="chat-large",
            messages=[{"role": "user", "content": "hello"}],
            stream=True,
            stream_options={"include_usage": True},
            extra_headers=CONVERSATION | {"x-test-reply": "it"},
        )
    )
    text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    [usage] = [chunk.usage for chunk in chunks if chunk.usage]
    seen = counted()
    assert_same_view(seen, text, usage)
    [finish] = [choice.finish_reason for chunk in chunks for choice in chunk.choices if choice.finish_reason]
    assert seen.by("llm_finish_total", "llm_finish") == {finish: 1}


def test_chat_whole(sdk: openai.OpenAI, replies: Replies, counted: Callable[[], Snapshot]) -> None:
    replies["it"] = whole((STREAMS / "openai-chat" / "e2e-chat-whole.json").read_bytes())
    answer = sdk.chat.completions.with_raw_response.create(
        model="chat-large",
        messages=[{"role": "user", "content": "hello"}],
        extra_headers=CONVERSATION | {"x-test-reply": "it"},
    )
    assert answer.headers["x-llm-version"] == "v2"
    completion = answer.parse()
    seen = counted()
    assert_same_view(seen, "".join(choice.message.content or "" for choice in completion.choices), completion.usage)
    calls = sum(len(choice.message.tool_calls or []) for choice in completion.choices)
    assert calls == 2 and seen.sum("llm_tool_calls_total") == calls
    assert seen.sum("llm_tool_responses_total") == 1


@pytest.mark.parametrize("seed", range(2))
def test_completions_streamed(sdk: openai.OpenAI, replies: Replies, counted: Callable[[], Snapshot], seed: int) -> None:
    replies["it"] = stream(
        *cut_at_random((STREAMS / "openai-completions" / "e2e-completions-usage.sse").read_bytes(), seed)
    )
    chunks = list(
        sdk.completions.create(
            model="chat-large",
            prompt="hello",
            stream=True,
            stream_options={"include_usage": True},
            extra_headers=CONVERSATION | {"x-test-reply": "it"},
        )
    )
    text = "".join(choice.text for chunk in chunks for choice in chunk.choices)
    [usage] = [chunk.usage for chunk in chunks if chunk.usage]
    assert_same_view(counted(), text, usage)


def test_an_error_is_one_for_both(sdk: openai.OpenAI, replies: Replies, counted: Callable[[], Snapshot]) -> None:
    replies["it"] = whole(b'{"error":{"message":"too long","type":"invalid_request_error"}}', status=400)
    with pytest.raises(openai.BadRequestError, match="too long"):
        sdk.chat.completions.create(
            model="chat-large",
            messages=[{"role": "user", "content": "hello"}],
            extra_headers=CONVERSATION | {"x-test-reply": "it"},
        )
    assert counted().by("llm_requests_total", "llm_outcome") == {"http_error": 1}
