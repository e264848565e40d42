"""The documentation says what the code does."""

import inspect
import re
from pathlib import Path

import pytest

from hwflow.cli.designs import verify
from hwflow.core.limits import VerifySettings
from hwflow.core.settings import TargetSettings
from hwflow.fixed import Overflow, Rounding
from hwflow.ir.op import Op
from tests import operator_settings
from tests.test_architecture import PACKAGE, ROOMS, imported, modules

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)", page.read_text("utf-8"))
    local = [link for link in links if "://" not in link]
    assert [link for link in local if not (page.parent / link).exists()] == []


def test_the_table_of_settings_is_up_to_date() -> None:
    """``python -m tests.operator_settings`` writes it."""
    assert operator_settings.TABLE.findall(operator_settings.PAGE.read_text("utf-8")) == [
        operator_settings.table()
    ]


def test_every_limit_is_a_setting_and_an_option() -> None:
    text = (ROOT / "docs" / "verify.md").read_text("utf-8")
    for name in VerifySettings.model_fields:
        assert f"`--{name.replace('_', '-')}`" in text
        assert name in inspect.signature(verify).parameters


def test_every_setting_and_mode_has_a_row() -> None:
    text = (ROOT / "docs" / "settings.md").read_text("utf-8")
    names = {s for op in Op.registry.values() for s in op.settings}
    for name in (
        *TargetSettings.model_fields,
        *VerifySettings.model_fields,
        *Rounding,
        *Overflow,
        *names,
    ):
        assert re.search(rf"^\| .*`{name}`.* \|", text, re.M), name


def room_imports() -> dict[str, set[str]]:
    """Return which rooms each room imports from."""
    found: dict[str, set[str]] = {room: set() for room in ROOMS}
    for path in modules():
        own = path.relative_to(PACKAGE).parts[0]
        if own in found:
            found[own] |= imported(path).intersection(ROOMS) - {own}
    return found


def reachable(room: str, arrows: set[tuple[str, str]]) -> set[str]:
    below = {end for start, end in arrows if start == room}
    return below.union(*(reachable(end, arrows) for end in below))


def test_the_picture_of_the_rooms_shows_the_imports() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8").split("## The rooms")[1]
    picture = text.split("```mermaid")[1].split("```")[0]
    arrows = set(re.findall(r"(\w+) --> (\w+)", picture))
    imports = room_imports()
    assert {(a, b) for a, b in arrows if b not in imports[a]} == set()
    for room in ROOMS:
        assert imports[room] <= reachable(room, arrows), room


def test_both_pages_list_the_rooms_in_order() -> None:
    for page in (ROOT / "README.md", ROOT / "docs" / "architecture.md"):
        assert re.findall(r"^\| `hwflow/(\w+)` \|", page.read_text("utf-8"), re.M) == list(ROOMS)
