"""Functions that the model itself defines by numbers: these are the judge's, too."""

from __future__ import annotations

import numpy as np

from hwflow.ir.qonnx.lookup_dense import OPERANDS
from hwflow.verify.references.exact.decision import rounded
from hwflow.verify.references.exact.node import Operands, Step, View
from hwflow.verify.references.exact.sums import weight_integers
from hwflow.verify.references.exact.values import F64, LIMIT, Tensor, largest, leaf, real_input


def table(view: View) -> Step:
    """Return the evaluation of ``Table``: the model's own number at every point."""
    values = view.constant(1)
    first, step = (float(view.attributes.get(name, 0.0)) for name in ("first", "step"))
    if values is None or not values.size or step <= 0:
        raise view.refused("without points")
    numbers = values.ravel()

    def evaluate(operands: Operands, samples: int) -> tuple[Tensor, ...]:
        x = rounded(view.tensor(operands, 0), samples)
        place = np.rint((x - first) / step).astype(np.int64)
        return (real_input(numbers[np.clip(place, 0, len(numbers) - 1)]),)

    return evaluate


def sums_of_tables(view: View) -> Step:
    """Return the evaluation of ``LookupDense``: the sums of the model's own numbers."""
    parts: dict[str, F64] = {}
    for place, name in enumerate(OPERANDS, 1):
        found = view.constant(place)
        if found is None:
            raise view.refused(f"without {name}")
        parts[name] = found
    step, first = parts["step"], parts["first"]
    if (step <= 0).any() or (np.frexp(step)[0] != 0.5).any() or (first % step).any():
        raise view.refused("on a grid of other than binary fractions")
    whole, scales = weight_integers(parts["values"][None], 0)
    source, stride, start = (parts[n].astype(np.int64) for n in ("source", "stride", "start"))
    if largest(whole) * start.shape[1] >= LIMIT:
        raise view.refused("of sums that need more than 62 bits")

    def evaluate(operands: Operands, samples: int) -> tuple[Tensor, ...]:
        x = rounded(view.tensor(operands, 0), samples)
        place = np.clip(np.floor(x / step) - first / step, 0, parts["count"] - 1)
        index = (place.astype(np.int64)[..., source] * stride).sum(axis=-1) + start
        return (leaf(whole[0][index].sum(axis=-1), scales[0]),)

    return evaluate
