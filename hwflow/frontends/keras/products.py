"""Sums of products over any axes: EinsumDense, and products of two values."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from hwflow.frontends.keras.activations import activate
from hwflow.frontends.keras.layers import Convert, Layer
from hwflow.frontends.keras.tensor import Tensor
from hwflow.frontends.keras.weights import OnGrid, write_weight
from hwflow.frontends.keras.writer import Writer

LETTERS = "cdefghijklmnopqrstuvwxyz"
"""Axes of an equation that is made here; ``b`` is the batch."""


def einsum_dense(b: Writer, layer: Layer, x: list[Tensor]) -> Tensor:
    """Append an EinsumDense: a matrix product with the last axis where it is one."""
    equation = str(layer.equation).replace(" ", "")
    sizes = (layer.kernel.values if isinstance(layer.kernel, OnGrid) else layer.kernel).shape
    source = b.keras(x[0])
    weight = write_weight(b, "kernel", layer.kernel, None)
    match = re.fullmatch(r"((?:\.\.\.)?[A-Za-z]*)([A-Za-z]),\2([A-Za-z])->\1\3", equation)
    if match is not None and match[3] not in match[1] + match[2]:
        shape = (*source.shape[:-1], int(sizes[1]))
        name = b.node("MatMul", [source.name, weight])
    else:
        shape = _shape_of(b, equation, (1, *source.shape), tuple(sizes))
        name = b.node("Einsum", [source.name, weight], equation=equation)
    bias = getattr(layer, "bias", None)
    if bias is not None:
        name = b.node("Add", [name, write_weight(b, "bias", bias, None)])
    return activate(b, Tensor(name, shape), layer.activation)


def einsum(b: Writer, layer: Layer, x: list[Tensor]) -> Tensor:
    """Append the product of two values that an equation names."""
    return product(b, str(layer.equation).replace(" ", ""), x)


def product(b: Writer, equation: str, x: list[Tensor]) -> Tensor:
    """Append the sums of products of two values.

    Args:
        b: gets the node.
        equation: as ``numpy.einsum`` takes it, with the batch axis.
        x: both values.
    """
    if len(x) != 2:
        raise b.refusal("equation of other than two values", found=f"{len(x)} values")
    left, right = (b.keras(t) for t in x)
    shape = _shape_of(b, equation, (1, *left.shape), (1, *right.shape))
    return Tensor(b.node("Einsum", [left.name, right.name], equation=equation), shape)


def dot(b: Writer, layer: Layer, x: list[Tensor]) -> Tensor:
    """Append the product of two values, summed over an axis of each (``keras.layers.Dot``)."""
    if getattr(layer, "normalize", False):
        raise b.refusal(
            "product of values that are divided by their lengths", found="normalize=True",
            supported="normalize=False",
        )  # fmt: skip
    axes = layer.axes if isinstance(layer.axes, (list, tuple)) else (layer.axes, layer.axes)
    ranks = [len(t.shape) + 1 for t in x]
    first, second = (int(a) % r for a, r in zip(axes, ranks, strict=True))
    if 0 in (first, second):
        raise b.refusal("product over the batch", found=f"axes={layer.axes}")
    left = "b" + LETTERS[: ranks[0] - 1]
    right = "b" + LETTERS[ranks[0] - 1 : ranks[0] + ranks[1] - 2]
    shared = left[first]
    kept = left[1:].replace(shared, "") + right[1:second] + right[second + 1 :]
    right = right[:second] + shared + right[second + 1 :]
    found = product(b, f"{left},{right}->b{kept}", x)
    return found if kept else b.reshaped(found, (1,))


def _shape_of(b: Writer, equation: str, *shapes: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of a result without the batch.

    Raises:
        RefusedError: HW281, the equation does not fit the operands.
    """
    operands: list[Any] = [np.broadcast_to(np.float32(0), shape) for shape in shapes]
    try:
        return tuple(int(d) for d in np.einsum(equation, *operands).shape[1:])
    except ValueError as error:
        raise b.refusal(
            "equation that does not fit its operands", found=f"{equation} of {shapes}"
        ) from error


PRODUCTS: dict[str, Convert] = {"Dot": dot, "EinsumDense": einsum_dense}
"""Converters of sums of products, by class name."""
