"""Small networks around ONNX's recurrent operators, as exporters write them."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

GATES = {"RNN": 1, "LSTM": 4, "GRU": 3}
INPUTS, UNITS = 3, 4


def network(
    op: str, *, steps: int = 5, seed: int = 0, initial: bool = False, peepholes: bool = False,
    bias: bool = True, lengths: int = 0, layout: int = 0, **attributes: Any,
) -> onnx.ModelProto:  # fmt: skip
    """Return a recurrent operator between the moves that torch's exporter writes around it.

    Args:
        op: ``RNN``, ``LSTM`` or ``GRU``.
        steps: length of the sequence.
        seed: of the weights.
        initial: states begin with other numbers than zeros.
        peepholes: an LSTM has them.
        bias: it has biases.
        lengths: ``sequence_lens``; none where 0.
        layout: 1 where the operator has the batch first.
        attributes: more of them.

    Returns:
        A model from ``x`` (1, steps, 3) to all states ``y``, and the last ones ``last``.
    """
    rng = np.random.default_rng(seed)
    ways, rows = 2 if attributes.get("direction") == "bidirectional" else 1, GATES[op] * UNITS
    tensors: list[onnx.TensorProto] = []

    def add(name: str, values: Any) -> str:
        tensors.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def normal(name: str, *shape: int) -> str:
        return add(name, rng.normal(0, 0.8, shape).astype(np.float32))

    state = (1, ways, UNITS) if layout else (ways, 1, UNITS)
    operands = [
        "x" if layout else "turned", normal("W", ways, rows, INPUTS),
        normal("R", ways, rows, UNITS), normal("B", ways, 2 * rows) if bias else "",
        add("lengths", np.array([lengths], np.int32)) if lengths else "",
        normal("h", *state) if initial else "",
    ]  # fmt: skip
    if op == "LSTM":
        operands += [
            normal("c", *state) if initial else "",
            normal("P", ways, 3 * UNITS) if peepholes else "",
        ]
    nodes = [
        helper.make_node("Transpose", ["x"], ["turned"], perm=[1, 0, 2]),
        helper.make_node(
            op, operands, ["states", "ends"], name="cell", hidden_size=UNITS, layout=layout,
            **attributes,
        ),
        *_moves(ways, layout, add),
    ]  # fmt: skip
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes[1:] if layout else nodes, "network",
        [info("x", TensorProto.FLOAT, [1, steps, INPUTS])],
        [info(name, TensorProto.FLOAT, None) for name in ("y", "last")], tensors,
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def _moves(ways: int, layout: int, add: Any) -> list[onnx.NodeProto]:
    """Return the nodes that bring the results to (batch, steps, units) and (batch, units)."""
    node = helper.make_node
    last = node("Gather", ["ends", add("which", np.array(ways - 1))], ["last"], axis=layout)
    if layout:
        shape = add("shape", np.array([0, 0, -1]))
        return [node("Reshape", ["states", shape], ["y"]), last]
    if ways == 1:
        squeezed = node("Squeeze", ["states", add("axes", np.array([1]))], ["flat"])
        return [squeezed, node("Transpose", ["flat"], ["y"], perm=[1, 0, 2]), last]
    return [
        node("Transpose", ["states"], ["near"], perm=[0, 2, 1, 3]),
        node("Reshape", ["near", add("shape", np.array([0, 0, -1]))], ["flat"]),
        node("Transpose", ["flat"], ["y"], perm=[1, 0, 2]),
        last,
    ]
