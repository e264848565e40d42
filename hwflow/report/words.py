"""How the report puts its figures and verdicts into words; shared by HTML and Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hwflow.report.parts import Interval, PortData, Range, VerdictData
from hwflow.report.schema import (
    EstimateData,
    LayerData,
    OutputErrorData,
    ReportData,
    StatementData,
    UtilisationData,
)

MINUS, DASH, TIMES = "\N{MINUS SIGN}", "\N{EN DASH}", "\N{MULTIPLICATION SIGN}"
"""Typographer's signs: what stands before a negative number, between two ends, and in shapes."""

RESOURCE_NAMES = {
    "lut": "LUT", "ff": "FF", "dsp": "DSP", "bram_18k": "BRAM 18k", "uram": "URAM"
}  # fmt: skip


@dataclass(frozen=True)
class Verdict:
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


def count(value: float) -> str:
    """Return a number rounded to a whole one, thousands set apart."""
    return f"{value:,.0f}".replace("-", MINUS)


def real(value: float) -> str:
    """Return a number with up to five significant digits."""
    text = f"{value:,.0f}" if 1e3 <= abs(value) < 1e9 else f"{value:.5g}"
    return text.replace("-", MINUS)


def percent(share: float, digits: int = 1) -> str:
    """Return a share between 0 and 1 in per cent; only nothing is 0 %, and only all is 100 %."""
    text = f"{100 * share:.{digits}f}"
    smallest = 10.0**-digits
    if share > 0 and float(text) == 0:
        return f"<{smallest:.{digits}f} %"
    if share < 1 and float(text) == 100:
        return f">{100 - smallest:.{digits}f} %"
    return f"{text} %"


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


def plural(number: int, noun: str) -> str:
    """Return a number with its noun, e.g. ``1 layer``, ``3 layers``."""
    return f"{count(number)} {noun}{'' if number == 1 else 's'}"


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


def verdicts(data: ReportData) -> tuple[Verdict, Verdict, Verdict]:
    """Return the three headline answers: faithful, lossless, fits."""
    return _faithful(data), _lossless(data.lossless), _fits(data)


def _faithful(data: ReportData) -> Verdict:
    statement, golden = data.faithful, data.golden
    texts = [_cpp(statement), _golden(golden, data.no_golden)]
    if (statement and not statement.holds) or (golden and not golden.holds):
        answer, tone = "No", "bad"
        texts.sort(key=lambda text: " differ " not in text)
    elif statement is None:
        answer, tone = "Not checked", "unknown"
    else:
        answer, tone = "Yes", "good"
    return Verdict("Faithful", answer, tone, " ".join(filter(None, texts)))


def _cpp(statement: StatementData | None) -> str:
    """Return how the compiled C++ compares with the simulation."""
    if statement is None:
        return "The generated C++ was not run on data."
    if not statement.holds:
        return _differing(statement, "between simulation and C++")
    return (
        f"Simulation and compiled C++ agree bit for bit in all {count(statement.elements)} "
        f"values of {plural(statement.layers, 'layer')}, on {plural(statement.samples, 'sample')}."
    )


def _golden(statement: StatementData | None, reason: str) -> str:
    """Return how the golden model compares with the simulation, or why there is none."""
    if statement is None:
        return f"There is no golden model: {reason}." if reason else ""
    if statement.holds:
        compared = count(statement.elements)
        return f"The golden model gives the simulation's bits in all {compared} values compared."
    return _differing(statement, "between simulation and golden model")


def _lossless(statement: StatementData | None) -> Verdict:
    if statement is None:
        detail = "The hardware was not compared with the trained model."
        return Verdict("Lossless", "Not checked", "unknown", detail)
    verdict = statement.verdict
    approximate = verdict if verdict is not None and verdict.state == "approximate" else None
    if statement.holds:
        detail = (
            f"The hardware gives the trained model's own numbers: all {count(statement.elements)} "
            f"values of {plural(statement.layers, 'layer')} with a counterpart in the model agree, "
            f"on {plural(statement.samples, 'sample')}. {judge(statement)}"
        )
        if approximate is not None:
            detail = f"{_because(approximate)} {detail}"
            return Verdict("Lossless", "Approximate", "warn", detail.rstrip())
        return Verdict("Lossless", "Yes", "good", detail.rstrip())
    detail = f"{_differing(statement, 'from the trained model')} {judge(statement)}".rstrip()
    if approximate is None:
        return Verdict("Lossless", "No", "warn", detail)
    return Verdict("Lossless", "Approximate", "warn", f"{_because(approximate)} {detail}")


