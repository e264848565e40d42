"""LookupDense: what its node means, against ONNX Runtime; what is refused; what vanishes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

import hwflow
from hwflow.fixed import FixedType
from hwflow.frontends.onnx.reader import read_proto
from hwflow.ir.qonnx.lookup_dense import OPERANDS, function
from hwflow.ir.qonnx.model import QONNX_DOMAIN, QonnxModel
from hwflow.ops.lookup_dense import LookupDense

Parts = dict[str, npt.NDArray[Any]]

CHANNELS, OUTPUTS, POINTS = 3, 2, 8


def parts(rng: np.random.Generator) -> Parts:
    """Return tables of ``CHANNELS`` inputs, quantised to 4 bits in steps of 1/4."""
    shape = (OUTPUTS, CHANNELS, 1)
    return {
        "first": np.full(CHANNELS, -1.0, np.float32),
        "step": np.full(CHANNELS, 0.25, np.float32),
        "count": np.full(CHANNELS, POINTS, np.float32),
        "source": np.broadcast_to(np.arange(CHANNELS)[:, None], shape).astype(np.int64),
        "stride": np.ones(shape, np.int64),
        "start": POINTS * np.arange(OUTPUTS * CHANNELS).reshape(shape[:2]),
        "values": (rng.integers(-16, 16, OUTPUTS * CHANNELS * POINTS) / 8).astype(np.float32),
    }


def proto(given: Parts, bits: int = 4, scale: float = 0.25) -> Any:
    numbers = {"scale": scale, "zero": 0.0, "bits": float(bits)}
    constants = {**given, **{k: np.float32(v) for k, v in numbers.items()}}
    nodes = [
        helper.make_node("Quant", ["x", *numbers], ["q"], "quant", domain=QONNX_DOMAIN, signed=1,
                         narrow=0, rounding_mode="ROUND"),
        helper.make_node("LookupDense", ["q", *OPERANDS], ["y"], "tables", domain="hwflow.fixed"),
    ]  # fmt: skip
    graph = helper.make_graph(
        nodes, "tables",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, CHANNELS))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, OUTPUTS))],
        [numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()],
    )  # fmt: skip
    domains = [("", 19), (QONNX_DOMAIN, 1), ("hwflow.fixed", 1)]
    opsets = [helper.make_opsetid(*d) for d in domains]
    return helper.make_model(graph, opset_imports=opsets, functions=[function()], ir_version=9)


def model(given: Parts, **quantizer: Any) -> QonnxModel:
    return read_proto(proto(given, **quantizer), "tables", "tables.onnx")


def every(bits: int = 4, scale: float = 0.25) -> npt.NDArray[np.float32]:
    """Return all mixtures of the quantised inputs."""
    one = np.arange(-(2 ** (bits - 1)), 2 ** (bits - 1)) * scale
    return np.stack(np.meshgrid(*[one] * CHANNELS), -1).reshape(-1, CHANNELS).astype(np.float32)


def in_onnxruntime(given: Parts, x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the node's own function in ONNX Runtime, of what is on the quantiser's grid."""
    node = helper.make_node("LookupDense", ["x", *OPERANDS], ["y"], domain="hwflow.fixed")
    graph = helper.make_graph(
        [node], "one", [helper.make_tensor_value_info("x", TensorProto.FLOAT, (None, CHANNELS))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(v, k) for k, v in given.items()],
    )  # fmt: skip
    opsets = [helper.make_opsetid("", 19), helper.make_opsetid("hwflow.fixed", 1)]
    made = helper.make_model(graph, opset_imports=opsets, functions=[function()], ir_version=9)
    return np.asarray(ort.InferenceSession(made.SerializeToString()).run(None, {"x": x})[0])


def change(given: Parts, **parts: Any) -> Parts:
    return given | {k: np.asarray(v, given[k].dtype) for k, v in parts.items()}


