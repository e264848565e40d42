"""What the tables of Keras and of HGQ2 constructs share: their page, and what is checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

import hwflow
from hwflow.core.errors import CompileError, Diagnostic
from hwflow.project.design import Design
from tests.cppsim import compare_with_cpp, merged

ANY = {"x": np.array([[-32.0], [32 - 2.0**-10]])}
"""Data for inputs that no quantiser gives a type: ``fixed<16,6>`` with rounding."""

Refusals = Mapping[str, Sequence[Diagnostic]]
"""What cases are refused with, by name."""


class Construct(Protocol):
    """A case of either table."""

    @property
    def name(self) -> str:
        """As the documentation lists it."""

    @property
    def outcome(self) -> str:
        """What becomes of it, or the codes of the refusal."""

    @property
    def note(self) -> str:
        """For the documentation."""


def findings(model: Any) -> tuple[Diagnostic, ...]:
    """Return what a model is refused with; nothing where it is built."""
    try:
        hwflow.compile(model, data=ANY)
    except CompileError as refusal:
        return refusal.diagnostics
    return ()


def page(
    head: Sequence[str], sections: Mapping[str, Sequence[Construct]], refusals: Refusals
) -> str:
    """Return a page: lines, and a table for each section."""
    lines = [*head]
    for title, cases in sections.items():
        lines += ["", f"## {title}", "", "| construct | outcome | notes |", "|---|---|---|"]
        for case in cases:
            texts = [*_texts(refusals.get(case.name, ())), *([case.note] if case.note else [])]
            lines.append(f"| {case.name} | {case.outcome} | {'; '.join(texts).replace('|', '/')} |")
    return "\n".join(lines) + "\n"


def _texts(said: Sequence[Diagnostic]) -> Iterator[str]:
    for finding in said:
        detail = f" ({finding.found})" if finding.found else ""
        yield f"*{finding.title}{detail}*".replace("\n", " ")


def assert_refused_as_documented(
    refused: Sequence[Construct], said: Refusals, document: Path, text: str
) -> None:
    """Assert that refusals say why and where, and that the documentation is up to date."""
    codes = {name: ", ".join(sorted({d.code for d in found})) for name, found in said.items()}
    assert codes == {case.name: case.outcome for case in refused}
    for finding in (f for found in said.values() for f in found):
        assert finding.where
        assert finding.help or finding.supported, finding
    assert document.read_text("utf-8") == text, "run the module `coverage` beside the test"


def assert_agree_with_cpp(designs: Sequence[Design], reach: int) -> None:
    """Assert that designs agree with their C++, on multiples of 1/256 below ``reach``/256."""
    graph = merged({f"c{number}": d.graph for number, d in enumerate(designs)})
    rng = np.random.default_rng(0)
    data = {
        port.name: rng.integers(-reach, reach, (50, *graph.types[port.value].shape)) / 256.0
        for port in graph.inputs
    }
    found = compare_with_cpp(graph, designs[0].target, data)
    assert [m for m in found.layers if m.mismatches] == []
