"""C++ simulation: builds a generated project with g++ and runs data through it in child processes.

The project is divided into translation units (``division``), each compiled on its own and kept
under the digest of everything that is compiled into it (``compiler``, ``cache``), so that a layer
that did not change is not compiled again. The values of weights are read when the program runs.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import prod

from hwflow.codegen.project import Project
from hwflow.core.resources import sim_dir
from hwflow.core.templates import template_environment
from hwflow.ir.graph import Graph
from hwflow.ir.op import Target
from hwflow.simulate.cpp.compiler import Compiler
from hwflow.simulate.cpp.division import divide
from hwflow.simulate.cpp.program import Csim, CsimResult

__all__ = ["FLAGS", "Csim", "CsimResult", "build"]

FLAGS = ("-std=c++17", "-O1", "-w", "-fmax-errors=5")


def build(graph: Graph, project: Project, target: Target, *, flags: Sequence[str] = FLAGS) -> Csim:
    """Compile a generated project, or find it in the cache.

    Args:
        graph: the hardware graph that the project was generated from.
        project: the generated files.
        target: what it was generated for.
        flags: flags of the compiler; they change speed, not results.

    Raises:
        ToolError: g++ is missing, the generated C++ does not compile, or the cache cannot be
            written.
    """
    compiler = Compiler(project, tuple(flags))
    traced = _traced(graph, project)
    caller = _caller(graph, project, target, traced)
    program = compiler.program(divide(project, tuple(compiler.prelude), caller))
    values = (*(p.value for p in graph.outputs), *traced)
    return Csim(graph, program, project, tuple((v, _size(graph, v)) for v in values))


def _traced(graph: Graph, project: Project) -> list[str]:
    """Return the names of the layers whose values the program writes, sorted."""
    top = project.text(f"firmware/{project.name}.cpp")
    found = set(re.findall(r'nnet::save_layer_output<[^;]*?, "(\w+)", ', top))
    return sorted(found & graph.types.keys())


def _size(graph: Graph, value: str) -> int:
    return prod(graph.types[value].shape)


def _caller(graph: Graph, project: Project, target: Target, traced: Sequence[str]) -> str:
    """Return the C++ that calls the top function with a sample's values."""
    prototype = _prototype(project)
    inputs, outputs = _ports(graph, prototype)
    at = sum(_size(graph, p.value) for p in graph.outputs)
    slots = []
    for name in traced:
        slots.append({"name": name, "at": at, "size": _size(graph, name)})
        at += _size(graph, name)
    template = template_environment(sim_dir() / "csim").get_template("ports.cpp.j2")
    return template.render(
        prototype=prototype,
        project=project.name,
        inputs=inputs,
        outputs=outputs,
        slots=slots,
        output_size=at,
        streams=target.streams,
    )


def _prototype(project: Project) -> str:
    """Return the declaration of the generated top function."""
    header = project.text(f"firmware/{project.name}.h")
    declared = re.search(rf"void {project.name}\(.*?\);", header, re.S)
    assert declared is not None, "the generated header declares no top function"
    return declared[0]


def _ports(graph: Graph, prototype: str) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    """Return name, C++ type, place and size of each port, inputs and outputs."""
    found = re.findall(r"(?:hls::stream<(\w+)>\s*&|(\w+)\s)\s*(\w+)", prototype.split("(", 1)[1])
    arguments = iter(found)
    sides: list[list[dict[str, object]]] = []
    for ports in (graph.inputs, graph.outputs):
        at, side = 0, []
        for port, (stream, plain, name) in zip(ports, arguments, strict=False):
            size = _size(graph, port.value)
            side.append({"name": name, "type": stream or plain, "at": at, "size": size})
            at += size
        sides.append(side)
    return sides[0], sides[1]
