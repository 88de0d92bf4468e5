"""Servers that compress although they were asked not to. Where Envoy decompresses their responses first, they are read;
elsewhere they are passed on unchanged and counted as unread.
"""

import asyncio
import json
import zlib
from typing import Any

import brotli
import pytest
import zstandard

from pylib.http1 import Header, request
from pylib.prometheus import Snapshot
from tests.harness import Json
from tests.harness.config import config, rollout
from tests.harness.envoy import Envoy
from tests.harness.fixtures import ClientOf, StartEnvoy
from tests.harness.hosts import EACH_VERSION
from tests.harness.upstream import Ending, Replies, Reply, Step, cut_at_random, stream, whole

pytestmark = EACH_VERSION

SAID = ["Grüße", ", 世界", " 🚀", *(f" and {n}" for n in range(200)), "."]
TEXT = "".join(SAID)


class Gzip:
    def __init__(self) -> None:
        self._compressor = zlib.compressobj(wbits=31)

    def compress(self, piece: bytes) -> bytes:
        return self._compressor.compress(piece) + self._compressor.flush(zlib.Z_SYNC_FLUSH)

    def finish(self) -> bytes:
        return self._compressor.flush()


class Brotli:
    def __init__(self) -> None:
        self._compressor = brotli.Compressor()

    def compress(self, piece: bytes) -> bytes:
        return self._compressor.process(piece) + self._compressor.flush()

    def finish(self) -> bytes:
        return self._compressor.finish()


class Zstd:
    def __init__(self) -> None:
        self._compressor = zstandard.ZstdCompressor().compressobj()

    def compress(self, piece: bytes) -> bytes:
        return self._compressor.compress(piece) + self._compressor.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)

    def finish(self) -> bytes:
        return self._compressor.flush()


# By the names that HTTP has for them.
ENCODINGS: dict[str, type[Gzip | Brotli | Zstd]] = {"gzip": Gzip, "br": Brotli, "zstd": Zstd}


def compressed(encoding: str, pieces: list[bytes]) -> list[bytes]:
    """Each piece, compressed by a server that flushes after each."""
    compressor = ENCODINGS[encoding]()
    *all_but_last, last = pieces
    return [*map(compressor.compress, all_but_last), compressor.compress(last) + compressor.finish()]


def event(delta: Json | None = None, finish: str | None = None, **fields: Any) -> bytes:
    choice = {"index": 0, "delta": delta or {}, "finish_reason": finish}
    document = {"object": "chat.completion.chunk", "choices": [choice], **fields}
    return b"data: " + json.dumps(document, ensure_ascii=False).encode() + b"\n\n"


USAGE = {"prompt_tokens": 7, "completion_tokens": 204, "total_tokens": 211}
EVENTS = [event({"role": "assistant", "content": ""}), *(event({"content": piece}) for piece in SAID)]
EVENTS += [event(finish="stop"), event(usage=USAGE), b"data: [DONE]\n\n"]
DOCUMENT = json.dumps(
    {
        "object": "chat.completion",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": TEXT}, "finish_reason": "stop"}],
        "usage": USAGE,
    },
    ensure_ascii=False,
).encode()


def reply(encoding: str, shape: str, *more_headers: Header) -> tuple[Reply, bytes]:
    """(what the server sends, the plain bytes of it)"""
    fields = {"headers": ((b"content-encoding", encoding.encode()), *more_headers)}
    if shape == "streamed":
        return stream(*compressed(encoding, EVENTS), **fields), b"".join(EVENTS)
    if shape == "streamed, cut anywhere":
        body = b"".join(compressed(encoding, EVENTS))
        return stream(*cut_at_random(body, seed=7), **fields), b"".join(EVENTS)
    return whole(compressed(encoding, [DOCUMENT])[0], **fields), DOCUMENT


SHAPES = ["streamed", "streamed, cut anywhere", "whole"]


def ask(*headers: Header) -> bytes:
    return request(headers=[(b"x-conversation-id", b"c1"), (b"x-test-reply", b"it"), *headers])


def assert_read(seen: Snapshot) -> None:
    assert seen.by("llm_requests_total", "llm_outcome") == {"complete": 1}
    assert seen.by("llm_finish_total", "llm_finish") == {"stop": 1}
    assert seen.by("llm_unread_total", "llm_unread") == {}
    assert seen.sum("llm_response_chars_total") == len(TEXT)
    assert seen.by("llm_tokens_total", "llm_token") == {"input": 7, "output": 204}


