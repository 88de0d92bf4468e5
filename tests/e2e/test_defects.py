"""Each defect of docs/defects.md in each dialect that can carry it, streamed and whole, in pieces cut anywhere, through
real Envoy and through `llm-canary replay`: each response counts once, on its version, and for nothing else.

One Envoy gets all of it, a dialect in a mode at a time. Each case is a version, so a look at the metrics after it says
what each case counted.
"""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from pylib.client import Client
from pylib.http1 import request
from pylib.prometheus import Snapshot
from tests.e2e.conftest import RunTool
from tests.harness import Json
from tests.harness.answers import Asked, Body, Has, Mode, modes
from tests.harness.config import config, rollout
from tests.harness.defects import CASES, Case, Sample
from tests.harness.dialects import DIALECTS
from tests.harness.engines import ENGINES
from tests.harness.envoy import POLL_S, SETTLE_S_MAX, Envoy, http_manager
from tests.harness.fixtures import Run, StartEnvoy
from tests.harness.hosts import EACH_VERSION
from tests.harness.upstream import Ending, Framing, Replies, Reply, Step, cut_at_random
from tests.harness.wire import STYLES, Order, Style, dump

pytestmark = EACH_VERSION

MODES = modes([*DIALECTS, *ENGINES])
PIECES_MAX = 8
AT_ONCE = 16
REQUEST_BYTES_READ_MAX = 8 << 20  # ARCHITECTURE.md: Limits
ARRIVES_S = 0.1  # after that long Envoy has what was sent before a reset


def cases_of(mode: Mode) -> list[Case]:
    return [case for case in CASES if case.carried_by(mode)]


PARAMETERS = [pytest.param(mode, case, id=f"{mode}-{case.name}") for mode in MODES for case in cases_of(mode)]


@dataclass(frozen=True)
class Sent:
    """A response of the table, and the request for it."""

    mode: Mode
    case: Case
    sample: Sample
    style: Style
    is_reset: bool = False  # where it breaks off; else its end is missing
    is_long: bool = False  # the request has more than is read of one

    @property
    def encoded(self) -> Body:
        return self.mode.encode(self.sample.answers, self.style)

    @property
    def request(self) -> bytes:
        asked = self.mode.dialect.ask(self.sample.asked)
        if self.is_long:
            return dump({"metadata": {"a": "x" * REQUEST_BYTES_READ_MAX}, **asked}, self.style)
        body = dump(asked, self.style)
        return body[:-1] if self.case.is_unseen else body

    @property
    def outcome(self) -> str:
        if not self.case.is_broken_off:
            return "complete"
        return "upstream_reset" if self.is_reset else "truncated"

    @property
    def reply(self) -> Reply:
        encoded = self.encoded
        ending: tuple[Step, ...] = ()
        body = encoded.bytes
        if self.case.is_broken_off:
            body = b"".join(encoded.pieces)
            ending = (ARRIVES_S, Ending.RESET) if self.is_reset else ()
        pieces = cut_at_random(body, seed=len(body), pieces_max=PIECES_MAX) if body else ()
        has_length = not (self.mode.is_streamed or self.is_reset)
        framing = Framing.LENGTH if has_length else Framing.CHUNKED
        return Reply(steps=(*pieces, *ending), content_type=encoded.content_type, framing=framing)


def sent_of(mode: Mode, case: Case) -> Iterator[Sent]:
    """Each sample in two styles, which have both orders of keys, and both ways to write letters that are not ASCII."""
    turn = MODES.index(mode) + CASES.index(case)
    for at, sample in enumerate(case.carried_by(mode)):
        style = (turn + at) % len(STYLES)
        for sent in (Sent(mode, case, sample, STYLES[which]) for which in (style, -1 - style)):
            yield from broken_off(sent) if case.is_broken_off else [sent]
            if case.is_unseen and mode is MODES[0]:
                yield replace(sent, is_long=True)


def broken_off(sent: Sent) -> Iterator[Sent]:
    """The ways in which it can break off."""
    if not sent.mode.is_streamed:  # where the types come last, half a body may say that all is complete
        sent = replace(sent, style=replace(sent.style, order=Order.WRITTEN))
    yield replace(sent, is_reset=True)
    if not sent.mode.is_streamed or Has.END in sent.mode.has:
        yield sent


CONFIGURATION = config(
    rollout(
        versions=[{"name": case.name, "cluster": "llm-v1"} for case in CASES],
        baseline=CASES[0].name,
        overrides=[{"header": "x-test-case", "values": [case.name], "version": case.name} for case in CASES],
        shards=False,
    )
)


@dataclass(frozen=True)
class Counted:
    """What one Envoy has counted, by the mode."""

    metrics: dict[str, Snapshot]
    sent: dict[tuple[str, str], list[Sent]]

    def by(self, mode: Mode, case: Case, name: str, label: str) -> dict[str | None, float]:
        return self.metrics[str(mode)].by(name, label, llm_version=case.name)

    def sum(self, mode: Mode, case: Case, name: str) -> float:
        return self.metrics[str(mode)].sum(name, llm_version=case.name)


async def send_all(envoy: Envoy, replies: Replies) -> Counted:
    counted = Counted({}, {})
    client = Client(envoy.port)
    before = Snapshot()
    for mode in MODES:
        everything = [sent for case in cases_of(mode) for sent in sent_of(mode, case)]
        exchanges = await client.send_all(requests_for(everything, replies), at_once=AT_ONCE)
        for at, (sent, exchange) in enumerate(zip(everything, exchanges, strict=True)):
            assert exchange.header(b"x-llm-version") == sent.case.name.encode(), sent
            assert exchange.body == replies[f"defect-{at}"].body, f"{sent} came through changed"
            counted.sent.setdefault((str(mode), sent.case.name), []).append(sent)
        # Whatever is counted later, too much, is noticed with the next mode.
        now = await counters(envoy, len(everything) + before.sum("llm_requests_total"))
        counted.metrics[str(mode)], before = now - before, now
    client.close()
    return counted


