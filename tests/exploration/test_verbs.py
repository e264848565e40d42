"""What is asked of a run: how far it is, a point, differences, the gate."""

import json
import xml.etree.ElementTree as ET
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hwflow.core.errors import CompileError
from hwflow.exploration import plan, run
from hwflow.exploration.comparison import lost, reach, runs_compared
from hwflow.exploration.found import Counts
from hwflow.exploration.gate import gate, gated, read_baseline, read_tolerance
from hwflow.exploration.points import compared, cost_of, front_of_board, neighbours, point_of
from hwflow.exploration.run import Run, explore, open_run
from hwflow.exploration.saving import FRONT
from hwflow.exploration.status import status_of
from hwflow.exploration.store import Store, open_store
from tests.exploration.spaces import request


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("verbs")
    asked = request(folder, bits="w=2,4 a=3,4", samples=60, boards=("pynq-z2", "zcu104"))
    return explore(asked, folder / "run")


def test_status_of_a_finished_run(found: Run) -> None:
    status = status_of(found.folder)
    assert status.done
    assert (status.method, status.configurations) == ("exhaustive", 64)
    assert status.planned == status.evaluated == 64
    assert status.left_s is None
    assert status.fronts == {f["board"]: len(f["points"]) for f in found.result["fronts"]}
    assert status.finished is not None
    assert status.began is not None
    assert status.finished >= status.began


@pytest.mark.parametrize(("bits", "evaluations"), [("w=2,4 a=4", 1200), ("w=2,4 a=3,4", 20)])
def test_status_of_a_run_that_was_ended(
    bits: str, evaluations: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "CHUNK", 4)
    monkeypatch.setattr(run, "SECONDS", 0.0)
    asked, calls = request(tmp_path, bits=bits, samples=60), []

    def ends(kept: Any) -> Any:
        def add(store: Store, what: Any, counts: Counts) -> None:
            if calls:
                raise KeyboardInterrupt
            calls.append(len(counts))
            kept(store, what, counts)

        return add

    with monkeypatch.context() as broken:
        broken.setattr(Store, "add", ends(Store.add))
        broken.setattr(Store, "add_single", ends(Store.add_single))
        with pytest.raises(KeyboardInterrupt):
            explore(asked, tmp_path / "run", evaluations=evaluations)
    before = (tmp_path / "run" / "explore.db").read_bytes()
    status = status_of(tmp_path / "run")
    assert (status.evaluated, status.done, status.finished) == (calls[0], False, None)
    assert status.planned in (8, 20)
    assert status.planned is not None
    assert status.per_second is not None
    assert status.left_s == pytest.approx((status.planned - calls[0]) / status.per_second)
    assert (tmp_path / "run" / "explore.db").read_bytes() == before
    explore(asked, tmp_path / "run", evaluations=evaluations)
    assert status_of(tmp_path / "run").done


def test_status_before_anything_was_planned(tmp_path: Path) -> None:
    with pytest.raises(CompileError, match="HW326"):
        status_of(tmp_path)
    with open_store(tmp_path, new=True) as store:
        with pytest.raises(CompileError, match="HW326"):
            status_of(tmp_path)
        store.set_meta({"request": request(tmp_path).to_json()})
    status = status_of(tmp_path)
    assert (status.configurations, status.evaluated, status.done) == (None, 0, False)


def test_points_beside_a_point(found: Run) -> None:
    front = front_of_board(found, None)
    points = front["points"]
    assert [n["id"] for n in neighbours(front, points[0])] == [points[1]["id"]]
    near = neighbours(front, points[1])
    assert [n["id"] for n in near] == [points[0]["id"], points[2]["id"]]
    assert near[0]["search"] > 0 > near[1]["search"]
    for other in near:
        theirs = point_of(front, other["id"])
        assert other["cost"]["share"] == [points[1]["share"], theirs["share"]]
        assert {**points[1]["bits"], **{n: b for n, (_, b) in other["bits"].items()}} == theirs[
            "bits"
        ]
    assert compared(points[0], points[0]) == {"bits": {}, "search": 0, "held_out": 0, "cost": {}}
    with pytest.raises(CompileError, match="HW331"):
        point_of(front, -1)


def test_a_point_beats_what_is_nowhere_better(found: Run) -> None:
    explorer = run.Explorer.of(open_run(found.folder)[0])
    numbers = list(range(explorer.space.size))
    with open_store(found.folder, new=False) as store:
        ((_, counts),) = store.counts()
    shares = explorer.boards[0].figures(np.array(numbers))["share"]
    for point in front_of_board(found, None)["points"]:
        n = point["id"]
        worse = [
            m for m in numbers
            if counts[m, 0] <= counts[n, 0] and shares[m] >= shares[n] * (1 - 1e-9)
            and (counts[m, 0] < counts[n, 0] or shares[m] > shares[n] * (1 + 1e-9))
        ]  # fmt: skip
        assert point["beats"] == len(worse)


def test_shares_of_the_board_are_in_every_point(found: Run) -> None:
    for front in found.result["fronts"]:
        for point in front["points"]:
            share, low, high = cost_of(point, "share")
            assert share == pytest.approx(
                max(use["share"][0] for use in point["board"].values() if use["share"])
            )
            assert low <= share <= high


