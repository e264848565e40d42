"""A design on many boards: as compiling it for each estimates it, and in which order."""

from pathlib import Path

import numpy as np
import pytest

import hwflow
from hwflow.core.board import list_boards, load_board
from hwflow.project.advice.boards import ORDER, on_boards
from hwflow.project.candidates import boards_for
from tests.fixtures import model
from tests.networks import Builder

SOME = ("PYNQ-Z2", "ZCU104", "VC709", "ULX3S-85F", "DE10-Nano", "iCEstick", "VCK190")


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dense layer of 64 x 32 weights of 12 bits: more than the small boards hold."""
    b = Builder(np.random.default_rng(1))
    x = b.quant("x", 12, 1 / 64, signed=True)
    x = b.node("MatMul", [x, b.weight((64, 32), 12, 1 / 64)])
    x = b.quant(b.node("Relu", [x]), 8, 1 / 4, signed=False)
    target = tmp_path_factory.mktemp("boards") / "dense.onnx"
    target.write_bytes(model(b, x, (1, 64), (1, 32)).SerializeToString())
    return target


def test_it_is_the_estimate_of_compiling_for_each(path: Path) -> None:
    design = hwflow.compile(path)
    for each in on_boards(design, [load_board(name) for name in SOME]):
        alone = hwflow.compile(path, board=each.board.name).estimate()
        assert each.report is not None
        assert each.report.total == alone.total
        assert each.report.utilisation == alone.utilisation
        assert each.report.latency_ns == alone.latency_ns


def test_a_clock_in_the_settings_holds_on_all(path: Path) -> None:
    design = hwflow.compile(path, clock_period_ns=7.0)
    found = on_boards(design, [load_board(name) for name in SOME])
    assert {each.report.clock_period_ns for each in found if each.report} == {7.0}


def test_what_holds_comes_first_cheapest_first(path: Path) -> None:
    _, found = boards_for(path)
    assert len(found) == len(list_boards())
    answers = [each.fits for each in found]
    assert answers == sorted(answers, key=ORDER.index)
    assert {"yes", "no"} <= set(answers)
    for answer in ("yes", "borderline"):
        ranks = [each.board.price_rank for each in found if each.fits == answer]
        assert ranks == sorted(ranks)
    missing = [each.tightest for each in found if each.fits == "no"]
    shares = [use.percent.value for use in missing if use]
    assert shares == sorted(shares)


def test_what_breaks_first_is_what_misses_most(path: Path) -> None:
    _, found = boards_for(path, SOME)
    for each in found:
        assert each.report is not None
        assert each.tightest is not None
        uses = {use.resource: use for use in each.report.utilisation}
        worst = [use for use in uses.values() if use.fits == each.fits]
        assert each.tightest.percent.value == max(use.percent.value for use in worst)
        over = each.tightest.used.value - each.tightest.available
        assert each.excess == max(0.0, over)
    stick = next(each for each in found if each.board.name == "iCEstick")
    assert stick.fits == "no"
    assert stick.excess > 0


def test_a_project_is_looked_at_with_its_own_clock(path: Path, tmp_path: Path) -> None:
    design = hwflow.compile(path, board="zcu104", clock_period_ns=4.0)
    design.write(tmp_path / "net")
    opened, found = boards_for(tmp_path / "net", SOME)
    expected = on_boards(design, [load_board(name) for name in SOME])
    assert opened.board.name == "ZCU104"
    totals = {each.board.name: each.to_dict() for each in expected}
    assert {each.board.name: each.to_dict() for each in found} == totals


def test_a_board_that_fits_is_found_from_one_with_other_logic() -> None:
    """The advice of a design that is too large for a small board names the one that holds it."""
    example = Path(hwflow.__file__).parents[1] / "examples" / "digits_mlp.onnx"
    (advice,) = (
        w for w in hwflow.compile(example, board="iCEstick").estimate().warnings
        if w.code == "HW512"
    )  # fmt: skip
    name = advice.help.rpartition('board = "')[2].partition('"')[0]
    assert hwflow.compile(example, board=name).estimate().fits == "yes"
