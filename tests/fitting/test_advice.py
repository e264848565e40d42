"""Where nothing fits: what comes nearest, and single changes that are applied and then fit."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import hwflow
from hwflow.fitting.change import Change
from hwflow.fitting.fitted import Fit
from tests.fixtures import model
from tests.networks import Builder


def wide(bits: int) -> onnx.ModelProto:
    """Return a dense layer whose weights of 12 bits are rounded to fewer, and one behind it."""
    b = Builder(np.random.default_rng(3))
    raw = b.rng.integers(-2000, 2000, (8, 8)).astype(np.float64)
    x = b.quant("x", 12, 1 / 16, signed=True)
    scale = 2.0 ** (12 - bits) / 256
    weight = b.quant(b.constant(raw / 256), bits, scale, signed=True)
    x = b.quant(b.node("Relu", [b.node("MatMul", [x, weight])]), 8, 1 / 8, signed=False)
    return model(b, b.node("MatMul", [x, b.weight((8, 4), 4, 1 / 8)]), (1, 8), (1, 4))


def changes(found: Fit, kind: str) -> list[Change]:
    return [change for change in found.changes if kind in change.settings and change.fits]


def applied(source: Any, change: Change, **options: Any) -> Fit:
    """Return the fit with a change; bits of weights are the model's."""
    given = dict(options)
    if "budgets" in change.settings:
        given["budgets"] = {**options["budgets"], **change.settings["budgets"]}
    else:
        given |= change.settings
    return hwflow.fit(source, **given)


def same(change: Change, found: Fit) -> None:
    """Compare what was promised with what a fit with the change has."""
    assert change.plan is not None
    assert found.best is not None
    assert found.best.rank(found.goal) == pytest.approx(change.plan.rank(found.goal), rel=1e-9)
    assert found.design is not None


OPTIONS: dict[str, Any] = {
    "board": "pynq-z2", "io_type": "io_parallel", "clock_period_ns": 5.0,
}  # fmt: skip


def test_budgets_clocks_and_boards_that_help() -> None:
    options = {**OPTIONS, "budgets": {"latency": "8cycles", "dsp": 0}}
    found = hwflow.fit(wide(12), **options)
    assert found.best is None
    assert found.miss is not None
    assert [use.budget.name for use in found.miss.uses] == ["latency"]
    assert found.miss.excess == pytest.approx(found.miss.uses[0].share / 100, rel=1e-6)
    assert found.changes == tuple(sorted(found.changes, key=lambda c: (not c.fits, c.excess)))
    for kind in ("budgets", "clock_period_ns", "board"):
        assert changes(found, kind)
    for change in found.changes:
        if change.fits:
            same(change, applied(wide(12), change, **options))
        else:
            assert 1 < change.excess < found.miss.excess


def test_a_loosened_budget_is_the_least() -> None:
    options = {**OPTIONS, "budgets": {"lut": "2%", "latency": "12cycles", "dsp": 0}}
    found = hwflow.fit(wide(12), **options)
    (luts,) = (c for c in changes(found, "budgets") if "lut" in c.settings["budgets"])
    share = float(luts.settings["budgets"]["lut"].rstrip("%"))
    assert share > 2
    tighter = {**options, "budgets": {**options["budgets"], "lut": f"{share - 0.2:.1f}%"}}
    assert hwflow.fit(wide(12), **tighter).best is None


def test_fewer_bits_of_a_layer_help() -> None:
    options = {**OPTIONS, "budgets": {"lut": "3%", "latency": "12cycles", "dsp": 0}}
    found = hwflow.fit(wide(12), **options)
    assert found.best is None
    (change,) = changes(found, "bits")
    bits = change.settings["bits"]
    assert (bits["layer"][:6], bits["weights"]) == ("matmul", 6)
    after = hwflow.fit(wide(6), **options)
    assert after.best is not None
    assert change.plan is not None
    for figure in ("lut_synth", "ff_synth", "latency_cycles"):
        promised, got = (getattr(p.report.total, figure).value for p in (change.plan, after.best))
        assert got == pytest.approx(promised, rel=0.02)  # halves are rounded in another way


def test_the_table_says_what_would_help(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.cli.command import hwflow as run

    monkeypatch.chdir(tmp_path)
    onnx.save(wide(12), "model.onnx")
    ran = run(
        capsys, "fit", "model.onnx", "--board", "pynq-z2", "--clock", "5", "--max", "lut=1%,dsp=0"
    )
    assert (ran.status, ran.new) == (1, ())
    assert "nothing fits: lut=1%, dsp=0" in ran.out
    assert "what would help, each alone:" in ran.out
    assert "--max lut=" in ran.out
