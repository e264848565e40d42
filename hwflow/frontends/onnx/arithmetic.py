"""Quantisers written as arithmetic: ``clip(round(x / s) + z, lo, hi) - z``, times ``s``.

Learned step sizes and other training code export their quantisers as ``Div``, ``Round``, ``Clip``
and ``Mul``. Such nodes become ``Quant`` where they provably are one:

1. ``Div`` by ``s`` and ``Mul`` by ``s`` take one and the same tensor, or equal ones; so do ``Mul``
   by ``1 / s`` and ``Div`` by it where float32 holds both (powers of two).
2. Bounds and zero points are whole numbers, so that they commute with the rounding
   (``hwflow.frontends.qdq.forms`` has the proof), wherever they stand.
3. A straight-through estimator, ``x + (y - x)``, is ``y``.

What is left alone is looked at again where functions of integers are built.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir as ir
from onnx_ir.passes import common

from hwflow.frontends.onnx.levels import Levels
from hwflow.frontends.onnx.roundings import bounded_roundings
from hwflow.frontends.qdq.constants import Computed
from hwflow.frontends.qdq.writer import Writer
from hwflow.ir.qonnx.model import QonnxModel

ROUNDINGS = {"Round": "ROUND", "Floor": "FLOOR", "Ceil": "CEIL"}
"""Rounding modes of QONNX by the operator that rounds."""

MOST_STEPS = 6
"""Most bounds and zero points on either side of a rounding."""


def recognize_written(model: QonnxModel) -> None:
    """Replace quantisers written as arithmetic by ``Quant``, in place.

    Args:
        model: nodes in topological order, standard operators in the standard domain.
    """
    if not any(n.op_type in ROUNDINGS and not n.domain for n in model.ir.graph):
        return
    common.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model.ir)
    computed, write = Computed(model), Writer(model)
    for node in [n for n in model.ir.graph if n.op_type in ROUNDINGS and not n.domain]:
        _Recognizer(computed, node).replace(write)
    common.RemoveUnusedNodesPass()(model.ir)
    bounded_roundings(model.ir.graph, computed, write)


class _Recognizer:
    """Looks for the quantiser around one rounding."""

    def __init__(self, computed: Computed, node: ir.Node) -> None:
        self._computed, self._node = computed, node

    def replace(self, write: Writer) -> None:
        """Write the quantiser that the rounding belongs to, or nothing."""
        start = self._start()
        if start is None:
            return
        x, scale, between = start
        levels = Levels()
        for node in between:
            self._step(node, levels)
        odd = levels.shift % 2 != 0
        end = self._end(levels, scale, x)
        if end is None or levels.low is None or levels.high is None:
            return
        rounding = ROUNDINGS[self._node.op_type]
        steps = levels.steps(scale, rounding, odd=odd, at_port=x.producer() is None)
        if steps:
            write.identity(end, write.steps(end, x, steps))

    def _start(self) -> tuple[ir.Value, npt.NDArray[np.float32], list[ir.Node]] | None:
        """Return what is divided, the scale, and the nodes from there to the rounding."""
        value, between = self._node.inputs[0], list[ir.Node]()
        while len(between) <= MOST_STEPS and value is not None:
            node = value.producer()
            if node is None or node.domain:
                return None
            divided = self._division(node)
            if divided is not None:
                return *divided, between[::-1]
            step = self._clip(node) or self._shift(node)
            if step is None:
                return None
            between.append(node)
            value = step[0]
        return None

    def _step(self, node: ir.Node, levels: Levels) -> ir.Value | None:
        """Take a node between division and multiplication into account; return its operand."""
        clip, shift = self._clip(node), self._shift(node)
        if clip is not None:
            levels.take(*clip[1:])
            return clip[0]
        if shift is not None:
            levels.shift += shift[1]
            return shift[0]
        return None

    def _end(self, levels: Levels, scale: npt.NDArray[np.float32], x: ir.Value) -> ir.Node | None:
        """Return the node that the quantiser ends with, a multiplication by the scale."""
        value = _through_estimator(self._node.outputs[0], self._node.inputs[0])
        for _ in range(MOST_STEPS):
            user = _only_user(value)
            if user is None or user.domain:
                return None
            if self._multiplies(user, value, scale):
                return None if levels.shift else _estimated(user, x)
            if self._step(user, levels) is not value:
                return None
            value = _through_estimator(user.outputs[0], value)
        return None

    def _division(self, node: ir.Node) -> tuple[ir.Value, npt.NDArray[np.float32]] | None:
        """Return what a node divides, and by what scale."""
        if len(node.inputs) != 2:
            return None
        for position in (1, 0) if node.op_type == "Mul" else (1,):
            constant = self._number(node.inputs[position])
            x = node.inputs[1 - position]
            if constant is None or x is None or self._computed_from_constants(x, constant):
                continue
            if node.op_type == "Div":
                return x, constant
            if node.op_type == "Mul" and _is_power_of_two(constant):
                return x, (1 / constant).astype(np.float32)
        return None

    def _computed_from_constants(self, x: ir.Value, constant: npt.NDArray[Any]) -> bool:
        """Return whether both operands are numbers of one element, which no quantiser has."""
        other = self._computed.of(x)
        return other is not None and other.size == 1 and constant.size > 1

    def _multiplies(self, node: ir.Node, value: ir.Value, scale: npt.NDArray[np.float32]) -> bool:
        """Return whether a node multiplies by the scale."""
        if node.op_type not in ("Mul", "Div") or len(node.inputs) != 2:
            return False
        if node.op_type == "Div" and node.inputs[0] is not value:
            return False
        other = node.inputs[1] if node.inputs[0] is value else node.inputs[0]
        factor = self._number(other)
        if factor is None:
            return False
        if node.op_type == "Div":
            if not _is_power_of_two(factor):
                return False
            factor = (1 / factor).astype(np.float32)
        try:
            one = np.broadcast_shapes(factor.shape, scale.shape) == scale.shape
        except ValueError:
            return False
        return one and bool(np.all(factor == scale))

    def _number(self, value: ir.Value | None) -> npt.NDArray[np.float32] | None:
        """Return positive float32 numbers that a value is for every input."""
        found = self._computed.of(value)
        if found is None or found.dtype != np.float32 or not found.size:
            return None
        return found if np.isfinite(found).all() and (found > 0).all() else None

    def _clip(self, node: ir.Node) -> tuple[ir.Value, int | None, int | None] | None:
        """Return what a node limits, and whole bounds."""
        if node.op_type in ("Max", "Min") and len(node.inputs) == 2:
            for position in (1, 0):
                bound, x = self._whole(node.inputs[position]), node.inputs[1 - position]
                if bound is not None and x is not None:
                    return (x, bound, None) if node.op_type == "Max" else (x, None, bound)
            return None
        if node.op_type != "Clip" or node.inputs[0] is None:
            return None
        bounds: list[int | None] = [None, None]
        for index, name in enumerate(("min", "max")):
            operand = node.inputs[1 + index] if len(node.inputs) > 1 + index else None
            if operand is not None:
                bounds[index] = self._whole(operand)
                if bounds[index] is None:
                    return None
            elif name in node.attributes:
                bounds[index] = _as_whole(np.asarray(node.attributes[name].as_float()))
                if bounds[index] is None:
                    return None
        return node.inputs[0], bounds[0], bounds[1]

    def _shift(self, node: ir.Node) -> tuple[ir.Value, int] | None:
        """Return what a node adds a whole number to, and the number."""
        if node.op_type not in ("Add", "Sub") or len(node.inputs) != 2:
            return None
        for position in (1, 0) if node.op_type == "Add" else (1,):
            number, x = self._whole(node.inputs[position]), node.inputs[1 - position]
            if number is not None and x is not None:
                return x, number if node.op_type == "Add" else -number
        return None

    def _whole(self, value: ir.Value | None) -> int | None:
        found = self._computed.of(value)
        return None if found is None else _as_whole(found)


def _as_whole(found: npt.NDArray[Any]) -> int | None:
    """Return the one whole number that all elements are."""
    if not found.size or found.dtype.kind not in "fiu" or np.any(found != found.flat[0]):
        return None
    number = float(found.flat[0])
    return int(number) if np.isfinite(number) and number == int(number) else None


def _only_user(value: ir.Value) -> ir.Node | None:
    users = value.consumers()
    return users[0] if len(users) == 1 and not value.is_graph_output() else None


def _through_estimator(value: ir.Value, before: ir.Value | None) -> ir.Value:
    """Return ``before + (value - before)`` where that is all that is made of a value."""
    difference = _only_user(value)
    if before is None or difference is None or difference.op_type != "Sub":
        return value
    if difference.inputs[0] is not value or difference.inputs[1] is not before:
        return value
    total = _only_user(difference.outputs[0])
    if (
        total is None
        or total.op_type != "Add"
        or set(total.inputs)
        != {
            before,
            difference.outputs[0],
        }
    ):
        return value
    return total.outputs[0]


def _estimated(node: ir.Node, x: ir.Value) -> ir.Node:
    """Return the end of a straight-through estimator around a whole quantiser, or its own end."""
    end = _through_estimator(node.outputs[0], x).producer()
    return node if end is None else end


def _is_power_of_two(values: npt.NDArray[np.float32]) -> bool:
    return bool(np.all(np.frexp(values)[0] == 0.5)) and bool(np.all(np.abs(np.log2(values)) < 100))
