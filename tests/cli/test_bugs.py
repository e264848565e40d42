"""A bug of hwflow has an exit status of its own, so that CI does not take it for a verdict."""

import os
import re
from pathlib import Path

import pytest

from hwflow.cli import BUG, main
from hwflow.passes import legalize
from tests.cli.command import dense, save

PAGES = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("verb", ["build", "verify", "inspect"])
def test_a_bug_is_a_traceback_with_the_pass_and_a_status_of_its_own(
    verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("of the test")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("hwflow.passes.legalize", broken)
    with pytest.raises(SystemExit) as ended:
        main([verb, save(dense())])
    said = capsys.readouterr().err
    assert ended.value.code == BUG == os.EX_SOFTWARE
    assert "Traceback" in said
    assert said.endswith("ZeroDivisionError: of the test\nin pass legalize\n")
    assert [p.name for p in tmp_path.iterdir()] == ["model.onnx"]
    monkeypatch.setattr("hwflow.passes.legalize", legalize)
    with pytest.raises(SystemExit) as ended:
        main(["inspect", "model.onnx"])
    assert ended.value.code == 0


@pytest.mark.parametrize("page", ["errors.md", "verify.md"])
def test_the_status_is_documented(page: str) -> None:
    rows = re.findall(r"^\| (\d+) \| .*bug in hwflow", (PAGES / page).read_text("utf-8"), re.M)
    assert rows == [str(BUG)]
