"""Real numbers to the integers that the hardware takes, and back, in every bit as hwflow does.

The formulas are those of ``ap_fixed`` (AMD UG1399) for ports that a real number is assigned to, and
of QONNX's quantisers for ports whose scale is no power of two: divide, add the zero point, clamp,
then round, in exact arithmetic.
"""

from __future__ import annotations

import itertools
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from hwflow_ip.description import Port

WIDEST = 62
"""Bits of the widest type."""

MARGIN = 2.0**-50
"""Relative error, generously, of a division and an addition in float64."""

EXACT = 2**53
"""Integers up to here are exact in float64."""


def frames_of(values: Any, port: Port) -> Any:
    """Return real numbers as frames: one row of bytes a sample, as a DMA carries them.

    Args:
        values: shape (N, ...) as the model has it, or (N, elements) in the same order.
        port: the port that they go to.

    Raises:
        ValueError: the shape is another one, or a number is not finite.
    """
    said = port.said
    array = np.asarray(values)
    if array.ndim < 2 or array[:1].size != port.elements or not array.shape[0]:
        shape = ", ".join(map(str, said["model_shape"]))
        raise ValueError(f"{port.model_name} has shape (N, {shape}), not {array.shape}")
    array = array.reshape(len(array), *said["model_shape"]).astype(np.float64)
    if not np.isfinite(array).all():
        raise ValueError(f"{port.model_name} holds NaN or infinity")
    rows = array.transpose(0, *said["axes"]).reshape(len(array), -1)
    if said["element"]["numpy"] == "float32":
        return packed(rows, port)
    quantize = said["quantize"]
    return packed(_levels(rows, quantize) if quantize else _assigned(rows, said), port)


def packed(rows: Any, port: Port) -> Any:
    """Return what the lanes hold, shape (N, elements), as frames of bytes."""
    packing = port.said["packing"]
    kind = np.dtype(port.said["element"]["numpy"]).newbyteorder("<")
    bytes_ = np.ascontiguousarray(rows.astype(kind)).view(np.uint8)
    bytes_ = bytes_.reshape(len(rows), packing["frame_bytes"])
    return np.pad(bytes_, ((0, 0), (0, packing["stride_bytes"] - packing["frame_bytes"])))


def mantissas_of(frames: Any, port: Port) -> Any:
    """Return what the lanes of frames hold, shape (N, elements), in the hardware's order."""
    kind = np.dtype(port.said["element"]["numpy"]).newbyteorder("<")
    held = np.ascontiguousarray(frames[:, : port.said["packing"]["frame_bytes"]])
    return held.view(kind)


def values_of(frames: Any, port: Port) -> Any:
    """Return frames as real numbers: float64, shape (N, ...) as the model has it."""
    said = port.said
    lanes = mantissas_of(frames, port)
    rows = lanes.astype(np.float64) if lanes.dtype.kind == "f" else _real(lanes, said)
    if not said["axes"]:
        return rows.reshape(len(rows))
    order = np.argsort(said["axes"]).tolist()
    shaped = rows.reshape(len(rows), *said["shape"])
    return shaped.transpose(0, *(1 + axis for axis in order)).reshape(
        len(rows), *said["model_shape"]
    )


def _assigned(rows: Any, said: dict[str, Any]) -> Any:
    """Return the mantissas of doubles assigned to the type of a port."""
    element = said["element"]
    width, signed = element["width"], element["signed"]
    whole = _rounded(np.ldexp(rows, element["fractional_bits"]), said["rounding"])
    high = (1 << (width - signed)) - 1
    low = -high - 1 if signed else 0
    overflow = said["overflow"]
    if overflow == "WRAP":
        bits = np.fmod(whole, 2.0**width).astype(np.int64) & np.int64((1 << width) - 1)
        return np.where(bits > high, bits - np.int64(1 << width), bits) if signed else bits
    raw = np.clip(whole, -(2.0**WIDEST), 2.0**WIDEST).astype(np.int64)
    if overflow == "SAT_ZERO":
        return np.where((raw < low) | (raw > high), 0, raw)
    return np.clip(raw, low + (signed and overflow == "SAT_SYM"), high)


