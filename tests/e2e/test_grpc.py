"""gRPC through real Envoy: its HTTP status is 200 whatever happens, so the outcome is told by grpc-status, wherever
that stands, and by who broke off. What an answer says is in its messages.
"""

import asyncio
from collections.abc import Iterator

import pytest

from pylib.prometheus import Snapshot
from tests.e2e.test_http2 import http2_upstream
from tests.harness.answers import Has, pieces
from tests.harness.config import config, rollout
from tests.harness.defects import CASES
from tests.harness.envoy import Envoy
from tests.harness.fixtures import Run, StartEnvoy
from tests.harness.grpc import frame, infer_response, stream_response, web_trailers
from tests.harness.hosts import EACH_VERSION
from tests.harness.http2 import Connection, Exchange
from tests.harness.http2_server import Answer, Break, Http2Server
from tests.harness.upstream import cut_at_random

pytestmark = EACH_VERSION

SERVICE = b"/inference.GRPCInferenceService/"
INFER = SERVICE + b"ModelStreamInfer"
OTHER = b"/vllm.grpc.engine.VllmEngine/Generate"
HEAD = ((b":status", b"200"), (b"content-type", b"application/grpc"))
WEB_HEAD = ((b":status", b"200"), (b"content-type", b"application/grpc-web+proto"))
REQUEST = [(b"x-conversation-id", b"c1"), (b"content-type", b"application/grpc"), (b"te", b"trailers")]
MESSAGE = frame(stream_response(infer_response("hello")))
CHARS = len("hello")
UNUSED_PORT = 1  # nothing listens there: connecting is refused


def status(code: int) -> tuple[tuple[bytes, bytes], ...]:
    return ((b"grpc-status", b"%d" % code),)


@pytest.fixture(scope="module")
def server(run: Run) -> Iterator[Http2Server]:
    started = run(Http2Server().start())
    yield started
    run(started.stop())


@pytest.fixture(scope="module")
def envoy(start_envoy: StartEnvoy, server: Http2Server) -> Envoy:
    versions = {"v1": "llm-v1", "dead": "llm-dead"}
    configuration = config(
        rollout(
            versions=[{"name": name, "cluster": cluster} for name, cluster in versions.items()],
            overrides=[{"header": "x-cohort", "values": ["dead"], "version": "dead"}],
        )
    )
    ports = {"llm-v1": server.port, "llm-v2": server.port, "llm-dead": UNUSED_PORT}
    return start_envoy(configuration, ports=ports, edit=http2_upstream)


async def call(envoy: Envoy, target: bytes = INFER, headers: tuple[tuple[bytes, bytes], ...] = ()) -> Exchange:
    connection = await Connection.open(envoy.port)
    _, exchange = connection.start([*REQUEST, *headers], body=MESSAGE, target=target)
    await exchange.ended()
    connection.close()
    return exchange


async def counted(envoy: Envoy, before: Snapshot, outcome: str, http_errors: dict[str, int]) -> Snapshot:
    seen = await envoy.counted(1, since=before)
    assert seen.by("llm_requests_total", "llm_outcome") == {outcome: 1}
    assert seen.by("llm_http_errors_total", "llm_status") == http_errors
    return seen


GOOD = {
    "a message": Answer((MESSAGE,), HEAD, status(0)),
    "many messages": Answer((MESSAGE, 0.01, MESSAGE * 3), HEAD, status(0)),
    "trailers-only": Answer((), (*HEAD, *status(0)), head_only=True),
    "in the head, then an empty body": Answer((), (*HEAD, *status(0)), ends_empty=True),
}
BEFORE_A_MESSAGE = {
    "trailers-only": Answer((), (*HEAD, *status(5)), head_only=True),
    "in the head, then an empty body": Answer((), (*HEAD, *status(16)), ends_empty=True),
    "in trailers": Answer((), HEAD, status(3)),
}
AFTER_A_MESSAGE = {
    "in trailers": Answer((MESSAGE,), HEAD, status(13)),
    "later": Answer((MESSAGE, 0.05, MESSAGE), HEAD, status(14)),
}


