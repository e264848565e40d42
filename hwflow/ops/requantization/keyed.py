"""What is asked, as a key of caches: what has the same digest is solved once."""

from __future__ import annotations

from typing import Generic, Protocol, TypeVar


class HasKey(Protocol):
    """What has a digest that equal ones share."""

    @property
    def key(self) -> str:
        """The digest."""


T = TypeVar("T", bound=HasKey)


class Keyed(Generic[T]):
    """An object that equals those with the same digest."""

    def __init__(self, asked: T) -> None:
        """Wrap an object."""
        self.asked = asked

    def __hash__(self) -> int:
        """Return the hash of the digest."""
        return hash(self.asked.key)

    def __eq__(self, other: object) -> bool:
        """Return whether the digests are the same."""
        return isinstance(other, Keyed) and bool(other.asked.key == self.asked.key)
