"""Results without an axis beside the batch: one number for each sample."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from onnx import TensorProto, helper

import hwflow
from hwflow.core.errors import CompileError
from hwflow.simulate.samples import mixed_data
from tests.cppsim import compare_with_cpp, merged
from tests.networks import DOMAIN, Builder

Array = npt.NDArray[np.float64]
Head = tuple[tuple[int, ...], Callable[[Builder, str], str], Callable[[Array], Array]]
"""Shape of the input, what is appended to its quantiser, and what numpy makes of it."""


def axes_of(b: Builder, axes: list[int]) -> str:
    return b.constant(axes, np.int64)


def reduced(op: str, axes: list[int], keepdims: int = 0) -> Callable[[Builder, str], str]:
    """Return a reduction of opset 18."""
    return lambda b, x: b.node(op, [x, axes_of(b, axes)], keepdims=keepdims)


def squeezed(*axes: int) -> Callable[[Builder, str], str]:
    return lambda b, x: b.node("Squeeze", [x, axes_of(b, list(axes))])


def scores(b: Builder, x: str) -> str:
    weight = b.quant(b.constant([[0.5], [-0.25], [1.0], [0.75]]), 4, 1 / 4, signed=True)
    return squeezed(1)(b, b.node("MatMul", [x, weight]))


def chosen(b: Builder, x: str) -> str:
    ends = [b.constant([n], np.int64) for n in (2, 3, 1)]
    return squeezed(-1)(b, b.node("Slice", [x, *ends]))


HEADS: dict[str, Head] = {
    "mean": ((8,), reduced("ReduceMean", [1]), lambda x: x.mean(1)),
    "mean of six": ((6,), reduced("ReduceMean", [-1]), lambda x: x.mean(1)),
    "max": ((5,), reduced("ReduceMax", [1]), lambda x: x.max(1)),
    "one element": ((1,), reduced("ReduceMax", [1]), lambda x: x[:, 0]),
    "map": ((2, 4, 4), reduced("ReduceMean", [1, 2, 3]), lambda x: x.mean((1, 2, 3))),
    "squeeze": ((1,), squeezed(1), lambda x: x[:, 0]),
    "squeeze all": ((1, 1, 1), squeezed(1, 2, 3), lambda x: x[:, 0, 0, 0]),
    "dense": ((4,), scores, lambda x: x @ np.array([0.5, -0.25, 1.0, 0.75])),
    "slice": ((8,), chosen, lambda x: x[:, 2]),
}


def quantised(b: Builder, x: str, scale: float = 1 / 8) -> str:
    return b.quant(x, 8, scale, signed=True)


def line(b: Builder, x: str) -> str:
    return quantised(b, b.node("Add", [b.node("Mul", [x, b.constant(0.3)]), b.constant([0.5])]))


def back(b: Builder, x: str) -> str:
    """Append an axis, a dense layer and its quantiser."""
    weight = b.quant(b.constant([[0.5, 1.0, -0.25]]), 4, 1 / 4, signed=True)
    wide = b.node("Unsqueeze", [quantised(b, x), axes_of(b, [1])])
    return quantised(b, b.node("MatMul", [wide, weight]))


TAILS: dict[str, tuple[Callable[[Builder, str], str], Callable[[Array], Array]]] = {
    "quantiser": (quantised, lambda y: to_grid(y, 1 / 8)),
    "odd scale": (lambda b, x: quantised(b, x, 0.1), lambda y: to_grid(y, float(np.float32(0.1)))),
    "relu": (lambda b, x: quantised(b, b.node("Relu", [x])), lambda y: to_grid(y.clip(0), 1 / 8)),
    "line": (line, lambda y: to_grid(y * float(np.float32(0.3)) + 0.5, 1 / 8)),
    "twice": (lambda b, x: quantised(b, b.node("Add", [x, x])), lambda y: to_grid(2 * y, 1 / 8)),
    "flatten": (
        lambda b, x: quantised(b, b.node("Flatten", [x], axis=1)),
        lambda y: to_grid(y, 1 / 8)[:, None],
    ),
    "dense": (
        back,
        lambda y: to_grid(to_grid(y, 1 / 8)[:, None] * np.array([[0.5, 1.0, -0.25]]), 1 / 8),
    ),
}


def to_grid(y: Array, scale: float) -> Array:
    """Return numbers as a signed quantiser of 8 bits rounds them."""
    return np.asarray(np.clip(np.rint(y / scale), -128, 127) * scale)


def model(head: Head, tail: Callable[[Builder, str], str]) -> onnx.ModelProto:
    shape, first, _ = head
    b = Builder(np.random.default_rng(0))
    y = tail(b, first(b, quantised(b, "x")))
    graph = helper.make_graph(
        b.nodes,
        "scalar",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, *shape))],
        [helper.make_tensor_value_info(y, TensorProto.FLOAT, None)],
        b.tensors,
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid(DOMAIN, 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("tail", TAILS)
def test_one_number_a_sample_is_exact(head: str, tail: str) -> None:
    shape, _, expected = HEADS[head]
    append, rounded = TAILS[tail]
    x = np.random.default_rng(1).integers(-128, 128, (40, *shape)) / 8
    design = hwflow.compile(model(HEADS[head], append))
    found = design.verify(x.astype(np.float32), cpp=False)
    (y,) = found.simulation.outputs.values()
    wanted = rounded(expected(x))
    assert y.shape == wanted.shape
    assert np.array_equal(y, wanted)
    assert found.lossless is not None
    assert found.lossless.mismatches == 0
    assert found.golden is not None
    assert found.golden.mismatches == 0


@pytest.mark.cpp
@pytest.mark.parametrize("io_type", ["io_parallel", "io_stream"])
def test_one_number_a_sample_is_faithful(io_type: str) -> None:
    names = ["quantiser", "odd scale", "line", "dense"]
    designs = {
        f"m{number}": hwflow.compile(
            model(head, TAILS[names[number % len(names)]][0]), io_type=io_type
        )
        for number, head in enumerate(HEADS.values())
    }
    graph = merged({key: design.graph for key, design in designs.items()})
    data = mixed_data(graph, 60).inputs
    found = compare_with_cpp(graph, designs["m0"].target, data)
    assert [m for m in found.layers if m.mismatches] == []


def mixed(b: Builder, x: str) -> str:
    return quantised(b, b.node("Add", [reduced("ReduceMean", [1])(b, x), x]))


@pytest.mark.parametrize("tail", [
    mixed,
    lambda b, x: quantised(b, b.node("Add", [squeezed(1)(b, x), b.constant([[0.5]])])),
    lambda b, x: quantised(b, b.node("Add", [squeezed(1)(b, x), b.constant([0.5, 1.0])])),
])  # fmt: skip
def test_the_batch_is_not_broadcast(tail: Callable[[Builder, str], str]) -> None:
    """In a batch of one ONNX takes it; in any other the samples would mix."""
    head = ((1,), lambda b, x: x, lambda x: x)
    with pytest.raises(CompileError) as refused:
        hwflow.compile(model(head, tail))
    assert [d.code for d in refused.value.diagnostics] == ["HW223"]
