"""What an entry of the table of Keras constructs is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

EXACT = "exact"
APPROXIMATE = "approximate"
"""Outcomes of what is built; any other outcome is the codes of the refusal."""

VECTOR = (6,)
SERIES = (8, 3)
IMAGE = (6, 6, 2)

Body = Callable[[Any, Any, Any], Any]
"""Takes ``tf_keras.layers``, ``qkeras`` and a tensor; returns a tensor."""

NARROW = "quantized_bits(5, 2, alpha=1)"
"""First quantiser before layers: 1/4 steps from -4."""

WIDE = "quantized_bits(12, 4, alpha=1)"
"""First quantiser before other quantisers: fine enough to meet their ties."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One construct.

    Attributes:
        name: as the documentation lists it; unique.
        body: appends the construct to a tensor.
        outcome: ``EXACT``, ``APPROXIMATE`` or the codes of the refusal.
        shape: of the input, without the batch.
        first: the quantiser of the input.
        last: the quantiser behind, where float32 rounds the results of the construct itself.
        note: for the documentation.
    """

    name: str
    body: Body
    outcome: str = EXACT
    shape: tuple[int, ...] = VECTOR
    first: str = NARROW
    last: str = ""
    note: str = ""

    @property
    def refused(self) -> bool:
        """Whether no project is made of it."""
        return self.outcome not in (EXACT, APPROXIMATE)

    def __call__(self, layers: Any, qkeras: Any, x: Any) -> Any:
        """Append the construct between its quantisers."""
        x = qkeras.QActivation(self.first)(x)
        x = self.body(layers, qkeras, x)
        return qkeras.QActivation(self.last)(x) if self.last else x


def activation(quantizer: str, outcome: str = EXACT, note: str = "", last: str = "") -> Case:
    """Return the case of a quantiser or function, as a text, in ``QActivation``."""
    return Case(
        name=f'QActivation("{quantizer}")',
        body=lambda k, q, x: q.QActivation(quantizer)(x),
        outcome=outcome,
        first=WIDE,
        last=last,
        note=note,
    )


def weight(quantizer: str, outcome: str = EXACT, last: str = "", note: str = "") -> Case:
    """Return the case of a quantiser, as a text, of the weights of ``QDense``."""
    return Case(
        name=f'QDense, kernel_quantizer="{quantizer}"',
        body=lambda k, q, x: q.QDense(4, kernel_quantizer=quantizer, use_bias=False)(x),
        outcome=outcome,
        last=last,
        note=note,
    )
