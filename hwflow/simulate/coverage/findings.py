"""Findings about the data: it tries little of a design, or does not fit its ports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from hwflow.core.errors import Diagnostic
from hwflow.fixed import FixedType
from hwflow.ir.graph import Graph
from hwflow.ir.pieces import Kind
from hwflow.ir.qonnx.model import printable
from hwflow.ops.input import Input
from hwflow.simulate.coverage.ports import PortCounts, PortLimits, port_limits
from hwflow.simulate.coverage.record import Coverage, LayerCoverage, Reached, total
from hwflow.simulate.coverage.words import NAMES, coverage_text, percent

FEW = 0.5
"""Share of what there is to reach in a design, or of the steps and entries of a layer, below which
it is hardly tried."""

LITTLE = 0.25
"""Share of the range of a port that any test should reach."""

FUNCTION = (Kind.STEPS, Kind.ENTRIES)
CASTS = (Kind.ROUNDING, Kind.LOW, Kind.HIGH)

NAMED = 4
"""Layers that a finding names."""


def data_findings(
    graph: Graph,
    found: Coverage | None,
    counts: Mapping[str, PortCounts],
    *,
    data: str,
    made_up: bool,
) -> tuple[Diagnostic, ...]:
    """Return the warnings about data.

    Args:
        graph: the hardware graph.
        found: what the data reached; None where that was not found out.
        counts: what of it was beyond the ends of ports, by name of the input.
        data: where it comes from.
        made_up: whether nobody gave it; then it leaves the ranges of ports on purpose.
    """
    few = [] if found is None else coverage_findings(graph, found, data, made_up)
    return (*few, *(() if made_up else port_findings(graph, port_limits(graph), counts)))


def coverage_findings(graph: Graph, found: Coverage, data: str, made_up: bool) -> list[Diagnostic]:
    """Return a warning where data tries little of a design: one for all of its layers.

    Args:
        graph: the hardware graph.
        found: what was reached.
        data: where the data comes from.
        made_up: whether nobody gave it.
    """
    low = [(layer, text) for layer in found.layers if (text := _missing(graph, layer))]
    if not low and found.share >= FEW:
        return []
    names = [layer.name for layer, _ in low[:NAMED]] + ["..."] * (len(low) > NAMED)
    texts = [f"{layer.name}: {text}" for layer, text in low[:NAMED]]
    texts += [f"{len(low) - NAMED} more layers"] * (len(low) > NAMED)
    if not low:
        texts = [f"coverage {coverage_text(found)}"]
    more = "give data that tries more, with --data" if made_up else _MORE
    return [
        Diagnostic(
            code="HW409",
            severity="warning",
            title="the data tries little of the design",
            where=", ".join(names) or graph.name,
            found="; ".join([*texts, f"data: {printable(data)}"]),
            help=f"{more}; what is not reached is not compared",
        )
    ]


_MORE = "give more data, or leave out --data: samples are then made up over the whole range"


def _missing(graph: Graph, layer: LayerCoverage) -> str:
    """Return what was hardly reached of a layer, or nothing."""
    if isinstance(graph.by_name[layer.name].op, Input):
        part = layer.of(Kind.RANGE)
        few = part.possible and part.share < LITTLE
        return f"{percent(part.share)} of the port's range" if few else ""
    function = total(layer.of(kind) for kind in FUNCTION)
    if function.possible and function.share < FEW:
        return _text([(kind, layer.of(kind)) for kind in FUNCTION])
    casts = total(layer.of(kind) for kind in CASTS)
    if casts.possible and not casts.reached:
        return _text([(kind, layer.of(kind)) for kind in CASTS])
    return ""


def _text(parts: list[tuple[Kind, Reached]]) -> str:
    return ", ".join(f"{p.reached:,} of {p.possible:,} {NAMES[k]}" for k, p in parts if p.possible)


def port_findings(
    graph: Graph, limits: Mapping[str, PortLimits], counts: Mapping[str, PortCounts]
) -> Iterator[Diagnostic]:
    """Yield a warning for each port that clips or wraps numbers of data that was given.

    Args:
        graph: the hardware graph.
        limits: limits of its ports, by node name.
        counts: what data was beyond them, by name of the input.
    """
    for node, port in limits.items():
        found = counts.get(port.name)
        if found is None or not found.outside:
            continue
        share = found.outside / found.elements
        held, ends = (f"{low:g} to {high:g}" for low, high in (port.range, found.observed))
        yield Diagnostic(
            code="HW410",
            severity="warning",
            title=f"data {'wraps around' if port.wraps else 'saturates'} at a port",
            where=f"input {printable(port.name)!r}",
            found=f"{percent(share)} of the numbers, {found.low:,} below and {found.high:,} above "
            f"what the port holds; the data is from {ends}",
            supported=f"{held}",
            help=_help(graph, node, port, found),
        )


def _help(graph: Graph, node: str, port: PortLimits, found: PortCounts) -> str:
    op = graph.by_name[node].op
    assert isinstance(op, Input)
    if op.assumed:
        return f'set [input.{port.name}] type = "{_wide_enough(op.dtype, found)}" in hwflow.toml'
    return (
        "give the data in the units that the model was trained in; if it is, the model's quantiser "
        "at this input clips it, too: train it with a wider range"
    )


def _wide_enough(dtype: FixedType, found: PortCounts) -> str:
    """Return the type with as many integer bits more as hold all of the data."""
    low, high = found.observed
    signed = dtype.signed or low < 0
    integer = dtype.integer + (signed and not dtype.signed)
    while high > 2.0 ** (integer - signed) - dtype.step or low < -(2.0 ** (integer - signed)):
        integer += 1
    wide = FixedType(integer + dtype.fractional, integer, signed, dtype.rounding, dtype.overflow)
    return str(wide)
