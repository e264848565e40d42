"""Estimated and synthesized figures in Markdown, stage by stage; words that the HTML has, too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hwflow.estimate.stages import CSYNTH, POST_SYNTHESIS
from hwflow.report.markup import plain, table
from hwflow.report.parts import CostData
from hwflow.report.schema import ReportData
from hwflow.report.synthesized import ComparedData, LayerSynthesis, StageData
from hwflow.report.words import DASH, RESOURCE_NAMES, ends, use
from hwflow.verify.words.numbers import count

FIGURE_NAMES = {**CSYNTH, **POST_SYNTHESIS}
"""What figures are called where their stage is said beside them."""


def resources(data: ReportData) -> Iterator[str]:
    """Yield the estimated figures by stage; shares of the board, where there is one, after them."""
    total = data.estimate.total
    yield "### Resources and timing (estimated)"
    yield ""
    rows = ((name, *stages) for name, stages in _stages(total))
    head = (
        "", "C synthesis:", "Interval:", "Basis", "Logic synthesis:", "Interval:", "Basis",
    )  # fmt: skip
    yield from table(head, rows)
    if data.estimate.calibration:
        yield ""
        yield f"Estimates are {plain(data.estimate.calibration)}."
    if data.board is None or not data.estimate.utilisation:
        return
    yield ""
    yield f"### Shares of {plain(data.board.name)} (estimated, after logic synthesis)"
    yield ""
    shares = (
        (
            RESOURCE_NAMES[u.resource],
            count(u.used.value),
            ends(u.used),
            count(u.available),
            use(u)[0],
            u.fits,
        )
        for u in data.estimate.utilisation
    )
    yield from table(("", "Used:", "Interval:", "Available:", "Share:", "Fits"), shares)


def _stages(total: CostData) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield name, C synthesis and logic synthesis of each figure."""
    left = {
        "LUT": total.lut_post_synthesis_equivalent,
        "FF": total.ff_post_synthesis_equivalent,
        "DSP": total.dsp_post_synthesis_equivalent,
        "BRAM 18k": total.bram_18k_post_synthesis_equivalent,
    }
    figures = {
        "LUT": total.lut_csynth_equivalent,
        "FF": total.ff_csynth_equivalent,
        "DSP": total.dsp,
        "BRAM 18k": total.bram_18k,
        "Latency, cycles": total.latency_cycles,
        "II, cycles": total.ii,
    }
    for name, figure in figures.items():
        after = left.get(name)
        rest = ("", "", "") if after is None else (count(after.value), ends(after), after.basis)
        yield name, (count(figure.value), ends(figure), figure.basis, *rest)


def synthesized(data: ReportData) -> Iterator[str]:
    """Yield what vendor tools reported, in columns of its own beside the estimate."""
    found = data.synthesized
    if found is None:
        return
    for number, stage in enumerate(found.stages):
        if number:
            yield ""
        yield f"### {stage.stage.capitalize()}: estimated and synthesized ({plain(_source(stage))})"
        yield ""
        head = ("", "Estimated:", "Interval:", "Synthesized:", "Ratio:", "Interval held")
        yield from table(head, map(_row, stage.figures))
    if found.layers:
        yield ""
        yield "### By layer, C synthesis: estimated / synthesized"
        yield ""
        columns = ("Layer", *(f"{name}, {kind}:" for name in CSYNTH.values() for kind in KINDS))
        yield from table(columns, ((plain(n.layer), *_cells(layer_cells(n))) for n in found.layers))
    if found.notes:
        yield ""
        yield from (f"- {plain(note)}" for note in found.notes)


KINDS = ("estimated", "synthesized")


def _source(stage: StageData) -> str:
    return ", ".join(part for part in (stage.tool, stage.device, stage.file) if part)


def _row(row: ComparedData) -> tuple[str, ...]:
    estimated = row.estimated
    return (
        FIGURE_NAMES[row.figure],
        count(estimated.value),
        ends(estimated),
        count(row.synthesized),
        ratio_words(row.ratio),
        "yes" if row.held else "**no**",
    )


def _cells(rows: Sequence[ComparedData | None]) -> Iterator[str]:
    for row in rows:
        yield "" if row is None else count(row.estimated.value)
        yield "" if row is None else count(row.synthesized)


def ratio_words(ratio: float | None) -> str:
    """Return a ratio of estimated to synthesized."""
    return DASH if ratio is None else f"{ratio:.2f}"


def layer_cells(layer: LayerSynthesis) -> list[ComparedData | None]:
    """Return the figures of a layer in the order of the columns; None where there is none."""
    found = {row.figure: row for row in layer.figures}
    return [found.get(name) for name in CSYNTH]
