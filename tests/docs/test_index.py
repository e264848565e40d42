"""The pages of the documentation: each is in the index, and every link leads somewhere."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").glob("*.md"))
LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)\s]*)?\)")


def test_every_page_is_in_the_index() -> None:
    listed = set(LINK.findall((ROOT / "docs" / "README.md").read_text("utf-8")))
    assert {p.name for p in PAGES} - {"README.md"} <= listed


@pytest.mark.parametrize("page", [*PAGES, ROOT / "README.md"], ids=lambda p: p.name)
def test_links_lead_to_files(page: Path) -> None:
    missing = [t for t in LINK.findall(page.read_text("utf-8")) if not (page.parent / t).exists()]
    assert not missing
