"""Rectifiers, clips and tables against ONNX's reference over every input value."""

import numpy as np
import pytest

from hwflow.codegen.hls.model import generate
from hwflow.fixed import FixedArray, FixedType, Overflow, Rounding
from hwflow.fixed.doubles import quantize_values
from hwflow.ir.graph import Graph, Node, Port
from hwflow.ir.op import Op, RefusedError, Target
from hwflow.ir.tensor import TensorType
from hwflow.ops.clip import Clip
from hwflow.ops.input import Input
from hwflow.ops.lookup import DEFAULTS, FUNCTIONS, Lookup
from hwflow.ops.shared.port_data import prepare_inputs
from hwflow.ops.shared.table_activation import DIRECT_BITS
from hwflow.ops.shared.tables import table_index
from hwflow.ops.sigmoid import Sigmoid
from hwflow.ops.softmax import Softmax
from hwflow.ops.softplus import Softplus
from hwflow.ops.tanh import Tanh
from hwflow.simulate import cpp
from hwflow.simulate.numpy import simulate
from tests.ops.chain import compute, convert, every_value, onnx_node, reference

DTYPES = [FixedType(7, 3), FixedType(6, 4, signed=False), FixedType(5, 7)]
NEXT = FixedType(6, 3, True, Rounding.RND_CONV, Overflow.SAT)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(
    ("op_type", "operands", "attributes"),
    [
        ("Relu", [], {}),
        ("LeakyRelu", [], {"alpha": 0.125}),
        ("LeakyRelu", [], {"alpha": -2.0}),
        ("PRelu", [np.array([[0.25], [-0.5]])], {}),
        ("PRelu", [np.array([0.25])], {}),
        ("Clip", [0.0, 6.0], {}),
        ("Clip", [-1.0, 1.0], {}),
        ("Clip", [-0.03125, 2.5], {}),
        ("Clip", [5.0, -5.0], {}),
        ("Clip", [None, 1.0], {}),
        ("Clip", [20.0], {}),
        ("Clip", [], {}),
        ("HardSigmoid", [], {"alpha": 0.125, "beta": 0.5}),
    ],
)
def test_piecewise_linear_activations_are_exact(
    dtype: FixedType, op_type: str, operands: list[object], attributes: dict[str, float]
) -> None:
    x = every_value(dtype, (3, 2))  # ONNX axis 1 is the last one here
    arrays = [None if o is None else np.asarray(o, np.float64) for o in operands]
    kind = TensorType.full((3, 2), dtype)
    absent = (-np.inf, np.inf)  # bounds that do nothing
    given = [absent[i] if a is None else a for i, a in enumerate(arrays)]
    node = onnx_node(op_type, [kind, *given], axes=(2, 1), **attributes)
    wanted = reference(op_type, [x.values.transpose(0, 2, 1), *arrays], **attributes)
    found = compute(convert(node), x).values.transpose(0, 2, 1)
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize(
    ("op_type", "operands", "attributes"),
    [
        ("LeakyRelu", [], {"alpha": 0.01 + 1e-12}),
        ("Clip", [0.0, 1 / 3], {}),
        ("PRelu", [TensorType.full((3, 2), DTYPES[0])], {}),
    ],
)
def test_constants_that_fixed_point_cannot_hold_are_refused(
    op_type: str, operands: list[object], attributes: dict[str, float]
) -> None:
    x = TensorType.full((3, 2), DTYPES[0])
    with pytest.raises(RefusedError):
        convert(onnx_node(op_type, [x, *operands], **attributes))  # type: ignore[list-item]


@pytest.mark.parametrize("op", [Sigmoid, Tanh, Softplus])
@pytest.mark.parametrize("dtype", [FixedType(8, 4), FixedType(7, 3, signed=False)], ids=str)
def test_narrow_inputs_get_the_true_function_rounded_once(op: type[Op], dtype: FixedType) -> None:
    x = every_value(dtype, (1,))
    wanted = quantize_values(reference(op.__name__, [x.values]), NEXT)
    np.testing.assert_array_equal(compute([op(result_t=NEXT)], x).raw, wanted)


@pytest.mark.parametrize("op", [Sigmoid, Tanh, Softplus])
def test_a_fine_enough_table_is_lossless_within_its_span(op: type[Op]) -> None:
    """With one entry per value hls4ml's own table is the function itself, too."""
    dtype = FixedType(DIRECT_BITS + 1, 3)
    x = every_value(dtype, (1,))
    wanted = quantize_values(reference(op.__name__, [x.values]), NEXT)
    inside = np.abs(x.values) < 4
    np.testing.assert_array_equal(compute([op(result_t=NEXT)], x).raw[inside], wanted[inside])


def test_the_table_index_truncates_toward_zero() -> None:
    raw = np.array([-17, -16, -15, -1, 0, 1, 15, 16, 17])
    found = table_index(raw, fractional=4, size=16, span=16)
    np.testing.assert_array_equal(found, [7, 7, 8, 8, 8, 8, 8, 9, 9])
    ends = table_index(np.array([-(2**20), 2**20]), fractional=4, size=16, span=16)
    np.testing.assert_array_equal(ends, [0, 15])


def test_softplus_beyond_its_table_is_an_error() -> None:
    wide = TensorType.full((2,), FixedType(16, 6))
    assert [d.code for d in Softplus().check(Target(), wide)] == ["HW221"]
    assert not list(Sigmoid().check(Target(), wide))


