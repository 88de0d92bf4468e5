"""The page that `report` writes. To look at it yourself: LLM_CANARY_PICTURES=/tmp/pictures ./test.sh browser."""

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import Open, WriteReport
from tests.browser.samples import Release, Traffic
from tests.harness.dependencies import Dependency

OPENS_MS_MAX = 1000
PAGE_BYTES_MAX = 1_000_000
WINDOWS = pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")])

LOADED_MS = "performance.getEntriesByType('navigation')[0].loadEventEnd"
# The charts whose lines lie on one point, or that have none.
EMPTY_CHARTS = """
[...document.querySelectorAll(".chart")].filter((chart) => {
  const paths = [...chart.querySelectorAll(".plot path")];
  return !paths.some((path) => path.getTotalLength() > 0);
}).map((chart) => chart.id)
"""
FIELDS = """
[...document.querySelectorAll("[data-field]")].map((field) => [
  field.closest(".tile").id, field.dataset.field, field.textContent,
])
"""


def open_all(page: Page) -> None:
    """Opens everything that is folded."""
    page.evaluate("for (const details of document.querySelectorAll('details')) details.open = true")


def axe_violations(page: Page, axe: Path) -> list[tuple[Any, ...]]:
    """What axe finds: each rule, where it is broken, and why."""
    page.add_script_tag(path=axe)
    found = page.evaluate("axe.run(document, { resultTypes: ['violations', 'incomplete'] })")
    return [
        (one["id"], [node["target"] for node in one["nodes"]][:5], one["nodes"][0]["failureSummary"])
        for one in found["violations"]
    ]


def data(page: Page) -> dict[str, Any]:
    """The page's data."""
    text = page.locator("#data").text_content()
    assert text
    found: dict[str, Any] = json.loads(text)
    return found


@WINDOWS
def test_it_opens_and_asks_nobody(report: Path, open_page: Open, pictures: Path, width: int, scheme: str) -> None:
    opened = open_page(report.as_uri(), width, scheme)
    page = opened.page
    assert page.evaluate(LOADED_MS) < OPENS_MS_MAX
    page.screenshot(path=pictures / f"report-{width}-{scheme}.png", full_page=True)
    open_all(page)
    page.screenshot(path=pictures / f"report-{width}-{scheme}-open.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= width, "the page is wider than its window"
    assert page.evaluate(EMPTY_CHARTS) == []
    assert page.locator(".chart").count() > 40
    assert opened.said == []
    assert opened.asked == [report.as_uri()]


@WINDOWS
def test_axe_finds_nothing(report: Path, open_page: Open, dependency: Dependency, width: int, scheme: str) -> None:
    page = open_page(report.as_uri(), width, scheme, bypass=True).page
    open_all(page)
    assert axe_violations(page, dependency("axe")) == []


def test_the_first_line_says_what_and_why(report: Path, open_page: Open) -> None:
    page = open_page(report.as_uri()).page
    heading = page.locator("h1").first.inner_text()
    assert heading.startswith("■ v2 was stopped: refusals: 2.6 % against 1 %")
    assert "v2 was stopped" in page.title()
    order = page.locator("h2").all_inner_texts()
    assert order.index("Worse") < order.index("All other signals")


def test_scripts_add_nothing_but_other_times(report: Path, open_page: Open) -> None:
    """Without scripts the page says the same."""
    without = open_page(report.as_uri(), script=False).page
    fields = [
        (field.evaluate("field => field.closest('.tile').id"), field.get_attribute("data-field"), field.text_content())
        for field in without.locator("[data-field]").all()
    ]
    page = open_page(report.as_uri()).page
    assert [tuple(field) for field in page.evaluate(FIELDS)] == fields
    assert without.locator(".reader").first.is_hidden()


def test_numbers_at_a_time_by_keyboard_and_by_pointer(report: Path, open_page: Open) -> None:
    page = open_page(report.as_uri()).page
    version = data(page)["versions"][0]
    tile = page.locator(".tile").first
    trend = version["trends"][int(tile.get_attribute("data-trend") or 0)]
    slider, output = page.locator("input.at").first, page.locator("span.at").first
    last = len(version["times_ms"]) - 1
    assert int(slider.input_value()) == last
    slider.focus()
    page.keyboard.press("Home")
    for _ in range(last // 2):
        page.keyboard.press("ArrowRight")
    middle = last // 2
    assert int(slider.input_value()) == middle
    ratio = trend["ratio"][middle]
    assert tile.locator("[data-field=ratio]").inner_text() == f"{ratio:.2f}"
    shown = page.evaluate("ms => new Date(ms).toISOString().slice(0, 19)", version["times_ms"][middle])
    assert output.inner_text() == shown.replace("T", " ")
    chart = tile.locator(".chart").nth(1)
    assert chart.locator(".cursor").get_attribute("visibility") == "visible"
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] / 4, box["y"] + box["height"] / 2)
    assert abs(int(slider.input_value()) - last / 4) <= 2
    # Where the pointer leaves, the time that was chosen by keyboard is shown again.
    page.mouse.move(5, 5)
    assert int(slider.input_value()) == middle
    slider.focus()
    page.keyboard.press("End")
    assert int(slider.input_value()) == last


