"""The parts of a report that say what quantisation cost."""

from __future__ import annotations

import math
from dataclasses import dataclass

from hwflow.ir.qonnx.model import printable
from hwflow.verify.budget import Budget, LayerLoss, OutputLoss, WorstSample


@dataclass(frozen=True)
class OutputLossData:
    """What one output lost.

    Attributes:
        output: name in the original model.
        max_abs: largest absolute difference.
        mean_abs: mean absolute difference.
        sqnr_db: signal to noise ratio in decibel; None where there is no difference or no signal.
        kl_divergence: mean over samples in nats; None for single values and classes.
        softmaxed: the outputs are logits, of which softmax was taken for it.
        argmax_agreement: share of samples with the same class; None where there are no classes.
        accuracy: of the quantised model; None without labels.
        reference_accuracy: of the float reference.
        hardware_agreement: share of samples to which the hardware gives the reference's class.
        worst: samples with the largest error, the largest first.
        changed: samples to which the quantised model gives another class.
        changed_samples: the first of them.
        histogram: counts of absolute differences in the bins.
        edges: limits of the bins, one more than counts.
    """

    output: str
    max_abs: float
    mean_abs: float
    sqnr_db: float | None
    kl_divergence: float | None
    softmaxed: bool
    argmax_agreement: float | None
    accuracy: float | None
    reference_accuracy: float | None
    hardware_agreement: float | None
    worst: tuple[WorstSample, ...]
    changed: int
    changed_samples: tuple[int, ...]
    histogram: tuple[int, ...]
    edges: tuple[float, ...]


@dataclass(frozen=True)
class LayerLossData:
    """What one layer lost, the losses of the layers before it included.

    Attributes:
        layer: that holds the value.
        origin: its framework name.
        elements: values compared.
        sqnr_db: signal to noise ratio in decibel; None where there is no difference or no signal.
        max_abs: largest absolute difference.
        mean_abs: mean absolute difference.
    """

    layer: str
    origin: str
    elements: int
    sqnr_db: float | None
    max_abs: float
    mean_abs: float


@dataclass(frozen=True)
class QuantisationData:
    """The quantised model against the float reference.

    Attributes:
        reference: what the float reference is.
        samples: size of the data.
        outputs: one entry for each output.
        layers: one entry for each value of a quantiser that both have.
    """

    reference: str
    samples: int
    outputs: tuple[OutputLossData, ...]
    layers: tuple[LayerLossData, ...]


def quantisation_data(budget: Budget | None) -> QuantisationData | None:
    """Return what a report says about the cost of quantisation, or None without any."""
    if budget is None:
        return None
    return QuantisationData(
        printable(budget.reference),
        budget.samples,
        tuple(_output(loss) for loss in budget.outputs),
        tuple(_layer(loss) for loss in budget.layers),
    )


def _output(loss: OutputLoss) -> OutputLossData:
    error = {**vars(loss.error), "output": printable(loss.error.output)}
    error["sqnr_db"] = _finite(loss.error.sqnr_db)
    rest = {k: v for k, v in vars(loss).items() if k != "error"}
    return OutputLossData(**error, **rest)


def _layer(loss: LayerLoss) -> LayerLossData:
    fields = {**vars(loss), "origin": printable(loss.origin or loss.layer)}
    return LayerLossData(**{**fields, "sqnr_db": _finite(loss.sqnr_db)})


def _finite(ratio: float) -> float | None:
    return ratio if math.isfinite(ratio) else None
