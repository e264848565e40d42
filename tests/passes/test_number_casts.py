"""``Cast``: free where it keeps every number, refused by name where it rounds or wraps."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto

import hwflow
from hwflow.core.errors import CompileError
from hwflow.frontends import load
from hwflow.simulate.float32 import Reference
from tests.fixtures import model
from tests.networks import Builder


def cast_of_quantized(to: int, bits: int, scale: float) -> onnx.ModelProto:
    """Return a quantiser whose levels are cast to another type and back to float."""
    b = Builder(np.random.default_rng(0))
    x = b.quant("x", bits, scale, signed=True)
    x = b.node("Cast", [b.node("Cast", [x], to=to)], to=TensorProto.FLOAT)
    return model(b, b.node("MatMul", [x, b.weight((4, 2), 4, 1 / 4)]), (1, 4), (1, 2))


DATA = np.linspace(-9, 9, 80).reshape(20, 4).astype(np.float32)

KEPT = [
    (TensorProto.DOUBLE, 8, 1 / 16),
    (TensorProto.FLOAT16, 11, 1 / 128),
    (TensorProto.BFLOAT16, 8, 2.0),
    (TensorProto.INT8, 8, 1.0),
    (TensorProto.INT32, 12, 4.0),
]

CHANGED = [
    (TensorProto.FLOAT16, 14, 1 / 1024),
    (TensorProto.BFLOAT16, 10, 1 / 16),
    (TensorProto.INT8, 9, 1.0),
    (TensorProto.INT8, 4, 1 / 2),
    (TensorProto.UINT8, 4, 1.0),
]


@pytest.mark.parametrize(("to", "bits", "scale"), KEPT)
def test_a_cast_that_keeps_every_number_is_free(to: int, bits: int, scale: float) -> None:
    proto = cast_of_quantized(to, bits, scale)
    design = hwflow.compile(proto)
    assert [n.op.kind for n in design.graph.nodes] == ["Input", "Dense"]
    found = next(iter(design.simulate(DATA).outputs.values()))
    expected = next(iter(Reference(load(proto)).run({"x": DATA}).values()))
    assert np.array_equal(found, expected)
    check = design.verify(DATA, cpp=False)
    assert check.lossless.holds


@pytest.mark.parametrize(("to", "bits", "scale"), CHANGED)
def test_a_cast_that_changes_a_number_is_refused(to: int, bits: int, scale: float) -> None:
    with pytest.raises(CompileError) as refusal:
        hwflow.compile(cast_of_quantized(to, bits, scale))
    (finding,) = refusal.value.diagnostics
    assert finding.code == "HW234"
    assert finding.where.endswith(": Cast, in fixture")


def test_a_label_may_be_cast() -> None:
    b = Builder(np.random.default_rng(0))
    x = b.quant("x", 6, 1 / 4, signed=True)
    label = b.node("ArgMax", [x], axis=1, keepdims=0)
    proto = model(b, b.node("Cast", [label], to=TensorProto.INT32), (1, 4), (1,))
    proto.graph.output[0].type.tensor_type.elem_type = TensorProto.INT32
    check = hwflow.compile(proto).verify(DATA, cpp=False)
    expected = next(iter(Reference(load(proto)).run({"x": DATA}).values()))
    assert np.array_equal(next(iter(check.simulation.outputs.values())), expected)
    assert check.lossless.holds
    assert [layer.elements for layer in check.lossless.layers] == [80, 20]


@pytest.mark.parametrize("op", ["Sub", "Mul", "Div"])
def test_arithmetic_of_short_integers_is_refused_and_the_help_works(op: str) -> None:
    def built(*, in_float: bool) -> onnx.ModelProto:
        b = Builder(np.random.default_rng(0))
        kind = np.float32 if in_float else np.uint8
        x = b.node("Cast", ["x"], to=TensorProto.FLOAT) if in_float else "x"
        x = b.node(op, [x, b.constant(4, kind)])
        x = x if in_float else b.node("Cast", [x], to=TensorProto.FLOAT)
        proto = model(b, b.quant(x, 8, 0.31, signed=True), (1, 4), (1, 4))
        proto.graph.input[0].type.tensor_type.elem_type = TensorProto.UINT8
        return proto

    with pytest.raises(CompileError) as refusal:
        hwflow.compile(built(in_float=False))
    (finding,) = refusal.value.diagnostics
    assert (finding.code, finding.found.split()[0]) == ("HW235", op)
    x = np.arange(256, dtype=np.uint8).reshape(64, 4)
    proto = built(in_float=True)
    check = hwflow.compile(proto).verify(x, cpp=False)
    assert check.lossless.holds
    found = next(iter(check.simulation.outputs.values()))
    expected = next(iter(Reference(load(proto)).run({"x": x}).values()))
    assert found == pytest.approx(expected, abs=1e-5)
