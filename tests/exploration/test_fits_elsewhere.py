"""Fitted settings in streams, and of what was evaluated for other hardware."""

from pathlib import Path

import pytest

import hwflow
from hwflow.exploration import fits
from hwflow.exploration.pick import choice_of, pick
from hwflow.exploration.recosting import recost
from hwflow.exploration.run import Run, explore, open_run, with_fronts
from hwflow.exploration.tree import Tree
from tests.exploration.test_fits import asked

LUT = 900
STREAM = {"io_type": "io_stream"}


@pytest.fixture
def found(tmp_path: Path) -> Run:
    budgets = {"lut": str(LUT)}
    given = asked(tmp_path, bits="w=4 a=5", group=(".",), fit=budgets, target=STREAM)
    return explore(given, tmp_path / "run")


@pytest.mark.slow
def test_a_point_in_streams_is_that_of_a_fit_and_is_built(found: Run, tmp_path: Path) -> None:
    request, _ = open_run(found.folder)
    (front,) = found.result["fronts"]
    (point,) = front["points"]
    explorer = fits.Explorer.of(request)
    model = hwflow.quantize(
        request.model, request.data, explorer.space.bits(point["id"]), independent=True
    ).model
    fit = hwflow.fit(model, board="pynq-z2", budgets={"lut": LUT}, **STREAM)
    assert fit.best is not None
    assert point["cost"]["latency_ns"][0] >= fit.best.latency_ns  # of three choices of FIFOs
    assert point["cost"]["lut_synth"][0] <= LUT
    picked = pick(found.folder, tmp_path / "build", choice_of(None, None, ()), cpp=False)
    assert picked.design.target.io_type == "io_stream"
    total = picked.design.estimate().total
    assert [total.lut_synth.value, total.ii.value] == [
        point["cost"][name][0] for name in ("lut_synth", "ii")
    ]


@pytest.mark.slow
def test_a_front_for_another_board_is_that_of_a_new_exploration(
    found: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as watched:
        watched.setattr(Tree, "counts", lambda *_: pytest.fail("evaluates again"))
        (front,) = recost(found.folder, boards=("zcu104",)).result["fronts"]
    fresh = explore(
        asked(tmp_path, bits="w=4 a=5", group=(".",), fit={"lut": str(LUT)}, target=STREAM,
              boards=("zcu104",)), tmp_path / "fresh",
    )  # fmt: skip
    assert front["points"] == fresh.result["fronts"][0]["points"]
    assert front["fitted"] == fresh.result["fronts"][0]["fitted"]
    choice = choice_of("zcu104", None, ())
    picked = pick(found.folder, tmp_path / "build", choice, cpp=False)
    assert picked.design.config.target.board == "zcu104"
    latency = picked.design.estimate().latency_ns.value
    assert latency == picked.point["cost"]["latency_ns"][0]


def test_what_is_not_proven_elsewhere_is_not_certified() -> None:
    fitted = {"proven": True, "candidates": 3, "of": 3}
    fronts = [{"fitted": fitted}, {}]
    assert with_fronts({"certified": True}, fronts)["certified"]
    assert not with_fronts({"certified": False}, fronts)["certified"]
    for wrong in ({"proven": False}, {"candidates": 2}):
        some = [*fronts, {"fitted": {**fitted, **wrong}}]
        assert not with_fronts({"certified": True}, some)["certified"]
