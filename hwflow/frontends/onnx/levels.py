"""The levels of a quantiser that is written as arithmetic, and the ``Quant`` that gives them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from hwflow.frontends.qdq.forms import Step, formats, steps_of
from hwflow.frontends.qdq.parameters import Affine, LinearError

WIDEST = 2**24
"""Largest whole number up to which float32 tells all of them apart."""


@dataclass
class Levels:
    """Whole numbers ``round(x / scale)`` on the way from the division to the multiplication.

    Attributes:
        shift: what has been added to them.
        low: the narrowest lower bound, of the numbers without what was added.
        high: the narrowest upper bound, of the same numbers.
    """

    shift: int = 0
    low: int | None = None
    high: int | None = None

    def take(self, low: int | None, high: int | None) -> None:
        """Take bounds of the numbers as they are by now into account."""
        if low is not None:
            self.low = max(low - self.shift, self.low if self.low is not None else -WIDEST)
        if high is not None:
            self.high = min(high - self.shift, self.high if self.high is not None else WIDEST)

    def steps(
        self, scale: npt.NDArray[np.float32], rounding: str, *, odd: bool, at_port: bool
    ) -> Sequence[Step]:
        """Return what gives the levels times the scale; nothing where no ``Quant`` does.

        Args:
            scale: scale of the levels, which are bounded on both sides.
            rounding: a rounding mode of QONNX.
            odd: an odd number was added before the rounding, so that ties go to odd levels.
            at_port: the first step has to be a ``Quant``.
        """
        low, high = self.low, self.high
        assert low is not None
        assert high is not None
        if not -WIDEST < low < high < WIDEST:
            return []
        affine = Affine(scale, np.zeros((), np.int64), None)
        forms = formats(affine, np.asarray(low), np.asarray(high))
        if rounding != "ROUND":  # a number that is added to all makes no difference
            return [replace(form, rounding=rounding) for form in forms[:1]]
        forms = [form for form in forms if bool(np.any(form.zero % 2)) is odd]
        if forms or odd:
            return forms[:1]
        try:
            return steps_of(affine, low, high, rounds_first=at_port)
        except LinearError:
            return []
