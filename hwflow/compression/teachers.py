"""Float networks whose answers, and values inside, another network learns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir as ir
from scipy.special import log_softmax, logsumexp

from hwflow.compression.heads import logits_of
from hwflow.core.errors import CompileError, Diagnostic
from hwflow.frontends.quantization.preparation import prepare
from hwflow.frontends.quantization.runs import values_of
from hwflow.frontends.quantization.samples import Inputs
from hwflow.ir.qonnx.model import QonnxModel, origin, printable

Array = npt.NDArray[Any]

SHOWN = 8
"""Names that an error lists at most."""


@dataclass(frozen=True, eq=False)
class Teachers:
    """One or more networks with the inputs and outputs of the one that learns.

    Attributes:
        student: the float network that learns, prepared.
        models: the teachers, prepared.
        temperature: what logits are divided by before probabilities are averaged.
        features: values of the first teacher by the value of the student that learns them.
    """

    student: QonnxModel
    models: tuple[QonnxModel, ...]
    temperature: float = 1.0
    features: Mapping[str, str] = field(default_factory=dict)

    def answers(self, inputs: Inputs, *, classes: bool) -> tuple[Inputs, Inputs]:
        """Return what the teachers give for samples, and the first one's values inside.

        Several teachers give the mean of their outputs; of classes, the logits of the mean of
        their probabilities at the temperature.

        Args:
            inputs: samples by input of the student.
            classes: the outputs are of classes.

        Returns:
            arrays by output, and by value, of the student.
        """
        found: list[list[Array]] = []
        inner: Inputs = {}
        for i, model in enumerate(self.models):
            heads = logits_of(model) if classes else {n: n for n in _outputs(model)}
            wanted = list(self.features.values()) if i == 0 else []
            feeds = dict(zip(_inputs(model), inputs.values(), strict=True))
            values = values_at(model, feeds, [*heads.values(), *wanted])
            found.append([values[name] for name in heads.values()])
            inner |= {own: values[theirs] for own, theirs in self.features.items() if i == 0}
        means = (self._mean(arrays, classes=classes) for arrays in zip(*found, strict=True))
        return dict(zip(_outputs(self.student), means, strict=True)), inner

    def _mean(self, arrays: Sequence[Array], *, classes: bool) -> Array:
        if len(arrays) == 1:
            return arrays[0]
        if not classes:
            return np.asarray(np.mean(arrays, axis=0, dtype=np.float64), np.float32)
        logs = [log_softmax(np.float64(a) / self.temperature, axis=1) for a in arrays]
        mean = logsumexp(logs, axis=0) - np.log(len(logs))
        return np.asarray(self.temperature * mean, np.float32)


def teachers_of(
    student: QonnxModel,
    given: Sequence[QonnxModel],
    *,
    temperature: float,
    features: Sequence[str] = (),
) -> Teachers:
    """Return teachers that were read.

    Args:
        student: the float network that learns, prepared.
        given: models; the student itself where there are none.
        temperature: what logits are divided by before probabilities are averaged.
        features: ``STUDENT=TEACHER`` each: names of nodes or values.

    Raises:
        CompileError: HW365, a model has other inputs or outputs than the student; HW366, there is
            no such value inside.
    """
    models = tuple(prepare(model) for model in given) or (student,)
    findings = [f for model in models for f in _misfits(student, model)]
    pairs = {}
    for text in features:
        own, _, theirs = text.partition("=")
        found = [value_named(student, own), value_named(models[0], theirs)]
        findings += [
            _unknown(text, name, model)
            for name, model, value in zip((own, theirs), (student, models[0]), found, strict=True)
            if value is None
        ]
        if None not in found:
            pairs[str(found[0])] = str(found[1])
    if findings:
        raise CompileError(findings)
    return Teachers(student, models, temperature, pairs)


def value_named(model: QonnxModel, name: str) -> str | None:
    """Return the name of the value that a name means: its own, or that of the node it is from."""
    nodes = list(model.ir.graph)
    for node in nodes:
        if name in [v.name for v in node.outputs]:
            return name
    for node in reversed(nodes):  # the last of several that one layer of the author became
        if name in (node.name, origin(node)):
            return node.outputs[0].name
    return None


def values_at(model: QonnxModel, inputs: Inputs, names: Sequence[str]) -> dict[str, Array]:
    """Return values of a model for samples, by name."""
    parts = list(values_of(model, inputs, names))
    return {name: np.concatenate([part[name] for part in parts]) for name in names}


def outputs_of(model: QonnxModel, inputs: Inputs) -> dict[str, Array]:
    """Return the outputs of a model for samples, by name."""
    return values_at(model, inputs, _outputs(model))


def first_output(model: QonnxModel, inputs: Inputs) -> Array:
    """Return the first output of a model for samples, by the order of its inputs."""
    name = _outputs(model)[0]
    return values_at(model, dict(zip(_inputs(model), inputs.values(), strict=True)), [name])[name]


def _outputs(model: QonnxModel) -> list[str]:
    return [v.name or "" for v in model.ir.graph.outputs]


def _inputs(model: QonnxModel) -> list[str]:
    return [v.name or "" for v in model.ir.graph.inputs]


def _misfits(student: QonnxModel, teacher: QonnxModel) -> Iterator[Diagnostic]:
    for what, own, theirs in (
        ("inputs", student.ir.graph.inputs, teacher.ir.graph.inputs),
        ("outputs", student.ir.graph.outputs, teacher.ir.graph.outputs),
    ):
        if _shapes(own) != _shapes(theirs):
            yield Diagnostic(
                code="HW365", title="a teacher that does not fit", where=f"in {teacher.source}",
                found=f"{what} {_shapes(theirs)}",
                supported=f"{_shapes(own)}, as in {student.source}",
                help="teachers take what the network in training takes, and answer in its form",
            )  # fmt: skip


def _shapes(values: Sequence[ir.Value]) -> str:
    return ", ".join(str(list(v.shape.numpy()[1:])) if v.shape else "?" for v in values)


def _unknown(text: str, name: str, model: QonnxModel) -> Diagnostic:
    names = list(dict.fromkeys(origin(node) for node in model.ir.graph))
    return Diagnostic(
        code="HW366", title="a feature that is not in the network", where="--features",
        found=f"{printable(name)!r} of {printable(text)!r}",
        supported=f"in {model.source}: {', '.join(map(printable, names[:SHOWN]))}"
        + (", ..." if len(names) > SHOWN else ""),
        help="--features STUDENT=TEACHER with names of nodes or values, as hwflow inspect has them",
    )  # fmt: skip
