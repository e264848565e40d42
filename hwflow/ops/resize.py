"""Resize and Upsample, nearest: elements repeated or left out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from typing import Any, ClassVar

import numpy as np

from hwflow.fixed import FixedType
from hwflow.ir.op import Example, OnnxNode, Op
from hwflow.ir.tensor import TensorType
from hwflow.ops.shared.picks import _Picks, batch_moved, by_axes, require_size

Real = Any
"""A ``Fraction`` or a ``numpy.float32``: coordinates are computed in both."""

PLACES = ("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", "half_pixel_symmetric")
"""Coordinate modes that are read; the others crop."""

ROUNDINGS: dict[str, Callable[[Real], int]] = {
    "round_prefer_floor": lambda x: ceil(x - type(x)(0.5)),
    "round_prefer_ceil": lambda x: floor(x + type(x)(0.5)),
    "floor": floor,
    "ceil": ceil,
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Resize(_Picks):
    """Takes the nearest element for each of the result, along each axis."""

    onnx: ClassVar[tuple[str, ...]] = ("Resize", "Upsample")
    attributes: ClassVar[Mapping[str, Sequence[str]]] = {
        "Resize": (
            "axes",
            "coordinate_transformation_mode",
            "keep_aspect_ratio_policy",
            "mode",
            "nearest_mode",
            "antialias",
            "cubic_coeff_a",
            "exclude_outside",
            "extrapolation_value",
        ),
        "Upsample": ("mode", "scales"),
    }
    """The last four of ``Resize`` are of interpolation, and of places outside, neither of which the
    nearest element needs."""

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> Sequence[Op]:
        mode = node.attributes.get("mode", "nearest")
        if mode != "nearest":
            raise node.refuse(
                "a resize that interpolates", code="HW217", found=f"mode = {mode!r}",
                supported="mode = 'nearest'; 'linear' where all weights are binary fractions",
                help="resize by 2, 4 or 8, or train with Upsample(mode='nearest')",
            )  # fmt: skip
        (x, *_), shape = node.activations, node.output_shape
        if shape[0] != 1:
            raise batch_moved(node, "resize", f"{(1, *x.shape)} becomes {shape}")
        require_size(node)
        factors = _factors(node)
        policy = node.attributes.get("keep_aspect_ratio_policy", "stretch")
        if policy != "stretch":
            raise node.refuse(
                "a resize that keeps the aspect ratio", code="HW217",
                found=f"keep_aspect_ratio_policy = {policy!r}", supported="'stretch'",
                help="give the sizes or factors of both axes",
            )  # fmt: skip
        picked = {}
        for axis, size in zip(node.axes, x.shape, strict=True):
            factor = factors.get(axis, Fraction(shape[axis], size))
            if factor != 1 or shape[axis] != size:
                picked[axis] = _nearest(node, size, shape[axis], factor)
        return [cls(indices=by_axes(node, picked))] if picked else []

    @classmethod
    def examples(cls) -> Iterable[Example]:
        x = TensorType.full((2, 3, 2), FixedType(5, 2))
        yield Example("twice", cls(indices=((0, 0, 1, 1), (0, 0, 1, 1, 2, 2), None)), (x,))
        yield Example("fewer", cls(indices=(None, (0, 2), None)), (x,))


def _factors(node: OnnxNode) -> dict[int, Fraction]:
    """Return the factor of each ONNX axis that has one; sizes of the result tell the others'."""
    place = 1 if node.op_type == "Upsample" or node.opset < 11 else 2
    given = node.constant(place)
    listed = node.attributes.get("scales") if given is None else given.values.ravel()
    if listed is None or not len(listed):
        return {}
    axes = node.attributes.get("axes") or range(len(node.axes) + 1)
    rank = len(node.axes) + 1
    return {int(a) % rank: Fraction(float(f)) for a, f in zip(axes, listed, strict=True)}


def _nearest(node: OnnxNode, size: int, wanted: int, factor: Fraction) -> tuple[int, ...]:
    """Return the index of the nearest element for each of the result along one axis.

    Raises:
        RefusedError: the coordinates are of a kind that is not read, or rounding in float32, which
            runtimes compute them in, decides between two elements.
    """
    old = node.op_type == "Upsample" or node.opset < 11  # defined as floor(i / scale)
    place = (
        "asymmetric" if old else node.attributes.get("coordinate_transformation_mode", PLACES[0])
    )
    name = "floor" if old else node.attributes.get("nearest_mode", "round_prefer_floor")
    if place not in PLACES or name not in ROUNDINGS:
        raise node.refuse(
            "a resize with these coordinates", code="HW217", found=f"{place}, {name}",
            supported=f"{', '.join(PLACES)}; {', '.join(ROUNDINGS)}",
            help="export nn.Upsample(scale_factor=2, mode='nearest')",
        )  # fmt: skip
    single = np.float32(float(factor))
    exact = [place_of(place, Fraction(i), size, wanted, factor) for i in range(wanted)]
    runtime = [place_of(place, np.float32(i), size, wanted, single) for i in range(wanted)]
    # before opset 11, runtimes take the next element when they leave some out
    picks = [ROUNDINGS[name], *([ceil] if old and factor < 1 else [])]
    found = [[pick(x) for x in line] for pick in picks for line in (exact, runtime)]
    if any(line != found[0] for line in found):
        raise node.refuse(
            "a resize whose nearest elements depend on rounding", code="HW217",
            found=f"{size} to {wanted} elements, {place}, {name}",
            supported="factors for which float32 and exact arithmetic find the same elements",
            help="resize by a whole factor",
        )  # fmt: skip
    return tuple(min(max(i, 0), size - 1) for i in found[0])


def place_of(mode: str, i: Real, size: int, wanted: int, factor: Real) -> Real:
    """Return where an element of the result lies among those of the operand.

    Source: ONNX operator definitions, Resize 19, ``coordinate_transformation_mode``.
    """
    number = type(i)
    half, one = number(0.5), number(1)
    if mode == "align_corners":
        return i * number(size - 1) / number(wanted - 1) if wanted > 1 else number(0)
    if mode == "asymmetric":
        return i / factor
    if mode == "pytorch_half_pixel" and wanted == 1:
        return number(0)
    shift = number(0)
    if mode == "half_pixel_symmetric":
        adjusted = number(wanted) / (factor * number(size))
        shift = number(size) / number(2) * (one - adjusted)
    return shift + (i + half) / factor - half
