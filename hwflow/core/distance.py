"""How far two sets of values lie apart, and which classes they give: counted in one place."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, log10
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


@dataclass
class Distance:
    """Counts the difference of values from what they should be, part by part.

    Attributes:
        elements: values compared.
        signal: sum of the squares of the reference.
        noise: sum of the squares of the differences.
        total_abs: sum of the absolute differences.
        max_abs: largest absolute difference.
    """

    elements: int = 0
    signal: float = 0.0
    noise: float = 0.0
    total_abs: float = 0.0
    max_abs: float = 0.0

    def add(self, real: Array, ours: Array) -> Array:
        """Count values of the same shape and return their absolute differences."""
        reference = np.asarray(real, np.float64)
        error: Array = np.abs(np.asarray(ours, np.float64) - reference)
        self.elements += int(error.size)
        self.signal += float((reference**2).sum())
        self.noise += float((error**2).sum())
        self.total_abs += float(error.sum())
        self.max_abs = max(self.max_abs, float(error.max(initial=0.0)))
        return error

    @property
    def mean_abs(self) -> float:
        """Mean absolute difference."""
        return self.total_abs / max(self.elements, 1)

    @property
    def sqnr_db(self) -> float:
        """10 log10(signal / noise); infinite without noise, minus infinite without signal."""
        if self.noise == 0:
            return inf
        return 10 * log10(self.signal / self.noise) if self.signal > 0 else -inf


@dataclass(frozen=True, kw_only=True)
class OutputError:
    """Distance of one output from a reference.

    Attributes:
        output: name in the original model.
        max_abs: largest absolute difference.
        mean_abs: mean absolute difference.
        sqnr_db: signal to noise ratio in decibel; infinite when there is no difference, minus
            infinite where the reference is all zeros.
        argmax_agreement: share of samples with the same largest entry, or the same label where
            the output is one; None for other outputs of one value.
        accuracy: share of samples whose largest entry (or label) is the right one; None without
            labels.
        reference_accuracy: the same for the reference.
        histogram: counts of absolute differences in ``edges``.
        edges: limits of the bins, one more than counts.
    """

    output: str
    max_abs: float
    mean_abs: float
    sqnr_db: float
    argmax_agreement: float | None
    accuracy: float | None
    reference_accuracy: float | None
    histogram: tuple[int, ...] = ()
    edges: tuple[float, ...] = ()


def classes_of(values: Array, *, whole: bool | None = None) -> Array | None:
    """Return the class that an output gives each sample, or None where it gives none.

    Args:
        values: batch first.
        whole: they are integers: one of them is a class, several are a map or a ranking. As their
            element type says, unless given.
    """
    flat = values.reshape(len(values), -1)
    if values.dtype.kind in "iu" if whole is None else whole:
        return flat[:, 0] if flat.shape[1] == 1 else None
    return flat.argmax(1) if flat.shape[1] > 1 else None


def share_of(classes: Array | None, wanted: Array | None) -> float | None:
    """Return the share of samples with the class that is wanted; None where either is unknown."""
    return None if classes is None or wanted is None else float(np.mean(classes == wanted))


BINS = 24
"""Bins of the error histograms."""


def output_error(output: str, ours: Array, real: Array, labels: Array | None) -> OutputError:
    """Return the distance of an output from a reference.

    Args:
        output: name in the original model.
        ours: values of the hardware, or of the quantised model, batch first.
        real: the reference's, same shape; integers mean that the output is a class by itself.
        labels: class of each sample, or None.
    """
    whole = np.asarray(real).dtype.kind in "iu"
    real = np.asarray(real, np.float64).reshape(ours.shape)
    distance = Distance()
    error = distance.add(real, ours)
    counts, edges = np.histogram(error, bins=BINS, range=(0.0, distance.max_abs or 1.0))
    ours_top, real_top = (classes_of(v, whole=whole) for v in (ours, real))
    known = labels if labels is not None and len(labels) == len(ours) else None
    return OutputError(
        output=output,
        max_abs=distance.max_abs,
        mean_abs=distance.mean_abs,
        sqnr_db=distance.sqnr_db,
        argmax_agreement=share_of(ours_top, real_top),
        accuracy=share_of(ours_top, known),
        reference_accuracy=share_of(real_top, known),
        histogram=tuple(int(c) for c in counts),
        edges=tuple(float(e) for e in edges),
    )
