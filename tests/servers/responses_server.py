"""A model server that stores its responses and conversations, as the reference of OpenAI's Responses API says. The
servers at hand store nothing.

What it has not made itself it answers with 404. Its answers repeat the whole conversation. For the tests it notes each
body that it sent, and each request that carried a mark of the filter.
"""

import json
import random
import re
import secrets
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from tests.harness import Json

# A status, and a document or the events of a stream.
Said = tuple[int, Json | list[Json]]

MARK = "-llm-"
MODEL = "tiny"
# Text that looks like what the filter marks, in every answer.
DECOY = '{"id":"resp_decoy","previous_response_id":"resp_decoy"}'
EVENT_STREAM, JSON = "text/event-stream; charset=utf-8", "application/json"


class ResponsesServer:
    """The server of one version."""

    def __init__(self, version: str) -> None:
        self.version = version
        self.sent: list[bytes] = []  # bodies, as bytes
        self.marked: list[tuple[str, str, bytes]] = []  # requests that carried a mark
        self.received: list[tuple[str, str, bytes]] = []  # (method, target, body) of all
        self._responses: dict[str, _Stored] = {}
        self._conversations: dict[str, list[Json]] = {}
        self._lock = threading.RLock()
        self._dice = random.Random(0)
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"server_of": self}))
        self.port = self._http.server_port
        threading.Thread(target=self._http.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._http.shutdown()
        self._http.server_close()

    def answer(self, method: str, target: str, body: bytes) -> tuple[int, str, list[bytes]]:
        """(status, content type, pieces of the body) of a request."""
        url = urlsplit(target)
        with self._lock:
            self.received.append((method, target, body))
            if MARK in target or MARK.encode() in body:
                self.marked.append((method, target, body))
            for pattern, methods in ROUTES:
                if (found := re.fullmatch(pattern, url.path)) and method in methods:
                    asked = json.loads(body) if body else {}
                    asked |= {name: values[0] for name, values in parse_qs(url.query).items()}
                    status, said = methods[method](self, asked, *found.groups())
                    break
            else:
                status, said = _error(404, f"{method} {url.path} is not served", None)
            sent = b"".join(map(_event, said)) if isinstance(said, list) else json.dumps(said, indent=2).encode()
            self.sent.append(sent)
            return status, EVENT_STREAM if isinstance(said, list) else JSON, self._cut(sent)

    def _cut(self, sent: bytes) -> list[bytes]:
        """Cuts the body anywhere: within events, JSON or ids."""
        cuts = sorted(self._dice.sample(range(1, len(sent)), min(len(sent) - 1, 20)))
        return [sent[start:end] for start, end in zip([0, *cuts], [*cuts, len(sent)], strict=True)]

    # --- responses

    def create(self, asked: Json) -> Said:
        previous, conversation = asked.get("previous_response_id"), asked.get("conversation")
        if isinstance(conversation, dict):
            conversation = conversation["id"]
        if previous is not None and previous not in self._responses:
            return _error(404, f"Previous response with id '{previous}' not found.", "previous_response_id")
        if conversation is not None and conversation not in self._conversations:
            return _error(404, f"Conversation with id '{conversation}' not found.", "conversation")
        history = list(self._responses[previous].history) if previous else []
        if conversation:
            history = self._conversations[conversation]
        items = [_message("user", asked["input"])]
        history += items
        told = " | ".join(item["content"][0]["text"] for item in history if item["role"] == "user")
        answer = _message("assistant", f"{self.version} remembers: {told} {DECOY}")
        history.append(answer)
        stored = _Stored(asked, previous, conversation, items, history, answer)
        self._responses[stored.id] = stored
        if asked.get("stream"):
            return 200, stored.events()
        return 200, stored.document("queued" if asked.get("background") else "completed")

    def retrieve(self, asked: Json, id: str) -> Said:
        if (stored := self._responses.get(id)) is None:
            return _no_response(id)
        if asked.get("stream") == "true":
            after = int(asked.get("starting_after", -1))
            return 200, [event for event in stored.events() if event["sequence_number"] > after]
        return 200, stored.document(stored.status)

    def delete(self, asked: Json, id: str) -> Said:
        if self._responses.pop(id, None) is None:
            return _no_response(id)
        return 200, {"id": id, "object": "response", "deleted": True}

    def cancel(self, asked: Json, id: str) -> Said:
        if (stored := self._responses.get(id)) is None:
            return _no_response(id)
        stored.status = "cancelled"
        return 200, stored.document("cancelled")

    def input_items(self, asked: Json, id: str) -> Said:
        if (stored := self._responses.get(id)) is None:
            return _no_response(id)
        return 200, _list(stored.items)

    def count_input(self, asked: Json) -> Said:
        if (stored := self._responses.get(asked["previous_response_id"])) is None:
            return _no_response(asked["previous_response_id"])
        return 200, {"object": "response.input_tokens", "input_tokens": len(stored.history) + 1}

    # --- conversations

    def create_conversation(self, asked: Json) -> Said:
        id = _id("conv")
        self._conversations[id] = [_message("user", item["content"]) for item in asked.get("items") or []]
        return 200, _conversation(id)

    def conversation(self, asked: Json, id: str) -> Said:
        return (200, _conversation(id)) if id in self._conversations else _no_conversation(id)

    def delete_conversation(self, asked: Json, id: str) -> Said:
        if self._conversations.pop(id, None) is None:
            return _no_conversation(id)
        return 200, {"id": id, "object": "conversation.deleted", "deleted": True}

    def items(self, asked: Json, id: str) -> Said:
        return (200, _list(self._conversations[id])) if id in self._conversations else _no_conversation(id)

    def add_items(self, asked: Json, id: str) -> Said:
        if id not in self._conversations:
            return _no_conversation(id)
        added = [_message("user", item["content"]) for item in asked["items"]]
        self._conversations[id] += added
        return 200, _list(added)

    def item(self, asked: Json, id: str, item: str) -> Said:
        found = [one for one in self._conversations.get(id, ()) if one["id"] == item]
        return (200, found[0]) if found else _error(404, f"Item '{item}' not found.", None)

    def delete_item(self, asked: Json, id: str, item: str) -> Said:
        if id not in self._conversations:
            return _no_conversation(id)
        self._conversations[id] = [one for one in self._conversations[id] if one["id"] != item]
        return 200, _conversation(id)


ROUTES: list[tuple[str, dict[str, Callable[..., Said]]]] = [
    ("/v1/responses", {"POST": ResponsesServer.create}),
    ("/v1/responses/input_tokens", {"POST": ResponsesServer.count_input}),
    ("/v1/responses/([^/]+)", {"GET": ResponsesServer.retrieve, "DELETE": ResponsesServer.delete}),
    ("/v1/responses/([^/]+)/cancel", {"POST": ResponsesServer.cancel}),
    ("/v1/responses/([^/]+)/input_items", {"GET": ResponsesServer.input_items}),
    ("/v1/conversations", {"POST": ResponsesServer.create_conversation}),
    (
        "/v1/conversations/([^/]+)",
        {
            "GET": ResponsesServer.conversation,
            "POST": ResponsesServer.conversation,
            "DELETE": ResponsesServer.delete_conversation,
        },
    ),
    ("/v1/conversations/([^/]+)/items", {"GET": ResponsesServer.items, "POST": ResponsesServer.add_items}),
    ("/v1/conversations/([^/]+)/items/([^/]+)", {"GET": ResponsesServer.item, "DELETE": ResponsesServer.delete_item}),
]


class _Stored:
    """A response, and all that was said up to it."""

    def __init__(
        self,
        asked: Json,
        previous: str | None,
        conversation: str | None,
        items: list[Json],
        history: list[Json],
        answer: Json,
    ) -> None:
        self.id, self.items, self.history = _id("resp"), items, list(history)
        self.status = "completed"
        self._asked, self._previous, self._conversation, self._answer = asked, previous, conversation, answer

    def document(self, status: str) -> Json:
        is_done = status == "completed"
        return {
            "id": self.id,
            "object": "response",
            "created_at": int(time.time()),
            "status": status,
            "background": bool(self._asked.get("background")),
            "conversation": {"id": self._conversation} if self._conversation else None,
            "error": None,
            "incomplete_details": None,
            "instructions": None,
            "max_output_tokens": None,
            "model": MODEL,
            "output": [self._answer] if is_done else [],
            "parallel_tool_calls": True,
            "previous_response_id": self._previous,
            "prompt_cache_key": None,
            "reasoning": {"effort": None, "summary": None},
            "store": True,
            "temperature": 1.0,
            "text": {"format": {"type": "text"}, "verbosity": "medium"},
            "tool_choice": "auto",
            "tools": [],
            "top_p": 1.0,
            "truncation": "disabled",
            "usage": self._usage() if is_done else None,
            "user": None,
            "metadata": {"id": "resp_decoy"},
        }

    def _usage(self) -> Json:
        counts = {"input_tokens": 7 * len(self.history), "output_tokens": 11}
        return {
            "input_tokens": counts["input_tokens"],
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": counts["output_tokens"],
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": sum(counts.values()),
        }

    def events(self) -> list[Json]:
        item, [part] = self._answer["id"], self._answer["content"]
        place = {"item_id": item, "output_index": 0, "content_index": 0}
        words = re.findall(r"\S+\s*", part["text"])
        begun = {**self._answer, "status": "in_progress", "content": []}
        events: list[tuple[str, Json]] = [
            ("response.created", {"response": self.document("in_progress")}),
            ("response.in_progress", {"response": self.document("in_progress")}),
            ("response.output_item.added", {"output_index": 0, "item": begun}),
            ("response.content_part.added", {**place, "part": {**part, "text": ""}}),
            *(
                ("response.output_text.delta", {**place, "delta": word, "logprobs": [], "obfuscation": "x" * (at % 7)})
                for at, word in enumerate(words)
            ),
            ("response.output_text.done", {**place, "text": part["text"], "logprobs": []}),
            ("response.content_part.done", {**place, "part": part}),
            ("response.output_item.done", {"output_index": 0, "item": self._answer}),
            ("response.completed", {"response": self.document("completed")}),
        ]
        return [{"type": kind, **fields, "sequence_number": at} for at, (kind, fields) in enumerate(events)]


def _event(event: Json) -> bytes:
    return f"event: {event['type']}\ndata: {json.dumps(event, separators=(',', ':'))}\n\n".encode()


def _id(kind: str) -> str:
    return f"{kind}_{secrets.token_hex(24)}"


def _message(role: str, text: str) -> Json:
    part: Json = {"type": "input_text", "text": text}
    if role == "assistant":
        part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    return {"id": _id("msg"), "type": "message", "status": "completed", "role": role, "content": [part]}


def _conversation(id: str) -> Json:
    return {"id": id, "object": "conversation", "created_at": int(time.time()), "metadata": {}}


def _list(items: list[Json]) -> Json:
    ids = [item["id"] for item in items] or [None]
    return {"object": "list", "data": items, "first_id": ids[0], "last_id": ids[-1], "has_more": False}


def _error(status: int, message: str, parameter: str | None) -> Said:
    return status, {"error": {"message": message, "type": "invalid_request_error", "param": parameter, "code": None}}


def _no_response(id: str) -> Said:
    return _error(404, f"Response with id '{id}' not found.", None)


def _no_conversation(id: str) -> Said:
    return _error(404, f"Conversation with id '{id}' not found.", None)


class _Handler(BaseHTTPRequestHandler):
    server_of: ResponsesServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def _answer(self) -> None:
        body = self._body()
        status, content_type, pieces = self.server_of.answer(self.command, self.path, body)
        self.send_response(status)
        self.send_header("content-type", content_type)
        if content_type == JSON:
            self.send_header("content-length", str(sum(map(len, pieces))))
            self.end_headers()
        else:
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            pieces = [*(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces), b"0\r\n\r\n"]
        for piece in pieces:
            self.wfile.write(piece)

    do_GET = do_POST = do_DELETE = _answer

    def _body(self) -> bytes:
        if self.headers.get("transfer-encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("content-length", 0)))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def log_message(self, *_: object) -> None:
        pass
