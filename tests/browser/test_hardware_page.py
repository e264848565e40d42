"""The page of an exploration of hardware: any width, light and dark, names of strangers."""

from typing import Any

import pytest
from playwright.sync_api import expect

from hwflow.exploration.pictures.hardware import to_html
from tests.browser.conftest import Opened, barriers
from tests.browser.pages import overflow
from tests.exploration.pictured import HOSTILE

pytestmark = pytest.mark.browser


def result(name: str) -> dict[str, Any]:
    """Return what ``hardware.json`` holds: two points on one board."""
    ends = [1000.0, 400.0, 3000.0]
    points = [
        {
            "id": i, "io_type": io_type, "clock_period_ns": 5.0, "time_ns": 100.0 * (i + 1),
            "least": 9.0 - i, "share": 0.09, "proven": i == 0, "fits": "yes",
            "cost": dict.fromkeys(("latency_ns", "ii", "lut_synth", "ff_synth", "dsp",
                                   "bram_18k_synth"), ends),
            "layers": {name: {"reuse_factor": 4}},
        }
        for i, io_type in enumerate(("io_parallel", "io_stream"))
    ]  # fmt: skip
    front = {"board": name, "part": "xc7z020clg400-1", "points": points, "knee": 1,
             "certified": False, "nothing": [f"io_stream, 4 ns: {name}"]}  # fmt: skip
    return {
        "model": f"{name}.onnx", "digests": {"model": "0" * 64}, "finished": True, "solved": 2,
        "cases": 2, "time": "latency_ns", "cost": "share", "limits": ["lut=60%"],
        "fronts": [front],
    }  # fmt: skip


@pytest.mark.parametrize("width", [420, 1920])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["fc1", HOSTILE], ids=["plain", "hostile"])
def test_page_fits_and_has_no_barriers(opened: Opened, width: int, scheme: str, name: str) -> None:
    page = opened(
        to_html(result(name), "runs/a"), bypass_csp=True, width=width, color_scheme=scheme
    )
    assert overflow(page) <= 0
    assert page.locator("script").count() == 0
    for place in page.get_by_text("settings, build it").all():
        place.click()
    assert overflow(page) <= 0
    expect(page.locator("td code").last).to_contain_text("hwflow pick --run runs/a")
    assert barriers(page) == []  # whose own script stays in the page
