"""Keeps the batch in front, where ONNX's recurrent operators have the steps.

Exporters turn the sequence before such an operator, and turn its results back. Hardware computes
one sample, so the batch has to be the first axis everywhere. Each value whose batch is another axis
gets a twin with the batch in front; what moves or maps values is written for the twins, until the
batch is the first axis again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod

import numpy as np
import onnx_ir as ir

from hwflow.ir.qonnx.model import QonnxModel, constant_of
from hwflow.ops import facts_of
from hwflow.passes.model.rewrites.writer import Rewriter, attribute, dims


@dataclass(frozen=True, eq=False)
class Twin:
    """A value with its batch in front.

    Attributes:
        value: the twin.
        axis: which axis the batch is of the value itself.
        rows: the parts of a value that was stacked step by step, (batch, steps, ...).
    """

    value: ir.Value
    axis: int
    rows: tuple[ir.Value, ...] = ()


@dataclass(frozen=True, eq=False)
class Twins:
    """Twins of a model's values, and the writing of nodes for them.

    Attributes:
        model: the model.
        known: twins, by the value that they stand for.
    """

    model: QonnxModel
    known: dict[ir.Value, Twin] = field(default_factory=dict)

    def of(self, write: Rewriter, value: ir.Value, axis: int) -> ir.Value:
        """Return the twin of a value whose batch is an axis, turned if there is none."""
        if axis == 0:
            return value
        known = self.known.get(value)
        if known is not None and known.axis == axis:
            return known.value
        rest = [a for a in range(len(dims(value))) if a != axis]
        return write.add("Transpose", [value], perm=[axis, *rest])

    def put(self, value: ir.Value, twin: Twin) -> None:
        """Record a twin; where the batch is in front already it takes the place of its value."""
        if twin.axis:
            self.known[value] = twin
            return
        new, node = twin.value, value.producer()
        if new.shape is None:
            new.shape, new.type = value.shape, value.type
        if node is not None and value.is_graph_output():
            Rewriter(self.model, node).replace("Identity", [new], list(node.outputs).index(value))
        else:
            ir.convenience.replace_all_uses_with(value, new)
        if twin.rows:
            self.known[new] = twin

    def follow(self, node: ir.Node) -> None:
        """Write a node for the twins of its operands, if it moves or maps values."""
        x = node.inputs[0] if node.inputs else None
        if x is None or node.domain:
            return
        step = _STEPS.get(node.op_type)
        if x not in self.known:
            if node.op_type == "Transpose" and not constant_of(x):
                self._turn_away(node, x)
            return
        if step is None and facts_of(node).functions and _alone(node):
            step = _map
        found = None if step is None else step(self, node, self.known[x])
        if found is not None:
            self.put(node.outputs[0], found)

    def _turn_away(self, node: ir.Node, x: ir.Value) -> None:
        """Record the operand of a transpose, which has its batch in front, as the result's twin."""
        perm = _perm(node, len(dims(x)))
        axis = perm.index(0)
        if axis == 0:
            return
        order = [0, *(p for p in perm if p)]
        value = x
        if order != sorted(order):
            value = Rewriter(self.model, node).add("Transpose", [x], perm=order)
        self.known[node.outputs[0]] = Twin(value, axis)

    def turn_back(self) -> None:
        """Give what is left of the values, where nodes or outputs need them, from their twins."""
        for value, twin in self.known.items():
            node = value.producer()
            if not twin.axis or node is None or not (value.uses() or value.is_graph_output()):
                continue
            if node.op_type == "Transpose" and node.inputs[0] is twin.value:
                continue
            perm = [*range(1, twin.axis + 1), 0, *range(twin.axis + 1, len(dims(value)))]
            Rewriter(self.model, node).replace(
                "Transpose", [twin.value], list(node.outputs).index(value), perm=perm
            )


def _perm(node: ir.Node, rank: int) -> list[int]:
    given = node.attributes.get("perm")
    return list(range(rank))[::-1] if given is None else [int(p) for p in given.as_ints()]


def _alone(node: ir.Node) -> bool:
    """Return whether a node has one operand that is not a constant, and constants of one number."""
    constants = [constant_of(v) for v in node.inputs[1:] if v is not None]
    return all(c is not None and c.values.size == 1 for c in constants)


def _map(twins: Twins, node: ir.Node, x: Twin) -> Twin:
    """Write an elementwise function for a twin."""
    given = {name: value.value for name, value in node.attributes.items()}
    write = Rewriter(twins.model, node)
    return Twin(write.add(node.op_type, [x.value, *node.inputs[1:]], **given), x.axis)


def _transpose(twins: Twins, node: ir.Node, x: Twin) -> Twin:
    """Write the transpose of the other axes."""
    perm = _perm(node, len(dims(node.inputs[0])))
    axis = perm.index(x.axis)
    order = [0, *(p + (p < x.axis) for p in perm if p != x.axis)]
    if order == sorted(order):
        return Twin(x.value, axis, x.rows)
    return Twin(Rewriter(twins.model, node).add("Transpose", [x.value], perm=order), axis)


