"""The products that a layer may become: for a rank, for an energy, or several to choose from."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from hwflow.compression.lowrank.factors import Factors, qr, rank_for, spectrum, svd, tucker2
from hwflow.compression.lowrank.request import ENERGY, LowRankRequest, Method
from hwflow.compression.lowrank.surgery import weights_of
from hwflow.core.errors import CompileError, Diagnostic, did_you_mean
from hwflow.frontends.quantization.layers import Layer, layers_of
from hwflow.ir.qonnx.model import QonnxModel, printable

ENERGIES = (0.5, 0.7, 0.8, 0.9, 0.95, 0.98)
"""Parts of squared singular values that are tried where a goal chooses."""


def method_for(layer: Layer, asked: Method) -> Method:
    """Return the method for a layer; empty where there is none.

    SVD and QR are for matrices: dense layers, and convolutions of 1 x 1. Tucker-2 is for kernels.
    """
    matrix = weights_of(layer).ndim == 2
    if layer.groups > 1 or (layer.node.op_type != "Conv" and not matrix):
        return ""
    if not asked:
        return "svd" if matrix else "tucker2"
    return asked if matrix == (asked != "tucker2") else ""


def layers_to_factor(model: QonnxModel, request: LowRankRequest) -> list[Layer]:
    """Return the layers that are looked at; those too small for a rank only where they are named.

    Raises:
        CompileError: HW362, there is no such layer, or the method does not suit it; HW364, a layer
            that is named, or every layer, is too small for the rank.
    """
    found = {layer.name: layer for layer in layers_of(model)}
    usable = {n: layer for n, layer in found.items() if method_for(layer, request.method)}
    wrong = [n for n in request.layers if n not in usable]
    if wrong or not usable:
        raise CompileError([_unusable(n, request.method, found, [*usable]) for n in wrong or [""]])
    asked = [layer for n, layer in usable.items() if not request.layers or n in request.layers]
    large = [layer for layer in asked if _most(layer) >= request.rank]
    if not large or (request.layers and len(large) < len(asked)):
        small = min(asked, key=_most) if request.layers else max(asked, key=_most)
        raise CompileError([_too_high(small, request.rank, _most(small))])
    return large


def products_of(layer: Layer, request: LowRankRequest) -> Iterator[Factors]:
    """Yield the products that a layer may become, the smallest first."""
    weights, method = weights_of(layer), method_for(layer, request.method)
    if request.rank:
        yield _product(weights, method, (request.rank, request.rank))
        return
    energies = ENERGIES if request.goal else (request.energy or ENERGY,)
    spectra = [spectrum(weights, axis) for axis in (0, 1)]
    seen = set()
    for energy in energies:
        ranks = (rank_for(spectra[0], energy), rank_for(spectra[1], energy))
        if ranks not in seen:
            yield _product(weights, method, ranks)
        seen.add(ranks)


def _most(layer: Layer) -> int:
    return int(min(weights_of(layer).shape[:2]))


def _product(
    weights: np.ndarray[tuple[int, ...], np.dtype[np.float64]], method: Method,
    ranks: tuple[int, int],
) -> Factors:  # fmt: skip
    if method == "tucker2":
        return tucker2(weights, ranks)
    return (svd if method == "svd" else qr)(weights, ranks[0])


def _unusable(name: str, method: Method, found: dict[str, Layer], usable: list[str]) -> Diagnostic:
    what = "a layer of that name" if name in found else "no such layer"
    return Diagnostic(
        code="HW362", title="a layer that cannot be factored", where="--layer",
        found=printable(f"{name}: {what}") if name else f"no layer for --method {method}",
        supported=", ".join(map(printable, usable)) or "dense layers and convolutions of one group",
        help=did_you_mean(name, usable) or "svd and qr are for dense layers and 1 x 1 "
        "convolutions, tucker2 for other ones; leave --method out for both",
    )  # fmt: skip


def _too_high(layer: Layer, rank: int, most: int) -> Diagnostic:
    return Diagnostic(
        code="HW364", title="a rank that a layer cannot have", where=f"--rank {rank}",
        found=f"{printable(layer.name)} has {most} at most", supported=f"1 to {most}",
        help=f"--rank {most}, or --layer with layers that are larger",
    )  # fmt: skip
