"""Convolutions: plain, depthwise and separable, with batch normalisation folded in as QKeras does.

Keras keeps weights as (height, width, in, out), depthwise as (height, width, in, multiplier);
ONNX as (out, in, height, width). A depthwise result has channel ``in * multiplier + m`` in both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hwflow.frontends.keras.activations import activate
from hwflow.frontends.keras.layers import Convert, Layer, check_last_axis, quantizer_of
from hwflow.frontends.keras.tensor import FloatArray, Tensor
from hwflow.frontends.keras.weights import write_weight
from hwflow.frontends.keras.writer import Writer


@dataclass(frozen=True)
class Window:
    """A window that moves over the spatial axes; one entry an axis."""

    size: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    padding: str

    @classmethod
    def of(cls, layer: Layer, rank: int, size: str) -> Window:
        """Return a layer's window; ``size`` names the attribute that holds its size."""
        dilations = _each(getattr(layer, "dilation_rate", 1), rank)
        strides = _each(layer.strides or getattr(layer, size), rank)
        padding = str(layer.padding).lower()
        return cls(_each(getattr(layer, size), rank), strides, dilations, padding)

    def pads(self, sizes: tuple[int, ...]) -> list[int]:
        """Return ONNX's pads, all begins before all ends.

        ``same`` is TensorFlow's: as many results as ``ceil(size / stride)``, and the odd element of
        padding at the end; ``causal`` pads the begin alone
        (https://www.tensorflow.org/api_docs/python/tf/nn#notes_on_padding_2).
        """
        begins, ends = [], []
        for axis, size in enumerate(sizes):
            span = (self.size[axis] - 1) * self.dilations[axis] + 1
            total = max((-(-size // self.strides[axis]) - 1) * self.strides[axis] + span - size, 0)
            begin = {"same": total // 2, "causal": span - 1}.get(self.padding, 0)
            begins.append(begin)
            ends.append(total - begin if self.padding == "same" else 0)
        return [*begins, *ends]

    def result(self, sizes: tuple[int, ...]) -> tuple[int, ...]:
        """Return the number of positions along each axis."""
        pads = self.pads(sizes)
        count = len(sizes)
        found = []
        for axis, size in enumerate(sizes):
            span = (self.size[axis] - 1) * self.dilations[axis] + 1
            found.append((size + pads[axis] + pads[axis + count] - span) // self.strides[axis] + 1)
        return tuple(found)


def _each(value: Any, rank: int) -> tuple[int, ...]:
    return (int(value),) * rank if isinstance(value, int) else tuple(int(v) for v in value)


def check_layout(b: Writer, layer: Layer) -> None:
    """Refuse layers that keep channels first.

    Raises:
        RefusedError: HW281.
    """
    if getattr(layer, "data_format", "channels_last") != "channels_last":
        raise b.refusal(
            "channels are not last",
            found=f"data_format={layer.data_format!r}",
            supported="channels_last, Keras' default",
        )


def _convolution(b: Writer, layer: Layer, x: list[Tensor]) -> Tensor:
    kernel, bias = _folded(b, layer) if hasattr(layer, "batchnorm") else (layer.kernel, None)
    weight = write_weight(b, "kernel", kernel, quantizer_of(layer, "kernel"), out_first)
    return _apply(
        b,
        layer,
        x[0],
        weight=weight,
        filters=int(layer.filters),
        group=int(layer.groups),
        bias=bias,
    )


def _depthwise(b: Writer, layer: Layer, x: list[Tensor]) -> Tensor:
    rank = len(x[0].shape) - 1
    kernel, bias = layer.depthwise_kernel, None
    if hasattr(layer, "batchnorm"):
        kernel, bias = _folded(b, layer)
    weight = write_weight(b, "kernel", kernel, quantizer_of(layer, "depthwise"), channels_first)
    channels = x[0].shape[rank]
    return _apply(
        b,
        layer,
        x[0],
        weight=weight,
        filters=channels * int(layer.depth_multiplier),
        group=channels,
        bias=bias,
    )


def _separable(b: Writer, layer: Layer, x: list[Tensor]) -> Tensor:
    """Depthwise and pointwise, with nothing rounded between."""
    check_layout(b, layer)
    rank, channels = len(x[0].shape) - 1, x[0].shape[-1]
    depthwise = write_weight(
        b, "depthwise", _expanded(layer, rank, layer.depthwise_kernel),
        quantizer_of(layer, "depthwise"), _dropped(rank, channels_first),
    )  # fmt: skip
    pointwise = write_weight(
        b, "pointwise", _expanded(layer, rank, layer.pointwise_kernel),
        quantizer_of(layer, "pointwise"), _dropped(rank, out_first),
    )  # fmt: skip
    window = Window.of(layer, rank, "kernel_size")
    between = _convolve(
        b,
        b.spatial(x[0]),
        window=window,
        weight=depthwise,
        filters=channels * layer.depth_multiplier,
        group=channels,
    )
    one = (1,) * rank
    bias = None
    if layer.use_bias:
        bias = write_weight(b, "bias", layer.bias, quantizer_of(layer, "bias"))
    found = _convolve(
        b,
        between,
        window=Window(one, one, one, "valid"),
        weight=pointwise,
        filters=int(layer.filters),
        group=1,
        bias=bias,
    )
    return activate(b, found, layer.activation)


def _expanded(layer: Layer, rank: int, kernel: Any) -> FloatArray:
    """Return a kernel as QKeras quantises it: QSeparableConv1D gives it an axis of 1 first."""
    values = np.asarray(kernel, np.float32)
    return values[None] if rank == 1 and type(layer).__name__.startswith("Q") else values


def _dropped(rank: int, arrange: Any) -> Any:
    return lambda a: arrange(a[0] if a.ndim > rank + 2 else a)


def _apply(
    b: Writer, layer: Layer, x: Tensor, *, weight: str, filters: int, group: int, bias: Any
) -> Tensor:
    """Append a convolution with the bias and the activation of its layer."""
    check_layout(b, layer)
    window = Window.of(layer, len(x.shape) - 1, "kernel_size")
    if bias is None and layer.use_bias:
        bias = layer.bias
    name = None
    if bias is not None:
        name = write_weight(b, "bias", bias, quantizer_of(layer, "bias"))
    found = _convolve(
        b, b.spatial(x), window=window, weight=weight, filters=filters, group=group, bias=name
    )
    return activate(b, found, layer.activation)


def _convolve(
    b: Writer,
    x: Tensor,
    *,
    window: Window,
    weight: str,
    filters: int,
    group: int,
    bias: str | None = None,
) -> Tensor:
    sizes = x.shape[:-1]
    name = b.node(
        "Conv",
        [x.name, weight, *([bias] if bias else [])],
        kernel_shape=window.size,
        strides=window.strides,
        dilations=window.dilations,
        pads=window.pads(sizes),
        group=group,
    )
    return Tensor(name, (*window.result(sizes), filters), channels_first=True)


def out_first(kernel: FloatArray) -> FloatArray:
    """Return (height, width, in, out) as (out, in, height, width)."""
    return np.ascontiguousarray(np.moveaxis(kernel, (-1, -2), (0, 1)))


def channels_first(kernel: FloatArray) -> FloatArray:
    """Return (height, width, in, multiplier) as (in * multiplier, 1, height, width)."""
    moved = np.moveaxis(kernel, (-2, -1), (0, 1))
    return np.ascontiguousarray(moved.reshape(-1, 1, *moved.shape[2:]))


def _folded(b: Writer, layer: Layer) -> tuple[Any, Any]:
    """Return kernel and bias of a convolution with its batch normalisation folded in.

    By TensorFlow itself and in the order of ``QConv2DBatchnorm.call`` and
    ``QDepthwiseConv2DBatchnorm.call``, since the quantiser rounds the result.
    """
    import tensorflow as tf

    norm = layer.batchnorm
    check_last_axis(b, norm.axis, len(layer.kernel_size) + 2)
    factor = tf.math.rsqrt(norm.moving_variance + norm.epsilon)
    if norm.gamma is not None:
        factor *= norm.gamma
    bias = factor * ((layer.bias if layer.use_bias else 0) - norm.moving_mean) + norm.beta
    if hasattr(layer, "depthwise_kernel"):
        kernel = layer.depthwise_kernel
        return tf.reshape(factor, kernel.shape[2:]) * kernel, bias
    return factor * layer.kernel, bias


CONVOLUTIONS: dict[str, Convert] = {
    "Conv1D": _convolution,
    "QConv1D": _convolution,
    "Conv2D": _convolution,
    "QConv2D": _convolution,
    "QConv2DBatchnorm": _convolution,
    "DepthwiseConv1D": _depthwise,
    "DepthwiseConv2D": _depthwise,
    "QDepthwiseConv2D": _depthwise,
    "QDepthwiseConv2DBatchnorm": _depthwise,
    "SeparableConv1D": _separable,
    "SeparableConv2D": _separable,
    "QSeparableConv1D": _separable,
    "QSeparableConv2D": _separable,
}
"""Converters of convolutions, by class name."""
