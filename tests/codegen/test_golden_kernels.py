"""8-bit kernels of the golden model: chosen where exact, and every bit right."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwflow.codegen.golden.kernels import kernel_of, plan_kernels
from hwflow.codegen.golden.model import golden_model
from hwflow.fixed import FixedArray, FixedType, Overflow, Rounding
from hwflow.ir.graph import Graph, Node, Port
from hwflow.ir.step_function import StepFunction
from hwflow.ir.tensor import TensorType
from hwflow.ops.conv2d import Conv2D
from hwflow.ops.dense import Dense
from hwflow.ops.input import Input
from hwflow.ops.max_pool import MaxPool
from hwflow.ops.requantize import Requantize
from hwflow.ops.reshape import Reshape
from hwflow.ops.shared.products import GoldenSum
from hwflow.simulate.numpy import simulate
from hwflow.simulate.onnxruntime import GoldenEngine

SATURATING = (Overflow.SAT, Overflow.SAT_SYM)


def dense(
    rng: np.random.Generator, n_in: int, n_out: int, most: int, to: FixedType | None = None
) -> Dense:
    """Return a layer with weights up to ``most``, those among them."""
    weight = rng.integers(-most, most, (n_in, n_out), endpoint=True)
    weight[:2, 0], weight[:2, 1] = most, -most
    bias = rng.integers(-200, 200, n_out)
    return Dense(
        weight=FixedArray(weight, FixedType(8, 4)), bias=FixedArray(bias, FixedType(16, 12)),
        result_t=to,
    )  # fmt: skip


def conv(rng: np.random.Generator, c_in: int, c_out: int, most: int, to: FixedType) -> Conv2D:
    """Return a 3x3 convolution with weights up to ``most``."""
    weight = rng.integers(-most, most, (3, 3, c_in, c_out), endpoint=True)
    bias = rng.integers(-200, 200, c_out)
    return Conv2D(
        weight=FixedArray(weight, FixedType(8, 4)), bias=FixedArray(bias, FixedType(16, 12)),
        strides=(1, 1), pads=((1, 1), (1, 1)), result_t=to,
    )  # fmt: skip


def chain(x: TensorType, *ops: Any) -> Graph:
    """Return layers one behind the other."""
    nodes = [Node("x", Input(shape=x.shape, dtype=x.dtype))]
    for i, op in enumerate(ops):
        nodes.append(Node(f"n{i}", op, (nodes[-1].name,)))
    axes = tuple(range(1, len(x.shape) + 1))
    bare = Graph.build("graph", nodes, [Port("x", "x", axes)], ())
    last = nodes[-1].name
    axes = tuple(range(1, len(bare.types[last].shape) + 1))
    return Graph.build("graph", nodes, bare.inputs, [Port(last, "y", axes)])


def assert_exact(graph: Graph, samples: int = 300) -> None:
    """Compare every layer with the simulation, and the outputs as they are without others."""
    tensor = graph.types["x"]
    rng = np.random.default_rng(0)
    raw = rng.integers(tensor.lo, tensor.hi, (samples, *tensor.shape), endpoint=True)
    raw[0], raw[1] = tensor.lo, tensor.hi
    data = {"x": np.ldexp(raw.astype(np.float64), -tensor.dtype.fractional)}
    simulation = simulate(graph, data, keep=lambda name: True)
    names = [n.name for n in graph.nodes]
    found = GoldenEngine(graph, layers=names, threads=1).run(data)
    for name in names:
        np.testing.assert_array_equal(found[f"layer/{name}"], simulation.layers[name].raw, name)
    alone = GoldenEngine(graph, threads=1).run(data)
    np.testing.assert_array_equal(alone["y"], simulation.outputs["y"])
    np.testing.assert_array_equal(unfused(graph, data["x"]), simulation.outputs["y"])


def unfused(graph: Graph, x: npt.NDArray[np.float64]) -> npt.NDArray[Any]:
    """Return the output without ONNX Runtime's optimisations: no kernel of integers is run."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(golden_model(graph).SerializeToString(), options)
    return np.asarray(session.run(["y"], {"x": x.astype(np.float32)})[0])


