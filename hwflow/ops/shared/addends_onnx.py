"""The tables of an ONNX ``LookupDense``, at the bits that hardware reads of its operand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hwflow.fixed import FixedArray, RawArray
from hwflow.ir.onnx_node import OnnxNode
from hwflow.ir.qonnx.lookup_dense import OPERANDS
from hwflow.ir.tensor import TensorType
from hwflow.ops.shared.addends import Addends
from hwflow.ops.shared.constants import MAX_WEIGHT_WIDTH

WIDEST = 12
"""Most bits that a table is read at: 4096 entries."""

MOST = 1 << 24
"""Most entries of all tables of a layer."""

FARTHEST = 62
"""Farthest binary point of a grid, and most steps to its first point."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False, kw_only=True)
class Given:
    """The constants of a node, checked.

    Attributes:
        first: place of the first point of each input's grid, counted from 0 in steps.
        fractional: bits right of the binary point of the step.
        count: points of the grid.
        source: input of each member of each table, ``(outputs, tables, members)``.
        stride: how far a step of it moves the index.
        start: index of a table's first value, ``(outputs, tables)``.
        values: values of all tables.
    """

    first: RawArray
    fractional: RawArray
    count: RawArray
    source: RawArray
    stride: RawArray
    start: RawArray
    values: FixedArray


def read_given(node: OnnxNode, channels: int) -> Given:
    """Return the constants of a node.

    Raises:
        RefusedError: HW372, they contradict each other; HW371, a grid is none of binary fractions;
            HW370, the values are not quantised.
    """
    parts: dict[str, Floats] = {}
    for place, name in enumerate(OPERANDS, 1):
        constant = node.constant(place)
        if constant is None:
            raise node.refuse("tables that are not constant", code="HW372", found=name)
        parts[name] = np.asarray(constant.values, np.float64)
    _check_shapes(node, parts, channels)
    first, fractional = _grid(node, parts)
    whole = {n: parts[n].astype(np.int64) for n in ("count", "source", "stride", "start")}
    return Given(first=first, fractional=fractional, values=_values(node, parts), **whole)


def _check_shapes(node: OnnxNode, parts: dict[str, Floats], channels: int) -> None:
    shape = parts["source"].shape
    expected: dict[str, tuple[int, ...]] = {
        "source": shape, "stride": shape, "start": shape[:2],
        "values": (parts["values"].size,),
    } | dict.fromkeys(("first", "step", "count"), (channels,))  # fmt: skip
    wrong = [n for n, wanted in expected.items() if parts[n].shape != wanted]
    if len(shape) != 3 or 0 in shape:
        wrong = ["source"]
    whole = [n for n in ("count", "source", "stride", "start") if (parts[n] % 1).any()]
    if wrong or whole:
        name = (wrong or whole)[0]
        raise node.refuse(
            "tables whose constants do not fit together", code="HW372",
            found=f"{name} of shape {parts[name].shape}" if wrong else f"fractions in {name}",
            supported=f"{name} of shape {expected[name]}" if name != "source"
            else "source of shape (outputs, tables, members), none of them 0",
        )  # fmt: skip
    source = parts["source"]
    if source.min() < 0 or source.max() >= channels or parts["count"].min() < 1:
        raise node.refuse(
            "tables of inputs that are not there", code="HW372",
            found=f"sources {source.min():.0f} to {source.max():.0f} of {channels} inputs",
        )  # fmt: skip


def _grid(node: OnnxNode, parts: dict[str, Floats]) -> tuple[RawArray, RawArray]:
    """Return the first place and the fractional bits of each grid."""
    step = parts["step"]
    mantissa, exponent = np.frexp(np.abs(step))
    with np.errstate(all="ignore"):
        first = parts["first"] / step
        fits = (step > 0) & (mantissa == 0.5) & (np.abs(exponent) <= FARTHEST)
        fits &= (first == np.rint(first)) & (np.abs(first) < 2.0**FARTHEST)
    if not fits.all():
        at = int(np.argmin(fits))
        raise node.refuse(
            "tables on a grid of other than binary fractions", code="HW371",
            found=f"from {parts['first'][at]:g} in steps of {step[at]:g}, input {at}",
            supported="steps that are powers of two, from a multiple of the step on",
            help="give the quantiser in front of the layer a scale that is a power of two",
        )  # fmt: skip
    return first.astype(np.int64), 1 - exponent.astype(np.int64)


