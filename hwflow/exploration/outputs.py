"""Classes that results stand for, and how many of them are right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from hwflow.exploration.joint import Joint, Known
from hwflow.exploration.kernels import Mantissas, samples_first
from hwflow.exploration.scores import CLOSE, Scores
from hwflow.exploration.stages import FEED
from hwflow.exploration.table import Instance
from hwflow.fixed import FixedArray
from hwflow.ops.shared.port_data import real_values

F64 = npt.NDArray[np.float64]
Classes = npt.NDArray[Any]

Line = tuple[F64, F64]
"""Scale and offset of each class."""

_Scored = tuple[Scores, dict[int, npt.NDArray[np.int32]]]


@dataclass(eq=False)
class Classifier:
    """Counts the samples with the right class.

    Attributes:
        labels: class of each sample, or None.
        wanted: class that the float model gives each sample.
        real: what the float model gives, batch first.
    """

    labels: Classes | None
    wanted: Classes
    real: npt.NDArray[Any]
    _lines: dict[int, Line | None] = field(default_factory=dict)
    _scores: dict[Joint, _Scored | None] = field(default_factory=dict)

    def counts(
        self, instances: Sequence[Instance], joint: Joint, known: Known
    ) -> npt.NDArray[np.int32]:
        """Return for each instance the samples with the right label and with the wanted class."""
        if joint not in self._scores:
            self._scores[joint] = self._scored(instances, joint)
        known_scores = self._scores[joint]
        if known_scores is None:
            right = self.right(instances, joint, known)
            found: npt.NDArray[np.int32] = right.sum(axis=2, dtype=np.int32)
            if self.labels is None:
                found[:, 0] = -1
            return found
        scores, wanted = known_scores
        ranks = scores.ranks(known[scores.product.operand].whole())
        found = np.full((len(instances), 2), -1, np.int32)
        for at, which in wanted.items():
            found[:, at] = [np.count_nonzero(same) for same in ranks == which]
        return found

    def _scored(self, instances: Sequence[Instance], joint: Joint) -> _Scored | None:
        """Return scores and, for both columns of counts, the ranks that count."""
        scores = Scores.of(instances, joint)
        if scores is None:
            return None
        classes = scores.rank.shape[1]
        columns = {0: self.labels, 1: self.wanted}
        return scores, {
            at: scores.wanted(_among(known, classes))
            for at, known in columns.items() if known is not None
        }  # fmt: skip

    def right(
        self, instances: Sequence[Instance], joint: Joint, known: Known
    ) -> npt.NDArray[np.bool_]:
        """Return whether each sample is right by its label, and by the wanted class.

        Returns:
            Shape (instances, 2, samples).
        """
        classes = self.classes(instances, _results(joint, known))
        found = np.zeros((len(classes), 2, classes.shape[1]), bool)
        if self.labels is not None:
            found[:, 0] = classes == self.labels
        found[:, 1] = classes == self.wanted
        return found

    def losses(
        self, instances: Sequence[Instance], joint: Joint, known: Known
    ) -> npt.NDArray[np.float64]:
        """Return the mean divergence of each result's probabilities from the float model's.

        Where the network gives classes: the share of samples with another one.
        """
        if self.real.dtype.kind in "iu":
            same = self.right(instances, joint, known)[:, 1]
            return np.asarray(1.0 - same.mean(axis=1), np.float64)
        target = _log_softmax(self.real.reshape(len(self.real), -1).astype(np.float64))
        found = []
        for instance, result in zip(instances, _results(joint, known), strict=True):
            assert instance.port is not None
            kind = instance.piece.types[f"{FEED}{instance.stage}"]
            real = real_values(FixedArray(result.astype(np.int64), kind.dtype), instance.port)
            ours = _log_softmax(real.reshape(len(real), -1))
            found.append(float((np.exp(target) * (target - ours)).sum(axis=1).mean()))
        return np.array(found)

    def classes(
        self, instances: Sequence[Instance], results: Sequence[Mantissas]
    ) -> npt.NDArray[np.int64]:
        """Return the classes of all samples, one row a result; the first of equal maxima counts.

        Args:
            instances: instances of the last stage.
            results: what they give, samples first.
        """
        lines = [self._line(instance) for instance in instances]
        usable = all(
            line is not None and r.ndim == 2 for line, r in zip(lines, results, strict=True)
        )
        if not usable:
            pairs = zip(instances, results, strict=True)
            return np.stack([exact_classes(i, r) for i, r in pairs])
        scale = np.stack([line[0] for line in lines if line])[:, None]
        offset = np.stack([line[1] for line in lines if line])[:, None]
        logits = np.stack(results).astype(np.float64) * scale + offset
        classes: npt.NDArray[np.int64] = logits.argmax(axis=2)
        if all(map(_uniform, lines)):
            return classes  # equal integers are equal results, and the first counts
        top = np.take_along_axis(logits, classes[:, :, None], axis=2)
        size = np.abs(logits).max(axis=2, keepdims=True) + np.abs(offset).max()
        close = (logits >= top - CLOSE * size).sum(axis=2) > 1
        for i, row in zip(*np.nonzero(close), strict=True):
            part = np.asarray(results[i][row : row + 1])
            classes[i, row] = exact_classes(instances[i], part)[0]
        return classes

    def _line(self, instance: Instance) -> Line | None:
        """Return scale and offset of each class, rounded once, or None for a plain output."""
        if instance.number not in self._lines:
            self._lines[instance.number] = _line_of(instance)
        return self._lines[instance.number]


def _among(wanted: Classes, classes: int) -> npt.NDArray[np.int64]:
    """Return the class of each sample, -1 for what is no class."""
    among = np.isin(wanted, np.arange(classes))
    return np.where(among, np.where(among, wanted, 0), -1).astype(np.int64)


def _results(joint: Joint, known: Known) -> list[Mantissas]:
    """Return the results of instances, samples first."""
    return [samples_first(value.whole()) for value in joint.results(known)]


def _log_softmax(values: F64) -> F64:
    """Return logarithms of the probabilities that outputs stand for."""
    shifted = values - values.max(axis=1, keepdims=True)
    found: F64 = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return found


def _uniform(line: Line | None) -> bool:
    """Return whether all classes have the same scale, above 0, and the same offset."""
    return line is not None and bool(
        line[0][0] > 0 and (line[0] == line[0][0]).all() and (line[1] == line[1][0]).all()
    )


def _line_of(instance: Instance) -> Line | None:
    assert instance.port is not None
    kind, grid = instance.piece.types[f"{FEED}{instance.stage}"], instance.port.grid
    if len(kind.shape) != 1 or kind.size == 1:
        return None
    shape = (kind.channels,)
    scale, offset = (
        np.broadcast_to(np.array([float(v) for v in a.ravel()]).reshape(a.shape), shape)
        for a in (grid.scale, grid.offset)
    )
    return scale * kind.dtype.step, offset


def exact_classes(instance: Instance, result: Mantissas) -> npt.NDArray[np.int64]:
    """Return the class of each sample by the real numbers that the network's output is."""
    assert instance.port is not None
    kind = instance.piece.types[f"{FEED}{instance.stage}"]
    raw = FixedArray(result.astype(np.int64), kind.dtype)
    real = real_values(raw, instance.port)
    flat = real.reshape(len(real), -1)
    if flat.shape[1] == 1:  # the class itself, from an ArgMax in the network
        return np.asarray(flat[:, 0], np.int64)
    return np.asarray(flat.argmax(1), np.int64)
