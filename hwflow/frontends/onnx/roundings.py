"""A rounding of numbers that are bounded is a ``Quant`` with a scale of 1.

PACT, DoReFa and other training code multiply by one constant before they round and by another one
behind it, whose product float32 does not make 1, so that the whole is no ``Quant``. The rounding
itself is: where ``l <= x <= h``, every range of levels from ``round(l)`` to ``round(h)`` leaves
``round(x)`` as it is; and where a ``Clip`` to whole bounds stands behind it, a range that holds
these bounds changes nothing about the clipped number, since a clamp never falls.
"""

from __future__ import annotations

from math import ceil, floor, inf, isfinite
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from hwflow.frontends.onnx.levels import WIDEST
from hwflow.frontends.qdq.constants import Computed
from hwflow.frontends.qdq.forms import QuantStep
from hwflow.frontends.qdq.writer import Writer

MODES = {"Round": "ROUND", "Floor": "FLOOR", "Ceil": "CEIL"}
"""Rounding modes of QONNX by the operator that rounds."""

MOST_NODES = 16
"""Most nodes on either side that are looked at."""

SATURATING = {"HardSigmoid": (0.0, 1.0), "Sigmoid": (0.0, 1.0), "Tanh": (-1.0, 1.0)}
"""Functions with bounds of their own."""

KEPT = ("Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze")
"""Operators that keep all numbers."""

LINES = {"Add": np.add, "Div": np.divide, "Mul": np.multiply, "Sub": np.subtract}
"""Operators of an activation and constants whose results are greatest or least at its ends."""

ELEMENTWISE = (*LINES, *KEPT, *SATURATING, "Abs", "Cast", "Clip", "Max", "Min", "Neg", "Relu")
"""Operators that work element by element, or move elements."""

Range = tuple[float, float]


def bounded_roundings(graph: ir.Graph, computed: Computed, write: Writer) -> None:
    """Write ``Quant`` in the place of roundings whose operands or results are bounded.

    Args:
        graph: changed in place.
        computed: its constants.
        write: adds nodes to it.
    """
    for node in [n for n in graph if n.op_type in MODES and not n.domain]:
        x = node.inputs[0]
        if x is None or _at_port(computed, x):
            continue
        before, behind = _Bounds(computed).of(x, MOST_NODES), _behind(computed, node.outputs[0])
        low = max(floor(before[0]) - 1 if isfinite(before[0]) else -inf, behind[0])
        high = min(ceil(before[1]) + 1 if isfinite(before[1]) else inf, behind[1])
        if not -WIDEST < low < high < WIDEST:
            continue
        signed = low < 0
        bits = max(int(max(high, -low - 1)).bit_length() + signed, 2)
        step = QuantStep(
            scale=np.ones((), np.float32),
            zero=np.zeros((), np.int64),
            bits=bits,
            signed=signed,
            rounding=MODES[node.op_type],
        )
        write.identity(node, write.steps(node, x, [step]))


def _at_port(computed: Computed, value: ir.Value) -> bool:
    """Return whether a value is made of a graph input element by element.

    A port has no range, so that nothing would be gained.
    """
    current: ir.Value | None = value
    for _ in range(MOST_NODES):
        node = None if current is None else current.producer()
        if node is None:
            return True
        if node.domain or node.op_type not in ELEMENTWISE:
            return False
        current = next((v for v in node.inputs if v and computed.of(v) is None), None)
    return True


