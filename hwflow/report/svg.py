"""Figures as inline SVG. They take numbers computed elsewhere and only draw.

Colours come from the page's style sheet by class, so that figures follow light and dark.
"""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup, escape

from hwflow.report.parts import Interval, Range

_MINIMUM = 1.5
"""Narrowest bar in pixels: something that is there must be seen."""


def element(tag: str, *children: str, **attributes: object) -> Markup:
    """Return an element; text and attribute values are escaped unless they are markup already.

    Underscores in attribute names stand for hyphens, a trailing one is dropped (``class_``).
    """
    named = Markup("").join(
        Markup(' {}="{}"').format(Markup(name.rstrip("_").replace("_", "-")), _number(value))
        for name, value in attributes.items()
    )
    inner = Markup("").join(escape(child) for child in children)
    return Markup("<{0}{1}>{2}</{0}>").format(Markup(tag), named, inner)


def _number(value: object) -> object:
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else value


def picture(width: float, height: float, label: str, *children: str, class_: str = "") -> Markup:
    """Return an SVG of a size in pixels, with a label for those who cannot see it."""
    return element(
        "svg",
        element("title", label),
        *children,
        class_=class_,
        viewBox=f"0 0 {width:g} {height:g}",
        width=width,
        height=height,
        role="img",
    )


def _bar(x: float, y: float, width: float, height: float, class_: str) -> Markup:
    return element(
        "rect", x=x, y=y, width=width, height=height, rx=min(2.0, height / 2), class_=class_
    )


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    """Return a straight line."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


RANGE_WIDTH = 168.0


def range_bar(whole: Range, proven: Range, observed: Range | None, label: str) -> Markup:
    """Return a type's range with the proven range and the observed range inside it.

    Args:
        whole: what the type can hold; spans the full width.
        proven: drawn as a band.
        observed: drawn as a strong bar; None without data.
        label: the same in words.
    """
    span = (whole.high - whole.low) or 1.0

    def place(part: Range, y: float, height: float, class_: str) -> Markup:
        start = (part.low - whole.low) / span * RANGE_WIDTH
        width = max(_MINIMUM, (part.high - part.low) / span * RANGE_WIDTH)
        return _bar(min(start, RANGE_WIDTH - width), y, width, height, class_)

    parts = [place(whole, 3.0, 12.0, "range-type"), place(proven, 3.0, 12.0, "range-proven")]
    if observed is not None:
        parts.append(place(observed, 6.5, 5.0, "range-observed"))
    if whole.low < 0 < whole.high:
        zero = -whole.low / span * RANGE_WIDTH
        parts.append(line(zero, 0.0, zero, 18.0, "range-zero"))
    return picture(RANGE_WIDTH, 18.0, label, *parts, class_="range")


USE_WIDTH = 560.0


def use_bar(percent: Interval, fits: str, label: str) -> Markup:
    """Return a bar of resource use with its interval and the limit at 100 %.

    Args:
        percent: how much of what the device has.
        fits: ``yes``, ``borderline`` or ``no``; chooses the colour.
        label: the same in words.
    """
    scale = USE_WIDTH / max(100.0, percent.high * 1.04)
    limit = 100.0 * scale
    parts = [_bar(0.0, 4.0, limit, 14.0, "use-track")]
    if percent.high > 0:
        low = percent.low * scale
        high = max(percent.high * scale, low + _MINIMUM)
        width = max(_MINIMUM, percent.value * scale)
        parts += [
            _bar(0.0, 4.0, width, 14.0, f"use-bar {fits}"),
            line(low, 11.0, high, 11.0, "whisker"),
            line(low, 7.5, low, 14.5, "whisker"),
            line(high, 7.5, high, 14.5, "whisker"),
        ]
    parts.append(line(limit - 0.75, 0.0, limit - 0.75, 22.0, "use-limit"))
    return picture(USE_WIDTH, 22.0, label, *parts, class_="use")


SHARE_WIDTH = 72.0


def share_bar(share: float, label: str) -> Markup:
    """Return a small bar for a share between 0 and 1."""
    width = max(_MINIMUM, share * SHARE_WIDTH) if share > 0 else 0.0
    return picture(
        SHARE_WIDTH,
        8.0,
        label,
        _bar(0.0, 0.0, SHARE_WIDTH, 8.0, "use-track"),
        _bar(0.0, 0.0, width, 8.0, "share-bar"),
        class_="share",
    )


TICK = 7.0
"""Width of a digit of the labels of axes, in pixels, at most."""


def histogram(counts: Sequence[int], edges: Sequence[float], label: str) -> Markup:
    """Return a histogram with labelled axes.

    Args:
        counts: height of each bin.
        edges: limits of the bins, one more than counts, rising.
        label: what is counted, in words.
    """
    width, height, bottom, top, right = 520.0, 200.0, 36.0, 12.0, 12.0
    base, most = height - bottom, max(counts)
    marks = _marks(most)
    left = 14.0 + TICK * max(4, *(len(f"{mark:,}") for mark in marks))
    inner, tall = width - left - right, height - bottom - top
    slot = inner / len(counts)
    parts = []
    for mark in marks:
        y = base - mark / most * tall
        parts.append(line(left, y, width - right, y, "grid" if mark else "axis"))
        parts.append(text(left - 8.0, y + 4.0, f"{mark:,}", "tick end"))
    for i, count in enumerate(counts):
        if count:
            size = max(_MINIMUM, count / most * tall)
            hint = element("title", f"{edges[i]:.4g} to {edges[i + 1]:.4g}: {count:,}")
            x = left + i * slot + 1.0
            rect = {"x": x, "y": base - size, "width": slot - 2.0, "height": size}
            parts.append(element("rect", hint, **rect, class_="bin"))
    for i in range(5):
        at = edges[0] + (edges[-1] - edges[0]) * i / 4
        tick = f"{at:.3g}"
        last = width - TICK * len(tick) / 2  # a label that is centred on its tick fits in
        parts.append(text(min(left + inner * i / 4, last), base + 16.0, tick, "tick middle"))
    parts.append(text(left + inner / 2, height - 4.0, "absolute difference", "tick middle"))
    return picture(width, height, label, *parts, class_="histogram")


def _marks(most: int) -> list[int]:
    """Return up to five round numbers from 0 to ``most``."""
    step = next(m * 10**e for e in range(20) for m in (1, 2, 5) if most <= 4 * m * 10**e)
    return list(range(0, most + 1, step))


def text(x: float, y: float, content: str, class_: str) -> Markup:
    """Return a text that starts at a point, or as its class says."""
    return element("text", content, x=x, y=y, class_=class_)
