"""Recorded responses through real Envoy: the sums of the index, and every byte as the server sent it."""

import random

import pytest
from harness import SUPPORTED, corpus, unavailable
from harness.client import request
from harness.config import CLUSTERS, config, rollout
from harness.upstream import Framing, Reply, cut_at_random, cut_into_bytes, events

RECORDINGS = 100
BYTE_BY_BYTE_BYTES_MAX = 2_000


@pytest.fixture(scope="module")
def recordings():
    if not (corpus.FOLDER / "INDEX.tsv").exists():
        unavailable("the recorded responses are not there; say where they are with LLM_CANARY_CORPUS")
    return corpus.selection(RECORDINGS)


def cut(recording, seed):
    """The body in writes of one of the ways a server may choose."""
    body = recording.body
    ways = [lambda: (body,), lambda: events(body), lambda: cut_at_random(body, seed)]
    if len(body) <= BYTE_BY_BYTE_BYTES_MAX:
        ways.append(lambda: cut_into_bytes(body))
    return ways[seed % len(ways)]()


def test_the_selection_covers_what_there_is(recordings):
    assert len({recording.file for recording in recordings}) == RECORDINGS
    assert {recording.dialect for recording in recordings} == set(corpus.DIALECTS)
    assert {recording.outcome for recording in recordings} >= {"complete", "http_error", "stream_error"}
    assert {recording.finish for recording in recordings} >= {"stop", "length", "tool_calls", "content_filter", "none"}
    assert 30 <= sum(recording.is_stream for recording in recordings) <= 70


@pytest.mark.parametrize("version", SUPPORTED)
async def test_sums_and_bytes(start_envoy, client_of, replies, recordings, version):
    envoy = start_envoy(config(rollout(split={"v2": 50})), version=version)
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

    for recording, exchange in zip(recordings, exchanges):
        assert exchange.complete and exchange.status == recording.status, recording.file
        assert exchange.body == recording.body, f"{recording.file} came through changed"
    seen = await envoy.counted(RECORDINGS, since=before)
    for name in CLUSTERS:
        on_version = [
            r for r, exchange in zip(recordings, exchanges) if exchange.header(b"x-llm-version") == name.encode()
        ]
        assert len(on_version) > RECORDINGS / 4
        assert_sums(seen, corpus.Expected(on_version), llm_version=name)


def assert_sums(seen, expected, **labels):
    def total(name):
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
