"""Messages of KServe's protocol, coded by protobuf's own encoder: the reader finds in them what was put in."""

import base64
import json
import subprocess
from pathlib import Path

import pytest

from tests.harness.dependencies import Dependency

ENCODER = Path(__file__).parent / "triton_messages.py"
SERVICE = "/inference.GRPCInferenceService/"
CASES_EACH = 60


@pytest.mark.parametrize("seed", range(2))
def test_the_reader_finds_what_the_encoder_wrote(dependency: Dependency, tool: Path, tmp_path: Path, seed: int) -> None:
    command: list[str | Path] = [dependency("triton_client"), ENCODER, str(CASES_EACH), str(seed)]
    cases = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    recording = tmp_path / "body"
    for number, case in enumerate(cases):
        recording.write_bytes(base64.b64decode(case["body"]))
        head = ["--content-type", "application/grpc", "--path", SERVICE + case["method"], "--trailer", "grpc-status: 0"]
        for chunks in ("whole", "1", f"random:{number}"):
            said = subprocess.run(
                [tool, "replay", recording, "--json", "--chunks", chunks, *head], stdout=subprocess.PIPE, check=True
            )
            seen = json.loads(said.stdout)
            assert (seen["dialect"], seen["outcome"], seen["unread"]) == ("triton", "complete", None)
            names = {"text_chars": "text_chars", "events": "events", "tokens": "output_tokens"}
            assert {name: seen[field] for name, field in names.items()} == {name: case[name] for name in names}, chunks
