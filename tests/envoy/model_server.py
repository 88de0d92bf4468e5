"""A model server with the OpenAI API, and a client for it. The header x-say tells the server how to answer."""

import gzip
import json
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from pylib.http1 import request, send
from tests.harness import Json

WORDS = ["The ", "answer ", "is ", "forty", "-two", "."]


class ModelServer:
    def __init__(self, version: str) -> None:
        self.received: list[tuple[str, dict[str, str]]] = []  # (path, headers) of every request
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("content-length", 0)))
                server.received.append((self.path, dict(self.headers.items())))
                say = self.headers.get("x-say", "answer")
                getattr(self, f"say_{say}")()

            def say_answer(self, usage: bool = True, gap_s: float = 0.002, last: str = "") -> None:
                self.begin()
                self.event(
                    {"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}]}
                )
                for word in [*WORDS, last]:
                    time.sleep(gap_s)
                    self.delta({"content": word})
                self.end("stop", usage)

            def say_slowly(self) -> None:
                time.sleep(0.1)
                self.say_answer()

            def say_long(self) -> None:
                self.say_answer(gap_s=0.3)

            def say_garbled(self) -> None:
                time.sleep(0.1)
                self.say_answer(last="<|im_end|>")

            def say_json(self) -> None:
                self.begin()
                self.delta({"role": "assistant", "content": '{"answer": 42}'})
                self.end("stop")

            def say_prose(self) -> None:
                self.say_answer()

            def say_without_usage(self) -> None:
                self.say_answer(usage=False)

            def say_refusal(self) -> None:
                self.begin()
                self.delta({"role": "assistant", "refusal": "I cannot help with that."})
                self.end("stop")

            def say_tool_call(self) -> None:
                call = {
                    "index": 0,
                    "id": "call_1",
                    "type": "function",
                    "function": {"name": "look_up", "arguments": "{}"},
                }
                self.begin()
                self.delta({"role": "assistant", "tool_calls": [call]})
                self.end("tool_calls")

            def say_endlessly(self) -> None:
                self.begin()
                try:
                    for _ in range(1000):
                        self.delta({"content": "and "})
                        time.sleep(0.02)
                except OSError:
                    pass  # the client hung up, which is what this is for
                self.close_connection = True

            def say_half(self) -> None:
                self.begin()
                self.delta({"content": "Half an "})
                self.close_connection = True  # no last chunk

            def say_error(self) -> None:
                self.whole(500, {"error": {"message": "out of memory", "type": "server_error"}})

            def say_gzip(self) -> None:
                self.whole(
                    200,
                    {"choices": [{"index": 0, "message": {"content": "compressed"}, "finish_reason": "stop"}]},
                    compress=True,
                )

            def begin(self) -> None:
                self.send_response(200)
                self.send_header("content-type", "text/event-stream")
                self.send_header("transfer-encoding", "chunked")
                self.end_headers()

            def event(self, event: Json) -> None:
                event = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": version} | event
                self.chunk(b"data: %s\n\n" % json.dumps(event).encode())

            def delta(self, delta: Json) -> None:
                self.event({"choices": [{"index": 0, "delta": delta, "finish_reason": None}]})

            def end(self, reason: str, usage: bool = True) -> None:
                self.event({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
                if usage:
                    self.event(
                        {"choices": [], "usage": {"prompt_tokens": 20, "completion_tokens": 6, "total_tokens": 26}}
                    )
                self.chunk(b"data: [DONE]\n\n")
                self.chunk(b"")

            def chunk(self, data: bytes) -> None:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
                self.wfile.flush()

            def whole(self, status: int, value: object, compress: bool = False) -> None:
                body = json.dumps(value).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                if compress:
                    body = gzip.compress(body)
                    self.send_header("content-encoding", "gzip")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port

    def start(self) -> "ModelServer":
        Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def ask(
    port: int,
    headers: Mapping[str, str] | None = None,
    say: str = "answer",
    path: str = "/v1/chat/completions",
    hang_up: bool = False,
) -> tuple[int, dict[str, str], bytes]:
    """Asks for one chat completion on a connection of its own, and offers a tool. Returns status, headers and what came
    of the body.
    """
    body = json.dumps(
        {
            "model": "chat",
            "stream": True,
            "messages": [{"role": "user", "content": "What is the answer?"}],
            "tools": [{"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}],
            "response_format": {"type": "json_object" if say in ("json", "prose") else "text"},
        }
    )
    fields = [(name.encode(), value.encode()) for name, value in {"x-say": say, **(headers or {})}.items()]
    raw = request(target=path.encode(), headers=fields, body=body.encode())
    response = send(port, raw, hang_up_after_bytes=1 if hang_up else None, timeout_s=20)
    return (
        response.status,
        {name.decode().lower(): value.decode() for name, value in response.headers},
        bytes(response.body),
    )
