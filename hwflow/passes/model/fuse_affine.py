"""A chain of multiplications and additions with constants becomes one scale and one offset.

``((x * a + b) / c - d) * e`` is ``x * A + B``. ``A`` and ``B`` are computed in float64; lowering
rounds them to float32, the precision of the model's own constants, and notes how far off they are.
Chains with a single multiplication or division keep their constants as they are, and every chain of
powers of two comes out exact, so only what float32 itself could not hold is rounded. Chains that
end in a quantiser are left alone where they need a ``Requantize``, which rounds nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import onnx_ir as ir
from onnx_ir.passes import common

from hwflow.ir.qonnx.model import QonnxModel, add_constant, constant_of
from hwflow.passes.model.tails import Tail, closes, is_applied_by_host

F64 = npt.NDArray[np.float64]
SCALINGS = ("Mul", "Div")
OFFSETS = ("Add", "Sub")


@dataclass(frozen=True, eq=False)
class _Affine:
    """One node as ``y = scale * x + offset``."""

    x: ir.Value
    scale: F64
    offset: F64


def fuse_affine(model: QonnxModel) -> QonnxModel:
    """Change the model in place: chains with several scalings become Mul and Add."""
    done: set[ir.Node] = set()
    for node in tuple(model.ir.graph):
        chain = _chain(node) if node not in done else []
        done.update(chain)
        if sum(n.op_type in SCALINGS for n in chain) < 2 or is_applied_by_host(node):
            continue
        if closes(node) is not Tail.HARD:
            _merge(model, chain)
    common.RemoveUnusedNodesPass()(model.ir)
    return model


def _chain(node: ir.Node) -> list[ir.Node]:
    """Return the affine nodes from ``node`` on, each the only user of the one before."""
    chain: list[ir.Node] = []
    current: ir.Node | None = node
    while current is not None and _affine(current) is not None:
        chain.append(current)
        result = current.outputs[0]
        users = result.consumers()
        current = users[0] if len(users) == 1 and not result.is_graph_output() else None
    return chain


def _affine(node: ir.Node) -> _Affine | None:
    if node.op_type not in (*SCALINGS, *OFFSETS) or node.domain or len(node.inputs) != 2:
        return None
    left, right = node.inputs
    if left is None or right is None:
        return None
    constant = constant_of(right) or constant_of(left)
    x = left if constant_of(right) is not None else right
    if constant is None or constant_of(x) is not None or x.shape != node.outputs[0].shape:
        return None
    c, one, zero = constant.values, np.ones(()), np.zeros(())
    match node.op_type:
        case "Mul":
            return _Affine(x, c, zero)
        case "Add":
            return _Affine(x, one, c)
        case "Sub":
            return _Affine(x, one, -c) if x is left else _Affine(x, -one, c)
        case _:
            return _Affine(x, 1.0 / c, zero) if x is left and (c != 0).all() else None


def _merge(model: QonnxModel, chain: list[ir.Node]) -> None:
    scale, offset = np.ones(()), np.zeros(())
    for node in chain:
        step = _affine(node)
        assert step is not None
        scale, offset = scale * step.scale, offset * step.scale + step.offset
    first = _affine(chain[0])
    assert first is not None
    last = chain[-1]
    result = last.outputs[0]
    name = result.name or "affine"
    a = add_constant(model, f"{name}_scale", scale)
    b = add_constant(model, f"{name}_offset", offset)
    scaled = ir.Node("", "Mul", [first.x, a], name=last.name)
    scaled.outputs[0].name = f"{name}_scaled"
    scaled.outputs[0].shape, scaled.outputs[0].type = result.shape, result.type
    model.ir.graph.insert_before(last, scaled)
    last.op_type = "Add"
    last.replace_input_with(0, scaled.outputs[0])
    last.replace_input_with(1, b)
