"""Normalisations by a sample's own statistics: all of them as one over the last axis.

Factors and offsets become a product and a sum, which the quantiser behind them takes in. What
exporters write as means, squares, a root and a quotient is recognised where it is the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, prod

import numpy as np
import onnx_ir as ir

from hwflow.ir.op import Constant
from hwflow.ir.qonnx.model import QonnxModel, constant_of
from hwflow.ops.layer_norm import NAME
from hwflow.passes.model.rewrites.writer import Rewriter, attribute, dims


@dataclass(frozen=True, kw_only=True)
class _Norm:
    """What is normalised, and how.

    Attributes:
        x: the value.
        shape: the shape that it is seen in, with the batch.
        axes: axes of that shape, in order, none of them the batch.
        epsilon: what is added to the variance, or the mean square.
        centred: whether the mean is subtracted.
    """

    x: ir.Value
    shape: tuple[int, ...]
    axes: tuple[int, ...]
    epsilon: float
    centred: bool

    @property
    def supported(self) -> bool:
        """Whether there is an operator for it."""
        alone = bool(self.axes) and 0 not in self.axes and bool(self.shape)
        return alone and isfinite(self.epsilon) and self.epsilon >= 0


def to_last_axis(model: QonnxModel, node: ir.Node) -> bool:
    """Write a normalisation of ONNX's as one over the last axis, a product and a sum."""
    x = node.inputs[0]
    if x is None or any(v.uses() or v.is_graph_output() for v in node.outputs[1:]):
        return False
    rank = len(dims(x))
    epsilon = node.attributes["epsilon"].as_float() if "epsilon" in node.attributes else 1e-5
    first = attribute(node, "axis", -1) % rank if rank else 0
    centred = node.op_type != "RMSNormalization"
    norm = _Norm(
        x=x, shape=dims(x), axes=tuple(range(first, rank)), epsilon=float(np.float32(epsilon)),
        centred=centred,
    )  # fmt: skip
    if not norm.supported:
        return False
    write = Rewriter(model, node)
    _finish(write, _written(write, norm), list(node.inputs[1:]))
    return write.done()


