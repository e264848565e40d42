"""Explorations from Python: what a run gives, and searchers that others write."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest

import hwflow
from hwflow.core.errors import CompileError, ToolError
from hwflow.exploration import evaluation
from hwflow.exploration.api import Exploration
from hwflow.exploration.explorer import Explorer
from hwflow.exploration.export import as_csv
from hwflow.exploration.saving import FRONT
from hwflow.exploration.space import Space
from hwflow.exploration.store import open_store
from tests.exploration.spaces import request, saved

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("api")


@pytest.fixture(scope="module")
def options(folder: Path) -> dict[str, Any]:
    model, data = saved(folder, "mlp")
    return {
        "model": model, "data": data, "board": ["pynq-z2", "zcu104"], "bits": "w=2,4 a=4",
        "samples": 60,
    }  # fmt: skip


@pytest.fixture(scope="module")
def run(folder: Path, options: dict[str, Any]) -> Exploration:
    return hwflow.explore(**options, run=folder / "run")


def test_a_run_is_opened_again(run: Exploration) -> None:
    again = hwflow.open_run(str(run.folder))
    assert again.result == run.result == json.loads((run.folder / FRONT).read_text())
    assert again.certified is True
    with pytest.raises(CompileError, match="HW326"):
        hwflow.open_run(run.folder / "nothing")


def test_fronts_are_found_by_board(run: Exploration) -> None:
    assert run.front()["board"] == "pynq-z2"
    assert run.front("zcu104") == run.result["fronts"][1]
    with pytest.raises(CompileError, match="HW331"):
        run.front("zcu10")


def test_tables_are_those_of_csv(run: Exploration, tmp_path: Path) -> None:
    (tmp_path / "front.csv").write_bytes(as_csv(run))
    expected = pandas.read_csv(tmp_path / "front.csv")
    table = run.to_pandas()
    assert list(table.columns) == list(expected.columns)
    for name in ("id", "share", "lut", "search_right"):
        np.testing.assert_array_equal(table[name].to_numpy(), expected[name].to_numpy())
    assert set(run.to_pandas("zcu104")["board"]) == {"zcu104"}


def test_pandas_is_not_there(run: Exploration, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ToolError) as error:
        run.to_pandas()
    assert (error.value.code, error.value.tool) == ("HW607", "pandas")
    assert "pip install pandas" in error.value.help


def test_notebooks_show_the_picture(run: Exploration) -> None:
    found = run._repr_html_()
    assert found.startswith("<svg")
    assert "certified optimal over 8" in found
    hostile = Exploration(Path("<script>"), run.result)._repr_html_()
    assert "<script>" not in hostile
    assert "&lt;script&gt;" in hostile


def test_a_point_is_picked(run: Exploration, tmp_path: Path) -> None:
    cheapest = run.front("zcu104")["points"][-1]
    picked = run.pick(tmp_path / "net", board="zcu104", number=cheapest["id"], cpp=False)
    assert picked.point == cheapest
    assert (tmp_path / "net" / "manifest.json").is_file()


class Walk:
    """Asks for what is left in steps of three, each time with one that it knows already."""

    told: list[tuple[list[int], list[int], list[float]]]

    def __init__(self, space: Space, seed: int) -> None:
        self.space, self.at = space, 0
        Walk.told = []

    def ask(self, most: int) -> list[int]:
        assert most >= 1
        found = [n for n in range(self.at, self.at + 3) if n < self.space.size]
        self.at += 3
        return [*found, 0] if found else []

    def tell(self, numbers: Any, quality: Any, costs: Any) -> None:
        Walk.told.append((numbers.tolist(), quality.tolist(), costs[:, 0].tolist()))


def test_a_searcher_is_told_what_is_true(
    run: Exploration, options: dict[str, Any], tmp_path: Path
) -> None:
    found = hwflow.explore(**options, run=tmp_path, search=Walk, evaluations=7)
    with open_store(run.folder, new=False) as store:
        counts = np.concatenate([c for _, c in store.counts()])
    explorer = Explorer.of(request(tmp_path, bits="w=2,4 a=4", samples=60))
    share = explorer.boards[0].figures(np.arange(8))["share"]
    for numbers, quality, costs in Walk.told:
        assert quality == counts[numbers, 0].tolist()
        assert costs == pytest.approx(share[numbers], rel=1e-8)
    assert [numbers for numbers, *_ in Walk.told] == [[0, 1, 2, 0], [3, 4, 5, 0], [6]]
    assert (found.result["evaluated"], found.certified) == (7, False)


def test_what_a_searcher_asked_for_is_kept(
    options: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = hwflow.explore(**options, run=tmp_path, search=Walk, evaluations=6)
    told, content = Walk.told, (tmp_path / FRONT).read_bytes()
    monkeypatch.setattr(evaluation, "counted", None)  # nothing is evaluated again
    again = hwflow.explore(**options, run=tmp_path, search=Walk, evaluations=6)
    assert Walk.told == told
    assert (tmp_path / FRONT).read_bytes() == content
    assert again.result == first.result


def test_searchers_that_ask_for_nothing_new_are_left(
    options: dict[str, Any], tmp_path: Path
) -> None:
    class Stubborn(Walk):
        def ask(self, most: int) -> list[int]:
            return [3]

    found = hwflow.explore(**options, run=tmp_path, search=Stubborn, evaluations=6)
    assert found.result["evaluated"] == 1
    assert len(Walk.told) == evaluation.IDLE + 1


def test_searchers_stay_in_the_space(options: dict[str, Any], tmp_path: Path) -> None:
    class Lost(Walk):
        def ask(self, most: int) -> list[int]:
            return [1, self.space.size]

    with pytest.raises(CompileError, match="HW349") as error:
        hwflow.explore(**options, run=tmp_path, search=Lost, evaluations=6)
    assert "1 to 8" in str(error.value)
    assert "0 to 7" in str(error.value)


def test_the_example_with_optuna(tmp_path: Path) -> None:
    script = EXAMPLES / "explore_with_optuna.py"
    arguments = ["--run", str(tmp_path / "run"), "--bits", "w=2,4 a=4", "--evaluations", "9"]
    done = subprocess.run(
        [sys.executable, str(script), *arguments], capture_output=True, text=True, check=True
    )
    found = hwflow.open_run(tmp_path / "run")
    assert (found.result["evaluated"], found.certified) == (9, False)
    shares = [line.split()[-4] for line in done.stdout.splitlines()[1:]]
    assert shares == [f"{p['share']:.1%}" for p in found.front()["points"]]
