"""The same page where a server hands it out: it goes on, and the reader stays where he was."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import POLICY, VERSIONS, Open
from tests.browser.live import Command, FakeEnvoy
from tests.browser.samples import Release, Traffic
from tests.browser.test_report import EMPTY_CHARTS, LOADED_MS, OPENS_MS_MAX, WINDOWS, axe_violations, open_all
from tests.harness.dependencies import Dependency

PAGE_BYTES_MAX = 750_000
CHANGES_MS_MAX = 30_000
EVERY = ("--every", "500ms")

Start = Callable[..., Command]


@pytest.fixture(scope="module")
def start(tool: Path) -> Iterator[Start]:
    """Starts commands, and ends those that still run."""
    commands: list[Command] = []

    def started(folder: Path, *arguments: str | Path) -> Command:
        commands.append(Command(tool, folder, *arguments))
        return commands[-1]

    yield started
    for command in commands:
        command.end()


@pytest.fixture
def envoy(tmp_path: Path) -> Iterator[FakeEnvoy]:
    """An Envoy by a configuration in which v2 has no share yet."""
    file = tmp_path / "chat.json"
    file.write_text(json.dumps({"rollouts": [{"name": "chat", "baseline": "v1", "versions": VERSIONS, "steps": []}]}))
    envoy = FakeEnvoy(file)
    yield envoy
    envoy.close()


def run_arguments(envoy: FakeEnvoy, plan: str) -> list[str | Path]:
    """Of a run that goes by time, because windows after a step are left out of the evidence for a minute."""
    return ["run", envoy.file, "v2", "--plan", plan, "--advance", "time", "--admin", envoy.url, *EVERY]


def wait_for(page: Page, words: str) -> None:
    """Until the page says this, without being loaded again."""
    page.wait_for_function("words => document.body.innerText.includes(words)", arg=words, timeout=CHANGES_MS_MAX)


def wait_for_next(page: Page) -> None:
    """Until it has taken another page."""
    written = page.locator("footer time").text_content()
    script = "written => document.querySelector('footer time').textContent !== written"
    page.wait_for_function(script, arg=written, timeout=CHANGES_MS_MAX)


def events(page: Page) -> list[str]:
    """The words for what happened."""
    return [text for text in page.locator(".events li > b").all_text_contents() if text != "look"]


def test_a_running_release_shows_its_steps_and_its_stop(
    start: Start, envoy: FakeEnvoy, open_page: Open, pictures: Path
) -> None:
    command = start(envoy.file.parent, *run_arguments(envoy, "5%,25%@4s,50%@1h"), "--journal", "journal.jsonl")
    opened = open_page(command.url)
    page = opened.page
    page.evaluate("window.isTheSame = true")
    wait_for(page, "Now: v2 gets 25 %")
    assert events(page) == ["ramping", "ramping"]
    assert page.locator("h1").inner_text().startswith("▲ Whether v2 is worse than v1 is not decided yet")
    wait_for_next(page)
    page.screenshot(path=pictures / "live-ramping-1280-light.png", full_page=True)
    envoy.failing = 0.5
    wait_for(page, "v2 is worse than v1")
    wait_for(page, "Now: v2 is stopped")
    assert events(page) == ["ramping", "ramping", "stopping", "stopped"]
    assert "v2 was stopped: errors: " in page.locator("h1").inner_text()
    assert page.title().startswith("chat: v2 was stopped")
    # Each event is marked on the share.
    titles = " ".join(page.locator("#v0-share .mark title").all_text_contents())
    for words in ("v2 gets 5 %", "v2 gets 25 %", "v2 is worse and is being stopped", "v2 is stopped"):
        assert words in titles, titles
    assert page.locator("#v0-share .mark.bad").count() >= 1
    assert page.evaluate("window.isTheSame"), "it was not loaded again"
    for width, scheme in [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")]:
        other = open_page(command.url, width, scheme)
        other.page.screenshot(path=pictures / f"live-stopped-{width}-{scheme}.png", full_page=True)
        assert other.page.evaluate("document.documentElement.scrollWidth") <= width
        assert other.said == []
    assert opened.said == []
    assert set(opened.asked) == {command.url, command.url + "api/page"}
    # Started again, it knows what happened before.
    assert command.end() == 1
    page.get_by_text("does not go on at the moment").wait_for()
    again = start(
        envoy.file.parent, *run_arguments(envoy, "5%,25%@1h"), "--journal", "journal.jsonl", "--again", "mended"
    )
    page = open_page(again.url).page
    wait_for(page, "v2 gets 5 %")
    assert events(page)[:4] == ["ramping", "ramping", "stopping", "stopped"] or page.locator("#v0-earlier").count() == 1


def test_the_reader_stays(start: Start, envoy: FakeEnvoy, open_page: Open) -> None:
    command = start(envoy.file.parent, *run_arguments(envoy, "5%,25%@1h"))
    opened = open_page(command.url, 390)
    page = opened.page
    wait_for(page, "Now: v2 gets 5 %")
    page.locator("#v0-numbers-all > summary").click()
    page.wait_for_function("() => document.querySelector('input.at').max >= 3", timeout=CHANGES_MS_MAX)
    slider = page.locator("input.at").first
    slider.focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    at = page.locator("span.at").first.inner_text()
    page.evaluate("document.querySelector('#v0-numbers-all .scroll').scrollLeft = 200")
    place = "() => [scrollY, document.querySelector('#v0-health').getBoundingClientRect().top]"
    page.evaluate("document.querySelector('#v0-health').scrollIntoView({ behavior: 'instant' })")
    select = "getSelection().selectAllChildren(document.querySelector('#v0-health'))"
    page.evaluate(select)
    # The keys before have scrolled as well, smoothly.
    page.wait_for_timeout(1000)
    before = page.evaluate(place)
    assert before[0] > 500
    for _ in range(3):
        wait_for_next(page)
        assert page.evaluate("document.activeElement.id") == "v0-at"
        assert page.locator("#v0-numbers-all").get_attribute("open") is not None
        assert page.evaluate("document.querySelector('#v0-numbers-all .scroll').scrollLeft") == 200
        assert page.evaluate("getSelection().toString()").startswith("Health: ")
        assert page.locator("span.at").first.inner_text() == at
        now = page.evaluate(place)
        assert abs(now[1] - before[1]) <= 2, (before, now)
    # What has no name keeps the focus as well.
    summary = page.locator("#v0-numbers-all > summary")
    summary.focus()
    wait_for_next(page)
    assert summary.evaluate("summary => document.activeElement === summary")
    page.keyboard.press("Enter")
    assert page.locator("#v0-numbers-all").get_attribute("open") is None
    wait_for_next(page)
    assert page.locator("#v0-numbers-all").get_attribute("open") is None
    # Numbers of the last time go on; those of a time that was chosen stay.
    slider.focus()
    page.keyboard.press("End")
    last = page.locator("span.at").first.inner_text()
    wait_for_next(page)
    assert page.locator("span.at").first.inner_text() > last > at
    assert page.locator(".live").is_visible()
    assert opened.said == []


def test_a_silent_source_is_said_and_nothing_is_fine(start: Start, envoy: FakeEnvoy, open_page: Open) -> None:
    envoy.is_silent = True
    command = start(envoy.file.parent, "serve", envoy.file, "--admin", envoy.url, *EVERY)
    page = open_page(command.url, 390).page
    wait_for(page, "Nothing is judged yet")
    assert envoy.url in page.locator("h1").inner_text()
    config = json.loads(envoy.file.read_text())
    config["rollouts"][0]["steps"] = [{"at": "2026-01-01T00:00:00Z", "percent": {"v2": 25}}]
    envoy.file.write_text(json.dumps(config))
    envoy.is_silent = False
    wait_for(page, "Signals at a glance")
    envoy.is_silent = True
    wait_for(page, "Something is missing, so that nothing goes on")
    assert page.locator("h1").inner_text().startswith("▲ Whether v2 is worse than v1")
    assert command.end() == 0
    page.get_by_text("has ended, or cannot be reached").wait_for()
    assert page.locator("h1").count() == 1, "what was found last is still there"


@WINDOWS
def test_axe_finds_nothing(
    start: Start, served: Command, open_page: Open, dependency: Dependency, width: int, scheme: str
) -> None:
    page = open_page(served.url, width, scheme, bypass=True).page
    page.locator(".live").wait_for()
    open_all(page)
    assert axe_violations(page, dependency("axe")) == []


@pytest.fixture(scope="module")
def served(start: Start, release: Release, tmp_path_factory: pytest.TempPathFactory) -> Command:
    """The page of a release that has stopped, served from a file."""
    folder = tmp_path_factory.mktemp("served")
    (folder / "metrics.txt").write_text(release.text())
    (folder / "policy.yaml").write_text(POLICY)
    arguments = ("--baseline", "v1", "--policy", "policy.yaml", "--window", "15s")
    return start(folder, "serve", "--from", "metrics.txt", *arguments)


def test_it_is_the_page_of_report(served: Command, open_page: Open) -> None:
    opened = open_page(served.url)
    page = opened.page
    wait_for(page, "v2 is worse than v1")
    assert page.locator(".chart").count() > 40
    assert page.evaluate(EMPTY_CHARTS) == []
    # A page that is still the same is not sent again.
    with page.expect_response(re.compile("/api/page$")) as first:
        pass
    with page.expect_response(re.compile("/api/page$")) as second:
        pass
    assert {first.value.status, second.value.status} <= {200, 304} and second.value.status == 304
    assert opened.said == []


def test_nothing_else_may_run(served: Command, open_page: Open) -> None:
    opened = open_page(served.url)
    page = opened.page
    policy = page.request.get(served.url).headers["content-security-policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy
    page.evaluate(
        """() => {
          const script = document.createElement("script");
          script.textContent = "window.evil = 1";
          document.body.append(script);
          const markup = "<img src=x onerror='window.evil = 2'><a id=a href='javascript:window.evil=3'>x</a>";
          document.body.insertAdjacentHTML("beforeend", markup);
          document.getElementById("a").click();
        }"""
    )
    asked = page.evaluate("fetch('http://127.0.0.1:9/').then(() => 'asked', () => 'refused')")
    page.wait_for_timeout(300)
    assert (page.evaluate("window.evil"), asked) == (None, "refused")
    assert [url for url in opened.asked if not url.startswith(served.url)] == []


def test_labels_stay_text(start: Start, tmp_path: Path, open_page: Open, pictures: Path) -> None:
    evil = "<script>window.evil = 1; alert(1)</script>"
    baseline = '"><img src=x onerror="alert(2)">'
    release = Release(rollout="</title>" + evil, names=(baseline, evil), defect=evil + "\u202egnp")
    release.run(900, {baseline: Traffic(9), evil: Traffic(2, refusals=0.2)})
    (tmp_path / "metrics.txt").write_text(release.text())
    arguments = ("--from", "metrics.txt", "--baseline", baseline, "--window", "15s")
    command = start(tmp_path, "serve", *arguments)
    opened = open_page(command.url, 390)
    page = opened.page
    page.locator(".live").wait_for()
    open_all(page)
    page.screenshot(path=pictures / "live-labels-390.png", full_page=True)
    assert opened.said == []
    assert page.evaluate("window.evil") is None
    assert page.locator("img").count() == 0 and page.locator("script").count() == 2
    assert evil in page.locator("h1").first.inner_text()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def found_of(page: Page) -> dict[str, Any]:
    """The page's data."""
    data: dict[str, Any] = json.loads(page.locator("#data").text_content() or "")
    return data


