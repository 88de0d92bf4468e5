"""An Envoy's admin page with made-up traffic, and the tool's commands that serve a page about it."""

import json
import re
import signal
import subprocess
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

STARTS_S_MAX = 30.0
ENDS_S_MAX = 5.0
EDGES = ["100", "200", "400", "800", "+Inf"]
LENGTHS = [0.1, 0.2, 0.4, 0.2, 0.1]


def quoted(label: str) -> str:
    """The value of a label, as Prometheus' text has it."""
    escaped = label.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


@dataclass
class FakeEnvoy:
    """Counts so many requests a second, by the shares in a file, and answers as an admin page does."""

    file: Path
    rollout: str = "chat"
    versions: tuple[str, str] = ("v1", "v2")
    a_second: float = 400
    # The part of v2's requests that fail.
    failing: float = 0.004
    is_silent: bool = False
    counts: dict[str, dict[str, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Starts the server on a free port, and the traffic."""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = outer.page().encode()
                self.send_response(503 if outer.is_silent else 200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.lock = threading.Lock()
        self.counted_s = time.monotonic()
        self.page()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Listens no more."""
        self.server.shutdown()
        self.server.server_close()

    def share(self) -> float:
        """v2's share in force, as the file says it."""
        rollout = json.loads(self.file.read_text())["rollouts"][0]
        if self.versions[1] in rollout.get("stopped", []):
            return 0.0
        past = [step for step in rollout["steps"] if step["at"] <= time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())]
        return float(past[-1]["percent"].get(self.versions[1], 0)) / 100 if past else 0.0

    def page(self) -> str:
        """What it has counted by now."""
        with self.lock:
            now_s = time.monotonic()
            requests = (now_s - self.counted_s) * self.a_second
            self.counted_s = now_s
            share = self.share()
            sides = [(1 - share, 0.004), (share, self.failing)]
            for version, (part, failing) in zip(self.versions, sides, strict=True):
                self._count(version, requests * part, failing)
            lines = [
                f"{series} {int(value)}" for counters in self.counts.values() for series, value in counters.items()
            ]
        return "\n".join([*lines, ""])

    def _count(self, version: str, requests: float, failing: float) -> None:
        counters = self.counts.setdefault(version, {})
        labels = f'llm_rollout={quoted(self.rollout)},llm_version={quoted(version)},llm_compare="yes"'

        def add(name: str, more: str, count: float) -> None:
            series = f"{name}{{{labels}{more}}}"
            counters[series] = counters.get(series, 0) + count

        add("llm_decisions_total", ',llm_reason="split"', requests)
        add("llm_requests_total", ',llm_outcome="complete"', requests * (1 - failing))
        add("llm_requests_total", ',llm_outcome="http_error"', requests * failing)
        add("llm_refusals_total", ',llm_refusal="phrase"', requests * 0.01)
        add("llm_defective_responses_total", "", requests * 0.004)
        below = 0.0
        for edge, part in zip(EDGES, LENGTHS, strict=True):
            below += part
            add("llm_response_chars_bucket", f',le="{edge}"', requests * below)
        add("llm_response_chars_count", "", requests)
        add("llm_response_chars_sum", "", requests * 350)


class Command:
    """A command that serves a page, while it runs."""

    def __init__(self, tool: Path, folder: Path, *arguments: str | Path) -> None:
        """Starts it on a free port, and waits until it listens."""
        self.said: list[str] = []
        command = [tool, *arguments, "--listen", "127.0.0.1:0"]
        self.process = subprocess.Popen(
            command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1
        )
        for stream in (self.process.stdout, self.process.stderr):
            threading.Thread(target=lambda stream=stream: self.said.extend(stream), daemon=True).start()
        until = time.monotonic() + STARTS_S_MAX
        while not (found := re.search(r"listening on (http://\S+)", "".join(self.said))):
            assert self.process.poll() is None and time.monotonic() < until, self.said
            time.sleep(0.02)
        self.url = found[1] + "/"

    def end(self) -> int:
        """Asks it to end, unless it has; returns the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(ENDS_S_MAX)
