"""The report as one self-contained HTML page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from jinja2 import Environment
from markupsafe import Markup

from hwflow.core.distance import OutputError
from hwflow.core.resources import templates_dir
from hwflow.core.templates import template_environment
from hwflow.estimate.stages import CSYNTH
from hwflow.report import notes, words
from hwflow.report.network import draw_network
from hwflow.report.observations import reached
from hwflow.report.schema import LayerData, ReportData, UtilisationData
from hwflow.report.stages import FIGURE_NAMES, layer_cells, ratio_words
from hwflow.report.svg import histogram, range_bar, share_bar, use_bar
from hwflow.simulate.coverage.words import coverage_text
from hwflow.verify.agreement import Divergence
from hwflow.verify.words import distances, numbers
from hwflow.verify.words.statements import LOSSLESS, first_element


def to_html(data: ReportData) -> str:
    """Return the whole page: no scripts, no links to elsewhere, readable offline and in print."""
    template = _environment().get_template("report.html.j2")
    return template.render(
        data=data,
        headlines=words.headlines(data),
        key_figures=words.key_figures(data),
        divergences=list(_divergences(data)),
        network=draw_network(data),
        requantizers=words.requantized(data),
        has_data=any(layer.counters is not None for layer in data.layers),
    )


@cache
def _environment() -> Environment:
    environment = template_environment(templates_dir() / "report", html=True)
    environment.filters |= {
        "count": numbers.count,
        "meaning": words.meaning,
        "real": numbers.real,
        "percent": numbers.percent,
        "ends": words.ends,
        "between": words.between,
        "shape": words.shape,
        "plural": numbers.plural,
        "breakable": _breakable,
        "reached": reached,
        "coverage_text": coverage_text,
    }
    environment.globals |= {
        "draw_range": _range,
        "draw_use": _use,
        "draw_share": share_bar,
        "draw_errors": _errors,
        "error_facts": distances.error_facts,
        "loss_facts": distances.loss_facts,
        "sqnr": distances.sqnr,
        "use_words": words.use,
        "latency_note": notes.latency_note,
        "stage_rows": notes.stage_rows,
        "resource_names": words.RESOURCE_NAMES,
        "figure_names": FIGURE_NAMES,
        "csynth_names": CSYNTH,
        "ratio_words": ratio_words,
        "layer_cells": layer_cells,
    }
    return environment


def _breakable(name: str) -> Markup:
    """Return a name that may be broken across lines after its separators."""
    parts = re.split(r"(?<=[./_])", name)
    return Markup("<wbr>").join(parts)


@dataclass(frozen=True)
class Note:
    """What the page says about a statement that does not hold.

    Attributes:
        title: what is so instead.
        tone: ``bad`` or ``warn``.
        first: the first difference.
        where: its element, and both values.
    """

    title: str
    tone: str
    first: Divergence
    where: str


def _divergences(data: ReportData) -> Iterator[Note]:
    """Yield a note about each statement that does not hold."""
    for claim, first in words.divergences(data):
        tone = "warn" if claim is LOSSLESS else "bad"
        yield Note(claim.contradiction, tone, first, first_element(claim, first))


def _range(layer: LayerData) -> Markup:
    """Return the bar of a layer's ranges."""
    observed = layer.counters.observed if layer.counters else None
    label = f"type holds {words.between(layer.type_range)}, "
    label += f"proven {words.between(layer.proven_range)}"
    label += f", observed {words.between(observed)}" if observed else ""
    return range_bar(layer.type_range, layer.proven_range, observed, label)


def _use(use: UtilisationData) -> Markup:
    """Return the bar of a resource of the board."""
    label = f"{words.RESOURCE_NAMES[use.resource]}: {', '.join(words.use(use))}"
    return use_bar(use.percent, use.fits, label)


def _errors(error: OutputError, reference: str) -> Markup:
    """Return the histogram of an output's errors."""
    label = f"Absolute differences of {error.output} from {reference}"
    return histogram(error.histogram, error.edges, label)
