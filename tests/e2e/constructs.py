"""Every construct that was tried, with what becomes of it; writes ``docs/constructs.md``.

Run ``python -m tests.e2e.constructs > docs/constructs.md`` after a change.
"""

from collections.abc import Iterator

from hwflow.core.errors import CompileError, Diagnostic
from hwflow.project.compiler import compile as compile_model
from tests.e2e.construct import APPROXIMATE, EXACT, Construct
from tests.e2e.tables import (
    activations,
    decisions,
    merges,
    norms,
    products,
    qdq,
    quantisers,
    rare,
    recurrent,
    shapes,
    spatial,
)

SECTIONS = {
    "Quantisers": quantisers.TABLE,
    "QDQ": qdq.TABLE,
    "Matrix products, biases, batch normalisation": products.TABLE,
    "Convolutions and poolings": spatial.TABLE,
    "Activations": activations.TABLE,
    "Normalisations": norms.TABLE,
    "Recurrent cells": recurrent.TABLE,
    "Sums, products, joins": merges.TABLE,
    "Labels and rankings": decisions.TABLE,
    "Moves": shapes.TABLE,
    "Older operator sets, rare attributes": rare.TABLE,
}

CONSTRUCTS: tuple[Construct, ...] = tuple(c for table in SECTIONS.values() for c in table)
BUILT = tuple(c for c in CONSTRUCTS if not c.refused)
REFUSED = tuple(c for c in CONSTRUCTS if c.refused)

INTRODUCTION = """\
# Constructs

What becomes of each construct that was tried. This page is made by `python -m tests.e2e.constructs`
from the table that `tests/e2e/test_constructs.py` runs; a test fails when it is out of date.

- **exact**: the hardware gives the same numbers as ONNX Runtime on random data over the whole input
  range and a little more, and the compiled C++ gives the simulation's bits, for `io_parallel` and
  `io_stream`.
- **approximate**: built, and the compiled C++ gives the simulation's bits, but the layer is a table
  or a rounded quotient by nature; `hwflow verify` names it and reports how far off it is.
- **HWnnn**: refused, with this message. [errors.md](errors.md) explains the codes.

A note on other tools says what they made of the same model (hls4ml 1.3.0's own ONNX front-end, or
qonnx 1.0.0's conversions before it).
"""


def findings(construct: Construct, io_type: str = "io_parallel") -> tuple[Diagnostic, ...]:
    """Return what a construct is refused with; nothing where it is built."""
    try:
        compile_model(construct.model(), io_type=io_type)
    except CompileError as refusal:
        return refusal.diagnostics
    return ()


def document() -> str:
    """Return ``docs/constructs.md``."""
    counts = {name: sum(c.outcome == name for c in CONSTRUCTS) for name in (EXACT, APPROXIMATE)}
    total = (
        f"{len(CONSTRUCTS)} constructs: {counts[EXACT]} exact, {counts[APPROXIMATE]} approximate, "
        f"{len(REFUSED)} refused, none silently different."
    )
    lines = [INTRODUCTION, total]
    for title, table in SECTIONS.items():
        lines += ["", f"## {title}", "", "| construct | outcome | notes |", "|---|---|---|"]
        lines += [_row(construct) for construct in table]
    return "\n".join(lines) + "\n"


def _row(construct: Construct) -> str:
    parts = list(_said(construct))
    if construct.note:
        parts.append(construct.note)
    if construct.stream:
        parts.append(f"io_stream: refused, {construct.stream}")
    return f"| {construct.name} | {construct.outcome} | {'; '.join(parts).replace('|', '/')} |"


def _said(construct: Construct) -> Iterator[str]:
    if construct.refused:
        for finding in findings(construct):
            detail = f" ({finding.found})" if finding.found else ""
            yield f"*{finding.title}{detail}*".replace("\n", " ")


if __name__ == "__main__":
    print(document(), end="")
