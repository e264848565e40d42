"""The scales of all activations, those that are tied to each other chosen together."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, MutableMapping, Sequence

import numpy as np
import numpy.typing as npt

from hwflow.frontends.quantization.places import Place, Tie
from hwflow.frontends.quantization.ranges import Format, choose_format, choose_scale
from hwflow.frontends.quantization.settings import Settings

Floats = npt.NDArray[np.float64]

OFFSETS = np.exp2(np.linspace(-0.5, 0.5, 17))
"""Common scales that are tried around each candidate, over one octave."""


Formats = dict[str, tuple[Format, float]]


def activation_scales(
    ties: Sequence[Tie],
    values: Mapping[str, Floats],
    settings: Settings,
    known: MutableMapping[Hashable, Formats] | None = None,
) -> Formats:
    """Return integers and scale of each place, by the name of its value.

    Args:
        ties: all places.
        values: samples of each value, from the float model.
        settings: bits and method.
        known: scales of other quantisations with these values and this method; it gets these.
    """
    found: Formats = {}
    known = {} if known is None else known
    for tie in ties:
        key = tuple((_name(p), settings.activation(p.names)) for g in tie.groups for p in g)
        if key not in known:
            known[key] = _scales_of(tie, values, settings)
        found |= known[key]
    return found


def _scales_of(tie: Tie, values: Mapping[str, Floats], settings: Settings) -> Formats:
    """Return integers and scale of places that are tied to each other."""
    forms = {
        _name(p): choose_format(
            values[_name(p)],
            settings.activation(p.names),
            asymmetric=settings.asymmetric and len(tie.groups) == len(tie.groups[0]) == 1,
        )
        for group in tie.groups
        for p in group
    }
    wanted = {
        name: choose_scale(values[name], form, settings.method, pow2=settings.pow2)
        for name, form in forms.items()
    }
    chosen = _tied(tie, forms, wanted, values, settings)
    return {name: (form, chosen[name]) for name, form in forms.items()}


def _name(place: Place) -> str:
    return place.value.name or ""


def _tied(
    tie: Tie,
    forms: Mapping[str, Format],
    wanted: Mapping[str, float],
    values: Mapping[str, Floats],
    settings: Settings,
) -> dict[str, float]:
    """Return scales that fulfil a tie, with the least sum of relative errors."""
    if len(wanted) == 1:
        return dict(wanted)
    groups = [[_name(p) for p in group] for group in tie.groups]
    power = {name: float(np.mean(values[name] ** 2)) or 1.0 for g in groups for name in g}

    def cost(group: list[str], scale: float) -> float:
        return sum(forms[n].error(values[n], scale) / power[n] for n in group)

    if settings.pow2 and len(groups) == len(wanted):
        return dict(wanted)  # powers of two fit together as they are
    best: tuple[float, list[float]] = (math.inf, [])
    for common in _candidates(list(wanted.values()), pow2=settings.pow2):
        scales = [_nearest_octave(g, common, wanted, cost, len(groups) > 1) for g in groups]
        total = sum(cost(g, s) for g, s in zip(groups, scales, strict=True))
        best = min(best, (total, scales), key=lambda entry: entry[0])
    return {n: s for g, s in zip(groups, best[1], strict=True) for n in g}


def _candidates(wanted: list[float], *, pow2: bool) -> list[float]:
    """Return common scales to try; float32 numbers, so that their ratios stay powers of two."""
    if pow2:
        return sorted(set(wanted))
    return [float(np.float32(w * f)) for w in set(wanted) for f in OFFSETS]


def _nearest_octave(
    group: list[str],
    common: float,
    wanted: Mapping[str, float],
    cost: Callable[[list[str], float], float],
    free: bool,
) -> float:
    """Return the common scale times the power of two that suits a group best."""
    if not free:
        return common
    octaves = {round(math.log2(wanted[n] / common)) + step for n in group for step in (-1, 0, 1)}
    scales = [math.ldexp(common, k) for k in sorted(octaves)]
    return min(scales, key=lambda scale: cost(group, scale))
