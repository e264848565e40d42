"""Whole designs with public synthesis reports: which of them count, and their figures.

Two files hold them, in two forms: ``hls4ml_designs.json`` lists layers in order, the files in
``public_designs`` the calls of the top function. Both become calls here.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hwflow.ir.cost import Cost, Estimate
from hwflow.ir.op import Target
from tests.benchmarks.report_graphs import Arrays, Point

CSYNTH = {
    "dsp": "dsp", "ii": "ii_max", "latency_cycles": "lat_max", "bram_18k": "bram18", "lut": "lut",
    "ff": "ff",
}  # fmt: skip
"""Columns of C synthesis, by the estimate's names."""

SYNTHESIS = {
    "lut_synth": "lut", "ff_synth": "ff", "dsp_synth": "dsp", "bram_18k_synth": "bram36",
}  # fmt: skip
"""Columns of logic synthesis, likewise."""

HALVES = {"bram_18k_synth": 2.0}
"""How many of ours one of a report is."""

FLAGS = (
    "modified hls4ml templates", "do not use", "mislabelled", "same figures as another",
    "do not reproduce",
)  # fmt: skip
"""Notes in ``hls4ml_designs.json`` on designs whose figures are not those of their sources."""

UNROLLED_CONV = "conv2dRolled"
"""A streamed convolution unrolled over all positions, as hls4ml made them in 2020."""

SAME_AUTHOR = {
    "axiotisk/Vitis_Accel_Projects": "alex-yang-upenn/accelerator_wrapper",
    "alex-yang-upenn/vitis_accel_backend_test": "alex-yang-upenn/accelerator_wrapper",
}
"""Repositories with what looks like the same network count as one."""


@dataclass(frozen=True)
class Figure:
    """A figure of a report beside its estimate."""

    figure: str
    repo: str
    design: str
    real: float
    estimate: Estimate
    parts: tuple[tuple[str, float], ...] = ()

    @property
    def inside(self) -> bool:
        """Whether the report falls in the interval."""
        return self.estimate.low - 0.5 <= self.real <= self.estimate.high + 0.5

    @property
    def smape(self) -> float:
        """Symmetric error in per cent, 200 |a - b| / (a + b)."""
        return smape(self.real, self.estimate.value)


def smape(a: float, b: float) -> float:
    """Return the symmetric error of two figures in per cent."""
    return 200.0 * abs(a - b) / (a + b) if a + b else 0.0


def figures_of(point: Point, cost: Cost) -> Iterator[Figure]:
    """Yield the figures that the reports of a design give, beside the estimate."""
    repo = SAME_AUTHOR.get(point["repo"], point["repo"])
    for report, columns in (("hls", CSYNTH), ("vsynth", SYNTHESIS)):
        for figure, column in columns.items():
            real = (point.get(report) or {}).get(column)
            if real is not None:
                real = float(real) * HALVES.get(figure, 1.0)
                yield Figure(figure, repo, point["id"], real, getattr(cost, figure))


def target_of(point: Point, streams: bool) -> Target:
    """Return the target of a design; Vivado HLS became Vitis HLS with version 2020.2."""
    backend = "Vivado" if str(point["tool"]) < "2020.2" else "Vitis"
    return Target(
        backend, "io_stream" if streams else "io_parallel", point["part"], float(point["clk_ns"]),
        f"{backend.lower()} {str(point['tool'])[:6]}",
    )  # fmt: skip


def designs(folder: Path) -> Iterator[tuple[Point, Arrays, str]]:
    """Yield every design, its weights, and why it does not count, or an empty text.

    Args:
        folder: the one that holds ``hls4ml_designs.json`` and ``public_designs``.
    """
    seen: list[tuple[Any, ...]] = []
    for point, arrays, reason in (*public(folder / "public_designs"), *listed(folder)):
        key = tuple(point["hls"].get(k) for k in ("dsp", "lat_max", "lut", "ff"))
        if not reason and any(_same(key, other) for other in seen):
            reason = "the same design as another"
        if not reason:
            seen.append(key)
        yield point, arrays, reason


def _same(a: tuple[Any, ...], b: tuple[Any, ...]) -> bool:
    """Return whether two designs differ by no more than a commit does that changes nothing."""
    return a[:2] == b[:2] and abs(a[2] - b[2]) <= 0.005 * b[2] and abs(a[3] - b[3]) <= 0.01 * b[3]


