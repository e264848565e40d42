"""The small networks inside of HGQ's table layers, evaluated at every point of their inputs."""

from __future__ import annotations

from collections.abc import Iterator
from math import sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from hwflow.core.errors import Diagnostic
from hwflow.frontends.keras.tensor import FloatArray
from hwflow.frontends.keras.writer import Writer
from hwflow.frontends.keras3.layer import FileLayer, named
from hwflow.frontends.keras3.presum import Presum
from hwflow.frontends.keras3.quantizers import FixedQuantizer
from hwflow.frontends.keras3.tables import OPERATORS, depends_on_backend
from hwflow.ir.real.functions import DEFAULTS, FUNCTIONS


def numbers_of(b: Writer, layer: FileLayer, points: FloatArray, presum: Presum) -> FloatArray:
    """Return what the networks of a layer give for points, before the quantiser behind them.

    Args:
        b: for messages.
        layer: the layer; a live one gives the numbers itself.
        points: ``(points, *presum.shape)``.
        presum: how the tables are laid out.
    """
    live = layer.arrays.get("sub_tables")
    if live is not None:
        return np.asarray(live(points), np.float32)
    held = np.asarray(points, np.float64)[..., None]
    *hidden, last = parts_of(layer)
    for part in hidden:
        kernel = _laid_out(part["kernel"], presum, 2)
        held = np.einsum("...d,...de->...e", held, kernel) + _bias(part, presum, 1)
        held = _activated(b, layer, held)
    real = (held * _laid_out(last["kernel"], presum, 1)).sum(axis=-1) + _bias(last, presum, 0)
    return np.asarray(_normalised(layer, real, presum), np.float32)


def parts_of(layer: FileLayer) -> list[dict[str, Any]]:
    """Return the weights of the layers of the networks, in order."""
    einsum = "bias_axes" in layer.settings
    fused = einsum and layer.settings.get("batch_norm")
    biased = layer.settings.get("bias_axes" if einsum else "use_bias") and not fused
    names = ["kernel", *(["bias"] if biased else [])]
    group = layer.group / "module" / "layers"
    count = int(layer.n_hl) + 1
    places = ["einsum_dense", *(f"einsum_dense_{k}" for k in range(1, count))]
    return [named(group / place, names) for place in places]


def _laid_out(values: FloatArray, presum: Presum, inner: int) -> npt.NDArray[np.float64]:
    """Return weights with their axes where the presum shape has them, inner axes last."""
    axes = presum.weights
    order = np.argsort(axes)
    own = np.transpose(values, [*order, *range(len(axes), len(axes) + inner)])
    shape = [1] * len(presum.shape)
    for axis, place in zip(sorted(axes), order, strict=True):
        shape[axis] = values.shape[place]
    tail = own.shape[len(axes) :]
    return np.asarray(own.reshape(*shape, *tail), np.float64)


def _bias(part: dict[str, Any], presum: Presum, inner: int) -> npt.NDArray[np.float64]:
    return _laid_out(part["bias"], presum, inner) if "bias" in part else np.zeros(())


def _activated(b: Writer, layer: FileLayer, x: npt.NDArray[np.float64]) -> Any:
    name = str(layer.settings.get("subnn_activation") or "linear")
    if name == "linear":
        return x
    if name == "relu":
        return np.maximum(x, 0)
    if name not in OPERATORS:
        raise b.refusal(
            "activation inside of tables that is not known", code="HW374", found=name,
            supported=", ".join(["linear", "relu", *sorted(OPERATORS)]),
            help="give the live model, hwflow.compile(model), which computes it itself",
        )  # fmt: skip
    return FUNCTIONS[OPERATORS[name]].value(x, DEFAULTS.get(OPERATORS[name], {}))


def _normalised(layer: FileLayer, x: Any, presum: Presum) -> Any:
    """Return numbers after the batch normalisation of a layer, and its factor."""
    if not layer.settings.get("batch_norm"):
        return x
    scale, center = (bool(layer.settings.get(f"bn_{n}", True)) for n in ("scale", "center"))
    parts = [*(["gamma"] if scale else []), *(["beta"] if center else [])]
    names = [*parts, "mean", "variance"]
    group = layer.group if presum.letters else layer.group / "bn_module"
    found = {n: _along(layer, v, presum) for n, v in named(group, names).items()}
    y = (x - found["mean"]) / np.sqrt(found["variance"] + float(layer.bn_epsilon))
    y = y * found.get("gamma", 1.0) + found.get("beta", 0.0)
    return y / sqrt(presum.terms)


def _along(layer: FileLayer, given: FloatArray, presum: Presum) -> npt.NDArray[np.float64]:
    """Return parameters of a normalisation where the presum shape has their axes."""
    values = np.asarray(given, np.float64)
    if not presum.letters:
        return values
    axes = [presum.letters.index(c) for c in str(layer.normalize_axes)]
    shape = [1] * len(presum.letters)
    for axis, size in zip(axes, values.shape, strict=True):
        shape[axis] = size
    return np.transpose(values, np.argsort(axes)).reshape(shape)


def unsure(
    b: Writer, layer: FileLayer, numbers: FloatArray, after: FixedQuantizer
) -> Iterator[Diagnostic]:
    """Yield HW286 where float32 of a backend may give tables of a file other entries."""
    units = 2 + int(layer.d_hl) * int(layer.n_hl)
    count = _undecided(numbers, units, after)
    if count:
        yield depends_on_backend(b, count, numbers.size)


def _undecided(numbers: FloatArray, units: int, after: FixedQuantizer) -> int:
    """Return how many numbers a few units in the last place move to another level.

    The units are those of the largest number of all: partial sums may be as large.
    """
    slack = units * float(np.spacing(np.abs(numbers).max(initial=0).astype(np.float32)))
    low, high = (after.values(np.asarray(numbers + k * slack, np.float32)) for k in (-1, 1))
    return int((low != high).sum())
