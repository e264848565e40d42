"""Passes on the ONNX level that merge scalings, offsets and batch norms."""

from typing import Any

import numpy as np
import onnx
import pytest

import hwflow
from hwflow.frontends import load
from hwflow.ir.qonnx.model import QonnxModel, constants
from hwflow.passes import PIPELINE
from hwflow.simulate.samples import mixed_data
from tests.fixtures import model
from tests.networks import Builder
from tests.passes.graphs import CONTEXT


def up_to(name: str, proto: onnx.ModelProto) -> QonnxModel:
    """Return the model as the named pass leaves it."""
    state: Any = load(proto)
    for step in PIPELINE:
        state = step.run(state, CONTEXT)
        if step.name == name:
            return state  # type: ignore[no-any-return]
    raise AssertionError


def ops(of: QonnxModel) -> list[str]:
    return [node.op_type for node in of.ir.graph]


def chain(*steps: tuple[str, list[float]], branch: int | None = None) -> onnx.ModelProto:
    """Return a chain of operators with constants; ``branch`` gives a value a second user."""
    b = Builder(np.random.default_rng(0))
    x = b.quant("x", 5, 1 / 4, signed=True)
    values = []
    for op, constant in steps:
        x = b.node(op, [x, b.constant(constant)])
        values.append(x)
    x = b.quant(x, 6, 1 / 8, signed=True)
    if branch is not None:
        x = b.node("Add", [x, b.quant(values[branch], 4, 1.0, signed=True)])
    return model(b, x, (1, 2), (1, 2))


FOUR = (("Mul", [2.0, 0.5]), ("Add", [1.0, 0.25]), ("Div", [4.0, 2.0]), ("Sub", [0.5, 1.0]))


def lossless(proto: onnx.ModelProto) -> None:
    design = hwflow.compile(proto)
    found = design.verify(mixed_data(design.graph, 500), cpp=False).lossless
    assert found is not None
    assert found.holds, found.first


def test_a_chain_becomes_one_scale_and_one_offset() -> None:
    after = up_to("fuse_affine", chain(*FOUR))
    assert ops(after) == ["Quant", "Mul", "Add", "Quant"]
    found = [
        c.values.tolist() for n, c in constants(after).items() if n.endswith(("scale", "offset"))
    ]
    assert sorted(found) == sorted([[0.5, 0.25], [-0.25, -0.875]])
    lossless(chain(*FOUR))


def test_a_single_scaling_keeps_its_constants() -> None:
    steps = (("Mul", [0.3, 0.7]), ("Add", [1.0, 0.25]))
    assert ops(up_to("fuse_affine", chain(*steps))) == ["Quant", "Mul", "Add", "Quant"]
    lossless(chain(*steps))


@pytest.mark.parametrize("branch", [0, 1, 2])
def test_a_value_with_two_users_stays(branch: int) -> None:
    proto = chain(*FOUR, branch=branch)
    assert ops(up_to("fuse_affine", proto)).count("Quant") == 3
    lossless(proto)


def norm(*, quantised: bool, users: int = 1, end: bool = True) -> onnx.ModelProto:
    b = Builder(np.random.default_rng(0))
    x = b.quant("x", 5, 1 / 4, signed=True)
    bias = b.bias(3) if quantised else b.constant(b.rng.normal(size=3))
    y = b.node("Gemm", [x, b.weight((4, 3), 4, 1 / 4), bias])
    statistics = ([1.5, -0.5, 0.75], [0.1, 0.2, 0.3], [0.5, -0.25, 0.125], [1.0, 2.0, 0.5])
    z = b.node("BatchNormalization", [y, *(b.constant(s) for s in statistics)], epsilon=1e-5)
    z = b.quant(z, 5, 1 / 4, signed=True) if end else z
    if users == 2:
        z = b.node("Add", [z, b.quant(y, 5, 1 / 4, signed=True)])
    return model(b, z, (1, 4), (1, 3))


def gemm_inputs(of: QonnxModel) -> int:
    (gemm,) = (n for n in of.ir.graph if n.op_type == "Gemm")
    return sum(value is not None for value in gemm.inputs)


def test_an_unquantised_bias_moves_into_a_batch_norm_that_no_quantiser_follows() -> None:
    proto = norm(quantised=False, end=False)
    assert gemm_inputs(up_to("bias_into_batch_norm", proto)) == 2
    assert [n.op.kind for n in hwflow.compile(proto).graph.nodes].count("ScaleBias") == 1


def test_before_a_quantiser_bias_and_batch_norm_are_one_exact_function() -> None:
    proto = norm(quantised=False)
    assert gemm_inputs(up_to("bias_into_batch_norm", proto)) == 3
    kinds = [n.op.kind for n in hwflow.compile(proto).graph.nodes]
    assert kinds == ["Input", "Dense", "Requantize"]
    lossless(proto)


@pytest.mark.parametrize("proto", [norm(quantised=True), norm(quantised=False, users=2)])
def test_a_quantised_bias_or_a_second_user_keeps_it(proto: onnx.ModelProto) -> None:
    assert gemm_inputs(up_to("bias_into_batch_norm", proto)) == 3
    lossless(proto)
