"""The part of the page about a reference set: prompts that changed, with both answers side by side."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.conftest import Open, WriteReport
from tests.browser.samples import Release, Traffic
from tests.browser.test_report import WINDOWS, open_all
from tests.harness.dependencies import Dependency

EVIL = "<script>window.evil = 1; alert(1)</script></p></section>"
ANSWERS = [
    (
        "capital of France",
        "The capital of France is Paris.",
        "The capital of France is Rome.\n\nIs there anything else?",
    ),
    ("weather in JSON", '{"city": "Paris", "celsius": 21}', '```json\n{"city": "Paris"}\n```'),
    ("שאלה בעברית", "התשובה הנכונה היא ארבע", "התשובה הנכונה היא חמש"),
    (EVIL, EVIL, '"><img src=x onerror="alert(2)">\u202e'),
    ("a long word", "a" * 3000, "b" * 3000),
]


def results() -> Iterator[dict[str, object]]:
    """A round in which these prompts changed."""
    for number, (case, *texts) in enumerate(ANSWERS):
        for side, name, text, passed in zip(("baseline", "version"), ("v1", "v2"), texts, (True, False), strict=True):
            yield {
                "line": "answer",
                "at": "2026-11-23T09:45:00Z",
                "round": 1,
                "set": "envoy/reference-set.yaml",
                "case": case,
                "prompt": number,
                "side": side,
                "name": name,
                "api": "chat",
                "streamed": True,
                "messages": [{"role": "user", "content": f"What about the {case}?"}],
                "status": 200,
                "outcome": "complete",
                "finish": "stop",
                "ttft_ms": 20,
                "latency_ms": 90,
                "prompt_tokens": 9,
                "completion_tokens": 9,
                "defects": [],
                "output": text,
                "checked": True,
                "pass": passed,
                "score": float(passed),
                "checks": [{"check": f"equals: {texts[0][:20]}", "pass": passed, "why": None}],
                "unknown": None,
            }
    yield {
        "line": "round",
        "verdict": "regression",
        "round": 1,
        "prompts": {"total": 50, "better": 0, "worse": 12, "same": 36, "quarantined": 3, "unknown": 2},
        "pass_share": {"version": 0.6, "baseline": 0.92},
        "log_e": 8.3,
        "threshold": 6.5,
        "judge": {
            "win_rate": 0.31,
            "interval": [0.2, 0.43],
            "consistency": 0.84,
            "length_controlled": 0.33,
            "calls": 200,
        },
        "prompt_tokens": {"compared": 48, "differ": 48},
        "defects": {"version": {"empty": 2}, "baseline": {}},
        "changed": [
            {"set": "envoy/reference-set.yaml", "case": case, "version": "0/3", "baseline": "3/3", "check": "equals: …"}
            for case, *_ in ANSWERS
        ],
        "unknown_because": {"judge 429": 2},
    }


@pytest.fixture(scope="module")
def page_file(write_report: WriteReport) -> Path:
    """The page of a short release with these results."""
    release = Release()
    release.run(900, {"v1": Traffic(9), "v2": Traffic(1)})
    files = {"results.jsonl": "".join(json.dumps(line) + "\n" for line in results())}
    return write_report(release, "--baseline", "v1", "--watchdog", "results.jsonl", files=files)


@WINDOWS
def test_axe_finds_nothing(
    page_file: Path, open_page: Open, dependency: Dependency, pictures: Path, width: int, scheme: str
) -> None:
    page = open_page(page_file.as_uri(), width, scheme, bypass=True).page
    open_all(page)
    page.locator("section:has(> #v0-watchdog)").screenshot(path=pictures / f"results-{width}-{scheme}.png")
    page.add_script_tag(path=dependency("axe"))
    found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    assert [(one["id"], one["nodes"][0]["failureSummary"]) for one in found["violations"]] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width, "the page is wider than its window"


def test_both_answers_stand_side_by_side_with_what_differs(page_file: Path, open_page: Open) -> None:
    page = open_page(page_file.as_uri()).page
    assert page.locator("#v0-watchdog").inner_text() == "Reference set: ■ worse"
    first = page.locator(".changed > li").first
    assert "worse, v2 passes 0/3, v1 3/3" in first.inner_text()
    left, right = first.locator(".panel").all()
    assert left.locator("del").all_inner_texts() == ["Paris."]
    assert right.locator("ins").first.inner_text().startswith("Rome.")
    boxes = [panel.bounding_box() for panel in (left, right)]
    assert boxes[0] and boxes[1] and boxes[0]["y"] == boxes[1]["y"] and boxes[0]["x"] < boxes[1]["x"]
    facts = page.locator(".facts-list").inner_text()
    for words in ("prefers the version in 31 %", "judge 429: 2", "48 of 48 differ", "empty 2"):
        assert words in facts, words


def test_answers_stay_text(page_file: Path, open_page: Open) -> None:
    opened = open_page(page_file.as_uri(), 390)
    page = opened.page
    open_all(page)
    assert opened.said == [] and opened.asked == [page_file.as_uri()]
    assert page.evaluate("window.evil") is None
    assert page.locator("img").count() == 0 and page.locator("script").count() == 2
    assert EVIL in page.locator(".changed > li").nth(3).inner_text()
    assert "\u202e" not in page.content()
