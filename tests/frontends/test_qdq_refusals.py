"""QDQ models that mean nothing exact, or nothing at all, are refused: place, code and help."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from hwflow.core.errors import CompileError
from hwflow.frontends import load
from tests.qdq_models import model, node, pair, scalar, tensor

T = TensorProto
LINE: dict[str, Any] = {"scale": 0.1, "zero": 3, "dtype": T.UINT8}
S, Z = scalar("s", 0.1), tensor("z", T.UINT8, 3)


def q(*more: str, **attrs: Any) -> Any:
    return node("QuantizeLinear", ["x", "s", *more], "q", **attrs)


def dq(*more: str, x: str = "q", **attrs: Any) -> Any:
    return node("DequantizeLinear", [x, "s", *more], "y", **attrs)


def both(*tensors: onnx.TensorProto, **attrs: Any) -> onnx.ModelProto:
    return model([q("z", **attrs), dq("z", **attrs)], tensors, opset=25)


def between(*nodes: Any, tensors: Any = (), last: str = "m") -> onnx.ModelProto:
    return model([q("z"), *nodes, dq("z", x=last)], [S, Z, *tensors])


def operator(op: str, count: int, domain: str = "") -> onnx.ModelProto:
    names = ["x", *(f"i{i}" for i in range(count - 1))]
    tensors = [tensor(name, T.FLOAT, 1.0) for name in names[1:]]
    return model([node(op, names, "y", domain)], tensors)


def stored(dtype: int, values: Any, zero: int | None = None) -> onnx.ModelProto:
    """Return a model of constant integers with a scale of 0.1."""
    tensors = [S, tensor("w", dtype, values)]
    if zero is not None:
        tensors.append(tensor("z", zero, 0))
    nodes = [dq(*(["z"] if zero is not None else []), x="w")]
    nodes[0].output[0] = "v"
    return model([*nodes, node("Add", ["x", "v"], "y")], tensors)


def quantize_again() -> Any:
    return node("QuantizeLinear", ["q", "s", "z"], "m")


REFUSED = {
    "dynamic": ("HW270", operator("DynamicQuantizeLinear", 1), "DynamicQuantizeLinear"),
    "dynamic, ONNX Runtime": ("HW270", operator("DynamicQuantizeMatMul", 3, "com.microsoft"), ""),
    "integer product": ("HW270", operator("MatMulInteger", 2), "quantize_static"),
    "QOperator": ("HW271", operator("QLinearConv", 8), "QuantFormat.QDQ"),
    "QOperator, ONNX Runtime": ("HW271", operator("QGemm", 9, "com.microsoft"), "QuantFormat.QDQ"),
    "other contrib operator": ("HW012", operator("FusedGemm", 3, "com.microsoft"), ""),
    "float8": ("HW015", both(S, tensor("z", T.FLOAT8E4M3FN, 0.0)), "element type 17"),
    "float8 by attribute": ("HW272", model([q(output_dtype=T.FLOAT8E4M3FN), dq()], [S]), "FLOAT8"),
    "output_dtype out of nowhere": ("HW272", model([q(output_dtype=999), dq()], [S]), "999"),
    "output_dtype against the zero point": (
        "HW272", both(S, Z, output_dtype=T.INT8), "output_dtype INT8"),
    "quantised to 32 bits": ("HW272", both(S, tensor("z", T.INT32, 0)), "INT32"),
    "float zero point": ("HW272", both(S, scalar("z", 3.0)), "FLOAT"),
    "half precision": ("HW272", both(tensor("s", T.FLOAT16, 0.1), Z), "FLOAT16"),
    "weights of 64 bits": ("HW272", stored(T.INT64, [1, 2, 3, 4]), "INT64"),
    "weights and zero point of two types": (
        "HW272", stored(T.INT8, [1, 2, 3, 4], T.UINT8), "INT8, with a zero point of UINT8"),
    "pair of two types": (
        "HW272", model([q("z"), dq("t")], [S, Z, tensor("t", T.INT8, 3)]), "UINT8"),
    "scale 0": ("HW273", both(scalar("s", 0.0), Z), "0"),
    "negative scale": ("HW273", both(scalar("s", -0.5), Z), "-0.5"),
    "empty scale": ("HW273", both(tensor("s", T.FLOAT, np.zeros(0)), Z), ""),
    "scale that is not finite": ("HW011", both(scalar("s", float("nan")), Z), "nan"),
    "scale that is computed": (
        "HW274", model([node("Abs", ["x"], "s"), q("z"), dq("z")], [Z]), "'s'"),
    "scale that is an input": ("HW274", model([node("QuantizeLinear", ["x", "x"], "q"),
                                               node("Identity", ["q"], "y")], []), "'x'"),
    "no scale": ("HW274", model([node("QuantizeLinear", ["x", ""], "q"),
                                 node("Identity", ["q"], "y")], []), "nothing"),
    "no operand": ("HW274", model([node("DequantizeLinear", ["", "s"], "y")], [S]), ""),
    "too few scales": ("HW275", model(*pair("x", "y", scale=[0.1, 0.2], zero=[0, 0],
                                            dtype=T.INT8)), "2 scales for an axis of 4"),
    "axis out of range": ("HW275", model(*pair("x", "y", scale=[0.1] * 4, zero=[0] * 4,
                                               dtype=T.INT8, axis=7)), "axis 7"),
    "axis far below": ("HW275", model(*pair("x", "y", scale=[0.1] * 4, zero=[0] * 4,
                                            dtype=T.INT8, axis=-(2**40))), "axis -1099511627776"),
    "scales in a matrix": ("HW275", both(tensor("s", T.FLOAT, np.ones((2, 2))),
                                         tensor("z", T.UINT8, np.ones((2, 2), int))), "(2, 2)"),
    "zero points that do not fit": (
        "HW275", both(S, tensor("z", T.UINT8, [1, 2, 3])), "1 scales, 3 zero points"),
    "blocked": ("HW276", both(S, Z, block_size=2), "block_size = 2"),
    "sum of integers": ("HW277", between(node("Add", ["q", "q"], "m")), "Add"),
    "quantised twice": ("HW277", between(quantize_again()), "QuantizeLinear of 'q'"),
    "integers that enter are quantised": (
        "HW277", model([q("z"), dq("z")], [S, Z], dtype=T.INT32), "QuantizeLinear of 'x'"),
    "constant integers are quantised": (
        "HW277", model([node("QuantizeLinear", ["z", "s", "z"], "q"), dq("z")], [S, Z]), "'z'"),
    "integers as floats": ("HW277", between(node("Cast", ["q"], "m", to=1)), "Cast"),
    "padded integers": (
        "HW277", between(node("Pad", ["q", "p"], "m"),
                         tensors=[tensor("p", T.INT64, [0, 1, 0, 1])]), "Pad"),
    "moved with a scale per channel": (
        "HW277", model([node("QuantizeLinear", ["x", "s", "z"], "q"),
                        node("Flatten", ["q"], "m"),
                        node("DequantizeLinear", ["m", "s", "z"], "y")],
                       [tensor("s", T.FLOAT, [0.1, 0.2, 0.3, 0.4]),
                        tensor("z", T.UINT8, [1, 2, 3, 4])]), "Flatten"),
    "integers of nowhere": ("HW277", model([node("Relu", ["x"], "q"), dq("z")], [S, Z],
                                           dtype=T.UINT8), "'q'"),
    "clip that is computed": (
        "HW278", between(node("Clip", ["q", "x"], "m")), "'x'"),
    "clip by floats": ("HW278", between(node("Clip", ["q", "f"], "m"),
                                        tensors=[scalar("f", 2.5)]), "'f'"),
    "clip to nothing": (
        "HW278", between(node("Clip", ["q", "a", "b"], "m"),
                         tensors=[tensor("a", T.UINT8, 9), tensor("b", T.UINT8, 8)]), "9 .. 8"),
    "clip of channels": (
        "HW278", model(*pair("x", "y", scale=[0.1, 0.2, 0.3, 0.4], zero=[0, 1, 2, 3],
                             dtype=T.UINT8, clip=(0, 99))), "0 .. 99"),
    "too wide a bias": ("HW279", stored(T.INT32, [2**31 - 1, 1, 2, 3]), "2147483647"),
    "too large a product": (
        "HW279", model([node("DequantizeLinear", ["w", "s"], "v"), node("Add", ["x", "v"], "y")],
                       [scalar("s", 3e38), tensor("w", T.INT8, [1, 2, 3, 4])]), "3e+38"),
    "wide and moved": (
        "HW279", model([node("Flatten", ["w"], "m"), node("DequantizeLinear", ["m", "s"], "v"),
                        node("Add", ["x", "v"], "y")],
                       [S, tensor("w", T.INT32, [[2**30, 1, 2, 3]])]), "INT32"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str) -> None:
    code, proto, said = REFUSED[case]
    with pytest.raises(CompileError) as refusal:
        load(proto)
    assert {d.code for d in refusal.value.diagnostics} == {code}
    for finding in refusal.value.diagnostics:
        assert "qdq" in finding.where
        assert finding.found or finding.help
        assert said in str(finding)


def test_all_findings_come_at_once() -> None:
    nodes = [q("z"), node("Cast", ["q"], "m", to=1), node("DequantizeLinear", ["w", "t"], "v"),
             node("Add", ["m", "v"], "y")]  # fmt: skip
    proto = model(nodes, [S, Z, tensor("w", T.INT8, [1, 2, 3, 4]), scalar("t", -1.0)])
    with pytest.raises(CompileError) as refusal:
        load(proto)
    assert [d.code for d in refusal.value.diagnostics] == ["HW277", "HW273"]


def test_what_follows_a_refusal_is_not_refused_again() -> None:
    proto = model([q("z"), dq("z")], [scalar("s", -1.0), Z])
    with pytest.raises(CompileError) as refusal:
        load(proto)
    assert [d.code for d in refusal.value.diagnostics] == ["HW273"]


def test_names_of_strangers_stay_on_their_line() -> None:
    nodes, tensors = pair("x", "y", **(LINE | {"scale": -1.0}))
    nodes[0].name = "evil\n\x1b[31m" + "n" * 500
    with pytest.raises(CompileError) as refusal:
        load(model(nodes, tensors))
    assert all("\x1b" not in str(d) and "\n\n" not in str(d) for d in refusal.value.diagnostics)
    assert max(len(d.where) for d in refusal.value.diagnostics) < 200


def test_names_that_are_taken_are_not_taken_again() -> None:
    nodes, tensors = pair("x", "n_h_q_Quant", **LINE)
    first = pair("n_h_q_Quant", "h", **LINE)
    second = pair("h", "n_h_q_scale", **LINE)
    last = helper.make_node("Relu", ["n_h_q_scale"], ["y"])
    loaded = load(model([*nodes, *first[0], *second[0], last], tensors + first[1] + second[1]))
    graph = loaded.ir.graph
    names = [v.name for n in graph for v in n.outputs] + list(graph.initializers)
    assert len(set(names)) == len(names)
