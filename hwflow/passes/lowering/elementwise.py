"""How an elementwise node extends a real function: one builder for each ONNX operator."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import isqrt

import numpy as np

from hwflow.ir.grid import ONE, ZERO, Rationals, rationals
from hwflow.ir.op import OnnxNode
from hwflow.ir.real.expression import Expression
from hwflow.ir.real.functions import FUNCTIONS, parameters
from hwflow.ir.real.nodes import Clamp, Function, Linear, Product, Slopes
from hwflow.ir.real.table import Tabulated
from hwflow.ir.tensor import TensorType
from hwflow.ops.shared.broadcast import along_channel, to_hardware

ROOT_BITS = 256
"""Bits of a batch norm's square root: far beyond what any rounding behind it can tell."""


def applied(node: OnnxNode, x: TensorType, tree: Expression) -> Expression:
    """Return the function that a node makes of a value that is one already.

    Raises:
        RefusedError: the node's constants are not finite, or do not suit the value.
    """
    name = node.op_type
    build = BUILDERS.get(name)
    if build is not None:
        return build(node, x, tree)
    return Function(tree, name, parameters(name, node.attributes))


def _constant(node: OnnxNode, x: TensorType, index: int) -> Rationals | None:
    constant = node.constant(index)
    if constant is None:
        return None
    if not np.isfinite(constant.values).all():
        raise node.refuse(
            f"{node.op_type} with a constant that is not finite",
            code="HW224",
            found="NaN or infinity",
            help="look at the weights of this layer, and at a variance or divisor of 0",
        )
    return rationals(to_hardware(node, x, constant.values))


def line(tree: Expression, scale: Rationals, offset: Rationals) -> Expression:
    """Return ``scale * tree + offset``, merged with a line that the tree already is."""
    if isinstance(tree, Linear):
        return Linear(tree.x, tree.scale * scale, tree.offset * scale + offset)
    return Linear(tree, scale, offset)


def _sum(node: OnnxNode, x: TensorType, tree: Expression) -> Expression:
    left, right = _constant(node, x, 0), _constant(node, x, 1)
    if node.op_type == "Add":
        return line(tree, ONE, left if right is None else right)  # type: ignore[arg-type]
    return line(tree, ONE, -right) if right is not None else line(tree, -ONE, left)  # type: ignore[arg-type]


def _product(node: OnnxNode, x: TensorType, tree: Expression) -> Expression:
    left, right = _constant(node, x, 0), _constant(node, x, 1)
    if node.op_type == "Mul":
        return line(tree, left if right is None else right, ZERO)  # type: ignore[arg-type]
    if right is None:  # a constant divided by the activation
        assert left is not None
        return line(Function(tree, "Reciprocal", {}), left, ZERO)
    if np.any(right == 0):
        raise node.refuse("division by 0", code="HW224", found="a divisor of 0")
    return line(tree, 1 / right, ZERO)


def _batch_norm(node: OnnxNode, x: TensorType, tree: Expression) -> Expression:
    constants = [node.constant(i) for i in range(1, 5)]
    if node.attributes.get("training_mode", 0):
        raise node.refuse(
            "batch normalisation in training mode",
            found="training_mode = 1",
            help="call model.eval() before the export",
        )
    values = [along_channel(node, c.values) for c in constants if c is not None]
    if len(values) != 4 or not all(np.isfinite(v).all() for v in values):
        raise node.refuse("batch normalisation with unusable parameters", code="HW224")
    gamma, beta, mean, variance = (rationals(to_hardware(node, x, v)) for v in values)
    spread = variance + Fraction(float(node.attributes.get("epsilon", np.float32(1e-5))))
    if np.any(spread <= 0):
        raise node.refuse(
            "batch normalisation with a variance that is not positive",
            code="HW224",
            help="look at the running variance of this layer",
        )
    scale = gamma / np.frompyfunc(square_root, 1, 1)(spread)
    return line(tree, np.asarray(scale), np.asarray(beta - mean * scale))


def square_root(x: Fraction) -> Fraction:
    """Return the square root of a positive rational number to ``ROOT_BITS`` bits."""
    top = x.numerator * x.denominator
    return Fraction(isqrt(top << 2 * ROOT_BITS), x.denominator << ROOT_BITS)


def _clip(node: OnnxNode, x: TensorType, tree: Expression) -> Expression:
    bounds = [node.constant(i) for i in (1, 2)]
    if any(b is not None and (b.values.size != 1 or np.isnan(b.values).any()) for b in bounds):
        raise node.refuse("Clip with bounds that are not one number each")
    lo, hi = (
        None if b is None or np.isinf(b.values).any() else rationals(b.values.reshape(()))
        for b in bounds
    )
    return Clamp(tree, lo, hi)


def _hard_sigmoid(node: OnnxNode, x: TensorType, tree: Expression) -> Expression:
    defaults = {"alpha": np.float32(0.2), "beta": 0.5}
    slope, offset = (rationals(float(node.attributes.get(k, d))) for k, d in defaults.items())
    return Clamp(line(tree, slope, offset), ZERO, ONE)


def _prelu(node: OnnxNode, x: TensorType, tree: Expression) -> Expression:
    slope = _constant(node, x, 1)
    assert slope is not None
    return Slopes(tree, slope)


def _power(node: OnnxNode, x: TensorType, tree: Expression) -> Expression:
    constant = node.constant(1)
    exponent = float(constant.values.ravel()[0]) if constant and constant.values.size == 1 else 0.0
    if exponent not in (2.0, 3.0):
        raise node.refuse("power", found=f"exponent {exponent:g}", supported="exponents 2 and 3")
    square = Product(tree, tree)
    return square if exponent == 2.0 else Product(square, tree)


def _table(node: OnnxNode, x: TensorType, tree: Expression) -> Expression:
    values = node.constant(1)
    first, step = (float(node.attributes.get(name, 0.0)) for name in ("first", "step"))
    if values is None or not np.isfinite(values.values).all() or step <= 0:
        raise node.refuse("table with numbers that are not finite", code="HW224")
    return Tabulated(tree, first, step, values.values.ravel())


Builder = Callable[[OnnxNode, TensorType, Expression], Expression]

BUILDERS: dict[str, Builder] = {
    "Add": _sum,
    "Sub": _sum,
    "Mul": _product,
    "Div": _product,
    "BatchNormalization": _batch_norm,
    "Clip": _clip,
    "HardSigmoid": _hard_sigmoid,
    "Identity": lambda node, x, tree: tree,
    "Neg": lambda node, x, tree: line(tree, -ONE, ZERO),
    "PRelu": _prelu,
    "Pow": _power,
    "Table": _table,
}
"""How elementwise operators other than those in ``FUNCTIONS`` extend a tree."""

assert not BUILDERS.keys() & FUNCTIONS.keys()
