"""One node of the golden model, as the functions see it that make closures on torch tensors."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy.typing as npt

Array = npt.NDArray[Any]

Run = Callable[..., Any]
"""A function from the torch tensors of a node, None for an absent input, to its results."""


class RefusedError(Exception):
    """An error that names a form of an operator that is not known."""


class Call:
    """A node while its closure is made.

    Every attribute must be taken or expected; one that nobody asked for is refused.

    Attributes:
        known: the inputs that are constants, by place.
        outputs: how many results are wanted.
    """

    def __init__(
        self,
        attributes: Mapping[str, Any],
        known: Mapping[int, Array],
        computed: Collection[int] = (),
        outputs: int = 1,
    ) -> None:
        """Describe a node.

        Args:
            attributes: plain values.
            known: inputs that are constants, by place.
            computed: places of the inputs that are not; the others are left out.
            outputs: how many results are wanted.
        """
        self.known, self.outputs = known, outputs
        self._computed, self._left = computed, dict(attributes)

    def take(self, name: str, otherwise: Any) -> Any:
        """Return an attribute."""
        value = self._left.pop(name, otherwise)
        return value.decode() if isinstance(value, bytes) else value

    def expect(self, **only: Any) -> None:
        """Refuse attributes that have another value than the one that is known.

        Raises:
            RefusedError: one has.
        """
        for name, value in only.items():
            found = self.take(name, value)
            if found != value:
                raise RefusedError(f"{name} = {found}")

    def finish(self) -> None:
        """Refuse attributes that nobody asked for.

        Raises:
            RefusedError: there are some.
        """
        self.expect(**dict.fromkeys(self._left))

    def ints(self, place: int) -> list[int] | None:
        """Return a constant input of whole numbers, None where it is left out.

        Raises:
            RefusedError: it is not a constant.
        """
        if place in self._computed:
            raise RefusedError(f"input {place} is not a constant")
        value = self.known.get(place)
        return None if value is None else [int(v) for v in value.ravel()]

    def is_number(self, place: int) -> bool:
        """Return whether an input is left out or one constant number without axes."""
        return self.scalar(place) is not None or place not in {*self.known, *self._computed}

    def scalar(self, place: int) -> float | int | None:
        """Return an input that is one constant number without axes, else None."""
        value = self.known.get(place)
        return None if value is None or value.ndim else value.item()
