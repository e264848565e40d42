"""The walk-through runs as it stands: its files are written, its commands run, in order."""

from pathlib import Path

import pytest

from tests.docs.pages import block, commands, page, run_commands

PAGE = page("walkthrough.md")


@pytest.mark.slow
@pytest.mark.cpp
@pytest.mark.torch
def test_the_walk_through_ends_in_a_verified_project(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(block(PAGE, "python"), "utf-8")
    (tmp_path / "hwflow.toml").write_text(block(PAGE, "toml"), "utf-8")
    assert len(commands(PAGE)) == 8
    run_commands(PAGE, tmp_path)
    assert 'failures="0"' in (tmp_path / "mlp.xml").read_text("utf-8")