def assert_unread(seen: Snapshot) -> None:
    assert seen.by("llm_requests_total", "llm_outcome") == {"complete": 1}
    assert seen.by("llm_unread_total", "llm_unread") == {"encoding": 1}
    assert seen.sum("llm_response_chars_total") == 0


@pytest.fixture(scope="module")
def plain_envoy(start_envoy: StartEnvoy) -> Envoy:
    return start_envoy(config())


@pytest.fixture(scope="module")
def decompressing_envoy(start_envoy: StartEnvoy) -> Envoy:
    return start_envoy(config(), options=["decompressor"])


@pytest.fixture(scope="module")
def asking_envoy(start_envoy: StartEnvoy) -> Envoy:
    asking = config(rollout(usage="request", split={"v2": 50}))
    return start_envoy(asking, options=["decompressor"])


@pytest.fixture(scope="module")
def recompressing_envoy(start_envoy: StartEnvoy) -> Envoy:
    return start_envoy(config(), options=["decompressor", "compressor"])


@pytest.mark.parametrize("shape", ["streamed", "whole"])
@pytest.mark.parametrize("encoding", ENCODINGS)
async def test_without_a_decompressor_the_same_bytes_pass_unread(
    plain_envoy: Envoy, client_of: ClientOf, replies: Replies, encoding: str, shape: str
) -> None:
    before = plain_envoy.stats()
    replies["it"], _ = reply(encoding, shape)
    exchange = await client_of(plain_envoy).send(ask())
    assert exchange.complete and exchange.body == replies["it"].body
    assert exchange.header(b"content-encoding") == encoding.encode()
    assert_unread(await plain_envoy.counted(1, since=before))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("encoding", ENCODINGS)
async def test_with_one_they_are_read_and_arrive_plain(
    decompressing_envoy: Envoy, client_of: ClientOf, replies: Replies, encoding: str, shape: str
) -> None:
    before = decompressing_envoy.stats()
    replies["it"], body = reply(encoding, shape)
    exchange = await client_of(decompressing_envoy).send(ask((b"accept-encoding", b"gzip, br, zstd")))
    assert exchange.complete and exchange.body == body
    assert exchange.header(b"content-encoding") is None
    assert_read(await decompressing_envoy.counted(1, since=before))


async def test_plain_responses_are_as_before_beside_a_decompressor(
    decompressing_envoy: Envoy, client_of: ClientOf, replies: Replies
) -> None:
    before = decompressing_envoy.stats()
    replies["it"] = stream(*EVENTS)
    exchange = await client_of(decompressing_envoy).send(ask())
    assert exchange.complete and exchange.body == b"".join(EVENTS)
    assert_read(await decompressing_envoy.counted(1, since=before))


@pytest.mark.parametrize("encoding", ENCODINGS)
async def test_decompressed_events_arrive_one_by_one(
    decompressing_envoy: Envoy, client_of: ClientOf, replies: Replies, encoding: str
) -> None:
    """Each event arrives while the server still waits with the next one."""
    gates = [asyncio.Event() for _ in EVENTS]
    pieces = compressed(encoding, EVENTS)
    steps: list[Step] = [step for pair in zip(pieces, gates, strict=True) for step in pair]
    replies["it"] = stream(*steps, headers=((b"content-encoding", encoding.encode()),))
    connection, exchange = await client_of(decompressing_envoy).start(ask())
    arrived = 0
    for piece, gate in zip(EVENTS, gates, strict=True):
        arrived += len(piece)
        await exchange.body_reaches(arrived)
        gate.set()
    await exchange.ended()
    connection.close()
    assert exchange.complete and exchange.body == b"".join(EVENTS)


