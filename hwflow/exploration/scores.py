"""Last products whose results tell classes apart as integers: one for each class, all different.

The real number of a class is ``scale * (result + shift)``, with one scale for all classes. Whole
numbers in the shifts are added to the results; their fractions only decide between equal ones, and
so are ranks. ``(result + whole) * base + rank`` is then greatest for the class that wins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from hwflow.exploration.joint import Joined, Joint
from hwflow.exploration.kernels import Mantissas, Product, exact_type
from hwflow.exploration.stages import FEED
from hwflow.exploration.table import Instance

Ints = npt.NDArray[np.int64]

CLOSE = 1e-12
"""Results that are nearer to each other, relative to the largest, are compared as numbers of
float64 are that the host computes. Two of its roundings are 2^-52."""


@dataclass(frozen=True, eq=False)
class Ranked:
    """How the results of one instance tell its classes apart.

    Attributes:
        whole: what is added to the result of each class.
        rank: what decides between equals, for each class.
    """

    whole: Ints
    rank: Ints


def ranked(instance: Instance, largest: float) -> Ranked | None:
    """Return how classes are told apart, or None where that is not a matter of integers.

    Args:
        instance: an instance of the last stage.
        largest: no result is larger.
    """
    assert instance.port is not None
    kind, grid = instance.piece.types[f"{FEED}{instance.stage}"], instance.port.grid
    if len(kind.shape) != 1 or len({Fraction(s) for s in grid.scale.ravel()}) != 1:
        return None
    scale = Fraction(grid.scale.ravel()[0]) / Fraction(2) ** kind.dtype.fractional
    if scale <= 0:
        return None
    classes = kind.channels
    shifts = [Fraction(o) / scale for o in np.broadcast_to(grid.offset.ravel(), (classes,))]
    size = largest + 2 * max(map(abs, shifts))
    order = sorted(range(classes), key=lambda c: (shifts[c] % 1, -c))
    for a, b in zip(order, [*order[1:], *order[:1]], strict=True):
        apart = (shifts[b] - shifts[a]) % 1
        if 0 < min(apart, 1 - apart) <= CLOSE * size:  # equal numbers are equal on the host, too
            return None
    rank = np.empty(classes, np.int64)
    rank[order] = np.arange(classes)
    return Ranked(np.array([s.numerator // s.denominator for s in shifts], np.int64), rank)


@dataclass(frozen=True, eq=False)
class Scores:
    """The scores of several instances on one operand.

    Attributes:
        product: gives them, for all instances.
        base: a power of two, no less than the number of classes.
        rank: the rank of each class, (instances, classes).
    """

    product: Joined
    base: int
    rank: Ints

    @classmethod
    def of(cls, instances: Sequence[Instance], joint: Joint) -> Scores | None:
        """Return scores, or None where classes are told apart otherwise."""
        if len(joint.products) != 1 or any(joint.after):
            return None
        (joined,) = joint.products
        products = [joined.products[joined.keys.index(key)] for key in joint.last]
        found = [ranked(i, p.largest) for i, p in zip(instances, products, strict=True)]
        ways = [way for way in found if way is not None]
        if len(ways) < len(found):
            return None
        base = 1 << (len(ways[0].rank) - 1).bit_length()
        pairs = list(zip(products, ways, strict=True))
        to = exact_type(max((p.largest + float(abs(w.whole).max()) + 1) * base for p, w in pairs))
        if to is None:
            return None
        scored = [_scored(p, w, base, to) for p, w in pairs]
        product = Joined.of(dict(enumerate(scored)), joined.operand)
        return cls(product, base, np.stack([w.rank for w in ways]))

    def ranks(self, x: Mantissas) -> npt.NDArray[np.int32]:
        """Return the ranks of the winners, (instances, samples)."""
        scores = self.product.sums(x)
        best = scores.reshape(*self.rank.shape, -1).max(axis=1)
        whole = best.astype(np.int32 if best.dtype == np.float32 else np.int64)
        found: npt.NDArray[np.int32] = (whole & (self.base - 1)).astype(np.int32, copy=False)
        return found

    def wanted(self, classes: npt.NDArray[np.integer]) -> npt.NDArray[np.int32]:
        """Return the rank of a class of each sample, (instances, samples); -1 for none.

        Args:
            classes: whole numbers, -1 for none.
        """
        found = np.where(classes < 0, -1, self.rank[:, np.maximum(classes, 0)])
        return found.astype(np.int32)


def _scored(product: Product, way: Ranked, base: int, to: type[np.floating]) -> Product:
    bias = (product.bias.astype(np.float64) + way.whole) * base + way.rank
    matrix = (product.matrix.astype(np.float64) * base).astype(to)
    return replace(product, matrix=matrix, bias=bias.astype(to))
