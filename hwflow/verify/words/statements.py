"""Comparisons in words: one line for a terminal, a check or JUnit, sentences for a page."""

from __future__ import annotations

from dataclasses import dataclass

from hwflow.ir.qonnx.model import printable
from hwflow.verify.agreement import Agreement, Divergence, Float32Match
from hwflow.verify.verdict.state import Verdict
from hwflow.verify.words.numbers import count, percent, plural, real


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What a comparison is to show.

    Attributes:
        name: the statement in a word.
        meaning: which two computations give the same numbers.
        expected: whose values the others should be.
        found: whose values are held against them.
        reference: ``expected`` in a sentence.
        differs: what is said of values that differ: between what, or from what.
    """

    name: str
    meaning: str
    expected: str
    found: str
    reference: str
    differs: str

    @property
    def contradiction(self) -> str:
        """What is so where the claim does not hold."""
        return f"The {self.found} differs from the {self.reference}"

    @property
    def first_differ(self) -> str:
        """What is said of the place where the two first differ."""
        return f"{_sentence(self.expected)} and {self.found} first differ"


FAITHFUL = Claim(
    name="faithful",
    meaning="simulation == C++",
    expected="simulation",
    found="C++",
    reference="simulation",
    differs="between simulation and C++",
)
GOLDEN = Claim(
    name="golden",
    meaning="simulation == golden model",
    expected="simulation",
    found="golden model",
    reference="simulation",
    differs="between simulation and golden model",
)
LOSSLESS = Claim(
    name="lossless",
    meaning="hardware == trained model",
    expected="model",
    found="hardware",
    reference="trained model",
    differs="from the trained model",
)
"""The two statements about a design; what the golden model shows belongs to the first."""


def first_difference(first: Divergence) -> str:
    """Return where two computations first differ, and why, in one line."""
    known = first.origin not in ("", first.layer)
    layer = f"{first.layer} ({printable(first.origin)})" if known else first.layer
    found = "no finite number" if first.found is None else f"{first.found:.10g}"
    text = (
        f"first in {layer} at [{_index(first)}]: expected {first.expected:.10g}, found {found}; "
        f"{first.cause}"
    )
    return f"{text}; sample saved in {first.reproducer}" if first.reproducer else text


def first_element(claim: Claim, first: Divergence) -> str:
    """Return which element of a layer differs first, both values, and how far they are apart."""
    found = "no finite number" if first.found is None else real(first.found)
    noun = "step" if first.steps is not None and abs(first.steps) == 1 else "steps"
    steps = "" if first.steps is None else f", off by {real(first.steps)} {noun} of the type"
    return (
        f"element [{_index(first)}]: {claim.expected} {real(first.expected)}, "
        f"{claim.found} {found}{steps}"
    )


def _index(first: Divergence) -> str:
    return ", ".join(map(str, first.index))


def cpp_sentence(agreement: Agreement | None) -> str:
    """Return how the compiled C++ compares with the simulation."""
    if agreement is None:
        return "The generated C++ was not run on data."
    if not agreement.holds:
        return _differing(FAITHFUL, agreement)
    return (
        f"Simulation and compiled C++ agree bit for bit in all {count(agreement.elements)} values "
        f"of {_layers(agreement)}, on {_samples(agreement)}."
    )


def golden_sentence(agreement: Agreement | None, reason: str) -> str:
    """Return how the golden model compares with the simulation, or why there is none."""
    if agreement is None:
        return f"There is no golden model: {reason}." if reason else ""
    if not agreement.holds:
        return _differing(GOLDEN, agreement)
    compared = count(agreement.elements)
    return f"The golden model gives the simulation's bits in all {compared} values compared."


def lossless_sentences(agreement: Agreement | None) -> str:
    """Return how the hardware compares with the trained model, and who judged that."""
    if agreement is None:
        return "The hardware was not compared with the trained model."
    if agreement.holds:
        text = (
            f"The hardware gives the trained model's own numbers: all {count(agreement.elements)} "
            f"values of {_layers(agreement)} with a counterpart in the model agree, "
            f"on {_samples(agreement)}."
        )
    else:
        text = _differing(LOSSLESS, agreement)
    verdict = agreement.verdict
    because = _because(verdict) if verdict is not None and verdict.approximate else ""
    return " ".join(filter(None, (because, text, judge(agreement))))


def _differing(claim: Claim, agreement: Agreement) -> str:
    share = percent(agreement.mismatches / max(agreement.elements, 1), 2)
    text = f"{agreement.counted} values ({share}) differ {claim.differs}, on {_samples(agreement)}."
    return f"{text} First in {agreement.first.origin}." if agreement.first else text


def _because(verdict: Verdict) -> str:
    """Return what is approximate and by how much, in sentences."""
    return " ".join(f"{_sentence(text)}." for text in verdict.lines())


def judge(agreement: Agreement) -> str:
    """Return what the hardware was compared with, and how float32 execution compares with it."""
    if agreement.float32_only:
        return f"{_sentence(_only(agreement))}."
    match = agreement.float32
    if match is None:
        return ""
    if match.differs:
        text = f"{_sentence(_float32(match))}; the hardware is held against exact arithmetic."
    else:
        text = "Float32 execution of the model gives the levels of exact arithmetic, too."
    if match.unquantized_differs:
        text += (
            f" At outputs without a quantiser, {count(match.unquantized_differs)} of "
            f"{count(match.unquantized)} float32 values are not the nearest ones."
        )
    return text


def judge_lines(agreement: Agreement) -> list[str]:
    """Return what is to be said about the judge where it is not plain exact arithmetic."""
    lines = [_only(agreement)] if agreement.float32_only else []
    match = agreement.float32
    return lines if match is None or not match.differs else [*lines, _float32(match)]


def _only(agreement: Agreement) -> str:
    return f"compared against float32 execution only: {agreement.float32_only}"


def _float32(match: Float32Match) -> str:
    return (
        "float32 execution of the model itself differs from exact arithmetic at "
        f"{count(match.differs)} of {count(match.elements)} values (first at {match.first})"
    )


def _layers(agreement: Agreement) -> str:
    return plural(len(agreement.layers), "layer")


def _samples(agreement: Agreement) -> str:
    return plural(agreement.samples, "sample")


def _sentence(text: str) -> str:
    """Return a text with a capital at its beginning."""
    return f"{text[:1].upper()}{text[1:]}"