def by_channels(model: QonnxModel, node: ir.Node) -> bool:
    """Write ``InstanceNormalization`` and ``GroupNormalization`` as one over the last axis."""
    x = node.inputs[0]
    shape = dims(x)
    factors = [None if v is None else constant_of(v) for v in node.inputs[1:]]
    if x is None or len(shape) < 3 or len(factors) != 2 or None in factors:
        return False
    groups = attribute(node, "num_groups", shape[1])
    epsilon = node.attributes["epsilon"].as_float() if "epsilon" in node.attributes else 1e-5
    seen = (shape[0], groups, prod(shape[1:]) // max(groups, 1))
    norm = _Norm(x=x, shape=seen, axes=(2,), epsilon=float(np.float32(epsilon)), centred=True)
    if prod(seen) != prod(shape) or not norm.supported:
        return False
    write = Rewriter(model, node)
    constants = []
    for name, factor in zip(("factor", "offset"), factors, strict=True):
        assert factor is not None
        values = np.repeat(factor.values.ravel(), shape[1] // factor.values.size)
        spread = values.reshape(-1, *(1 for _ in shape[2:]))
        constants.append(write.numbers(name, Constant(spread, factor.quantized)))
    _finish(write, _written(write, norm), constants)
    return write.done()


def from_quotient(model: QonnxModel, node: ir.Node) -> bool:
    """Write a value over the root of its variance, or of its mean square, as one node."""
    norm = _quotient(node)
    if norm is None or not norm.supported:
        return False
    write = Rewriter(model, node)
    write.replace("Identity", [_written(write, norm)])
    return write.done()


def parts_of(node: ir.Node) -> tuple[ir.Value, list[ir.Node]] | None:
    """Return what a quotient normalises, and the nodes that it is written in, itself the first.

    None where it is no normalisation.
    """
    norm = _quotient(node)
    if norm is None or not norm.supported:
        return None
    found, left = [], [node]
    while left:
        one = left.pop()
        if one in found:
            continue
        found.append(one)
        operands = (v for v in one.inputs if v is not None and v is not norm.x)
        producers = [v.producer() for v in operands if constant_of(v) is None]
        left += [producer for producer in producers if producer is not None]
    return norm.x, found


def _finish(write: Rewriter, y: ir.Value, constants: Sequence[ir.Value | None]) -> None:
    """Write the product with the factors and the sum with the offsets, where they do anything."""
    for (op_type, neutral), value in zip((("Mul", 1), ("Add", 0)), constants, strict=False):
        found = None if value is None else constant_of(value)
        if value is not None and (found is None or (found.values != neutral).any()):
            y = write.add(op_type, [y, value])
    write.replace("Identity", [y])


def _written(write: Rewriter, norm: _Norm) -> ir.Value:
    """Write a normalisation over the last axis, between moves where the axes are others."""
    x, whole, shape = norm.x, dims(norm.x), norm.shape
    if shape != whole:
        x = write.add("Reshape", [x, write.integers("shape", shape)])
    rank, count = len(shape), len(norm.axes)
    others = [i for i in range(rank) if i not in norm.axes]
    perm = [*others, *norm.axes]
    moved = tuple(shape[i] for i in perm)
    if perm != list(range(rank)):
        x = write.add("Transpose", [x], perm=perm)
    if count > 1:
        flat = [*moved[: rank - count], prod(moved[rank - count :])]
        x = write.add("Reshape", [x, write.integers("shape", flat)])
    y = write.add(NAME, [x], epsilon=norm.epsilon, centred=int(norm.centred))
    if count > 1:
        y = write.add("Reshape", [y, write.integers("shape", moved)])
    if perm != list(range(rank)):
        y = write.add("Transpose", [y], perm=[perm.index(i) for i in range(rank)])
    if shape != whole:
        y = write.add("Reshape", [y, write.integers("shape", whole)])
    return y


def _quotient(node: ir.Node) -> _Norm | None:
    """Return what ``x / sqrt(mean(x**2) + epsilon)`` is a normalisation of."""
    parts = _over_root(node)
    if parts is None:
        return None
    above, under = parts
    total = _operands(under, "Add")
    for spread, added in (total, total[::-1]) if total else ():
        epsilon = constant_of(added)
        squares = _mean(spread)
        if epsilon is None or epsilon.values.size != 1 or squares is None:
            continue
        of, axes = squares
        base = _square(of)
        if base is None or not _same(base, above):
            continue
        number = float(epsilon.values.ravel()[0])
        centre = _centred(above, axes)
        x = above if centre is None else centre
        return _Norm(x=x, shape=dims(x), axes=axes, epsilon=number, centred=centre is not None)
    return None


def _over_root(node: ir.Node) -> tuple[ir.Value, ir.Value] | None:
    """Return ``a`` and ``b`` of ``a / sqrt(b)``, in any of the ways to write it."""
    operands = [v for v in node.inputs if v is not None]
    if len(operands) != 2:
        return None
    if node.op_type == "Div":
        root = _root(operands[1])
        return None if root is None else (operands[0], root)
    for a, b in (operands, operands[::-1]):
        inverse = _inverse_root(b)
        if inverse is not None:
            return a, inverse
    return None


def _inverse_root(value: ir.Value) -> ir.Value | None:
    """Return ``b`` of ``1 / sqrt(b)``."""
    node = value.producer()
    if node is None or node.domain:
        return None
    if node.op_type == "Reciprocal" and node.inputs[0] is not None:
        return _root(node.inputs[0])
    if node.op_type == "Div" and node.inputs[1] is not None and _is(node.inputs[0], 1.0):
        return _root(node.inputs[1])
    return node.inputs[0] if node.op_type == "Pow" and _is(node.inputs[1], -0.5) else None


def _root(value: ir.Value) -> ir.Value | None:
    """Return ``b`` of ``sqrt(b)``."""
    node = value.producer()
    if node is None or node.domain:
        return None
    plain = node.op_type == "Sqrt" or (node.op_type == "Pow" and _is(node.inputs[1], 0.5))
    return node.inputs[0] if plain else None


def _square(value: ir.Value) -> ir.Value | None:
    """Return ``x`` of ``x**2``."""
    node = value.producer()
    if node is None or node.domain:
        return None
    if node.op_type == "Pow" and _is(node.inputs[1], 2.0):
        return node.inputs[0]
    a, b = (*node.inputs, None, None)[:2]
    return a if node.op_type == "Mul" and a is not None and b is not None and _same(a, b) else None


def _mean(value: ir.Value) -> tuple[ir.Value, tuple[int, ...]] | None:
    """Return what a mean is taken of, and along which axes, which all stay."""
    node = value.producer()
    if node is None or node.domain or node.op_type != "ReduceMean" or node.inputs[0] is None:
        return None
    if attribute(node, "keepdims", 1) != 1:
        return None
    rank = len(dims(node.inputs[0]))
    if "axes" in node.attributes:
        axes = list(node.attributes["axes"].as_ints())
    else:
        listed = node.inputs[1] if len(node.inputs) > 1 else None
        found = None if listed is None else constant_of(listed)
        axes = [] if found is None else [int(a) for a in found.values.ravel()]
    return node.inputs[0], tuple(sorted({a % rank for a in axes}))


def _centred(value: ir.Value, axes: tuple[int, ...]) -> ir.Value | None:
    """Return ``x`` of ``x - mean(x)`` along the same axes."""
    operands = _operands(value, "Sub")
    if not operands:
        return None
    x, mean = operands
    found = _mean(mean)
    return x if found is not None and found[0] is x and found[1] == axes else None


def _same(a: ir.Value, b: ir.Value) -> bool:
    """Return whether two values are one, or the same difference written twice."""
    if a is b:
        return True
    left, right = _operands(a, "Sub"), _operands(b, "Sub")
    if not left or not right or left[0] is not right[0]:
        return False
    means = _mean(left[1]), _mean(right[1])
    return left[1] is right[1] or (means[0] is not None and means[0] == means[1])


def _operands(value: ir.Value, op_type: str) -> tuple[ir.Value, ir.Value] | None:
    """Return both operands of the node of a kind that computes a value."""
    node = value.producer()
    if node is None or node.domain or node.op_type != op_type or None in node.inputs:
        return None
    a, b = node.inputs
    assert a is not None
    assert b is not None
    return a, b


def _is(value: ir.Value | None, number: float) -> bool:
    """Return whether a value is a constant of one number."""
    found = None if value is None else constant_of(value)
    return found is not None and found.values.size == 1 and float(found.values.ravel()[0]) == number
