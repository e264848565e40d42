"""The report of a build opens at any width, and says nothing on the console."""

import pytest

from hwflow.report.html import to_html
from tests.browser.conftest import Opened, barriers
from tests.report.samples import HOSTILE, report
from tests.report.test_pages import FAILING

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("width", [420, 768, 1280, 1920])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("settings", [{}, FAILING, {"origin": HOSTILE}], ids=["good", "bad", "odd"])
def test_report_fits_any_width(
    opened: Opened, width: int, scheme: str, settings: dict[str, object]
) -> None:
    text = to_html(report(**settings))  # type: ignore[arg-type]
    page = opened(text, name="report.html", width=width, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert page.locator("script").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_report_has_no_barriers(opened: Opened, scheme: str) -> None:
    page = opened(to_html(report(**FAILING)), bypass_csp=True, color_scheme=scheme)  # type: ignore[arg-type]
    assert barriers(page) == []
