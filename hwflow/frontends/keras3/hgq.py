"""HGQ's layers: quantised inputs, a layer of Keras with quantised weights, quantised results."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from hwflow.frontends.keras.activations import activate
from hwflow.frontends.keras.convolutions import CONVOLUTIONS
from hwflow.frontends.keras.layers import LAYERS, Convert
from hwflow.frontends.keras.moves import MOVES
from hwflow.frontends.keras.products import dot, einsum, einsum_dense
from hwflow.frontends.keras.tensor import FloatArray, Tensor
from hwflow.frontends.keras.weights import OnGrid, write_on_grid
from hwflow.frontends.keras.writer import Writer
from hwflow.frontends.keras3.archive import Group
from hwflow.frontends.keras3.layer import FileLayer, named
from hwflow.frontends.keras3.quantizers import FixedQuantizer, read_quantizer
from hwflow.frontends.keras3.softmax import EPSILON, last_axis_sum, softmax
from hwflow.frontends.keras3.table_layers import (
    table_convolution,
    table_dense,
    table_einsum,
)
from hwflow.frontends.keras3.tables import OPERATORS, Points, RealFunction, write_table

Body = Callable[[Writer, FileLayer, list[Tensor]], Tensor]


def quantizer(b: Writer, layer: FileLayer, role: str) -> FixedQuantizer | None:
    """Return the quantiser of a role (``kq``, ``bq``, ``iq``, ``oq``), None where there is none."""
    config = layer.settings.get(f"{role}_conf")
    if config is None:
        return None
    return read_quantizer(b, config, layer.group / role)


def hgq(body: Body) -> Convert:
    """Return the conversion of a layer with quantised inputs and results."""
    return lambda b, layer, x: _between_quantizers(body, b, layer, x)


def results(body: Body) -> Convert:
    """Return the conversion of a layer with quantised results, which quantises its own inputs."""

    def convert(b: Writer, layer: FileLayer, x: list[Tensor]) -> Tensor:
        return _quantized_result(b, layer, body(b, layer, x))

    return convert


def _quantized_result(b: Writer, layer: FileLayer, found: Tensor) -> Tensor:
    last = quantizer(b, layer, "oq") if layer.settings.get("enable_oq") else None
    return found if last is None else last.write(b, found)


def _between_quantizers(
    body: Body, b: Writer, layer: FileLayer, x: list[Tensor], inputs: Group | None = None
) -> Tensor:
    """Append a layer with its quantisers; ``inputs`` has those of its inputs, if not its own."""
    found = body(b, layer, _inputs(b, layer, x, inputs or layer.group))
    return _quantized_result(b, layer, found)


def _inputs(b: Writer, layer: FileLayer, x: list[Tensor], group: Group) -> list[Tensor]:
    """Append the quantisers of a layer's inputs."""
    if not layer.settings.get("enable_iq"):
        return x
    several = layer.settings.get("iq_confs")
    if several is None:
        config = layer.settings.get("iq_conf")
        first = None if config is None else read_quantizer(b, config, group / "iq")
        return x if first is None else [first.write(b, t) for t in x]
    configs = several if isinstance(several, list) else [several] * len(x)
    group = group / "iq" / "quantizers"
    found = []
    for number, (tensor, config) in enumerate(zip(x, configs, strict=True)):
        place = group / ("quantizer" if number == 0 else f"quantizer_{number}")
        one = read_quantizer(b, config, place)
        found.append(tensor if one is None else one.write(b, tensor))
    return found


def _on_grid(b: Writer, layer: FileLayer, role: str, name: str, values: FloatArray) -> OnGrid:
    """Return quantised weights: those that a live model gave, or what a quantiser makes of some."""
    if name in layer.arrays:
        return OnGrid(layer.arrays[name])
    one = quantizer(b, layer, role)
    return OnGrid(values) if one is None else one.constant(values)


def _weighted(convert: Convert) -> Body:
    """Return the conversion of a layer of Keras with quantised kernel and bias."""

    def body(b: Writer, layer: FileLayer, x: list[Tensor]) -> Tensor:
        return convert(b, _quantized(b, layer, layer.kernel, layer.arrays.get("bias")), x)

    return body


_dense = LAYERS["Dense"]


