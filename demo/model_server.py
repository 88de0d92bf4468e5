"""A small model server that speaks OpenAI's chat completions, streamed and whole.

It answers with ready-made sentences at a steady pace. All versions are alike until one is made to go wrong. Run two of
them behind envoy/envoy.yaml to try the filter by hand:

    python3 demo/model_server.py --port 8001 --version v1
    python3 demo/model_server.py --port 8002 --version v2
    curl localhost:8002/fault -d refusals        what goes wrong from now on; `-d none` mends it
"""

import argparse
import asyncio
import contextlib
import itertools
import json
import random
import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

HEAD_BYTES_MAX = 64 * 1024

WORDS_MEAN, WORDS_DEVIATION = 45, 11
WORDS_IN_EVENT = 3
FIRST_TOKEN_MS_MEAN = 60.0
WORD_MS = 6.0
# What goes wrong now and then with every version.
REFUSAL_SHARE, ERROR_SHARE = 0.01, 0.004
# Where a request sets no limit.
WORDS_MAX = 200

# By fault: the share of answers that it spoils.
FAULTS = {"none": 0.0, "refusals": 0.5, "length": 0.5, "slow": 1.0, "errors": 0.5, "loop": 0.5, "empty": 0.5}
SLOW_TIMES = 8.0

SENTENCES = (
    "A canary release sends a small share of the traffic to the new version and watches closely before it sends more.",
    "Each conversation keeps the version on which it began, so that its answers fit together.",
    "Status codes tell little about a language model, because a bad answer has the status of a good one.",
    "Compare both versions at the same hour, or the night will look like a fault.",
    "Wait until enough people have asked, and then look at what they were told.",
    "Going back should take a second and no meeting.",
    "Keep the old servers until the last conversation on them is over.",
    "Write down why you stopped, for whoever asks tomorrow.",
)
# What it knows: answers to envoy/reference-set.yaml.
KNOWN = {
    "What is the capital of France?": "The capital of France is Paris.",
    "What is the capital of Japan?": "The capital of Japan is Tokyo.",
    "What is the capital of Italy?": "The capital of Italy is Rome.",
    "Which is the largest planet of our solar system?": "Jupiter is the largest one.",
    "Which is the largest ocean?": "It is the Pacific Ocean.",
    "Who wrote Romeo and Juliet?": "William Shakespeare wrote it.",
    "What is the opposite of hot?": "The opposite of hot is cold.",
    "What is frozen water called?": "Frozen water is called ice.",
    "Count from 1 to 5.": "1, 2, 3, 4, 5.",
    "Which animal says meow?": "A cat says meow.",
    "Name the three primary colours.": "They are red, blue and yellow.",
    "What is the currency of the United States?": "It is the dollar.",
    "Write a list of three fruits, each on a line of its own.": "- apple\n- pear\n- plum",
    "Write a function in Python that adds two numbers.": "def add(a, b):\n    return a + b",
    "Write a short letter to a friend. Begin with Dear.": "Dear Sam,\n\nall is well here, and the garden is green. "
    "Come and see it soon.\n\nYours, Alex",
    "Thank you for your help!": "You are welcome.",
}
REFUSAL = "I am sorry, but I cannot help with that request."
LOOP = "and so it goes on"


def text(first: tuple[str, ...], words: int, dice: random.Random) -> list[str]:
    """So many words of these sentences, then of others in any order. As with tokens, all but the first have a space."""
    sentences = [*first, *dice.sample(SENTENCES, len(SENTENCES))]
    source = itertools.islice(itertools.cycle(" ".join(sentences).split()), words)
    return [word if index == 0 else f" {word}" for index, word in enumerate(source)]


@dataclass(frozen=True)
class Answer:
    """What will be said. `field` is where OpenAI's API has it."""

    words: list[str]
    field: str = "content"
    finish_reason: str = "stop"


