"""What a convolution by fast Fourier transforms would take; it is judged, not built."""

from __future__ import annotations

from math import ceil, log2, prod

import onnx_ir as ir

from hwflow.compression.lowrank.surgery import weights_of
from hwflow.frontends.quantization.layers import Layer


def fft_ratio(layer: Layer) -> float | None:
    """Return real multiplications by FFT in parts of those of the direct convolution.

    A map of ``n x n``, padded to a power of two with room for the kernel, is transformed for each
    input channel, and back for each output channel; between them stands one complex product for
    each frequency and pair of channels (Mathieu, Henaff and LeCun, arXiv:1312.5851, section 2). A
    transform of ``N`` points takes ``N / 2 log2 N`` complex products (Cooley and Tukey 1965), a
    complex product three real ones, and real data half of all. Products are taken to be as wide as
    those of the direct convolution, which is in favour of the FFT: its sums grow with ``log2 N``.

    Returns:
        the ratio, or None for anything but a convolution of one group with more than one tap.
    """
    node = layer.node
    if node.op_type != "Conv" or layer.groups > 1:
        return None
    outputs, inputs, *kernel = weights_of(layer).shape
    if prod(kernel) == 1:
        return None
    sizes = _spatial(node.inputs[0])
    points = prod(2 ** ceil(log2(n + k - 1)) for n, k in zip(sizes, kernel, strict=True))
    transforms = (inputs + outputs) * points / 2 * log2(points) * 3 / 2
    between = inputs * outputs * points * 3 / 2
    direct = prod(_spatial(node.outputs[0])) * prod(kernel) * inputs * outputs
    return float((transforms + between) / direct)


def _spatial(value: ir.Value | None) -> list[int]:
    """Return the sizes of a map; shapes of prepared networks are known."""
    assert value is not None
    assert value.shape is not None
    return [int(d) for d in value.shape.numpy()[2:]]
