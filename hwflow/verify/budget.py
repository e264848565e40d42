"""What quantisation cost: the quantised model against a float reference, before any hardware.

One of two budgets that are never mixed. The other, the hardware against the quantised model, must
be nothing at all (``verify``, ``lossless``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np
import numpy.typing as npt

from hwflow.core.distance import Distance, OutputError, classes_of, output_error, share_of

Array = npt.NDArray[Any]

WORST = 5
"""Samples with the largest error that are named."""

CHANGED = 20
"""Samples whose class changed that are named."""

PROBABILITY_SUM = 1e-3
"""How far the sum of a sample's outputs may be from 1 where they are probabilities."""


@dataclass(frozen=True)
class WorstSample:
    """A sample with a large error.

    Attributes:
        index: its place in the data.
        max_abs: largest absolute difference of its outputs.
    """

    index: int
    max_abs: float


@dataclass(frozen=True, kw_only=True)
class OutputLoss:
    """What one output of the model lost.

    Attributes:
        error: the quantised model against the float reference; ``accuracy`` is the quantised
            model's, ``reference_accuracy`` the float reference's.
        kl_divergence: mean over samples of sum(p log(p / q)) in nats, p of the float reference and
            q of the quantised model; None for single values and classes.
        softmaxed: the outputs are logits: p and q are their softmax.
        hardware_agreement: share of samples to which the hardware gives the float reference's
            class; None where there are none.
        worst: samples with the largest error, the largest first; none without an error.
        changed: samples to which the quantised model gives another class.
        changed_samples: the first of them.
    """

    error: OutputError
    kl_divergence: float | None
    softmaxed: bool
    hardware_agreement: float | None
    worst: tuple[WorstSample, ...]
    changed: int
    changed_samples: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class LayerLoss:
    """What one layer lost, the losses of the layers before it included.

    Attributes:
        layer: name of the hardware layer that holds the value.
        origin: its framework name.
        elements: values compared.
        sqnr_db: signal to noise ratio in decibel; infinite without noise, minus infinite without
            signal.
        max_abs: largest absolute difference.
        mean_abs: mean absolute difference.
    """

    layer: str
    origin: str
    elements: int
    sqnr_db: float
    max_abs: float
    mean_abs: float


@dataclass(frozen=True)
class Budget:
    """What quantisation cost on data.

    Attributes:
        reference: what the float reference is.
        samples: size of the batch.
        outputs: one entry for each output of the model.
        layers: one entry for each value of a quantiser that the hardware and the reference have.
    """

    reference: str
    samples: int
    outputs: tuple[OutputLoss, ...]
    layers: tuple[LayerLoss, ...]

    def __repr__(self) -> str:
        """Return the errors of the outputs, in a line each."""
        lines = [f"Budget: {self.samples:,} samples against {self.reference}"]
        errors = [loss.error for loss in self.outputs]
        lines += [f"  {e.output}: max |error| {e.max_abs:.3g}" for e in errors]
        return "\n".join(lines)

    @property
    def worst_layer(self) -> LayerLoss | None:
        """The layer with the lowest signal to noise ratio; None without any noise."""
        noisy = [layer for layer in self.layers if layer.sqnr_db < inf]
        return min(noisy, key=lambda layer: layer.sqnr_db, default=None)


def output_loss(
    output: str, quantized: Array, real: Array, hardware: Array, labels: Array | None
) -> OutputLoss:
    """Return what an output lost.

    Args:
        output: name in the model.
        quantized: the quantised model's values, batch first.
        real: the float reference's, as many for each sample.
        hardware: the hardware's values, in the same form.
        labels: class of each sample, or None.
    """
    whole = quantized.dtype.kind in "iu"
    real = np.asarray(real).reshape(quantized.shape)
    ours = np.asarray(quantized, np.float64)
    tops = [classes_of(v, whole=whole) for v in (ours, real, hardware.reshape(len(hardware), -1))]
    by_sample = np.abs(ours - real.astype(np.float64)).reshape(len(ours), -1).max(1)
    order = np.argsort(-by_sample, kind="stable")[:WORST]
    changed: Any = [] if tops[0] is None or tops[1] is None else np.flatnonzero(tops[0] != tops[1])
    divergence, softmaxed = (None, False) if whole else kl_divergence(real, ours)
    return OutputLoss(
        error=output_error(output, ours, real, labels),
        kl_divergence=divergence,
        softmaxed=softmaxed,
        hardware_agreement=share_of(tops[2], tops[1]),
        worst=tuple(WorstSample(int(i), float(by_sample[i])) for i in order if by_sample[i] > 0),
        changed=len(changed),
        changed_samples=tuple(int(i) for i in changed[:CHANGED]),
    )


def kl_divergence(real: Array, ours: Array) -> tuple[float | None, bool]:
    """Return the mean Kullback-Leibler divergence in nats, and whether softmax was applied.

    ``sum(p log(p / q))`` over the outputs of a sample (Kullback and Leibler 1951), ``p`` of the
    reference. Outputs that are no probabilities are logits. Quantised probabilities are scaled to
    the sum 1, and one that was rounded to 0 counts as the smallest normal float32.
    """
    p, q = (v.reshape(len(v), -1).astype(np.float64) for v in (real, ours))
    if p.shape[1] < 2:
        return None, False
    softmaxed = bool((p < 0).any() or (np.abs(p.sum(1) - 1) > PROBABILITY_SUM).any())
    if not softmaxed:
        smallest = float(np.finfo(np.float32).tiny)
        p, q = (np.log(np.maximum(v, smallest)) for v in (p, q))
    log_p, log_q = (v - _log_sum_exp(v) for v in (p, q))
    p = np.exp(log_p)
    return max(0.0, float((p * (log_p - log_q)).sum(1).mean())), softmaxed


def _log_sum_exp(values: Array) -> Array:
    """Return log(sum(exp)) of each row, as a column."""
    top = values.max(1, keepdims=True)
    result: Array = top + np.log(np.exp(values - top).sum(1, keepdims=True))
    return result


def layer_losses(
    values: Sequence[tuple[str, str, str]],
    quantized: Mapping[str, Array],
    real: Mapping[str, Array],
) -> tuple[LayerLoss, ...]:
    """Return what the values of quantisers lost, where the float reference has them.

    Args:
        values: hardware layer, its framework name and the ONNX value, in order.
        quantized: the quantised model's values by ONNX name, batch first.
        real: the float reference's, by the same names.
    """
    found = []
    for layer, origin, name in values:
        if name in real and real[name].size == quantized[name].size:
            distance = Distance()
            distance.add(real[name].reshape(quantized[name].shape), quantized[name])
            found.append(
                LayerLoss(
                    layer=layer,
                    origin=origin,
                    elements=distance.elements,
                    sqnr_db=distance.sqnr_db,
                    max_abs=distance.max_abs,
                    mean_abs=distance.mean_abs,
                )
            )
    return tuple(found)
