"""The report as a page of Markdown, for the summary of a CI job."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite

from hwflow.core.errors import Diagnostic
from hwflow.report.markup import plain, table
from hwflow.report.parts import FifosData
from hwflow.report.schema import LayerData, ReportData, WarningData
from hwflow.report.stages import resources, synthesized
from hwflow.report.words import (
    DASH,
    divergences,
    headlines,
    key_figures,
    meaning,
    requantized,
)
from hwflow.verify.words.distances import Facts, error_facts, loss_facts, sqnr
from hwflow.verify.words.numbers import count, percent
from hwflow.verify.words.statements import first_element

WORST = 5
"""How many layers and warnings are shown; the HTML report has all."""

SMALLEST = 2
"""Depth of FIFOs that are not listed: nothing waits for more."""

SATURATION = 0.01
"""Share of clipped values from which a layer is worth a look; a few are what clipping is for."""


def to_markdown(data: ReportData) -> str:
    """Return a short summary in GitHub's Markdown: verdicts, worst layers, resources, warnings."""
    sections = (
        _head(data),
        _divergences(data),
        _worst_layers(data),
        _errors(data),
        _quantization(data),
        _ports(data),
        _requantizers(data),
        resources(data),
        _fifos(data),
        synthesized(data),
        _warnings(data),
    )
    return "\n\n".join("\n".join(lines) for lines in map(list, sections) if lines) + "\n"


def finding(said: WarningData | Diagnostic) -> str:
    """Return a warning as an entry of a list."""
    parts = "; ".join(part for part in (said.where, said.found, said.help) if part)
    return f"- {said.code} **{plain(said.title)}**: {plain(parts)}"


def _head(data: ReportData) -> Iterator[str]:
    board = f"{plain(data.board.name)}, " if data.board else ""
    target = data.target
    yield f"## hwflow: {plain(data.name)}"
    yield ""
    yield (
        f"{plain(data.source)} for {board}{plain(target.part)}, {plain(target.backend)}, "
        f"{plain(target.io_type)}, {target.clock_period_ns:g} ns"
        + (f"; data: {plain(data.data)}" if data.data else "")
    )
    yield ""
    yield from table(
        ("", "Verdict", "Basis"),
        ((plain(h.title), f"**{h.answer}**", plain(h.detail)) for h in headlines(data)),
    )
    yield ""
    yield "; ".join(
        f"{plain(f.label)} **{plain(f.value)}** ({plain(f.detail)})" for f in key_figures(data)
    )
    if data.saturation is not None:
        yield ""
        yield f"Saturated: {plain(str(data.saturation))}"


def _divergences(data: ReportData) -> Iterator[str]:
    for claim, first in divergences(data):
        yield f"- **{claim.first_differ}** in {plain(first.origin)} ({plain(first.layer)}),"
        yield f"  {plain(first_element(claim, first))}. Probable cause: {plain(first.cause)}."


def _worst_layers(data: ReportData) -> Iterator[str]:
    """Yield the layers with the most differing, wrapped or saturated values, if there are any."""
    found = sorted(data.layers, key=_badness, reverse=True)[:WORST]
    found = [layer for layer in found if _is_bad(layer)]
    if not found:
        return
    yield "### Layers to look at"
    yield ""
    head = (
        "Layer",
        "Type",
        "Differs from C++:",
        "Differs from model:",
        "Wrapped:",
        "Saturated:",
        "low:",
        "high:",
        "Coverage:",
    )
    yield from table(head, ((plain(n.origin), plain(n.result_t), *_counts(n)) for n in found))


def _is_bad(layer: LayerData) -> bool:
    *errors, saturated = _badness(layer)
    elements = layer.counters.elements if layer.counters else 0
    return any(errors) or saturated > SATURATION * elements


def _badness(layer: LayerData) -> tuple[int, int, int, int]:
    return (
        layer.faithful.mismatches if layer.faithful else 0,
        layer.lossless.mismatches if layer.lossless else 0,
        layer.counters.wrapped if layer.counters else 0,
        layer.counters.saturated if layer.counters else 0,
    )


