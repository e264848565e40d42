"""Networks that were trained quantised get fewer bits than they were trained with."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import TensorProto, helper, numpy_helper

import hwflow
from hwflow.frontends.quantization import quantize
from hwflow.frontends.quantization.trained import activations_of, tied, weights_of
from hwflow.frontends.quantization.trained_layers import prepare_trained
from hwflow.ir.qonnx.fixed_quant import is_fixed_quant

ROOT = Path(__file__).parents[3]
QONNX = "qonnx.custom_op.general"


def digits(name: str, count: int = 200) -> tuple[Path, dict[str, Any]]:
    """Return a trained example and some of its data."""
    archive = "digits_hgq" if name.endswith(".keras") else "digits"
    loaded = np.load(ROOT / "examples" / f"{archive}.npz")
    path = ROOT / "examples" / name
    input_name = hwflow.load(path).ir.graph.inputs[0].name or ""
    x = loaded["x"][:count]
    return path, {input_name: x, "y": loaded["y"][:count]}


def outputs_of(source: Any, x: Any) -> Any:
    return next(iter(hwflow.compile(source).simulate(x).outputs.values()))


@pytest.mark.parametrize("name", ["digits_residual.onnx", "digits_hgq.keras"])
def test_bits_that_were_trained_give_the_trained_network(name: str) -> None:
    path, given = digits(name)
    found = quantize(path, given, "w=16,a=16", independent=True)
    x = next(iter(given.values()))
    assert np.array_equal(outputs_of(found.model, x), outputs_of(path, x))
    assert found.cost.reference == "trained"
    assert found.cost.outputs[0].agreement == 1.0


def test_fewer_bits_of_activations_keep_the_range() -> None:
    path, given = digits("digits_residual.onnx")
    found = quantize(path, given, "w=16,a=3")
    before = {q.name: q for q in activations_of(prepare_trained(hwflow.load(path)))}
    for after in activations_of(found.model):
        scales = [numbers(q.node, 1) for q in (before[after.name], after)]
        assert after.bits == 3
        dropped = before[after.name].bits - 3
        assert np.array_equal(scales[0] * 2.0**dropped, scales[1])
    assert weights_of(found.model) == {"conv1": 4, "conv2": 4, "fc": 4}


def test_formats_of_elements_lose_bits_behind_the_point_only() -> None:
    path, given = digits("digits_hgq.keras")
    found = quantize(path, given, "w=16,a=3")
    before = {q.name: q.node for q in activations_of(prepare_trained(hwflow.load(path)))}
    narrowed = [q for q in activations_of(found.model) if is_fixed_quant(q.node)]
    assert any(numbers(q.node, 3).size > 1 for q in narrowed)
    for after in narrowed:
        was, now = (np.broadcast_arrays(*(numbers(n, i) for i in (1, 2, 3)))
                    for n in (before[after.name], after.node))  # fmt: skip
        assert np.array_equal(was[:2], now[:2])  # signs and whole bits
        assert np.array_equal(np.minimum(sum(was), 3), sum(now))


def numbers(node: ir.Node, index: int) -> Any:
    value = node.inputs[index]
    assert value is not None
    assert value.const_value is not None
    return value.const_value.numpy().astype(np.float64)


def test_weights_are_fitted_to_what_the_layers_gave() -> None:
    """Rounding to the nearest of the narrower integers is what it must beat."""
    path, given = digits("digits_mlp.onnx", 600)
    found = quantize(path, given, "w=2,a=16", independent=True)
    model = prepare_trained(hwflow.load(path))
    for node in model.ir.graph:
        if node.op_type == "Quant" and node.inputs[0].name.endswith(".weight"):  # type: ignore[union-attr]
            scale, weight = node.inputs[1], node.inputs[0]
            assert weight is not None
            step = numbers(node, 1) * 8
            node.replace_input_with(1, constant(model.ir, f"{weight.name}_s", step))
            node.replace_input_with(3, constant(model.ir, f"{weight.name}_b", 2))
            assert scale is not None
    right = [
        float(np.mean(outputs_of(m, given["x"]).argmax(1) == given["y"]))
        for m in (found.model, model)
    ]
    assert right[0] > right[1] + 0.1


def constant(model: ir.Model, name: str, number: Any) -> ir.Value:
    value = ir.Value(name=name, const_value=ir.tensor(np.asarray(number, np.float32), name=name))
    model.graph.register_initializer(value)
    return value


def quant(x: str, y: str, tensors: list[Any], bits: int, scale: Any, **attrs: int) -> Any:
    for key, number in (("s", scale), ("z", 0.0), ("b", bits)):
        tensors.append(numpy_helper.from_array(np.asarray(number, np.float32), f"{y}_{key}"))
    return helper.make_node("Quant", [x, f"{y}_s", f"{y}_z", f"{y}_b"], [y], name=f"{y}_quant",
                            domain=QONNX, rounding_mode="ROUND", narrow=0, **attrs)  # fmt: skip


def shared() -> onnx.ModelProto:
    """Two layers that share transposed weights, with a scale for each output, and their sum."""
    rng, tensors = np.random.default_rng(0), list[Any]()
    tensors.append(numpy_helper.from_array(rng.normal(size=(6, 6)).astype(np.float32), "w"))
    scale = np.full((6, 1), 0.1, np.float32) * np.arange(1, 7)[:, None]
    nodes = [
        quant("x", "xq", tensors, 6, 0.1, signed=1),
        quant("w", "wq", tensors, 5, scale, signed=1),
        helper.make_node("Transpose", ["wq"], ["wt"], perm=[1, 0], name="t"),
        helper.make_node("MatMul", ["xq", "wt"], ["h0"], name="first"),
        helper.make_node("Relu", ["h0"], ["h1"], name="relu"),
        quant("h1", "hq", tensors, 5, 0.3, signed=0),
        helper.make_node("MatMul", ["hq", "wt"], ["g0"], name="second"),
        quant("g0", "gq", tensors, 5, 0.3, signed=1),
        helper.make_node("Add", ["hq", "gq"], ["y"], name="sum"),
    ]
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes, "shared", [info("x", TensorProto.FLOAT, [1, 6])],
        [info("y", TensorProto.FLOAT, [1, 6])], tensors,
    )  # fmt: skip
    imports = [helper.make_opsetid("", 17), helper.make_opsetid(QONNX, 1)]
    return helper.make_model(graph, opset_imports=imports, ir_version=9)


def test_layers_that_share_transposed_weights_get_their_own(tmp_path: Path) -> None:
    path = tmp_path / "shared.onnx"
    onnx.save(shared(), path)
    x = np.random.default_rng(1).normal(size=(80, 6)).astype(np.float32)
    model = prepare_trained(hwflow.load(path))
    assert weights_of(model) == {"first": 5, "second": 5}
    assert np.array_equal(outputs_of(model, x), outputs_of(path, x))
    quantizers = activations_of(model)
    assert [[q.bits for q in group] for group in tied(quantizers)] == [[6], [5, 5]]
    found = quantize(path, x, "w=16,a=16,first.w=3", independent=True)
    assert weights_of(found.model) == {"first": 3, "second": 5}
    assert not np.array_equal(outputs_of(found.model, x), outputs_of(path, x))


BAD: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("HW315", {"equalize": True, "method": "minmax"}, {}),
    ("HW316", {"bits": "fc1.w=6"}, {"bits": "fc1.w=5"}),
    ("HW316", {"bits": "relu1.a=8"}, {"bits": "relu1.a=5"}),
    ("HW312", {"bits": "fc9.w=3"}, {"bits": "fc1.w=3"}),
]


@pytest.mark.parametrize(("code", "wrong", "helped"), BAD, ids=lambda p: str(p)[:24])
def test_what_a_trained_network_cannot_have_is_refused(
    code: str, wrong: dict[str, Any], helped: dict[str, Any]
) -> None:
    path, given = digits("digits_mlp.onnx", 40)
    with pytest.raises(hwflow.CompileError, match=code):
        quantize(path, given, **wrong)
    quantize(path, given, **helped)