class _Bounds:
    """Finds bounds of a value from the operators that make it."""

    def __init__(self, computed: Computed) -> None:
        self._computed = computed

    def of(self, value: ir.Value | None, depth: int) -> Range:
        """Return numbers that a value lies between, up to float64's rounding."""
        node = None if value is None else value.producer()
        if node is None or node.domain or not depth or not node.inputs:
            return -inf, inf
        if node.op_type in SATURATING:
            return SATURATING[node.op_type]
        if node.op_type in KEPT:
            return self.of(node.inputs[0], depth - 1)
        if node.op_type == "Relu":
            return 0.0, max(self.of(node.inputs[0], depth - 1)[1], 0.0)
        if node.op_type == "Clip":
            low, high = self.of(node.inputs[0], depth - 1)
            least, most = self.limits(node)
            return min(max(low, least), most), max(min(high, most), least)
        return self._of_two(node, depth)

    def limits(self, node: ir.Node) -> Range:
        """Return the bounds of a ``Clip``."""
        ends = [-inf, inf]
        for place, name in enumerate(("min", "max")):
            operand = node.inputs[1 + place] if len(node.inputs) > 1 + place else None
            found = self._computed.of(operand)
            if found is not None and found.size:
                ends[place] = float(found.min() if place == 0 else found.max())
            elif operand is None and name in node.attributes:
                ends[place] = node.attributes[name].as_float()
        return ends[0], ends[1]

    def _of_two(self, node: ir.Node, depth: int) -> Range:
        """Return the bounds of a result of an activation and constants."""
        if len(node.inputs) != 2:
            return -inf, inf
        known = [self._computed.of(v) for v in node.inputs]
        place = 0 if known[1] is not None else 1
        numbers = known[1 - place]
        if numbers is None or not numbers.size or (place and node.op_type == "Div"):
            return -inf, inf
        low, high = self.of(node.inputs[place], depth - 1)
        least, most = float(numbers.min()), float(numbers.max())
        if node.op_type == "Max":
            return max(low, least), max(high, most)
        if node.op_type == "Min":
            return min(low, least), min(high, most)
        line = LINES.get(node.op_type)
        if line is None or (node.op_type == "Div" and (numbers == 0).any()):
            return -inf, inf
        with np.errstate(all="ignore"):
            ends = np.array([low, high])[:, None]
            pair = (ends, numbers.astype(np.float64).ravel())
            results = line(*(pair[::-1] if place else pair))
        if np.isnan(results).any():
            return -inf, inf
        return float(results.min()), float(results.max())


def _behind(computed: Computed, value: ir.Value) -> Range:
    """Return whole bounds of what is made of a rounding, if that is all that is made of it."""
    low, high, shift = -inf, inf, 0.0
    for _ in range(MOST_NODES):
        users = value.consumers()
        if len(users) != 1 or value.is_graph_output() or users[0].domain:
            break
        node = users[0]
        if node.op_type in ("Add", "Sub") and len(node.inputs) == 2:
            place = 1 if node.inputs[0] is value else 0
            number = _whole(computed.of(node.inputs[place]))
            if number is None or (node.op_type == "Sub" and place == 0):
                break
            shift += number if node.op_type == "Add" else -number
        elif node.op_type in ("Clip", "Max", "Min"):
            least, most = _whole_limits(computed, node, value)
            low, high = max(low, least - shift), min(high, most - shift)
        elif node.op_type not in KEPT:
            break
        value = node.outputs[0]
    return low, high


def _whole_limits(computed: Computed, node: ir.Node, value: ir.Value) -> Range:
    """Return the whole bounds that a node brings a value between."""
    if node.op_type == "Clip":
        if node.inputs[0] is not value:
            return -inf, inf
        least, most = _Bounds(computed).limits(node)
        whole = [v for v in (least, most) if isfinite(v)]
        return (least, most) if all(v == int(v) for v in whole) else (-inf, inf)
    if len(node.inputs) != 2:
        return -inf, inf
    number = _whole(computed.of(node.inputs[1 if node.inputs[0] is value else 0]))
    if number is None:
        return -inf, inf
    return (number, inf) if node.op_type == "Max" else (-inf, number)


def _whole(found: npt.NDArray[Any] | None) -> float | None:
    """Return the one whole number that all elements are."""
    if found is None or not found.size or np.any(found != found.flat[0]):
        return None
    number = float(found.flat[0])
    return number if isfinite(number) and number == int(number) else None