@pytest.mark.parametrize("name", GOOD)
async def test_good_calls_are_complete(envoy: Envoy, server: Http2Server, name: str) -> None:
    before = await asyncio.to_thread(envoy.stats)
    server.answer = GOOD[name]
    assert (await call(envoy)).status == 200
    await counted(envoy, before, "complete", {})


@pytest.mark.parametrize("name", BEFORE_A_MESSAGE)
async def test_an_error_before_any_message(envoy: Envoy, server: Http2Server, name: str) -> None:
    before = await asyncio.to_thread(envoy.stats)
    server.answer = BEFORE_A_MESSAGE[name]
    assert (await call(envoy)).status == 200
    seen = await counted(envoy, before, "http_error", {"grpc": 1})
    assert seen.sum("llm_unread_total") == 0


@pytest.mark.parametrize("name", AFTER_A_MESSAGE)
async def test_an_error_after_a_message(envoy: Envoy, server: Http2Server, name: str) -> None:
    before = await asyncio.to_thread(envoy.stats)
    server.answer = AFTER_A_MESSAGE[name]
    assert (await call(envoy)).status == 200
    await counted(envoy, before, "stream_error", {})


async def test_a_refused_upstream_is_a_local_reply(envoy: Envoy) -> None:
    before = await asyncio.to_thread(envoy.stats)
    assert (await call(envoy, headers=((b"x-cohort", b"dead"),))).status == 200
    await counted(envoy, before, "local_reply", {})


@pytest.mark.parametrize("how", [Break.CONNECTION, Break.STREAM], ids=lambda how: how.name)
async def test_a_killed_upstream(envoy: Envoy, server: Http2Server, how: Break) -> None:
    before = await asyncio.to_thread(envoy.stats)
    server.answer = Answer((MESSAGE, 0.05, how), HEAD)
    await call(envoy)
    await counted(envoy, before, "upstream_reset", {})


async def test_a_call_without_a_status_was_cut(envoy: Envoy, server: Http2Server) -> None:
    before = await asyncio.to_thread(envoy.stats)
    server.answer = Answer((MESSAGE,), HEAD, ends_empty=True)
    await call(envoy)
    await counted(envoy, before, "upstream_reset", {})


@pytest.mark.parametrize("steps", [(), (MESSAGE,)], ids=["before a message", "after a message"])
async def test_a_cancelled_call(envoy: Envoy, server: Http2Server, steps: tuple[bytes, ...]) -> None:
    """A deadline does the same: the client resets the stream."""
    before = await asyncio.to_thread(envoy.stats)
    server.answer = Answer((*steps, asyncio.Event()), HEAD)
    connection = await Connection.open(envoy.port)
    stream, exchange = connection.start(REQUEST, body=MESSAGE, target=INFER)
    await exchange.until(lambda came: came.status and len(came.body) >= len(b"".join(steps)))
    connection.cancel(stream)
    seen = await counted(envoy, before, "client_abort", {})
    connection.close()
    assert seen.sum("llm_decisions_total") == 1


async def test_an_http_error_is_told_by_its_status(envoy: Envoy, server: Http2Server) -> None:
    before = await asyncio.to_thread(envoy.stats)
    server.answer = Answer((), ((b":status", b"503"), (b"content-type", b"application/grpc")), head_only=True)
    await call(envoy)
    await counted(envoy, before, "http_error", {"503": 1})


STREAMED = [frame(stream_response(infer_response(text))) for text in ("Grüße, ", "", "四🚀")]
FINAL = frame(stream_response(infer_response(None)))
ERROR = frame(stream_response(error="told to fail"))
LONG = "x四" * 50_000  # far longer than what is kept of a stream
DATA_BYTES_MAX = 16_384  # of a frame of HTTP/2


TEXTS = [
    pytest.param(case.samples[0].answers[0].text, dict.fromkeys(case.defects, 1), id=case.name)
    for case in CASES
    if case.samples[0].needs is Has.NOTHING and not case.is_broken_off
]