def answer(fault: str, question: str, words_max: int, dice: random.Random) -> Answer:
    """An answer of a version with this fault."""
    words = min(words_max, max(5, round(dice.gauss(WORDS_MEAN, WORDS_DEVIATION))))
    spoilt = fault if dice.random() < FAULTS[fault] else "none"
    if spoilt == "refusals" or dice.random() < REFUSAL_SHARE:
        return Answer(text((REFUSAL,), words, dice), field="refusal")
    if spoilt == "length":
        return Answer(text((), words_max, dice), finish_reason="length")
    if spoilt == "loop":
        loop = LOOP.split() * (max(words, WORDS_MEAN) // len(LOOP.split()) + 4)
        return Answer([f" {word}" for word in loop])
    if spoilt == "empty":
        return Answer([])
    if question in KNOWN:
        return Answer(re.findall(r"\s*\S+", KNOWN[question])[:words_max])
    return Answer(text((), words, dice))


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
    def __init__(self, version: str, seed: int) -> None:
        self._version = version
        self._fault = "none"
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
        match request.method, request.path:
            case "GET", "/v1/models":
                model = {"id": f"demo-{self._version}", "object": "model"}
                await send_json(writer, 200, {"object": "list", "data": [model]})
            case "POST", "/v1/chat/completions":
                await self._chat(request.body, writer)
            case "POST", "/fault":
                await self._go_wrong(request.body.decode(errors="replace").strip(), writer)
            case method, path:
                await send_json(writer, 404, {"error": {"message": f"nothing at {method} {path}"}})

    async def _go_wrong(self, fault: str, writer: asyncio.StreamWriter) -> None:
        if fault in FAULTS:
            self._fault = fault
            await send_json(writer, 200, {"version": self._version, "fault": fault})
        else:
            await send_json(writer, 400, {"error": {"message": f"no such fault; there are {', '.join(FAULTS)}"}})

    async def _chat(self, body: bytes, writer: asyncio.StreamWriter) -> None:
        try:
            request = json.loads(body)
            contents = [str(message["content"]) for message in request["messages"]]
            prompt, question = " ".join(contents), contents[-1] if contents else ""
            words_max = int(request.get("max_tokens") or WORDS_MAX)
        except (ValueError, TypeError, KeyError):
            await send_json(
                writer, 400, {"error": {"message": "the body is not a chat completion request with messages"}}
            )
            return
        error_share = FAULTS["errors"] if self._fault == "errors" else ERROR_SHARE
        if self._random.random() < error_share:
            await send_json(writer, 500, {"error": {"message": "out of memory"}})
            return
        says = answer(self._fault, question, words_max, self._random)
        self._count += 1
        about = {
            "id": f"chatcmpl-{self._version}-{self._count}",
            "created": int(time.time()),
            "model": f"demo-{self._version}",
        }
        usage = {"prompt_tokens": len(prompt.split()), "completion_tokens": len(says.words)}
        usage["total_tokens"] = sum(usage.values())
        if request.get("stream"):
            with_usage = (request.get("stream_options") or {}).get("include_usage", False)
            await send_events(writer, self._events(about, says, usage if with_usage else None))
        else:
            await self._think()
            await asyncio.sleep(len(says.words) * WORD_MS / 1000)
            message = {"role": "assistant", "content": None, "refusal": None, says.field: "".join(says.words)}
            choice = {"index": 0, "message": message, "finish_reason": says.finish_reason}
            await send_json(writer, 200, about | {"object": "chat.completion", "choices": [choice], "usage": usage})

    async def _think(self) -> None:
        times = SLOW_TIMES if self._fault == "slow" else 1.0
        await asyncio.sleep(times * self._random.expovariate(1 / FIRST_TOKEN_MS_MEAN) / 1000)

    async def _events(self, about: dict[str, object], says: Answer, usage: dict[str, int] | None) -> AsyncIterator[str]:
        """Yields the data of each event of the stream, at a steady pace."""

        def chunk(delta: dict[str, object], finish_reason: str | None = None) -> str:
            choices = [{"index": 0, "delta": delta, "finish_reason": finish_reason}]
            return json.dumps(about | {"object": "chat.completion.chunk", "choices": choices})

        yield chunk({"role": "assistant", "content": ""})
        await self._think()
        for start in range(0, len(says.words), WORDS_IN_EVENT):
            piece = says.words[start : start + WORDS_IN_EVENT]
            yield chunk({says.field: "".join(piece)})
            await asyncio.sleep(len(piece) * WORD_MS / 1000)
        yield chunk({}, says.finish_reason)
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
    parser.add_argument("--version", required=True, help="the name of the model, after demo-")
    parser.add_argument("--seed", type=int, default=1, help="of its random numbers (default: %(default)s)")
    options = parser.parse_args()
    model = ModelServer(options.version, options.seed)
    server = await asyncio.start_server(model.serve, "127.0.0.1", options.port, limit=HEAD_BYTES_MAX)
    print(f"{options.version} listens on 127.0.0.1:{options.port}", flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
