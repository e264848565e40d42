"""Advice is what compiling with it gives: the figures that are promised, to the last digit."""

import re
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import hwflow
from hwflow.core.errors import Diagnostic
from hwflow.project.advice.biases import wide_biases
from hwflow.project.advice.changes import best_changes, confirmed
from hwflow.project.advice.fit import layer_sizes
from hwflow.project.advice.trial import Settled
from hwflow.project.design import Design
from tests.fixtures import model
from tests.networks import Builder

EXAMPLES = Path(__file__).parents[3] / "examples"
FULL = [
    ("digits_mlp", "Cora Z7-07S"),
    ("digits_cnn", "Cora Z7-07S"),
    ("digits_residual", "Cora Z7-07S"),
    ("digits_residual", "ZUBoard 1CG"),
]


def compiled(name: str, board: str, **config: Any) -> Design:
    return hwflow.compile(EXAMPLES / f"{name}.onnx", board=board, config=config)


def warning(design: Design) -> Diagnostic:
    (found,) = (w for w in design.estimate().warnings if w.code == "HW512")
    return found


def applied(text: str) -> dict[str, Any]:
    """Return the settings that a piece of advice asks for, as in ``hwflow.toml``."""
    written, section = re.fullmatch(r"(.*) in \[(.*)\]", text.split(": ")[0]).groups()  # type: ignore[union-attr]
    return tomllib.loads(f"[{section}]\n" + written.replace(", ", "\n"))


def percents(design: Design) -> dict[str, str]:
    uses = design.estimate().utilisation
    return {use.resource: f"{use.percent.value:.0f} %" for use in uses}


@pytest.mark.parametrize(("name", "board"), FULL)
def test_what_is_advised_gives_the_figures_that_are_promised(name: str, board: str) -> None:
    before = compiled(name, board)
    found = warning(before)
    parts = found.help.split("; or ")
    assert parts
    for part in parts:
        settings = applied(part)
        own_board = settings.get("target", {}).pop("board", board)
        after = compiled(name, own_board, **settings)
        promised = dict(re.findall(r"\b(?!of )(\w+) (\d+ %)", part.split(": ")[1]))
        assert promised
        assert promised.items() <= percents(after).items()
        cycles = re.search(r"latency ([\d,]+) cycles instead of ([\d,]+)", part)
        if cycles is not None:
            totals = (after.estimate().total, before.estimate().total)
            assert cycles.groups() == tuple(f"{t.latency_cycles.value:,.0f}" for t in totals)
        verdict = part.split(": ")[1].split(",")[0]
        worst = max(u.percent.value for u in after.estimate().utilisation)
        assert (verdict == "fits") == (after.estimate().fits == "yes")
        assert (verdict != "does not fit yet") == (worst <= 100)


@pytest.mark.parametrize(
    "settings",
    [
        {"target": {"strategy": "resource", "reuse_factor": "<=16"}},
        {"fc1": {"strategy": "resource", "reuse_factor": 8}},
        {"fc2": {"reuse_factor": 3}},
        {"target": {"io_type": "io_stream"}},
        {"target": {"io_type": "io_stream", "reuse_factor": 4}},
    ],
)
def test_a_trial_is_the_estimate_of_a_compilation(settings: dict[str, Any]) -> None:
    own = {"fc3": {"reuse_factor": 2}}
    design = compiled("digits_mlp", "PYNQ-Z2", layer=own)
    settled = Settled(design.origin.unsettled, design.config, design.target, design.board)
    change = confirmed(settled, settings)
    assert change is not None
    target = settings.get("target", {})
    layers = {name: values for name, values in settings.items() if name != "target"}
    after = compiled("digits_mlp", "PYNQ-Z2", target=target, layer={**own, **layers}).estimate()
    assert change.trial.total == after.total
    assert change.trial.utilisation == after.utilisation


def test_quick_totals_are_those_of_the_whole_estimate() -> None:
    design = compiled("digits_cnn", "PYNQ-Z2")
    settled = Settled(design.origin.unsettled, design.config, design.target, design.board)
    for name, strategy, factor in (("conv2", "resource", 8), ("fc", "latency", 4)):
        quick = settled.quick({name: (strategy, factor)})
        whole = settled.whole({name: {"strategy": strategy, "reuse_factor": factor}})
        assert quick is not None
        assert whole is not None
        assert quick.total == whole.total
    assert settled.quick({"conv1": ("resource", 5)}) is None, "9 inputs: no reuse factor of 5"
    assert settled.whole({"conv1": {"strategy": "resource", "reuse_factor": 5}}) is None


