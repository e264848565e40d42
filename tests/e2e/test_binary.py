"""Binary and ternary weights and activations: exact from model to C++, -1 and +1 at the end."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from onnx import TensorProto, helper

import hwflow
from hwflow.ir.op import Target
from hwflow.ops.conv1d import Conv1D
from hwflow.ops.conv2d import Conv2D
from hwflow.ops.dense import Dense
from hwflow.project.design import Design
from hwflow.simulate import cpp
from hwflow.simulate.samples import mixed_data
from tests.cppsim import compare_with_cpp, merged
from tests.networks import DOMAIN, Builder

Body = Callable[[Builder, str], str]
Scales = Callable[[Builder, tuple[int, ...]], npt.NDArray[np.float64]]

CHANNELS = 8


def model(body: Body, shape: tuple[int, ...], *, signed: bool = True) -> onnx.ModelProto:
    """Return the model of a body behind a 5-bit quantiser, whose grid has the exact zero."""
    b = Builder(np.random.default_rng(7))
    out = body(b, b.quant("x", 5, 0.25, signed=signed))
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        b.nodes, "binary", [info("x", TensorProto.FLOAT, shape)],
        [info(out, TensorProto.FLOAT, None)], b.tensors,
    )  # fmt: skip
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid(DOMAIN, 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)


def quantized(b: Builder, x: str, kind: str, scale: npt.ArrayLike = 1.0) -> str:
    """Append one of the forms in which one bit, or two with zero, are written."""
    if kind == "bipolar":
        return b.node("BipolarQuant", [x, b.constant(np.asarray(scale, np.float32))], DOMAIN)
    if kind == "one bit":
        return b.quant(x, 1, scale, signed=True)
    if kind == "ternary":
        return b.quant(x, 2, scale, signed=True, narrow=True)
    return x


def weights(b: Builder, kind: str, shape: tuple[int, ...], channel: int) -> str:
    values = b.rng.normal(size=shape)
    values.flat[:2] = 0.0, -0.0
    scale: npt.ArrayLike = 0.5
    if kind == "per channel":
        axes = [1] * len(shape)
        axes[channel] = shape[channel]
        scale, kind = 2.0 ** b.rng.integers(-2, 3, axes), "bipolar"
    return quantized(b, b.constant(values), kind, scale)


def dense(weight: str, before: str, behind: str) -> Body:
    def body(b: Builder, x: str) -> str:
        w = weights(b, weight, (CHANNELS, 4), 1)
        return quantized(b, b.node("MatMul", [quantized(b, x, before), w]), behind)

    return body


def conv(rank: int, groups: int, weight: str, before: str, pads: int) -> Body:
    def body(b: Builder, x: str) -> str:
        w = weights(b, weight, (CHANNELS, CHANNELS // groups, *(2,) * rank), 0)
        y = b.node(
            "Conv", [quantized(b, x, before), w], kernel_shape=(2,) * rank,
            pads=(pads,) * 2 * rank, group=groups,
        )  # fmt: skip
        return quantized(b, y, "bipolar", 0.5)

    return body


def cases() -> Iterator[tuple[str, onnx.ModelProto]]:
    for weight in ("bipolar", "one bit", "ternary", "per channel"):
        for before in ("bipolar", "one bit", "ternary", "no"):
            for behind in ("bipolar", "ternary", "no"):
                name = f"dense, {weight} weights, {before} input, {behind} output"
                yield name, model(dense(weight, before, behind), (1, CHANNELS))
        yield f"unsigned, {weight}", model(dense(weight, "no", ""), (1, CHANNELS), signed=False)
    for rank in (1, 2):
        for groups, kind in ((1, "conv"), (2, "grouped"), (CHANNELS, "depthwise")):
            for weight in ("bipolar", "ternary"):
                for before in ("bipolar", "ternary", "no"):
                    for pads in (0, 1):
                        name = f"{kind} {rank}d, {weight} weights, {before} input, pads {pads}"
                        body = conv(rank, groups, weight, before, pads)
                        yield name, model(body, (1, CHANNELS, *(4,) * rank))


CASES = dict(cases())


def compiled(target: Target, names: Iterable[str] = CASES) -> dict[str, Design]:
    return {
        name: hwflow.compile(CASES[name], io_type=target.io_type, backend=target.backend)
        for name in names
    }


def counts(design: Design) -> bool:
    return any(
        isinstance(n.op, Dense | Conv1D | Conv2D) and n.op.product == "xnor"
        for n in design.graph.nodes
    )


def test_every_form_has_the_models_numbers() -> None:
    for name, design in compiled(Target()).items():
        found = design.verify(mixed_data(design.graph, 100), cpp=False).lossless
        assert found is not None, name
        assert found.mismatches == 0, (name, found.first)


def test_signs_are_counted_wherever_they_are_sure() -> None:
    for name, design in compiled(Target()).items():
        sure = ("bipolar input" in name or "one bit input" in name) and "depthwise" not in name
        padded = "pads 1" in name
        assert counts(design) == (sure and not padded), name


SHARE = 10
"""A build takes seconds for each layer: by default every tenth form is built, in one io_type."""


def agree(target: Target, monkeypatch: pytest.MonkeyPatch, names: list[str]) -> None:
    monkeypatch.setattr(cpp, "FLAGS", ("-std=c++17", "-O0", "-w", "-fmax-errors=5"))
    designs = compiled(target, names)
    graph = merged({f"c{i}": d.graph for i, d in enumerate(designs.values())})
    found = compare_with_cpp(graph, target, mixed_data(graph, 60).inputs)
    wrong = [(names[int(m.name[1:].split("_")[0])], m) for m in found.layers if m.mismatches]
    assert wrong == []


@pytest.mark.cpp
@pytest.mark.parametrize("part", [pytest.param(0, marks=pytest.mark.slow), 1])
def test_forms_compute_the_same_in_cpp(part: int, monkeypatch: pytest.MonkeyPatch) -> None:
    target = Target(io_type=("io_parallel", "io_stream")[part])
    agree(target, monkeypatch, list(CASES)[part::SHARE])


@pytest.mark.cpp
@pytest.mark.slow
@pytest.mark.parametrize("part", range(SHARE))
@pytest.mark.parametrize("io_type", ["io_parallel", "io_stream"])
@pytest.mark.parametrize("backend", ["Vitis", "Vivado"])
def test_every_form_computes_the_same_on_every_target(
    backend: str, io_type: str, part: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    agree(Target(backend, io_type), monkeypatch, list(CASES)[part::SHARE])


def powers_of_two(b: Builder, shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
    return np.asarray(b.rng.choice([0.25, 0.5, 1.0, 2.0], shape))


def any_scales(b: Builder, shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
    return np.asarray(b.rng.uniform(0.05, 2.0, shape).astype(np.float32), np.float64)


def network(b: Builder, x: str, scales: Scales) -> str:
    """Append a bipolar network: convolutions, batch norm, pooling, dense layers."""

    def sign(x: str) -> str:
        return quantized(b, x, "bipolar", scales(b, ()))

    def weight(shape: tuple[int, ...], per_channel: tuple[int, ...]) -> str:
        return quantized(b, b.constant(b.rng.normal(size=shape)), "bipolar", scales(b, per_channel))

    x = sign(x)
    for channels, before in ((12, 3), (16, 12)):
        w = weight((channels, before, 3, 3), (channels, 1, 1, 1))
        x = b.node("Conv", [x, w], kernel_shape=(3, 3), pads=(0, 0, 0, 0))
        factor = scales(b, (channels,)) * b.rng.choice([-1.0, 1.0], channels)
        offset = b.rng.integers(-8, 9, channels) / 4
        statistics = (factor, offset, np.zeros(channels), np.ones(channels))
        x = sign(b.node("BatchNormalization", [x, *map(b.constant, statistics)], epsilon=0.0))
    x = b.node("MaxPool", [x], kernel_shape=(2, 2), strides=(2, 2))
    x = b.node("Flatten", [x], axis=1)
    x = sign(b.node("MatMul", [x, weight((64, 20), (20,))]))
    x = b.node("MatMul", [x, weight((20, 10), (10,))])
    return quantized(b, x, "bipolar", 1.0)


@pytest.mark.cpp
@pytest.mark.parametrize(
    ("io_type", "scales"),
    [
        pytest.param("io_parallel", any_scales, marks=pytest.mark.slow),
        ("io_stream", powers_of_two),
    ],
)
def test_a_bipolar_network_is_faithful_lossless_and_ends_in_signs(
    io_type: str, scales: Scales
) -> None:
    whole = model(lambda b, x: network(b, x, scales), (1, 3, 8, 8))
    design = hwflow.compile(whole, io_type=io_type)
    layers = [n.op for n in design.graph.nodes if isinstance(n.op, Dense | Conv2D)]
    assert [layer.product for layer in layers] == ["xnor"] * 4
    found = design.verify(mixed_data(design.graph, 300))
    for statement in (found.faithful, found.lossless):
        assert statement is not None
        assert statement.mismatches == 0, statement.first
    (output,) = design.simulate(mixed_data(design.graph, 300)).outputs.values()
    assert set(np.unique(output)) == {-1.0, 1.0}


def test_zero_counts_as_positive() -> None:
    """A sum that is exactly zero comes out as +1, not as 0."""

    def body(b: Builder, x: str) -> str:
        w = b.constant(np.array([[1.0], [-1.0]]))
        return quantized(b, b.node("MatMul", [x, quantized(b, w, "bipolar")]), "bipolar")

    design = hwflow.compile(model(body, (1, 2)))
    data = np.array([[0.5, 0.5], [0.0, 0.0], [0.0, 0.25]])
    (output,) = design.simulate(data).outputs.values()
    assert output.ravel().tolist() == [1.0, 1.0, -1.0]
