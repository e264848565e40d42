"""Which constants of two networks of one graph stand at the same place."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir

from hwflow.core.errors import CompileError, Diagnostic
from hwflow.ir.qonnx.model import QonnxModel, attributes, operator_name, origin


def aligned(one: QonnxModel, other: QonnxModel) -> dict[str, ir.Value]:
    """Return the other network's constant for each constant of one, by its name.

    Raises:
        CompileError: HW390, the graphs differ.
    """
    pairs: dict[str, str] = {}
    for ours, theirs in zip(one.ir.graph.inputs, other.ir.graph.inputs, strict=False):
        pairs[ours.name or ""] = theirs.name or ""
    found: dict[str, ir.Value] = {}
    nodes = [list(m.ir.graph) for m in (one, other)]
    if len(nodes[0]) != len(nodes[1]):
        raise _differ(one, other, f"{len(nodes[0])} and {len(nodes[1])} nodes", "")
    for a, b in zip(*nodes, strict=True):
        if not _same_form(a, b):
            raise _differ(one, other, f"{operator_name(a)} and {operator_name(b)}", origin(a))
        for ours, theirs in zip(a.inputs, b.inputs, strict=True):
            if ours is not None and theirs is not None and ours.const_value is not None:
                if not _alike(ours, theirs):
                    raise _differ(one, other, "constants of different shapes", origin(a))
                found[ours.name or ""] = theirs
            elif _name(theirs) != pairs.get(_name(ours), ""):
                raise _differ(one, other, "operands from different nodes", origin(a))
        for ours, theirs in zip(a.outputs, b.outputs, strict=True):
            pairs[ours.name or ""] = theirs.name or ""
    return found


def _name(value: ir.Value | None) -> str:
    return "" if value is None else value.name or ""


def _same_form(a: ir.Node, b: ir.Node) -> bool:
    if operator_name(a) != operator_name(b):
        return False
    if (len(a.inputs), len(a.outputs)) != (len(b.inputs), len(b.outputs)):
        return False
    ours, theirs = attributes(a), attributes(b)
    return ours.keys() == theirs.keys() and all(_equal(ours[k], theirs[k]) for k in ours)


def _equal(a: Any, b: Any) -> bool:
    return bool(np.array_equal(np.asarray(a), np.asarray(b)))


def _alike(ours: ir.Value, theirs: ir.Value) -> bool:
    a, b = ours.const_value, theirs.const_value
    if a is None or b is None or a.dtype != b.dtype or tuple(a.shape) != tuple(b.shape):
        return False
    return a.dtype.is_floating_point() or bool(np.array_equal(a.numpy(), b.numpy()))


def _differ(one: QonnxModel, other: QonnxModel, found: str, where: str) -> CompileError:
    finding = Diagnostic(
        code="HW390", title="networks of different graphs have no common weights",
        where=f"{where}, in {other.source}" if where else f"in {other.source}",
        found=found, supported=f"the graph of {one.source}",
        help="average their outputs instead: hwflow compress fuse ensemble",
    )  # fmt: skip
    return CompileError([finding])
