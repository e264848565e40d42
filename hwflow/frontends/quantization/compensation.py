"""Weights to integers such that the layer's outputs stay what they were on the calibration data.

With ``x`` the inputs of the float layer and ``v`` those that the quantised one gets (its
predecessors are quantised already), integers ``Q``, scales ``s`` and bias are chosen to minimise
``E |W x + b - s Q v - b'|^2``. The best bias equates the means, so that only the covariances of
``x`` and ``v`` are left: a quadratic form whose unrestricted minimum ``W'`` is linear regression.
Integers near ``W'`` are found column by column, each rounding error being made up for by the
columns behind it (Frantar et al. 2022, arXiv:2210.17323, algorithm 1), for several scales; then
single integers and scales are improved in turn as long as the form falls.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hwflow.frontends.quantization.ranges import Format

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

DAMPING = 0.01
"""Part of the mean variance that is added to each input's (arXiv:2210.17323, section 3.3)."""

SCARCITY = 0.5
"""Further damping, times inputs per row of data: what few samples say of many inputs is noise.
Chosen on the digits CNN of ``tests/benchmarks/bench_ptq.py`` with 16, 48 and 205 samples: of 0, 0.1
and 0.5 the last gave the highest SQNR at 4 and at 8 bits."""

SHRINK = np.linspace(1.0, 0.4, 13)
"""Scales that are tried, in parts of the one at which no weight saturates."""

SWEEPS = 6
"""Times that all integers and scales are improved at most."""

LARGE = 2**28
"""Outputs x inputs^2 beyond which one scale is chosen by rounding alone instead of 13 trials."""


@dataclass(frozen=True, eq=False)
class Moments:
    """What of the calibration data matters for one group of a layer.

    Attributes:
        mean: mean of the float layer's inputs.
        mean_quantized: mean of the quantised layer's inputs.
        covariance: covariance of the quantised layer's inputs.
        shift: covariance of the difference (float less quantised, rows) with them (columns).
        rows: number of rows of data that these were taken from.
    """

    mean: Floats
    mean_quantized: Floats
    covariance: Floats
    shift: Floats
    rows: int


@dataclass(frozen=True, eq=False)
class Fit:
    """The quantised weights of one group.

    Attributes:
        weights: integers times scales.
        scale: one per row.
        offset: what to add to the bias of each output.
    """

    weights: Floats
    scale: Floats
    offset: Floats


def moments(x: Floats, quantized: Floats) -> Moments:
    """Return the moments of rows of inputs, (rows, inputs), float and quantised."""
    mean, own = x.mean(0), quantized.mean(0)
    centred = quantized - own
    difference = (x - mean) - centred
    return Moments(mean, own, centred.T @ centred / len(x), difference.T @ centred / len(x), len(x))


def round_to_nearest(matrix: Floats, form: Format, *, per_channel: bool, pow2: bool,
                     mse: bool) -> Floats:  # fmt: skip
    """Return the scale of each row, (rows, 1): no weight saturates, or least squared error."""
    trials = _trials(_widest(matrix, form, per_channel), pow2)[: None if mse else 1]
    return _best(trials, [_squares(form, matrix, s) for s in trials], per_channel)[0]


def _widest(matrix: Floats, form: Format, per_channel: bool) -> Floats:
    """Return the scale of each row at which no weight saturates."""
    found = np.maximum(np.abs(matrix).max(1, keepdims=True), 1e-12) / form.high
    return found if per_channel else np.full_like(found, found.max())


def _squares(form: Format, matrix: Floats, scale: Floats) -> Floats:
    found: Floats = ((form.quantized(matrix, scale) - matrix) ** 2).sum(1)
    return found


def _trials(widest: Floats, pow2: bool) -> list[Floats]:
    if pow2:
        return [np.asarray(np.exp2(np.ceil(np.log2(widest)) - k)) for k in range(3)]
    return [(widest * f).astype(np.float32).astype(np.float64) for f in SHRINK]


def _best(
    results: Sequence[Floats], errors: Sequence[Floats], per_channel: bool
) -> tuple[Floats, Floats]:
    """Return the rows, or the whole, with the least error, and the number of each row's trial."""
    table = np.array(errors)
    sums = table if per_channel else np.broadcast_to(table.sum(1, keepdims=True), table.shape)
    chosen = sums.argmin(0)
    return np.array(results)[chosen, np.arange(table.shape[1])], chosen


