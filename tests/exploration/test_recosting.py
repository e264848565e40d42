"""Fronts for other hardware, of what was evaluated."""

from pathlib import Path
from typing import Any

import pytest

from hwflow.core.errors import CompileError
from hwflow.exploration import run
from hwflow.exploration.pick import choice_of, pick
from hwflow.exploration.recosting import recost
from hwflow.exploration.run import RECOSTED, Run, explore, open_run
from hwflow.exploration.tree import Tree
from tests.exploration.spaces import request

BITS = "w=2,4 a=4"


@pytest.fixture
def found(tmp_path: Path) -> Run:
    return explore(request(tmp_path, bits=BITS, samples=60), tmp_path / "run")


def plain(front: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in front.items() if k not in ("board", "profile", "target")}


@pytest.mark.parametrize(
    ("boards", "changes", "cost", "name"),
    [
        (("zcu104",), {}, (), "zcu104"),
        ((), {"clock_period_ns": 4.0, "io_type": "io_stream"}, (),
         "pynq-z2 clock_period_ns=4.0 io_type=io_stream"),
        ((), {"strategy": "resource"}, ("latency_ns", "lut"),
         "pynq-z2 strategy=resource cost=latency_ns,lut"),
    ],
)  # fmt: skip
def test_a_front_is_that_of_a_new_exploration(
    boards: tuple[str, ...], changes: dict[str, Any], cost: tuple[str, ...], name: str,
    found: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    asked = {k: v for k, v in {"boards": boards, "target": changes, "cost": cost}.items() if v}
    fresh = explore(request(tmp_path, bits=BITS, samples=60, **asked), tmp_path / "fresh")
    with monkeypatch.context() as watched:
        watched.setattr(Tree, "counts", lambda *_: pytest.fail("evaluates again"))
        (front,) = recost(found.folder, boards=boards, target=changes, cost=cost).result["fronts"]
    assert plain(front) == plain(fresh.result["fronts"][0])
    assert front["board"] == name
    asked_before, kept = open_run(found.folder)
    assert [f["board"] for f in kept.result["fronts"]] == ["pynq-z2", name]
    assert kept.result["fronts"][0] == found.result["fronts"][0]
    assert asked_before.boards == ("pynq-z2",)


def test_a_point_of_it_is_built(found: Run, tmp_path: Path) -> None:
    recost(found.folder, target={"clock_period_ns": 4.0})
    choice = choice_of("pynq-z2 clock_period_ns=4.0", None, ())
    picked = pick(found.folder, tmp_path / "build", choice, cpp=False)
    assert picked.design.target.clock_period_ns == 4.0
    assert picked.front["board"] == "pynq-z2 clock_period_ns=4.0"


def test_of_other_evaluations_it_is_no_more_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "SECONDS", 0.0)
    asked = request(tmp_path, bits=BITS, samples=60)
    explore(asked, tmp_path / "run", evaluations=5)
    recost(tmp_path / "run", boards=("zcu104",))
    assert len(open_run(tmp_path / "run")[1].result["fronts"]) == 2
    explore(asked, tmp_path / "run", evaluations=7)
    assert [f["board"] for f in open_run(tmp_path / "run")[1].result["fronts"]] == ["pynq-z2"]
    recost(tmp_path / "run", boards=("zcu104",))
    assert len(open_run(tmp_path / "run")[1].result["fronts"]) == 2


def test_refusals_leave_nothing(found: Run, tmp_path: Path) -> None:
    with pytest.raises(CompileError, match="HW501"):
        recost(found.folder, boards=("nothing",))
    with pytest.raises(CompileError, match="HW326"):
        recost(tmp_path / "none", boards=("zcu104",))
    (tmp_path / "mlp.npz").write_bytes(b"other")
    with pytest.raises(CompileError, match="HW332"):
        recost(found.folder, boards=("zcu104",))
    assert not (found.folder / RECOSTED).exists()