def _reshape(twins: Twins, node: ir.Node, x: Twin) -> Twin | None:
    """Write a change of shape that keeps what stands before the batch, and what stands behind."""
    old, new = dims(node.inputs[0]), dims(node.outputs[0])
    axis = _batch_in(node, x.axis, old, new)
    if axis is None:
        return None
    rest = [*new[:axis], *new[axis + 1 :]]
    write = Rewriter(twins.model, node)
    kept = x.rows if len(rest) > 1 and rest[0] == len(x.rows) else ()
    if rest == [*old[: x.axis], *old[x.axis + 1 :]]:
        return Twin(x.value, axis, kept)
    return Twin(write.add("Reshape", [x.value, write.integers("shape", [0, *rest])]), axis, kept)


def _batch_in(node: ir.Node, axis: int, old: tuple[int, ...], new: tuple[int, ...]) -> int | None:
    """Return where the batch is behind a change of shape; None where it is no axis of its own."""
    if node.op_type in ("Squeeze", "Unsqueeze"):
        longer = old if node.op_type == "Squeeze" else new
        axes = sorted(a % len(longer) for a in _integers(node, 1, "axes"))
        if node.op_type == "Squeeze":
            return None if axis in axes or not axes else axis - sum(a < axis for a in axes)
        others = [a for a in range(len(new)) if a not in axes]
        return others[axis]
    before, behind = prod(old[:axis]), prod(old[axis + 1 :])
    fits = (
        a for a, size in enumerate(new)
        if size == old[axis] and (prod(new[:a]), prod(new[a + 1 :])) == (before, behind)
    )  # fmt: skip
    return next(fits, None)


def _integers(node: ir.Node, index: int, name: str) -> list[int]:
    """Return whole numbers that are an operand, or an attribute in older operator sets."""
    if name in node.attributes:
        return [int(v) for v in node.attributes[name].as_ints()]
    value = node.inputs[index] if index < len(node.inputs) else None
    constant = None if value is None else constant_of(value)
    return [] if constant is None else [int(v) for v in constant.values.ravel()]


def _gather(twins: Twins, node: ir.Node, x: Twin) -> Twin | None:
    """Write the choice of elements of another axis; one step of a stack is the step's own value."""
    chosen = constant_of(node.inputs[1]) if node.inputs[1] is not None else None
    axis = attribute(node, "axis", 0) % len(dims(node.inputs[0]))
    if chosen is None or axis == x.axis or chosen.values.ndim > 1:
        return None
    one = chosen.values.ndim == 0
    ours = axis + (axis < x.axis)
    batch = x.axis - (one and axis < x.axis)
    write = Rewriter(twins.model, node)
    if one and ours == 1 and x.rows:
        row = x.rows[int(chosen.values)]
        rest = [d for a, d in enumerate(dims(node.outputs[0])) if a != batch]
        if len(rest) > 1:
            row = write.add("Reshape", [row, write.integers("shape", [0, *rest])])
        return Twin(row, batch)
    return Twin(write.add("Gather", [x.value, node.inputs[1]], axis=ours), batch)


def _slice(twins: Twins, node: ir.Node, x: Twin) -> Twin | None:
    """Write a part of other axes than the batch."""
    starts, ends = _integers(node, 1, "starts"), _integers(node, 2, "ends")
    axes = _integers(node, 3, "axes") or list(range(len(starts)))
    steps = _integers(node, 4, "steps") or [1] * len(starts)
    rank = len(dims(node.inputs[0]))
    axes = [a % rank for a in axes]
    if not starts or x.axis in axes:
        return None
    write = Rewriter(twins.model, node)
    limits = (starts, ends, [a + (a < x.axis) for a in axes], steps)
    operands = [write.integers("limits", np.array(n, np.int64)) for n in limits]
    return Twin(write.add("Slice", [x.value, *operands]), x.axis)


def _concat(twins: Twins, node: ir.Node, x: Twin) -> Twin | None:
    """Write the joining of twins along another axis than the batch."""
    parts = [twins.known.get(v) for v in node.inputs if v is not None]
    found = [p for p in parts if p is not None and p.axis == x.axis]
    axis = attribute(node, "axis", 0) % len(dims(node.inputs[0]))
    if len(found) < len(node.inputs) or axis == x.axis:
        return None
    write = Rewriter(twins.model, node)
    joined = write.add("Concat", [p.value for p in found], axis=axis + (axis < x.axis))
    return Twin(joined, x.axis)


_STEPS: dict[str, Callable[[Twins, ir.Node, Twin], Twin | None]] = {
    "Transpose": _transpose, "Reshape": _reshape, "Squeeze": _reshape, "Unsqueeze": _reshape,
    "Gather": _gather, "Slice": _slice, "Concat": _concat,
    "Identity": lambda twins, node, x: x,
}  # fmt: skip
"""What moves values, by operator."""
