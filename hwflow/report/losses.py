"""The parts of a report that say how far outputs are from what they should be.

A report holds the distances and losses themselves; its JSON holds the forms below, which are flat
and have None for a ratio that is not finite.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Annotated

from pydantic import InstanceOf, PlainSerializer

from hwflow.core.distance import OutputError
from hwflow.ir.qonnx.model import printable
from hwflow.verify.budget import Budget, LayerLoss, OutputLoss, WorstSample


@dataclass(frozen=True)
class OutputDistance:
    """The distance of an output of the hardware from the quantised model.

    Attributes:
        error: the figures.
        step: value of the last bit of the output's type.
    """

    error: OutputError
    step: float


@dataclass(frozen=True, kw_only=True)
class OutputErrorData:
    """Distance of one output of the hardware from the quantised model executed in float32.

    Attributes:
        output: name in the original model.
        step: value of the last bit of the output's type.
        max_abs: largest absolute difference.
        mean_abs: mean absolute difference.
        sqnr_db: signal to noise ratio in decibel; None where there is no difference.
        argmax_agreement: share of samples with the same largest entry; None for one-value outputs.
        accuracy: share of samples whose largest entry is the label; None without labels.
        reference_accuracy: the same for the quantised model.
        histogram: counts of absolute differences in the bins.
        edges: limits of the bins, one more than counts.
    """

    output: str
    step: float
    max_abs: float
    mean_abs: float
    sqnr_db: float | None
    argmax_agreement: float | None
    accuracy: float | None
    reference_accuracy: float | None
    histogram: tuple[int, ...]
    edges: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
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
        accuracy: accuracy of the quantised model; None without labels.
        reference_accuracy: accuracy of the float reference.
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


@dataclass(frozen=True, kw_only=True)
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


def printable_error(error: OutputError) -> OutputError:
    """Return the figures of an output with its name as text that can be seen."""
    return replace(error, output=printable(error.output))


def printable_budget(budget: Budget | None) -> Budget | None:
    """Return what quantisation cost with every name as text that can be seen."""
    if budget is None:
        return None
    return replace(
        budget,
        reference=printable(budget.reference),
        outputs=tuple(replace(loss, error=printable_error(loss.error)) for loss in budget.outputs),
        layers=tuple(replace(n, origin=printable(n.origin or n.layer)) for n in budget.layers),
    )


def output_error_data(found: OutputDistance) -> OutputErrorData:
    """Return the form of a distance of the hardware's."""
    error = found.error
    return OutputErrorData(
        output=error.output,
        step=found.step,
        max_abs=error.max_abs,
        mean_abs=error.mean_abs,
        sqnr_db=_finite(error.sqnr_db),
        argmax_agreement=error.argmax_agreement,
        accuracy=error.accuracy,
        reference_accuracy=error.reference_accuracy,
        histogram=error.histogram,
        edges=error.edges,
    )


def _quantization_data(budget: Budget) -> QuantisationData:
    return QuantisationData(
        budget.reference,
        budget.samples,
        tuple(_output(loss) for loss in budget.outputs),
        tuple(_layer(loss) for loss in budget.layers),
    )


def _output(loss: OutputLoss) -> OutputLossData:
    error = loss.error
    return OutputLossData(
        output=error.output,
        max_abs=error.max_abs,
        mean_abs=error.mean_abs,
        sqnr_db=_finite(error.sqnr_db),
        kl_divergence=loss.kl_divergence,
        softmaxed=loss.softmaxed,
        argmax_agreement=error.argmax_agreement,
        accuracy=error.accuracy,
        reference_accuracy=error.reference_accuracy,
        hardware_agreement=loss.hardware_agreement,
        worst=loss.worst,
        changed=loss.changed,
        changed_samples=loss.changed_samples,
        histogram=error.histogram,
        edges=error.edges,
    )


def _layer(loss: LayerLoss) -> LayerLossData:
    return LayerLossData(
        layer=loss.layer,
        origin=loss.origin,
        elements=loss.elements,
        sqnr_db=_finite(loss.sqnr_db),
        max_abs=loss.max_abs,
        mean_abs=loss.mean_abs,
    )


def _finite(ratio: float) -> float | None:
    return ratio if math.isfinite(ratio) else None


ReportedDistance = Annotated[
    InstanceOf[OutputDistance], PlainSerializer(output_error_data, return_type=OutputErrorData)
]  # fmt: skip
"""The distance of an output, of which JSON has ``OutputErrorData``."""

ReportedBudget = Annotated[
    InstanceOf[Budget], PlainSerializer(_quantization_data, return_type=QuantisationData)
]  # fmt: skip
"""What quantisation cost, of which JSON has ``QuantisationData``."""
