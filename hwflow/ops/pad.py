"""Pad: elements around a value, constant or copied from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, ClassVar, Literal

import numpy as np

from hwflow.dataflow.pattern import Loop, Pattern, none, ones
from hwflow.fixed import FixedType, RawArray
from hwflow.ir.grid import Grid
from hwflow.ir.op import Example, HlsLayer, OnnxNode, Op
from hwflow.ir.scaled import OnIntegers, Operand, Scaled, grid_of, scale_refused
from hwflow.ir.tensor import TensorType
from hwflow.ops.shared.move import FILL, _Move, flat_index, moved

Mode = Literal["constant", "reflect", "edge", "wrap"]
MODES: tuple[Mode, ...] = ("constant", "reflect", "edge", "wrap")
"""ONNX's names, which numpy shares."""

MOST_STEPS = 2**16
"""What a padding may be at most, in steps of a scale, and in how many parts of one."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Pad(_Move):
    """Pads; zeros around spatial axes stream through, anything else is buffered in io_stream.

    Attributes:
        pads: elements before and after, for each axis without the batch.
        mode: where they come from.
        value: the constant of mode ``constant``.
    """

    onnx: ClassVar[tuple[str, ...]] = ("Pad",)
    infinite: ClassVar[tuple[str, ...]] = onnx
    attributes: ClassVar[Mapping[str, Sequence[str]]] = {"Pad": ("mode", "pads", "value")}

    pads: tuple[tuple[int, int], ...]
    mode: Mode = "constant"
    value: float = 0.0

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> Sequence[Op]:
        mode = next((m for m in MODES if m == node.attributes.get("mode", "constant")), None)
        if mode is None:
            raise node.refuse("unknown padding mode", code="HW217",
                found=f"mode = {node.attributes['mode']!r}",
                supported=", ".join(MODES))  # fmt: skip
        before, after = _pads(node)
        if min(*before, *after) < 0:
            raise node.refuse("negative padding", code="HW217", found=f"pads = {before + after}",
                supported="0 or more", help="use a slice to cut elements off")  # fmt: skip
        if before[0] or after[0]:
            raise node.refuse("padding of the batch axis", code="HW216",
                found=f"pads = {before + after}")  # fmt: skip
        constant = node.constant(2)
        value = node.attributes.get("value", 0.0)
        if constant is not None and constant.values.size:
            value = constant.values.flat[0]
        if not np.isfinite(value):
            raise node.refuse("padding with a value that is not finite", code="HW217",
                found=f"value = {value}", help="give MaxPool its own padding instead")  # fmt: skip
        if not any(before) and not any(after):
            return []
        pads = tuple((before[a], after[a]) for a in node.axes)
        return [cls(pads=pads, mode=mode, value=float(value))]

    @classmethod
    def scaled(cls, node: OnnxNode, *operands: Operand) -> Scaled | None:
        chain, x = cls.from_onnx(node), operands[0]
        pads = [op for op in chain if isinstance(op, Pad) and op.mode == "constant"]
        if not pads or x.meaning is None:
            return super().scaled(node, *operands)
        filled = _filled(x.grid, pads[0])
        if filled is None:
            if x.grid is None or x.grid.scale.size > 1 or np.any(x.grid.offset):
                return None
            raise scale_refused(
                node,
                found="padding with a value between two steps of the scale "
                f"{float(x.grid.scale[0]):g}",
                supported="0, and whole multiples of the scale",
                help="pad with 0, or with a multiple of the scale",
            )
        near = replace(filled, mode="edge")  # what stands around takes the scale of its neighbour
        around = moved(x.meaning, [near], x.type.shape)
        return OnIntegers([filled], grid_of(around, x.type))  # half a step takes a finer type

    @property
    def fill(self) -> float:
        """The constant that stands where no input element goes."""
        return self.value

    def sources(self, shape: tuple[int, ...]) -> RawArray:
        index = flat_index(shape)
        if self.mode == "constant":
            return np.pad(index, self.pads, constant_values=FILL)
        return np.pad(index, self.pads, mode=self.mode)

    def lower(self, *inputs: TensorType) -> HlsLayer:
        (x,) = inputs
        zeros = self.mode == "constant" and self.value == 0 and self.pads[-1] == (0, 0)
        if not zeros or len(x.shape) not in (2, 3) or self.infer(x).dtype != x.dtype:
            return super().lower(x)
        out = self.infer(x).shape
        left, right = self.pads[-2]
        attributes = {
            "in_width": x.shape[-2], "out_width": out[-2], "n_chan": x.channels,
            "pad_left": left, "pad_right": right, "data_format": "channels_last",
        }  # fmt: skip
        if len(x.shape) == 3:
            top, bottom = self.pads[0]
            attributes |= {
                "in_height": x.shape[0], "out_height": out[0], "pad_top": top, "pad_bottom": bottom,
            }  # fmt: skip
        return HlsLayer(class_name=f"ZeroPadding{len(x.shape) - 1}D", attributes=attributes)

    def tokens(self, counts: Sequence[int], *inputs: TensorType) -> Pattern:
        layer = self.lower(*inputs)
        return super().tokens(counts, *inputs) if layer.kernel else zero_padding(layer.attributes)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        x = TensorType.full((3, 4, 2), FixedType(5, 2))
        unsigned = TensorType.full((5, 3), FixedType(4, 1, signed=False))
        spatial = ((1, 0), (2, 1), (0, 0))
        yield Example("zeros", cls(pads=spatial), (x,))
        yield Example("zeros_1d", cls(pads=((2, 3), (0, 0))), (unsigned,))
        yield Example("zeros_cast", cls(pads=spatial, result_t=FixedType(4, 2)), (x,))
        yield Example("channels", cls(pads=((0, 0), (0, 0), (0, 2))), (x,))
        yield Example("finer", cls(pads=((1, 1), (0, 1)), value=-0.0625), (unsigned,))
        yield Example("reflect", cls(pads=((1, 2), (2, 1), (0, 0)), mode="reflect"), (x,))
        yield Example("edge", cls(pads=((1, 1), (0, 0)), mode="edge"), (unsigned,))


def zero_padding(attributes: Mapping[str, Any]) -> Pattern:
    """Return what hls4ml's zero padding does with its streams (``nnet_padding_stream.h``).

    Args:
        attributes: what hls4ml is told of the layer.
    """
    left, width, right = (attributes[k] for k in ("pad_left", "in_width", "pad_right"))
    zeros = [Loop(none(1, n), ones(n)) for n in (left, right)]
    row = [zeros[0], Loop(ones(1, width), ones(width)), zeros[1]]
    if "in_height" not in attributes:
        return Pattern.of(row)
    empty = Loop(none(1, attributes["out_width"]), ones(attributes["out_width"]))
    above, below = attributes["pad_top"], attributes["pad_bottom"]
    return Pattern.of([*[empty] * above, *row * attributes["in_height"], *[empty] * below])


def _pads(node: OnnxNode) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the padding before and after each ONNX axis, batch included."""
    rank = len(node.axes) + 1
    constant = node.constant(1)
    given = node.attributes.get("pads", None if constant is None else constant.values.ravel())
    if given is None:
        raise node.refuse("padding that is computed at run time", code="HW217")
    pads = [int(p) for p in given]
    chosen = node.constant(3)
    axes = list(range(rank)) if chosen is None else [int(a) % rank for a in chosen.values.ravel()]
    if len(pads) != 2 * len(axes):
        raise node.refuse("invalid pads", code="HW217", found=f"pads = {tuple(pads)}",
            supported=f"{2 * len(axes)} numbers")  # fmt: skip
    before, after = [0] * rank, [0] * rank
    for i, axis in enumerate(axes):
        before[axis], after[axis] = pads[i], pads[len(axes) + i]
    return tuple(before), tuple(after)


def _filled(grid: Grid | None, pad: Pad) -> Pad | None:
    """Return the padding with the integer that stands for its value, where there is one.

    Zero is zero on any scale; another value asks for one scale, of which it is a multiple.
    """
    if grid is None or (not pad.value and not np.any(grid.offset)):
        return None if grid is None else pad
    if grid.scale.size > 1 or grid.offset.size > 1:
        return None
    offset, scale = (Fraction(part.ravel()[0]) for part in (grid.offset, grid.scale))
    steps = (Fraction(pad.value) - offset) / scale
    if steps.denominator & (steps.denominator - 1) or abs(steps) >= MOST_STEPS:
        return None
    fits = steps.denominator <= MOST_STEPS
    return replace(pad, value=float(steps)) if fits else None