def test_all_can_be_reached_by_keyboard(report: Path, open_page: Open) -> None:
    page = open_page(report.as_uri()).page
    wanted = page.evaluate(
        "[...document.querySelectorAll('summary, a, input')].filter((one) => one.checkVisibility()).length"
    )
    reached = set()
    for _ in range(wanted * 2):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate(
                """() => {
                  const one = document.activeElement;
                  const isShown = one === document.body || getComputedStyle(one).outlineStyle !== "none";
                  return isShown ? [...document.querySelectorAll("*")].indexOf(one) : "no outline";
                }"""
            )
        )
    assert "no outline" not in reached
    assert len(reached) >= wanted


def test_it_prints(report: Path, open_page: Open, pictures: Path) -> None:
    page = open_page(report.as_uri(), scheme="dark").page
    folded = page.locator("details:not([open])").count()
    printed = page.pdf(path=pictures / "report.pdf", prefer_css_page_size=True)
    assert printed.startswith(b"%PDF") and len(printed) > 100_000
    assert page.locator("details:not([open])").count() == folded > 0


def test_labels_stay_text(write_report: WriteReport, open_page: Open, pictures: Path) -> None:
    evil = "<script>window.evil = 1; alert(1)</script>"
    baseline = '"><img src=x onerror="alert(2)">'
    release = Release(rollout="</title>" + evil, names=(baseline, evil), defect=evil + "\u202egnp")
    release.run(900, {baseline: Traffic(9), evil: Traffic(2, refusals=0.2)})
    events = [{"at": 1795424500, "event": evil, "text": evil, "why": evil, "undo": evil, evil: evil}]
    files = {"journal.jsonl": "\n".join(json.dumps(event) for event in events)}
    arguments = ("--baseline", baseline, "--window", "15s", "--journal", "journal.jsonl")
    report = write_report(release, *arguments, files=files)
    opened = open_page(report.as_uri(), 390)
    page = opened.page
    open_all(page)
    page.screenshot(path=pictures / "report-labels-390.png", full_page=True)
    assert opened.said == [] and opened.asked == [report.as_uri()]
    assert page.evaluate("window.evil") is None
    assert page.locator("img").count() == 0 and page.locator("script").count() == 2
    assert evil in page.locator("h1").first.inner_text()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.evaluate(EMPTY_CHARTS) == []


def test_a_day_opens_in_less_than_a_second(write_report: WriteReport, open_page: Open) -> None:
    release = Release()
    release.run(86_400, {"v1": Traffic(0.4), "v2": Traffic(0.1)}, every_s=60)
    report = write_report(release, "--baseline", "v1")
    assert report.stat().st_size < PAGE_BYTES_MAX
    opened = open_page(report.as_uri())
    assert opened.page.evaluate(LOADED_MS) < OPENS_MS_MAX
    assert opened.said == []
    assert opened.page.evaluate(EMPTY_CHARTS) == []
