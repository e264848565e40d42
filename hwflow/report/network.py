"""Draws the network: one inline SVG per column of the layout."""

from __future__ import annotations

from collections.abc import Mapping

from markupsafe import Markup

from hwflow.report.layout import Column, Edge, Spot, lay_out
from hwflow.report.schema import LayerData, ReportData
from hwflow.report.svg import element, picture, text
from hwflow.report.words import shape

BOX_WIDTH, BOX_HEIGHT = 204.0, 62.0
GAP_X, GAP_Y = 20.0, 24.0
THIN = 16.0
"""Width of a lane that only edges pass."""
MARGIN = 4.0
STUB = 34.0
"""Height of the piece that says where an edge continues."""


def draw_network(data: ReportData) -> tuple[Markup, ...]:
    """Return the network's columns, to be set beside each other in reading order."""
    layers = {layer.name: layer for layer in data.layers}
    columns = lay_out([(layer.name, layer.inputs) for layer in data.layers])
    first = {s.first.layer for s in (data.faithful, data.lossless) if s and s.first}
    ports = {port.layer for port in (*data.inputs, *data.outputs)}
    classes = {
        name: "differs" if name in first else "port" if name in ports else _family(layer)
        for name, layer in layers.items()
    }
    return tuple(_draw(column, layers, classes) for column in columns)


def _family(layer: LayerData) -> str:
    return "weights" if layer.strategy is not None else "plain"


def _draw(column: Column, layers: Mapping[str, LayerData], classes: Mapping[str, str]) -> Markup:
    width = 2 * MARGIN + column.lanes * (BOX_WIDTH + GAP_X) - GAP_X + column.thin_lanes * THIN
    above = STUB if column.comes_from else 0.0
    below = STUB if column.goes_to else 0.0
    height = 2 * MARGIN + above + below + column.ranks * (BOX_HEIGHT + GAP_Y) - GAP_Y
    boxes = {
        name: (_left(spot.lane, column), MARGIN + above + spot.rank * (BOX_HEIGHT + GAP_Y))
        for name, spot in column.spots.items()
    }
    parts = [_edge(edge, column, boxes, MARGIN + above) for edge in column.edges]
    parts += [_box(layers[name], *boxes[name], classes[name]) for name in column.spots]
    if column.comes_from:
        x, y = boxes[_at_rank(column.spots, 0)]
        parts += _stub(x, MARGIN, y, f"from {layers[column.comes_from].origin}", arriving=True)
    if column.goes_to:
        x, y = boxes[_at_rank(column.spots, column.ranks - 1)]
        label = f"to {layers[column.goes_to].origin}"
        parts += _stub(x, y + BOX_HEIGHT, y + BOX_HEIGHT + STUB, label, arriving=False)
    label = f"Part of the network with {len(column.spots)} layers"
    return picture(width, height, label, *parts, class_="network")


def _at_rank(spots: Mapping[str, Spot], rank: int) -> str:
    """Return the leftmost layer of a rank."""
    return min((s.lane, name) for name, s in spots.items() if s.rank == rank)[1]


def _left(lane: int, column: Column) -> float:
    """Return the left side of a lane; thin ones come after those with boxes."""
    wide = min(lane, column.lanes)
    return MARGIN + wide * (BOX_WIDTH + GAP_X) + (lane - wide) * THIN


def _edge(
    edge: Edge, column: Column, boxes: Mapping[str, tuple[float, float]], top: float
) -> Markup:
    (x1, y1), (x2, y2) = boxes[edge.source], boxes[edge.target]
    start, end = (x1 + BOX_WIDTH / 2, y1 + BOX_HEIGHT), (x2 + BOX_WIDTH / 2, y2)
    if edge.lane is None:
        return element("path", d=f"M{_at(start)}{_curve(start, end)}", class_="edge")
    x = _left(edge.lane, column)
    x += BOX_WIDTH / 2 if edge.lane < column.lanes else THIN / 2 - GAP_X
    enter, leave = (x, start[1] + GAP_Y), (x, end[1] - GAP_Y)
    path = f"M{_at(start)}{_curve(start, enter)}L{_at(leave)}{_curve(leave, end)}"
    return element("path", d=path, class_="edge")


def _curve(start: tuple[float, float], end: tuple[float, float]) -> str:
    """Return a path from one point to a lower one that leaves and arrives upright."""
    middle = (start[1] + end[1]) / 2
    if start[0] == end[0]:
        return f"L{_at(end)}"
    return f"C{_at((start[0], middle))} {_at((end[0], middle))} {_at(end)}"


def _at(point: tuple[float, float]) -> str:
    return f"{point[0]:g},{point[1]:g}"


def _stub(x: float, y1: float, y2: float, label: str, *, arriving: bool) -> list[Markup]:
    """Return a dashed line between a box and the edge of the column, with a label."""
    middle = x + BOX_WIDTH / 2
    at = y1 + 12.0 if arriving else y2 - 6.0
    return [
        element("path", d=f"M{middle:g},{y1:g}L{middle:g},{y2:g}", class_="edge stub"),
        text(middle + 8.0, at, fit(label, 15), "stub-label"),
    ]


def _box(layer: LayerData, x: float, y: float, class_: str) -> Markup:
    axes = shape(layer.output_shape)
    title = f"{layer.origin} ({layer.name}): {layer.operator}, {axes}, {layer.result_t}"
    lines = (
        text(0.0, 20.0, fit(layer.origin, 21), "box-name"),
        text(0.0, 36.0, fit(f"{layer.operator} · {axes}", 30), "box-kind"),
        text(0.0, 52.0, fit(layer.result_t, 28), "box-type"),
    )
    return element(
        "g",
        element("title", title),
        element("rect", x=x, y=y, width=BOX_WIDTH, height=BOX_HEIGHT, rx=6.0, class_="box"),
        element("rect", x=x, y=y + 8, width=3.0, height=BOX_HEIGHT - 16, rx=1.5, class_="mark"),
        element("svg", *lines, x=x + 14, y=y, width=BOX_WIDTH - 18, height=BOX_HEIGHT),
        class_=f"node {class_}",
    )


def fit(label: str, most: int) -> str:
    """Return a label shortened in the middle to at most ``most`` characters."""
    if len(label) <= most:
        return label
    head = (most - 1) // 2
    return f"{label[:head]}…{label[len(label) - (most - 1 - head) :]}"
