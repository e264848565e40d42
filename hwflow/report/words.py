"""Headlines and figures of a report in words; shared by HTML and Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hwflow.core.distance import OutputError
from hwflow.report.parts import Interval, Range
from hwflow.report.power import energy_words, joules
from hwflow.report.schema import EstimateData, LayerData, PortData, ReportData, UtilisationData
from hwflow.simulate.coverage.words import coverage_text, kinds_text
from hwflow.simulate.coverage.words import percent as coverage_percent
from hwflow.verify.agreement import Agreement, Divergence
from hwflow.verify.words.numbers import count, percent, plural, real
from hwflow.verify.words.statements import (
    FAITHFUL,
    GOLDEN,
    LOSSLESS,
    Claim,
    cpp_sentence,
    golden_sentence,
    lossless_sentences,
)

DASH, TIMES = "\N{EN DASH}", "\N{MULTIPLICATION SIGN}"
"""Typographer's signs: what stands between two ends, and in shapes."""

RESOURCE_NAMES = {
    "lut": "LUT", "ff": "FF", "dsp": "DSP", "bram_18k": "BRAM 18k", "uram": "URAM"
}  # fmt: skip


@dataclass(frozen=True)
class Headline:
    """One answer at the head of the report.

    Attributes:
        title: the question in a word or two.
        answer: ``Yes``, ``No``, ...
        tone: ``good``, ``warn``, ``bad`` or ``unknown``.
        detail: what the answer rests on, in one sentence or two.
    """

    title: str
    answer: str
    tone: str
    detail: str


@dataclass(frozen=True)
class KeyFigure:
    """One number worth a headline.

    Attributes:
        label: what it is.
        value: the number with its unit.
        detail: interval or comparison.
    """

    label: str
    value: str
    detail: str


def requantized(data: ReportData) -> list[LayerData]:
    """Return the layers that requantise."""
    return [layer for layer in data.layers if layer.requantizer is not None]


def meaning(port: PortData) -> str:
    """Return what the numbers of a port mean."""
    if set(port.scale) == {1.0} and set(port.offset) == {0.0} and not port.quantizer:
        return "as it is"
    factor = _between(port.scale)
    added = "" if set(port.offset) == {0.0} else f" + {_between(port.offset)}"
    text = f"{factor} * value{added}"
    return f"{text}; value = {port.quantizer}" if port.quantizer else text


def _between(numbers: tuple[float, ...]) -> str:
    lowest, highest = min(numbers), max(numbers)
    return real(lowest) if lowest == highest else f"({real(lowest)} … {real(highest)} by channel)"


def ends(figure: Interval) -> str:
    """Return the interval of a whole-numbered figure; empty where all three are the same."""
    low, high = count(figure.low), count(figure.high)
    return "" if low == high == count(figure.value) else f"{low}{DASH}{high}"


def between(values: Range) -> str:
    """Return a range of real numbers by its ends."""
    return f"{real(values.low)} … {real(values.high)}"


def shape(axes: Sequence[int]) -> str:
    """Return a shape with its axes multiplied."""
    return f" {TIMES} ".join(map(str, axes)) or "scalar"


def duration(nanoseconds: float) -> str:
    """Return a time in the unit that suits its size."""
    for unit, factor in (("ns", 1.0), ("µs", 1e3), ("ms", 1e6)):
        if nanoseconds < 1000 * factor:
            return f"{nanoseconds / factor:.3g} {unit}"
    return f"{nanoseconds / 1e9:.3g} s"


def rate(per_second: float) -> str:
    """Return inferences per second in the unit that suits their number."""
    for unit, factor in (("/s", 1.0), ("k/s", 1e3), ("M/s", 1e6)):
        if per_second < 1000 * factor:
            return f"{per_second / factor:.3g} {unit}"
    return f"{per_second / 1e9:.3g} G/s"


def headlines(data: ReportData) -> tuple[Headline, Headline, Headline]:
    """Return the three headline answers: faithful, lossless, fits."""
    return _faithful(data), _lossless(data.lossless), _fits(data)


