"""Quantisers of training code whose two constants are no one scale: by fractions."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import onnx
import pytest
from tiny_models import QONNX, constant, model, node

import hwflow
from hwflow.core.errors import CompileError
from hwflow.verify.verdict import State

RNG = np.random.default_rng(0)
INPUT = node("Quant", ["x", "g", "z", "b"], "a", QONNX, signed=1, narrow=0, rounding_mode="ROUND")
CONSTANTS = {
    "g": 0.25, "z": 0, "b": 6, "alpha": 3.7, "n": 15, "factor": np.float32(15) / np.float32(3.7),
    "one": 1, "low": -8, "high": 7, "inverse": 1 / 0.3, "zero": 3, "s": 0.3, "half": 0.5,
}  # fmt: skip
F = {name: Fraction(float(np.float32(value))) for name, value in CONSTANTS.items()}


def clip(x: Fraction, low: Fraction, high: Fraction) -> Fraction:
    return max(low, min(high, x))


Form = tuple[list[Any], Callable[[Fraction], Fraction]]
FORMS: dict[str, Form] = {
    "PACT, one factor": (
        [node("Clip", ["a", "z", "alpha"], "c"), node("Mul", ["c", "factor"], "m"),
         node("Round", ["m"], "r"), node("Div", ["r", "factor"], "y")],
        lambda x: round(clip(x, F["z"], F["alpha"]) * F["factor"]) / F["factor"],
    ),
    "PACT": (
        [node("Div", ["a", "alpha"], "d"), node("Clip", ["d", "z", "one"], "c"),
         node("Mul", ["c", "n"], "m"), node("Round", ["m"], "r"), node("Div", ["r", "n"], "q"),
         node("Mul", ["q", "alpha"], "y")],
        lambda x: round(clip(x / F["alpha"], F["z"], F["one"]) * 15) / Fraction(15) * F["alpha"],
    ),
    "DoReFa": (
        [node("Clip", ["a", "z", "one"], "c"), node("Mul", ["c", "n"], "m"),
         node("Round", ["m"], "r"), node("Div", ["r", "n"], "y")],
        lambda x: round(clip(x, F["z"], F["one"]) * 15) / Fraction(15),
    ),
    "inverse scale, zero point, Clip behind": (
        [node("Mul", ["a", "inverse"], "d"), node("Add", ["d", "zero"], "m"),
         node("Round", ["m"], "r"), node("Clip", ["r", "low", "high"], "c"),
         node("Sub", ["c", "zero"], "q"), node("Mul", ["q", "s"], "y")],
        lambda x: (clip(Fraction(round(x * F["inverse"] + 3)), F["low"], F["high"]) - 3) * F["s"],
    ),
    "Floor of a half more": (
        [node("Div", ["a", "s"], "d"), node("Add", ["d", "half"], "m"), node("Floor", ["m"], "r"),
         node("Clip", ["r", "low", "high"], "c"), node("Mul", ["c", "s"], "y")],
        lambda x: F["s"] * clip(
            Fraction((x / F["s"] + F["half"]).__floor__()), F["low"], F["high"]
        ),
    ),
    "Relu before, Min behind": (
        [node("Relu", ["a"], "p"), node("Div", ["p", "s"], "d"), node("Round", ["d"], "r"),
         node("Min", ["r", "high"], "c"), node("Mul", ["c", "s"], "y")],
        lambda x: min(Fraction(round(max(x, Fraction(0)) / F["s"])), F["high"]) * F["s"],
    ),
    "bounded on one side": (
        [node("Max", ["a", "low"], "p"), node("Sub", ["n", "p"], "d"), node("Min", ["d", "n"], "k"),
         node("Ceil", ["k"], "r"), node("Max", ["r", "low"], "y")],
        lambda x: max(Fraction(min(15 - max(x, F["low"]), Fraction(15)).__ceil__()), F["low"]),
    ),
}  # fmt: skip


def weighted(nodes: list[Any]) -> onnx.ModelProto:
    """The quantiser, and behind it weights of 1 and 2 on the diagonal."""
    last = [*nodes, node("MatMul", ["y", "w"], "out")]
    values = [constant(name, value) for name, value in CONSTANTS.items()]
    weights = constant("w", np.diag([1, 1, 1, 2]))
    return model([INPUT, *last], [*values, weights], output="out")


@pytest.mark.parametrize("name", FORMS)
def test_numbers_are_those_of_fractions(name: str) -> None:
    nodes, function = FORMS[name]
    x = RNG.integers(-36, 36, (40, 4)) / 4
    design = hwflow.compile(weighted(nodes))
    inside = np.clip(x, -8, 7.75)
    wanted = [[float(function(Fraction(v)) * (1 + (i == 3))) for i, v in enumerate(row)]
              for row in inside.tolist()]  # fmt: skip
    np.testing.assert_array_equal(design.simulate(x).outputs["out"], wanted)
    found = design.verify(x, cpp=False)
    assert found.lossless is not None
    assert found.lossless.verdict is not None
    assert found.lossless.verdict.state is State.LOSSLESS


def test_a_rounding_without_bounds_is_refused() -> None:
    nodes = [node("Mul", ["a", "inverse"], "m"), node("Round", ["m"], "y")]
    with pytest.raises(CompileError, match="HW201"):
        hwflow.compile(weighted(nodes))
    bounds = [*nodes[:1], node("Clip", ["m", "low", "high"], "k"), node("Round", ["k"], "y")]
    assert hwflow.compile(weighted(bounds)).graph.outputs