def _values(node: OnnxNode, parts: dict[str, Floats]) -> FixedArray:
    try:
        found = FixedArray.exactly(parts["values"])
    except (OverflowError, ValueError):
        found = None
    if found is not None and found.dtype.width <= MAX_WEIGHT_WIDTH:
        return found
    raise node.refuse(
        "tables whose values are not quantised", code="HW370",
        found="floating-point values" if found is None else f"values of {found.dtype.width} bits",
        supported=f"multiples of a power of two, of at most {MAX_WEIGHT_WIDTH} bits",
        help="train with a quantiser behind the tables (HGQ2: toq_conf)",
    )  # fmt: skip


def addends_of(node: OnnxNode, given: Given, x: TensorType) -> tuple[Addends, FixedArray]:
    """Return the tables that are not constant, and the sum of the others for each output.

    What lies between two points of a grid belongs to the one below, and what lies beyond its ends
    to the end, as the node defines it.

    Args:
        node: for messages.
        given: its constants.
        x: the operand, whose proven range says which entries there are.

    Raises:
        RefusedError: HW371, a table is too large; HW372, a table has no value at an index.
    """
    drop = x.dtype.fractional - given.fractional
    low, high = ((end >> np.maximum(drop, 0)) << np.maximum(-drop, 0) for end in (x.lo, x.hi))
    bits = np.array([int(n).bit_length() for n in high - low], np.int64)
    outputs, terms, members = given.source.shape
    source = given.source.reshape(-1, members)
    _check_sizes(node, bits[source].sum(axis=1))
    pattern = np.arange(1 << int(bits[source].max(initial=0)))
    reached = low[:, None] + ((pattern - low[:, None]) & ((1 << bits) - 1)[:, None])
    place = np.clip(
        np.minimum(reached, high[:, None]) - given.first[:, None], 0, given.count[:, None] - 1
    )
    tables = _entries(node, given, source, bits, place)
    varies = np.array([bool((t != t[0]).any()) for t in tables])
    bias = np.zeros(outputs, np.int64)
    target = np.repeat(np.arange(outputs), terms)
    np.add.at(bias, target[~varies], np.array([t[0] for t in tables])[~varies])
    kept = [t for t, alive in zip(tables, varies, strict=True) if alive]
    _fold(kept, target[varies], bias)
    raw = np.concatenate(kept) if kept else np.zeros(0, np.int64)
    fractional = given.values.dtype.fractional
    addends = Addends(
        source=source[varies], target=target[varies], fractional=given.fractional, bits=bits,
        entries=FixedArray.narrowest(raw, fractional),
    )  # fmt: skip
    return addends, FixedArray.narrowest(bias, fractional)


def _check_sizes(node: OnnxNode, bits: RawArray) -> None:
    widest, total = int(bits.max(initial=0)), float(np.exp2(bits).sum())
    if widest <= WIDEST and total <= MOST:
        return
    raise node.refuse(
        "tables with too many entries", code="HW371",
        found=f"a table read at {widest} bits" if widest > WIDEST else f"{total:.0f} entries",
        supported=f"tables read at no more than {WIDEST} bits, {MOST} entries in all",
        help="give the quantiser in front of the layer fewer bits",
    )  # fmt: skip


def _entries(
    node: OnnxNode, given: Given, source: RawArray, bits: RawArray, place: RawArray
) -> list[RawArray]:
    """Return the entries of every table by the bits that are read."""
    stride, start = given.stride.reshape(source.shape), given.start.ravel()
    found: list[Any] = [None] * len(source)
    widths = bits[source]
    for shape in np.unique(widths, axis=0):
        which = np.flatnonzero((widths == shape).all(axis=1))
        index = start[which][:, None]
        for member, width in enumerate(shape.tolist()):
            moved = place[source[which, member], : 1 << width] * stride[which, member, None]
            index = (index[:, :, None] + moved[:, None, :]).reshape(len(which), -1)
        if index.min(initial=0) < 0 or index.max(initial=0) >= len(given.values.raw):
            raise node.refuse(
                "a table without a value at an index", code="HW372",
                found=f"indices {index.min()} to {index.max()} of {len(given.values.raw)} values",
            )  # fmt: skip
        for table, entries in zip(which.tolist(), given.values.raw[index], strict=True):
            found[table] = entries
    return found


def _fold(tables: list[RawArray], target: RawArray, bias: RawArray) -> None:
    """Add what is constant to a table of each output, one on the finest grid: it has the bits."""
    for output in np.unique(target).tolist():
        own = np.flatnonzero(target == output).tolist()
        joined = [int(np.bitwise_or.reduce(tables[t])) for t in own]
        finest = own[int(np.argmin([low & -low for low in joined]))]
        tables[finest] = tables[finest] + bias[output]
        bias[output] = 0