@pytest.mark.parametrize("encoding", ENCODINGS)
async def test_a_compressed_stream_that_is_cut_counts_as_cut(
    decompressing_envoy: Envoy, client_of: ClientOf, replies: Replies, encoding: str
) -> None:
    """Its end reaches the filter by another callback than that of a plain stream, and must not be taken for an orderly
    one.
    """
    before, gate = decompressing_envoy.stats(), asyncio.Event()
    head = EVENTS[:4]
    pieces = compressed(encoding, EVENTS)[: len(head)]
    replies["it"] = stream(*pieces, gate, Ending.RESET, headers=((b"content-encoding", encoding.encode()),))
    connection, exchange = await client_of(decompressing_envoy).start(ask())
    await exchange.body_reaches(sum(map(len, head)))
    gate.set()
    await exchange.ended()
    connection.close()
    assert not exchange.complete and exchange.body == b"".join(head)
    seen = await decompressing_envoy.counted(1, since=before)
    assert seen.by("llm_requests_total", "llm_outcome") == {"upstream_reset": 1}
    assert seen.sum("llm_response_chars_total") == len("".join(SAID[:3]))


async def test_a_compressed_stream_without_its_last_event_is_truncated(
    decompressing_envoy: Envoy, client_of: ClientOf, replies: Replies
) -> None:
    before = decompressing_envoy.stats()
    replies["it"] = stream(*compressed("gzip", EVENTS[:4]), headers=((b"content-encoding", b"gzip"),))
    exchange = await client_of(decompressing_envoy).send(ask())
    assert exchange.complete and exchange.body == b"".join(EVENTS[:4])
    seen = await decompressing_envoy.counted(1, since=before)
    assert seen.by("llm_requests_total", "llm_outcome") == {"truncated": 1}


async def test_no_transform_is_respected(decompressing_envoy: Envoy, client_of: ClientOf, replies: Replies) -> None:
    before = decompressing_envoy.stats()
    replies["it"], _ = reply("gzip", "streamed", (b"cache-control", b"no-cache, no-transform"))
    exchange = await client_of(decompressing_envoy).send(ask())
    assert exchange.complete and exchange.body == replies["it"].body
    assert_unread(await decompressing_envoy.counted(1, since=before))


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_client_that_wants_gzip_can_have_it(
    recompressing_envoy: Envoy, client_of: ClientOf, replies: Replies, shape: str
) -> None:
    """The server sends brotli, Envoy decompresses it, the filter reads plain text, and Envoy compresses it for the
    client.
    """
    before = recompressing_envoy.stats()
    replies["it"], body = reply("br", shape)
    exchange = await client_of(recompressing_envoy).send(ask((b"accept-encoding", b"gzip")))
    assert exchange.complete and exchange.header(b"content-encoding") == b"gzip"
    assert zlib.decompress(bytes(exchange.body), wbits=31) == body
    assert_read(await recompressing_envoy.counted(1, since=before))


@pytest.mark.parametrize("encoding", ENCODINGS)
async def test_what_compresses_well_comes_through_whole(
    decompressing_envoy: Envoy, client_of: ClientOf, replies: Replies, encoding: str
) -> None:
    """Without the option, Envoy takes it for a decompression bomb and cuts it, with a clean end."""
    before = decompressing_envoy.stats()
    text = "the same again. " * 200_000
    document = DOCUMENT.replace(json.dumps(TEXT, ensure_ascii=False).encode(), json.dumps(text).encode())
    [body] = compressed(encoding, [document])
    assert len(document) > 400 * len(body)
    replies["it"] = whole(body, headers=((b"content-encoding", encoding.encode()),))
    exchange = await client_of(decompressing_envoy).send(ask())
    assert exchange.complete and len(exchange.body) == len(document) and exchange.body == document
    seen = await decompressing_envoy.counted(1, since=before)
    assert seen.sum("llm_response_chars_total") == len(text)


@pytest.mark.parametrize("encoding", ENCODINGS)
async def test_what_is_held_back_goes_on_at_the_end(
    asking_envoy: Envoy, client_of: ClientOf, replies: Replies, encoding: str
) -> None:
    """Usage is asked for and hidden again. The decompressed stream ends inside an event, and with trailers."""
    pieces = [*EVENTS[:4], EVENTS[4][:20]]
    body = cut_at_random(b"".join(compressed(encoding, pieces)), seed=3)
    replies["it"] = stream(*body, headers=((b"content-encoding", encoding.encode()),))
    headers = [(b"x-test-reply", b"it"), (b"content-type", b"application/json")]
    exchange = await client_of(asking_envoy).send(request(headers=headers, body=b'{"stream":true}'))
    assert exchange.complete and exchange.body == b"".join(pieces)
