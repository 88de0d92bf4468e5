"""Fixtures of the browser's tests: a browser that is watched, and the pages of a few releases."""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Dialog, Page, Playwright, sync_playwright

from tests.browser.samples import Release, Traffic
from tests.harness.dependencies import Dependency

# As root there is no sandbox, and nothing may leave the machine.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
HEIGHT_PX = 900

VERSIONS = [{"name": name, "cluster": name} for name in ("v1", "v2")]
STEPS = [("08:59", 10), ("09:30", 25), ("09:49", 0)]
POLICY = """prices:
  v1: {input: 0.10, cached_input: 0.02, output: 0.40}
  v2: {input: 0.12, output: 0.45}
"""
JOURNAL = [
    ("09:00:00", "ramping", 10, "chat: v2 gets 10 %", ["the source answers, and the version has no share yet"]),
    ("09:30:00", "ramping", 25, "chat: v2 gets 25 %", ["fine, with 1,796 requests of the version in this step"]),
    ("09:44:45", "stopping", 25, "chat: v2 is worse and is being stopped", ["refusals: 2.6 % against 1 %"]),
    ("09:44:46", "stopped", 0, "chat: v2 is stopped", ["all 3 Envoys run it"]),
]

WriteReport = Callable[..., Path]
Open = Callable[..., "Watched"]


@dataclass
class Watched:
    """A page, and what it did besides showing itself."""

    page: Page
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    """The driver."""
    with sync_playwright() as driver:
        yield driver


@pytest.fixture(scope="session")
def browser(playwright: Playwright, dependency: Dependency) -> Iterator[Browser]:
    """A browser without a window."""
    browser = playwright.chromium.launch(executable_path=dependency("chromium"), args=FLAGS)
    yield browser
    browser.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Open]:
    """Opens an address in a window of some width, light or dark."""
    contexts = []

    def opened(
        url: str, width: int = 1280, scheme: str = "light", script: bool = True, bypass: bool = False
    ) -> Watched:
        context = browser.new_context(
            viewport={"width": width, "height": HEIGHT_PX},
            color_scheme="dark" if scheme == "dark" else "light",
            java_script_enabled=script,
            bypass_csp=bypass,
        )
        contexts.append(context)
        watched = Watched(context.new_page())

        def dismissed(dialog: Dialog) -> None:
            watched.said.append(f"dialog: {dialog.message}")
            dialog.dismiss()

        watched.page.on("console", lambda message: watched.said.append(f"{message.type}: {message.text}"))
        watched.page.on("pageerror", lambda error: watched.said.append(f"error: {error}"))
        watched.page.on("dialog", dismissed)
        watched.page.on("request", lambda request: watched.asked.append(request.url))
        watched.page.goto(url)
        return watched

    yield opened
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def write_report(tool: Path, tmp_path_factory: pytest.TempPathFactory) -> WriteReport:
    """Writes the page of a release, with what is given beside its samples."""

    def written(release: Release, *arguments: str, files: dict[str, str] | None = None) -> Path:
        folder = tmp_path_factory.mktemp("report")
        (folder / "metrics.txt").write_text(release.text())
        for name, text in (files or {}).items():
            (folder / name).write_text(text)
        command: list[str | Path] = [tool, "report", *arguments, "--from", "metrics.txt", "-o", "release.html"]
        subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
        return folder / "release.html"

    return written


@pytest.fixture(scope="session")
def release() -> Release:
    """Half an hour of health at 10 %, ten minutes at 25 %, and ten minutes in which v2 is worse."""
    release = Release()
    release.run(1800, {"v1": Traffic(9), "v2": Traffic(1)})
    release.run(600, {"v1": Traffic(7.5), "v2": Traffic(2.5)})
    worse = Traffic(2.5, errors=0.02, refusals=0.07, defects=0.03, chars=1150, first_ms=380)
    release.run(600, {"v1": Traffic(7.5), "v2": worse})
    return release


@pytest.fixture(scope="session")
def report(release: Release, write_report: WriteReport) -> Path:
    """The page of that release, with its configuration, prices and a journal."""
    steps = [{"at": f"2026-11-23T{at}:00Z", "percent": {"v2": percent}} for at, percent in STEPS]
    config = {"rollouts": [{"name": "chat", "baseline": "v1", "versions": VERSIONS, "steps": steps}]}
    lines = [
        {
            "at": f"2026-11-23T{at}Z",
            "rollout": "chat",
            "version": "v2",
            "event": event,
            "percent": percent,
            "text": text,
            "why": why,
            "undo": "llm-canary stop chat.json v2",
        }
        for at, event, percent, text, why in JOURNAL
    ]
    files = {
        "chat.json": json.dumps(config),
        "policy.yaml": POLICY,
        "journal.jsonl": "".join(json.dumps(line) + "\n" for line in lines) + "half a li",
    }
    return write_report(
        release,
        "chat.json",
        *("--policy", "policy.yaml", "--journal", "journal.jsonl", "--window", "15s"),
        files=files,
    )


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pictures of the page are left; LLM_CANARY_PICTURES names a folder of your own."""
    named = os.environ.get("LLM_CANARY_PICTURES")
    folder = Path(named) if named else tmp_path_factory.mktemp("pictures")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
