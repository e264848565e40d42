"""Jinja environments: a missing name is an error, and pages escape what they print."""

from pathlib import Path

import pytest
from jinja2 import UndefinedError

from hwflow.core.templates import template_environment


def test_a_name_that_a_template_does_not_get_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.j2").write_text("{{ missing }}")
    with pytest.raises(UndefinedError, match="missing"):
        template_environment(tmp_path).get_template("a.j2").render()


def test_pages_escape_and_code_does_not(tmp_path: Path) -> None:
    (tmp_path / "a.j2").write_text("{{ text }}\n")
    pages, code = template_environment(tmp_path, html=True), template_environment(tmp_path)
    assert pages.get_template("a.j2").render(text="a < b") == "a &lt; b\n"
    assert code.get_template("a.j2").render(text="a < b") == "a < b\n"


def test_the_first_folder_with_a_template_has_it(tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.j2").write_text(name)
    (tmp_path / "second" / "b.j2").write_text("{% include 'a.j2' %}")
    found = template_environment(tmp_path / "first", tmp_path / "second")
    assert found.get_template("b.j2").render() == "first"
