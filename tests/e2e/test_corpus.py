"""Recorded responses through real Envoy: the sums of the index, and every byte as the server sent it."""

import random
from collections.abc import Callable

import pytest

from pylib.http1 import request
from pylib.prometheus import Snapshot
from tests.harness import corpus, unavailable
from tests.harness.config import CLUSTERS, config, rollout
from tests.harness.fixtures import ClientOf, StartEnvoy
from tests.harness.hosts import EACH_VERSION
from tests.harness.upstream import Framing, Replies, Reply, cut_at_random, cut_into_bytes, events

RECORDINGS_MAX = 100
BYTE_BY_BYTE_BYTES_MAX = 2_000


@pytest.fixture(scope="module")
def recordings() -> list[corpus.Recording]:
    if not corpus.is_there():
        unavailable(f"there are no recorded responses at {corpus.folder()}")
    return corpus.selection(RECORDINGS_MAX)


def cut(recording: corpus.Recording, seed: int) -> tuple[bytes, ...]:
    """The body in writes, in one of the ways that servers write."""
    body = recording.body
    ways: list[Callable[[], tuple[bytes, ...]]] = [
        lambda: (body,),
        lambda: events(body),
        lambda: cut_at_random(body, seed),
    ]
    if len(body) <= BYTE_BY_BYTE_BYTES_MAX:
        ways.append(lambda: cut_into_bytes(body))
    return ways[seed % len(ways)]()


def test_the_selection_covers_what_there_is(recordings: list[corpus.Recording]) -> None:
    """A small corpus has fewer recordings, and not every finish."""
    assert len({recording.file for recording in recordings}) == len(recordings)
    assert {recording.dialect for recording in recordings} == set(corpus.DIALECTS)
    assert {recording.is_stream for recording in recordings} == {True, False}
    assert {recording.outcome for recording in recordings} >= {"complete", "http_error", "stream_error"}
    if len(recordings) == RECORDINGS_MAX:
        finishes = {recording.finish for recording in recordings}
        assert finishes >= {"stop", "length", "tool_calls", "content_filter", "none"}
        assert 0.3 <= sum(recording.is_stream for recording in recordings) / len(recordings) <= 0.7


@EACH_VERSION
async def test_sums_and_bytes(
    start_envoy: StartEnvoy, client_of: ClientOf, replies: Replies, recordings: list[corpus.Recording]
) -> None:
    envoy = start_envoy(config(rollout(split={"v2": 50})))
    before = envoy.stats()
    dice = random.Random(4)
    for seed, recording in enumerate(recordings):
        replies[recording.file] = Reply(
            steps=cut(recording, seed),
            status=recording.status,
            content_type=recording.content_type,
            framing=Framing.CHUNKED if recording.is_stream or dice.random() < 0.5 else Framing.LENGTH,
        )
    requests = [request(headers=[(b"x-conversation-id", r.key), (b"x-test-reply", r.key)]) for r in recordings]

    exchanges = await client_of(envoy).send_all(requests, at_once=8)

    for recording, exchange in zip(recordings, exchanges, strict=True):
        assert exchange.complete and exchange.status == recording.status, recording.file
        assert exchange.body == recording.body, f"{recording.file} came through changed"
    seen = await envoy.counted(len(recordings), since=before)
    for name in CLUSTERS:
        on_version = [
            r
            for r, exchange in zip(recordings, exchanges, strict=True)
            if exchange.header(b"x-llm-version") == name.encode()
        ]
        assert len(on_version) > len(recordings) / 10
        assert_sums(seen, corpus.Expected(on_version), llm_version=name)


def assert_sums(seen: Snapshot, expected: corpus.Expected, **labels: str) -> None:
    def total(name: str) -> float:
        return seen.sum(name, **labels)

    assert seen.by("llm_requests_total", "llm_outcome", **labels) == expected.outcomes
    assert seen.by("llm_finish_total", "llm_finish", **labels) == expected.finishes
    assert total("llm_response_chars_total") == expected.chars
    assert total("llm_response_chars_squared_total") == expected.chars_squared
    tokens = seen.by("llm_tokens_total", "llm_token", **labels)
    assert tokens == {kind: count for kind, count in expected.tokens.items() if count}
    assert total("llm_tool_calls_total") == expected.tool_calls
    assert total("llm_tool_responses_total") == expected.tool_responses
    assert seen.by("llm_refusals_total", "llm_refusal", **labels) == (
        {"structured": expected.refusals} if expected.refusals else {}
    )
