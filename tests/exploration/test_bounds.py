"""Bounds are below the exact costs of every configuration, and wrong ones end an exploration."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hwflow.core.errors import CompileError
from hwflow.core.workers import Processes
from hwflow.exploration import cheapest, run
from hwflow.exploration.bounds import Bounds, bounds_of
from hwflow.exploration.budgets import Budget, available_of
from hwflow.exploration.cheapest import SLACK, Part, part_of
from hwflow.exploration.costs import SUMS
from hwflow.exploration.explorer import ALONE, Explorer
from hwflow.exploration.front import costs_of
from hwflow.exploration.plan import Plan
from hwflow.exploration.request import Request
from hwflow.exploration.run import Run, explore, open_run
from hwflow.exploration.saving import FRONT, PAGE
from hwflow.exploration.status import status_of
from hwflow.exploration.store import Store
from tests.exploration.spaces import request

CASES: dict[str, dict[str, Any]] = {
    "mlp": {"bits": "w=2,3 a=3,5"},
    "mlp per channel": {"bits": "w=2,3 a=4", "method": {"per_channel": True}},
    "mlp in streams": {"bits": "w=2,3 a=4", "target": {"io_type": "io_stream"}},
    "residual": {"bits": "w=2,4 a=3,5", "cost": ("lut_synth",)},
    "branches": {"bits": "w=2,4 a=3", "fix": ("x:a=3,5",), "method": {"per_channel": True}},
}


Opened = Callable[[str], Explorer]


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Opened:
    """Return what opens a case, each once."""

    @cache
    def made(name: str) -> Explorer:
        folder = tmp_path_factory.mktemp("case")
        explorer = Explorer.of(request(folder, name.split()[0], **CASES[name]))
        explorer.boards[0].cover(lambda done: None)
        return explorer

    return made


@pytest.mark.parametrize("name", CASES)
def test_no_completion_costs_less_than_its_bound(opened: Opened, name: str) -> None:
    explorer = opened(name)
    (priced,) = explorer.boards
    bounds = bounds_of(priced, ALONE)
    assert bounds is not None
    numbers = np.arange(explorer.space.size)
    exact = priced.costs.sums(numbers)
    figures = priced.figures(numbers)
    assert np.allclose(exact[:, :4], np.stack([figures[n] for n in SUMS[:4]], axis=1), rtol=1e-12)
    for bound in bounds.at_least(numbers):
        assert (bound <= exact * (1 + 1e-12) + 1e-9).all()
        for name_, values in priced.costs.of_sums(bound).items():
            assert (values <= figures[name_] * (1 + 1e-12) + 1e-9).all()
    assert (bounds.at_least(numbers)[0][0] <= exact.min(axis=0) + 1e-9).all()
    if name.endswith("streams") or name in ("residual", "branches"):  # all channels are read
        assert np.allclose(bounds.at_least(numbers)[-1], exact, rtol=1e-12)
        assert np.allclose(bounds.at_least(numbers)[0][0], exact.min(axis=0), rtol=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_the_cheapest_are_those_of_all_configurations(opened: Opened, name: str) -> None:
    explorer = replace(opened(name))
    (priced,) = explorer.boards
    figures = priced.figures(np.arange(explorer.space.size))
    cost = costs_of(figures, explorer.request.cost)[:, 0]
    middle = float(np.median(figures["lut"]))
    for most, limits in ((7, ()), (20, (f"lut={middle}",)), (10**6, (f"lut={middle}", "ff=90%"))):
        explorer.request = replace(explorer.request, most=limits)
        part = part_of(explorer, most, ALONE)
        assert part is not None
        budget = Budget(explorer.request.limits, available_of(priced.board))
        kept = budget.excess(figures, {}).sum(axis=0) == 0
        assert part.whole == (kept.sum() <= most)
        inside = kept & (part.whole | (cost < part.below * (1 - SLACK)))
        assert part.numbers.tolist() == np.flatnonzero(inside).tolist()
        assert len(part.numbers) >= min(most, kept.sum()) / 2
        said = part.plain()
        assert said["up_to"] == cost[part.numbers].max()
        assert set(np.flatnonzero(kept & (cost <= said["up_to"]))) == set(part.numbers.tolist())


def test_nothing_is_proven_of_times_and_of_what_is_impossible(opened: Opened) -> None:
    explorer = replace(opened("residual"))
    given = explorer.request
    explorer.request = replace(given, cost=("latency_ns",))
    assert part_of(explorer, 10, ALONE) is None
    explorer.request = replace(explorer.request, cost=("lut",), most=("lut=1",))
    assert part_of(explorer, 10, ALONE) is None


def raised_rest(bounds: Bounds) -> None:
    bounds.rest[2][-1, SUMS.index("ff")] += 1


def raised_own(bounds: Bounds) -> None:
    bounds.own[1][0, -1, SUMS.index("lut")] += 1


def lowered_rest(bounds: Bounds) -> None:
    bounds.rest[1][0, SUMS.index("lut")] -= 1


def other_type(bounds: Bounds) -> None:
    stride = bounds.strides[1]
    at = np.argwhere(stride.after != stride.after[0, 0])[0]
    stride.after[0, 0] = stride.after[tuple(at)]


def other_instance(bounds: Bounds) -> None:
    bounds.strides[2].instance[0] = bounds.strides[2].instance[-1]


@pytest.mark.parametrize(
    ("plant", "code"),
    [(raised_rest, "HW345"), (raised_own, "HW345"), (lowered_rest, "HW345"),
     (other_type, "HW34[56]"), (other_instance, "HW346")],
)  # fmt: skip
def test_wrong_bounds_end_an_exploration(
    opened: Opened, monkeypatch: pytest.MonkeyPatch, plant: Callable[[Bounds], None], code: str
) -> None:
    def planted(*args: Any) -> Bounds:
        bounds = bounds_of(*args)
        assert bounds is not None
        plant(bounds)
        return bounds

    assert part_of(opened("residual"), 10, ALONE) is not None

    monkeypatch.setattr(cheapest, "bounds_of", planted)
    with pytest.raises(CompileError, match=code) as refused:
        part_of(opened("residual"), 10, ALONE)
    assert "--evals" in str(refused.value)


def certified(folder: Path, count: int, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> Request:
    """Return a request whose space is too large for the time, but for so many configurations."""
    monkeypatch.setattr(run, "SECONDS", 0.0)
    monkeypatch.setattr(run, "EVALUATIONS", 8)
    monkeypatch.setattr(Plan, "cheapest", lambda *_: count)
    return request(folder, "mlp", **{"bits": "w=2,4 a=3,5", "fix": ("x:a=5",), **changes})


def ids(found: Run, up_to: float = np.inf) -> list[tuple[int, int]]:
    (front,) = found.result["fronts"]
    return [
        (p["id"], p["search"]["right"]) for p in front["points"] if p["share"] <= up_to * (1 + 1e-8)
    ]


def test_the_front_is_the_certified_one_up_to_what_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, lines = certified(tmp_path, 14, monkeypatch), list[str]()
    whole = explore(asked, tmp_path / "whole", exhaustive=True)
    found = explore(asked, tmp_path / "some", say=lines.append)
    part = found.result["certified_part"]
    assert not found.result["certified"]
    assert whole.result["certified_part"] is None
    assert 0 < part["configurations"] <= 14 < found.result["evaluated"] < 32
    assert ids(found, part["up_to"]) == ids(whole, part["up_to"])
    assert len(ids(found, part["up_to"])) > 1
    assert f"the cheapest {part['configurations']}, and the best of 8" in lines[0]
    assert "certified up to there" in lines[0]
    assert "Certified optimal up to 0." in (tmp_path / "some" / PAGE).read_text()
    assert status_of(tmp_path / "some").certified_part == part
    ended = Store.add_single

    def ends(store: Store, numbers: Any, counts: Any) -> None:
        ended(store, numbers, counts)
        raise KeyboardInterrupt

    for _ in range(2):  # behind the part, and behind the first generation
        monkeypatch.setattr(Store, "add_single", ends)
        with pytest.raises(KeyboardInterrupt):
            explore(asked, tmp_path / "ended")
    monkeypatch.setattr(Store, "add_single", ended)
    explore(asked, tmp_path / "ended", executor=Processes(2))
    for name in (FRONT, PAGE):
        assert (tmp_path / "ended" / name).read_bytes() == (tmp_path / "some" / name).read_bytes()


def test_all_within_limits_are_certified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, lines = certified(tmp_path, 28, monkeypatch), list[str]()
    (priced,) = (explorer := Explorer.of(asked)).boards
    middle = np.median(priced.figures(np.arange(explorer.space.size))["lut"])
    asked = replace(asked, most=(f"lut={middle}",))
    whole = explore(asked, tmp_path / "whole", exhaustive=True)
    found = explore(asked, tmp_path / "some", say=lines.append)
    assert found.result["certified"]
    assert found.result["evaluated"] < whole.result["evaluated"]
    assert ids(found) == ids(whole)
    assert "that keep to lut: the front is certified" in lines[0]
    assert "configurations within lut" in (tmp_path / "some" / PAGE).read_text()
    again = open_run(tmp_path / "some")[1]
    other = {**again.result["fronts"][0], "board": "zcu104"}
    assert not run.with_fronts(again.result, [other])["certified"]
    two = explore(replace(asked, boards=("pynq-z2", "zcu104")), tmp_path / "two")
    assert not two.result["certified"]


def test_what_a_part_left_out_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def short(*args: Any) -> Part | None:
        part = part_of(*args)
        assert part is not None
        return replace(part, numbers=part.numbers[1:])

    monkeypatch.setattr(run, "part_of", short)
    with pytest.raises(CompileError, match="HW347"):
        explore(certified(tmp_path, 14, monkeypatch), tmp_path / "run")