def _because(verdict: VerdictData) -> str:
    """Return what is approximate and by how much, in sentences."""
    return " ".join(f"{text[:1].upper()}{text[1:]}." for text in (verdict.text, *verdict.reasons))


def judge(statement: StatementData) -> str:
    """Return what the hardware was compared with, and how float32 execution compares with it."""
    if statement.float32_only:
        return f"Compared against float32 execution only: {statement.float32_only}."
    match = statement.float32
    if match is None:
        return ""
    if not match.differs:
        text = "Float32 execution of the model gives the levels of exact arithmetic, too."
    else:
        text = (
            "Float32 execution of the model itself differs from exact arithmetic at "
            f"{count(match.differs)} of {count(match.elements)} values (first at {match.first}); "
            "the hardware is held against exact arithmetic."
        )
    if match.unquantized_differs:
        text += (
            f" At outputs without a quantiser, {count(match.unquantized_differs)} of "
            f"{count(match.unquantized)} float32 values are not the nearest ones."
        )
    return text


def _differing(statement: StatementData, where: str) -> str:
    share = statement.mismatches / max(statement.elements, 1)
    text = (
        f"{count(statement.mismatches)} of {count(statement.elements)} values "
        f"({percent(share, 2)}) differ {where}, on {plural(statement.samples, 'sample')}."
    )
    return f"{text} First in {statement.first.origin}." if statement.first else text


def _fits(data: ReportData) -> Verdict:
    if data.board is None or data.estimate.fits is None:
        return Verdict("Fits board", "No board", "unknown", "No board was chosen to compare with.")
    answer, tone = {"yes": ("Yes", "good"), "borderline": ("Borderline", "warn")}.get(
        data.estimate.fits, ("No", "bad")
    )
    tightest = max(data.estimate.utilisation, key=lambda u: u.percent.value)
    share, figures = use(tightest)
    detail = f"Tightest is {RESOURCE_NAMES[tightest.resource]}, estimated: {share}, {figures}."
    return Verdict(f"Fits {data.board.name}", answer, tone, detail)


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
    for error in data.errors:
        if error.accuracy is not None and error.reference_accuracy is not None:
            detail = _references(data, error)
            figures.append(KeyFigure("Accuracy", percent(error.accuracy), detail))
            break
        if error.argmax_agreement is not None:
            agreement = percent(error.argmax_agreement)
            figures.append(KeyFigure("Same class", agreement, "as the quantised model"))
            break
    if data.coverage is not None:
        share, _, kinds = data.coverage.text.partition(": ")
        figures.append(KeyFigure("Coverage", share, kinds))
    return tuple(figures)


def _references(data: ReportData, error: OutputErrorData) -> str:
    """Return the accuracies that the hardware's stands beside."""
    texts = [f"quantised model {percent(error.reference_accuracy or 0.0)}"]
    for loss in data.quantisation.outputs if data.quantisation else ():
        if loss.output == error.output and loss.reference_accuracy is not None:
            texts.append(f"float reference {percent(loss.reference_accuracy)}")
    return ", ".join(texts)


def _timing(estimate: EstimateData) -> tuple[KeyFigure, ...]:
    total, time, speed = estimate.total, estimate.latency_ns, estimate.inferences_per_s
    cycles, ii = total.latency_cycles, total.ii
    interval = f" ({ends(cycles)})" if ends(cycles) else ""
    span = f"{rate(speed.low)} to {rate(speed.high)}"
    return (
        KeyFigure("Latency", duration(time.value), f"{count(cycles.value)} cycles{interval}"),
        KeyFigure(
            "Initiation interval",
            plural(round(ii.value), "cycle"),
            ends(ii) or "between inferences",
        ),
        KeyFigure("Throughput", rate(speed.value), span if ends(ii) else "inferences per second"),
    )
