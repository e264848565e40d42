"""Heuristic explorations: repeatable, resumable, and near to the certified front."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hwflow.core.workers import Processes
from hwflow.exploration import run, separable
from hwflow.exploration.evolution import GENERATION, children
from hwflow.exploration.explorer import Explorer
from hwflow.exploration.front import hypervolume
from hwflow.exploration.run import Run, explore
from hwflow.exploration.saving import FRONT
from hwflow.exploration.separable import predicted_front, single_losses, stage_areas
from hwflow.exploration.space import Space, Variable
from hwflow.exploration.store import Store
from tests.exploration.spaces import request


@pytest.fixture(autouse=True)
def _never_exhaustive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "SECONDS", 0.0)


def asked(folder: Path, bits: str = "w=2,4 a=4,6") -> Any:
    return request(folder, "mlp", bits=bits, fix=("x:a=6",), cost=("lut_synth",))


def volume(found: Run) -> float:
    (front,) = found.result["fronts"]
    quality, cost = (
        np.array([p["search"]["accuracy"] for p in front["points"]]),
        np.array([p["cost"]["lut_synth"][0] for p in front["points"]]),
    )
    return hypervolume(quality, cost, (0.3, 2000.0))


@pytest.mark.slow
def test_heuristic_is_near_the_certified_front(tmp_path: Path) -> None:
    wanted = asked(tmp_path, "w=2,3,5 a=4,6")
    whole = explore(wanted, tmp_path / "whole", exhaustive=True)
    assert whole.result["certified"]
    found = explore(wanted, tmp_path / "some", evaluations=60)
    assert not found.result["certified"]
    assert found.result["evaluated"] <= 60
    assert volume(whole) >= volume(found) >= 0.98 * volume(whole)


def test_heuristic_is_repeatable_whoever_computes_and_whatever_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = asked(tmp_path, "w=2,4 a=4")
    found = explore(wanted, tmp_path / "one", evaluations=6)
    assert not found.result["certified"]
    assert 4 < found.result["evaluated"] <= 6
    explore(wanted, tmp_path / "two", evaluations=6, executor=Processes(2))
    assert (tmp_path / "one" / FRONT).read_bytes() == (tmp_path / "two" / FRONT).read_bytes()
    kept = Store.add_single

    def ends(store: Store, numbers: Any, counts: Any) -> None:
        kept(store, numbers, counts)
        raise KeyboardInterrupt

    monkeypatch.setattr(Store, "add_single", ends)
    with pytest.raises(KeyboardInterrupt):
        explore(wanted, tmp_path / "ended", evaluations=6)
    monkeypatch.setattr(Store, "add_single", kept)
    explore(wanted, tmp_path / "ended", evaluations=6)
    assert (tmp_path / "ended" / FRONT).read_bytes() == (tmp_path / "one" / FRONT).read_bytes()


def test_predicted_front_is_that_of_all_sums(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(separable, "LABELS", 10**6)
    explorer = Explorer.of(asked(tmp_path))
    (priced,) = explorer.boards
    priced.cover(lambda done: None)
    losses = single_losses(explorer.space, explorer.tree(explorer.search))
    areas = stage_areas(priced)
    numbers = np.arange(explorer.space.size)
    options = [explorer.space.options(numbers, v) for v in range(len(losses))]
    loss = sum(table[o] for table, o in zip(losses, options, strict=True))
    area = sum(
        table[tuple(options[v] for v in own)]
        for table, own in zip(areas, priced.table.variables, strict=True)
    )
    wanted = [
        n for n in numbers.tolist()
        if not ((area <= area[n]) & (loss < loss[n]) | (area < area[n]) & (loss <= loss[n])).any()
    ]  # fmt: skip
    found = predicted_front(priced, losses).tolist()
    assert {(round(area[n], 9), round(loss[n], 9)) for n in found} == {
        (round(area[n], 9), round(loss[n], 9)) for n in wanted
    }


def test_losses_of_single_choices_fall_with_bits(tmp_path: Path) -> None:
    explorer = Explorer.of(request(tmp_path, "mlp", bits="w=2,8 a=3,8"))
    explorer.boards[0].cover(lambda done: None)
    for few, many in single_losses(explorer.space, explorer.tree(explorer.search)):
        assert few > many >= 0


def test_children_are_new_and_inside_the_space() -> None:
    space = Space(tuple(Variable(str(i), (str(i),), (2, 3, 4)) for i in range(9)))
    known = np.array([0, 9841, 19682])
    quality, costs = np.array([1, 2, 3]), np.array([[1.0], [2.0], [3.0]])
    found = children(space, known, quality, costs, (0, 1))
    assert len(found) == GENERATION
    assert not set(found.tolist()) & set(known.tolist())
    assert found.min() >= 0
    assert found.max() < space.size
    assert np.array_equal(found, children(space, known, quality, costs, (0, 1)))
    assert not np.array_equal(found, children(space, known, quality, costs, (1, 1)))
