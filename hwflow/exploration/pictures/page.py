"""The fronts of an exploration as one page that needs nothing else."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from math import isfinite
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from hwflow.core.resources import templates_dir
from hwflow.core.templates import template_environment
from hwflow.exploration.pictures import figures, heat
from hwflow.verify.words import numbers

Plain = Mapping[str, Any]

SCRIPTS = ("data", "state", "scale", "chart", "hands", "controls", "details", "main")
"""Files of the page's script, in the order in which they stand in it."""

INERT = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}
"""What could end the element that holds JSON, or a line of JavaScript; inside texts only."""


def to_html(result: Plain, run: str | None = None) -> str:
    """Return the page: one file, nothing fetched, with its own script and no other.

    Args:
        result: what ``front.json`` holds.
        run: the folder of the run as users write it; None for the folder that the page lies in.
    """
    script, shown = _script(), printable(result)
    template = _environment().get_template("page.html.j2")
    return template.render(
        result=shown,
        kind=figures.kind_of(shown),
        reference=figures.reference_of(shown),
        certainty=figures.certainty(shown),
        fitted=bool(figures.fitted_of(shown)),
        tables=list(_tables(shown)),
        heat=heat.heat_map(shown),
        steps=[heat.steps(front) for front in shown["fronts"]],
        digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        script=Markup(script),
        island=island(result, run),
    )


def island(result: Plain, run: str | None) -> Markup:
    """Return what the script reads, as JSON that stays inside its element."""
    content = {
        "run": run,
        "kind": figures.kind_of(result),
        "reference": figures.reference_of(result),
        "stem": stem(str(result["model"])),
        "figures": [asdict(figure) for figure in figures.figures_of(result)],
        "result": finite(result),
    }
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return Markup(text.translate(INERT))


def finite(content: Any) -> Any:
    """Return plain data as JSON has it: what is no number, such as a share of nothing, is null."""
    if isinstance(content, Mapping):
        return {name: finite(value) for name, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [finite(value) for value in content]
    return None if isinstance(content, float) and not isfinite(content) else content


def printable(content: Any) -> Any:
    """Return plain data with texts as they are shown: marks of direction could turn a line."""
    if isinstance(content, Mapping):
        return {printable(name): printable(value) for name, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [printable(value) for value in content]
    if isinstance(content, str):
        return "".join(c if c.isprintable() else "?" for c in content)
    return content


def stem(name: str) -> str:
    """Return what folders of a model's designs may be called."""
    base = name.rpartition("/")[2].rpartition(".")[0] or name
    return re.sub(r"[^A-Za-z0-9_-]+", "-", base).strip("-") or "model"


@dataclass(frozen=True, kw_only=True)
class Row:
    """A point in the table of its front.

    Attributes:
        key: the front's number and the point's id, as the script calls it.
        id: the point's id.
        knee: it is the knee.
        bits: bits of all variables that have a choice.
        accuracies: searched; held out; and its interval, in words.
        costs: figures of the table, in words.
        fits: as the estimate says.
        stays: how often it stays on the front as costs are drawn, or nothing.
        like: the cheapest point that it is not told from, or nothing.
    """

    key: str
    id: int
    knee: bool
    bits: str
    accuracies: tuple[str, str, str]
    costs: tuple[str, ...]
    fits: str
    stays: str
    like: str


COLUMNS = ("lut_synth", "ff_synth", "dsp_synth", "bram_18k_synth", "latency_ns", "ii")
"""Figures of the table beside the share; all others are on the page of the point."""


@dataclass(frozen=True, kw_only=True)
class FrontTable:
    """A front as a table.

    Attributes:
        title: the board and what is generated for it.
        heads: names of the figures.
        rows: best accuracy first.
    """

    title: str
    heads: tuple[str, ...]
    rows: tuple[Row, ...]


def _tables(result: Plain) -> Iterator[FrontTable]:
    kind = figures.kind_of(result)
    known = {figure.name: figure for figure in figures.figures_of(result)}
    columns = [known[name] for name in COLUMNS if name in known]
    for board, front in enumerate(result["fronts"]):
        yield FrontTable(
            title=f"{front['board']}, {front['part']}, {front['clock_period_ns']:g} ns, "
            f"{front['io_type']}",
            heads=("share", *(figure.short for figure in columns)),
            rows=tuple(
                Row(
                    key=f"{board}:{point['id']}",
                    id=point["id"],
                    knee=point["id"] == front["knee"],
                    bits=figures.chosen_bits(result, point),
                    accuracies=_accuracies(point, kind),
                    costs=(
                        _share(point["share"]),
                        *(figures.with_ends(figures.ends(point, figure)) for figure in columns),
                    ),
                    fits=str(point["fits"] or "not known"),
                    stays=_stays(point["stable"]),
                    like="" if point["like"] is None else str(point["like"]),
                )
                for point in front["points"]
            ),
        )


def _accuracies(point: Plain, kind: str) -> tuple[str, str, str]:
    held = point["held_out"]
    low, high = (f"{100 * end:.1f}" for end in held[f"{kind}_interval"])
    return f"{100 * point['search'][kind]:.1f}", f"{100 * held[kind]:.1f}", f"{low} to {high}"


def _stays(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.0f} %"


def _share(share: float) -> str:
    return f"{100 * share:.1f} %" if isfinite(share) else "not on this board"


@cache
def _script() -> str:
    """Return the page's script, each file of it in one scope."""
    folder = templates_dir() / "explore" / "js"
    parts = [(folder / f"{name}.js").read_text("utf-8") for name in SCRIPTS]
    return '\n"use strict";\n(() => {\n' + "\n".join(parts) + "})();\n"


@cache
def _environment() -> Environment:
    folders = templates_dir() / "explore", templates_dir() / "report"
    environment = template_environment(*folders, html=True)
    environment.filters |= {"count": numbers.count, "plural": numbers.plural}
    return environment
