"""Sums of products of integers, exact at any size, with float64 matrix products where they are."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from hwflow.ir.grid import Rationals, rationals
from hwflow.verify.references.exact.values import (
    F64,
    LIMIT,
    Leaf,
    Raw,
    common_step,
    compact,
    largest,
    multiples,
)

_EXACT = 2**53
"""Float64 adds and multiplies whole numbers below this without rounding."""


def matmul(a: Raw, b: Raw) -> Raw:
    """Return ``a @ b`` of integers, exactly; int64 where the results fit."""
    terms = a.shape[-1]
    bound = max(largest(a), 1) * max(largest(b), 1) * terms
    if bound < _EXACT:
        return (a.astype(np.float64) @ b.astype(np.float64)).astype(np.int64)
    bits = (52 - terms.bit_length()) // 2
    low = np.int64 if bound < LIMIT else object
    total: Raw = np.zeros((), low)
    for i, left in enumerate(_digits(a, bits)):
        for j, right in enumerate(_digits(b, bits)):
            part = (left @ right).astype(np.int64).astype(low)
            total = total + part * (2 ** (bits * (i + j)))
    return compact(total)


def _digits(values: Raw, bits: int) -> list[F64]:
    """Return whole numbers as digits to the base ``2**bits``, the lowest first, with signs."""
    digits: list[F64] = []
    sign, rest = np.where(values < 0, -1, 1), np.abs(values)
    while not digits or rest.any():
        digits.append((rest & (2**bits - 1)).astype(np.float64) * sign.astype(np.float64))
        rest = rest >> bits
    return digits


def weight_integers(weights: F64, axis: int) -> tuple[Raw, Rationals]:
    """Return weights as small integers and one exact scale for each entry of an axis.

    Args:
        weights: any finite float64 numbers.
        axis: the one along which each entry has its own scale.

    Returns:
        Integers of the same shape; scales of shape ``(n,)``.
    """
    rows = np.moveaxis(weights, axis, 0)
    whole = np.empty(rows.shape, object)
    scales = np.empty(len(rows), object)
    for i, row in enumerate(rows):
        values, inverse = np.unique(row, return_inverse=True)
        exact = rationals(values)
        scales[i] = common_step(exact)
        whole[i] = multiples(exact, scales[i])[inverse].reshape(row.shape)
    return compact(np.moveaxis(whole, 0, axis)), scales


def offset_leaf(tensor: Leaf) -> Leaf:
    """Return the offset of a tensor as integers of one sample with one scale."""
    spread = np.broadcast_to(tensor.offset, tensor.shape)
    step = common_step(spread)
    raw = multiples(np.array(spread, object), step)
    one = np.full((1,) * raw.ndim, step, object)
    return Leaf(raw[None], one, one * Fraction(0))


def batches(samples: int, elements: int) -> int:
    """Return how many samples to take at once where each takes so many elements of memory."""
    return max(1, min(samples, math.ceil(2**23 / max(elements, 1))))
