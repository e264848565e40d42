"""QDQ models for tests, and what they mean: integers and fractions, by ONNX's definitions alone."""

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tests.verify.exact.rational import conv, each, fractions_of, halved, leaky

RANGES = {
    TensorProto.INT2: (-2, 1),
    TensorProto.UINT2: (0, 3),
    TensorProto.INT4: (-8, 7),
    TensorProto.UINT4: (0, 15),
    TensorProto.INT8: (-128, 127),
    TensorProto.UINT8: (0, 255),
    TensorProto.INT16: (-32768, 32767),
    TensorProto.UINT16: (0, 65535),
    TensorProto.INT32: (-(2**31), 2**31 - 1),
}
"""Integers of each type."""


def tensor(name: str, dtype: int, values: Any) -> onnx.TensorProto:
    """Return an initializer of any type."""
    array = np.asarray(values)
    return helper.make_tensor(name, dtype, array.shape, array.ravel().tolist())


def scalar(name: str, value: float) -> onnx.TensorProto:
    """Return a float initializer without axes."""
    return tensor(name, TensorProto.FLOAT, np.float32(value))


def model(
    nodes: Sequence[onnx.NodeProto],
    tensors: Sequence[onnx.TensorProto],
    *,
    shape: Sequence[int] = (1, 4),
    dtype: int = TensorProto.FLOAT,
    outputs: Mapping[str, int] | None = None,
    opset: int = 21,
) -> onnx.ModelProto:
    """Return a model of one input ``x``."""
    outputs = {"y": TensorProto.FLOAT} if outputs is None else outputs
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "qdq",
        [info("x", dtype, shape)],
        [info(name, kind, None) for name, kind in outputs.items()],
        tensors,
    )
    imports = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=imports, ir_version=10)


def node(op: str, inputs: Sequence[str], output: str, domain: str = "", **attrs: Any) -> Any:
    """Return a node named after its output."""
    return helper.make_node(op, inputs, [output], name=f"n_{output}", domain=domain, **attrs)


def pair(
    x: str,
    y: str,
    *,
    scale: Any,
    zero: Any,
    dtype: int,
    clip: tuple[int, int] | None = None,
    **attrs: Any,
) -> tuple[list[Any], list[onnx.TensorProto]]:
    """Return ``QuantizeLinear``, perhaps ``Clip``, and ``DequantizeLinear`` from ``x`` to ``y``."""
    tensors = [
        tensor(f"{y}_s", TensorProto.FLOAT, np.asarray(scale, np.float32)),
        tensor(f"{y}_z", dtype, zero),
    ]
    line = [f"{y}_s", f"{y}_z"]
    nodes = [node("QuantizeLinear", [x, *line], f"{y}_q", **attrs)]
    integers = f"{y}_q"
    if clip is not None:
        tensors += [tensor(f"{y}_lo", dtype, clip[0]), tensor(f"{y}_hi", dtype, clip[1])]
        nodes.append(node("Clip", [integers, f"{y}_lo", f"{y}_hi"], f"{y}_c"))
        integers = f"{y}_c"
    nodes.append(node("DequantizeLinear", [integers, *line], y, **attrs))
    return nodes, tensors


def _line(
    inputs: Sequence[Any], attrs: Mapping[str, Any], of: Callable[..., Any]
) -> np.ndarray[Any, Any]:
    """Apply a function to elements, scales and zero points."""
    x, scale = inputs[0], inputs[1]
    zero = inputs[2] if len(inputs) > 2 else np.zeros(scale.shape, object)
    if scale.size > 1:
        shape = [1] * x.ndim
        shape[attrs.get("axis", 1)] = scale.size
        scale, zero = scale.reshape(shape), zero.reshape(shape)
    else:
        scale, zero = scale.reshape(()), zero.reshape(())
    return np.asarray(np.frompyfunc(of, 3, 1)(x, scale, zero), object)


def _quantize(inputs: Sequence[Any], attrs: Mapping[str, Any], dtype: int) -> Any:
    low, high = RANGES[dtype]  # type: ignore[index]

    def one(x: Fraction, s: Fraction, z: Fraction) -> Fraction:
        return Fraction(min(max(round(Fraction(x) / s) + int(z), low), high))

    return _line(inputs, attrs, one)


def _clip(a: Sequence[Any], attrs: Mapping[str, Any]) -> Any:
    low, high = ([] if v is None else [v.item()] for v in (*a[1:], None, None)[:2])
    return each(lambda v: min([max([v, *low]), *high]))(a[0])


def _gemm(a: Sequence[Any], attrs: Mapping[str, Any]) -> Any:
    weights = a[1].T if attrs.get("transB", 0) else a[1]
    return np.dot(a[0], weights) + (a[2] if len(a) > 2 else 0)


def _conv(a: Sequence[Any], attrs: Mapping[str, Any]) -> Any:
    y = conv(a[0], a[1], attrs)
    return y + a[2].reshape(1, -1, 1, 1) if len(a) > 2 else y


OPERATORS: dict[str, Callable[[list[Any], dict[str, Any]], Any]] = {
    "DequantizeLinear": lambda a, attrs: _line(a, attrs, lambda q, s, z: (q - z) * s),
    "Clip": _clip,
    "Gemm": _gemm,
    "MatMul": lambda a, attrs: np.dot(a[0], a[1]),
    "Conv": _conv,
    "Add": lambda a, attrs: a[0] + a[1],
    "Relu": lambda a, attrs: each(lambda v: max(v, Fraction(0)))(*a),
    "LeakyRelu": lambda a, attrs: leaky(a[0], attrs["alpha"]),
    "MaxPool": lambda a, attrs: halved(a[0]),
    "Flatten": lambda a, attrs: a[0].reshape(len(a[0]), -1),
    "Reshape": lambda a, attrs: a[0].reshape(len(a[0]), *(int(d) for d in a[1][1:])),
    "Concat": lambda a, attrs: np.concatenate(a, axis=attrs["axis"]),
    "GlobalAveragePool": lambda a, attrs: (
        a[0].sum(axis=(2, 3), keepdims=True) / (a[0].shape[2] * a[0].shape[3])
    ),
    "ReduceMean": lambda a, attrs: (
        a[0].sum(axis=(2, 3), keepdims=bool(attrs["keepdims"])) / (a[0].shape[2] * a[0].shape[3])
    ),
}


def evaluate(proto: onnx.ModelProto, x: Any) -> dict[str, Any]:
    """Return every value of a QDQ model, as fractions.

    Args:
        proto: one input ``x``, nodes in order.
        x: its samples, batch first.
    """
    held: dict[str, Any] = {proto.graph.input[0].name: fractions_of(x)}
    types: dict[str, int] = {}
    for stored in proto.graph.initializer:
        array = np.asarray(numpy_helper.to_array(stored))
        held[stored.name] = fractions_of(array.astype(np.float64))
        types[stored.name] = stored.data_type
    for n in proto.graph.node:
        attrs = {a.name: helper.get_attribute_value(a) for a in n.attribute}
        if n.op_type == "Constant":
            value = numpy_helper.to_array(attrs["value"])
            held[n.output[0]] = fractions_of(value.astype(np.float64))
            types[n.output[0]] = attrs["value"].data_type
            continue
        inputs = [held[name] if name else None for name in n.input]
        if n.op_type == "QuantizeLinear":
            given = types[n.input[2]] if len(n.input) > 2 else TensorProto.UINT8
            result = _quantize(inputs, attrs, attrs.get("output_dtype", 0) or given)
        else:
            result = OPERATORS[n.op_type](inputs, attrs)
        held[n.output[0]] = np.asarray(result, object)
    return held
