"""Layers of public hls4ml designs, as the estimator's entry points take them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from hwflow.estimate.layer import (
    conv_cost,
    elementwise_cost,
    matvec_cost,
    move_cost,
    pool_cost,
    softmax_cost,
    table_cost,
)
from hwflow.fixed import FixedType, Overflow, RawArray, Rounding
from hwflow.ir.cost import Cost, Estimate
from hwflow.ir.op import Target
from hwflow.ir.tensor import TensorType

Layer = Mapping[str, Any]
FIGURES = {
    "lut": "lut",
    "ff": "ff",
    "dsp": "dsp",
    "bram_18k": "bram18",
    "latency_cycles": "lat_max",
    "ii": "ii_max",
}
UNROLLED_CONV = "conv2dRolled"
"""A design of an hls4ml of 2020 that unrolled convolutions over all positions; no longer made."""
UNUSABLE = (
    "modified hls4ml templates",
    "do not use",
    "mislabelled",
    "same figures as another",
)


@dataclass(frozen=True)
class Point:
    """One figure of one report beside its estimate."""

    family: str
    figure: str
    repo: str
    real: float
    estimate: Estimate
    name: str

    @property
    def inside(self) -> bool:
        """Whether the report falls in the shipped interval."""
        return self.estimate.low - 0.5 <= self.real <= self.estimate.high + 0.5

    @property
    def ratio(self) -> float:
        """Real over estimated; 1 where both are next to nothing."""
        return (self.real + 0.5) / (self.estimate.value + 0.5)


def fixed(text: Mapping[str, Any] | None, default: int = 16) -> FixedType:
    """Return a type of the design file."""
    if not text:
        return FixedType(default, default)
    modes = str(text.get("q", "")).replace("AP_", "").strip(",").split(",")
    rounding = Rounding(modes[0]) if modes[0] else Rounding.TRN
    overflow = Overflow(modes[1]) if len(modes) > 1 else Overflow.WRAP
    return FixedType(min(text["w"], 60), text["i"], bool(text["signed"]), rounding, overflow)


def target_of(design: Layer) -> Target:
    """Return the target of a design; Vivado HLS became Vitis HLS with version 2020.2."""
    old = str(design["tool"]) < "2020.2"
    io_type = design["yml"].get("IOType") or next(
        (layer["io_type"] for layer in design["layers"] if layer.get("io_type")),
        "io_parallel",
    )
    return Target("Vivado" if old else "Vitis", io_type, design["part"], float(design["clk_ns"]))


def matrix(layer: Layer, n_in: int, n_out: int, weights: Mapping[str, RawArray]) -> RawArray | None:
    """Return the integer weights, ``(n_in, n_out)``; made up where only their width matters."""
    names = [name for name in layer.get("data") or {} if name.startswith("w")]
    strategy, reuse = layer.get("strategy"), int(layer.get("reuse_factor") or 1)
    if names:
        raw = weights[layer["data"][names[0]].replace("/", "__")].astype(np.int64)
        if raw.size == n_in * n_out:
            shaped = (
                raw.reshape(n_out, n_in).T if strategy == "resource" else raw.reshape(n_in, n_out)
            )
            return widest(shaped, layer) if strategy == "resource" else shaped
    if strategy == "resource" and reuse > 1 and "w" in layer:
        return widest(np.ones((n_in, n_out), np.int64), layer)
    return None


def widest(raw: RawArray, layer: Layer) -> RawArray:
    """Return the weights with one that needs the declared width."""
    found = raw.copy()
    found[0, 0] = -(2 ** (int(layer["w"]["w"]) - 1))
    return found


def layer_cost(layer: Layer, mult: Layer | None, target: Target, weights: Any) -> Cost | None:
    """Return the estimated cost of one layer of a design, or None where it cannot be told."""
    kind, call = layer["kind"], str(layer.get("call", ""))
    in_t, out_t = fixed(layer.get("in")), fixed(layer.get("out"))
    if kind == "dense_config" and call.startswith("dense"):
        w = matrix(layer, layer["n_in"], layer["n_out"], weights)
        x = TensorType.full((layer["n_in"],), in_t)
        return None if w is None else matvec_cost(
            w, x, fixed(layer.get("acc")), out_t, target=target, strategy=layer["strategy"],
            reuse_factor=int(layer["reuse_factor"]),
        )  # fmt: skip
    if kind in ("conv1d_config", "conv2d_config") and mult:
        return conv(layer, mult, target, weights)
    if kind == "activ_config":
        x = TensorType.full(activation_shape(layer), in_t)
        if "softmax" in call:
            return softmax_cost(x, 1024, 18, target=target)
        if "relu" in call and "leaky" not in call:
            return elementwise_cost(x, out_t, target=target)
        return table_cost(x, 1024, 18, target=target) if call else None
    channels = int(layer.get("n_chan") or layer.get("n_filt") or 1)
    if kind.startswith("pooling"):
        spatial = spatial_of(layer, "in")
        window = tuple(int(layer.get(k) or 2) for k in ("filt_height", "filt_width"))[
            -len(spatial) :
        ]
        wider = in_t if in_t.width >= out_t.width else out_t
        x = TensorType.full((*spatial, channels), wider)
        return pool_cost(x, (*spatial_of(layer, "out"), channels), window, target=target)
    if kind.startswith("padding"):
        return move_cost(
            TensorType.full((*spatial_of(layer, "out"), channels), in_t), target=target
        )
    return None


def activation_shape(layer: Layer) -> tuple[int, ...]:
    """Return positions and channels of an activation; ``n_in`` is their product."""
    channels = int(layer.get("channels") or layer["n_in"])
    positions = int(layer["n_in"]) // channels
    return (positions, channels) if positions > 1 else (channels,)


def spatial_of(layer: Layer, side: str) -> tuple[int, ...]:
    """Return height and width, or the length of a one-dimensional layer."""
    width = int(layer.get(f"{side}_width") or layer.get("n_in" if side == "in" else "n_out") or 1)
    height = layer.get(f"{side}_height")
    return (int(height), width) if height else (width,)


def conv(layer: Layer, mult: Layer, target: Target, weights: Any) -> Cost | None:
    """Return the estimated cost of a convolution of a design."""
    spatial = spatial_of(layer, "in")
    kernel = tuple(int(layer[k]) for k in ("filt_height", "filt_width") if layer.get(k))[
        -len(spatial) :
    ]
    n_in = prod(kernel) * int(layer["n_chan"])
    settings = {**mult, "data": layer.get("data") or mult.get("data")}
    w = matrix(settings, n_in, int(layer["n_filt"]), weights)
    x = TensorType.full((*spatial, int(layer["n_chan"])), fixed(layer.get("in")))
    return None if w is None else conv_cost(
        w, x, fixed(mult.get("acc")), fixed(layer.get("out")), target=target, kernel=kernel,
        out_positions=prod(spatial_of(layer, "out")), strategy=mult["strategy"],
        reuse_factor=int(mult["reuse_factor"]),
        parallel=int(layer.get("parallelization_factor") or 1),
    )  # fmt: skip


def family_of(layer: Layer, mult: Layer | None, target: Target) -> str:
    """Return the family that a layer's interval belongs to."""
    kind, call = layer["kind"], str(layer.get("call", ""))
    settings = mult or layer
    if "conv" in kind or kind == "dense_config":
        strategy = settings.get("strategy")
        reuse = int(settings.get("reuse_factor") or 1)
        core = "resource" if strategy == "resource" and reuse > 1 else (
            "unrolled" if reuse == 1 else "reused")  # fmt: skip
        return f"{'conv ' if 'conv' in kind else ''}{core}"
    if "softmax" in call:
        return "softmax"
    return "pool" if kind.startswith("pool") else "simple"


def pairs(design: Layer) -> list[tuple[Layer, Layer | None]]:
    """Return the layers of a design in order, each convolution with its multiplier's settings."""
    found: list[tuple[Layer, Layer | None]] = []
    waiting: Layer | None = None
    channels = 0
    for layer in design["layers"]:
        if layer["kind"] == "dense_config" and not str(layer.get("call", "")).startswith("dense"):
            waiting = layer
            continue
        if "conv" in layer["kind"]:
            channels = int(layer["n_filt"])
        elif layer["kind"] == "dense_config":
            channels = 0
        elif layer["kind"] == "activ_config" and channels and layer["n_in"] % channels == 0:
            layer = {**layer, "channels": channels}
        found.append((layer, waiting if "conv" in layer["kind"] else None))
    return found


def usable(design: Layer) -> bool:
    """Return whether the figures of a design stand for what stock hls4ml makes of its weights."""
    flags = " ".join(design["flags"])
    return (
        not design["bind"]
        and UNROLLED_CONV not in design["id"]
        and not any(word in flags for word in UNUSABLE)
    )
