"""A small design with reports about it, as the vendors' tools would write them."""

from functools import cache
from pathlib import Path

import hwflow
from hwflow.project.design import Design
from hwflow.synthesis.joining import calls_of
from tests.synthesis.report_texts import (
    Row,
    hls_text,
    row,
    timing_text,
    utilization_text,
    vitis_xml,
    vivado_hls_xml,
)

MLP = Path("examples/digits_mlp.onnx")
LAYERS = {
    "fc1": row(lut=30_000, ff=6_000, latency=3),
    "fc2": row(lut=15_000, ff=3_000, latency=2),
    "fc3": row(lut=5_000, ff=900, latency=1),
}
TOTAL = row(lut=52_345, ff=12_000, latency=11)
"""More than the sum of the layers: FIFOs, registers and control."""


@cache
def design(backend: str = "Vitis", io_type: str = "io_parallel") -> Design:
    return hwflow.compile(MLP, board="pynq-z2", backend=backend, io_type=io_type)


def modules(net: Design, layers: dict[str, Row] = LAYERS) -> dict[str, Row]:
    """Names as HLS makes them from ``nnet::dense<input_t, layer2_t, config2_fc1>``."""
    return {
        f"{call.function}_latency_ap_fixed_6_2_5_3_0_config{n}_{call.layer}_s": layers.get(
            call.layer, row()
        )
        for n, call in calls_of(net.project).items()
    }


def vitis_tree(folder: Path, net: Design, total: Row = TOTAL) -> Path:
    """What Vitis HLS leaves: each layer calls a module of its own, which is part of it."""
    top = net.graph.name
    found = {name: (top, r) for name, r in modules(net).items()}
    for name, (_, r) in tuple(found.items()):
        inner = {"lut": r["lut"] - 7, "ff": r["ff"] - 3}
        found[name.replace("dense_latency", "dense_wrapper")] = (name, {**r, **inner})
    return write(folder, top, {"csynth.xml": vitis_xml(top, total, found)})


def vivado_tree(folder: Path, net: Design, total: Row = TOTAL) -> Path:
    top = net.graph.name
    files = {
        "csynth.xml": vivado_hls_xml(top, total),
        f"{top}_csynth.xml": vivado_hls_xml(top, total),
        f"{top}_csynth.rpt": hls_text(top, total, modules(net)),
    }
    return write(folder, top, files)


def write(folder: Path, top: str, files: dict[str, str]) -> Path:
    inner = folder / f"{top}_prj" / "solution1" / "syn" / "report"
    inner.mkdir(parents=True)
    for name, text in files.items():
        (inner / name).write_text(text)
    return folder


def add_vivado(folder: Path, net: Design) -> Path:
    """Add what Vivado reports after logic synthesis and after routing."""
    name = net.graph.name
    synthesized, routed = row(lut=24_000, ff=9_000, bram=3), row(lut=22_000, ff=9_100, bram=3)
    (folder / "vivado_synth.rpt").write_text(utilization_text(name, synthesized))
    done = utilization_text(name, routed, state="Routed", version="2024.2", cell="CLB")
    (folder / f"{name}_utilization_placed.rpt").write_text(done)
    (folder / f"{name}_timing_summary_routed.rpt").write_text(timing_text(name, 0.417))
    return folder
