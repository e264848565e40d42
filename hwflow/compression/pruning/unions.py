"""Numbers that are found to be one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]


class Unions:
    """Sets of numbers, each known by its least one (union by the smaller number)."""

    def __init__(self) -> None:
        """Begin with no numbers."""
        self._parent: list[int] = []

    @property
    def size(self) -> int:
        """The first number that is not used yet."""
        return len(self._parent)

    def grow(self, count: int) -> None:
        """Add numbers, each in a set of its own."""
        self._parent.extend(range(self.size, self.size + count))

    def join(self, some: Ints, others: Ints) -> None:
        """Make the sets of numbers one, pair by pair.

        Args:
            some: numbers.
            others: as many.
        """
        pairs = np.unique(np.stack([some.ravel(), others.ravel()]), axis=1)
        for one, other in pairs.T.tolist():
            first, second = sorted((self._root(one), self._root(other)))
            self._parent[second] = first

    def roots(self, numbers: Ints) -> Ints:
        """Return the least number of the set of each number."""
        table = np.array([self._root(n) for n in range(self.size)], np.int64)
        return table[numbers] if numbers.size else numbers

    def _root(self, number: int) -> int:
        while self._parent[number] != number:
            self._parent[number] = self._parent[self._parent[number]]
            number = self._parent[number]
        return number