@pytest.mark.parametrize("seed", range(3))
async def test_the_text_of_a_stream(envoy: Envoy, server: Http2Server, seed: int) -> None:
    before = await asyncio.to_thread(envoy.stats)
    body = b"".join([*STREAMED, FINAL])
    server.answer = Answer(tuple(cut_at_random(body, seed=seed)), HEAD, status(0))
    assert (await call(envoy)).body == body
    seen = await counted(envoy, before, "complete", {})
    assert seen.sum("llm_response_chars_total") == len("Grüße, 四🚀")
    assert seen.sum("llm_time_to_first_token_ms_count") == 1
    assert seen.sum("llm_unread_total") == 0


async def test_the_first_token_of_a_stream(envoy: Envoy, server: Http2Server) -> None:
    """The messages before it have no text."""
    before = await asyncio.to_thread(envoy.stats)
    server.answer = Answer((STREAMED[1], 0.1, STREAMED[0], 0.1, STREAMED[2]), HEAD, status(0))
    await call(envoy)
    seen = await counted(envoy, before, "complete", {})
    assert 90 <= seen.sum("llm_time_to_first_token_ms_total") < 190
    assert seen.sum("llm_longest_gap_ms_count") == 1


@pytest.mark.parametrize("raw", [True, False], ids=["raw", "typed"])
@pytest.mark.parametrize("text", ["", "Grüße", LONG], ids=["empty", "short", "long"])
async def test_a_whole_answer(envoy: Envoy, server: Http2Server, text: str, raw: bool) -> None:
    before = await asyncio.to_thread(envoy.stats)
    body = frame(infer_response(text, raw=raw))
    pieces = (body[at : at + DATA_BYTES_MAX] for at in range(0, len(body), DATA_BYTES_MAX))
    server.answer = Answer(tuple(pieces), HEAD, status(0))
    assert (await call(envoy, SERVICE + b"ModelInfer")).body == body
    seen = await counted(envoy, before, "complete", {})
    assert seen.sum("llm_response_chars_total") == len(text)
    assert seen.sum("llm_response_chars_count") == 1
    assert seen.sum("llm_time_to_first_token_ms_count") == seen.sum("llm_unread_total") == 0


async def test_the_version_of_the_model(envoy: Envoy, server: Http2Server) -> None:
    for version, mismatches in (("v1", 0), ("dead", 1), ("7", 0)):
        before = await asyncio.to_thread(envoy.stats)
        server.answer = Answer((frame(stream_response(infer_response("a", version))),), HEAD, status(0))
        await call(envoy)
        seen = await counted(envoy, before, "complete", {})
        assert seen.by("llm_version_mismatch_total", "llm_version") == ({"v1": 1} if mismatches else {}), version


@pytest.mark.parametrize("steps", [(ERROR,), (STREAMED[0], 0.02, ERROR)], ids=["at once", "later"])
async def test_an_error_in_a_message(envoy: Envoy, server: Http2Server, steps: tuple[bytes | float, ...]) -> None:
    before = await asyncio.to_thread(envoy.stats)
    server.answer = Answer(steps, HEAD, status(0))
    await call(envoy)
    seen = await counted(envoy, before, "stream_error", {})
    assert seen.sum("llm_response_chars_total") == (len("Grüße, ") if len(steps) > 1 else 0)


