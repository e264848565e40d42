"""The report as one self-contained HTML page."""

from __future__ import annotations

import re
from functools import cache

from jinja2 import Environment
from markupsafe import Markup

from hwflow.core.resources import templates_dir
from hwflow.core.templates import template_environment
from hwflow.report import facts, notes, words
from hwflow.report.losses import OutputLossData
from hwflow.report.network import draw_network
from hwflow.report.schema import LayerData, OutputErrorData, ReportData, UtilisationData
from hwflow.report.svg import histogram, range_bar, share_bar, use_bar


def to_html(data: ReportData) -> str:
    """Return the whole page: no scripts, no links to elsewhere, readable offline and in print."""
    template = _environment().get_template("report.html.j2")
    return template.render(
        data=data,
        verdicts=words.verdicts(data),
        key_figures=words.key_figures(data),
        divergences=_divergences(data),
        network=draw_network(data),
        requantizers=words.requantized(data),
        has_data=any(layer.counters is not None for layer in data.layers),
    )


@cache
def _environment() -> Environment:
    environment = template_environment(templates_dir() / "report", html=True)
    environment.filters |= {
        "count": words.count,
        "meaning": words.meaning,
        "real": words.real,
        "percent": words.percent,
        "ends": words.ends,
        "between": words.between,
        "shape": words.shape,
        "plural": words.plural,
        "breakable": _breakable,
    }
    environment.globals |= {
        "draw_range": _range,
        "draw_use": _use,
        "draw_share": share_bar,
        "draw_errors": _errors,
        "error_facts": facts.error_facts,
        "loss_facts": facts.loss_facts,
        "sqnr": facts.sqnr,
        "use_words": words.use,
        "latency_note": notes.latency_note,
        "stage_rows": notes.stage_rows,
        "resource_names": words.RESOURCE_NAMES,
    }
    return environment


def _breakable(name: str) -> Markup:
    """Return a name that may be broken across lines after its separators."""
    parts = re.split(r"(?<=[./_])", name)
    return Markup("<wbr>").join(parts)


def _divergences(data: ReportData) -> list[dict[str, object]]:
    """Return what the page says about each statement that does not hold."""
    found: list[dict[str, object]] = []
    for statement, title, tone, expected, actual in (
        (data.faithful, "The C++ differs from the simulation", "bad", "simulation", "C++"),
        (data.golden, "The golden model differs from the simulation", "bad", "simulation",
         "golden model"),
        (data.lossless, "The hardware differs from the trained model", "warn", "model", "hardware"),
    ):  # fmt: skip
        if statement is not None and statement.first is not None:
            found.append(
                {
                    "title": title,
                    "tone": tone,
                    "first": statement.first,
                    "where": facts.divergence(statement.first, expected, actual),
                }
            )
    return found


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


def _errors(error: OutputErrorData | OutputLossData, reference: str) -> Markup:
    """Return the histogram of an output's errors."""
    label = f"Absolute differences of {error.output} from {reference}"
    return histogram(error.histogram, error.edges, label)