async def counters(envoy: Envoy, requests: float) -> Snapshot:
    """Those of the filter that are not 0, once that many requests have been counted."""
    deadline = time.monotonic() + SETTLE_S_MAX
    while True:
        text = await asyncio.to_thread(envoy.admin, "/stats/prometheus?usedonly&filter=llm_.*_total")
        seen = Snapshot.parse(text)
        if seen.sum("llm_requests_total") >= requests or time.monotonic() > deadline:
            return seen
        await asyncio.sleep(POLL_S)


def requests_for(everything: list[Sent], replies: Replies) -> list[bytes]:
    requests = []
    for at, sent in enumerate(everything):
        replies[f"defect-{at}"] = sent.reply
        headers = ((b"x-test-case", sent.case.name.encode()), (b"x-test-reply", b"defect-%d" % at))
        raw = request(target=sent.mode.dialect.target.encode(), headers=headers, body=sent.request)
        requests.append(chunked(raw) if sent.is_long else raw)
    return requests


def chunked(raw: bytes) -> bytes:
    """The same request, without the length of its body."""
    head, _, body = raw.partition(b"\r\n\r\n")
    head = head.replace(b"content-length: %d" % len(body), b"transfer-encoding: chunked")
    return head + b"\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)


def closes_soon(bootstrap: Json) -> None:
    """Envoy closes a connection only some time after a response that broke off. It would be a second each."""
    http_manager(bootstrap)["delayed_close_timeout"] = "0.01s"


@pytest.fixture(scope="module")
def counted(start_envoy: StartEnvoy, replies: Replies, run: Run) -> Counted:
    envoy = start_envoy(CONFIGURATION, edit=closes_soon)
    result: Counted = run(send_all(envoy, replies))
    envoy.stop()  # else each of the tests would look at it
    return result


@pytest.mark.parametrize(("mode", "case"), PARAMETERS)
def test_each_counts_once_for_its_defects_and_no_others(counted: Counted, mode: Mode, case: Case) -> None:
    sent = counted.sent[str(mode), case.name]
    outcomes = Counter(one.outcome for one in sent)
    assert counted.by(mode, case, "llm_requests_total", "llm_outcome") == outcomes
    assert counted.by(mode, case, "llm_defects_total", "llm_defect") == dict.fromkeys(case.defects, len(sent))
    assert counted.sum(mode, case, "llm_defective_responses_total") == (len(sent) if case.defects else 0)
    asked = [one.sample.asked for one in sent if not case.is_unseen]
    assert counted.sum(mode, case, "llm_tools_offered_total") == sum(bool(one.tools) for one in asked)
    assert counted.sum(mode, case, "llm_json_asked_total") == sum(one.json for one in asked)
    if case.is_broken_off:
        return
    assert counted.by(mode, case, "llm_unread_total", "llm_unread") == {}
    answers = [answer for one in sent for answer in one.sample.answers]
    assert counted.sum(mode, case, "llm_response_chars_total") == sum(len(answer.text) for answer in answers)
    assert counted.sum(mode, case, "llm_tool_calls_total") == sum(len(answer.calls) for answer in answers)
    if case.name == "repetition_of_reasoning":
        reasoning = sum(len(answer.reasoning) for answer in answers)
        assert counted.sum(mode, case, "llm_reasoning_chars_total") == reasoning


@pytest.mark.parametrize(("mode", "case"), PARAMETERS)
def test_replay_shows_the_same(llm_canary: RunTool, tmp_path: Path, mode: Mode, case: Case) -> None:
    for sent in sent_of(mode, case):
        encoded = sent.encoded
        (tmp_path / "response").write_bytes(sent.reply.body)
        (tmp_path / "request").write_bytes(sent.request)
        arguments = ("--content-type", encoded.content_type, "--request", tmp_path / "request")
        said = llm_canary("replay", "--json", "--chunks", "random:7", *arguments, tmp_path / "response")
        assert said.returncode == 0, said.stderr
        shown = json.loads(said.stdout)
        shows = {name: shown[name] for name in ("defects", "tools_offered", "json_asked", "dialect")}
        if case.is_broken_off:  # maybe before anything showed it
            shows["dialect"] = mode.reads
        asked = sent.sample.asked
        assert shows == {
            "defects": sorted(case.defects),
            "tools_offered": None if case.is_unseen else bool(asked.tools),
            "json_asked": None if case.is_unseen else asked.json,
            "dialect": mode.reads,
        }, f"{sent.style}: {sent.reply.body.decode(errors='replace')}"


def test_an_object_is_the_json_that_was_asked_for(llm_canary: RunTool, tmp_path: Path) -> None:
    """Workers AI in JSON mode gives the value itself."""
    [workers] = [dialect for dialect in DIALECTS if dialect.name == "workers-ai"]
    (tmp_path / "request").write_bytes(dump(workers.ask(Asked(json=True)), Style()))
    result = {"response": {"city": "Bonn"}, "usage": {"prompt_tokens": 9, "completion_tokens": 3}}
    body = dump({"result": result, "success": True, "errors": [], "messages": []}, Style())
    (tmp_path / "response").write_bytes(body)
    said = llm_canary("replay", "--json", "--request", tmp_path / "request", tmp_path / "response")
    assert json.loads(said.stdout)["defects"] == []
