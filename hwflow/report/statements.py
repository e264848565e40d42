"""The parts of a report that say whether two computations agree.

A report holds the comparisons themselves; its JSON holds the forms below, which count the layers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

from pydantic import InstanceOf, PlainSerializer

from hwflow.ir.qonnx.model import printable
from hwflow.verify.agreement import Agreement, Divergence, Float32Match, LayerMatch
from hwflow.verify.verdict.state import Approximation, Verdict


@dataclass(frozen=True)
class MatchData:
    """How many values of one layer agree in a comparison.

    Attributes:
        elements: values compared.
        mismatches: values that differ.
        float32_differs: values that float32 execution of the model rounds differently from exact
            arithmetic; None where that was not compared.
    """

    elements: int
    mismatches: int
    float32_differs: int | None


@dataclass(frozen=True, kw_only=True)
class VerdictData:
    """What the hardware is to the trained model.

    Attributes:
        state: ``lossless``, ``approximate`` or ``not lossless``.
        text: the verdict in one line, worded as everywhere.
        reasons: what each approximate layer does, in words.
        because: the approximate layers, in order of computation.
        at_most: largest difference of an output from the trained model's, measured on the data.
        bound: proven largest difference of an output; None where none is proven.
        apart: whether layers behind approximate ones were judged apart from them.
    """

    state: str
    text: str
    reasons: tuple[str, ...]
    because: tuple[Approximation, ...]
    at_most: float
    bound: float | None
    apart: bool


@dataclass(frozen=True, kw_only=True)
class StatementData:
    """One of the two statements about the design.

    Attributes:
        holds: every compared value agrees.
        samples: size of the data.
        layers: how many layers were compared.
        elements: how many values were compared.
        mismatches: how many of them differ.
        first: where they first differ; None where they do not.
        float32: where float32 execution of the model differs from exact arithmetic; None where the
            judge is not exact arithmetic.
        float32_only: why a model is judged by float32 execution; empty where it is not.
        verdict: what the hardware is to the model; None where no model is compared.
    """

    holds: bool
    samples: int
    layers: int
    elements: int
    mismatches: int
    first: Divergence | None
    float32: Float32Match | None
    float32_only: str
    verdict: VerdictData | None


def printable_agreement(agreement: Agreement | None) -> Agreement | None:
    """Return a comparison with every text in one line of characters that can be seen."""
    if agreement is None:
        return None
    first, float32, verdict = agreement.first, agreement.float32, agreement.verdict
    return replace(
        agreement,
        layers=tuple(replace(n, origin=printable(n.origin or n.name)) for n in agreement.layers),
        first=None if first is None else _printable_divergence(first),
        float32=None if float32 is None else replace(float32, first=printable(float32.first)),
        float32_only=one_line(agreement.float32_only),
        verdict=None if verdict is None else _printable_verdict(verdict),
    )


def _printable_divergence(first: Divergence) -> Divergence:
    return replace(
        first,
        origin=printable(first.origin or first.layer),
        cause=one_line(first.cause),
        reproducer=one_line(first.reproducer),
    )


def _printable_verdict(verdict: Verdict) -> Verdict:
    because = tuple(
        replace(each, origin=printable(each.origin or each.layer), why=one_line(each.why))
        for each in verdict.because
    )
    return replace(verdict, because=because, ports=tuple(map(one_line, verdict.ports)))


def one_line(text: str) -> str:
    """Return a text of any length without line breaks and characters that cannot be seen."""
    return "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))


def _match_data(layer: LayerMatch) -> MatchData:
    return MatchData(layer.elements, layer.mismatches, layer.float32_differs)


def _statement_data(agreement: Agreement) -> StatementData:
    verdict = agreement.verdict
    return StatementData(
        holds=agreement.holds,
        samples=agreement.samples,
        layers=len(agreement.layers),
        elements=agreement.elements,
        mismatches=agreement.mismatches,
        first=agreement.first,
        float32=agreement.float32,
        float32_only=agreement.float32_only,
        verdict=None if verdict is None else _verdict_data(verdict),
    )


def _verdict_data(verdict: Verdict) -> VerdictData:
    return VerdictData(
        state=verdict.state.value,
        text=str(verdict),
        reasons=tuple(verdict.reasons()),
        because=verdict.because,
        at_most=verdict.at_most,
        bound=verdict.bound,
        apart=verdict.apart,
    )


ReportedMatch = Annotated[
    InstanceOf[LayerMatch], PlainSerializer(_match_data, return_type=MatchData)
]
"""How many values of a layer agree, of which JSON has ``MatchData``."""

ReportedAgreement = Annotated[
    InstanceOf[Agreement], PlainSerializer(_statement_data, return_type=StatementData)
]  # fmt: skip
"""A comparison, of which JSON has ``StatementData``."""
