"""The golden model beyond 53 bits: int64 gives the bits of the simulation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from hwflow.codegen.golden.contract import read_contract
from hwflow.codegen.golden.model import golden_model, try_golden_model
from hwflow.fixed import FixedType, Overflow, Rounding
from hwflow.ir.body.values import Carrier, NoGoldenError, carrier
from hwflow.ir.graph import Graph, Node
from hwflow.ir.op import Example, Op
from hwflow.ir.step_function import StepFunction
from hwflow.ir.tensor import TensorType
from hwflow.ops.add import Add
from hwflow.ops.average_pool import AveragePool
from hwflow.ops.cast import Cast
from hwflow.ops.input import Input
from hwflow.ops.lookup import Lookup
from hwflow.ops.relu import Relu
from hwflow.ops.requantize import Requantize
from hwflow.simulate.numpy import simulate
from hwflow.simulate.onnxruntime import GoldenEngine
from tests.golden_graphs import assert_same_bits, graph_of, plain

LOW = 25
"""Bits of the lower half of a wide operand; a float64 port holds each half."""

SPECIAL = {"Input", "Lookup", "Requantize", "Sigmoid", "Softplus", "Tanh"}
"""Operators of tables, whose operands are as narrow as a table is short: tested by themselves."""


def wide_values(x: TensorType, width: int, seed: int) -> np.ndarray:
    """Return mantissas of a type of ``width`` bits: of all sizes, and halfway between steps."""
    rng = np.random.default_rng(seed)
    t = FixedType(width, width, x.dtype.signed)
    raw = rng.integers(t.raw_min, t.raw_max, (40, *x.shape), endpoint=True)
    drop = rng.integers(1, width - 1, raw.shape)
    half = np.int64(1) << (drop - 1)
    ties = np.where(rng.integers(0, 2, raw.shape) == 1, (raw & -(2 * half)) | half, raw)
    raw[10:20], raw[20:] = ties[10:20], ties[20:] >> rng.integers(0, width, raw[20:].shape)
    raw[0], raw[1] = t.raw_min, t.raw_max
    return raw


def behind_sums(
    inputs: Sequence[TensorType], width: int, layers: Sequence[Op]
) -> tuple[Graph, dict[str, np.ndarray]]:
    """Return operators on operands of ``width`` bits, which are sums of two halves, and data."""
    nodes, data = [], {}
    for i, x in enumerate(inputs):
        point, signed = x.dtype.integer, x.dtype.signed
        high, low = (
            FixedType(width - LOW, point, signed),
            FixedType(LOW, point - width + LOW, signed=False),
        )
        raw = wide_values(x, width, i)
        for name, t, part in (("hi", high, raw >> LOW), ("lo", low, raw & (2**LOW - 1))):
            nodes.append(Node(f"{name}{i}", Input(shape=x.shape, dtype=t)))
            data[f"{name}{i}"] = np.ldexp(part.astype(np.float64), -t.fractional)
    types = [TensorType.full(n.op.shape, n.op.dtype) for n in nodes]
    ports = [plain(n.name, t) for n, t in zip(nodes, types, strict=True)]
    nodes += [Node(f"x{i}", Add(), (f"hi{i}", f"lo{i}")) for i in range(len(inputs))]
    operands = tuple(f"x{i}" for i in range(len(inputs)))
    nodes += [Node(f"y{i}", op, operands) for i, op in enumerate(layers)]
    bare = Graph.build("graph", nodes, ports, ())
    outputs = [plain(f"y{i}", bare.types[f"y{i}"]) for i in range(len(layers))]
    return Graph.build("graph", nodes, ports, outputs), data


def carriers(graph: Graph) -> dict[str, str]:
    layers = read_contract(golden_model(graph))["layers"]
    return {name: layer["carrier"] for name, layer in layers.items()}


def widest(example: Example) -> tuple[Graph, dict[str, np.ndarray]] | None:
    """Return an example with the widest operands that the simulation computes."""
    for width in range(61, LOW, -1):
        try:
            graph, data = behind_sums(example.inputs, width, [example.op])
            simulate(graph, data)
        except (OverflowError, ValueError, AssertionError):
            continue
        return graph, data
    return None


def variants(kind: str) -> Iterator[tuple[Graph, dict[str, np.ndarray]]]:
    for example in list(Op.registry[kind].examples())[:12]:
        found = widest(example)
        if found is not None:
            yield found


@pytest.mark.parametrize("kind", sorted(k for k in Op.registry if k not in SPECIAL))
def test_every_operator_has_the_bits_of_the_simulation(kind: str) -> None:
    functions: set[str] = set()
    for graph, data in variants(kind):
        assert_same_bits(graph, data)
        model = golden_model(graph)
        body = next(f for f in model.functions if f.name.endswith("_y0"))
        operands = {carriers(graph)[name] for name in ("x0", "y0")}
        casts = {a.i for n in body.node if n.op_type == "Cast" for a in n.attribute}
        functions |= operands | {"int64" for to in casts if to == Carrier.INT64.onnx}
    assert "int64" in functions


@pytest.mark.parametrize("overflow", list(Overflow))
@pytest.mark.parametrize("rounding", list(Rounding))
def test_casts_round_and_overflow_as_ap_fixed_does(rounding: Rounding, overflow: Overflow) -> None:
    types = [(7, 20), (40, 3), (54, 18), (60, 45), (20, 60), (3, 64), (40, -1), (61, 20)]
    if overflow is not Overflow.SAT_ZERO:  # the simulation takes only what fits before that
        types += [(61, 2), (8, -40)]
    layers = [
        Cast(result_t=FixedType(width, integer, signed, rounding, overflow))
        for width, integer in types
        for signed in (True, False)
    ]
    for signed in (True, False):
        x = TensorType.full((5,), FixedType(30, 20, signed))
        graph, data = behind_sums([x], 56, layers)
        assert carriers(graph)["x0"] == "int64"
        assert_same_bits(graph, data)


@pytest.mark.parametrize("rounding", list(Rounding))
def test_what_vanishes_in_a_step_is_rounded(rounding: Rounding) -> None:
    x = TensorType.full((5,), FixedType(30, 30))
    layers = [
        Cast(result_t=FixedType(9, 9 + drop, True, rounding)) for drop in (60 - 30, 62, 63, 64, 90)
    ]
    assert_same_bits(*behind_sums([x], 60, layers))


@pytest.mark.parametrize("overflow", list(Overflow))
@pytest.mark.parametrize("rounding", list(Rounding))
def test_ports_are_as_wide_as_types(rounding: Rounding, overflow: Overflow) -> None:
    rng = np.random.default_rng(1)
    mantissas = rng.integers(-(2**52), 2**52, (30, 4)).astype(np.float64)
    values = np.ldexp(mantissas, rng.integers(-55, 14, mantissas.shape))
    ties = rng.integers(-(2**40), 2**40, (10, 4)) / 2.0
    data = np.concatenate([values, ties, [[2.0**62, -(2.0**61), 2.0**61, -1.0]]])
    forms = ((53, 53, True), (58, 57, False), (62, 62, True), (62, 40, False))
    for width, integer, signed in forms:
        dtype = FixedType(width, integer, signed, rounding, overflow)
        graph = graph_of(Cast(), TensorType.full((4,), dtype))
        assert carriers(graph)["y"] == ("int64" if width > 53 else "float64")
        assert_same_bits(graph, {"in0": data})


def test_outputs_are_rounded_to_float64_once() -> None:
    x = TensorType.full((6,), FixedType(30, 9))
    graph, data = behind_sums([x], 61, [Cast()])
    found = GoldenEngine(graph).run(data)["y0"]
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, simulate(graph, data).outputs["y0"])


@pytest.mark.parametrize("rounding", list(Rounding))
def test_means_divide_integers(rounding: Rounding) -> None:
    x = TensorType.full((5, 4, 2), FixedType(30, 9))
    layers = [
        AveragePool(
            kernel=(3, 2), strides=(1, 1), pads=((1, 1), (0, 1)), counted=counted,
            result_t=FixedType(width, 9, True, rounding, Overflow.SAT),
        )
        for counted in (None, ((1, 1), (0, 1)))
        for width in (57, 30)
    ]  # fmt: skip
    graph, data = behind_sums([x], 57, layers)
    assert carriers(graph)["y0"] == "int64"
    assert_same_bits(graph, data)


def test_requantisations_of_wide_values() -> None:
    x = TensorType.full((3,), FixedType(60, 60))
    far = np.array([-(2**59), -(2**58) + 77, 12345, 2**58 + 1])
    near = np.concatenate([[-(2**59)], 2**57 + 3 * np.arange(300)])
    functions = [
        StepFunction((far,), (np.array([-1, 4, 0, 3]),), np.array([2**59 - 1])),
        StepFunction((near,), (np.arange(301),), np.array([2**59 - 1])),
        StepFunction((far, near, far), (np.arange(4), -np.arange(301), -np.arange(4)),
                     np.full(3, 2**59 - 1)),
    ]  # fmt: skip
    layers = [Requantize(function=f, fractional=2) for f in functions[:2]]
    graph, data = behind_sums([x], 60, layers)
    around = np.repeat(np.concatenate([far, near[::7]]), 5) + np.tile([-2, -1, 0, 1, 2], 47)
    around = np.clip(around, -(2**59), 2**59 - 1)[: len(around) // 3 * 3].reshape(-1, 3)
    data = {"hi0": (around >> LOW) * 2.0**LOW, "lo0": (around & (2**LOW - 1)).astype(np.float64)}
    assert_same_bits(graph, data)
    rows, _ = behind_sums([x], 60, [Requantize(function=functions[2], fractional=2)])
    (warning,) = try_golden_model(rows).warnings  # 300 steps in one row, far ones in others
    assert "steps" in warning.found


def test_tables_have_wide_entries() -> None:
    op = Lookup(function="Erf", table_t=FixedType(60, 2))
    x = TensorType.full((4,), FixedType(8, 3))
    graph = graph_of(op, x)
    assert carriers(graph)["y"] == "int64"
    assert_same_bits(graph, {"in0": np.arange(-128, 128).reshape(-1, 4) / 32})


class Positive(Relu):
    """An operator of a plugin."""

    def golden(self, *inputs: TensorType) -> str:
        return "y = Relu(x0)"


def test_plugins_compute_in_float64() -> None:
    graph, data = behind_sums([TensorType.full((5,), FixedType(54, 20))], 54, [Positive()])
    assert carriers(graph) | {"hi0": "", "lo0": ""} == {
        "hi0": "", "lo0": "", "x0": "float64", "y0": "float64"
    }  # fmt: skip
    assert_same_bits(graph, data)
    graph, _ = behind_sums([TensorType.full((5,), FixedType(56, 20))], 56, [Positive()])
    (warning,) = try_golden_model(graph).warnings
    assert (warning.code, warning.where) == ("HW565", "y0: Positive")
    assert "53 bits" in warning.found


class Unreadable(Relu):
    """An operator of a plugin whose golden function does not parse."""

    def golden(self, *inputs: TensorType) -> str:
        return "y = Relu(x0"


def test_a_golden_text_that_does_not_parse_is_a_warning() -> None:
    found = try_golden_model(graph_of(Unreadable(), TensorType.full((5,), FixedType(6, 2))))
    (warning,) = found.warnings
    assert found.content is None
    assert (warning.code, warning.where) == ("HW257", "Unreadable")


def test_what_int64_cannot_hold_has_no_carrier() -> None:
    sizes = (2**24, 2**24 + 1, 2**53, 2**53 + 1, 2**63 - 1)
    found = [carrier(size) for size in sizes]
    assert [str(c) for c in found] == ["float32", "float64", "float64", "int64", "int64"]
    with pytest.raises(NoGoldenError, match="63 bits"):
        carrier(2**63, "a sum")
