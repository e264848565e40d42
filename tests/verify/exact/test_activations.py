"""Activations at their special points, and rounded correctly everywhere else."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import pytest

from hwflow.verify.references.exact import ExactReference
from tests.networks import Builder
from tests.verify.exact.models import model, prepared, signed_quant


def activated(op: str, mode: str, x: Any, scale: float, **attrs: Any) -> Any:
    """Return the levels of an activation of some numbers."""
    b = Builder(np.random.default_rng(0))
    y = signed_quant(b, b.node(op, ["x"], **attrs), scale=scale, bits=10, mode=mode)
    proto = model(b, [y], (1,), 20)
    return ExactReference(prepared(proto)).run({"x": np.array(x, np.float64)[:, None]})[y].ravel()


@pytest.mark.parametrize(
    ("op", "x", "levels"),
    [
        ("Sigmoid", 0.0, {"ROUND": 0, "HALF_UP": 1, "HALF_DOWN": 0, "FLOOR": 0, "CEIL": 1}),
        ("Sigmoid", 800.0, {"ROUND": 1, "FLOOR": 0, "CEIL": 1, "UP": 1, "DOWN": 0}),
        ("Sigmoid", -800.0, {"ROUND": 0, "FLOOR": 0, "CEIL": 1, "UP": 1, "DOWN": 0}),
        ("Sigmoid", 1e-300, {"HALF_DOWN": 1, "ROUND": 1}),
        ("Sigmoid", -1e-300, {"HALF_UP": 0, "ROUND": 0}),
        ("Tanh", 0.0, {"FLOOR": 0, "CEIL": 0, "ROUND": 0}),
        ("Tanh", 900.0, {"FLOOR": 0, "CEIL": 1}),
        ("Tanh", -900.0, {"FLOOR": -1, "CEIL": 0}),
        ("Erf", 0.0, {"FLOOR": 0, "CEIL": 0}),
        ("Erf", 9.0, {"FLOOR": 0, "CEIL": 1}),
        ("Exp", 0.0, {"FLOOR": 1, "CEIL": 1, "ROUND": 1}),
        ("Gelu", 0.0, {"FLOOR": 0, "CEIL": 0}),
        ("Gelu", 60.0, {"FLOOR": 59, "CEIL": 60}),
        ("Gelu", -60.0, {"FLOOR": -1, "CEIL": 0}),
        ("Softplus", -900.0, {"FLOOR": 0, "CEIL": 1}),
        ("Softplus", 90.0, {"FLOOR": 90, "CEIL": 91}),
        ("Elu", -90.0, {"FLOOR": -1, "CEIL": 0, "DOWN": 0}),
        ("Elu", 3.0, {"FLOOR": 3, "CEIL": 3}),
        ("Mish", 0.0, {"FLOOR": 0, "CEIL": 0}),
        ("HardSwish", 3.0, {"FLOOR": 3, "CEIL": 3}),
        ("HardSwish", -3.0, {"FLOOR": 0, "CEIL": 0}),
        ("Sqrt", 4.0, {"FLOOR": 2, "CEIL": 2}),
        ("Log", 1.0, {"FLOOR": 0, "CEIL": 0}),
        ("Softsign", 1.0, {"ROUND": 0, "HALF_UP": 1}),
    ],
)
def test_activations_at_their_special_points(op: str, x: float, levels: dict[str, int]) -> None:
    assert {mode: int(activated(op, mode, [x], 1.0)[0]) for mode in levels} == levels


def _silu(x: Any) -> Any:
    return x / (1 + mpmath.exp(-x))


TRUE = {
    "Sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "Tanh": mpmath.tanh,
    "Erf": mpmath.erf,
    "Exp": mpmath.exp,
    "Softplus": lambda x: mpmath.log(1 + mpmath.exp(x)),
    "Mish": lambda x: x * mpmath.tanh(mpmath.log(1 + mpmath.exp(x))),
    "Gelu": lambda x: x * (1 + mpmath.erf(x / mpmath.sqrt(2))) / 2,
    "Elu": lambda x: x if x > 0 else mpmath.expm1(x),
    "Softsign": lambda x: x / (1 + abs(x)),
}


@pytest.mark.parametrize("op", sorted(TRUE))
def test_activations_are_rounded_correctly(op: str) -> None:
    x = np.random.default_rng(1).normal(0, 3, 200)
    b = Builder(np.random.default_rng(0))
    y = b.node(op, ["x"])
    found = ExactReference(prepared(model(b, [y], (1,), 20))).run({"x": x[:, None]})[y].ravel()
    with mpmath.workprec(400):
        expected = [float(TRUE[op](mpmath.mpf(v))) for v in x.tolist()]
    np.testing.assert_array_equal(found, expected)


def test_gelu_with_tanh_and_silu_are_products() -> None:
    x = np.random.default_rng(2).normal(0, 2, (100, 1))
    b = Builder(np.random.default_rng(0))
    gelu = b.node("Gelu", ["x"], approximate="tanh")
    silu = b.node("Mul", ["x", b.node("Sigmoid", ["x"])])
    found = ExactReference(prepared(model(b, [gelu, silu], (1,), 20))).run({"x": x})
    with mpmath.workprec(400):
        root = mpmath.sqrt(2 / mpmath.pi)
        for v, g, s in zip(x.ravel(), found[gelu].ravel(), found[silu].ravel(), strict=True):
            t = mpmath.mpf(float(v))
            inner = root * (t + mpmath.mpf(44715) / 10**6 * t**3)
            assert g == float(t * (1 + mpmath.tanh(inner)) / 2)
            assert s == float(_silu(t))


def test_a_quantiser_undecided_by_any_precision_is_on_the_boundary() -> None:
    """``sigmoid(x) + sigmoid(-x)`` is one, which no enclosure tells from one."""
    b = Builder(np.random.default_rng(0))
    total = b.node("Add", [b.node("Sigmoid", ["x"]), b.node("Sigmoid", [b.node("Neg", ["x"])])])
    floor = signed_quant(b, total, scale=1.0, mode="FLOOR")
    ceil = signed_quant(b, total, scale=1.0, mode="CEIL")
    found = ExactReference(prepared(model(b, [floor, ceil], (1,)))).run({"x": np.array([[0.3]])})
    assert (found[floor], found[ceil]) == (1, 1)