def _rounded(x: Any, rounding: str) -> Any:
    """Return doubles rounded to integers by one of ``ap_fixed``'s modes."""
    if rounding == "TRN":
        return np.floor(x)
    whole = np.trunc(x)
    rest, negative = np.abs(x - whole), x < 0
    tie = rest == 0.5
    away = {
        "TRN_ZERO": tie & False,
        "RND": tie & ~negative,
        "RND_MIN_INF": tie & negative,
        "RND_ZERO": tie & False,
        "RND_INF": tie,
        "RND_CONV": tie & (np.mod(whole, 2.0) != 0),
    }[rounding]
    up = (rest > 0.5) | away if rounding != "TRN_ZERO" else away
    return whole + np.where(up, np.where(negative, -1.0, 1.0), 0.0)


def _levels(rows: Any, quantize: dict[str, Any]) -> Any:
    """Return the levels that a QONNX quantiser gives, zero point taken off."""
    scale, zero = (_spread(quantize[k], rows.shape[1]) for k in ("scale", "zero_point"))
    low, high, mode = quantize["minimum"], quantize["maximum"], quantize["rounding"]
    if mode == "SIGN":
        return np.where(rows + zero * scale >= 0, 1.0, -1.0) - zero
    scaled = rows / scale + zero
    clamped = np.clip(scaled, low, high)
    levels = _nearest(clamped, mode)
    twice = 2 * clamped
    near = np.abs(twice - np.rint(twice)) <= 2 * MARGIN * (np.abs(scaled) + np.abs(zero))
    near &= (scaled > low - 1) & (scaled < high + 1)
    known: dict[tuple[float, float, float], int] = {}
    for row, column in zip(*np.nonzero(near)):  # noqa: B905 - Python 3.8 has no `strict`
        key = (float(rows[row, column]), float(scale[column]), float(zero[column]))
        if key not in known:
            exact = Fraction(key[0]) / Fraction(key[1]) + int(key[2])
            known[key] = _exactly(min(max(exact, Fraction(low)), Fraction(high)), mode)
        levels[row, column] = known[key]
    return levels - zero


def _nearest(x: Any, mode: str) -> Any:
    """Return doubles rounded to integers by one of QONNX's modes."""
    if mode in ("ROUND", "FLOOR", "CEIL", "DOWN"):
        name = {"ROUND": "rint", "FLOOR": "floor", "CEIL": "ceil", "DOWN": "trunc"}[mode]
        return getattr(np, name)(x)
    size = np.abs(x)
    if mode == "UP":
        return np.copysign(np.ceil(size), x)
    whole = np.floor(size)
    rest = size - whole
    return np.copysign(whole + (rest >= 0.5 if mode == "HALF_UP" else rest > 0.5), x)


def _exactly(x: Fraction, mode: str) -> int:
    """Return a fraction rounded to an integer by one of QONNX's modes."""
    floor = x.numerator // x.denominator
    rest, negative = x - floor, x < 0
    half = Fraction(1, 2)
    up = {
        "FLOOR": False,
        "CEIL": rest > 0,
        "DOWN": negative and rest > 0,
        "UP": not negative and rest > 0,
        "ROUND": rest > half or (rest == half and floor % 2 == 1),
        "HALF_UP": rest > half or (rest == half and not negative),
        "HALF_DOWN": rest > half or (rest == half and negative),
    }[mode]
    return floor + up


def _real(lanes: Any, said: dict[str, Any]) -> Any:
    """Return the real numbers of mantissas, each rounded once to float64."""
    scale = [Fraction(text) for text in said["exact_scale"]]
    offset = [Fraction(text) for text in said["exact_offset"]]
    exact = all(Fraction(float(s)) == s for s in scale) and not any(offset)
    if exact and int(np.abs(lanes.astype(np.float64)).max(initial=0)) < EXACT:
        return lanes * _spread([float(s) for s in scale], lanes.shape[1])
    rows = np.empty(lanes.shape, np.float64)
    places = [(i % len(scale), i % len(offset)) for i in range(lanes.shape[1])]
    for place, group in itertools.groupby(sorted((p, i) for i, p in enumerate(places)), _first):
        columns = [i for _, i in group]
        held, inverse = np.unique(lanes[:, columns], return_inverse=True)
        s, o = scale[place[0]], offset[place[1]]
        numbers = np.array([float(s * int(raw) + o) for raw in held.tolist()], np.float64)
        rows[:, columns] = numbers[inverse].reshape(len(lanes), len(columns))
    return rows


def _first(pair: Any) -> Any:
    return pair[0]


def _spread(numbers: Any, elements: int) -> Any:
    """Return one number an element of a list with one, one a channel, or one an element."""
    return np.resize(np.array(numbers, np.float64), elements)