def _counts(layer: LayerData) -> Iterator[str]:
    known = (layer.faithful, layer.lossless, layer.counters, layer.counters)
    for number, source in zip(_badness(layer), known, strict=True):
        yield DASH if source is None else count(number)
    found = layer.counters
    yield DASH if found is None else count(found.saturated_low)
    yield DASH if found is None else count(found.saturated_high)
    yield DASH if layer.coverage is None else percent(float(layer.coverage.share))


def _errors(data: ReportData) -> Iterator[str]:
    if data.errors:
        yield "### Hardware against quantised model"
        yield ""
    for distance in data.errors:
        facts = error_facts(distance.error, distance.step)
        yield f"- {plain(distance.error.output)} {DASH} {_listed(facts)}"


def _quantization(data: ReportData) -> Iterator[str]:
    """Yield what quantisation cost, and the layers that lost most."""
    found = data.quantisation
    if found is None:
        return
    yield "### Quantised model against float reference"
    yield ""
    yield f"The reference is {plain(found.reference)}."
    yield ""
    for loss in found.outputs:
        yield f"- {plain(loss.error.output)} {DASH} {_listed(loss_facts(loss))}"
    noisy = (layer for layer in found.layers if isfinite(layer.sqnr_db))
    lowest = sorted(noisy, key=lambda layer: layer.sqnr_db)
    if lowest:
        texts = (f"{plain(layer.origin)} {sqnr(layer)}" for layer in lowest[:WORST])
        yield f"- lowest SQNR of {len(found.layers)} layers: {', '.join(texts)}"


def _listed(facts: Facts) -> str:
    return "; ".join(f"{label}: {value}" for label, value in facts)


def _requantizers(data: ReportData) -> Iterator[str]:
    """Yield how each layer requantises, and how many points prove it."""
    layers = requantized(data)
    if not layers:
        return
    yield "### Requantisers"
    yield ""
    head = ("Layer", "Implementation", "Multiplier bits:", "Shift:", "Points compared:", "Which")
    rows = (
        (
            plain(layer.origin),
            plain(found.implementation),
            str(found.multiplier_bits or DASH),
            DASH if found.shift is None else str(found.shift),
            count(found.points),
            plain(found.method),
        )
        for layer in layers
        if (found := layer.requantizer) is not None
    )
    yield from table(head, rows)


def _fifos(data: ReportData) -> Iterator[str]:
    """Yield what the FIFOs hold and save, and those that must be deeper than the smallest."""
    found = data.fifos
    if found is None or not found.fifos:
        return
    yield "### FIFOs"
    yield ""
    words, whole = (sum(getattr(f, name) for f in found.fifos) for name in ("depth", "tokens"))
    yield (
        f"{len(found.fifos)} FIFOs hold {count(words)} words instead of {count(whole)}, which "
        f"saves {count(found.bram_18k_saved)} block RAMs (estimated). No stall can lock the "
        f"design.{_cycles(found)}"
    )
    deeper = [fifo for fifo in found.fifos if fifo.depth > SMALLEST]
    if deeper:
        yield ""
        rows = ((plain(f.name), count(f.depth), count(f.tokens), plain(f.why)) for f in deeper)
        yield from table(("FIFO", "Depth:", "Whole value:", "Why"), rows)


def _cycles(found: FifosData) -> str:
    """Return what the model of the streams says, behind a blank; nothing where it was not run."""
    if found.latency_cycles is None or found.interval_cycles is None:
        return ""
    first, next_one = count(found.latency_cycles), count(found.interval_cycles)
    return f" Model of the streams: {first} cycles for an inference, the next {next_one} later."


def _ports(data: ReportData) -> Iterator[str]:
    """Yield what enters and leaves, and what its numbers mean."""
    yield "### Ports"
    yield ""
    rows = (
        (
            plain(port.name),
            kind,
            plain(port.type),
            " x ".join(map(str, port.shape)) or "1",
            plain(meaning(port)),
        )
        for kind, ports in (("input", data.inputs), ("output", data.outputs))
        for port in ports
    )
    yield from table(("Port", "", "Type", "Shape", "Real number"), rows)


def _warnings(data: ReportData) -> Iterator[str]:
    if not data.warnings:
        return
    yield "### Warnings"
    yield ""
    for warning in data.warnings[:WORST]:
        yield finding(warning)
    if len(data.warnings) > WORST:
        yield f"- and {len(data.warnings) - WORST} more, see the HTML report"