@pytest.mark.parametrize("function", sorted(FUNCTIONS))
def test_lookups_are_onnx_functions_rounded_once(function: str) -> None:
    positive = function in ("Log", "Reciprocal", "Sqrt")
    x = every_value(FixedType(6, 3, signed=not positive), (1,))
    if positive:
        x = FixedArray(np.maximum(x.raw, 1), x.dtype)
    op = Lookup(function=function, constants=DEFAULTS.get(function, {}), result_t=NEXT)
    wanted = quantize_values(reference(function, [x.values]), NEXT)
    np.testing.assert_array_equal(op.compute(x).cast(NEXT).raw, wanted)


def test_lookups_outside_the_domain_or_of_many_bits_are_refused() -> None:
    with pytest.raises(RefusedError, match="not defined for all"):
        convert(onnx_node("Log", [TensorType.full((2,), FixedType(6, 3))]))
    with pytest.raises(RefusedError, match="many bits"):
        convert(onnx_node("Elu", [TensorType.full((2,), FixedType(16, 6))]))
    above = TensorType((2,), FixedType(6, 3, signed=False), np.full(2, 1), np.full(2, 63))
    assert convert(onnx_node("Log", [above]))


def _softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return np.asarray(e / e.sum(axis=-1, keepdims=True))


@pytest.mark.parametrize("dtype", [FixedType(6, 3), FixedType(16, 6), FixedType(12, 8)], ids=str)
@pytest.mark.parametrize("classes", [2, 5, 10])
def test_softmax_is_close_and_never_wraps(dtype: FixedType, classes: int) -> None:
    rng = np.random.default_rng(0)
    raw = rng.integers(dtype.raw_min, dtype.raw_max + 1, (4000, classes))
    raw[0], raw[1, ::2] = dtype.raw_min, dtype.raw_max
    x = FixedArray(raw, dtype)
    found, wanted = compute([Softmax()], x).values, _softmax(x.values)
    assert np.abs(found - wanted).max() < 0.01
    top = np.sort(x.values, axis=-1)
    clear = top[:, -1] - top[:, -2] > 0.05
    np.testing.assert_array_equal(found[clear].argmax(-1), wanted[clear].argmax(-1))


@pytest.mark.parametrize(
    ("axes", "axis", "opset", "legal"),
    [((1, 2), -1, 13, True), ((1, 2), 1, 13, True), ((2, 1), 1, 13, True), ((1, 2), 2, 11, True),
     ((2, 1), 1, 11, False), ((1, 2), 0, 13, False)],
)  # fmt: skip
def test_softmax_takes_one_axis_and_not_the_batch(
    axes: tuple[int, int], axis: int, opset: int, legal: bool
) -> None:
    node = onnx_node(
        "Softmax", [TensorType.full((3, 4), DTYPES[0])], axes=axes, opset=opset, axis=axis
    )
    if legal:
        assert convert(node)
    else:
        with pytest.raises(RefusedError, match="HW222"):
            convert(node)


def test_settings_of_tables_are_checked() -> None:
    x = TensorType.full((4,), FixedType(12, 4))
    assert [d.code for d in Sigmoid(table_size=1).check(Target(), x)] == ["HW112"]
    assert [d.code for d in Softmax(table_size=100).check(Target(), x)] == ["HW112"]
    one = TensorType.full((1,), FixedType(12, 4))
    assert [d.code for d in Softmax().check(Target(), one)] == ["HW222"]


def test_a_clip_narrows_the_type() -> None:
    op = Clip(lo=FixedArray.exactly(0.0), hi=FixedArray.exactly(6.0))
    assert op.infer(TensorType.full((2,), FixedType(8, 6))).dtype == FixedType(5, 3, signed=False)


def _after_clips() -> Graph:
    def clip(lo: float, hi: float) -> Clip:
        return Clip(lo=FixedArray.exactly(lo), hi=FixedArray.exactly(hi))

    nodes = [
        Node("x", Input(shape=(2, 5), dtype=FixedType(10, 5))),
        Node("y", Input(shape=(2, 5), dtype=FixedType(16, 6))),
        Node("positive", clip(0.125, 3.0), ("x",)),
        Node("small", clip(-3.5, 7.25), ("y",)),
        Node("softmax_few", Softmax(), ("positive",)),
        Node("softmax_many", Softmax(result_t=NEXT), ("small",)),
        Node("log", Lookup(function="Log"), ("positive",)),
        Node("sigmoid", Sigmoid(), ("positive",)),
        Node("softplus", Softplus(), ("small",)),
    ]
    ports = [Port(n.name, n.name, (1, 2)) for n in nodes]
    return Graph.build("narrowed", nodes, ports[:2], ports[4:])


@pytest.mark.cpp
@pytest.mark.parametrize("io_type", ["io_parallel", "io_stream"])
def test_tables_follow_the_type_of_the_input_and_not_its_range(io_type: str) -> None:
    """Ranges narrower than the type must change neither tables nor indices."""
    graph = _after_clips()
    rng = np.random.default_rng(0)
    data = {name: rng.normal(0, 5, (50, 2, 5)) for name in ("x", "y")}
    simulated = simulate(graph, data, keep=lambda name: True)
    target = Target(io_type=io_type)
    built = cpp.build(graph, generate(graph, target), target)
    for name, values in built.run(prepare_inputs(graph, data)).layers.items():
        np.testing.assert_array_equal(simulated.layers[name].values, values, err_msg=name)