def _fused_dense(b: Writer, layer: FileLayer, x: list[Tensor]) -> Tensor:
    """``kq(kernel * gamma / sqrt(var + eps))``, ``bq(bias - mean . kernel)``."""
    scale = bool(layer.settings.get("scale", True))
    names = ["kernel", "bias", *(["bn_gamma"] if scale else []), "moving_mean", "moving_variance"]
    found = _before_training_state(layer, names, 3 if scale else 2)
    spread = np.sqrt(found["moving_variance"] + np.float32(layer.epsilon))
    scaler = found.get("bn_gamma", np.float32(1)) / spread
    kernel = scaler[:, None] * found["kernel"]
    bias = found["bias"] - np.dot(found["moving_mean"], found["kernel"])
    return _dense(b, _quantized(b, layer, kernel, bias), x)


def _fused_einsum(b: Writer, layer: FileLayer, x: list[Tensor]) -> Tensor:
    """``kq(kernel * gamma / sqrt(var + eps))`` along the results, ``bq(bias - mean * scale)``."""
    scale = bool(layer.settings.get("scale", True))
    names = ["kernel", "bias", *(["gamma"] if scale else []), "moving_mean", "moving_variance"]
    found = _before_training_state(layer, names, 3 if scale else 2)
    axes = str(layer.settings.get("normalize_axes") or layer.bias_axes)
    if len(axes) != 1 or not str(layer.equation).endswith(axes):
        raise b.refusal(
            "normalisation along an axis other than the last", found=f"normalize_axes={axes!r}"
        )
    scaler = found.get("gamma", np.float32(1)) / np.sqrt(found["moving_variance"] + EPSILON)
    bias = found["bias"] - found["moving_mean"] * scaler
    return einsum_dense(b, _quantized(b, layer, found["kernel"] * scaler, bias), x)


def _before_training_state(layer: FileLayer, names: list[str], trained: int) -> dict[str, Any]:
    """Return arrays of a layer whose EBOPs counters stand between trained and tracked ones."""
    count = len(layer.group.variables())
    counters = [f"counter_{n}" for n in range(count - len(names))]
    return named(layer.group, [*names[:trained], *counters, *names[trained:]])


def _quantized(
    b: Writer, layer: FileLayer, kernel: FloatArray, bias: FloatArray | None
) -> FileLayer:
    """Return a layer with quantised weights, those of the live model where there is one."""
    arrays = {"kernel": _on_grid(b, layer, "kq", "qkernel", kernel)}
    if bias is not None:
        arrays["bias"] = _on_grid(b, layer, "bq", "qbias", bias)
    return layer.but(**arrays)


def _batch_norm(b: Writer, layer: FileLayer, x: list[Tensor]) -> Tensor:
    """``x * kq(gamma / sqrt(var + eps)) + bq(beta - mean * scale)``; an absent beta is 1."""
    axis = layer.axis[0] if isinstance(layer.axis, list) else layer.axis
    rank = len(x[0].shape)
    if int(axis) % (rank + 1) != rank:
        raise b.refusal(
            "batch normalisation of an axis other than the last",
            found=f"axis={axis}",
            supported="axis=-1",
        )
    one = np.float32(1)
    spread = np.sqrt(layer.moving_variance + np.float32(layer.epsilon))
    scale = np.asarray(layer.arrays.get("gamma", one) / spread, np.float32)
    offset = layer.arrays.get("beta", one) - layer.moving_mean * scale
    parts = [
        _on_grid(b, layer, "kq", "qkernel", scale).values,
        _on_grid(b, layer, "bq", "qbias", offset).values,
    ]
    source = b.keras(x[0])
    names = [write_on_grid(b, n, v) for n, v in zip(("scale", "offset"), parts, strict=True)]
    product = b.node("Mul", [source.name, names[0]])
    return replace(source, name=b.node("Add", [product, names[1]]))


def _unary(b: Writer, layer: FileLayer, x: list[Tensor]) -> Tensor:
    table = _table(b, layer, x[0], 1.0, 0.0)
    return activate(b, x[0], layer.activation) if table is None else table


def _table(b: Writer, layer: FileLayer, x: Tensor, slope: float, offset: float) -> Tensor | None:
    """Append the function of a layer between its quantisers as a table, if it has one."""
    op = OPERATORS.get(str(layer.settings.get("activation")))
    if op is None or not (layer.settings.get("enable_iq") and layer.settings.get("enable_oq")):
        return None
    real = RealFunction(op, slope, offset)
    points, after = Points.of(quantizer(b, layer, "iq")), quantizer(b, layer, "oq")
    return write_table(
        b, x, points=points, real=real, numbers=layer.arrays.get("table"), after=after
    )


