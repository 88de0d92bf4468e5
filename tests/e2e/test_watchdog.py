"""`watchdog` as a program: its file, its signals and its exit codes, with two servers whose faults are known."""

import asyncio
import contextlib
import json
import os
import signal
import stat
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.harness import Json

PROMPTS = 20
END_S_MAX = 2.0
Answer = Callable[[int], str]


class Model(ThreadingHTTPServer):
    """A model server that answers each prompt after a while."""

    daemon_threads = True

    def __init__(self, answer: Answer, seconds: float = 0.0) -> None:
        self.answer, self.seconds, self.asked = answer, seconds, 0
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Model

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked += 1
        time.sleep(self.server.seconds)
        text = self.server.answer(int(body["messages"][-1]["content"]))
        usage = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}
        kind = "application/json"
        message = {"role": "assistant", "content": text}
        choice: Json = {"index": 0, "message": message, "finish_reason": "stop"}
        said = json.dumps({"object": "chat.completion", "choices": [choice], "usage": usage})
        if body["stream"]:
            kind, name = "text/event-stream", "chat.completion.chunk"
            choice = {"index": 0, "delta": {"content": text}, "finish_reason": "stop"}
            events: list[Json] = [
                {"object": name, "choices": [choice]},
                {"object": name, "choices": [], "usage": usage},
            ]
            said = "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(said.encode())))
        self.end_headers()
        self.wfile.write(said.encode())

    def log_message(self, format: str, *arguments: object) -> None:
        pass


def right(number: int) -> str:
    return f"word-{number}-"


@pytest.fixture
def reference_set(tmp_path: Path) -> Path:
    path = tmp_path / "promptfooconfig.json"
    tests = [{"vars": {"n": at}, "assert": [{"type": "contains", "value": f"word-{at}-"}]} for at in range(PROMPTS)]
    path.write_text(json.dumps({"prompts": ["{{n}}"], "providers": ["echo"], "tests": tests}))
    return path


@pytest.fixture
def start() -> Iterator[Callable[..., Model]]:
    models = []

    def model(answer: Answer = right, seconds: float = 0.0) -> Model:
        models.append(Model(answer, seconds))
        return models[-1]

    yield model
    for model_ in models:
        model_.shutdown()


async def begin(tool: Path, *arguments: str | Path) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(tool, "watchdog", *arguments, stdout=pipe, stderr=pipe)


def targets(v1: Model, v2: Model) -> list[str]:
    return ["--target", f"v1={v1.url}", "--target", f"v2={v2.url}"]


def lines(text: bytes) -> list[Json]:
    return [json.loads(line) for line in text.splitlines()]


async def test_a_regression_is_exit_code_1_and_results_are_their_owners(
    tool: Path, start: Callable[..., Model], reference_set: Path, tmp_path: Path
) -> None:
    v1, v2 = start(), start(lambda number: right(number) if number >= 8 else "sorry")
    out = tmp_path / "results.jsonl"
    ran = await begin(tool, "--set", reference_set, *targets(v1, v2), "--once", "--json", "--out", out)
    stdout, stderr = await ran.communicate()
    assert ran.returncode == 1, stderr
    [known] = lines(stdout)
    assert known["verdict"] == "regression" and known["prompts"]["worse"] == 8
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    written = lines(out.read_bytes())
    assert [line["line"] for line in written].count("answer") == 4 * PROMPTS
    assert {key: value for key, value in written[-1].items() if key != "line"} == known


async def test_ctrl_c_ends_after_the_requests_in_flight_with_what_is_known(
    tool: Path, start: Callable[..., Model], reference_set: Path, tmp_path: Path
) -> None:
    slow = start(seconds=0.3)
    out = tmp_path / "results.jsonl"
    ran = await begin(tool, "--set", reference_set, *targets(slow, slow), "--json", "--out", out)
    while slow.asked < 2 * PROMPTS + 8:
        await asyncio.sleep(0.01)
    asked = time.monotonic()
    ran.send_signal(signal.SIGINT)
    stdout, _ = await ran.communicate()
    assert time.monotonic() - asked < END_S_MAX
    [known] = lines(stdout)
    assert known["round"] == 1 and known["prompts"]["unknown"] > 0
    assert ran.returncode == 3
    answers = [line for line in lines(out.read_bytes()) if line["line"] == "answer"]
    assert len(answers) == slow.asked, "no answer that was asked for is lost"
    assert known["prompts"]["same"] >= 2


async def test_a_signal_between_two_rounds_ends_at_once(
    tool: Path, start: Callable[..., Model], reference_set: Path
) -> None:
    model = start()
    ran = await begin(tool, "--set", reference_set, *targets(model, model), "--every", "1h")
    assert ran.stderr is not None
    assert b"note: 20 prompts have checks" in await ran.stderr.readline()
    assert b"round 1: " in await ran.stderr.readline()
    asked = time.monotonic()
    ran.send_signal(signal.SIGTERM)
    stdout, _ = await ran.communicate()
    assert time.monotonic() - asked < END_S_MAX
    assert stdout.startswith(b"v2 against v1 after round 1: "), stdout
    assert ran.returncode == 3


async def test_on_a_terminal_one_line_goes_on(tool: Path, start: Callable[..., Model], reference_set: Path) -> None:
    model = start()
    ours, theirs = os.openpty()
    environment = {**os.environ, "TERM": "xterm"}
    arguments: list[str | Path] = ["watchdog", "--set", reference_set, *targets(model, model), "--once"]
    ran = await asyncio.create_subprocess_exec(
        tool,
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=theirs,
        env=environment,
    )
    await ran.communicate()
    os.close(theirs)
    shown = b""
    # Nothing more to read is an error of a terminal.
    with contextlib.suppress(OSError):
        while piece := os.read(ours, 1 << 16):
            shown += piece
    os.close(ours)
    assert b"\r\x1b[Kround 1: 40 of 40 answers" in shown and shown.count(b"\n") == 1, shown
