"""Layers of decoders: transposed convolutions, and upsampling.

Keras keeps a transposed kernel as (height, width, out, in); ONNX as (in, out, height, width).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from hwflow.frontends.keras.activations import activate
from hwflow.frontends.keras.convolutions import Window, check_layout, out_first
from hwflow.frontends.keras.layers import Convert, Layer, quantizer_of
from hwflow.frontends.keras.tensor import Tensor
from hwflow.frontends.keras.weights import write_weight
from hwflow.frontends.keras.writer import Writer


def _transposed(b: Writer, layer: Layer, x: list[Tensor]) -> Tensor:
    """The results along an axis are as many as a convolution of them would need for the inputs.

    ``same`` takes from both ends what is over, the odd element from the end
    (``tf_keras.utils.conv_utils.deconv_output_length``, and the gradient of TensorFlow's ``same``).
    """
    check_layout(b, layer)
    source = b.spatial(x[0])
    window = Window.of(layer, len(source.shape) - 1, "kernel_size")
    if "causal" in window.padding:
        raise b.refusal("padding of a transposed convolution", found=f"padding={layer.padding!r}")
    operands = [
        source.name,
        write_weight(b, "kernel", layer.kernel, quantizer_of(layer, "kernel"), out_first),
    ]
    if layer.use_bias:
        operands.append(write_weight(b, "bias", layer.bias, quantizer_of(layer, "bias")))
    rank, extra = len(window.size), getattr(layer, "output_padding", None)
    given = [None] * rank if extra is None else np.broadcast_to(np.asarray(extra), rank).tolist()
    axes = [_axis(window, axis, source.shape[axis], given[axis]) for axis in range(rank)]
    name = b.node(
        "ConvTranspose", operands, kernel_shape=window.size, strides=window.strides,
        dilations=window.dilations, pads=[a[1] for a in axes] + [a[2] for a in axes],
        output_padding=[a[3] for a in axes],
    )  # fmt: skip
    found = Tensor(name, (*(a[0] for a in axes), int(layer.filters)), channels_first=True)
    return activate(b, found, layer.activation)


def _axis(window: Window, axis: int, size: int, extra: int | None) -> tuple[int, int, int, int]:
    """Return how many results there are along an axis, both pads, and results without a product."""
    stride = window.strides[axis]
    span = (window.size[axis] - 1) * window.dilations[axis] + 1
    whole = (size - 1) * stride + span
    if extra is not None:
        count = whole + extra - (2 * (span // 2) if window.padding == "same" else 0)
    else:
        count = size * stride + (max(span - stride, 0) if window.padding == "valid" else 0)
    over = max(whole - count, 0)
    begin = over // 2 if window.padding == "same" else 0
    return count, begin, over - begin, max(count - whole, 0)


def _upsampling(b: Writer, layer: Layer, x: list[Tensor]) -> Tensor:
    """``bilinear`` is TensorFlow's with the centres of elements at halves."""
    check_layout(b, layer)
    mode = getattr(layer, "interpolation", "nearest")
    ways: dict[str, dict[str, Any]] = {
        "nearest": {"mode": "nearest", "coordinate_transformation_mode": "asymmetric",
                    "nearest_mode": "floor"},
        "bilinear": {"mode": "linear", "coordinate_transformation_mode": "half_pixel"},
    }  # fmt: skip
    if mode not in ways:
        raise b.refusal(
            "upsampling by other than two ways", found=f"interpolation={mode!r}",
            supported=", ".join(map(repr, ways)), help="train with one of these",
        )  # fmt: skip
    source = b.spatial(x[0])
    rank = len(source.shape) - 1
    factors = [int(f) for f in np.broadcast_to(np.asarray(layer.size), (rank,))]
    scales = b.constant("scales", [1, 1, *factors])
    name = b.node("Resize", [source.name, "", scales], **ways[mode])
    sizes = (s * f for s, f in zip(source.shape, factors, strict=False))
    return replace(source, name=name, shape=(*sizes, source.shape[-1]))


DECODERS: dict[str, Convert] = {
    "Conv1DTranspose": _transposed,
    "Conv2DTranspose": _transposed,
    "QConv2DTranspose": _transposed,
    "UpSampling1D": _upsampling,
    "UpSampling2D": _upsampling,
}
"""Converters of layers of decoders, by class name."""
