"""`quantize` writes only what `build` takes, and says before the work what it would refuse."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import TensorProto, helper

import hwflow
from hwflow.core.errors import CompileError
from hwflow.frontends.quantization import quantize
from hwflow.verify.verdict.state import State
from tests.e2e.construct import Body, one
from tests.e2e.tables.norms import written
from tests.fixtures import model
from tests.frontends.quantization.networks import weights
from tests.networks import Builder

RNG = np.random.default_rng(0)
REAL = RNG.normal(size=(40, 6)).astype(np.float32)
PIXELS = RNG.integers(0, 256, (40, 3, 4, 4)).astype(np.float32)
PIXELS[0, 0, 0, :2] = 0, 255


def dense(b: Builder, x: str, inputs: int, outputs: int) -> str:
    return b.node("Gemm", [x, weights(b, inputs, outputs), b.constant(b.rng.normal(size=outputs))])


def ending(*tail: tuple[str, dict[str, Any]]) -> onnx.ModelProto:
    """Return two dense layers with elementwise operators at the output."""
    b = Builder(np.random.default_rng(3))
    x = dense(b, b.node("Relu", [dense(b, "x", 6, 5)]), 5, 3)
    for op, attributes in tail:
        x = b.node(op, [x], **attributes)
    return model(b, x, (1, 6), (1, 3))


def gated_output() -> onnx.ModelProto:
    b = Builder(np.random.default_rng(4))
    x = dense(b, "x", 6, 3)
    return model(b, b.node("Mul", [x, b.node("Sigmoid", [x])]), (1, 6), (1, 3))


def starting(op: str) -> onnx.ModelProto:
    b = Builder(np.random.default_rng(5))
    return model(b, dense(b, b.node(op, ["x"]), 6, 3), (1, 6), (1, 3))


def read_twice() -> onnx.ModelProto:
    b = Builder(np.random.default_rng(6))
    x, y = dense(b, "x", 6, 3), dense(b, b.node("Sigmoid", ["x"]), 6, 3)
    return model(b, b.node("Add", [x, y]), (1, 6), (1, 3))


def inner_and_outer() -> onnx.ModelProto:
    """A relu that is an output and goes on as well."""
    b = Builder(np.random.default_rng(7))
    h = b.node("Relu", [dense(b, "x", 6, 4)])
    proto = model(b, dense(b, h, 4, 2), (1, 6), (1, 2))
    proto.graph.output.append(helper.make_tensor_value_info(h, TensorProto.FLOAT, (1, 4)))
    return proto


def pixels(pool: bool = False) -> onnx.ModelProto:
    b = Builder(np.random.default_rng(8))
    mean = b.constant(np.array([0.485, 0.456, 0.406]).reshape(1, 3, 1, 1))
    x = b.node("Sub", [b.node("Div", ["x", b.constant(255.0)]), mean])
    x = b.node("Div", [x, b.constant(0.225)])
    x = b.node("Relu", [b.node("Conv", [x, weights(b, 2, 3, 3, 3), b.constant([0.1, -0.2])])])
    if pool:
        return model(b, b.node("MaxPool", [x], kernel_shape=(2, 2)), (1, 3, 4, 4), (1, 2, 1, 1))
    return model(b, dense(b, b.node("Flatten", [x], axis=1), 8, 3), (1, 3, 4, 4), (1, 3))


def upsampled() -> onnx.ModelProto:
    b = Builder(np.random.default_rng(8))
    x = b.node("Relu", [b.node("Conv", ["x", weights(b, 4, 3, 3, 3), b.constant([0.1] * 4)])])
    x = b.node("Resize", [x, "", b.constant([1.0, 1.0, 2.0, 2.0])], mode="nearest")
    x = b.node("Conv", [x, weights(b, 2, 4, 3, 3), b.constant([0.1, -0.2])])
    return model(b, x, (1, 3, 4, 4), (1, 2, 2, 2))


def normalised(norm: Body) -> onnx.ModelProto:
    """Return a dense layer behind a normalisation, between two more."""
    b = Builder(np.random.default_rng(9))
    x = norm(b, b.node("Relu", [dense(b, "x", 6, 8)]))
    x = b.node("Relu", [dense(b, b.node("Mul", [x, b.constant(b.rng.uniform(1, 2, 8))]), 8, 8)])
    return model(b, dense(b, x, 8, 3), (1, 6), (1, 3))


NETWORKS: dict[str, tuple[Callable[[], onnx.ModelProto], Any]] = {
    "relu": (lambda: ending(("Relu", {})), REAL),
    "leaky relu": (lambda: ending(("LeakyRelu", {"alpha": 0.1})), REAL),
    "hard sigmoid": (lambda: ending(("HardSigmoid", {"alpha": 1 / 6})), REAL),
    "sigmoid": (lambda: ending(("Sigmoid", {})), REAL),
    "softmax": (lambda: ending(("Softmax", {"axis": 1})), REAL),
    "elu": (lambda: ending(("Elu", {})), REAL),
    "label": (lambda: ending(("Relu", {}), ("ArgMax", {"axis": 1})), REAL),
    "gated output": (gated_output, REAL),
    "tanh first": (lambda: starting("Tanh"), REAL),
    "input read twice": (read_twice, REAL),
    "inner and outer": (inner_and_outer, REAL),
    "pixels": (pixels, PIXELS),
    "upsampled": (upsampled, PIXELS),
    "layer norm": (lambda: normalised(one("LayerNormalization", np.ones(8))), REAL),
    "layer norm as written": (lambda: normalised(written()), REAL),
    "mean square as written": (
        lambda: normalised(written(centred=False, square="Mul", quotient="Reciprocal")),
        REAL,
    ),
    "pooled relu of pixels": (lambda: pixels(pool=True), PIXELS),
}


NORMS = ("layer norm", "layer norm as written", "mean square as written")
APPROXIMATE = ("softmax", "sigmoid", "gated output", *NORMS)


@pytest.mark.parametrize("scale", ["float", "pow2"])
@pytest.mark.parametrize("name", NETWORKS)
def test_what_is_written_is_built_and_lossless(name: str, scale: str) -> None:
    network, x = NETWORKS[name]
    proto = network()
    if name == "label":
        proto.graph.output[0].type.tensor_type.elem_type = TensorProto.INT64
    found = quantize(proto, x, scale=scale)
    design = hwflow.compile(found.model)
    check = design.verify(x, cpp=False)
    assert check.lossless is not None
    assert check.lossless.verdict is not None
    states = {State.LOSSLESS, State.APPROXIMATE} if name in APPROXIMATE else {State.LOSSLESS}
    assert check.lossless.verdict.state in states
    assert sum(n.op.kind == "LayerNorm" for n in design.graph.nodes) == (name in NORMS)
    assert [p.name for p in design.graph.outputs] == [o.name for o in proto.graph.output]
    assert all(o.sqnr_db is None or o.sqnr_db > 15 for o in found.cost.outputs)


def test_ports_of_pixels_are_pixels() -> None:
    design = hwflow.compile(quantize(pixels(), PIXELS).model)
    assert str(design.graph.types["x"].dtype) == "ufixed<8,8,RND_CONV,SAT>"


def test_outputs_of_lines_stay_as_they_are() -> None:
    quantised = ir.to_proto(quantize(ending(("Neg", {})), REAL).model.ir)
    assert quantised.graph.node[-1].op_type == "Neg"


def test_a_quantised_output_has_the_bits_asked_for() -> None:
    proto = ending(("Relu", {}))
    name = proto.graph.node[-1].name
    coarse, fine = (quantize(proto, REAL, bits) for bits in ("w=8,a=8", f"w=8,a=8,{name}.a=14"))
    assert fine.cost.outputs[0].sqnr_db > coarse.cost.outputs[0].sqnr_db  # type: ignore[operator]


def test_what_build_refuses_is_said_before_the_work_with_the_same_finding() -> None:
    b = Builder(np.random.default_rng(9))
    x = b.node("LogSoftmax", [dense(b, "x", 6, 3)])
    proto = model(b, dense(b, x, 3, 2), (1, 6), (1, 2))
    stages: list[str] = []
    with pytest.raises(CompileError) as refusal:
        quantize(proto, REAL, progress=lambda stage, done: stages.append(stage))
    (finding,) = refusal.value.diagnostics
    assert (finding.code, finding.where) == (
        "HW201",
        f"{proto.graph.node[1].name}: LogSoftmax, in fixture",
    )
    assert set(stages) == {"load"}


def test_a_final_check_repeats_with_quantised_outputs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rough scales may fit where the final ones do not: the output is quantised then, too."""
    import hwflow.frontends.quantization as ptq
    from hwflow.frontends.quantization import work

    real, calls = ptq.refusals, []

    def refusals(given: Any) -> Any:
        calls.append(given)
        return real(hwflow_refused()) if len(calls) == 2 else real(given)

    def hwflow_refused() -> Any:
        from hwflow.frontends import load

        return load(starting("Tanh"))

    for module in (work, ptq):  # the rough check, the final ones
        monkeypatch.setattr(module, "refusals", refusals)
    found = quantize(ending(("Relu", {})), REAL, scale="pow2")
    assert len(calls) == 3
    assert found.model.ir.graph.outputs[0].producer().op_type == "Quant"  # type: ignore[union-attr]