CHANGES = {
    "as it is": {},
    "a grid from 0 on": {"first": np.zeros(CHANNELS)},
    "grids of their own": {"step": [0.5, 0.25, 2.0], "first": [-2.0, 0.5, -4.0],
                           "count": [8, 2, 5]},
    "a grid that is finer than the operand": {"step": np.full(CHANNELS, 1 / 8)},
    "one point": {"count": [1, 8, 8]},
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_hardware_gives_what_the_function_of_the_node_gives(name: str) -> None:
    given = change(parts(np.random.default_rng(0)), **CHANGES[name])
    x = every()
    design = hwflow.compile(model(given))
    (ours,) = design.simulate(x).outputs.values()
    assert np.array_equal(ours, in_onnxruntime(given, x))
    verified = design.verify(x[::7], cpp=False)
    assert verified.lossless is not None
    assert str(verified.lossless.verdict) == "lossless"


def pair() -> Parts:
    """Return tables of two inputs each."""
    given = parts(np.random.default_rng(1))
    source = np.array([[[0, 1], [2, 0]], [[1, 2], [1, 0]]])
    stride = np.broadcast_to(np.array([POINTS, 1]), source.shape)
    start = POINTS**2 * np.arange(4).reshape(2, 2)
    values = np.random.default_rng(2).integers(-16, 16, 4 * POINTS**2) / 8
    return given | {"source": source, "stride": stride.copy(), "start": start,
                    "values": values.astype(np.float32)}  # fmt: skip


def test_tables_of_two_inputs() -> None:
    (ours,) = hwflow.compile(model(pair())).simulate(every()).outputs.values()
    assert np.array_equal(ours, in_onnxruntime(pair(), every()))


def layer(given: Parts) -> LookupDense:
    found = [n.op for n in hwflow.compile(model(given)).graph.nodes]
    (op,) = [op for op in found if isinstance(op, LookupDense)]
    return op


def test_constant_tables_vanish_into_what_is_left() -> None:
    given = parts(np.random.default_rng(0))
    values = given["values"].reshape(OUTPUTS, CHANNELS, POINTS).copy()
    values[0, 1], values[1, :] = 0.5, [[0.25], [1.0], [-3.0]]
    given["values"] = values.ravel()
    op = layer(given)
    assert op.addends.target.tolist() == [0, 0]
    assert op.addends.source.tolist() == [[0], [2]]
    assert op.bias.values.tolist() == [0, -1.75], "that of output 0 went into one of its tables"
    (ours,) = hwflow.compile(model(given)).simulate(every()).outputs.values()
    assert np.array_equal(ours, in_onnxruntime(given, every()))


def test_what_no_value_reaches_is_no_entry_and_needs_no_bits() -> None:
    """Inputs of 4 bits in steps of 1/4 lie in -2 to 1.75: three of eight points in steps of 2."""
    given = change(parts(np.random.default_rng(0)), step=[2.0] * 3, first=[-4.0] * 3)
    op = layer(given)
    assert op.addends.bits.tolist() == [1, 1, 1]
    assert set(op.addends.sizes.tolist()) == {2}


REFUSED = {
    "HW370": ({"values": np.linspace(0.1, 3, 48)}, {}),
    "HW371": ({"step": np.full(CHANNELS, 0.3)}, {}),
    "HW372": ({"source": np.full((OUTPUTS, CHANNELS, 1), 7)}, {}),
}


@pytest.mark.parametrize("code", REFUSED)
def test_what_cannot_be_tables_is_refused(code: str) -> None:
    change_of, quantizer = REFUSED[code]
    given = parts(np.random.default_rng(0))
    bad = given | {k: np.asarray(v, given[k].dtype) for k, v in change_of.items()}
    with pytest.raises(hwflow.CompileError) as caught:
        hwflow.compile(model(bad, **quantizer))
    assert [d.code for d in caught.value.diagnostics] == [code]
    hwflow.compile(model(given))


def test_a_wide_operand_is_refused_and_the_help_serves() -> None:
    fine = change(parts(np.random.default_rng(0)), step=[2.0**-12] * 3, count=[2**14] * 3,
                  start=np.zeros((OUTPUTS, CHANNELS)))  # fmt: skip
    fine["values"] = (np.arange(2**14) % 8).astype(np.float32)
    with pytest.raises(hwflow.CompileError) as caught:
        hwflow.compile(model(fine, bits=14, scale=2.0**-12))
    (finding,) = caught.value.diagnostics
    assert (finding.code, "fewer bits" in finding.help) == ("HW371", True)
    hwflow.compile(model(fine, bits=10, scale=2.0**-12))


def test_an_index_without_a_value_is_refused() -> None:
    given = parts(np.random.default_rng(0))
    with pytest.raises(hwflow.CompileError) as caught:
        hwflow.compile(model(given | {"start": given["start"] + 5}))
    assert [d.code for d in caught.value.diagnostics] == ["HW372"]


def test_a_narrower_result_is_cast_once() -> None:
    op = layer(parts(np.random.default_rng(0)))
    to = FixedType(4, 2)
    from hwflow.ir.tensor import TensorType

    x = TensorType.full((CHANNELS,), FixedType(4, 2))
    assert replace(op, result_t=to).infer(x).dtype == to


def test_more_entries_cost_more() -> None:
    rng = np.random.default_rng(0)
    few, many = parts(rng), parts(rng)
    few["values"] = np.repeat(few["values"][::4], 4)
    costs = [hwflow.compile(model(g)).estimate().total.lut_synth.value for g in (few, many)]
    assert 0 < costs[0] < costs[1]