def public(folder: Path) -> Iterator[tuple[Point, Arrays, str]]:
    """Yield the designs of ``public_designs``, one file a repository."""
    for file in sorted(folder.glob("*.json")):
        with np.load(file.with_suffix(".npz")) as stored:
            arrays = {name: stored[name] for name in stored.files}
        for point in json.loads(file.read_text("utf-8")):
            yield point, arrays, _public_reason(point)


def _public_reason(point: Point) -> str:
    """Return why the report of a point does not stand for stock hls4ml's sources of it."""
    hls = point["hls"]
    if not any(c["fn"].startswith(("dense", "conv")) for c in point["calls"]):
        return "no layers of hls4ml in the top function"
    if any((point["not_stock"] or {}).values()):
        return "changed kernels"
    if None in (hls["lut"], hls["ff"], hls["dsp"], hls["bram18"]) or hls["lut"] < 200:
        return "no figures, or next to none"
    if point["bind"]:
        return "bind_op or RESOURCE pragmas"
    known = {m[1] for name in point["layers"] if (m := re.search(r"config(\d+)", name))}
    ids = (re.search(r"config(\d+)(?:_mult)?_?s?$", name) for name in point["submodules"])
    mixed = any(m[1] not in known for m in ids if m) or any(
        _other_type(point, c) for c in point["calls"]
    )
    return "a report of other sources" if mixed else ""


def _other_type(point: Point, call: Mapping[str, Any]) -> bool:
    """Return whether the report has a layer with a result of another width than its sources."""
    if not call.get("cfg") or not call.get("types"):
        return False
    pattern = r"ap_(u?)fixed_(\d+)_(m?\d+)_\d_\d_\d_(?:\d+u_)?" + re.escape(call["cfg"]) + "_s$"
    return any(
        name.startswith(call["fn"].split("_")[0]) and int(m[2]) != call["types"][-1]["w"]
        for name in point["submodules"]
        if (m := re.search(pattern, name))
    )


def listed(folder: Path) -> Iterator[tuple[Point, Arrays, str]]:
    """Yield the designs of ``hls4ml_designs.json``."""
    with np.load(folder / "hls4ml_designs_weights.npz") as stored:
        arrays = {name: stored[name] for name in stored.files}
    for design in json.loads((folder / "hls4ml_designs.json").read_text("utf-8")):
        notes = " ".join(design["flags"])
        reason = next((flag for flag in FLAGS if flag in notes), "")
        reason = reason or ("bind_op pragmas" if design["bind"] else "")
        if UNROLLED_CONV in design["id"]:
            reason = "a convolution unrolled over all positions"
        yield _with_calls(design), arrays, reason


def _with_calls(design: Mapping[str, Any]) -> Point:
    """Return a design with the calls, layers and weights that its list of layers stands for."""
    named = (layer["io_type"] for layer in design["layers"] if layer.get("io_type"))
    streams = (design["yml"].get("IOType") or next(named, "")) == "io_stream"
    calls: list[dict[str, Any]] = []
    layers: dict[str, Any] = {}
    weights: dict[str, Any] = {}
    mult = ""
    for layer in design["layers"]:
        layers[layer["cfg"]] = layer = dict(layer)
        for name, place in (layer.get("data") or {}).items():
            text = layer.get("w" if name[0] in "wsd" else "b")
            weights[name] = {"npz": place.replace("/", "__"), "type": text}
        if not layer.get("call"):
            mult = layer["cfg"] if layer["kind"] == "dense_config" else mult
            continue
        if "conv" in layer["kind"] and mult:
            layer["mult_config"], mult = mult, ""
        types = [{**layer[k], "arr": streams} for k in ("in", "out") if layer.get(k)]
        args = list(layer["args"])
        made = [c["args"][1] for c in calls]
        if calls and args[0] not in (*made, calls[0]["args"][0]):
            args[0] = made[-1]  # a cast between them is not in the list
        calls.append({"fn": layer["call"], "types": types, "cfg": layer["cfg"], "args": args})
    return {**design, "calls": calls, "layers": layers, "weights": weights}
