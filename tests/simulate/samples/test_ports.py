"""What is handed in: real numbers through scale, offset and zero point of the port's quantiser."""

from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pytest

import hwflow
from hwflow.fixed import FixedType
from hwflow.ir.graph import Graph, Node, Port
from hwflow.ops.input import Input
from hwflow.ops.shared.port_data import prepare_inputs
from hwflow.project.design import Design
from hwflow.simulate.samples import mixed_data
from hwflow.simulate.samples.ports import port_range, real_numbers
from tests.fixtures import model
from tests.networks import Builder


def host(scale: npt.ArrayLike, zero: float = 0, bits: int = 6, *, signed: bool = True) -> Design:
    """Return a network whose port has float scales, so that the host quantises."""
    b = Builder(np.random.default_rng(1))
    x = b.node("Quant", ["x", b.constant(scale), b.constant(zero), b.constant(bits)],
               signed=int(signed), narrow=0, rounding_mode="ROUND")  # fmt: skip
    x = b.quant(b.node("Relu", [x]), 4, 0.3, signed=False)
    return hwflow.compile(model(b, x, (1, 4), (1, 4)))


SCALES = {
    "small": (0.008, 0), "power of two": (0.25, 0), "large": (37.3, 0),
    "zero point": (0.008, 11), "far zero point": (0.3, -30),
}  # fmt: skip


@pytest.mark.parametrize("case", SCALES)
def test_most_samples_lie_in_the_range_and_some_beyond_both_ends(case: str) -> None:
    scale, zero = SCALES[case]
    design = host(scale, zero)
    x = mixed_data(design.graph, 256).inputs["x"].astype(np.float64)
    low, high = ((level - zero) * float(np.float32(scale)) for level in (-32, 31))
    step = float(np.float32(scale))
    below, above = x < low - step / 2, x > high + step / 2
    assert 0 < below.mean() < 0.02
    assert 0 < above.mean() < 0.02
    levels = np.rint(x / step + zero)
    assert set(np.unique(np.clip(levels, -32, 31))) == set(range(-32, 32))


def test_levels_become_the_real_numbers_that_become_them() -> None:
    design = host(np.array([[0.1, 0.007, 3.1, 0.5]], np.float32))
    graph = design.graph
    (port,) = graph.inputs
    spread = port_range(graph, port)
    levels = np.random.default_rng(0).integers(spread.lo, spread.hi, (500, 4), endpoint=True)
    real = real_numbers(graph, port, levels, np.zeros(levels.shape))
    scale = [Fraction(float(np.float32(s))) for s in (0.1, 0.007, 3.1, 0.5)]
    exact = [[float(s * int(n)) for s, n in zip(scale, row, strict=True)] for row in levels]
    np.testing.assert_array_equal(real, exact)
    entered = prepare_inputs(graph, {"x": real.astype(np.float32)})[port.value]
    np.testing.assert_array_equal(entered, levels)


def test_a_channel_with_many_real_values_has_all_its_levels() -> None:
    scale = np.array([[0.1, 0.007, 3.1, 0.5]], np.float32)
    x = mixed_data(host(scale).graph, 512).inputs["x"]
    for channel in range(4):
        levels = np.clip(np.rint(x[:, channel] / scale[0, channel]), -32, 31)
        assert len(np.unique(levels)) > 60


def test_ports_of_signs_get_both() -> None:
    b = Builder(np.random.default_rng(1))
    x = b.node("BipolarQuant", ["x", b.constant(0.3)])
    x = b.node("Gemm", [x, b.weight((4, 3), 4, 1 / 4), b.bias(3)])
    x = b.quant(b.node("Relu", [x]), 4, 0.3, signed=False)
    graph = hwflow.compile(model(b, x, (1, 4), (1, 3))).graph
    found = mixed_data(graph, 64).inputs["x"]
    assert (found > 0).any(0).all()
    assert (found < 0).any(0).all()
    assert np.abs(found).max() < 2


def test_plain_ports_get_ties_and_numbers_between_levels() -> None:
    b = Builder(np.random.default_rng(1))
    x = b.quant("x", 5, 0.25, signed=True)
    x = b.node("Gemm", [x, b.weight((4, 3), 4, 1 / 4), b.bias(3)])
    graph = hwflow.compile(model(b, x, (1, 4), (1, 3))).graph
    rest = mixed_data(graph, 64).inputs["x"] * 4 % 1
    assert (rest == 0).mean() > 0.3
    assert (rest == 0.5).any()
    assert ((rest > 0.5) & (rest < 1)).any()
    assert ((rest > 0) & (rest < 0.5)).any()


def test_ports_of_bytes_get_bytes() -> None:
    bytes_ = FixedType(8, 8, signed=False)
    graph = Graph.build(
        "g", [Node("x", Input(shape=(4,), dtype=bytes_))], [Port("x", "x", (1,))], []
    )
    x = mixed_data(graph, 256).inputs["x"]
    assert np.array_equal(x, np.rint(x))
    assert (x.min(), x.max()) == (0, 255)
    assert len(np.unique(x)) > 200
