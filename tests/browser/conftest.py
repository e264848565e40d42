"""A headless Chromium, and pages in it that must not complain."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

UNPACKED = Path(__file__).parents[2] / ".venv" / "browser" / "unpacked"
"""Where ``make test-browser`` unpacks Chromium."""

AXE = UNPACKED.parent / "node_modules" / "axe-core" / "axe.min.js"

Opened = Callable[..., Page]


def barriers(page: Page) -> list[str]:
    """Return what keeps people from using a page, as axe-core finds it; needs ``bypass_csp``."""
    page.add_script_tag(path=AXE)
    found = page.evaluate("axe.run()")["violations"]
    return [f"{rule['id']}: {node['html']}" for rule in found for node in rule["nodes"]]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One browser for all tests, with its own libraries and fonts."""
    environment: dict[str, str | float | bool] = {
        "HOME": str(UNPACKED), "LD_LIBRARY_PATH": str(UNPACKED / "al2023" / "lib"),
        "FONTCONFIG_PATH": str(UNPACKED / "fonts"),
    }  # fmt: skip
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(
            executable_path=UNPACKED / "chromium", env=environment,
            args=["--headless=shell", "--no-sandbox", "--no-zygote", "--in-process-gpu"],
        )  # fmt: skip
        yield found
        found.close()


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Opened]:
    """Open a page from a file; what it says on the console, fails, or asks for fails the test."""
    complaints: list[str] = []
    contexts = []

    def open_page(text: str, *, name: str = "front.html", **settings: Any) -> Page:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        size = {"width": settings.pop("width", 1280), "height": 900}
        context = browser.new_context(viewport=size, **settings)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
        page.on("dialog", lambda dialog: (complaints.append("a dialog"), dialog.dismiss()))
        page.on("request", lambda request: _note(complaints, request.url, path))
        page.goto(path.as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


def _note(complaints: list[str], url: str, path: Path) -> None:
    if url != path.as_uri():
        complaints.append(f"request: {url}")
