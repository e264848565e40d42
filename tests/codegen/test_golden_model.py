"""The golden model: stock ONNX Runtime, as it is installed, gives the bits of the simulation.

So does torch, on every device that is there.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

import hwflow
import hwflow.ops
from hwflow.codegen.golden.contract import read_contract
from hwflow.codegen.golden.model import golden_model, try_golden_model
from hwflow.custom.plugins import load_plugins
from hwflow.fixed import FixedArray, FixedType, Overflow, Rounding
from hwflow.ir.graph import Graph, Node, Port
from hwflow.ir.op import Example, Op
from hwflow.ir.tensor import TensorType
from hwflow.ops.conv2d import Conv2D
from hwflow.ops.dense import Dense
from hwflow.ops.input import Input
from hwflow.ops.max_pool import MaxPool
from hwflow.simulate.numpy import simulate
from hwflow.simulate.onnxruntime import GoldenEngine
from tests.golden_graphs import assert_same_bits, graph_of, plain, random_values

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize("kind", sorted(k for k in Op.registry if k != "Input"))
def test_every_operator_has_the_bits_of_the_simulation(kind: str) -> None:
    examples: list[Example] = list(Op.registry[kind].examples())
    assert examples
    for example in examples:
        data = random_values(example.inputs)
        assert_same_bits(graph_of(example.op, *example.inputs), data)


def test_operators_of_plugins_bring_their_own_body() -> None:
    found = load_plugins([EXAMPLES / "custom_layer" / "complex_magnitude.py"])
    (operator,) = {type(e.op) for cls in found.operators for e in cls.examples()}
    for example in operator.examples():
        data = random_values(example.inputs)
        assert_same_bits(graph_of(example.op, *example.inputs), data)


@pytest.mark.parametrize("overflow", list(Overflow))
@pytest.mark.parametrize("rounding", list(Rounding))
def test_ports_round_real_numbers_as_ap_fixed_does(rounding: Rounding, overflow: Overflow) -> None:
    dtype = FixedType(6, 3, True, rounding, overflow)
    op = Dense(weight=FixedArray.exactly(np.eye(4)), bias=FixedArray.exactly(np.zeros(4)))
    rng = np.random.default_rng(1)
    ties = np.arange(-600, 600).reshape(-1, 4) / 16
    near = np.nextafter(ties.astype(np.float32), np.float32(np.inf))
    wild = rng.normal(0, 1e6, (50, 4)).astype(np.float32)
    data = np.concatenate([ties.astype(np.float32), near, -near, wild])
    graph = graph_of(op, TensorType.full((4,), dtype))
    assert_same_bits(graph, {"in0": data})
    nearer = np.nextafter(ties, np.inf)  # float32 does not hold these
    assert_same_bits(graph, {"in0": np.concatenate([nearer, -nearer])})


def test_sums_beyond_float32_are_computed_in_float64() -> None:
    rng = np.random.default_rng(2)
    wide = FixedType(16, 4)
    weight = FixedArray(rng.integers(-(2**14), 2**14, (3, 3, 2, 4)), FixedType(15, 1))
    bias = FixedArray(rng.integers(-(2**30), 2**30, 4), FixedType(31, 6))
    conv = Conv2D(weight=weight, bias=bias, strides=(2, 1), pads=((1, 0), (1, 1)))
    x = TensorType.full((6, 5, 2), wide)
    graph = graph_of(conv, x)
    contract = read_contract(golden_model(graph))
    assert contract["layers"]["y"]["carrier"] == "float64"
    assert_same_bits(graph, random_values((x,)))


def test_what_has_no_exact_function_is_a_warning() -> None:
    weight = FixedArray(np.full((4, 2), 3), FixedType(4, 1))
    bias = FixedArray(np.zeros(2, np.int64), FixedType(1, 1))
    dense = Dense(weight=weight, bias=bias, accum_t=FixedType(6, 4))
    found = try_golden_model(graph_of(dense, TensorType.full((4,), FixedType(6, 1))))
    assert found.content is None
    (warning,) = found.warnings
    assert (warning.code, warning.severity) == ("HW565", "warning")
    assert "y: Dense" in warning.where
    assert "its accumulator rounds every product" in warning.found


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("narrower", [None, FixedType(3, 2, True, Rounding.TRN, Overflow.WRAP)])
@pytest.mark.parametrize("rounding", list(Rounding))
def test_what_a_pool_rounds_has_the_same_bits(
    rounding: Rounding, narrower: FixedType | None, signed: bool
) -> None:
    rng = np.random.default_rng(3)
    to = FixedType(5, 3, signed, rounding, Overflow.SAT)
    weight = FixedArray(rng.integers(-8, 8, (3, 3, 2, 4)), FixedType(4, 1))
    bias = FixedArray(rng.integers(-32, 32, 4), FixedType(6, 1))
    conv = Conv2D(weight=weight, bias=bias, strides=(1, 1), pads=((1, 1),) * 2, result_t=to)
    pool = MaxPool(kernel=(3, 3), strides=(2, 2), pads=((1, 1), (1, 1)), result_t=narrower)
    x = TensorType.full((6, 6, 2), FixedType(6, 2))
    first = graph_of(conv, x)
    nodes = (*first.nodes, Node("pooled", pool, ("y",)))
    bare = Graph.build("graph", nodes, first.inputs, ())
    output = plain("pooled", bare.types["pooled"])
    graph = Graph.build("graph", nodes, first.inputs, [output])
    data = random_values((x,))
    model = golden_model(graph)
    contract = read_contract(model)
    assert not contract["layers"]["y"]["rounded"]
    found = GoldenEngine(graph).run(data)["pooled"]
    np.testing.assert_array_equal(found, simulate(graph, data).outputs["pooled"])


@pytest.mark.parametrize("name", ["digits_mlp", "digits_cnn", "digits_residual"])
def test_networks_have_the_bits_of_the_simulation_in_every_layer(name: str) -> None:
    design = hwflow.compile(EXAMPLES / f"{name}.onnx")
    (port,) = design.graph.inputs
    images = np.load(EXAMPLES / "digits.npz")["x"][:300].astype(np.float32)
    shape = design.graph.types[port.value].shape
    images = images.reshape(-1, *(shape[i] for i in np.argsort(port.axes)))
    assert_same_bits(design.graph, {port.name: images})
    (output,) = GoldenEngine(design.graph).run({port.name: images}).values()
    if design.graph.outputs[0].grid.plain:
        (expected,) = design.simulate(images).outputs.values()
        np.testing.assert_array_equal(output, expected)


def test_the_file_needs_onnx_runtime_alone(tmp_path: Path) -> None:
    design = hwflow.compile(EXAMPLES / "digits_mlp.onnx")
    design.write(tmp_path / "project")
    path = tmp_path / "project" / "model.hw.onnx"
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert {n.domain for n in model.graph.node} == {"hwflow"}
    assert all(node.domain == "" for f in model.functions for node in f.node)
    data = np.load(EXAMPLES / "digits.npz")["x"][:100].astype(np.float32)
    session = onnxruntime.InferenceSession(path)
    found = session.run(None, {session.get_inputs()[0].name: data.reshape(100, -1)})
    simulated = design.simulate(data.reshape(100, -1)).outputs
    np.testing.assert_array_equal(found[0], next(iter(simulated.values())))
    assert path.read_bytes() == design.golden.content


def test_names_of_ports_do_not_meet_those_of_layers() -> None:
    x = TensorType.full((3,), FixedType(6, 3))
    relu = Op.registry["Relu"]()
    nodes = [Node("a", Input(shape=x.shape, dtype=x.dtype)), Node("b", relu, ("a",))]
    hostile = [Port("a", "hw/b", (1,))], [Port("b", "hw/a", (1,))]
    graph = Graph.build("graph", nodes, *hostile)
    values = np.array([[-1.0, 0.5, 2.0]])
    np.testing.assert_array_equal(
        GoldenEngine(graph).run({"hw/b": values})["hw/a"], [[0.0, 0.5, 2.0]]
    )
