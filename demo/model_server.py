"""A small model server that speaks OpenAI's chat completions, streamed and whole.

It answers with ready-made words at a steady pace, so a few numbers decide how one version
differs from another. Run two of them behind envoy/envoy.yaml to try the filter by hand:

    python3 demo/model_server.py --port 8001 --version v1
    python3 demo/model_server.py --port 8002 --version v2
"""

import argparse
import asyncio
import contextlib
import itertools
import json
import random
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

HEAD_BYTES_MAX = 64 * 1024


@dataclass(frozen=True)
class Behaviour:
    """How a version behaves. Shares are of requests, 0 to 1."""

    words_mean: int
    first_token_ms_mean: float
    word_ms: float
    refusal_share: float
    error_share: float
    stream_error_share: float


# v2 is a careless release: longer answers, a slower start, more refusals and more failures. All but the
# rarest failures still answer 200.
BEHAVIOURS = {
    "v1": Behaviour(
        words_mean=30,
        first_token_ms_mean=60,
        word_ms=8,
        refusal_share=0.02,
        error_share=0.005,
        stream_error_share=0.005,
    ),
    "v2": Behaviour(
        words_mean=45,
        first_token_ms_mean=110,
        word_ms=10,
        refusal_share=0.08,
        error_share=0.02,
        stream_error_share=0.03,
    ),
}

SENTENCE = (
    "A canary release sends a small share of the traffic to the new version and watches closely before it sends more."
)
REFUSAL = "I am sorry, but I cannot help with that request."


def answer(sentence: str, words: int) -> list[str]:
    """Returns that many words of the sentence, repeated as needed. As with tokens, each word but the first brings its
    space.
    """
    source = itertools.islice(itertools.cycle(sentence.split()), words)
    return [word if index == 0 else f" {word}" for index, word in enumerate(source)]


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    body: bytes


async def read_request(reader: asyncio.StreamReader) -> Request | None:
    """Reads the next request of a connection. None where the client has closed it; IncompleteReadError where it closed
    it within a request.

    This server can be run by itself, so it imports nothing of the repository.
    """
    try:
        raw = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise
        return None
    first_line, *lines = raw.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = bytearray()
    if headers.get("transfer-encoding", "").lower() == "chunked":
        while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
            body += (await reader.readexactly(size + 2))[:-2]
        await reader.readuntil(b"\r\n")
    else:
        body += await reader.readexactly(int(headers.get("content-length", "0")))
    method, path, _ = first_line.split(" ", 2)
    return Request(method, path, bytes(body))


class ModelServer:
    def __init__(self, version: str, behaviour: Behaviour, seed: int) -> None:
        self._version = version
        self._behaviour = behaviour
        self._random = random.Random(seed)
        self._count = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serves one connection, request by request."""
        try:
            while (request := await read_request(reader)) is not None:
                await self._respond(request, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client has gone
        finally:
            writer.close()

    async def _respond(self, request: Request, writer: asyncio.StreamWriter) -> None:
        asked = (request.method, request.path)
        if asked == ("GET", "/v1/models"):
            await send_json(
                writer, 200, {"object": "list", "data": [{"id": f"demo-{self._version}", "object": "model"}]}
            )
        elif asked == ("POST", "/v1/chat/completions"):
            await self._chat(request.body, writer)
        else:
            await send_json(writer, 404, {"error": {"message": f"nothing at {request.method} {request.path}"}})

    async def _chat(self, body: bytes, writer: asyncio.StreamWriter) -> None:
        try:
            request = json.loads(body)
            prompt = " ".join(str(message["content"]) for message in request["messages"])
        except (ValueError, TypeError, KeyError):
            await send_json(
                writer, 400, {"error": {"message": "the body is not a chat completion request with messages"}}
            )
            return
        is_like = self._behaviour
        if self._random.random() < is_like.error_share:
            await send_json(writer, 500, {"error": {"message": "out of memory"}})
            return
        refuses = self._random.random() < is_like.refusal_share
        breaks = self._random.random() < is_like.stream_error_share
        length = max(1, round(self._random.gauss(is_like.words_mean, is_like.words_mean / 4)))
        words = answer(REFUSAL, len(REFUSAL.split())) if refuses else answer(SENTENCE, length)
        self._count += 1
        about = {
            "id": f"chatcmpl-{self._version}-{self._count}",
            "created": int(time.time()),
            "model": f"demo-{self._version}",
        }
        usage = {"prompt_tokens": len(prompt.split()), "completion_tokens": len(words)}
        usage["total_tokens"] = sum(usage.values())
        if request.get("stream"):
            with_usage = (request.get("stream_options") or {}).get("include_usage", False)
            events = self._events(
                about, words, "refusal" if refuses else "content", usage if with_usage else None, breaks
            )
            await send_events(writer, events)
        else:
            await self._think(len(words))
            message = {
                "role": "assistant",
                "content": None if refuses else "".join(words),
                "refusal": "".join(words) if refuses else None,
            }
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            await send_json(writer, 200, about | {"object": "chat.completion", "choices": [choice], "usage": usage})

    async def _think(self, words: int = 0) -> None:
        first_token_ms = self._random.expovariate(1 / self._behaviour.first_token_ms_mean)
        await asyncio.sleep((first_token_ms + words * self._behaviour.word_ms) / 1000)

    async def _events(
        self, about: dict[str, object], words: list[str], field: str, usage: dict[str, int] | None, breaks: bool
    ) -> AsyncIterator[str]:
        """Yields the data of each event of the stream, at the pace of the behaviour."""

        def chunk(delta: dict[str, object], finish_reason: str | None = None) -> str:
            choices = [{"index": 0, "delta": delta, "finish_reason": finish_reason}]
            return json.dumps(about | {"object": "chat.completion.chunk", "choices": choices})

        yield chunk({"role": "assistant", "content": ""})
        await self._think()
        for index, word in enumerate(words):
            if breaks and index == len(words) // 2:
                yield json.dumps({"error": {"message": "the engine died", "type": "server_error", "code": 500}})
                return
            yield chunk({field: word})
            await asyncio.sleep(self._behaviour.word_ms / 1000)
        yield chunk({}, "stop")
        if usage is not None:
            yield json.dumps(about | {"object": "chat.completion.chunk", "choices": [], "usage": usage})
        yield "[DONE]"


async def send_json(writer: asyncio.StreamWriter, status: int, value: object) -> None:
    body = json.dumps(value).encode()
    writer.write(
        f"HTTP/1.1 {status} -\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body
    )
    await writer.drain()


async def send_events(writer: asyncio.StreamWriter, events: AsyncIterator[str]) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
    async for event in events:
        data = f"data: {event}\n\n".encode()
        writer.write(b"%x\r\n%s\r\n" % (len(data), data))
        await writer.drain()
    writer.write(b"0\r\n\r\n")
    await writer.drain()


async def main() -> None:
    parser = argparse.ArgumentParser(description="A small model server with OpenAI's chat completions.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--version", choices=sorted(BEHAVIOURS), required=True)
    parser.add_argument("--seed", type=int, default=1, help="of its random numbers (default: %(default)s)")
    options = parser.parse_args()
    model = ModelServer(options.version, BEHAVIOURS[options.version], options.seed)
    server = await asyncio.start_server(model.serve, "127.0.0.1", options.port, limit=HEAD_BYTES_MAX)
    print(f"{options.version} listens on 127.0.0.1:{options.port}", flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