def _faithful(data: ReportData) -> Headline:
    cpp, golden = data.faithful, data.golden
    texts = [cpp_sentence(cpp), golden_sentence(golden, data.no_golden)]
    if cpp is not None and not cpp.holds:
        answer, tone = "No", "bad"
    elif golden is not None and not golden.holds:
        answer, tone = "No", "bad"
        texts.reverse()  # what is wrong comes first
    elif cpp is None:
        answer, tone = "Not checked", "unknown"
    else:
        answer, tone = "Yes", "good"
    return Headline("Faithful", answer, tone, " ".join(filter(None, texts)))


def divergences(data: ReportData) -> Iterator[tuple[Claim, Divergence]]:
    """Yield each statement that does not hold, with the first difference."""
    statements = ((FAITHFUL, data.faithful), (GOLDEN, data.golden), (LOSSLESS, data.lossless))
    for claim, agreement in statements:
        if agreement is not None and agreement.first is not None:
            yield claim, agreement.first


def _lossless(agreement: Agreement | None) -> Headline:
    answer, tone = "Not checked", "unknown"
    if agreement is not None:
        answer = agreement.answer.capitalize()
        tone = "good" if answer == "Yes" else "warn"
    return Headline("Lossless", answer, tone, lossless_sentences(agreement))


def _fits(data: ReportData) -> Headline:
    if data.board is None or data.estimate.fits is None:
        return Headline("Fits board", "No board", "unknown", "No board was chosen to compare with.")
    answer, tone = {"yes": ("Yes", "good"), "borderline": ("Borderline", "warn")}.get(
        data.estimate.fits, ("No", "bad")
    )
    tightest = max(data.estimate.utilisation, key=lambda u: u.percent.value)
    share, figures = use(tightest)
    detail = f"Tightest is {RESOURCE_NAMES[tightest.resource]}, estimated: {share}, {figures}."
    return Headline(f"Fits {data.board.name}", answer, tone, detail)


def use(entry: UtilisationData) -> tuple[str, str]:
    """Return the share of a resource of the board, and the figures behind it."""
    if entry.available == 0:
        return "none available", f"{count(entry.used.value)} needed"
    figures = f"{count(entry.used.value)} of {count(entry.available)}"
    low, high = count(entry.percent.low), count(entry.percent.high)
    interval = "" if low == high else f" ({low}{DASH}{high} %)"
    return f"{count(entry.percent.value)} %", f"{figures}{interval}"


def key_figures(data: ReportData) -> tuple[KeyFigure, ...]:
    """Return the numbers that stand below the verdicts."""
    figures = list(_timing(data.estimate))
    for error in (distance.error for distance in data.errors):
        if error.accuracy is not None and error.reference_accuracy is not None:
            detail = _references(data, error)
            figures.append(KeyFigure("Accuracy", percent(error.accuracy), detail))
            break
        if error.argmax_agreement is not None:
            agreement = percent(error.argmax_agreement)
            figures.append(KeyFigure("Same class", agreement, "as the quantised model"))
            break
    if data.coverage is not None:
        kinds = kinds_text(data.coverage)
        share = coverage_percent(data.coverage.share) if kinds else coverage_text(data.coverage)
        figures.append(KeyFigure("Coverage", share, kinds))
    return tuple(figures)


def _references(data: ReportData, error: OutputError) -> str:
    """Return the accuracies that the hardware's stands beside."""
    texts = [f"quantised model {percent(error.reference_accuracy or 0.0)}"]
    for loss in (loss.error for loss in (data.quantisation.outputs if data.quantisation else ())):
        if loss.output == error.output and loss.reference_accuracy is not None:
            texts.append(f"float reference {percent(loss.reference_accuracy)}")
    return ", ".join(texts)


def _timing(estimate: EstimateData) -> tuple[KeyFigure, ...]:
    total, time, speed = estimate.total, estimate.latency_ns, estimate.inferences_per_s
    cycles, ii = total.latency_cycles, total.ii
    interval = f" ({ends(cycles)})" if ends(cycles) else ""
    span = f"{rate(speed.low)} to {rate(speed.high)}"
    power = estimate.power
    return (
        KeyFigure("Latency", duration(time.value), f"{count(cycles.value)} cycles{interval}"),
        KeyFigure(
            "Initiation interval",
            plural(round(ii.value), "cycle"),
            ends(ii) or "between inferences",
        ),
        KeyFigure("Throughput", rate(speed.value), span if ends(ii) else "inferences per second"),
        *(
            [KeyFigure("Energy", joules(power.single_uj.value), energy_words(power))]
            if power
            else ()
        ),
    )
