"""What an entry of the table of HGQ constructs is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

EXACT = "exact"
"""Outcome of what is built; any other outcome is the codes of the refusal."""

VECTOR = (6,)
SERIES = (6, 3)
IMAGE = (6, 6, 2)

Body = Callable[[Any, Any, Any, Any], Any]
"""Takes ``keras``, ``hgq.layers``, ``QuantizerConfig`` and a tensor; returns a tensor."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One construct.

    Attributes:
        name: as the documentation lists it; unique.
        body: appends the construct to a tensor.
        outcome: ``EXACT``, or the codes of the refusal.
        shape: of the input, without the batch.
        scope: settings of the quantisers of activations, unless the body gives others.
        tables: whether quantisers of one format for all elements get 7 bits instead of random ones.
        note: for the documentation.
    """

    name: str
    body: Body
    outcome: str = EXACT
    shape: tuple[int, ...] = VECTOR
    scope: Mapping[str, Any] = field(default_factory=dict)
    tables: bool = False
    note: str = ""

    @property
    def refused(self) -> bool:
        """Whether no project is made of it."""
        return self.outcome != EXACT