def _affine_unary(b: Writer, layer: FileLayer, x: list[Tensor]) -> Tensor:
    found = named(layer.group, ["scale", "bias"])
    ends = (float(found[name].reshape(-1)[0]) for name in ("scale", "bias"))
    table = _table(b, layer, x[0], *ends)
    if table is not None:
        return table
    line = b.unary("Add", b.unary("Mul", x[0], found["scale"]), found["bias"])
    return activate(b, line, layer.activation)


def _sum(b: Writer, layer: FileLayer, x: list[Tensor]) -> Tensor:
    """Append ``sum * scale``; a power of two."""
    source = b.keras(x[0])
    rank = len(source.shape) + 1
    axes = sorted({int(a) % rank for a in layer.axes})
    if 0 in axes:
        raise b.refusal("a sum over the batch", found=f"axes={axes}")
    rest = [a for a in range(1, rank) if a not in axes]
    if axes != list(range(rank - len(axes), rank)):
        turned = b.node("Transpose", [source.name], perm=[0, *rest, *axes])
        source = Tensor(turned, tuple(source.shape[a - 1] for a in (*rest, *axes)))
    kept, count = source.shape[: len(rest)], prod(source.shape[len(rest) :])
    if len(axes) > 1:
        source = b.reshaped(source, (*kept, count))
    total = last_axis_sum(b, source)
    shape = tuple(1 if a in axes else x[0].shape[a - 1] for a in range(1, rank))
    total = b.reshaped(total, shape if layer.keepdims else kept)
    mean = layer.kind == "QMeanPow2"
    return b.unary("Mul", total, 2.0 ** round(np.log2(1.0 / count)) if mean else layer.scale)


def _average_pow2(b: Writer, layer: FileLayer, x: list[Tensor]) -> Tensor:
    total = LAYERS["Add"](b, layer, x)
    return b.unary("Mul", total, 2.0 ** round(np.log2(1.0 / len(x))))


def _quantizer_layer(b: Writer, layer: FileLayer, x: list[Tensor]) -> Tensor:
    one = read_quantizer(b, layer.settings["config"], layer.group)
    return x[0] if one is None else one.write(b, x[0])


def einsum_dense_layer(
    b: Writer, layer: FileLayer, x: list[Tensor], inputs: Group | None = None
) -> Tensor:
    """Append a ``QEinsumDense`` that is part of a layer; ``inputs`` has its input's quantiser."""
    return _between_quantizers(_weighted(einsum_dense), b, layer, x, inputs)


def softmax_layer(b: Writer, layer: FileLayer, x: list[Tensor]) -> Tensor:
    """Append a ``QSoftmax`` that is part of a layer."""
    return _between_quantizers(softmax, b, layer, x)


_POOLS = (
    "MaxPooling1D", "MaxPooling2D", "AveragePooling1D", "AveragePooling2D",
    "GlobalMaxPooling1D", "GlobalMaxPooling2D", "GlobalAveragePooling1D", "GlobalAveragePooling2D",
)  # fmt: skip

_MERGES = ("Add", "Subtract", "Multiply", "Maximum", "Minimum")

HGQ: dict[str, Convert] = {
    "QDense": hgq(_weighted(_dense)),
    "QConv1D": hgq(_weighted(CONVOLUTIONS["Conv1D"])),
    "QConv2D": hgq(_weighted(CONVOLUTIONS["Conv2D"])),
    "QEinsumDense": hgq(_weighted(einsum_dense)),
    "QBatchNormDense": hgq(_fused_dense),
    "QEinsumDenseBatchnorm": hgq(_fused_einsum),
    "QBatchNormalization": hgq(_batch_norm),
    "QUnaryFunctionLUT": hgq(_unary),
    "QAffinedUnaryFunctionLUT": hgq(_affine_unary),
    "QSoftmax": hgq(softmax),
    "QEinsum": hgq(einsum),
    "QDot": hgq(dot),
    "QSum": hgq(_sum),
    "QMeanPow2": hgq(_sum),
    "QAveragePow2": hgq(_average_pow2),
    "Quantizer": _quantizer_layer,
    "QDenseT": results(table_dense),
    "QEinsumDenseT": results(table_einsum),
    "QConvT1D": results(table_convolution),
    "QConvT2D": results(table_convolution),
    **{f"Q{name}": hgq(MOVES[name]) for name in _POOLS},
    **{f"Q{name}": hgq(LAYERS[name]) for name in _MERGES},
}
"""Every layer of HGQ that is converted, by class name."""
