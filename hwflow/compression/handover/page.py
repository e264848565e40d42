"""One page of a compression that needs nothing else: curves, front, before and after, lineage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from jinja2 import Environment

from hwflow.compression.handover.figures import Curve, Mark, draw_curve, draw_front
from hwflow.compression.handover.lineage import Link
from hwflow.compression.handover.sides import BeforeAfter
from hwflow.compression.handover.words import heading, rows_of
from hwflow.core.resources import templates_dir
from hwflow.core.templates import template_environment
from hwflow.exploration.pictures.page import printable
from hwflow.verify.words import numbers


@dataclass(frozen=True, kw_only=True)
class Front:
    """Points to draw.

    Attributes:
        marks: the points.
        cost: name of the cost.
        kind: what is good: ``accuracy`` or ``agreement``.
        goal: greatest cost that is wanted, or None.
        lead: what the points are.
    """

    marks: tuple[Mark, ...]
    cost: str
    kind: str
    goal: float | None = None
    lead: str = "Points that no other one beat, judged on held-out samples with 95 % intervals."


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table of its own, such as a log of decisions.

    Attributes:
        title: what it is.
        lead: one sentence on it.
        heads: names of the columns.
        rows: texts.
    """

    title: str
    lead: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, kw_only=True)
class Story:
    """What a page tells.

    Attributes:
        model: name of the original.
        method: what was done, such as ``qat``.
        reached: whether the goal was met.
        verdict: the same in a sentence.
        facts: names and texts in the head.
        sides: before and after.
        links: where the result comes from.
        curves: values over epochs.
        front: points; None where a method has none.
        tables: what else is to be told.
    """

    model: str
    method: str
    reached: bool
    verdict: str
    facts: Mapping[str, str] = field(default_factory=dict)
    sides: BeforeAfter
    links: Sequence[Link]
    curves: Sequence[Curve] = ()
    front: Front | None = None
    tables: Sequence[Table] = ()


def to_html(story: Story) -> str:
    """Return the page: no scripts, nothing fetched, light and dark."""
    sides = story.sides
    return _environment().get_template("training.html.j2").render(
        model=printable(story.model), method=printable(story.method), reached=story.reached,
        verdict=printable(story.verdict), facts=printable(story.facts),
        heading=printable(heading(sides)), names=[side.name for side in sides.sides],
        rows=rows_of(sides), links=[_link(link) for link in story.links],
        curves=[(curve, draw_curve(curve)) for curve in story.curves], front=story.front,
        tables=printable([vars(table) for table in story.tables]),
        front_picture=_front(story.front),
    )  # fmt: skip


def _front(front: Front | None) -> Any:
    if front is None:
        return ""
    title = f"{front.kind} against {front.cost}"
    return draw_front(front.marks, front.cost, title, front.goal)


def _link(link: Link) -> dict[str, Any]:
    own = link.lineage
    made = "" if own is None else f"{own.method}, hwflow {own.version}"
    found: dict[str, Any] = printable(
        {"part": link.part, "name": link.name or "not found", "made": made, "depth": link.depth,
         "sha256": link.sha256}
    )  # fmt: skip
    return found


@cache
def _environment() -> Environment:
    folders = (templates_dir() / name for name in ("compress", "explore", "report"))
    environment = template_environment(*folders, html=True)
    environment.filters |= {"count": numbers.count, "plural": numbers.plural}
    return environment
