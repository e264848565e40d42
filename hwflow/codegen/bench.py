"""The test bench that takes the place of hls4ml's, and the files that build it with bare g++.

hls4ml's own bench prints what it finds and always returns 0; this one compares every bit with the
test vectors and fails. It is C++ of Vitis and Vivado HLS as well as of g++.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from hwflow.core.resources import sim_dir
from hwflow.core.templates import template_environment
from hwflow.fixed import FixedType
from hwflow.ir.graph import Graph
from hwflow.ir.op import Target

INPUT_FILE = "tb_input_features.dat"
OUTPUT_FILE = "tb_output_predictions.dat"
"""Names that hls4ml's users and scripts know the vectors by, in the folder ``tb_data``."""


@dataclass(frozen=True)
class HlsPort:
    """A port of the generated top function.

    Attributes:
        name: name of the argument in C++, which HLS tools name the port of the hardware after.
        ctype: C++ type of the array's elements, or of what the stream carries.
        dtype: type of one element.
        size: elements of one sample.
        beat: elements that are transferred at once: all of them, or those of a stream's beat.
    """

    name: str
    ctype: str
    dtype: FixedType
    size: int
    beat: int


def hls_ports(
    graph: Graph, target: Target, files: Mapping[str, bytes]
) -> tuple[tuple[HlsPort, ...], tuple[HlsPort, ...]]:
    """Return inputs and outputs in the order of the graph's ports, read off the generated C++.

    Args:
        graph: what the C++ was generated from.
        target: what the hardware is generated for.
        files: the generated files by path.
    """
    header = files[f"firmware/{graph.name}.h"].decode()
    declared = re.search(rf"void {graph.name}\((.*?)\);", header, re.S)
    assert declared is not None, "the generated header declares no top function"
    arguments = re.findall(r"(?:hls::stream<(\w+)>\s*&|(\w+)\s)\s*(\w+)", declared[1])
    defines = files["firmware/defines.h"].decode()
    packed = {
        name: int(elements) * int(pack)
        for elements, pack, name in re.findall(
            r"typedef nnet::array<.*, (\d+)\*(\d+)> (\w+);", defines
        )
    }
    ports = []
    values = [p.value for p in (*graph.inputs, *graph.outputs)]
    for (stream, plain, name), value in zip(arguments, values, strict=True):
        tensor = graph.types[value]
        size = prod(tensor.shape)
        beat = packed[stream] if target.streams else size
        ports.append(HlsPort(name, stream or plain, tensor.dtype, size, beat))
    return tuple(ports[: len(graph.inputs)]), tuple(ports[len(graph.inputs) :])


def bench_source(graph: Graph, target: Target, files: Mapping[str, bytes]) -> bytes:
    """Return the C++ of the test bench of a generated project."""
    inputs, outputs = hls_ports(graph, target, files)
    return _render(
        "test_bench.cpp.j2",
        name=graph.name,
        inputs=inputs,
        outputs=outputs,
        streams=target.streams,
        input_file=INPUT_FILE,
        output_file=OUTPUT_FILE,
    )


def build_files(graph: Graph) -> dict[str, bytes]:
    """Return the files that compile and run the bench without hwflow, by name."""
    names = ("Makefile", "CMakeLists.txt")
    return {name: _render(f"{name}.j2", name=graph.name) for name in names}


def _render(template: str, **names: object) -> bytes:
    return template_environment(sim_dir()).get_template(template).render(**names).encode()