def optimised(graph: Graph, tmp_path: Any) -> list[str]:
    """Return the operators that ONNX Runtime runs."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    onnxruntime.InferenceSession(golden_model(graph).SerializeToString(), options)
    return [n.op_type for n in onnx.load(tmp_path / "optimised.onnx").graph.node]


@pytest.mark.parametrize("overflow", SATURATING)
@pytest.mark.parametrize("rounding", list(Rounding))
def test_every_cast_that_a_kernel_does(rounding: Rounding, overflow: Overflow) -> None:
    rng = np.random.default_rng(1)
    shapes = product((False, True), (3, 8), (0, 5))
    for signed, width, drop in shapes:
        x = TensorType.full((20,), FixedType(7, 3, signed))
        grid = x.dtype.fractional + 4  # of the products
        fractional = min(grid, 8) - drop
        to = FixedType(width, width - fractional, signed, rounding, overflow)
        layer = dense(rng, 20, 32, 40, to)
        graph = chain(x, layer, dense(rng, 32, 4, 40))
        kernel = plan_kernels(graph).kernels["n0"]
        impossible = rounding is Rounding.TRN_ZERO and signed and grid > fractional
        assert (kernel.quantize is None) == impossible
        assert_exact(graph)


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("overflow", SATURATING)
def test_real_numbers_enter_in_uint8(overflow: Overflow, signed: bool, tmp_path: Any) -> None:
    rng = np.random.default_rng(6)
    dtype = FixedType(6, 3, signed, Rounding.RND_CONV, overflow)
    graph = chain(TensorType.full((4,), dtype), dense(rng, 4, 32, 31))
    ties = (np.arange(-600, 600).reshape(-1, 4) / 16).astype(np.float32)
    near = np.nextafter(ties, np.float32(np.inf))
    wild = rng.normal(0, 1e30, (50, 4)).astype(np.float32)
    data = np.concatenate([ties, near, -near, wild, np.float32(1e-42) * ties])
    expected = simulate(graph, {"x": data}).outputs["y"]
    np.testing.assert_array_equal(GoldenEngine(graph).run({"x": data})["y"], expected)
    assert optimised(graph, tmp_path)[0] == "QuantizeLinear"
    nearer = np.nextafter(ties.astype(np.float64), np.inf)  # float32 does not hold these
    expected = simulate(graph, {"x": nearer}).outputs["y"]
    np.testing.assert_array_equal(GoldenEngine(graph).run({"x": nearer})["y"], expected)


@pytest.mark.parametrize("signed", [False, True])
def test_weights_whose_sums_processors_saturate_are_offset(signed: bool) -> None:
    rng = np.random.default_rng(2)
    x = TensorType.full((16,), FixedType(8, 4, signed))
    to = FixedType(8, 6, signed, Rounding.RND_CONV, Overflow.SAT)
    for most, offset in ((64, False), (65, True), (127, True)):
        graph = chain(x, dense(rng, 16, 32, most, to), dense(rng, 32, 8, 64))
        kernels = plan_kernels(graph).kernels
        assert kernels["n0"].offset_weights is offset
        assert not kernels["n1"].offset_weights
        assert_exact(graph)


def test_convolutions_and_pools_stay_in_8_bits(tmp_path: Any) -> None:
    rng = np.random.default_rng(3)
    x = TensorType.full((8, 8, 3), FixedType(8, 1, True, Rounding.RND_CONV, Overflow.SAT))
    for rounding, signed in product((Rounding.TRN, Rounding.RND_CONV), (False, True)):
        to = FixedType(6, 4, signed, rounding, Overflow.SAT)
        pool = MaxPool(kernel=(2, 2), strides=(2, 2), pads=((0, 0), (0, 0)))
        graph = chain(
            x, conv(rng, 3, 32, 31, to), conv(rng, 32, 16, 31, to), pool,
            Reshape(shape=(256,)), dense(rng, 256, 10, 31),
        )  # fmt: skip
        assert sorted(plan_kernels(graph).zeros) == ["n0", "n1", "n2", "n3", "x"]
        assert_exact(graph, 20)
        found = optimised(graph, tmp_path)
        assert found.count("QLinearConv") == 2
        assert found.count("QGemm") == 1
        assert not {"Conv", "Gemm", "Floor", "Round"} & set(found)


@pytest.mark.parametrize("divisor", [37.0, 40.0, 23.7, 11.000001])
def test_requantisations_of_one_scale_are_part_of_the_kernel(divisor: float, tmp_path: Any) -> None:
    rng = np.random.default_rng(5)
    x = TensorType.full((16,), FixedType(7, 7, True))
    layers: list[Any] = []
    for size, least, most in ((32, 0, 100), (24, -64, 63)):
        integers = FixedArray(rng.integers(-31, 32, (x.shape[0], size)), FixedType(8, 8))
        layer = Dense(weight=integers, bias=FixedArray(np.arange(size), FixedType(8, 8)))
        (lo, hi), sums = layer.infer(x).bounds, np.arange(*layer.infer(x).bounds)
        levels = np.clip(np.rint(np.append(sums, hi) / divisor), least, most).astype(np.int64)
        step = Requantize(function=StepFunction.of(np.array([lo]), [levels]))
        layers += [layer, step]
        x = step.infer(layer.infer(x))
    graph = chain(TensorType.full((16,), FixedType(7, 7, True)), *layers, dense(rng, 24, 10, 31))
    assert sorted(plan_kernels(graph).steps) == ["n1", "n3"]
    assert_exact(graph)
    assert optimised(graph, tmp_path).count("QGemm") == 3


def test_layers_share_what_is_in_8_bits_already() -> None:
    rng = np.random.default_rng(7)
    x = TensorType.full((4, 4, 8), FixedType(8, 1, True))
    pool = MaxPool(kernel=(2, 2), strides=(2, 2), pads=((0, 0), (0, 0)))
    to = FixedType(7, 5, True, Rounding.RND, Overflow.SAT)
    nodes = [
        Node("x", Input(shape=x.shape, dtype=x.dtype)),
        Node("pool", pool, ("x",)),
        Node("conv", conv(rng, 8, 128, 31, to), ("pool",)),  # brings the pool to 8 bits, not x
        Node("flat", Reshape(shape=(32,)), ("pool",)),
        Node("few", dense(rng, 32, 4, 31), ("flat",)),  # too few outputs, but it is there
        Node("all", Reshape(shape=(512,)), ("conv",)),
        Node("y", dense(rng, 512, 4, 31), ("all",)),
    ]
    inputs = [Port("x", "x", (1, 2, 3))]
    outputs = [Port("y", "y", (1,)), Port("few", "few", (1,))]
    graph = Graph.build("graph", nodes, inputs, outputs)
    plan = plan_kernels(graph)
    assert sorted(plan.kernels) == ["conv", "few", "y"]
    assert sorted(plan.zeros) == ["all", "conv", "flat", "pool"]
    assert_exact(graph, 40)


def test_a_dense_layer_takes_a_flattened_value_in_its_order() -> None:
    rng = np.random.default_rng(4)
    x = TensorType.full((6, 4, 3), FixedType(8, 1))
    to = FixedType(9, 5, False, Rounding.TRN, Overflow.SAT)
    graph = chain(x, conv(rng, 3, 5, 31, to), Reshape(shape=(120,)), dense(rng, 120, 10, 31))
    assert not plan_kernels(graph).kernels
    assert_exact(graph, 20)
    functions = {f.name: [n.op_type for n in f.node] for f in golden_model(graph).functions}
    assert functions["Reshape_n1"] == ["Reshape"]


@pytest.mark.parametrize(
    "change",
    [
        {"accum_t": FixedType(20, 12)},
        {"weight": FixedArray(np.full((20, 32), 128), FixedType(9, 5))},
        {"bias": FixedArray(np.full(32, 2**24), FixedType(30, 22))},
    ],
    ids=["accumulator", "weights of 9 bits", "sums of 25 bits"],
)
def test_what_a_kernel_cannot_compute_is_left_to_float32(change: dict[str, Any]) -> None:
    to = FixedType(8, 4, False, Rounding.RND, Overflow.SAT)
    fields = {
        "weight": FixedArray(np.ones((20, 32), np.int64), FixedType(4, 0)),
        "bias": FixedArray(np.zeros(32, np.int64), FixedType(16, 8)), "result_t": to,
    }  # fmt: skip
    graph = chain(TensorType.full((20,), FixedType(7, 3)), Dense(**{**fields, **change}))
    assert plan_kernels(graph).kernels == {}
    assert_exact(graph)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 14), st.integers(1, 8), st.booleans(), st.sampled_from(list(Rounding)),
    st.integers(-(2**12), 2**12), st.integers(0, 255),
)  # fmt: skip
def test_kernels_have_the_levels_of_a_cast(
    drop: int, width: int, signed: bool, rounding: Rounding, bias: int, top: int
) -> None:
    to = FixedType(width, width + drop - 8, signed, rounding, Overflow.SAT)
    rng = np.random.default_rng(top)
    weight = rng.integers(-127, 127, (24, 1), endpoint=True)
    op = Dense(
        weight=FixedArray(weight, FixedType(8, 4)),
        bias=FixedArray(np.array([bias]), FixedType(16, 8)), result_t=to,
    )  # fmt: skip
    x = TensorType.exactly((24,), np.zeros(24, np.int64), np.full(24, max(top, 1)), 4)
    kernel = kernel_of(op, x, 0)
    assert kernel is not None
    if kernel.quantize is None:
        return
    full = op.exact_sum(x)
    sums = np.arange(full.bounds[0], full.bounds[1] + 1)
    expected = FixedArray(sums, full.dtype).cast(to).raw
    assert kernel.bias[0] == GoldenSum(op, x).bias[0] + kernel.quantize.added
    for levels in kernel.quantize.levels(sums):
        np.testing.assert_array_equal(levels, expected)
