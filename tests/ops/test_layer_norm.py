"""Normalisation by a row's own statistics: how far from the real numbers, and in what form."""

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise, product
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import hwflow
from hwflow.core.errors import CompileError
from hwflow.fixed import FixedArray, FixedType
from hwflow.ir.tensor import TensorType
from hwflow.ops.layer_norm import LayerNorm
from hwflow.ops.shared.roots import roots_for
from tests.networks import Builder

F64 = npt.NDArray[np.float64]


def real(raw: npt.NDArray[np.int64], step: float, epsilon: float, *, centred: bool) -> F64:
    """Return what is normalised, from exact integers with two roundings of float64."""
    found = []
    for row in raw.astype(object):
        n, total = len(row), sum(row)
        gaps = [n * m - total for m in row] if centred else list(row)
        square = Fraction(sum(g * g for g in gaps), n**3 if centred else n)
        spread = square + Fraction(epsilon) / Fraction(step) ** 2
        found.append([g / (n if centred else 1) / float(spread) ** 0.5 if g else 0.0 for g in gaps])
    return np.array(found)


def distances(op: LayerNorm, dtype: FixedType, raw: npt.NDArray[np.int64]) -> tuple[float, float]:
    """Return how far results are from the real numbers at most, and how far they may be."""
    x = TensorType.full(raw.shape[1:], dtype)
    found = op.compute(FixedArray(raw, dtype)).values
    wanted = real(raw, dtype.step, op.epsilon, centred=op.centred)
    bound = op.inexact(x).bound
    assert bound is not None
    exact = op.exact(x)
    assert exact.lo.min() * exact.dtype.step <= found.min()
    assert found.max() <= exact.hi.max() * exact.dtype.step
    return float(np.abs(found - wanted).max()), bound


@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize("epsilon", [0.0, 1e-5, 0.3])
def test_every_row_of_three_is_within_the_bound(epsilon: float, centred: bool) -> None:
    dtype = FixedType(4, 2)
    raw = np.array(list(product(range(dtype.raw_min, dtype.raw_max + 1), repeat=3)))
    for table_size in (16, 2048):
        op = LayerNorm(epsilon=epsilon, centred=centred, table_size=table_size)
        found, bound = distances(op, dtype, raw)
        assert 0.2 * bound < found <= bound  # no looser than it must be


@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize(("channels", "width"), [(1, 5), (2, 7), (64, 8), (100, 16), (768, 8)])
def test_rows_of_any_length_are_within_the_bound(channels: int, width: int, centred: bool) -> None:
    rng, dtype = np.random.default_rng(channels), FixedType(width, 3)
    spread = rng.choice([1.5, 4.0, 2.0 ** (width - 3)], (400, 1))
    raw = np.clip(np.rint(rng.normal(0, spread, (400, channels))), dtype.raw_min, dtype.raw_max)
    found, bound = distances(LayerNorm(centred=centred), dtype, raw.astype(np.int64))
    assert found <= bound < 0.03


def test_the_table_is_what_its_size_says() -> None:
    """Each doubling of the table halves what it is off, down to the width of its entries."""
    sizes = [2**k for k in range(4, 14)]
    found = [
        roots_for(16, Fraction(1), centred=True, table_size=n, fractional=30).error for n in sizes
    ]
    assert all(1.7 < a / b < 2.4 for a, b in pairwise(found))


def test_sums_that_pass_62_bits_are_refused() -> None:
    wide = TensorType.full((2, 1000), FixedType(30, 3))
    with pytest.raises(OverflowError):
        LayerNorm().exact(wide)


def model(op: str, *constants: Any, shape: tuple[int, ...] = (1, 3, 4), **attributes: Any) -> Any:
    """Return a normalisation behind a quantiser of 8 bits, of a scale that is no power of two."""
    from onnx import TensorProto, helper

    b = Builder(np.random.default_rng(0))
    x = b.quant("x", 8, 0.03, signed=True)
    y = b.node(op, [x, *(b.constant(c) for c in constants)], **attributes)
    info = helper.make_tensor_value_info
    ports = [info("x", TensorProto.FLOAT, shape)], [info(y, TensorProto.FLOAT, None)]
    graph = helper.make_graph(b.nodes, "norm", *ports, b.tensors)
    opsets = [helper.make_opsetid("", 23), helper.make_opsetid("qonnx.custom_op.general", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


@pytest.mark.parametrize("op", ["LayerNormalization", "RMSNormalization"])
def test_a_scale_changes_nothing_but_epsilon(op: str) -> None:
    """The deviations are those of the integers, so that nothing is rounded before them."""
    design = hwflow.compile(model(op, np.ones(4), epsilon=0.01))
    (node,) = (n for n in design.graph.nodes if isinstance(n.op, LayerNorm))
    assert isinstance(node.op, LayerNorm)
    assert node.op.epsilon == pytest.approx(0.01 / 0.03**2, rel=1e-6)
    x = np.random.default_rng(0).normal(0, 1, (50, 3, 4)).astype(np.float32)
    (found,) = design.simulate(x).outputs.values()
    raw = np.clip(np.rint(x / np.float32(0.03)), -128, 127).astype(np.int64)
    centred = op == "LayerNormalization"
    wanted = real(raw.reshape(-1, 4), float(np.float32(0.03)), 0.01, centred=centred)
    bound = node.op.inexact(*design.graph.input_types(node)).bound
    assert bound is not None
    assert np.abs(found - wanted.reshape(x.shape)).max() <= bound


def test_real_factors_are_taken_in_by_the_quantiser_behind() -> None:
    """Normalisation, factors and a quantiser are two layers, of which only one is approximate."""
    from tests.e2e.construct import Construct, one, then_quant

    factors = np.float32([0.3, 1.7, 0.9, 1.1])
    norm = one("LayerNormalization", factors, factors[::-1].copy())
    case = Construct(name="factors", body=then_quant(norm, 8, 0.05), shape=(1, 3, 4))
    design = hwflow.compile(case.model())
    kinds = [node.op.kind for node in design.graph.nodes]
    assert kinds == ["Input", "LayerNorm", "Requantize"]


def test_a_table_size_can_be_set_and_is_checked() -> None:
    proto = model("LayerNormalization", np.ones(4))
    name = next(n.name for n in hwflow.compile(proto).graph.nodes if n.op.kind == "LayerNorm")
    design = hwflow.compile(proto, config={"layer": {name: {"table_size": 64}}})
    (op,) = (n.op for n in design.graph.nodes if isinstance(n.op, LayerNorm))
    assert op.table_size == 64
    with pytest.raises(CompileError, match="HW112"):
        hwflow.compile(proto, config={"layer": {name: {"table_size": 100}}})


def test_one_value_is_its_own_mean() -> None:
    x = TensorType.full((3, 1), FixedType(5, 2))
    op = LayerNorm()
    raw = np.arange(-16, 16).reshape(-1, 1, 1).repeat(3, 1)
    assert not op.compute(FixedArray(raw, x.dtype)).raw.any()
    assert replace(op, centred=False).compute(FixedArray(raw, x.dtype)).raw.any()
