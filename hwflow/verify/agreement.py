"""The record of one comparison: two computations of the same network, layer by layer.

There are two statements about a design, never mixed.

*Faithful*: the Python simulation and the compiled C++ agree in every bit of every layer; and so
does the golden model, where there is one.
*Lossless*: the hardware's numbers are those of the trained model in exact arithmetic, at every
quantiser and output.

``words.statements`` puts the record into words, ``json`` into plain data.
"""

from __future__ import annotations

from dataclasses import dataclass

from hwflow.verify.port_loss import PortLoss
from hwflow.verify.verdict.state import Verdict


@dataclass(frozen=True)
class LayerMatch:
    """How many values of one layer agree.

    Attributes:
        name: the layer.
        origin: its framework name.
        elements: values compared.
        mismatches: values that differ.
        float32_differs: values that float32 execution of the model rounds differently from exact
            arithmetic; None where that was not compared.
    """

    name: str
    origin: str
    elements: int
    mismatches: int
    float32_differs: int | None = None


@dataclass(frozen=True, kw_only=True)
class Divergence:
    """The first place where two computations differ.

    Attributes:
        layer: name of the first layer that differs, in order of computation.
        origin: its framework name.
        index: sample and position of the element, channels last.
        expected: value in the simulation, or in the trained model.
        found: value in the C++, or in the hardware; None where it is not a finite number.
        steps: ``found - expected`` in steps of the layer's type; None likewise.
        cause: what this difference looks like.
        reproducer: file with the saved inputs and values, or empty.
    """

    layer: str
    origin: str
    index: tuple[int, ...]
    expected: float
    found: float | None
    steps: float | None
    cause: str
    reproducer: str


@dataclass(frozen=True)
class Float32Match:
    """Where float32 execution of the model differs from exact arithmetic.

    Attributes:
        elements: values of quantisers compared.
        differs: those with another level.
        first: framework name of the first layer with such a value, or empty.
        unquantized: values of outputs that no quantiser gives.
        unquantized_differs: those that are not the float32 nearest to the exact result.
    """

    elements: int
    differs: int
    first: str
    unquantized: int
    unquantized_differs: int


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """The outcome of comparing two computations layer by layer.

    Attributes:
        holds: every compared value agrees.
        samples: size of the batch.
        layers: one entry per compared layer, in order.
        first: where they first differ, or None.
        float32: how float32 execution of the model compares with the same judge; None where the
            judge is float32 itself, or no model.
        float32_only: why the judge is float32 and not exact arithmetic; empty where it is not.
        verdict: what the hardware is to the model; None where no model is compared.
        ports: input ports that change numbers of the data, beside the model's own quantisers.
    """

    holds: bool
    samples: int
    layers: tuple[LayerMatch, ...]
    first: Divergence | None = None
    float32: Float32Match | None = None
    float32_only: str = ""
    verdict: Verdict | None = None
    ports: tuple[PortLoss, ...] = ()

    def __repr__(self) -> str:
        """Return the answer and the counts in one line."""
        return f"Agreement: {self}"

    def __str__(self) -> str:
        """Return the same without the name."""
        text = f"{self.answer}, {self.counted} values differ"
        return text if self.first is None else f"{text}, first in {self.first.layer}"

    @property
    def answer(self) -> str:
        """Whether the two agree, in a word: ``yes``, ``no`` or ``approximate``."""
        if self.verdict is not None:
            return self.verdict.answer
        return "yes" if self.holds else "no"

    @property
    def counted(self) -> str:
        """How many values of how many differ, e.g. ``3 of 300``."""
        return f"{self.mismatches:,} of {self.elements:,}"

    @property
    def elements(self) -> int:
        """Number of compared values over all layers."""
        return sum(layer.elements for layer in self.layers)

    @property
    def mismatches(self) -> int:
        """Number of differing values over all layers."""
        return sum(layer.mismatches for layer in self.layers)
