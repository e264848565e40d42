"""The documentation says what the code does."""

import inspect
import re
from pathlib import Path

import pytest

import hwflow.ops
from hwflow.cli.designs import verify
from hwflow.core.config import TargetSettings
from hwflow.core.limits import VerifySettings
from hwflow.fixed import Overflow, Rounding
from hwflow.ir.op import Op

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)", page.read_text("utf-8"))
    local = [link for link in links if "://" not in link]
    assert [link for link in local if not (page.parent / link).exists()] == []


def settings_rows() -> dict[str, set[str]]:
    """Return the settings that the page gives for each operator."""
    text = (ROOT / "docs" / "settings.md").read_text("utf-8")
    rows = re.findall(r"^\| ([A-Z][\w, ]+) \| ((?:`\w+`(?:, )?)+) \|$", text, re.M)
    return {
        name: set(re.findall(r"\w+", settings))
        for names, settings in rows
        for name in names.split(", ")
    }


def test_settings_of_every_operator() -> None:
    assert hwflow.ops.by_onnx()
    known = {name: set(op.settings) for name, op in Op.registry.items() if op.settings}
    assert settings_rows() == known


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
