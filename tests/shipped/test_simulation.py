"""A plan against a day of real ids, a million of them, in seconds."""

import json
import subprocess
from pathlib import Path

from tests.harness import REPOSITORY

LINES = 1_000_000
# The tool as it is built for tests takes about one. This is for machines that do something else as well.
SECONDS_MAX = 20


def test_a_million_ids_take_seconds(tool: Path, tmp_path: Path) -> None:
    ids = tmp_path / "ids.txt"
    # Of three kinds: an id without a time, one with it (UUIDv7), and bytes that are no text.
    kinds = (b"conv_%012d", b"019b76da-a800-7000-8000-%012d", b"\xff\xfe%012d")
    ids.write_bytes(b"".join(kinds[at % 3] % at + b"\n" for at in range(LINES)))
    file = REPOSITORY / "envoy" / "ecds" / "llm-canary.yaml"
    command: list[str | Path] = [
        tool,
        "simulate",
        file,
        "v2",
        "--plan",
        "25%,50%@+1h,100%@+2h",
        "--keys",
        ids,
        "--json",
    ]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS_MAX)
    assert ran.returncode == 0, ran.stderr
    [report] = json.loads(ran.stdout)
    assert (report["keys"], report["timed_keys"]) == (LINES, LINES // 3)
    for step, percent in zip(report["steps"][1:], (10, 25, 50, 100), strict=True):
        measured = step["versions"][1]["measured_percent"]
        assert abs(measured - percent) < 0.2, step
    assert report["steps"][2]["moves"] + report["steps"][2]["held"] == sum(
        after["keys"] - before["keys"]
        for before, after in zip(report["steps"][1]["versions"], report["steps"][2]["versions"], strict=True)
        if after["keys"] > before["keys"]
    )
