"""Checks what arrays say of themselves, shape and type, before any of their elements is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np

from hwflow.core.data import Array, Roles, bad_labels, check_labels, roles
from hwflow.core.errors import CompileError
from hwflow.ir.graph import Graph
from hwflow.ops.shared.port_data import checked_inputs

MAX_CLASSES = 1 << 16
"""Most columns of labels: one for each class. A row of them is read at once."""


@dataclass(frozen=True)
class Form:
    """Shape and type of an array."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @classmethod
    def of(cls, array: Array) -> Form:
        """Return the form of an array."""
        return cls(array.shape, array.dtype)

    @property
    def stand_in(self) -> Array:
        """An array of this shape that takes no memory and has nothing in it to look at."""
        kind = self.dtype.kind
        short = {**dict.fromkeys("fiub", "?"), **dict.fromkeys("SUV", f"{kind}1")}
        return np.broadcast_to(np.zeros((), short.get(kind, self.dtype)), self.shape)


def check_forms(graph: Graph, forms: Mapping[str, Form]) -> int:
    """Return the number of samples of arrays by input name.

    Raises:
        CompileError: HW401 to HW404, they do not suit the model.
    """
    arrays = checked_inputs(graph, {name: form.stand_in for name, form in forms.items()})
    return len(next(iter(arrays.values())))


def check_same(
    graph: Graph, names: Sequence[str], forms: Mapping[str, Form], where: str
) -> tuple[int, Roles]:
    """Return the number of samples of arrays by their own names, and which is what.

    Args:
        graph: the hardware graph.
        names: names of its inputs.
        forms: forms by the arrays' names.
        where: how findings call what holds them.

    Raises:
        CompileError: HW401 to HW404 and HW406, they do not suit the model.
    """
    used = roles(forms, names)
    inputs = {name: forms[own] for name, own in used.inputs.items()}
    try:
        samples = check_forms(graph, inputs or forms)
    except CompileError as error:
        found = [replace(d, where=f"{where}, {d.where}") for d in error.diagnostics]
        raise CompileError(found) from error
    if used.labels is not None:
        labels = forms[used.labels]
        check_labels(labels.shape, labels.dtype, used.labels, where)
        if prod(labels.shape[1:]) > MAX_CLASSES:
            raise CompileError([bad_labels(where, f"{used.labels}: shape {labels.shape}")])
        if labels.shape[0] != samples:
            found_labels = f"{labels.shape[0]} labels for {samples} samples"
            raise CompileError([bad_labels(where, found_labels)])
    return samples, used
