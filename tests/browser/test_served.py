"""The same page where a server hands it out: it takes the next one, and the reader stays where he was.

No command serves the page yet. So the page of a file gets the script of a served one here, as `cli/src/page/view.rs`
puts it together.
"""

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.browser.conftest import Open
from tests.harness import REPOSITORY

TEMPLATES = REPOSITORY / "cli" / "templates"
EVERY_MS = 200


class Serving:
    """A server with one page, which can be another one from some time on."""

    def __init__(self, page: str) -> None:
        """Starts it on a free port."""
        self.page: str | None = page
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                found = self.path in ("/", "/api/page") and outer.page is not None
                body = (outer.page or "").encode()
                self.send_response(200 if found else 503)
                self.send_header("content-type", "text/html; charset=utf-8")
                self.send_header("content-length", str(len(body) if found else 0))
                self.end_headers()
                if found:
                    self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def served(page: str) -> str:
    """The page as a server would hand it out; without its policy, which names the script's hash."""
    script = (TEMPLATES / "read.js").read_text() + (TEMPLATES / "live.js").read_text()
    page = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page)
    head, _ = page.rsplit("<script>", 1)
    head = head.replace("<body>", f'<body data-page="/api/page" data-every-ms="{EVERY_MS}">')
    return f"{head}<script>{script}</script></body></html>"


@pytest.fixture
def serving(report: Path) -> Iterator[Serving]:
    """A server with that page."""
    serving = Serving(served(report.read_text()))
    yield serving
    serving.server.shutdown()
    serving.server.server_close()


def test_it_goes_on_and_the_reader_stays(serving: Serving, open_page: Open) -> None:
    opened = open_page(serving.url)
    page = opened.page
    page.locator("#v0-numbers-all > summary").click()
    slider = page.locator("input.at").first
    slider.focus()
    for _ in range(3):
        page.keyboard.press("ArrowLeft")
    at = slider.input_value()
    assert serving.page
    serving.page = serving.page.replace("v2 is worse than v1", "v2 is much worse than v1")
    page.get_by_role("heading", name="v2 is much worse than v1").wait_for()
    assert "much worse" in page.title()
    assert page.locator("#v0-numbers-all").get_attribute("open") is not None
    assert page.evaluate("document.activeElement.id") == "v0-at"
    assert slider.input_value() == at
    page.keyboard.press("ArrowLeft")
    assert int(slider.input_value()) == int(at) - 1
    assert page.locator(".live").is_visible()
    assert opened.said == []


def test_it_says_when_it_does_not_go_on(serving: Serving, open_page: Open) -> None:
    page = open_page(serving.url, 390).page
    before, serving.page = serving.page, None
    page.get_by_role("status").wait_for()
    assert "does not go on at the moment (status 503)" in page.get_by_role("status").inner_text()
    assert page.locator("h1").count() == 1
    serving.page = before
    page.get_by_role("status").wait_for(state="hidden")
