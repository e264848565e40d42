"""The page about a block, for whoever integrates it, and its picture of elements in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hwflow.package.description import Description, Figure, Port
from hwflow.package.wrapper import rendered
from hwflow.report.markup import plain

LEFT, WIDE = 80, 660
"""Where words begin in the picture, and how wide they are, in pixels."""

NO_DESIGN = {
    "Alveo": "An Alveo card is programmed through its shell: package with --interface memory "
    "--target vitis-kernel; make xclbin links the kernel.",
    "": "There is no processor on this board: add the IP to a design of your own.",
}
"""Why a board has no reference design, by how the name of its family begins."""


def no_design(description: Description) -> str:
    """Return why there is no reference design for a block's board, and what to do."""
    family = description.target.family
    return next(text for name, text in NO_DESIGN.items() if family.startswith(name))


def page_files(description: Description, names: Mapping[str, Any]) -> dict[str, bytes]:
    """Return the page and its picture by path in the block's folder.

    Args:
        description: the block.
        names: what its templates refer to.
    """
    figures = {
        name: _figure(value) for name, value in description.figures if isinstance(value, Figure)
    }
    ports = [_Shown(port) for port in description.ports]
    page = {
        **names,
        "ports": ports,
        "figures": figures,
        "float32": description.edge == "float32",
        "plain": plain,
    }
    return {
        "README.md": rendered("README.md.j2", page),
        "packing.svg": rendered("packing.svg.j2", page),
    }


class _Shown:
    """A port as the page shows it."""

    def __init__(self, port: Port) -> None:
        self.port = port
        self.shown_words = list(_words(port))
        self.scale_text = _scale_text(port)

    def __getattr__(self, name: str) -> Any:
        for part in (self.port, self.port.element, self.port.packing):
            if name in type(part).model_fields:
                return getattr(part, name)
        raise AttributeError(name)


def _scale_text(port: Port) -> str:
    if port.classes is not None:
        return f"the number of the first greatest of {port.classes} scores, 0 for the first score"
    scale, offset = port.exact_scale, port.exact_offset
    if len(scale) > 1 or len(offset) > 1:
        return "scale * mantissa + offset, with a scale for each channel in `ip.json`"
    return f"mantissa * {scale[0]}" + (f" + {offset[0]}" if offset[0] != "0" else "")


def _words(port: Port) -> Iterator[dict[str, Any]]:
    """Yield the first two words of a frame and the last one, as rows of the picture."""
    words = port.packing.words
    shown: Sequence[int | None] = range(words) if words <= 3 else (0, None, words - 1)
    for number in shown:
        yield {"number": number, "cells": [] if number is None else list(_cells(port, number))}


def _cells(port: Port, word: int) -> Iterator[dict[str, Any]]:
    lanes = port.packing.lanes
    width = WIDE / lanes
    for lane in range(lanes):
        element = word * lanes + lane
        text = f"{element}" if element < port.elements else ""
        yield {"x": LEFT + WIDE - width * (lane + 1), "width": width, "text": text}


def _figure(figure: Figure) -> str:
    return f"{figure.value:,.0f} ({figure.low:,.0f} to {figure.high:,.0f})"
