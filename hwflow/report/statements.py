"""The parts of a report that say whether two computations agree."""

from __future__ import annotations

import math

from hwflow.ir.graph import Graph
from hwflow.ir.qonnx.model import printable
from hwflow.report.parts import ApproximationData, Float32Data, MatchData, VerdictData
from hwflow.report.schema import DivergenceData, StatementData
from hwflow.verify.agreement import Agreement, Float32Match
from hwflow.verify.verdict import Approximation, Verdict


def matches(agreement: Agreement | None) -> dict[str, MatchData]:
    """Return how many values of each layer agree, by its name."""
    layers = agreement.layers if agreement else ()
    return {
        layer.name: MatchData(layer.elements, layer.mismatches, layer.float32_differs)
        for layer in layers
    }


def statement(graph: Graph, agreement: Agreement | None, *, real: bool) -> StatementData | None:
    """Return what a report says about a comparison, or None where there was none.

    Args:
        graph: the hardware graph.
        agreement: the comparison.
        real: of real numbers of the model, and not of the hardware's own.
    """
    if agreement is None:
        return None
    first = agreement.first
    divergence = None
    if first is not None:
        finite = math.isfinite(first.found)
        steps = (first.found - first.expected) / _step(graph, first.layer, real=real)
        divergence = DivergenceData(
            layer=first.layer,
            origin=printable(first.origin or first.layer),
            index=first.index,
            expected=first.expected,
            found=first.found if finite else None,
            steps=steps if finite else None,
            cause=one_line(first.cause),
            reproducer=one_line(first.reproducer),
        )
    return StatementData(
        holds=agreement.holds,
        samples=agreement.samples,
        layers=len(agreement.layers),
        elements=sum(layer.elements for layer in agreement.layers),
        mismatches=agreement.mismatches,
        first=divergence,
        float32=_float32(agreement.float32),
        float32_only=one_line(agreement.float32_only),
        verdict=_verdict(agreement.verdict),
    )


def _verdict(verdict: Verdict | None) -> VerdictData | None:
    if verdict is None:
        return None
    return VerdictData(
        state=verdict.state.value,
        text=one_line(str(verdict)),
        reasons=tuple(map(one_line, verdict.reasons())),
        because=tuple(_approximation(each) for each in verdict.because),
        at_most=verdict.at_most,
        bound=verdict.bound,
        apart=verdict.apart,
    )


def _approximation(each: Approximation) -> ApproximationData:
    origin = printable(each.origin or each.layer)
    return ApproximationData(**{**vars(each), "origin": origin, "why": one_line(each.why)})


def _step(graph: Graph, layer: str, *, real: bool) -> float:
    """Return the step of a layer's type, or of the real numbers that its values stand for."""
    source, dtype = graph.by_name[layer].source, graph.types[layer].dtype
    return source.grid.step(dtype) if real and source is not None else dtype.step


def _float32(match: Float32Match | None) -> Float32Data | None:
    if match is None:
        return None
    return Float32Data(**{**vars(match), "first": printable(match.first)})


def one_line(text: str) -> str:
    """Return a text of any length without line breaks and characters that cannot be seen."""
    return "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))
