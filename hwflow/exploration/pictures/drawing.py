"""The fronts of an exploration and their sensitivities as one picture for print: SVG and PNG.

The same result gives the same bytes: no dates, and identifiers from a fixed salt.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from hwflow.exploration.pictures import figures
from hwflow.exploration.pictures.heat import HeatMap, heat_map

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Plain = Mapping[str, Any]

COLORS = ("#2b5f8c", "#b4540a", "#2b7a4b", "#8a3f8f", "#6b6300", "#b3261e")
"""Colours of boards, as on the page."""

INK, MUTED, LINE = "#1b1f23", "#62686f", "#d8d8d4"

SETTINGS: dict[Any, Any] = {
    "svg.hashsalt": "hwflow", "svg.fonttype": "path", "font.family": "DejaVu Sans",
    "font.size": 9.0, "axes.edgecolor": MUTED, "axes.labelcolor": INK, "text.color": INK,
    "xtick.color": MUTED, "ytick.color": MUTED, "axes.grid": True, "grid.color": LINE,
    "grid.linewidth": 0.6, "axes.axisbelow": True, "axes.spines.top": False,
    "axes.spines.right": False, "figure.dpi": 100, "savefig.facecolor": "white",
    "axes.titlesize": 10, "axes.titleweight": "bold", "axes.titlelocation": "left",
    "text.parse_math": False, "text.usetex": False, "axes.formatter.use_mathtext": False,
}  # fmt: skip
"""Names come from strangers: texts hold no formulas. DejaVu Sans comes with matplotlib."""

LONGEST = 28
"""Characters of a variable's name beside the map."""


def to_svg(result: Plain) -> bytes:
    """Return the picture as SVG, whose text is outlines: it looks the same everywhere."""
    metadata = {"Date": None, "Creator": "hwflow", "Title": "front"}
    return saved(partial(_figure, result), "svg", metadata)


def to_png(result: Plain) -> bytes:
    """Return the picture as PNG, 200 dots per inch."""
    return saved(partial(_figure, result), "png", {"Software": "hwflow"})


def saved(draw: Callable[[], Figure], kind: str, metadata: Mapping[str, str | None]) -> bytes:
    """Return a figure as a file, with the settings that all pictures have.

    Args:
        draw: draws it.
        kind: ``svg`` or ``png``.
        metadata: what the file says of itself.
    """
    from matplotlib import rc_context, rcParamsDefault

    out = io.BytesIO()
    # a context does not give a backend back that it has changed, such as that of a notebook
    usual = {k: v for k, v in rcParamsDefault.items() if not k.startswith("backend")}
    with rc_context({**usual, **SETTINGS}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # it draws a box
        draw().savefig(out, format=kind, metadata=dict(metadata), dpi=200)
    return out.getvalue()


def _figure(result: Plain) -> Figure:
    """Return the fronts, two beside each other, over the map of losses."""
    from matplotlib.figure import Figure as MatplotlibFigure

    fronts, heat = result["fronts"], heat_map(result)
    columns = min(2, len(fronts))
    rows = -(-len(fronts) // columns)
    heights = [3.4] * rows + ([] if heat is None else [0.7 + 0.24 * len(heat.rows)])
    figure = MatplotlibFigure(
        figsize=(5.2 * columns + 0.6, sum(heights) + 0.7), layout="constrained"
    )
    grid = figure.add_gridspec(len(heights), columns, height_ratios=heights)
    for i, front in enumerate(fronts):
        _draw_front(figure.add_subplot(grid[divmod(i, columns)]), result, front, COLORS[i % 6])
    if heat is not None:
        _draw_heat(figure.add_subplot(grid[rows, :]), heat, figures.reference_of(result))
    figure.suptitle(f"{shown(result['model'], 60)}: {figures.certainty(result)}", fontsize=10)
    return figure


def shown(name: str, longest: int = LONGEST) -> str:
    """Return a name as one line of printable text, cut in its middle where it is too long."""
    text = "".join(c if c.isprintable() else "?" for c in name)
    half = (longest - 1) // 2
    return text if len(text) <= longest else f"{text[:half]}…{text[-half:]}"


def _draw_front(axes: Axes, result: Plain, front: Plain, color: str) -> None:
    """Draw points with intervals of held-out samples over the staircase of the search."""
    kind, figure = figures.kind_of(result), figures.main_figure(front)
    axes.set_title(f"{shown(front['board'])}, {front['clock_period_ns']:g} ns")
    axes.set_xlabel(figure.axis)
    axes.set_ylabel(f"{kind} %")
    points = [p for p in front["points"] if np.isfinite(figures.ends(p, figure)[0])]
    if not points:
        return
    x = np.array([figures.ends(p, figure)[0] for p in points])
    y = np.array([100 * p["held_out"][kind] for p in points])
    low, high = np.array([p["held_out"][f"{kind}_interval"] for p in points]).T * 100
    axes.vlines(x, low, high, color=color, alpha=0.45, linewidth=1.1)
    stairs = figures.staircase(points, figure, kind)
    edge = axes.get_xlim()[1]
    axes.step([s[0] for s in stairs] + [edge], [s[1] for s in stairs] + [stairs[-1][1]],
              where="post", color=color, alpha=0.5, linewidth=1.2,
              label=f"searched, {result['search_samples']:,} samples")  # fmt: skip
    alike = np.array([p["like"] is not None for p in points])
    style: dict[str, Any] = {"edgecolor": color, "linewidth": 1.2, "s": 26, "zorder": 3}
    axes.scatter(x[~alike], y[~alike], color=color, label="held out, told apart", **style)
    axes.scatter(x[alike], y[alike], color="white", label="not told from a cheaper one", **style)
    knee = next((i for i, p in enumerate(points) if p["id"] == front["knee"]), None)
    if knee is not None:
        axes.scatter(x[knee], y[knee], s=120, facecolor="none", edgecolor=color, linewidth=1.4)
        behind = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.5}
        axes.annotate(f"knee, {front['knee']}", (x[knee], low[knee]), (0, -4), color=color,
                      textcoords="offset points", ha="center", va="top", weight="bold",
                      bbox=behind)  # fmt: skip
    axes.legend(loc="lower right", fontsize=7.5, frameon=False)


def _draw_heat(axes: Axes, heat: HeatMap, reference: str) -> None:
    """Draw losses by variable and bits, written into the cells."""
    warmth = np.array(
        [[np.nan if c is None else c.warmth for c in cells] for _, cells in heat.rows]
    )
    axes.pcolormesh(warmth, cmap="Blues", vmin=-0.1, vmax=2.2, edgecolor="white", linewidth=1.0)
    axes.invert_yaxis()
    for row, (_, cells) in enumerate(heat.rows):
        for column, cell in enumerate(cells):
            if cell is not None:
                axes.text(column + 0.5, row + 0.5, cell.text, ha="center", va="center", fontsize=8)
    axes.set_xticks(np.arange(len(heat.bits)) + 0.5, [f"{bits} bits" for bits in heat.bits])
    axes.set_yticks(np.arange(len(heat.rows)) + 0.5, [shown(name) for name, _ in heat.rows])
    axes.tick_params(length=0, labelcolor=INK)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.set_title(f"Divergence from the {reference} of each choice alone, nats")