@pytest.mark.parametrize("width", [1280, 390])
def test_a_day_at_15_seconds_opens_in_less_than_a_second(day: Command, open_page: Open, width: int) -> None:
    opened = open_page(day.url, width)
    page = opened.page
    wait_for(page, "Signals at a glance")
    page.reload()
    version = found_of(page)["versions"][0]
    assert version["analysis"]["windows"] > 5_700
    assert page.evaluate(LOADED_MS) < OPENS_MS_MAX
    assert len(page.request.get(day.url).body()) < PAGE_BYTES_MAX
    # Taking the next page holds nobody up.
    took = page.evaluate(
        """async () => {
          const text = await (await fetch("/api/page")).text();
          const began = performance.now();
          const next = new DOMParser().parseFromString(text, "text/html").getElementById("page");
          document.getElementById("page").isEqualNode(next);
          return performance.now() - began;
        }"""
    )
    assert took < OPENS_MS_MAX / 2
    assert opened.said == []
    assert page.evaluate(EMPTY_CHARTS) == []


@pytest.fixture(scope="module")
def day(start: Start, tmp_path_factory: pytest.TempPathFactory) -> Command:
    """The page of a day of windows of 15 s."""
    folder = tmp_path_factory.mktemp("day")
    release = Release()
    release.run(86_400, {"v1": Traffic(0.4), "v2": Traffic(0.1)})
    (folder / "metrics.txt").write_text(release.text())
    return start(folder, "serve", "--from", "metrics.txt", "--baseline", "v1", "--window", "15s")
