"""The traffic that scripts/native_profile.sh records: that of tests/hosts.sh, with our own recordings, and beside it
many requests that are answered in one piece, as that of tests/first_byte.sh is.
"""

import argparse
import asyncio
import dataclasses
import os
import tempfile
from pathlib import Path

from pylib.client import Client
from pylib.http1 import request
from tests.harness import corpus
from tests.harness.hosts import NATIVE
from tests.soak.hosts import CONVERSATIONS, SEED, started
from tests.soak.recordings import recorded

ROUNDS, CLIENTS, REQUESTS = 2, 8, 5_000
RECORDINGS_MAX = 1_000  # all that there are


async def send(envoy: Path, module: Path, folder: Path) -> None:
    answers = [answer for answer, _ in recorded(RECORDINGS_MAX)]
    host = dataclasses.replace(NATIVE, module=module)
    async with started(envoy, folder, answers, SEED, [host]) as ([side], plan):
        for _ in range(ROUNDS):
            await side.play(plan.round(CONVERSATIONS), CLIENTS)
        client = Client(side.envoy.port)
        for at in range(REQUESTS):
            answer = await client.send(request(headers=[(b"x-conversation-id", str(at).encode())]))
            assert answer.status == 200, answer.status
        client.close()
        print(f"{len(answers)} recordings, {side.requests + REQUESTS} requests", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/native_profile.sh")
    parser.add_argument("--envoy", type=Path, required=True)
    parser.add_argument("--module", type=Path, required=True)
    args = parser.parse_args()
    # The same recordings wherever the script runs.
    os.environ["LLM_CANARY_CORPUS"] = str(corpus.OWN)
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(send(args.envoy, args.module.resolve(), Path(folder)))


if __name__ == "__main__":
    main()