def fit_weights(
    matrix: Floats,
    data: Moments,
    form: Format,
    *,
    per_channel: bool,
    pow2: bool,
    fixed: float | None = None,
) -> Fit:
    """Return integers, scales and bias offsets for weights of shape (outputs, inputs).

    Args:
        matrix: float weights; those that are 0 were pruned, and stay so.
        data: moments of the layer's inputs.
        form: integers.
        per_channel: one scale for each output.
        pow2: scales are powers of two.
        fixed: the scale, where it is not free.
    """
    form_matrix = _damped(data)
    target = matrix + np.linalg.solve(form_matrix, (matrix @ data.shift).T).T
    trials = _trials(_widest(target, form, per_channel), pow2)
    if fixed is not None:
        trials = [np.full((len(matrix), 1), fixed)]
    elif matrix.size * matrix.shape[1] > LARGE:
        trials = [round_to_nearest(target, form, per_channel=per_channel, pow2=pow2, mse=True)]
    factor: Floats = np.linalg.cholesky(np.linalg.inv(form_matrix)).T.astype(np.float64)
    live = matrix != 0
    rounded = [_sequential(target, factor, form, scale, live) for scale in trials]
    errors = [_loss(w - target, form_matrix) for w in rounded]
    weights, chosen = _best(rounded, errors, per_channel)
    scale = np.array(trials)[chosen, np.arange(len(matrix))]
    weights, scale = _improved(
        weights, scale, target, form_matrix, form, live=live,
        per_channel=per_channel, refit=not pow2 and fixed is None,
    )  # fmt: skip
    offset = matrix @ data.mean - weights @ data.mean_quantized
    return Fit(weights, scale[:, 0], offset)


def _damped(data: Moments) -> Floats:
    """Return the covariance of the inputs, the more damped the fewer rows it rests on."""
    inputs = len(data.covariance)
    damping = DAMPING + SCARCITY * inputs / data.rows
    ridge = damping * float(np.trace(data.covariance)) / inputs or 1.0
    found: Floats = data.covariance + ridge * np.eye(inputs)
    return found


def _loss(error: Floats, form_matrix: Floats) -> Floats:
    """Return the quadratic form of each row."""
    found: Floats = np.einsum("ij,ij->i", error @ form_matrix, error)
    return found


def _sequential(target: Floats, factor: Floats, form: Format, scale: Floats, live: Mask) -> Floats:
    """Round column by column, the columns behind making up for each error.

    Args:
        target: (outputs, inputs).
        factor: upper triangular, its product with itself the inverse of the quadratic form.
        form: integers.
        scale: (outputs, 1).
        live: weights that are not 0 for good; other columns make up for those, too.
    """
    left, rounded = target.copy(), np.empty_like(target)
    for j in range(target.shape[1]):
        rounded[:, j] = np.where(live[:, j], form.quantized(left[:, j], scale[:, 0]), 0.0)
        error = (left[:, j] - rounded[:, j]) / factor[j, j]
        left[:, j + 1 :] -= np.outer(error, factor[j, j + 1 :])
    return rounded


def _improved(
    weights: Floats, scale: Floats, target: Floats, form_matrix: Floats, form: Format, *,
    live: Mask, per_channel: bool, refit: bool,
) -> tuple[Floats, Floats]:  # fmt: skip
    """Improve integers and scales in turn; the form never grows."""
    diagonal = np.diag(form_matrix)
    for _ in range(SWEEPS):
        before = weights.copy()
        gradient = (weights - target) @ form_matrix
        for j in range(weights.shape[1]):
            wanted = weights[:, j] - gradient[:, j] / diagonal[j]
            step = np.where(live[:, j], form.quantized(wanted, scale[:, 0]), 0.0) - weights[:, j]
            weights[:, j] += step
            gradient += np.outer(step, form_matrix[j])
        if refit:
            weights, scale = _refit(weights, scale, target, form_matrix, per_channel=per_channel)
        if np.array_equal(before, weights):
            break
    return weights, scale


def _refit(
    weights: Floats, scale: Floats, target: Floats, form_matrix: Floats, *, per_channel: bool
) -> tuple[Floats, Floats]:
    """Return the weights with the scales that suit their integers best: linear regression."""
    product = weights @ form_matrix
    above, below = (product * target).sum(1), (product * weights).sum(1)
    if not per_channel:
        above, below = np.full_like(above, above.sum()), np.full_like(below, below.sum())
    usable = (below > 0) & (above > 0.5 * below) & (above < 2 * below)
    ratio = np.where(usable, above / np.where(usable, below, 1.0), 1.0)[:, None]
    refitted = (scale * ratio).astype(np.float32).astype(np.float64)
    return np.rint(weights / scale) * refitted, refitted
