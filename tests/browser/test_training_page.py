"""The page of a training opens at any width, and says nothing on the console."""

from pathlib import Path

import pytest

from hwflow.compression.handover.page import to_html
from tests.browser.conftest import Opened, barriers
from tests.compression.test_handover import HOSTILE, sides, story

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["net.onnx", HOSTILE, "very_long_name_without_any_break" * 8])
def test_page_fits_any_width(opened: Opened, scheme: str, name: str, tmp_path: Path) -> None:
    text = to_html(story(sides(tmp_path), tmp_path / "run", name))
    for width in (420, 768, 1280, 1920):
        page = opened(text, name="report.html", width=width, color_scheme=scheme)
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        assert page.locator("script").count() == 0
        drawn = page.locator("svg.curve").evaluate_all(
            "figures => figures.map(f => f.getBoundingClientRect().width)"
        )
        assert len(drawn) == 5
        assert all(300 <= each <= width for each in drawn)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_has_no_barriers(opened: Opened, scheme: str, tmp_path: Path) -> None:
    text = to_html(story(sides(tmp_path), tmp_path / "run"))
    assert barriers(opened(text, bypass_csp=True, color_scheme=scheme)) == []