def test_the_largest_layer_is_named_and_what_it_is() -> None:
    found = warning(compiled("digits_residual", "Cora Z7-07S")).found
    assert re.search(
        r"largest layer is \w+ \(Requantize\) with \d+ % of the lut, a requantiser", found
    )
    assert "(Conv2D)" in warning(compiled("digits_cnn", "Cora Z7-07S")).found


def test_where_nothing_helps_that_is_said() -> None:
    b = Builder(np.random.default_rng(1))
    x = b.quant("x", 12, 1 / 64, signed=True)
    proto = model(b, b.node("Concat", [x, x], axis=1), (1, 4000), (1, 8000))
    found = warning(hwflow.compile(proto, board="Cora Z7-07S", io_type="io_stream"))
    assert found.help.startswith("no strategy, reuse factor or io_type that was tried takes less")
    assert "(Concat) with 52 % of the lut, which has no strategies" in found.found


def test_a_table_that_is_too_large_is_shared() -> None:
    """With the figures that compiling with the advice gives."""
    b = Builder(np.random.default_rng(1))
    x = b.quant("x", 12, 1 / 64, signed=True)
    y = b.quant(b.node("Sigmoid", [x]), 12, 1 / 4096, signed=False)
    proto = model(b, y, (1, 400), (1, 400))
    found = warning(hwflow.compile(proto, board="Cora Z7-07S", io_type="io_stream"))
    assert "by table(4096 entries), which a reuse factor shares" in found.found
    factor, layer = re.match(r"reuse_factor = (\d+) in \[layer\.(\w+)\]: ", found.help).groups()  # type: ignore[union-attr]
    config = {"layer": {layer: {"reuse_factor": int(factor)}}}
    after = hwflow.compile(proto, board="Cora Z7-07S", io_type="io_stream", config=config)
    part = found.help.split("; or ")[0]
    promised = dict(re.findall(r"(\w+) (\d+ %) instead", part))
    assert promised
    assert promised.items() <= percents(after).items()


def test_a_design_that_fits_has_no_advice() -> None:
    design = compiled("digits_mlp", "ZCU104")
    assert design.estimate().fits == "yes"
    assert design.estimate().warnings == ()


def wide(bias: bool) -> onnx.ModelProto:
    b = Builder(np.random.default_rng(1))
    x, w = b.quant("x", 6, 1 / 8, signed=True), b.weight((64, 10), 4, 1 / 8)
    values = np.random.default_rng(2).normal(size=10).astype(np.float32)
    on_grid = np.round(values * 64) / 64
    y = b.node("Gemm", [x, w, b.constant(values if bias else on_grid.astype(np.float32))])
    return model(b, y, (1, 64), (1, 10))


def test_a_wide_bias_is_a_finding_with_both_figures() -> None:
    design, other = hwflow.compile(wide(bias=True)), hwflow.compile(wide(bias=False))
    (found,) = (w for w in design.warnings if w.code == "HW514")
    widths = [d.graph.types[d.graph.outputs[0].value].dtype.width for d in (design, other)]
    luts = [f"{d.estimate().total.lut_synth.value:,.0f} LUT" for d in (design, other)]
    assert f"sums of {widths[0]} bits, {luts[0]}" in found.found
    assert f"sums of {widths[1]} bits, {luts[1]}" in found.supported
    assert widths[0] > 2 * widths[1]
    assert not [w for w in other.warnings if w.code == "HW514"], "the help, applied"
    assert list(wide_biases(other.graph, other.target)) == []


def test_changes_help_the_resource_that_is_short() -> None:
    design = compiled("digits_mlp", "Cora Z7-07S")
    settled = Settled(design.origin.unsettled, design.config, design.target, design.board)
    found = design.estimate()
    now = {use.resource: use.percent.value for use in found.utilisation}
    names = [name for name, _ in layer_sizes(found, "lut")]
    assert names[0] == "fc1"
    changes = best_changes(settled, "lut", names)
    assert changes
    for change in changes:
        assert change.trial.percent("lut") < 0.95 * now["lut"]
