"""The verdict as a value, and its wording, which is the same wherever it is shown."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

NAMED = 2
"""Approximate layers that a verdict names."""


class State(StrEnum):
    """What the hardware's numbers are to the trained model's."""

    LOSSLESS = "lossless"
    """Hardware without a value that differs, and without an approximate layer."""
    APPROXIMATE = "approximate"
    """Layers are approximate, by nature or by rounded constants, and explain all that differs."""
    NOT_LOSSLESS = "not lossless"
    """Something differs that no such layer explains."""


@dataclass(frozen=True, kw_only=True)
class Approximation:
    """A layer that is approximate by nature or by rounded constants.

    Attributes:
        layer: its name.
        origin: its framework name.
        why: what makes it approximate.
        differs: values that differ from the exact function of the hardware's own operands.
        largest: largest such difference, measured on the data.
        bound: proven largest difference; None where none is proven.
    """

    layer: str
    origin: str
    why: str
    differs: int
    largest: float
    bound: float | None

    def __str__(self) -> str:
        """Return reason, measured and proven difference in one sentence."""
        proven = f", proven at most {self.bound:.3g}" if self.bound is not None else ""
        return (
            f"{self.layer}: {self.why}; alone at most {self.largest:.3g} on these samples{proven}"
        )


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the hardware is to the trained model, on the data.

    Attributes:
        state: one of the three.
        because: the approximate layers, in order of computation.
        at_most: largest difference of an output from the trained model's, measured on the data.
        bound: proven largest difference of an output; None where none is proven.
        apart: whether the layers behind approximate ones were judged apart from them, fed with the
            hardware's own values.
        ports: what input ports round and clip, where that changes results, a sentence each.
    """

    state: State
    because: tuple[Approximation, ...] = ()
    at_most: float = 0.0
    bound: float | None = None
    apart: bool = True
    ports: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return the verdict in one line."""
        if self.state is not State.APPROXIMATE:
            because = f" (because {' and '.join(self.ports)})" if self.ports else ""
            return self.state.value + because
        names = ", ".join(each.layer for each in self.because[:NAMED])
        if len(self.because) > NAMED:
            names += f" and {len(self.because) - NAMED} more"
        return f"approximate (because of {names}; {self.difference})"

    @property
    def approximate(self) -> bool:
        """Whether layers are approximate, and explain all that differs."""
        return self.state is State.APPROXIMATE

    @property
    def answer(self) -> str:
        """Whether the hardware is lossless, in a word."""
        return {State.LOSSLESS: "yes", State.NOT_LOSSLESS: "no"}.get(self.state, self.state.value)

    def reasons(self) -> list[str]:
        """Return what each approximate layer does, and on what that rests, a sentence each."""
        found = [str(each) for each in self.because]
        if self.because and not self.apart:
            found.append("layers behind approximate ones were not judged apart from them")
        return found

    def lines(self) -> list[str]:
        """Return the verdict and all that it rests on."""
        return [str(self), *self.reasons()]

    @property
    def difference(self) -> str:
        """The largest difference of an output in words."""
        if self.at_most == 0:
            text = "no output differs on these samples"
        else:
            text = f"outputs differ by at most {self.at_most:.3g} on these samples"
        return text if self.bound is None else f"{text}, proven at most {self.bound:.3g}"