def test_energy_is_that_of_the_estimate(found: Run) -> None:
    known = ["energy_uj" in f["points"][0]["cost"] for f in found.result["fronts"]]
    assert known == [True, False]  # nobody knows what a ZCU104 takes anyway


def ordered(found: Run) -> Run:
    """Return a run whose held-out accuracies are in the order of the front: 24 samples are few."""
    result = deepcopy(found.result)
    for point in (p for front in result["fronts"] for p in front["points"]):
        point["held_out"]["accuracy"] = point["search"]["accuracy"]
    return replace(found, result=result)


def worse(found: Run) -> dict[str, Any]:
    """Return a front that costs more at its best point, and loses its cheapest."""
    result = deepcopy(found.result)
    points = result["fronts"][0]["points"]
    points[0]["share"] *= 1.5
    del points[-1]
    return result


def test_gate(found: Run, tmp_path: Path) -> None:
    baseline = found.folder / FRONT
    checks = gated(found.folder, baseline, 0.0, junit=tmp_path / "a.xml")
    assert [c.passed for c in checks] == [True] * 4
    assert ET.parse(tmp_path / "a.xml").getroot().get("failures") == "0"
    found = ordered(found)
    less = replace(found, result=worse(found))
    checks = gate(less, found.result, 0.0)
    assert [c.passed for c in checks] == [False, False, True, True]
    first, *_, last = found.result["fronts"][0]["points"]
    for point in (first, last):
        assert f"{point['id']} (" in checks[1].detail
    assert all(check.passed for check in gate(found, less.result, 0.0))
    none = replace(found, result={**found.result, "fronts": found.result["fronts"][1:]})
    (missing, *rest) = gate(none, found.result, 0.0)
    assert not missing.passed
    assert all(check.passed for check in rest)


def test_gate_with_a_tolerance(found: Run) -> None:
    front = ordered(found).result["fronts"][0]
    less = deepcopy(front)
    for point in less["points"]:
        point["held_out"]["accuracy"] -= 0.004
    assert len(lost(less, front, 0.0)) >= 1
    assert lost(less, front, 0.005) == []
    change = reach(front, ["share"], 1.0) - reach(less, ["share"], 1.0)
    assert 0 < change < 0.004


def test_reach_is_the_mean_over_budgets(found: Run) -> None:
    front, steps = found.result["fronts"][0], 20_000
    most = 1.25 * max(p["share"] for p in front["points"])
    best = [
        max((p["held_out"]["accuracy"] for p in front["points"] if p["share"] <= budget), default=0)
        for budget in ((i + 0.5) * most / steps for i in range(steps))
    ]
    assert reach(front, ["share"], most) == pytest.approx(sum(best) / steps, abs=1e-4)


@pytest.mark.parametrize(
    ("text", "share"), [("0.5pp", 0.005), ("0.5%", 0.005), ("0.005", 0.005), ("0pp", 0), ("1", 1)]
)
def test_tolerances(text: str, share: float) -> None:
    assert read_tolerance(text) == share


@pytest.mark.parametrize("text", ["", "-1pp", "101pp", "2", "1e-3", "nan", "1 point"])
def test_tolerances_that_cannot_be_read(text: str) -> None:
    with pytest.raises(CompileError, match="HW342"):
        read_tolerance(text)


@pytest.mark.parametrize(
    "content",
    [
        "", "[]", "{}", '{"format": "hwflow exploration 1"}', "1",
        '{"format": "other", "fronts": [{"points": [1], "cost": 1, "board": 1}]}',
        '{"format": "hwflow exploration 1", "fronts": []}',
    ],
)  # fmt: skip
def test_baselines_that_are_none(content: str, tmp_path: Path) -> None:
    (tmp_path / "front.json").write_text(content)
    with pytest.raises(CompileError, match="HW341"):
        read_baseline(tmp_path / "front.json")
    with pytest.raises(CompileError, match="HW341"):
        read_baseline(tmp_path / "missing.json")


def test_two_runs(found: Run) -> None:
    found = ordered(found)
    same = runs_compared(found, found)
    assert same["different"] == []
    for front in same["fronts"]:
        assert (front["only_first"], front["only_second"]) == ([], [])
        assert front["reach"][0] == front["reach"][1]
    other = replace(found, result={**worse(found), "digests": {}})
    compared_runs = runs_compared(found, other, "pynq-z2")
    assert "space" in compared_runs["different"]
    (front,) = compared_runs["fronts"]
    points = found.result["fronts"][0]["points"]
    assert {points[0]["id"], points[-1]["id"]} <= set(front["only_first"])
    assert front["only_second"] == []
    assert front["reach"][0] > front["reach"][1]
    lone = replace(found, result={**found.result, "fronts": found.result["fronts"][1:]})
    first = replace(found, result={**found.result, "fronts": found.result["fronts"][:1]})
    with pytest.raises(CompileError, match="HW331"):
        runs_compared(first, lone)


def test_front_json_can_be_read_by_programs(found: Run) -> None:
    text = (found.folder / FRONT).read_text()
    json.loads(text, parse_constant=lambda word: pytest.fail(word))