@pytest.mark.parametrize("is_streamed", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize(("text", "defects"), TEXTS)
async def test_defects(
    envoy: Envoy, server: Http2Server, text: str, defects: dict[str, int], is_streamed: bool
) -> None:
    """What the request asks for is not read, so nothing of that can be missing."""
    before = await asyncio.to_thread(envoy.stats)
    whole = frame(infer_response(text))
    stream = b"".join(frame(stream_response(infer_response(piece))) for piece in ["", *pieces(text)]) + FINAL
    body, target = (stream, INFER) if is_streamed else (whole, SERVICE + b"ModelInfer")
    server.answer = Answer(tuple(cut_at_random(body, seed=2)), HEAD, status(0))
    assert (await call(envoy, target)).body == body
    seen = await counted(envoy, before, "complete", {})
    assert seen.by("llm_defects_total", "llm_defect") == defects
    assert seen.sum("llm_defective_responses_total") == len(defects)
    assert seen.sum("llm_tools_offered_total") == seen.sum("llm_json_asked_total") == 0


async def test_a_stream_that_broke_off_is_not_empty(envoy: Envoy, server: Http2Server) -> None:
    before = await asyncio.to_thread(envoy.stats)
    server.answer = Answer((STREAMED[1], 0.05, Break.STREAM), HEAD)
    await call(envoy)
    seen = await counted(envoy, before, "upstream_reset", {})
    assert seen.sum("llm_defects_total") == 0


async def test_tensors_of_numbers_are_no_answer(envoy: Envoy, server: Http2Server) -> None:
    before = await asyncio.to_thread(envoy.stats)
    body = frame(infer_response("\0" * 400, name=b"embedding", datatype=b"FP32"))
    server.answer = Answer((body,), HEAD, status(0))
    await call(envoy, SERVICE + b"ModelInfer")
    seen = await counted(envoy, before, "complete", {})
    for name in ("llm_response_chars_count", "llm_finish_total", "llm_unread_total", "llm_usage_missing_total"):
        assert seen.sum(name) == 0, name


UNREAD = {
    "compressed": (INFER, STREAMED[0] + frame(b"\x1f\x8b", flags=1), "encoding"),
    "another method": (OTHER, STREAMED[0], "dialect"),
    "unknown flags": (INFER, STREAMED[0] + frame(b"", flags=2), "too_long"),
}


@pytest.mark.parametrize("name", UNREAD)
async def test_what_cannot_be_read_is_counted_so(envoy: Envoy, server: Http2Server, name: str) -> None:
    target, body, why = UNREAD[name]
    for code, outcome in ((0, "truncated" if why == "too_long" else "complete"), (8, "stream_error")):
        before = await asyncio.to_thread(envoy.stats)
        server.answer = Answer((body,), HEAD, status(code))
        assert (await call(envoy, target)).body == body
        seen = await counted(envoy, before, outcome, {})
        assert seen.by("llm_unread_total", "llm_unread") == {why: 1}
        assert seen.sum("llm_response_chars_count") == (why == "too_long")


async def test_a_message_that_is_cut_off(envoy: Envoy, server: Http2Server) -> None:
    before = await asyncio.to_thread(envoy.stats)
    server.answer = Answer((MESSAGE[:-1],), HEAD, status(0))
    await call(envoy)
    seen = await counted(envoy, before, "truncated", {})
    assert seen.sum("llm_response_chars_total") == CHARS - 1


WEB = {
    "good": ((*STREAMED, web_trailers(0)), "complete", {}),
    "an error after a message": ((*STREAMED, web_trailers(13)), "stream_error", {}),
    "an error before any message": ((web_trailers(5),), "http_error", {"grpc": 1}),
    "no trailers": (tuple(STREAMED), "upstream_reset", {}),
}


@pytest.mark.parametrize("name", WEB)
async def test_grpc_web(envoy: Envoy, server: Http2Server, name: str) -> None:
    """Its trailers are in the body."""
    steps, outcome, http_errors = WEB[name]
    before = await asyncio.to_thread(envoy.stats)
    body = b"".join(steps)
    server.answer = Answer(tuple(cut_at_random(body, seed=1)), WEB_HEAD)
    assert (await call(envoy)).body == body
    seen = await counted(envoy, before, outcome, http_errors)
    assert seen.sum("llm_response_chars_total") == (len("Grüße, 四🚀") if len(steps) > 1 else 0)
    assert seen.sum("llm_unread_total") == 0


async def test_a_health_check_is_not_compared(envoy: Envoy, server: Http2Server) -> None:
    before = await asyncio.to_thread(envoy.stats)
    server.answer = GOOD["a message"]
    await call(envoy, target=b"/inference.GRPCInferenceService/ServerLive")
    await call(envoy)
    seen = await envoy.counted(2, since=before)
    assert seen.by("llm_requests_total", "llm_compare") == {"no": 1, "yes": 1}
