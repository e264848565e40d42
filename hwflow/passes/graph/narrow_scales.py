"""A scaling that is rounded needs no finer constants than its roundings can tell apart.

A batch norm's float32 factor costs a 24-bit multiplier, but its result is rounded to a few levels.
For each channel the inputs where the result steps from one level to the next are found by bisection
over the proven range. A factor gives the same at all of them together with any offset from an
interval, the intersection of what each input asks for. The coarsest factor is taken for which all
channels have such an offset, then the coarsest offset.

**Proof**: the new layer is computed at both ends of every run of inputs with the same result, and
must give that result. A line and a saturating rounding are monotone, so in between it does too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from hwflow.core.environment import explain
from hwflow.fixed import FixedArray, Overflow, RawArray, Rounding
from hwflow.ir.graph import Graph, Node
from hwflow.ir.op import Op
from hwflow.ir.tensor import TensorType
from hwflow.ops.scale_bias import ScaleBias

F64 = npt.NDArray[np.float64]

MAX_RUNS = 2**18
"""Most runs, over all channels, that are looked for: well below a second of work."""

FINEST_OFFSET = 40
"""Fractional bits of the finest offset tried."""

TO_NEAREST = (
    Rounding.RND,
    Rounding.RND_CONV,
    Rounding.RND_INF,
    Rounding.RND_ZERO,
    Rounding.RND_MIN_INF,
)


@dataclass(frozen=True, eq=False)
class _Ends:
    """The ends of every run of inputs with the same result.

    Attributes:
        x: inputs, shape ``(ends, channels)``.
        wanted: mantissas of their results.
        low: results above this, as real numbers, round to the wanted ones or higher.
        high: results below this round to the wanted ones or lower.
    """

    x: FixedArray
    wanted: RawArray
    low: F64
    high: F64


def narrow_scales(graph: Graph) -> Graph:
    """Return the graph with scalings no finer than their results can tell."""
    changed: dict[str, Op] = {}
    for node in graph.nodes:
        if isinstance(node.op, ScaleBias) and _applies(node.op):
            narrowed = _narrowed(node, node.op, graph.input_types(node)[0])
            if narrowed is not None:
                changed[node.name] = narrowed
    return graph.replace_ops(changed) if changed else graph


def _applies(op: ScaleBias) -> bool:
    to = op.result_t
    if to is None or op.scale_t is not None or op.bias_t is not None:
        return False
    rounds = to.rounding in TO_NEAREST or to.rounding is Rounding.TRN
    flat = max(op.scale.raw.ndim, op.bias.raw.ndim) <= 1
    return rounds and flat and to.overflow in (Overflow.SAT, Overflow.SAT_SYM)


def _narrowed(node: Node, op: ScaleBias, x: TensorType) -> ScaleBias | None:
    ends = _ends(op, x)
    if ends is None:
        explain("narrow_scales", f"{node.name}: its result takes too many levels")
        return None
    for candidate in _candidates(op, ends):
        if np.array_equal(_results(candidate, ends.x), ends.wanted):
            return candidate
    explain("narrow_scales", f"{node.name}: every bit of its constants matters")
    return None


def _results(op: ScaleBias, x: FixedArray) -> RawArray:
    assert op.result_t is not None
    return op.compute(x).cast(op.result_t).raw


def _ends(op: ScaleBias, x: TensorType) -> _Ends | None:
    """Return both ends of every run, or None where there are too many."""
    falls = np.broadcast_to(op.scale.raw, x.lo.shape) < 0
    span = x.hi - x.lo

    def point(steps: RawArray) -> FixedArray:
        """Return the input so many steps up the line: from ``lo``, or down from ``hi``."""
        return FixedArray(np.where(falls, x.hi - steps, x.lo + steps), x.dtype)

    first, last = _results(op, point(np.stack([np.zeros_like(span), span])))
    levels = np.arange(int(first.min()) + 1, int(last.max()) + 1)[:, None]
    if levels.size * x.channels > MAX_RUNS:
        return None
    below, reached = np.zeros((len(levels), x.channels), np.int64), span + np.zeros_like(levels)
    for _ in range(int(span.max()).bit_length()):
        middle = (below + reached) // 2
        there = _results(op, point(middle)) >= levels
        below, reached = np.where(there, below, middle), np.where(there, middle, reached)
    steps = (first < levels) & (levels <= last)
    zero = np.zeros_like(span)[None]
    positions = np.concatenate(
        [zero, np.where(steps, below, 0), np.where(steps, reached, 0), zero + span]
    )
    return _limits(op, point(positions))


def _limits(op: ScaleBias, x: FixedArray) -> _Ends:
    to = op.result_t
    assert to is not None
    wanted = _results(op, x)
    low = wanted - (0.5 if to.rounding in TO_NEAREST else 0.0)
    return _Ends(
        x,
        wanted,
        np.where(wanted == to.raw_min, -np.inf, low * to.step),
        np.where(wanted == to.raw_max, np.inf, (low + 1.0) * to.step),
    )


def _candidates(op: ScaleBias, ends: _Ends) -> Iterator[ScaleBias]:
    """Yield scalings from the coarsest factor on, each with its coarsest offset."""
    scale = np.broadcast_to(op.scale.values, ends.x.shape[1:])
    largest = float(np.abs(scale).max())
    if largest == 0.0:
        return
    for fractional in range(-int(np.frexp(largest)[1]), op.scale.dtype.fractional):
        factors = np.rint(np.ldexp(scale, fractional))
        products = np.ldexp(factors, -fractional) * ends.x.values
        offset = _offset((ends.low - products).max(axis=0), (ends.high - products).min(axis=0))
        if offset is not None:
            narrow = FixedArray.narrowest(factors.astype(np.int64), fractional)
            yield replace(op, scale=narrow, bias=offset)


def _offset(low: F64, high: F64) -> FixedArray | None:
    """Return an offset strictly between each channel's limits, on the coarsest common grid."""
    if not (low < high).all():
        return None
    limits = np.concatenate([low, high])
    largest = np.abs(limits[np.isfinite(limits)]).max(initial=1.0)
    for fractional in range(-int(np.frexp(largest)[1]), FINEST_OFFSET):
        below, above = np.ldexp(low, fractional), np.ldexp(high, fractional)
        raw = np.where(np.isfinite(below), np.floor(below) + 1, np.ceil(above) - 1)
        raw = np.where(np.isfinite(raw), raw, 0.0)
        if ((below < raw) & (raw < above)).all():
            return FixedArray.narrowest(raw.astype(np.int64), fractional)
    return None
