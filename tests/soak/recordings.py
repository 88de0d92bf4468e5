"""What the model servers of the soak say, and what each answer must add to the statistics.

The facts of whole answers are those of the corpus' index. Where the index does not describe them, and for answers that
break off, they are what `llm-canary replay` reads: it reads each body at once and natively, while the filter reads it
in Envoy, as WebAssembly and in pieces.
"""

import json
import random
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.harness import STREAMS, corpus
from tests.harness.upstream import Framing, Reply, Step, cut_at_random, events
from tests.soak.sums import Facts

# An answer, and its row of the index where there is one.
Found = tuple["Answer", corpus.Recording | None]

BODY_BYTES_MAX = 200_000
CUTS = 4  # of each stream that is broken off
PAUSE_S_MAX = 0.02
PAUSED_PIECES_MAX = 30
REPLAYS_AT_ONCE = 2
MEDIA = {".sse": "text/event-stream", ".json": "application/json", ".ndjson": "application/x-ndjson"}


@dataclass(frozen=True)
class Answer:
    """A body, or the beginning of one, and its facts."""

    name: str
    body: bytes
    status: int
    content_type: str | None
    is_stream: bool
    facts: Facts

    def replies(self, dice: random.Random) -> Iterator[Reply]:
        """The body as servers write it: at once, by events, by events with pauses, or cut anywhere."""
        pieces = events(self.body)
        paused = tuple(step for piece in pieces for step in (piece, dice.random() * PAUSE_S_MAX))
        ways: list[tuple[Step, ...]] = [(self.body,), pieces, cut_at_random(self.body, dice.random())]
        if len(pieces) <= PAUSED_PIECES_MAX:
            ways.append(paused)
        for steps in ways:
            framing = Framing.CHUNKED if self.is_stream or dice.random() < 0.5 else Framing.LENGTH
            yield Reply(steps=steps, status=self.status, content_type=self.content_type, framing=framing)


class Recordings:
    def __init__(self, tool: Path, count: int, dice: random.Random) -> None:
        self._tool = tool
        found = recorded(count)
        with ThreadPoolExecutor(REPLAYS_AT_ONCE) as pool:
            read = list(pool.map(lambda answer: self._replay(answer[0]), found))
            self.whole = [
                answer
                for answer, (_, index) in zip(read, found, strict=True)
                if _agrees(answer.facts, index) and not _is_no_answer(answer.facts)
            ]
            self.read_otherwise = len(read) - len(self.whole)
            streams = [answer for answer in self.whole if answer.is_stream and len(answer.body) > 2]
            cuts = [_cut(answer, dice.randrange(1, len(answer.body))) for answer in streams for _ in range(CUTS)]
            cuts = list(pool.map(self._replay, cuts))
        # An answer that is finished before its end counts as complete, and one with a tool call as an agent's choice:
        # of these a cut is no failure.
        self.cut = [cut for cut in cuts if cut.facts["outcome"] == "truncated" and not cut.facts["tool_calls"]]

    def _replay(self, answer: Answer) -> Answer:
        facts = self._read(answer)
        with_phrases = self._read(answer, "--refusal-phrases")
        kind = "structured" if facts["refusal"] else "phrase" if with_phrases["refusal"] else None
        return Answer(**vars(answer) | {"facts": facts | {"refusal_kind": kind, "status": answer.status}})

    def _read(self, answer: Answer, *options: str) -> Facts:
        command: list[str | Path] = [self._tool, "replay", "--json", "--status", str(answer.status), *options]
        command += [*(["--content-type", answer.content_type] if answer.content_type else []), "-"]
        said = subprocess.run(command, input=answer.body, stdout=subprocess.PIPE, check=True)
        return json.loads(said.stdout)


def recorded(count: int) -> list[Found]:
    """So many answers, evenly spaced, because the index is sorted by dialect. Their facts are not known yet."""
    found = [answer for answer in (*_from_corpus(), *_from_streams()) if 0 < len(answer[0].body) <= BODY_BYTES_MAX]
    return [found[at * len(found) // count] for at in range(count)] if count < len(found) else found


def _from_corpus() -> Iterator[Found]:
    for recording in corpus.recordings(dialects=None) if corpus.is_there() else []:
        # The filter counts a response that waits in the background as no answer; what it holds is nevertheless read.
        is_waiting = not recording.is_stream and recording.facts["finish_reason"] in ("queued", "in_progress")
        if 200 <= recording.status < 600 and recording.status not in (204, 304) and not is_waiting:
            answer = Answer(
                name=recording.file,
                body=recording.body,
                status=recording.status,
                content_type=recording.content_type,
                is_stream=recording.is_stream,
                facts={},
            )
            yield answer, recording


def _from_streams() -> Iterator[Found]:
    """Our own recordings, beside a larger corpus."""
    for path in sorted(STREAMS.glob("*/*")) if corpus.folder() != corpus.OWN else []:
        if path.suffix in MEDIA:
            name = f"own/{path.relative_to(STREAMS)}"
            yield Answer(name, path.read_bytes(), 200, MEDIA[path.suffix], path.suffix != ".json", {}), None


def _cut(answer: Answer, at: int) -> Answer:
    return Answer(**vars(answer) | {"name": f"{answer.name} up to {at}", "body": answer.body[:at]})


def _is_no_answer(facts: Facts) -> bool:
    """Whether it is known to be something else, such as an embedding. The filter counts no finish of that."""
    return facts["outcome"] == "complete" and facts["text_chars"] is None and facts["unread"] is None


def _agrees(facts: Facts, recording: corpus.Recording | None) -> bool:
    """Whether the index says the same. It does for all but a few, of which it says nothing."""
    if recording is None:
        return True
    same = {
        "text_chars": "text_chars",
        "output_tokens": "output_tokens",
        "input_tokens": "input_tokens",
        "cached_input_tokens": "cached_tokens",
        "reasoning_tokens": "reasoning_tokens",
        "tool_calls": "tool_calls",
    }
    ends: list[str | None] = [corpus.FINISHES[end] for end in recording.facts["finish_norm"].split("|") if end] or [
        None
    ]
    return (
        all((facts[ours] or 0) == recording.number(theirs) for ours, theirs in same.items())
        and facts["error"] == (recording.facts["error"] == "y")
        and facts["refusal"] == (recording.facts["refusal"] == "y" or facts["finish"] == "content_filter")
        and facts["finish"] in ends
    )
