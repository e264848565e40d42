"""What tests of the front's page look at."""

import shlex

from playwright.sync_api import Locator, Page


def point(page: Page, key: str) -> Locator:
    """Return the mark of a point."""
    return page.locator(f'.point[data-key="{key}"]')


def chosen(page: Page) -> str:
    """Return the key of the point that is chosen."""
    (key,) = page.locator(".point[aria-pressed=true]").evaluate_all(
        "marks => marks.map(mark => mark.dataset.key)"
    )
    return str(key)


def overflow(page: Page) -> int:
    """Return by how many pixels a page is too wide."""
    return int(page.evaluate("document.documentElement.scrollWidth - innerWidth"))


def command(page: Page) -> list[str]:
    """Return the words of the command that builds the chosen point."""
    return shlex.split(page.locator("#command").inner_text())


def names_outside(page: Page) -> set[str]:
    """Return the keys of the points outside the budget."""
    keys = page.locator(".point.out").evaluate_all("marks => marks.map(m => m.dataset.key)")
    return set(keys)
