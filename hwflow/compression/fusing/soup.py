"""One network whose weights are the mean of those of several (model soups)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import onnx_ir as ir

from hwflow.compression.fusing.alignment import aligned
from hwflow.frontends.quantization.runs import clone
from hwflow.ir.qonnx.model import QonnxModel
from hwflow.passes.model.clean_model import clean_model

Score = Callable[[QonnxModel], float]


def soup(models: Sequence[QonnxModel]) -> QonnxModel:
    """Return the network whose real constants are the means of several networks'.

    Args:
        models: float networks of one graph; they are not changed.

    Raises:
        CompileError: HW390, the graphs differ.
    """
    members = [clean_model(clone(model)) for model in models]
    made = members[0]
    others = [aligned(made, other) for other in members[1:]]
    for name, value in list(made.ir.graph.initializers.items()):
        if value.const_value is None or not value.const_value.dtype.is_floating_point():
            continue
        theirs = [found[name].const_value for found in others if name in found]
        arrays = [value.const_value.numpy(), *(t.numpy() for t in theirs if t is not None)]
        mean = np.mean([np.float64(array) for array in arrays], axis=0)
        value.const_value = ir.tensor(mean.astype(arrays[0].dtype), name=name)
    return made


def greedy_soup(models: Sequence[QonnxModel], score: Score) -> tuple[QonnxModel, list[int]]:
    """Return the mean of those networks that make it better, and which they are.

    Algorithm 1 of Wortsman et al. 2022 (Model soups): the best network first; each next one joins
    where the mean with it is at least as good.

    Args:
        models: float networks of one graph.
        score: how good a network is, on samples for validation.

    Raises:
        CompileError: HW390, the graphs differ.
    """
    soup(models)  # all graphs are checked, those that would not join as well
    order = sorted(range(len(models)), key=lambda i: (-score(models[i]), i))
    chosen, best = [order[0]], score(models[order[0]])
    for i in order[1:]:
        tried = score(soup([models[j] for j in (*chosen, i)]))
        if tried >= best:
            chosen, best = [*chosen, i], tried
    return soup([models[i] for i in chosen]), chosen
